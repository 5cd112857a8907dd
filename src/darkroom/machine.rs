//! The machine secret: what opens the vault where nobody types anything, or what passphrases go with.

use crate::rights::Act;
use crate::room::{Darkroom, Room};
use crate::secret::Change;
use crate::{Error, Role, Who};
use audit::words::Proof;
use vault::{Secret, SlotId, SlotInfo, SlotKind};

/// What a machine secret is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MachineUse {
    /// It opens the vault by itself.
    Alone,
    /// Passphrases open the vault together with it, and neither opens it alone.
    WithPassphrases,
}

impl Error {
    /// Whether it is said of the machine secret that passphrases go with, and not of a passphrase.
    pub fn is_of_machine_half(&self) -> bool {
        matches!(
            self,
            Self::Vault(vault::Error::HalfNeeded | vault::Error::HalfAbsent | vault::Error::OtherHalf)
        )
    }
}

impl Darkroom {
    /// Adds the machine secret, of which there is one at most; the number of its slot, or of the slot whose passphrase goes with it
    /// from then on. `proof` is the passphrase of who asks, and the first that goes with it; that of everybody else does once it is
    /// set anew.
    ///
    /// # Errors
    /// [`Error::NotPermitted`], on record; a wrong proof, on record; [`vault::Error::WeakSecret`]: the secret is the proof itself;
    /// [`vault::Error::MachineSecretThere`]; [`vault::Error::HalfThere`]; what vault and log say.
    pub fn add_machine_secret(
        &mut self,
        who: &Who,
        proof: &Secret,
        (secret, opens): (&Secret, MachineUse),
    ) -> Result<u16, Error> {
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
        if opens == MachineUse::WithPassphrases {
            let own = Ok(SlotId(who.slot));
            self.change(who, act, Proof::Passphrase, own, Change::Half(true), |vault, kdf, random| {
                Ok((vault.ask_half(proof, secret, kdf, random)?, ()))
            })?;
            return Ok(who.slot);
        }
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
    /// slot. Of one that passphrases go with, that of the slot whose passphrase opens the vault alone from then on, which is that of
    /// who asks; that of everybody else does once it is set anew.
    ///
    /// # Errors
    /// [`Error::NotPermitted`], on record; a wrong proof, on record; [`vault::Error::NoMachineSecret`]; what vault and log say.
    pub fn remove_machine_secret(&mut self, who: &Who, proof: &Secret) -> Result<u16, Error> {
        let act = Act::MachineSecret;
        self.prove(who, proof, act)?;
        let vault = self.vault_of(who, act)?;
        if vault.asks_half() && vault.machine_slot().is_none() {
            let own = Ok(SlotId(who.slot));
            self.change(who, act, Proof::Passphrase, own, Change::Half(false), |vault, kdf, random| {
                Ok((vault.release_half(proof, kdf, random)?, ()))
            })?;
            return Ok(who.slot);
        }
        let none = vault::Error::NoMachineSecret;
        let SlotInfo { id, .. } = vault.machine_slot().ok_or(none)?;
        let removed = Change::Removed { role: Role::Machine, left: None };
        self.change(who, act, Proof::Passphrase, Ok(id), removed, |vault, _, random| {
            Ok((vault.remove_slot(id, random)?, ()))
        })?;
        Ok(id.0)
    }

    /// From here on passphrases are tried together with this machine secret, where the vault asks for both.
    pub fn give_half(&mut self, secret: &Secret) {
        if let Room::Locked(locked) = &mut self.room {
            locked.give_half(secret);
        }
    }

    /// Slots whose passphrases open the vault together with the machine secret alone, and slots whose passphrases open it alone.
    /// Anybody can read that.
    pub fn halves(&self) -> (usize, usize) {
        let slots = self.public().map(|public| public.slots).unwrap_or_default();
        let count = |kind| slots.iter().filter(|slot| slot.kind == kind).count();
        (count(SlotKind::PassphraseAndMachine), count(SlotKind::Passphrase))
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
