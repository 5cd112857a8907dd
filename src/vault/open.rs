//! Finding, locking and unlocking a vault.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::{fmt, io};

use crate::anchor::Anchor;
use crate::cobblestone::Key;
use crate::format::{Header, SlotInfo, VaultId};
use crate::lock::{Holder, Lock};
use crate::log::{self, Chain, Index};
use crate::vault::Vault;
use crate::{Error, Secret, State, disk, keys, lock, slot};

/// Name of the vault file in the state folder.
pub(crate) const MAIN: &str = "vault";
/// Its copy, byte for byte.
pub(crate) const MIRROR: &str = "vault.mirror";
/// A vault file is read whole; this is 15 million objects.
const FILE_BYTES_MAX: u64 = 8 << 30;

/// The two folders of a vault.
#[derive(Debug, Clone)]
pub struct Paths {
    /// The vault's own folder: `vault`, `vault.mirror`, `anchor`, `lock`, `reserve`. Nobody else may write there.
    pub state: PathBuf,
    /// Where the sealed files lie.
    pub outputs: PathBuf,
}

impl Paths {
    /// Whether there is a vault, or what is left of one.
    pub fn vault_exists(&self) -> bool {
        [MAIN, MIRROR].iter().any(|name| fs::symlink_metadata(self.state.join(name)).is_ok())
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
        self.check()
    }

    fn check(&self) -> Result<(), Error> {
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
        if fs::metadata(&self.outputs).is_ok_and(|found| !found.is_dir()) {
            return Err(Error::Unsafe { path: self.outputs.clone(), why: "is not a folder" });
        }
        Ok(())
    }
}

fn create_private(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// The folders and the lock on them.
pub(crate) struct Home {
    pub(crate) paths: Paths,
    pub(crate) lock: Lock,
}

impl Home {
    pub(crate) fn state(&self) -> &Path {
        &self.paths.state
    }

    pub(crate) fn anchor(&self) -> Anchor {
        Anchor::at(&self.paths.state)
    }
}

/// What anybody can read without a secret. Only an unlocked vault has checked it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Public {
    /// The vault's id.
    pub vault_id: VaultId,
    /// Epoch, records and root as they lie on disk. A record that a crash cut short inside may still be counted.
    pub state: State,
    /// The key slots.
    pub slots: Vec<SlotInfo>,
}

/// A vault that this process holds and nobody has unlocked.
pub struct Locked {
    home: Home,
    public: Public,
}

impl fmt::Debug for Locked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Locked").field("public", &self.public).finish_non_exhaustive()
    }
}

/// What a secret opened. Which slot it was is [`Unlocked::slot`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Unlocked {
    /// An operator's or admin's slot, or the recovery code.
    Vault(Box<Vault>, SlotInfo),
    /// An auditor's slot: no key of any object is in memory.
    Auditor(AuditorView),
}

impl Unlocked {
    /// The slot that was opened.
    pub fn slot(&self) -> SlotInfo {
        match self {
            Self::Vault(_, slot) => *slot,
            Self::Auditor(view) => view.slot,
        }
    }
}

/// What an auditor sees: the public part, proven to be written by somebody who had the vault open.
pub struct AuditorView {
    home: Home,
    public: Public,
    slot: SlotInfo,
}

impl fmt::Debug for AuditorView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditorView").field("public", &self.public).finish_non_exhaustive()
    }
}

impl AuditorView {
    /// The public part as proven by the auditors' seal; the records behind it are bound by the root only.
    pub fn public(&self) -> &Public {
        &self.public
    }

    /// The slot that was opened.
    pub fn slot(&self) -> SlotInfo {
        self.slot
    }

    /// Ends the view and keeps the lock.
    pub fn lock(self) -> Locked {
        Locked { home: self.home, public: self.public }
    }
}

impl Locked {
    /// Takes the lock and reads the public part of the vault file, or of its mirror if the vault file cannot be read.
    /// [`Error::Busy`] says who has the vault; [`Error::NoVault`] that there is none.
    pub fn open(paths: Paths) -> Result<Self, Error> {
        paths.check()?;
        if !paths.vault_exists() {
            return Err(Error::NoVault(paths.state));
        }
        // People remove the whole outputs folder; what cannot be made again is said at the first put.
        let _ = create_private(&paths.outputs);
        let lock = Lock::take(&paths.state)?;
        Self::with_lock(Home { paths, lock })
    }

    pub(crate) fn of(home: Home, public: Public) -> Self {
        Self { home, public }
    }

    fn with_lock(home: Home) -> Result<Self, Error> {
        let read = |name| {
            let file = read_file(home.state(), name)?;
            let header = Header::parse(&file)?;
            Chain::walk(&header, &file).map(|chain| public_of(&header, &chain))
        };
        let public = read(MAIN).or_else(|error| read(MIRROR).map_err(|_| error))?;
        Ok(Self { home, public })
    }

