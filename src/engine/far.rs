//! An engine in another process, as this one has it: believed as far as it can be checked.
//!
//! What it says is held against what it was asked: who it is, which question it answers, how long an answer may be, which
//! piece of the work comes next, how large a picture is. Whatever does not fit ends that process; the work in hand fails
//! with one sentence, and the next work finds the next engine.

mod seat;

use crate::line::Fault;
use crate::supply::{Expected, NoEngine, Patience, Supply};
use crate::wire::{Answer, Ask, Fenced, Greeting};
use crate::{Cause, Check, Command, Engine, Error, Model, Pixels, Prepared, Progress, Settings};
use seat::{Said, Seat, State, There, start_sentence};
use std::sync::{Arc, PoisonError};
use std::time::Instant;

/// The engine in the other process.
pub struct Far {
    seat: Arc<Seat>,
    patience: Patience,
    model: Model,
    work: Option<Work>,
}

impl Far {
    /// Waits for the first engine. `tell` hears how many bytes of how many of the model it has read.
    ///
    /// # Errors
    /// It has no model, is not what it should be, or ended.
    pub fn first(
        supply: Box<dyn Supply>,
        expected: Expected,
        patience: Patience,
        mut tell: impl FnMut(u64, u64),
        wanted: &dyn Fn() -> bool,
    ) -> Result<(Self, Greeting), NoEngine> {
        let mut state = State::new(supply, expected, patience);
        let mut greeting = None;
        let model = loop {
            if !wanted() {
                return Err(NoEngine::Unwanted);
            }
            match state.advance()? {
                Said::Nothing => {}
                Said::Greeting(found) => greeting = Some(found),
                Said::Loading(done, total) => tell(done, total),
                Said::Ready(model) => break model,
            }
        };
        let greeting = greeting.ok_or_else(|| NoEngine::Gone(start_sentence(Fault::Nonsense)))?;
        let seat = Arc::new(Seat::new(state, patience));
        Ok((Self { seat, patience, model, work: None }, greeting))
    }

    /// The answer to a question on the line of the work.
    fn ask(&self, there: &Arc<There>, ask: Ask<'_>, pixel_bytes_max: usize) -> Result<Answer, Error> {
        let asked = || {
            let mut line = there.work.lock().unwrap_or_else(PoisonError::into_inner);
            let number = line.ask(ask)?;
            // It may compute for long; but it is there.
            line.answer(number, pixel_bytes_max, || there.is_alive())
        };
        asked().map_err(|fault| self.seat.end(there, fault))
    }
}

impl Engine for Far {
    fn model(&self) -> &Model {
        &self.model
    }

    fn checker(&self) -> Arc<dyn Check> {
        Arc::clone(&self.seat) as Arc<dyn Check>
    }

    fn wait(&mut self, wanted: &dyn Fn() -> bool) {
        // One that ended while nobody asked costs no work. What else went wrong is said by whoever then begins.
        while let Ok(there) = self.seat.there(wanted) {
            match there.is_alive() {
                Ok(()) => return,
                Err(fault) => drop(self.seat.end(&there, fault)),
            }
        }
    }

    fn renewed(&mut self) -> Option<Fenced> {
        self.seat.state().renewed.take()
    }

    fn begin(&mut self, prepared: &Prepared) -> Result<(), Error> {
        self.work = None;
        let since = Instant::now();
        let there = self.seat.there(&|| since.elapsed() < self.patience.check)?;
        match self.ask(&there, Ask::Begin(prepared), 0)? {
            Answer::Begun => {
                let (pictures, settings) = (prepared.settings.seeds.len(), prepared.settings.clone());
                self.work = Some(Work { there, settings, pictures, next: Next::Prompts });
                Ok(())
            }
            Answer::Error(error) => Err(error),
            _ => Err(self.seat.end(&there, Fault::Nonsense)),
        }
    }

    fn next(&mut self, command: Command) -> Result<Progress, Error> {
        let failed = |cause, text: &str| Error::Failed { cause, text: text.into() };
        let cancelled = || failed(Cause::Cancelled, "the work was ended before its last picture");
        // Taken out: with the end and with an error nothing of it is kept.
        let Some(mut work) = self.work.take() else {
            return Err(match command {
                Command::End => cancelled(),
                Command::GoOn { .. } => failed(Cause::Other, "there is no work to go on with"),
            });
        };
        let answer = self.ask(&work.there, Ask::Next(command), work.picture_bytes())?;
        let progress = match (command, answer) {
            (Command::End, Answer::Error(Error::Failed { cause: Cause::Cancelled, .. })) => {
                return Err(cancelled());
            }
            (Command::GoOn { .. }, Answer::Error(error)) if !is_cancelled(&error) => return Err(error),
            (Command::GoOn { preview }, Answer::Progress(progress)) if work.fits(&progress, preview) => {
                progress
            }
            _ => return Err(self.seat.end(&work.there, Fault::Nonsense)),
        };
        if matches!(progress, Progress::Picture(_)) {
            self.seat.state().supply.worked();
        }
        if work.pictures > 0 {
            self.work = Some(work);
        }
        Ok(progress)
    }
}

/// What has been begun, and what must come next of it.
struct Work {
    there: Arc<There>,
    settings: Settings,
    /// Still to come.
    pictures: usize,
    next: Next,
}

enum Next {
    Prompts,
    /// So many steps, and then the picture.
    Steps(u32),
}

impl Work {
    fn picture_bytes(&self) -> usize {
        let pixels = u64::from(self.settings.width) * u64::from(self.settings.height);
        usize::try_from(pixels.saturating_mul(3)).unwrap_or(usize::MAX)
    }

    /// Whether this piece is the one that must come now; then the one after it is waited for.
    fn fits(&mut self, progress: &Progress, wants_preview: bool) -> bool {
        let (width, height) = (self.settings.width, self.settings.height);
        let is_small = |preview: &Pixels| preview.width <= width && preview.height <= height;
        match (&self.next, progress) {
            (Next::Prompts, Progress::Prompts) => self.next = Next::Steps(self.settings.steps),
            (Next::Steps(left @ 1..), Progress::Step { preview }) => {
                if preview.as_ref().is_some_and(|preview| !wants_preview || !is_small(preview)) {
                    return false;
                }
                self.next = Next::Steps(left - 1);
            }
            (Next::Steps(0), Progress::Picture(picture)) => {
                if (picture.width, picture.height) != (width, height) {
                    return false;
                }
                self.pictures -= 1;
                self.next = Next::Steps(self.settings.steps);
            }
            _ => return false,
        }
        true
    }
}

fn is_cancelled(error: &Error) -> bool {
    matches!(error, Error::Failed { cause: Cause::Cancelled, .. })
}
