//! An engine of 4x2 pixels and two steps.

use crate::{
    Cause, Check, Command, Device, Engine, Error, Model, Pixels, Prepared, Progress, PromptLength, Recipe,
    Rule, Settings,
};
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use zeroize::Zeroizing;

pub fn model() -> Model {
    Model {
        name: "toy".into(),
        digest: [4; 32],
        device: Device::Cpu,
        may_change: false,
        side_px_default: 4,
        side_px_max: 4,
        steps_default: 2,
    }
}

/// So many pictures, with the seeds 0, 1, ...
pub fn settings(pictures: u32) -> Settings {
    Settings { width: 4, height: 2, steps: 2, guidance_milli: 0, seeds: (0..pictures).collect() }
}

pub fn recipe(prompt: &str, pictures: u32) -> Recipe {
    Recipe {
        prompt: Zeroizing::new(prompt.into()),
        negative_prompt: Zeroizing::default(),
        settings: settings(pictures),
    }
}

pub fn prepared(settings: &Settings) -> Prepared {
    Prepared { tokens: Zeroizing::new(vec![5]), negative_tokens: None, settings: settings.clone() }
}

/// All pieces of a work.
pub fn pieces(settings: &Settings) -> VecDeque<Progress> {
    let picture = |seed: &u32| {
        let step = || Progress::Step { preview: None };
        let (width, height) = (settings.width, settings.height);
        let rgb = vec![*seed as u8; (3 * width * height) as usize];
        [step(), step(), Progress::Picture(Pixels { width, height, rgb })]
    };
    std::iter::once(Progress::Prompts).chain(settings.seeds.iter().flat_map(picture)).collect()
}

pub struct Toy {
    checker: Arc<Checker>,
    checked: Receiver<()>,
    /// The first piece is done when a check has been.
    pub waits_for_a_check: bool,
    /// The first piece is done when something has come here.
    pub waits_for: Option<Receiver<()>>,
    /// At this question for a piece it panics.
    pub panics_at: Option<usize>,
    /// At this question for a piece what it computes on fails.
    pub fails_at: Option<usize>,
    asked: usize,
    pieces: VecDeque<Progress>,
}

/// Tells of each check.
struct Checker(Mutex<Sender<()>>);

impl Toy {
    pub fn new() -> Self {
        let (sender, checked) = channel();
        let checker = Arc::new(Checker(Mutex::new(sender)));
        Self {
            checker,
            checked,
            waits_for_a_check: false,
            waits_for: None,
            panics_at: None,
            fails_at: None,
            asked: 0,
            pieces: VecDeque::new(),
        }
    }

    /// With a manner of its own.
    pub fn with(manner: impl FnOnce(&mut Self)) -> Self {
        let mut toy = Self::new();
        manner(&mut toy);
        toy
    }
}

impl Check for Checker {
    fn check(&self, recipe: &Recipe) -> Result<Prepared, Error> {
        if recipe.prompt.is_empty() {
            return Err(Error::Refused { rule: Rule::PromptLength, text: "too short".into() });
        }
        let _ = self.0.lock().unwrap().send(());
        let mut prepared = prepared(&recipe.settings);
        *prepared.tokens = vec![recipe.prompt.len() as u32];
        Ok(prepared)
    }

    fn measure(&self, prompt: &str) -> Result<PromptLength, Error> {
        Ok(PromptLength { tokens: prompt.len(), tokens_max: 8 })
    }
}

impl Engine for Toy {
    fn model(&self) -> &Model {
        // Once for each process.
        static MODEL: std::sync::OnceLock<Model> = std::sync::OnceLock::new();
        MODEL.get_or_init(model)
    }

    fn checker(&self) -> Arc<dyn Check> {
        Arc::clone(&self.checker) as Arc<dyn Check>
    }

    fn is_spent(&self) -> bool {
        self.fails_at.is_some_and(|at| self.asked >= at)
    }

    fn begin(&mut self, prepared: &Prepared) -> Result<(), Error> {
        self.pieces = pieces(&prepared.settings);
        Ok(())
    }

    fn next(&mut self, command: Command) -> Result<Progress, Error> {
        self.asked += 1;
        assert_ne!(Some(self.asked), self.panics_at, "as it was told");
        if Some(self.asked) == self.fails_at {
            return Err(Error::Failed { cause: Cause::Other, text: "the card is gone".into() });
        }
        if std::mem::take(&mut self.waits_for_a_check) {
            self.checked.recv().unwrap();
        }
        if let Some(waits_for) = self.waits_for.take() {
            waits_for.recv().unwrap();
        }
        let failed = |cause| Error::Failed { cause, text: "no work".into() };
        let Command::GoOn { preview } = command else {
            self.pieces.clear();
            return Err(failed(Cause::Cancelled));
        };
        let piece = self.pieces.pop_front().ok_or_else(|| failed(Cause::Other))?;
        Ok(match piece {
            Progress::Step { .. } if preview => {
                Progress::Step { preview: Some(Pixels { width: 2, height: 1, rgb: vec![0; 6] }) }
            }
            piece => piece,
        })
    }
}
