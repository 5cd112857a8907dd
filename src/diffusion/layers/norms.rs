//! Norms, and what stands beside them in the blocks.

use crate::device::cast;
use crate::host::{Values, channels_first, channels_last, owned, tensor};
use burn_tensor::{DType, Tensor};
use kernels::norm;

/// `x / rms(x) * weight` over the last axis.
pub(crate) struct RmsNorm {
    /// `[d]`
    pub weight: Tensor<1>,
    pub eps: f64,
    pub kernels: bool,
}

impl RmsNorm {
    /// # Shapes
    /// `[.., d]` to `[.., d]`
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        if self.kernels {
            return self.times(x, &Values::of(self.weight.clone()));
        }
        let dtype = x.dtype();
        let x = cast(x, DType::F32);
        let scale = (x.clone().square().mean_dim(D - 1) + self.eps).sqrt().recip();
        let weight = cast(self.weight.clone(), DType::F32).unsqueeze();
        cast(x * scale * weight, dtype)
    }

    /// `norm(x) * scale`; without a scale, the norm alone.
    ///
    /// # Shapes
    /// `[b, s, d]`, and `[1, 1, d]` for the scale, to `[b, s, d]`
    pub fn forward_scaled(&self, x: Tensor<3>, scale: Option<Tensor<3>>) -> Tensor<3> {
        match scale {
            Some(scale) if self.kernels => self.times(x, &self.weight_times(scale)),
            Some(scale) => self.forward(x) * scale,
            None => self.forward(x),
        }
    }

    /// `x + norm(y) * gate`; without a gate, the sum with the norm.
    ///
    /// # Shapes
    /// `[b, s, d]`, and `[1, 1, d]` for the gate, to `[b, s, d]`
    pub fn add_gated(&self, x: Tensor<3>, y: Tensor<3>, gate: Option<Tensor<3>>) -> Tensor<3> {
        if self.kernels {
            let factor = gate.map(|gate| self.weight_times(gate));
            let factor = factor.unwrap_or_else(|| owned(self.weight.clone()));
            let shape = x.dims();
            let mut sum = owned(x);
            norm::rms_add(&mut sum, &Values::of(y), &factor, self.eps as f32);
            return tensor(sum, shape);
        }
        match gate {
            Some(gate) => x + self.forward(y) * gate,
            None => x + self.forward(y),
        }
    }

    fn times<const D: usize>(&self, x: Tensor<D>, factor: &[f32]) -> Tensor<D> {
        let shape = x.dims();
        let mut out = vec![0.0; shape.iter().product()];
        norm::rms(&Values::of(x), factor, self.eps as f32, &mut out);
        tensor(out, shape)
    }

    /// One factor of both, `[d]`.
    fn weight_times(&self, scale: Tensor<3>) -> Vec<f32> {
        let (weight, scale) = (Values::of(self.weight.clone()), Values::of(scale));
        weight.iter().zip(&*scale).map(|(w, s)| w * s).collect()
    }
}

/// Layer norm over the last axis, eps 1e-6, in f32, times `scale`. It has no weights, and computes as its caller does.
///
/// # Shapes
/// `[b, s, d]`, and `[1, 1, d]` for the scale, to `[b, s, d]`
pub(crate) fn layer_norm(x: Tensor<3>, scale: Tensor<3>, kernels: bool) -> Tensor<3> {
    const EPS: f32 = 1e-6;
    if kernels {
        let shape = x.dims();
        let mut out = vec![0.0; shape.iter().product()];
        norm::layer(&Values::of(x), &Values::of(scale), EPS, &mut out);
        return tensor(out, shape);
    }
    let dtype = x.dtype();
    let x = cast(x, DType::F32);
    let centred = x.clone() - x.mean_dim(2);
    let factor = (centred.clone().square().mean_dim(2) + EPS).sqrt().recip();
    cast(centred * factor, dtype) * scale
}

/// `x + y`
pub(crate) fn sum<const D: usize>(x: Tensor<D>, y: Tensor<D>, kernels: bool) -> Tensor<D> {
    if !kernels {
        return x + y;
    }
    let shape = x.dims();
    let mut sum = owned(x);
    sum.iter_mut().zip(&*Values::of(y)).for_each(|(sum, y)| *sum += y);
    tensor(sum, shape)
}

/// Normalisation over groups of channels of a picture.
pub(crate) struct GroupNorm {
    /// `[1, c, 1, 1]`
    pub weight: Tensor<4>,
    /// `[1, c, 1, 1]`
    pub bias: Tensor<4>,
    pub groups: usize,
    pub kernels: bool,
}

impl GroupNorm {
    /// Source: `torch.nn.GroupNorm`.
    const EPS: f64 = 1e-6; // throughout `AutoencoderKL`

    /// # Shapes
    /// `[b, c, y, x]` to `[b, c, y, x]`
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [b, c, height, width] = x.dims();
        if self.kernels {
            let x = channels_last(x);
            let mut out = vec![0.0; x.len()];
            let len = height * width * c;
            for (x, out) in x.chunks_exact(len).zip(out.chunks_exact_mut(len)) {
                let (scale, shift) = self.of_channels(x);
                norm::scale_shift(x, &scale, &shift, out);
            }
            return channels_first(out, [b, height, width, c]);
        }
        let x = x.reshape([b, self.groups, c / self.groups * height * width]); // [b, groups, n]
        let centred = x.clone() - x.mean_dim(2);
        let scale = (centred.clone().square().mean_dim(2) + Self::EPS).sqrt().recip();
        (centred * scale).reshape([b, c, height, width]) * self.weight.clone() + self.bias.clone()
    }

    /// What the norm does to each channel of one picture `[y, x, c]`: a factor, and what is added then.
    pub fn of_channels(&self, x: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let (weight, bias) = (Values::of(self.weight.clone()), Values::of(self.bias.clone()));
        norm::group_norm(x, self.groups, &weight, &bias, Self::EPS)
    }
}
