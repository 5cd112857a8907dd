//! What the log says of pictures that were erased: read from its records by whoever makes a certificate, and again by whoever
//! checks one.

use audit::words::Grade;
use audit::{Actor, Digest, JobId, Object, Stored};
use std::collections::HashMap;

/// A record that something rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cited {
    pub record: u64,
    pub ts_ms: u64,
    pub by: Actor,
}

/// The end of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Destroyed {
    pub cited: Cited,
    pub job: JobId,
    pub grade: Grade,
    pub vault_epoch: u64,
    pub vault_seq: u64,
    pub vault_root: Digest,
    /// The sealed file, which opens for nobody, could not be removed at once.
    pub file_left: bool,
}

/// What the log says of one picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Picture {
    pub object: Object,
    pub made: Option<Cited>,
    /// Its sealed file was removed by hand before.
    pub lost: Option<Cited>,
    /// Somebody asked for the erasure.
    pub asked: Option<Cited>,
    pub destroyed: Destroyed,
    /// Plain copies that left, with their sizes in bytes.
    pub exports: Vec<(Cited, u64)>,
    /// Plain copies that were asked for, and nobody knows whether they left: the program was killed.
    pub exports_unknown: Vec<Cited>,
    /// Backups that were made while it was there, and where somebody has said since that every copy of one is destroyed.
    pub backups: Vec<(Cited, Option<Cited>)>,
}

impl Picture {
    /// The numbers of all records that this rests on.
    pub fn records(&self) -> impl Iterator<Item = u64> {
        let single = [self.made, self.lost, self.asked, Some(self.destroyed.cited)];
        let copies = self.exports.iter().map(|(cited, _)| cited).chain(&self.exports_unknown);
        let backups = self.backups.iter().flat_map(|(made, said)| [Some(made), said.as_ref()]).flatten();
        let several: Vec<u64> = copies.chain(backups).map(|cited| cited.record).collect();
        single.into_iter().flatten().map(|cited| cited.record).chain(several)
    }
}

/// Pictures as far as the records were seen.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pictures: HashMap<Object, Draft>,
    asked: HashMap<JobId, Cited>,
    backups: Vec<(Option<JobId>, Cited)>,
    said_destroyed: HashMap<JobId, Cited>,
}

#[derive(Debug, Default)]
struct Draft {
    made: Option<Cited>,
    lost: Option<Cited>,
    destroyed: Option<Destroyed>,
    exports: Vec<(Cited, u64)>,
    exports_open: Vec<(JobId, Cited)>,
}

impl Facts {
    /// Nothing is known yet of these pictures.
    pub fn about(objects: impl IntoIterator<Item = Object>) -> Self {
        let pictures = objects.into_iter().map(|object| (object, Draft::default())).collect();
        Self { pictures, ..Self::default() }
    }

    /// Takes in the next record, in the order of the log; others may be left out between.
    pub fn see(&mut self, record: &Stored) {
        let cited = Cited { record: record.seq, ts_ms: record.ts_ms, by: record.actor };
        match (&*record.name, record.job) {
            ("object.erase_requested", Some(job)) => {
                self.asked.insert(job, cited);
            }
            ("backup.begun", job) => self.backups.push((job, cited)),
            ("backup.destroyed", Some(job)) => {
                self.said_destroyed.entry(job).or_insert(cited);
            }
            ("backup.failed", job) => self.backups.retain(|(begun, _)| *begun != job),
            _ => {}
        }
        let Some(draft) = record.object.and_then(|object| self.pictures.get_mut(&object)) else { return };
        match (&*record.name, record.job) {
            ("object.sealed" | "object.created", _) => draft.made = draft.made.or(Some(cited)),
            ("object.missing", _) => draft.lost = draft.lost.or(Some(cited)),
            ("object.export_requested", Some(job)) => draft.exports_open.push((job, cited)),
            ("object.export_failed", Some(job)) => draft.exports_open.retain(|(open, _)| *open != job),
            ("object.exported", Some(job)) => {
                draft.exports_open.retain(|(open, _)| *open != job);
                draft.exports.push((cited, number(record, "bytes")));
            }
            ("object.erased", Some(job)) => {
                draft.destroyed = draft.destroyed.or_else(|| destroyed(record, cited, job));
            }
            _ => {}
        }
    }

    /// What was seen of each picture, in the order of their end.
    ///
    /// # Errors
    /// A picture whose end was not seen.
    pub fn pictures(self) -> Result<Vec<Picture>, Object> {
        let Self { pictures, asked, backups, said_destroyed } = self;
        let mut all = Vec::with_capacity(pictures.len());
        for (object, Draft { made, lost, destroyed, exports, exports_open }) in pictures {
            let destroyed = destroyed.ok_or(object)?;
            let (from, to) = (made.map_or(0, |made| made.record), destroyed.cited.record);
            let held = |(_, backup): &&(Option<JobId>, Cited)| (from..to).contains(&backup.record);
            let with_said = |(job, backup): &(Option<JobId>, Cited)| {
                (*backup, job.and_then(|job| said_destroyed.get(&job)).copied())
            };
            all.push(Picture {
                object,
                made,
                lost,
                asked: asked.get(&destroyed.job).copied(),
                destroyed,
                exports,
                exports_unknown: exports_open.into_iter().map(|(_, cited)| cited).collect(),
                backups: backups.iter().filter(held).map(with_said).collect(),
            });
        }
        all.sort_by_key(|picture| picture.destroyed.cited.record);
        Ok(all)
    }
}

fn destroyed(record: &Stored, cited: Cited, job: JobId) -> Option<Destroyed> {
    Some(Destroyed {
        cited,
        job,
        grade: Grade::parse(record.word("grade")?)?,
        vault_epoch: number(record, "vault_epoch"),
        vault_seq: number(record, "vault_seq"),
        vault_root: record.digest("vault_root")?,
        file_left: record.flag("cleanup_pending")?,
    })
}

fn number(record: &Stored, field: &str) -> u64 {
    record.int(field).unwrap_or_default().unsigned_abs()
}
