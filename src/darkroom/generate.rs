//! A request becomes sealed, recorded pictures.

use crate::engine::{Engine, EngineError, Model, Pixels, Progress};
use crate::metadata::{Metadata, Summary, pseudonym};
use crate::request::Request;
use crate::room::Darkroom;
use crate::step::{After, reach};
use crate::{Error, marks, name};
use audit::words::{GenerateFailure, RequestRefusal};
use audit::{Actor, Clock as _, Digest, Event, Job, SystemClock};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use vault::{NewObject, ObjectId, State};
use zeroize::Zeroizing;

/// What [`Darkroom::generate`] tells its door.
pub enum News<'a> {
    /// A step has ended.
    Step {
        /// Index of the picture in the request.
        picture: usize,
        /// The step, counted from 1.
        index: u32,
        /// Steps of each picture.
        count: u32,
        /// Makes a small picture of where this step expects to arrive.
        preview: &'a dyn Fn() -> Option<Pixels>,
    },
    /// A picture is made, and will be sealed.
    Made,
    /// A picture is sealed and on record.
    Sealed(&'a Summary),
}

/// Hears the news of a request. A `Break` cancels it, with the word for the log.
pub type Tell<'a> = dyn FnMut(News<'_>) -> ControlFlow<GenerateFailure> + 'a;

impl Darkroom {
    /// Puts a refusal on record.
    ///
    /// # Errors
    /// What the log says.
    pub fn refuse(&mut self, reason: RequestRefusal) -> Result<(), Error> {
        let entry = Event::RequestRefused { reason }.by_system().denied();
        self.log.append(&[entry])?;
        Ok(())
    }

    /// Makes, seals and records one picture per seed. `tell` hears of every step and of every picture that is on
    /// record; it may answer `Break` to cancel, which keeps the pictures that are on record already.
    ///
    /// # Errors
    /// [`EngineError::Refused`] (on record) before any work. Any other error is on record as `generate.failed`
    /// with the number of pictures that were kept, unless it is the log itself that failed.
    pub fn generate(
        &mut self,
        request: &Request,
        engine: &mut dyn Engine,
        tell: &mut Tell<'_>,
    ) -> Result<Vec<Summary>, Error> {
        if let Err(error) = engine.check(request) {
            if let EngineError::Refused { reason, .. } = &error {
                self.log.append(&[Event::RequestRefused { reason: *reason }.by_system().denied()])?;
            }
            return Err(error.into());
        }
        let intent = self.intend(request, engine.model())?;
        carry_out(self, &intent, request, engine, tell)
    }

    /// Puts on record what was asked for. From here on the request has an outcome, whatever happens.
    pub(crate) fn intend(&mut self, request: &Request, model: &Model) -> Result<Intent, Error> {
        let open = self.open_vault()?;
        let intent = Intent {
            job: Job::random()?,
            actor: open.actor,
            slot: open.slot.id.0,
            opening: open.number,
            clock: self.clock,
        };
        let requested = Event::GenerateRequested {
            width: request.width,
            height: request.height,
            steps: request.steps,
            images: request.seeds.len() as u32,
            guidance_milli: request.guidance_milli,
            model: Digest(model.digest),
            device: model.device,
            remembers_prompt: request.remember_prompt,
        };
        self.log.append(&[requested.by(intent.actor).job(intent.job)])?;
        reach(After::Intent)?;
        Ok(intent)
    }

    /// Puts on record how a request ended that made fewer pictures than were asked for.
    pub(crate) fn fail(
        &mut self,
        intent: &Intent,
        reason: GenerateFailure,
        images: usize,
    ) -> Result<(), Error> {
        let failed = Event::GenerateFailed { reason, images: images as u32 };
        self.log.append(&[failed.by(intent.actor).job(intent.job).failed()])?;
        Ok(())
    }

    /// Marks, seals and records one picture.
    fn keep(
        &mut self,
        intent: &Intent,
        request: &Request,
        picture: usize,
        pixels: Pixels,
        model: &Model,
    ) -> Result<Summary, Error> {
        reach(After::Picture)?;
        let created_ms = self.now_ms();
        let (open, random, log) = self.parts()?;
        if open.number != intent.opening {
            return Err(Error::Locked); // who asked has locked the vault since
        }
        let (job, actor) = (intent.job, intent.actor);
        let metadata = Metadata::new(request, picture, job, intent.slot, &model.digest);
        let sealed_metadata = metadata.encode();
        let (width, height) = (pixels.width, pixels.height);
        // The salt is drawn before sealing, since the mark inside the picture needs the pseudonym.
        let id = ObjectId::random(random)?;
        let mut salt = [0; 16];
        random.fill(&mut salt).map_err(vault::Error::Random)?;
        let pseudonym = pseudonym(id, salt);
        let content = Zeroizing::new(marks::png(&pixels, &pseudonym.to_string())?);
        let preview = Zeroizing::new(marks::png(&marks::preview(pixels), &pseudonym.to_string())?);
        let name = name::name(created_ms, random).map_err(vault::Error::Random)?;
        let new = NewObject {
            id,
            salt,
            name: &name,
            created_ms,
            metadata: &sealed_metadata,
            preview: &preview,
            content: &content,
        };
        let staged = open.vault.stage(&new, random)?;
        reach(After::Sealed)?;
        let (sha256, bytes) = (staged.ciphertext_sha256(), staged.ciphertext_bytes());
        if let Err(error) = open.vault.commit(staged, random) {
            // A write that failed may be there all the same: the vault on disk decides.
            let found = open.vault.reload().is_ok() && open.vault.get(id).is_ok();
            if !found {
                return Err(error.into());
            }
        }
        reach(After::Committed)?;
        let State { epoch, seq, root } = open.vault.state();
        let created = Event::ObjectCreated {
            width,
            height,
            ciphertext_sha256: Digest(sha256),
            ciphertext_bytes: bytes,
            vault_epoch: epoch,
            vault_seq: seq,
            vault_root: Digest(root),
        };
        log.append(&[created.by(actor).object(pseudonym).job(job)])?;
        reach(After::Recorded)?;
        let content_bytes = content.len() as u64;
        Ok(Summary {
            id,
            name,
            created_ms,
            content_bytes,
            pseudonym,
            metadata: Some(metadata),
            missing: false,
        })
    }
}

