//! Opening, unlocking and leaving the darkroom.

use crate::Error;
use crate::step::{After, reach};
use audit::words::{EpochReason, Role, RollReason, StartRefusal, StopReason};
use audit::{Actor, Clock, Digest, Event, Log, Mark, Recovery, SystemClock};
use std::path::PathBuf;
use vault::{
    KdfParams, Locked, OsRandom, Random, RecoveryCode, Secret, SlotInfo, SlotKind, State, Unlocked, Vault,
};

/// The vault's mark that remembers how far the log had come.
const MARK_LOG: u8 = 1;
/// The vault's marks that hold the salts of actors: this plus the slot's number.
const MARK_ACTOR: u8 = 16;

/// The folders of a darkroom.
#[derive(Clone, Debug)]
pub struct Places {
    /// Key file, anchor, lock.
    pub vault: PathBuf,
    /// The log.
    pub audit: PathBuf,
    /// Sealed pictures.
    pub outputs: PathBuf,
}

/// What a start is, for its record.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// SHA-256 of the running program.
    pub binary: [u8; 32],
    /// Digest of the policy in force.
    pub policy: [u8; 32],
    /// Landlock ABI in use.
    pub landlock_abi: u32,
}

/// What holds from here on, tested.
#[derive(Clone, Copy, Debug)]
pub struct Posture {
    /// Digest of the full report.
    pub report: [u8; 32],
    /// One bit per fence that is up and passed its test.
    pub fences: u32,
    /// Number of amber items.
    pub amber: u32,
    /// Landlock ABI in use.
    pub landlock_abi: u32,
    /// The process keeps user id 0.
    pub uid0: bool,
}

/// The darkroom: a vault and its log, held by this process alone.
pub struct Darkroom {
    pub(crate) log: Log,
    pub(crate) places: Places,
    pub(crate) random: Box<dyn Random + Send>,
    pub(crate) clock: SystemClock,
    pub(crate) kdf: KdfParams,
    /// What the log said when it was opened, until an unlock has looked into it.
    pub(crate) recovery: Option<Recovery>,
    room: Room,
    /// How often the vault was opened.
    openings: u64,
    /// Where this process can be reached, for those who find the vault taken.
    address: Option<String>,
}

enum Room {
    NoVault,
    Locked(Box<Locked>),
    Open(Box<Open>),
}

/// An unlocked vault and whose unlock it was.
pub(crate) struct Open {
    pub vault: Box<Vault>,
    pub slot: SlotInfo,
    pub actor: Actor,
    /// Which opening of the vault this is, counted from 1.
    pub number: u64,
    /// A roll did not come to its end: the next unlock decides what holds, and until then no record names a state.
    pub unsettled: bool,
}

impl Darkroom {
    /// Takes the vault and the log, and puts the start on record. Makes the log on a first start.
    ///
    /// `clock` was made before the fences; `kdf` is the cost of new passphrases, [`KdfParams::DEFAULT`] outside
    /// of tests.
    ///
    /// # Errors
    /// [`vault::Error::Busy`] if another process has the vault; what vault and log say about damage;
    /// [`Error::LogMissing`].
    pub fn open(places: Places, clock: SystemClock, kdf: KdfParams, start: Start) -> Result<Self, Error> {
        let paths = vault::Paths { state: places.vault.clone(), outputs: places.outputs.clone() };
        let room = match paths.vault_exists() {
            true => Room::Locked(Box::new(Locked::open(paths)?)),
            false => Room::NoVault,
        };
        let (log, recovery) = match Log::open(&places.audit, clock) {
            Err(audit::Error::Absent { .. }) if matches!(room, Room::NoVault) => {
                (Log::create(&places.audit, clock)?, None)
            }
            Err(audit::Error::Absent { dir }) => return Err(Error::LogMissing { dir }),
            opened => opened.map(|(log, recovery)| (log, Some(recovery)))?,
        };
        let started = Event::BootStarted {
            pid: std::process::id(),
            binary: Digest(start.binary),
            policy: Digest(start.policy),
            landlock_abi: start.landlock_abi,
        };
        log.append(&[started.by_system()])?;
        let random = Box::new(OsRandom);
        Ok(Self { log, places, random, clock, kdf, recovery, room, openings: 0, address: None })
    }

    /// From now on a process that finds the vault taken is told that this one answers at `address`.
    ///
    /// # Errors
    /// What the vault says.
    pub fn announce(&mut self, address: &str) -> Result<(), Error> {
        self.address = Some(address.to_owned());
        match &self.room {
            Room::NoVault => {}
            Room::Locked(locked) => locked.announce(address)?,
            Room::Open(open) => open.vault.announce(address)?,
        }
        Ok(())
    }

