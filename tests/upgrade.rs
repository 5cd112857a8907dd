//! Updates: packed and signed as whoever stands behind the program does it, carried, and held against the program that runs.

use crate::harness::{Home, Ran};
use crate::packages::{packages_of, said, shell};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const COMMIT: &str = "5f0c1f3d8f9b4f4c9f0e2d5c6a7b8c9d00000000";
const NEWER: &str = "9.0.0";

/// Makes a key of Ed25519, and gives the line of its public half.
fn make_key(home: &Home, name: &str) -> String {
    let script = format!(
        "openssl genpkey -algorithm ed25519 -out {name}.key && openssl pkey -in {name}.key -pubout | tee {name}.pem | sed -n 2p"
    );
    shell(&script, home.path()).trim().to_owned()
}

/// Packages of a program of this version whose vendor pins this key; not signed yet.
fn packed(home: &Home, folder: &str, version: &str, committed_s: u64, key: &str) -> PathBuf {
    let vendor = json!({ "name": "A Firm", "contact": "security@firm.example", "end_of_support": "2031-12-31",
        "update_key": if key.is_empty() { json!(null) } else { json!(key) } });
    let facts =
        format!(r#""version":"{version}","commit":"{COMMIT}","committed_s":{committed_s},"vendor":{vendor}"#);
    packages_of(home, folder, &facts)
}

fn sign(key: &str, folder: &Path) -> Output {
    let mut sign = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/sign"));
    sign.args(["--key", key]).arg(folder).stdin(Stdio::null()).output().expect("the script starts")
}

/// What a folder of packages holds, but for what is no package.
fn package(folder: &Path) -> PathBuf {
    let mut found = fs::read_dir(folder).expect("it is there").flatten().map(|entry| entry.path());
    let is_program = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("lightproof_"))
    };
    found.find(is_program).expect("the package of the program")
}

struct Stick {
    home: Home,
    folder: PathBuf,
}

/// A signed update in a folder, with the key `firm`.
fn stick(test: &str, version: &str, committed_s: u64) -> Stick {
    let home = Home::new(test);
    let line = make_key(&home, "firm");
    let folder = packed(&home, "stick", version, committed_s, &line);
    let signed = sign(&home.at("firm.key"), &folder);
    assert!(signed.status.success() && said(&signed).contains(&line), "{}", said(&signed));
    Stick { home, folder }
}

impl Stick {
    fn verify(&self, more: &[&str]) -> Ran {
        let file = self.folder.join("lightproof.update");
        self.verify_file(&file, more)
    }

    fn verify_file(&self, file: &Path, more: &[&str]) -> Ran {
        let file = file.to_str().expect("a test's path is text");
        Ran::from(
            self.home.run(&[&["upgrade", "verify", file, "--key", &self.home.at("firm.pem")], more].concat()),
        )
    }
}

#[test]
fn an_update_goes_the_whole_way_and_what_is_changed_on_it_is_named() {
    let stick = stick("upgrade", NEWER, 1);
    let (home, folder) = (&stick.home, &stick.folder);
    let program = package(folder);
    let name = program.file_name().expect("it has one").to_string_lossy().into_owned();
    let ran = stick.verify(&[]).ends(0, &["dpkg -i", &name]);
    assert!(ran.stdout.contains(&format!("lightproof {NEWER}, from commit {COMMIT}")), "{ran:#?}");
    let data = stick.verify(&["--json"]).ends(0, &[]).data();
    assert_eq!((&data["version"], &data["is_newer"]), (&json!(NEWER), &json!(true)), "{data}");
    assert!(data["files"].as_array().is_some_and(|files| files.len() == 6), "{data}");
    // It looks, and leaves nothing.
    assert!(!home.path().join(".local").exists() && !home.path().join(".config").exists());

    // A bit in a package, half of one, and one that was left at home.
    let whole = fs::read(&program).expect("it was packed");
    let mut changed = whole.clone();
    changed[whole.len() / 2] ^= 4;
    for spoilt in [&changed[..], &whole[..whole.len() / 2], b""] {
        fs::write(&program, spoilt).expect("a home can be written");
        let ran = stick.verify(&[]).ends(11, &[&name, "not what was signed"]);
        assert!(ran.stdout.contains(&format!("changed  {name}")), "{ran:#?}");
        assert!(!ran.stderr.contains("to install it"), "{ran:#?}");
    }
    fs::remove_file(&program).expect("it is there");
    stick.verify(&[]).ends(0, &[]);
    shell(&format!("mkfifo {name}"), folder);
    stick.verify(&[]).ends(11, &[&name]);
    fs::remove_file(&program).expect("it is there");
    fs::write(&program, &whole).expect("a home can be written");
    stick.verify(&[]).ends(0, &[]);

    // What a pattern would install with it.
    let foreign = "lightproof_8.0.0-1_amd64.deb";
    fs::write(folder.join(foreign), &whole).expect("a home can be written");
    assert_eq!(stick.verify(&["--json"]).ends(6, &[foreign]).data()["not_signed"], json!([foreign]));
    fs::remove_file(folder.join(foreign)).expect("it is there");

    // The statement itself.
    let at = folder.join("lightproof.update");
    let signed = fs::read(&at).expect("it was signed");
    let mut changed = signed.clone();
    changed[signed.len() / 2] ^= 1;
    for spoilt in [&changed[..], &signed[..signed.len() - 9], b"{}"] {
        fs::write(&at, spoilt).expect("a home can be written");
        stick.verify(&[]).ends(11, &["nothing in it can be relied on"]);
    }
    fs::write(&at, &signed).expect("a home can be written");

    // Without anything of it, and what people name by mistake.
    let alone = home.path().join("alone");
    fs::create_dir(&alone).expect("a home can be written");
    fs::copy(&at, alone.join("lightproof.update")).expect("a home can be written");
    stick.verify_file(&alone.join("lightproof.update"), &[]).ends(5, &["copy its packages there"]);
    stick.verify_file(folder, &[]).ends(5, &["is a folder", "lightproof.update"]);
    stick.verify_file(&folder.join("lightproof.updaet"), &[]).ends(5, &["lightproof.updaet"]);
    stick.verify_file(&program, &[]).ends(11, &["is no signed update"]);
    // In a home the program's own folders lie beside it.
    fs::create_dir_all(home.path().join(".config/lightproof")).expect("a home can be written");
    fs::copy(&at, home.path().join("lightproof.update")).expect("a home can be written");
    stick.verify_file(&home.path().join("lightproof.update"), &[]).ends(6, &["a folder of its own"]);
    shell("mkfifo pipe", &alone);
    stick.verify_file(&alone.join("pipe"), &[]).ends(5, &["no regular file"]);
}

