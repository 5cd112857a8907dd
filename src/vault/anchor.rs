//! The anchor: the one small file whose overwriting destroys keys.
//!
//! It holds the epoch key, without which the log key cannot be derived. Two cells of 64 bytes, 2048 apart in a file of
//! 4096 bytes (a smaller file may live inside an inode or a metadata leaf, where old copies stay behind):
//! `epoch 8 ‖ epoch key 32 ‖ SHA-256(those 40)[..24]`, or, wiped, `random 56 ‖ "lp1/wipe"`. The marker comes last, so a
//! wipe that was cut short is seen and done again.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use rustix::fs::IFlags;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::Error;
use crate::cobblestone::Key;
use crate::disk::{self, Folder};
use crate::random::Random;

/// What overwriting the anchor is worth on the file system it lies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Grade {
    /// B: the overwrite reaches the same blocks. A copy in a flash drive's spare blocks cannot be excluded.
    InPlace,
    /// V: everything is gone at power-off.
    Volatile,
    /// C: old copies are kept by the file system (named here) or may be; erasure is conditional on their end.
    KeepsHistory(&'static str),
}

impl Grade {
    /// The letter used in records: B, V or C. A is kept for a TPM or HSM.
    pub fn letter(self) -> char {
        match self {
            Self::InPlace => 'B',
            Self::Volatile => 'V',
            Self::KeepsHistory(_) => 'C',
        }
    }
}

/// Looks at the file system under `path` (a file or a folder). What cannot be examined is graded C.
pub fn grade(path: &Path) -> io::Result<Grade> {
    // Numbers from the kernel's magic.h and from each file system's own header.
    const EXT4: u64 = 0xEF53;
    const XFS: u64 = 0x5846_5342;
    let file = disk::look(path)?;
    let kind = rustix::fs::fstatfs(&file)?.f_type as u64 & 0xFFFF_FFFF;
    Ok(match kind {
        EXT4 => grade_ext4(&file)?,
        XFS => Grade::InPlace,
        0x0102_1994 | 0x8584_58F6 => Grade::Volatile, // tmpfs, ramfs
        0x9123_683E => Grade::KeepsHistory("btrfs"), // also with chattr +C: one snapshot and the old block stays
        0x2FC1_2FC1 => Grade::KeepsHistory("zfs"),
        0xF2F5_2010 => Grade::KeepsHistory("f2fs"),
        0xCA45_1A4E => Grade::KeepsHistory("bcachefs"),
        0x794C_7630 => Grade::KeepsHistory("overlayfs"),
        0x6969 => Grade::KeepsHistory("nfs"),
        _ => Grade::KeepsHistory("a file system that was not examined"),
    })
}

fn grade_ext4(file: &File) -> io::Result<Grade> {
    const INLINE_DATA: u32 = 0x1000_0000;
    let flags = rustix::fs::ioctl_getflags(file).unwrap_or(IFlags::empty());
    if flags.contains(IFlags::JOURNALING) {
        return Ok(Grade::KeepsHistory("ext4 with chattr +j"));
    }
    if flags.bits() & INLINE_DATA != 0 {
        return Ok(Grade::KeepsHistory("ext4 with data inside the inode"));
    }
    let device = file.metadata()?.dev();
    let id = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
    let Ok(mounts) = fs::read_to_string("/proc/self/mountinfo") else {
        return Ok(Grade::KeepsHistory("ext4 whose mount options cannot be read"));
    };
    Ok(match mounts.lines().find(|line| line.split(' ').nth(2) == Some(id.as_str())) {
        Some(line) if line.rsplit(' ').next().is_some_and(|o| o.split(',').any(|o| o == "data=journal")) => {
            Grade::KeepsHistory("ext4 with data=journal")
        }
        Some(_) => Grade::InPlace,
        None => Grade::KeepsHistory("ext4 whose mount is not in sight"),
    })
}

/// File name in the state folder.
pub(crate) const NAME: &str = "anchor";
const FILE_BYTES: usize = 4096;
const CELL_STRIDE: u64 = 2048;
const CELL_BYTES: usize = 64;
const KEYED_BYTES: usize = 40;
const WIPED: &[u8; 8] = b"lp1/wipe";

