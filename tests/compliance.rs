//! The controls tried by a running server, for its page: the same findings as the verb's, beside whatever is in work.

use crate::abuse::{Opened, check, token_of};
use crate::controls::found_by;
use crate::harness::{Home, PASSPHRASE, Ran};
use crate::http::{Answer, Request};
use crate::served::Served;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

fn run() -> Request {
    Request::post("/api/v1/evidence/run", &json!({}))
}

fn told() -> Request {
    Request::get("/api/v1/evidence")
}

fn export() -> Request {
    Request::post("/api/v1/evidence/export", &json!({}))
}

/// A server in this home with somebody signed in.
fn opened(home: Home) -> Opened {
    let served = Served::start(&home);
    let token = Opened::unlock(&served);
    Opened { home, served, token }
}

/// What a run of the server finds.
#[track_caller]
fn tried(opened: &Opened) -> BTreeMap<String, String> {
    found_by(&opened.ask(run()).is(200).json())
}

fn outputs(home: &Home) -> PathBuf {
    home.path().join("workspace/output_image")
}

fn sealed(home: &Home) -> PathBuf {
    let names =
        std::fs::read_dir(outputs(home)).expect("it is there").map(|entry| entry.expect("a name").path());
    names
        .into_iter()
        .find(|path| path.extension().is_some_and(|end| end == "sealed"))
        .expect("a sealed picture")
}

#[test]
fn a_running_server_finds_what_the_verb_finds() {
    /// What is tried for somebody who has signed in alone.
    const SIGNED_IN: [&str; 11] = [
        "ACC-02", "CRY-06", "ERA-01", "LOG-01", "LOG-05", "PRV-01", "PRV-02", "PRV-06", "PRV-08", "AIT-02",
        "AIT-03",
    ];
    let home = Home::with_picture("served-controls");
    home.ask(&["evidence", "run"]).ends(0, &[]);
    let alone = found_by(&home.ask(&["evidence", "run", "--json"]).ends(0, &[]).data());
    let opened = opened(home);
    let before = opened.ask(told()).is(200).json();
    assert_eq!(before["controls"].as_array().map(Vec::len), Some(64));
    let answer = opened.ask(run()).is(200).json();
    let mut served = found_by(&answer);
    // It listens, and is the only one that can tell.
    for id in ["NET-01", "NET-03"] {
        assert_eq!((&*served[id], &*alone[id]), ("satisfied", "not_measured no_listener"));
        served.insert(id.to_owned(), alone[id].clone());
    }
    // It has a model, which is the one inside the program.
    assert_eq!(served["SAF-02"], "not_applicable no_model_files");
    served.insert("SAF-02".to_owned(), alone["SAF-02"].clone());
    assert_eq!(served, alone);
    let told = opened.ask(told()).is(200).json();
    assert_eq!((&told["tried"]["run"], &told["tried"]["record"]), (&answer["run"], &answer["record"]));
    assert_eq!(told["tried"]["counts"]["not_satisfied"], 0);
    for control in told["controls"].as_array().expect("a list") {
        let results = control["results"].as_array().expect("a list");
        assert_eq!((results.len(), &results[0]["outcome"]), (3, &control["now"]["outcome"]), "{control}");
    }
    // The verb has the server try them, and finds the same.
    let through = opened.home.ask(&["evidence", "run", "--json"]).ends(0, &[]).data();
    assert_eq!(found_by(&through), found_by(&answer));
    // A timer has nobody to ask: what needs somebody signed in is not tried, though the vault is open.
    let home = &opened.home;
    let timer =
        || Ran::of(&mut home.program(&["evidence", "run", "--quiet", "--json", "--home", &home.at("state")]));
    let quiet =
        Ran::of(&mut home.program(&["evidence", "run", "--quiet", "--home", &home.at("state")])).ends(0, &[]);
    assert_eq!(quiet.stdout, "", "nothing of it needs anybody");
    let timer = timer().ends(0, &[]).data();
    let by_nobody = found_by(&timer);
    for (id, outcome) in found_by(&answer) {
        let wanted = if SIGNED_IN.contains(&&*id) { "not_measured locked" } else { &outcome };
        assert_eq!(by_nobody[&id], wanted, "{id}");
    }
    // The verb shows what the server found, as the log names it.
    let listed = opened.home.ask(&["evidence", "list", "--json"]).ends(0, &[]).data();
    assert_eq!((&listed["tried"]["run"], &listed["tried"]["record"]), (&timer["run"], &timer["record"]));
    let home = opened.end(1);
    assert_eq!(home.count_records(&["evidence.tried ok", "not_satisfied=0"]), 6);
    assert_eq!(home.count_records(&["evidence.tried ok a:system"]), 2);
}

