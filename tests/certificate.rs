//! A certificate of erasure as the person gets it who asked: made by the program, checked by it, and by other people's
//! programs alone.

use crate::checkpoint::copy;
use crate::harness::{Home, PASSPHRASE, Ran, SMALL, behind};
use crate::served::Served;
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A prompt that is kept, and would be found.
const CANARY: &str = "a vermilion axolotl";

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// Erases pictures and hands back their pseudonyms.
#[track_caller]
fn erase(home: &Home, ids: &[&str]) -> Vec<String> {
    let erased = home.ask(&[&["history", "rm", "--yes", "--json"], ids].concat()).ends(0, &[]).data();
    let records = erased["records"].as_array().unwrap_or_else(|| panic!("{erased}"));
    records.iter().map(|record| text(&record["pseudonym"]).to_owned()).collect()
}

fn certify(home: &Home, to: &str, more: &[&str]) -> Ran {
    home.ask(&[&["history", "certificate", "-o", &home.at(to), "--json"], more].concat())
}

/// What a certificate states, read by hand.
fn stated(certificate: &Path) -> Value {
    let python =
        "import base64, json, sys; print(base64.b64decode(json.load(open(sys.argv[1]))['payload']).decode())";
    let read =
        Command::new("python3").args(["-c", python]).arg(certificate.join("certificate.json")).output();
    let read = read.expect("python3");
    let statement: Value =
        serde_json::from_slice(&read.stdout).unwrap_or_else(|error| panic!("{error}: {read:?}"));
    statement["predicate"].clone()
}

fn verified(home: &Home, dir: &str) -> Value {
    let said = home.ask(&["evidence", "verify", &home.at(dir), "--json"]).ends(0, &[]).data();
    assert_eq!(said["findings"], json!([]), "{said}");
    said
}

/// Runs every block of VERIFY.md in the folder, with `log` at hand.
fn follow(home: &Home, certificate: &Path, log: Option<&Path>) -> Vec<Output> {
    let python = std::env::var("LIGHTPROOF_TEST_PYTHON").unwrap_or_else(|_| "/usr/bin/python3".into());
    std::fs::create_dir_all(home.path().join("bin")).expect("a home can be written");
    home.write("bin/python3", format!("#!/bin/sh\nexec {python} \"$@\"\n").as_bytes());
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(home.path().join("bin/python3"), executable).expect("it is ours");
    let guide = std::fs::read_to_string(certificate.join("VERIFY.md")).expect("it is text");
    let blocks = guide.split("```sh\n").skip(1).filter_map(|rest| rest.split_once("\n```"));
    let run = |(block, _): (&str, &str)| {
        let mut command = Command::new("bash");
        command.args(["-c", block]).current_dir(certificate).env_clear();
        command.env("PATH", format!("{}:/usr/bin:/bin", home.at("bin")));
        command.envs(log.map(|log| ("LOG", log))).output().expect("bash")
    };
    let outputs: Vec<Output> = blocks.map(run).collect();
    assert_eq!(outputs.len(), 4);
    outputs
}

#[track_caller]
fn assert_follows(home: &Home, certificate: &Path, log: &Path) {
    for output in follow(home, certificate, Some(log)) {
        assert!(output.status.success(), "{output:?}");
    }
}

