//! Matrices in the order in which a product reads them.

use crate::level::Level;
use crate::lines::Lines;
use rayon::prelude::*;

/// Weights of a linear layer, packed once for all products.
///
/// The columns of a product come in panels as wide as two vectors, or as one if that holds all of them,
/// `[panel][inputs][columns]`, the last one filled up with zeros; so the innermost loop reads one stream from front to
/// back.
pub struct Packed {
    inputs: usize,
    outputs: usize,
    /// Its panels' width.
    level: Level,
    panels: Panels,
}

pub(crate) enum Panels {
    F32(Lines<f32>),
    /// The upper halves of f32 values.
    Bf16(Lines<u16>),
    /// `[outputs, inputs]` in bf16, little-endian, as somebody else holds it.
    Rows(Box<dyn AsRef<[u8]> + Send + Sync>),
}

impl Packed {
    /// From `[outputs, inputs]`, as checkpoints have it. Keeps 4 bytes per weight.
    ///
    /// # Panics
    /// If the length is not that of the shape, or the shape has a 0.
    pub fn new(values: &[f32], outputs: usize, inputs: usize) -> Self {
        check(values.len(), outputs, inputs);
        let level = Level::here();
        let panels = transposed(values, inputs, level.columns(outputs), |value| value);
        Self { inputs, outputs, level, panels: Panels::F32(panels) }
    }

    /// From `[outputs, inputs]` in bf16, little-endian, as checkpoints have it. Keeps 2 bytes per weight; they are
    /// widened while they are used, which is exact.
    ///
    /// # Panics
    /// If the length is not twice that of the shape, or the shape has a 0.
    pub fn bf16(values: &[u8], outputs: usize, inputs: usize) -> Self {
        let (pairs, odd) = values.as_chunks::<2>();
        check(2 * pairs.len() + odd.len(), outputs, 2 * inputs);
        let level = Level::here();
        let panels = transposed(pairs, inputs, level.columns(outputs), u16::from_le_bytes);
        Self { inputs, outputs, level, panels: Panels::Bf16(panels) }
    }

    /// As [`Packed::bf16`], but the values stay where they are, as in a mapped file, and are put in order each time
    /// that they are used. Keeps nothing, and is up to a fifth slower.
    ///
    /// # Panics
    /// If the length is not twice that of the shape, or the shape has a 0.
    pub fn mapped(rows: Box<dyn AsRef<[u8]> + Send + Sync>, outputs: usize, inputs: usize) -> Self {
        check(rows.as_ref().as_ref().len(), outputs, 2 * inputs);
        Self { inputs, outputs, level: Level::here(), panels: Panels::Rows(rows) }
    }

    /// From panels for this thread's level.
    pub(crate) fn of_panels(panels: Lines<f32>, inputs: usize, outputs: usize) -> Self {
        let level = Level::here();
        debug_assert_eq!(panels.len(), outputs.next_multiple_of(level.columns(outputs)) * inputs);
        Self { inputs, outputs, level, panels: Panels::F32(panels) }
    }

    /// Values of an input row.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Values of an output row.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Columns of a panel.
    pub(crate) fn columns(&self) -> usize {
        self.level.columns(self.outputs)
    }

    /// Bytes of memory that it keeps.
    pub fn bytes(&self) -> usize {
        match &self.panels {
            Panels::F32(panels) => size_of_val(&panels[..]),
            Panels::Bf16(panels) => size_of_val(&panels[..]),
            Panels::Rows(_) => 0,
        }
    }

    /// # Panics
    /// If it was packed for another level than this thread's.
    pub(crate) fn check_level(&self) {
        let here = Level::here();
        assert!(self.level == here, "weights packed for {:?} are used at {here:?}", self.level);
    }

