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
//! | `ZImagePipeline` | [`pipeline`] |
//! | the checkpoint's folder and its tensors | [`folder`], [`weights`] |
//!
//! Shapes are written with these letters: `b` images in a batch, `s` tokens, `d` model width, `h` heads,
//! `e` width of one head, `c` channels, `y` rows and `x` columns of a picture or of its latents.

#![warn(clippy::missing_errors_doc)]

pub mod demo;
pub mod dit;
mod error;
pub mod folder;
mod layers;
mod mmap;
pub mod noise;
pub mod pipeline;
mod place;
pub mod qwen3;
mod recipe;
pub mod reference;
pub mod schedule;
pub mod tokenizer;
pub mod vae;
pub mod weights;

pub use error::Error;
pub use folder::ModelFolder;
pub use pipeline::{Picture, Pipeline, Progress, Step};
pub use place::Place;
pub use recipe::Recipe;

#[cfg(test)]
mod tests;
