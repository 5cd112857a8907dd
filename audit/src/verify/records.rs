//! Reading the records: every line hashed, and held against the schema and its neighbours.

use super::clock::Times;
use super::taken::present;
use crate::error::Error;
use crate::intent::Intents;
use crate::json::Value;
use crate::merkle::{Hash, leaf};
use crate::note::VerifyKey;
use crate::paths::{Paths, SEGMENT_BYTES_MAX, SEGMENT_RECORDS, SMALL_BYTES_MAX, read_limited};
use crate::pruned::{Pruning, Seen, hash_only};
use crate::record::{FIRST_PREV, Record};
use crate::report::{Report, Subject};
use crate::tile;
use crate::token::{Digest, PublicKey, base64, unhex};
use std::collections::BTreeMap;

/// What the records say, as far as they can be read.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// The lines of each segment, as many as there are: what is missing is missing at a segment's end, and takes no
    /// memory.
    segments: Vec<Vec<Line>>,
    /// Public keys of all epochs.
    pub keys: Vec<PublicKey>,
    /// First record of each epoch.
    pub starts: Vec<u64>,
    /// Digests that `recovery.truncated` names, with the number of the first such record.
    pub truncated: BTreeMap<Digest, u64>,
    pub intents: Intents,
    pub ts_ms: u64,
    pub times: Times,
    /// How many are pruned, and where.
    pub pruned: u64,
    pub seen: Seen,
    /// The prunings on record.
    pub prunings: Vec<Pruning>,
    /// Written time of the last record of each segment that has it, by the number of the next.
    pub ends: BTreeMap<u64, u64>,
    /// What follows the last signed record.
    pub surplus: Option<Surplus>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub leaf: Hash,
    /// The link to the record before, if the line can be read.
    pub prev: Option<Hash>,
}

/// Bytes of the last segment that no checkpoint signs.
#[derive(Debug)]
pub(super) struct Surplus {
    /// The file.
    pub name: String,
    pub bytes: usize,
    pub digest: Digest,
    /// The last signed record.
    pub after: u64,
}

impl Records {
    /// The epoch that a record belongs to.
    pub fn epoch_of(&self, seq: u64) -> usize {
        self.starts.partition_point(|start| *start <= seq).saturating_sub(1)
    }

    /// The key that signs a record.
    pub fn key_of(&self, seq: u64) -> Option<PublicKey> {
        self.keys.get(self.epoch_of(seq)).copied()
    }

    pub fn leaf(&self, seq: u64) -> Option<Hash> {
        Some(self.line(seq)?.leaf)
    }

    pub fn line(&self, seq: u64) -> Option<Line> {
        let segment = self.segments.get(usize::try_from(seq / SEGMENT_RECORDS).ok()?)?;
        segment.get(usize::try_from(seq % SEGMENT_RECORDS).ok()?).copied()
    }
}

/// Reads all segments. Bytes beyond the signed size are not looked into. Records that are missing in a row are one
/// finding, however many.
pub(super) fn read_all(paths: &Paths, signed: u64, report: &mut Report) -> Result<Records, Error> {
    let mut records = Records { starts: vec![0], ..Records::default() };
    let mut gap = None;
    for index in 0..signed.div_ceil(SEGMENT_RECORDS) {
        let start = index * SEGMENT_RECORDS;
        let end = signed.min(start + SEGMENT_RECORDS);
        let name = format!("seg/{index:08}.jsonl");
        let path = paths.segment(index);
        let found = present(read_limited(&path, SEGMENT_BYTES_MAX), &path)?;
        if found.is_none() && gap.is_none() {
            report.broken_file(&name, None, "is missing, no file, or too large");
        }
        let bytes = found.unwrap_or_default();
        let (mut rest, mut seq) = (&bytes[..], start);
        records.segments.push(Vec::new());
        let mut gone = None;
        while let Some(at) = rest.iter().position(|b| *b == b'\n').filter(|_| seq < end) {
            missing(gap.take(), seq, report);
            let line = match hash_only(&rest[..at]) {
                Some(leaf) => {
                    gone = Some(seq);
                    records.pruned += 1;
                    Line { leaf, prev: None }
                }
                None => records.line_read(seq, &rest[..at], report),
            };
            records.segments.last_mut().expect("pushed above").push(line);
            rest = &rest[at + 1..];
            seq += 1;
        }
        records.seen.segment(&bytes, gone);
        if seq == end && !rest.is_empty() {
            let surplus = Surplus { name, bytes: rest.len(), digest: Digest::of(rest), after: end - 1 };
            if end == signed {
                records.surplus = Some(surplus);
            } else {
                let text =
                    format!("{} bytes after record {}, the last of its segment", surplus.bytes, end - 1);
                report.odd_file(&surplus.name, Some(surplus.digest), text);
            }
        } else if seq < end {
            if !rest.is_empty() {
                report.broken(Subject::Record(seq), "is cut off");
                seq += 1;
            }
            if seq < end && gap.is_none() {
                gap = Some(seq);
            }
        }
    }
    missing(gap, signed, report);
    records.chain(paths, signed, report);
    records.fall_back_on_vkeys(paths)?;
    Ok(records)
}

