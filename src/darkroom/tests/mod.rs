//! Tests of the transactions against a real vault and a real log, with a test engine in the place of the model.

mod acts;
mod backup;
mod beside;
mod crash;
mod destroy;
mod exported;
mod generate;
mod joint;
mod machine;
mod marked;
mod names;
mod old_key;
mod outside;
mod people;
mod queue;
mod remember;
mod retention;
mod rights;
mod roles;
mod rollback;
mod second;
mod tokens;

use crate::request::Request;
use crate::step::{After, CRASH};
use crate::{Ask, Darkroom, Door, Engine, Error, Folders, Model, Pixels, Queue, Rules, Start, Summary, Who};
use audit::SystemClock;
use audit::words::StopReason;
use engine::{Cause, Check, Command, Device, Prepared, Progress, PromptLength, Recipe, Rule, Settings};
use policy::{Erase, KeepPrompts, TwoPersons};
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use vault::{KdfParams, Secret};

/// A folder that goes away with the test.
struct Home(PathBuf);

impl Home {
    fn new() -> Self {
        Self::below(std::env::temp_dir())
    }

    /// Where a sync costs nothing.
    fn in_memory() -> Self {
        Self::below(PathBuf::from("/dev/shm"))
    }

    fn below(folder: PathBuf) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("darkroom-{}-{number}", std::process::id()));
        for part in ["vault", "audit", "outputs", "plain"] {
            std::fs::create_dir_all(path.join(part)).unwrap();
        }
        Self(path)
    }

    fn places(&self) -> Folders {
        let part = |name| self.0.join(name);
        Folders { vault: part("vault"), audit: part("audit"), outputs: part("outputs") }
    }

    fn open(&self) -> Result<Darkroom, Error> {
        self.open_with(Erase::Allow)
    }

    fn open_with(&self, erase: Erase) -> Result<Darkroom, Error> {
        self.open_as(Start { erase, ..start() })
    }

    fn open_as(&self, start: Start) -> Result<Darkroom, Error> {
        Darkroom::open(self.places(), SystemClock::new(), KdfParams::FLOOR, start)
    }

    /// A darkroom with a vault, unlocked, and who did it.
    fn unlocked(&self) -> Room {
        let mut darkroom = self.open().unwrap();
        let who = match darkroom.has_vault() {
            true => darkroom.unlock(&secret(), Door::Terminal).unwrap(),
            false => darkroom.create_vault(&secret(), Door::Terminal).unwrap().0,
        };
        Room { darkroom: Some(darkroom), who }
    }

    /// Record types and their whole lines, oldest first.
    fn records(&self) -> Vec<(String, String)> {
        let lines = audit::tail(&self.0.join("audit"), u64::MAX, false).unwrap().lines;
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

/// A darkroom that a queue can have for a while.
struct Room {
    darkroom: Option<Darkroom>,
    who: Who,
}

impl Room {
    fn leave(mut self, reason: StopReason) -> Result<(), Error> {
        self.darkroom.take().unwrap().leave(reason)
    }

    /// Unlocks it anew.
    fn unlock_as(&mut self, secret: &Secret) -> Result<Who, Error> {
        self.who = self.unlock(secret, Door::Terminal)?;
        Ok(self.who)
    }

    fn pictures(&self) -> Vec<Summary> {
        self.list(&self.who).unwrap()
    }
}

impl Deref for Room {
    type Target = Darkroom;

    fn deref(&self) -> &Darkroom {
        self.darkroom.as_ref().unwrap()
    }
}

impl DerefMut for Room {
    fn deref_mut(&mut self) -> &mut Darkroom {
        self.darkroom.as_mut().unwrap()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn start() -> Start {
    Start {
        binary: [1; 32],
        policy: [2; 32],
        landlock_abi: 7,
        erase: Erase::Allow,
        picture_days_max: None,
        names_days_max: None,
        two_person: TwoPersons::default(),
        two_person_hours_max: 72,
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
    PanicsAtOnce,
}

type Hear = Box<dyn Fn(u32, &Progress) + Send>;

struct TestEngine {
    model: Model,
    mood: Mood,
    /// One word from here per step, if a test wants to say when.
    steps: Option<Mutex<std::sync::mpsc::Receiver<()>>>,
    /// Called with every piece of the work before it is handed over, and with the number of steps before it.
    hear: Hear,
    calls: Arc<AtomicU32>,
    work: Option<TestWork>,
    /// How much work is held.
    held: Arc<()>,
}

struct TestWork {
    settings: Settings,
    tokens: Vec<u32>,
    /// Whether the prompts have been read.
    prompts_read: bool,
    pictures: usize,
    /// Steps of all pictures.
    steps: u32,
    /// Steps of the picture in work.
    step: u32,
    _held: Arc<()>,
}

impl TestEngine {
    fn new(mood: Mood) -> Self {
        let model = Model {
            name: "test".into(),
            digest: [3; 32],
            device: Device::Cpu,
            may_change: false,
            side_px_default: 32,
            side_px_max: 4096,
            steps_default: 2,
        };
        Self {
            model,
            mood,
            steps: None,
            hear: Box::new(|_, _| ()),
            calls: Arc::default(),
            work: None,
            held: Arc::default(),
        }
    }
}

impl Check for Mood {
    fn check(&self, recipe: &Recipe) -> Result<Prepared, engine::Error> {
        match self {
            Self::Refuses => {
                Err(engine::Error::Refused { rule: Rule::PromptLength, text: "too long".into() })
            }
            Self::PanicsAtOnce => panic!("the tokenizer's own panic repeats {}", *recipe.prompt),
            _ => Ok(Prepared {
                tokens: recipe.prompt.bytes().map(u32::from).collect::<Vec<_>>().into(),
                negative_tokens: None,
                settings: recipe.settings.clone(),
            }),
        }
    }

    fn measure(&self, prompt: &str) -> Result<PromptLength, engine::Error> {
        match self {
            Self::PanicsAtOnce => panic!("the tokenizer's own panic repeats {prompt}"),
            _ => Ok(PromptLength { tokens: prompt.len(), tokens_max: 8 }),
        }
    }
}

impl Engine for TestEngine {
    fn model(&self) -> &Model {
        &self.model
    }

    fn checker(&self) -> Arc<dyn Check> {
        Arc::new(self.mood)
    }

    fn begin(&mut self, prepared: &Prepared) -> Result<(), engine::Error> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let (settings, tokens) = (prepared.settings.clone(), prepared.tokens.to_vec());
        let _held = Arc::clone(&self.held);
        self.work =
            Some(TestWork { settings, tokens, prompts_read: false, pictures: 0, steps: 0, step: 0, _held });
        Ok(())
    }

    fn next(&mut self, command: Command) -> Result<Progress, engine::Error> {
        let failed = |cause, text: &str| engine::Error::Failed { cause, text: text.into() };
        let Command::GoOn { preview } = command else {
            self.work = None;
            return Err(failed(Cause::Cancelled, "cancelled"));
        };
        // Kept after an error, too: it is not for the engine alone to see that it is dropped.
        let work = self.work.as_mut().unwrap();
        let Settings { width, height, steps, seeds, .. } = &work.settings;
        let progress = if !std::mem::replace(&mut work.prompts_read, true) {
            Progress::Prompts
        } else if work.step < *steps {
            if let Some(steps) = &self.steps
                && steps.lock().unwrap().recv().is_err()
            {
                return Err(failed(Cause::Other, "the test is over"));
            }
            work.step += 1;
            work.steps += 1;
            let rgb = vec![work.step as u8; 3];
            Progress::Step { preview: preview.then_some(Pixels { width: 1, height: 1, rgb }) }
        } else {
            match self.mood {
                Mood::Panics => panic!("the engine's own panic repeats {:?}", work.tokens),
                Mood::NonFinite => return Err(failed(Cause::NonFinite, "not finite at step 1")),
                _ => {}
            }
            let seed = seeds[work.pictures];
            let rgb = (0..3 * width * height).map(|i| (i * 7 + seed) as u8).collect();
            let pixels = Pixels { width: *width, height: *height, rgb };
            (work.pictures, work.step) = (work.pictures + 1, 0);
            Progress::Picture(pixels)
        };
        (self.hear)(work.steps, &progress);
        if work.pictures == work.settings.seeds.len() {
            self.work = None;
        }
        Ok(progress)
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
        two_person_hours_max: 72,
    }
}

fn ask(count: i64) -> Ask {
    Ask {
        prompt: zeroize::Zeroizing::new(b"a canary in a mine".to_vec()),
        seed: Some(5),
        count: Some(count),
        ..Ask::default()
    }
}

fn rules() -> Rules {
    Rules { limits: limits(), keep_prompts: KeepPrompts::Allow, waiting_max: 2 }
}

/// Generates with an engine of the given mood.
fn generate(room: &mut Room, count: i64, mood: Mood) -> Result<Vec<Summary>, Error> {
    generate_with(room, ask(count), TestEngine::new(mood))
}

/// The way of every door: check, submit, wait.
fn generate_with(room: &mut Room, ask: Ask, engine: TestEngine) -> Result<Vec<Summary>, Error> {
    queued(room, ask, engine, |_| ())
}

/// The same, with a look at the queue when the request has ended.
fn queued(
    room: &mut Room,
    ask: Ask,
    engine: TestEngine,
    look: impl FnOnce(&Queue),
) -> Result<Vec<Summary>, Error> {
    let who = room.who;
    let queue = Queue::start(room.darkroom.take().unwrap(), Box::new(engine), rules(), || ()).unwrap();
    let ended =
        queue.check(Some(&who), ask).and_then(|checked| queue.submit(&who, checked, None)).and_then(|job| {
            loop {
                let job = queue.job(&who, job.id)?;
                if job.state.is_over() {
                    break Ok(job);
                }
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        });
    look(&queue);
    room.darkroom = Some(queue.into_darkroom());
    let job = ended?;
    if let Some(error) = job.error {
        return Err(Arc::into_inner(error).unwrap());
    }
    if job.state == crate::JobState::Cancelled {
        return Err(Error::Engine(engine::Error::Failed {
            cause: Cause::Cancelled,
            text: "cancelled".into(),
        }));
    }
    job.images.iter().map(|id| room.picture(&who, *id)).collect()
}

/// Orders a crash at the `passing`-th time that `after` is reached.
fn crash_at(after: After, passing: u32) {
    *CRASH.with_borrow(Arc::clone).lock().unwrap() = Some((after, passing));
}
