//! A bundle of evidence as an auditor gets it: made by the program, checked by it, and by other people's programs alone.

use crate::checkpoint::copy;
use crate::crash::SmallDisk;
use crate::harness::{Home, PASSPHRASE, Ran, SMALL, is_root_for};
use crate::served::Served;
use audit::words::Process;
use audit::{Digest, Event, Log, SystemClock};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A prompt that is kept, and would be found.
const CANARY: &str = "a vermilion axolotl";

/// A home with a picture whose prompt is kept, and a bundle of it.
fn handed_over(test: &str) -> (Home, PathBuf) {
    let home = Home::furnished(test);
    home.generate(&[CANARY, "--remember-prompt"]).ends(0, &[]);
    home.ask(&["evidence", "export", "-o", &home.at("bundle")]).ends(0, &[]);
    let bundle = home.path().join("bundle");
    (home, bundle)
}

/// Every file of a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.expect("it can be listed").path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn json(path: &Path) -> Value {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn a_bundle_is_on_record_names_nobody_and_passes_every_check() {
    let (home, bundle) = handed_over("bundle");
    let said = home.ask(&["evidence", "verify", &home.at("bundle"), "--json"]).ends(0, &[]).data();
    assert_eq!(said["findings"], serde_json::json!([]), "{said}");
    assert_eq!(said["outcomes"]["not_satisfied"], 0, "{said}");
    // What the program was made of, as it was compiled: whoever builds it in a checkout need not ask for that.
    let page = std::fs::read_to_string(bundle.join("README.html")).expect("it is text");
    assert!(page.contains("sbom.cdx.json lists") && !page.contains("carries no list of its parts"));
    let parts =
        Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/sbom")).arg("lightproof").output();
    let parts: Value = serde_json::from_slice(&parts.expect("it starts").stdout).expect("it is JSON");
    assert!(json(&bundle.join("sbom.cdx.json")) == parts, "another program's parts");
    let vkeys = std::fs::read_to_string(home.path().join("state/audit/vkeys")).expect("it is there");
    let first_key = vkeys.lines().next().expect("a key");
    assert_eq!(said["first_key"], first_key);
    // The record that names the bundle comes after the one that names its key, and the log still holds.
    let sum = Command::new("sha256sum").arg(bundle.join("manifest.json")).output().expect("sha256sum");
    let sum = String::from_utf8_lossy(&sum.stdout)[..64].to_owned();
    assert_eq!(home.count_records(&["evidence.exported ok", &format!("manifest={sum}")]), 1);
    let of_kinds = |kind: &str| home.records().iter().position(|record| record.contains(kind));
    assert!(of_kinds("evidence.tried") < of_kinds("evidence.key_drawn"));
    assert!(of_kinds("evidence.key_drawn") < of_kinds("evidence.exported"));
    home.is_whole(1);
    // For its owner alone, and nothing of a person or of this machine is in it.
    for path in files(&bundle) {
        let mode = path.metadata().expect("it is there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", path.display());
    }
    let name = home.pictures()[0]["name"].as_str().expect("a name").to_owned();
    for canary in [CANARY, PASSPHRASE, &name, &home.at(""), "PNG\r\n"] {
        let found = home.files_with(canary.as_bytes());
        assert!(found.iter().all(|path| !path.starts_with(&bundle)), "{canary}: {found:?}");
    }
    // With what was noted elsewhere: the first key, and an older checkpoint.
    copy(&home.path().join("state/audit"), &home.path().join("kept"));
    let (kept, first) = (home.at("kept/checkpoint"), first_key.to_owned());
    let other = Home::with_picture("other-bundle");
    let others = std::fs::read_to_string(other.path().join("state/audit/vkeys")).expect("it is there");
    let verify = |more: &[&str]| home.ask(&[&["evidence", "verify", &home.at("bundle")], more].concat());
    verify(&["--first-key", &first]).ends(0, &[]);
    verify(&["--first-key", others.lines().next().expect("a key")]).ends(11, &[]);
    verify(&["--first-key", "x"]).ends(2, &["audit verify"]);
    let ran = verify(&["--expect", &kept]).ends(11, &[]);
    assert!(ran.stdout.contains("cut back"), "the log went on after the bundle was made: {ran:#?}");
    home.ask(&["evidence", "export", "-o", &home.at("later")]).ends(0, &[]);
    home.ask(&["evidence", "verify", &home.at("later"), "--expect", &kept]).ends(0, &[]);
}

