//! The same to the last bit, however many threads there are, and run after run.

use super::{assert_same, levels, random};
use crate::attention::{Form, Heads, Turn, attention};
use crate::conv::{Before, Picture, Weights, conv3x3};
use crate::gemm::{Packed, Start, matmul, swiglu};
use crate::norm::{group_norm, rms};

fn assert_threads_agree(what: &str, act: impl Fn() -> Vec<f32> + Sync) {
    for level in levels() {
        let on = |threads| level.pool(threads).expect("threads start").install(&act);
        let expected = on(1);
        for threads in [1, 2, 3, 2] {
            assert_same(&format!("{what}, {level:?}, {threads} threads"), &on(threads), &expected);
        }
    }
}

#[test]
fn products() {
    let (x, weight, bias) = (random(1, 151 * 263), random(2, 263 * 333), random(3, 333));
    assert_threads_agree("matmul", || {
        let mut out = vec![0.0; 151 * 333];
        matmul(&x, &Packed::new(&weight, 333, 263), Start::Bias(&bias), &mut out);
        out
    });
    assert_threads_agree("swiglu", || {
        let mut out = vec![0.0; 151 * 333];
        let packed = Packed::new(&weight, 333, 263);
        swiglu(&x, &packed, &packed, &mut out);
        out
    });
}

#[test]
fn pictures() {
    let [rows, columns, c] = [37, 53, 64];
    let (values, weight) = (random(1, rows * columns * c), random(2, 9 * c * c));
    let (factor, bias) = (random(3, c), random(4, c));
    for new in [Weights::new, Weights::direct] {
        assert_threads_agree("convolution", || {
            let (scale, shift) = group_norm(&values, 16, &factor, &bias, 1e-6);
            let before = Before::NormSilu { scale: &scale, shift: &shift };
            let mut out = vec![0.0; rows * columns * c];
            let input = Picture { values: &values, shape: [rows, columns, c], before };
            conv3x3(input, &new(&weight, c, c), &bias, Some(&values), &mut out);
            out
        });
    }
}

#[test]
fn rows_and_heads() {
    let [heads, e, s] = [3, 32, 401];
    let (x, factor) = (random(1, s * heads * e), random(2, heads * e));
    let (cos, sin) = (random(3, s * e / 2), random(4, s * e / 2));
    assert_threads_agree("attention", || {
        let mut normed = vec![0.0; x.len()];
        rms(&x, &factor, 1e-6, &mut normed);
        let all = Heads { data: &normed, stride: heads * e, offset: 0 };
        let turn = Turn { weight: &factor[..e], eps: 1e-6, cos: &cos, sin: &sin };
        let mut out = vec![0.0; x.len()];
        attention(Form::full(heads, e), all, all, all, Some([turn; 2]), &mut out);
        out
    });
}
