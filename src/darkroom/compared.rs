//! What the vault holds, in the words of the log: for whoever tries the controls, and holds the two against each other.

use crate::metadata::pseudonym;
use crate::roles::role_of;
use crate::room::Room;
use crate::{Act, Darkroom, Error, Who};
use audit::Object;
use audit::words::Role;

/// The pictures that the vault holds at one moment.
pub struct Holdings {
    /// Their pseudonyms.
    pub pictures: Vec<Object>,
    /// How many records the log had then.
    pub records: u64,
}

/// The people of the vault, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Those with a name and a passphrase; none where nobody has a name.
    pub people: u64,
    /// Those of them who are admins.
    pub admins: u64,
}

impl Darkroom {
    /// Everything that the vault holds, whosever it is, by pseudonym.
    ///
    /// # Errors
    /// As [`Darkroom::may_try_controls`].
    pub fn holdings(&self, who: &Who) -> Result<Holdings, Error> {
        let vault = self.vault_of(who, Act::Controls)?;
        let pictures = vault.list().map(|entry| pseudonym(entry.id, entry.salt)).collect();
        Ok(Holdings { pictures, records: self.log.mark().size })
    }

    /// How many people there are, and how many of them are admins.
    ///
    /// # Errors
    /// As [`Darkroom::may_try_controls`].
    pub fn count_people(&self, who: &Who) -> Result<Counted, Error> {
        let vault = self.vault_of(who, Act::Controls)?;
        if !vault.has_names() {
            return Ok(Counted::default());
        }
        let roles: Vec<Role> = vault
            .slot_infos()
            .filter(|slot| slot.kind.is_persons())
            .map(|slot| role_of(vault, slot))
            .collect();
        let admins = roles.iter().filter(|role| **role == Role::Admin).count();
        Ok(Counted { people: roles.len() as u64, admins: admins as u64 })
    }

    /// Whether the anchor of the vault holds anything beside the key in use. It takes no right, and no key.
    ///
    /// # Errors
    /// [`Error::NoVault`]; what the vault says.
    pub fn has_other_key(&self) -> Result<bool, Error> {
        Ok(match &self.room {
            Room::NoVault => return Err(Error::NoVault),
            Room::Locked(locked) => locked.has_other_key()?,
            Room::Open(open) => open.vault.has_other_key()?,
        })
    }
}
