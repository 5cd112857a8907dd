//! Runs every case of a reference folder and measures the distance to each golden tensor.

use super::tensors::Tensors;
use crate::drawing::host;
use crate::error::quoted;
use crate::pipeline::{Captions, Pipeline};
use crate::vae::Encoder;
use crate::{Error, ModelFolder, Picture, Recipe, json, noise, schedule};
use burn_tensor::{Tensor, TensorData};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Longest `cases.json` in bytes.
const CASES_BYTES_MAX: u64 = 1 << 20;

/// One comparison.
#[derive(Debug)]
pub struct Check {
    /// The case, or the file's name for schedules and noise.
    pub case: String,
    /// The golden tensor.
    pub tensor: String,
    /// What was found.
    pub measured: Measured,
}

/// The result of a comparison.
#[derive(Debug)]
pub enum Measured {
    /// Largest error and its bound, both in the unit of the tensor.
    Error {
        /// Largest absolute difference.
        found: f64,
        /// What is allowed.
        bound: f64,
    },
    /// Share of values that are off by more than one grey level, and its bound.
    GreyLevels {
        /// Share found, 0 to 1.
        found: f64,
        /// Share allowed.
        bound: f64,
    },
    /// Number of elements that differ; none may.
    Different {
        /// Elements that differ, or that one side lacks.
        found: usize,
    },
    /// A golden tensor that no rule covers.
    NoRule,
}

impl Measured {
    /// Whether the promise holds. What no rule covers is not a pass.
    pub fn holds(&self) -> bool {
        match self {
            // A NaN is above every bound.
            Self::Error { found, bound } | Self::GreyLevels { found, bound } => found <= bound,
            Self::Different { found } => *found == 0,
            Self::NoRule => false,
        }
    }
}

/// The recipe of a golden case, as `cases.json` spells it.
#[derive(Deserialize)]
struct Case {
    prompt: String,
    negative_prompt: Option<String>,
    height: u32,
    width: u32,
    steps: u32,
    #[serde(default)]
    guidance_scale: f32,
    seed: u64,
    #[serde(default)]
    cfg_normalization: Normalization,
    #[serde(default = "one")]
    cfg_truncation: f32,
    #[serde(default = "one_image")]
    num_images_per_prompt: usize,
}

fn one() -> f32 {
    1.0
}
fn one_image() -> usize {
    1
}

/// `false`, `true` (which counts as 1) or a factor.
#[derive(Deserialize)]
#[serde(untagged)]
enum Normalization {
    Switch(bool),
    Factor(f32),
}

impl Default for Normalization {
    fn default() -> Self {
        Self::Switch(false)
    }
}

/// Measures every golden tensor of the folder at `dir`, telling `found` about each. `model` is what the pipeline was
/// loaded from: the encoder, which a pipeline does not hold, is loaded from it here.
///
/// # Errors
/// What keeps a case from running at all: a file that cannot be read, a recipe the model cannot make.
pub fn check(
    dir: &Path,
    model: &ModelFolder,
    pipeline: &Pipeline,
    found: &mut (dyn FnMut(Check) + Send),
) -> Result<(), Error> {
    pipeline.compute(|| check_all(dir, model, pipeline, found))
}

fn check_all(
    dir: &Path,
    model: &ModelFolder,
    pipeline: &Pipeline,
    found: &mut (dyn FnMut(Check) + Send),
) -> Result<(), Error> {
    let encoder = Encoder::open(model, &pipeline.device, pipeline.vae.kernels())?;
    let file = dir.join("cases.json");
    let text = super::tensors::read(&file, CASES_BYTES_MAX)?;
    let cases: BTreeMap<String, Case> = json::parse(&text)
        .map_err(|e| Error::ParseConfig { file: file.display().to_string(), reason: e.to_string() })?;
    for (name, case) in &cases {
        if name.len() > 100 || name.contains(|c: char| c == '/' || c.is_control()) {
            let reason = format!("{} cannot be the name of a case", quoted(name));
            return Err(Error::ParseConfig { file: file.display().to_string(), reason });
        }
        let golden = Tensors::read(&dir.join(format!("{name}.safetensors")))?;
        let mut run =
            Run { pipeline, encoder: &encoder, golden: &golden, case, name, told: BTreeSet::new(), found };
        run.all()?;
    }
    for (name, measure) in [("schedules", schedules as MeasureFile), ("torch_randn", torch_randn)] {
        let path = dir.join(format!("{name}.safetensors"));
        if path.exists() {
            let golden = Tensors::read(&path)?;
            for tensor in golden.names() {
                let measured = measure(pipeline, tensor, &golden.f32(tensor)?);
                found(Check { case: name.into(), tensor: tensor.into(), measured });
            }
        }
    }
    Ok(())
}

