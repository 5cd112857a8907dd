//! The tree as files: c2sp.org/tlog-tiles, 256 hashes to a tile. Derived from the segments, and made again from them
//! when the log is opened: those behind what the vault remembers, or all.

use crate::durable::Disk;
use crate::merkle::{Frontier, Hash, node};
use crate::paths::{Changed, Paths, SEGMENT_RECORDS, SMALL_BYTES_MAX, files_below, read_limited};
use crate::token::Digest;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::path::PathBuf;

/// Hashes in a full tile.
pub(crate) const WIDTH: usize = 256;

/// The unfinished right edge of each level, and what of it is on disk.
#[derive(Debug, Default)]
pub(crate) struct Tiles {
    levels: Vec<Level>,
    /// Full tiles that are not on disk yet.
    pending: Vec<Pending>,
    /// Full tiles that were written since the last [`Tiles::settle`]; a power cut may take them.
    unsettled: BTreeSet<PathBuf>,
}

#[derive(Debug, Default)]
struct Level {
    /// Number of full tiles.
    full: u64,
    hashes: Vec<Hash>,
    /// Partial tile on disk, to be removed when a wider one is there.
    written: Option<PathBuf>,
}

#[derive(Debug)]
struct Pending {
    path: PathBuf,
    bytes: Vec<u8>,
    /// Number of the last record below it.
    last: u64,
}

impl Tiles {
    pub fn push(&mut self, leaf: Hash) {
        let mut carry = Some(leaf);
        let mut number = 0;
        while let Some(hash) = carry.take() {
            if self.levels.len() == number {
                self.levels.push(Level::default());
            }
            let level = &mut self.levels[number];
            level.hashes.push(hash);
            if level.hashes.len() == WIDTH {
                let last = ((level.full + 1) << (8 * (number + 1))) - 1;
                let path = path(number, level.full, WIDTH);
                self.pending.push(Pending { path, bytes: level.hashes.concat(), last });
                carry = Some(perfect_root(&level.hashes));
                level.hashes.clear();
                level.full += 1;
            }
            number += 1;
        }
    }

    /// Writes what is new. After an error it goes on where it stopped at the next call.
    pub fn flush(&mut self, disk: &Disk, paths: &Paths) -> io::Result<()> {
        let dir = paths.tiles();
        while let Some(tile) = self.pending.last() {
            write(disk, &dir.join(&tile.path), &tile.bytes)?;
            self.unsettled.extend(self.pending.pop().map(|tile| tile.path));
        }
        for (number, level) in self.levels.iter_mut().enumerate() {
            let path = level.partial(number);
            if path == level.written {
                continue;
            }
            if let Some(path) = &path {
                write(disk, &dir.join(path), &level.hashes.concat())?;
            }
            if let Some(old) = std::mem::replace(&mut level.written, path) {
                disk.discard(&dir.join(old))?;
            }
        }
        Ok(())
    }

    /// Makes the tiles on disk those of this tree of so many records: the full ones that are pending and the unfinished ones.
    ///
    /// What an earlier process wrote lately is written anew even if it can be read: a sync that failed may have left it in the
    /// kernel's memory only.
    pub fn rebuild(&mut self, disk: &Disk, paths: &Paths, size: u64) -> io::Result<()> {
        let dir = paths.tiles();
        let names = self.names();
        for file in files_below(&dir)? {
            if !file.strip_prefix(&dir).is_ok_and(|name| names.contains(name)) {
                disk.discard(&file)?;
            }
        }
        let is_there = |tile: &Pending| {
            tile.last + SEGMENT_RECORDS < size
                && read_limited(&dir.join(&tile.path), SMALL_BYTES_MAX).ok().as_ref() == Some(&tile.bytes)
        };
        self.pending.retain(|tile| !is_there(tile));
        self.flush(disk, paths)
    }

    /// Looks which unfinished tiles are on disk already, so that they go when wider ones come.
    pub fn look(&mut self, paths: &Paths) {
        for (number, level) in self.levels.iter_mut().enumerate() {
            level.written = level.partial(number).filter(|path| {
                let bytes = read_limited(&paths.tiles().join(path), SMALL_BYTES_MAX);
                bytes.is_ok_and(|bytes| bytes == level.hashes.concat())
            });
        }
    }

    /// Makes every full tile durable, and its name.
    pub fn settle(&mut self, disk: &Disk, paths: &Paths) -> io::Result<()> {
        self.flush(disk, paths)?;
        let dir = paths.tiles();
        let mut folders = BTreeSet::new();
        for path in &self.unsettled {
            disk.settle(&dir.join(path))?;
            folders.extend(path.ancestors().skip(1));
        }
        for folder in folders {
            disk.sync_folder(&dir.join(folder))?;
        }
        self.unsettled.clear();
        Ok(())
    }

