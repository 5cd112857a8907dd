//! Finding, locking and unlocking a vault.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::format::{Header, SlotInfo};
use crate::home::{Home, MAIN, MIRROR, Paths};
use crate::lock::Announced;
use crate::log::{self, Chain, Log, Public};
use crate::secret::Half;
use crate::vault::{DamagedCopy, Vault};
use crate::{Error, Secret, Slots, keys, slot};

/// A vault that this process holds and nobody has unlocked.
pub struct Locked {
    home: Home,
    public: Public,
    slots: Slots,
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
    Auditor(Box<AuditorView>),
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
    chain: Chain,
    slots: Slots,
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

    /// The root after record `seq` of this epoch, as [`Vault::root_at`]; it needs no key.
    pub fn root_at(&self, seq: u64) -> Option<[u8; 32]> {
        self.chain.root_at(seq)
    }

    /// The slot that was opened.
    pub fn slot(&self) -> SlotInfo {
        self.slot
    }

    /// Ends the view and keeps the lock.
    pub fn lock(self) -> Locked {
        Locked { home: self.home, public: self.public, slots: self.slots }
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

    fn with_lock(home: Home) -> Result<Self, Error> {
        let read = |name| {
            let file = home.read(name)?;
            let header = Header::parse(&file)?;
            Chain::walk(&header, &file).map(|chain| (Public::of(&header, &chain), Slots::of(&header, None)))
        };
        let (public, slots) = read(MAIN).or_else(|error| read(MIRROR).map_err(|_| error))?;
        Ok(Self { home, public, slots })
    }

    /// The public part, not authenticated.
    pub fn public(&self) -> &Public {
        &self.public
    }

    /// As [`Vault::has_other_key`].
    ///
    /// # Errors
    /// Likewise.
    pub fn has_other_key(&self) -> Result<bool, Error> {
        self.home.anchor().has_other(self.public.state.epoch)
    }

    /// What a secret can be made ready for before [`Locked::unlock`], not authenticated.
    pub fn slots(&self) -> Slots {
        self.slots.clone()
    }

    /// From here on passphrases are tried together with this machine secret, where the vault asks for both.
    pub fn give_half(&mut self, machine: &Secret) {
        self.home.half = Half::of(machine);
        self.slots.half = self.home.half.clone();
    }

    /// Tells other processes where this one can be reached, and under which policy it runs; see [`Paths::holder`].
    pub fn announce(&self, announced: &Announced) -> Result<(), Error> {
        self.home.lock.announce(announced)
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
            Ok(Loaded { opened: Opened::Objects(log), by, file, copies_agree, healed, damaged_mirror }) => {
                let mut vault = Box::new(Vault::new(self.home, *log));
                vault.second = by.second;
                (vault.healed, vault.damaged_mirror) = (healed, damaged_mirror);
                vault.keep_mirror = damaged_mirror.is_some();
                match accepts(&vault) {
                    true => vault.begin(&file, copies_agree),
                    false => vault.poisoned = true, // nothing may be written with it
                }
                Ok(Unlocked::Vault(vault, by.slot))
            }
            // An auditor writes nothing: which copy it is that they opened is for the caller to hold against the log.
            Ok(Loaded { opened: Opened::Auditor(public, chain), by, .. }) => {
                let (Self { home, slots, .. }, slot) = (self, by.slot);
                Ok(Unlocked::Auditor(Box::new(AuditorView { home, public, chain, slots, slot })))
            }
            Err(error) => Err((Box::new(self), error)),
        }
    }
}

impl Vault {
    /// Forgets all keys and entries and keeps the lock. Reads nothing, so nothing keeps the keys.
    pub fn lock(self) -> Locked {
        let (public, slots) = (self.public(), self.slots());
        Locked { home: self.home, public, slots }
    }
}

/// Whose slots they are that a copy was opened with.
struct By {
    slot: SlotInfo,
    second: Option<SlotInfo>,
}

/// A copy that a secret opened.
struct Loaded {
    opened: Opened,
    by: By,
    /// The accepted copy.
    file: Vec<u8>,
    /// Whether the other copy is the same.
    copies_agree: bool,
    /// The damaged vault file that it stands in for.
    healed: Option<DamagedCopy>,
    /// The damaged mirror beside it.
    damaged_mirror: Option<DamagedCopy>,
}

