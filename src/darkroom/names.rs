//! The period after which nobody can tell any more who is behind the pseudonym of somebody who was removed, where the policy sets
//! one: their name and the salt of their pseudonym are destroyed. The log stays as it is, and verifies.
//!
//! A name stays while a legal hold is about its person or about everybody, while pictures of theirs are kept, and while an act that is
//! about them waits for a second admin: each is ended by that name.

use crate::behind::{Behind, note_removed, remember, set_back};
use crate::erase::append_all;
use crate::error::vault_failure;
use crate::holds::Holds;
use crate::moment::Moment;
use crate::pending::{Meant, Pending};
use crate::period::end_ms;
use crate::reconcile::Late;
use crate::rights::Act;
use crate::room::{Darkroom, grade};
use crate::step::{After, reach};
use crate::who::pseudonym_of;
use crate::{Error, Who, whose};
use audit::{Actor, Digest, Entry, Event, JobId, KnownBackup, OpenIntent, Order, Receipt};
use std::collections::BTreeMap;
use vault::{Forgotten, Grade, SlotId, State, Vault};

/// Names that are past their period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamesDue {
    /// The period, in days.
    pub days: u32,
    /// The slots of those that are destroyed for it.
    pub slots: Vec<u16>,
    /// Of those that are past it, too, and stay: a hold or an act that waits is about them, or pictures of theirs are kept.
    pub kept: Vec<u16>,
}

/// Names that are destroyed.
#[derive(Debug)]
pub struct NamesDestroyed {
    /// The slots of who had them.
    pub slots: Vec<u16>,
    /// What overwriting the key was worth.
    pub grade: Grade,
    /// An earlier copy of the vault file could not be removed.
    pub cleanup_pending: bool,
    /// Backups that may exist, each of which may still hold them.
    pub backups: Vec<KnownBackup>,
    /// The records, and the checkpoint that signs them.
    pub receipt: Option<Receipt>,
}

impl Darkroom {
    /// Names that are past their period; `None` without one.
    ///
    /// # Errors
    /// [`Error::NotPermitted`], on record; [`Error::Locked`]; the log cannot be read.
    pub fn names_due(&self, who: &Who) -> Result<Option<NamesDue>, Error> {
        self.vault_of(who, Act::Retain)?;
        self.names_past()
    }

    /// Destroys them, as `who` asks for. `None`: there are none.
    ///
    /// # Errors
    /// [`Error::NotPermitted`], on record; [`Error::ClockMoved`]; what vault and log say. [`vault::Error::Unfinished`]: the next unlock
    /// finishes it. [`Error::Unrecorded`]: they are destroyed, and the next unlock records it.
    pub fn retain_names(&mut self, who: &Who) -> Result<Option<NamesDestroyed>, Error> {
        self.vault_of(who, Act::Retain)?;
        self.destroy_names(who.actor)
    }

    /// The same by the program itself, while the vault is open.
    ///
    /// # Errors
    /// As there.
    pub fn retain_names_by_itself(&mut self) -> Result<Option<NamesDestroyed>, Error> {
        if !self.is_open() {
            return Ok(None);
        }
        self.destroy_names(Actor::System)
    }

    fn names_past(&self) -> Result<Option<NamesDue>, Error> {
        let Some(days) = self.names_days_max else { return Ok(None) };
        let (vault, now_ms) = (&self.open_vault()?.vault, self.now_ms());
        let (holds, counts) = (Holds::of(vault), whose::counts(vault));
        let past = self.removals()?.into_iter().filter(|(_, ms)| end_ms(*ms, days) <= now_ms);
        let is_kept = |slot: &u16| {
            let is_held = [0, *slot].into_iter().any(|slot| holds.since_ms(slot).is_some());
            is_held || counts.contains_key(slot) || self.waits_for(vault, *slot)
        };
        let (kept, slots) = past.map(|(slot, _)| slot).partition(is_kept);
        Ok(Some(NamesDue { days, slots, kept }))
    }

    /// Whether an act that is about them waits for a second admin.
    fn waits_for(&self, vault: &Vault, slot: u16) -> bool {
        let (hours, now_ms, pseudonym) =
            (self.two_person_hours_max, self.now_ms(), pseudonym_of(vault, slot));
        let is_about = |meant| match meant {
            Meant::Resolve(asked, _) => Some(asked) == pseudonym,
            other => other.slot() == slot,
        };
        let mut waiting = Pending::all(vault).into_iter();
        waiting.any(|act| act.lapsed(vault, hours, now_ms).is_none() && is_about(act.meant))
    }

    /// When everybody was removed whose name is there still. Earlier versions did not note that: the log says it, and where its records
    /// do not go back as far, it was before the first of them.
    fn removals(&self) -> Result<BTreeMap<u16, u64>, Error> {
        let vault = &self.open_vault()?.vault;
        let gone = vault.people().into_iter().filter(|person| person.role.is_none());
        let (mut known, mut sought) = (BTreeMap::new(), Vec::new());
        for slot in gone.map(|person| person.slot.0) {
            match Behind::of(vault, slot) {
                Some(Behind::Gone(ms, _)) => drop(known.insert(slot, ms)),
                _ => sought.push(slot),
            }
        }
        if sought.is_empty() {
            return Ok(known);
        }
        let mut first_ms = self.now_ms();
        for record in audit::records(&self.folders.audit, Order::NewestFirst)? {
            let record = record?;
            first_ms = first_ms.min(record.ts_ms);
            let slot = record.int("slot").and_then(|slot| slot.try_into().ok());
            if record.name == "slot.removed"
                && let Some(at) = sought.iter().position(|sought| Some(*sought) == slot)
            {
                known.insert(sought.swap_remove(at), record.ts_ms);
                if sought.is_empty() {
                    break;
                }
            }
        }
        known.extend(sought.into_iter().map(|slot| (slot, first_ms)));
        Ok(known)
    }

