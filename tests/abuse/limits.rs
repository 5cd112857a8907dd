//! Too large, too slow, too many, and gone in the middle: none of it stands in the way of who behaves.

use super::{Opened, check, raw, refused, serves, small};
use crate::harness::Home;
use crate::http::{Answering, Request, connect};
use crate::served::Served;
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const BRIEF: Duration = Duration::from_secs(5);

#[test]
fn what_is_too_large_is_refused() {
    let opened = Opened::new("large");
    let (port, token) = (opened.served.port, &opened.token);
    let head = format!("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n");
    let many: String = (0..60).map(|index| format!("X-{index}: a\r\n")).collect();
    let target = format!("/{}", "a".repeat(20 << 10));
    for (what, request) in [
        ("a head of 20 KiB", format!("{head}X-A: {}\r\n\r\n", "a".repeat(20 << 10))),
        ("a head of 10 MiB", format!("{head}X-A: {}\r\n\r\n", "a".repeat(10 << 20))),
        ("60 fields", format!("{head}{many}\r\n")),
        ("a target of 20 KiB", format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n")),
        ("a method without end", "A".repeat(1 << 20)),
    ] {
        let said = raw(port, request.as_bytes(), BRIEF);
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 4"), "{what}: {said}");
        serves(&opened.served, what);
    }
    let long = Request::get(&format!("/{}", "a".repeat(9 << 10)));
    refused(&check(&opened.served, &long), 414, "too_large", "a target of 9 KiB");
    // Just below is allowed: 40 fields, a head of 12 KiB.
    let mut request = Request::get("/healthz").field("X-Long", &"a".repeat(12 << 10));
    for index in 0..40 {
        request = request.field(&format!("X-{index}"), "a");
    }
    check(&opened.served, &request).is(200);

    let wish = |bytes: usize| json!({"prompt": "x", "negative_prompt": "a".repeat(bytes)}).to_string();
    for target in ["/api/v1/jobs", "/api/v1/session", "/api/v1/setup", "/api/v1/images:delete"] {
        let body = wish(300 << 10);
        let whole =
            Request::new("POST", target).field("Content-Type", "application/json").body(body.as_bytes());
        refused(&opened.ask(whole), 413, "too_large", target);
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n\
             Authorization: Bearer {token}\r\n"
        );
        let pieces: String = body
            .as_bytes()
            .chunks(1000)
            .map(|piece| format!("{:x}\r\n{}\r\n", piece.len(), String::from_utf8_lossy(piece)))
            .collect();
        let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n{pieces}0\r\n\r\n");
        let said = raw(port, chunked.as_bytes(), BRIEF);
        assert!(said.starts_with("HTTP/1.1 413 "), "{target} in pieces: {said}");
    }
    // Who only says that so much will come is refused as well.
    let announced = format!(
        "POST /api/v1/jobs HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n\
         Authorization: Bearer {token}\r\nContent-Length: 99999999999\r\n\r\n{{"
    );
    let said = raw(port, announced.as_bytes(), Duration::from_secs(12));
    assert!(said.starts_with("HTTP/1.1 4"), "{said}");
    // The largest prompt that the limits allow is read whole, and has more tokens than the model reads.
    let most = json!({"prompt": "a".repeat(65_536), "width": 16, "height": 16, "steps": 1});
    refused(&opened.ask(Request::post("/api/v1/jobs", &most)), 422, "prompt", "the largest prompt");

    // A body is what it is: nothing unpacks it.
    let packed =
        b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xab\x56\x2a\x28\xca\xcf\x2d\x28\x51\xb2\x52\x50\xaa\x50\xaa\x05\0";
    let post = Request::new("POST", "/api/v1/jobs").field("Content-Type", "application/json").body(packed);
    refused(&opened.ask(post.field("Content-Encoding", "gzip")), 400, "body", "a packed body");
    let plain = Request::get("/").field("Accept-Encoding", "gzip, br, zstd, deflate");
    assert_eq!(check(&opened.served, &plain).is(200).field("content-encoding"), None);
    serves(&opened.served, "after everything large");
    opened.served.stop().ends(0, &[]);
}

