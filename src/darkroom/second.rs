//! The second person: an act that waits is put on record and sealed, and an admin other than who asked confirms or refuses it.
//!
//! Confirmed, it is done by the functions that do it where nobody else is needed. That it waits ends with the vault's own record
//! of what it does: a crash leaves it done, or waiting.

use crate::holds::Holds;
use crate::pending::{MARK_RESETS, Meant, Pending, Resets, pictures_of, role_at, take_back};
use crate::rights::Act;
use crate::roles::count_admins;
use crate::room::Darkroom;
use crate::step::{After, reach};
use crate::{Destroyed, Erased, Error, Person, Refusal, Removed, Who};
use audit::words::{Lapse, Left, RequestRefusal, ResolveReason, Role, SecondAct};
use audit::{Actor, Event};
use serde_json::{Value, json};
use vault::{PersonName, Secret, SlotId, Vault};

/// An act that waits for a second admin.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Number of its record, by which it is confirmed or refused.
    pub number: u64,
    /// What.
    pub act: SecondAct,
    /// Who asked for it.
    pub by: Option<PersonName>,
    /// Whether that is the one who asks now.
    pub is_own: bool,
    /// When, and until when it waits, in milliseconds since 1970.
    pub asked_ms: u64,
    /// See there.
    pub until_ms: u64,
    /// The slot that it is about; 0 for nobody's, or everybody's.
    pub slot: u16,
    /// Who that is.
    pub of: Option<PersonName>,
    /// How many pictures of theirs it is about; of everybody, where the vault goes.
    pub pictures: usize,
    /// What becomes of the pictures of who is removed.
    pub left: Option<Left>,
    /// Whose they are then.
    pub to: Option<PersonName>,
    /// Whom a pseudonym is of, and why that is asked.
    pub pseudonym: Option<(Actor, ResolveReason)>,
    /// The role that is given.
    pub role: Option<Role>,
}

impl Waiting {
    /// All that is known of it, for programs.
    pub fn facts(&self) -> Value {
        let name = |name: &Option<PersonName>| name.as_ref().map(|name| name.as_str().to_owned());
        json!({
            "number": self.number, "act": self.act.word(), "by": name(&self.by), "you": self.is_own,
            "asked_ms": self.asked_ms, "until_ms": self.until_ms, "slot": self.slot, "of": name(&self.of),
            "pictures": self.pictures, "left": self.left.map(Left::word), "to": name(&self.to),
            "pseudonym": self.pseudonym.map(|(pseudonym, _)| pseudonym.to_string()),
            "reason": self.pseudonym.map(|(_, reason)| reason.word()), "role": self.role.map(Role::word),
        })
    }
}

/// What was done when it was confirmed.
pub enum Confirmed {
    /// Who is behind the pseudonym.
    Resolved(Person),
    /// The pictures are gone; their names were these.
    Erased(Erased, Vec<String>),
    /// Somebody is removed, or what becomes of their pictures is said.
    Removed(Removed),
    /// The hold is ended.
    HoldEnded,
    /// The vault is no more.
    Destroyed(Box<Destroyed>),
    /// This slot has another role.
    RoleChanged(u16),
}

