//! The bounds of memory against what the system counts. A test is a process of its own, see `.config/nextest.toml`.

use crate::checkpoint::Checkpoint;
use crate::device::Precision;
use crate::loading::{COPIES_BYTES_MAX, Loading};
use crate::threads::Threads;
use crate::{DeviceName, ModelDigest, ModelFolder, Pipeline, Recipe, demo};
use kernels::Level;
use std::fs::File;
use std::ops::Range;

/// Bytes of memory that this process has in use, or had at its fullest since the last [`reset`].
fn bytes(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    line.trim_matches(|c: char| !c.is_ascii_digit()).parse::<u64>().unwrap() * 1024
}

fn reset() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}

/// Bytes that `act` takes at its fullest.
fn fullest<T>(act: impl FnOnce() -> T) -> (u64, T) {
    reset();
    let before = bytes("VmRSS:");
    let done = act();
    (bytes("VmHWM:").saturating_sub(before), done)
}

/// A picture of the demo model takes no more than was said, and not much less; with what was in use before, which is
/// what is told to whoever has to find room for it.
fn assert_said(side: u32, guidance: f32, words: usize) {
    let pipeline = Pipeline::load(&demo::folder(), DeviceName::Cpu).unwrap();
    let recipe = Recipe {
        prompt: "a red apple on a table ".repeat(words),
        negative_prompt: String::new(),
        width: side,
        height: side,
        steps: 1,
        guidance,
        guidance_norm_max: None,
        guidance_time_max: 1.0,
        seeds: vec![1],
    };
    let before = bytes("VmRSS:");
    let said = before + pipeline.bytes_needed(&recipe, &pipeline.tokens(&recipe).unwrap());
    let (taken, _pictures) = fullest(|| pipeline.generate(&recipe).unwrap());
    let taken = before + taken;
    println!("{side}x{side}: {before} bytes before, {taken} taken, {said} said");
    assert!(taken <= said && 10 * said <= 13 * taken, "{before} bytes before, {taken} taken, {said} said");
}

#[test]
fn loading_takes_no_more_than_was_said() {
    let choose = |parameters| Precision::choose(DeviceName::Cpu, parameters);
    let said = Checkpoint::open(&demo::folder(), choose).unwrap().bytes_to_load();
    let (taken, _pipeline) = fullest(|| Pipeline::load(&demo::folder(), DeviceName::Cpu).unwrap());
    assert!(taken <= said && said <= 3 * taken, "{taken} bytes taken, {said} said");
}

/// What is copied faster than it is hashed waits, and takes no more than its share, with one thread and with two: what a large tensor
/// took is given back, and what stays between the copies, of any length, leaves no holes.
#[test]
fn copies_that_wait_to_be_hashed_have_a_bound() {
    const BYTES: usize = 700 << 20;
    const LARGE_BYTES: usize = 300 << 20;
    const MORE_BYTES: usize = 96 << 10;
    let dir = std::env::temp_dir().join(format!("diffusion-waiting-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    File::create(dir.join("hole")).unwrap().set_len(BYTES as u64).unwrap();
    let load = || {
        let file = ModelFolder::open(&dir).unwrap().file("hole").unwrap();
        let mut tell = |_| ();
        let mut loading = Loading::new(BYTES as u64, &mut tell);
        let begun = loading.begin(file, bytes::Bytes::new(), true).unwrap();
        let mut take = |range: Range<usize>| {
            let run = loading.read(&begun, range.clone()).unwrap();
            let kept = loading.beside(|| run.to_vec());
            assert_eq!(kept.len(), range.len());
            loading.push(run);
            kept
        };
        drop(take(0..LARGE_BYTES));
        let (mut kept, mut length, mut start) = (Vec::new(), 0, LARGE_BYTES);
        while start < BYTES {
            length += MORE_BYTES;
            let end = BYTES.min(start + length);
            kept.push(take(start..end));
            if kept.len() == 8 {
                reset(); // by now the large one is hashed
            }
            start = end;
        }
        let fullest = bytes("VmHWM:");
        loading.end(begun);
        (fullest, loading.finish().unwrap().0)
    };
    let bound = (BYTES - LARGE_BYTES + COPIES_BYTES_MAX + (16 << 20)) as u64;
    let digests = [1, 2].map(|threads| {
        let pool = Threads::of(Level::here(), threads).unwrap();
        let before = bytes("VmRSS:");
        let (fullest, digest) = pool.run(load);
        let taken = fullest.saturating_sub(before);
        println!("{threads} threads: {taken} bytes, {bound} are the bound");
        assert!(taken <= bound, "{threads} threads: {taken} bytes, {bound} are the bound");
        digest
    });
    std::fs::remove_dir_all(&dir).unwrap();
    let mut digest = ModelDigest::default();
    digest.file("hole", BYTES as u64);
    digest.content(&vec![0; BYTES]);
    assert_eq!(digests, [digest.finish(); 2]);
}

#[test]
fn a_picture_of_128_takes_what_was_said() {
    assert_said(128, 2.0, 60);
}

#[test]
fn a_picture_of_256_takes_what_was_said() {
    assert_said(256, 0.0, 1);
}

#[test]
fn a_picture_of_512_takes_what_was_said() {
    assert_said(512, 2.0, 60);
}

#[test]
fn a_picture_of_768_takes_what_was_said() {
    assert_said(768, 0.0, 60);
}

#[test]
fn a_picture_of_1024_takes_what_was_said() {
    assert_said(1024, 0.0, 1);
}
