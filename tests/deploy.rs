//! What `deploy/` holds, tried.
//!
//! - `advisories`: what is said of advisories about parts of the program
//! - `units`: what systemd says of the units without running them
//! - `booted`: a machine that is installed, used, restarted, upgraded and taken down as the page says
//! - `packaged`: a machine on which the packages are installed, upgraded, removed and purged as their page says
//! - `machine`: that machine, systemd in a container over a copy of this host's files
//! - `page`: the commands of the pages
//! - `profile`: what the package does with a machine's AppArmor
//! - `firewall`: packets through the rules of nftables, between two networks
//! - `rules`: the grammar of the rules for auditd

mod advisories;
mod booted;
mod firewall;
mod machine;
mod packaged;
mod page;
mod profile;
mod rules;
mod units;

use crate::harness::is_root_for;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Says to the second run of a test that it is that.
const ALONE: &str = "LIGHTPROOF_TEST_ALONE";

/// Starts this test again with a network, mounts and processes of its own, and waits for it: what it loads, mounts and
/// starts ends with it, and every port is free. True in that second run. `test` is its path, `what` says why it needs root.
#[track_caller]
fn alone(test: &str, what: &str) -> bool {
    if std::env::var_os(ALONE).is_some() {
        run(Command::new("ip").args(["link", "set", "lo", "up"]));
        return true;
    }
    if !is_root_for(what) {
        return false;
    }
    let test = test.split_once("::").map_or(test, |(_, within)| within);
    let mut again = Command::new("unshare");
    again.args([
        "--net",
        "--mount",
        "--propagation",
        "private",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
    ]);
    again.arg(std::env::current_exe().expect("a test has a file"));
    again.args([test, "--exact", "--nocapture"]).env(ALONE, "1");
    let said = run(&mut again);
    assert!(said.contains("1 passed"), "there is no test {test}: {said}");
    false
}

/// What a command says, once it has ended well.
#[track_caller]
fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = said(&output);
    assert!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    said
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

/// A file of `deploy/`.
fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name)
}

#[track_caller]
fn text(name: &str) -> String {
    std::fs::read_to_string(shipped(name)).unwrap_or_else(|error| panic!("deploy/{name}: {error}"))
}
