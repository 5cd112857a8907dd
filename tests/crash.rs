//! Killed before any write, sync or rename, and a disk without space: whatever was acknowledged is there afterwards.

use crate::harness::{Home, Ran, SMALL, behind, is_root_for, opens_vault};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// The calls that make something durable, or take it away.
const CALLS: [&str; 8] =
    ["fdatasync", "fsync", "rename", "renameat2", "write", "pwrite64", "unlink", "ftruncate"];

/// The program under strace, with the calls `watched`, and one of them a kill if `inject` says so.
pub fn under_strace(home: &Home, arguments: &[&str], inject: Option<(&str, u32)>) -> Command {
    let trace = home.at("tmp/trace");
    let calls = inject.map_or_else(|| CALLS.join(","), |(call, _)| call.to_owned());
    let (calls, kill) = (
        format!("trace={calls}"),
        inject.map(|(call, when)| format!("inject={call}:signal=KILL:when={when}")),
    );
    let mut strace = vec!["strace", "-f", "-qq", "-o", &trace, "-e", &calls];
    strace.extend(kill.iter().flat_map(|kill| ["-e", kill]));
    behind(&strace, &home.furnished_program(arguments))
}

/// How often each call happens in the thread that does it most, in a whole run: strace counts by thread.
pub fn counted(home: &Home, arguments: &[&str]) -> BTreeMap<String, u32> {
    Ran::of(&mut under_strace(home, arguments, None)).ends(0, &[]);
    let trace = std::fs::read_to_string(home.path().join("tmp/trace")).expect("strace wrote it");
    let mut by_thread = BTreeMap::<(String, &str), u32>::new();
    for line in trace.lines() {
        let (thread, rest) = line.split_once(' ').unwrap_or_else(|| panic!("{line}"));
        // `<... fsync resumed>` is the end of a call that is counted already.
        let call = rest.trim_start().split('(').next().unwrap_or("");
        if CALLS.contains(&call) {
            *by_thread.entry((call.to_owned(), thread)).or_default() += 1;
        }
    }
    let mut most = BTreeMap::new();
    for ((call, _), count) in by_thread {
        let known = most.entry(call).or_insert(0);
        *known = count.max(*known);
    }
    most
}

/// `count` numbers up to `last`, from where the start is over and the act begins.
fn spread(last: u32, count: u32) -> BTreeSet<u32> {
    let first = (last / 3).max(1);
    (0..count).map(|index| first + index * (last - first) / (count - 1).max(1)).collect()
}

/// What the killed run left: no open intent, a log and a vault that hold, and the identifiers of the pictures.
#[track_caller]
fn afterwards(home: &Home, at: &str) -> BTreeSet<String> {
    // The next start finds and finishes what the last one left.
    let vault = home.ask(&["history", "verify", "--json"]);
    assert_eq!(vault.code, Some(0), "{at}: {vault:#?}");
    let log = home.ask(&["audit", "verify", "--json"]);
    assert_eq!(log.code, Some(0), "{at}: {log:#?}");
    assert_eq!(log.data()["open_intents"], serde_json::json!([]), "{at}: {log:#?}");
    let pictures = home.pictures();
    assert_eq!(vault.data()["sound"], pictures.len(), "{at}");
    pictures.iter().map(|picture| picture["id"].as_str().expect("an id").to_owned()).collect()
}

/// Each intent of the log has its outcome: done, failed, or looked into after the crash. How many there are.
#[track_caller]
pub fn every_intent_has_an_outcome(home: &Home, intent: &str, outcomes: &[&str]) -> usize {
    let records = home.records();
    let job = |record: &str| record.split(' ').find(|word| word.starts_with("j:")).map(str::to_owned);
    let intents: Vec<_> = records.iter().filter(|record| record.contains(intent)).collect();
    for record in &intents {
        let mut ends = records.iter().filter(|end| job(end) == job(record));
        let ended = ends.any(|end| outcomes.iter().any(|outcome| end.contains(outcome)));
        assert!(ended, "{record}: {records:#?}");
    }
    assert!(!intents.is_empty(), "no {intent} in {records:#?}");
    intents.len()
}

/// Kills `generate` before the calls `calls`, at up to `points` moments each.
fn kill_generate(test: &str, calls: &[&str], points: u32) {
    let home = Home::with_picture(test);
    let arguments = [&["generate", "x"], &SMALL[..]].concat();
    let moments = counted(&home, &arguments);
    let mut before = afterwards(&home, "before");
    let (mut killed, mut made) = (0, 0);
    for call in calls {
        let last = *moments.get(*call).unwrap_or_else(|| panic!("no {call} in {moments:?}"));
        for when in spread(last, points) {
            let at = format!("{call} {when} of {last}");
            let ran = Ran::of(&mut under_strace(&home, &arguments, Some((call, when))));
            killed += u32::from(ran.code.is_none());
            let now = afterwards(&home, &at);
            assert!(now.is_superset(&before) && now.len() <= before.len() + 1, "{at}: {before:?} {now:?}");
            // Who was told of a picture has it.
            let told = ran.stdout.matches("sealed ").count();
            assert!(now.len() >= before.len() + told, "{at}: {ran:#?}");
            made += now.len() - before.len();
            before = now;
        }
    }
    assert!(killed > 0, "nothing was killed");
    let outcomes = ["generate.finished", "generate.failed", "recovery.reconciled"];
    every_intent_has_an_outcome(&home, "generate.requested", &outcomes);
    let reconciled = home.count_records(&["recovery.reconciled"]);
    assert!(reconciled > 0, "no crash left an intent open, {made} pictures made");
    assert_eq!(home.count_records(&["object.sealed ok"]), before.len());
}

