//! `torch.randn` for a seed, so that a seed means the same picture here and in the reference.
//!
//! Source: `at::mt19937` and `normal_fill` in PyTorch's CPU generator. Exact up to the last bits of `ln`,
//! `sin` and `cos` (3e-7 over the golden values).

use crate::Error;
use crate::room::room;
use std::f32::consts::TAU;

/// Standard normal values, as `torch.randn(count, generator=torch.Generator("cpu").manual_seed(seed))` draws them.
///
/// The generator sees the low 32 bits of the seed.
///
/// # Errors
/// [`Error::Memory`].
pub fn randn(seed: u64, count: usize) -> Result<Vec<f32>, Error> {
    let mut generator = Mt19937::new(seed as u32);
    if count < 16 {
        return Ok(randn_few(&mut generator, count));
    }
    let mut values = room(count)?;
    values.extend((0..count).map(|_| generator.next_uniform()));
    for group in values.as_chunks_mut::<16>().0 {
        box_muller_16(group);
    }
    if !count.is_multiple_of(16) {
        // The last 16 places are drawn afresh, over values that were already transformed.
        let tail = &mut values[count - 16..];
        tail.fill_with(|| generator.next_uniform());
        if let Some(group) = tail.first_chunk_mut::<16>() {
            box_muller_16(group);
        }
    }
    Ok(values)
}

/// Sixteen uniform values become sixteen normal ones: value j pairs with value j + 8.
fn box_muller_16(group: &mut [f32; 16]) {
    for j in 0..8 {
        let (u1, u2) = (1.0 - group[j], group[j + 8]);
        let radius = (-2.0 * u1.ln()).sqrt();
        let theta = TAU * u2;
        group[j] = radius * theta.cos();
        group[j + 8] = radius * theta.sin();
    }
}

/// Fewer than sixteen values take the scalar path, in double precision and two at a time.
fn randn_few(generator: &mut Mt19937, count: usize) -> Vec<f32> {
    let mut values = Vec::with_capacity(count + 1);
    while values.len() < count {
        let (u1, u2) = (generator.next_uniform_f64(), generator.next_uniform_f64());
        let radius = (-2.0 * (-u2).ln_1p()).sqrt();
        let theta = std::f64::consts::TAU * u1;
        values.push((radius * theta.cos()) as f32);
        values.push((radius * theta.sin()) as f32);
    }
    values.truncate(count);
    values
}

/// The Mersenne Twister of Matsumoto and Nishimura (1998), 32-bit.
struct Mt19937 {
    state: [u32; Self::N],
    index: usize,
}

impl Mt19937 {
    const N: usize = 624;
    const M: usize = 397;

    fn new(seed: u32) -> Self {
        let mut state = [0; Self::N];
        state[0] = seed;
        for i in 1..Self::N {
            let previous = state[i - 1];
            state[i] = 1_812_433_253_u32.wrapping_mul(previous ^ (previous >> 30)).wrapping_add(i as u32);
        }
        Self { state, index: Self::N }
    }

    fn next_u32(&mut self) -> u32 {
        if self.index == Self::N {
            self.twist();
        }
        let mut y = self.state[self.index];
        self.index += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9D2C_5680;
        y ^= (y << 15) & 0xEFC6_0000;
        y ^ (y >> 18)
    }

    fn twist(&mut self) {
        for i in 0..Self::N {
            let y = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % Self::N] & 0x7FFF_FFFF);
            let odd = if y & 1 == 1 { 0x9908_B0DF } else { 0 };
            self.state[i] = self.state[(i + Self::M) % Self::N] ^ (y >> 1) ^ odd;
        }
        self.index = 0;
    }

    /// 24 random bits as a float in [0, 1).
    fn next_uniform(&mut self) -> f32 {
        (self.next_u32() & 0x00FF_FFFF) as f32 * (1.0 / 16_777_216.0)
    }

    /// 53 random bits as a double in [0, 1).
    fn next_uniform_f64(&mut self) -> f64 {
        let bits = (u64::from(self.next_u32()) << 32) | u64::from(self.next_u32());
        (bits & ((1 << 53) - 1)) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }
}
