//! A period after which pictures go.

use crate::abuse::token_of;
use crate::harness::{Home, PASSPHRASE, Ran, SMALL};
use crate::http::Request;
use crate::served::Served;

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
