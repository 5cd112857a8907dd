//! A run that is kept and on record, and the runs that the log names.

use super::probes::try_all;
use super::site::{Room, Site};
use audit::{Digest, Order};
use darkroom::Who;
use evidence::{Finding, Outcome, Run};
use sandbox::ProbeReport;
use std::path::Path;

/// A run that is kept and on record.
pub struct Tried {
    /// What was found.
    pub run: Run,
    /// Number of the record that names it.
    pub record: u64,
}

/// Why the controls were not tried, or what was found cannot be told.
pub enum Error {
    /// The files of what was found.
    Evidence(evidence::Error),
    /// A bundle that does not pass its own check, and what was found first.
    NotWhole(Finding),
    /// What the controller says of themselves makes no sense, in words.
    Controller(String),
    /// Vault and log.
    Darkroom(darkroom::Error),
}

impl From<evidence::Error> for Error {
    fn from(error: evidence::Error) -> Self {
        Self::Evidence(error)
    }
}

impl From<darkroom::Error> for Error {
    fn from(error: darkroom::Error) -> Self {
        Self::Darkroom(error)
    }
}

/// Tries the controls, keeps what was found, and puts that on record: as `who`, or with the vault shut.
///
/// # Errors
/// They may not; nothing is tried. What was found cannot be kept, or not be recorded.
pub fn try_now(
    site: &Site,
    room: &mut Room<'_>,
    who: Option<&Who>,
    fences: &dyn Fn() -> Result<ProbeReport, sandbox::Error>,
) -> Result<Tried, Error> {
    let may_try = |room: &mut Room<'_>| match who {
        Some(who) => room.with(|darkroom| darkroom.may_try_controls(who)),
        None => Ok(()),
    };
    may_try(room)?;
    let run = try_all(site, room, who, fences);
    // Whoever asked may be out by now. What is kept and not on record would take the place of a run that is.
    may_try(room)?;
    record_run(site, room, who, run)
}

/// Keeps a run, and puts it on record.
///
/// # Errors
/// As [`try_now`].
pub fn record_run(site: &Site, room: &mut Room<'_>, who: Option<&Who>, run: Run) -> Result<Tried, Error> {
    let digest = evidence::keep(&site.evidence, &run)?;
    let not_satisfied = u32::try_from(run.count(Outcome::NotSatisfied)).unwrap_or(u32::MAX);
    let record = room.with(|darkroom| darkroom.record_tried(who, digest, not_satisfied))?.seq_first;
    Ok(Tried { run, record })
}

/// The kept runs that the log names, the newest first. A file that no record names may be anybody's.
///
/// # Errors
/// Log or folder cannot be read.
pub fn on_record(log: &Path, folder: &Path) -> Result<Vec<Tried>, Error> {
    let kept = evidence::kept(folder)?;
    let mut left: Vec<(Digest, Run)> = kept.runs.into_iter().map(|run| (run.digest(), run)).collect();
    let mut found = Vec::new();
    if left.is_empty() {
        return Ok(found);
    }
    let records = audit::records(log, Order::NewestFirst).map_err(darkroom::Error::from)?;
    for record in records.flatten().filter(|record| record.name == "evidence.tried") {
        let named = record.digest("run");
        if let Some(at) = left.iter().position(|(digest, _)| Some(*digest) == named) {
            found.push(Tried { record: record.seq, run: left.swap_remove(at).1 });
        }
        if left.is_empty() {
            break;
        }
    }
    Ok(found)
}