#[test]
fn another_signature_and_no_key_at_all_are_refused() {
    let stick = stick("upgrade-key", NEWER, 1);
    make_key(&stick.home, "other");
    let at = stick.folder.join("lightproof.update");
    let file = at.to_str().expect("a test's path is text");
    let with =
        |arguments: &[&str]| Ran::from(stick.home.run(&[&["upgrade", "verify", file], arguments].concat()));
    with(&["--key", &stick.home.at("other.pem")])
        .ends(11, &["is not signed by the key", "but, as it says, by"]);
    // The program under test has nobody behind it.
    with(&[]).ends(6, &["pins no key", "--version"]);
    assert_eq!(with(&["--json"]).ends(6, &[]).object()["error"]["code"], 6);
    // A private key is no public one, and is not repeated.
    let private = with(&["--key", &stick.home.at("firm.key")]).ends(2, &["no public key"]);
    let content = fs::read_to_string(stick.home.at("firm.key")).expect("it was made");
    assert!(!private.stderr.contains(content.lines().nth(1).expect("a line of the key")), "{private:#?}");
    with(&["--key", &stick.home.at("none.pem")]).ends(5, &["none.pem", "cannot be read"]);
}

#[test]
fn a_downgrade_is_refused() {
    let older = stick("upgrade-older", "0.0.9", 4_000_000_000);
    older.verify(&[]).ends(6, &["version 0.0.9", "is older"]);
    // The same version from an earlier commit; where the program does not know its own, nobody can tell.
    let running = Ran::from(older.home.run(&["--version", "--json"])).ends(0, &[]).data();
    let wanted = if running["committed_s"].is_null() { "cannot be told" } else { "from an earlier commit" };
    let version = running["version"].as_str().expect("it has one");
    let earlier = stick("upgrade-earlier", version, 1);
    earlier.verify(&[]).ends(6, &[wanted]);
}

