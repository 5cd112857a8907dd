//! People with names: who signs in, and what a copy of the disk tells of them.

use std::fs;

use vault::{Error, KdfParams, Locked, OsRandom, PersonName, Role, Secret, SlotId, Unlocked, Vault};

use super::reader::read;
use super::{PASSPHRASE, Place, check_object, put, secret};

const FLOOR: KdfParams = KdfParams::FLOOR;
const SECOND: &str = "the second one's words";

fn name(text: &str) -> PersonName {
    PersonName::new(text).expect("a name")
}

fn of(text: &str, person: &str) -> Secret {
    secret(text).of(Some(name(person)))
}

/// A vault in which the first person and a second one have names.
fn two(place: &Place) -> (Vault, vault::RecoveryCode) {
    let (mut vault, code) = place.create();
    vault.name_slot(&secret(PASSPHRASE), &name("First"), Role::Admin, FLOOR, &mut OsRandom).expect("named");
    vault.add_slot(Role::Operator, &of(SECOND, "Second"), FLOOR, &mut OsRandom).expect("added");
    (vault, code)
}

#[test]
fn a_secret_opens_the_slot_of_its_person_and_no_other() {
    let place = Place::new();
    let (mut vault, code) = two(&place);
    let id = put(&mut vault, "a", 100);
    drop(vault);
    for (typed, slot) in [(of(PASSPHRASE, "first"), 1), (of(SECOND, " SECOND "), 3), (code.secret(), 2)] {
        let vault = place.unlock_with(&typed).expect("opens");
        assert_eq!(vault.authenticate(&typed).expect("known").id, SlotId(slot));
        check_object(&vault, id, 100);
    }
    for wrong in [of(PASSPHRASE, "Second"), of(SECOND, "First"), of(PASSPHRASE, "Third")] {
        assert!(matches!(place.unlock_with(&wrong), Err(Error::WrongSecret)));
    }
    // Nothing is tried on everybody's slot.
    assert!(matches!(place.unlock_with(&secret(PASSPHRASE)), Err(Error::NameNeeded)));
}

/// With one person nobody needs to say who they are.
#[test]
fn one_person_signs_in_with_and_without_a_name() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    vault.name_slot(&secret(PASSPHRASE), &name("First"), Role::Admin, FLOOR, &mut OsRandom).expect("named");
    drop(vault);
    drop(place.unlock().expect("opens"));
    drop(place.unlock_with(&of(PASSPHRASE, "First")).expect("opens"));
    assert!(matches!(place.unlock_with(&of(PASSPHRASE, "Frist")), Err(Error::WrongSecret)));
}

#[test]
fn people_come_and_go_and_their_names_and_numbers_stay_theirs() {
    let place = Place::new();
    let (mut vault, _) = two(&place);
    let taken = vault.add_slot(Role::Operator, &of("a third one's words", "sEcond"), FLOOR, &mut OsRandom);
    assert!(matches!(taken, Err(Error::NameOfAnother)));
    let nameless = vault.add_slot(Role::Operator, &secret("a third one's words"), FLOOR, &mut OsRandom);
    assert!(matches!(nameless, Err(Error::NameNeeded)));
    // Two may have the same passphrase: a refusal would tell one of them the other's.
    vault.add_slot(Role::Auditor, &of(SECOND, "Third"), FLOOR, &mut OsRandom).expect("added");
    vault.remove_slot(SlotId(3), &mut OsRandom).expect("removed");
    assert!(matches!(vault.authenticate(&of(SECOND, "Second")), Err(Error::WrongSecret)));
    let again = vault.add_slot(Role::Operator, &of(SECOND, "Second"), FLOOR, &mut OsRandom);
    assert!(matches!(again, Err(Error::NameOfAnother)), "who is gone inherits to nobody");
    drop(vault);
    let vault = place.unlock_with(&of(PASSPHRASE, "First")).expect("opens");
    let people = vault.people();
    let seen: Vec<_> =
        people.iter().map(|p| (p.slot.0, p.name.as_ref().map(PersonName::as_str), p.role)).collect();
    assert_eq!(
        seen,
        [
            (1, Some("First"), Some(Role::Admin)),
            (3, Some("Second"), None),
            (4, Some("Third"), Some(Role::Auditor))
        ]
    );
    assert_eq!(vault.slot_of(&name("third")).expect("there").id, SlotId(4));
    assert!(matches!(vault.slot_of(&name("second")), Err(Error::UnknownName)));
}

#[test]
fn the_recovery_code_sets_the_passphrase_of_whoever_is_named_with_it() {
    let place = Place::new();
    let (mut vault, code) = two(&place);
    let new = secret("a new passphrase");
    assert!(matches!(
        vault.change_secret(&code.secret(), &new, FLOOR, &mut OsRandom),
        Err(Error::NameNeeded)
    ));
    let typed = code.secret().of(Some(name("Nobody")));
    assert!(matches!(vault.change_secret(&typed, &new, FLOOR, &mut OsRandom), Err(Error::UnknownName)));
    let typed = code.secret().of(Some(name("Second")));
    let rolled = vault.change_secret(&typed, &new, FLOOR, &mut OsRandom).expect("changed");
    assert_eq!(rolled.slot, SlotId(3));
    drop(vault);
    drop(place.unlock_with(&of("a new passphrase", "Second")).expect("opens"));
    drop(place.unlock_with(&of(PASSPHRASE, "First")).expect("is as it was"));
    assert!(matches!(place.unlock_with(&of(SECOND, "Second")), Err(Error::WrongSecret)));
}

