//! Exit codes, one table, and the failure that carries one.

use std::fmt;

/// What the process tells its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    /// Done.
    Done = 0,
    /// Something unexpected.
    Unexpected = 1,
    /// The arguments make no sense.
    Usage = 2,
    /// Finished, but some items failed.
    Partial = 3,
    /// A check finished and found something.
    Found = 4,
    /// There is no such thing.
    NotFound = 5,
    /// Refused by a rule.
    Refused = 6,
    /// Locked, not initialised, or a wrong passphrase.
    Locked = 7,
    /// Somebody else holds it.
    Busy = 9,
    /// Does not fit on the disk or in memory.
    Space = 10,
    /// A hash, chain or authentication tag does not hold. Wins over every other finding.
    Integrity = 11,
    /// A fence could not be built.
    Fence = 12,
    /// The log cannot be written.
    Log = 13,
    /// Interrupted by the person.
    Interrupted = 130,
}

/// Why a command ends early: a code, what happened, and what to do.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub code: Code,
    /// What happened, and what to do if the sentence knows it.
    pub what: String,
}

impl Failure {
    /// A failure with its sentence.
    pub fn new(code: Code, what: impl fmt::Display) -> Self {
        Self { code, what: what.to_string() }
    }
}

impl From<darkroom::Error> for Failure {
    fn from(error: darkroom::Error) -> Self {
        Self::new(code_of(&error), error)
    }
}

impl From<sandbox::Error> for Failure {
    fn from(error: sandbox::Error) -> Self {
        Self::new(Code::Fence, error)
    }
}

fn code_of(error: &darkroom::Error) -> Code {
    use darkroom::Trouble;
    match error.trouble() {
        Trouble::Refused => Code::Refused,
        Trouble::Usage => Code::Usage,
        Trouble::NotFound => Code::NotFound,
        Trouble::Locked => Code::Locked,
        Trouble::Busy => Code::Busy,
        Trouble::Space => Code::Space,
        Trouble::Integrity => Code::Integrity,
        Trouble::Log => Code::Log,
        Trouble::Interrupted => Code::Interrupted,
        Trouble::Other => Code::Unexpected,
    }
}
