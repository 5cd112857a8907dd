//! `lightproof backup`: everything in one sealed file, and everything from one.

pub mod target;

use crate::boot::backup::{self, BackupFile};
use crate::boot::folders::{FolderUse, Home, left_empty};
use crate::boot::unmade::Unmade;
use crate::boot::{self, Booted, Wants, overlay};
use crate::cli::{Backup, Global, Keys};
use crate::exit::{Code, Failure};
use crate::output::{Output, counted};
use crate::paths::absolute;
use crate::{Done, pictures};
use audit::{JobId, KnownBackup, timestamp};
use darkroom::{BackedUp, Hold, Looked, Meant, Restored, Secret, Who};
use sandbox::Clean;
use serde_json::json;
use std::cell::Cell;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Seek as _};
use std::path::Path;
pub use target::Target;

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
            Ok(if looked.lacking == 0 { Code::Done } else { Code::Partial })
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
        Backup::Restore { file, without_log, records, same_pictures, keys } => {
            let meant = Meant { without_log: *without_log, same_outputs: *same_pictures };
            restore(clean, global, (file, keys), (meant, records.as_deref()), out)
        }
        Backup::List => list(clean, global, out),
        Backup::Destroyed { id, keys } => destroyed(clean, global, (id, keys), out),
    }
}

fn create(clean: Clean, global: &Global, (path, keys): (&Path, &Keys), out: &Output) -> Done {
    target::check(path, out)?;
    let policy = policy(global)?;
    let wants = Wants { backup: Some(BackupFile::Made(path)), ..Wants::with(keys) };
    let made = absolute(path)?;
    let left = |failure| left_empty(failure, &made);
    let (mut booted, mut darkroom) = boot::boot(clean, global, &wants)?.darkroom().map_err(left)?;
    let target = Target::of(booted.backup.take());
    let done = booted
        .unlock(&mut darkroom, out)
        .and_then(|who| make(&mut darkroom, &who, policy.as_deref(), (&target, path), out));
    boot::leave(darkroom, done).map_err(left)
}

/// Text of the policy in force, if there is one, for a backup.
///
/// # Errors
/// It cannot be read.
pub fn policy(global: &Global) -> Result<Option<Vec<u8>>, Failure> {
    Ok(overlay::read(&Home::new(global)?.config.join("policy.toml"))?.map(String::into_bytes))
}

/// The work of `backup create`, in a darkroom of its own or in that of a running server. `path` is what the person named.
///
/// # Errors
/// Why it ended early; nothing is left, or it is said what is.
pub fn make(
    room: &mut impl Hold,
    who: &Who,
    policy: Option<&[u8]>,
    (target, path): (&Target, &Path),
    out: &Output,
) -> Done {
    let mut writer = BufWriter::with_capacity(BUFFER_BYTES, target);
    let is_left = Cell::new(false);
    let undo = || {
        let undone = target.undo();
        is_left.set(!undone);
        undone
    };
    let done = darkroom::back_up(room, who, policy, &mut writer, || target.settle(), undo);
    // What a failure left in its buffer is not written behind what was taken back.
    let _ = writer.into_parts();
    let done = done.map_err(|error| {
        let mut failure = Failure::from(error);
        if is_left.get() {
            failure.what += &target::what_is_left(path);
        }
        failure
    })?;
    Ok(tell_created(&done, path, out))
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
        "what opened the vault when it was begun opens it, passphrases and recovery code, also after they are changed, and it keeps what is \
         erased from then on: keep it as the vault itself, and destroy it when it is out of date",
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
    let file = booted.backup.take().ok_or_else(none)?.file;
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
        out.warn(&format!(
            "the sealed files of {} more were missing or damaged when it was made, or erased while it was",
            looked.lacking
        ));
    }
    out.object(
        looked.lacking == 0,
        &json!({ "backup": looked.id.to_string(), "made": made, "vault": looked.vault.to_string(),
            "pictures": looked.objects, "lacking": looked.lacking, "has_policy": looked.policy.is_some() }),
    );
}

