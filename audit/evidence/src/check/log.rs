//! The part of the log that is in the bundle: keys, checkpoint, cited records with their proofs, and the slice.

use super::reading::{LINE_BYTES_MAX, Reading};
use crate::bundle::{self, cited_number};
use crate::dsse::{key_on_record, pem};
use crate::folder;
use crate::json;
use crate::period::hashes_around;
use crate::report::{Checked, Expected};
use audit::{Checkpoint, Digest, HandOver, Head, Left, Proof, PublicKey, Stored, VerifyKey};
use std::collections::BTreeMap;

/// What the log vouches for.
#[derive(Debug, Default)]
pub(super) struct Trusted {
    /// The newest checkpoint, if the newest key signed it.
    pub head: Option<Checkpoint>,
    /// The keys of all epochs, the first one first; none, if they do not lead to that checkpoint.
    pub keys: Vec<VerifyKey>,
    /// Proved records, by their number.
    pub records: BTreeMap<u64, Stored>,
    /// The key that a proved record `evidence.key_drawn` names.
    pub export_key: Option<PublicKey>,
}

pub(super) fn check(reading: &Reading<'_>, expected: &Expected, checked: &mut Checked) -> Trusted {
    let mut trusted = Trusted::default();
    let keys = keys(reading, expected, checked);
    let Some(head) = head(reading, keys.last(), checked) else { return trusted };
    let checkpoint = head.checkpoint().clone();
    checked.origin = Some(checkpoint.origin.clone());
    checked.size = checkpoint.size;
    if reading
        .read(bundle::ORIGIN, checked)
        .is_some_and(|name| name != format!("{}\n", checkpoint.origin).as_bytes())
    {
        checked.find(bundle::ORIGIN, "is not the name that the checkpoint carries");
    }
    trusted.head = Some(checkpoint);
    trusted.records = cited(reading, &head, checked);
    let drawn = trusted.records.values().filter(|record| record.name == "evidence.key_drawn");
    let found = reading.read(bundle::KEY, checked).unwrap_or_default();
    trusted.export_key = drawn.filter_map(key_on_record).find(|key| pem(*key).as_bytes() == found);
    if trusted.export_key.is_none() {
        checked.find(bundle::KEY, "is not the key that a proved record of the log names");
    }
    let kept = expected.checkpoint.as_deref().map(Head::parse);
    let size = kept.iter().flatten().map(|kept| kept.checkpoint().size).next();
    let start = slice(reading, &trusted, size.unwrap_or(0), checked);
    match kept {
        None => {}
        Some(None) => {
            checked.find(bundle::CHECKPOINT, "is held against what is no checkpoint of this kind of log")
        }
        Some(Some(kept)) => expect(&kept, head.checkpoint(), &start, &keys, checked),
    }
    trusted.keys = keys;
    trusted
}

/// Follows the hand-overs from the first key to the newest; none, if they do not lead there.
fn keys(reading: &Reading<'_>, expected: &Expected, checked: &mut Checked) -> Vec<VerifyKey> {
    let bytes = reading.read(bundle::VKEYS, checked).unwrap_or_default();
    let text = String::from_utf8(bytes).unwrap_or_default();
    let listed: Option<Vec<VerifyKey>> = text.lines().map(VerifyKey::parse).collect();
    let Some(listed) = listed.filter(|keys| !keys.is_empty() && text.ends_with('\n')) else {
        checked.find(bundle::VKEYS, "is no list of keys");
        return Vec::new();
    };
    let first = listed[0].clone();
    checked.first_key = Some(first.to_string());
    if expected.first_key.as_ref().is_some_and(|wanted| *wanted != first) {
        checked.find(bundle::VKEYS, "does not begin with the expected first key: it is another log");
        return Vec::new();
    }
    let (mut key, mut epoch, mut broken) = (first, 0u32, None);
    let read = folder::lines(&reading.dir.join(bundle::HAND_OVERS), LINE_BYTES_MAX, |line| {
        epoch += 1;
        let next = hand_over(line).and_then(|hand_over| hand_over.next_key(&key, epoch));
        match next.filter(|next| listed.get(epoch as usize) == Some(next)) {
            Some(next) => key = next,
            None => broken = broken.or(Some(epoch)),
        }
    });
    if read.is_err() {
        checked.find(bundle::HAND_OVERS, "cannot be read to its end");
        return Vec::new();
    }
    if let Some(epoch) = broken {
        checked.find(bundle::HAND_OVERS, format_args!("does not hand over to the key of epoch {epoch}"));
        return Vec::new();
    }
    if listed.len() as u64 != u64::from(epoch) + 1 {
        checked.find(bundle::VKEYS, "lists other keys than were handed over to");
        return Vec::new();
    }
    listed
}

