//! The requests that are known, and their views.

use crate::Error;
use crate::checked::Checked;
use crate::keep::Intent;
use audit::Actor;
use audit::words::GenerateFailure;
use engine::{Pixels, Settings};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use vault::ObjectId;

/// Requests of one person that have ended and can still be asked for.
const ENDED_MAX: usize = 32;

/// An asker's own name for a request, so that asking twice makes it once.
#[derive(Clone, PartialEq, Eq)]
pub struct Name {
    /// The name.
    pub text: String,
    /// A digest of what was asked for, which tells a repetition from another request of the same name.
    pub asked: [u8; 32],
}

/// How far a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    /// Others come first.
    Waiting,
    /// In work.
    Running,
    /// All of its pictures are on record.
    Done,
    /// It ended without all of them.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
}

impl JobState {
    /// Whether nothing more will become of it.
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Waiting | Self::Running)
    }
}

/// A request as its asker sees it. The prompt is no part of it.
#[derive(Clone)]
pub struct Job {
    /// Its id, as in the log.
    pub id: audit::JobId,
    /// How far it is.
    pub state: JobState,
    /// How many come before it.
    pub ahead: usize,
    /// Milliseconds since 1970.
    pub created_ms: u64,
    /// Time in work.
    pub elapsed: Duration,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Steps of each picture.
    pub steps: u32,
    /// Guidance in thousandths.
    pub guidance_milli: u32,
    /// Seed of the first picture.
    pub seed: u32,
    /// Number of pictures.
    pub count: usize,
    /// Index of the picture in work.
    pub picture: usize,
    /// Steps that this picture has had.
    pub step: u32,
    /// Number of the newest preview; 0 for none.
    pub preview: u64,
    /// The pictures on record.
    pub images: Vec<ObjectId>,
    /// Why it failed.
    pub error: Option<Arc<Error>>,
    /// Grows with every change of any request; the newest change of this one.
    pub version: u64,
}

#[derive(Default)]
pub(super) struct Table {
    pub entries: VecDeque<Queued>,
    /// When each slot was served last, counted in requests.
    served: BTreeMap<u16, u64>,
    pub version: u64,
    /// Changes of the pictures of each slot, and of those of everybody.
    pictures: BTreeMap<u16, u64>,
    pictures_of_all: u64,
    pub lock_when_empty: bool,
    pub stopping: bool,
}

pub(super) struct Queued {
    pub job: Job,
    /// The slot of who asked.
    pub slot: u16,
    pub name: Option<Name>,
    /// Until it is in work.
    pub work: Option<(Checked, Intent)>,
    pub started: Option<Instant>,
    pub cancel: Option<Cancel>,
    pub preview: Option<Arc<Pixels>>,
}

/// Why a request in work is to end, and who wants it: nobody if the program itself does.
#[derive(Clone, Copy)]
pub(super) struct Cancel {
    pub reason: GenerateFailure,
    pub by: Option<Actor>,
}

impl Cancel {
    /// The program ends.
    pub const SHUTDOWN: Self = Self { reason: GenerateFailure::Shutdown, by: None };
}

impl Table {
    /// Whether a request waits.
    pub fn waits(&self) -> bool {
        self.entries.iter().any(|entry| entry.job.state == JobState::Waiting)
    }

    /// The request `id`.
    pub fn find(&self, id: audit::JobId) -> Result<&Queued, Error> {
        self.entries.iter().find(|e| e.job.id == id).ok_or(Error::NoJob)
    }

    /// The request `id` of the person with this slot: that there is another's is not told.
    pub fn find_of(&self, slot: u16, id: audit::JobId) -> Result<&Queued, Error> {
        self.find(id).ok().filter(|entry| entry.slot == slot).ok_or(Error::NoJob)
    }

    /// The same, to change it.
    pub fn find_mut(&mut self, id: audit::JobId) -> Result<&mut Queued, Error> {
        self.entries.iter_mut().find(|e| e.job.id == id).ok_or(Error::NoJob)
    }

