//! The people of a vault: who they are, who comes, who goes, and whose pictures are whose then.

use crate::joint::check_admin_holds;
use crate::pending::{Meant, pictures_of, role_at};
use crate::request::Refusal;
use crate::rights::Act;
use crate::roles::{Roles, count_admins};
use crate::room::Darkroom;
use crate::secret::Change;
use crate::whose::{self, HandedOver, person_of};
use crate::{Erased, Error, Role, Who, behind};
use audit::words::{Left, Proof, RequestRefusal, ResolveReason};
use audit::{Actor, Event};
use policy::TwoPerson;
use vault::{ObjectId, PersonName, Secret, SlotId, SlotInfo, Vault};

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

/// Somebody who is gone.
#[derive(Debug)]
pub struct Removed {
    /// Number of their slot.
    pub slot: u16,
    /// Their pictures, if these were erased, and the names of those.
    pub erased: Option<(Erased, Vec<String>)>,
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
        let counts = whose::counts(vault);
        let person = |person: vault::Person| Person {
            pictures: match person.name {
                Some(_) => counts.get(&person.slot.0).copied().unwrap_or_default(),
                None => vault.list().len(),
            },
            is_self: person.slot.0 == who.slot,
            slot: person.slot.0,
            role: role_at(vault, person.slot.0),
            name: person.name,
        };
        Ok(vault.people().into_iter().map(person).collect())
    }

    /// What somebody is called; `None` where nobody has a name.
    ///
    /// # Errors
    /// [`Error::Locked`].
    pub fn name_of(&self, who: &Who) -> Result<Option<PersonName>, Error> {
        let open = self.open_vault()?;
        open.admit(who)?;
        let people = open.vault.people();
        Ok(people.into_iter().find(|person| person.slot.0 == who.slot).and_then(|person| person.name))
    }

    /// Gives who asks a name, in a vault in which nobody has one. They are its first admin. `proof` is their passphrase, which
    /// stays, and so does the name.
    fn name_self(&mut self, who: &Who, proof: &Secret, name: &PersonName) -> Result<(), Error> {
        let slot = self.prove(who, proof, Act::ManagePeople)?;
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
    /// A wrong proof, on record; a weak passphrase; an admin where the policy asks for a second one's word: refused, on record; what
    /// [`vault::Vault::add_slot`] says of the name, and what vault and log say.
    pub fn add_person(
        &mut self,
        who: &Who,
        proof: &Secret,
        secret: &Secret,
        role: Role,
    ) -> Result<u16, Error> {
        self.prove(who, proof, Act::ManagePeople)?;
        secret.check_new()?;
        let of_vault = match role {
            Role::Admin => vault::Role::Admin,
            Role::Auditor => vault::Role::Auditor,
            Role::Operator => vault::Role::Operator,
            _ => return Err(vault::Error::Limit("nobody can be given this role").into()),
        };
        let vault = self.vault_of(who, Act::ManagePeople)?;
        if role == Role::Admin && self.two_person.needs(TwoPerson::Admin) && count_admins(vault) > 1 {
            self.refuse(Some(who), RequestRefusal::Policy)?;
            let text = "the policy asks for a second admin before somebody becomes one: add them as an operator, and change their \
                        role then, which waits for that; nothing was done";
            return Err(Refusal::new(RequestRefusal::Policy, text).into());
        }
        let slot = self.vault_of(who, Act::ManagePeople)?.free_slot();
        let number = slot.as_ref().map_or(0, |slot| slot.0);
        self.change(
            who,
            Act::ManagePeople,
            Proof::Passphrase,
            slot,
            Change::Added(role),
            |vault, kdf, random| Ok((vault.add_slot(of_vault, secret, kdf, random)?, ())),
        )?;
        Ok(number)
    }

    /// The same, after giving who asks a name if nobody has one yet.
    ///
    /// # Errors
    /// As there; [`vault::Error::NameNeeded`] if there is no name to give.
    pub fn add_person_named(
        &mut self,
        who: &Who,
        proof: &Secret,
        own_name: Option<&PersonName>,
        secret: &Secret,
        role: Role,
    ) -> Result<u16, Error> {
        if !self.vault_of(who, Act::ManagePeople)?.has_names() {
            // A vault with names is of another format: it is not made one for an addition that cannot be.
            secret.check_new()?;
            let own_name = own_name.ok_or(vault::Error::NameNeeded)?;
            secret.check_names(own_name)?;
            self.vault_of(who, Act::ManagePeople)?.free_slot()?;
            self.name_self(who, proof, own_name)?;
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

    /// Removes somebody: their passphrase opens nothing afterwards, neither this vault nor an older copy of it, and their
    /// pictures become what `pictures` says, together with that; it must say something if there are any. Of somebody who is
    /// gone already, only the pictures that were kept. The sessions and requests of who was removed are to end.
    ///
    /// # Errors
    /// A wrong proof, on record; [`vault::Error::UnknownName`]; [`Error::LastAdmin`]; [`Error::PicturesUndecided`]; [`Error::Waits`];
    /// what vault and log say. Pictures that were to be erased are then gone or not, as their own records say.
    pub fn remove_person(
        &mut self,
        who: &Who,
        proof: &Secret,
        name: &PersonName,
        pictures: Option<&Pictures>,
    ) -> Result<Removed, Error> {
        self.prove(who, proof, Act::ManagePeople)?;
        let act = Act::ManagePeople;
        let vault = self.vault_of(who, act)?;
        let person = person_of(vault, name)?;
        check_not_last(vault, person.slot)?;
        vault.check_not_second_last(person.slot)?;
        let to = match pictures {
            Some(Pictures::HandOver(name)) => Some(heir(vault, person.slot, name)?),
            _ => None,
        };
        let ids = ids_of(vault, person.slot);
        let left = match (pictures, to) {
            _ if ids.is_empty() => None,
            (None, _) => return Err(Error::PicturesUndecided { count: ids.len() }),
            (Some(Pictures::Erase), _) => Some((Left::Erased, 0)),
            (_, Some(to)) => Some((Left::HandedOver, to.0)),
            (Some(_), None) => Some((Left::Kept, 0)),
        };
        let (slot, pictures) = (person.slot.0, pictures_of(vault, person.slot.0));
        self.ask_second(who, act, Meant::Remove { slot, left, pictures })?;
        self.remove_at(who, slot, left)
    }

    /// The same, of this slot, once nobody else is needed for it.
    pub(crate) fn remove_at(
        &mut self,
        who: &Who,
        slot: u16,
        left: Option<(Left, u16)>,
    ) -> Result<Removed, Error> {
        let act = Act::ManagePeople;
        self.end_old_key()?;
        let vault = self.vault_of(who, act)?;
        check_not_last(vault, SlotId(slot))?;
        vault.check_not_second_last(SlotId(slot))?;
        let role = role_at(vault, slot);
        let erased = match left {
            Some((Left::Erased, _)) => {
                let (ids, names) = ids_and_names_of(vault, slot);
                Some((self.erase_as(who, act, &ids)?, names))
            }
            _ => None,
        };
        match role {
            Some(role) => self.remove(who, SlotId(slot), role, left)?,
            None => self.settle_kept(who, SlotId(slot), left)?,
        }
        self.end_asked();
        Ok(Removed { slot, erased })
    }

    /// Gives somebody another role: what they may do changes at once, and what they are signed in for ends. Their slot, whose role is
    /// to change so that its sessions and requests end.
    ///
    /// # Errors
    /// A wrong proof, on record; [`vault::Error::UnknownName`]; [`Error::LastAdmin`]; [`Error::Waits`]; a role that cannot be given, or
    /// that they have; what vault and log say.
    pub fn set_role(
        &mut self,
        who: &Who,
        proof: &Secret,
        name: &PersonName,
        role: Role,
    ) -> Result<u16, Error> {
        self.prove(who, proof, Act::ManagePeople)?;
        let vault = self.vault_of(who, Act::ManagePeople)?;
        let slot = vault.slot_of(name)?.id.0;
        check_given(vault, slot, role)?;
        self.ask_second(who, Act::ManagePeople, Meant::Role { slot, role })?;
        self.give_role(who, slot, role)?;
        Ok(slot)
    }

    /// The same, of this slot, once nobody else is needed for it. It is on record before it holds.
    pub(crate) fn give_role(&mut self, who: &Who, slot: u16, role: Role) -> Result<(), Error> {
        // Before it changes: a token that went with a role does not come back with it.
        self.end_tokens()?;
        let vault = self.vault_of(who, Act::ManagePeople)?;
        let was = check_given(vault, slot, role)?;
        let mut roles = Roles::of(vault);
        roles.give(slot, role, |slot| vault.has_slot(SlotId(slot)));
        let (open, random, log) = self.parts(who, Act::ManagePeople)?;
        let changed = |role, was| Event::SlotRoleChanged { slot: slot.into(), role, was }.by(who.actor);
        log.append(&[changed(role, was)])?;
        open.set_recorded(log, random, (Roles::MARK, &roles.encode()), changed(was, role))?;
        self.end_asked();
        Ok(())
    }

    /// What somebody had asked for who cannot any more waits no longer, and their tokens end. The removal is done: a log or vault that fails here fails the
    /// next act, and nothing of the kind can be confirmed.
    fn end_asked(&mut self) {
        let _ = self.drop_lapsed();
        let _ = self.end_tokens(); // they open nothing, whether or not this is on record yet
    }

    /// The removal, and whose the pictures are from then on, in one record of the vault.
    fn remove(
        &mut self,
        who: &Who,
        slot: SlotId,
        role: Role,
        left: Option<(Left, u16)>,
    ) -> Result<(), Error> {
        let (act, now_ms) = (Act::ManagePeople, self.now_ms());
        let (open, ..) = self.parts(who, act)?;
        let before = HandedOver::of(&open.vault);
        if let Some((Left::HandedOver, to)) = left {
            let mut handed_over = HandedOver::of(&open.vault);
            handed_over.add(slot.0, to)?;
            handed_over.remember(&mut open.vault)?; // with the roll that removes the slot
        }
        let before_mark = behind::note_removed(&mut open.vault, slot.0, now_ms)?;
        let removed = Change::Removed { role, left };
        let done = self.change(who, act, Proof::Passphrase, Ok(slot), removed, |vault, _, random| {
            Ok((vault.remove_slot(slot, random)?, ()))
        });
        // Who stays keeps their pictures.
        if let Ok((open, ..)) = self.open_parts()
            && open.vault.has_slot(slot)
        {
            before.remember(&mut open.vault)?;
            behind::set_back(&mut open.vault, slot.0, before_mark)?;
        }
        done
    }

    /// What becomes of pictures that were kept when their person went.
    fn settle_kept(&mut self, who: &Who, slot: SlotId, left: Option<(Left, u16)>) -> Result<(), Error> {
        let Some(said) = left else { return Ok(()) };
        let (open, random, log) = self.parts(who, Act::ManagePeople)?;
        if let (Left::HandedOver, to) = said {
            let mut handed_over = HandedOver::of(&open.vault);
            handed_over.add(slot.0, to)?;
            open.cover_with_next(log)?;
            handed_over.set(&mut open.vault, random)?;
        }
        self.record_left(who, slot, said)
    }

    /// Destroys the keys of all pictures of somebody, who may be gone.
    ///
    /// # Errors
    /// [`Error::NotPermitted`], on record; [`vault::Error::UnknownName`]; [`Error::Waits`]; those of [`Darkroom::erase`].
    pub fn erase_of(&mut self, who: &Who, name: &PersonName) -> Result<Erased, Error> {
        let vault = self.vault_of(who, Act::ErasePictures)?;
        let slot = person_of(vault, name)?.slot.0;
        let pictures = pictures_of(vault, slot);
        self.ask_second(who, Act::ErasePictures, Meant::Erase { slot, pictures })?;
        self.erase_at(who, slot)
    }

    /// The same, of this slot, once nobody else is needed for it.
    pub(crate) fn erase_at(&mut self, who: &Who, slot: u16) -> Result<Erased, Error> {
        let ids = ids_of(self.vault_of(who, Act::ErasePictures)?, SlotId(slot));
        let erased = self.erase_as(who, Act::ErasePictures, &ids)?;
        self.record_left(who, SlotId(slot), (Left::Erased, 0))?;
        Ok(erased)
    }

    /// The names of all pictures of somebody, who may be gone.
    ///
    /// # Errors
    /// As [`Darkroom::erase_of`].
    pub fn names_of(&self, who: &Who, name: &PersonName) -> Result<Vec<String>, Error> {
        let slot = person_of(self.vault_of(who, Act::ErasePictures)?, name)?.slot;
        self.names_at(who, slot.0)
    }

    /// The same, of this slot.
    pub(crate) fn names_at(&self, who: &Who, slot: u16) -> Result<Vec<String>, Error> {
        Ok(ids_and_names_of(self.vault_of(who, Act::ErasePictures)?, slot).1)
    }

    /// Who is behind a pseudonym of the log. The answer is on record before it is given.
    ///
    /// # Errors
    /// [`Error::NotPermitted`], on record; [`Error::UnknownPseudonym`], on record: nobody of this vault;
    /// [`Error::NameDestroyed`], on record; [`Error::Waits`].
    pub fn resolve(&mut self, who: &Who, pseudonym: Actor, reason: ResolveReason) -> Result<Person, Error> {
        self.ask_second(who, Act::Resolve, Meant::Resolve(pseudonym, reason))?;
        self.tell(who, pseudonym, reason)
    }

    /// The same, once nobody else is needed for it.
    pub(crate) fn tell(
        &mut self,
        who: &Who,
        pseudonym: Actor,
        reason: ResolveReason,
    ) -> Result<Person, Error> {
        let vault = self.vault_of(who, Act::Resolve)?;
        let is_theirs = |person: &Person| crate::who::pseudonym_of(vault, person.slot) == Some(pseudonym);
        let found = self.people(who)?.into_iter().find(is_theirs);
        let nameless = behind::nameless(vault, pseudonym);
        let (open, random, log) = self.parts(who, Act::Resolve)?;
        let gone = nameless.map_or(0, |(slot, _)| slot);
        let slot = found.as_ref().map_or(gone, |person| person.slot).into();
        let asked = Event::SlotResolved { slot, reason }.by(who.actor);
        log.append(&[if found.is_some() { asked } else { asked.failed() }])?;
        open.cover(log, random)?;
        found.ok_or_else(|| behind::unknown(nameless))
    }

    /// Somebody proves once more who they are: an open session does not spare it.
    pub(crate) fn prove(&mut self, who: &Who, proof: &Secret, act: Act) -> Result<SlotInfo, Error> {
        self.vault_of(who, act)?;
        let slot = self.authenticate(proof)?;
        match slot.id.0 == who.slot {
            true => Ok(slot),
            false => Err(vault::Error::WrongSecret.into()),
        }
    }

    fn record_left(&mut self, who: &Who, slot: SlotId, (left, to): (Left, u16)) -> Result<(), Error> {
        let (_, _, log) = self.parts(who, Act::ManagePeople)?;
        let event = Event::SlotPictures { slot: slot.0.into(), left, to: to.into() };
        log.append(&[event.by(who.actor)])?;
        Ok(())
    }
}

/// Somebody must be able to manage people.
fn check_not_last(vault: &Vault, slot: SlotId) -> Result<(), Error> {
    let is_admin = role_at(vault, slot.0) == Some(Role::Admin);
    match vault.has_slot(slot) && count_admins(vault) <= usize::from(is_admin) {
        true => Err(Error::LastAdmin),
        false if is_admin => check_admin_holds(vault, slot),
        false => Ok(()),
    }
}

/// What they might do before. An auditor's passphrase opens other keys than those of the others, so it stays an auditor's.
fn check_given(vault: &Vault, slot: u16, role: Role) -> Result<Role, Error> {
    let was = role_at(vault, slot).ok_or(vault::Error::UnknownName)?;
    if ![was, role].iter().all(|role| matches!(role, Role::Operator | Role::Admin)) {
        let what = "an auditor's passphrase opens other keys, so the role is changed between operator and admin alone: remove them, \
                    and add them under another name";
        return Err(vault::Error::Limit(what).into());
    }
    match was == role {
        true => Err(vault::Error::Limit("this is their role already").into()),
        false if was == Role::Admin => check_not_last(vault, SlotId(slot)).map(|()| was),
        false => Ok(was),
    }
}

/// Whose the pictures of a slot can be: somebody else's, who may see pictures.
fn heir(vault: &Vault, from: SlotId, name: &PersonName) -> Result<SlotId, Error> {
    let to = vault.slot_of(name)?;
    match to.id != from && to.role.opens_objects() {
        true => Ok(to.id),
        false => {
            let what = "pictures are handed over to somebody else who may see pictures";
            Err(vault::Error::Limit(what).into())
        }
    }
}

fn ids_of(vault: &Vault, slot: SlotId) -> Vec<ObjectId> {
    ids_and_names_of(vault, slot.0).0
}

fn ids_and_names_of(vault: &Vault, slot: u16) -> (Vec<ObjectId>, Vec<String>) {
    whose::of_slot(vault, slot).into_iter().map(|entry| (entry.id, entry.name.clone())).unzip()
}