fn restore(
    clean: Clean,
    global: &Global,
    file: (&Path, &Keys),
    (meant, records): (Meant, Option<&Path>),
    out: &Output,
) -> Done {
    // Behind the fences they cannot be read.
    let home = Home::new(global)?;
    let overlay = home.config.join("policy.toml");
    let in_force = overlay::read(&overlay)?;
    let named = overlay::policy(&overlay, in_force.as_deref())?.outputs().map(Path::to_path_buf);
    let pictures = file.1.pictures.outputs.clone().or(named).unwrap_or_else(|| home.outputs.clone());
    let pictures = absolute(&pictures)?;
    let records = records.map(backup::open).transpose()?.map(BufReader::new);
    refuse_in_vain(&home, &pictures, meant, records.is_some())?;
    let unmade = Unmade::of(&[&home.config, &home.vault, &home.audit, &pictures]);
    let (mut booted, file) =
        opened(clean, global, file, FolderUse::Made).map_err(|failure| unmade.take_back(failure))?;
    let done =
        put_back(&mut booted, file, (meant, records), out).map_err(|failure| unmade.take_back(failure));
    let restored = done?;
    tell_restored(&restored, out);
    if restored.policy.as_deref() != in_force.as_deref().map(str::as_bytes) {
        out.warn(
            "the policy that was in force when the backup was made is not the one here; look at it with: lightproof backup \
             policy FILE, and put it in place by hand",
        );
    }
    Ok(if restored.lacking == 0 { Code::Done } else { Code::Partial })
}

/// What is refused before any folder is made.
fn refuse_in_vain(home: &Home, pictures: &Path, meant: Meant, has_records: bool) -> Result<(), Failure> {
    let paths = vault::Paths { state: home.vault.clone(), outputs: pictures.to_path_buf() };
    if paths.vault_exists() {
        let what = format!(
            "there is a vault in {}, and a backup is put back where there is none; name other folders with --home and \
             --outputs",
            home.vault.display()
        );
        return Err(Failure::new(Code::Refused, what));
    }
    if !audit::is_there(&home.audit) && !meant.without_log && !has_records {
        let what = format!(
            "no log is in {}, and only the log says what was erased after the backup was made. Put the log that has survived \
             there (the whole folder `audit`). If none has, name the records that left by `audit export` with --records, or say \
             --without-log: what was erased since comes back then",
            home.audit.display()
        );
        return Err(Failure::new(Code::Refused, what));
    }
    Ok(())
}

/// The work of `backup restore`, behind the fences.
fn put_back(
    booted: &mut Booted,
    file: File,
    (meant, mut records): (Meant, Option<BufReader<File>>),
    out: &Output,
) -> Result<Restored, Failure> {
    sandbox::probe(&booted.sandboxed)?;
    let (folders, clock, start) = (booted.of_darkroom(), booted.clock, booted.start());
    with_secret(booted, file, out, |input, secret| {
        if let Some(records) = &mut records {
            records.rewind().map_err(audit::ExportedError::from)?;
        }
        let records = records.as_mut().map(|records| records as &mut dyn BufRead);
        darkroom::restore(&folders, (clock, start), input, secret, meant, records)
    })
}

