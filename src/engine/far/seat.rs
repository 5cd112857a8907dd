//! Where the engine is, if there is one: it comes, it is there, it is gone, and the next one comes.

use crate::line::{Fault, Line};
use crate::supply::{Expected, NoEngine, Pair, Patience, Supply};
use crate::wire::{Answer, Ask, Fenced, Greeting};
use crate::{Cause, Check, Error, Model, Nonsense, Prepared, PromptLength, Recipe};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Greatest width and height in pixels that a model is believed to have.
const SIDE_PX_MAX: u32 = 1 << 14;

/// An engine may leave the question whether it is there unanswered so often, each time for [`Patience::wait`]. Twice, since the
/// first of these times may have gone by while a person had stopped all processes at the terminal.
const WAITS_MAX: u32 = 2;

/// A process that answers.
pub struct There {
    pub work: Mutex<Line>,
    checks: Mutex<Line>,
}

impl There {
    /// What it answers beside its work, which takes a moment.
    fn check(&self, ask: Ask<'_>) -> Result<Answer, Fault> {
        let mut line = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        let number = line.ask(ask)?;
        let mut waits = 0;
        line.answer(number, 0, || {
            waits += 1;
            if waits < WAITS_MAX { Ok(()) } else { Err(Fault::Silent) }
        })
    }

    /// Whether it is there at all, which takes a moment, too.
    pub fn is_alive(&self) -> Result<(), Fault> {
        match self.check(Ask::Alive)? {
            Answer::Alive => Ok(()),
            _ => Err(Fault::Nonsense),
        }
    }
}

/// Where the engine is, if there is one.
pub struct Seat {
    state: Mutex<State>,
    patience: Patience,
}

pub struct State {
    pub supply: Box<dyn Supply>,
    expected: Expected,
    patience: Patience,
    /// Digest of the model of the first engine, which every later one must have.
    known: Option<[u8; 32]>,
    /// How a later engine is fenced, until somebody asks for it.
    pub renewed: Option<Fenced>,
    now: Now,
}

enum Now {
    Nobody,
    /// It starts.
    Coming(Coming),
    There(Arc<There>),
    /// There will be none any more; a sentence for people.
    Never(String),
}

struct Coming {
    work: Line,
    checks: Line,
    greeted: bool,
    /// When it last said something.
    heard: Instant,
}

/// What an engine that starts has said now.
pub enum Said {
    Nothing,
    Greeting(Greeting),
    Loading(u64, u64),
    Ready(Model),
}

impl Seat {
    /// Of an engine that is there.
    pub fn new(state: State, patience: Patience) -> Self {
        Self { state: Mutex::new(state), patience }
    }

    /// For a moment.
    pub fn state(&self) -> MutexGuard<'_, State> {
        // Every change of the state is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for an engine as long as one is wanted.
    pub fn there(&self, wanted: &dyn Fn() -> bool) -> Result<Arc<There>, Error> {
        loop {
            let mut state = self.state();
            match &state.now {
                Now::There(there) => return Ok(Arc::clone(there)),
                Now::Never(text) => return Err(gone(text.clone())),
                Now::Nobody | Now::Coming(_) => {}
            }
            // Why it did not come is of no use to whoever waits: the next one is on its way, or there is none any more.
            let _ = state.advance();
            drop(state);
            if !wanted() {
                return Err(gone("the engine is being started; ask again in a moment".into()));
            }
        }
    }

    /// Asks what is answered beside the work.
    fn ask<T>(&self, ask: Ask<'_>, answered: impl Fn(Answer) -> Result<T, Nonsense>) -> Result<T, Error> {
        let since = Instant::now();
        let is_in_time = || since.elapsed() < self.patience.check;
        loop {
            let there = self.there(&is_in_time)?;
            let fault = match there.check(ask) {
                Ok(Answer::Error(error)) => return Err(error),
                Ok(answer) => match answered(answer) {
                    Ok(answered) => return Ok(answered),
                    Err(Nonsense) => Fault::Nonsense,
                },
                Err(fault) => fault,
            };
            let error = self.end(&there, fault);
            // It may have ended while nobody asked: the next one is as good.
            if fault != Fault::Ended || !is_in_time() {
                return Err(error);
            }
        }
    }

    /// Nobody listens any more to an engine that did this.
    pub fn end(&self, there: &Arc<There>, fault: Fault) -> Error {
        let mut state = self.state();
        if matches!(&state.now, Now::There(now) if Arc::ptr_eq(now, there)) {
            state.now = Now::Nobody;
            state.supply.replace();
        }
        gone(sentence(fault))
    }
}

impl Check for Seat {
    fn check(&self, recipe: &Recipe) -> Result<Prepared, Error> {
        self.ask(Ask::Check(recipe), |answer| match answer {
            Answer::Prepared(prepared) if prepared.settings == recipe.settings => Ok(prepared),
            _ => Err(Nonsense),
        })
    }

    fn measure(&self, prompt: &str) -> Result<PromptLength, Error> {
        self.ask(Ask::Measure(prompt), |answer| match answer {
            Answer::Length(length) => Ok(length),
            _ => Err(Nonsense),
        })
    }
}

impl State {
    /// Before the first engine.
    pub fn new(supply: Box<dyn Supply>, expected: Expected, patience: Patience) -> Self {
        Self { supply, expected, patience, known: None, renewed: None, now: Now::Nobody }
    }

