//! A home of its own for each test, the program started in it, and a search through what it left.

use serde_json::Value;
use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// The passphrase of every vault here.
pub const PASSPHRASE: &str = "seven grey herons at dawn";

/// A picture that costs next to nothing.
pub const SMALL: [&str; 4] = ["--size", "16x16", "--steps", "1"];

/// Whether the tester is root. What needs root's rights is not run without them: it says so in a file that `tests/run`
/// prints at its end. In CI it fails.
#[track_caller]
pub fn is_root_for(what: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        let what = format!("{what} ({})", std::panic::Location::caller());
        assert!(std::env::var_os("CI").is_none(), "it needs root: {what}");
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("not-run");
        let file = std::fs::File::options().create(true).append(true).open(path);
        file.and_then(|mut file| writeln!(file, "  {what}")).expect("the target folder can be written");
    }
    root
}

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

    /// With a passphrase in the file `pass`, a folder `out` for plain copies, and state in the folder `state`.
    pub fn furnished(test: &str) -> Home {
        let home = Home::new(test);
        home.write("pass", format!("{PASSPHRASE}\n").as_bytes());
        std::fs::create_dir(home.path.join("out")).expect("a home can be written");
        home
    }

    /// Furnished, and with one small sealed picture.
    pub fn with_picture(test: &str) -> Home {
        let home = Home::furnished(test);
        home.generate(&["a red apple", "--seed", "1"]).ends(0, &[]);
        home
    }

    /// The first person, who is called First by it, adds an operator, Second. The file of their passphrase, as an argument.
    #[track_caller]
    pub fn add_second(&self) -> String {
        self.write("second", b"the words of the second one\n");
        let file = self.at("second");
        self.ask(&["operator", "add", "Second", "--operator", "First", "--new-passphrase-file", &file])
            .ends(0, &[]);
        file
    }

    /// The path of something in this home, as an argument.
    pub fn at(&self, name: &str) -> String {
        self.path.join(name).to_str().expect("the target folder has a readable path").to_owned()
    }

    /// Writes the policy.
    pub fn policy(&self, text: &[u8]) {
        std::fs::create_dir_all(self.path.join("state/config")).expect("a home can be written");
        self.write("state/config/policy.toml", text);
    }

    /// Writes a file, for its owner alone.
    pub fn write(&self, name: &str, content: &[u8]) {
        let path = self.path.join(name);
        let mut options = std::fs::File::options();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(&path);
        let written = file.and_then(|mut file| file.write_all(content));
        written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// The program with the furniture of this home in its arguments: the passphrase for the verbs that take one.
    pub fn furnished_program(&self, arguments: &[&str]) -> Command {
        let furniture = [self.at("state"), self.at("pass")];
        let mut all = arguments.to_vec();
        all.extend(["--home", &furniture[0]]);
        if opens_vault(arguments) {
            all.extend(["--passphrase-file", &furniture[1]]);
        }
        self.program(&all)
    }

    /// Runs [`Home::furnished_program`] to its end.
    pub fn ask(&self, arguments: &[&str]) -> Ran {
        Ran::of(&mut self.furnished_program(arguments))
    }

    /// Runs it with `input` as standard input.
    pub fn ask_with(&self, arguments: &[&str], input: &[u8]) -> Ran {
        self.write("tmp/stdin", input);
        let input = std::fs::File::open(self.path.join("tmp/stdin")).expect("it was just written");
        Ran::of(self.furnished_program(arguments).stdin(Stdio::from(input)))
    }

    /// Makes a small picture, if `arguments` say no more.
    pub fn generate(&self, arguments: &[&str]) -> Ran {
        self.ask(&[&["generate"], arguments, &SMALL].concat())
    }

    /// The sealed pictures, newest first.
    #[track_caller]
    pub fn pictures(&self) -> Vec<Value> {
        let listed = self.ask(&["history", "list", "--json"]).ends(0, &[]).data();
        listed["pictures"].as_array().unwrap_or_else(|| panic!("{listed}")).clone()
    }

    /// The records of the log, oldest first, each as words: number, time, type, outcome, who, about what, for which job,
    /// and its fields as `name=value`.
    #[track_caller]
    pub fn records(&self) -> Vec<String> {
        let shown = self.ask(&["audit", "tail", "-n", "1000000", "--json"]).ends(0, &[]).data();
        shown["records"].as_array().unwrap_or_else(|| panic!("{shown}")).iter().map(words).collect()
    }

    /// How many records of the log hold all of `words`.
    #[track_caller]
    pub fn count_records(&self, words: &[&str]) -> usize {
        self.records().iter().filter(|record| words.iter().all(|word| record.contains(word))).count()
    }

    /// Nothing was lost: the log holds, no intent is open, every picture opens, and there are `pictures` of them.
    #[track_caller]
    pub fn is_whole(&self, pictures: u64) {
        self.is_whole_after(0, pictures);
    }

    /// The same after so many kills, each of which may have left one sealed file whose key was never written.
    #[track_caller]
    pub fn is_whole_after(&self, kills: usize, pictures: u64) {
        let vault = self.ask(&["history", "verify", "--json"]).ends(0, &[]).data();
        assert_eq!(vault["sound"], pictures, "{vault}");
        assert!(vault["orphans"].as_array().is_some_and(|orphans| orphans.len() <= kills), "{vault}");
        let log = self.ask(&["audit", "verify", "--json"]).ends(0, &[]).data();
        assert_eq!(log["open_intents"], serde_json::json!([]), "{log}");
        assert_eq!(log["findings"], serde_json::json!([]), "{log}");
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

/// Whether the verb opens the vault, and so takes `--passphrase-file`, and `--outputs` as well.
pub fn opens_vault(arguments: &[&str]) -> bool {
    let opens = matches!(
        arguments,
        ["serve" | "generate" | "batch" | "history" | "vault" | "operator" | "token" | "hold", ..]
            | ["evidence", "run" | "export" | "freeze" | "settled" | "subject", ..]
            | ["model", "import" | "use" | "rm", ..]
            | ["backup", "create" | "verify" | "restore" | "policy" | "destroyed", ..]
            | ["audit", "prune", ..]
    );
    opens && !arguments.starts_with(&["vault", "status"])
}

/// `program`, with its environment and its folder, as the last arguments of another one, such as strace.
pub fn behind<S: AsRef<OsStr>>(outer: &[S], program: &Command) -> Command {
    let (first, rest) = outer.split_first().expect("a program stands in front");
    let mut command = Command::new(first);
    command.args(rest).arg(program.get_program()).args(program.get_args());
    command.env_clear().envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(program.get_current_dir().expect("a home")).stdin(Stdio::null());
    command
}

/// A record of the log, from its JSON.
#[track_caller]
fn words(record: &Value) -> String {
    assert!(record["seq"].is_u64() && record["type"].is_string(), "no record: {record}");
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let parts = ["seq", "ts", "type", "out", "actor", "obj", "job"].iter().filter_map(|key| record.get(key));
    let fields = record["d"].as_object().unwrap_or_else(|| panic!("no fields: {record}"));
    let fields = fields.iter().map(|(name, value)| format!("{name}={}", plain(value)));
    parts.map(plain).chain(fields).collect::<Vec<_>>().join(" ")
}

/// What a run of the program said.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    pub fn of(command: &mut Command) -> Ran {
        let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Ran::from(output)
    }

    /// It must have ended with `code`, and have said every one of `words` on stderr.
    #[track_caller]
    pub fn ends(self, code: i32, words: &[&str]) -> Ran {
        assert_eq!(self.code, Some(code), "{self:#?}");
        for word in words {
            assert!(self.stderr.contains(word), "`{word}` was not said: {self:#?}");
        }
        self
    }

    /// The one JSON object of a `--json` run.
    #[track_caller]
    pub fn object(&self) -> Value {
        assert_eq!(self.stdout.lines().count(), 1, "not one line: {self:#?}");
        let object: Value =
            serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"));
        assert_eq!(object["schema"], "lightproof/v1", "{object}");
        object
    }

    /// What the object holds.
    #[track_caller]
    pub fn data(&self) -> Value {
        self.object()["data"].clone()
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
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
