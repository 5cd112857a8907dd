//! A prompt becomes a picture. Source: `ZImagePipeline`.

use crate::checkpoint::{Checkpoint, Parts};
use crate::dit::{Caption, PIXELS_PER_TOKEN, Transformer};
use crate::file::OpenFile;
use crate::loading::LoadProgress;
use crate::place::Precision;
use crate::qwen3::TextEncoder;
use crate::tokenizer::{TOKENS_MAX, Tokenizer};
use crate::vae::Vae;
use crate::{Error, ModelFolder, Place, Recipe, Tokens, demo, noise, schedule};
use burn_tensor::module::avg_pool2d;
use burn_tensor::ops::AvgPoolOptions;
use burn_tensor::{Device, Tensor, TensorData};
use std::ops::ControlFlow;

/// Largest width and height in pixels, whatever the checkpoint could do.
pub const SIDE_PX_MAX: u32 = 2048;
/// Most steps of a run.
pub const STEPS_MAX: u32 = 100;
/// Pixels a latent place stands for, in each direction.
const PIXELS_PER_LATENT: u32 = 8;
/// Memory for what does not grow with the picture: tiles of matrix products in each thread, and what the allocator
/// keeps for later.
const SCRATCH_BYTES: u64 = 64 << 20;
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

/// What [`Pipeline::draw`] tells its caller: plain data, which could as well come out of another process.
pub enum Progress {
    /// The recipe was accepted, and nothing is computed yet.
    Begun,
    /// A step has ended.
    Step(Step),
    /// A picture is done; it belongs to the seed of this index.
    Picture(usize, Picture),
}

/// One finished step of one picture.
pub struct Step {
    /// Index of the picture's seed in the recipe.
    pub seed_index: usize,
    /// The step, counted from 1.
    pub index: u32,
    /// Steps of each picture.
    pub count: u32,
    /// A small picture of where this step expects to arrive, if the last reply asked for one.
    pub preview: Option<Picture>,
}

/// What the caller answers to each [`Progress`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Go on; `preview` asks for a small picture with the next step, which costs the time of decoding it.
    GoOn {
        /// Is one wanted?
        preview: bool,
    },
    /// End the work.
    Cancel,
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
    /// Files whose bytes are used where they lie.
    mapped: Vec<OpenFile>,
    embedded: bool,
}

/// A prompt as the transformer sees it, with its opposite if the recipe is guided.
pub(crate) struct Captions {
    pub positive: Caption,
    pub negative: Option<Caption>,
}

impl Pipeline {
    /// Loads a checkpoint. Everything that its files claim is checked before a weight is read.
    ///
    /// # Errors
    /// Any that says what is wrong with the folder or the device.
    pub fn load(folder: &ModelFolder, place: Place) -> Result<Self, Error> {
        Self::load_telling(folder, place, u64::MAX, &mut |_| ())
    }

    /// Loads a checkpoint if that takes at most `bytes_max` of memory at one time, and tells how far it is: a large one
    /// takes a minute. Weights that stay mapped count as nothing: the system drops and reads their pages as it likes.
    ///
    /// # Errors
    /// Those of [`Pipeline::load`]; [`Error::Memory`] if it would take more.
    pub fn load_telling(
        folder: &ModelFolder,
        place: Place,
        bytes_max: u64,
        tell: &mut dyn FnMut(LoadProgress),
    ) -> Result<Self, Error> {
        Self::load_with(folder, place, |parameters| Precision::choose(place, parameters), bytes_max, tell)
    }

    /// Loads text encoder and transformer with the precision that `choose` gives for a number of parameters.
    pub(crate) fn load_with(
        folder: &ModelFolder,
        place: Place,
        choose: impl Fn(u64) -> Precision,
        bytes_max: u64,
        tell: &mut dyn FnMut(LoadProgress),
    ) -> Result<Self, Error> {
        let device = place.find()?;
        let checkpoint = Checkpoint::open(folder, choose)?;
        let bytes = checkpoint.bytes_to_load();
        if bytes > bytes_max {
            return Err(Error::Memory { bytes });
        }
        let Parts { schedule, tokenizer, text_encoder, transformer, vae, digest, mut mapped } =
            checkpoint.load(&device, tell)?;
        if place != Place::Cpu {
            mapped.clear(); // The weights lie on the device.
        }
        let embedded = matches!(folder, ModelFolder::Embedded(_));
        Ok(Self { tokenizer, text_encoder, transformer, vae, schedule, device, digest, mapped, embedded })
    }

