//! 3x3 convolution with a quarter of the products: F(4x4, 3x3) of Winograd.
//!
//! Tiles of 6x6 places, each 4 beside the last, are transformed; so are the weights, once. Then each of the 36 places is a
//! product of its own, `[tiles, inputs]` by `[inputs, outputs]`, and what comes out is transformed back into 4x4 places.
//! A strip of the picture at a time, so that both sides stay in the last cache.

use crate::gemm::{BLOCK_BYTES, Block, Packed, Start, segments};
use crate::level::{Level, run};
use crate::picture::Picture;
use crate::simd::mul_add;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

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

/// Bytes that a strip's transformed tiles may have on both sides together, if a strip of four lines has not more.
const STRIP_BYTES: usize = 12 << 20;

/// Tiles side by side in a task of the first phase.
const SIDE: usize = 8;

/// Whether the transforms pay, and the channels fill vectors of any level.
pub(crate) fn fits(outputs: usize, inputs: usize) -> bool {
    inputs >= 64 && outputs >= 64 && inputs.is_multiple_of(16) && outputs.is_multiple_of(16)
}

impl Weights {
    /// From `[outputs, inputs, 3, 3]` that [`fits`].
    ///
    /// # Panics
    /// If the length is not that of the shape.
    pub fn new(values: &[f32], outputs: usize, inputs: usize) -> Self {
        let len = values.len();
        assert!(len == 9 * outputs * inputs, "weights [{outputs}, {inputs}, 3, 3] come with {len} values");
        let columns = Level::here().columns();
        let whole = inputs * columns;
        let mut each = vec![vec![0.0_f32; outputs.next_multiple_of(columns) * inputs]; PLACES];
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
        /// Outputs at a time, as the compiler's vectors hold them.
        const LANES: usize = 8;
        let Self { values, inputs, columns, panels } = self;
        for (part, values) in values.chunks(LANES * 9 * inputs).enumerate() {
            let lanes = values.len() / (9 * inputs);
            for i in 0..inputs {
                let mut taps = [[[0.0_f64; LANES]; 3]; 3];
                for o in 0..lanes {
                    let own = &values[(o * inputs + i) * 9..][..9];
                    for (tap, value) in own.iter().enumerate() {
                        taps[tap / 3][tap % 3][o] = f64::from(*value);
                    }
                }
                let mut half = [[[0.0_f64; LANES]; 3]; 6];
                for (half, g) in half.iter_mut().zip(&G) {
                    for x in 0..3 {
                        for o in 0..LANES {
                            half[x][o] = g[0] * taps[0][x][o] + g[1] * taps[1][x][o] + g[2] * taps[2][x][o];
                        }
                    }
                }
                let at = i * columns + part * LANES;
                for (place, panel) in panels.iter_mut().enumerate() {
                    let (half, g) = (&half[place / 6], &G[place % 6]);
                    for (o, to) in panel[at..][..lanes].iter_mut().enumerate() {
                        *to = (g[0] * half[0][o] + g[1] * half[1][o] + g[2] * half[2][o]) as f32;
                    }
                }
            }
        }
    }
}

/// How a picture is cut.
struct Cut {
    /// Rows of tiles.
    down: usize,
    /// Columns of tiles.
    across: usize,
    /// Rows of tiles in a strip.
    strip: usize,
    /// Tiles of a task of the first phase, and such tasks per row of tiles.
    side: usize,
    tasks: usize,
}

impl Cut {
    fn of([rows, columns]: [usize; 2], inputs: usize, outputs: usize) -> Self {
        let (down, across) = (rows.div_ceil(4), columns.div_ceil(4));
        let strip = (STRIP_BYTES / (4 * PLACES * (inputs + outputs) * across)).clamp(1, down);
        let side = across.min(SIDE);
        Self { down, across, strip, side, tasks: across.div_ceil(side) }
    }
}

