//! Who the people behind the slots are: a name for each passphrase, kept sealed, and shown by the slot only to whoever
//! guesses it.

use std::fmt;

use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;

use crate::format::{FORMAT, SlotId, SlotInfo, SlotKind, VaultId};
use crate::slot::OpenSlot;
use crate::{Error, KdfParams, Random, Role, Rolled, Secret, Vault};

/// Bytes of a person's name at most.
pub const PERSON_NAME_BYTES_MAX: usize = 64;
/// Bytes of a salt that stay random beside a name.
const NONCE_BYTES: usize = 16;

/// What a person is called when they sign in. Two names that differ in case alone are one.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonName(String);

/// Somebody with a passphrase of their own, or who had one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Person {
    /// Their slot's number: theirs for ever.
    pub slot: SlotId,
    /// What they are called; `None` where nobody has a name.
    pub name: Option<PersonName>,
    /// What their slot gives; `None` if they were removed.
    pub role: Option<Role>,
}

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
        self.0.to_lowercase() == other.0.to_lowercase()
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
            .chain_update(self.0.to_lowercase())
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

/// Control characters, and those that change how others are shown.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

impl Vault {
    /// Whether everybody with a passphrase has a name.
    pub fn has_names(&self) -> bool {
        self.header.format > FORMAT
    }

    /// Everybody with a passphrase, and everybody who had one and a name, in the order of their slots.
    pub fn people(&self) -> Vec<Person> {
        let there = self.header.slots.iter().map(|slot| slot.info);
        let there = there.filter(|info| info.kind == SlotKind::Passphrase);
        let mut people: Vec<Person> = there
            .map(|info| Person {
                slot: info.id,
                name: self.index.names.get(&info.id).cloned(),
                role: Some(info.role),
            })
            .collect();
        let gone = self.index.names.iter().filter(|(slot, _)| people.iter().all(|p| p.slot != **slot));
        let gone: Vec<_> =
            gone.map(|(slot, name)| Person { slot: *slot, name: Some(name.clone()), role: None }).collect();
        people.extend(gone);
        people.sort_by_key(|person| person.slot);
        people
    }

    /// The slot of the person of this name, who has a passphrase.
    ///
    /// # Errors
    /// [`Error::UnknownName`].
    pub fn slot_of(&self, name: &PersonName) -> Result<SlotInfo, Error> {
        let is_theirs = |info: &SlotInfo| self.index.names.get(&info.id).is_some_and(|known| known.is(name));
        self.slot_infos().find(is_theirs).ok_or(Error::UnknownName)
    }

    /// Gives the slot that `proof` opens a name and a role; its passphrase stays. Where nobody has a name yet, that one
    /// passphrase must be the only one.
    ///
    /// # Errors
    /// [`Error::WrongSecret`]; [`Error::NameOfAnother`]; [`Error::Limit`]: other passphrases lack a name, or the slot is
    /// no person's, or the role would give it other keys; those of every roll.
    pub fn name_slot(
        &mut self,
        proof: &Secret,
        name: &PersonName,
        role: Role,
        kdf: KdfParams,
        random: &mut dyn Random,
    ) -> Result<Rolled, Error> {
        let (slot, _) = self.find_slot(proof)?;
        let info = slot.info;
        if info.kind != SlotKind::Passphrase || info.role.opens_objects() != role.opens_objects() {
            return Err(Error::Limit("a name goes to the passphrase of a person, who keeps their keys"));
        }
        let others = self.people().iter().any(|person| person.slot != info.id && person.name.is_none());
        if others {
            return Err(Error::Limit("other passphrases of this vault have no name; remove them first"));
        }
        self.check_name(name, Some(info.id))?;
        let slot = OpenSlot::new(self.vault_id(), (info.id, role), Some(name), proof, kdf, random)?;
        self.roll_slots(info.id, Some(slot), Some(name), random)
    }

    /// Nobody inherits a name: what was done under it is theirs who had it.
    pub(crate) fn check_name(&self, name: &PersonName, but: Option<SlotId>) -> Result<(), Error> {
        let taken = self.index.names.iter().any(|(slot, known)| Some(*slot) != but && known.is(name));
        if taken { Err(Error::NameOfAnother) } else { Ok(()) }
    }
}
