//! Making the vault, unlocking it, signing in to it, and locking it.

use crate::hold::{Hold, beside};
use crate::roles::Roles;
use crate::room::{Darkroom, Open, Room};
use crate::step::{After, reach};
use crate::who::{Door, Role, Who};
use crate::{Error, room};
use audit::words::{EpochReason, StartRefusal, StopReason};
use audit::{Digest, Entry, Event, Mark};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use vault::{Locked, RecoveryCode, Secret, SlotInfo, Slots, State, Unlocked, Vault};

/// Openings in this process.
static OPENINGS: AtomicU64 = AtomicU64::new(0);

/// Does an act in which `secret` proves something. Its keys are derived before the darkroom is held for that, from what
/// anybody can read of the vault: nobody else waits for a guess. Whether it is right is told in the act.
///
/// # Errors
/// [`Error::NoVault`]; what the act says; no memory for the keys.
pub(crate) fn with_secret<T>(
    held: &mut impl Hold,
    secret: &Secret,
    mut act: impl FnMut(&mut Darkroom) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut slots = held.with(|darkroom| darkroom.slots())?;
    loop {
        beside(|| slots.derive(secret))?;
        let done = held.with(|darkroom| match darkroom.slots()? {
            now if now == slots => act(darkroom).map(ControlFlow::Break),
            // Somebody has set a new secret meanwhile: it takes other keys.
            now => Ok(ControlFlow::Continue(now)),
        })?;
        match done {
            ControlFlow::Break(done) => return Ok(done),
            ControlFlow::Continue(now) => slots = now,
        }
    }
}

impl Darkroom {
    /// Makes the vault with its first passphrase and leaves it unlocked. The recovery code is shown once and kept
    /// nowhere.
    ///
    /// # Errors
    /// [`vault::Error::VaultExists`], a weak passphrase, or what vault and log say.
    pub fn create_vault(&mut self, secret: &Secret, door: Door) -> Result<(Who, RecoveryCode), Error> {
        if self.has_vault() {
            return Err(vault::Error::VaultExists(self.folders.vault.clone()).into());
        }
        let paths = self.folders.of_vault();
        let (vault, code) = Vault::create(paths, secret, vault::Role::Admin, self.kdf, &mut *self.random)?;
        if let Some(announced) = &self.announced {
            vault.announce(announced)?;
        }
        let [kdf_memory_kib, kdf_passes, kdf_lanes] = self.kdf.numbers();
        let State { epoch, seq, root } = vault.state();
        let created = Event::VaultCreated {
            grade: room::grade(vault.grade()),
            kdf_memory_kib,
            kdf_passes,
            kdf_lanes,
            vault_epoch: epoch,
            vault_seq: seq,
            vault_root: Digest(root),
        };
        self.log.append(&[created.by_system()])?;
        let slot = vault.authenticate(secret)?;
        Ok((self.come_in(Box::new(vault), slot, door)?, code))
    }

    /// Opens the vault with a secret, or signs somebody in to the open vault. A wrong secret is put on record before it is
    /// answered.
    ///
    /// Before anything can be written, vault and log are held against each other, and what earlier sessions left without
    /// an outcome is looked into.
    ///
    /// # Errors
    /// [`vault::Error::WrongSecret`], [`Error::AuditorOnly`], [`Error::RolledBack`], [`Error::NoMark`], or what vault and
    /// log say. What was found about vault or log is on record.
    pub fn unlock(&mut self, secret: &Secret, door: Door) -> Result<Who, Error> {
        if self.is_open() {
            return self.sign_in(secret, door);
        }
        let (vault, slot) = self.open_locked(secret)?;
        self.come_in(vault, slot, door)
    }

    /// Opens the vault with its machine secret. Nobody comes in with it: whoever wants something of the open vault signs in.
    ///
    /// # Errors
    /// As [`Darkroom::unlock`].
    pub fn unlock_unattended(&mut self, secret: &Secret) -> Result<(), Error> {
        if !secret.is_machine() {
            return Err(vault::Error::WrongSecret.into());
        }
        let (vault, slot) = self.open_locked(secret)?;
        self.enter(vault, slot, None).map(drop)
    }

