//! Verification. Reads, never writes, and trusts nothing but the first key: every file may have been made by an
//! attacker, and the worst that a file can do is to become a finding.
//!
//! Hashes and signatures are checked whatever a record says; what a record says is then held against the schema.

mod files;
mod records;
mod tree;

use crate::clock::timestamp;
use crate::error::Error;
use crate::merkle::{Frontier, Hash};
use crate::note::{Note, VerifyKey, is_origin, parse_journal};
use crate::open::io_error;
use crate::paths::{JOURNAL_BYTES_MAX, Paths, SMALL_BYTES_MAX, read_limited};
use crate::report::{Report, Subject};
use records::Records;
use std::io;
use std::path::Path;

/// Runs that are allowed to be disturbed by the log's owner writing at the same time.
const RUNS_MAX: u32 = 5;

/// Verifies the log in `dir`; with `expected`, also that it continues that checkpoint (the content of a `checkpoint`
/// file saved earlier, cosignatures allowed).
///
/// A log that is being written may be verified: when it has grown meanwhile, findings do not count and the run is
/// repeated.
///
/// # Errors
/// `Absent` when there is no such folder or nothing of a log in it; `Io` when a file cannot be read.
pub fn verify(dir: &Path, expected: Option<&[u8]>) -> Result<Report, Error> {
    let paths = Paths(dir.to_owned());
    let any = [paths.origin(), paths.vkeys(), paths.journal(), paths.checkpoint(), paths.segments()];
    if !any.iter().any(|path| path.symlink_metadata().is_ok()) {
        return Err(Error::Absent { dir: dir.to_owned() });
    }
    let journal_len = || paths.journal().metadata().map_or(0, |m| m.len());
    let mut run = 1;
    loop {
        let before = journal_len();
        let report = verify_once(&paths, expected)?;
        if report.is_ok() || run == RUNS_MAX || journal_len() == before {
            return Ok(report);
        }
        run += 1;
    }
}

/// A log as read, before any judgement on how its parts fit.
struct Reading<'a> {
    paths: &'a Paths,
    origin: String,
    notes: Vec<Note>,
    /// Records that the last checkpoint covers.
    signed: u64,
    records: Records,
    /// The leaves that the checkpoints confirm, where need be in place of damaged records.
    leaves: Vec<Hash>,
}

fn verify_once(paths: &Paths, expected: Option<&[u8]>) -> Result<Report, Error> {
    let mut report = Report::default();
    let notes = journal(paths, &mut report)?;
    let signed = notes.last().map_or(0, |n| n.checkpoint.size);
    let records = records::read_all(paths, signed, &mut report)?;
    let origin = origin(paths, &notes, &mut report)?;
    let mut log = Reading { paths, origin, notes, signed, records, leaves: Vec::new() };
    let confirmed = tree::check(&mut log, &mut report);
    files::check(&log, &mut report)?;
    if let Some(bytes) = expected {
        expect(&log, bytes, &mut report);
    }
    report.complete = confirmed.min(report.first_bad_record().unwrap_or(confirmed));
    report.signed = signed;
    report.root = log.notes.last().map(|n| n.checkpoint.root);
    report.checkpoints = log.notes.len() as u64;
    report.epochs = log.records.keys.len() as u64;
    report.first_key = log.records.keys.first().map(|key| VerifyKey::new(&log.origin, *key).to_string());
    report.last_ts = (log.records.ts_ms > 0).then(|| timestamp(log.records.ts_ms));
    report.origin = log.origin;
    report.open_intents = log.records.intents.into_open();
    Ok(report)
}

fn journal(paths: &Paths, report: &mut Report) -> Result<Vec<Note>, Error> {
    let name = || Subject::File("checkpoints.log".into());
    let Some(bytes) = read(&paths.journal(), JOURNAL_BYTES_MAX)? else {
        report.add(name(), "is missing or too large: nothing is signed");
        return Ok(Vec::new());
    };
    let (notes, end) = parse_journal(&bytes);
    if end != bytes.len() as u64 {
        let last = notes.last().map_or(0, |n| n.checkpoint.size);
        report.add(name(), format!("cannot be read from byte {end} on, after the checkpoint of size {last}"));
    } else if notes.is_empty() {
        report.add(name(), "is empty: nothing is signed");
    }
    Ok(notes)
}

fn origin(paths: &Paths, notes: &[Note], report: &mut Report) -> Result<String, Error> {
    let signed = notes.first().map(|n| n.checkpoint.origin.clone());
    let text = read(&paths.origin(), SMALL_BYTES_MAX)?.and_then(|bytes| String::from_utf8(bytes).ok());
    let named = text.as_deref().and_then(|t| t.strip_suffix('\n')).filter(|t| is_origin(t));
    if named.is_none() || (signed.is_some() && named != signed.as_deref()) {
        report.add(Subject::File("origin".into()), "is not the name that the checkpoints carry");
    }
    Ok(signed.or(named.map(str::to_owned)).unwrap_or_default())
}

/// Whether the log continues the expected checkpoint.
fn expect(log: &Reading<'_>, bytes: &[u8], report: &mut Report) {
    let Some(note) = Note::parse_foreign(bytes) else {
        return report.add(Subject::Expected, "is not a checkpoint of this kind of log");
    };
    let wanted = &note.checkpoint;
    report.expected = Some(wanted.size);
    if wanted.origin != log.origin {
        return report.add(Subject::Expected, "belongs to another log");
    }
    if wanted.size > log.signed {
        return report.add(
            Subject::Expected,
            format!(
                "covers {} records, this log has {}: it was cut back or replaced",
                wanted.size, log.signed
            ),
        );
    }
    let mut frontier = Frontier::default();
    let count = usize::try_from(wanted.size).unwrap_or(usize::MAX);
    log.leaves.iter().take(count).for_each(|leaf| frontier.push(*leaf));
    if frontier.size() != wanted.size || frontier.root() != wanted.root.0 {
        return report
            .add(Subject::Expected, "has another root at its size: the records before it were replaced");
    }
    let key = wanted.size.checked_sub(1).and_then(|last| log.records.key_of(last));
    if !key.is_some_and(|key| note.is_signed_by(&VerifyKey::new(&log.origin, key))) {
        report.add(Subject::Expected, "is not signed by the key of its epoch");
    }
}

/// The content of a file; `None` if it is missing, no regular file, or larger than the limit.
fn read(path: &Path, bytes_max: u64) -> Result<Option<Vec<u8>>, Error> {
    use io::ErrorKind::{FileTooLarge, InvalidInput, IsADirectory, NotADirectory, NotFound};
    match read_limited(path, bytes_max) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e)
            if matches!(e.kind(), FileTooLarge | InvalidInput | IsADirectory | NotADirectory | NotFound) =>
        {
            Ok(None)
        }
        Err(e) => Err(io_error("read", path)(e)),
    }
}
