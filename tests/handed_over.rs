//! Bundles that somebody disturbs while they are made, that are killed before they are whole, and those of an incident.

use crate::controls::found_by;
use crate::crash::{counted, under_strace};
use crate::harness::{Home, Ran};
use crate::served::Served;
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
    freeze(&second).ends(2, &["pinned by record", "controller.toml", "evidence export --incident j:"]);
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

/// Whoever freezes while another run has the turn gets the record all the same, and is told how to come by the bundle.
#[test]
fn a_server_pins_a_state_while_its_controls_are_being_tried() {
    let home = Home::with_picture("freeze-busy");
    let served = Served::start(&home);
    let (mut asked, mut busy) = (0, Vec::new());
    while busy.is_empty() && asked < 40 {
        let at: Vec<String> = (0..8).map(|n| home.at(&format!("at-{}", asked + n))).collect();
        // Nobody signs in, which one does after the other.
        let state = home.at("state");
        let words = ["evidence", "freeze", "--reason", "exercise", "--home", &state, "-o"];
        let freeze = |at: &String| Ran::of(&mut home.program(&[&words[..], &[at]].concat()));
        let freeze = &freeze;
        let ran: Vec<Ran> = std::thread::scope(|scope| {
            let all: Vec<_> = at.iter().map(|at| scope.spawn(move || freeze(at))).collect();
            all.into_iter().map(|one| one.join().expect("it does not panic")).collect()
        });
        asked += ran.len();
        busy.extend(ran.into_iter().filter(|ran| ran.code != Some(0)));
    }
    assert!(!busy.is_empty(), "nobody had to wait");
    let mut name = String::new();
    for ran in busy {
        let ran = ran.ends(9, &["pinned by record", "the state is pinned", "evidence export --incident j:"]);
        let rest = ran.stderr.split("--incident ").nth(1).and_then(|rest| rest.split(' ').next());
        name = rest.expect("a name").to_owned();
    }
    home.ask(&["evidence", "export", "--incident", &name, "-o", &home.at("later")]).ends(0, &[]);
    assert_eq!(home.count_records(&["evidence.exported ok", &name]), 1);
    assert_eq!(home.count_records(&["evidence.frozen ok"]), asked);
    served.stop().ends(0, &[]);
    home.is_whole(1);
}

/// Neither in the folder that a server takes its own bundles away from, nor among its pictures, wherever they lie.
#[test]
fn no_bundle_lies_among_what_a_server_has() {
    let home = Home::furnished("bundle-among");
    let chosen = home.at("chosen");
    home.generate(&["a red apple", "--outputs", &chosen]).ends(0, &[]);
    let served = ["serve", "--port", "0", "--home", &home.at("state"), "--outputs", &chosen];
    let served = Served::run(&mut home.program(&served));
    let before = home.count_records(&["evidence."]);
    let verbs: [&[&str]; 4] = [
        &["evidence", "export"],
        &["evidence", "freeze", "--reason", "exercise"],
        &["evidence", "subject"],
        &["history", "certificate", "--all"],
    ];
    let refuse = |verb: &[&str], at: &str, said: &str| {
        home.ask(&[verb, &["-o", &home.at(at)]].concat()).ends(6, &[said]);
        assert!(!home.path().join(at).exists(), "{verb:?} {at}");
    };
    for verb in verbs {
        refuse(verb, "chosen/bundle", "among the pictures");
        refuse(verb, "state/evidence/bundle", "state/evidence; choose another folder");
    }
    // A folder that does not say whose it is: the server does.
    for entry in fs::read_dir(&chosen).expect("it is there").flatten() {
        if entry.file_name().to_string_lossy().starts_with(".lightproof-") {
            fs::remove_file(entry.path()).expect("it is ours");
        }
    }
    home.ask(&["evidence", "subject", "-o", &home.at("chosen/person")]).ends(6, &["among the pictures"]);
    assert!(!home.path().join("chosen/person/subject.json").exists());
    assert_eq!(home.count_records(&["evidence."]), before);
    served.stop().ends(0, &[]);
    for verb in verbs {
        refuse(verb, "state/evidence/bundle", "state/evidence; choose another folder");
    }
    assert_eq!(home.count_records(&["evidence."]), before);
}

/// A server reads it once, and never passes over what was written since.
#[test]
fn what_the_controller_writes_beside_a_running_server_is_not_passed_over() {
    let home = Home::with_picture("controller-since");
    let config = home.path().join("state/config");
    fs::create_dir_all(&config).expect("it is ours");
    let write =
        |text: &str| home.write("state/config/controller.toml", format!("schema = 1\n{text}\n").as_bytes());
    let export = |code, said: &[&str]| {
        let _ = fs::remove_dir_all(home.path().join("bundle"));
        home.ask(&["evidence", "export", "-o", &home.at("bundle")]).ends(code, said);
    };
    let changed = ["controller.toml", "changed after the start", "start the server again"];
    let served = Served::start(&home);
    export(0, &[]);
    write("controller = \"Example GmbH\"");
    export(2, &changed);
    home.ask(&["evidence", "freeze", "--reason", "exercise", "-o", &home.at("frozen")])
        .ends(2, &["pinned by record", "start the server again", "evidence export --incident j:"]);
    fs::remove_file(config.join("controller.toml")).expect("it is ours");
    export(0, &[]);
    assert!(!served.stop().ends(0, &[]).stderr.contains("no bundle of evidence"));
    write("controller = 7");
    let served = Served::start(&home);
    export(2, &["controller is to be a text", "start the server again"]);
    write("controller = \"Example GmbH\"");
    export(2, &changed);
    served.stop().ends(0, &["no bundle of evidence can be made", "controller is to be a text"]);
    let served = Served::start(&home);
    export(0, &[]);
    let paper = fs::read_to_string(home.path().join("bundle/gdpr/record.html")).expect("it is text");
    assert!(paper.contains("Example GmbH"), "{paper}");
    served.stop().ends(0, &[]);
    home.is_whole(1);
}