/// The anchor file of one vault.
pub(crate) struct Anchor<'a> {
    state: &'a Folder,
}

impl<'a> Anchor<'a> {
    pub(crate) fn of(state: &'a Folder) -> Self {
        Self { state }
    }

    /// Makes the file with one epoch's key, durably. Only before there is a vault file.
    pub(crate) fn create(&self, epoch: u64, key: &Key, random: &mut dyn Random) -> Result<(), Error> {
        let doing = Error::io("creating the anchor");
        let mut bytes = Zeroizing::new(vec![0; FILE_BYTES]);
        random.fill(&mut bytes).map_err(Error::Random)?;
        let wiped = wiped(random).map_err(Error::Random)?;
        for (at, cell) in [(epoch, live(epoch, key)), (epoch + 1, wiped)] {
            let start = offset(at) as usize;
            bytes[start..start + CELL_BYTES].copy_from_slice(&cell[..]);
        }
        self.state.prepare(NAME, &bytes).and_then(|()| self.state.sync()).map_err(doing)
    }

    /// The key of `epoch`, if the anchor still has it.
    pub(crate) fn key(&self, epoch: u64) -> Result<Key, Error> {
        self.read(epoch)?
            .filter(|(found, _)| *found == epoch)
            .map(|(_, key)| key)
            .ok_or(Error::EpochKeyGone { epoch })
    }

    /// The highest epoch that the anchor has a key for.
    pub(crate) fn newest(&self) -> Result<Option<u64>, Error> {
        Ok([self.read(0)?, self.read(1)?].into_iter().flatten().map(|(epoch, _)| epoch).max())
    }

    /// The epoch whose key lies in the cell that `epoch` does not use, if there is a whole one.
    pub(crate) fn beside(&self, epoch: u64) -> Option<u64> {
        self.read(epoch + 1).ok().flatten().map(|(found, _)| found)
    }

    /// Writes the key of `epoch` into its cell, durably. The other cell is not touched.
    pub(crate) fn put(&self, epoch: u64, key: &Key) -> io::Result<()> {
        self.overwrite(&[(epoch, live(epoch, key))])
    }

    /// Overwrites whatever the cell of `epoch` holds: the moment at which everything sealed under it ends.
    pub(crate) fn wipe(&self, epoch: u64, random: &mut dyn Random) -> io::Result<()> {
        self.overwrite(&[(epoch, wiped(random)?)])
    }

    /// What overwriting it is worth now. What cannot be examined is of the lowest grade.
    pub(crate) fn grade(&self) -> Grade {
        grade(&self.state.path(NAME))
            .unwrap_or(Grade::KeepsHistory("a file system that could not be examined"))
    }

    /// Whether there is the file.
    pub(crate) fn is_there(&self) -> bool {
        self.state.bytes(NAME) == FILE_BYTES as u64
    }

    /// Overwrites both cells, durably: the end of everything that was sealed under any key of this vault.
    pub(crate) fn destroy(&self, epoch: u64, random: &mut dyn Random) -> io::Result<()> {
        self.overwrite(&[(epoch, wiped(random)?), (epoch + 1, wiped(random)?)])
    }

    /// Writes the key of `epoch` anew as it was read, and overwrites the other cell, whatever it seems to hold: a wipe
    /// whose sync failed looks like one that succeeded.
    pub(crate) fn settle(&self, epoch: u64, random: &mut dyn Random) -> io::Result<()> {
        let gone = |error| match error {
            Error::Io { source, .. } => source,
            _ => io::Error::other("the anchor no longer holds the key of this epoch"),
        };
        let key = self.key(epoch).map_err(gone)?;
        self.overwrite(&[(epoch, live(epoch, &key)), (epoch + 1, wiped(random)?)])
    }

