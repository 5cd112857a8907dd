//! The checkpoints: each root recomputed, each signature checked with the key of its epoch.

use super::checkpoints::{name_of, open_journal};
use super::reading::Reading;
use crate::error::{Error, io_error};
use crate::journal;
use crate::merkle::{Frontier, Hash};
use crate::note::{NOTE_BYTES_MAX, Note, VerifyKey};
use crate::report::{Report, Subject};
use crate::tile;
use crate::token::Digest;

/// Checks all checkpoints and fills in the leaves that their roots name. Returns how many records are confirmed: covered
/// by a checkpoint that the key of their own epoch signed. A later key confirms nothing of an earlier epoch, since whoever
/// has stolen it could sign anything.
pub(super) fn check(log: &mut Reading<'_>, report: &mut Report) -> Result<u64, Error> {
    let mut tree = Tree::default();
    for number in 0..log.journal.files {
        let is_newest = number + 1 == log.journal.files;
        let path = log.paths.journal(number);
        let failed = io_error("read", &path);
        let Some(notes) = open_journal(log.paths, number)? else {
            report.broken_file(&name_of(number), None, "is no file: the checkpoints in it are lost");
            continue;
        };
        let before = log.journal.total;
        let mut notes = notes.up_to(if is_newest { log.journal.end } else { u64::MAX });
        while let Some(note) = notes.next() {
            let note = note.map_err(&failed)?;
            log.journal.take(&note, (number, notes.end), &log.taken, &log.records.starts);
            tree.add(log, &note, report);
        }
        // Only the newest can be empty or torn, by a crash.
        if is_newest {
            continue;
        }
        let rest = journal::rest(&path, notes.end, NOTE_BYTES_MAX).map_err(&failed)?;
        if !rest.is_empty() || log.journal.total == before {
            let text = format!("cannot be read from byte {} on, and newer checkpoints follow", notes.end);
            report.broken_file(&name_of(number), Some(Digest::of(&rest)), text);
        }
    }
    if let Some((from, to)) = tree.lost_at {
        blame(from, to, report);
    }
    check_hand_overs(log, report);
    Ok(tree.confirmed)
}

/// The tree as the checkpoints confirm it.
#[derive(Default)]
struct Tree {
    frontier: Frontier,
    /// No choice of leaves gives the root of the checkpoint over these records; nothing after it is confirmed.
    lost_at: Option<(u64, u64)>,
    last_size: u64,
    confirmed: u64,
    epoch: usize,
}

impl Tree {
    fn add(&mut self, log: &mut Reading<'_>, note: &Note, report: &mut Report) {
        let size = note.checkpoint.size;
        if size <= self.last_size {
            let text = format!("comes after the one of size {}", self.last_size);
            return report.broken(Subject::Checkpoint(size), text);
        }
        self.last_size = size;
        let is_signed = check_signature(log, note, report);
        if self.lost_at.is_some() || size > log.signed {
            return;
        }
        let from = self.frontier.size();
        let Some(leaves) = confirm(log, &self.frontier, note) else {
            self.lost_at = Some((from, size));
            return;
        };
        for (seq, leaf) in (from..).zip(leaves) {
            if log.records.leaf(seq) != Some(leaf) {
                report.broken(Subject::Record(seq), "is not the record that was signed");
            }
            self.frontier.push(leaf);
            log.leaves.push(leaf);
        }
        if is_signed && log.records.epoch_of(size - 1) == self.epoch {
            self.confirmed = size;
            self.epoch += usize::from(log.records.starts.get(self.epoch + 1) == Some(&size));
        }
    }
}

/// The leaves from the tree's size up to the checkpoint's, if its root confirms them. Where a line is damaged, the link
/// in the next record or the tile on disk may still know the leaf; the root decides whether they are right.
fn confirm(log: &Reading<'_>, tree: &Frontier, note: &Note) -> Option<Vec<Hash>> {
    let range = tree.size()..note.checkpoint.size;
    let link = |seq: u64| log.records.line(seq + 1).and_then(|next| next.prev);
    let tiled = |seq: u64| tile::leaf_on_disk(log.paths, log.signed, seq);
    let sources: [&dyn Fn(u64) -> Option<Hash>; 4] = [
        &|seq| log.records.leaf(seq),
        &|seq| tiled(seq).or_else(|| log.records.leaf(seq)),
        &|seq| link(seq).or_else(|| log.records.leaf(seq)),
        &|seq| {
            let own = log.records.leaf(seq);
            if own.is_some() && (own == link(seq) || own == tiled(seq)) {
                own
            } else {
                link(seq).or_else(|| tiled(seq))
            }
        },
    ];
    sources.iter().find_map(|source| {
        let leaves: Vec<Hash> = range.clone().map(source).collect::<Option<_>>()?;
        let mut tree = tree.clone();
        leaves.iter().for_each(|leaf| tree.push(*leaf));
        (tree.root() == note.checkpoint.root.0).then_some(leaves)
    })
}

/// No choice of leaves gives the root that was signed at `to`: names the record if there is only one, or the range.
fn blame(from: u64, to: u64, report: &mut Report) {
    if to - from == 1 {
        report.broken(Subject::Record(from), "is not the record that was signed");
    }
    let text = format!(
        "records {from} to {} are not those that were signed; nothing after them is confirmed",
        to - 1
    );
    report.broken(Subject::Checkpoint(to), text);
}

/// Whether a checkpoint carries the signatures that belong there, and no other.
fn check_signature(log: &Reading<'_>, note: &Note, report: &mut Report) -> bool {
    let size = note.checkpoint.size;
    if note.checkpoint.origin != log.origin {
        report.broken(Subject::Checkpoint(size), "names another log");
        return false;
    }
    let Some(last) = size.checked_sub(1) else { return false };
    let epoch = log.records.epoch_of(last);
    let signed_by = |epoch: usize| {
        let key = log.records.keys.get(epoch);
        key.is_some_and(|key| note.is_signed_by(&VerifyKey::new(&log.origin, *key)))
    };
    // The record that ends an epoch is signed by the next key too.
    let hands_over = log.records.starts.get(epoch + 1) == Some(&size);
    if !signed_by(epoch) {
        report.broken(Subject::Checkpoint(size), format!("is not signed by the key of epoch {epoch}"));
    } else if hands_over && !signed_by(epoch + 1) {
        report.broken(Subject::Checkpoint(size), format!("is not signed by the key of epoch {}", epoch + 1));
    } else if note.signatures.len() != 1 + usize::from(hands_over) {
        report.broken(Subject::Checkpoint(size), "carries a signature that does not belong there");
    } else {
        return true;
    }
    false
}

/// Every epoch but the first must begin with a checkpoint at exactly its first record.
fn check_hand_overs(log: &Reading<'_>, report: &mut Report) {
    for (epoch, start) in log.records.starts.iter().enumerate().skip(1) {
        if !log.journal.hand_overs.contains_key(start) {
            report.broken(
                Subject::Key(epoch as u64),
                format!("no checkpoint signs the hand-over in record {}", start - 1),
            );
        }
    }
}
