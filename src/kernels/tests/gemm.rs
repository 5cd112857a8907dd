use super::{assert_near, assert_same, each_level, plain, random};
use crate::gemm::{Packed, Start, matmul, swiglu};

/// Rows, inputs and outputs: single ones, primes, one less and one more than a tile, a panel, a block and a depth.
const SHAPES: [[usize; 3]; 16] = [
    [1, 1, 1],
    [1, 7, 1],
    [2, 3, 5],
    [3, 255, 9],
    [4, 256, 8],
    [5, 257, 15],
    [6, 16, 16],
    [7, 17, 17],
    [8, 31, 32],
    [9, 13, 33],
    [13, 509, 31],
    [47, 64, 257],
    [97, 300, 67],
    [145, 19, 129],
    [289, 11, 273],
    [577, 5, 3],
];

#[test]
fn a_product_is_the_plain_one_whatever_it_starts_with() {
    each_level(|| {
        for (seed, [m, k, n]) in (1..).zip(SHAPES) {
            let what = format!("{m} x {k} x {n}");
            let (x, weight) = (random(seed, m * k), random(seed + 100, n * k));
            let (bias, before) = (random(seed + 200, n), random(seed + 300, m * n));
            let packed = Packed::new(&weight, n, k);
            assert_eq!([packed.outputs(), packed.inputs()], [n, k]);

            let mut out = before.clone();
            matmul(&x, &packed, Start::Zero, &mut out);
            assert_near(&what, &out, &plain::matmul(&x, &weight, k, |_, _| 0.0));
            matmul(&x, &packed, Start::Bias(&bias), &mut out);
            assert_near(&what, &out, &plain::matmul(&x, &weight, k, |_, j| bias[j]));
            out.copy_from_slice(&before);
            matmul(&x, &packed, Start::Add, &mut out);
            assert_near(&what, &out, &plain::matmul(&x, &weight, k, |i, j| before[i * n + j]));
        }
    });
}

#[test]
fn no_rows_are_no_work() {
    each_level(|| {
        let packed = Packed::new(&random(1, 12), 3, 4);
        matmul(&[], &packed, Start::Zero, &mut []);
        swiglu(&[], &packed, &packed, &mut []);
    });
}

#[test]
fn bf16_is_exact_in_panels_and_in_rows() {
    each_level(|| {
        for (seed, [m, k, n]) in (1..).zip(SHAPES) {
            let what = format!("{m} x {k} x {n}");
            let halves: Vec<u16> = random(seed, n * k).iter().map(|v| (v.to_bits() >> 16) as u16).collect();
            let bytes: Vec<u8> = halves.iter().flat_map(|half| [*half as u8, (half >> 8) as u8]).collect();
            let widened: Vec<f32> =
                halves.iter().map(|half| f32::from_bits(u32::from(*half) << 16)).collect();
            let x = random(seed + 100, m * k);
            let product = |packed: Packed| {
                let mut out = vec![0.0; m * n];
                matmul(&x, &packed, Start::Zero, &mut out);
                out
            };
            let expected = product(Packed::new(&widened, n, k));
            assert_same(&what, &product(Packed::bf16(&bytes, n, k)), &expected);
            assert_same(&what, &product(Packed::mapped(Box::new(bytes), n, k)), &expected);
        }
    });
}

#[test]
fn swiglu_is_the_plain_one() {
    each_level(|| {
        for (seed, [m, k, n]) in (1..).zip(SHAPES) {
            let x = random(seed, m * k);
            // Large enough for the exponential to leave its middle.
            let gate: Vec<f32> = random(seed + 100, n * k).iter().map(|v| 8.0 * v).collect();
            let up = random(seed + 200, n * k);
            let mut out = vec![f32::NAN; m * n];
            swiglu(&x, &Packed::new(&gate, n, k), &Packed::new(&up, n, k), &mut out);
            let products = [gate, up].map(|weight| plain::matmul(&x, &weight, k, |_, _| 0.0));
            let both = products[0].iter().zip(&products[1]);
            let expected: Vec<_> = both.map(|(gate, up)| plain::times(plain::silu(*gate), *up)).collect();
            assert_near(&format!("{m} x {k} x {n}"), &out, &expected);
        }
    });
}

#[test]
fn a_packed_weight_says_what_it_keeps() {
    each_level(|| {
        let columns = crate::Level::here().columns(usize::MAX);
        let bytes = vec![0; 2 * 5 * (columns + 1)];
        assert_eq!(Packed::new(&vec![0.0; 5 * (columns + 1)], columns + 1, 5).bytes(), 4 * 5 * 2 * columns);
        assert_eq!(Packed::bf16(&bytes, columns + 1, 5).bytes(), 2 * 5 * 2 * columns);
        assert_eq!(Packed::mapped(Box::new(bytes), columns + 1, 5).bytes(), 0);
    });
}
