//! Appending: order, threads, segments, clocks, a full disk.

use super::*;
use crate::Actor;
use crate::faults::Fault;
use crate::words::{IntentKind, ObjectFailure, Proof, RollReason};
use std::io::ErrorKind;

#[test]
fn records_are_numbered_without_a_gap_from_many_threads() {
    let dir = Dir::new();
    let log = create(&dir, &Faults::default()).unwrap();
    let receipts: Vec<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|t| {
                scope.spawn({
                    let log = &log;
                    move || {
                        (0..20)
                            .map(|i| log.append(&[event(t * 100 + i)]).unwrap().seq_first)
                            .collect::<Vec<_>>()
                    }
                })
            })
            .collect();
        threads.into_iter().flat_map(|t| t.join().unwrap()).collect()
    });
    let mut sorted = receipts.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (1..161).collect::<Vec<u64>>());
    drop(log);
    let report = dir.verify();
    assert!(report.is_ok() && report.complete == 161, "{report}");
}

#[test]
fn segments_of_4096_records_follow_each_other() {
    let dir = Dir::new();
    let log = create(&dir, &Faults::default()).unwrap();
    let thousand: Vec<Entry> = (0..1000).map(event).collect();
    for _ in 0..9 {
        log.append(&thousand).unwrap();
    }
    let mark = log.mark();
    drop(log);
    assert!(dir.0.join("seg/00000002.jsonl").exists());
    let log = open(&dir, &Faults::default()).unwrap();
    log.check_mark(&mark).unwrap();
    log.append(&[event(1)]).unwrap();
    drop(log);
    let report = dir.verify();
    assert!(report.is_ok() && report.complete == 9002, "{report}");
}

#[test]
fn only_complete_events_of_others_are_taken() {
    let dir = Dir::new();
    let log = create(&dir, &Faults::default()).unwrap();
    let incomplete = Event::ObjectViewed { kind: crate::words::View::Content }.by_system();
    assert!(matches!(log.append(&[incomplete]), Err(Error::Incomplete { event: "object.viewed" })));
    let own = Event::KeyDestroyed { destroyed: 3 }.by_system();
    assert!(matches!(log.append(&[own]), Err(Error::Refused { .. })));
    assert!(matches!(log.append(&[]), Err(Error::Refused { .. })));
    assert_eq!(log.mark().size, 1);
}

#[test]
fn a_second_log_on_the_same_folder_is_refused() {
    let dir = Dir::new();
    let log = create(&dir, &Faults::default()).unwrap();
    assert!(matches!(open(&dir, &Faults::default()), Err(Error::Busy { .. })));
    assert!(matches!(create(&dir, &Faults::default()), Err(Error::Exists { .. })));
    drop(log);
    open(&dir, &Faults::default()).unwrap();
}

#[test]
fn written_time_never_goes_back_and_a_jump_is_on_record() {
    let dir = Dir::new();
    let clock = TestClock::new();
    let log = Log::create(&dir.0, clock.clone()).unwrap();
    log.append(&[event(1)]).unwrap();
    clock.wall_ms.fetch_sub(3_600_000, Ordering::Relaxed);
    log.append(&[event(2)]).unwrap();
    log.append(&[event(3)]).unwrap();
    drop(log);
    let report = dir.verify();
    assert!(report.is_ok(), "{report}");
    let anomalies =
        crate::tail(&dir.0, 100, false).unwrap().lines.iter().filter(|l| l.contains("clock.anomaly")).count();
    assert_eq!(anomalies, 1);
}

#[test]
fn after_a_failed_sync_nothing_is_taken_any_more() {
    for step in ["append: sync", "append: write", "append"] {
        let dir = Dir::new();
        let faults = Faults::default();
        let log = create(&dir, &faults).unwrap();
        log.append(&[event(1)]).unwrap();
        faults.fail_named(step, Fault::Error(ErrorKind::Other));
        let failed = log.append(&[event(2)]);
        assert!(matches!(failed, Err(Error::Unavailable { .. })), "{step}: {failed:?}");
        // The fault was a single one; the log stays shut all the same.
        assert!(matches!(log.append(&[event(3)]), Err(Error::Unavailable { .. })), "{step}");
        drop(log);
        let log = open(&dir, &Faults::default()).unwrap();
        log.append(&[event(4)]).unwrap();
        drop(log);
        let report = dir.verify();
        assert!(report.is_ok(), "{step}: {report}");
    }
}

