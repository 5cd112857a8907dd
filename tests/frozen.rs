//! A state that is pinned at an incident where the log cannot be read, or not be written: what there is is kept, and said to be
//! all that there is.

use crate::crash::SmallDisk;
use crate::harness::{Home, Ran, SMALL, is_root_for};
use crate::incident::incidents;
use crate::served::Served;
use serde_json::Value;

/// Changes the log on the disk: one byte in the middle of its first file of records.
fn spoil(home: &Home) {
    let path = home.path().join("state/audit/seg/00000000.jsonl");
    let mut bytes = std::fs::read(&path).expect("it is there");
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).expect("it is ours");
}

/// What was kept in `dir` of a log that cannot be read, which other people's tools find whole.
#[track_caller]
fn unread(home: &Home, dir: &str, sums: &str) -> Value {
    let dir = home.path().join(dir);
    let check = std::process::Command::new("sha256sum")
        .args(["-c", "--quiet", "SHA256SUMS"])
        .current_dir(&dir)
        .output();
    assert!(check.expect("sha256sum").status.success());
    let own =
        std::process::Command::new("sha256sum").arg(dir.join("SHA256SUMS")).output().expect("sha256sum");
    assert_eq!(&String::from_utf8_lossy(&own.stdout)[..64], sums);
    let log = home.path().join("state/audit");
    for name in ["origin", "vkeys"] {
        assert_eq!(
            std::fs::read(dir.join("audit").join(name)).ok(),
            std::fs::read(log.join(name)).ok(),
            "{name}"
        );
    }
    // The end of the program may be on record since.
    for name in ["checkpoint", "checkpoints.log"] {
        let kept = std::fs::read_to_string(dir.join("audit").join(name)).expect("it is text");
        assert!(
            kept.starts_with(std::fs::read_to_string(log.join("origin")).expect("it is text").trim()),
            "{kept}"
        );
    }
    assert!(!dir.join("audit/epoch.key").exists(), "a key leaves");
    serde_json::from_slice(&std::fs::read(dir.join("incident.json")).expect("it is there")).expect("JSON")
}

/// When somebody has changed the log, pinning is what it is for.
#[test]
fn what_can_be_read_of_a_damaged_log_is_pinned_and_the_rest_is_named() {
    let home = Home::with_picture("freeze-damaged");
    let records = home.path().join("state/audit/seg/00000000.jsonl");
    let whole = std::fs::read(&records).expect("it is there");
    spoil(&home);
    let freeze = |at: &str| {
        let at = home.at(at);
        let words = ["evidence", "freeze", "--reason", "breach", "--law", "gdpr", "-o", &at, "--json"];
        Ran::of(&mut home.program(&[&words[..], &["--home", &home.at("state")]].concat()))
    };
    let ran = freeze("changed").ends(11, &["no signed bundle", "not on record", "write down", "GDPR 33(1)"]);
    let made = ran.object()["data"].clone();
    let incident = unread(&home, "changed", made["sums"].as_str().expect("a digest"));
    assert_eq!((&incident["record"], &incident["reason"]), (&Value::Null, &"breach".into()), "{incident}");
    assert!(
        incident["checkpoint"]["size"].as_u64() > incident["checkpoint"]["complete"].as_u64(),
        "{incident}"
    );
    let kept = std::fs::read(home.path().join("changed/audit/seg/00000000.jsonl")).expect("it is there");
    assert_eq!(kept, std::fs::read(&records).expect("it is there"), "not as it was");
    // Whoever was there left other names, and a copy of the key under one that a log has.
    let log = home.path().join("state/audit");
    let others = [".hidden", "x~", "with space"];
    others.iter().for_each(|name| std::fs::write(log.join(name), "left").expect("it is ours"));
    std::fs::copy(log.join("epoch.key"), log.join("seg/00000009.jsonl")).expect("it is ours");
    let made = freeze("names").ends(11, &["with space", "seg/00000009.jsonl"]).object()["data"].clone();
    let incident = unread(&home, "names", made["sums"].as_str().expect("a digest"));
    assert_eq!(incident["unread"].as_array().map(Vec::len), Some(4), "{incident}");
    for name in others.into_iter().chain(["seg/00000009.jsonl", "it holds a private key"]) {
        assert!(incident["unread"].to_string().contains(name), "{name}: {incident}");
    }
    assert!(!home.path().join("names/audit/seg/00000009.jsonl").exists(), "a key leaves");
    others.iter().for_each(|name| std::fs::remove_file(log.join(name)).expect("it is ours"));
    std::fs::remove_file(log.join("seg/00000009.jsonl")).expect("it is ours");
    // A file that cannot be read at all, and a pipe in its place, which would be waited for.
    std::fs::remove_file(&records).expect("it is ours");
    let mode = rustix::fs::Mode::RUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &records, rustix::fs::FileType::Fifo, mode, 0).expect("a pipe");
    let made = freeze("pipe").ends(11, &["audit/seg/00000000.jsonl cannot be read"]).object()["data"].clone();
    let incident = unread(&home, "pipe", made["sums"].as_str().expect("a digest"));
    assert_eq!(incident["unread"][0]["file"], "audit/seg/00000000.jsonl", "{incident}");
    // Nowhere to put it is a failure all the same, and what lies there stays.
    freeze("pipe").ends(6, &["not empty"]);
    std::fs::remove_file(&records).expect("it is ours");
    std::fs::write(&records, &whole).expect("it is ours");
    assert_eq!(home.count_records(&["evidence.frozen"]), 0);
    home.is_whole(1);
}

