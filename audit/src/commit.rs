//! One batch: stamped, written, synced, signed, synced. The middle of the append path.

use crate::durable::{AppendError, is_full, is_in_place, open_append};
use crate::entry::Entry;
use crate::event::Event;
use crate::journal::FILE_BYTES;
use crate::merkle::{Frontier, Hash, leaf};
use crate::note::{Checkpoint, Note};
use crate::paths::SEGMENT_RECORDS;
use crate::record::{self, Record, Stamp};
use crate::token::Digest;
use crate::writer::{Failure, Tail, Writer};
use ed25519_dalek::SigningKey;
use std::io;

/// A wall clock this far behind the last record, or this far off the boot clock, is an anomaly. Small steps back are
/// what time synchronisation does; the written time stands still until the clock has caught up.
const BACK_MS_MAX: u64 = 1000;
pub(crate) const DRIFT_MS_MAX: i64 = 60_000;

/// A batch that is not written yet, with the state of the log once it is.
struct Batch {
    /// Lines with their newlines, in runs that share a segment.
    runs: Vec<(u64, Vec<u8>)>,
    leaves: Vec<Hash>,
    frontier: Frontier,
    prev: Hash,
    ts_ms: u64,
}

/// How far the two files were written: number and length of each.
struct Lengths {
    segment: (u64, u64),
    journal: (u64, u64),
}

impl Writer {
    /// Writes a batch and signs the log with it, at a hand-over with the next key too. After `Failure::Full` the
    /// files are as before.
    pub(crate) fn commit(&mut self, entries: &[Entry], next: Option<&SigningKey>) -> Result<Note, Failure> {
        let (wall, mono) = (self.clock.wall_ms(), self.clock.mono_ms());
        let anomaly = self.anomaly(wall, mono);
        let mut entries = entries.to_vec();
        // A hand-over is the last record of its epoch; the anomaly waits for the next batch.
        let anomaly_recorded = anomaly.is_some() && next.is_none();
        if let (Some(delta_ms), None) = (anomaly, next) {
            entries.push(Event::ClockAnomaly { delta_ms }.by_system());
        }
        let batch = self.stamp(&entries, wall, mono)?;
        let before = Lengths {
            segment: (self.segment_index, self.segment.len),
            journal: (self.journal_number, self.journal.len),
        };
        let note = match self.write(&batch, next) {
            Err(Failure::Full) => {
                self.undo(before).map_err(Failure::during("taking back a partial write"))?;
                return Err(Failure::Full);
            }
            other => other?,
        };
        self.frontier = batch.frontier;
        self.prev = batch.prev;
        self.ts_ms = batch.ts_ms;
        self.is_clock_set |= anomaly.is_some();
        if anomaly.is_none() || anomaly_recorded {
            self.clocks = Some((wall, mono));
            self.is_behind = wall < self.ts_ms;
        }
        batch.leaves.iter().for_each(|leaf| self.tiles.push(*leaf));
        let lines = batch.runs.iter().flat_map(|(_, bytes)| bytes.split(|b| *b == b'\n'));
        for line in lines.filter(|line| !line.is_empty()) {
            if let Ok((record, _)) = Record::parse(line) {
                // Its digests are its own.
                let _ = self.told.record(&record, self.epoch);
            }
        }
        // Derived files: the batch is durable without them, and the next batch or the next start completes them.
        let _ = self.disk.derive(&self.paths.checkpoint(), &note.bytes());
        let _ = self.tiles.flush(&self.disk, &self.paths);
        Ok(note)
    }

    /// How far the wall clock has jumped, unless that is on record already.
    fn anomaly(&self, wall: u64, mono: u64) -> Option<i64> {
        let distance =
            |to: u64, from: u64| i64::try_from(i128::from(to) - i128::from(from)).unwrap_or(i64::MAX);
        if self.ts_ms.saturating_sub(wall) > BACK_MS_MAX {
            return (!self.is_behind).then(|| distance(wall, self.ts_ms));
        }
        let (wall_before, mono_before) = self.clocks?;
        let drift = distance(wall, wall_before).saturating_sub(distance(mono, mono_before));
        (drift.saturating_abs() > DRIFT_MS_MAX).then_some(drift)
    }

    /// Whether the log says, or would say, that the clock was set since this opening, or lies behind what is written.
    pub(crate) fn is_clock_doubtful(&self) -> bool {
        let (wall, mono) = (self.clock.wall_ms(), self.clock.mono_ms());
        let is_behind = self.ts_ms.saturating_sub(wall) > BACK_MS_MAX;
        self.is_clock_set || is_behind || self.anomaly(wall, mono).is_some()
    }

