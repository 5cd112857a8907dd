//! Nobody reads what the program says, and limits on files, memory and threads: one act ends, with words where there is
//! somebody to hear them, and nothing is lost.

use crate::harness::{Home, Ran, SMALL, behind};
use crate::user::Ordinary;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::io::BufRead as _;
use std::process::{Command, Stdio};

/// A pipe that nobody reads.
fn closed() -> Stdio {
    std::io::pipe().expect("there are pipes").1.into()
}

#[test]
fn a_closed_stderr_keeps_nothing_from_being_done() {
    let home = Home::furnished("no-stderr");
    let small: Vec<&str> = [&["generate", "x"], &SMALL[..]].concat();
    let verbs: [(&[&str], i32); 7] = [
        (&small, 0), // makes the vault, and says so
        (&["history", "list"], 0),
        (&["vault", "status"], 0),
        (&["history", "rm", "--all"], 6),
        (&["history", "rm", "--all", "--yes"], 0),
        (&["history", "list"], 0), // there is nothing, and it says so
        (&["no-such-verb"], 2),
    ];
    for (verb, code) in verbs {
        let ran = Ran::of(home.furnished_program(verb).stderr(closed()));
        assert_eq!(ran.code, Some(code), "{verb:?}: {ran:#?}");
    }
    assert_eq!(home.count_records(&["object.sealed ok"]), 1);
    home.is_whole(0);
}

#[test]
fn data_that_nobody_got_is_no_success() {
    let home = Home::with_picture("no-stdout");
    let full = || Stdio::from(File::options().write(true).open("/dev/full").expect("Linux has it"));
    let unwritable = || Stdio::from(File::open("/dev/null").expect("Linux has it"));
    let id = home.pictures()[0]["id"].as_str().expect("a picture has an id").to_owned();
    let verbs: [&[&str]; 27] = [
        &["--help"],
        &["--version"],
        &["--version", "--json"],
        &["generate", "--help"],
        &["history", "--help"],
        &["history", "list"],
        &["history", "list", "--json"],
        &["history", "show", &id],
        &["history", "export", &id, "-o", "-"],
        &["history", "verify"],
        &["operator", "list"],
        &["operator", "list", "--json"],
        &["status"],
        &["status", "--json"],
        &["audit", "tail"],
        &["audit", "tail", "--json"],
        &["audit", "tail", "--follow"],
        &["audit", "tail", "--follow", "--json"],
        &["audit", "show", "--type", "boot"],
        &["audit", "show", "0"],
        &["audit", "explain", "0"],
        &["audit", "verify"],
        &["audit", "verify", "--json"],
        &["config", "show"],
        &["vault", "status"],
        &["vault", "verify"],
        &["selftest"],
    ];
    for verb in verbs {
        for stdout in [full(), unwritable()] {
            Ran::of(home.furnished_program(verb).stdout(stdout)).ends(1, &["could not be printed"]);
        }
        // Who closes a pipe has seen enough.
        let ran = Ran::of(home.furnished_program(verb).stdout(closed())).ends(0, &[]);
        assert!(!ran.stderr.contains("error") && !ran.stderr.contains("warning"), "{verb:?}: {ran:#?}");
    }
    // Neither is what was found where nobody got it: whoever takes 4 for an answer would take nothing for one.
    let sealed = home.path().join("workspace/output_image");
    let name = home.pictures()[0]["name"].as_str().expect("a picture has a name").to_owned();
    let file = sealed.join(format!("{name}.sealed"));
    std::fs::rename(&file, home.path().join("kept")).expect("it is ours");
    let verify = ["history", "verify"];
    Ran::of(home.furnished_program(&verify).stdout(full())).ends(1, &["could not be printed"]);
    home.ask(&verify).ends(4, &[]);
    std::fs::rename(home.path().join("kept"), &file).expect("it is ours");
    // A picture is sealed although nobody could be told.
    let small: Vec<&str> = [&["generate", "x", "--json"], &SMALL[..]].concat();
    Ran::of(home.furnished_program(&small).stdout(full())).ends(1, &["what was done is done"]);
    home.is_whole(2);
}

/// The program with descriptors closed by the shell, such as `>&-`.
fn without(descriptors: &str, program: &Command) -> Ran {
    Ran::of(&mut behind(&["bash", "-c", &format!("exec \"$@\" {descriptors}"), "bash"], program))
}

/// A descriptor that is closed is nobody who listens, and no place for what a file that is opened later gets.
#[test]
fn closed_descriptors_end_nothing_and_lose_nothing() {
    let home = Home::furnished("closed");
    let small: Vec<&str> = [&["generate", "x"], &SMALL[..]].concat();
    let verbs: [(&[&str], i32); 6] = [
        (&small, 0),
        (&["history", "list", "--json"], 0),
        (&["audit", "verify"], 0),
        (&["history", "rm", "--all"], 6),
        (&["no-such-verb"], 2),
        (&["--version"], 0),
    ];
    for descriptors in [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"] {
        for (verb, code) in verbs {
            let ran = without(descriptors, &home.furnished_program(verb));
            assert_eq!(ran.code, Some(code), "{descriptors} {verb:?}: {ran:#?}");
        }
    }
    home.is_whole(4);
}

