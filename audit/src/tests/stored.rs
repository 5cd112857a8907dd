//! Reading records back: every type, both orders, across segments, over damage.

use super::*;
use crate::{Actor, Order, Stored, Value, records};

fn all(dir: &Path, order: Order) -> Vec<Stored> {
    records(dir, order).unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn every_record_of_the_frozen_log_is_read_with_its_fields() {
    let frozen = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/v1");
    let read = all(&frozen, Order::OldestFirst);
    let text = std::fs::read_to_string(frozen.join("seg/00000000.jsonl")).unwrap();
    assert!(read.iter().map(Stored::json).eq(text.lines()));
    for record in &read {
        let kind = crate::schema(&record.name).unwrap();
        let mut wanted: Vec<&str> = kind.fields.iter().map(|(name, _)| *name).collect();
        wanted.sort_unstable();
        assert!(record.fields.iter().map(|(name, _)| name.as_str()).eq(wanted), "{record}");
        assert_eq!((record.object.is_some(), record.job.is_some()), (kind.object, kind.job), "{record}");
    }
    let created = read.iter().find(|r| r.name == "object.created").unwrap();
    assert_eq!((created.int("width"), created.int("height")), (Some(128), Some(64)));
    assert_eq!(created.digest("ciphertext_sha256"), Some(Digest([1; 32])));
    assert_eq!((created.actor, created.object), (Actor::System, Some(Object([1; 16]))));
    assert_eq!((created.word("width"), created.int("nothing"), created.flag("width")), (None, None, None));
    let requested = read.iter().find(|r| r.name == "generate.requested").unwrap();
    assert_eq!((requested.flag("remembers_prompt"), requested.word("device")), (Some(false), Some("cpu")));
    assert_eq!(requested.fields[0], ("device".to_owned(), Value::Word("cpu".to_owned())));
}

#[test]
fn both_orders_give_the_same_records_across_segments() {
    let dir = Dir::new();
    let log = create(&dir, &Faults::default()).unwrap();
    let thousand: Vec<Entry> = (0..1000).map(event).collect();
    for _ in 0..9 {
        log.append(&thousand).unwrap();
    }
    let oldest = all(&dir.0, Order::OldestFirst);
    let mut newest = all(&dir.0, Order::NewestFirst);
    assert!(oldest.iter().map(|r| r.seq).eq(0..9001));
    newest.reverse();
    assert_eq!(oldest, newest);
    let lines = crate::tail(&dir.0, 3, false).unwrap().lines;
    let wanted: Vec<String> = oldest[8998..].iter().map(Stored::to_string).collect();
    assert_eq!(lines, wanted);
}

#[test]
fn damage_is_an_item_and_the_reading_goes_on() {
    let dir = Dir::new();
    let log = create(&dir, &Faults::default()).unwrap();
    let thousand: Vec<Entry> = (0..1000).map(event).collect();
    for _ in 0..9 {
        log.append(&thousand).unwrap();
    }
    drop(log);
    let last = dir.0.join("seg/00000002.jsonl");
    let text = std::fs::read_to_string(&last).unwrap();
    std::fs::write(&last, text.replacen("\"seq\":8500", "\"seq\":-", 1) + "{\"actor").unwrap();
    std::fs::remove_file(dir.0.join("seg/00000001.jsonl")).unwrap();
    std::fs::create_dir(dir.0.join("seg/00000001.jsonl")).unwrap();
    std::os::unix::fs::symlink("00000000.jsonl", dir.0.join("seg/00000003.jsonl")).unwrap();
    for order in [Order::OldestFirst, Order::NewestFirst] {
        let items: Vec<_> = records(&dir.0, order).unwrap().collect();
        let broken = |item: &Result<Stored, Error>| matches!(item, Err(Error::Broken { at: 8500, .. }));
        assert_eq!(items.iter().filter(|item| broken(item)).count(), 1);
        // The link is not followed.
        assert_eq!(items.iter().filter(|item| matches!(item, Err(Error::Io { .. }))).count(), 1);
        assert_eq!(items.iter().flatten().count(), 4096 + 9001 - 8192 - 1);
    }
    assert!(matches!(records(&dir.0.join("nowhere"), Order::OldestFirst), Err(Error::Absent { .. })));
}

#[test]
fn a_strangers_record_is_held_against_the_schema() {
    let frozen = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/v1");
    let read = all(&frozen, Order::OldestFirst);
    assert!(read.windows(2).all(|two| two[1].prev == two[0].leaf()));
    let created = read.iter().find(|r| r.name == "object.created").unwrap();
    assert_eq!(Stored::read(created.json().as_bytes()).as_ref(), Ok(created));
    for (from, to, what) in [
        ("object.created", "object.made", "unknown type"),
        ("\"width\":128", "\"width\":128,\"words\":\"x\"", "unknown key"),
        ("\"width\":128", "\"width\":\"x\"", "width"),
        ("\"v\":1", "\"v\":2", "version 2"),
        ("{\"actor\"", "{ \"actor\"", "canonical"),
    ] {
        let changed = created.json().replacen(from, to, 1);
        let error = Stored::read(changed.as_bytes()).unwrap_err();
        assert!(error.contains(what), "{error}");
    }
}
