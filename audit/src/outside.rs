//! A copy of the newest checkpoint in a folder elsewhere, which whoever has the log keeps, and what such a copy says of a log.
//!
//! A copy that the log does not go on from is what remains when the log was cut back or replaced: nothing writes over it.

use crate::durable::{Disk, Held};
use crate::error::Error;
use crate::log::Log;
use crate::note::Note;
use crate::paths::{CHECKPOINT_BYTES_MAX, Paths, read_limited};
use crate::replay::{begins_with, root_at};
use crate::stored::{record, records_from};
use crate::tail::newest_note;
use crate::writer::Mark;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Name of the copy in its folder: one for every log, so that what another log has left is found.
pub const OUTSIDE_NAME: &str = "lightproof.checkpoint";

/// How often it is looked for the file of the checkpoint that was signed last, which is written a moment before or after.
const LOOKS: usize = 10;
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// A copy that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outside(Vec<u8>);

/// Why a log does not go on from a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutsideFlaw {
    /// It is no checkpoint of this kind of log.
    NoCheckpoint,
    /// It belongs to another log.
    OtherLog,
    /// It covers more records than the log has.
    Longer {
        /// How many it covers.
        covers: u64,
        /// How many the log has.
        records: u64,
    },
    /// The records that it covers were others.
    OtherRecords {
        /// How many it covers.
        covers: u64,
    },
}

impl fmt::Display for OutsideFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCheckpoint => f.write_str("is no checkpoint of such a log"),
            Self::OtherLog => f.write_str("belongs to another log"),
            Self::Longer { covers, records } => {
                write!(
                    f,
                    "covers {covers} records, and the log has {records}: the log was cut back, or an older copy of it put back"
                )
            }
            Self::OtherRecords { covers } => {
                write!(
                    f,
                    "has another root over the first {covers} records: records of the log were replaced"
                )
            }
        }
    }
}

/// Why a copy was not renewed. The one that was there is there, but for [`OutsideError::Io`], behind which it may be the newer one.
#[derive(Debug)]
#[non_exhaustive]
pub enum OutsideError {
    /// The log cannot be read.
    Log(Error),
    /// The log does not go on from the copy that is there, which stays.
    Flawed(OutsideFlaw),
    /// Its folder or its file cannot be read or written.
    Io {
        /// What was tried.
        during: &'static str,
        /// What the system says.
        source: io::Error,
    },
}

/// How far a copy goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// Records that it covers.
    pub covers: u64,
    /// Records of the log.
    pub records: u64,
    /// When the first one that it does not cover was written, in milliseconds since 1970.
    pub uncovered_since_ms: Option<u64>,
}

impl Coverage {
    /// Of a copy of so many records, for the log in `log`.
    ///
    /// # Errors
    /// As [`crate::record`].
    pub fn of(log: &Path, covers: u64) -> Result<Self, Error> {
        let records = newest_note(log)?.checkpoint.size;
        let first = match covers < records {
            true => match record(log, covers) {
                // Long ago.
                Err(Error::Pruned { .. }) => records_from(log, covers)?.next().transpose()?,
                first => first?,
            },
            false => None,
        };
        Ok(Self { covers, records, uncovered_since_ms: first.map(|record| record.ts_ms) })
    }
}

impl Outside {
    /// The copy in `folder`; none where there is no file, or one that a power cut has left empty.
    ///
    /// # Errors
    /// What the system says; `InvalidInput` for a link, a pipe or a folder of that name.
    pub fn read(folder: &Path) -> io::Result<Option<Self>> {
        match read_limited(&folder.join(OUTSIDE_NAME), CHECKPOINT_BYTES_MAX) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            found => Ok(Some(found?).filter(|bytes| !bytes.is_empty()).map(Self)),
        }
    }

    /// It, as a checkpoint stands in a file.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// How many records it covers, if the log in `log` goes on from it. Who signed it is not looked at: its root is that of this
    /// log's own records, or it is not. Read it before, since the log may grow meanwhile.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn check(&self, log: &Path) -> Result<Result<u64, OutsideFlaw>, Error> {
        let Some(copy) = Note::parse_foreign(&self.0) else { return Ok(Err(OutsideFlaw::NoCheckpoint)) };
        let (of_copy, now) = (copy.checkpoint, newest_note(log)?.checkpoint);
        let covers = of_copy.size;
        if of_copy.origin != now.origin {
            return Ok(Err(OutsideFlaw::OtherLog));
        }
        if covers > now.size {
            return Ok(Err(OutsideFlaw::Longer { covers, records: now.size }));
        }
        let paths = Paths(log.to_owned());
        let segments = paths.segments();
        let failed = crate::error::io_error("read", &segments);
        let (old, new) = ((covers, &of_copy.root.0), (now.size, &now.root.0));
        let goes_on = begins_with(&paths, old, new).map_err(&failed)?
            || root_at(&paths, covers).map_err(&failed)? == Some(of_copy.root.0);
        Ok(if goes_on { Ok(covers) } else { Err(OutsideFlaw::OtherRecords { covers }) })
    }
}

