//! The threads that compute.

use crate::Error;
use kernels::Level;
use std::sync::atomic::{AtomicBool, Ordering};

/// As many threads as there are processors. A piece of work runs on one of them, and the others join it: whoever asks
/// for it sleeps meanwhile. Were it to compute itself, each of the thousand short operations of a picture would wake
/// the others and wait for them.
///
/// They belong to a loaded model and end with it. Whoever makes them has been fenced; they inherit that.
///
/// While a piece is in work they stay awake: its operations are shorter than it takes to wake a thread. Between pieces they
/// sleep.
pub(crate) struct Threads(rayon::ThreadPool);

/// Looks for work so often before the system may give the processor to somebody else.
const LOOKS_MAX: u32 = 256;

/// Lets the others sleep again, also after a panic.
struct Work<'a>(&'a AtomicBool);

impl Drop for Work<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl Threads {
    /// Starts them.
    ///
    /// # Errors
    /// [`Error::Threads`], if the system gives fewer.
    pub fn start() -> Result<Self, Error> {
        let count = std::thread::available_parallelism().map_or(1, usize::from);
        Self::of(Level::here(), count)
    }

    /// Starts `count` threads that compute with the instructions of `level`.
    pub fn of(level: Level, count: usize) -> Result<Self, Error> {
        Ok(Self(level.pool(count).map_err(|error| Error::Threads(error.to_string()))?))
    }

    /// Computes on them. A panic comes back to whoever asked.
    pub fn run<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        self.0.install(|| {
            let (in_work, asked) = (AtomicBool::new(true), rayon::current_thread_index());
            rayon::in_place_scope(|scope| {
                // Once on each thread, so that none has two of them on its stack.
                scope.spawn_broadcast(|_, place| {
                    if Some(place.index()) != asked {
                        stay_awake(&in_work);
                    }
                });
                let _work = Work(&in_work);
                act()
            })
        })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.current_num_threads()
    }
}

/// Does what the others leave, until the piece is done.
fn stay_awake(in_work: &AtomicBool) {
    let mut looks = 0;
    while in_work.load(Ordering::Relaxed) {
        if rayon::yield_now() == Some(rayon::Yield::Executed) {
            looks = 0;
        } else if looks < LOOKS_MAX {
            looks += 1;
            std::hint::spin_loop();
        } else {
            looks = 0;
            std::thread::yield_now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[test]
    fn work_within_work_ends_and_so_does_a_panic() {
        let threads = Threads::of(Level::here(), 3).unwrap();
        for round in 0..200_u64 {
            let sum = threads.run(|| {
                let [a, b] =
                    [0, 1].map(|_| rayon::join(|| (0..round).sum::<u64>(), || (0..round).sum::<u64>()));
                threads.run(|| a.0 + a.1 + b.0 + b.1)
            });
            assert_eq!(sum, 4 * (0..round).sum::<u64>());
        }
        assert!(catch_unwind(AssertUnwindSafe(|| threads.run(|| std::panic::panic_any("x")))).is_err());
        assert_eq!(threads.run(|| rayon::join(|| 1, || 2)), (1, 2));
    }

    #[test]
    fn they_sleep_between_pieces() {
        let threads = Threads::of(Level::here(), 2).unwrap();
        assert_eq!(threads.run(|| 5), 5);
        // Hundredths of a second, of all threads.
        let spent = || -> u64 {
            let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
            let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
            fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
        };
        let before = spent();
        std::thread::sleep(std::time::Duration::from_millis(500));
        let ticks = spent() - before;
        assert!(ticks < 20, "{ticks} hundredths of processor time in half a second without work");
    }
}
