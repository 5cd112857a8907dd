//! Rotary positions on three axes: caption order, row, column.
//!
//! Source: `RopeEmbedder` of `ZImageTransformer2DModel`. Frequencies are computed in f64 and applied in f32;
//! neighbouring values make a complex number.

use super::config::Config;
use burn_tensor::{Device, Tensor, TensorData};

/// Cosines and sines for every token of a sequence.
#[derive(Clone)]
pub(super) struct Rope {
    /// `[1, s, 1, e / 2]`
    pub cos: Tensor<4>,
    /// `[1, s, 1, e / 2]`
    pub sin: Tensor<4>,
}

impl Rope {
    pub fn new(config: &Config, positions: &[[usize; 3]], device: &Device) -> Self {
        let half = config.head_dim() / 2;
        let frequencies: Vec<(usize, f64)> = (0..3)
            .flat_map(|axis| {
                let dim = config.axes_dims[axis];
                (0..dim / 2).map(move |i| (axis, (2 * i) as f64 / dim as f64))
            })
            .map(|(axis, power)| (axis, config.rope_theta.powf(-power)))
            .collect();
        let angles: Vec<f64> = positions
            .iter()
            .flat_map(|position| {
                frequencies.iter().map(|(axis, f)| f64::from((position[*axis] as f64 * f) as f32))
            })
            .collect();
        let table = |f: fn(f64) -> f64| {
            let values: Vec<f32> = angles.iter().map(|a| f(*a) as f32).collect();
            Tensor::from_data(TensorData::new(values, [1, positions.len(), 1, half]), device)
        };
        Self { cos: table(f64::cos), sin: table(f64::sin) }
    }

    /// The positions of `self`, then those of `other`.
    pub fn then(&self, other: &Self) -> Self {
        let join = |a: &Tensor<4>, b: &Tensor<4>| Tensor::cat(vec![a.clone(), b.clone()], 1);
        Self { cos: join(&self.cos, &other.cos), sin: join(&self.sin, &other.sin) }
    }
}
