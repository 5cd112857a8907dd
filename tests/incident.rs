//! A state that is pinned at an incident, with the clocks that run from there; and what somebody gets who asks what is held about
//! them.

use crate::crash::SmallDisk;
use crate::harness::{Home, Ran, SMALL, is_root_for};
use crate::served::Served;
use serde_json::{Value, json};
use std::path::Path;

const HOUR_SECONDS: u64 = 3600;

#[track_caller]
pub fn incidents(home: &Home) -> Vec<Value> {
    let told = home.ask(&["evidence", "clocks", "--json"]).ends(0, &[]).data();
    told["incidents"].as_array().unwrap_or_else(|| panic!("{told}")).clone()
}

#[test]
fn a_state_is_pinned_handed_over_and_its_clocks_run_until_it_is_settled() {
    let home = Home::with_picture("freeze");
    home.ask(&["evidence", "clocks"]).ends(0, &["evidence freeze"]);
    assert!(home.ask(&["status"]).ends(0, &[]).stdout.contains("none run"));
    let freeze =
        |words: &[&str]| home.ask(&[&["evidence", "freeze", "-o", &home.at("bundle")], words].concat());
    freeze(&["--reason", "bad luck"]).ends(2, &["breach, incident, vulnerability"]);
    freeze(&["--reason", "breach", "--law", "sox"]).ends(2, &["gdpr, dora, cra"]);
    assert!(!home.path().join("bundle").exists());
    let laws = ["--reason", "breach", "--law", "gdpr", "--law", "dora", "--json"];
    let made = freeze(&laws).ends(0, &["not from when somebody first knew"]).data();
    home.ask(&["evidence", "verify", &home.at("bundle")]).ends(0, &[]);
    let frozen = ["evidence.frozen ok", "reason=breach", "gdpr=true", "dora=true", "cra=false"];
    assert_eq!(home.count_records(&frozen), 1);
    // What is pinned is all that came before, and the bundle has its record.
    let records = home.records();
    let record = records.iter().find(|record| record.contains("evidence.frozen")).expect("it is on record");
    let number = record.split(' ').next().expect("a number");
    assert!(
        record.contains(&format!("size={number} ")) || record.ends_with(&format!("size={number}")),
        "{record}"
    );
    let handed = std::fs::read_to_string(home.path().join("bundle/audit/records.jsonl")).expect("it is text");
    assert!(handed.contains("\"evidence.frozen\""));
    // The clocks, by time: that of the law which is in a hurry first.
    let [incident] = &incidents(&home)[..] else { panic!("not one incident") };
    assert_eq!(
        (&incident["incident"], &incident["settled"]),
        (&made["incident"], &false.into()),
        "{incident}"
    );
    let clocks = incident["clocks"].as_array().expect("a list");
    let hours: Vec<u64> = clocks.iter().filter_map(|clock| clock["hours"].as_u64()).collect();
    assert_eq!(hours, [72, 4, 24, 72], "{clocks:?}");
    for clock in clocks {
        let (hours, left) = (clock["hours"].as_u64(), clock["left_seconds"].as_u64());
        let (hours, left) = hours.zip(left).unwrap_or_else(|| panic!("{clock}"));
        assert!(left <= hours * HOUR_SECONDS && left > hours * HOUR_SECONDS - 900, "{clock}");
        assert_eq!(clock["late"], false, "{clock}");
    }
    let status = home.ask(&["status"]).ends(4, &["evidence clocks"]);
    assert!(status.stdout.contains("DORA 19(4)(a) in 3 h"), "{status:#?}");
    // Done, once, by somebody.
    let name = made["incident"].as_str().expect("a name");
    home.ask(&["evidence", "settled", "j:AAAAAAAAAAAAAAAAAAAAAA"]).ends(5, &["evidence clocks"]);
    home.ask(&["evidence", "settled", "breach"]).ends(2, &["j:"]);
    home.ask(&["evidence", "settled", name]).ends(0, &[]);
    home.ask(&["evidence", "settled", name]).ends(6, &["already"]);
    assert_eq!(incidents(&home)[0]["clocks"], json!([]));
    home.ask(&["status"]).ends(0, &[]);
    assert_eq!(home.count_records(&["evidence.settled ok", name]), 1);
    home.is_whole(1);
}