#[test]
fn generate_killed_before_a_sync() {
    kill_generate("kill-sync", &["fdatasync", "fsync"], 4);
}

#[test]
fn generate_killed_before_a_rename() {
    kill_generate("kill-rename", &["renameat2", "rename"], 4);
}

#[test]
fn generate_killed_before_a_write() {
    kill_generate("kill-write", &["pwrite64", "write"], 4);
}

#[test]
fn an_erasure_killed_at_any_moment_is_done_or_not_done() {
    let home = Home::furnished("kill-erase");
    home.generate(&["x", "-n", "16"]).ends(0, &[]);
    let mut before = afterwards(&home, "before");
    let first = before.first().expect("16 pictures").clone();
    let moments = counted(&home, &["history", "rm", &first, "--yes"]);
    before.remove(&first);
    let mut killed = 0;
    for call in ["fdatasync", "fsync", "pwrite64", "unlink"] {
        let last = *moments.get(call).unwrap_or_else(|| panic!("no {call} in {moments:?}"));
        for when in spread(last, 4) {
            let Some(id) = before.first().cloned() else { break };
            let at = format!("{call} {when} of {last}");
            let arguments = ["history", "rm", id.as_str(), "--yes"];
            let ran = Ran::of(&mut under_strace(&home, &arguments, Some((call, when))));
            killed += u32::from(ran.code.is_none());
            let now = afterwards(&home, &at);
            let mut without = before.clone();
            without.remove(&id);
            assert!(now == before || now == without, "{at}: {before:?} {now:?}");
            // Who was told of an erasure has it.
            assert!(now == without || !ran.stdout.contains("erased"), "{at}: {ran:#?}");
            before = now;
        }
    }
    assert!(killed > 0, "nothing was killed");
    let outcomes = ["object.erased", "object.erase_failed", "recovery.reconciled"];
    every_intent_has_an_outcome(&home, "object.erase_requested", &outcomes);
    let reconciled = home.count_records(&["recovery.reconciled"]);
    assert!(reconciled > 0, "no crash left an intent open");
    // No sealed file of an erased picture stays behind.
    let outputs = std::fs::read_dir(home.path().join("workspace/output_image")).expect("it is there");
    let names = outputs.map(|file| file.expect("it can be read").file_name());
    let sealed = names.filter(|name| name.to_string_lossy().ends_with(".sealed")).count();
    assert_eq!(sealed, before.len());
}

#[test]
fn a_first_start_killed_at_any_moment_can_be_repeated() {
    let home = Home::furnished("kill-first");
    let init = ["vault", "init"];
    let moments = counted(&home, &init);
    let clear = || std::fs::remove_dir_all(home.path().join("state")).expect("it was ours");
    let mut killed = 0;
    for call in ["fdatasync", "fsync", "rename", "pwrite64"] {
        let last = *moments.get(call).unwrap_or_else(|| panic!("no {call} in {moments:?}"));
        for when in spread(last, 2) {
            clear();
            let ran = Ran::of(&mut under_strace(&home, &init, Some((call, when))));
            killed += u32::from(ran.code.is_none());
            home.generate(&["x"]).ends(0, &[]);
            let made = afterwards(&home, &format!("{call} {when} of {last}"));
            assert_eq!(made.len(), 1, "{call} {when} of {last}");
            std::fs::remove_dir_all(home.path().join("workspace")).expect("it was ours");
        }
    }
    assert!(killed > 0, "nothing was killed");
}

/// A file system in memory, below the home; gone with its guard.
pub struct SmallDisk {
    at: String,
}

