//! The autoencoder: pictures to latents and back.
//!
//! Source: `AutoencoderKL` of diffusers with the Flux layout: four levels, attention in the middle, no quant
//! convolutions. Fields carry the checkpoint's names.

mod attention;
mod config;
mod decoder;
mod encoder;
mod resnet;

pub use config::Config;
pub use decoder::Decoder;
pub use encoder::Encoder;

use crate::Error;
use crate::host::in_order;
use crate::part::Loaded;
use crate::spare::Spare;
use burn_tensor::Tensor;

/// The decoding half, as a pipeline holds it. Latents are scaled and shifted at this door.
pub struct Vae {
    decoder: Decoder,
    config: Config,
    kernels: bool,
}

impl Vae {
    /// Loads the decoder.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], if it takes what the configuration did not ask for.
    pub(crate) fn load(from: Loaded<Config>) -> Result<Self, Error> {
        let Loaded { config, mut weights, precision, .. } = from;
        let decoder = Decoder::load(&mut weights, &config)?;
        Ok(Self { decoder, config, kernels: precision.kernels })
    }

    /// The picture of latents as the sampler holds them, values about 0 to 1, not yet clamped.
    ///
    /// # Shapes
    /// `[b, latent_channels, y, x]` to `[b, 3, 8 y, 8 x]`
    pub fn decode(&self, latents: Tensor<4>) -> Tensor<4> {
        let _spare = Spare::keep();
        let z = latents / self.config.scaling_factor + self.config.shift_factor;
        let x = self.decoder.forward(z);
        match self.kernels {
            true => in_order(x, |value| value / 2.0 + 0.5),
            false => x / 2.0 + 0.5,
        }
    }

    /// Sizes of this autoencoder.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Whether it computes with the kernels.
    pub(crate) fn kernels(&self) -> bool {
        self.kernels
    }
}