/// A person with a name that nothing else has makes a picture, takes a copy of it, and erases it and another one; and an admin whose name
/// is as rare hands over the evidence of it. Nothing of either, of a prompt or of a picture leaves with it.
#[test]
fn no_bundle_holds_a_name_a_prompt_a_passphrase_or_a_pixel() {
    const NAMES: [&str; 2] = ["Zephyrine Quillfeather", "Ottokar Brindlewick"];
    const SECRET: &str = "cerulean dromedary passphrase";
    let home = Home::with_picture("canaries");
    home.write("second", format!("{SECRET}\n").as_bytes());
    let (state, first, second) = (home.at("state"), home.at("pass"), home.at("second"));
    home.ask(&["operator", "add", NAMES[0], "--new-passphrase-file", &second, "--operator", NAMES[1]])
        .ends(0, &[]);
    let by = |name: &str, pass: &str, words: &[&str]| {
        let furniture = ["--home", &state, "--operator", name, "--passphrase-file", pass];
        Ran::of(&mut home.program(&[words, &furniture].concat()))
    };
    let person = |words: &[&str]| by(NAMES[0], &second, words);
    for _ in 0..3 {
        person(&[&["generate", CANARY, "--remember-prompt"], &SMALL[..]].concat()).ends(0, &[]);
    }
    let pictures = person(&["history", "list", "--json"]).ends(0, &[]).data()["pictures"].clone();
    let of = |at: usize, key: &str| pictures[at][key].as_str().expect("it is text").to_owned();
    let copied = home.at("out/copy.png");
    person(&["history", "export", &of(0, "id"), "-o", &copied]).ends(0, &[]);
    person(&["history", "rm", &of(0, "id"), "--yes"]).ends(0, &[]);
    person(&["history", "rm", &of(1, "id"), "--yes"]).ends(0, &[]);
    let export = ["evidence", "export", "-o", &home.at("bundle"), "--json"];
    let said = by(NAMES[1], &first, &export).ends(0, &[]).data();
    assert_eq!(said["erasures"], 2, "{said}");
    let freeze = ["evidence", "freeze", "--reason", "breach", "-o", &home.at("frozen")];
    by(NAMES[1], &first, &freeze).ends(0, &[]);
    let png = std::fs::read(&copied).expect("it was exported");
    let middle = png[png.len() / 2..][..24].to_vec();
    let ((_, _, pixels), names) = (crate::life::pixels(&png), [of(0, "name"), of(1, "name"), of(2, "name")]);
    let row = pixels[pixels.len() / 2..][..48].to_vec();
    let words =
        NAMES.iter().flat_map(|name| name.split(' ')).chain(CANARY.split(' ').filter(|word| word.len() > 4));
    let words = words.map(str::to_owned).chain(names).chain([SECRET.into(), PASSPHRASE.into(), home.at("")]);
    let mut canaries: Vec<Vec<u8>> = words.map(String::into_bytes).collect();
    canaries.extend([middle, row, b"PNG\r\n".to_vec()]);
    for folder in ["bundle", "frozen"] {
        let bundle = home.path().join(folder);
        let verified = home.ask(&["evidence", "verify", &home.at(folder), "--json"]).ends(0, &[]).data();
        assert_eq!((&verified["erasures"], &verified["findings"]), (&2.into(), &serde_json::json!([])));
        let lines = std::fs::read_to_string(bundle.join("erasures/certificates.jsonl")).expect("it is text");
        assert!(lines.contains(&of(0, "pseudonym")) && !lines.contains(&of(2, "pseudonym")), "{lines}");
        for path in files(&bundle) {
            let bytes = std::fs::read(&path).expect("it is there").to_ascii_lowercase();
            for canary in &canaries {
                let sought = canary.to_ascii_lowercase();
                let is_there = bytes.windows(sought.len()).any(|window| window == sought);
                assert!(!is_there, "{}: {}", path.display(), String::from_utf8_lossy(canary));
            }
        }
    }
}

