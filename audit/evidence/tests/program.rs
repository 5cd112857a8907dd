//! The auditor's program as an auditor runs it: on a copy of the frozen log and on a bundle, by its exit codes
//! and its output.
#![allow(clippy::unwrap_used)] // helpers of tests, which clippy takes for production code

#[path = "../../src/tests/folder.rs"]
mod folder;

use audit::{Digest, Event};
use evidence::{Certificate, Embedded, Export, ExportKey, Run};
use folder::copy_folder;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn frozen() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/v1")
}

/// A copy of the frozen log that goes away with the test.
struct Copy(PathBuf);

impl Copy {
    fn new(name: &str) -> Self {
        let dir =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("program-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        copy_folder(&frozen(), &dir);
        Self(dir)
    }

    fn change(&self, name: &str, change: impl Fn(String) -> String) {
        let path = self.0.join(name);
        let before = std::fs::read_to_string(&path).unwrap();
        let after = change(before.clone());
        assert_ne!(before, after);
        std::fs::write(&path, after).unwrap();
    }

    fn verify(&self, more: &[&str]) -> Output {
        let dir = self.0.to_str().unwrap();
        program(&[&["verify", dir], more].concat())
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn program(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lightproof-audit")).args(args).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[track_caller]
fn assert_exit(output: &Output, code: i32, words: &str) {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    let all = text(output) + &String::from_utf8_lossy(&output.stderr);
    assert!(all.contains(words), "{words:?} is not in {all}");
}

#[test]
fn a_whole_log_is_verified_and_its_length_and_first_key_printed() {
    let log = Copy::new("whole");
    let output = log.verify(&[]);
    assert_exit(&output, 0, "complete up to 44 of 44 signed records");
    let vkeys = std::fs::read_to_string(log.0.join("vkeys")).unwrap();
    assert_exit(&output, 0, vkeys.lines().next().unwrap());
    let kept = log.0.join("checkpoint");
    assert_exit(&log.verify(&["--expect", kept.to_str().unwrap()]), 0, "continues the expected checkpoint");
    // A copy for an auditor has no private key.
    std::fs::remove_file(log.0.join("epoch.key")).unwrap();
    assert_exit(&log.verify(&[]), 0, "verified");
}

#[test]
fn a_broken_signature_or_hash_is_exit_11_and_a_file_too_many_is_exit_4() {
    let log = Copy::new("broken");
    std::fs::write(log.0.join("notes.txt"), "x").unwrap();
    assert_exit(&log.verify(&[]), 4, "file notes.txt: does not belong to the log");
    // The broken hash wins over the file.
    log.change("seg/00000000.jsonl", |text| text.replacen("\"width\":128", "\"width\":129", 1));
    let output = log.verify(&[]);
    assert_exit(&output, 11, "record 1: ");
    assert_exit(&output, 11, "complete up to 1 of 44 signed records");
    assert_exit(&output, 11, "NOT verified");
}

#[test]
fn a_log_cut_back_cleanly_is_found_by_the_expected_checkpoint_alone() {
    let kept = frozen().join("checkpoint");
    let log = Copy::new("cut");
    let end = |text: &str| text[..text.len() - 2].rfind("\n\nlight").unwrap() + 2;
    log.change("checkpoints.log", |text| text[..end(&text)].to_owned());
    let journal = std::fs::read_to_string(log.0.join("checkpoints.log")).unwrap();
    let last = journal[..journal.len() - 2].rfind("\n\nlight").unwrap() + 2;
    std::fs::write(log.0.join("checkpoint"), &journal[last..journal.len() - 1]).unwrap();
    let size: usize = journal[last..].lines().nth(1).unwrap().parse().unwrap();
    log.change("seg/00000000.jsonl", |text| text.split_inclusive('\n').take(size).collect());
    let tile = log.0.join("tile/0/000.p");
    let hashes = std::fs::read(tile.join("44")).unwrap();
    std::fs::remove_file(tile.join("44")).unwrap();
    std::fs::write(tile.join(size.to_string()), &hashes[..32 * size]).unwrap();
    assert_exit(&log.verify(&[]), 0, &format!("complete up to {size} of {size}"));
    let output = log.verify(&["--expect", kept.to_str().unwrap()]);
    assert_exit(&output, 11, "expected checkpoint: covers 44 records");
}

#[test]
fn usage_absence_and_unreadable_files_have_codes_of_their_own() {
    let log = Copy::new("usage");
    let dir = log.0.to_str().unwrap();
    for wrong in [
        &[][..],
        &["verify"],
        &["prove", dir],
        &["verify", dir, dir],
        &["verify", dir, "--last", "3"],
        &["show", dir, "--expect", dir],
        &["show", dir, "--last", "many"],
        &["verify", dir, "--quick"],
        &["verify", dir, "--follow"],
        &["tail", dir, "--type", "boot"],
        &["tail", dir, "3"],
        &["show", dir, "many"],
        &["show", dir, "3", "--type", "boot"],
        &["show", dir, "--type", "boots"],
        &["show", dir, "--since", "noon"],
        &["show", dir, "--object", "x"],
        &["explain", dir],
        &["explain", dir, "3", "--last", "1"],
        &["verify", dir, "--first-key", "x"],
        &["bundle", dir],
        &["bundle", "show", dir],
        &["bundle", "verify"],
        &["bundle", "verify", dir, "--last", "3"],
        &["bundle", "verify", dir, "--first-key", "x"],
        &["bundle", "verify", dir, "--log", dir],
        &["certificate", dir],
        &["certificate", "verify"],
        &["certificate", "verify", dir, "--last", "3"],
        &["certificate", "verify", dir, "--first-key", "x"],
    ] {
        assert_exit(&program(wrong), 2, "lightproof-audit verify DIR");
    }
    let nowhere = log.0.join("nowhere");
    let nowhere = nowhere.to_str().unwrap();
    assert_exit(&program(&["verify", nowhere]), 5, "there is no log");
    for verb in [&["show"][..], &["tail"], &["tail", "--follow"], &["show", "3"], &["explain", "3"]] {
        let arguments = [&[verb[0], nowhere], &verb[1..]].concat();
        assert_exit(&program(&arguments), 5, "there is no log");
    }
    assert_exit(&program(&["show", dir, "44"]), 5, "no record 44");
    assert_exit(&program(&["explain", dir, "44"]), 5, "no record 44");
    assert_exit(&program(&["verify", nowhere, "--json"]), 5, "\"not_found\"");
    assert_exit(&program(&["bundle", "verify", nowhere]), 5, "there is no bundle");
    assert_exit(&program(&["bundle", "verify", dir, "--json"]), 5, "bundle-verify/v1\",\"ok\":false");
    assert_exit(&program(&["certificate", "verify", nowhere]), 5, "there is no certificate");
    assert_exit(
        &program(&["certificate", "verify", dir, "--json"]),
        5,
        "certificate-verify/v1\",\"ok\":false",
    );
    assert_exit(&log.verify(&["--expect", nowhere]), 1, "cannot read");
    std::fs::write(log.0.join("epoch.key"), "x").unwrap();
    assert_exit(
        &log.verify(&["--expect", log.0.join("epoch.key").to_str().unwrap()]),
        2,
        "no text of a checkpoint",
    );
    assert_exit(&program(&["--help"]), 0, "exit codes");
    assert_exit(&program(&["--version"]), 0, env!("CARGO_PKG_VERSION"));
}

#[test]
fn tail_prints_the_newest_records() {
    let log = Copy::new("tail");
    let dir = log.0.to_str().unwrap();
    let output = program(&["tail", dir, "--last", "2"]);
    let lines: Vec<String> = text(&output).lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("42 ") && lines[1].starts_with("43 "), "{lines:?}");
    assert_eq!(text(&program(&["tail", dir])).lines().count(), 20);
    // As they are stored; what is no record is said to be none.
    let stored = std::fs::read_to_string(log.0.join("seg/00000000.jsonl")).unwrap();
    for verb in [&["tail", dir, "--last", "100"], &["show", dir, "--last", "100"]] {
        let output = program(&[&verb[..], &["--json"]].concat());
        assert_eq!((output.status.code(), text(&output)), (Some(0), stored.clone()));
    }
    log.change("seg/00000000.jsonl", |text| text.replacen("\"seq\":43", "\"seq\":x", 1));
    for arguments in [
        &["tail", dir, "--last", "1", "--json"][..],
        &["show", dir, "--type", "key", "--last", "1", "--json"],
    ] {
        assert_eq!(text(&program(arguments)), "{\"damaged\":43}\n");
    }
    assert_exit(&program(&["show", dir, "43"]), 11, "no record");
}

#[test]
fn show_prints_the_records_that_match() {
    let log = Copy::new("show");
    let dir = log.0.to_str().unwrap();
    let all = text(&program(&["show", dir]));
    assert_eq!(all.lines().count(), 44);
    let shown = |arguments: &[&str]| {
        let output = program(&[&["show", dir], arguments].concat());
        assert_exit(&output, 0, "");
        text(&output)
    };
    let those = |takes: &dyn Fn(&str) -> bool| {
        all.lines().filter(|line| takes(line)).map(|line| format!("{line}\n")).collect::<String>()
    };
    assert_eq!(shown(&["7"]), those(&|line| line.starts_with("7 ")));
    assert_eq!(shown(&["--type", "boot"]), those(&|line| line.contains(" boot.")));
    assert!(shown(&["--type", "boot.started"]).lines().count() > 0);
    let created = shown(&["--type", "object.created"]);
    let word = |start: &str| created.split_whitespace().find(|word| word.starts_with(start)).unwrap();
    let (object, job) = (word("o:"), word("j:"));
    assert_eq!(shown(&["--object", object]), those(&|line| line.contains(object)));
    assert_eq!(shown(&["--job", job]), those(&|line| line.contains(job)));
    assert_eq!(shown(&["--object", object, "--last", "1"]).lines().count(), 1);
    let time = all.lines().nth(20).unwrap().split(' ').nth(1).unwrap();
    let at_least = |line: &str| line.split(' ').nth(1).unwrap() >= time;
    assert_eq!(shown(&["--since", time]), those(&at_least));
    assert_eq!(shown(&["--until", "1999-12-31"]), "");
}

#[test]
fn explain_says_what_each_field_means() {
    let log = Copy::new("explain");
    let dir = log.0.to_str().unwrap();
    for seq in 0..44_u32 {
        let output = program(&["explain", dir, &seq.to_string()]);
        assert_exit(&output, 0, "seq");
        let said = text(&output);
        assert!(said.starts_with("At 20") && !said.contains('`'), "{said}");
        // Each value has a line below it that says what it means.
        let lines: Vec<&str> = said.lines().skip(2).collect();
        assert!(
            lines.len() >= 8 && lines.chunks(2).all(|two| two.len() == 2 && two[1].trim().ends_with('.')),
            "{said}"
        );
    }
    let said = text(&program(&["explain", dir, "0"]));
    assert!(said.contains("the program itself: the first record of every log."), "{said}");
    // A type of a later version has no words here, and is shown all the same.
    log.change("seg/00000000.jsonl", |text| text.replacen("\"log.created\"", "\"log.invented\"", 1));
    let said = text(&program(&["explain", dir, "0"]));
    assert!(said.contains("log.invented, a type that this program does not know"), "{said}");
    assert!(said.lines().any(|line| line.starts_with("key ")), "{said}");
}

#[test]
fn output_that_cannot_be_written_is_no_success_and_a_closed_pipe_is_quiet() {
    let log = Copy::new("unwritable");
    let dir = log.0.to_str().unwrap();
    let verbs: [&[&str]; 10] = [
        &["--help"],
        &["--version"],
        &["verify", dir],
        &["verify", dir, "--json"],
        &["tail", dir],
        &["tail", dir, "--follow"],
        &["show", dir],
        &["show", dir, "--last", "3"],
        &["show", dir, "3"],
        &["explain", dir, "3", "--json"],
    ];
    for verb in verbs {
        let run = |stdout: Stdio| {
            Command::new(env!("CARGO_BIN_EXE_lightproof-audit")).args(verb).stdout(stdout).output().unwrap()
        };
        for unwritable in [File::options().write(true).open("/dev/full"), File::open("/dev/null")] {
            let output = run(unwritable.unwrap().into());
            assert_exit(&output, 1, "could not be written to standard output");
        }
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = run(writer.into());
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]), "{verb:?}");
    }
}

