//! Convolutions of pictures.
//!
//! The kernels want the channels of a place side by side. A picture that they made is a tensor of shape
//! `[b, c, y, x]` like any other, whose memory runs `[b, y, x, c]`: the next kernel finds it in order and copies
//! nothing, and whoever else reads it sees the same picture.

use super::linear::Linear;
use super::norms::GroupNorm;
use crate::host::{Values, channels_first, channels_last};
use crate::spare::take;
use burn_tensor::Tensor;
use burn_tensor::activation::silu;
use burn_tensor::module::{conv2d, interpolate};
use burn_tensor::ops::{ConvOptions, InterpolateMode, InterpolateOptions};
use kernels::conv::{self, Before};

/// A 3x3 convolution that keeps the size: zeros stand around the picture.
pub(crate) struct Conv2d {
    pub weight: Filter,
    /// `[outputs]`
    pub bias: Tensor<1>,
}

/// Weights `[outputs, inputs, 3, 3]`.
pub(crate) enum Filter {
    /// For Burn.
    Tensor(Tensor<4>),
    /// For the kernels.
    Packed(conv::Weights),
}

/// What is done to the input first.
#[derive(Clone, Copy)]
enum First<'a> {
    Nothing,
    /// `silu(norm(x))`
    Norm(&'a GroupNorm),
    /// Each place is repeated, to twice the size.
    Double,
}

impl Conv2d {
    /// # Shapes
    /// `[b, inputs, y, x]` to `[b, outputs, y, x]`
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        match &self.weight {
            Filter::Packed(packed) => self.run(packed, First::Nothing, x, None),
            Filter::Tensor(weight) => burn(weight, &self.bias, x),
        }
    }

    /// `conv(silu(norm(x)))`, and the sum with `residual` if there is one.
    ///
    /// # Shapes
    /// `[b, inputs, y, x]`, and `[b, outputs, y, x]` for the residual, to `[b, outputs, y, x]`
    pub fn after_norm(&self, norm: &GroupNorm, x: Tensor<4>, residual: Option<Tensor<4>>) -> Tensor<4> {
        let weight = match &self.weight {
            Filter::Packed(packed) => return self.run(packed, First::Norm(norm), x, residual),
            Filter::Tensor(weight) => weight,
        };
        let h = burn(weight, &self.bias, silu(norm.forward(x)));
        match residual {
            Some(residual) => residual + h,
            None => h,
        }
    }

    /// `conv` of the picture at twice its size, nearest neighbours.
    ///
    /// # Shapes
    /// `[b, inputs, y, x]` to `[b, outputs, 2 y, 2 x]`
    pub fn doubled(&self, x: Tensor<4>) -> Tensor<4> {
        match &self.weight {
            Filter::Packed(packed) => self.run(packed, First::Double, x, None),
            Filter::Tensor(weight) => {
                let options = InterpolateOptions::new(InterpolateMode::Nearest).with_scale_factor([2.0, 2.0]);
                burn(weight, &self.bias, interpolate(x, options))
            }
        }
    }

    /// Picture by picture.
    fn run(
        &self,
        packed: &conv::Weights,
        first: First<'_>,
        x: Tensor<4>,
        residual: Option<Tensor<4>>,
    ) -> Tensor<4> {
        let [b, inputs, height, width] = x.dims();
        let times = if matches!(first, First::Double) { 2 } else { 1 };
        let bias = Values::of(self.bias.clone());
        let shape = [b, times * height, times * width, bias.len()];
        let (x, residual) = (channels_last(x), residual.map(channels_last));
        let mut all = take(shape.iter().product());
        let len = all.len() / b;
        for (i, (x, out)) in x.chunks_exact(x.len() / b).zip(all.chunks_exact_mut(len)).enumerate() {
            let residual = residual.as_ref().map(|residual| &residual[i * len..][..len]);
            let factors;
            let before = match first {
                First::Nothing => Before::Nothing,
                First::Double => Before::Double,
                First::Norm(norm) => {
                    factors = norm.of_channels(x);
                    Before::NormSilu { scale: &factors.0, shift: &factors.1 }
                }
            };
            let picture = conv::Picture { values: x, shape: [height, width, inputs], before };
            conv::conv3x3(picture, packed, &bias, residual, out);
        }
        x.spent();
        residual.into_iter().for_each(Values::spent);
        channels_first(all, shape)
    }
}

fn burn(weight: &Tensor<4>, bias: &Tensor<1>, x: Tensor<4>) -> Tensor<4> {
    let options = ConvOptions::new([1; 2], [1; 2], [1; 2], 1);
    conv2d(x, weight.clone(), Some(bias.clone()), options)
}

/// A 3x3 convolution at every second place, without a margin: the caller has padded.
pub(crate) struct HalvingConv2d {
    /// `[outputs, inputs, 3, 3]`
    pub weight: Tensor<4>,
    /// `[outputs]`
    pub bias: Tensor<1>,
}

impl HalvingConv2d {
    /// # Shapes
    /// `[b, inputs, 2 y + 1, 2 x + 1]` to `[b, outputs, y, x]`
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let options = ConvOptions::new([2; 2], [0; 2], [1; 2], 1);
        conv2d(x, self.weight.clone(), Some(self.bias.clone()), options)
    }
}

/// A 1x1 convolution: a linear layer over the channels of each place.
pub(crate) struct PointConv2d(pub Linear);

impl PointConv2d {
    /// # Shapes
    /// `[b, inputs, y, x]` to `[b, outputs, y, x]`
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.0.forward(x.permute([0, 2, 3, 1])).permute([0, 3, 1, 2])
    }
}
