//! Periods after which pictures and names go.

use crate::abuse::token_of;
use crate::crash::SmallDisk;
use crate::harness::{Home, PASSPHRASE, Ran, SMALL, is_root_for};
use crate::http::Request;
use crate::served::Served;

const DAY_MS: u64 = 24 * 3600 * 1000;

#[test]
fn a_period_of_the_policy_is_told_and_kept() {
    let home = Home::with_picture("retention");
    home.ask(&["vault", "retain"]).ends(6, &["sets no period", "picture_days_max"]);
    home.policy(b"schema = 1\npicture_days_max = 30\n");
    let shown = home.ask(&["history", "list", "--json"]).ends(0, &[]).data()["pictures"][0].clone();
    let days = |ms: u64| ms / DAY_MS;
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
    let second = home.add_second();
    let state = home.at("state");
    let retain = ["vault", "retain", "--home", &state, "--passphrase-file", &second, "--operator", "second"];
    Ran::of(&mut home.program(&retain)).ends(6, &["your role does not let you"]);
    home.ask(&[&["generate", "a boat", "--operator", "First"], &SMALL[..]].concat()).ends(0, &[]);
}

/// A home of two people of whom the second was in and has gone, with a backup from between; and the second one's pseudonym.
fn without_second(test: &str) -> (Home, String) {
    let home = Home::with_picture(test);
    let (state, second) = (home.at("state"), home.add_second());
    let theirs = ["history", "list", "--home", &state, "--passphrase-file", &second, "--operator", "second"];
    Ran::of(&mut home.program(&theirs)).ends(0, &[]);
    let records = home.records();
    let of_second = records.iter().rfind(|record| record.contains("slot=3") && record.contains(" a:"));
    let words = of_second.expect("they were in").split(' ');
    let pseudonym =
        words.filter(|word| word.len() == 24).find(|word| word.starts_with("a:")).expect("an actor");
    let file = home.at("out/before.backup");
    home.ask(&["backup", "create", "-o", &file, "--operator", "First"]).ends(0, &[]);
    home.ask(&["operator", "remove", "Second", "--operator", "First"]).ends(0, &[]);
    let pseudonym = pseudonym.to_owned();
    (home, pseudonym)
}

/// Lets the second person have been removed so many days ago, as the vault remembers it.
fn removed_ago(home: &Home, days: u64) {
    let paths = vault::Paths {
        state: home.at("state/vault").into(),
        outputs: home.at("workspace/output_image").into(),
    };
    let secret = vault::Secret::passphrase(PASSPHRASE).expect("text");
    let opened = vault::Locked::open(paths).expect("nobody has it").unlock(&secret, |_| true);
    let Ok(vault::Unlocked::Vault(mut vault, _)) = opened else { panic!("it does not open") };
    let mark = 16 + 3;
    let mut noted = vault.mark(mark).expect("a removal is noted").to_vec();
    let at: &mut [u8; 8] = noted[1..].first_chunk_mut().expect("a time");
    *at = (u64::from_be_bytes(*at) - days * DAY_MS).to_be_bytes();
    vault.set_mark(mark, &noted, &mut vault::OsRandom).expect("room");
}

const NAMES: &[u8] = b"schema = 1\nnames_days_max = 365\n";

