//! More requests than there is room for, and requests that are taken back.

use super::{Opened, long, refused, small};
use crate::http::Request;
use serde_json::Value;
use std::time::Duration;

fn cancel(id: &str) -> Request {
    Request::new("DELETE", &format!("/api/v1/jobs/{id}"))
}

#[test]
fn the_queue_is_bounded_and_every_request_has_an_end() {
    let opened = Opened::new("queue");
    let with_key =
        |wish: &Value, key: &str| Request::post("/api/v1/jobs", wish).field("Idempotency-Key", key);
    let running = opened.ask(with_key(&long(), "first")).is(202).json();
    let running = running["id"].as_str().expect("an id").to_owned();
    opened.until(&running, &["running"]);
    let waiting: Vec<String> = (0..8)
        .map(|index| {
            let job = opened.ask(with_key(&small(), &format!("key {index}"))).is(202).json();
            assert_eq!((&job["status"], &job["ahead"]), (&"waiting".into(), &(index + 1).into()), "{job}");
            job["id"].as_str().expect("an id").to_owned()
        })
        .collect();
    for _ in 0..3 {
        let answer = opened.ask(Request::post("/api/v1/jobs", &small()));
        refused(&answer, 429, "queue_full", "the ninth that would wait");
        assert!(answer.field("retry-after").is_some(), "{answer:?}");
    }
    // Who asks again with the same key is told of the same job, even while there is no room.
    let again = opened.ask(with_key(&small(), "key 3")).is(202).json();
    assert_eq!(again["id"], waiting[3]);
    for (key, other) in [("key 3", long()), ("first", small())] {
        refused(&opened.ask(with_key(&other, key)), 422, "key_reused", "another body with a known key");
    }
    let again = opened.ask(with_key(&long(), "first")).is(202).json();
    assert_eq!((&again["id"], &again["status"]), (&running.clone().into(), &"running".into()));

    let taken = opened.ask(cancel(&waiting[7])).is(202).json();
    assert_eq!(taken["status"], "cancelled", "{taken}");
    refused(&opened.ask(cancel(&waiting[7])), 409, "state", "cancelled twice");
    // Its place is free, for one.
    let extra = opened.submit(small());
    refused(&opened.ask(Request::post("/api/v1/jobs", &small())), 429, "queue_full", "no more room");
    opened.ask(cancel(&running)).is(202);
    let job = opened.until(&running, &["cancelled", "done", "failed"]);
    assert_eq!((&job["status"], &job["error"]), (&"cancelled".into(), &Value::Null), "{job}");
    for id in waiting[..7].iter().chain([&extra]) {
        let job = opened.until(id, &["done"]);
        assert_eq!(job["images"].as_array().map(Vec::len), Some(1), "{job}");
    }
    for id in [&running, &waiting[0]] {
        refused(&opened.ask(cancel(id)), 409, "state", "a job that has ended");
    }
    let made = opened.total();
    let home = opened.end(made);
    assert_eq!(home.count_records(&["generate.requested"]), 10);
    assert_eq!(home.count_records(&["generate.finished"]), 8);
    assert_eq!(home.count_records(&["generate.failed", "reason=cancelled"]), 2);
    assert_eq!(home.count_records(&["request.refused", "reason=busy"]), 4);
}

#[test]
fn locking_ends_every_request_and_every_stream() {
    let opened = Opened::new("lock");
    let running = opened.busy();
    let waiting = opened.submit(small());
    let stream = Request::get("/api/v1/events").token(&opened.token).start(opened.served.port);
    let mut stream = stream.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(stream.status, 200);
    assert!(!stream.chunk().unwrap_or_else(|error| panic!("{error}")).is_empty());
    opened.ask(Request::new("DELETE", "/api/v1/session")).is(204);
    assert_eq!(opened.status()["vault"], "locked");
    let mut events = String::new();
    loop {
        let chunk = stream.chunk().unwrap_or_else(|error| panic!("{error}: {events}"));
        if chunk.is_empty() {
            break;
        }
        events.push_str(&String::from_utf8_lossy(&chunk));
    }
    assert!(events.ends_with("event: locked\ndata: {}\n\n"), "{events}");
    // Whoever unlocks sees how they ended.
    let opened = Opened { token: Opened::unlock(&opened.served), ..opened };
    for id in [&running, &waiting] {
        let job = opened.until(id, &["cancelled", "failed", "done"]);
        assert_eq!(job["status"], "cancelled", "{job}");
    }
    let id = opened.submit(small());
    opened.until(&id, &["done"]);
    let made = opened.total();
    let home = opened.end(made);
    assert_eq!(home.count_records(&["generate.failed", "reason=cancelled"]), 2);
    // By the person and by the end of the server; the check of the vault afterwards has locked it once more.
    assert_eq!(home.count_records(&["vault.locked"]), 3);
}

/// Looks, lists, erasures and requests, all at once: each is answered, and the log holds.
#[test]
fn many_at_once_get_an_answer_each() {
    let opened = Opened::new("at-once");
    let ids: Vec<String> = (0..6).map(|_| opened.submit(small())).collect();
    for id in &ids {
        opened.until(id, &["done"]);
    }
    let page = opened.ask(Request::get("/api/v1/images")).is(200).json();
    let pictures: Vec<String> = page["images"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|picture| picture["id"].as_str().expect("an id").to_owned())
        .collect();
    assert_eq!(pictures.len(), 6);
    let picture = |at: usize, rest: &str| format!("/api/v1/images/{}{rest}", pictures[at % 6]);
    let statuses: Vec<(String, u16)> = std::thread::scope(|scope| {
        let requests = (0..60).map(|index| match index % 5 {
            0 => Request::get(&picture(index / 5, "/content")),
            1 => Request::get(&picture(index / 5, "/thumbnail")),
            2 => Request::get("/api/v1/images"),
            3 => Request::new("DELETE", &picture(index / 15, "")),
            _ => Request::post(&picture(index / 5, "/export"), &serde_json::json!({})),
        });
        let threads: Vec<_> = requests
            .map(|request| {
                let opened = &opened;
                let what = format!("{request:?}");
                (what, scope.spawn(move || opened.ask(request.wait(Duration::from_secs(60))).status))
            })
            .collect();
        threads.into_iter().map(|(what, thread)| (what, thread.join().expect("it is answered"))).collect()
    });
    for (what, status) in &statuses {
        assert!([200, 404].contains(status), "{status}: {what}");
    }
    let deleted = statuses.iter().filter(|(what, status)| what.contains("DELETE") && *status == 200).count();
    assert_eq!((deleted, opened.total()), (4, 2));
    let home = opened.end(2);
    assert_eq!(home.count_records(&["object.erased"]), 4);
}
