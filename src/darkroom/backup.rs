//! Backups: the whole of vault, pictures and log in one sealed file, and a vault that comes from one.
//!
//! A backup keeps the keys of pictures that are erased later. So that it is begun is on record before a key leaves, an erasure
//! says how many backups there may be, and who puts one back erases again what the log says was erased, before there is a
//! vault that could open it.

use crate::error::vault_failure;
use crate::hold::{Hold, beside};
use crate::remember::{MARK_LOG, decode};
use crate::rights::Act;
use crate::roles::Roles;
use crate::room::{Darkroom, Folders, Start, started};
use crate::since::Since;
use crate::who::pseudonym_of;
use crate::{Error, Who};
use audit::words::{Found, IntentKind, ObjectFailure, StopReason};
use audit::{
    Clock as _, CopiedFile, Digest, Event, JobId, KnownBackup, Log, Mark, Receipt, Stored, SystemClock,
};
use std::collections::BTreeMap;
use std::io::{BufRead, Read, Seek, SeekFrom, Write};
use std::path::Path;
use vault::{Backup, Kept, OsRandom, Place, Restoring, Secret, SlotInfo, SlotKind, Snapshot, State, Written};
use zeroize::Zeroizing;

/// A backup that is whole and durable.
pub struct BackedUp {
    /// Its name in the log.
    pub id: JobId,
    /// What it came to.
    pub written: Written,
    /// The record `backup.written`, and the checkpoint that signs it.
    pub receipt: Receipt,
}

/// A vault that came from a backup.
#[derive(Debug)]
pub struct Restored {
    /// The backup's name in the log.
    pub id: JobId,
    /// When it was made, in milliseconds since 1970.
    pub made_ms: u64,
    /// Pictures that are back.
    pub objects: u64,
    /// Pictures that were erased since, and stay so.
    pub erased: u64,
    /// Pictures whose sealed files were not in the backup.
    pub lacking: u64,
    /// Pictures that were made since, by the log, and are lost: no key of theirs is in the backup.
    pub lost: u64,
    /// Whether a log was there that goes on behind the backup.
    pub log_survived: bool,
    /// When the exported records ended, if they say what the log that is there does not: it is lost, was cut back, or is another.
    pub exported_until_ms: Option<u64>,
    /// Whether that log ended with records that nobody had signed: they were set aside, and what they say was erased stays so.
    pub unsigned: bool,
    /// Text of the policy in force when it was made, which is put back by hand.
    pub policy: Option<Vec<u8>>,
    /// Names or slots of people who were removed since, and stay so.
    pub removed: Vec<String>,
    /// How many names it holds that were destroyed since, and are not brought back.
    pub nameless: usize,
    /// Names or slots of people whose passphrase was changed since: the one from before opens the vault again.
    pub changed: Vec<String>,
    /// Whether it was changed since who opens the vault together: that is as it was then, but for who was removed.
    pub joint_changed: bool,
    /// Whether two people open it together now.
    pub is_joint: bool,
    /// How many people came since, who are not in it.
    pub added: usize,
}

/// What whoever puts a backup back says that they mean.
#[derive(Clone, Copy, Debug, Default)]
pub struct Meant {
    /// No log has survived.
    pub without_log: bool,
    /// The folder of sealed pictures is the one of the vault that is lost, with what has survived of it.
    pub same_outputs: bool,
}

/// What is known of a backup that was read to its end.
pub struct Looked {
    /// Its name in the log.
    pub id: JobId,
    /// When it was made, in milliseconds since 1970.
    pub made_ms: u64,
    /// The vault that it is of.
    pub vault: vault::VaultId,
    /// Pictures whose sealed files are in it, each of which opens.
    pub objects: u64,
    /// Pictures whose sealed files were missing when it was made.
    pub lacking: u64,
    /// Text of the policy in force then, if there was one.
    pub policy: Option<Vec<u8>>,
    /// The files of its log.
    of_log: BTreeMap<String, Digest>,
    /// Number and leaf hash of the last record of its log.
    last_record: Option<(u64, Digest)>,
}

/// A vault and its log as they are at one moment, and the backup's name in the log.
struct Begun {
    id: JobId,
    taken: Result<(Snapshot, Vec<CopiedFile>), Error>,
}

