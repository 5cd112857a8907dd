//! The seam between whoever keeps pictures and whatever makes them: a recipe in, steps and pixels out.
//!
//! All that crosses it is plain data, a question and its answer at a time, so that an engine may be in a process of its own:
//! [`near::Near`] is that process, [`far::Far`] the engine as the other one has it, and `wire` what goes between them.
//! Belongs here: that data, the two traits, and the wire. Does not belong here: records, requests, tensors, how a process is
//! started; this crate names nothing else of ours.
//!
//! A request crosses twice. [`Check::check`] turns its text into tokens and says what the model cannot do; it may be
//! asked while a picture is in work. [`Engine::begin`] takes the tokens, never the text, and [`Engine::next`] is then
//! called once for each piece of the work: nothing is computed between two calls, so whoever asks sets the pace.

pub mod far;
mod fields;
mod line;
pub mod near;
pub mod supply;
#[cfg(test)]
mod tests;
pub mod wire;

pub use fields::Nonsense;
pub use line::Fault;

use std::sync::Arc;
use zeroize::Zeroizing;

/// The loaded model, as far as requests and records need to know it.
#[derive(Clone, Debug)]
pub struct Model {
    /// Its name for people.
    pub name: String,
    /// SHA-256 of its files.
    pub digest: [u8; 32],
    /// Where it computes.
    pub device: Device,
    /// Others than its owner can write the files that it is used from.
    pub may_change: bool,
    /// Width and height in pixels when a request names none.
    pub side_px_default: u32,
    /// Greatest width and height in pixels.
    pub side_px_max: u32,
    /// Steps when a request names none.
    pub steps_default: u32,
}

/// Where a model computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// The processor.
    Cpu,
    /// An NVIDIA GPU.
    Cuda,
}

/// What is to be drawn.
pub struct Recipe {
    /// What the pictures show.
    pub prompt: Zeroizing<String>,
    /// What guidance leads away from; empty for nothing.
    pub negative_prompt: Zeroizing<String>,
    /// How they are drawn.
    pub settings: Settings,
}

/// The numbers of a recipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Transformer evaluations.
    pub steps: u32,
    /// Guidance in thousandths; 0 is off.
    pub guidance_milli: u32,
    /// One per picture.
    pub seeds: Vec<u32>,
}

/// A recipe that the model can do, as the model reads it.
pub struct Prepared {
    /// The tokens of the prompt.
    pub tokens: Zeroizing<Vec<u32>>,
    /// The tokens of the negative prompt; none without guidance.
    pub negative_tokens: Option<Zeroizing<Vec<u32>>>,
    /// How the pictures are drawn.
    pub settings: Settings,
}

/// How long a prompt is, with what the model puts around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PromptLength {
    /// Its tokens.
    pub tokens: usize,
    /// The most that the model reads.
    pub tokens_max: usize,
}

/// A picture before it is encoded: 8-bit RGB, rows from the top, no padding.
pub struct Pixels {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// `3 * width * height` bytes.
    pub rgb: Vec<u8>,
}

/// What an engine is told at each piece of its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Compute the next piece.
    GoOn {
        /// With a small picture, if the piece is a step; that costs time.
        preview: bool,
    },
    /// End the work, and keep nothing of it.
    End,
}

/// A piece of work that is done. The pieces come in one order, whose numbers whoever asks counts himself: the prompts,
/// and then for each picture its steps and its pixels.
pub enum Progress {
    /// The prompts have been read, and are gone but for what the model makes of them.
    Prompts,
    /// A step has ended.
    Step {
        /// A small picture of where this step expects to arrive, if one was asked for and could be made.
        preview: Option<Pixels>,
    },
    /// A picture is done.
    Picture(Pixels),
}

/// Why an engine made no picture. The text never repeats the prompt.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The model cannot do what was asked; nothing was computed.
    #[error("{text}")]
    Refused {
        /// Which rule is broken.
        rule: Rule,
        /// The sentence for the person.
        text: String,
    },
    /// It began and did not end.
    #[error("{text}")]
    Failed {
        /// Why.
        cause: Cause,
        /// The sentence for the person.
        text: String,
    },
}

/// What a model can refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The prompt has more tokens than the model reads.
    PromptLength,
    /// The prompt cannot be turned into tokens.
    PromptEncoding,
    /// The model has no positions for this size.
    Size,
    /// Another number is out of range.
    Parameter,
    /// It does not fit in the memory that is left.
    Memory,
}

/// Why work ended without its pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// [`Command::End`].
    Cancelled,
    /// A value was not finite.
    NonFinite,
    /// Memory ran out.
    Memory,
    /// A part of the engine failed unexpectedly.
    Panic,
    /// The engine's process ended, or had to be ended.
    Gone,
    /// Anything else.
    Other,
}

/// Says what a model can do, from any thread, also while it works.
pub trait Check: Send + Sync {
    /// Holds a recipe against the model, without computing, and turns its texts into tokens.
    ///
    /// # Errors
    /// [`Error::Refused`].
    fn check(&self, recipe: &Recipe) -> Result<Prepared, Error>;

    /// How long a prompt is for the model, whether it reads that much or not.
    ///
    /// # Errors
    /// [`Error::Refused`] if it cannot be turned into tokens.
    fn measure(&self, prompt: &str) -> Result<PromptLength, Error>;
}

/// Something that makes pictures.
pub trait Engine: Send {
    /// The loaded model.
    fn model(&self) -> &Model;

    /// What can be asked beside its work.
    fn checker(&self) -> Arc<dyn Check>;

    /// Waits until work can be begun, as long as `wanted` says: an engine may be on its way. Whether it came is said by
    /// [`Engine::begin`].
    fn wait(&mut self, wanted: &dyn Fn() -> bool) {
        let _ = wanted;
    }

    /// How the process is fenced that has taken the place of an earlier one since this was last asked.
    fn renewed(&mut self) -> Option<wire::Fenced> {
        None
    }

    /// Whether what it computes on has failed, so that its process ends after this answer and another one starts anew.
    fn is_spent(&self) -> bool {
        false
    }

    /// Takes up work: one picture per seed, in order. Nothing is computed yet. Earlier work that has not ended is dropped.
    ///
    /// # Errors
    /// [`Error`]; there is no work then.
    fn begin(&mut self, prepared: &Prepared) -> Result<(), Error>;

    /// Computes the next piece. The work is over with its last picture, with an error and with [`Command::End`], and
    /// nothing of it is kept then.
    ///
    /// # Errors
    /// [`Error`]: of [`Cause::Cancelled`] for [`Command::End`], of [`Cause::Other`] if there is no work.
    fn next(&mut self, command: Command) -> Result<Progress, Error>;
}
