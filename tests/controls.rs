//! The controls: tried on a sound appliance, and on one that somebody has broken from outside; and the bundle of what was found.

use crate::checkpoint::copy;
use crate::harness::{Home, Ran, behind};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is satisfied on a sound appliance with a picture, whose controls were tried before.
const SATISFIED: [&str; 29] = [
    "LOG-02", "ACC-03", "ACC-05", "ERA-01", "GOV-03", "INT-01", "KEY-02", "KEY-03", "LOG-01", "PRV-06",
    "NET-02", "CRY-01", "CRY-02", "CRY-03", "PRV-08", "AIT-02", "AIT-03", "INT-03", "CRY-05", "CRY-06",
    "LOG-03", "LOG-04", "LOG-05", "LOG-07", "LOG-09", "LOG-12", "PRV-03", "INT-02", "GOV-01",
];

/// What a run found, by control: the outcome and its reason.
fn found(ran: &Ran) -> BTreeMap<String, String> {
    found_by(&ran.data())
}

/// The same of what it answered.
pub fn found_by(data: &Value) -> BTreeMap<String, String> {
    let results = data["results"].as_array().unwrap_or_else(|| panic!("{data}"));
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let of = |result: &Value| (word(&result["control"]), [word(&result["outcome"]), word(&result["reason"])]);
    results.iter().map(of).map(|(id, words)| (id, words.join(" ").trim().to_owned())).collect()
}

/// Tries the controls with the vault open.
fn tried(home: &Home, code: i32) -> BTreeMap<String, String> {
    found(&home.ask(&["evidence", "run", "--json"]).ends(code, &[]))
}

fn sealed(home: &Home) -> PathBuf {
    let outputs = home.path().join("workspace/output_image");
    let entries = std::fs::read_dir(&outputs)
        .expect("it is there")
        .map(|entry| entry.expect("it can be listed").path());
    entries
        .into_iter()
        .find(|path| path.extension().is_some_and(|end| end == "sealed"))
        .expect("a sealed picture")
}

#[test]
fn a_sound_appliance_satisfies_what_can_be_tried_and_claims_no_more() {
    let home = Home::with_picture("controls");
    let first = tried(&home, 0);
    assert_eq!(first.len(), 64);
    assert_eq!(first["GOV-01"], "not_measured never_tried");
    assert_eq!(first["ERA-04"], "not_applicable nothing_erased");
    let second = tried(&home, 0);
    let satisfied: Vec<&str> =
        second.iter().filter(|(_, found)| *found == "satisfied").map(|(id, _)| id.as_str()).collect();
    let mut wanted = SATISFIED;
    wanted.sort_unstable();
    assert_eq!(satisfied, wanted);
    assert_eq!(second["NET-01"], "not_measured no_listener");
    // What needs a key is not measured without one, and nobody is asked for it.
    let shut =
        found(&Ran::of(&mut home.program(&["evidence", "run", "--json", "--home", &home.at("state")])));
    assert_eq!(
        (shut["CRY-06"].as_str(), shut["LOG-05"].as_str()),
        ("not_measured locked", "not_measured locked")
    );
    assert_eq!(shut["CRY-01"], "satisfied");
    home.ask(&["history", "rm", "--all", "--yes"]).ends(0, &[]);
    let empty = tried(&home, 0);
    assert_eq!(empty["ERA-04"], "satisfied");
    assert_eq!(
        (empty["CRY-06"].as_str(), empty["PRV-03"].as_str()),
        ("not_applicable no_pictures", "not_applicable no_pictures")
    );
    assert_eq!(home.count_records(&["evidence.tried ok", "not_satisfied=0"]), 4);
    home.is_whole(0);
}

