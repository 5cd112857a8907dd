//! A disk that refuses in the middle of an act: what is said, what is on record, and how it ends.
//!
//! strace makes one system call fail, the n-th that concerns one file. How many there are is counted in a run before.

use crate::abuse::{Opened, small};
use crate::harness::{Home, Ran, behind, is_root_for};
use crate::http::Request;
use crate::served::Served;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

/// The program under strace, which sees nothing but `call` on `file`, and makes it fail as `inject` says.
fn under_strace(home: &Home, arguments: &[&str], file: &str, call: &str, inject: Option<&str>) -> Command {
    let (trace, path, calls) = (home.at("tmp/trace"), home.at(file), format!("trace={call}"));
    let fault = inject.map(|fault| format!("inject={call}:{fault}"));
    let mut strace = vec!["strace", "-f", "-qq", "-o", &trace, "-P", &path, "-e", &calls];
    strace.extend(fault.iter().flat_map(|fault| ["-e", fault]));
    behind(&strace, &home.furnished_program(arguments))
}

/// How often the last run did it.
fn count(home: &Home) -> usize {
    std::fs::read_to_string(home.path().join("tmp/trace")).expect("strace wrote it").lines().count()
}

fn ids(home: &Home) -> Vec<String> {
    let text = |picture: &Value| picture["id"].as_str().expect("an id").to_owned();
    home.pictures().iter().map(text).collect()
}

/// Whatever record it is that the log does not take, the one of the end too.
#[test]
fn a_verb_whose_log_fails_prints_one_object_and_what_was_done_in_it() {
    let log = "state/audit/seg/00000000.jsonl";
    let home = Home::with_picture("one-object");
    let list = |inject: Option<&str>| {
        Ran::of(&mut under_strace(
            &home,
            &["history", "list", "--json"],
            log,
            "write,pwrite64,fdatasync,fsync",
            inject,
        ))
    };
    assert_eq!(list(None).ends(0, &[]).data()["pictures"].as_array().map(Vec::len), Some(1));
    let (calls, mut done_in_vain) = (count(&home), 0);
    for call in 1..=calls {
        let ran = list(Some(&format!("error=EIO:when={call}")));
        let object = ran.object();
        assert_eq!(object["ok"], json!(ran.code == Some(0)), "{call} of {calls}: {ran:#?}");
        done_in_vain += usize::from(object["ok"] == false && object["data"]["pictures"].is_array());
    }
    assert!(done_in_vain > 0, "the record of the end was among {calls}");
    home.ask(&["audit", "verify"]).ends(0, &[]);
}

/// The wipe of the old key is the last write to the anchor.
#[test]
fn a_key_that_cannot_be_wiped_is_reported_until_it_is() {
    let anchor = "state/vault/anchor";
    let home = Home::with_picture("wipe");
    home.generate(&["a pear", "-n", "2"]).ends(0, &[]);
    let [first, second, third] = &ids(&home)[..] else { panic!("three pictures") };
    let rm = |id: &str, inject: Option<&str>| {
        Ran::of(&mut under_strace(&home, &["history", "rm", id, "--yes"], anchor, "pwrite64", inject))
    };
    rm(first, None).ends(0, &[]);
    let last = count(&home);
    assert!(last >= 2, "{last} writes");
    // The erasure is in place and its key is not gone: it is not called done.
    let ran = rm(second, Some(&format!("error=EIO:when={last}"))).ends(3, &["old key"]);
    assert!(!ran.stdout.contains("erased"), "{ran:#?}");
    assert_eq!(home.count_records(&["vault.key_remains failed"]), 1);
    assert_eq!(home.count_records(&["object.erased"]), 1);

    let path = home.path().join(anchor);
    let mode =
        |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("it is ours");
    mode(0o400);
    // Every verb goes on and says so, and nothing more is erased.
    for verb in [&["history", "list"][..], &["history", "verify"]] {
        home.ask(verb).ends(0, &["could not be wiped"]);
    }
    home.ask(&["history", "rm", third, "--yes"]).ends(6, &["could not be wiped"]);
    assert_eq!(home.count_records(&["recovery.reconciled", "kind=erase"]), 0, "it was called done");
    assert!(home.count_records(&["vault.key_remains failed"]) >= 4);

    mode(0o600);
    let ran = home.ask(&["history", "list"]).ends(0, &[]);
    assert!(!ran.stderr.contains("wiped"), "{ran:#?}");
    assert_eq!(home.count_records(&["vault.key_wiped"]), 1);
    assert_eq!(home.count_records(&["recovery.reconciled", "kind=erase", "found=done"]), 1);
    assert_eq!(home.count_records(&["object.erased"]), 2);
    home.ask(&["history", "rm", third, "--yes"]).ends(0, &[]);
    home.is_whole(0);
}

