//! Other people's programs over a bundle of ours: what VERIFY.md says, word for word, and a validator of OSCAL.

use super::*;
use crate::{is_part_of_log, slice};
use audit::{Order, Stored};
use std::process::{Command, Output};

/// The blocks of VERIFY.md that are to be run.
fn blocks(text: &str) -> Vec<String> {
    let blocks: Vec<String> =
        text.split("```sh\n").skip(1).map(|rest| rest.split_once("\n```").unwrap().0.to_owned()).collect();
    assert!([1, 6].contains(&blocks.len()));
    blocks
}

fn python() -> String {
    std::env::var("LIGHTPROOF_TEST_PYTHON").unwrap_or_else(|_| "python3".into())
}

/// Runs every block in the folder, with the Python of the tests, and without any program of ours.
pub fn follow(dir: &Path) -> Vec<Output> {
    let bin = Dir::new();
    let script = format!("#!/bin/sh\nexec {} \"$@\"\n", python());
    let path = bin.0.join("python3");
    std::fs::write(&path, script).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&path, mode).unwrap();
    let path = format!("{}:/usr/bin:/bin", bin.0.display());
    let text = std::fs::read_to_string(dir.join("VERIFY.md")).unwrap();
    let run = |block: &String| {
        let mut command = Command::new("bash");
        command.args(["-c", block]).current_dir(dir).env_clear().env("PATH", &path).output().unwrap()
    };
    let outputs: Vec<Output> = blocks(&text).iter().map(run).collect();
    for output in &outputs {
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!errors.contains("No module named"), "tests/run makes a Python that has it: {errors}");
    }
    outputs
}

#[test]
fn what_verify_md_says_holds_for_a_bundle_and_finds_each_forgery() {
    let tried = Tried::new("CRY-01");
    let (dir, ..) = tried.export("bundle", |_| ());
    let inner = Dir::new();
    let place = inner.0.join("bundle");
    let fresh = || {
        let _ = std::fs::remove_dir_all(&place);
        std::fs::rename(&copy(&dir).0, &place).unwrap();
    };
    fresh();
    let lines = [
        "files: all as listed",
        "manifest: signed",
        "log: keys, checkpoint",
        "outcomes: follow",
        "erasures: 0 in the period",
        "time: every stamp",
    ];
    for (output, line) in follow(&place).iter().zip(lines) {
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains(line), "{line}: {output:?}");
    }
    let first_key = checked(&dir).first_key.unwrap();
    assert!(String::from_utf8_lossy(&follow(&place)[2].stdout).contains(&format!("first key {first_key}\n")));
    // By the block that has to find it.
    let changes: [(usize, &str, &str, &str); 10] = [
        (0, "README.html", "Evidence", "evidence"),
        (0, "probes/NET-01.json", "3", "4"),
        (1, "manifest.json", "\"bytes\":1", "\"bytes\":2"),
        (1, "manifest.dsse.json", "\"sig\":\"", "\"sig\":\"AAAA"),
        (2, "audit/records.jsonl", "\"pid\":3", "\"pid\":4"),
        (2, "audit/cited/1.json", "\"pid\":0", "\"pid\":1"),
        (2, "audit/checkpoint", "\n\n", "\n1\n\n"),
        (2, "results.json", "satisfied", "Satisfied"),
        (3, "policy.txt", "read,write", "read"),
        (3, "results.json", "\"plain_files\":1000000", "\"plain_files\":0"),
    ];
    for (block, name, from, to) in changes {
        fresh();
        let before = std::fs::read_to_string(place.join(name)).unwrap();
        let after = before.replacen(from, to, 1);
        assert_ne!(before, after, "{name}");
        std::fs::write(place.join(name), after).unwrap();
        assert!(!follow(&place)[block].status.success(), "{name}: block {block} saw nothing");
    }
}

