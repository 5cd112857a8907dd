//! The bounded queue: requests wait for the one engine, and whoever asked sees how far they are.
//!
//! One thread works them off. It holds the darkroom for one effect at a time, so that lists, looks, erasures and the
//! lock go on while a picture is in work. A request that was accepted has its intent on record; what becomes of it is
//! on record too, whether it is carried out, cancelled, or left behind by a crash.
//!
//! Whoever needs both locks takes the darkroom's first, then the table's.

mod table;
mod worker;

use crate::engine::{Engine, Model};
use crate::generate::Hold;
use crate::request::{Ask, Request};
use crate::room::Darkroom;
use crate::{Error, marks};
use audit::words::{GenerateFailure, RequestRefusal, StopReason};
use policy::{KeepPrompts, Limits};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use table::{Entry, Table};
use vault::{Erasure, ObjectId, Secret, SlotInfo};
use zeroize::Zeroizing;

pub use table::{Job, JobState};

/// What requests are held against.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The policy's limits.
    pub limits: Limits,
    /// May prompts be kept?
    pub keep_prompts: KeepPrompts,
    /// How many requests may wait.
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
    table: Mutex<Table>,
    /// Something for the worker.
    wake: Condvar,
    watchers: AtomicUsize,
    model: Model,
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
    /// No thread could be started.
    pub fn start(
        darkroom: Darkroom,
        mut engine: Box<dyn Engine + Send>,
        rules: Rules,
        notify: impl Fn() + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            darkroom: Mutex::new(Some(darkroom)),
            table: Mutex::default(),
            wake: Condvar::new(),
            watchers: AtomicUsize::new(0),
            model: engine.model().clone(),
            rules,
            notify: Box::new(notify),
        });
        let of_worker = Arc::clone(&shared);
        let worker =
            thread::Builder::new().name("engine".into()).spawn(move || of_worker.work(&mut *engine))?;
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

    /// Accepts a request: it is on record and will be carried out, or it is refused.
    ///
    /// # Errors
    /// [`Error::QueueFull`] or what is wrong with the request, on record; [`Error::Locked`]; what the log says.
    pub fn submit(&self, ask: Ask, key: Option<String>) -> Result<Job, Error> {
        let Shared { rules, model, .. } = &*self.shared;
        self.with(|darkroom| {
            darkroom.open_vault()?;
            let waiting = {
                let table = self.shared.table();
                if table.stopping {
                    return Err(Error::Stopping);
                }
                if let Some(known) = table.entries.iter().find(|e| key.is_some() && e.key == key) {
                    return Ok(table.view(known));
                }
                table.entries.iter().filter(|e| e.job.state == JobState::Waiting).count()
            };
            if waiting >= rules.waiting_max {
                darkroom.refuse(RequestRefusal::Busy)?;
                return Err(Error::QueueFull { waiting });
            }
            let seed = darkroom.draw_seed()?;
            let request = match Request::parse(ask, &rules.limits, rules.keep_prompts, model, seed) {
                Ok(request) => request,
                Err(refusal) => {
                    darkroom.refuse(refusal.reason)?;
                    return Err(refusal.into());
                }
            };
            let intent = darkroom.intend(&request, model)?;
            let job = Job::new(&request, intent.job, darkroom.now_ms());
            let id = job.id;
            let mut table = self.shared.table();
            let entry =
                Entry { job, key, work: Some((request, intent)), started: None, cancel: None, preview: None };
            table.entries.push_back(entry);
            table.forget_old();
            Ok(self.shared.changed(table, id).expect("it was just put there"))
        })
    }

    /// All requests that are known, oldest first.
    pub fn jobs(&self) -> Vec<Job> {
        let table = self.shared.table();
        table.entries.iter().map(|entry| table.view(entry)).collect()
    }

    /// One of them.
    ///
    /// # Errors
    /// [`Error::NoJob`].
    pub fn job(&self, id: audit::Job) -> Result<Job, Error> {
        let table = self.shared.table();
        table.find(id).map(|entry| table.view(entry))
    }

    /// The newest preview of a request in work, as PNG.
    ///
    /// # Errors
    /// [`Error::NoJob`] if there is none.
    pub fn preview(&self, id: audit::Job) -> Result<Zeroizing<Vec<u8>>, Error> {
        let table = self.shared.table();
        let pixels = table.find(id)?.preview.clone().ok_or(Error::NoJob)?;
        drop(table);
        Ok(Zeroizing::new(marks::png(&pixels, &id.to_string())?))
    }

    /// Previews cost time: they are made while somebody watches.
    pub fn watch(&self) -> Watch {
        self.shared.watchers.fetch_add(1, Ordering::Relaxed);
        Watch(Arc::clone(&self.shared))
    }

    /// Grows whenever a picture came or went.
    pub fn pictures_version(&self) -> u64 {
        self.shared.table().pictures_version
    }

    /// Cancels a request: a waiting one at once, the one in work within a step.
    ///
    /// # Errors
    /// [`Error::NoJob`], [`Error::JobEnded`], or what the log says.
    pub fn cancel(&self, id: audit::Job) -> Result<Job, Error> {
        self.with(|darkroom| {
            let mut table = self.shared.table();
            let entry = table.find_mut(id)?;
            let work = entry.work.take();
            match entry.job.state {
                JobState::Waiting => entry.job.state = JobState::Cancelled,
                JobState::Running => entry.cancel = Some(GenerateFailure::Cancelled),
                _ => return Err(Error::JobEnded),
            }
            let job = self.shared.changed(table, id)?;
            if let Some((_, intent)) = work {
                darkroom.fail(&intent, GenerateFailure::Cancelled, 0)?;
            }
            Ok(job)
        })
    }

    /// Destroys the keys of pictures; see [`Darkroom::erase`].
    ///
    /// # Errors
    /// As there.
    pub fn erase(&self, ids: &[ObjectId]) -> Result<Erasure, Error> {
        let erased = self.with(|darkroom| darkroom.erase(ids));
        self.shared.table().pictures_version += 1;
        (self.shared.notify)();
        erased
    }

    /// Opens the vault, or proves a right to the open one.
    ///
    /// # Errors
    /// As [`Darkroom::unlock`].
    pub fn unlock(&self, secret: &Secret) -> Result<SlotInfo, Error> {
        self.with(|darkroom| {
            let slot = darkroom.unlock(secret)?;
            self.shared.table().lock_when_empty = false;
            Ok(slot)
        })
    }

    /// Locks the vault now. Waiting requests are cancelled, and the one in work will not be sealed.
    ///
    /// # Errors
    /// What vault and log say; the vault is locked all the same.
    pub fn lock(&self) -> Result<(), Error> {
        let locked = self.with(|darkroom| {
            let failed = self.shared.cancel_all(darkroom, GenerateFailure::Cancelled);
            darkroom.lock().and(failed)
        });
        (self.shared.notify)();
        locked
    }

    /// Locks the vault as soon as no request waits or is in work, unless somebody unlocks it before.
    pub fn lock_when_empty(&self) {
        self.shared.table().lock_when_empty = true;
        self.shared.wake.notify_all();
    }

    /// Ends the requests, locks the vault, and puts the end on record.
    ///
    /// # Errors
    /// What vault and log say. [`Error::Stopping`] if it is closed already.
    pub fn close(&self, reason: StopReason) -> Result<(), Error> {
        self.shared.table().stopping = true;
        let failed = self.with(|darkroom| self.shared.cancel_all(darkroom, GenerateFailure::Shutdown));
        self.shared.wake.notify_all();
        if let Some(worker) = self.worker.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // Its panics are caught inside; there is nothing to learn from this one.
            let _ = worker.join();
        }
        let darkroom = self.shared.darkroom.lock().map_err(|_| Error::Broken)?.take();
        darkroom.ok_or(Error::Stopping)?.leave(reason).and(failed)
    }
}

