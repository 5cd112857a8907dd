//! What may be asked of the pipeline.

/// One job: a prompt, its numbers, and one seed per picture.
///
/// The text is taken as it is; limits on it are the caller's and the tokenizer's.
#[derive(Clone)]
pub struct Recipe {
    /// What the picture shows.
    pub prompt: String,
    /// What guidance leads away from; used only when `guidance` is above 0.
    pub negative_prompt: String,
    /// Width in pixels, a multiple of 16.
    pub width: u32,
    /// Height in pixels, a multiple of 16.
    pub height: u32,
    /// Transformer evaluations.
    pub steps: u32,
    /// Guidance scale; 0 switches guidance off, as Turbo wants it.
    pub guidance: f32,
    /// Limit of the guided prediction's norm, as a multiple of the plain one's (`cfg_normalization`).
    pub guidance_norm_max: Option<f32>,
    /// Time above which guidance is off (`cfg_truncation`), 1 for never.
    pub guidance_time_max: f32,
    /// One seed per picture; each draws its own noise.
    pub seeds: Vec<u32>,
}

/// The texts of a recipe as the text encoder reads them, each with its template.
#[derive(Clone)]
pub struct Tokens {
    /// Of the prompt.
    pub prompt: Vec<u32>,
    /// Of the negative prompt; none without guidance.
    pub negative_prompt: Option<Vec<u32>>,
}

impl std::fmt::Debug for Recipe {
    /// Numbers only: a recipe may end up in a debug print, its prompt may not.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { width, height, steps, guidance, .. } = self;
        write!(f, "Recipe({width}x{height}, {steps} steps, guidance {guidance}, {} seeds)", self.seeds.len())
    }
}
