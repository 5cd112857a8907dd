//! A prompt becomes a picture, a piece at a time. Source: the loop of `ZImagePipeline`.

use crate::device::guarded;
use crate::pipeline::{Captions, Pipeline};
use crate::room::room;
use crate::{Error, Recipe, Tokens, noise};
use burn_tensor::module::avg_pool2d;
use burn_tensor::ops::AvgPoolOptions;
use burn_tensor::{Tensor, TensorData};

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

/// Work on a recipe: begun by [`Pipeline::begin`], done a piece at a time by [`Pipeline::advance`], and ended by whoever
/// drops it. It holds what its next piece needs and nothing else.
pub struct Drawing {
    /// Without its texts.
    recipe: Recipe,
    stage: Stage,
}

/// A piece of the work that is done: the prompts, and then for each picture its steps and itself.
pub enum Progress {
    /// The text encoder has read the prompts.
    Prompts,
    /// A step has ended.
    Step {
        /// A small picture of where this step expects to arrive, if one was asked for.
        preview: Option<Picture>,
    },
    /// A picture is done.
    Picture(Picture),
}

enum Stage {
    /// The prompts are to be read.
    Prompts(Tokens),
    /// The pictures are to be made.
    Pictures(Box<Pictures>),
    /// Done or failed.
    Over,
}

struct Pictures {
    captions: Captions,
    /// Of those that are not begun.
    seeds: std::vec::IntoIter<u32>,
    /// The one that is.
    sampling: Option<Sampling>,
}

/// A picture on its way from noise.
pub(crate) struct Sampling {
    /// `[b, c, y, x]`
    pub latents: Tensor<4>,
    /// Noise levels before and after each step that is left.
    steps: std::vec::IntoIter<[f32; 2]>,
}

impl Drawing {
    /// Whether there is no piece left, and nothing held.
    pub fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }
}

impl Pipeline {
    /// Makes the pictures of a recipe, one per seed: [`Pipeline::tokens`], [`Pipeline::begin`] and [`Pipeline::advance`]
    /// to the end.
    ///
    /// # Errors
    /// Those of the three.
    pub fn generate(&self, recipe: &Recipe) -> Result<Vec<Picture>, Error> {
        self.check(recipe)?;
        let mut drawing = self.begin(recipe, self.tokens(recipe)?)?;
        let mut pictures = Vec::new();
        while let Some(piece) = self.advance(&mut drawing, false)? {
            if let Progress::Picture(picture) = piece {
                pictures.push(picture);
            }
        }
        Ok(pictures)
    }

    /// Takes up work on a recipe: one picture per seed, in order. Of the recipe, the numbers count; its texts are the
    /// `tokens`. Nothing is computed yet.
    ///
    /// # Errors
    /// [`Error::PictureSize`], [`Error::RecipeRange`], [`Error::PromptTooLong`], [`Error::Tokenize`] or
    /// [`Error::FileChanged`].
    pub fn begin(&self, recipe: &Recipe, tokens: Tokens) -> Result<Drawing, Error> {
        self.check(recipe)?;
        self.check_tokens(&tokens)?;
        self.check_weights()?;
        let seeds = recipe.seeds.clone();
        let recipe = Recipe { prompt: String::new(), negative_prompt: String::new(), seeds, ..*recipe };
        Ok(Drawing { recipe, stage: Stage::Prompts(tokens) })
    }

    /// Does the next piece of work that this pipeline has begun, a step with a small picture if `preview` is set, which
    /// costs the time of decoding it. `None` if none is left: after the last picture and after an error.
    ///
    /// # Errors
    /// [`Error::FileChanged`], [`Error::Memory`], [`Error::CardFull`], [`Error::NonFinite`], [`Error::Compute`], or [`Error::ParseConfig`] for a
    /// token that is not in the vocabulary. The work is over.
    pub fn advance(&self, drawing: &mut Drawing, preview: bool) -> Result<Option<Progress>, Error> {
        self.compute(|| guarded(self.is_on_a_card(), || self.next(drawing, preview)))
    }

