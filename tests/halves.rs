//! A passphrase that opens the vault together with the machine secret alone.

use crate::abuse::token_of;
use crate::harness::{Home, PASSPHRASE, Ran, behind, is_root_for};
use crate::http::Request;
use crate::people::{FIRST, OTHER, Studio, as_who, two};
use crate::served::Served;
use serde_json::json;
use std::collections::BTreeSet;
use std::process::Command;

const LACKS: [&str; 2] = ["only together with the machine secret", "--machine-secret-file"];

/// A home with a picture whose passphrase goes with a machine secret, and the file of that one.
fn with_half(test: &str) -> (Home, String) {
    let home = Home::with_picture(test);
    let file = home.at("machine");
    let words = ["vault", "machine", "add", "--with-passphrases", "--new-secret-file", &file, "--json"];
    let added = home.ask(&words).ends(0, &["neither opens it alone", "vault drill"]).data();
    assert_eq!((&added["slot"], &added["alone"]), (&json!(1), &json!(0)));
    (home, file)
}

fn with(home: &Home, half: &str, words: &[&str]) -> Ran {
    home.ask(&[words, &["--machine-secret-file", half]].concat())
}

/// Nothing was lost.
fn whole(home: &Home, half: &str) {
    with(home, half, &["history", "verify"]).ends(0, &[]);
    home.ask(&["audit", "verify"]).ends(0, &[]);
}

fn serve(home: &Home, half: Option<&str>) -> Command {
    let state = home.at("state");
    let mut words = vec!["serve", "--port", "0", "--home", &state];
    half.into_iter().for_each(|file| words.extend(["--machine-secret-file", file]));
    home.program(&words)
}

#[test]
fn neither_a_spied_passphrase_nor_the_machine_secret_opens_a_copy_of_the_disk() {
    let (home, file) = with_half("halves-alone");
    let secret = std::fs::read(&file).expect("it was made");
    home.ask(&["history", "list"]).ends(7, &LACKS);
    with(&home, &file, &["history", "list"]).ends(0, &[]);
    // Which half is wrong nobody is told.
    home.write("other", &(0..40).collect::<Vec<u8>>());
    home.write("guess", b"not the words of anybody\n");
    let (right, other) = (file.as_str(), home.at("other"));
    let state = home.at("state");
    let tried = |half: &str, typed: &str| {
        let words =
            ["history", "list", "--home", &state, "--passphrase-file", typed, "--machine-secret-file", half];
        Ran::of(&mut home.program(&words)).ends(7, &["wrong passphrase or recovery code"]).stderr
    };
    let (pass, guess) = (home.at("pass"), home.at("guess"));
    assert!(tried(right, &guess).contains("or another machine secret"));
    assert_eq!(tried(&other, &pass).replace(&pass, ""), tried(right, &guess).replace(&guess, ""));
    assert_eq!(home.count_records(&["vault.unlock_failed denied"]), 4);
    // By itself it is no secret of the vault: no server opens by it, whatever the policy says.
    home.policy(b"schema = 1\nunattended = \"stay-open\"\n");
    let served = Served::run(&mut serve(&home, Some(&file)));
    assert_eq!(served.ask(&Request::get("/api/v1/status")).is(200).json()["vault"], "locked");
    served.stop().ends(0, &[]);
    assert_eq!(home.count_records(&["vault.unlocked", "role=machine"]), 0);
    for (verb, words) in [
        (["vault", "status"], "only together with the machine secret: 1 of 1"),
        (["operator", "list"], ", with the machine secret"),
    ] {
        let told = if verb[0] == "vault" { home.ask(&verb) } else { with(&home, &file, &verb) };
        let told = told.ends(0, &[]).stdout;
        assert!(told.contains(words), "{told}");
    }
    for more in [&["--with-passphrases"][..], &[]] {
        let words = [&["vault", "machine", "add", "--secret-file", &file], more].concat();
        with(&home, &file, &words).ends(6, &["key slot 1", "already"]);
    }
    // New keys and a new passphrase change nothing about it, and neither does a backup.
    with(&home, &file, &["vault", "rotate"]).ends(0, &[]);
    home.write("new", b"a new passphrase of hers\n");
    with(&home, &file, &["vault", "passwd", "--new-passphrase-file", &home.at("new")])
        .ends(0, &["was changed"]);
    home.write("pass", b"a new passphrase of hers\n");
    home.ask(&["history", "list"]).ends(7, &LACKS);
    let backup = home.at("backup");
    with(&home, &file, &["backup", "create", "-o", &backup]).ends(0, &[]);
    home.ask(&["backup", "verify", &backup]).ends(7, &LACKS);
    with(&home, &file, &["backup", "verify", &backup]).ends(0, &[]);
    let (restored, pictures) = (home.at("restored"), home.at("restored/pictures"));
    let restore =
        ["backup", "restore", &backup, "--without-log", "--home", &restored, "--outputs", &pictures];
    let restore = [&restore[..], &["--passphrase-file", &pass]].concat();
    Ran::of(&mut home.program(&restore)).ends(7, &LACKS);
    Ran::of(&mut home.program(&[&restore[..], &["--machine-secret-file", &file]].concat())).ends(0, &[]);
    let list = ["history", "list", "--home", &restored, "--outputs", &pictures, "--passphrase-file", &pass];
    Ran::of(&mut home.program(&list)).ends(7, &LACKS);
    Ran::of(&mut home.program(&[&list[..], &["--machine-secret-file", &file]].concat())).ends(0, &[]);
    assert_eq!(home.files_with(&secret), [home.path().join("machine")]);
    // Taken back, it opens alone, and an older copy of the vault's file is of no use with it.
    with(&home, &file, &["vault", "machine", "remove"]).ends(0, &["opens nothing any more"]);
    home.ask(&["history", "list"]).ends(0, &[]);
    home.ask(&["vault", "machine", "remove"]).ends(5, &["no machine secret"]);
    assert_eq!(home.count_records(&["slot.machine_half", "needed=true", "slot=1"]), 2);
    assert_eq!(home.count_records(&["slot.machine_half", "needed=false", "slot=1"]), 1);
    home.is_whole(1);
}

