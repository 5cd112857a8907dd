//! Help: for every verb the flags that it takes and no others, with exit codes and examples.

use crate::harness::{Home, Ran};

/// Every verb, with the flags of its own that its help must have.
pub const VERBS: [(&[&str], &[&str]); 81] = [
    (&["serve"], &["--port", "--model", "--device", "--outputs", "--passphrase-file"]),
    (
        &["generate"],
        &["--model", "--negative", "--guidance", "--steps", "--export", "--outputs", "--passphrase-file"],
    ),
    (
        &["batch"],
        &["--format", "--progress", "--model", "--steps", "--export", "--outputs", "--passphrase-file"],
    ),
    (&["history", "list"], &["--outputs", "--passphrase-file"]),
    (&["history", "show"], &["--outputs", "--passphrase-file"]),
    (&["history", "export"], &["-o", "--outputs", "--passphrase-file"]),
    (&["history", "prove"], &["--outputs", "--passphrase-file"]),
    (&["history", "rm"], &["--all", "--of", "--yes", "--operator", "--outputs", "--passphrase-file"]),
    (
        &["history", "certificate"],
        &["-o", "--all", "--of-everybody", "--since", "--until", "--outputs", "--passphrase-file"],
    ),
    (&["history", "verify"], &["--outputs", "--passphrase-file"]),
    (&["history", "missing"], &["--accept", "--outputs", "--passphrase-file"]),
    (&["vault", "init"], &["--outputs", "--passphrase-file"]),
    (&["vault", "status"], &["--outputs"]),
    (&["vault", "verify"], &["--outputs", "--passphrase-file"]),
    (&["vault", "passwd"], &["--new-passphrase-file", "--outputs", "--passphrase-file"]),
    (
        &["vault", "machine", "add"],
        &["--secret-file", "--new-secret-file", "--with-passphrases", "--outputs", "--passphrase-file"],
    ),
    (&["vault", "machine", "remove"], &["--outputs", "--passphrase-file"]),
    (&["vault", "joint", "set"], &["NAME", "--second-operator", "--outputs", "--passphrase-file"]),
    (&["vault", "joint", "end"], &["--second-passphrase-file", "--outputs", "--passphrase-file"]),
    (&["vault", "recovery"], &["--outputs", "--passphrase-file"]),
    (&["vault", "retain"], &["--dry-run", "--yes", "--outputs", "--passphrase-file"]),
    (&["vault", "rotate"], &["--outputs", "--passphrase-file"]),
    (&["vault", "destroy"], &["--certificate", "--yes", "--outputs", "--passphrase-file"]),
    (&["vault", "drill"], &["--outputs", "--passphrase-file"]),
    (
        &["operator", "add"],
        &["--role", "--new-passphrase-file", "--operator", "--outputs", "--passphrase-file"],
    ),
    (&["operator", "list"], &["--outputs", "--passphrase-file"]),
    (
        &["operator", "remove"],
        &["--keep-pictures", "--hand-over-to", "--erase-pictures", "--yes", "--outputs", "--passphrase-file"],
    ),
    (&["operator", "role"], &["--yes", "--operator", "--outputs", "--passphrase-file"]),
    (&["operator", "pending"], &["--outputs", "--passphrase-file"]),
    (&["operator", "confirm"], &["--yes", "--outputs", "--passphrase-file"]),
    (&["operator", "refuse"], &["--outputs", "--passphrase-file"]),
    (&["operator", "passwd"], &["--new-passphrase-file", "--outputs", "--passphrase-file"]),
    (&["operator", "resolve"], &["--reason", "--outputs", "--passphrase-file"]),
    (&["hold", "set"], &["--of", "--reason", "--outputs", "--passphrase-file"]),
    (&["hold", "list"], &["--outputs", "--passphrase-file"]),
    (&["hold", "end"], &["--of", "--outputs", "--passphrase-file"]),
    (&["token", "create"], &["--scope", "--days", "--label", "--operator", "--outputs", "--passphrase-file"]),
    (&["token", "list"], &["--operator", "--outputs", "--passphrase-file"]),
    (&["token", "revoke"], &["--operator", "--outputs", "--passphrase-file"]),
    (&["model", "import"], &["--name", "--operator", "--outputs", "--passphrase-file"]),
    (&["model", "list"], &[]),
    (&["model", "info"], &[]),
    (&["model", "verify"], &[]),
    (&["model", "use"], &["--operator", "--outputs", "--passphrase-file"]),
    (&["model", "rm"], &["--operator", "--outputs", "--passphrase-file"]),
    (&["status"], &["--metrics", "--outputs"]),
    (&["support", "bundle"], &["-o", "--log", "--yes", "--outputs"]),
    (&["upgrade", "verify"], &["--key"]),
    (&["doctor"], &["--port", "--model", "--device", "--outputs"]),
    (&["backup", "create"], &["-o", "--operator", "--outputs", "--passphrase-file"]),
    (&["backup", "verify"], &["--outputs", "--passphrase-file"]),
    (&["backup", "restore"], &["--without-log", "--same-pictures", "--outputs", "--passphrase-file"]),
    (&["backup", "policy"], &["--outputs", "--passphrase-file"]),
    (&["backup", "list"], &[]),
    (&["backup", "destroyed"], &["--operator", "--outputs", "--passphrase-file"]),
    (&["audit", "tail"], &["-n", "--follow"]),
    (&["audit", "show"], &["--object", "--job", "--type", "--outcome", "--since", "--until"]),
    (&["audit", "explain"], &[]),
    (&["audit", "export"], &["--format", "--after", "--spool"]),
    (&["audit", "verify"], &["--expect"]),
    (&["audit", "checkpoint"], &["-o", "--qr"]),
    (&["audit", "stamp", "request"], &["-o"]),
    (&["audit", "stamp", "import"], &["--request"]),
    (&["audit", "stamp", "list"], &[]),
    (&["audit", "prune"], &["--dry-run", "--yes", "--operator", "--outputs", "--passphrase-file"]),
    (&["evidence", "run"], &["--outputs", "--passphrase-file"]),
    (&["evidence", "list"], &[]),
    (&["evidence", "show"], &[]),
    (
        &["evidence", "export"],
        &[
            "-o",
            "--incident",
            "--since",
            "--until",
            "--framework",
            "--lang",
            "--include-failures",
            "--outputs",
            "--passphrase-file",
        ],
    ),
    (&["evidence", "rehearse"], &["-o"]),
    (&["evidence", "verify"], &["--expect", "--first-key"]),
    (
        &["evidence", "freeze"],
        &[
            "--reason",
            "--law",
            "-o",
            "--since",
            "--until",
            "--include-failures",
            "--outputs",
            "--passphrase-file",
        ],
    ),
    (&["evidence", "clocks"], &[]),
    (&["evidence", "settled"], &["--outputs", "--passphrase-file"]),
    (&["evidence", "subject"], &["-o", "--operator", "--outputs", "--passphrase-file"]),
    (&["config", "show"], &["--origin", "--outputs"]),
    (&["config", "check"], &[]),
    (&["completions"], &[]),
    (&["man"], &["-o"]),
    (&["selftest"], &["--reference", "--model"]),
    (&[], &[]),
];

