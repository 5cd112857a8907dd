//! What the log shows, and what it finds.

use crate::checkpoint::copy;
use crate::harness::{Home, Ran};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

fn audit(home: &Home) -> PathBuf {
    home.path().join("state/audit")
}

/// Puts the folder `kept` in the place of the folder `place`.
fn put_back(kept: &Path, place: &Path) {
    std::fs::remove_dir_all(place).unwrap_or_else(|error| panic!("{}: {error}", place.display()));
    copy(kept, place);
}

#[test]
fn the_newest_records_are_shown() {
    let home = Home::with_picture("tail");
    let records = home.records();
    for (index, record) in records.iter().enumerate() {
        assert!(record.starts_with(&format!("{index} 20")), "{record}");
    }
    let kinds =
        ["log.created", "boot.started", "posture.recorded", "boot.ready", "vault.created", "vault.unlocked"];
    let kinds =
        [&kinds[..], &["generate.requested", "object.sealed", "generate.finished", "boot.stopped"]].concat();
    let mut rest = records.iter();
    for kind in &kinds {
        assert!(rest.any(|record| record.contains(kind)), "no {kind} in its place: {records:#?}");
    }
    let last = home.ask(&["audit", "tail", "-n", "2"]).ends(0, &[]);
    assert_eq!(last.stdout.lines().collect::<Vec<_>>(), records[records.len() - 2..]);
    assert_eq!(home.ask(&["audit", "tail"]).ends(0, &[]).stdout.lines().count(), 10);
}

/// A picture that is made, exported and erased: what is said at the time is what the log says.
#[test]
fn exports_and_erasures_name_their_records() {
    let home = Home::with_picture("receipts");
    let picture = home.pictures()[0].clone();
    let (id, object) = (word(&picture["id"]), word(&picture["pseudonym"]));
    let exported = home.ask(&["history", "export", id, "-o", &home.at("out"), "--json"]).ends(0, &[]).data();
    let exported = exported["exported"][0].clone();
    let second = home.ask(&["history", "export", id, "-o", &home.at("out/b.png")]).ends(0, &[]).stdout;
    let made = home.generate(&["x", "--json", "--export", &home.at("out/c.png")]).ends(0, &[]).data();
    let erased = home.ask(&["history", "rm", id, "--yes", "--json"]).ends(0, &[]).data();
    let records = home.records();
    let kind = |record: &Value| {
        let number = record.as_u64().unwrap_or_else(|| panic!("no number: {record}")) as usize;
        records[number].clone()
    };
    let is = |said: &Value, object: &str, name: &str| {
        let record = kind(&said["record"]);
        assert!(record.contains(name) && record.contains(object), "{said}: {record}");
        assert_eq!(said["pseudonym"], object, "{said}");
    };
    is(&exported, object, "object.exported ok");
    is(&erased["records"][0], object, "object.erased ok");
    let of_new = &made["pictures"][0];
    is(&of_new["export"], word(&of_new["pseudonym"]), "object.exported ok");
    let line = second.lines().find(|line| line.contains(object)).unwrap_or_else(|| panic!("{second}"));
    let number =
        line.rsplit(' ').next().and_then(|n| n.parse::<usize>().ok()).unwrap_or_else(|| panic!("{line}"));
    assert!(records[number].contains("object.exported ok"), "{second}");
    // The checkpoints are those that the log keeps.
    let kept = std::fs::read_to_string(audit(&home).join("checkpoints.log")).expect("it is there");
    for said in [&exported["checkpoint"], &erased["checkpoint"], &of_new["export"]["checkpoint"]] {
        let bytes: Vec<u8> = word(&said["root"])
            .as_bytes()
            .chunks(2)
            .map(|two| {
                u8::from_str_radix(std::str::from_utf8(two).expect("it is text"), 16)
                    .expect("it is hexadecimal")
            })
            .collect();
        assert!(kept.contains(&format!("\n{}\n{}\n", said["size"], base64(&bytes))), "{said}");
    }
    home.is_whole(1);
}

