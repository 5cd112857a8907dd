//! `lightproof-audit`: the auditor's program. It reads a folder and says whether it is what was signed.

use lexopt::{Arg, Parser, ValueExt};
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "\
lightproof-audit verify DIR [--expect CHECKPOINT-FILE] [--json]
lightproof-audit show DIR [--last N] [--json]

verify   checks every record, checkpoint, key and tile in DIR against the signatures
         --expect FILE  the log must continue this checkpoint, saved earlier and kept elsewhere
         --json         one JSON object instead of text
show     prints the last N records (20), without verifying them
         --json         one record a line, as it is stored; a line that is no record becomes {\"damaged\":NUMBER}

exit codes: 0 verified, 1 could not be read, 2 usage, 4 something is not in order, 5 there is no log,
11 a hash, link or signature does not hold, or something signed is gone
";

/// The program's exit codes; the same numbers mean the same in `lightproof`.
enum Exit {
    Ok = 0,
    Failed = 1,
    Usage = 2,
    Findings = 4,
    NotFound = 5,
    Integrity = 11,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

enum Command {
    Verify { dir: PathBuf, expect: Option<PathBuf>, json: bool },
    Show { dir: PathBuf, last: u64, json: bool },
    Help,
    Version,
}

fn main() -> ExitCode {
    let exit = match parse(std::env::args_os()) {
        Ok(Command::Help) => say(USAGE, Exit::Ok),
        Ok(Command::Version) => say(&format!("lightproof-audit {}\n", env!("CARGO_PKG_VERSION")), Exit::Ok),
        Ok(Command::Verify { dir, expect, json }) => verify(&dir, expect.as_deref(), json),
        Ok(Command::Show { dir, last, json }) => {
            match if json { audit::tail_json(&dir, last) } else { audit::tail(&dir, last) } {
                Ok(lines) => say(&lines.iter().map(|line| format!("{line}\n")).collect::<String>(), Exit::Ok),
                Err(e) => complain(&e, false),
            }
        }
        Err(e) => {
            talk(&format!("error: {e}\n\n{USAGE}"));
            Exit::Usage
        }
    };
    exit.into()
}

fn verify(dir: &std::path::Path, expect: Option<&std::path::Path>, json: bool) -> Exit {
    let expected = match expect.map(audit::read_checkpoint).transpose() {
        Ok(bytes) => bytes,
        Err(source) => {
            let path = expect.unwrap_or(dir).to_owned();
            return complain(
                &audit::Error::Io { during: "read the expected checkpoint", path, source },
                json,
            );
        }
    };
    match audit::verify(dir, expected.as_deref()) {
        Ok(report) => {
            let exit = match (report.is_ok(), report.integrity_broken) {
                (true, _) => Exit::Ok,
                (false, false) => Exit::Findings,
                (false, true) => Exit::Integrity,
            };
            say(&if json { report.to_json() + "\n" } else { format!("{report}\n") }, exit)
        }
        Err(e) => complain(&e, json),
    }
}

fn parse(args: impl Iterator<Item = OsString>) -> Result<Command, lexopt::Error> {
    let mut parser = Parser::from_iter(args);
    let (mut words, mut expect, mut json, mut last) = (Vec::<OsString>::new(), None, false, None);
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("help") | Arg::Short('h') => return Ok(Command::Help),
            Arg::Long("version") | Arg::Short('V') => return Ok(Command::Version),
            Arg::Long("expect") => expect = Some(PathBuf::from(parser.value()?)),
            Arg::Long("json") => json = true,
            Arg::Long("last") => last = Some(parser.value()?.parse::<u64>()?),
            Arg::Value(word) => words.push(word),
            other => return Err(other.unexpected()),
        }
    }
    let mut words = words.into_iter();
    let verb = words.next().ok_or("a verb is missing: verify or show")?;
    let verb = verb.to_str().filter(|verb| ["verify", "show"].contains(verb));
    let verb = verb.ok_or("the verb must be verify or show")?;
    let dir = PathBuf::from(words.next().ok_or("the folder of the log is missing")?);
    if words.next().is_some() {
        return Err("one folder at a time".into());
    }
    match (verb, &expect, last) {
        ("verify", _, None) => Ok(Command::Verify { dir, expect, json }),
        ("verify", ..) => Err("--last belongs to show".into()),
        (_, None, last) => Ok(Command::Show { dir, last: last.unwrap_or(20), json }),
        _ => Err("--expect belongs to verify".into()),
    }
}

fn complain(error: &audit::Error, json: bool) -> Exit {
    let exit = if matches!(error, audit::Error::Absent { .. }) { Exit::NotFound } else { Exit::Failed };
    talk(&format!("error: {error}\n"));
    if json {
        // The texts of errors hold paths; the object holds none, so that nothing needs escaping.
        let code = if matches!(exit, Exit::NotFound) { "not_found" } else { "unreadable" };
        let object = format!(
            "{{\"schema\":\"lightproof/audit-verify/v1\",\"ok\":false,\"error\":{{\"code\":\"{code}\"}}}}\n"
        );
        return say(&object, exit);
    }
    exit
}

/// Writes data to standard output. If nobody reads it, that is no success.
fn say(text: &str, exit: Exit) -> Exit {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => exit,
        Err(e) => {
            talk(&format!("error: what was found could not be written to standard output: {e}\n"));
            Exit::Failed
        }
    }
}

/// Writes to people; if nobody listens there is nothing more to do.
fn talk(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}
