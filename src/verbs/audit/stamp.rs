//! `lightproof audit stamp`: time from outside, from a request that is carried to an authority to its answer on record.

use super::checkpoint::newest;
use crate::Done;
use crate::boot::backup::BackupFile;
use crate::boot::folders::{FolderUse, left_empty};
use crate::boot::{self, Booted, Wants};
use crate::cli::{Global, Stamp};
use crate::exit::{Code, Failure};
use crate::output::Output;
use crate::paths::absolute;
use audit::{Clock as _, StampFlaw, StampRequest, timestamp};
use darkroom::Darkroom;
use sandbox::Clean;
use serde_json::json;
use std::io::Write as _;
use std::path::Path;

/// What no check here tells.
const LIMITS: &str = "that the authority signed it is not checked here: openssl ts -verify -in ANSWER -queryfile REQUEST -CAfile \
                      ITS-CERTIFICATES";

/// Runs the verb.
///
/// # Errors
/// Why it ended early.
pub fn run(clean: Clean, global: &Global, verb: &Stamp, out: &Output) -> Done {
    match verb {
        Stamp::Request { output } => request(clean, global, output, out),
        Stamp::Import { answer, request } => import(clean, global, (answer, request), out),
        Stamp::List => {
            let wants = Wants { evidence: true, folder_use: FolderUse::Read, ..Wants::default() };
            list(&boot::boot(clean, global, &wants)?.without_darkroom()?, out)
        }
    }
}

/// The file is made before the fences: behind them nobody can.
fn request(clean: Clean, global: &Global, output: &Path, out: &Output) -> Done {
    // Behind them there is no working folder either.
    let made = absolute(output)?;
    let unwritten = |e: std::io::Error| {
        let hint = "name a file that is to be made, in a folder that is there";
        Failure::new(Code::Refused, format!("cannot write {}: {e}; {hint}", output.display()))
    };
    let backup = Some(BackupFile::Shown(output));
    let wants = Wants { folder_use: FolderUse::Read, backup, ..Wants::default() };
    let written = boot::boot(clean, global, &wants)?.without_darkroom().and_then(|mut booted| {
        let checkpoint = newest(&booted.folders.audit)?;
        let request = StampRequest::new(&checkpoint).map_err(unwritten)?;
        let none = || Failure::new(Code::Usage, "a request is written to a file");
        let file = booted.backup.take().ok_or_else(none)?;
        (&file.file).write_all(&request.to_der()).and_then(|()| file.settle()).map_err(unwritten)?;
        Ok(request.imprint)
    });
    let imprint = written.map_err(|failure| left_empty(failure, &made))?;
    out.data(&format!("{}: asks for a stamp over {imprint}\n", output.display()));
    out.say("carry it to a time stamping authority (RFC 3161); its answer: lightproof audit stamp import ANSWER --request FILE");
    out.object(true, &json!({ "file": output.display().to_string(), "imprint": imprint.to_string() }));
    Ok(Code::Done)
}

fn import(clean: Clean, global: &Global, (answer, request): (&Path, &Path), out: &Output) -> Done {
    let read = |path: &Path| {
        audit::read_stamp(path).map_err(|e| {
            let what =
                format!("cannot read {}: {e}; name the file that came from the authority", path.display());
            Failure::new(Code::NotFound, what)
        })
    };
    let flawed = |flaw: StampFlaw| Failure::new(Code::Integrity, format!("nothing was taken: {flaw}"));
    let (bytes, asked) = (read(answer)?, read(request)?);
    let fenced = boot::boot(clean, global, &Wants { evidence: true, ..Wants::default() })?;
    let request = StampRequest::parse(&asked).ok_or(StampFlaw::NoRequest).map_err(flawed)?;
    let stamp = audit::Stamp::parse(&bytes).map_err(flawed)?;
    request.check(&stamp).map_err(flawed)?;
    let (booted, darkroom) = fenced.darkroom()?;
    let result = take(&booted, &darkroom, (&bytes, &stamp), out);
    boot::leave(darkroom, result)
}

fn take(booted: &Booted, darkroom: &Darkroom, (bytes, stamp): (&[u8], &audit::Stamp), out: &Output) -> Done {
    let found = audit::checkpoint_of(&booted.folders.audit, stamp.imprint).map_err(darkroom::Error::from)?;
    let (size, _) = found.ok_or_else(|| {
        Failure::new(Code::Integrity, "nothing was taken: the stamp is over no checkpoint of this log")
    })?;
    let answer = evidence::keep_stamp(folder(booted)?, bytes)?;
    let record = darkroom.record_stamp(answer, size, stamp.time_ms)?.seq_first;
    let time = timestamp(stamp.time_ms);
    out.data(&format!(
        "the first {size} records were there at {time}, by the authority\'s clock; record {record}\n"
    ));
    out.say(LIMITS);
    out.object(
        true,
        &json!({ "records": size, "time": time, "time_ms": stamp.time_ms, "answer": answer.to_string(), "record": record }),
    );
    Ok(Code::Done)
}

fn list(booted: &Booted, out: &Output) -> Done {
    let stamps = evidence::stamps(&booted.folders.audit, folder(booted)?)?;
    let now_ms = booted.clock.wall_ms();
    let mut all = Vec::new();
    for stamp in &stamps {
        let (time, what) = (
            timestamp(stamp.time_ms),
            if stamp.holds() { "kept, and as recorded" } else { "NOT as recorded" },
        );
        out.data(&format!("{time}  the first {} records  record {}  {what}\n", stamp.size, stamp.record.seq));
        all.push(
            json!({ "time": time, "time_ms": stamp.time_ms, "records": stamp.size, "record": stamp.record.seq,
            "answer": stamp.answer.to_string(), "holds": stamp.holds() }),
        );
    }
    let is_whole = stamps.iter().all(evidence::KeptStamp::holds);
    let age = stamps.iter().map(|stamp| now_ms.saturating_sub(stamp.time_ms) / 1000).min();
    if stamps.is_empty() {
        out.say("there is no stamp yet; ask for one with: lightproof audit stamp request -o FILE");
    }
    out.object(is_whole, &json!({ "stamps": all, "age_seconds": age }));
    Ok(if is_whole { Code::Done } else { Code::Integrity })
}

fn folder(booted: &Booted) -> Result<&Path, Failure> {
    let none = || Failure::new(Code::Unexpected, "there is no folder for what was found");
    booted.folders.evidence.as_deref().ok_or_else(none)
}
