//! Completions and manual pages say what the help says, and the programs that they are for take them.

use crate::harness::{Home, Ran};
use crate::help::VERBS;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// A page or script that is printed whole.
#[track_caller]
fn printed(home: &Home, arguments: &[&str]) -> String {
    let ran = Ran::from(home.run(arguments)).ends(0, &[]);
    assert_eq!(ran.stderr, "", "{arguments:?}");
    ran.stdout
}

/// The long flags that the help of a verb lists.
fn flags(help: &str) -> Vec<&str> {
    let words = help.lines().filter(|line| line.trim_start().starts_with('-')).flat_map(|line| {
        let name = |c: char| c.is_ascii_alphanumeric() || c == '-';
        line.split_whitespace().take(2).map(move |word| word.trim_end_matches(|c| !name(c)))
    });
    words.filter(|word| word.starts_with("--")).collect()
}

/// A program, if this machine has it. What tests need is installed by `tests/run`; in CI it must be there.
fn has(program: &str) -> bool {
    let there =
        Command::new("sh").args(["-c", &format!("command -v {program}")]).stdout(Stdio::null()).status();
    let there = there.is_ok_and(|status| status.success());
    assert!(there || std::env::var_os("CI").is_none(), "{program} is not installed");
    there
}

/// `lightproof` with these words behind it, completed by the script in bash.
#[track_caller]
fn completed(script: &str, words: &[&str]) -> Vec<String> {
    let count = words.len();
    let before = if count == 1 { "lightproof" } else { words[count - 2] };
    let ask = format!(
        "COMP_WORDS=(lightproof {})\nCOMP_CWORD={count}\n_lightproof lightproof '{}' '{before}'\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
        words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" "),
        words[count - 1],
    );
    let mut bash = Command::new("bash");
    let mut bash = bash
        .args(["--norc", "-s"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("bash starts");
    let mut input = bash.stdin.take().expect("it is piped");
    input.write_all(format!("{script}\n{ask}").as_bytes()).expect("bash reads");
    drop(input);
    let output = bash.wait_with_output().expect("bash ends");
    assert!(output.status.success(), "{words:?}");
    String::from_utf8_lossy(&output.stdout).split_whitespace().map(str::to_owned).collect()
}

#[test]
fn every_verb_and_flag_is_completed_and_has_its_page() {
    let home = Home::new("manual");
    let scripts = ["bash", "zsh", "fish"].map(|shell| printed(&home, &["completions", shell]));
    for (verb, _) in VERBS {
        let page = printed(&home, &[&["man"], verb].concat()).replace("\\-", "-");
        let help = printed(&home, &[verb, &["--help"]].concat());
        let flags = flags(&help);
        assert!(flags.contains(&"--home") && flags.contains(&"--help"), "{verb:?}: {flags:?}");
        for flag in flags {
            assert!(page.contains(flag), "the page of {verb:?} has no {flag}:\n{page}");
            let bare = flag.trim_start_matches('-');
            for (script, as_written) in scripts.iter().zip([flag, flag, &format!("-l {bare}")]) {
                assert!(script.contains(as_written), "{as_written} of {verb:?} is not completed");
            }
        }
        assert!(page.contains("Exit codes:"), "{verb:?}");
        for word in verb {
            assert!(page.contains(word) && scripts.iter().all(|script| script.contains(word)), "{word}");
        }
    }
    // fish asks which words stand before a flag, and is told of verbs of three words, too.
    let condition = "audit; and __fish_seen_subcommand_from stamp; and __fish_seen_subcommand_from";
    for flag in ["request\" -s o -d ", "import\" -l request -d "] {
        assert!(scripts[2].contains(&format!("{condition} {flag}")), "{flag}");
    }
    // What the program starts itself is not offered.
    for (script, offer) in scripts.iter().zip(["lightproof,history)", "'history:", "-a \"history\""]) {
        assert!(script.contains(offer), "{offer}");
        assert!(!script.contains(&offer.replace("history", "engine")), "{offer}");
    }
    Ran::from(home.run(&["man", "engine"])).ends(5, &["no verb"]);
    Ran::from(home.run(&["completions", "csh"])).ends(2, &[]);
}

#[test]
fn bash_takes_the_script_and_completes() {
    let home = Home::new("bash");
    let script = printed(&home, &["completions", "bash"]);
    home.write("script", script.as_bytes());
    let parsed = Command::new("bash").args(["-n", &home.at("script")]).output().expect("bash starts");
    assert!(parsed.status.success(), "{}", String::from_utf8_lossy(&parsed.stderr));
    assert_eq!(completed(&script, &["his"]), ["history"]);
    assert_eq!(completed(&script, &["history", "exp"]), ["export"]);
    assert_eq!(completed(&script, &["doctor", "--mod"]), ["--model"]);
    for (verb, _) in VERBS {
        let help = printed(&home, &[verb, &["--help"]].concat());
        let offered = completed(&script, &[verb, &["--"]].concat());
        for flag in flags(&help) {
            assert!(offered.iter().any(|offer| offer == flag), "{flag} of {verb:?}: {offered:?}");
        }
    }
    assert_eq!(completed(&script, &["no-such"]), [""; 0]);
    assert_eq!(completed(&script, &["eng"]), [""; 0], "what the program starts itself");
}

#[test]
fn every_verb_gets_a_page_that_is_read() {
    let home = Home::new("pages");
    Ran::from(home.run(&["man", "-o", &home.at("none/man1")])).ends(6, &["none", "folder"]);
    Ran::from(home.run(&["man", "-o", &home.at("man1")])).ends(0, &["pages in"]);
    // A second time over what is there.
    Ran::from(home.run(&["man", "-o", &home.at("man1"), "--json"])).ends(0, &[]);
    for (verb, _) in VERBS {
        let path = home.path().join("man1").join(format!("{}.1", [&["lightproof"], verb].concat().join("-")));
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(text, printed(&home, &[&["man"], verb].concat()), "{verb:?}");
    }
    if has("groff") {
        for entry in std::fs::read_dir(home.path().join("man1")).expect("it was made") {
            let path = entry.expect("it can be listed").path();
            let mut groff = Command::new("groff");
            let read = groff.args(["-man", "-Tutf8", "-ww", "-z"]).arg(&path).output().expect("groff starts");
            let said = String::from_utf8_lossy(&read.stderr);
            assert!(read.status.success() && said.is_empty(), "{}: {said}", path.display());
        }
    }
}