#[test]
fn a_server_whose_line_cannot_be_printed_says_so_and_serves() {
    let home = Home::with_picture("unprinted");
    let full = File::options().write(true).open("/dev/full").expect("Linux has it");
    let mut program = home.furnished_program(&["serve", "--port", "0"]);
    let mut child = program.stdout(full).stderr(Stdio::piped()).spawn().expect("it starts");
    let said = std::io::BufReader::new(child.stderr.take().expect("it was piped"));
    let mut lines = said.lines().map(|line| line.expect("it is text"));
    let line = lines.find(|line| line.contains("Running on local URL")).expect("it says where it is");
    assert!(line.contains("could not be printed"), "{line}");
    let pid = Pid::from_raw(child.id() as i32).expect("a child has a pid");
    kill_process(pid, Signal::TERM).expect("it is ours");
    assert_eq!(child.wait().expect("it is our child").code(), Some(1));
    home.is_whole(1);
}

/// The program under a limit of the shell's, such as `ulimit -f 8`.
fn limited(limit: &str, program: &Command) -> Command {
    behind(&["bash", "-c", &format!("ulimit {limit} && exec \"$@\""), "bash"], program)
}

#[test]
fn a_limit_on_the_length_of_files_is_a_full_disk() {
    let home = Home::with_picture("file-limit");
    // From one that stops the first record to one that lets a picture through, in KiB.
    let small: Vec<&str> = [&["generate", "x"], &SMALL[..]].concat();
    let (mut codes, mut sealed) = (Vec::new(), 1);
    for blocks in ["0", "1", "2", "4", "8", "16", "1024"] {
        let program = home.furnished_program(&small);
        let ran = Ran::of(&mut limited(&format!("-f {blocks}"), &program));
        assert!(matches!(ran.code, Some(0 | 10 | 13)), "{blocks}: {ran:#?}");
        assert!(ran.code == Some(0) || ran.stderr.contains("ulimit -f"), "{blocks}: {ran:#?}");
        codes.extend(ran.code);
        sealed += ran.stdout.matches("sealed ").count() as u64;
    }
    assert!(codes.first() != Some(&0) && codes.last() == Some(&0), "{codes:?}");
    let kept = home.pictures().len() as u64;
    assert!(kept >= sealed, "{kept} of {sealed} pictures that were said to be sealed");
    home.is_whole(kept);
}

#[test]
fn too_few_descriptors_are_told_before_anything_fails_for_them() {
    let home = Home::with_picture("descriptors");
    for verb in [&["history", "list", "--json"][..], &["selftest", "--json"]] {
        for descriptors in ["6", "8", "12", "16", "63"] {
            let program = home.furnished_program(verb);
            let ran = Ran::of(&mut limited(&format!("-n {descriptors}"), &program)).ends(10, &["ulimit -n"]);
            assert_eq!(ran.object()["error"]["code"], 10, "{ran:#?}");
        }
        Ran::of(&mut limited("-n 64", &home.furnished_program(verb))).ends(0, &[]);
    }
    home.is_whole(1);
}

#[test]
fn too_little_memory_for_a_passphrase_ends_one_act() {
    let home = Home::with_picture("memory-limit");
    let passwd = ["vault", "passwd", "--new-passphrase-file", &home.at("pass")];
    for verb in [&["history", "list"][..], &["vault", "verify"], &passwd] {
        // In KiB: enough for the program, too little for argon2.
        let ran = Ran::of(&mut limited("-v 400000", &home.furnished_program(verb)));
        ran.ends(10, &["memory", "passphrase"]);
    }
    let new = Home::furnished("memory-limit-new");
    Ran::of(&mut limited("-v 400000", &new.furnished_program(&["vault", "init"]))).ends(10, &["memory"]);
    new.ask(&["vault", "init"]).ends(0, &[]);
    // Nobody guessed.
    assert_eq!(home.count_records(&["vault.unlock_failed"]), 0);
    assert_eq!(home.count_records(&["boot.started"]), home.count_records(&["boot.stopped"]));
    home.is_whole(1);
}

#[test]
fn a_limit_on_threads_has_words() {
    let user = Ordinary::furnished("thread-limit");
    user.ask(&[&["generate", "x"], &SMALL[..]].concat()).ends(0, &[]);
    for verb in [&["history", "list"][..], &["selftest"], &["generate", "x"]] {
        let ran = Ran::of(&mut limited_user(&user, verb));
        assert!(ran.code.is_some_and(|code| code != 0 && code != 101), "{verb:?}: {ran:#?}");
        assert!(ran.stderr.contains("thread") && !ran.stderr.contains("unexpectedly"), "{verb:?}: {ran:#?}");
    }
    user.ask(&["history", "verify"]).ends(0, &[]);
}

