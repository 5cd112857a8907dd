//! Files are opened in few places, which refuse what is no regular file: opening a pipe that somebody put in a file's place
//! waits for ever.
//!
//! A path that is spelt in the code and is the kernel's own passes. The places are in `tests/tidy.toml`.

use std::collections::BTreeMap;

use crate::code::{Code, Found, compiled};
use crate::{Exceptions, Tree, assert_found, assert_none};

/// What a path that opens a file begins with, and what it ends with.
const OPENERS: [(&str, &[&str]); 4] = [
    ("fs", &["read", "read_to_string", "write", "copy", "open", "openat", "openat2"]),
    ("File", &["open", "create", "create_new", "options"]),
    ("OpenOptions", &["new"]),
    ("libc", &["open", "openat", "openat2", "fopen", "creat"]),
];
/// Folders in which nobody else can put a file.
const OF_THE_KERNEL: [&str; 3] = ["(\"/proc/", "(\"/sys/", "(\"/dev/"];
/// It takes how a file is to be opened, and opens it as a regular one.
const TAKES_OPTIONS: &str = "open_regular(";

#[test]
fn only_few_places_open_a_file() {
    let tree = Tree::of_repository();
    let exceptions = Exceptions::of_repository(&tree);
    let allowed: Vec<&str> = exceptions.names("opens").map(String::as_str).collect();
    let sources = compiled(tree.rust());
    assert_none(strays(&sources, &allowed));
}

fn strays(sources: &[(String, Code)], allowed: &[&str]) -> Vec<String> {
    let opens: BTreeMap<&str, Vec<String>> =
        sources.iter().map(|(path, code)| (path.as_str(), opens(code))).collect();
    let of = |path: &str| opens.get(path).map_or(&[][..], Vec::as_slice);
    let unneeded = allowed.iter().filter(|path| of(path).is_empty());
    let unneeded = unneeded.map(|path| format!("{path}: its exception in tests/tidy.toml is not needed"));
    let others = opens.iter().filter(|(path, _)| !allowed.contains(path));
    let strays = others.flat_map(|(path, found)| found.iter().map(move |name| format!("{path}: {name}")));
    let advice = "open it through `open_regular` or what the crate has for it";
    strays.map(|stray| format!("{stray}: {advice}")).chain(unneeded).collect()
}

/// The names that open a file, or bring such a function here under its bare name.
fn opens(code: &Code) -> Vec<String> {
    let found = OPENERS.iter().flat_map(|(start, ends)| {
        let of_start = code.paths(start);
        of_start.filter(|found| found.path.last().is_some_and(|end| ends.contains(&end.as_str())))
    });
    found.filter(|found| !is_harmless(found)).map(|found| found.path.join("::")).collect()
}

fn is_harmless(found: &Found<'_>) -> bool {
    let statement = found.before.rsplit([';', '{', '}']).next().unwrap_or_default();
    let is_given = statement.contains(TAKES_OPTIONS) && found.path[0] == "OpenOptions";
    is_given || OF_THE_KERNEL.iter().any(|folder| found.after.starts_with(folder))
}

#[test]
fn a_stray_open_is_found() {
    let judge = |path: &'static str, text: &str, allowed: &[&str]| {
        strays(&compiled([(path, text.to_owned())].into_iter()), allowed)
    };
    for (text, name) in [
        ("let text = std::fs::read_to_string(path)?;", "fs::read_to_string"),
        ("let mut file = File::open(folder.join(\"/proc/x\"))?;", "File::open"),
        ("open_regular(path)?;\nOpenOptions::new().read(true).open(path)?;", "OpenOptions::new"),
        ("use std::{fs::{File, read}, io};", "fs::read"),
        ("rustix::fs::openat(&folder, name, flags, mode)?", "fs::openat"),
        ("paths.map(fs::read)", "fs::read"),
        ("let file = std::fs::File::options().write(true);", "File::options"),
    ] {
        assert_found(judge("a.rs", text, &[]), &[&format!("a.rs: {name}:")]);
        assert_none(judge("a.rs", text, &["a.rs"]));
    }
    for text in [
        "// fs::read(path)",
        "fs::read_to_string(\"/proc/self/mountinfo\")",
        "open_regular(path, OpenOptions::new().read(true))?;",
        "OpenFile::open(path)?; Profile::create(x); fs::read_dir(path)?; use std::fs::{File, OpenOptions};",
        "#[cfg(test)]\nmod tests {\n    fn f() {\n        fs::read(path);\n    }\n}",
    ] {
        assert_none(judge("a.rs", text, &[]));
        assert_found(judge("a.rs", text, &["a.rs"]), &["not needed"]);
    }
    assert_found(judge("a.rs", "", &["gone.rs"]), &["gone.rs"]);
}
