//! People who open the vault together, any two of them, and nobody alone.

use crate::pending::role_at;
use crate::request::Refusal;
use crate::rights::Act;
use crate::room::Darkroom;
use crate::secret::Change;
use crate::{Error, Role, Who};
use audit::words::{Proof, RequestRefusal};
use std::collections::{BTreeMap, BTreeSet};
use vault::{PersonName, RecoveryCode, Secret, SlotId, Vault};

impl Error {
    /// Whether it says that two people open the vault together, and not that a passphrase is wrong.
    pub fn is_of_two(&self) -> bool {
        matches!(self, Self::Vault(vault::Error::JointNeeded))
    }
}

impl Darkroom {
    /// Those of these people whose passphrase is neither `proof` nor what goes with it.
    ///
    /// # Errors
    /// [`Error::NotPermitted`], on record; [`vault::Error::UnknownName`].
    pub fn still_to_prove(
        &self,
        who: &Who,
        proof: &Secret,
        names: &[PersonName],
    ) -> Result<Vec<PersonName>, Error> {
        let vault = self.vault_of(who, Act::MachineSecret)?;
        let second = proof.second().and_then(Secret::person).and_then(|name| vault.slot_of(name).ok());
        let proven = [Some(SlotId(who.slot)), second.map(|slot| slot.id)];
        let mut asked = Vec::new();
        for name in names {
            if !proven.contains(&Some(vault.slot_of(name)?.id)) {
                asked.push(name.clone());
            }
        }
        Ok(asked)
    }

    /// From here on any two of these people open the vault together, and nobody alone, and there is another recovery code; with none of
    /// them everybody alone again. `proof` is the passphrase of who asks, and `typed` are those of [`Darkroom::still_to_prove`]. Where two
    /// open it together already, two have opened it for this.
    ///
    /// # Errors
    /// [`Error::NotPermitted`], on record; a wrong passphrase, on record; one asks where two are needed: refused, on record;
    /// [`vault::Error::UnknownName`]; [`vault::Error::JointAdmin`]; what [`vault::Vault::set_holders`] says; what vault and log say.
    pub fn set_holders(
        &mut self,
        who: &Who,
        proof: &Secret,
        names: &[PersonName],
        typed: &[Secret],
    ) -> Result<Option<RecoveryCode>, Error> {
        let act = Act::MachineSecret;
        self.prove(who, proof, act)?;
        self.check_two(who, act)?;
        let vault = self.vault_of(who, act)?;
        let mut holders = BTreeSet::new();
        for name in names {
            if !holders.insert(vault.slot_of(name)?.id) {
                return Err(vault::Error::Limit("one of them is named twice; name each once").into());
            }
        }
        if !holders.is_empty() && !has_admin(vault, &holders) {
            return Err(vault::Error::JointAdmin.into());
        }
        let own = SlotId(who.slot);
        // That of what is another one then.
        let slot = if holders.is_empty() { Ok(own) } else { vault.recovery_slot() };
        let mut proven = BTreeMap::new();
        if !holders.is_empty() {
            for secret in [Some(proof), proof.second()].into_iter().flatten().chain(typed) {
                proven.insert(self.authenticate(secret)?.id, secret);
            }
        }
        let secrets = holders.iter().map(|slot| proven.get(slot).copied());
        let secrets = secrets.collect::<Option<Vec<_>>>().ok_or(vault::Error::WrongSecret)?;
        self.change(who, act, Proof::Passphrase, slot, Change::Joint(&holders), |vault, kdf, random| {
            vault.set_holders(own, &secrets, kdf, random)
        })
    }

    /// Slots of the people of whom any two open the vault together; none where each opens it alone. Anybody can read that.
    pub fn holders(&self) -> BTreeSet<SlotId> {
        self.public().map(|public| public.holders()).unwrap_or_default()
    }

    /// Whether two people open the vault together. Anybody can read that.
    pub fn is_joint(&self) -> bool {
        !self.holders().is_empty()
    }

    /// Whether it takes two people to open it now: it is locked.
    pub fn takes_two(&self) -> bool {
        !self.is_open() && self.is_joint()
    }

    /// Whether whoever says that this is their name opens it now with a second one alone.
    pub fn takes_second(&self, name: Option<&PersonName>) -> bool {
        !self.is_open() && self.slots().is_ok_and(|slots| slots.takes_second(name))
    }

    /// Where two people open the vault together, whatever could let one of them open it alone is done by two who have opened it for that.
    ///
    /// # Errors
    /// It is asked for by one: refused, on record.
    pub(crate) fn check_two(&mut self, who: &Who, act: Act) -> Result<(), Error> {
        if self.vault_of(who, act)?.holders().is_empty() || who.is_with_second() {
            return Ok(());
        }
        self.refuse(Some(who), RequestRefusal::Policy)?;
        let text = "two people open this vault together, and with this one of them could open it alone: both do it, at a terminal, while no \
                    server runs; nothing was done";
        Err(Refusal::new(RequestRefusal::Policy, text).into())
    }
}

fn has_admin(vault: &Vault, holders: &BTreeSet<SlotId>) -> bool {
    holders.iter().any(|slot| role_at(vault, slot.0) == Some(Role::Admin))
}

/// That one of those who hold the vault can end that, if this slot, an admin's, were none any more.
///
/// # Errors
/// [`vault::Error::JointAdmin`].
pub(crate) fn check_admin_holds(vault: &Vault, but: SlotId) -> Result<(), Error> {
    let mut holders = vault.holders();
    match holders.remove(&but) && !has_admin(vault, &holders) {
        true => Err(vault::Error::JointAdmin.into()),
        false => Ok(()),
    }
}
