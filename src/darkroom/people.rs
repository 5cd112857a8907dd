//! The people of a vault: who they are, who comes, who goes, and whose pictures are whose then.

use crate::rights::Act;
use crate::room::Darkroom;
use crate::secret::Change;
use crate::whose::{self, HandedOver};
use crate::{Erased, Error, Role, Who};
use audit::words::{Left, Proof, ResolveReason};
use audit::{Actor, Event};
use vault::{ObjectId, PersonName, Secret, SlotId, SlotInfo};

/// Somebody who has a passphrase of this vault, or had one.
#[derive(Clone, Debug)]
pub struct Person {
    /// Number of their slot: theirs for ever.
    pub slot: u16,
    /// What they are called; `None` where nobody has a name.
    pub name: Option<PersonName>,
    /// What they may do; `None` if they were removed.
    pub role: Option<Role>,
    /// How many pictures are theirs.
    pub pictures: usize,
    /// Whether it is the one who asks.
    pub is_self: bool,
}

/// What becomes of the pictures of somebody who is removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pictures {
    /// They stay sealed, and nobody sees them.
    Keep,
    /// They are this person's from here on.
    HandOver(PersonName),
    /// Their keys are destroyed.
    Erase,
}

impl Darkroom {
    /// Everybody who has a passphrase, and everybody who had one and a name.
    ///
    /// # Errors
    /// [`Error::NotPermitted`], on record; [`Error::Locked`].
    pub fn people(&self, who: &Who) -> Result<Vec<Person>, Error> {
        let vault = self.vault_of(who, Act::ManagePeople)?;
        let person = |person: vault::Person| Person {
            pictures: match person.name {
                Some(_) => whose::of_slot(vault, person.slot.0).len(),
                None => vault.list().len(),
            },
            is_self: person.slot.0 == who.slot,
            slot: person.slot.0,
            role: person.role.map(|role| match person.name {
                Some(_) => crate::who::word(role),
                None => who.role(),
            }),
            name: person.name,
        };
        Ok(vault.people().into_iter().map(person).collect())
    }

    /// What somebody is called; `None` where nobody has a name.
    ///
    /// # Errors
    /// [`Error::Locked`].
    pub fn name_of(&self, who: &Who) -> Result<Option<PersonName>, Error> {
        let people = self.vault_of(who, Act::Leave)?.people();
        Ok(people.into_iter().find(|person| person.slot.0 == who.slot).and_then(|person| person.name))
    }

    /// Gives who asks a name, or another one. The first one of a vault to have a name is an admin, and what was made with the
    /// recovery code before is theirs. `proof` is their passphrase, which stays.
    ///
    /// # Errors
    /// A wrong proof, on record; [`vault::Error::NameOfAnother`]; what vault and log say.
    pub fn name_self(&mut self, who: &Who, proof: &Secret, name: &PersonName) -> Result<(), Error> {
        let slot = self.prove(who, proof, Act::ManagePeople)?;
        if !self.vault_of(who, Act::ManagePeople)?.has_names() {
            self.hand_over_from_recovery(who)?;
        }
        self.change(
            who,
            Act::ManagePeople,
            Proof::Passphrase,
            Ok(slot.id),
            Change::Secret,
            |vault, kdf, random| Ok((vault.name_slot(proof, name, vault::Role::Admin, kdf, random)?, ())),
        )
    }

    /// Adds somebody. `secret` is their passphrase with their name; `proof` that of who asks.
    ///
    /// # Errors
    /// A wrong proof, on record; a weak passphrase; what [`vault::Vault::add_slot`] says of the name, and what vault and log
    /// say.
    pub fn add_person(
        &mut self,
        who: &Who,
        proof: &Secret,
        secret: &Secret,
        role: Role,
    ) -> Result<u16, Error> {
        self.prove(who, proof, Act::ManagePeople)?;
        secret.check_new()?;
        let (of_vault, word) = match role {
            Role::Admin => (vault::Role::Admin, role),
            Role::Auditor => (vault::Role::Auditor, role),
            _ => (vault::Role::Operator, Role::Operator),
        };
        let slot = self.vault_of(who, Act::ManagePeople)?.free_slot();
        let number = slot.as_ref().map_or(0, |slot| slot.0);
        self.change(
            who,
            Act::ManagePeople,
            Proof::Passphrase,
            slot,
            Change::Added(word),
            |vault, kdf, random| Ok((vault.add_slot(of_vault, secret, kdf, random)?, ())),
        )?;
        Ok(number)
    }

