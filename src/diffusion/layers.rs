//! The few layers that all parts of the model share, as plain structs over tensors.
//!
//! Norms compute in f32 whatever the type of their input, because bf16 sums lose parity with the reference.

use burn_tensor::module::{conv2d, linear};
use burn_tensor::ops::ConvOptions;
use burn_tensor::{DType, FloatDType, Tensor};

/// `x W + b`.
pub(crate) struct Linear {
    /// `[inputs, outputs]`
    pub weight: Tensor<2>,
    /// `[outputs]`
    pub bias: Option<Tensor<1>>,
}

impl Linear {
    /// # Shapes
    /// `[.., inputs]` to `[.., outputs]`
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let weight = cast(self.weight.clone(), x.dtype());
        linear(x, weight, self.bias.clone())
    }
}

/// `x / rms(x) * weight` over the last axis.
pub(crate) struct RmsNorm {
    /// `[d]`
    pub weight: Tensor<1>,
    pub eps: f64,
}

impl RmsNorm {
    /// # Shapes
    /// `[.., d]` to `[.., d]`
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let dtype = x.dtype();
        let x = cast(x, DType::F32);
        let scale = (x.clone().square().mean_dim(D - 1) + self.eps).sqrt().recip();
        let weight = cast(self.weight.clone(), DType::F32).unsqueeze();
        cast(x * scale * weight, dtype)
    }
}

/// Normalisation over groups of channels of a picture.
pub(crate) struct GroupNorm {
    /// `[1, c, 1, 1]`
    pub weight: Tensor<4>,
    /// `[1, c, 1, 1]`
    pub bias: Tensor<4>,
    pub groups: usize,
}

impl GroupNorm {
    /// Source: `torch.nn.GroupNorm`, eps 1e-6 throughout `AutoencoderKL`.
    ///
    /// # Shapes
    /// `[b, c, y, x]` to `[b, c, y, x]`
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [b, c, height, width] = x.dims();
        let x = x.reshape([b, self.groups, c / self.groups * height * width]); // [b, groups, n]
        let centred = x.clone() - x.mean_dim(2);
        let scale = (centred.clone().square().mean_dim(2) + 1e-6).sqrt().recip();
        (centred * scale).reshape([b, c, height, width]) * self.weight.clone() + self.bias.clone()
    }
}

/// A square convolution; a 3x3 one keeps the size, a 1x1 one needs no margin.
pub(crate) struct Conv2d {
    /// `[outputs, inputs, k, k]`
    pub weight: Tensor<4>,
    /// `[outputs]`
    pub bias: Tensor<1>,
}

impl Conv2d {
    /// # Shapes
    /// `[b, inputs, y, x]` to `[b, outputs, y, x]`
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let margin = self.weight.dims()[2] / 2;
        self.apply(x, 1, margin)
    }

    /// Every second place, without a margin: the caller has padded.
    ///
    /// # Shapes
    /// `[b, inputs, 2y + 1, 2x + 1]` to `[b, outputs, y, x]`
    pub fn forward_halving(&self, x: Tensor<4>) -> Tensor<4> {
        self.apply(x, 2, 0)
    }

    fn apply(&self, x: Tensor<4>, stride: usize, margin: usize) -> Tensor<4> {
        let options = ConvOptions::new([stride; 2], [margin; 2], [1; 2], 1);
        conv2d(x, self.weight.clone(), Some(self.bias.clone()), options)
    }
}

/// The tensor in another type; itself if it has it already.
pub(crate) fn cast<const D: usize>(x: Tensor<D>, dtype: DType) -> Tensor<D> {
    match x.dtype() == dtype {
        true => x,
        false => x.cast(FloatDType::from(dtype)),
    }
}
