//! Everything that the log does to the disk. No other file of this crate writes.
//!
//! Each function has the system calls that it makes above it; between any two of them the machine may lose power.

use crate::paths::open_regular;
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek as _, SeekFrom, Write};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A file is copied in pieces of this size.
const CHUNK_BYTES: usize = 64 << 10;

/// The disk. In tests it can be made to fail, or to stop, before any single effect.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    #[cfg(test)]
    pub faults: crate::faults::Faults,
}

impl Disk {
    /// A point between two effects, and the effect that follows.
    #[cfg(test)]
    fn step(&self, name: &'static str, effect: Effect<'_>) -> io::Result<()> {
        self.faults.step(name, effect)
    }

    #[cfg(not(test))]
    #[allow(clippy::unused_self, clippy::unnecessary_wraps)]
    fn step(&self, _: &'static str, _: Effect<'_>) -> io::Result<()> {
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
        self.step("append", Effect::None).map_err(AppendError::Write)?;
        #[cfg(test)]
        if self.faults.is_torn() {
            let _ = (&*file).write_all(&bytes[..bytes.len() / 2]);
            self.faults.stop();
        }
        self.step("append: write", Effect::Append(file, bytes)).map_err(AppendError::Write)?;
        (&*file).write_all(bytes).map_err(AppendError::Write)?;
        self.step("append: sync", Effect::Sync(file)).map_err(AppendError::Sync)?;
        wait(file, File::sync_data).map_err(AppendError::Sync)
    }

    /// Creates an empty file that must not exist, and makes its name durable.
    ///
    /// ```text
    /// openat(AT_FDCWD, "seg/00000001.jsonl", O_WRONLY|O_CREAT|O_EXCL|O_APPEND|O_CLOEXEC, 0600) = 4
    /// openat(AT_FDCWD, "seg", O_RDONLY|O_CLOEXEC) = 5
    /// fsync(5)                              = 0
    /// ```
    pub fn create(&self, path: &Path) -> io::Result<File> {
        self.step("create", Effect::New(path, &[]))?;
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(path)?;
        // The caller takes it for not made, and may try again.
        self.sync_parent(path).inspect_err(|_| drop(self.discard(path)))?;
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
        self.put(path, bytes)
    }

    /// Puts a copy of the first `len` bytes of a file in its place, as [`Disk::replace`] does. After a failed sync the
    /// kernel takes what it holds for written; only bytes that are written to another file are surely written again.
    pub fn renew(&self, path: &Path, len: u64) -> io::Result<()> {
        let old = open_regular(path, OpenOptions::new().read(true))?;
        self.put(path, old.take(len))
    }

    fn put(&self, path: &Path, content: impl Read) -> io::Result<()> {
        let new = new_name(path);
        self.step("replace: write", Effect::New(&new, &[]))?;
        let file = write_new(&new, &[])?;
        if let Err(e) = self.fill(&file, content) {
            // The space is needed.
            let _ = self.discard(&new);
            return Err(e);
        }
        self.step("replace: rename", Effect::Rename(&new, path))?;
        fs::rename(&new, path)?;
        self.sync_parent(path)
    }