    /// The state of a tree of this size whose full tiles are on disk, from the unfinished tile of each level, which are not;
    /// `None` if there are more or fewer hashes.
    pub fn at(size: u64, edge: &[Hash]) -> Option<Self> {
        let (mut tiles, mut rest) = (Self::default(), edge);
        for number in 0..levels_of(size) {
            let (hashes, behind) = rest.split_at_checked(partial_width(size, number))?;
            let full = size.checked_shr(8 * (number + 1)).unwrap_or(0);
            tiles.levels.push(Level { full, hashes: hashes.to_vec(), written: None });
            rest = behind;
        }
        rest.is_empty().then_some(tiles)
    }

    /// The hashes of the unfinished tile of each level, the leaves first.
    pub fn edge(&self) -> Vec<Hash> {
        self.levels.iter().flat_map(|level| level.hashes.iter().copied()).collect()
    }

    /// The same as the roots of perfect subtrees: what the tree goes on from.
    pub fn frontier(&self, size: u64) -> Option<Frontier> {
        let mut roots = Vec::new();
        for level in self.levels.iter().rev() {
            let mut rest = &level.hashes[..];
            while !rest.is_empty() {
                let (subtree, behind) = rest.split_at(1 << rest.len().ilog2());
                roots.push(perfect_root(subtree));
                rest = behind;
            }
        }
        Frontier::of(size, roots)
    }

    /// Whether the tree ends with these leaves, which begin a tile and are not more than a tile of tiles. (It may deny it where they
    /// end one of those.)
    pub fn end_with(&self, leaves: &[Hash]) -> bool {
        let (whole, rest) = leaves.as_chunks::<WIDTH>();
        let level = |number: usize| self.levels.get(number).map_or(&[][..], |level| &level.hashes);
        let above: Vec<Hash> = whole.iter().map(|tile| perfect_root(tile)).collect();
        level(0) == rest && level(1).ends_with(&above)
    }

    /// Whether every full tile has its name on disk, and nobody has touched it since.
    pub fn are_untouched(&self, paths: &Paths, since: Changed) -> bool {
        let dir = paths.tiles();
        self.full_names().all(|name| {
            let found = dir.join(name).symlink_metadata();
            found.is_ok_and(|found| found.is_file() && Changed::of(&found) <= since)
        })
    }

    fn full_names(&self) -> impl Iterator<Item = PathBuf> {
        let levels = self.levels.iter().enumerate();
        levels.flat_map(|(number, level)| (0..level.full).map(move |index| path(number, index, WIDTH)))
    }

    fn names(&self) -> HashSet<PathBuf> {
        let partial = self.levels.iter().enumerate().filter_map(|(number, level)| level.partial(number));
        self.full_names().chain(partial).collect()
    }
}

impl Level {
    fn partial(&self, number: usize) -> Option<PathBuf> {
        (!self.hashes.is_empty()).then(|| path(number, self.full, self.hashes.len()))
    }
}

/// How many levels a tree of this size has.
fn levels_of(size: u64) -> u32 {
    (u64::BITS - size.leading_zeros()).div_ceil(8)
}

/// How many hashes the unfinished tile of a level has.
fn partial_width(size: u64, level: u32) -> usize {
    usize::try_from((size >> (8 * level)) & 0xff).unwrap_or_default()
}

/// How many hashes the unfinished tiles of all levels have.
pub(crate) fn edge_len(size: u64) -> usize {
    (0..levels_of(size)).map(|level| partial_width(size, level)).sum()
}

/// The right edge that the tree had at a size, by the tiles on disk of one of `now` records. Nothing vouches for them: the
/// caller holds the root over it against one that is known.
pub(crate) fn frontier_on_disk(paths: &Paths, now: u64, size: u64) -> Option<Frontier> {
    let mut edge = Vec::new();
    for level in 0..levels_of(size) {
        let width = partial_width(size, level);
        if width > 0 {
            let index = size.checked_shr(8 * (level + 1)).unwrap_or(0);
            edge.extend_from_slice(hashes_on_disk(paths, level, index, now)?.get(..width)?);
        }
    }
    Tiles::at(size, &edge)?.frontier(size)
}

/// The hashes of each level, the leaves first.
fn levels(leaves: &[Hash]) -> Vec<Vec<Hash>> {
    let mut levels = Vec::new();
    let mut hashes = leaves.to_vec();
    while !hashes.is_empty() {
        let above = hashes.chunks_exact(WIDTH).map(perfect_root).collect();
        levels.push(std::mem::replace(&mut hashes, above));
    }
    levels
}

/// A tile that may be on disk.
pub(crate) struct Allowed {
    pub digest: Digest,
    /// It must be there.
    pub is_required: bool,
}

