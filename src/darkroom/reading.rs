//! The log, read through the running program: who may, and on record before anything is told.

use crate::{Act, Darkroom, Error, Who};
use audit::words::Reading;
use audit::{Event, Receipt, Selection};
use std::path::PathBuf;

impl Darkroom {
    /// Where the log lies, for somebody who may read it. Reading waits for nobody and holds nobody up.
    ///
    /// # Errors
    /// [`Error::NotPermitted`], on record; [`Error::Locked`] if the vault was locked since `who` came in.
    pub fn reads_log(&self, who: &Who) -> Result<PathBuf, Error> {
        self.vault_of(who, Act::ReadLog).map(|_| self.folders.audit.clone())
    }

    /// Puts on record that somebody reads the log, and by what they select, without what they select.
    ///
    /// # Errors
    /// What the log says: then nothing is to be told. As [`Darkroom::reads_log`].
    pub fn record_reading(
        &self,
        who: &Who,
        how: Reading,
        asked: &Selection,
        records: u64,
    ) -> Result<Receipt, Error> {
        self.vault_of(who, Act::ReadLog)?;
        let event = Event::AuditRead {
            how,
            by_time: asked.since_ms.is_some() || asked.until_ms.is_some(),
            by_type: asked.name.is_some(),
            by_outcome: asked.outcome.is_some(),
            by_object: asked.object.is_some(),
            by_job: asked.job.is_some(),
            records,
        };
        Ok(self.log.append(&[event.by(who.actor)])?)
    }
}
