//! Reading the records back at the start: the chain, the tree, and what the next record depends on.

use crate::error::{Error, io_error};
use crate::memory::Found;
use crate::merkle::{Frontier, Hash, leaf};
use crate::note::VerifyKey;
use crate::paths::{Changed, Paths, SEGMENT_BYTES_MAX, SEGMENT_RECORDS, SMALL_BYTES_MAX, read_limited};
use crate::pruned::{Forms, Seen, check, hash_only, leaf_of, lines};
use crate::record::{FIRST_PREV, Record};
use crate::remembered::Remembered;
use crate::tile::{Tiles, frontier_on_disk};
use crate::token::{Digest, PublicKey, base64};
use crate::told::Told;
use std::io;

/// The state after the signed records.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    pub frontier: Frontier,
    pub tiles: Tiles,
    pub prev: Hash,
    pub ts_ms: u64,
    /// First record of the current epoch.
    pub epoch_start: u64,
    /// Public keys of all epochs, as the records name them.
    pub keys: Vec<PublicKey>,
    /// How many bytes of each segment the records fill.
    pub segments: Vec<u64>,
    pub told: Told,
    /// Where the last pruning is not finished.
    pub unfinished: Option<Forms>,
}

/// What is beyond the signed records: segment, bytes to keep, bytes too many.
pub(crate) type Surplus = Vec<(u64, u64, Vec<u8>)>;

impl Replay {
    /// Reads exactly `signed` records; the surplus is returned.
    ///
    /// # Errors
    /// `Lost` when there are fewer, `Broken` when one is not what the chain says.
    pub fn read(paths: &Paths, signed: u64) -> Result<(Self, Surplus), Error> {
        Self { prev: FIRST_PREV, ..Self::default() }.go_on(paths, signed)
    }

    /// Reads the records behind those that are remembered, if what is there fits that; `None` if it does not, so that all
    /// records tell. What was remembered is not read again, but for the last segment of it: of those before only the lengths
    /// are looked at, and of them and of the tiles whether somebody has touched them since.
    ///
    /// # Errors
    /// `Io`.
    pub fn resume(
        paths: &Paths,
        signed: u64,
        Found { remembered, since, .. }: Found,
    ) -> Result<Option<(Self, Surplus)>, Error> {
        if remembered.size > signed {
            return Ok(None);
        }
        let Some(start) = Self::at(paths, remembered, since).map_err(io_error("read", &paths.0))? else {
            return Ok(None);
        };
        match start.go_on(paths, signed) {
            // Whether it is so, all records tell.
            Err(Error::Lost { .. } | Error::Broken { .. }) => Ok(None),
            other => other.map(Some),
        }
    }

    fn at(paths: &Paths, remembered: Remembered, since: Changed) -> io::Result<Option<Self>> {
        let Remembered { size, prev, ts_ms, epoch, epoch_start, segments, edge, told, .. } = remembered;
        let is_as_it_was = |(index, len): (u64, &u64)| {
            let is_last = (index + 1).saturating_mul(SEGMENT_RECORDS) > size;
            paths.segment(index).symlink_metadata().is_ok_and(|found| {
                let is_whole = || found.len() == *len && Changed::of(&found) <= since;
                found.is_file() && if is_last { found.len() >= *len } else { is_whole() }
            })
        };
        let Some((tiles, frontier)) =
            Tiles::at(size, &edge).and_then(|tiles| tiles.frontier(size).map(|frontier| (tiles, frontier)))
        else {
            return Ok(None);
        };
        if size == 0 || !(0..).zip(&segments).all(is_as_it_was) || !tiles.are_untouched(paths, since) {
            return Ok(None);
        }
        let Some(keys) = first_keys(paths, epoch, &remembered.keys) else { return Ok(None) };
        let last = (size - 1) / SEGMENT_RECORDS;
        let bytes = read_limited(&paths.segment(last), SEGMENT_BYTES_MAX)?;
        let end = segments.last().and_then(|len| usize::try_from(*len).ok());
        let Some(lines) = end.and_then(|end| bytes.get(..end)?.strip_suffix(b"\n")) else { return Ok(None) };
        let leaves: Vec<Hash> = lines.split(|b| *b == b'\n').map(leaf).collect();
        if leaves.len() as u64 != size - last * SEGMENT_RECORDS
            || leaves.last() != Some(&prev)
            || !tiles.end_with(&leaves)
        {
            return Ok(None);
        }
        Ok(Some(Self { frontier, tiles, prev, ts_ms, epoch_start, keys, segments, told, unfinished: None }))
    }

