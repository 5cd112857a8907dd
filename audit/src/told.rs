//! What a start must know of the records, beside the tree over them.

use crate::intent::Intents;
use crate::pruned::Pruning;
use crate::record::Record;
use crate::token::{Digest, unhex};

/// Follows the records, each once and in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// Digests of everything cut so far.
    pub truncated: Vec<Digest>,
    /// Keys of epochs below this one are recorded as destroyed.
    pub destroyed: u32,
    /// What is open.
    pub intents: Intents,
    /// The last pruning.
    pub pruned: Option<Pruning>,
}

impl Told {
    /// Takes in a record of this epoch; `None` when it holds no digest where it must, or a pruning makes no sense.
    pub fn record(&mut self, record: &Record<'_>, epoch: u32) -> Option<()> {
        match record.name {
            "key.destroyed" => self.destroyed = epoch,
            "recovery.truncated" => self.truncated.push(Digest(record.text("sha256").and_then(unhex)?)),
            "log.pruned" => self.pruned = Some(Pruning::of(record, self.pruned.as_ref())?),
            _ => {}
        }
        self.intents.record(record);
        Some(())
    }
}