#[test]
fn names_of_files_cannot_control_the_terminal() {
    let log = Copy::new("names");
    std::fs::write(log.0.join("\u{1b}[2J\n\"verified\""), "").unwrap();
    let output = log.verify(&[]);
    assert_exit(&output, 4, "does not belong to the log");
    assert!(text(&output).chars().all(|c| c == '\n' || !c.is_control()), "{output:?}");
}

#[test]
fn json_is_one_object_that_others_can_read() {
    let python = std::env::var("LIGHTPROOF_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let log = Copy::new("json");
    let read = |expression: &str, output: &Output| {
        let code = format!("import json, sys; r = json.loads(sys.argv[1]); print({expression})");
        let answer = Command::new(&python).args(["-c", &code, &text(output)]).output().unwrap();
        assert!(answer.status.success(), "{answer:?}");
        String::from_utf8(answer.stdout).unwrap().trim_end().to_owned()
    };
    let output = log.verify(&["--json"]);
    assert_eq!(read("r['ok'], r['data']['complete'], r['data']['findings']", &output), "True 44 []");
    std::fs::write(log.0.join("\"\u{1b}\\\n"), "").unwrap();
    log.change("checkpoints.log", |text| text.replacen("\n1\n", "\n2\n", 1));
    let output = log.verify(&["--json"]);
    assert_eq!(output.status.code(), Some(11));
    assert_eq!(read("r['ok'] or r['data']['integrity_broken']", &output), "True");
    assert_eq!(read("len(r['data']['findings']) == r['data']['findings_total'] > 1", &output), "True");
}

/// A log that was tried, and the bundle of it.
fn bundle(log: &Path, dir: &Path) {
    let policy = "nothing\n";
    let run = Run::new(0, 0, Digest([1; 32]), Digest::of(policy.as_bytes()), Vec::new());
    let (log_of_run, clock) = (log.to_owned(), audit::SystemClock::new());
    let log = audit::Log::create(log, clock).unwrap();
    let tried = Event::EvidenceTried { run: run.digest(), not_satisfied: 0 };
    let run_record = log.append(&[tried.by_system()]).unwrap().seq_first;
    let key = ExportKey::draw().unwrap();
    let drawn = Event::EvidenceKeyDrawn { key: key.public() }.by_system().job(audit::JobId([7; 16]));
    let key_record = log.append(&[drawn]).unwrap().seq_first;
    let export = Export {
        log: &log_of_run,
        run: &run,
        run_record,
        key_record,
        since_ms: None,
        until_ms: None,
        stamps: &[],
        policy,
        posture: &serde_json::Value::Null,
        sbom: None,
        framework: None,
        language: None,
        embedded: Embedded { name: "demo", digest: &"06".repeat(32) },
        answers: Default::default(),
        controller: &Default::default(),
        incident: None,
        rehearsal: None,
        failures: &[],
        version: "0.1.0",
        made_ms: 0,
    };
    export.make(dir, key).unwrap();
    evidence::finish(dir).unwrap();
}

#[test]
fn a_bundle_is_checked_by_its_log_and_by_what_was_kept() {
    let home = Copy::new("bundle");
    let (log, dir) = (home.0.join("audit"), home.0.join("bundle"));
    bundle(&log, &dir);
    let name = dir.to_str().unwrap();
    let output = program(&["bundle", "verify", name]);
    assert_exit(&output, 0, "0 satisfied, 0 not satisfied, 0 not applicable, 64 not measured");
    let vkeys = std::fs::read_to_string(log.join("vkeys")).unwrap();
    let (first, kept) = (vkeys.trim_end(), log.join("checkpoint"));
    assert_exit(&output, 0, &format!("first key {first}\n"));
    let kept = kept.to_str().unwrap();
    assert_exit(&program(&["bundle", "verify", name, "--first-key", first, "--expect", kept]), 0, "verified");
    let other = std::fs::read_to_string(frozen().join("vkeys")).unwrap();
    let other = other.lines().next().unwrap();
    assert_exit(&program(&["bundle", "verify", name, "--first-key", other]), 11, "audit/vkeys: ");
    let foreign = frozen().join("checkpoint");
    assert_exit(
        &program(&["bundle", "verify", name, "--expect", foreign.to_str().unwrap()]),
        11,
        "another log",
    );
    std::fs::write(dir.join("posture.json"), "{}").unwrap();
    assert_exit(&program(&["bundle", "verify", name]), 11, "posture.json: is not the file that was listed");
    let output = program(&["bundle", "verify", name, "--json"]);
    assert_exit(&output, 11, "\"file\":\"posture.json\"");
    std::fs::write(dir.join("\u{1b}[2J\n"), "").unwrap();
    let output = program(&["bundle", "verify", name]);
    assert!(text(&output).chars().all(|c| c == '\n' || !c.is_control()), "{output:?}");
}

/// A log in which the keys of two objects were destroyed, and the certificate of that.
fn certificate(log: &Path, dir: &Path) {
    let by = |event: Event, number| {
        event.by_system().object(audit::Object([number; 16])).job(audit::JobId([number; 16]))
    };
    let (of_log, clock) = (log.to_owned(), audit::SystemClock::new());
    let log = audit::Log::create(log, clock).unwrap();
    log.append(&[by(Event::ObjectExported { bytes: 7 }, 1)]).unwrap();
    let (grade, vault_root) = (audit::words::Grade::C, Digest([1; 32]));
    let erased =
        Event::ObjectErased { grade, vault_epoch: 2, vault_seq: 1, vault_root, cleanup_pending: false };
    log.append(&[by(erased, 1), by(erased, 2)]).unwrap();
    let key = ExportKey::draw().unwrap();
    let drawn = Event::CertificateKeyDrawn { key: key.public() }.by_system().job(audit::JobId([7; 16]));
    let key_record = log.append(&[drawn]).unwrap().seq_first;
    let certificate = Certificate {
        log: &of_log,
        objects: &[audit::Object([1; 16]), audit::Object([2; 16])],
        ids: &[],
        key_record,
        version: "0.1.0",
        made_ms: 0,
    };
    certificate.make(dir, key).unwrap();
}

#[test]
fn a_certificate_is_checked_alone_and_by_its_log() {
    let home = Copy::new("certificate");
    let (log, dir) = (home.0.join("of-certificate"), home.0.join("certificate"));
    certificate(&log, &dir);
    let (name, log) = (dir.to_str().unwrap(), log.to_str().unwrap());
    let verify = |more: &[&str]| program(&[&["certificate", "verify", name], more].concat());
    let object = audit::Object([1; 16]).to_string();
    assert_exit(&verify(&[]), 0, "that no export was left out is told by the log");
    assert_exit(&verify(&[]), 0, &format!("{object}  key destroyed "));
    assert_exit(&verify(&["--log", log]), 0, "verified, with the log");
    let (kept, first) =
        (format!("{log}/checkpoint"), std::fs::read_to_string(format!("{log}/vkeys")).unwrap());
    assert_exit(&verify(&["--expect", &kept, "--first-key", first.trim_end(), "--log", log]), 0, "verified");
    let other = std::fs::read_to_string(frozen().join("vkeys")).unwrap();
    assert_exit(&verify(&["--first-key", other.lines().next().unwrap()]), 11, "certificate.json: ");
    assert_exit(&verify(&["--log", frozen().to_str().unwrap()]), 11, "--log: expected checkpoint");
    assert_exit(&verify(&["--log", name]), 5, "there is no log");
    assert_exit(&verify(&["--json"]), 0, &format!("\"object\":\"{object}\""));
    std::fs::write(dir.join("certificate.html"), "x").unwrap();
    assert_exit(&verify(&["--json"]), 11, "\"file\":\"certificate.html\"");
}