    /// Whether weights are used where they lie, in a file that somebody other than root and the account of this
    /// program can write: by its mode, or as its owner. A write is then found by the next picture at the latest, by
    /// the file's time; whoever owns the file can set that too.
    pub fn weights_may_change(&self) -> bool {
        self.mapped.iter().any(OpenFile::others_may_write)
    }

    /// SHA-256 of the bytes that are in use: over the files that make the model, for each, in the order of their
    /// names, its name, a zero byte, its length (8 bytes, big-endian) and its content.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// Width and height in pixels when a recipe names none.
    pub fn side_px_default(&self) -> u32 {
        if self.embedded { demo::SIDE_PX } else { 1024 }
    }

    /// The parts in the order in which a prompt passes them, for whoever measures them one by one.
    pub fn parts(&self) -> (&Tokenizer, &TextEncoder, &Transformer, &Vae) {
        (&self.tokenizer, &self.text_encoder, &self.transformer, &self.vae)
    }

    /// The texts of a recipe as tokens; the negative prompt's only if it is guided.
    ///
    /// # Errors
    /// [`Error::PromptTooLong`] or [`Error::Tokenize`].
    pub fn tokens(&self, recipe: &Recipe) -> Result<Tokens, Error> {
        let prompt = self.tokenizer.encode(&recipe.prompt)?;
        let negative_prompt = match recipe.guidance > 0.0 {
            true => Some(self.tokenizer.encode(&recipe.negative_prompt)?),
            false => None,
        };
        let tokens = Tokens { prompt, negative_prompt };
        self.check_tokens(&tokens)?;
        Ok(tokens)
    }

    /// Makes the pictures of a recipe without previews: [`Pipeline::tokens`] and [`Pipeline::draw`] in one.
    ///
    /// # Errors
    /// Those of both.
    pub fn generate(
        &self,
        recipe: &Recipe,
        tell: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        self.check(recipe)?;
        self.draw(recipe, &self.tokens(recipe)?, &mut |progress| match tell(progress) {
            ControlFlow::Continue(()) => Reply::GoOn { preview: false },
            ControlFlow::Break(()) => Reply::Cancel,
        })
    }

    /// Makes one picture per seed, one after the other, and hands each over as soon as it is done. Of the recipe, the
    /// numbers count; its texts are the `tokens`.
    ///
    /// [`Reply::Cancel`] ends the work within one step. Nothing of the prompt outlives the call.
    ///
    /// # Errors
    /// [`Error::PictureSize`], [`Error::RecipeRange`] or [`Error::PromptTooLong`] before any work;
    /// [`Error::FileChanged`], [`Error::Cancelled`], [`Error::NonFinite`] or [`Error::Compute`] in the middle of it.
    pub fn draw(
        &self,
        recipe: &Recipe,
        tokens: &Tokens,
        tell: &mut dyn FnMut(Progress) -> Reply,
    ) -> Result<(), Error> {
        self.check(recipe)?;
        self.check_tokens(tokens)?;
        self.check_weights()?;
        let cancelled = |steps_done| Error::Cancelled { steps_done, step_count: recipe.steps };
        let mut preview = false;
        // Whether to go on, and if so, whether with a preview.
        let mut tell = |progress, preview: &mut bool| match tell(progress) {
            Reply::GoOn { preview: wanted } => {
                *preview = wanted;
                ControlFlow::Continue(())
            }
            Reply::Cancel => ControlFlow::Break(()),
        };
        if tell(Progress::Begun, &mut preview).is_break() {
            return Err(cancelled(0));
        }
        let captions = self.captions(tokens)?;
        let shape = self.latents_shape(recipe, 1);
        for (seed_index, seed) in recipe.seeds.iter().enumerate() {
            let noise = noise::randn((*seed).into(), shape.iter().product());
            let noise = Tensor::from_data(TensorData::new(noise, shape), &self.device);
            let latents = self.sample(noise, &captions, recipe, &mut |index, _, estimate| {
                // If the device failed here, the next step says so.
                let small = if preview { self.preview(estimate).ok() } else { None };
                let step = Step { seed_index, index, count: recipe.steps, preview: small };
                tell(Progress::Step(step), &mut preview)
            })?;
            let done = Picture::new(&self.decoded(latents, recipe.steps)?, 0)?;
            self.check_weights()?;
            if tell(Progress::Picture(seed_index, done), &mut preview).is_break() {
                return Err(cancelled(recipe.steps));
            }
        }
        Ok(())
    }

