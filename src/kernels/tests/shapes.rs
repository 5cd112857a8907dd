//! A wrong length is told before anything is computed.

use crate::attention::{Form, Heads, Turn, attention};
use crate::conv::{Before, Picture, Weights, conv3x3};
use crate::gemm::{Packed, Start, matmul, swiglu};
use crate::level::Level;
use crate::norm::{group_norm, layer, rms, rms_add, scale_shift};
use std::panic::{AssertUnwindSafe, catch_unwind};

#[track_caller]
fn assert_told(words: &str, act: impl FnOnce()) {
    let panic = catch_unwind(AssertUnwindSafe(act)).expect_err("it was not noticed");
    let told = panic.downcast_ref::<String>().expect("a sentence with numbers");
    assert!(told.contains(words), "{told}");
}

#[test]
fn of_products() {
    assert_told("weights [2, 3] come with 5 values", || drop(Packed::new(&[0.0; 5], 2, 3)));
    assert_told("weights [0, 3] have no values", || drop(Packed::new(&[], 0, 3)));
    assert_told("weights [2, 6] come with 11 values", || drop(Packed::bf16(&[0; 11], 2, 3)));
    assert_told("weights [2, 6] come with 13 values", || drop(Packed::mapped(Box::new([0; 13]), 2, 3)));
    let packed = Packed::new(&[0.0; 6], 2, 3);
    assert_told("7 values times weights [2, 3] into 4", || {
        matmul(&[0.0; 7], &packed, Start::Zero, &mut [0.0; 4])
    });
    assert_told("6 values times weights [2, 3] into 5", || {
        matmul(&[0.0; 6], &packed, Start::Zero, &mut [0.0; 5])
    });
    assert_told("bias 3 for 2 outputs", || {
        matmul(&[0.0; 6], &packed, Start::Bias(&[0.0; 3]), &mut [0.0; 4]);
    });
    let other = Packed::new(&[0.0; 9], 3, 3);
    assert_told("6 values times weights [3, 3] into 4", || swiglu(&[0.0; 6], &packed, &other, &mut [0.0; 4]));
}

#[test]
fn of_weights_for_another_level() {
    let pool = Level::Baseline.pool(1).expect("threads start");
    let packed = pool.install(|| Packed::new(&[0.0; 6], 2, 3));
    match Level::here() {
        Level::Baseline => {
            println!("this processor has the baseline only, so there is no other level to pack for")
        }
        _ => assert_told("weights packed for Baseline are used at", || {
            matmul(&[0.0; 3], &packed, Start::Zero, &mut [0.0; 2]);
        }),
    }
}

#[test]
fn of_pictures() {
    assert_told("come with 17 values", || drop(Weights::direct(&[0.0; 17], 1, 2)));
    let weights = Weights::new(&[0.0; 18], 1, 2);
    let conv = |values: usize, shape, before, bias: usize, residual: Option<usize>, out: usize| {
        let [values, bias, mut out] = [values, bias, out].map(|len| vec![0.0; len]);
        let residual = residual.map(|len| vec![0.0; len]);
        let input = Picture { values: &values, shape, before };
        conv3x3(input, &weights, &bias, residual.as_deref(), &mut out);
    };
    let nothing = Before::Nothing;
    conv(12, [2, 3, 2], nothing, 1, Some(6), 6);
    assert_told("11", || conv(11, [2, 3, 2], nothing, 1, None, 6));
    assert_told("3 channels into weights for 2", || conv(18, [2, 3, 3], nothing, 1, None, 6));
    assert_told("bias 2 for 1 outputs", || conv(12, [2, 3, 2], nothing, 2, None, 6));
    assert_told("7 values for [2, 3, 1]", || conv(12, [2, 3, 2], nothing, 1, None, 7));
    assert_told("6 values for [4, 6, 1]", || conv(12, [2, 3, 2], Before::Double, 1, None, 6));
    let norm = Before::NormSilu { scale: &[0.0; 2], shift: &[0.0; 3] };
    assert_told("norm of 2 for 2 channels", || conv(12, [2, 3, 2], norm, 1, None, 6));
}

#[test]
fn of_rows() {
    assert_told("6 values to 5 in rows of 3", || rms(&[0.0; 6], &[0.0; 3], 0.0, &mut [0.0; 5]));
    assert_told("7 values to 7 in rows of 3", || rms_add(&mut [0.0; 7], &[0.0; 7], &[0.0; 3], 0.0));
    assert_told("7 values to 7 in rows of 3", || layer(&[0.0; 7], &[0.0; 3], 0.0, &mut [0.0; 7]));
    assert_told("2 scales and 3 shifts", || scale_shift(&[0.0; 6], &[0.0; 2], &[0.0; 3], &mut [0.0; 6]));
    assert_told("2 groups of 3 channels", || drop(group_norm(&[0.0; 6], 2, &[0.0; 3], &[0.0; 3], 0.0)));
    assert_told("0 values of 3 channels", || drop(group_norm(&[], 1, &[0.0; 3], &[0.0; 3], 0.0)));
}

#[test]
fn of_heads() {
    let attend = |q: usize, k: usize, v: usize, turn: Option<usize>, out: usize| {
        let data = [q, k, v].map(|len| vec![0.0; len]);
        let [q, k, v] = [0, 1, 2].map(|of| Heads { data: &data[of], stride: 9, offset: 1 });
        let angles = vec![0.0; turn.unwrap_or(0)];
        let turns = turn.map(|_| [Turn { weight: &[1.0; 4], eps: 0.0, cos: &angles, sin: &angles }; 2]);
        attention(Form::full(2, 4), q, k, v, turns, &mut vec![0.0; out]);
    };
    attend(27, 27, 27, Some(6), 24);
    assert_told("28 values in rows of 9", || attend(28, 27, 27, None, 24));
    assert_told("3 keys and 2 values", || attend(27, 27, 18, None, 24));
    assert_told("23 values for [3, 2, 4]", || attend(27, 27, 27, None, 23));
    assert_told("3 queries and no key", || attend(27, 0, 0, None, 24));
    assert_told("4 angles for 3 heads of 4", || attend(27, 27, 27, Some(4), 24));
    assert_told("2 heads of 4 behind 1 in rows of 8", || {
        let data = [0.0; 8];
        let heads = Heads { data: &data, stride: 8, offset: 1 };
        attention(Form::full(2, 4), heads, heads, heads, None, &mut [0.0; 8]);
    });
    let form = |heads: usize, key_heads: usize, keys: usize| {
        let data = [0.0; 3 * 9];
        let rows = |count: usize| Heads { data: &data[..count * 9], stride: 9, offset: 0 };
        let form = Form { heads, key_heads, e: 3, causal: true };
        attention(form, rows(3), rows(keys), rows(keys), None, &mut vec![0.0; 3 * heads * 3]);
    };
    form(3, 1, 3);
    assert_told("2 heads of keys for 3", || form(3, 2, 3));
    assert_told("3 queries, 2 keys", || form(3, 3, 2));
}
