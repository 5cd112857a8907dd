//! The last records, for people and for programs.

use crate::error::Error;
use crate::stored::{Order, Stored, records};
use std::path::Path;

/// The last `count` records as one line each, oldest first. Not verified: for that there is [`crate::verify`].
///
/// # Errors
/// `Absent` when there are no segments; `Io`.
pub fn tail(dir: &Path, count: u64) -> Result<Vec<String>, Error> {
    let damaged = |_| "? a line that is no record; run `lightproof-audit verify`".to_owned();
    newest(dir, count, Stored::to_string, damaged)
}

/// The same as the records are stored. A line that is no record becomes `{"damaged":NUMBER}`.
///
/// # Errors
/// As [`tail`].
pub fn tail_json(dir: &Path, count: u64) -> Result<Vec<String>, Error> {
    newest(dir, count, |record| record.json().to_owned(), |at| format!("{{\"damaged\":{at}}}"))
}

fn newest(
    dir: &Path,
    count: u64,
    line: impl Fn(&Stored) -> String,
    damaged: impl Fn(u64) -> String,
) -> Result<Vec<String>, Error> {
    let line = |record: Result<Stored, Error>| match record {
        Ok(record) => Ok(line(&record)),
        Err(Error::Broken { at, .. }) => Ok(damaged(at)),
        Err(e) => Err(e),
    };
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let mut lines = records(dir, Order::NewestFirst)?.take(count).map(line).collect::<Result<Vec<_>, _>>()?;
    lines.reverse();
    Ok(lines)
}