#[test]
fn what_is_broken_beside_a_running_server_is_not_satisfied() {
    type Break = fn(&Opened, &Path) -> Option<TcpListener>;
    let breaks: [(&str, Break); 7] = [
        ("NET-01", |opened, _| {
            Some(TcpListener::bind(("127.0.0.2", opened.served.port)).expect("it is free"))
        }),
        ("CRY-01", |opened, _| {
            std::fs::write(outputs(&opened.home).join("apple.png"), b"\x89PNG\r\n\x1a\n")
                .expect("it can be written");
            None
        }),
        ("CRY-05", |opened, sealed| {
            let copy = outputs(&opened.home).join("20240115_142345_abc123.png.sealed");
            std::fs::copy(sealed, copy).expect("it can be written");
            None
        }),
        ("PRV-03", |opened, sealed| {
            let name = outputs(&opened.home).join("anna-at-the-lake.png.sealed");
            std::fs::rename(sealed, name).expect("it can be renamed");
            None
        }),
        ("CRY-06", |_, sealed| {
            let mut bytes = std::fs::read(sealed).expect("it is there");
            *bytes.last_mut().expect("it is not empty") ^= 1;
            std::fs::write(sealed, bytes).expect("it can be written");
            None
        }),
        ("LOG-09", |opened, _| {
            std::fs::remove_file(opened.home.path().join("state/audit/reserve")).expect("it is there");
            None
        }),
        ("LOG-05", |opened, _| {
            let segment = opened.home.path().join("state/audit/seg/00000000.jsonl");
            let text = std::fs::read_to_string(&segment).expect("it is text");
            let text = text.replacen("generate.requested", "generate.requestex", 1);
            std::fs::write(&segment, text).expect("it can be written");
            None
        }),
    ];
    for (id, break_it) in breaks {
        let opened = opened(Home::with_picture("broken-served"));
        assert_eq!(tried(&opened)[id], "satisfied", "{id}");
        let _listener = break_it(&opened, &sealed(&opened.home));
        let found = tried(&opened);
        assert_eq!(found[id], "not_satisfied", "{id}");
        if id == "LOG-05" {
            assert_eq!(found["LOG-03"], "not_satisfied");
        }
        let told = opened.ask(told()).is(200).json();
        let control = told["controls"].as_array().expect("a list").iter().find(|control| control["id"] == id);
        assert_eq!(control.expect("it is listed")["now"]["outcome"], "not_satisfied", "{id}");
    }
}

#[test]
fn nobody_but_an_admin_tries_or_sees_them() {
    let home = Home::with_picture("controls-roles");
    let served = Served::start(&home);
    for request in [run(), told(), export()] {
        assert_eq!(check(&served, &request).is(401).json()["code"], "token");
    }
    let second = "the words of the second one";
    let ask = |token: &str, request: Request| check(&served, &request.token(token));
    let first = Opened::unlock(&served);
    let newcomer = json!({ "name": "Second", "role": "operator", "new_passphrase": second, "own_name": "First",
        "passphrase": PASSPHRASE });
    ask(&first, Request::post("/api/v1/people", &newcomer)).is(201);
    let wish = json!({ "operator": "Second", "passphrase": second });
    let operator = token_of(&check(&served, &Request::post("/api/v1/session", &wish)).is(201));
    let refusals = home.count_records(&["request.refused denied", "reason=permission"]);
    for request in [run(), told(), export()] {
        assert_eq!(ask(&operator, request).is(403).json()["code"], "role");
    }
    assert_eq!(home.count_records(&["request.refused denied", "reason=permission"]), refusals + 3);
    assert_eq!(home.count_records(&["evidence.tried"]), 0);
    ask(&first, run()).is(200);
    ask(&first, told()).is(200);
    served.stop().ends(0, &[]);
    // The table holds at the command line, too.
    home.write("second", second.as_bytes());
    let arguments =
        ["--home", &home.at("state"), "--passphrase-file", &home.at("second"), "--operator", "second"];
    let ran = home.program(&[&["evidence", "run"][..], &arguments].concat()).output().expect("it starts");
    crate::harness::Ran::from(ran).ends(6, &["try the controls"]);
    assert_eq!(home.count_records(&["evidence.tried"]), 1);
}

