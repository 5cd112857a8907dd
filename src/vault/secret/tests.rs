use super::*;
use crate::kdf::DERIVED;
use crate::{Locked, OsRandom, Paths, PersonName, Role, Unlocked, Vault};

#[test]
fn recovery_code_forgives_style_and_catches_typing_errors() {
    for _ in 0..20 {
        let code = RecoveryCode::new(&mut OsRandom).expect("random");
        let text = code.text();
        assert_eq!(text.len(), 9 * 4 + 8);
        let spoken = text.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
        for variant in [text.to_string(), format!(" {spoken}\n"), text.replace('-', "").replace('1', "i")] {
            assert_eq!(Secret::recovery(&variant).expect("accepted").bytes[..], code.0[..]);
        }
        let chars: Vec<char> = text.chars().filter(|c| *c != '-').collect();
        for at in 0..chars.len() {
            let mut wrong = chars.clone();
            wrong[at] = if wrong[at] == '7' { '8' } else { '7' };
            check_refused(&wrong);
            if at > 0 && chars[at] != chars[at - 1] {
                let mut swapped = chars.clone();
                swapped.swap(at, at - 1);
                check_refused(&swapped);
            }
            check_refused(&[&chars[..at], &chars[at + 1..]].concat());
        }
        check_refused(&[&chars[..], &['0']].concat());
        check_refused(&[]);
    }
}

fn check_refused(chars: &[char]) {
    let text: String = chars.iter().collect();
    assert!(matches!(Secret::recovery(&text), Err(Error::RecoveryCodeMistyped)), "{text}");
}

#[test]
fn passphrases_are_normalized_and_lose_one_line_end() {
    let same = |a: &str, b: &str| {
        assert_eq!(Secret::passphrase(a).expect("a").bytes, Secret::passphrase(b).expect("b").bytes);
    };
    same("caf\u{e9} au lait!", "cafe\u{301} au lait!");
    same("one line\n", "one line");
    same("one line\r\n", "one line");
    assert_eq!(&Secret::passphrase(" kept \n\n").expect("text").bytes[..], b" kept \n");
    assert!(Secret::passphrase("\n").is_err() && Secret::passphrase(&"x".repeat(1025)).is_err());
}

#[test]
fn new_passphrases_are_long_and_not_obvious() {
    for weak in [
        "",
        "elevenchars",
        "aaaaaaaaaaaaaaaa",
        "abababababab",
        "Correct Horse Battery Staple",
        "PASSWORD-1234",
    ] {
        let refused = Secret::passphrase(weak).and_then(|secret| secret.check_new());
        assert!(matches!(refused, Err(Error::WeakSecret(_))), "{weak}");
    }
    for good in ["twelve chars", "十二个汉字也算十二个字符", "a long and dull sentence"] {
        Secret::passphrase(good).and_then(|secret| secret.check_new()).expect(good);
    }
}

#[test]
fn secrets_are_not_printed() {
    let secret = Secret::passphrase("hunter2hunter2").expect("text");
    assert_eq!(format!("{secret:?}"), "Secret(..)");
    let code = RecoveryCode::new(&mut OsRandom).expect("random");
    assert_eq!(format!("{code:?}"), "RecoveryCode(..)");
}

/// How many keys are derived by some work.
fn derived(work: impl FnOnce()) -> u32 {
    let before = DERIVED.get();
    work();
    DERIVED.get() - before
}

#[test]
fn a_secret_that_was_made_ready_derives_nothing_more() {
    let path = std::env::temp_dir().join(format!("vault-ready-{}", std::process::id()));
    let paths = Paths { state: path.join("state"), outputs: path.join("outputs") };
    let text = |text| Secret::passphrase(text).expect("text");
    let (first, kdf) = (text("a test passphrase"), KdfParams::FLOOR);
    let (vault, _) = Vault::create(paths, &first, Role::Admin, kdf, &mut OsRandom).expect("a new vault");
    let locked = vault.lock();

    // A wrong one is made ready as well, and is found to be wrong where it always was.
    let wrong = text("another passphrase");
    assert_eq!(derived(|| locked.slots().derive(&wrong).expect("memory")), 1);
    let before = DERIVED.get();
    let Err((locked, Error::WrongSecret)) = locked.unlock(&wrong, |_| true) else { panic!("it opened") };
    assert_eq!(DERIVED.get(), before);

    let typed = text("a test passphrase");
    assert_eq!(derived(|| locked.slots().derive(&typed).expect("memory")), 1);
    let before = DERIVED.get();
    let Ok(Unlocked::Vault(mut vault, _)) = locked.unlock(&typed, |_| true) else { panic!("it stays shut") };
    vault.authenticate(&typed).expect("it opens the same slot");
    assert_eq!(DERIVED.get(), before);

    // A roll for another reason asks for no other key; a new passphrase does.
    let slots = vault.slots();
    vault.replace_recovery(kdf, &mut OsRandom).expect("replaced");
    assert!(vault.slots() != slots);
    assert_eq!(derived(|| assert!(vault.authenticate(&typed).is_ok(), "as before")), 0);
    vault.change_secret(&typed, &text("a later passphrase"), kdf, &mut OsRandom).expect("changed");
    assert_eq!(derived(|| assert!(vault.authenticate(&typed).is_err(), "derived anew")), 1);
    drop(vault);
    std::fs::remove_dir_all(path).expect("it was made here");
}

