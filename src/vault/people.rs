//! Who the people behind the slots are.

use crate::format::{FORMAT, SlotId, SlotInfo};
use crate::slot::OpenSlot;
use crate::{Error, KdfParams, PersonName, Random, Role, Rolled, Secret, Vault};

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

impl Vault {
    /// Whether everybody with a passphrase has a name.
    pub fn has_names(&self) -> bool {
        self.header.format > FORMAT
    }

    /// Everybody with a passphrase, and everybody who had one and a name, in the order of their slots.
    pub fn people(&self) -> Vec<Person> {
        let there = self.header.slots.iter().map(|slot| slot.info);
        let there = there.filter(|info| info.kind.is_persons());
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

    /// Gives the slot that `proof` opens, that of the only passphrase, a name and a role; its passphrase stays. A name stays
    /// for ever, since nobody else may inherit what was done under it.
    ///
    /// # Errors
    /// [`Error::WrongSecret`]; [`Error::Limit`]: somebody has a name already, other passphrases lack one, or the slot is no
    /// person's, or the role would give it other keys; those of every roll.
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
        if !info.kind.is_persons() || info.role.opens_objects() != role.opens_objects() {
            return Err(Error::Limit("a name goes to the passphrase of a person, who keeps their keys"));
        }
        if self.has_names() {
            return Err(Error::Limit("a name stays for ever"));
        }
        if self.people().len() > 1 {
            return Err(Error::Limit("other passphrases of this vault have no name; remove them first"));
        }
        self.check_name(name)?;
        let half = self.half_for(info.kind)?;
        let proof = (proof, half.as_ref());
        let slot = OpenSlot::new(self.vault_id(), (info.id, role), Some(name), proof, kdf, random)?;
        self.roll_slots(info.id, Some(slot), Some(name), random)
    }

    /// Nobody inherits a name: what was done under it is theirs who had it.
    pub(crate) fn check_name(&self, name: &PersonName) -> Result<(), Error> {
        name.check_new(self.index.names.values())
    }
}
