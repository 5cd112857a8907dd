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

use crate::place::Precision;
use crate::weights::Weights;
use crate::{Error, ModelFolder};
use burn::tensor::{Device, Tensor};

/// Both halves of the autoencoder. Latents are scaled and shifted at this door.
pub struct Vae {
    decoder: Decoder,
    encoder: Encoder,
    config: Config,
}

impl Vae {
    /// Loads `vae/`; also names the files read.
    ///
    /// # Errors
    /// Any that says what is wrong with the folder.
    pub(crate) fn load(folder: &ModelFolder, device: &Device) -> Result<(Self, Vec<String>), Error> {
        const CONFIG_FILE: &str = "vae/config.json";
        let config: Config = folder.json(CONFIG_FILE)?;
        config.check(CONFIG_FILE)?;
        let mut weights = Weights::open(folder, "vae", "diffusion_pytorch_model", device, Precision::F32)?;
        let mut files = weights.files().to_vec();
        files.push(CONFIG_FILE.into());
        let decoder = Decoder::load(&mut weights, &config)?;
        let encoder = Encoder::load(&mut weights, &config)?;
        weights.finish()?;
        Ok((Self { decoder, encoder, config }, files))
    }

    /// The picture of latents as the sampler holds them, values about 0 to 1, not yet clamped.
    ///
    /// # Shapes
    /// `[b, latent_channels, y, x]` to `[b, 3, 8 y, 8 x]`
    pub fn decode(&self, latents: Tensor<4>) -> Tensor<4> {
        let z = latents / self.config.scaling_factor + self.config.shift_factor;
        self.decoder.forward(z) / 2.0 + 0.5
    }

    /// The mean of the encoder's distribution for a picture with values 0 to 1, neither shifted nor scaled.
    ///
    /// # Shapes
    /// `[b, 3, 8 y, 8 x]` to `[b, latent_channels, y, x]`
    pub fn encode_mean(&self, picture: Tensor<4>) -> Tensor<4> {
        self.encoder.forward(picture * 2.0 - 1.0).narrow(1, 0, self.config.latent_channels)
    }

    /// Channels of the latents.
    pub fn latent_channels(&self) -> usize {
        self.config.latent_channels
    }
}