type MeasureFile = fn(&Pipeline, &str, &[f32]) -> Measured;

/// `static<shift>_<steps>` and `dynamic_seq<tokens>_<steps>`.
fn schedules(pipeline: &Pipeline, tensor: &str, golden: &[f32]) -> Measured {
    schedule_error(&pipeline.schedule, tensor, golden).unwrap_or(Measured::NoRule)
}

fn schedule_error(base: &schedule::Config, tensor: &str, golden: &[f32]) -> Option<Measured> {
    let (kind, steps) = tensor.rsplit_once('_')?;
    let mut config = base.clone();
    let mut tokens = 0;
    match kind.strip_prefix("dynamic_seq") {
        Some(seq) => (config.use_dynamic_shifting, tokens) = (true, seq.parse().ok()?),
        None => {
            config.use_dynamic_shifting = false;
            config.shift = kind.strip_prefix("static")?.parse().ok()?;
        }
    }
    Some(largest(&config.sigmas(steps.parse().ok()?, tokens), golden, 1e-6))
}

/// `<seed>:<shape>`.
fn torch_randn(_: &Pipeline, tensor: &str, golden: &[f32]) -> Measured {
    match tensor.split_once(':').and_then(|(seed, _)| seed.parse().ok()) {
        Some(seed) => match noise::randn(seed, golden.len()) {
            Ok(noise) => largest(&noise, golden, 1e-6),
            Err(_) => Measured::Error { found: f64::INFINITY, bound: 1e-6 },
        },
        None => Measured::NoRule,
    }
}

struct Run<'a> {
    pipeline: &'a Pipeline,
    encoder: &'a Encoder,
    golden: &'a Tensors,
    case: &'a Case,
    name: &'a str,
    /// Tensors that were compared.
    told: BTreeSet<String>,
    found: &'a mut (dyn FnMut(Check) + Send),
}