fn hand_over(line: &[u8]) -> Option<HandOver> {
    let value = json::parse(line).filter(|value| json::has_only(value, &["record", "proof"]))?;
    let proof = Proof::parse(json::text(&value, "proof")?.as_bytes())?;
    Some(HandOver { record: json::text(&value, "record")?.to_owned(), proof })
}

fn head(reading: &Reading<'_>, newest: Option<&VerifyKey>, checked: &mut Checked) -> Option<Head> {
    let bytes = reading.read(bundle::CHECKPOINT, checked)?;
    let Some(head) = Head::parse(&bytes) else {
        checked.find(bundle::CHECKPOINT, "is no checkpoint of this kind of log");
        return None;
    };
    if !head.is_signed_by(newest?) {
        checked.find(bundle::CHECKPOINT, "is not signed by the newest key");
        return None;
    }
    Some(head)
}

/// Each cited record is in the log under that checkpoint.
fn cited(reading: &Reading<'_>, head: &Head, checked: &mut Checked) -> BTreeMap<u64, Stored> {
    let mut records = BTreeMap::new();
    for path in reading.manifest.files.iter().map(|file| file.path.as_str()) {
        if let Some(seq) = path.strip_prefix("audit/proofs/") {
            let seq = seq.strip_suffix(".tlog-proof").unwrap_or_default();
            if !reading.lists(&format!("audit/cited/{seq}.json")) {
                checked.find(path, "proves a record that is not there");
            }
        }
        let Some(seq) = cited_number(path) else { continue };
        let Some(line) = reading.read(path, checked) else { continue };
        let proof_path = bundle::proof(seq);
        let Some(text) = reading.read(&proof_path, checked) else { continue };
        let Some(proof) = Proof::parse(&text) else {
            checked.find(&proof_path, "is no proof");
            continue;
        };
        if proof.checkpoint() != head.checkpoint() || proof.note() != head.note() {
            checked.find(&proof_path, "leads to another checkpoint than that of this bundle");
            continue;
        }
        if proof.index() != seq || !proof.holds_for(&line) {
            checked.find(path, "is not the record that the log holds at that number");
            continue;
        }
        match Stored::read(&line) {
            Ok(record) if record.seq == seq => {
                records.insert(seq, record);
            }
            Ok(_) => checked.find(path, "carries another number"),
            Err(what) => checked.find(path, what),
        }
    }
    records
}

/// The start of a log, if the slice begins with record 0.
#[derive(Default)]
struct Start {
    leaves: Vec<Digest>,
    /// Signing epoch of the last of them.
    epoch: u32,
}

