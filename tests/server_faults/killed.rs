//! Killed at any moment, and a full disk: the next start knows, and nothing half-written is listed.

use crate::abuse::{Opened, check, refused, small};
use crate::crash::{SmallDisk, every_intent_has_an_outcome};
use crate::harness::{Home, PASSPHRASE, is_root_for, opens_vault};
use crate::http::Request;
use crate::served::Served;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// Kills it after `wait`, while `request` is on its way; gives what was answered before.
fn killed_during(served: Served, request: Request, wait: Duration) -> Option<(u16, Value)> {
    let port = served.port;
    let asking = std::thread::spawn(move || request.send(port).ok());
    std::thread::sleep(wait);
    served.kill();
    served.wait();
    let answer = asking.join().expect("it asks");
    answer.map(|answer| (answer.status, serde_json::from_slice(&answer.body).unwrap_or_default()))
}

fn pictures(served: &Served, token: &str) -> BTreeSet<String> {
    let page = check(served, &Request::get("/api/v1/images?limit=200").token(token)).is(200).json();
    let ids = page["images"].as_array().unwrap_or_else(|| panic!("{page}")).iter();
    ids.map(|picture| picture["id"].as_str().expect("an id").to_owned()).collect()
}

#[test]
fn killed_in_the_middle_of_a_request_it_knows_afterwards() {
    let mut opened = Opened::new("killed");
    let wish = json!({"prompt": "x", "width": 64, "height": 64, "steps": 4, "count": 6});
    let mut known = BTreeSet::new();
    let waits_ms = [0, 20, 80, 300, 1000];
    for wait in waits_ms {
        let request = Request::post("/api/v1/jobs", &wish).token(&opened.token);
        let answer = killed_during(opened.served, request, Duration::from_millis(wait));
        let served = Served::start(&opened.home);
        let token = Opened::unlock(&served);
        opened = Opened { served, token, ..opened };
        let jobs = opened.ask(Request::get("/api/v1/jobs")).is(200).json();
        assert_eq!(jobs["jobs"], json!([]), "after {wait} ms: {jobs}");
        let now = pictures(&opened.served, &opened.token);
        assert!(now.is_superset(&known), "after {wait} ms: {known:?} {now:?}");
        assert!(now.len() <= known.len() + 6, "after {wait} ms: {answer:?} {known:?} {now:?}");
        for id in now.difference(&known) {
            opened.ask(Request::get(&format!("/api/v1/images/{id}/content"))).is(200);
        }
        known = now;
    }
    let home = opened.end_after(waits_ms.len(), known.len() as u64);
    let outcomes = ["generate.finished", "generate.failed", "recovery.reconciled"];
    let intents = every_intent_has_an_outcome(&home, "generate.requested", &outcomes);
    let ended: usize = outcomes.iter().map(|outcome| home.count_records(&[outcome])).sum();
    assert_eq!(ended, intents);
    assert!(home.count_records(&["recovery.reconciled"]) > 0, "no intent was left open");
}

#[test]
fn killed_in_the_middle_of_a_deletion_it_is_done_or_not_done() {
    let mut opened = Opened::new("killed-deletion");
    let mut wish = small();
    wish["count"] = json!(16);
    let id = opened.submit(wish);
    opened.until(&id, &["done"]);
    let mut known = pictures(&opened.served, &opened.token);
    assert_eq!(known.len(), 16);
    for wait in [0, 5, 12, 30] {
        let some: BTreeSet<String> = known.iter().take(3).cloned().collect();
        let ask = json!({"ids": some, "confirm": 3});
        let request = Request::post("/api/v1/images:delete", &ask).token(&opened.token);
        let answer = killed_during(opened.served, request, Duration::from_millis(wait));
        let served = Served::start(&opened.home);
        let token = Opened::unlock(&served);
        opened = Opened { served, token, ..opened };
        let now = pictures(&opened.served, &opened.token);
        let without: BTreeSet<String> = known.difference(&some).cloned().collect();
        assert!(now == known || now == without, "after {wait} ms: {known:?} {now:?}");
        // Who was told of it has it.
        let told = answer.is_some_and(|(status, _)| status == 200);
        assert!(now == without || !told, "after {wait} ms");
        let outputs =
            std::fs::read_dir(opened.home.path().join("workspace/output_image")).expect("it is there");
        let names = outputs.map(|file| file.expect("it can be read").file_name());
        let sealed = names.filter(|name| name.to_string_lossy().ends_with(".sealed"));
        assert_eq!(sealed.count(), now.len(), "after {wait} ms");
        known = now;
    }
    let home = opened.end(known.len() as u64);
    let outcomes = ["object.erased", "object.erase_failed", "recovery.reconciled"];
    every_intent_has_an_outcome(&home, "object.erase_requested", &outcomes);
}

