//! A bundle's files, and the list of them.
//!
//! ```text
//! README.html VERIFY.md              for people
//! manifest.json                      every other file with its SHA-256; what is signed
//! manifest.dsse.json                 the signature
//! incident.json rehearsal.json       the incident that it is handed over for; that it is of a rehearsal. Mostly neither
//! findings.json                      what its own check found, where it was handed out all the same
//! controls.json results.json         the catalogue with its conditions; the run
//! probes/ID.json                     what was read for one control
//! oscal/                             the same for programs: OSCAL 1.2.1
//! gdpr/articles.json                 what the program does for each article, and what stays with the controller
//! gdpr/papers.json gdpr/*.html       drafts of the papers that the controller needs
//! audit/origin checkpoint vkeys      the log's name, its newest signed head, its keys from the first on
//! audit/hand-overs.jsonl             how each key handed over to the next
//! audit/records.jsonl                the records of the period in a row, and the hash of each that was pruned
//! audit/around.json                  where it has hashes: what proves their places
//! audit/cited/N.json                 a record that something rests on, byte for byte as the log holds it
//! audit/proofs/N.tlog-proof          that it is in the log under that head
//! audit/stamps/N.tsr N.checkpoint    the time that an authority outside put under a checkpoint, by record N
//! erasures/                          what was destroyed in the period, with a certificate of each: see erasures.rs
//! keys/export.pem                    the key that signed this bundle
//! sbom.cdx.json                      what the program is made of, if it carries that: CycloneDX
//! models.json                        the models that the records of the period name, and the one inside the program
//! policy.txt posture.json            what the program may do, by the digest in the run, and which fences hold
//! ```

use crate::folder::Listed;
use crate::json::{canonical, has_only, number, parse, text, unhex};
use audit::Digest;
use serde_json::{Value, json};

pub(crate) const MANIFEST: &str = "manifest.json";
pub(crate) const ENVELOPE: &str = "manifest.dsse.json";
/// The signature until the bundle is on record: one that is given up in between is signed by nobody.
pub(crate) const UNSIGNED: &str = "manifest.dsse.part";
pub(crate) const INCIDENT: &str = "incident.json";
pub(crate) const FINDINGS: &str = "findings.json";
pub(crate) const RESULTS: &str = "results.json";
pub(crate) const CONTROLS: &str = "controls.json";
pub(crate) const ORIGIN: &str = "audit/origin";
pub(crate) const CHECKPOINT: &str = "audit/checkpoint";
pub(crate) const VKEYS: &str = "audit/vkeys";
pub(crate) const HAND_OVERS: &str = "audit/hand-overs.jsonl";
pub(crate) const RECORDS: &str = "audit/records.jsonl";
/// What proves the places of hashes in there.
pub(crate) const AROUND: &str = "audit/around.json";
/// What holds for all erasures of the period, the certificate of each, the records that they rest on and that are not of the period,
/// and the same for people.
pub(crate) const ERASURES: &str = "erasures/erasures.json";
pub(crate) const CERTIFICATES: &str = "erasures/certificates.jsonl";
pub(crate) const OTHER_RECORDS: &str = "erasures/records.jsonl";
pub(crate) const ERASURES_PAGE: &str = "erasures/erasures.html";
pub(crate) const MODELS: &str = "models.json";
pub(crate) const POLICY: &str = "policy.txt";
pub(crate) const SBOM: &str = "sbom.cdx.json";
pub(crate) const KEY: &str = "keys/export.pem";

/// What the signed statement says: whose evidence it is, and where its key is on record.
pub(crate) const PREDICATE: &str = "urn:lightproof:evidence:v1";

const SCHEMA: &str = "lightproof/evidence-bundle/v1";

/// Where the reading of a control lies.
pub(crate) fn probe(id: &str) -> String {
    format!("probes/{id}.json")
}

/// Where a cited record lies.
pub(crate) fn cited(seq: u64) -> String {
    format!("audit/cited/{seq}.json")
}

/// Where its proof lies.
pub(crate) fn proof(seq: u64) -> String {
    format!("audit/proofs/{seq}.tlog-proof")
}

/// Where a time stamp lies that record `seq` names.
pub(crate) fn stamp(seq: u64) -> String {
    format!("audit/stamps/{seq}.tsr")
}

/// Where the checkpoint lies that it is about.
pub(crate) fn stamped(seq: u64) -> String {
    format!("audit/stamps/{seq}.checkpoint")
}

/// The number of the record that a path is about.
pub(crate) fn cited_number(path: &str) -> Option<u64> {
    number_between(path, "audit/cited/", ".json")
}

/// The number in the path of a time stamp.
pub(crate) fn stamp_number(path: &str) -> Option<u64> {
    number_between(path, "audit/stamps/", ".tsr")
        .or_else(|| number_between(path, "audit/stamps/", ".checkpoint"))
}

fn number_between(path: &str, before: &str, after: &str) -> Option<u64> {
    let number = path.strip_prefix(before)?.strip_suffix(after)?;
    number.parse::<u64>().ok().filter(|n| n.to_string() == number)
}

/// The list of a bundle's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// Random; which bundle it is.
    pub id: [u8; 16],
    /// When it was made, in milliseconds since 1970.
    pub made_ms: u64,
    /// Sorted by path.
    pub files: Vec<Listed>,
}

impl Manifest {
    pub fn to_json(&self) -> Vec<u8> {
        let files: Vec<Value> = self
            .files
            .iter()
            .map(|f| json!({ "path": f.path, "bytes": f.bytes, "sha256": f.sha256.to_string() }))
            .collect();
        canonical(&json!({
            "schema": SCHEMA, "id": base16ct::lower::encode_string(&self.id),
            "made": audit::timestamp(self.made_ms), "made_ms": self.made_ms, "files": files,
        }))
    }

    /// Reads what [`Manifest::to_json`] writes, and nothing else; no path leads out of the folder.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let value = parse(bytes)?;
        let listed = |file: &Value| {
            let path = text(file, "path").filter(|path| is_path(path))?.to_owned();
            let sha256 = text(file, "sha256").and_then(unhex).map(Digest)?;
            let known = has_only(file, &["path", "bytes", "sha256"]);
            Some(Listed { path, bytes: number(file, "bytes")?, sha256 }).filter(|_| known)
        };
        let files: Vec<Listed> = value.get("files")?.as_array()?.iter().map(listed).collect::<Option<_>>()?;
        let is_sorted = files.windows(2).all(|two| two[0].path < two[1].path);
        let id = text(&value, "id").and_then(unhex)?;
        let manifest = Self { id, made_ms: number(&value, "made_ms")?, files };
        (is_sorted && manifest.to_json() == bytes).then_some(manifest)
    }
}

/// `audit/cited/17.json`: names of a bundle are plain, and none leads upwards.
fn is_path(path: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let is_name = |part: &str| !part.is_empty() && !part.starts_with('.') && part.chars().all(fits);
    path.len() <= 100 && path.split('/').all(is_name) && ![MANIFEST, ENVELOPE].contains(&path)
}
