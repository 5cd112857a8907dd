//! Controls about what was started, kept and watched: each is satisfied on a sound appliance, and not on one that somebody broke
//! from outside.

use crate::abuse::Opened;
use crate::checkpoint::{TINY, copy};
use crate::controls::found_by;
use crate::faults::with_a_fault;
use crate::harness::{Home, Ran, behind, is_root_for};
use crate::http::Request;
use crate::served::Served;
use audit::{Clock, Digest, Event, Log, SystemClock};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::Path;

type Found = BTreeMap<String, String>;

/// What the verb finds with the vault open.
#[track_caller]
fn tried(home: &Home, more: &[&str], code: i32) -> Found {
    found_by(&home.ask(&[&["evidence", "run", "--json"], more].concat()).ends(code, &[]).data())
}

/// A server with somebody signed in.
fn opened(home: Home, more: &[&str]) -> Opened {
    let state = home.at("state");
    let served =
        Served::run(&mut home.program(&[&["serve", "--port", "0", "--home", &state], more].concat()));
    let token = Opened::unlock(&served);
    Opened { home, served, token }
}

/// What a running server finds.
#[track_caller]
fn found(opened: &Opened) -> Found {
    found_by(&opened.ask(Request::post("/api/v1/evidence/run", &json!({}))).is(200).json())
}

#[test]
fn a_policy_that_is_changed_beside_a_running_server_is_not_satisfied() {
    let home = Home::with_picture("policy-changed");
    home.policy(b"schema = 1\nkeep_prompts = \"never\"\n");
    let opened_one = opened(home, &[]);
    let file = opened_one.home.path().join("state/config/policy.toml");
    assert_eq!(found(&opened_one)["INT-03"], "satisfied");
    let sound = fs::read(&file).expect("it is there");
    fs::write(&file, "schema = 1\n").expect("it is ours");
    assert_eq!(found(&opened_one)["INT-03"], "not_satisfied", "a looser policy");
    fs::write(&file, &sound).expect("it is ours");
    assert_eq!(found(&opened_one)["INT-03"], "satisfied");
    fs::write(file.with_extension("new"), &sound).expect("it is ours");
    fs::rename(file.with_extension("new"), &file).expect("it is ours");
    assert_eq!(found(&opened_one)["INT-03"], "not_satisfied", "another file in its place");
    fs::remove_file(&file).expect("it is there");
    assert_eq!(found(&opened_one)["INT-03"], "not_satisfied", "none in its place");
    // One where there was none.
    let second = opened(opened_one.end(1), &[]);
    assert_eq!(found(&second)["INT-03"], "satisfied");
    fs::write(&file, &sound).expect("it is ours");
    assert_eq!(found(&second)["INT-03"], "not_satisfied");
}

#[test]
fn a_model_file_that_is_touched_beside_a_running_server_is_not_satisfied() {
    const FILES: [&str; 3] =
        ["vae/diffusion_pytorch_model.safetensors", "tokenizer/tokenizer.json", "model_index.json"];
    type Break = fn(&Path);
    let breaks: [Break; 3] = [
        |file| {
            let mut bytes = fs::read(file).expect("it is there");
            *bytes.last_mut().expect("it is not empty") ^= 1;
            fs::write(file, bytes).expect("it is ours");
        },
        |file| {
            let bytes = fs::read(file).expect("it is there");
            fs::write(file.with_extension("new"), bytes).expect("it is ours");
            fs::rename(file.with_extension("new"), file).expect("it is ours");
        },
        |file| fs::remove_file(file).expect("it is there"),
    ];
    for (file, break_it) in FILES.into_iter().zip(breaks) {
        let home = Home::with_picture("model-changed");
        let model = home.path().join("model");
        copy(&Path::new(TINY).join("model"), &model);
        let opened = opened(home, &["--model", &model.display().to_string()]);
        assert_eq!(found(&opened)["SAF-02"], "satisfied");
        break_it(&model.join(file));
        assert_eq!(found(&opened)["SAF-02"], "not_satisfied", "{file}");
    }
    // The one inside the program is judged with the program.
    let home = Home::with_picture("model-none");
    assert_eq!(tried(&home, &[], 0)["SAF-02"], "not_measured no_model_loaded");
}

