//! Requests from a file, line by line: what fails fails alone, and what is done is not done again.

use crate::harness::{Home, Ran, SMALL, behind};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};

/// In no word that the program says, and in no file but the batch.
const CANARY: &str = "quokka";

fn batch(home: &Home, file: &str, more: &[&str]) -> Ran {
    let file = home.at(file);
    home.ask(&[&["batch", &file], more, &SMALL].concat())
}

/// What is kept of how far the batch has come: the numbers below the first line.
fn numbers(home: &Home, file: &str) -> String {
    let text = std::fs::read_to_string(home.path().join(file)).expect("it was kept");
    let (first, rest) = text.split_once('\n').expect("a first line");
    assert!(first.starts_with("lightproof/batch/v1 ") && first.len() == 20 + 64, "{text}");
    rest.replace('\n', " ")
}

fn seeds(home: &Home) -> Vec<u64> {
    let mut seeds: Vec<u64> = home.pictures().iter().filter_map(|picture| picture["seed"].as_u64()).collect();
    seeds.sort_unstable();
    seeds
}

#[test]
fn a_text_is_made_once_and_its_words_are_in_no_other_file() {
    let home = Home::furnished("batch");
    home.write("p.txt", format!("\u{feff}a {CANARY}\r\n\r\n# {CANARY}\r\na boat\r\n").as_bytes());
    let copies = home.at("out");
    let ran = batch(&home, "p.txt", &["-n", "2", "--seed", "4", "--json", "--export", &copies]).ends(0, &[]);
    let data = ran.data();
    assert_eq!(
        (&data["lines"], &data["done"], &data["failures"]),
        (&json!(2), &json!(2), &json!([])),
        "{data}"
    );
    let lines: Vec<_> = data["pictures"].as_array().expect("a list").iter().map(|p| &p["line"]).collect();
    assert_eq!(lines, [1, 1, 4, 4]);
    for picture in data["pictures"].as_array().expect("a list") {
        let path = picture["export"]["path"].as_str().expect("it was exported");
        assert!(path.starts_with(&copies) && std::fs::metadata(path).is_ok(), "{picture}");
    }
    assert_eq!((numbers(&home, "p.txt.progress"), seeds(&home)), ("1 1 4 4 ".into(), vec![4, 4, 5, 5]));
    assert_eq!(home.files_with(CANARY.as_bytes()), [home.path().join("p.txt")]);
    assert_eq!(home.count_records(&["session.opened"]), home.count_records(&["vault.unlocked"]));

    // Once more: nothing is left to do, whatever else the flags say.
    let ran = batch(&home, "p.txt", &["-n", "2"])
        .ends(0, &["2 of 2 lines done, 2 of them before", "nothing was left"]);
    assert_eq!(ran.stdout, "");
    batch(&home, "p.txt", &["-n", "3", "--seed", "4"]).ends(0, &[]);
    assert_eq!(seeds(&home), [4, 4, 5, 5, 6, 6]);
    // Another file with the same name is noticed before anything is made.
    home.write("p.txt", b"a boat\na boat\n");
    batch(&home, "p.txt", &[]).ends(6, &["another batch", "--progress"]);
    batch(&home, "p.txt", &["--progress", &home.at("other")]).ends(0, &[]);
    assert_eq!(numbers(&home, "other"), "1 2 ");
    home.is_whole(8);
}

