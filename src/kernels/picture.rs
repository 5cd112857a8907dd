//! Pictures whose channels lie together, and how a convolution reads them.

use crate::level::run;
use crate::simd::{mul_add, silu};
use pulp::{Simd, WithSimd};

/// The input of a convolution.
#[derive(Clone, Copy)]
pub struct Picture<'a> {
    /// `[y, x, c]`
    pub values: &'a [f32],
    /// Rows, columns and channels.
    pub shape: [usize; 3],
    /// What happens to the values while they are read.
    pub before: Before<'a>,
}

/// What happens to a picture on its way into a convolution, instead of before it in a pass of its own.
#[derive(Clone, Copy)]
pub enum Before<'a> {
    /// Nothing.
    Nothing,
    /// `silu(value * scale + shift)`: a group norm with what [`crate::norm::group_norm`] found, and SiLU.
    NormSilu {
        /// `[c]`
        scale: &'a [f32],
        /// `[c]`
        shift: &'a [f32],
    },
    /// Every place becomes a square of four.
    Double,
}

impl Picture<'_> {
    /// Rows and columns as the convolution sees them.
    pub(crate) fn size(&self) -> [usize; 2] {
        let [height, width, _] = self.shape;
        match self.before {
            Before::Double => [2 * height, 2 * width],
            _ => [height, width],
        }
    }

    /// # Panics
    /// If a length is not that of its shape, or the shape has a 0.
    pub(crate) fn check(&self) {
        let [height, width, c] = self.shape;
        assert!(self.values.len() == height * width * c && c > 0, "{:?}: {}", self.shape, self.values.len());
        if let Before::NormSilu { scale, shift } = self.before {
            assert!(scale.len() == c && shift.len() == c, "norm of {} for {c} channels", scale.len());
        }
    }

    /// Fills `to`, lines of `width` places, with what the convolution sees from one row above and one column left of
    /// `(y0, x0)` on: zeros outside the picture.
    pub(crate) fn read(&self, y0: usize, x0: usize, width: usize, to: &mut [f32]) {
        let [rows, columns] = self.size();
        let [_, own, c] = self.shape;
        // Columns of the picture, counted from 1: the margin is 0.
        let (from, end) = (x0.max(1), (x0 + width).min(columns + 1));
        for (line, to) in to.chunks_exact_mut(width * c).enumerate() {
            let y = y0 + line;
            if y == 0 || y > rows {
                to.fill(0.0);
                continue;
            }
            let (left, rest) = to.split_at_mut((from - x0) * c);
            let (to, right) = rest.split_at_mut((end - from) * c);
            left.fill(0.0);
            right.fill(0.0);
            let row = |y: usize| &self.values[y * own * c..][..own * c];
            match self.before {
                Before::Nothing => to.copy_from_slice(&row(y - 1)[(from - 1) * c..][..to.len()]),
                Before::NormSilu { scale, shift } => {
                    run(NormSilu { from: &row(y - 1)[(from - 1) * c..][..to.len()], scale, shift, to });
                }
                Before::Double => {
                    let row = row((y - 1) / 2);
                    for (x, to) in (from - 1..).zip(to.chunks_exact_mut(c)) {
                        to.copy_from_slice(&row[x / 2 * c..][..c]);
                    }
                }
            }
        }
    }
}

/// What lies of each row in each tile of a picture `[rows, columns, c]`: the tiles row by row, the last ones of a row and
/// of a column perhaps smaller.
pub(crate) fn cut(
    picture: &mut [f32],
    [rows, columns, c]: [usize; 3],
    [height, width]: [usize; 2],
) -> Vec<Vec<&mut [f32]>> {
    let across = columns.div_ceil(width);
    let mut tiles: Vec<Vec<&mut [f32]>> = Vec::new();
    tiles.resize_with(rows.div_ceil(height) * across, || Vec::with_capacity(height));
    for (y, row) in picture.chunks_mut(columns * c).enumerate() {
        for (t, piece) in row.chunks_mut(width * c).enumerate() {
            tiles[y / height * across + t].push(piece);
        }
    }
    tiles
}

struct NormSilu<'a> {
    from: &'a [f32],
    scale: &'a [f32],
    shift: &'a [f32],
    to: &'a mut [f32],
}

impl WithSimd for NormSilu<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let c = self.scale.len();
        let (scale, scale_rest) = S::as_simd_f32s(self.scale);
        let (shift, shift_rest) = S::as_simd_f32s(self.shift);
        for (from, to) in self.from.chunks_exact(c).zip(self.to.chunks_exact_mut(c)) {
            let (from, from_rest) = S::as_simd_f32s(from);
            let (to, to_rest) = S::as_mut_simd_f32s(to);
            for (((x, to), a), b) in from.iter().zip(to).zip(scale).zip(shift) {
                *to = norm_silu(simd, *x, *a, *b);
            }
            if !to_rest.is_empty() {
                let (x, a) = (simd.partial_load_f32s(from_rest), simd.partial_load_f32s(scale_rest));
                let b = simd.partial_load_f32s(shift_rest);
                simd.partial_store_f32s(to_rest, norm_silu(simd, x, a, b));
            }
        }
    }
}

/// Not a closure: one that the compiler does not inline is compiled for no vectors at all.
#[inline(always)]
fn norm_silu<S: Simd>(simd: S, x: S::f32s, scale: S::f32s, shift: S::f32s) -> S::f32s {
    silu(simd, mul_add(simd, x, scale, shift))
}
