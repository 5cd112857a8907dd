//! People who open the vault together: any two of those who hold it, and nobody alone.
//!
//! Their passphrases stay what they are, and so do their slots, which lead to the view key from then on: that one proves who somebody
//! is, and opens nothing. Each two of them have a joint slot, whose secret follows from theirs, and it leads to the master key.

use std::collections::BTreeSet;

use crate::format::{SLOTS_MAX, SlotId, SlotInfo, SlotKind};
use crate::log::Public;
use crate::slot::OpenSlot;
use crate::{Error, Random, Rolled, Vault};

impl Public {
    /// As [`Vault::holders`]; not authenticated where the vault is locked.
    pub fn holders(&self) -> BTreeSet<SlotId> {
        holders(self.slots.iter().copied())
    }
}

fn holders(slots: impl Iterator<Item = SlotInfo>) -> BTreeSet<SlotId> {
    slots.filter(|slot| slot.kind == SlotKind::Joint).flat_map(|slot| slot.id.parts()).collect()
}

impl Vault {
    /// The slots of those of whom any two open the vault together; empty where each passphrase opens it alone.
    pub fn holders(&self) -> BTreeSet<SlotId> {
        holders(self.slot_infos())
    }

    /// From here on any two of `holders` open the vault together, and nobody alone; with none of them each passphrase opens it alone
    /// again. Nobody is asked for theirs. The recovery code opens it as before. [`Rolled::slot`] is `by`, who asks.
    ///
    /// # Errors
    /// [`Error::JointLast`]: one alone; [`Error::UnknownSlot`]; [`Error::Limit`]: one of them has no name, or opens no pictures, or
    /// they are too many; [`Error::MachineSecretThere`]: it would open the vault alone; [`Error::NotJoint`]; those of every roll.
    pub fn set_holders(
        &mut self,
        by: SlotId,
        holders: &BTreeSet<SlotId>,
        random: &mut dyn Random,
    ) -> Result<Rolled, Error> {
        if holders.is_empty() && !self.header.is_joint() {
            return Err(Error::NotJoint);
        }
        if holders.len() == 1 {
            return Err(Error::JointLast);
        }
        let machine = self.machine_slot().filter(|_| !holders.is_empty());
        if let Some(machine) = machine {
            return Err(Error::MachineSecretThere(machine.id));
        }
        if !holders.is_empty() && !self.has_names() {
            return Err(Error::Limit("nobody in this vault has a name yet; the first one comes first"));
        }
        for holder in holders {
            let slot = self.header.slot(*holder).ok_or(Error::UnknownSlot(*holder))?.info;
            if !slot.kind.is_persons() || !slot.role.opens_objects() {
                return Err(Error::Limit(
                    "who holds the vault has a passphrase that pictures are opened with",
                ));
            }
        }
        let mut slots = self.open_slots()?;
        slots.retain(|slot| slot.raw.info.kind != SlotKind::Joint);
        let is_holder = |slot: &&OpenSlot| holders.contains(&slot.raw.info.id);
        let held: Vec<&OpenSlot> = slots.iter().filter(is_holder).collect();
        let mut joint = Vec::new();
        for (place, one) in held.iter().enumerate() {
            for other in &held[place + 1..] {
                joint.push(OpenSlot::joint(self.vault_id(), (one, other), random)?);
            }
        }
        slots.append(&mut joint);
        if slots.len() > SLOTS_MAX {
            let full = "each two people who hold the vault take one of its 16 key slots, and these are too many; name fewer";
            return Err(Error::Limit(full));
        }
        self.roll(slots, self.index.names.clone(), &[], random)?;
        Ok(Rolled { state: self.state(), grade: self.grade(), slot: by })
    }

    /// That two would be left who open the vault together, if this slot went.
    ///
    /// # Errors
    /// [`Error::JointLast`].
    pub fn check_not_second_last(&self, id: SlotId) -> Result<(), Error> {
        let holders = self.holders();
        match holders.contains(&id) && holders.len() < 3 {
            true => Err(Error::JointLast),
            false => Ok(()),
        }
    }
}
