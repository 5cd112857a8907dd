//! Which instructions the processor has, and running a piece of work compiled for them.

use pulp::{Simd, WithSimd};
use std::cell::Cell;
use std::sync::OnceLock;

/// A set of instructions that every function of this crate is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Nothing beyond what each processor of the architecture has. Correct, and slow.
    Baseline,
    /// AVX2 and FMA: vectors of 8.
    Avx2,
    /// AVX-512 F, BW, CD, DQ and VL: vectors of 16.
    Avx512,
    /// Arrays of 16: what AVX-512 does with its vectors, on any processor.
    #[cfg(test)]
    Wide,
}

/// A level that the processor was asked about.
#[derive(Clone, Copy)]
enum Proven {
    Baseline,
    #[cfg(target_arch = "x86_64")]
    Avx2(pulp::x86::V3),
    #[cfg(target_arch = "x86_64")]
    Avx512(pulp::x86::V4),
    #[cfg(test)]
    Wide,
}

thread_local! {
    /// The level of a thread of [`Level::pool`]; every other thread has the best.
    static OF_THREAD: Cell<Option<Proven>> = const { Cell::new(None) };
}

impl Level {
    /// All of them, slowest first.
    pub const ALL: [Self; 3] = [Self::Baseline, Self::Avx2, Self::Avx512];

    /// Whether this processor has it.
    pub fn is_available(self) -> bool {
        self.prove().is_some()
    }

    /// What work started on this thread is compiled for: the best that the processor has, or the level of the pool
    /// that the thread belongs to.
    pub fn here() -> Self {
        match proven() {
            Proven::Baseline => Self::Baseline,
            #[cfg(target_arch = "x86_64")]
            Proven::Avx2(_) => Self::Avx2,
            #[cfg(target_arch = "x86_64")]
            Proven::Avx512(_) => Self::Avx512,
            #[cfg(test)]
            Proven::Wide => Self::Wide,
        }
    }

    /// Threads that compute at this level, whatever else the processor has. Weights must be packed at the level at which
    /// they are used, because their layout is the level's.
    ///
    /// # Errors
    /// The threads could not be started.
    ///
    /// # Panics
    /// If the processor lacks the level.
    pub fn pool(self, threads: usize) -> Result<rayon::ThreadPool, rayon::ThreadPoolBuildError> {
        let proven = self.prove();
        assert!(proven.is_some(), "this processor has no {self:?}; ask is_available first");
        let start = move |_| OF_THREAD.set(proven);
        rayon::ThreadPoolBuilder::new().num_threads(threads).start_handler(start).build()
    }

    /// Values of a vector.
    fn lanes(self) -> usize {
        match self {
            Self::Baseline => 4,
            Self::Avx2 => 8,
            Self::Avx512 => 16,
            #[cfg(test)]
            Self::Wide => 16,
        }
    }

    /// Columns of a panel of packed weights for so many outputs: two vectors, or one that holds them all.
    pub(crate) fn columns(self, outputs: usize) -> usize {
        match outputs <= self.lanes() {
            true => self.lanes(),
            false => 2 * self.lanes(),
        }
    }

    /// Rows of a register tile for so many outputs: as many as leave registers for what is multiplied.
    pub(crate) fn rows(self, outputs: usize) -> usize {
        match (self.lanes(), outputs <= self.lanes()) {
            (16, false) => 8,
            (16 | 8, true) => 12,
            (8, false) => 6,
            (_, true) => 8,
            (_, false) => 4,
        }
    }

    /// Values of input and output of a block, which share the second cache: servers with AVX-512 have 1 MiB and more.
    pub(crate) fn block_values(self) -> usize {
        match self.lanes() {
            16 => 256 << 10,
            _ => 96 << 10,
        }
    }

    fn prove(self) -> Option<Proven> {
        match self {
            Self::Baseline => Some(Proven::Baseline),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => pulp::x86::V3::try_new().map(Proven::Avx2),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => pulp::x86::V4::try_new().map(Proven::Avx512),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => None,
            #[cfg(test)]
            Self::Wide => Some(Proven::Wide),
        }
    }
}

/// Runs `op` compiled for the level of this thread.
#[inline]
pub(crate) fn run<Op: WithSimd>(op: Op) -> Op::Output {
    match proven() {
        // Arrays of four, which the compiler puts into the vectors that every processor has.
        Proven::Baseline => Simd::vectorize(pulp::Scalar128b, op),
        #[cfg(target_arch = "x86_64")]
        Proven::Avx2(simd) => Simd::vectorize(simd, op),
        #[cfg(target_arch = "x86_64")]
        Proven::Avx512(simd) => Simd::vectorize(simd, op),
        #[cfg(test)]
        Proven::Wide => Simd::vectorize(pulp::Scalar512b, op),
    }
}

fn proven() -> Proven {
    static BEST: OnceLock<Proven> = OnceLock::new();
    let best = || Level::ALL.into_iter().rev().find_map(Level::prove).unwrap_or(Proven::Baseline);
    OF_THREAD.get().unwrap_or_else(|| *BEST.get_or_init(best))
}
