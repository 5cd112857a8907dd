//! `lightproof audit`: records, in lines or in words, and the check of all of them. Reads only, and works beside a running server, but
//! for what goes on record itself.

mod checkpoint;
mod export;
mod prune;
mod qr;
mod stamp;
mod told;

use crate::boot::folders::FolderUse;
use crate::boot::outside::Copy;
use crate::boot::{self, Wants};
use crate::cli::{Audit, Global, Show};
use crate::exit::{Code, Failure};
use crate::output::Output;
use crate::{Done, input};
use audit::{
    Error, Follower, Gone, Newest, Order, Outside, OutsideError, OutsideFlaw, Selection, Stored, Typed,
};
use darkroom::{CopyPlace, copy_trouble, unusable};
use sandbox::Clean;
use serde_json::{Value, json};
use std::io::ErrorKind;
use std::path::Path;
use told::{failed, parsed};

/// Runs the verb.
///
/// # Errors
/// Why it ended early.
pub fn run(mut clean: Clean, global: &Global, verb: &Audit, out: &Output) -> Done {
    if let Audit::Stamp(verb) = verb {
        return stamp::run(clean, global, verb, out);
    }
    if let Audit::Prune { dry_run, yes, keys } = verb {
        return prune::run(clean, global, (*dry_run, *yes), keys, out);
    }
    if let Audit::Export { format, after, spool } = verb {
        return export::run(clean, global, (*format, *after, spool.as_deref()), out);
    }
    if let Audit::Checkpoint { output, qr } = verb {
        return checkpoint::run(clean, global, (output.as_deref(), *qr), out);
    }
    let expect = match verb {
        Audit::Verify { expect: Some(path) } => Some(input::read_checkpoint(path, &mut clean)?),
        _ => None,
    };
    let selection = match verb {
        Audit::Show(show) => selection(show)?,
        _ => Selection::default(),
    };
    let wants = Wants { folder_use: FolderUse::Read, ..Wants::default() };
    let booted = boot::boot(clean, global, &wants)?.without_darkroom()?;
    let expect = expect.map(|bytes| input::checkpoint_of(&bytes)).transpose()?;
    let dir = &booted.folders.audit;
    match verb {
        Audit::Tail { count, follow: true } => follow(dir, *count, global.json, out),
        Audit::Tail { count, follow: false } => {
            let Newest { lines, gone } = audit::tail(dir, *count, global.json).map_err(failed)?;
            let records = print(lines.into_iter().map(Ok), global.json, out)?;
            end(records, gone, out)
        }
        Audit::Show(Show { record: Some(seq), .. }) => {
            let record = record(dir, *seq)?;
            let records = print([audit::line(Ok(record), global.json)].into_iter(), global.json, out)?;
            end(records, None, out)
        }
        Audit::Show(_) => {
            let mut items = audit::records(dir, Order::OldestFirst).map_err(failed)?;
            // A line that is no record may be any record.
            let taken =
                |item: &Result<Stored, Error>| item.as_ref().map_or(true, |record| selection.takes(record));
            let shown = items.by_ref().filter(taken).map(|item| audit::line(item, global.json));
            let records = print(shown, global.json, out)?;
            end(records, items.gone(), out)
        }
        Audit::Explain { record: seq } => {
            let explanation = record(dir, *seq)?.explain();
            out.data(&format!("{explanation}\n"));
            out.object(true, &parsed(&explanation.to_json()));
            Ok(Code::Done)
        }
        Audit::Verify { .. }
        | Audit::Stamp(_)
        | Audit::Export { .. }
        | Audit::Prune { .. }
        | Audit::Checkpoint { .. } => {
            let (expect, strange) = match (expect, &booted.copy) {
                (None, Some(copy)) => kept_elsewhere(copy, dir, out),
                (expect, _) => (expect, None),
            };
            let report = audit::verify(dir, expect.as_deref()).map_err(failed)?;
            out.data(&format!("{report}\n"));
            let mut data = parsed(&report.to_json())["data"].take();
            if let Some(what) = &strange {
                out.warn(&not_held(what));
                data["checkpoint_copy"] = json!(what);
            }
            out.object(report.is_ok() && strange.is_none(), &data);
            Ok(match (report.is_ok(), report.integrity_broken || strange.is_some()) {
                (true, false) => Code::Done,
                (false, false) => Code::Found,
                (_, true) => Code::Integrity,
            })
        }
    }
}

