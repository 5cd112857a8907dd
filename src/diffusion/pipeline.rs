//! A prompt becomes a picture. Source: `ZImagePipeline`.

use crate::dit::{Caption, PIXELS_PER_TOKEN, Transformer};
use crate::place::Precision;
use crate::qwen3::TextEncoder;
use crate::tokenizer::Tokenizer;
use crate::vae::Vae;
use crate::{Error, ModelFolder, Place, Recipe, demo, noise, schedule};
use burn::tensor::module::avg_pool2d;
use burn::tensor::ops::AvgPoolOptions;
use burn::tensor::{Device, Tensor, TensorData};
use serde::Deserialize;
use std::ops::ControlFlow;

/// Largest width and height in pixels, whatever the checkpoint could do.
pub const SIDE_PX_MAX: u32 = 2048;
/// Most steps of a run.
pub const STEPS_MAX: u32 = 100;
/// Pixels a latent place stands for, in each direction.
const PIXELS_PER_LATENT: u32 = 8;
/// Longest side of a preview, in latent places.
const PREVIEW_LATENTS_MAX: usize = 32;

/// A picture: 8-bit RGB, rows from the top, no padding.
pub struct Picture {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// `3 * width * height` bytes.
    pub rgb: Vec<u8>,
}

/// What [`Pipeline::generate`] tells its caller.
pub enum Progress<'a> {
    /// A step has ended.
    Step(Step<'a>),
    /// A picture is done; it belongs to the seed of this index.
    Picture(usize, Picture),
}

/// One finished step of one picture.
pub struct Step<'a> {
    /// Index of the picture's seed in the recipe.
    pub seed_index: usize,
    /// The step, counted from 1.
    pub index: u32,
    /// Steps of each picture.
    pub count: u32,
    vae: &'a Vae,
    /// What this step takes the finished latents to be, `[1, c, y, x]`.
    estimate: &'a Tensor<4>,
}

impl Step<'_> {
    /// A small picture of where this step expects to arrive: the decoder's view of the average-pooled estimate.
    ///
    /// # Errors
    /// [`Error::Compute`] if the device fails.
    pub fn preview(&self) -> Result<Picture, Error> {
        let [_, _, y, x] = self.estimate.dims();
        let side = 2.max(y.max(x).div_ceil(PREVIEW_LATENTS_MAX)).min(y).min(x);
        let options = AvgPoolOptions::new([side, side]).with_stride([side, side]);
        let pooled = avg_pool2d(self.estimate.clone(), options);
        Picture::new(&host(self.vae.decode(pooled))?, 0)
    }
}

/// A loaded checkpoint, ready to make pictures.
pub struct Pipeline {
    pub(crate) tokenizer: Tokenizer,
    pub(crate) text_encoder: TextEncoder,
    pub(crate) transformer: Transformer,
    pub(crate) vae: Vae,
    pub(crate) schedule: schedule::Config,
    pub(crate) device: Device,
    digest: [u8; 32],
    embedded: bool,
}

/// A prompt as the transformer sees it, with its opposite if the recipe is guided.
pub(crate) struct Captions {
    pub positive: Caption,
    pub negative: Option<Caption>,
}

#[derive(Deserialize)]
struct ModelIndex {
    #[serde(rename = "_class_name")]
    class_name: String,
}

impl Pipeline {
    /// Loads a checkpoint and checks every tensor of it.
    ///
    /// # Errors
    /// Any that says what is wrong with the folder or the device.
    pub fn load(folder: &ModelFolder, place: Place) -> Result<Self, Error> {
        Self::load_with(folder, place, |parameters| Precision::choose(place, parameters))
    }

    /// Loads text encoder and transformer with the precision that `choose` gives for a number of parameters.
    pub(crate) fn load_with(
        folder: &ModelFolder,
        place: Place,
        choose: impl Fn(u64) -> Precision,
    ) -> Result<Self, Error> {
        const INDEX_FILE: &str = "model_index.json";
        const SCHEDULE_FILE: &str = "scheduler/scheduler_config.json";
        let device = place.find()?;
        let index: ModelIndex = folder.json(INDEX_FILE)?;
        if index.class_name != "ZImagePipeline" {
            let reason = format!("this is a {}, only ZImagePipeline is supported", index.class_name);
            return Err(Error::ParseConfig { file: INDEX_FILE.into(), reason });
        }
        let schedule = folder.json(SCHEDULE_FILE)?;
        let tokenizer = Tokenizer::load(folder)?;
        let (text_encoder, mut files) = TextEncoder::load(folder, &device, &choose)?;
        let (transformer, transformer_files) = Transformer::load(folder, &device, &choose)?;
        let (vae, vae_files) = Vae::load(folder, &device)?;
        if vae.latent_channels() != transformer.config().in_channels {
            let reason = "the transformer and the autoencoder disagree on the latents' channels".into();
            return Err(Error::ParseConfig { file: "transformer/config.json".into(), reason });
        }
        files.extend(transformer_files);
        files.extend(vae_files);
        files.extend([SCHEDULE_FILE, crate::tokenizer::FILE].map(String::from));
        files.sort_unstable();
        let digest = folder.digest(&files)?;
        let embedded = matches!(folder, ModelFolder::Embedded(_));
        Ok(Self { tokenizer, text_encoder, transformer, vae, schedule, device, digest, embedded })
    }

