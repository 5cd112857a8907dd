//! The whole transformer: embedders, refiners, layers, final layer.

use super::block::Block;
use super::config::{Config, PATCH, SEQUENCE_MULTIPLE, TIME_SINUSOIDS};
use super::patchify::{caption_positions, image_positions, padding, patchify, unpatchify};
use super::rope::Rope;
use crate::Error;
use crate::device::{Precision, cast};
use crate::layers::{Linear, RmsNorm, layer_norm};
use crate::part::Loaded;
use crate::weights::Weights;
use burn_tensor::activation::silu;
use burn_tensor::{DType, Device, Tensor, TensorData};

/// The diffusion transformer.
pub struct Transformer {
    t_embedder: [Linear; 2],
    x_embedder: Linear,
    cap_norm: RmsNorm,
    cap_embedder: Linear,
    /// `[1, d]`
    x_pad_token: Tensor<2>,
    /// `[1, d]`
    cap_pad_token: Tensor<2>,
    noise_refiner: Vec<Block>,
    context_refiner: Vec<Block>,
    layers: Vec<Block>,
    final_modulation: Linear,
    final_linear: Linear,
    config: Config,
    precision: Precision,
    device: Device,
}

/// A caption after its refiner. It does not depend on the time, so it is computed once per prompt.
pub struct Caption {
    /// `[1, s, d]`, padded
    tokens: Tensor<3>,
    rope: Rope,
}

impl Caption {
    fn len(&self) -> usize {
        self.tokens.dims()[1]
    }
}

impl Transformer {
    /// Loads the layers.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], if one takes what the configuration did not ask for.
    pub(crate) fn load(from: Loaded<Config>) -> Result<Self, Error> {
        let Loaded { config, mut weights, precision, device } = from;
        let w = &mut weights;
        let blocks = |w: &mut Weights, name: &str, count: usize, modulated: bool| {
            let block = |i| Block::load(w, &format!("{name}.{i}"), &config, modulated);
            (0..count).map(block).collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            t_embedder: [w.linear("t_embedder.mlp.0")?, w.linear("t_embedder.mlp.2")?],
            x_embedder: w.linear("all_x_embedder.2-1")?,
            cap_norm: w.rms_norm("cap_embedder.0", config.norm_eps)?,
            cap_embedder: w.linear("cap_embedder.1")?,
            x_pad_token: w.tensor("x_pad_token")?,
            cap_pad_token: w.tensor("cap_pad_token")?,
            noise_refiner: blocks(w, "noise_refiner", config.n_refiner_layers, true)?,
            context_refiner: blocks(w, "context_refiner", config.n_refiner_layers, false)?,
            layers: blocks(w, "layers", config.n_layers, true)?,
            final_modulation: w.linear("all_final_layer.2-1.adaLN_modulation.1")?,
            final_linear: w.linear("all_final_layer.2-1.linear")?,
            device,
            precision,
            config,
        })
    }

    /// Sizes of this transformer.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// How it computes.
    pub(crate) fn precision(&self) -> Precision {
        self.precision
    }

    /// Most tokens of a caption: padded, they and the image behind them must find positions on the first axis.
    pub(crate) fn caption_tokens_max(&self) -> usize {
        let positions = self.config.axes_lens[0].saturating_sub(2);
        positions - positions % SEQUENCE_MULTIPLE
    }

    /// Embeds and refines a caption.
    ///
    /// # Shapes
    /// `[s, cap_feat_dim]` prompt embeddings
    pub fn caption(&self, embeddings: Tensor<2>) -> Caption {
        let x = cast(embeddings, self.precision.compute).unsqueeze::<3>(); // [1, s, cap_feat_dim]
        let x = self.cap_embedder.forward(self.cap_norm.forward(x)); // [1, s, d]
        let mut tokens = self.padded(x, &self.cap_pad_token);
        let rope = Rope::new(&self.config, &caption_positions(tokens.dims()[1]), &self.device);
        for block in &self.context_refiner {
            tokens = block.forward(tokens, &rope, None);
        }
        Caption { tokens, rope }
    }

    /// The raw output at `time` (0 noise, 1 image); the velocity is its negative.
    ///
    /// # Shapes
    /// `[b, c, y, x]` f32 latents to the same
    pub fn forward(&self, latents: Tensor<4>, time: f32, caption: &Caption) -> Tensor<4> {
        let [b, _, rows, columns] = latents.dims();
        let time = self.time_embedding(time); // [1, t]
        let positions = image_positions(caption.len(), rows / PATCH, columns / PATCH);
        let image_rope = Rope::new(&self.config, &positions, &self.device);

        let tokens = patchify(latents, self.precision.kernels);
        let x = self.x_embedder.forward(cast(tokens, self.precision.compute)); // [b, s, d]
        let image_tokens = x.dims()[1];
        let mut x = self.padded(x, &self.x_pad_token);
        for block in &self.noise_refiner {
            x = block.forward(x, &image_rope, Some(&time));
        }

        let [_, s, d] = caption.tokens.dims();
        let mut x = Tensor::cat(vec![x, caption.tokens.clone().expand([b, s, d])], 1);
        let rope = image_rope.then(&caption.rope);
        for block in &self.layers {
            x = block.forward(x, &rope, Some(&time));
        }

        let x = x.narrow(1, 0, image_tokens);
        let scale = self.final_modulation.forward(silu(time)).unsqueeze_dim::<3>(1) + 1.0; // [1, 1, d]
        let x = layer_norm(x, scale, self.precision.kernels);
        let x = self.final_linear.forward(x); // [b, s, 4 c]
        unpatchify(cast(x, DType::F32), rows, columns, self.precision.kernels)
    }

    /// Appends the pad token up to the next multiple of 32. Pads take part in attention.
    ///
    /// # Shapes
    /// `[b, s, d]` to `[b, padded, d]`
    fn padded(&self, x: Tensor<3>, pad_token: &Tensor<2>) -> Tensor<3> {
        let [b, s, d] = x.dims();
        match padding(s) {
            0 => x,
            pads => Tensor::cat(vec![x, pad_token.clone().unsqueeze::<3>().expand([b, pads, d])], 1),
        }
    }

    /// Source: `TimestepEmbedder`: cosines first, then sines, of the scaled time at falling frequencies.
    ///
    /// # Shapes
    /// to `[1, t]`
    fn time_embedding(&self, time: f32) -> Tensor<2> {
        const PERIOD_MAX: f32 = 10_000.0;
        let half = TIME_SINUSOIDS / 2;
        let time = time * self.config.t_scale as f32;
        let angles = (0..half).map(|i| time * (-PERIOD_MAX.ln() * i as f32 / half as f32).exp());
        let values: Vec<f32> = angles.clone().map(f32::cos).chain(angles.map(f32::sin)).collect();
        let data = TensorData::new(values, [1, TIME_SINUSOIDS]);
        let x = Tensor::from_data(data, (&self.device, self.precision.compute));
        self.t_embedder[1].forward(silu(self.t_embedder[0].forward(x)))
    }
}