impl Loaded {
    /// A copy beside which no mirror is looked at.
    fn as_it_is(opened: Opened, by: By, file: Vec<u8>, healed: Option<DamagedCopy>) -> Self {
        Self { opened, by, file, copies_agree: false, healed, damaged_mirror: None }
    }
}

enum Opened {
    Objects(Box<Log>),
    Auditor(Public, Chain),
}

fn load(home: &Home, typed: &Secret) -> Result<Loaded, Error> {
    let read = home.read(MIRROR);
    // A vault works without a mirror; what lies in its place and cannot be read is none.
    let is_absent = matches!(&read, Err(Error::NoVault(_)));
    let is_unreadable = read.is_err() && !is_absent;
    let mirror = read.unwrap_or_default();
    let main = match home.read(MAIN) {
        Ok(main) => main,
        // What may not be read is not damaged.
        Err(error) if error.is_forbidden() => return Err(error),
        Err(error) => return load_mirror(home, None, mirror, typed).ok_or(error),
    };
    match try_file(home, &main, MAIN, typed) {
        Ok((Opened::Objects(log), by)) => {
            let copies_agree = main == mirror;
            let log = better_of(*log, &main, &mirror);
            let (mut healed, mut damaged_mirror) = (None, None);
            if log.name == MIRROR {
                healed = Some(found(Some(&main)));
            } else if is_unreadable {
                damaged_mirror = Some(found(None));
            } else if !copies_agree && !is_absent && !is_left_behind(&log, &main, &mirror) {
                damaged_mirror = Some(found(Some(&mirror)));
            }
            let file = if log.name == MAIN { main } else { mirror };
            let opened = Opened::Objects(Box::new(log));
            Ok(Loaded { opened, by, file, copies_agree, healed, damaged_mirror })
        }
        Ok((opened, by)) => Ok(Loaded::as_it_is(opened, by, main, None)),
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
    let (opened, by) = try_file(home, &mirror, MIRROR, typed).ok()?;
    Some(Loaded::as_it_is(opened, by, mirror, Some(found(main))))
}

fn found(copy: Option<&[u8]>) -> DamagedCopy {
    let found_sha256 = copy.map(|copy| Sha256::digest(copy).into());
    DamagedCopy { found_sha256, found_bytes: copy.map_or(0, |copy| copy.len() as u64) }
}

fn try_file(home: &Home, file: &[u8], name: &'static str, typed: &Secret) -> Result<(Opened, By), Error> {
    let header = Header::parse(file)?;
    let slot::Opens { slot, second, key } = slot::open(&header, typed, home.half.as_ref())?;
    keys::check_head(file, &header, slot.role, &key)?;
    let (by, epoch_key) = (By { slot, second }, home.anchor().key(header.epoch)?);
    if !slot.role.opens_objects() {
        let chain = Chain::walk(&header, file)?;
        return Ok((Opened::Auditor(Public::of(&header, &chain), chain), by));
    }
    let key = keys::log_key(&key, &epoch_key, &header);
    let (chain, index) = log::read(&header, &key, file)?;
    Ok((Opened::Objects(Box::new(Log { header, key, chain, index, name })), by))
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

/// Bytes that a disk writes at once, at least.
const SECTOR_BYTES: usize = 512;

/// Whether a mirror that is not the sound vault file beside it is one that a crash or a full disk leaves: that of an earlier
/// epoch, before a roll renewed it; the first records of the vault file, or all, with a torn tail behind them; or the vault
/// file up to some byte, where what the kernel had not written yet may be zeros, since a mirror is not synced.
fn is_left_behind(log: &Log, main: &[u8], mirror: &[u8]) -> bool {
    let Ok(header) = Header::parse(mirror) else { return false };
    let sound = Chain::walk(&header, mirror).map(|chain| &mirror[..chain.end as usize]);
    if header.vault_id == log.header.vault_id && header.epoch < log.header.epoch {
        return sound.is_ok();
    }
    let is_part = |(found, whole): (&[u8], &[u8])| {
        let same = found.iter().zip(whole).take_while(|(found, whole)| found == whole).count();
        found[same..].iter().all(|byte| *byte == 0)
    };
    // Its head was synced before it had its name.
    main.starts_with(&mirror[..header.size()])
        && (sound.is_ok_and(|sound| main.starts_with(sound))
            || mirror.len() <= main.len()
                && mirror.chunks(SECTOR_BYTES).zip(main.chunks(SECTOR_BYTES)).all(is_part))
}
