//! `lightproof history`: what has been made, plain copies of it, and its end.

mod certificate;

use crate::boot::operator::name_of;
use crate::boot::{self, Booted, Wants};
use crate::cli::{Global, History, HistoryVerb};
use crate::exit::{Code, Failure};
use crate::output::{Output, counted};
use crate::paths::{Exporting, open_regular};
use crate::{Done, pictures};
use audit::Digest;
use darkroom::{Darkroom, Erased, PersonName, Summary, Who};
use rustix::fs::OFlags;
use sandbox::Clean;
use serde_json::json;
use std::io::Read as _;
use std::path::Path;
use vault::ObjectId;
use zeroize::Zeroizing;

/// No plain copy is larger.
const COPY_BYTES_MAX: u64 = 64 << 20;

/// Runs the verb.
///
/// # Errors
/// Why it ended early.
pub fn run(clean: Clean, global: &Global, arguments: &History, out: &Output) -> Done {
    let verb = &arguments.verb;
    if let HistoryVerb::Certificate(asked) = verb {
        return certificate::run(clean, global, &arguments.keys, asked, out);
    }
    let exporting = match verb {
        HistoryVerb::Export { output, ids } => {
            let exporting = Exporting::new(output, out)?;
            exporting.check_count(ids.len())?;
            Some(exporting)
        }
        _ => None,
    };
    let sought = match verb {
        HistoryVerb::Prove { file } => Some(digest(file)?),
        _ => None,
    };
    let folder = exporting.as_ref().and_then(Exporting::folder);
    let wants = Wants { plain_copy: exporting.is_some(), export: folder, ..Wants::with(&arguments.keys) };
    let (mut booted, mut darkroom) = boot::boot(clean, global, &wants)?.darkroom()?;
    let named = Named { exporting: exporting.as_ref(), sought };
    let result = act(&mut booted, &mut darkroom, verb, named, out);
    boot::leave(darkroom, result)
}

/// What became of the paths that a person named, before the fences.
struct Named<'a> {
    exporting: Option<&'a Exporting>,
    /// Of the file whose export is sought.
    sought: Option<Digest>,
}

fn act(
    booted: &mut Booted,
    darkroom: &mut Darkroom,
    verb: &HistoryVerb,
    named: Named<'_>,
    out: &Output,
) -> Done {
    let who = &booted.unlock(darkroom, out)?;
    let outputs = &booted.folders.outputs;
    match verb {
        HistoryVerb::List => list(darkroom, who, out),
        HistoryVerb::Show { id } => show(darkroom, who, id, outputs, out),
        HistoryVerb::Export { ids, .. } => match named.exporting {
            Some(exporting) => export(darkroom, who, ids, exporting, outputs, out),
            None => Ok(Code::Usage),
        },
        HistoryVerb::Rm { of: Some(name), yes, .. } => {
            erase_of(booted, darkroom, who, &name_of(name)?, *yes, out)
        }
        HistoryVerb::Rm { ids, all, yes, .. } => erase(booted, darkroom, who, ids, *all, *yes, out),
        HistoryVerb::Prove { .. } => match named.sought {
            Some(sha256) => prove(darkroom, who, &sha256, out),
            None => Ok(Code::Usage),
        },
        // It goes its own way, with a folder that is granted.
        HistoryVerb::Certificate(_) => Ok(Code::Usage),
        HistoryVerb::Verify => pictures::verify(darkroom, who, outputs, out),
        HistoryVerb::Missing { accept } => missing(darkroom, who, *accept, out),
    }
}

fn list(darkroom: &Darkroom, who: &Who, out: &Output) -> Done {
    let all = darkroom.list(who)?;
    let accepted = darkroom.accepted_missing(who)?;
    let mut news = 0;
    for picture in &all {
        let missing = match (picture.missing, accepted.contains(&picture.id)) {
            (false, _) => "",
            (true, true) => "  (sealed file lost, as accepted)",
            (true, false) => {
                news += 1;
                "  (sealed file missing)"
            }
        };
        out.data(&format!("{}{missing}\n", pictures::line(picture)));
    }
    if news > 0 {
        let (are, keys, they) = match news {
            1 => ("is", "its key still exists", "it is"),
            _ => ("are", "their keys still exist", "they are"),
        };
        out.warn(&format!(
            "{} {are} gone from the folder of pictures; {keys}. If that was meant, finish the erasure: lightproof \
             history rm ID. If {they} lost for good, say so: lightproof history missing --accept",
            counted(news, "sealed file")
        ));
    }
    if all.is_empty() {
        out.say("no pictures yet; make one with: lightproof generate PROMPT");
    }
    out.object(true, &json!({ "pictures": all.iter().map(pictures::describe).collect::<Vec<_>>() }));
    Ok(Code::Done)
}

