//! Reference folders: what the original program computed, and how far this one is from it.
//!
//! A folder holds `cases.json` (recipes by name), one safetensors file of golden tensors per case, and
//! possibly the `model/` they belong to, `schedules.safetensors` and `torch_randn.safetensors`.

mod check;
mod tensors;

pub use check::{Check, Measured, check};
pub use tensors::Tensors;