#[test]
fn a_server_that_has_it_takes_passphrases_and_one_that_has_not_says_so() {
    let (home, file) = with_half("halves-server");
    let studio = Studio { served: Served::run(&mut serve(&home, None)) };
    assert!(studio.served.stderr().contains("none was named"), "{}", studio.served.stderr());
    let refused = studio.sign_in(None, PASSPHRASE).is(401).json();
    assert_eq!(refused["code"], "machine_secret", "{refused}");
    home.ask(&["history", "list"]).ends(7, &LACKS);
    studio.served.stop().ends(0, &[]);
    // No line of the policy is needed: the vault stays locked until somebody types.
    std::fs::copy(&file, home.at("unlock")).expect("copied");
    let mut handed = serve(&home, None);
    let studio = Studio { served: Served::run(handed.env("CREDENTIALS_DIRECTORY", home.path())) };
    let status = studio.served.ask(&Request::get("/api/v1/status")).is(200).json();
    assert_eq!(status["vault"], "locked");
    // Whether it is the right one nothing can tell before somebody types.
    assert!(studio.served.stderr().contains("shows with the first"), "{}", studio.served.stderr());
    let wrong = studio.sign_in(None, "not the words of anybody").is(401).json();
    assert_eq!(wrong["code"], "passphrase", "{wrong}");
    let token = token_of(&studio.sign_in(None, PASSPHRASE).is(201));
    assert_eq!(studio.total(&token), json!(1));
    studio.ask(&token, Request::new("DELETE", "/api/v1/session")).is(204);
    // A verb needs no file: the server has it. What is set through it goes with it.
    home.ask(&["history", "list"]).ends(0, &[]);
    home.write("new", b"a new passphrase of hers\n");
    home.ask(&["vault", "passwd", "--new-passphrase-file", &home.at("new")]).ends(0, &["was changed"]);
    home.write("pass", b"a new passphrase of hers\n");
    token_of(&studio.sign_in(None, "a new passphrase of hers").is(201));
    studio.served.stop().ends(0, &[]);
    home.ask(&["history", "list"]).ends(7, &LACKS);
    whole(&home, &file);
}

