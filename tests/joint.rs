//! Two people who open the vault together, and nobody alone.

use crate::abuse::token_of;
use crate::harness::{Home, PASSPHRASE, Ran, SMALL, behind, is_root_for};
use crate::http::Request;
use crate::people::{FIRST, OTHER, SECOND, Studio, THIRD, add, as_who, two};
use crate::served::Served;
use crate::terminal::{at_terminal, ended, terminal};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const LACKS: [&str; 3] =
    ["two people open this vault together", "--second-operator", "--second-passphrase-file"];

/// A home of two people who open the vault together; the first has a picture.
pub fn joint(test: &str) -> Home {
    let home = two(test);
    let words = ["vault", "joint", "set", "first", "Second"];
    // A code that nobody sees would end the one in the safe.
    with(&home, OTHER, &words).ends(6, &["shown at a terminal only"]);
    home.write("guess", b"not the words of anybody\n");
    let refused = typed(&home, ("second", "guess"), &[], &words);
    assert_eq!(refused.last(), Some(&ended(7)), "{refused:?}");
    assert_eq!(home.count_records(&["vault.unlock_failed denied"]), 1);
    set(&home);
    home
}

/// The first two hold it from here on; the recovery code is in the file `code`.
fn set(home: &Home) {
    let code = format!("if yours is lost:|keep:{}", home.at("code"));
    let seen = typed(home, OTHER, &[&code], &["vault", "joint", "set", "first", "Second"]);
    assert_eq!(seen.last(), Some(&ended(0)), "{seen:?}");
}

/// As [`with`], at a terminal: each passphrase comes from its file.
fn typed(home: &Home, (name, file): (&str, &str), steps: &[&str], words: &[&str]) -> Vec<Value> {
    let (pass, file) = (home.at("pass"), home.at(file));
    let own = ["--operator", "first", "--passphrase-file", &pass];
    let second = ["--second-operator", name, "--second-passphrase-file", &file];
    at_terminal(home, steps, &[words, &own, &second].concat())
}

/// What the first one asks for, with the passphrase in this file of the one of this name.
fn with(home: &Home, (name, file): (&str, &str), words: &[&str]) -> Ran {
    let file = home.at(file);
    as_who(home, FIRST, &[words, &["--second-operator", name, "--second-passphrase-file", &file]].concat())
}

/// Nothing was lost.
fn is_whole(home: &Home, pictures: u64) {
    let vault = with(home, OTHER, &["history", "verify", "--json"]).ends(0, &[]).data();
    assert_eq!(vault["sound"], pictures, "{vault}");
    let log = home.ask(&["audit", "verify", "--json"]).ends(0, &[]).data();
    assert_eq!((&log["open_intents"], &log["findings"]), (&json!([]), &json!([])), "{log}");
}

