//! Records as lines, for people and for programs: the last ones, and those that follow.

use crate::error::{Error, io_error};
use crate::note::Note;
use crate::paths::{Paths, SMALL_BYTES_MAX, read_limited};
use crate::stored::{Gone, Item, Items, Order, Stored, records, records_from};
use std::path::{Path, PathBuf};

/// The last records of a log.
#[derive(Debug)]
pub struct Newest {
    /// One line each, oldest first.
    pub lines: Vec<String>,
    /// Which are left out from the first of them on, since they were pruned.
    pub gone: Option<Gone>,
}

/// The last `count` records that were not pruned: as people read them, or as they are stored. A line that is no record becomes
/// `{"damaged":NUMBER}` there. Not verified: for that there is [`crate::verify`].
///
/// # Errors
/// `Absent` when there are no segments; `Io`.
pub fn tail(dir: &Path, count: u64, json: bool) -> Result<Newest, Error> {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let mut records = records(dir, Order::NewestFirst)?;
    let newest = records.by_ref().take(count).map(|item| line(item, json));
    let mut lines = newest.collect::<Result<Vec<_>, _>>()?;
    lines.reverse();
    Ok(Newest { lines, gone: records.gone() })
}

/// What [`crate::records`] gives as one line: as people read it, or as it is stored. What is no record is said to be none.
///
/// # Errors
/// `Io`.
pub fn line(item: Result<Stored, Error>, json: bool) -> Result<String, Error> {
    match (item, json) {
        (Ok(record), false) => Ok(record.to_string()),
        (Ok(record), true) => Ok(record.json().to_owned()),
        (Err(Error::Broken { .. }), false) => {
            Ok("? a line that is no record; run `lightproof-audit verify`".to_owned())
        }
        (Err(Error::Broken { at, .. }), true) => Ok(format!("{{\"damaged\":{at}}}")),
        (Err(e), _) => Err(e),
    }
}

/// The records of a log at work, as they are signed. It takes no lock: the writer never notices.
///
/// A record is given once the copy of the newest checkpoint covers it. One that a crash could still take back is not.
#[derive(Debug)]
pub struct Follower {
    dir: PathBuf,
    next: u64,
    gone: Option<Gone>,
}

impl Follower {
    /// Begins with the last `count` records.
    ///
    /// # Errors
    /// `Absent` when nothing was ever signed there; `Io`; `Broken` when the copy of the checkpoint is none.
    pub fn new(dir: &Path, count: u64) -> Result<Self, Error> {
        let next = signed(dir)?.saturating_sub(count);
        Ok(Self { dir: dir.to_owned(), next, gone: None })
    }

    /// What was signed since the last call; nothing most of the time.
    ///
    /// # Errors
    /// `Lost` when the log is shorter than what was given already; those of [`Follower::new`].
    pub fn news(&mut self) -> Result<Vec<Result<Stored, Error>>, Error> {
        let signed = signed(&self.dir)?;
        let count = signed.checked_sub(self.next).ok_or(Error::Lost { found: signed, signed: self.next })?;
        if count == 0 {
            return Ok(Vec::new());
        }
        let (mut news, mut next) = (Vec::new(), self.next);
        let items = Items(records_from(&self.dir, self.next)?);
        for item in items.take(usize::try_from(count).unwrap_or(usize::MAX)) {
            match item {
                Err(e @ Error::Io { .. }) => return Err(e),
                Err(error) => news.push(Err(error)),
                Ok(Item::Record(record)) => news.push(Ok(*record)),
                Ok(Item::Pruned(seq, _)) => Gone::see(&mut self.gone, seq),
            }
            next += 1;
        }
        self.next = next;
        Ok(news)
    }

    /// Which were left out since the last call, since they were pruned.
    pub fn gone(&mut self) -> Option<Gone> {
        self.gone.take()
    }
}

/// How many records the copy of the newest checkpoint covers.
pub(crate) fn signed(dir: &Path) -> Result<u64, Error> {
    newest_note(dir).map(|note| note.checkpoint.size)
}

/// The copy of the newest checkpoint.
pub(crate) fn newest_note(dir: &Path) -> Result<Note, Error> {
    let path = Paths(dir.to_owned()).checkpoint();
    let bytes = read_limited(&path, SMALL_BYTES_MAX).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Error::Absent { dir: dir.to_owned() },
        _ => io_error("read", &path)(e),
    })?;
    Note::parse(&bytes).ok_or(Error::Broken { what: "the file checkpoint is none", at: 0 })
}
