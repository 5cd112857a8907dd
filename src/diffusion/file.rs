//! A file on disk, opened once: a regular file or an error, and noticed when it changes.
//!
//! This is the only place of the crate that opens a file.

use crate::room::room;
use crate::{Error, mmap};
use bytes::Bytes;
use rustix::fs::{Mode, OFlags};
use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// An open regular file and what it looked like when it was opened.
pub(crate) struct OpenFile {
    path: PathBuf,
    file: File,
    stamp: Stamp,
    others_may_write: bool,
}

/// What a write to a file changes. Not the inode's own time: renaming another file over this one changes that,
/// and does no harm to bytes that are held through the open file.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(found: &Metadata) -> Self {
        Self { bytes: found.len(), modified: (found.mtime(), found.mtime_nsec()) }
    }
}

impl OpenFile {
    /// Opens `path` without following a link in its last part.
    ///
    /// A pipe, a socket, a device or a folder is an error at once; an ordinary open of a pipe would wait for ever.
    ///
    /// # Errors
    /// [`Error::ReadFile`].
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::ReadFile { file: path.into(), source };
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOFOLLOW;
        let file = File::from(rustix::fs::open(path, flags, Mode::empty()).map_err(|e| failed(e.into()))?);
        let found = file.metadata().map_err(failed)?;
        if !found.is_file() {
            return Err(failed(std::io::Error::other("it is no regular file")));
        }
        let ours = [0, rustix::process::geteuid().as_raw()].contains(&found.uid());
        let others_may_write = !ours || found.mode() & 0o022 != 0;
        Ok(Self { path: path.into(), file, stamp: Stamp::of(&found), others_may_write })
    }

    /// Its length when it was opened, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.stamp.bytes
    }

    /// Whether an account other than root and the one that runs this program can write it: by its mode, or
    /// because the file is that account's own.
    pub(crate) fn others_may_write(&self) -> bool {
        self.others_may_write
    }

    /// A copy of `count` bytes from `at` on.
    ///
    /// # Errors
    /// As [`OpenFile::read_into`].
    pub(crate) fn read(&self, at: u64, count: u64) -> Result<Bytes, Error> {
        let length = usize::try_from(count).map_err(|_| Error::Memory { bytes: count })?;
        Ok(self.read_into(Vec::new(), at, length)?.into())
    }

    /// A copy of `length` bytes from `at` on, in this memory if there is enough of it.
    ///
    /// # Errors
    /// [`Error::ReadFile`], also if they are not there; [`Error::Memory`].
    pub(crate) fn read_into(&self, mut memory: Vec<u8>, at: u64, length: usize) -> Result<Vec<u8>, Error> {
        if memory.capacity() < length {
            memory = room(length)?;
        }
        memory.resize(length, 0);
        let mut done = 0;
        while done < length {
            match rustix::io::pread(&self.file, &mut memory[done..], at + done as u64) {
                Ok(0) => return Err(self.failed(std::io::ErrorKind::UnexpectedEof.into())),
                Ok(count) => done += count,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(self.failed(error.into())),
            }
        }
        Ok(memory)
    }

    /// The whole file, mapped: its bytes are those on disk, for as long as they are held.
    ///
    /// # Errors
    /// [`Error::ReadFile`].
    pub(crate) fn map(&self) -> Result<Bytes, Error> {
        mmap::map(&self.file).map_err(|source| self.failed(source))
    }

    /// Whether the file is still as it was when it was opened, by its length and the time of its last change.
    ///
    /// # Errors
    /// [`Error::FileChanged`], or [`Error::ReadFile`].
    pub(crate) fn check_unchanged(&self) -> Result<(), Error> {
        let found = self.file.metadata().map_err(|source| self.failed(source))?;
        match Stamp::of(&found) == self.stamp {
            true => Ok(()),
            false => Err(Error::FileChanged { file: self.path.clone() }),
        }
    }

    fn failed(&self, source: std::io::Error) -> Error {
        Error::ReadFile { file: self.path.clone(), source }
    }
}
