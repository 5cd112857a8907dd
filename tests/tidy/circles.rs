//! Files of one crate name each other in one direction: whoever reads one knows what it stands on.
//!
//! What is seen are paths that begin with `crate::`, `self::` or `super::`, or with a module that the file declares. A method
//! in another file's `impl` block is not. The root lists everybody, and an error names what its messages are about: both
//! are left out, and so is what only tests compile.

use std::collections::{BTreeMap, BTreeSet};

use crate::code::{Code, compiled};
use crate::manifest::Manifest;
use crate::{Tree, assert_found, assert_none, owner};

/// Names on the way from a crate's root to a module.
type Module = Vec<String>;

/// Modules, and the modules that each names.
type Edges = BTreeMap<Module, BTreeSet<Module>>;

#[test]
fn no_circle_between_files() {
    let tree = Tree::of_repository();
    let manifests = tree.manifests();
    let folders: Vec<&str> = manifests.iter().map(Manifest::folder).collect();
    let mut crates: BTreeMap<&str, Vec<(String, Code)>> = BTreeMap::new();
    for (path, code) in compiled(tree.rust()) {
        let folder = owner(&path, &folders);
        let name = path[folder.len()..].trim_start_matches('/');
        let name = name.strip_prefix("src/").unwrap_or(name).to_owned();
        crates.entry(folder).or_default().push((name, code));
    }
    let told = |(folder, files): (&str, Vec<_>)| {
        circles(&edges(files)).into_iter().map(|circle| format!("{folder}: {circle}")).collect::<Vec<_>>()
    };
    assert_none(crates.into_iter().flat_map(told).collect());
}

/// `files` are the files of one crate, by path from the root's folder.
fn edges(files: Vec<(String, Code)>) -> Edges {
    let is_root = |(name, _): &(String, Code)| matches!(name.as_str(), "lib.rs" | "main.rs");
    let (roots, files): (Vec<_>, Vec<_>) = files.into_iter().partition(is_root);
    let module = |name: &str| -> Module {
        let name = name.trim_end_matches(".rs");
        name.strip_suffix("/mod").unwrap_or(name).split('/').map(str::to_owned).collect()
    };
    let files: BTreeMap<Module, Code> = files.into_iter().map(|(name, code)| (module(&name), code)).collect();
    // What stands in the root under a name of its own: `crate::Name` is the file that it comes from.
    let uses = roots.iter().flat_map(|(_, code)| code.uses());
    let in_root: BTreeMap<String, Module> =
        uses.filter_map(|path| Some((path.last()?.clone(), path))).collect();
    let known = |path: &[String]| {
        (1..=path.len()).rev().map(|count| path[..count].to_vec()).find(|start| files.contains_key(start))
    };
    let target = |here: &[String], path: &[String]| {
        let up = path.iter().take_while(|name| *name == "super").count();
        let absolute = match path[0].as_str() {
            "crate" => path[1..].to_vec(),
            "super" => [&here[..here.len().saturating_sub(up)], &path[up..]].concat(),
            "self" => [here, &path[1..]].concat(),
            _ => [here, path].concat(),
        };
        known(&absolute).or_else(|| known(in_root.get(absolute.first()?)?))
    };
    let named = |(here, code): (&Module, &Code)| {
        let starts = ["crate", "super", "self"].into_iter().chain(code.modules.iter().map(String::as_str));
        // `std::path` is not the module `path` of this file.
        let whole = starts.flat_map(|start| code.paths(start)).filter(|found| !found.before.ends_with("::"));
        let found = whole.filter_map(|found| target(here, &found.path)).filter(|found| found != here);
        (here.clone(), found.collect())
    };
    let is_error = |module: &Module| module.last().is_some_and(|name| name == "error");
    files.iter().filter(|(module, _)| !is_error(module)).map(named).collect()
}

/// Each file that leads back to itself, with the way.
fn circles(edges: &Edges) -> Vec<String> {
    let way = |from: &Vec<String>| {
        let (mut reached, mut open) = (BTreeMap::new(), vec![from]);
        while let Some(at) = open.pop() {
            for next in edges.get(at).into_iter().flatten() {
                if !reached.contains_key(next) {
                    reached.insert(next, at);
                    open.push(next);
                }
            }
        }
        let mut way = vec![*reached.get(from)?];
        while way.last() != Some(&from) {
            way.push(reached.get(*way.last()?)?);
        }
        let names: Vec<String> = way.iter().rev().map(|module| module.join("::")).collect();
        Some(format!("{} -> {}", names.join(" -> "), from.join("::")))
    };
    edges.keys().filter_map(way).collect()
}

/// The edges between files that a test makes up.
#[cfg(test)]
fn of_texts(files: &[(&'static str, &str)]) -> Edges {
    edges(compiled(files.iter().map(|(path, text)| (*path, (*text).to_owned()))))
}

#[test]
fn a_circle_is_found() {
    let files = [
        ("lib.rs", "mod a;\npub use a::One;\nuse c::{Three, Four};\n"),
        ("a.rs", "use crate::b::{Two,\n    x::Y};\npub struct One;"),
        ("b.rs", "// crate::c\nuse crate::{Error, Three};"),
        ("c/mod.rs", "fn f() -> crate::One {}"),
        ("error.rs", "use crate::c::Four;"),
        ("up.rs", "use self::down::H;"),
        ("up/down.rs", "use super::I;"),
        ("own.rs", "pub mod child;\nmod std;\nfn f() { child::g(is_child::h) }"),
        ("own/child.rs", "use super::*;"),
        ("own/std.rs", "use std::child::A;"),
    ];
    let wanted = [
        "a -> b -> c -> a",
        "b -> c -> a -> b",
        "c -> a -> b -> c",
        "own -> own::child -> own",
        "own::child -> own -> own::child",
        "up -> up::down -> up",
        "up::down -> up -> up::down",
    ];
    assert_found(circles(&of_texts(&files)), &wanted);
}

#[test]
fn tests_may_look_both_ways() {
    let files = [
        ("lib.rs", "mod a;\n#[cfg(test)]\nmod looks;\n"),
        ("a.rs", "#[cfg(test)]\nmod tests {\n    use crate::b::{\n        f,\n    };\n}\nmod c;\n"),
        ("a/c.rs", "#[cfg(test)]\nuse super::A;\nfn f() {\n    #[cfg(test)]\n    super::g();\n}"),
        ("b.rs", "#[cfg(test)]\nconst N: u8 =\n    crate::a::N;\nuse crate::a::f;"),
        ("looks.rs", "use crate::looks::at::A;\nmod at;"),
        ("looks/at.rs", "use super::B;"),
    ];
    let edges = of_texts(&files);
    assert_none(circles(&edges));
    let named: Vec<&Module> = edges.values().flatten().collect();
    assert_eq!(named, [&["a"]], "what is not of the tests is seen");
}
