//! Reading the records: every line hashed, and held against the schema and its neighbours.

use super::read;
use crate::error::Error;
use crate::intent::Intents;
use crate::merkle::{Hash, leaf};
use crate::note::VerifyKey;
use crate::paths::{Paths, SEGMENT_BYTES_MAX, SEGMENT_RECORDS, SMALL_BYTES_MAX};
use crate::record::{FIRST_PREV, Record};
use crate::report::{Report, Subject};
use crate::tile;
use crate::token::{Digest, PublicKey, base64, unhex};
use std::collections::BTreeSet;

/// What the records say, as far as they can be read.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// By sequence number, up to the signed size; `None` where the line is missing.
    pub lines: Vec<Option<Line>>,
    /// Public keys of all epochs.
    pub keys: Vec<PublicKey>,
    /// First record of each epoch.
    pub starts: Vec<u64>,
    /// Digests that `recovery.truncated` names.
    pub truncated: BTreeSet<Digest>,
    pub intents: Intents,
    pub ts_ms: u64,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub leaf: Hash,
    /// The link to the record before, if the line can be read.
    pub prev: Option<Hash>,
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
        *self.lines.get(usize::try_from(seq).ok()?)?
    }
}

/// Reads all segments. Lines beyond the signed size are a finding and are not looked into.
pub(super) fn read_all(paths: &Paths, signed: u64, report: &mut Report) -> Result<Records, Error> {
    let mut records = Records { starts: vec![0], ..Records::default() };
    for index in 0..signed.div_ceil(SEGMENT_RECORDS) {
        let start = index * SEGMENT_RECORDS;
        let count = (signed - start).min(SEGMENT_RECORDS);
        let name = format!("seg/{index:08}.jsonl");
        let bytes = read(&paths.segment(index), SEGMENT_BYTES_MAX)?;
        if bytes.is_none() {
            report.broken(
                Subject::File(name.clone()),
                format!("is missing or too large: records {start} to {} are lost", start + count - 1),
            );
        }
        let bytes = bytes.unwrap_or_default();
        let mut rest = &bytes[..];
        for seq in start..start + count {
            let line = match rest.iter().position(|b| *b == b'\n') {
                Some(end) => {
                    let line = &rest[..end];
                    rest = &rest[end + 1..];
                    Some(records.line_read(seq, line, report))
                }
                None => {
                    report.broken(
                        Subject::Record(seq),
                        if rest.is_empty() { "is missing" } else { "is cut off" },
                    );
                    rest = &[];
                    None
                }
            };
            records.lines.push(line);
        }
        if !rest.is_empty() {
            let text =
                format!("{} bytes after record {}, which no checkpoint signs", rest.len(), start + count - 1);
            report.odd(Subject::File(name), text);
        }
    }
    records.chain(paths, report);
    records.fall_back_on_vkeys(paths)?;
    Ok(records)
}

impl Records {
    fn line_read(&mut self, seq: u64, line: &[u8], report: &mut Report) -> Line {
        let hash = leaf(line);
        let (record, members) = match Record::parse(line) {
            Ok(parsed) => parsed,
            Err(flaw) => {
                report.odd(Subject::Record(seq), flaw);
                return Line { leaf: hash, prev: None };
            }
        };
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
        } else if let Err(flaw) = record.check(&members) {
            report.odd(Subject::Record(seq), flaw);
        }
        self.note(seq, &record, report);
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
            "key.destroyed" if record.int("destroyed").is_none_or(|n| n + 2 != self.starts.len() as u64) => {
                report.odd(Subject::Record(seq), "does not name the epoch before this one");
            }
            "recovery.truncated" => {
                self.truncated.extend(record.text("sha256").and_then(unhex).map(Digest));
            }
            _ => {}
        }
        self.intents.record(record);
        self.ts_ms = self.ts_ms.max(record.ts_ms);
    }

    /// Compares each record's link with the record before it. Of two that do not fit, the tiles on disk tell which one
    /// changed.
    fn chain(&self, paths: &Paths, report: &mut Report) {
        let size = self.lines.len() as u64;
        for seq in 0..size {
            let Some(Line { prev: Some(prev), .. }) = self.line(seq) else { continue };
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
        let bytes = read(&paths.vkeys(), SMALL_BYTES_MAX)?.unwrap_or_default();
        let text = String::from_utf8(bytes).unwrap_or_default();
        let listed: Vec<PublicKey> = text.lines().filter_map(VerifyKey::parse).map(|k| k.key()).collect();
        if listed.len() >= self.starts.len() {
            self.keys = listed;
        }
        Ok(())
    }
}
