//! A folder that a program of somebody else empties: what is new of the log comes as the next file.
//!
//! The file `cursor` in it says how far the log was given out, and in which form, since whoever takes the files reads one. A file
//! appears whole, by a rename, and only then the cursor goes on: an interruption in between makes the same file again.

use crate::durable::{Disk, is_full};
use crate::error::Error;
use crate::export::{Form, export};
use crate::open::lock;
use crate::paths::{Paths, SMALL_BYTES_MAX, read_limited};
use crate::stored::record_leaf;
use crate::token::{Digest, unhex};
use std::io;
use std::path::{Path, PathBuf};

/// First line of a cursor.
const HEADING: &str = "lightproof log cursor 2";
/// That of one which does not know its form.
const HEADING_1: &str = "lightproof log cursor 1";
/// Most records of one file.
const FILE_RECORDS: usize = 4096;

/// Why nothing more was given out. What was written before stands, and its cursor.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpoolError {
    /// The log says so.
    #[error(transparent)]
    Log(#[from] Error),
    /// Another process writes to this spool.
    #[error("another export writes to {dir}; try again when it has ended")]
    Busy {
        /// The folder.
        dir: PathBuf,
    },
    /// It is no spool yet, or its disk is absent.
    #[error(
        "there is no cursor in {dir}; if its disk is there, begin a spool with --after N: N is how many records have left \
         before, 0 for none"
    )]
    NoCursor {
        /// The folder.
        dir: PathBuf,
    },
    /// It is a spool already.
    #[error(
        "the spool {dir} has a cursor, which says {next}; leave --after out, or remove the file `cursor` first"
    )]
    HasCursor {
        /// The folder.
        dir: PathBuf,
        /// How many records have left.
        next: u64,
    },
    /// Its files have the other form.
    #[error(
        "the spool {dir} has {} so far, and these would be {}; nothing was written: ask for its own form, or begin a spool of the other \
         one in a folder of its own with --after 0", .has.words(), .asked.words()
    )]
    OtherForm {
        /// The folder.
        dir: PathBuf,
        /// What it has.
        has: Form,
        /// What was asked for.
        asked: Form,
    },
    /// Its cursor is none.
    #[error(
        "the file `cursor` in {dir} is damaged; see which record came last where they go, remove the file, and begin anew \
         with --after N"
    )]
    Damaged {
        /// The folder.
        dir: PathBuf,
    },
    /// Its cursor is of another log, or of records that this one does not have any more.
    #[error(
        "{next} records have left for {dir}, and they are not the first {next} of this log: it was cut back, changed or \
         replaced by another; nothing was written. Look at it with lightproof audit verify --expect COPY, and where it is right, \
         name a new spool"
    )]
    Other {
        /// The folder.
        dir: PathBuf,
        /// How many records have left.
        next: u64,
    },
    /// The disk of the spool is full.
    #[error(
        "the disk of {dir} is full; what did not fit comes next time: free some space, or see that what was sent is removed"
    )]
    Full {
        /// The folder.
        dir: PathBuf,
    },
}

/// What was given out.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Spooled {
    /// The new files, each with its number of records, in their order.
    pub files: Vec<(String, u64)>,
    /// How many records have left by now.
    pub next: u64,
    /// How many of the new ones are damaged where they lie, and left as that.
    pub damaged: u64,
    /// How many were pruned, and left out.
    pub pruned: u64,
}

/// Where a spool stands.
#[derive(Debug, PartialEq, Eq)]
struct Cursor {
    origin: String,
    next: u64,
    /// Leaf hash of the record before, if that was one.
    leaf: Option<Digest>,
    /// What its files hold; `None` in one of version 1, which holds whatever is asked for next.
    form: Option<Form>,
}

/// Puts what is new of the log in `log` into the folder `dir`, at most 4,096 records a file, each named by its first record. A spool
/// begins with `begin`, the number of records that are not for it. What goes wrong behind the first file leaves those before it.
///
/// # Errors
/// See [`SpoolError`].
pub fn spool(log: &Path, dir: &Path, form: Form, begin: Option<u64>) -> Result<Spooled, SpoolError> {
    spool_on(&Disk::default(), log, dir, form, begin)
}

