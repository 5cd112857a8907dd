//! The threads that compute.

use crate::Error;
use kernels::Level;

/// As many threads as there are processors. A piece of work runs on one of them, and the others join it: whoever asks
/// for it sleeps meanwhile. Were it to compute itself, each of the thousand short operations of a picture would wake
/// the others and wait for them.
///
/// They belong to a loaded model and end with it. Whoever makes them has been fenced; they inherit that.
pub(crate) struct Threads(rayon::ThreadPool);

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
        self.0.install(act)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.current_num_threads()
    }
}
