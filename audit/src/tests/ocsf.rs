use super::*;
use crate::event::SCHEMA;
use crate::token::{JobId, Object};
use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// A record of that type, with a value of every field, by somebody.
fn record(name: &str, actor: Actor, outcome: Outcome) -> Stored {
    let kind = schema(name).unwrap();
    let value = |kind: crate::Kind| match kind {
        crate::Kind::Int { .. } => "7".to_owned(),
        crate::Kind::Bool => "true".to_owned(),
        crate::Kind::Token(words) => quoted(words[0].0),
        crate::Kind::Hex { bytes } => quoted(&"ab".repeat(usize::from(bytes))),
        crate::Kind::Base64 { .. } => quoted("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
    };
    let fields = kind.fields.iter().map(|(field, kind)| (*field, value(*kind))).collect();
    let mut members = vec![
        ("actor", quoted(&actor.to_string())),
        ("boot", quoted("00000000")),
        ("d", json::object(fields)),
        ("epoch", "3".into()),
        ("mono", "1".into()),
        ("nonce", quoted(&"5c".repeat(16))),
        ("out", quoted(outcome.word())),
        ("prev", quoted("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")),
        ("seq", "41".into()),
        ("ts", quoted("2026-01-31T07:08:09.010Z")),
        ("type", quoted(name)),
        ("v", "1".into()),
    ];
    if kind.object {
        members.push(("obj", quoted(&Object([1; 16]).to_string())));
    }
    if kind.job {
        members.push(("job", quoted(&JobId([2; 16]).to_string())));
    }
    Stored::read(json::object(members).as_bytes()).unwrap()
}

#[test]
fn every_type_of_record_is_an_event_with_what_its_class_requires() {
    let names = |list: Vec<&'static str>| list.into_iter().collect::<BTreeSet<_>>();
    let mapped = MAPPED.iter().map(|(name, ..)| *name).collect::<Vec<_>>();
    assert_eq!(mapped.len(), SCHEMA.len(), "one row for each type");
    assert_eq!(names(mapped), names(SCHEMA.iter().map(|kind| kind.name).collect()));
    let mut all = String::new();
    for (name, class, activity) in MAPPED {
        for (actor, outcome) in [(Actor::System, Outcome::Ok), (Actor::Person([9; 16]), Outcome::Denied)] {
            let record = record(name, actor, outcome);
            let line = ocsf(&record, "origin/of/the/log");
            all += &format!("{line}\n");
            let has = |part: String| assert!(line.contains(&part), "{name} lacks {part}: {line}");
            let number = *class as u32;
            has(format!("\"class_uid\":{number},"));
            has(format!("\"type_uid\":{},", number * 100 + activity));
            has(format!("\"category_uid\":{},", number / 1000));
            has("\"time\":1769843289010,".into());
            has("\"sequence\":41,\"uid\":\"origin/of/the/log/41\",\"version\":\"1.8.0\"".into());
            has(format!("\"event_code\":\"{name}\""));
            has(format!("\"status_id\":{},", if outcome == Outcome::Ok { 1 } else { 2 }));
            has(format!("\"leaf\":\"{}\"", record.leaf()));
            // Every field is there, with its value.
            let d = &record.json()[record.json().find("\"d\":").unwrap()..];
            has(d[..=d.find('}').unwrap()].to_owned());
            if let Actor::Person(_) = actor {
                has(format!("\"actor\":{{\"user\":{{\"uid\":\"{actor}\"}}}}"));
            }
            let required: &[&str] = match class {
                Files => &["file\":{\"name", "device"],
                Logs => &["log_name"],
                Compliance => &["compliance\":{\"control", "finding_info\":{\"title"],
                Finding => &["finding_info\":{\"title"],
                SignIn => &["user", "service\":{\"name"],
                Entity => &["entity\":{\"name"],
                Config => &["device\":{\"name"],
                Life => &["app\":{\"name"],
                Api => &["api\":{\"operation", "src_endpoint\":{\"svc_name"],
                Fault | Class::Base => &[],
            };
            required
                .iter()
                .chain(&["actor", "severity_id", "message"])
                .for_each(|part| has(format!("\"{part}\"")));
            assert_eq!(line.contains("\"activity_name\":"), *activity == OTHER, "{name}");
            assert!(!line.contains("message_context") && !line.contains(&"5c".repeat(16)), "{name}: {line}");
        }
    }
    // Somebody else's validator, by the schema that OCSF publishes, says the same; and it can say otherwise.
    all += &format!("{}\n", damaged(7, 1, "origin/of/the/log"));
    assert_eq!(validated(&all), "");
    let wrong = all.lines().next().unwrap().replacen("\"severity_id\":", "\"severity\":", 1);
    assert!(validated(&wrong).contains("'severity_id' is a required property"), "{}", validated(&wrong));
}

/// What a validator of JSON schemas has to say of these events, one line for each that is wrong.
fn validated(events: &str) -> String {
    let python = std::env::var("LIGHTPROOF_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let mut command = Command::new(&python);
    command.args(["-c", VALIDATOR]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut validator = command.spawn().unwrap();
    // It reads all of them before it says anything.
    validator.stdin.take().unwrap().write_all(events.as_bytes()).unwrap();
    let output = validator.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{python}, with what tests/run installs for it: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

const VALIDATOR: &str = "
import json, sys
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema
published = get_ocsf_schema(version='1.8.0')
classes = {of['uid']: name for name, of in published['classes'].items()}
events = [json.loads(line) for line in sys.stdin.read().splitlines()]
by_class = {}
for event in events:
    profiles = tuple(event['metadata'].get('profiles', []))
    key = event['class_uid'], profiles
    if key not in by_class:
        schema = OcsfJsonSchemaEmbedded(published).get_class_schema(classes[event['class_uid']], list(profiles))
        by_class[key] = Draft202012Validator(schema)
    found = [f'{error.message[:160]} at {list(error.path)}' for error in by_class[key].iter_errors(event)]
    if found:
        print(event['metadata'].get('event_code'), *found)
";

#[test]
fn a_type_of_a_later_version_is_a_base_event() {
    let known = record("fence.found_open", Actor::System, Outcome::Ok);
    let later = known.json().replace("fence.found_open", "fence.mended");
    let later = Stored::parse(later.as_bytes()).unwrap();
    let line = ocsf(&later, "origin");
    for part in [
        "\"class_uid\":0,",
        "\"type_uid\":99,",
        "\"activity_name\":\"fence.mended\"",
        "\"message\":\"fence.mended\"",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
}

#[test]
fn what_an_event_is_about_goes_by_its_number() {
    for (name, uid) in [
        ("slot.added", "slot/7\""),
        ("token.made", "token/41\""),
        ("token.ended", "token/7\""),
        ("act.asked", "act/41\""),
        ("vault.rolled", "vault\""),
        ("backup.written", "backup/j:"),
    ] {
        let line = ocsf(&record(name, Actor::System, Outcome::Ok), "origin");
        assert!(line.contains(&format!("\"entity\":{{\"name\":\"{uid}")), "{uid}: {line}");
    }
}
