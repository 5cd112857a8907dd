//! Pictures, ours and the peer's in turn. Each side is a process of its own that loads a model, stays, and is asked over a
//! pipe for one picture after the other; both answer in the same words.

use crate::{median, memory_kib, processor_s, threads};
use diffusion::{DeviceName, ModelFolder, Pipeline, Progress, Recipe, demo};
use kernels::Level;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// `avx2` in it holds both sides to AVX2, where the processor has more.
const LEVEL: &str = "LIGHTPROOF_BENCH_LEVEL";

/// What is drawn: a model, the side of a square in pixels, steps, and how many pairs of pictures.
struct Workload {
    name: &'static str,
    model: Model,
    side: u32,
    steps: u32,
    pairs: u32,
}

#[derive(Clone, Copy, PartialEq)]
enum Model {
    /// The one inside the program.
    Demo,
    /// Random weights, an autoencoder of full size, and a transformer in between. The peer's libraries make it.
    Mid,
}

const WORKLOADS: [Workload; 8] = [
    Workload { name: "demo-64", model: Model::Demo, side: 64, steps: 8, pairs: 15 },
    Workload { name: "demo-128", model: Model::Demo, side: 128, steps: 8, pairs: 15 },
    Workload { name: "demo-256", model: Model::Demo, side: 256, steps: 4, pairs: 15 },
    Workload { name: "demo-512", model: Model::Demo, side: 512, steps: 2, pairs: 10 },
    Workload { name: "demo-768", model: Model::Demo, side: 768, steps: 2, pairs: 10 },
    Workload { name: "demo-1024", model: Model::Demo, side: 1024, steps: 2, pairs: 10 },
    Workload { name: "mid-256", model: Model::Mid, side: 256, steps: 8, pairs: 10 },
    Workload { name: "mid-512", model: Model::Mid, side: 512, steps: 1, pairs: 10 },
];

/// The peer's threads spin for a while after a picture, and would take the other side's processor.
const PAUSE: Duration = Duration::from_millis(300);

/// Draws the workloads, or the one named `only`, and prints a line of a table for each. The mid-size model needs the peer.
pub fn measure(only: Option<&str>) {
    let python = std::env::var_os("LIGHTPROOF_BENCH_PYTHON").map(PathBuf::from);
    println!(
        "| pictures | median, best | of which text, transformer, decoder | cores | peak memory | \
         median of pairs, best to best |"
    );
    println!("|---|---|---|---|---|---|");
    for workload in &WORKLOADS {
        let wanted = only.is_none_or(|name| name == workload.name);
        if wanted && (python.is_some() || workload.model == Model::Demo) {
            workload.measure(python.as_deref());
        }
    }
}

impl Workload {
    fn measure(&self, python: Option<&Path>) {
        let folder = match (self.model, python) {
            (Model::Mid, Some(python)) => mid_size(python),
            _ => here("src/diffusion/demo/model"),
        };
        let mut ours = Side::ours(&folder);
        let mut theirs = python.map(|python| Side::theirs(python, &folder));
        let (mut our_pictures, mut their_pictures) = (Vec::new(), Vec::new());
        // The first of each warms it up.
        for seed in 0..=self.pairs {
            let pair = (ours.draw(self, seed), theirs.as_mut().map(|side| side.draw(self, seed)));
            if seed > 0 {
                our_pictures.push(pair.0);
                their_pictures.extend(pair.1);
            }
        }
        let Self { name, side, steps, pairs, .. } = self;
        let ratios: Vec<f64> =
            our_pictures.iter().zip(&their_pictures).map(|(a, b)| a.wall_s / b.wall_s).collect();
        let ratio = match ratios.is_empty() {
            true => String::new(),
            false => format!("{:.2}, {:.2}", median(ratios), best(&our_pictures) / best(&their_pictures)),
        };
        let drawn = row(&our_pictures, &mut ours);
        println!("| {name}: {side}x{side}, {steps} steps, {pairs} pairs | {drawn} {ratio} |");
        if let Some(side) = &mut theirs {
            let loaded = format!("loaded in {:.2} s, {:.2} s", ours.load_s, side.load_s);
            println!("| {loaded} | {} |", row(&their_pictures, side));
        }
    }
}

fn row(pictures: &[Drawn], side: &mut Side) -> String {
    let of = |part: fn(&Drawn) -> f64| median(pictures.iter().map(part).collect());
    let wall_s = of(|p| p.wall_s);
    let share = |part: fn(&Drawn) -> f64| 100.0 * of(part) / wall_s;
    let (text, transformer, decoder) =
        (share(|p| p.text_s), share(|p| p.transformer_s), share(|p| p.decoder_s));
    let cores =
        pictures.iter().map(|p| p.cpu_s).sum::<f64>() / pictures.iter().map(|p| p.wall_s).sum::<f64>();
    let (best, memory) = (best(pictures), side.memory_mib());
    format!(
        "{wall_s:.3} s, {best:.3} s | {text:.0} %, {transformer:.0} %, {decoder:.0} % | {cores:.2} | {memory} MiB |"
    )
}

fn best(pictures: &[Drawn]) -> f64 {
    pictures.iter().map(|p| p.wall_s).fold(f64::INFINITY, f64::min)
}

