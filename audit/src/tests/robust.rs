//! The verifier, and the opening, on folders that are hostile.

use super::*;
use crate::Subject;

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

/// Puts a pipe, a link or a folder in place of a file.
fn replace_by(kind: &str, path: &Path) {
    let _ = std::fs::remove_file(path);
    match kind {
        "pipe" => assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success()),
        "link" => std::os::unix::fs::symlink("/proc/self/exe", path).unwrap(),
        _ => std::fs::create_dir(path).unwrap(),
    }
}

#[test]
fn no_kind_of_file_ends_the_verifier_without_a_report() {
    let names = ["epoch.key", "reserve", "epochs/1.note", "epoch.key.next", "checkpoint.new", "planted"];
    for name in names {
        for kind in ["pipe", "link", "folder"] {
            let dir = Dir::new();
            small(&dir);
            replace_by(kind, &dir.0.join(name));
            let report = dir.verify();
            // A folder too many holds nothing, and is not looked into.
            let is_extra = kind == "folder" && !["epoch.key", "reserve", "epochs/1.note"].contains(&name);
            let found = report.findings.iter().any(|f| f.subject == Subject::File(name.into()));
            assert!(found || is_extra, "{kind} {name}: {report}");
        }
    }
    let dir = Dir::new();
    small(&dir);
    std::fs::write(dir.0.join("epoch.key"), vec![b'k'; 17 << 20]).unwrap();
    let report = dir.verify();
    assert!(report.findings.iter().any(|f| f.subject == Subject::File("epoch.key".into())), "{report}");
}

#[test]
fn a_pipe_in_place_of_any_file_never_holds_up_the_opening() {
    let names = [
        "origin",
        "vkeys",
        "checkpoint",
        "checkpoints.log",
        "seg/00000000.jsonl",
        "tile/0/000.p/9",
        "epoch.key",
        "epoch.key.next",
        "reserve",
        "checkpoint.new",
        "tile/0/000.p/9.new",
        "quarantine/records-9-x",
    ];
    for name in names {
        let dir = Dir::new();
        small(&dir);
        replace_by("pipe", &dir.0.join(name));
        // Whether it opens depends on the file; that it answers does not.
        if let Ok(log) = open(&dir, &Faults::default()) {
            log.append(&[event(1)]).unwrap();
        }
    }
}

#[test]
fn a_link_in_place_of_a_temporary_file_is_not_written_through() {
    let dir = Dir::new();
    small(&dir);
    let target = dir.0.with_extension("target");
    std::fs::write(&target, "kept").unwrap();
    let log = open(&dir, &Faults::default()).unwrap();
    std::os::unix::fs::symlink(&target, dir.0.join("checkpoint.new")).unwrap();
    log.append(&[event(1)]).unwrap();
    drop(log);
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "kept");
    assert!(dir.verify().is_ok(), "{}", dir.verify());
    std::fs::remove_file(&target).unwrap();
}

#[test]
fn lost_records_in_a_row_are_one_finding_and_many_findings_are_bounded() {
    let dir = Dir::new();
    small(&dir);
    let origin = std::fs::read_to_string(dir.0.join("origin")).unwrap().trim_end().to_owned();
    let key = crate::handover::load(&dir.0.join("epoch.key"), &origin).unwrap().unwrap();
    let checkpoint = crate::Checkpoint { origin, size: 8_000_000, root: Digest([1; 32]) };
    let note = crate::note::Note::sign(checkpoint, &[&key]).bytes();
    let mut notes = std::fs::read(dir.0.join("checkpoints.log")).unwrap();
    notes.extend([&note[..], b"\n"].concat());
    std::fs::write(dir.0.join("checkpoints.log"), notes).unwrap();
    for index in 1..=1000 {
        std::fs::write(dir.0.join(format!("seg/{index:08}.jsonl")), "").unwrap();
    }
    let report = dir.verify();
    assert!(report.findings_total < 20, "{report}");
    let text = "is missing, and so is every record to 7999999: 7999991 are lost";
    assert!(report.findings.iter().any(|f| f.text == text), "{report}");
    // Lines that are there and wrong are counted, and counting ends.
    for index in 1..=10 {
        std::fs::write(dir.0.join(format!("seg/{index:08}.jsonl")), "\n".repeat(4096)).unwrap();
    }
    let report = dir.verify();
    assert_eq!((report.findings_total, report.findings.len()), (10_000, 64), "{report}");
    assert!(report.to_string().contains("and at least 9936 more findings"), "{report}");
    assert_eq!(report.complete, 9, "{report}");
}

