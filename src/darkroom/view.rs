//! Looking at pictures, and checking them all. They are opened beside the darkroom.

use crate::hold::{Hold, beside};
use crate::marks::Marked;
use crate::metadata::pseudonym;
use crate::room::Darkroom;
use crate::{Act, Error, Queue, Who, whose};
use audit::Event;
use audit::words::View;
use vault::{ObjectId, Opener, VerifyReport};
use zeroize::Zeroizing;

/// Small pictures as PNG, each with its object.
pub type Previews = Vec<(ObjectId, Zeroizing<Vec<u8>>)>;

impl Darkroom {
    /// The whole picture as PNG. The look is on record before the bytes are handed over.
    ///
    /// # Errors
    /// What vault and log say.
    pub fn view(&mut self, who: &Who, id: ObjectId) -> Result<Zeroizing<Vec<u8>>, Error> {
        view(self, who, id)
    }

    /// The previews of some pictures as PNG, for one page: one record for all of them, before any is handed over. A
    /// picture that cannot be opened is left out.
    ///
    /// # Errors
    /// What the first one says if none can be opened; what the log says.
    pub fn view_previews(&mut self, who: &Who, ids: &[ObjectId]) -> Result<Previews, Error> {
        view_previews(self, who, ids)
    }

    /// The key of a picture of theirs.
    fn opener(&self, who: &Who, id: ObjectId) -> Result<Opener, Error> {
        let vault = self.vault_of(who, Act::OwnPictures)?;
        Ok(vault.opener(whose::picture(vault, who, id)?.id)?)
    }

    /// Opens every picture and checks all of it.
    ///
    /// # Errors
    /// What vault and log say about the whole; damage of single pictures is in the report.
    pub fn verify(&mut self, who: &Who) -> Result<VerifyReport, Error> {
        verify(self, who)
    }
}

impl Queue {
    /// As [`Darkroom::view`]; while the picture is opened, others have the darkroom.
    ///
    /// # Errors
    /// As there; [`Error::Locked`] if the vault was locked meanwhile, after which nothing is handed over.
    pub fn view(&self, who: &Who, id: ObjectId) -> Result<Zeroizing<Vec<u8>>, Error> {
        view(&mut &*self, who, id)
    }

    /// As [`Darkroom::view_previews`]; while they are opened, others have the darkroom.
    ///
    /// # Errors
    /// As there; [`Error::Locked`] if the vault was locked meanwhile, after which nothing is handed over.
    pub fn view_previews(&self, who: &Who, ids: &[ObjectId]) -> Result<Previews, Error> {
        view_previews(&mut &*self, who, ids)
    }
}

fn view(held: &mut impl Hold, who: &Who, id: ObjectId) -> Result<Zeroizing<Vec<u8>>, Error> {
    let opener = held.with(|darkroom| darkroom.opener(who, id))?;
    let opened = beside(move || opener.content());
    held.with(|darkroom| {
        // Whoever asked may be out by now, and the picture gone.
        let (open, random, log) = darkroom.parts(who, Act::OwnPictures)?;
        let object = pseudonym(id, whose::picture(&open.vault, who, id)?.salt);
        let bytes = opened?;
        log.append(&[Event::ObjectViewed { kind: View::Content }.by(who.actor).object(object)])?;
        open.cover(log, random)?;
        Ok(bytes)
    })
}

fn view_previews(held: &mut impl Hold, who: &Who, ids: &[ObjectId]) -> Result<Previews, Error> {
    let mut opened = Vec::with_capacity(ids.len());
    for id in ids {
        // One key at a time.
        let opener = held.with(|darkroom| match darkroom.opener(who, *id) {
            Err(Error::Vault(error)) => Ok(Err(error)),
            opener => opener.map(Ok),
        })?;
        opened.push((*id, opener.and_then(|opener| beside(move || opener.preview()))));
    }
    held.with(|darkroom| {
        let (open, random, log) = darkroom.parts(who, Act::OwnPictures)?;
        let mut previews = Vec::with_capacity(opened.len());
        let mut failed = None;
        for (id, preview) in opened {
            match open.vault.get(id).and(preview) {
                Ok(preview) => previews.push((id, preview)),
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
    })
}

/// What the newest picture says of its making, whosever it is: it is opened in memory, and nothing of it is handed over. `None`
/// without one.
///
/// # Errors
/// As [`Darkroom::may_try_controls`]; it cannot be opened.
pub fn newest_marks(held: &mut impl Hold, who: &Who) -> Result<Option<Marked>, Error> {
    let newest = held.with(|darkroom| {
        let vault = darkroom.vault_of(who, Act::Controls)?;
        let is_there = |entry: &&vault::ObjectInfo| !vault.is_missing(entry).unwrap_or(false);
        let Some(entry) = vault.list().rev().find(is_there) else { return Ok(None) };
        Ok(Some((vault.opener(entry.id)?, pseudonym(entry.id, entry.salt).to_string())))
    })?;
    let Some((opener, produce_id)) = newest else { return Ok(None) };
    let content = beside(move || opener.content())?;
    // What is no PNG has none of it.
    let nothing = Marked { digital_source_type: false, aigc_label: false, other_chunks: 1 };
    Ok(Some(Marked::of(&content, &produce_id).unwrap_or(nothing)))
}

/// Opens every picture in memory, and puts on record what was found.
///
/// # Errors
/// As [`Darkroom::verify`].
pub fn verify(held: &mut impl Hold, who: &Who) -> Result<VerifyReport, Error> {
    verify_as(held, who, Act::CheckPictures)
}

/// The same as a part of another act. Picture by picture: nobody waits for all of them.
///
/// # Errors
/// As there.
pub fn verify_as(held: &mut impl Hold, who: &Who, act: Act) -> Result<VerifyReport, Error> {
    let mut check = held.with(|darkroom| Ok(darkroom.vault_of(who, act)?.begin_verification()?))?;
    while let Some(opener) =
        held.with(|darkroom| Ok(darkroom.vault_of(who, act)?.next_to_verify(&mut check)?))?
    {
        check.add(opener.id(), beside(|| opener.check()));
    }
    held.with(|darkroom| {
        let (open, _, log) = darkroom.parts(who, act)?;
        let report = open.vault.end_verification(check)?;
        let (damaged, missing) = (report.damaged.len() as u64, report.missing.len() as u64);
        let event = Event::VaultVerified { objects: report.sound + damaged + missing, damaged, missing };
        let entry = event.by(who.actor);
        log.append(&[if report.is_sound() { entry } else { entry.failed() }])?;
        Ok(report)
    })
}
