//! A request becomes sealed, recorded pictures.

use crate::engine::{Engine, EngineError, Model, Pixels, Progress};
use crate::metadata::{Metadata, Summary, pseudonym};
use crate::request::{Refusal, Request};
use crate::room::Darkroom;
use crate::step::{After, reach};
use crate::{Error, marks, name};
use audit::words::GenerateFailure;
use audit::{Clock as _, Digest, Event, Job};
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
    /// A picture is sealed and on record.
    Sealed(&'a Summary),
}

impl Darkroom {
    /// Puts a refusal on record.
    ///
    /// # Errors
    /// What the log says.
    pub fn refuse(&mut self, refusal: &Refusal) -> Result<(), Error> {
        let entry = Event::RequestRefused { reason: refusal.reason }.by_system().denied();
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
        tell: &mut dyn FnMut(News<'_>) -> ControlFlow<()>,
    ) -> Result<Vec<Summary>, Error> {
        if let Err(error) = engine.check(request) {
            if let EngineError::Refused { reason, .. } = &error {
                self.log.append(&[Event::RequestRefused { reason: *reason }.by_system().denied()])?;
            }
            return Err(error.into());
        }
        let model = engine.model().clone();
        let job = Job::random()?;
        let actor = self.open_vault()?.actor;
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
        self.log.append(&[requested.by(actor).job(job)])?;
        let started_ms = self.clock.mono_ms();
        reach(After::Intent)?;

        let mut done = Vec::new();
        let outcome = self.run(request, engine, &model, job, &mut done, tell);
        let ended = match &outcome {
            Ok(()) => {
                let elapsed_ms = self.clock.mono_ms().saturating_sub(started_ms);
                Event::GenerateFinished { images: done.len() as u32, elapsed_ms }.by(actor)
            }
            #[cfg(test)]
            Err(Error::Crash) => return Err(Error::Crash),
            Err(Error::Log(_)) => return Err(outcome.err().unwrap_or(Error::Locked)),
            Err(error) => {
                Event::GenerateFailed { reason: reason(error), images: done.len() as u32 }.by(actor).failed()
            }
        };
        self.log.append(&[ended.job(job)])?;
        outcome.map(|()| done)
    }

    /// Runs the engine where its panic ends the job and nothing else.
    fn run(
        &mut self,
        request: &Request,
        engine: &mut dyn Engine,
        model: &Model,
        job: Job,
        done: &mut Vec<Summary>,
        tell: &mut dyn FnMut(News<'_>) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let mut failure = None;
        let mut relay = |progress: Progress<'_>| match progress {
            Progress::Step { picture, index, count, preview } => {
                tell(News::Step { picture, index, count, preview })
            }
            Progress::Picture { picture, pixels } => match self.keep(request, picture, pixels, model, job) {
                Ok(summary) => {
                    let answer = tell(News::Sealed(&summary));
                    done.push(summary);
                    // With the last picture on record there is nothing left to cancel.
                    if done.len() == request.seeds.len() { ControlFlow::Continue(()) } else { answer }
                }
                Err(error) => {
                    failure = Some(error);
                    ControlFlow::Break(())
                }
            },
        };
        // The engine's own state is plain weights; what a panic leaves of the job is dropped here.
        let ended = catch_unwind(AssertUnwindSafe(|| engine.generate(request, &mut relay)));
        match (failure, ended) {
            (Some(error), _) => Err(error),
            (None, Ok(result)) => result.map_err(Error::from),
            (None, Err(_)) => Err(Error::EnginePanic),
        }
    }

    /// Marks, seals and records one picture.
    fn keep(
        &mut self,
        request: &Request,
        picture: usize,
        pixels: Pixels,
        model: &Model,
        job: Job,
    ) -> Result<Summary, Error> {
        reach(After::Picture)?;
        let created_ms = self.now_ms();
        let (open, random, log) = self.parts()?;
        let metadata = Metadata::new(request, picture, job, open.slot.id.0, &model.digest);
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
        log.append(&[created.by(open.actor).object(pseudonym).job(job)])?;
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

/// The word for the log.
fn reason(error: &Error) -> GenerateFailure {
    match error {
        Error::Engine(EngineError::Failed { reason, .. }) => *reason,
        Error::Engine(_) => GenerateFailure::EngineError,
        Error::EnginePanic => GenerateFailure::EnginePanic,
        Error::Encode(_) => GenerateFailure::Encode,
        Error::Vault(vault::Error::DiskFull) => GenerateFailure::DiskFull,
        Error::Vault(_) => GenerateFailure::Vault,
        _ => GenerateFailure::Internal,
    }
}
