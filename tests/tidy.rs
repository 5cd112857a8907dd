//! The repository's own rules, as tests: what a machine can check, nobody has to remember.
//!
//! Each rule is a function from text to complaints, run over the files that git would commit, and has beside it a test
//! that shows it a bad example. The exceptions and their reasons are in `tests/tidy.toml`.
//!
//! - `edges`: which crate may know which, and what must be in nobody's tree
//! - `opens`: which files may open one
//! - `shape`: folders, file names, lengths, what each kind of file has
//! - `words`: what no source may say
//! - `circles`: files of one crate name each other in one direction
//! - `claims`: each claim in SECURITY.md has a keeper, an attack and a witness
//! - `sabotage`: each control that has a probe has a test that breaks it

// A test says what is wrong by panicking; these functions are called by tests only.
#![allow(clippy::panic)]

#[path = "tidy/circles.rs"]
mod circles;
#[path = "tidy/claims.rs"]
mod claims;
#[path = "tidy/code.rs"]
mod code;
#[path = "tidy/edges.rs"]
mod edges;
#[path = "tidy/manifest.rs"]
mod manifest;
#[path = "tidy/opens.rs"]
mod opens;
#[path = "tidy/sabotage.rs"]
mod sabotage;
#[path = "tidy/shape.rs"]
mod shape;
#[path = "tidy/words.rs"]
mod words;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The files that git would commit, by path from the root, in order.
struct Tree {
    root: PathBuf,
    paths: Vec<String>,
}

impl Tree {
    fn of_repository() -> Tree {
        let root = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| ".".into(), PathBuf::from);
        let listing = run("git", &["ls-files", "-z", "--cached", "--others", "--exclude-standard"], &root);
        let mut paths: Vec<String> = listing
            .split('\0')
            .filter(|path| !path.is_empty() && root.join(path).symlink_metadata().is_ok())
            .map(str::to_owned)
            .collect();
        paths.sort();
        paths.dedup();
        assert!(paths.iter().any(|path| path == "Cargo.toml"), "no Cargo.toml among {} files", paths.len());
        Tree { root, paths }
    }

    fn bytes(&self, path: &str) -> Vec<u8> {
        std::fs::read(self.root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// The text of a file, `None` if it is not text.
    fn text(&self, path: &str) -> Option<String> {
        String::from_utf8(self.bytes(path)).ok().filter(|text| !text.contains('\0'))
    }

    /// Every text file that people of this project wrote: no vectors, no lock file, no licence.
    fn own_texts(&self) -> impl Iterator<Item = (&str, String)> {
        let own = |path: &&String| !is_data(path) && !["Cargo.lock", "LICENSE"].contains(&path.as_str());
        self.paths.iter().filter(own).filter_map(|path| Some((path.as_str(), self.text(path)?)))
    }

    fn rust(&self) -> impl Iterator<Item = (&str, String)> {
        self.own_texts().filter(|(path, _)| path.ends_with(".rs"))
    }

    fn manifests(&self) -> Vec<manifest::Manifest> {
        let is_manifest = |path: &str| path == "Cargo.toml" || path.ends_with("/Cargo.toml");
        let parse = |(path, text): (&str, String)| manifest::Manifest::parse(path, &text);
        self.own_texts().filter(|(path, _)| is_manifest(path)).map(parse).collect()
    }
}

/// Exceptions from `tests/tidy.toml`: section, then path or name, then reason.
struct Exceptions(BTreeMap<String, BTreeMap<String, String>>);

impl Exceptions {
    fn of_repository(tree: &Tree) -> Exceptions {
        Exceptions::parse(&tree.text("tests/tidy.toml").expect("tests/tidy.toml is text"))
    }

    fn parse(text: &str) -> Exceptions {
        let (mut sections, mut section) = (BTreeMap::<String, BTreeMap<_, _>>::new(), String::new());
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = name.to_owned();
                continue;
            }
            let (name, reason) =
                line.split_once(" = ").unwrap_or_else(|| panic!("not `name = reason`: {line}"));
            let (name, reason) = (name.trim_matches('"').to_owned(), reason.trim_matches('"').to_owned());
            assert!(reason.split_whitespace().count() >= 3, "{name}: `{reason}` gives no reason");
            sections.entry(section.clone()).or_default().insert(name, reason);
        }
        Exceptions(sections)
    }

    fn allow(&self, section: &str, name: &str) -> bool {
        self.0.get(section).is_some_and(|names| names.contains_key(name))
    }

    fn names(&self, section: &str) -> impl Iterator<Item = &String> {
        self.0.get(section).into_iter().flat_map(BTreeMap::keys)
    }
}

/// Data that tests read, and the demo model: not written by hand, so not judged as text.
fn is_data(path: &str) -> bool {
    path.split('/').any(|part| part == "testdata") || path.starts_with("src/diffusion/demo/")
}

/// Files that only tests compile.
fn is_test(path: &str) -> bool {
    path.split('/').any(|part| matches!(part, "tests" | "tests.rs" | "testdata" | "benches" | "examples"))
}

/// The folder of the crate that a file belongs to.
fn owner<'a>(path: &str, folders: &[&'a str]) -> &'a str {
    let holding =
        folders.iter().filter(|folder| folder.is_empty() || path.starts_with(&format!("{folder}/")));
    holding.max_by_key(|folder| folder.len()).expect("the root holds every file")
}

fn run(program: &str, arguments: &[&str], folder: &Path) -> String {
    let output = Command::new(program).args(arguments).current_dir(folder).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {}\n{complaint}", output.status);
    String::from_utf8(output.stdout).unwrap_or_else(|error| panic!("{program} {arguments:?}: {error}"))
}

#[track_caller]
fn assert_none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n  {}\n", complaints.join("\n  "));
}

/// A bad example must be found, and be named by the complaint.
#[track_caller]
fn assert_found(complaints: Vec<String>, wanted: &[&str]) {
    assert_eq!(complaints.len(), wanted.len(), "{complaints:#?}");
    for (complaint, want) in complaints.iter().zip(wanted) {
        assert!(complaint.contains(want), "`{want}` is not in `{complaint}`");
    }
}

#[test]
fn exceptions_need_a_reason() {
    let exceptions = Exceptions::parse("# why\n[long]\n\"a.rs\" = \"a table of one kind\"\n");
    assert!(exceptions.allow("long", "a.rs") && !exceptions.allow("large", "a.rs"));
    assert!(std::panic::catch_unwind(|| Exceptions::parse("[long]\n\"a.rs\" = \"because\"\n")).is_err());
}
