//! A loaded checkpoint: what it is, what it can do, and what that takes. Source: `ZImagePipeline`.

use crate::checkpoint::{Checkpoint, Parts};
use crate::device::{FoundDevice, Precision, guarded};
use crate::dit::{Caption, PIXELS_PER_TOKEN, Transformer};
use crate::file::OpenFile;
use crate::folder::ModelFiles;
use crate::loading::LoadProgress;
use crate::qwen3::TextEncoder;
use crate::threads::Threads;
use crate::tokenizer::{TOKENS_MAX, Tokenizer};
use crate::vae::Vae;
use crate::{DeviceName, Error, ModelFolder, Recipe, Tokens, demo, schedule};
use burn_tensor::Device;

/// Largest width and height in pixels, whatever the checkpoint could do.
pub const SIDE_PX_MAX: u32 = 2048;
/// Most steps of a run.
pub const STEPS_MAX: u32 = 100;
/// Pixels a latent place stands for, in each direction.
pub(crate) const PIXELS_PER_LATENT: u32 = 8;

/// A loaded checkpoint, ready to make pictures.
pub struct Pipeline {
    pub(crate) tokenizer: Tokenizer,
    pub(crate) text_encoder: TextEncoder,
    pub(crate) transformer: Transformer,
    pub(crate) vae: Vae,
    pub(crate) schedule: schedule::Config,
    pub(crate) device: Device,
    /// None where a GPU computes: its work is queued by the thread that asks.
    pub(crate) threads: Option<Threads>,
    is_on_a_card: bool,
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
    pub fn load(folder: &ModelFolder, device_name: DeviceName) -> Result<Self, Error> {
        Self::load_telling(folder, &device_name.find()?, u64::MAX, &mut |_| ())
    }

    /// Loads a checkpoint if that takes at most `bytes_max` of memory at one time, and tells how far it is: a large one
    /// takes a minute. Weights that stay mapped count as nothing: the system drops and reads their pages as it likes.
    ///
    /// # Errors
    /// Those of [`Pipeline::load`]; [`Error::Memory`] if it would take more.
    pub fn load_telling(
        folder: &ModelFolder,
        found: &FoundDevice,
        bytes_max: u64,
        tell: &mut (dyn FnMut(LoadProgress) + Send),
    ) -> Result<Self, Error> {
        let threads = match found.name {
            DeviceName::Cpu => Some(Threads::start()?),
            DeviceName::Cuda(_) => None,
        };
        let choose = |parameters| Precision::choose(found.name, parameters);
        Self::load_with(folder, found, choose, bytes_max, threads, tell)
    }

    /// Checks everything that the files of a checkpoint claim, as [`Pipeline::load`] does, and reads no weight: the most bytes
    /// of memory that loading it would take at one time.
    ///
    /// # Errors
    /// Any that says what is wrong with the folder.
    pub fn bytes_to_load(folder: &ModelFolder, device_name: DeviceName) -> Result<u64, Error> {
        let choose = |parameters| Precision::choose(device_name, parameters);
        Ok(Checkpoint::open(folder, choose)?.bytes_to_load())
    }

    /// Checks everything that the files of a checkpoint claim, and reads no weight: the files that it takes.
    ///
    /// # Errors
    /// Any that says what is wrong with the folder.
    pub fn files(folder: &ModelFolder) -> Result<ModelFiles, Error> {
        let choose = |parameters| Precision::choose(DeviceName::Cpu, parameters);
        Ok(Checkpoint::open(folder, choose)?.files())
    }

    /// Loads text encoder and transformer with the precision that `choose` gives for a number of parameters, to compute
    /// on these threads.
    pub(crate) fn load_with(
        folder: &ModelFolder,
        found: &FoundDevice,
        choose: impl Fn(u64) -> Precision,
        bytes_max: u64,
        threads: Option<Threads>,
        tell: &mut (dyn FnMut(LoadProgress) + Send),
    ) -> Result<Self, Error> {
        let FoundDevice { name, device } = found.clone();
        let checkpoint = Checkpoint::open(folder, choose)?;
        let bytes = checkpoint.bytes_to_load();
        if bytes > bytes_max {
            return Err(Error::Memory { bytes });
        }
        let is_on_a_card = name != DeviceName::Cpu;
        let loaded = compute(threads.as_ref(), || guarded(is_on_a_card, || checkpoint.load(&device, tell)));
        let Parts { schedule, tokenizer, text_encoder, transformer, vae, digest, mut mapped } = loaded?;
        if is_on_a_card {
            mapped.clear(); // The weights lie on the device.
        }
        let embedded = matches!(folder, ModelFolder::Embedded(_));
        Ok(Self {
            tokenizer,
            text_encoder,
            transformer,
            vae,
            schedule,
            device,
            threads,
            is_on_a_card,
            digest,
            mapped,
            embedded,
        })
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

    /// Whether it computes on a card, whose driver may fail.
    pub(crate) fn is_on_a_card(&self) -> bool {
        self.is_on_a_card
    }

    /// Runs `act` where this model computes: for whoever calls its parts one by one.
    pub(crate) fn compute<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        compute(self.threads.as_ref(), act)
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

    /// Tokens of a prompt with its template, however many.
    ///
    /// # Errors
    /// [`Error::PromptTooLong`] above [`PROMPT_BYTES_MAX`](crate::tokenizer::PROMPT_BYTES_MAX) bytes, or
    /// [`Error::Tokenize`].
    pub fn count_tokens(&self, prompt: &str) -> Result<usize, Error> {
        Ok(self.tokenizer.ids(prompt)?.len())
    }

    /// Most tokens that this checkpoint reads, the template included.
    pub fn tokens_max(&self) -> usize {
        // Positions run from 1 to the padded length, and the image stands one behind.
        TOKENS_MAX.min(self.transformer.caption_tokens_max())
    }

    /// Whether mapped weights are still those that were hashed.
    pub(crate) fn check_weights(&self) -> Result<(), Error> {
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

    /// `[n, c, y, x]` of the latents of `n` pictures.
    pub(crate) fn latents_shape(&self, recipe: &Recipe, n: usize) -> [usize; 4] {
        let places = |side_px: u32| (side_px / PIXELS_PER_LATENT) as usize;
        [n, self.transformer.config().in_channels, places(recipe.height), places(recipe.width)]
    }

    /// What the transformer is handed for these tokens.
    pub(crate) fn captions(&self, tokens: &Tokens) -> Result<Captions, Error> {
        let caption = |ids: &[u32]| Ok(self.transformer.caption(self.text_encoder.forward(ids)?));
        let negative = tokens.negative_prompt.as_deref().map(caption).transpose()?;
        Ok(Captions { positive: caption(&tokens.prompt)?, negative })
    }

    pub(crate) fn check_tokens(&self, tokens: &Tokens) -> Result<(), Error> {
        let limit = self.tokens_max();
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
}

fn compute<T: Send>(threads: Option<&Threads>, act: impl FnOnce() -> T + Send) -> T {
    match threads {
        Some(threads) => threads.run(act),
        None => act(),
    }
}
