//! What the checks are given.

use super::checkpoints::Journal;
use super::records::Records;
use super::taken::Taken;
use crate::merkle::Hash;
use crate::note::Note;
use crate::paths::Paths;

/// A log as read, before any judgement on how its parts fit.
pub(super) struct Reading<'a> {
    pub paths: &'a Paths,
    pub origin: String,
    /// Records that the last checkpoint covers.
    pub signed: u64,
    pub records: Records,
    pub taken: Taken,
    pub journal: Journal,
    /// Size of a checkpoint that the log's own key signed after those in `journal`, while this run was going on.
    pub ahead: Option<u64>,
    /// The leaves that the checkpoints confirm, where need be in place of damaged records.
    pub leaves: Vec<Hash>,
}

impl Reading<'_> {
    /// Whether checkpoints were signed while this run was going on: then the writer is at work.
    pub fn is_live(&self) -> bool {
        self.ahead.is_some() || self.journal.has_moved
    }

    /// The checkpoints that the other files may follow from. On a log at rest that is the last one. The writer makes
    /// those files after each checkpoint and before the next one, so on a live log they are not behind the last but one
    /// of those that there were when the files were read.
    pub fn window(&self) -> &[Note] {
        let recent = &self.journal.recent[..];
        if self.is_live() { recent } else { &recent[recent.len().saturating_sub(1)..] }
    }

    /// Records that the oldest checkpoint of the window covers.
    pub fn settled(&self) -> u64 {
        self.window().first().map_or(0, |note| note.checkpoint.size.min(self.signed))
    }
}
