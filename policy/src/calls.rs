//! System calls by name, and the ways in which their arguments can be narrowed.

use serde::{Deserialize, Serialize};

/// One allowed system call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallGrant {
    /// The condition on its arguments; `None` allows it with any.
    pub only: Option<Only>,
    /// Why the appliance needs it.
    pub why: String,
}

/// One system call that is refused although what is not named is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// From when on.
    pub since: Since,
    /// Why nobody needs it.
    pub why: String,
}

/// From when on a call is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Since {
    /// From the start.
    #[default]
    Start,
    /// From when the card has computed, before a file of a model is read.
    WarmUp,
}

impl Since {
    /// The word used in the profile.
    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::WarmUp => "warm-up",
        }
    }
}

/// Conditions on arguments. Each is a closed list that the `sandbox` crate spells out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Only {
    /// `fcntl` without the commands that choose who receives signals.
    NoSignalOwner,
    /// `ioctl` requests for terminal settings, window size, non-blocking mode and file flags.
    TerminalAndFiles,
    /// `ioctl` but for the requests that type on a terminal, or aim signals at a process.
    NoTyping,
    /// `mmap` and `mprotect` without PROT_EXEC.
    NotExecutable,
    /// `clone` of a thread, with no new namespace.
    Threads,
    /// `clone` of a thread or a process, with no new namespace.
    NoNamespaces,
    /// `kill` and `tgkill` aimed at this process.
    OwnProcess,
    /// `sched_setaffinity` of the thread that asks.
    OwnThread,
    /// `recvmsg` on the channel to the keeper.
    FromTheKeeper,
    /// `prctl` for the flags of the fences, besides what [`Only::NamesAndReads`] allows.
    OwnFences,
    /// `socketpair` of the family AF_UNIX.
    UnixPair,
    /// `socket` of the family AF_UNIX.
    UnixSocket,
    /// `sendto` without a destination and without TCP Fast Open.
    NoAddress,
    /// `setsockopt` of harmless options of a stream.
    StreamOptions,
    /// `prctl` for names, and to read the process's flags.
    NamesAndReads,
    /// `prlimit64` on this process, without a new value.
    ReadLimits,
    /// `prlimit64` on this process.
    OwnLimits,
}

impl Only {
    /// Does it let everything pass that `other` lets pass?
    pub(crate) fn covers(self, other: Self) -> bool {
        self == other
            || matches!(
                (self, other),
                (Self::NoNamespaces, Self::Threads)
                    | (Self::NoTyping, Self::TerminalAndFiles)
                    | (Self::OwnFences, Self::NamesAndReads)
                    | (Self::OwnLimits, Self::ReadLimits)
            )
    }

    /// The word used in the profile.
    pub fn word(self) -> &'static str {
        match self {
            Self::NoSignalOwner => "no-signal-owner",
            Self::TerminalAndFiles => "terminal-and-files",
            Self::NoTyping => "no-typing",
            Self::NotExecutable => "not-executable",
            Self::Threads => "threads",
            Self::NoNamespaces => "no-namespaces",
            Self::FromTheKeeper => "from-the-keeper",
            Self::OwnFences => "own-fences",
            Self::OwnProcess => "own-process",
            Self::OwnThread => "own-thread",
            Self::UnixPair => "unix-pair",
            Self::UnixSocket => "unix-socket",
            Self::NoAddress => "no-address",
            Self::StreamOptions => "stream-options",
            Self::NamesAndReads => "names-and-reads",
            Self::ReadLimits => "read-limits",
            Self::OwnLimits => "own-limits",
        }
    }
}
