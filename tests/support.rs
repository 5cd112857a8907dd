//! What whoever is asked for help gets: shown, on record, and nobody's.

use crate::harness::{Home, PASSPHRASE, Ran};
use crate::served::Served;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;

/// The bundle as it was shown, and as it lies in the file.
#[track_caller]
fn made(home: &Home, name: &str, arguments: &[&str]) -> (Value, String) {
    let file = home.at(name);
    let ran =
        home.ask(&[&["support", "bundle", "-o", &file, "--yes"], arguments].concat()).ends(0, &["SHA-256"]);
    let text = fs::read_to_string(&file).expect("it is there");
    // All of it was shown, byte for byte, and nobody else may read it.
    assert_eq!(ran.stdout, text);
    assert_eq!(fs::metadata(&file).expect("it is there").mode() & 0o777, 0o600);
    let sum = Command::new("sha256sum").arg(&file).output().expect("sha256sum");
    let sum = String::from_utf8_lossy(&sum.stdout)[..64].to_owned();
    assert!(ran.stderr.contains(&sum), "{ran:#?}");
    (serde_json::from_str(&text).expect("it is JSON"), sum)
}

/// Nothing in it is anybody's.
#[track_caller]
fn is_nobodys(home: &Home, bundle: &Value) {
    let text = bundle.to_string();
    let host = fs::read_to_string("/proc/sys/kernel/hostname").expect("Linux has it");
    let uid = rustix::process::geteuid().as_raw();
    let passwd = fs::read_to_string("/etc/passwd").expect("there is one");
    let user = passwd.lines().find(|line| line.split(':').nth(2) == Some(&uid.to_string()));
    let user = user.and_then(|line| line.split(':').next()).unwrap_or("nobody-at-all").to_owned();
    let words = |text: &str| {
        text.split(|c: char| !c.is_alphanumeric() && c != '-').map(str::to_owned).collect::<Vec<_>>()
    };
    let said = words(&text);
    for name in [host.trim().to_owned(), user].into_iter().filter(|name| name != "root") {
        assert!(!said.contains(&name), "{name}: {text}");
    }
    for part in
        [home.at(""), home.at("state"), "apple".to_owned(), PASSPHRASE.to_owned(), "127.0.0.1".to_owned()]
    {
        assert!(!text.contains(part.trim_end_matches('/')), "{part}: {text}");
    }
}

#[test]
fn a_bundle_is_shown_whole_and_nobodys_and_on_record() {
    let home = Home::furnished("support");
    // Without a vault it makes nothing but the file.
    let (none, _) = made(&home, "out/none.json", &[]);
    assert!(!home.path().join("state/audit").exists() && none["schema"] == "lightproof/support/v1");
    home.generate(&["a red apple", "--remember-prompt"]).ends(0, &[]);
    let (bundle, sum) = made(&home, "out/a.json", &[]);
    is_nobodys(&home, &bundle);
    assert_eq!(home.count_records(&["support.bundled ok a:system", &sum]), 1);
    assert_eq!(bundle["program"]["version"], env!("CARGO_PKG_VERSION"));
    let checks = bundle["doctor"].as_array().expect("a list");
    assert!(checks.len() > 30 && checks.iter().all(|check| check["says"].is_null()), "{bundle}");
    let says =
        |check: &str| checks.iter().find(|found| found["check"] == check).map(|found| found["state"].clone());
    assert_eq!(says("policy"), Some("ok".into()), "{bundle}");
    assert!(bundle["fences"].as_array().is_some_and(|fences| fences.len() > 8), "{bundle}");
    let numbers = bundle["numbers"].as_array().expect("a list");
    assert!(numbers.contains(&"lightproof_vault{state=\"locked\"} 1".into()), "{bundle}");
    let kernel = bundle["kernel"].as_str().expect("a version");
    assert!(kernel.contains('.') && kernel.bytes().all(|b| b.is_ascii_digit() || b == b'.'), "{kernel}");
    home.is_whole(1);

    // A server that runs puts it on record itself, and goes on.
    let served = Served::start(&home);
    let (bundle, sum) = made(&home, "out/served.json", &[]);
    is_nobodys(&home, &bundle);
    assert_eq!(home.count_records(&["support.bundled ok a:system", &sum]), 1);
    assert!(
        bundle["numbers"]
            .as_array()
            .is_some_and(|all| all.contains(&"lightproof_server{state=\"running\"} 1".into()))
    );
    served.stop().ends(0, &[]);
    home.is_whole(1);
}

