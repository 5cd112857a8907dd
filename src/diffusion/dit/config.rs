//! What `transformer/config.json` says.

use crate::asked::Asked;
use crate::part::Configuration;
use kernels::attention::Form;
use serde::Deserialize;

/// Side of a patch, in latent places.
pub(crate) const PATCH: usize = 2;
/// Pixels that an image token stands for, in each direction: a patch of latents, each of 8 pixels.
pub const PIXELS_PER_TOKEN: u32 = 16;
/// Image and caption tokens are each padded to a multiple of this.
pub(super) const SEQUENCE_MULTIPLE: usize = 32;
/// Tokens of image or caption with their pads.
pub(crate) fn padded(tokens: usize) -> usize {
    tokens.next_multiple_of(SEQUENCE_MULTIPLE)
}

/// Width of the sinusoids that encode the time.
pub(super) const TIME_SINUSOIDS: usize = 256;
/// Hidden width of the time embedder.
pub(super) const TIME_HIDDEN: usize = 1024;

/// Sizes of the transformer. Unknown keys are ignored.
#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    /// Width of a token.
    pub dim: usize,
    /// Layers over the joint sequence.
    pub n_layers: usize,
    /// Layers over image and over caption tokens alone, each.
    pub n_refiner_layers: usize,
    /// Heads of attention.
    pub n_heads: usize,
    /// Width of a prompt embedding.
    pub cap_feat_dim: usize,
    /// Latent channels.
    #[serde(default = "in_channels")]
    pub in_channels: usize,
    /// Eps of every RMS norm but the final layer norm.
    #[serde(default = "norm_eps")]
    pub norm_eps: f64,
    /// How a head's width is shared among the three position axes.
    pub axes_dims: [usize; 3],
    /// Positions that exist on each axis.
    pub axes_lens: [usize; 3],
    /// Base of the rotary frequencies.
    #[serde(default = "rope_theta")]
    pub rope_theta: f64,
    /// Factor of the time before it is encoded.
    #[serde(default = "t_scale")]
    pub t_scale: f64,
    n_kv_heads: Option<usize>,
    #[serde(default = "qk_norm")]
    qk_norm: bool,
    #[serde(default = "all_patch_size")]
    all_patch_size: Vec<usize>,
    #[serde(default = "all_f_patch_size")]
    all_f_patch_size: Vec<usize>,
}

fn in_channels() -> usize {
    16
}
fn norm_eps() -> f64 {
    1e-5
}
fn rope_theta() -> f64 {
    256.0
}
fn t_scale() -> f64 {
    1000.0
}
fn qk_norm() -> bool {
    true
}
fn all_patch_size() -> Vec<usize> {
    vec![PATCH]
}
fn all_f_patch_size() -> Vec<usize> {
    vec![1]
}

impl Configuration for Config {
    const FOLDER: &'static str = "transformer";
    const FILE: &'static str = "transformer/config.json";
    const STEM: &'static str = "diffusion_pytorch_model";

