//! Tests of the transactions against a real vault and a real log, with a test engine in the place of the model.

mod acts;
mod crash;
mod generate;
mod queue;
mod rollback;

use crate::step::{After, CRASH};
use crate::{
    Ask, Darkroom, Engine, EngineError, Error, Model, News, Pixels, Places, Progress, Request, Start, Summary,
};
use audit::SystemClock;
use audit::words::{Device, GenerateFailure};
use policy::KeepPrompts;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use vault::{KdfParams, Secret};

/// A folder that goes away with the test.
struct Home(PathBuf);

impl Home {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("darkroom-{}-{number}", std::process::id()));
        for part in ["vault", "audit", "outputs", "plain"] {
            std::fs::create_dir_all(path.join(part)).unwrap();
        }
        Self(path)
    }

    fn places(&self) -> Places {
        let part = |name| self.0.join(name);
        Places { vault: part("vault"), audit: part("audit"), outputs: part("outputs") }
    }

    fn open(&self) -> Result<Darkroom, Error> {
        let start = Start { binary: [1; 32], policy: [2; 32], landlock_abi: 7 };
        Darkroom::open(self.places(), SystemClock::new(), KdfParams::FLOOR, start)
    }

    /// A darkroom with a vault, unlocked.
    fn unlocked(&self) -> Darkroom {
        let mut darkroom = self.open().unwrap();
        match darkroom.has_vault() {
            true => drop(darkroom.unlock(&secret()).unwrap()),
            false => drop(darkroom.create_vault(&secret()).unwrap()),
        }
        darkroom
    }

    /// Record types and their whole lines, oldest first.
    fn records(&self) -> Vec<(String, String)> {
        let lines = audit::tail(&self.0.join("audit"), u64::MAX).unwrap();
        lines.into_iter().map(|line| (line.split(' ').nth(2).unwrap().to_owned(), line)).collect()
    }

    fn count(&self, name: &str) -> usize {
        self.records().iter().filter(|(n, _)| n == name).count()
    }

    /// The log must verify whatever has happened.
    fn log_verifies(&self) {
        let report = audit::verify(&self.0.join("audit"), None).unwrap();
        assert!(report.is_ok(), "{report}");
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn secret() -> Secret {
    Secret::passphrase("correct horse battery").unwrap()
}

/// What the test engine does.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Works,
    Panics,
    NonFinite,
    Refuses,
}

struct TestEngine {
    model: Model,
    mood: Mood,
    calls: u32,
    /// One word from here per step, if a test wants to say when.
    steps: Option<std::sync::mpsc::Receiver<()>>,
}

impl TestEngine {
    fn new(mood: Mood) -> Self {
        let model = Model {
            name: "test".into(),
            digest: [3; 32],
            device: Device::Cpu,
            side_px_default: 32,
            side_px_max: 4096,
            steps_default: 2,
        };
        Self { model, mood, calls: 0, steps: None }
    }
}

impl Engine for TestEngine {
    fn model(&self) -> &Model {
        &self.model
    }

    fn check(&self, _: &Request) -> Result<(), EngineError> {
        match self.mood {
            Mood::Refuses => Err(EngineError::Refused {
                reason: audit::words::RequestRefusal::PromptLength,
                text: "too long".into(),
            }),
            _ => Ok(()),
        }
    }

    fn generate(
        &mut self,
        request: &Request,
        tell: &mut dyn FnMut(Progress<'_>) -> ControlFlow<()>,
    ) -> Result<(), EngineError> {
        self.calls += 1;
        let failed = |reason, text: &str| Err(EngineError::Failed { reason, text: text.into() });
        for (picture, seed) in request.seeds.iter().enumerate() {
            for index in 1..=request.steps {
                if let Some(steps) = &self.steps {
                    steps.recv().map_err(|_| EngineError::Failed {
                        reason: GenerateFailure::EngineError,
                        text: "the test is over".into(),
                    })?;
                }
                let preview = || Some(Pixels { width: 1, height: 1, rgb: vec![index as u8; 3] });
                let count = request.steps;
                if tell(Progress::Step { picture, index, count, preview: &preview }).is_break() {
                    return failed(GenerateFailure::Cancelled, "cancelled");
                }
            }
            match self.mood {
                Mood::Panics => panic!("the engine's own panic repeats {}", *request.prompt),
                Mood::NonFinite => return failed(GenerateFailure::NonFinite, "not finite at step 1"),
                _ => {}
            }
            let (width, height) = (request.width, request.height);
            let rgb = (0..3 * width * height).map(|i| (i * 7 + seed) as u8).collect();
            if tell(Progress::Picture { picture, pixels: Pixels { width, height, rgb } }).is_break() {
                return failed(GenerateFailure::Cancelled, "cancelled");
            }
        }
        Ok(())
    }
}

fn limits() -> policy::Limits {
    policy::Limits {
        side_pixels_max: 2048,
        steps_max: 100,
        images_max: 4,
        prompt_bytes_max: 1000,
        open_files_max: 64,
        idle_seconds_max: 900,
    }
}

fn request(count: i64) -> Request {
    let ask = Ask {
        prompt: zeroize::Zeroizing::new(b"a canary in a mine".to_vec()),
        seed: Some(5),
        count: Some(count),
        ..Ask::default()
    };
    Request::parse(ask, &limits(), KeepPrompts::Allow, &TestEngine::new(Mood::Works).model, 0).unwrap()
}

/// Generates with an engine of the given mood.
fn generate(darkroom: &mut Darkroom, count: i64, mood: Mood) -> Result<Vec<Summary>, Error> {
    let mut engine = TestEngine::new(mood);
    darkroom.generate(&request(count), &mut engine, &mut |_| ControlFlow::Continue(()))
}

/// Orders a crash at the `passing`-th time that `after` is reached.
fn crash_at(after: After, passing: u32) {
    CRASH.set(Some((after, passing)));
}
