//! What the verifier and the next start parse, with changed inputs: nothing panics, nothing takes memory that the input
//! does not pay for, and what is accepted has one spelling.

use super::Dir;
use crate::durable::Disk;
use crate::event::SCHEMA;
use crate::journal::Notes;
use crate::json::{self, Members, Value};
use crate::note::{Note, VerifyKey, parse_secret, secret_line};
use crate::record::{Flaw, Record};
use crate::remembered::Remembered;
use crate::stored::Stored;
use crate::{Digest, Log};
use fuzz::Target;
use std::path::Path;

const WORDS: [&str; 12] = [
    "{\"",
    "\":",
    "}",
    ",\"",
    "\"d\":{",
    "\"seq\":",
    "\"v\":1",
    "\"obj\":\"o:",
    "9007199254740991",
    "-9007199254740991",
    "a:system",
    "\\\"",
];

fn target(name: &str) -> Target {
    Target::new(name).words(&WORDS)
}

fn frozen(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/v1").join(name)).unwrap()
}

/// The lines of the frozen log, one of each type.
fn lines() -> Vec<(String, Vec<u8>)> {
    let text = String::from_utf8(frozen("seg/00000000.jsonl")).unwrap();
    let of = |name: &str| text.lines().find(|line| line.contains(&format!("\"type\":\"{name}\"")));
    SCHEMA.iter().filter_map(|kind| Some((kind.name.to_owned(), of(kind.name)?.into()))).collect()
}

/// RFC 8785 once more, from the values.
fn spelled(members: &Members<'_>) -> String {
    let value = |value: &Value<'_>| match value {
        Value::Int(n) => n.to_string(),
        Value::Bool(b) => b.to_string(),
        Value::Str(text) => format!("\"{text}\""),
        Value::Object(members) => spelled(members),
    };
    let members: Vec<String> = members.iter().map(|(key, v)| format!("\"{key}\":{}", value(v))).collect();
    format!("{{{}}}", members.join(","))
}

#[test]
fn canonical_json() {
    let target = lines().into_iter().fold(target("json"), |target, (name, line)| target.seed(&name, line));
    target.run(|input| {
        let Ok(members) = json::parse(input) else { return false };
        assert_eq!(spelled(&members).as_bytes(), input);
        assert!(members.is_sorted_by(|(one, _), (next, _)| one < next), "keys in order, none twice");
        true
    });
}

#[test]
fn log_record() {
    let lines = lines();
    let kinds = lines.len();
    let target = lines.into_iter().fold(target("record"), |target, (name, line)| target.seed(&name, line));
    assert!(kinds > 20, "{kinds} types in the frozen log");
    // What is wrong with a record is said in a line, whatever the record says.
    let in_a_line = |flaw: &Flaw<'_>| assert!(!flaw.to_string().contains(char::is_control), "{flaw}");
    target.run(|line| {
        let stored = Stored::parse(line);
        let (record, rest) = match Record::parse(line) {
            Ok(parsed) => parsed,
            Err(flaw) => {
                in_a_line(&flaw);
                assert_eq!(stored, None);
                return false;
            }
        };
        let sound = record.check(&rest).inspect_err(in_a_line).is_ok();
        if let Some(stored) = &stored {
            assert_eq!(
                (stored.json().as_bytes(), stored.seq, stored.ts_ms),
                (line, record.seq, record.ts_ms)
            );
            assert!(!stored.to_string().contains(char::is_control), "a record is one line for people, too");
        }
        assert!(stored.is_some() || !sound, "what the schema allows can be read back");
        sound
    });
}

#[test]
fn note() {
    target("note").seed("checkpoint", frozen("checkpoint")).seed("handover", frozen("epochs/2.note")).run(
        |input| {
            let foreign = Note::parse_foreign(input);
            let Some(note) = Note::parse(input) else { return false };
            assert_eq!(note.bytes(), input);
            assert_eq!(foreign, Some(note), "ours is a note like any other");
            true
        },
    );
}

#[test]
fn proof_of_a_record() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/v1");
    let proofs = crate::Proofs::read(&dir).unwrap();
    let hand_over = proofs.hand_overs().unwrap()[1].proof.text();
    target("proof").seed("record", proofs.of(17).unwrap().text()).seed("hand-over", hand_over).run(|input| {
        let Some(proof) = crate::Proof::parse(input) else { return false };
        assert_eq!(proof.text().as_bytes(), input);
        true
    });
}

#[test]
fn journal_of_notes() {
    let dir = Dir::new();
    std::fs::create_dir(&dir.0).unwrap();
    let path = dir.0.join("checkpoints.log");
    // However long the file is, one note at a time is held.
    target("journal").seed("frozen", frozen("checkpoints.log")).memory(64 << 10, 0).run(|input| {
        let _ = std::fs::remove_file(&path);
        std::fs::write(&path, input).unwrap();
        let (mut notes, mut before) = (Notes::open(&path, 0).unwrap(), 0);
        while let Some(note) = notes.next() {
            let written = [&note.unwrap().bytes()[..], b"\n"].concat();
            assert_eq!(input.get(before as usize..notes.end as usize), Some(&written[..]));
            before = notes.end;
        }
        before > 0
    });
}

/// Whoever changes the file by hand makes its digest anew: a parser is only reached by what has it.
#[test]
fn remembered() {
    let dir = Dir::new();
    super::rich(&dir);
    let memory = dir.0.join("../").join(format!("memory-{}", std::process::id()));
    let (log, _) =
        Log::open_on(&dir.0, Some(&memory), Disk::default(), Box::new(super::TestClock::new())).unwrap();
    log.prove(&[9; 32]).unwrap();
    log.append(&super::job(3)[..2]).unwrap();
    log.remember();
    drop(log);
    let file = std::fs::read(&memory).unwrap();
    let _ = std::fs::remove_file(&memory);
    let digest_at = file.len() - 64;
    let (body, seal) = file.split_at(digest_at);
    target("remembered").seed("rich", body).run(|input| {
        let whole = [input, &Digest::of(input).0, &seal[32..]].concat();
        let Some((remembered, seal)) = Remembered::parse(&whole) else { return false };
        assert_eq!(remembered.bytes(&[9; 32])[..input.len()], *input, "one spelling");
        assert_eq!(seal.is_by(&[9; 32]), input == body);
        true
    });
}

#[test]
fn keys() {
    let origin = String::from_utf8(frozen("origin")).unwrap();
    let origin = origin.trim_end();
    target("keys").seed("public", frozen("vkeys")).seed("secret", frozen("epoch.key")).run(|input| {
        if let Some(key) = parse_secret(input, origin) {
            assert_eq!(&secret_line(origin, &key)[..], input);
            return true;
        }
        let Some(line) = std::str::from_utf8(input).ok().and_then(|text| text.strip_suffix('\n')) else {
            return false;
        };
        let Some(key) = VerifyKey::parse(line) else { return false };
        assert_eq!(key.to_string(), line);
        true
    });
}