fn missing(darkroom: &mut Darkroom, who: &Who, accept: bool, out: &Output) -> Done {
    if accept {
        let lost = darkroom.accept_missing(who)?.len();
        out.say(&format!(
            "the folder is taken as it is, on record; {} without a sealed file",
            counted(lost, "picture")
        ));
    }
    let gone: Vec<Summary> = darkroom.list(who)?.into_iter().filter(|picture| picture.missing).collect();
    for picture in &gone {
        out.data(&format!("{}\n", pictures::line(picture)));
    }
    out.object(true, &json!({ "pictures": gone.iter().map(pictures::describe).collect::<Vec<_>>() }));
    Ok(Code::Done)
}

fn show(darkroom: &Darkroom, who: &Who, id: &str, outputs: &Path, out: &Output) -> Done {
    let picture = darkroom.picture(who, darkroom.find(who, id)?)?;
    for (name, fact) in pictures::facts(&picture, outputs) {
        out.data(&format!("{name:<11} {fact}\n"));
    }
    out.object(true, &pictures::describe(&picture));
    Ok(Code::Done)
}

fn export(
    darkroom: &mut Darkroom,
    who: &Who,
    ids: &[String],
    exporting: &Exporting,
    outputs: &Path,
    out: &Output,
) -> Done {
    let names = darkroom.list(who)?;
    let ids = ids.iter().map(|id| darkroom.find(who, id)).collect::<Result<Vec<_>, _>>()?;
    exporting.check(ids.len())?;
    let mut done = Vec::new();
    let mut failed = 0;
    for (index, id) in ids.iter().enumerate() {
        let name = names.iter().find(|p| p.id == *id).map_or_else(|| id.to_string(), |p| p.name.clone());
        let exported = match exporting.path(index, ids.len(), &name) {
            Some(path) => darkroom.export(who, *id, &path).map(|export| (export, Some(path))),
            None => darkroom.hand_over(who, *id).map(|(export, png)| {
                out.picture(&png);
                (export, None)
            }),
        };
        match exported {
            Ok((export, path)) => {
                out.data(&pictures::exported(&export, path.as_deref()));
                done.push(pictures::describe_export(&export, path.as_deref()));
            }
            Err(error) => {
                let failure = pictures::trouble(&error, outputs, &name);
                if ids.len() == 1 {
                    return Err(failure);
                }
                failed += 1;
                out.warn(&format!("{id}: {}", failure.what));
            }
        }
    }
    out.object(failed == 0, &json!({ "exported": done, "failed": failed }));
    Ok(if failed == 0 { Code::Done } else { Code::Partial })
}

fn prove(darkroom: &Darkroom, who: &Who, sha256: &Digest, out: &Output) -> Done {
    let found = darkroom.departures(who, sha256)?;
    if found.is_empty() {
        let what = "no export on record is this file, byte for byte: it was changed since, or it did not leave from here, or \
                    is of somebody else's picture, or of one that is erased, after which nobody can tell";
        return Err(Failure::new(Code::NotFound, what));
    }
    let mut exports = Vec::new();
    for left in &found {
        let name = &left.name;
        let (object, record, actor) = (left.object, left.record, left.actor);
        let ts = audit::timestamp(left.ts_ms);
        out.data(&format!("{}  {name}\n  {object}, record {record}, {ts}, by {actor}\n", left.id));
        exports.push(json!({ "id": left.id.to_string(), "name": name, "pseudonym": object.to_string(),
            "record": record, "ts": ts, "actor": actor.to_string() }));
    }
    out.object(true, &json!({ "exports": exports }));
    Ok(Code::Done)
}

/// SHA-256 of a file; nothing is parsed.
fn digest(path: &Path) -> Result<Digest, Failure> {
    let failed =
        |what: String| Failure::new(Code::NotFound, format!("{} cannot be compared: {what}", path.display()));
    let read = || {
        let mut content = Zeroizing::new(Vec::new());
        open_regular(path, OFlags::empty())?.take(COPY_BYTES_MAX + 1).read_to_end(&mut content)?;
        std::io::Result::Ok(content)
    };
    let content = read().map_err(|error| failed(error.to_string()))?;
    match content.len() as u64 <= COPY_BYTES_MAX {
        true => Ok(Digest::of(&content)),
        false => Err(failed("it is larger than any plain copy".into())),
    }
}

