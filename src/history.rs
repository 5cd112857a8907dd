//! `lightproof history`: what has been made, plain copies of it, and its end.

use crate::boot::{self, Booted, Wants};
use crate::cli::{Global, History};
use crate::exit::{Code, Failure};
use crate::output::{self, Output};
use crate::paths::Targets;
use crate::{Done, vault_keys};
use darkroom::{Darkroom, Summary};
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
    let mut booted = boot::boot(clean, global, &wants)?;
    let mut darkroom = booted.darkroom()?;
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
    if !darkroom.has_vault() {
        return Err(darkroom::Error::NoVault.into());
    }
    booted.unlock(darkroom, out)?;
    match verb {
        History::List => list(darkroom, out),
        History::Show { id } => show(darkroom, id, out),
        History::Export { ids, .. } => match targets {
            Some(targets) => export(darkroom, ids, targets, out),
            None => Ok(Code::Usage),
        },
        History::Rm { ids, all, yes } => erase(booted, darkroom, ids, *all, *yes, out),
        History::Verify => vault_keys::verify(darkroom, out),
    }
}

fn list(darkroom: &Darkroom, out: &Output) -> Done {
    let pictures = darkroom.list()?;
    for picture in &pictures {
        out.data(&format!("{}  {}{}\n", picture.id, picture.name, facts(picture)));
    }
    let missing = pictures.iter().filter(|p| p.missing).count();
    if missing > 0 {
        out.warn(&format!(
            "{missing} sealed files were removed by hand; their keys still exist. \
             To finish the erasure: lightproof history rm ID"
        ));
    }
    if pictures.is_empty() {
        out.say("no pictures yet; make one with: lightproof generate PROMPT");
    }
    out.object(true, &json!({ "pictures": pictures.iter().map(describe).collect::<Vec<_>>() }));
    Ok(Code::Done)
}

fn facts(picture: &Summary) -> String {
    let mut text = picture.metadata.as_ref().map_or_else(String::new, |m| {
        format!("  {}x{}, {} steps, seed {}", m.width, m.height, m.steps, m.seed)
    });
    if picture.missing {
        text.push_str("  (sealed file missing)");
    }
    text
}

fn show(darkroom: &Darkroom, id: &str, out: &Output) -> Done {
    let id = darkroom.find(id)?;
    let pictures = darkroom.list()?;
    let picture =
        pictures.iter().find(|p| p.id == id).ok_or(darkroom::Error::NotFound { id: id.to_string() })?;
    let value = describe(picture);
    if let Value::Object(fields) = &value {
        for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
            let text = value.as_str().map_or_else(|| value.to_string(), output::one_line);
            out.data(&format!("{name:>15}  {text}\n"));
        }
    }
    out.object(true, &value);
    Ok(Code::Done)
}

fn export(darkroom: &mut Darkroom, ids: &[String], targets: &Targets, out: &Output) -> Done {
    let names = darkroom.list()?;
    let ids = ids.iter().map(|id| darkroom.find(id)).collect::<Result<Vec<_>, _>>()?;
    targets.check(ids.len())?;
    let mut done = Vec::new();
    let mut failed = 0;
    for (index, id) in ids.iter().enumerate() {
        let name = names.iter().find(|p| p.id == *id).map_or_else(|| id.to_string(), |p| p.name.clone());
        let path = targets.path(index, ids.len(), &name);
        match darkroom.export(*id, &path) {
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
    ids: &[String],
    all: bool,
    yes: bool,
    out: &Output,
) -> Done {
    let mut ids = match all {
        true => darkroom.list()?.iter().map(|p| p.id).collect(),
        false => ids.iter().map(|id| darkroom.find(id)).collect::<Result<Vec<ObjectId>, _>>()?,
    };
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        out.say("there is nothing to erase");
        out.object(true, &json!({ "erased": 0 }));
        return Ok(Code::Done);
    }
    if !yes {
        let count = ids.len();
        if !booted.terminal.is_there() {
            let what = format!("this destroys {} for good; say so with --yes", pictures(count));
            return Err(Failure::new(Code::Refused, what));
        }
        let question = format!(
            "This destroys the key of {}, for good: no backup of sealed files opens again.\nType {count} to go on: ",
            pictures(count)
        );
        if booted.terminal.ask(&question)?.trim() != count.to_string() {
            return Err(Failure::new(Code::Refused, "nothing was erased"));
        }
    }
    let erasure = darkroom.erase(&ids)?;
    let grade = erasure.grade.letter();
    out.data(&format!("erased {}, grade {grade}{}\n", pictures(erasure.erased as usize), words(grade)));
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
fn pictures(count: usize) -> String {
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

/// A picture as JSON.
pub fn describe(picture: &Summary) -> Value {
    let mut value = json!({
        "id": picture.id.to_string(),
        "name": picture.name,
        "created_ms": picture.created_ms,
        "bytes": picture.content_bytes,
        "pseudonym": picture.pseudonym.to_string(),
        "missing": picture.missing,
    });
    if let Some(metadata) = &picture.metadata {
        value["width"] = metadata.width.into();
        value["height"] = metadata.height.into();
        value["steps"] = metadata.steps.into();
        value["seed"] = metadata.seed.into();
        value["guidance"] = (f64::from(metadata.guidance_milli) / 1000.0).into();
        value["model"] = metadata.model.as_str().into();
        value["prompt"] = metadata.prompt.as_deref().into();
        value["negative_prompt"] = metadata.negative_prompt.as_deref().into();
    }
    value
}
