//! Norms, and products value by value, row by row.

use crate::level::run;
use crate::simd::{mul_add, silu};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// `out = x / rms(x) * factor` for each row of `factor.len()` values, where `rms(x) = sqrt(mean(x^2) + eps)`.
///
/// Allocates nothing.
///
/// # Shapes
/// `x` and `out` `[rows, d]`, `factor` `[d]`
///
/// # Panics
/// If a length is not that of its shape.
pub fn rms(x: &[f32], factor: &[f32], eps: f32, out: &mut [f32]) {
    let part = part(x.len(), factor.len(), out.len());
    let parts = x.par_chunks(part).zip(out.par_chunks_mut(part));
    parts.for_each(|(x, out)| run(RmsRows { x, factor, eps, out, add: false }));
}

/// `x += y / rms(y) * factor` for each row of `factor.len()` values, where `rms(y) = sqrt(mean(y^2) + eps)`.
///
/// Allocates nothing.
///
/// # Shapes
/// `x` and `y` `[rows, d]`, `factor` `[d]`
///
/// # Panics
/// If a length is not that of its shape.
pub fn rms_add(x: &mut [f32], y: &[f32], factor: &[f32], eps: f32) {
    let part = part(y.len(), factor.len(), x.len());
    let parts = y.par_chunks(part).zip(x.par_chunks_mut(part));
    parts.for_each(|(y, x)| run(RmsRows { x: y, factor, eps, out: x, add: true }));
}

/// `out = (x - mean(x)) / sqrt(mean((x - mean(x))^2) + eps) * factor` for each row of `factor.len()` values.
///
/// Allocates nothing.
///
/// # Shapes
/// `x` and `out` `[rows, d]`, `factor` `[d]`
///
/// # Panics
/// If a length is not that of its shape.
pub fn layer(x: &[f32], factor: &[f32], eps: f32, out: &mut [f32]) {
    let part = part(x.len(), factor.len(), out.len());
    let parts = x.par_chunks(part).zip(out.par_chunks_mut(part));
    parts.for_each(|(x, out)| run(LayerRows { x, factor, eps, out }));
}

/// What a group norm does to each channel of a picture, as `(scale, shift)`, `[c]` each: to be given to
/// [`crate::picture::Before::NormSilu`] or [`scale_shift`]. The variance is the biased one.
///
/// Allocates [`scratch_bytes`]: two values of each channel per part of the picture, a 16th of it for 512 channels.
///
/// # Shapes
/// `x` `[places, c]`, `weight` and `bias` `[c]`
///
/// # Panics
/// If a length is not that of its shape, there are no places, or the groups do not divide the channels.
pub fn group_norm(x: &[f32], groups: usize, weight: &[f32], bias: &[f32], eps: f64) -> (Vec<f32>, Vec<f32>) {
    let c = weight.len();
    assert!(bias.len() == c && groups > 0 && c.is_multiple_of(groups), "{groups} groups of {c} channels");
    assert!(c > 0 && !x.is_empty() && x.len().is_multiple_of(c), "{} values of {c} channels", x.len());
    let places = part_places(c);
    let parts: Vec<(usize, Vec<f32>)> = x
        .par_chunks(places * c)
        .map(|x| {
            let mut moments = vec![0.0; 2 * c];
            run(Moments { x, moments: &mut moments });
            (x.len() / c, moments)
        })
        .collect();
    let each = c / groups;
    let (mut scale, mut shift) = (vec![0.0; c], vec![0.0; c]);
    for channels in (0..groups).map(|g| g * each..(g + 1) * each) {
        // Moments of parts become those of the whole as in Chan, Golub and LeVeque.
        let (mut count, mut mean, mut far) = (0.0_f64, 0.0_f64, 0.0_f64);
        for (places, moments) in &parts {
            for i in channels.clone() {
                let more = *places as f64;
                let distance = f64::from(moments[i]) - mean;
                far += f64::from(moments[c + i]) + distance * distance * count * more / (count + more);
                mean += distance * more / (count + more);
                count += more;
            }
        }
        let inverse = 1.0 / (far / count + eps).sqrt();
        for i in channels {
            let factor = f64::from(weight[i]) * inverse;
            (scale[i], shift[i]) = (factor as f32, (f64::from(bias[i]) - mean * factor) as f32);
        }
    }
    (scale, shift)
}

/// Bytes that [`group_norm`] allocates for so many places of `c` channels.
pub fn scratch_bytes(places: usize, c: usize) -> usize {
    let part = size_of::<(usize, Vec<f32>)>() + 8 * c;
    // The list of parts is collected from several that grow.
    let list = 3 * size_of::<(usize, Vec<f32>)>();
    places.div_ceil(part_places(c)) * (part + list) + 8 * c
}

/// Places of a part of a group norm: it is read twice, so it stays in the second cache.
fn part_places(c: usize) -> usize {
    ((1 << 14) / c).max(1)
}

/// `out = x * scale + shift`, channel by channel.
///
/// Allocates nothing.
///
/// # Shapes
/// `x` and `out` `[places, c]`, `scale` and `shift` `[c]`
///
/// # Panics
/// If a length is not that of its shape.
pub fn scale_shift(x: &[f32], scale: &[f32], shift: &[f32], out: &mut [f32]) {
    assert!(scale.len() == shift.len(), "{} scales and {} shifts", scale.len(), shift.len());
    let part = part(x.len(), scale.len(), out.len());
    let parts = x.par_chunks(part).zip(out.par_chunks_mut(part));
    parts.for_each(|(x, out)| run(ScaleShift { x, scale, shift, out }));
}

