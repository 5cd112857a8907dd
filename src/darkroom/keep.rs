//! A request on record, the pictures that it keeps, and its end.
//!
//! Numbers, keys and records are made while the darkroom is held; what is computed between them is not.

use crate::checked::Checked;
use crate::metadata::{Metadata, Summary, ciphertext_mac, pseudonym};
use crate::period::end_ms;
use crate::rights::Act;
use crate::room::{Darkroom, device};
use crate::step::{After, reach};
use crate::{Error, Who, marks, name};
use audit::words::{GenerateFailure, RequestRefusal};
use audit::{Actor, Digest, Event, JobId, Object};
use engine::{Model, Pixels, Settings};
use vault::{NewObject, ObjectId, Sealer, Staged, State};
use zeroize::Zeroizing;

/// A request that is on record, and whose it is.
#[derive(Clone, Copy)]
pub(crate) struct Intent {
    pub job: JobId,
    pub who: Who,
}

/// The numbers and the key of a picture that will be sealed: drawn before it is encoded, since a mark inside it names its
/// pseudonym.
pub(crate) struct Draft {
    id: ObjectId,
    salt: [u8; 16],
    name: String,
    created_ms: u64,
    pseudonym: Object,
    /// When it goes by itself, as far as no hold keeps it.
    expires_ms: Option<u64>,
    sealer: Sealer,
}

/// A picture whose sealed file is durable, and noise until the vault has its key.
pub(crate) struct Sealed {
    staged: Staged,
    pseudonym: Object,
    salt: [u8; 16],
    width: u32,
    height: u32,
    summary: Summary,
}

impl Draft {
    /// The picture and its preview as PNG with their marks, sealed into their file.
    ///
    /// # Errors
    /// What the encoder or the vault says; nothing is kept.
    pub fn seal(self, pixels: Pixels, metadata: Metadata) -> Result<Sealed, Error> {
        let Self { id, salt, name, created_ms, pseudonym, expires_ms, sealer } = self;
        let (width, height) = (pixels.width, pixels.height);
        let produce_id = pseudonym.to_string();
        let content = Zeroizing::new(marks::png(&pixels, &produce_id)?);
        let preview = Zeroizing::new(marks::png(&marks::preview(pixels), &produce_id)?);
        let staged = sealer.stage(&NewObject {
            id,
            salt,
            name: &name,
            created_ms,
            metadata: &metadata.encode(),
            preview: &preview,
            content: &content,
        })?;
        let content_bytes = content.len() as u64;
        let metadata = Some(metadata);
        let missing = false;
        let summary =
            Summary { id, name, created_ms, content_bytes, pseudonym, metadata, missing, expires_ms };
        Ok(Sealed { staged, pseudonym, salt, width, height, summary })
    }
}

impl Darkroom {
    /// Puts on record that a request is refused, before anything of it is.
    ///
    /// # Errors
    /// What the log says.
    pub(crate) fn refuse(&mut self, who: Option<&Who>, reason: RequestRefusal) -> Result<(), Error> {
        let event = Event::RequestRefused { reason };
        let entry = who.map_or(event.by_system(), |who| event.by(who.actor));
        self.log.append(&[entry.denied()])?;
        Ok(())
    }

    /// Puts on record what was asked for. From here on the request has an outcome, whatever happens.
    pub(crate) fn intend(&mut self, who: &Who, checked: &Checked, model: &Model) -> Result<Intent, Error> {
        let Settings { width, height, steps, guidance_milli, seeds } = &checked.prepared.settings;
        let (_, _, log) = self.parts(who, Act::MakePictures)?;
        let intent = Intent { job: JobId::random()?, who: *who };
        let requested = Event::GenerateRequested {
            width: *width,
            height: *height,
            steps: *steps,
            images: seeds.len() as u32,
            guidance_milli: *guidance_milli,
            model: Digest(model.digest),
            device: device(model.device),
            remembers_prompt: checked.remembers_prompt,
        };
        log.append(&[requested.by(who.actor).job(intent.job)])?;
        self.in_work.insert(intent.job);
        reach(After::Intent)?;
        Ok(intent)
    }