    fn check(&self) -> Result<(), &'static str> {
        let sizes = [self.dim, self.n_layers, self.n_heads, self.cap_feat_dim, self.in_channels];
        if !sizes.iter().all(|n| (1..=1 << 16).contains(n)) || self.n_refiner_layers > 1 << 10 {
            return Err("the sizes do not make a Z-Image transformer");
        }
        if !self.dim.is_multiple_of(self.n_heads)
            || self.axes_dims.iter().any(|d| d % 2 == 1 || *d > self.dim)
        {
            return Err("dim must be a multiple of n_heads, and every axis of axes_dims even");
        }
        if self.axes_dims.iter().sum::<usize>() != self.dim / self.n_heads {
            return Err("axes_dims must add up to the width of a head, dim / n_heads");
        }
        if self.axes_lens.iter().any(|n| *n == 0 || *n > 1 << 16) {
            return Err("axes_lens must be positive");
        }
        if self.n_kv_heads.is_some_and(|n| n != self.n_heads) || !self.qk_norm {
            return Err("only n_kv_heads = n_heads with qk_norm is supported");
        }
        if self.all_patch_size != [PATCH] || self.all_f_patch_size != [1] {
            return Err("only all_patch_size [2] and all_f_patch_size [1] are supported");
        }
        Ok(())
    }

    fn asked(&self) -> Asked {
        let (d, t, patch) = (self.dim, self.time_dim(), PATCH * PATCH * self.in_channels);
        let mut asked = Asked::default();
        asked.linear("t_embedder.mlp.0", TIME_SINUSOIDS, TIME_HIDDEN);
        asked.linear("t_embedder.mlp.2", TIME_HIDDEN, t);
        asked.linear("all_x_embedder.2-1", patch, d);
        asked.norm("cap_embedder.0", self.cap_feat_dim);
        asked.linear("cap_embedder.1", self.cap_feat_dim, d);
        asked.tensor("x_pad_token", &[1, d]);
        asked.tensor("cap_pad_token", &[1, d]);
        asked.linear("all_final_layer.2-1.adaLN_modulation.1", t, d);
        asked.linear("all_final_layer.2-1.linear", d, patch);
        for (name, count, modulated) in [
            ("noise_refiner", self.n_refiner_layers, true),
            ("context_refiner", self.n_refiner_layers, false),
            ("layers", self.n_layers, true),
        ] {
            (0..count).for_each(|i| self.ask_block(&mut asked, &format!("{name}.{i}"), modulated));
        }
        asked
    }

    fn parameters(&self) -> u64 {
        let (d, f, t) = (self.dim as u64, self.ffn_dim() as u64, self.time_dim() as u64);
        let block = 4 * d * d + 3 * d * f;
        let modulation = 4 * d * t;
        let (layers, refiners) = (self.n_layers as u64, self.n_refiner_layers as u64);
        (layers + 2 * refiners) * block + (layers + refiners) * modulation
    }
}

impl Config {
    fn ask_block(&self, asked: &mut Asked, at: &str, modulated: bool) {
        let (d, e, f) = (self.dim, self.head_dim(), self.ffn_dim());
        let key = |name: &str| format!("{at}.{name}");
        for name in ["to_q", "to_k", "to_v", "to_out.0"] {
            asked.matrix(&key(&format!("attention.{name}")), d, d);
        }
        asked.norm(&key("attention.norm_q"), e);
        asked.norm(&key("attention.norm_k"), e);
        for name in ["attention_norm1", "attention_norm2", "ffn_norm1", "ffn_norm2"] {
            asked.norm(&key(name), d);
        }
        asked.matrix(&key("feed_forward.w1"), d, f);
        asked.matrix(&key("feed_forward.w2"), f, d);
        asked.matrix(&key("feed_forward.w3"), d, f);
        if modulated {
            asked.linear(&key("adaLN_modulation.0"), self.time_dim(), 4 * d);
        }
    }

    /// The heads of a block.
    pub(crate) fn form(&self) -> Form {
        Form::full(self.n_heads, self.head_dim())
    }

    /// Width of one head.
    pub(crate) fn head_dim(&self) -> usize {
        self.dim / self.n_heads
    }

    /// Hidden width of the feed-forward layer. Source: `int(dim / 3 * 8)`.
    pub(crate) fn ffn_dim(&self) -> usize {
        (self.dim as f64 / 3.0 * 8.0) as usize
    }

    /// Width of the time embedding. Source: `ADALN_EMBED_DIM`.
    pub(super) fn time_dim(&self) -> usize {
        self.dim.min(256)
    }
}

#[cfg(test)]
mod tests {
    use super::Config;
    use crate::part::Configuration as _;

    #[test]
    fn the_released_sizes_make_6_15_billion_parameters() {
        let json = r#"{"dim": 3840, "n_layers": 30, "n_refiner_layers": 2, "n_heads": 30, "n_kv_heads": 30,
            "cap_feat_dim": 2560, "axes_dims": [32, 48, 48], "axes_lens": [1536, 512, 512], "qk_norm": true}"#;
        let config: Config = serde_json::from_str(json).unwrap();
        config.check().unwrap();
        let billions = config.parameters() as f64 / 1e9;
        assert!((6.13..6.16).contains(&billions), "{billions}");
    }

    #[test]
    fn contradicting_sizes_are_an_error() {
        let json = r#"{"dim": 96, "n_layers": 2, "n_refiner_layers": 1, "n_heads": 3, "cap_feat_dim": 48,
            "axes_dims": [8, 12, 14], "axes_lens": [1536, 512, 512]}"#;
        let config: Config = serde_json::from_str(json).unwrap();
        assert!(config.check().unwrap_err().contains("axes_dims"));
    }
}