pub(crate) fn spool_on(
    disk: &Disk,
    log: &Path,
    dir: &Path,
    form: Form,
    begin: Option<u64>,
) -> Result<Spooled, SpoolError> {
    let _lock = lock(&Paths(dir.to_owned())).map_err(|error| match error {
        Error::Busy { dir } => SpoolError::Busy { dir },
        error => SpoolError::Log(error),
    })?;
    let path = dir.join("cursor");
    let put = |path: &Path, text: &str| {
        disk.replace(path, text.as_bytes()).map_err(|error| match is_full(&error) {
            true => SpoolError::Full { dir: dir.to_owned() },
            false => SpoolError::Log(Error::Io { during: "write", path: path.to_owned(), source: error }),
        })
    };
    let first = match (Cursor::read(dir, &path)?, begin) {
        (Some(cursor), Some(_)) => {
            return Err(SpoolError::HasCursor { dir: dir.to_owned(), next: cursor.next });
        }
        (Some(cursor), None) => {
            cursor.check(log, dir)?;
            if let Some(has) = cursor.form.filter(|has| *has != form) {
                return Err(SpoolError::OtherForm { dir: dir.to_owned(), has, asked: form });
            }
            cursor.next
        }
        (None, None) => return Err(SpoolError::NoCursor { dir: dir.to_owned() }),
        (None, Some(first)) => {
            let origin = export(log, first, form)?.origin().to_owned();
            let cursor = Cursor { origin, next: first, leaf: leaf_before(log, first)?, form: Some(form) };
            put(&path, &cursor.text())?;
            first
        }
    };
    let mut lines = export(log, first, form)?;
    let mut spooled = Spooled { files: Vec::new(), next: first, ..Spooled::default() };
    loop {
        let (mut text, mut count) = (String::new(), 0);
        for line in lines.by_ref().take(FILE_RECORDS) {
            text += &line?;
            text.push('\n');
            count += 1;
        }
        if count == 0 {
            return Ok(spooled);
        }
        let name = format!("lightproof-{:012}.jsonl", spooled.next);
        put(&dir.join(&name), &text)?;
        let leaf = lines.last_leaf();
        let origin = lines.origin().to_owned();
        let cursor = Cursor { origin, next: lines.next_record(), leaf, form: Some(form) };
        put(&path, &cursor.text())?;
        spooled.next = cursor.next;
        spooled.damaged = lines.count_damaged();
        spooled.pruned = lines.count_pruned();
        spooled.files.push((name, count));
    }
}

impl Form {
    /// Its word in a cursor.
    fn word(self) -> &'static str {
        match self {
            Self::Own => "json",
            Self::Ocsf => "ocsf",
        }
    }

    /// What files of it hold, for a person.
    fn words(self) -> &'static str {
        match self {
            Self::Own => "records as they are stored",
            Self::Ocsf => "events of OCSF (--format ocsf)",
        }
    }
}

/// Leaf hash of the record before that number; none before the first, and of a line that is no record.
fn leaf_before(log: &Path, next: u64) -> Result<Option<Digest>, Error> {
    next.checked_sub(1).map_or(Ok(None), |last| record_leaf(log, last))
}

impl Cursor {
    /// The one in that file; none if there is no file.
    fn read(dir: &Path, path: &Path) -> Result<Option<Self>, SpoolError> {
        match read_limited(path, SMALL_BYTES_MAX) {
            Ok(bytes) => {
                let cursor = std::str::from_utf8(&bytes).ok().and_then(Self::parse);
                cursor.map(Some).ok_or_else(|| SpoolError::Damaged { dir: dir.to_owned() })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::Io { during: "read", path: path.to_owned(), source }.into()),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let (_, origin, next, leaf) = (lines.next()?, lines.next()?, lines.next()?, lines.next()?);
        let leaf = if leaf == "-" { None } else { Some(Digest(unhex(leaf)?)) };
        let form = match lines.next() {
            Some(named) => Some([Form::Own, Form::Ocsf].into_iter().find(|form| form.word() == named)?),
            None => None,
        };
        let cursor = Self { origin: origin.to_owned(), next: next.parse().ok()?, leaf, form };
        (cursor.text() == text).then_some(cursor)
    }

    fn text(&self) -> String {
        let leaf = self.leaf.map_or_else(|| "-".to_owned(), |leaf| leaf.to_string());
        let heading = if self.form.is_some() { HEADING } else { HEADING_1 };
        let form = self.form.map(|form| format!("{}\n", form.word())).unwrap_or_default();
        format!("{heading}\n{}\n{}\n{leaf}\n{form}", self.origin, self.next)
    }

    /// Whether what has left is the beginning of the log: by its name, its length, and the record that left last, whose hash stands
    /// on all records before it.
    fn check(&self, log: &Path, dir: &Path) -> Result<(), SpoolError> {
        let other = || SpoolError::Other { dir: dir.to_owned(), next: self.next };
        match export(log, self.next, Form::Own) {
            Ok(lines) if lines.origin() == self.origin => {}
            Ok(_) | Err(Error::Lost { .. }) => return Err(other()),
            Err(error) => return Err(error.into()),
        }
        match self.leaf.is_none() || leaf_before(log, self.next)? == self.leaf {
            true => Ok(()),
            false => Err(other()),
        }
    }
}