    /// Puts on record that all pictures of a request are.
    ///
    /// # Errors
    /// [`Error::Unrecorded`]: they are all the same.
    pub(crate) fn finish(&mut self, intent: &Intent, images: usize, elapsed_ms: u64) -> Result<(), Error> {
        let event = Event::GenerateFinished { images: images as u32, elapsed_ms };
        self.end(intent, event.by(intent.who.actor), "all pictures of this request are sealed and on record")
    }

    /// Puts on record how a request ended that made fewer pictures than were asked for, and by whom.
    ///
    /// # Errors
    /// [`Error::Unrecorded`]: it has ended so all the same.
    pub(crate) fn fail(
        &mut self,
        intent: &Intent,
        reason: GenerateFailure,
        images: usize,
        by: Actor,
    ) -> Result<(), Error> {
        let event = Event::GenerateFailed { reason, images: images as u32 };
        self.end(intent, event.by(by).failed(), "this request has ended without all of its pictures")
    }

    fn end(&mut self, intent: &Intent, entry: audit::Entry, done: &str) -> Result<(), Error> {
        let appended = self.log.append(&[entry.job(intent.job)]);
        appended.map_err(|source| Error::Unrecorded { done: done.into(), source })?;
        self.in_work.remove(&intent.job);
        Ok(())
    }

    /// What becomes of a request cannot be told from here: the next unlock looks into it.
    pub(crate) fn leave_open(&mut self, intent: &Intent) {
        self.in_work.remove(&intent.job);
    }

    /// Draws the numbers and the key of one picture.
    pub(crate) fn draft(&mut self, intent: &Intent) -> Result<Draft, Error> {
        reach(After::Picture)?;
        let (created_ms, days) = (self.now_ms(), self.picture_days_max);
        let (open, random, _) = self.parts(&intent.who, Act::MakePictures)?; // whoever asked may have locked the vault since
        let id = ObjectId::random(random)?;
        let mut salt = [0; 16];
        random.fill(&mut salt).map_err(vault::Error::Random)?;
        let name = name::name(created_ms, random).map_err(vault::Error::Random)?;
        let sealer = open.vault.sealer(random)?;
        let expires_ms = days.map(|days| end_ms(created_ms, days));
        let pseudonym = pseudonym(id, salt);
        Ok(Draft { id, salt, name, created_ms, pseudonym, expires_ms, sealer })
    }

    /// Gives a sealed picture to the vault, and records it.
    ///
    /// # Errors
    /// What the vault says: the picture is not kept, unless [`vault::Vault::is_poisoned`], when the next unlock tells.
    /// [`Error::Unrecorded`]: it is kept, and the next unlock records it.
    pub(crate) fn keep(&mut self, intent: &Intent, sealed: Sealed) -> Result<Summary, Error> {
        reach(After::Sealed)?;
        let Sealed { staged, pseudonym, salt, width, height, summary } = sealed;
        let (open, random, log) = match self.parts(&intent.who, Act::MakePictures) {
            Ok(parts) => parts,
            Err(error) => {
                let _ = staged.discard(); // noise if this fails
                return Err(error);
            }
        };
        let sha256 = staged.ciphertext_sha256();
        open.cover_with_next(log)?;
        if let Err(error) = open.vault.commit(staged, random) {
            open.unsettled |= open.vault.is_poisoned();
            return Err(error.into());
        }
        reach(After::Committed)?;
        let State { epoch, seq, root } = open.vault.state();
        let event = Event::ObjectSealed {
            width,
            height,
            ciphertext_mac: ciphertext_mac(salt, sha256),
            vault_epoch: epoch,
            vault_seq: seq,
            vault_root: Digest(root),
        };
        if let Err(source) = log.append(&[event.by(intent.who.actor).object(pseudonym).job(intent.job)]) {
            open.unsettled = true;
            return Err(Error::Unrecorded { done: format!("the picture {} is sealed", summary.id), source });
        }
        reach(After::Recorded)?;
        Ok(summary)
    }

    /// Whether what was begun in this opening can only be told by the next one.
    pub(crate) fn is_unsettled(&self) -> bool {
        self.open_vault().is_ok_and(|open| open.unsettled)
    }
}
