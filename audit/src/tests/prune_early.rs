//! Nothing goes before its time: not by a thief of today's key, and not under a clock that is wrong, as far as log and machine know.

use super::prune::{ADMIN, DAY_MS, aged, batch, code, opened, segment, two_segments};
use super::*;
use crate::clock::now_ms;
use crate::{LOG_DAYS_MIN, Undone};

/// Signs a pruning of all full segments, as who has the key can, and does nothing of it.
fn sign(dir: &Dir, clock: &TestClock, days: u32) {
    let clock = Box::new(clock.clone());
    let mut writer = crate::open::open(&dir.0, None, Disk::default(), clock).unwrap().0;
    let first = writer.segment_index * 4096;
    let (_, sha256) = writer.forms(first).unwrap();
    writer.append(&[Event::LogPruned { first, sha256, days, records: 1 }.by_system()]).unwrap();
}

fn segments(dir: &Dir) -> Vec<Vec<u8>> {
    (0..2).map(|index| std::fs::read(segment(dir, index)).unwrap()).collect()
}

/// Both verifiers find it, and not as something that a crash leaves.
#[track_caller]
fn is_found(dir: &Dir, words: &str) {
    let report = dir.verify();
    assert!(report.integrity_broken && report.to_string().contains(words), "{report}");
    assert_eq!(code(dir), Some(11));
}

/// A clock of this machine, as far ahead as that.
fn ahead(days: u64) -> TestClock {
    let clock = TestClock::new();
    clock.wall_ms.store(now_ms() + days * DAY_MS, Ordering::Relaxed);
    clock
}

#[test]
fn a_start_takes_nothing_away_for_a_pruning_that_no_verifier_accepts() {
    for (passed, days) in
        [(0, 1), (0, LOG_DAYS_MIN), (183, LOG_DAYS_MIN), (200, LOG_DAYS_MIN - 1), (200, 201)]
    {
        let (dir, clock) = (Dir::new(), TestClock::new());
        drop(two_segments(&dir, &clock));
        clock.pass(passed * DAY_MS);
        sign(&dir, &clock, days);
        let before = segments(&dir);
        let opened = opened(&dir, &clock, &Faults::default()).map(drop);
        assert!(matches!(opened, Err(Error::Broken { .. })), "{passed}, {days}: {opened:?}");
        assert_eq!(segments(&dir), before, "{passed}, {days}");
        is_found(&dir, "prunes records after");
    }
}

#[test]
fn a_pruning_of_a_time_that_has_not_come_is_found_and_a_start_takes_nothing_away_for_it() {
    let (dir, now) = (Dir::new(), ahead(0));
    drop(two_segments(&dir, &now));
    sign(&dir, &ahead(190), LOG_DAYS_MIN);
    let before = segments(&dir);
    is_found(&dir, "prunes records after");
    let log = opened(&dir, &now, &Faults::default()).unwrap();
    assert_eq!(log.unpruned().unwrap(), Some(Undone::Clock));
    let error = log.due(LOG_DAYS_MIN).unwrap_err().to_string();
    assert!(error.contains("see that the clock is right"), "{error}");
    log.append(&[event(1)]).unwrap();
    drop(log);
    assert_eq!(segments(&dir), before);
    is_found(&dir, "prunes records after");
    // The same where the thief has taken the content away.
    drop(opened(&dir, &ahead(190), &Faults::default()).unwrap());
    assert_ne!(segments(&dir), before, "a clock that is wrong at the start is believed");
    is_found(&dir, "it was signed too early, or that clock is wrong");
}

