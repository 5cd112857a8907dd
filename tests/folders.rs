//! A folder of pictures that is not there, another one, or closed is no deletion; and a site's hold refuses every
//! erasure.

use crate::harness::{Home, Ran};
use std::os::unix::fs::PermissionsExt as _;

#[test]
fn an_absent_or_foreign_folder_is_an_error_with_a_remedy_and_no_deletion() {
    let home = Home::with_picture("absent");
    let (folder, aside) = (home.path().join("workspace/output_image"), home.path().join("aside"));
    std::fs::rename(&folder, &aside).expect("pictures lie there");
    let refused = |arguments: &[&str]| {
        for verb in [&["history", "list"][..], &["history", "missing"], &["history", "verify"]] {
            let ran = home.ask(&[verb, arguments].concat()).ends(6, &["--outputs"]);
            assert!(!ran.stderr.contains("removed") && !ran.stderr.contains("history rm"), "{ran:#?}");
        }
    };
    refused(&[]);
    assert!(!folder.exists(), "a look made the folder");
    // A mistyped or forgotten flag names another folder.
    std::fs::create_dir(home.path().join("empty")).expect("a home can be written");
    refused(&["--outputs", &home.at("empty")]);
    home.generate(&["a pear", "--outputs", &home.at("empty")]).ends(6, &["--outputs"]);
    assert_eq!(std::fs::read_dir(home.path().join("empty")).expect("it is there").count(), 0);
    assert_eq!(home.count_records(&["object.missing"]), 0);
    // Back again, nothing has happened.
    std::fs::rename(&aside, &folder).expect("it was there");
    home.is_whole(1);
}

#[test]
fn a_real_loss_is_accepted_on_record_and_by_a_command_of_its_own() {
    let home = Home::with_picture("loss");
    let folder = home.path().join("workspace/output_image");
    std::fs::remove_dir_all(&folder).expect("pictures lie there");
    home.ask(&["history", "list"]).ends(6, &["--outputs"]);
    std::fs::create_dir(&folder).expect("a home can be written");
    home.ask(&["history", "list"]).ends(6, &["--outputs"]);
    let ran = home.ask(&["history", "missing", "--accept"]).ends(0, &["on record"]);
    assert_eq!(ran.stdout.lines().count(), 1, "{ran:#?}");
    assert_eq!(home.count_records(&["outputs.accepted ok", "missing=1"]), 1);
    assert_eq!(home.count_records(&["object.missing failed"]), 1);
    // What was accepted is no news any more; what is lost afterwards is.
    let accepted = |missing: &str| {
        let ran = home.ask(&["history", "list"]).ends(0, &[]);
        assert_eq!(ran.stdout.matches("(sealed file lost, as accepted)").count(), 1, "{ran:#?}");
        assert_eq!(ran.stderr, missing, "{ran:#?}");
    };
    accepted("");
    home.generate(&["a pear"]).ends(0, &[]);
    let name = home.pictures()[0]["name"].as_str().expect("a picture has a name").to_owned();
    let sealed = folder.join(format!("{name}.sealed"));
    std::fs::rename(&sealed, home.path().join("kept")).expect("it was made");
    accepted(
        "warning: 1 sealed file is gone from the folder of pictures; its key still exists. If that was meant, finish the \
         erasure: lightproof history rm ID. If it is lost for good, say so: lightproof history missing --accept\n",
    );
    std::fs::rename(home.path().join("kept"), &sealed).expect("it was there");
    accepted("");
    home.ask(&["history", "rm", "--all", "--yes"]).ends(0, &[]);
    home.is_whole(0);
}

/// As root without any capability the mode counts, too.
#[test]
fn a_folder_that_may_not_be_read_is_neither_missing_nor_damaged() {
    let home = Home::with_picture("closed");
    let folder = home.path().join("workspace/output_image");
    let mode = |mode| {
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(mode)).expect("it is ours");
    };
    mode(0o000);
    let ran = home.ask(&["history", "list"]).ends(6, &["may not"]);
    mode(0o700);
    assert!(!ran.stderr.contains("missing") && !ran.stderr.contains("damaged"), "{ran:#?}");
    assert_eq!(home.count_records(&["object.missing"]), 0);
    home.is_whole(1);
}

#[test]
fn a_site_that_keeps_its_pictures_refuses_every_erasure_on_record() {
    let home = Home::with_picture("hold");
    home.policy(b"schema = 1\nerase = \"never\"\n");
    home.ask(&["history", "rm", "--all", "--yes"]).ends(6, &["policy"]);
    assert_eq!(home.count_records(&["request.refused denied", "reason=policy"]), 1);
    assert_eq!(home.count_records(&["object.erase_requested"]), 0);
    home.is_whole(1);
}