    /// A small picture of where a step expects to arrive: the decoder's view of the average-pooled estimate
    /// `[1, c, y, x]`.
    fn preview(&self, estimate: &Tensor<4>) -> Result<Picture, Error> {
        let [_, _, y, x] = estimate.dims();
        let side = 2.max(y.max(x).div_ceil(PREVIEW_LATENTS_MAX)).min(y).min(x);
        let options = AvgPoolOptions::new([side, side]).with_stride([side, side]);
        let pooled = avg_pool2d(estimate.clone(), options);
        Picture::new(&host(self.vae.decode(pooled))?, 0)
    }

    /// Whether mapped weights are still those that were hashed.
    fn check_weights(&self) -> Result<(), Error> {
        self.mapped.iter().try_for_each(OpenFile::check_unchanged)
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

    /// Bytes of memory that [`Pipeline::generate`] takes at its fullest beside the weights, for a recipe that passed
    /// [`Pipeline::check`]; on a GPU, of the GPU's memory. An estimate that is never too low, from the checkpoint's
    /// sizes: the greatest of text encoder, transformer and decoder, each counted in activations of f32, and what
    /// stays through all of them.
    pub fn bytes_needed(&self, recipe: &Recipe) -> u64 {
        let [width, height] = [recipe.width, recipe.height].map(|side| u64::from(side.min(SIDE_PX_MAX)));
        let pixels = width * height;
        let image_tokens = pixels.div_ceil(u64::from(PIXELS_PER_TOKEN).pow(2)) as usize;
        let caption_tokens = TOKENS_MAX.min(self.transformer.caption_tokens_max());
        let fullest = [
            self.text_encoder.bytes_to_compute(TOKENS_MAX),
            self.transformer.bytes_to_compute(image_tokens, caption_tokens),
            self.vae.bytes_to_decode(pixels),
        ];
        // Latents, noise, velocity and estimate in several copies; the picture in f32 and in bytes.
        let latents = 4 * self.transformer.config().in_channels as u64 * pixels / 64;
        SCRATCH_BYTES + 12 * latents + 15 * pixels + fullest.into_iter().max().unwrap_or_default()
    }

    /// `[n, c, y, x]` of the latents of `n` pictures.
    pub(crate) fn latents_shape(&self, recipe: &Recipe, n: usize) -> [usize; 4] {
        let places = |side_px: u32| (side_px / PIXELS_PER_LATENT) as usize;
        [n, self.transformer.config().in_channels, places(recipe.height), places(recipe.width)]
    }

    pub(crate) fn captions(&self, tokens: &Tokens) -> Result<Captions, Error> {
        let caption = |ids: &[u32]| Ok(self.transformer.caption(self.text_encoder.forward(ids)?));
        let negative = tokens.negative_prompt.as_deref().map(caption).transpose()?;
        Ok(Captions { positive: caption(&tokens.prompt)?, negative })
    }

    fn check_tokens(&self, tokens: &Tokens) -> Result<(), Error> {
        // Positions run from 1 to the padded length, and the image stands one behind.
        let limit = TOKENS_MAX.min(self.transformer.caption_tokens_max());
        let counts =
            [Some(&tokens.prompt), tokens.negative_prompt.as_ref()].into_iter().flatten().map(Vec::len);
        match (counts.clone().min(), counts.max()) {
            (Some(1..), Some(found)) if found <= limit => Ok(()),
            (Some(1..), Some(found)) => {
                Err(Error::PromptTooLong { found, limit, unit: "tokens with its template" })
            }
            _ => Err(Error::Tokenize),
        }
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