/// Keeps a copy, for whoever has the log's lock.
#[derive(Debug)]
pub struct OutsideWriter {
    log: PathBuf,
    folder: PathBuf,
    /// Which folder it was: another one may take its name.
    place: Option<(u64, u64)>,
    /// The log as whoever has it knows it: its own file of the newest checkpoint may be older than that, or anything.
    mark: Option<Arc<Mutex<Mark>>>,
    disk: Disk,
    /// What this one has written last, if it surely lies there.
    written: Option<Vec<u8>>,
}

impl OutsideWriter {
    /// Of this log, whose files lie in `dir`, in `folder`.
    pub fn new(log: &Log, dir: &Path, folder: &Path) -> Self {
        Self::on(Disk::default(), dir, folder, Some(log.shared_mark()))
    }

    pub(crate) fn on(disk: Disk, log: &Path, folder: &Path, mark: Option<Arc<Mutex<Mark>>>) -> Self {
        let place = Held::open(folder).and_then(|held| held.place()).ok();
        Self { log: log.to_owned(), folder: folder.to_owned(), place, mark, disk, written: None }
    }

    /// Puts the newest checkpoint there, if it is not there yet: how many records it covers. One that this writer has not written
    /// is compared before, and written anew even where it is the same: after a sync that failed nothing that is read proves anything.
    ///
    /// # Errors
    /// See [`OutsideError`].
    pub fn renew(&mut self) -> Result<u64, OutsideError> {
        let io = |during| move |source| OutsideError::Io { during, source };
        // What is compared and what is written lie in one folder, whatever takes its name in between.
        let held = Held::open(&self.folder).map_err(io("reach"))?;
        let (folder, place) = (held.path(), held.place().map_err(io("reach"))?);
        if *self.place.get_or_insert(place) != place {
            let source = io::Error::new(
                io::ErrorKind::NotADirectory,
                "another folder is in the place of the one that was there",
            );
            return Err(OutsideError::Io { during: "reach", source });
        }
        // In this order: the log only grows.
        let copy = Outside::read(&folder).map_err(io("read"))?;
        let newest = self.newest().map_err(OutsideError::Log)?;
        let bytes = newest.bytes();
        let is_own = |copy: &Outside| self.written.as_deref() == Some(copy.bytes());
        match copy {
            Some(copy) if is_own(&copy) && copy.0 == bytes => return Ok(newest.checkpoint.size),
            Some(copy) if !is_own(&copy) => {
                copy.check(&self.log).map_err(OutsideError::Log)?.map_err(OutsideError::Flawed)?;
            }
            _ => {}
        }
        self.written = None;
        self.disk.replace(&folder.join(OUTSIDE_NAME), &bytes).map_err(io("write"))?;
        self.written = Some(bytes);
        Ok(newest.checkpoint.size)
    }

    /// The newest checkpoint as it lies there, if it is the one that was signed last: whoever can write there could have put back an
    /// older one.
    fn newest(&self) -> Result<Note, Error> {
        let Some(mark) = &self.mark else { return newest_note(&self.log) };
        let now = || {
            let mark = mark.lock().unwrap_or_else(PoisonError::into_inner);
            (mark.size, mark.root)
        };
        let mut before = now();
        for _ in 0..LOOKS {
            let note = newest_note(&self.log)?;
            let (found, after) = ((note.checkpoint.size, note.checkpoint.root), now());
            if [before, after].contains(&found) {
                return Ok(note);
            }
            before = after;
            thread::sleep(LOOK_INTERVAL);
        }
        Err(Error::Broken { what: "the file `checkpoint` is not the one that was signed last", at: before.0 })
    }
}
