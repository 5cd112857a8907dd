//! What can be tried of a log by itself: by the program that writes it, and by anybody who has a copy.

use crate::catalogue::control;
use crate::control::Reason;
use crate::verdict::{Reading, Verdict};
use audit::{Order, RESERVE_BYTES, Report, SEGMENT_BYTES_MAX, Stored, Subject};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// The controls that are tried here.
const TRIED: [&str; 9] =
    ["LOG-03", "LOG-04", "LOG-07", "LOG-08", "LOG-09", "LOG-12", "ERA-04", "ACC-05", "GOV-01"];
/// Full segments that must find room before the log counts as having some.
const SEGMENTS_FREE_MIN: u64 = 2;
/// Bytes that are to be free for the log.
pub const LOG_FREE_BYTES_MIN: u64 = SEGMENTS_FREE_MIN * SEGMENT_BYTES_MAX;

/// Tries the log in `dir`, beside its writer if there is one. `now` tells the time, in milliseconds since 1970;
/// `run_age_seconds_max` is how old the last run may be.
pub fn try_log(dir: &Path, run_age_seconds_max: u64, now: &dyn Fn() -> u64) -> Vec<Verdict> {
    let started_ms = now();
    let verified = audit::verify(dir, None);
    let last_run = match &verified {
        Ok(report) if report.types.contains_key("evidence.tried") => newest(dir, "evidence.tried"),
        _ => None,
    };
    let took_ms = now().saturating_sub(started_ms);
    let verdict = |id: &str| {
        let control = control(id)?;
        let Ok(report) = &verified else { return Some(Verdict::not_measured(control, Reason::TrialFailed)) };
        match id {
            "ERA-04" if erasures(report) == 0 => {
                return Some(Verdict::not_applicable(control, Reason::NothingErased));
            }
            "LOG-08" if count(report, "recovery.truncated") == 0 => {
                return Some(Verdict::not_applicable(control, Reason::NothingCutShort));
            }
            "GOV-01" if last_run.is_none() => {
                return Some(Verdict::not_measured(control, Reason::NeverTried));
            }
            _ => {}
        }
        let mut reading = Reading::begun_at(started_ms);
        reading.took_ms = took_ms;
        match id {
            "LOG-03" => {
                reading.fact("findings", report.findings_total);
                reading.fact("records_complete", report.complete);
                reading.fact("records_signed", report.signed);
            }
            "LOG-04" => keys(dir, report, &mut reading),
            "LOG-07" => reading.fact("doubts", report.doubts.len() as u64),
            "LOG-08" => cut_short(report, &mut reading),
            "ACC-05" => readers(dir, report, &mut reading),
            "LOG-09" => room(dir, &mut reading),
            "LOG-12" => reading.fact("records_outside_schema", report.outside_schema),
            "ERA-04" => {
                reading.fact("erasures", erasures(report));
                reading.fact("findings", report.findings_total);
            }
            _ => {
                reading.fact("age_seconds_max", run_age_seconds_max);
                if let Some(run) = &last_run {
                    reading.fact("age_seconds", started_ms.saturating_sub(run.ts_ms) / 1000);
                    reading.record(run.seq);
                }
            }
        }
        Some(Verdict::of(control, reading))
    };
    TRIED.iter().filter_map(|id| verdict(id)).collect()
}

fn erasures(report: &Report) -> u64 {
    count(report, "object.erased")
}

fn count(report: &Report, name: &str) -> u64 {
    report.types.get(name).copied().unwrap_or(0)
}

/// Whether all that was acknowledged is there after ends of the program in the middle of a record, and what nobody had
/// acknowledged is kept.
fn cut_short(report: &Report, reading: &mut Reading) {
    let in_quarantine =
        |subject: &Subject| matches!(subject, Subject::File(name) if name.starts_with("quarantine/"));
    let odd = report.findings.iter().filter(|finding| in_quarantine(&finding.subject)).count();
    reading.fact("ends_cut_short", count(report, "recovery.truncated"));
    reading.fact("records_complete", report.complete);
    reading.fact("records_signed", report.signed);
    // Of more findings than are listed nobody knows what they are about.
    if report.findings_total == report.findings.len() as u64 {
        reading.fact("set_aside_and_not_whole", odd as u64);
    }
}

/// Whether anybody else may open the folder of the log: they would read it past the server, and off the record.
fn readers(dir: &Path, report: &Report, reading: &mut Reading) {
    reading.fact("readings_on_record", count(report, "audit.read"));
    if let Ok(folder) = dir.metadata() {
        // A group of the user's own number is the user's alone.
        let others = if folder.gid() == folder.uid() { 0o007 } else { 0o077 };
        reading.fact("others_may_open_folder", folder.mode() & others != 0);
    }
}

/// Whether each former key is on record as destroyed, and the key that is there is the newest one. A copy for an auditor has
/// none, and nothing is said of it.
fn keys(dir: &Path, report: &Report, reading: &mut Reading) {
    reading.fact("keys_former", report.epochs.saturating_sub(1));
    reading.fact("keys_destroyed", count(report, "key.destroyed"));
    if dir.join("epoch.key").symlink_metadata().is_ok() {
        let about_key = |subject: &Subject| matches!(subject, Subject::File(name) if name == "epoch.key");
        reading.fact("key_is_newest", !report.findings.iter().any(|finding| about_key(&finding.subject)));
    }
}

fn room(dir: &Path, reading: &mut Reading) {
    let reserve = dir.join("reserve").symlink_metadata();
    let whole = reserve.as_ref().map_or(0, |meta| if meta.is_file() { meta.len() } else { 0 });
    reading.fact("reserve_bytes", whole);
    reading.fact("reserve_bytes_min", RESERVE_BYTES);
    reading.fact("free_bytes_min", LOG_FREE_BYTES_MIN);
    if let Ok(disk) = rustix::fs::statvfs(dir) {
        reading.fact("free_bytes", disk.f_bavail.saturating_mul(disk.f_frsize));
    }
}

/// The last record of that type.
fn newest(dir: &Path, name: &str) -> Option<Stored> {
    audit::records(dir, Order::NewestFirst).ok()?.flatten().find(|record| record.name == name)
}

#[cfg(test)]
#[path = "tests/of_log.rs"]
mod tests;
