//! Everything that contradicts a signed checkpoint is found, and named.

use super::*;
use crate::Subject;
use std::os::unix::fs::FileExt as _;

/// Whether the verifier notices that something is wrong.
fn noticed(dir: &Dir) -> bool {
    !dir.verify().is_ok()
}

#[test]
fn an_untouched_log_verifies_to_its_end() {
    let dir = Dir::new();
    small(&dir);
    let report = dir.verify();
    assert!(report.is_ok(), "{report}");
    assert_eq!(report.complete, report.signed);
    assert_eq!(report.complete, 9, "{report}");
    assert!(report.to_string().contains("complete up to 9 of 9"), "{report}");
    assert_eq!(report.open_intents.len(), 1);
}

#[test]
fn no_flipped_bit_goes_unseen() {
    let dir = Dir::new();
    small(&dir);
    let torn = dir.0.join("seg/00000000.jsonl");
    let mut bytes = std::fs::read(&torn).unwrap();
    bytes.extend_from_slice(b"{\"actor\":\"a:sys");
    std::fs::write(&torn, bytes).unwrap();
    drop(open(&dir, &Faults::default()).unwrap());
    let size = dir.verify().complete;
    assert_eq!(size, 10);
    let mut seen = std::collections::BTreeSet::new();
    for (path, content) in dir.files() {
        let name = path.strip_prefix(&dir.0).unwrap().to_str().unwrap();
        let is_segment = name.starts_with("seg/");
        // A private key is no evidence, and a file in quarantine is none of the log's records.
        let is_signed = name != "epoch.key";
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        for at in 0..content.len() {
            file.write_all_at(&[content[at] ^ (1 << (at % 8))], at as u64).unwrap();
            let report = dir.verify();
            file.write_all_at(&content[at..=at], at as u64).unwrap();
            assert!(!report.is_ok(), "byte {at} of {name}");
            assert!(report.integrity_broken || !is_signed, "byte {at} of {name}: {report}");
            if is_segment {
                let record = content[..at].iter().filter(|b| **b == b'\n').count() as u64;
                assert!(report.complete <= record, "byte {at} of {name}: {report}");
                let named = |n| report.findings.iter().any(|f| f.subject == Subject::Record(n));
                assert!(named(record), "byte {at} of {name}, record {record}: {report}");
            } else {
                assert!(report.complete <= size, "byte {at} of {name}: {report}");
            }
        }
        seen.insert(name.split(['/', '.']).next().unwrap().to_owned());
    }
    let wanted =
        ["checkpoint", "checkpoints", "epoch", "epochs", "origin", "quarantine", "seg", "tile", "vkeys"];
    assert!(seen.iter().eq(wanted), "{seen:?}");
    assert!(!noticed(&dir));
}

#[test]
fn a_changed_record_is_named() {
    let dir = Dir::new();
    small(&dir);
    let segment = dir.0.join("seg/00000000.jsonl");
    let text = std::fs::read_to_string(&segment).unwrap();
    std::fs::write(&segment, text.replacen("\"width\":128", "\"width\":129", 1)).unwrap();
    let report = dir.verify();
    assert!(report.findings.iter().any(|f| f.subject == Subject::Record(1)), "{report}");
    assert!(report.complete <= 1, "{report}");
}

#[test]
fn missing_inserted_and_swapped_records_are_found() {
    let dir = Dir::new();
    small(&dir);
    let segment = dir.0.join("seg/00000000.jsonl");
    let text = std::fs::read_to_string(&segment).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let named = |n| {
        let report = dir.verify();
        report.complete <= n && report.findings.iter().any(|f| f.subject == Subject::Record(n))
    };
    for at in 0..lines.len() {
        let mut without = lines.clone();
        without.remove(at);
        std::fs::write(&segment, without.concat()).unwrap();
        assert!(named(at as u64), "record {at} missing: {}", dir.verify());
        let mut doubled = lines.clone();
        doubled.insert(at, lines[at]);
        std::fs::write(&segment, doubled.concat()).unwrap();
        assert!(noticed(&dir), "record {at} twice");
        // A surplus line at the very end has no number that could be named.
        assert!(named(at as u64 + 1) || at + 1 == lines.len(), "record {at} twice: {}", dir.verify());
        for other in 0..at {
            let mut swapped = lines.clone();
            swapped.swap(at, other);
            std::fs::write(&segment, swapped.concat()).unwrap();
            assert!(named(other as u64), "records {other} and {at} swapped: {}", dir.verify());
        }
    }
}

