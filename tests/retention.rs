//! A period after which pictures go.

use crate::abuse::token_of;
use crate::harness::{Home, PASSPHRASE, Ran, SMALL};
use crate::http::Request;
use crate::served::Served;
use audit::{Clock, Event, Log};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

const DAY_MS: u64 = 24 * 3600 * 1000;

/// A clock of long ago.
struct Ago(u64);

impl Clock for Ago {
    fn wall_ms(&self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is behind 1970").as_millis();
        u64::try_from(now).unwrap_or(0) - self.0 * DAY_MS
    }
    fn mono_ms(&self) -> u64 {
        1
    }
    fn boot_id(&self) -> [u8; 16] {
        [1; 16]
    }
}

/// A log whose first segments are so many days old, in a home that has no vault yet.
fn old_log(home: &Home, days: u64) {
    let dir = home.at("state/audit");
    std::fs::create_dir_all(&dir).expect("a home can be written");
    let log = Log::create(Path::new(&dir), Ago(days)).expect("a log");
    let entries: Vec<_> = (0..1000).map(|_| Event::VaultUnlockFailed {}.by_system()).collect();
    for _ in 0..9 {
        log.append(&entries).expect("room");
    }
}

#[test]
fn old_records_go_by_the_word_of_an_admin_and_the_log_verifies() {
    let home = Home::furnished("prune");
    old_log(&home, 200);
    home.generate(&["a red apple", "--seed", "1"]).ends(0, &[]);
    home.ask(&["audit", "prune", "--yes"]).ends(6, &["sets no period", "log_days_max"]);
    home.policy(b"schema = 1\nlog_days_max = 183\n");
    home.ask(&["audit", "prune", "--yes"]).ends(2, &["at least 184 days"]);
    home.policy(b"schema = 1\nlog_days_max = 201\n");
    let none = home.ask(&["audit", "prune", "--yes", "--json"]).ends(0, &[]).data();
    assert_eq!((&none["due"], &none["first"]), (&0.into(), &0.into()), "{none}");
    home.policy(b"schema = 1\nlog_days_max = 184\n");
    home.ask(&["audit", "prune"]).ends(6, &["takes the content of 8189 records away", "--yes"]);
    assert_eq!(home.count_records(&["log.pruned"]), 0);
    let served = Served::start(&home);
    home.ask(&["audit", "prune", "--yes"]).ends(9, &[]);
    served.stop();
    let done = home.ask(&["audit", "prune", "--yes"]).ends(0, &[]).stdout;
    assert!(done.contains("8189 of the records 0 to 8191 go, 3 stay") && done.contains("pruned;"), "{done}");
    let told = home.ask(&["audit", "verify"]).ends(0, &[]).stdout;
    assert!(told.contains("pruned      8189 records"), "{told}");
    home.ask(&["audit", "show", "7"]).ends(5, &["was pruned"]);
    home.is_whole(1);
    assert_eq!(home.count_records(&["log.pruned"]), 1);
    home.ask(&["audit", "show", "--type", "log.pruned"]).ends(0, &[]);
    let again = home.ask(&["audit", "prune", "--yes", "--json"]).ends(0, &[]).data();
    assert_eq!((&again["due"], &again["from"]), (&0.into(), &8192.into()), "{again}");
    home.generate(&["a boat", "--seed", "2"]).ends(0, &[]);
    home.is_whole(2);
    // A kept record that somebody takes away besides keeps the program from starting.
    let segment = home.at("state/audit/seg/00000000.jsonl");
    let text = std::fs::read_to_string(&segment).expect("a segment");
    let (last, rest) =
        text.lines().next_back().map(|last| (last, text.len() - last.len() - 1)).expect("lines");
    assert!(last.starts_with('{'));
    std::fs::write(&segment, format!("{}{}\n", &text[..rest], "0".repeat(64))).expect("a segment");
    home.ask(&["history", "list"]).ends(11, &[]);
    home.ask(&["audit", "verify"]).ends(11, &[]);
}

