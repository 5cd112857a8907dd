//! The walls between crates: Cargo keeps a crate from importing what its manifest does not name, this keeps the
//! manifests. Licences and sources, which are no matter of one crate, are cargo-deny's: see `deny.toml`.

use crate::manifest::Manifest;
use crate::{Tree, assert_found, assert_none, run};

/// A crate, ours that it may name, and third-party crates that must be nowhere below it.
struct Wall {
    krate: &'static str,
    ours: &'static [&'static str],
    never: &'static [&'static str],
}

const WALLS: &[Wall] = &[
    Wall { krate: "fuzz", ours: &[], never: &["tokio", "axum", "hyper", "burn-tensor", "image"] },
    Wall { krate: "policy", ours: &[], never: &["tokio", "axum", "hyper", "burn-tensor", "image", "libc"] },
    Wall { krate: "audit", ours: &[], never: &["tokio", "axum", "hyper", "burn-tensor", "image"] },
    Wall {
        krate: "evidence",
        ours: &["audit"],
        never: &["tokio", "axum", "hyper", "burn-tensor", "image", "aes-gcm", "argon2"],
    },
    Wall { krate: "vault", ours: &[], never: &["tokio", "axum", "hyper", "burn-tensor", "image"] },
    Wall { krate: "sandbox", ours: &["policy"], never: &["tokio", "axum", "hyper", "burn-tensor", "image"] },
    Wall {
        krate: "kernels",
        ours: &[],
        never: &["tokio", "axum", "hyper", "burn-flex", "burn-tensor", "image"],
    },
    Wall { krate: "diffusion", ours: &["kernels"], never: &["tokio", "axum", "hyper", "aes-gcm"] },
    Wall { krate: "engine", ours: &[], never: &["tokio", "axum", "hyper", "burn-tensor", "image"] },
    Wall {
        krate: "darkroom",
        ours: &["policy", "vault", "audit", "engine"],
        never: &["tokio", "axum", "hyper", "burn-tensor"],
    },
    Wall { krate: "server", ours: &["darkroom", "policy", "sandbox"], never: &["burn-tensor"] },
    // The binary may name all of them: it is where they meet.
    Wall {
        krate: "lightproof",
        ours: &[
            "policy",
            "audit",
            "evidence",
            "vault",
            "sandbox",
            "diffusion",
            "engine",
            "darkroom",
            "server",
        ],
        never: &["openssl-sys", "native-tls", "reqwest", "ureq"],
    },
];

/// Read line by line by strangers, so every dependency says what it is for.
const EXPLAINED: [&str; 4] = ["policy", "audit", "evidence", "vault"];

/// What the processes with the models are made of beside the crates of the model, and crates that it must not name: they have to do
/// with keys, or with somebody who asks.
const OF_THE_ENGINE: [&str; 8] = [
    "src/adapter.rs",
    "src/processes/engine.rs",
    "src/processes/models.rs",
    "src/models/copy.rs",
    "src/models/manifest.rs",
    "src/models/name.rs",
    "src/models/source.rs",
    "src/models/store.rs",
];
const OF_KEYS: [&str; 4] = ["vault", "audit", "darkroom", "server"];

/// A feature adds code; nobody needs one to turn something off.
const FEATURES: [(&str, &str); 2] = [("lightproof", "cuda"), ("diffusion", "cuda")];

/// Whoever may not know them otherwise may as dev-dependencies: what changes inputs for the parsers, in the tests of whoever has one,
/// and the level that a benchmark holds the kernels to.
const FOR_TESTS: [&str; 2] = ["fuzz", "kernels"];

#[test]
fn crates_name_only_whom_they_may() {
    let manifests = Tree::of_repository().manifests();
    assert!(manifests.len() >= 7, "only {} manifests", manifests.len());
    assert_none(manifests.iter().flat_map(wrong_edges).collect());
    assert_none(manifests.iter().flat_map(unexplained).collect());
    assert_none(manifests.iter().flat_map(surplus_features).collect());
}

#[test]
fn nothing_forbidden_lies_deeper_in_a_tree() {
    let tree = Tree::of_repository();
    for manifest in tree.manifests() {
        let packages = cargo_tree(&tree, &["-p", manifest.package(), "-e", "normal,build", "-f", "{p}"]);
        assert_none(forbidden(wall(manifest.package()), &packages));
    }
}