/// From outside nobody takes the flag away, so the kernel's answer is changed.
#[test]
fn a_process_whose_memory_others_may_read_is_not_satisfied() {
    if !is_root_for("a fault in a running server") {
        return;
    }
    let opened = opened(Home::with_picture("dumpable"), &[]);
    assert_eq!(found(&opened)["CRY-02"], "satisfied");
    let fault = ["-e", "trace=prctl", "-e", "inject=prctl:retval=1"];
    let found = with_a_fault(&opened.served, &fault, || found(&opened));
    assert_eq!((&*found["CRY-02"], &*found["INT-02"]), ("not_satisfied", "not_satisfied"));
}

/// The names are fixed when a server begins, so somebody changes them in its memory.
#[test]
fn a_server_that_answers_to_another_name_is_not_satisfied() {
    if !is_root_for("a change in the memory of a running server") {
        return;
    }
    let opened = opened(Home::with_picture("other-name"), &[]);
    assert_eq!(found(&opened)["NET-03"], "satisfied");
    let port = opened.served.origin().rsplit(':').next().expect("a port").to_owned();
    let server = opened.served.processes().server;
    let [own, other] = ["localhost", "127.0.0.2"].map(|name| format!("{name}:{port}"));
    assert!(exchange(server, own.as_bytes(), other.as_bytes()) > 0, "the name is not there");
    assert_eq!(found(&opened)["NET-03"], "not_satisfied");
    exchange(server, other.as_bytes(), own.as_bytes());
    assert_eq!(found(&opened)["NET-03"], "satisfied");
    opened.end(1);
}

/// Writes other bytes over these, wherever a process may write and has them; how often it had.
fn exchange(pid: u32, before: &[u8], after: &[u8]) -> usize {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("it lives");
    let memory = fs::OpenOptions::new().read(true).write(true).open(format!("/proc/{pid}/mem"));
    let (memory, mut count) = (memory.expect("root may"), 0);
    for line in maps.lines().filter(|line| line.contains(" rw-p ")) {
        let (from, to) = line.split_once(' ').and_then(|(range, _)| range.split_once('-')).expect("a range");
        let [from, to] = [from, to].map(|at| u64::from_str_radix(at, 16).expect("an address"));
        let mut bytes = vec![0; (to - from) as usize];
        // What nobody may look at: guards, and the kernel's own.
        if memory.read_exact_at(&mut bytes, from).is_err() {
            continue;
        }
        for (at, _) in bytes.windows(before.len()).enumerate().filter(|(_, window)| *window == before) {
            memory.write_all_at(after, from + at as u64).expect("root may");
            count += 1;
        }
    }
    count
}

/// A disk that loses a byte of what it says it has, of the small log alone: the kernel's answer is changed.
#[test]
fn a_record_that_is_acknowledged_and_not_there_is_not_satisfied() {
    if !is_root_for("a fault in a running server") {
        return;
    }
    let opened = opened(Home::with_picture("lossy-disk"), &[]);
    assert_eq!(found(&opened)["LOG-02"], "satisfied");
    let trial = opened.home.path().join("state/evidence/trial");
    // The first of these writes by each thread: one makes the log, and may lose a byte of what is set aside, and one writes records.
    let [aside, records] = ["reserve.new", "seg/00000000.jsonl"].map(|name| trial.join(name));
    let paths = [aside, records].map(|path| path.to_str().expect("it is text").to_owned());
    let fault =
        ["-P", &*paths[0], "-P", &*paths[1], "-e", "trace=write", "-e", "inject=write:retval=1:when=1"];
    let broken = with_a_fault(&opened.served, &fault, || found(&opened));
    assert_eq!((&*broken["LOG-02"], &*broken["LOG-03"]), ("not_satisfied", "satisfied"));
    assert!(!trial.exists(), "something was left");
    assert_eq!(found(&opened)["LOG-02"], "satisfied");
    opened.end(1);
}

