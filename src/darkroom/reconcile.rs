//! What earlier sessions left: requests without an outcome, a key that could not be wiped, files that somebody removed.
//!
//! It is judged at every unlock, by what the vault holds now and by where it stood at the request's own record.

use crate::erase::append_all;
use crate::metadata::{Metadata, ciphertext_mac, pseudonym};
use crate::room::{Darkroom, Open, grade};
use crate::{Act, Error, Who, whose};
use audit::words::{Found, IntentKind, RollReason};
use audit::{Digest, Entry, Event, Log, Object, OpenIntent, Order, VaultState};
use std::collections::BTreeSet;
use vault::{DamagedCopy, ObjectId, RemainingKey, State, Vault};

/// The records that close an intent, with what was found, and how many objects that was about.
pub(crate) type Late = (Vec<Entry>, Found, u64);
/// Pseudonyms.
type Objects = BTreeSet<[u8; 16]>;

impl Darkroom {
    /// Called once the vault is open: finishes and records what the past left open.
    pub(crate) fn reconcile(&mut self) -> Result<(), Error> {
        let past = self.log.unfinished()?;
        // The first of these records names the vault's new state. A crash between them leaves the rest to the next unlock.
        let mut entries = self.finish_roll(past.vault)?;
        for intent in past.open_intents {
            if !self.in_work.contains(&intent.job) {
                entries.extend(self.look_into(&intent)?);
            }
        }
        append_all(&self.log, &entries)?;
        self.report_missing()
    }

    /// What was found about the vault's own files, before anything is written in their place.
    pub(crate) fn report_damage(&mut self) -> Result<(), Error> {
        let (open, _, log) = self.open_parts()?;
        let found =
            |copy: DamagedCopy| (copy.found_sha256.map_or_else(|| Digest::of(&[]), Digest), copy.found_bytes);
        let healed = open.vault.healed().map(found);
        let healed =
            healed.map(|(found_sha256, found_bytes)| Event::VaultHealed { found_sha256, found_bytes });
        let mirror = open.vault.damaged_mirror().map(found);
        let mirror =
            mirror.map(|(found_sha256, found_bytes)| Event::VaultMirrorDamaged { found_sha256, found_bytes });
        let entries: Vec<_> = healed.into_iter().chain(mirror).map(Event::by_system).collect();
        append_all(log, &entries).map(drop)
    }

    /// A key that remains keeps nobody out; it is reported as long as it does.
    pub(crate) fn report_old_key(&mut self) -> Result<(), Error> {
        let (open, _, log) = self.open_parts()?;
        match open.wipe_old_key(log) {
            Err(Error::Vault(_)) => Ok(()),
            other => other.map(drop),
        }
    }

