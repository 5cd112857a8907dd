//! What is handed to others: the Debian packages, the tarball with its script, and the lists of what they are made of, made by
//! `deploy/package` from the program under test. `deploy::packaged` installs the packages on a machine.

use crate::harness::{Home, is_root_for};
use crate::help::VERBS;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const PROGRAM: &str = env!("CARGO_BIN_EXE_lightproof");
const VENDOR: &str = r#"{"name":"A Firm","contact":"security@firm.example","end_of_support":"2031-12-31"}"#;

pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

/// What a command prints, once it has ended well.
#[track_caller]
fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}\n{}", output.status, said(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
pub fn shell(script: &str, folder: &Path) -> String {
    run(Command::new("bash").args(["-euo", "pipefail", "-c", script]).current_dir(folder))
}

/// The folder with both programs; the auditor's is another package's, so cargo does not say where it is.
#[track_caller]
fn programs() -> PathBuf {
    let folder = Path::new(PROGRAM).parent().expect("a program lies in a folder");
    assert!(folder.join("lightproof-audit").exists(), "compile it first: cargo build --release -p evidence");
    folder.to_owned()
}

fn script(binaries: &Path, output: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(Path::new(ROOT).join("deploy/package"));
    command.arg("--binaries").arg(binaries).args(["--output", output]).args(arguments);
    command.stdin(Stdio::null());
    command
}

/// Packages of the program under test, with this number; gives their folder.
#[track_caller]
pub fn packages(home: &Home, revision: &str) -> PathBuf {
    let folder = home.path().join(format!("packages-{revision}"));
    let path = folder.to_str().expect("a test's path is text");
    run(&mut script(&programs(), path, &["--trial", "--revision", revision]));
    folder
}

/// Everything in a folder, by name.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).expect("it is a folder").flatten();
    let named = entries.map(|entry| {
        let content = std::fs::read(entry.path()).expect("it is a file");
        (entry.file_name().to_string_lossy().into_owned(), content)
    });
    named.collect()
}

/// Those among the files of a folder whose names end so.
fn files_named(folder: &Path, end: &str) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).expect("it is a folder").flatten();
    let named = entries.filter_map(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let content = name.ends_with(end).then(|| std::fs::read(entry.path()).expect("it is a file"))?;
        Some((name, content))
    });
    let found: BTreeMap<String, Vec<u8>> = named.collect();
    assert!(!found.is_empty(), "nothing in {}", folder.display());
    found
}

fn one<'a>(files: &'a BTreeMap<String, Vec<u8>>, start: &str, end: &str) -> &'a str {
    let mut found = files.keys().filter(|name| name.starts_with(start) && name.ends_with(end));
    let name = found.next().unwrap_or_else(|| panic!("no {start}*{end} in {:?}", files.keys()));
    assert_eq!(found.next(), None);
    name
}

