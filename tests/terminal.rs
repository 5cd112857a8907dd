//! At a terminal: what is typed is hidden, and the terminal is left as it was, whatever ends the program.

use crate::harness::{Home, PASSPHRASE, Ran, behind};
use crate::served::Served;
use serde_json::{Value, json};

/// Runs the program at a terminal of its own, without a passphrase file; see `at_terminal.py`.
#[track_caller]
pub fn at_terminal(home: &Home, steps: &[&str], arguments: &[&str]) -> Vec<Value> {
    let state = home.at("state");
    let program = home.program(&[arguments, &["--home", &state]].concat());
    let ran = Ran::of(&mut behind(&terminal(steps), &program)).ends(0, &[]);
    ran.stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {ran:#?}")))
        .collect()
}

/// What stands before a program that is to run at a terminal of its own.
pub fn terminal(steps: &[&str]) -> Vec<String> {
    let python = std::env::var("LIGHTPROOF_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/at_terminal.py");
    let steps = [&[python.as_str(), script], steps, &["--"]].concat();
    steps.into_iter().map(str::to_owned).collect()
}

pub fn ended(code: i32) -> Value {
    json!({ "event": "ended", "code": code, "echo": true })
}

#[test]
fn no_signal_at_a_prompt_leaves_the_terminal_without_echo() {
    let home = Home::with_picture("echo");
    let hidden = json!({ "event": "asked", "echo": false });
    for signal in ["TERM", "HUP", "INT", "QUIT"] {
        let seen = at_terminal(&home, &[&format!("Passphrase: |signal:{signal}")], &["history", "list"]);
        assert_eq!(seen, [hidden.clone(), ended(130)], "{signal}");
    }
    let steps = ["code: |signal:TSTP", "code: |signal:TERM"];
    let seen = at_terminal(&home, &steps, &["vault", "passwd"]);
    let stopped = json!({ "event": "stopped", "echo": true });
    assert_eq!(seen, [hidden.clone(), stopped, hidden.clone(), ended(130)]);
    // Each end is on record.
    assert_eq!(home.count_records(&["boot.started"]), home.count_records(&["boot.stopped"]));
    home.is_whole(1);
}

/// Alone and through a server: somebody who mistypes is asked again, and each time is a guess on record.
#[test]
fn a_wrong_passphrase_is_asked_for_again_and_three_of_them_end_the_verb() {
    let home = Home::with_picture("asked-again");
    let (wrong, right) =
        ("Passphrase: |text:eight grey herons at dawn", format!("Passphrase: |text:{PASSPHRASE}"));
    let asks = |steps: &[&str], code: i32| {
        let seen = at_terminal(&home, steps, &["history", "list"]);
        assert_eq!(seen.last(), Some(&ended(code)), "{seen:?}");
    };
    let guesses = || home.count_records(&["vault.unlock_failed denied"]);
    asks(&[wrong, "Passphrase: |text:", &right], 0);
    // What can be none is no guess.
    assert_eq!(guesses(), 1);
    asks(&[wrong, wrong, wrong], 7);
    assert_eq!(guesses(), 4);
    let served = Served::start(&home);
    asks(&[wrong, &right], 0);
    asks(&[wrong, wrong, wrong], 7);
    assert_eq!(guesses(), 8);
    served.stop().ends(0, &[]);
    home.is_whole(1);
}

#[test]
fn a_passphrase_that_is_too_short_is_not_asked_for_twice() {
    let home = Home::furnished("short");
    let seen = at_terminal(&home, &["Choose a passphrase|text:too short"], &["vault", "init"]);
    assert_eq!(seen.last(), Some(&ended(2)), "{seen:?}");
    assert!(!home.path().join("state/vault/vault").exists());
}

#[test]
fn after_a_prompt_signals_do_what_they_always_do() {
    let home = Home::with_picture("after-prompt");
    let passphrase = format!("Passphrase: |text:{PASSPHRASE}");
    // Nothing has to be put in order at a question whose answer is shown.
    let steps = [passphrase.as_str(), "Type 1 to go on: |signal:TERM"];
    let seen = at_terminal(&home, &steps, &["history", "rm", "--all"]);
    assert_eq!(seen.last(), Some(&json!({ "event": "ended", "code": -15, "echo": true })), "{seen:?}");
    // A job ends in order.
    let job = ["generate", "x", "--size", "128x128", "--steps", "100", "-n", "16"];
    let seen = at_terminal(&home, &[&passphrase, "step 1 of|signal:TERM"], &job);
    assert_eq!(seen.last(), Some(&ended(130)), "{seen:?}");
    assert_eq!(home.count_records(&["generate.failed failed", "reason=cancelled"]), 1);
    let kept = home.pictures().len() as u64;
    home.is_whole(kept);
}

#[test]
fn no_picture_is_printed_at_a_terminal_and_no_passphrase_is_read_where_it_shows() {
    let home = Home::with_picture("picture-at-terminal");
    let id = home.pictures()[0]["id"].as_str().expect("a picture has an id").to_owned();
    let started = home.count_records(&["boot.started"]);
    assert_eq!(at_terminal(&home, &[], &["history", "export", &id, "-o", "-"]), [ended(6)]);
    assert_eq!(at_terminal(&home, &[], &["generate", "x", "--export", "-"]), [ended(6)]);
    assert_eq!(at_terminal(&home, &[], &["history", "list", "--passphrase-file", "/dev/stdin"]), [ended(7)]);
    assert_eq!(home.count_records(&["boot.started"]), started);
}

#[test]
fn following_the_log_ends_quietly() {
    let home = Home::with_picture("follow-at-terminal");
    let seen = at_terminal(&home, &["boot.stopped|signal:INT"], &["audit", "tail", "--follow"]);
    assert_eq!(seen.last(), Some(&json!({ "event": "ended", "code": -2, "echo": true })), "{seen:?}");
}

#[test]
fn a_bundle_for_support_is_written_once_somebody_has_said_so() {
    let home = Home::with_picture("support-asked");
    let file = home.at("out/a.json");
    let asked = |answer: &str| {
        let step = format!("All of it is above. Type yes to write it to {file}: |text:{answer}");
        at_terminal(&home, &[&step], &["support", "bundle", "-o", &file])
    };
    let length = || std::fs::metadata(&file).expect("it is there").len();
    for answer in ["no", "", "y"] {
        assert_eq!(asked(answer).last(), Some(&ended(6)));
        assert_eq!((length(), home.count_records(&["support.bundled"])), (0, 0), "{answer}");
    }
    assert_eq!(asked("yes").last(), Some(&ended(0)));
    assert_eq!(home.count_records(&["support.bundled ok"]), 1);
    assert!(length() > 1000);
}
