//! Evidence on record: that the controls were tried, and what was handed out. What was found is no matter of the darkroom.

use crate::{Act, Darkroom, Error, Who};
use audit::{Digest, Entry, Event, JobId, PublicKey, Receipt};

impl Darkroom {
    /// Whether they may try the controls, and see what was found of them.
    ///
    /// # Errors
    /// [`Error::NotPermitted`], on record; [`Error::Locked`] if the vault was locked since `who` came in.
    pub fn may_try_controls(&self, who: &Who) -> Result<(), Error> {
        self.vault_of(who, Act::Controls).map(drop)
    }

    /// Whether the log, as it lies on the disk, goes on from what the open vault remembers of it. Reads all records up to there.
    ///
    /// # Errors
    /// As [`Darkroom::may_try_controls`]; the log cannot be read.
    pub fn continues_mark(&self, who: &Who) -> Result<bool, Error> {
        match self.compare_mark(self.vault_of(who, Act::Controls)?) {
            Ok(()) => Ok(true),
            Err(Error::NoMark | Error::Log(audit::Error::Lost { .. } | audit::Error::Diverged { .. })) => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Puts on record that the controls were tried. The file with what was found is durable by then.
    ///
    /// # Errors
    /// What the log says; as [`Darkroom::may_try_controls`].
    pub fn record_tried(&self, who: Option<&Who>, run: Digest, not_satisfied: u32) -> Result<Receipt, Error> {
        Ok(self.log.append(&[self.entry(Event::EvidenceTried { run, not_satisfied }, who)?])?)
    }

    /// Puts the key of a bundle on record, before it signs anything. The bundle goes by the request that is handed back.
    ///
    /// # Errors
    /// As [`Darkroom::record_tried`].
    pub fn record_key_drawn(&self, who: Option<&Who>, key: PublicKey) -> Result<(JobId, Receipt), Error> {
        let job = JobId::random()?;
        let entry = self.entry(Event::EvidenceKeyDrawn { key }, who)?.job(job);
        Ok((job, self.log.append(&[entry])?))
    }

    /// Puts on record that a bundle is handed out, before it is.
    ///
    /// # Errors
    /// As [`Darkroom::record_tried`].
    pub fn record_exported(&self, who: Option<&Who>, job: JobId, manifest: Digest) -> Result<Receipt, Error> {
        Ok(self.log.append(&[self.entry(Event::EvidenceExported { manifest }, who)?.job(job)])?)
    }

    /// Puts on record that a bundle for support is about to leave. It takes no right: nothing of anybody's is in it.
    ///
    /// # Errors
    /// What the log says.
    pub fn record_support(&self, sha256: Digest) -> Result<Receipt, Error> {
        Ok(self.log.append(&[Event::SupportBundled { sha256 }.by_system()])?)
    }

    /// Puts on record that an authority outside has stamped the checkpoint of this many records, by its clock then. The file with
    /// its answer is durable by now. It takes no right: who has the answer of an authority can add nothing to it.
    ///
    /// # Errors
    /// What the log says.
    pub fn record_stamp(&self, answer: Digest, size: u64, stamped_ms: u64) -> Result<Receipt, Error> {
        Ok(self.log.append(&[Event::LogStamped { answer, size, stamped_ms }.by_system()])?)
    }

    /// By whoever opened the vault; while it is shut, by the program, which needs no key for this.
    fn entry(&self, event: Event, who: Option<&Who>) -> Result<Entry, Error> {
        let Some(who) = who else { return Ok(event.by_system()) };
        self.vault_of(who, Act::Controls)?;
        Ok(event.by(who.actor))
    }
}
