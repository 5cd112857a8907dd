//! Everything that changes a file. No other module writes, syncs, renames or removes.
//!
//! A replaced or new file takes this road, which is the only one that makes bytes durable under a name:
//!
//! ```text
//! prepare   openat(TEMP, O_WRONLY|O_CREAT|O_TRUNC|O_NOFOLLOW|O_CLOEXEC, 0600)  write…  fsync
//! publish   renameat2(TEMP, NAME, 0 or RENAME_NOREPLACE)  openat(FOLDER)  fsync(FOLDER)
//! ```
//!
//! A record is appended with `pwrite64… fdatasync`, an anchor cell is overwritten with `pwrite64 fdatasync`.
//! A failed sync is never tried again on the same handle: the kernel may have dropped the pages.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{CWD, FallocateFlags, OFlags, RenameFlags};

#[cfg(test)]
pub(crate) mod faults;

/// Whether a file of the same name may be replaced.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replace {
    Yes,
    No,
}

/// Makes `bytes` durable under a name that nobody reads yet.
pub(crate) fn prepare(folder: &Path, temp: &str, bytes: &[u8]) -> io::Result<()> {
    let path = folder.join(temp);
    step(Step::Create, &path)?;
    let file = options().create(true).truncate(true).open(&path)?;
    write_at(&file, &path, 0, bytes)?;
    sync(&file, &path)
}

/// Gives a prepared file its name, durably.
pub(crate) fn publish(folder: &Path, temp: &str, name: &str, replace: Replace) -> io::Result<()> {
    let (from, to) = (folder.join(temp), folder.join(name));
    step(Step::Rename { to: name }, &from)?;
    if replace == Replace::Yes {
        fs::rename(&from, &to)?;
    } else {
        match rustix::fs::renameat_with(CWD, &from, CWD, &to, RenameFlags::NOREPLACE) {
            // A file system without this flag (NFS): the lock keeps our own processes apart.
            Err(rustix::io::Errno::INVAL) if fs::symlink_metadata(&to).is_err() => fs::rename(&from, &to)?,
            Err(rustix::io::Errno::INVAL) => return Err(io::ErrorKind::AlreadyExists.into()),
            result => result?,
        }
    }
    sync_folder(folder)
}

/// [`prepare`] and [`publish`].
pub(crate) fn write(folder: &Path, temp: &str, name: &str, bytes: &[u8]) -> io::Result<()> {
    prepare(folder, temp, bytes)?;
    publish(folder, temp, name, Replace::Yes)
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

/// Removes a file; one that is not there is no error.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    step(Step::Remove, path)?;
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Makes names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    step(Step::SyncFolder, folder)?;
    File::open(folder)?.sync_all()
}

/// Sets aside `bytes` bytes of disk, durably: a fresh file of allocated blocks.
pub(crate) fn reserve(folder: &Path, name: &str, bytes: u64) -> io::Result<()> {
    let path = folder.join(name);
    step(Step::Create, &path)?;
    let file = options().create(true).truncate(true).open(&path)?;
    if let Err(error) = rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, bytes) {
        if error != rustix::io::Errno::OPNOTSUPP {
            return Err(error.into());
        }
        let zeros = vec![0; 64 * 1024];
        for at in (0..bytes).step_by(zeros.len()) {
            let count = (bytes - at).min(zeros.len() as u64) as usize;
            file.write_all_at(&zeros[..count], at)?;
        }
    }
    sync(&file, &path)?;
    sync_folder(folder)
}

/// Opens an existing file for reading and, when asked, writing; never through a link, never a pipe.
pub(crate) fn open(path: &Path, writable: bool) -> io::Result<File> {
    let file = options().read(true).write(writable).custom_flags(flags() | nonblock()).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600).custom_flags(flags());
    options
}

fn flags() -> i32 {
    OFlags::NOFOLLOW.bits() as i32
}

/// Opening a pipe must not wait for its other end.
fn nonblock() -> i32 {
    OFlags::NONBLOCK.bits() as i32
}

/// One effect, as tests see it.
#[cfg_attr(not(test), expect(dead_code, reason = "only tests look inside"))]
pub(crate) enum Step<'a> {
    Create,
    Write { at: u64, bytes: &'a [u8] },
    Sync,
    Rename { to: &'a str },
    SyncFolder,
    Truncate { bytes: u64 },
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
