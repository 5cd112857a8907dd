//! The independent verifier: Python, and nothing of ours.

use super::*;
use std::process::{Command, Output};

/// Whether Python verifies each of many logs, in one run.
pub fn python_each(dirs: &[Dir]) -> Vec<bool> {
    let output = run(dirs.iter().map(|dir| &dir.0));
    let text = String::from_utf8(output.stdout).unwrap();
    let is_verdict = |line: &&str| line.ends_with(": verified") || line.starts_with("NOT verified: ");
    let verdicts: Vec<bool> = text.lines().filter(is_verdict).map(|line| !line.starts_with("NOT")).collect();
    assert_eq!(verdicts.len(), dirs.len(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    // 11 where one has less than was signed.
    let codes = if verdicts.contains(&false) { [4, 11] } else { [0, 0] };
    assert!(output.status.code().is_some_and(|code| codes.contains(&code)), "{text}");
    verdicts
}

pub fn python(dir: &Path) -> Output {
    run([dir])
}

fn run(dirs: impl IntoIterator<Item = impl AsRef<std::ffi::OsStr>>) -> Output {
    let python = std::env::var("LIGHTPROOF_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/reference_verifier.py");
    let output = Command::new(&python).arg(script).args(dirs).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        !errors.contains("No module named"),
        "{python} lacks the package `cryptography`; tests/run makes an environment that has it: {errors}"
    );
    output
}

#[test]
fn python_verifies_a_log_of_ours_and_finds_a_change() {
    let dir = Dir::new();
    small(&dir);
    let output = python(&dir.0);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let root = dir.verify().root.unwrap().to_string();
    assert!(text.contains("9 records") && text.contains(&root), "{text}");
    let first_key = dir.verify().first_key.unwrap();
    assert!(text.contains(&format!("first key {first_key}\n")), "{text}");
    let segment = dir.0.join("seg/00000000.jsonl");
    let records = std::fs::read_to_string(&segment).unwrap();
    std::fs::write(&segment, records.replacen("\"width\":128", "\"width\":129", 1)).unwrap();
    assert_eq!(python(&dir.0).status.code(), Some(4));
}

#[test]
fn python_verifies_the_frozen_log_and_finds_every_cut_and_forgery_in_it() {
    let frozen = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/v1");
    let output = python(&frozen);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    type Change = fn(String) -> String;
    let changes: [(&str, Change); 5] = [
        ("seg/00000000.jsonl", |text| text.lines().skip(1).map(|l| format!("{l}\n")).collect()),
        ("seg/00000000.jsonl", |text| text.trim_end().rsplit_once('\n').unwrap().0.to_owned() + "\n"),
        // One whole checkpoint less at the end, one signature less, one letter of a signature.
        ("checkpoints.log", |text| text[..text[..text.len() - 2].rfind("\n\nlight").unwrap() + 2].to_owned()),
        ("checkpoints.log", |text| text.replacen("\u{2014} lightproof", "\u{2014} lightprooF", 1)),
        ("checkpoints.log", |mut text| {
            let letter = text.len() - 20..text.len() - 19;
            let other = if &text[letter.clone()] == "A" { "B" } else { "A" };
            text.replace_range(letter, other);
            text
        }),
    ];
    for (at, (name, change)) in changes.into_iter().enumerate() {
        let dir = Dir::new();
        copy_folder(&frozen, &dir.0);
        let path = dir.0.join(name);
        let before = std::fs::read_to_string(&path).unwrap();
        let after = change(before.clone());
        assert_ne!(before, after, "change {at}");
        std::fs::write(&path, after).unwrap();
        assert_eq!(python(&dir.0).status.code(), Some(4), "change {at}");
    }
}