    /// Panel `panel`, from input `from` on, `[depth, columns]`: as it is, or widened into `wide`.
    #[inline(always)]
    pub(crate) fn panel<'a>(
        &'a self,
        panel: usize,
        from: usize,
        depth: usize,
        wide: &'a mut Lines<f32>,
    ) -> &'a [f32] {
        let columns = self.columns();
        let start = (panel * self.inputs + from) * columns;
        match &self.panels {
            Panels::F32(panels) => &panels[start..][..depth * columns],
            Panels::Bf16(panels) => {
                let wide = wide.first(depth * columns);
                let bits = &panels[start..][..depth * columns];
                wide.iter_mut().zip(bits).for_each(|(to, bits)| *to = widen(*bits));
                wide
            }
            Panels::Rows(rows) => {
                let (bytes, first) = (rows.as_ref().as_ref(), panel * columns);
                // Columns that a last panel lacks repeat the last one; what comes of them goes nowhere.
                let row = |j: usize| {
                    let row = (first + j).min(self.outputs - 1);
                    bytes[2 * (row * self.inputs + from)..][..2 * depth].as_chunks::<2>().0
                };
                let wide = wide.first(depth * columns);
                match columns {
                    4 => widen_rows::<4>(std::array::from_fn(row), wide),
                    8 => widen_rows::<8>(std::array::from_fn(row), wide),
                    16 => widen_rows::<16>(std::array::from_fn(row), wide),
                    _ => widen_rows::<32>(std::array::from_fn(row), wide),
                }
                wide
            }
        }
    }
}

/// Rows of bf16 to columns of f32, `[depth, C]`.
#[inline(always)]
fn widen_rows<const C: usize>(rows: [&[[u8; 2]]; C], to: &mut [f32]) {
    /// Values of a row at a time: of a fixed number the compiler makes vectors.
    const TILE: usize = 16;
    let mut tiles = to.chunks_exact_mut(TILE * C);
    for (t, to) in tiles.by_ref().enumerate() {
        let runs = rows.map(|row| &row.as_chunks::<TILE>().0[t]);
        for p in 0..TILE / 2 {
            // Two values at once, as one word.
            let [a, b] = [2 * p, 2 * p + 1];
            let words: [u32; C] =
                runs.map(|run| u32::from_le_bytes([run[a][0], run[a][1], run[b][0], run[b][1]]));
            for (to, word) in to[a * C..][..C].iter_mut().zip(words) {
                *to = f32::from_bits(word << 16);
            }
            for (to, word) in to[b * C..][..C].iter_mut().zip(words) {
                *to = f32::from_bits(word & 0xffff_0000);
            }
        }
    }
    let rest = tiles.into_remainder();
    let done = rows[0].len() - rest.len() / C;
    for (p, to) in rest.chunks_exact_mut(C).enumerate() {
        for (to, row) in to.iter_mut().zip(rows) {
            *to = widen(u16::from_le_bytes(row[done + p]));
        }
    }
}

/// The f32 value of a bf16 one, exactly.
fn widen(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

fn check(len: usize, outputs: usize, inputs: usize) {
    assert!(outputs > 0 && inputs > 0, "weights [{outputs}, {inputs}] have no values");
    assert!(len == outputs * inputs, "weights [{outputs}, {inputs}] come with {len} values");
}

/// Rows of `inputs` values to panels of `columns` rows.
fn transposed<A: Copy + Sync, T: Copy + Default + Send>(
    rows: &[A],
    inputs: usize,
    columns: usize,
    turn: impl Fn(A) -> T + Sync,
) -> Lines<T> {
    // So many values of a row at a time are a whole line of the cache, and what they become stays in the first cache.
    const TILE: usize = 16;
    let outputs = rows.len() / inputs;
    let mut panels = Lines::new(outputs.next_multiple_of(columns) * inputs);
    let whole = inputs * columns;
    panels.par_chunks_mut(whole).zip(rows.par_chunks(whole)).for_each(|(panel, rows)| {
        let count = rows.len() / inputs;
        for (tile, to) in panel.chunks_mut(TILE * columns).enumerate() {
            let row = |j: usize| rows[j * inputs + tile * TILE..(j + 1) * inputs].iter();
            // Four rows at a time: what they become lies together.
            for j in (0..count - count % 4).step_by(4) {
                let fours = row(j).zip(row(j + 1)).zip(row(j + 2)).zip(row(j + 3));
                for (to, (((a, b), c), d)) in to.chunks_exact_mut(columns).zip(fours) {
                    to[j..][..4].copy_from_slice(&[turn(*a), turn(*b), turn(*c), turn(*d)]);
                }
            }
            for j in count - count % 4..count {
                to.chunks_exact_mut(columns).zip(row(j)).for_each(|(to, value)| to[j] = turn(*value));
            }
        }
    });
    panels
}