    /// A seed for a request that names none.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn draw_seed(&mut self) -> Result<u32, Error> {
        let mut bytes = [0; 4];
        self.random.fill(&mut bytes).map_err(vault::Error::Random)?;
        Ok(u32::from_be_bytes(bytes))
    }

    /// What an erasure is worth on the file system of the vault.
    ///
    /// # Errors
    /// [`Error::Locked`] or [`Error::NoVault`].
    pub fn grade(&self) -> Result<vault::Grade, Error> {
        Ok(self.open_vault()?.vault.grade())
    }

    /// Puts a refusal to start on record, and leaves.
    ///
    /// # Errors
    /// What the log says.
    pub fn refuse_start(self, reason: StartRefusal) -> Result<(), Error> {
        self.record_refusal(reason)?;
        self.leave(StopReason::Error)
    }

    /// Puts on record that the start is refused.
    ///
    /// # Errors
    /// What the log says.
    pub fn record_refusal(&self, reason: StartRefusal) -> Result<(), Error> {
        self.log.append(&[Event::BootRefused { reason }.by_system().denied()])?;
        Ok(())
    }

    /// Puts the tested fences on record.
    ///
    /// # Errors
    /// What the log says.
    pub fn record_posture(&self, posture: Posture) -> Result<(), Error> {
        let Posture { report, fences, amber, landlock_abi, uid0 } = posture;
        let event = Event::PostureRecorded { report: Digest(report), fences, amber, landlock_abi, uid0 };
        self.log.append(&[event.by_system()])?;
        Ok(())
    }

    /// Puts on record that the model is loaded and everything holds.
    ///
    /// # Errors
    /// What the log says.
    pub fn record_ready(&self, model: &crate::Model) -> Result<(), Error> {
        let event = Event::BootReady { model: Digest(model.digest), device: model.device };
        self.log.append(&[event.by_system()])?;
        Ok(())
    }

    /// Whether there is a vault.
    pub fn has_vault(&self) -> bool {
        !matches!(self.room, Room::NoVault)
    }

    /// Whether the vault is unlocked.
    pub fn is_open(&self) -> bool {
        matches!(self.room, Room::Open(_))
    }

    /// What anybody can know of the vault without a secret.
    ///
    /// # Errors
    /// [`Error::NoVault`].
    pub fn public(&self) -> Result<vault::Public, Error> {
        match &self.room {
            Room::NoVault => Err(Error::NoVault),
            Room::Locked(locked) => Ok(locked.public().clone()),
            Room::Open(open) => Ok(open.vault.public()),
        }
    }

    /// Makes the vault with its first passphrase and leaves it unlocked. The recovery code is shown once and kept
    /// nowhere.
    ///
    /// # Errors
    /// [`vault::Error::VaultExists`], a weak passphrase, or what vault and log say.
    pub fn create_vault(&mut self, secret: &Secret) -> Result<RecoveryCode, Error> {
        if self.has_vault() {
            return Err(vault::Error::VaultExists(self.places.vault.clone()).into());
        }
        let paths = vault::Paths { state: self.places.vault.clone(), outputs: self.places.outputs.clone() };
        let (vault, code) = Vault::create(paths, secret, vault::Role::Operator, self.kdf, &mut *self.random)?;
        if let Some(address) = &self.address {
            vault.announce(address)?;
        }
        let [kdf_memory_kib, kdf_passes, kdf_lanes] = self.kdf.numbers();
        let State { epoch, seq, root } = vault.state();
        let created = Event::VaultCreated {
            grade: grade(vault.grade()),
            kdf_memory_kib,
            kdf_passes,
            kdf_lanes,
            vault_epoch: epoch,
            vault_seq: seq,
            vault_root: Digest(root),
        };
        self.log.append(&[created.by_system()])?;
        let slot = vault.authenticate(secret)?;
        self.enter(Box::new(vault), slot)?;
        Ok(code)
    }

    /// Opens the vault with a secret, or checks the secret against the open vault. A wrong one is put on record before
    /// it is answered.
    ///
    /// Before anything can be written, vault and log are held against each other, and requests that a crash left
    /// without an outcome are looked into.
    ///
    /// # Errors
    /// [`vault::Error::WrongSecret`], [`Error::AuditorOnly`], [`Error::VaultRolledBack`], or what vault and log
    /// say.
    pub fn unlock(&mut self, secret: &Secret) -> Result<SlotInfo, Error> {
        let locked = match std::mem::replace(&mut self.room, Room::NoVault) {
            Room::Locked(locked) => locked,
            Room::Open(open) => {
                self.room = Room::Open(open);
                return self.unlock_again(secret);
            }
            Room::NoVault => return Err(Error::NoVault),
        };
        match locked.unlock(secret) {
            Ok(Unlocked::Vault(vault, slot)) => {
                if let Err(error) = self.compare(&vault) {
                    self.room = Room::Locked(Box::new(vault.lock()));
                    return Err(error);
                }
                self.enter(vault, slot)?;
                Ok(slot)
            }
            Ok(Unlocked::Auditor(view)) => {
                let event = unlocked(view.slot(), Role::Auditor, view.public().state);
                self.room = Room::Locked(Box::new(view.lock()));
                self.log.append(&[event.by_system()])?;
                Err(Error::AuditorOnly)
            }
            Ok(_) => Err(Error::Locked),
            Err((locked, error)) => {
                self.room = Room::Locked(locked);
                if matches!(error, vault::Error::WrongSecret | vault::Error::RecoveryCodeMistyped) {
                    self.log.append(&[Event::VaultUnlockFailed {}.by_system().denied()])?;
                }
                Err(error.into())
            }
        }
    }

    /// Somebody proves a right to what is open already.
    fn unlock_again(&mut self, secret: &Secret) -> Result<SlotInfo, Error> {
        let slot = self.authenticate(secret)?;
        let open = self.open_vault()?;
        let role = role(slot);
        self.log.append(&[unlocked(slot, role, open.vault.state()).by(open.actor)])?;
        match role {
            Role::Auditor => Err(Error::AuditorOnly),
            _ => Ok(slot),
        }
    }

    /// The vault must hold every state that the log names, and the log every record that the vault remembers.
    fn compare(&self, vault: &Vault) -> Result<(), Error> {
        if let Some(mark) = vault.mark(MARK_LOG).and_then(decode_mark) {
            self.log.check_mark(&mark)?;
        }
        let Some(known) = self.recovery.as_ref().and_then(|r| r.vault) else { return Ok(()) };
        let holds = match vault.state().epoch.cmp(&known.epoch) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => vault.root_at(known.seq) == Some(known.root.0),
            // A roll that a crash kept off the record: only somebody with the keys could have made it.
            std::cmp::Ordering::Greater => true,
        };
        match holds {
            true => Ok(()),
            false => Err(Error::VaultRolledBack { epoch: known.epoch, seq: known.seq }),
        }
    }

    /// From here on the vault is open, a new signing epoch runs, and the past is in order. Otherwise it is locked.
    fn enter(&mut self, mut vault: Box<Vault>, slot: SlotInfo) -> Result<(), Error> {
        let begun = self.actor(&mut vault, slot).and_then(|actor| {
            self.log.begin_epoch(EpochReason::Unlock)?;
            Ok(actor)
        });
        let actor = match begun {
            Ok(actor) => actor,
            Err(error) => {
                self.room = Room::Locked(Box::new(vault.lock()));
                return Err(error);
            }
        };
        self.openings += 1;
        self.room =
            Room::Open(Box::new(Open { vault, slot, actor, number: self.openings, unsettled: false }));
        let settled = self.settle(slot, actor);
        if settled.is_err()
            && let Room::Open(open) = std::mem::replace(&mut self.room, Room::NoVault)
        {
            self.room = Room::Locked(Box::new(open.vault.lock()));
        }
        settled
    }

    /// The past in order, and the unlock on record.
    fn settle(&mut self, slot: SlotInfo, actor: Actor) -> Result<(), Error> {
        self.reconcile()?;
        reach(After::Reconciled)?;
        let state = self.open_vault()?.vault.state();
        self.log.append(&[unlocked(slot, role(slot), state).by(actor)])?;
        Ok(())
    }

    /// The actor's pseudonym; its salt is drawn at the slot's first unlock.
    fn actor(&mut self, vault: &mut Vault, slot: SlotInfo) -> Result<Actor, Error> {
        let tag = u8::try_from(slot.id.0).ok().and_then(|id| id.checked_add(MARK_ACTOR));
        let tag = tag.ok_or(vault::Error::SlotsFull)?;
        if let Some(salt) = vault.mark(tag).and_then(|m| <&[u8; 32]>::try_from(m).ok()) {
            return Ok(audit::actor(salt, &slot.id.0.to_be_bytes()));
        }
        let mut salt = [0; 32];
        self.random.fill(&mut salt).map_err(vault::Error::Random)?;
        vault.set_mark(tag, &salt, &mut *self.random)?;
        Ok(audit::actor(&salt, &slot.id.0.to_be_bytes()))
    }

    /// Locks the vault, remembers the log in it, and puts the end on record.
    ///
    /// # Errors
    /// What vault and log say; the vault is locked all the same.
    pub fn leave(mut self, reason: StopReason) -> Result<(), Error> {
        let locked = self.lock();
        self.log.append(&[Event::BootStopped { reason }.by_system()])?;
        locked
    }

    /// Locks the vault: from here on no key is in memory.
    ///
    /// # Errors
    /// What vault and log say; the vault is locked all the same.
    pub fn lock(&mut self) -> Result<(), Error> {
        match std::mem::replace(&mut self.room, Room::NoVault) {
            Room::Open(open) if open.unsettled => {
                self.room = Room::Locked(Box::new(open.vault.lock()));
                Ok(())
            }
            Room::Open(mut open) => {
                // A full disk must not keep the vault open; then the log is remembered at the next unlock.
                let marked = open.vault.set_mark(MARK_LOG, &encode_mark(&self.log.mark()), &mut *self.random);
                let State { epoch, seq, root } = open.vault.state();
                let actor = open.actor;
                self.room = Room::Locked(Box::new(open.vault.lock()));
                let event =
                    Event::VaultLocked { vault_epoch: epoch, vault_seq: seq, vault_root: Digest(root) };
                self.log.append(&[event.by(actor)])?;
                match marked {
                    Ok(_) | Err(vault::Error::DiskFull) => Ok(()),
                    Err(error) => Err(error.into()),
                }
            }
            other => {
                self.room = other;
                Ok(())
            }
        }
    }

    /// The open vault, the randomness and the log, or [`Error::Locked`].
    pub(crate) fn parts(&mut self) -> Result<(&mut Open, &mut (dyn Random + Send), &Log), Error> {
        match &mut self.room {
            Room::Open(open) => Ok((open, &mut *self.random, &self.log)),
            Room::Locked(_) => Err(Error::Locked),
            Room::NoVault => Err(Error::NoVault),
        }
    }

    /// The open vault, to read.
    pub(crate) fn open_vault(&self) -> Result<&Open, Error> {
        match &self.room {
            Room::Open(open) => Ok(open),
            Room::Locked(_) => Err(Error::Locked),
            Room::NoVault => Err(Error::NoVault),
        }
    }

    /// Milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> u64 {
        self.clock.wall_ms()
    }
}