    fn next(&self, drawing: &mut Drawing, preview: bool) -> Result<Option<Progress>, Error> {
        // An error or a panic leaves it over, and what it held is dropped.
        let (piece, pictures) = match std::mem::replace(&mut drawing.stage, Stage::Over) {
            Stage::Over => return Ok(None),
            Stage::Prompts(tokens) => {
                let captions = self.captions(&tokens)?;
                let seeds = drawing.recipe.seeds.clone().into_iter();
                (Some(Progress::Prompts), Box::new(Pictures { captions, seeds, sampling: None }))
            }
            Stage::Pictures(mut pictures) => (self.piece(&mut pictures, &drawing.recipe, preview)?, pictures),
        };
        if pictures.sampling.is_some() || pictures.seeds.len() > 0 {
            drawing.stage = Stage::Pictures(pictures);
        }
        Ok(piece)
    }

    /// A step of the picture that is begun, or of the next one; after its last step, its pixels.
    fn piece(
        &self,
        pictures: &mut Pictures,
        recipe: &Recipe,
        preview: bool,
    ) -> Result<Option<Progress>, Error> {
        let mut sampling = match pictures.sampling.take() {
            Some(begun) => begun,
            None => match pictures.seeds.next() {
                Some(seed) => self.sampling(self.noise(seed, recipe)?, recipe),
                None => return Ok(None),
            },
        };
        if let Some(estimate) = self.step(&mut sampling, &pictures.captions, recipe)? {
            // If the device failed here, the next step says so.
            let preview = if preview { self.preview(&estimate).ok() } else { None };
            pictures.sampling = Some(sampling);
            return Ok(Some(Progress::Step { preview }));
        }
        let picture = Picture::new(&self.decoded(sampling.latents, recipe.steps)?, 0)?;
        self.check_weights()?;
        Ok(Some(Progress::Picture(picture)))
    }

    /// What a picture begins with.
    ///
    /// # Shapes
    /// to `[1, c, y, x]`
    fn noise(&self, seed: u32, recipe: &Recipe) -> Result<Tensor<4>, Error> {
        let shape = self.latents_shape(recipe, 1);
        let noise = noise::randn(seed.into(), shape.iter().product())?;
        Ok(Tensor::from_data(TensorData::new(noise, shape), &self.device))
    }

    /// Begins a run of all steps from `latents` of pure noise.
    ///
    /// # Shapes
    /// `[b, c, y, x]`
    pub(crate) fn sampling(&self, latents: Tensor<4>, recipe: &Recipe) -> Sampling {
        let [_, _, y, x] = latents.dims();
        let sigmas = self.schedule.sigmas(recipe.steps, y * x / 4);
        let steps: Vec<[f32; 2]> = sigmas.array_windows::<2>().copied().collect();
        Sampling { latents, steps: steps.into_iter() }
    }

    /// Takes the next step, and estimates the finished latents; `None` if the last one was taken.
    ///
    /// # Shapes
    /// to `[b, c, y, x]`
    pub(crate) fn step(
        &self,
        sampling: &mut Sampling,
        captions: &Captions,
        recipe: &Recipe,
    ) -> Result<Option<Tensor<4>>, Error> {
        let Some([sigma, sigma_next]) = sampling.steps.next() else { return Ok(None) };
        let latents = sampling.latents.clone();
        let velocity = self.velocity(&latents, sigma, captions, recipe);
        let estimate = latents.clone() - velocity.clone() * sigma;
        sampling.latents = latents + velocity * (sigma_next - sigma);
        if !finite(&host(sampling.latents.clone())?)? {
            let step_index = recipe.steps - sampling.steps.len() as u32;
            return Err(Error::NonFinite { step_index, step_count: recipe.steps });
        }
        Ok(Some(estimate))
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
        let mut rgb = room(3 * plane)?;
        rgb.extend((0..plane).flat_map(|i| [0, 1, 2].map(|c| level(planes[c * plane + i]))));
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
