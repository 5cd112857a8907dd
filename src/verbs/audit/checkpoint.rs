//! `lightproof audit checkpoint`: the newest checkpoint, for whoever keeps it elsewhere. Reads only; works beside a running server.

use super::qr::Qr;
use super::told::failed;
use crate::Done;
use crate::boot::backup::BackupFile;
use crate::boot::folders::{FolderUse, left_empty};
use crate::boot::{self, Booted, Wants};
use crate::cli::Global;
use crate::exit::{Code, Failure};
use crate::output::Output;
use crate::paths::absolute;
use audit::{Clock as _, Head, timestamp};
use sandbox::Clean;
use serde_json::json;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

/// Runs the verb.
///
/// # Errors
/// Why it ended early.
pub fn run(clean: Clean, global: &Global, (output, qr): (Option<&Path>, bool), out: &Output) -> Done {
    let output = output.filter(|path| path.as_os_str() != "-");
    // Behind the fences there is no working folder.
    let made = output.map(absolute).transpose()?;
    let backup = output.map(BackupFile::Shown);
    let booted =
        boot::boot(clean, global, &Wants { folder_use: FolderUse::Read, backup, ..Wants::default() })?;
    let done = booted.without_darkroom().and_then(|booted| give(booted, output, qr, out));
    match made {
        Some(made) => done.map_err(|failure| left_empty(failure, &made)),
        None => done,
    }
}

/// The newest checkpoint in `dir`, if the log there is the one that it is of: whoever keeps one that is not keeps nothing.
///
/// # Errors
/// [`Code::Integrity`]: it is not; the log cannot be read.
pub fn newest(dir: &Path) -> Result<Vec<u8>, Failure> {
    let note = audit::newest_checkpoint(dir).map_err(failed)?;
    let report = audit::verify(dir, Some(&note)).map_err(failed)?;
    if report.integrity_broken {
        let what = "the log does not hold, or its file `checkpoint` is none of it; nothing was handed out; look at it with \
                    lightproof audit verify";
        return Err(Failure::new(Code::Integrity, what));
    }
    Ok(note)
}

fn give(mut booted: Booted, output: Option<&Path>, qr: bool, out: &Output) -> Done {
    let note = newest(&booted.folders.audit)?;
    let head = Head::parse(&note).ok_or_else(|| Failure::new(Code::Unexpected, "the checkpoint is none"))?;
    let checkpoint = head.checkpoint();
    let qr = qr.then(|| Qr::of(&note)).transpose()?;
    let text = String::from_utf8_lossy(&note);
    let path = output.map(|path| path.display().to_string());
    let caption = [
        checkpoint.origin.clone(),
        format!("key {}, {} records", head.key_ids().join(" and "), checkpoint.size),
        format!("given out {}", timestamp(booted.clock.wall_ms())),
        "lightproof audit verify --expect FILE, with the text of this code".to_owned(),
    ];
    match (booted.backup.take(), &path) {
        (Some(file), Some(path)) => {
            let svg = qr.as_ref().map(|qr| qr.svg(&caption));
            let bytes = svg.as_ref().map_or(&note[..], String::as_bytes);
            let written = (&file.file).write_all(bytes).and_then(|()| file.settle());
            written.map_err(|error| {
                let code = if error.kind() == ErrorKind::StorageFull { Code::Space } else { Code::Refused };
                Failure::new(code, format!("{path} cannot be written: {error}; name a file elsewhere"))
            })?;
            out.data(&format!("{path}: the checkpoint of {} records\n", checkpoint.size));
        }
        _ => match &qr {
            Some(qr) => out.drawing(&qr.lines()),
            None => out.data(&text),
        },
    }
    let file = match &qr {
        Some(_) => {
            "FILE, where FILE holds the text that a reader of such codes finds in it, and not the code itself"
        }
        None => "FILE",
    };
    out.say(&format!(
        "covers {} records; keep it where nobody can write who can change the log, and hold the log against it with: \
         lightproof audit verify --expect {file}",
        checkpoint.size
    ));
    out.object(
        true,
        &json!({ "checkpoint": text, "log": checkpoint.origin, "records": checkpoint.size,
            "root": checkpoint.root.to_string(), "file": path }),
    );
    Ok(Code::Done)
}
