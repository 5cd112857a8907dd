//! Pictures as people and programs see them at the command line.

use crate::Done;
use crate::exit::{Code, Failure};
use crate::output::{Output, counted, one_line};
use crate::paths::Exporting;
use crate::terminal::Terminal;
use audit::{Object, Receipt};
use darkroom::{Destroyed, Erased, Export, Hold, KnownBackup, ObjectId, Removed, Summary, Who};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// After an erasure: what still opens.
pub fn warn_of_backups(backups: &[KnownBackup], out: &Output) {
    if !backups.is_empty() {
        let names: Vec<String> = backups.iter().map(|backup| backup.job.to_string()).collect();
        out.warn(&format!(
            "{} on record may still hold what was erased, {}: make a new one, destroy the old ones, and say so; see: lightproof \
             backup list",
            counted(backups.len(), "backup"),
            names.join(", ")
        ));
    }
}

/// A picture on one line, without the end of the line.
pub fn line(picture: &Summary) -> String {
    let facts = picture.metadata.as_ref().map_or_else(String::new, |m| {
        format!("  {}x{}, {}, seed {}", m.width, m.height, counted(m.steps as usize, "step"), m.seed)
    });
    format!("{}  {}{facts}", picture.id, picture.name)
}

/// All that is known of a picture, each fact with its name, one to a line.
pub fn facts(picture: &Summary, outputs: &Path) -> Vec<(&'static str, String)> {
    let mut facts = vec![("picture", picture.id.to_string()), ("name", picture.name.clone())];
    facts.push(("made", audit::timestamp(picture.created_ms)));
    facts.extend(
        picture.expires_ms.map(|at_ms| ("erased", format!("by itself after {}", audit::timestamp(at_ms)))),
    );
    if let Some(metadata) = &picture.metadata {
        let guidance = match metadata.guidance_milli {
            0 => "off".into(),
            milli => (f64::from(milli) / 1000.0).to_string(),
        };
        let prompts = [("prompt", &metadata.prompt), ("negative", &metadata.negative_prompt)];
        facts.extend([
            ("size", format!("{}x{} pixels", metadata.width, metadata.height)),
            ("steps", metadata.steps.to_string()),
            ("guidance", guidance),
            ("seed", metadata.seed.to_string()),
            ("model", metadata.model.clone()),
        ]);
        facts.extend(prompts.into_iter().filter_map(|(name, text)| Some((name, one_line(text.as_ref()?)))));
    }
    facts.push(("plain copy", format!("{} bytes", picture.content_bytes)));
    facts.push(("in the log", picture.pseudonym.to_string()));
    let gone = if picture.missing { " is gone; its key still exists" } else { "" };
    facts.push(("sealed file", format!("{}{gone}", sealed_file(outputs, &picture.name).display())));
    facts
}

/// Where the sealed file of a picture lies.
pub fn sealed_file(outputs: &Path, name: &str) -> PathBuf {
    outputs.join(format!("{name}{}", vault::SUFFIX))
}

/// Why something could not be done with a picture: where it is about its sealed file, with that file.
pub fn trouble(error: &darkroom::Error, outputs: &Path, name: &str) -> Failure {
    use vault::Error as E;
    let mut failure = Failure::from(error);
    if let darkroom::Error::Vault(E::ObjectDamaged { .. } | E::ObjectMissing(_) | E::ObjectForbidden(_)) =
        error
    {
        failure.what += &format!(": {}", sealed_file(outputs, name).display());
    }
    failure
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
        "expires_ms": picture.expires_ms,
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

/// Where a plain copy goes: `index` of `count`.
pub struct Place<'a> {
    /// The person's own words.
    pub exporting: &'a Exporting,
    /// From 0.
    pub index: usize,
    /// Of all that go there.
    pub count: usize,
}

/// Lets a plain copy of the picture with this id and name leave, and says what is on record about it.
///
/// # Errors
/// Why it did not.
pub fn copy(
    room: &mut impl Hold,
    who: &Who,
    (id, name): (ObjectId, &str),
    place: &Place<'_>,
    outputs: &Path,
    out: &Output,
) -> Result<(Export, Option<PathBuf>), Failure> {
    let Place { exporting, index, count } = *place;
    let failed = |error| trouble(&error, outputs, name);
    let (export, path) = match exporting {
        Exporting::Files(targets) => {
            let path = targets.path(index, count, name);
            (darkroom::export_to(room, who, id, &path).map_err(failed)?, Some(path))
        }
        Exporting::Stdout => {
            let (export, png) = darkroom::hand_over(room, who, id).map_err(failed)?;
            out.picture(&png);
            (export, None)
        }
        // What crosses to another process has left, whatever becomes of it there.
        Exporting::Far(line) => {
            let path = line.place(index, count, name)?;
            let (export, png) = darkroom::hand_over(room, who, id).map_err(failed)?;
            match &path {
                None => out.picture(&png),
                Some(path) => line.write(path, &png).map_err(|mut failure| {
                    let record = export.receipt.seq_first;
                    failure.what += &format!("; that the copy was handed over is on record ({record})");
                    failure
                })?,
            }
            (export, path)
        }
    };
    out.data(&exported(&export, path.as_deref()));
    Ok((export, path))
}