#[test]
fn only_what_was_packed_for_a_key_is_signed_and_the_key_stays_where_it_is() {
    let home = Home::new("sign");
    let line = make_key(&home, "firm");
    let refused = |key: &str, folder: &Path, wanted: &str| {
        let output = sign(&home.at(key), folder);
        assert!(
            output.status.code() == Some(1) && said(&output).contains(wanted),
            "{wanted}: {}",
            said(&output)
        );
        assert!(said(&output).contains("nothing was signed") && !folder.join("lightproof.update").exists());
    };
    // Packages of a program that pins no key have nothing to be signed.
    let none = packed(&home, "none", NEWER, 1, "");
    assert!(!none.join("lightproof.statement.json").exists());
    refused("firm.key", &none, "update_key");

    let folder = packed(&home, "packed", NEWER, 1, &line);
    shell(
        "openssl genpkey -algorithm x25519 -out x.key && openssl genpkey -algorithm rsa -out rsa.key",
        home.path(),
    );
    shell("openssl genpkey -algorithm ed25519 -aes256 -pass pass:seven-herons -out locked.key", home.path());
    for key in ["x.key", "rsa.key"] {
        refused(key, &folder, "none of Ed25519");
    }
    refused("firm.pem", &folder, "takes no private key");
    refused("no.key", &folder, "there is no file");
    // Nobody is there to type its passphrase.
    let mut alone = Command::new("setsid");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/sign");
    let alone = alone
        .arg("--wait")
        .arg(script)
        .args(["--key", &home.at("locked.key")])
        .arg(&folder)
        .stdin(Stdio::null());
    assert_eq!(alone.output().expect("the script starts").status.code(), Some(1));
    let program = package(&folder);
    let whole = fs::read(&program).expect("it was packed");
    fs::write(&program, &whole[1..]).expect("a home can be written");
    refused("firm.key", &folder, "is not what was packed");
    fs::write(&program, &whole).expect("a home can be written");
    // What is left of an earlier one would be refused where it is carried to.
    let earlier = folder.join("lightproof_8.0.0-1_amd64.deb");
    fs::write(&earlier, &whole).expect("a home can be written");
    refused("firm.key", &folder, "lightproof_8.0.0-1_amd64.deb is not of this update");
    fs::remove_file(&earlier).expect("it is there");

    // What no `upgrade verify` would take is not signed: whoever carried it would hear so there.
    let statement = folder.join("lightproof.statement.json");
    let text = fs::read_to_string(&statement).expect("it was packed");
    let version = format!("\"version\":\"{NEWER}\"");
    for (from, to) in [
        (&*version, "\"version\":\"9.0.0-rc.1\""),
        (&version, "\"version\":\"9.0.4294967296\""),
        ("\"committed_s\":1", "\"committed_s\":\"1\""),
        ("\"committed_s\":1", "\"committed_s\":true"),
        ("\"product\":\"lightproof\"", "\"product\":\"darkproof\""),
        ("urn:lightproof:update:v1", "urn:lightproof:update:v2"),
        ("\"subject\":[", "\"subject\":[],\"were\":["),
        ("\"name\":\"lightproof.cdx.json\"", "\"name\":\"../lightproof.cdx.json\""),
        ("\"name\":\"lightproof.cdx.json\"", "\"name\":\"lightproof-audit.cdx.json\""),
        ("{\"_type\"", "{ \"_type\""),
        ("}", "]"),
    ] {
        let other = text.replacen(from, to, 1);
        assert!(other != text, "{from} is not in {text}");
        fs::write(&statement, other).expect("a home can be written");
        refused("firm.key", &folder, "no `upgrade verify` would take it");
    }
    fs::write(&statement, &text).expect("a home can be written");

    let signed = sign(&home.at("firm.key"), &folder);
    assert!(signed.status.success(), "{}", said(&signed));
    assert!(!folder.join("lightproof.statement.json").exists(), "it is in the update now");
    let private = fs::read_to_string(home.at("firm.key")).expect("it was made");
    let secret = private.lines().nth(1).expect("a line of the key").as_bytes();
    assert_eq!(home.files_with(secret), [home.path().join("firm.key")]);
    assert!(!said(&signed).contains(private.lines().nth(1).expect("a line of the key")));

    // A version that has no order is not packed for a key.
    let refused = std::panic::catch_unwind(|| packed(&home, "candidate", "9.0.0-rc.1", 1, &line));
    assert!(refused.is_err() && !home.path().join("candidate").exists());
}

/// Before the first installation nobody has the program: the page says how it is done with others', word for word.
#[test]
fn the_page_says_how_it_is_verified_without_the_program() {
    let page = include_str!("../deploy/PACKAGES.md");
    let block = page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let block = block.into_iter().find(|block| block.contains("DSSEv1")).expect("the page has such a block");
    let stick = stick("upgrade-hand", NEWER, 1);
    fs::copy(stick.home.at("firm.pem"), stick.folder.join("vendor.pem")).expect("a home can be written");
    let by_hand =
        || Command::new("bash").args(["-euo", "pipefail", "-c", block]).current_dir(&stick.folder).output();
    let output = by_hand().expect("bash starts");
    assert!(output.status.success() && said(&output).contains("Verified Successfully"), "{}", said(&output));
    let program = package(&stick.folder);
    let whole = fs::read(&program).expect("it was packed");
    fs::write(&program, &whole[1..]).expect("a home can be written");
    assert!(!by_hand().expect("bash starts").status.success());
    fs::write(&program, &whole).expect("a home can be written");
    make_key(&stick.home, "other");
    fs::copy(stick.home.at("other.pem"), stick.folder.join("vendor.pem")).expect("a home can be written");
    assert!(!by_hand().expect("bash starts").status.success());
}