/// Sends `first`, then a byte of `rest` a second; gives what was said, and when the connection was closed.
fn trickle(port: u16, first: &str, rest: &str) -> (String, Duration) {
    let mut stream = connect(port);
    let begun = Instant::now();
    stream.write_all(first.as_bytes()).expect("it reads");
    let (mut bytes, mut said, mut piece) = (rest.bytes(), Vec::new(), [0; 4096]);
    stream.set_read_timeout(Some(Duration::from_secs(1))).expect("a time can be set");
    while begun.elapsed() < Duration::from_secs(30) {
        match stream.read(&mut piece) {
            Ok(count @ 1..) => said.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                let _ = bytes.next().map(|byte| stream.write_all(&[byte]));
            }
            _ => break,
        }
    }
    (String::from_utf8_lossy(&said).into_owned(), begun.elapsed())
}

#[test]
fn who_is_slow_or_silent_is_cut_off_and_nobody_waits_for_them() {
    let opened = Opened::new("slow");
    let (port, token) = (opened.served.port, opened.token.clone());
    let get = format!("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n");
    let post = format!(
        "POST /api/v1/jobs HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n\
         Authorization: Bearer {token}\r\n"
    );
    let slow = "X-Slow: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n";
    let body = r#"{"prompt":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}"#;
    let cases = [
        ("a slow head", get.clone(), slow, ""),
        ("a silent head", get.clone(), "", ""),
        ("a slow body", format!("{post}Content-Length: {}\r\n\r\n", body.len()), body, "HTTP/1.1 408 "),
        ("a silent body", format!("{post}Content-Length: {}\r\n\r\n", body.len()), "", "HTTP/1.1 408 "),
        (
            "a body in slow pieces",
            format!("{post}Transfer-Encoding: chunked\r\n\r\n40\r\n"),
            body,
            "HTTP/1.1 408 ",
        ),
        // After an answer the next head has its time, too.
        ("a second request that never comes", format!("{get}\r\n"), "", "HTTP/1.1 200 "),
    ];
    // Two hundred who say nothing, and are still there when the others are done.
    let idle: Vec<TcpStream> = (0..200).map(|_| connect(port)).collect();
    let begun = Instant::now();
    let slow: Vec<_> = cases
        .into_iter()
        .map(|(what, first, rest, answer)| {
            (what, answer, std::thread::spawn(move || trickle(port, &first, rest)))
        })
        .collect();
    // Meanwhile everybody else is served.
    while begun.elapsed() < Duration::from_secs(4) {
        serves(&opened.served, "beside the silent");
        opened.ask(Request::get("/api/v1/jobs")).is(200);
        std::thread::sleep(Duration::from_millis(200));
    }
    let id = opened.submit(small());
    opened.until(&id, &["done"]);
    for (what, answer, thread) in slow {
        let (said, closed) = thread.join().expect("it connects");
        assert!(said.starts_with(answer), "{what}: {said:?}");
        assert!(
            closed > Duration::from_secs(8) && closed < Duration::from_secs(16),
            "{what}: closed after {closed:?}"
        );
    }
    for mut stream in idle {
        stream.set_read_timeout(Some(BRIEF)).expect("a time can be set");
        let mut byte = [0; 1];
        let closed = stream.read(&mut byte);
        assert!(
            !matches!(closed, Err(ref error) if error.kind() == std::io::ErrorKind::WouldBlock),
            "{closed:?}"
        );
    }
    serves(&opened.served, "after the silent");
    opened.end(1);
}

/// With room for 32 connections.
fn narrow(test: &str) -> (Home, Served) {
    let home = Home::furnished(test);
    home.policy(b"schema = 1\n[limits]\nopen_files_max = 64\n");
    let served = Served::start(&home);
    (home, served)
}

