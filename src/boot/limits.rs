//! Limits of this process, looked at before anything is opened.

use crate::exit::{Code, Failure};
use rustix::process::{Resource, getrlimit};

/// Descriptors that a process may need at once, as many as the policy leaves it at least: some 20 for a verb, and one for each
/// connection of the server.
const DESCRIPTORS_MIN: u64 = 64;

/// Before anything is opened: later, too few descriptors would look like a fault of whatever could not be opened.
///
/// # Errors
/// This process may open too few files at once.
pub fn check() -> Result<(), Failure> {
    match getrlimit(Resource::Nofile).current {
        Some(limit) if limit < DESCRIPTORS_MIN => {
            let what = format!(
                "this process may open no more than {limit} files at once, and {DESCRIPTORS_MIN} are needed; raise that \
                 limit (ulimit -n, or LimitNOFILE= of a service)"
            );
            Err(Failure::new(Code::Space, what))
        }
        _ => Ok(()),
    }
}
