//! What the verifier found, for people and for programs.

use crate::intent::OpenIntent;
use crate::token::Digest;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Findings that are listed; more are counted.
const LISTED_MAX: usize = 64;

/// The result of [`crate::verify`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// Name of the log.
    pub origin: String,
    /// The first key, root of trust: to be compared with what was printed when the log was made.
    pub first_key: Option<String>,
    /// Records, counted from the first, that are exactly what was signed.
    pub complete: u64,
    /// Records that the last checkpoint covers.
    pub signed: u64,
    /// The root that the last checkpoint signs.
    pub root: Option<Digest>,
    /// Number of checkpoints.
    pub checkpoints: u64,
    /// Number of signing epochs.
    pub epochs: u64,
    /// Size of the expected checkpoint that the log was held against.
    pub expected: Option<u64>,
    /// Time of the last record.
    pub last_ts: Option<String>,
    /// Requests without an outcome: no finding, since they may be running.
    pub open_intents: Vec<OpenIntent>,
    /// What is wrong, at most the first 64.
    pub findings: Vec<Finding>,
    /// How many findings there are in all.
    pub findings_total: u64,
    /// A hash, link or signature does not hold, or something that was signed is gone. Without it the findings are about
    /// form, leftovers of a crash, and files that can be made again.
    pub integrity_broken: bool,
    blamed: BTreeSet<Subject>,
    /// What the files with findings were when the run ended.
    states: BTreeMap<String, Option<FileState>>,
}

/// Tells one content of a file from the next: device, inode, length, and time of the last change in nanoseconds.
pub(crate) type FileState = (u64, u64, u64, i128);

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// With what.
    pub subject: Subject,
    /// What.
    pub text: String,
}

