//! Requests without an outcome: what a crash leaves, and what the next start has to look into.

use crate::record::Record;
use crate::token::{Actor, Job, Object, id_bytes};
use crate::words::IntentKind;

/// A request that is on record without its outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenIntent {
    /// Which request.
    pub kind: IntentKind,
    /// Its job; `recovery.reconciled` of the same job closes it.
    pub job: Job,
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
}

/// Follows requests and outcomes through the log.
#[derive(Debug, Default)]
pub(crate) struct Intents(Vec<OpenIntent>);

impl Intents {
    pub fn record(&mut self, record: &Record<'_>) {
        let Some(job) = record.job.and_then(|text| id_bytes(text.strip_prefix("j:")?)).map(Job) else {
            return;
        };
        let mut open = |kind, objects| {
            let bytes = |text: &str, prefix| id_bytes(text.strip_prefix(prefix)?);
            self.0.push(OpenIntent {
                kind,
                job,
                seq: record.seq,
                ts_ms: record.ts_ms,
                actor: bytes(record.actor, "a:").map_or(Actor::System, Actor::Person),
                object: record.obj.and_then(|text| bytes(text, "o:")).map(Object),
                objects,
                objects_done: 0,
                objects_seen: Vec::new(),
            });
        };
        use IntentKind::{Erase, Export, Generate};
        let seen = record.obj.and_then(|text| id_bytes(text.strip_prefix("o:")?)).map(Object);
        match record.name {
            "generate.requested" => open(Generate, record.int("images").unwrap_or(0)),
            // An erasure of nothing is over at once.
            "object.erase_requested" if record.int("count") == Some(0) => {}
            "object.erase_requested" => open(Erase, record.int("count").unwrap_or(1)),
            "object.export_requested" => open(Export, 1),
            "object.created" => self.count(job, Generate, seen),
            "generate.finished" | "generate.failed" => self.close(job, Generate),
            "object.erased" | "object.missing" | "object.erase_failed" => {
                self.count(job, Erase, seen);
            }
            "object.exported" | "object.export_failed" => self.close(job, Export),
            "recovery.reconciled" => {
                for kind in [Generate, Erase, Export] {
                    if record.text("kind") == Some(kind.word()) {
                        self.close(job, kind);
                    }
                }
            }
            _ => {}
        }
    }

    pub fn into_open(self) -> Vec<OpenIntent> {
        self.0
    }

    fn count(&mut self, job: Job, kind: IntentKind, seen: Option<Object>) {
        for intent in self.0.iter_mut().filter(|i| i.job == job && i.kind == kind) {
            intent.objects_done += 1;
            intent.objects_seen.extend(seen);
        }
        // An erasure is over with its last object; a generation says so itself.
        self.0.retain(|i| i.kind != IntentKind::Erase || i.job != job || i.objects_done < i.objects);
    }

    fn close(&mut self, job: Job, kind: IntentKind) {
        self.0.retain(|i| i.job != job || i.kind != kind);
    }
}
