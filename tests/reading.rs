//! The log, read, verified and taken out through a running server: the same words as the verb's, on record, and never in the way.

use crate::abuse::{Opened, check, refused, token_of};
use crate::faults::with_a_fault;
use crate::harness::{Home, PASSPHRASE, is_root_for};
use crate::http::Request;
use crate::served::Served;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

fn rows(query: &str) -> Request {
    Request::get(&format!("/api/v1/audit{query}"))
}

fn verify() -> Request {
    Request::post("/api/v1/audit/verify", &json!({}))
}

fn export() -> Request {
    Request::get("/api/v1/audit/export")
}

/// Numbers of the records of a page.
fn numbers(page: &Value) -> Vec<u64> {
    let rows = page["rows"].as_array().expect("a list");
    rows.iter().map(|row| row["record"]["seq"].as_u64().expect("a number")).collect()
}

fn opened(test: &str) -> Opened {
    let home = Home::with_picture(test);
    let served = Served::start(&home);
    let token = Opened::unlock(&served);
    Opened { home, served, token }
}

#[test]
fn a_page_says_what_the_verb_says_and_pages_leave_out_nothing() {
    let opened = opened("log-pages");
    let (mut found, mut before) = (Vec::new(), String::new());
    let mut first = None;
    loop {
        let page = opened.ask(rows(&format!("?limit=7{before}"))).is(200).json();
        found.extend(numbers(&page));
        let next = page["next"].clone();
        first.get_or_insert(page);
        match next.as_u64() {
            Some(next) => before = format!("&before={next}"),
            None => break,
        }
        // Something is written between two pages.
        opened.ask(Request::get("/api/v1/holds")).is(200);
        opened.ask(Request::post(
            "/api/v1/people:resolve",
            &json!({ "pseudonym": "a:AAAAAAAAAAAAAAAAAAAAAA",
            "reason": "audit" }),
        ));
    }
    let first = first.expect("a page");
    let size = first["records"].as_u64().expect("a number");
    assert_eq!(found, (0..size).rev().collect::<Vec<_>>());
    // The words of the verb.
    for row in first["rows"].as_array().expect("a list") {
        let number = row["record"]["seq"].to_string();
        let said = opened.home.ask(&["audit", "explain", &number, "--json"]).ends(0, &[]).data();
        assert_eq!(&said, row);
    }
    for (query, flags) in [
        ("?type=object&limit=200", &["--type", "object"][..]),
        ("?type=vault.unlocked&limit=200", &["--type", "vault.unlocked"]),
        ("?outcome=denied&limit=200", &["--outcome", "denied"]),
        ("?since=2000-01-01&until=2000-01-02&limit=200", &["--since", "2000-01-01", "--until", "2000-01-02"]),
        ("?type=vault&outcome=ok&limit=200", &["--type", "vault", "--outcome", "ok"]),
    ] {
        let mut page = numbers(&opened.ask(rows(query)).is(200).json());
        page.reverse();
        let shown = opened.home.ask(&[&["audit", "show", "--json"][..], flags].concat()).ends(0, &[]).data();
        let shown = shown["records"].as_array().expect("a list");
        assert!(page.iter().eq(shown.iter().map(|record| &record["seq"])), "{query}");
    }
    let object = opened.ask(rows("?type=object.sealed")).is(200).json()["rows"][0]["record"]["obj"].clone();
    let object = object.as_str().expect("a pseudonym");
    assert_ne!(numbers(&opened.ask(rows(&format!("?object={object}"))).is(200).json()), [0; 0]);
    for (query, words) in [
        ("?limit=0", "1 to 200"),
        ("?limit=201", "1 to 200"),
        ("?limit=x", "1 to 200"),
        ("?before=-1", "1 to 200"),
        ("?kind=vault", "1 to 200"),
        ("?type=quokka", "no such type"),
        ("?outcome=quokka", "ok, denied or failed"),
        ("?object=quokka", "pseudonym"),
        ("?job=quokka", "request goes by its id"),
        ("?since=quokka", "2026-01-31"),
    ] {
        let refused = opened.ask(rows(query)).is(422).json();
        let detail = refused["detail"].as_str().expect("a sentence");
        assert!(refused["code"] == "parameter" && detail.contains(words), "{query}: {detail}");
        assert!(!detail.contains("quokka"), "{detail}");
    }
    opened.end(1);
}

