//! The seam to whatever makes pictures. Plain data crosses it, so that the engine may move to its own process.

use crate::request::Request;
use audit::words::{Device, GenerateFailure, RequestRefusal};
use std::ops::ControlFlow;

/// The loaded model, as far as requests and records need to know it.
#[derive(Clone, Debug)]
pub struct Model {
    /// Its name for people.
    pub name: String,
    /// SHA-256 of its files.
    pub digest: [u8; 32],
    /// Where it computes.
    pub device: Device,
    /// Width and height in pixels when a request names none.
    pub side_px_default: u32,
    /// Greatest width and height in pixels.
    pub side_px_max: u32,
    /// Steps when a request names none.
    pub steps_default: u32,
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

/// What an engine tells while it works.
pub enum Progress<'a> {
    /// A step has ended.
    Step {
        /// Index of the picture in the request.
        picture: usize,
        /// The step, counted from 1.
        index: u32,
        /// Steps of each picture.
        count: u32,
        /// Makes a small picture of where this step expects to arrive; costs time only when it is called.
        preview: &'a dyn Fn() -> Option<Pixels>,
    },
    /// A picture is done.
    Picture {
        /// Its index in the request.
        picture: usize,
        /// Its pixels.
        pixels: Pixels,
    },
}

/// Why an engine made no picture. The text never repeats the prompt.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The model cannot do what was asked; nothing was computed.
    #[error("{text}")]
    Refused {
        /// The word for the log.
        reason: RequestRefusal,
        /// The sentence for the person.
        text: String,
    },
    /// It began and did not end.
    #[error("{text}")]
    Failed {
        /// The word for the log.
        reason: GenerateFailure,
        /// The sentence for the person.
        text: String,
    },
}

/// Something that makes pictures.
pub trait Engine {
    /// The loaded model.
    fn model(&self) -> &Model;

    /// Whether the model can do this, without computing.
    ///
    /// # Errors
    /// [`EngineError::Refused`].
    fn check(&self, request: &Request) -> Result<(), EngineError>;

    /// Makes one picture per seed, in order, and hands each over as soon as it is done. A `Break` for an answer
    /// cancels within one step. Nothing of the request outlives the call.
    ///
    /// # Errors
    /// [`EngineError`].
    fn generate(
        &mut self,
        request: &Request,
        tell: &mut dyn FnMut(Progress<'_>) -> ControlFlow<()>,
    ) -> Result<(), EngineError>;
}
