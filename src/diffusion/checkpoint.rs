//! A whole checkpoint: all of it is checked before any weight is read.

use crate::device::Precision;
use crate::dit::{self, Transformer};
use crate::error::quoted;
use crate::file::OpenFile;
use crate::folder::{CONFIG_BYTES_MAX, ModelFiles, ModelFolder, ReadFile};
use crate::loading::{COPIES_BYTES_MAX, LoadProgress, Loading};
use crate::part::{Configuration as _, Part};
use crate::qwen3::{self, TextEncoder};
use crate::tokenizer::Tokenizer;
use crate::vae::{self, Vae};
use crate::{Error, schedule};
use burn_tensor::Device;
use serde::Deserialize;

/// Bytes of memory that a tokenizer takes while it is read, for each byte of its file.
const TOKENIZER_BYTES_PER_BYTE: u64 = 16;

/// Memory for what does not grow with the model: buffers of threads, and what the allocator keeps for later.
const SCRATCH_BYTES: u64 = 16 << 20;

/// A checkpoint whose configurations, headers and tokenizer were read, and whose weights were not.
pub(crate) struct Checkpoint {
    schedule: schedule::Config,
    schedule_file: ReadFile,
    tokenizer: Tokenizer,
    tokenizer_file: ReadFile,
    text_encoder: Part<qwen3::Config>,
    transformer: Part<dit::Config>,
    vae: Part<vae::Config>,
}

/// The parts of a checkpoint, ready to compute.
pub(crate) struct Parts {
    pub schedule: schedule::Config,
    pub tokenizer: Tokenizer,
    pub text_encoder: TextEncoder,
    pub transformer: Transformer,
    pub vae: Vae,
    /// SHA-256 over the files, see [`Loading`].
    pub digest: [u8; 32],
    /// Files whose bytes are used where they lie.
    pub mapped: Vec<OpenFile>,
}

const INDEX_FILE: &str = "model_index.json";

#[derive(Deserialize)]
struct ModelIndex {
    #[serde(rename = "_class_name")]
    class_name: String,
}

impl Checkpoint {
    /// Opens every file and checks what it claims. `choose` gives the precision of text encoder and transformer
    /// for a number of parameters.
    ///
    /// # Errors
    /// Any that says what is wrong with the folder.
    pub fn open(folder: &ModelFolder, choose: impl Fn(u64) -> Precision) -> Result<Self, Error> {
        const SCHEDULE_FILE: &str = "scheduler/scheduler_config.json";
        let (index, _) = folder.json::<ModelIndex>(INDEX_FILE, CONFIG_BYTES_MAX)?;
        if index.class_name != "ZImagePipeline" {
            let reason = format!("this is a {}, only ZImagePipeline is supported", quoted(&index.class_name));
            return Err(Error::ParseConfig { file: INDEX_FILE.into(), reason });
        }
        let (schedule, schedule_file) = folder.json(SCHEDULE_FILE, CONFIG_BYTES_MAX)?;
        let text_encoder: Part<qwen3::Config> = Part::open(folder, &choose)?;
        let transformer: Part<dit::Config> = Part::open(folder, &choose)?;
        let vae: Part<vae::Config> = Part::open(folder, |parameters| choose(parameters).in_f32())?;
        if vae.config.latent_channels != transformer.config.in_channels {
            let reason = "the transformer and the autoencoder disagree on the latents' channels".into();
            return Err(Error::ParseConfig { file: dit::Config::FILE.into(), reason });
        }
        if text_encoder.config.hidden_size != transformer.config.cap_feat_dim {
            let reason = "the transformer's cap_feat_dim is not the text encoder's hidden_size".into();
            return Err(Error::ParseConfig { file: dit::Config::FILE.into(), reason });
        }
        let (tokenizer, tokenizer_file) = Tokenizer::open(folder)?;
        Ok(Self { schedule, schedule_file, tokenizer, tokenizer_file, text_encoder, transformer, vae })
    }

    /// The files that it was opened from.
    pub fn files(&self) -> ModelFiles {
        let small = [&self.schedule_file, &self.tokenizer_file].map(|read| read.file.name().to_owned());
        let mut files = ModelFiles { made_of: small.into(), indexes: vec![INDEX_FILE.into()] };
        self.text_encoder.name_files(&mut files);
        self.transformer.name_files(&mut files);
        self.vae.name_files(&mut files);
        files.made_of.sort();
        files
    }

    /// Most bytes of memory that [`Checkpoint::load`] holds at one time, what was read before it included.
    pub fn bytes_to_load(&self) -> u64 {
        let mut kept = self.tokenizer_file.content.len() as u64 * TOKENIZER_BYTES_PER_BYTE;
        let mut peak = kept;
        for (stays, more) in
            [self.text_encoder.bytes_to_load(), self.transformer.bytes_to_load(), self.vae.bytes_to_load()]
        {
            kept += stays;
            peak = peak.max(kept + more);
        }
        SCRATCH_BYTES + peak + self.bytes().min(COPIES_BYTES_MAX as u64)
    }

    /// Bytes of the files that make the model.
    fn bytes(&self) -> u64 {
        let small = [&self.schedule_file, &self.tokenizer_file].map(|read| read.content.len() as u64);
        let parts = [self.text_encoder.bytes(), self.transformer.bytes(), self.vae.bytes()];
        small.iter().chain(&parts).sum()
    }

    /// Reads the weights and lays them out, while the files are hashed in the order of their names, as the digest wants it.
    ///
    /// # Errors
    /// [`Error::ReadFile`], [`Error::Memory`] or [`Error::FileChanged`].
    pub fn load(self, device: &Device, tell: &mut (dyn FnMut(LoadProgress) + Send)) -> Result<Parts, Error> {
        let mut loading = Loading::new(self.bytes(), tell);
        loading.add(self.schedule_file);
        let text_encoder = TextEncoder::load(self.text_encoder.load(&mut loading, device)?)?;
        loading.add(self.tokenizer_file);
        let transformer = Transformer::load(self.transformer.load(&mut loading, device)?)?;
        let vae = Vae::load(self.vae.load(&mut loading, device)?)?;
        let (digest, mapped) = loading.finish()?;
        let Self { schedule, tokenizer, .. } = self;
        Ok(Parts { schedule, tokenizer, text_encoder, transformer, vae, digest, mapped })
    }
}