/// Asks again and again and reads no answer, until what is on its way fills every buffer and nothing moves any more.
fn unread(port: u16, token: &str) -> TcpStream {
    let mut stream = connect(port);
    let fields = format!("Host: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n\r\n");
    let first = format!("GET /api/v1/capabilities HTTP/1.1\r\n{fields}");
    let page = format!("GET /main.js HTTP/1.1\r\n{fields}").repeat(500);
    stream.set_write_timeout(Some(Duration::from_millis(100))).expect("a time can be set");
    let mut sent = stream.write_all(first.as_bytes());
    while sent.is_ok() {
        sent = stream.write_all(page.as_bytes());
    }
    stream
}

/// Whether 16 that ask at once get an answer: a single one may be lucky.
fn is_free(port: u16) -> bool {
    let ask = move || Request::get("/healthz").wait(BRIEF).send(port);
    let asking: Vec<_> = (0..16).map(|_| std::thread::spawn(ask)).collect();
    let answers = asking.into_iter().map(|thread| thread.join().expect("it asks"));
    answers.filter(|answer| answer.as_ref().is_ok_and(|answer| answer.status == 200)).count() == 16
}

/// Some say nothing, some read nothing, and some are polite and ask for little; none of them has a token.
#[test]
fn who_takes_all_places_does_not_keep_them() {
    let (home, served) = narrow("places");
    let port = served.port;
    let mut held: Vec<TcpStream> = (0..40).map(|_| unread(port, "none")).collect();
    held.extend((0..40).map(|_| connect(port)));
    let polite = (0..40).map(|_| {
        let mut stream = connect(port);
        let ask = format!("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n");
        stream.write_all(ask.as_bytes()).expect("it reads");
        assert!(stream.read(&mut [0; 1024]).is_ok_and(|count| count > 0), "no answer");
        stream
    });
    held.extend(polite.collect::<Vec<_>>());
    assert!(is_free(port), "{} connections keep everybody out", held.len());
    let opened = Opened::set_up(home, served);
    let id = opened.submit(small());
    opened.until(&id, &["done"]);
    drop(held);
    opened.end(1);
}

#[test]
fn who_has_a_token_and_reads_nothing_loses_the_place() {
    let (home, served) = narrow("readers");
    let opened = Opened::set_up(home, served);
    let port = opened.served.port;
    let held: Vec<TcpStream> = (0..40).map(|_| unread(port, &opened.token)).collect();
    let begun = Instant::now();
    while !is_free(port) {
        assert!(begun.elapsed() < Duration::from_secs(45), "{} connections keep everybody out", held.len());
        std::thread::sleep(Duration::from_millis(500));
    }
    drop(held);
    opened.end(0);
}

#[test]
fn who_leaves_in_the_middle_leaves_nothing_behind() {
    let opened = Opened::new("gone");
    let (port, token) = (opened.served.port, &opened.token);
    let head = |method: &str, target: &str| {
        format!(
            "{method} {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n\
             Authorization: Bearer {token}\r\n"
        )
    };
    let id = opened.submit(json!({"prompt": "x", "width": 64, "height": 64, "steps": 20, "count": 2}));
    let body = small().to_string();
    let whole = format!("{}Content-Length: {}\r\n\r\n{body}", head("POST", "/api/v1/jobs"), body.len());
    for cut in [1, 20, whole.len() / 2, whole.len() - body.len(), whole.len() - 1] {
        connect(port).write_all(&whole.as_bytes()[..cut]).expect("it reads");
    }
    let content = "/api/v1/images?limit=200".to_owned();
    let job = format!("/api/v1/jobs/{id}");
    for target in
        ["/main.js", "/api/v1/events", &format!("{job}/events"), &format!("{job}/preview"), &content]
    {
        for _ in 0..20 {
            let mut stream = connect(port);
            stream.write_all(format!("{}\r\n", head("GET", target)).as_bytes()).expect("it reads");
            // Gone before, in, or after the answer.
            std::thread::sleep(Duration::from_millis(1));
            drop(stream);
        }
    }
    // The whole wish was sent, but nobody waits for the answer: it is a request like any other, or none.
    connect(port).write_all(whole.as_bytes()).expect("it reads");
    serves(&opened.served, "after many have left");
    let job = opened.until(&id, &["done"]);
    assert_eq!(job["images"].as_array().map(Vec::len), Some(2), "{job}");
    let until = Instant::now() + Duration::from_secs(20);
    let jobs = loop {
        let jobs = opened.ask(Request::get("/api/v1/jobs")).is(200).json()["jobs"].clone();
        let jobs = jobs.as_array().expect("a list").clone();
        if jobs.iter().all(|job| job["status"] == "done") {
            break jobs.len();
        }
        assert!(Instant::now() < until, "{jobs:?}");
        std::thread::sleep(Duration::from_millis(50));
    };
    assert!((1..=2).contains(&jobs), "{jobs} jobs");
    let total = opened.total();
    assert_eq!(total, 1 + jobs as u64);
    let home = opened.end(total);
    assert_eq!(home.count_records(&["generate.finished"]), jobs);
}

