//! Time stamps of the log, kept beside it: the answer of an authority, a file each, named by its SHA-256, which the record
//! `log.stamped` carries. In a bundle each goes with the checkpoint that it is about.

use crate::bundle;
use crate::error::Error;
use crate::folder::{self, NewFolder};
use audit::{Digest, Order, STAMP_BYTES_MAX, Stamp, Stored};
use std::path::Path;

/// Where they lie, in the folder of what was found.
const FOLDER: &str = "stamps";

/// A stamp that is on record.
#[derive(Debug)]
#[non_exhaustive]
pub struct KeptStamp {
    /// The record `log.stamped`.
    pub record: Stored,
    /// How many records the stamped checkpoint covers.
    pub size: u64,
    /// When, by the clock of the authority, in milliseconds since 1970.
    pub time_ms: u64,
    /// SHA-256 of the answer.
    pub answer: Digest,
    /// The answer, and the checkpoint that it is about, if both are there and as recorded.
    kept: Option<(Vec<u8>, Vec<u8>)>,
}

impl KeptStamp {
    /// Whether the answer is kept, and is about that checkpoint of the log. Its signature is not looked at.
    pub fn holds(&self) -> bool {
        self.kept.is_some()
    }
}

/// Keeps an answer in `dir`, the folder of what was found, which must be there. When this returns its file is durable, and its
/// digest may go on record.
///
/// # Errors
/// [`Error::Io`].
pub fn keep_stamp(dir: &Path, answer: &[u8]) -> Result<Digest, Error> {
    let digest = Digest::of(answer);
    let dir = folder::within(dir, FOLDER)?;
    folder::write_durable(&dir, &file(digest), answer)?;
    Ok(digest)
}

/// The stamps that the log in `log` names, the newest first, with what is kept of them in `dir`.
///
/// # Errors
/// What the log says.
pub fn stamps(log: &Path, dir: &Path) -> Result<Vec<KeptStamp>, Error> {
    let records = audit::records(log, Order::NewestFirst)?;
    let named = records.flatten().filter(|record| record.name == "log.stamped");
    named.filter_map(|record| of(log, dir, record).transpose()).collect()
}

fn of(log: &Path, dir: &Path, record: Stored) -> Result<Option<KeptStamp>, Error> {
    let number = |field| record.int(field).and_then(|number| u64::try_from(number).ok());
    let (Some(answer), Some(size), Some(time_ms)) =
        (record.digest("answer"), number("size"), number("stamped_ms"))
    else {
        return Ok(None);
    };
    let mut kept = None;
    if let Ok(bytes) = folder::read(&dir.join(FOLDER).join(file(answer)), STAMP_BYTES_MAX)
        && let Some(imprint) = about(&bytes, answer, time_ms)
        && let Some((of, checkpoint)) = audit::checkpoint_of(log, imprint)?
        && of == size
    {
        kept = Some((bytes, checkpoint));
    }
    Ok(Some(KeptStamp { record, size, time_ms, answer, kept }))
}

/// What an answer is about, if it is the one that a record names.
pub(crate) fn about(bytes: &[u8], answer: Digest, time_ms: u64) -> Option<Digest> {
    let stamp = Stamp::parse(bytes).ok().filter(|stamp| stamp.time_ms == time_ms)?;
    (Digest::of(bytes) == answer).then_some(stamp.imprint)
}

/// Puts those that hold into a bundle.
pub(crate) fn hand_over(folder: &mut NewFolder, stamps: &[KeptStamp]) -> Result<(), Error> {
    for KeptStamp { record, kept, .. } in stamps {
        if let Some((answer, checkpoint)) = kept {
            folder.write(&bundle::stamp(record.seq), answer)?;
            folder.write(&bundle::stamped(record.seq), checkpoint)?;
        }
    }
    Ok(())
}

fn file(answer: Digest) -> String {
    format!("{answer}.tsr")
}
