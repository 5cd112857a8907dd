//! Latents to a picture: the middle, then four levels up.

use super::config::Config;
use super::resnet::{MidBlock, Resnet};
use crate::Error;
use crate::layers::{Conv2d, GroupNorm};
use crate::weights::Weights;
use burn_tensor::Tensor;

/// The decoding half.
pub struct Decoder {
    conv_in: Conv2d,
    mid_block: MidBlock,
    up_blocks: Vec<UpBlock>,
    conv_norm_out: GroupNorm,
    conv_out: Conv2d,
}

struct UpBlock {
    resnets: Vec<Resnet>,
    /// Doubles the size; none at the picture's own level.
    upsampler: Option<Conv2d>,
}

impl Decoder {
    pub(super) fn load(weights: &mut Weights, config: &Config) -> Result<Self, Error> {
        let groups = config.norm_num_groups;
        let channels: Vec<usize> = config.block_out_channels.iter().rev().copied().collect();
        let mut up_blocks = Vec::new();
        let mut inputs = config.block_out_channels[3];
        for (level, outputs) in channels.into_iter().enumerate() {
            let at = format!("decoder.up_blocks.{level}");
            let mut resnets = Vec::new();
            for i in 0..=config.layers_per_block {
                let widens = i == 0 && inputs != outputs;
                resnets.push(Resnet::load(weights, &format!("{at}.resnets.{i}"), groups, widens)?);
            }
            let upsampler = match level {
                3 => None,
                _ => Some(weights.conv(&format!("{at}.upsamplers.0.conv"))?),
            };
            up_blocks.push(UpBlock { resnets, upsampler });
            inputs = outputs;
        }
        Ok(Self {
            conv_in: weights.conv("decoder.conv_in")?,
            mid_block: MidBlock::load(weights, "decoder.mid_block", groups)?,
            up_blocks,
            conv_norm_out: weights.group_norm("decoder.conv_norm_out", groups)?,
            conv_out: weights.conv("decoder.conv_out")?,
        })
    }

    /// # Shapes
    /// `[b, latent_channels, y, x]` to `[b, 3, 8 y, 8 x]`, values about -1 to 1
    pub fn forward(&self, z: Tensor<4>) -> Tensor<4> {
        let mut x = self.mid_block.forward(self.conv_in.forward(z));
        for block in &self.up_blocks {
            for resnet in &block.resnets {
                x = resnet.forward(x);
            }
            if let Some(conv) = &block.upsampler {
                x = conv.doubled(x);
            }
        }
        self.conv_out.after_norm(&self.conv_norm_out, x, None)
    }
}
