//! `status`: what the files say of the appliance, beside a running server and after its end.

use crate::harness::{Home, PASSPHRASE, Ran};
use crate::http::Request;
use crate::served::Served;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::Command;

#[track_caller]
fn status(home: &Home, code: i32) -> Value {
    home.ask(&["status", "--json"]).ends(code, &[]).data()
}

#[test]
fn the_status_is_what_happens() {
    let home = Home::furnished("status");
    let none = status(&home, 0);
    assert_eq!(
        (&none["server"], &none["vault"], &none["records"]),
        (&json!("not running"), &json!("none"), &json!(0))
    );
    assert!(!home.path().join("state").join("audit").exists(), "a verb that looks makes nothing");
    let screen = home.ask(&["status"]).ends(0, &[]).stdout;
    assert!(screen.contains("none yet; make one with: lightproof serve"), "{screen}");
    assert!(screen.contains("model     demo, where") && none["model"] == "demo", "{screen}");
    // A server that waits for its setup has no vault whose lock would tell of it: nothing is said to be wrong.
    let served = Served::start(&home);
    let waits = status(&home, 0);
    assert!(waits["server"].as_str().is_some_and(|server| server.starts_with("unknown")), "{waits}");
    drop(served);
    home.generate(&["a red apple"]).ends(0, &[]);
    let made = status(&home, 0);
    assert_eq!((&made["vault"], &made["posture"]), (&json!("locked"), &json!("none")), "{made}");
    let served = Served::start(&home);
    let running = status(&home, 0);
    assert_eq!((&running["server"], &running["vault"]), (&json!("running"), &json!("locked")), "{running}");
    assert!(running["posture"] == "green" || running["posture"] == "amber", "{running}");
    assert_eq!(running["address"], served.origin());
    let unlock = |passphrase: &str| Request::post("/api/v1/session", &json!({ "passphrase": passphrase }));
    served.ask(&unlock("not what opens it")).is(401);
    assert_eq!(status(&home, 0)["wrong_guesses"], 1);
    served.ask(&unlock(PASSPHRASE)).is(201);
    let open = status(&home, 0);
    assert_eq!((&open["vault"], &open["wrong_guesses"]), (&json!("unlocked"), &json!(0)), "{open}");
    assert!(home.ask(&["status"]).ends(0, &[]).stdout.contains("running, process"));

    // A kill leaves no word, and that needs a person.
    served.kill();
    drop(served);
    let killed = status(&home, 4);
    assert_eq!(
        (&killed["server"], &killed["vault"]),
        (&json!("ended without a word"), &json!("locked")),
        "{killed}"
    );
    home.ask(&["status"]).ends(4, &["ended without a word"]);
    home.ask(&["evidence", "run"]);
    let tried = home.ask(&["status", "--json"]).data();
    assert!(tried["evidence_ms"].is_u64() && tried["server"] == "not running", "{tried}");

    // A policy that makes no sense is one thing that does, and not the only thing that is told.
    home.policy(b"nonsense = 1\n");
    let refused = status(&home, 4);
    assert_eq!(refused["records"], status(&home, 4)["records"], "{refused}");
    assert!(
        refused["vault"] == "locked" && refused["needs"].to_string().contains("policy.toml"),
        "{refused}"
    );
    home.ask(&["status"]).ends(4, &["policy.toml", "nonsense"]);
    std::fs::remove_file(home.path().join("state/config/policy.toml")).expect("it was just written");

    // What is gone needs a person.
    let (audit, vault) = (home.path().join("state/audit"), home.path().join("state/vault"));
    for (folder, says) in [(&audit, "the log that belongs"), (&vault, "the vault that the log tells of")] {
        let aside = home.path().join("aside");
        std::fs::rename(folder, &aside).expect("moved away");
        let screen = home.ask(&["status"]).ends(4, &[says]).stdout;
        assert!(!screen.contains("make one with"), "not beside what is left of another: {screen}");
        std::fs::rename(&aside, folder).expect("moved back");
    }
}

#[test]
fn a_policy_that_is_edited_beside_a_running_server_is_not_told_as_in_force() {
    let home = Home::furnished("status-policy");
    home.generate(&["a red apple"]).ends(0, &[]);
    home.policy(b"schema = 1\npicture_days_max = 30\n");
    let file = home.path().join("state/config/policy.toml");
    let served = Served::start(&home);
    let is_told = |code: i32| status(&home, code)["needs"].to_string().contains("start it again");
    assert!(!is_told(0));
    home.policy(b"schema = 1\npicture_days_max = 7\n");
    assert!(is_told(4));
    home.ask(&["status"]).ends(4, &["the policy's file is not the one that the server was started with"]);
    let told = home.ask(&["doctor"]);
    assert!(
        told.stdout.contains("the policy's file is not the one that the server was started with"),
        "{told:?}"
    );
    let path = file.to_str().expect("a path of the tests");
    for verb in [&["config", "show"][..], &["config", "check", path]] {
        home.ask(verb).ends(0, &["holds from the next start on", "lightproof status"]);
    }
    // Unlocked, too.
    served.ask(&Request::post("/api/v1/session", &json!({ "passphrase": PASSPHRASE }))).is(201);
    assert!(is_told(4));
    std::fs::remove_file(&file).expect("it is ours");
    assert!(is_told(4), "none in its place");
    home.policy(b"schema = 1\npicture_days_max = 30\n");
    assert!(!is_told(0), "put back");
    home.policy(b"schema = 1\npicture_days_max = 7\n");
    drop(served);
    let ended = home.ask(&["status", "--json"]).data();
    assert!(!ended["needs"].to_string().contains("start it again"), "nobody runs: {ended}");
}

