//! A verb that only looks makes nothing: no folder, no log, no key.

use crate::harness::{Home, Ran, SMALL, is_root_for};
use crate::user::Ordinary;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Verbs that need what is not there, and their exit code.
const LOOKS: [(&[&str], i32); 10] = [
    (&["vault", "status"], 7),
    (&["vault", "verify"], 7),
    (&["vault", "passwd"], 7),
    (&["vault", "recovery"], 7),
    (&["history", "list"], 7),
    (&["history", "verify"], 7),
    (&["history", "rm", "--all", "--yes"], 7),
    (&["audit", "tail"], 5),
    (&["audit", "verify"], 5),
    (&["evidence", "run"], 7),
];

/// Everything beneath a folder, with its owner.
pub fn beneath(folder: &Path) -> BTreeMap<PathBuf, u32> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("a folder can be listed").path();
        let about = path.symlink_metadata().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        if about.is_dir() {
            found.extend(beneath(&path));
        }
        found.insert(path, about.uid());
    }
    found
}

#[test]
fn a_mistyped_home_stays_as_it_is() {
    let home = Home::new("mistyped");
    let before = beneath(home.path());
    let typo = home.at("stat");
    for (verb, code) in LOOKS {
        Ran::from(home.run(&[verb, &["--home", &typo]].concat())).ends(code, &[&typo, "--home"]);
        assert_eq!(beneath(home.path()), before, "{verb:?}");
        // The same without the flag, and as JSON.
        let ran = Ran::from(home.run(&[verb, &["--json"]].concat())).ends(code, &[".local/state", "--home"]);
        assert_eq!(ran.object()["error"]["code"], code, "{ran:#?}");
        assert_eq!(beneath(home.path()), before, "{verb:?}");
    }
    // What needs neither vault nor log works, and makes none.
    Ran::from(home.run(&["selftest", "--home", &typo])).ends(0, &[]);
    Ran::from(home.run(&["selftest"])).ends(0, &[]);
    assert_eq!(beneath(home.path()), before);
    // Who makes something says so.
    Ran::from(home.run(&["vault", "init", "--home", &typo])).ends(7, &["passphrase"]);
    assert!(home.path().join("stat/vault").is_dir());
}

/// A stranger's way to the folder of pictures, or a file on it, is nothing to a verb that reads the log alone.
#[test]
fn what_needs_no_pictures_asks_for_none() {
    let home = Home::with_picture("unreachable");
    let (pictures, away) = (home.path().join("workspace"), home.path().join("away"));
    std::fs::rename(&pictures, &away).expect("a home can be written");
    home.write("workspace", b"no folder");
    for verb in [
        &["audit", "verify"][..],
        &["audit", "checkpoint"],
        &["audit", "checkpoint", "-o", "out/checkpoint.svg"],
        &["audit", "tail"],
        &["audit", "show", "0"],
        &["audit", "explain", "0"],
        &["audit", "export"],
        &["audit", "stamp", "request", "-o", "out/request"],
        &["audit", "stamp", "list"],
        &["model", "list"],
    ] {
        home.ask(verb).ends(0, &[]);
    }
    let status = home.ask(&["status", "--json"]).ends(4, &[]).object();
    assert!(status["data"]["needs"].to_string().contains("workspace/output_image"), "{status}");
    // Whoever needs them is told the flag that there is.
    let listed = home.ask(&["history", "list"]).ends(6, &["workspace/output_image", "with --outputs"]);
    assert!(!listed.stderr.contains("--home"), "{listed:#?}");
    std::fs::remove_file(&pictures).and_then(|()| std::fs::rename(&away, &pictures)).expect("it is ours");
    home.is_whole(1);
}

#[test]
fn a_look_makes_no_folder_for_pictures() {
    let home = Home::with_picture("no-pictures");
    let workspace = home.path().join("workspace");
    std::fs::rename(&workspace, home.path().join("elsewhere")).expect("it is ours");
    let told = home.ask(&["vault", "status"]).ends(0, &[]).stdout;
    for words in ["each erasure", "the log counts its own", "erasure grade"] {
        assert!(told.contains(words), "{told}");
    }
    home.ask(&["history", "list"]);
    assert!(!workspace.exists(), "a look made the folder of the pictures");
    std::fs::rename(home.path().join("elsewhere"), &workspace).expect("it is ours");
    home.is_whole(1);
}

#[test]
fn root_leaves_nothing_of_its_own_in_the_home_of_another_user() {
    if !is_root_for("acting in another user's home") {
        return;
    }
    let user = Ordinary::furnished("root-at-home");
    let (home, roots) = (&user.home, Home::new("roots"));
    let before = beneath(home.path());
    for (verb, code) in LOOKS {
        home.ask(verb).ends(code, &[]);
    }
    let makes: [&[&str]; 3] = [&["vault", "init"], &["generate", "x"], &["serve", "--port", "0"]];
    for verb in makes {
        home.ask(verb).ends(6, &["belongs to user 65534", "sudo -H -u '#65534'", "--home"]);
        // With the state in a folder of root's, the pictures would still lie with the user.
        let state = roots.at("state");
        Ran::of(&mut home.program(&[verb, &["--home", &state]].concat())).ends(6, &["--outputs"]);
    }
    // A bundle of root's own vault, and a rehearsal, would be folders that the user cannot look into.
    let roots_own = Home::with_picture("roots-own");
    let there = home.at("for-the-auditor");
    for verb in ["export", "rehearse"] {
        roots_own.ask(&["evidence", verb, "-o", &there]).ends(6, &["belongs to user 65534", "sudo -H -u"]);
    }
    // So would a backup, and what is handed to whoever is asked for help.
    let file = home.at("file");
    let files: [&[&str]; 2] =
        [&["backup", "create", "-o", &file], &["support", "bundle", "--yes", "-o", &file]];
    for verb in files {
        roots_own.ask(verb).ends(6, &["belongs to user 65534", "sudo -H -u", "of root's"]);
    }
    assert_eq!(roots_own.count_records(&["backup."]) + roots_own.count_records(&["support.bundled"]), 0);
    assert_eq!(beneath(home.path()), before);

    // Nor where there is a vault: what root wrote there, the user could not write any more.
    user.ask(&[&["generate", "x"], &SMALL[..]].concat()).ends(0, &[]);
    let before = beneath(home.path());
    for verb in [&["vault", "status"][..], &["history", "list"], &["vault", "passwd"], &["generate", "x"]] {
        home.ask(verb).ends(6, &["belongs to user 65534"]);
    }
    assert_eq!(beneath(home.path()), before);
    user.ask(&["history", "verify"]).ends(0, &[]);
    user.ask(&["audit", "verify"]).ends(0, &[]);
}