/// As the ordinary user, who may have no thread more. The limit does not bind root, so it is set behind setpriv.
fn limited_user(user: &Ordinary, verb: &[&str]) -> Command {
    user.instead(&limited("-u 1", &user.home.furnished_program(verb)))
}

/// Without addresses for its own threads a program cannot even say what it lacks.
#[test]
fn too_few_addresses_are_said_before_anything_is_opened() {
    let home = Home::with_picture("few-addresses");
    let verbs: [&[&str]; 5] =
        [&["vault", "status"], &["status"], &["history", "list"], &["generate", "x"], &["audit", "verify"]];
    let before = home.records().len();
    for verb in verbs {
        let program = home.furnished_program(verb);
        Ran::of(&mut limited("-v 70000", &program)).ends(10, &["ulimit -v", "68 MiB"]);
    }
    assert_eq!(home.records().len(), before);
    home.is_whole(1);
}

/// A stack that is used up ends a process without a word.
#[test]
fn too_little_stack_is_said_before_anything_is_opened() {
    let home = Home::with_picture("little-stack");
    for verb in [&["status", "--json"][..], &["history", "list", "--json"], &["generate", "x", "--json"]] {
        for kib in ["64", "128", "511"] {
            let program = home.furnished_program(verb);
            let ran = Ran::of(&mut limited(&format!("-s {kib}"), &program)).ends(10, &["ulimit -s"]);
            assert_eq!(ran.object()["error"]["code"], 10, "{ran:#?}");
        }
    }
    let small: Vec<&str> = [&["generate", "x"], &SMALL[..]].concat();
    Ran::of(&mut limited("-s 512", &home.furnished_program(&small))).ends(0, &[]);
    home.is_whole(2);
}

/// What a program reads is JSON, from the first line to the last.
#[test]
fn a_server_that_is_asked_for_json_prints_nothing_else() {
    let home = Home::with_picture("serve-json");
    let mut program = home.furnished_program(&["serve", "--port", "0", "--json"]);
    let mut child = program.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
    let said = std::io::BufReader::new(child.stdout.take().expect("it was piped"));
    let object = |line: std::io::Result<String>| -> serde_json::Value {
        let line = line.expect("it is text");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    };
    let mut lines = said.lines().map(object);
    let ready = lines.next().expect("it says where it is");
    let pid = Pid::from_raw(child.id() as i32).expect("a child has a pid");
    kill_process(pid, Signal::TERM).expect("it is ours");
    let last = lines.next().expect("it says how it ended");
    assert_eq!((lines.next(), child.wait().expect("it is our child").code()), (None, Some(0)));
    assert!(
        ready["ready"]["address"].as_str().is_some_and(|at| at.starts_with("http://127.0.0.1:")),
        "{ready}"
    );
    assert_eq!((&last["ok"], &last["data"]["address"]), (&true.into(), &ready["ready"]["address"]));
    assert_eq!((&ready["schema"], &last["schema"]), (&"lightproof/v1".into(), &"lightproof/v1".into()));
}

/// Several processes may find the same fault: one of them speaks.
#[test]
fn a_home_that_is_a_file_is_one_object_of_json_whatever_the_verb() {
    let home = Home::furnished("home-is-file");
    home.write("plain", b"no folder");
    home.write("batch.jsonl", b"{\"prompt\":\"a pear\"}\n");
    let (plain, batch) = (home.at("plain"), home.at("batch.jsonl"));
    let verbs: [&[&str]; 13] = [
        &["generate", "a pear"],
        &["batch", &batch],
        &["serve", "--port", "0"],
        &["status"],
        &["doctor"],
        &["history", "list"],
        &["vault", "status"],
        &["token", "list"],
        &["audit", "verify"],
        &["evidence", "list"],
        &["model", "list"],
        &["model", "verify", "x"],
        &["config", "show"],
    ];
    for place in ["/dev/null", &plain] {
        for verb in verbs {
            let ran = Ran::of(&mut home.program(&[verb, &["--home", place, "--json"]].concat()));
            assert!(ran.code != Some(0), "{verb:?} in {place}: {ran:#?}");
            assert_eq!(
                ran.stdout.matches("\"schema\":\"lightproof/v1\"").count(),
                1,
                "{verb:?} in {place}: {ran:#?}"
            );
            // What a doctor finds is its result, and no error.
            let errors = usize::from(*verb != ["doctor"]);
            assert_eq!(ran.stderr.matches("error: ").count(), errors, "{verb:?} in {place}: {ran:#?}");
        }
    }
}
