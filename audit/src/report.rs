//! What the verifier found, for people and for programs.

use crate::clock::timestamp;
use crate::intent::OpenIntent;
use crate::token::Digest;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Findings that are listed; more are counted.
const LISTED_MAX: usize = 64;
/// Doubts about the time that the text lists.
const DOUBTS_LISTED_MAX: usize = 16;
/// Findings that are counted. Beyond it the report says that there are more: a hostile folder can hold any number.
const COUNTED_MAX: usize = 10_000;

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
    /// Records of which only the hash is left.
    pub pruned: u64,
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
    /// Where the time that records carry cannot be right: no finding, since the log says so itself.
    pub doubts: Vec<Doubt>,
    /// How many records there are of each type, by the type's name; what cannot be read has none.
    pub types: BTreeMap<String, u64>,
    /// Records that contradict the schema, or cannot be read at all.
    pub outside_schema: u64,
    /// What is wrong, at most the first 64.
    pub findings: Vec<Finding>,
    /// How many findings there are in all; counting ends at 10,000.
    pub findings_total: u64,
    /// A hash, link or signature does not hold, or something that was signed is gone. Without it the findings are about
    /// form, leftovers of a crash, and files that can be made again.
    pub integrity_broken: bool,
    blamed: BTreeSet<Subject>,
    first_bad_record: Option<u64>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// With what.
    pub subject: Subject,
    /// What.
    pub text: String,
    /// A hash, link or signature does not hold, or something that was signed is gone.
    pub is_broken: bool,
    /// Digest of what was read of the file and judged, if it could be read.
    judged: Option<Digest>,
}

/// A span of records whose times are not to be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Doubt {
    /// Why.
    pub cause: Cause,
    /// The first such record.
    pub first: u64,
    /// The last one, or the newest record if the time has not come right yet.
    pub last: u64,
    /// The time that the first one carries, in milliseconds since 1970.
    pub from_ms: u64,
    /// The time at which the log stands still. Records with a later one are in order again.
    pub until_ms: u64,
}

