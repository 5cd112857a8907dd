//! Benchmarks, printed for people: `tests/bench`. Medians of one run on the machine at hand; nothing here is a test.

#![allow(clippy::panic, clippy::print_stdout, clippy::unwrap_used, missing_docs)]

#[path = "bench_evidence.rs"]
mod bench_evidence;
#[path = "bench_log.rs"]
mod bench_log;
#[path = "bench_pictures.rs"]
mod bench_pictures;
#[path = "bench_server.rs"]
mod bench_server;
#[path = "bench_vault.rs"]
mod bench_vault;
// The tests' own way to start the program and a browser, of which a benchmark needs a part.
#[allow(dead_code)]
#[path = "browser/driver.rs"]
mod driver;
#[allow(dead_code)]
#[path = "family.rs"]
mod family;
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
use diffusion::{DeviceName, Picture, Pipeline, demo};
use std::path::{Path, PathBuf};
use std::time::Instant;
use vault::{KdfParams, NewObject, ObjectId, OsRandom, Paths, Role, Secret, Vault};

const ROUNDS: usize = 15;

#[global_allocator]
static ALLOCATOR: sandbox::WipingAllocator = sandbox::WipingAllocator;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [verb, folder] = &arguments[..]
        && verb == "draw"
    {
        return bench_pictures::draw(Path::new(folder));
    }
    println!("Medians of one run on {} threads.\n", threads());
    let only = arguments.first().map(String::as_str);
    if only == Some("evidence") {
        return bench_evidence::measure();
    }
    if only == Some("log") {
        return bench_log::measure();
    }
    if only == Some("vault") {
        return bench_vault::measure();
    }
    if only != Some("rest") {
        bench_pictures::measure(only);
    }
    if matches!(only, None | Some("rest")) {
        println!("\n| what | |\n|---|---|");
        row("a product of 512x512 by 512x512, Burn's own: a measure for the machine", product());
        storage();
        bench_server::measure();
        bench_evidence::measure();
    }
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Seconds of a fixed piece of work that no change of ours makes faster.
fn product() -> f64 {
    use burn_tensor::{Device, Tensor, TensorData};
    const SIDE: usize = 512;
    let values: Vec<f32> = (0..SIDE * SIDE).map(|i| (i % 31) as f32).collect();
    let a = Tensor::<2>::from_data(TensorData::new(values, [SIDE, SIDE]), &Device::flex());
    time(|| drop(a.clone().matmul(a.clone()).into_data()))
}

/// Encoding, sealing and recording one picture, and throughputs.
fn storage() {
    let home = Scratch::new();
    let load = || Pipeline::load(&demo::folder(), DeviceName::Cpu).unwrap();
    row("loading the demo model", time(|| drop(load())));
    let pipeline = load();
    for side in [1024, 128] {
        let picture = pipeline.generate(&bench_pictures::recipe(side, 1, 1)).unwrap().remove(0);
        row(&format!("PNG of {side}x{side}"), time(|| drop(encode(&picture))));
    }
    let picture = pipeline.generate(&bench_pictures::recipe(128, 8, 1)).unwrap().remove(0);
    let content = encode(&picture);
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
    row("sealing a demo picture, durable", time(|| put(&content)));
    let large = vec![7; 64 << 20];
    let seconds = time_of(3, || put(&large));
    println!("| sealing objects of 64 MiB, durable | {:.0} MiB/s |", 64.0 / seconds);
    let log = Log::create(&home.0.join("audit"), SystemClock::new()).unwrap();
    let entry = Event::VaultUnlockFailed {}.by_system();
    row("a record, durable and signed", time(|| drop(log.append(&[entry]))));
    let thousand = vec![entry; 1000];
    let seconds = time_of(5, || drop(log.append(&thousand)));
    println!("| appending records in batches of 1000 | {:.0} records/s |", 1000.0 / seconds);
}

fn encode(picture: &Picture) -> Vec<u8> {
    let mut content = Vec::new();
    let mut encoder = png::Encoder::new(&mut content, picture.width, picture.height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::Fast); // as the darkroom does
    encoder.write_header().unwrap().write_image_data(&picture.rgb).unwrap();
    content
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

/// Seconds of the processor that a process has used.
fn processor_s(process: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap());
    ticks.sum::<u64>() as f64 / 100.0
}

/// A line of the kernel's on the memory of a process, such as `VmRSS:`.
fn memory_kib(process: u32, line: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let found = status.lines().find_map(|known| known.strip_prefix(line)).unwrap_or_default();
    found.trim().trim_end_matches(" kB").parse().unwrap()
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
    println!("| {what} | {:.2} ms |", seconds * 1000.0);
}
