//! Records that left by `audit export`, read back when the log itself is lost: held against the log that they go on from, record
//! by record. Nobody has signed them as they stand there; what is missing in their middle or comes from another log is told, and
//! where they end nobody can tell what came then. Of what was pruned they have the hash, and the record that says so.

use crate::export::read_pruned;
use crate::intent::{Intents, Unfinished};
use crate::record::{LINE_BYTES_MAX, Record};
use crate::stored::Stored;
use crate::token::Digest;
use std::io::{self, BufRead, Read as _};

/// Why exported records say nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportedError {
    /// A line is no record.
    #[error(
        "line {line} of the exported records is none as `audit export` writes it without --format; nothing was done"
    )]
    NoRecord {
        /// Which, from 1.
        line: u64,
    },
    /// A record does not follow the one before.
    #[error(
        "line {line} of the exported records does not go on from record {last}: some are missing, stand in another order, were \
         changed, or are of another log; give all of them from number {last} on, each once; nothing was done"
    )]
    Gap {
        /// Which line, from 1.
        line: u64,
        /// The last record that fits.
        last: u64,
    },
    /// More is gone than a pruning among them says.
    #[error(
        "of record {at} the exported records have only the hash, and no `log.pruned` behind it says that it was pruned; give all of them, \
         to the newest; nothing was done"
    )]
    Gone {
        /// Which record.
        at: u64,
    },
    /// They do not reach beyond what is known.
    #[error(
        "the exported records end at or before record {last}, which the backup has itself; nobody knows what was erased since; \
         nothing was done"
    )]
    Ends {
        /// The last record that is known.
        last: u64,
    },
    /// They cannot be read.
    #[error("the exported records cannot be read: {0}; nothing was done")]
    Io(#[from] io::Error),
}

/// Where exported records ended.
#[derive(Debug)]
pub struct Exported {
    /// The last one.
    pub last: Stored,
    /// What the new ones leave open.
    pub unfinished: Unfinished,
}

/// The number and the leaf hash of the last record in the bytes of a segment.
pub fn last_record(segment: &[u8]) -> Option<(u64, Digest)> {
    let line = segment.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty())?;
    Stored::parse(line).map(|stored| (stored.seq, stored.leaf()))
}

/// Reads exported records, and hands `each` of those behind the record `known`, a number and its leaf hash, over in their order.
///
/// # Errors
/// See [`ExportedError`]; `each` may have seen some by then.
pub fn read_exported(
    mut input: impl BufRead,
    known: (u64, Digest),
    mut each: impl FnMut(&Stored),
) -> Result<Exported, ExportedError> {
    let (mut line, mut number, mut last) = (Vec::new(), 0, None::<Stored>);
    let (mut before, mut gone, mut pruned_to) = (known, None, 0);
    let mut intents = Intents::default();
    loop {
        line.clear();
        number += 1;
        if (&mut input).take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let read = || Some((Record::parse(text).ok()?.0, Stored::parse(text)?));
        let record = match read_pruned(text) {
            Some(pruned) => Err(pruned),
            None => Ok(read().ok_or(ExportedError::NoRecord { line: number })?),
        };
        let (seq, leaf, prev) = match &record {
            Ok((_, stored)) => (stored.seq, stored.leaf(), stored.prev),
            // What it followed is gone with it: the next record holds its hash.
            Err((seq, leaf)) => (*seq, *leaf, before.1),
        };
        let follows = (seq, prev) == (before.0.saturating_add(1), before.1);
        // What the log has itself may stand before it, and need not.
        let is_known = before == known && seq <= known.0;
        if !follows && (!is_known || (seq == known.0 && leaf != known.1)) {
            return Err(ExportedError::Gap { line: number, last: before.0 });
        }
        if !follows {
            continue;
        }
        before = (seq, leaf);
        let Ok((record, stored)) = record else {
            gone = Some(seq);
            continue;
        };
        if record.name == "log.pruned" {
            pruned_to = record.int("first").unwrap_or(0).max(pruned_to);
        }
        intents.record(&record);
        each(&stored);
        last = Some(stored);
    }
    if let Some(at) = gone.filter(|at| *at >= pruned_to) {
        return Err(ExportedError::Gone { at });
    }
    let last = last.ok_or(ExportedError::Ends { last: known.0 })?;
    Ok(Exported { last, unfinished: intents.unfinished() })
}
