//! What a bundle is made of.

use crate::control::{Framework, Language};
use crate::models::Embedded;
use crate::rehearsal::Rehearsal;
use crate::report::Finding;
use crate::run::Run;
use crate::stamps::KeptStamp;
use crate::verdict::Verdict;
use audit::Digest;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// What a bundle is made of.
#[derive(Debug)]
pub struct Export<'a> {
    /// The folder of the log.
    pub log: &'a Path,
    /// The run that it hands over.
    pub run: &'a Run,
    /// Number of the record `evidence.tried` that names the run.
    pub run_record: u64,
    /// Number of the record `evidence.key_drawn` that names the key.
    pub key_record: u64,
    /// The first moment of the period whose records are handed over, in milliseconds since 1970.
    pub since_ms: Option<u64>,
    /// The last one.
    pub until_ms: Option<u64>,
    /// The time stamps that are handed over.
    pub stamps: &'a [KeptStamp],
    /// What the program may do, with its reasons, and without the paths of this machine: the text whose digest the run carries.
    pub policy: &'a str,
    /// Which fences hold.
    pub posture: &'a Value,
    /// What the program is made of, as JSON (CycloneDX), if it carries that.
    pub sbom: Option<&'a str>,
    /// The model inside the program.
    pub embedded: Embedded<'a>,
    /// What the policy says that the papers of the controller rest on.
    pub answers: Answers,
    /// What the controller says of themselves, by the keys of [`controller_keys`](crate::controller_keys). It stands in those papers
    /// and nowhere else.
    pub controller: &'a BTreeMap<&'static str, String>,
    /// Which controls the files for people and for OSCAL are about; all of them without it. `results.json` is whole.
    pub framework: Option<Framework>,
    /// The language of what people read; both without it.
    pub language: Option<Language>,
    /// Number of the record of the freeze that it is handed over for, if it is for an incident.
    pub incident: Option<u64>,
    /// What it says of the rehearsal that it is of, if it is of one.
    pub rehearsal: Option<&'a Rehearsal>,
    /// What the check of this bundle found when it was made the first time, where it is handed out all the same.
    pub failures: &'a [Finding],
    /// Version of the program.
    pub version: &'a str,
    /// When it is made, in milliseconds since 1970.
    pub made_ms: u64,
}

/// What the policy says that the papers rest on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Answers {
    /// Whether a request may ask that its prompt is kept.
    pub keeps_prompts: bool,
    /// Whether pictures may be erased.
    pub erases: bool,
    /// After how many days a picture is erased by itself, if it ever is.
    pub picture_days_max: Option<u32>,
    /// After how many days the content of some records may be taken away, if it ever is.
    pub log_days_max: Option<u32>,
    /// How many days behind somebody's removal their name is destroyed, if it ever is.
    pub names_days_max: Option<u32>,
    /// Whether some acts of an admin wait for a second one.
    pub asks_a_second_admin: bool,
}

/// A bundle that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exported {
    /// SHA-256 of its manifest: what the record `evidence.exported` carries.
    pub manifest: Digest,
    /// How many files it has.
    pub files: u64,
    /// How many records of the log are in its period.
    pub records: u64,
    /// How many pictures were erased in its period, each with its certificate.
    pub erasures: u64,
    /// How many records of its period were pruned: of them it has the hash.
    pub pruned: u64,
    /// How many were pruned directly before its first record and behind its last one: which of them are of the period nobody can tell.
    pub pruned_beside: u64,
}

impl Export<'_> {
    /// The languages of what people read, in their order.
    pub(crate) fn languages(&self) -> Vec<Language> {
        match self.language {
            Some(one) => vec![one],
            None => vec![Language::En, Language::Zh],
        }
    }

    /// The verdicts that the files for people and for OSCAL are about.
    pub(crate) fn chosen(&self) -> impl Iterator<Item = &Verdict> {
        let framework = self.framework;
        let is_chosen = move |verdict: &&Verdict| {
            framework.is_none_or(|framework| !verdict.control().clauses.of(framework).is_empty())
        };
        self.run.verdicts().iter().filter(is_chosen)
    }
}
