//! A copy of the newest checkpoint elsewhere: it follows, nothing is written over what does not fit, and whatever fails is tried again.

use super::*;
use crate::faults::Fault;
use crate::{Coverage, OUTSIDE_NAME, Outside, OutsideError, OutsideFlaw, OutsideWriter};
use std::io::ErrorKind;

struct Elsewhere {
    log: Dir,
    folder: Dir,
    open: Option<Log>,
}

impl Elsewhere {
    fn new() -> Self {
        let (log, folder) = (Dir::new(), Dir::new());
        std::fs::create_dir(&folder.0).unwrap();
        let open = Some(create(&log, &Faults::default()).unwrap());
        Self { log, folder, open }
    }

    fn append(&self) {
        self.open.as_ref().unwrap().append(&job(7)).unwrap();
    }

    fn writer(&self) -> OutsideWriter {
        let mark = self.open.as_ref().map(Log::shared_mark);
        OutsideWriter::on(Disk::default(), &self.log.0, &self.folder.0, mark)
    }

    fn file(&self) -> PathBuf {
        self.folder.0.join(OUTSIDE_NAME)
    }

    fn checkpoint(&self) -> Vec<u8> {
        std::fs::read(self.log.0.join("checkpoint")).unwrap()
    }

    fn flaw(&self) -> OutsideFlaw {
        let before = std::fs::read(self.file()).unwrap();
        let error = self.writer().renew().unwrap_err();
        assert_eq!(std::fs::read(self.file()).unwrap(), before, "it was written over");
        assert_eq!(std::fs::read_dir(&self.folder.0).unwrap().count(), 1);
        match error {
            OutsideError::Flawed(flaw) => flaw,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_copy_follows_the_log_and_is_what_the_verifier_takes() {
    let here = Elsewhere::new();
    let mut writer = here.writer();
    assert_eq!(Outside::read(&here.folder.0).unwrap(), None);
    for _ in 0..3 {
        here.append();
        let covers = writer.renew().unwrap();
        assert_eq!(std::fs::read(here.file()).unwrap(), here.checkpoint());
        let copy = Outside::read(&here.folder.0).unwrap().unwrap();
        assert_eq!(copy.check(&here.log.0).unwrap(), Ok(covers));
        let whole = Coverage { covers, records: covers, uncovered_since_ms: None };
        assert_eq!(Coverage::of(&here.log.0, covers).unwrap(), whole);
        assert!(verify(&here.log.0, Some(copy.bytes())).unwrap().is_ok());
    }
    let covers = writer.renew().unwrap();
    here.append();
    let behind = Coverage::of(&here.log.0, covers).unwrap();
    assert!(behind.records > covers && behind.uncovered_since_ms.is_some(), "{behind:?}");
    // Another one goes on from it; what was removed or lost its bytes comes back.
    here.writer().renew().unwrap();
    for spoil in [|path: &Path| std::fs::remove_file(path), |path: &Path| std::fs::write(path, b"")] {
        writer.renew().unwrap();
        spoil(&here.file()).unwrap();
        writer.renew().unwrap();
        assert_eq!(std::fs::read(here.file()).unwrap(), here.checkpoint());
    }
}

#[test]
fn a_copy_that_the_log_does_not_go_on_from_is_told_and_never_written_over() {
    let mut here = Elsewhere::new();
    here.append();
    let older = here.log.copy();
    here.append();
    let covers = here.writer().renew().unwrap();
    // Cut back; cut back and gone on with; another log; no checkpoint at all.
    let newer = std::mem::replace(&mut here.log, older);
    here.open = None;
    let records = covers - job(7).len() as u64;
    assert_eq!(here.flaw(), OutsideFlaw::Longer { covers, records });
    here.open = Some(open(&here.log, &Faults::default()).unwrap());
    for seed in 8..12 {
        here.open.as_ref().unwrap().append(&job(seed)).unwrap();
    }
    assert_eq!(here.flaw(), OutsideFlaw::OtherRecords { covers });
    let report = verify(&here.log.0, Some(&std::fs::read(here.file()).unwrap())).unwrap();
    assert!(!report.is_ok() && report.integrity_broken);
    let other = Elsewhere::new();
    std::fs::copy(here.file(), other.file()).unwrap();
    assert_eq!(other.flaw(), OutsideFlaw::OtherLog);
    std::fs::write(here.file(), b"quokka\n").unwrap();
    assert_eq!(here.flaw(), OutsideFlaw::NoCheckpoint);
    drop(newer);
}

#[test]
fn what_is_no_file_is_neither_followed_nor_waited_for() {
    let here = Elsewhere::new();
    let target = here.log.0.join("checkpoint");
    let before = std::fs::read(&target).unwrap();
    std::os::unix::fs::symlink(&target, here.file()).unwrap();
    let failed = |kind| match here.writer().renew() {
        Err(OutsideError::Io { during: "read", source }) => assert_eq!(source.kind(), kind),
        other => panic!("{other:?}"),
    };
    failed(ErrorKind::InvalidInput);
    std::fs::remove_file(here.file()).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, here.file(), rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
        .unwrap();
    failed(ErrorKind::InvalidInput);
    std::fs::remove_file(here.file()).unwrap();
    std::fs::create_dir(here.file()).unwrap();
    failed(ErrorKind::InvalidInput);
    std::fs::remove_dir(here.file()).unwrap();
    // Nor is a link in the place of what is written first.
    std::os::unix::fs::symlink(&target, here.folder.0.join("lightproof.checkpoint.new")).unwrap();
    here.writer().renew().unwrap();
    assert_eq!(
        (std::fs::read(&target).unwrap(), std::fs::read(here.file()).unwrap()),
        (before.clone(), before)
    );
    std::fs::remove_dir_all(&here.folder.0).unwrap();
    assert!(matches!(here.writer().renew(), Err(OutsideError::Io { during: "reach", .. })));
}

/// Whoever can write in the log's folder would otherwise have the copy put back to a log that is cut back then.
#[test]
fn only_the_checkpoint_that_was_signed_last_is_copied() {
    let here = Elsewhere::new();
    let older = here.checkpoint();
    here.append();
    let mut writer = here.writer();
    writer.renew().unwrap();
    let newest = here.checkpoint();
    let text = String::from_utf8(newest.clone()).unwrap();
    let (origin, rest) = text.split_once('\n').unwrap();
    let forged = format!("{origin}\n99\n{}", rest.split_once('\n').unwrap().1);
    for put in [&older[..], forged.as_bytes(), b"quokka"] {
        std::fs::write(here.log.0.join("checkpoint"), put).unwrap();
        assert!(matches!(writer.renew(), Err(OutsideError::Log(_))));
        assert_eq!(std::fs::read(here.file()).unwrap(), newest, "the copy went back");
    }
    here.append();
    writer.renew().unwrap();
    assert_eq!(std::fs::read(here.file()).unwrap(), here.checkpoint());
}

#[test]
fn what_takes_the_name_of_the_folder_gets_nothing() {
    let (here, other) = (Elsewhere::new(), Dir::new());
    std::fs::create_dir(&other.0).unwrap();
    let mut writer = here.writer();
    writer.renew().unwrap();
    let away = here.folder.0.with_extension("away");
    std::fs::rename(&here.folder.0, &away).unwrap();
    std::os::unix::fs::symlink(&other.0, &here.folder.0).unwrap();
    assert!(matches!(writer.renew(), Err(OutsideError::Io { during: "reach", .. })));
    std::fs::remove_file(&here.folder.0).unwrap();
    std::fs::create_dir(&here.folder.0).unwrap();
    assert!(matches!(writer.renew(), Err(OutsideError::Io { during: "reach", .. })));
    for empty in [&other.0, &here.folder.0] {
        assert_eq!(std::fs::read_dir(empty).unwrap().count(), 0);
    }
    std::fs::remove_dir(&here.folder.0).unwrap();
    std::fs::rename(&away, &here.folder.0).unwrap();
    here.append();
    writer.renew().unwrap();
    assert_eq!(std::fs::read(here.file()).unwrap(), here.checkpoint());
}

/// Between the look at the copy that is there and the new one another folder takes the name, with a copy that nobody looked at.
#[test]
fn a_folder_that_takes_the_name_between_compare_and_write_gets_nothing() {
    for step in ["replace: write", "replace: bytes", "replace: rename", "sync folder"] {
        let (here, other) = (Elsewhere::new(), Dir::new());
        std::fs::create_dir(&other.0).unwrap();
        let faults = Faults::default();
        let mark = here.open.as_ref().map(Log::shared_mark);
        let disk = Disk { faults: faults.clone() };
        let mut writer = OutsideWriter::on(disk, &here.log.0, &here.folder.0, mark);
        writer.renew().unwrap();
        here.append();
        let theirs = b"the copy of somebody else";
        std::fs::write(other.0.join(OUTSIDE_NAME), theirs).unwrap();
        let away = here.folder.0.with_extension("away");
        faults.move_before(
            step,
            vec![(here.folder.0.clone(), away.clone()), (other.0.clone(), here.folder.0.clone())],
        );
        writer.renew().unwrap();
        assert_eq!(std::fs::read(here.file()).unwrap(), theirs, "{step}");
        assert_eq!(std::fs::read_dir(&here.folder.0).unwrap().count(), 1, "{step}");
        assert_eq!(std::fs::read(away.join(OUTSIDE_NAME)).unwrap(), here.checkpoint(), "{step}");
        // The next one tells that it is another one.
        assert!(matches!(writer.renew(), Err(OutsideError::Io { during: "reach", .. })));
        std::fs::remove_dir_all(&here.folder.0).unwrap();
        std::fs::rename(&away, &here.folder.0).unwrap();
    }
}

#[test]
fn whatever_fails_leaves_the_older_copy_or_the_newer_one_and_the_next_try_writes_anew() {
    for kind in [ErrorKind::Other, ErrorKind::StorageFull, ErrorKind::ReadOnlyFilesystem] {
        for step in 0.. {
            let here = Elsewhere::new();
            let faults = Faults::default();
            let disk = Disk { faults: faults.clone() };
            let mark = here.open.as_ref().map(Log::shared_mark);
            let mut writer = OutsideWriter::on(disk, &here.log.0, &here.folder.0, mark);
            writer.renew().unwrap();
            let older = here.checkpoint();
            here.append();
            faults.plan(step, Fault::Error(kind));
            let done = writer.renew();
            let there = std::fs::read(here.file()).unwrap();
            if done.is_ok() {
                assert!(there == here.checkpoint() && step >= 4, "{step}");
                break;
            }
            assert!(there == older || there == here.checkpoint(), "{kind} at step {step}");
            faults.plan(usize::MAX - 1, Fault::Stop);
            writer.renew().unwrap();
            assert!(faults.steps().contains(&"replace: sync") && faults.steps().contains(&"sync folder"));
            assert_eq!(std::fs::read(here.file()).unwrap(), here.checkpoint());
            assert_eq!(std::fs::read_dir(&here.folder.0).unwrap().count(), 1, "{kind} at step {step}");
        }
    }
}
