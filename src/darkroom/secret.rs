//! Changing what proves a right to the vault.

use crate::Error;
use crate::error::vault_failure;
use crate::pending::{MARK_RESETS, take_back};
use crate::rights::Act;
use crate::room::Darkroom;
use crate::step::{After, reach};
use crate::who::{Role, Who};
use audit::words::{Left, Proof};
use audit::{Digest, Event, JobId};
use std::collections::BTreeSet;
use vault::{KdfParams, Random, RecoveryCode, Rolled, Secret, SlotId, SlotKind, State, Vault};

/// What a roll changes about a slot.
#[derive(Clone, Copy)]
pub(crate) enum Change<'a> {
    /// Its secret, or what it is called.
    Secret,
    /// Whether its passphrase opens the vault together with the machine secret alone.
    Half(bool),
    /// The slots of which any two open the vault together; those of nobody, where each opens it alone.
    Joint(&'a BTreeSet<SlotId>),
    /// It is new.
    Added(Role),
    /// It goes.
    Removed {
        /// What it gave.
        role: Role,
        /// What becomes of the pictures, and whose they are then; 0 for nobody's.
        left: Option<(Left, u16)>,
    },
}

impl Change<'_> {
    /// What stands beside the intent, so that whoever finds it without an outcome can tell all of it.
    fn named(self, slot: u32) -> Vec<Event> {
        match self {
            Self::Secret | Self::Half(_) | Self::Joint(_) => vec![],
            Self::Added(role) => vec![Event::SlotAddNamed { slot, role }],
            Self::Removed { role, left } => {
                let left = left.map(|(left, to)| Event::SlotPictures { slot, left, to: to.into() });
                [Event::SlotRemoveNamed { slot, role }].into_iter().chain(left).collect()
            }
        }
    }

    /// The slots of those who open the vault with others alone, before it or from then on, and which of both.
    fn joint(self, vault: &Vault) -> Vec<Event> {
        let Self::Joint(holders) = self else { return vec![] };
        let slots = vault.holders().union(holders).copied().collect::<Vec<_>>();
        let event = |slot: &SlotId| Event::SlotJoint { slot: slot.0.into(), needed: holders.contains(slot) };
        slots.iter().map(event).collect()
    }

    /// Whether the passphrase of the slot opens the vault together with the machine secret alone from then on. `None` where that was
    /// not so and will not be.
    fn half(self, vault: &Vault, slot: SlotId, by: Proof) -> Option<bool> {
        let there = vault.slot_infos().find(|info| info.id == slot);
        let was = there.is_some_and(|info| info.kind == SlotKind::PassphraseAndMachine);
        let is_passphrase = match self {
            Self::Half(_) => true,
            Self::Secret => there.is_some_and(|info| info.kind.is_persons()),
            Self::Added(role) => role != Role::Machine,
            Self::Removed { .. } | Self::Joint(_) => false,
        };
        let proven = if by == Proof::Recovery { SlotKind::Recovery } else { SlotKind::Passphrase };
        let will = match self {
            Self::Half(needed) => needed,
            _ => vault.will_ask_half(proven).unwrap_or(was), // otherwise the roll says so
        };
        (is_passphrase && (was || will)).then_some(will)
    }
}

