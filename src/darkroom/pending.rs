//! Acts that wait for the word of a second admin, where the policy asks for one. What was asked for lies in the vault, sealed,
//! with exactly what it is about: nothing of that can be another thing when it is confirmed.
//!
//! Each is known by the number of its record `act.asked`, which is no other's, ever.

use crate::Who;
use crate::behind;
use crate::roles::{count_admins, role_of};
use crate::whose;
use audit::words::{Lapse, Left, ResolveReason, Role, SecondAct};
use audit::{Actor, Digest};
use policy::{TwoPerson, TwoPersons};
use vault::{SlotId, SlotInfo, Vault};

/// The vault's marks with them, one each; those that hold none are empty or not there.
pub(crate) const MARKS: std::ops::RangeInclusive<u8> = 7..=14;
/// The vault's mark with the passphrases that the recovery code set lately: slot 2, when 8 (ms since 1970) each.
pub(crate) const MARK_RESETS: u8 = 6;
/// Bytes of one of those.
const RESET_BYTES: usize = 10;
const HOUR_MS: u64 = 3600 * 1000;
/// The reasons and fates as they are stored.
const REASONS: [ResolveReason; 4] =
    [ResolveReason::Incident, ResolveReason::Order, ResolveReason::Access, ResolveReason::Audit];
const LEFT: [Left; 3] = [Left::Kept, Left::HandedOver, Left::Erased];
const GIVEN: [Role; 2] = [Role::Operator, Role::Admin];

/// Exactly what is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meant {
    /// Say who is behind a pseudonym.
    Resolve(Actor, ResolveReason),
    /// Erase all pictures of a slot: these.
    Erase { slot: u16, pictures: Digest },
    /// Remove a slot, or say what becomes of the pictures of one that is gone: these.
    Remove { slot: u16, left: Option<(Left, u16)>, pictures: Digest },
    /// End the hold on this slot's pictures that stands since then.
    EndHold { slot: u16, since_ms: u64 },
    /// Destroy the vault.
    Destroy,
    /// Give a slot another role than it had.
    Role { slot: u16, role: Role },
}

/// One that waits.
#[derive(Clone, Copy)]
pub(crate) struct Pending {
    /// Its mark.
    pub tag: u8,
    /// Number of its record `act.asked`.
    pub number: u64,
    /// Slot of who asked for it.
    pub asker: u16,
    /// When, in milliseconds since 1970.
    pub asked_ms: u64,
    /// What.
    pub meant: Meant,
}

impl Meant {
    /// The log's word for it.
    pub fn act(self) -> SecondAct {
        match self {
            Self::Resolve(..) => SecondAct::Resolve,
            Self::Erase { .. } => SecondAct::Erase,
            Self::Remove { .. } => SecondAct::Remove,
            Self::EndHold { .. } => SecondAct::EndHold,
            Self::Destroy => SecondAct::Destroy,
            Self::Role { .. } => SecondAct::Role,
        }
    }

    /// The slot that it is about; 0 for nobody's, or everybody's.
    pub fn slot(self) -> u16 {
        match self {
            Self::Resolve(..) | Self::Destroy => 0,
            Self::Erase { slot, .. }
            | Self::Remove { slot, .. }
            | Self::EndHold { slot, .. }
            | Self::Role { slot, .. } => slot,
        }
    }

    /// Whether it is to change somebody who is removed by now.
    fn is_about_nobody(self, vault: &Vault) -> bool {
        matches!(self, Self::Remove { slot, .. } | Self::Role { slot, .. } if role_at(vault, slot).is_none())
    }

    /// SHA-256 of what is stored of it.
    pub fn digest(self) -> Digest {
        Digest::of(&self.encode())
    }