#[test]
fn a_period_of_names_is_told_before_it_is_over() {
    let (home, _) = without_second("retention-names");
    home.ask(&["vault", "retain"]).ends(6, &["names_days_max"]);
    let said = home.ask(&["status"]).ends(0, &[]).stdout;
    assert!(!said.contains("the name of who was removed"), "{said}");
    home.policy(NAMES);
    removed_ago(&home, 364);
    for arguments in [&["vault", "retain", "--dry-run"][..], &["vault", "retain", "--yes"]] {
        let said = home.ask(arguments).ends(0, &[]).stdout;
        assert_eq!(said, "0 names of people who were removed more than 365 days ago\n");
    }
    let said = home.ask(&["vault", "retain", "--dry-run", "--json"]).ends(0, &[]).data();
    let names = &said["names"];
    assert_eq!(
        (&names["days"], &names["due"], &names["kept"]),
        (&365.into(), &0.into(), &0.into()),
        "{said}"
    );
    assert!(said["pictures"].is_null() && said["due"].is_null(), "no period of pictures: {said}");
    let people = home.ask(&["operator", "list"]).ends(0, &[]).stdout;
    assert!(people.contains("Second"), "the period is not over: {people}");
    home.ask(&[
        "operator",
        "add",
        "second",
        "--operator",
        "First",
        "--new-passphrase-file",
        &home.at("second"),
    ])
    .ends(2, &["this name is taken"]);
    assert_eq!(home.count_records(&["slot.name_due"]), 0);
    let said = home.ask(&["status"]).ends(0, &[]).stdout;
    assert!(said.contains("the name of who was removed goes 365 days after that"), "{said}");
    let setting = home.ask(&["config", "show", "--origin"]).ends(0, &[]).stdout;
    assert!(setting.contains("names_days_max"), "{setting}");
    home.policy(b"schema = 1\nnames_days_max = 0\n");
    home.ask(&["history", "list"]).ends(2, &["from 1 to 36500"]);
}

#[test]
fn a_name_goes_by_the_word_of_an_admin_and_no_backup_brings_it_back() {
    let (home, pseudonym) = without_second("names-go");
    home.policy(NAMES);
    removed_ago(&home, 366);
    let resolve = ["operator", "resolve", &pseudonym, "--reason", "access"];
    let due = home.ask(&["vault", "retain", "--dry-run"]).ends(0, &[]).stdout;
    assert_eq!(due, "1 name (slot 3) of people who were removed more than 365 days ago\n");
    home.ask(&["vault", "retain"]).ends(6, &["destroys 1 name for good", "--yes"]);
    assert_eq!(home.count_records(&["slot.name_due"]), 0, "nothing was done");
    assert!(home.ask(&resolve).ends(0, &[]).stdout.contains("Second"));
    // Nobody is there to read it: it is done and on record all the same, and the next time says so.
    let full = std::fs::File::options().write(true).open("/dev/full").expect("Linux has it");
    let ran = Ran::of(home.furnished_program(&["vault", "retain", "--yes"]).stdout(full));
    ran.ends(1, &["1 backup on record may still hold", "what was done is done"]);
    home.ask(&resolve).ends(5, &["was destroyed at", "this vault cannot tell any more"]);
    assert!(!home.ask(&["operator", "list"]).ends(0, &[]).stdout.contains("Second"));
    assert_eq!(home.count_records(&["slot.name_destroyed ok", "slot=3"]), 1);
    home.ask(&["vault", "verify"]).ends(0, &[]);
    home.is_whole(1);
    let again = home.ask(&["vault", "retain", "--yes"]).ends(0, &[]).stdout;
    assert_eq!(again, "0 names of people who were removed more than 365 days ago\n");
    // The backup from before the removal, with the log that goes on, and with what left of a lost one.
    let records = home.ask(&["audit", "export"]).ends(0, &[]).stdout;
    assert!(records.contains("slot.name_destroyed") && !records.contains("Second"));
    home.write("records", records.as_bytes());
    let (file, exported) = (home.at("out/before.backup"), home.at("records"));
    for records in [None, Some(exported.as_str())] {
        std::fs::remove_dir_all(home.path().join("state/vault")).expect("lost");
        std::fs::remove_dir_all(home.path().join("workspace")).expect("lost");
        let mut words = vec!["backup", "restore", &file, "--operator", "First"];
        if let Some(records) = records {
            std::fs::remove_dir_all(home.path().join("state/audit")).expect("lost, too");
            words.extend(["--records", records]);
        }
        let back = home.ask(&words).ends(0, &["and not brought back: 1 name", "whose name was destroyed"]);
        assert!(!back.stderr.contains("Second") && !back.stdout.contains("Second"), "{back:#?}");
        home.ask(&resolve).ends(5, &["was destroyed at"]);
        assert!(!home.ask(&["operator", "list"]).ends(0, &[]).stdout.contains("Second"));
        home.is_whole(1);
    }
    // The name is free, and somebody else's.
    home.add_second();
    home.ask(&[&resolve[..], &["--operator", "First"]].concat()).ends(5, &["was destroyed at"]);
}

