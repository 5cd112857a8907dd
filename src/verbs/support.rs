//! `lightproof support bundle`: one file for whoever is asked for help, with nothing in it that is anybody's. It is shown whole
//! before it is written, and on record before it leaves.

use crate::Done;
use crate::boot::backup::BackupFile;
use crate::boot::folders::Home;
use crate::boot::{self, Booted};
use crate::cli::{Computing, Doctor, Global, Outputs, Support, SupportBundle};
use crate::doctor::{Examined, Finding, examine};
use crate::door::{client, place};
use crate::exit::{Code, Failure};
use crate::output::Output;
use crate::paths::{open_regular, with_remedy};
use crate::status::Status;
use crate::terminal::Terminal;
use crate::{input, operational_log, version};
use audit::{Clock as _, Digest, timestamp};
use rustix::fs::OFlags;
use sandbox::Clean;
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Version of the form.
const SCHEMA: &str = "lightproof/support/v1";
/// More than this of a log is not read.
const LOG_BYTES_MAX: u64 = 16 << 20;
/// Of the lines that can be handed over, the newest.
const LINES_MAX: usize = 5000;

/// Runs the verb.
///
/// # Errors
/// Why it ended early.
pub fn run(clean: Clean, global: &Global, verb: &Support, out: &Output) -> Done {
    let Support::Bundle(arguments) = verb;
    let path = &arguments.output;
    if global.json && !arguments.yes {
        let what = "with --json it is shown when it is written, and nobody can be asked before; leave --json out, or say --yes";
        return Err(Failure::new(Code::Usage, what));
    }
    if !arguments.yes && !Terminal::open().is_there() {
        let what = "nobody can be asked whether this may leave; look at it at a terminal, or say --yes";
        return Err(Failure::new(Code::Refused, what));
    }
    if path.as_os_str() == "-" {
        return Err(Failure::new(Code::Usage, "it is written to a file, and shown before; name one"));
    }
    let log = arguments.log.as_deref().map(read).transpose()?;
    // A server that has the vault has the log, too. Behind the fences no connection can be made.
    let server = place::reach(&Home::new(global)?.vault);
    let pictures = Outputs { outputs: arguments.pictures.outputs.clone() };
    let computing = Computing { model: None, device: Computing::DEVICE.into() };
    let doctor = Doctor { port: None, computing, pictures };
    let Examined { findings, booted, refusal, kernel } =
        examine(clean, global, &doctor, Some(BackupFile::Shown(path)))?;
    let left = |mut failure: Failure| {
        failure.what += &format!("; the file {} is left empty", path.display());
        failure
    };
    let booted = booted?;
    let looked = Looked { findings, kernel, log };
    hand_over(booted, &looked, (server, refusal), arguments, out).map_err(left)
}

/// What was looked at before the fences.
struct Looked {
    findings: Vec<Finding>,
    kernel: Option<String>,
    log: Option<Vec<u8>>,
}

fn hand_over(
    mut booted: Booted,
    looked: &Looked,
    (server, refusal): (Option<UnixStream>, Option<Failure>),
    arguments: &SupportBundle,
    out: &Output,
) -> Done {
    let path = arguments.output.display();
    let none = || Failure::new(Code::Usage, "a bundle for support is written to a file; name one");
    let file = booted.backup.take().ok_or_else(none)?;
    let status = Status::of(&booted)?;
    let bundle = bundle(&booted, looked, &status);
    let text = format!("{bundle:#}\n");
    out.data(&text);
    if out.has_lost() {
        let what = "what is in it could not be shown, and nothing was written";
        return Err(Failure::new(Code::Unexpected, what));
    }
    if !arguments.yes {
        let question = format!("All of it is above. Type yes to write it to {path}: ");
        if booted.terminal.ask(&question)?.trim() != "yes" {
            return Err(Failure::new(Code::Refused, "nothing was written"));
        }
    }
    let sha256 = Digest::of(text.as_bytes());
    let is_on_record = record(&booted, (server, refusal), &status, sha256)?;
    let written = (&file.file).write_all(text.as_bytes()).and_then(|()| file.settle());
    written.map_err(|error| {
        Failure::new(Code::Space, format!("{path} cannot be written: {}", with_remedy(&error)))
    })?;
    let where_ =
        if is_on_record { "that it leaves is on record" } else { "there is no log to put it on record" };
    out.say(&format!("{path}: {} bytes, SHA-256 {sha256}; {where_}", text.len()));
    out.object(
        true,
        &json!({ "file": path.to_string(), "bytes": text.len(), "sha256": sha256.to_string(),
            "on_record": is_on_record, "bundle": bundle }),
    );
    Ok(Code::Done)
}