/// A server that has the vault is no way to it, and nothing among the pictures is.
#[test]
fn where_no_state_can_be_pinned_nobody_is_told_that_one_is() {
    let home = Home::with_picture("freeze-not");
    let among = home.at("workspace/output_image/bundle");
    let freeze = |at: &str| home.ask(&["evidence", "freeze", "--reason", "breach", "-o", at]);
    freeze(&among).ends(6, &["among the pictures"]);
    home.ask(&["evidence", "export", "-o", &among]).ends(6, &["among the pictures"]);
    home.ask(&["evidence", "subject", "-o", &among]).ends(6, &["among the pictures"]);
    home.ask(&["history", "certificate", "--all", "-o", &among]).ends(6, &["among the pictures"]);
    assert!(!Path::new(&among).exists());
    assert_eq!(home.count_records(&["evidence.frozen"]), 0);
}

/// With a server that has the vault: the same words, the same files, and nobody has to stop it at an incident.
/// Who cannot get a bundle since the policy makes no sense has the clocks all the same.
#[test]
fn a_policy_that_makes_no_sense_keeps_no_state_from_being_pinned() {
    let home = Home::with_picture("freeze-without-policy");
    home.policy(b"schema = 1\nno_such_key = 1\n");
    let freeze = ["evidence", "freeze", "--reason", "breach", "-o", &home.at("bundle")];
    home.ask(&freeze)
        .ends(2, &["no_such_key", "the state is pinned", "evidence export --incident j:", "left empty"]);
    home.policy(b"schema = 1\n");
    let [incident] = &incidents(&home)[..] else { panic!("not one incident") };
    let name = incident["incident"].as_str().expect("a name");
    home.ask(&["evidence", "export", "--incident", name, "-o", &home.at("bundle")]).ends(0, &[]);
    home.ask(&["evidence", "verify", &home.at("bundle")]).ends(0, &[]);
    // A server that was started before goes by the policy of then.
    let served = Served::start(&home);
    home.policy(b"schema = 1\nno_such_key = 1\n");
    home.ask(&["evidence", "freeze", "--reason", "breach", "-o", &home.at("through")])
        .ends(0, &["no_such_key", "the policy that it was started with", "pinned by record"]);
    served.stop().ends(0, &[]);
    home.policy(b"schema = 1\n");
    assert_eq!(home.count_records(&["evidence.frozen ok"]), 2);
}

#[test]
fn a_running_server_pins_hands_over_settles_and_tells_a_person() {
    let home = Home::with_picture("freeze-through");
    let served = Served::start(&home);
    let ask = |arguments: &[&str]| home.ask(arguments);
    let freeze = |at: &str| {
        // Nobody signs in for it: there may be nobody who can.
        let at = home.at(at);
        Ran::of(&mut home.program(&[
            "evidence",
            "freeze",
            "--reason",
            "breach",
            "--lang",
            "en",
            "-o",
            &at,
            "--home",
            &home.at("state"),
            "--json",
        ]))
    };
    let made = freeze("frozen").ends(0, &["pinned by record"]).data();
    let job = made["incident"].as_str().expect("a name").to_owned();
    ask(&["evidence", "verify", &home.at("frozen")]).ends(0, &[]);
    let text = |name: &str| std::fs::read_to_string(home.path().join(name)).expect("it is text");
    assert!(text("frozen/incident.json").contains(&job) && !text("frozen/README.html").contains("zh-CN"));
    assert_eq!(home.count_records(&["evidence.frozen ok", &job]), 1);
    assert_eq!(home.count_records(&["evidence.exported ok", &job]), 1);
    // What makes no sense is said before anything is made, and what is there is not written over.
    let none = home.at("none");
    ask(&["evidence", "export", "-o", &none, "--lang", "de"]).ends(2, &["zh"]);
    ask(&["evidence", "export", "-o", &none, "--incident", "x"]).ends(2, &["j:"]);
    ask(&["evidence", "freeze", "-o", &none, "--reason", "bad luck"]).ends(2, &["breach, incident"]);
    ask(&["evidence", "settled", "x"]).ends(2, &["j:"]);
    ask(&["evidence", "subject", "a:x", "-o", &none])
        .ends(2, &["by their name, or by their pseudonym, `a:`"]);
    assert!(!Path::new(&none).exists());
    ask(&["evidence", "export", "-o", &home.at("frozen")]).ends(6, &["not empty"]);
    // As a signal leaves it.
    let signature = |name: &str| home.path().join("frozen").join(name);
    std::fs::rename(signature("manifest.dsse.json"), signature("manifest.dsse.part")).expect("it is ours");
    ask(&["evidence", "export", "-o", &home.at("frozen")]).ends(6, &["before it was signed", "remove it"]);
    std::fs::rename(signature("manifest.dsse.part"), signature("manifest.dsse.json")).expect("it is ours");
    ask(&["evidence", "export", "-o", &none, "--incident", "j:AAAAAAAAAAAAAAAAAAAAAA"])
        .ends(5, &["evidence clocks"]);
    std::fs::remove_dir(&none).expect("it is empty");
    // A bundle with somebody signed in: what needs the vault open is tried.
    let whole = ask(&["evidence", "export", "-o", &home.at("whole"), "--incident", &job, "--json"])
        .ends(0, &[])
        .data();
    ask(&["evidence", "verify", &home.at("whole")]).ends(0, &[]);
    assert!(
        text("whole/results.json").contains("\"control\":\"CRY-06\",\"outcome\":\"satisfied\""),
        "{whole}"
    );
    let modes = |name: &str| {
        use std::os::unix::fs::PermissionsExt as _;
        home.path().join(name).metadata().expect("it is there").permissions().mode() & 0o777
    };
    assert_eq!(
        (modes("whole"), modes("whole/audit"), modes("whole/audit/records.jsonl")),
        (0o700, 0o700, 0o600)
    );
    assert!(!home.path().join("state/evidence/bundle").exists(), "the server keeps none");
    let told = ask(&["evidence", "subject", "-o", &home.at("person"), "--json"]).ends(0, &[]).data();
    let sum = std::process::Command::new("sha256sum")
        .arg(home.at("person/subject.json"))
        .output()
        .expect("sha256sum");
    assert_eq!(&String::from_utf8_lossy(&sum.stdout)[..64], told["file"].as_str().expect("a digest"));
    assert!(text("person/subject.html").contains("What this installation holds about you"));
    assert_eq!(home.count_records(&["evidence.subject ok"]), 1);
    ask(&["evidence", "settled", "j:AAAAAAAAAAAAAAAAAAAAAA"]).ends(5, &["evidence clocks"]);
    ask(&["evidence", "settled", &job]).ends(0, &[]);
    ask(&["evidence", "settled", &job]).ends(6, &["already"]);
    assert_eq!(home.count_records(&["evidence.settled ok", &job]), 1);
    served.stop().ends(0, &[]);
    home.is_whole(1);
}