#[test]
fn reading_is_on_record_once_for_each_way_and_does_not_fill_the_log() {
    let opened = opened("log-read");
    let read = |words: &[&str]| opened.home.count_records(&[&["audit.read ok"], words].concat());
    for _ in 0..20 {
        opened.ask(rows("?limit=2")).is(200);
        opened.ask(rows("?limit=2&before=5")).is(200);
    }
    assert_eq!((read(&["how=rows"]), read(&["how=rows", "records=2", "by_type=false"])), (1, 1));
    for name in ["vault", "boot", "object", "vault"] {
        opened.ask(rows(&format!("?type={name}"))).is(200);
    }
    assert_eq!((read(&["how=rows"]), read(&["by_type=true", "by_time=false"])), (2, 1));
    // What was asked for wrongly was not read.
    opened.ask(rows("?outcome=none")).is(422);
    assert_eq!(read(&["how=rows"]), 2);
    // Another session of the same person is another reading.
    let token = Opened::unlock(&opened.served);
    check(&opened.served, &rows("").token(&token)).is(200);
    assert_eq!(read(&["how=rows"]), 3);
    opened.ask(verify()).is(200);
    opened.ask(export()).is(200);
    opened.ask(Request::get("/api/v1/audit/export?since=2000-01-01&until=2000-01-01")).is(200);
    assert_eq!((read(&["how=verify"]), read(&["how=export"])), (1, 2));
    assert_eq!(read(&["how=export", "by_time=true", "records=0"]), 1);
    // By whoever asked, whose pseudonym it is, and nobody else.
    let actor = |line: &str| line.split(' ').nth(4).map(str::to_owned);
    let records = opened.home.records();
    let mut actors: Vec<_> =
        records.iter().filter(|line| line.contains("audit.read")).map(|line| actor(line)).collect();
    actors.dedup();
    let unlocked = records.iter().rfind(|line| line.contains("session.opened")).expect("somebody came");
    assert_eq!(actors, [actor(unlocked)]);
    opened.end(1);
}

#[test]
fn the_running_log_is_verified_and_a_change_is_named_and_work_goes_on() {
    let opened = Opened::new("log-verify");
    let job = opened
        .submit(json!({ "prompt": "a red apple", "width": 128, "height": 128, "steps": 60, "count": 1 }));
    opened.until(&job, &["running"]);
    let report = opened.ask(verify()).is(200).json();
    assert_eq!((&report["ok"], &report["findings"]), (&json!(true), &json!([])));
    assert_eq!(opened.job(&job)["status"], "running", "the check was over before the picture");
    assert_eq!(opened.until(&job, &["done", "failed"])["status"], "done");
    let segment = opened.home.path().join("state/audit/seg/00000000.jsonl");
    let text = std::fs::read_to_string(&segment).expect("it is text");
    std::fs::write(&segment, text.replacen("\"boot.ready\"", "\"boot.reddy\"", 1))
        .expect("it can be written");
    let report = opened.ask(verify()).is(200).json();
    assert_eq!((&report["ok"], &report["integrity_broken"]), (&json!(false), &json!(true)));
    let text = report["findings"][0]["subject"].as_str().expect("a subject");
    assert!(text.starts_with("record "), "{report}");
    // What does not hold is not handed out, and nothing is left of it.
    assert_eq!(opened.ask(export()).status / 100, 5);
    assert!(!opened.home.path().join("state/evidence/slice").exists());
    assert_eq!(opened.home.count_records(&["audit.read", "how=export"]), 0);
    drop(opened);
}

