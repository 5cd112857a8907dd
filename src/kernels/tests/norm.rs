use super::{Near, ROUND, assert_near, each_level, plain, random};
use crate::norm::{group_norm, layer, rms, rms_add, scale_shift};

/// Rows and values of each.
const ROWS: [[usize; 2]; 8] = [[0, 5], [1, 1], [3, 7], [2, 8], [5, 33], [97, 192], [311, 131], [3, 20_011]];

/// `x / sqrt(mean(x^2) + eps) * factor`
fn plain_rms(x: &[f32], factor: &[f32], eps: f32) -> Vec<Near> {
    let d = factor.len();
    let row = |x: &[f32]| -> Vec<Near> {
        let mean = x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / d as f64;
        let scale = 1.0 / (mean + f64::from(eps)).sqrt();
        // All terms of the sum are positive, so it is off by as much as each, and its root by half of that.
        let value = |(x, factor): (&f32, &f32)| {
            let value = f64::from(*x) * scale * f64::from(*factor);
            plain::near(value, (d as f64 / 2.0 + 6.0) * ROUND * value.abs())
        };
        x.iter().zip(factor).map(value).collect()
    };
    x.chunks(d).flat_map(row).collect()
}

#[test]
fn the_norms_of_rows_are_the_plain_ones() {
    each_level(|| {
        for (seed, [rows, d]) in (1..).zip(ROWS) {
            let what = format!("{rows} rows of {d}");
            let (y, factor) = (random(seed, rows * d), random(seed + 100, d));
            let expected = plain_rms(&y, &factor, 1e-5);
            let mut out = vec![f32::NAN; rows * d];
            rms(&y, &factor, 1e-5, &mut out);
            assert_near(&what, &out, &expected);
            let x = random(seed + 200, rows * d);
            out.copy_from_slice(&x);
            rms_add(&mut out, &y, &factor, 1e-5);
            let sum = |(x, y): (&f32, &Near)| plain::plus(plain::near(f64::from(*x), 0.0), *y);
            assert_near(&what, &out, &x.iter().zip(&expected).map(sum).collect::<Vec<_>>());
        }
    });
}

#[test]
fn a_layer_norm_is_the_plain_one() {
    let row = |x: &[f32], factor: &[f32]| -> Vec<Near> {
        let d = x.len() as f64;
        let mean = x.iter().map(|x| f64::from(*x)).sum::<f64>() / d;
        let far = x.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / d;
        let scale = 1.0 / (far + f64::from(1e-6_f32)).sqrt();
        // The mean is off by as much as each term of its sum; so is each distance from it, and with it the scale.
        let off = (d + 2.0) * ROUND * x.iter().fold(0.0, |most, x| f64::from(x.abs()).max(most)) * scale;
        let value = |(x, factor): (&f32, &f32)| {
            let value = (f64::from(*x) - mean) * scale * f64::from(*factor);
            let rest = (d / 2.0 + 8.0) * ROUND + 2.0 * off;
            plain::near(value, off * f64::from(factor.abs()) + rest * value.abs())
        };
        x.iter().zip(factor).map(value).collect()
    };
    each_level(|| {
        for (seed, [rows, d]) in (1..).zip(ROWS) {
            let x: Vec<f32> = random(seed, rows * d).iter().map(|x| x + 2.0).collect();
            let factor = random(seed + 100, d);
            let mut out = vec![f32::NAN; rows * d];
            layer(&x, &factor, 1e-6, &mut out);
            let expected: Vec<Near> = x.chunks(d).flat_map(|x| row(x, &factor)).collect();
            assert_near(&format!("{rows} rows of {d}"), &out, &expected);
        }
    });
}

/// Scale and shift, applied, against mean and variance in f64. The mean is three deviations off zero, which costs digits:
/// a value of up to 4 that came out 1e-5 off would still be a 50th of a grey level.
#[test]
fn a_group_norm_is_the_plain_one() {
    each_level(|| {
        for (seed, [places, c, groups]) in (1..).zip([
            [1, 4, 2],
            [2, 1, 1],
            [5, 6, 3],
            [1031, 16, 4],
            [997, 48, 16],
            [65, 512, 32],
            [3, 20_000, 2],
        ]) {
            let what = format!("{places} places, {c} channels, {groups} groups");
            let each = c / groups;
            let mut x = random(seed, places * c);
            // Groups differ, else one could stand for another.
            x.iter_mut().enumerate().for_each(|(i, x)| *x = *x * (1 + i % c / each) as f32 + 2.0);
            let (weight, bias) = (random(seed + 100, c), random(seed + 200, c));
            let (scale, shift) = group_norm(&x, groups, &weight, &bias, 1e-6);
            let mut out = vec![f32::NAN; x.len()];
            scale_shift(&x, &scale, &shift, &mut out);
            let moments = |g: usize| {
                let own = || {
                    x.iter().enumerate().filter(move |(i, _)| i % c / each == g).map(|(_, x)| f64::from(*x))
                };
                let count = (places * each) as f64;
                let mean = own().sum::<f64>() / count;
                (mean, own().map(|x| (x - mean).powi(2)).sum::<f64>() / count)
            };
            let moments: Vec<(f64, f64)> = (0..groups).map(moments).collect();
            let value = |(i, x): (usize, &f32)| {
                let (mean, variance) = moments[i % c / each];
                let y = (f64::from(*x) - mean) / (variance + 1e-6).sqrt();
                // What one group of one value has is all rounding: its variance is 0, and eps is all there is.
                let least = 1e-5 * (1.0 + mean.abs() / (variance + 1e-6).sqrt());
                plain::near(y * f64::from(weight[i % c]) + f64::from(bias[i % c]), least)
            };
            assert_near(&what, &out, &x.iter().enumerate().map(value).collect::<Vec<_>>());
        }
    });
}
