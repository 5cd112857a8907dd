//! Creating a log, and opening one after whatever has happened to it.

use crate::clock::Clock;
use crate::durable::{Disk, is_full, open_append};
use crate::error::{Error, io_error};
use crate::event::Event;
use crate::journal::{Journal, Notes};
use crate::memory::{Found, Memory};
use crate::merkle::Frontier;
use crate::note::{Note, ORIGIN_PREFIX, VerifyKey, is_origin, new_secret};
use crate::paths::{Paths, SEGMENT_RECORDS, SMALL_BYTES_MAX, files_below, read_limited};
use crate::prune;
use crate::record::{FIRST_PREV, boot_hash};
use crate::replay::{Replay, Surplus};
use crate::tile::Tiles;
use crate::token::{Digest, PublicKey, hex};
use crate::told::Told;
use crate::writer::{Mark, Tail, Writer};
use crate::{handover, reserve};
use ed25519_dalek::SigningKey;
use rustix::fs::OFlags;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// What was found when the log was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovery {
    /// Bytes that nobody had acknowledged; they are in `quarantine/`, and on record.
    pub truncated: Vec<Truncated>,
    /// The log as it is now, with the records about the recovery.
    pub mark: Mark,
    /// Written time of the last record found, in milliseconds since 1970.
    pub last_ts_ms: u64,
}

/// An unacknowledged end of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truncated {
    /// How many bytes.
    pub bytes: u64,
    /// Their digest.
    pub sha256: Digest,
}

/// Creates a log in an empty or missing folder; its first record is signed when this returns.
pub(crate) fn create(
    dir: &Path,
    memory: Option<&Path>,
    disk: Disk,
    clock: Box<dyn Clock>,
) -> Result<Writer, Error> {
    // What it was remembered from is another log.
    let (memory, _) = Memory::open(memory)?;
    let paths = Paths(dir.to_owned());
    if has_records(&paths)? {
        return Err(Error::Exists { dir: dir.to_owned() });
    }
    if !dir.is_dir() {
        disk.folder(dir).map_err(io_error("create", dir))?;
    }
    let lock = lock(&paths)?;
    // Another process may have made one between the question and the lock.
    if has_records(&paths)? {
        return Err(Error::Exists { dir: dir.to_owned() });
    }
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|_| Error::Randomness)?;
    let origin = format!("{ORIGIN_PREFIX}{}", hex(&id));
    let key = new_secret()?;
    let public = PublicKey(key.verifying_key().to_bytes());
    let segment = paths.segment(0);
    let make = || -> io::Result<(File, File)> {
        // What an interrupted creation left: it had signed nothing.
        for left in [paths.key(), segment.clone(), paths.journal(0)] {
            disk.discard(&left)?;
        }
        discard_new(&disk, &paths)?;
        for folder in [paths.segments(), paths.epochs(), paths.tiles(), paths.quarantine()] {
            disk.folder(&folder)?;
        }
        reserve::fill(&disk, &paths)?;
        disk.replace(&paths.origin(), format!("{origin}\n").as_bytes())?;
        disk.replace(&paths.vkeys(), handover::vkeys(&origin, &[public]).as_bytes())?;
        handover::store(&disk, &paths.key(), &origin, &key)?;
        Ok((disk.create(&segment)?, disk.create(&paths.journal(0))?))
    };
    let (segment, journal) = make().map_err(io_error("create the files of the log in", dir))?;
    let mut writer = Writer {
        boot: boot_hash(&origin, &clock.boot_id()),
        segment: Tail { file: segment, len: 0 },
        closed: Vec::new(),
        journal: Tail { file: journal, len: 0 },
        journal_number: 0,
        keys: vec![public],
        frontier: Frontier::default(),
        tiles: Tiles::default(),
        prev: FIRST_PREV,
        epoch: 0,
        epoch_start: 0,
        ts_ms: 0,
        segment_index: 0,
        reserve_spent: false,
        clocks: None,
        is_behind: false,
        is_clock_set: false,
        unpruned: None,
        poison: None,
        told: Told::default(),
        memory,
        disk,
        paths,
        origin,
        clock,
        key,
        lock,
    };
    writer.append(&[Event::LogCreated { key: public }.by_system()])?;
    Ok(writer)
}