/// The records of the period follow one another, and the last one is proved: so all of them are. Where hashes stand between them, the
/// whole row leads to the checkpoint. Hands back up to `size` of them from record 0 on.
fn slice(reading: &Reading<'_>, trusted: &Trusted, size: u64, checked: &mut Checked) -> Start {
    let (mut before, mut count, mut broken): (Option<(u64, Digest)>, u64, Option<String>) = (None, 0, None);
    let (mut start, mut epoch, mut row, mut pruned) = (Start::default(), 0, Vec::new(), 0u64);
    let mut first = None;
    let has_around = reading.lists(bundle::AROUND);
    let pruning = trusted.records.values().rfind(|record| record.name == "log.pruned");
    let end = pruning.and_then(|record| u64::try_from(record.int("first")?).ok()).unwrap_or(0);
    let (mut left, mut gone) = (Left::default(), None);
    let read = folder::lines(&reading.dir.join(bundle::RECORDS), LINE_BYTES_MAX, |line| {
        count += 1;
        let next = match (before, audit::pruned_line(line)) {
            (Some((last, _)), Some(leaf)) => {
                pruned += 1;
                gone = Some(last + 1);
                (last + 1, leaf, epoch)
            }
            _ => match Stored::read(line) {
                Err(what) => {
                    broken = broken.take().or(Some(format!("line {count}: {what}")));
                    return;
                }
                Ok(record) => {
                    let leaf = record.leaf();
                    if before.is_some_and(|(seq, leaf)| record.seq != seq + 1 || record.prev != leaf) {
                        let what = format!("record {} does not follow the one before it", record.seq);
                        broken = broken.take().or(Some(what));
                    }
                    // Of those of which only the hash is left.
                    epoch = record.epoch.saturating_add(u32::from(record.name == "key.epoch_rotated"));
                    (record.seq, leaf, record.epoch)
                }
            },
        };
        let (seq, leaf, of_epoch) = next;
        if seq == start.leaves.len() as u64 && seq < size {
            start.leaves.push(leaf);
            start.epoch = of_epoch;
        }
        if seq == left.count() && seq < end {
            left.line(line);
        }
        if has_around {
            row.push((seq, leaf));
        }
        first = first.or(Some(seq));
        before = Some((seq, leaf));
    });
    if read.is_err() {
        broken = broken.or(Some("cannot be read to its end".to_owned()));
    }
    let is_proved = |(seq, leaf): (u64, Digest)| trusted.records.get(&seq).is_some_and(|r| r.leaf() == leaf);
    if broken.is_none() && before.is_some_and(|last| !is_proved(last)) {
        broken = Some("its last record is not proved: something was cut off".to_owned());
    }
    if broken.is_none() && (has_around || pruned > 0) && !is_in_place(reading, trusted, &row, checked) {
        broken = Some("does not lead to the checkpoint with the hashes of audit/around.json".to_owned());
    }
    // As far as it can be told: what is left of the log is signed from record 0 on.
    let is_other =
        left.count() == end && pruning.and_then(|record| record.digest("sha256")) != Some(left.digest());
    if broken.is_none() && gone.is_some_and(|gone| gone >= end || is_other) {
        broken = Some("has a hash in the place of a record that was not pruned".to_owned());
    }
    match broken {
        Some(what) => checked.find(bundle::RECORDS, what),
        None => {
            checked.records = first.zip(before.map(|(seq, _)| seq));
            checked.pruned = pruned;
        }
    }
    start
}

/// Whether a row with hashes in it is that of the log.
fn is_in_place(
    reading: &Reading<'_>,
    trusted: &Trusted,
    row: &[(u64, Digest)],
    checked: &mut Checked,
) -> bool {
    let hashes = reading.lists(bundle::AROUND).then(|| reading.read(bundle::AROUND, checked)).flatten();
    let hashes = hashes.and_then(|bytes| hashes_around(&bytes));
    let root = |head: &Checkpoint| audit::root_around(head.size, row, hashes.as_ref()?);
    trusted.head.as_ref().is_some_and(|head| root(head) == Some(head.root))
}

/// The log goes on from a checkpoint that was kept: the root over its records is the one that it signs. That takes the
/// records from the first on.
fn expect(kept: &Head, head: &Checkpoint, start: &Start, keys: &[VerifyKey], checked: &mut Checked) {
    let wanted = kept.checkpoint();
    let key = keys.get(start.epoch as usize);
    let what = if wanted.origin != head.origin {
        "belongs to another log than the expected checkpoint".to_owned()
    } else if wanted.size > head.size {
        format!("covers {} records, the expected one {}: the log was cut back", head.size, wanted.size)
    } else if start.leaves.len() as u64 != wanted.size {
        "cannot be held against the expected checkpoint: this bundle does not have the records from the first on".to_owned()
    } else if audit::root(&start.leaves) != wanted.root || !key.is_some_and(|key| kept.is_signed_by(key)) {
        "does not go on from the expected checkpoint: the records before it were replaced".to_owned()
    } else {
        return;
    };
    checked.find(bundle::CHECKPOINT, what);
}