#[test]
fn names_that_could_be_words_are_told_from_nobody() {
    let home = Home::with_picture("names-like-words");
    home.write("second", b"the words of the second one\n");
    let second = home.at("second");
    let add = |name: &str| {
        let add = ["operator", "add", name, "--operator", "one", "--new-passphrase-file", &second];
        home.ask(&add).ends(0, &[]);
    };
    add("two");
    let one = ["--operator", "one"];
    assert_eq!(tried(&home, &one, 0)["PRV-02"], "not_measured names_like_words");
    add("front-desk");
    assert_eq!(tried(&home, &one, 0)["PRV-02"], "satisfied");
    home.write("state/audit/notes.txt", b"for two, and by front-desk\n");
    let found = home.ask(&["evidence", "run", "--json", "--operator", "one"]).data();
    assert_eq!(found_by(&found)["PRV-02"], "not_satisfied");
}

#[test]
fn a_kept_prompt_or_a_name_beside_the_log_is_not_satisfied() {
    const CANARY: &str = "a vermilion axolotl";
    let home = Home::with_picture("words-beside");
    let none = tried(&home, &[], 0);
    assert_eq!(
        (&*none["PRV-01"], &*none["PRV-02"]),
        ("not_measured no_kept_prompts", "not_applicable nobody_named")
    );
    home.generate(&[CANARY, "--remember-prompt"]).ends(0, &[]);
    home.add_second();
    let first = ["--operator", "First"];
    let sound = tried(&home, &first, 0);
    assert_eq!((&*sound["PRV-01"], &*sound["PRV-02"]), ("satisfied", "satisfied"));
    for place in [
        "audit/notes.txt",
        "audit/seg/notes",
        "audit/sub/reserve",
        "evidence/notes.json",
        "evidence/tile/notes",
    ] {
        let path = home.path().join("state").join(place);
        fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("it is ours");
        // Far behind, and across two pieces of what is read at once.
        let text = [" ".repeat((1 << 20) - 7), CANARY.to_owned()].concat();
        fs::write(&path, text).expect("it is ours");
        let found = home.ask(&[&["evidence", "run", "--json"][..], &first].concat());
        let found = found_by(&found.data());
        assert_eq!((&*found["PRV-01"], &*found["PRV-02"]), ("not_satisfied", "satisfied"), "{place}");
        fs::write(&path, "asked for by Second, who is on leave\n").expect("it is ours");
        let found = home.ask(&[&["evidence", "run", "--json"][..], &first].concat());
        let found = found_by(&found.data());
        assert_eq!((&*found["PRV-01"], &*found["PRV-02"]), ("satisfied", "not_satisfied"), "{place}");
        fs::remove_file(&path).expect("it is there");
    }
    assert_eq!(tried(&home, &first, 0)["PRV-02"], "satisfied");
    // A terabyte in which nothing is written keeps nobody busy, and does not hide what is.
    let sparse = home.path().join("state/evidence/sparse");
    let file = fs::File::create(&sparse).expect("it is ours");
    file.set_len(1 << 40).expect("there are sparse files");
    assert_eq!(tried(&home, &first, 0)["PRV-01"], "satisfied");
    std::os::unix::fs::FileExt::write_all_at(&file, CANARY.as_bytes(), (1 << 39) + 77).expect("it is ours");
    assert_eq!(tried(&home, &first, 4)["PRV-01"], "not_satisfied");
    fs::remove_file(&sparse).expect("it is there");
    // Where nobody looks is not where nothing is.
    fs::create_dir_all(home.path().join("state/evidence/1/2/3/4/5/6/7/8/9")).expect("it is ours");
    assert_eq!(tried(&home, &first, 0)["PRV-01"], "not_measured trial_failed");
    fs::remove_dir_all(home.path().join("state/evidence/1")).expect("it is there");
    // Neither is on record itself.
    for word in [CANARY, "Second"] {
        let holding = home.files_with(word.as_bytes());
        assert!(
            holding.iter().all(|path| !path.starts_with(home.path().join("state/evidence"))),
            "{holding:?}"
        );
    }
}

