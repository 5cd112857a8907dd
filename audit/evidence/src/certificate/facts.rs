//! What the log says of pictures that were erased: read from its records by whoever makes a certificate, and again by whoever
//! checks one.

use audit::words::Grade;
use audit::{Actor, Digest, JobId, Object, Stored};
use std::collections::HashMap;
use std::ops::Range;

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
    given_up: Vec<(u64, u64)>,
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
            ("backup.failed", job) => {
                let of_job =
                    |(begun, cited): &(_, Cited)| (*begun == job).then_some((cited.record, record.seq));
                self.given_up.extend(self.backups.iter().filter_map(of_job));
                self.backups.retain(|(begun, _)| *begun != job);
            }
            _ => {}
        }
        let Some(draft) = record.object.and_then(|object| self.pictures.get_mut(&object)) else { return };
        match (&*record.name, record.job) {
            ("object.sealed" | "object.created", _) => draft.made = draft.made.or(Some(cited)),
            ("object.missing", _) => draft.lost = draft.lost.or(Some(cited)),
            ("object.export_requested", Some(job)) => draft.exports_open.push((job, cited)),
            ("object.export_failed", Some(job)) => {
                let of_job =
                    |(open, cited): &(_, Cited)| (*open == job).then_some((cited.record, record.seq));
                self.given_up.extend(draft.exports_open.iter().filter_map(of_job));
                draft.exports_open.retain(|(open, _)| *open != job);
            }
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
        let Ends { mut pictures, unread, backups, .. } = self.ends();
        match unread.first() {
            Some(object) => Err(*object),
            None => {
                for picture in &mut pictures {
                    picture.backups = backups.of(picture).to_vec();
                }
                Ok(pictures)
            }
        }
    }

    /// The same of very many: which backups hold a picture is asked for one by one, since all of them together may hold all.
    pub fn ends(self) -> Ends {
        let Self { pictures: drafts, asked, backups, said_destroyed, given_up } = self;
        let (mut pictures, mut unread) = (Vec::with_capacity(drafts.len()), Vec::new());
        for (object, Draft { made, lost, destroyed, exports, exports_open }) in drafts {
            let Some(destroyed) = destroyed else {
                unread.push(object);
                continue;
            };
            pictures.push(Picture {
                object,
                made,
                lost,
                asked: asked.get(&destroyed.job).copied(),
                destroyed,
                exports,
                exports_unknown: exports_open.into_iter().map(|(_, cited)| cited).collect(),
                backups: Vec::new(),
            });
        }
        pictures.sort_by_key(|picture| picture.destroyed.cited.record);
        unread.sort_unstable();
        let said = |job: Option<JobId>| job.and_then(|job| said_destroyed.get(&job)).copied();
        let backups = backups.into_iter().map(|(job, made)| (made, said(job))).collect();
        Ends { pictures, unread, backups: Backups(backups), given_up }
    }
}

/// The ends of pictures.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    /// In their order, and without the backups that hold them.
    pub pictures: Vec<Picture>,
    /// Those whose end was not seen, or not in a form that this version reads.
    pub unread: Vec<Object>,
    pub backups: Backups,
    /// Backups and exports that were given up: the record of the beginning of each, and that of its end.
    pub given_up: Vec<(u64, u64)>,
}

/// Backups in the order of their records, and where somebody has said since that every copy of one is destroyed.
#[derive(Debug, Default)]
pub(crate) struct Backups(pub Vec<(Cited, Option<Cited>)>);

impl Backups {
    /// Those that were made while the picture was there.
    pub fn of(&self, picture: &Picture) -> &[(Cited, Option<Cited>)] {
        &self.0[self.row(picture)]
    }

    /// Where they stand.
    pub fn row(&self, picture: &Picture) -> Range<usize> {
        let (from, to) = (picture.made.map_or(0, |made| made.record), picture.destroyed.cited.record);
        let at = |record| self.0.partition_point(|(made, _)| made.record < record);
        at(from)..at(to).max(at(from))
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