#[test]
fn packages_hold_what_they_should_and_are_the_same_each_time() {
    let home = Home::new("packages");
    let (first, again) = (packages(&home, "1"), home.path().join("again"));
    let made = files(&first);
    assert_eq!(made.len(), 7, "{:?}", made.keys());
    run(script(&programs(), &home.at("again"), &["--trial"])
        .env("TZ", "Asia/Tokyo")
        .env("LC_ALL", "C.UTF-8"));
    assert!(files(&again) == made, "another run gives other bytes");
    shell("sha256sum --quiet --check SHA256SUMS", &first);

    let package = one(&made, "lightproof_", ".deb");
    let listed = shell(&format!("dpkg-deb --contents {package}"), &first);
    let mut paths = Vec::new();
    for line in listed.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words[1], "root/root", "{line}");
        // Nobody but root writes them, and no program runs as another user.
        assert!(["-rw-r--r--", "-rwxr-xr-x", "drwxr-xr-x"].contains(&words[0]), "{line}");
        paths.push(words[5].trim_start_matches('.'));
    }
    // No page leads to one that is not there.
    shell(&format!("dpkg-deb --extract {package} {0}/root", first.display()), &first);
    let pages = first.join("root/usr/share/doc/lightproof");
    for (name, content) in files_named(&pages, ".md") {
        let text = String::from_utf8_lossy(&content).into_owned();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap_or_default();
            let is_there = file.is_empty() || file.contains("://") || pages.join(file).exists();
            assert!(is_there, "{name} leads to {link}");
        }
    }
    // Both can be installed on one machine.
    let auditor = one(&made, "lightproof-audit_", ".deb");
    let of_auditor = shell(&format!("dpkg-deb --fsys-tarfile {auditor} | tar -t | grep -v '/$'"), &first);
    assert!(
        of_auditor.contains("./usr/bin/lightproof-audit\n") && of_auditor.contains("lightproof-audit.8.gz")
    );
    let shared = of_auditor.lines().find(|path| paths.contains(&path.trim_start_matches('.')));
    assert_eq!(shared, None, "it is in both packages");
    for (verb, _) in VERBS {
        let page = format!("/usr/share/man/man1/{}.1.gz", [&["lightproof"], verb].concat().join("-"));
        assert!(paths.contains(&page.as_str()), "{page}");
    }
    for path in [
        "/usr/bin/lightproof",
        "/usr/lib/systemd/system/lightproof.service",
        "/usr/lib/systemd/system/lightproof.socket",
        "/usr/lib/systemd/system/lightproof-.service.d/fences.conf",
        "/usr/lib/systemd/system/lightproof-evidence.timer",
        "/usr/lib/systemd/system/lightproof-backup.service",
        "/usr/lib/systemd/system/lightproof-metrics.service",
        "/usr/lib/sysusers.d/lightproof.conf",
        "/usr/lib/tmpfiles.d/lightproof.conf",
        "/etc/lightproof/policy.toml",
        "/usr/share/bash-completion/completions/lightproof",
        "/usr/share/zsh/vendor-completions/_lightproof",
        "/usr/share/fish/vendor_completions.d/lightproof.fish",
        "/usr/share/doc/lightproof/lightproof.cdx.json.gz",
        "/usr/share/doc/lightproof/examples/auditd/lightproof.rules",
        "/usr/share/lightproof/apparmor/lightproof",
    ] {
        assert!(paths.contains(&path), "{path}: {listed}");
    }
    let control = shell(&format!("dpkg-deb --field {package}; dpkg-deb --info {package} conffiles"), &first);
    for wanted in
        ["nobody stands behind this package", "Version: 0.1.0~trial-1", "/etc/lightproof/policy.toml"]
    {
        assert!(control.contains(wanted), "{wanted}: {control}");
    }
    // Each crate's licence is named, and its text is there.
    let unpacked = home.at("unpacked");
    shell(&format!("dpkg-deb --extract {package} {unpacked}"), &first);
    let doc = Path::new(&unpacked).join("usr/share/doc/lightproof");
    let copyright = std::fs::read_to_string(doc.join("copyright")).expect("it was unpacked");
    let texts = shell("gzip -dc licences.gz", &doc);
    let parts: Value = serde_json::from_slice(&made["lightproof.cdx.json"]).expect("it is JSON");
    let parts = parts["components"].as_array().expect("it is a list");
    assert!(parts.len() > 200, "{}", parts.len());
    for part in parts.iter().filter(|part| part["type"] == "library") {
        let licence = part["licenses"][0]["expression"].as_str().unwrap_or_default();
        let (name, version) = (part["name"].as_str(), part["version"].as_str());
        let line = format!("{} {}: {licence}", name.unwrap_or_default(), version.unwrap_or_default());
        assert!(!licence.is_empty() && copyright.contains(&line) && texts.contains(&line), "{line}");
    }
    let policy = Path::new(&unpacked).join("etc/lightproof/policy.toml");
    run(Command::new(PROGRAM).args(["config", "check"]).arg(policy));

    if run(Command::new("bash").args(["-c", "command -v lintian || true"])).is_empty() {
        assert!(std::env::var_os("CI").is_none(), "lintian is not installed");
        return;
    }
    // A package that was never uploaded to Debian, behind which nobody stands; whose question belongs to its end alone; and which
    // asks systemd to stop and go on with what runs, and starts nothing.
    let known = "initial-upload-closes-no-bugs,bogus-mail-host,bogus-mail-host-in-debian-changelog,no-debconf-config,\
        maintainer-script-calls-systemctl";
    let lintian = format!("lintian --allow-root --fail-on error,warning --suppress-tags {known} *.deb");
    shell(&lintian, &first);
}