/// Whether it is on record now: in the log of the server that runs, or in that of a vault that nobody has.
fn record(
    booted: &Booted,
    (server, refusal): (Option<UnixStream>, Option<Failure>),
    status: &Status,
    sha256: Digest,
) -> Result<bool, Failure> {
    if let Some(stream) = server {
        return client::record_support(stream, &booted.binary, sha256.0).map(|()| true);
    }
    if !status.has_vault() {
        return Ok(false);
    }
    let darkroom = booted.darkroom(refusal)?;
    let recorded = darkroom.record_support(sha256).map(|_| true).map_err(Failure::from);
    boot::leave(darkroom, recorded)
}

fn bundle(booted: &Booted, looked: &Looked, status: &Status) -> Value {
    // Never what a check says: its sentences name folders and users.
    let checks = looked.findings.iter();
    let checks = checks.map(|finding| json!({ "check": finding.check, "state": finding.state.word() }));
    let fences = booted.report.fences.iter();
    let fences =
        fences.map(|fence| json!({ "fence": fence.fence, "state": fence.state, "detail": fence.detail }));
    let numbers = status.numbers(status.needs().len());
    let (lines, left_out) = looked.log.as_deref().map(lines).unwrap_or_default();
    json!({
        "schema": SCHEMA, "made": timestamp(booted.clock.wall_ms()), "program": version::json(),
        "kernel": looked.kernel, "landlock_abi": booted.report.landlock_abi,
        "landlock_missing": booted.report.landlock_missing, "fences": fences.collect::<Vec<_>>(),
        "doctor": checks.collect::<Vec<_>>(),
        "numbers": numbers.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>(),
        "log": lines, "log_lines_left_out": left_out,
    })
}

/// The newest lines that the program itself can have written, and how many others there are.
fn lines(log: &[u8]) -> (Vec<Value>, usize) {
    let text = String::from_utf8_lossy(log);
    let all: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let mut ours: Vec<Value> = all.iter().filter_map(|line| operational_log::parse(line)).collect();
    ours.drain(..ours.len().saturating_sub(LINES_MAX));
    let left_out = all.len() - ours.len();
    (ours, left_out)
}

/// As bytes: what is in it is looked at behind the fences.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let opened = if path.as_os_str() == "-" { input::stdin() } else { open_regular(path, OFlags::empty()) };
    let mut bytes = Vec::new();
    let read = opened.and_then(|file| file.take(LOG_BYTES_MAX + 1).read_to_end(&mut bytes));
    read.map_err(|e| {
        Failure::new(Code::NotFound, format!("{} cannot be read: {}", path.display(), with_remedy(&e)))
    })?;
    if bytes.len() as u64 > LOG_BYTES_MAX {
        let what =
            format!("{} is longer than {} MiB; hand over its end", path.display(), LOG_BYTES_MAX >> 20);
        return Err(Failure::new(Code::Usage, what));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_lines_of_the_program_are_taken() {
        let line = |count: usize| {
            format!(
                "{{\"level\":\"info\",\"target\":\"lightproof::making\",\"event\":\"step\",\"count\":{count}}}\n"
            )
        };
        let mut log: String = (0..LINES_MAX + 2).map(line).collect();
        log += "\n\nRunning on local URL: http://127.0.0.1:7860\n";
        let (lines, left_out) = lines(log.as_bytes());
        assert_eq!((lines.len(), left_out), (LINES_MAX, 3));
        assert_eq!(lines[0]["count"], 2);
        assert_eq!(self::lines(b"\xff\xfe\0"), (Vec::new(), 1));
    }
}
