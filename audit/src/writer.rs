//! The append path. One writer owns the files; it lives on its own thread (`log.rs`).
//!
//! A batch of records becomes durable in this order: segment lines, then the signed checkpoint in `checkpoints.log`.
//! Only then is it acknowledged. The file `checkpoint` and the tiles follow; they are derived.

use crate::clock::Clock;
use crate::durable::{Disk, is_full};
use crate::entry::Entry;
use crate::error::{Error, SystemError, Undone};
use crate::event::Event;
use crate::memory::Memory;
use crate::merkle::{Frontier, Hash};
use crate::note::{Note, ORIGIN_PREFIX, new_secret};
use crate::paths::Paths;
use crate::tile::Tiles;
use crate::token::{Digest, PublicKey, unhex};
use crate::told::Told;
use crate::words::EpochReason;
use crate::{handover, reserve};
use ed25519_dalek::SigningKey;
use std::fs::File;
use std::io;

/// An epoch ends at the latest with the batch that reaches this size.
pub(crate) const EPOCH_RECORDS: u64 = 65_536;

/// A batch on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Number of the first record of this call.
    pub seq_first: u64,
    /// Number of records in the log, as signed.
    pub size: u64,
    /// The signed root.
    pub root: Digest,
}

/// A point of the log to be remembered elsewhere (in the vault) and compared later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Number of records.
    pub size: u64,
    /// Root over them.
    pub root: Digest,
    /// Signing epoch.
    pub epoch: u32,
    /// The random part of the log's name.
    pub origin: [u8; 16],
}

/// An append-only file that nobody else may touch.
#[derive(Debug)]
pub(crate) struct Tail {
    pub file: File,
    pub len: u64,
}

pub(crate) struct Writer {
    pub disk: Disk,
    pub paths: Paths,
    pub origin: String,
    pub clock: Box<dyn Clock>,
    pub boot: [u8; 4],
    pub key: SigningKey,
    pub epoch: u32,
    /// First record of the epoch.
    pub epoch_start: u64,
    pub keys: Vec<PublicKey>,
    pub frontier: Frontier,
    pub tiles: Tiles,
    /// Leaf of the last record.
    pub prev: Hash,
    /// Written time of the last record; no later record is earlier.
    pub ts_ms: u64,
    pub segment_index: u64,
    pub segment: Tail,
    /// Bytes of the segments before.
    pub closed: Vec<u64>,
    pub journal: Tail,
    /// Number of the newest file of checkpoints.
    pub journal_number: u64,
    pub reserve_spent: bool,
    /// The clocks at the last record of this run.
    pub clocks: Option<(u64, u64)>,
    /// The wall clock is behind, and that is on record.
    pub is_behind: bool,
    /// This run has put on record that the clock was set.
    pub is_clock_set: bool,
    /// Why the last pruning is not finished, if it is not.
    pub unpruned: Option<Undone>,
    /// What ended the log.
    pub poison: Option<(&'static str, SystemError)>,
    /// What the records say that a start must know.
    pub told: Told,
    /// What the vault remembers of this log.
    pub memory: Memory,
    /// The lock on the folder: held as long as the writer lives.
    #[expect(dead_code, reason = "holding it is its use")]
    pub lock: File,
}

/// Why a batch was not written.
#[derive(Debug)]
pub(crate) enum Failure {
    /// No space; the files are as before.
    Full,
    /// Anything else; the log has ended.
    Ended(&'static str, SystemError),
    /// No randomness; nothing was written.
    Randomness,
}

impl Failure {
    pub fn during(what: &'static str) -> impl Fn(io::Error) -> Self {
        move |e| Self::Ended(what, e.into())
    }
}

impl Writer {
    pub fn mark(&self) -> Mark {
        let origin = self.origin.strip_prefix(ORIGIN_PREFIX).and_then(unhex).unwrap_or_default();
        Mark { size: self.frontier.size(), root: Digest(self.frontier.root()), epoch: self.epoch, origin }
    }