/// Signing in costs one key, however many people there are, and as much for somebody who does not exist.
#[test]
fn a_person_is_tried_on_one_slot() {
    let path = std::env::temp_dir().join(format!("vault-people-{}", std::process::id()));
    let paths = Paths { state: path.join("state"), outputs: path.join("outputs") };
    let kdf = KdfParams::FLOOR;
    let of = |text: &str, name: &str| {
        Secret::passphrase(text).expect("text").of(Some(PersonName::new(name).expect("a name")))
    };
    let first = of("a test passphrase", "first");
    let (mut vault, _) = Vault::create(paths, &first, Role::Admin, kdf, &mut OsRandom).expect("a new vault");
    let name = PersonName::new("first").expect("a name");
    vault.name_slot(&first, &name, Role::Admin, kdf, &mut OsRandom).expect("named");
    for number in 2..6 {
        let new = of(&format!("passphrase {number} of a test"), &format!("person {number}"));
        vault.add_slot(Role::Operator, &new, kdf, &mut OsRandom).expect("added");
    }
    for (text, name, opens) in [
        ("passphrase 5 of a test", "person 5", true),
        ("passphrase 5 of a test", "person 2", false),
        ("passphrase 5 of a test", "nobody", false),
    ] {
        let typed = of(text, name);
        let before = DERIVED.get();
        assert_eq!(vault.authenticate(&typed).is_ok(), opens);
        assert_eq!(DERIVED.get() - before, 1, "{name}");
    }
    drop(vault);
    let _ = std::fs::remove_dir_all(path);
}

/// A second half makes a guess no dearer, and tells nobody who has one or who is there.
#[test]
fn a_passphrase_and_the_machine_secret_cost_one_key() {
    let path = std::env::temp_dir().join(format!("vault-half-{}", std::process::id()));
    let paths = Paths { state: path.join("state"), outputs: path.join("outputs") };
    let kdf = KdfParams::FLOOR;
    let of = |text: &str, name: &str| {
        Secret::passphrase(text).expect("text").of(Some(PersonName::new(name).expect("a name")))
    };
    let first = of("a test passphrase", "first");
    let (mut vault, _) =
        Vault::create(paths.clone(), &first, Role::Admin, kdf, &mut OsRandom).expect("a new vault");
    let name = PersonName::new("first").expect("a name");
    vault.name_slot(&first, &name, Role::Admin, kdf, &mut OsRandom).expect("named");
    vault.add_slot(Role::Operator, &of("a second passphrase", "second"), kdf, &mut OsRandom).expect("added");
    let machine = Secret::machine(Zeroizing::new((0..40).collect())).expect("usable");
    vault.ask_half(&first, &machine, kdf, &mut OsRandom).expect("asked");
    drop(vault);
    for (has_half, text, name, opens) in [
        (true, "a test passphrase", "first", true),
        (true, "another passphrase", "first", false),
        (true, "another passphrase", "nobody", false),
        (false, "a test passphrase", "first", false),
        (false, "another passphrase", "nobody", false),
        (false, "another passphrase", "second", false),
    ] {
        let mut locked = Locked::open(paths.clone()).expect("there");
        if has_half {
            locked.give_half(&machine);
        }
        let typed = of(text, name);
        let before = DERIVED.get();
        let lacks = match locked.unlock(&typed, |_| true) {
            Ok(_) if opens => false,
            Err((_, Error::WrongSecret)) if !opens => false,
            Err((_, Error::HalfNeeded)) if !opens => true,
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!((lacks, DERIVED.get() - before), (!has_half, 1), "{name}");
    }
    let _ = std::fs::remove_dir_all(path);
}
