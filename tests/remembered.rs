//! What the vault remembers of the log: whatever becomes of that file, a start ends up where one without it does.

use crate::checkpoint::copy;
use crate::harness::{Home, Ran, behind};
use std::fs;
use std::path::Path;
use std::process::Command;

const MEMORY: &str = "state/vault/log.memory";

fn bytes(home: &Home) -> Vec<u8> {
    fs::read(home.path().join(MEMORY)).expect("it is remembered")
}

/// Puts a copy of a folder in the place of what is there.
fn put_back(kept: &str, home: &Home, place: &str) {
    let place = home.path().join(place);
    fs::remove_dir_all(&place).expect("it was there");
    copy(&home.path().join(kept), &place);
}

/// A link, a pipe and a folder, too: none of them is followed, waited for or lost.
#[test]
fn a_memory_of_anything_else_is_as_good_as_none() {
    let home = Home::with_picture("memory-of-anything");
    let old = bytes(&home);
    home.pictures();
    let whole = bytes(&home);
    assert_ne!(old, whole, "each session is remembered");
    let other = Home::with_picture("memory-of-another");
    let path = home.path().join(MEMORY);
    let mut flipped = whole.clone();
    flipped[60] ^= 1;
    let gone = |path: &Path| fs::remove_file(path).expect("it was there");
    let put = |content: &[u8]| fs::write(&path, content).expect("it is ours");
    let becomes: [(&str, &dyn Fn()); 9] = [
        ("absent", &|| gone(&path)),
        ("empty", &|| put(b"")),
        ("torn", &|| put(&whole[..whole.len() / 2])),
        ("longer", &|| put(&[&whole[..], b"\n"].concat())),
        ("flipped", &|| put(&flipped)),
        ("older", &|| put(&old)),
        ("another's", &|| put(&bytes(&other))),
        ("a link", &|| {
            gone(&path);
            std::os::unix::fs::symlink(other.path().join(MEMORY), &path).expect("it is ours");
        }),
        ("a pipe", &|| {
            gone(&path);
            assert!(Command::new("mkfifo").arg(&path).status().is_ok_and(|status| status.success()));
        }),
    ];
    for (what, become_it) in becomes {
        become_it();
        let ran = home.ask(&["history", "list"]);
        assert_eq!((ran.code, ran.stderr.contains("error")), (Some(0), false), "{what}: {ran:#?}");
        let found = path.symlink_metadata().unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(found.is_file(), "{what}: the next session is remembered");
        home.is_whole(1);
    }
    assert_eq!(bytes(&other).len(), fs::metadata(other.path().join(MEMORY)).expect("there").len() as usize);
    other.is_whole(1);
    gone(&path);
    fs::create_dir(&path).expect("it is ours");
    home.ask(&["history", "list"]).ends(0, &[]);
    assert!(path.is_dir(), "what somebody put there is not taken away");
    home.is_whole(1);
}

#[test]
fn a_log_that_is_shorter_than_what_is_remembered_is_refused_on_record() {
    let home = Home::with_picture("memory-ahead");
    for part in ["vault", "audit"] {
        copy(&home.path().join("state").join(part), &home.path().join("kept").join(part));
    }
    home.pictures();
    let newer = bytes(&home);
    let missed = || home.count_records(&["log.mark_missed"]);
    // The log alone, with its vault's memory, or without it.
    copy(&home.path().join("state/vault"), &home.path().join("newer"));
    for memory in [Some(&newer[..]), Some(b"torn"), None] {
        put_back("kept/audit", &home, "state/audit");
        put_back("newer", &home, "state/vault");
        let path = home.path().join(MEMORY);
        match memory {
            Some(content) => fs::write(&path, content),
            None => fs::remove_file(&path),
        }
        .expect("it is ours");
        home.ask(&["history", "list"]).ends(11, &[]);
        assert_eq!(missed(), 1);
    }
    // Log and vault of one moment, and only the memory is newer.
    put_back("kept/audit", &home, "state/audit");
    put_back("kept/vault", &home, "state/vault");
    fs::write(home.path().join(MEMORY), newer).expect("it is ours");
    home.ask(&["history", "list"]).ends(11, &["records are lost"]);
    assert_eq!(missed(), 1);
    // All three: nothing on this disk can tell, and a checkpoint that was kept elsewhere does.
    let elsewhere = home.at("newest");
    fs::copy(home.path().join("state/audit/checkpoint"), &elsewhere).expect("kept elsewhere");
    put_back("kept/audit", &home, "state/audit");
    put_back("kept/vault", &home, "state/vault");
    home.ask(&["audit", "verify", "--expect", &elsewhere]).ends(11, &[]);
    home.ask(&["history", "list"]).ends(0, &[]);
    home.is_whole(1);
}

