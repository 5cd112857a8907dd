//! Who may open the vault: proving a right, and changing what proves it.

use crate::Error;
use crate::room::Darkroom;
use crate::step::{After, reach};
use audit::words::Proof;
use audit::{Digest, Event};
use vault::{RecoveryCode, Secret, SlotInfo, SlotKind, State};

impl Darkroom {
    /// Sets a new passphrase. `proof` is the old one or the recovery code.
    ///
    /// # Errors
    /// A wrong proof (put on record), a weak passphrase, or what vault and log say.
    pub fn change_secret(&mut self, proof: &Secret, new: &Secret) -> Result<(), Error> {
        let kdf = self.kdf;
        let slot = match self.is_open() {
            false => self.unlock(proof)?,
            true => self.authenticate(proof)?,
        };
        let by = if slot.kind == SlotKind::Recovery { Proof::Recovery } else { Proof::Passphrase };
        let (open, random, log) = self.parts()?;
        let rolled = open.vault.change_secret(proof, new, kdf, random);
        let rolled =
            rolled.inspect_err(|error| open.unsettled |= matches!(error, vault::Error::Unfinished(_)))?;
        reach(After::Rolled)?;
        log.append(&[secret_changed(rolled, by).by(open.actor)])?;
        Ok(())
    }

    /// Whose secret this is, while the vault is open. A wrong one is put on record before it is answered.
    pub(crate) fn authenticate(&mut self, secret: &Secret) -> Result<SlotInfo, Error> {
        let (open, _, log) = self.parts()?;
        let found = open.vault.authenticate(secret);
        if matches!(found, Err(vault::Error::WrongSecret)) {
            log.append(&[Event::VaultUnlockFailed {}.by_system().denied()])?;
        }
        Ok(found?)
    }

    /// Draws a new recovery code; the old one opens nothing afterwards.
    ///
    /// # Errors
    /// [`Error::Locked`], or what vault and log say.
    pub fn replace_recovery(&mut self) -> Result<RecoveryCode, Error> {
        let kdf = self.kdf;
        let (open, random, log) = self.parts()?;
        let drawn = open.vault.replace_recovery(kdf, random);
        let (rolled, code) =
            drawn.inspect_err(|error| open.unsettled |= matches!(error, vault::Error::Unfinished(_)))?;
        reach(After::Rolled)?;
        log.append(&[secret_changed(rolled, Proof::Passphrase).by(open.actor)])?;
        Ok(code)
    }
}

fn secret_changed(rolled: vault::Rolled, by: Proof) -> Event {
    let State { epoch, seq, root } = rolled.state;
    let slot = rolled.slot.0.into();
    Event::VaultSecretChanged { slot, by, vault_epoch: epoch, vault_seq: seq, vault_root: Digest(root) }
}
