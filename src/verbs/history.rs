//! `lightproof history`: what has been made, plain copies of it, and its end.

pub mod certificate;

use crate::Done;
use crate::boot::operator::name_of;
use crate::boot::{self, Wants};
use crate::cli::{Global, History, HistoryVerb};
use crate::exit::{Code, Failure};
use crate::output::{Output, counted};
use crate::paths::{Exporting, open_regular};
use crate::pictures::{self, Place};
use crate::terminal::Terminal;
use audit::Digest;
use darkroom::{Hold, PersonName, Summary, Who};
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
    let result = booted.unlock(&mut darkroom, out).and_then(|who| {
        let outputs = &booted.folders.outputs;
        let named = Named { exporting: exporting.as_ref(), sought, outputs, terminal: &mut booted.terminal };
        act(&mut darkroom, &who, verb, named, out)
    });
    boot::leave(darkroom, result)
}

/// What became of the paths that a person named, and the person.
pub struct Named<'a> {
    /// Where plain copies go.
    pub exporting: Option<&'a Exporting>,
    /// Of the file whose export is sought.
    pub sought: Option<Digest>,
    /// Where sealed pictures lie.
    pub outputs: &'a Path,
    /// Where somebody can be asked.
    pub terminal: &'a mut Terminal,
}

/// The work of the verb, in a darkroom of its own or in that of a running server.
///
/// # Errors
/// Why it ended early.
pub fn act(room: &mut impl Hold, who: &Who, verb: &HistoryVerb, named: Named<'_>, out: &Output) -> Done {
    let Named { exporting, sought, outputs, terminal } = named;
    match verb {
        HistoryVerb::List => list(room, who, out),
        HistoryVerb::Show { id } => show(room, who, id, outputs, out),
        HistoryVerb::Export { ids, .. } => match exporting {
            Some(exporting) => export(room, who, ids, exporting, outputs, out),
            None => Ok(Code::Usage),
        },
        HistoryVerb::Rm { of: Some(name), yes, .. } => {
            let ask = (!yes).then_some(terminal);
            erase_of(room, who, &name_of(name)?, ask, outputs, out)
        }
        HistoryVerb::Rm { ids, all, yes, .. } => {
            let ask = (!yes).then_some(terminal);
            erase(room, who, ids, *all, ask, outputs, out)
        }
        HistoryVerb::Prove { .. } => match sought {
            Some(sha256) => prove(room, who, &sha256, out),
            None => Ok(Code::Usage),
        },
        // It goes its own way, with a folder.
        HistoryVerb::Certificate(_) => Ok(Code::Usage),
        HistoryVerb::Verify => pictures::verify(room, who, outputs, out),
        HistoryVerb::Missing { accept } => missing(room, who, *accept, out),
    }
}