    /// The public part, not authenticated.
    pub fn public(&self) -> &Public {
        &self.public
    }

    /// Tells other processes where this one can be reached; see [`Paths::holder`].
    pub fn announce(&self, address: &str) -> Result<(), Error> {
        self.home.lock.announce(address)
    }

    /// Opens the vault with a secret. Nothing is changed on disk but the rest of an interrupted roll: a wiped key that
    /// was not wiped to the end. On an error the lock is still held.
    ///
    /// The state must be compared with the audit log before the first write: that write drops a torn tail.
    pub fn unlock(self, typed: &Secret) -> Result<Unlocked, (Box<Self>, Error)> {
        match load(&self.home, typed) {
            Ok(Loaded::Objects(loaded, slot)) => {
                Ok(Unlocked::Vault(Box::new(Vault::new(self.home, *loaded)), slot))
            }
            Ok(Loaded::Auditor(public, slot)) => {
                Ok(Unlocked::Auditor(AuditorView { home: self.home, public, slot }))
            }
            Err(error) => Err((Box::new(self), error)),
        }
    }
}

enum Loaded {
    Objects(Box<Log>, SlotInfo),
    Auditor(Public, SlotInfo),
}

/// A vault file that was opened to its end.
pub(crate) struct Log {
    pub(crate) header: Header,
    pub(crate) key: Key,
    pub(crate) chain: Chain,
    pub(crate) index: Index,
    /// [`MAIN`] or [`MIRROR`]: where it was read from.
    pub(crate) name: &'static str,
    /// Whether the other copy is the same.
    pub(crate) copies_agree: bool,
}

fn load(home: &Home, typed: &Secret) -> Result<Loaded, Error> {
    let mirror = read_file(home.state(), MIRROR).unwrap_or_default();
    let main = match read_file(home.state(), MAIN) {
        Ok(main) => main,
        Err(error) => return load_mirror(home, &mirror, typed).unwrap_or(Err(error)),
    };
    match try_file(home, &main, MAIN, typed) {
        Ok(Loaded::Objects(log, slot)) => {
            Ok(Loaded::Objects(Box::new(better_of(*log, &main, &mirror)), slot))
        }
        Ok(auditor) => Ok(auditor),
        Err(error) if main == mirror => Err(error),
        Err(error) => load_mirror(home, &mirror, typed).unwrap_or(Err(error)),
    }
}

/// The mirror may stand in only for the newest epoch (an older one would undo an erasure), and only if it opens.
fn load_mirror(home: &Home, mirror: &[u8], typed: &Secret) -> Option<Result<Loaded, Error>> {
    let epoch = Header::parse(mirror).ok()?.epoch;
    if home.anchor().newest().ok()? != Some(epoch) {
        return None;
    }
    try_file(home, mirror, MIRROR, typed).ok().map(Ok)
}

fn try_file(home: &Home, file: &[u8], name: &'static str, typed: &Secret) -> Result<Loaded, Error> {
    let header = Header::parse(file)?;
    let (slot, secret) = slot::find(&header.slots, header.vault_id, typed)?;
    let info = slot.info;
    let key = slot.key(header.vault_id, &secret)?;
    keys::check_head(file, &header, info.role, &key)?;
    let epoch_key = home.anchor().key(header.epoch)?;
    if !info.role.opens_objects() {
        let chain = Chain::walk(&header, file)?;
        return Ok(Loaded::Auditor(public_of(&header, &chain), info));
    }
    let key = keys::log_key(&key, &epoch_key, &header);
    let (chain, index) = log::read(&header, &key, file)?;
    Ok(Loaded::Objects(Box::new(Log { header, key, chain, index, name, copies_agree: false }), info))
}

/// The mirror wins over a sound vault file only if it continues it: then the last records of the vault file were cut or
/// damaged.
pub(crate) fn better_of(mut log: Log, main: &[u8], mirror: &[u8]) -> Log {
    log.copies_agree = main == mirror;
    let end = log.chain.end as usize;
    if log.chain.tail_bytes > 0
        && mirror.len() > end
        && mirror.get(..end) == main.get(..end)
        && let Ok((chain, index)) = log::read(&log.header, &log.key, mirror)
        && chain.end > log.chain.end
    {
        return Log { chain, index, name: MIRROR, copies_agree: false, ..log };
    }
    log
}

/// Reads a vault file whole.
pub(crate) fn read_file(state: &Path, name: &str) -> Result<Vec<u8>, Error> {
    let path = state.join(name);
    let read = |path: &Path| {
        let mut file = disk::open(path, false)?;
        if file.metadata()?.len() > FILE_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut file, &mut bytes).map(|_| bytes)
    };
    read(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::NoVault(path),
        _ => Error::io("reading the vault file")(error),
    })
}

fn public_of(header: &Header, chain: &Chain) -> Public {
    let slots = header.slots.iter().map(|slot| slot.info).collect();
    Public { vault_id: header.vault_id, state: chain.state(), slots }
}
