//! 3x3 convolution with a quarter of the products: F(4x4, 3x3) of Winograd.
//!
//! Tiles of 6x6 places, each 4 beside the last, are transformed; so are the weights, once. Then each of the 36 places is a
//! product of its own, `[tiles, inputs]` by `[inputs, outputs]`, and what comes out is transformed back into 4x4 places.
//! A strip of the picture at a time, so that both sides stay in the last cache.

use crate::gemm::{BLOCK_BYTES, Block, Packed, Start, segments};
use crate::level::{Level, run};
use crate::lines::{Lines, MORE_BYTES};
use crate::picture::{Picture, cut};
use crate::simd::mul_add;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;
use std::sync::{Mutex, PoisonError};

/// One packed matrix `[inputs, outputs]` per place of a transformed tile.
pub(crate) struct Weights {
    each: Vec<Packed>,
    inputs: usize,
    outputs: usize,
}

/// Places of a transformed tile.
const PLACES: usize = 36;

/// What turns 3 weights into 6, for the points 0, 1, -1, 2, -2 and infinity.
const G: [[f64; 3]; 6] = [
    [1.0 / 4.0, 0.0, 0.0],
    [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
    [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
    [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
    [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
    [0.0, 0.0, 1.0],
];

/// Whether the transforms pay, and the channels fill vectors of any level.
pub(crate) fn fits(outputs: usize, inputs: usize) -> bool {
    inputs >= 16 && outputs >= 16 && inputs.is_multiple_of(16) && outputs.is_multiple_of(16)
}

impl Weights {
    /// From `[outputs, inputs, 3, 3]` that [`fits`].
    ///
    /// # Panics
    /// If the length is not that of the shape.
    pub fn new(values: &[f32], outputs: usize, inputs: usize) -> Self {
        let len = values.len();
        assert!(len == 9 * outputs * inputs, "weights [{outputs}, {inputs}, 3, 3] come with {len} values");
        let columns = Level::here().columns(outputs);
        let whole = inputs * columns;
        let len = outputs.next_multiple_of(columns) * inputs;
        let mut each: Vec<Lines<f32>> = (0..PLACES).map(|_| Lines::new(len)).collect();
        // Per panel of outputs, the panel of each place.
        let mut panels: Vec<Vec<&mut [f32]>> = Vec::new();
        panels.resize_with(outputs.div_ceil(columns), || Vec::with_capacity(PLACES));
        for matrix in &mut each {
            panels.iter_mut().zip(matrix.chunks_mut(whole)).for_each(|(of, panel)| of.push(panel));
        }
        panels.par_iter_mut().zip(values.par_chunks(9 * whole)).for_each(|(panels, values)| {
            run(TransformWeights { values, inputs, columns, panels });
        });
        let each = each.into_iter().map(|matrix| Packed::of_panels(matrix, inputs, outputs)).collect();
        Self { each, inputs, outputs }
    }

    pub fn inputs(&self) -> usize {
        self.inputs
    }

    pub fn outputs(&self) -> usize {
        self.outputs
    }

    pub fn bytes(&self) -> usize {
        self.each.iter().map(Packed::bytes).sum()
    }
}

struct TransformWeights<'a, 'p> {
    /// `[.., inputs, 3, 3]`, at most as many outputs as a panel has columns
    values: &'a [f32],
    inputs: usize,
    columns: usize,
    /// `[36][inputs, columns]`
    panels: &'a mut [&'p mut [f32]],
}

impl WithSimd for TransformWeights<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        /// Outputs at a time: of a fixed number the compiler makes vectors. The outputs of any panel are a multiple of it.
        const LANES: usize = 8;
        /// Inputs at a time, which divide those that [`fits`]. The panels lie so far apart that their lines of the cache displace
        /// one another, so each is written in longer runs.
        const RUN: usize = 4;
        let Self { values, inputs, columns, panels } = self;
        let outputs = values.len() / (9 * inputs);
        let mut runs = vec![0.0; PLACES * RUN * columns];
        for from in (0..inputs).step_by(RUN) {
            for i in 0..RUN {
                for first in (0..outputs).step_by(LANES) {
                    let mut taps = [[0.0; LANES]; 9];
                    for o in 0..LANES {
                        let own = &values[((first + o) * inputs + from + i) * 9..][..9];
                        taps.iter_mut().zip(own).for_each(|(taps, value)| taps[o] = f64::from(*value));
                    }
                    let mut half = [[[0.0; LANES]; 3]; 6];
                    for (half, g) in half.iter_mut().zip(&G) {
                        for x in 0..3 {
                            half[x] = mixed(g, [&taps[x], &taps[3 + x], &taps[6 + x]]);
                        }
                    }
                    for (place, run) in runs.chunks_exact_mut(RUN * columns).enumerate() {
                        let [a, b, c] = &half[place / 6];
                        let values = mixed(&G[place % 6], [a, b, c]).map(|value| value as f32);
                        run[i * columns + first..][..LANES].copy_from_slice(&values);
                    }
                }
            }
            for (panel, run) in panels.iter_mut().zip(runs.chunks_exact(RUN * columns)) {
                panel[from * columns..][..run.len()].copy_from_slice(run);
            }
        }
    }
}

/// The sum of three, each times its factor.
#[inline(always)]
fn mixed<const N: usize>(g: &[f64; 3], [a, b, c]: [&[f64; N]; 3]) -> [f64; N] {
    let mut sum = [0.0; N];
    for o in 0..N {
        sum[o] = g[0] * a[o] + g[1] * b[o] + g[2] * c[o];
    }
    sum
}

/// Bytes of the transformed tiles that a task has on both sides together: they stay in the second cache where the
/// channels are few.
const TASK_BYTES: usize = 1 << 20;

/// Tiles of a task where the channels are many: each task reads all weights from memory.
const TILES_HEAVY: usize = 96;

/// Rows and columns of tiles in a task, so that there is enough for all threads. Several rows, because those of the input
/// that two tiles share are read for each of them.
fn task([rows, columns]: [usize; 2], [inputs, outputs]: [usize; 2], threads: usize) -> [usize; 2] {
    let (down, across) = (rows.div_ceil(4), columns.div_ceil(4));
    let heavy = 4 * PLACES * inputs * outputs > TASK_BYTES;
    let (most, least) = match heavy {
        true => (TILES_HEAVY, TILES_HEAVY / 3),
        false => (TASK_BYTES / (4 * PLACES * (inputs + outputs)), 12),
    };
    let mut height = down.min(4);
    let mut width = across.min(most / height);
    while down.div_ceil(height) * across.div_ceil(width) < 4 * threads && height * width >= 2 * least {
        match height > 1 && height * 2 >= width {
            true => height = height.div_ceil(2),
            false => width = width.div_ceil(2),
        }
    }
    [height, across.div_ceil(across.div_ceil(width))]
}

/// What a thread needs for one task, used again for the next.
struct Scratch {
    /// Six lines of the input for each row of tiles, of which two are the next row's, too.
    lines: Lines<f32>,
    /// `[36, tiles, inputs]`
    tiles: Lines<f32>,
    /// `[36, tiles, outputs]`
    products: Lines<f32>,
}

impl Scratch {
    fn new([height, width]: [usize; 2], inputs: usize, outputs: usize) -> Self {
        Self {
            lines: Lines::new((4 * height + 2) * (4 * width + 2) * inputs),
            tiles: Lines::new(PLACES * height * width * inputs),
            products: Lines::new(PLACES * height * width * outputs),
        }
    }
}

/// Bytes that [`conv3x3`] allocates at most.
pub(crate) fn scratch_bytes(
    [rows, columns]: [usize; 2],
    [inputs, outputs]: [usize; 2],
    threads: usize,
) -> usize {
    let [height, width] = task([rows, columns], [inputs, outputs], threads);
    let lines = (4 * height + 2) * (4 * width + 2) * inputs;
    let each = 4 * (lines + PLACES * height * width * (inputs + outputs)) + 16 * height * width + BLOCK_BYTES;
    threads * (each + 3 * MORE_BYTES) + 16 * rows.next_multiple_of(4 * height) * columns.div_ceil(4 * width)
}

/// As [`crate::conv::conv3x3`], which has checked the shapes.
pub(crate) fn conv3x3(
    input: Picture<'_>,
    weights: &Weights,
    bias: &[f32],
    residual: Option<&[f32]>,
    out: &mut [f32],
) {
    let Weights { each, inputs, outputs } = weights;
    let (inputs, outputs) = (*inputs, *outputs);
    each.iter().for_each(Packed::check_level);
    let [rows, columns] = input.size();
    let threads = rayon::current_num_threads();
    let [height, width] = task([rows, columns], [inputs, outputs], threads);
    let across = columns.div_ceil(4 * width);
    let groups = segments(inputs);
    let scratch: Vec<Mutex<Scratch>> =
        (0..threads).map(|_| Mutex::new(Scratch::new([height, width], inputs, outputs))).collect();
    let tasks = cut(out, [rows, columns, outputs], [4 * height, 4 * width]);
    tasks.into_par_iter().enumerate().for_each(|(task, mut out)| {
        let own = &scratch[rayon::current_thread_index().unwrap_or(0)];
        let Scratch { lines, tiles, products } = &mut *own.lock().unwrap_or_else(PoisonError::into_inner);
        let (y0, x0) = (task / across * 4 * height, task % across * 4 * width);
        let width = columns.min(x0 + 4 * width) - x0;
        let (down, side) = (out.len().div_ceil(4), width.div_ceil(4));
        let (count, line) = (down * side, (4 * side + 2) * inputs);
        let lines = &mut lines[..(4 * down + 2) * line];
        input.read(y0, x0, 4 * side + 2, lines);
        run(Forth { lines, line, c: inputs, to: &mut tiles[..PLACES * count * inputs], side });
        let products = &mut products[..PLACES * count * outputs];
        let places = tiles.chunks_exact(count * inputs).zip(products.chunks_exact_mut(count * outputs));
        for ((x, out), weight) in places.zip(each) {
            let mut out: Vec<&mut [f32]> = out.chunks_exact_mut(outputs).collect();
            let (base, groups, start) = (|i| i * inputs, &groups, Start::Zero);
            run(Block { x, base, groups, weight, j0: 0, out: &mut out, start });
        }
        let residual = residual.map(|residual| &residual[(y0 * columns + x0) * outputs..]);
        run(Back { from: products, side, bias, residual, line: columns * outputs, out: &mut out });
    });
}

struct Forth<'a> {
    /// Lines of `4 side + 2` places, four for each row of tiles and two.
    lines: &'a [f32],
    /// Values of a line.
    line: usize,
    c: usize,
    /// Tiles side by side.
    side: usize,
    /// `[36, tiles, c]`
    to: &'a mut [f32],
}

