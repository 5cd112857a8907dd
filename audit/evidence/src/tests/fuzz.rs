//! What the check of a bundle parses, with changed inputs: nothing panics, nothing takes memory that the input does not pay
//! for, and what is accepted has one spelling.

use super::{Tried, run_of, satisfied};
use crate::bundle::{Manifest, PREDICATE};
use crate::dsse::Envelope;
use crate::run::{Run, reading_from_json, reading_to_json};
use crate::{controls, json};
use ::fuzz::Target;

const WORDS: [&str; 14] = [
    "{\"",
    "\":",
    "}",
    ",\"",
    "[]",
    "{}",
    "null",
    "-1",
    "9007199254740991",
    "\\u0041",
    "\"satisfied\"",
    "\"not_measured\"",
    "\"../\"",
    "AAAA",
];

fn target(name: &str) -> Target {
    Target::new(name).words(&WORDS)
}

fn of_bundle(name: &str) -> Vec<u8> {
    let tried = Tried::new("CRY-01");
    let (dir, ..) = tried.export("bundle", |_| ());
    std::fs::read(dir.join(name)).unwrap()
}

#[test]
fn list_of_files() {
    target("manifest").seed("whole", of_bundle("manifest.json")).run(|input| {
        let Some(manifest) = Manifest::parse(input) else { return false };
        assert_eq!(manifest.to_json(), input);
        let leads_out =
            |path: &str| path.starts_with('/') || path.split('/').any(|part| part.starts_with('.'));
        assert!(!manifest.files.iter().any(|file| leads_out(&file.path)));
        true
    });
}

#[test]
fn signature() {
    target("envelope")
        .seed("whole", of_bundle("manifest.dsse.json"))
        .run(|input| Envelope::parse(input, PREDICATE).is_some());
}

#[test]
fn results() {
    let run = run_of(controls().filter_map(satisfied).collect());
    // The catalogue is written anew to be compared, whatever the input.
    target("run").memory(4 << 20, 64).seed("whole", run.to_json()).run(|input| {
        let Ok(run) = Run::parse(input) else { return false };
        assert_eq!(run.to_json(), input);
        true
    });
}

/// No fact, and no name of one, holds a sentence, a path or an address of mail.
#[test]
fn one_result() {
    let run = run_of(controls().filter_map(satisfied).collect());
    let run: serde_json::Value = serde_json::from_slice(&run.to_json()).unwrap();
    let result = &run["results"][10];
    target("result").seed("whole", result.to_string()).run(|input| {
        let Some(value) = json::parse(input) else { return false };
        let Some(reading) = value.get("reading").and_then(reading_from_json) else { return false };
        let facts = reading_to_json(&reading)["facts"].to_string();
        assert!(!facts.contains([' ', '/', '@', '\\']), "{facts}");
        true
    });
}