#[test]
fn a_line_that_fails_fails_alone_and_is_tried_again() {
    let home = Home::furnished("batch-failed");
    let long = "x".repeat(70_000);
    let lines = [
        json!({"prompt": "a boat", "seed": 1}).to_string(),
        format!("{{\"prompt\": \"{CANARY}\", \"seed\": {}}}", 1u64 << 60),
        format!("{{\"prompt\": \"{CANARY}\", \"colour\": 1}}"),
        json!({"prompt": CANARY.to_owned() + &long}).to_string(),
        json!({"prompt": "  "}).to_string(),
        json!({"prompt": CANARY, "width": 17, "height": 16}).to_string(),
        json!({"prompt": "a house", "seed": 2, "remember_prompt": true}).to_string(),
    ];
    home.write("r.jsonl", lines.join("\n").as_bytes());
    let ran = batch(&home, "r.jsonl", &["--json"])
        .ends(3, &["line 2: ", "line 3: ", "line 4: ", "line 5: ", "line 6: "]);
    assert!(!ran.stderr.contains(CANARY) && !ran.stdout.contains(CANARY), "{ran:#?}");
    let object = ran.object();
    assert_eq!((&object["ok"], &object["data"]["done"]), (&json!(false), &json!(2)));
    let failed = object["data"]["failures"].as_array().expect("a list");
    let failed: Vec<_> = failed.iter().map(|failure| (&failure["line"], &failure["code"])).collect();
    assert!(
        failed
            .iter()
            .map(|(line, code)| (line.as_u64(), code.as_u64()))
            .eq((2..=6).map(|line| (Some(line), Some(2))))
    );
    assert_eq!((numbers(&home, "r.jsonl.progress"), seeds(&home)), ("1 7 ".into(), vec![1, 2]));
    let again = batch(&home, "r.jsonl", &["--json"]).ends(3, &["line 2: "]).data();
    assert_eq!((&again["done"], &again["done_before"]), (&json!(2), &json!(2)));
    let remembered = home.pictures().iter().filter(|picture| picture["prompt"] == "a house").count();
    assert_eq!(remembered, 1);
    home.is_whole(2);
}

#[test]
fn a_table_and_standard_input_do_the_same() {
    let home = Home::furnished("batch-forms");
    home.write("t.csv", b"prompt,seed,count\r\n\"a boat, red\",3,2\r\na house,,\r\n");
    batch(&home, "t.csv", &["--seed", "9"]).ends(0, &["2 of 2 lines done; 0 failed"]);
    assert_eq!(seeds(&home), [3, 4, 9]);
    let ran = home.ask_with(&[&["batch", "-"], &SMALL[..]].concat(), b"a boat\na house\n");
    let ran = ran.ends(0, &["standard input cannot be gone on with"]);
    assert_eq!(ran.stdout.matches("sealed ").count(), 2, "{ran:#?}");
    home.ask_with(&["batch", "-", "--format", "jsonl", "--progress", "x"], b"").ends(2, &["--progress"]);
    home.is_whole(5);
}

#[test]
fn what_is_no_batch_is_told_before_any_work() {
    let home = Home::furnished("batch-none");
    let started = || home.path().join("state/audit/checkpoint").exists();
    home.write("p.doc", b"x\n");
    home.write("empty.txt", b"\n# x\n");
    home.write("wide.txt", b"\xff\xfex\0");
    home.write("taken", b"my notes\n");
    home.write("p.txt", b"x\n");
    assert!(Command::new("mkfifo").arg(home.at("pipe.txt")).status().expect("coreutils").success());
    let huge = std::fs::File::create(home.path().join("huge.txt")).expect("a home can be written");
    huge.set_len(1 << 40).expect("a sparse file");
    batch(&home, "out", &["--format", "txt"]).ends(5, &["no regular file"]);
    batch(&home, "nowhere.txt", &[]).ends(5, &["nowhere.txt"]);
    batch(&home, "pipe.txt", &[]).ends(5, &["standard input"]);
    batch(&home, "p.doc", &[]).ends(2, &["--format"]);
    batch(&home, "huge.txt", &[]).ends(10, &["64 MiB"]);
    batch(&home, "empty.txt", &[]).ends(2, &["asks for nothing"]);
    batch(&home, "wide.txt", &[]).ends(2, &["UTF-16"]);
    batch(&home, "p.txt", &["--export", &home.at("out/none")]).ends(5, &["no folder"]);
    batch(&home, "p.txt", &["--progress", &home.at("nowhere/p")]).ends(6, &["--progress"]);
    batch(&home, "p.txt", &["--progress", &home.at("out")]).ends(6, &["--progress"]);
    assert!(!started(), "a log was made");
    // Somebody's own file is left as it is.
    batch(&home, "p.txt", &["--progress", &home.at("taken")]).ends(6, &["says nothing about a batch"]);
    assert_eq!(std::fs::read(home.path().join("taken")).expect("it is there"), b"my notes\n");
    home.is_whole(0);
}

