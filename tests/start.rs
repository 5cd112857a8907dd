//! What works without a vault, a model or a picture.

use crate::harness::{Home, Ran};

#[test]
fn says_its_version_and_leaves_nothing_behind() {
    let home = Home::new("version");
    let output = home.run(&["--version"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        concat!("lightproof ", env!("CARGO_PKG_VERSION"), "\n")
    );
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
