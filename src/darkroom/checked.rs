//! A request that was held against everything, before it is on record.

use engine::Prepared;
use zeroize::Zeroizing;

/// A request that this machine and this model can carry out.
pub struct Checked {
    /// What the engine is handed: tokens and numbers.
    pub(crate) prepared: Prepared,
    /// The prompt is kept, if there is one.
    pub(crate) remembers_prompt: bool,
    /// The prompt, if it is to be kept.
    pub(crate) prompt: Option<Zeroizing<String>>,
    /// The negative prompt, likewise.
    pub(crate) negative_prompt: Option<Zeroizing<String>>,
}

impl Checked {
    /// How many pictures it asks for.
    pub fn count(&self) -> usize {
        self.prepared.settings.seeds.len()
    }
}

impl std::fmt::Debug for Checked {
    /// Numbers only: a request may end up in a debug print, its prompt may not.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Checked").field("settings", &self.prepared.settings).finish_non_exhaustive()
    }
}
