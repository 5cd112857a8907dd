//! A log that this version wrote, frozen: every later version must verify, open and continue it.

use super::*;
use crate::pruned::GOES;
use crate::{Actor, LOG_DAYS_MIN, Order};

/// Types that came after the log was frozen.
const LATER: [&str; 70] = [
    "act.asked",
    "act.confirmed",
    "act.lapsed",
    "act.refused",
    "audit.read",
    "backup.begun",
    "backup.destroyed",
    "backup.failed",
    "backup.restore_begun",
    "backup.restored",
    "backup.written",
    "certificate.issued",
    "certificate.key_drawn",
    "evidence.exported",
    "evidence.exported_failing",
    "evidence.frozen",
    "evidence.key_drawn",
    "evidence.settled",
    "evidence.subject",
    "evidence.tried",
    "fence.found_open",
    "hold.ended",
    "hold.set",
    "log.mark_missed",
    "log.pruned",
    "log.stamped",
    "model.embedded_used",
    "model.imported",
    "model.may_change",
    "model.removed",
    "model.used",
    "object.erase_named",
    "object.export_digest",
    "object.sealed",
    "objects.viewed",
    "outputs.accepted",
    "posture.process",
    "session.closed",
    "session.opened",
    "retention.begun",
    "slot.add_named",
    "slot.joint",
    "slot.machine_half",
    "slot.name_destroyed",
    "slot.name_due",
    "slot.name_kept",
    "slot.pictures",
    "slot.remove_named",
    "slot.resolved",
    "slot.role_changed",
    "support.bundled",
    "token.end_failed",
    "token.ended",
    "token.made",
    "token.used",
    "vault.damaged",
    "vault.destroy_failed",
    "vault.destroy_requested",
    "vault.destroyed",
    "vault.healed",
    "vault.key_gone",
    "vault.key_remains",
    "vault.key_unused",
    "vault.key_wiped",
    "vault.mirror_damaged",
    "vault.rolled_back",
    "vault.secret_failed",
    "vault.secret_named",
    "vault.secret_requested",
    "vault.unlocked_with",
];

fn frozen() -> PathBuf {
    testdata("v1")
}

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

#[test]
fn the_frozen_log_verifies_and_can_be_continued() {
    let report = verify(&frozen(), None).unwrap();
    assert!(report.is_ok(), "{report}");
    assert_eq!((report.complete, report.epochs), (44, 3));
    assert_eq!((report.types.values().sum::<u64>(), report.outside_schema), (44, 0));
    let records = crate::tail(&frozen(), u64::MAX, false).unwrap().lines.join("\n");
    for kind in crate::SCHEMA {
        let is_there = records.contains(&format!(" {} ", kind.name));
        assert_ne!(is_there, LATER.contains(&kind.name), "{} in the frozen log", kind.name);
    }
    let dir = Dir::new();
    copy_folder(&frozen(), &dir.0);
    let log = open(&dir, &Faults::default()).unwrap();
    log.append(&job(7)).unwrap();
    drop(log);
    let kept = std::fs::read(frozen().join("checkpoint")).unwrap();
    let report = verify(&dir.0, Some(&kept)).unwrap();
    assert!(report.is_ok(), "{report}");
}

/// What would be frozen today. `AUDIT_FREEZE_INTO` names the folder of a new format version to keep it in.
#[test]
fn what_would_be_frozen_today_verifies_the_same() {
    let dir = Dir::new();
    rich(&dir);
    // The reserve is half a megabyte of noise; opening makes it again.
    let _ = std::fs::remove_file(dir.0.join("reserve"));
    if let Some(folder) = std::env::var_os("AUDIT_FREEZE_INTO") {
        copy_folder(&dir.0, Path::new(&folder));
    }
    let (today, frozen) = (dir.verify(), verify(&frozen(), None).unwrap());
    // A pruning takes more than a segment.
    let later = LATER.iter().filter(|name| **name != "log.pruned").count() as u64;
    assert_eq!((today.complete, today.epochs), (frozen.complete + later, frozen.epochs));
}

/// A log whose first segment was pruned. Each type of record is in it, whether it may go or not.
fn pruned(dir: &Dir) {
    let clock = TestClock::new();
    let log = Log::create_on(&dir.0, None, Disk::default(), Box::new(clock.clone())).unwrap();
    let mut entries = every::every_event();
    let goes: Vec<Entry> =
        entries.iter().filter(|entry| GOES.contains(&entry.event.name())).cloned().collect();
    let missing = 4100 - entries.len();
    entries.extend(goes.iter().cycle().take(missing).cloned());
    for part in entries.chunks(1000) {
        log.append(part).unwrap();
    }
    log.begin_epoch(EpochReason::Unlock).unwrap();
    clock.pass(200 * 86_400_000);
    log.append(&[event(1)]).unwrap();
    log.prune(Actor::System, log.due(LOG_DAYS_MIN).unwrap()).unwrap();
    log.append(&job(1)).unwrap();
}

#[test]
fn the_frozen_log_that_was_pruned_verifies_and_can_be_continued() {
    let report = verify(&testdata("pruned"), None).unwrap();
    assert!(report.is_ok(), "{report}");
    assert_eq!((report.complete, report.pruned, report.epochs), (4108, 4007, 2));
    assert_eq!(reader::python(&testdata("pruned")).status.code(), Some(0));
    let there: Vec<_> = crate::records(&testdata("pruned"), Order::OldestFirst).unwrap().flatten().collect();
    for kind in GOES.iter().filter(|kind| there.iter().any(|record| record.name == **kind)) {
        assert!(there.iter().all(|record| record.name != *kind || record.seq >= 4095), "{kind}");
    }
    let dir = Dir::new();
    copy_folder(&testdata("pruned"), &dir.0);
    let clock = TestClock::new();
    clock.pass(201 * 86_400_000);
    let log = open_when(&dir.0, &Faults::default(), &clock).unwrap();
    log.append(&job(7)).unwrap();
    drop(log);
    let kept = std::fs::read(testdata("pruned").join("checkpoint")).unwrap();
    let report = verify(&dir.0, Some(&kept)).unwrap();
    assert!(report.is_ok(), "{report}");
}

/// What would be frozen today; `AUDIT_FREEZE_PRUNED_INTO` names the folder.
#[test]
fn a_pruned_log_as_it_would_be_frozen_today_verifies_the_same() {
    let dir = Dir::new();
    pruned(&dir);
    let _ = std::fs::remove_file(dir.0.join("reserve"));
    if let Some(folder) = std::env::var_os("AUDIT_FREEZE_PRUNED_INTO") {
        copy_folder(&dir.0, Path::new(&folder));
    }
    let (today, frozen) = (dir.verify(), verify(&testdata("pruned"), None).unwrap());
    assert!(today.is_ok(), "{today}");
    assert_eq!((today.complete, today.epochs), (frozen.complete, frozen.epochs));
}
