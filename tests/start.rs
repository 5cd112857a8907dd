//! What works without a vault, a model or a picture.

use crate::harness::{Home, Ran};
use std::process::Command;

#[test]
fn says_its_version_and_leaves_nothing_behind() {
    let home = Home::new("version");
    let output = home.run(&["--version"]);
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], concat!("lightproof ", env!("CARGO_PKG_VERSION")));
    let facts: Vec<_> = lines[1..].iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(facts, ["commit", "model", "vendor", "updates"], "{said}");
    assert_eq!(output.stderr, b"");
    let left: Vec<_> = std::fs::read_dir(home.path()).expect("it is a folder").flatten().collect();
    assert_eq!(left.iter().map(|entry| entry.file_name()).collect::<Vec<_>>(), ["tmp"]);
}

#[test]
fn a_level_of_the_operational_log_that_does_not_exist_is_refused() {
    let home = Home::furnished("level");
    let with = |level: &str| {
        Ran::of(home.program(&["selftest", "--home", "state", "--json"]).env("LIGHTPROOF_LOG", level))
    };
    for level in ["frob", "loud", "info,debug"] {
        let ran = with(level).ends(2, &["LIGHTPROOF_LOG", "error, warn, info, debug, trace or off"]);
        assert_eq!(ran.object()["error"]["code"], 2, "{ran:#?}");
        assert!(!ran.stderr.contains(level), "what is not understood is not repeated: {ran:#?}");
    }
    for level in ["off", ""] {
        assert_eq!(with(level).ends(0, &[]).stderr, "", "{level}");
    }
    let log = with("info").ends(0, &[]).stderr;
    assert!(log.lines().any(|line| line.contains("\"event\":\"fenced\"")), "{log}");
    // Help is there for whoever looks up what it takes.
    Ran::of(home.program(&["--help"]).env("LIGHTPROOF_LOG", "frob")).ends(0, &[]);
}

/// The commit of the checkout that holds this test, or none.
fn commit() -> Option<String> {
    let git = |arguments: &[&str]| {
        let output =
            Command::new("git").args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    };
    git(&["rev-parse", "--show-toplevel"]).filter(|top| top == env!("CARGO_MANIFEST_DIR"))?;
    git(&["rev-parse", "HEAD"])
}

#[test]
fn the_version_names_the_commit_and_the_model_that_goes_on_record() {
    let home = Home::with_picture("version-model");
    let version = Ran::from(home.run(&["--version", "--json"])).ends(0, &[]).data();
    let digest = version["model"]["digest"].as_str().unwrap_or_else(|| panic!("{version}"));
    assert_eq!(home.count_records(&["boot.ready", &format!("model={digest}")]), 1, "{version}");
    assert_eq!(version["model"]["name"], "lightproof-demo");
    // As the lines of deploy/vendor.toml have it.
    let shipped = include_str!("../deploy/vendor.toml");
    let value = |key: &str| {
        let line = shipped.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_else(|| panic!("{key}"));
        line.trim_matches([' ', '=', '"'])
    };
    for key in ["name", "contact", "end_of_support", "update_key"] {
        assert_eq!(version["vendor"][key].as_str().unwrap_or_default(), value(key), "{version}");
    }
    match commit() {
        // What is changed since is said behind it.
        Some(commit) => {
            assert!(version["commit"].as_str().is_some_and(|said| said.starts_with(&commit)), "{version}")
        }
        None => assert!(version["commit"].is_null(), "{version}"),
    }
}
