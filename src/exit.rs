//! Exit codes, one table, and the failure that carries one.

use darkroom::Kind;
use rustix::process::{Resource, getrlimit};
use serde_json::{Value, json};
use std::fmt;
use std::io::ErrorKind;

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
    /// Does not fit on the disk, in memory or within a limit of the process.
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

impl Code {
    /// The one with this number.
    pub fn of(number: u8) -> Self {
        let mut all = Self::TABLE.iter().map(|(code, _)| *code);
        all.find(|code| *code as u8 == number).unwrap_or(Self::Unexpected)
    }

    /// Every code with its meaning, as `EXIT_CODES.md` and the help have them.
    pub const TABLE: [(Self, &'static str); 14] = [
        (Self::Done, "done"),
        (Self::Unexpected, "something unexpected"),
        (Self::Usage, "the arguments, the policy or a value make no sense"),
        (Self::Partial, "done in part"),
        (Self::Found, "a check finished and found something"),
        (
            Self::NotFound,
            "there is no such thing: a picture, a record, a log, a control, a model folder or a file that it lacks",
        ),
        (Self::Refused, "refused by a rule, or a folder cannot be used"),
        (Self::Locked, "locked, no vault, or a wrong passphrase"),
        (Self::Busy, "another process holds the vault or the port"),
        (Self::Space, "does not fit on the disk, in memory or within a limit of the process"),
        (
            Self::Integrity,
            "a hash, chain, tag, bundle or model file does not hold, or vault or log is gone or older than the other",
        ),
        (Self::Fence, "a fence could not be built"),
        (Self::Log, "the log cannot be written"),
        (Self::Interrupted, "interrupted"),
    ];
}

/// Why a command ends early: a code, what happened, and what to do.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub code: Code,
    /// What happened, and what to do if the sentence knows it.
    pub what: String,
    /// What was done before, for the JSON object.
    pub done: Option<Value>,
}

impl Failure {
    /// With what became of it and what to do, where somebody else has the vault.
    pub fn if_busy(mut self, what: &str) -> Self {
        if self.code == Code::Busy {
            self.what += &format!("; {what}");
        }
        self
    }

    /// A failure with its sentence.
    pub fn new(code: Code, what: impl fmt::Display) -> Self {
        Self { code, what: what.to_string(), done: None }
    }

    /// Whether it is no error: what was asked for waits for a second person, which `done` names.
    pub fn waits(&self) -> bool {
        self.code == Code::Refused && self.done.as_ref().is_some_and(|done| done.get("pending").is_some())
    }

    /// The same, after something was done.
    pub fn with(self, done: Value) -> Self {
        Self { done: Some(done), ..self }
    }
}

impl From<darkroom::Error> for Failure {
    fn from(error: darkroom::Error) -> Self {
        (&error).into()
    }
}

impl From<&darkroom::Error> for Failure {
    fn from(error: &darkroom::Error) -> Self {
        let failure = Self::new(code_of(error), format_args!("{error}{}", hint(error)));
        match error {
            darkroom::Error::Waits { number, .. } | darkroom::Error::WaitsForYou { number } => {
                failure.with(json!({ "pending": number }))
            }
            _ => failure,
        }
    }
}

impl From<diffusion::Error> for Failure {
    fn from(error: diffusion::Error) -> Self {
        Self::new(code_of_model(&error), error)
    }
}

