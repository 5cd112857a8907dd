//! The names of the fences.

use serde::Serialize;
use std::fmt;

/// The fences, in the order in which they are put up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Fence {
    /// Only known variables; working folder `/`.
    Environment,
    /// No descriptor of the starting program but the standard ones and the listener.
    Descriptors,
    /// Umask 077.
    FileModes,
    /// RLIMIT_CORE 0.
    CoreLimit,
    /// An empty network namespace.
    NetworkNamespace,
    /// PR_SET_DUMPABLE 0: no core, and no look into its memory by other processes of the user.
    Dumpable,
    /// PR_SET_MDWE: no memory is writable and executable.
    WriteXorExecute,
    /// No capability.
    Capabilities,
    /// Files, TCP, and with newer kernels more.
    Landlock,
    /// The list of system calls.
    Seccomp,
}

impl Fence {
    /// Every fence, in order.
    pub const ALL: [Self; 10] = [
        Self::Environment,
        Self::Descriptors,
        Self::FileModes,
        Self::CoreLimit,
        Self::NetworkNamespace,
        Self::Dumpable,
        Self::WriteXorExecute,
        Self::Capabilities,
        Self::Landlock,
        Self::Seccomp,
    ];
}

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Environment => "environment",
            Self::Descriptors => "descriptors",
            Self::FileModes => "file-modes",
            Self::CoreLimit => "core-limit",
            Self::NetworkNamespace => "network-namespace",
            Self::Dumpable => "dumpable",
            Self::WriteXorExecute => "write-xor-execute",
            Self::Capabilities => "capabilities",
            Self::Landlock => "landlock",
            Self::Seccomp => "seccomp",
        })
    }
}
