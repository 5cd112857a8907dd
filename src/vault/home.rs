//! The two folders of a vault: what lies in the state folder, and the lock on it.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::{fs, io};

use rustix::fs::Access;
use rustix::io::Errno;

use crate::Error;
use crate::anchor::Anchor;
use crate::disk::{Folder, create_private};
use crate::lock::{self, Holder, Lock};
use crate::secret::Half;

/// Name of the vault file in the state folder.
pub(crate) const MAIN: &str = "vault";
/// Its copy, byte for byte.
pub(crate) const MIRROR: &str = "vault.mirror";
/// The vault file to be.
pub(crate) const NEW: &str = "vault.new";
pub(crate) const MIRROR_NEW: &str = "vault.mirror.new";
/// Blocks and an inode for a roll on a full disk.
pub(crate) const RESERVE: &str = "reserve";
/// What was cut off behind the last record.
pub(crate) const TORN: &str = "vault.torn";
/// A damaged vault file that the mirror was put in the place of.
pub(crate) const DAMAGED: &str = "vault.damaged";
/// A mirror that was changed.
pub(crate) const MIRROR_DAMAGED: &str = "vault.mirror.damaged";
pub(crate) const TORN_NEW: &str = "vault.torn.new";
/// What the log's own program keeps here: how far the log was read, sealed with a key that lies in a mark of the vault.
pub const LOG_MEMORY: &str = "log.memory";
pub(crate) const LOG_MEMORY_NEW: &str = "log.memory.new";
/// A vault file is read whole; this is 15 million objects.
pub(crate) const FILE_BYTES_MAX: u64 = 8 << 30;

/// The two folders of a vault.
#[derive(Debug, Clone)]
pub struct Paths {
    /// The vault's own folder: `vault`, `vault.mirror`, `anchor`, `lock`, `reserve`, `log.memory`. Nobody else may write there.
    pub state: PathBuf,
    /// Where the sealed files lie.
    pub outputs: PathBuf,
}

impl Paths {
    /// Whether there is a vault, or what is left of one.
    pub fn vault_exists(&self) -> bool {
        let is_absent = |error: io::Error| error.kind() == io::ErrorKind::NotFound;
        // What cannot be looked at is not absent.
        [MAIN, MIRROR].iter().any(|name| !fs::symlink_metadata(self.state.join(name)).is_err_and(is_absent))
    }

    /// The process that has the vault open now, if any.
    pub fn holder(&self) -> Result<Option<Holder>, Error> {
        lock::holder(&self.state)
    }

    /// Makes missing folders (0700), refuses what others could exchange under us.
    pub(crate) fn prepare(&self) -> Result<(), Error> {
        for folder in [&self.state, &self.outputs] {
            create_private(folder).map_err(Error::io("creating the vault's folders"))?;
        }
        if fs::metadata(&self.outputs).is_ok_and(|found| !found.is_dir()) {
            return Err(Error::Unsafe { path: self.outputs.clone(), why: "is not a folder" });
        }
        self.check()
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let path = self.state.clone();
        let found = fs::symlink_metadata(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::NoVault(path.clone()),
            _ => Error::io("looking at the state folder")(error),
        })?;
        if !found.is_dir() {
            return Err(Error::Unsafe { path, why: "is not a folder of its own (a link is not enough)" });
        }
        if found.permissions().mode() & 0o022 != 0 {
            return Err(Error::Unsafe { path, why: "can be written by others (chmod go-w)" });
        }
        let needed = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
        if rustix::fs::access(&path, needed) == Err(Errno::ACCESS) {
            return Err(Error::Unsafe {
                path,
                why: "is closed to this user (chmod u+rwx, or start as its owner)",
            });
        }
        Ok(())
    }
}

/// The folders and the lock on them.
pub(crate) struct Home {
    pub(crate) paths: Paths,
    /// The state folder, held open.
    pub(crate) state: Folder,
    pub(crate) lock: Lock,
    /// The machine secret that passphrases may go with, if the caller has it.
    pub(crate) half: Option<Half>,
}

impl Home {
    /// Opens the state folder and takes the lock.
    pub(crate) fn take(mut paths: Paths) -> Result<Self, Error> {
        // Links that its path goes through today are followed now, and none from here on.
        paths.outputs = fs::canonicalize(&paths.outputs).unwrap_or(paths.outputs);
        let state = Folder::open(&paths.state).map_err(Error::io("opening the state folder"))?;
        let lock = Lock::take(&state)?;
        Ok(Self { paths, state, lock, half: None })
    }

    pub(crate) fn anchor(&self) -> Anchor<'_> {
        Anchor::of(&self.state)
    }
    /// Reads a vault file whole.
    pub(crate) fn read(&self, name: &str) -> Result<Vec<u8>, Error> {
        let read = || {
            let mut file = self.state.file(name, false)?;
            if file.metadata()?.len() > FILE_BYTES_MAX {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "it is larger than any vault file"));
            }
            let mut bytes = Vec::new();
            io::Read::read_to_end(&mut file, &mut bytes).map(|_| bytes)
        };
        read().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::NoVault(self.state.path(name)),
            _ => Error::io("reading the vault file")(error),
        })
    }

    /// Writes the copy `name` anew, durably.
    pub(crate) fn renew(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.state.write(if name == MAIN { NEW } else { MIRROR_NEW }, name, bytes)
    }

    /// Gives up an unfinished vault file. If it was made out of the reserve, it is the reserve again.
    pub(crate) fn drop_new(&self) -> io::Result<()> {
        let state = &self.state;
        if state.has(NEW)? && !state.has(RESERVE)? { state.rename(NEW, RESERVE) } else { state.remove(NEW) }
    }
}