/// Bytes that [`conv3x3`] allocates at most: a strip's transformed tiles on both sides, and lines of the input per thread.
pub(crate) fn scratch_bytes(size: [usize; 2], inputs: usize, outputs: usize, threads: usize) -> usize {
    let Cut { across, strip, side, tasks, .. } = Cut::of(size, inputs, outputs);
    let strips = PLACES * strip * (tasks * side * inputs + across * outputs);
    let lines = 6 * (4 * side + 2) * inputs;
    4 * (strips + threads * lines) + threads * BLOCK_BYTES
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
    let Cut { down, across, strip, side, tasks } = Cut::of([rows, columns], inputs, outputs);
    // [row of tiles, task, 36, side, inputs]
    let task_len = PLACES * side * inputs;
    let mut tiles = vec![0.0_f32; strip * tasks * task_len];
    // [36, tile, outputs]
    let mut products = vec![0.0_f32; PLACES * strip * across * outputs];
    let groups = segments(inputs);
    for first in (0..down).step_by(strip) {
        let strip = strip.min(down - first);
        let count = strip * across;
        tiles[..strip * tasks * task_len].par_chunks_mut(task_len).enumerate().for_each_init(
            Vec::new,
            |lines, (task, to)| {
                let (y0, t0) = (4 * (first + task / tasks), task % tasks * side);
                let tiles = side.min(across - t0);
                let width = 4 * tiles + 2;
                lines.resize(6 * (4 * side + 2) * inputs, 0.0);
                let lines = &mut lines[..6 * width * inputs];
                input.read(y0, 4 * t0, width, lines);
                run(Forth { lines, line: width * inputs, c: inputs, to, room: side, tiles });
            },
        );
        let tiles = &tiles;
        // The rows of one block stay in the second cache.
        const HEIGHT: usize = 144;
        let products = &mut products[..PLACES * count * outputs];
        let blocks = products.par_chunks_mut(count * outputs).enumerate().flat_map(|(place, out)| {
            out.par_chunks_mut(HEIGHT * outputs).enumerate().map(move |(block, out)| (place, block, out))
        });
        blocks.for_each(|(place, block, out)| {
            let base = |i: usize| {
                let (row, t) = ((block * HEIGHT + i) / across, (block * HEIGHT + i) % across);
                (row * tasks + t / side) * task_len + (place * side + t % side) * inputs
            };
            let mut out: Vec<&mut [f32]> = out.chunks_exact_mut(outputs).collect();
            let weight = &each[place];
            run(Block { x: tiles, base, groups: &groups, weight, j0: 0, out: &mut out, start: Start::Zero });
        });
        let (from, line) = (&*products, columns * outputs);
        let here = 4 * first * line..(4 * (first + strip)).min(rows) * line;
        out[here].par_chunks_mut(4 * line).enumerate().for_each(|(row, out)| {
            let residual = residual.map(|r| &r[4 * (first + row) * line..][..out.len()]);
            run(Back { from, count, first: row * across, bias, residual, columns, out });
        });
    }
}

struct Forth<'a> {
    /// Six lines of `4 tiles + 2` places.
    lines: &'a [f32],
    /// Values of a line.
    line: usize,
    c: usize,
    /// `[36, room, c]`
    to: &'a mut [f32],
    room: usize,
    tiles: usize,
}

impl WithSimd for Forth<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { lines, line, c, to, room, tiles } = self;
        let lines = S::as_simd_f32s(lines).0;
        let to = S::as_mut_simd_f32s(to).0;
        let (line, c) = (line / S::F32_LANES, c / S::F32_LANES);
        for t in 0..tiles {
            for v in 0..c {
                let column = |x: usize| {
                    let at = (4 * t + x) * c + v;
                    forth(simd, std::array::from_fn(|y| lines[y * line + at]))
                };
                let columns: [[S::f32s; 6]; 6] = std::array::from_fn(column);
                for y in 0..6 {
                    let row = forth(simd, std::array::from_fn(|x| columns[x][y]));
                    for (x, value) in row.into_iter().enumerate() {
                        to[((6 * y + x) * room + t) * c + v] = value;
                    }
                }
            }
        }
    }
}

struct Back<'a, 'o> {
    /// `[36, count, c]`
    from: &'a [f32],
    count: usize,
    /// The first tile of this row of tiles.
    first: usize,
    bias: &'a [f32],
    residual: Option<&'a [f32]>,
    columns: usize,
    /// Up to four lines of the output.
    out: &'o mut [f32],
}

impl WithSimd for Back<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { from, count, first, bias, residual, columns, out } = self;
        let from = S::as_simd_f32s(from).0;
        let bias = S::as_simd_f32s(bias).0;
        let residual = residual.map(|r| S::as_simd_f32s(r).0);
        let out = S::as_mut_simd_f32s(out).0;
        let c = bias.len();
        for t in 0..columns.div_ceil(4) {
            for v in 0..c {
                let column = |x: usize| {
                    let place = |y: usize| from[((6 * y + x) * count + first + t) * c + v];
                    back(simd, std::array::from_fn(place))
                };
                let across: [[S::f32s; 4]; 6] = std::array::from_fn(column);
                for (y, line) in out.chunks_exact_mut(columns * c).enumerate() {
                    let row = back(simd, std::array::from_fn(|x| across[x][y]));
                    for (x, value) in row.into_iter().enumerate().take(columns - 4 * t) {
                        let at = (4 * t + x) * c + v;
                        let mut value = simd.add_f32s(value, bias[v]);
                        if let Some(residual) = residual {
                            value = simd.add_f32s(value, residual[y * columns * c + at]);
                        }
                        line[at] = value;
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