/// What a plain copy was, and where the log says so; without a path it went to standard output.
pub fn exported(export: &Export, path: Option<&Path>) -> String {
    let to = path.map_or_else(|| "to standard output".into(), |path| path.display().to_string());
    let Export { bytes, object, receipt, .. } = export;
    let record = receipt.seq_first;
    format!("exported {to} ({bytes} bytes, plain)\n  {object}, record {record}\n  {}\n", checkpoint(receipt))
}

/// The same as JSON.
pub fn describe_export(export: &Export, path: Option<&Path>) -> Value {
    json!({ "id": export.id.to_string(), "path": path.map(|path| path.display().to_string()), "bytes": export.bytes,
        "pseudonym": export.object.to_string(), "record": export.receipt.seq_first,
        "checkpoint": describe_checkpoint(&export.receipt) })
}

/// The checkpoint that signs a record, for people: what a checkpoint kept elsewhere is compared with.
pub fn checkpoint(receipt: &Receipt) -> String {
    format!("checkpoint of {}, root {}", counted(receipt.size as usize, "record"), receipt.root)
}

/// The same as JSON.
pub fn describe_checkpoint(receipt: &Receipt) -> Value {
    json!({ "size": receipt.size, "root": receipt.root.to_string() })
}

/// Opens every picture and tells what it found: `vault verify` and `history verify`.
///
/// # Errors
/// What keeps the whole vault from being read.
pub fn verify(room: &mut impl Hold, who: &Who, outputs: &Path, out: &Output) -> Done {
    let report = darkroom::verify(room, who)?;
    let names: HashMap<_, _> =
        room.with(|darkroom| darkroom.list(who))?.into_iter().map(|p| (p.id, p.name)).collect();
    let file = |id: &vault::ObjectId| match names.get(id) {
        Some(name) => format!("{id}, {}", sealed_file(outputs, name).display()),
        None => id.to_string(),
    };
    let whole = counted(report.sound as usize, "picture");
    let verb = if report.sound == 1 { "is" } else { "are" };
    out.data(&format!("{whole} {verb} whole ({} bytes)\n", report.bytes));
    for (id, error) in &report.damaged {
        out.data(&format!("damaged: {}: {error}\n", file(id)));
    }
    for id in &report.missing {
        out.data(&format!("missing: {}: its sealed file is gone, its key still exists\n", file(id)));
    }
    for id in &report.forbidden {
        out.data(&format!("closed: {}: this user may not read its sealed file\n", file(id)));
    }
    for name in &report.orphans {
        let name = one_line(name);
        out.data(&format!(
            "foreign: {name}: this vault has no key for it; a run that was killed left it, or another vault\n"
        ));
    }
    if !report.mirror_agrees {
        out.warn("the mirror of the vault file is not a copy of it; the next write renews it");
    }
    let ids = |ids: &[vault::ObjectId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    let damaged: Vec<_> = report.damaged.iter().map(|(id, _)| *id).collect();
    out.object(
        report.is_sound(),
        &json!({ "sound": report.sound, "damaged": ids(&damaged), "missing": ids(&report.missing),
            "forbidden": ids(&report.forbidden),
            "orphans": report.orphans, "mirror_agrees": report.mirror_agrees }),
    );
    Ok(if !report.damaged.is_empty() {
        Code::Integrity
    } else if !report.is_sound() {
        Code::Found
    } else {
        Code::Done
    })
}

/// Asks at the terminal whether so many pictures are to be destroyed.
///
/// # Errors
/// They are not, or there is nobody to ask.
pub fn confirm_erasure(terminal: &mut Terminal, count: usize) -> Result<(), Failure> {
    let pictures = counted(count, "picture");
    if !terminal.is_there() {
        let what = format!("this destroys {pictures} for good; say so with --yes");
        return Err(Failure::new(Code::Refused, what));
    }
    let question = format!(
        "This destroys the key of {pictures}, for good: no copy of a sealed file opens again. What this program's backups \
         hold, and plain copies that were handed out, stay.\nType {count} to go on: "
    );
    match terminal.ask(&question)?.trim() == count.to_string() {
        true => Ok(()),
        false => Err(Failure::new(Code::Refused, "nothing was erased")),
    }
}

/// What was erased, and the files of these names that are still there.
///
/// # Errors
/// None.
pub fn report_erasure(erased: &Erased, names: &[String], outputs: &Path, out: &Output) -> Done {
    say_erasure(erased, names, outputs, out);
    out.object(true, &facts_of_erasure(erased));
    Ok(Code::Done)
}

/// Somebody is removed, and what became of so many pictures of theirs; `facts` are what else there is to say of it for programs.
///
/// # Errors
/// None.
pub fn report_removal(
    removed: &Removed,
    (pictures, mut facts): (usize, serde_json::Map<String, Value>),
    outputs: &Path,
    out: &Output,
) -> Done {
    facts.extend([("removed".into(), true.into()), ("pictures".into(), pictures.into())]);
    match &removed.erased {
        Some((erased, names)) => {
            say_erasure(erased, names, outputs, out);
            facts.extend(facts_of_erasure(erased).as_object().cloned().unwrap_or_default());
        }
        None => drop(facts.insert("backups".into(), 0.into())),
    }
    out.object(true, &facts.into());
    Ok(Code::Done)
}

fn say_erasure(erased: &Erased, names: &[String], outputs: &Path, out: &Output) {
    let Erased { erasure, records, receipt, backups } = erased;
    let grade = erasure.grade.letter();
    let erased = counted(erasure.erased as usize, "picture");
    out.data(&format!("erased {erased}, grade {grade}{}\n", words_of(grade)));
    for (object, record) in records {
        out.data(&format!("  {object}, record {record}\n"));
    }
    if let Some(receipt) = receipt {
        out.data(&format!("  {}\n", checkpoint(receipt)));
        out.say("for the person who asked for this: lightproof history certificate O... -o DIR, with what begins with o: above");
    }
    warn_of_backups(backups, out);
    if erasure.cleanup_pending {
        out.warn(&what_is_left(names, outputs));
    }
}

/// What stands of the sealed files of erased pictures, as far as it can be told: no later act looks for them.
fn what_is_left(names: &[String], outputs: &Path) -> String {
    let is_gone =
        |path: &Path| path.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound);
    let files: Vec<PathBuf> = names.iter().map(|name| sealed_file(outputs, name)).collect();
    let shown = |file: &PathBuf| file.display().to_string();
    if is_gone(outputs) {
        let all: Vec<String> = files.iter().map(shown).collect();
        return format!(
            "the keys are gone; the folder of the pictures {} is not there, so no sealed file was removed: what comes back with it \
             opens for nobody, remove it by hand then: {}",
            outputs.display(),
            all.join(", ")
        );
    }
    let left: Vec<String> = files.iter().filter(|file| !is_gone(file.as_path())).map(shown).collect();
    if left.is_empty() {
        return format!(
            "the keys are gone, and no sealed file of theirs lies in {} now, but not all behind them could be written; one that comes \
             back opens for nobody, remove it by hand",
            outputs.display()
        );
    }
    let left = left.join(", ");
    format!("the keys are gone; what could not be removed opens for nobody, remove it by hand: {left}")
}