fn tell_restored(restored: &Restored, out: &Output) {
    let Restored { id, made_ms, objects, erased, lacking, log_survived, removed, changed, added, .. } =
        restored;
    let made = timestamp(*made_ms);
    let pictures = |count: u64| counted(usize::try_from(count).unwrap_or(usize::MAX), "picture");
    out.data(&format!("restored from the backup of {made}: {}\n  {id}\n", pictures(*objects)));
    let by = match (log_survived, restored.exported_until_ms) {
        (true, None) => "by the log",
        (true, Some(_)) => "by the log and the exported records",
        _ => "by the exported records",
    };
    if *erased > 0 {
        out.say(&format!("erased since, {by}, and not brought back: {}", pictures(*erased)));
    }
    if restored.lost > 0 {
        out.warn(&format!(
            "made since, {by}, and lost, for no backup holds them: {}",
            pictures(restored.lost)
        ));
    }
    match (*log_survived, restored.exported_until_ms.map(timestamp)) {
        (true, None) => {}
        (true, Some(until)) => out.warn(&format!(
            "the log that is there lacks the exported records, which end at {until}: it was cut back, or records of it were replaced. \
             What they say was erased stays erased; find out who did that, and bring the whole log back if it is somewhere"
        )),
        (false, Some(until)) => out.warn(&format!(
            "no log has survived, and the exported records end at {until}: what was erased after that is back, the log goes on from \
             {made}, and a checkpoint of a later time does not fit it"
        )),
        (false, None) => out.warn(&format!(
            "no log has survived: what was erased after {made} is back, the log ends there and goes on from there, and a \
             checkpoint of a later time does not fit it"
        )),
    }
    if restored.unsigned {
        out.warn(
            "the log ended in records that nobody had signed; what they say was erased stays erased, and they are kept in its \
             folder quarantine",
        );
    }
    if !removed.is_empty() {
        out.say(&format!("removed since, and still out: {}", removed.join(", ")));
    }
    if restored.nameless > 0 {
        let names = counted(restored.nameless, "name");
        out.say(&format!("destroyed since, {by}, and not brought back: {names}"));
    }
    for who in changed {
        out.warn(&format!(
            "{who}: the secret was changed since, and the one from before opens the vault again; set a new one"
        ));
    }
    if restored.joint_changed {
        let now = match restored.is_joint {
            true => "it opens as it did then, also with the recovery code of then",
            false => "each passphrase opens it alone now",
        };
        out.warn(&format!(
            "who opens the vault together was changed since, and {now}; say it again: lightproof vault joint set"
        ));
    }
    if *added > 0 {
        out.say(&format!("{} who came since must be added again", counted(*added, "person")));
    }
    if *lacking > 0 {
        out.warn(&format!(
            "the sealed files of {} were missing or damaged when it was made, or erased while it was",
            pictures(*lacking)
        ));
    }
    out.say("make a new backup soon: lightproof backup create");
    out.object(
        *lacking == 0,
        &json!({ "backup": id.to_string(), "made": made, "pictures": objects, "erased": erased, "lacking": lacking,
            "lost": restored.lost, "log_survived": log_survived,
            "exported_until": restored.exported_until_ms.map(timestamp), "log_unsigned": restored.unsigned, "removed": removed,
            "names_destroyed": restored.nameless, "passphrases_from_before": changed,
            "joint_from_before": restored.joint_changed, "people_to_add": added }),
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
    let id = id_of(id)?;
    let (mut booted, mut darkroom) = boot::boot(clean, global, &Wants::with(keys))?.darkroom()?;
    let who = booted.unlock(&mut darkroom, out);
    let done = who.and_then(|who| gone(&mut darkroom, &who, id, out));
    boot::leave(darkroom, done)
}

/// The name of a backup.
///
/// # Errors
/// It is none.
pub fn id_of(text: &str) -> Result<JobId, Failure> {
    let none =
        || Failure::new(Code::Usage, "a backup goes by `j:` and 22 characters; see: lightproof backup list");
    JobId::parse(text).ok_or_else(none)
}

/// The work of `backup destroyed`.
///
/// # Errors
/// Why it ended early.
pub fn gone(room: &mut impl Hold, who: &Who, id: JobId, out: &Output) -> Done {
    let receipt = room.with(|darkroom| darkroom.backup_destroyed(who, id))?;
    out.data(&format!("{id} is taken for destroyed, on your word: record {}\n", receipt.seq_first));
    out.object(true, &json!({ "backup": id.to_string(), "record": receipt.seq_first }));
    Ok(Code::Done)
}