    /// Appends one batch; it is durable and signed when this returns.
    pub fn append(&mut self, entries: &[Entry]) -> Result<Receipt, Error> {
        self.alive()?;
        let essential = entries.iter().all(|e| e.event.may_use_reserve());
        if self.reserve_spent && !essential {
            reserve::fill(&self.disk, &self.paths).map_err(|_| Error::DiskFull)?;
            self.reserve_spent = false;
        }
        let seq_first = self.frontier.size();
        match self.commit(entries, None) {
            Err(Failure::Full) if essential && !self.reserve_spent => {
                self.spend_reserve()?;
                let mut more = entries.to_vec();
                more.push(Event::DiskReserveLow {}.by_system());
                self.commit(&more, None).map_err(|f| self.end(f))?;
            }
            other => {
                other.map_err(|f| self.end(f))?;
            }
        }
        let Mark { size, root, .. } = self.mark();
        if size - self.epoch_start >= EPOCH_RECORDS {
            // The batch is on record whatever becomes of this. If the disk is too full for a new epoch, the next batch
            // tries again; if the log has ended, the next call says so.
            let _ = self.begin_epoch(EpochReason::Size);
        }
        Ok(Receipt { seq_first, size, root })
    }

    /// Hands over to a new signing key, and overwrites the old one. On a full disk the hand-over of an unlock waits for the
    /// next one, and the epoch goes on: without an unlock nothing can be erased, and a hand-over that stops in the middle
    /// would need room to go on.
    pub fn begin_epoch(&mut self, reason: EpochReason) -> Result<u32, Error> {
        self.alive()?;
        let can_wait = reason == EpochReason::Unlock;
        if self.reserve_spent && reserve::fill(&self.disk, &self.paths).is_err() {
            return if can_wait { Ok(self.epoch) } else { Err(Error::DiskFull) };
        }
        self.reserve_spent = false;
        let next = new_secret()?;
        let note = match self.hand_over(&next, reason) {
            Err(Failure::Full) if can_wait => {
                self.spend_reserve()?;
                self.append(&[Event::DiskReserveLow {}.by_system()])?;
                return Ok(self.epoch);
            }
            other => other,
        }
        .map_err(|f| self.end(f))?;
        self.keys.push(PublicKey(next.verifying_key().to_bytes()));
        self.key = next;
        self.epoch += 1;
        self.epoch_start = self.frontier.size();
        let finish = |w: &Self| handover::finish(&w.disk, &w.paths, &w.origin, &w.key, &w.keys, &note);
        // From here on there is no way back, only forward.
        let finished = match finish(self) {
            Err(e) if is_full(&e) => {
                self.spend_reserve()?;
                finish(self)
            }
            other => other,
        };
        finished.map_err(|e| self.end(Failure::Ended("replacing the epoch key", e.into())))?;
        let mut first = vec![Event::KeyDestroyed { destroyed: self.epoch - 1 }.by_system()];
        if self.reserve_spent {
            first.push(Event::DiskReserveLow {}.by_system());
        }
        self.append(&first)?;
        Ok(self.epoch)
    }

    /// Stores the next key and records, signed by both, that it takes over. After `Full` everything is as before.
    fn hand_over(&mut self, next: &SigningKey, reason: EpochReason) -> Result<Note, Failure> {
        let key = PublicKey(next.verifying_key().to_bytes());
        let rotated = Event::KeyEpochRotated { next: self.epoch + 1, key, reason }.by_system();
        let done = match handover::prepare(&self.disk, &self.paths, &self.origin, self.epoch + 1, next) {
            Err(e) if is_full(&e) => Err(Failure::Full),
            Err(e) => Err(Failure::Ended("storing the next epoch key", e.into())),
            Ok(()) => self.commit(&[rotated], Some(next)),
        };
        if matches!(done, Err(Failure::Full | Failure::Randomness)) {
            handover::wipe_next(&self.disk, &self.paths)
                .map_err(Failure::during("removing the next epoch key"))?;
        }
        done
    }

    fn spend_reserve(&mut self) -> Result<(), Error> {
        reserve::spend(&self.disk, &self.paths)
            .map_err(|e| self.end(Failure::Ended("spending the reserve", e.into())))?;
        self.reserve_spent = true;
        Ok(())
    }

    fn alive(&self) -> Result<(), Error> {
        match self.poison {
            Some((during, cause)) => Err(Error::Unavailable { during, cause }),
            None => Ok(()),
        }
    }

    /// Turns a failure into the caller's error, and remembers one that ends the log.
    fn end(&mut self, failure: Failure) -> Error {
        match failure {
            Failure::Full => Error::DiskFull,
            Failure::Randomness => Error::Randomness,
            Failure::Ended(during, cause) => {
                self.poison = Some((during, cause));
                Error::Unavailable { during, cause }
            }
        }
    }
}