/// Why times are in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// The clock was found behind what is written already.
    Behind {
        /// What the clock said then, in milliseconds since 1970.
        clock_ms: u64,
    },
    /// The time went on by more than the machine's own clock did.
    Jumped,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last, from) = (self.first, self.last, timestamp(self.from_ms));
        match self.cause {
            Cause::Behind { clock_ms } => write!(
                f,
                "records {first} to {last} carry times from {from} on, though later the clock said {}: a clock was \
                 wrong, and no time up to {} is to be trusted from record {first} on",
                timestamp(clock_ms),
                timestamp(self.until_ms)
            ),
            Cause::Jumped => write!(
                f,
                "at record {first} the time jumped forward to {from} while the machine's own clock did not: what is \
                 written before it or after it may be wrong"
            ),
        }
    }
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
    /// The folder as a whole.
    Folder,
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
            Self::Folder => f.write_str("folder"),
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
        self.find(subject, true, None, text);
    }

    /// Notes something that contradicts the format and no signature.
    pub(crate) fn odd(&mut self, subject: Subject, text: impl fmt::Display) {
        self.find(subject, false, None, text);
    }

    /// As [`Report::broken`], about a file whose judged content has that digest.
    pub(crate) fn broken_file(&mut self, name: &str, judged: Option<Digest>, text: impl fmt::Display) {
        self.find(Subject::File(name.to_owned()), true, judged, text);
    }

    /// As [`Report::odd`], about a file whose judged content has that digest.
    pub(crate) fn odd_file(&mut self, name: &str, judged: Option<Digest>, text: impl fmt::Display) {
        self.find(Subject::File(name.to_owned()), false, judged, text);
    }

    /// Counts a record of that type.
    pub(crate) fn count(&mut self, name: &str) {
        match self.types.get_mut(name) {
            Some(count) => *count += 1,
            None => self.types.extend([(name.to_owned(), 1)]),
        }
    }

    /// Only the first text about each subject is kept.
    fn find(&mut self, subject: Subject, is_broken: bool, judged: Option<Digest>, text: impl fmt::Display) {
        self.integrity_broken |= is_broken;
        if let Subject::Record(seq) = subject {
            self.first_bad_record = Some(self.first_bad_record.map_or(seq, |first| first.min(seq)));
        }
        if self.blamed.len() == COUNTED_MAX || !self.blamed.insert(subject.clone()) {
            return;
        }
        self.findings_total += 1;
        if self.findings.len() < LISTED_MAX {
            self.findings.push(Finding { subject, text: text.to_string(), is_broken, judged });
        }
    }

    /// Whether every finding is about a file, which the log's owner may just be writing.
    pub(crate) fn may_be_disturbed(&self) -> bool {
        !self.is_ok() && self.blamed.iter().all(|s| matches!(s, Subject::File(_)))
    }

    /// Holds the findings about files against those of the run before. The same finding about the same content stands,
    /// whatever became of the file's times. Those about other content in each run are kept too, but nothing can be said
    /// about what the folder holds, so they do not count as broken.
    pub(crate) fn settle(&mut self, before: &Self) {
        let listed_all = |report: &Self| report.findings_total == report.findings.len() as u64;
        if !self.may_be_disturbed() || !listed_all(self) || self.findings == before.findings {
            return;
        }
        let stands = |finding: &Finding| before.findings.contains(finding);
        self.integrity_broken = self.findings.iter().any(|f| f.is_broken && stands(f));
        if !self.findings.iter().all(stands) {
            let text = "never still: something writes to it, and no two runs found the same; stop that, or verify a copy";
            self.odd(Subject::Folder, text);
        }
    }

    /// The first record that something is wrong with.
    pub(crate) fn first_bad_record(&self) -> Option<u64> {
        self.first_bad_record
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
        let doubts: Vec<String> = self
            .doubts
            .iter()
            .map(|d| {
                let clock = match d.cause {
                    Cause::Behind { clock_ms } => quote(&timestamp(clock_ms)),
                    Cause::Jumped => "null".to_owned(),
                };
                format!(
                    "{{\"first\":{},\"last\":{},\"from\":{},\"until\":{},\"clock\":{clock}}}",
                    d.first,
                    d.last,
                    quote(&timestamp(d.from_ms)),
                    quote(&timestamp(d.until_ms))
                )
            })
            .collect();
        let or_null = |text: Option<String>| text.map_or("null".to_owned(), |t| quote(&t));
        format!(
            "{{\"schema\":\"lightproof/audit-verify/v1\",\"ok\":{},\"data\":{{\"origin\":{},\"first_key\":{},\
             \"complete\":{},\"signed\":{},\"pruned\":{},\"root\":{},\"checkpoints\":{},\"epochs\":{},\"expected\":{},\"last_ts\":{},\
             \"open_intents\":[{}],\"doubts\":[{}],\"findings\":[{}],\"findings_total\":{},\"integrity_broken\":{}}}}}",
            self.is_ok(),
            quote(&self.origin),
            or_null(self.first_key.clone()),
            self.complete,
            self.signed,
            self.pruned,
            or_null(self.root.map(|r| r.to_string())),
            self.checkpoints,
            self.epochs,
            self.expected.map_or("null".to_owned(), |n| n.to_string()),
            or_null(self.last_ts.clone()),
            intents.join(","),
            doubts.join(","),
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
            let least = if self.findings_total == COUNTED_MAX as u64 { "at least " } else { "" };
            writeln!(f, "and {least}{hidden} more findings")?;
        }
        for doubt in self.doubts.iter().take(DOUBTS_LISTED_MAX) {
            writeln!(f, "note: {doubt}")?;
        }
        if let Some(more) = self.doubts.len().checked_sub(DOUBTS_LISTED_MAX).filter(|more| *more > 0) {
            writeln!(f, "note: the time jumped {more} more times")?;
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
        writeln!(f, "checkpoints {} in {}", self.checkpoints, counted(self.epochs, "epoch"))?;
        if let Some(ts) = &self.last_ts {
            writeln!(f, "last record {ts}")?;
        }
        if self.pruned > 0 {
            writeln!(f, "pruned      {}, of which only the hash is left", counted(self.pruned, "record"))?;
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
            (false, _) => write!(f, "NOT verified: {}", counted(self.findings_total, "finding")),
        }
    }
}

/// `1 finding`, `2 findings`.
fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
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
