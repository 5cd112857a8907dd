use super::{Near, assert_near, each_level, plain, random};
use crate::Level;
use crate::conv::{Before, Picture, Weights, conv3x3};

/// Rows, columns, inputs and outputs.
const DIRECT: [[usize; 4]; 13] = [
    [1, 1, 1, 1],
    [1, 1, 3, 2],
    [1, 5, 2, 3],
    [7, 1, 3, 17],
    [2, 2, 16, 16],
    [3, 5, 7, 11],
    [17, 49, 3, 4],
    [13, 50, 4, 3],
    [19, 23, 16, 19],
    [5, 6, 29, 33],
    [4, 3, 87, 5],
    [3, 4, 257, 2],
    [13, 25, 256, 1],
];

/// Channels from which the transforms pay, at sizes around a tile of four and eight tiles.
const WINOGRAD: [[usize; 4]; 10] = [
    [1, 1, 16, 16],
    [7, 66, 32, 16],
    [1, 1, 64, 64],
    [2, 3, 64, 80],
    [4, 4, 80, 64],
    [5, 7, 64, 64],
    [8, 33, 64, 64],
    [3, 37, 96, 64],
    [9, 5, 64, 112],
    [6, 10, 272, 64],
];

#[test]
fn direct_is_the_plain_one_whatever_comes_before_and_after() {
    for (seed, shape) in (1..).zip(DIRECT) {
        check(seed, shape, Weights::direct, |expected| expected);
    }
}

#[test]
fn winograd_is_the_plain_one_whatever_comes_before_and_after() {
    for (seed, shape) in (1..).zip(WINOGRAD) {
        check(seed, shape, Weights::new, of_transforms);
    }
}

/// Transforms lose digits, so Winograd's way has no bound of its own: it is 1e-4 of the root mean square, as its
/// documentation says.
fn of_transforms(expected: Vec<Near>) -> Vec<Near> {
    let squares: f64 = expected.iter().map(|near| near.value * near.value).sum();
    let off = 1e-4 * (squares / expected.len() as f64).sqrt();
    expected.iter().map(|near| plain::near(near.value, off)).collect()
}

/// Weights that no cache holds: other tasks, some of which are not whole. One input channel in forty counts, else the plain
/// form would take minutes.
#[test]
fn winograd_of_many_channels_is_the_plain_one() {
    let [rows, columns, c, few] = [9, 280, 640, 16];
    let counts = |i: usize| (i % 40 == 3).then_some(i / 40);
    let (few_values, few_weight) = (random(1, rows * columns * few), random(2, 9 * 64 * few));
    let bias = random(3, 64);
    let mut values = random(4, rows * columns * c);
    values.iter_mut().enumerate().for_each(|(v, value)| {
        if let Some(i) = counts(v % c) {
            *value = few_values[v / c * few + i];
        }
    });
    let weight = |v: usize| counts(v / 9 % c).map_or(0.0, |i| few_weight[(v / 9 / c * few + i) * 9 + v % 9]);
    let weight: Vec<f32> = (0..9 * 64 * c).map(weight).collect();
    let of = |values, c| Picture { values, shape: [rows, columns, c], before: Before::Nothing };
    let expected = of_transforms(plain::conv3x3(of(&few_values, few), &few_weight, &bias, None));
    each_level(|| {
        let mut out = vec![f32::NAN; rows * columns * 64];
        conv3x3(of(&values, c), &Weights::new(&weight, 64, c), &bias, None, &mut out);
        assert_near("many channels", &out, &expected);
    });
}

#[test]
fn winograd_is_taken_where_it_pays() {
    let columns = |outputs| Level::here().columns(outputs);
    let bytes = |outputs, inputs| Weights::new(&vec![0.0; 9 * outputs * inputs], outputs, inputs).bytes();
    assert_eq!(bytes(64, 64), 4 * 36 * 64 * 64);
    assert_eq!(bytes(16, 32), 4 * 36 * 32 * 16);
    assert_eq!(bytes(16, 8), 4 * 9 * 8 * columns(16));
    assert_eq!(bytes(3, 16), 4 * 9 * 16 * columns(3));
    let direct = Weights::direct(&vec![0.0; 9 * 64 * 64], 64, 64);
    assert_eq!([direct.bytes(), direct.inputs(), direct.outputs()], [4 * 9 * 64 * 64, 64, 64]);
}

/// Nothing, norm and doubling before, each without and with a residual.
fn check(
    seed: u64,
    [rows, columns, inputs, outputs]: [usize; 4],
    new: impl Fn(&[f32], usize, usize) -> Weights + Sync,
    bound: impl Fn(Vec<Near>) -> Vec<Near>,
) {
    let values = random(seed, rows * columns * inputs);
    let (weight, bias) = (random(seed + 100, 9 * outputs * inputs), random(seed + 200, outputs));
    let scale: Vec<f32> = random(seed + 300, inputs).iter().map(|v| 6.0 * v).collect();
    let shift = random(seed + 400, inputs);
    let norm = Before::NormSilu { scale: &scale, shift: &shift };
    for (name, before) in [("nothing", Before::Nothing), ("norm", norm), ("double", Before::Double)] {
        let input = Picture { values: &values, shape: [rows, columns, inputs], before };
        let [rows, columns] = input.size();
        let residual = random(seed + 500, rows * columns * outputs);
        for residual in [None, Some(&residual[..])] {
            let what = format!("{rows} x {columns}, {inputs} to {outputs}, {name}, {}", residual.is_some());
            let expected = bound(plain::conv3x3(input, &weight, &bias, residual));
            each_level(|| {
                let weights = new(&weight, outputs, inputs);
                assert_eq!([weights.outputs(), weights.inputs()], [outputs, inputs]);
                let mut out = vec![f32::NAN; rows * columns * outputs];
                conv3x3(input, &weights, &bias, residual, &mut out);
                assert_near(&what, &out, &expected);
            });
        }
    }
}
