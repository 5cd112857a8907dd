//! A picture to latents: four levels down, then the middle.

use super::config::{Config, Encoding};
use super::resnet::{MidBlock, Resnet};
use crate::device::Precision;
use crate::layers::{Conv2d, GroupNorm, HalvingConv2d};
use crate::loading::Loading;
use crate::part::Part;
use crate::weights::Weights;
use crate::{Error, ModelFolder};
use burn_tensor::ops::PadMode;
use burn_tensor::{DType, Device, Tensor};

/// The encoding half.
pub struct Encoder {
    conv_in: Conv2d,
    down_blocks: Vec<DownBlock>,
    mid_block: MidBlock,
    conv_norm_out: GroupNorm,
    conv_out: Conv2d,
}

struct DownBlock {
    resnets: Vec<Resnet>,
    /// Halves the size; none at the deepest level.
    downsampler: Option<HalvingConv2d>,
}

impl Encoder {
    /// Loads it alone: a pipeline, whose pictures never pass it, does not hold it.
    ///
    /// # Errors
    /// Any that says what is wrong with the autoencoder's files.
    pub(crate) fn open(folder: &ModelFolder, device: &Device, kernels: bool) -> Result<Self, Error> {
        let precision = Precision { compute: DType::F32, widen: true, kernels };
        let part: Part<Encoding> = Part::open(folder, |_| precision)?;
        let mut tell = |_| ();
        let mut loading = Loading::new(part.bytes(), &mut tell);
        let mut loaded = part.load(&mut loading, device)?;
        loading.finish()?;
        Self::load(&mut loaded.weights, &loaded.config.0)
    }

    fn load(weights: &mut Weights, config: &Config) -> Result<Self, Error> {
        let groups = config.norm_num_groups;
        let mut down_blocks = Vec::new();
        let mut inputs = config.block_out_channels[0];
        for (level, outputs) in config.block_out_channels.iter().copied().enumerate() {
            let at = format!("encoder.down_blocks.{level}");
            let mut resnets = Vec::new();
            for i in 0..config.layers_per_block {
                let widens = i == 0 && inputs != outputs;
                resnets.push(Resnet::load(weights, &format!("{at}.resnets.{i}"), groups, widens)?);
            }
            let downsampler = match level {
                3 => None,
                _ => Some(weights.halving_conv(&format!("{at}.downsamplers.0.conv"))?),
            };
            down_blocks.push(DownBlock { resnets, downsampler });
            inputs = outputs;
        }
        Ok(Self {
            conv_in: weights.conv("encoder.conv_in")?,
            down_blocks,
            mid_block: MidBlock::load(weights, "encoder.mid_block", groups)?,
            conv_norm_out: weights.group_norm("encoder.conv_norm_out", groups)?,
            conv_out: weights.conv("encoder.conv_out")?,
        })
    }

    /// The mean of the distribution for a picture with values 0 to 1, neither shifted nor scaled.
    ///
    /// # Shapes
    /// `[b, 3, 8 y, 8 x]` to `[b, latent_channels, y, x]`
    pub(crate) fn mean(&self, picture: Tensor<4>) -> Tensor<4> {
        let x = self.forward(picture * 2.0 - 1.0);
        let [_, both, ..] = x.dims();
        x.narrow(1, 0, both / 2)
    }

    /// Mean, then logarithm of the variance.
    ///
    /// # Shapes
    /// `[b, 3, 8 y, 8 x]`, values -1 to 1, to `[b, 2 latent_channels, y, x]`
    fn forward(&self, picture: Tensor<4>) -> Tensor<4> {
        let mut x = self.conv_in.forward(picture);
        for block in &self.down_blocks {
            for resnet in &block.resnets {
                x = resnet.forward(x);
            }
            if let Some(conv) = &block.downsampler {
                // One row below and one column right, as the reference pads.
                x = conv.forward(x.pad((0, 1, 0, 1), PadMode::Constant(0.0)));
            }
        }
        let x = self.mid_block.forward(x);
        self.conv_out.after_norm(&self.conv_norm_out, x, None)
    }
}
