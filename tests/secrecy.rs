//! Where a prompt, a passphrase and a picture must not be found: files, names, talk, arguments, environment, memory.

use crate::family::Family;
use crate::harness::{Home, Ran, SMALL, is_root_for};
use crate::life::pixels;
use crate::served::Processes;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const PROMPT: &str = "zymurgical quokka nightingale";
const SECRET: &str = "vermilion ptarmigan passphrase";

/// Where the memory of a program, of all its processes, holds `needle`, as `address of mapping`.
pub fn found_in_memory(pid: u32, needle: &[u8]) -> Vec<String> {
    let is_there = |pid: &u32| std::fs::read_link(format!("/proc/{pid}/exe")).is_ok();
    let pids = Family::of(pid).pids();
    pids.into_iter().filter(is_there).flat_map(|pid| found_in_process(pid, needle)).collect()
}

fn found_in_process(pid: u32, needle: &[u8]) -> Vec<String> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_else(|e| panic!("maps: {e}"));
    let memory = File::open(format!("/proc/{pid}/mem")).unwrap_or_else(|error| panic!("mem: {error}"));
    let first: [u8; 8] = *needle.first_chunk().expect("a needle is long enough to be no coincidence");
    let mut found = Vec::new();
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (range, rights) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let name = words.nth(3).unwrap_or("anonymous");
        if !rights.starts_with('r') || name == "[vvar]" || name == "[vsyscall]" || name == "[vvar_vclock]" {
            continue;
        }
        let (from, to) = range.split_once('-').unwrap_or_else(|| panic!("{line}"));
        let address =
            |hex: &str| u64::from_str_radix(hex, 16).unwrap_or_else(|error| panic!("{error}: {line}"));
        let (from, to) = (address(from), address(to));
        let mut bytes = vec![0; (to - from) as usize];
        let mut read = 0;
        while let Ok(count @ 1..) = memory.read_at(&mut bytes[read..], from + read as u64) {
            read += count;
        }
        let starts = bytes[..read].windows(8).enumerate().filter(|(_, window)| **window == first);
        let whole = starts.filter(|(at, _)| bytes[*at..read].starts_with(needle));
        found.extend(whole.map(|(at, _)| format!("{:x} of {name}", from + at as u64)));
    }
    found
}

/// Rows of a picture that are no plain surface: 96 bytes each, which no other data holds by chance.
fn rows(rgb: &[u8], width: u32) -> Vec<&[u8]> {
    let row_bytes = width as usize * 3;
    let lively = |run: &&[u8]| run.iter().collect::<std::collections::BTreeSet<_>>().len() > 16;
    let all: Vec<&[u8]> = rgb.chunks(row_bytes).filter_map(|row| row.get(96..192)).filter(lively).collect();
    assert!(all.len() > 8, "a picture of {} lively rows", all.len());
    all.iter().step_by(all.len() / 8).copied().collect()
}

/// A furnished home whose passphrase is the canary.
fn home(test: &str) -> Home {
    let home = Home::furnished(test);
    home.write("pass", format!("{SECRET}\n").as_bytes());
    home
}

/// Only the files that the tester wrote may hold what the tester wrote.
#[track_caller]
fn holds_no_canary(home: &Home, prompt_files: &[&str]) {
    let own: Vec<PathBuf> = prompt_files.iter().map(|name| home.path().join(name)).collect();
    for canary in [PROMPT, "quokka"] {
        assert_eq!(home.files_with(canary.as_bytes()), own, "{canary}");
    }
    for canary in [SECRET, "ptarmigan"] {
        assert_eq!(home.files_with(canary.as_bytes()), [home.path().join("pass")], "{canary}");
    }
}

#[track_caller]
fn says_no_canary(ran: &Ran) {
    for canary in ["zymurgical", "quokka", "nightingale", "vermilion", "ptarmigan"] {
        assert!(!ran.stdout.contains(canary) && !ran.stderr.contains(canary), "{canary}: {ran:#?}");
    }
}