    /// Waits a moment for what comes next of an engine that is not there yet.
    pub fn advance(&mut self) -> Result<Said, NoEngine> {
        let advanced = match std::mem::replace(&mut self.now, Now::Nobody) {
            Now::Nobody => return self.seat(),
            Now::Coming(coming) => self.hear(coming),
            now @ (Now::There(_) | Now::Never(_)) => {
                self.now = now;
                return Ok(Said::Nothing);
            }
        };
        let advanced = advanced.inspect_err(|_| self.supply.replace());
        if matches!(self.now, Now::Never(_)) {
            // Whatever is still started finds nobody, and ends before it reads a model.
            self.supply = Box::new(Nothing);
        }
        advanced
    }

    fn seat(&mut self) -> Result<Said, NoEngine> {
        let Patience { wait, look, .. } = self.patience;
        let lines = |pair: Pair| {
            Ok(Coming {
                work: Line::new(pair.work, Some(look))?,
                checks: Line::new(pair.checks, Some(wait))?,
                greeted: false,
                heard: Instant::now(),
            })
        };
        match self.supply.next(look) {
            Ok(None) => {}
            Ok(Some(pair)) => {
                let coming =
                    lines(pair).map_err(|_: std::io::Error| NoEngine::Gone(start_sentence(Fault::Ended)))?;
                self.now = Now::Coming(coming);
            }
            Err(text) => {
                self.now = Now::Never(text.clone());
                return Err(NoEngine::Gone(text));
            }
        }
        Ok(Said::Nothing)
    }

    fn hear(&mut self, mut coming: Coming) -> Result<Said, NoEngine> {
        let never = |text: &str| (Now::Never(text.into()), Err(NoEngine::Gone(text.into())));
        let fault = |fault| (Now::Nobody, Err(NoEngine::Gone(start_sentence(fault))));
        let (now, said) = match coming.work.answer(0, 0, || Err(Fault::Silent)) {
            Err(Fault::Silent) if coming.heard.elapsed() < self.patience.start => {
                (Now::Coming(coming), Ok(Said::Nothing))
            }
            Err(found) => fault(found),
            Ok(Answer::Greeting(greeting)) if !coming.greeted => {
                if greeting.build != self.expected.build || greeting.fenced.plan != self.expected.plan {
                    never(
                        "the engine's process is of another build, or has another policy; start the program again",
                    )
                } else {
                    self.renewed = self.known.is_some().then(|| greeting.fenced.clone());
                    let coming = Coming { greeted: true, heard: Instant::now(), ..coming };
                    (Now::Coming(coming), Ok(Said::Greeting(greeting)))
                }
            }
            Ok(Answer::Loading { bytes_done, bytes_total }) if coming.greeted => {
                coming.heard = Instant::now();
                (Now::Coming(coming), Ok(Said::Loading(bytes_done, bytes_total)))
            }
            Ok(Answer::NotReady { why, text }) if coming.greeted => {
                (Now::Nobody, Err(NoEngine::Unready { why, text }))
            }
            Ok(Answer::Ready(model)) if coming.greeted && is_plausible(&model) => {
                if *self.known.get_or_insert(model.digest) != model.digest {
                    never("the model's files were changed since the start; start the program again")
                } else {
                    match coming.work.wait(self.patience.wait) {
                        Ok(()) => {
                            let (work, checks) = (Mutex::new(coming.work), Mutex::new(coming.checks));
                            (Now::There(Arc::new(There { work, checks })), Ok(Said::Ready(model)))
                        }
                        Err(found) => fault(found),
                    }
                }
            }
            Ok(_) => fault(Fault::Nonsense),
        };
        self.now = now;
        said
    }
}

/// Where no engine comes from any more.
struct Nothing;

impl Supply for Nothing {
    fn next(&mut self, _: Duration) -> Result<Option<Pair>, String> {
        Ok(None)
    }

    fn replace(&mut self) {}

    fn worked(&mut self) {}
}

fn is_plausible(model: &Model) -> bool {
    let Model { side_px_default, side_px_max, steps_default, .. } = *model;
    (1..=side_px_max).contains(&side_px_default) && side_px_max <= SIDE_PX_MAX && steps_default > 0
}

fn gone(text: String) -> Error {
    Error::Failed { cause: Cause::Gone, text }
}

/// What a person is told whose program does not start.
pub fn start_sentence(fault: Fault) -> String {
    match fault {
        Fault::Ended => {
            "the engine ended before it was ready; what it said about it stands before this. If it said nothing, it was ended \
             from outside: by somebody, for want of memory, or because a file of the model became shorter while it was read"
        }
        Fault::Nonsense => "the engine said what makes no sense before it was ready; start the program again",
        Fault::Silent => "the engine said nothing any more before it was ready; start the program again",
    }
    .into()
}

/// What a person is told who asked for something.
fn sentence(fault: Fault) -> String {
    match fault {
        Fault::Ended => "the engine ended unexpectedly, and a new one is being started; ask again",
        Fault::Nonsense => {
            "the engine answered what makes no sense, and a new one is being started; ask again"
        }
        Fault::Silent => "the engine answered no more, and a new one is being started; ask again",
    }
    .into()
}
