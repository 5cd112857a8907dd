//! Who the people behind the slots are.

use std::io;

use crate::disk;
use crate::format::{FORMAT, HEAD_BYTES_MAX, SlotId, SlotInfo};
use crate::home::{DAMAGED, MIRROR_DAMAGED, RESERVE};
use crate::slot::OpenSlot;
use crate::{Error, Grade, KdfParams, PersonName, Random, Role, Rolled, Secret, State, Vault};

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

/// What became of the names of people who are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Forgotten {
    /// The state after it.
    pub state: State,
    /// What overwriting the old epoch key is worth where the anchor lies.
    pub grade: Grade,
    /// The mirror is not renewed, or a file could not be removed that may show a guess of a name to be right.
    pub cleanup_pending: bool,
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
    /// when its person is removed, since nobody else may inherit what was done under it, until it is forgotten.
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

    /// Destroys the names of people who are gone, with every mark of theirs that is pending anew, in one roll: no older copy of the
    /// vault file says them to anybody who has the anchor of now. The numbers of their slots stay used, and others may be called so.
    ///
    /// # Errors
    /// [`Error::Limit`]: one of them is there. Those of every roll; see [`Vault::erase`].
    pub fn forget_names(&mut self, gone: &[SlotId], random: &mut dyn Random) -> Result<Forgotten, Error> {
        if gone.iter().any(|slot| self.has_slot(*slot)) {
            return Err(Error::Limit("the name of somebody who is there stays"));
        }
        let mut names = self.index.names.clone();
        names.retain(|slot, _| !gone.contains(slot));
        let slots = self.open_slots()?;
        self.roll(slots, names, &[], random)?;
        let cleanup_pending = self.drop_old_heads().is_err();
        Ok(Forgotten { state: self.state(), grade: self.grade(), cleanup_pending })
    }

    /// Removes what is kept of earlier vault files: whoever guesses a name can test it at the slots in their heads, without a key.
    /// The reserve may have been one that was not finished, and a mirror that is not renewed is one. All are tried.
    ///
    /// # Errors
    /// What the disk says.
    pub fn drop_old_heads(&mut self) -> Result<(), Error> {
        let repaired = self.repair();
        let state = &self.home.state;
        let removed = [DAMAGED, MIRROR_DAMAGED].map(|name| state.remove(name));
        let overwritten = match state.has(RESERVE) {
            Ok(true) => state.file(RESERVE, true).and_then(|file| {
                disk::write_at(&file, &state.path(RESERVE), 0, &[0; HEAD_BYTES_MAX])?;
                disk::sync(&file, &state.path(RESERVE))
            }),
            other => other.map(drop),
        };
        let renewed = match self.mirror {
            Some(_) => Ok(()),
            None => Err(io::Error::other("the mirror could not be renewed")),
        };
        let done = removed.into_iter().chain([overwritten, renewed, state.sync()]).collect::<Result<(), _>>();
        repaired.and(done.map_err(Error::io("removing earlier copies of the vault file")))
    }

    /// Nobody inherits a name: what was done under it is theirs who had it.
    pub(crate) fn check_name(&self, name: &PersonName) -> Result<(), Error> {
        name.check_new(self.index.names.values())
    }
}