/// The log tells of a vault: what is left of it, the anchor above all, is not overwritten by a new one.
#[test]
fn a_vault_that_is_gone_is_not_made_anew_over_what_is_left_of_it() {
    let home = Home::with_picture("gone");
    let (vault, aside) = (home.path().join("state/vault"), home.path().join("aside"));
    std::fs::create_dir(&aside).expect("a home can be written");
    for name in ["vault", "vault.mirror"] {
        std::fs::rename(vault.join(name), aside.join(name)).expect("a vault has two copies");
    }
    let anchor = std::fs::read(vault.join("anchor")).expect("a vault has an anchor");
    home.generate(&["a pear"]).ends(11, &["gone", "anchor"]);
    home.ask(&["vault", "init"]).ends(11, &["gone"]);
    assert_eq!(std::fs::read(vault.join("anchor")).expect("it is there"), anchor);
    for name in ["vault", "vault.mirror"] {
        std::fs::rename(aside.join(name), vault.join(name)).expect("it was there");
    }
    home.is_whole(1);
}

/// As root without any capability the mode counts, too.
#[test]
fn what_may_not_be_looked_at_is_not_absent() {
    let home = Home::with_picture("shut");
    for (folder, verb) in [("state/vault", &["history", "list"][..]), ("state/audit", &["audit", "verify"])] {
        let path = home.path().join(folder);
        let mode = |mode| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("it is ours");
        };
        mode(0o000);
        let ran = home.ask(verb);
        mode(0o700);
        assert!(!ran.stderr.contains("there is no") && !ran.stderr.contains("init"), "{ran:#?}");
        assert!(![Some(0), Some(5), Some(7)].contains(&ran.code), "{ran:#?}");
    }
    home.is_whole(1);
}

/// A mistyped path is said to be one, whoever comes upon it.
#[test]
fn a_file_in_the_place_of_the_pictures_is_no_folder() {
    let home = Home::with_picture("file-for-pictures");
    let backup = home.at("kept.backup");
    home.ask(&["backup", "create", "-o", &backup]).ends(0, &[]);
    home.write("typo", b"x");
    let file = &home.at("typo");
    let new = home.at("new");
    let verbs: [&[&str]; 6] = [
        &["generate", "x"],
        &["history", "list"],
        &["vault", "verify"],
        &["serve", "--port", "0"],
        &["vault", "init", "--home", &new],
        &["backup", "restore", &backup, "--without-log", "--home", &new],
    ];
    for verb in verbs {
        let state = home.at("state");
        let of_home: &[&str] = if verb.contains(&"--home") { &[] } else { &["--home", &state] };
        let keys = ["--passphrase-file", &home.at("passphrase"), "--outputs", file];
        let ran = Ran::of(&mut home.program(&[verb, of_home, &keys].concat()));
        ran.ends(6, &["is no folder", "--outputs"]);
    }
    let told = home.ask(&["doctor", "--outputs", file]);
    assert!(told.code == Some(4) && told.stdout.contains("is a file, and no start"), "{told:#?}");
    assert_eq!(std::fs::read(file).expect("it stays"), b"x");
    assert!(!home.path().join("new/vault/anchor").exists());
    home.is_whole(1);
}

/// What a picture is refused for, `status` says in the same words without a key, and a server does not start with.
#[test]
fn a_foreign_folder_and_a_file_are_told_by_every_verb_alike() {
    let home = Home::with_picture("foreign");
    let other = Home::with_picture("foreign-other");
    home.write("plain", b"no folder");
    home.ask(&["status"]).ends(0, &[]);
    let foreign = other.at("workspace/output_image");
    let words = "is not the folder of this vault's sealed files";
    let before = home.count_records(&["boot.refused", "reason=outputs"]);
    home.ask(&["status", "--outputs", &foreign]).ends(4, &[words]);
    home.generate(&["a pear", "--outputs", &foreign]).ends(6, &[words]);
    home.ask(&["serve", "--port", "0", "--outputs", &foreign]).ends(6, &[words]);
    assert_eq!(home.count_records(&["boot.refused", "reason=outputs"]), before + 2);
    home.ask(&["status", "--outputs", &home.at("plain")]).ends(4, &[words]);
    // A place where a disk is to be mounted, and is not.
    std::fs::create_dir(home.at("unmounted")).expect("a home can be written");
    home.ask(&["status", "--outputs", &home.at("unmounted")])
        .ends(4, &["does not carry this vault's file", "mount its disk"]);
    other.is_whole(1);
    home.is_whole(1);
}