/// A sync that failed proves nothing afterwards: no picture is answered as sealed, and the next unlock says what there is.
#[test]
fn a_picture_whose_sync_failed_is_not_answered_as_sealed() {
    let vault = "state/vault/vault";
    let home = Home::with_picture("sync");
    let draw = |inject: Option<&str>| {
        let arguments = ["generate", "a pear", "-n", "5", "--size", "16x16", "--steps", "1"];
        Ran::of(&mut under_strace(&home, &arguments, vault, "fdatasync", inject))
    };
    draw(None).ends(0, &[]);
    // strace counts by thread: the first ones are the unlock's, too, and from the fourth on there are pictures only.
    for when in 1..=5 {
        let before = home.pictures().len();
        let ran = draw(Some(&format!("error=EIO:when={when}")));
        let said = ran.stdout.matches("sealed ").count();
        if when >= 4 {
            assert!(ran.code != Some(0) && said == when - 1, "at sync {when}: {ran:#?}");
        }
        let after = home.pictures().len();
        assert!((before + said..=before + 5).contains(&after), "at sync {when}: {before} {after} {ran:#?}");
        home.is_whole(after as u64);
    }
}

/// What happened is on record once, by whichever unlock comes next: in the same process, and after a restart.
#[test]
fn an_erasure_that_a_server_could_not_end_is_found_by_its_next_unlock() {
    if !is_root_for("a fault in a running server") {
        return;
    }
    let mut opened = Opened::new("unended");
    let id = drawn(&opened);
    erase_with_a_failing_wipe(&opened, &id);

    opened.ask(Request::new("DELETE", "/api/v1/session")).is(204);
    opened.token = Opened::unlock(&opened.served);
    let page = opened.ask(Request::get("/api/v1/images")).is(200).json();
    assert_eq!(page["total"], 0, "{page}");
    let done = ["recovery.reconciled", "kind=erase", "found=done"];
    assert_eq!(opened.home.count_records(&done), 1);
    let home = opened.end(0);
    home.ask(&["history", "list"]).ends(0, &[]);
    assert_eq!((home.count_records(&done), home.count_records(&["object.erased"])), (1, 1));
}

/// Draws a small picture.
fn drawn(opened: &Opened) -> String {
    let job = opened.submit(small());
    let job = opened.until(&job, &["done"]);
    job["images"][0].as_str().unwrap_or_else(|| panic!("{job}")).to_owned()
}

/// The picture is gone and its key is not, which is said and on record.
fn erase_with_a_failing_wipe(opened: &Opened, id: &str) {
    // strace counts by thread, and a deletion writes to the anchor twice in one: the new key, then the wipe.
    let anchor = opened.home.at("state/vault/anchor");
    let fault = ["-P", &anchor, "-e", "trace=pwrite64", "-e", "inject=pwrite64:error=EIO:when=2"];
    let erase = Request::new("DELETE", &format!("/api/v1/images/{id}"));
    let answer = with_a_fault(&opened.served, &fault, || opened.ask(erase));
    let problem: Value = serde_json::from_slice(&answer.body).expect("an answer is JSON");
    assert_eq!((answer.status, &problem["code"]), (500, &json!("unfinished")), "{problem}");
    assert_eq!(opened.home.count_records(&["vault.key_remains failed"]), 1);
    let state = opened.ask(Request::get("/api/v1/state")).is(200).json();
    assert_eq!(state["warnings"], json!(["old_key_remains"]), "{state}");
    assert_eq!(opened.home.count_records(&["object.erased"]), 0);
}

