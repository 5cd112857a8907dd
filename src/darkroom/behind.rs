//! What the vault's mark of a slot says of its person: the salt of their pseudonym, that they were removed, or that name and salt were
//! destroyed.

use crate::Error;
use audit::Actor;
use vault::Vault;

/// The vault's marks that hold the salts of actors, and what became of those who went: this plus the slot's number.
pub(crate) const MARK_ACTOR: u8 = 16;

pub(crate) fn tag(slot: u16) -> Option<u8> {
    // The first of them is nobody's, and the vault's own.
    u8::try_from(slot).ok().filter(|slot| *slot > 0)?.checked_add(MARK_ACTOR)
}

const GONE: u8 = 1;
const NAMELESS: u8 = 2;
const SALT_BYTES: usize = 32;

/// What the vault's mark of a slot says of its person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behind {
    /// The salt of their pseudonym: 32 bytes.
    Salt([u8; SALT_BYTES]),
    /// They were removed: 1, when 8 (ms since 1970), and their salt if they ever came in.
    Gone(u64, Option<[u8; SALT_BYTES]>),
    /// Their name and salt were destroyed: 2, when 8, and their pseudonym, from which nothing follows, if they ever came in.
    Nameless(u64, Option<[u8; 16]>),
}

impl Behind {
    pub fn of(vault: &Vault, slot: u16) -> Option<Self> {
        Self::parse(vault.mark(tag(slot)?)?)
    }

    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if let Ok(salt) = bytes.try_into() {
            return Some(Self::Salt(salt));
        }
        let (kind, rest) = bytes.split_first()?;
        let (ms, rest) = rest.split_first_chunk()?;
        let ms = u64::from_be_bytes(*ms);
        match (*kind, rest.is_empty()) {
            (GONE, true) => Some(Self::Gone(ms, None)),
            (GONE, _) => Some(Self::Gone(ms, Some(rest.try_into().ok()?))),
            (NAMELESS, true) => Some(Self::Nameless(ms, None)),
            (NAMELESS, _) => Some(Self::Nameless(ms, Some(rest.try_into().ok()?))),
            _ => None,
        }
    }

    pub fn encode(&self) -> Vec<u8> {
        let bytes = |kind: u8, ms: &u64, rest: &[u8]| [&[kind], &ms.to_be_bytes()[..], rest].concat();
        match self {
            Self::Salt(salt) => salt.to_vec(),
            Self::Gone(ms, salt) => bytes(GONE, ms, salt.as_ref().map_or(&[], |salt| salt)),
            Self::Nameless(ms, id) => bytes(NAMELESS, ms, id.as_ref().map_or(&[], |id| id)),
        }
    }

    pub fn salt(self) -> Option<[u8; SALT_BYTES]> {
        match self {
            Self::Salt(salt) => Some(salt),
            Self::Gone(_, salt) => salt,
            Self::Nameless(..) => None,
        }
    }

    /// What it becomes when the person is removed.
    pub fn removed(before: Option<Self>, now_ms: u64) -> Self {
        Self::Gone(now_ms, before.and_then(Self::salt))
    }

    /// What it becomes when name and salt are destroyed.
    pub fn destroyed(before: Option<Self>, slot: u16, now_ms: u64) -> Self {
        let actor = before.and_then(Self::salt).map(|salt| audit::actor(&salt, &slot.to_be_bytes()));
        let id = actor.and_then(|actor| match actor {
            Actor::Person(id) => Some(id),
            Actor::System => None,
        });
        Self::Nameless(now_ms, id)
    }
}

/// The slot of this pseudonym, and when its name was destroyed, if it was.
pub(crate) fn nameless(vault: &Vault, pseudonym: Actor) -> Option<(u16, u64)> {
    let Actor::Person(id) = pseudonym else { return None };
    (1..=u16::from(u8::MAX)).find_map(|slot| match Behind::of(vault, slot)? {
        Behind::Nameless(ms, Some(known)) if known == id => Some((slot, ms)),
        _ => None,
    })
}

/// [`Error::UnknownPseudonym`], or what [`nameless`] found.
pub(crate) fn unknown(nameless: Option<(u16, u64)>) -> Error {
    match nameless {
        Some((_, ms)) => Error::NameDestroyed { when: audit::timestamp(ms) },
        None => Error::UnknownPseudonym,
    }
}

/// With the vault's next record: somebody is removed. What the mark was, for [`set_back`].
pub(crate) fn note_removed(vault: &mut Vault, slot: u16, now_ms: u64) -> Result<Option<Behind>, Error> {
    let before = Behind::of(vault, slot);
    remember(vault, slot, &Behind::removed(before, now_ms))?;
    Ok(before)
}

/// They stay.
pub(crate) fn set_back(vault: &mut Vault, slot: u16, before: Option<Behind>) -> Result<(), Error> {
    match (before, tag(slot)) {
        (Some(before), _) => remember(vault, slot, &before),
        // Nothing says so much as no mark.
        (None, Some(tag)) => Ok(vault.remember(tag, &[])?),
        (None, None) => Ok(()),
    }
}

pub(crate) fn remember(vault: &mut Vault, slot: u16, behind: &Behind) -> Result<(), Error> {
    let tag = tag(slot).ok_or(vault::Error::SlotNumbersSpent)?;
    Ok(vault.remember(tag, &behind.encode())?)
}