fn help(home: &Home, arguments: &[&str]) -> String {
    let ran = Ran::from(home.run(arguments)).ends(0, &[]);
    assert_eq!(ran.stderr, "", "{arguments:?}");
    ran.stdout
}

#[test]
fn every_verb_has_its_own_flags_exit_codes_and_examples() {
    let home = Home::new("help");
    let all = ["--home", "--json", "--quiet", "--no-color", "--help"];
    for (verb, flags) in VERBS {
        let text = help(&home, &[verb, &["--help"]].concat());
        assert_eq!(help(&home, &[&["help"], verb].concat()), text, "{verb:?}");
        for flag in flags.iter().chain(&all) {
            assert!(text.contains(flag), "{verb:?} has no {flag}:\n{text}");
        }
        for flag in ["--outputs", "--passphrase-file", "--model", "--export"] {
            let is_taken = flags.contains(&flag);
            let listed = text.lines().any(|line| line.trim_start().starts_with(flag));
            assert_eq!(listed, is_taken, "{verb:?} {flag}:\n{text}");
        }
        assert!(text.contains("Flags of every verb:"), "{verb:?} has no groups:\n{text}");
        let codes =
            text.split("Exit codes:").nth(1).unwrap_or_else(|| panic!("{verb:?} has no codes:\n{text}"));
        assert_eq!(codes.lines().filter(|line| line.trim_start().starts_with(char::is_numeric)).count(), 14);
    }
    for group in [
        "history",
        "vault",
        "operator",
        "token",
        "hold",
        "model",
        "backup",
        "status",
        "doctor",
        "upgrade",
        "audit",
        "evidence",
        "config",
        "serve",
        "generate",
        "batch",
        "completions",
        "man",
        "selftest",
    ] {
        assert!(help(&home, &[group, "-h"]).contains("Examples:"), "{group}");
    }
    assert!(help(&home, &["help", "generate"]).contains("What other programs call 9 steps"));
}

/// A verb below another has its own among the examples of that one, and no other.
#[test]
fn a_verb_below_another_has_the_examples_that_are_of_it() {
    let home = Home::new("examples");
    for verb in [
        &["backup", "destroyed"][..],
        &["evidence", "freeze"],
        &["evidence", "clocks"],
        &["evidence", "settled"],
        &["evidence", "subject"],
        &["hold", "set"],
        &["hold", "end"],
        &["operator", "pending"],
        &["operator", "confirm"],
        &["operator", "refuse"],
        &["support", "bundle"],
        &["history", "certificate"],
        &["vault", "rotate"],
        &["audit", "stamp", "import"],
        &["upgrade", "verify"],
    ] {
        for asked in ["-h", "--help"] {
            let text = help(&home, &[verb, &[asked]].concat());
            let examples = text.split("Examples:\n").nth(1).unwrap_or_else(|| panic!("{verb:?}:\n{text}"));
            let examples: Vec<&str> = examples.lines().take_while(|line| !line.is_empty()).collect();
            let words = format!("lightproof {}", verb.join(" "));
            assert!(
                !examples.is_empty() && examples.iter().all(|line| line.contains(&words)),
                "{examples:#?}"
            );
        }
    }
    // The words of another verb, or a longer word, are not its own.
    assert!(!help(&home, &["evidence", "show", "--help"]).contains("evidence freeze"));
}

#[test]
fn a_flag_that_a_verb_does_not_take_is_refused_by_name() {
    let home = Home::furnished("not-taken");
    let pass = home.at("pass");
    for verb in [&["audit", "tail"][..], &["selftest"], &["config", "show"], &["vault", "status"]] {
        home.ask(&[verb, &["--passphrase-file", &pass]].concat()).ends(2, &["`--passphrase-file`", "--help"]);
    }
    home.ask(&["history", "lsit"]).ends(2, &["`lsit`", "did you mean list?"]);
    home.ask(&["audit", "tail", "-n", "ten"]).ends(2, &["`ten`"]);
    Ran::from(home.run(&["help", "no-such-verb"])).ends(2, &[]);
    // Whoever names no verb gets the help, as a mistake.
    let ran = Ran::from(home.run(&[])).ends(2, &["Examples:"]);
    assert_eq!(ran.stdout, "");
}
