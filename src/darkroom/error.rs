//! What can go wrong, and which kind of trouble it is.

use crate::engine::EngineError;
use crate::request::Refusal;
use std::path::PathBuf;

/// Why an act was not done. No text repeats a prompt or a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The request breaks a rule; nothing was done.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The engine refused or failed; no picture of this seed was made.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The engine panicked; the job failed, the darkroom goes on.
    #[error("the engine crashed, and this picture was not made; the next request starts it anew")]
    EnginePanic,
    /// The picture could not be encoded.
    #[error("the picture could not be encoded: {0}")]
    Encode(#[from] png::EncodingError),
    /// The vault refused or failed.
    #[error(transparent)]
    Vault(#[from] vault::Error),
    /// The log refused or failed.
    #[error(transparent)]
    Log(#[from] audit::Error),
    /// Nobody has unlocked the vault.
    #[error("the vault is locked; give its passphrase")]
    Locked,
    /// There is no vault yet.
    #[error("there is no vault yet; make one with: lightproof vault init")]
    NoVault,
    /// An auditor's passphrase was given where a picture is needed.
    #[error("this passphrase is an auditor's: it proves the log and the state, and opens no picture")]
    AuditorOnly,
    /// The vault is older than the state that the log names.
    #[error(
        "the vault is older than its log: the log knows epoch {epoch}, record {seq}; \
         an old copy was put back, bring the newest vault folder back"
    )]
    VaultRolledBack {
        /// The epoch on record.
        epoch: u64,
        /// The vault's record count on record.
        seq: u64,
    },
    /// There is a vault, and its log is gone.
    #[error("the log that belongs to this vault is missing from {}; bring the folder back", dir.display())]
    LogMissing {
        /// The log's folder.
        dir: PathBuf,
    },
    /// As many requests wait as may wait.
    #[error("{waiting} requests are waiting already; try again when one has ended")]
    QueueFull {
        /// How many.
        waiting: usize,
    },
    /// There is no such request, or it is forgotten.
    #[error("there is no such request any more; the pictures that it made are in the history")]
    NoJob,
    /// The request has ended.
    #[error("the request has ended already")]
    JobEnded,
    /// The program is about to end.
    #[error("the program is stopping; start it again")]
    Stopping,
    /// An act ended in a panic: what it left in memory is not trusted any more.
    #[error("a part of the program failed; stop it and start it again, which finishes what was begun")]
    Broken,
    /// There is no such picture.
    #[error("there is no picture {id}; see: lightproof history list")]
    NotFound {
        /// What was asked for.
        id: String,
    },
    /// The plain copy could not be written; none was left behind.
    #[error("cannot write {}: {source}; nothing was exported", path.display())]
    ExportFile {
        /// The target.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A crash simulated between two effects.
    #[cfg(test)]
    #[error("simulated crash")]
    Crash,
}

/// Kinds of trouble, for exit codes and status codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// A value that makes no sense.
    Usage,
    /// A rule forbids it.
    Refused,
    /// There is no such thing.
    NotFound,
    /// Locked, not initialised, or a wrong secret.
    Locked,
    /// Somebody else holds it.
    Busy,
    /// Does not fit on the disk.
    Space,
    /// A hash, chain or tag does not hold, or something is missing that must be there.
    Integrity,
    /// The log cannot be written.
    Log,
    /// Cancelled.
    Interrupted,
    /// Anything else.
    Other,
}

