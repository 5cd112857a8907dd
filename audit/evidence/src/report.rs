//! What the check of a bundle found, for people and for programs.

use crate::verdict::Outcome;
use audit::{Digest, VerifyKey};
use serde_json::{Map, Value, json};
use std::fmt;

/// What is known from elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// The first key of the log, as it was noted when the log was made.
    pub first_key: Option<VerifyKey>,
    /// A checkpoint that was kept: the content of its file.
    pub checkpoint: Option<Vec<u8>>,
}

/// What the check found.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Checked {
    /// What is wrong; nothing, if the bundle is what was handed out.
    pub findings: Vec<Finding>,
    /// Name of the log.
    pub origin: Option<String>,
    /// How many records the log had.
    pub size: u64,
    /// The first key, root of trust: to be compared with the one that was noted.
    pub first_key: Option<String>,
    /// When the bundle was made, in milliseconds since 1970, by the clock of the machine that made it.
    pub made_ms: Option<u64>,
    /// Numbers of the first and the last record of the log that are in it, with all between them.
    pub records: Option<(u64, u64)>,
    /// Of how many of these only the hash is there, since they were pruned.
    pub pruned: u64,
    /// How many pictures were erased in their period, each with its certificate; `None` where the bundle does not say, being older.
    pub erasures: Option<u64>,
    /// How many controls ended how, if the results could be judged.
    pub outcomes: Option<[(Outcome, u64); 4]>,
    /// Whether it is of a rehearsal, and no evidence of an appliance in use.
    pub is_rehearsal: bool,
    /// How much its own check found wrong when it was made, where it was handed out all the same; findings.json says what.
    pub failures: u64,
    /// SHA-256 of the catalogue that they were judged by, where it is not this version's: another version made the bundle.
    pub other_catalogue: Option<Digest>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// With which file of the bundle.
    pub file: String,
    /// What.
    pub text: String,
}

impl Checked {
    /// Whether nothing is wrong.
    pub fn is_ok(&self) -> bool {
        self.findings.is_empty()
    }

    /// One JSON object.
    pub fn to_json(&self) -> String {
        let findings: Vec<Value> =
            self.findings.iter().map(|f| json!({ "file": f.file, "text": f.text })).collect();
        let outcomes = self.outcomes.iter().flatten();
        let outcomes: Map<String, Value> =
            outcomes.map(|(of, count)| (of.word().to_owned(), (*count).into())).collect();
        let data = json!({
            "origin": self.origin, "size": self.size, "first_key": self.first_key, "made_ms": self.made_ms,
            "first_record": self.records.map(|(first, _)| first), "last_record": self.records.map(|(_, last)| last),
            "pruned": self.pruned, "erasures": self.erasures, "outcomes": outcomes, "failures": self.failures, "rehearsal": self.is_rehearsal,
            "other_catalogue": self.other_catalogue.map(|digest| digest.to_string()), "findings": findings,
        });
        json!({ "schema": "lightproof/bundle-verify/v1", "ok": self.is_ok(), "data": data }).to_string()
    }

    pub(crate) fn find(&mut self, file: &str, text: impl fmt::Display) {
        self.findings.push(Finding::new(file, text));
    }
}

impl Finding {
    pub(crate) fn new(file: &str, text: impl fmt::Display) -> Self {
        // What could control a terminal is shown as an escape.
        let file = file.chars().flat_map(char::escape_default).collect();
        Self { file, text: text.to_string() }
    }
}

/// For people: the findings, then what the bundle is.
impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{}: {}", finding.file, finding.text)?;
        }
        if let Some(key) = &self.first_key {
            writeln!(f, "first key {key}")?;
        }
        if let Some(made_ms) = self.made_ms {
            writeln!(f, "made      {}", audit::timestamp(made_ms))?;
        }
        if let Some(outcomes) = &self.outcomes {
            let counts = outcomes.map(|(of, count)| format!("{count} {}", of.word().replace('_', " ")));
            writeln!(f, "controls  {}", counts.join(", "))?;
        }
        if self.is_rehearsal {
            writeln!(
                f,
                "note: it is of a rehearsal on a throw-away appliance, and no evidence of one in use"
            )?;
        }
        if self.failures > 0 {
            writeln!(
                f,
                "note: it did not pass its own check and was handed out all the same: see findings.json"
            )?;
        }
        if let Some(digest) = &self.other_catalogue {
            writeln!(
                f,
                "note: judged by the conditions in controls.json, which are not those of this version: {digest}"
            )?;
        }
        match self.records {
            Some((first, last)) => {
                writeln!(f, "log       {} records, numbers {first} to {last} of them here", self.size)?;
            }
            None => writeln!(f, "log       {} records, none of them here in a row", self.size)?,
        }
        if self.pruned > 0 {
            writeln!(f, "pruned    of {} of these records only the hash is left", self.pruned)?;
        }
        if let Some(erasures) = self.erasures {
            writeln!(f, "erasures  {erasures} in these records, each with its certificate")?;
        }
        match self.findings.len() {
            0 => f.write_str(
                "verified: this is what was handed out; compare the first key with the one that was noted",
            ),
            1 => f.write_str("NOT verified: 1 finding"),
            n => write!(f, "NOT verified: {n} findings"),
        }
    }
}
