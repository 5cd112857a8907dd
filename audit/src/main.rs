//! `lightproof-audit`: the auditor's program. It reads a folder and says whether it is what was signed.

mod arguments;
mod streams;

use arguments::{Command, USAGE};
use audit::{Error, Follower, Order, Selection, Stored};
use std::path::Path;
use std::process::ExitCode;
use streams::{pause, say, talk};

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

fn main() -> ExitCode {
    let exit = match arguments::parse(std::env::args_os()) {
        Ok(Command::Help) => print(USAGE, Exit::Ok),
        Ok(Command::Version) => print(&format!("lightproof-audit {}\n", env!("CARGO_PKG_VERSION")), Exit::Ok),
        Ok(Command::Verify { dir, expect, json }) => verify(&dir, expect.as_deref(), json),
        Ok(Command::Show { dir, record: Some(seq), json, .. }) => {
            one(&dir, seq, |record| if json { record.json().to_owned() } else { record.to_string() })
        }
        Ok(Command::Show { dir, selection, last, json, .. }) => show(&dir, &selection, last, json),
        Ok(Command::Explain { dir, record, json }) => one(&dir, record, |record| {
            let explanation = record.explain();
            if json { explanation.to_json() } else { explanation.to_string() }
        }),
        Ok(Command::Tail { dir, last, follow: true, json }) => follow(&dir, last, json),
        Ok(Command::Tail { dir, last, follow: false, json }) => {
            match if json { audit::tail_json(&dir, last) } else { audit::tail(&dir, last) } {
                Ok(lines) => {
                    print(&lines.iter().map(|line| format!("{line}\n")).collect::<String>(), Exit::Ok)
                }
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

fn verify(dir: &Path, expect: Option<&Path>, json: bool) -> Exit {
    let expected = match expect.map(audit::read_checkpoint).transpose() {
        Ok(bytes) => bytes,
        Err(source) => {
            let path = expect.unwrap_or(dir).to_owned();
            return complain(&Error::Io { during: "read the expected checkpoint", path, source }, json);
        }
    };
    match audit::verify(dir, expected.as_deref()) {
        Ok(report) => {
            let exit = match (report.is_ok(), report.integrity_broken) {
                (true, _) => Exit::Ok,
                (false, false) => Exit::Findings,
                (false, true) => Exit::Integrity,
            };
            print(&if json { report.to_json() + "\n" } else { format!("{report}\n") }, exit)
        }
        Err(e) => complain(&e, json),
    }
}

/// Prints one record.
fn one(dir: &Path, seq: u64, text: impl Fn(&Stored) -> String) -> Exit {
    match audit::record(dir, seq) {
        Ok(Some(record)) => print(&(text(&record) + "\n"), Exit::Ok),
        Ok(None) => {
            talk(&format!("error: there is no record {seq}; `lightproof-audit tail` shows the last ones\n"));
            Exit::NotFound
        }
        Err(e) => complain(&e, false),
    }
}

/// Prints the records that match, or the last of them.
fn show(dir: &Path, selection: &Selection, last: Option<u64>, json: bool) -> Exit {
    let order = if last.is_some() { Order::NewestFirst } else { Order::OldestFirst };
    let items = match audit::records(dir, order) {
        Ok(items) => items,
        Err(e) => return complain(&e, false),
    };
    // A line that is no record may be any record.
    let items = items.filter(|item| item.as_ref().map_or(true, |record| selection.takes(record)));
    let lines = items.map(|item| audit::line(item, json).map(|line| line + "\n"));
    let exit = match last {
        // As they come: there may be many.
        None => lines.map(|line| line.map(|line| say(line.as_bytes()))).find_map(|said| match said {
            Ok(Ok(true)) => None,
            Ok(Ok(false)) => Some(Exit::Ok),
            Ok(Err(_)) => Some(Exit::Failed),
            Err(e) => Some(complain(&e, false)),
        }),
        Some(last) => {
            let last = usize::try_from(last).unwrap_or(usize::MAX);
            match lines.take(last).collect::<Result<Vec<_>, _>>() {
                Ok(lines) => Some(print(&lines.into_iter().rev().collect::<String>(), Exit::Ok)),
                Err(e) => Some(complain(&e, false)),
            }
        }
    };
    exit.unwrap_or(Exit::Ok)
}

/// Prints each record once it is signed, until the program is ended or nobody reads.
fn follow(dir: &Path, last: u64, json: bool) -> Exit {
    let mut follower = match Follower::new(dir, last) {
        Ok(follower) => follower,
        Err(e) => return complain(&e, false),
    };
    loop {
        let lines: Result<Vec<String>, Error> =
            follower.news().and_then(|news| news.into_iter().map(|item| audit::line(item, json)).collect());
        match lines
            .map(|lines| say(lines.iter().map(|line| format!("{line}\n")).collect::<String>().as_bytes()))
        {
            Err(e) => return complain(&e, false),
            Ok(Err(_)) => return Exit::Failed,
            Ok(Ok(is_read)) if !is_read || !pause() => return Exit::Ok,
            Ok(Ok(_)) => {}
        }
    }
}

fn complain(error: &Error, json: bool) -> Exit {
    let exit = match error {
        Error::Absent { .. } => Exit::NotFound,
        Error::Lost { .. } | Error::Broken { .. } => Exit::Integrity,
        _ => Exit::Failed,
    };
    talk(&format!("error: {error}\n"));
    if json {
        // The texts of errors hold paths; the object holds none, so that nothing needs escaping.
        let code = if matches!(exit, Exit::NotFound) { "not_found" } else { "unreadable" };
        let object = format!(
            "{{\"schema\":\"lightproof/audit-verify/v1\",\"ok\":false,\"error\":{{\"code\":\"{code}\"}}}}\n"
        );
        return print(&object, exit);
    }
    exit
}

/// Writes data to standard output. If it could not be written, that is no success; who closed the pipe has seen enough.
fn print(text: &str, exit: Exit) -> Exit {
    if say(text.as_bytes()).is_ok() { exit } else { Exit::Failed }
}