    /// The same, after giving who asks a name if nobody has one yet.
    ///
    /// # Errors
    /// As there, and as [`Darkroom::name_self`]; [`vault::Error::NameNeeded`] if there is no name to give.
    pub fn add_person_named(
        &mut self,
        who: &Who,
        proof: &Secret,
        own_name: Option<&PersonName>,
        secret: &Secret,
        role: Role,
    ) -> Result<u16, Error> {
        if !self.vault_of(who, Act::ManagePeople)?.has_names() {
            secret.check_new()?;
            self.name_self(who, proof, own_name.ok_or(vault::Error::NameNeeded)?)?;
        }
        self.add_person(who, proof, secret, role)
    }

    /// Puts on record that somebody leaves while others stay.
    ///
    /// # Errors
    /// [`Error::Locked`]; what the log says.
    pub(crate) fn record_closed(&mut self, who: &Who) -> Result<(), Error> {
        self.vault_of(who, Act::Leave)?;
        self.log.append(&[Event::SessionClosed { slot: who.slot.into() }.by(who.actor)])?;
        Ok(())
    }

    /// Removes somebody: their passphrase opens nothing afterwards, neither this vault nor an older copy of it. First their
    /// pictures become what `pictures` says, on record; it must say something if there are any. The slot of who was removed, whose sessions and requests are to end.
    ///
    /// # Errors
    /// A wrong proof, on record; [`vault::Error::UnknownName`]; [`vault::Error::LastSlot`] for the last admin;
    /// [`Error::PicturesUndecided`]; what vault and log say. What had become of the pictures by then stays so.
    pub fn remove_person(
        &mut self,
        who: &Who,
        proof: &Secret,
        name: &PersonName,
        pictures: Option<&Pictures>,
    ) -> Result<u16, Error> {
        self.prove(who, proof, Act::ManagePeople)?;
        let vault = self.vault_of(who, Act::ManagePeople)?;
        let slot = vault.slot_of(name)?;
        let is_other_admin =
            |person: vault::Person| person.slot != slot.id && person.role == Some(vault::Role::Admin);
        if !vault.people().into_iter().any(is_other_admin) {
            return Err(vault::Error::LastSlot.into());
        }
        self.settle_pictures(who, slot, pictures)?;
        let removed = Change::Removed(crate::who::word(slot.role));
        self.change(who, Act::ManagePeople, Proof::Passphrase, Ok(slot.id), removed, |vault, _, random| {
            Ok((vault.remove_slot(slot.id, random)?, ()))
        })?;
        Ok(slot.id.0)
    }

    /// Destroys the keys of all pictures of somebody, who may be gone.
    ///
    /// # Errors
    /// [`Error::NotPermitted`], on record; [`vault::Error::UnknownName`]; those of [`Darkroom::erase`].
    pub fn erase_of(&mut self, who: &Who, name: &PersonName) -> Result<Erased, Error> {
        let (slot, ids) = self.pictures_of(who, name)?;
        let erased = self.erase_as(who, Act::ErasePictures, &ids)?;
        self.record_left(who, slot, Left::Erased, 0)?;
        Ok(erased)
    }

    /// The names of all pictures of somebody, who may be gone.
    ///
    /// # Errors
    /// As [`Darkroom::erase_of`].
    pub fn names_of(&self, who: &Who, name: &PersonName) -> Result<Vec<String>, Error> {
        let (_, ids) = self.pictures_of(who, name)?;
        let vault = self.vault_of(who, Act::ErasePictures)?;
        ids.into_iter().map(|id| Ok(vault.get(id)?.name.clone())).collect()
    }

    fn pictures_of(&self, who: &Who, name: &PersonName) -> Result<(SlotId, Vec<ObjectId>), Error> {
        let vault = self.vault_of(who, Act::ErasePictures)?;
        let is_theirs = |person: &vault::Person| person.name.as_ref().is_some_and(|known| known.is(name));
        let person = vault.people().into_iter().find(is_theirs).ok_or(vault::Error::UnknownName)?;
        let ids = whose::of_slot(vault, person.slot.0).into_iter().map(|entry| entry.id).collect();
        Ok((person.slot, ids))
    }

