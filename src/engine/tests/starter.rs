//! Whoever starts engines, as a test plays it: their processes are threads here, and all that the two ends share is their
//! sockets.

use super::toy::{self, Toy};
use crate::far::Far;
use crate::line::Line;
use crate::near::Near;
use crate::supply::{Expected, NoEngine, Pair, Patience, Supply};
use crate::wire::{Answer, Fenced, Greeting};
use crate::{Cause, Command, Engine as _, Error, Pixels, Prepared, Progress};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub const GO_ON: Command = Command::GoOn { preview: false };
pub const WITH_PREVIEW: Command = Command::GoOn { preview: true };
/// So long that a busy machine answers in it, for tests in which an answer is due.
pub const PATIENCE: Patience = Patience { look: Duration::from_millis(20), ..Patience::DEFAULT };

/// Gives what a test puts in, and writes down what it is told.
pub struct Stub {
    pairs: Receiver<Pair>,
    told: Arc<Mutex<Vec<&'static str>>>,
}

impl Supply for Stub {
    fn next(&mut self, wait: Duration) -> Result<Option<Pair>, String> {
        match self.pairs.recv_timeout(wait) {
            Ok(pair) => Ok(Some(pair)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err("there are no more".into()),
        }
    }

    fn replace(&mut self) {
        self.told.lock().unwrap().push("replace");
    }

    fn worked(&mut self) {
        self.told.lock().unwrap().push("worked");
    }
}

/// Whoever starts the engines, as a test has it.
pub struct Starter {
    pairs: Sender<Pair>,
    told: Arc<Mutex<Vec<&'static str>>>,
}

impl Starter {
    pub fn new() -> (Self, Box<Stub>) {
        let (pairs, received) = channel();
        let told = Arc::<Mutex<Vec<_>>>::default();
        (Self { pairs, told: Arc::clone(&told) }, Box::new(Stub { pairs: received, told }))
    }

    pub fn told(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.told.lock().unwrap())
    }

    /// The sockets of the next engine's process.
    pub fn sockets(&self) -> (UnixStream, UnixStream) {
        let ((work, far_work), (checks, far_checks)) =
            (UnixStream::pair().unwrap(), UnixStream::pair().unwrap());
        self.pairs.send(Pair { work: far_work, checks: far_checks }).unwrap();
        (work, checks)
    }

    /// A whole one.
    pub fn real(&self, mut engine: Toy) -> JoinHandle<()> {
        let (work, checks) = self.sockets();
        thread::spawn(move || {
            let mut near = Near::new(work, checks).unwrap();
            near.greet(greeting()).unwrap();
            near.loading(1, 2).unwrap();
            near.answer(&mut engine, || {}).unwrap();
        })
    }

    /// One that has said that it is ready, and then does what the test wants.
    pub fn scripted(&self, life: impl FnOnce(Line, UnixStream, Line) + Send + 'static) -> JoinHandle<()> {
        let (work, checks) = self.sockets();
        let raw = work.try_clone().unwrap();
        let (mut work, checks) = (Line::new(work, None).unwrap(), Line::new(checks, None).unwrap());
        thread::spawn(move || {
            work.tell(0, &Answer::Greeting(greeting())).unwrap();
            work.tell(0, &Answer::Ready(toy::model())).unwrap();
            life(work, raw, checks);
        })
    }
}

pub fn greeting() -> Greeting {
    let fenced = Fenced { plan: [2; 32], report: [3; 32], fences: 7, amber: 0, landlock_abi: 7, uid0: false };
    Greeting { build: [1; 32], fenced }
}

pub fn expected() -> Expected {
    Expected { build: [1; 32], plan: [2; 32] }
}

pub fn first(stub: Box<Stub>, patience: Patience) -> Result<Far, NoEngine> {
    Far::first(stub, expected(), patience, |_, _| {}, &|| true).map(|(far, _)| far)
}

pub fn prepared(pictures: u32) -> Prepared {
    toy::prepared(&toy::settings(pictures))
}

/// All pictures of a work.
pub fn draw(far: &mut Far, pictures: u32) -> Result<Vec<Pixels>, Error> {
    far.begin(&prepared(pictures))?;
    let mut drawn = Vec::new();
    while drawn.len() < pictures as usize {
        if let Progress::Picture(picture) = far.next(WITH_PREVIEW)? {
            drawn.push(picture);
        }
    }
    Ok(drawn)
}

#[track_caller]
pub fn is_gone(error: &Error, says: &str) {
    let Error::Failed { cause: Cause::Gone, text } = error else { panic!("{error:?}") };
    assert!(text.contains(says), "{text}");
}
