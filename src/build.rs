//! Before the program is compiled: asks git which commit the checkout is at, for `--version`. Where there is no git or no
//! checkout, the program is built all the same and says so. Nothing is fetched.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the program is made of.
const SOURCES: [&str; 5] = ["Cargo.toml", "Cargo.lock", "src", "policy", "audit"];

fn main() -> std::io::Result<()> {
    let mut cargo = std::io::stdout();
    for source in SOURCES.map(PathBuf::from).into_iter().chain(heads()) {
        writeln!(cargo, "cargo::rerun-if-changed={}", source.display())?;
    }
    if let Some(commit) = commit() {
        writeln!(cargo, "cargo::rustc-env=LIGHTPROOF_COMMIT={commit}")?;
    }
    Ok(())
}

/// The commit of the checkout in this folder. A folder inside somebody else's checkout, such as an unpacked archive, is none.
fn commit() -> Option<String> {
    let top = git(&["rev-parse", "--show-toplevel"])?;
    if Path::new(&top).canonicalize().ok()? != Path::new(".").canonicalize().ok()? {
        return None;
    }
    let commit = git(&["rev-parse", "HEAD"])?;
    let status = ["--no-optional-locks", "status", "--porcelain", "--untracked-files=no", "--"];
    let changed = git(&[&status[..], &SOURCES].concat())?;
    Some(if changed.is_empty() { commit } else { format!("{commit}, and changes that are not in it") })
}

/// The files that git changes when another commit is checked out or made. One that is not there would be looked for at every
/// build.
fn heads() -> Vec<PathBuf> {
    let branch = git(&["symbolic-ref", "-q", "HEAD"]);
    let names = ["HEAD", "logs/HEAD"].into_iter().chain(branch.as_deref());
    let files = names.filter_map(|name| git(&["rev-parse", "--git-path", name]).map(PathBuf::from));
    files.filter(|file| file.exists()).collect()
}

/// What git prints; none where it fails.
fn git(arguments: &[&str]) -> Option<String> {
    let output =
        Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim_end().to_owned())
}