    /// Who is behind a pseudonym of the log. The answer is on record before it is given.
    ///
    /// # Errors
    /// [`Error::NotPermitted`], on record; [`Error::NotFound`]: nobody of this vault, or one who had no name.
    pub fn resolve(&mut self, who: &Who, pseudonym: Actor, reason: ResolveReason) -> Result<Person, Error> {
        let people = self.people_with_pseudonyms(who)?;
        let found = people.into_iter().find(|(_, actor)| *actor == Some(pseudonym));
        let (person, _) = found.ok_or_else(|| Error::NotFound { id: "of this pseudonym".into() })?;
        let (open, random, log) = self.parts(who, Act::Resolve)?;
        let resolved = Event::SlotResolved { slot: person.slot.into(), reason };
        log.append(&[resolved.by(who.actor)])?;
        open.cover(log, random)?;
        Ok(person)
    }

    fn people_with_pseudonyms(&self, who: &Who) -> Result<Vec<(Person, Option<Actor>)>, Error> {
        let vault = self.vault_of(who, Act::Resolve)?;
        let with_actor = |person: Person| {
            let actor = crate::who::pseudonym_of(vault, person.slot);
            (person, actor)
        };
        Ok(self.people(who)?.into_iter().map(with_actor).collect())
    }

    /// Somebody proves once more who they are: an open session does not spare it.
    fn prove(&mut self, who: &Who, proof: &Secret, act: Act) -> Result<SlotInfo, Error> {
        self.vault_of(who, act)?;
        let slot = self.authenticate(proof)?;
        match slot.id.0 == who.slot {
            true => Ok(slot),
            false => Err(vault::Error::WrongSecret.into()),
        }
    }

    /// What was made with the recovery code while there was one person is that person's.
    fn hand_over_from_recovery(&mut self, who: &Who) -> Result<(), Error> {
        let vault = self.vault_of(who, Act::ManagePeople)?;
        let code = vault.public().slots.into_iter().find(|slot| slot.kind == vault::SlotKind::Recovery);
        match code {
            Some(code) if !whose::of_slot(vault, code.id.0).is_empty() => {
                self.pass_on(who, code.id, who.slot)
            }
            _ => Ok(()),
        }
    }

    fn settle_pictures(
        &mut self,
        who: &Who,
        slot: SlotInfo,
        pictures: Option<&Pictures>,
    ) -> Result<(), Error> {
        let vault = self.vault_of(who, Act::ManagePeople)?;
        let ids: Vec<_> = whose::of_slot(vault, slot.id.0).into_iter().map(|entry| entry.id).collect();
        match pictures {
            _ if ids.is_empty() => Ok(()),
            None => Err(Error::PicturesUndecided { count: ids.len() }),
            Some(Pictures::Keep) => self.record_left(who, slot.id, Left::Kept, 0),
            Some(Pictures::HandOver(name)) => {
                let to = vault.slot_of(name)?;
                if to.id == slot.id || !to.role.opens_objects() {
                    let what = "pictures are handed over to somebody else who may see pictures";
                    return Err(vault::Error::Limit(what).into());
                }
                self.pass_on(who, slot.id, to.id.0)
            }
            Some(Pictures::Erase) => {
                self.erase_as(who, Act::ManagePeople, &ids)?;
                self.record_left(who, slot.id, Left::Erased, 0)
            }
        }
    }

    /// On record first: a crash behind it leaves the pictures whose they were, and the act can be done again.
    fn pass_on(&mut self, who: &Who, from: SlotId, to: u16) -> Result<(), Error> {
        let mut handed_over = HandedOver::of(self.vault_of(who, Act::ManagePeople)?);
        handed_over.add(from.0, to)?;
        self.record_left(who, from, Left::HandedOver, to)?;
        let (open, random, log) = self.parts(who, Act::ManagePeople)?;
        handed_over.remember(&mut open.vault)?;
        open.cover(log, random)
    }

    fn record_left(&mut self, who: &Who, slot: SlotId, left: Left, to: u16) -> Result<(), Error> {
        let (_, _, log) = self.parts(who, Act::ManagePeople)?;
        let event = Event::SlotPictures { slot: slot.0.into(), left, to: to.into() };
        log.append(&[event.by(who.actor)])?;
        Ok(())
    }
}