/// The log can be written, and the vault does not open: that is on record, and what there is is kept.
#[test]
fn with_a_damaged_vault_the_state_is_pinned_on_record() {
    let home = Home::with_picture("freeze-no-vault");
    let vault = home.path().join("state/vault");
    for entry in std::fs::read_dir(&vault).expect("it is there") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            let bytes = std::fs::read(&path).expect("it is ours");
            std::fs::write(&path, vec![0x55; bytes.len()]).expect("it is ours");
        }
    }
    let at = home.at("bundle");
    let ran = home.ask(&["evidence", "freeze", "--reason", "incident", "-o", &at, "--json"]);
    let made = ran.ends(11, &["pinned by record", "no signed bundle"]).object()["data"].clone();
    let incident = unread(&home, "bundle", made["sums"].as_str().expect("a digest"));
    assert_eq!(
        home.count_records(&["evidence.frozen ok", incident["incident"].as_str().expect("a name")]),
        1
    );
    assert_eq!(incidents(&home)[0]["incident"], incident["incident"]);
}

/// A server has the log open, and goes on writing it: the freeze is on record, and what the disk has now is kept.
#[test]
fn a_running_server_pins_on_record_what_is_damaged_on_the_disk() {
    let home = Home::with_picture("freeze-served");
    let served = Served::start(&home);
    let records = home.path().join("state/audit/seg/00000000.jsonl");
    spoil(&home);
    let at = home.at("bundle");
    let arguments =
        ["evidence", "freeze", "--reason", "breach", "-o", &at, "--home", &home.at("state"), "--json"];
    let ran = Ran::of(&mut home.program(&arguments)).ends(11, &["pinned by record", "no signed bundle"]);
    let made = ran.object()["data"].clone();
    let incident = unread(&home, "bundle", made["sums"].as_str().expect("a digest"));
    assert!(incident["record"].as_u64().is_some() && incident["incident"] == made["incident"], "{incident}");
    // Nobody else can tell any more what the log says, so it is looked up in the file.
    let text = String::from_utf8_lossy(&std::fs::read(&records).expect("it is there")).into_owned();
    let name = made["incident"].as_str().expect("a name");
    assert!(text.lines().any(|line| line.contains("\"evidence.frozen\"") && line.contains(name)));
    served.stop();
}

/// No room for a record is no reason to start no clock: another disk takes what there is.
#[test]
fn a_full_disk_of_the_log_keeps_nothing_from_being_pinned() {
    if !is_root_for("mounting a small disk") {
        return;
    }
    let home = Home::furnished("freeze-log-full");
    let disk = SmallDisk::mount(home.at("state"), "size=24m,mode=700");
    home.ask(&[&["generate", "x"], &SMALL[..]].concat()).ends(0, &[]);
    disk.fill();
    // What is set aside for ends and starts is used up by some of them, and so is what is left of a page.
    for _ in 0..4 {
        home.ask(&["vault", "status"]);
    }
    let at = home.at("bundle");
    let arguments =
        ["evidence", "freeze", "--reason", "breach", "-o", &at, "--home", &home.at("state"), "--json"];
    let ran = Ran::of(&mut home.program(&arguments)).ends(11, &["disk is full", "not on record"]);
    let incident = unread(&home, "bundle", ran.object()["data"]["sums"].as_str().expect("a digest"));
    assert_eq!(incident["record"], Value::Null, "{incident}");
    disk.empty();
    assert!(incidents(&home).is_empty());
    home.is_whole(1);
}
