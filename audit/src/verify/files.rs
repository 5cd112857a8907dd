//! The other files: copies, derived data, keys, and what does not belong there.

use super::reading::Reading;
use super::taken::Content;
use crate::handover;
use crate::note::{Note, parse_secret};
use crate::paths::SEGMENT_RECORDS;
use crate::report::Report;
use crate::reserve::RESERVE_BYTES;
use crate::tile;
use crate::token::{Digest, hex};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

pub(super) fn check(log: &Reading<'_>, report: &mut Report) {
    latest(log, report);
    vkeys(log, report);
    let names = ["origin", "vkeys", "checkpoint", "epoch.key", "reserve"];
    let mut known: BTreeSet<PathBuf> = names.iter().map(|name| log.paths.0.join(name)).collect();
    known.extend((0..log.journal.files).map(|number| log.paths.journal(number)));
    // The segment that a running writer has begun is signed by now.
    let size = log.ahead.unwrap_or(log.signed);
    known.extend((0..size.div_ceil(SEGMENT_RECORDS)).map(|index| log.paths.segment(index)));
    epoch_notes(log, &mut known, report);
    tiles(log, &mut known, report);
    quarantine(log, &mut known, report);
    secret(log, report);
    reserve(log, report);
    for file in log.taken.names().filter(|f| !known.contains(*f)) {
        let is_next_key = *file == log.paths.key_next();
        // While a writer is at work, a key is being handed over, or a known file being replaced.
        if log.is_live() && (is_next_key || replaced(file).is_some_and(|target| known.contains(&target))) {
            continue;
        }
        let text = match is_next_key {
            true => "a hand-over to a new key is unfinished; opening the log completes it",
            false => "does not belong to the log",
        };
        report.odd_file(&name(log, file), log.taken.digest(file), text);
    }
}

/// `checkpoint` is a copy of the last entry of `checkpoints.log`, which is written first.
fn latest(log: &Reading<'_>, report: &mut Report) {
    let path = log.paths.checkpoint();
    let text = log.taken.text(&path);
    if text.is_some_and(|text| log.window().iter().any(|note| note.bytes() == text)) {
        return;
    }
    let judged = log.taken.digest(&path);
    match text.and_then(Note::parse).map(|note| note.checkpoint.size) {
        Some(size) if size > log.signed => {
            let text = format!("covers {size} records, checkpoints.log only {}: it was cut back", log.signed);
            report.broken_file("checkpoint", judged, text);
        }
        Some(size) if size < log.signed => {
            let text =
                format!("is older ({size} records) than the last one in checkpoints.log ({})", log.signed);
            report.odd_file("checkpoint", judged, text);
        }
        _ if log.taken.content(&path) == Content::Missing => {
            report.odd_file("checkpoint", judged, "is missing; opening the log makes it again");
        }
        _ => report.broken_file("checkpoint", judged, "is not the last one in checkpoints.log"),
    }
}

fn vkeys(log: &Reading<'_>, report: &mut Report) {
    let path = log.paths.vkeys();
    let keys = &log.records.keys;
    let judged = log.taken.digest(&path);
    let Some(listed) = log.taken.text(&path) else {
        let text = match log.taken.content(&path) {
            Content::Missing => "is missing",
            _ => "is no file, or too large",
        };
        return report.odd_file("vkeys", judged, text);
    };
    let lists = |count: usize| {
        let keys = keys.get(..count).filter(|keys| !keys.is_empty());
        keys.is_some_and(|keys| listed == handover::vkeys(&log.origin, keys).as_bytes())
    };
    let settled = log.records.starts.partition_point(|start| *start <= log.settled());
    if (settled..keys.len()).chain([keys.len()]).any(lists) {
        return;
    }
    if lists(keys.len().saturating_sub(1)) {
        report.odd_file("vkeys", judged, "lacks the newest key; opening the log completes the hand-over");
    } else {
        report.broken_file("vkeys", judged, "does not list the keys that the records name");
    }
}

fn epoch_notes(log: &Reading<'_>, known: &mut BTreeSet<PathBuf>, report: &mut Report) {
    for (epoch, start) in (0u32..).zip(&log.records.starts).skip(1) {
        let path = log.paths.epoch_note(epoch);
        let signed = log.journal.hand_overs.get(start).map(|note| Content::Bytes(Digest::of(&note.bytes())));
        match log.taken.content(&path) {
            Content::Missing if *start > log.settled() => {}
            Content::Missing => report.odd_file(&name(log, &path), None, "is missing"),
            found if Some(found) == signed => {}
            _ => {
                let judged = log.taken.digest(&path);
                report.broken_file(&name(log, &path), judged, "is not the checkpoint of that hand-over");
            }
        }
        known.insert(path);
    }
}

