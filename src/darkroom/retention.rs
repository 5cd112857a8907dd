//! The period after which pictures go by themselves, where the policy sets one. When each of them goes is told from its first
//! day on; what a legal hold keeps stays.

use crate::holds::Holds;
use crate::moment::Moment;
use crate::period::{Periods, end_ms};
use crate::request::Refusal;
use crate::rights::Act;
use crate::room::Darkroom;
use crate::{Erased, Error, Who};
use audit::words::RequestRefusal;
use audit::{Actor, Due as DueRecords, Event, Receipt};
use vault::ObjectId;

/// Reason code in tombstones: the period was over.
const REASON_PERIOD: u16 = 3;

/// What is past its period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The period, in days.
    pub days: u32,
    /// How many pictures are erased for it.
    pub pictures: usize,
    /// How many more are past it, and a hold keeps them.
    pub held: usize,
}

impl Darkroom {
    /// What is past its period; `None` without one.
    ///
    /// # Errors
    /// [`Error::NotPermitted`], on record; [`Error::Locked`].
    pub fn due(&self, who: &Who) -> Result<Option<Due>, Error> {
        self.vault_of(who, Act::Retain)?;
        Ok(self.past_period()?.map(|(due, _)| due))
    }

    /// Erases what is past its period, as `who` asks for.
    ///
    /// # Errors
    /// As [`Darkroom::erase`]; [`Error::ClockMoved`].
    pub fn retain(&mut self, who: &Who) -> Result<Option<Erased>, Error> {
        self.vault_of(who, Act::Retain)?;
        self.erase_past_period(who.actor)
    }

    /// The same by the program itself, while the vault is open.
    ///
    /// # Errors
    /// As there.
    pub fn retain_by_itself(&mut self) -> Result<Option<Erased>, Error> {
        if !self.is_open() {
            return Ok(None);
        }
        self.erase_past_period(Actor::System)
    }

    /// Which records of the log are older than so many days, and may go.
    ///
    /// # Errors
    /// As [`Darkroom::due`]; what the log says.
    pub fn due_records(&self, who: &Who, days: u32) -> Result<DueRecords, Error> {
        self.vault_of(who, Act::Retain)?;
        Ok(self.log.due(days)?)
    }

    /// Prunes exactly those.
    ///
    /// # Errors
    /// As there; [`Error::ClockMoved`]; a legal hold stands: refused, on record. Whoever set one does not know which records it needs.
    pub fn prune_records(&mut self, who: &Who, due: DueRecords) -> Result<Receipt, Error> {
        if Holds::of(self.vault_of(who, Act::Retain)?).stand() {
            let reason = RequestRefusal::Hold;
            self.refuse(Some(who), reason)?;
            return Err(Refusal::new(reason, "a legal hold stands; nothing was pruned").into());
        }
        // A clock that is ahead would take away what must be kept.
        if self.began.has_moved(Moment::now(&self.clock)) {
            return Err(Error::ClockMoved);
        }
        Ok(self.log.prune(who.actor, due)?)
    }

    fn erase_past_period(&mut self, actor: Actor) -> Result<Option<Erased>, Error> {
        let Some((due, ids)) = self.past_period()?.filter(|(due, _)| due.pictures > 0) else {
            return Ok(None);
        };
        // A clock that is ahead would erase what nobody wants gone, for good.
        if self.clock_moved() {
            return Err(Error::ClockMoved);
        }
        self.end_old_key()?;
        let begun = Event::RetentionBegun { days: due.days, count: ids.len() as u64 };
        self.destroy(actor, &ids, REASON_PERIOD, Some(begun)).map(Some)
    }

    fn past_period(&self) -> Result<Option<(Due, Vec<ObjectId>)>, Error> {
        let Some(days) = self.picture_days_max else { return Ok(None) };
        let (vault, now_ms) = (&self.open_vault()?.vault, self.now_ms());
        let periods = Periods::of(vault, Some(days));
        let past = vault.list().filter(|entry| end_ms(entry.created_ms, days) <= now_ms);
        let (held, due): (Vec<_>, Vec<_>) = past.partition(|entry| periods.is_held(entry));
        let ids: Vec<ObjectId> = due.iter().map(|entry| entry.id).collect();
        Ok(Some((Due { days, pictures: ids.len(), held: held.len() }, ids)))
    }
}
