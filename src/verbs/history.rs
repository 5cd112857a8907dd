//! `lightproof history`: what has been made, plain copies of it, and its end.

use crate::boot::{self, Booted, Wants};
use crate::cli::{Global, History};
use crate::exit::{Code, Failure};
use crate::output::{self, Output};
use crate::paths::Targets;
use crate::{Done, pictures};
use darkroom::{Darkroom, Summary, Who};
use sandbox::Clean;
use serde_json::{Value, json};
use vault::ObjectId;

/// Runs the verb.
///
/// # Errors
/// Why it ended early.
pub fn run(clean: Clean, global: &Global, verb: &History, out: &Output) -> Done {
    let targets = match verb {
        History::Export { output, .. } => Some(Targets::new(output)?),
        _ => None,
    };
    let wants = Wants { export: targets.as_ref().map(|t| t.folder.as_path()), ..Wants::default() };
    let (mut booted, mut darkroom) = boot::boot(clean, global, &wants)?.darkroom()?;
    let result = act(&mut booted, &mut darkroom, verb, targets.as_ref(), out);
    boot::leave(darkroom, result)
}

fn act(
    booted: &mut Booted,
    darkroom: &mut Darkroom,
    verb: &History,
    targets: Option<&Targets>,
    out: &Output,
) -> Done {
    let who = &booted.unlock(darkroom, out)?;
    match verb {
        History::List => list(darkroom, who, out),
        History::Show { id } => show(darkroom, who, id, out),
        History::Export { ids, .. } => match targets {
            Some(targets) => export(darkroom, who, ids, targets, out),
            None => Ok(Code::Usage),
        },
        History::Rm { ids, all, yes } => erase(booted, darkroom, who, ids, *all, *yes, out),
        History::Verify => pictures::verify(darkroom, who, out),
        History::Missing { accept } => missing(darkroom, who, *accept, out),
    }
}

fn list(darkroom: &Darkroom, who: &Who, out: &Output) -> Done {
    let all = darkroom.list(who)?;
    for picture in &all {
        let missing = if picture.missing { "  (sealed file missing)" } else { "" };
        out.data(&format!("{}{missing}\n", pictures::line(picture)));
    }
    let missing = all.iter().filter(|p| p.missing).count();
    if missing > 0 {
        out.warn(&format!(
            "{missing} sealed files are gone from their folder; their keys still exist. \
             If that was meant, finish the erasure: lightproof history rm ID"
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
        out.say(&format!("the folder is taken as it is, on record; {} without a sealed file", some(lost)));
    }
    let gone: Vec<Summary> = darkroom.list(who)?.into_iter().filter(|picture| picture.missing).collect();
    for picture in &gone {
        out.data(&format!("{}\n", pictures::line(picture)));
    }
    out.object(true, &json!({ "pictures": gone.iter().map(pictures::describe).collect::<Vec<_>>() }));
    Ok(Code::Done)
}

fn show(darkroom: &Darkroom, who: &Who, id: &str, out: &Output) -> Done {
    let picture = darkroom.picture(who, darkroom.find(who, id)?)?;
    let value = pictures::describe(&picture);
    if let Value::Object(fields) = &value {
        for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
            let text = value.as_str().map_or_else(|| value.to_string(), output::one_line);
            out.data(&format!("{name:>15}  {text}\n"));
        }
    }
    out.object(true, &value);
    Ok(Code::Done)
}

fn export(darkroom: &mut Darkroom, who: &Who, ids: &[String], targets: &Targets, out: &Output) -> Done {
    let names = darkroom.list(who)?;
    let ids = ids.iter().map(|id| darkroom.find(who, id)).collect::<Result<Vec<_>, _>>()?;
    targets.check(ids.len())?;
    let mut done = Vec::new();
    let mut failed = 0;
    for (index, id) in ids.iter().enumerate() {
        let name = names.iter().find(|p| p.id == *id).map_or_else(|| id.to_string(), |p| p.name.clone());
        let path = targets.path(index, ids.len(), &name);
        match darkroom.export(who, *id, &path) {
            Ok(export) => {
                out.data(&format!("exported {} ({} bytes, plain)\n", path.display(), export.bytes));
                done.push(json!({ "id": id.to_string(), "path": path.display().to_string(), "bytes": export.bytes }));
            }
            Err(error) if ids.len() == 1 => return Err(error.into()),
            Err(error) => {
                failed += 1;
                out.warn(&format!("{id}: {error}"));
            }
        }
    }
    out.object(failed == 0, &json!({ "exported": done, "failed": failed }));
    Ok(if failed == 0 { Code::Done } else { Code::Partial })
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
        out.say("there is nothing to erase");
        out.object(true, &json!({ "erased": 0 }));
        // What was erased before is not done while its key remains.
        let remains = darkroom.warnings().contains(&darkroom::Warning::OldKeyRemains);
        return Ok(if remains { Code::Partial } else { Code::Done });
    }
    if !yes {
        let count = ids.len();
        if !booted.terminal.is_there() {
            let what = format!("this destroys {} for good; say so with --yes", some(count));
            return Err(Failure::new(Code::Refused, what));
        }
        let question = format!(
            "This destroys the key of {}, for good: no backup of sealed files opens again.\nType {count} to go on: ",
            some(count)
        );
        if booted.terminal.ask(&question)?.trim() != count.to_string() {
            return Err(Failure::new(Code::Refused, "nothing was erased"));
        }
    }
    let erasure = darkroom.erase(who, &ids)?;
    let grade = erasure.grade.letter();
    out.data(&format!("erased {}, grade {grade}{}\n", some(erasure.erased as usize), words(grade)));
    if erasure.cleanup_pending {
        out.warn(
            "the keys are gone; a sealed file could not be removed: it opens for nobody, remove it by hand",
        );
    }
    out.object(
        true,
        &json!({ "erased": erasure.erased, "grade": grade.to_string(), "cleanup_pending": erasure.cleanup_pending,
            "epoch": erasure.state.epoch }),
    );
    Ok(Code::Done)
}

/// `1 picture`, `2 pictures`.
fn some(count: usize) -> String {
    if count == 1 { "1 picture".into() } else { format!("{count} pictures") }
}

/// What a grade lets us say.
fn words(grade: char) -> &'static str {
    match grade {
        'B' => ": the key was overwritten in place",
        'V' => ": the key was overwritten in memory-backed storage",
        _ => ": conditional on the end of snapshots and older copies that the file system may keep",
    }
}
