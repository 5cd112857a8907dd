//! The tree as files: c2sp.org/tlog-tiles, 256 hashes to a tile. Derived from the segments, and made again from them
//! whenever the log is opened.

use crate::durable::Disk;
use crate::merkle::{Hash, node};
use crate::paths::{Paths, SMALL_BYTES_MAX, files_below, read_limited};
use crate::token::Digest;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

/// Hashes in a full tile.
pub(crate) const WIDTH: usize = 256;

/// The unfinished right edge of each level, and what of it is on disk.
#[derive(Debug, Default)]
pub(crate) struct Tiles {
    levels: Vec<Level>,
    /// Full tiles that are not on disk yet.
    pending: Vec<(PathBuf, Vec<u8>)>,
}

#[derive(Debug, Default)]
struct Level {
    /// Number of full tiles.
    full: u64,
    hashes: Vec<Hash>,
    /// Partial tile on disk, to be removed when a wider one is there.
    written: Option<PathBuf>,
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
                self.pending.push((path(number, level.full, WIDTH), level.hashes.concat()));
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
        while let Some((path, bytes)) = self.pending.last() {
            write(disk, &dir.join(path), bytes)?;
            self.pending.pop();
        }
        for (number, level) in self.levels.iter_mut().enumerate() {
            let path = (!level.hashes.is_empty()).then(|| path(number, level.full, level.hashes.len()));
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

    /// The state for a tree of these leaves whose tiles are on disk.
    pub fn at(leaves: &[Hash]) -> Self {
        let mut tiles = Self::default();
        leaves.iter().for_each(|leaf| tiles.push(*leaf));
        tiles.pending.clear();
        for (number, level) in tiles.levels.iter_mut().enumerate() {
            level.written = (!level.hashes.is_empty()).then(|| path(number, level.full, level.hashes.len()));
        }
        tiles
    }
}

/// Every tile of a tree of these leaves, by its path below `tile/`.
pub(crate) fn expected(leaves: &[Hash]) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut tiles = BTreeMap::new();
    for (number, hashes) in levels(leaves).iter().enumerate() {
        for (index, chunk) in hashes.chunks(WIDTH).enumerate() {
            tiles.insert(path(number, index as u64, chunk.len()), chunk.concat());
        }
    }
    tiles
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

/// Makes the tiles on disk those of the leaves.
pub(crate) fn rebuild(disk: &Disk, paths: &Paths, leaves: &[Hash]) -> io::Result<()> {
    let dir = paths.tiles();
    let expected = expected(leaves);
    for file in files_below(&dir)? {
        if !file.strip_prefix(&dir).is_ok_and(|name| expected.contains_key(name)) {
            disk.discard(&file)?;
        }
    }
    for (name, bytes) in &expected {
        let file = dir.join(name);
        if read_limited(&file, SMALL_BYTES_MAX).ok().as_ref() != Some(bytes) {
            write(disk, &file, bytes)?;
        }
    }
    Ok(())
}

/// The leaf of a record according to the tiles on disk, if they have it.
pub(crate) fn leaf_on_disk(paths: &Paths, tree_size: u64, seq: u64) -> Option<Hash> {
    let width = WIDTH as u64;
    let (index, at) = (seq / width, usize::try_from(seq % width).ok()?);
    let count = (tree_size - index * width).min(width);
    let file = paths.tiles().join(path(0, index, usize::try_from(count).ok()?));
    read_limited(&file, SMALL_BYTES_MAX).ok()?.get(32 * at..32 * at + 32)?.try_into().ok()
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
        assert_eq!(expected(&leaves).len(), 2);
    }
}
