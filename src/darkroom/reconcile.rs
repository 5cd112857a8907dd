//! What a crash left: requests without an outcome, and files that somebody else removed.

use crate::Error;
use crate::metadata::{Metadata, pseudonym};
use crate::room::{Darkroom, rolled_in_recovery};
use audit::words::{Found, IntentKind};
use audit::{Digest, Entry, Event, Object, OpenIntent};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::path::Path;
use vault::State;

impl Darkroom {
    /// Called once the vault is open: finishes and records what the past left open.
    pub(crate) fn reconcile(&mut self) -> Result<(), Error> {
        // One append, so that a crash in the middle leaves all of it to the next unlock: the first of these records
        // names the vault's new state, by which the others are judged.
        if let Some(recovery) = self.recovery.clone() {
            let mut entries = self.finish_roll(recovery.vault)?;
            for intent in recovery.open_intents {
                entries.extend(self.look_into(&intent, recovery.vault.map(|known| known.epoch))?);
            }
            for some in entries.chunks(audit::ENTRIES_MAX as usize) {
                self.log.append(some)?;
            }
            self.recovery = None;
        }
        self.report_missing()
    }

    /// The record of a roll that the log does not know of; its leftovers are removed.
    fn finish_roll(&mut self, known: Option<audit::VaultState>) -> Result<Vec<Entry>, Error> {
        let (open, ..) = self.parts()?;
        let state = open.vault.state();
        if known.is_some_and(|known| state.epoch > known.epoch) {
            open.vault.sweep()?;
            return Ok(vec![rolled_in_recovery(open.vault.state()).by_system()]);
        }
        Ok(Vec::new())
    }

    /// The records that close an intent.
    fn look_into(&mut self, intent: &OpenIntent, epoch_known: Option<u64>) -> Result<Vec<Entry>, Error> {
        let outputs = self.places.outputs.clone();
        let (open, ..) = self.parts()?;
        let mut entries = Vec::new();
        let (found, objects) = match intent.kind {
            IntentKind::Generate => {
                let job = intent.job.to_string();
                let of_job = |entry: &&vault::Entry| Metadata::of(entry).is_some_and(|m| m.job == job);
                let mut count = 0;
                for entry in open.vault.list().filter(of_job) {
                    count += 1;
                    let object = pseudonym(entry.id, entry.salt);
                    // Only what opens is put on record as a picture.
                    if !intent.objects_seen.contains(&object) && open.vault.open_content(entry.id).is_ok() {
                        entries.extend(late_record(entry, &outputs, open.vault.state(), object, intent));
                    }
                }
                // Pictures that were made and erased since are counted by their records.
                (share(count.max(intent.objects_done), intent.objects), count)
            }
            // An erasure is one roll: it happened for all of its objects or for none.
            IntentKind::Erase => match epoch_known.is_some_and(|known| open.vault.state().epoch > known) {
                true => (Found::Done, intent.objects),
                false if intent.objects_done > 0 => (Found::Done, intent.objects),
                false => (Found::Nothing, 0),
            },
            // Whether the copy was written whole cannot be seen from here.
            _ => (Found::Unknown, 0),
        };
        let reconciled = Event::RecoveryReconciled { kind: intent.kind, found, objects };
        entries.push(reconciled.by_system().job(intent.job));
        Ok(entries)
    }

    /// Each sealed file that somebody removed by hand is put on record once.
    fn report_missing(&mut self) -> Result<(), Error> {
        let audit = self.places.audit.clone();
        let (open, _, log) = self.parts()?;
        let missing = open.vault.missing();
        if missing.is_empty() {
            return Ok(());
        }
        // Only now, as it reads the whole log.
        let known: BTreeSet<String> = audit::tail(&audit, u64::MAX)?
            .iter()
            .filter(|line| line.split(' ').nth(2) == Some("object.missing"))
            .filter_map(|line| line.split(' ').find(|part| part.starts_with("o:")).map(str::to_owned))
            .collect();
        for id in missing {
            let object = pseudonym(id, open.vault.get(id)?.salt);
            if !known.contains(&object.to_string()) {
                log.append(&[Event::ObjectMissing {}.by_system().object(object).failed()])?;
            }
        }
        Ok(())
    }
}

fn share(done: u64, wanted: u64) -> Found {
    match done {
        0 => Found::Nothing,
        n if n < wanted => Found::Partial,
        _ => Found::Done,
    }
}

/// `object.created` for a picture that was sealed just before a crash.
fn late_record(
    entry: &vault::Entry,
    outputs: &Path,
    state: State,
    object: Object,
    intent: &OpenIntent,
) -> Option<Entry> {
    let sealed = std::fs::read(outputs.join(format!("{}{}", entry.name, vault::SUFFIX))).ok()?;
    let metadata = Metadata::of(entry)?;
    let State { epoch, seq, root } = state;
    let event = Event::ObjectCreated {
        width: metadata.width,
        height: metadata.height,
        ciphertext_sha256: Digest(Sha256::digest(&sealed).into()),
        ciphertext_bytes: sealed.len() as u64,
        vault_epoch: epoch,
        vault_seq: seq,
        vault_root: Digest(root),
    };
    Some(event.by(intent.actor).object(object).job(intent.job))
}
