//! Verbs while a server has the vault: they say what they would say alone, and leave nothing half done.

use crate::abuse::{Opened, long};
use crate::harness::{Home, PASSPHRASE, Ran, SMALL, behind};
use crate::http::Request;
use crate::life::pixels;
use crate::served::Served;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// What takes minutes, unless it is ended.
const LONG: [&str; 7] = ["generate", "a long way", "--size", "256x256", "--steps", "100", "-n16"];

/// A home with a picture, and a server that nobody is signed in to.
fn served(test: &str) -> (Home, Served) {
    let home = Home::with_picture(test);
    let served = Served::start(&home);
    (home, served)
}

/// The same with somebody at the page.
fn opened(test: &str) -> Opened {
    let (home, served) = served(test);
    let token = Opened::unlock(&served);
    Opened { served, home, token }
}

fn id_of(picture: &Value) -> String {
    picture["id"].as_str().unwrap_or_else(|| panic!("{picture}")).to_owned()
}

#[track_caller]
fn begin(home: &Home, arguments: &[&str]) -> Child {
    let mut program = home.furnished_program(arguments);
    program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_raw(child.id() as i32).expect("a child"), signal).expect("it is there");
}

/// Waits until this many records of the log hold all of these words.
#[track_caller]
fn until(home: &Home, words: &[&str], count: usize) {
    let until = Instant::now() + Duration::from_secs(60);
    while home.count_records(words) < count {
        assert!(Instant::now() < until, "{words:?}: {:#?}", home.records());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_verb_says_the_same_alone_and_through_a_server() {
    let home = Home::with_picture("same-words");
    let id = id_of(&home.pictures()[0]);
    let copy = home.at("out/first.png");
    home.ask(&["history", "export", &id, "-o", &copy]).ends(0, &[]);
    let (too_many, not_there) = ("17", "0000000000");
    let nobody = format!("a:{}", "A".repeat(22));
    let asked: [&[&str]; 21] = [
        &["vault", "status"],
        &["history", "list"],
        &["history", "list", "--json"],
        &["history", "show", &id],
        &["history", "show", not_there],
        &["history", "verify"],
        &["history", "prove", &copy, "--json"],
        &["history", "prove", "pass"],
        &["history", "export", &id, "-o", &copy],
        &["history", "export", &id, "-o", "nowhere/"],
        &["history", "rm", &id],
        &["generate", "x", "-n", too_many],
        &["generate", "x", "--size", "17x17", "--json"],
        &["hold", "list", "--json"],
        &["hold", "set", "--reason", "because"],
        &["hold", "end"],
        &["operator", "list"],
        &["operator", "list", "--json"],
        &["operator", "pending", "--json"],
        &["operator", "refuse", "7"],
        &["operator", "resolve", &nobody, "--reason", "order"],
    ];
    let alone: Vec<Ran> = asked.iter().map(|arguments| home.ask(arguments)).collect();
    let served = Served::start(&home);
    for (arguments, alone) in asked.iter().zip(alone) {
        let through = home.ask(arguments);
        // A start is a record of the vault's, too; through the server there is one for all.
        let same = |text: &str| match arguments[1] {
            "status" => text.replace(|c: char| c.is_ascii_digit(), "N"),
            _ => text.to_owned(),
        };
        assert_eq!(through.code, alone.code, "{arguments:?}: {through:#?}, alone {alone:#?}");
        assert_eq!(same(&through.stdout), same(&alone.stdout), "{arguments:?}");
        assert_eq!(same(&through.stderr), same(&alone.stderr), "{arguments:?}");
    }
    assert_eq!(home.count_records(&["boot.started"]), home.count_records(&["boot.stopped"]) + 1, "one runs");
    served.stop().ends(0, &[]);
    assert!(!home.path().join("state/vault/door").exists());
    home.is_whole(1);
}

/// One picture with this seed, and a plain copy of it.
fn wish(file: &str) -> Vec<&str> {
    [&["generate", "a red fox", "--seed", "7", "--export", file], &SMALL[..]].concat()
}

#[test]
fn a_picture_made_through_a_server_is_the_one_made_alone() {
    let home = Home::furnished("same-picture");
    let (alone, through) = (home.at("out/alone.png"), home.at("out/through.png"));
    home.ask(&wish(&alone)).ends(0, &[]);
    let served = Served::start(&home);
    let ran = home.ask(&wish(&through)).ends(0, &[]);
    assert!(
        ran.stdout.starts_with("sealed ") && ran.stdout.contains(&format!("exported {through} (")),
        "{ran:#?}"
    );
    let read = |file: &str| pixels(&std::fs::read(file).expect("it was exported"));
    assert_eq!(read(&alone), read(&through));
    // To standard output, and as JSON with two of them in a folder.
    let ran =
        Ran::of(&mut home.furnished_program(&wish("-"))).ends(0, &["sealed", "exported to standard output"]);
    assert!(ran.stdout.contains("PNG"), "{ran:#?}");
    let several =
        home.ask(&[&wish(&home.at("out")), &["-n", "2", "--json"][..]].concat()).ends(0, &[]).data();
    let copies: Vec<&str> = several["pictures"]
        .as_array()
        .expect("two")
        .iter()
        .map(|picture| picture["export"]["path"].as_str().expect("a path"))
        .collect();
    assert!(
        copies.len() == 2 && copies.iter().all(|copy| std::fs::exists(copy).expect("a folder")),
        "{copies:?}"
    );
    assert_eq!(home.count_records(&["object.exported"]), 5);
    assert_eq!(home.count_records(&["session.opened", "door=terminal"]), 4);
    served.stop().ends(0, &[]);
    home.is_whole(5);
}

#[test]
fn the_last_who_leaves_locks_the_vault_and_who_stays_keeps_it() {
    let opened = opened("leaves");
    let job = opened.busy();
    opened.home.ask(&["history", "list"]).ends(0, &[]);
    // The page's own session and request go on.
    assert_eq!(opened.job(&job)["status"], "running");
    assert_eq!(opened.home.count_records(&["session.closed"]), 1);
    assert_eq!(opened.home.count_records(&["vault.locked"]), 1, "but for the start before");
    opened.ask(Request::new("DELETE", "/api/v1/session")).is(204);
    assert_eq!(opened.status()["vault"], "locked");
    // Alone in it, a verb opens the vault, and the vault is locked behind it.
    let locked = opened.home.count_records(&["vault.locked"]);
    opened.home.ask(&["history", "list"]).ends(0, &[]);
    until(&opened.home, &["vault.locked"], locked + 1);
    assert_eq!(opened.status()["vault"], "locked");
    opened.end(1);
}

#[test]
fn a_vault_that_was_opened_at_the_start_stays_open_behind_a_verb() {
    let home = Home::with_picture("open-start");
    let (state, pass) = (home.at("state"), home.at("pass"));
    let serve = ["serve", "--port", "0", "--home", &state, "--passphrase-file", &pass];
    let served = Served::run(&mut home.program(&serve));
    let vault = || served.ask(&Request::get("/api/v1/status")).is(200).json()["vault"].clone();
    assert_eq!(vault(), "unlocked");
    home.ask(&["history", "list"]).ends(0, &[]);
    until(&home, &["session.closed"], 1);
    assert_eq!(vault(), "unlocked");
    served.stop().ends(0, &[]);
}

#[test]
fn who_signs_out_at_the_page_ends_their_verbs_too() {
    let opened = opened("signed-out");
    let working = begin(&opened.home, &LONG);
    until(&opened.home, &["generate.requested"], 2);
    opened.ask(Request::new("DELETE", "/api/v1/session")).is(204);
    let ran = Ran::from(working.wait_with_output().expect("it ends"));
    assert!(matches!(ran.code, Some(7 | 130)), "{ran:#?}");
    assert_eq!(opened.status()["vault"], "locked");
    assert_eq!(opened.home.count_records(&["generate.failed", "reason=cancelled"]), 1);
    opened.end(1);
}

#[test]
fn a_batch_goes_on_through_a_server_where_it_was_interrupted_alone() {
    let home = Home::furnished("batch-through");
    home.write("list.txt", b"a red fox\n# no prompt\na blue hare\na green owl\n");
    let out = home.at("out");
    let batch = [&["batch", "list.txt", "--json", "--export", &out], &SMALL[..]].concat();
    // The first two lines by themselves, and then the same file with all of them, as it was interrupted.
    home.ask(&batch).ends(0, &[]);
    let progress = std::fs::read_to_string(home.path().join("list.txt.progress")).expect("it was kept");
    let cut: Vec<&str> = progress.lines().take(2).collect();
    home.write("list.txt.progress", format!("{}\n", cut.join("\n")).as_bytes());
    let served = Served::start(&home);
    let done = home.ask(&batch).ends(0, &["3 lines done, 1 of them before; 0 failed"]).data();
    assert_eq!(
        (&done["lines"], &done["done"], &done["done_before"]),
        (&json!(3), &json!(3), &json!(1)),
        "{done}"
    );
    assert!(
        done["pictures"].as_array().expect("two").iter().all(|picture| picture["export"]["path"].is_string())
    );
    assert_eq!(std::fs::read_to_string(home.path().join("list.txt.progress")).expect("kept"), progress);
    home.ask(&batch).ends(0, &["nothing was left to do"]);
    // A line that is wrong ends nothing, and standard input does as well.
    home.write("bad.jsonl", b"{\"prompt\": \"a red fox\"}\n{\"prompt\": 7}\n");
    let bad = home.ask(&[&["batch", "bad.jsonl", "--json"], &SMALL[..]].concat()).ends(3, &["line 2"]);
    assert_eq!(bad.data()["failures"][0]["line"], 2);
    home.ask_with(&[&["batch", "-"], &SMALL[..]].concat(), b"a red fox\n")
        .ends(0, &["cannot be gone on with"]);
    served.stop().ends(0, &[]);
    home.is_whole(7);
}

#[test]
fn an_interrupted_verb_ends_its_job_and_nothing_else() {
    let (home, served) = served("interrupted");
    for (number, (how, code)) in
        [(Signal::INT, Some(130)), (Signal::TERM, Some(130)), (Signal::KILL, None)].into_iter().enumerate()
    {
        let working = begin(&home, &LONG);
        until(&home, &["generate.requested"], number + 2);
        signal(&working, how);
        let ran = Ran::from(working.wait_with_output().expect("it ends"));
        assert_eq!(ran.code, code, "{how:?}: {ran:#?}");
        until(&home, &["generate.failed", "reason=cancelled"], number + 1);
        until(&home, &["vault.locked"], number + 2);
    }
    home.ask(&["history", "list"]).ends(0, &[]);
    served.stop().ends(0, &[]);
    home.is_whole(1);
}

#[test]
fn a_server_that_ends_takes_the_job_with_it_and_the_verb_says_so() {
    let (home, served) = served("ends");
    let working = begin(&home, &LONG);
    until(&home, &["generate.requested"], 2);
    served.stop().ends(0, &[]);
    let ran = Ran::from(working.wait_with_output().expect("it ends"));
    assert!(ran.code != Some(0) && !ran.stderr.contains("panicked"), "{ran:#?}");
    assert_eq!(home.count_records(&["generate.failed", "reason=shutdown"]), 1);
    home.is_whole(1);
    // Killed, it leaves its socket behind, which keeps nobody from anything.
    let served = Served::start(&home);
    let working = begin(&home, &LONG);
    until(&home, &["generate.requested"], 3);
    served.kill();
    let ran = Ran::from(working.wait_with_output().expect("it ends")).ends(1, &["the running server ended"]);
    assert!(!ran.stderr.contains("panicked"), "{ran:#?}");
    served.wait();
    assert!(home.path().join("state/vault/door").exists());
    home.is_whole(1);
    let served = Served::start(&home);
    home.ask(&["history", "list"]).ends(0, &[]);
    assert_eq!(
        home.count_records(&["boot.started"]),
        home.count_records(&["boot.stopped"]) + 2,
        "one was killed"
    );
    served.stop().ends(0, &[]);
}

/// What crosses to another process has left, whatever that one says of it.
#[test]
fn a_copy_is_on_record_before_it_leaves_the_server() {
    let (home, served) = served("on-record");
    let id = id_of(&home.pictures()[0]);
    let export = |path: &str| home.furnished_program(&["history", "export", &id, "-o", path]);
    let limit = ["prlimit", "--fsize=100"];
    let large = home.at("out/large.png");
    Ran::of(&mut behind(&limit, &export(&large)))
        .ends(10, &[&large, "that the copy was handed over is on record"]);
    assert!(!std::fs::exists(&large).expect("a folder"));
    assert_eq!(home.count_records(&["object.exported"]), 1);
    // Killed while it writes: the copy stands, and is one that left.
    let slow = |seconds: u32, path: &str| {
        let delay = format!("inject=fsync:delay_enter={seconds}000000");
        let trace = home.at("tmp/slow");
        let mut strace =
            behind(&["strace", "-f", "-qq", "-o", &trace, "-e", "trace=fsync", "-e", &delay], &export(path));
        strace.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("strace")
    };
    let killed = home.at("out/killed.png");
    let mut working = slow(30, &killed);
    until(&home, &["object.exported"], 2);
    let child =
        std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", working.id())).expect("it has one");
    let child = Pid::from_raw(child.trim().parse().expect("a number")).expect("a child");
    kill_process(child, Signal::KILL).expect("it is there");
    working.wait().expect("it ends");
    home.ask(&["history", "prove", &killed]).ends(0, &[]);
    // A server that ends meanwhile has nothing left to put on record, and the verb names what stands.
    let stands = home.at("out/stands.png");
    let working = slow(4, &stands);
    until(&home, &["object.exported"], 3);
    served.stop().ends(0, &[]);
    let ran = Ran::from(working.wait_with_output().expect("it ends"));
    ran.ends(
        1,
        &["the running server ended", &format!("{stands} was written, and that it left is on record")],
    );
    home.ask(&["history", "prove", &stands]).ends(0, &[]);
    home.is_whole(1);
}

#[test]
fn a_copy_may_go_where_it_may_alone() {
    let home = Home::with_picture("beside-sealed");
    let id = id_of(&home.pictures()[0]);
    let beside = home.at("workspace/output_image/copy.png");
    home.ask(&["history", "export", &id, "-o", &beside]).ends(0, &[]);
    std::fs::remove_file(&beside).expect("it was written");
    let served = Served::start(&home);
    home.ask(&["history", "export", &id, "-o", &beside]).ends(0, &[]);
    assert!(std::fs::exists(&beside).expect("a folder"));
    let inside = home.at("state/vault/copy.png");
    home.ask(&["history", "export", &id, "-o", &inside]).ends(6, &["lies in", "choose another folder"]);
    served.stop().ends(0, &[]);
}

/// A passphrase goes to one's own server and to nobody else.
#[test]
fn nobody_elses_socket_and_none_that_says_nothing_is_taken_for_the_server() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::UnixListener;
    let home = Home::with_picture("impostor");
    let vault = home.path().join("state/vault");
    let mode = |mode| std::fs::set_permissions(&vault, std::fs::Permissions::from_mode(mode)).expect("ours");
    let listener = UnixListener::bind(vault.join("door")).expect("ours");
    listener.set_nonblocking(true).expect("a socket");
    mode(0o777);
    home.ask(&["history", "list"]).ends(1, &["can be written by others"]);
    let nobody = listener.accept().expect_err("somebody came");
    assert_eq!(nobody.kind(), std::io::ErrorKind::WouldBlock);
    // One's own that says nothing is waited for, and no longer than a while.
    mode(0o700);
    home.ask(&["vault", "status"]).ends(9, &["does not answer"]);
    drop(listener);
    home.ask(&["history", "list"]).ends(0, &[]);
    // What is no socket keeps a server from nothing, and is told.
    std::fs::remove_file(vault.join("door")).expect("ours");
    std::fs::write(vault.join("door"), "mine").expect("ours");
    let served = Served::start(&home);
    home.ask(&["history", "list"]).ends(9, &[]);
    served.stop().ends(0, &["is there and is no socket", "each is refused while it runs"]);
    assert_eq!(std::fs::read(vault.join("door")).expect("ours"), b"mine");
}

#[test]
fn guesses_at_the_command_line_and_at_the_page_are_counted_together() {
    let (home, served) = served("guesses");
    home.write("wrong", b"not the passphrase of anybody");
    let (state, wrong) = (home.at("state"), home.at("wrong"));
    let guess = ["history", "list", "--home", &state, "--passphrase-file", &wrong];
    for _ in 0..3 {
        Ran::of(&mut home.program(&guess))
            .ends(7, &["wrong passphrase", "name the file that belongs to this vault"]);
    }
    Ran::of(&mut home.program(&guess)).ends(7, &["too many wrong guesses"]);
    let at_page = served.ask(&Request::post("/api/v1/session", &json!({ "passphrase": PASSPHRASE })));
    assert_eq!(at_page.status, 429, "{at_page:?}");
    assert_eq!(home.count_records(&["vault.unlock_failed denied"]), 3);
    served.stop().ends(0, &[]);
}

#[test]
fn what_the_server_was_started_with_is_not_changed_by_a_verb() {
    let (home, served) = served("flags");
    let elsewhere = home.at("out");
    home.ask(&["generate", "x", "--model", &elsewhere]).ends(9, &["leave --model and --device out"]);
    home.ask(&["generate", "x", "--device", "cuda:0"]).ends(9, &["leave --model and --device out"]);
    home.ask(&["history", "list", "--outputs", &elsewhere])
        .ends(9, &["keeps its pictures in", "leave --outputs out"]);
    home.ask(&["history", "list", "--outputs", &home.at("workspace/output_image")]).ends(0, &[]);
    // This needs the vault for itself.
    home.ask(&["vault", "destroy", "--yes"]).ends(9, &[]);
    served.stop().ends(0, &[]);
    let fresh = Home::furnished("no-vault");
    let served = Served::start(&fresh);
    fresh.ask(&["history", "list"]).ends(7, &["no vault yet", "in its page"]);
    served.stop().ends(0, &[]);
}

#[test]
fn an_erasure_through_a_server_is_seen_at_the_page() {
    let opened = opened("erased");
    let version =
        |opened: &Opened| opened.ask(Request::get("/api/v1/state")).is(200).json()["pictures"].clone();
    let before = version(&opened);
    let ran = opened.home.ask(&["history", "rm", "--all", "--yes", "--json"]).ends(0, &[]).data();
    assert_eq!(ran["erased"], 1);
    assert_ne!(version(&opened), before);
    assert_eq!(opened.total(), 0);
    opened.end(0);
}

/// Nobody else can knock, and who knocks and says nothing or nonsense keeps nobody out.
#[test]
fn a_stranger_at_the_door_gets_nothing() {
    use std::io::{Read as _, Write as _};
    use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
    use std::os::unix::net::UnixStream;
    let (home, served) = served("stranger");
    let door = home.path().join("state/vault/door");
    let found = std::fs::metadata(&door).expect("it is there");
    assert!(found.file_type().is_socket() && found.mode() & 0o077 == 0, "{found:?}");
    assert_eq!(std::fs::metadata(door.parent().expect("a folder")).expect("there").mode() & 0o077, 0);
    let mut silent: Vec<UnixStream> = Vec::new();
    for word in [
        &b""[..],
        b"GET / HTTP/1.1\r\n\r\n",
        &[0xff; 64],
        &[&[0x0b, 0, 0, 0, 0, 0, 0, 0][..], b"\"Interrupt\""].concat(),
        &[&[0x10, 0, 0, 0, 0, 0, 0, 0][..], b"{\"Wish\":\"Status\""].concat(),
    ] {
        let mut stream = UnixStream::connect(&door).expect("this user may");
        stream.write_all(word).expect("it is taken");
        silent.push(stream);
    }
    // A wish without a sign-in.
    let wish = br#"{"Wish":{"History":{"verb":"List","sought":null}}}"#;
    let mut stream = UnixStream::connect(&door).expect("this user may");
    let head = [(wish.len() as u32).to_le_bytes(), [0; 4]].concat();
    stream.write_all(&[&head[..], wish].concat()).expect("it is taken");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it answers");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(answer.contains("nobody is signed in") && !answer.contains(".png"), "{answer}");
    home.ask(&["history", "list"]).ends(0, &[]);
    // As many as may be at work, and more.
    silent.extend((0..20).map(|_| UnixStream::connect(&door).expect("this user may")));
    home.ask(&["history", "list"]).ends(9, &["too many verbs"]);
    // Whoever says nothing keeps nobody out for long.
    let until = Instant::now() + Duration::from_secs(20);
    while home.ask(&["history", "list"]).code != Some(0) {
        assert!(Instant::now() < until, "nobody gets in any more");
    }
    drop(silent);
    let ran = served.stop().ends(0, &[]);
    assert!(!ran.stderr.contains("panicked"), "{ran:#?}");
    home.is_whole(1);
}

#[test]
fn several_verbs_are_served_side_by_side() {
    let opened = opened("several");
    let job = opened.submit(long());
    let mut working: Vec<Child> =
        (0..4).map(|_| begin(&opened.home, &["history", "list", "--json"])).collect();
    working.extend((0..2).map(|_| begin(&opened.home, &[&["generate", "x"], &SMALL[..]].concat())));
    opened.until(&job, &["running"]);
    opened.ask(Request::new("DELETE", &format!("/api/v1/jobs/{job}"))).is(202);
    for child in working {
        Ran::from(child.wait_with_output().expect("it ends")).ends(0, &[]);
    }
    let made = opened.total();
    opened.end(made);
}
