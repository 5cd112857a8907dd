//! A home of its own for each test, the program started in it, and a search through what it left.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder below cargo's target folder that plays the user's home; removed when the test passes.
pub struct Home {
    path: PathBuf,
}

impl Home {
    /// `test` names it, for who looks at what a failed test left.
    pub fn new(test: &str) -> Home {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{test}-{}-{count}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(path.join("tmp"))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Home { path }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The program, without a terminal and with nothing of the tester's environment: all it writes is in this home.
    pub fn program(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lightproof"));
        command.args(arguments).current_dir(&self.path).env_clear();
        command.env("PATH", "/usr/bin:/bin").env("HOME", &self.path).env("TMPDIR", self.path.join("tmp"));
        command.stdin(std::process::Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.program(arguments).output().unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
    }

    /// The files in this home that hold `needle`, anywhere in their bytes or in their path.
    pub fn files_with(&self, needle: &[u8]) -> Vec<PathBuf> {
        assert!(!needle.is_empty(), "everything holds nothing");
        let holds = |bytes: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        let mut found = Vec::new();
        let mut folders = vec![self.path.clone()];
        while let Some(folder) = folders.pop() {
            for entry in
                std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            {
                let entry = entry.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
                let kind = entry.file_type().unwrap_or_else(|error| panic!("{entry:?}: {error}"));
                if kind.is_dir() {
                    folders.push(entry.path());
                }
                let inside = kind.is_file() && {
                    let bytes = std::fs::read(entry.path());
                    holds(&bytes.unwrap_or_else(|error| panic!("{entry:?}: {error}")))
                };
                if inside || holds(entry.file_name().as_encoded_bytes()) {
                    found.push(entry.path());
                }
            }
        }
        found.sort();
        found
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // What cannot be removed lies below target/ and does no harm.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

#[test]
fn the_search_finds_what_was_planted() {
    let home = Home::new("search");
    std::fs::create_dir_all(home.path().join("a/canary-folder")).expect("a home can be written");
    std::fs::write(home.path().join("a/b"), b"\x00\xffcanary\x00").expect("a home can be written");
    std::fs::write(home.path().join("a/c"), b"can\x00ary").expect("a home can be written");
    assert_eq!(home.files_with(b"canary"), [home.path().join("a/b"), home.path().join("a/canary-folder")]);
    assert!(home.files_with(b"nightingale").is_empty());
}

#[test]
fn a_home_is_gone_after_a_passed_test() {
    let home = Home::new("gone");
    let path = home.path().to_owned();
    assert!(path.is_dir());
    drop(home);
    assert!(!path.exists());
}