/// Writes a backup of everything to `out`, with the text of the policy; `settle` makes it durable, and `undo` takes back what was
/// written after a failure, if it can: `true` if nothing of it is left anywhere. While it is written others may have the darkroom:
/// what they make is not in it, and what they erase may be, which the log says.
///
/// # Errors
/// [`Error::NotPermitted`]; what vault, log and `out` say. It is on record as failed if nothing is left of it; otherwise it is one of
/// those that may exist.
pub fn back_up(
    room: &mut impl Hold,
    who: &Who,
    policy: Option<&[u8]>,
    out: &mut dyn Write,
    settle: impl FnOnce() -> std::io::Result<()>,
    undo: impl FnOnce() -> bool,
) -> Result<BackedUp, Error> {
    let dir = room.with(|darkroom| Ok(darkroom.folders.audit.clone()))?;
    let Begun { id, taken } = room.with(|darkroom| darkroom.begin_backup(who))?;
    let done = taken.and_then(|(snapshot, of_log)| {
        let of_log = of_log.into_iter().map(|file| {
            let bytes = Zeroizing::new(file.read(&dir).map_err(|error| unreadable(&error))?);
            Ok(Kept { place: Place::First, name: file.name, bytes })
        });
        let policy = policy.map(|text| {
            Ok(Kept { place: Place::Second, name: String::new(), bytes: Zeroizing::new(text.to_vec()) })
        });
        let written = beside(|| snapshot.write(of_log.chain(policy), out, &mut OsRandom))?;
        settle().map_err(vault::Error::of_backup)?;
        Ok::<_, Error>(written)
    });
    // Who is out by then gets none.
    let done = done.and_then(|mut written| {
        room.with(|darkroom| {
            let vault = darkroom.vault_of(who, Act::Backups)?;
            // What was erased meanwhile is not missed.
            written.lacking.retain(|name| vault.list().any(|entry| entry.name == *name));
            Ok(written)
        })
    });
    match done {
        Ok(written) => {
            let event = Event::BackupWritten { bytes: written.bytes, sha256: Digest(written.sha256) };
            let entry = event.by(who.actor).job(id);
            let unrecorded = |source| Error::Unrecorded { done: "the backup is whole".into(), source };
            let receipt = room.with(|darkroom| {
                darkroom.in_work.remove(&id);
                darkroom.log.append(&[entry]).map_err(unrecorded)
            })?;
            Ok(BackedUp { id, written, receipt })
        }
        Err(error) => {
            let is_undone = undo();
            let reason = match &error {
                Error::Vault(error) => vault_failure(error),
                _ => ObjectFailure::Vault,
            };
            let entry = Event::BackupFailed { reason }.by(who.actor).job(id).failed();
            room.with(|darkroom| {
                darkroom.in_work.remove(&id);
                if is_undone {
                    darkroom.log.append(&[entry])?;
                }
                Ok(())
            })?;
            Err(error)
        }
    }
}

impl Darkroom {
    /// Puts on record that a backup is begun, and takes what it needs of this moment.
    fn begin_backup(&mut self, who: &Who) -> Result<Begun, Error> {
        let (id, made_ms) = (JobId::random()?, self.now_ms());
        let dir = self.folders.audit.clone();
        let (open, _, log) = self.parts(who, Act::Backups)?;
        open.vault.outputs()?;
        let objects = open.vault.list().len() as u64;
        log.append(&[Event::BackupBegun { objects }.by(who.actor).job(id)])?;
        self.in_work.insert(id);
        let (open, random, log) = self.open_parts()?;
        // What is in the backup is remembered by the vault that is in it.
        let taken = open.cover(log, random).and_then(|()| {
            let snapshot = open.vault.snapshot(id.0, made_ms)?;
            Ok((snapshot, audit::copied_files(&dir).map_err(|error| unreadable(&error))?))
        });
        Ok(Begun { id, taken })
    }

    /// Backups that may exist.
    ///
    /// # Errors
    /// What the log says.
    pub fn backups(&self) -> Result<Vec<KnownBackup>, Error> {
        Ok(self.log.unfinished()?.backups)
    }

