//! What a function allocates is no more than what it says.

use super::random;
use crate::attention::{self, Form, Heads, attention};
use crate::conv::{self, Before, Picture, Weights, conv3x3};
use crate::gemm::{self, Packed, Start, matmul, swiglu};
use crate::level::Level;
use crate::norm;

/// On one thread, which then does everything itself.
#[track_caller]
fn assert_within(what: &str, bytes: impl Fn() -> usize + Send + Sync, act: impl Fn() + Send + Sync) {
    let pool = Level::here().pool(1).expect("threads start");
    pool.install(|| {
        let used = allocation_counter::measure(&act).bytes_max;
        let said = bytes() as u64;
        assert!(used <= said, "{what}: {used} bytes, and {said} were said");
    });
}

#[test]
fn of_products() {
    for [m, k, n] in [[1, 1, 1], [5000, 64, 33], [97, 1500, 1400], [300, 300, 20]] {
        let (x, weight) = (random(1, m * k), random(2, n * k));
        let packed = [Packed::new(&weight, n, k), Packed::mapped(Box::new(vec![0; 2 * n * k]), n, k)];
        for packed in &packed {
            let out = std::sync::Mutex::new(vec![0.0; m * n]);
            let said = || gemm::scratch_bytes(m, k, n, 1);
            let out = || out.lock().expect("nobody panicked");
            assert_within("matmul", said, || matmul(&x, packed, Start::Zero, &mut out()));
            assert_within("swiglu", said, || swiglu(&x, packed, packed, &mut out()));
        }
    }
}

#[test]
fn of_pictures() {
    for [rows, columns, inputs, outputs] in
        [[1, 1, 1, 1], [100, 130, 16, 16], [33, 70, 128, 64], [20, 30, 512, 48], [9, 400, 96, 256]]
    {
        let values = random(1, rows * columns * inputs);
        let weights = Weights::new(&random(2, 9 * inputs * outputs), outputs, inputs);
        let bias = random(3, outputs);
        let out = std::sync::Mutex::new(vec![0.0; rows * columns * outputs]);
        let input = Picture { values: &values, shape: [rows, columns, inputs], before: Before::Nothing };
        assert_within(
            "convolution",
            || conv::scratch_bytes([inputs, outputs], [rows, columns], 1),
            || {
                conv3x3(input, &weights, &bias, None, &mut out.lock().expect("nobody panicked"));
            },
        );
    }
}

#[test]
fn of_norms() {
    for [places, c] in [[1, 1], [70_000, 16], [5000, 512], [3, 20_000]] {
        let (x, factors) = (random(1, places * c), random(2, c));
        let said = || norm::scratch_bytes(places, c);
        assert_within("group norm", said, || drop(norm::group_norm(&x, 1, &factors, &factors, 1e-6)));
    }
}

#[test]
fn of_heads() {
    for [heads, e, s_q, s_k] in [[1, 1, 1, 1], [3, 64, 1000, 1000], [1, 512, 300, 300], [9, 128, 97, 40]] {
        let [q, k] = [s_q, s_k].map(|s| random(1, s * heads * e));
        let [q, k] = [&q, &k].map(|data| Heads { data, stride: heads * e, offset: 0 });
        let out = std::sync::Mutex::new(vec![0.0; s_q * heads * e]);
        assert_within(
            "attention",
            || attention::scratch_bytes(Form::full(heads, e), s_q, s_k, 1),
            || {
                attention(Form::full(heads, e), q, k, k, None, &mut out.lock().expect("nobody panicked"));
            },
        );
    }
}
