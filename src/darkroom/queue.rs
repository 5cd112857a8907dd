//! The bounded queue: requests wait for the one engine, and whoever asked sees how far they are.
//!
//! One thread works them off. It holds the darkroom for numbers, keys and records only, so that lists, looks, erasures
//! and the lock go on while a picture is in work. A request that was accepted has its intent on record; what becomes of it is
//! on record too, whether it is carried out, cancelled, or left behind by a crash.
//!
//! Whoever needs both locks takes the darkroom's first, then the table's.

mod check;
mod people;
mod table;
mod worker;

use crate::checked::Checked;
use crate::hold::Hold;
use crate::keep::Intent;
use crate::outside::CopyState;
use crate::request::Ask;
use crate::room::Darkroom;
use crate::unlock::with_secret;
use crate::who::{Door, Who};
use crate::{Act, Error, Kind, Role, Warning, marks};
use audit::words::{GenerateFailure, RequestRefusal, StopReason};
use engine::{Check, Engine, Model, PromptLength};
use policy::{KeepPrompts, Limits};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use table::{Cancel, Queued, Table};
use vault::{Erasure, ObjectId, RecoveryCode, Secret};
use zeroize::Zeroizing;

pub use table::{Job, JobState, Name};

/// What requests are held against.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The policy's limits.
    pub limits: Limits,
    /// May prompts be kept?
    pub keep_prompts: KeepPrompts,
    /// How many requests of one person may wait.
    pub waiting_max: usize,
}

/// A darkroom, an engine, and the requests between them.
pub struct Queue {
    shared: Arc<Shared>,
    worker: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    /// `None` once the queue is closed.
    darkroom: Mutex<Option<Darkroom>>,
    /// Number of the vault's opening that goes on; see [`Darkroom::opening`].
    opening: Arc<AtomicU64>,
    /// The one that a machine secret began at the start, 0 without.
    unattended: u64,
    /// How the copy of the newest checkpoint is.
    copy: CopyState,
    table: Mutex<Table>,
    /// Something for the worker.
    wake: Condvar,
    watchers: AtomicUsize,
    /// As they were last seen.
    warnings: Mutex<Vec<Warning>>,
    model: Model,
    checker: Arc<dyn Check>,
    rules: Rules,
    notify: Box<dyn Fn() + Send + Sync>,
}

