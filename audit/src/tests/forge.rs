//! A forger who holds the current key and may write every file, and the end of an epoch by its size.

use super::*;
use crate::Subject;
use crate::merkle::{Frontier, leaf};
use base64ct::{Base64, Encoding as _};

/// How the forger covers up the hand-over from epoch 0, whose key is gone.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cover {
    /// Signs it twice with the key of epoch 1.
    SignAgain,
    /// Keeps the signature that epoch 0 made.
    KeepSignature,
    /// Leaves it out.
    Drop,
}

/// Changes a record of epoch 0, and makes everything that follows from the records anew: links, tiles, checkpoints,
/// copies. Only the first checkpoint, which covers none of the change, is left alone.
fn forge(dir: &Dir, cover: Cover) {
    let origin = std::fs::read_to_string(dir.0.join("origin")).unwrap().trim_end().to_owned();
    let key = crate::handover::load(&dir.0.join("epoch.key"), &origin).unwrap().unwrap();
    let segment = dir.0.join("seg/00000000.jsonl");
    let text = std::fs::read_to_string(&segment).unwrap();
    let changed = text.replacen("\"count\":5", "\"count\":9", 1);
    assert_ne!(text, changed);
    let (genuine, _) = parse_journal(&dir.0.join("checkpoints.log"));
    let (mut tree, mut prev) = (Frontier::default(), crate::record::FIRST_PREV);
    let (mut lines, mut journal, mut last, mut leaves) = (String::new(), Vec::new(), Vec::new(), Vec::new());
    for line in changed.lines() {
        let at = line.find("\"prev\":\"").unwrap() + 8;
        let line = format!("{}{}{}", &line[..at], Base64::encode_string(&prev), &line[at + 44..]);
        prev = leaf(line.as_bytes());
        tree.push(prev);
        leaves.push(prev);
        lines += &format!("{line}\n");
        let size = tree.size();
        let Some(old) = genuine.iter().find(|n| n.checkpoint.size == size) else { continue };
        let hands_over = old.signatures.len() == 2;
        if hands_over && cover == Cover::Drop {
            std::fs::remove_file(dir.0.join("epochs/1.note")).unwrap();
            continue;
        }
        let checkpoint = crate::Checkpoint { origin: origin.clone(), size, root: Digest(tree.root()) };
        let mut note = match hands_over {
            true => Note::sign(checkpoint, &[&key, &key]),
            false => Note::sign(checkpoint, &[&key]),
        };
        if hands_over && cover == Cover::KeepSignature {
            note.signatures[0] = old.signatures[0];
        }
        last = if size == 1 { old.bytes() } else { note.bytes() };
        if hands_over {
            std::fs::write(dir.0.join("epochs/1.note"), &last).unwrap();
        }
        journal.extend([&last[..], b"\n"].concat());
    }
    std::fs::write(&segment, lines).unwrap();
    std::fs::write(dir.0.join("checkpoints.log"), journal).unwrap();
    std::fs::write(dir.0.join("checkpoint"), last).unwrap();
    let paths = crate::paths::Paths(dir.0.clone());
    let mut tiles = crate::tile::Tiles::default();
    leaves.iter().for_each(|leaf| tiles.push(*leaf));
    tiles.rebuild(&Disk::default(), &paths, leaves.len() as u64).unwrap();
}

#[test]
fn whoever_makes_everything_anew_with_todays_key_is_found_by_the_signatures_alone() {
    for cover in [Cover::SignAgain, Cover::KeepSignature, Cover::Drop] {
        let dir = Dir::new();
        let log = create(&dir, &Faults::default()).unwrap();
        log.append(&[event(5)]).unwrap();
        log.begin_epoch(EpochReason::Unlock).unwrap();
        log.append(&[event(6)]).unwrap();
        drop(log);
        assert!(dir.verify().is_ok(), "{}", dir.verify());
        forge(&dir, cover);
        let report = dir.verify();
        assert!(report.integrity_broken, "{cover:?}: {report}");
        // Nothing but signatures gives the forger away, and what they do not confirm does not count as complete.
        let by_signature = |s: &Subject| matches!(s, Subject::Checkpoint(_) | Subject::Key(_));
        let note = Subject::File("epochs/1.note".into());
        let others: Vec<_> = report.findings.iter().filter(|f| !by_signature(&f.subject)).collect();
        assert!(others.iter().all(|f| cover == Cover::Drop && f.subject == note), "{cover:?}: {report}");
        let hand_over = if cover == Cover::Drop { Subject::Key(1) } else { Subject::Checkpoint(3) };
        assert!(report.findings.iter().any(|f| f.subject == hand_over), "{cover:?}: {report}");
        assert_eq!(report.complete, 1, "{cover:?}: {report}");
    }
}

#[test]
fn a_damaged_signature_leaves_its_records_to_the_next_checkpoint_of_the_same_epoch() {
    let dir = Dir::new();
    small(&dir);
    let path = dir.0.join("checkpoints.log");
    let genuine = std::fs::read(&path).unwrap();
    let (notes, _) = parse_journal(&path);
    let whole = dir.verify().complete;
    let mut end = 0;
    for (at, note) in notes.iter().enumerate() {
        end += note.bytes().len() + 1;
        let mut bytes = genuine.clone();
        // In the middle of the last signature.
        bytes[end - 50] = if bytes[end - 50] == b'A' { b'B' } else { b'A' };
        std::fs::write(&path, bytes).unwrap();
        let report = dir.verify();
        let size = note.checkpoint.size;
        assert!(report.findings.iter().any(|f| f.subject == Subject::Checkpoint(size)), "{size}: {report}");
        let before = at.checked_sub(1).map_or(0, |i| notes[i].checkpoint.size);
        // Nothing later stands in for a hand-over or for the last one.
        let is_alone = note.signatures.len() == 2 || at + 1 == notes.len();
        assert_eq!(report.complete, if is_alone { before } else { whole }, "{size}: {report}");
    }
}

#[test]
fn an_epoch_ends_when_it_has_reached_its_size() {
    let dir = Dir::new();
    let log = create(&dir, &Faults::default()).unwrap();
    let many: Vec<Entry> = (0..1024).map(|_| event(0)).collect();
    for _ in 0..63 {
        log.append(&many).unwrap();
    }
    // With log.created, one short of the size.
    log.append(&many[..1022]).unwrap();
    assert_eq!((log.mark().size, log.mark().epoch), (65_535, 0));
    log.append(&many[..1]).unwrap();
    assert_eq!((log.mark().size, log.mark().epoch), (65_538, 1));
    drop(log);
    let report = dir.verify();
    assert!(report.is_ok() && report.complete == 65_538 && report.epochs == 2, "{report}");
    drop(open(&dir, &Faults::default()).unwrap());
}