impl Darkroom {
    /// Lets an act go on that needs nobody else. Any other waits from here on, on record.
    ///
    /// # Errors
    /// [`Error::Waits`]; one admin alone cannot have it confirmed: refused, on record; [`Error::NoWord`]; as many wait as can;
    /// what vault and log say.
    pub(crate) fn ask_second(&mut self, who: &Who, act: Act, meant: Meant) -> Result<(), Error> {
        let vault = self.vault_of(who, act)?;
        if !meant.needs_second(self.two_person, who, vault) {
            // Before a role changes: what went with its asker does not come back with that.
            return self.drop_lapsed();
        }
        if count_admins(vault) < 2 {
            self.refuse(Some(who), RequestRefusal::Policy)?;
            return Err(Error::OneAdmin);
        }
        self.check_word(who)?;
        self.drop_changed()?;
        let hours = self.two_person_hours_max;
        let (asked_ms, asker) = (self.now_ms(), who.slot);
        let vault = self.vault_of(who, act)?;
        if let Some(Pending { number, asker, .. }) =
            Pending::all(vault).into_iter().find(|p| p.meant == meant)
        {
            return Err(match asker == who.slot {
                true => Error::Waits { number, hours },
                false => Error::WaitsForYou { number },
            });
        }
        let full =
            || vault::Error::Limit("as many acts as can wait for a second admin; confirm or refuse one");
        let tag = Pending::free_mark(vault).ok_or_else(full)?;
        let event = Event::ActAsked { act: meant.act(), slot: meant.slot().into(), target: meant.digest() };
        let (open, random, log) = self.parts(who, act)?;
        let number = log.append(&[event.by(who.actor)])?.seq_first;
        reach(After::Asked)?;
        open.cover_with_next(log)?;
        let pending = Pending { tag, number, asker, asked_ms, meant };
        open.vault.set_mark(tag, &pending.encode(), random)?;
        Err(Error::Waits { number, hours })
    }

    /// What waits for a second admin, oldest first.
    ///
    /// # Errors
    /// [`Error::NotPermitted`], on record; [`Error::Locked`].
    pub fn pending(&self, who: &Who) -> Result<Vec<Waiting>, Error> {
        let vault = self.vault_of(who, Act::SecondWord)?;
        let (hours, now_ms) = (self.two_person_hours_max, self.now_ms());
        let waits = |pending: &Pending| {
            pending.lapsed(vault, hours, now_ms).is_none() && is_current(pending.meant, vault)
        };
        let all = Pending::all(vault).into_iter().filter(waits);
        Ok(all.map(|pending| described(vault, who, &pending, hours)).collect())
    }

    /// How many acts wait for the word of `who`: none for those who have none. Whoever asks again and again is on no record for it.
    ///
    /// # Errors
    /// [`Error::Locked`].
    pub fn count_waiting(&self, who: &Who) -> Result<usize, Error> {
        let open = self.open_vault()?;
        open.admit(who)?;
        if who.permitted(Act::SecondWord, &open.vault).is_err() {
            return Ok(0);
        }
        Ok(self.pending(who)?.iter().filter(|waiting| !waiting.is_own).count())
    }

    /// Confirms what another admin asked for, and does exactly that. `proof` is the passphrase of who confirms.
    ///
    /// # Errors
    /// A wrong proof, on record; [`Error::NoPending`]; [`Error::OwnWord`], [`Error::NoWord`]; [`Error::TargetChanged`], after which
    /// it waits no longer; what the act says: whatever of it was not done waits still.
    pub fn confirm(&mut self, who: &Who, proof: &Secret, number: u64) -> Result<Confirmed, Error> {
        self.prove(who, proof, Act::SecondWord)?;
        self.check_waits(who, number)?;
        let pending = self.waiting(who, number)?;
        if pending.asker == who.slot {
            self.refuse(Some(who), RequestRefusal::Permission)?;
            return Err(Error::OwnWord);
        }
        self.check_word(who)?;
        self.end_old_key()?;
        let (act, target) = (pending.meant.act(), pending.meant.digest());
        let (open, _, log) = self.parts(who, Act::SecondWord)?;
        log.append(&[Event::ActConfirmed { asked: number, act, target }.by(who.actor)])?;
        reach(After::Confirmed)?;
        open.vault.remember(pending.tag, &[])?;
        let done = self.carry_out(who, pending.meant);
        if done.is_err()
            && let Ok((open, ..)) = self.open_parts()
        {
            take_back(&mut open.vault, pending.tag, &[], &pending.encode());
        }
        done
    }