/// Opens a log, cuts what nobody had acknowledged, completes a hand-over, and puts both on record. What the file `memory` says
/// is not read again.
pub(crate) fn open(
    dir: &Path,
    memory: Option<&Path>,
    disk: Disk,
    clock: Box<dyn Clock>,
) -> Result<(Writer, Recovery), Error> {
    let paths = Paths(dir.to_owned());
    if !has_records(&paths)? {
        return Err(Error::Absent { dir: dir.to_owned() });
    }
    let lock = lock(&paths)?;
    let origin = read_origin(&paths)?;
    let journal = Journal::read(&paths)?;
    let note = &journal.last;
    let signed = note.checkpoint.size;
    // `checkpoint` is written after `checkpoints.log`, so it can be behind, and never ahead.
    let latest = read_limited(&paths.checkpoint(), SMALL_BYTES_MAX).ok().and_then(|b| Note::parse(&b));
    if let Some(ahead) = latest.filter(|l| l.checkpoint.size > signed) {
        return Err(Error::Lost { found: signed, signed: ahead.checkpoint.size });
    }
    let (mut memory, found) = Memory::open(memory)?;
    // The copies of the hand-overs before were looked at when that was remembered.
    let behind = found.as_ref().map_or(1, |found| found.remembered.epoch.saturating_add(1));
    let (mut replay, segment_tail) = replay(&paths, &origin, note, found, &mut memory)?;
    if replay.frontier.root() != note.checkpoint.root.0 || note.checkpoint.origin != origin {
        return Err(Error::Broken {
            what: "the records are not those of the last signed checkpoint",
            at: signed,
        });
    }
    let (key, unfinished) = epoch_key(&paths, &origin, &replay.keys, &journal)?;
    let first = if memory.unproven.is_some() { behind } else { 1 };
    handover::check(&paths, &origin, &replay.keys, &journal, first)?;
    // All is accepted; from here on it is written to.
    reserve::or_spend(&disk, &paths, || quarantine(&disk, &paths, signed, &segment_tail, &journal))?;
    renew(&disk, &paths, &journal, unfinished.is_some())?;
    reserve::or_spend(&disk, &paths, || match unfinished {
        Some(note) => handover::finish(&disk, &paths, &origin, &key, &replay.keys, note)
            .map_err(io_error("complete the hand-over in", &paths.0)),
        None => handover::wipe_next(&disk, &paths).map_err(io_error("remove", &paths.key_next())),
    })?;
    let unpruned = match (replay.unfinished.take(), &mut replay.told.pruned) {
        (Some(forms), Some(pruning)) => {
            prune::go_on((&disk, &paths), &forms, &mut replay.segments, pruning, clock.wall_ms())?
        }
        _ => None,
    };
    replay.tiles.look(&paths);
    // Derived files may stay behind on a full disk.
    let derived = disk
        .derive(&paths.checkpoint(), &note.bytes())
        .and_then(|()| replay.tiles.rebuild(&disk, &paths, signed))
        .or_else(|e| if is_full(&e) { Ok(()) } else { Err(e) });
    derived.map_err(io_error("write the derived files in", &paths.0))?;
    let reserve_spent = reserve::fill(&disk, &paths).is_err();
    let segment_index = (signed - 1) / SEGMENT_RECORDS;
    replay.segments.pop();
    let mut writer = Writer {
        boot: boot_hash(&origin, &clock.boot_id()),
        segment: tail(&paths.segment(segment_index))?,
        closed: std::mem::take(&mut replay.segments),
        journal: tail(&paths.journal(journal.number))?,
        journal_number: journal.number,
        epoch: replay.epoch(),
        epoch_start: replay.epoch_start,
        frontier: replay.frontier.clone(),
        tiles: std::mem::take(&mut replay.tiles),
        keys: std::mem::take(&mut replay.keys),
        prev: replay.prev,
        ts_ms: replay.ts_ms,
        clocks: None,
        is_behind: false,
        is_clock_set: false,
        unpruned,
        poison: None,
        told: std::mem::take(&mut replay.told),
        memory,
        segment_index,
        reserve_spent,
        disk,
        paths,
        origin,
        clock,
        key,
        lock,
    };
    let last_ts_ms = replay.ts_ms;
    let truncated = record_recovery(&mut writer)?;
    let recovery = Recovery { truncated, mark: writer.mark(), last_ts_ms };
    Ok((writer, recovery))
}