#[test]
fn a_pruning_under_a_clock_that_was_ahead_is_found_until_its_time_has_come() {
    let (dir, clock) = (Dir::new(), TestClock::new());
    drop(two_segments(&dir, &clock));
    clock.pass(200 * DAY_MS);
    let log = opened(&dir, &clock, &Faults::default()).unwrap();
    log.prune(ADMIN, log.due(LOG_DAYS_MIN).unwrap()).unwrap();
    drop(log);
    assert!(dir.verify().is_ok());
    // The clock is set right. Every file is of the past by now, so only the log itself can tell.
    clock.wall_ms.fetch_sub(199 * DAY_MS, Ordering::Relaxed);
    let log = opened(&dir, &clock, &Faults::default()).unwrap();
    log.append(&[event(1)]).unwrap();
    assert!(matches!(log.due(LOG_DAYS_MIN), Err(Error::Refused { .. })));
    drop(log);
    is_found(&dir, "it was signed too early, or that clock is wrong");
    clock.pass(180 * DAY_MS);
    opened(&dir, &clock, &Faults::default()).unwrap().append(&[event(2)]).unwrap();
    is_found(&dir, "it was signed too early, or that clock is wrong");
    clock.pass(20 * DAY_MS);
    opened(&dir, &clock, &Faults::default()).unwrap().append(&[event(3)]).unwrap();
    assert!(dir.verify().is_ok(), "{}", dir.verify());
    assert_eq!(code(&dir), Some(0));
}

#[test]
fn nothing_is_due_under_a_clock_that_was_set() {
    let dir = Dir::new();
    let clock = aged(&dir);
    for set in [-3_600_000i64, 300 * 86_400_000, 120_000] {
        let dir = dir.copy();
        let log = opened(&dir, &clock, &Faults::default()).unwrap();
        log.append(&[event(1)]).unwrap();
        let due = log.due(LOG_DAYS_MIN).unwrap();
        let now = clock.wall_ms();
        clock.wall_ms.store(now.saturating_add_signed(set), Ordering::Relaxed);
        let refused = |asked: Result<(), Error>| matches!(asked, Err(Error::Refused { what }) if what.contains("clock"));
        assert!(
            refused(log.due(LOG_DAYS_MIN).map(drop)) && refused(log.prune(ADMIN, due).map(drop)),
            "{set}"
        );
        // Nor once that is on record, before the next start.
        log.append(&[event(2)]).unwrap();
        assert!(refused(log.prune(ADMIN, due).map(drop)), "{set}");
        drop(log);
        assert_eq!(dir.verify().pruned, 0);
        clock.wall_ms.store(now, Ordering::Relaxed);
    }
    let log = opened(&dir, &clock, &Faults::default()).unwrap();
    assert!(log.due(LOG_DAYS_MIN).unwrap().records > 0);
}

#[test]
fn a_pruning_that_is_right_stays_right_under_a_clock_that_differs_by_less_than_a_day() {
    let dir = Dir::new();
    let clock = TestClock::new();
    drop(two_segments(&dir, &clock));
    clock.pass(184 * DAY_MS + 3_600_000);
    let log = opened(&dir, &clock, &Faults::default()).unwrap();
    log.prune(ADMIN, log.due(LOG_DAYS_MIN).unwrap()).unwrap();
    drop(log);
    clock.wall_ms.fetch_sub(14 * 3_600_000, Ordering::Relaxed);
    let log = opened(&dir, &clock, &Faults::default()).unwrap();
    log.append(&batch(1)).unwrap();
    drop(log);
    let report = dir.verify();
    assert!(report.is_ok() && !report.doubts.is_empty(), "{report}");
    assert_eq!(code(&dir), Some(0));
}

#[test]
fn a_thief_of_todays_key_cannot_prune_what_is_younger_than_the_period() {
    for (passed, days) in [(1, 184), (200, 1)] {
        let dir = Dir::new();
        let clock = aged(&dir);
        let log = opened(&dir, &clock, &Faults::default()).unwrap();
        for _ in 0..5 {
            log.append(&(0..200).flat_map(batch).collect::<Vec<_>>()).unwrap();
        }
        drop(log);
        clock.pass(passed * DAY_MS);
        let mut writer = crate::open::open(&dir.0, None, Disk::default(), Box::new(clock)).unwrap().0;
        let first = writer.segment_index * 4096;
        let (forms, sha256) = writer.forms(first).unwrap();
        writer.append(&[Event::LogPruned { first, sha256, days, records: 1 }.by_system()]).unwrap();
        let mut lengths = vec![0; 9];
        crate::prune::finish(&Disk::default(), &writer.paths, &forms, &mut lengths).unwrap();
        drop(writer);
        let report = dir.verify();
        assert!(report.integrity_broken && report.to_string().contains("prunes records after"), "{report}");
        assert_eq!(code(&dir), Some(11));
    }
}
