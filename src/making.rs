//! The making of pictures at the command line: a queue with an engine, and the wait for what it makes.

use crate::boot::{self, Booted};
use crate::cli::Settings;
use crate::exit::{Code, Failure};
use crate::output::Output;
use crate::paths::Exporting;
use crate::pictures::{self, Place};
use darkroom::{Ask, Darkroom, Engine as _, Job, JobId, Queue, Rules, Summary, Who};
use serde_json::Value;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::Duration;
use zeroize::Zeroizing;

/// A signal is looked for this often.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// A darkroom with an engine. Whoever started it ends it with [`boot::close`].
pub struct Making {
    /// Takes requests.
    pub queue: Arc<Queue>,
    /// Waits for a change, and no longer than [`LOOK_INTERVAL`].
    pause: Box<dyn Fn()>,
}

impl Making {
    /// Waits for the engine, and puts on record that everything is ready.
    ///
    /// # Errors
    /// The folder of pictures or the model cannot be used; what the log says. The end is on record.
    pub fn start(booted: &mut Booted, darkroom: Darkroom, out: &Output) -> Result<Self, Failure> {
        let loaded = booted.check_outputs(&darkroom).and_then(|()| booted.engine(&darkroom, out, &|| true));
        let engine = match loaded {
            Ok(engine) => engine,
            Err(failure) => return boot::leave(darkroom, Err(failure)),
        };
        if let Err(error) = darkroom.record_ready(engine.model()) {
            return boot::leave(darkroom, Err(error.into()));
        }
        let rules =
            Rules { limits: booted.plan.limits, keep_prompts: booted.plan.keep_prompts, waiting_max: 1 };
        let (changed, changes) = sync_channel(1);
        // One word that waits says all.
        let notify = move || changed.try_send(()).unwrap_or_default();
        let queue = Queue::start(darkroom, Box::new(engine), rules, notify)
            .map_err(|e| Failure::new(Code::Unexpected, format!("no thread could be started: {e}")))?;
        // Whatever it says, it is looked for.
        let pause = move || {
            let _ = changes.recv_timeout(LOOK_INTERVAL);
        };
        Ok(Self { queue: Arc::new(queue), pause: Box::new(pause) })
    }

    /// In the darkroom of a running server. `looks` is called again and again while somebody waits.
    pub fn through(queue: Arc<Queue>, looks: impl Fn() + 'static) -> Self {
        let pause = move || {
            looks();
            std::thread::sleep(LOOK_INTERVAL);
        };
        Self { queue, pause: Box::new(pause) }
    }

    /// Tells how far the request is until it has ended, and hands each picture that it made to `sealed`; a signal cancels it.
    ///
    /// # Errors
    /// What the queue says, or `sealed`.
    pub fn wait(
        &self,
        who: &Who,
        id: JobId,
        interrupted: &AtomicBool,
        out: &Output,
        mut sealed: impl FnMut(Summary) -> Result<(), Failure>,
    ) -> Result<Job, Failure> {
        let queue = &self.queue;
        let (mut made, mut step, mut cancelled) = (0, 0, false);
        loop {
            let job = queue.job(who, id)?;
            if job.step != step && !job.state.is_over() {
                step = job.step;
                tracing::debug!(event = "step", step = step, count = job.steps);
                let (picture, count, steps) = (job.picture + 1, job.count, job.steps);
                out.progress(&format!("picture {picture} of {count}, step {step} of {steps}"));
            }
            for image in &job.images[made..] {
                let summary = queue.with(|darkroom| darkroom.picture(who, *image))?;
                tracing::info!(event = "sealed");
                out.progress("");
                sealed(summary)?;
                made += 1;
            }
            if job.state.is_over() {
                out.progress("");
                return Ok(job);
            }
            if interrupted.load(Ordering::Relaxed) && !cancelled {
                cancelled = true;
                // It may have ended at this very moment.
                let _ = queue.cancel(who, id);
            }
            (self.pause)();
        }
    }

    /// The plain copy `index` of `count`; says what is on record about it.
    ///
    /// # Errors
    /// Why it did not leave.
    pub fn copy(
        &self,
        who: &Who,
        picture: &Summary,
        exporting: &Exporting,
        (index, count): (usize, usize),
        outputs: &Path,
        out: &Output,
    ) -> Result<Value, Failure> {
        let place = Place { exporting, index, count };
        let (export, path) =
            pictures::copy(&mut &*self.queue, who, (picture.id, &picture.name), &place, outputs, out)?;
        Ok(pictures::describe_export(&export, path.as_deref()))
    }
}

impl Settings {
    /// A request with these settings.
    pub fn ask(&self, prompt: Zeroizing<Vec<u8>>) -> Ask {
        Ask {
            prompt,
            negative_prompt: self.negative.as_ref().map(|n| Zeroizing::new(n.as_bytes().to_vec())),
            size: self.size,
            steps: self.steps,
            guidance: self.guidance,
            seed: self.seed,
            count: self.count,
            remember_prompt: self.remember_prompt,
        }
    }
}
