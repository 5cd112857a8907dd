//! What the log shows, and what it finds.

use crate::checkpoint::copy;
use crate::harness::Home;
use std::path::{Path, PathBuf};

fn audit(home: &Home) -> PathBuf {
    home.path().join("state/audit")
}

/// Puts the folder `kept` in the place of the folder `place`.
fn put_back(kept: &Path, place: &Path) {
    std::fs::remove_dir_all(place).unwrap_or_else(|error| panic!("{}: {error}", place.display()));
    copy(kept, place);
}

#[test]
fn the_newest_records_are_shown() {
    let home = Home::with_picture("tail");
    let records = home.records();
    for (index, record) in records.iter().enumerate() {
        assert!(record.starts_with(&format!("{index} 20")), "{record}");
    }
    let kinds =
        ["log.created", "boot.started", "posture.recorded", "boot.ready", "vault.created", "vault.unlocked"];
    let kinds =
        [&kinds[..], &["generate.requested", "object.sealed", "generate.finished", "boot.stopped"]].concat();
    let mut rest = records.iter();
    for kind in &kinds {
        assert!(rest.any(|record| record.contains(kind)), "no {kind} in its place: {records:#?}");
    }
    let last = home.ask(&["audit", "tail", "-n", "2"]).ends(0, &[]);
    assert_eq!(last.stdout.lines().collect::<Vec<_>>(), records[records.len() - 2..]);
    assert_eq!(home.ask(&["audit", "tail"]).ends(0, &[]).stdout.lines().count(), 10);
}

#[test]
fn a_log_that_was_cut_back_is_found_with_a_checkpoint() {
    let home = Home::with_picture("cut-back");
    let (old, new) = (home.at("old-checkpoint"), home.at("new-checkpoint"));
    std::fs::copy(audit(&home).join("checkpoint"), &old).expect("a home can be written");
    copy(&audit(&home), &home.path().join("old-log"));
    home.generate(&["x"]).ends(0, &[]);
    std::fs::copy(audit(&home).join("checkpoint"), &new).expect("a home can be written");
    copy(&audit(&home), &home.path().join("new-log"));
    // A log that has grown still holds what it held.
    home.ask(&["audit", "verify", "--expect", &old]).ends(0, &[]);
    home.ask(&["audit", "verify", "--expect", &new]).ends(0, &[]);

    put_back(&home.path().join("old-log"), &audit(&home));
    // By itself it is consistent, and says what it cannot tell.
    let ran = home.ask(&["audit", "verify"]).ends(0, &[]);
    assert!(ran.stdout.contains("--expect"), "{ran:#?}");
    home.ask(&["audit", "verify", "--expect", &old]).ends(0, &[]);
    let ran = home.ask(&["audit", "verify", "--expect", &new, "--json"]).ends(11, &[]);
    assert_eq!(ran.object()["ok"], false);
    // The vault remembers how far its log had come.
    home.ask(&["history", "list"]).ends(11, &[]);
    home.ask(&["generate", "x"]).ends(11, &[]);
    put_back(&home.path().join("new-log"), &audit(&home));
    home.is_whole(2);
}

#[test]
fn a_vault_that_was_put_back_is_found_by_its_log() {
    let home = Home::with_picture("old-vault");
    let vault = home.path().join("state/vault");
    copy(&vault, &home.path().join("old"));
    home.ask(&["history", "rm", "--all", "--yes"]).ends(0, &[]);
    copy(&vault, &home.path().join("new"));
    put_back(&home.path().join("old"), &vault);
    // The anchor moved on with the roll: an old copy of all of it is what a thief or a restored backup brings.
    home.ask(&["history", "list"]).ends(11, &["older than its log"]);
    put_back(&home.path().join("new"), &vault);
    home.is_whole(0);
}

#[test]
fn a_changed_or_missing_log_keeps_the_vault_shut() {
    let home = Home::with_picture("changed-log");
    copy(&audit(&home), &home.path().join("sound"));
    let segment = audit(&home).join("seg/00000000.jsonl");
    let sound = std::fs::read(&segment).expect("it is there");
    let text = String::from_utf8_lossy(&sound);
    let at = text.find("generate.requested").expect("it is on record");
    let mut bytes = sound.clone();
    bytes[at] = b'G';
    std::fs::write(&segment, &bytes).expect("it can be written");
    let ran = home.ask(&["audit", "verify", "--json"]).ends(11, &[]);
    let findings = ran.data()["findings"].clone();
    assert!(findings.as_array().is_some_and(|found| !found.is_empty()), "{findings}");
    home.ask(&["history", "list"]).ends(11, &[]);

    put_back(&home.path().join("sound"), &audit(&home));
    std::fs::write(&segment, &sound[..sound.len() / 2]).expect("it can be written");
    home.ask(&["audit", "verify"]).ends(11, &[]);
    home.ask(&["history", "list"]).ends(11, &[]);

    std::fs::remove_dir_all(audit(&home)).expect("it is there");
    home.ask(&["history", "list"]).ends(11, &["log", "missing"]);
    assert!(!audit(&home).exists(), "a look made a folder");
    copy(&home.path().join("sound"), &audit(&home));
    home.is_whole(1);
}

#[test]
fn what_is_no_checkpoint_is_not_taken_for_one() {
    let home = Home::with_picture("no-checkpoint");
    home.ask(&["audit", "verify", "--expect", &home.at("missing")]).ends(5, &["missing"]);
    home.write("garbage", b"garbage");
    let ran = home.ask(&["audit", "verify", "--expect", &home.at("garbage")]);
    assert!(ran.code.is_some_and(|code| code != 0), "{ran:#?}");
    // Somebody else's checkpoint, of a log that exists.
    let other = Home::with_picture("other-log");
    let ran = home.ask(&["audit", "verify", "--expect", &other.at("state/audit/checkpoint")]);
    assert!(ran.code.is_some_and(|code| code != 0), "{ran:#?}");
    home.is_whole(1);
}
