//! `config`: every setting with its value and where it comes from, and whether a file would be a policy.

use crate::harness::{Home, Ran};
use crate::served::Served;
use serde_json::Value;

/// Value and origin of a setting.
#[track_caller]
fn of(shown: &Value, key: &str) -> (String, String) {
    let all = shown["settings"].as_array().unwrap_or_else(|| panic!("{shown}"));
    let setting =
        all.iter().find(|setting| setting["key"] == key).unwrap_or_else(|| panic!("no {key}: {shown}"));
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{setting}")).to_owned();
    (text(&setting["value"]), text(&setting["origin"]))
}

#[test]
fn each_setting_says_where_it_comes_from() {
    let home = Home::furnished("settings");
    let shown = home.ask(&["config", "show", "--origin", "--json"]).ends(0, &[]).data();
    let is = |shown: &Value, key: &str, value: &str, origin: &str| {
        assert_eq!(of(shown, key), (value.to_owned(), origin.to_owned()));
    };
    is(&shown, "vault", &home.at("state/vault"), "flag --home");
    is(&shown, "log", &home.at("state/audit"), "flag --home");
    is(&shown, "pictures", &home.at("workspace/output_image"), "variable HOME");
    is(&shown, "policy file", &format!("{} (absent)", home.at("state/config/policy.toml")), "flag --home");
    is(&shown, "limits.steps_max", "100", "built in");
    is(&shown, "operational log", "off", "built in");
    let outputs = home.at("chosen");
    home.policy(
        format!("schema = 1\noutputs = \"{outputs}\"\nerase = \"never\"\n[limits]\nsteps_max = 20\n")
            .as_bytes(),
    );
    let shown = home.ask(&["config", "show", "--json"]).ends(0, &[]).data();
    is(&shown, "pictures", &outputs, "policy file");
    is(&shown, "erase", "never", "policy file");
    is(&shown, "limits.steps_max", "20", "policy file");
    is(&shown, "limits.images_max", "16", "built in");
    let other = home.at("other");
    let shown = home.ask(&["config", "show", "--json", "--outputs", &other]).ends(0, &[]).data();
    is(&shown, "pictures", &other, "flag --outputs");
    let mut command = home.program(&["config", "show", "--json"]);
    command.env("LIGHTPROOF_HOME", home.at("state")).env("LIGHTPROOF_LOG", "error");
    let shown = Ran::of(&mut command).ends(0, &[]).data();
    is(&shown, "vault", &home.at("state/vault"), "variable LIGHTPROOF_HOME");
    is(&shown, "operational log", "error", "variable LIGHTPROOF_LOG");
    let mut command = home.program(&["config", "show", "--json"]);
    let shown = Ran::of(command.env("XDG_STATE_HOME", home.at("xdg"))).ends(0, &[]).data();
    is(&shown, "log", &home.at("xdg/lightproof/audit"), "variable XDG_STATE_HOME");

    // For people: with the column, and without.
    let lines = |arguments: &[&str]| home.ask(arguments).ends(0, &[]).stdout;
    assert!(lines(&["config", "show", "--origin"]).lines().any(|line| {
        line.split_whitespace().collect::<Vec<_>>() == ["limits.steps_max", "20", "policy", "file"]
    }));
    assert!(!lines(&["config", "show"]).contains("policy file  built"));
    assert!(lines(&["config", "show"]).lines().any(|line| line.ends_with(" 20")));
    // What is shown is what a start goes by, and a look makes nothing.
    assert!(!home.path().join("state/vault").exists() && !home.path().join("chosen").exists());
}

#[test]
fn a_file_is_checked_as_a_start_would_take_it() {
    let home = Home::furnished("check");
    home.write("good.toml", b"schema = 1\nkeep_prompts = \"never\"\n[limits]\nsteps_max = 8\n");
    let good = home.at("good.toml");
    let ran = home.ask(&["config", "check", &good]).ends(0, &[]);
    assert!(
        ran.stdout.contains("keep_prompts never") && ran.stdout.contains("limits.steps_max 8"),
        "{ran:#?}"
    );
    let settings = home.ask(&["config", "check", &good, "--json"]).ends(0, &[]).data()["settings"].clone();
    assert_eq!(settings.as_array().map(Vec::len), Some(2), "{settings}");
    for (text, words) in [
        (&b"schema = 1\ncolour = \"red\"\n"[..], &["colour", "bad.toml"][..]),
        (b"schema = 1\n[limits]\nsteps_max = 101\n", &["steps_max", "tighten"]),
        (b"schema = 1\nlisten = \"0.0.0.0:7860\"\n", &["will not listen"]),
        (b"\xff", &["the policy cannot be read"]),
        (
            format!("schema = 1\noutputs = \"{}\"\n", home.at("state")).as_bytes(),
            &["no process may write its own policy"],
        ),
    ] {
        home.write("bad.toml", text);
        let ran = home.ask(&["config", "check", &home.at("bad.toml")]).ends(2, words);
        assert_eq!(ran.stdout, "");
        // A start says the same of it, and a broken policy does not keep a better one from being checked.
        home.policy(text);
        home.ask(&["vault", "init"]).ends(2, &words[..1]);
        home.ask(&["config", "check", &good]).ends(0, &[]);
        if !text.starts_with(b"schema = 1\noutputs") {
            home.ask(&["config", "show"]).ends(2, &["policy.toml"]);
        }
    }
    home.ask(&["config", "check", &home.at("missing.toml")]).ends(5, &["missing.toml"]);
}

