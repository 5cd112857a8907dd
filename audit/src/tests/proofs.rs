//! Proofs for strangers: every record has one, and none holds for anything else.

use super::*;
use crate::{HandOver, Proof, Proofs};

fn lines(dir: &Path) -> Vec<String> {
    let records = crate::records(dir, crate::Order::OldestFirst).unwrap();
    records.map(|record| record.unwrap().json().to_owned()).collect()
}

#[test]
fn every_record_of_the_frozen_log_has_a_proof_and_each_is_its_own() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/v1");
    let (proofs, lines) = (Proofs::read(&dir).unwrap(), lines(&dir));
    let newest = proofs.keys().last().unwrap();
    assert_eq!(proofs.note(), std::fs::read(dir.join("checkpoint")).unwrap());
    for (seq, line) in lines.iter().enumerate() {
        let text = proofs.of(seq as u64).unwrap().text();
        let proof = Proof::parse(text.as_bytes()).unwrap();
        assert_eq!((proof.index(), proof.text()), (seq as u64, text));
        assert!(proof.is_signed_by(newest) && !proof.is_signed_by(&proofs.keys()[0]));
        for (other, line) in lines.iter().enumerate() {
            assert_eq!(proof.holds_for(line.as_bytes()), other == seq, "{other} for {seq}");
        }
        let changed = line.replace("\"v\":1", "\"v\":2");
        assert!(!proof.holds_for(changed.as_bytes()));
    }
    assert_eq!(proofs.of(lines.len() as u64), None);
    let leaves: Vec<Digest> =
        lines.iter().map(|l| crate::Stored::read(l.as_bytes()).unwrap().leaf()).collect();
    assert_eq!(crate::root(&leaves), proofs.checkpoint().root);
}

#[test]
fn hand_overs_lead_from_the_first_key_to_the_newest_and_nowhere_else() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/v1");
    let proofs = Proofs::read(&dir).unwrap();
    let (keys, all) = (proofs.keys(), proofs.hand_overs().unwrap());
    assert_eq!((keys.len(), all.len()), (3, 2));
    for (at, hand_over) in all.iter().enumerate() {
        let next = at as u32 + 1;
        assert_eq!(hand_over.next_key(&keys[at], next).as_ref(), Some(&keys[at + 1]));
        assert_eq!(hand_over.next_key(&keys[at + 1], next), None, "a key hands over to itself");
        assert_eq!(hand_over.next_key(&keys[at], next + 1), None, "an epoch was left out");
    }
    let swapped = HandOver { record: all[1].record.clone(), proof: all[0].proof.clone() };
    assert_eq!(swapped.next_key(&keys[0], 1), None);
    // A checkpoint that only the old key signed proves no hand-over.
    let text = all[0].proof.text();
    let (rest, _) = text.trim_end().rsplit_once('\n').unwrap();
    let proof = Proof::parse(format!("{rest}\n").as_bytes()).unwrap();
    assert_eq!(HandOver { record: all[0].record.clone(), proof }.next_key(&keys[0], 1), None);
}

#[test]
fn what_is_no_proof_is_not_read() {
    let dir = Dir::new();
    small(&dir);
    let text = Proofs::read(&dir.0).unwrap().of(3).unwrap().text();
    let wrong = [
        text.replacen("tlog-proof@v1", "tlog-proof@v2", 1),
        text.replacen("index 3", "index 03", 1),
        text.replacen("index 3", "extra AAAA\nindex 3", 1),
        text.replacen("=\n", "\n", 1),
        text.replacen("\n\n", "\n", 1),
        text.trim_end().to_owned(),
        format!("{text}\n"),
        String::new(),
    ];
    for text in wrong {
        assert_eq!(Proof::parse(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn a_log_that_is_not_what_was_signed_proves_nothing() {
    let dir = Dir::new();
    small(&dir);
    let segment = dir.0.join("seg/00000000.jsonl");
    let records = std::fs::read_to_string(&segment).unwrap();
    std::fs::write(&segment, records.replacen("\"width\":128", "\"width\":129", 1)).unwrap();
    assert!(matches!(Proofs::read(&dir.0), Err(Error::Broken { .. })));
    let (start, _) = records.trim_end().rsplit_once('\n').unwrap();
    std::fs::write(&segment, format!("{start}\n")).unwrap();
    assert!(matches!(Proofs::read(&dir.0), Err(Error::Lost { found: 8, signed: 9 })));
    std::fs::write(&segment, &records).unwrap();
    std::fs::copy(dir.0.join("checkpoint"), dir.0.join("epochs/1.note")).unwrap();
    assert!(matches!(Proofs::read(&dir.0).unwrap().hand_overs(), Err(Error::Broken { .. })));
    std::fs::remove_file(dir.0.join("checkpoint")).unwrap();
    assert!(matches!(Proofs::read(&dir.0), Err(Error::Absent { .. })));
}

#[test]
fn records_that_the_writer_has_not_signed_yet_are_left_out() {
    let dir = Dir::new();
    small(&dir);
    let segment = dir.0.join("seg/00000000.jsonl");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes.extend_from_slice(b"{\"actor\":\"a:system\"}\n{\"act");
    std::fs::write(&segment, bytes).unwrap();
    let proofs = Proofs::read(&dir.0).unwrap();
    assert_eq!((proofs.checkpoint().size, proofs.of(9)), (9, None));
}
