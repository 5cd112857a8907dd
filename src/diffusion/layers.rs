//! The few layers that all parts of the model share, as plain structs over tensors.
//!
//! Each computes in one of two ways, as was decided at load by [`Precision`](crate::device::Precision): with the
//! kernels, which take slices in this program's memory, or with Burn, on any device. What Burn would do in several
//! operations, one of the kernels does while it reads or writes, so a layer's methods say what belongs together.
//!
//! Norms compute in f32 whatever the type of their input, because bf16 sums lose parity with the reference.

mod attention;
mod convolution;
mod linear;
mod norms;

pub(crate) use attention::{Attend, Turns};
pub(crate) use convolution::{Conv2d, Filter, HalvingConv2d, PointConv2d};
pub(crate) use linear::{Linear, Matrix, swiglu};
pub(crate) use norms::{GroupNorm, RmsNorm, layer_norm, sum};