    /// The vault that a secret opens, held against the log. Otherwise it stays locked, and why is on record.
    fn open_locked(&mut self, secret: &Secret) -> Result<(Box<Vault>, SlotInfo), Error> {
        let locked = match std::mem::replace(&mut self.room, Room::NoVault) {
            Room::Locked(locked) => locked,
            Room::Open(open) => {
                self.room = Room::Open(open);
                return Err(vault::Error::Limit("the vault is open").into());
            }
            Room::NoVault => return Err(Error::NoVault),
        };
        let mut compared = Ok(());
        let accepts = |vault: &Vault| {
            compared = self.compare(vault);
            compared.is_ok()
        };
        match locked.unlock(secret, accepts) {
            Ok(Unlocked::Vault(vault, slot)) => match compared {
                Ok(()) => Ok((vault, slot)),
                Err(error) => {
                    let found = self.found(&error, &vault);
                    self.room = Room::Locked(Box::new(vault.lock()));
                    self.log.append(&[found])?;
                    Err(error)
                }
            },
            Ok(Unlocked::Auditor(view)) => {
                let state = view.public().state;
                // An auditor has no key that could vouch.
                if let Err(error) = self.log.prove_anew() {
                    self.room = Room::Locked(Box::new(view.lock()));
                    return Err(error.into());
                }
                let compared = self.compare_state(state.epoch, |seq| view.root_at(seq));
                let entry = match &compared {
                    Ok(()) => unlocked(view.slot(), Role::Auditor, state).by_system(),
                    Err(_) => rolled_back(state).by_system().failed(),
                };
                self.room = Room::Locked(Box::new(view.lock()));
                self.log.append(&[entry])?;
                compared.and(Err(Error::AuditorOnly))
            }
            Ok(_) => Err(Error::Locked),
            Err((locked, error)) => {
                self.stays_locked(locked, &error)?;
                Err(error.into())
            }
        }
    }

    pub(crate) fn slots(&self) -> Result<Slots, Error> {
        match &self.room {
            Room::NoVault => Err(Error::NoVault),
            Room::Locked(locked) => Ok(locked.slots()),
            Room::Open(open) => Ok(open.vault.slots()),
        }
    }

    /// Why the vault did not open, on record.
    fn stays_locked(&mut self, locked: Box<Locked>, error: &vault::Error) -> Result<(), Error> {
        self.room = Room::Locked(locked);
        let found = match error {
            vault::Error::WrongSecret
            | vault::Error::HalfNeeded
            | vault::Error::JointNeeded
            | vault::Error::RecoveryCodeMistyped => {
                let guess = Event::VaultUnlockFailed {}.by_system().denied();
                self.log.append(&[guess]).map_err(guessed)?;
                return Ok(());
            }
            vault::Error::EpochKeyGone { epoch } => {
                Event::VaultKeyGone { key_epoch: *epoch }.by_system().failed()
            }
            error if room::is_damage(error) => Event::VaultDamaged {}.by_system().failed(),
            _ => return Ok(()),
        };
        self.log.append(&[found])?;
        Ok(())
    }

    /// The record of a vault and a log that do not belong together.
    fn found(&self, error: &Error, vault: &Vault) -> Entry {
        let event = match error {
            Error::Log(_) => {
                let Mark { size, root, epoch, .. } = self.remembered(vault);
                Event::LogMarkMissed { mark_size: size, mark_root: root, mark_epoch: epoch }
            }
            _ => rolled_back(vault.state()),
        };
        event.by_system().failed()
    }

    /// Somebody proves a right to what is open already.
    fn sign_in(&mut self, secret: &Secret, door: Door) -> Result<Who, Error> {
        let slot = self.authenticate(secret)?;
        self.retry_old_key()?;
        let (open, random, log) = self.open_parts()?;
        let who = Who::behind(slot, door, open.number, &mut open.vault, random)?;
        let role = Roles::of(&open.vault).role(slot);
        let came = [unlocked(slot, role, open.vault.state()).by(who.actor), who.opened()];
        // An auditor has shown who they are, and comes in by the door of the page alone, behind which there are log and controls.
        let stays_out = who.role() == Role::Auditor && door != Door::Page;
        log.append(if stays_out { &came[..1] } else { &came })?;
        self.remember_log()?;
        if stays_out { Err(Error::AuditorOnly) } else { Ok(who) }
    }

    /// Whose secret this is, while the vault is open. A wrong one is put on record before it is answered, and the vault
    /// remembers that: it costs 146 bytes in each copy of the vault file and one sync, beside the log's own two and the tenth
    /// of a second and more that every guess takes.
    pub(crate) fn authenticate(&mut self, secret: &Secret) -> Result<SlotInfo, Error> {
        let (open, _, log) = self.open_parts()?;
        let found = open.vault.authenticate(secret);
        if matches!(found, Err(vault::Error::WrongSecret | vault::Error::HalfNeeded)) {
            log.append(&[Event::VaultUnlockFailed {}.by_system().denied()]).map_err(guessed)?;
            self.remember_log().map_err(guessed)?;
        }
        Ok(found?)
    }

    fn come_in(&mut self, vault: Box<Vault>, slot: SlotInfo, door: Door) -> Result<Who, Error> {
        self.enter(vault, slot, Some(door))?.ok_or(Error::Locked)
    }

    /// From here on the vault is open, a new signing epoch runs, and the past is in order. Otherwise it is locked. Who came in by
    /// `door`; without one nobody did.
    fn enter(&mut self, vault: Box<Vault>, slot: SlotInfo, door: Option<Door>) -> Result<Option<Who>, Error> {
        let number = OPENINGS.fetch_add(1, Ordering::Relaxed) + 1;
        let is_unattended = door.is_none();
        self.room = Room::Open(Box::new(Open {
            vault,
            number,
            is_unattended,
            is_code_unseen: false,
            unsettled: false,
        }));
        let settled = self.settle(slot, door);
        match settled {
            Ok(_) => self.opening.store(number, Ordering::Relaxed),
            Err(_) => self.shut(),
        }
        settled
    }

