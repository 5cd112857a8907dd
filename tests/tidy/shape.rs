//! Folders, names, lengths, and what each kind of file has.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::manifest::Manifest;
use crate::{Exceptions, Tree, assert_found, assert_none, is_data};

const LINES_MAX: usize = 500;
const BYTES_MAX: u64 = 1 << 20;
const DEMO: &str = "src/diffusion/demo/";

const FOLDERS: [&str; 5] = ["src", "policy", "audit", "deploy", "tests"];
const REQUIRED: [&str; 10] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "SECURITY.md",
    "TRUST.md",
    "deny.toml",
];
const OPTIONAL: [&str; 3] = ["clippy.toml", "rust-toolchain.toml", "rustfmt.toml"];

/// Names that say nothing.
const BANNED: [&str; 7] = ["common", "helper", "helpers", "manager", "misc", "util", "utils"];

#[test]
fn top_level_is_what_people_look_for() {
    assert_none(top_level(&Tree::of_repository().paths));
}

#[test]
fn names_say_something() {
    assert_none(Tree::of_repository().paths.iter().filter_map(|path| banned_name(path)).collect());
}

#[test]
fn files_are_short_and_small() {
    let tree = Tree::of_repository();
    let exceptions = Exceptions::of_repository(&tree);
    let mut complaints = Vec::new();
    for (path, text) in tree.own_texts() {
        complaints.extend(length(path, text.lines().count(), exceptions.allow("long", path)));
    }
    for path in &tree.paths {
        let bytes = tree.root.join(path).symlink_metadata().expect("a listed file exists").len();
        complaints.extend(size(path, bytes, exceptions.allow("large", path)));
    }
    for section in ["long", "large", "machine_paths"] {
        let gone = exceptions.names(section).filter(|name| !tree.paths.contains(name));
        complaints
            .extend(gone.map(|name| format!("tests/tidy.toml: [{section}] names {name}, which is gone")));
    }
    assert_none(complaints);
}

#[test]
fn crates_are_where_their_name_says() {
    let tree = Tree::of_repository();
    let manifests = tree.manifests();
    let root = manifests.iter().find(|manifest| manifest.folder().is_empty()).expect("a root manifest");
    assert_none(manifests.iter().flat_map(|manifest| place(manifest, root)).collect());
    assert_none(stray_folders(&tree.paths));
}

/// A Rust file that no `mod` names is never compiled, and its tests never run.
#[test]
fn every_rust_file_is_compiled() {
    let tree = Tree::of_repository();
    let files: Vec<(&str, String)> = tree.rust().collect();
    let manifests: String =
        tree.manifests().iter().flat_map(|m| &m.entries).map(|e| e.value.as_str()).collect();
    assert_none(files.iter().filter_map(|(path, _)| dead(path, &files, &manifests)).collect());
}

#[test]
fn every_file_has_what_its_kind_has() {
    let tree = Tree::of_repository();
    assert_none(tree.own_texts().flat_map(|(path, text)| lacks(path, &text)).collect());
    let manifest = tree.manifests().into_iter().find(|m| m.folder().is_empty()).expect("a root manifest");
    let version = manifest.value("workspace.package", "version").expect("the workspace has a version");
    assert_none(changelog(&tree.text("CHANGELOG.md").expect("it is text"), version));
    let licence = tree.text("LICENSE").expect("it is text");
    assert!(licence.contains("Apache License") && licence.contains("END OF TERMS AND CONDITIONS"), "LICENSE");
}

#[test]
fn scripts_parse_and_are_executable() {
    let tree = Tree::of_repository();
    let mut scripts = 0;
    for (path, text) in tree.own_texts().filter(|(path, text)| is_shell(path, text)) {
        scripts += 1;
        let full = tree.root.join(path);
        let mode = std::fs::metadata(&full).expect("a listed file exists").permissions().mode();
        assert_none(script(path, &text, mode));
        let parsed = Command::new("bash").arg("-n").arg(&full).output().expect("bash starts");
        assert!(parsed.status.success(), "{path}: {}", String::from_utf8_lossy(&parsed.stderr));
    }
    assert!(scripts >= 3, "found only {scripts} scripts");
}