impl SmallDisk {
    pub fn mount(at: String, options: &str) -> SmallDisk {
        std::fs::create_dir_all(&at).unwrap_or_else(|error| panic!("{at}: {error}"));
        let mut mount = Command::new("mount");
        let output = mount.args(["-t", "tmpfs", "-o", options, "tmpfs", &at]).output();
        let output = output.unwrap_or_else(|error| panic!("mount: {error}"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "a full disk needs a small one, and mounting it needs root: {said}");
        SmallDisk { at }
    }

    /// Writes until nothing more fits.
    pub fn fill(&self) {
        self.fill_but(0);
    }

    /// The same, and leaves room for so many bytes.
    pub fn fill_but(&self, bytes: u64) {
        use std::io::Write as _;
        let path = format!("{}/filler", self.at);
        let mut file = std::fs::File::create(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        for size in [1 << 16, 4096, 1] {
            while file.write_all(&vec![1; size]).is_ok() {}
        }
        let filled =
            file.metadata().map(|found| found.len()).unwrap_or_else(|error| panic!("{path}: {error}"));
        file.set_len(filled - bytes).unwrap_or_else(|error| panic!("{path}: {error}"));
    }

    /// Makes room again.
    pub fn empty(&self) {
        std::fs::remove_file(format!("{}/filler", self.at)).expect("it is there");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-l", &self.at]).status();
    }
}

/// A hand-over to a new signing key makes files, too; it waits.
#[test]
fn a_disk_without_inodes_lets_go_of_what_there_is() {
    if !is_root_for("mounting a small disk") {
        return;
    }
    for free in [0, 1, 2] {
        let home = Home::furnished("inodes");
        let _disk = SmallDisk::mount(home.at("disk"), "size=64m,nr_inodes=300,mode=700");
        let ask = |arguments: &[&str]| {
            let (state, pass) = (home.at("disk/state"), home.at("pass"));
            let key = ["--passphrase-file", pass.as_str()];
            let key = if opens_vault(arguments) { &key[..] } else { &[] };
            Ran::of(&mut home.program(&[arguments, &["--home", &state], key].concat()))
        };
        ask(&[&["generate", "x"], &SMALL[..], &["-n", "2"]].concat()).ends(0, &[]);
        let listed = ask(&["history", "list", "--json"]).ends(0, &[]).data();
        let id = listed["pictures"][0]["id"].as_str().expect("an id").to_owned();
        let taken: Vec<String> = (0..300).map(|n| home.at(&format!("disk/{n}"))).collect();
        let made = taken.iter().take_while(|path| std::fs::write(path, b"").is_ok()).count();
        taken[..free].iter().for_each(|path| std::fs::remove_file(path).expect("it was made"));
        assert!(made > free, "{made}");
        ask(&["history", "rm", &id, "--yes"]).ends(0, &[]);
        ask(&["history", "rm", "--all", "--yes"]).ends(0, &[]);
        ask(&["audit", "verify"]).ends(0, &[]);
        taken[free..made].iter().for_each(|path| std::fs::remove_file(path).expect("it was made"));
        assert_eq!(
            ask(&["history", "list", "--json"]).ends(0, &[]).data()["pictures"],
            serde_json::json!([])
        );
        ask(&["audit", "verify"]).ends(0, &[]);
    }
}

#[test]
fn a_full_disk_keeps_what_there_is_and_lets_go_of_it() {
    if !is_root_for("mounting a small disk") {
        return;
    }
    let home = Home::furnished("full");
    let disk = SmallDisk::mount(home.at("disk"), "size=8m,mode=700");
    let on_disk = [
        ("--home", home.at("disk/state")),
        ("--outputs", home.at("disk/pictures")),
        ("--passphrase-file", home.at("pass")),
    ];
    let ask = |arguments: &[&str]| {
        let taken = &on_disk[..if opens_vault(arguments) { 3 } else { 1 }];
        let places = taken.iter().flat_map(|(flag, path)| [*flag, path.as_str()]);
        Ran::of(&mut home.program(&arguments.iter().copied().chain(places).collect::<Vec<_>>()))
    };
    let small = [&["generate", "x"], &SMALL[..]].concat();
    let pictures =
        || ask(&["history", "list", "--json"]).ends(0, &[]).data()["pictures"].as_array().map_or(0, Vec::len);
    ask(&[&small[..], &["-n", "2"]].concat()).ends(0, &[]);
    disk.fill();
    for _ in 0..3 {
        let ran = ask(&small).ends(10, &["disk is full"]);
        assert_eq!(ran.stdout, "", "{ran:#?}");
    }
    assert_eq!(pictures(), 2);
    ask(&["audit", "verify"]).ends(0, &[]);
    // To let go of something must not need space.
    let listed = ask(&["history", "list", "--json"]).ends(0, &[]).data();
    let id = listed["pictures"][0]["id"].as_str().expect("an id").to_owned();
    ask(&["history", "rm", &id, "--yes"]).ends(0, &[]);
    assert_eq!(pictures(), 1);
    ask(&["audit", "verify"]).ends(0, &[]);
    disk.empty();
    ask(&small).ends(0, &[]);
    assert_eq!(pictures(), 2);
    ask(&["history", "verify"]).ends(0, &[]);
    let log = ask(&["audit", "verify", "--json"]).ends(0, &[]).data();
    assert_eq!(log["open_intents"], serde_json::json!([]), "{log}");
}

#[test]
fn a_plain_copy_that_finds_no_room_says_what_to_do() {
    if !is_root_for("mounting a small disk") {
        return;
    }
    let home = Home::with_picture("full-export");
    let disk = SmallDisk::mount(home.at("disk"), "size=1m,mode=700");
    disk.fill();
    let id = home.pictures()[0]["id"].as_str().expect("an id").to_owned();
    let ran = home.ask(&["history", "export", &id, "-o", &home.at("disk")]);
    ran.ends(10, &["nothing was exported", "free some space"]);
    home.is_whole(1);
}