/// The checkpoint in the folder that the policy names: what the log in `dir` is held against where no other one is given; and what lies
/// in its place, and is none. That is found beside what the log itself says; a disk that is not there says nothing.
fn kept_elsewhere(copy: &Copy, dir: &Path, out: &Output) -> (Option<Vec<u8>>, Option<String>) {
    let unread = |what: String| {
        out.warn(&not_held(&what));
        (None, None)
    };
    let strange = |folder: &Path, error| (None, Some(copy_trouble(folder, &error)));
    match &copy.place {
        CopyPlace::Unusable { folder, why } => unread(unusable(folder, why)),
        CopyPlace::Folder(folder) => match Outside::read(folder) {
            Ok(Some(copy)) => {
                if copy.check(dir).is_ok_and(|found| found == Err(OutsideFlaw::NoCheckpoint)) {
                    return strange(folder, OutsideError::Flawed(OutsideFlaw::NoCheckpoint));
                }
                out.say(&format!("held against the checkpoint in {}", folder.display()));
                (Some(copy.bytes().to_vec()), None)
            }
            Ok(None) => unread(unusable(folder, "there is none yet; whoever has the log makes it")),
            Err(source) => {
                let is_no_file = matches!(source.kind(), ErrorKind::InvalidInput | ErrorKind::FileTooLarge);
                let error = OutsideError::Io { during: "read", source };
                if is_no_file { strange(folder, error) } else { unread(copy_trouble(folder, &error)) }
            }
        },
    }
}

fn not_held(what: &str) -> String {
    format!("the log was not held against it: {what}")
}

/// Lines as they come, or all of them as values.
fn print(
    lines: impl Iterator<Item = Result<String, Error>>,
    json: bool,
    out: &Output,
) -> Result<Vec<Value>, Failure> {
    let mut records = Vec::new();
    for line in lines {
        let line = line.map_err(failed)?;
        if json {
            records.push(parsed(&line));
            continue;
        }
        out.data(&format!("{line}\n"));
        if out.is_left() {
            break;
        }
    }
    Ok(records)
}

/// Ends them with which are left out.
fn end(records: Vec<Value>, gone: Option<Gone>, out: &Output) -> Done {
    if let Some(gone) = gone {
        out.say(&gone.to_string());
    }
    out.object(true, &json!({ "records": records, "pruned": gone.map(|gone| parsed(&gone.to_json())) }));
    Ok(Code::Done)
}

/// Each record once it is signed, until the program is ended or nobody reads.
fn follow(dir: &Path, count: u64, json: bool, out: &Output) -> Done {
    let mut follower = Follower::new(dir, count).map_err(failed)?;
    loop {
        for item in follower.news().map_err(failed)? {
            let line = audit::line(item, json).map_err(failed)?;
            if json { out.json_line(&line) } else { out.data(&format!("{line}\n")) }
        }
        if let Some(gone) = follower.gone() {
            out.say(&gone.to_string());
        }
        if out.has_lost() || !out.pause() {
            return Ok(Code::Done);
        }
    }
}

fn record(dir: &Path, seq: u64) -> Result<Stored, Failure> {
    audit::record(dir, seq).map_err(failed)?.ok_or_else(|| {
        let what = format!("there is no record {seq}; the last ones: lightproof audit tail");
        Failure::new(Code::NotFound, what)
    })
}

fn selection(show: &Show) -> Result<Selection, Failure> {
    let typed = Typed {
        object: show.object.as_deref(),
        job: show.job.as_deref(),
        name: show.name.as_deref(),
        outcome: show.outcome.as_deref(),
        since: show.since.as_deref(),
        until: show.until.as_deref(),
    };
    Selection::parse(&typed).map_err(|senseless| Failure::new(Code::Usage, senseless))
}