fn top_level(paths: &[String]) -> Vec<String> {
    let mut complaints = Vec::new();
    for path in paths {
        match path.split_once('/') {
            Some((folder, _)) if !folder.starts_with('.') && !FOLDERS.contains(&folder) => {
                complaints.push(format!("{path}: {folder}/ is no folder of the top level"));
            }
            None if !path.starts_with('.')
                && ![&REQUIRED[..], &OPTIONAL].concat().contains(&path.as_str()) =>
            {
                complaints.push(format!("{path}: not a file that people look for at the top"));
            }
            _ => {}
        }
    }
    let empty =
        FOLDERS.iter().filter(|folder| !paths.iter().any(|path| path.starts_with(&format!("{folder}/"))));
    let missing = REQUIRED.iter().filter(|file| !paths.iter().any(|path| path == *file));
    complaints.extend(empty.chain(missing).map(|name| format!("{name}: missing")));
    complaints
}

fn banned_name(path: &str) -> Option<String> {
    let stems = path.split('/').map(|part| part.split('.').next().unwrap_or(part));
    let bad = stems
        .flat_map(|stem| stem.split(['_', '-']))
        .find(|word| BANNED.contains(&word.to_lowercase().as_str()))?;
    Some(format!("{path}: `{bad}` says nothing"))
}

fn length(path: &str, lines: usize, excepted: bool) -> Option<String> {
    match (lines > LINES_MAX, excepted) {
        (true, false) => Some(format!("{path}: {lines} lines; split it, or say why in tests/tidy.toml")),
        (false, true) => {
            Some(format!("{path}: {lines} lines; its exception in tests/tidy.toml is not needed"))
        }
        _ => None,
    }
}

fn size(path: &str, bytes: u64, excepted: bool) -> Option<String> {
    match (bytes > BYTES_MAX && !path.starts_with(DEMO), excepted, bytes) {
        (true, false, _) => Some(format!("{path}: {bytes} bytes; shrink it, or say why in tests/tidy.toml")),
        (false, true, _) => {
            Some(format!("{path}: {bytes} bytes; its exception in tests/tidy.toml is not needed"))
        }
        (_, _, 0) => Some(format!("{path}: empty")),
        _ => None,
    }
}

fn place(manifest: &Manifest, root: &Manifest) -> Vec<String> {
    let (path, folder) = (&manifest.path, manifest.folder());
    let mut complaints = Vec::new();
    let mut check = |holds: bool, complaint: &str| {
        if !holds {
            complaints.push(format!("{path}: {complaint}"));
        }
    };
    for key in ["license", "publish", "version", "edition", "rust-version"] {
        let inherited = manifest.value("package", &format!("{key}.workspace")) == Some("true");
        check(inherited, &format!("`{key}.workspace = true` is missing"));
    }
    if folder.is_empty() {
        return complaints;
    }
    check(folder.rsplit('/').next() == Some(manifest.package()), "the package is not named like its folder");
    let library = if folder.starts_with("src/") { "lib.rs" } else { "src/lib.rs" };
    check(manifest.value("lib", "path") == Some(library), &format!("[lib] path is not {library}"));
    for key in ["members", "default-members"] {
        let listed = root.value("workspace", key).is_some_and(|list| list.contains(&format!("\"{folder}\"")));
        check(listed, &format!("not in the workspace's {key}, so not tested"));
    }
    complaints
}

/// Files in `src/` are the binary, folders in `src/` are its crates.
fn stray_folders(paths: &[String]) -> Vec<String> {
    let mut folders: Vec<&str> = paths
        .iter()
        .filter_map(|path| path.strip_prefix("src/")?.split_once('/').map(|(folder, _)| folder))
        .collect();
    folders.dedup();
    // A crate, or a module of the program.
    let has = |path: String| paths.contains(&path);
    folders.retain(|folder| !has(format!("src/{folder}/Cargo.toml")) && !has(format!("src/{folder}.rs")));
    folders
        .iter()
        .map(|folder| format!("src/{folder}/: neither a crate with a manifest nor a module src/{folder}.rs"))
        .collect()
}