impl WithSimd for Forth<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { lines, line, c, side, to } = self;
        let lines = S::as_simd_f32s(lines).0;
        let to = S::as_mut_simd_f32s(to).0;
        let (line, c) = (line / S::F32_LANES, c / S::F32_LANES);
        let count = to.len() / (PLACES * c);
        for tile in 0..count {
            let first = 4 * (tile / side * line + tile % side * c);
            for v in 0..c {
                // Loops, not closures: one that the compiler does not inline is compiled for no vectors at all.
                let mut half = [[simd.splat_f32s(0.0); 6]; 6];
                for x in 0..6 {
                    let at = first + x * c + v;
                    let column = forth(simd, std::array::from_fn(|y| lines[y * line + at]));
                    for (row, value) in half.iter_mut().zip(column) {
                        row[x] = value;
                    }
                }
                for (y, row) in half.into_iter().enumerate() {
                    for (x, value) in forth(simd, row).into_iter().enumerate() {
                        to[((6 * y + x) * count + tile) * c + v] = value;
                    }
                }
            }
        }
    }
}

struct Back<'a, 'o, 'p> {
    /// `[36, tiles, c]`
    from: &'a [f32],
    /// Tiles side by side.
    side: usize,
    bias: &'a [f32],
    /// From the first place of the output on, and the values of one of its lines.
    residual: Option<&'a [f32]>,
    line: usize,
    /// Lines of the output, at most four for each row of tiles.
    out: &'o mut [&'p mut [f32]],
}

