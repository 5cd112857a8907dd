//! Legal holds: while one stands, no picture that it is about is erased, by whomever it was asked for.

use crate::pending::Meant;
use crate::request::Refusal;
use crate::rights::Act;
use crate::room::Darkroom;
use crate::whose::{self, HandedOver, person_of};
use crate::{Error, Who};
use audit::Event;
use audit::words::{HoldReason, RequestRefusal};
use vault::{ObjectInfo, PersonName, Random, Vault};

/// Bytes of one.
const HOLD_BYTES: usize = 11;
/// Holds that stand at a time, in one mark.
const HOLDS_MAX: usize = vault::MARK_BYTES_MAX / HOLD_BYTES;
/// The reasons as they are stored.
const REASONS: [HoldReason; 4] =
    [HoldReason::Litigation, HoldReason::Investigation, HoldReason::Order, HoldReason::Audit];

/// A hold that stands.
#[derive(Clone, Debug)]
pub struct Held {
    /// The slot whose pictures it keeps, made by it or its own now; 0 for everybody's.
    pub slot: u16,
    /// Who that is; `None` for everybody.
    pub name: Option<PersonName>,
    /// Why.
    pub reason: HoldReason,
    /// Since when, in milliseconds since 1970.
    pub since_ms: u64,
    /// How many pictures it keeps now.
    pub pictures: usize,
}

/// One as it is stored.
#[derive(Clone, Copy)]
struct Hold {
    slot: u16,
    reason: HoldReason,
    since_ms: u64,
}

/// Those that stand.
pub(crate) struct Holds(Vec<Hold>);

impl Holds {
    /// The vault's mark with them: slot 2 (0 for everybody's pictures), reason 1, since 8 (ms since 1970) each.
    pub const MARK: u8 = 4;

    pub fn of(vault: &Vault) -> Self {
        Self::parse(vault.mark(Self::MARK))
    }

    /// Those of a mark.
    pub fn parse(mark: Option<&[u8]>) -> Self {
        let one = |bytes: &[u8]| {
            let (slot, rest) = bytes.split_first_chunk()?;
            let (reason, since) = rest.split_first()?;
            Some(Hold {
                slot: u16::from_be_bytes(*slot),
                reason: *REASONS.get(usize::from(*reason))?,
                since_ms: u64::from_be_bytes(since.try_into().ok()?),
            })
        };
        Self(mark.unwrap_or_default().chunks(HOLD_BYTES).filter_map(one).collect())
    }

    /// Now, durably, or not at all.
    fn set(&self, vault: &mut Vault, random: &mut dyn Random) -> Result<(), Error> {
        Ok(vault.set_mark(Self::MARK, &self.encode(), random).map(drop)?)
    }

    /// Since when the one of this slot stands.
    pub fn since_ms(&self, slot: u16) -> Option<u64> {
        self.0.iter().find(|hold| hold.slot == slot).map(|hold| hold.since_ms)
    }

    /// Whether any stands.
    pub fn stand(&self) -> bool {
        !self.0.is_empty()
    }

    /// Whether one of them keeps this picture.
    pub fn keep(&self, entry: &ObjectInfo, handed_over: &HandedOver) -> bool {
        self.0.iter().any(|hold| hold.keeps(entry, handed_over))
    }

    /// One that is on record as set, or as ended.
    pub fn replay(&mut self, slot: u16, hold: Option<(HoldReason, u64)>) {
        self.0.retain(|known| known.slot != slot);
        self.0.extend(hold.map(|(reason, since_ms)| Hold { slot, reason, since_ms }));
    }

    /// The bytes of the mark.
    pub fn encode(&self) -> Vec<u8> {
        let bytes = |hold: &Hold| {
            let reason = REASONS.iter().position(|reason| *reason == hold.reason).unwrap_or_default() as u8;
            [&hold.slot.to_be_bytes()[..], &[reason], &hold.since_ms.to_be_bytes()].concat()
        };
        self.0.iter().flat_map(bytes).collect()
    }
}

impl Hold {
    /// Whether it keeps this picture: by who made it and by whose it is now.
    fn keeps(&self, entry: &ObjectInfo, handed_over: &HandedOver) -> bool {
        self.slot == 0
            || whose::maker(entry) == Some(self.slot)
            || handed_over.owner(entry) == Some(self.slot)
    }
}

