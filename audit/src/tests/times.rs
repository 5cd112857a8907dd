//! Times that cannot be right are said in words, with their span.

use super::*;
use crate::Cause;

const HOUR: u64 = 3_600_000;

fn at(dir: &Dir, clock: &TestClock, count: u64) {
    let log = match dir.0.exists() {
        true => Log::open_on(&dir.0, None, Disk::default(), Box::new(clock.clone())).unwrap().0,
        false => Log::create_on(&dir.0, None, Disk::default(), Box::new(clock.clone())).unwrap(),
    };
    log.append(&[event(count)]).unwrap();
}

#[test]
fn a_start_under_a_wrong_clock_is_named_with_every_record_that_carries_its_time() {
    let dir = Dir::new();
    let clock = TestClock::new();
    at(&dir, &clock, 1);
    let right = clock.wall_ms();
    let wrong = right + 80 * 365 * 24 * HOUR;
    clock.mono_ms.store(5000, Ordering::Relaxed);
    clock.wall_ms.store(wrong, Ordering::Relaxed);
    at(&dir, &clock, 2);
    clock.wall_ms.store(right + HOUR, Ordering::Relaxed);
    at(&dir, &clock, 3);
    at(&dir, &clock, 4);
    let report = dir.verify();
    assert!(report.is_ok(), "{report}");
    let [doubt] = &report.doubts[..] else { panic!("{report}") };
    // Records 0 and 1 are from before.
    assert_eq!(
        (doubt.first, doubt.last, doubt.from_ms, doubt.until_ms),
        (2, report.signed - 1, wrong, wrong)
    );
    assert_eq!(doubt.cause, Cause::Behind { clock_ms: right + HOUR });
    let text = report.to_string();
    assert!(text.contains("note: records 2 to 6 carry times from 2103-"), "{text}");
    assert!(text.contains("though later the clock said 2024-01-15T"), "{text}");
    assert!(report.to_json().contains("\"doubts\":[{\"first\":2,\"last\":6,\"from\":\"2103-"), "{text}");
    // Once the real time has caught up, times are in order again.
    clock.pass(wrong - right);
    at(&dir, &clock, 5);
    let report = dir.verify();
    assert_eq!((report.doubts.len(), report.doubts[0].last), (1, 6), "{report}");
}

#[test]
fn a_jump_within_one_boot_is_named_though_no_record_says_so() {
    let dir = Dir::new();
    let clock = TestClock::new();
    at(&dir, &clock, 1);
    clock.pass(HOUR);
    at(&dir, &clock, 2);
    assert!(dir.verify().doubts.is_empty(), "{}", dir.verify());
    // The program was not running when the clock was set, so it had nothing to compare with.
    clock.pass(HOUR);
    clock.wall_ms.fetch_add(48 * HOUR, Ordering::Relaxed);
    at(&dir, &clock, 3);
    let report = dir.verify();
    let [doubt] = &report.doubts[..] else { panic!("{report}") };
    assert_eq!((doubt.first, doubt.cause), (3, Cause::Jumped), "{report}");
    assert!(report.is_ok() && report.to_string().contains("at record 3 the time jumped forward"), "{report}");
}

#[test]
fn a_jump_while_the_program_runs_is_one_doubt_and_a_log_in_order_has_none() {
    let dir = Dir::new();
    let clock = TestClock::new();
    let log = Log::create(&dir.0, clock.clone()).unwrap();
    log.append(&[event(1)]).unwrap();
    clock.wall_ms.fetch_add(48 * HOUR, Ordering::Relaxed);
    log.append(&[event(2)]).unwrap();
    drop(log);
    let report = dir.verify();
    assert_eq!(report.doubts.len(), 1, "{report}");
    let quiet = Dir::new();
    small(&quiet);
    assert!(quiet.verify().doubts.is_empty());
}
