//! The slot of a machine secret, with which a program opens the vault where nobody types anything.

use crate::format::{SlotInfo, SlotKind};
use crate::slot::OpenSlot;
use crate::{Error, KdfParams, Random, Role, Rolled, Secret, Vault};

impl Vault {
    /// The slot of the machine secret, if there is one.
    pub fn machine_slot(&self) -> Option<SlotInfo> {
        self.slot_infos().find(|info| info.kind == SlotKind::Machine)
    }

    /// That another machine secret can be added.
    ///
    /// # Errors
    /// [`Error::MachineSecretThere`].
    pub fn check_no_machine_secret(&self) -> Result<(), Error> {
        match self.machine_slot() {
            Some(info) => Err(Error::MachineSecretThere(info.id)),
            None => Ok(()),
        }
    }

    /// Adds a slot for a machine secret, of which a vault has one at most. It wraps the master key, and is nobody's: it has no
    /// name. Its number is one that no slot ever had.
    ///
    /// # Errors
    /// [`Error::MachineSecretThere`]; [`Error::WeakSecret`]: it is no machine secret; [`Error::SlotsFull`];
    /// [`Error::SlotNumbersSpent`]; those of every roll.
    pub fn add_machine_slot(
        &mut self,
        secret: &Secret,
        kdf: KdfParams,
        random: &mut dyn Random,
    ) -> Result<Rolled, Error> {
        self.check_no_machine_secret()?;
        if secret.kind != SlotKind::Machine {
            return Err(Error::WeakSecret("what a person types cannot serve as a machine secret"));
        }
        let id = self.free_slot()?;
        let slot = OpenSlot::new(self.vault_id(), (id, Role::Operator), None, secret, kdf, random)?;
        self.roll_slots(id, Some(slot), None, random)
    }
}
