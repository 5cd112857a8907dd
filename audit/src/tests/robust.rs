//! The verifier on folders that are hostile, and on one that is being written.

use super::*;
use crate::Subject;
use std::sync::atomic::AtomicBool;

#[test]
fn a_log_that_is_being_written_verifies_all_the_time() {
    let dir = Dir::new();
    let log = create(&dir, &Faults::default()).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for t in 0..2 {
            let (log, done) = (&log, &done);
            scope.spawn(move || {
                let mut n = 0;
                while n < 1500 && !done.load(Ordering::Relaxed) {
                    log.append(&[event(n)]).unwrap();
                    n += 1;
                    if t == 0 && n % 40 == 0 {
                        log.begin_epoch(EpochReason::Request).unwrap();
                    }
                }
            });
        }
        let reports: Vec<_> = (0..20).map(|_| verify(&dir.0, None).unwrap()).collect();
        done.store(true, Ordering::Relaxed);
        for report in reports {
            assert!(report.is_ok(), "{report}");
        }
    });
}

#[test]
fn a_change_under_a_running_writer_is_found_all_the_same() {
    let dir = Dir::new();
    small(&dir);
    let kept = {
        let ahead = dir.copy();
        let log = open(&ahead, &Faults::default()).unwrap();
        log.append(&job(3)).unwrap();
        std::fs::read(ahead.0.join("checkpoint")).unwrap()
    };
    let log = open(&dir, &Faults::default()).unwrap();
    let note = dir.0.join("epochs/1.note");
    let bytes = std::fs::read(&note).unwrap();
    std::fs::write(&note, &bytes[1..]).unwrap();
    let report = verify(&dir.0, Some(&kept)).unwrap();
    assert!(report.findings.iter().any(|f| f.subject == Subject::Expected), "{report}");
    let report = verify(&dir.0, None).unwrap();
    assert!(report.findings.iter().any(|f| f.subject == Subject::File("epochs/1.note".into())), "{report}");
    assert!(report.integrity_broken, "{report}");
    drop(log);
}

#[test]
fn a_forged_number_of_records_costs_no_more_work_than_there_are_files() {
    for size in [5000, 1_000_000_000_000, u64::MAX] {
        let dir = Dir::new();
        small(&dir);
        let origin = std::fs::read_to_string(dir.0.join("origin")).unwrap().trim_end().to_owned();
        let key = crate::handover::load(&dir.0.join("epoch.key"), &origin).unwrap().unwrap();
        let checkpoint = crate::Checkpoint { origin, size, root: Digest([1; 32]) };
        let note = crate::note::Note::sign(checkpoint, &[&key]).bytes();
        let journal = dir.0.join("checkpoints.log");
        let mut notes = std::fs::read(&journal).unwrap();
        notes.extend([&note[..], b"\n"].concat());
        std::fs::write(&journal, notes).unwrap();
        std::fs::write(dir.0.join("checkpoint"), note).unwrap();
        let report = dir.verify();
        assert!(report.integrity_broken, "{report}");
        assert_eq!((report.complete, report.signed), (9, size), "{report}");
    }
}

#[test]
fn pipes_links_and_folders_in_place_of_files_are_findings() {
    for name in ["origin", "vkeys", "checkpoint", "checkpoints.log", "seg/00000000.jsonl", "tile/0/000.p/9"] {
        for kind in ["pipe", "link", "folder"] {
            let dir = Dir::new();
            small(&dir);
            let path = dir.0.join(name);
            let aside = dir.0.with_extension("aside");
            std::fs::rename(&path, &aside).unwrap();
            match kind {
                "pipe" => {
                    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success())
                }
                "link" => std::os::unix::fs::symlink(&aside, &path).unwrap(),
                _ => std::fs::create_dir(&path).unwrap(),
            }
            assert!(!dir.verify().is_ok(), "{kind} {name}");
            // Nor does the program continue such a log, unless it can make the file again.
            let derived = name == "checkpoint" || name.starts_with("tile");
            assert!(derived || open(&dir, &Faults::default()).is_err(), "{kind} {name}");
            std::fs::remove_file(&aside).unwrap();
        }
    }
}
