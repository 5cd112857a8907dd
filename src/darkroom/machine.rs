//! The machine secret: what opens the vault where nobody types anything.

use crate::rights::Act;
use crate::room::{Darkroom, Room};
use crate::secret::Change;
use crate::{Error, Role, Who};
use audit::words::Proof;
use vault::{Secret, SlotInfo};

impl Darkroom {
    /// Adds the machine secret, of which there is one at most; the number of its slot. `proof` is the passphrase of who asks.
    ///
    /// # Errors
    /// [`Error::NotPermitted`], on record; a wrong proof, on record; [`vault::Error::WeakSecret`]: the secret is the proof itself;
    /// [`vault::Error::MachineSecretThere`]; what vault and log say.
    pub fn add_machine_secret(&mut self, who: &Who, proof: &Secret, secret: &Secret) -> Result<u16, Error> {
        let act = Act::MachineSecret;
        self.prove(who, proof, act)?;
        // A file beside the vault would hold what signs somebody in.
        if secret.repeats(proof) {
            return Err(vault::Error::WeakSecret(
                "a machine secret is a file of its own, and no passphrase of yours",
            )
            .into());
        }
        let vault = self.vault_of(who, act)?;
        vault.check_no_machine_secret()?;
        let slot = vault.free_slot();
        let number = slot.as_ref().map_or(0, |slot| slot.0);
        self.change(
            who,
            act,
            Proof::Passphrase,
            slot,
            Change::Added(Role::Machine),
            |vault, kdf, random| Ok((vault.add_machine_slot(secret, kdf, random)?, ())),
        )?;
        Ok(number)
    }

    /// Removes the machine secret: it opens nothing afterwards, neither this vault nor an older copy of its file. The number of its
    /// slot.
    ///
    /// # Errors
    /// [`Error::NotPermitted`], on record; a wrong proof, on record; [`vault::Error::NoMachineSecret`]; what vault and log say.
    pub fn remove_machine_secret(&mut self, who: &Who, proof: &Secret) -> Result<u16, Error> {
        let act = Act::MachineSecret;
        self.prove(who, proof, act)?;
        let none = vault::Error::NoMachineSecret;
        let SlotInfo { id, .. } = self.vault_of(who, act)?.machine_slot().ok_or(none)?;
        let removed = Change::Removed { role: Role::Machine, left: None };
        self.change(who, act, Proof::Passphrase, Ok(id), removed, |vault, _, random| {
            Ok((vault.remove_slot(id, random)?, ()))
        })?;
        Ok(id.0)
    }

    /// Whether the vault is open, and a machine secret opened it.
    pub fn is_unattended(&self) -> bool {
        self.unattended_opening() > 0
    }

    /// Number of the opening that goes on, if a machine secret began it, and 0 otherwise.
    pub(crate) fn unattended_opening(&self) -> u64 {
        match &self.room {
            Room::Open(open) if open.is_unattended => open.number,
            _ => 0,
        }
    }
}