/// A program that says of itself what a test wants, and does all else as the one under test.
#[track_caller]
fn of_vendor(home: &Home, folder: &str, vendor: &str, commit: &str) -> PathBuf {
    saying(home, folder, &format!(r#""version":"0.1.0","commit":"{commit}","vendor":{vendor}"#))
}

#[track_caller]
fn saying(home: &Home, folder: &str, facts: &str) -> PathBuf {
    let folder = home.path().join(folder);
    std::fs::create_dir_all(&folder).expect("a home can be written");
    let answer = format!(r#"{{"data":{{{facts}}}}}"#);
    // Its folder comes from outside: one that is handed on may not name it.
    let text = format!(
        "#!/bin/sh\ncase \"$*\" in *--version*) echo '{answer}';; *) exec \"$REAL/${{0##*/}}\" \"$@\";; esac\n"
    );
    for name in ["lightproof", "lightproof-audit"] {
        std::fs::write(folder.join(name), &text).expect("a home can be written");
    }
    shell("chmod 755 *", &folder);
    folder
}

/// Packages that are no trial, of a program that says this of itself; gives their folder.
#[track_caller]
pub fn packages_of(home: &Home, folder: &str, facts: &str) -> PathBuf {
    let binaries = saying(home, &format!("{folder}-binaries"), facts);
    run(script(&binaries, &home.at(folder), &[]).env("REAL", programs()));
    home.path().join(folder)
}

#[test]
fn nothing_is_packed_that_nobody_stands_behind() {
    let home = Home::new("vendor");
    let commit = "5f0c1f3d8f9b4f4c9f0e2d5c6a7b8c9d00000000";
    let refused = |binaries: &Path, wanted: &str| {
        let output = script(binaries, &home.at("refused"), &[]).env("REAL", programs()).output();
        let output = output.expect("the script starts");
        assert!(output.status.code() == Some(1) && said(&output).contains(wanted), "{}", said(&output));
        assert!(!home.path().join("refused").exists());
    };
    refused(&of_vendor(&home, "nobody", "null", commit), "deploy/vendor.toml");
    refused(
        &of_vendor(&home, "changed", VENDOR, &format!("{commit}, and changes that are not in it")),
        "commit alone",
    );
    let named = of_vendor(&home, "named", VENDOR, commit);
    std::fs::write(named.join("lightproof-audit"), format!("{ROOT}/src")).expect("a home can be written");
    refused(&named, "names folders of the machine");
    // Before a minute of compiling, as the file is shipped.
    let mut compiling = Command::new(Path::new(ROOT).join("deploy/package"));
    let output = compiling.args(["--output", &home.at("refused")]).output().expect("the script starts");
    assert!(
        output.status.code() == Some(1) && said(&output).contains("deploy/vendor.toml"),
        "{}",
        said(&output)
    );
    for wrong in [&["--revision", "0"][..], &["--frob"], &["--output"]] {
        let mut command = Command::new(Path::new(ROOT).join("deploy/package"));
        assert_eq!(
            command.args(wrong).output().expect("the script starts").status.code(),
            Some(2),
            "{wrong:?}"
        );
    }

    let whole = of_vendor(&home, "whole", VENDOR, commit);
    run(script(&whole, &home.at("made"), &[]).env("REAL", programs()));
    let made = files(&home.path().join("made"));
    let package = one(&made, "lightproof_0.1.0-1_", ".deb");
    let control = shell(&format!("dpkg-deb --field {package}"), &home.path().join("made"));
    for wanted in ["Maintainer: A Firm <security@firm.example>", "End of support: 2031-12-31."] {
        assert!(control.contains(wanted), "{control}");
    }
}

/// By the schema of CycloneDX, as another program has it, and by what must be in it.
#[test]
fn the_lists_of_parts_are_valid_and_whole() {
    let home = Home::new("parts");
    let python = std::env::var("LIGHTPROOF_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let judge = "import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
print(JsonStrictValidator(SchemaVersion.V1_6).validate_str(sys.stdin.read()) or 'valid')";
    let judged = |text: &str| {
        home.write("parts", text.as_bytes());
        let input = std::fs::File::open(home.at("parts")).expect("it was written");
        let output = Command::new(&python).args(["-c", judge]).stdin(input).output().expect("python starts");
        said(&output)
    };
    let sbom = |arguments: &[&str]| run(Command::new(Path::new(ROOT).join("deploy/sbom")).args(arguments));
    for (package, program) in [("lightproof", "lightproof"), ("evidence", "lightproof-audit")] {
        let text = sbom(&[package]);
        assert_eq!(text, sbom(&[package]), "another run gives other bytes");
        assert_eq!(judged(&text), "valid\n");
        // It would say something; the shorter list is judged sooner.
        let broken = || judged(&text.replace("\"library\"", "\"book\""));
        assert!(package == "lightproof" || broken() != "valid\n");
        let bill: Value = serde_json::from_str(&text).expect("it is JSON");
        assert_eq!(bill["metadata"]["component"]["name"], program);
        let parts = bill["components"].as_array().expect("it is a list");
        let mut known: Vec<&str> = parts.iter().filter_map(|part| part["bom-ref"].as_str()).collect();
        known.extend(bill["metadata"]["component"]["bom-ref"].as_str());
        for dependency in bill["dependencies"].as_array().into_iter().flatten() {
            for need in dependency["dependsOn"].as_array().into_iter().flatten() {
                assert!(need.as_str().is_some_and(|need| known.contains(&need)), "{need}");
            }
        }
        // What comes from a registry has its sum, and what is ours bears no name that a registry gives to somebody else's.
        for part in parts.iter().filter(|part| part["type"] == "library") {
            let foreign = part["bom-ref"].as_str().is_some_and(|name| name.starts_with("pkg:cargo/"));
            let has = |key: &str| part.get(key).is_some();
            assert!(has("purl") == foreign && has("hashes") == foreign, "{part}");
        }
        let models: Vec<_> = parts.iter().filter(|part| part["type"] == "machine-learning-model").collect();
        assert_eq!(models.len(), usize::from(package == "lightproof"));
        for model in models {
            let version = Command::new(PROGRAM).args(["--version", "--json"]).output().expect("it starts");
            let version: Value = serde_json::from_slice(&version.stdout).expect("it is JSON");
            assert_eq!(model["properties"][0]["value"], version["data"]["model"]["digest"]);
            assert!(model["components"].as_array().is_some_and(|files| files.len() > 3), "{model}");
        }
    }
}

#[test]
fn the_tarball_is_installed_and_taken_away() {
    let home = Home::new("tarball");
    let folder = packages(&home, "1");
    let archive = one(&files(&folder), "lightproof-", ".tar.gz").to_owned();
    let name = archive.trim_end_matches(".tar.gz");
    shell(&format!("tar -xzf {archive}"), &folder);
    let unpacked = folder.join(name);
    let prefix = home.at("prefix");
    let answer = |arguments: &[&str]| {
        let output = Command::new(unpacked.join("install.sh")).args(arguments).output();
        output.expect("the script starts")
    };
    let there = || shell("find . -mindepth 1 | sort", Path::new(&prefix));
    let refused = |wanted: &str| {
        let before = there();
        let output = answer(&["--prefix", &prefix]);
        assert!(
            output.status.code() == Some(1) && said(&output).contains(wanted),
            "{wanted}: {}",
            said(&output)
        );
        assert!(said(&output).contains("nothing was changed"), "{}", said(&output));
        assert_eq!(there(), before, "{wanted}");
    };
    for wrong in [&[][..], &["--prefix"], &["--prefix", "/"], &["--prefix", "/a/../b"], &["--frob"]] {
        assert_eq!(answer(wrong).status.code(), Some(2), "{wrong:?}");
    }

    // What is in the way is said before anything is written.
    let at = |path: &str| Path::new(&prefix).join(path);
    std::fs::create_dir_all(at("bin")).expect("a home can be written");
    std::fs::write(at("bin/lightproof"), "somebody's").expect("a home can be written");
    refused("did not put it there");
    std::fs::remove_file(at("bin/lightproof")).expect("it is there");
    std::os::unix::fs::symlink("/etc/passwd", at("bin/lightproof")).expect("a home can be written");
    refused("is a link");
    std::fs::remove_file(at("bin/lightproof")).expect("it is there");
    std::fs::create_dir(at("bin/lightproof")).expect("a home can be written");
    refused("is no file");
    std::fs::remove_dir(at("bin/lightproof")).expect("it is there");
    std::os::unix::fs::symlink("/etc", at("share")).expect("a home can be written");
    refused("is a link");
    std::fs::remove_file(at("share")).expect("it is there");
    std::fs::write(at("share"), "").expect("a home can be written");
    refused("is no folder");
    std::fs::remove_file(at("share")).expect("it is there");
    if is_root_for("a folder of somebody else's") {
        shell("mkdir share; chown 12345 share", Path::new(&prefix));
        refused("belongs to");
        shell("rmdir share", Path::new(&prefix));
    }
    let before =
        shell("mv files/bin/lightproof-audit away; echo x >files/bin/lightproof-audit; pwd", &unpacked);
    refused("SHA256SUMS");
    shell("mv away files/bin/lightproof-audit", Path::new(before.trim()));

    // A mistyped path; and a file that cannot be written whole, as on a full disk: what was there before is as it was.
    let before = there();
    let output = answer(&["--prefix", &home.at("prefxi/lightproof")]);
    assert!(
        output.status.code() == Some(1) && said(&output).contains("there is no folder"),
        "{}",
        said(&output)
    );
    let limited =
        format!("ulimit -f 1024; exec '{}' --prefix '{prefix}'", unpacked.join("install.sh").display());
    let output = Command::new("bash").args(["-c", &limited]).output().expect("bash starts");
    assert!(
        output.status.code() == Some(1) && said(&output).contains("did not succeed"),
        "{}",
        said(&output)
    );
    assert_eq!(there(), before);

    let output = answer(&["--prefix", &prefix]);
    assert!(output.status.success(), "{}", said(&output));
    let first = there();
    assert!(!first.contains("lightproof-new"), "{first}");
    run(Command::new(at("bin/lightproof")).arg("--version"));
    run(Command::new(at("bin/lightproof-audit")).arg("--version"));
    // An upgrade is the same once more.
    assert!(answer(&["--prefix", &prefix]).status.success());
    assert_eq!(there(), first);
    // Where AppArmor keeps namespaces from it, it says what to type, and types nothing.
    if is_root_for("mounting over the kernel's settings") {
        let again = format!("{} --prefix {prefix}", unpacked.join("install.sh").display());
        let restricted = "mount -t tmpfs none /proc/sys/kernel
            echo 1 >/proc/sys/kernel/apparmor_restrict_unprivileged_userns";
        let mut fenced = Command::new("unshare");
        let told = run(fenced.args(["--mount", "bash", "-euc", &format!("{restricted}\n{again}")]));
        let command =
            told.lines().find(|line| line.starts_with("  sed ")).unwrap_or_else(|| panic!("{told}"));
        let (command, target) = command.split_once(" >").expect("it goes into a file");
        assert_eq!(target, "/etc/apparmor.d/lightproof-tarball");
        assert!(told.ends_with("  apparmor_parser -r /etc/apparmor.d/lightproof-tarball\n"), "{told}");
        let profile = shell(command, home.path());
        let named = format!("profile lightproof-tarball \"{prefix}/bin/lightproof\" flags=(unconfined) {{\n");
        assert!(profile.contains(&named), "{profile}");
    }

    std::fs::write(at("share/doc/lightproof/TRUST.md"), "mine").expect("it is there");
    std::fs::write(at("bin/other"), "somebody's").expect("a home can be written");
    let mut uninstall = Command::new(at("share/lightproof/install.sh"));
    let output = uninstall.args(["--uninstall", "--prefix", &prefix]).output().expect("the script starts");
    assert!(output.status.success() && said(&output).contains("TRUST.md"), "{}", said(&output));
    assert_eq!(
        there(),
        "./bin\n./bin/other\n./share\n./share/doc\n./share/doc/lightproof\n./share/doc/lightproof/TRUST.md\n"
    );
    let output = answer(&["--uninstall", "--prefix", &prefix]);
    assert!(said(&output).contains("nothing was installed"), "{}", said(&output));
}