impl From<evidence::Error> for Failure {
    fn from(error: evidence::Error) -> Self {
        use evidence::Error as E;
        let code = match error {
            E::Log(error) => return darkroom::Error::from(error).into(),
            E::Exists { .. } => Code::Refused,
            E::Absent { .. } | E::NoCertificate { .. } => Code::NotFound,
            E::TooMany { .. } => Code::Usage,
            E::Record { .. } | E::Run { .. } => Code::Integrity,
            E::Io { ref source, .. } => match source.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => Code::Space,
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Code::Refused,
                _ => Code::Unexpected,
            },
            _ => Code::Unexpected,
        };
        Self::new(code, error)
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
        | Kind::NameNeeded
        | Kind::Name
        | Kind::KeyReused => Code::Usage,
        Kind::Unfinished => Code::Partial,
        Kind::NotFound => Code::NotFound,
        Kind::Policy
        | Kind::Waits
        | Kind::SecondAdmin
        | Kind::NotPermitted
        | Kind::Held
        | Kind::HoldStands
        | Kind::Conflict
        | Kind::VaultExists
        | Kind::ExportFile
        | Kind::JobEnded
        | Kind::Outputs
        | Kind::OldKeyRemains
        | Kind::Stopping => Code::Refused,
        Kind::Locked | Kind::NoVault | Kind::WrongSecret | Kind::WrongToken | Kind::AuditorOnly => {
            Code::Locked
        }
        Kind::Busy | Kind::QueueFull => Code::Busy,
        Kind::Disk | Kind::Memory => Code::Space,
        Kind::Damaged => Code::Integrity,
        Kind::Log | Kind::Unrecorded => Code::Log,
        Kind::Cancelled => Code::Interrupted,
        Kind::Engine | Kind::Uncertain | Kind::Internal => Code::Unexpected,
    }
}

/// What is not there is no damage, and neither is a folder that this user or the sandbox cannot use.
pub fn code_of_model(error: &diffusion::Error) -> Code {
    use diffusion::Error as E;
    match error {
        E::ReadFile { source, .. } if source.kind() == ErrorKind::NotFound => Code::NotFound,
        E::ReadFile { source, .. }
            if matches!(source.kind(), ErrorKind::PermissionDenied | ErrorKind::NotADirectory) =>
        {
            Code::Refused
        }
        E::LinkLeavesFolder { .. } | E::Device(_) => Code::Refused,
        E::Memory { .. } | E::CardFull | E::Threads(_) => Code::Space,
        _ => Code::Integrity,
    }
}

/// What to do about it at a command line, where the error's own sentence does not know.
fn hint(error: &darkroom::Error) -> String {
    use darkroom::Error as E;
    let mut hint = match error {
        E::Guessed(error) => return hint(error),
        E::WaitsForYou { number } => return format!(": lightproof operator confirm {number}"),
        E::OneAdmin => "; for somebody who is there: lightproof operator role NAME admin",
        E::NotFound { .. } | E::ShortId { .. } => "; see: lightproof history list",
        E::Vault(vault::Error::OutputsInUse(_)) => ", or say --same-pictures if that vault is lost",
        E::Waits { .. } => "; see: lightproof operator pending",
        E::NoPending { .. } => "; see: lightproof operator pending",
        E::NoToken { .. } => "; see: lightproof token list",
        E::NotErased { .. } => "; erase it first: lightproof history rm",
        E::Vault(vault::Error::NameNeeded) => ": --operator NAME, or the variable LIGHTPROOF_OPERATOR",
        E::Vault(vault::Error::UnknownName) => "; see: lightproof operator list",
        E::Refused(_) if error.kind() == Kind::Held => "; see: lightproof hold list",
        E::PicturesUndecided { .. } => " (--keep-pictures, --hand-over-to NAME or --erase-pictures)",
        E::Vault(vault::Error::DiskFull) | E::Log(audit::Error::DiskFull | audit::Error::Unpruned { .. }) => {
            ""
        }
        // The system's own words, which know no remedy.
        E::Vault(_) | E::Log(_) | E::ExportFile { .. } if error.kind() == Kind::Disk => {
            "; free some space there and try again"
        }
        _ => "",
    }
    .to_owned();
    // Vault and log do not tell a file that may not grow from a disk that is full. Few processes have such a limit.
    if matches!(error.kind(), Kind::Disk | Kind::Log)
        && let Some(bytes) = getrlimit(Resource::Fsize).current
    {
        hint += &format!(
            "; here no file may grow beyond {bytes} bytes: if that is the reason, raise that limit (ulimit -f, or \
             LimitFSIZE= of a service)"
        );
    }
    hint
}

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn the_page_of_exit_codes_has_every_code() {
        let row = |(code, means): (Code, &str)| format!("| {} | {means} |", code as u8);
        let page = include_str!("EXIT_CODES.md");
        let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
        assert_eq!(rows, Code::TABLE.map(row));
    }
}
