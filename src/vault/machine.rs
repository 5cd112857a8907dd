//! The machine secret: a slot with which a program opens the vault where nobody types anything, or what passphrases go with.

use crate::format::{SlotInfo, SlotKind};
use crate::marks::MACHINE_HALF;
use crate::secret::Half;
use crate::slot::OpenSlot;
use crate::{Error, KdfParams, Random, Role, Rolled, Secret, Vault};
use zeroize::Zeroizing;

impl Vault {
    /// The slot of the machine secret, if there is one.
    pub fn machine_slot(&self) -> Option<SlotInfo> {
        self.slot_infos().find(|info| info.kind == SlotKind::Machine)
    }

    /// That another machine secret can be added: there is none that opens the vault, or that a passphrase goes with.
    ///
    /// # Errors
    /// [`Error::MachineSecretThere`]; [`Error::HalfThere`].
    pub fn check_no_machine_secret(&self) -> Result<(), Error> {
        let of_machine =
            |info: &SlotInfo| matches!(info.kind, SlotKind::Machine | SlotKind::PassphraseAndMachine);
        match self.slot_infos().find(of_machine) {
            Some(info) if info.kind == SlotKind::Machine => Err(Error::MachineSecretThere(info.id)),
            Some(info) => Err(Error::HalfThere(info.id)),
            None => Ok(()),
        }
    }

    /// Adds a slot for a machine secret, of which a vault has one at most. It wraps the master key, and is nobody's: it has no
    /// name. Its number is one that no slot ever had.
    ///
    /// # Errors
    /// [`Error::MachineSecretThere`]; [`Error::JointThere`]: it would open alone what two open together; [`Error::WeakSecret`]: it is
    /// no machine secret; [`Error::SlotsFull`]; [`Error::SlotNumbersSpent`]; those of every roll.
    pub fn add_machine_slot(
        &mut self,
        secret: &Secret,
        kdf: KdfParams,
        random: &mut dyn Random,
    ) -> Result<Rolled, Error> {
        self.check_no_machine_secret()?;
        if self.header.is_joint() {
            return Err(Error::JointThere);
        }
        if secret.kind != SlotKind::Machine {
            return Err(Error::WeakSecret("what a person types cannot serve as a machine secret"));
        }
        let id = self.free_slot()?;
        let slot = OpenSlot::new(self.vault_id(), (id, Role::Operator), None, (secret, None), kdf, random)?;
        // What passphrases went with is nothing any more, once none does.
        if self.asks_half() {
            self.pending.insert(MACHINE_HALF, Zeroizing::default());
        }
        let rolled = self.roll_slots(id, Some(slot), None, random);
        self.pending.remove(&MACHINE_HALF);
        rolled
    }

    /// Whether a passphrase that is set from here on opens the vault together with the machine secret alone.
    pub fn asks_half(&self) -> bool {
        self.mark(MACHINE_HALF).is_some_and(|check| !check.is_empty())
    }

    /// The same of one that is set by who opened a slot of the kind `proven`. The recovery code sets one without the machine secret
    /// where that one is not at hand: it may be lost.
    ///
    /// # Errors
    /// [`Error::HalfAbsent`]; [`Error::OtherHalf`]: it is not the one that the others go with.
    pub fn will_ask_half(&self, proven: SlotKind) -> Result<bool, Error> {
        self.half_for(proven).map(|half| half.is_some())
    }

    pub(crate) fn half_for(&self, proven: SlotKind) -> Result<Option<Half>, Error> {
        let Some(check) = self.mark(MACHINE_HALF).filter(|check| !check.is_empty()) else { return Ok(None) };
        match &self.home.half {
            None if proven == SlotKind::Recovery => Ok(None),
            None => Err(Error::HalfAbsent),
            Some(half) if half.check(self.vault_id())[..] == *check => Ok(Some(half.clone())),
            Some(_) => Err(Error::OtherHalf),
        }
    }

    /// The passphrase `proof` opens the vault together with this machine secret alone from here on, and so does every one that is
    /// set later; the secret by itself opens nothing. Passphrases that are there stay as they are until they are set anew.
    ///
    /// # Errors
    /// As [`Vault::check_no_machine_secret`]; [`Error::WeakSecret`]: it is no machine secret; a wrong proof, or one that is no
    /// passphrase; those of every roll.
    pub fn ask_half(
        &mut self,
        proof: &Secret,
        machine: &Secret,
        kdf: KdfParams,
        random: &mut dyn Random,
    ) -> Result<Rolled, Error> {
        self.check_no_machine_secret()?;
        let weak = Error::WeakSecret("what a person types cannot serve as a machine secret");
        let half = Half::of(machine).ok_or(weak)?;
        let check = half.check(self.vault_id());
        let rolled = self.seal_own(proof, (Some(&half), &check), kdf, random);
        // One that nothing goes with is not looked at.
        self.home.half = Some(half);
        rolled
    }

    /// The opposite: the passphrase `proof` opens the vault alone from here on, and so does every one that is set later.
    ///
    /// # Errors
    /// [`Error::NoMachineSecret`]: none was asked for; a wrong proof, or one that is no passphrase; those of every roll.
    pub fn release_half(
        &mut self,
        proof: &Secret,
        kdf: KdfParams,
        random: &mut dyn Random,
    ) -> Result<Rolled, Error> {
        match self.asks_half() {
            true => self.seal_own(proof, (None, &[]), kdf, random),
            false => Err(Error::NoMachineSecret),
        }
    }

    /// A roll with the slot of `proof` made anew, and with what is asked of those to come.
    fn seal_own(
        &mut self,
        proof: &Secret,
        (half, check): (Option<&Half>, &[u8]),
        kdf: KdfParams,
        random: &mut dyn Random,
    ) -> Result<Rolled, Error> {
        let SlotInfo { id, kind, role } = self.find_slot(proof)?.0.info;
        if !kind.is_persons() {
            return Err(Error::WrongSecret);
        }
        let name = self.index.names.get(&id);
        let slot = OpenSlot::new(self.vault_id(), (id, role), name, (proof, half), kdf, random)?;
        self.pending.insert(MACHINE_HALF, Zeroizing::new(check.to_vec()));
        let rolled = self.roll_slots(id, Some(slot), None, random);
        // With a roll that is in place nothing is pending.
        self.pending.remove(&MACHINE_HALF);
        rolled
    }
}