    /// Whether that waits still. What has changed since it was asked for is dropped, on record.
    ///
    /// # Errors
    /// [`Error::NotPermitted`], on record; [`Error::NoPending`]; [`Error::TargetChanged`]; what vault and log say.
    pub fn check_waits(&mut self, who: &Who, number: u64) -> Result<(), Error> {
        self.vault_of(who, Act::SecondWord)?;
        match self.drop_changed()?.contains(&number) {
            true => Err(Error::TargetChanged),
            false => self.waiting(who, number).map(drop),
        }
    }

    /// As [`Darkroom::pending`]. What can be confirmed no more, since what it is about has changed, is dropped first, on record.
    ///
    /// # Errors
    /// As there; what vault and log say.
    pub fn pending_now(&mut self, who: &Who) -> Result<Vec<Waiting>, Error> {
        self.vault_of(who, Act::SecondWord)?;
        self.drop_changed()?;
        self.pending(who)
    }

    /// Refuses to end the vault under a program that goes on.
    pub(crate) fn check_confirmed_running(&self, who: &Who, number: u64) -> Result<(), Error> {
        let all = Pending::all(self.vault_of(who, Act::SecondWord)?);
        match all.iter().any(|pending| pending.number == number && pending.meant == Meant::Destroy) {
            true => {
                let text = "the vault is destroyed while no server runs: end it, and confirm then";
                Err(Refusal::new(RequestRefusal::Policy, text).into())
            }
            false => Ok(()),
        }
    }

    /// Refuses what another admin asked for, or takes back what one asked for oneself.
    ///
    /// # Errors
    /// As [`Darkroom::check_waits`]; what vault and log say, after which it may wait still.
    pub fn refuse_pending(&mut self, who: &Who, number: u64) -> Result<(), Error> {
        self.check_waits(who, number)?;
        let Pending { tag, meant, .. } = self.waiting(who, number)?;
        let (open, random, log) = self.parts(who, Act::SecondWord)?;
        log.append(&[Event::ActRefused { asked: number, act: meant.act() }.by(who.actor)])?;
        open.cover_with_next(log)?;
        open.vault.set_mark(tag, &[], random)?;
        Ok(())
    }

    /// What waits no longer, because of its time or because of who asked, is dropped, on record.
    ///
    /// # Errors
    /// What vault and log say.
    pub(crate) fn drop_lapsed(&mut self) -> Result<(), Error> {
        let (hours, now_ms) = (self.two_person_hours_max, self.now_ms());
        let vault = &self.open_vault()?.vault;
        let why = |pending: Pending| pending.lapsed(vault, hours, now_ms).map(|lapse| (pending, lapse));
        let lapsed: Vec<(Pending, Lapse)> = Pending::all(vault).into_iter().filter_map(why).collect();
        lapsed.iter().try_for_each(|(pending, lapse)| self.drop_pending(pending, *lapse))
    }

    /// What is about something that is not as it was when it was asked for is dropped, on record: the numbers of those.
    fn drop_changed(&mut self) -> Result<Vec<u64>, Error> {
        self.drop_lapsed()?;
        let vault = &self.open_vault()?.vault;
        let changed: Vec<Pending> =
            Pending::all(vault).into_iter().filter(|pending| !is_current(pending.meant, vault)).collect();
        changed.iter().try_for_each(|pending| self.drop_pending(pending, Lapse::Target))?;
        Ok(changed.iter().map(|pending| pending.number).collect())
    }

    /// The mark in which the vault remembers that the recovery code has set the passphrase of this slot, as it is and as it will be.
    pub(crate) fn reset_mark(&self, slot: SlotId) -> Result<(Vec<u8>, Vec<u8>), Error> {
        let (vault, now_ms) = (&self.open_vault()?.vault, self.now_ms());
        let before = vault.mark(MARK_RESETS).unwrap_or_default().to_vec();
        Ok((before, Resets::of(vault, self.two_person_hours_max, now_ms).with(slot.0, now_ms)))
    }