#[test]
fn what_is_broken_in_the_folder_of_pictures_is_not_satisfied() {
    type Break = fn(&Path, &Path);
    let breaks: [(&str, Break); 5] = [
        ("CRY-01", |_, folder| {
            std::fs::write(folder.join("apple.png"), b"\x89PNG\r\n\x1a\n").expect("it can be written")
        }),
        ("CRY-01", |sealed, _| std::fs::write(sealed, b"\x89PNG\r\n\x1a\n").expect("it can be written")),
        ("CRY-05", |sealed, folder| {
            std::fs::copy(sealed, folder.join("20240115_142345_abc123.png.sealed"))
                .map(drop)
                .expect("it can be written");
        }),
        ("PRV-03", |sealed, folder| {
            std::fs::rename(sealed, folder.join("anna-at-the-lake.png.sealed")).expect("it can be renamed");
        }),
        ("CRY-06", |sealed, _| {
            let mut bytes = std::fs::read(sealed).expect("it is there");
            *bytes.last_mut().expect("it is not empty") ^= 1;
            std::fs::write(sealed, bytes).expect("it can be written");
        }),
    ];
    for (id, break_it) in breaks {
        let home = Home::with_picture("broken-pictures");
        assert_eq!(tried(&home, 0)[id], "satisfied", "{id}");
        let sealed = sealed(&home);
        break_it(&sealed, sealed.parent().expect("it lies in a folder"));
        assert_eq!(tried(&home, 4)[id], "not_satisfied", "{id}");
        let said = home.ask(&["evidence", "run"]).ends(4, &[]).stdout;
        assert!(said.lines().next().is_some_and(|line| line.starts_with("not satisfied")), "{said}");
        assert!(said.contains(&format!("not satisfied   {id}")), "{said}");
        // A timer hears of that, and of nothing else.
        let quiet = home.ask(&["evidence", "run", "--quiet"]).ends(4, &[]).stdout;
        assert!(quiet.contains(&format!("not satisfied   {id}")), "{quiet}");
        assert!(quiet.lines().all(|line| line.starts_with("not satisfied")), "{quiet}");
        assert_eq!(home.count_records(&["evidence.tried ok", "not_satisfied=0"]), 1);
    }
}

#[test]
fn the_folder_of_another_vault_is_not_taken_for_this_ones() {
    let (home, other) = (Home::with_picture("whose"), Home::with_picture("whose-other"));
    let outputs = other.at("workspace/output_image");
    let run = home
        .program(&["evidence", "run", "--json", "--home", &home.at("state"), "--outputs", &outputs])
        .output();
    let found = found(&Ran::from(run.expect("it starts")).ends(0, &[]));
    assert_eq!(
        (found["CRY-01"].as_str(), found["PRV-03"].as_str()),
        ("not_measured trial_failed", "not_measured trial_failed")
    );
}

/// Where no network of its own can be made the start refuses, and where the policy lets it go on the control does not hold.
#[test]
fn a_process_without_a_network_of_its_own_is_not_satisfied() {
    let home = Home::with_picture("own-network");
    // No more namespaces of these kinds, for whoever is in this one.
    let none = "echo 0 > /proc/sys/user/max_net_namespaces && echo 0 > /proc/sys/user/max_user_namespaces && exec \"$@\"";
    let outer = ["unshare", "--user", "--map-root-user", "sh", "-c", none, "sh"];
    let run = |arguments: &[&str]| Ran::of(&mut behind(&outer, &home.furnished_program(arguments)));
    run(&["evidence", "run", "--json"]).ends(12, &["network"]);
    home.policy(b"schema = 1\nmissing_network_namespace = \"allow\"\n");
    let found = found(&run(&["evidence", "run", "--json"]).ends(4, &[]));
    assert_eq!((found["NET-02"].as_str(), found["INT-02"].as_str()), ("not_satisfied", "not_satisfied"));
}

#[test]
fn a_log_or_vault_that_was_changed_is_not_satisfied_or_keeps_the_start_away() {
    let home = Home::with_picture("broken-log");
    let (state, kept) = (home.path().join("state"), home.path().join("kept"));
    copy(&state, &kept);
    let fresh = || {
        std::fs::remove_dir_all(&state).expect("it is there");
        copy(&kept, &state);
    };
    // An older log beside the vault that remembers more of it.
    copy(&state.join("audit"), &home.path().join("older"));
    home.generate(&["x"]).ends(0, &[]);
    std::fs::remove_dir_all(state.join("audit")).expect("it is there");
    copy(&home.path().join("older"), &state.join("audit"));
    home.ask(&["evidence", "run"]).ends(11, &[]);
    assert_eq!(home.count_records(&["log.mark_missed failed"]), 1);
    // A changed record.
    fresh();
    let segment = state.join("audit/seg/00000000.jsonl");
    let text = std::fs::read_to_string(&segment).expect("it is text");
    std::fs::write(&segment, text.replacen("generate.requested", "generate.requestex", 1))
        .expect("it can be written");
    home.ask(&["evidence", "run"]).ends(11, &[]);
    // A vault whose passphrase costs next to nothing to guess: whoever made it so has not the keys to say so.
    fresh();
    for name in ["vault", "vault.mirror"] {
        let path = state.join("vault").join(name);
        let Ok(mut bytes) = std::fs::read(&path) else { continue };
        let cost = [&262_144u32.to_be_bytes()[..], &3u32.to_be_bytes(), &4u32.to_be_bytes()].concat();
        let at = bytes.windows(12).position(|window| window == cost).expect("the cost of the first slot");
        bytes[at..at + 4].copy_from_slice(&19_456u32.to_be_bytes());
        std::fs::write(&path, bytes).expect("it can be written");
    }
    home.ask(&["evidence", "run"]).ends(11, &[]);
    fresh();
}

