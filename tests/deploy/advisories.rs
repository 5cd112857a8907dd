//! What is said of advisories about parts of the program: in the form of OpenVEX, about exactly those that `deny.toml` ignores, and
//! about parts that are there.

use crate::deploy::{said, shipped, text};
use crate::harness::Home;
use serde_json::{Value, json};
use std::process::Command;

const STATEMENTS: &str = "lightproof.openvex.json";
/// As the specification publishes it (openvex/spec, version 0.2.0).
const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/deploy/openvex_json_schema.json");

fn statements() -> Value {
    serde_json::from_str(&text(STATEMENTS)).expect("it is JSON")
}

/// What another program says of a document by the schema; nothing where it fits.
fn judged(home: &Home, document: &Value) -> String {
    home.write("document", document.to_string().as_bytes());
    let judge = "import json, sys
from jsonschema import Draft202012Validator
schema, document = [json.load(open(path)) for path in sys.argv[1:]]
Draft202012Validator.check_schema(schema)
for error in Draft202012Validator(schema).iter_errors(document):
    print(error.message)";
    let python = std::env::var("LIGHTPROOF_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let output = Command::new(python).args(["-c", judge, SCHEMA, &home.at("document")]).output();
    said(&output.expect("python starts"))
}

#[test]
fn the_statements_have_the_form_of_openvex() {
    let home = Home::new("openvex");
    assert_eq!(judged(&home, &statements()), "");
    // It would say something.
    for (at, value) in [
        ("/statements/0/status", json!("harmless")),
        ("/statements/0/products/0", json!({ "name": "lightproof" })),
        ("/version", json!(0)),
        ("/statements", json!([])),
    ] {
        let mut broken = statements();
        *broken.pointer_mut(at).unwrap_or_else(|| panic!("{at}")) = value;
        assert_ne!(judged(&home, &broken), "", "{at}");
    }
    let mut silent = statements();
    let statement = silent["statements"][0].as_object_mut().expect("an object");
    statement.retain(|member, _| !["justification", "impact_statement"].contains(&member.as_str()));
    assert_ne!(judged(&home, &silent), "", "not affected, and nobody says why");
}

#[test]
fn every_advisory_that_is_ignored_has_its_statement_and_no_other() {
    let statements = statements();
    let deny = include_str!("../../deny.toml");
    let section =
        deny.split("[advisories]").nth(1).and_then(|rest| rest.split("\n[").next()).expect("a section");
    let ignored = |section: &str| -> Vec<String> {
        let ids = section.split("{ id = \"").skip(1).filter_map(|rest| rest.split('"').next());
        ids.map(str::to_owned).collect()
    };
    let named = |key: &str| -> Vec<String> {
        let all = statements["statements"].as_array().into_iter().flatten();
        all.filter_map(|one| one.pointer(key)?.as_str().map(str::to_owned)).collect()
    };
    assert_eq!(named("/vulnerability/name"), ignored(section));
    assert!(!ignored(section).is_empty() && section.contains("unmaintained = \"all\""), "{section}");
    // In the list no id can hide from this.
    assert_eq!(section.matches("RUSTSEC-").count(), ignored(section).len(), "{section}");

    let lock = include_str!("../../Cargo.lock");
    let parts = Command::new(shipped("sbom")).arg("lightproof").output().expect("the script starts");
    let parts = String::from_utf8_lossy(&parts.stdout).into_owned();
    assert!(parts.contains("\"pkg:cargo/burn-tensor@"), "{parts}");
    let version = concat!("pkg:generic/lightproof@", env!("CARGO_PKG_VERSION"));
    for one in statements["statements"].as_array().into_iter().flatten() {
        for product in one["products"].as_array().into_iter().flatten() {
            assert_eq!(product["@id"], version);
            let part = product["subcomponents"][0]["@id"].as_str().expect("a part");
            let (name, of) = part.trim_start_matches("pkg:cargo/").split_once('@').expect("a version");
            assert!(
                lock.contains(&format!("name = \"{name}\"\nversion = \"{of}\"\n")),
                "{part} is not in use"
            );
            let linked = parts.contains(&format!("\"{part}\""));
            assert_eq!(linked, one["justification"] != "component_not_present", "{part}");
        }
    }
}
