//! No capability in any set. As root this leaves uid 0 with the rights of a file owner and nothing else.

use crate::status::Status;
use crate::variant::Variant;
use crate::{Error, Fence, raw};

/// The sets that must be empty. The bounding set joins them where the process may empty it.
pub(crate) const SETS: [&str; 4] = ["CapInh", "CapPrm", "CapEff", "CapAmb"];

/// Empties all sets, and tells whether the bounding set had to stay.
///
/// Only CAP_SETPCAP may empty the bounding set. A process that never had it keeps the set, and can never use
/// it: no_new_privs and the missing `execve` close the only way from there to a right.
pub(crate) fn drop_all(variant: Variant) -> Result<bool, Error> {
    if variant.leaves_out(Fence::Capabilities) {
        return Ok(false);
    }
    let bounding_kept = raw::empty_bounding_set().is_err();
    raw::empty_capability_sets().map_err(|source| Error::Process { fence: Fence::Capabilities, source })?;
    let status = Status::of_this_thread()?;
    match SETS.into_iter().find(|set| !status.is_empty_set(set)) {
        Some(set) => Err(Error::CapabilityLeft { set }),
        None => Ok(bounding_kept && !status.is_empty_set("CapBnd")),
    }
}