/// A request that is on record, and whose it is.
pub(crate) struct Intent {
    pub job: Job,
    actor: Actor,
    slot: u16,
    /// Which opening of the vault it belongs to.
    opening: u64,
    clock: SystemClock,
}

/// How a request reaches the darkroom while the engine works: as its only user, or by a lock that is held for one
/// effect at a time.
pub(crate) trait Hold {
    fn hold<T>(&mut self, act: impl FnOnce(&mut Darkroom) -> Result<T, Error>) -> Result<T, Error>;
}

impl Hold for Darkroom {
    fn hold<T>(&mut self, act: impl FnOnce(&mut Darkroom) -> Result<T, Error>) -> Result<T, Error> {
        act(self)
    }
}

/// Carries out what is on record, and puts its outcome there.
///
/// # Errors
/// As [`Darkroom::generate`].
pub(crate) fn carry_out(
    hold: &mut impl Hold,
    intent: &Intent,
    request: &Request,
    engine: &mut dyn Engine,
    tell: &mut Tell<'_>,
) -> Result<Vec<Summary>, Error> {
    let started_ms = intent.clock.mono_ms();
    let mut done = Vec::new();
    let outcome = run(hold, intent, request, engine, &mut done, tell);
    match &outcome {
        Ok(()) => {
            let elapsed_ms = intent.clock.mono_ms().saturating_sub(started_ms);
            let finished = Event::GenerateFinished { images: done.len() as u32, elapsed_ms };
            hold.hold(|darkroom| {
                darkroom.log.append(&[finished.by(intent.actor).job(intent.job)])?;
                Ok(())
            })?;
        }
        #[cfg(test)]
        Err(Error::Crash) => {}
        Err(Error::Log(_)) => {}
        Err(error) => hold.hold(|darkroom| darkroom.fail(intent, reason(error), done.len()))?,
    }
    outcome.map(|()| done)
}

/// Runs the engine where its panic ends the job and nothing else.
fn run(
    hold: &mut impl Hold,
    intent: &Intent,
    request: &Request,
    engine: &mut dyn Engine,
    done: &mut Vec<Summary>,
    tell: &mut Tell<'_>,
) -> Result<(), Error> {
    let model = engine.model().clone();
    let mut failure = None;
    let mut cancelled = None;
    let mut relay = |progress: Progress<'_>| match progress {
        Progress::Step { picture, index, count, preview } => {
            cancelled = tell(News::Step { picture, index, count, preview }).break_value();
            if cancelled.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
        Progress::Picture { picture, pixels } => {
            // The decoder takes a while, and who cancels meanwhile means this picture.
            cancelled = tell(News::Made).break_value();
            if cancelled.is_some() {
                return ControlFlow::Break(());
            }
            match hold.hold(|darkroom| darkroom.keep(intent, request, picture, pixels, &model)) {
                Ok(summary) => {
                    let answer = tell(News::Sealed(&summary));
                    done.push(summary);
                    // With the last picture on record there is nothing left to cancel.
                    if done.len() == request.seeds.len() {
                        return ControlFlow::Continue(());
                    }
                    cancelled = answer.break_value();
                    if cancelled.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                }
                Err(error) => {
                    failure = Some(error);
                    ControlFlow::Break(())
                }
            }
        }
    };
    // The engine's own state is plain weights; what a panic leaves of the job is dropped here.
    let ended = catch_unwind(AssertUnwindSafe(|| engine.generate(request, &mut relay)));
    match (failure, ended) {
        (Some(error), _) => Err(error),
        (None, Err(_)) => Err(Error::EnginePanic),
        (None, Ok(Err(EngineError::Failed { reason: GenerateFailure::Cancelled, text }))) => {
            let reason = cancelled.unwrap_or(GenerateFailure::Cancelled);
            Err(EngineError::Failed { reason, text }.into())
        }
        (None, Ok(result)) => result.map_err(Error::from),
    }
}

/// The word for the log.
fn reason(error: &Error) -> GenerateFailure {
    match error {
        Error::Locked => GenerateFailure::Cancelled,
        Error::Engine(EngineError::Failed { reason, .. }) => *reason,
        Error::Engine(_) => GenerateFailure::EngineError,
        Error::EnginePanic => GenerateFailure::EnginePanic,
        Error::Encode(_) => GenerateFailure::Encode,
        Error::Vault(vault::Error::DiskFull) => GenerateFailure::DiskFull,
        Error::Vault(_) => GenerateFailure::Vault,
        _ => GenerateFailure::Internal,
    }
}
