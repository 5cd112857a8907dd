//! The log as lines for other programs, from a number on.

use super::*;
use crate::{Form, export};

/// Numbers of the records from `first` on, and what comes next.
fn numbers(dir: &Path, first: u64) -> (Vec<u64>, u64) {
    let mut lines = export(dir, first, Form::Own).unwrap();
    let number = |line: Result<String, Error>| crate::Stored::read(line.unwrap().as_bytes()).unwrap().seq;
    let all = lines.by_ref().map(number).collect();
    (all, lines.next_record())
}

#[test]
fn going_on_from_what_was_said_leaves_out_nothing_and_repeats_nothing() {
    let dir = Dir::new();
    let log = create(&dir, &Faults::default()).unwrap();
    let (mut seen, mut next) = numbers(&dir.0, 0);
    let thousand: Vec<Entry> = (0..1000).map(event).collect();
    // Segments end at 4096 and 8192.
    for _ in 0..9 {
        log.append(&thousand).unwrap();
        let (more, then) = numbers(&dir.0, next);
        seen.extend(more);
        next = then;
    }
    assert_eq!((seen, next), ((0..9001).collect(), 9001));
    // What is written while somebody reads is for the next time.
    let mut lines = export(&dir.0, 9000, Form::Ocsf).unwrap();
    log.append(&thousand).unwrap();
    assert_eq!((lines.by_ref().count(), lines.next_record()), (1, 9001));
    assert_eq!(numbers(&dir.0, 9001).0, (9001..10_001).collect::<Vec<_>>());
    assert_eq!(numbers(&dir.0, 10_001), (vec![], 10_001));
    assert!(matches!(
        export(&dir.0, 10_002, Form::Own).map(drop),
        Err(Error::Lost { found: 10_001, signed: 10_002 })
    ));
}

#[test]
fn a_damaged_line_is_said_in_its_place_and_missing_ones_end_it() {
    let dir = Dir::new();
    let log = create(&dir, &Faults::default()).unwrap();
    log.append(&(0..5).map(event).collect::<Vec<_>>()).unwrap();
    let segment = dir.0.join("seg/00000000.jsonl");
    let whole = std::fs::read_to_string(&segment).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let put = |lines: &[&str]| std::fs::write(&segment, lines.join("\n") + "\n").unwrap();
    put(&[lines[0], lines[1], "quokka", lines[3], lines[4], lines[5]]);
    let own: Vec<String> = export(&dir.0, 1, Form::Own).unwrap().map(Result::unwrap).collect();
    assert_eq!(own, [lines[1], "{\"damaged\":2}", lines[3], lines[4], lines[5]]);
    let ocsf: Vec<String> = export(&dir.0, 1, Form::Ocsf).unwrap().map(Result::unwrap).collect();
    assert!(
        ocsf.len() == 5 && ocsf[1].contains("\"class_uid\":2006,") && ocsf[1].contains("/2\""),
        "{ocsf:?}"
    );
    // What was changed in place is a record still, and the next one does not follow it.
    let changed = lines[2].replacen("\"out\":\"ok\"", "\"out\":\"denied\"", 1);
    assert_ne!(changed, lines[2]);
    put(&[lines[0], lines[1], &changed, lines[3], lines[4], lines[5]]);
    let own: Vec<String> = export(&dir.0, 1, Form::Own).unwrap().map(Result::unwrap).collect();
    assert_eq!(own, [lines[1], "{\"damaged\":2}", lines[3], lines[4], lines[5]]);
    for (cut, given) in [(&lines[..4], 4), (&[lines[0], lines[1], lines[3], lines[4], lines[5]][..], 2)] {
        put(cut);
        let all: Vec<_> = export(&dir.0, 0, Form::Own).unwrap().collect();
        assert_eq!(all.len(), given + 1);
        assert!(
            matches!(all[given], Err(Error::Broken { at, .. }) if at == given as u64),
            "{:?}",
            all[given]
        );
    }
    // The checkpoint says that there were some.
    std::fs::remove_file(&segment).unwrap();
    for first in [0, 3] {
        let found = export(&dir.0, first, Form::Own).unwrap_err();
        assert!(matches!(found, Error::Broken { at, .. } if at == first), "{found:?}");
    }
}
