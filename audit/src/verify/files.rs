//! The other files: copies, derived data, keys, and what does not belong there.

use super::{Reading, read};
use crate::error::Error;
use crate::handover;
use crate::note::{Note, parse_secret};
use crate::open::io_error;
use crate::paths::{SEGMENT_RECORDS, SMALL_BYTES_MAX, files_below, read_limited};
use crate::report::{Report, Subject};
use crate::tile;
use crate::token::{Digest, hex};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

pub(super) fn check(log: &Reading<'_>, report: &mut Report) -> Result<(), Error> {
    latest(log, report)?;
    vkeys(log, report)?;
    let mut known: BTreeSet<PathBuf> =
        ["origin", "vkeys", "checkpoint", "checkpoints.log", "epoch.key", "reserve"]
            .iter()
            .map(|name| log.paths.0.join(name))
            .collect();
    known.extend((0..log.signed.div_ceil(SEGMENT_RECORDS)).map(|index| log.paths.segment(index)));
    epoch_notes(log, &mut known, report)?;
    tiles(log, &mut known, report)?;
    quarantine(log, &mut known, report)?;
    secret(log, report)?;
    let all = files_below(&log.paths.0).map_err(io_error("read", &log.paths.0))?;
    for file in all.iter().filter(|f| !known.contains(*f)) {
        let text = if *file == log.paths.key_next() {
            "a hand-over to a new key is unfinished; opening the log completes it"
        } else {
            "does not belong to the log"
        };
        report.odd(subject(log, file), text);
    }
    Ok(())
}

/// `checkpoint` is a copy of the last entry of `checkpoints.log`, which is written first.
fn latest(log: &Reading<'_>, report: &mut Report) -> Result<(), Error> {
    let bytes = read(&log.paths.checkpoint(), SMALL_BYTES_MAX)?;
    let last = log.notes.last().map(Note::bytes);
    if bytes.is_some() && bytes == last {
        return Ok(());
    }
    let name = Subject::File("checkpoint".into());
    match bytes.as_deref().and_then(Note::parse).map(|note| note.checkpoint.size) {
        Some(size) if size > log.signed => {
            let text = format!("covers {size} records, checkpoints.log only {}: it was cut back", log.signed);
            report.broken(name, text);
        }
        Some(size) if size < log.signed => {
            report.odd(
                name,
                format!("is older ({size} records) than the last one in checkpoints.log ({})", log.signed),
            );
        }
        _ if bytes.is_none() => report.odd(name, "is missing; opening the log makes it again"),
        _ => report.broken(name, "is not the last one in checkpoints.log"),
    }
    Ok(())
}

fn vkeys(log: &Reading<'_>, report: &mut Report) -> Result<(), Error> {
    let keys = &log.records.keys;
    let name = Subject::File("vkeys".into());
    let Some(listed) = read(&log.paths.vkeys(), SMALL_BYTES_MAX)? else {
        report.odd(name, "is missing");
        return Ok(());
    };
    let before = &keys[..keys.len().saturating_sub(1)];
    if listed == handover::vkeys(&log.origin, before).as_bytes() && !before.is_empty() {
        report.odd(name, "lacks the newest key; opening the log completes the hand-over");
    } else if listed != handover::vkeys(&log.origin, keys).as_bytes() {
        report.broken(name, "does not list the keys that the records name");
    }
    Ok(())
}

fn epoch_notes(log: &Reading<'_>, known: &mut BTreeSet<PathBuf>, report: &mut Report) -> Result<(), Error> {
    for (epoch, start) in (0u32..).zip(&log.records.starts).skip(1) {
        let path = log.paths.epoch_note(epoch);
        let signed = log.notes.iter().find(|n| n.checkpoint.size == *start).map(Note::bytes);
        match read(&path, SMALL_BYTES_MAX)? {
            None => report.odd(subject(log, &path), "is missing"),
            found if found == signed => {}
            Some(_) => report.broken(subject(log, &path), "is not the checkpoint of that hand-over"),
        }
        known.insert(path);
    }
    Ok(())
}

/// Tiles are compared with the confirmed records; where those end, nothing can be said about tiles.
fn tiles(log: &Reading<'_>, known: &mut BTreeSet<PathBuf>, report: &mut Report) -> Result<(), Error> {
    let dir = log.paths.tiles();
    if log.leaves.len() as u64 != log.signed {
        known.extend(files_below(&dir).map_err(io_error("read", &dir))?);
        return Ok(());
    }
    for (name, bytes) in tile::expected(&log.leaves) {
        let path = dir.join(name);
        match read(&path, SMALL_BYTES_MAX)? {
            Some(found) if found == bytes => {}
            Some(_) => report.broken(subject(log, &path), "holds other hashes than the signed records"),
            None => report.odd(subject(log, &path), "is missing; opening the log makes it again"),
        }
        known.insert(path);
    }
    Ok(())
}

/// A file in quarantine is named by its digest, and a record names the digest.
fn quarantine(log: &Reading<'_>, known: &mut BTreeSet<PathBuf>, report: &mut Report) -> Result<(), Error> {
    let dir = log.paths.quarantine();
    for file in files_below(&dir).map_err(io_error("read", &dir))? {
        let digest = Digest::of(&read(&file, SMALL_BYTES_MAX)?.unwrap_or_default());
        let named = file.file_name().and_then(|n| n.to_str()).and_then(|n| n.rsplit('-').next());
        if named != Some(&hex(&digest.0)) {
            report.broken(subject(log, &file), "is not what was put there");
        } else if !log.records.truncated.contains(&digest) {
            report.odd(subject(log, &file), "is not on record; opening the log records it");
        }
        known.insert(file);
    }
    Ok(())
}

/// The private key does not belong in an auditor's copy, and may be unreadable. If it can be read it must be the
/// current one.
fn secret(log: &Reading<'_>, report: &mut Report) -> Result<(), Error> {
    let path = log.paths.key();
    let bytes = match read_limited(&path, SMALL_BYTES_MAX) {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(e) if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::PermissionDenied) => {
            return Ok(());
        }
        Err(e) => return Err(io_error("read", &path)(e)),
    };
    let key = parse_secret(&bytes, &log.origin).map(|key| key.verifying_key().to_bytes());
    let epoch = log.records.keys.len().saturating_sub(1) as u64;
    if key != log.records.keys.last().map(|k| k.0) || key.is_none() {
        report.odd(Subject::File("epoch.key".into()), format!("is not the key of epoch {epoch}"));
    }
    Ok(())
}

fn subject(log: &Reading<'_>, path: &Path) -> Subject {
    let name = path.strip_prefix(&log.paths.0).unwrap_or(path);
    Subject::File(name.to_string_lossy().into_owned())
}