#[test]
fn no_file_and_no_word_holds_prompt_or_passphrase() {
    let home = home("canary");
    home.write("prompt", PROMPT.as_bytes());
    let prompt = home.at("prompt");
    let traced = |arguments: &[&str]| {
        let mut command = home.furnished_program(&[arguments, &SMALL].concat());
        let mut child = command
            .env("LIGHTPROOF_LOG", "trace")
            .env("RUST_BACKTRACE", "full")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        // Who does not read it closes the pipe.
        let _ = child.stdin.take().expect("it was piped").write_all(PROMPT.as_bytes());
        let ran = Ran::from(child.wait_with_output().expect("it is our child"));
        says_no_canary(&ran);
        ran
    };
    traced(&["generate", "-", "--json"]).ends(0, &[]);
    traced(&["generate", "--prompt-file", &prompt]).ends(0, &[]);
    traced(&["generate", "--prompt-file", &prompt, "--remember-prompt", "--negative", "a pear"]).ends(0, &[]);
    // Errors do not repeat it either.
    home.write("long", PROMPT.repeat(400).as_bytes());
    home.write("nul", format!("{PROMPT}\0").as_bytes());
    home.write("broken", &[PROMPT.as_bytes(), b"\xff"].concat());
    for file in ["long", "nul", "broken"] {
        traced(&["generate", "--prompt-file", &home.at(file)]).ends(2, &[]);
    }
    traced(&["generate", "-", "--seed", "-1"]).ends(2, &[]);
    traced(&["generate", PROMPT, "--model", &home.at("out")]).ends(5, &[]);
    traced(&["generate", PROMPT, "--export", &home.at("missing/x.png")]).ends(5, &[]);
    traced(&["generate", PROMPT, "--seed", "many"]).ends(2, &[]);
    holds_no_canary(&home, &["broken", "long", "nul", "prompt"]);
    home.is_whole(3);
}

#[test]
fn a_prompt_without_quotes_is_not_repeated() {
    let home = home("unquoted");
    let words: Vec<&str> = PROMPT.split(' ').collect();
    let ran = home.ask(&[&["generate"], &words[..]].concat()).ends(2, &[]);
    says_no_canary(&ran);
    let ran = home.ask(&["generate", "x", PROMPT]).ends(2, &[]);
    says_no_canary(&ran);
}

#[test]
fn a_prompt_in_the_wrong_place_is_not_repeated() {
    let home = home("misplaced");
    let flag = format!("--a {PROMPT}");
    for arguments in [
        &[PROMPT][..],
        &["generate", &flag],
        &["generate", "--steps", PROMPT, "x"],
        &["generate", "--size", PROMPT, "x", "--json"],
        &["history", PROMPT],
    ] {
        says_no_canary(&home.ask(arguments).ends(2, &[]));
    }
}

#[test]
fn no_plain_picture_lies_on_the_disk() {
    let home = home("plain");
    let exported = home.at("out/apple.png");
    home.ask(&["generate", "a red apple", "--seed", "42", "--export", &exported]).ends(0, &[]);
    home.ask(&["generate", "a red apple", "--seed", "42"]).ends(0, &[]);
    let png = std::fs::read(&exported).expect("it was exported");
    let (width, _, rgb) = pixels(&png);
    assert_eq!(home.files_with(b"\x89PNG\r\n\x1a\n"), [PathBuf::from(&exported)]);
    for run in png.chunks_exact(64).step_by(16) {
        assert_eq!(home.files_with(run), [PathBuf::from(&exported)]);
    }
    for row in rows(&rgb, width) {
        assert_eq!(home.files_with(row), Vec::<PathBuf>::new());
    }
    for word in ["xmpmeta", "DigitalSourceType", "IHDR"] {
        assert_eq!(home.files_with(word.as_bytes()), [PathBuf::from(&exported)], "{word}");
    }
}

/// The program when its process with the keys has done everything and is about to end: strace holds that one, and the others
/// wait for it.
struct Held {
    program: Child,
    strace: Child,
    pid: u32,
}