    /// Puts on record that somebody says that every copy of a backup is destroyed.
    ///
    /// # Errors
    /// [`Error::NotPermitted`]; [`Error::NoBackup`]; what the log says.
    pub fn backup_destroyed(&mut self, who: &Who, id: JobId) -> Result<Receipt, Error> {
        let is_in_work = self.in_work.contains(&id);
        let (_, _, log) = self.parts(who, Act::Backups)?;
        if is_in_work {
            return Err(Error::BackupInWork);
        }
        if !log.unfinished()?.backups.iter().any(|backup| backup.job == id) {
            return Err(Error::NoBackup);
        }
        Ok(log.append(&[Event::BackupDestroyed {}.by(who.actor).job(id)])?)
    }
}

/// Reads a backup to its end and opens every picture in it. Nothing is written.
///
/// # Errors
/// What [`Backup::open`] and the files in it say.
pub fn look_into_backup(input: impl Read, secret: &Secret) -> Result<Looked, Error> {
    look(&mut Backup::open(input, secret)?)
}

fn look(backup: &mut Backup<impl Read>) -> Result<Looked, Error> {
    let (mut objects, mut policy, mut of_log, mut last_record) = (0, None, BTreeMap::new(), None);
    while let Some(file) = backup.next_file()? {
        match file.place {
            Place::Object => match backup.check_object(&file) {
                // It was damaged when the backup was made: what else is there is not lost for that.
                Err(vault::Error::ObjectDamaged { .. }) => {}
                checked => {
                    checked?;
                    objects += 1;
                }
            },
            Place::First => {
                if file.name.starts_with("seg/") {
                    last_record = last_record.max(audit::last_record(&file.bytes));
                }
                of_log.insert(file.name.clone(), Digest::of(&file.bytes));
            }
            Place::Second => policy = Some(file.bytes.to_vec()),
            _ => {}
        }
    }
    if !of_log.contains_key("origin") {
        return Err(vault::Error::BackupDamaged { record: 0 }.into());
    }
    Ok(Looked {
        id: JobId(backup.id()),
        made_ms: backup.made_ms(),
        vault: backup.vault_id(),
        objects,
        lacking: (backup.list().count() as u64).saturating_sub(objects),
        policy,
        of_log,
        last_record,
    })
}