/// Refuses an erasure of pictures that a hold keeps.
pub(crate) fn check<'a>(
    vault: &Vault,
    entries: impl IntoIterator<Item = &'a ObjectInfo>,
) -> Result<(), Refusal> {
    let holds = Holds::of(vault);
    if holds.0.is_empty() {
        return Ok(());
    }
    let handed_over = HandedOver::of(vault);
    let is_kept = |entry: &&ObjectInfo| holds.keep(entry, &handed_over);
    match entries.into_iter().filter(is_kept).count() {
        0 => Ok(()),
        kept => {
            let text = format!("a legal hold keeps {kept} of these pictures; nothing was done");
            Err(Refusal::new(RequestRefusal::Hold, text))
        }
    }
}

impl Darkroom {
    /// The holds that stand.
    ///
    /// # Errors
    /// [`Error::NotPermitted`], on record; [`Error::Locked`].
    pub fn holds(&self, who: &Who) -> Result<Vec<Held>, Error> {
        let vault = self.vault_of(who, Act::Holds)?;
        let (people, handed_over) = (vault.people(), HandedOver::of(vault));
        let held = |hold: Hold| Held {
            slot: hold.slot,
            name: people.iter().find(|person| person.slot.0 == hold.slot).and_then(|p| p.name.clone()),
            reason: hold.reason,
            since_ms: hold.since_ms,
            pictures: vault.list().filter(|entry| hold.keeps(entry, &handed_over)).count(),
        };
        Ok(Holds::of(vault).0.into_iter().map(held).collect())
    }

    /// From here on no picture of somebody is erased, or of anybody without a name. It stands before it is on record.
    ///
    /// # Errors
    /// [`vault::Error::UnknownName`]; [`Error::HoldStands`]; [`Error::Unrecorded`]: it stands; what vault
    /// and log say.
    pub fn hold(&mut self, who: &Who, of: Option<&PersonName>, reason: HoldReason) -> Result<(), Error> {
        let since_ms = self.now_ms();
        let vault = self.vault_of(who, Act::Holds)?;
        let (slot, mut holds) = (slot_of(vault, of)?, Holds::of(vault));
        if holds.0.iter().any(|hold| hold.slot == slot) {
            return Err(Error::HoldStands);
        }
        if holds.0.len() >= HOLDS_MAX {
            return Err(vault::Error::Limit("no more holds can stand at a time; end one first").into());
        }
        holds.0.push(Hold { slot, reason, since_ms });
        let (open, random, log) = self.parts(who, Act::Holds)?;
        open.cover_with_next(log)?;
        holds.set(&mut open.vault, random)?;
        let event = Event::HoldSet { slot: slot.into(), reason };
        let done = |source| Error::Unrecorded { done: "the hold stands".into(), source };
        log.append(&[event.by(who.actor)]).map_err(done)?;
        Ok(())
    }

    /// Ends a hold. It is on record before it ends.
    ///
    /// # Errors
    /// [`vault::Error::UnknownName`]; [`Error::NoHold`]; [`Error::Waits`]; what vault and log say, after which it stands, by the log too.
    pub fn end_hold(&mut self, who: &Who, of: Option<&PersonName>) -> Result<(), Error> {
        let vault = self.vault_of(who, Act::Holds)?;
        let slot = slot_of(vault, of)?;
        let since_ms = Holds::of(vault).since_ms(slot).ok_or(Error::NoHold)?;
        self.ask_second(who, Act::Holds, Meant::EndHold { slot, since_ms })?;
        self.end_hold_at(who, slot)
    }

    /// The same, of this slot, once nobody else is needed for it.
    pub(crate) fn end_hold_at(&mut self, who: &Who, slot: u16) -> Result<(), Error> {
        let mut holds = Holds::of(self.vault_of(who, Act::Holds)?);
        let Some(at) = holds.0.iter().position(|hold| hold.slot == slot) else {
            return Err(Error::NoHold);
        };
        let Hold { reason, .. } = holds.0.remove(at);
        let (open, random, log) = self.parts(who, Act::Holds)?;
        log.append(&[Event::HoldEnded { slot: slot.into(), reason }.by(who.actor)])?;
        let stands = Event::HoldSet { slot: slot.into(), reason }.by(who.actor);
        open.set_recorded(log, random, (Holds::MARK, &holds.encode()), stands)
    }
}

/// The slot that a hold is about: of somebody who may be gone, or 0 for everybody.
fn slot_of(vault: &Vault, of: Option<&PersonName>) -> Result<u16, Error> {
    let Some(name) = of else { return Ok(0) };
    Ok(person_of(vault, name)?.slot.0)
}
