//! The adapter: `diffusion` behind the seam that the darkroom speaks to.

use crate::boot::memory::Memory;
use crate::version::DEMO_NAME;
use diffusion::{DeviceName, Drawing, Error, LoadProgress, ModelFolder, Pipeline, Tokens};
use engine::{
    Cause, Check, Command, Device, Engine, Model, Pixels, Prepared, Progress, PromptLength, Recipe, Rule,
    Settings,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use zeroize::Zeroizing;

/// Steps when a request names none: what Turbo models are made for.
const STEPS_DEFAULT: u32 = 8;

/// A loaded checkpoint as the darkroom sees it.
pub struct Diffusion {
    checkpoint: Arc<Checkpoint>,
    model: Model,
    work: Option<Work>,
}

/// The work that was begun; its memory is given up before its claim to it.
struct Work {
    drawing: Drawing,
    _claim: Claim,
}

/// Counts the memory of the work in hand as free for the work after it, for as long as it lives.
struct Claim(Arc<Checkpoint>);

/// A loaded checkpoint, and what it may take.
struct Checkpoint {
    pipeline: Pipeline,
    /// Where it was loaded from; none for the embedded model.
    folder: Option<PathBuf>,
    memory: Arc<Memory>,
    /// Bytes that the picture in work takes: they are free again when the next one begins.
    in_work_bytes: AtomicU64,
}

impl Diffusion {
    /// Loads and checks a checkpoint, and tells how far it is.
    ///
    /// # Errors
    /// What is wrong with the folder or the device, or that it does not fit in memory.
    pub fn load(
        folder: &ModelFolder,
        device_name: DeviceName,
        memory: Arc<Memory>,
        tell: &mut (dyn FnMut(LoadProgress) + Send),
    ) -> Result<Self, Error> {
        let pipeline = Pipeline::load_telling(folder, device_name, memory.left_bytes(), tell)?;
        let name = match folder {
            ModelFolder::Embedded(_) => DEMO_NAME.into(),
            ModelFolder::Disk(path) => {
                path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into())
            }
        };
        let model = Model {
            name,
            digest: pipeline.digest(),
            device: match device_name {
                DeviceName::Cpu => Device::Cpu,
                DeviceName::Cuda(_) => Device::Cuda,
            },
            may_change: pipeline.weights_may_change(),
            side_px_default: pipeline.side_px_default(),
            side_px_max: pipeline.sides_px_max().into_iter().min().unwrap_or_default(),
            steps_default: STEPS_DEFAULT,
        };
        let folder = match folder {
            ModelFolder::Disk(path) => Some(path.clone()),
            ModelFolder::Embedded(_) => None,
        };
        let checkpoint = Checkpoint { pipeline, folder, memory, in_work_bytes: AtomicU64::new(0) };
        Ok(Self { checkpoint: Arc::new(checkpoint), model, work: None })
    }
}

impl Claim {
    fn new(checkpoint: &Arc<Checkpoint>, bytes: u64) -> Self {
        checkpoint.in_work_bytes.store(bytes, Ordering::Relaxed);
        Self(Arc::clone(checkpoint))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.0.in_work_bytes.store(0, Ordering::Relaxed);
    }
}

impl Checkpoint {
    fn told(&self, error: Error) -> engine::Error {
        engine_error(match &self.folder {
            Some(folder) => inside(folder, error),
            None => error,
        })
    }
}

impl Check for Checkpoint {
    fn check(&self, recipe: &Recipe) -> Result<Prepared, engine::Error> {
        let settings = recipe.settings.clone();
        let mut drawn = of_settings(&settings);
        self.pipeline.check(&drawn).map_err(|error| self.told(error))?;
        let needed = self.pipeline.bytes_needed(&drawn);
        let left = self.memory.left_bytes().saturating_add(self.in_work_bytes.load(Ordering::Relaxed));
        if needed > left {
            let mib = |bytes: u64| bytes.div_ceil(1 << 20);
            let (width, height) = (settings.width, settings.height);
            let text = format!(
                "a picture of {width}x{height} takes up to {} MiB of memory, and {} MiB are left; ask for a smaller one",
                mib(needed),
                mib(left)
            );
            return Err(engine::Error::Refused { rule: Rule::Memory, text });
        }
        drawn.prompt = recipe.prompt.to_string();
        drawn.negative_prompt = recipe.negative_prompt.to_string();
        let tokens = self.pipeline.tokens(&drawn);
        drop((Zeroizing::new(drawn.prompt), Zeroizing::new(drawn.negative_prompt)));
        let Tokens { prompt, negative_prompt } = tokens.map_err(|error| self.told(error))?;
        let negative_tokens = negative_prompt.map(Zeroizing::new);
        Ok(Prepared { tokens: Zeroizing::new(prompt), negative_tokens, settings })
    }