    /// The request that the asker with this slot named so.
    pub fn named(&self, slot: u16, name: &str) -> Option<&Queued> {
        let is_named = |e: &&Queued| e.name.as_ref().is_some_and(|known| known.text == name);
        self.entries.iter().filter(|e| e.slot == slot).find(is_named)
    }

    /// The request that is to be carried out next.
    pub fn next(&mut self) -> Option<&mut Queued> {
        let next = *self.order().first()?;
        let turn = self.served.values().max().map_or(1, |turn| turn + 1);
        let entry = self.entries.iter_mut().find(|e| e.job.id == next)?;
        self.served.insert(entry.slot, turn);
        Some(entry)
    }

    /// The requests that wait, in the order in which they will be carried out: of those who wait, the one who was served
    /// longest ago comes first, so nobody waits for all that another one has asked for.
    fn order(&self) -> Vec<audit::JobId> {
        let mut served = self.served.clone();
        let waits = |e: &&Queued| e.job.state == JobState::Waiting;
        let mut waiting: Vec<_> = self.entries.iter().filter(waits).map(|e| (e.slot, e.job.id)).collect();
        let mut order = Vec::with_capacity(waiting.len());
        let mut turn = served.values().max().copied().unwrap_or_default();
        let last = |served: &BTreeMap<u16, u64>, slot: u16| served.get(&slot).copied().unwrap_or_default();
        // The first of equals is taken: the requests of one person stay in their order.
        while let Some(at) = (0..waiting.len()).min_by_key(|at| last(&served, waiting[*at].0)) {
            let (slot, id) = waiting.remove(at);
            turn += 1;
            served.insert(slot, turn);
            order.push(id);
        }
        order
    }

    /// The slots that requests are of.
    pub fn slots(&self) -> impl Iterator<Item = u16> {
        self.entries.iter().map(|entry| entry.slot).collect::<BTreeSet<_>>().into_iter()
    }

    /// A picture of this slot came or went, or pictures of anybody.
    pub fn pictures_changed(&mut self, slot: Option<u16>) {
        match slot {
            Some(slot) => *self.pictures.entry(slot).or_default() += 1,
            None => self.pictures_of_all += 1,
        }
    }

    /// Grows with each change of the pictures of this slot.
    pub fn pictures_version(&self, slot: u16) -> u64 {
        self.pictures_of_all + self.pictures.get(&slot).copied().unwrap_or_default()
    }

    /// An entry with what depends on the others and on the time.
    pub fn view(&self, entry: &Queued) -> Job {
        let mut job = entry.job.clone();
        job.ahead = match job.state {
            JobState::Waiting => {
                let running = self.entries.iter().filter(|e| e.job.state == JobState::Running).count();
                running + self.order().iter().take_while(|id| **id != job.id).count()
            }
            _ => 0,
        };
        if let (JobState::Running, Some(started)) = (job.state, entry.started) {
            job.elapsed = started.elapsed();
        }
        job
    }

    pub fn forget_old(&mut self) {
        for slot in self.slots().collect::<Vec<_>>() {
            let is_ended = |e: &Queued| e.slot == slot && e.job.state.is_over();
            while self.entries.iter().filter(|e| is_ended(e)).count() > ENDED_MAX {
                let oldest = self.entries.iter().position(is_ended);
                oldest.and_then(|at| self.entries.remove(at));
            }
        }
    }
}

impl Job {
    pub(super) fn new(settings: &Settings, id: audit::JobId, created_ms: u64) -> Self {
        Self {
            id,
            state: JobState::Waiting,
            ahead: 0,
            created_ms,
            elapsed: Duration::ZERO,
            width: settings.width,
            height: settings.height,
            steps: settings.steps,
            guidance_milli: settings.guidance_milli,
            seed: settings.seeds.first().copied().unwrap_or_default(),
            count: settings.seeds.len(),
            picture: 0,
            step: 0,
            preview: 0,
            images: Vec::new(),
            error: None,
            version: 0,
        }
    }
}
