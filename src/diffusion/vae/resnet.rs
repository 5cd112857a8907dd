//! The residual block and the middle of both halves.

use super::attention::Attention;
use crate::Error;
use crate::layers::{Conv2d, GroupNorm, PointConv2d};
use crate::weights::Weights;
use burn_tensor::Tensor;

/// Source: `ResnetBlock2D`, without time embedding.
pub(super) struct Resnet {
    norm1: GroupNorm,
    conv1: Conv2d,
    norm2: GroupNorm,
    conv2: Conv2d,
    /// Where the number of channels changes.
    conv_shortcut: Option<PointConv2d>,
}

impl Resnet {
    /// `widens`: whether the number of channels changes.
    pub fn load(weights: &mut Weights, at: &str, groups: usize, widens: bool) -> Result<Self, Error> {
        let conv_shortcut = match widens {
            true => Some(weights.point_conv(&format!("{at}.conv_shortcut"))?),
            false => None,
        };
        Ok(Self {
            norm1: weights.group_norm(&format!("{at}.norm1"), groups)?,
            conv1: weights.conv(&format!("{at}.conv1"))?,
            norm2: weights.group_norm(&format!("{at}.norm2"), groups)?,
            conv2: weights.conv(&format!("{at}.conv2"))?,
            conv_shortcut,
        })
    }

    /// # Shapes
    /// `[b, inputs, y, x]` to `[b, outputs, y, x]`
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let h = self.conv1.after_norm(&self.norm1, x.clone(), None);
        let x = match &self.conv_shortcut {
            Some(conv) => conv.forward(x),
            None => x,
        };
        self.conv2.after_norm(&self.norm2, h, Some(x))
    }
}

/// Source: `UNetMidBlock2D`: residual block, attention, residual block.
pub(super) struct MidBlock {
    resnets: [Resnet; 2],
    attention: Attention,
}

impl MidBlock {
    pub fn load(weights: &mut Weights, at: &str, groups: usize) -> Result<Self, Error> {
        let mut resnet = |i| Resnet::load(weights, &format!("{at}.resnets.{i}"), groups, false);
        let resnets = [resnet(0)?, resnet(1)?];
        let attention = Attention::load(weights, &format!("{at}.attentions.0"), groups)?;
        Ok(Self { resnets, attention })
    }

    /// # Shapes
    /// `[b, c, y, x]` to the same
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.resnets[0].forward(x);
        let x = self.attention.forward(x);
        self.resnets[1].forward(x)
    }
}
