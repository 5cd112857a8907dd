//! The fences: a [`policy::Plan`] becomes kernel state, a [`Report`] says what holds, and [`probe`] tries to
//! break it.
//!
//! Belongs here: everything that takes rights away from the process, and the loopback listener that is made
//! just before. Does not belong here: what the rights are for (`policy`), and anything that parses input.
//!
//! The order is the design, so it is in the types:
//!
//! ```text
//! clean_environment  -> Clean             first statement of main, one thread
//! LoopbackListener   bound or handed over, the last moment with a network
//! enter(Clean, Plan) -> Sandboxed, Report still one thread
//! probe(&Sandboxed)  -> ProbeReport       threads may exist; each forbidden operation must fail
//! ```
//!
//! A keeper starts the others: the server with [`Clean::hand_down`], before its own fences, and each engine with
//! [`Sandboxed::hand_down`], inside them, where the engine puts up its own, which are tighter.
//!
//! No function, setting or variable turns a fence off. The one that a policy may miss is the network
//! namespace.

mod calls;
mod capabilities;
mod environment;
mod error;
mod fence;
mod handed;
mod landlock;
mod listener;
mod namespace;
mod probe;
mod process;
mod program;
#[allow(unsafe_code)]
mod raw;
mod report;
mod seccomp;
mod status;
#[cfg(test)]
mod trials;
mod variant;

pub use environment::{Clean, clean_environment};
pub use error::Error;
pub use fence::Fence;
pub use handed::HandDown;
pub use landlock::ABI_MIN;
pub use listener::LoopbackListener;
pub use probe::{ProbeReport, Tried, probe};
pub use program::program_files;
pub use raw::WipingAllocator;
pub use report::{FenceReport, Report, State};

use policy::{Plan, Process, Since};
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use namespace::Network;
use variant::Variant;

/// Proof that the fences of a plan are up in this process. [`enter`] is its only maker.
#[derive(Debug)]
pub struct Sandboxed {
    /// A Landlock rule on procfs dies with its dentry; these descriptors keep the dentries.
    _kept: Vec<OwnedFd>,
    network: Network,
    start_network: String,
    environment: Vec<String>,
    user_namespace: bool,
    process: Process,
    granted: Vec<PathBuf>,
    config: PathBuf,
    closed: Vec<PathBuf>,
    bounding_kept: bool,
    /// Whether it may drive a card.
    with_card: bool,
    /// Calls that are refused once the card has computed.
    later: Vec<String>,
}

impl Sandboxed {
    /// The second step of the fences of an engine with a card: what the plan refuses once the card has computed is refused from
    /// now on, to every thread. True if there was something to refuse: try the fences again then.
    ///
    /// # Errors
    /// The kernel refuses; the process must end then.
    pub fn refuse_the_rest(&mut self) -> Result<bool, Error> {
        if self.later.is_empty() {
            return Ok(false);
        }
        seccomp::refuse(&self.later)?;
        self.later.clear();
        Ok(true)
    }

    /// For an engine that this process is the keeper of, and starts inside its own fences.
    pub fn hand_down(&self) -> HandDown {
        HandDown::for_engine(self.network.word(self.user_namespace))
    }
}

/// What this process could leave behind, as the kernel has it now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeftBehind {
    /// Bytes that a core file could have.
    pub core_bytes_max: u64,
    /// Whether others may read its memory.
    pub dumpable: bool,
}

/// Asks the kernel what this process could leave behind: from outside that can be changed while it runs.
///
/// # Errors
/// [`Error::Process`].
pub fn left_behind() -> Result<LeftBehind, Error> {
    let failed = |source| Error::Process { fence: Fence::Dumpable, source };
    let core_bytes_max = raw::hard_limit(libc::RLIMIT_CORE).unwrap_or(u64::MAX);
    Ok(LeftBehind { core_bytes_max, dumpable: raw::is_dumpable().map_err(failed)? })
}

/// Puts up every fence of the plan, in the one order in which each can still be put up.
///
/// Call it while one thread exists, after the listener was made and before any input is parsed. Every path of
/// the plan must exist. Afterwards the working folder is `/`: resolve relative arguments before.
///
/// # Errors
/// The first fence that cannot be built. The process must end then; it may be half fenced.
pub fn enter(
    clean: Clean,
    plan: &Plan,
    listener: Option<&LoopbackListener>,
) -> Result<(Sandboxed, Report), Error> {
    enter_variant(Variant::whole(), clean, plan, listener)
}

fn enter_variant(
    variant: Variant,
    clean: Clean,
    plan: &Plan,
    listener: Option<&LoopbackListener>,
) -> Result<(Sandboxed, Report), Error> {
    status::refuse_threads()?;
    let Clean { environment, network: start_network, kept_network, channel_number, managed, .. } = clean;
    std::env::set_current_dir("/").map_err(Error::WorkingFolder)?;
    // Descriptors first: they are opened with the rights and the view of files that the process has now.
    let rules = landlock::open(plan)?;
    // Id maps are written inside: a process that is not dumpable could not write them.
    let (network, user_namespace) = match &kept_network {
        Some(word) => namespace::keep_network(word, plan, &start_network)?,
        None => namespace::leave_network(variant, plan, &start_network, managed)?,
    };
    process::restrict(variant, plan)?;
    let bounding_kept = capabilities::drop_all(variant)?;
    landlock::refuse_closed(&rules)?; // only now are the rights those that the process keeps
    status::refuse_threads()?; // Landlock and seccomp reach this thread and those it makes, no other
    let (kept, abi) = landlock::restrict(variant, rules)?;
    seccomp::restrict(variant, plan, channel_number)?;
    let sandboxed = Sandboxed {
        _kept: kept,
        network,
        // Whoever is inside the keeper's network started in it.
        start_network: if kept_network.is_some() { String::new() } else { start_network },
        environment,
        user_namespace,
        process: plan.process,
        granted: plan.paths.keys().cloned().collect(),
        config: plan.config.clone(),
        closed: plan.closed.clone(),
        bounding_kept,
        with_card: plan.others.is_some(),
        later: plan
            .refused
            .iter()
            .filter(|(_, call)| call.since == Since::WarmUp)
            .map(|(name, _)| name.clone())
            .collect(),
    };
    let report = report::describe(&sandboxed, plan, listener, abi);
    Ok((sandboxed, report))
}
