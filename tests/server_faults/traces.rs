//! Where a prompt and a passphrase must not be found afterwards: talk, files, arguments, memory.

use crate::abuse::{Opened, check, refused, token_of};
use crate::harness::{Home, is_root_for};
use crate::http::{Request, connect};
use crate::secrecy::found_in_memory;
use crate::served::Served;
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::time::Duration;

const PROMPT: &str = "zymurgical quokka nightingale";
const NEGATIVE: &str = "isochronal axolotl chandelier";
const SECRET: &str = "vermilion ptarmigan passphrase";
const WRONG: &str = "cerulean pangolin passphrase";

const CANARIES: [&str; 4] = [PROMPT, NEGATIVE, SECRET, WRONG];

#[test]
fn what_was_sent_is_nowhere_afterwards() {
    if !is_root_for("reading the program's memory") {
        return;
    }
    let home = Home::furnished("traces");
    let mut command = home.program(&["serve", "--port", "0", "--home", &home.at("state")]);
    let served = Served::run(command.env("LIGHTPROOF_LOG", "trace").env("RUST_BACKTRACE", "full"));
    let (pid, port, code) = (served.pid(), served.port, served.setup_code());
    assert_ne!(found_in_memory(pid, home.at("state").as_bytes()), [""; 0], "the scan finds nothing");
    let setup = |secret: &str| Request::post("/api/v1/setup", &json!({"code": code, "passphrase": secret}));
    let unlock = |secret: &str| Request::post("/api/v1/session", &json!({"passphrase": secret}));
    // A body that is none holds it as well, at another place.
    check(&served, &Request::post("/api/v1/setup", &json!({"code": WRONG, "passphrase": WRONG}))).is(403);
    check(&served, &Request::post("/api/v1/setup", &json!({"code": code, "passphrase": SECRET, "x": 1})))
        .is(400);
    let answer = check(&served, &setup(SECRET)).is(201);
    let recovery = answer.json()["recovery_code"].as_str().expect("a code").to_owned();
    let opened = Opened { token: token_of(&answer), served, home };
    refused(&check(&opened.served, &unlock(WRONG)), 401, "passphrase", "a wrong passphrase");
    check(&opened.served, &unlock(SECRET)).is(201);

    let wish = json!({"prompt": PROMPT, "negative_prompt": NEGATIVE, "width": 32, "height": 32, "steps": 2,
                      "guidance": 2.0});
    let mut ids = vec![opened.submit(wish.clone())];
    for (name, value) in [("steps", json!(0)), ("width", json!("x")), ("seed", json!(-1)), ("more", json!(1))]
    {
        let mut wrong = wish.clone();
        wrong[name] = value;
        assert!(opened.ask(Request::post("/api/v1/jobs", &wrong)).status >= 400);
    }
    opened.ask(Request::post("/api/v1/images:delete", &json!({"ids": [PROMPT], "confirm": 1}))).is(404);
    // Cut off in the middle, by us or by the clock, and one that is cancelled.
    let head = format!(
        "POST /api/v1/jobs HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n\
         Authorization: Bearer {}\r\nContent-Length: 9999\r\n\r\n{{\"prompt\":\"{PROMPT}\"",
        opened.token
    );
    connect(port).write_all(head.as_bytes()).expect("it reads");
    // One client asks, is answered, and stays.
    let body = wish.to_string();
    let mut staying = connect(port);
    let whole = format!(
        "POST /api/v1/jobs HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n\
         Authorization: Bearer {}\r\nConnection: keep-alive\r\nContent-Length: {}\r\n\r\n{body}",
        opened.token,
        body.len()
    );
    staying.write_all(whole.as_bytes()).expect("it reads");
    let mut seen = [0; 4096];
    let count = staying.read(&mut seen).expect("it answers");
    assert!(seen[..count].starts_with(b"HTTP/1.1 202 "), "{}", String::from_utf8_lossy(&seen[..count]));
    let jobs = opened.ask(Request::get("/api/v1/jobs")).is(200).json();
    ids.extend(
        jobs["jobs"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|job| job["id"].as_str().expect("an id").to_owned()),
    );
    for id in &ids {
        opened.until(id, &["done"]);
    }
    // Cancelled while it waits, cancelled in work.
    let mut long = crate::abuse::long();
    long["prompt"] = json!(PROMPT);
    for id in [opened.submit(long), opened.submit(wish)].iter().rev() {
        opened.ask(Request::new("DELETE", &format!("/api/v1/jobs/{id}"))).is(202);
        opened.until(id, &["cancelled"]);
    }
    // The client that left is noticed by now, and every buffer with it.
    std::thread::sleep(Duration::from_millis(300));

    let mut found = Vec::new();
    // What was typed stays for the session, and for no longer; secrets do not stay at all.
    for secret in [SECRET, WRONG, &recovery] {
        let at = found_in_memory(pid, secret.as_bytes());
        found.extend(at.into_iter().map(|at| format!("`{secret}` in memory at {at} before the lock")));
    }
    opened.ask(Request::new("DELETE", "/api/v1/session")).is(204);
    for canary in CANARIES.iter().copied().chain([recovery.as_str()]) {
        let at = found_in_memory(pid, canary.as_bytes());
        found.extend(at.into_iter().map(|at| format!("`{canary}` in memory at {at}")));
    }
    for file in ["cmdline", "environ"] {
        let bytes = std::fs::read(format!("/proc/{pid}/{file}")).expect("root may read it");
        let text = String::from_utf8_lossy(&bytes);
        found.extend(
            CANARIES
                .iter()
                .filter(|canary| text.contains(**canary))
                .map(|canary| format!("{file}: {canary}")),
        );
    }
    drop(staying);
    let token = opened.token.clone();
    let Opened { served, home, .. } = opened;
    let ran = served.stop().ends(0, &[]);
    for word in ["quokka", "axolotl", "ptarmigan", "pangolin", &recovery, &token] {
        for (what, text) in [("stdout", &ran.stdout), ("stderr", &ran.stderr)] {
            if text.contains(word) {
                found.push(format!("`{word}` on {what}"));
            }
        }
        found.extend(
            home.files_with(word.as_bytes()).iter().map(|path| format!("`{word}` in {}", path.display())),
        );
    }
    assert_eq!(found, [""; 0], "{} of them", found.len());
    home.write("pass", format!("{SECRET}\n").as_bytes());
    home.is_whole(2);
}

#[test]
fn a_passphrase_from_a_file_is_nowhere_after_a_first_start_and_the_lock() {
    if !is_root_for("reading the program's memory") {
        return;
    }
    let home = Home::furnished("first");
    home.write("pass", format!("{SECRET}\n").as_bytes());
    let served = Served::run(&mut home.furnished_program(&["serve", "--port", "0"]));
    let pid = served.pid();
    assert_ne!(found_in_memory(pid, home.at("state").as_bytes()), [""; 0], "the scan finds nothing");
    let unlock = Request::post("/api/v1/session", &json!({"passphrase": SECRET}));
    let token = token_of(&check(&served, &unlock).is(201));
    check(&served, &Request::new("DELETE", "/api/v1/session").token(&token)).is(204);
    assert_eq!(found_in_memory(pid, SECRET.as_bytes()), [""; 0]);
    served.stop().ends(0, &[]);
}