#[test]
fn every_cut_of_every_file_is_found() {
    let dir = Dir::new();
    small(&dir);
    for (path, content) in dir.files() {
        let is_key = path.ends_with("epoch.key");
        let lines = content.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(i, _)| i + 1);
        for end in lines.chain([0, 1, content.len() / 2]).filter(|end| *end < content.len()) {
            std::fs::write(&path, &content[..end]).unwrap();
            assert!(noticed(&dir), "{} cut to {end}", path.display());
        }
        std::fs::remove_file(&path).unwrap();
        // An auditor's copy is without the private key.
        assert!(is_key != noticed(&dir), "{} removed", path.display());
        std::fs::write(&path, &content).unwrap();
    }
}

#[test]
fn a_foreign_file_is_found() {
    let dir = Dir::new();
    small(&dir);
    std::fs::write(dir.0.join("seg/notes.txt"), "x").unwrap();
    assert!(noticed(&dir));
}

#[test]
fn a_log_cut_back_to_an_older_state_is_found_by_a_checkpoint_kept_elsewhere() {
    let dir = Dir::new();
    small(&dir);
    let older = dir.copy();
    let log = open(&dir, &Faults::default()).unwrap();
    log.append(&job(3)).unwrap();
    drop(log);
    let kept = std::fs::read(dir.0.join("checkpoint")).unwrap();
    // By itself the older state is consistent.
    assert!(older.verify().is_ok());
    let report = verify(&older.0, Some(&kept)).unwrap();
    assert!(report.findings.iter().any(|f| f.subject == Subject::Expected), "{report}");
    // The log itself continues its own older checkpoints.
    let early = std::fs::read(older.0.join("checkpoint")).unwrap();
    for checkpoint in [&kept, &early] {
        let report = verify(&dir.0, Some(checkpoint)).unwrap();
        assert!(report.is_ok(), "{report}");
    }
    // Another log does not.
    let other = Dir::new();
    small(&other);
    assert!(!verify(&other.0, Some(&kept)).unwrap().is_ok());
    assert!(!verify(&dir.0, Some(b"nonsense")).unwrap().is_ok());
}

#[test]
fn a_thief_of_todays_key_cannot_change_an_earlier_epoch() {
    let dir = Dir::new();
    small(&dir);
    let before = Dir::new();
    copy_folder(&dir.0, &before.0);
    // The forger rewrites a record of epoch 0 and signs everything anew with the key of epoch 1.
    let origin = std::fs::read_to_string(dir.0.join("origin")).unwrap();
    let key = crate::handover::load(&dir.0.join("epoch.key"), origin.trim_end()).unwrap().unwrap();
    let segment = dir.0.join("seg/00000000.jsonl");
    let text = std::fs::read_to_string(&segment).unwrap().replacen("\"width\":128", "\"width\":256", 1);
    let mut tree = crate::merkle::Frontier::default();
    let mut lines = String::new();
    let mut prev = crate::record::FIRST_PREV;
    for line in text.lines() {
        use base64ct::{Base64, Encoding as _};
        let at = line.find("\"prev\":\"").unwrap() + 8;
        let line = format!("{}{}{}", &line[..at], Base64::encode_string(&prev), &line[at + 44..]);
        prev = crate::merkle::leaf(line.as_bytes());
        tree.push(prev);
        lines += &format!("{line}\n");
    }
    std::fs::write(&segment, lines).unwrap();
    let checkpoint =
        crate::Checkpoint { origin: origin.trim_end().into(), size: tree.size(), root: Digest(tree.root()) };
    let note = crate::note::Note::sign(checkpoint, &[&key]).bytes();
    std::fs::write(dir.0.join("checkpoint"), &note).unwrap();
    std::fs::write(dir.0.join("checkpoints.log"), [&note[..], b"\n"].concat()).unwrap();
    let _ = std::fs::remove_dir_all(dir.0.join("tile"));
    let report = dir.verify();
    assert!(!report.is_ok(), "{report}");
    assert!(before.verify().is_ok());
}
