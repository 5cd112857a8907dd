//! Exit codes, one table, and the failure that carries one.

use darkroom::Kind;
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
        (&error).into()
    }
}

impl From<&darkroom::Error> for Failure {
    fn from(error: &darkroom::Error) -> Self {
        Self::new(code_of(error), format_args!("{error}{}", hint(error)))
    }
}

impl From<sandbox::Error> for Failure {
    fn from(error: sandbox::Error) -> Self {
        Self::new(Code::Fence, error)
    }
}

fn code_of(error: &darkroom::Error) -> Code {
    match error.kind() {
        Kind::Prompt
        | Kind::Size
        | Kind::Steps
        | Kind::Seed
        | Kind::Parameter
        | Kind::WeakSecret
        | Kind::KeyReused => Code::Usage,
        Kind::Unfinished => Code::Partial,
        Kind::NotFound => Code::NotFound,
        Kind::Policy
        | Kind::Conflict
        | Kind::VaultExists
        | Kind::ExportFile
        | Kind::JobEnded
        | Kind::Outputs
        | Kind::OldKeyRemains
        | Kind::Stopping => Code::Refused,
        Kind::Locked | Kind::NoVault | Kind::WrongSecret | Kind::AuditorOnly => Code::Locked,
        Kind::Busy | Kind::QueueFull => Code::Busy,
        Kind::Disk | Kind::Memory => Code::Space,
        Kind::Damaged => Code::Integrity,
        Kind::Log | Kind::Unrecorded => Code::Log,
        Kind::Cancelled => Code::Interrupted,
        Kind::Engine | Kind::Uncertain | Kind::Internal => Code::Unexpected,
    }
}

/// What to do about it at a command line, where the error's own sentence does not know.
fn hint(error: &darkroom::Error) -> &'static str {
    match error {
        darkroom::Error::NotFound { .. } => "; see: lightproof history list",
        _ => "",
    }
}
