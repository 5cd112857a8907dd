//! The plain forms, in f64, as they are written in a book.

use super::{Near, ROUND};
use crate::picture::{Before, Picture};

pub fn near(value: f64, off: f64) -> Near {
    Near { value, off }
}

pub fn exact(values: &[f32]) -> Vec<Near> {
    values.iter().map(|value| near(f64::from(*value), 0.0)).collect()
}

/// `start + a b`
pub fn dot(start: f64, pairs: impl Iterator<Item = (Near, f64)>) -> Near {
    let (mut sum, mut magnitude, mut off, mut count) = (start, start.abs(), 0.0, 0.0);
    for (a, b) in pairs {
        sum += a.value * b;
        magnitude += ((a.value.abs() + a.off) * b).abs();
        off += a.off * b.abs();
        count += 1.0;
    }
    near(sum, off + (count + 1.0) * ROUND * magnitude)
}

/// `x / (1 + e^-x)`. Its slope is at most 1.1.
pub fn silu(x: Near) -> Near {
    let value = x.value / (1.0 + (-x.value).exp());
    near(value, 1.1 * x.off + 1e-6 * value.abs() + 1e-37)
}

pub fn times(a: Near, b: Near) -> Near {
    let value = a.value * b.value;
    near(value, a.off * b.value.abs() + b.off * a.value.abs() + a.off * b.off + ROUND * value.abs())
}

pub fn plus(a: Near, b: Near) -> Near {
    let off = a.off + b.off;
    near(a.value + b.value, off + ROUND * ((a.value + b.value).abs() + off))
}

/// `x` `[m, inputs]` by `weight` `[outputs, inputs]`, and a start `[m, outputs]`.
pub fn matmul(x: &[f32], weight: &[f32], inputs: usize, start: impl Fn(usize, usize) -> f32) -> Vec<Near> {
    let row = |(i, x): (usize, &[f32])| -> Vec<Near> {
        let x = exact(x);
        let column = |(j, w): (usize, &[f32])| {
            dot(f64::from(start(i, j)), x.iter().copied().zip(w.iter().map(|w| f64::from(*w))))
        };
        weight.chunks(inputs).enumerate().map(column).collect()
    };
    x.chunks(inputs).enumerate().flat_map(row).collect()
}

/// What the convolution sees, `[y, x, c]`.
pub fn before(input: Picture<'_>) -> Vec<Near> {
    let [height, width, c] = input.shape;
    let at = |y: usize, x: usize, i: usize| f64::from(input.values[(y * width + x) * c + i]);
    match input.before {
        Before::Nothing => exact(input.values),
        Before::NormSilu { scale, shift } => (0..height * width * c)
            .map(|v| {
                let (a, b) = (f64::from(scale[v % c]), f64::from(shift[v % c]));
                let product = at(0, 0, v) * a;
                silu(near(product + b, 2.0 * ROUND * (product.abs() + b.abs())))
            })
            .collect(),
        Before::Double => (0..4 * height * width * c)
            .map(|v| near(at(v / c / (2 * width) / 2, v / c % (2 * width) / 2, v % c), 0.0))
            .collect(),
    }
}

/// `weight` `[outputs, inputs, 3, 3]`
pub fn conv3x3(input: Picture<'_>, weight: &[f32], bias: &[f32], residual: Option<&[f32]>) -> Vec<Near> {
    let [rows, columns] = input.size();
    let (c, outputs) = (input.shape[2], bias.len());
    let seen = before(input);
    let value = |v: usize| {
        let (y, x, o) = (v / outputs / columns, v / outputs % columns, v % outputs);
        let taps = (0..9).filter_map(|tap| {
            let (y, x) = ((y + tap / 3).checked_sub(1)?, (x + tap % 3).checked_sub(1)?);
            (y < rows && x < columns).then_some((tap, (y * columns + x) * c))
        });
        let pairs = taps
            .flat_map(|(tap, at)| (0..c).map(move |i| (tap, at + i, i)))
            .map(|(tap, at, i)| (seen[at], f64::from(weight[(o * c + i) * 9 + tap])));
        let sum = dot(f64::from(bias[o]), pairs);
        match residual {
            Some(residual) => plus(sum, near(f64::from(residual[v]), 0.0)),
            None => sum,
        }
    };
    (0..rows * columns * outputs).map(value).collect()
}