    /// Whether `who` needs a second one for it. The one admin of a vault makes a second one alone: nobody else can.
    pub fn needs_second(self, rules: TwoPersons, who: &Who, vault: &Vault) -> bool {
        match self {
            // Of one whose name was destroyed nothing is told.
            Self::Resolve(pseudonym, _) => {
                rules.needs(TwoPerson::Resolve) && behind::nameless(vault, pseudonym).is_none()
            }
            Self::Erase { slot, .. } => rules.needs(TwoPerson::Pictures) && slot != who.slot,
            Self::Remove { slot, left, .. } => {
                let takes = matches!(left, Some((Left::HandedOver | Left::Erased, _))) && slot != who.slot;
                takes && rules.needs(TwoPerson::Pictures)
                    || rules.needs(TwoPerson::Admin) && role_at(vault, slot) == Some(Role::Admin)
            }
            Self::EndHold { .. } => rules.needs(TwoPerson::Hold),
            Self::Destroy => rules.needs(TwoPerson::Destroy),
            Self::Role { role, .. } => {
                rules.needs(TwoPerson::Admin) && (role != Role::Admin || count_admins(vault) > 1)
            }
        }
    }

    /// Kind 1, then what it is about.
    fn encode(self) -> Vec<u8> {
        let at = |found: Option<usize>| found.unwrap_or_default() as u8;
        let (kind, rest) = match self {
            Self::Resolve(actor, reason) => {
                let Actor::Person(id) = actor else { return Vec::new() };
                (1, [&id[..], &[at(REASONS.iter().position(|known| *known == reason))]].concat())
            }
            Self::Erase { slot, pictures } => (2, [&slot.to_be_bytes()[..], &pictures.0].concat()),
            Self::Remove { slot, left, pictures } => {
                // 0 where there is nothing to say.
                let (word, to) = left
                    .map_or((0, 0), |(left, to)| (at(LEFT.iter().position(|known| *known == left)) + 1, to));
                (3, [&slot.to_be_bytes()[..], &[word], &to.to_be_bytes(), &pictures.0].concat())
            }
            Self::EndHold { slot, since_ms } => {
                (4, [&slot.to_be_bytes()[..], &since_ms.to_be_bytes()].concat())
            }
            Self::Destroy => (5, Vec::new()),
            Self::Role { slot, role } => {
                (6, [&slot.to_be_bytes()[..], &[at(GIVEN.iter().position(|known| *known == role))]].concat())
            }
        };
        [&[kind], &rest[..]].concat()
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        let slot = || Some(u16::from_be_bytes(*rest.first_chunk()?));
        let digest = |from: usize| Some(Digest(rest.get(from..)?.try_into().ok()?));
        Some(match kind {
            1 => {
                let (id, reason) = rest.split_first_chunk()?;
                Self::Resolve(Actor::Person(*id), *REASONS.get(usize::from(*reason.first()?))?)
            }
            2 => Self::Erase { slot: slot()?, pictures: digest(2)? },
            3 => {
                let to = u16::from_be_bytes([*rest.get(3)?, *rest.get(4)?]);
                let left = match usize::from(*rest.get(2)?).checked_sub(1) {
                    None => None,
                    Some(word) => Some((*LEFT.get(word)?, to)),
                };
                Self::Remove { slot: slot()?, left, pictures: digest(5)? }
            }
            4 => {
                let since_ms = u64::from_be_bytes(rest.get(2..)?.try_into().ok()?);
                Self::EndHold { slot: slot()?, since_ms }
            }
            5 => Self::Destroy,
            6 => Self::Role { slot: slot()?, role: *GIVEN.get(usize::from(*rest.get(2)?))? },
            _ => return None,
        })
    }
}

impl Pending {
    /// All that wait, or did until they lapsed, by their numbers.
    pub fn all(vault: &Vault) -> Vec<Self> {
        let mut all: Vec<Self> =
            MARKS.filter_map(|tag| Self::parse(tag, vault.mark(tag).unwrap_or_default())).collect();
        all.sort_by_key(|pending| pending.number);
        all
    }

    /// A mark that holds none; `None` if as many wait as can.
    pub fn free_mark(vault: &Vault) -> Option<u8> {
        MARKS.into_iter().find(|tag| vault.mark(*tag).is_none_or(<[u8]>::is_empty))
    }