/// Nothing of ours: `sha256sum`, `openssl` and Python, as VERIFY.md in the bundle says.
#[test]
fn a_stranger_checks_a_bundle_with_the_programs_that_verify_md_names() {
    let (home, bundle) = handed_over("stranger");
    let python = std::env::var("LIGHTPROOF_TEST_PYTHON").unwrap_or_else(|_| "/usr/bin/python3".into());
    std::fs::create_dir(home.path().join("bin")).expect("a home can be written");
    home.write("bin/python3", format!("#!/bin/sh\nexec {python} \"$@\"\n").as_bytes());
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(home.path().join("bin/python3"), executable).expect("it is ours");
    let text = std::fs::read_to_string(bundle.join("VERIFY.md")).expect("it is text");
    let blocks: Vec<&str> = text
        .split("```sh\n")
        .skip(1)
        .filter_map(|rest| rest.split_once("\n```"))
        .map(|(block, _)| block)
        .collect();
    assert_eq!(blocks.len(), 6);
    let path = format!("{}:/usr/bin:/bin", home.at("bin"));
    let follow = || -> Vec<Output> {
        let run = |block: &&str| {
            Command::new("bash").args(["-c", block]).current_dir(&bundle).env("PATH", &path).output()
        };
        blocks.iter().map(|block| run(block).expect("bash")).collect()
    };
    for output in follow() {
        assert!(output.status.success(), "{output:?}");
    }
    let results = bundle.join("results.json");
    let before = std::fs::read_to_string(&results).expect("it is text");
    std::fs::write(&results, before.replacen("\"plain_files\":0", "\"plain_files\":1", 1))
        .expect("it is ours");
    let failed: Vec<bool> = follow().iter().map(|output| !output.status.success()).collect();
    assert_eq!(failed, [true, false, true, true, false, false]);
}

/// `compliance-trestle`, `securesystemslib` and `rfc8785` over what an appliance in use handed out, the validator of CycloneDX where
/// the program carries the list of its parts, and a reader that shares no code with us over the tiles of its log: what they accept, and that they refuse it once it was changed.
#[test]
fn other_peoples_programs_accept_what_an_appliance_handed_out_and_refuse_what_was_changed() {
    let home = Home::furnished("oracles");
    home.generate(&[CANARY, "--remember-prompt"]).ends(0, &[]);
    home.generate(&["a blue boat"]).ends(0, &[]);
    let id = home.pictures()[0]["id"].as_str().expect("an id").to_owned();
    home.ask(&["history", "rm", &id, "--yes"]).ends(0, &[]);
    home.ask(&["backup", "create", "-o", &home.at("out/a.backup")]).ends(0, &[]);
    let laws = ["--law", "gdpr", "--law", "dora"];
    home.ask(&[&["evidence", "freeze", "--reason", "breach", "-o", &home.at("frozen")], &laws[..]].concat())
        .ends(0, &[]);
    home.ask(&["evidence", "export", "-o", &home.at("bundle")]).ends(0, &[]);
    home.ask(&["history", "certificate", "--all", "-o", &home.at("certificate")]).ends(0, &[]);
    let python = std::env::var("LIGHTPROOF_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let judge = |script: &str, at: &str| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(script);
        let ran = Ran::of(Command::new(&python).arg(script).arg(home.at(at)).current_dir(home.at("tmp")));
        assert!(!ran.stderr.contains("No module named"), "tests/run makes a Python that has it: {ran:#?}");
        ran
    };
    let (oracles, reader) = ("audit/evidence/oracles.py", "audit/reference_verifier.py");
    for (at, records) in [
        ("frozen", &["object.erased", "evidence.frozen", "evidence.tried"][..]),
        ("bundle", &["object.erased", "evidence.frozen", "evidence.exported"]),
        ("certificate", &[]),
    ] {
        assert_eq!(judge(oracles, at).ends(0, &[]).stdout, "accepted\n", "{at}");
        let held = std::fs::read_to_string(home.path().join(at).join("audit/records.jsonl"));
        let held = held.unwrap_or_default();
        for record in records {
            assert!(held.contains(&format!("\"type\":\"{record}\"")), "{at}: {record}");
        }
    }
    copy(&home.path().join("state/audit"), &home.path().join("log"));
    assert!(judge(reader, "log").ends(0, &[]).stdout.contains("verified"));
    // By whom it is found: the canonical form, the validator of OSCAL twice, and the signature twice.
    for (at, name, from, to) in [
        ("bundle", "controls.json", "{\"controls\"", "{ \"controls\""),
        ("bundle", "oscal/assessment-results.json", "\"methods\":[\"TEST\"]", "\"methods\":[]"),
        ("frozen", "oscal/catalog.json", "\"title\":", "\"heading\":"),
        ("frozen", "manifest.json", "\"bytes\":1", "\"bytes\":2"),
        ("certificate", "certificate.json", "\"sig\":\"", "\"sig\":\"AAAA"),
        ("log", "seg/00000000.jsonl", "\"width\":16", "\"width\":61"),
    ] {
        let path = home.path().join(at).join(name);
        let before = std::fs::read_to_string(&path).expect("it is text");
        let after = before.replacen(from, to, 1);
        assert_ne!(before, after, "{at} {name}");
        std::fs::write(&path, after).expect("it is ours");
        let ran = judge(if at == "log" { reader } else { oracles }, at);
        assert_ne!(ran.code, Some(0), "{at} {name}: {ran:#?}");
        std::fs::write(&path, before).expect("it is ours");
    }
    home.is_whole(1);
}

