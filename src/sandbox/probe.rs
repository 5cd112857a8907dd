//! Trust, but verify: at every start the forbidden is tried, from the main thread and from a fresh one.

use policy::Process;
use serde::Serialize;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use crate::capabilities::SETS;
use crate::namespace::{Network, network_id};
use crate::raw::{ATTEMPTS, Attempt, WRITE_EXECUTE, WithCard};
use crate::status::Status;
use crate::{Error, Fence, Sandboxed, environment, raw};

/// Everything that was tried, and how it was denied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProbeReport {
    /// Version of this form.
    pub schema: u32,
    /// In order; the main thread first.
    pub tried: Vec<Tried>,
    /// Threads of the process whose filter, no_new_privs and capabilities were read.
    pub threads_checked: usize,
}

/// One operation that failed, as it must, or one flag that is as it must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tried {
    /// The fence that it tests.
    pub fence: Fence,
    /// What was tried.
    pub operation: &'static str,
    /// `main` or `fresh`.
    pub thread: &'static str,
    /// The kernel's answer, such as `EPERM`, or `set` for a flag.
    pub answer: &'static str,
}

/// Tries what every fence forbids, from this thread and from a fresh one, and checks all threads there are.
///
/// # Errors
/// [`Error::Open`] names the first fence through which something was possible.
pub fn probe(sandboxed: &Sandboxed) -> Result<ProbeReport, Error> {
    let mut tried = Battery { sandboxed, thread: "main", tried: Vec::new() }.run()?;
    let fresh = thread::scope(|scope| {
        let battery = || Battery { sandboxed, thread: "fresh", tried: Vec::new() }.run();
        let running = thread::Builder::new().spawn_scoped(scope, battery).map_err(Error::ProbeThread)?;
        running.join().map_err(|_| Error::ProbeThread(io::Error::other("it panicked")))?
    })?;
    tried.extend(fresh);
    let all = Status::of_all_threads()?;
    for status in &all {
        check_thread(status, sandboxed)?;
    }
    Ok(ProbeReport { schema: 1, tried, threads_checked: all.len() })
}

fn check_thread(status: &Status, sandboxed: &Sandboxed) -> Result<(), Error> {
    let open = |fence, operation: String| Err(Error::Open { fence, operation, thread: "some" });
    if status.get("Seccomp") != "2" {
        return open(Fence::Seccomp, "a thread has no filter".to_owned());
    }
    if status.get("NoNewPrivs") != "1" {
        return open(Fence::Seccomp, "a thread may gain privileges".to_owned());
    }
    let bounding = (!sandboxed.bounding_kept).then_some("CapBnd");
    match SETS.into_iter().chain(bounding).find(|set| !status.is_empty_set(set)) {
        Some(set) => open(Fence::Capabilities, format!("{set} of a thread is not empty")),
        None => Ok(()),
    }
}

/// Does the plan let it pass?
pub(crate) fn is_open(sandboxed: &Sandboxed, call: &Attempt) -> bool {
    let Sandboxed { process, with_card, later, .. } = sandboxed;
    let is_keeper = *process == Process::Keeper;
    let to_a_card = match call.with_card {
        WithCard::Closed => false,
        // What an engine is refused only later its keeper is never refused.
        WithCard::UntilWarm => is_keeper || !later.is_empty(),
        WithCard::Open => true,
    };
    is_keeper && call.is_the_keepers || *with_card && to_a_card
}

/// The operations of one thread.
struct Battery<'a> {
    sandboxed: &'a Sandboxed,
    thread: &'static str,
    tried: Vec<Tried>,
}