#[test]
fn a_server_destroys_a_name_by_itself_and_at_an_admins_word() {
    let (home, pseudonym) = without_second("names-served");
    home.policy(NAMES);
    removed_ago(&home, 366);
    let file = home.at("out/served.backup");
    home.ask(&["backup", "create", "-o", &file]).ends(0, &[]);
    // At an admin's word, before the server looks.
    let served = Served::start(&home);
    let wish = serde_json::json!({ "passphrase": PASSPHRASE });
    token_of(&served.ask(&Request::post("/api/v1/session", &wish)).is(201));
    let due = home.ask(&["vault", "retain", "--dry-run"]).ends(0, &[]).stdout;
    assert_eq!(due, "1 name (slot 3) of people who were removed more than 365 days ago\n");
    home.ask(&["vault", "retain"]).ends(6, &["destroys 1 name for good"]);
    let done = home.ask(&["vault", "retain", "--yes", "--json"]).ends(0, &[]).data();
    assert_eq!((&done["names"]["destroyed"], &done["names"]["backups"]), (&1.into(), &2.into()), "{done}");
    home.ask(&["operator", "resolve", &pseudonym, "--reason", "access"]).ends(5, &["was destroyed at"]);
    served.stop();
    home.is_whole(1);
    assert_eq!(home.count_records(&["slot.name_destroyed ok a:system"]), 0);

    // By itself, once it has the vault open.
    let (home, pseudonym) = without_second("names-by-itself");
    home.policy(NAMES);
    removed_ago(&home, 366);
    let served = Served::run(&mut home.furnished_program(&["serve", "--port", "0"]));
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while home.count_records(&["slot.name_destroyed ok a:system"]) == 0 {
        assert!(std::time::Instant::now() < until, "{}", served.stderr());
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    home.ask(&["operator", "resolve", &pseudonym, "--reason", "access"]).ends(5, &["was destroyed at"]);
    served.stop();
    home.is_whole(1);
}

/// The vault's disk has no block left, and then not even what was set aside.
#[test]
fn a_full_disk_keeps_no_name_as_long_as_the_vault_has_its_reserve() {
    if !is_root_for("mounting a small disk") {
        return;
    }
    let (home, pseudonym) = without_second("names-full");
    home.policy(NAMES);
    removed_ago(&home, 366);
    let aside = home.path().join("aside");
    std::fs::rename(home.path().join("state/vault"), &aside).expect("moved");
    let small = SmallDisk::mount(home.at("state/vault"), "size=4m,mode=700");
    for entry in std::fs::read_dir(&aside).expect("the vault's files").flatten() {
        std::fs::copy(entry.path(), home.path().join("state/vault").join(entry.file_name())).expect("copied");
    }
    let resolve = ["operator", "resolve", &pseudonym, "--reason", "access"];
    let reserve = home.path().join("state/vault/reserve");
    let blocks = std::fs::read(&reserve).expect("it was set aside");
    std::fs::remove_file(&reserve).expect("removed");
    small.fill();
    home.ask(&["vault", "retain", "--yes"]).ends(10, &[]);
    assert!(home.count_records(&["slot.name_kept failed", "slot=3", "disk_full"]) > 0);
    assert_eq!(home.count_records(&["slot.name_destroyed"]), 0);
    small.empty();
    assert!(home.ask(&resolve).ends(0, &[]).stdout.contains("Second"), "it is there");
    std::fs::write(&reserve, blocks).expect("room");
    small.fill();
    let done = home.ask(&["vault", "retain", "--yes"]).ends(0, &[]).stdout;
    assert!(done.ends_with("destroyed 1 name\n"), "{done}");
    small.empty();
    home.ask(&resolve).ends(5, &["was destroyed at"]);
    home.is_whole(1);
    drop(small);
}
