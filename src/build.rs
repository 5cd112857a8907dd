//! Before the program is compiled: asks git which commit the checkout is at, for `--version`. Where there is no git or no
//! checkout, the program is built all the same and says so. Nothing is fetched. `deploy/vendor.toml` says who stands behind the
//! build; one that makes no sense ends it. `deploy/sbom` says what the program is made of, which is compiled in.

#[path = "vendor.rs"]
mod vendor;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Who stands behind it; a checkout without this file has nobody.
const VENDOR: &str = "deploy/vendor.toml";
/// Names the file with the list of its parts, which is compiled in, as `deploy/package` does.
const SBOM: &str = "LIGHTPROOF_SBOM";
/// Makes that list where nobody names a file. Where it cannot, the program says that it carries none.
const MAKES_SBOM: &str = "deploy/sbom";
/// What the list is true of: another machine or a card has other parts.
const SBOM_TARGET: &str = "x86_64-unknown-linux-gnu";
/// What the program is made of.
const SOURCES: [&str; 7] = ["Cargo.toml", "Cargo.lock", "src", "policy", "audit", VENDOR, MAKES_SBOM];

fn main() -> std::io::Result<()> {
    let mut cargo = std::io::stdout();
    for source in SOURCES.map(PathBuf::from).into_iter().chain(heads()) {
        writeln!(cargo, "cargo::rerun-if-changed={}", source.display())?;
    }
    let sbom = match std::env::var_os(SBOM) {
        Some(path) => {
            writeln!(cargo, "cargo::rerun-if-changed={}", Path::new(&path).display())?;
            std::fs::read(path)?
        }
        None => made_sbom(&mut cargo)?,
    };
    writeln!(cargo, "cargo::rerun-if-env-changed={SBOM}")?;
    let folder = std::env::var_os("OUT_DIR").ok_or_else(|| std::io::Error::other("cargo names no folder"))?;
    std::fs::write(Path::new(&folder).join("sbom.cdx.json"), sbom)?;
    if let Some(commit) = commit() {
        writeln!(cargo, "cargo::rustc-env=LIGHTPROOF_COMMIT={commit}")?;
        if let Some(seconds) = git(&["log", "-1", "--format=%ct"]) {
            writeln!(cargo, "cargo::rustc-env=LIGHTPROOF_COMMITTED={seconds}")?;
        }
    }
    if let Some(vendor) = vendor()? {
        writeln!(cargo, "cargo::rustc-env=LIGHTPROOF_VENDOR={}", vendor.name)?;
        writeln!(cargo, "cargo::rustc-env=LIGHTPROOF_CONTACT={}", vendor.contact)?;
        writeln!(cargo, "cargo::rustc-env=LIGHTPROOF_END_OF_SUPPORT={}", vendor.end_of_support)?;
        if let Some(key) = vendor.update_key {
            writeln!(cargo, "cargo::rustc-env=LIGHTPROOF_UPDATE_KEY={key}")?;
        }
    }
    Ok(())
}

/// The list of parts of this build; empty where there is none.
fn made_sbom(cargo: &mut impl Write) -> std::io::Result<Vec<u8>> {
    let is_listed = std::env::var("TARGET").is_ok_and(|target| target == SBOM_TARGET)
        && std::env::var_os("CARGO_FEATURE_CUDA").is_none();
    if !is_listed || !Path::new(MAKES_SBOM).exists() {
        return Ok(Vec::new());
    }
    match Command::new(MAKES_SBOM).arg("lightproof").output() {
        Ok(output) if output.status.success() => Ok(output.stdout),
        _ => {
            let why = "made no list of parts (it needs Python 3.11), so that bundles of evidence will say that the program carries none";
            writeln!(cargo, "cargo::warning={MAKES_SBOM} {why}")?;
            Ok(Vec::new())
        }
    }
}

/// Who stands behind this build.
fn vendor() -> std::io::Result<Option<vendor::Vendor>> {
    if !Path::new(VENDOR).exists() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(VENDOR)?;
    vendor::parse(&text).map_err(|what| std::io::Error::other(format!("{VENDOR}: {what}")))
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