impl Battery<'_> {
    fn run(mut self) -> Result<Vec<Tried>, Error> {
        let sandboxed = self.sandboxed;
        self.flags()?;
        self.network()?;
        self.files()?;
        self.denied(Fence::WriteXorExecute, WRITE_EXECUTE.operation, raw::attempt(&WRITE_EXECUTE))?;
        for call in ATTEMPTS.iter().filter(|call| !is_open(sandboxed, call)) {
            self.denied(Fence::Seccomp, call.operation, raw::attempt(call))?;
        }
        Ok(self.tried)
    }

    /// State that no forbidden call would show.
    fn flags(&mut self) -> Result<(), Error> {
        let failed = |fence| move |source| Error::Process { fence, source };
        let variables = environment::foreign_variables(&self.sandboxed.environment).next().is_none();
        self.set(Fence::Environment, "no unknown variable", variables)?;
        let at_root = std::env::current_dir().map_err(Error::WorkingFolder)? == Path::new("/");
        self.set(Fence::Environment, "working folder /", at_root)?;
        self.set(Fence::Descriptors, "no inherited descriptor", raw::inherited_descriptor().is_none())?;
        let status = Status::of_this_thread()?;
        self.set(Fence::FileModes, "umask 077", status.get("Umask") == "0077")?;
        self.set(Fence::CoreLimit, "no core files", raw::hard_limit(libc::RLIMIT_CORE) == Some(0))?;
        let dumpable = raw::is_dumpable().map_err(failed(Fence::Dumpable))?;
        self.set(Fence::Dumpable, "not dumpable", !dumpable)?;
        let either = raw::denies_write_execute().map_err(failed(Fence::WriteXorExecute))?;
        self.set(Fence::WriteXorExecute, "memory is writable or executable", either)?;
        for set in SETS {
            self.set(Fence::Capabilities, set, status.is_empty_set(set))?;
        }
        self.set(Fence::Seccomp, "no new privileges", status.get("NoNewPrivs") == "1")
    }

    fn network(&mut self) -> Result<(), Error> {
        let now = network_id()?;
        let as_made = match &self.sandboxed.network {
            Network::Own(id) => now == *id && now != self.sandboxed.start_network,
            Network::Given { id, .. } => now == *id,
            Network::Missing => return Ok(()), // by a line of the policy; the report says so
        };
        self.set(Fence::NetworkNamespace, "empty network", as_made)
    }

    fn files(&mut self) -> Result<(), Error> {
        self.denied(Fence::Landlock, "list the root folder", fs::read_dir("/").map(drop))?;
        if !self.granted(Path::new("/proc/self/maps")) {
            self.denied(Fence::Landlock, "read its own memory map", File::open("/proc/self/maps").map(drop))?;
        }
        for folder in self.sandboxed.closed.iter().filter(|folder| folder.exists()) {
            self.denied(Fence::Landlock, "list a folder of another process", fs::read_dir(folder).map(drop))?;
        }
        if self.sandboxed.process == Process::Keeper {
            self.denied(Fence::Landlock, "run another program", run_another())?;
        }
        if !self.granted(Path::new("/etc/passwd")) {
            self.denied(Fence::Landlock, "read the list of users", File::open("/etc/passwd").map(drop))?;
        }
        self.denied(Fence::Landlock, "make a file in the root folder", make_file(Path::new("/")))?;
        let config = existing(&self.sandboxed.config);
        self.denied(Fence::Landlock, "write where the policy lies", make_file(&config))
    }

    fn granted(&self, path: &Path) -> bool {
        self.sandboxed.granted.iter().any(|granted| path.starts_with(granted))
    }

    fn set(&mut self, fence: Fence, operation: &'static str, is_set: bool) -> Result<(), Error> {
        if !is_set {
            return Err(Error::Open {
                fence,
                operation: format!("not so: {operation}"),
                thread: self.thread,
            });
        }
        self.tried.push(Tried { fence, operation, thread: self.thread, answer: "set" });
        Ok(())
    }

    fn denied(&mut self, fence: Fence, operation: &'static str, result: io::Result<()>) -> Result<(), Error> {
        let answer = match result.as_ref().map_err(io::Error::raw_os_error) {
            Err(Some(libc::EPERM)) => "EPERM",
            Err(Some(libc::EACCES)) => "EACCES",
            Err(Some(libc::ENOSYS)) => "ENOSYS",
            Err(Some(libc::EROFS)) => "EROFS",
            _ => {
                let how = result.map_or_else(
                    |error| format!("the kernel looked into it ({error})"),
                    |()| "it worked".to_owned(),
                );
                return Err(Error::Open {
                    fence,
                    operation: format!("{operation}: {how}"),
                    thread: self.thread,
                });
            }
        };
        self.tried.push(Tried { fence, operation, thread: self.thread, answer });
        Ok(())
    }
}

/// Runs a program that does nothing and that every host has.
fn run_another() -> io::Result<()> {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", ":"]).status().map(drop)
}

/// Makes a new file in a folder and takes it away again.
fn make_file(folder: &Path) -> io::Result<()> {
    let path = folder.join(".fence-probe");
    File::create_new(&path)?;
    fs::remove_file(&path)
}

/// The path, or the nearest folder above it that exists.
fn existing(path: &Path) -> PathBuf {
    path.ancestors().find(|path| path.exists()).unwrap_or(path).to_owned()
}
