//! What is known of the pictures, without opening any.

use crate::metadata::{Metadata, Summary, pseudonym};
use crate::period::Periods;
use crate::room::Darkroom;
use crate::{Act, Error, Who, whose};
use vault::{ObjectId, Vault};

/// Fewest characters of an identifier that stand for all of it.
const ID_CHARS_MIN: usize = 8;

/// Some of the pictures, newest first.
pub struct Page {
    /// They.
    pub pictures: Vec<Summary>,
    /// The last of them, if more follow.
    pub next: Option<ObjectId>,
    /// How many there are in all.
    pub total: usize,
}

impl Darkroom {
    /// All pictures, newest first.
    ///
    /// # Errors
    /// [`Error::Locked`] or [`Error::NoVault`]; what the vault says of a folder that is not there.
    pub fn list(&self, who: &Who) -> Result<Vec<Summary>, Error> {
        self.page(who, None, usize::MAX).map(|page| page.pictures)
    }

    /// Up to `count` pictures, newest first, from the one behind `after` on.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no picture `after`; [`Error::Locked`] or [`Error::NoVault`].
    pub fn page(&self, who: &Who, after: Option<ObjectId>, count: usize) -> Result<Page, Error> {
        let vault = self.vault_of(who, Act::OwnPictures)?;
        let mut entries = whose::pictures(vault, who).into_iter().rev();
        let total = entries.len();
        if let Some(after) = after
            && entries.by_ref().all(|entry| entry.id != after)
        {
            return Err(Error::NotFound { id: after.to_string() });
        }
        let periods = Periods::of(vault, self.picture_days_max);
        let some = entries.by_ref().take(count);
        let pictures: Vec<Summary> =
            some.map(|entry| summary(vault, &periods, entry)).collect::<Result<_, Error>>()?;
        let more = entries.len() > 0;
        let next = pictures.last().filter(|_| more).map(|last| last.id);
        Ok(Page { pictures, next, total })
    }

    /// What is known of one picture.
    ///
    /// # Errors
    /// [`Error::Locked`], or [`vault::Error::UnknownObject`] and [`vault::Error::Erased`].
    pub fn picture(&self, who: &Who, id: ObjectId) -> Result<Summary, Error> {
        let vault = self.vault_of(who, Act::OwnPictures)?;
        let entry = whose::picture(vault, who, id)?;
        summary(vault, &Periods::of(vault, self.picture_days_max), entry)
    }

    /// The picture that a person means by `text`: an identifier, its first characters (8 or more), or a name.
    ///
    /// # Errors
    /// [`Error::NotFound`], also if several begin like that; [`Error::ShortId`] if one does, and the text is too short for
    /// an identifier.
    pub fn find(&self, who: &Who, text: &str) -> Result<ObjectId, Error> {
        let lower = text.to_ascii_lowercase();
        let begins = |entry: &vault::ObjectInfo| entry.id.to_string().starts_with(&lower);
        let means =
            |entry: &vault::ObjectInfo| entry.name == text || (text.len() >= ID_CHARS_MIN && begins(entry));
        let entries = whose::pictures(self.vault_of(who, Act::OwnPictures)?, who);
        let mut found = entries.iter().filter(|entry| means(entry)).map(|entry| entry.id);
        if let (Some(id), None) = (found.next(), found.next()) {
            return Ok(id);
        }
        let short = (1..ID_CHARS_MIN).contains(&text.len()) && entries.iter().any(|entry| begins(entry));
        let id = text.chars().take(64).collect();
        Err(if short { Error::ShortId { id, chars_min: ID_CHARS_MIN } } else { Error::NotFound { id } })
    }
}

fn summary(vault: &Vault, periods: &Periods, entry: &vault::ObjectInfo) -> Result<Summary, Error> {
    Ok(Summary {
        id: entry.id,
        name: entry.name.clone(),
        created_ms: entry.created_ms,
        content_bytes: entry.content_bytes,
        pseudonym: pseudonym(entry.id, entry.salt),
        metadata: Metadata::of(entry),
        missing: vault.is_missing(entry)?,
        expires_ms: periods.end_ms(entry),
    })
}
