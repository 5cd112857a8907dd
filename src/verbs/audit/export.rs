//! `lightproof audit export`: the log for other programs, from where they are, on standard output or as files in a folder.

use super::told::{failed, parsed};
use crate::Done;
use crate::boot::folders::{Bundle, FolderUse};
use crate::boot::{self, Wants};
use crate::cli::{Global, LogForm};
use crate::exit::{Code, Failure};
use crate::output::Output;
use audit::{Error, Form, SpoolError};
use sandbox::Clean;
use serde_json::{Value, json};
use std::path::Path;

/// Runs the verb.
///
/// # Errors
/// Why it ended early.
pub fn run(
    clean: Clean,
    global: &Global,
    (form, after, spool): (LogForm, Option<u64>, Option<&Path>),
    out: &Output,
) -> Done {
    let form = match form {
        LogForm::Json => Form::Own,
        LogForm::Ocsf => Form::Ocsf,
    };
    let bundle = spool.map(Bundle::Spool);
    let wants = Wants { folder_use: FolderUse::Read, bundle, ..Wants::default() };
    let booted = boot::boot(clean, global, &wants)?.without_darkroom()?;
    let log = &booted.folders.audit;
    match &booted.folders.bundle {
        Some(dir) => to_folder(log, dir, (form, after), out),
        None => print(log, (form, after.unwrap_or(0)), global.json, out),
    }
}

fn to_folder(log: &Path, dir: &Path, (form, begin): (Form, Option<u64>), out: &Output) -> Done {
    let spooled = audit::spool(log, dir, form, begin).map_err(unspooled)?;
    for (name, records) in &spooled.files {
        out.data(&format!("{name}: {records} records\n"));
    }
    if spooled.files.is_empty() {
        out.say("nothing is new");
    }
    warn_of(spooled.damaged, out);
    say_pruned(form, spooled.pruned, out);
    let file = |(name, records): &(String, u64)| json!({ "name": name, "records": records });
    let files: Vec<Value> = spooled.files.iter().map(file).collect();
    out.object(true, &json!({ "files": files, "next": spooled.next, "damaged": spooled.damaged, "pruned": spooled.pruned }));
    Ok(Code::Done)
}

/// Where to go on is said only to whoever got all lines.
fn print(log: &Path, (form, first): (Form, u64), json: bool, out: &Output) -> Done {
    let mut lines = audit::export(log, first, form).map_err(|error| cut_back(error, first))?;
    let mut events = Vec::new();
    for line in lines.by_ref() {
        let line = line.map_err(failed)?;
        match json {
            true => events.push(parsed(&line)),
            false => out.data(&format!("{line}\n")),
        }
        if out.has_lost() {
            return Ok(Code::Done);
        }
    }
    let next = lines.next_record();
    warn_of(lines.count_damaged(), out);
    say_pruned(form, lines.count_pruned(), out);
    out.object(
        true,
        &json!({ "log": lines.origin(), "records": events, "next": next, "damaged": lines.count_damaged(),
            "pruned": lines.count_pruned() }),
    );
    if !out.leads_nowhere() && out.has_shown()? {
        out.say(&format!("to go on from here: --after {next}"));
    }
    Ok(Code::Done)
}

/// Records that are damaged where they lie have left as that.
fn warn_of(damaged: u64, out: &Output) {
    if damaged > 0 {
        out.warn(&format!("damaged where they lie, and given out as that: {damaged}; look at the log with lightproof audit verify"));
    }
}

/// Records of which only the hash is left. A restore needs the hashes, and a program that reads events has no use for them.
fn say_pruned(form: Form, pruned: u64, out: &Output) {
    let how = match form {
        Form::Own => "given out as their hashes",
        Form::Ocsf => "left out",
    };
    if pruned > 0 {
        out.say(&format!(
            "pruned long ago, and {how}: {pruned}; see lightproof audit show --type log.pruned"
        ));
    }
}

/// Somebody has more of the log than there is.
fn cut_back(error: Error, first: u64) -> Failure {
    match error {
        Error::Lost { found, .. } => {
            let what = format!(
                "the log has {found} records, and --after says {first}: if so many were given out, it was cut back, or an older copy was \
                 put back; look at it with lightproof audit verify --expect COPY"
            );
            Failure::new(Code::Integrity, what)
        }
        error => failed(error),
    }
}

fn unspooled(error: SpoolError) -> Failure {
    let code = match &error {
        SpoolError::NoCursor { .. } => Code::NotFound,
        SpoolError::HasCursor { .. } | SpoolError::OtherForm { .. } => Code::Usage,
        SpoolError::Busy { .. } => Code::Busy,
        SpoolError::Full { .. } => Code::Space,
        SpoolError::Other { .. } | SpoolError::Damaged { .. } => Code::Integrity,
        _ => Code::Unexpected,
    };
    match error {
        SpoolError::Log(Error::Lost { found, signed }) => cut_back(Error::Lost { found, signed }, signed),
        SpoolError::Log(Error::Io { during, path, source }) => {
            let hint = "see that the folder is there and can be written by this user";
            Failure::new(Code::Refused, format!("cannot {during} {}: {source}; {hint}", path.display()))
        }
        SpoolError::Log(error) => failed(error),
        error => Failure::new(code, error),
    }
}