    /// SHA-256 of the files that were loaded, see [`ModelFolder::digest`].
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// Whether this is the demo model.
    pub fn is_demo(&self) -> bool {
        self.embedded
    }

    /// Width and height in pixels when a recipe names none.
    pub fn side_px_default(&self) -> u32 {
        if self.embedded { demo::SIDE_PX } else { 1024 }
    }

    /// The parts in the order in which a prompt passes them, for whoever measures them one by one.
    pub fn parts(&self) -> (&Tokenizer, &TextEncoder, &Transformer, &Vae) {
        (&self.tokenizer, &self.text_encoder, &self.transformer, &self.vae)
    }

    /// Tokens of a prompt, its template included.
    ///
    /// # Errors
    /// [`Error::PromptTooLong`].
    pub fn count_tokens(&self, prompt: &str) -> Result<usize, Error> {
        self.tokenizer.encode(prompt).map(|ids| ids.len())
    }

    /// Makes one picture per seed, one after the other, and hands each over as soon as it is done.
    ///
    /// The caller may answer any step with `Break` to cancel. Nothing of the prompt outlives the call.
    ///
    /// # Errors
    /// [`Error::PictureSize`], [`Error::RecipeRange`] or [`Error::PromptTooLong`] before any work;
    /// [`Error::Cancelled`], [`Error::NonFinite`] or [`Error::Compute`] in the middle of it.
    pub fn generate(
        &self,
        recipe: &Recipe,
        tell: &mut dyn FnMut(Progress<'_>) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        self.check(recipe)?;
        let captions = self.captions(recipe)?;
        let shape = self.latents_shape(recipe, 1);
        for (seed_index, seed) in recipe.seeds.iter().enumerate() {
            let noise = noise::randn((*seed).into(), shape.iter().product());
            let noise = Tensor::from_data(TensorData::new(noise, shape), &self.device);
            let latents = self.sample(noise, &captions, recipe, &mut |index, _, estimate| {
                let count = recipe.steps;
                tell(Progress::Step(Step { seed_index, index, count, vae: &self.vae, estimate }))
            })?;
            let done = Picture::new(&self.decoded(latents, recipe.steps)?, 0)?;
            if tell(Progress::Picture(seed_index, done)).is_break() {
                return Err(Error::Cancelled { steps_done: recipe.steps, step_count: recipe.steps });
            }
        }
        Ok(())
    }

    /// Greatest width and height in pixels that this checkpoint has positions for.
    pub fn sides_px_max(&self) -> [u32; 2] {
        let [_, rows_max, columns_max] = self.transformer.config().axes_lens;
        [columns_max, rows_max].map(|tokens| SIDE_PX_MAX.min(tokens as u32 * PIXELS_PER_TOKEN))
    }

    /// Checks everything about a recipe that can be checked without computing, but the prompt's length.
    ///
    /// # Errors
    /// [`Error::PictureSize`] or [`Error::RecipeRange`].
    pub fn check(&self, recipe: &Recipe) -> Result<(), Error> {
        let (width, height) = (recipe.width, recipe.height);
        let [width_max, height_max] = self.sides_px_max();
        let size = |reason: String| Err(Error::PictureSize { width, height, reason });
        for (name, side, side_max) in [("width", width, width_max), ("height", height, height_max)] {
            if !side.is_multiple_of(PIXELS_PER_TOKEN) || side == 0 || side > side_max {
                return size(format!("the {name} must be a multiple of 16 from 16 to {side_max}"));
            }
        }
        let range = |what, found, wanted| Err(Error::RecipeRange { what, found, wanted });
        if recipe.steps == 0 || recipe.steps > STEPS_MAX {
            return range("the number of steps", recipe.steps.into(), "1 to 100");
        }
        if !(0.0..=100.0).contains(&recipe.guidance) {
            return range("guidance", recipe.guidance.into(), "0 to 100");
        }
        if !(0.0..=1.0).contains(&recipe.guidance_time_max) {
            return range("the guidance truncation", recipe.guidance_time_max.into(), "0 to 1");
        }
        match recipe.guidance_norm_max {
            Some(c) if !(c > 0.0 && c.is_finite()) => {
                range("the guidance norm limit", c.into(), "a number above 0")
            }
            _ => Ok(()),
        }
    }

    /// `[n, c, y, x]` of the latents of `n` pictures.
    pub(crate) fn latents_shape(&self, recipe: &Recipe, n: usize) -> [usize; 4] {
        let places = |side_px: u32| (side_px / PIXELS_PER_LATENT) as usize;
        [n, self.transformer.config().in_channels, places(recipe.height), places(recipe.width)]
    }

    pub(crate) fn captions(&self, recipe: &Recipe) -> Result<Captions, Error> {
        let positive = self.caption(&recipe.prompt)?;
        let negative = match recipe.guidance > 0.0 {
            true => Some(self.caption(&recipe.negative_prompt)?),
            false => None,
        };
        Ok(Captions { positive, negative })
    }

    fn caption(&self, prompt: &str) -> Result<Caption, Error> {
        let ids = self.tokenizer.encode(prompt)?;
        // Positions run from 1 to the padded length, and the image stands one behind.
        let limit = self.transformer.caption_tokens_max();
        if ids.len() > limit {
            return Err(Error::PromptTooLong { found: ids.len(), limit });
        }
        Ok(self.transformer.caption(self.text_encoder.forward(&ids)?))
    }

    /// Runs all steps from `latents` of pure noise. `on_step` sees the step (from 1), the new latents and the
    /// estimate of the finished ones, and may stop the run.
    ///
    /// # Shapes
    /// `[b, c, y, x]` to the same
    pub(crate) fn sample(
        &self,
        mut latents: Tensor<4>,
        captions: &Captions,
        recipe: &Recipe,
        on_step: &mut dyn FnMut(u32, &Tensor<4>, &Tensor<4>) -> ControlFlow<()>,
    ) -> Result<Tensor<4>, Error> {
        let [_, _, y, x] = latents.dims();
        let sigmas = self.schedule.sigmas(recipe.steps, y * x / 4);
        for (pair, index) in sigmas.array_windows::<2>().zip(1..) {
            let [sigma, sigma_next] = *pair;
            let velocity = self.velocity(&latents, sigma, captions, recipe);
            let estimate = latents.clone() - velocity.clone() * sigma;
            latents = latents + velocity * (sigma_next - sigma);
            if !finite(&host(latents.clone())?)? {
                return Err(Error::NonFinite { step_index: index, step_count: recipe.steps });
            }
            if on_step(index, &latents, &estimate).is_break() {
                return Err(Error::Cancelled { steps_done: index, step_count: recipe.steps });
            }
        }
        Ok(latents)
    }

    /// The direction from image to noise at `sigma`, guided if the recipe says so.
    fn velocity(&self, latents: &Tensor<4>, sigma: f32, captions: &Captions, recipe: &Recipe) -> Tensor<4> {
        let time = 1.0 - sigma;
        let positive = self.transformer.forward(latents.clone(), time, &captions.positive);
        let guided = match &captions.negative {
            Some(negative) if time <= recipe.guidance_time_max => {
                let negative = self.transformer.forward(latents.clone(), time, negative);
                let guided = positive.clone() + (positive.clone() - negative) * recipe.guidance;
                match recipe.guidance_norm_max {
                    Some(c) => clamp_norm(guided, &positive, c),
                    None => guided,
                }
            }
            _ => positive,
        };
        -guided
    }

    /// Pictures of finished latents, values about 0 to 1, checked.
    pub(crate) fn decoded(&self, latents: Tensor<4>, step_count: u32) -> Result<TensorData, Error> {
        let data = host(self.vae.decode(latents))?;
        match finite(&data)? {
            true => Ok(data),
            false => Err(Error::NonFinite { step_index: step_count, step_count }),
        }
    }
}

impl Picture {
    /// Picture `item` of a decoded batch. Source: `clamp(x, 0, 1)`, then `round(255 x)`.
    ///
    /// # Shapes
    /// `[b, 3, y, x]`
    pub(crate) fn new(decoded: &TensorData, item: usize) -> Result<Self, Error> {
        let values = decoded.as_slice::<f32>().map_err(|e| Error::Compute(e.to_string()))?;
        let [_, channels, height, width] = decoded.shape().dims();
        let plane = height * width;
        let planes = &values[item * channels * plane..][..channels * plane];
        let level = |value: f32| (value.clamp(0.0, 1.0) * 255.0).round() as u8;
        let rgb = (0..plane).flat_map(|i| [0, 1, 2].map(|c| level(planes[c * plane + i]))).collect();
        Ok(Self { width: width as u32, height: height as u32, rgb })
    }
}

/// Scales each item of `guided` down to at most `factor` times the norm of the same item of `plain`.
///
/// # Shapes
/// `[b, c, y, x]` to the same
fn clamp_norm(guided: Tensor<4>, plain: &Tensor<4>, factor: f32) -> Tensor<4> {
    let norm = |x: Tensor<4>| x.square().sum_dim(1).sum_dim(2).sum_dim(3).sqrt(); // [b, 1, 1, 1]
    let limit = norm(plain.clone()) * factor;
    let ratio = limit / norm(guided.clone()).clamp_min(f32::MIN_POSITIVE);
    guided * ratio.clamp_max(1.0)
}

/// The values of a tensor in f32, read without a panic if the device failed.
pub(crate) fn host<const D: usize>(x: Tensor<D>) -> Result<TensorData, Error> {
    let data = x.try_into_data().map_err(|e| Error::Compute(e.to_string()))?;
    Ok(data.convert::<f32>())
}

fn finite(data: &TensorData) -> Result<bool, Error> {
    let values = data.as_slice::<f32>().map_err(|e| Error::Compute(e.to_string()))?;
    Ok(values.iter().all(|v| v.is_finite()))
}