/// RFC 4648, for the 32 bytes of a digest.
fn base64(bytes: &[u8]) -> String {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let of_three = |three: &[u8]| {
        let bits =
            three.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        let letter = |at: usize| char::from(letters[(bits >> (18 - 6 * at)) as usize & 63]);
        (0..4).map(|at| if at > three.len() { '=' } else { letter(at) }).collect::<String>()
    };
    bytes.chunks(3).map(of_three).collect()
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

#[test]
fn records_are_selected_by_what_they_concern() {
    let home = Home::with_picture("select");
    home.generate(&["x"]).ends(0, &[]);
    let pictures = home.pictures();
    let object = word(&pictures[0]["pseudonym"]);
    let tail = home.ask(&["audit", "tail", "-n", "1000"]).ends(0, &[]).stdout;
    let lines = |arguments: &[&str]| -> Vec<String> {
        let shown = home.ask(&[&["audit", "show"], arguments].concat()).ends(0, &[]).stdout;
        shown.lines().map(str::to_owned).collect()
    };
    let those = |takes: &dyn Fn(&str) -> bool| -> Vec<String> {
        tail.lines().filter(|line| takes(line)).map(str::to_owned).collect()
    };
    assert_eq!(lines(&[]), those(&|_| true));
    assert_eq!(lines(&["3"]), those(&|line| line.starts_with("3 ")));
    assert_eq!(lines(&["--type", "object.sealed"]), those(&|line| line.contains(" object.sealed ")));
    assert_eq!(lines(&["--type", "boot"]), those(&|line| line.contains(" boot.")));
    let of_object = lines(&["--object", object]);
    assert!(!of_object.is_empty() && of_object == those(&|line| line.contains(object)), "{of_object:?}");
    let job = of_object[0].split(' ').find(|word| word.starts_with("j:")).expect("it belongs to a request");
    let of_job = lines(&["--job", job]);
    assert!(of_job.len() == 3 && of_job == those(&|line| line.contains(job)), "{of_job:?}");
    assert_eq!(lines(&["--job", job, "--type", "generate.finished"]).len(), 1);
    // Times: both ends count, and a day is whole.
    let first = tail.split(' ').nth(1).expect("a record has a time");
    let time = of_job[0].split(' ').nth(1).expect("a record has a time");
    let since = lines(&["--since", time]);
    assert_eq!(since, those(&|line| line.split(' ').nth(1) >= Some(time)));
    assert!(lines(&["--since", time, "--until", time]).contains(&of_job[0]));
    assert_eq!(
        lines(&["--since", &first[..10]]).len() + lines(&["--until", "2001-01-01"]).len(),
        tail.lines().count()
    );
    // The same as JSON, and nothing where there is nothing.
    let shown = home.ask(&["audit", "show", "--job", job, "--json"]).ends(0, &[]).data();
    let numbers: Vec<String> =
        shown["records"].as_array().expect("a list").iter().map(|r| r["seq"].to_string()).collect();
    assert_eq!(
        numbers,
        of_job.iter().map(|line| line.split(' ').next().expect("a number")).collect::<Vec<_>>()
    );
    assert_eq!(lines(&["--object", &format!("o:{}", "A".repeat(22))]), Vec::<String>::new());
    home.ask(&["audit", "show", "5000"]).ends(5, &["no record 5000"]);
    for (flag, value, said) in [
        ("--object", "705ae56a", "history show"),
        ("--job", "x", "j:"),
        ("--type", "obj", "type"),
        ("--since", "noon", "UTC"),
    ] {
        home.ask(&["audit", "show", flag, value]).ends(2, &[said]);
    }
    home.ask(&["audit", "show", "3", "--type", "boot"]).ends(2, &[]);
}

#[test]
fn a_record_is_explained_in_words() {
    let home = Home::with_picture("explain");
    let records = home.records();
    for (number, record) in records.iter().enumerate() {
        let explained = home.ask(&["audit", "explain", &number.to_string(), "--json"]).ends(0, &[]).data();
        assert_eq!(explained["record"]["seq"], number, "{explained}");
        assert!(word(&explained["sentence"]).ends_with('.'), "{explained}");
        for fact in explained["facts"].as_array().unwrap_or_else(|| panic!("{explained}")) {
            assert!(word(&fact["meaning"]).len() > 3, "{record}: {fact}");
        }
    }
    let number = records.iter().position(|record| record.contains("boot.stopped")).expect("it is on record");
    let text = home.ask(&["audit", "explain", &number.to_string()]).ends(0, &[]).stdout;
    assert!(text.contains("the program itself: the program ended in order.\n"), "{text}");
    assert!(text.contains("reason  done\n        Why. Its work was done.\n"), "{text}");
    home.ask(&["audit", "explain", "5000"]).ends(5, &["no record 5000"]);
}

/// A log that is followed while others write it.
#[test]
fn a_log_is_followed_while_others_write_it() {
    let home = Home::with_picture("follow");
    let before = home.records().len();
    let follow = |json: &[&str]| {
        let mut command = home.furnished_program(&[&["audit", "tail", "-n", "2", "--follow"], json].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("it was piped")).lines();
        (child, lines.map(|line| line.expect("it is text")))
    };
    let (people, mut lines) = follow(&[]);
    let (mut program, mut objects) = follow(&["--json"]);
    let mut shown: Vec<String> = lines.by_ref().take(2).collect();
    // It holds no lock: the next act has the log to itself.
    home.generate(&["x"]).ends(0, &[]);
    let tail = home.ask(&["audit", "tail", "-n", "1000"]).ends(0, &[]).stdout;
    let wanted: Vec<&str> = tail.lines().skip(before - 2).collect();
    shown.extend(lines.by_ref().take(wanted.len() - 2));
    assert_eq!(shown, wanted);
    for (number, line) in (before as u64 - 2..).zip(objects.by_ref().take(wanted.len())) {
        let object: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(object["seq"], number, "{line}");
    }
    let pid = Pid::from_raw(people.id() as i32).expect("a child has a pid");
    kill_process(pid, Signal::INT).expect("it is ours");
    let ended = Ran::from(people.wait_with_output().expect("it is our child"));
    assert_eq!((ended.code, ended.stderr.as_str()), (None, ""), "{ended:#?}");
    // Who no longer reads ends it, without the next record.
    drop(objects);
    assert_eq!(program.wait().expect("it is our child").code(), Some(0));
    home.is_whole(2);
}

#[test]
fn a_log_that_was_cut_back_is_found_with_a_checkpoint() {
    let home = Home::with_picture("cut-back");
    let (old, new) = (home.at("old-checkpoint"), home.at("new-checkpoint"));
    std::fs::copy(audit(&home).join("checkpoint"), &old).expect("a home can be written");
    copy(&audit(&home), &home.path().join("old-log"));
    home.generate(&["x"]).ends(0, &[]);
    std::fs::copy(audit(&home).join("checkpoint"), &new).expect("a home can be written");
    copy(&audit(&home), &home.path().join("new-log"));
    // A log that has grown still holds what it held.
    home.ask(&["audit", "verify", "--expect", &old]).ends(0, &[]);
    home.ask(&["audit", "verify", "--expect", &new]).ends(0, &[]);

    put_back(&home.path().join("old-log"), &audit(&home));
    // By itself it is consistent, and says what it cannot tell.
    let ran = home.ask(&["audit", "verify"]).ends(0, &[]);
    assert!(ran.stdout.contains("--expect"), "{ran:#?}");
    home.ask(&["audit", "verify", "--expect", &old]).ends(0, &[]);
    let ran = home.ask(&["audit", "verify", "--expect", &new, "--json"]).ends(11, &[]);
    assert_eq!(ran.object()["ok"], false);
    // The vault remembers how far its log had come.
    home.ask(&["history", "list"]).ends(11, &[]);
    home.ask(&["generate", "x"]).ends(11, &[]);
    put_back(&home.path().join("new-log"), &audit(&home));
    home.is_whole(2);
}

#[test]
fn a_vault_that_was_put_back_is_found_by_its_log() {
    let home = Home::with_picture("old-vault");
    let vault = home.path().join("state/vault");
    copy(&vault, &home.path().join("old"));
    home.ask(&["history", "rm", "--all", "--yes"]).ends(0, &[]);
    copy(&vault, &home.path().join("new"));
    put_back(&home.path().join("old"), &vault);
    // The anchor moved on with the roll: an old copy of all of it is what a thief or a restored backup brings.
    home.ask(&["history", "list"]).ends(11, &["older than its log"]);
    put_back(&home.path().join("new"), &vault);
    home.is_whole(0);
}

#[test]
fn a_changed_or_missing_log_keeps_the_vault_shut() {
    let home = Home::with_picture("changed-log");
    copy(&audit(&home), &home.path().join("sound"));
    let segment = audit(&home).join("seg/00000000.jsonl");
    let sound = std::fs::read(&segment).expect("it is there");
    let text = String::from_utf8_lossy(&sound);
    let at = text.find("generate.requested").expect("it is on record");
    let mut bytes = sound.clone();
    bytes[at] = b'G';
    std::fs::write(&segment, &bytes).expect("it can be written");
    let ran = home.ask(&["audit", "verify", "--json"]).ends(11, &[]);
    let findings = ran.data()["findings"].clone();
    assert!(findings.as_array().is_some_and(|found| !found.is_empty()), "{findings}");
    home.ask(&["history", "list"]).ends(11, &[]);

    put_back(&home.path().join("sound"), &audit(&home));
    std::fs::write(&segment, &sound[..sound.len() / 2]).expect("it can be written");
    home.ask(&["audit", "verify"]).ends(11, &[]);
    home.ask(&["history", "list"]).ends(11, &[]);

    std::fs::remove_dir_all(audit(&home)).expect("it is there");
    home.ask(&["history", "list"]).ends(11, &["log", "missing"]);
    assert!(!audit(&home).exists(), "a look made a folder");
    copy(&home.path().join("sound"), &audit(&home));
    home.is_whole(1);
}

#[test]
fn what_is_no_checkpoint_is_not_taken_for_one() {
    let home = Home::with_picture("no-checkpoint");
    home.ask(&["audit", "verify", "--expect", &home.at("missing")]).ends(5, &["missing"]);
    home.write("garbage", b"garbage");
    home.write("large", "x".repeat(70 << 10).as_bytes());
    for (name, says) in [("garbage", "no text of a checkpoint"), ("large", "large")] {
        let ran = home.ask(&["audit", "verify", "--expect", &home.at(name)]).ends(2, &[says]);
        assert_eq!(ran.stdout, "", "a wrong argument is no finding about the log: {ran:#?}");
    }
    // Somebody else's checkpoint, of a log that exists.
    let other = Home::with_picture("other-log");
    let ran = home.ask(&["audit", "verify", "--expect", &other.at("state/audit/checkpoint")]);
    assert!(ran.code.is_some_and(|code| code != 0), "{ran:#?}");
    home.is_whole(1);
}
