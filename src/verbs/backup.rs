//! `lightproof backup`: everything in one sealed file, and everything from one.

use crate::boot::backup::BackupFile;
use crate::boot::folders::{FolderUse, Home};
use crate::boot::{self, Booted, Wants, overlay};
use crate::cli::{Backup, Global, Keys};
use crate::exit::{Code, Failure};
use crate::output::{Output, counted};
use crate::{Done, pictures};
use audit::{JobId, KnownBackup, timestamp};
use darkroom::{BackedUp, Looked, Restored, Secret};
use sandbox::Clean;
use serde_json::json;
use std::fs::File;
use std::io::{BufReader, BufWriter, Seek as _};
use std::path::Path;

/// Bytes that are read and written at once.
const BUFFER_BYTES: usize = 1 << 20;

/// Runs the verb.
///
/// # Errors
/// Why it ended early.
pub fn run(clean: Clean, global: &Global, verb: &Backup, out: &Output) -> Done {
    match verb {
        Backup::Create { output, keys } => create(clean, global, (output, keys), out),
        Backup::Verify { file, keys } => {
            let looked = look(clean, global, (file, keys), out)?;
            tell_looked(&looked, out);
            Ok(Code::Done)
        }
        Backup::Policy { file, keys } => match look(clean, global, (file, keys), out)?.policy {
            Some(policy) => {
                let policy = String::from_utf8_lossy(&policy);
                out.data(&policy);
                out.object(true, &json!({ "policy": policy }));
                Ok(Code::Done)
            }
            None => {
                Err(Failure::new(Code::NotFound, "no policy file was in force when this backup was made"))
            }
        },
        Backup::Restore { file, without_log, keys } => {
            restore(clean, global, (file, keys), *without_log, out)
        }
        Backup::List => list(clean, global, out),
        Backup::Destroyed { id, keys } => destroyed(clean, global, (id, keys), out),
    }
}

fn create(clean: Clean, global: &Global, (path, keys): (&Path, &Keys), out: &Output) -> Done {
    let is_stdout = path.as_os_str() == "-";
    if is_stdout {
        out.reserve_for_picture()?;
    }
    let policy = overlay::read(&Home::new(global)?.config.join("policy.toml"))?;
    let wants = Wants { backup: Some(BackupFile::Made(path)), ..Wants::with(keys) };
    let fenced = boot::boot(clean, global, &wants)?;
    // The fences grant nothing around the file, so that it cannot be removed.
    let left_empty = |mut failure: Failure| {
        if !is_stdout {
            failure.what += &format!("; the file {} is left empty", path.display());
        }
        failure
    };
    let (mut booted, mut darkroom) = fenced.darkroom().map_err(left_empty)?;
    let file = booted.backup.take();
    let who = booted.unlock(&mut darkroom, out);
    let done = who.and_then(|who| {
        let done = match &file {
            Some(file) => {
                let mut writer = BufWriter::with_capacity(BUFFER_BYTES, file);
                darkroom.back_up(&who, policy.as_deref().map(str::as_bytes), &mut writer, || file.sync_all())
            }
            None => {
                let mut stdout = std::io::stdout().lock();
                darkroom.back_up(&who, policy.as_deref().map(str::as_bytes), &mut stdout, || Ok(()))
            }
        };
        Ok(done?)
    });
    let done = done.map_err(|failure| {
        // A file that is cut off would be refused, too, and take room.
        file.as_ref().map(|file| file.set_len(0).and_then(|()| file.sync_all()));
        left_empty(failure)
    });
    let done = done.map(|done| tell_created(&done, path, out));
    boot::leave(darkroom, done)
}