#[test]
fn whatever_is_changed_in_a_bundle_is_named() {
    let (home, bundle) = handed_over("changed-bundle");
    let (kept, at) = (home.path().join("kept"), home.at("bundle"));
    copy(&bundle, &kept);
    let fresh = || {
        std::fs::remove_dir_all(&bundle).expect("it is ours");
        copy(&kept, &bundle);
    };
    let named = |name: &str| {
        let said = home.ask(&["evidence", "verify", &at, "--json"]).ends(11, &[]).data();
        let findings = said["findings"].as_array().unwrap_or_else(|| panic!("{said}")).clone();
        assert!(findings.iter().any(|finding| finding["file"] == name), "{name}: {said}");
    };
    for path in files(&kept) {
        let name = path.strip_prefix(&kept).expect("it lies there").to_str().expect("it is text").to_owned();
        fresh();
        let mut bytes = std::fs::read(&path).expect("it is there");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(bundle.join(&name), bytes).expect("it is ours");
        named(&name);
    }
    type Change = fn(&Path);
    let changes: [(&str, Change); 6] = [
        ("results.json", |bundle| std::fs::remove_file(bundle.join("results.json")).expect("it is ours")),
        ("surplus", |bundle| std::fs::write(bundle.join("surplus"), "x").expect("it is ours")),
        ("probes/NET-02.json", |bundle| {
            let path = bundle.join("probes/NET-02.json");
            std::fs::rename(&path, bundle.join("../moved")).expect("it is ours");
            std::os::unix::fs::symlink("../../moved", &path).expect("it is ours");
        }),
        ("policy.txt", |bundle| {
            std::fs::remove_file(bundle.join("policy.txt")).expect("it is ours");
            let made = Command::new("mkfifo").arg(bundle.join("policy.txt")).status();
            assert!(made.is_ok_and(|status| status.success()));
        }),
        ("audit/records.jsonl", |bundle| {
            let file = std::fs::File::options().write(true).open(bundle.join("audit/records.jsonl"));
            file.and_then(|file| file.set_len(1 << 40)).expect("a sparse file");
        }),
        ("manifest.json", |bundle| {
            let claim = format!("{{\"files\":[{}]}}", "[".repeat(100_000));
            std::fs::write(bundle.join("manifest.json"), claim).expect("it is ours");
        }),
    ];
    for (name, change) in changes {
        fresh();
        change(&bundle);
        named(name);
    }
    fresh();
    home.ask(&["evidence", "verify", &at]).ends(0, &[]);
    home.ask(&["evidence", "verify", &home.at("nowhere")]).ends(5, &["nowhere"]);
    home.ask(&["evidence", "verify", &home.at("out")]).ends(5, &["manifest.json"]);
    home.ask(&["evidence", "verify", &home.at("pass")]).ends(5, &[]);
}

