//! Where engines come from, and what is expected of them.

use crate::wire::Unready;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// How long what is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// An engine that says nothing for this long is asked whether it is there.
    pub wait: Duration,
    /// An engine that starts may say nothing for this long.
    pub start: Duration,
    /// While an engine starts, this often somebody looks whether it is still wanted.
    pub look: Duration,
    /// Who asks for something small waits this long for an engine that is being started.
    pub check: Duration,
}

impl Patience {
    /// With people, and with models of many gigabytes.
    pub const DEFAULT: Self = Self {
        wait: Duration::from_secs(10),
        start: Duration::from_secs(60),
        look: Duration::from_millis(250),
        check: Duration::from_secs(10),
    };
}

/// The two sockets of an engine's process.
pub struct Pair {
    /// For the work.
    pub work: UnixStream,
    /// For what is asked meanwhile.
    pub checks: UnixStream,
}

/// Whoever starts the processes.
pub trait Supply: Send {
    /// Waits for the sockets of the next process; `None` if none came in time.
    ///
    /// # Errors
    /// There will be no more, and why: a sentence for people.
    fn next(&mut self, wait: Duration) -> Result<Option<Pair>, String>;

    /// The process whose sockets came last is to be ended, if it has not ended.
    fn replace(&mut self);

    /// It has made a picture.
    fn worked(&mut self);
}

/// What an engine's process must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// SHA-256 of this program.
    pub build: [u8; 32],
    /// Digest of the plan for its fences.
    pub plan: [u8; 32],
}

/// Why there is no engine after a start.
#[derive(Debug)]
pub enum NoEngine {
    /// It says why it has no model.
    Unready {
        /// Why.
        why: Unready,
        /// The sentence for the person.
        text: String,
    },
    /// It did not come that far; a sentence for the person.
    Gone(String),
    /// Whoever waited for it does not want it any more.
    Unwanted,
}
