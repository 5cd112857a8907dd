//! One transformer block: attention and feed-forward, each between two norms.
//!
//! Source: `ZImageTransformerBlock`.

use super::config::Config;
use super::rope::Rope;
use crate::Error;
use crate::layers::{Attend, Linear, RmsNorm, Turns, swiglu};
use crate::weights::Weights;
use burn_tensor::Tensor;
use burn_tensor::activation::tanh;

pub(super) struct Block {
    attention: Attention,
    attention_norm1: RmsNorm,
    attention_norm2: RmsNorm,
    feed_forward: FeedForward,
    ffn_norm1: RmsNorm,
    ffn_norm2: RmsNorm,
    /// None in the context refiner, which does not know the time.
    adaln_modulation: Option<Linear>,
}

impl Block {
    pub fn load(weights: &mut Weights, at: &str, config: &Config, modulated: bool) -> Result<Self, Error> {
        let eps = config.norm_eps;
        let key = |name: &str| format!("{at}.{name}");
        let adaln_modulation = match modulated {
            true => Some(weights.linear(&key("adaLN_modulation.0"))?),
            false => None,
        };
        Ok(Self {
            attention: Attention::load(weights, &key("attention"), config)?,
            attention_norm1: weights.rms_norm(&key("attention_norm1"), eps)?,
            attention_norm2: weights.rms_norm(&key("attention_norm2"), eps)?,
            feed_forward: FeedForward::load(weights, &key("feed_forward"))?,
            ffn_norm1: weights.rms_norm(&key("ffn_norm1"), eps)?,
            ffn_norm2: weights.rms_norm(&key("ffn_norm2"), eps)?,
            adaln_modulation,
        })
    }

    /// `time` is the time embedding `[1, t]`; a block without modulation ignores it.
    ///
    /// # Shapes
    /// `[b, s, d]` to the same
    pub fn forward(&self, x: Tensor<3>, rope: &Rope, time: Option<&Tensor<2>>) -> Tensor<3> {
        let [scale_a, gate_a, scale_m, gate_m] = match (&self.adaln_modulation, time) {
            (Some(linear), Some(time)) => {
                let all = linear.forward(time.clone()).unsqueeze_dim::<3>(1); // [1, 1, 4 d]
                let d = x.dims()[2];
                [0, 1, 2, 3].map(|i| all.clone().narrow(2, i * d, d)).map(Some)
            }
            _ => [const { None }; 4],
        };
        let [scale_a, scale_m] = [scale_a, scale_m].map(|scale| scale.map(|scale| scale + 1.0));
        let [gate_a, gate_m] = [gate_a, gate_m].map(|gate| gate.map(tanh));
        let a = self.attention.forward(self.attention_norm1.forward_scaled(x.clone(), scale_a), rope);
        let x = self.attention_norm2.add_gated(x, a, gate_a);
        let m = self.feed_forward.forward(self.ffn_norm1.forward_scaled(x.clone(), scale_m));
        self.ffn_norm2.add_gated(x, m, gate_m)
    }
}

struct Attention {
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    to_out: Linear,
    norm_q: RmsNorm,
    norm_k: RmsNorm,
    attend: Attend,
}

impl Attention {
    fn load(weights: &mut Weights, at: &str, config: &Config) -> Result<Self, Error> {
        let mut square = |name: &str| weights.linear(&format!("{at}.{name}"));
        let (to_q, to_k, to_v, to_out) =
            (square("to_q")?, square("to_k")?, square("to_v")?, square("to_out.0")?);
        let mut norm = |name: &str| weights.rms_norm(&format!("{at}.{name}"), config.norm_eps);
        let (norm_q, norm_k) = (norm("norm_q")?, norm("norm_k")?);
        Ok(Self { to_q, to_k, to_v, to_out, norm_q, norm_k, attend: weights.attend(config.form()) })
    }

    /// Every token sees every token, pads included.
    ///
    /// # Shapes
    /// `[b, s, d]` to the same
    fn forward(&self, x: Tensor<3>, rope: &Rope) -> Tensor<3> {
        let (q, k, v) = (self.to_q.forward(x.clone()), self.to_k.forward(x.clone()), self.to_v.forward(x));
        let turns = Turns { norm_q: &self.norm_q, norm_k: &self.norm_k, cos: &rope.cos, sin: &rope.sin };
        self.to_out.forward(self.attend.forward(q, k, v, Some(turns)))
    }
}

struct FeedForward {
    w1: Linear,
    w2: Linear,
    w3: Linear,
}

impl FeedForward {
    fn load(weights: &mut Weights, at: &str) -> Result<Self, Error> {
        Ok(Self {
            w1: weights.linear(&format!("{at}.w1"))?,
            w2: weights.linear(&format!("{at}.w2"))?,
            w3: weights.linear(&format!("{at}.w3"))?,
        })
    }

    /// # Shapes
    /// `[b, s, d]` to the same
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        self.w2.forward(swiglu(x, &self.w1, &self.w3))
    }
}
