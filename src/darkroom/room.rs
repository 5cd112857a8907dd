//! The darkroom itself: opening it, and what is put on record about a start.

use crate::moment::Moment;
use crate::outside::{CopyPlace, CopyState, Copying, END_TIME_MAX, unusable};
use crate::rights::Act;
use crate::{Error, Who};
use audit::words::{ObjectFailure, RequestRefusal, StartRefusal, StopReason};
use audit::{Clock as _, Digest, Event, Log, OutsideWriter, SystemClock};
use engine::wire::Fenced;
use policy::{Erase, Process, TwoPersons};
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use vault::{KdfParams, Locked, OsRandom, Random, Vault};

/// The folders of a darkroom.
#[derive(Clone, Debug)]
pub struct Folders {
    /// Key file, anchor, lock.
    pub vault: PathBuf,
    /// The log.
    pub audit: PathBuf,
    /// Sealed pictures.
    pub outputs: PathBuf,
}

impl Folders {
    pub(crate) fn of_vault(&self) -> vault::Paths {
        vault::Paths { state: self.vault.clone(), outputs: self.outputs.clone() }
    }
}

/// What a start is, for its record, and the rule that it brings.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// SHA-256 of the running program.
    pub binary: [u8; 32],
    /// Digest of the policy in force.
    pub policy: [u8; 32],
    /// Landlock ABI in use.
    pub landlock_abi: u32,
    /// Whether pictures may be erased at all.
    pub erase: Erase,
    /// After how many days a picture is erased by itself, if ever.
    pub picture_days_max: Option<u32>,
    /// How many days behind somebody's removal their name is destroyed, if ever.
    pub names_days_max: Option<u32>,
    /// Acts of one admin that a second one confirms.
    pub two_person: TwoPersons,
    /// How many hours such an act waits.
    pub two_person_hours_max: u64,
}

/// The darkroom: a vault and its log, held by this process alone.
pub struct Darkroom {
    pub(crate) log: Log,
    pub(crate) folders: Folders,
    pub(crate) random: Box<dyn Random + Send>,
    pub(crate) clock: SystemClock,
    pub(crate) kdf: KdfParams,
    pub(crate) erase: Erase,
    pub(crate) picture_days_max: Option<u32>,
    pub(crate) names_days_max: Option<u32>,
    pub(crate) two_person: TwoPersons,
    pub(crate) two_person_hours_max: u64,
    /// When the program began.
    pub(crate) began: Moment,
    pub(crate) room: Room,
    /// Number of the opening that goes on, 0 while there is none: for whoever does not wait for the darkroom.
    pub(crate) opening: Arc<AtomicU64>,
    /// Requests of this process that have no outcome yet: nobody needs to look into them.
    pub(crate) in_work: HashSet<audit::JobId>,
    /// Tokens whose use on a day, in days since 1970, this process has put on record.
    pub(crate) tokens_used: HashSet<(u64, u32)>,
    /// The thread that keeps a copy of the newest checkpoint, and how that copy is.
    pub(crate) copying: Option<Copying>,
    pub(crate) copy_state: CopyState,
    /// Where this process can be reached, for those who find the vault taken.
    pub(crate) announced: Option<vault::Announced>,
}

/// The vault, as far as it is open.
pub(crate) enum Room {
    NoVault,
    Locked(Box<Locked>),
    Open(Box<Open>),
}

/// An unlocked vault. It holds nobody: whoever acts on it says who they are.
pub(crate) struct Open {
    pub vault: Box<Vault>,
    /// Which opening of a vault by this process it is, counted from 1.
    pub number: u64,
    /// A machine secret opened it, and no person.
    pub is_unattended: bool,
    /// An earlier session was cut off when it had drawn a recovery code, which perhaps nobody has seen.
    pub is_code_unseen: bool,
    /// Something did not come to its end: the next unlock decides what holds, and until then no record names a state.
    pub unsettled: bool,
}

