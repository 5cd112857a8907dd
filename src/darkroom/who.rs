//! Who does something, and by which door: an argument of every act.

use crate::Error;
use audit::{Actor, Event};
use vault::{Random, SlotInfo, SlotKind, Vault};

pub use audit::words::{Door, Role};

/// Somebody who has proved a right to the open vault. It holds for this opening of the vault and no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who {
    /// The slot that their secret opened.
    pub(crate) slot: u16,
    role: Role,
    /// Their pseudonym in the log.
    pub(crate) actor: Actor,
    door: Door,
    /// Which opening of the vault it was.
    pub(crate) opening: u64,
}

impl Who {
    /// Nobody: openings are counted from 1, so none admits them.
    pub const NOBODY: Self =
        Self { slot: 0, role: Role::Operator, actor: Actor::System, door: Door::Program, opening: 0 };

    /// The person behind a slot, who came in by `door` at this opening of the vault. Their salt is drawn at their first
    /// coming; it goes to the vault with the next mark that is set.
    pub(crate) fn behind(
        slot: SlotInfo,
        door: Door,
        opening: u64,
        vault: &mut Vault,
        random: &mut dyn Random,
    ) -> Result<Self, Error> {
        let salt = match salt_of(vault, slot)? {
            Some(salt) => salt,
            None => {
                let mut salt = [0; 32];
                random.fill(&mut salt).map_err(vault::Error::Random)?;
                vault.remember(tag(slot)?, &salt)?;
                salt
            }
        };
        let actor = audit::actor(&salt, &slot.id.0.to_be_bytes());
        Ok(Self { slot: slot.id.0, role: role(slot), actor, door, opening })
    }

    /// What their slot allows.
    pub fn role(&self) -> Role {
        self.role
    }

    /// By which door they came.
    pub fn door(&self) -> Door {
        self.door
    }

    /// The record of their coming in.
    pub(crate) fn opened(&self) -> audit::Entry {
        Event::SessionOpened { door: self.door, slot: self.slot.into() }.by(self.actor)
    }
}

/// The vault's marks that hold the salts of actors: this plus the slot's number.
const MARK_ACTOR: u8 = 16;

fn tag(slot: SlotInfo) -> Result<u8, Error> {
    let tag = u8::try_from(slot.id.0).ok().and_then(|id| id.checked_add(MARK_ACTOR));
    tag.ok_or_else(|| vault::Error::SlotsFull.into())
}

fn salt_of(vault: &Vault, slot: SlotInfo) -> Result<Option<[u8; 32]>, Error> {
    Ok(vault.mark(tag(slot)?).and_then(|mark| mark.try_into().ok()))
}

/// Whether anybody was ever in.
pub(crate) fn was_opened(vault: &Vault) -> bool {
    (MARK_ACTOR..=u8::MAX).any(|tag| vault.mark(tag).is_some())
}

/// The role of a slot, as the log names it.
pub(crate) fn role(slot: SlotInfo) -> Role {
    match (slot.kind, slot.role) {
        (SlotKind::Recovery, _) => Role::Recovery,
        (_, vault::Role::Operator) => Role::Operator,
        (_, vault::Role::Auditor) => Role::Auditor,
        _ => Role::Admin,
    }
}
