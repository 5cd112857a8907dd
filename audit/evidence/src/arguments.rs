//! The arguments of `lightproof-audit`.

use audit::{Selection, Typed, VerifyKey};
use lexopt::{Arg, Parser, ValueExt};
use std::ffi::OsString;
use std::path::PathBuf;

pub const USAGE: &str = "\
lightproof-audit verify DIR [--expect CHECKPOINT-FILE] [--json]
lightproof-audit tail DIR [--last N] [--follow] [--json]
lightproof-audit show DIR [N] [--object O] [--job J] [--type T] [--outcome O] [--since T] [--until T] [--last N] [--json]
lightproof-audit explain DIR N [--json]
lightproof-audit bundle verify DIR [--expect CHECKPOINT-FILE] [--first-key KEY] [--json]
lightproof-audit certificate verify DIR [--log DIR] [--expect CHECKPOINT-FILE] [--first-key KEY] [--json]

verify   checks every record, checkpoint, key and tile in DIR against the signatures
         --expect FILE  the log must continue this checkpoint, saved earlier and kept elsewhere; - is standard input
         --json         one JSON object instead of text
tail     prints the last N records (20), without verifying them
         --follow       and each new one, once it is signed, until ^C
         --json         one record a line, as it is stored; a line that is no record becomes {\"damaged\":NUMBER}
show     prints record N, or all that match, oldest first, without verifying them
         --object O     about this object: o: and 22 characters
         --job J        of this request: j: and 22 characters
         --type T       of this type, such as object.exported, or of all that begin with a word, such as vault
         --outcome O    that ended ok, denied or failed
         --since T      not before this time in UTC, such as 2026-01-31 or 2026-01-31T07:08
         --until T      not after it; a day or a minute counts to its end
         --last N       only the last N of them
         --json         as for tail
explain  says in words what record N means, and each of its fields
         --json         one JSON object instead of text
bundle   checks a bundle of evidence in DIR: every file, signature, proof and outcome, by the log that it came from
         --expect FILE  its log must continue this checkpoint; the bundle must hold the records from the first on
         --first-key K  its log must begin with this key, as it was noted when the log was made
         --json         one JSON object instead of text
certificate  checks a certificate of erasure in DIR: every file, signature, proof and statement
         --log DIR      this log must go on from it, and have no other export of its pictures
         --expect FILE  it must rest on this checkpoint; with --log, the log must continue it
         --first-key K  its log must begin with this key
         --json         one JSON object instead of text

exit codes: 0 done or verified, 1 could not be read or printed, 2 usage, 4 something is not in order,
5 there is no log, no such record, no bundle or no certificate, 11 a hash, link or signature does not hold, or something signed is gone
";

const NO_KEY: &str = "--first-key takes a key as `verify` prints it";

/// What is asked for.
pub enum Command {
    Verify {
        dir: PathBuf,
        expect: Option<PathBuf>,
        json: bool,
    },
    Tail {
        dir: PathBuf,
        last: u64,
        follow: bool,
        json: bool,
    },
    Show {
        dir: PathBuf,
        record: Option<u64>,
        selection: Selection,
        last: Option<u64>,
        json: bool,
    },
    Explain {
        dir: PathBuf,
        record: u64,
        json: bool,
    },
    Bundle {
        dir: PathBuf,
        expect: Option<PathBuf>,
        first_key: Option<VerifyKey>,
        json: bool,
    },
    Certificate {
        dir: PathBuf,
        log: Option<PathBuf>,
        expect: Option<PathBuf>,
        first_key: Option<VerifyKey>,
        json: bool,
    },
    Help,
    Version,
}

const VERBS: [&str; 6] = ["verify", "tail", "show", "explain", "bundle verify", "certificate verify"];

/// Flags and the verbs that take them.
const FLAGS: [(&str, &[&str]); 11] = [
    ("expect", &["verify", "bundle verify", "certificate verify"]),
    ("first-key", &["bundle verify", "certificate verify"]),
    ("log", &["certificate verify"]),
    ("last", &["tail", "show"]),
    ("follow", &["tail"]),
    ("object", &["show"]),
    ("job", &["show"]),
    ("type", &["show"]),
    ("outcome", &["show"]),
    ("since", &["show"]),
    ("until", &["show"]),
];

/// Reads them, the program's name first.
pub fn parse(args: impl Iterator<Item = OsString>) -> Result<Command, lexopt::Error> {
    let mut parser = Parser::from_iter(args);
    let (mut words, mut json, mut follow) = (Vec::<OsString>::new(), false, false);
    let mut values: Vec<(&str, OsString)> = Vec::new();
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("help") | Arg::Short('h') => return Ok(Command::Help),
            Arg::Long("version") | Arg::Short('V') => return Ok(Command::Version),
            Arg::Long("json") => json = true,
            Arg::Long("follow") => follow = true,
            Arg::Long(name) => match FLAGS.iter().find(|(flag, _)| *flag == name) {
                Some((flag, _)) => values.push((flag, parser.value()?)),
                None => return Err(arg.unexpected()),
            },
            Arg::Value(word) => words.push(word),
            other => return Err(other.unexpected()),
        }
    }
    let mut words = words.into_iter();
    let named = "verify, tail, show, explain, bundle verify or certificate verify";
    let mut verb = words.next().ok_or_else(|| format!("a verb is missing: {named}"))?;
    if verb == "bundle" || verb == "certificate" {
        verb.push(" ");
        verb.push(words.next().unwrap_or_default());
    }
    let verb = verb.to_str().filter(|verb| VERBS.contains(verb));
    let verb = verb.ok_or_else(|| format!("the verb must be {named}"))?.to_owned();
    let dir = words.next().ok_or("the folder of the log, the bundle or the certificate is missing")?;
    let dir = PathBuf::from(dir);
    let given = values.iter().map(|(flag, _)| *flag).chain(follow.then_some("follow"));
    for flag in given {
        let takes = FLAGS.iter().find(|(known, _)| *known == flag).map_or(&[][..], |(_, verbs)| verbs);
        if !takes.contains(&verb.as_str()) {
            return Err(format!("--{flag} belongs to {}", takes.join(" and ")).into());
        }
    }
    let value = |flag: &str| values.iter().rfind(|(given, _)| *given == flag).map(|(_, value)| value);
    let last = value("last").map(ValueExt::parse::<u64>).transpose()?;
    let record = match verb.as_str() {
        "show" | "explain" => words.next().map(|word| word.parse::<u64>()).transpose()?,
        _ => None,
    };
    if words.next().is_some() {
        return Err("one folder and one record at a time".into());
    }
    match verb.as_str() {
        "verify" => Ok(Command::Verify { dir, expect: value("expect").map(PathBuf::from), json }),
        "bundle verify" | "certificate verify" => {
            let key = |text: &OsString| text.to_str().and_then(VerifyKey::parse).ok_or(NO_KEY);
            let first_key = value("first-key").map(key).transpose()?;
            let (expect, log) = (value("expect").map(PathBuf::from), value("log").map(PathBuf::from));
            Ok(match verb.as_str() {
                "bundle verify" => Command::Bundle { dir, expect, first_key, json },
                _ => Command::Certificate { dir, log, expect, first_key, json },
            })
        }
        "tail" => Ok(Command::Tail { dir, last: last.unwrap_or(20), follow, json }),
        "explain" => match record {
            Some(record) => Ok(Command::Explain { dir, record, json }),
            None => Err("the number of the record is missing".into()),
        },
        _ if record.is_some() && !values.is_empty() => {
            Err("a number names one record: leave the other conditions out".into())
        }
        _ => {
            let text = |flag| value(flag).map(|value| value.to_str().unwrap_or_default());
            let typed = Typed {
                object: text("object"),
                job: text("job"),
                name: text("type"),
                outcome: text("outcome"),
                since: text("since"),
                until: text("until"),
            };
            let selection = Selection::parse(&typed).map_err(|senseless| senseless.to_string())?;
            Ok(Command::Show { dir, record, selection, last, json })
        }
    }
}
