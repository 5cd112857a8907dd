//! Checkpoints in more than one file.

use super::*;
use crate::Subject;
use crate::journal::FILE_BYTES;

/// A log of four epochs whose checkpoints fill three files and begin the fourth.
fn long(dir: &Dir) {
    let log = create(dir, &Faults::default()).unwrap();
    for n in 0..55 {
        log.append(&[event(n)]).unwrap();
        if n % 20 == 0 {
            log.begin_epoch(EpochReason::Unlock).unwrap();
        }
    }
}

fn file(dir: &Dir, number: u64) -> PathBuf {
    crate::paths::Paths(dir.0.clone()).journal(number)
}

#[test]
fn a_full_file_of_checkpoints_is_followed_by_the_next_one_without_end() {
    let dir = Dir::new();
    long(&dir);
    for number in 0..3 {
        let bytes = file(&dir, number).metadata().unwrap().len();
        assert!((FILE_BYTES..FILE_BYTES + 1024).contains(&bytes), "{number}: {bytes}");
    }
    assert!(file(&dir, 3).exists() && !file(&dir, 4).exists());
    let log = open(&dir, &Faults::default()).unwrap();
    log.append(&job(9)).unwrap();
    let mark = log.mark();
    drop(log);
    let report = verify(&dir.0, None).unwrap();
    assert!(report.is_ok() && report.complete == mark.size && report.epochs == 4, "{report}");
    let in_files: usize = (0..4).map(|number| parse_journal(&file(&dir, number)).0.len()).sum();
    assert_eq!(report.checkpoints, in_files as u64);
    let output = reader::python(&dir.0);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// What is done to one file of checkpoints.
type Change = fn(&Path, Vec<u8>);

const CHANGES: [(&str, Change); 6] = [
    ("gone", |path, _| std::fs::remove_file(path).unwrap()),
    ("empty", |path, _| std::fs::write(path, "").unwrap()),
    ("signature", |path, mut bytes| {
        bytes[200] = if bytes[200] == b'A' { b'B' } else { b'A' };
        std::fs::write(path, bytes).unwrap();
    }),
    ("torn", |path, bytes| std::fs::write(path, &bytes[..bytes.len() - 5]).unwrap()),
    ("longer", |path, bytes| std::fs::write(path, [&bytes[..], b"x\n\n"].concat()).unwrap()),
    ("shorter", |path, bytes| {
        let (notes, _) = parse_journal(path);
        let last = notes.last().unwrap().bytes().len() + 1;
        std::fs::write(path, &bytes[..bytes.len() - last]).unwrap();
    }),
];

#[test]
fn what_is_changed_or_missing_in_any_file_of_checkpoints_is_found_by_both_verifiers() {
    let whole = Dir::new();
    long(&whole);
    let (mut dirs, mut wanted) = (Vec::new(), Vec::new());
    for number in 0..4 {
        let (notes, _) = parse_journal(&file(&whole, number));
        // The last checkpoint of a closed file is one like the others, unless it hands over.
        let is_needed = number == 3 || notes.last().unwrap().signatures.len() == 2;
        for (what, change) in CHANGES {
            let dir = whole.copy();
            let path = file(&dir, number);
            change(&path, std::fs::read(&path).unwrap());
            let report = dir.verify();
            let accepts = what == "shorter" && !is_needed;
            assert_eq!(report.is_ok(), accepts, "{what} {number}: {report}");
            dirs.push(dir);
            wanted.push(accepts);
        }
    }
    assert_eq!(reader::python_each(&dirs), wanted);
}

#[test]
fn a_start_reads_the_newest_file_of_checkpoints_and_the_first_checkpoint() {
    let dir = Dir::new();
    long(&dir);
    // Closed files are the verifier's work: what a start would choke on does not reach it there.
    std::fs::write(file(&dir, 1), "nothing").unwrap();
    let log = open(&dir, &Faults::default()).unwrap();
    log.append(&[event(1)]).unwrap();
    drop(log);
    let report = dir.verify();
    assert!(
        report.findings.iter().any(|f| f.subject == Subject::File("checkpoints.1.log".into())),
        "{report}"
    );
    assert!(report.integrity_broken, "{report}");
    std::fs::write(file(&dir, 3), "nothing\n".repeat(200)).unwrap();
    assert!(matches!(open(&dir, &Faults::default()), Err(Error::Broken { .. })));
}

#[test]
fn an_empty_newest_file_is_what_a_crash_leaves_and_is_filled() {
    let dir = Dir::new();
    small(&dir);
    std::fs::write(file(&dir, 1), "").unwrap();
    assert!(dir.verify().is_ok(), "{}", dir.verify());
    assert!(reader::python(&dir.0).status.success());
    let log = open(&dir, &Faults::default()).unwrap();
    log.append(&[event(1)]).unwrap();
    drop(log);
    assert!(file(&dir, 1).metadata().unwrap().len() > 0);
    assert!(dir.verify().is_ok(), "{}", dir.verify());
    // Not so in front of others, nor behind a gap.
    std::fs::rename(file(&dir, 1), file(&dir, 2)).unwrap();
    assert!(dir.verify().integrity_broken, "{}", dir.verify());
    std::fs::write(file(&dir, 1), "").unwrap();
    assert!(dir.verify().integrity_broken, "{}", dir.verify());
}
