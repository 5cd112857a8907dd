//! Where the vault's memory of the log lies, and who vouches for it.

use crate::durable::Disk;
use crate::error::{Error, io_error};
use crate::paths::{Changed, SMALL_BYTES_MAX, read_limited};
use crate::remembered::{MemoryKey, Remembered, Seal};
use crate::token::Digest;
use std::io;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// So many new records are remembered without being asked for it, while somebody vouches.
pub(crate) const REMEMBER_RECORDS: u64 = if cfg!(test) { 40 } else { 4096 };

/// What lies in the file.
#[derive(Debug)]
pub(crate) struct Found {
    pub remembered: Remembered,
    pub seal: Seal,
    /// When it was put there.
    pub since: Changed,
}

/// The memory of one opening of a log.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// The file; `None` for a log that nobody remembers.
    path: Option<PathBuf>,
    /// Whose word it is, as long as the vault is open.
    key: Option<Zeroizing<MemoryKey>>,
    /// The seal of what this opening went on from, until it is proven.
    pub unproven: Option<Seal>,
    /// What was remembered and is not what this opening found: so many records with this root.
    pub missed: Option<(Seal, u64, Digest)>,
    /// How many records there were when something was remembered last, or was to be.
    size: u64,
    /// A tile may not be on the disk, and nothing that follows would tell.
    is_doubtful: bool,
}

impl Memory {
    /// What lies in a file, and the memory that goes on from it. What cannot be read as such is as good as nothing.
    ///
    /// # Errors
    /// `Io` when there is something that the system does not hand out.
    pub fn open(path: Option<&Path>) -> Result<(Self, Option<Found>), Error> {
        let Some(path) = path else { return Ok((Self::default(), None)) };
        let since = path.symlink_metadata().map(|found| Changed::of(&found));
        let found = match since.and_then(|since| Ok((since, read_limited(path, SMALL_BYTES_MAX)?))) {
            Ok((since, bytes)) => {
                Remembered::parse(&bytes).map(|(remembered, seal)| Found { remembered, seal, since })
            }
            Err(e) if matches!(e.kind(), io::ErrorKind::PermissionDenied) => {
                return Err(io_error("read", path)(e));
            }
            // Absent, too long, a folder or a link, unreadable blocks: all records tell.
            Err(_) => None,
        };
        Ok((Self { path: Some(path.to_owned()), ..Self::default() }, found))
    }

    /// From here on this key vouches. Whether the seal that is still to be proven is by it.
    pub fn trust(&mut self, key: &MemoryKey) -> bool {
        self.key = Some(Zeroizing::new(*key));
        self.unproven.is_none_or(|seal| seal.is_by(key))
    }

    /// From here on nobody vouches.
    pub fn forget_key(&mut self) {
        self.key = None;
    }

    /// Whether so many records are to be remembered without being asked.
    pub fn is_due(&self, size: u64) -> bool {
        self.key.is_some() && size.saturating_sub(self.size) >= REMEMBER_RECORDS
    }

    /// Puts a state of so many records in the file. `settle` makes durable what a start will not look at again; if that fails,
    /// nothing is remembered by this process any more: a sync that works afterwards proves nothing.
    pub fn keep(
        &mut self,
        disk: &Disk,
        remembered: impl FnOnce() -> Remembered,
        size: u64,
        settle: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let (Some(path), Some(key)) = (&self.path, &self.key) else { return Ok(()) };
        if self.is_doubtful || self.unproven.is_some() || self.size == size {
            return Ok(());
        }
        self.size = size;
        settle().inspect_err(|_| self.is_doubtful = true)?;
        disk.replace(path, &remembered().bytes(key))
    }
}
