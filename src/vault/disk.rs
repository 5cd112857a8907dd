//! Everything that opens or changes a file. No other module opens, writes, syncs, renames or removes.
//!
//! A replaced or new file takes this road, which is the only one that makes bytes durable under a name:
//!
//! ```text
//! prepare   openat(TEMP, O_RDWR|O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC, 0600)  write…  fsync
//! publish   renameat2(TEMP, NAME, 0 or RENAME_NOREPLACE)  fsync(FOLDER)
//! ```
//!
//! A record is appended with `pwrite64… fdatasync`, an anchor cell is overwritten with `pwrite64 fdatasync`.
//! After a failed sync nothing read from the file proves anything: the kernel marks the pages clean although they never
//! reached the disk, and a second sync succeeds without writing them. Only writing anew does.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FallocateFlags, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;

#[cfg(test)]
pub(crate) mod faults;

/// Whether a file of the same name may be replaced.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replace {
    Yes,
    No,
}

/// Whether the disk, a quota or a limit has no room left, for bytes or for names.
pub(crate) fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

/// Makes a folder and its parents, for their owner alone.
pub(crate) fn create_private(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// A folder held open: what is done in it stays in it, wherever its name leads later.
pub(crate) struct Folder {
    handle: OwnedFd,
    path: PathBuf,
}

impl Folder {
    /// Opens a folder, never through a last link.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        step(Step::Open, path)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(Self { handle: rustix::fs::open(path, flags, Mode::empty())?, path: path.to_owned() })
    }

    /// Where a file of this folder lies, for messages.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Makes `bytes` durable under a name that nobody reads yet.
    pub(crate) fn prepare(&self, temp: &str, bytes: &[u8]) -> io::Result<()> {
        let (file, path) = (self.create(temp)?, self.path(temp));
        write_at(&file, &path, 0, bytes)?;
        sync(&file, &path)
    }

    /// As [`Folder::prepare`], in the blocks and the inode of the file `spare`, so that nothing new is needed on a disk
    /// that has neither left. On an error there is `spare` again, as far as the disk allows.
    pub(crate) fn prepare_in(&self, spare: &str, temp: &str, bytes: &[u8]) -> io::Result<()> {
        self.remove(temp)?;
        self.rename(spare, temp)?;
        let fill = || {
            let (file, path) = (self.file(temp, true)?, self.path(temp));
            write_at(&file, &path, 0, bytes)?;
            truncate(&file, &path, bytes.len() as u64)
        };
        fill().inspect_err(|_| drop(self.rename(temp, spare)))
    }

    /// Gives a prepared file its name, durably.
    pub(crate) fn publish(&self, temp: &str, name: &str, replace: Replace) -> io::Result<()> {
        if replace == Replace::Yes {
            self.rename(temp, name)?;
            return self.sync();
        }
        step(Step::Rename { to: name }, &self.path(temp))?;
        match rustix::fs::renameat_with(&self.handle, temp, &self.handle, name, RenameFlags::NOREPLACE) {
            // A file system without this flag (NFS): the lock keeps our own processes apart.
            Err(Errno::INVAL) if !self.has(name)? => {
                rustix::fs::renameat(&self.handle, temp, &self.handle, name)?;
            }
            Err(Errno::INVAL) => return Err(io::ErrorKind::AlreadyExists.into()),
            result => result?,
        }
        self.sync()
    }

    /// [`Folder::prepare`] and [`Folder::publish`].
    pub(crate) fn write(&self, temp: &str, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.prepare(temp, bytes)?;
        self.publish(temp, name, Replace::Yes)
    }

    /// Changes a name, not durably yet.
    pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        step(Step::Rename { to }, &self.path(from))?;
        Ok(rustix::fs::renameat(&self.handle, from, &self.handle, to)?)
    }

    /// Removes a file; one that is not there is no error.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        step(Step::Remove, &self.path(name))?;
        match rustix::fs::unlinkat(&self.handle, name, AtFlags::empty()) {
            Err(Errno::NOENT) => Ok(()),
            result => Ok(result?),
        }
    }

    /// Makes the names in this folder durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        step(Step::SyncFolder, &self.path)?;
        Ok(rustix::fs::fsync(&self.handle)?)
    }

    /// Sets aside a file of `bytes` allocated bytes, durably. What was set aside before stays, whatever comes of it.
    pub(crate) fn reserve(&self, name: &str, bytes: u64) -> io::Result<()> {
        let (file, path) = (self.file(name, true).or_else(|_| self.create(name))?, self.path(name));
        step(Step::Allocate, &path)?;
        if let Err(error) = rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, bytes) {
            if error != Errno::OPNOTSUPP {
                return Err(error.into());
            }
            let zeros = vec![0; 64 * 1024];
            for at in (file.metadata()?.len()..bytes).step_by(zeros.len()) {
                let count = (bytes - at).min(zeros.len() as u64) as usize;
                file.write_all_at(&zeros[..count], at)?;
            }
        }
        sync(&file, &path)?;
        self.sync()
    }

    /// Opens an existing file for reading and, when asked, writing; never through a link, never a pipe.
    pub(crate) fn file(&self, name: &str, writable: bool) -> io::Result<File> {
        step(Step::Open, &self.path(name))?;
        // Opening a pipe must not wait for its other end.
        let access = if writable { OFlags::RDWR } else { OFlags::RDONLY } | OFlags::NONBLOCK;
        let file = File::from(self.open_at(name, access)?);
        match file.metadata()?.is_file() {
            true => Ok(file),
            false => Err(not_regular()),
        }
    }

    /// As [`Folder::file`], made empty if there is none.
    pub(crate) fn file_or_new(&self, name: &str) -> io::Result<File> {
        match self.file(name, true) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            found => return found,
        }
        match self.open_at(name, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL) {
            Err(Errno::EXIST) => self.file(name, true), // somebody else was faster
            made => Ok(made?.into()),
        }
    }

    /// A fresh file; whatever lies under its name is removed first, and never opened.
    fn create(&self, name: &str) -> io::Result<File> {
        step(Step::Create, &self.path(name))?;
        let create = || self.open_at(name, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL);
        let made = match create() {
            Err(Errno::EXIST) => {
                rustix::fs::unlinkat(&self.handle, name, AtFlags::empty())?;
                create()
            }
            made => made,
        };
        Ok(made?.into())
    }

    /// Whether anything has this name, be it a link that leads nowhere.
    pub(crate) fn has(&self, name: &str) -> io::Result<bool> {
        match self.look(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            found => found.map(|_| true),
        }
    }

    /// Bytes of a regular file; 0 if it is none.
    pub(crate) fn bytes(&self, name: &str) -> u64 {
        match self.look(name) {
            Ok(found) if is_regular(&found) => found.st_size.try_into().unwrap_or(0),
            _ => 0,
        }
    }

    /// Whether this name is a regular file's.
    pub(crate) fn is_file(&self, name: &str) -> io::Result<bool> {
        Ok(is_regular(&self.look(name)?))
    }

    /// Whether this name is a folder's.
    pub(crate) fn is_folder(&self, name: &str) -> bool {
        self.look(name).is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Directory)
    }

    /// The names in it.
    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for found in Dir::read_from(&self.handle)? {
            // A name that is no UTF-8 is none of ours.
            if let Ok(name) = found?.file_name().to_str()
                && ![".", ".."].contains(&name)
            {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    fn look(&self, name: &str) -> io::Result<Stat> {
        Ok(rustix::fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    fn open_at(&self, name: &str, access: OFlags) -> rustix::io::Result<OwnedFd> {
        let flags = access | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(&self.handle, name, flags, Mode::RUSR | Mode::WUSR)
    }
}

/// Opens a folder or a regular file to ask about its file system.
pub(crate) fn look(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let found = file.metadata()?;
    if found.is_file() || found.is_dir() { Ok(file) } else { Err(not_regular()) }
}

/// Writes `bytes` at `at` without a sync.
pub(crate) fn write_at(file: &File, path: &Path, at: u64, bytes: &[u8]) -> io::Result<()> {
    #[cfg(test)]
    if let Some(part) = faults::torn(bytes.len()) {
        file.write_all_at(&bytes[..part], at)?;
        return Err(faults::killed());
    }
    step(Step::Write { at, bytes }, path)?;
    file.write_all_at(bytes, at)
}

/// Makes what was written to `file` durable.
pub(crate) fn sync(file: &File, path: &Path) -> io::Result<()> {
    step(Step::Sync, path)?;
    file.sync_all()
}

/// As [`sync`], for an append: content and size, not times.
pub(crate) fn sync_data(file: &File, path: &Path) -> io::Result<()> {
    step(Step::Sync, path)?;
    file.sync_data()
}

/// Cuts `file` to `bytes` bytes, durably.
pub(crate) fn truncate(file: &File, path: &Path, bytes: u64) -> io::Result<()> {
    step(Step::Truncate { bytes }, path)?;
    file.set_len(bytes)?;
    sync(file, path)
}

fn is_regular(found: &Stat) -> bool {
    FileType::from_raw_mode(found.st_mode) == FileType::RegularFile
}

fn not_regular() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")
}

/// One effect, as tests see it.
#[cfg_attr(not(test), expect(dead_code, reason = "only tests look inside"))]
pub(crate) enum Step<'a> {
    /// No effect; tests may forbid it.
    Open,
    Create,
    Write {
        at: u64,
        bytes: &'a [u8],
    },
    Sync,
    Rename {
        to: &'a str,
    },
    SyncFolder,
    Truncate {
        bytes: u64,
    },
    Allocate,
    Remove,
}

/// Where the tests of crashes and full disks step in. In a release there is nothing here.
#[cfg(not(test))]
#[inline(always)]
fn step(_: Step<'_>, _: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
fn step(step: Step<'_>, path: &Path) -> io::Result<()> {
    faults::step(step, path)
}
