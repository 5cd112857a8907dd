use super::{assert_near, each_level, plain};
use crate::level::{Level, run};
use crate::simd::{exp, silu};
use pulp::{Simd, WithSimd};

struct Each<'a> {
    values: &'a mut [f32],
    silu: bool,
}

impl WithSimd for Each<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for value in self.values {
            let x = simd.splat_f32s(*value);
            let y = if self.silu { silu(simd, x) } else { exp(simd, x) };
            simd.partial_store_f32s(std::slice::from_mut(value), y);
        }
    }
}

fn each(values: &[f32], silu: bool) -> Vec<f32> {
    let mut values = values.to_vec();
    run(Each { values: &mut values, silu });
    values
}

#[test]
fn the_exponential_is_near_the_true_one() {
    let values: Vec<f32> = (-87_000..=88_000).map(|i| i as f32 / 1000.0).chain([0.0, -0.0, 1e-30]).collect();
    let expected = |v: &f32| plain::near(f64::from(*v).exp(), 5e-7 * f64::from(*v).exp());
    let expected: Vec<_> = values.iter().map(expected).collect();
    each_level(|| {
        assert_near("exp", &each(&values, false), &expected);
        // A single key's weight is exactly one.
        assert_eq!(each(&[0.0], false), [1.0]);
    });
}

#[test]
fn the_exponential_of_what_is_too_small_is_next_to_nothing() {
    each_level(|| {
        for value in each(&[-87.5, -1e4, f32::MIN, f32::NEG_INFINITY], false) {
            assert!((0.0..2e-38).contains(&value), "{value}");
        }
        // Arrays have the language's maximum.
        assert!(each(&[f32::NAN], false)[0].is_nan() || Level::here() == Level::Wide);
    });
}

#[test]
fn silu_is_near_the_true_one() {
    let values: Vec<f32> = (-100_000..=100_000).map(|i| i as f32 * 0.002).chain([0.0, -0.0]).collect();
    let expected: Vec<_> = values.iter().map(|v| plain::silu(plain::near(f64::from(*v), 0.0))).collect();
    each_level(|| {
        // Below -88 the divisor stays where it is: there the function is 0 for all purposes.
        for ((x, found), near) in values.iter().zip(each(&values, true)).zip(&expected) {
            let off = if *x < -87.0 { 1e-35 } else { near.off };
            assert!((f64::from(found) - near.value).abs() <= off, "silu({x}) is {found} and not {near:?}");
        }
        assert!(each(&[f32::NAN], true)[0].is_nan());
        assert_eq!(each(&[f32::MAX, f32::INFINITY], true), [f32::MAX, f32::INFINITY]);
    });
}