/// `out *= silu(gate)`, value by value, on this thread alone.
pub(crate) fn silu_times(out: &mut [f32], gate: &[f32]) {
    run(SiluTimes { out, gate });
}

/// Checks the shapes of rows of `d` values, and gives the values of a part: a few per thread, of 64 KiB at least.
fn part(from: usize, d: usize, to: usize) -> usize {
    assert!(d > 0 && from == to && from.is_multiple_of(d), "{from} values to {to} in rows of {d}");
    let least = (16 << 10) / d + 1;
    (from / d).div_ceil(4 * rayon::current_num_threads()).max(least) * d
}

struct RmsRows<'a> {
    x: &'a [f32],
    factor: &'a [f32],
    eps: f32,
    out: &'a mut [f32],
    add: bool,
}

impl WithSimd for RmsRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { x, factor, eps, out, add } = self;
        let d = factor.len();
        for (x, out) in x.chunks_exact(d).zip(out.chunks_exact_mut(d)) {
            let scale = 1.0 / (sum_of_squares(simd, x) / d as f32 + eps).sqrt();
            let values = out.iter_mut().zip(x).zip(factor);
            match add {
                true => values.for_each(|((out, x), factor)| *out += x * scale * factor),
                false => values.for_each(|((out, x), factor)| *out = x * scale * factor),
            }
        }
    }
}

#[inline(always)]
fn sum_of_squares<S: Simd>(simd: S, x: &[f32]) -> f32 {
    let (vectors, rest) = S::as_simd_f32s(x);
    let (fours, more) = vectors.as_chunks::<4>();
    let mut acc = [simd.splat_f32s(0.0); 4];
    for four in fours {
        for (acc, v) in acc.iter_mut().zip(four) {
            *acc = mul_add(simd, *v, *v, *acc);
        }
    }
    let rest = simd.partial_load_f32s(rest);
    for (acc, v) in acc.iter_mut().zip(more.iter().chain([&rest])) {
        *acc = mul_add(simd, *v, *v, *acc);
    }
    let [a, b, c, d] = acc;
    simd.reduce_sum_f32s(simd.add_f32s(simd.add_f32s(a, b), simd.add_f32s(c, d)))
}

struct LayerRows<'a> {
    x: &'a [f32],
    factor: &'a [f32],
    eps: f32,
    out: &'a mut [f32],
}

impl WithSimd for LayerRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { x, factor, eps, out } = self;
        let d = factor.len();
        for (x, out) in x.chunks_exact(d).zip(out.chunks_exact_mut(d)) {
            let (eights, rest) = x.as_chunks::<8>();
            let mut acc = [0.0_f32; 8];
            for eight in eights {
                acc.iter_mut().zip(eight).for_each(|(acc, x)| *acc += x);
            }
            let mean = (acc.iter().sum::<f32>() + rest.iter().sum::<f32>()) / d as f32;
            out.iter_mut().zip(x).for_each(|(out, x)| *out = x - mean);
            let scale = 1.0 / (sum_of_squares(simd, out) / d as f32 + eps).sqrt();
            out.iter_mut().zip(factor).for_each(|(out, factor)| *out *= scale * factor);
        }
    }
}

struct Moments<'a> {
    /// `[places, c]`
    x: &'a [f32],
    /// `[2, c]`: means, and sums of squared distances from them; zeros to begin with.
    moments: &'a mut [f32],
}

impl WithSimd for Moments<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let c = self.moments.len() / 2;
        let (means, far) = self.moments.split_at_mut(c);
        for x in self.x.chunks_exact(c) {
            means.iter_mut().zip(x).for_each(|(mean, x)| *mean += x);
        }
        let inverse = 1.0 / (self.x.len() / c) as f32;
        means.iter_mut().for_each(|mean| *mean *= inverse);
        for x in self.x.chunks_exact(c) {
            for ((far, mean), x) in far.iter_mut().zip(means.iter()).zip(x) {
                *far += (x - mean) * (x - mean);
            }
        }
    }
}

struct ScaleShift<'a> {
    x: &'a [f32],
    scale: &'a [f32],
    shift: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for ScaleShift<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let c = self.scale.len();
        for (x, out) in self.x.chunks_exact(c).zip(self.out.chunks_exact_mut(c)) {
            for (((out, x), scale), shift) in out.iter_mut().zip(x).zip(self.scale).zip(self.shift) {
                *out = x * scale + shift;
            }
        }
    }
}

struct SiluTimes<'a> {
    out: &'a mut [f32],
    gate: &'a [f32],
}

impl WithSimd for SiluTimes<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (out, out_rest) = S::as_mut_simd_f32s(self.out);
        let (gate, gate_rest) = S::as_simd_f32s(self.gate);
        for (out, gate) in out.iter_mut().zip(gate) {
            *out = simd.mul_f32s(*out, silu(simd, *gate));
        }
        if !out_rest.is_empty() {
            let gate = silu(simd, simd.partial_load_f32s(gate_rest));
            let value = simd.mul_f32s(simd.partial_load_f32s(out_rest), gate);
            simd.partial_store_f32s(out_rest, value);
        }
    }
}
