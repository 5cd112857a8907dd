//! Passphrases and setup codes, tried one after another and side by side.

use super::{Opened, check, refused, token_of};
use crate::harness::{Home, PASSPHRASE};
use crate::http::{Answer, Request};
use crate::served::Served;
use serde_json::json;
use std::time::{Duration, Instant};

fn guess(passphrase: &str) -> Request {
    Request::post("/api/v1/session", &json!({"passphrase": passphrase}))
}

fn waits(answer: &Answer) -> Option<u64> {
    answer.field("retry-after").and_then(|text| text.parse().ok())
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
        refused(&check(&served, &setup(wrong, PASSPHRASE)), 403, "setup_code", "a wrong code");
        if status()["retry_after_s"] != 0 {
            std::thread::sleep(Duration::from_secs(status()["retry_after_s"].as_u64().unwrap_or(1)));
        }
    }
    std::thread::sleep(Duration::from_millis(100));
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
        assert!([409, 429].contains(&answer.status), "{answer:?}");
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
