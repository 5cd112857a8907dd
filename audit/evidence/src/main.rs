//! `lightproof-audit`: the auditor's program. It reads the folder of a log, a bundle of evidence or a certificate of erasure, and
//! says whether it is what was signed.

mod arguments;
mod streams;

use arguments::{Command, USAGE};
use audit::{Error, Follower, Gone, Newest, Order, Selection, Stored, VerifyKey};
use evidence::Expected;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::process::ExitCode;
use streams::{pause, say, talk};

/// The commit that it was compiled from, where whoever made the package says so (`deploy/package`).
const COMMIT: &str = match option_env!("LIGHTPROOF_AUDIT_COMMIT") {
    Some(commit) => commit,
    None => "unknown: it was not compiled by deploy/package",
};

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
        Ok(Command::Version) => {
            print(&format!("lightproof-audit {}\ncommit {COMMIT}\n", env!("CARGO_PKG_VERSION")), Exit::Ok)
        }
        Ok(Command::Verify { dir, expect, json }) => verify(&dir, expect.as_deref(), json),
        Ok(Command::Show { dir, record: Some(seq), json, .. }) => {
            one(&dir, seq, |record| if json { record.json().to_owned() } else { record.to_string() })
        }
        Ok(Command::Show { dir, selection, last, json, .. }) => show(&dir, &selection, last, json),
        Ok(Command::Explain { dir, record, json }) => one(&dir, record, |record| {
            let explanation = record.explain();
            if json { explanation.to_json() } else { explanation.to_string() }
        }),
        Ok(Command::Bundle { dir, expect, first_key, json }) => {
            bundle(&dir, expect.as_deref(), first_key, json)
        }
        Ok(Command::Certificate { dir, log, expect, first_key, json }) => {
            certificate(&dir, log.as_deref(), expect.as_deref(), first_key, json)
        }
        Ok(Command::Tail { dir, last, follow: true, json }) => follow(&dir, last, json),
        Ok(Command::Tail { dir, last, follow: false, json }) => match audit::tail(&dir, last, json) {
            Ok(Newest { lines, gone }) => {
                tell(gone);
                print(&lines.iter().map(|line| format!("{line}\n")).collect::<String>(), Exit::Ok)
            }
            Err(e) => complain(&e, false),
        },
        Err(e) => {
            talk(&format!("error: {e}\n\n{USAGE}"));
            Exit::Usage
        }
    };
    exit.into()
}

fn verify(dir: &Path, expect: Option<&Path>, json: bool) -> Exit {
    if evidence::is_part_of_log(dir) {
        let error = evidence::Error::PartOfLog { dir: dir.into() };
        return fail("lightproof/audit-verify/v1", &error, Exit::NotFound, json);
    }
    let expected = match expected(expect) {
        Ok(bytes) => bytes,
        Err(error) => return complain(&error, json),
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
    let mut all = match audit::records(dir, order) {
        Ok(items) => items,
        Err(e) => return complain(&e, false),
    };
    // A line that is no record may be any record.
    let items = all.by_ref().filter(|item| item.as_ref().map_or(true, |record| selection.takes(record)));
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
    tell(all.gone());
    exit.unwrap_or(Exit::Ok)
}

/// Says which records are left out.
fn tell(gone: Option<Gone>) {
    if let Some(gone) = gone {
        talk(&format!("{gone}\n"));
    }
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
        tell(follower.gone());
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

fn bundle(dir: &Path, expect: Option<&Path>, first_key: Option<VerifyKey>, json: bool) -> Exit {
    const SCHEMA: &str = "lightproof/bundle-verify/v1";
    let checkpoint = match expected(expect) {
        Ok(bytes) => bytes,
        Err(error) => return fail(SCHEMA, &error, unexpected(&error), json),
    };
    match evidence::check(dir, &Expected { first_key, checkpoint }) {
        Ok(checked) => {
            let exit = if checked.is_ok() { Exit::Ok } else { Exit::Integrity };
            print(&if json { checked.to_json() + "\n" } else { format!("{checked}\n") }, exit)
        }
        Err(error @ evidence::Error::Absent { .. }) => fail(SCHEMA, &error, Exit::NotFound, json),
        Err(error) => fail(SCHEMA, &error, Exit::Failed, json),
    }
}

fn certificate(
    dir: &Path,
    log: Option<&Path>,
    expect: Option<&Path>,
    first_key: Option<VerifyKey>,
    json: bool,
) -> Exit {
    const SCHEMA: &str = "lightproof/certificate-verify/v1";
    let checkpoint = match expected(expect) {
        Ok(bytes) => bytes,
        Err(error) => return fail(SCHEMA, &error, unexpected(&error), json),
    };
    match evidence::check_certificate(dir, &Expected { first_key, checkpoint }, log) {
        Ok(checked) => {
            let exit = if checked.is_ok() { Exit::Ok } else { Exit::Integrity };
            print(&if json { checked.to_json() + "\n" } else { format!("{checked}\n") }, exit)
        }
        Err(error @ (evidence::Error::NoCertificate { .. } | evidence::Error::Log(Error::Absent { .. }))) => {
            fail(SCHEMA, &error, Exit::NotFound, json)
        }
        Err(error) => fail(SCHEMA, &error, Exit::Failed, json),
    }
}

/// The content of a checkpoint that was kept.
fn expected(path: Option<&Path>) -> Result<Option<Vec<u8>>, Error> {
    let during = "read the expected checkpoint";
    let read = |path: &Path| {
        let none = "it holds no text of a checkpoint; name the file that was kept, or the text of its QR code in a file";
        let kept = audit::read_checkpoint(path).and_then(|bytes| {
            audit::given_back(&bytes).ok_or_else(|| io::Error::new(ErrorKind::InvalidData, none))
        });
        kept.map_err(|source| Error::Io { during, path: path.to_owned(), source })
    };
    path.map(read).transpose()
}

/// A file that is no checkpoint is a wrong argument, and nothing that was found.
fn unexpected(error: &Error) -> Exit {
    match error {
        Error::Io { source, .. }
            if matches!(source.kind(), ErrorKind::InvalidData | ErrorKind::FileTooLarge) =>
        {
            Exit::Usage
        }
        _ => Exit::Failed,
    }
}

fn complain(error: &Error, json: bool) -> Exit {
    let exit = match error {
        Error::Absent { .. } => Exit::NotFound,
        Error::Lost { .. } | Error::Broken { .. } => Exit::Integrity,
        error => unexpected(error),
    };
    fail("lightproof/audit-verify/v1", error, exit, json)
}

fn fail(schema: &str, error: &dyn std::fmt::Display, exit: Exit, json: bool) -> Exit {
    talk(&format!("error: {error}\n"));
    if json {
        // The texts of errors hold paths; the object holds none, so that nothing needs escaping.
        let code = if matches!(exit, Exit::NotFound) { "not_found" } else { "unreadable" };
        let object = format!("{{\"schema\":\"{schema}\",\"ok\":false,\"error\":{{\"code\":\"{code}\"}}}}\n");
        return print(&object, exit);
    }
    exit
}

/// Writes data to standard output. If it could not be written, that is no success; who closed the pipe has seen enough.
fn print(text: &str, exit: Exit) -> Exit {
    if say(text.as_bytes()).is_ok() { exit } else { Exit::Failed }
}
