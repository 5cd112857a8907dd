use super::*;
use crate::OsRandom;

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
