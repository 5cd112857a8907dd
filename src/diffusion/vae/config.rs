//! What `vae/config.json` says.

use crate::Error;
use serde::Deserialize;

/// Sizes and factors of the autoencoder. Unknown keys are ignored.
#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    /// Channels of each level, the picture's own level first.
    pub block_out_channels: Vec<usize>,
    /// Residual blocks of a level of the encoder; the decoder has one more.
    #[serde(default = "layers_per_block")]
    pub layers_per_block: usize,
    /// Channels of the latents.
    #[serde(default = "latent_channels")]
    pub latent_channels: usize,
    /// Groups of every group norm.
    #[serde(default = "norm_num_groups")]
    pub norm_num_groups: usize,
    /// Latents are multiplied by this for the sampler.
    #[serde(default = "scaling_factor")]
    pub scaling_factor: f64,
    /// This is taken off latents before they are scaled.
    #[serde(default = "shift_factor")]
    pub shift_factor: f64,
    #[serde(default)]
    use_quant_conv: bool,
    #[serde(default)]
    use_post_quant_conv: bool,
    #[serde(default = "mid_block_add_attention")]
    mid_block_add_attention: bool,
}

fn layers_per_block() -> usize {
    2
}
fn latent_channels() -> usize {
    16
}
fn norm_num_groups() -> usize {
    32
}
fn scaling_factor() -> f64 {
    0.3611
}
fn shift_factor() -> f64 {
    0.1159
}
fn mid_block_add_attention() -> bool {
    true
}

impl Config {
    pub(super) fn check(&self, file: &str) -> Result<(), Error> {
        let wrong = |reason: &str| Err(Error::ParseConfig { file: file.into(), reason: reason.into() });
        if self.block_out_channels.len() != 4 {
            return wrong("block_out_channels must have four entries, for a factor of 8");
        }
        let groups = self.norm_num_groups;
        let fits = |c: &usize| groups > 0 && c.is_multiple_of(groups) && (1..=1 << 14).contains(c);
        if !self.block_out_channels.iter().all(fits) {
            return wrong("every entry of block_out_channels must be a multiple of norm_num_groups");
        }
        if !(1..=64).contains(&self.latent_channels) || !(1..=16).contains(&self.layers_per_block) {
            return wrong("latent_channels or layers_per_block is out of range");
        }
        if self.use_quant_conv || self.use_post_quant_conv || !self.mid_block_add_attention {
            return wrong("quant convolutions, and a middle without attention, are not supported");
        }
        if !self.scaling_factor.is_normal() || !self.shift_factor.is_finite() {
            return wrong("scaling_factor and shift_factor must be finite, and the first not zero");
        }
        Ok(())
    }
}
