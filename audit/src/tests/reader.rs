//! The independent verifier: Python, and nothing of ours.

use super::*;
use std::process::{Command, Output};

fn python(dir: &Dir) -> Output {
    let python = std::env::var("LIGHTPROOF_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/reference_verifier.py");
    let output = Command::new(&python).arg(script).arg(&dir.0).output().unwrap();
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
    let output = python(&dir);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let root = dir.verify().root.unwrap().to_string();
    assert!(text.contains("9 records") && text.contains(&root), "{text}");
    let segment = dir.0.join("seg/00000000.jsonl");
    let records = std::fs::read_to_string(&segment).unwrap();
    std::fs::write(&segment, records.replacen("\"width\":128", "\"width\":129", 1)).unwrap();
    assert_eq!(python(&dir).status.code(), Some(4));
}