#[test]
fn who_asked_for_an_erasure_gets_a_certificate_that_strangers_check() {
    let home = Home::furnished("certificate");
    home.generate(&[CANARY, "--remember-prompt", "--seed", "1"]).ends(0, &[]);
    home.generate(&["x"]).ends(0, &[]);
    let pictures = home.pictures();
    let (id, name, pseudonym) =
        (text(&pictures[1]["id"]), text(&pictures[1]["name"]), text(&pictures[1]["pseudonym"]));
    let prompt = home.ask(&["history", "show", id]).ends(0, &[]).stdout;
    assert!(prompt.contains(CANARY), "the picture that is erased has the prompt");
    home.ask(&["history", "export", id, "-o", &home.at("out/copy.png")]).ends(0, &[]);
    home.ask(&["backup", "create", "-o", &home.at("out/a.backup")]).ends(0, &[]);
    home.ask(&["backup", "create", "-o", &home.at("out/a.backup")]).ends(6, &[]);
    let other = ["backup", "create", "-o", &home.at("out/b.backup"), "--json"];
    let other = home.ask(&other).ends(0, &[]).data();
    assert_eq!(erase(&home, &[id]), [pseudonym]);
    home.ask(&["backup", "destroyed", text(&other["backup"])]).ends(0, &[]);
    // Later rolls do not touch what is on record.
    home.generate(&["y", "--seed", "2"]).ends(0, &[]);
    erase(&home, &[text(&pictures[0]["id"])]);
    let said = certify(&home, "certificate", &[pseudonym]).ends(0, &[]).data();
    assert_eq!((&said["pictures"], &said["exports"]), (&json!(1), &json!(1)));
    let dir = home.path().join("certificate");
    let checked = verified(&home, "certificate");
    let picture = &checked["pictures"][0];
    assert_eq!((text(&picture["object"]), &picture["exports"]), (pseudonym, &json!(1)));
    // What it says is what the log says.
    let statement = stated(&dir);
    let picture = &statement["pictures"][0];
    let records = home.records();
    let record = |cited: &Value| &records[cited["record"].as_u64().expect("a number") as usize];
    for (cited, kind) in [
        (&picture["made"], "object.sealed"),
        (&picture["asked"], "object.erase_requested"),
        (&picture["destroyed"], "object.erased"),
        (&picture["not_destroyed"]["exports"][0], "object.exported"),
        (&picture["not_destroyed"]["backups"][0], "backup.begun"),
        (&picture["not_destroyed"]["backups"][1], "backup.begun"),
        (&picture["not_destroyed"]["backups"][1]["said_destroyed"], "backup.destroyed"),
    ] {
        let record = record(cited);
        assert!(record.contains(kind) && record.contains(text(&cited["time"])), "{cited}: {record}");
        assert!(record.contains(text(&cited["by"])), "{cited}: {record}");
    }
    assert!(
        record(&picture["destroyed"]).contains(&format!("grade={}", text(&picture["destroyed"]["grade"])))
    );
    let backups = &picture["not_destroyed"]["backups"];
    assert_eq!((backups.as_array().map(Vec::len), backups[0].get("said_destroyed")), (Some(2), None));
    let page = std::fs::read_to_string(dir.join("certificate.html")).expect("it is there");
    assert_eq!(page.matches("somebody said that every copy is destroyed").count(), 1);
    assert_eq!(statement["ids"][0]["ids"], json!([id]), "it went alone, so its id is known");
    assert_eq!(home.count_records(&["certificate.key_drawn"]), 1);
    assert_eq!(home.count_records(&["certificate.issued", "objects=1", text(&said["statement"])]), 1);
    // Nothing of a person, of the picture or of this machine is in it, and it is for its owner alone.
    for canary in [CANARY, PASSPHRASE, name, &home.at("")] {
        let found = home.files_with(canary.as_bytes());
        assert!(found.iter().all(|path| !path.starts_with(&dir)), "{canary}: {found:?}");
        assert!(!statement.to_string().contains(canary), "{canary}");
    }
    for file in ["certificate.json", "certificate.html", "VERIFY.md"] {
        let mode = dir.join(file).metadata().expect("it is there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{file}");
    }
    assert_follows(&home, &dir, &home.path().join("state/audit"));
    home.is_whole(1);
}