#[test]
fn what_verify_md_says_holds_for_a_slice_and_finds_each_forgery() {
    let tried = Tried::new("CRY-01");
    let dir = tried.dir.0.join("slice");
    let records: Vec<Stored> =
        audit::records(&tried.audit(), Order::OldestFirst).unwrap().flatten().collect();
    let count = slice(&tried.audit(), &dir, (None, None)).unwrap();
    assert_eq!(count, records.len() as u64);
    assert!(is_part_of_log(&dir.join("audit")) && !is_part_of_log(&tried.audit()));
    let fresh = || copy(&dir);
    let passes = |dir: &Path| follow(dir).iter().all(|output| output.status.success());
    assert!(passes(&fresh().0));
    let changes = [
        ("audit/records.jsonl", "\"pid\":3", "\"pid\":4"),
        ("audit/checkpoint", "\n\n", "\n1\n\n"),
        ("audit/vkeys", "+A", "+B"),
        ("audit/hand-overs.jsonl", "\"next\\\":1", "\"next\\\":2"),
    ];
    for (name, from, to) in changes {
        let changed = fresh();
        let before = std::fs::read_to_string(changed.0.join(name)).unwrap();
        let after = before.replacen(from, to, 1);
        assert_ne!(before, after, "{name}");
        std::fs::write(changed.0.join(name), after).unwrap();
        assert!(!passes(&changed.0), "{name}: nothing was seen");
    }
    // A period in which nothing was written holds nothing, and what leads to it.
    let none = tried.dir.0.join("none");
    assert_eq!(slice(&tried.audit(), &none, (None, Some(0))).unwrap(), 0);
    assert!(passes(&none));
}

#[test]
fn a_slice_of_a_log_that_was_changed_is_not_made_and_nothing_is_left() {
    let tried = Tried::new("CRY-01");
    let segment = tried.audit().join("seg/00000000.jsonl");
    let text = std::fs::read_to_string(&segment).unwrap();
    std::fs::write(&segment, text.replacen("\"pid\":3", "\"pid\":4", 1)).unwrap();
    let dir = tried.dir.0.join("slice");
    assert!(slice(&tried.audit(), &dir, (None, None)).is_err());
    assert!(!dir.exists());
}

/// What `deploy/sbom` says of the auditor's program.
fn sbom() -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/sbom");
    let output = Command::new(script).arg("evidence").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// `compliance-trestle` reads and validates every OSCAL file, `securesystemslib` verifies the signature, and `rfc8785` writes
/// every JSON file again byte for byte. What they must refuse, they refuse.
#[test]
fn other_peoples_programs_accept_a_bundle_and_refuse_what_was_changed() {
    let sbom: &str = sbom().leak();
    let tried = Tried::new("CRY-01");
    let (dir, ..) = tried.export("bundle", |export| export.sbom = Some(sbom));
    let place = Dir::new();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/oracles.py");
    let judge = |dir: &Path| {
        let output = Command::new(python()).arg(script).arg(dir).current_dir(&place.0).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!errors.contains("No module named"), "tests/run makes a Python that has it: {errors}");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned() + &errors)
    };
    let (ok, said) = judge(&dir);
    assert!(ok && said.contains("accepted"), "{said}");
    let changes = [
        ("controls.json", "{\"controls\"", "{ \"controls\""),
        ("oscal/assessment-results.json", "\"methods\":[\"TEST\"]", "\"methods\":[]"),
        ("oscal/catalog.json", "\"title\":", "\"heading\":"),
        ("manifest.json", "\"bytes\":1", "\"bytes\":2"),
        ("sbom.cdx.json", "\"type\":\"library\"", "\"type\":\"book\""),
    ];
    for (name, from, to) in changes {
        let changed = copy(&dir);
        let before = std::fs::read_to_string(changed.0.join(name)).unwrap();
        let after = before.replacen(from, to, 1);
        assert_ne!(before, after, "{name}");
        std::fs::write(changed.0.join(name), after).unwrap();
        let (ok, said) = judge(&changed.0);
        assert!(!ok, "{name}: {said}");
    }
}
