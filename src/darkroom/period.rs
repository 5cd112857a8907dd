//! When pictures go by themselves, where the policy sets a period.

use crate::holds::Holds;
use crate::whose::HandedOver;
use vault::{ObjectInfo, Vault};

const DAY_MS: u64 = 24 * 3600 * 1000;

/// When the pictures of a vault go.
pub(crate) struct Periods {
    days: Option<u32>,
    holds: Holds,
    handed_over: HandedOver,
}

impl Periods {
    pub fn of(vault: &Vault, days: Option<u32>) -> Self {
        Self { days, holds: Holds::of(vault), handed_over: HandedOver::of(vault) }
    }

    /// In milliseconds since 1970; `None` if it never goes by itself, or not while a hold stands.
    pub fn end_ms(&self, entry: &ObjectInfo) -> Option<u64> {
        self.days.map(|days| end_ms(entry.created_ms, days)).filter(|_| !self.is_held(entry))
    }

    pub fn is_held(&self, entry: &ObjectInfo) -> bool {
        self.holds.keep(entry, &self.handed_over)
    }
}

/// When the period of what was made then is over.
pub(crate) fn end_ms(created_ms: u64, days: u32) -> u64 {
    created_ms.saturating_add(u64::from(days) * DAY_MS)
}