#[test]
fn of_a_log_only_what_the_program_can_have_said_is_taken() {
    let home = Home::with_picture("support-log");
    let mut program = home.furnished_program(&["history", "list"]);
    let own = Ran::of(program.env("LIGHTPROOF_LOG", "debug")).ends(0, &[]).stderr;
    let own: Vec<&str> = own.lines().filter(|line| line.starts_with('{')).collect();
    assert!(own.len() >= 2, "{own:?}");
    let foreign = [
        "Running on local URL: http://127.0.0.1:7860",
        r#"{"level":"info","target":"lightproof","event":"a red apple"}"#,
        r#"{"level":"info","target":"lightproof","event":"x","prompt":"apple"}"#,
        r#"{"level":"info","target":"server","event":"10.20.30.40","state":"anna.smith","job":"Anna-Smith","count":493012345678}"#,
        r#"{"level":"Anna.Smith","target":"audit::Anna-Smith.example.com","event":"a.red.apple.on.a.table"}"#,
        r#"{"level":"info","target":"nobodys-name","event":"apple"}"#,
        r#"{"level":"info","target":"lightproof","event":{"x":"apple"}}"#,
        "error: the output folder of nobodys-name",
    ];
    let log = [own.join("\n"), foreign.join("\n")].join("\n") + "\n";
    home.write("journal", log.as_bytes());
    let (bundle, _) = made(&home, "out/a.json", &["--log", &home.at("journal")]);
    is_nobodys(&home, &bundle);
    assert!(!bundle.to_string().contains("nobodys-name"), "{bundle}");
    let taken = bundle["log"].as_array().expect("a list").len();
    assert_eq!((taken, &bundle["log_lines_left_out"]), (own.len(), &foreign.len().into()));
    let file = home.at("out/b.json");
    let ran =
        home.ask_with(&["support", "bundle", "-o", &file, "--yes", "--log", "-", "--json"], log.as_bytes());
    let data = ran.ends(0, &[]).data();
    assert_eq!(data["bundle"]["log"].as_array().map(Vec::len), Some(own.len()));
    home.ask(&["support", "bundle", "-o", &home.at("out/c.json"), "--yes", "--log", &home.at("nowhere")])
        .ends(5, &["nowhere"]);
    assert!(!home.path().join("out/c.json").exists());
}

#[test]
fn nobody_asked_means_nothing_made() {
    let home = Home::with_picture("support-places");
    let before = home.records().len();
    home.ask(&["support", "bundle", "-o", &home.at("out/a.json")]).ends(6, &["--yes"]);
    home.ask(&["support", "bundle", "-o", &home.at("out/a.json"), "--json"]).ends(2, &["--yes"]);
    assert!(!home.path().join("out/a.json").exists());
    // What could not be shown does not leave.
    let full = fs::File::options().write(true).open("/dev/full").expect("Linux has it");
    let unseen = home.at("out/unseen.json");
    let mut program = home.furnished_program(&["support", "bundle", "-o", &unseen, "--yes"]);
    Ran::of(program.stdout(full)).ends(1, &["could not be shown", "left empty"]);
    assert_eq!(fs::metadata(&unseen).expect("left").len(), 0);
    home.write("out/there", b"somebody's");
    home.ask(&["support", "bundle", "-o", &home.at("out/there"), "--yes"]).ends(6, &["is there already"]);
    assert_eq!(fs::read(home.path().join("out/there")).expect("still there"), b"somebody's");
    home.ask(&["support", "bundle", "-o", &home.at("state/audit/a.json"), "--yes"])
        .ends(6, &["name a file elsewhere"]);
    home.ask(&["support", "bundle", "-o", "-", "--yes"]).ends(2, &["written to a file"]);
    assert_eq!(home.records().len(), before);
    // What is wrong with the policy keeps it from the log, and is told.
    home.policy(b"nonsense = 1\n");
    home.ask(&["support", "bundle", "-o", &home.at("out/b.json"), "--yes"])
        .ends(2, &["nonsense", "left empty"]);
    assert_eq!(fs::metadata(home.at("out/b.json")).expect("left").len(), 0);
}
