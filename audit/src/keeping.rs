//! What the writer remembers of its log for the next start, and how that is proven.

use crate::error::{Error, io_error};
use crate::handover;
use crate::note::ORIGIN_PREFIX;
use crate::remembered::{MemoryKey, Remembered};
use crate::replay::{Replay, root_at};
use crate::token::{Digest, unhex};
use crate::writer::Writer;

impl Writer {
    /// From here on this key vouches for what is remembered. What this opening went on from must be sealed with it; if it is
    /// not, all records are read. What was sealed with it and is not there is missed.
    pub fn trust(&mut self, key: &MemoryKey) -> Result<(), Error> {
        if let Some((_, size, root)) = self.memory.missed.filter(|(seal, ..)| seal.is_by(key)) {
            let found = self.frontier.size();
            let there = root_at(&self.paths, size).map_err(io_error("read", &self.paths.segments()))?;
            if found < size || there.is_none() {
                return Err(Error::Lost { found, signed: size });
            }
            if there != Some(root.0) {
                return Err(Error::Diverged { size, root });
            }
        }
        self.memory.missed = None;
        if self.memory.trust(key) {
            self.memory.unproven = None
        } else {
            self.read_all()?
        }
        Ok(())
    }

    /// Reads all records, if this opening has not, and what it went on from is not proven.
    pub fn read_all(&mut self) -> Result<(), Error> {
        if self.memory.unproven.is_none() {
            return Ok(());
        }
        let at = self.frontier.size();
        let (replay, _) = Replay::read(&self.paths, at)?;
        if replay.frontier.root() != self.frontier.root() || replay.keys != self.keys {
            let what = "the records are not those of the last signed checkpoint";
            return Err(Error::Broken { what, at });
        }
        self.ts_ms = replay.ts_ms;
        self.epoch_start = replay.epoch_start;
        self.closed = replay.segments;
        self.closed.pop();
        self.told = replay.told;
        self.memory.unproven = None;
        Ok(())
    }

    /// Remembers the log as it is now. Nothing hangs on it: the next start reads more if it fails.
    pub fn remember(&mut self) {
        let size = self.frontier.size();
        let segments = self.closed.iter().copied().chain([self.segment.len]).collect();
        let edge = self.tiles.edge();
        let remembered = || Remembered {
            origin: self.origin.strip_prefix(ORIGIN_PREFIX).and_then(unhex).unwrap_or_default(),
            size,
            prev: self.prev,
            ts_ms: self.ts_ms,
            epoch: self.epoch,
            epoch_start: self.epoch_start,
            keys: Digest::of(handover::vkeys(&self.origin, &self.keys).as_bytes()),
            segments,
            edge,
            told: self.told.clone(),
        };
        let settle = || self.tiles.settle(&self.disk, &self.paths);
        if self.poison.is_none() {
            let _ = self.memory.keep(&self.disk, remembered, size, settle);
        }
    }

    /// Remembers it if much has come since the last time.
    pub fn remember_when_due(&mut self) {
        if self.memory.is_due(self.frontier.size()) {
            self.remember();
        }
    }
}
