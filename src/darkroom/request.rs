//! What a person may ask for. A [`Request`] that exists is within every limit.

use audit::words::RequestRefusal;
use engine::{Model, Recipe, Settings};
use policy::{KeepPrompts, Limits};
use zeroize::Zeroizing;

/// Seeds are what the noise generator sees: 32 bits.
pub const SEED_MAX: i64 = u32::MAX as i64;
/// Sides are multiples of this many pixels.
const SIDE_PX_STEP: u32 = 16;
/// Guidance beyond this draws nothing but noise on any known checkpoint.
pub const GUIDANCE_MAX: f64 = 100.0;

/// The numbers and texts of a request as they came in, unchecked. What is `None` takes the model's default.
#[derive(Default)]
pub struct Ask {
    /// What the picture shows.
    pub prompt: Zeroizing<Vec<u8>>,
    /// What guidance leads away from.
    pub negative_prompt: Option<Zeroizing<Vec<u8>>>,
    /// Width and height in pixels.
    pub size: Option<(i64, i64)>,
    /// Transformer evaluations.
    pub steps: Option<i64>,
    /// Guidance scale, with at most three decimals; 0 is off.
    pub guidance: Option<f64>,
    /// Seed of the first picture; drawn at random if there is none.
    pub seed: Option<i64>,
    /// Number of pictures; picture i has seed + i.
    pub count: Option<i64>,
    /// Keep the prompt in the sealed metadata.
    pub remember_prompt: bool,
}

/// A request within every limit of this machine.
pub struct Request {
    /// What is to be drawn.
    pub recipe: Recipe,
    /// Keep the prompt in the sealed metadata.
    pub remember_prompt: bool,
}

/// What a request takes that does not say it: the model's own numbers, or the nearest that the policy allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// Width and height in pixels.
    pub side_px: u32,
    /// Transformer evaluations.
    pub steps: u32,
}

impl Defaults {
    /// Of this model under these limits.
    pub fn of(model: &Model, limits: &Limits) -> Self {
        let side_px = model.side_px_default.min(limits.side_pixels_max).min(model.side_px_max);
        let steps = model.steps_default.min(limits.steps_max);
        Self { side_px: side_px - side_px % SIDE_PX_STEP, steps }
    }
}

/// Why a request is not carried out. The text never repeats the prompt.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct Refusal {
    /// The word for the log.
    pub reason: RequestRefusal,
    /// The sentence for the person.
    pub text: String,
}

impl Refusal {
    /// A refusal with its sentence.
    pub fn new(reason: RequestRefusal, text: impl Into<String>) -> Self {
        Self { reason, text: text.into() }
    }
}

impl Request {
    /// Checks what was asked for against the policy's limits, and fills in the model's defaults.
    ///
    /// `seed_drawn` is the seed for a request that names none.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn parse(
        ask: Ask,
        limits: &Limits,
        keep_prompts: KeepPrompts,
        model: &Model,
        seed_drawn: u32,
    ) -> Result<Self, Refusal> {
        let refuse = |reason, text: String| Err(Refusal::new(reason, text));
        let prompt = text(ask.prompt, limits)?;
        if prompt.trim().is_empty() {
            return refuse(
                RequestRefusal::PromptEmpty,
                "the prompt is empty; say what the picture shows".into(),
            );
        }
        let guided = ask.guidance.is_some_and(|guidance| guidance != 0.0);
        let negative_prompt = match ask.negative_prompt.map(|negative| text(negative, limits)) {
            Some(Err(refusal)) if guided => return Err(refusal),
            // What has no effect is no reason to refuse: the rest of the request is whole.
            Some(Err(_)) | None => Zeroizing::default(),
            Some(Ok(text)) => text,
        };

        let defaults = Defaults::of(model, limits);
        let default = i64::from(defaults.side_px);
        let (width, height) = ask.size.unwrap_or((default, default));
        let side_max = i64::from(limits.side_pixels_max.min(model.side_px_max));
        for side in [width, height] {
            if side < 16 || side > side_max || side % 16 != 0 {
                let rule = format!("width and height must be multiples of 16 from 16 to {side_max}");
                return refuse(
                    RequestRefusal::Size,
                    format!("a picture of {width}x{height} is not possible: {rule}"),
                );
            }
        }
        let steps = ask.steps.unwrap_or(i64::from(defaults.steps));
        let steps_max = i64::from(limits.steps_max);
        if !(1..=steps_max).contains(&steps) {
            return refuse(
                RequestRefusal::Steps,
                format!("{steps} steps are not possible; ask for 1 to {steps_max}"),
            );
        }
        let guidance = ask.guidance.unwrap_or(0.0);
        let guidance_milli = (guidance * 1000.0).round() as u32;
        // What is used, sealed and on record is what was asked for: nothing is rounded on the way.
        let is_exact = f64::from(guidance_milli) / 1000.0 == guidance;
        if !(0.0..=GUIDANCE_MAX).contains(&guidance) || !is_exact {
            let text = format!(
                "guidance {guidance} is not possible; ask for 0 (off) to {GUIDANCE_MAX}, with at most three decimals"
            );
            return refuse(RequestRefusal::Parameter, text);
        }
        let count = ask.count.unwrap_or(1);
        let count_max = i64::from(limits.images_max);
        if !(1..=count_max).contains(&count) {
            return refuse(
                RequestRefusal::Parameter,
                format!("{count} pictures are not possible in one request; ask for 1 to {count_max}"),
            );
        }
        // A drawn seed leaves room for the pictures that follow.
        let seed = ask.seed.unwrap_or_else(|| i64::from(seed_drawn).min(SEED_MAX - (count - 1)));
        if seed < 0 || seed > SEED_MAX - (count - 1) {
            let text = format!(
                "seed {seed} is not possible; the generator sees 32 bits, so seeds go from 0 to {SEED_MAX}"
            );
            let more = if count > 1 { ", the last picture's included" } else { "" };
            return refuse(RequestRefusal::Seed, text + more);
        }
        if ask.remember_prompt && keep_prompts == KeepPrompts::Never {
            let text = "the policy of this machine forbids keeping prompts; ask without it";
            return refuse(RequestRefusal::Policy, text.into());
        }
        let settings = Settings {
            width: width as u32,
            height: height as u32,
            steps: steps as u32,
            guidance_milli,
            seeds: (seed..seed + count).map(|s| s as u32).collect(),
        };
        let recipe = Recipe { prompt, negative_prompt, settings };
        Ok(Self { recipe, remember_prompt: ask.remember_prompt })
    }
}

/// A text that the tokenizer may see. Moves the bytes, so that no second copy is left behind.
pub(crate) fn text(mut bytes: Zeroizing<Vec<u8>>, limits: &Limits) -> Result<Zeroizing<String>, Refusal> {
    let bytes_max = limits.prompt_bytes_max as usize;
    if bytes.len() > bytes_max {
        let text = format!("the prompt has {} bytes, at most {bytes_max} are read; shorten it", bytes.len());
        return Err(Refusal::new(RequestRefusal::PromptLength, text));
    }
    let text = match String::from_utf8(std::mem::take(&mut *bytes)) {
        Ok(text) => Zeroizing::new(text),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            drop(Zeroizing::new(error.into_bytes()));
            let text = format!("the prompt is not valid UTF-8 at byte {at}; send it as UTF-8");
            return Err(Refusal::new(RequestRefusal::PromptEncoding, text));
        }
    };
    if text.contains('\0') {
        let text = "the prompt contains a NUL character; remove it";
        return Err(Refusal::new(RequestRefusal::PromptEncoding, text));
    }
    Ok(text)
}