#[test]
fn what_was_found_is_shown_as_the_log_names_it() {
    let home = Home::with_picture("history-of-controls");
    let listed = home.ask(&["evidence", "list", "--json"]).ends(0, &[]).data();
    assert!(
        listed["tried"].is_null() && listed["controls"].as_array().is_some_and(|all| all.len() == 64),
        "{listed}"
    );
    assert!(!home.path().join("state/evidence").exists(), "a look made a folder");
    let first = home.ask(&["evidence", "run", "--json"]).ends(0, &[]).data();
    let second = home.ask(&["evidence", "run", "--json"]).ends(0, &[]).data();
    let listed = || home.ask(&["evidence", "list", "--json"]).ends(0, &[]).data();
    assert_eq!(
        (&listed()["tried"]["run"], &listed()["tried"]["record"]),
        (&second["run"], &second["record"])
    );
    let shown = home.ask(&["evidence", "show", "net-02", "--json"]).ends(0, &[]).data();
    assert_eq!(
        (&shown["control"]["id"], shown["results"].as_array().map(Vec::len)),
        (&"NET-02".into(), Some(2))
    );
    assert!(home.ask(&["evidence", "show", "NET-02"]).ends(0, &[]).stdout.contains("own_network=true"));
    home.ask(&["evidence", "show", "NET-99"]).ends(5, &["evidence list"]);
    // What no record names is nobody's, however well it is made; so is a pipe, and a link.
    let folder = home.path().join("state/evidence");
    let run = |data: &Value| folder.join(format!("{}.json", data["run"].as_str().expect("a digest")));
    let text = std::fs::read_to_string(run(&second)).expect("it is text");
    let planted = text.replacen("\"took_ms\":", "\"took_ms\":1", 1);
    home.write("planted", planted.as_bytes());
    let sum = Command::new("sha256sum").arg(home.path().join("planted")).output().expect("sha256sum");
    let sum = String::from_utf8_lossy(&sum.stdout)[..64].to_owned();
    std::fs::rename(home.path().join("planted"), folder.join(format!("{sum}.json"))).expect("it is ours");
    let pipe = Command::new("mkfifo").arg(folder.join("pipe.json")).status();
    assert!(pipe.is_ok_and(|status| status.success()));
    std::os::unix::fs::symlink("/dev/zero", folder.join("zero.json")).expect("it is ours");
    assert_eq!(listed()["tried"]["run"], second["run"]);
    std::fs::write(run(&second), text.replacen("\"satisfied\"", "\"not_satisfied\"", 1))
        .expect("it can be written");
    assert_eq!(listed()["tried"]["run"], first["run"], "a changed file is no run");
    // Ten are kept, and what is foreign stays.
    for _ in 0..10 {
        let run = home.program(&["evidence", "run", "--home", &home.at("state")]).output();
        Ran::from(run.expect("it starts")).ends(0, &[]);
    }
    let shown = home.ask(&["evidence", "show", "NET-02", "--json"]).ends(0, &[]).data();
    let shown = shown["results"].as_array().map(Vec::len);
    assert!(shown.is_some_and(|shown| (9..=10).contains(&shown)), "{shown:?}");
    assert!(folder.join("pipe.json").symlink_metadata().is_ok());
    // Only the newest can be told from a run that was never there.
    std::fs::remove_dir_all(&folder).expect("it is ours");
    assert!(listed()["tried"].is_null());
}
