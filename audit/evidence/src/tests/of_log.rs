//! Each control of the log, and what breaks it.

use super::*;
use crate::Outcome::{self, NotApplicable, NotMeasured, NotSatisfied, Satisfied};
use crate::tests::{Dir, Tried, copy, erased};
use audit::words::{EpochReason, StopReason};
use audit::{Event, JobId, Log, Object, SystemClock};
use std::os::unix::fs::PermissionsExt as _;

/// A year from now.
const LATER_MS: u64 = 365 * 24 * 3600 * 1000;

fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

fn outcome(dir: &Path, id: &str) -> Outcome {
    let verdicts = try_log(dir, 3600, &now_ms);
    assert_eq!(verdicts.iter().map(|verdict| verdict.control().id).collect::<Vec<_>>(), TRIED);
    verdicts.iter().find(|verdict| verdict.control().id == id).unwrap().outcome()
}

/// A log at rest.
fn log() -> Dir {
    let Tried { dir, log, .. } = Tried::new("NOTHING");
    log.append(&[erased(2).by_system().object(Object([5; 16])).job(JobId([6; 16]))]).unwrap();
    drop(log);
    let copied = copy(&dir.0.join("audit"));
    std::fs::set_permissions(&copied.0, std::fs::Permissions::from_mode(0o700)).unwrap();
    copied
}

#[test]
fn a_sound_log_satisfies_each_of_its_controls() {
    let log = log();
    for id in TRIED {
        let wanted = if id == "LOG-08" { NotApplicable } else { Satisfied };
        assert_eq!(outcome(&log.0, id), wanted, "{id}");
    }
}

#[test]
fn a_folder_that_others_may_open_is_noticed() {
    let log = log();
    let of = |mode| {
        std::fs::set_permissions(&log.0, std::fs::Permissions::from_mode(mode)).unwrap();
        outcome(&log.0, "ACC-05")
    };
    assert_eq!((of(0o705), of(0o701), of(0o700)), (NotSatisfied, NotSatisfied, Satisfied));
}

#[test]
fn what_a_sudden_end_cut_short_is_kept() {
    let log = log();
    let segment = log.0.join("seg/00000000.jsonl");
    let mut text = std::fs::read(&segment).unwrap();
    text.extend(b"{\"v\":1,");
    std::fs::write(&segment, text).unwrap();
    {
        let (log, _) = Log::open(&log.0, SystemClock::new()).unwrap();
        let event = Event::BootStopped { reason: StopReason::Done };
        log.append(&[event.by_system()]).unwrap();
    }
    assert_eq!(outcome(&log.0, "LOG-08"), Satisfied);
    let quarantine = log.0.join("quarantine").read_dir().unwrap().next().unwrap().unwrap().path();
    let kept = std::fs::read(&quarantine).unwrap();
    std::fs::write(&quarantine, b"{\"v\":2,").unwrap();
    assert_eq!(outcome(&log.0, "LOG-08"), NotSatisfied, "it is another one");
    std::fs::remove_file(&quarantine).unwrap();
    assert_eq!(outcome(&log.0, "LOG-08"), NotSatisfied, "it is gone");
    std::fs::write(&quarantine, kept).unwrap();
    assert_eq!(outcome(&log.0, "LOG-08"), Satisfied);
    // A record that was signed is gone.
    let text = std::fs::read(&segment).unwrap();
    let end = text[..text.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap();
    std::fs::write(&segment, &text[..=end]).unwrap();
    assert_eq!(outcome(&log.0, "LOG-08"), NotSatisfied);
}

#[test]
fn each_of_them_is_broken_by_what_it_is_about() {
    type Break = fn(&Path);
    let change = |dir: &Path, name: &str, from: &str, to: &str| {
        let before = std::fs::read_to_string(dir.join(name)).unwrap();
        assert!(before.contains(from));
        std::fs::write(dir.join(name), before.replacen(from, to, 1)).unwrap();
    };
    let segment = "seg/00000000.jsonl";
    let edits: [(&str, &str, &str, &str); 5] = [
        ("LOG-03", segment, "\"pid\":1", "\"pid\":2"),
        ("LOG-03", "checkpoints.log", "\u{2014} lightproof", "\u{2014} lightprooF"),
        ("LOG-12", segment, "boot.stopped", "boot.stopper"),
        ("LOG-12", segment, "\"pid\":1", "\"pid\":1,\"reader\":\"x\""),
        ("ERA-04", segment, "\"grade\":\"b\"", "\"grade\":\"v\""),
    ];
    for (id, name, from, to) in edits {
        let log = log();
        change(&log.0, name, from, to);
        assert_eq!(outcome(&log.0, id), NotSatisfied, "{id}: {from}");
    }
    let removals: [(&str, Break); 3] = [
        ("LOG-03", |dir| std::fs::remove_file(dir.join("checkpoint")).unwrap()),
        ("LOG-09", |dir| std::fs::remove_file(dir.join("reserve")).unwrap()),
        ("LOG-09", |dir| std::fs::write(dir.join("reserve"), "x").unwrap()),
    ];
    for (id, remove) in removals {
        let log = log();
        remove(&log.0);
        assert_eq!(outcome(&log.0, id), NotSatisfied, "{id}");
    }
}

#[test]
fn an_older_signing_key_put_back_is_noticed() {
    let tried = Tried::new("NOTHING");
    let key = tried.audit().join("epoch.key");
    let old = std::fs::read(&key).unwrap();
    tried.log.begin_epoch(EpochReason::Unlock).unwrap();
    let log = copy(&tried.audit());
    assert_eq!(outcome(&log.0, "LOG-04"), Satisfied);
    std::fs::write(log.0.join("epoch.key"), old).unwrap();
    assert_eq!(outcome(&log.0, "LOG-04"), NotSatisfied);
    // An auditor has no key, and cannot say.
    std::fs::remove_file(log.0.join("epoch.key")).unwrap();
    assert_eq!(outcome(&log.0, "LOG-04"), NotMeasured);
}

/// The frozen log of this format has a clock that jumped.
#[test]
fn a_clock_that_jumped_is_noticed() {
    let frozen = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/v1");
    assert_eq!(outcome(&frozen, "LOG-07"), NotSatisfied);
}

#[test]
fn a_run_that_is_too_old_is_noticed() {
    let log = log();
    let gov = |now: &dyn Fn() -> u64| try_log(&log.0, 3600, now).pop().unwrap();
    assert_eq!(gov(&|| now_ms() + LATER_MS).outcome(), NotSatisfied);
    let young = gov(&now_ms);
    assert_eq!((young.outcome(), young.reading().unwrap().records().len()), (Satisfied, 1));
    let frozen = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/v1");
    assert_eq!(outcome(&frozen, "GOV-01"), NotMeasured, "nobody ever tried");
}

#[test]
fn what_cannot_be_read_is_not_measured_and_what_was_not_erased_does_not_apply() {
    let nowhere = Dir::new();
    for id in TRIED {
        assert_eq!(outcome(&nowhere.0, id), NotMeasured, "{id}");
    }
    let tried = Tried::new("NOTHING");
    assert_eq!(outcome(&tried.audit(), "ERA-04"), NotApplicable);
}