/// Nowhere to write at the other end: nothing of it is left there, and what the log says is said.
#[test]
fn a_bundle_that_finds_no_room_at_the_other_end_is_not_left_in_part() {
    if !is_root_for("mounting a small disk") {
        return;
    }
    let home = Home::with_picture("through-full");
    let served = Served::start(&home);
    let disk = SmallDisk::mount(home.at("disk"), "size=64k,mode=700");
    let at = home.at("disk/bundle");
    home.ask(&["evidence", "freeze", "--reason", "exercise", "-o", &at])
        .ends(10, &["pinned by record", "on record all the same", "evidence export --incident j:"]);
    assert_eq!(std::fs::read_dir(&at).map(Iterator::count).unwrap_or(0), 0);
    drop(disk);
    assert_eq!(home.count_records(&["evidence.frozen ok"]), 1);
    served.stop().ends(0, &[]);
    home.is_whole(1);
}

/// Nobody has to open the vault for it: at an incident there may be nobody who can.
#[test]
fn the_policy_names_laws_whose_clocks_run_whoever_pins() {
    let home = Home::with_picture("freeze-laws");
    home.policy(b"schema = 1\nincident_laws = [\"cra\", \"dora\"]\n");
    let freeze = |at: &str, more: &[&str]| {
        let words = ["evidence", "freeze", "-o", &home.at(at), "--reason", "exercise"];
        home.ask(&[&words[..], more].concat()).ends(0, &["the first clock ends in 4 h"]);
    };
    let laws = |[gdpr, dora, cra]: [bool; 3]| {
        let words = [format!("gdpr={gdpr}"), format!("dora={dora}"), format!("cra={cra}")];
        home.count_records(&["evidence.frozen ok", &words[0], &words[1], &words[2]])
    };
    freeze("alone", &[]);
    assert_eq!(laws([false, true, true]), 1);
    // Who is in a hurry and names one law forgets no other.
    freeze("named", &["--law", "gdpr"]);
    assert_eq!(laws([true, true, true]), 1);
    let served = Served::start(&home);
    freeze("through", &[]);
    served.stop().ends(0, &[]);
    assert_eq!(laws([false, true, true]), 2);
    home.policy(b"schema = 1\nincident_laws = [\"sox\"]\n");
    home.ask(&["config", "check", &home.at("state/config/policy.toml")]).ends(2, &["line 2"]);
}

