//! Signals at a prompt without echo, which must not end the program before the echo is back, and during a job; and how they
//! get from one process of the program to another.

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Signal, getpid, kill_process};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1};
use signal_hook::low_level::{emulate_default_handler, pipe, unregister};
use signal_hook::{SigId, flag};
use std::io::{self, PipeReader, PipeWriter, Read as _};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What the server's process gets when the keeper's was asked to end: one of the four below, whichever. A signal of its own,
/// since a person's ^C reaches both of them.
pub const RELAYED: i32 = SIGUSR1;
/// Those that ask for a job's end.
const JOB: [i32; 3] = [SIGINT, SIGTERM, RELAYED];
/// Those that end a program which does nothing about them.
const ENDING: [i32; 5] = [SIGINT, SIGTERM, SIGHUP, SIGQUIT, RELAYED];
/// Those that ask for the program's end, as they come from outside.
pub const ASKING: [i32; 4] = [SIGINT, SIGTERM, SIGHUP, SIGQUIT];

/// The signals of a program that asks. While nobody asks, each does what it does by default.
pub struct Signals {
    /// Gets a byte with each signal.
    wake: PipeReader,
    end: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    /// Nobody asks.
    idle: Arc<AtomicBool>,
    /// The actions that are taken when nobody asks.
    defaults: Vec<(i32, SigId)>,
}

/// What a signal wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// The program's end.
    End,
    /// A rest, until somebody continues it.
    Stop,
}

impl Signals {
    /// Takes charge of the signals.
    ///
    /// # Errors
    /// What the system says.
    pub fn new() -> io::Result<Self> {
        let (wake, waker) = io::pipe()?;
        let (end, stop) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let idle = Arc::new(AtomicBool::new(true));
        let mut defaults = Vec::new();
        for (signal, wish) in ENDING.map(|signal| (signal, &end)).into_iter().chain([(SIGTSTP, &stop)]) {
            // In this order: whoever is woken finds the wish.
            defaults.push((signal, flag::register_conditional_default(signal, Arc::clone(&idle))?));
            flag::register(signal, Arc::clone(wish))?;
            pipe::register(signal, waker.try_clone()?)?;
        }
        Ok(Self { wake, end, stop, idle, defaults })
    }

    /// From here until [`Signals::release`] no signal ends or stops the program.
    pub fn hold(&self) {
        self.idle.store(false, Ordering::SeqCst);
    }

    /// Each signal does again what it does by default. Gives back what came meanwhile.
    pub fn release(&self) -> Option<Wish> {
        self.idle.store(true, Ordering::SeqCst);
        let (end, stop) = (self.end.swap(false, Ordering::SeqCst), self.stop.swap(false, Ordering::SeqCst));
        end.then_some(Wish::End).or(stop.then_some(Wish::Stop))
    }

    /// Waits until `source` can be read; `false` if a signal came first.
    ///
    /// # Errors
    /// What the system says.
    pub fn wait_for(&mut self, source: &impl AsFd) -> io::Result<bool> {
        loop {
            let mut both = [PollFd::new(&self.wake, PollFlags::IN), PollFd::new(source, PollFlags::IN)];
            match poll(&mut both, None) {
                Err(rustix::io::Errno::INTR) => continue,
                polled => polled?,
            };
            let [woken, ready] = both.map(|one| !one.revents().is_empty());
            if woken {
                // What is left of them wakes once more, and finds no wish.
                let _ = self.wake.read(&mut [0; 64])?;
                if self.end.load(Ordering::SeqCst) || self.stop.load(Ordering::SeqCst) {
                    return Ok(false);
                }
            } else if ready {
                return Ok(true);
            }
        }
    }

    /// Somebody else answers the signals of a job from here on.
    pub fn leave_job(&mut self) {
        for (_, id) in self.defaults.extract_if(.., |(signal, _)| JOB.contains(signal)) {
            unregister(id);
        }
    }
}

/// A flag that the signals of a job set, instead of ending the program.
///
/// # Errors
/// What the system says.
pub fn job_flag() -> io::Result<Arc<AtomicBool>> {
    let flag = Arc::<AtomicBool>::default();
    for signal in JOB {
        flag::register(signal, Arc::clone(&flag))?;
    }
    Ok(flag)
}

/// Ends or wakes this process as [`RELAYED`] does.
///
/// # Errors
/// What the system says.
pub fn relay() -> io::Result<()> {
    Ok(kill_process(getpid(), Signal::USR1)?)
}

/// From here on no signal that a terminal sends ends this process.
///
/// # Errors
/// What the system says.
pub fn ignore_all() -> io::Result<()> {
    for signal in ASKING {
        flag::register(signal, Arc::default())?;
    }
    Ok(())
}

/// The signals of the keeper: each leaves a byte.
pub struct Notes {
    /// Those that ask for the program's end.
    pub ends: PipeReader,
    /// Those of children that have ended.
    pub children: PipeReader,
    of_children: PipeWriter,
    /// The last that asked for the program's end; 0 if none did.
    last: Arc<AtomicUsize>,
}

impl Notes {
    /// Takes charge of the signals that ask for the end.
    ///
    /// # Errors
    /// What the system says.
    pub fn new() -> io::Result<Self> {
        let ((ends, of_ends), (children, of_children)) = (io::pipe()?, io::pipe()?);
        let last = Arc::<AtomicUsize>::default();
        for signal in ASKING {
            flag::register_usize(signal, Arc::clone(&last), signal.unsigned_abs() as usize)?;
            pipe::register(signal, of_ends.try_clone()?)?;
        }
        Ok(Self { ends, children, of_children, last })
    }

    /// And of those of children, once the fences are up: until then they have the default, which the fences themselves count on.
    /// Who has ended before is found by whoever asks.
    ///
    /// # Errors
    /// What the system says.
    pub fn of_children(&self) -> io::Result<()> {
        pipe::register(SIGCHLD, self.of_children.try_clone()?).map(drop)
    }

    /// Ends this process as the last signal that asked for it would have.
    pub fn end_as_asked(&self) {
        let last = i32::try_from(self.last.load(Ordering::SeqCst)).unwrap_or_default();
        if last != 0 {
            let _ = emulate_default_handler(last);
        }
    }
}

/// Stops the program until somebody continues it.
///
/// # Errors
/// What the system says.
pub fn stop() -> io::Result<()> {
    emulate_default_handler(SIGTSTP)
}