#[test]
fn what_the_policy_names_and_nobody_did_is_not_satisfied() {
    let home = Home::with_picture("periods");
    let without = tried(&home, &[], 0);
    for id in ["KEY-01", "OPS-01", "LOG-06"] {
        assert_eq!(without[id], "not_measured no_period", "{id}");
    }
    home.policy(b"schema = 1\nkey_days_max = 90\nbackup_days_max = 7\nstamp_days_max = 30\n");
    let found = tried(&home, &[], 4);
    assert_eq!(
        (&*found["KEY-01"], &*found["OPS-01"], &*found["LOG-06"]),
        ("satisfied", "not_satisfied", "not_satisfied")
    );
    home.policy(b"schema = 1\nbackup_days_max = 7\n");
    home.ask(&["backup", "create", "-o", &home.at("out/a.backup")]).ends(0, &[]);
    assert_eq!(tried(&home, &[], 0)["OPS-01"], "satisfied");
    let listed = home.ask(&["backup", "list", "--json"]).ends(0, &[]).data();
    let id = listed["backups"][0]["backup"].as_str().unwrap_or_else(|| panic!("{listed}"));
    home.ask(&["backup", "destroyed", id]).ends(0, &[]);
    assert_eq!(tried(&home, &[], 4)["OPS-01"], "not_satisfied");
}

/// The clock of a machine whose day is another one.
struct DaysAgo(u64, SystemClock);

impl Clock for DaysAgo {
    fn wall_ms(&self) -> u64 {
        self.1.wall_ms() - self.0 * 24 * 3600 * 1000
    }

    fn mono_ms(&self) -> u64 {
        self.1.mono_ms()
    }

    fn boot_id(&self) -> [u8; 16] {
        self.1.boot_id()
    }
}

/// Seven days where the policy names no other number; a policy may ask for more often, and for nothing less.
#[test]
fn a_last_run_that_is_older_than_the_policy_says_is_not_satisfied() {
    // The log of an appliance whose controls were last tried so many days ago, and that made its first picture today.
    let found = |policy: &str, days: u64| {
        let home = Home::furnished(&format!("run-days-{days}-{}", policy.len()));
        let clock = DaysAgo(days, SystemClock::new());
        let log = Log::create(&home.path().join("state/audit"), clock).unwrap_or_else(|e| panic!("{e}"));
        let tried = Event::EvidenceTried { run: Digest([7; 32]), not_satisfied: 0 };
        log.append(&[tried.by_system()]).unwrap_or_else(|error| panic!("{error}"));
        drop(log);
        home.policy(format!("schema = 1\n{policy}").as_bytes());
        home.generate(&["a blue boat"]).ends(0, &[]);
        found_by(&home.ask(&["evidence", "run", "--json"]).data())["GOV-01"].clone()
    };
    assert_eq!(found("", 6), "satisfied");
    assert_eq!(found("run_days_max = 7", 2), "satisfied");
    assert_eq!(found("run_days_max = 1", 2), "not_satisfied");
    assert_eq!(found("", 8), "not_satisfied");
    let home = Home::with_picture("run-days");
    home.policy(b"schema = 1\nrun_days_max = 8\n");
    home.ask(&["evidence", "run"]).ends(2, &["run_days_max"]);
}

#[test]
fn an_erasure_whose_records_were_changed_cannot_be_certified() {
    let home = Home::with_picture("certifiable");
    home.generate(&["a blue boat"]).ends(0, &[]);
    let id = home.pictures()[0]["id"].as_str().expect("an id").to_owned();
    home.ask(&["history", "rm", &id, "--yes"]).ends(0, &[]);
    let opened = opened(home, &[]);
    assert_eq!(found(&opened)["ERA-02"], "satisfied");
    let segment = opened.home.path().join("state/audit/seg/00000000.jsonl");
    let text = fs::read_to_string(&segment).expect("it is text");
    let asked = text.replacen("object.erase_requested", "object.erase_requestex", 1);
    assert_ne!(asked, text);
    fs::write(&segment, asked).expect("it is ours");
    assert_eq!(found(&opened)["ERA-02"], "not_satisfied");
}

