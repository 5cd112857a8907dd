//! Requests without an outcome: what a crash leaves, and what the next start has to look into.

use crate::error::Error;
use crate::record::Record;
use crate::stored::{Order, Stored, records};
use crate::token::{Actor, Digest, JobId, Object, id_bytes, unhex};
use crate::words::{IntentKind, Proof, Role};
use std::path::Path;

/// A request that is on record without its outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenIntent {
    /// Which request.
    pub kind: IntentKind,
    /// Its job; `recovery.reconciled` of the same job closes it.
    pub job: JobId,
    /// The record of the request.
    pub seq: u64,
    /// When, in milliseconds since 1970.
    pub ts_ms: u64,
    /// Who asked.
    pub actor: Actor,
    /// The object, if the request names one.
    pub object: Option<Object>,
    /// How many objects the request is about (pictures, objects to erase, or one).
    pub objects: u64,
    /// How many of them are on record already.
    pub objects_done: u64,
    /// Their pseudonyms.
    pub objects_seen: Vec<Object>,
    /// The pseudonyms that an erasure names beside its request.
    pub objects_named: Vec<Object>,
    /// What proved the right to a new secret.
    pub proof: Option<Proof>,
    /// The number of the slot that is to have it, or whose person's name is to go.
    pub slot: Option<u32>,
    /// The role of that slot, if it is to be added or removed.
    pub role: Option<Role>,
    /// Whether it is to be removed.
    pub removes: bool,
    /// Where the vault stood at the request, as far as the log knew: by this it is judged what became of it.
    pub vault: Option<VaultState>,
}

/// Where the vault stood, as a record names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VaultState {
    /// Its epoch.
    pub epoch: u64,
    /// Its entry count.
    pub seq: u64,
    /// Its root.
    pub root: Digest,
}

/// A backup that may exist: it was begun, and nobody says that it failed or is destroyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KnownBackup {
    /// Its name: the job of its records.
    pub job: JobId,
    /// The record of its beginning.
    pub seq: u64,
    /// When, in milliseconds since 1970.
    pub ts_ms: u64,
    /// How many pictures there were.
    pub objects: u64,
    /// Its size and digest, once it was whole.
    pub written: Option<(u64, Digest)>,
}

impl KnownBackup {
    /// Takes in the next record of a log, in its order: what it makes of the backups that may exist.
    pub fn see(stored: &Stored, backups: &mut Vec<Self>) {
        let Some(job) = stored.job.filter(|_| stored.name.starts_with("backup.")) else { return };
        let int = |field| stored.int(field).and_then(|n| n.try_into().ok());
        let objects = int("objects").unwrap_or(0);
        let written = int("bytes").zip(stored.digest("sha256"));
        let this = Self { job, seq: stored.seq, ts_ms: stored.ts_ms, objects, written };
        this.follow(&stored.name, backups);
    }

    /// What a record of this type, with what it says of a backup, makes of those that may exist.
    fn follow(self, name: &str, backups: &mut Vec<Self>) {
        match name {
            "backup.begun" => backups.push(self),
            "backup.written" => {
                let same = backups.iter_mut().filter(|backup| backup.job == self.job);
                same.for_each(|backup| backup.written = self.written);
            }
            "backup.failed" | "backup.destroyed" => backups.retain(|backup| backup.job != self.job),
            _ => {}
        }
    }
}

/// Backups that may exist by the log in `dir`, oldest first. Not verified, and beside a running writer.
///
/// # Errors
/// As [`crate::records`], and the first record that cannot be read.
pub fn backups(dir: &Path) -> Result<Vec<KnownBackup>, Error> {
    let mut backups = Vec::new();
    for stored in records(dir, Order::OldestFirst)? {
        KnownBackup::see(&stored?, &mut backups);
    }
    Ok(backups)
}

/// What the records leave open at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unfinished {
    /// Requests without an outcome, oldest first.
    pub open_intents: Vec<OpenIntent>,
    /// Backups that may exist, oldest first.
    pub backups: Vec<KnownBackup>,
    /// The end of the vault, if it was asked for and has no outcome.
    pub destruction: Option<JobId>,
    /// The newest state of the vault that a record names; `None` once it is destroyed.
    pub vault: Option<VaultState>,
    /// The epoch of the vault whose key could not be wiped, as far as no later record says that it is.
    pub key_remains: Option<u64>,
    /// The epoch that never began, whose key could not be wiped, as far as no later record says that it is.
    pub key_unused: Option<u64>,
}

/// Follows requests and outcomes through the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Intents(Unfinished);

