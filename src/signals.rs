//! Signals at a prompt without echo, which must not end the program before the echo is back, and during a job.

use rustix::event::{PollFd, PollFlags, poll};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use signal_hook::low_level::{emulate_default_handler, pipe, unregister};
use signal_hook::{SigId, flag};
use std::io::{self, PipeReader, Read as _};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Those that ask for a job's end.
const JOB: [i32; 2] = [SIGINT, SIGTERM];
/// Those that end a program which does nothing about them.
const ENDING: [i32; 4] = [SIGINT, SIGTERM, SIGHUP, SIGQUIT];

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

/// Stops the program until somebody continues it.
///
/// # Errors
/// What the system says.
pub fn stop() -> io::Result<()> {
    emulate_default_handler(SIGTSTP)
}
