//! Z-Image-Turbo on Burn: a recipe in, pixels out.
//!
//! This crate knows numbers only: no HTTP, no clock, no log line, and no file but the model's.
//!
//! | the paper and the reference code | here |
//! |---|---|
//! | chat template and tokenizer | [`tokenizer`] |
//! | Qwen3 text encoder (`hidden_states[-2]`) | [`qwen3`] |
//! | S3-DiT transformer (`ZImageTransformer2DModel`) | [`dit`] |
//! | autoencoder (`AutoencoderKL`) | [`vae`] |
//! | `FlowMatchEulerDiscreteScheduler` | [`schedule`] |
//! | `torch.randn` | [`noise`] |
//! | `ZImagePipeline` | [`pipeline`], its loop [`Drawing`], and what a picture takes, `plan` |
//! | the layers that they share, by Burn or by our kernels | `layers`, `host`, `threads` |
//! | the checkpoint's folder and what it may hold | [`folder`], `checkpoint`, `part`, `asked` |
//! | its files and tensors, checked, hashed and used | `file`, `header`, `claims`, `loading`, `weights` |
//!
//! Shapes are written with these letters: `b` images in a batch, `s` tokens, `d` model width, `h` heads,
//! `e` width of one head, `c` channels, `y` rows and `x` columns of a picture or of its latents.

#![warn(clippy::missing_errors_doc)]

mod asked;
mod checkpoint;
mod claims;
pub mod demo;
mod device;
pub mod dit;
mod drawing;
mod error;
mod file;
pub mod folder;
mod header;
mod host;
mod json;
mod layers;
mod loading;
mod mmap;
pub mod noise;
mod part;
pub mod pipeline;
mod plan;
pub mod qwen3;
mod recipe;
pub mod reference;
mod room;
pub mod schedule;
mod spare;
mod threads;
pub mod tokenizer;
pub mod vae;
mod weights;

pub use device::{DeviceName, FoundDevice};
pub use drawing::{Drawing, Picture, Progress};
pub use error::Error;
pub use folder::{ModelFiles, ModelFolder};
pub use loading::{LoadProgress, ModelDigest};
pub use pipeline::Pipeline;
pub use recipe::{Recipe, Tokens};

#[cfg(test)]
mod tests;