fn erase(
    booted: &mut Booted,
    darkroom: &mut Darkroom,
    who: &Who,
    ids: &[String],
    all: bool,
    yes: bool,
    out: &Output,
) -> Done {
    let mut ids = match all {
        true => darkroom.list(who)?.iter().map(|p| p.id).collect(),
        false => ids.iter().map(|id| darkroom.find(who, id)).collect::<Result<Vec<ObjectId>, _>>()?,
    };
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return nothing_to_erase(darkroom, out);
    }
    if !yes {
        pictures::confirm_erasure(&mut booted.terminal, ids.len())?;
    }
    let names: Vec<String> =
        ids.iter().filter_map(|id| Some(darkroom.picture(who, *id).ok()?.name)).collect();
    let erased = darkroom.erase(who, &ids)?;
    report_erasure(&erased, &names, &booted.folders.outputs, out)
}

/// Everything of somebody: an admin does it, and sees none of it.
fn erase_of(
    booted: &mut Booted,
    darkroom: &mut Darkroom,
    who: &Who,
    name: &PersonName,
    yes: bool,
    out: &Output,
) -> Done {
    let names = darkroom.names_of(who, name)?;
    if names.is_empty() {
        return nothing_to_erase(darkroom, out);
    }
    if !yes {
        pictures::confirm_erasure(&mut booted.terminal, names.len())?;
    }
    let erased = darkroom.erase_of(who, name)?;
    report_erasure(&erased, &names, &booted.folders.outputs, out)
}

fn nothing_to_erase(darkroom: &Darkroom, out: &Output) -> Done {
    out.say("there is nothing to erase");
    out.object(true, &json!({ "erased": 0 }));
    // What was erased before is not done while its key remains.
    let remains = darkroom.warnings().contains(&darkroom::Warning::OldKeyRemains);
    Ok(if remains { Code::Partial } else { Code::Done })
}

/// What was erased, and the files of these names that are still there.
fn report_erasure(erased: &Erased, names: &[String], outputs: &Path, out: &Output) -> Done {
    let Erased { erasure, records, receipt, backups } = erased;
    let grade = erasure.grade.letter();
    let erased = counted(erasure.erased as usize, "picture");
    out.data(&format!("erased {erased}, grade {grade}{}\n", words(grade)));
    for (object, record) in records {
        out.data(&format!("  {object}, record {record}\n"));
    }
    if let Some(receipt) = receipt {
        out.data(&format!("  {}\n", pictures::checkpoint(receipt)));
        out.say("for the person who asked for this: lightproof history certificate O... -o DIR, with what begins with o: above");
    }
    pictures::warn_of_backups(*backups, out);
    if erasure.cleanup_pending {
        let files = names.iter().map(|name| pictures::sealed_file(outputs, name));
        let left: Vec<String> = files
            .filter(|file| file.symlink_metadata().is_ok())
            .map(|file| file.display().to_string())
            .collect();
        out.warn(&format!(
            "the keys are gone; what could not be removed opens for nobody, remove it by hand: {}",
            left.join(", ")
        ));
    }
    out.object(
        true,
        &json!({ "erased": erasure.erased, "grade": grade.to_string(), "cleanup_pending": erasure.cleanup_pending,
            "epoch": erasure.state.epoch, "backups": backups,
            "records": records.iter().map(|(object, record)| json!({ "pseudonym": object.to_string(), "record": record }))
                .collect::<Vec<_>>(),
            "checkpoint": receipt.as_ref().map(pictures::describe_checkpoint),
            "certificate": receipt.as_ref().map(|_| command_of_certificate(records)) }),
    );
    Ok(Code::Done)
}

/// What makes the certificate of an erasure.
fn command_of_certificate(records: &[(audit::Object, u64)]) -> String {
    let objects: Vec<String> = records.iter().map(|(object, _)| object.to_string()).collect();
    format!("lightproof history certificate {} -o DIR", objects.join(" "))
}

/// What a grade lets us say.
fn words(grade: char) -> &'static str {
    match grade {
        'B' => ": the key was overwritten in place",
        'V' => ": the key was overwritten in memory-backed storage",
        _ => ": conditional on the end of snapshots and older copies that the file system may keep",
    }
}