#[test]
fn whatever_is_changed_in_a_certificate_is_named_by_both() {
    let home = Home::with_picture("changed-certificate");
    let id = text(&home.pictures()[0]["id"]).to_owned();
    erase(&home, &[&id]);
    certify(&home, "certificate", &["--all"]).ends(0, &[]);
    let (dir, kept, log) =
        (home.path().join("certificate"), home.path().join("kept"), home.path().join("state/audit"));
    copy(&dir, &kept);
    let fails = |log: &Path| -> Vec<bool> {
        follow(&home, &dir, Some(log)).iter().map(|output| !output.status.success()).collect()
    };
    assert_eq!(fails(&log), [false; 4]);
    for (name, from, to) in [
        ("certificate.html", "Grade", "Grape"),
        ("VERIFY.md", "sha256sum", "sha1sum"),
        ("certificate.json", "\"sig\":\"", "\"sig\":\"A"),
        ("certificate.json", "\"keyid\":\"", "\"keyid\":\"0"),
    ] {
        std::fs::remove_dir_all(&dir).expect("it is ours");
        copy(&kept, &dir);
        let text = std::fs::read_to_string(dir.join(name)).expect("it is text");
        let changed = text.replacen(from, to, 1);
        assert_ne!(text, changed, "{name}: {from}");
        std::fs::write(dir.join(name), changed).expect("it is ours");
        let said = home.ask(&["evidence", "verify", &home.at("certificate"), "--json"]).ends(11, &[]).data();
        let findings = said["findings"].as_array().unwrap_or_else(|| panic!("{said}"));
        assert!(findings.iter().any(|finding| finding["file"] == name), "{name}: {said}");
        let failed = fails(&log);
        assert!(failed.contains(&true) || from == "\"keyid\":\"", "{name}: {failed:?}");
    }
    // Another log has neither its checkpoint nor its key.
    std::fs::remove_dir_all(&dir).expect("it is ours");
    copy(&kept, &dir);
    let other = Home::with_picture("other-certificate");
    let others = other.path().join("state/audit");
    assert_eq!(fails(&others), [false, false, false, true]);
    let key = std::fs::read_to_string(others.join("vkeys")).expect("it is there");
    let first = key.lines().next().expect("a key");
    home.ask(&["evidence", "verify", &home.at("certificate"), "--first-key", first]).ends(11, &[]);
}

#[test]
fn what_is_there_unknown_or_only_missing_gets_no_certificate() {
    let home = Home::with_picture("refused-certificate");
    home.generate(&["x"]).ends(0, &[]);
    let pictures = home.pictures();
    let (id, pseudonym) = (text(&pictures[0]["id"]), text(&pictures[0]["pseudonym"]));
    let unknown = format!("o:{}", "A".repeat(22));
    for (named, code, words) in [
        (pseudonym, 6, "is not erased: its key still exists; erase it first: lightproof history rm"),
        (&id[..8], 6, "its key still exists"),
        (&unknown, 5, "no erasure on record is of o:AAAA"),
        ("deadbeef", 5, "no erasure on record"),
        ("--all", 5, "nothing of yours was erased"),
        ("--since=noon", 2, "UTC"),
    ] {
        certify(&home, "none", &[named]).ends(code, &[words]);
    }
    home.ask(&["history", "certificate", "-o", &home.at("none")]).ends(2, &["is missing"]);
    // A file that somebody removed by hand is no erasure, until it is finished off.
    let name = text(&pictures[0]["name"]);
    let sealed = home.path().join("workspace/output_image").join(format!("{name}.sealed"));
    let kept = std::fs::read(&sealed).expect("the sealed file is there");
    std::fs::remove_file(&sealed).expect("it is ours");
    certify(&home, "none", &[pseudonym]).ends(6, &["was removed by hand", "its key still exists"]);
    assert_eq!(home.count_records(&["certificate."]), 0);
    assert_eq!(home.count_records(&["object.missing", pseudonym]), 1);
    let rolled = |home: &Home| home.ask(&["vault", "status", "--json"]).ends(0, &[]).data()["epoch"].clone();
    let before = rolled(&home);
    assert_eq!(erase(&home, &[name]), [pseudonym]);
    assert_ne!(rolled(&home), before, "the key of a missing picture goes by a roll as well");
    // Not even the file, put back, opens again.
    std::fs::write(&sealed, kept).expect("it is ours");
    assert_eq!(home.pictures().len(), 1);
    certify(&home, "certificate", &[pseudonym]).ends(0, &[]);
    let picture = stated(&home.path().join("certificate"))["pictures"][0].clone();
    assert!(picture["removed_by_hand"]["record"].is_u64(), "{picture}");
    verified(&home, "certificate");
    std::fs::remove_file(&sealed).expect("it is ours");
    home.is_whole(1);
}

