//! 3x3 convolution as a product: with the channels together, what one place of the output needs from a line of the input
//! is one run of three places, so the input is multiplied where it lies and never laid out anew.

use crate::gemm::{BLOCK_BYTES, Block, DEPTH, Packed, Segment, Start};
use crate::level::{Level, run};
use crate::lines::Lines;
use crate::picture::{Picture, cut};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// `[outputs, inputs, 3, 3]` as a matrix of `[(ky, kx, inputs), outputs]`.
///
/// # Panics
/// If the length is not that of the shape, or the shape has a 0.
pub(crate) fn pack(values: &[f32], outputs: usize, inputs: usize) -> Packed {
    assert!(outputs > 0 && inputs > 0, "weights [{outputs}, {inputs}, 3, 3] have no values");
    let len = values.len();
    assert!(len == 9 * outputs * inputs, "weights [{outputs}, {inputs}, 3, 3] come with {len} values");
    let columns = Level::here().columns(outputs);
    let mut panels = Lines::<f32>::new(outputs.next_multiple_of(columns) * 9 * inputs);
    let whole = 9 * inputs * columns;
    panels.par_chunks_mut(whole).zip(values.par_chunks(whole)).for_each(|(panel, values)| {
        for (o, of_output) in values.chunks_exact(9 * inputs).enumerate() {
            for (i, taps) in of_output.as_chunks::<9>().0.iter().enumerate() {
                for (tap, value) in taps.iter().enumerate() {
                    panel[(tap * inputs + i) * columns + o] = *value;
                }
            }
        }
    });
    Packed::of_panels(panels, 9 * inputs, outputs)
}

/// As [`crate::conv::conv3x3`], which has checked the shapes.
pub(crate) fn conv3x3(
    input: Picture<'_>,
    weight: &Packed,
    bias: &[f32],
    residual: Option<&[f32]>,
    out: &mut [f32],
) {
    weight.check_level();
    let (inputs, outputs) = (input.shape[2], weight.outputs());
    let [rows, columns] = input.size();
    let [height, width] = tile([rows, columns], [inputs, outputs], rayon::current_num_threads());
    let across = columns.div_ceil(width);
    let tiles = cut(out, [rows, columns, outputs], [height, width]);
    tiles.into_par_iter().enumerate().for_each_init(Vec::new, |lines, (t, mut pieces)| {
        let (y0, x0) = (t / across * height, t % across * width);
        let width = width.min(columns - x0);
        let line = (width + 2) * inputs;
        lines.resize((height + 2) * line, 0.0);
        let lines = &mut lines[..(pieces.len() + 2) * line];
        input.read(y0, x0, width + 2, lines);
        let groups = groups(inputs, line);
        let base = |i: usize| i / width * line + i % width * inputs;
        let mut places: Vec<&mut [f32]> =
            pieces.iter_mut().flat_map(|piece| piece.chunks_exact_mut(outputs)).collect();
        let start = Start::Bias(bias);
        run(Block { x: lines, base, groups: &groups, weight, j0: 0, out: &mut places, start });
        for (y, piece) in pieces.iter_mut().enumerate() {
            if let Some(residual) = residual {
                let from = ((y0 + y) * columns + x0) * outputs;
                run(Add { to: piece, more: &residual[from..][..width * outputs] });
            }
        }
    });
}

/// Bytes that [`conv3x3`] allocates at most: lines of the input and a list of places per thread, and a list of pieces.
pub(crate) fn scratch_bytes(
    [rows, columns]: [usize; 2],
    [inputs, outputs]: [usize; 2],
    threads: usize,
) -> usize {
    let [height, width] = tile([rows, columns], [inputs, outputs], threads);
    let task = 4 * inputs * (height + 2) * (width + 2) + 16 * height * width + BLOCK_BYTES;
    threads * task + 16 * rows.next_multiple_of(height) * columns.div_ceil(width)
}

/// Rows and columns of a task. What it reads, in all channels, stays in the second cache, and there is enough for all
/// threads.
fn tile([rows, columns]: [usize; 2], [inputs, outputs]: [usize; 2], threads: usize) -> [usize; 2] {
    let [mut height, mut width] = match inputs >= 256 {
        true => [rows.min(12), columns.min(24)],
        false => [rows.min(16), columns.min(48)],
    };
    let tiles = |height, width| rows.div_ceil(height) * columns.div_ceil(width);
    while tiles(height, width) < 4 * threads && height * width > 2 * Level::here().rows(outputs) {
        match height > 1 && height * 2 >= width {
            true => height = height.div_ceil(2),
            false => width = width.div_ceil(2),
        }
    }
    [height, width]
}

/// Three lines of three places each, cut where a panel would leave the first cache.
fn groups(inputs: usize, line: usize) -> Vec<Vec<Segment>> {
    // A shorter rest begins the next group.
    const LEAST: usize = 16;
    let mut groups: Vec<Vec<Segment>> = Vec::new();
    let mut room = 0;
    for ky in 0..3 {
        let (mut from, end) = (0, 3 * inputs);
        while from < end {
            if room < LEAST {
                groups.push(Vec::new());
                room = DEPTH;
            }
            let len = room.min(end - from);
            let segment = Segment { k0: ky * end + from, source: ky * line + from, len };
            groups.last_mut().into_iter().for_each(|group| group.push(segment));
            from += len;
            room -= len;
        }
    }
    groups
}

struct Add<'a> {
    to: &'a mut [f32],
    more: &'a [f32],
}

impl WithSimd for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        self.to.iter_mut().zip(self.more).for_each(|(to, more)| *to += more);
    }
}