impl WithSimd for Back<'_, '_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { from, side, bias, residual, line, out } = self;
        let from = S::as_simd_f32s(from).0;
        let bias = S::as_simd_f32s(bias).0;
        let residual = residual.map(|r| S::as_simd_f32s(r).0);
        let (c, line) = (bias.len(), line / S::F32_LANES);
        let count = from.len() / (PLACES * c);
        for tile in 0..count {
            let (y0, at) = (4 * (tile / side), 4 * (tile % side) * c);
            for v in 0..c {
                let mut half = [[simd.splat_f32s(0.0); 6]; 4];
                for x in 0..6 {
                    let place = |y: usize| from[((6 * y + x) * count + tile) * c + v];
                    let column = back(simd, std::array::from_fn(place));
                    for (row, value) in half.iter_mut().zip(column) {
                        row[x] = value;
                    }
                }
                for (y, (out, row)) in (y0..).zip(out[y0..].iter_mut().zip(half)) {
                    let out = S::as_mut_simd_f32s(out).0;
                    for (at, value) in (at + v..out.len()).step_by(c).zip(back(simd, row)) {
                        let mut value = simd.add_f32s(value, bias[v]);
                        if let Some(residual) = residual {
                            value = simd.add_f32s(value, residual[y * line + at]);
                        }
                        out[at] = value;
                    }
                }
            }
        }
    }
}

/// Six places to six, along one axis.
#[inline(always)]
fn forth<S: Simd>(simd: S, d: [S::f32s; 6]) -> [S::f32s; 6] {
    let times = |x, factor, more| mul_add(simd, x, simd.splat_f32s(factor), more);
    let a = times(d[2], -4.0, d[4]);
    let b = times(d[1], -4.0, d[3]);
    let c = simd.sub_f32s(d[4], d[2]);
    let e = simd.mul_f32s(simd.sub_f32s(d[3], d[1]), simd.splat_f32s(2.0));
    [
        times(d[0], 4.0, times(d[2], -5.0, d[4])),
        simd.add_f32s(a, b),
        simd.sub_f32s(a, b),
        simd.add_f32s(c, e),
        simd.sub_f32s(c, e),
        times(d[1], 4.0, times(d[3], -5.0, d[5])),
    ]
}

/// Six places to four, along one axis.
#[inline(always)]
fn back<S: Simd>(simd: S, m: [S::f32s; 6]) -> [S::f32s; 4] {
    let times = |x, factor, more| mul_add(simd, x, simd.splat_f32s(factor), more);
    let (a, b) = (simd.add_f32s(m[1], m[2]), simd.sub_f32s(m[1], m[2]));
    let (c, d) = (simd.add_f32s(m[3], m[4]), simd.sub_f32s(m[3], m[4]));
    [
        simd.add_f32s(simd.add_f32s(m[0], a), c),
        times(d, 2.0, b),
        times(c, 4.0, a),
        simd.add_f32s(times(d, 8.0, b), m[5]),
    ]
}