#[test]
fn neither_of_two_opens_a_copy_of_the_disk_alone() {
    let home = joint("joint-alone");
    for alone in [FIRST, OTHER] {
        as_who(&home, alone, &["history", "list"]).ends(7, &LACKS);
    }
    with(&home, OTHER, &["history", "list"]).ends(0, &[]);
    // Which of both is wrong nobody is told, and nobody is two.
    for (wrong, words) in [
        (("second", "guess"), &["wrong passphrase or recovery code", "or in"][..]),
        (("nobody", "second"), &["wrong passphrase or recovery code"]),
        (FIRST, &["opens for two of the people who hold it"]),
    ] {
        let ran = with(&home, wrong, &["history", "list"]).ends(7, words);
        assert!(!ran.stderr.contains(SECOND) && !ran.stderr.contains(PASSPHRASE), "{ran:#?}");
    }
    // Each is a guess on record, as that before; where nobody could be asked there was none.
    assert_eq!(home.count_records(&["vault.unlock_failed denied"]), 1 + 3);
    let opened = home.count_records(&["vault.unlocked_with", "slot=3"]);
    assert_eq!(opened, 1);
    let told = home.ask(&["vault", "status"]).ends(0, &[]).stdout;
    assert!(told.contains("by nobody alone: any two of key slots 1, 3"), "{told}");
    let status = home.ask(&["vault", "status", "--json"]).ends(0, &[]).data();
    assert_eq!((&status["joint"], status["slots"].as_array().map(Vec::len)), (&json!([1, 3]), Some(3)));
    let listed = with(&home, OTHER, &["operator", "list"]).ends(0, &[]).stdout;
    assert_eq!(listed.matches(", with another one who holds it").count(), 2, "{listed}");
    // What would open it alone is refused, and so is leaving one alone with it.
    let machine = home.at("machine");
    with(&home, OTHER, &["vault", "machine", "add", "--new-secret-file", &machine])
        .ends(6, &["would open it alone", "joint end"]);
    with(&home, OTHER, &["operator", "remove", "second"]).ends(6, &["no two would be left"]);
    with(&home, OTHER, &["vault", "joint", "set", "first"]).ends(2, &[]);
    for (words, code) in [(["first", "nobody"], 5), (["first", "first"], 2)] {
        let seen = typed(&home, OTHER, &[], &[&["vault", "joint", "set"], &words[..]].concat());
        assert_eq!(seen.last(), Some(&ended(code)), "{seen:?}");
    }
    // New keys, a new passphrase, a third one and a backup change nothing about it.
    with(&home, OTHER, &["vault", "rotate"]).ends(0, &[]);
    home.write("new", b"newer words of the first\n");
    with(&home, OTHER, &["vault", "passwd", "--new-passphrase-file", &home.at("new")])
        .ends(0, &["was changed"]);
    home.write("pass", b"newer words of the first\n");
    as_who(&home, FIRST, &["history", "list"]).ends(7, &LACKS);
    let third = home.at("third");
    with(&home, OTHER, &["operator", "add", "Third", "--new-passphrase-file", &third]).ends(0, &[]);
    with(&home, ("third", "third"), &["history", "list"])
        .ends(7, &["opens for two of the people who hold it"]);
    let three = ["vault", "joint", "set", "first", "second", "third"];
    let steps = [
        "Your name|text:first",
        "Passphrase: |text:newer words of the first",
        "Name of the second one: |text:second",
        &format!("Passphrase of the second one: |text:{SECOND}"),
        "Passphrase of third: |text:",
        &format!("Passphrase of third: |text:{THIRD}"),
        "any two of first, second and third|text:",
    ];
    let seen = at_terminal(&home, &steps, &three);
    assert_eq!(seen.last(), Some(&ended(0)), "{seen:?}");
    with(&home, ("third", "third"), &["history", "list"]).ends(0, &[]);
    let backup = home.at("backup");
    with(&home, OTHER, &["backup", "create", "-o", &backup]).ends(0, &[]);
    as_who(&home, FIRST, &["backup", "verify", &backup]).ends(7, &LACKS);
    with(&home, ("third", "third"), &["backup", "verify", &backup]).ends(0, &[]);
    let (restored, pictures) = (home.at("restored"), home.at("restored/pictures"));
    let elsewhere = ["--home", &restored, "--outputs", &pictures, "--operator", "first"];
    let (pass, second) = (home.at("pass"), home.at("second"));
    let one = [&elsewhere[..], &["--passphrase-file", &pass]].concat();
    let both = [&one[..], &["--second-operator", "second", "--second-passphrase-file", &second]].concat();
    let run = |words: &[&str], more: &[&str]| Ran::of(&mut home.program(&[words, more].concat()));
    let restore = ["backup", "restore", &backup, "--without-log"];
    run(&restore, &one).ends(7, &LACKS);
    run(&restore, &both).ends(0, &[]);
    run(&["history", "list"], &one).ends(7, &LACKS);
    run(&["history", "list"], &both).ends(0, &[]);
    // It ends by two, and then each opens it alone, older copies of the file too.
    let ended = with(&home, OTHER, &["vault", "joint", "end"]);
    ended.ends(0, &["each passphrase opens this vault alone again"]);
    as_who(&home, FIRST, &["vault", "joint", "end"]).ends(5, &["alone already"]);
    assert_eq!(home.count_records(&["slot.joint", "needed=true"]), 2 + 3);
    assert_eq!(home.count_records(&["slot.joint", "needed=false"]), 3);
    as_who(&home, OTHER, &["history", "list"]).ends(0, &[]);
    let listed = as_who(&home, FIRST, &["history", "verify", "--json"]).ends(0, &[]).data();
    assert_eq!(listed["sound"], 1);
}

