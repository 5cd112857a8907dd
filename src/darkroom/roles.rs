//! What the people of a vault may do: what their slots give, and what was changed about that since.
//!
//! A slot says what it was made to give, and only the passphrase that it is of could make it say something else. An admin who
//! changes somebody's role has no such passphrase, so the change is a mark of the vault, sealed as everything in it.

use audit::words::Role;
use std::collections::BTreeMap;
use vault::{SlotInfo, SlotKind, Vault};

/// Bytes of one change.
const CHANGE_BYTES: usize = 3;
/// The roles that a change can give, as they are stored.
const GIVEN: [Role; 2] = [Role::Operator, Role::Admin];

/// Roles that were changed, by the number of the slot.
#[derive(Default)]
pub(crate) struct Roles(BTreeMap<u16, Role>);

impl Roles {
    /// The vault's mark with them: slot 2, role 1 each.
    pub const MARK: u8 = 5;

    pub fn of(vault: &Vault) -> Self {
        Self::parse(vault.mark(Self::MARK))
    }

    /// Those of a mark.
    pub fn parse(mark: Option<&[u8]>) -> Self {
        let one = |bytes: &[u8]| {
            let (slot, role) = bytes.split_first_chunk()?;
            Some((u16::from_be_bytes(*slot), *GIVEN.get(usize::from(*role.first()?))?))
        };
        Self(mark.unwrap_or_default().chunks(CHANGE_BYTES).filter_map(one).collect())
    }

    /// The bytes of the mark.
    pub fn encode(&self) -> Vec<u8> {
        let bytes = |(slot, role): (&u16, &Role)| {
            let role = GIVEN.iter().position(|given| given == role).unwrap_or_default() as u8;
            [&slot.to_be_bytes()[..], &[role]].concat()
        };
        self.0.iter().flat_map(bytes).collect()
    }

    /// From here on this slot has this role. Changes of slots that are no more are dropped.
    pub fn give(&mut self, slot: u16, role: Role, there: impl Fn(u16) -> bool) {
        self.0.retain(|slot, _| there(*slot));
        self.0.insert(slot, role);
    }

    /// What whoever opens this slot may do.
    pub fn role(&self, slot: SlotInfo) -> Role {
        match (slot.kind, slot.role) {
            (SlotKind::Recovery, _) => Role::Recovery,
            // Nobody comes in by what two open together.
            (SlotKind::Machine | SlotKind::Joint, _) => Role::Machine,
            (_, vault::Role::Auditor) => Role::Auditor,
            (_, made) => self.0.get(&slot.id.0).copied().unwrap_or(word(made)),
        }
    }
}

/// What whoever opens this slot may do. Where nobody has a name there is one person, who is the admin, too.
pub(crate) fn role_of(vault: &Vault, slot: SlotInfo) -> Role {
    match Roles::of(vault).role(slot) {
        Role::Operator if !vault.has_names() => Role::Admin,
        role => role,
    }
}

/// How many people are admins.
pub(crate) fn count_admins(vault: &Vault) -> usize {
    vault.slot_infos().filter(|slot| role_of(vault, *slot) == Role::Admin).count()
}

/// The log's word for what a slot gives.
fn word(role: vault::Role) -> Role {
    match role {
        vault::Role::Operator => Role::Operator,
        vault::Role::Auditor => Role::Auditor,
        _ => Role::Admin,
    }
}
