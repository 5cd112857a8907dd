//! The machine stops before each effect in turn, whole or torn; the disk fails at each effect in turn. Afterwards the
//! log opens, verifies, goes on, and nothing that was acknowledged is gone.

use super::*;
use crate::faults::Fault;
use std::io::ErrorKind;

/// Does `act` on a fresh log with the fault at every step until one run passes without it.
fn at_every_step(fault: Fault, prepare: impl Fn(&Log), act: impl Fn(&Log) -> Vec<u64>) {
    for step in 0.. {
        let dir = Dir::new();
        let faults = Faults::default();
        let log = create(&dir, &faults).unwrap();
        prepare(&log);
        let acknowledged_before = log.mark().size;
        faults.plan(step, fault);
        let acknowledged = act(&log);
        let reached = faults.steps().len() > step;
        drop(log);
        let log = open(&dir, &Faults::default()).unwrap_or_else(|e| panic!("{fault:?} at step {step}: {e}"));
        assert!(log.mark().size >= acknowledged_before, "{fault:?} at step {step}");
        log.append(&[event(999)]).unwrap_or_else(|e| panic!("{fault:?} at step {step}: {e}"));
        drop(log);
        let report = dir.verify();
        assert!(report.is_ok(), "{fault:?} at step {step}: {report}");
        let lines = crate::tail(&dir.0, 10_000, false).unwrap().lines.join("\n") + "\n";
        for number in acknowledged.iter().chain([&999]) {
            assert!(
                lines.contains(&format!("count={number}\n")),
                "{fault:?} at step {step}: {number} is lost"
            );
        }
        if !reached {
            assert!(step > 3, "the act has no steps");
            return;
        }
    }
}

const FAULTS: [Fault; 4] =
    [Fault::Stop, Fault::Torn, Fault::Error(ErrorKind::Other), Fault::Error(ErrorKind::StorageFull)];

/// Appends two batches and tells which were acknowledged.
fn append_two(log: &Log) -> Vec<u64> {
    [11, 12].into_iter().filter(|n| log.append(&[event(*n)]).is_ok()).collect()
}

#[test]
fn a_fault_at_any_step_of_an_append() {
    FAULTS.into_iter().for_each(|fault| at_every_step(fault, |_| {}, append_two));
}

#[test]
fn a_fault_at_any_step_of_a_hand_over() {
    for fault in FAULTS {
        at_every_step(
            fault,
            |_| {},
            |log| {
                let _ = log.begin_epoch(EpochReason::Unlock);
                append_two(log)
            },
        );
    }
}

#[test]
fn a_fault_at_any_step_of_a_new_segment() {
    let fill = |log: &Log| {
        let thousand: Vec<Entry> = (0..1000).map(|_| event(0)).collect();
        for _ in 0..4 {
            log.append(&thousand).unwrap();
        }
        log.append(&thousand[..94]).unwrap(); // with log.created one less than a segment
    };
    FAULTS.into_iter().for_each(|fault| at_every_step(fault, fill, append_two));
}

/// With `log.created`, as many batches as fill the first file of checkpoints: the next one begins the second file.
fn fill_checkpoints(log: &Log) {
    for _ in 0..17 {
        log.append(&[event(0)]).unwrap();
    }
}

#[test]
fn a_fault_at_any_step_of_a_new_file_of_checkpoints() {
    let dir = Dir::new();
    let log = create(&dir, &Faults::default()).unwrap();
    fill_checkpoints(&log);
    assert!(!dir.0.join("checkpoints.1.log").exists());
    append_two(&log);
    assert!(dir.0.join("checkpoints.1.log").exists());
    FAULTS.into_iter().for_each(|fault| at_every_step(fault, fill_checkpoints, append_two));
}

#[test]
fn a_fault_at_any_step_of_a_hand_over_into_a_new_file_of_checkpoints() {
    for fault in FAULTS {
        at_every_step(fault, fill_checkpoints, |log| {
            let _ = log.begin_epoch(EpochReason::Unlock);
            append_two(log)
        });
    }
}

#[test]
fn a_fault_at_any_step_of_the_creation_leaves_no_half_log() {
    for fault in FAULTS {
        for step in 0.. {
            let dir = Dir::new();
            let faults = Faults::default();
            faults.plan(step, fault);
            let created = create(&dir, &faults);
            let reached = faults.steps().len() > step;
            let whole = created.is_ok();
            drop(created);
            // Either there is a log that opens, or one can be made.
            let log = match open(&dir, &Faults::default()) {
                Err(Error::Absent { .. }) if !whole => create(&dir, &Faults::default()),
                opened => opened,
            };
            let log = log.unwrap_or_else(|e| panic!("{fault:?} at step {step}: {e}"));
            log.append(&[event(1)]).unwrap();
            drop(log);
            let report = dir.verify();
            assert!(report.is_ok(), "{fault:?} at step {step}: {report}");
            if !reached {
                break;
            }
        }
    }
}

#[test]
fn a_fault_at_any_step_of_the_recovery_itself() {
    let torn = Dir::new();
    small(&torn);
    let segment = torn.0.join("seg/00000000.jsonl");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes.extend_from_slice(b"{\"actor\":\"a:sys");
    std::fs::write(&segment, bytes).unwrap();
    for fault in FAULTS {
        for step in 0.. {
            let dir = torn.copy();
            let faults = Faults::default();
            faults.plan(step, fault);
            drop(open(&dir, &faults));
            let reached = faults.steps().len() > step;
            drop(open(&dir, &Faults::default()).unwrap_or_else(|e| panic!("{fault:?} at step {step}: {e}")));
            let report = dir.verify();
            assert!(report.is_ok(), "{fault:?} at step {step}: {report}");
            let cuts = crate::tail(&dir.0, 100, false)
                .unwrap()
                .lines
                .iter()
                .filter(|l| l.contains("recovery.truncated"))
                .count();
            // A record about the cut that was not signed before the fault is itself cut, and on record.
            assert!((1..=3).contains(&cuts), "{fault:?} at step {step}: {cuts}");
            if !reached {
                break;
            }
        }
    }
}

#[test]
fn signed_records_that_are_gone_are_a_loss_and_no_torn_end() {
    let dir = Dir::new();
    small(&dir);
    let segment = dir.0.join("seg/00000000.jsonl");
    let text = std::fs::read_to_string(&segment).unwrap();
    let cut = text.trim_end().rfind('\n').unwrap() + 1;
    std::fs::write(&segment, &text[..cut]).unwrap();
    assert!(matches!(open(&dir, &Faults::default()), Err(Error::Lost { .. })));
    assert_eq!(std::fs::read_to_string(&segment).unwrap(), text[..cut]);
}
