//! Reading the records back at the start: the chain, the tree, and what the next record depends on.

use crate::error::{Error, io_error};
use crate::intent::Intents;
use crate::merkle::{Frontier, Hash, leaf};
use crate::paths::{Paths, SEGMENT_BYTES_MAX, SEGMENT_RECORDS, read_limited};
use crate::record::{FIRST_PREV, Record};
use crate::token::{Digest, PublicKey, base64, unhex};
use std::io;

/// The state after the signed records.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    pub frontier: Frontier,
    pub leaves: Vec<Hash>,
    pub prev: Hash,
    pub ts_ms: u64,
    /// First record of the current epoch.
    pub epoch_start: u64,
    /// Public keys of all epochs, as the records name them.
    pub keys: Vec<PublicKey>,
    /// Keys of epochs below this one are recorded as destroyed.
    pub destroyed: u32,
    /// Digests of everything cut so far.
    pub truncated: Vec<Digest>,
    pub intents: Intents,
}

/// What is beyond the signed records: segment, bytes to keep, bytes too many.
pub(crate) type Surplus = Vec<(u64, u64, Vec<u8>)>;

impl Replay {
    /// Reads exactly `signed` records; the surplus is returned.
    ///
    /// # Errors
    /// `Lost` when there are fewer, `Broken` when one is not what the chain says.
    pub fn read(paths: &Paths, signed: u64) -> Result<(Self, Surplus), Error> {
        let mut replay = Self { prev: FIRST_PREV, ..Self::default() };
        let mut surplus = Vec::new();
        for index in 0.. {
            let path = paths.segment(index);
            let bytes = match read_limited(&path, SEGMENT_BYTES_MAX) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => break,
                other => other.map_err(io_error("read", &path))?,
            };
            let end = signed.min((index + 1).saturating_mul(SEGMENT_RECORDS));
            let mut rest = &bytes[..];
            while replay.frontier.size() < end {
                let Some(at) = rest.iter().position(|b| *b == b'\n') else {
                    return Err(Error::Lost { found: replay.frontier.size(), signed });
                };
                replay.record(&rest[..at])?;
                rest = &rest[at + 1..];
            }
            let keep = bytes.len() - rest.len();
            if !rest.is_empty() || keep == 0 {
                surplus.push((index, keep as u64, rest.to_vec()));
            }
        }
        if replay.frontier.size() < signed {
            return Err(Error::Lost { found: replay.frontier.size(), signed });
        }
        Ok((replay, surplus))
    }

    fn record(&mut self, line: &[u8]) -> Result<(), Error> {
        let at = self.frontier.size();
        let broken = |what| Error::Broken { what, at };
        let (record, _) = Record::parse(line).map_err(|_| broken("a record cannot be read"))?;
        if record.seq != at || record.prev != self.prev {
            return Err(broken("a record does not follow the one before it"));
        }
        match record.name {
            "log.created" if at == 0 => self.keys.push(key(&record).ok_or(broken("a key cannot be read"))?),
            _ if at == 0 => return Err(broken("the first record is not log.created")),
            "key.epoch_rotated" => {
                self.keys.push(key(&record).ok_or(broken("a key cannot be read"))?);
                self.epoch_start = at + 1;
            }
            "key.destroyed" => self.destroyed = self.epoch(),
            "recovery.truncated" => {
                let digest = record.text("sha256").and_then(unhex);
                self.truncated.push(Digest(digest.ok_or(broken("a digest cannot be read"))?));
            }
            _ => {}
        }
        self.intents.record(&record);
        self.ts_ms = self.ts_ms.max(record.ts_ms);
        self.prev = leaf(line);
        self.leaves.push(self.prev);
        self.frontier.push(self.prev);
        Ok(())
    }

    fn epoch(&self) -> u32 {
        u32::try_from(self.keys.len().saturating_sub(1)).unwrap_or(u32::MAX)
    }
}

/// The root over the first `size` records, read anew from the segments; `None` if there are fewer.
pub(crate) fn root_at(paths: &Paths, size: u64) -> io::Result<Option<Hash>> {
    let mut frontier = Frontier::default();
    for index in 0..size.div_ceil(SEGMENT_RECORDS) {
        let bytes = match read_limited(&paths.segment(index), SEGMENT_BYTES_MAX) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        for line in bytes.split_inclusive(|b| *b == b'\n') {
            if let (true, Some(line)) = (frontier.size() < size, line.strip_suffix(b"\n")) {
                frontier.push(leaf(line));
            }
        }
    }
    Ok((frontier.size() == size).then(|| frontier.root()))
}

fn key(record: &Record<'_>) -> Option<PublicKey> {
    base64(record.text("key")?).map(PublicKey)
}
