//! The transformer: S3-DiT, one stream of image and caption tokens.
//!
//! Source: `ZImageTransformer2DModel` of diffusers, `transformer.py` of Tongyi-MAI/Z-Image. Fields carry the
//! checkpoint's names.

mod block;
mod config;
mod model;
mod patchify;
mod rope;

pub use config::{Config, PIXELS_PER_TOKEN};
pub(crate) use config::{PATCH, padded};
pub use model::{Caption, Transformer};