/// A crate that sees keys comes in with a line that says what it is for, and goes with it.
#[test]
fn every_crate_that_touches_keys_has_its_note() {
    let tree = Tree::of_repository();
    let arguments = ["-p", "vault", "-p", "audit", "-e", "normal,no-proc-macro", "-f", "{p}"];
    let linked = cargo_tree(&tree, &arguments);
    assert!(linked.len() > 20, "{linked:?}");
    let page = tree.text("deploy/CRATES.md").expect("it is text");
    assert_none(unnoted(&page, &linked));
}

/// `linked` are the lines of `cargo tree`; ours have a path in theirs.
fn unnoted(page: &str, linked: &[String]) -> Vec<String> {
    let cells = page.lines().filter_map(|line| line.strip_prefix("| `")?.split(" |").next());
    let noted: Vec<&str> =
        cells.flat_map(|cell| cell.split(", ").map(|name| name.trim_matches('`'))).collect();
    let foreign = linked.iter().filter(|line| !line.contains('('));
    let foreign: Vec<&str> = foreign.filter_map(|line| line.split(' ').next()).collect();
    let missing = foreign.iter().filter(|name| !noted.contains(name));
    let surplus = noted.iter().filter(|name| !foreign.contains(name));
    let missing = missing.map(|name| format!("deploy/CRATES.md: no line about {name}"));
    missing.chain(surplus.map(|name| format!("deploy/CRATES.md: {name} is no longer linked"))).collect()
}

#[test]
fn a_crate_without_a_note_is_found() {
    let page = "| crate | sees |\n|---|---|\n| `a`, `b` | keys |\n| `c` | `d`, nothing |\n";
    let linked = |lines: &[&str]| lines.iter().map(|line| line.to_string()).collect::<Vec<_>>();
    assert_none(unnoted(page, &linked(&["a v1.0", "b v2.0", "c v1.0", "ours v0.1.0 (/x)"])));
    assert_found(unnoted(page, &linked(&["a v1.0", "b v2.0", "e v1.0"])), &["about e", "c is no longer"]);
}

#[test]
fn the_process_with_the_model_names_no_keys() {
    let tree = Tree::of_repository();
    let texts = OF_THE_ENGINE.map(|path| (path, tree.text(path).expect("it is text")));
    assert_none(texts.iter().flat_map(|(path, text)| names_keys(path, text)).collect());
}

fn names_keys(path: &str, text: &str) -> Vec<String> {
    let code =
        text.lines().map(|line| line.split("//").next().unwrap_or(line)).collect::<Vec<_>>().join("\n");
    let longer = |before: &str| before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
    let is_named = |name: &&&str| {
        let path = format!("{name}::");
        code.match_indices(&path).any(|(at, _)| !longer(&code[..at]))
    };
    OF_KEYS.iter().filter(is_named).map(|name| format!("{path} names {name}")).collect()
}

/// `cargo run` builds the program, the tests build the workspace. Were a crate below Burn asked for other features by
/// the one than by the other, Burn would be compiled twice, at six minutes of processor time.
#[test]
fn burn_is_compiled_once() {
    let tree = Tree::of_repository();
    let burn = cargo_tree(&tree, &["-p", "burn-flex", "-e", "normal,build", "-f", "{p}"]);
    let program = cargo_tree(&tree, &["-p", "lightproof", "-e", "normal,build", "-f", "{p} {f}"]);
    let tests = cargo_tree(&tree, &["--workspace", "-e", "all", "-f", "{p} {f}"]);
    assert_none(compiled_twice(&burn, &program, &tests));
}

/// `burn` are packages, the others `PACKAGE FEATURES`.
fn compiled_twice(burn: &[String], program: &[String], tests: &[String]) -> Vec<String> {
    let of_burn = |line: &&String| burn.iter().any(|package| line.starts_with(&format!("{package} ")));
    assert!(program.iter().any(|line| of_burn(&line)), "the program has no burn-flex in its tree");
    let other = tests.iter().filter(of_burn).filter(|line| !program.contains(line));
    other
        .map(|line| format!("{line}: features that only the tests ask for; ask for them in Cargo.toml too"))
        .collect()
}

fn wall(krate: &str) -> &'static Wall {
    let found = WALLS.iter().find(|wall| wall.krate == krate);
    found.unwrap_or_else(|| panic!("{krate} is not in the table of tests/tidy/edges.rs"))
}

/// The lines of `cargo tree`, each package once.
fn cargo_tree(tree: &Tree, arguments: &[&str]) -> Vec<String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let fixed = ["tree", "--offline", "--locked", "--prefix", "none"];
    let text = run(&cargo, &[&fixed, arguments].concat(), &tree.root);
    let mut lines: Vec<String> = text.lines().map(|line| line.replace(" (*)", "")).collect();
    lines.sort();
    lines.dedup();
    lines.retain(|line| !line.is_empty());
    lines
}