#[test]
fn a_bundle_has_the_period_the_framework_and_the_language_that_were_asked_for() {
    let home = Home::with_picture("asked");
    let (gdpr, none) = (home.at("gdpr"), home.at("none"));
    home.ask(&["evidence", "export", "-o", &gdpr, "--framework", "gdpr", "--lang", "zh"]).ends(0, &[]);
    let page = std::fs::read_to_string(home.path().join("gdpr/README.html")).expect("it is text");
    assert!(
        page.contains("lang=\"zh-CN\"") && !page.contains("lang=\"en\"") && page.contains("NET-02"),
        "{page}"
    );
    assert_eq!(json(&home.path().join("gdpr/results.json"))["results"].as_array().map(Vec::len), Some(64));
    let said =
        home.ask(&["evidence", "export", "-o", &none, "--until", "2001-01-01", "--json"]).ends(0, &[]).data();
    assert_eq!(said["records"], 0, "{said}");
    for bundle in [&gdpr, &none] {
        home.ask(&["evidence", "verify", bundle]).ends(0, &[]);
    }
    for (flag, value, said) in
        [("--framework", "sox", "iso27001"), ("--lang", "de", "zh"), ("--since", "noon", "UTC")]
    {
        home.ask(&["evidence", "export", "-o", &home.at("no"), flag, value]).ends(2, &[said]);
    }
    let backwards = ["--since", "2026-02-01", "--until", "2026-01-31"];
    home.ask(&[&["evidence", "export", "-o", &home.at("no")][..], &backwards].concat())
        .ends(2, &["before it begins"]);
    assert!(!home.path().join("no").exists());
}

#[test]
fn a_bundle_is_made_nowhere_else_and_over_nothing() {
    let home = Home::with_picture("no-bundle");
    let export = |at: &str| home.ask(&["evidence", "export", "-o", &home.at(at)]);
    home.write("out/mine", b"mine");
    export("out").ends(6, &["not empty"]);
    export("pass").ends(6, &["pass"]);
    export("nowhere/bundle").ends(5, &["nowhere", "first"]);
    for own in ["state/audit/b", "state/vault/b", "state/evidence/b", "state/config/b", "state"] {
        let ran = export(own);
        assert!(matches!(ran.code, Some(2 | 5 | 6)), "{own}: {ran:#?}");
        assert!(!home.path().join("state/audit/b").exists() && !home.path().join("state/vault/b").exists());
    }
    std::os::unix::fs::symlink(home.at("state/audit"), home.path().join("link")).expect("it is ours");
    export("link").ends(6, &[]);
    assert!(home.path().join("out/mine").exists());
    assert_eq!(home.count_records(&["evidence.exported"]), 0);
    // The folder around the policy may be looked at: there is no bundle, and nothing would be written.
    home.ask(&["evidence", "verify", &home.at("state")]).ends(5, &["there is no bundle in"]);
    // One that is there and empty is taken: it may be on a disk of the auditor's.
    std::fs::create_dir(home.path().join("empty")).expect("a home can be written");
    export("empty").ends(0, &[]);
    // Nobody reads what is said: the bundle is made all the same.
    let mut command = home.furnished_program(&["evidence", "export", "-o", &home.at("unread")]);
    let full = std::fs::File::options().write(true).open("/dev/full").expect("it is there");
    let ran = Ran::of(command.stdout(Stdio::from(full))).ends(1, &["could not be printed"]);
    assert_eq!(ran.stdout, "");
    for made in ["empty", "unread"] {
        home.ask(&["evidence", "verify", &home.at(made)]).ends(0, &[]);
    }
    home.is_whole(1);
}

#[test]
fn a_bundle_that_finds_no_room_is_not_left_in_part() {
    if !is_root_for("mounting a small disk") {
        return;
    }
    let home = Home::with_picture("full-bundle");
    let _disk = SmallDisk::mount(home.at("disk"), "size=64k,mode=700");
    home.ask(&["evidence", "export", "-o", &home.at("disk/bundle")]).ends(10, &["left empty"]);
    assert_eq!(files(&home.path().join("disk")), Vec::<PathBuf>::new());
    assert_eq!(home.count_records(&["evidence.exported"]), 0);
    // Nor is a run.
    let small = SmallDisk::mount(home.at("state/evidence"), "size=64k,mode=700");
    small.fill();
    home.ask(&["evidence", "run"]).ends(10, &["state/evidence"]);
    small.empty();
    assert_eq!(files(&home.path().join("state/evidence")), Vec::<PathBuf>::new());
    home.ask(&["evidence", "run"]).ends(0, &[]);
    home.is_whole(1);
}