#[test]
fn the_clocks_run_whatever_becomes_of_the_bundle() {
    if !is_root_for("mounting a small disk") {
        return;
    }
    let home = Home::with_picture("freeze-full");
    let _disk = SmallDisk::mount(home.at("disk"), "size=64k,mode=700");
    let at = home.at("disk/bundle");
    let arguments = ["evidence", "freeze", "--reason", "exercise", "-o", &at, "--home", &home.at("state")];
    Ran::of(&mut home.program(&arguments))
        .ends(10, &["pinned by record", "left empty", "evidence export --incident j:"]);
    assert_eq!(home.count_records(&["evidence.frozen ok", "a:system", "reason=exercise"]), 1);
    assert_eq!(home.count_records(&["evidence.exported"]), 0);
    assert_eq!(incidents(&home)[0]["clocks"].as_array().map(Vec::len), Some(1));
    let found = |code| {
        let data = home.ask(&["evidence", "run", "--json"]).ends(code, &[]).data();
        crate::controls::found_by(&data)["OPS-02"].clone()
    };
    assert_eq!(found(4), "not_satisfied");
    let job = incidents(&home)[0]["incident"].as_str().expect("a name").to_owned();
    home.ask(&["evidence", "export", "-o", &home.at("later"), "--incident", &job]).ends(0, &[]);
    assert_eq!(found(0), "satisfied");
}

/// A home with two people, and what the log calls them: the first one, and the second, who has made a picture.
fn two(test: &str) -> (Home, [String; 2]) {
    let home = Home::with_picture(test);
    home.add_second();
    as_second(&home, &[&["generate", "a vermilion axolotl", "--remember-prompt"], &SMALL[..]].concat())
        .ends(0, &[]);
    let records = home.records();
    let of = |slot: &str| {
        let mut opened = records.iter().rev();
        let record = opened.find(|record| record.contains("session.opened") && record.ends_with(slot));
        let record = record.unwrap_or_else(|| panic!("{slot}: {records:#?}"));
        record.split(' ').find(|word| word.starts_with("a:")).expect("a pseudonym").to_owned()
    };
    let slot = |of: &str| {
        let listed = home.ask(&["operator", "list", "--operator", "First", "--json"]).ends(0, &[]).data();
        let people = listed["people"].as_array().unwrap_or_else(|| panic!("{listed}")).clone();
        let person = people.into_iter().find(|person| person["name"] == of).expect("a person");
        format!("slot={}", person["slot"])
    };
    let pseudonyms = [of(&slot("First")), of(&slot("Second"))];
    (home, pseudonyms)
}

fn as_second(home: &Home, arguments: &[&str]) -> Ran {
    let keys = ["--home", &home.at("state"), "--passphrase-file", &home.at("second"), "--operator", "second"];
    Ran::of(&mut home.program(&[arguments, &keys].concat()))
}

fn told(dir: &Path) -> (Value, String) {
    let json = std::fs::read(dir.join("subject.json")).expect("it is there");
    let page = std::fs::read_to_string(dir.join("subject.html")).expect("it is text");
    (serde_json::from_slice(&json).expect("JSON"), page)
}

