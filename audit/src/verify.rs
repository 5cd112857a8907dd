//! Verification. Reads, never writes, and trusts nothing but the first key: every file may have been made by an
//! attacker, and the worst that a file can do is to become a finding.
//!
//! Hashes and signatures are checked whatever a record says; what a record says is then held against the schema.

mod checkpoints;
mod clock;
mod files;
mod pruned;
mod reading;
mod records;
mod taken;
mod tree;

use crate::clock::timestamp;
use crate::error::{Error, io_error};
use crate::journal::Notes;
use crate::merkle::Frontier;
use crate::note::{NOTE_BYTES_MAX, Note, VerifyKey, is_origin};
use crate::paths::{Paths, SEGMENT_RECORDS, files_below};
use crate::report::{Report, Subject};
use crate::token::Digest;
use reading::Reading;
use std::path::Path;
use std::time::{Duration, Instant};
use taken::Taken;

/// Runs over a folder with findings that somebody's writing could explain, and the pause between them.
const RUNS_MAX: u32 = 5;
const PAUSE: Duration = Duration::from_millis(100);
/// How long one run waits for the checkpoint over records that are written already.
const PATIENCE: Duration = Duration::from_millis(200);

/// Verifies the log in `dir`; with `expected`, also that it continues that checkpoint (the content of a `checkpoint`
/// file saved earlier, cosignatures allowed).
///
/// A log that is being written may be verified: each file is held against the checkpoints that were signed while it was
/// read. A finding about a file is looked at again, and goes only if a later run, over another content, no longer has it:
/// what is touched and not changed stays a finding. A folder that is never the same in two runs is a finding itself.
/// Findings about records, checkpoints and keys count at once, since those are durable before they are signed.
///
/// # Errors
/// `Absent` when there is no such folder or nothing of a log in it; `Io` when a file cannot be read.
pub fn verify(dir: &Path, expected: Option<&[u8]>) -> Result<Report, Error> {
    let mut report = verify_once(dir, expected, PATIENCE)?;
    let mut before = None;
    for _ in 1..RUNS_MAX {
        if !report.may_be_disturbed() {
            return Ok(report);
        }
        std::thread::sleep(PAUSE);
        let again = verify_once(dir, expected, PATIENCE)?;
        before = Some(std::mem::replace(&mut report, again));
    }
    if let Some(before) = &before {
        report.settle(before);
    }
    Ok(report)
}

/// One run without waiting for anybody: enough for a folder that nobody writes to.
#[cfg(test)]
pub(crate) fn verify_still(dir: &Path, expected: Option<&[u8]>) -> Result<Report, Error> {
    verify_once(dir, expected, Duration::ZERO)
}

fn verify_once(dir: &Path, expected: Option<&[u8]>, patience: Duration) -> Result<Report, Error> {
    let paths = Paths(dir.to_owned());
    let any = [paths.origin(), paths.vkeys(), paths.journal(0), paths.checkpoint(), paths.segments()];
    // What cannot be looked at is not absent.
    for path in &any {
        match path.symlink_metadata() {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(io_error("look at", path)(e)),
            Ok(_) => return verify_here(&paths, expected, patience),
        }
    }
    Err(Error::Absent { dir: dir.to_owned() })
}