fn tell_created(BackedUp { id, written, receipt }: &BackedUp, path: &Path, out: &Output) -> Code {
    let digest = audit::Digest(written.sha256);
    let objects = counted(usize::try_from(written.objects).unwrap_or(usize::MAX), "picture");
    out.data(&format!(
        "{}: {objects}, {} bytes\n  {id}, SHA-256 {digest}\n  record {}, {}\n",
        path.display(),
        written.bytes,
        receipt.seq_first,
        pictures::checkpoint(receipt),
    ));
    out.say(
        "today's passphrases and the recovery code open it, also after they are changed, and it keeps what is erased from now \
         on: keep it as the vault itself, and destroy it when it is out of date",
    );
    for name in &written.lacking {
        out.warn(&format!("the sealed file of {name} is missing or damaged, and is not in the backup"));
    }
    out.object(
        written.lacking.is_empty(),
        &json!({ "backup": id.to_string(), "file": path.display().to_string(), "bytes": written.bytes,
            "sha256": digest.to_string(), "pictures": written.objects, "lacking": written.lacking,
            "record": receipt.seq_first }),
    );
    if written.lacking.is_empty() { Code::Done } else { Code::Partial }
}

/// The file of a backup, behind the fences.
fn opened(
    clean: Clean,
    global: &Global,
    (path, keys): (&Path, &Keys),
    folder_use: FolderUse,
) -> Result<(Booted, File), Failure> {
    let wants = Wants { backup: Some(BackupFile::Read(path)), folder_use, ..Wants::with(keys) };
    let mut booted = boot::boot(clean, global, &wants)?.without_darkroom()?;
    let none = || Failure::new(Code::Usage, "a backup is read from a file");
    let file = booted.backup.take().ok_or_else(none)?;
    Ok((booted, file))
}

/// Opens a backup with somebody's secret.
fn with_secret<T>(
    booted: &mut Booted,
    file: File,
    out: &Output,
    mut act: impl FnMut(&mut BufReader<File>, &Secret) -> Result<T, darkroom::Error>,
) -> Result<T, Failure> {
    let mut input = BufReader::with_capacity(BUFFER_BYTES, file);
    booted.opened(out, |secret| {
        input.rewind().map_err(vault::Error::of_backup)?;
        act(&mut input, secret)
    })
}

fn look(clean: Clean, global: &Global, file: (&Path, &Keys), out: &Output) -> Result<Looked, Failure> {
    let (mut booted, file) = opened(clean, global, file, FolderUse::Read)?;
    with_secret(&mut booted, file, out, |input, secret| darkroom::look_into_backup(input, secret))
}

fn tell_looked(looked: &Looked, out: &Output) {
    let made = timestamp(looked.made_ms);
    let objects = counted(usize::try_from(looked.objects).unwrap_or(usize::MAX), "picture");
    out.data(&format!("whole: made {made} of vault {}\n  {objects}, each of which opens\n", looked.vault));
    out.data(&format!("  {}\n", looked.id));
    if looked.lacking > 0 {
        out.warn(&format!("the sealed files of {} more were missing when it was made", looked.lacking));
    }
    out.object(
        true,
        &json!({ "backup": looked.id.to_string(), "made": made, "vault": looked.vault.to_string(),
            "pictures": looked.objects, "lacking": looked.lacking, "has_policy": looked.policy.is_some() }),
    );
}

fn restore(clean: Clean, global: &Global, file: (&Path, &Keys), without_log: bool, out: &Output) -> Done {
    let (mut booted, file) = opened(clean, global, file, FolderUse::Made)?;
    let paths = vault::Paths { state: booted.folders.vault.clone(), outputs: booted.folders.outputs.clone() };
    if paths.vault_exists() {
        let what = format!(
            "there is a vault in {}, and a backup is put back where there is none; name other folders with --home and \
             --outputs",
            booted.folders.vault.display()
        );
        return Err(Failure::new(Code::Refused, what));
    }
    if !audit::is_there(&booted.folders.audit) && !without_log {
        let what = format!(
            "no log is in {}, and only the log says what was erased after the backup was made. Put the log that has survived \
             there (the whole folder `audit`); if none has, say --without-log: what was erased since comes back then",
            booted.folders.audit.display()
        );
        return Err(Failure::new(Code::Refused, what));
    }
    let (folders, clock, start) = (booted.of_darkroom(), booted.clock, booted.start());
    let restored = with_secret(&mut booted, file, out, |input, secret| {
        darkroom::restore(&folders, (clock, start), input, secret, without_log)
    })?;
    tell_restored(&restored, out);
    Ok(if restored.lacking == 0 { Code::Done } else { Code::Partial })
}

