//! The last records, for people.

use crate::error::Error;
use crate::stored::{Order, Stored, records};
use std::path::Path;

/// The last `count` records as one line each, oldest first. Not verified: for that there is [`crate::verify`].
///
/// # Errors
/// `Absent` when there are no segments; `Io`.
pub fn tail(dir: &Path, count: u64) -> Result<Vec<String>, Error> {
    let line = |record: Result<Stored, Error>| match record {
        Ok(record) => Ok(record.to_string()),
        Err(Error::Broken { .. }) => {
            Ok("? a line that is no record; run `lightproof-audit verify`".to_owned())
        }
        Err(e) => Err(e),
    };
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let mut lines = records(dir, Order::NewestFirst)?.take(count).map(line).collect::<Result<Vec<_>, _>>()?;
    lines.reverse();
    Ok(lines)
}