fn list(room: &mut impl Hold, who: &Who, out: &Output) -> Done {
    let (all, accepted) = room.with(|darkroom| Ok((darkroom.list(who)?, darkroom.accepted_missing(who)?)))?;
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

fn missing(room: &mut impl Hold, who: &Who, accept: bool, out: &Output) -> Done {
    if accept {
        let lost = room.with(|darkroom| darkroom.accept_missing(who))?.len();
        out.say(&format!(
            "the folder is taken as it is, on record; {} without a sealed file",
            counted(lost, "picture")
        ));
    }
    let all = room.with(|darkroom| darkroom.list(who))?;
    let gone: Vec<Summary> = all.into_iter().filter(|picture| picture.missing).collect();
    for picture in &gone {
        out.data(&format!("{}\n", pictures::line(picture)));
    }
    if gone.is_empty() {
        out.say("no sealed file is missing");
    }
    out.object(true, &json!({ "pictures": gone.iter().map(pictures::describe).collect::<Vec<_>>() }));
    Ok(Code::Done)
}

fn show(room: &mut impl Hold, who: &Who, id: &str, outputs: &Path, out: &Output) -> Done {
    let picture = room.with(|darkroom| darkroom.picture(who, darkroom.find(who, id)?))?;
    for (name, fact) in pictures::facts(&picture, outputs) {
        out.data(&format!("{name:<11} {fact}\n"));
    }
    out.object(true, &pictures::describe(&picture));
    Ok(Code::Done)
}

fn export(
    room: &mut impl Hold,
    who: &Who,
    ids: &[String],
    exporting: &Exporting,
    outputs: &Path,
    out: &Output,
) -> Done {
    let (names, ids) = room.with(|darkroom| {
        let ids = ids.iter().map(|id| darkroom.find(who, id)).collect::<Result<Vec<_>, _>>()?;
        Ok((darkroom.list(who)?, ids))
    })?;
    exporting.check(ids.len())?;
    let mut done = Vec::new();
    let mut failed = 0;
    for (index, id) in ids.iter().enumerate() {
        let name = names.iter().find(|p| p.id == *id).map_or_else(|| id.to_string(), |p| p.name.clone());
        let place = Place { exporting, index, count: ids.len() };
        match pictures::copy(room, who, (*id, &name), &place, outputs, out) {
            Ok((export, path)) => done.push(pictures::describe_export(&export, path.as_deref())),
            Err(failure) if ids.len() == 1 => return Err(failure),
            Err(failure) => {
                failed += 1;
                out.warn(&format!("{id}: {}", failure.what));
            }
        }
    }
    out.object(failed == 0, &json!({ "exported": done, "failed": failed }));
    Ok(if failed == 0 { Code::Done } else { Code::Partial })
}

fn prove(room: &mut impl Hold, who: &Who, sha256: &Digest, out: &Output) -> Done {
    let found = room.with(|darkroom| darkroom.departures(who, sha256))?;
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
///
/// # Errors
/// It cannot be read, or is larger than any plain copy.
pub fn digest(path: &Path) -> Result<Digest, Failure> {
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

/// Asks at the terminal, if there is one here.
fn erase(
    room: &mut impl Hold,
    who: &Who,
    ids: &[String],
    all: bool,
    ask: Option<&mut Terminal>,
    outputs: &Path,
    out: &Output,
) -> Done {
    let mut ids: Vec<ObjectId> = room.with(|darkroom| match all {
        true => Ok(darkroom.list(who)?.iter().map(|picture| picture.id).collect()),
        false => ids.iter().map(|id| darkroom.find(who, id)).collect(),
    })?;
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return nothing_to_erase(room, out);
    }
    ask.map_or(Ok(()), |terminal| pictures::confirm_erasure(terminal, ids.len()))?;
    let (names, erased) = room.with(|darkroom| {
        let name = |id: &ObjectId| Some(darkroom.picture(who, *id).ok()?.name);
        let names: Vec<String> = ids.iter().filter_map(name).collect();
        Ok((names, darkroom.erase(who, &ids)))
    })?;
    room.pictures_changed(Some(who.slot()));
    pictures::report_erasure(&erased?, &names, outputs, out)
}

/// Everything of somebody: an admin does it, and sees none of it.
fn erase_of(
    room: &mut impl Hold,
    who: &Who,
    name: &PersonName,
    ask: Option<&mut Terminal>,
    outputs: &Path,
    out: &Output,
) -> Done {
    let names = room.with(|darkroom| darkroom.names_of(who, name))?;
    if names.is_empty() {
        return nothing_to_erase(room, out);
    }
    ask.map_or(Ok(()), |terminal| pictures::confirm_erasure(terminal, names.len()))?;
    let erased = room.with(|darkroom| darkroom.erase_of(who, name));
    room.pictures_changed(None);
    pictures::report_erasure(&erased?, &names, outputs, out)
}

fn nothing_to_erase(room: &mut impl Hold, out: &Output) -> Done {
    out.say("there is nothing to erase");
    out.object(true, &json!({ "erased": 0 }));
    // What was erased before is not done while its key remains.
    let warnings = room.with(|darkroom| Ok(darkroom.warnings()))?;
    let remains = warnings.contains(&darkroom::Warning::OldKeyRemains);
    Ok(if remains { Code::Partial } else { Code::Done })
}