impl Open {
    /// [`Error::Locked`] for somebody who came in at another opening of the vault, or who was removed or got another role since.
    pub(crate) fn admit(&self, who: &Who) -> Result<(), Error> {
        who.admitted_by(self.number)?;
        match who.remains(&self.vault) {
            true => Ok(()),
            false if who.scopes().is_some() => Err(Error::UnknownToken),
            false => Err(Error::Locked),
        }
    }
}

impl Darkroom {
    /// Takes the vault and the log, and puts the start on record. Makes the log on a first start.
    ///
    /// `clock` was made before the fences; `kdf` is the cost of new passphrases, [`KdfParams::DEFAULT`] outside
    /// of tests.
    ///
    /// # Errors
    /// [`vault::Error::Busy`] if another process has the vault; what vault and log say about damage, on record where the
    /// log opens; [`Error::LogMissing`]; [`Error::VaultMissing`], on record.
    pub fn open(folders: Folders, clock: SystemClock, kdf: KdfParams, start: Start) -> Result<Self, Error> {
        let paths = folders.of_vault();
        let exists = paths.vault_exists();
        // First, since it knows who has it.
        let locked = exists.then(|| Locked::open(paths)).transpose();
        if let Err(busy @ vault::Error::Busy(_)) = locked {
            return Err(busy.into());
        }
        let memory = folders.vault.join(vault::LOG_MEMORY);
        let log = match Log::open_remembered(&folders.audit, &memory, clock) {
            Err(audit::Error::Absent { .. }) if !exists => {
                Log::create_remembered(&folders.audit, &memory, clock)?
            }
            Err(audit::Error::Absent { dir }) => return Err(Error::LogMissing { dir }),
            opened => opened.map(|(log, _)| log)?,
        };
        // What follows before anybody unlocks hangs on what all records say.
        if !exists || log.unfinished()?.destruction.is_some() {
            log.prove_anew()?;
        }
        log.append(&[started(start).by_system()])?;
        let refused = || {
            let stopped = Event::BootStopped { reason: StopReason::Error };
            [Event::BootRefused { reason: StartRefusal::Vault }.by_system().denied(), stopped.by_system()]
        };
        let locked = finish_destruction(&log, &folders, locked)?;
        let room = match locked {
            Ok(Some(locked)) => Room::Locked(Box::new(locked)),
            // A new vault here would overwrite the anchor, without which the old one does not open again.
            Ok(None) if log.unfinished()?.vault.is_some() => {
                log.append(&refused())?;
                return Err(Error::VaultMissing { dir: folders.vault });
            }
            Ok(None) => Room::NoVault,
            Err(error) => {
                let found = is_damage(&error).then(|| Event::VaultDamaged {}.by_system().failed());
                let entries: Vec<_> = found.into_iter().chain(refused()).collect();
                log.append(&entries)?;
                return Err(error.into());
            }
        };
        Ok(Self {
            log,
            folders,
            random: Box::new(OsRandom),
            clock,
            kdf,
            erase: start.erase,
            picture_days_max: start.picture_days_max,
            names_days_max: start.names_days_max,
            two_person: start.two_person,
            two_person_hours_max: start.two_person_hours_max,
            began: Moment::now(&clock),
            room,
            opening: Arc::default(),
            in_work: HashSet::new(),
            tokens_used: HashSet::new(),
            copying: None,
            copy_state: CopyState::default(),
            announced: None,
        })
    }

    /// From now on a process that finds the vault taken is told where this one answers, and which policy's file it was started with.
    ///
    /// # Errors
    /// What the vault says.
    pub fn announce(&mut self, announced: vault::Announced) -> Result<(), Error> {
        match &self.room {
            Room::NoVault => {}
            Room::Locked(locked) => locked.announce(&announced)?,
            Room::Open(open) => open.vault.announce(&announced)?,
        }
        self.announced = Some(announced);
        Ok(())
    }