/// The tiles that the log of these leaves may have on disk, when the newest one there belongs to one of these sizes of
/// the tree, the last of which is all leaves.
pub(crate) fn allowed(leaves: &[Hash], sizes: &[u64]) -> BTreeMap<PathBuf, Allowed> {
    let width = WIDTH as u64;
    let levels = levels(leaves);
    let mut tiles = BTreeMap::new();
    let oldest = sizes.first().copied().unwrap_or(0);
    for (number, hashes) in levels.iter().enumerate() {
        let count_at = |size: u64| size >> (8 * number);
        for (index, chunk) in (0u64..).zip(hashes.chunks_exact(WIDTH)) {
            let is_required = (index + 1) * width <= count_at(oldest);
            tiles.insert(
                path(number, index, WIDTH),
                Allowed { digest: Digest::of(&chunk.concat()), is_required },
            );
        }
        for size in sizes {
            let (index, partial) = (count_at(*size) / width, count_at(*size) % width);
            let from = usize::try_from(index * width).unwrap_or(usize::MAX);
            let wide = usize::try_from(partial).unwrap_or(0);
            let Some(chunk) = hashes.get(from..from + wide).filter(|chunk| !chunk.is_empty()) else {
                continue;
            };
            let digest = Digest::of(&chunk.concat());
            tiles.insert(path(number, index, wide), Allowed { digest, is_required: sizes.len() == 1 });
        }
    }
    tiles
}

/// The leaf of a record according to the tiles on disk, if they have it.
pub(crate) fn leaf_on_disk(paths: &Paths, tree_size: u64, seq: u64) -> Option<Hash> {
    let at = usize::try_from(seq % WIDTH as u64).ok()?;
    hashes_on_disk(paths, 0, seq / WIDTH as u64, tree_size)?.get(at).copied()
}

/// A tile on disk of a tree of that size.
fn hashes_on_disk(paths: &Paths, level: u32, index: u64, tree_size: u64) -> Option<Vec<Hash>> {
    let count = tree_size.checked_shr(8 * level)?.checked_sub(index * WIDTH as u64)?.min(WIDTH as u64);
    let file = paths.tiles().join(path(usize::try_from(level).ok()?, index, usize::try_from(count).ok()?));
    Some(read_limited(&file, SMALL_BYTES_MAX).ok()?.as_chunks().0.to_vec())
}

fn write(disk: &Disk, path: &std::path::Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.is_dir()) {
        disk.folder(folder)?;
    }
    disk.derive(path, bytes)
}

/// `<level>/<index>` with the index in groups of three digits, `x` before all but the last; `.p/<width>` when partial.
fn path(level: usize, index: u64, width: usize) -> PathBuf {
    let mut name = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        name = format!("x{:03}/{name}", rest % 1000);
        rest /= 1000;
    }
    let partial = if width < WIDTH { format!(".p/{width}") } else { String::new() };
    format!("{level}/{name}{partial}").into()
}

/// Root of a tree whose size is a power of two.
fn perfect_root(hashes: &[Hash]) -> Hash {
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        row = row.chunks_exact(2).map(|pair| node(&pair[0], &pair[1])).collect();
    }
    row[0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::{Frontier, leaf};

    #[test]
    fn paths_are_those_of_the_specification() {
        assert_eq!(path(0, 1_234_067, WIDTH).to_str(), Some("0/x001/x234/067"));
        assert_eq!(path(1, 7, 5).to_str(), Some("1/007.p/5"));
    }

    #[test]
    fn a_full_tile_hashes_to_the_tree_of_its_leaves() {
        let leaves: Vec<Hash> = (0..256u32).map(|i| leaf(&i.to_be_bytes())).collect();
        let mut frontier = Frontier::default();
        leaves.iter().for_each(|l| frontier.push(*l));
        assert_eq!(perfect_root(&leaves), frontier.root());
        let mut tiles = Tiles::default();
        leaves.iter().for_each(|leaf| tiles.push(*leaf));
        assert_eq!(tiles.names().len(), 2);
    }

    #[test]
    fn a_tree_goes_on_from_its_edge_at_every_size() {
        let (mut tiles, mut frontier) = (Tiles::default(), Frontier::default());
        for size in 0..70_000u64 {
            if size < 700 || size % 251 == 0 || size % 256 < 2 || size > 69_990 {
                let edge = tiles.edge();
                assert_eq!(edge.len(), edge_len(size), "{size}");
                let again = Tiles::at(size, &edge).unwrap();
                assert_eq!(again.frontier(size).unwrap().root(), frontier.root(), "{size}");
                assert!(size % 251 != 0 || again.names() == tiles.names(), "{size}");
                assert!(edge.is_empty() || Tiles::at(size, &edge[1..]).is_none(), "{size}");
            }
            let hash = leaf(&size.to_be_bytes());
            tiles.push(hash);
            frontier.push(hash);
        }
    }
}