/// Makes a vault, its pictures and its log from a backup, where there is no vault. If a log is there, it goes on, and what it
/// says was erased since stays erased; otherwise it must be meant that nobody has it, and that of the backup goes on. Where `exported`
/// holds records that had left the lost log, what they say was erased stays erased.
///
/// The backup is read twice: nothing is written before all of it has been opened.
///
/// # Errors
/// [`vault::Error::VaultExists`]; [`Error::LogMissing`]; [`Error::ForeignLog`]; [`Error::NotPermitted`]; what the backup, vault
/// and log say. There is no vault then, and the same can be tried again.
pub fn restore(
    folders: &Folders,
    (clock, start): (SystemClock, Start),
    input: &mut (impl Read + Seek),
    secret: &Secret,
    Meant { without_log, same_outputs }: Meant,
    exported: Option<&mut dyn BufRead>,
) -> Result<Restored, Error> {
    let mut backup = Backup::open(&mut *input, secret)?;
    check_right(&backup)?;
    let looked = look(&mut backup)?;
    let is_there = audit::is_there(&folders.audit);
    if !is_there {
        check_parts(folders, &looked.of_log)?;
    }
    if !is_there && !without_log && exported.is_none() {
        return Err(Error::LogMissing { dir: folders.audit.clone() });
    }
    let exported = match exported {
        Some(exported) => Some(Since::exported(exported, looked.last_record.ok_or(Error::NoMark)?)?),
        None => None,
    };
    let restoring = Restoring::begin(folders.of_vault(), looked.vault, same_outputs)?;
    let (mut log, mut since, mut unsigned) = (None, Since::default(), false);
    if is_there {
        since = Since::read(&folders.audit, mark_of(&backup, [0; 16])?.size)?;
        let (opened, found) = Log::open(&folders.audit, clock)?;
        unsigned = !found.truncated.is_empty();
        let mark = mark_of(&backup, opened.mark().origin)?;
        opened.check_mark(&mark).map_err(|_| Error::ForeignLog { dir: folders.audit.clone() })?;
        since.add_unfinished(&opened)?;
        check_right_since(&since, backup.slot())?;
        if !since.goes_on && !without_log && exported.is_none() {
            return Err(Error::LogEnds { dir: folders.audit.clone() });
        }
        log = Some(opened);
    }
    let log_survived = since.goes_on;
    // What the log has itself it says better.
    let exported = exported.filter(|(_, last)| !log_survived || !has_record(&folders.audit, last));
    let until_ms = exported.as_ref().map(|(_, last)| last.ts_ms);
    if let Some((exported, _)) = exported {
        since.merge(exported);
        check_right_since(&since, backup.slot())?;
    }
    let changes = since.changes(&backup, clock.wall_ms())?;
    let erased = changes.erased.len() as u64;
    let begun = Event::BackupRestoreBegun { objects: looked.objects, erased, log_survived };
    let entries = [started(start).by_system(), begun.by_system().job(looked.id)];
    if let Some(log) = &log {
        log.append(&entries)?;
    }
    let done = write_back(folders, input, secret, &restoring, &changes, is_there);
    let log = match (log, &done) {
        (Some(log), _) => log,
        (None, Err(_)) => return Err(done.err().unwrap_or(Error::Broken)),
        (None, Ok(_)) => {
            let log = Log::open(&folders.audit, clock)?.0;
            log.append(&entries)?;
            log
        }
    };
    let restored = done.and_then(|(backup, objects)| {
        let vault = restoring.commit(&backup, &changes, &mut OsRandom)?;
        let State { epoch, seq, root } = vault.state();
        let event = Event::BackupRestored { vault_epoch: epoch, vault_seq: seq, vault_root: Digest(root) };
        let event = match pseudonym_of(&vault, backup.slot().id.0) {
            Some(actor) => event.by(actor),
            None => event.by_system(),
        };
        let unrecorded = |source| Error::Unrecorded { done: "the backup is put back".into(), source };
        log.append(&[event.job(looked.id)]).map_err(unrecorded)?;
        close_changes(&log)?;
        let found = (log_survived, unsigned, !vault.holders().is_empty());
        Ok(told(&backup, &looked, &since, (objects, erased), found, until_ms))
    });
    let reason = if restored.is_ok() { StopReason::Done } else { StopReason::Error };
    let stopped = log.append(&[Event::BootStopped { reason }.by_system()]);
    let restored = restored?;
    stopped.map_err(|source| Error::Unrecorded { done: "the backup is put back".into(), source })?;
    Ok(restored)
}

/// Whether the log in `dir` has this very record, or what a pruning has left of it.
fn has_record(dir: &Path, record: &Stored) -> bool {
    audit::record_leaf(dir, record.seq).is_ok_and(|found| found == Some(record.leaf()))
}

/// Reads the backup once more, and writes the sealed files, and those of the log if there is none. How many pictures are back.
fn write_back<'a, R: Read + Seek>(
    folders: &Folders,
    input: &'a mut R,
    secret: &Secret,
    restoring: &Restoring,
    changes: &vault::Changes,
    is_there: bool,
) -> Result<(Backup<&'a mut R>, u64), Error> {
    let mut objects = 0;
    input.seek(SeekFrom::Start(0)).map_err(vault::Error::of_backup)?;
    let mut backup = Backup::open(input, secret)?;
    while let Some(file) = backup.next_file()? {
        match file.place {
            Place::Object => match backup.check_object(&file) {
                Err(vault::Error::ObjectDamaged { .. }) => {}
                checked => {
                    if !changes.erased.contains(&checked?.id) {
                        restoring.put(&file)?;
                        objects += 1;
                    }
                }
            },
            Place::First if !is_there => audit::put_file(&folders.audit, &file.name, &file.bytes)?,
            _ => {}
        }
    }
    Ok((backup, objects))
}

/// An admin puts a backup back, or whoever has the recovery code; where nobody had a name, the one person.
fn check_right<R>(backup: &Backup<R>) -> Result<(), Error> {
    let role = Roles::parse(backup.mark(Roles::MARK)).role(backup.slot());
    let is_open = backup.names().is_empty() || Act::Restore.is_open_to(role);
    if is_open { Ok(()) } else { Err(Error::NotPermitted(Act::Restore)) }
}

