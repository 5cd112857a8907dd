//! Following a log that somebody writes.

use super::*;
use crate::{Follower, Stored, records_from};
use std::io::Write as _;

fn numbers(follower: &mut Follower) -> Vec<u64> {
    follower.news().unwrap().into_iter().map(|record| record.unwrap().seq).collect()
}

#[test]
fn a_follower_gets_each_record_once_across_segments() {
    let dir = Dir::new();
    let log = create(&dir, &Faults::default()).unwrap();
    let thousand: Vec<Entry> = (0..1000).map(event).collect();
    log.append(&thousand).unwrap();
    let mut follower = Follower::new(&dir.0, 10).unwrap();
    let mut seen = numbers(&mut follower);
    assert_eq!(seen, (991..1001).collect::<Vec<_>>());
    assert_eq!(numbers(&mut follower), Vec::<u64>::new());
    // Segments end at 4096 and 8192.
    for round in 0..9 {
        log.append(&thousand).unwrap();
        if round % 3 != 1 {
            seen.extend(numbers(&mut follower));
        }
    }
    seen.extend(numbers(&mut follower));
    assert_eq!(seen, (991..10_001).collect::<Vec<_>>());
    for first in [0, 4095, 4096, 9999] {
        let read: Vec<Stored> = records_from(&dir.0, first).unwrap().collect::<Result<_, _>>().unwrap();
        assert!(read.iter().map(|record| record.seq).eq(first..10_001), "{first}");
    }
    assert_eq!(crate::record(&dir.0, 8192).unwrap().unwrap().seq, 8192);
    assert_eq!(crate::record(&dir.0, 10_001).unwrap(), None);
    assert_eq!(crate::record(&dir.0, 1 << 40).unwrap(), None);
}

#[test]
fn what_a_crash_could_take_back_is_not_given() {
    let dir = Dir::new();
    let log = create(&dir, &Faults::default()).unwrap();
    log.append(&[event(1)]).unwrap();
    let mut follower = Follower::new(&dir.0, 1).unwrap();
    assert_eq!(numbers(&mut follower), [1]);
    // A line without a checkpoint, as a crash leaves it.
    let segment = dir.0.join("seg/00000000.jsonl");
    let text = std::fs::read_to_string(&segment).unwrap();
    let last = text.lines().last().unwrap().replace("\"seq\":1,", "\"seq\":2,");
    std::fs::OpenOptions::new()
        .append(true)
        .open(&segment)
        .unwrap()
        .write_all(format!("{last}\n").as_bytes())
        .unwrap();
    assert_eq!(numbers(&mut follower), Vec::<u64>::new());
    drop(log);
    let log = open(&dir, &Faults::default()).unwrap();
    log.append(&[event(2)]).unwrap();
    let found = follower.news().unwrap();
    let names: Vec<String> = found.into_iter().map(|record| record.unwrap().name).collect();
    assert_eq!(names.first().map(String::as_str), Some("recovery.truncated"));
}

#[test]
fn a_log_that_was_cut_back_meanwhile_is_told() {
    let dir = Dir::new();
    let log = create(&dir, &Faults::default()).unwrap();
    log.append(&[event(1)]).unwrap();
    let older = std::fs::read(dir.0.join("checkpoint")).unwrap();
    log.append(&[event(2)]).unwrap();
    let mut follower = Follower::new(&dir.0, 10).unwrap();
    assert_eq!(numbers(&mut follower), [0, 1, 2]);
    std::fs::write(dir.0.join("checkpoint"), older).unwrap();
    assert!(matches!(follower.news(), Err(Error::Lost { found: 2, signed: 3 })));
    std::fs::write(dir.0.join("checkpoint"), "x").unwrap();
    assert!(matches!(follower.news(), Err(Error::Broken { .. })));
    assert!(matches!(Follower::new(&dir.0.join("nowhere"), 1), Err(Error::Absent { .. })));
}