fn facts_of_erasure(Erased { erasure, records, receipt, backups }: &Erased) -> Value {
    json!({ "erased": erasure.erased, "grade": erasure.grade.letter().to_string(),
        "cleanup_pending": erasure.cleanup_pending, "epoch": erasure.state.epoch, "backups": backups.len(),
        "records": records.iter().map(|(object, record)| json!({ "pseudonym": object.to_string(), "record": record }))
            .collect::<Vec<_>>(),
        "checkpoint": receipt.as_ref().map(describe_checkpoint),
        "certificate": receipt.as_ref().map(|_| command_of_certificate(records)) })
}

/// What makes the certificate of an erasure.
fn command_of_certificate(records: &[(Object, u64)]) -> String {
    let objects: Vec<String> = records.iter().map(|(object, _)| object.to_string()).collect();
    format!("lightproof history certificate {} -o DIR", objects.join(" "))
}

/// What a grade lets us say.
fn words_of(grade: char) -> &'static str {
    match grade {
        'B' => ": the key was overwritten in place",
        'V' => ": the key was overwritten in memory-backed storage",
        _ => ": conditional on the end of snapshots and older copies that the file system may keep",
    }
}

/// What was destroyed with a vault. So many pictures may have gone before, and files of theirs may be left.
///
/// # Errors
/// None.
pub fn report_end(
    done: &Destroyed,
    (emptied, files_left): (u64, bool),
    (vault, outputs): (&Path, &Path),
    out: &Output,
) -> Done {
    let grade = done.grade.letter();
    let pictures = emptied + done.pictures;
    let count = counted(usize::try_from(pictures).unwrap_or(usize::MAX), "picture");
    out.data(&format!(
        "destroyed the vault and {count}, grade {grade}\n  record {}, {}\n",
        done.receipt.seq_first,
        checkpoint(&done.receipt)
    ));
    if done.backups > 0 {
        let backups = counted(done.backups, "backup");
        out.warn(&format!("{backups} on record may still open; destroy every copy"));
    }
    let cleanup_pending = done.cleanup_pending || files_left;
    if cleanup_pending {
        let (vault, outputs) = (vault.display(), outputs.display());
        out.warn(&format!(
            "what could not be removed from {vault} and {outputs} opens for nobody; remove it by hand"
        ));
    }
    out.say("the log stays, and verifies without the vault: lightproof audit verify");
    out.object(
        true,
        &json!({ "pictures": pictures, "grade": grade.to_string(), "record": done.receipt.seq_first,
            "cleanup_pending": cleanup_pending, "backups": done.backups }),
    );
    Ok(Code::Done)
}
