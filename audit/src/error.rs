//! What can go wrong with the log, and what to do about it.

use crate::token::Digest;
use std::io;
use std::path::{Path, PathBuf};

/// An error of the log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no log, or its creation was interrupted before anything was signed.
    #[error("there is no log in {dir}; name the folder `audit` of the program, or a copy of it")]
    Absent {
        /// The folder.
        dir: PathBuf,
    },
    /// There is a log already.
    #[error("there is a log in {dir} already; open it instead")]
    Exists {
        /// The folder.
        dir: PathBuf,
    },
    /// Another process has the log open.
    #[error("another process has the log in {dir} open; stop it, or ask it instead")]
    Busy {
        /// The folder.
        dir: PathBuf,
    },
    /// Records are gone that a signed checkpoint or the vault's mark covers.
    #[error(
        "the log has {found} records, but {signed} were signed; records are lost, or an older copy was restored: run \
         `lightproof-audit verify`, and bring the missing files back"
    )]
    Lost {
        /// How many records there are.
        found: u64,
        /// How many there must be.
        signed: u64,
    },
    /// A record, or a file about the records, is not what was signed.
    #[error("the log is damaged at {at}: {what}; run `lightproof-audit verify` to see everything")]
    Broken {
        /// What.
        what: &'static str,
        /// The record or the size concerned.
        at: u64,
    },
    /// The records differ from the vault's mark, though there are enough of them.
    #[error(
        "the first {size} records are not those that the vault remembers; the log was replaced: bring the original back"
    )]
    Diverged {
        /// Size at the mark.
        size: u64,
        /// Root at the mark.
        root: Digest,
    },
    /// The signing key is missing or is not the one of the current epoch.
    #[error("the log cannot be signed: {what}; bring audit/epoch.key back")]
    Key {
        /// What.
        what: &'static str,
    },
    /// An entry lacks the object or the job that its type requires; nothing was written.
    #[error("the event {event} lacks its object or its job")]
    Incomplete {
        /// The event's name.
        event: &'static str,
    },
    /// An entry that only the log itself may write, or more entries at once than the log takes; nothing was written.
    #[error("{what}")]
    Refused {
        /// What.
        what: &'static str,
    },
    /// The disk is full; nothing was written. Endings and erasures are still taken while the reserve lasts.
    #[error("the disk is full, nothing was recorded; free some space and try again")]
    DiskFull,
    /// A write failed. Nothing can be recorded any more until the program starts anew.
    #[error(
        "the log cannot be written ({during}: {cause}); nothing is done without a record: see that its disk has room and can be written, and start anew"
    )]
    Unavailable {
        /// What was being done.
        during: &'static str,
        /// How the system called it.
        cause: SystemError,
    },
    /// A file could not be read or written while the log was being opened.
    #[error("cannot {during} {path}: {source}")]
    Io {
        /// What was being done.
        during: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A pruning is on record, and some of the records are still whole.
    #[error(
        "a pruning of the log is on record, and not finished: {why}; the next start of the program goes on with it"
    )]
    Unpruned {
        /// Why.
        why: Undone,
    },
    /// Only the hash of the record is left.
    #[error(
        "record {seq} was pruned: only its hash is left; which records go and when is in those of `log.pruned`"
    )]
    Pruned {
        /// Its number.
        seq: u64,
    },
    /// The kernel gave no randomness.
    #[error("the kernel gave no randomness; start anew")]
    Randomness,
}

/// How the system called a failure. It can be kept and told again, which an [`io::Error`] cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemError {
    /// What kind of failure it is; for some, such as EIO of a failing disk, Rust's library has no name.
    pub kind: io::ErrorKind,
    /// The system's number, if it is the system's failure.
    pub code: Option<i32>,
}

impl From<io::Error> for SystemError {
    fn from(error: io::Error) -> Self {
        Self { kind: error.kind(), code: error.raw_os_error() }
    }
}

impl From<io::ErrorKind> for SystemError {
    fn from(kind: io::ErrorKind) -> Self {
        Self { kind, code: None }
    }
}

impl std::fmt::Display for SystemError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.code {
            Some(code) => io::Error::from_raw_os_error(code).fmt(f),
            None => self.kind.fmt(f),
        }
    }
}

/// Why a pruning that is on record is not finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undone {
    /// A file could not be replaced.
    Disk(SystemError),
    /// By the machine's clock some of what was to go is younger than the period.
    Clock,
}

impl Undone {
    /// Whether room is all that it takes.
    pub fn is_full(self) -> bool {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        matches!(self, Self::Disk(cause) if matches!(cause.kind, StorageFull | QuotaExceeded | FileTooLarge))
    }
}

impl std::fmt::Display for Undone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Disk(cause) if self.is_full() => write!(f, "{cause}; free some space on its disk"),
            Self::Disk(cause) => {
                write!(f, "{cause}; see that its disk works, and that files in audit/seg can be written")
            }
            Self::Clock => f.write_str(
                "by the clock of this machine some of the records are younger than the period; see that the clock is right",
            ),
        }
    }
}

/// Says what was being done, and with which file.
pub(crate) fn io_error(during: &'static str, path: &Path) -> impl Fn(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { during, path: path.clone(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    #[test]
    fn a_failure_is_told_in_the_words_of_the_system() {
        // Rust's library has no kind for it, and calls that "uncategorized error".
        let cause = SystemError::from(io::Error::from(Errno::IO));
        let error = Error::Unavailable { during: "syncing a segment", cause }.to_string();
        assert!(error.contains("(syncing a segment: Input/output error (os error 5))"), "{error}");
        let full = Undone::Disk(io::Error::from(Errno::NOSPC).into());
        assert!(full.is_full() && full.to_string().starts_with("No space left on device"), "{full}");
        let told = Undone::Disk(io::ErrorKind::PermissionDenied.into());
        assert!(!told.is_full() && told.to_string().starts_with("permission denied"), "{told}");
    }
}
