//! The engine's own process: it tells how its start goes, and then answers.

use crate::line::{Fault, Line};
use crate::wire::{Answer, Greeting, Question, Unready};
use crate::{Cause, Check, Engine, Error};
use std::io;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

/// Both sockets, as the engine's process has them.
pub struct Near {
    work: Line,
    checks: Line,
}

impl Near {
    /// `work` carries one question at a time, `checks` those that are answered meanwhile.
    ///
    /// # Errors
    /// They are no sockets.
    pub fn new(work: UnixStream, checks: UnixStream) -> io::Result<Self> {
        Ok(Self { work: Line::new(work, None)?, checks: Line::new(checks, None)? })
    }

    /// Says who it is. Nothing else is believed before.
    ///
    /// # Errors
    /// Nobody listens.
    pub fn greet(&mut self, greeting: Greeting) -> Result<(), Fault> {
        self.work.tell(0, &Answer::Greeting(greeting))
    }

    /// Says how much of the model has been read.
    ///
    /// # Errors
    /// Nobody listens.
    pub fn loading(&mut self, bytes_done: u64, bytes_total: u64) -> Result<(), Fault> {
        self.work.tell(0, &Answer::Loading { bytes_done, bytes_total })
    }

    /// Says that there is no model.
    ///
    /// # Errors
    /// Nobody listens.
    pub fn not_ready(mut self, why: Unready, text: String) -> Result<(), Fault> {
        self.work.tell(0, &Answer::NotReady { why, text })
    }

    /// Answers until nobody asks any more. `gone` is called when that is found out while the engine computes: its process is to
    /// end then, and need not wait for the piece in work.
    ///
    /// # Errors
    /// What came made no sense; or no thread could be made.
    pub fn answer(self, engine: &mut dyn Engine, gone: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let Self { mut work, mut checks } = self;
        let checker = engine.checker();
        let end_checks = checks.ender()?;
        let end = end_checks.clone();
        let check = move || {
            // Whatever ended it: the other end talks to this process no more.
            let _ = answer_checks(&*checker, &mut checks);
            end();
            gone();
        };
        thread::Builder::new().name("checks".into()).spawn(check)?;
        let ended = work.tell(0, &Answer::Ready(engine.model().clone()));
        let ended = ended.and_then(|()| answer_work(engine, &mut work));
        // Whoever asks whether this engine is alive must not hear that it is.
        end_checks();
        match ended {
            Ok(()) | Err(Fault::Ended) => Ok(()),
            Err(_) => Err(io::Error::other("the questions of the other process made no sense")),
        }
    }
}

fn answer_work(engine: &mut dyn Engine, work: &mut Line) -> Result<(), Fault> {
    while let Some((number, question)) = work.question()? {
        let answer = match question {
            Question::Begin(prepared) => caught(|| engine.begin(&prepared).map(|()| Answer::Begun)),
            Question::Next(command) => caught(|| engine.next(command).map(Answer::Progress)),
            Question::Check(_) | Question::Measure(_) | Question::Alive => return Err(Fault::Nonsense),
        };
        work.tell(number, &answer)?;
        if engine.is_spent() {
            return Ok(());
        }
    }
    Ok(())
}

fn answer_checks(checker: &dyn Check, checks: &mut Line) -> Result<(), Fault> {
    while let Some((number, question)) = checks.question()? {
        let answer = match question {
            Question::Check(recipe) => caught(|| checker.check(&recipe).map(Answer::Prepared)),
            Question::Measure(prompt) => caught(|| checker.measure(&prompt).map(Answer::Length)),
            Question::Alive => Answer::Alive,
            Question::Begin(_) | Question::Next(_) => return Err(Fault::Nonsense),
        };
        checks.tell(number, &answer)?;
    }
    Ok(())
}

/// A panic costs this question alone: what stays of the engine is plain weights.
fn caught(answer: impl FnOnce() -> Result<Answer, Error>) -> Answer {
    match catch_unwind(AssertUnwindSafe(answer)) {
        Ok(answer) => answer.unwrap_or_else(Answer::Error),
        Err(_) => Answer::Error(Error::Failed {
            cause: Cause::Panic,
            text: "a part of the engine failed unexpectedly".into(),
        }),
    }
}
