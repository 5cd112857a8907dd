//! The records from one on, as lines for other programs: all of them that are signed, each once, in their order.

use crate::error::Error;
use crate::ocsf::{damaged, ocsf};
use crate::stored::{Item, Items, Stored, records_from};
use crate::tail::newest_note;
use crate::token::{Digest, unhex};
use std::iter::Peekable;
use std::path::Path;

/// The form of each line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As it is stored. What was pruned is `{"leaf":"HASH","pruned":NUMBER}`, and a line that is no record, or that the next record does not
    /// follow, becomes `{"damaged":NUMBER}`.
    Own,
    /// OCSF 1.8.0, see [`ocsf`]. A damaged line becomes a finding; what was pruned is left out.
    Ocsf,
}

/// See [`export`].
#[derive(Debug)]
pub struct Lines {
    origin: String,
    form: Form,
    records: Option<Peekable<Items>>,
    next: u64,
    end: u64,
    damaged: u64,
    pruned: u64,
    /// Leaf hash of the record before, if that was one.
    last: Option<Digest>,
    last_ms: u64,
}

/// The signed records from number `first` on, oldest first, up to those that are signed now. Works beside a running writer, and one
/// segment at a time is held in memory. Behind an error nothing follows.
///
/// # Errors
/// `Lost` when the log does not reach `first`; `Absent`; `Broken` when the copy of the newest checkpoint is none; `Io`.
pub fn export(dir: &Path, first: u64, form: Form) -> Result<Lines, Error> {
    let newest = newest_note(dir)?.checkpoint;
    let end = newest.size;
    if first > end {
        return Err(Error::Lost { found: end, signed: first });
    }
    let records =
        (first < end).then(|| records_from(dir, first)).transpose().map_err(|error| match error {
            // The checkpoint is there.
            Error::Absent { .. } => Error::Broken { what: "the files of the records are missing", at: first },
            error => error,
        })?;
    let records = records.map(|records| Items(records).peekable());
    let (origin, damaged, pruned) = (newest.origin, 0, 0);
    Ok(Lines { origin, form, records, next: first, end, damaged, pruned, last: None, last_ms: 0 })
}

impl Lines {
    /// Whether the next record carries another hash than this one's: one of the two was changed where it lies.
    fn is_changed(&mut self, record: &Stored) -> bool {
        match self.records.as_mut().and_then(Peekable::peek) {
            Some(Ok(Item::Record(next))) => next.seq == record.seq + 1 && next.prev != record.leaf(),
            _ => false,
        }
    }

    fn damaged(&mut self, at: u64) -> String {
        self.damaged += 1;
        self.last = None;
        match self.form {
            Form::Own => format!("{{\"damaged\":{at}}}"),
            Form::Ocsf => damaged(at, self.last_ms, &self.origin),
        }
    }

    /// Number of the record that comes next: where another [`export`] goes on.
    pub fn next_record(&self) -> u64 {
        self.next
    }

    /// How many lines were said to be damaged.
    pub fn count_damaged(&self) -> u64 {
        self.damaged
    }

    /// Name of the log.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Of how many only the hash is left.
    pub fn count_pruned(&self) -> u64 {
        self.pruned
    }

    /// Leaf hash of the record before the next, unless its line is none.
    pub(crate) fn last_leaf(&self) -> Option<Digest> {
        self.last
    }
}

impl Iterator for Lines {
    type Item = Result<String, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = loop {
            if self.next >= self.end {
                return None;
            }
            let missing =
                Error::Broken { what: "a record is missing, or has another's number", at: self.next };
            break match self.records.as_mut().and_then(Iterator::next) {
                Some(Ok(Item::Pruned(at, leaf))) if at == self.next => {
                    (self.pruned, self.last) = (self.pruned + 1, Some(leaf));
                    if self.form == Form::Ocsf {
                        self.next += 1;
                        continue;
                    }
                    Ok(pruned_line(at, &leaf))
                }
                Some(Ok(Item::Record(record))) if record.seq == self.next && self.is_changed(&record) => {
                    Ok(self.damaged(record.seq))
                }
                Some(Ok(Item::Record(record))) if record.seq == self.next => {
                    let line = match self.form {
                        Form::Own => record.json().to_owned(),
                        Form::Ocsf => ocsf(&record, &self.origin),
                    };
                    self.last_ms = record.ts_ms;
                    self.last = Some(record.leaf());
                    Ok(line)
                }
                Some(Err(Error::Broken { at, .. })) if at == self.next => Ok(self.damaged(at)),
                Some(Err(error @ Error::Io { .. })) => Err(error),
                _ => Err(missing),
            };
        };
        match line {
            Ok(_) => self.next += 1,
            Err(_) => self.end = self.next,
        }
        Some(line)
    }
}

/// What stands for a record of which only the hash is left.
fn pruned_line(at: u64, leaf: &Digest) -> String {
    format!("{{\"leaf\":\"{leaf}\",\"pruned\":{at}}}")
}

/// The number and the leaf hash in such a line.
pub(crate) fn read_pruned(line: &[u8]) -> Option<(u64, Digest)> {
    let text = std::str::from_utf8(line).ok()?;
    let (leaf, number) =
        text.strip_prefix("{\"leaf\":\"")?.strip_suffix('}')?.split_once("\",\"pruned\":")?;
    let (at, leaf) = (number.parse().ok()?, Digest(unhex(leaf)?));
    (pruned_line(at, &leaf) == text).then_some((at, leaf))
}