fn stream(port: u16, token: &str) -> Answering {
    let stream = Request::get("/api/v1/events").token(token).wait(BRIEF).start(port);
    let stream = stream.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(stream.status, 200);
    stream
}

/// What a stream says until its end or until it is silent, and whether it has ended.
fn said(stream: &mut Answering) -> (String, bool) {
    let mut events = String::new();
    loop {
        match stream.chunk() {
            Ok(chunk) if chunk.is_empty() => return (events, true),
            Ok(chunk) => events.push_str(&String::from_utf8_lossy(&chunk)),
            Err(_) => return (events, false),
        }
    }
}

/// Far more streams than there are places, of one session: its own make room, and are told so.
#[test]
fn too_many_streams_of_one_session_cost_nobody_else() {
    let (home, served) = narrow("streams");
    let opened = Opened::set_up(home, served);
    let port = opened.served.port;
    let mut other = stream(port, &Opened::unlock(&opened.served));
    let mut streams: Vec<Answering> = (0..60).map(|_| stream(port, &opened.token)).collect();
    assert!(is_free(port), "streams keep everybody out");
    let id = opened.submit(small());
    opened.until(&id, &["done"]);
    let told = std::thread::scope(|scope| {
        let reading: Vec<_> = streams.iter_mut().map(|stream| scope.spawn(|| said(stream))).collect();
        reading.into_iter().map(|thread| thread.join().expect("it reads")).collect::<Vec<_>>()
    });
    for (index, (events, ended)) in told.iter().enumerate() {
        let displaced = events.ends_with("event: displaced\ndata: {}\n\n") && events.contains("\nretry: ");
        assert_eq!((displaced, *ended), (index < 52, index < 52), "{index}: {events}");
    }
    let (events, ended) = said(&mut other);
    assert!(!ended && events.contains("\"status\":\"done\""), "{events}");
    opened.end(1);
}

/// The same with connections of any kind.
#[test]
fn too_many_connections_of_one_session_cost_nobody_else() {
    let (home, served) = narrow("connections");
    let opened = Opened::set_up(home, served);
    let port = opened.served.port;
    let mut other = stream(port, &Opened::unlock(&opened.served));
    let ask = format!(
        "GET /api/v1/jobs HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {}\r\n\r\n",
        opened.token
    );
    let held = (0..60).map(|index| {
        let mut stream = connect(port);
        stream.write_all(ask.as_bytes()).expect("it reads");
        assert!(stream.read(&mut [0; 1024]).is_ok_and(|count| count > 0), "{index} has no answer");
        stream
    });
    let held: Vec<TcpStream> = held.collect();
    assert!(is_free(port), "{} connections keep everybody out", held.len());
    let id = opened.submit(small());
    opened.until(&id, &["done"]);
    let (events, ended) = said(&mut other);
    assert!(!ended && events.contains("\"status\":\"done\""), "{events}");
    drop(held);
    opened.end(1);
}
