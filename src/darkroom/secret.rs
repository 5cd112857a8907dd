//! Changing what proves a right to the vault.

use crate::Error;
use crate::export::vault_failure;
use crate::room::Darkroom;
use crate::step::{After, reach};
use crate::who::Who;
use audit::words::Proof;
use audit::{Digest, Event, JobId};
use vault::{KdfParams, Random, RecoveryCode, Rolled, Secret, SlotId, SlotKind, State, Vault};

impl Darkroom {
    /// Sets a new passphrase. `proof` is the old one or the recovery code; an open vault does not spare it.
    ///
    /// # Errors
    /// A wrong proof (put on record), a weak passphrase, or what vault and log say.
    pub fn change_secret(&mut self, who: &Who, proof: &Secret, new: &Secret) -> Result<(), Error> {
        self.vault_of(who)?;
        let proven = self.authenticate(proof)?;
        let by = match proven.kind {
            SlotKind::Recovery => Proof::Recovery,
            _ => Proof::Passphrase,
        };
        let slot = self.vault_of(who)?.slot_to_change(proven).map(|slot| slot.id);
        self.change(who, by, slot, |vault, kdf, random| {
            Ok((vault.change_secret(proof, new, kdf, random)?, ()))
        })
    }

    /// Draws a new recovery code; the old one opens nothing afterwards.
    ///
    /// # Errors
    /// [`Error::Locked`], or what vault and log say.
    pub fn replace_recovery(&mut self, who: &Who) -> Result<RecoveryCode, Error> {
        let slot = self.vault_of(who)?.recovery_slot();
        self.change(who, Proof::Passphrase, slot, |vault, kdf, random| vault.replace_recovery(kdf, random))
    }

    /// Intent, roll, outcome. The intent names the slot, so that whoever finds it without an outcome can tell all of it;
    /// where there is none, the roll says so.
    fn change<T>(
        &mut self,
        who: &Who,
        by: Proof,
        slot: Result<SlotId, vault::Error>,
        roll: impl FnOnce(&mut Vault, KdfParams, &mut dyn Random) -> Result<(Rolled, T), vault::Error>,
    ) -> Result<T, Error> {
        self.end_old_key()?;
        let kdf = self.kdf;
        let (open, random, log) = self.parts(who)?;
        let job = JobId::random()?;
        let entry = |event: Event| event.by(who.actor).job(job);
        let mut intent = vec![entry(Event::VaultSecretRequested { by })];
        intent.extend(slot.ok().map(|slot| entry(Event::VaultSecretNamed { slot: slot.0.into() })));
        log.append(&intent)?;
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