fn wrong_edges(manifest: &Manifest) -> Vec<String> {
    let wall = wall(manifest.package());
    let is_ours = |name: &str| WALLS.iter().any(|wall| wall.krate == name);
    let may = |name: &&str, table: &str| {
        wall.ours.contains(name) || (FOR_TESTS.contains(name) && table == "dev-dependencies")
    };
    let wrong = manifest.dependencies().filter(|(name, entry)| is_ours(name) && !may(name, &entry.table));
    let wrong = wrong.map(|(name, _)| format!("{}: {} may not know {name}", manifest.path, wall.krate));
    let dotted = manifest.dotted_dependencies();
    wrong.chain(dotted.map(|table| format!("{}: write [{table}] on one line", manifest.path))).collect()
}

fn unexplained(manifest: &Manifest) -> Vec<String> {
    if !EXPLAINED.contains(&manifest.package()) {
        return Vec::new();
    }
    let silent = manifest.dependencies().filter(|(_, entry)| entry.reason.split_whitespace().count() < 2);
    silent.map(|(name, _)| format!("{}: no `# reason` for {name}", manifest.path)).collect()
}

fn surplus_features(manifest: &Manifest) -> Vec<String> {
    let features =
        manifest.entries.iter().filter(|entry| entry.table == "features" && entry.key != "default");
    let surplus = features.filter(|entry| !FEATURES.contains(&(manifest.package(), entry.key.as_str())));
    surplus.map(|entry| format!("{}: feature {} is not in the table", manifest.path, entry.key)).collect()
}

/// `lines` are `NAME vVERSION ...`, the crate itself among them.
fn forbidden(wall: &Wall, lines: &[String]) -> Vec<String> {
    let names: Vec<&str> = lines.iter().filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains(&wall.krate), "cargo tree of {} does not name it", wall.krate);
    let found = names.iter().filter(|name| wall.never.contains(name));
    found.map(|name| format!("{} has {name} in its tree", wall.krate)).collect()
}

#[test]
fn a_wrong_edge_is_found() {
    let text = "[package]\nname = \"vault\"\n[dev-dependencies]\na = { package = \"policy\" }\nserde = \"1\" # labels\n";
    let vault = Manifest::parse("src/vault/Cargo.toml", text);
    assert_found(wrong_edges(&vault), &["vault may not know policy"]);
    assert_found(unexplained(&vault), &["for policy", "for serde"]);
    let text =
        "[package]\nname = \"policy\"\n[dependencies.toml]\nversion = \"1\"\n[features]\nunsafe-boot = []\n";
    let policy = Manifest::parse("policy/Cargo.toml", text);
    assert_found(wrong_edges(&policy), &["[dependencies.toml]"]);
    let text = "[package]\nname = \"audit\"\n[dependencies]\nfuzz = { path = \"x\" }\n[dev-dependencies]\nfuzz = { path = \"x\" }\n";
    assert_found(wrong_edges(&Manifest::parse("audit/Cargo.toml", text)), &["audit may not know fuzz"]);
    assert_found(surplus_features(&policy), &["unsafe-boot"]);
}

#[test]
fn a_name_of_keys_is_found() {
    assert_found(names_keys("a.rs", "use vault::Vault;\nlet x = server::Parts {};"), &["vault", "server"]);
    assert_none(names_keys("a.rs", "use my_vault::X; // vault::Y\nuse crate::server::Z;"));
}

#[test]
fn a_forbidden_crate_in_a_tree_is_found() {
    let lines = ["sandbox v0.1.0 (/x)", "policy v0.1.0 (/y)", "tokio v1.0.0"].map(str::to_owned);
    assert_found(forbidden(wall("sandbox"), &lines), &["sandbox has tokio"]);
}

#[test]
fn a_second_burn_is_found() {
    let lines = |lines: &[&str]| lines.iter().map(|line| line.to_string()).collect::<Vec<_>>();
    let (burn, program) =
        (lines(&["burn-flex v1", "half v2"]), lines(&["burn-flex v1 ", "half v2 std", "toml v3 "]));
    assert_none(compiled_twice(&burn, &program, &program));
    let tests = lines(&["burn-flex v1 ", "half v2 alloc,std", "toml v3 std"]);
    assert_found(compiled_twice(&burn, &program, &tests), &["half v2 alloc,std"]);
}
