//! The last records, for people.

use crate::error::Error;
use crate::open::io_error;
use crate::paths::{Paths, SEGMENT_BYTES_MAX, files_below, read_limited};
use crate::record::Record;
use std::path::Path;

/// The last `count` records as one line each, oldest first. Not verified: for that there is [`crate::verify`].
///
/// # Errors
/// `Absent` when there are no segments; `Io`.
pub fn tail(dir: &Path, count: u64) -> Result<Vec<String>, Error> {
    let paths = Paths(dir.to_owned());
    let segments = files_below(&paths.segments()).map_err(io_error("read", &paths.segments()))?;
    if segments.is_empty() {
        return Err(Error::Absent { dir: dir.to_owned() });
    }
    let mut lines = Vec::new();
    for segment in segments.iter().rev() {
        if lines.len() as u64 >= count {
            break;
        }
        let bytes = read_limited(segment, SEGMENT_BYTES_MAX).map_err(io_error("read", segment))?;
        let wanted = usize::try_from(count).unwrap_or(usize::MAX) - lines.len();
        let whole: Vec<&[u8]> =
            bytes.split_inclusive(|b| *b == b'\n').filter_map(|l| l.strip_suffix(b"\n")).collect();
        lines.extend(whole.iter().rev().take(wanted).map(|line| show(line)));
    }
    lines.reverse();
    Ok(lines)
}

/// `17 2026-01-31T07:08:09.010Z vault.unlocked ok a:system role=admin slot=0`
fn show(line: &[u8]) -> String {
    let Ok((record, _)) = Record::parse(line) else {
        return "? a line that is no record; run `lightproof-audit verify`".to_owned();
    };
    let mut text = format!(
        "{} {} {} {} {}",
        record.seq,
        crate::clock::timestamp(record.ts_ms),
        record.name,
        record.out,
        record.actor
    );
    for part in [record.obj, record.job, Some(record.details().as_str())].into_iter().flatten() {
        if !part.is_empty() {
            text.push(' ');
            text.push_str(part);
        }
    }
    text
}