/// While one of these lives, previews are made.
pub struct Watch(Arc<Shared>);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.watchers.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Queue {
    /// Starts the thread that owns `engine`. `notify` is called after every change, from any thread, and must not
    /// wait.
    ///
    /// # Errors
    /// No thread could be started; the end is on record.
    pub fn start(
        darkroom: Darkroom,
        mut engine: Box<dyn Engine>,
        rules: Rules,
        notify: impl Fn() + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            opening: Arc::clone(&darkroom.opening),
            unattended: darkroom.unattended_opening(),
            copy: darkroom.copy_state(),
            darkroom: Mutex::new(Some(darkroom)),
            table: Mutex::default(),
            wake: Condvar::new(),
            watchers: AtomicUsize::new(0),
            warnings: Mutex::default(),
            model: engine.model().clone(),
            checker: engine.checker(),
            rules,
            notify: Box::new(notify),
        });
        let of_worker = Arc::clone(&shared);
        #[cfg(test)]
        let order = crate::step::CRASH.with_borrow(crate::step::Order::clone);
        let life = move || {
            #[cfg(test)]
            crate::step::CRASH.set(order);
            of_worker.work(&mut *engine);
        };
        let worker = thread::Builder::new().name("engine".into()).spawn(life).inspect_err(|_| {
            // Nobody will close this queue.
            if let Some(darkroom) = shared.darkroom.lock().ok().and_then(|mut held| held.take()) {
                let _ = darkroom.leave(StopReason::Error);
            }
        })?;
        Ok(Self { shared, worker: Mutex::new(Some(worker)) })
    }

    /// The loaded model.
    pub fn model(&self) -> &Model {
        &self.shared.model
    }

    /// What requests are held against.
    pub fn rules(&self) -> &Rules {
        &self.shared.rules
    }

    /// Does one act in the darkroom.
    ///
    /// # Errors
    /// What the act says; [`Error::Stopping`], or [`Error::Broken`] after a panic in an earlier act.
    pub fn with<T>(&self, act: impl FnOnce(&mut Darkroom) -> Result<T, Error>) -> Result<T, Error> {
        self.shared.with(act)
    }

    /// The same for an act with an answer of its own.
    ///
    /// # Errors
    /// [`Error::Stopping`], or [`Error::Broken`] after a panic in an earlier act.
    pub fn hold<T>(&self, act: impl FnOnce(&mut Darkroom) -> T) -> Result<T, Error> {
        self.shared.with(|darkroom| Ok(act(darkroom)))
    }

    /// Holds a request against the limits and the model. What is wrong with it is on record before it is answered, as an
    /// act of `who`, if it is known by then.
    ///
    /// # Errors
    /// What is wrong with the request; what the log says.
    pub fn check(&self, who: Option<&Who>, ask: Ask) -> Result<Checked, Error> {
        self.shared.check(who, ask)
    }

    /// How long a prompt is for the model, as its bytes came in. It waits for no act, and nothing is on record.
    ///
    /// # Errors
    /// [`Error::Locked`]; more bytes than the limit, no UTF-8, or nothing that can be turned into tokens.
    pub fn measure(&self, who: &Who, prompt: Zeroizing<Vec<u8>>) -> Result<PromptLength, Error> {
        self.shared.measure(who, prompt)
    }

    /// Accepts a request: it is on record and will be carried out.
    ///
    /// # Errors
    /// [`Error::QueueFull`], on record; [`Error::KeyReused`]; [`Error::Locked`]; what the log says.
    pub fn submit(&self, who: &Who, checked: Checked, name: Option<Name>) -> Result<Job, Error> {
        let Shared { rules, model, .. } = &*self.shared;
        self.with(|darkroom| {
            darkroom.vault_of(who, Act::MakePictures)?;
            let waiting = {
                let table = self.shared.table();
                if table.stopping {
                    return Err(Error::Stopping);
                }
                if let Some(name) = &name
                    && let Some(known) = table.named(who.slot, &name.text)
                {
                    let same = known.name.as_ref() == Some(name);
                    return if same { Ok(table.view(known)) } else { Err(Error::KeyReused) };
                }
                let waits = |e: &&Queued| e.slot == who.slot && e.job.state == JobState::Waiting;
                table.entries.iter().filter(waits).count()
            };
            if waiting >= rules.waiting_max {
                darkroom.refuse(Some(who), RequestRefusal::Busy)?;
                return Err(Error::QueueFull { waiting });
            }
            let intent = darkroom.intend(who, &checked, model)?;
            let job = Job::new(&checked.prepared.settings, intent.job, darkroom.now_ms());
            let id = job.id;
            let work = Some((checked, intent));
            let mut table = self.shared.table();
            let entry =
                Queued { job, slot: who.slot, name, work, started: None, cancel: None, preview: None };
            table.entries.push_back(entry);
            table.forget_old();
            Ok(self.shared.changed(table, id).expect("it was just put there"))
        })
    }

    /// All requests of theirs that are known, oldest first. Like the two below it waits for no act.
    ///
    /// # Errors
    /// [`Error::Locked`].
    pub fn jobs(&self, who: &Who) -> Result<Vec<Job>, Error> {
        self.shared.admit(who)?;
        let table = self.shared.table();
        let own = table.entries.iter().filter(|entry| entry.slot == who.slot);
        Ok(own.map(|entry| table.view(entry)).collect())
    }

    /// One of them.
    ///
    /// # Errors
    /// [`Error::Locked`], [`Error::NoJob`].
    pub fn job(&self, who: &Who, id: audit::JobId) -> Result<Job, Error> {
        self.shared.admit(who)?;
        let table = self.shared.table();
        table.find_of(who.slot, id).map(|entry| table.view(entry))
    }

    /// The newest preview of a request in work, as PNG.
    ///
    /// # Errors
    /// [`Error::Locked`]; [`Error::NoJob`] if there is none.
    pub fn preview(&self, who: &Who, id: audit::JobId) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.shared.admit(who)?;
        let table = self.shared.table();
        let pixels = table.find_of(who.slot, id)?.preview.clone().ok_or(Error::NoJob)?;
        drop(table);
        Ok(Zeroizing::new(marks::png(&pixels, &id.to_string())?))
    }

    /// Whether a request ended, or its end is not on record, because the log cannot be written, which it then stays.
    pub fn has_log_failed(&self) -> bool {
        let table = self.shared.table();
        let errors = || table.entries.iter().filter_map(|entry| entry.job.error.as_ref());
        errors().any(|error| matches!(error.kind(), Kind::Log | Kind::Unrecorded))
    }

    /// Previews cost time: they are made while somebody watches.
    pub fn watch(&self) -> Watch {
        self.shared.watchers.fetch_add(1, Ordering::Relaxed);
        Watch(Arc::clone(&self.shared))
    }

    /// Grows whenever a picture of theirs came or went.
    pub fn pictures_version(&self, who: &Who) -> u64 {
        self.shared.table().pictures_version(who.slot)
    }

    /// [`Darkroom::warnings`], or while an act goes on those from before it: whoever asks again and again waits for
    /// nobody.
    pub fn warnings(&self) -> Vec<Warning> {
        let held = self.shared.darkroom.try_lock();
        let now = held.ok().and_then(|held| held.as_ref().map(Darkroom::warnings));
        let mut known = self.shared.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(now) = now {
            *known = now;
        }
        known.clone()
    }

    /// Cancels a request: a waiting one at once, the one in work within a step.
    ///
    /// # Errors
    /// [`Error::NoJob`], [`Error::JobEnded`], or what the log says.
    pub fn cancel(&self, who: &Who, id: audit::JobId) -> Result<Job, Error> {
        self.with(|darkroom| {
            darkroom.vault_of(who, Act::MakePictures)?;
            let mut table = self.shared.table();
            table.find_of(who.slot, id)?;
            let asked = Cancel { reason: GenerateFailure::Cancelled, by: Some(who.actor) };
            let cancel = if table.stopping { Cancel::SHUTDOWN } else { asked };
            let entry = table.find_mut(id)?;
            let work = entry.work.take();
            match entry.job.state {
                JobState::Waiting => entry.job.state = JobState::Cancelled,
                JobState::Running => entry.cancel = Some(cancel),
                _ => return Err(Error::JobEnded),
            }
            let job = self.shared.changed(table, id)?;
            if let Some((_, intent)) = work {
                darkroom.fail(&intent, cancel.reason, 0, who.actor)?;
            }
            Ok(job)
        })
    }

    /// Destroys the keys of pictures; see [`Darkroom::erase`]. Beside the erasure, how many backups there may be that hold them.
    ///
    /// # Errors
    /// As there.
    pub fn erase(&self, who: &Who, ids: &[ObjectId]) -> Result<(Erasure, usize), Error> {
        let erased = self.with(|darkroom| darkroom.erase(who, ids));
        let erased = erased.map(|erased| (erased.erasure, erased.backups.len()));
        self.shared.table().pictures_changed(Some(who.slot));
        (self.shared.notify)();
        erased
    }

    /// Erases what is past its period, and destroys the names that are.
    ///
    /// # Errors
    /// As [`Darkroom::retain_by_itself`] and [`Darkroom::retain_names_by_itself`].
    pub fn retain(&self) -> Result<(), Error> {
        let erased = self.with(Darkroom::retain_by_itself);
        if matches!(erased, Ok(Some(_))) {
            self.shared.table().pictures_changed(None);
            (self.shared.notify)();
        }
        self.with(Darkroom::retain_names_by_itself)?; // which waits for no picture
        erased.map(drop)
    }

    /// Opens the vault, or proves a right to the open one. While the keys of the secret are derived, others have the
    /// darkroom.
    ///
    /// # Errors
    /// As [`Darkroom::unlock`].
    pub fn unlock(&self, secret: &Secret, door: Door) -> Result<Who, Error> {
        with_secret(&mut &*self, secret, |darkroom| {
            let who = darkroom.unlock(secret, door)?;
            // An auditor holds it open for nobody: a lock that is due stays so.
            if who.role() != Role::Auditor {
                self.shared.table().lock_when_empty = false;
            }
            Ok(who)
        })
    }

    /// As [`Darkroom::enter_by_token`]; not where nobody is signed in any more, though the vault is open until the last request is done.
    ///
    /// # Errors
    /// [`Error::Locked`]; as there.
    pub fn enter_by_token(&self, sha256: &[u8; 32]) -> Result<Who, Error> {
        if self.shared.table().lock_when_empty {
            return Err(Error::Locked);
        }
        self.with(|darkroom| darkroom.enter_by_token(sha256))
    }

    /// Draws a new recovery code, as [`Darkroom::replace_recovery`], for somebody who proves once more what opens the vault:
    /// an open one does not spare it. While the keys of `proof` are derived, others have the darkroom.
    ///
    /// # Errors
    /// A wrong proof, on record; as there.
    pub fn replace_recovery(&self, who: &Who, proof: &Secret) -> Result<RecoveryCode, Error> {
        self.with(|darkroom| darkroom.vault_of(who, Act::NewRecoveryCode).map(drop))?;
        with_secret(&mut &*self, proof, |darkroom| {
            darkroom.prove(who, proof, Act::NewRecoveryCode)?;
            darkroom.replace_recovery(who)
        })
    }

    /// Locks the vault now, as `who` asked for. Waiting requests are cancelled, and the one in work will not be sealed.
    ///
    /// # Errors
    /// What vault and log say; the vault is locked all the same. [`Error::Locked`] if it was.
    pub fn lock(&self, who: &Who) -> Result<(), Error> {
        let locked = self.with(|darkroom| {
            darkroom.vault_of(who, Act::Leave)?;
            let cancel = Cancel { reason: GenerateFailure::Cancelled, by: Some(who.actor) };
            let waited = self.shared.cancel_all(None, cancel);
            let failed = fail_all(darkroom, &waited, cancel);
            darkroom.lock(Some(who)).and(failed)
        });
        (self.shared.notify)();
        locked
    }

    /// Locks the vault as soon as no request waits or is in work, unless somebody unlocks it before.
    pub fn lock_when_empty(&self) {
        self.shared.table().lock_when_empty = true;
        self.shared.wake.notify_all();
    }

    /// From here on no request is taken or begun, and one that ends unfinished ends because the program does, whoever asks for it.
    pub fn stop(&self) {
        self.shared.table().stopping = true;
        self.shared.wake.notify_all();
    }

    /// Ends the requests, locks the vault, and puts the end on record.
    ///
    /// # Errors
    /// What vault and log say. [`Error::Stopping`] if it is closed already.
    pub fn close(&self, reason: StopReason) -> Result<(), Error> {
        self.stop();
        let cancel = Cancel::SHUTDOWN;
        // Whatever became of the darkroom: what is in work must end.
        let waited = self.shared.cancel_all(None, cancel);
        let failed = self.with(|darkroom| fail_all(darkroom, &waited, cancel));
        self.shared.wake.notify_all();
        if let Some(worker) = self.worker.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // Its panics are caught inside; there is nothing to learn from this one.
            let _ = worker.join();
        }
        let darkroom = self.shared.darkroom.lock().map_err(|_| Error::Broken)?.take();
        darkroom.ok_or(Error::Stopping)?.leave(reason).and(failed)
    }
}