/// It may be a draft of what the controller says of themselves.
#[test]
fn nothing_of_a_file_that_is_no_policy_is_repeated() {
    const CANARY: &str = "Vermilion";
    let home = Home::furnished("draft");
    for (text, said) in [
        (format!("schema = 1\ncontroller = \"{CANARY}\"\n"), "line 2: controller is no key"),
        (format!("schema = 1\n\n\"{CANARY} words\" = 1\n"), "line 3 has a key"),
        (format!("schema = \"{CANARY}\"\n"), "line 1"),
        (format!("schema = 1\npicture_days_max = \"{CANARY}\"\n"), "line 2"),
        (format!("schema = 1\ncontroller = {CANARY}\n"), "line 2"),
        ("keep_prompts = \"never\"\n".into(), "the first line is missing: write `schema = 1`"),
        ("schema = 1\n[[deny]]\ncall = \"link\"\n".into(), "the key why is missing"),
    ] {
        home.write("draft.toml", text.as_bytes());
        let ran = home.ask(&["config", "check", &home.at("draft.toml")]).ends(2, &["draft.toml", said]);
        assert!(!ran.stderr.contains(CANARY) && !ran.stdout.contains(CANARY), "{ran:#?}");
    }
}

/// To a file or to standard output: before any work, and on record.
#[test]
fn where_the_policy_denies_plain_copies_none_leaves_and_nothing_is_made() {
    let home = Home::with_picture("no-copies");
    let id = home.pictures()[0]["id"].as_str().expect("an id").to_owned();
    home.policy(b"schema = 1\n[[deny]]\npath = \"${export}\"\nwhy = \"no plain copies leave this host\"\n");
    let target = home.at("out/copy.png");
    for to in ["-", &target] {
        for ran in
            [home.generate(&["a pear", "--export", to]), home.ask(&["history", "export", &id, "-o", to])]
        {
            assert_eq!(ran.ends(6, &["policy", "plain copies"]).stdout, "");
        }
    }
    assert!(!std::path::Path::new(&target).exists());
    assert_eq!(home.pictures().len(), 1);
    assert_eq!(home.count_records(&["boot.refused", "reason=policy"]), 4);
    assert_eq!(home.count_records(&["object.export"]), 0);
    // Without a copy the same request is carried out.
    home.generate(&["a pear"]).ends(0, &[]);
    home.is_whole(2);
}

/// Every call that a profile names is denied: what nothing runs without is refused, and with all the others denied a server answers, a picture
/// is made and the end is in order.
#[test]
fn a_denial_is_refused_or_the_program_runs_without_the_call() {
    let home = Home::with_picture("denied");
    let profiles = concat!(env!("CARGO_MANIFEST_DIR"), "/policy/profiles");
    let mut calls = std::collections::BTreeSet::new();
    for profile in ["server", "engine", "keeper", "client", "import"] {
        let text = std::fs::read_to_string(format!("{profiles}/{profile}.toml")).expect("a profile");
        let tables = text
            .split("[[call]]")
            .skip(1)
            .map(|table| table.split("]\n").next().unwrap_or_default().to_owned());
        calls
            .extend(tables.flat_map(|table| {
                table.split('"').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()
            }));
    }
    let deny = |call: &String| format!("[[deny]]\ncall = \"{call}\"\nwhy = \"to see what is left\"\n");
    let (mut refused, mut all) = (0, String::from("schema = 1\n"));
    for call in &calls {
        home.write("draft.toml", format!("schema = 1\n{}", deny(call)).as_bytes());
        let ran = home.ask(&["config", "check", &home.at("draft.toml")]);
        match ran.code {
            Some(0) => all += &deny(call),
            _ => {
                ran.ends(2, &[&format!("the system call {call} cannot be denied"), "remove that [[deny]]"]);
                refused += 1;
            }
        }
    }
    assert!(refused > 50 && calls.len() - refused > 60, "{refused} of {}", calls.len());
    home.policy(all.as_bytes());
    home.generate(&["a pear"]).ends(0, &[]);
    home.ask(&["selftest"]).ends(0, &[]);
    let served = Served::start(&home);
    home.ask(&["history", "list"]).ends(0, &[]);
    home.generate(&["a plum"]).ends(0, &[]);
    served.stop().ends(0, &["the end is on record"]);
    home.is_whole(3);
    // A start says the same as the check.
    home.policy(b"schema = 1\n[[deny]]\ncall = \"exit\"\nwhy = \"to see what is left\"\n");
    let ran = home.ask(&["generate", "a pear", "--json"]).ends(2, &["the system call exit cannot be denied"]);
    assert_eq!(ran.stdout.lines().count(), 1, "{}", ran.stdout);
}