/// Starts a batch and reads what it says until `words`.
fn started(home: &Home, arguments: &[&str], words: &str) -> (Child, String) {
    let mut program = home.furnished_program(arguments);
    let mut child = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut said = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut line = String::new();
    while said.read_line(&mut line).expect("it is text") > 0 && !line.contains(words) {}
    assert!(line.contains(words), "{line}");
    (child, line)
}

#[test]
fn an_interrupted_batch_goes_on_where_it_was() {
    let home = Home::furnished("batch-interrupted");
    home.write("p.txt", b"a boat\na house\na pear\n");
    let file = home.at("p.txt");
    let arguments = ["batch", &file, "-n", "3", "--seed", "5"];
    let (mut child, _) = started(&home, &arguments, "line 1: sealed");
    kill_process(Pid::from_child(&child), Signal::INT).expect("it is there");
    let mut said = String::new();
    child.stderr.take().expect("it is piped").read_to_string(&mut said).expect("it is text");
    assert_eq!(child.wait().expect("it is our child").code(), Some(130), "{said}");
    assert!(said.contains("interrupted") && said.contains("the same command goes on"), "{said}");
    assert_eq!(
        home.count_records(&["generate.requested"]),
        home.count_records(&["generate.failed"]) + home.count_records(&["generate.finished"])
    );
    let before = home.pictures().len();
    assert!((1..9).contains(&before), "{before}");
    home.ask(&arguments).ends(0, &["3 of 3 lines done"]);
    assert_eq!(seeds(&home), [5, 5, 5, 6, 6, 6, 7, 7, 7]);
    home.is_whole(9);
}

/// The program under strace, which sees nothing but writes to what is kept of how far the batch has come.
fn at_the_progress(home: &Home, file: &str, fault: &str) -> Ran {
    let (trace, kept, file) = (home.at("tmp/trace"), home.at(&format!("{file}.progress")), home.at(file));
    let inject = format!("inject=write:{fault}");
    let strace = ["strace", "-f", "-qq", "-o", &trace, "-P", &kept, "-e", "trace=write", "-e", &inject];
    Ran::of(&mut behind(
        &strace,
        &home.furnished_program(&[&["batch", &file, "--json"], &SMALL[..]].concat()),
    ))
}

/// Killed between a picture and the note of it, it makes that one picture again, and no other.
#[test]
fn a_full_disk_or_a_kill_costs_one_picture_at_most() {
    for (name, fault, code) in
        [("full", "error=ENOSPC:when=3", Some(10)), ("kill", "signal=KILL:when=3", None)]
    {
        let home = Home::furnished(&format!("batch-{name}"));
        home.write("p.txt", b"a boat\na house\na pear\n");
        let ran = at_the_progress(&home, "p.txt", fault);
        match code {
            Some(code) => {
                let words =
                    ["line 2: ", "could not be kept", "1 of 3 lines done", "the same command goes on"];
                let object = ran.ends(code, &words).object();
                assert_eq!((&object["error"]["code"], &object["data"]["done"]), (&json!(code), &json!(1)));
                assert_eq!(object["data"]["pictures"][1]["line"], 2, "{object}");
            }
            None => assert_ne!(ran.code, Some(0), "{ran:#?}"),
        }
        assert_eq!(numbers(&home, "p.txt.progress"), "1 ");
        // What was torn off is no number.
        let mut kept = std::fs::File::options()
            .append(true)
            .open(home.path().join("p.txt.progress"))
            .expect("it is kept");
        std::io::Write::write_all(&mut kept, b"3").expect("it can be written");
        batch(&home, "p.txt", &[]).ends(0, &["3 of 3 lines done, 1 of them before"]);
        assert_eq!(numbers(&home, "p.txt.progress"), "1 2 3 ");
        home.is_whole(4);
    }
}