#[test]
fn a_full_disk_refuses_requests_and_takes_endings_from_the_reserve() {
    let dir = Dir::new();
    let faults = Faults::default();
    let log = create(&dir, &faults).unwrap();
    faults.plan(0, Fault::Full);
    assert!(matches!(log.append(&job(1)[..1]), Err(Error::DiskFull)));
    log.append(&[Event::BootStopped { reason: StopReason::Error }.by_system()]).unwrap();
    drop(log);
    let report = dir.verify();
    assert!(report.is_ok(), "{report}");
    let lines = crate::tail(&dir.0, 100, false).unwrap().lines.join("\n");
    assert!(lines.contains("boot.stopped") && lines.contains("disk.reserve_low"), "{lines}");
}

#[test]
fn a_mark_finds_a_shorter_and_another_log() {
    let dir = Dir::new();
    small(&dir);
    let older = dir.copy();
    let log = open(&dir, &Faults::default()).unwrap();
    log.append(&job(3)).unwrap();
    let mark = log.mark();
    log.check_mark(&mark).unwrap();
    drop(log);
    let log = open(&older, &Faults::default()).unwrap();
    assert!(matches!(log.check_mark(&mark), Err(Error::Lost { .. })));
    // As many records, but others.
    log.append(&job(4)).unwrap();
    log.append(&job(5)).unwrap();
    assert!(matches!(log.check_mark(&mark), Err(Error::Diverged { .. })));
}

#[test]
fn a_start_knows_the_newest_vault_state_and_open_requests() {
    let dir = Dir::new();
    small(&dir);
    let found = open(&dir, &Faults::default()).unwrap().unfinished().unwrap();
    let vault = found.vault.unwrap();
    assert_eq!((vault.epoch, vault.seq, vault.root), (1, 2, Digest([2; 32])));
    let [intent] = &found.open_intents[..] else { panic!("{found:?}") };
    assert_eq!((intent.objects, intent.objects_done), (1, 1));
    assert_eq!(intent.objects_seen, [Object([2; 16])]);
}

#[test]
fn what_is_unfinished_is_known_while_the_log_is_written_as_after_a_new_start() {
    let dir = Dir::new();
    small(&dir);
    let log = open(&dir, &Faults::default()).unwrap();
    let before = log.unfinished().unwrap();
    assert_eq!((before.open_intents.len(), before.vault.map(|v| v.epoch)), (1, Some(1)));
    let (erasure, secret, named) = (JobId([7; 16]), JobId([8; 16]), Object([9; 16]));
    let by = |event: Event, job| event.by(Actor::Person([1; 16])).job(job);
    log.append(&[
        by(Event::ObjectEraseRequested { count: 2 }, erasure),
        by(Event::ObjectEraseNamed {}, erasure).object(named),
        by(Event::VaultSecretRequested { by: Proof::Passphrase }, secret),
    ])
    .unwrap();
    let rolled = Event::VaultRolled {
        reason: RollReason::Routine,
        vault_epoch: 2,
        vault_seq: 1,
        vault_root: Digest([5; 32]),
    };
    log.append(&[rolled.by_system()]).unwrap();
    let open_now = log.unfinished().unwrap();
    let [_, erase, change] = &open_now.open_intents[..] else { panic!("{open_now:?}") };
    // Judged by the state at the request, not by a later one.
    assert_eq!(
        (erase.kind, &erase.objects_named[..], erase.vault),
        (IntentKind::Erase, &[named][..], before.vault)
    );
    assert_eq!((change.kind, change.vault), (IntentKind::Secret, before.vault));
    assert_eq!(open_now.vault.map(|v| v.epoch), Some(2));
    drop(log);
    let log = open(&dir, &Faults::default()).unwrap();
    assert_eq!(log.unfinished().unwrap(), open_now);
    log.append(&[by(Event::VaultSecretFailed { reason: ObjectFailure::Vault }, secret).failed()]).unwrap();
    assert_eq!(log.unfinished().unwrap().open_intents.len(), 2);
}

#[test]
fn a_file_that_is_taken_away_or_written_to_by_others_ends_the_log() {
    type Act = fn(&Path);
    let acts: [(&str, Act); 3] = [
        ("removed", |path| std::fs::remove_file(path).unwrap()),
        ("replaced", |path| {
            let bytes = std::fs::read(path).unwrap();
            std::fs::remove_file(path).unwrap();
            std::fs::write(path, bytes).unwrap();
        }),
        ("longer", |path| {
            let bytes = std::fs::read(path).unwrap();
            std::fs::write(path, [&bytes[..], b"x"].concat()).unwrap();
        }),
    ];
    for name in ["seg/00000000.jsonl", "checkpoints.log"] {
        for (what, act) in acts {
            let dir = Dir::new();
            let log = create(&dir, &Faults::default()).unwrap();
            act(&dir.0.join(name));
            let refused = log.append(&[event(1)]);
            assert!(matches!(refused, Err(Error::Unavailable { .. })), "{name} {what}: {refused:?}");
            assert_eq!(log.mark().size, 1);
        }
    }
}