/// What no program can know stands in the file of an admin, and leaves it for the papers alone.
#[test]
fn what_the_controller_wrote_is_in_the_papers_and_a_senseless_file_hands_nothing_out() {
    const CANARY: &str = "Vermilion Axolotl Foundation";
    let home = Home::with_picture("papers");
    home.policy(b"schema = 1\npicture_days_max = 41\nnames_days_max = 43\n");
    let file = "state/config/controller.toml";
    let write = |text: &str| home.write(file, format!("schema = 1\n{text}\n").as_bytes());
    let check = |code, said: &[&str]| home.ask(&["config", "check", &home.at(file)]).ends(code, said);
    check(5, &["is not there"]);
    write(&format!("controller = \"{CANARY}\"\npurposes = \"{CANARY} paints\""));
    assert!(check(0, &[]).stdout.contains("answers controller, purposes"));
    home.ask(&["evidence", "export", "-o", &home.at("bundle")]).ends(0, &[]);
    home.ask(&["evidence", "verify", &home.at("bundle")]).ends(0, &[]);
    let bundle = home.path().join("bundle");
    let record = std::fs::read_to_string(bundle.join("gdpr/record.html")).expect("it is text");
    assert!(record.contains(CANARY) && record.contains("41 days"), "{record}");
    assert!(record.contains("43 days after somebody was removed") && record.contains("43 天"), "{record}");
    let found = home.files_with(CANARY.as_bytes());
    assert!(found.len() > 3, "{found:?}");
    for path in found {
        let is_paper = path.starts_with(bundle.join("gdpr")) && !path.ends_with("articles.json");
        assert!(is_paper || path.ends_with("controller.toml"), "{}", path.display());
    }
    // Whatever is wrong with it, nothing of it is repeated, and no paper goes out that lacks it.
    let before = home.records().len();
    for (text, said) in [
        (format!("controler = \"{CANARY}\""), "controler"),
        (format!("controller = \"{CANARY}"), "line 2"),
        (format!("controller = [\"{CANARY}\"]"), "controller"),
        (format!("controller = \"{CANARY} \\u001b[2J\""), "control characters"),
        (format!("controller = \"{}\"", CANARY.repeat(3000)), "longer"),
    ] {
        write(&text);
        for ran in [
            home.ask(&["evidence", "export", "-o", &home.at("none")]).ends(2, &["controller.toml", said]),
            check(2, &["controller.toml", said]),
        ] {
            assert!(!ran.stderr.contains(CANARY) && !ran.stdout.contains(CANARY), "{ran:#?}");
        }
        assert!(!home.path().join("none/manifest.json").exists());
        let _ = std::fs::remove_dir(home.path().join("none"));
    }
    assert_eq!(home.count_records(&["evidence.exported"]), 1);
    assert!(home.records()[before..].iter().all(|record| !record.contains("evidence.")));
    // The controls are tried all the same, and so is a picture made.
    home.ask(&["evidence", "run"]).ends(0, &[]);
    for make in ["mkfifo", "mkdir"] {
        std::fs::remove_file(home.path().join(file)).expect("it is ours");
        assert!(Command::new(make).arg(home.path().join(file)).status().is_ok_and(|status| status.success()));
        home.ask(&["evidence", "export", "-o", &home.at("none")]).ends(2, &["controller.toml"]);
        let _ = std::fs::remove_dir(home.path().join("none"));
        if make == "mkdir" {
            break;
        }
    }
}

/// More records than fit into one word between a server and a verb.
#[test]
fn a_bundle_of_a_log_that_was_used_for_years_comes_whole_through_a_server() {
    const BYTES: u64 = 64 << 20;
    let home = Home::furnished("years");
    home.generate(&["a red apple"]).ends(0, &[]);
    let event = Event::PostureOfProcess {
        process: Process::Engine,
        plan: Digest([7; 32]),
        report: Digest([9; 32]),
        fences: u32::MAX,
        amber: 0,
        landlock_abi: 7,
        uid0: false,
    };
    {
        let folder = home.path().join("state/audit");
        let (log, _) = Log::open(&folder, SystemClock::new()).expect("nobody has it");
        for _ in 0..150 {
            log.append(&vec![event.by_system(); 1000]).expect("there is room");
        }
    }
    let served = Served::start(&home);
    home.ask(&["evidence", "export", "-o", &home.at("bundle")]).ends(0, &[]);
    let records = home.path().join("bundle/audit/records.jsonl");
    let length = records.metadata().expect("it is there").len();
    assert!(length > BYTES, "{length}");
    home.ask(&["evidence", "verify", &home.at("bundle")]).ends(0, &[]);
    served.stop();
    home.is_whole(1);
}
