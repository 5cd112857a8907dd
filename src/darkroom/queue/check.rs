//! The one way in for a request: parsed, held against the limits, then against the model; and only then on record.

use super::Shared;
use crate::checked::Checked;
use crate::error::refusal_word;
use crate::request::{Ask, Refusal, Request, text};
use crate::{Error, Who};
use audit::words::RequestRefusal;
use engine::{Prepared, PromptLength};
use std::panic::{AssertUnwindSafe, catch_unwind};
use zeroize::Zeroizing;

impl Shared {
    /// What is wrong with it is on record before it is answered.
    pub(super) fn check(&self, who: Option<&Who>, ask: Ask) -> Result<Checked, Error> {
        let seed = self.with(|darkroom| darkroom.draw_seed())?;
        let (limits, keep) = (&self.rules.limits, self.rules.keep_prompts);
        let held = Request::parse(ask, limits, keep, &self.model, seed).map_err(Error::from);
        // Outside the darkroom's lock, and where a panic costs this request alone.
        let checked = held.and_then(|request| {
            let prepared = catch_unwind(AssertUnwindSafe(|| self.checker.check(&request.recipe)));
            Ok(checked(request, prepared.map_err(|_| Error::EnginePanic)??))
        });
        checked.or_else(|error| {
            let reason = match &error {
                Error::Refused(Refusal { reason, .. }) => *reason,
                Error::Engine(engine::Error::Refused { rule, .. }) => refusal_word(*rule),
                _ => RequestRefusal::Engine,
            };
            self.with(|darkroom| darkroom.refuse(who, reason))?;
            Err(error)
        })
    }

    /// How long a prompt is for the model. Nothing is asked for, so nothing is on record.
    pub(super) fn measure(&self, who: &Who, prompt: Zeroizing<Vec<u8>>) -> Result<PromptLength, Error> {
        self.admit(who)?;
        let prompt = text(prompt, &self.rules.limits).map_err(Error::from)?;
        let measured = catch_unwind(AssertUnwindSafe(|| self.checker.measure(&prompt)));
        Ok(measured.map_err(|_| Error::EnginePanic)??)
    }
}

fn checked(request: Request, prepared: Prepared) -> Checked {
    let Request { recipe, remember_prompt } = request;
    let kept = |text: Zeroizing<String>| (remember_prompt && !text.is_empty()).then_some(text);
    Checked {
        prepared,
        remembers_prompt: remember_prompt,
        prompt: kept(recipe.prompt),
        negative_prompt: kept(recipe.negative_prompt),
    }
}