fn dead(path: &str, files: &[(&str, String)], manifests: &str) -> Option<String> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = name.strip_suffix(".rs")?;
    let in_manifest = [path, name].iter().any(|name| manifests.contains(&format!("\"{name}\"")));
    // Cargo finds these by itself, but for the root package, which says `autotests = false`.
    let found =
        ["tests", "benches", "examples", "bin"].iter().any(|kind| folder.ends_with(&format!("/{kind}")));
    if matches!(name, "lib.rs" | "main.rs" | "build.rs")
        || in_manifest
        || (found && !is_unit_tests(folder, files))
    {
        return None;
    }
    let module = if name == "mod.rs" { folder.rsplit('/').next().unwrap_or(folder) } else { stem };
    let named = files.iter().filter(|(other, _)| *other != path && near(folder, other)).any(|(_, text)| {
        text.lines().any(|line| {
            let line = line.split("//").next().unwrap_or(line).trim();
            line.strip_suffix(';').is_some_and(|code| code.split(' ').rev().take(2).eq([module, "mod"]))
        })
    });
    (!named).then(|| format!("{path}: no `mod {module};` names it, so it is never compiled"))
}

/// A folder `foo/tests/` beside `foo/tests.rs` holds modules, not test binaries.
fn is_unit_tests(folder: &str, files: &[(&str, String)]) -> bool {
    files.iter().any(|(path, _)| *path == format!("{folder}.rs") || *path == format!("{folder}/mod.rs"))
        || files.iter().any(|(path, _)| *path == format!("{folder}/main.rs"))
}

/// Only a file in the same folder or above it can name a module.
fn near(folder: &str, other: &str) -> bool {
    let above = other.rsplit_once('/').map_or("", |(above, _)| above);
    above.is_empty() || folder == above || folder.starts_with(&format!("{above}/"))
}

fn lacks(path: &str, text: &str) -> Option<String> {
    let name = path.rsplit('/').next().unwrap_or(path);
    if matches!(name, "lib.rs" | "main.rs") && !is_data(path) && !text.starts_with("//!") {
        return Some(format!("{path}: does not begin by saying what it is (`//!`)"));
    }
    if let Some(word) = [concat!("todo", "!("), concat!("unimplemented", "!(")]
        .iter()
        .find(|word| name.ends_with(".rs") && text.contains(*word))
    {
        return Some(format!("{path}: {word} is unfinished work"));
    }
    if name.ends_with(".md") {
        let titles = outside_fences(text).filter(|line| line.starts_with("# ")).count();
        let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        if titles != 1 || !first.starts_with("# ") {
            return Some(format!("{path}: has {titles} titles; one, in the first line, is right"));
        }
    }
    None
}