    /// From here on no key is in memory.
    fn shut(&mut self) {
        self.opening.store(0, Ordering::Relaxed);
        self.log.forget_key();
        self.room = match std::mem::replace(&mut self.room, Room::NoVault) {
            Room::Open(open) => Room::Locked(Box::new(open.vault.lock())),
            other => other,
        };
    }

    /// The past in order, and the unlock on record.
    fn settle(&mut self, slot: SlotInfo, door: Option<Door>) -> Result<Option<Who>, Error> {
        let (open, random, _) = self.open_parts()?;
        let second = open.vault.second();
        let mut come = |slot, door| Who::behind(slot, door, open.number, &mut open.vault, random);
        let who = door.map(|door| come(slot, door)).transpose()?;
        let second = second.zip(door).map(|(slot, door)| come(slot, door)).transpose()?;
        let who = who.map(|who| who.with_second(second.map(|second| second.actor)));
        self.report_damage()?;
        self.remember_log()?;
        self.trust_log()?;
        self.log.begin_epoch(EpochReason::Unlock)?;
        self.report_old_key()?;
        self.reconcile()?;
        reach(After::Reconciled)?;
        let vault = &self.open_vault()?.vault;
        let (role, state) = (Roles::of(vault).role(slot), vault.state());
        let unlocked = unlocked(slot, role, state);
        let with = second.map(|who| Event::VaultUnlockedWith { slot: who.slot.into() }.by(who.actor));
        let unlocked = who.map_or(unlocked.by_system(), |who| unlocked.by(who.actor));
        let came = who.map(|who| who.opened());
        self.log.append(&[Some(unlocked), with, came].into_iter().flatten().collect::<Vec<_>>())?;
        self.drop_superseded()?;
        self.remember_log()?;
        self.log.remember();
        Ok(who)
    }

    /// The vault remembers the log as it is now. A full disk keeps nobody out, since erasing needs an unlock: what could
    /// not be set goes with the vault's next record.
    fn remember_log(&mut self) -> Result<(), Error> {
        let (open, random, log) = self.open_parts()?;
        match open.cover(log, random) {
            Err(Error::Vault(vault::Error::DiskFull)) => open.cover_with_next(log),
            covered => covered,
        }
    }

    /// Puts a refusal to start on record, and leaves.
    ///
    /// # Errors
    /// What the log says.
    pub fn refuse_start(self, reason: StartRefusal) -> Result<(), Error> {
        self.record_refusal(reason)?;
        self.leave(StopReason::Error)
    }

    /// Locks the vault and puts the end on record.
    ///
    /// # Errors
    /// What vault and log say; the vault is locked all the same.
    pub fn leave(mut self, reason: StopReason) -> Result<(), Error> {
        let locked = self.lock(None);
        let stopped = self.log.append(&[Event::BootStopped { reason }.by_system()]);
        self.copy_last();
        let ended = |source| Error::Unrecorded {
            done: "what was answered before is done, and the program has ended".into(),
            source,
        };
        stopped.map_err(ended)?;
        locked
    }

    /// Locks the vault, as `who` asked for, or by the program's own rule: from here on no key is in memory.
    ///
    /// # Errors
    /// What vault and log say; the vault is locked all the same.
    pub fn lock(&mut self, who: Option<&Who>) -> Result<(), Error> {
        let Room::Open(open) = &self.room else { return Ok(()) };
        if let Some(who) = who {
            open.admit(who)?;
        }
        let ended = if open.unsettled { Ok(()) } else { self.record_lock(who) };
        self.shut();
        ended
    }

    fn record_lock(&mut self, who: Option<&Who>) -> Result<(), Error> {
        let State { epoch, seq, root } = self.open_vault()?.vault.state();
        let event = Event::VaultLocked { vault_epoch: epoch, vault_seq: seq, vault_root: Digest(root) };
        let entry = who.map_or(event.by_system(), |who| event.by(who.actor));
        let locked = |source| Error::Unrecorded { done: "the vault is locked".into(), source };
        self.log.append(&[entry]).map_err(locked)?;
        self.remember_log()?;
        self.log.remember();
        Ok(())
    }
}

/// Of a wrong secret, whatever else fails.
fn guessed(error: impl Into<Error>) -> Error {
    Error::Guessed(Box::new(error.into()))
}

fn rolled_back(State { epoch, seq, root }: State) -> Event {
    Event::VaultRolledBack { found_epoch: epoch, found_seq: seq, found_root: Digest(root) }
}

fn unlocked(slot: SlotInfo, role: Role, state: State) -> Event {
    let State { epoch, seq, root } = state;
    Event::VaultUnlocked {
        slot: slot.id.0.into(),
        role,
        vault_epoch: epoch,
        vault_seq: seq,
        vault_root: Digest(root),
    }
}
