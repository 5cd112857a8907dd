//! A fence that could not be built, or did not hold: which, why, and what to change on the host.

use policy::LoopbackAddr;
use std::path::PathBuf;
use std::{fmt, io};

use crate::{ABI_MIN, Fence, namespace};

/// Why the fences are not up. The process must end: it may be half fenced.
///
/// `Display` is by hand: every text begins with the fence and ends with the hint.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A procfs file could not be read.
    Read {
        /// Which.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// More than one thread exists, and a fence would miss the others.
    Threads {
        /// How many.
        count: usize,
    },
    /// The program could not start itself again with a clean environment.
    StartAgain(#[source] io::Error),
    /// A service manager started it as root.
    RootService,
    /// A service manager handed over more than one socket.
    TooManySockets {
        /// How many.
        count: u32,
    },
    /// The socket that was handed over cannot be used.
    HandedOver(#[source] io::Error),
    /// What a keeper seems to have handed down makes no sense here.
    HandedDown,
    /// A socket that was handed over, or bound, is not a TCP listener on 127.0.0.1.
    NotLoopback {
        /// What it is.
        what: String,
    },
    /// The listen address cannot be bound.
    Bind {
        /// The address.
        addr: LoopbackAddr,
        /// Why.
        source: io::Error,
    },
    /// `[::1]` at the same port cannot be reserved.
    Reserve {
        /// The port.
        port: u16,
        /// Why.
        source: io::Error,
    },
    /// The working folder cannot be changed to `/`.
    WorkingFolder(#[source] io::Error),
    /// A path of the plan cannot be opened.
    Path {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A path of the plan is another user's, and closed to this process.
    NotOurs {
        /// Which.
        path: PathBuf,
        /// Whose.
        owner: u32,
        /// Who this process is.
        uid: u32,
    },
    /// The empty network namespace cannot be made.
    NetworkNamespace {
        /// Why.
        source: io::Error,
    },
    /// A child could enter the namespaces, and this process got half way.
    HalfEntered,
    /// The limit on open files cannot be set.
    OpenFiles(#[source] io::Error),
    /// A flag of the process cannot be set.
    Process {
        /// Which fence it is.
        fence: Fence,
        /// Why.
        source: io::Error,
    },
    /// A capability is left after all were dropped.
    CapabilityLeft {
        /// The set it is in.
        set: &'static str,
    },
    /// The kernel has no Landlock, or something in front of it hides it.
    LandlockMissing(#[source] io::Error),
    /// The kernel's Landlock is too old.
    LandlockTooOld {
        /// Its ABI.
        abi: i32,
    },
    /// The ruleset cannot be built or enforced.
    Landlock {
        /// Why.
        source: ::landlock::RulesetError,
    },
    /// The ruleset is enforced in part.
    LandlockPartial,
    /// The plan names a call that this program does not know.
    UnknownCall {
        /// Its name.
        name: String,
    },
    /// The filter cannot be built or installed.
    Seccomp {
        /// Why.
        source: seccompiler::Error,
    },
    /// A thread to try forbidden operations from cannot be made.
    ProbeThread(#[source] io::Error),
    /// A fence does not hold: something forbidden was possible.
    Open {
        /// The fence.
        fence: Fence,
        /// What was possible, or what is not as it should be.
        operation: String,
        /// In which thread.
        thread: &'static str,
    },
}

impl Error {
    /// The fence that is missing, where the error is about one.
    pub fn fence(&self) -> Option<Fence> {
        match self {
            Self::StartAgain(_) | Self::WorkingFolder(_) => Some(Fence::Environment),
            Self::NetworkNamespace { .. } | Self::HalfEntered => Some(Fence::NetworkNamespace),
            Self::CapabilityLeft { .. } => Some(Fence::Capabilities),
            Self::OpenFiles(_) => Some(Fence::Descriptors),
            Self::LandlockMissing(_)
            | Self::LandlockTooOld { .. }
            | Self::Landlock { .. }
            | Self::LandlockPartial
            | Self::Path { .. } => Some(Fence::Landlock),
            Self::UnknownCall { .. } | Self::Seccomp { .. } => Some(Fence::Seccomp),
            Self::Process { fence, .. } | Self::Open { fence, .. } => Some(*fence),
            _ => None,
        }
    }

    /// What to do about it, as a sentence.
    pub fn hint(&self) -> String {
        match self {
            Self::Read { .. } => "mount procfs at /proc".to_owned(),
            Self::HalfEntered => "start it again".to_owned(),
            Self::Threads { .. } => "this is a mistake in the program: report it".to_owned(),
            Self::StartAgain(_) => "start it with `env -i HOME=\"$HOME\"` in front".to_owned(),
            Self::RootService => "set User= in the unit to a user of its own".to_owned(),
            Self::TooManySockets { .. } => "leave one ListenStream= in the socket unit".to_owned(),
            Self::HandedOver(_) | Self::NotLoopback { .. } => {
                "write ListenStream=127.0.0.1:7860 in the socket unit, or start without it".to_owned()
            }
            Self::HandedDown => {
                "start the program itself, without HANDED_DOWN in its environment: it starts its other processes".to_owned()
            }
            Self::Bind { .. } => "end the program that holds the port, or choose another in the policy's \
                `listen`"
                .to_owned(),
            Self::Reserve { .. } => {
                "another program would answer for localhost in a browser; end it, or choose another \
                    port"
                    .to_owned()
            }
            Self::WorkingFolder(_) => "the folder / must be accessible".to_owned(),
            Self::Path { .. } => {
                "make it, name the place itself instead of a link to it, or take the grant away with a \
                    [[deny]] in the policy"
                    .to_owned()
            }
            Self::NotOurs { owner, .. } => {
                format!(
                    "start the program as that user (`sudo -H -u '#{owner}'` before the command), give the \
                     folder to this one, or name another"
                )
            }
            // Making one takes a process for a moment.
            Self::NetworkNamespace { source } if source.kind() == io::ErrorKind::WouldBlock => {
                "allow this user more processes and threads (TasksMax=, ulimit -u)".to_owned()
            }
            Self::NetworkNamespace { .. } => format!(
                "{}. To go without this one fence, amber on every report, write this line in policy.toml: \
                 missing_network_namespace = \"allow\"",
                namespace::host_settings()
            ),
            Self::OpenFiles(_) => "lower limits.open_files_max in the policy".to_owned(),
            Self::Process { .. } => "Linux 6.7 or later is needed, and no filter around this process may \
                hide prctl, capset or close_range"
                .to_owned(),
            Self::CapabilityLeft { .. } => "start it without capabilities, as an ordinary user".to_owned(),
            Self::LandlockMissing(_) => {
                "Linux 6.7 or later with landlock in its `lsm=` list is needed, and no container filter \
                    in front of it"
                    .to_owned()
            }
            Self::LandlockTooOld { .. } => "Linux 6.7 or later is needed".to_owned(),
            Self::Landlock { .. } | Self::LandlockPartial => {
                "a filter around this process may hide part of Landlock: allow landlock_create_ruleset, \
                 landlock_add_rule and landlock_restrict_self"
                    .to_owned()
            }
            Self::UnknownCall { .. } => "check the profile".to_owned(),
            Self::Seccomp { .. } => {
                "the kernel needs CONFIG_SECCOMP_FILTER, and no filter around this process may hide \
                    seccomp(2)"
                    .to_owned()
            }
            Self::ProbeThread(_) => "allow this user more threads (TasksMax=, ulimit -u)".to_owned(),
            Self::Open { .. } => "do not use this host until the reason is known; report it".to_owned(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(fence) = self.fence() {
            write!(f, "the fence {fence} is not up: ")?;
        }
        match self {
            Self::Read { what, source } => write!(f, "cannot read {what}: {source}"),
            Self::Threads { count } => {
                write!(f, "{count} threads exist, and fences go up while there is one")
            }
            Self::StartAgain(source) => write!(f, "cannot start again with a clean environment: {source}"),
            Self::RootService => write!(f, "a service manager started this as root"),
            Self::TooManySockets { count } => write!(f, "{count} sockets were handed over, and one is used"),
            Self::HandedOver(source) => write!(f, "the socket that was handed over cannot be used: {source}"),
            Self::HandedDown => write!(f, "no keeper started this process"),
            Self::NotLoopback { what } => write!(f, "the socket is refused: {what}"),
            Self::Bind { addr, source } => write!(f, "cannot listen on {addr}: {source}"),
            Self::Reserve { port, source } => write!(f, "cannot reserve [::1]:{port}: {source}"),
            Self::WorkingFolder(source) => write!(f, "cannot go to /: {source}"),
            Self::Path { path, source } => write!(f, "cannot grant {path:?}: {source}"),
            Self::NotOurs { path, owner, uid: 0 } => write!(
                f,
                "{path:?} belongs to user {owner} and is closed to root, who keeps no capability here"
            ),
            Self::NotOurs { path, owner, uid } => {
                write!(f, "{path:?} belongs to user {owner} and is closed to user {uid}")
            }
            Self::NetworkNamespace { source } => {
                write!(f, "the host allows no empty network namespace: {source}")
            }
            Self::HalfEntered => write!(f, "the namespaces were entered half way"),
            Self::OpenFiles(source) => write!(f, "cannot limit open files: {source}"),
            Self::Process { source, .. } => write!(f, "{source}"),
            Self::CapabilityLeft { set } => write!(f, "{set} is not empty"),
            Self::LandlockMissing(source) => write!(f, "this kernel offers no Landlock: {source}"),
            Self::LandlockTooOld { abi } => {
                write!(f, "this kernel has Landlock ABI {abi}, and {ABI_MIN} is needed")
            }
            Self::Landlock { source } => write!(f, "{source}"),
            Self::LandlockPartial => write!(f, "the kernel enforced a part of the rules only"),
            Self::UnknownCall { name } => write!(f, "no system call {name:?} is known"),
            Self::Seccomp { source } => write!(f, "{source}"),
            Self::ProbeThread(source) => write!(f, "cannot make a thread to test the fences from: {source}"),
            Self::Open { operation, thread, .. } => write!(f, "{operation} ({thread} thread)"),
        }?;
        write!(f, ". {}", self.hint())
    }
}