    fn carry_out(&mut self, who: &Who, meant: Meant) -> Result<Confirmed, Error> {
        Ok(match meant {
            Meant::Resolve(pseudonym, reason) => Confirmed::Resolved(self.tell(who, pseudonym, reason)?),
            Meant::Erase { slot, .. } => {
                let names = self.names_at(who, slot)?;
                Confirmed::Erased(self.erase_at(who, slot)?, names)
            }
            Meant::Remove { slot, left, .. } => Confirmed::Removed(self.remove_at(who, slot, left)?),
            Meant::EndHold { slot, .. } => {
                self.end_hold_at(who, slot)?;
                Confirmed::HoldEnded
            }
            Meant::Destroy => Confirmed::Destroyed(Box::new(self.destroy_all(who)?)),
            Meant::Role { slot, role } => {
                self.give_role(who, slot, role)?;
                Confirmed::RoleChanged(slot)
            }
        })
    }

    fn waiting(&mut self, who: &Who, number: u64) -> Result<Pending, Error> {
        self.drop_lapsed()?;
        let all = Pending::all(self.vault_of(who, Act::SecondWord)?);
        all.into_iter().find(|pending| pending.number == number).ok_or(Error::NoPending { number })
    }

    fn drop_pending(&mut self, pending: &Pending, reason: Lapse) -> Result<(), Error> {
        let (open, random, log) = self.open_parts()?;
        let event = Event::ActLapsed { asked: pending.number, act: pending.meant.act(), reason };
        log.append(&[event.by_system()])?;
        open.cover_with_next(log)?;
        open.vault.set_mark(pending.tag, &[], random)?;
        Ok(())
    }

    /// Refuses, on record, whose passphrase the recovery code has set lately: whoever has that code could be two people.
    fn check_word(&mut self, who: &Who) -> Result<(), Error> {
        let (hours, vault) = (self.two_person_hours_max, &self.open_vault()?.vault);
        match Resets::of(vault, hours, self.now_ms()).until_ms(who.slot, hours) {
            None => Ok(()),
            Some(until_ms) => {
                self.refuse(Some(who), RequestRefusal::Permission)?;
                Err(Error::NoWord { until: audit::timestamp(until_ms) })
            }
        }
    }
}

/// Whether what it is about is as it was when it was asked for.
fn is_current(meant: Meant, vault: &Vault) -> bool {
    match meant {
        Meant::Resolve(..) | Meant::Destroy => true,
        Meant::Erase { slot, pictures } => pictures_of(vault, slot) == pictures,
        Meant::Remove { slot, left, pictures } => {
            let has_heir = match left {
                Some((Left::HandedOver, to)) => role_at(vault, to).is_some(),
                _ => true,
            };
            has_heir && pictures_of(vault, slot) == pictures
        }
        Meant::EndHold { slot, since_ms } => Holds::of(vault).since_ms(slot) == Some(since_ms),
        Meant::Role { slot, role } => role_at(vault, slot).is_some_and(|has| has != role),
    }
}

fn described(vault: &Vault, who: &Who, pending: &Pending, hours: u64) -> Waiting {
    let people = vault.people();
    let name = |slot: u16| people.iter().find(|person| person.slot.0 == slot)?.name.clone();
    let Pending { number, asker, asked_ms, meant, .. } = *pending;
    let mut waiting = Waiting {
        number,
        act: meant.act(),
        by: name(asker),
        is_own: asker == who.slot,
        asked_ms,
        until_ms: pending.until_ms(hours),
        slot: meant.slot(),
        of: name(meant.slot()),
        pictures: 0,
        left: None,
        to: None,
        pseudonym: None,
        role: None,
    };
    match meant {
        Meant::Resolve(pseudonym, reason) => waiting.pseudonym = Some((pseudonym, reason)),
        Meant::Remove { left: Some((left, to)), .. } => (waiting.left, waiting.to) = (Some(left), name(to)),
        Meant::Role { role, .. } => waiting.role = Some(role),
        Meant::Destroy => waiting.pictures = vault.list().len(),
        _ => {}
    }
    if matches!(meant, Meant::Erase { .. } | Meant::Remove { .. }) {
        waiting.pictures = crate::whose::of_slot(vault, meant.slot()).len();
    }
    waiting
}
