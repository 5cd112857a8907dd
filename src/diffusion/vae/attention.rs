//! Attention over the places of a picture, with one head.

use crate::Error;
use crate::layers::{Attend, GroupNorm, Linear, sum};
use crate::weights::Weights;
use burn_tensor::Tensor;
use kernels::attention::Form;

/// Source: `Attention` with `AttnProcessor2_0`, residual, one head.
pub(super) struct Attention {
    group_norm: GroupNorm,
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    to_out: Linear,
    attend: Attend,
}

impl Attention {
    pub fn load(weights: &mut Weights, at: &str, groups: usize) -> Result<Self, Error> {
        let group_norm = weights.group_norm(&format!("{at}.group_norm"), groups)?;
        let mut square = |name: &str| weights.linear(&format!("{at}.{name}"));
        let (to_q, to_k, to_v, to_out) =
            (square("to_q")?, square("to_k")?, square("to_v")?, square("to_out.0")?);
        let [_, channels, ..] = group_norm.weight.dims();
        let attend = weights.attend(Form::full(1, channels));
        Ok(Self { group_norm, to_q, to_k, to_v, to_out, attend })
    }

    /// # Shapes
    /// `[b, c, y, x]` to the same
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [b, c, height, width] = x.dims();
        let h = self.group_norm.forward(x.clone());
        let h = h.permute([0, 2, 3, 1]).reshape([b, height * width, c]); // [b, y x, c]
        let (q, k, v) = (self.to_q.forward(h.clone()), self.to_k.forward(h.clone()), self.to_v.forward(h));
        let a = self.to_out.forward(self.attend.forward(q, k, v, None)).reshape([b, height, width, c]);
        sum(x.permute([0, 2, 3, 1]), a, self.attend.kernels).permute([0, 3, 1, 2])
    }
}