#[test]
fn a_backup_that_was_put_back_without_its_log_is_not_satisfied() {
    let home = Home::with_picture("restored");
    home.ask(&["backup", "create", "-o", &home.at("out/a.backup")]).ends(0, &[]);
    assert_eq!(tried(&home, &[], 0)["ERA-03"], "not_applicable nothing_restored");
    let id = home.pictures()[0]["id"].as_str().expect("an id").to_owned();
    home.ask(&["history", "rm", &id, "--yes"]).ends(0, &[]);
    let lose = |parts: &[&str]| {
        for part in parts {
            fs::remove_dir_all(home.path().join(part)).expect("it was there");
        }
    };
    lose(&["state/vault", "workspace"]);
    home.ask(&["backup", "restore", &home.at("out/a.backup")]).ends(0, &[]);
    assert_eq!(tried(&home, &[], 0)["ERA-03"], "satisfied");
    // The log is lost, too: what was erased is back, and nobody knows.
    lose(&["state/vault", "state/audit", "workspace"]);
    home.ask(&["backup", "restore", &home.at("out/a.backup"), "--without-log"]).ends(0, &[]);
    assert_eq!(tried(&home, &[], 4)["ERA-03"], "not_satisfied");
}

#[test]
fn a_hole_in_the_rules_of_the_hosts_audit_is_not_satisfied() {
    if !is_root_for("mounting another /etc") {
        return;
    }
    let home = Home::with_picture("host-audit");
    let etc = home.path().join("etc");
    fs::create_dir(&etc).expect("a home can be written");
    fs::copy("/etc/passwd", etc.join("passwd")).expect("it is there");
    let run = |more: &str| {
        let script = format!("mount --bind '{}' /etc && {more} exec \"$@\"", etc.display());
        let outer = ["unshare", "--mount", "sh", "-c", &script, "sh"];
        let ran = Ran::of(&mut behind(&outer, &home.furnished_program(&["evidence", "run", "--json"])));
        found_by(&ran.data())["OPS-03"].clone()
    };
    assert_eq!(run(""), "not_measured no_host_audit");
    fs::create_dir(etc.join("audit")).expect("it is ours");
    let folders = [home.at("state/vault"), home.at("state/audit"), home.at("workspace/output_image")];
    let rules = |watched: &[String]| {
        let lines: Vec<String> =
            watched.iter().map(|folder| format!("-w {folder} -p wa -k lightproof\n")).collect();
        fs::write(etc.join("audit/audit.rules"), lines.concat()).expect("it is ours");
    };
    rules(&folders);
    assert_eq!(run(""), "satisfied");
    for hole in 0..folders.len() {
        let mut watched = folders.to_vec();
        watched.remove(hole);
        rules(&watched);
        assert_eq!(run(""), "not_satisfied", "{hole}");
    }
    // A service manager hands over what only root may read, and that holds.
    let handed = |text: &str| {
        let folder = home.path().join("handed");
        fs::create_dir_all(&folder).expect("a home can be written");
        fs::write(folder.join("audit.rules"), text).expect("it is ours");
        run(&format!("CREDENTIALS_DIRECTORY='{}'", folder.display()))
    };
    let lines = folders.map(|folder| format!("-w {folder} -p wa\n"));
    assert_eq!(handed(&lines.concat()), "satisfied");
    assert_eq!(handed(&lines[1..].concat()), "not_satisfied");
    assert_eq!(handed("absent"), "not_satisfied", "the file is asked, which has a hole");
    fs::set_permissions(etc.join("audit"), fs::Permissions::from_mode(0o700)).expect("it is ours");
}

#[test]
fn a_log_that_cannot_be_read_tells_nobody_what_it_holds_about_them() {
    let opened = opened(Home::with_picture("not-told"), &[]);
    assert_eq!(found(&opened)["PRV-06"], "satisfied");
    let segment = opened.home.path().join("state/audit/seg/00000000.jsonl");
    let text = fs::read_to_string(&segment).expect("it is text");
    fs::write(&segment, text.replacen("\n{", "\n#", 1)).expect("it is ours");
    assert_eq!(found(&opened)["PRV-06"], "not_satisfied");
}