    /// Number 8, slot of who asked 2, when 8, what.
    pub fn encode(&self) -> Vec<u8> {
        let Self { number, asker, asked_ms, meant, .. } = self;
        [&number.to_be_bytes()[..], &asker.to_be_bytes(), &asked_ms.to_be_bytes(), &meant.encode()].concat()
    }

    fn parse(tag: u8, bytes: &[u8]) -> Option<Self> {
        let (number, rest) = bytes.split_first_chunk()?;
        let (asker, rest) = rest.split_first_chunk()?;
        let (asked_ms, rest) = rest.split_first_chunk()?;
        Some(Self {
            tag,
            number: u64::from_be_bytes(*number),
            asker: u16::from_be_bytes(*asker),
            asked_ms: u64::from_be_bytes(*asked_ms),
            meant: Meant::parse(rest)?,
        })
    }

    /// When it lapses, in milliseconds since 1970.
    pub fn until_ms(&self, hours: u64) -> u64 {
        self.asked_ms.saturating_add(hours.saturating_mul(HOUR_MS))
    }

    /// Why it waits no longer, if so.
    pub fn lapsed(&self, vault: &Vault, hours: u64, now_ms: u64) -> Option<Lapse> {
        match self.until_ms(hours) > now_ms {
            false => Some(Lapse::Time),
            true if role_at(vault, self.asker) != Some(Role::Admin) => Some(Lapse::Asker),
            true if self.meant.is_about_nobody(vault) => Some(Lapse::Target),
            true => None,
        }
    }
}

/// Passphrases that the recovery code set lately: whoever has the code could be two people by them.
pub(crate) struct Resets(Vec<(u16, u64)>);

impl Resets {
    /// Those of the last so many hours.
    pub fn of(vault: &Vault, hours: u64, now_ms: u64) -> Self {
        let one = |bytes: &[u8]| {
            let (slot, since) = bytes.split_first_chunk()?;
            Some((u16::from_be_bytes(*slot), u64::from_be_bytes(since.try_into().ok()?)))
        };
        let all = vault.mark(MARK_RESETS).unwrap_or_default().chunks(RESET_BYTES).filter_map(one);
        Self(all.filter(|(_, at_ms)| end_ms(*at_ms, hours) > now_ms).collect())
    }

    /// Until when this slot has no word, in milliseconds since 1970, if so.
    pub fn until_ms(&self, slot: u16, hours: u64) -> Option<u64> {
        self.0.iter().find(|(known, _)| *known == slot).map(|(_, at_ms)| end_ms(*at_ms, hours))
    }

    /// With one more, as a mark.
    pub fn with(mut self, slot: u16, now_ms: u64) -> Vec<u8> {
        self.0.retain(|(known, _)| *known != slot);
        self.0.push((slot, now_ms));
        let bytes = |(slot, at_ms): &(u16, u64)| [&slot.to_be_bytes()[..], &at_ms.to_be_bytes()].concat();
        self.0.iter().flat_map(bytes).collect()
    }
}

fn end_ms(at_ms: u64, hours: u64) -> u64 {
    at_ms.saturating_add(hours.saturating_mul(HOUR_MS))
}

/// What the person of this slot may do; `None` if it is no more.
pub(crate) fn role_at(vault: &Vault, slot: u16) -> Option<Role> {
    let is_it = |info: &SlotInfo| info.id == SlotId(slot);
    vault.slot_infos().find(is_it).map(|info| role_of(vault, info))
}

/// SHA-256 of the ids of all pictures of this slot.
pub(crate) fn pictures_of(vault: &Vault, slot: u16) -> Digest {
    let mut ids: Vec<[u8; 16]> = whose::of_slot(vault, slot).into_iter().map(|entry| entry.id.0).collect();
    ids.sort_unstable();
    Digest::of(ids.as_flattened())
}

/// Takes back what was to be set with the vault's next record, if no record has set it.
pub(crate) fn take_back(vault: &mut Vault, tag: u8, meant: &[u8], before: &[u8]) {
    if vault.mark(tag) != Some(meant) {
        let _ = vault.remember(tag, before);
    }
}