#[test]
fn unlocking_and_erasing_work_on_a_full_disk_and_guessing_does_not_use_up_the_reserve() {
    let dir = Dir::new();
    drop(create(&dir, &Faults::default()).unwrap());
    let faults = Faults::default();
    let log = open(&dir, &faults).unwrap();
    faults.plan(0, Fault::Full);
    let guess = Event::VaultUnlockFailed {}.by_system();
    assert!(matches!(log.append(&[guess]), Err(Error::DiskFull)));
    assert!(dir.0.join("reserve").exists());
    assert_eq!(log.begin_epoch(EpochReason::Unlock).unwrap(), 0, "it waits");
    assert!(!dir.0.join("reserve").exists() && !dir.0.join("epoch.key.next").exists());
    log.append(&[event(1)]).unwrap();
    drop(log);
    let report = dir.verify();
    assert!(report.is_ok() && report.epochs == 1, "{report}");
    assert!(crate::tail(&dir.0, 100, false).unwrap().lines.join("\n").contains("disk.reserve_low"));
}

#[test]
fn a_hand_over_that_can_wait_leaves_the_reserve_alone() {
    let dir = Dir::new();
    let faults = Faults::default();
    let log = create(&dir, &faults).unwrap();
    faults.plan(0, Fault::Full);
    assert!(matches!(log.begin_epoch(EpochReason::Request), Err(Error::DiskFull)));
    assert!(dir.0.join("reserve").exists() && !dir.0.join("epoch.key.next").exists());
    log.append(&[Event::BootStopped { reason: StopReason::Error }.by_system()]).unwrap();
    drop(log);
    assert!(dir.verify().is_ok(), "{}", dir.verify());
}

#[test]
fn a_start_on_a_full_disk_leaves_the_reserve_alone_and_writes_the_last_checkpoint_where_it_lies() {
    let dir = Dir::new();
    small(&dir);
    let before = dir.files();
    let faults = Faults::default();
    faults.plan(0, Fault::Full);
    let log = open(&dir, &faults).unwrap();
    assert!(faults.steps().contains(&"overwrite: sync"), "{:?}", faults.steps());
    assert!(dir.0.join("reserve").exists());
    assert_eq!(dir.files(), before);
    log.append(&[Event::BootStopped { reason: StopReason::Error }.by_system()]).unwrap();
    drop(log);
    assert!(dir.verify().is_ok(), "{}", dir.verify());
}

#[test]
fn a_hand_over_is_completed_only_on_a_checkpoint_that_was_written_anew() {
    let dir = Dir::new();
    let faults = Faults::default();
    let log = create(&dir, &faults).unwrap();
    faults.fail_named("replace: write", Fault::Stop);
    log.begin_epoch(EpochReason::Unlock).unwrap_err();
    drop(log);
    let before = dir.files();
    assert!(dir.0.join("epoch.key.next").exists());
    let without_reserve = dir.copy();
    std::fs::remove_file(without_reserve.0.join("reserve")).unwrap();
    faults.plan(0, Fault::Full);
    assert!(matches!(open(&without_reserve, &faults), Err(Error::Io { .. })));
    let contents =
        |files: Vec<(PathBuf, Vec<u8>)>| files.into_iter().map(|(_, bytes)| bytes).collect::<Vec<_>>();
    assert_eq!(contents(without_reserve.files()), contents(before));
    // With room, or with the reserve in place of it.
    faults.plan(0, Fault::Full);
    for (dir, faults) in [(&without_reserve, Faults::default()), (&dir, faults)] {
        let log = open(dir, &faults).unwrap();
        assert_eq!(log.mark().epoch, 1);
        drop(log);
        let steps = faults.steps();
        let at = |name| steps.iter().position(|step| *step == name).unwrap();
        assert!(at("replace: rename") < at("overwrite"), "{steps:?}");
        assert!(dir.verify().is_ok() && !dir.0.join("epoch.key.next").exists(), "{}", dir.verify());
    }
}

#[test]
fn of_many_that_create_at_once_one_succeeds() {
    for _ in 0..20 {
        let dir = Dir::new();
        let created: Vec<Result<Log, Error>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| create(&dir, &Faults::default()))).collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        let logs: Vec<&Log> = created.iter().flatten().collect();
        assert_eq!(logs.len(), 1, "{created:?}");
        logs[0].append(&[event(1)]).unwrap();
        assert!(dir.verify().is_ok(), "{}", dir.verify());
    }
}