    fn stamp(&self, entries: &[Entry], wall: u64, mono: u64) -> Result<Batch, Failure> {
        let mut batch = Batch {
            runs: Vec::new(),
            leaves: Vec::new(),
            frontier: self.frontier.clone(),
            prev: self.prev,
            ts_ms: self.ts_ms.max(wall),
        };
        for entry in entries {
            let seq = batch.frontier.size();
            let mut nonce = [0; 16];
            getrandom::fill(&mut nonce).map_err(|_| Failure::Randomness)?;
            let stamp = Stamp {
                seq,
                epoch: self.epoch,
                ts_ms: batch.ts_ms,
                mono_ms: mono,
                boot: self.boot,
                nonce,
                prev: batch.prev,
            };
            let line = record::line(entry, &stamp);
            batch.prev = leaf(line.as_bytes());
            batch.leaves.push(batch.prev);
            batch.frontier.push(batch.prev);
            let segment = seq / SEGMENT_RECORDS;
            if batch.runs.last().is_none_or(|(last, _)| *last != segment) {
                batch.runs.push((segment, Vec::new()));
            }
            if let Some((_, bytes)) = batch.runs.last_mut() {
                bytes.extend_from_slice(line.as_bytes());
                bytes.push(b'\n');
            }
        }
        Ok(batch)
    }

    fn write(&mut self, batch: &Batch, next: Option<&SigningKey>) -> Result<Note, Failure> {
        let segment_path = self.paths.segment(self.segment_index);
        if !is_in_place(&self.segment.file, &segment_path, self.segment.len)
            || !is_in_place(&self.journal.file, &self.paths.journal(self.journal_number), self.journal.len)
        {
            return Err(Failure::Ended(
                "a file of the log was removed or changed",
                io::ErrorKind::Other.into(),
            ));
        }
        for (index, bytes) in &batch.runs {
            if *index != self.segment_index {
                self.segment.file =
                    self.disk.create(&self.paths.segment(*index)).map_err(full_or("creating a segment"))?;
                self.closed.push(self.segment.len);
                self.segment.len = 0;
                self.segment_index = *index;
            }
            self.disk.append(&self.segment.file, bytes).map_err(unwritten("writing records"))?;
            self.segment.len += bytes.len() as u64;
        }
        let checkpoint = Checkpoint {
            origin: self.origin.clone(),
            size: batch.frontier.size(),
            root: Digest(batch.frontier.root()),
        };
        let note = match next {
            Some(next) => Note::sign(checkpoint, &[&self.key, next]),
            None => Note::sign(checkpoint, &[&self.key]),
        };
        let mut bytes = note.bytes();
        bytes.push(b'\n');
        if self.journal.len >= FILE_BYTES {
            let next = self.journal_number + 1;
            let file = self.disk.create(&self.paths.journal(next));
            self.journal = Tail { file: file.map_err(full_or("creating a file of checkpoints"))?, len: 0 };
            self.journal_number = next;
        }
        self.disk.append(&self.journal.file, &bytes).map_err(unwritten("writing a checkpoint"))?;
        self.journal.len += bytes.len() as u64;
        Ok(note)
    }

    /// Brings the files back to the lengths that they had.
    fn undo(&mut self, before: Lengths) -> io::Result<()> {
        let ((index, segment_len), (number, journal_len)) = (before.segment, before.journal);
        while self.journal_number > number {
            self.disk.remove(&self.paths.journal(self.journal_number))?;
            self.journal_number -= 1;
            self.journal.file = open_append(&self.paths.journal(self.journal_number))?;
        }
        self.disk.truncate(&self.journal.file, journal_len)?;
        self.journal.len = journal_len;
        while self.segment_index > index {
            self.disk.remove(&self.paths.segment(self.segment_index))?;
            self.segment_index -= 1;
            self.closed.pop();
            self.segment.file = open_append(&self.paths.segment(self.segment_index))?;
        }
        self.disk.truncate(&self.segment.file, segment_len)?;
        self.segment.len = segment_len;
        Ok(())
    }
}

fn full_or(during: &'static str) -> impl Fn(io::Error) -> Failure {
    move |e| if is_full(&e) { Failure::Full } else { Failure::Ended(during, e.into()) }
}

/// A failed write on a full disk can be taken back. After a failed sync nothing is known, whatever it says.
fn unwritten(during: &'static str) -> impl Fn(AppendError) -> Failure {
    move |e| match e {
        AppendError::Write(e) if is_full(&e) => Failure::Full,
        AppendError::Write(e) | AppendError::Sync(e) => Failure::Ended(during, e.into()),
    }
}
