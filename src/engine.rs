//! The adapter: `diffusion` behind the darkroom's `trait Engine`.

use darkroom::{Engine, EngineError, Model, Pixels, Progress, Request};
use diffusion::{Error, ModelFolder, Pipeline, Place, Recipe};
use std::ops::ControlFlow;

/// Steps when a request names none: what Turbo models are made for.
const STEPS_DEFAULT: u32 = 8;

/// A loaded checkpoint as the darkroom sees it.
pub struct Diffusion {
    pipeline: Pipeline,
    model: Model,
}

impl Diffusion {
    /// Loads and checks a checkpoint.
    ///
    /// # Errors
    /// What is wrong with the folder or the device.
    pub fn load(folder: &ModelFolder, place: Place) -> Result<Self, Error> {
        let pipeline = Pipeline::load(folder, place)?;
        let name = match folder {
            ModelFolder::Embedded(_) => "lightproof-demo".into(),
            ModelFolder::Disk(path) => {
                path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into())
            }
        };
        let model = Model {
            name,
            digest: pipeline.digest(),
            device: match place {
                Place::Cpu => audit::words::Device::Cpu,
                Place::Cuda(_) => audit::words::Device::Cuda,
            },
            side_px_default: pipeline.side_px_default(),
            side_px_max: pipeline.sides_px_max().into_iter().min().unwrap_or_default(),
            steps_default: STEPS_DEFAULT,
        };
        Ok(Self { pipeline, model })
    }
}

impl Engine for Diffusion {
    fn model(&self) -> &Model {
        &self.model
    }

    fn check(&self, request: &Request) -> Result<(), EngineError> {
        let checked = self.pipeline.check(&recipe(request)).and_then(|()| {
            self.pipeline.count_tokens(&request.prompt)?;
            self.pipeline.count_tokens(&request.negative_prompt)
        });
        checked.map(drop).map_err(engine_error)
    }

    fn generate(
        &mut self,
        request: &Request,
        tell: &mut dyn FnMut(Progress<'_>) -> ControlFlow<()>,
    ) -> Result<(), EngineError> {
        let mut relay = |progress: diffusion::Progress<'_>| match progress {
            diffusion::Progress::Step(step) => tell(Progress::Step {
                picture: step.seed_index,
                index: step.index,
                count: step.count,
                preview: &|| step.preview().ok().map(pixels),
            }),
            diffusion::Progress::Picture(picture, done) => {
                tell(Progress::Picture { picture, pixels: pixels(done) })
            }
        };
        self.pipeline.generate(&recipe(request), &mut relay).map_err(engine_error)
    }
}

fn recipe(request: &Request) -> Recipe {
    Recipe {
        prompt: request.prompt.to_string(),
        negative_prompt: request.negative_prompt.to_string(),
        width: request.width,
        height: request.height,
        steps: request.steps,
        guidance: request.guidance_milli as f32 / 1000.0,
        guidance_norm_max: None,
        guidance_time_max: 1.0,
        seeds: request.seeds.clone(),
    }
}

fn pixels(picture: diffusion::Picture) -> Pixels {
    Pixels { width: picture.width, height: picture.height, rgb: picture.rgb }
}

fn engine_error(error: Error) -> EngineError {
    use audit::words::{GenerateFailure, RequestRefusal};
    let text = error.to_string();
    let refused = |reason, text| EngineError::Refused { reason, text };
    let failed = |reason, text| EngineError::Failed { reason, text };
    match error {
        Error::PromptTooLong { .. } => refused(RequestRefusal::PromptLength, text),
        Error::Tokenize => refused(RequestRefusal::PromptEncoding, text),
        Error::PictureSize { .. } => refused(RequestRefusal::Size, text),
        Error::RecipeRange { .. } => refused(RequestRefusal::Parameter, text),
        Error::NonFinite { .. } => failed(GenerateFailure::NonFinite, text),
        Error::Cancelled { .. } => failed(GenerateFailure::Cancelled, text),
        _ => failed(GenerateFailure::EngineError, text),
    }
}