#[test]
fn what_was_moved_to_quarantine_stays_there_under_its_name() {
    let dir = Dir::new();
    rich(&dir);
    let [file] = &crate::paths::files_below(&dir.0.join("quarantine")).unwrap()[..] else { panic!() };
    assert!(dir.verify().is_ok(), "{}", dir.verify());
    let named = file.file_name().unwrap().to_str().unwrap();
    for other in ["x", &format!("records-99{}", &named[9..]), &format!("other{}", &named[7..]), &named[1..]] {
        let renamed = file.with_file_name(other);
        std::fs::rename(file, &renamed).unwrap();
        assert!(dir.verify().integrity_broken, "{other}: {}", dir.verify());
        std::fs::rename(&renamed, file).unwrap();
    }
    std::fs::remove_file(file).unwrap();
    assert!(dir.verify().integrity_broken, "{}", dir.verify());
}

#[test]
fn a_reserve_that_is_not_what_was_made_is_a_finding() {
    let dir = Dir::new();
    small(&dir);
    assert!(dir.verify().is_ok());
    std::fs::write(dir.0.join("reserve"), "short").unwrap();
    let report = dir.verify();
    assert!(!report.is_ok() && !report.integrity_broken, "{report}");
    drop(open(&dir, &Faults::default()).unwrap());
    assert!(dir.verify().is_ok(), "{}", dir.verify());
}

#[test]
fn an_opening_finds_the_first_checkpoint_and_a_hand_over_that_were_changed() {
    let dir = Dir::new();
    small(&dir);
    let journal = dir.0.join("checkpoints.log");
    let genuine = std::fs::read(&journal).unwrap();
    let (notes, _) = parse_journal(&journal);
    let hand_over = notes.iter().position(|n| n.signatures.len() == 2).unwrap();
    let flip = |at: usize, file: &Path, note_at: usize| {
        let mut bytes = std::fs::read(file).unwrap();
        let end = note_at + notes[at].bytes().len();
        bytes[end - 50] = if bytes[end - 50] == b'A' { b'B' } else { b'A' };
        std::fs::write(file, bytes).unwrap();
    };
    let start = |at: usize| notes[..at].iter().map(|n| n.bytes().len() + 1).sum::<usize>();
    flip(0, &journal, 0);
    assert!(matches!(open(&dir, &Faults::default()), Err(Error::Broken { .. })));
    std::fs::write(&journal, &genuine).unwrap();
    // The hand-over in both places.
    let note = dir.0.join("epochs/1.note");
    let whole = std::fs::read(&note).unwrap();
    flip(hand_over, &journal, start(hand_over));
    flip(hand_over, &note, 0);
    assert!(matches!(open(&dir, &Faults::default()), Err(Error::Broken { .. })));
    // The copy alone.
    std::fs::write(&journal, &genuine).unwrap();
    assert!(matches!(open(&dir, &Faults::default()), Err(Error::Broken { .. })));
    std::fs::write(&note, whole).unwrap();
    drop(open(&dir, &Faults::default()).unwrap());
}

#[test]
fn a_next_key_that_cannot_be_looked_at_is_not_taken_for_wiped() {
    let file = Dir::new();
    std::fs::write(&file.0, "no folder").unwrap();
    let paths = crate::paths::Paths(file.0.clone());
    assert!(crate::handover::wipe_next(&Disk::default(), &paths).is_err());
    std::fs::remove_file(&file.0).unwrap();
    std::fs::create_dir(&file.0).unwrap();
    crate::handover::wipe_next(&Disk::default(), &paths).unwrap();
}