    /// From here on a copy of the newest checkpoint goes to that place: at once, every few seconds, and at the end.
    pub fn copy_checkpoints(&mut self, place: CopyPlace) {
        let state = &self.copy_state;
        state.want(&self.folders.audit, None);
        let started = match place {
            CopyPlace::Folder(folder) => {
                let mut writer = OutsideWriter::new(&self.log, &self.folders.audit, &folder);
                Copying::start(folder, state.clone(), move || writer.renew())
                    .map_err(|error| format!("no thread could be started to copy checkpoints: {error}"))
            }
            CopyPlace::Unusable { folder, why } => Err(unusable(&folder, &why)),
        };
        match started {
            Ok(copying) => self.copying = Some(copying),
            Err(why) => state.want(&self.folders.audit, Some(why)),
        }
    }

    /// How the copy is.
    pub fn copy_state(&self) -> CopyState {
        self.copy_state.clone()
    }

    /// The last copy, as far as its disk lets it come about.
    pub(crate) fn copy_last(&mut self) {
        if let Some(copying) = self.copying.take() {
            copying.end(END_TIME_MAX);
        }
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
    pub fn record_posture(&self, fenced: &Fenced) -> Result<(), Error> {
        let Fenced { report, fences, amber, landlock_abi, uid0, .. } = *fenced;
        let event = Event::PostureRecorded { report: Digest(report), fences, amber, landlock_abi, uid0 };
        self.log.append(&[event.by_system()])?;
        Ok(())
    }

    /// Puts the tested fences of one of the program's processes on record.
    ///
    /// # Errors
    /// What the log says.
    pub fn record_process(&self, process: Process, fenced: &Fenced) -> Result<(), Error> {
        let Fenced { plan, report, fences, amber, landlock_abi, uid0 } = *fenced;
        let process = match process {
            Process::Keeper => audit::words::Process::Keeper,
            Process::Server => audit::words::Process::Server,
            Process::Engine => audit::words::Process::Engine,
            // It works through another process, whose log this is.
            Process::Client => return Ok(()),
            Process::Import => audit::words::Process::Import,
        };
        let (plan, report) = (Digest(plan), Digest(report));
        let event = Event::PostureOfProcess { process, plan, report, fences, amber, landlock_abi, uid0 };
        self.log.append(&[event.by_system()])?;
        Ok(())
    }

    /// Puts on record that a fence was found open while the program runs.
    ///
    /// # Errors
    /// What the log says.
    pub fn record_open_fence(&self) -> Result<(), Error> {
        self.log.append(&[Event::FenceFoundOpen {}.by_system().failed()])?;
        Ok(())
    }

    /// Puts on record that the model is loaded and everything holds.
    ///
    /// # Errors
    /// What the log says.
    pub fn record_ready(&self, model: &engine::Model) -> Result<(), Error> {
        let digest = Digest(model.digest);
        let ready = Event::BootReady { model: digest, device: device(model.device) };
        let may_change = model.may_change.then_some(Event::ModelMayChange { model: digest });
        let entries: Vec<_> = may_change.into_iter().chain([ready]).map(Event::by_system).collect();
        self.log.append(&entries)?;
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

    /// Whether somebody has the slot of this number, in the open vault.
    pub fn has_slot(&self, slot: u16) -> bool {
        self.open_vault().is_ok_and(|open| open.vault.has_slot(vault::SlotId(slot)))
    }

    /// Whether somebody is what they came in as, at this opening of the vault.
    pub fn knows(&self, who: &Who) -> bool {
        self.open_vault().is_ok_and(|open| open.admit(who).is_ok())
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

    /// What an erasure is worth on the file system of the vault.
    ///
    /// # Errors
    /// [`Error::Locked`] or [`Error::NoVault`].
    pub fn grade(&self) -> Result<vault::Grade, Error> {
        Ok(self.open_vault()?.vault.grade())
    }

    /// Whether the policy lets pictures be erased at all.
    pub fn may_erase(&self) -> bool {
        self.erase == Erase::Allow
    }

    /// A seed for a request that names none.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub(crate) fn draw_seed(&mut self) -> Result<u32, Error> {
        let mut bytes = [0; 4];
        self.random.fill(&mut bytes).map_err(vault::Error::Random)?;
        Ok(u32::from_be_bytes(bytes))
    }

    /// What an act of `who` works with: the open vault, the randomness and the log; or [`Error::Locked`], or
    /// [`Error::NotPermitted`], on record.
    pub(crate) fn parts(
        &mut self,
        who: &Who,
        act: Act,
    ) -> Result<(&mut Open, &mut (dyn Random + Send), &Log), Error> {
        self.vault_of(who, act)?;
        self.retry_old_key()?;
        self.open_parts()
    }

    /// The same for the program's own work.
    pub(crate) fn open_parts(&mut self) -> Result<(&mut Open, &mut (dyn Random + Send), &Log), Error> {
        match &mut self.room {
            Room::Open(open) => Ok((open, &mut *self.random, &self.log)),
            Room::Locked(_) => Err(Error::Locked),
            Room::NoVault => Err(Error::NoVault),
        }
    }

    /// The open vault, for an act of `who`; or [`Error::Locked`], or [`Error::NotPermitted`], on record.
    pub(crate) fn vault_of(&self, who: &Who, act: Act) -> Result<&Vault, Error> {
        let open = self.open_vault()?;
        open.admit(who)?;
        if let Err(error) = who.permitted(act, &open.vault) {
            let refused = Event::RequestRefused { reason: RequestRefusal::Permission };
            self.log.append(&[refused.by(who.actor).denied()])?;
            return Err(error);
        }
        Ok(&open.vault)
    }

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

/// At a start: a destruction without an outcome is either not done, or comes to its end.
fn finish_destruction(
    log: &Log,
    folders: &Folders,
    locked: Result<Option<Locked>, vault::Error>,
) -> Result<Result<Option<Locked>, vault::Error>, Error> {
    let Some(job) = log.unfinished()?.destruction else { return Ok(locked) };
    drop(locked); // its lock is asked for again
    let paths = folders.of_vault();
    let event = match vault::finish_destruction(paths.clone()) {
        // What is not there says nothing.
        Err(_) if !paths.vault_exists() => return Ok(Ok(None)),
        Ok(None) if !paths.vault_exists() => return Ok(Ok(None)),
        Err(error) => return Err(error.into()),
        Ok(Some(vault::Destroyed { grade: worth, cleanup_pending, .. })) => {
            Event::VaultDestroyed { grade: grade(worth), cleanup_pending }.by_system()
        }
        Ok(None) => Event::VaultDestroyFailed { reason: ObjectFailure::Io }.by_system().failed(),
    };
    log.append(&[event.job(job)])?;
    let exists = paths.vault_exists();
    Ok(exists.then(|| Locked::open(paths)).transpose())
}

/// The record of a start.
pub(crate) fn started(start: Start) -> Event {
    Event::BootStarted {
        pid: std::process::id(),
        binary: Digest(start.binary),
        policy: Digest(start.policy),
        landlock_abi: start.landlock_abi,
    }
}

/// Whether what lies there is no vault, or no longer one; otherwise something keeps this process from it.
pub(crate) fn is_damage(error: &vault::Error) -> bool {
    use vault::Error as E;
    matches!(
        error,
        E::HeaderTampered | E::LogDamaged { .. } | E::NoVault(_) | E::Unsupported { .. } | E::KdfOutOfRange
    )
}

/// The log's word for where a model computes.
pub(crate) fn device(device: engine::Device) -> audit::words::Device {
    match device {
        engine::Device::Cpu => audit::words::Device::Cpu,
        engine::Device::Cuda => audit::words::Device::Cuda,
    }
}

/// The log's word for what an erasure is worth.
pub(crate) fn grade(grade: vault::Grade) -> audit::words::Grade {
    use audit::words::Grade;
    match grade {
        vault::Grade::InPlace => Grade::B,
        vault::Grade::Volatile => Grade::V,
        _ => Grade::C,
    }
}
