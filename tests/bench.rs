//! Benchmarks, printed for people: `tests/bench`. Medians of one run on the machine at hand; nothing here is a test.

#![allow(clippy::panic, clippy::print_stdout, clippy::unwrap_used, missing_docs)]

#[path = "bench_server.rs"]
mod bench_server;
// The tests' own way to start the program, of which a benchmark needs a part.
#[allow(dead_code)]
#[path = "harness.rs"]
mod harness;
#[allow(dead_code)]
#[path = "http.rs"]
mod http;
#[allow(dead_code)]
#[path = "served.rs"]
mod served;

use audit::{Event, Log, SystemClock};
use diffusion::{DeviceName, Pipeline, Recipe, demo, noise};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;
use vault::{KdfParams, NewObject, ObjectId, OsRandom, Paths, Role, Secret, Vault};

const ROUNDS: usize = 15;

#[global_allocator]
static ALLOCATOR: sandbox::WipingAllocator = sandbox::WipingAllocator;

fn main() {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    println!("demo model, 128x128, 8 steps, f32, {threads} threads, medians of {ROUNDS}");
    let started = Instant::now();
    let pipeline = Pipeline::load(&demo::folder(), DeviceName::Cpu).unwrap();
    row("load the model", started.elapsed().as_secs_f64());
    let png = pictures(&pipeline, threads);
    pipeline.compute(|| parts(&pipeline));
    storage(&png);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find(|l| l.starts_with("VmHWM")).unwrap_or_default();
    println!("peak memory of all of the above     {}", peak.trim_start_matches("VmHWM:").trim());
    bench_server::measure();
}

/// Seconds per picture, ours and the peer's in turn. Returns pixels for the later parts.
fn pictures(pipeline: &Pipeline, threads: usize) -> Vec<u8> {
    let mut peer = Peer::start(threads);
    let mut rgb = Vec::new();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for seed in 0..=ROUNDS as u32 {
        let started = Instant::now();
        rgb = pipeline.generate(&recipe(seed)).unwrap().remove(0).rgb;
        if seed > 0 {
            ours.push(started.elapsed().as_secs_f64());
            theirs.extend(peer.as_mut().map(|peer| peer.picture(seed)));
        }
    }
    let ours = median(ours);
    row("one picture, lightproof", ours);
    if !theirs.is_empty() {
        let theirs = median(theirs);
        row("one picture, diffusers", theirs);
        println!("ratio lightproof / diffusers        {:.2}", ours / theirs);
    }
    rgb
}

/// Where the time of one picture goes.
fn parts(pipeline: &Pipeline) {
    use burn_tensor::{Device, Tensor, TensorData};
    let (tokenizer, text_encoder, transformer, vae) = pipeline.parts();
    let ids = tokenizer.encode("a red apple").unwrap();
    let latents = noise::randn(1, 16 * 16 * 16).unwrap();
    let latents = Tensor::<4>::from_data(TensorData::new(latents, [1, 16, 16, 16]), &Device::flex());
    let embeddings = text_encoder.forward(&ids).unwrap();
    let caption = transformer.caption(embeddings.clone());
    let read = |x: Tensor<4>| drop(x.into_data());
    row("  tokenizer", time(|| drop(tokenizer.encode("a red apple").unwrap())));
    row("  text encoder", time(|| drop(text_encoder.forward(&ids).unwrap().into_data())));
    row("  caption refiner, once", time(|| drop(transformer.caption(embeddings.clone()))));
    row("  transformer, 8 steps", 8.0 * time(|| read(transformer.forward(latents.clone(), 0.4, &caption))));
    row("  decoder", time(|| read(vae.decode(latents.clone()))));
}

/// Encoding, sealing and recording one picture, and throughputs.
fn storage(rgb: &[u8]) {
    let home = Scratch::new();
    row("  PNG", time(|| drop(encode(rgb))));
    let content = encode(rgb);
    let paths = Paths { state: home.0.join("vault"), outputs: home.0.join("outputs") };
    let secret = Secret::passphrase("correct horse battery").unwrap();
    let (mut vault, _) =
        Vault::create(paths, &secret, Role::Operator, KdfParams::FLOOR, &mut OsRandom).unwrap();
    let mut number = 0;
    let mut put = |content: &[u8]| {
        number += 1;
        let new = NewObject {
            id: ObjectId::random(&mut OsRandom).unwrap(),
            salt: [1; 16],
            name: &format!("{number}.png"),
            created_ms: 1,
            metadata: b"{}",
            preview: b"",
            content,
        };
        vault.put(&new, &mut OsRandom).unwrap();
    };
    row("  seal (durable)", time(|| put(&content)));
    let large = vec![7; 64 << 20];
    let seconds = time_of(3, || put(&large));
    println!("seal throughput, 64 MiB objects     {:.0} MiB/s", 64.0 / seconds);
    let log = Log::create(&home.0.join("audit"), SystemClock::new()).unwrap();
    let entry = Event::VaultUnlockFailed {}.by_system();
    row("  record (durable, signed)", time(|| drop(log.append(&[entry]))));
    let thousand = vec![entry; 1000];
    let seconds = time_of(5, || drop(log.append(&thousand)));
    println!("append throughput, batches of 1000  {:.0} records/s", 1000.0 / seconds);
}

fn encode(rgb: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    let mut encoder = png::Encoder::new(&mut content, 128, 128);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header().unwrap().write_image_data(rgb).unwrap();
    content
}

fn recipe(seed: u32) -> Recipe {
    Recipe {
        prompt: "a red apple".into(),
        negative_prompt: String::new(),
        width: 128,
        height: 128,
        steps: 8,
        guidance: 0.0,
        guidance_norm_max: None,
        guidance_time_max: 1.0,
        seeds: vec![seed],
    }
}

/// diffusers in a process of its own, warmed up.
struct Peer {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Peer {
    fn start(threads: usize) -> Option<Self> {
        let python = std::env::var_os("LIGHTPROOF_BENCH_PYTHON")?;
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut child = Command::new(python)
            .arg(here.join("tests/bench_peer.py"))
            .arg(here.join("src/diffusion/demo/model"))
            .arg(threads.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines.next().expect("the peer did not start").unwrap();
        println!("peer: diffusers, torch {}", ready.trim_start_matches("ready "));
        Some(Self { child, lines })
    }

    fn picture(&mut self, seed: u32) -> f64 {
        writeln!(self.child.stdin.as_mut().unwrap(), "{seed}").unwrap();
        self.lines.next().unwrap().unwrap().parse().unwrap()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder below target/ that goes away.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn time(act: impl FnMut()) -> f64 {
    time_of(ROUNDS, act)
}

/// Median seconds of `rounds` runs, after one that does not count.
fn time_of(rounds: usize, mut act: impl FnMut()) -> f64 {
    act();
    let run = |_| {
        let started = Instant::now();
        act();
        started.elapsed().as_secs_f64()
    };
    median((0..rounds).map(run).collect())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn row(what: &str, seconds: f64) {
    println!("{what:<35} {:9.2} ms", seconds * 1000.0);
}