impl Held {
    fn at_its_end(home: &Home, arguments: &[&str], input: &Path) -> Held {
        // It waits for the passphrase until strace looks on.
        let passphrase = home.path().join("pass");
        std::fs::remove_file(&passphrase).expect("it was written");
        assert!(Command::new("mkfifo").arg(&passphrase).status().expect("coreutils").success());
        let mut program = home.furnished_program(arguments);
        program.stdin(File::open(input).expect("the input was written"));
        let program = program.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        let pid = program.id();
        let server = loop {
            match Processes::of(pid) {
                Some(processes) => break processes.server,
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        // An hour: the test ends it.
        let held = ["-e", "trace=exit_group", "-e", "inject=exit_group:delay_enter=3600000000"];
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-o", &home.at("tmp/trace"), "-p", &server.to_string()]).args(held);
        let strace = strace.spawn().unwrap_or_else(|error| panic!("strace: {error}; apt-get install strace"));
        let mut held = Held { program, strace, pid };
        let file = |name| std::fs::read_to_string(format!("/proc/{server}/{name}")).unwrap_or_default();
        held.until(|| !file("status").contains("TracerPid:\t0"));
        std::fs::write(&passphrase, format!("{SECRET}\n")).expect("it reads");
        let exit_group = if cfg!(target_arch = "x86_64") { "231" } else { "94" };
        held.until(|| file("syscall").split(' ').next() == Some(exit_group));
        held
    }

    #[track_caller]
    fn until(&mut self, is_held: impl Fn() -> bool) {
        while !is_held() {
            std::thread::sleep(Duration::from_millis(20));
            if let Ok(Some(status)) = self.strace.try_wait() {
                panic!("it was not held: {status}");
            }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        Family::of(self.pid).end();
        let _ = self.strace.kill();
        let _ = self.strace.wait();
        let _ = self.program.wait();
    }
}

/// Neither arguments nor environment of any of its processes.
#[track_caller]
fn holds_no_word(pid: u32) {
    for pid in Family::of(pid).pids() {
        for file in ["cmdline", "environ"] {
            let bytes = std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains("quokka") && !text.contains("ptarmigan"), "{file}: {text}");
        }
    }
}

#[test]
fn after_a_job_the_memory_holds_neither_prompt_nor_passphrase_nor_picture() {
    if !is_root_for("reading the program's memory") {
        return;
    }
    let home = home("memory");
    home.write("prompt", PROMPT.as_bytes());
    let (prompt, exported) = (home.at("prompt"), home.at("out/canary.png"));
    // First from a file, then from the standard input.
    for (source, seed) in [(["--prompt-file", &prompt].as_slice(), "1"), (["-"].as_slice(), "2")] {
        let arguments = [&["generate"], source, &["--seed", seed, "--export", &exported]].concat();
        let held = Held::at_its_end(&home, &arguments, Path::new(&prompt));
        assert_ne!(found_in_memory(held.pid, home.at("state").as_bytes()), [""; 0], "the scan finds nothing");

        let png = std::fs::read(&exported).expect("it was exported");
        let (width, _, rgb) = pixels(&png);
        let rows = rows(&rgb, width);
        let own = std::process::id();
        assert_ne!(found_in_memory(own, rows[0]), [""; 0], "the scan finds no pixels where there are some");
        let mut found = Vec::new();
        let mut look = |what: &str, needle: &[u8]| {
            found.extend(found_in_memory(held.pid, needle).into_iter().map(|at| format!("{what} at {at}")));
        };
        look("the prompt", PROMPT.as_bytes());
        look("the passphrase", SECRET.as_bytes());
        rows.iter().for_each(|row| look("pixels", row));
        png.chunks_exact(64).skip(16).step_by(64).for_each(|run| look("the encoded picture", run));
        assert!(found.is_empty(), "{source:?}: {found:#?}");
        holds_no_word(held.pid);
        drop(held);
        std::fs::remove_file(&exported).expect("it was exported");
    }
}

#[test]
fn while_it_works_arguments_and_environment_are_clean_and_nobody_may_read_its_memory() {
    if !is_root_for("reading the program's memory") {
        return;
    }
    let home = home("working");
    let mut command = home.furnished_program(&["generate", "-", "--size", "16x16", "--steps", "1"]);
    let mut child = command
        .env("CANARY", PROMPT)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut input = child.stdin.take().expect("it was piped");
    input.write_all(PROMPT.as_bytes()).expect("it reads");
    // It waits for the end of the prompt, behind its fences, and has read what there is.
    while found_in_memory(child.id(), PROMPT.as_bytes()).iter().all(|at| at.ends_with("[stack]")) {
        assert!(child.try_wait().is_ok_and(|ended| ended.is_none()), "it did not wait for its prompt");
        std::thread::sleep(Duration::from_millis(20));
    }
    holds_no_word(child.id());
    drop(input);
    assert!(child.wait().is_ok_and(|status| status.success()));
    holds_no_canary(&home, &[]);
}