    /// Not `io::copy`: that may share the blocks of another file instead of writing them.
    fn fill(&self, file: &File, mut content: impl Read) -> io::Result<()> {
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let bytes = content.read(&mut chunk)?;
            if bytes == 0 {
                break;
            }
            self.step("replace: bytes", Effect::Append(file, &chunk[..bytes]))?;
            (&*file).write_all(&chunk[..bytes])?;
        }
        self.step("replace: sync", Effect::Sync(file))?;
        wait(file, File::sync_all)
    }

    /// Whether there is room, here and now, for the names of the new files with which [`Disk::replace`] would put these in
    /// place. Their bytes may still find the disk full.
    pub fn try_names(&self, paths: &[PathBuf]) -> io::Result<()> {
        self.step("try names", Effect::None)?;
        let new: Vec<PathBuf> = paths.iter().map(|path| new_name(path)).collect();
        let made = new.iter().try_for_each(|new| write_new(new, &[]).map(drop));
        // One that stays is removed by whoever makes the next one.
        new.iter().for_each(|new| drop(fs::remove_file(new)));
        made
    }

    /// Puts a file in place that can be made again from others: as [`Disk::replace`], without waiting for the disk.
    pub fn derive(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let new = new_name(path);
        self.step("derive: write", Effect::New(&new, bytes))?;
        write_new(&new, bytes)?;
        self.step("derive: rename", Effect::Rename(&new, path))?;
        fs::rename(&new, path)
    }

    /// Makes a file durable that [`Disk::derive`] has put in place.
    ///
    /// ```text
    /// openat(AT_FDCWD, "tile/0/016", O_RDONLY|O_NONBLOCK|O_NOFOLLOW|O_CLOEXEC) = 5
    /// fsync(5)                              = 0
    /// ```
    pub fn settle(&self, path: &Path) -> io::Result<()> {
        let file = open_regular(path, OpenOptions::new().read(true))?;
        self.step("settle", Effect::Sync(&file))?;
        wait(&file, File::sync_all)
    }

    /// Writes over bytes of a file in place, so that on ordinary storage the old ones are gone, and no room is needed.
    ///
    /// ```text
    /// openat(AT_FDCWD, "epoch.key", O_WRONLY|O_NONBLOCK|O_NOFOLLOW|O_CLOEXEC) = 5
    /// lseek(5, 0, SEEK_SET)                 = 0
    /// write(5, "...", 118)                  = 118
    /// fdatasync(5)                          = 0
    /// ```
    pub fn overwrite(&self, path: &Path, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.step("overwrite", Effect::None)?;
        let mut file = open_regular(path, OpenOptions::new().write(true))?;
        file.seek(SeekFrom::Start(at))?;
        #[cfg(test)]
        if self.faults.is_torn() {
            let _ = file.write_all(&bytes[..bytes.len() / 2]);
            self.faults.stop();
        }
        self.step("overwrite: write", Effect::Write(&file, at, bytes))?;
        file.write_all(bytes)?;
        self.step("overwrite: sync", Effect::Sync(&file))?;
        wait(&file, File::sync_data)
    }

    /// Cuts a file to a length, durably.
    pub fn truncate(&self, file: &File, len: u64) -> io::Result<()> {
        self.step("truncate", Effect::Cut(file, len))?;
        file.set_len(len)?;
        self.step("truncate: sync", Effect::Sync(file))?;
        wait(file, File::sync_data)
    }

    /// Removes a file and makes its absence durable.
    pub fn remove(&self, path: &Path) -> io::Result<()> {
        self.step("remove", Effect::Remove(path))?;
        fs::remove_file(path)?;
        self.sync_parent(path)
    }

    /// Removes a file that is derived or left over; no matter if it is gone already.
    pub fn discard(&self, path: &Path) -> io::Result<()> {
        self.step("discard", Effect::Remove(path))?;
        match fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }

    /// Makes a folder (0700) unless it is there, and its name durable: whoever made it may have been killed before that.
    pub fn folder(&self, path: &Path) -> io::Result<()> {
        if path.is_dir() {
            return self.sync_parent(path);
        }
        self.step("folder", Effect::Folder(path))?;
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let remove = || self.step("discard", Effect::Remove(path)).and_then(|()| fs::remove_dir(path));
        // The name may be lost; the next one to need the folder makes it anew.
        self.sync_parent(path).inspect_err(|_| drop(remove()))
    }

    fn sync_parent(&self, path: &Path) -> io::Result<()> {
        path.parent().map_or(Ok(()), |parent| self.sync_folder(parent))
    }

    /// Makes the names in a folder durable.
    pub fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.step("sync folder", Effect::SyncFolder(folder))?;
        wait(&File::open(folder)?, File::sync_all)
    }
}

/// A folder that is held, so that each path in it leads into this one, whatever takes its name meanwhile. It keeps its disk from being
/// taken out: hold it no longer than one act.
#[derive(Debug)]
pub(crate) struct Held(File);

impl Held {
    /// Opens it; no link is followed.
    ///
    /// # Errors
    /// What the system says; `NotADirectory`.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let flags = (OFlags::DIRECTORY | OFlags::NOFOLLOW).bits().cast_signed();
        let opened = OpenOptions::new().read(true).custom_flags(flags).open(folder);
        let is_other = |e: &io::Error| {
            e.kind() == io::ErrorKind::NotADirectory || Errno::from_io_error(e) == Some(Errno::LOOP)
        };
        opened.map(Self).map_err(|e| match is_other(&e) {
            true => io::Error::new(io::ErrorKind::NotADirectory, "it is no folder any more"),
            false => e,
        })
    }

    /// Its disk, and its number there.
    ///
    /// # Errors
    /// What the system says.
    pub fn place(&self) -> io::Result<(u64, u64)> {
        self.0.metadata().map(|found| (found.dev(), found.ino()))
    }

    /// The way to it by its descriptor, as long as it is held.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.0.as_raw_fd()))
    }
}

/// Waits until a file or folder is durable. Tests do not: they see what the kernel has, and what a disk keeps is a model
/// of theirs.
fn wait(file: &File, sync: fn(&File) -> io::Result<()>) -> io::Result<()> {
    if cfg!(test) { Ok(()) } else { sync(file) }
}

/// What is done to the disk next. Tests keep it, to cut the power afterwards.
#[cfg_attr(not(test), expect(dead_code, reason = "only tests look into it"))]
pub(crate) enum Effect<'a> {
    /// None by itself.
    None,
    Folder(&'a Path),
    /// A new file with this content.
    New(&'a Path, &'a [u8]),
    Append(&'a File, &'a [u8]),
    Write(&'a File, u64, &'a [u8]),
    Cut(&'a File, u64),
    Rename(&'a Path, &'a Path),
    Remove(&'a Path),
    Sync(&'a File),
    SyncFolder(&'a Path),
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