#[test]
fn two_runs_at_once_are_one_and_a_refusal_or_one_after_the_other() {
    let opened = opened(Home::with_picture("controls-at-once"));
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..6).map(|_| scope.spawn(|| opened.ask(run()))).collect();
        asked.into_iter().map(|one| one.join().expect("it asks")).collect()
    });
    let mut records: Vec<Value> = Vec::new();
    for answer in &answers {
        match answer.status {
            200 => records.push(answer.json()["record"].clone()),
            409 => assert_eq!(answer.json()["code"], "trying"),
            other => panic!("{other}: {answer:?}"),
        }
    }
    assert!(!records.is_empty());
    let home = opened.end(1);
    assert_eq!(home.count_records(&["evidence.tried ok"]), records.len());
}

/// In a home in which the server made the vault: the folder of what was found is there for it.
#[test]
fn a_run_costs_no_request_in_work_and_takes_no_erasure_for_damage() {
    let opened = Opened::new("controls-beside-work");
    let job = opened
        .submit(json!({ "prompt": "a red apple", "width": 128, "height": 128, "steps": 60, "count": 2 }));
    opened.until(&job, &["running"]);
    assert_eq!(tried(&opened)["LOG-03"], "satisfied");
    assert_eq!(opened.job(&job)["status"], "running", "the run was over before the picture");
    let done = opened.until(&job, &["done", "failed", "cancelled"]);
    assert_eq!(done["status"], "done", "{done}");
    let many =
        opened.submit(json!({ "prompt": "a red apple", "width": 16, "height": 16, "steps": 1, "count": 16 }));
    let done = opened.until(&many, &["done", "failed"]);
    let ids: Vec<&str> =
        done["images"].as_array().expect("a list").iter().map(|id| id.as_str().expect("an id")).collect();
    assert_eq!(ids.len(), 16, "{done}");
    std::thread::scope(|scope| {
        let erasing = scope.spawn(|| {
            for id in &ids {
                opened.ask(Request::new("DELETE", &format!("/api/v1/images/{id}"))).is(200);
            }
        });
        while !erasing.is_finished() {
            let found = tried(&opened);
            for id in ["CRY-01", "CRY-05", "CRY-06", "LOG-03", "LOG-05", "PRV-03"] {
                assert_eq!(found[id], "satisfied", "{id}: {found:?}");
            }
        }
    });
    opened.end(2);
}

/// Every file of a home, but those of the log, whose records are told apart, and what the vault remembers of them, which may be
/// written at any time.
fn files(folder: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).expect("it is there") {
        let path = entry.expect("it can be listed").path();
        match path.is_dir() {
            true if path.ends_with("state/audit") => {}
            true => files(&path, found),
            false if path.to_string_lossy().contains("state/vault/log.memory") => {}
            false => drop(found.insert(path.clone(), std::fs::read(path).unwrap_or_default())),
        }
    }
}

/// No picture is made for it, no key, and no file but the result.
#[test]
fn a_run_leaves_its_result_and_its_records_and_nothing_else() {
    let opened = opened(Home::with_picture("controls-leave"));
    let all = || {
        let mut found = BTreeMap::new();
        files(opened.home.path(), &mut found);
        found
    };
    let (before, records) = (all(), opened.home.records().len());
    tried(&opened);
    let (after, now) = (all(), opened.home.records());
    let of_run: Vec<&str> =
        now[records..].iter().filter_map(|record| record.split_whitespace().nth(2)).collect();
    assert_eq!(of_run, ["vault.verified", "evidence.tried"]);
    let new: Vec<&PathBuf> = after.keys().filter(|path| !before.contains_key(*path)).collect();
    assert!(new.len() == 1 && new[0].starts_with(opened.home.path().join("state/evidence")), "{new:?}");
    for (path, bytes) in &before {
        assert_eq!(after.get(path), Some(bytes), "{}", path.display());
    }
    opened.end(1);
}

#[test]
fn a_folder_that_is_gone_is_said_and_nothing_is_on_record() {
    let opened = opened(Home::with_picture("controls-no-folder"));
    tried(&opened);
    std::fs::remove_dir_all(opened.home.path().join("state/evidence")).expect("it is there");
    assert_eq!(opened.ask(run()).is(503).json()["code"], "evidence");
    assert!(opened.ask(told()).is(200).json()["tried"].is_null());
    let home = opened.end(1);
    assert_eq!(home.count_records(&["evidence.tried"]), 1);
}