fn verify_here(paths: &Paths, expected: Option<&[u8]>, patience: Duration) -> Result<Report, Error> {
    let mut report = Report::default();
    let taken = Taken::read(paths)?;
    let journal = checkpoints::find(paths, &mut report)?;
    let claimed = journal.last.as_ref().map_or(0, |n| n.checkpoint.size);
    let signed = plausible(paths, claimed, &mut report)?;
    let records = records::read_all(paths, signed, &mut report)?;
    let origin = origin(&taken, paths, journal.first.as_ref(), &mut report);
    let mut log = Reading { paths, origin, signed, records, taken, journal, ahead: None, leaves: Vec::new() };
    let confirmed = tree::check(&mut log, &mut report)?;
    log.ahead = ahead(&log, patience);
    pruned::check(&log, &mut report)?;
    unsigned(&log, &mut report);
    files::check(&log, &mut report);
    if let Some(bytes) = expected {
        expect(&log, bytes, &mut report);
    }
    report.complete = confirmed.min(report.first_bad_record().unwrap_or(confirmed));
    report.signed = claimed;
    report.pruned = log.records.pruned;
    report.root = log.journal.last.as_ref().map(|n| n.checkpoint.root);
    report.checkpoints = log.journal.total;
    report.epochs = log.records.keys.len() as u64;
    report.first_key = log.records.keys.first().map(|key| VerifyKey::new(&log.origin, *key).to_string());
    report.last_ts = (log.records.ts_ms > 0).then(|| timestamp(log.records.ts_ms));
    report.origin = log.origin;
    report.doubts = log.records.times.doubts;
    report.open_intents = log.records.intents.into_open();
    Ok(report)
}

/// How many of the claimed records are looked for. A forged checkpoint may claim any number; the work must stay in
/// proportion to what is there.
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

/// The size of the next checkpoint, if by now there is one that the log's key signed. Waits for it when there is
/// something that it would explain.
fn ahead(log: &Reading<'_>, patience: Duration) -> Option<u64> {
    let next_segment = log.paths.segment(log.signed.div_ceil(SEGMENT_RECORDS));
    let in_work = log.records.surplus.is_some()
        || !log.journal.rest.is_empty()
        || next_segment.symlink_metadata().is_ok();
    let key = VerifyKey::new(&log.origin, log.records.key_of(log.signed)?);
    let started = Instant::now();
    loop {
        // No batch is longer than a segment.
        let follows = |size: u64| size > log.signed && size - log.signed <= SEGMENT_RECORDS;
        let places = [(log.journal.files.saturating_sub(1), log.journal.end), (log.journal.files, 0)];
        let next = places.into_iter().find_map(|(number, from)| {
            let note = Notes::open(&log.paths.journal(number), from).ok()?.next()?.ok()?;
            (follows(note.checkpoint.size) && note.is_signed_by(&key)).then_some(note)
        });
        if next.is_some() || !in_work || started.elapsed() >= patience {
            return next.map(|n| n.checkpoint.size);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// What lies behind the signed part of a file: the writer's next batch, or what a crash left.
fn unsigned(log: &Reading<'_>, report: &mut Report) {
    if log.ahead.is_some() {
        return;
    }
    if let Some(surplus) = &log.records.surplus {
        let text =
            format!("{} bytes after record {}, which no checkpoint signs", surplus.bytes, surplus.after);
        report.odd_file(&surplus.name, Some(surplus.digest), text);
    }
    let rest = &log.journal.rest;
    if !rest.is_empty() {
        let last = log.journal.last.as_ref().map_or(0, |n| n.checkpoint.size);
        let end = log.journal.end;
        let text = format!("cannot be read from byte {end} on, after the checkpoint of size {last}");
        // A crash leaves the start of one checkpoint. What it signed is then missed elsewhere, if it was acknowledged.
        let torn = rest.len() as u64 <= NOTE_BYTES_MAX && !rest.ends_with(b"\n\n");
        let judged = Some(Digest::of(rest));
        match torn {
            true => report.odd_file(&log.journal.name(), judged, text),
            false => report.broken_file(&log.journal.name(), judged, text),
        }
    }
}

fn origin(taken: &Taken, paths: &Paths, first: Option<&Note>, report: &mut Report) -> String {
    let path = paths.origin();
    let signed = first.map(|n| n.checkpoint.origin.clone());
    let text = taken.text(&path).and_then(|bytes| std::str::from_utf8(bytes).ok());
    let named = text.and_then(|t| t.strip_suffix('\n')).filter(|t| is_origin(t));
    if named.is_none() || (signed.is_some() && named != signed.as_deref()) {
        report.broken_file("origin", taken.digest(&path), "is not the name that the checkpoints carry");
    }
    signed.or(named.map(str::to_owned)).unwrap_or_default()
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