#[test]
fn many_erasures_stand_in_one_certificate_by_name_by_period_and_by_roll() {
    let home = Home::furnished("many-certificates");
    for seed in 0..6 {
        let made = ["x", "-n", "16", "--seed", &(seed * 100).to_string()].map(str::to_owned);
        home.generate(&made.each_ref().map(String::as_str)).ends(0, &[]);
    }
    home.generate(&["x", "-n", "4", "--seed", "900"]).ends(0, &[]);
    let pictures = home.pictures();
    let alone = erase(&home, &[text(&pictures[0]["id"])]);
    let rest: Vec<&str> = pictures[1..].iter().map(|picture| text(&picture["id"])).collect();
    let together = erase(&home, &rest);
    assert_eq!(together.len(), 99);
    certify(&home, "all", &["--all"]).ends(0, &[]);
    assert_eq!(verified(&home, "all")["pictures"].as_array().map(Vec::len), Some(100));
    let statement = stated(&home.path().join("all"));
    assert_eq!(statement["ids"].as_array().map(Vec::len), Some(2));
    assert_eq!(statement["ids"][1]["ids"].as_array().map(Vec::len), Some(99));
    assert_follows(&home, &home.path().join("all"), &home.path().join("state/audit"));
    // One of several: which id it had nobody knows any more. An id stands for all that went with it.
    certify(&home, "one", &[&together[5]]).ends(0, &[]);
    let one = stated(&home.path().join("one"));
    assert_eq!((&one["ids"], text(&one["pictures"][0]["object"])), (&json!([]), together[5].as_str()));
    certify(&home, "by-id", &[rest[7]]).ends(0, &[]);
    assert_eq!(stated(&home.path().join("by-id"))["pictures"].as_array().map(Vec::len), Some(99));
    certify(&home, "first", &[&alone[0]]).ends(0, &[]);
    certify(&home, "today", &["--since", "2020-01-01"]).ends(0, &[]);
    assert_eq!(verified(&home, "today")["pictures"].as_array().map(Vec::len), Some(100));
    certify(&home, "past", &["--until", "2020-01-01"]).ends(5, &["nothing of yours", "is left empty"]);
    certify(&home, "all", &["--all"]).ends(6, &["not empty"]);
    home.is_whole(0);
}

#[test]
fn each_has_a_certificate_of_their_own_and_an_admin_of_any() {
    let home = Home::with_picture("two-certificates");
    home.write("second", b"nine violet clouds at noon\n");
    let second = home.at("second");
    home.ask(&["operator", "add", "Second", "--new-passphrase-file", &second, "--operator", "First"])
        .ends(0, &[]);
    let state = home.at("state");
    let by = |name: &str, pass: &str, words: &[&str]| {
        let furniture = ["--home", &state, "--operator", name, "--passphrase-file", pass];
        Ran::of(&mut home.program(&[words, &furniture].concat()))
    };
    let pass = home.at("pass");
    let first = |words: &[&str]| by("first", &pass, words);
    let other = |words: &[&str]| by("second", &second, words);
    other(&[&["generate", "a star"], &SMALL[..]].concat()).ends(0, &[]);
    other(&[&["generate", "a moon"], &SMALL[..]].concat()).ends(0, &[]);
    let erased =
        |ran: Ran| -> String { text(&ran.ends(0, &[]).data()["records"][0]["pseudonym"]).to_owned() };
    let of_first = erased(first(&["history", "rm", "--all", "--yes", "--json"]));
    let listed = other(&["history", "list", "--json"]).ends(0, &[]).data();
    let id = text(&listed["pictures"][0]["id"]).to_owned();
    let by_second = erased(other(&["history", "rm", &id, "--yes", "--json"]));
    // The rest of theirs is erased by an admin: they made it, and may have a certificate of its end.
    let by_admin = erased(first(&["history", "rm", "--of", "second", "--yes", "--json"]));
    let to = |dir: &str| home.at(dir);
    let objects = |dir: &str| -> Vec<String> {
        let statement = stated(&PathBuf::from(to(dir)));
        let pictures = statement["pictures"].as_array().expect("a list").clone();
        pictures.iter().map(|picture| text(&picture["object"]).to_owned()).collect()
    };
    other(&["history", "certificate", "--all", "-o", &to("theirs")]).ends(0, &[]);
    assert_eq!(objects("theirs"), [by_second.clone(), by_admin.clone()]);
    other(&["history", "certificate", &of_first, "-o", &to("none")]).ends(5, &["no erasure on record"]);
    other(&["history", "certificate", "--of-everybody", "-o", &to("none2")])
        .ends(6, &["your role does not let you", "ask an admin"]);
    first(&["history", "certificate", &by_second, "-o", &to("any")]).ends(0, &[]);
    first(&["history", "certificate", "--of-everybody", "-o", &to("everybody")]).ends(0, &[]);
    assert_eq!(objects("everybody"), [of_first.clone(), by_second, by_admin.clone()]);
    // What an admin erased of others' is theirs, too, since they asked for it.
    first(&["history", "certificate", "--all", "-o", &to("own")]).ends(0, &[]);
    assert_eq!(objects("own"), [of_first, by_admin]);
    for name in ["First", "Second", "first", "second"] {
        for dir in ["theirs", "everybody"] {
            let statement = stated(&PathBuf::from(to(dir))).to_string();
            assert!(!statement.contains(&format!("\"{name}\"")), "{name} in {dir}");
        }
    }
}