/// Whoever might do it when the backup was made may do it still, by the log that has survived.
fn check_right_since(since: &Since, slot: SlotInfo) -> Result<(), Error> {
    match since.role(slot.id.0) {
        _ if since.removed.contains_key(&slot.id.0) => Err(Error::NotPermitted(Act::Restore)),
        Some(role) if !Act::Restore.is_open_to(role) => Err(Error::NotPermitted(Act::Restore)),
        _ => Ok(()),
    }
}

/// Where no log is there may be parts of one, which nothing is written over: but for those that an attempt has left, and that
/// are the backup's own, byte for byte.
fn check_parts(folders: &Folders, of_log: &BTreeMap<String, Digest>) -> Result<(), Error> {
    for name in audit::files_there(&folders.audit)? {
        let found = audit::read_file(&folders.audit, &name).map(|bytes| Digest::of(&bytes)).ok();
        if found.is_none() || found.as_ref() != of_log.get(&name) {
            return Err(Error::LogInParts { dir: folders.audit.clone() });
        }
    }
    Ok(())
}

/// What the vault in a backup remembers of its log.
fn mark_of<R>(backup: &Backup<R>, origin: [u8; 16]) -> Result<Mark, Error> {
    let mark = backup.mark(MARK_LOG).and_then(|bytes| decode(bytes, origin));
    mark.ok_or(Error::NoMark)
}

/// A change of a secret without an outcome is none in a vault from before.
fn close_changes(log: &Log) -> Result<(), Error> {
    for intent in log.unfinished()?.open_intents {
        if intent.kind == IntentKind::Secret {
            let found = Event::RecoveryReconciled { kind: intent.kind, found: Found::Nothing, objects: 0 };
            log.append(&[found.by_system().job(intent.job)])?;
        }
    }
    Ok(())
}

fn told<R>(
    backup: &Backup<R>,
    looked: &Looked,
    since: &Since,
    (objects, erased): (u64, u64),
    (log_survived, unsigned, is_joint): (bool, bool, bool),
    exported_until_ms: Option<u64>,
) -> Restored {
    let slots: Vec<SlotInfo> = backup.slots().collect();
    let in_it = |slot: &&u16| slots.iter().any(|info| info.id.0 == **slot);
    let kind = |slot: &u16| slots.iter().find(|info| info.id.0 == *slot).map(|info| info.kind);
    let nameless = since.nameless_in(backup);
    let named = |slot: &u16| backup.names().get(&vault::SlotId(*slot));
    let words = |slot: &u16| match (named(slot), kind(slot)) {
        (Some(_), _) if nameless.contains_key(slot) => format!("key slot {slot}, whose name was destroyed"),
        (Some(name), _) => name.as_str().to_owned(),
        (None, Some(SlotKind::Recovery)) => "the recovery code".to_owned(),
        (None, Some(SlotKind::Machine)) => "the machine secret".to_owned(),
        (None, _) => format!("key slot {slot}"),
    };
    let changed = since.changed.iter().filter(|slot| !since.removed.contains_key(slot));
    Restored {
        id: looked.id,
        made_ms: looked.made_ms,
        objects,
        erased,
        // One that was erased since is not missed.
        lacking: (backup.list().count() as u64).saturating_sub(objects + erased),
        lost: since.made_and_lost(),
        log_survived,
        exported_until_ms,
        unsigned,
        policy: looked.policy.clone(),
        removed: since.removed.keys().filter(in_it).map(words).collect(),
        nameless: nameless.keys().filter(|slot| named(slot).is_some()).count(),
        changed: changed.filter(in_it).map(words).collect(),
        joint_changed: !since.joint.is_empty(),
        is_joint,
        added: {
            let people = since.added.difference(&since.machines);
            people.filter(|slot| !in_it(slot) && !since.removed.contains_key(slot)).count()
        },
    }
}

/// A file of the log could not be read for a backup.
fn unreadable(error: &audit::Error) -> vault::Error {
    vault::Error::of_backup(std::io::Error::other(error.to_string()))
}