/// Typed one after the other; the recovery code opens alone, and both must be right.
#[test]
fn at_a_terminal_both_type_one_after_the_other() {
    let home = joint("joint-typed");
    let pass = |words: &str| format!("Passphrase: |text:{words}");
    let second = |words: &str| format!("Passphrase of the second one: |text:{words}");
    let (own, name) = ("Your name|text:first", "Name of the second one: |text:second");
    let wrong = "eight grey herons at dawn";
    let (right, theirs, other) = (pass(PASSPHRASE), second(SECOND), second(wrong));
    let steps = [own, &right, name, &other, own, &right, name, &theirs];
    let seen = at_terminal(&home, &steps, &["history", "list"]);
    assert_eq!(seen.last(), Some(&ended(0)), "{seen:?}");
    let echoes: Vec<&Value> = seen.iter().map(|step| &step["echo"]).collect();
    assert_eq!(echoes[..4], [true, false, true, false], "no passphrase is shown: {seen:?}");
    assert_eq!(home.count_records(&["vault.unlock_failed denied"]), 1 + 1);
    // A recovery code is drawn for both, and one alone gets none.
    let steps = [own, &right, name, &theirs];
    let shown = at_terminal(&home, &steps, &["vault", "recovery"]);
    assert_eq!(shown.last(), Some(&ended(0)), "{shown:?}");
    is_whole(&home, 1);
}

#[test]
fn a_server_takes_both_at_the_page_and_at_the_door_and_then_everybody_alone() {
    let home = Home::furnished("joint-server");
    let served = Served::start(&home);
    let wish = json!({ "code": served.setup_code(), "passphrase": PASSPHRASE });
    let made = served.ask(&Request::post("/api/v1/setup", &wish)).is(201).json();
    home.write("older", made["recovery_code"].as_str().expect("a code").as_bytes());
    home.write("second", SECOND.as_bytes());
    home.write("third", THIRD.as_bytes());
    add(&home, &["add", "Second", "--role", "admin"], "second").ends(0, &["Second can sign in"]);
    add(&home, &["add", "Third"], "third").ends(0, &[]);
    // While a server runs it is not changed.
    as_who(&home, FIRST, &["vault", "joint", "set", "first", "second"]).ends(9, &["in use"]);
    served.stop().ends(0, &[]);
    let (pass, code) = (format!("Passphrase: |text:{PASSPHRASE}"), home.at("code"));
    let theirs = format!("Passphrase of second: |text:{SECOND}");
    let shown = format!("if yours is lost:|keep:{code}");
    let steps = ["Your name|text:first", &pass, &theirs, &shown];
    let seen = at_terminal(&home, &steps, &["vault", "joint", "set", "first", "second"]);
    assert_eq!(seen.last(), Some(&ended(0)), "{seen:?}");
    let studio = Studio { served: Served::start(&home) };
    let joint = || studio.served.ask(&Request::get("/api/v1/status")).is(200).json()["joint"].clone();
    assert_eq!(joint(), true);
    for who in ["first", "second", "third"] {
        let words = [("first", PASSPHRASE), ("second", SECOND), ("third", THIRD)];
        let words = words.iter().find(|(name, _)| *name == who).expect("one of them").1;
        let refused = studio.sign_in(Some(who), words).is(401).json();
        assert_eq!(refused["code"], "two_people", "{refused}");
    }
    let both = |other: &str, words: &str| {
        let second = json!({ "operator": other, "passphrase": words });
        let body = json!({ "operator": "first", "passphrase": PASSPHRASE, "second": second });
        studio.served.ask(&Request::post("/api/v1/session", &body))
    };
    let refused = both("second", "eight grey herons at dawn").is(401).json();
    assert_eq!(refused["code"], "passphrase", "{refused}");
    assert_eq!(both("third", THIRD).is(401).json()["code"], "two_people");
    let token = token_of(&both("second", SECOND).is(201));
    assert_eq!(joint(), false, "it is open, and nobody needs another one");
    let third = token_of(&studio.sign_in(Some("third"), THIRD).is(201));
    assert_eq!(studio.total(&third), json!(0));
    // What would let one of them open it alone is not done for one, by neither door.
    let proof = json!({ "passphrase": PASSPHRASE });
    let refused = studio.ask(&token, Request::post("/api/v1/recovery", &proof)).is(403).json();
    assert_eq!(refused["code"], "policy", "{refused}");
    for token in [&token, &third] {
        studio.ask(token, Request::new("DELETE", "/api/v1/session")).is(204);
    }
    assert_eq!(joint(), true, "the last one locked it");
    // A verb goes through the server with both, and leaves it locked.
    as_who(&home, FIRST, &["history", "list"]).ends(7, &LACKS);
    with(&home, ("second", "third"), &["history", "list"]).ends(7, &["wrong passphrase"]);
    with(&home, OTHER, &[&["generate", "a yellow star"], &SMALL[..]].concat()).ends(0, &[]);
    let second = format!("Passphrase of the second one: |text:{SECOND}");
    let steps = ["Your name|text:first", &pass, "Name of the second one: |text:second", &second];
    let seen = at_terminal(&home, &steps, &["history", "list"]);
    assert_eq!(seen.last(), Some(&ended(0)), "{seen:?}");
    assert_eq!(joint(), true);
    studio.served.stop().ends(0, &[]);
    // Both passphrases are lost, and the code is in the safe.
    let (state, older) = (home.at("state"), home.at("older"));
    let by = |file: &str, words: &[&str]| {
        let with_code = ["--home", &state, "--passphrase-file", file];
        Ran::of(&mut home.program(&[words, &with_code].concat()))
    };
    by(&older, &["vault", "drill"]).ends(7, &["wrong passphrase or recovery code"]);
    let run = |words: &[&str]| by(&code, words);
    run(&["vault", "drill"]).ends(0, &["the recovery code opens this vault"]);
    home.write("pass", b"found words of the first\n");
    let pass = home.at("pass");
    run(&["vault", "passwd", "--operator", "first", "--new-passphrase-file", &pass])
        .ends(0, &["was changed"]);
    as_who(&home, FIRST, &["history", "list"]).ends(7, &LACKS);
    is_whole(&home, 1);
}

