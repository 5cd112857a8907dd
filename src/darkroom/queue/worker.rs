//! The thread that owns the engine.

use super::Shared;
use super::table::JobState;
use crate::Error;
use crate::engine::{Engine, EngineError};
use crate::generate::{Intent, News, carry_out};
use crate::request::Request;
use audit::words::GenerateFailure;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

/// A preview begins this long after the one before at the earliest...
const PREVIEW_INTERVAL: Duration = Duration::from_millis(50);
/// ...and not before this many times what the one before took: previews cost at most half of the time.
const PREVIEW_PAUSE: u32 = 2;

impl Shared {
    /// The worker's life.
    pub(super) fn work(&self, engine: &mut dyn Engine) {
        let mut table = self.table();
        while !table.stopping {
            let next = table.entries.iter_mut().find(|e| e.job.state == JobState::Waiting);
            if let Some(entry) = next
                && let Some((request, intent)) = entry.work.take()
            {
                entry.job.state = JobState::Running;
                entry.started = Some(Instant::now());
                let _ = self.changed(table, intent.job);
                self.carry_out(engine, &request, &intent);
            } else if table.lock_when_empty {
                drop(table);
                self.lock_if_empty();
            } else {
                drop(self.wake.wait(table).unwrap_or_else(PoisonError::into_inner));
            }
            table = self.table();
        }
    }

    fn carry_out(&self, engine: &mut dyn Engine, request: &Request, intent: &Intent) {
        let id = intent.job;
        let mut preview_at = Instant::now();
        let mut tell = |news: News<'_>| {
            let mut cancel = None;
            match news {
                News::Step { picture, index, count, preview } => {
                    let due = index < count && Instant::now() >= preview_at;
                    let mut pixels = None;
                    if due && self.watchers.load(Ordering::Relaxed) > 0 {
                        let before = Instant::now();
                        pixels = preview().map(Arc::new);
                        preview_at = before + PREVIEW_INTERVAL.max(before.elapsed() * PREVIEW_PAUSE);
                    }
                    self.update(id, |entry| {
                        (entry.job.picture, entry.job.step) = (picture, index);
                        if pixels.is_some() {
                            entry.job.preview += 1;
                            entry.preview = pixels;
                        }
                        cancel = entry.cancel;
                    });
                }
                News::Made => self.update(id, |entry| cancel = entry.cancel),
                News::Sealed(summary) => {
                    self.table().pictures_version += 1;
                    self.update(id, |entry| {
                        entry.job.images.push(summary.id);
                        cancel = entry.cancel;
                    });
                }
            }
            cancel.map_or(ControlFlow::Continue(()), ControlFlow::Break)
        };
        let ended = catch_unwind(AssertUnwindSafe(|| match engine.check(request) {
            Ok(()) => carry_out(&mut &*self, intent, request, engine, &mut tell),
            Err(error) => {
                self.with(|darkroom| darkroom.fail(intent, GenerateFailure::Refused, 0))?;
                Err(error.into())
            }
        }));
        let outcome = ended.unwrap_or(Err(Error::Broken));
        self.update(id, |entry| {
            entry.preview = None;
            entry.job.elapsed = entry.started.map_or(Duration::ZERO, |started| started.elapsed());
            entry.job.state = match &outcome {
                Ok(_) => JobState::Done,
                Err(Error::Locked) => JobState::Cancelled,
                Err(Error::Engine(EngineError::Failed { reason, .. })) if entry.cancel == Some(*reason) => {
                    JobState::Cancelled
                }
                Err(_) => JobState::Failed,
            };
            if entry.job.state == JobState::Failed {
                entry.job.error = outcome.err().map(Arc::new);
            }
        });
    }

    fn lock_if_empty(&self) {
        let locked = self.with(|darkroom| {
            let mut table = self.table();
            let waits = table.entries.iter().any(|e| e.job.state == JobState::Waiting);
            match table.lock_when_empty && !waits {
                true => {
                    table.lock_when_empty = false;
                    drop(table);
                    darkroom.lock()
                }
                // Somebody unlocked it at this very moment, or asked for a picture, which comes first.
                false => Ok(()),
            }
        });
        // The vault is locked in any case; what could not be written is found by whoever writes next.
        let _ = locked;
        (self.notify)();
    }
}