impl Darkroom {
    /// Sets a new passphrase. `proof` is the old one or the recovery code; an open vault does not spare it.
    ///
    /// # Errors
    /// A wrong proof (put on record), a weak passphrase, or what vault and log say.
    pub fn change_secret(&mut self, who: &Who, proof: &Secret, new: &Secret) -> Result<(), Error> {
        let act = match who.role() {
            Role::Recovery => Act::AnyPassphrase,
            _ => Act::OwnPassphrase,
        };
        self.vault_of(who, act)?;
        let proven = match who.role() {
            Role::Recovery => self.authenticate(proof)?,
            _ if !self.vault_of(who, act)?.has_names() => self.authenticate(proof)?,
            _ => self.prove(who, proof, act)?,
        };
        let by = match proven.kind {
            SlotKind::Recovery => Proof::Recovery,
            _ => Proof::Passphrase,
        };
        let slot = self.vault_of(who, act)?.slot_to_change(proven, proof).map(|slot| slot.id);
        // Said before it is asked for, since there is nothing that could be asked for.
        if let Err(error @ (vault::Error::NameNeeded | vault::Error::UnknownName)) = slot {
            return Err(error.into());
        }
        // Who has the recovery code could be two people where an act takes two.
        let reset = match (&slot, by) {
            (Ok(slot), Proof::Recovery) => Some(self.reset_mark(*slot)?),
            _ => None,
        };
        self.change(who, act, by, slot, Change::Secret, |vault, kdf, random| {
            if let Some((_, after)) = &reset {
                vault.remember(MARK_RESETS, after)?;
            }
            let changed = vault.change_secret(proof, new, kdf, random);
            if let (Err(_), Some((before, after))) = (&changed, &reset) {
                take_back(vault, MARK_RESETS, after, before);
            }
            Ok((changed?, ()))
        })
    }

    /// Draws a new recovery code; the old one opens nothing afterwards.
    ///
    /// # Errors
    /// [`Error::Locked`]; two people open the vault together, and it is asked for by one: refused, on record; or what vault and log say.
    pub fn replace_recovery(&mut self, who: &Who) -> Result<RecoveryCode, Error> {
        let act = Act::NewRecoveryCode;
        self.check_two(who, act)?;
        let slot = self.vault_of(who, act)?.recovery_slot();
        let code = self.change(who, act, Proof::Passphrase, slot, Change::Secret, |vault, kdf, random| {
            vault.replace_recovery(kdf, random)
        })?;
        self.parts(who, act)?.0.is_code_unseen = false;
        Ok(code)
    }

    /// Intent, roll, outcome. The intent names the slot, so that whoever finds it without an outcome can tell all of it;
    /// where there is none, the roll says so.
    pub(crate) fn change<T>(
        &mut self,
        who: &Who,
        act: Act,
        by: Proof,
        slot: Result<SlotId, vault::Error>,
        change: Change<'_>,
        roll: impl FnOnce(&mut Vault, KdfParams, &mut dyn Random) -> Result<(Rolled, T), vault::Error>,
    ) -> Result<T, Error> {
        self.end_old_key()?;
        let kdf = self.kdf;
        let (open, random, log) = self.parts(who, act)?;
        let job = JobId::random()?;
        let entry = |event: Event| event.by(who.actor).job(job);
        let mut intent = vec![entry(Event::VaultSecretRequested { by })];
        if let Ok(slot) = slot {
            let half = change.half(&open.vault, slot, by);
            let joint = change.joint(&open.vault);
            let slot = slot.0.into();
            intent.push(entry(Event::VaultSecretNamed { slot }));
            intent.extend(change.named(slot).into_iter().map(entry));
            intent.extend(joint.into_iter().map(entry));
            intent.extend(half.map(|needed| entry(Event::SlotMachineHalf { slot, needed })));
        }
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
        let (slot, vault_epoch, vault_seq, vault_root) = (rolled.slot.0.into(), epoch, seq, Digest(root));
        let (changed, done) = match change {
            Change::Secret | Change::Half(_) | Change::Joint(_) => (
                Event::VaultSecretChanged { slot, by, vault_epoch, vault_seq, vault_root },
                "the new secret is set",
            ),
            Change::Added(role) => {
                let what = match role {
                    Role::Machine => "the machine secret is added",
                    _ => "this person is added",
                };
                (Event::SlotAdded { slot, role, vault_epoch, vault_seq, vault_root }, what)
            }
            Change::Removed { role, .. } => {
                let what = match role {
                    Role::Machine => "the machine secret is removed",
                    _ => "this person is removed",
                };
                (Event::SlotRemoved { slot, role, vault_epoch, vault_seq, vault_root }, what)
            }
        };
        match log.append(&[entry(changed)]) {
            Ok(_) => Ok(value),
            Err(source) => {
                open.unsettled = true;
                Err(Error::Unrecorded { done: done.into(), source })
            }
        }
    }
}
