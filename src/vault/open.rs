//! Finding, locking and unlocking a vault.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::{fmt, io};

use rustix::fs::Access;
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use crate::anchor::Anchor;
use crate::cobblestone::Key;
use crate::disk::{Folder, create_private};
use crate::format::{Header, SlotInfo, VaultId};
use crate::lock::{Holder, Lock};
use crate::log::{self, Chain, Index};
use crate::vault::{Healed, Vault};
use crate::{Error, Secret, State, keys, lock, repair, slot};

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
}

impl Home {
    /// Opens the state folder and takes the lock.
    pub(crate) fn take(mut paths: Paths) -> Result<Self, Error> {
        // Links that its path goes through today are followed now, and none from here on.
        paths.outputs = fs::canonicalize(&paths.outputs).unwrap_or(paths.outputs);
        let state = Folder::open(&paths.state).map_err(Error::io("opening the state folder"))?;
        let lock = Lock::take(&state)?;
        Ok(Self { paths, state, lock })
    }

    pub(crate) fn anchor(&self) -> Anchor<'_> {
        Anchor::of(&self.state)
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
        Self::with_lock(Home::take(paths)?)
    }

    pub(crate) fn of(home: Home, public: Public) -> Self {
        Self { home, public }
    }

    fn with_lock(home: Home) -> Result<Self, Error> {
        let read = |name| {
            let file = read_file(&home.state, name)?;
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

    /// Opens the vault with a secret. The copy that is accepted is written anew, byte for byte, so that what is relied on
    /// from here on outlives a power cut; and the rest of an interrupted roll is done: old keys are wiped. What could not
    /// be done is among [`Vault::notices`]. On an error nothing is changed on disk and the lock is still held.
    ///
    /// `accepts` sees the vault before anything is written, since what is written makes this copy the only one that opens:
    /// an older copy would end the key of the newest. If it says no, nothing is changed on disk, and the vault is there to
    /// be locked again.
    pub fn unlock(
        self,
        typed: &Secret,
        accepts: impl FnOnce(&Vault) -> bool,
    ) -> Result<Unlocked, (Box<Self>, Error)> {
        match load(&self.home, typed) {
            Ok(Loaded { opened: Opened::Objects(log), slot, file, copies_agree, healed }) => {
                let mut vault = Box::new(Vault::new(self.home, *log));
                vault.healed = healed;
                match accepts(&vault) {
                    true => vault.begin(&file, copies_agree),
                    false => vault.poisoned = true, // nothing may be written with it
                }
                Ok(Unlocked::Vault(vault, slot))
            }
            Ok(Loaded { opened: Opened::Auditor(public, name), slot, file, .. }) => {
                // Best effort: an auditor's state goes on record too.
                let _ = repair::renew(&self.home.state, name, &file);
                Ok(Unlocked::Auditor(AuditorView { home: self.home, public, slot }))
            }
            Err(error) => Err((Box::new(self), error)),
        }
    }
}

/// A copy that a secret opened.
struct Loaded {
    opened: Opened,
    slot: SlotInfo,
    /// The accepted copy.
    file: Vec<u8>,
    /// Whether the other copy is the same.
    copies_agree: bool,
    /// The damaged one that it stands in for.
    healed: Option<Healed>,
}

enum Opened {
    Objects(Box<Log>),
    /// And the name of the copy.
    Auditor(Public, &'static str),
}

/// A vault file that was opened to its end.
pub(crate) struct Log {
    pub(crate) header: Header,
    pub(crate) key: Key,
    pub(crate) chain: Chain,
    pub(crate) index: Index,
    /// [`MAIN`] or [`MIRROR`]: where it was read from.
    pub(crate) name: &'static str,
}

fn load(home: &Home, typed: &Secret) -> Result<Loaded, Error> {
    let mirror = read_file(&home.state, MIRROR).unwrap_or_default();
    let main = match read_file(&home.state, MAIN) {
        Ok(main) => main,
        // What may not be read is not damaged.
        Err(error) if error.is_forbidden() => return Err(error),
        Err(error) => return load_mirror(home, None, mirror, typed).ok_or(error),
    };
    match try_file(home, &main, MAIN, typed) {
        Ok((Opened::Objects(log), slot)) => {
            let copies_agree = main == mirror;
            let log = better_of(*log, &main, &mirror);
            let healed = (log.name == MIRROR).then(|| found(Some(&main)));
            let file = if log.name == MAIN { main } else { mirror };
            Ok(Loaded { opened: Opened::Objects(Box::new(log)), slot, file, copies_agree, healed })
        }
        Ok((opened, slot)) => Ok(Loaded { opened, slot, file: main, copies_agree: false, healed: None }),
        Err(error) if main == mirror => Err(error),
        Err(error) => load_mirror(home, Some(&main), mirror, typed).ok_or(error),
    }
}

/// The mirror may stand in only for the newest epoch (an older one would undo an erasure), and only if it opens.
fn load_mirror(home: &Home, main: Option<&[u8]>, mirror: Vec<u8>, typed: &Secret) -> Option<Loaded> {
    let epoch = Header::parse(&mirror).ok()?.epoch;
    if home.anchor().newest().ok()? != Some(epoch) {
        return None;
    }
    let (opened, slot) = try_file(home, &mirror, MIRROR, typed).ok()?;
    Some(Loaded { opened, slot, file: mirror, copies_agree: false, healed: Some(found(main)) })
}

fn found(main: Option<&[u8]>) -> Healed {
    let found_sha256 = main.map(|main| Sha256::digest(main).into());
    Healed { found_sha256, found_bytes: main.map_or(0, |main| main.len() as u64) }
}

fn try_file(
    home: &Home,
    file: &[u8],
    name: &'static str,
    typed: &Secret,
) -> Result<(Opened, SlotInfo), Error> {
    let header = Header::parse(file)?;
    let (slot, secret) = slot::find(&header.slots, header.vault_id, typed)?;
    let info = slot.info;
    let key = slot.key(header.vault_id, &secret)?;
    keys::check_head(file, &header, info.role, &key)?;
    let epoch_key = home.anchor().key(header.epoch)?;
    if !info.role.opens_objects() {
        let chain = Chain::walk(&header, file)?;
        return Ok((Opened::Auditor(public_of(&header, &chain), name), info));
    }
    let key = keys::log_key(&key, &epoch_key, &header);
    let (chain, index) = log::read(&header, &key, file)?;
    Ok((Opened::Objects(Box::new(Log { header, key, chain, index, name })), info))
}

/// The mirror wins over a sound vault file only if it continues it: a record is mirrored once it is durable, so the last
/// records of the vault file were cut off or damaged.
fn better_of(log: Log, main: &[u8], mirror: &[u8]) -> Log {
    let end = log.chain.end as usize;
    if mirror.len() > end
        && mirror.get(..end) == main.get(..end)
        && let Ok((chain, index)) = log::read(&log.header, &log.key, mirror)
        && chain.end > log.chain.end
    {
        return Log { chain, index, name: MIRROR, ..log };
    }
    log
}

/// Reads a vault file whole.
pub(crate) fn read_file(state: &Folder, name: &str) -> Result<Vec<u8>, Error> {
    let read = || {
        let mut file = state.file(name, false)?;
        if file.metadata()?.len() > FILE_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is larger than any vault file"));
        }
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut file, &mut bytes).map(|_| bytes)
    };
    read().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::NoVault(state.path(name)),
        _ => Error::io("reading the vault file")(error),
    })
}

fn public_of(header: &Header, chain: &Chain) -> Public {
    let slots = header.slots.iter().map(|slot| slot.info).collect();
    Public { vault_id: header.vault_id, state: chain.state(), slots }
}
