use super::{Near, ROUND, assert_near, assert_same, each_level, plain, random};
use crate::attention::{Form, Heads, Turn, attention};
use crate::level::Level;

/// Heads, values of each, queries and keys.
const SHAPES: [[usize; 4]; 10] = [
    [1, 1, 1, 1],
    [1, 8, 1, 1],
    [2, 6, 3, 5],
    [1, 7, 3, 19],
    [3, 64, 97, 97],
    [2, 10, 5, 257],
    [1, 48, 201, 300],
    [2, 128, 193, 511],
    [5, 34, 2, 1025],
    [1, 512, 49, 50],
];

/// Queries, keys and values as one matrix holds them, side by side and with something before and behind.
struct Case {
    shape: [usize; 4],
    /// Heads of keys and values.
    key_heads: usize,
    causal: bool,
    data: [Vec<f32>; 3],
    stride: usize,
    /// Factors of both norms, cosines and sines.
    turns: Option<[Vec<f32>; 4]>,
}

impl Case {
    fn new(seed: u64, shape: [usize; 4], size: f32, turned: bool) -> Self {
        let [heads, e, s_q, s_k] = shape;
        let stride = 3 * heads * e + 5;
        let data = [(0, s_q), (1, s_k), (2, s_k)].map(|(of, s)| {
            let factor = if of == 2 { 1.0 } else { size };
            random(3 * seed + of, s * stride).iter().map(|v| factor * v).collect()
        });
        let angles = random(seed + 300, s_q.max(s_k) * e / 2);
        let turns = turned.then(|| {
            let [sin, cos] =
                [f32::sin, f32::cos].map(|f| angles.iter().map(|angle| f(3.0 * angle)).collect());
            [random(seed + 100, e), random(seed + 200, e), cos, sin]
        });
        Self { shape, key_heads: heads, causal: false, data, stride, turns }
    }

    fn heads(&self, of: usize) -> Heads<'_> {
        let [heads, e, ..] = self.shape;
        Heads { data: &self.data[of], stride: self.stride, offset: 2 + of * heads * e }
    }

    fn run(&self) -> Vec<f32> {
        let [heads, e, s_q, s_k] = self.shape;
        let form = Form { heads, key_heads: self.key_heads, e, causal: self.causal };
        let turns = self.turns.as_ref().map(|[q, k, cos, sin]| {
            [(q, s_q), (k, s_k)].map(|(weight, s)| Turn {
                weight,
                eps: 1e-5,
                cos: &cos[..s * e / 2],
                sin: &sin[..s * e / 2],
            })
        });
        let mut out = vec![f32::NAN; s_q * heads * e];
        attention(form, self.heads(0), self.heads(1), self.heads(2), turns, &mut out);
        out
    }

    /// Row `s` of head `h`, normed and turned.
    fn row(&self, of: usize, h: usize, s: usize) -> Vec<f64> {
        let Heads { data, stride, offset } = self.heads(of);
        let e = self.shape[1];
        let mut row: Vec<f64> =
            data[s * stride + offset + h * e..][..e].iter().map(|v| f64::from(*v)).collect();
        if let (Some(turns), 0 | 1) = (&self.turns, of) {
            let mean = row.iter().map(|v| v * v).sum::<f64>() / e as f64;
            let factor = 1.0 / (mean + f64::from(1e-5_f32)).sqrt();
            row.iter_mut().zip(&turns[of]).for_each(|(v, w)| *v *= factor * f64::from(*w));
            for (pair, at) in row.chunks_mut(2).zip(s * e / 2..) {
                let (cos, sin) = (f64::from(turns[2][at]), f64::from(turns[3][at]));
                let [a, b] = [pair[0], pair[1]];
                (pair[0], pair[1]) = (a * cos - b * sin, a * sin + b * cos);
            }
        }
        row
    }

    fn plain(&self) -> Vec<Near> {
        let [heads, e, s_q, s_k] = self.shape;
        let norm = |row: &[f64]| row.iter().map(|v| v * v).sum::<f64>().sqrt();
        let scale = 1.0 / (e as f64).sqrt();
        let mut out = vec![Near::default(); s_q * heads * e];
        for h in 0..heads {
            let shared = h / (heads / self.key_heads);
            let [keys, values] =
                [1, 2].map(|of| (0..s_k).map(|s| self.row(of, shared, s)).collect::<Vec<_>>());
            let longest = keys.iter().map(|key| norm(key)).fold(0.0, f64::max);
            for s in 0..s_q {
                let query = self.row(0, h, s);
                let seen = if self.causal { s + 1 } else { s_k };
                let (keys, values) = (&keys[..seen], &values[..seen]);
                let score = |key: &Vec<f64>| query.iter().zip(key).map(|(q, k)| q * k).sum::<f64>() * scale;
                let scores: Vec<f64> = keys.iter().map(score).collect();
                let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let weights: Vec<f64> = scores.iter().map(|score| (score - most).exp()).collect();
                let total: f64 = weights.iter().sum();
                // Norm, turn, product and scale of a score; its exponential is off by the same, relatively. That of
                // the largest score is off too, hence twice. Then the sums over all keys.
                let score_off = (2 * e + 32) as f64 * ROUND * norm(&query) * longest * scale;
                let off = (2.0 * score_off).exp_m1() + (s_k + 16) as f64 * ROUND + 1e-6;
                for i in 0..e {
                    let sum: f64 = weights.iter().zip(values).map(|(w, value)| w * value[i]).sum();
                    let size = weights.iter().zip(values).map(|(w, value)| w * value[i].abs()).sum::<f64>();
                    out[(s * heads + h) * e + i] = plain::near(sum / total, 2.0 * off * size / total + 1e-30);
                }
            }
        }
        out
    }
}

