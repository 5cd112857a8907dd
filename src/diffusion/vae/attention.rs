//! Attention over the places of a picture, with one head.

use crate::Error;
use crate::layers::{GroupNorm, Linear};
use crate::weights::Weights;
use burn_tensor::Tensor;
use burn_tensor::module::attention;
use burn_tensor::ops::AttentionModuleOptions;

/// Source: `Attention` with `AttnProcessor2_0`, residual, one head.
pub(super) struct Attention {
    group_norm: GroupNorm,
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    to_out: Linear,
}

impl Attention {
    pub fn load(weights: &mut Weights, at: &str, groups: usize) -> Result<Self, Error> {
        let group_norm = weights.group_norm(&format!("{at}.group_norm"), groups)?;
        let mut square = |name: &str| weights.linear(&format!("{at}.{name}"));
        let (to_q, to_k, to_v, to_out) =
            (square("to_q")?, square("to_k")?, square("to_v")?, square("to_out.0")?);
        Ok(Self { group_norm, to_q, to_k, to_v, to_out })
    }

    /// # Shapes
    /// `[b, c, y, x]` to the same
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [b, c, height, width] = x.dims();
        let h = self.group_norm.forward(x.clone());
        let h = h.reshape([b, 1, c, height * width]).swap_dims(2, 3); // [b, 1, y x, c]
        let (q, k, v) = (self.to_q.forward(h.clone()), self.to_k.forward(h.clone()), self.to_v.forward(h));
        let a = attention(q, k, v, None, None, AttentionModuleOptions::default()); // [b, 1, y x, c]
        x + self.to_out.forward(a).swap_dims(2, 3).reshape([b, c, height, width])
    }
}
