//! The adapter: `diffusion` behind the seam that the darkroom speaks to.

use crate::boot::memory::Memory;
use crate::version::DEMO_NAME;
use diffusion::{DeviceName, Drawing, Error, FoundDevice, LoadProgress, ModelFolder, Pipeline, Tokens};
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
    /// Whether the card has failed.
    is_spent: bool,
}

/// The work that was begun; its memory is given up before its claim to it.
struct Work {
    drawing: Drawing,
    _claim: Claim,
}

/// Counts the memory of the work in hand as free for the work after it, for as long as it lives.
struct Claim(Arc<Checkpoint>);

/// Memory of the work in hand, in bytes: what was left before it began, and what it was said to take. Zero without work.
#[derive(Default)]
struct InWork {
    left_before: AtomicU64,
    needed: AtomicU64,
}

/// A loaded checkpoint, and what it may take.
struct Checkpoint {
    pipeline: Pipeline,
    /// Where it was loaded from; none for the embedded model.
    folder: Option<PathBuf>,
    memory: Arc<Memory>,
    in_work: InWork,
}

impl Diffusion {
    /// Loads and checks a checkpoint, and tells how far it is.
    ///
    /// # Errors
    /// What is wrong with the folder, or that it does not fit in memory.
    pub fn load(
        folder: &ModelFolder,
        found: &FoundDevice,
        memory: Arc<Memory>,
        tell: &mut (dyn FnMut(LoadProgress) + Send),
    ) -> Result<Self, Error> {
        let pipeline = Pipeline::load_telling(folder, found, memory.left_bytes(), tell)?;
        let name = match folder {
            ModelFolder::Embedded(_) => DEMO_NAME.into(),
            ModelFolder::Disk(path) | ModelFolder::Within(path, _) => {
                path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into())
            }
        };
        let model = Model {
            name,
            digest: pipeline.digest(),
            device: match found.name() {
                DeviceName::Cpu => Device::Cpu,
                DeviceName::Cuda(_) => Device::Cuda,
            },
            may_change: pipeline.weights_may_change(),
            side_px_default: pipeline.side_px_default(),
            side_px_max: pipeline.sides_px_max().into_iter().min().unwrap_or_default(),
            steps_default: STEPS_DEFAULT,
        };
        let folder = match folder {
            ModelFolder::Disk(path) | ModelFolder::Within(path, _) => Some(path.clone()),
            ModelFolder::Embedded(_) => None,
        };
        let checkpoint = Checkpoint { pipeline, folder, memory, in_work: InWork::default() };
        Ok(Self { checkpoint: Arc::new(checkpoint), model, work: None, is_spent: false })
    }
}

impl InWork {
    /// Bytes that will be left after the work in hand if `now` are left: it gives back what it took, and how much of its own
    /// that is so far nobody knows, so no more than was there when it began.
    fn left_after(&self, now: u64) -> u64 {
        let [left_before, needed] =
            [&self.left_before, &self.needed].map(|bytes| bytes.load(Ordering::Relaxed));
        now.max(left_before.min(now.saturating_add(needed)))
    }
}

impl Claim {
    fn new(checkpoint: &Arc<Checkpoint>, needed_bytes: u64) -> Self {
        let InWork { left_before, needed } = &checkpoint.in_work;
        left_before.store(checkpoint.memory.left_bytes(), Ordering::Relaxed);
        needed.store(needed_bytes, Ordering::Relaxed);
        Self(Arc::clone(checkpoint))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let InWork { left_before, needed } = &self.0.in_work;
        for bytes in [left_before, needed] {
            bytes.store(0, Ordering::Relaxed);
        }
    }
}

impl Checkpoint {
    fn told(&self, error: Error) -> engine::Error {
        engine_error(match &self.folder {
            Some(folder) => inside(folder, error),
            None => error,
        })
    }

    /// Refuses what does not fit in memory, with what it needs, what there is, and what would fit.
    fn check_memory(&self, drawn: &diffusion::Recipe, tokens: &Tokens) -> Result<(), engine::Error> {
        let (needed, left) =
            (self.pipeline.bytes_needed(drawn, tokens), self.in_work.left_after(self.memory.left_bytes()));
        if needed <= left {
            return Ok(());
        }
        let instead = match self.pipeline.size_that_fits(drawn, tokens, left) {
            Some([width, height]) => format!("{width}x{height} fits"),
            None => "none of this shape fits, so end other programs".to_owned(),
        };
        let text = format!(
            "a picture of {}x{} needs {} MiB of memory, and {} MiB are left; {instead}",
            drawn.width,
            drawn.height,
            needed.div_ceil(1 << 20),
            left >> 20
        );
        Err(engine::Error::Refused { rule: Rule::Memory, text })
    }
}

impl Check for Checkpoint {
    fn check(&self, recipe: &Recipe) -> Result<Prepared, engine::Error> {
        let settings = recipe.settings.clone();
        let mut drawn = of_settings(&settings);
        self.pipeline.check(&drawn).map_err(|error| self.told(error))?;
        drawn.prompt = recipe.prompt.to_string();
        drawn.negative_prompt = recipe.negative_prompt.to_string();
        let tokens = self.pipeline.tokens(&drawn);
        drop((Zeroizing::new(drawn.prompt), Zeroizing::new(drawn.negative_prompt)));
        let tokens = tokens.map_err(|error| self.told(error))?;
        let fits = self.check_memory(&of_settings(&settings), &tokens);
        let Tokens { prompt, negative_prompt } = tokens;
        let (tokens, negative_tokens) = (Zeroizing::new(prompt), negative_prompt.map(Zeroizing::new));
        fits?;
        Ok(Prepared { tokens, negative_tokens, settings })
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

    fn is_spent(&self) -> bool {
        self.is_spent
    }

    fn begin(&mut self, prepared: &Prepared) -> Result<(), engine::Error> {
        self.work = None;
        let pipeline = &self.checkpoint.pipeline;
        let recipe = of_settings(&prepared.settings);
        let tokens = Tokens {
            prompt: prepared.tokens.to_vec(),
            negative_prompt: prepared.negative_tokens.as_ref().map(|tokens| tokens.to_vec()),
        };
        let claim = Claim::new(&self.checkpoint, pipeline.bytes_needed(&recipe, &tokens));
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
        let piece = self.checkpoint.pipeline.advance(&mut work.drawing, preview).map_err(|error| {
            // After a fault a card answers nothing any more, and what was spent of its memory comes back with the process.
            self.is_spent |=
                self.model.device == Device::Cuda && matches!(error, Error::Compute(_) | Error::CardFull);
            self.checkpoint.told(error)
        })?;
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
        Error::Memory { .. } | Error::CardFull => failed(Cause::Memory, text),
        _ => failed(Cause::Other, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_gives_back_no_more_than_there_was() {
        assert_eq!(InWork::default().left_after(900), 900);
        let in_work = InWork { left_before: AtomicU64::new(1000), needed: AtomicU64::new(800) };
        // At its begin, with all that it needs, when others took some meanwhile, and when others gave some back.
        let left = [1000, 200, 100, 1300].map(|now| in_work.left_after(now));
        assert_eq!(left, [1000, 1000, 900, 1300]);
    }

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