#[test]
fn a_period_of_the_policy_is_told_and_kept() {
    let home = Home::with_picture("retention");
    home.ask(&["vault", "retain"]).ends(6, &["sets no period", "picture_days_max"]);
    home.policy(b"schema = 1\npicture_days_max = 30\n");
    let shown = home.ask(&["history", "list", "--json"]).ends(0, &[]).data()["pictures"][0].clone();
    let days = |ms: u64| ms / (24 * 3600 * 1000);
    let (made, goes) = (shown["created_ms"].as_u64(), shown["expires_ms"].as_u64());
    assert_eq!(made.zip(goes).map(|(made, goes)| days(goes - made)), Some(30), "{shown}");
    let id = shown["id"].as_str().expect("an id");
    let facts = home.ask(&["history", "show", id]).ends(0, &[]).stdout;
    assert!(facts.contains("by itself after"), "{facts}");
    for arguments in [&["vault", "retain", "--dry-run"][..], &["vault", "retain", "--yes"]] {
        let ran = home.ask(arguments).ends(0, &[]);
        assert!(ran.stdout.contains("0 pictures older than 30 days"), "{ran:#?}");
    }
    assert_eq!(home.count_records(&["retention.begun"]), 0);
    let status = home.ask(&["status"]).ends(0, &[]).stdout;
    assert!(status.contains("a picture goes 30 days after it was made"), "{status}");
    // A hold keeps it, and that is told, too.
    home.ask(&["hold", "set", "--reason", "audit"]).ends(0, &[]);
    let shown = home.ask(&["history", "list", "--json"]).ends(0, &[]).data()["pictures"][0].clone();
    assert!(shown["expires_ms"].is_null(), "{shown}");
    home.ask(&["hold", "end"]).ends(0, &[]);
    let setting = home.ask(&["config", "show", "--origin"]).ends(0, &[]).stdout;
    assert!(setting.contains("picture_days_max"), "{setting}");
    home.policy(b"schema = 1\npicture_days_max = 30\nerase = \"never\"\n");
    home.ask(&["history", "list"]).ends(2, &["leave one of the two lines out"]);
    home.policy(b"schema = 1\npicture_days_max = 0\n");
    home.ask(&["history", "list"]).ends(2, &["from 1 to 36500"]);
    home.policy(b"schema = 1\n");
    home.is_whole(1);
}

#[test]
fn the_server_says_when_a_picture_goes_and_an_operator_erases_none() {
    let home = Home::with_picture("retention-served");
    home.policy(b"schema = 1\npicture_days_max = 2\n");
    let served = Served::start(&home);
    let wish = serde_json::json!({ "passphrase": PASSPHRASE });
    let token = token_of(&served.ask(&Request::post("/api/v1/session", &wish)).is(201));
    let images = served.ask(&Request::get("/api/v1/images").token(&token)).is(200).json();
    let image = &images["images"][0];
    assert!(image["expires_ms"].as_u64() > image["created_ms"].as_u64(), "{image}");
    served.stop();
    home.write("second", b"the words of the second one\n");
    let second = home.at("second");
    home.ask(&["operator", "add", "Second", "--operator", "First", "--new-passphrase-file", &second])
        .ends(0, &[]);
    let state = home.at("state");
    let retain = ["vault", "retain", "--home", &state, "--passphrase-file", &second, "--operator", "second"];
    Ran::of(&mut home.program(&retain)).ends(6, &["your role does not let you"]);
    home.ask(&[&["generate", "a boat", "--operator", "First"], &SMALL[..]].concat()).ends(0, &[]);
}

/// What is past its period is tried where the clock of a test can be set; here, that the verb and the policy know of it.
#[test]
fn a_period_of_names_is_told_before_it_is_over() {
    let home = Home::with_picture("retention-names");
    home.ask(&["vault", "retain"]).ends(6, &["names_days_max"]);
    home.write("second", b"the words of the second one\n");
    let second = home.at("second");
    home.ask(&["operator", "add", "Second", "--operator", "First", "--new-passphrase-file", &second])
        .ends(0, &[]);
    home.ask(&["operator", "remove", "Second", "--operator", "First"]).ends(0, &[]);
    home.policy(b"schema = 1\nnames_days_max = 1\n");
    for arguments in [&["vault", "retain", "--dry-run"][..], &["vault", "retain", "--yes"]] {
        let said = home.ask(arguments).ends(0, &[]).stdout;
        assert_eq!(said, "0 names of people who were removed more than 1 day ago\n");
    }
    let said = home.ask(&["vault", "retain", "--dry-run", "--json"]).ends(0, &[]).data();
    let names = &said["names"];
    assert_eq!((&names["days"], &names["due"], &names["kept"]), (&1.into(), &0.into(), &0.into()), "{said}");
    assert!(said["pictures"].is_null() && said["due"].is_null(), "no period of pictures: {said}");
    let people = home.ask(&["operator", "list"]).ends(0, &[]).stdout;
    assert!(people.contains("Second"), "the period is not over: {people}");
    home.ask(&["operator", "add", "second", "--operator", "First", "--new-passphrase-file", &second])
        .ends(2, &["this name is taken"]);
    assert_eq!(home.count_records(&["slot.name_due"]), 0);
    home.policy(b"schema = 1\nnames_days_max = 0\n");
    home.ask(&["history", "list"]).ends(2, &["from 1 to 36500"]);
}
