//! The bounds of memory against what the system counts. A test is a process of its own, see `.config/nextest.toml`.

use crate::checkpoint::Checkpoint;
use crate::device::Precision;
use crate::{DeviceName, Pipeline, Recipe, demo};

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
