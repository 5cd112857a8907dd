//! A reading as the probes take it.

use darkroom::Kind;
use evidence::{Reading, Reason};

/// A reading, or why there is none.
pub type Read = Result<Reading, Reason>;

/// Takes a reading, and the time that it takes.
pub fn timed(now: &dyn Fn() -> u64, read: impl FnOnce(&mut Reading) -> Result<(), Reason>) -> Read {
    let mut reading = Reading::begun_at(now());
    read(&mut reading)?;
    reading.took_ms = now().saturating_sub(reading.started_ms);
    Ok(reading)
}

/// Why the open vault could not be asked. In a server somebody may have locked it meanwhile.
pub fn why(error: &darkroom::Error) -> Reason {
    match error.kind() {
        Kind::Locked => Reason::Locked,
        _ => Reason::TrialFailed,
    }
}