    fn go_on(mut self, paths: &Paths, signed: u64) -> Result<(Self, Surplus), Error> {
        let (mut surplus, mut seen) = (Vec::new(), Seen::default());
        for index in self.frontier.size() / SEGMENT_RECORDS.. {
            let path = paths.segment(index);
            let bytes = match read_limited(&path, SEGMENT_BYTES_MAX) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => break,
                other => other.map_err(io_error("read", &path))?,
            };
            let end = signed.min((index + 1).saturating_mul(SEGMENT_RECORDS));
            let at = usize::try_from(index).unwrap_or(usize::MAX);
            let known = self.segments.get(at).and_then(|len| usize::try_from(*len).ok()).unwrap_or(0);
            let mut rest = bytes.get(known..).unwrap_or_default();
            let mut gone = None;
            while self.frontier.size() < end {
                let Some(at) = rest.iter().position(|b| *b == b'\n') else {
                    return Err(Error::Lost { found: self.frontier.size(), signed });
                };
                gone = self.record(&rest[..at])?.or(gone);
                rest = &rest[at + 1..];
            }
            seen.segment(&bytes, gone);
            let keep = (bytes.len() - rest.len()) as u64;
            if !rest.is_empty() || keep == 0 {
                surplus.push((index, keep, rest.to_vec()));
            }
            if keep > 0 {
                self.segments.truncate(at);
                self.segments.push(keep);
            }
        }
        if self.frontier.size() < signed {
            return Err(Error::Lost { found: self.frontier.size(), signed });
        }
        self.unfinished = check(paths, self.told.pruned.as_ref(), &seen)?;
        if let Some(pruning) = &mut self.told.pruned {
            pruning.is_done = self.unfinished.is_none();
        }
        Ok((self, surplus))
    }

    /// Takes the next record. Answers with its number if only its hash is left.
    fn record(&mut self, line: &[u8]) -> Result<Option<u64>, Error> {
        let at = self.frontier.size();
        if let Some(hash) = hash_only(line).filter(|_| at > 0) {
            self.push(hash);
            return Ok(Some(at));
        }
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
            _ => {}
        }
        self.told
            .record(&record, self.epoch())
            .ok_or(broken("a digest cannot be read, or it prunes what it cannot"))?;
        self.ts_ms = self.ts_ms.max(record.ts_ms);
        self.push(leaf(line));
        Ok(None)
    }

    fn push(&mut self, leaf: Hash) {
        self.prev = leaf;
        self.tiles.push(leaf);
        self.frontier.push(leaf);
    }

    /// The epoch of the next record.
    pub fn epoch(&self) -> u32 {
        u32::try_from(self.keys.len().saturating_sub(1)).unwrap_or(u32::MAX)
    }
}

/// The keys of the epochs up to this one as `vkeys` lists them, if those lines have that digest.
fn first_keys(paths: &Paths, epoch: u32, digest: &Digest) -> Option<Vec<PublicKey>> {
    let text = String::from_utf8(read_limited(&paths.vkeys(), SMALL_BYTES_MAX).ok()?).ok()?;
    let count = usize::try_from(epoch).ok()?.checked_add(1)?;
    let lines: Vec<&str> = text.split_inclusive('\n').take(count).collect();
    if lines.len() != count || Digest::of(lines.concat().as_bytes()) != *digest {
        return None;
    }
    lines.iter().map(|line| Some(VerifyKey::parse(line.strip_suffix('\n')?)?.key())).collect()
}

/// Whether the first records of a log of `now` records with this root are those that had another root at their size. The
/// tiles tell which tree they made, without being believed, and the records behind lead to the root of now.
pub(crate) fn begins_with(
    paths: &Paths,
    (size, root): (u64, &Hash),
    (now, root_now): (u64, &Hash),
) -> io::Result<bool> {
    let Some(mut frontier) = frontier_on_disk(paths, now, size).filter(|f| f.root() == *root) else {
        return Ok(false);
    };
    for index in size / SEGMENT_RECORDS..now.div_ceil(SEGMENT_RECORDS) {
        let bytes = match read_limited(&paths.segment(index), SEGMENT_BYTES_MAX) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
            other => other?,
        };
        let first = index * SEGMENT_RECORDS;
        for line in lines(&bytes).zip(first..now).filter(|(_, seq)| *seq >= size).map(|(line, _)| line) {
            frontier.push(leaf_of(line));
        }
    }
    Ok(frontier.size() == now && frontier.root() == *root_now)
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
                frontier.push(leaf_of(line));
            }
        }
    }
    Ok((frontier.size() == size).then(|| frontier.root()))
}

fn key(record: &Record<'_>) -> Option<PublicKey> {
    base64(record.text("key")?).map(PublicKey)
}
