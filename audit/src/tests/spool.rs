//! The log as files that another program takes away.

use super::*;
use crate::faults::Fault;
use crate::spool::spool_on;
use crate::{Form, SpoolError, spool};
use std::collections::BTreeMap;

/// A log of ten records, and an empty folder.
fn ten() -> (Dir, Log, Dir) {
    let (dir, spool) = (Dir::new(), Dir::new());
    let log = create(&dir, &Faults::default()).unwrap();
    log.append(&(0..9).map(event).collect::<Vec<_>>()).unwrap();
    std::fs::create_dir(&spool.0).unwrap();
    (dir, log, spool)
}

/// Takes the files away, as an agent does: each line goes by its number.
fn take(spool: &Dir, taken: &mut BTreeMap<u64, String>) -> usize {
    let mut files = 0;
    for entry in std::fs::read_dir(&spool.0).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "jsonl") {
            for line in std::fs::read_to_string(&path).unwrap().lines() {
                let number = crate::Stored::read(line.as_bytes()).unwrap().seq;
                let again = taken.insert(number, line.to_owned());
                assert!(again.is_none_or(|before| before == line), "what comes again is the same");
            }
            std::fs::remove_file(path).unwrap();
            files += 1;
        }
    }
    files
}

#[test]
fn what_is_new_comes_as_the_next_file_and_nothing_new_as_none() {
    let (dir, log, to) = ten();
    assert!(matches!(spool(&dir.0, &to.0, Form::Own, None), Err(SpoolError::NoCursor { .. })));
    assert!(matches!(spool(&dir.0, &to.0, Form::Own, Some(11)), Err(SpoolError::Log(Error::Lost { .. }))));
    let first = spool(&dir.0, &to.0, Form::Own, Some(2)).unwrap();
    assert_eq!((first.files, first.next), (vec![("lightproof-000000000002.jsonl".to_owned(), 8)], 10));
    assert!(matches!(spool(&dir.0, &to.0, Form::Own, Some(2)), Err(SpoolError::HasCursor { next: 10, .. })));
    let mut taken = BTreeMap::new();
    assert_eq!(take(&to, &mut taken), 1);
    let none = spool(&dir.0, &to.0, Form::Own, None).unwrap();
    assert_eq!((none.files.len(), none.next, take(&to, &mut taken)), (0, 10, 0));
    let thousand: Vec<Entry> = (0..1000).map(event).collect();
    for _ in 0..5 {
        log.append(&thousand).unwrap();
    }
    let more = spool(&dir.0, &to.0, Form::Own, None).unwrap();
    assert_eq!(more.files.iter().map(|(_, records)| *records).collect::<Vec<_>>(), [4096, 904]);
    assert_eq!(take(&to, &mut taken), 2);
    assert!(taken.keys().copied().eq(2..5010));
}

#[test]
fn interrupted_anywhere_nothing_is_lost() {
    let mut steps = 0;
    for fault in [Fault::Stop, Fault::Error(std::io::ErrorKind::Other)] {
        for at in 0.. {
            let (dir, log, to) = ten();
            spool(&dir.0, &to.0, Form::Own, Some(0)).unwrap();
            let mut taken = BTreeMap::new();
            take(&to, &mut taken);
            log.append(&[event(1), event(2)]).unwrap();
            let faults = Faults::default();
            faults.plan(at, fault);
            let failed = spool_on(&disk(&faults), &dir.0, &to.0, Form::Own, None);
            if failed.is_ok() {
                steps += at;
                break;
            }
            take(&to, &mut taken);
            log.append(&[event(3)]).unwrap();
            spool(&dir.0, &to.0, Form::Own, None).unwrap();
            take(&to, &mut taken);
            assert!(taken.keys().copied().eq(0..13), "{at}: {:?}", taken.keys());
        }
    }
    assert!(steps >= 16, "two files, each with four effects, and two faults: {steps}");
}

#[test]
fn a_cursor_of_another_log_or_ahead_of_it_stops_the_spool() {
    let (dir, log, to) = ten();
    let old = dir.copy();
    log.append(&[event(1)]).unwrap();
    spool(&dir.0, &to.0, Form::Own, Some(0)).unwrap();
    let before = to.files();
    let refused = |log: &Path| {
        let error = spool(log, &to.0, Form::Ocsf, None).unwrap_err();
        assert!(matches!(error, SpoolError::Other { next: 11, .. }), "{error}");
        assert_eq!(to.files(), before);
    };
    // An older copy was put back; and then it was gone on with.
    refused(&old.0);
    let other = open(&old, &Faults::default()).unwrap();
    other.append(&[event(7), event(8)]).unwrap();
    refused(&old.0);
    let (another, log, _) = ten();
    log.append(&[event(1)]).unwrap();
    refused(&another.0);
    std::fs::write(to.0.join("cursor"), "quokka").unwrap();
    assert!(matches!(spool(&dir.0, &to.0, Form::Own, None), Err(SpoolError::Damaged { .. })));
    let lock = std::fs::File::open(&to.0).unwrap();
    lock.lock().unwrap();
    assert!(matches!(spool(&dir.0, &to.0, Form::Own, None), Err(SpoolError::Busy { .. })));
}

#[test]
fn a_spool_has_one_form_and_a_cursor_from_before_takes_the_next() {
    for (form, other) in [(Form::Own, Form::Ocsf), (Form::Ocsf, Form::Own)] {
        let (dir, log, to) = ten();
        spool(&dir.0, &to.0, form, Some(0)).unwrap();
        log.append(&[event(1)]).unwrap();
        let before = to.files();
        let error = spool(&dir.0, &to.0, other, None).unwrap_err();
        assert!(
            matches!(&error, SpoolError::OtherForm { has, asked, .. } if (*has, *asked) == (form, other)),
            "{error}"
        );
        assert_eq!(to.files(), before, "no file, and the cursor where it was");
        assert_eq!(spool(&dir.0, &to.0, form, None).unwrap().next, 11);
        // One that a program from before this line wrote.
        let cursor = to.0.join("cursor");
        let text = std::fs::read_to_string(&cursor).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines.len(), lines[0]), (5, "lightproof log cursor 2"));
        std::fs::write(&cursor, format!("lightproof log cursor 1\n{}\n", lines[1..4].join("\n"))).unwrap();
        log.append(&[event(2)]).unwrap();
        assert_eq!(spool(&dir.0, &to.0, other, None).unwrap().next, 12);
        assert!(matches!(spool(&dir.0, &to.0, form, None), Err(SpoolError::OtherForm { .. })));
        for damaged in
            [text.replace(lines[4], "cef"), text.replace("cursor 2", "cursor 1"), format!("{text}more\n")]
        {
            std::fs::write(&cursor, damaged).unwrap();
            assert!(matches!(spool(&dir.0, &to.0, form, None), Err(SpoolError::Damaged { .. })));
        }
    }
}

#[test]
fn a_full_disk_leaves_no_part_of_a_file_and_the_cursor_where_it_was() {
    let (dir, log, to) = ten();
    spool(&dir.0, &to.0, Form::Own, Some(0)).unwrap();
    log.append(&[event(1)]).unwrap();
    let before = to.files();
    let faults = Faults::default();
    faults.fail_named("replace: bytes", Fault::Full);
    let failed = spool_on(&disk(&faults), &dir.0, &to.0, Form::Own, None);
    assert!(matches!(failed, Err(SpoolError::Full { .. })), "{failed:?}");
    assert_eq!(to.files(), before);
}