    /// Nothing more is destroyed while a key remains that should be gone. What waited for its end is closed.
    pub(crate) fn end_old_key(&mut self) -> Result<(), Error> {
        let (open, _, log) = self.open_parts()?;
        match open.wipe_old_key(log) {
            Ok(true) => self.reconcile(),
            Ok(false) => Ok(()),
            // Nothing was destroyed with it, and the next roll overwrites it.
            Err(Error::Vault(_))
                if matches!(open.vault.remaining_key(), Some(RemainingKey::Unused { .. })) =>
            {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Every act is a chance for a key that remains; where there is none, this costs nothing. That it remains is on record
    /// already, and keeps nobody from anything but destroying more.
    pub(crate) fn retry_old_key(&mut self) -> Result<(), Error> {
        let (open, ..) = self.open_parts()?;
        if open.unsettled || open.vault.remaining_key().is_none() || open.vault.wipe_old_key().is_err() {
            return Ok(());
        }
        self.end_old_key()
    }

    /// The record of a roll that the log does not know of; its leftovers are removed.
    fn finish_roll(&mut self, known: Option<VaultState>) -> Result<Vec<Entry>, Error> {
        let (open, ..) = self.open_parts()?;
        let state = open.vault.state();
        if known.is_none_or(|known| state.epoch <= known.epoch) {
            return Ok(Vec::new());
        }
        // What cannot be removed now opens for nobody, and is removed at another time.
        let _ = open.vault.sweep();
        Ok(vec![roll_record(RollReason::Recovery, state)])
    }

    /// The records that close an intent; none if it is not to be closed yet.
    fn look_into(&mut self, intent: &OpenIntent) -> Result<Vec<Entry>, Error> {
        let (mut entries, found, objects) = match intent.kind {
            IntentKind::Generate => {
                if self.open_vault()?.vault.outputs().is_err() {
                    return Ok(Vec::new()); // what lies in the folder can be told once it is back
                }
                self.look_for_pictures(intent)?
            }
            // Neither done nor not done, until that key is gone.
            IntentKind::Erase | IntentKind::Secret | IntentKind::Name
                if self.open_vault()?.vault.notices().contains(&vault::Notice::OldKeyRemains) =>
            {
                return Ok(Vec::new());
            }
            IntentKind::Erase => self.look_for_erased(intent)?,
            IntentKind::Name => self.look_for_name(intent)?,
            IntentKind::Secret => match self.has_rolled_since(intent)? {
                Some(true) => {
                    let is_code = |info: vault::SlotInfo| {
                        info.kind == vault::SlotKind::Recovery && intent.slot == Some(info.id.0.into())
                    };
                    let (open, ..) = self.open_parts()?;
                    open.is_code_unseen |= open.vault.slot_infos().any(is_code);
                    (self.late_change(intent)?, Found::Done, 0)
                }
                Some(false) => (Vec::new(), Found::Nothing, 0),
                None => (Vec::new(), Found::Unknown, 0),
            },
            // Whether the copy was written whole cannot be seen from here.
            _ => (Vec::new(), Found::Unknown, 0),
        };
        let reconciled = Event::RecoveryReconciled { kind: intent.kind, found, objects };
        entries.push(reconciled.by_system().job(intent.job));
        Ok(entries)
    }

    /// The pictures of a request that the vault holds, with the records that they lack.
    fn look_for_pictures(&mut self, intent: &OpenIntent) -> Result<Late, Error> {
        let vault = &self.open_vault()?.vault;
        let job = intent.job.to_string();
        let of_job = |entry: &&vault::ObjectInfo| Metadata::of(entry).is_some_and(|m| m.job == job);
        let (mut entries, mut count) = (Vec::new(), 0);
        for entry in vault.list().filter(of_job) {
            count += 1;
            let object = pseudonym(entry.id, entry.salt);
            // Only what opens is put on record as a picture.
            if !intent.objects_seen.contains(&object) && vault.open_content(entry.id).is_ok() {
                entries.extend(late_record(vault, entry, object, intent));
            }
        }
        // Pictures that were made and erased since are counted by their records.
        Ok((entries, share(count.max(intent.objects_done), intent.objects), count))
    }

    /// An erasure is one roll: it happened for all of its objects or for none. Those that the request names are on record
    /// as erased if the vault no longer holds them.
    fn look_for_erased(&mut self, intent: &OpenIntent) -> Result<Late, Error> {
        let vault = &self.open_vault()?.vault;
        let held: Objects = vault.list().map(|e| pseudonym(e.id, e.salt).0).collect();
        let named = &intent.objects_named;
        let gone: Vec<Object> = named.iter().copied().filter(|object| !held.contains(&object.0)).collect();
        let happened = match named.len() as u64 == intent.objects {
            true => gone.len() == named.len(),
            // A log from before objects were named.
            false => intent.objects_done > 0 || self.has_rolled_since(intent)? == Some(true),
        };
        if !happened {
            return Ok((Vec::new(), Found::Nothing, 0));
        }
        let State { epoch, seq, root } = vault.state();
        let erased = Event::ObjectErased {
            grade: grade(vault.grade()),
            vault_epoch: epoch,
            vault_seq: seq,
            vault_root: Digest(root),
            cleanup_pending: false,
        };
        let unrecorded = gone.iter().filter(|object| !intent.objects_seen.contains(object));
        let entries =
            unrecorded.map(|object| erased.by(intent.actor).object(*object).job(intent.job)).collect();
        Ok((entries, Found::Done, intent.objects))
    }

    /// `vault.secret_changed` for a slot that was changed just before a crash, or that it was added or removed; none if its request names no slot, in a log
    /// from before they did.
    fn late_change(&self, intent: &OpenIntent) -> Result<Vec<Entry>, Error> {
        let State { epoch, seq, root } = self.open_vault()?.vault.state();
        let (vault_epoch, vault_seq, vault_root) = (epoch, seq, Digest(root));
        let changed = |(slot, by)| match intent.role {
            Some(role) if intent.removes => {
                Event::SlotRemoved { slot, role, vault_epoch, vault_seq, vault_root }
            }
            Some(role) => Event::SlotAdded { slot, role, vault_epoch, vault_seq, vault_root },
            None => Event::VaultSecretChanged { slot, by, vault_epoch, vault_seq, vault_root },
        };
        let named = intent.slot.zip(intent.proof).map(changed);
        Ok(named.map(|event| event.by(intent.actor).job(intent.job)).into_iter().collect())
    }

    /// Whether the vault was rolled since the request; `None` if its record does not tell.
    fn has_rolled_since(&self, intent: &OpenIntent) -> Result<Option<bool>, Error> {
        let epoch = self.open_vault()?.vault.state().epoch;
        Ok(intent.vault.map(|known| epoch > known.epoch))
    }

    /// Takes the folder of sealed files for this vault's as it is, on the word of `who`: what is not there is missing from
    /// here on. The pictures without a file, each of which is on record by then.
    ///
    /// # Errors
    /// [`Error::Locked`], or what vault and log say.
    pub fn accept_missing(&mut self, who: &Who) -> Result<Vec<ObjectId>, Error> {
        self.parts(who, Act::CheckPictures)?.0.vault.adopt_outputs()?;
        // First, so that the acceptance is of what is on record before it.
        self.report_missing()?;
        let (open, _, log) = self.parts(who, Act::CheckPictures)?;
        let missing = open.vault.missing()?;
        log.append(&[Event::OutputsAccepted { missing: missing.len() as u64 }.by(who.actor)])?;
        Ok(missing)
    }

    /// The pictures without a sealed file whose loss somebody has accepted: they are no news.
    ///
    /// # Errors
    /// [`Error::Locked`], or what vault and log say.
    pub fn accepted_missing(&self, who: &Who) -> Result<Vec<ObjectId>, Error> {
        let vault = self.vault_of(who, Act::OwnPictures)?;
        let mut missing = vault.missing()?;
        missing.retain(|id| whose::picture(vault, who, *id).is_ok());
        if missing.is_empty() {
            return Ok(missing);
        }
        let (_, accepted) = self.missing_on_record()?;
        missing.retain(|id| {
            vault.get(*id).is_ok_and(|entry| accepted.contains(&pseudonym(entry.id, entry.salt).0))
        });
        Ok(missing)
    }

    /// Which pictures the log calls missing, and which of them were before somebody accepted that. Reads the whole log.
    fn missing_on_record(&self) -> Result<(Objects, Objects), Error> {
        let (is_missing, is_accepted) = (Event::ObjectMissing {}, Event::OutputsAccepted { missing: 0 });
        let (mut known, mut accepted) = (Objects::new(), Objects::new());
        for stored in audit::records(&self.folders.audit, Order::OldestFirst)? {
            let stored = stored?;
            if stored.name == is_missing.name() {
                known.extend(stored.object.map(|object| object.0));
            } else if stored.name == is_accepted.name() {
                accepted.clone_from(&known);
            }
        }
        Ok((known, accepted))
    }

    /// Each sealed file that somebody removed by hand is put on record once.
    fn report_missing(&mut self) -> Result<(), Error> {
        let missing = match self.open_vault()?.vault.missing() {
            // A folder that is absent, another one, or closed says nothing about any file: nothing is recorded.
            Err(error) if is_of_outputs(&error) => return Ok(()),
            missing => missing?,
        };
        if missing.is_empty() {
            return Ok(());
        }
        let (known, _) = self.missing_on_record()?;
        let event = Event::ObjectMissing {};
        let (open, _, log) = self.open_parts()?;
        for id in missing {
            let object = pseudonym(id, open.vault.get(id)?.salt);
            if !known.contains(&object.0) {
                log.append(&[event.by_system().object(object).failed()])?;
            }
        }
        Ok(())
    }
}

impl Open {
    /// Wipes the key of another epoch, if there is one. Whether one is gone that was on record as remaining; both are on
    /// record.
    fn wipe_old_key(&mut self, log: &Log) -> Result<bool, Error> {
        let known = log.unfinished()?;
        if let Err(error) = self.vault.wipe_old_key() {
            self.record_remaining_key(log)?;
            return Err(error.into());
        }
        let remained = known.key_remains.or(known.key_unused);
        if let Some(key_epoch) = remained {
            log.append(&[Event::VaultKeyWiped { key_epoch }.by_system()])?;
        }
        Ok(remained.is_some())
    }

    fn record_remaining_key(&self, log: &Log) -> Result<(), Error> {
        let event = match self.vault.remaining_key() {
            Some(RemainingKey::Ended { epoch }) => Event::VaultKeyRemains { key_epoch: epoch },
            Some(RemainingKey::Unused { epoch }) => Event::VaultKeyUnused { key_epoch: epoch },
            None => return Ok(()),
        };
        log.append(&[event.by_system().failed()])?;
        Ok(())
    }

    /// What a roll came to, if that can be told. Otherwise its intent stays open, and a later unlock says what became of
    /// it: the new state may or may not be in place, or it is and the old key remains.
    pub(crate) fn rolled<T>(
        &mut self,
        rolled: Result<T, vault::Error>,
        log: &Log,
    ) -> Result<Result<T, vault::Error>, Error> {
        match rolled {
            Err(error @ vault::Error::Unfinished(_)) => {
                self.record_remaining_key(log)?;
                Err(error.into())
            }
            Err(error) if self.vault.is_poisoned() => {
                self.unsettled = true;
                Err(error.into())
            }
            told => {
                // A roll that could not write its key may not have been able to take it back.
                self.record_remaining_key(log)?;
                Ok(told)
            }
        }
    }
}

/// The record of a roll that nobody asked for.
pub(crate) fn roll_record(reason: RollReason, state: State) -> Entry {
    let State { epoch, seq, root } = state;
    Event::VaultRolled { reason, vault_epoch: epoch, vault_seq: seq, vault_root: Digest(root) }.by_system()
}

/// Whether an error is about the folder of sealed files as a whole.
fn is_of_outputs(error: &vault::Error) -> bool {
    use vault::Error as E;
    matches!(
        error,
        E::OutputsAbsent(_) | E::OutputsNotOurs(_) | E::OutputsForbidden(_) | E::OutputsUnreadable { .. }
    )
}

fn share(done: u64, wanted: u64) -> Found {
    match done {
        0 => Found::Nothing,
        n if n < wanted => Found::Partial,
        _ => Found::Done,
    }
}

/// `object.sealed` for a picture that was sealed just before a crash.
fn late_record(
    vault: &Vault,
    entry: &vault::ObjectInfo,
    object: Object,
    intent: &OpenIntent,
) -> Option<Entry> {
    let sha256 = vault.ciphertext_sha256(entry.id).ok()?;
    let metadata = Metadata::of(entry)?;
    let State { epoch, seq, root } = vault.state();
    let event = Event::ObjectSealed {
        width: metadata.width,
        height: metadata.height,
        ciphertext_mac: ciphertext_mac(entry.salt, sha256),
        vault_epoch: epoch,
        vault_seq: seq,
        vault_root: Digest(root),
    };
    Some(event.by(intent.actor).object(object).job(intent.job))
}
