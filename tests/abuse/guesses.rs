//! Passphrases and setup codes, tried one after another and side by side.

use super::{Opened, check, refused, token_of};
use crate::harness::{Home, PASSPHRASE, is_root_for};
use crate::http::{Answer, Request};
use crate::served::Served;
use serde_json::json;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn guess(passphrase: &str) -> Request {
    Request::post("/api/v1/session", &json!({"passphrase": passphrase}))
}

fn waits(answer: &Answer) -> Option<u64> {
    answer.field("retry-after").and_then(|text| text.parse().ok())
}

#[test]
fn a_guess_for_a_new_recovery_code_costs_what_a_guess_at_the_unlock_costs() {
    let opened = Opened::new("recovery-guesses");
    let draw =
        |passphrase: &str| opened.ask(Request::post("/api/v1/recovery", &json!({"passphrase": passphrase})));
    let code = draw(PASSPHRASE).is(200).json()["recovery_code"].clone();
    assert!(code.as_str().is_some_and(|code| code.split('-').count() >= 4), "a code");
    for wrong in ["seven grey quokkas at dawn", "", &"x".repeat(5000)] {
        refused(&draw(wrong), 401, "passphrase", wrong);
    }
    refused(&draw(PASSPHRASE), 429, "locked_out", "the right one too soon");
    refused(&check(&opened.served, &guess(PASSPHRASE)), 429, "locked_out", "an unlock too soon");
    let wait = opened.status()["retry_after_s"].as_u64().expect("a number");
    std::thread::sleep(Duration::from_secs(wait));
    draw(PASSPHRASE).is(200);
    assert_eq!(opened.status()["retry_after_s"], 0);
    let home = opened.end(0);
    assert_eq!(home.count_records(&["vault.secret_changed ok"]), 2);
}

#[test]
fn wrong_passphrases_cost_more_and_more_time() {
    let opened = Opened::new("guesses");
    let served = &opened.served;
    opened.ask(Request::new("DELETE", "/api/v1/session")).is(204);
    let mut wrong = 0;
    let mut waited = Vec::new();
    let begun = Instant::now();
    // Three cost nothing, the next ones 1 s and 2 s; how it goes on, up to half a minute, is not waited for.
    while waited.iter().sum::<u64>() < 3 {
        let answer = check(served, &guess("seven grey quokkas at dawn"));
        match waits(&answer) {
            None => {
                refused(&answer, 401, "passphrase", "a wrong guess");
                wrong += 1;
            }
            Some(seconds) => {
                refused(&answer, 429, "locked_out", "a guess too soon");
                // The right one has to wait as well: that it is right is not looked at.
                refused(&check(served, &guess(PASSPHRASE)), 429, "locked_out", "the right one too soon");
                let said = opened.status()["retry_after_s"].as_u64().expect("a number");
                assert!(said > 0 && said <= seconds, "{said}, {seconds}");
                waited.push(seconds);
                std::thread::sleep(Duration::from_secs(seconds));
            }
        }
        assert!(begun.elapsed() < Duration::from_secs(40), "{wrong} wrong, {waited:?}");
    }
    assert_eq!(waited, [1, 2]);
    assert_eq!(wrong, 4);
    // The time is over: the right one is looked at, and forgives the others.
    let token = token_of(&check(served, &guess(PASSPHRASE)).is(201));
    check(served, &Request::get("/api/v1/jobs").token(&token)).is(200);
    assert_eq!(opened.status()["retry_after_s"], 0);
    refused(&check(served, &guess("seven grey quokkas at dusk")), 401, "passphrase", "while it is open");
    // Twenty side by side: one at a time is looked at.
    let begun = Instant::now();
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..20)
            .map(|index| {
                scope.spawn(move || check(served, &guess(&format!("seven grey quokkas number {index}"))))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("it is answered")).collect()
    });
    let looked_at = answers.iter().filter(|answer| answer.status == 401).count();
    assert!((1..=3).contains(&looked_at), "{looked_at} guesses in {:?}", begun.elapsed());
    for answer in answers.iter().filter(|answer| answer.status != 401) {
        refused(answer, 429, "locked_out", "side by side");
    }
    let home = opened.end(0);
    assert_eq!(home.count_records(&["vault.unlock_failed denied"]), wrong + 1 + looked_at);
}

/// Sets how long the files of another process may get: on a disk that is full nothing grows, either.
fn limit_files(pid: u32, bytes: &str) {
    let limit = [format!("--pid={pid}"), format!("--fsize={bytes}:unlimited")];
    assert!(Command::new("prlimit").args(limit).status().expect("util-linux is there").success());
}

/// A right one opens nothing where that cannot be put on record; a wrong one costs what it costs with a record.
#[test]
fn a_right_passphrase_without_a_record_opens_nothing_and_costs_nothing() {
    if !is_root_for("limiting the files of another process") {
        return;
    }
    let opened = Opened::new("unrecorded-guesses");
    let server = opened.served.processes().server;
    let wait = || opened.status()["retry_after_s"].as_u64().expect("a number");
    let recovery = || Request::post("/api/v1/recovery", &json!({"passphrase": PASSPHRASE}));
    for locked in [false, true] {
        if locked {
            opened.ask(Request::new("DELETE", "/api/v1/session")).is(204);
        }
        limit_files(server, "1");
        for _ in 0..4 {
            refused(&check(&opened.served, &guess(PASSPHRASE)), 507, "space", "a right one");
            if !locked {
                refused(&opened.ask(recovery()), 507, "space", "a right proof");
            }
        }
        assert_eq!(wait(), 0);
        for _ in 0..3 {
            refused(
                &check(&opened.served, &guess("seven grey quokkas at dawn")),
                507,
                "space",
                "a wrong one",
            );
        }
        refused(&check(&opened.served, &guess(PASSPHRASE)), 429, "locked_out", "after wrong ones");
        limit_files(server, "unlimited");
        std::thread::sleep(Duration::from_secs(wait() + 1));
        let answer = check(&opened.served, &guess(PASSPHRASE)).is(201);
        assert_eq!(wait(), 0, "a right one on record forgives");
        if locked {
            let end = Request::new("DELETE", "/api/v1/session").token(&token_of(&answer));
            check(&opened.served, &end).is(204);
        }
    }
    opened.end(0);
}

