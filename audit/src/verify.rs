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
use crate::note::{NOTE_BYTES_MAX, Note, VerifyKey, is_origin, parse_journal};
use crate::open::io_error;
use crate::paths::{JOURNAL_BYTES_MAX, Paths, SEGMENT_RECORDS, SMALL_BYTES_MAX, files_below, read_limited};
use crate::report::{FileState, Report, Subject};
use records::Records;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

/// Runs that may be disturbed by the log's owner writing at the same time, and the pause between them.
const RUNS_MAX: u32 = 5;
const PAUSE: Duration = Duration::from_millis(100);

/// Verifies the log in `dir`; with `expected`, also that it continues that checkpoint (the content of a `checkpoint`
/// file saved earlier, cosignatures allowed).
///
/// A log that is being written may be verified: a finding about a file counts only if it and the file stand unchanged
/// in several runs. Findings about records, checkpoints and keys count at once, since those are durable before they are signed.
///
/// # Errors
/// `Absent` when there is no such folder or nothing of a log in it; `Io` when a file cannot be read.
pub fn verify(dir: &Path, expected: Option<&[u8]>) -> Result<Report, Error> {
    let mut report = verify_still(dir, expected)?;
    for _ in 1..RUNS_MAX {
        if !report.may_be_disturbed() {
            break;
        }
        std::thread::sleep(PAUSE);
        let mut again = verify_still(dir, expected)?;
        again.keep_common(&report);
        report = again;
    }
    Ok(report)
}

/// One run: enough for a folder that nobody writes to.
pub(crate) fn verify_still(dir: &Path, expected: Option<&[u8]>) -> Result<Report, Error> {
    let paths = Paths(dir.to_owned());
    let any = [paths.origin(), paths.vkeys(), paths.journal(), paths.checkpoint(), paths.segments()];
    if !any.iter().any(|path| path.symlink_metadata().is_ok()) {
        return Err(Error::Absent { dir: dir.to_owned() });
    }
    let mut report = Report::default();
    let notes = journal(&paths, &mut report)?;
    let claimed = notes.last().map_or(0, |n| n.checkpoint.size);
    let signed = plausible(&paths, claimed, &mut report)?;
    let records = records::read_all(&paths, signed, &mut report)?;
    let origin = origin(&paths, &notes, &mut report)?;
    let mut log = Reading { paths: &paths, origin, notes, signed, records, leaves: Vec::new() };
    let confirmed = tree::check(&mut log, &mut report);
    files::check(&log, &mut report)?;
    if let Some(bytes) = expected {
        expect(&log, bytes, &mut report);
    }
    report.complete = confirmed.min(report.first_bad_record().unwrap_or(confirmed));
    report.signed = claimed;
    report.root = log.notes.last().map(|n| n.checkpoint.root);
    report.checkpoints = log.notes.len() as u64;
    report.epochs = log.records.keys.len() as u64;
    report.first_key = log.records.keys.first().map(|key| VerifyKey::new(&log.origin, *key).to_string());
    report.last_ts = (log.records.ts_ms > 0).then(|| timestamp(log.records.ts_ms));
    report.origin = log.origin;
    report.open_intents = log.records.intents.into_open();
    report.remember(|name| file_state(&dir.join(name)));
    Ok(report)
}

fn file_state(path: &Path) -> Option<FileState> {
    let meta = path.symlink_metadata().ok()?;
    let changed = i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec());
    Some((meta.dev(), meta.ino(), meta.len(), changed))
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

/// How many of the claimed records are looked for. A forged checkpoint may claim any number; the work must stay in
/// proportion to what is there, so at most as many segments are missed one by one as there are files.
fn plausible(paths: &Paths, claimed: u64, report: &mut Report) -> Result<u64, Error> {
    let dir = paths.segments();
    let files = files_below(&dir).map_err(io_error("read", &dir))?.len() as u64;
    let most = files.saturating_mul(2).saturating_add(1).saturating_mul(SEGMENT_RECORDS);
    if claimed > most {
        let text = format!("covers far more records than there are files: those after {most} are lost");
        report.broken(Subject::Checkpoint(claimed), text);
    }
    Ok(claimed.min(most))
}

fn journal(paths: &Paths, report: &mut Report) -> Result<Vec<Note>, Error> {
    let name = || Subject::File("checkpoints.log".into());
    let Some(bytes) = read(&paths.journal(), JOURNAL_BYTES_MAX)? else {
        report.broken(name(), "is missing or too large: nothing is signed");
        return Ok(Vec::new());
    };
    let (notes, end) = parse_journal(&bytes);
    if end != bytes.len() as u64 {
        let last = notes.last().map_or(0, |n| n.checkpoint.size);
        let text = format!("cannot be read from byte {end} on, after the checkpoint of size {last}");
        // A crash leaves the start of one checkpoint. What it signed is then missed elsewhere, if it was acknowledged.
        let torn = bytes.len() as u64 - end <= NOTE_BYTES_MAX && !bytes.ends_with(b"\n\n");
        if torn { report.odd(name(), text) } else { report.broken(name(), text) }
    } else if notes.is_empty() {
        report.broken(name(), "is empty: nothing is signed");
    }
    Ok(notes)
}

fn origin(paths: &Paths, notes: &[Note], report: &mut Report) -> Result<String, Error> {
    let signed = notes.first().map(|n| n.checkpoint.origin.clone());
    let text = read(&paths.origin(), SMALL_BYTES_MAX)?.and_then(|bytes| String::from_utf8(bytes).ok());
    let named = text.as_deref().and_then(|t| t.strip_suffix('\n')).filter(|t| is_origin(t));
    if named.is_none() || (signed.is_some() && named != signed.as_deref()) {
        report.broken(Subject::File("origin".into()), "is not the name that the checkpoints carry");
    }
    Ok(signed.or(named.map(str::to_owned)).unwrap_or_default())
}

/// Whether the log continues the expected checkpoint.
fn expect(log: &Reading<'_>, bytes: &[u8], report: &mut Report) {
    let Some(note) = Note::parse_foreign(bytes) else {
        return report.odd(Subject::Expected, "is not a checkpoint of this kind of log");
    };
    let wanted = &note.checkpoint;
    report.expected = Some(wanted.size);
    if wanted.origin != log.origin {
        return report.broken(Subject::Expected, "belongs to another log");
    }
    if wanted.size > log.signed {
        return report.broken(
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
            .broken(Subject::Expected, "has another root at its size: the records before it were replaced");
    }
    let key = wanted.size.checked_sub(1).and_then(|last| log.records.key_of(last));
    if !key.is_some_and(|key| note.is_signed_by(&VerifyKey::new(&log.origin, key))) {
        report.broken(Subject::Expected, "is not signed by the key of its epoch");
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