/// Reports a gap, from its first record to the one before `end`.
fn missing(gap: Option<u64>, end: u64, report: &mut Report) {
    match gap {
        Some(first) if first + 1 == end => report.broken(Subject::Record(first), "is missing"),
        Some(first) => {
            let text = format!("is missing, and so is every record to {}: {} are lost", end - 1, end - first);
            report.broken(Subject::Record(first), text);
        }
        None => {}
    }
}

impl Records {
    /// The lines with their numbers.
    fn numbered(&self) -> impl Iterator<Item = (u64, Line)> {
        let starts = (0..).step_by(SEGMENT_RECORDS as usize);
        starts.zip(&self.segments).flat_map(|(start, lines)| (start..).zip(lines.iter().copied()))
    }

    fn line_read(&mut self, seq: u64, line: &[u8], report: &mut Report) -> Line {
        let hash = leaf(line);
        let (record, members) = match Record::parse(line) {
            Ok(parsed) => parsed,
            Err(flaw) => {
                report.outside_schema += 1;
                report.odd(Subject::Record(seq), flaw);
                return Line { leaf: hash, prev: None };
            }
        };
        report.count(record.name);
        let checked = record.check(&members);
        report.outside_schema += u64::from(checked.is_err());
        let epoch = self.starts.len() as u64 - 1;
        if record.seq != seq {
            report.odd(Subject::Record(seq), format!("carries the number {}", record.seq));
        } else if u64::from(record.epoch) != epoch {
            report.odd(
                Subject::Record(seq),
                format!("carries epoch {}, but epoch {epoch} is current", record.epoch),
            );
        } else if record.ts_ms < self.ts_ms {
            report.odd(Subject::Record(seq), "is earlier than the record before it");
        } else if let Err(flaw) = checked {
            report.odd(Subject::Record(seq), flaw);
        }
        self.note(seq, &record, report);
        let value = |key: &str| members.iter().find(|(k, _)| *k == key).map(|(_, value)| value);
        if let (Some(Value::Int(mono)), Some(Value::Str(boot))) = (value("mono"), value("boot")) {
            self.times.record(&record, *mono, unhex(boot).unwrap_or_default());
        }
        Line { leaf: hash, prev: Some(record.prev) }
    }

    /// Takes over what later checks depend on.
    fn note(&mut self, seq: u64, record: &Record<'_>, report: &mut Report) {
        let key = || record.text("key").and_then(base64).map(PublicKey);
        match record.name {
            "log.created" if seq == 0 => self.keys.extend(key()),
            "log.created" => report.odd(Subject::Record(seq), "log.created stands in the middle of a log"),
            _ if seq == 0 => report.odd(Subject::Record(0), "the first record is not log.created"),
            "key.epoch_rotated" => {
                if record.int("next") != Some(self.starts.len() as u64) {
                    report.odd(Subject::Record(seq), "does not hand over to the next epoch");
                }
                self.keys.extend(key());
                self.starts.push(seq + 1);
            }
            "log.pruned" => match Pruning::of(record, self.prunings.last()) {
                Some(pruning) => self.prunings.push(pruning),
                None => report.odd(Subject::Record(seq), "prunes records that it cannot"),
            },
            "key.destroyed" if record.int("destroyed").is_none_or(|n| n + 2 != self.starts.len() as u64) => {
                report.odd(Subject::Record(seq), "does not name the epoch before this one");
            }
            "recovery.truncated" => {
                if let Some(digest) = record.text("sha256").and_then(unhex).map(Digest) {
                    self.truncated.entry(digest).or_insert(seq);
                }
            }
            _ => {}
        }
        self.intents.record(record);
        self.ts_ms = self.ts_ms.max(record.ts_ms);
        if (seq + 1).is_multiple_of(SEGMENT_RECORDS) {
            self.ends.insert(seq + 1, record.ts_ms);
        }
    }

    /// Compares each record's link with the record before it. Of two that do not fit, the tiles on disk tell which one
    /// changed.
    fn chain(&self, paths: &Paths, size: u64, report: &mut Report) {
        for (seq, line) in self.numbered() {
            let Some(prev) = line.prev else { continue };
            let Some(before) = seq.checked_sub(1) else {
                if prev != FIRST_PREV {
                    report.broken(Subject::Record(0), "links to a record before the first");
                }
                continue;
            };
            let Some(found) = self.leaf(before) else { continue };
            if prev == found {
                continue;
            }
            if tile::leaf_on_disk(paths, size, before) == Some(found) {
                report.broken(Subject::Record(seq), format!("its link is not the hash of record {before}"));
            } else {
                report.broken(Subject::Record(before), format!("its hash is not the link in record {seq}"));
            }
        }
    }

    /// When a record that carries a key is damaged, the file of keys can still tell which key signed what; the damage
    /// itself is a finding already.
    fn fall_back_on_vkeys(&mut self, paths: &Paths) -> Result<(), Error> {
        if self.keys.len() == self.starts.len() {
            return Ok(());
        }
        let path = paths.vkeys();
        let bytes = present(read_limited(&path, SMALL_BYTES_MAX), &path)?.unwrap_or_default();
        let text = String::from_utf8(bytes).unwrap_or_default();
        let listed: Vec<PublicKey> = text.lines().filter_map(VerifyKey::parse).map(|k| k.key()).collect();
        if listed.len() >= self.starts.len() {
            self.keys = listed;
        }
        Ok(())
    }
}