/// Tiles are compared with the confirmed records; where those end, nothing can be said about tiles.
fn tiles(log: &Reading<'_>, known: &mut BTreeSet<PathBuf>, report: &mut Report) {
    let dir = log.paths.tiles();
    if log.leaves.len() as u64 != log.signed {
        known.extend(log.taken.names().filter(|path| path.starts_with(&dir)).cloned());
        return;
    }
    let sizes: Vec<u64> = log.window().iter().map(|note| note.checkpoint.size).collect();
    for (tile, allowed) in tile::allowed(&log.leaves, &sizes) {
        let path = dir.join(tile);
        match log.taken.content(&path) {
            Content::Bytes(digest) if digest == allowed.digest => {}
            Content::Missing if !allowed.is_required => {}
            Content::Missing => {
                report.odd_file(&name(log, &path), None, "is missing; opening the log makes it again");
            }
            _ => {
                let judged = log.taken.digest(&path);
                report.broken_file(&name(log, &path), judged, "holds other hashes than the signed records");
            }
        }
        known.insert(path);
    }
}

/// A file in quarantine is named by its digest, a record names the digest, and what a record names is there.
fn quarantine(log: &Reading<'_>, known: &mut BTreeSet<PathBuf>, report: &mut Report) {
    let dir = log.paths.quarantine();
    let mut kept = BTreeMap::new();
    for file in log.taken.names().filter(|path| path.starts_with(&dir)) {
        known.insert(file.clone());
        let digest = log.taken.digest(file);
        let at = digest.and_then(|digest| signed_size(&dir, file, &digest));
        let recorded = digest.and_then(|digest| log.records.truncated.get(&digest));
        match (digest, at, recorded) {
            (Some(digest), Some(at), Some(_)) => {
                let oldest = kept.entry(digest).or_insert(at);
                *oldest = at.min(*oldest);
            }
            (Some(_), Some(_), None) => {
                report.odd_file(&name(log, file), digest, "is not on record; opening the log records it");
            }
            _ => report.broken_file(&name(log, file), digest, "is not what was put there"),
        }
    }
    for (digest, record) in &log.records.truncated {
        if kept.get(digest).is_none_or(|at| at > record) {
            let text = format!("the bytes that record {record} says were moved here are not here");
            report.broken_file(&format!("quarantine/*-{}", hex(&digest.0)), None, text);
        }
    }
}

/// The number of signed records in the name `K-S-H` of a file in quarantine, if that is its name.
fn signed_size(dir: &Path, file: &Path, digest: &Digest) -> Option<u64> {
    let name = file.strip_prefix(dir).ok()?.to_str()?;
    let name = name.strip_suffix(&hex(&digest.0))?.strip_suffix('-')?;
    let size = name.strip_prefix("records-").or_else(|| name.strip_prefix("checkpoints-"))?;
    size.parse::<u64>().ok().filter(|n| n.to_string() == size)
}

/// The private key does not belong in an auditor's copy. If it can be read it must be the current one, or while the key
/// changes the one before it.
fn secret(log: &Reading<'_>, report: &mut Report) {
    let path = log.paths.key();
    let keys = &log.records.keys;
    let epoch = keys.len().saturating_sub(1);
    let settled = log.records.epoch_of(log.settled());
    let found = match log.taken.content(&path) {
        Content::Missing => return,
        _ => log.taken.text(&path).and_then(|bytes| parse_secret(bytes, &log.origin)),
    };
    // While it is being written over it is neither.
    if found.is_none() && settled < epoch {
        return;
    }
    let found = found.map(|key| key.verifying_key().to_bytes());
    let fits = |key: &[u8; 32]| keys.get(settled..).is_some_and(|keys| keys.iter().any(|k| k.0 == *key));
    if !found.as_ref().is_some_and(fits) {
        report.odd_file("epoch.key", None, format!("is not the key of epoch {epoch}"));
    }
}

/// The reserve is gone while the disk is full. If it is there, it is as long as it was made.
fn reserve(log: &Reading<'_>, report: &mut Report) {
    if let Ok(meta) = log.paths.reserve().symlink_metadata()
        && !(meta.is_file() && meta.len() == RESERVE_BYTES)
    {
        report.odd_file(
            "reserve",
            None,
            format!("is no file of {RESERVE_BYTES} bytes; opening the log makes it again"),
        );
    }
}

/// The path of a file in the log's folder.
fn name(log: &Reading<'_>, path: &Path) -> String {
    path.strip_prefix(&log.paths.0).unwrap_or(path).to_string_lossy().into_owned()
}

/// The file that `NAME.new` is going to replace.
fn replaced(path: &Path) -> Option<PathBuf> {
    path.to_str()?.strip_suffix(".new").map(PathBuf::from)
}
