//! Old records that an admin takes away, and whatever reads the log afterwards.

use crate::abuse::Opened;
use crate::crash::SmallDisk;
use crate::harness::{Home, PASSPHRASE, Ran, is_root_for, opens_vault};
use crate::http::Request;
use crate::served::Served;
use crate::terminal::{at_terminal, ended};
use audit::{Clock, Event, Log};
use serde_json::{Value, json};
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

const DAY_MS: u64 = 24 * 3600 * 1000;
/// The shortest period that a policy takes.
const SHORTEST: &[u8] = b"schema = 1\nlog_days_max = 184\n";

/// A clock of long ago.
struct Ago(u64);

impl Clock for Ago {
    fn wall_ms(&self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is behind 1970").as_millis();
        u64::try_from(now).unwrap_or(0) - self.0 * DAY_MS
    }
    fn mono_ms(&self) -> u64 {
        1
    }
    fn boot_id(&self) -> [u8; 16] {
        [1; 16]
    }
}

/// A log of 9000 records of so many days ago, of which two segments are full, where there is no vault yet.
fn old_log(dir: &Path, days: u64) {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).expect("a home can be written");
    let log = Log::create(dir, Ago(days)).expect("a log");
    let entries: Vec<_> = (0..1000).map(|_| Event::VaultUnlockFailed {}.by_system()).collect();
    for _ in 0..9 {
        log.append(&entries).expect("room");
    }
}

/// A home with an old log, a picture, and a policy that lets records go.
fn aged(test: &str) -> Home {
    let home = Home::furnished(test);
    old_log(&home.path().join("state/audit"), 200);
    home.policy(SHORTEST);
    home.generate(&["a red apple", "--seed", "1"]).ends(0, &[]);
    home
}

/// The same, and they went.
pub fn pruned(test: &str) -> Home {
    let home = aged(test);
    home.ask(&["audit", "prune", "--yes"]).ends(0, &["from before keep what they have"]);
    home
}