fn tell_restored(restored: &Restored, out: &Output) {
    let Restored { id, made_ms, objects, erased, lacking, log_survived, removed, changed, added } = restored;
    let made = timestamp(*made_ms);
    let pictures = |count: u64| counted(usize::try_from(count).unwrap_or(usize::MAX), "picture");
    out.data(&format!("restored from the backup of {made}: {}\n  {id}\n", pictures(*objects)));
    if *erased > 0 {
        out.say(&format!("{} that the log says were erased since stay erased", pictures(*erased)));
    }
    if !*log_survived {
        out.warn(&format!(
            "no log has survived: what was erased after {made} is back, the log ends there and goes on from there, and a \
             checkpoint of a later time does not fit it"
        ));
    }
    if !removed.is_empty() {
        out.say(&format!("removed since, and still out: {}", removed.join(", ")));
    }
    for who in changed {
        out.warn(&format!(
            "{who}: the passphrase was changed since, and the one from before opens the vault again; set a new one"
        ));
    }
    if *added > 0 {
        out.say(&format!("{} who came since must be added again", counted(*added, "person")));
    }
    if *lacking > 0 {
        out.warn(&format!("the sealed files of {} were missing when it was made", pictures(*lacking)));
    }
    out.say("make a new backup soon: lightproof backup create");
    out.object(
        *lacking == 0,
        &json!({ "backup": id.to_string(), "made": made, "pictures": objects, "erased": erased, "lacking": lacking,
            "log_survived": log_survived, "removed": removed, "passphrases_from_before": changed, "people_to_add": added }),
    );
}

fn list(clean: Clean, global: &Global, out: &Output) -> Done {
    let wants = Wants { folder_use: FolderUse::Read, ..Wants::default() };
    let booted = boot::boot(clean, global, &wants)?.without_darkroom()?;
    let backups = match audit::backups(&booted.folders.audit) {
        Err(audit::Error::Absent { .. }) => Vec::new(),
        backups => backups.map_err(darkroom::Error::from)?,
    };
    for backup in &backups {
        out.data(&format!("{}\n", line(backup)));
    }
    if backups.is_empty() {
        out.say("no backup is on record; make one with: lightproof backup create -o FILE");
    }
    out.object(true, &json!({ "backups": backups.iter().map(describe).collect::<Vec<_>>() }));
    Ok(Code::Done)
}

fn line(backup: &KnownBackup) -> String {
    let KnownBackup { job, seq, ts_ms, objects, written, .. } = backup;
    let objects = counted(usize::try_from(*objects).unwrap_or(usize::MAX), "picture");
    let written = match written {
        Some((bytes, sha256)) => format!("{bytes} bytes, SHA-256 {sha256}"),
        None => "begun and perhaps never whole".to_owned(),
    };
    format!("{job}  {}  {objects}  record {seq}\n  {written}", timestamp(*ts_ms))
}

fn describe(backup: &KnownBackup) -> serde_json::Value {
    let KnownBackup { job, seq, ts_ms, objects, written, .. } = backup;
    json!({ "backup": job.to_string(), "begun": timestamp(*ts_ms), "record": seq, "pictures": objects,
        "bytes": written.map(|(bytes, _)| bytes), "sha256": written.map(|(_, sha256)| sha256.to_string()) })
}

fn destroyed(clean: Clean, global: &Global, (id, keys): (&str, &Keys), out: &Output) -> Done {
    let none =
        || Failure::new(Code::Usage, "a backup goes by `j:` and 22 characters; see: lightproof backup list");
    let id = JobId::parse(id).ok_or_else(none)?;
    let (mut booted, mut darkroom) = boot::boot(clean, global, &Wants::with(keys))?.darkroom()?;
    let who = booted.unlock(&mut darkroom, out);
    let done = who.and_then(|who| Ok(darkroom.backup_destroyed(&who, id)?)).map(|receipt| {
        out.data(&format!("{id} is taken for destroyed, on your word: record {}\n", receipt.seq_first));
        out.object(true, &json!({ "backup": id.to_string(), "record": receipt.seq_first }));
        Code::Done
    });
    boot::leave(darkroom, done)
}
