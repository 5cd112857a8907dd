//! Each fast form against its plain one, at every level that the processor has and at shapes that do not divide evenly.
//!
//! Plain forms compute in f64 and carry along how far a computation in f32 may be off, in whatever order it sums: for k
//! products that is (k + 1) 2^-24 of the sum of their magnitudes, plus what the operands were off before. So a bound is
//! small where values are, and one wrong index is far outside.

mod attention;
mod conv;
mod gemm;
mod memory;
mod norm;
mod plain;
mod same;
mod shapes;
mod simd;

use crate::level::Level;

/// Runs `act` at every level, on two threads.
fn each_level(act: impl Fn() + Sync) {
    for level in levels() {
        level.pool(2).expect("threads start").install(&act);
    }
}

/// The levels to be tested. Where AVX-512 is missing, arrays stand in for its vectors: they show that the widest tiles,
/// panels and margins are right, and nothing of the instructions.
fn levels() -> Vec<Level> {
    let (mut found, lacking): (Vec<Level>, Vec<Level>) =
        Level::ALL.into_iter().partition(|level| level.is_available());
    for level in &lacking {
        println!("{level:?}: this processor has no such instructions, so they are not tested here");
    }
    if lacking.contains(&Level::Avx512) {
        found.push(Level::Wide);
    }
    found
}

/// Values between -1 and 1, the same for a seed each time.
fn random(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

/// A value in f64, and how far the fast form's may be from it.
#[derive(Clone, Copy, Debug, Default)]
struct Near {
    value: f64,
    off: f64,
}

/// Half a unit in the last place of 1.
const ROUND: f64 = 1.0 / (1 << 24) as f64;

#[track_caller]
fn assert_near(what: &str, found: &[f32], expected: &[Near]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (found, near)) in found.iter().zip(expected).enumerate() {
        let off = (f64::from(*found) - near.value).abs();
        assert!(off <= near.off, "{what}: value {i} is {found} and not {near:?}; off by {off:e}");
    }
}

#[track_caller]
fn assert_same(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(found.to_bits() == expected.to_bits(), "{what}: value {i} is {found} and not {expected}");
    }
}