/// The mirror opens with the right one, so that a wrong one is a guess there, too.
#[test]
fn guesses_beside_a_damaged_vault_file_are_counted() {
    let opened = Opened::new("damaged-guesses");
    opened.ask(Request::new("DELETE", "/api/v1/session")).is(204);
    let file = opened.home.path().join("state/vault/vault");
    let mut bytes = std::fs::read(&file).expect("it is there");
    bytes[40] ^= 1;
    std::fs::write(&file, bytes).expect("it is ours");
    for _ in 0..3 {
        check(&opened.served, &guess("seven grey quokkas at dawn"));
    }
    refused(&check(&opened.served, &guess(PASSPHRASE)), 429, "locked_out", "after wrong ones");
    opened.served.kill();
}

#[test]
fn the_setup_code_makes_one_vault() {
    let home = Home::furnished("setup");
    let served = Served::start(&home);
    let code = served.setup_code();
    let link = served.setup_link();
    assert!(link.starts_with(&format!("{}/#setup=", served.origin())), "{link}");
    let setup = |code: &str, passphrase: &str| {
        Request::post("/api/v1/setup", &json!({"code": code, "passphrase": passphrase}))
    };
    let status = || check(&served, &Request::get("/api/v1/status")).is(200).json();
    assert_eq!((&status()["vault"], &status()["setup"]), (&"none".into(), &"open".into()));
    // Without a vault nothing else is answered.
    refused(&check(&served, &Request::get("/api/v1/images")), 401, "token", "no vault");
    refused(&check(&served, &guess(PASSPHRASE)), 409, "no_vault", "no vault");
    for wrong in ["", "quokka", &code[1..], &code.replace(|c: char| c.is_ascii_digit(), "a")] {
        // Nobody guesses 128 random bits, so nobody is made to wait for it.
        for _ in 0..5 {
            refused(&check(&served, &setup(wrong, PASSPHRASE)), 403, "setup_code", "a wrong code");
        }
    }
    // Several with the right code at the same moment.
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..6)
            .map(|index| {
                let (served, request) = (&served, setup(&code, &format!("{PASSPHRASE} {index}")));
                scope.spawn(move || check(served, &request))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("it is answered")).collect()
    });
    let made: Vec<usize> = (0..6).filter(|index| answers[*index].status == 201).collect();
    assert_eq!(made.len(), 1, "{answers:?}");
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!(answer.status, 409, "{answer:?}");
    }
    assert_eq!((&status()["vault"], &status()["setup"]), (&"unlocked".into(), &serde_json::Value::Null));
    refused(&check(&served, &setup(&code, "another long passphrase")), 409, "setup_done", "used twice");
    // It is the vault of the one that was told so.
    let passphrase = format!("{PASSPHRASE} {}", made[0]);
    home.write("pass", format!("{passphrase}\n").as_bytes());
    check(&served, &guess(&passphrase)).is(201);
    let token = token_of(&answers[made[0]]);
    check(&served, &Request::get("/api/v1/jobs").token(&token)).is(200);
    let opened = Opened { served, home, token };
    let home = opened.end(0);
    assert_eq!(home.count_records(&["vault.created"]), 1);
}

/// Guesses without end over many connections, as another user, and says so once it is made to wait.
const FLOOD: &str = r#"import http.client, json, sys, threading, time
said = 0
def guess(number):
    global said
    while True:
        try:
            server = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=60)
            body = json.dumps({"passphrase": f"seven grey quokkas number {number}"})
            server.request("POST", "/api/v1/session", body, {"Content-Type": "application/json"})
            if server.getresponse().status == 429 and time.monotonic() > said + 0.2:
                said = time.monotonic()
                print("waits", flush=True)
            server.close()
        except OSError:
            pass
for number in range(32):
    threading.Thread(target=guess, args=(number,)).start()
"#;

/// A program that is killed when the test ends.
struct Flood(Child);

impl Drop for Flood {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn another_user_who_guesses_without_end_keeps_nobody_out() {
    if !is_root_for("guessing as another user") {
        return;
    }
    let opened = Opened::new("flood");
    opened.ask(Request::new("DELETE", "/api/v1/session")).is(204);
    let mut flood = Command::new("setpriv");
    flood.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--", "python3", "-c", FLOOD]);
    flood.arg(opened.served.port.to_string()).env_clear().env("PATH", "/usr/bin:/bin");
    let flood = flood.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut flood = Flood(flood.unwrap_or_else(|error| panic!("setpriv: {error}")));
    let mut said = BufReader::new(flood.0.stdout.take().expect("it was piped"));
    let mut waits = || {
        let mut line = String::new();
        said.read_line(&mut line).expect("it says something");
        assert_eq!(line, "waits\n", "the flood has ended");
    };
    waits();
    for _ in 0..5 {
        assert_eq!(opened.status()["retry_after_s"], 0);
        // At the first try, every time.
        let token = token_of(&check(&opened.served, &guess(PASSPHRASE)).is(201));
        check(&opened.served, &Request::new("DELETE", "/api/v1/session").token(&token)).is(204);
        waits();
    }
    drop(flood);
    let home = opened.end(0);
    assert!(home.count_records(&["vault.unlock_failed denied"]) >= 3);
}