    /// Whether there is anything but noise beside the cell that `epoch` uses: a key, or what is left of one, in the other cell; a whole
    /// key anywhere; more or less than this program ever wrote.
    ///
    /// # Errors
    /// The file cannot be read, or is not there.
    pub(crate) fn has_other(&self, epoch: u64) -> Result<bool, Error> {
        let mut bytes = Zeroizing::new([0; FILE_BYTES]);
        match self.state.bytes(NAME) {
            0 => return Err(Error::EpochKeyGone { epoch }),
            len if len != FILE_BYTES as u64 => return Ok(true),
            _ => self.state.file(NAME, false).and_then(|file| file.read_exact_at(&mut bytes[..], 0)),
        }
        .map_err(Error::io("reading the anchor"))?;
        let [own, other] = [epoch, epoch + 1].map(|epoch| offset(epoch) as usize);
        let is_key = |(at, cell): (usize, &[u8])| at != own && is_whole(cell);
        let is_wiped = bytes[other..][..CELL_BYTES].ends_with(WIPED);
        Ok(!is_wiped || bytes.windows(CELL_BYTES).enumerate().any(is_key))
    }

    /// Whether the cell of `epoch` was wiped to its end.
    pub(crate) fn is_wiped(&self, epoch: u64) -> Result<bool, Error> {
        Ok(self.cell(epoch)?.ends_with(WIPED))
    }

    fn overwrite(&self, cells: &[(u64, Zeroizing<[u8; CELL_BYTES]>)]) -> io::Result<()> {
        let (file, path) = (self.state.file(NAME, true)?, self.state.path(NAME));
        for (epoch, cell) in cells {
            disk::write_at(&file, &path, offset(*epoch), &cell[..])?;
        }
        disk::sync(&file, &path)
    }

    /// What the cell for `epoch` holds, if it is whole.
    fn read(&self, epoch: u64) -> Result<Option<(u64, Key)>, Error> {
        let cell = self.cell(epoch)?;
        if !is_whole(&cell[..]) {
            return Ok(None);
        }
        let (number, bytes) = cell[..KEYED_BYTES].split_first_chunk().expect("a cell has 64 bytes");
        let mut key = Key::default();
        key.copy_from_slice(bytes);
        Ok(Some((u64::from_be_bytes(*number), key)))
    }

    /// A missing or short anchor reads as one without keys.
    fn cell(&self, epoch: u64) -> Result<Zeroizing<[u8; CELL_BYTES]>, Error> {
        let mut cell = Zeroizing::new([0; CELL_BYTES]);
        let read =
            self.state.file(NAME, false).and_then(|file| file.read_exact_at(&mut cell[..], offset(epoch)));
        match read.map_err(|error| (error.kind(), error)) {
            Err((io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof, _)) => cell.fill(0),
            Err((_, error)) => return Err(Error::io("reading the anchor")(error)),
            Ok(()) => {}
        }
        Ok(cell)
    }
}

/// Whether these bytes are a cell with a key.
fn is_whole(cell: &[u8]) -> bool {
    let (keyed, check) = cell.split_at(KEYED_BYTES);
    Sha256::digest(keyed)[..CELL_BYTES - KEYED_BYTES] == *check
}

fn offset(epoch: u64) -> u64 {
    CELL_STRIDE * (epoch % 2)
}

fn live(epoch: u64, key: &Key) -> Zeroizing<[u8; CELL_BYTES]> {
    let mut cell = Zeroizing::new([0; CELL_BYTES]);
    cell[..8].copy_from_slice(&epoch.to_be_bytes());
    cell[8..KEYED_BYTES].copy_from_slice(&key[..]);
    let check = Sha256::digest(&cell[..KEYED_BYTES]);
    cell[KEYED_BYTES..].copy_from_slice(&check[..CELL_BYTES - KEYED_BYTES]);
    cell
}

fn wiped(random: &mut dyn Random) -> io::Result<Zeroizing<[u8; CELL_BYTES]>> {
    let mut cell = Zeroizing::new([0; CELL_BYTES]);
    random.fill(&mut cell[..])?;
    cell[CELL_BYTES - WIPED.len()..].copy_from_slice(WIPED);
    Ok(cell)
}

#[cfg(test)]
mod tests;