/// What one picture took, in seconds.
struct Drawn {
    wall_s: f64,
    cpu_s: f64,
    text_s: f64,
    transformer_s: f64,
    decoder_s: f64,
}

/// A process that draws, warm.
struct Side {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// What loading the model took, in seconds, without the start of the process and of its libraries.
    load_s: f64,
}

impl Side {
    fn ours(folder: &Path) -> Self {
        let program = std::env::current_exe().expect("this program has a name");
        Self::start(Command::new(program).arg("draw").arg(folder))
    }

    fn theirs(python: &Path, folder: &Path) -> Self {
        let peer = here("tests/bench_peer.py");
        Self::start(Command::new(python).arg(peer).arg("draw").arg(folder).arg(threads().to_string()))
    }

    fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a side starts");
        let lines = BufReader::new(child.stdout.take().expect("it is a pipe")).lines();
        let mut side = Self { child, lines, load_s: 0.0 };
        side.load_s = side.line().parse().expect("the seconds of the load");
        side
    }

    fn ask(&mut self, what: &str) -> String {
        writeln!(self.child.stdin.as_mut().expect("it is a pipe"), "{what}").expect("it listens");
        self.line()
    }

    fn line(&mut self) -> String {
        self.lines.next().expect("it answers").expect("it answers in text")
    }

    fn draw(&mut self, Workload { side, steps, .. }: &Workload, seed: u32) -> Drawn {
        std::thread::sleep(PAUSE);
        let said = self.ask(&format!("{side} {steps} {seed}"));
        let numbers: Vec<f64> = said.split(' ').map(|number| number.parse().expect("a number")).collect();
        let [wall_s, cpu_s, text_s, transformer_s, decoder_s] = numbers[..] else { panic!("{said}") };
        Drawn { wall_s, cpu_s, text_s, transformer_s, decoder_s }
    }

    /// The most that it had at any time.
    fn memory_mib(&mut self) -> u64 {
        memory_kib(self.child.id(), "VmHWM:") / 1024
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Our side, which computes at the best level of the processor, or at that of [`LEVEL`]: says what loading took, and a line
/// `SIDE STEPS SEED` is answered by the seconds that its picture took, of the clock and of the processor, and of those of the
/// clock the text encoder's, the transformer's and the decoder's.
pub fn draw(folder: &Path) {
    let level = match std::env::var(LEVEL).as_deref() {
        Err(_) => Level::here(),
        Ok("avx2") => Level::Avx2,
        Ok(_) => panic!("{LEVEL} is avx2 or nothing"),
    };
    // The pipeline's threads take the level of the thread that it is loaded on.
    level.pool(1).expect("a thread").install(|| draw_at_level(folder));
}

fn draw_at_level(folder: &Path) {
    let folder = match folder == here("src/diffusion/demo/model") {
        true => demo::folder(),
        false => ModelFolder::open(folder).expect("the model folder can be opened"),
    };
    let started = Instant::now();
    let pipeline = Pipeline::load(&folder, DeviceName::Cpu).expect("the model loads");
    println!("{}", started.elapsed().as_secs_f64());
    for line in std::io::stdin().lines() {
        let line = line.expect("a line of text");
        let numbers: Vec<u32> = line.split(' ').map(|number| number.parse().expect("a number")).collect();
        let [side, steps, seed] = numbers[..] else { panic!("{line}") };
        let (cpu_s, started) = (processor_s("self"), Instant::now());
        let [text_s, transformer_s, decoder_s] = parts(&pipeline, &recipe(side, steps, seed));
        let (wall_s, cpu_s) = (started.elapsed().as_secs_f64(), processor_s("self") - cpu_s);
        println!("{wall_s} {cpu_s} {text_s} {transformer_s} {decoder_s}");
    }
}

/// Draws a picture, and tells what its parts took.
fn parts(pipeline: &Pipeline, recipe: &Recipe) -> [f64; 3] {
    let mut drawing = pipeline.begin(recipe, pipeline.tokens(recipe).unwrap()).unwrap();
    let (mut seconds, mut started) = ([0.0; 3], Instant::now());
    while let Some(piece) = pipeline.advance(&mut drawing, false).unwrap() {
        let part = match piece {
            Progress::Prompts => 0,
            Progress::Step { .. } => 1,
            Progress::Picture(_) => 2,
        };
        seconds[part] += started.elapsed().as_secs_f64();
        started = Instant::now();
    }
    seconds
}

/// One picture of the demo prompt.
pub fn recipe(side: u32, steps: u32, seed: u32) -> Recipe {
    Recipe {
        prompt: "a red apple on a white table".into(),
        negative_prompt: String::new(),
        width: side,
        height: side,
        steps,
        guidance: 0.0,
        guidance_norm_max: None,
        guidance_time_max: 1.0,
        seeds: vec![seed],
    }
}

/// The folder of the mid-size model, made where there is none yet.
fn mid_size(python: &Path) -> PathBuf {
    let folder = here("target/bench-mid");
    if !folder.join("model_index.json").exists() {
        let demo = here("src/diffusion/demo/model");
        let made =
            Command::new(python).arg(here("tests/bench_peer.py")).arg("make").arg(demo).arg(&folder).status();
        assert!(made.is_ok_and(|status| status.success()), "the mid-size model cannot be made");
    }
    folder
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