    fn measure(&self, prompt: &str) -> Result<PromptLength, engine::Error> {
        let tokens = self.pipeline.count_tokens(prompt).map_err(|error| self.told(error))?;
        Ok(PromptLength { tokens, tokens_max: self.pipeline.tokens_max() })
    }
}

impl Engine for Diffusion {
    fn model(&self) -> &Model {
        &self.model
    }

    fn checker(&self) -> Arc<dyn Check> {
        Arc::clone(&self.checkpoint) as Arc<dyn Check>
    }

    fn begin(&mut self, prepared: &Prepared) -> Result<(), engine::Error> {
        self.work = None;
        let pipeline = &self.checkpoint.pipeline;
        let recipe = of_settings(&prepared.settings);
        let tokens = Tokens {
            prompt: prepared.tokens.to_vec(),
            negative_prompt: prepared.negative_tokens.as_ref().map(|tokens| tokens.to_vec()),
        };
        let claim = Claim::new(&self.checkpoint, pipeline.bytes_needed(&recipe));
        let drawing = pipeline.begin(&recipe, tokens).map_err(|error| self.checkpoint.told(error))?;
        self.work = Some(Work { drawing, _claim: claim });
        Ok(())
    }

    fn next(&mut self, command: Command) -> Result<Progress, engine::Error> {
        // Taken out: with the end, an error or a panic all of it is dropped.
        let work = self.work.take();
        let failed = |cause, text: &str| engine::Error::Failed { cause, text: text.into() };
        let Command::GoOn { preview } = command else {
            return Err(failed(Cause::Cancelled, "the work was ended before its last picture"));
        };
        let none = || failed(Cause::Other, "there is no work to go on with");
        let mut work = work.ok_or_else(none)?;
        let piece = self
            .checkpoint
            .pipeline
            .advance(&mut work.drawing, preview)
            .map_err(|error| self.checkpoint.told(error))?;
        if !work.drawing.is_over() {
            self.work = Some(work);
        }
        Ok(match piece.ok_or_else(none)? {
            diffusion::Progress::Prompts => Progress::Prompts,
            diffusion::Progress::Step { preview } => Progress::Step { preview: preview.map(pixels) },
            diffusion::Progress::Picture(picture) => Progress::Picture(pixels(picture)),
        })
    }
}

/// The texts are left out: what draws is handed tokens.
fn of_settings(settings: &Settings) -> diffusion::Recipe {
    diffusion::Recipe {
        prompt: String::new(),
        negative_prompt: String::new(),
        width: settings.width,
        height: settings.height,
        steps: settings.steps,
        guidance: settings.guidance_milli as f32 / 1000.0,
        guidance_norm_max: None,
        guidance_time_max: 1.0,
        seeds: settings.seeds.clone(),
    }
}

fn pixels(picture: diffusion::Picture) -> Pixels {
    Pixels { width: picture.width, height: picture.height, rgb: picture.rgb }
}

/// The error as whoever asks for a picture may read it, who need not know where on this machine the model lies: a file
/// goes by its name inside the folder.
fn inside(folder: &Path, error: Error) -> Error {
    let name = |file: PathBuf| file.strip_prefix(folder).map(Path::to_path_buf).unwrap_or(file);
    match error {
        Error::ReadFile { file, source } => Error::ReadFile { file: name(file), source },
        Error::FileChanged { file } => Error::FileChanged { file: name(file) },
        other => other,
    }
}

fn engine_error(error: Error) -> engine::Error {
    let text = error.to_string();
    let refused = |rule, text| engine::Error::Refused { rule, text };
    let failed = |cause, text| engine::Error::Failed { cause, text };
    match error {
        Error::PromptTooLong { .. } => refused(Rule::PromptLength, text),
        Error::Tokenize => refused(Rule::PromptEncoding, text),
        Error::PictureSize { .. } => refused(Rule::Size, text),
        Error::RecipeRange { .. } => refused(Rule::Parameter, text),
        Error::NonFinite { .. } => failed(Cause::NonFinite, text),
        Error::Memory { .. } => failed(Cause::Memory, text),
        _ => failed(Cause::Other, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_answer_says_where_the_model_lies() {
        let folder = Path::new("/srv/models/turbo");
        let file = folder.join("vae/model.safetensors");
        let source = std::io::Error::other("gone");
        let errors = [Error::FileChanged { file: file.clone() }, Error::ReadFile { file, source }];
        for error in errors.map(|error| inside(folder, error).to_string()) {
            assert!(error.contains("vae/model.safetensors") && !error.contains("/srv"), "{error}");
        }
    }
}