#[test]
fn a_running_server_hands_out_the_same_certificate() {
    let home = Home::with_picture("certificate-through");
    let id = text(&home.pictures()[0]["id"]).to_owned();
    let pseudonym = &erase(&home, &[&id])[0];
    let asked: [(&[&str], i32); 5] = [
        (&["--all"], 0),
        (&[pseudonym], 0),
        (&["--since", "2999-01-01"], 5),
        (&["--since", "yesterday"], 2),
        (&["o:AAAAAAAAAAAAAAAAAAAAAA"], 5),
    ];
    let ask = |more: &[&str]| home.ask(&[&["history", "certificate", "-o", &home.at("here")], more].concat());
    let dir = home.path().join("here");
    let remove = || {
        let _ = std::fs::remove_dir_all(&dir);
    };
    let mut alone = Vec::new();
    for (more, code) in asked {
        alone.push((ask(more).ends(code, &[]), dir.exists()));
        remove();
    }
    let served = Served::start(&home);
    let same = |text: &str| {
        let words = text.split_whitespace().filter(|word| !word.chars().any(|c| c.is_ascii_digit()));
        words.collect::<Vec<_>>().join(" ")
    };
    for ((more, _), (alone, made)) in asked.into_iter().zip(alone) {
        let through = ask(more);
        assert_eq!((through.code, dir.exists()), (alone.code, made), "{more:?}: {through:#?}");
        assert_eq!(same(&through.stdout), same(&alone.stdout), "{more:?}");
        assert_eq!(same(&through.stderr), same(&alone.stderr), "{more:?}");
        if through.code == Some(0) {
            verified(&home, "here");
        }
        remove();
    }
    // One that cannot be written is on record, and nothing of it is left.
    let arguments = ["history", "certificate", "--all", "-o", &home.at("here")];
    let program = home.furnished_program(&arguments);
    let limited = ["bash", "-c", "ulimit -f 4 && exec \"$@\"", "bash"];
    let ran = Ran::of(&mut behind(&limited, &program)).ends(10, &["on record all the same", "is left empty"]);
    assert!(!ran.stdout.contains("certificate of"), "{ran:#?}");
    assert_eq!(home.count_records(&["certificate.issued"]), 5);
    // A name that is no text, and one by the folder that somebody is in.
    let mut program = home.furnished_program(&["history", "certificate", "--all"]);
    Ran::of(program.arg("-o").arg(OsStr::from_bytes(b"no-text-\xff"))).ends(0, &[]);
    home.ask(&["history", "certificate", "nonsense", "-o", "relative"]).ends(5, &["relative is left empty"]);
    ask(&["--all"]).ends(0, &[]);
    ask(&["--all"]).ends(6, &["not empty"]);
    assert!(!home.path().join("state/evidence/certificate").exists(), "nothing stays in the server's folder");
    served.stop().ends(0, &[]);
    assert_follows(&home, &dir, &home.path().join("state/audit"));
    home.is_whole(0);
}