/// Acts while strace, told so by its arguments, makes a system call of the running server end otherwise.
pub fn with_a_fault<T>(served: &Served, fault: &[&str], act: impl FnOnce() -> T) -> T {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-p", &served.processes().server.to_string()]).args(fault);
    let mut strace = strace.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("strace runs");
    let mut said = BufReader::new(strace.stderr.take().expect("it was piped"));
    let mut line = String::new();
    said.read_line(&mut line).expect("it says something");
    assert!(line.contains("attached"), "{line}");
    // Who talks to somebody that nobody hears is stopped.
    let reading = std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
    let done = act();
    strace.kill().expect("it is ours");
    strace.wait().expect("it is ours");
    reading.join().expect("it reads").expect("it can be read");
    done
}

/// Whoever puts an older vault back undoes no erasure, and the refusal keeps the newest vault as it was.
#[test]
fn an_older_vault_undoes_no_erasure_whose_key_remains() {
    if !is_root_for("a fault in a running server") {
        return;
    }
    let opened = Opened::new("undone");
    let (id, kept) = (drawn(&opened), drawn(&opened));
    let home = &opened.home;
    let copies = |home: &Home, from: &str, to: &str| {
        for name in ["vault", "vault.mirror"] {
            let (from, to) = (format!("{from}/{name}"), format!("{to}/{name}"));
            std::fs::copy(home.at(&from), home.at(&to)).expect("a copy can be made");
        }
    };
    for folder in ["older", "newest"] {
        std::fs::create_dir(home.path().join(folder)).expect("a home can be written");
    }
    copies(home, "state/vault", "older");
    erase_with_a_failing_wipe(&opened, &id);
    let Opened { served, home, .. } = opened;
    served.kill(); // so that no record names the newest state
    served.wait();

    copies(&home, "state/vault", "newest");
    copies(&home, "older", "state/vault");
    for _ in 0..2 {
        home.ask(&["history", "list"]).ends(11, &["older than its log"]);
    }
    assert_eq!(home.count_records(&["vault.key_wiped"]), 0);
    copies(&home, "newest", "state/vault");
    let ran = home.ask(&["history", "list"]).ends(0, &[]);
    assert!(ran.stdout.contains(&kept) && !ran.stdout.contains(&id), "{ran:#?}");
    assert_eq!(home.count_records(&["vault.key_wiped"]), 1);
}

/// An erasure that was killed between its new key and its new file has destroyed nothing, and what lies there is no old key.
#[test]
fn an_unused_key_is_called_one() {
    let home = Home::with_picture("unused");
    home.generate(&["a pear"]).ends(0, &[]);
    let first = ids(&home).remove(0);
    let copy = |from: &str, to: &str| {
        let (from, to) = (home.at(from), home.at(to));
        assert!(Command::new("cp").args(["-aT", &from, &to]).status().expect("coreutils").success());
    };
    copy("state", "before");
    home.ask(&["history", "rm", &first, "--yes"]).ends(0, &[]);
    let anchor = home.path().join("state/vault/anchor");
    let next = std::fs::read(&anchor).expect("it is there");
    std::fs::rename(home.path().join("state"), home.path().join("after")).expect("a home can be written");
    copy("before", "state");
    // Each epoch has a cell of its own, of 64 bytes: both keys are there, as after such a kill.
    let mut both = std::fs::read(&anchor).expect("it is there");
    both[..64].copy_from_slice(&next[..64]);
    std::fs::write(&anchor, both).expect("it is ours");
    let mode =
        |mode| std::fs::set_permissions(&anchor, std::fs::Permissions::from_mode(mode)).expect("it is ours");
    mode(0o400);
    let ran = home.ask(&["history", "list"]).ends(0, &["nothing was erased with it"]);
    assert!(!ran.stderr.contains("still opens"), "{ran:#?}");
    assert_eq!(home.count_records(&["vault.key_unused failed", "key_epoch=2"]), 1);
    assert_eq!(home.count_records(&["vault.key_remains"]), 0);
    mode(0o600);
    let ran = home.ask(&["history", "list"]).ends(0, &[]);
    assert!(!ran.stderr.contains("wiped"), "{ran:#?}");
    assert_eq!(home.count_records(&["vault.key_wiped", "key_epoch=2"]), 1);
}
