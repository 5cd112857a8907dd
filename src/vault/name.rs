//! What people are called: a name for each passphrase, kept sealed, and shown by the slot only to whoever guesses it.

use std::fmt;

use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;

use crate::Error;
use crate::alike;
use crate::format::{SlotId, VaultId};

/// Bytes of a person's name at most.
pub const PERSON_NAME_BYTES_MAX: usize = 64;
/// Bytes of a salt that stay random beside a name.
const NONCE_BYTES: usize = 16;

/// What a person is called when they sign in. Two names that differ in case alone are one.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonName(String);

impl PersonName {
    /// A name as it was typed: spaces around it are dropped, and it is normalized (Unicode NFC).
    ///
    /// # Errors
    /// [`Error::BadName`]: it is empty or longer than 64 bytes, or holds a character that cannot be seen.
    pub fn new(text: &str) -> Result<Self, Error> {
        let name: String = text.trim().nfc().collect();
        if name.is_empty() || name.len() > PERSON_NAME_BYTES_MAX {
            return Err(Error::BadName("it is empty or longer than 64 bytes"));
        }
        if name.chars().any(is_unseen) {
            return Err(Error::BadName("it holds a character that cannot be seen"));
        }
        Ok(Self(name))
    }

    /// The name that somebody stored; `None` if [`PersonName::new`] makes none like it.
    pub(crate) fn stored(text: &str) -> Option<Self> {
        Self::new(text).ok().filter(|name| name.0 == text)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether they are one.
    pub fn is(&self, other: &Self) -> bool {
        self.folded() == other.folded()
    }

    /// Whether it can be given to somebody beside these.
    ///
    /// # Errors
    /// [`Error::BadName`]: it mixes scripts that look alike; [`Error::NameOfAnother`], [`Error::NameAlike`].
    pub(crate) fn check_new<'a>(&self, mut others: impl Iterator<Item = &'a Self>) -> Result<(), Error> {
        if alike::mixes_scripts(&self.0) {
            return Err(Error::BadName(
                "it mixes letters of scripts that look alike, Latin and Cyrillic, say",
            ));
        }
        let seen = alike::seen(&self.0);
        others.try_for_each(|other| match (other.is(self), alike::seen(&other.0) == seen) {
            (true, _) => Err(Error::NameOfAnother),
            (false, true) => Err(Error::NameAlike),
            (false, false) => Ok(()),
        })
    }

    /// In lower case, normalized again: what tells two people apart.
    pub fn folded(&self) -> String {
        self.0.to_lowercase().nfc().collect()
    }

    /// Puts into the second half of a slot's salt what shows the name to whoever guesses it:
    /// SHA-256("lp1/slot/name" ‖ vault id ‖ slot id ‖ first half ‖ name in lower case), 16 bytes.
    pub(crate) fn sign_salt(&self, vault_id: VaultId, slot: SlotId, salt: &mut [u8; 32]) {
        let (nonce, tag) = salt.split_at_mut(NONCE_BYTES);
        let digest = Sha256::new()
            .chain_update(b"lp1/slot/name")
            .chain_update(vault_id.0)
            .chain_update(slot.0.to_be_bytes())
            .chain_update(nonce)
            .chain_update(self.folded())
            .finalize();
        tag.copy_from_slice(&digest[..NONCE_BYTES]);
    }
}

/// A name stays where somebody asked for it: not in a debug print.
impl fmt::Debug for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonName(..)")
    }
}

/// Control and format characters, and the others that Unicode calls ignorable: with them two names would look alike.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{AD}' | '\u{34F}' | '\u{600}'..='\u{605}' | '\u{61C}' | '\u{6DD}' | '\u{70F}' | '\u{890}'..='\u{891}' | '\u{8E2}'
            | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}' | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}'
            | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFFB}' | '\u{110BD}' | '\u{110CD}' | '\u{13430}'..='\u{1343F}' | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}