#[test]
fn a_new_passphrase_keeps_the_name_and_a_name_stays() {
    let place = Place::new();
    let (mut vault, _) = two(&place);
    let renamed =
        vault.name_slot(&of(SECOND, "Second"), &name("Other"), Role::Operator, FLOOR, &mut OsRandom);
    assert!(matches!(renamed, Err(Error::Limit(_))), "{renamed:?}");
    let new = secret("a second one's new words");
    vault.change_secret(&of(SECOND, "Second"), &new, FLOOR, &mut OsRandom).expect("changed");
    drop(vault);
    drop(place.unlock_with(&of("a second one's new words", "Second")).expect("opens"));
}

#[test]
fn names_are_read_as_people_type_them() {
    assert!(name("  Caf\u{e9}\n").is(&name("CAFE\u{301}")));
    assert!(name("J\u{30c}an").is(&name("\u{1f0}an")), "lower case makes one character of two");
    for bad in ["a\u{ad}da", "\u{61c}ada", "a\u{34f}da", "ada\u{fe0f}", "\u{3164}", "a\u{e0041}"] {
        assert!(matches!(PersonName::new(bad), Err(Error::BadName(_))), "{bad:?}");
    }
    for bad in ["", "  ", "a\u{0}b", "a\tb", "\u{202e}nimda", "a\u{200b}", &"x".repeat(65)] {
        assert!(matches!(PersonName::new(bad), Err(Error::BadName(_))), "{bad:?}");
    }
    assert_eq!(format!("{:?}", name("secret")), "PersonName(..)");
}

/// No name lies in the open, an older program refuses the file, and the Python reader finds the people.
#[test]
fn a_copy_of_the_disk_tells_a_name_only_to_who_guesses_it() {
    let place = Place::new();
    let (vault, _) = two(&place);
    drop(vault);
    let file = fs::read(place.state("vault")).expect("read");
    assert_eq!(file[8..10], [0, 2], "a program that knows format 1 alone refuses it in words");
    assert!(!file.windows(6).any(|bytes| bytes.eq_ignore_ascii_case(b"second")));
    let output = read(&place, (SECOND, Some("second")), None);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("\"names\": {\"1\": \"First\", \"3\": \"Second\"}"), "{text}");
    for wrong in ["first", "third"] {
        assert_eq!(read(&place, (SECOND, Some(wrong)), None).status.code(), Some(2));
    }
}

/// Neither a name in the head that its slot does not have nor a format that was put back passes.
#[test]
fn a_slot_that_was_given_to_another_opens_nothing() {
    let place = Place::new();
    let (vault, _) = two(&place);
    drop(vault);
    let good = fs::read(place.state("vault")).expect("read");
    for at in [9, 64 + 16, 64 + 47, 64 + 2 * 256 + 40] {
        let mut bad = good.clone();
        bad[at] ^= 3;
        for file in ["vault", "vault.mirror"] {
            fs::write(place.state(file), &bad).expect("written");
        }
        let opened = Locked::open(place.paths())
            .and_then(|locked| locked.unlock(&of(PASSPHRASE, "First"), |_| true).map_err(|(_, error)| error));
        assert!(!matches!(opened, Ok(Unlocked::Vault(..))), "{at}");
    }
}

/// With the passphrase of who is there, the recovery code and every file: neither the Python reader nor an older vault file says it,
/// and nobody who is there loses theirs.
#[test]
fn a_name_that_is_forgotten_is_in_no_copy_that_opens() {
    let place = Place::new();
    let (mut vault, code) = two(&place);
    let old = fs::read(place.state("vault")).expect("read");
    let there = vault.forget_names(&[SlotId(3)], &mut OsRandom);
    assert!(matches!(there, Err(Error::Limit(_))), "somebody who is there: {there:?}");
    vault.remove_slot(SlotId(3), &mut OsRandom).expect("removed");
    fs::write(place.state("vault.damaged"), &old).expect("written");
    let forgotten = vault.forget_names(&[SlotId(3)], &mut OsRandom).expect("forgotten");
    assert!(!forgotten.cleanup_pending && !place.state("vault.damaged").exists());
    assert_eq!(vault.state(), forgotten.state);
    assert_eq!(vault.free_slot().expect("one"), SlotId(4), "the number stays used");
    drop(vault);
    let code_text = code.text();
    for (typed, operator) in [(PASSPHRASE, Some("first")), (&*code_text, None)] {
        let output = read(&place, (typed, operator), None);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        assert!(text.contains("\"names\": {\"1\": \"First\"}") && !text.contains("Second"), "{text}");
    }
    // The file from before, with the anchor of now and the passphrase of then.
    let now = fs::read(place.state("vault")).expect("read");
    for (file, opens) in [(&old, false), (&now, true)] {
        for name in ["vault", "vault.mirror"] {
            fs::write(place.state(name), file).expect("written");
        }
        assert_eq!(read(&place, (PASSPHRASE, Some("first")), None).status.success(), opens);
    }
    let mut vault = place.unlock_with(&of(PASSPHRASE, "First")).expect("opens");
    vault
        .add_slot(Role::Operator, &of(SECOND, "Second"), FLOOR, &mut OsRandom)
        .expect("the name is free again");
}
