//! Vault and log, opened behind the fences.

use super::Booted;
use crate::exit::Failure;
use audit::words::StartRefusal;
use darkroom::Darkroom;
use vault::KdfParams;

impl Booted {
    /// Opens vault and log, and puts start and tested posture on record, or else `refusal`.
    ///
    /// # Errors
    /// The refusal that is on record by then, or what vault and log say.
    pub fn darkroom(&self, refusal: Option<Failure>) -> Result<Darkroom, Failure> {
        let mut darkroom = Darkroom::open(self.of_darkroom(), self.clock, KdfParams::DEFAULT, self.start())?;
        if let Some(copy) = &self.copy {
            darkroom.copy_checkpoints(copy.place.clone());
        }
        if let Some(failure) = refusal {
            darkroom.refuse_start(StartRefusal::Policy)?;
            return Err(failure);
        }
        // The fences are tried from the threads that exist now, the log's own among them.
        if let Err(error) = sandbox::probe(&self.sandboxed) {
            darkroom.refuse_start(StartRefusal::Probe)?;
            return Err(error.into());
        }
        darkroom.record_posture(&self.fenced())?;
        Ok(darkroom)
    }
}