fn unlocked(slot: SlotInfo, role: Role, state: State) -> Event {
    let State { epoch, seq, root } = state;
    let slot = slot.id.0.into();
    Event::VaultUnlocked { slot, role, vault_epoch: epoch, vault_seq: seq, vault_root: Digest(root) }
}

pub(crate) fn grade(grade: vault::Grade) -> audit::words::Grade {
    use audit::words::Grade;
    match grade {
        vault::Grade::InPlace => Grade::B,
        vault::Grade::Volatile => Grade::V,
        _ => Grade::C,
    }
}

fn role(slot: SlotInfo) -> Role {
    match (slot.kind, slot.role) {
        (SlotKind::Recovery, _) => Role::Recovery,
        (_, vault::Role::Operator) => Role::Operator,
        (_, vault::Role::Auditor) => Role::Auditor,
        _ => Role::Admin,
    }
}

/// Size 8, root 32, epoch 4, big-endian.
fn encode_mark(mark: &Mark) -> [u8; 44] {
    let mut bytes = [0; 44];
    bytes[..8].copy_from_slice(&mark.size.to_be_bytes());
    bytes[8..40].copy_from_slice(&mark.root.0);
    bytes[40..].copy_from_slice(&mark.epoch.to_be_bytes());
    bytes
}

fn decode_mark(bytes: &[u8]) -> Option<Mark> {
    let bytes: &[u8; 44] = bytes.try_into().ok()?;
    let size = u64::from_be_bytes(*bytes.first_chunk()?);
    let root = Digest(*bytes.get(8..)?.first_chunk()?);
    let epoch = u32::from_be_bytes(*bytes.get(40..)?.first_chunk()?);
    Some(Mark { size, root, epoch })
}

/// Why a roll happened that the log did not know of.
pub(crate) fn rolled_in_recovery(state: State) -> Event {
    let State { epoch, seq, root } = state;
    Event::VaultRolled {
        reason: RollReason::Recovery,
        vault_epoch: epoch,
        vault_seq: seq,
        vault_root: Digest(root),
    }
}
