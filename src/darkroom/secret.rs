//! Changing what proves a right to the vault.

use crate::Error;
use crate::export::vault_failure;
use crate::room::Darkroom;
use crate::step::{After, reach};
use crate::who::Who;
use audit::words::Proof;
use audit::{Digest, Event, Job};
use vault::{KdfParams, Random, RecoveryCode, Rolled, Secret, SlotKind, State, Vault};

impl Darkroom {
    /// Sets a new passphrase. `proof` is the old one or the recovery code; an open vault does not spare it.
    ///
    /// # Errors
    /// A wrong proof (put on record), a weak passphrase, or what vault and log say.
    pub fn change_secret(&mut self, who: &Who, proof: &Secret, new: &Secret) -> Result<(), Error> {
        self.vault_of(who)?;
        let by = match self.authenticate(proof)?.kind {
            SlotKind::Recovery => Proof::Recovery,
            _ => Proof::Passphrase,
        };
        self.change(who, by, |vault, kdf, random| Ok((vault.change_secret(proof, new, kdf, random)?, ())))
    }

    /// Draws a new recovery code; the old one opens nothing afterwards.
    ///
    /// # Errors
    /// [`Error::Locked`], or what vault and log say.
    pub fn replace_recovery(&mut self, who: &Who) -> Result<RecoveryCode, Error> {
        self.change(who, Proof::Passphrase, |vault, kdf, random| vault.replace_recovery(kdf, random))
    }

    /// Intent, roll, outcome.
    fn change<T>(
        &mut self,
        who: &Who,
        by: Proof,
        roll: impl FnOnce(&mut Vault, KdfParams, &mut dyn Random) -> Result<(Rolled, T), vault::Error>,
    ) -> Result<T, Error> {
        self.end_old_key()?;
        let kdf = self.kdf;
        let (open, random, log) = self.parts(who)?;
        let job = Job::random()?;
        let entry = |event: Event| event.by(who.actor).job(job);
        log.append(&[entry(Event::VaultSecretRequested { by })])?;
        open.cover_with_next(log)?;
        let rolled = roll(&mut open.vault, kdf, random);
        let (rolled, value) = match open.rolled(rolled, log)? {
            Ok(done) => done,
            Err(error) => {
                let reason = vault_failure(&error);
                log.append(&[entry(Event::VaultSecretFailed { reason }).failed()])?;
                return Err(error.into());
            }
        };
        reach(After::Rolled)?;
        let State { epoch, seq, root } = rolled.state;
        let changed = Event::VaultSecretChanged {
            slot: rolled.slot.0.into(),
            by,
            vault_epoch: epoch,
            vault_seq: seq,
            vault_root: Digest(root),
        };
        match log.append(&[entry(changed)]) {
            Ok(_) => Ok(value),
            Err(source) => {
                open.unsettled = true;
                Err(Error::Unrecorded { done: "the new secret is set".into(), source })
            }
        }
    }
}