#[test]
fn who_asks_gets_what_is_held_about_them_and_nothing_of_others() {
    let (home, [first, second]) = two("subject");
    let about = home.path().join("about");
    let said = home
        .ask(&["evidence", "subject", &second, "-o", &home.at("about"), "--operator", "First", "--json"])
        .ends(0, &["hand it to nobody else"])
        .data();
    let (json, page) = told(&about);
    assert_eq!(
        (&json["name"], &json["role"], &json["pseudonym"]),
        (&"Second".into(), &"operator".into(), &json!(second))
    );
    assert_eq!(json["pictures"].as_array().map(Vec::len), Some(1), "{json}");
    assert_eq!(json["pictures"][0]["keeps_prompt"], true);
    // Everything that the log has under their pseudonym, and how they came to be there; nothing that only the other did.
    let lines: Vec<&str> = json["records"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|record| record["record"].as_str().expect("a line"))
        .collect();
    assert_eq!(said["records"], lines.len());
    let of_log =
        std::fs::read_to_string(home.path().join("state/audit/seg/00000000.jsonl")).expect("it is text");
    let own = of_log.lines().filter(|line| line.contains(&second)).count();
    assert_eq!(lines.iter().filter(|line| line.contains(&second)).count(), own);
    assert!(lines.iter().any(|line| line.contains("\"slot.added\"") && line.contains(&first)), "{lines:#?}");
    assert!(!lines.iter().any(|line| line.contains("\"vault.created\"")), "{lines:#?}");
    assert!(lines.iter().all(|line| of_log.contains(line)), "byte for byte");
    // To read, in both languages, without a script, and with nothing from elsewhere.
    for words in
        ["lang=\"en\"", "lang=\"zh-CN\"", "Second", "Your pictures", "您的图片", "default-src 'none'"]
    {
        assert!(page.contains(words), "{words}");
    }
    for word in ["<script", "http://", "https://", "vermilion"] {
        assert!(!page.contains(word) && !json.to_string().contains(word), "{word}");
    }
    // Their own, which needs no name; and nobody else's.
    as_second(&home, &["evidence", "subject", "-o", &home.at("mine")]).ends(0, &[]);
    assert_eq!(told(&home.path().join("mine")).0["pseudonym"], json!(second));
    let refused = home.count_records(&["request.refused denied", "reason=permission"]);
    as_second(&home, &["evidence", "subject", &first, "-o", &home.at("theirs")]).ends(6, &["left empty"]);
    assert_eq!(home.count_records(&["request.refused denied", "reason=permission"]), refused + 1);
    assert!(!home.path().join("theirs/subject.json").exists());
    let nobody =
        ["evidence", "subject", "a:AAAAAAAAAAAAAAAAAAAAAA", "-o", &home.at("nobody"), "--operator", "First"];
    home.ask(&nobody).ends(5, &["nobody"]);
    // By a name, as whoever asks for what is held about them has one.
    let named = |name: &str, dir: &str| {
        home.ask(&["evidence", "subject", name, "-o", &home.at(dir), "--operator", "First"])
    };
    let said = named("Second", "named").ends(0, &[]).stdout;
    assert!(said.contains(&format!("{second}, record ")), "{said}");
    assert_eq!(told(&home.path().join("named")).0["pictures"], json["pictures"]);
    named("SECOND", "folded").ends(0, &[]);
    named("Nobody", "no").ends(5, &["nobody in this vault has this name"]);
    as_second(&home, &["evidence", "subject", "First", "-o", &home.at("theirs-too")])
        .ends(6, &["left empty"]);
    home.ask(&["evidence", "subject", &second, "-o", &home.at("about"), "--operator", "First"])
        .ends(6, &["not empty"]);
    assert_eq!(home.count_records(&["evidence.subject ok", &second]), 1, "by themselves");
    assert_eq!(home.count_records(&["evidence.subject ok", &first]), 3, "by the admin");
}

#[test]
fn what_finds_no_room_is_not_handed_out() {
    if !is_root_for("mounting a small disk") {
        return;
    }
    let (home, [_, second]) = two("subject-full");
    let _disk = SmallDisk::mount(home.at("disk"), "size=4k,mode=700");
    let full = ["evidence", "subject", &second, "-o", &home.at("disk/about"), "--operator", "First"];
    home.ask(&full).ends(10, &["left empty"]);
    // It is on record before anything is written.
    assert_eq!(home.count_records(&["evidence.subject ok"]), 1);
    assert!(!home.path().join("disk/about/subject.json").exists());
}

/// Whoever sees a breach starts the clocks, by name; the bundle is the one that anybody of this account gets.
#[test]
fn an_operator_starts_the_clocks_and_gets_no_more_than_without_a_passphrase() {
    let (home, [_, second]) = two("freeze-operator");
    let refused = home.count_records(&["request.refused"]);
    for through in [false, true] {
        let served = through.then(|| Served::start(&home));
        let at = home.at(if through { "through" } else { "alone" });
        as_second(&home, &["evidence", "freeze", "--reason", "breach", "-o", &at])
            .ends(0, &["pinned by record"]);
        home.ask(&["evidence", "verify", &at]).ends(0, &[]);
        let results = std::fs::read_to_string(Path::new(&at).join("results.json")).expect("it is text");
        assert!(
            !results.contains("\"control\":\"CRY-06\",\"outcome\":\"satisfied\""),
            "tried for an operator"
        );
        if let Some(served) = served {
            served.stop().ends(0, &[]);
        }
    }
    assert_eq!(home.count_records(&["evidence.frozen ok", &second]), 2);
    assert_eq!(home.count_records(&["evidence.exported ok", "a:system"]), 2);
    // Trying the controls is still an admin's, and nobody was refused for what is allowed.
    assert_eq!(home.count_records(&["request.refused"]), refused);
    as_second(&home, &["evidence", "export", "-o", &home.at("no")]).ends(6, &["your role"]);
}
