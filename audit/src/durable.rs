//! Everything that the log does to the disk. No other file of this crate writes.
//!
//! Each function has the system calls that it makes above it; between any two of them the machine may lose power.

use crate::paths::open_regular;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The disk. In tests it can be made to fail, or to stop, before any single effect.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    #[cfg(test)]
    pub faults: crate::faults::Faults,
}

impl Disk {
    /// A point between two effects.
    #[cfg(test)]
    fn step(&self, name: &'static str) -> io::Result<()> {
        self.faults.step(name)
    }

    #[cfg(not(test))]
    #[allow(clippy::unused_self, clippy::unnecessary_wraps)]
    fn step(&self, _: &'static str) -> io::Result<()> {
        Ok(())
    }

    /// Appends, and returns when the bytes are durable.
    ///
    /// ```text
    /// write(4, "{\"actor\":...}\n", 402)    = 402
    /// fdatasync(4)                          = 0
    /// ```
    ///
    /// The file is opened with `O_APPEND`. When the write fails the file may have grown by a part of the bytes: the
    /// caller cuts it back. When the sync fails nothing is known about the bytes, and the log ends.
    pub fn append(&self, file: &File, bytes: &[u8]) -> Result<(), AppendError> {
        let mut file = file;
        self.step("append").map_err(AppendError::Write)?;
        #[cfg(test)]
        if self.faults.is_torn() {
            let _ = file.write_all(&bytes[..bytes.len() / 2]);
            self.faults.stop();
        }
        self.step("append: write").map_err(AppendError::Write)?;
        file.write_all(bytes).map_err(AppendError::Write)?;
        self.step("append: sync").map_err(AppendError::Sync)?;
        file.sync_data().map_err(AppendError::Sync)
    }

    /// Creates an empty file that must not exist, and makes its name durable.
    ///
    /// ```text
    /// openat(AT_FDCWD, "seg/00000001.jsonl", O_WRONLY|O_CREAT|O_EXCL|O_APPEND|O_CLOEXEC, 0600) = 4
    /// openat(AT_FDCWD, "seg", O_RDONLY|O_CLOEXEC) = 5
    /// fsync(5)                              = 0
    /// ```
    pub fn create(&self, path: &Path) -> io::Result<File> {
        self.step("create")?;
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(path)?;
        if let Err(e) = self.sync_parent(path) {
            // The caller takes it for not made, and may try again.
            let _ = fs::remove_file(path);
            return Err(e);
        }
        Ok(file)
    }

    /// Puts a whole file in place: afterwards either the old content or the new one is there, durably.
    ///
    /// ```text
    /// openat(AT_FDCWD, "vkeys.new", O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, 0600) = 5
    /// write(5, "...", 90)                   = 90
    /// fsync(5)                              = 0
    /// rename("vkeys.new", "vkeys")          = 0
    /// openat(AT_FDCWD, ".", O_RDONLY|O_CLOEXEC) = 6
    /// fsync(6)                              = 0
    /// ```
    pub fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let new = new_name(path);
        self.step("replace: write")?;
        let file = write_new(&new, bytes)?;
        self.step("replace: sync")?;
        file.sync_all()?;
        self.step("replace: rename")?;
        fs::rename(&new, path)?;
        self.sync_parent(path)
    }

    /// Whether there is room, here and now, for the names of the new files with which [`Disk::replace`] would put these in
    /// place. Their bytes may still find the disk full.
    pub fn try_names(&self, paths: &[PathBuf]) -> io::Result<()> {
        self.step("try names")?;
        let new: Vec<PathBuf> = paths.iter().map(|path| new_name(path)).collect();
        let made = new.iter().try_for_each(|new| write_new(new, &[]).map(drop));
        // One that stays is removed by whoever makes the next one.
        new.iter().for_each(|new| drop(fs::remove_file(new)));
        made
    }

    /// Puts a file in place that can be made again from others: as [`Disk::replace`], without waiting for the disk.
    pub fn derive(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let new = new_name(path);
        self.step("derive: write")?;
        write_new(&new, bytes)?;
        self.step("derive: rename")?;
        fs::rename(&new, path)
    }

    /// Writes over a file of the same length, in place, so that on ordinary storage the old bytes are gone.
    ///
    /// ```text
    /// openat(AT_FDCWD, "epoch.key", O_WRONLY|O_NONBLOCK|O_NOFOLLOW|O_CLOEXEC) = 5
    /// write(5, "...", 118)                  = 118
    /// fdatasync(5)                          = 0
    /// ```
    pub fn overwrite(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.step("overwrite")?;
        let mut file = open_regular(path, OpenOptions::new().write(true))?;
        #[cfg(test)]
        if self.faults.is_torn() {
            let _ = file.write_all(&bytes[..bytes.len() / 2]);
            self.faults.stop();
        }
        self.step("overwrite: write")?;
        file.write_all(bytes)?;
        self.step("overwrite: sync")?;
        file.sync_data()
    }

    /// Cuts a file to a length, durably.
    pub fn truncate(&self, file: &File, len: u64) -> io::Result<()> {
        self.step("truncate")?;
        file.set_len(len)?;
        self.step("truncate: sync")?;
        file.sync_data()
    }

    /// Removes a file and makes its absence durable.
    pub fn remove(&self, path: &Path) -> io::Result<()> {
        self.step("remove")?;
        fs::remove_file(path)?;
        self.sync_parent(path)
    }

    /// Removes a file that is derived or left over; no matter if it is gone already.
    pub fn discard(&self, path: &Path) -> io::Result<()> {
        self.step("discard")?;
        match fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }

    /// Makes a folder (0700) unless it is there.
    pub fn folder(&self, path: &Path) -> io::Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        self.step("folder")?;
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        self.sync_parent(path)
    }

    fn sync_parent(&self, path: &Path) -> io::Result<()> {
        self.step("sync folder")?;
        match path.parent() {
            Some(parent) => File::open(parent)?.sync_all(),
            None => Ok(()),
        }
    }
}

/// Where an append failed decides what is known about the file.
#[derive(Debug)]
pub(crate) enum AppendError {
    Write(io::Error),
    Sync(io::Error),
}

/// Whether an error says that the disk is full, or the user's share of it, or that a file may not grow.
pub(crate) fn is_full(error: &io::Error) -> bool {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => true,
        // From the system it is about a write; our own is about a file that nobody would read.
        io::ErrorKind::FileTooLarge => error.raw_os_error().is_some(),
        _ => false,
    }
}

/// Opens for appending what is there already.
pub(crate) fn open_append(path: &Path) -> io::Result<File> {
    open_regular(path, OpenOptions::new().append(true))
}

/// Whether the open file is still the one with that name, and has that length: nobody removed it, put another one in
/// its place, or wrote to it.
pub(crate) fn is_in_place(file: &File, path: &Path, len: u64) -> bool {
    let (Ok(ours), Ok(named)) = (file.metadata(), fs::symlink_metadata(path)) else { return false };
    ours.ino() == named.ino() && ours.dev() == named.dev() && ours.nlink() == 1 && ours.len() == len
}

/// Writes a temporary file; what a full disk did not take is removed at once, since the space is needed. What lies there
/// already is what a crash left, or a link or pipe that somebody put there: it is removed and never opened.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let open = || OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = match open() {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(path)?;
            open()?
        }
        other => other?,
    };
    if let Err(e) = file.write_all(bytes) {
        let _ = fs::remove_file(path);
        return Err(e);
    }
    Ok(file)
}

/// `name.new`, beside the file.
fn new_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}