/// What other people's parser reads of the numbers, each with its labels, once it has found every family to be as it must be.
#[track_caller]
fn parsed(home: &Home, text: &str) -> Result<BTreeMap<String, f64>, String> {
    let python = std::env::var("LIGHTPROOF_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let judge = "import json, re, sys
from prometheus_client.parser import text_string_to_metric_families
text = sys.stdin.read()
assert text.endswith('\\n') and '\\n\\n' not in text
found, names = {}, set()
for family in text_string_to_metric_families(text):
    assert family.name not in names and family.documentation and family.type in ('gauge', 'counter'), family
    names.add(family.name)
    for sample in family.samples:
        # What promtool's lint says of names and units.
        assert re.fullmatch('lightproof(_[a-z]+)+', sample.name), sample
        assert (family.type == 'counter') == sample.name.endswith('_total'), sample
        assert not re.search('milli|_ms|_kib|_days_seconds', sample.name) and sample.timestamp is None, sample
        key = sample.name + ''.join(sorted('|%s=%s' % pair for pair in sample.labels.items()))
        assert key not in found, key
        found[key] = sample.value
assert len(found) == sum(not line.startswith('#') for line in text.splitlines())
print(json.dumps(found))";
    home.write("tmp/numbers", text.as_bytes());
    let input = std::fs::File::open(home.at("tmp/numbers")).expect("it was written");
    let output = Command::new(&python).args(["-c", judge]).stdin(input).output().expect("python starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains("ModuleNotFoundError"), "tests/run installs it: {said}");
    serde_json::from_slice(&output.stdout).map_err(|_| said)
}

#[test]
fn the_numbers_are_what_a_monitor_reads_and_nobodys() {
    let home = Home::furnished("numbers");
    let numbers = |code: i32| home.ask(&["status", "--metrics"]).ends(code, &[]).stdout;
    let none = parsed(&home, &numbers(0)).expect("numbers");
    assert_eq!((none["lightproof_server|state=stopped"], none["lightproof_vault|state=none"]), (1.0, 1.0));
    // What nobody knows has no number.
    assert!(!none.keys().any(|name| name.contains("timestamp") || name.contains("satisfied")), "{none:?}");

    home.policy(b"schema = 1\npicture_days_max = 30\nnames_days_max = 400\n");
    home.generate(&["a red apple", "--remember-prompt"]).ends(0, &[]);
    home.ask(&["evidence", "run", "--quiet"]).ends(0, &[]);
    let file = home.at("out/a.backup");
    home.ask(&["backup", "create", "-o", &file]).ends(0, &[]);
    let served = Served::start(&home);
    let wrong = json!({ "passphrase": "not what opens it" });
    served.ask(&Request::post("/api/v1/session", &wrong)).is(401);
    let text = numbers(0);
    let found = parsed(&home, &text).expect("numbers");
    let status = status(&home, 0);
    for state in ["lightproof_server|state=running", "lightproof_vault|state=locked"] {
        assert_eq!(found[state], 1.0, "{found:?}");
    }
    for family in ["lightproof_server|", "lightproof_vault|", "lightproof_posture|"] {
        let of_it = found.iter().filter(|(name, _)| name.starts_with(family));
        assert_eq!(of_it.map(|(_, value)| value).sum::<f64>(), 1.0, "{family}: {found:?}");
    }
    assert_eq!(
        found[&format!("lightproof_posture|state={}", status["posture"].as_str().expect("a word"))],
        1.0
    );
    for (name, key, unit) in [
        ("lightproof_wrong_guesses", "wrong_guesses", 1.0),
        ("lightproof_log_records_total", "records", 1.0),
        ("lightproof_log_last_record_timestamp_seconds", "last_record_ms", 1000.0),
        ("lightproof_controls_tried_timestamp_seconds", "evidence_ms", 1000.0),
        ("lightproof_controls_not_satisfied", "not_satisfied", 1.0),
        ("lightproof_backup_timestamp_seconds", "backup_ms", 1000.0),
        ("lightproof_picture_days_max", "picture_days_max", 1.0),
        ("lightproof_names_days_max", "names_days_max", 1.0),
    ] {
        let told = status[key].as_f64().unwrap_or_else(|| panic!("{key}: {status}"));
        assert!((found[name] * unit - told).abs() < 1.0, "{name}: {found:?} {status}");
    }
    assert!(found["lightproof_room_bytes|for=vault"] > 0.0 && found["lightproof_needs"] == 0.0);
    // No path, process, address, picture or person.
    let picture = home.pictures()[0]["id"].as_str().expect("an id").to_owned();
    let port = served.port.to_string();
    let pid = format!(" {}\n", served.processes().server);
    for somebodys in [home.at(""), port, pid, picture, "apple".to_owned(), "127.0.0.1".to_owned()] {
        assert!(!text.contains(somebodys.trim_end_matches('/')), "{somebodys}: {text}");
    }
    served.kill();
    drop(served);
    let crashed = parsed(&home, &numbers(4)).expect("numbers");
    assert_eq!((crashed["lightproof_server|state=crashed"], crashed["lightproof_needs"]), (1.0, 1.0));
    home.ask(&["status", "--metrics", "--json"]).ends(2, &[]);

    // The parser would say something.
    for (from, to) in [
        ("# TYPE lightproof_needs gauge", "# TYPE lightproof_needs count"),
        ("lightproof_needs 0", "lightproof_needs none"),
        ("lightproof_needs 0", "lightproof_needs 0\nlightproof_needs 0"),
        ("state=\"running\"", "state=running"),
        ("# HELP lightproof_needs", "# Help lightproof_needs"),
    ] {
        assert!(text.contains(from) && parsed(&home, &text.replace(from, to)).is_err(), "{from} {to}");
    }
}

/// A run that nobody signed in for cannot see a damaged picture, and clears no alarm of one that did.
#[test]
fn a_run_that_measures_less_clears_no_alarm() {
    let home = Home::with_picture("alarm");
    let name = home.pictures()[0]["name"].as_str().expect("a picture has a name").to_owned();
    let sealed = home.path().join("workspace/output_image").join(format!("{name}.sealed"));
    let sound = std::fs::read(&sealed).expect("it is there");
    let run = |signed_in: bool, code: i32| {
        let mut arguments = vec!["evidence", "run", "--quiet", "--home"];
        let (state, words) = (home.at("state"), home.at("pass"));
        arguments.push(&state);
        if signed_in {
            arguments.extend(["--passphrase-file", &words]);
        }
        Ran::of(&mut home.program(&arguments)).ends(code, &[]);
    };
    run(true, 0);
    assert_eq!(status(&home, 0)["not_satisfied"], 0);
    let mut damaged = sound.clone();
    *damaged.last_mut().expect("it is not empty") ^= 1;
    std::fs::write(&sealed, &damaged).expect("it is ours");
    run(true, 4);
    let found = status(&home, 4)["not_satisfied"].clone();
    assert!(found.as_u64() > Some(0), "{found}");
    for _ in 0..2 {
        run(false, 0);
        let told = status(&home, 4);
        assert!(told["not_satisfied"] == found && told["needs"].to_string().contains("not hold"), "{told}");
        home.ask(&["evidence", "list"])
            .ends(0, &["was not satisfied when it was last measured", "evidence show"]);
    }
    std::fs::write(&sealed, &sound).expect("it is ours");
    run(true, 0);
    assert_eq!(status(&home, 0)["not_satisfied"], 0);
    run(false, 0);
    assert_eq!(status(&home, 0)["not_satisfied"], 0);
    let listed = home.ask(&["evidence", "list"]).ends(0, &[]);
    assert!(!listed.stderr.contains("not satisfied"), "{}", listed.stderr);
    // Of a vault that is no more nobody can mend anything.
    std::fs::write(&sealed, &damaged).expect("it is ours");
    run(true, 4);
    home.ask(&["vault", "destroy", "--yes"]).ends(0, &[]);
    assert_eq!(status(&home, 0)["not_satisfied"], Value::Null);
}

#[test]
fn a_record_that_cannot_be_read_ends_no_clock() {
    let home = Home::with_picture("clocks-unread");
    let freeze = ["evidence", "freeze", "--reason", "breach", "-o", &home.at("bundle")];
    home.ask(&freeze).ends(0, &[]);
    home.ask(&["status"]).ends(4, &["clocks of the incident"]);
    let segment = home.path().join("state/audit/seg/00000000.jsonl");
    let text = std::fs::read_to_string(&segment).expect("it is text");
    let lines = text.lines().map(|line| match line.contains("evidence.frozen") {
        true => format!("#{}\n", &line[1..]),
        false => format!("{line}\n"),
    });
    std::fs::write(&segment, lines.collect::<String>()).expect("it is ours");
    home.ask(&["evidence", "clocks"]).ends(11, &["verify"]);
    let told = home.ask(&["status"]).ends(4, &["nobody knows which clocks run", "audit verify"]);
    assert!(
        told.stdout.lines().any(|line| line.starts_with("clocks") && line.ends_with("unknown")),
        "{told:#?}"
    );
}
