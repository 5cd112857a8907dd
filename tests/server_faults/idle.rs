//! Nobody asks any more: the vault locks by itself, and nothing that was asked for is lost.

use crate::abuse::{Opened, check};
use crate::harness::Home;
use crate::http::{Answering, Request};
use crate::served::Served;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Everything that a stream still says.
#[track_caller]
fn rest(mut stream: Answering) -> String {
    let mut events = String::new();
    loop {
        let chunk = stream.chunk().unwrap_or_else(|error| panic!("{error}: {events}"));
        if chunk.is_empty() {
            return events;
        }
        events.push_str(&String::from_utf8_lossy(&chunk));
    }
}

fn vault(served: &Served) -> Value {
    check(served, &Request::get("/api/v1/status")).is(200).json()["vault"].clone()
}

#[track_caller]
fn until_locked(served: &Served) {
    let begun = Instant::now();
    while vault(served) != "locked" {
        assert!(begun.elapsed() < Duration::from_secs(60), "it does not lock");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_vault_that_nobody_uses_is_locked() {
    let home = Home::furnished("idle");
    home.policy(b"schema = 1\n[limits]\nidle_seconds_max = 2\n");
    let served = Served::start(&home);
    let opened = Opened::set_up(home, served);
    let served = &opened.served;
    let stream = |target: &str, token: &str| {
        Request::get(target).token(token).start(served.port).unwrap_or_else(|error| panic!("{error}"))
    };
    // Requests keep it open.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(4) {
        opened.ask(Request::get("/api/v1/jobs")).is(200);
        std::thread::sleep(Duration::from_millis(300));
    }
    // A stream does not, nor does what anybody may ask.
    let begun = Instant::now();
    let events = rest(stream("/api/v1/events", &opened.token));
    assert!(events.ends_with("event: locked\ndata: {}\n\n"), "{events}");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    until_locked(served);
    check(served, &Request::get("/api/v1/jobs").token(&opened.token)).is(401);
    assert_eq!(opened.home.count_records(&["vault.locked ok"]), 1);

    // A request in work, and one that waits, are finished and sealed first.
    let token = Opened::unlock(served);
    let wish = json!({"prompt": "x", "width": 256, "height": 256, "steps": 100});
    let submit = |wish: &Value| {
        let job = check(served, &Request::post("/api/v1/jobs", wish).token(&token)).is(202).json();
        job["id"].as_str().expect("an id").to_owned()
    };
    let jobs = [submit(&wish), submit(&crate::abuse::small())];
    let events = rest(stream("/api/v1/events", &token));
    assert!(events.ends_with("event: locked\ndata: {}\n\n"), "{events}");
    until_locked(served);
    let records = opened.home.records();
    let place = |words: [&str; 2]| {
        let last = records.iter().rposition(|record| words.iter().all(|word| record.contains(word)));
        last.unwrap_or_else(|| panic!("no {words:?} in {records:#?}"))
    };
    assert!(place(["vault.locked", "ok"]) > place(["generate.finished", "ok"]), "{records:#?}");
    let opened = Opened { token: Opened::unlock(served), ..opened };
    for id in &jobs {
        let job = opened.job(id);
        assert_eq!(job["status"], "done", "{job}");
    }
    let longest = opened.job(&jobs[0])["elapsed_ms"].as_u64().expect("a number");
    assert!(longest > 2000, "it was done in {longest} ms, before anybody was missed");
    assert_eq!(opened.total(), 2);
    opened.end(2);
}