impl Intents {
    pub fn record(&mut self, record: &Record<'_>) {
        if let Some(root) = record.text("vault_root").and_then(unhex) {
            let int = |key| record.int(key).unwrap_or(0);
            let (epoch, seq) = (int("vault_epoch"), int("vault_seq"));
            // A vault never goes back; and what an auditor opened, without the keys, is no proof that it has gone on.
            let is_auditors = record.text("role") == Some("auditor") && record.name == "vault.unlocked";
            let is_older = self.0.vault.is_some_and(|known| (epoch, seq) < (known.epoch, known.seq));
            if !is_auditors && !is_older {
                self.0.vault = Some(VaultState { epoch, seq, root: Digest(root) });
            }
        }
        match record.name {
            // Before the first epoch there was none: older programs wrote 0 where it was an unused key.
            "vault.key_remains" => self.0.key_remains = record.int("key_epoch").filter(|epoch| *epoch > 0),
            "vault.key_unused" => self.0.key_unused = record.int("key_epoch"),
            "vault.key_wiped" => (self.0.key_remains, self.0.key_unused) = (None, None),
            _ => {}
        }
        let Some(job) = record.job.and_then(|text| id_bytes(text.strip_prefix("j:")?)).map(JobId) else {
            return;
        };
        let vault = self.0.vault;
        let seen = record.obj.and_then(|text| id_bytes(text.strip_prefix("o:")?)).map(Object);
        let mut open = |kind, objects| {
            let person = record.actor.strip_prefix("a:").and_then(id_bytes);
            self.0.open_intents.push(OpenIntent {
                kind,
                job,
                seq: record.seq,
                ts_ms: record.ts_ms,
                actor: person.map_or(Actor::System, Actor::Person),
                object: seen,
                objects,
                objects_done: 0,
                objects_seen: Vec::new(),
                objects_named: Vec::new(),
                proof: record.text("by").and_then(Proof::parse),
                slot: None,
                role: None,
                removes: false,
                vault,
            });
        };
        use IntentKind::{Erase, Export, Generate, Name, Secret};
        let slot = record.int("slot").and_then(|slot| slot.try_into().ok());
        match record.name {
            "generate.requested" => open(Generate, record.int("images").unwrap_or(0)),
            // An erasure of nothing is over at once.
            "object.erase_requested" if record.int("count") == Some(0) => {}
            "object.erase_requested" => open(Erase, record.int("count").unwrap_or(1)),
            "object.export_requested" => open(Export, 1),
            "vault.secret_requested" => open(Secret, 0),
            "slot.name_due" => {
                open(Name, 0);
                self.of(job, Name).for_each(|intent| intent.slot = slot);
            }
            "slot.name_destroyed" | "slot.name_kept" => self.close(job, Name),
            "vault.secret_named" => {
                self.of(job, Secret).for_each(|intent| intent.slot = slot);
            }
            "slot.add_named" | "slot.remove_named" => {
                let role = record.text("role").and_then(Role::parse);
                let removes = record.name == "slot.remove_named";
                self.of(job, Secret).for_each(|intent| (intent.role, intent.removes) = (role, removes));
            }
            "object.erase_named" => {
                for intent in self.of(job, Erase) {
                    intent.objects_named.extend(seen);
                }
            }
            "object.created" | "object.sealed" => self.count(job, Generate, seen),
            "generate.finished" | "generate.failed" => self.close(job, Generate),
            "object.erased" | "object.missing" | "object.erase_failed" => {
                self.count(job, Erase, seen);
            }
            "object.exported" | "object.export_failed" => self.close(job, Export),
            "vault.secret_changed" | "vault.secret_failed" | "slot.added" | "slot.removed" => {
                self.close(job, Secret);
            }
            "vault.destroy_requested" => self.0.destruction = Some(job),
            "vault.destroy_failed" => self.0.destruction = None,
            // What was open is over with it; a backup may still be there.
            "vault.destroyed" => {
                let backups = std::mem::take(&mut self.0.backups);
                self.0 = Unfinished { backups, ..Unfinished::default() };
            }
            name if name.starts_with("backup.") => {
                let objects = record.int("objects").unwrap_or(0);
                let written = record.int("bytes").zip(record.text("sha256").and_then(unhex).map(Digest));
                let this = KnownBackup { job, seq: record.seq, ts_ms: record.ts_ms, objects, written };
                this.follow(name, &mut self.0.backups);
            }
            "recovery.reconciled" => {
                for kind in [Generate, Erase, Export, Secret, Name] {
                    if record.text("kind") == Some(kind.word()) {
                        self.close(job, kind);
                    }
                }
            }
            _ => {}
        }
    }

    /// What is open now.
    pub fn unfinished(&self) -> Unfinished {
        self.0.clone()
    }

    /// Goes on from what was open.
    pub fn resume(unfinished: Unfinished) -> Self {
        Self(unfinished)
    }

    pub fn into_open(self) -> Vec<OpenIntent> {
        self.0.open_intents
    }

    fn of(&mut self, job: JobId, kind: IntentKind) -> impl Iterator<Item = &mut OpenIntent> {
        self.0.open_intents.iter_mut().filter(move |intent| intent.job == job && intent.kind == kind)
    }

    fn count(&mut self, job: JobId, kind: IntentKind, seen: Option<Object>) {
        for intent in self.of(job, kind) {
            intent.objects_done += 1;
            intent.objects_seen.extend(seen);
        }
        // An erasure is over with its last object; a generation says so itself.
        let over =
            |i: &OpenIntent| i.kind == IntentKind::Erase && i.job == job && i.objects_done >= i.objects;
        self.0.open_intents.retain(|intent| !over(intent));
    }

    fn close(&mut self, job: JobId, kind: IntentKind) {
        self.0.open_intents.retain(|intent| intent.job != job || intent.kind != kind);
    }
}
