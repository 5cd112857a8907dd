//! Bundles that somebody disturbs while they are made, that are killed before they are whole, and those of an incident.

use crate::controls::found_by;
use crate::crash::{counted, under_strace};
use crate::harness::{Home, Ran};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The manifest of a bundle as the record names it.
fn manifest(bundle: &str) -> String {
    let sum = Command::new("sha256sum").arg(format!("{bundle}/manifest.json")).output().expect("sha256sum");
    format!("manifest={}", &String::from_utf8_lossy(&sum.stdout)[..64])
}

/// Runs the program while somebody writes over a file as soon as it is there.
fn disturbed(home: &Home, arguments: &[&str], file: &str) -> Ran {
    let (path, done): (PathBuf, AtomicBool) = (home.path().join(file), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                if path.metadata().is_ok_and(|meta| meta.len() > 1) {
                    let _ = fs::write(&path, "x");
                }
                std::thread::sleep(Duration::from_micros(200));
            }
        });
        let ran = home.ask(arguments);
        done.store(true, Ordering::Relaxed);
        ran
    })
}

#[test]
fn a_bundle_that_does_not_pass_its_own_check_leaves_only_if_somebody_says_so() {
    let home = Home::with_picture("failing-bundle");
    let at = home.at("bundle");
    let export = ["evidence", "export", "-o", &at];
    let said = ["does not pass its own check", "policy.txt", "--include-failures", "left empty"];
    disturbed(&home, &export, "bundle/policy.txt").ends(11, &said);
    assert_eq!(home.count_records(&["evidence.exported"]), 0);
    let all_the_same = [&export[..], &["--include-failures", "--json"]].concat();
    let made = disturbed(&home, &all_the_same, "bundle/policy.txt").ends(0, &["and says so"]).data();
    assert!(made["failures"].as_u64() > Some(0), "{made}");
    assert_eq!(home.count_records(&["evidence.exported_failing ok", "findings=", &manifest(&at)]), 1);
    assert_eq!(home.count_records(&["evidence.exported ok"]), 0);
    let gov =
        |code| found_by(&home.ask(&["evidence", "run", "--json"]).ends(code, &[]).data())["GOV-02"].clone();
    assert_eq!(gov(4), "not_satisfied");
    // It tells of it to whoever reads it and to whoever checks it; and what was disturbed again is found again.
    let page = fs::read_to_string(home.path().join("bundle/README.html")).expect("it is text");
    assert!(
        page.contains("did not pass its own check") && page.contains("<code>policy.txt</code>"),
        "{page}"
    );
    let checked = home.ask(&["evidence", "verify", &at, "--json"]).data();
    assert_eq!(checked["failures"], made["failures"], "{checked}");
    // One that nobody disturbs says nothing of the kind, whatever was asked for.
    let sound = home.at("sound");
    home.ask(&["evidence", "export", "-o", &sound, "--include-failures"]).ends(0, &[]);
    assert_eq!(home.ask(&["evidence", "verify", &sound, "--json"]).ends(0, &[]).data()["failures"], 0);
    assert_eq!(home.count_records(&["evidence.exported ok", &manifest(&sound)]), 1);
    assert_eq!(gov(0), "satisfied");
    home.is_whole(1);
}

/// Killed before any rename, and before the last writes and syncs: what verifies is on record.
#[test]
fn a_bundle_that_verifies_is_on_record_whenever_its_making_is_killed() {
    let home = Home::with_picture("killed-bundle");
    let at = home.at("bundle");
    let export = ["evidence", "export", "-o", &at];
    let calls = counted(&home, &export);
    fs::remove_dir_all(&at).expect("it was made");
    let (mut whole, mut killed) = (0, 0);
    for call in ["rename", "renameat2", "fsync", "fdatasync", "write"] {
        let Some(last) = calls.get(call).copied() else { continue };
        for when in last.saturating_sub(5).max(1)..=last {
            let ran = Ran::of(&mut under_strace(&home, &export, Some((call, when))));
            killed += u32::from(ran.code != Some(0));
            if home.ask(&["evidence", "verify", &at]).code == Some(0) {
                whole += 1;
                assert_eq!(home.count_records(&["evidence.exported ok", &manifest(&at)]), 1, "{call} {when}");
            }
            let _ = fs::remove_dir_all(&at);
        }
    }
    assert!(whole > 0 && killed > 5, "{whole} were whole, and {killed} killed: {calls:?}");
    home.ask(&export).ends(0, &[]);
    home.is_whole(1);
}

#[test]
fn a_bundle_of_a_freeze_names_its_incident_and_no_other_bundle_is_taken_for_it() {
    let home = Home::with_picture("incident-bundle");
    let ops =
        |code| found_by(&home.ask(&["evidence", "run", "--json"]).ends(code, &[]).data())["OPS-02"].clone();
    let freeze = |at: &str| home.ask(&["evidence", "freeze", "--reason", "breach", "-o", at, "--json"]);
    let (first, second) = (home.at("first"), home.at("second"));
    let incident = |ran: Ran| ran.ends(0, &[]).data()["incident"].as_str().expect("a name").to_owned();
    let job = incident(freeze(&first));
    let text = |name: &str| fs::read_to_string(home.path().join(name)).unwrap_or_default();
    assert!(text("first/incident.json").contains(&job) && text("first/README.html").contains("incident"));
    assert_eq!(home.count_records(&["evidence.exported ok", &job]), 1);
    assert_eq!(ops(0), "satisfied");
    // One whose bundle cannot be made stays open whatever else is handed out, until its own is.
    fs::create_dir(&second).expect("a home can be written");
    let config = home.path().join("state/config");
    fs::create_dir_all(&config).expect("it is ours");
    fs::write(config.join("controller.toml"), "schema = 7").expect("it is ours");
    freeze(&second).ends(2, &["pinned by record", "controller.toml"]);
    fs::remove_file(config.join("controller.toml")).expect("it is there");
    home.ask(&["evidence", "export", "-o", &home.at("other")]).ends(0, &[]);
    assert_eq!(ops(4), "not_satisfied");
    assert!(!home.path().join("other/incident.json").exists());
    let clocks = home.ask(&["evidence", "clocks", "--json"]).ends(0, &[]).data();
    let name = clocks["incidents"][1]["incident"].as_str().expect("a name").to_owned();
    let export = |name: &str| home.ask(&["evidence", "export", "-o", &second, "--incident", name]);
    export("j:AAAAAAAAAAAAAAAAAAAAAA").ends(5, &["evidence clocks"]);
    export("breach").ends(2, &["j:"]);
    export(&name).ends(0, &[]);
    home.ask(&["evidence", "verify", &second]).ends(0, &[]);
    assert!(text("second/incident.json").contains(&name));
    assert_eq!(ops(0), "satisfied");
    home.is_whole(1);
}