/// Reads what is new since the log was remembered, or everything.
fn replay(
    paths: &Paths,
    origin: &str,
    note: &Note,
    found: Option<Found>,
    memory: &mut Memory,
) -> Result<(Replay, Surplus), Error> {
    let signed = note.checkpoint.size;
    if let Some(found) = found.filter(|found| found.remembered.is_of(origin)) {
        let (seal, tree) = (found.seal, found.remembered.tree());
        if let Some(resumed) = Replay::resume(paths, signed, found)?
            && resumed.0.frontier.root() == note.checkpoint.root.0
        {
            memory.unproven = Some(seal);
            return Ok(resumed);
        }
        memory.missed = tree.map(|(size, root)| (seal, size, root));
    }
    Replay::read(paths, signed)
}

/// Whether anything was ever signed here. A creation that was interrupted has signed nothing, and no record of it was
/// acknowledged: at most the line of `log.created` is there.
fn has_records(paths: &Paths) -> Result<bool, Error> {
    let exists = |path: PathBuf| path.symlink_metadata().is_ok();
    if exists(paths.checkpoint())
        || exists(paths.epoch_note(1))
        || exists(paths.segment(1))
        || exists(paths.journal(1))
    {
        return Ok(true);
    }
    match Notes::open(&paths.journal(0), 0) {
        Ok(mut notes) => {
            let lines = read_limited(&paths.segment(0), SMALL_BYTES_MAX).unwrap_or_default();
            let records = lines.iter().filter(|b| **b == b'\n').count();
            Ok(records > 1 || notes.next().is_some())
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let segment = paths.segment(0).metadata().map_or(0, |m| m.len());
            Ok(segment > 0)
        }
        Err(e) => Err(io_error("read", &paths.journal(0))(e)),
    }
}

/// Locks the folder itself, which is there before and after every file in it.
pub(crate) fn lock(paths: &Paths) -> Result<File, Error> {
    let folder = OFlags::DIRECTORY.bits().cast_signed();
    let lock = OpenOptions::new().read(true).custom_flags(folder).open(&paths.0);
    let lock = lock.map_err(io_error("open", &paths.0))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(Error::Busy { dir: paths.0.clone() }),
        Err(TryLockError::Error(e)) => Err(io_error("lock", &paths.0)(e)),
    }
}

fn read_origin(paths: &Paths) -> Result<String, Error> {
    let path = paths.origin();
    let bytes = read_limited(&path, SMALL_BYTES_MAX).map_err(io_error("read", &path))?;
    let text = String::from_utf8(bytes).ok().and_then(|t| t.strip_suffix('\n').map(str::to_owned));
    text.filter(|t| is_origin(t)).ok_or(Error::Broken { what: "the file origin holds no name", at: 0 })
}

/// Finds the key of the current epoch, and the checkpoint of the hand-over to it if a crash interrupted that.
fn epoch_key<'a>(
    paths: &Paths,
    origin: &str,
    keys: &[PublicKey],
    journal: &'a Journal,
) -> Result<(SigningKey, Option<&'a Note>), Error> {
    let current = *keys.last().ok_or(Error::Broken { what: "the first record is not log.created", at: 0 })?;
    let verify_key = VerifyKey::new(origin, current);
    if !journal.last.is_signed_by(&verify_key) {
        return Err(Error::Broken { what: "the last checkpoint is not signed by its epoch's key", at: 0 });
    }
    let listed = read_limited(&paths.vkeys(), SMALL_BYTES_MAX).map_err(io_error("read", &paths.vkeys()))?;
    let complete = listed == handover::vkeys(origin, keys).as_bytes();
    if !complete && listed != handover::vkeys(origin, &keys[..keys.len() - 1]).as_bytes() {
        return Err(Error::Broken { what: "vkeys does not list the keys that the records name", at: 0 });
    }
    let read = |path: &Path| handover::load(path, origin).map_err(io_error("read", path));
    let is_current = |key: &SigningKey| key.verifying_key().to_bytes() == current.0;
    if let Some(next) = read(&paths.key_next())?.filter(is_current) {
        let handed_over = journal.hand_overs.iter().rev().find(|n| n.is_signed_by(&verify_key));
        let note = handed_over
            .ok_or(Error::Broken { what: "the hand-over to the current key is not signed", at: 0 })?;
        return Ok((next, Some(note)));
    }
    if !complete {
        return Err(Error::Key { what: "the key of the last hand-over is missing" });
    }
    let key = read(&paths.key())?
        .filter(is_current)
        .ok_or(Error::Key { what: "epoch.key is missing, damaged or of another epoch" })?;
    Ok((key, None))
}

