//! Pages of the log: none leaves out a record or repeats one, whatever is written meanwhile, and none costs more than it may.

use super::*;
use crate::{LOOKED_MAX, Page, Selection, Typed, page};

/// The numbers on a page.
fn numbers(page: &Page) -> Vec<u64> {
    page.records.iter().map(|item| item.as_ref().map_or_else(|seq| *seq, |record| record.seq)).collect()
}

#[test]
fn pages_go_on_from_each_other_while_somebody_writes() {
    let dir = Dir::new();
    let log = create(&dir, &Faults::default()).unwrap();
    let hundred: Vec<Entry> = (0..100).map(event).collect();
    for _ in 0..45 {
        log.append(&hundred).unwrap();
    }
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let page = page(&dir.0, &Selection::default(), before, 333).unwrap();
        found.extend(numbers(&page));
        before = page.next;
        if before.is_none() {
            break;
        }
        log.append(&hundred[..7]).unwrap();
    }
    let wanted: Vec<u64> = (0..4501).rev().collect();
    assert_eq!(found, wanted);
}

#[test]
fn a_page_takes_what_is_selected_and_looks_no_further_than_it_may() {
    let dir = Dir::new();
    let log = create(&dir, &Faults::default()).unwrap();
    let thousand: Vec<Entry> = (0..1000).map(event).collect();
    for _ in 0..=LOOKED_MAX / 1000 {
        log.append(&thousand).unwrap();
    }
    let created = Selection::parse(&Typed { name: Some("log.created"), ..Typed::default() }).unwrap();
    let first = page(&dir.0, &created, None, 10).unwrap();
    assert_eq!(numbers(&first), [0; 0]);
    let next = first.signed - LOOKED_MAX as u64;
    assert_eq!(first.next, Some(next));
    let second = page(&dir.0, &created, first.next, 10).unwrap();
    assert_eq!((numbers(&second), second.next), (vec![0], None));
    let denied = Selection::parse(&Typed { outcome: Some("denied"), ..Typed::default() }).unwrap();
    assert_eq!(numbers(&page(&dir.0, &denied, Some(5), 10).unwrap()), [0; 0]);
    // A number that the log does not reach is its end, and 0 its beginning.
    let end = page(&dir.0, &Selection::default(), Some(u64::MAX), 1).unwrap();
    assert_eq!(numbers(&end), [end.signed - 1]);
    let none = page(&dir.0, &Selection::default(), Some(0), 1).unwrap();
    assert_eq!((numbers(&none), none.next), (Vec::new(), None));
}

#[test]
fn what_no_checkpoint_covers_is_on_no_page_and_what_is_no_record_on_each() {
    let dir = Dir::new();
    let log = create(&dir, &Faults::default()).unwrap();
    log.append(&(0..5).map(event).collect::<Vec<_>>()).unwrap();
    drop(log);
    let segment = dir.0.join("seg/00000000.jsonl");
    let text = std::fs::read_to_string(&segment).unwrap();
    let last = text.lines().last().unwrap().replacen("\"seq\":5", "\"seq\":6", 1);
    let broken = text.replacen("\"seq\":3", "\"seq\":x", 1);
    std::fs::write(&segment, format!("{broken}{last}\n")).unwrap();
    let created = Selection::parse(&Typed { name: Some("log.created"), ..Typed::default() }).unwrap();
    let page = page(&dir.0, &created, None, 10).unwrap();
    assert_eq!((numbers(&page), page.signed), (vec![3, 0], 6));
    assert!(page.records[0].is_err());
}
