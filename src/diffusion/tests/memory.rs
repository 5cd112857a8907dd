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

/// What a picture of the demo model takes, and what was said beforehand.
fn picture(side: u32, guidance: f32) -> (u64, u64) {
    let pipeline = Pipeline::load(&demo::folder(), DeviceName::Cpu).unwrap();
    let recipe = Recipe {
        prompt: "a red apple on a table ".repeat(60),
        negative_prompt: String::new(),
        width: side,
        height: side,
        steps: 1,
        guidance,
        guidance_norm_max: None,
        guidance_time_max: 1.0,
        seeds: vec![1],
    };
    let (taken, _pictures) = fullest(|| pipeline.generate(&recipe).unwrap());
    let said = pipeline.bytes_needed(&recipe);
    println!("{side}x{side}: {taken} bytes taken, {said} said");
    (taken, said)
}

#[test]
fn loading_takes_no_more_than_was_said() {
    let choose = |parameters| Precision::choose(DeviceName::Cpu, parameters);
    let said = Checkpoint::open(&demo::folder(), choose).unwrap().bytes_to_load();
    let (taken, _pipeline) = fullest(|| Pipeline::load(&demo::folder(), DeviceName::Cpu).unwrap());
    assert!(taken <= said && said <= 3 * taken, "{taken} bytes taken, {said} said");
}

#[test]
fn a_small_picture_takes_no_more_than_was_said() {
    let (taken, said) = picture(128, 2.0);
    assert!(taken <= said, "{taken} bytes taken, {said} said");
}

#[test]
fn a_picture_of_512_takes_no_more_than_was_said_and_not_much_less() {
    let (taken, said) = picture(512, 2.0);
    assert!(taken <= said && said <= 2 * taken, "{taken} bytes taken, {said} said");
}

#[test]
fn a_picture_of_1024_takes_no_more_than_was_said_and_not_much_less() {
    let (taken, said) = picture(1024, 0.0);
    assert!(taken <= said && said <= 2 * taken, "{taken} bytes taken, {said} said");
}