/// Makes the last checkpoint durable. A hand-over that is to be completed on top of it must wait for that, if need be out
/// of the reserve; without one, a start on a full disk gets by with less.
fn renew(disk: &Disk, paths: &Paths, journal: &Journal, hands_over: bool) -> Result<(), Error> {
    let path = paths.journal(journal.number);
    let failed = io_error("write anew", &path);
    let renew = || journal.renew(disk, paths).map_err(&failed);
    if hands_over {
        return reserve::or_spend(disk, paths, renew);
    }
    match renew() {
        Err(Error::Io { source, .. }) if is_full(&source) => match journal.rewrite_last(disk, paths) {
            Err(e) if !is_full(&e) => Err(failed(e)),
            _ => Ok(()),
        },
        other => other,
    }
}

/// Moves what is beyond the signed size to `quarantine/`: first the copy, then the cut.
fn quarantine(
    disk: &Disk,
    paths: &Paths,
    signed: u64,
    segments: &Surplus,
    journal: &Journal,
) -> Result<(), Error> {
    let dir = paths.quarantine();
    let keep = |kind: &str, bytes: &[u8]| {
        if bytes.is_empty() {
            return Ok(());
        }
        disk.folder(&dir)?;
        disk.replace(&dir.join(format!("{kind}-{signed}-{}", Digest::of(bytes))), bytes)
    };
    let cut = || -> io::Result<()> {
        discard_new(disk, paths)?;
        for (index, keep_len, bytes) in segments.iter().rev() {
            keep("records", bytes)?;
            let path = paths.segment(*index);
            if *keep_len == 0 {
                disk.remove(&path)?;
            } else if !bytes.is_empty() {
                disk.truncate(&open_append(&path)?, *keep_len)?;
            }
        }
        keep("checkpoints", &journal.torn)?;
        if !journal.torn.is_empty() {
            disk.truncate(&open_append(&paths.journal(journal.number))?, journal.end)?;
        }
        Ok(())
    };
    cut().map_err(io_error("move unacknowledged bytes to", &dir))
}

/// Removes what an interrupted replacement left.
fn discard_new(disk: &Disk, paths: &Paths) -> io::Result<()> {
    let files = files_below(&paths.0)?;
    let mut left = files.iter().filter(|file| file.extension().is_some_and(|e| e == "new"));
    left.try_for_each(|file| disk.discard(file))
}

/// Records what was cut, and the end of an old key, unless an earlier start has done it.
fn record_recovery(writer: &mut Writer) -> Result<Vec<Truncated>, Error> {
    let mut found = Vec::new();
    let dir = writer.paths.quarantine();
    for file in files_below(&dir).map_err(io_error("read", &dir))? {
        let bytes = read_limited(&file, SMALL_BYTES_MAX).map_err(io_error("read", &file))?;
        let cut = Truncated { bytes: bytes.len() as u64, sha256: Digest::of(&bytes) };
        if !writer.told.truncated.contains(&cut.sha256) {
            found.push(cut);
        }
    }
    let mut entries: Vec<_> = found
        .iter()
        .map(|cut| Event::RecoveryTruncated { bytes: cut.bytes, sha256: cut.sha256 }.by_system())
        .collect();
    if writer.epoch > 0 && writer.told.destroyed != writer.epoch {
        entries.push(Event::KeyDestroyed { destroyed: writer.epoch - 1 }.by_system());
    }
    if !entries.is_empty() {
        writer.append(&entries)?;
    }
    Ok(found)
}

fn tail(path: &Path) -> Result<Tail, Error> {
    let file = open_append(path).map_err(io_error("open", path))?;
    let len = file.metadata().map_err(io_error("read", path))?.len();
    Ok(Tail { file, len })
}
