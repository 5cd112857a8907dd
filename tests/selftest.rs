//! The engine against reference values, as a person can check it.

use crate::checkpoint::{TINY, copy};
use crate::harness::Home;
use serde_json::Value;
use std::path::Path;

const DEMO_GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/diffusion/testdata/demo-golden");

#[test]
fn alone_it_tries_the_fences_and_makes_a_picture() {
    let home = Home::furnished("selftest");
    let ran = home.ask(&["selftest"]).ends(0, &[]);
    assert!(ran.stdout.contains("forbidden operations were tried, each was denied"), "{ran:#?}");
    assert!(ran.stdout.contains("the demo model made a picture of"), "{ran:#?}");
}

#[test]
fn every_reference_folder_holds() {
    let home = Home::furnished("references");
    for folder in [TINY, DEMO_GOLDEN] {
        let ran = home.ask(&["selftest", "--reference", folder]).ends(0, &[]);
        let text = std::fs::read_to_string(Path::new(folder).join("cases.json")).expect("it is there");
        let cases: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}"));
        let cases = cases.as_object().unwrap_or_else(|| panic!("{cases}"));
        for case in cases.keys() {
            let lines: Vec<&str> = ran.stdout.lines().filter(|line| line.contains(case.as_str())).collect();
            assert!(lines.len() > 3, "{case}: {lines:#?}");
            assert!(lines.iter().all(|line| line.starts_with("ok ") && line.contains("bound")), "{lines:#?}");
        }
        assert!(ran.stdout.contains(" 0 beyond their bound"), "{ran:#?}");
    }
}

#[test]
fn a_value_that_differs_is_found() {
    let home = Home::furnished("tampered");
    let reference = home.path().join("reference");
    copy(Path::new(TINY), &reference);
    let file = reference.join("turbo_en.safetensors");
    let mut bytes = std::fs::read(&file).expect("it was copied");
    // The last value of the last tensor, and every other before it, moves by far more than a bound.
    let end = bytes.len();
    bytes[end - 64..].iter_mut().for_each(|byte| *byte ^= 0x55);
    std::fs::write(&file, bytes).expect("it can be written");
    let path = home.at("reference");
    let ran = home.ask(&["selftest", "--reference", &path]).ends(4, &[]);
    let failed: Vec<&str> = ran.stdout.lines().filter(|line| line.starts_with("FAIL")).collect();
    assert!(failed.len() == 1 && failed[0].contains("turbo_en"), "{failed:#?}");
    let ran = home.ask(&["selftest", "--reference", &path, "--json"]).ends(4, &[]);
    assert_eq!((&ran.object()["ok"], &ran.data()["beyond"]), (&Value::from(false), &Value::from(1)));
}

#[test]
fn a_folder_without_cases_is_no_proof() {
    let home = Home::furnished("no-cases");
    // Cases that are not there cannot be compared with, an empty list of them is a finding.
    let ran = home.ask(&["selftest", "--reference", &home.at("out"), "--json"]).ends(5, &["cases.json"]);
    assert_eq!((&ran.object()["ok"], &ran.object()["error"]["code"]), (&Value::from(false), &Value::from(5)));
    home.write("out/cases.json", b"{}");
    let ran = home.ask(&["selftest", "--reference", &home.at("out"), "--json"]).ends(4, &[]);
    assert_eq!((&ran.object()["ok"], &ran.data()["checks"]), (&Value::from(false), &serde_json::json!([])));
}