#[test]
fn through_a_server_it_is_asked_for_at_once_and_the_recovery_code_opens_without_it() {
    let home = Home::furnished("halves-through");
    let served = Served::start(&home);
    let wish = json!({ "code": served.setup_code(), "passphrase": PASSPHRASE });
    let made = served.ask(&Request::post("/api/v1/setup", &wish)).is(201).json();
    home.write("code", made["recovery_code"].as_str().expect("a code").as_bytes());
    let file = home.at("machine");
    let add = ["vault", "machine", "add", "--with-passphrases", "--new-secret-file", &file];
    home.ask(&add).ends(0, &["neither opens it alone"]);
    let studio = Studio { served };
    studio.ask(made["token"].as_str().expect("a token"), Request::new("DELETE", "/api/v1/session"));
    token_of(&studio.sign_in(None, PASSPHRASE).is(201));
    studio.served.stop().ends(0, &[]);
    // The machine is gone, and its secret with it.
    std::fs::remove_file(&file).expect("it was there");
    let (state, code) = (home.at("state"), home.at("code"));
    let run = |words: &[&str]| {
        let with_code = ["--home", &state, "--passphrase-file", &code];
        Ran::of(&mut home.program(&[words, &with_code].concat()))
    };
    home.ask(&["history", "list"]).ends(7, &LACKS);
    run(&["vault", "drill"]).ends(0, &["the recovery code opens this vault"]);
    run(&["vault", "passwd", "--new-passphrase-file", &home.at("pass")]).ends(0, &["was changed"]);
    home.ask(&["history", "list"]).ends(0, &[]);
    assert_eq!(home.count_records(&["slot.machine_half", "needed=false", "slot=1"]), 1);
    home.ask(&["vault", "machine", "remove"]).ends(0, &["opens nothing any more"]);
    home.ask(&add).ends(0, &["neither opens it alone"]);
    whole(&home, &file);
}

#[test]
fn of_several_people_each_gives_up_opening_alone_by_themselves() {
    let home = two("halves-people");
    let file = home.at("machine");
    let add = ["vault", "machine", "add", "--with-passphrases", "--new-secret-file", &file];
    as_who(&home, FIRST, &add).ends(0, &["1 passphrase of this vault still opens it alone"]);
    as_who(&home, OTHER, &["history", "list"]).ends(0, &[]);
    as_who(&home, FIRST, &["history", "list"]).ends(7, &LACKS);
    home.write("newer", b"newer words of another\n");
    let passwd = ["vault", "passwd", "--new-passphrase-file", &home.at("newer")];
    as_who(&home, OTHER, &passwd)
        .ends(6, &["set together with the machine secret", "--machine-secret-file FILE"]);
    as_who(&home, OTHER, &[&passwd[..], &["--machine-secret-file", &file]].concat())
        .ends(0, &["was changed"]);
    as_who(&home, ("second", "newer"), &["history", "list"]).ends(7, &LACKS);
    as_who(&home, ("second", "newer"), &["history", "list", "--machine-secret-file", &file]).ends(0, &[]);
    let remove = ["vault", "machine", "remove", "--machine-secret-file", &file];
    as_who(&home, FIRST, &remove).ends(0, &["1 passphrase still goes with the machine secret"]);
    as_who(&home, FIRST, &["history", "list"]).ends(0, &[]);
    as_who(&home, FIRST, &add[..4].iter().copied().chain(["--secret-file", &file]).collect::<Vec<_>>())
        .ends(6, &["key slot 3", "already"]);
    as_who(&home, ("second", "newer"), &passwd).ends(7, &LACKS);
}

/// Whatever the program says then: either the passphrase opens the vault alone, or the secret is there that it goes with.
#[test]
fn a_sync_that_fails_in_the_middle_locks_nobody_out() {
    if !is_root_for("a fault in a program") {
        return;
    }
    let home = Home::with_picture("halves-fault");
    let (file, log, trace) =
        (home.at("machine"), home.at("state/audit/seg/00000000.jsonl"), home.at("tmp/trace"));
    let add = ["vault", "machine", "add", "--with-passphrases", "--new-secret-file", &file];
    let mut seen = BTreeSet::new();
    for when in 1..=8 {
        let fault = format!("inject=fdatasync:error=EIO:when={when}");
        let strace = ["strace", "-f", "-qq", "-o", &trace, "-P", &log, "-e", "trace=fdatasync", "-e", &fault];
        let ran = Ran::of(&mut behind(&strace, &home.furnished_program(&add)));
        let alone = home.ask(&["history", "list"]);
        let is_asked = alone.code == Some(7);
        if is_asked {
            assert_eq!(std::fs::read(&file).map_or(0, |bytes| bytes.len()), 32, "{when}: {ran:#?}");
            // That it is done is said, or that it may be.
            let keep = format!("keep {file}");
            let is_told = [&*keep, "neither opens it alone"].iter().any(|words| ran.stderr.contains(words));
            assert!(is_told, "{when}: {ran:#?}");
            with(&home, &file, &["vault", "machine", "remove"]).ends(0, &[]);
        } else {
            alone.ends(0, &[]);
            assert_ne!(ran.code, Some(0), "{when}: {ran:#?}");
        }
        seen.insert((ran.code == Some(0), is_asked));
        let _ = std::fs::remove_file(&file); // of a start that failed there is none
    }
    let both = BTreeSet::from([(false, false), (false, true)]);
    assert!(seen.is_superset(&both), "not done, and done and not on record: {seen:?}");
    home.is_whole(1);
}