/// Whether the reader that is none of ours accepts the log.
#[track_caller]
fn is_accepted(log: &Path) {
    let python = std::env::var("LIGHTPROOF_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let reader = concat!(env!("CARGO_MANIFEST_DIR"), "/audit/reference_verifier.py");
    let ran = Ran::of(Command::new(python).arg("-B").arg(reader).arg(log));
    assert_eq!(ran.code, Some(0), "tests/run makes a Python that has what it needs: {ran:#?}");
}

#[test]
fn old_records_go_by_the_word_of_an_admin_and_the_log_verifies() {
    assert_eq!(policy::LOG_DAYS_MIN, audit::LOG_DAYS_MIN);
    let home = Home::furnished("prune");
    old_log(&home.path().join("state/audit"), 200);
    home.generate(&["a red apple", "--seed", "1"]).ends(0, &[]);
    home.ask(&["audit", "prune", "--yes"]).ends(6, &["sets no period", "log_days_max"]);
    home.policy(b"schema = 1\nlog_days_max = 183\n");
    home.ask(&["audit", "prune", "--yes"]).ends(2, &["at least 184 days"]);
    home.policy(b"schema = 1\nlog_days_max = 201\n");
    let none = home.ask(&["audit", "prune", "--yes", "--json"]).ends(0, &[]).data();
    assert_eq!((&none["due"], &none["first"]), (&0.into(), &0.into()), "{none}");
    home.policy(SHORTEST);
    home.ask(&["audit", "prune"]).ends(6, &["takes the content of 8189 records away", "--yes"]);
    home.ask(&["audit", "prune", "--dry-run", "--yes"]).ends(2, &["--dry-run"]);
    let shown = home.ask(&["audit", "prune", "--dry-run", "--json"]).ends(0, &[]).data();
    assert_eq!((&shown["due"], &shown["record"]), (&8189.into(), &Value::Null), "{shown}");
    let passphrase = format!("Passphrase: |text:{PASSPHRASE}");
    let seen = at_terminal(&home, &[&passphrase, "Type 8189 to go on|text:yes"], &["audit", "prune"]);
    assert_eq!(seen.last(), Some(&ended(6)));
    let full = std::fs::File::options().write(true).open("/dev/full").expect("Linux has it");
    let ran = Ran::of(home.furnished_program(&["audit", "prune", "--yes"]).stdout(full));
    ran.ends(1, &["could not be shown, and nothing was pruned"]);
    let stray = home.at("state/audit/notes");
    std::fs::write(&stray, "mine").expect("room");
    home.ask(&["audit", "prune", "--yes"]).ends(6, &["no record is damaged", "audit verify"]);
    std::fs::remove_file(&stray).expect("it was there");
    home.policy(b"schema = 1\nlog_days_max = 0\n");
    home.ask(&["audit", "prune"]).ends(2, &["from 184 to 36500"]);
    home.policy(SHORTEST);
    let screen = home.ask(&["status"]).stdout;
    assert!(screen.contains("records of some types may go after 184 days"), "{screen}");
    assert_eq!(home.count_records(&["log.pruned"]), 0);
    home.ask(&["hold", "set", "--reason", "litigation"]).ends(0, &[]);
    home.ask(&["audit", "prune", "--yes"]).ends(6, &["a legal hold stands; nothing was pruned"]);
    assert_eq!(home.count_records(&["request.refused", "reason=hold"]), 1);
    home.ask(&["hold", "end"]).ends(0, &[]);
    let served = Served::start(&home);
    home.ask(&["audit", "prune", "--yes"]).ends(9, &["nothing was pruned", "end the server"]);
    served.stop();
    let done = home.ask(&["audit", "prune", "--yes"]).ends(0, &[]).stdout;
    assert!(done.contains("8189 of the records 0 to 8191 go, 3 stay") && done.contains("pruned;"), "{done}");
    let told = home.ask(&["audit", "verify"]).ends(0, &[]).stdout;
    assert!(told.contains("pruned      8189 records"), "{told}");
    home.ask(&["audit", "show", "7"]).ends(5, &["was pruned"]);
    home.is_whole(1);
    assert_eq!(home.count_records(&["log.pruned"]), 1);
    let words = "of the records 1 to 8190 8189 were pruned";
    let shown = home.ask(&["audit", "show", "--type", "log.pruned", "--json"]).ends(0, &[words]).data();
    assert_eq!(shown["pruned"], json!({ "first": 1, "last": 8190, "records": 8189 }), "{shown}");
    let shown = home.ask(&["audit", "tail", "-n", "3", "--json"]).ends(0, &[]).data();
    assert_eq!((shown["records"].as_array().map(Vec::len), &shown["pruned"]), (Some(3), &Value::Null));
    home.ask(&["audit", "tail", "-n", "9999"]).ends(0, &[words]);
    let again = home.ask(&["audit", "prune", "--yes", "--json"]).ends(0, &[]).data();
    assert_eq!((&again["due"], &again["from"]), (&0.into(), &8192.into()), "{again}");
    home.generate(&["a boat", "--seed", "2"]).ends(0, &[]);
    home.is_whole(2);
    is_accepted(&home.path().join("state/audit"));
    // A kept record that somebody takes away besides keeps the program from starting.
    let segment = home.at("state/audit/seg/00000000.jsonl");
    let text = std::fs::read_to_string(&segment).expect("a segment");
    let (last, rest) =
        text.lines().next_back().map(|last| (last, text.len() - last.len() - 1)).expect("lines");
    assert!(last.starts_with('{'));
    std::fs::write(&segment, format!("{}{}\n", &text[..rest], "0".repeat(64))).expect("a segment");
    home.ask(&["history", "list"]).ends(11, &[]);
    home.ask(&["audit", "verify"]).ends(11, &[]);
}

#[test]
fn what_is_handed_out_of_a_pruned_log_says_so_and_holds() {
    let home = pruned("prune-handed-out");
    let out = |name: &str| home.at(&format!("out/{name}"));
    home.ask(&["evidence", "run"]).ends(0, &[]);
    let words = "only the hash is left, since they were pruned: 8189";
    let made = home.ask(&["evidence", "export", "-o", &out("bundle"), "--json"]).ends(0, &[words]).data();
    assert_eq!((&made["pruned"], &made["failures"]), (&8189.into(), &0.into()), "{made}");
    home.ask(&["evidence", "verify", &out("bundle")]).ends(0, &[]);
    let page = std::fs::read_to_string(home.path().join("out/bundle/README.html")).expect("a page");
    assert!(
        page.contains("only the hash is here: 8189") && page.contains("仅存哈希的记录数：8189"),
        "{page}"
    );
    let words = "before record 8191 some were pruned";
    let told = home.ask(&["evidence", "subject", "-o", &out("person"), "--json"]).ends(0, &[words]).data();
    assert_eq!(told["pruned_before"], 8191, "{told}");
    home.ask(&["evidence", "freeze", "--reason", "breach", "-o", &out("frozen")]).ends(0, &[]);
    home.ask(&["evidence", "verify", &out("frozen")]).ends(0, &[]);
    let left = home.ask(&["audit", "export"]).ends(0, &["given out as their hashes: 8189"]).stdout;
    assert_eq!(left.lines().filter(|line| line.starts_with("{\"leaf\":")).count(), 8189);
    assert!(left.lines().all(|line| line.starts_with('{')) && left.lines().count() > 9000, "{left}");
    home.ask(&["audit", "export", "--format", "ocsf"]).ends(0, &["left out: 8189"]);
    let served = Served::start(&home);
    let made = home.ask(&["evidence", "export", "-o", &out("through"), "--json"]).ends(0, &[]).data();
    assert_eq!(made["pruned"], 8189, "{made}");
    home.ask(&["evidence", "verify", &out("through")]).ends(0, &[]);
    let token = Opened::unlock(&served);
    let ask = |query| served.ask(&Request::get(query).token(&token)).is(200).json();
    assert_eq!(ask("/api/v1/audit?limit=5")["pruned"], Value::Null);
    let page = ask("/api/v1/audit?type=log.created");
    assert_eq!(page["pruned"], json!({ "first": 1, "last": 8190, "records": 8189 }), "{page}");
    served.stop();
    home.is_whole(1);
    is_accepted(&home.path().join("state/audit"));
}

/// What of a home a disk took along.
fn lose(home: &Home, parts: &[&str]) {
    for part in parts {
        std::fs::remove_dir_all(home.path().join(part)).expect("it was there");
    }
}

fn log_at(home: &Home) -> PathBuf {
    home.path().join("state/audit")
}

#[test]
fn a_backup_keeps_what_the_log_had_and_goes_on_with_the_log_that_has_survived() {
    let home = aged("prune-backup");
    let [early, late] = ["early", "late"].map(|name| home.at(&format!("out/{name}.backup")));
    home.ask(&["backup", "create", "-o", &early]).ends(0, &[]);
    home.ask(&["audit", "prune", "--yes"]).ends(0, &["1 backup on record may still hold"]);
    home.ask(&["backup", "create", "-o", &late]).ends(0, &[]);
    home.ask(&["backup", "verify", &late]).ends(0, &[]);
    let pruned = || home.ask(&["audit", "verify", "--json"]).ends(0, &[]).data()["pruned"].clone();
    // The log has survived, and is gone on with as it is, whichever backup it is.
    for file in [&early, &late] {
        lose(&home, &["state/vault", "workspace"]);
        home.ask(&["backup", "restore", file]).ends(0, &["make a new backup"]);
        assert_eq!(pruned(), 8189);
        home.is_whole(1);
    }
    // It is lost: that of the backup goes on.
    for (file, count) in [(&late, 8189), (&early, 0)] {
        lose(&home, &["state/vault", "workspace", "state/audit"]);
        home.ask(&["backup", "restore", file, "--without-log"]).ends(0, &[]);
        assert_eq!(pruned(), count);
        home.is_whole(1);
        is_accepted(&log_at(&home));
    }
    // The log of the early backup and the records that were exported after the pruning, over which they go on.
    home.ask(&["audit", "prune", "--yes"]).ends(0, &[]);
    let records = home.ask(&["audit", "export"]).ends(0, &[]).stdout;
    home.write("records", records.as_bytes());
    lose(&home, &["state/vault", "workspace", "state/audit"]);
    home.ask(&["backup", "restore", &early, "--records", &home.at("records")]).ends(0, &[]);
    assert_eq!(pruned(), 0);
    // What went in the log goes again from there.
    home.ask(&["audit", "prune", "--yes"]).ends(0, &[]);
    assert_eq!(pruned(), 8189);
    home.is_whole(1);
}

#[test]
fn on_a_full_disk_a_pruning_is_not_done_or_finished_by_a_later_start() {
    if !is_root_for("mounting a small disk") {
        return;
    }
    let home = Home::furnished("prune-full");
    let disk = SmallDisk::mount(home.at("disk"), "size=16m,mode=700");
    let log = home.path().join("disk/state/audit");
    old_log(&log, 200);
    std::fs::create_dir_all(home.path().join("disk/state/config")).expect("room");
    std::fs::write(home.path().join("disk/state/config/policy.toml"), SHORTEST).expect("room");
    let ask = |arguments: &[&str]| {
        let (state, pass) = (home.at("disk/state"), home.at("pass"));
        let key = ["--passphrase-file", pass.as_str()];
        let key = if opens_vault(arguments) { &key[..] } else { &[] };
        Ran::of(&mut home.program(&[arguments, &["--home", &state], key].concat()))
    };
    let pruned = || ask(&["audit", "verify", "--json"]).data()["pruned"].clone();
    ask(&["vault", "init"]).ends(0, &[]);
    // Without the reserve nothing is taken that can wait.
    std::fs::remove_file(log.join("reserve")).expect("it is there");
    disk.fill_but(64 << 10);
    ask(&["audit", "prune", "--yes"]).ends(10, &[]);
    assert_eq!(pruned(), 0);
    ask(&["audit", "verify"]).ends(0, &[]);
    // The reserve is there again; room for the record, and not for a segment.
    disk.empty();
    ask(&["history", "list"]).ends(0, &[]);
    disk.fill_but(128 << 10);
    let ran = ask(&["audit", "prune", "--yes"]);
    ran.ends(10, &["is on record, and not finished", "free some space"]);
    let screen = ask(&["audit", "verify"]).ends(4, &[]).stdout;
    assert!(screen.contains("is not finished"), "{screen}");
    // Told until it is: by whoever opens the vault, by the screen, and by the verb, which is not at its end.
    ask(&["history", "list"]).ends(0, &["a pruning of the log is on record and not finished"]);
    ask(&["status"]).ends(4, &["is not finished", "lightproof audit prune"]);
    let screen = ask(&["doctor"]).stdout;
    assert!(
        screen.lines().any(|line| line.contains("pruning") && line.contains("is not finished")),
        "{screen}"
    );
    ask(&["audit", "prune", "--yes"]).ends(10, &["is on record, and not finished", "free some space"]);
    disk.empty();
    // The start does it, whatever was asked for.
    let said = ["which had been cut off, is finished by this start", "no record goes"];
    ask(&["audit", "prune", "--dry-run"]).ends(0, &said);
    assert_eq!(pruned(), 8189);
    ask(&["audit", "verify"]).ends(0, &[]);
    is_accepted(&log);
}
