//! Faults for tests: the n-th effect fails, or the process "dies" there; and a record of all effects.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};

use super::Step;

/// What happens at the chosen effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Neither it nor anything after it happens.
    Kill,
    /// A write happens by half, then as [`Fault::Kill`].
    Torn,
    /// It fails with this error number; the program goes on.
    Errno(i32),
    /// A sync fails with EIO and drops what was pending: readers go on seeing it until the power is cut, and a later
    /// sync succeeds without writing it.
    LostSync,
}

/// An effect, as recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Op {
    Create(PathBuf),
    Write {
        path: PathBuf,
        at: usize,
        bytes: Vec<u8>,
    },
    Sync(PathBuf),
    LostSync(PathBuf),
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    SyncFolder(PathBuf),
    LostSyncFolder(PathBuf),
    Truncate {
        path: PathBuf,
        bytes: usize,
    },
    /// Blocks are set aside; no content changes.
    Allocate(PathBuf),
    Remove(PathBuf),
}

#[derive(Default)]
struct Plan {
    count: usize,
    fault: Option<(usize, Fault)>,
    dead: bool,
    fired: bool,
    record: Vec<Op>,
    /// Cannot be opened.
    forbidden: Option<PathBuf>,
}

thread_local! {
    static PLAN: RefCell<Plan> = RefCell::default();
}

/// From now on, the effect number `at` (from 1) of this thread meets `fault`; all effects are recorded.
pub(crate) fn arm(fault: Option<(usize, Fault)>) {
    PLAN.set(Plan { fault, ..Plan::default() });
}

/// From now on this thread may not open `path` (for root, too).
pub(crate) fn forbid(path: PathBuf) {
    PLAN.set(Plan { forbidden: Some(path), ..Plan::default() });
}

/// How many effects were recorded so far.
pub(crate) fn count() -> usize {
    PLAN.with_borrow(|plan| plan.record.len())
}

/// Ends it. Whether the fault happened, and what was done.
pub(crate) fn disarm() -> (bool, Vec<Op>) {
    let plan = PLAN.take();
    (plan.fired, plan.record)
}

pub(super) fn killed() -> io::Error {
    io::Error::other("the process is dead")
}

pub(super) fn torn(bytes: usize) -> Option<usize> {
    PLAN.with_borrow_mut(|plan| {
        let now = !plan.dead && plan.fault == Some((plan.count + 1, Fault::Torn));
        now.then(|| {
            (plan.count, plan.dead, plan.fired) = (plan.count + 1, true, true);
            bytes / 2
        })
    })
}

pub(super) fn step(step: Step<'_>, path: &Path) -> io::Result<()> {
    PLAN.with_borrow_mut(|plan| {
        if plan.dead {
            return Err(killed());
        }
        if matches!(step, Step::Open) {
            let forbidden = plan.forbidden.as_deref() == Some(path);
            return if forbidden { Err(io::ErrorKind::PermissionDenied.into()) } else { Ok(()) };
        }
        plan.count += 1;
        match plan.fault {
            Some((at, fault)) if at == plan.count => {
                plan.fired = true;
                match fault {
                    Fault::Errno(number) => return Err(io::Error::from_raw_os_error(number)),
                    Fault::LostSync => {
                        plan.record.push(match step {
                            Step::Sync => Op::LostSync(path.to_owned()),
                            Step::SyncFolder => Op::LostSyncFolder(path.to_owned()),
                            _ => return Err(io::Error::other("a sync was expected")),
                        });
                        return Err(io::Error::from_raw_os_error(5));
                    }
                    Fault::Kill | Fault::Torn => plan.dead = true,
                }
                return Err(killed());
            }
            _ => {}
        }
        let path = path.to_owned();
        plan.record.push(match step {
            Step::Open => return Ok(()),
            Step::Create => Op::Create(path),
            Step::Write { at, bytes } => Op::Write { path, at: at as usize, bytes: bytes.to_vec() },
            Step::Sync => Op::Sync(path),
            Step::Rename { to } => Op::Rename { to: path.with_file_name(to), from: path },
            Step::SyncFolder => Op::SyncFolder(path),
            Step::Truncate { bytes } => Op::Truncate { path, bytes: bytes as usize },
            Step::Allocate => Op::Allocate(path),
            Step::Remove => Op::Remove(path),
        });
        Ok(())
    })
}