/// Nobody waits for it and nothing hangs on it: the next start reads more.
#[test]
fn a_memory_that_cannot_be_written_fails_nothing_and_a_kill_at_any_moment_of_it_neither() {
    let home = Home::with_picture("memory-faults");
    let under_strace = |calls: &str, inject: &str| {
        let (trace, file, new) = (home.at("tmp/trace"), home.at(MEMORY), home.at(&format!("{MEMORY}.new")));
        let (traced, fault) = (format!("trace={calls}"), format!("inject={calls}:{inject}"));
        let strace =
            ["strace", "-f", "-qq", "-o", &trace, "-P", &file, "-P", &new, "-e", &traced, "-e", &fault];
        let ran = Ran::of(&mut behind(&strace, &home.furnished_program(&["history", "list", "--json"])));
        let trace = fs::read_to_string(home.path().join("tmp/trace")).expect("strace wrote it");
        (ran, trace.lines().filter(|line| line.contains("INJECTED") || line.contains("killed")).count())
    };
    for (calls, fault) in [
        ("openat", "error=EIO"),
        ("openat", "error=ENOSPC"),
        ("openat", "error=EDQUOT"),
        ("write", "error=EIO"),
        ("write", "error=ENOSPC"),
        ("fsync", "error=EIO"),
        ("rename", "error=EIO"),
        ("rename", "error=ENOSPC"),
        ("openat", "signal=KILL"),
        ("write", "signal=KILL"),
        ("fsync", "signal=KILL"),
        ("rename", "signal=KILL"),
    ] {
        for when in ["1", "1+", "2", "3"] {
            let what = format!("{calls} {fault} {when}");
            let (ran, struck) = under_strace(calls, &format!("{fault}:when={when}"));
            assert!(struck > 0 || when.len() == 1 && when != "1", "{what}: nothing was struck: {ran:#?}");
            if !fault.contains("KILL") {
                assert_eq!(ran.code, Some(0), "{what}: {ran:#?}");
                assert_eq!(ran.data()["pictures"].as_array().map(Vec::len), Some(1), "{what}");
            }
            home.is_whole(1);
        }
    }
}

#[test]
fn a_backup_brings_no_memory_back_and_a_destroyed_vault_leaves_none() {
    let home = Home::with_picture("memory-ends");
    let file = home.at("out/a.backup");
    home.ask(&["backup", "create", "-o", &file]).ends(0, &[]);
    home.generate(&["a later one"]).ends(0, &[]);
    let newer = bytes(&home);
    for part in ["state/vault", "workspace"] {
        fs::remove_dir_all(home.path().join(part)).expect("it was there");
    }
    home.ask(&["backup", "restore", &file]).ends(0, &[]);
    // The memory of the vault that was lost, put beside the one that came back: of this log, and by the same key.
    fs::write(home.path().join(MEMORY), newer).expect("it is ours");
    home.ask(&["history", "list"]).ends(0, &[]);
    home.is_whole(1);
    // Without the log, too: that of the backup is shorter than what was remembered.
    let newer = bytes(&home);
    for part in ["state/vault", "state/audit", "workspace"] {
        fs::remove_dir_all(home.path().join(part)).expect("it was there");
    }
    home.ask(&["backup", "restore", &file, "--without-log"]).ends(0, &[]);
    fs::write(home.path().join(MEMORY), &newer).expect("it is ours");
    home.ask(&["history", "list"]).ends(11, &[]);
    fs::remove_file(home.path().join(MEMORY)).expect("it is ours");
    home.ask(&["history", "list"]).ends(0, &[]);
    home.is_whole(1);
    let last = bytes(&home);
    home.ask(&["vault", "destroy", "--yes"]).ends(0, &[]);
    assert!(!home.path().join(MEMORY).exists());
    assert!(home.files_with(&last[32..48]).iter().all(|file| !file.ends_with("log.memory")));
    // What the destroyed vault vouched for counts for nothing in the next one.
    fs::write(home.path().join(MEMORY), last).expect("it is ours");
    home.ask(&["vault", "init"]).ends(0, &[]);
    home.generate(&["work goes on"]).ends(0, &[]);
    home.is_whole(1);
}