impl Hold for &Queue {
    fn with<T>(&mut self, act: impl FnOnce(&mut Darkroom) -> Result<T, Error>) -> Result<T, Error> {
        self.shared.with(act)
    }

    fn pictures_changed(&self, slot: Option<u16>) {
        self.shared.table().pictures_changed(slot);
        (self.shared.notify)();
    }
}

#[cfg(test)]
impl Queue {
    /// Ends the queue without a word, and gives the darkroom back.
    pub(crate) fn into_darkroom(self) -> Darkroom {
        self.stop();
        let worker = self.worker.lock().unwrap().take().unwrap();
        worker.join().unwrap();
        self.shared.darkroom.lock().unwrap().take().unwrap()
    }
}

impl Shared {
    fn with<T>(&self, act: impl FnOnce(&mut Darkroom) -> Result<T, Error>) -> Result<T, Error> {
        // After a panic in the middle of an act nobody knows what state it left: nothing more is done with it.
        let mut darkroom = self.darkroom.lock().map_err(|_| Error::Broken)?;
        act(darkroom.as_mut().ok_or(Error::Stopping)?)
    }

    /// [`Error::Locked`] for somebody of another opening of the vault than the one that goes on.
    fn admit(&self, who: &Who) -> Result<(), Error> {
        who.admitted_by(self.opening.load(Ordering::Relaxed))
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Every change of the table is one assignment after another: it makes sense at any moment.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells of a change of `id`, and gives its view.
    fn changed(&self, mut table: MutexGuard<'_, Table>, id: audit::JobId) -> Result<Job, Error> {
        table.version += 1;
        let version = table.version;
        table.find_mut(id)?.job.version = version;
        let view = table.find(id).map(|entry| table.view(entry));
        drop(table);
        self.wake.notify_all();
        (self.notify)();
        view
    }

    fn update(&self, id: audit::JobId, change: impl FnOnce(&mut Queued)) {
        let mut table = self.table();
        if let Ok(entry) = table.find_mut(id) {
            change(entry);
        }
        let _ = self.changed(table, id);
    }

    /// Nothing of this slot waits afterwards, or nothing at all, and what is in work ends within a step. The requests that
    /// waited are to be put on record as failed.
    fn cancel_all(&self, slot: Option<u16>, cancel: Cancel) -> Vec<Intent> {
        let mut intents = Vec::new();
        let mut table = self.table();
        table.version += 1;
        let version = table.version;
        for entry in table.entries.iter_mut().filter(|entry| slot.is_none_or(|slot| entry.slot == slot)) {
            match entry.job.state {
                JobState::Waiting => {
                    intents.extend(entry.work.take().map(|(_, intent)| intent));
                    entry.job.state = JobState::Cancelled;
                    entry.job.version = version;
                }
                JobState::Running => entry.cancel = Some(cancel),
                _ => {}
            }
        }
        intents
    }
}

/// Puts requests that waited on record as cancelled; the first failure, if one cannot be.
fn fail_all(darkroom: &mut Darkroom, intents: &[Intent], cancel: Cancel) -> Result<(), Error> {
    let end =
        |intent: &Intent| darkroom.fail(intent, cancel.reason, 0, cancel.by.unwrap_or(intent.who.actor));
    let ends: Vec<_> = intents.iter().map(end).collect();
    ends.into_iter().collect()
}
