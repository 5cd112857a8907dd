//! The thread that owns the engine.

use super::Shared;
use super::table::{Cancel, JobState};
use crate::checked::Checked;
use crate::keep::Intent;
use crate::metadata::Metadata;
use crate::{Error, Kind};
use audit::words::GenerateFailure;
use engine::{Cause, Command, Engine, Pixels, Progress};
use policy::Process;
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
            if table.waits() {
                drop(table);
                // One may be on its way. What waits stays where it is meanwhile, and can be cancelled.
                engine.wait(&|| self.table().waits());
                // Where the log cannot take it, it takes no work either.
                let _ = self.record_renewed(engine);
                table = self.table();
                if table.stopping {
                    break;
                }
            }
            if let Some(entry) = table.next()
                && let Some((checked, intent)) = entry.work.take()
            {
                entry.job.state = JobState::Running;
                entry.started = Some(Instant::now());
                let _ = self.changed(table, intent.job);
                self.carry_out(engine, &checked, &intent);
            } else if table.lock_when_empty {
                drop(table);
                self.lock_if_empty();
            } else {
                drop(self.wake.wait(table).unwrap_or_else(PoisonError::into_inner));
            }
            table = self.table();
        }
    }

    /// Puts an engine on record that took the place of another.
    fn record_renewed(&self, engine: &mut dyn Engine) -> Result<(), Error> {
        match engine.renewed() {
            Some(fenced) => self.with(|darkroom| darkroom.record_process(Process::Engine, &fenced)),
            None => Ok(()),
        }
    }

    /// Carries out what is on record, and puts its outcome there.
    fn carry_out(&self, engine: &mut dyn Engine, checked: &Checked, intent: &Intent) {
        let mut run = Run { shared: self, checked, intent, done: 0, step: 0, previews: Previews::new() };
        let drawn = catch_unwind(AssertUnwindSafe(|| run.draw(engine)));
        let outcome = drawn.unwrap_or(Err(Error::EnginePanic));
        if outcome.is_err() {
            // What failed may be ours: then the engine holds its half of the work still. Its own state is plain weights.
            let _ = catch_unwind(AssertUnwindSafe(|| engine.next(Command::End)));
        }
        let done = run.done;
        let cancel = self.table().find(intent.job).ok().and_then(|entry| entry.cancel);
        let recorded = catch_unwind(AssertUnwindSafe(|| self.record_end(intent, &outcome, done, cancel)));
        let outcome = recorded.unwrap_or(Err(Error::Broken)).and(outcome);
        self.update(intent.job, |entry| {
            entry.preview = None;
            entry.job.elapsed = entry.started.map_or(Duration::ZERO, |started| started.elapsed());
            entry.job.state = match &outcome {
                Ok(()) => JobState::Done,
                Err(Error::Locked) => JobState::Cancelled,
                Err(error) if is_cancelled(error) && cancel.is_some() => JobState::Cancelled,
                Err(_) => JobState::Failed,
            };
            if entry.job.state == JobState::Failed {
                entry.job.error = outcome.err().map(Arc::new);
            }
        });
    }

    fn record_end(
        &self,
        intent: &Intent,
        outcome: &Result<(), Error>,
        done: usize,
        cancel: Option<Cancel>,
    ) -> Result<(), Error> {
        let elapsed = self.table().find(intent.job).ok().and_then(|entry| entry.started).map(|s| s.elapsed());
        self.with(|darkroom| match outcome {
            Ok(()) => darkroom.finish(intent, done, elapsed.unwrap_or_default().as_millis() as u64),
            Err(error) if darkroom.is_unsettled() || is_unknown(error) => {
                darkroom.leave_open(intent);
                Ok(())
            }
            Err(error) => {
                let cancel = cancel.filter(|_| is_cancelled(error));
                let by = cancel.and_then(|cancel| cancel.by).unwrap_or(intent.who.actor);
                darkroom.fail(intent, cancel.map_or(failure(error), |cancel| cancel.reason), done, by)
            }
        })
    }

    fn lock_if_empty(&self) {
        let locked = self.with(|darkroom| {
            let mut table = self.table();
            let waits = table.entries.iter().any(|e| e.job.state == JobState::Waiting);
            match table.lock_when_empty && !waits {
                true => {
                    table.lock_when_empty = false;
                    drop(table);
                    darkroom.lock(None)
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

/// One request in work.
struct Run<'a> {
    shared: &'a Shared,
    checked: &'a Checked,
    intent: &'a Intent,
    /// Pictures on record.
    done: usize,
    /// Steps of the one in work.
    step: u32,
    previews: Previews,
}

impl Run<'_> {
    /// Asks for one piece after the other until all pictures are on record.
    fn draw(&mut self, engine: &mut dyn Engine) -> Result<(), Error> {
        engine.begin(&self.checked.prepared)?;
        // Another one may have come between the wait and the beginning.
        self.shared.record_renewed(engine)?;
        let mut cancelled = self.is_cancelled();
        while self.done < self.checked.count() {
            let watched = self.shared.watchers.load(Ordering::Relaxed) > 0;
            let progress = match cancelled {
                true => engine.next(Command::End),
                false => engine.next(Command::GoOn { preview: self.previews.wants(watched) }),
            };
            cancelled = self.hear(progress?)?;
        }
        Ok(())
    }

    /// Takes a piece of the work; whether somebody has cancelled the request by then.
    fn hear(&mut self, progress: Progress) -> Result<bool, Error> {
        match progress {
            Progress::Prompts => Ok(self.is_cancelled()),
            Progress::Step { preview } => {
                self.previews.came(preview.is_some());
                self.step += 1;
                let (picture, step) = (self.done, self.step);
                let mut cancelled = false;
                self.shared.update(self.intent.job, |entry| {
                    (entry.job.picture, entry.job.step) = (picture, step);
                    if let Some(pixels) = preview {
                        entry.job.preview += 1;
                        entry.preview = Some(Arc::new(pixels));
                    }
                    cancelled = entry.cancel.is_some();
                });
                Ok(cancelled)
            }
            // The decoder takes a while, and who cancels meanwhile means this picture.
            Progress::Picture(_) if self.is_cancelled() => Ok(true),
            Progress::Picture(pixels) => self.keep(pixels),
        }
    }

    fn is_cancelled(&self) -> bool {
        self.shared.table().find(self.intent.job).is_ok_and(|entry| entry.cancel.is_some())
    }

    /// Seals and records a picture; whether somebody has cancelled the request by then.
    fn keep(&mut self, pixels: Pixels) -> Result<bool, Error> {
        let (shared, intent) = (self.shared, self.intent);
        let draft = shared.with(|darkroom| darkroom.draft(intent))?;
        let (slot, digest) = (intent.who.slot, &shared.model.digest);
        let metadata = Metadata::new(self.checked, self.done, intent.job, slot, digest);
        let sealed = draft.seal(pixels, metadata)?;
        let summary = shared.with(|darkroom| darkroom.keep(intent, sealed))?;
        (self.done, self.step) = (self.done + 1, 0);
        shared.table().pictures_changed(Some(slot));
        let mut cancelled = false;
        shared.update(intent.job, |entry| {
            entry.job.images.push(summary.id);
            cancelled = entry.cancel.is_some();
        });
        Ok(cancelled)
    }
}

/// When a preview is asked for.
struct Previews {
    not_before: Instant,
    asked: Instant,
}

impl Previews {
    fn new() -> Self {
        let now = Instant::now();
        Self { not_before: now, asked: now }
    }

    /// Whether the next step should bring one.
    fn wants(&mut self, watched: bool) -> bool {
        self.asked = Instant::now();
        watched && self.asked >= self.not_before
    }

    /// A step has ended. What one with a preview took bounds what the preview took.
    fn came(&mut self, with_preview: bool) {
        if with_preview {
            let now = Instant::now();
            self.not_before = now + PREVIEW_INTERVAL.max((now - self.asked) * (PREVIEW_PAUSE - 1));
        }
    }
}

fn is_cancelled(error: &Error) -> bool {
    matches!(error, Error::Engine(engine::Error::Failed { cause: Cause::Cancelled, .. }))
}

/// Whether nobody can tell now what is on disk.
fn is_unknown(error: &Error) -> bool {
    match error {
        Error::Unrecorded { .. } | Error::Log(_) => true,
        #[cfg(test)]
        Error::Crash => true,
        _ => false,
    }
}

/// The word for the log.
fn failure(error: &Error) -> GenerateFailure {
    match error {
        Error::Locked => GenerateFailure::Cancelled,
        Error::Engine(engine::Error::Failed { cause, .. }) => match cause {
            Cause::Cancelled => GenerateFailure::Cancelled,
            Cause::NonFinite => GenerateFailure::NonFinite,
            Cause::Memory => GenerateFailure::Memory,
            Cause::Panic | Cause::Gone => GenerateFailure::EnginePanic,
            Cause::Other => GenerateFailure::EngineError,
        },
        Error::Engine(engine::Error::Refused { .. }) => GenerateFailure::Refused,
        Error::EnginePanic => GenerateFailure::EnginePanic,
        _ if error.kind() == Kind::Memory => GenerateFailure::Memory,
        Error::Encode(_) => GenerateFailure::Encode,
        Error::Vault(vault::Error::DiskFull) => GenerateFailure::DiskFull,
        Error::Vault(_) => GenerateFailure::Vault,
        _ => GenerateFailure::Internal,
    }
}
