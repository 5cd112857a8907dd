//! Controls that are broken by somebody who has a passphrase and another program, or the clock of the machine: each is satisfied
//! before, and not afterwards, and nothing else looks amiss.

use crate::controls::found_by;
use crate::harness::{Home, Ran, behind, is_root_for};
use std::process::Command;

/// What the verb finds with the vault open.
#[track_caller]
fn tried(home: &Home, code: i32) -> std::collections::BTreeMap<String, String> {
    found_by(&home.ask(&["evidence", "run", "--json"]).ends(code, &[]).data())
}

/// The controls that do not hold, but for the one that rests on all others.
#[track_caller]
fn broken(home: &Home) -> Vec<String> {
    let found = tried(home, 4);
    let broken = found.into_iter().filter(|(id, outcome)| outcome == "not_satisfied" && id != "GOV-03");
    broken.map(|(id, _)| id).collect()
}

/// Runs `another_program.py` over the vault of a home.
#[track_caller]
fn by_another_program(home: &Home, what: &str, words: [&str; 2]) {
    let python = std::env::var("LIGHTPROOF_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/another_program.py");
    let places = [home.at("state/vault"), home.at("workspace/output_image"), home.at("pass")];
    let mut command = Command::new(python);
    command.arg("-B").arg(script).arg(what).args(places).args(words);
    let ran = Ran::of(&mut command);
    assert_eq!(ran.code, Some(0), "tests/run makes a Python that has what it needs: {ran:#?}");
}

/// Whoever seals a picture with the keys of the vault leaves nothing damaged, and the marks are gone or wrong all the same.
#[test]
fn a_picture_that_another_program_sealed_with_other_marks_is_not_satisfied() {
    const SOURCE: [&str; 2] = ["sourcetype/trainedAlgorithmicMedia", "sourcetype/digitalCapture         "];
    // It is suspected to be made by a model, which is another label.
    const LABEL: [&str; 2] = ["&quot;Label&quot;:&quot;1&quot;", "&quot;Label&quot;:&quot;3&quot;"];
    const PROMPT: [&str; 2] = ["<?xpacket end=\"r\"?>", "<!--a red apple -->"];
    const CHUNK: [&str; 2] = ["sRGB", "tEXt"];
    let home = Home::with_picture("other-marks");
    let sound = tried(&home, 0);
    for id in ["AIT-02", "AIT-03", "PRV-08", "CRY-06"] {
        assert_eq!(sound[id], "satisfied", "{id}");
    }
    // What takes the place of a mark is a text that is not ours, too.
    let breaks: [([&str; 2], &[&str]); 4] = [
        (SOURCE, &["AIT-02", "PRV-08"]),
        (LABEL, &["AIT-03", "PRV-08"]),
        (PROMPT, &["PRV-08"]),
        (CHUNK, &["PRV-08"]),
    ];
    for ([before, after], wanted) in breaks {
        by_another_program(&home, "picture", [before, after]);
        assert_eq!(broken(&home), wanted, "{after}");
        by_another_program(&home, "picture", [after, before]);
        assert_eq!(tried(&home, 0)["PRV-08"], "satisfied", "{before}");
    }
    home.is_whole(1);
}

/// Whoever has a passphrase can give the vault new keys behind one that costs less to guess, as another version might.
#[test]
fn a_passphrase_that_another_program_made_cheaper_is_not_satisfied() {
    let home = Home::with_picture("cheaper");
    assert_eq!(tried(&home, 0)["CRY-03"], "satisfied");
    by_another_program(&home, "passphrase", ["262144", "2"]);
    assert_eq!(broken(&home), ["CRY-03"], "fewer passes");
    by_another_program(&home, "passphrase", ["262143", "3"]);
    assert_eq!(broken(&home), ["CRY-03"], "less memory");
    by_another_program(&home, "passphrase", ["262144", "3"]);
    assert_eq!(tried(&home, 0)["CRY-03"], "satisfied");
    home.is_whole(1);
}

/// An hour ahead, seen from the machine's own clock, and no record says so.
#[test]
fn a_clock_that_ran_ahead_between_two_starts_is_not_satisfied() {
    if !is_root_for("another clock of the machine") {
        return;
    }
    let home = Home::furnished("clock-ahead");
    let an_hour_longer_on = ["unshare", "--time", "--boottime", "3600"];
    let run = |arguments: &[&str]| {
        Ran::of(&mut behind(&an_hour_longer_on, &home.furnished_program(arguments))).ends(0, &[])
    };
    run(&["generate", "a red apple", "--size", "16x16", "--steps", "1"]);
    assert_eq!(found_by(&run(&["evidence", "run", "--json"]).data())["LOG-07"], "satisfied");
    assert_eq!(broken(&home), ["LOG-07"]);
    home.is_whole(1);
}