impl Hold for &Shared {
    fn hold<T>(&mut self, act: impl FnOnce(&mut Darkroom) -> Result<T, Error>) -> Result<T, Error> {
        self.with(act)
    }
}

impl Shared {
    fn with<T>(&self, act: impl FnOnce(&mut Darkroom) -> Result<T, Error>) -> Result<T, Error> {
        // After a panic in the middle of an act nobody knows what state it left: nothing more is done with it.
        let mut darkroom = self.darkroom.lock().map_err(|_| Error::Broken)?;
        act(darkroom.as_mut().ok_or(Error::Stopping)?)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Every change of the table is one assignment after another: it makes sense at any moment.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells of a change of `id`, and gives its view.
    fn changed(&self, mut table: MutexGuard<'_, Table>, id: audit::Job) -> Result<Job, Error> {
        table.version += 1;
        let version = table.version;
        table.find_mut(id)?.job.version = version;
        let view = table.find(id).map(|entry| table.view(entry));
        drop(table);
        self.wake.notify_all();
        (self.notify)();
        view
    }

    fn update(&self, id: audit::Job, change: impl FnOnce(&mut Entry)) {
        let mut table = self.table();
        if let Ok(entry) = table.find_mut(id) {
            change(entry);
        }
        let _ = self.changed(table, id);
    }

    /// Nothing waits afterwards, and what is in work ends within a step.
    fn cancel_all(&self, darkroom: &mut Darkroom, reason: GenerateFailure) -> Result<(), Error> {
        let mut intents = Vec::new();
        let mut table = self.table();
        table.version += 1;
        let version = table.version;
        for entry in &mut table.entries {
            match entry.job.state {
                JobState::Waiting => {
                    intents.extend(entry.work.take().map(|(_, intent)| intent));
                    entry.job.state = JobState::Cancelled;
                    entry.job.version = version;
                }
                JobState::Running => entry.cancel = Some(reason),
                _ => {}
            }
        }
        drop(table);
        let ends = intents.iter().map(|intent| darkroom.fail(intent, reason, 0));
        ends.collect::<Vec<_>>().into_iter().collect()
    }
}