impl Run<'_> {
    fn all(&mut self) -> Result<(), Error> {
        let (pipeline, golden) = (self.pipeline, self.golden);
        let recipe = self.recipe();
        pipeline.check(&recipe)?;
        self.text("input_ids", "prompt_embeds", &recipe.prompt)?;
        self.text("negative_input_ids", "negative_prompt_embeds", &recipe.negative_prompt)?;

        let shape = pipeline.latents_shape(&recipe, self.case.num_images_per_prompt);
        // A batch of the reference is one draw of one seed.
        let count = shape.iter().fold(1, |count: usize, side| count.saturating_mul(*side));
        let noise = noise::randn(self.case.seed, count)?;
        self.compare("noise", &noise, |_| 1e-6)?;
        let noise = Tensor::<4>::from_data(TensorData::new(noise, shape), &pipeline.device);

        let captions = pipeline.captions(&pipeline.tokens(&recipe)?)?;
        for tensor in golden.names().filter(|n| n.starts_with("transformer_t")) {
            if let Some(time) = tensor.strip_prefix("transformer_t").and_then(|t| t.parse().ok()) {
                let output = pipeline.transformer.forward(noise.clone(), time, &captions.positive);
                self.compare(tensor, &to_vec(output)?, |max| 1e-4 * max)?;
            }
        }
        self.steps(noise, &captions, &recipe)?;

        let unruled: Vec<&str> = golden.names().filter(|n| !self.told.contains(*n)).collect();
        unruled.into_iter().for_each(|tensor| self.tell(tensor, Measured::NoRule));
        Ok(())
    }

    fn recipe(&self) -> Recipe {
        let case = self.case;
        Recipe {
            prompt: case.prompt.clone(),
            negative_prompt: case.negative_prompt.clone().unwrap_or_default(),
            width: case.width,
            height: case.height,
            steps: case.steps,
            guidance: case.guidance_scale,
            guidance_norm_max: match case.cfg_normalization {
                Normalization::Switch(false) => None,
                Normalization::Switch(true) => Some(1.0),
                Normalization::Factor(c) => (c > 0.0).then_some(c),
            },
            guidance_time_max: case.cfg_truncation,
            seeds: Vec::new(),
        }
    }

    fn text(&mut self, ids_tensor: &str, embeds_tensor: &str, prompt: &str) -> Result<(), Error> {
        let ids = self.pipeline.tokenizer.encode(prompt)?;
        if self.golden.holds(ids_tensor) {
            let golden = self.golden.i64(ids_tensor)?;
            let equal = golden.iter().zip(&ids).filter(|(g, i)| **g == i64::from(**i)).count();
            let found = golden.len().max(ids.len()) - equal;
            self.tell(ids_tensor, Measured::Different { found });
        }
        if self.golden.holds(embeds_tensor) {
            let embeds = to_vec(self.pipeline.text_encoder.forward(&ids)?)?;
            self.compare(embeds_tensor, &embeds, |max| 1e-4 * max)?;
        }
        Ok(())
    }

    fn steps(&mut self, noise: Tensor<4>, captions: &Captions, recipe: &Recipe) -> Result<(), Error> {
        let pipeline = self.pipeline;
        let [b, _, y, x] = noise.dims();
        let sigmas = pipeline.schedule.sigmas(recipe.steps, y * x / 4);
        let timesteps: Vec<f32> = sigmas[..sigmas.len() - 1].iter().map(|s| s * 1000.0).collect();
        self.compare("sigmas", &sigmas, |_| 1e-6)?;
        self.compare("timesteps", &timesteps, |_| 1e-3)?;

        let mut trace = Vec::new();
        let mut before = noise.clone();
        let mut sampling = pipeline.sampling(noise, recipe);
        while let Some(estimate) = pipeline.step(&mut sampling, captions, recipe)? {
            let velocity = (before - estimate) / sigmas[trace.len()];
            before = sampling.latents.clone();
            trace.push((before.clone(), velocity));
        }
        for (index, (latents, velocity)) in (1..).zip(trace) {
            self.compare(&format!("latents_step{index}"), &to_vec(latents)?, |_| 1e-3)?;
            self.compare(&format!("velocity_step{index}"), &to_vec(velocity)?, |max| 1e-3 * max.max(1.0))?;
        }

        let decoded = pipeline.decoded(sampling.latents, recipe.steps)?;
        self.grey_levels(&decoded, b)?;
        if self.golden.holds("vae_encode_mean") {
            let shape: [usize; 4] = [b, 3, recipe.height as usize, recipe.width as usize];
            let picture = TensorData::new(self.golden.f32("image_0_1")?, shape);
            let mean = self.encoder.mean(Tensor::from_data(picture, &pipeline.device));
            self.compare("vae_encode_mean", &to_vec(mean)?, |_| 1e-3)?;
        }
        Ok(())
    }

    fn grey_levels(&mut self, decoded: &TensorData, batch: usize) -> Result<(), Error> {
        const SHARE_MAX: f64 = 0.001;
        let mut levels = Vec::new(); // in the reference's order, [b, 3, y, x]
        for item in 0..batch {
            let Picture { rgb, .. } = Picture::new(decoded, item)?;
            (0..3).for_each(|c| levels.extend(rgb.iter().skip(c).step_by(3).copied()));
        }
        let share =
            |off: usize| Measured::GreyLevels { found: off as f64 / levels.len() as f64, bound: SHARE_MAX };
        if self.golden.holds("image_u8") {
            let golden = self.golden.u8("image_u8")?;
            let off = golden.iter().zip(&levels).filter(|(g, l)| g.abs_diff(**l) > 1).count();
            self.tell("image_u8", share(off + golden.len().abs_diff(levels.len())));
        }
        if self.golden.holds("image_0_1") {
            let golden = self.golden.f32("image_0_1")?;
            let values = decoded.as_slice::<f32>().map_err(|e| Error::Compute(e.to_string()))?;
            let near = |(g, v): &(&f32, &f32)| (**g - v.clamp(0.0, 1.0)).abs() <= 1.0 / 255.0;
            let off = golden.len().max(values.len()) - golden.iter().zip(values).filter(near).count();
            self.tell("image_0_1", share(off));
        }
        Ok(())
    }

    /// Compares if the reference has this tensor; `bound` is told its largest absolute value.
    fn compare(&mut self, tensor: &str, values: &[f32], bound: fn(f64) -> f64) -> Result<(), Error> {
        if self.golden.holds(tensor) {
            let golden = self.golden.f32(tensor)?;
            let max = golden.iter().fold(0.0, |max: f64, g| max.max(f64::from(*g).abs()));
            self.tell(tensor, largest(values, &golden, bound(max)));
        }
        Ok(())
    }

    fn tell(&mut self, tensor: &str, measured: Measured) {
        self.told.insert(tensor.into());
        (self.found)(Check { case: self.name.into(), tensor: tensor.into(), measured });
    }
}

/// Largest difference; infinite if the lengths differ or a value is not a number.
fn largest(values: &[f32], golden: &[f32], bound: f64) -> Measured {
    let difference = |(v, g): (&f32, &f32)| match f64::from(*v) - f64::from(*g) {
        d if d.is_nan() => f64::INFINITY,
        d => d.abs(),
    };
    let found = match values.len() == golden.len() {
        true => values.iter().zip(golden).map(difference).fold(0.0, f64::max),
        false => f64::INFINITY,
    };
    Measured::Error { found, bound }
}

fn to_vec<const D: usize>(x: Tensor<D>) -> Result<Vec<f32>, Error> {
    host(x)?.try_to_vec().map_err(|e| Error::Compute(e.to_string()))
}