/// Whatever the program says then: either each passphrase opens the vault alone, or both do together.
#[test]
fn a_sync_that_fails_in_the_middle_locks_nobody_out() {
    if !is_root_for("a fault in a program") {
        return;
    }
    let home = two("joint-fault");
    let (log, trace) = (home.at("state/audit/seg/00000000.jsonl"), home.at("tmp/trace"));
    let state = home.at("state");
    let pass = home.at("pass");
    let second = home.at("second");
    let set = ["vault", "joint", "set", "first", "second", "--home", &state, "--passphrase-file", &pass];
    let both = ["--operator", "first", "--second-operator", "second", "--second-passphrase-file", &second];
    let set = home.program(&[&set[..], &both].concat());
    let code = home.at("code");
    let keeps = format!("if yours is lost:|keep:{code}");
    let mut seen = BTreeSet::new();
    for when in 1..=8 {
        let fault = format!("inject=fdatasync:error=EIO:when={when}");
        let strace = ["strace", "-f", "-qq", "-o", &trace, "-P", &log, "-e", "trace=fdatasync", "-e", &fault];
        let strace = strace.map(str::to_owned);
        let _ = std::fs::remove_file(&code);
        let ran = Ran::of(&mut behind(&[&strace[..], &terminal(&[&keeps])].concat(), &set));
        let is_shown = std::fs::exists(&code).expect("a home");
        let alone = as_who(&home, FIRST, &["history", "list"]);
        let is_joint = alone.code == Some(7);
        if is_joint {
            let next = with(&home, OTHER, &["history", "list"]).ends(0, &[]);
            let is_told = next.stderr.contains("Draw another: lightproof vault recovery");
            assert!(is_shown || is_told, "nobody has seen the new code: {ran:#?} {next:#?}");
            with(&home, OTHER, &["vault", "joint", "end"]).ends(0, &[]);
        } else {
            alone.ends(0, &[]);
            assert!(!is_shown, "{when}: {ran:#?}");
        }
        seen.insert((is_shown, is_joint));
    }
    let both = BTreeSet::from([(false, false), (false, true)]);
    assert!(seen.is_superset(&both), "not done, and done and not on record: {seen:?}");
    let listed = as_who(&home, FIRST, &["history", "verify", "--json"]).ends(0, &[]).data();
    assert_eq!(listed["sound"], 1);
}

/// Who opens it together is a part of a backup, as a passphrase is: one from before brings back what was, and says so.
#[test]
fn a_backup_from_before_opens_as_it_did_and_that_is_said() {
    let home = two("joint-before");
    let file = home.at("backup");
    as_who(&home, FIRST, &["backup", "create", "-o", &file]).ends(0, &[]);
    let steps = ["if yours is lost:|text:", "1 backup on record may open with one passphrase|text:"];
    let seen = typed(&home, OTHER, &steps, &["vault", "joint", "set", "first", "second"]);
    assert_eq!(seen.last(), Some(&ended(0)), "{seen:?}");
    for part in ["state/vault", "workspace"] {
        std::fs::remove_dir_all(home.path().join(part)).expect("it was there");
    }
    let restored = as_who(&home, FIRST, &["backup", "restore", &file, "--json"]);
    let said = [
        "who opens the vault together was changed since",
        "each passphrase opens it alone now",
        "the recovery code: the secret was changed since",
    ];
    let restored = restored.ends(0, &said).data();
    assert_eq!(restored["joint_from_before"], true);
    as_who(&home, FIRST, &["history", "list"]).ends(0, &[]);
    set(&home);
    as_who(&home, FIRST, &["history", "list"]).ends(7, &LACKS);
    is_whole(&home, 1);
}