#[test]
fn attention_is_the_plain_one() {
    each_level(|| {
        for (seed, shape) in (1..).zip(SHAPES) {
            let case = Case::new(seed, shape, 1.0, false);
            assert_near(&format!("{shape:?}"), &case.run(), &case.plain());
        }
    });
}

/// As a language model reads: a token sees itself and those before it, and several heads share their keys.
#[test]
fn attention_to_what_came_before_is_the_plain_one() {
    each_level(|| {
        let shapes = [[1, 1, 1, 1], [2, 8, 5, 5], [4, 32, 97, 97], [6, 64, 300, 300], [1, 16, 1025, 1025]];
        for (seed, shape) in (1..).zip(shapes) {
            for key_heads in (1..=shape[0]).filter(|count| shape[0] % count == 0) {
                let case = Case { key_heads, causal: true, ..Case::new(seed, shape, 1.0, shape[1] > 8) };
                assert_near(&format!("{shape:?}, {key_heads}"), &case.run(), &case.plain());
            }
        }
    });
}

#[test]
fn attention_that_turns_is_the_plain_one() {
    each_level(|| {
        for (seed, shape) in (1..).zip(SHAPES.into_iter().filter(|shape| shape[1] % 2 == 0)) {
            let case = Case::new(seed, shape, 1.0, true);
            assert_near(&format!("{shape:?}, turned"), &case.run(), &case.plain());
        }
    });
}

/// Scores in the hundreds, where one key has nearly everything: nothing overflows, and the maximum moves from block to block.
#[test]
fn large_scores_are_no_trouble() {
    each_level(|| {
        for (seed, shape) in (1..).zip([[2, 16, 7, 700], [1, 64, 50, 600]]) {
            let case = Case::new(seed, shape, 16.0, false);
            assert_near(&format!("{shape:?}, large"), &case.run(), &case.plain());
        }
        // Rising and falling, block after block.
        for sign in [1.0, -1.0] {
            let mut case = Case::new(9, [1, 4, 3, 900], 1.0, false);
            let (stride, offset) = (case.stride, case.heads(1).offset);
            case.data[1]
                .chunks_mut(stride)
                .enumerate()
                .for_each(|(s, row)| row[offset] = sign * s as f32 * 0.3);
            case.data[0].chunks_mut(stride).for_each(|row| row[2] = 1.0);
            assert_near("a slope", &case.run(), &case.plain());
        }
    });
}

#[test]
fn a_single_key_has_everything() {
    each_level(|| {
        let case = Case::new(5, [3, 10, 29, 1], 50.0, false);
        let offset = case.heads(2).offset;
        assert_same("one key", &case.run(), &case.data[2][offset..][..30].repeat(29));
    });
}

#[test]
fn what_is_no_number_stays_so_and_where_it_is() {
    each_level(|| {
        // Arrays have the language's maximum, which prefers numbers.
        if Level::here() == Level::Wide {
            return;
        }
        let mut case = Case::new(6, [2, 8, 60, 300], 1.0, false);
        case.data[0][7 * case.stride + 3] = f32::NAN;
        for (row, out) in case.run().chunks(8).enumerate() {
            assert!(out.iter().all(|v| v.is_nan() == (row == 2 * 7)), "row {row}: {out:?}");
        }
    });
}

#[test]
fn no_queries_are_no_work() {
    each_level(|| assert!(Case::new(7, [2, 4, 0, 3], 1.0, false).run().is_empty()));
}