impl Error {
    /// A stable word for programs.
    pub fn code(&self) -> &'static str {
        use audit::words::RequestRefusal as R;
        match self {
            Self::Refused(Refusal { reason, .. }) | Self::Engine(EngineError::Refused { reason, .. }) => {
                match reason {
                    R::PromptEmpty | R::PromptLength | R::PromptEncoding => "prompt",
                    R::Size => "size",
                    R::Steps => "steps",
                    R::Seed => "seed",
                    R::Policy | R::Permission => "policy",
                    _ => "parameter",
                }
            }
            Self::Engine(_) | Self::EnginePanic | Self::Encode(_) => "engine",
            Self::QueueFull { .. } => "queue_full",
            Self::JobEnded => "state",
            Self::Stopping => "stopping",
            Self::Locked => "locked",
            Self::NoVault => "no_vault",
            Self::AuditorOnly => "policy",
            Self::Vault(vault::Error::WrongSecret | vault::Error::RecoveryCodeMistyped) => "passphrase",
            Self::Vault(vault::Error::WeakSecret(_)) => "weak_passphrase",
            Self::Vault(vault::Error::VaultExists(_)) => "setup_done",
            _ => match self.trouble() {
                Trouble::NotFound => "not_found",
                Trouble::Space => "space",
                Trouble::Integrity => "damaged",
                Trouble::Log => "log",
                _ => "internal",
            },
        }
    }

    /// Which kind of trouble this is.
    pub fn trouble(&self) -> Trouble {
        use audit::words::{GenerateFailure, RequestRefusal};
        match self {
            Self::Refused(Refusal { reason, .. }) | Self::Engine(EngineError::Refused { reason, .. }) => {
                match reason {
                    RequestRefusal::Policy | RequestRefusal::Permission => Trouble::Refused,
                    RequestRefusal::DiskFull => Trouble::Space,
                    RequestRefusal::NotFound => Trouble::NotFound,
                    RequestRefusal::Locked => Trouble::Locked,
                    RequestRefusal::Busy => Trouble::Busy,
                    _ => Trouble::Usage,
                }
            }
            Self::Engine(EngineError::Failed { reason: GenerateFailure::Cancelled, .. }) => {
                Trouble::Interrupted
            }
            Self::Engine(_) | Self::EnginePanic | Self::Encode(_) => Trouble::Other,
            Self::Vault(error) => vault_trouble(error),
            Self::Log(error) => match error {
                audit::Error::Busy { .. } => Trouble::Busy,
                audit::Error::DiskFull => Trouble::Space,
                audit::Error::Absent { .. } => Trouble::NotFound,
                audit::Error::Lost { .. } | audit::Error::Broken { .. } | audit::Error::Diverged { .. } => {
                    Trouble::Integrity
                }
                _ => Trouble::Log,
            },
            Self::Locked | Self::NoVault | Self::AuditorOnly => Trouble::Locked,
            Self::VaultRolledBack { .. } | Self::LogMissing { .. } => Trouble::Integrity,
            Self::NotFound { .. } | Self::NoJob => Trouble::NotFound,
            Self::QueueFull { .. } => Trouble::Busy,
            Self::JobEnded | Self::Stopping => Trouble::Refused,
            Self::Broken => Trouble::Other,
            Self::ExportFile { source, .. } => match source.kind() {
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Trouble::Space,
                _ => Trouble::Refused,
            },
            #[cfg(test)]
            Self::Crash => Trouble::Other,
        }
    }
}

fn vault_trouble(error: &vault::Error) -> Trouble {
    use vault::Error as E;
    match error {
        E::NoVault(_) | E::WrongSecret | E::RecoveryCodeMistyped => Trouble::Locked,
        E::Busy(_) => Trouble::Busy,
        E::WeakSecret(_) | E::Limit(_) | E::Range { .. } => Trouble::Usage,
        E::VaultExists(_) | E::NameTaken | E::IdTaken(_) | E::LastSlot | E::SlotsFull => Trouble::Refused,
        E::UnknownObject(_) | E::Erased(_) | E::UnknownSlot(_) => Trouble::NotFound,
        E::DiskFull => Trouble::Space,
        E::KdfOutOfRange
        | E::Unsupported { .. }
        | E::HeaderTampered
        | E::EpochKeyGone { .. }
        | E::LogDamaged { .. }
        | E::ObjectMissing(_)
        | E::ObjectDamaged { .. } => Trouble::Integrity,
        _ => Trouble::Other,
    }
}
