//! The requests that are known, and their views.

use crate::Error;
use crate::engine::Pixels;
use crate::generate::Intent;
use crate::request::Request;
use audit::words::GenerateFailure;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};
use vault::ObjectId;

/// Requests that have ended and can still be asked for.
const ENDED_MAX: usize = 32;
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
    pub id: audit::Job,
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
    pub entries: VecDeque<Entry>,
    pub version: u64,
    pub pictures_version: u64,
    pub lock_when_empty: bool,
    pub stopping: bool,
}

pub(super) struct Entry {
    pub job: Job,
    /// The asker's own name for it, so that asking twice makes it once.
    pub key: Option<String>,
    /// Until it is in work.
    pub work: Option<(Request, Intent)>,
    pub started: Option<Instant>,
    pub cancel: Option<GenerateFailure>,
    pub preview: Option<Arc<Pixels>>,
}

impl Table {
    /// The request `id`.
    pub fn find(&self, id: audit::Job) -> Result<&Entry, Error> {
        self.entries.iter().find(|e| e.job.id == id).ok_or(Error::NoJob)
    }

    /// The same, to change it.
    pub fn find_mut(&mut self, id: audit::Job) -> Result<&mut Entry, Error> {
        self.entries.iter_mut().find(|e| e.job.id == id).ok_or(Error::NoJob)
    }

    /// An entry with what depends on the others and on the time.
    pub fn view(&self, entry: &Entry) -> Job {
        let mut job = entry.job.clone();
        job.ahead = match job.state {
            JobState::Waiting => self
                .entries
                .iter()
                .take_while(|e| e.job.id != job.id)
                .filter(|e| !e.job.state.is_over())
                .count(),
            _ => 0,
        };
        if let (JobState::Running, Some(started)) = (job.state, entry.started) {
            job.elapsed = started.elapsed();
        }
        job
    }

    pub fn forget_old(&mut self) {
        while self.entries.iter().filter(|e| e.job.state.is_over()).count() > ENDED_MAX {
            let oldest = self.entries.iter().position(|e| e.job.state.is_over());
            oldest.and_then(|at| self.entries.remove(at));
        }
    }
}

impl Job {
    pub(super) fn new(request: &Request, id: audit::Job, created_ms: u64) -> Self {
        Self {
            id,
            state: JobState::Waiting,
            ahead: 0,
            created_ms,
            elapsed: Duration::ZERO,
            width: request.width,
            height: request.height,
            steps: request.steps,
            guidance_milli: request.guidance_milli,
            seed: request.seeds.first().copied().unwrap_or_default(),
            count: request.seeds.len(),
            picture: 0,
            step: 0,
            preview: 0,
            images: Vec::new(),
            error: None,
            version: 0,
        }
    }
}
