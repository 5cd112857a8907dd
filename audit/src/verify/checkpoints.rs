//! Where the checkpoints lie, and which is the last.

use super::taken::{Taken, present};
use crate::error::{Error, io_error};
use crate::journal::{self, Notes};
use crate::note::Note;
use crate::paths::Paths;
use crate::report::Report;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The checkpoints. They are read twice: for the last one before the records, and one by one with them.
#[derive(Debug, Default)]
pub(super) struct Journal {
    /// How many files there are.
    pub files: u64,
    /// Bytes of the newest file that its checkpoints fill.
    pub end: u64,
    /// What follows them.
    pub rest: Vec<u8>,
    pub first: Option<Note>,
    pub last: Option<Note>,
    /// How many checkpoints there are.
    pub total: u64,
    /// The last two that were there before the files beside them were read, and all later ones.
    pub recent: Vec<Note>,
    /// There are later ones.
    pub has_moved: bool,
    /// Those that sign a hand-over, by their size.
    pub hand_overs: BTreeMap<u64, Note>,
}

impl Journal {
    /// Takes the next one, which ends at that place: file and byte.
    pub fn take(&mut self, note: &Note, ends_at: (u64, u64), taken: &Taken, starts: &[u64]) {
        self.total += 1;
        if ends_at > taken.journal {
            self.has_moved = true;
        } else if self.recent.len() == 2 {
            self.recent.remove(0);
        }
        self.recent.push(note.clone());
        let size = note.checkpoint.size;
        if starts.binary_search(&size).is_ok() {
            self.hand_overs.entry(size).or_insert_with(|| note.clone());
        }
    }

    /// The name of the newest file.
    pub fn name(&self) -> String {
        name_of(self.files.saturating_sub(1))
    }
}

/// Finds the last checkpoint, and where the checkpoints end.
pub(super) fn find(paths: &Paths, report: &mut Report) -> Result<Journal, Error> {
    let mut journal =
        Journal { files: journal::newest(paths).map_or(0, |newest| newest + 1), ..Journal::default() };
    if let Some(mut notes) = open_journal(paths, 0)? {
        journal.first = notes.next().transpose().map_err(io_error("read", &paths.journal(0)))?;
    }
    // A crash can leave the newest file empty; the last checkpoint then is in the one before.
    for number in (0..journal.files).rev() {
        let path = paths.journal(number);
        let is_newest = number + 1 == journal.files;
        if let Some(mut notes) = open_journal(paths, number)? {
            for note in &mut notes {
                journal.last = Some(note.map_err(io_error("read", &path))?);
            }
            if is_newest {
                journal.end = notes.end;
                journal.rest = journal::rest(&path, notes.end, 1 << 20).map_err(io_error("read", &path))?;
            }
        }
        if journal.last.is_some() || !is_newest {
            break;
        }
    }
    if journal.last.is_none() && journal.rest.is_empty() {
        report.broken_file(&journal.name(), None, "is missing, empty, or no file: nothing is signed");
    }
    Ok(journal)
}

/// A file of checkpoints; `None` if it is missing or no regular file.
pub(super) fn open_journal(paths: &Paths, number: u64) -> Result<Option<Notes>, Error> {
    let path = paths.journal(number);
    present(Notes::open(&path, 0), &path)
}

/// The name of a file of checkpoints.
pub(super) fn name_of(number: u64) -> String {
    let path = Paths(PathBuf::new()).journal(number);
    path.to_string_lossy().into_owned()
}