#[test]
fn killed_in_the_middle_of_the_setup_it_can_be_repeated() {
    let home = Home::furnished("killed-setup");
    let clear = || std::fs::remove_dir_all(home.path().join("state")).expect("it was ours");
    for wait in [0, 700, 1200, 1700] {
        let served = Served::start(&home);
        let wish = json!({"code": served.setup_code(), "passphrase": PASSPHRASE});
        let request = Request::post("/api/v1/setup", &wish);
        let answer = killed_during(served, request, Duration::from_millis(wait));
        let served = Served::start(&home);
        let vault = check(&served, &Request::get("/api/v1/status")).is(200).json()["vault"].clone();
        let told = answer.is_some_and(|(status, _)| status == 201);
        let token = match vault.as_str() {
            Some("none") if !told => {
                let wish = json!({"code": served.setup_code(), "passphrase": PASSPHRASE});
                let answer = check(&served, &Request::post("/api/v1/setup", &wish)).is(201);
                crate::abuse::token_of(&answer)
            }
            Some("locked") => Opened::unlock(&served),
            _ => panic!("after {wait} ms: {vault}, told: {told}"),
        };
        assert_eq!(pictures(&served, &token), BTreeSet::new());
        served.stop().ends(0, &[]);
        home.is_whole(0);
        clear();
    }
}

#[test]
fn a_full_disk_stops_requests_and_nothing_else() {
    if !is_root_for("mounting a small disk") {
        return;
    }
    let home = Home::furnished("full-server");
    let disk = SmallDisk::mount(home.at("disk"), "size=12m,mode=700");
    let (state, outputs) = (home.at("disk/state"), home.at("disk/pictures"));
    let places = ["--home", &state, "--outputs", &outputs];
    let served = Served::run(&mut home.program(&[&["serve", "--port", "0"][..], &places].concat()));
    let opened = Opened::set_up(home, served);
    let mut wish = small();
    wish["count"] = json!(3);
    let id = opened.submit(wish.clone());
    opened.until(&id, &["done"]);
    // Full in the middle of a request: what was sealed stays, and it says why it ended.
    let long = json!({"prompt": "x", "width": 128, "height": 128, "steps": 8, "count": 16});
    let id = opened.submit(long);
    opened.until(&id, &["running"]);
    disk.fill();
    let job = opened.until(&id, &["failed", "done", "cancelled"]);
    assert_eq!((&job["status"], &job["error"]["code"]), (&"failed".into(), &"space".into()), "{job}");
    let sealed = job["images"].as_array().expect("a list").len() as u64;
    assert_eq!(opened.total(), 3 + sealed);
    // Full before one.
    for _ in 0..3 {
        let answer = opened.ask(Request::post("/api/v1/jobs", &small()));
        match answer.status {
            202 => {
                let id = answer.json()["id"].as_str().expect("an id").to_owned();
                let job = opened.until(&id, &["failed", "done", "cancelled"]);
                assert_eq!(job["error"]["code"], "space", "{job}");
            }
            _ => refused(&answer, 507, "space", "a request on a full disk"),
        }
    }
    assert_eq!(opened.total(), 3 + sealed);
    check(&opened.served, &Request::get("/readyz")).is(200);
    // To let go of something needs no space; to look at something needs room for its record.
    let page = opened.ask(Request::get("/api/v1/images")).is(200).json();
    let first = page["images"][0]["id"].as_str().expect("an id").to_owned();
    let second = page["images"][1]["id"].as_str().expect("an id").to_owned();
    // The last page of the log has room for a few.
    let looks = (0..100).map(|_| opened.ask(Request::get(&format!("/api/v1/images/{second}/content"))));
    let look = looks.into_iter().find(|look| look.status != 200).expect("a refusal in the end");
    refused(&look, 507, "space", "a look on a full disk");
    opened.ask(Request::new("DELETE", &format!("/api/v1/images/{first}"))).is(200);
    assert_eq!(opened.total(), 2 + sealed);
    // Locking and unlocking go on as well.
    opened.ask(Request::new("DELETE", "/api/v1/session")).is(204);
    let opened = Opened { token: Opened::unlock(&opened.served), ..opened };
    assert_eq!(opened.total(), 2 + sealed);
    disk.empty();
    let id = opened.submit(small());
    opened.until(&id, &["done"]);
    assert_eq!(opened.total(), 3 + sealed);
    let Opened { served, home, .. } = opened;
    let ran = served.stop().ends(0, &[]);
    assert!(!ran.stderr.contains("panicked"), "{ran:#?}");
    let pass = home.at("pass");
    let ask = |verb: &[&str]| {
        let keys = ["--outputs", outputs.as_str(), "--passphrase-file", pass.as_str()];
        let keys = if opens_vault(verb) { &keys[..] } else { &[] };
        let arguments = [verb, keys, &["--home", &state, "--json"]].concat();
        crate::harness::Ran::of(&mut home.program(&arguments)).ends(0, &[]).data()
    };
    assert_eq!(ask(&["history", "verify"])["sound"], 3 + sealed);
    let log = ask(&["audit", "verify"]);
    assert_eq!((&log["open_intents"], &log["findings"]), (&json!([]), &json!([])), "{log}");
}
