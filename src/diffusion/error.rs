//! The one error type of this crate. No variant carries a prompt.

use std::path::PathBuf;

/// Why a model could not be loaded or a picture could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file of the model folder could not be opened or read.
    #[error("cannot read {}: {source}; check that the model folder is complete and readable", file.display())]
    ReadFile {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of the model was written to after it was opened.
    #[error(
        "{} has changed while it was in use, so that this is no longer the model that was loaded; \
         stop whatever writes to it, and start again", file.display()
    )]
    FileChanged {
        /// The file.
        file: PathBuf,
    },
    /// The system gave no memory for a buffer of ours.
    #[error("there is no memory for {bytes} bytes; end other programs, or use a smaller model or picture")]
    Memory {
        /// Size of the buffer.
        bytes: u64,
    },
    /// A symbolic link inside the model folder points out of it.
    #[error(
        "{} is a link that leaves the model folder, which the sandbox does not follow; \
         make a copy without links: cp -rL {} NEW_FOLDER", file.display(), folder.display()
    )]
    LinkLeavesFolder {
        /// The link.
        file: PathBuf,
        /// The model folder.
        folder: PathBuf,
    },
    /// A JSON file is not what this version understands.
    #[error("{file}: {}", short(reason, 240))]
    ParseConfig {
        /// Path inside the model folder.
        file: String,
        /// What is wrong, from the parser or from a check of ours.
        reason: String,
    },
    /// A safetensors file or its index is damaged.
    #[error("{file}: {}; the file is damaged or incomplete, copy it again", short(reason, 240))]
    ParseWeights {
        /// Path inside the model folder.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// A tensor that the architecture needs is not in the checkpoint.
    #[error("{file}: tensor {key} is missing (wanted shape {wanted:?})")]
    MissingTensor {
        /// Path inside the model folder.
        file: String,
        /// The tensor's name.
        key: String,
        /// The shape that was looked for.
        wanted: Vec<usize>,
    },
    /// A tensor has another shape than the configuration implies.
    #[error("{file}: tensor {key} has shape {found:?}, wanted {wanted:?}")]
    TensorShape {
        /// Path inside the model folder.
        file: String,
        /// The tensor's name.
        key: String,
        /// The shape found.
        found: Vec<usize>,
        /// The shape wanted.
        wanted: Vec<usize>,
    },
    /// A tensor has an element type that this version does not compute with.
    #[error("{file}: tensor {key} has type {found}, wanted BF16, F16 or F32")]
    TensorType {
        /// Path inside the model folder.
        file: String,
        /// The tensor's name.
        key: String,
        /// The type found.
        found: String,
    },
    /// The checkpoint holds tensors that the architecture does not have.
    #[error(
        "{file}: tensors that this architecture does not have ({count}), among them {key} of shape {found:?}"
    )]
    SurplusTensors {
        /// Path inside the model folder.
        file: String,
        /// How many.
        count: usize,
        /// The first in name order.
        key: String,
        /// Its shape.
        found: Vec<usize>,
    },
    /// The prompt does not fit the text encoder.
    #[error("the prompt has {found} {unit}, the limit is {limit}; shorten it")]
    PromptTooLong {
        /// Units found.
        found: usize,
        /// Units allowed.
        limit: usize,
        /// What is counted, in words.
        unit: &'static str,
    },
    /// The tokenizer refused the text.
    #[error("the tokenizer could not encode the prompt")]
    Tokenize,
    /// The picture's size is not one that this checkpoint can make.
    #[error("a picture of {width}x{height} is not possible here: {reason}")]
    PictureSize {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Which rule it breaks.
        reason: String,
    },
    /// A number of the recipe is outside its range.
    #[error("{what} is {found}, wanted {wanted}")]
    RecipeRange {
        /// Name of the number.
        what: &'static str,
        /// The value found.
        found: f64,
        /// The range wanted, in words.
        wanted: &'static str,
    },
    /// An activation became NaN or infinite.
    #[error(
        "the latents became non-finite at step {step_index} of {step_count}; \
         this picture was not made (a damaged checkpoint or a precision too low for it)"
    )]
    NonFinite {
        /// The step, counted from 1.
        step_index: u32,
        /// Steps of the job.
        step_count: u32,
    },
    /// The system gave no thread to compute with.
    #[error(
        "no thread to compute with could be started: {0}; allow this user more threads (TasksMax=, ulimit -u)"
    )]
    Threads(String),
    /// The device does not exist or cannot be used.
    #[error("{0}")]
    Device(String),
    /// The memory of the card is spent.
    #[error(
        "there is no memory left on the card; end other programs that use it, ask for a smaller picture, or use --device cpu"
    )]
    CardFull,
    /// The device failed while it computed.
    #[error("the device failed while computing: {0}")]
    Compute(String),
}

/// A name out of a file, as an error quotes it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", short(name, 60))
}

/// The first `chars_max` characters of a text that a file may have a part in, with nothing that a terminal obeys.
fn short(text: &str, chars_max: usize) -> String {
    let mut out = String::new();
    for c in text.chars().take(chars_max) {
        match c {
            '"' | '\'' | '\\' => out.push(c),
            _ => out.extend(c.escape_debug()),
        }
    }
    if text.chars().nth(chars_max).is_some() {
        out.push_str("...");
    }
    out
}