#[test]
fn a_slice_is_checked_with_others_programs() {
    let opened = opened("log-slice");
    for wrong in ["?type=vault", "?outcome=ok", "?limit=3", "?before=3"] {
        let refused = opened.ask(Request::get(&format!("/api/v1/audit/export{wrong}"))).is(422).json();
        assert_eq!(refused["code"], "parameter", "{wrong}");
    }
    let answer = opened.ask(export()).is(200);
    assert_eq!(answer.field("content-type"), Some("application/zip"));
    let home = opened.end(1);
    home.write("slice.zip", &answer.body);
    let taken_out = Command::new("python3")
        .args(["-m", "zipfile", "-e", &home.at("slice.zip"), &home.at("out")])
        .status();
    assert!(taken_out.expect("python3").success());
    let folder = format!("{}/lightproof-log", home.at("out"));
    let records =
        std::fs::read_to_string(Path::new(&folder).join("audit/records.jsonl")).expect("it is text");
    let shown = home.ask(&["audit", "show", "--json"]).ends(0, &[]).data();
    let count = records.lines().count();
    let parsed: Vec<Value> = records.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(parsed, shown["records"].as_array().expect("a list")[..count]);
    assert!(Path::new(&folder).join("VERIFY.md").exists());
    for secret in [PASSPHRASE, "a red apple"] {
        assert!(!answer.body.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
    }
}

#[test]
fn nobody_but_an_admin_reads_it() {
    let home = Home::with_picture("log-roles");
    let served = Served::start(&home);
    for request in [rows(""), verify(), export()] {
        assert_eq!(check(&served, &request).is(401).json()["code"], "token");
    }
    let second = "the words of the second one";
    let first = Opened::unlock(&served);
    let newcomer = json!({ "name": "Second", "role": "operator", "new_passphrase": second, "own_name": "First",
        "passphrase": PASSPHRASE });
    check(&served, &Request::post("/api/v1/people", &newcomer).token(&first)).is(201);
    let wish = json!({ "operator": "Second", "passphrase": second });
    let operator = token_of(&check(&served, &Request::post("/api/v1/session", &wish)).is(201));
    for (at, request) in [rows(""), verify(), export()].into_iter().enumerate() {
        assert_eq!(check(&served, &request.token(&operator)).is(403).json()["code"], "role");
        assert_eq!(home.count_records(&["request.refused denied", "reason=permission"]), at + 1);
    }
    assert_eq!(home.count_records(&["audit.read"]), 0);
    check(&served, &rows("").token(&first)).is(200);
    served.stop().ends(0, &[]);
}

#[test]
fn what_cannot_be_put_on_record_is_not_shown() {
    if !is_root_for("a fault in a running server") {
        return;
    }
    for request in [rows(""), verify(), export()] {
        let opened = opened("log-unrecorded");
        let segment = opened.home.at("state/audit/seg/00000000.jsonl");
        let fault = ["-P", &segment, "-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO"];
        let answer = with_a_fault(&opened.served, &fault, || opened.ask(request));
        refused(&answer, 503, "log", "a reading that is on no record");
        assert!(answer.json()["rows"].is_null());
        opened.served.kill();
    }
}

/// The page says what happened in the words of the program, and in Chinese in words of its own.
#[test]
fn every_type_of_record_has_a_chinese_sentence() {
    let texts: BTreeMap<String, String> =
        serde_json::from_str(include_str!("../src/server/pages/records.zh-CN.json")).expect("texts");
    let mut keys: BTreeSet<String> =
        audit::SCHEMA.iter().map(|kind| format!("record.{}", kind.name)).collect();
    keys.extend(meanings().iter().map(|sentence| format!("means.{sentence}")));
    assert_eq!(texts.keys().cloned().collect::<BTreeSet<_>>(), keys);
    assert!(texts.values().all(|text| text.ends_with('。')), "a sentence without an end");
    let page = include_str!("../src/server/pages/log.js");
    for kind in audit::SCHEMA {
        let word = kind.name.split('.').next().expect("a word");
        assert!(page.contains(&format!("\"{word}\"")), "no filter takes {word}");
    }
}

/// Each sentence that says what a field of a record means, or a word in it.
fn meanings() -> BTreeSet<String> {
    let of_words = |kind: &audit::Kind| match kind {
        audit::Kind::Token(words) => words.iter().map(|(_, meaning)| *meaning).collect(),
        _ => Vec::new(),
    };
    let of_types = audit::SCHEMA.iter().flat_map(|kind| {
        let words = kind.fields.iter().flat_map(|(_, kind)| of_words(kind));
        kind.meanings.iter().copied().chain(words).collect::<Vec<_>>()
    });
    let texts = of_types.chain(["Signing epoch: which key signed it."]);
    let plain = texts.map(|text| text.trim().replace('`', ""));
    plain.flat_map(|text| text.replace(". ", ".\n").lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// Whether it can be written is another matter.
#[test]
fn a_log_that_cannot_be_read_is_said_and_work_goes_on() {
    let opened = opened("log-unreadable");
    let folder = opened.home.path().join("state/audit");
    std::fs::rename(folder.join("seg"), folder.join("elsewhere")).expect("it can be renamed");
    refused(&opened.ask(rows("")), 503, "log", "a log that cannot be read");
    refused(&opened.ask(export()), 500, "damaged", "a log whose records are gone");
    opened.ask(Request::get("/readyz")).is(200);
    std::fs::rename(folder.join("elsewhere"), folder.join("seg")).expect("it can be renamed");
    opened.ask(rows("")).is(200);
    opened.end(1);
}
