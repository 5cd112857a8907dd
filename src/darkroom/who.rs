//! Who does something, and by which door: an argument of every act.

use crate::Error;
use crate::behind::{Behind, MARK_ACTOR, tag};
use crate::rights::{Act, Scopes};
use crate::roles::role_of;
use crate::token;
use audit::{Actor, Event};
use vault::{Random, SlotId, SlotInfo, Vault};

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
    /// By which token they came, and what it lets a program do.
    token: Option<(u64, Scopes)>,
    /// Somebody else opened the vault with them, and stands beside them at the terminal.
    is_with_second: bool,
}

impl Who {
    /// Nobody: openings are counted from 1, so none admits them.
    pub const NOBODY: Self = Self {
        slot: 0,
        role: Role::Operator,
        actor: Actor::System,
        door: Door::Program,
        opening: 0,
        token: None,
        is_with_second: false,
    };

    /// The person behind a slot, who came in by `door` at this opening of the vault. Their salt is drawn at their first
    /// coming; it goes to the vault with the next mark that is set.
    pub(crate) fn behind(
        slot: SlotInfo,
        door: Door,
        opening: u64,
        vault: &mut Vault,
        random: &mut dyn Random,
    ) -> Result<Self, Error> {
        let salt = match salt_of(vault, slot.id.0) {
            Some(salt) => salt,
            None => {
                let mut salt = [0; 32];
                random.fill(&mut salt).map_err(vault::Error::Random)?;
                // The vault gives no number without a mark.
                let tag = tag(slot.id.0).ok_or(vault::Error::SlotNumbersSpent)?;
                vault.remember(tag, &salt)?;
                salt
            }
        };
        let actor = audit::actor(&salt, &slot.id.0.to_be_bytes());
        let (slot, role) = (slot.id.0, role_of(vault, slot));
        Ok(Self { slot, role, actor, door, opening, token: None, is_with_second: false })
    }

    /// The same where somebody else has opened the vault with them: at the page they may be gone by the next act.
    pub(crate) fn with_second(self, second: Option<Actor>) -> Self {
        Self { is_with_second: second.is_some() && self.door == Door::Terminal, ..self }
    }

    /// Whether somebody else who opened the vault with them is there.
    pub(crate) fn is_with_second(&self) -> bool {
        self.is_with_second
    }

    /// The same by a token, which lets a program do no more than its scopes.
    pub(crate) fn by_token(self, number: u64, scopes: Scopes) -> Self {
        Self { token: Some((number, scopes)), ..self }
    }

    /// What the token that they came by is for; `None` if they came themselves.
    pub fn scopes(&self) -> Option<Scopes> {
        self.token.map(|(_, scopes)| scopes)
    }

    /// The number of their slot.
    pub fn slot(&self) -> u16 {
        self.slot
    }

    /// Their pseudonym in the log.
    pub fn actor(&self) -> Actor {
        self.actor
    }

    /// What their slot allows.
    pub fn role(&self) -> Role {
        self.role
    }

    /// By which door they came.
    pub fn door(&self) -> Door {
        self.door
    }

    /// [`Error::NotPermitted`] if their role may not do this, [`Error::OutOfScope`] if their token is not for it.
    pub(crate) fn permitted(&self, act: Act, vault: &Vault) -> Result<(), Error> {
        let is_for = |scopes: Scopes| act.scope().is_some_and(|scope| scopes.has(scope));
        if self.scopes().is_some_and(|scopes| !is_for(scopes)) {
            return Err(Error::OutOfScope(act));
        }
        let is_alone = !vault.has_names() && !matches!(self.role, Role::Auditor | Role::Machine);
        match is_alone || act.is_open_to(self.role) {
            true => Ok(()),
            false => Err(Error::NotPermitted(act)),
        }
    }

    /// Whether they have their slot, what they came in for, and the token that they came by, still.
    pub(crate) fn remains(&self, vault: &Vault) -> bool {
        let own = vault.slot_infos().find(|slot| slot.id == SlotId(self.slot));
        let has_token = self.token.is_none_or(|(number, _)| token::is_known(vault, number));
        has_token && own.is_some_and(|slot| role_of(vault, slot) == self.role)
    }

    /// [`Error::Locked`] unless they came in at the opening with this number.
    pub(crate) fn admitted_by(&self, opening: u64) -> Result<(), Error> {
        if opening > 0 && self.opening == opening { Ok(()) } else { Err(Error::Locked) }
    }

    /// Their salt, once the vault holds it.
    pub(crate) fn salt(&self, vault: &Vault) -> Option<[u8; 32]> {
        salt_of(vault, self.slot)
    }

    /// The record of their coming in.
    pub(crate) fn opened(&self) -> audit::Entry {
        Event::SessionOpened { door: self.door, slot: self.slot.into() }.by(self.actor)
    }
}

fn salt_of(vault: &Vault, slot: u16) -> Option<[u8; 32]> {
    Behind::of(vault, slot)?.salt()
}

/// Whether anybody was ever in.
pub(crate) fn was_opened(vault: &Vault) -> bool {
    (MARK_ACTOR..=u8::MAX).any(|tag| vault.mark(tag).is_some())
}

/// The pseudonym of the slot with this number; `None` if nobody has come in by it yet.
pub(crate) fn pseudonym_of(vault: &Vault, slot: u16) -> Option<Actor> {
    Some(audit::actor(&salt_of(vault, slot)?, &slot.to_be_bytes()))
}
