//! Products with matrices of weights.

use crate::device::cast;
use crate::host::{Values, tensor};
use crate::spare::take;
use burn_tensor::Tensor;
use burn_tensor::activation::silu;
use burn_tensor::module::linear;
use kernels::gemm::{self, Packed, Start};

/// `x W + b`.
pub(crate) struct Linear {
    pub weight: Matrix,
    /// `[outputs]`
    pub bias: Option<Tensor<1>>,
}

/// Weights `[inputs, outputs]`.
pub(crate) enum Matrix {
    /// For Burn.
    Tensor(Tensor<2>),
    /// For the kernels.
    Packed(Packed),
}

impl Linear {
    /// # Shapes
    /// `[.., inputs]` to `[.., outputs]`
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let packed = match &self.weight {
            Matrix::Packed(packed) => packed,
            Matrix::Tensor(weight) => {
                let weight = cast(weight.clone(), x.dtype());
                return linear(x, weight, self.bias.clone());
            }
        };
        let mut shape = x.dims();
        shape[D - 1] = packed.outputs();
        let bias = self.bias.clone().map(Values::of);
        let start = bias.as_deref().map_or(Start::Zero, Start::Bias);
        let (x, mut out) = (Values::of(x), take(shape.iter().product()));
        gemm::matmul(&x, packed, start, &mut out);
        x.spent();
        tensor(out, shape)
    }
}

/// `silu(x A) * (x B)`, without bias.
///
/// # Shapes
/// `[b, s, inputs]` to `[b, s, outputs]`
pub(crate) fn swiglu(x: Tensor<3>, gate: &Linear, up: &Linear) -> Tensor<3> {
    match (&gate.weight, &up.weight) {
        (Matrix::Packed(first), Matrix::Packed(second)) => {
            let [b, s, _] = x.dims();
            let shape = [b, s, first.outputs()];
            let mut out = vec![0.0; shape.iter().product()];
            gemm::swiglu(&Values::of(x), first, second, &mut out);
            tensor(out, shape)
        }
        _ => silu(gate.forward(x.clone())) * up.forward(x),
    }
}