    /// Notes for good what only the log told, so that it is not read for it again.
    fn note_removals(&mut self) -> Result<(), Error> {
        let removals = self.removals()?;
        let (open, random, log) = self.open_parts()?;
        let told = |vault: &Vault, slot: u16| matches!(Behind::of(vault, slot), Some(Behind::Gone(..)));
        let new: Vec<_> = removals.into_iter().filter(|(slot, _)| !told(&open.vault, *slot)).collect();
        if new.is_empty() {
            return Ok(());
        }
        for (slot, ms) in new {
            note_removed(&mut open.vault, slot, ms)?;
        }
        open.cover(log, random)
    }

    fn destroy_names(&mut self, actor: Actor) -> Result<Option<NamesDestroyed>, Error> {
        if self.names_days_max.is_none() {
            return Ok(None);
        }
        self.note_removals()?;
        let Some(NamesDue { days, slots, .. }) = self.names_past()?.filter(|due| !due.slots.is_empty())
        else {
            return Ok(None);
        };
        // A clock that is ahead would destroy what somebody has to be able to ask for.
        if self.clock_moved() {
            return Err(Error::ClockMoved);
        }
        self.end_old_key()?;
        let now_ms = self.now_ms();
        let (open, random, log) = self.open_parts()?;
        let jobs =
            slots.iter().map(|slot| Ok((*slot, JobId::random()?))).collect::<Result<Vec<_>, Error>>()?;
        let said = |event: &dyn Fn(u32) -> Event| -> Vec<Entry> {
            jobs.iter().map(|(slot, job)| event((*slot).into()).by(actor).job(*job)).collect()
        };
        append_all(log, &said(&|slot| Event::SlotNameDue { slot, days }))?;
        reach(After::Intent)?;
        open.cover_with_next(log)?;
        let before: Vec<_> = slots.iter().map(|slot| (*slot, Behind::of(&open.vault, *slot))).collect();
        for (slot, behind) in &before {
            remember(&mut open.vault, *slot, &Behind::destroyed(*behind, *slot, now_ms))?;
        }
        let ids: Vec<SlotId> = slots.iter().map(|slot| SlotId(*slot)).collect();
        let forgotten = open.vault.forget_names(&ids, random);
        let forgotten = match open.rolled(forgotten, log)? {
            Ok(forgotten) => forgotten,
            Err(error) => {
                for (slot, behind) in before {
                    set_back(&mut open.vault, slot, behind)?;
                }
                let reason = vault_failure(&error);
                let kept = said(&|slot| Event::SlotNameKept { slot, reason });
                append_all(log, &kept.into_iter().map(Entry::failed).collect::<Vec<_>>())?;
                return Err(error.into());
            }
        };
        reach(After::Rolled)?;
        let Forgotten { state, grade, cleanup_pending, .. } = forgotten;
        let receipt = match append_all(log, &said(&|slot| destroyed(slot, state, grade, cleanup_pending))) {
            Ok(receipts) => receipts.last().copied(),
            Err(Error::Log(source)) => {
                open.unsettled = true;
                let done = "the names that were past their period are destroyed for good".into();
                return Err(Error::Unrecorded { done, source });
            }
            Err(other) => return Err(other),
        };
        let backups = log.unfinished()?.backups;
        Ok(Some(NamesDestroyed { slots, grade, cleanup_pending, backups, receipt }))
    }

    /// What became of the name that a request without an outcome is about, by what the vault holds now.
    pub(crate) fn look_for_name(&mut self, intent: &OpenIntent) -> Result<Late, Error> {
        let (open, ..) = self.open_parts()?;
        let slot = intent.slot.and_then(|slot| u16::try_from(slot).ok());
        let Some(slot) =
            slot.filter(|slot| matches!(Behind::of(&open.vault, *slot), Some(Behind::Nameless(..))))
        else {
            return Ok((Vec::new(), audit::words::Found::Nothing, 0));
        };
        let cleanup_pending = open.vault.drop_old_heads().is_err();
        let event = destroyed(slot.into(), open.vault.state(), open.vault.grade(), cleanup_pending);
        Ok((vec![event.by(intent.actor).job(intent.job)], audit::words::Found::Done, 0))
    }

    /// Whether the wall clock was set since the program started, where a period depends on it.
    pub(crate) fn clock_moved(&self) -> bool {
        self.has_period() && self.began.has_moved(Moment::now(&self.clock))
    }

    /// Whether anything goes by itself after a while.
    pub fn has_period(&self) -> bool {
        self.picture_days_max.is_some() || self.names_days_max.is_some()
    }
}

fn destroyed(slot: u32, state: State, of: Grade, cleanup_pending: bool) -> Event {
    let State { epoch, seq, root } = state;
    Event::SlotNameDestroyed {
        slot,
        grade: grade(of),
        vault_epoch: epoch,
        vault_seq: seq,
        vault_root: Digest(root),
        cleanup_pending,
    }
}