fn outside_fences(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

fn changelog(text: &str, version: &str) -> Vec<String> {
    let of_version = |line: &str| line.contains("Unreleased") || line.contains(version);
    let mut lines = text.lines().skip_while(|line| !line.starts_with("## ") || !of_version(line));
    let heading = lines.next();
    let told = lines
        .take_while(|line| !line.starts_with("## "))
        .any(|line| !line.is_empty() && !line.starts_with('#'));
    let complaint = format!("CHANGELOG.md: nothing under `## Unreleased` or `## {version}`");
    if heading.is_some() && told { Vec::new() } else { vec![complaint] }
}

fn is_shell(path: &str, text: &str) -> bool {
    let first = text.lines().next().unwrap_or_default();
    path.ends_with(".sh") || (first.starts_with("#!") && first.ends_with("sh"))
}

fn script(path: &str, text: &str, mode: u32) -> Vec<String> {
    // A file without `#!` is read by other scripts.
    if !text.starts_with("#!") {
        return Vec::new();
    }
    let stops = text.lines().any(|line| line.starts_with("set -e"));
    let not_executable = (mode & 0o111 == 0).then(|| format!("{path}: not executable"));
    let goes_on = (!stops).then(|| format!("{path}: goes on after an error; say `set -e` near its top"));
    not_executable.into_iter().chain(goes_on).collect()
}

#[test]
fn a_wrong_shape_is_found() {
    let mut paths: Vec<String> = FOLDERS.iter().map(|folder| format!("{folder}/x")).collect();
    paths.extend(REQUIRED.map(str::to_owned));
    assert_none(top_level(&paths));
    paths.retain(|path| path != "LICENSE");
    paths.extend(["docs/x.md", "notes.txt", ".ci/run"].map(str::to_owned));
    assert_found(top_level(&paths), &["docs/", "notes.txt", "LICENSE: missing"]);
    assert_found(
        stray_folders(&["src/a/Cargo.toml", "src/a/b/c.rs", "src/z/y.rs"].map(str::to_owned)),
        &["src/z/"],
    );

    assert!(banned_name("src/vault/key_utils.rs").is_some() && banned_name("src/Common/a.rs").is_some());
    assert_eq!(banned_name("src/vault/utility.rs"), None);

    assert!(length("a", 501, false).is_some() && length("a", 500, true).is_some());
    assert!(length("a", 500, false).is_none() && length("a", 501, true).is_none());
    assert!(
        size("a", BYTES_MAX + 1, false).is_some()
            && size("a", 9, true).is_some()
            && size("a", 0, false).is_some()
    );
    assert!(size("src/diffusion/demo/weights", BYTES_MAX + 1, false).is_none());
}

#[test]
fn a_misplaced_crate_is_found() {
    let inherited =
        ["license", "publish", "version", "edition"].map(|key| format!("{key}.workspace = true\n")).concat();
    let root = Manifest::parse("Cargo.toml", "[workspace]\nmembers = [\"src/seal\"]\ndefault-members = []\n");
    let text = format!("[package]\nname = \"vault\"\n{inherited}[lib]\npath = \"src/lib.rs\"\n");
    let wrong = ["`rust-version", "not named like its folder", "[lib] path", "default-members"];
    assert_found(place(&Manifest::parse("src/seal/Cargo.toml", &text), &root), &wrong);
}

#[test]
fn a_dead_file_is_found() {
    let text = |text: &str| text.to_owned();
    let files = [
        (
            "src/vault/lib.rs",
            text("mod key;\npub(crate) mod seal; // why\n#[cfg(test)]\nmod tests;\n// mod lost;\n"),
        ),
        ("src/vault/key.rs", text("")),
        ("src/vault/seal/mod.rs", text("mod chunk;")),
        ("src/vault/seal/chunk.rs", text("")),
        ("src/vault/tests.rs", text("")),
        ("src/vault/tests/lost.rs", text("")),
        ("src/audit/tests/whole.rs", text("")),
        ("tests/main.rs", text("mod api;")),
        ("tests/api.rs", text("")),
        ("tests/vault.rs", text("")),
        ("src/vault/lost.rs", text("")),
    ];
    let found = files.iter().filter_map(|(path, _)| dead(path, &files, "")).collect();
    assert_found(found, &["src/vault/tests/lost.rs", "tests/vault.rs", "src/vault/lost.rs"]);
    assert_eq!(dead("tests/vault.rs", &files, "\"tests/vault.rs\""), None);
}

#[test]
fn a_file_that_lacks_something_is_found() {
    let bad = [
        ("a/lib.rs", "pub fn a() {}"),
        ("a.rs", concat!("fn a() { todo", "!() }")),
        ("a.md", "text\n# title"),
        ("b.md", "# one\n# two"),
        ("c.md", "no title"),
    ];
    for (path, text) in bad {
        assert!(lacks(path, text).is_some(), "{path}");
    }
    assert_eq!(lacks("a.md", "# one\n```sh\n# no title\n```\n"), None);

    assert_none(changelog("# Changes\n## 0.1.0 (2026)\n- first\n", "0.1.0"));
    assert_found(changelog("# Changes\n## Unreleased\n## 0.0.9\n- old\n", "0.1.0"), &["0.1.0"]);

    assert!(is_shell("a/run", "#!/usr/bin/env bash\n") && !is_shell("a.py", "#!/usr/bin/env python3\n"));
    assert_found(script("run", "#!/bin/sh\necho\n", 0o644), &["not executable", "goes on"]);
    assert_none(script("run", "#!/bin/sh\nset -eu\n", 0o755));
}
