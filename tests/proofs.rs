//! Verbs that change people, secrets and keys while a server has the vault: what they would say and do alone.

use crate::abuse::{long, small, token_of};
use crate::harness::{Home, PASSPHRASE, Ran, SMALL};
use crate::http::Request;
use crate::people::{FIRST, OTHER, SECOND, Studio, THIRD, add, as_who, two};
use crate::served::Served;
use crate::terminal::{at_terminal, ended};
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Duration;

/// What is asked, with the name and the file of who asks.
type Asked<'a> = ((&'a str, &'a str), &'a [&'a str]);

/// What it said, without what differs between two homes.
fn said(home: &Home, ran: &Ran) -> (Option<i32>, String, String) {
    let own = home.path().display().to_string();
    let same = |text: &str| {
        let text = text.replace(&own, "HOME");
        let words = text.split_inclusive([' ', '\n']);
        // A digest is of a log of its own.
        let mask = |word: &str| if word.trim().len() >= 64 { "DIGEST ".to_owned() } else { word.to_owned() };
        words.map(mask).collect::<String>()
    };
    (ran.code, same(&ran.stdout), same(&ran.stderr))
}

/// Nothing was lost, as the first person sees it.
#[track_caller]
fn is_whole(home: &Home, pictures: u64) {
    let vault = as_who(home, FIRST, &["history", "verify", "--json"]).ends(0, &[]).data();
    assert_eq!(vault["sound"], pictures, "{vault}");
    let log = home.ask(&["audit", "verify", "--json"]).ends(0, &[]).data();
    assert_eq!((&log["open_intents"], &log["findings"]), (&json!([]), &json!([])), "{log}");
}

/// How many records of each of these types there are.
fn counted(home: &Home, types: &[&str]) -> Vec<usize> {
    types.iter().map(|name| home.count_records(&[&format!(" {name} ")])).collect()
}

/// The same is asked of a home of its own and of one that a server has.
#[track_caller]
fn compare(alone: &Home, through: &Home, asked: &[Asked<'_>], types: &[&str]) {
    let before: Vec<_> = asked.iter().map(|(who, words)| as_who(alone, *who, words)).collect();
    let served = Served::start(through);
    let starts = through.count_records(&["boot.started"]);
    for ((who, words), alone_ran) in asked.iter().zip(before) {
        let ran = as_who(through, *who, words);
        let (ours, theirs) = (said(through, &ran), said(alone, &alone_ran));
        if words.contains(&"rotate") || words.contains(&"--keep-pictures") {
            // Each start is a record, and there are more of them alone.
            let mask = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "N");
            assert_eq!((ours.0, mask(&ours.1)), (theirs.0, mask(&theirs.1)), "{words:?}");
            continue;
        }
        assert_eq!(ours, theirs, "{words:?}");
    }
    assert_eq!(through.count_records(&["boot.started"]), starts, "a verb made a start of its own");
    let ran = served.stop().ends(0, &[]);
    assert!(!ran.stderr.contains("panicked"), "{ran:#?}");
    assert_eq!(counted(through, types), counted(alone, types), "{types:?}");
    for home in [alone, through] {
        home.ask(&["audit", "verify"]).ends(0, &[]);
        assert!(home.files_with(b"another long passphrase").iter().all(|file| file.ends_with("other")));
    }
}

#[test]
fn people_come_and_go_through_a_server_as_they_do_alone() {
    let homes = ["proofs-alone", "proofs-through"].map(|name| {
        let home = Home::with_picture(name);
        home.write("second", SECOND.as_bytes());
        home.write("third", THIRD.as_bytes());
        home.write("other", b"another long passphrase");
        home.write("weak", b"short");
        home
    });
    // A name is looked at by each as its own: the files are named in the same words.
    let (nameless, first) = (("first", "pass"), FIRST);
    let add = |name: &'static str, file: &'static str| -> [&'static str; 5] {
        ["operator", "add", name, "--new-passphrase-file", file]
    };
    let asked: [Asked<'_>; 28] = [
        (nameless, &add("Second", "weak")),
        (nameless, &["operator", "add", "Second"]),
        (nameless, &add("First", "second")),
        (nameless, &add("Second", "second")),
        (first, &add("second", "third")),
        (first, &["operator", "add", "Third", "--role", "king", "--new-passphrase-file", "third"]),
        (
            first,
            &["operator", "add", "Third", "--json", "--role", "auditor", "--new-passphrase-file", "third"],
        ),
        (OTHER, &add("Fourth", "third")),
        (OTHER, &["operator", "role", "Second", "admin"]),
        (OTHER, &["operator", "remove", "First", "--keep-pictures"]),
        (first, &["operator", "role", "Nobody", "admin"]),
        (first, &["operator", "role", "First", "operator"]),
        (first, &["operator", "role", "Third", "admin"]),
        (("second", "pass"), &["operator", "role", "Second", "admin"]),
        (first, &["operator", "role", "Second", "admin", "--json"]),
        (OTHER, &["operator", "role", "Second", "operator"]),
        (OTHER, &["operator", "remove", "second"]),
        (OTHER, &["operator", "role", "second", "operator", "--yes"]),
        (OTHER, &["operator", "passwd", "--new-passphrase-file", "weak"]),
        (OTHER, &["operator", "passwd", "--new-passphrase-file", "second"]),
        (OTHER, &["operator", "passwd", "--new-passphrase-file", "other"]),
        (OTHER, &["operator", "passwd", "--new-passphrase-file", "other"]),
        (("second", "other"), &["vault", "passwd", "--json", "--new-passphrase-file", "second"]),
        (first, &["operator", "passwd", "Second", "--new-passphrase-file", "other"]),
        (first, &["operator", "confirm", "9"]),
        (first, &["operator", "remove", "First", "--keep-pictures"]),
        (first, &["operator", "remove", "Second", "--json"]),
        (OTHER, &["operator", "list"]),
    ];
    let types = [
        "slot.added",
        "slot.removed",
        "slot.role_changed",
        "vault.secret_requested",
        "vault.secret_changed",
        "vault.unlock_failed",
        "request.refused",
    ];
    compare(&homes[0], &homes[1], &asked, &types);
    for home in homes {
        is_whole(&home, 1);
        for record in home.records() {
            assert!(!record.to_lowercase().contains("second "), "a name is in the log: {record}");
        }
    }
}

#[test]
fn secrets_and_keys_change_through_a_server_as_they_do_alone() {
    let homes = ["keys-alone", "keys-through"].map(|name| {
        let home = two(name);
        home.write("other", b"another long passphrase");
        home.write("machine", &(0..40).collect::<Vec<u8>>());
        home.write("short", &[7; 8]);
        home
    });
    let asked: [Asked<'_>; 17] = [
        (FIRST, &["vault", "verify"]),
        (FIRST, &["vault", "verify", "--json"]),
        (OTHER, &["vault", "verify"]),
        (FIRST, &["vault", "rotate"]),
        (OTHER, &["vault", "rotate"]),
        (FIRST, &["vault", "retain", "--dry-run"]),
        (FIRST, &["vault", "recovery"]),
        (FIRST, &["vault", "drill"]),
        (FIRST, &["vault", "machine", "add", "--secret-file", "short"]),
        (OTHER, &["vault", "machine", "add", "--secret-file", "machine"]),
        (FIRST, &["vault", "machine", "add", "--secret-file", "machine", "--json"]),
        (FIRST, &["vault", "machine", "add", "--new-secret-file", "drawn"]),
        (OTHER, &["vault", "machine", "add", "--new-secret-file", "denied"]),
        (OTHER, &["vault", "machine", "remove"]),
        (FIRST, &["vault", "machine", "remove"]),
        (FIRST, &["vault", "machine", "remove"]),
        (FIRST, &["vault", "machine", "add", "--new-secret-file", "new", "--json"]),
    ];
    let types = ["slot.added", "slot.removed", "vault.rolled", "vault.unlock_failed", "request.refused"];
    compare(&homes[0], &homes[1], &asked, &types);
    for home in homes {
        let drawn = |name: &str| std::fs::read(home.at(name)).expect("it was made").len();
        assert_eq!((drawn("drawn"), drawn("new")), (0, 32));
        assert_eq!(home.count_records(&["slot.added", "role=machine"]), 2);
        is_whole(&home, 1);
    }
}

/// They lose what they are signed in for, their requests, and their verbs that are at work.
#[test]
fn who_is_removed_through_a_server_gets_nothing_more() {
    let home = two("removed");
    as_who(&home, FIRST, &["operator", "add", "Third", "--new-passphrase-file", &home.at("third")])
        .ends(0, &[]);
    let studio = Studio { served: Served::start(&home) };
    let second = token_of(&studio.sign_in(Some("second"), SECOND).is(201));
    let third = token_of(&studio.sign_in(Some("third"), THIRD).is(201));
    let jobs = |token: &str| studio.ask(token, Request::get("/api/v1/jobs")).status;
    assert_eq!((jobs(&second), jobs(&third)), (200, 200));
    studio.ask(&second, Request::post("/api/v1/jobs", &long())).is(202);
    let state = home.at("state");
    let more = ["--home", &state, "--passphrase-file", &home.at("second"), "--operator", "second"];
    let words = [&["generate", "a long way", "--size", "256x256", "--steps", "100", "-n16"], &more[..]];
    let mut working = home.program(&words.concat());
    let working = working.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    until(&home, &["generate.requested"], 3);
    // On a slow machine a picture is finished by then, and on a fast one none.
    let removal = ["operator", "remove", "Second", "--erase-pictures", "--yes"];
    as_who(&home, FIRST, &removal).ends(0, &["opens nothing any more"]);
    let ran = Ran::from(working.wait_with_output().expect("it ends"));
    assert!(matches!(ran.code, Some(7 | 130)), "{ran:#?}");
    assert_eq!((jobs(&second), jobs(&third)), (401, 200));
    as_who(&home, OTHER, &["history", "list"]).ends(7, &[]);
    until(&home, &["generate.failed", "reason=cancelled"], 2);
    // Another role ends what they are signed in for, too, and no more.
    as_who(&home, FIRST, &["operator", "role", "Third", "admin"]).ends(0, &["Third is an admin"]);
    assert_eq!(jobs(&third), 401);
    as_who(&home, ("third", "third"), &["operator", "list"]).ends(0, &[]);
    studio.served.stop().ends(0, &[]);
    is_whole(&home, 1);
}

/// Waits until this many records of the log hold all of these words.
#[track_caller]
fn until(home: &Home, words: &[&str], count: usize) {
    for _ in 0..1200 {
        if home.count_records(words) >= count {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{words:?}: {:#?}", home.records());
}

#[test]
fn a_second_admin_confirms_through_a_server_all_but_the_end_of_the_vault() {
    let home = two("confirms");
    add(&home, &["add", "Third"], "third").ends(0, &[]);
    as_who(&home, ("third", "third"), &[&["generate", "a yellow star"], &SMALL[..]].concat()).ends(0, &[]);
    as_who(&home, FIRST, &["operator", "role", "Second", "admin"]).ends(0, &[]);
    home.policy(b"schema = 1\ntwo_person = [\"resolve\", \"pictures\", \"hold\", \"destroy\"]\n");
    let number = |words: &[&str]| {
        let said = as_who(&home, FIRST, words).ends(6, &["nothing is done yet"]).stderr;
        said.split("as number ").nth(1).and_then(|rest| rest.split(';').next()).expect("a number").to_owned()
    };
    let destroy = number(&["vault", "destroy", "--yes"]);
    let served = Served::start(&home);
    as_who(&home, FIRST, &["hold", "set", "--of", "Third", "--reason", "order"]).ends(0, &[]);
    let hold = number(&["hold", "end", "--of", "Third"]);
    let role = number(&["operator", "remove", "Third", "--erase-pictures", "--yes"]);
    let confirm = |who, number: &str, more: &[&str]| {
        as_who(&home, who, &[&["operator", "confirm", number], more].concat())
    };
    confirm(FIRST, &hold, &[]).ends(6, &["you asked for this yourself"]);
    confirm(OTHER, &destroy, &[]).ends(6, &["the vault is destroyed while no server runs: end it"]);
    confirm(OTHER, &destroy, &["--yes"]).ends(6, &["while no server runs"]);
    confirm(OTHER, &hold, &[]).ends(0, &["done: end the hold on the pictures of Third"]);
    confirm(OTHER, &role, &[]).ends(6, &["cannot be undone", "--yes"]);
    let told = confirm(OTHER, &role, &["--yes", "--json"]).ends(0, &[]).data();
    assert_eq!(
        (&told["act"], &told["erased"], &told["removed"]),
        (&json!("remove"), &json!(1), &json!(true))
    );
    as_who(&home, ("third", "third"), &["history", "list"]).ends(7, &[]);
    served.stop().ends(0, &[]);
    is_whole(&home, 1);
    confirm(OTHER, &destroy, &["--yes"]).ends(0, &["the log stays"]);
}

/// At a terminal: nothing is done before the last word, and the code is shown where the person is.
#[test]
fn who_is_asked_through_a_server_is_asked_here() {
    let home = Home::with_picture("asked-here");
    let served = Served::start(&home);
    let passphrase = &*format!("Passphrase or recovery code: |text:{PASSPHRASE}");
    let words = ["operator", "add", "Second", "--operator", "First"];
    let seen = at_terminal(&home, &[passphrase, "Their passphrase|signal:TERM"], &words);
    assert_eq!(seen.last(), Some(&ended(130)), "{seen:?}");
    let seen = at_terminal(&home, &[passphrase, "Their passphrase|text:short"], &words);
    assert_eq!(seen.last(), Some(&ended(2)), "{seen:?}");
    let steps = [passphrase, "Their passphrase|text:the words of the second one", "Again|text:others"];
    let seen = at_terminal(&home, &steps, &words);
    assert_eq!(seen.last(), Some(&ended(7)), "{seen:?}");
    assert_eq!(home.count_records(&["vault.secret_requested"]), 0, "nothing was done");
    let steps = [passphrase, steps[1], "Again|text:the words of the second one"];
    let seen = at_terminal(&home, &steps, &words);
    assert_eq!(seen.last(), Some(&ended(0)), "{seen:?}");
    assert!(seen.iter().take(3).all(|step| step["echo"] == json!(false)), "{seen:?}");
    let steps =
        [format!("Passphrase: |text:{PASSPHRASE}"), "Recovery code, shown this once|text:".to_owned()];
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    let seen = at_terminal(&home, &steps, &["vault", "recovery", "--operator", "First"]);
    assert_eq!(seen.last(), Some(&ended(0)), "{seen:?}");
    assert_eq!(home.count_records(&["vault.secret_changed"]), 2, "a name, and a code");
    let ran = served.stop().ends(0, &[]);
    assert!(!ran.stderr.contains("Recovery code"), "{ran:#?}");
    is_whole(&home, 1);
}

/// The code in the safe is tried and used while a server has the vault, whether or not somebody is at the page.
#[test]
fn the_recovery_code_goes_through_a_server() {
    let home = Home::furnished("code-through");
    let served = Served::start(&home);
    let wish = json!({ "code": served.setup_code(), "passphrase": PASSPHRASE });
    let made = served.ask(&Request::post("/api/v1/setup", &wish)).is(201).json();
    let token = made["token"].as_str().expect("a token").to_owned();
    home.write("code", made["recovery_code"].as_str().expect("a code").as_bytes());
    home.write("second", SECOND.as_bytes());
    home.write("third", THIRD.as_bytes());
    add(&home, &["add", "Second"], "second").ends(0, &[]);
    let (state, code, new) = (home.at("state"), home.at("code"), home.at("third"));
    let run = |words: &[&str]| {
        let with_code = ["--home", &state, "--passphrase-file", &code];
        Ran::of(&mut home.program(&[words, &with_code].concat()))
    };
    run(&["vault", "drill"]).ends(0, &["the recovery code opens this vault"]);
    assert_eq!(home.count_records(&["vault.unlocked", "role=recovery"]), 1);
    home.ask(&["vault", "drill"]).ends(7, &["typing error"]);
    served.ask(&Request::new("DELETE", "/api/v1/session").token(&token)).is(204);
    run(&["vault", "drill"]).ends(0, &["the recovery code opens this vault"]);
    // It manages nobody.
    run(&["operator", "role", "Second", "admin", "--operator", "First"])
        .ends(6, &["your role does not let you"]);
    let words = ["operator", "passwd", "second", "--new-passphrase-file", &new];
    run(&words).ends(0, &["the passphrase was changed"]);
    home.ask(&words).ends(7, &["wrong ", "or the recovery code, and no other's, an admin's neither"]);
    as_who(&home, OTHER, &["history", "list"]).ends(7, &[]);
    as_who(&home, ("second", "third"), &["history", "list"]).ends(0, &[]);
    served.stop().ends(0, &[]);
    is_whole(&home, 0);
}

#[test]
fn a_proof_is_a_guess_wherever_it_is_shown() {
    let home = two("proof-guess");
    home.write("wrong", b"not the passphrase of anybody");
    let served = Served::start(&home);
    for _ in 0..3 {
        as_who(&home, ("first", "wrong"), &["operator", "role", "Second", "admin"])
            .ends(7, &["wrong passphrase"]);
    }
    let late = as_who(&home, FIRST, &["operator", "role", "Second", "admin"]);
    late.ends(7, &["too many wrong guesses"]);
    assert_eq!(home.count_records(&["vault.unlock_failed denied"]), 3);
    assert_eq!(home.count_records(&["slot.role_changed"]), 0);
    served.stop().ends(0, &[]);
}

/// Keys are new while a picture is in work, and it is sealed all the same.
#[test]
fn keys_are_drawn_and_pictures_checked_beside_a_job() {
    let home = Home::with_picture("rotate-beside");
    let served = Served::start(&home);
    let token = token_of(
        &served.ask(&Request::post("/api/v1/session", &json!({ "passphrase": PASSPHRASE }))).is(201),
    );
    let studio = Studio { served };
    let job = studio.ask(&token, Request::post("/api/v1/jobs", &small())).is(202).json()["id"].clone();
    home.ask(&["vault", "rotate"]).ends(0, &[]);
    home.ask(&["vault", "verify"]).ends(0, &[]);
    home.ask(&["vault", "rotate"]).ends(0, &[]);
    let path = format!("/api/v1/jobs/{}", job.as_str().expect("an id"));
    for _ in 0..1200 {
        let state = studio.ask(&token, Request::get(&path)).is(200).json()["status"].clone();
        if state == "done" {
            break;
        }
        assert_ne!(state, "failed");
        std::thread::sleep(Duration::from_millis(50));
    }
    let found = home.ask(&["vault", "verify"]).ends(0, &[]).stdout;
    assert!(found.starts_with("2 pictures are whole"), "{found}");
    assert_eq!(home.count_records(&["vault.rolled", "reason=rotate"]), 2);
    studio.served.stop().ends(0, &[]);
    home.is_whole(2);
}

/// Killed at whatever moment, it is done or it is not.
#[test]
fn a_verb_that_is_killed_leaves_it_done_or_not_done() {
    let home = two("killed-proof");
    let served = Served::start(&home);
    for (round, role) in ["admin", "operator", "admin", "operator", "admin"].into_iter().enumerate() {
        let (state, pass) = (home.at("state"), home.at("pass"));
        let words = ["operator", "role", "Second", role, "--home", &state, "--passphrase-file", &pass];
        let mut program: Command = home.program(&[&words[..], &["--operator", "First"]].concat());
        let mut working = program.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        std::thread::sleep(Duration::from_millis(60 * round as u64));
        working.kill().expect("it is ours");
        working.wait().expect("it ends");
    }
    let listed = as_who(&home, FIRST, &["operator", "list"]).ends(0, &[]).stdout;
    assert_eq!(listed.lines().count(), 2, "{listed}");
    as_who(&home, OTHER, &["history", "list"]).ends(0, &[]);
    served.stop().ends(0, &[]);
    home.ask(&["audit", "verify"]).ends(0, &[]);
    is_whole(&home, 1);
}

/// What somebody came in with is what they may ask with: the recovery code lists no pictures where there is one person.
#[test]
fn a_stranger_word_at_the_door_is_no_way_around_what_a_verb_takes() {
    let home = Home::with_picture("words");
    let served = Served::start(&home);
    let mut stream = UnixStream::connect(home.path().join("state/vault/door")).expect("this user may");
    let mut say = |object: &str, bytes: &[u8]| {
        let head = [(object.len() as u32).to_le_bytes(), (bytes.len() as u32).to_le_bytes()].concat();
        stream.write_all(&[&head[..], object.as_bytes(), bytes].concat()).expect("it is taken");
    };
    say(r#"{"SignIn":{"with":"Any","operator":null,"has_terminal":false}}"#, PASSPHRASE.as_bytes());
    say(r#"{"Wish":{"History":{"verb":"List","sought":null}}}"#, b"");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it answers");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(answer.contains("makes no sense here") && !answer.contains(".png"), "{answer}");
    served.stop().ends(0, &[]);
    home.is_whole(1);
}