/// What a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Subject {
    /// The record of that number.
    Record(u64),
    /// The checkpoint of that size.
    Checkpoint(u64),
    /// The key of that epoch.
    Key(u64),
    /// A file, by its path in the log's folder.
    File(String),
    /// The checkpoint given as expected.
    Expected,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(n) => write!(f, "record {n}"),
            Self::Checkpoint(n) => write!(f, "checkpoint {n}"),
            Self::Key(n) => write!(f, "key {n}"),
            // A file's name may hold anything; what could control a terminal is shown as an escape.
            Self::File(name) => write!(f, "file {}", name.escape_default()),
            Self::Expected => f.write_str("expected checkpoint"),
        }
    }
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_ok(&self) -> bool {
        self.findings_total == 0
    }

    /// Notes that a hash, link or signature does not hold, or that something signed is gone.
    pub(crate) fn broken(&mut self, subject: Subject, text: impl fmt::Display) {
        self.integrity_broken = true;
        self.odd(subject, text);
    }

    /// Notes something that contradicts the format and no signature. Only the first text about each subject is kept.
    pub(crate) fn odd(&mut self, subject: Subject, text: impl fmt::Display) {
        if !self.blamed.insert(subject.clone()) {
            return;
        }
        self.findings_total += 1;
        if self.findings.len() < LISTED_MAX {
            self.findings.push(Finding { subject, text: text.to_string() });
        }
    }

    /// Whether every finding is about a file, which the log's owner may just be writing.
    pub(crate) fn may_be_disturbed(&self) -> bool {
        !self.is_ok() && self.blamed.iter().all(|s| matches!(s, Subject::File(_)))
    }

    /// Remembers what the files with findings are, as `state` tells.
    pub(crate) fn remember(&mut self, state: impl Fn(&str) -> Option<FileState>) {
        for finding in &self.findings {
            if let Subject::File(name) = &finding.subject {
                self.states.insert(name.clone(), state(name));
            }
        }
    }

    /// Keeps the findings that an earlier run had too, word for word and about the same file: one that has been written
    /// anew meanwhile belongs to a log at work.
    pub(crate) fn keep_common(&mut self, earlier: &Self) {
        if self.findings_total > LISTED_MAX as u64 || earlier.findings_total > LISTED_MAX as u64 {
            return;
        }
        let is_same = |subject: &Subject| match subject {
            Subject::File(name) => self.states.get(name) == earlier.states.get(name),
            _ => true,
        };
        self.findings.retain(|f| earlier.findings.contains(f) && is_same(&f.subject));
        self.findings_total = self.findings.len() as u64;
        self.blamed = self.findings.iter().map(|f| f.subject.clone()).collect();
        self.integrity_broken &= !self.is_ok();
    }

    /// The first record that something is wrong with.
    pub(crate) fn first_bad_record(&self) -> Option<u64> {
        let record = |s: &Subject| if let Subject::Record(n) = s { Some(*n) } else { None };
        self.blamed.iter().find_map(record)
    }

    /// One JSON object.
    pub fn to_json(&self) -> String {
        let findings: Vec<String> = self
            .findings
            .iter()
            .map(|f| format!("{{\"subject\":{},\"text\":{}}}", quote(&f.subject.to_string()), quote(&f.text)))
            .collect();
        let intents: Vec<String> = self
            .open_intents
            .iter()
            .map(|i| {
                format!(
                    "{{\"job\":{},\"kind\":{},\"record\":{}}}",
                    quote(&i.job.to_string()),
                    quote(i.kind.word()),
                    i.seq
                )
            })
            .collect();
        let or_null = |text: Option<String>| text.map_or("null".to_owned(), |t| quote(&t));
        format!(
            "{{\"schema\":\"lightproof/audit-verify/v1\",\"ok\":{},\"data\":{{\"origin\":{},\"first_key\":{},\
             \"complete\":{},\"signed\":{},\"root\":{},\"checkpoints\":{},\"epochs\":{},\"expected\":{},\"last_ts\":{},\
             \"open_intents\":[{}],\"findings\":[{}],\"findings_total\":{},\"integrity_broken\":{}}}}}",
            self.is_ok(),
            quote(&self.origin),
            or_null(self.first_key.clone()),
            self.complete,
            self.signed,
            or_null(self.root.map(|r| r.to_string())),
            self.checkpoints,
            self.epochs,
            self.expected.map_or("null".to_owned(), |n| n.to_string()),
            or_null(self.last_ts.clone()),
            intents.join(","),
            findings.join(","),
            self.findings_total,
            self.integrity_broken,
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{}: {}", finding.subject, finding.text)?;
        }
        let hidden = self.findings_total.saturating_sub(self.findings.len() as u64);
        if hidden > 0 {
            writeln!(f, "and {hidden} more findings")?;
        }
        for intent in &self.open_intents {
            writeln!(f, "note: record {} ({}.requested) has no outcome yet", intent.seq, intent.kind.word())?;
        }
        writeln!(f, "log         {}", self.origin.escape_default())?;
        if let Some(key) = &self.first_key {
            writeln!(f, "first key   {key}")?;
        }
        if let Some(root) = &self.root {
            writeln!(f, "root        {root}")?;
        }
        writeln!(f, "checkpoints {} in {} epochs", self.checkpoints, self.epochs)?;
        if let Some(ts) = &self.last_ts {
            writeln!(f, "last record {ts}")?;
        }
        writeln!(f, "complete up to {} of {} signed records", self.complete, self.signed)?;
        match (self.is_ok(), self.expected) {
            (true, Some(size)) => {
                write!(f, "verified, and continues the expected checkpoint of {size} records")
            }
            (true, None) => write!(
                f,
                "verified; whether the whole log was cut back to an older state only a checkpoint kept elsewhere can \
                 tell (--expect)"
            ),
            (false, _) => write!(f, "NOT verified: {} findings", self.findings_total),
        }
    }
}

/// A JSON string.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if u32::from(c) < 0x20 => out += &format!("\\u{:04x}", u32::from(c)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
