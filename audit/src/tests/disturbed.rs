//! The verifier while somebody else does something to the folder: the writer, or one who hides what they changed.

use super::*;
use crate::Subject;
use std::fs::FileTimes;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

/// Does `meanwhile` over and over on a thread of its own while `act` runs, which starts after the first time.
fn beside<T>(meanwhile: impl Fn(u64) + Sync, act: impl FnOnce() -> T) -> T {
    let (begun, done) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for turn in 0.. {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                meanwhile(turn);
                begun.store(true, Ordering::Relaxed);
            }
        });
        while !begun.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        let result = act();
        done.store(true, Ordering::Relaxed);
        result
    })
}

#[test]
fn a_log_that_is_being_written_verifies_all_the_time() {
    let dir = Dir::new();
    let log = create(&dir, &Faults::default()).unwrap();
    let write = |turn: u64| {
        if turn < 2000 {
            log.append(&[event(turn)]).unwrap();
        }
        if turn < 2000 && turn % 40 == 7 {
            log.begin_epoch(EpochReason::Request).unwrap();
        }
    };
    let reports: Vec<_> = beside(write, || (0..25).map(|_| verify(&dir.0, None).unwrap()).collect());
    for report in reports {
        assert!(report.is_ok(), "{report}");
    }
}

/// One altered file: its name, and what is done to its bytes.
type Altered = (&'static str, fn(&mut Vec<u8>));

const ALTERED: [Altered; 8] = [
    ("vkeys", |bytes| *bytes = forged_first_key(bytes)),
    ("origin", |bytes| bytes[20] ^= 1),
    ("checkpoint", |bytes| *bytes = b"older".to_vec()),
    ("epochs/1.note", |bytes| bytes[100] ^= 1),
    ("tile/0/000.p/9", |bytes| bytes[5] ^= 1),
    ("checkpoints.log", |bytes| bytes.extend((0..5000u32).map(|i| (i * 7 % 251) as u8))),
    ("planted", |bytes| *bytes = vec![b'x'; 9 << 20]),
    ("seg/00000000.jsonl", |bytes| bytes.extend(b"{\"actor\":\"a:sys")),
];

fn forged_first_key(vkeys: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(vkeys).unwrap();
    let (first, rest) = text.split_once('\n').unwrap();
    let name = first.split('+').next().unwrap();
    format!("{}\n{rest}", crate::VerifyKey::new(name, crate::PublicKey([9; 32]))).into_bytes()
}

#[test]
fn what_is_altered_stays_a_finding_while_somebody_touches_it() {
    for (name, alter) in ALTERED {
        let dir = Dir::new();
        small(&dir);
        let path = dir.0.join(name);
        let mut bytes = std::fs::read(&path).unwrap_or_default();
        if name == "checkpoint" {
            bytes = older_checkpoint(&dir);
        } else {
            alter(&mut bytes);
        }
        std::fs::write(&path, &bytes).unwrap();
        let file = std::fs::File::options().append(true).open(&path).unwrap();
        let touch = |turn: u64| {
            let now = SystemTime::now() + std::time::Duration::from_nanos(turn);
            file.set_times(FileTimes::new().set_modified(now).set_accessed(now)).unwrap();
        };
        let report = beside(touch, || verify(&dir.0, None).unwrap());
        let subject = Subject::File(name.to_owned());
        assert!(report.findings.iter().any(|f| f.subject == subject), "{name}: {report}");
        assert!(!report.findings.iter().any(|f| f.subject == Subject::Folder), "{name}: {report}");
        assert_eq!(report.integrity_broken, dir.verify().integrity_broken, "{name}: {report}");
    }
}

/// A checkpoint that was the newest one earlier.
fn older_checkpoint(dir: &Dir) -> Vec<u8> {
    let (notes, _) = parse_journal(&dir.0.join("checkpoints.log"));
    notes[notes.len() - 2].bytes()
}

#[test]
fn an_old_checkpoint_beside_a_running_writer_is_found_once_the_writer_rests() {
    let dir = Dir::new();
    let log = create(&dir, &Faults::default()).unwrap();
    for n in 0..4 {
        log.append(&[event(n)]).unwrap();
    }
    std::fs::write(dir.0.join("checkpoint"), older_checkpoint(&dir)).unwrap();
    assert!(!verify(&dir.0, None).unwrap().is_ok());
    // The writer puts the right one in its place with its next batch.
    log.append(&[event(5)]).unwrap();
    assert!(verify(&dir.0, None).unwrap().is_ok());
}

#[test]
fn a_folder_that_never_comes_to_rest_is_a_finding_of_its_own() {
    let dir = Dir::new();
    small(&dir);
    let path = dir.0.join("vkeys");
    // In one step, so that no two runs find the same half of it.
    let aside = dir.0.with_extension("aside");
    let rewrite = |turn: u64| {
        std::fs::write(&aside, format!("{turn}\n")).unwrap();
        std::fs::rename(&aside, &path).unwrap();
    };
    let report = beside(rewrite, || verify(&dir.0, None).unwrap());
    assert!(!report.is_ok() && !report.integrity_broken, "{report}");
    assert!(report.findings.iter().any(|f| f.subject == Subject::Folder), "{report}");
    assert!(report.to_string().contains("folder: never still"), "{report}");
}

#[test]
fn what_is_put_right_between_two_runs_is_no_finding() {
    let dir = Dir::new();
    small(&dir);
    let path = dir.0.join("vkeys");
    let right = std::fs::read(&path).unwrap();
    std::fs::write(&path, "wrong\n").unwrap();
    let mend = |turn: u64| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        if turn == 7 {
            std::fs::write(dir.0.join("vkeys.new"), &right).unwrap();
            std::fs::rename(dir.0.join("vkeys.new"), &path).unwrap();
        }
    };
    let report = beside(mend, || verify(&dir.0, None).unwrap());
    assert!(report.is_ok(), "{report}");
}
