//! Memory before work: what a picture takes is said before it is begun, and what does not fit is not begun.

use crate::abuse::{Opened, refused};
use crate::harness::is_root_for;
use crate::http::Request;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::{Value, json};

/// Sides of square pictures in pixels.
const SIDES: [u64; 5] = [128, 256, 512, 768, 1024];
const MIB: u64 = 1 << 20;
/// What is said is the most that may be taken: how near a picture comes depends on which pieces of its work happen to be
/// done side by side, and on what the allocator kept of the one before. So none may be far off, as a fraction,
const FAR: (u64, u64) = (18, 10);
/// and one of the large ones must come near, beside whose work what is there before counts little.
const NEAR: (u64, u64) = (13, 10);
const LARGE: u64 = 768;

fn square(side: u64) -> Value {
    json!({"prompt": "a red apple", "width": side, "height": side, "steps": 1})
}

/// Bytes of a process, as a line of the kernel's has them.
fn bytes(pid: u32, line: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it is there");
    let found = status.lines().find_map(|known| known.strip_prefix(line)).expect("every process has it");
    found.trim().trim_end_matches(" kB").parse::<u64>().expect("it is a number") * 1024
}

/// Lets a process have so many bytes more.
fn leave(pid: u32, more_bytes: u64) {
    let current = Some(bytes(pid, "VmSize:") + more_bytes);
    let pid = Pid::from_raw(pid as i32).expect("no child is process 0");
    prlimit(Some(pid), Resource::As, Rlimit { current, maximum: None }).expect("root may");
}

/// The number before `unit` in a sentence, and the rest of the sentence.
#[track_caller]
fn number<'a>(sentence: &'a str, unit: &str) -> (u64, &'a str) {
    let (before, rest) = sentence.split_once(unit).unwrap_or_else(|| panic!("no {unit:?} in {sentence}"));
    let digits = before.rsplit(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    (digits.parse().unwrap_or_else(|_| panic!("no number before {unit:?} in {sentence}")), rest)
}

#[test]
fn what_is_said_of_a_picture_is_what_the_engine_takes() {
    if !is_root_for("the peak of another process") {
        return;
    }
    let opened = Opened::new("memory-plan");
    let engine = opened.served.processes().engine;
    // Where nothing fits, each size says what it needs.
    leave(engine, 4 * MIB);
    let refusal = |side: u64| {
        let answer = opened.ask(Request::post("/api/v1/jobs", &square(side)));
        refused(&answer, 507, "memory", "a picture that does not fit");
        answer.json()["detail"].as_str().expect("it has a sentence").to_owned()
    };
    let needs = SIDES.map(|side| {
        let sentence = refusal(side);
        let (need, more) = number(&sentence, " MiB of memory");
        let (left, more) = number(more, " MiB are left");
        assert!(left <= 4 && more.contains("none of this shape fits"), "{sentence}");
        need
    });
    leave(engine, 1 << 40);
    let mut pictures = 0;
    let mut near = false;
    for (side, need) in SIDES.into_iter().zip(needs) {
        std::fs::write(format!("/proc/{engine}/clear_refs"), "5").expect("root may");
        let before = bytes(engine, "VmRSS:");
        let id = opened.submit(square(side));
        opened.until(&id, &["done"]);
        pictures += 1;
        let (said, peak) = (before + need * MIB, bytes(engine, "VmHWM:"));
        println!("{side}x{side}: {before} bytes before, {peak} taken, {said} said");
        assert!(peak <= said, "{side}: {before} before, {peak} taken, {said} said");
        assert!(FAR.1 * said <= FAR.0 * peak, "{side}: {before} before, {peak} taken, {said} said");
        near |= side >= LARGE && NEAR.1 * said <= NEAR.0 * peak;
    }
    assert!(near, "no picture took what is said");
    // Where one fits, a larger one names it, and it is made.
    leave(engine, (needs[2] + 2) * MIB);
    let sentence = refusal(1024);
    let side = number(&sentence, " fits").0;
    assert!((512..768).contains(&side) && sentence.contains(&format!("{side}x{side} fits")), "{sentence}");
    let id = opened.submit(square(side));
    opened.until(&id, &["done"]);
    assert_eq!(opened.served.processes().engine, engine, "the limit ended it");
    let home = opened.end(pictures as u64 + 1);
    // Nothing that did not fit was begun.
    assert_eq!(home.count_records(&["request.refused", "reason=memory"]), 6);
    assert_eq!(home.count_records(&["generate.requested"]), pictures + 1);
    assert_eq!(home.count_records(&["generate.finished ok"]), pictures + 1);
}
