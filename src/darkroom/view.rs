//! Looking at pictures, and checking them all.

use crate::metadata::pseudonym;
use crate::room::Darkroom;
use crate::{Error, Who};
use audit::Event;
use audit::words::View;
use vault::{ObjectId, VerifyReport};
use zeroize::Zeroizing;

/// Small pictures as PNG, each with its object.
pub type Previews = Vec<(ObjectId, Zeroizing<Vec<u8>>)>;

impl Darkroom {
    /// The whole picture as PNG. The look is on record before the bytes are handed over.
    ///
    /// # Errors
    /// What vault and log say.
    pub fn view(&mut self, who: &Who, id: ObjectId) -> Result<Zeroizing<Vec<u8>>, Error> {
        let (open, random, log) = self.parts(who)?;
        let object = pseudonym(id, open.vault.get(id)?.salt);
        let bytes = open.vault.open_content(id)?;
        log.append(&[Event::ObjectViewed { kind: View::Content }.by(who.actor).object(object)])?;
        open.cover(log, random)?;
        Ok(bytes)
    }

    /// The previews of some pictures as PNG, for one page: one record for all of them, before any is handed over. A
    /// picture that cannot be opened is left out.
    ///
    /// # Errors
    /// What the first one says if none can be opened; what the log says.
    pub fn view_previews(&mut self, who: &Who, ids: &[ObjectId]) -> Result<Previews, Error> {
        let (open, random, log) = self.parts(who)?;
        let mut previews = Vec::with_capacity(ids.len());
        let mut failed = None;
        for id in ids {
            match open.vault.open_preview(*id) {
                Ok(preview) => previews.push((*id, preview)),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        let event = match (&previews[..], failed) {
            ([], Some(error)) => return Err(error.into()),
            ([], None) => return Ok(previews),
            ([(id, _)], _) => {
                let object = pseudonym(*id, open.vault.get(*id)?.salt);
                Event::ObjectViewed { kind: View::Preview }.by(who.actor).object(object)
            }
            (several, _) => {
                let count = u32::try_from(several.len()).unwrap_or(u32::MAX);
                Event::ObjectsViewed { kind: View::Preview, count }.by(who.actor)
            }
        };
        log.append(&[event])?;
        open.cover(log, random)?;
        Ok(previews)
    }

    /// Opens every picture and checks all of it.
    ///
    /// # Errors
    /// What vault and log say about the whole; damage of single pictures is in the report.
    pub fn verify(&mut self, who: &Who) -> Result<VerifyReport, Error> {
        let (open, _, log) = self.parts(who)?;
        let report = open.vault.verify()?;
        let (damaged, missing) = (report.damaged.len() as u64, report.missing.len() as u64);
        let event = Event::VaultVerified { objects: report.sound + damaged + missing, damaged, missing };
        let entry = event.by(who.actor);
        log.append(&[if report.is_sound() { entry } else { entry.failed() }])?;
        Ok(report)
    }
}