/// While others write the log: the bundle is of one moment.
#[test]
fn a_bundle_leaves_the_running_server_as_the_verb_makes_it() {
    let opened = opened(Home::with_picture("served-bundle"));
    let job =
        opened.submit(json!({ "prompt": "a red apple", "width": 16, "height": 16, "steps": 1, "count": 16 }));
    let archives: Vec<Vec<u8>> = (0..3)
        .map(|_| {
            let answer = opened.ask(export()).is(200);
            assert_eq!(answer.field("content-type"), Some("application/zip"));
            answer.body
        })
        .collect();
    assert_eq!(opened.until(&job, &["done", "failed"])["status"], "done");
    let home = opened.end(17);
    let left: Vec<PathBuf> = std::fs::read_dir(home.path().join("state/evidence"))
        .expect("it is there")
        .map(|entry| entry.expect("a name").path())
        .filter(|path| path.extension().is_none_or(|end| end != "json"))
        .collect();
    assert_eq!(left, Vec::<PathBuf>::new(), "nothing is left of a bundle");
    for (at, bytes) in archives.iter().enumerate() {
        let (archive, folder) = (format!("bundle-{at}.zip"), home.at(&format!("bundle-{at}")));
        home.write(&archive, bytes);
        let taken_out =
            Command::new("python3").args(["-m", "zipfile", "-e", &home.at(&archive), &folder]).status();
        assert!(taken_out.expect("python3").success());
        let folder = format!("{folder}/lightproof-evidence");
        home.ask(&["evidence", "verify", &folder]).ends(0, &[]);
        assert!(Path::new(&folder).join("README.html").exists());
        for secret in [PASSPHRASE, "a red apple"] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
        }
    }
    assert_eq!(home.count_records(&["evidence.key_drawn ok"]), 3);
    assert_eq!(home.count_records(&["evidence.exported ok"]), 3);
}

#[test]
fn a_bundle_of_a_log_that_does_not_hold_is_not_handed_out() {
    let opened = opened(Home::with_picture("served-bundle-broken"));
    let segment = opened.home.path().join("state/audit/seg/00000000.jsonl");
    let text = std::fs::read_to_string(&segment).expect("it is text");
    std::fs::write(&segment, text.replacen("\"boot.ready\"", "\"boot.reddy\"", 1))
        .expect("it can be written");
    let answer = opened.ask(export());
    assert!(answer.status >= 500, "{answer:?}");
    assert!(!opened.home.path().join("state/evidence/bundle").exists());
    assert_eq!(opened.home.count_records(&["evidence.exported"]), 0);
}

/// The page may ask for less, in the words of the verb; what makes no sense makes none.
#[test]
fn a_bundle_of_the_page_is_about_what_was_asked_for() {
    let opened = opened(Home::with_picture("served-wanted"));
    let ask = |wanted: Value| opened.ask(Request::post("/api/v1/evidence/export", &wanted));
    let unpacked = |name: &str, wanted: Value| {
        let zip = opened.home.path().join(format!("{name}.zip"));
        std::fs::write(&zip, ask(wanted).is(200).body).expect("a home can be written");
        let to = opened.home.path().join(name);
        let ran = Command::new("python3").args(["-m", "zipfile", "-e"]).args([&zip, &to]).status();
        assert!(ran.is_ok_and(|status| status.success()));
        to.join("lightproof-evidence")
    };
    let text = |path: PathBuf| std::fs::read_to_string(path).expect("it is text");
    let few = unpacked("few", json!({ "until": "2001-01-01", "framework": "ai-act", "lang": "zh" }));
    assert_eq!(text(few.join("audit/records.jsonl")), "");
    let page = text(few.join("README.html"));
    assert!(page.contains("ai-act") && page.contains("zh-CN") && !page.contains("lang=\"en\""), "{page}");
    let all = unpacked("all", json!({}));
    assert!(text(all.join("README.html")).contains("gdpr/record.html"));
    for bundle in [&few, &all] {
        opened.home.ask(&["evidence", "verify", &bundle.display().to_string()]).ends(0, &[]);
    }
    let exported = opened.home.count_records(&["evidence.exported ok"]);
    let backwards = json!({ "since": "2026-02-01", "until": "2026-01-31" });
    for wrong in
        [json!({ "framework": "sox" }), json!({ "lang": "de" }), json!({ "since": "noon" }), backwards]
    {
        let told = ask(wrong.clone()).is(422).json();
        assert_eq!(told["code"], "parameter", "{wrong}");
        assert!(told["detail"].as_str().is_some_and(|detail| !detail.contains("--")), "{told}");
    }
    ask(json!({ "dir": "/" })).is(400);
    assert_eq!(opened.home.count_records(&["evidence.exported ok"]), exported);
}
