//! Making a bundle, from a log, a run and what the program says of itself.

use crate::bundle::{self, Manifest};
use crate::clocks::pinned;
use crate::dsse::{ExportKey, key_on_record, pem};
use crate::erasures::{self, Counted};
use crate::error::Error;
use crate::export::{Export, Exported};
use crate::folder::NewFolder;
use crate::json::canonical;
use crate::models::{Imports, Models, see_import};
use crate::period::{Pruned, Row, Written};
use crate::report::Finding;
use crate::run::reading_to_json;
use crate::{describe, folder, oscal, papers, readme, rehearsal, stamps};
use audit::{Digest, Item, Object, Proofs, PublicKey, Stored};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::Path;

/// How to check a bundle without any program of ours.
const VERIFY: &str = include_str!("VERIFY.md");
/// The part of it that is about the log alone.
const VERIFY_LOG: &str = include_str!("verify_log.py");

/// The records of the period.
struct OfPeriod {
    count: u64,
    /// Their numbers.
    range: Option<RangeInclusive<u64>>,
    /// The pictures that were erased in it.
    erased: BTreeSet<Object>,
    /// What it says of models.
    models: Value,
    /// The records that something rests on, of whatever time.
    cited: BTreeMap<u64, Stored>,
    /// How many were pruned.
    gone: Pruned,
}

impl Export<'_> {
    /// Makes the bundle in `dir`, which is made, too, but for the name of its signature, which [`finish`] gives it: until then nobody
    /// takes it for one. The key signs it, and is gone. Where it ends with an error nothing is left behind.
    ///
    /// # Errors
    /// [`Error::Exists`]; [`Error::Record`] when the log does not name this run, this key and this freeze; what log and disk say.
    pub fn make(&self, dir: &Path, key: ExportKey) -> Result<Exported, Error> {
        let proofs = Proofs::read(self.log)?;
        let mut folder = NewFolder::make(dir)?;
        match self.fill(&mut folder, &proofs, key) {
            Ok(exported) => Ok(exported),
            Err(error) => {
                folder.remove();
                Err(error)
            }
        }
    }

    fn fill(&self, folder: &mut NewFolder, proofs: &Proofs, key: ExportKey) -> Result<Exported, Error> {
        let head = proofs.checkpoint();
        signatures(folder, proofs)?;
        let OfPeriod { count: records, range, erased, models, cited, gone } = self.records(folder, proofs)?;
        let erasures = erasures::hand_over(folder, (self.log, proofs), &erased, range, &self.languages())?;
        Self::check_record(&cited, self.run_record, "it does not name this run", |record| {
            record.name == "evidence.tried" && record.digest("run") == Some(self.run.digest())
        })?;
        let public = key.public();
        Self::check_record(&cited, self.key_record, "it does not name this key", |record| {
            record.name == "evidence.key_drawn" && key_on_record(record) == Some(public)
        })?;
        if let Some(seq) = self.incident {
            let frozen =
                cited.get(&seq).and_then(pinned).ok_or(Error::Record { seq, what: "it pins no state" })?;
            folder.write(bundle::INCIDENT, &canonical(&frozen))?;
        }
        stamps::hand_over(folder, self.stamps)?;
        cited.values().try_for_each(|record| cite(folder, proofs, record))?;
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|_| Error::Randomness)?;
        folder.write(bundle::MODELS, &canonical(&models))?;
        self.texts(folder, id, public, (erasures, gone))?;
        folder.listed.sort_by(|one, other| one.path.cmp(&other.path));
        let files = folder.listed.len() as u64 + 2;
        let manifest = Manifest { id, made_ms: self.made_ms, files: folder.listed.clone() }.to_json();
        let digest = Digest::of(&manifest);
        let predicate = json!({
            "id": base16ct::lower::encode_string(&id), "origin": head.origin, "size": head.size,
            "root": head.root.to_string(), "first_key": proofs.keys().first().map(ToString::to_string),
            "key_record": self.key_record, "run_record": self.run_record, "run": self.run.digest().to_string(),
        });
        folder.write(bundle::MANIFEST, &manifest)?;
        folder.write(
            bundle::UNSIGNED,
            &key.sign(bundle::PREDICATE, &[(bundle::MANIFEST, digest)], &predicate),
        )?;
        folder.seal()?;
        let Pruned { within: pruned, beside: pruned_beside } = gone;
        Ok(Exported { manifest: digest, files, records, erasures: erasures.certified, pruned, pruned_beside })
    }

    /// The records of the period, and those that something rests on. The last one of the period is cited, too: each
    /// record holds the hash of the one before, so its proof is one for all of them.
    fn records(&self, folder: &mut NewFolder, proofs: &Proofs) -> Result<OfPeriod, Error> {
        let size = proofs.checkpoint().size;
        let of_readings = self.run.verdicts().iter().filter_map(|verdict| verdict.reading());
        let mut wanted: BTreeSet<u64> = of_readings.flat_map(|reading| reading.records()).copied().collect();
        wanted.extend([0, self.run_record, self.key_record]);
        wanted.extend(self.incident);
        wanted.extend(self.stamps.iter().filter(|stamp| stamp.holds()).map(|stamp| stamp.record.seq));
        let (since, until) = (self.since_ms.unwrap_or(0), self.until_ms.unwrap_or(u64::MAX));
        let mut row = Row::begin(folder)?;
        let (mut erased, mut cited) = (BTreeSet::new(), BTreeMap::new());
        let (mut models, mut imports) = (Models::default(), Imports::new());
        for item in audit::items(self.log)? {
            let record = match item? {
                Item::Pruned(seq, leaf) if seq < size => {
                    row.gone(leaf);
                    continue;
                }
                Item::Record(record) if record.seq < size => record,
                _ => break,
            };
            if wanted.remove(&record.seq) {
                cited.insert(record.seq, (*record).clone());
            }
            see_import(&mut imports, &record);
            row.see(&record);
            if (since..=until).contains(&record.ts_ms) {
                row.add(&record)?;
                models.see(&record);
                erased.extend(record.object.filter(|_| record.name == "object.erased"));
            } else {
                row.pass(record.ts_ms > until);
            }
        }
        let count = row.count;
        let Written { first, last, gone, pruning } = row.end(folder, proofs)?;
        let range = first.zip(last.as_ref()).map(|(first, last)| first..=last.seq);
        cited.extend(last.into_iter().chain(pruning).map(|record| (record.seq, record)));
        imports.retain(|model, _| models.has(*model));
        cited.extend(imports.values().map(|record| (record.seq, record.clone())));
        let models = models.to_json(&self.embedded, &imports);
        match wanted.first() {
            Some(seq) => Err(Error::Record { seq: *seq, what: "the log does not hold it" }),
            None => Ok(OfPeriod { count, range, erased, models, cited, gone }),
        }
    }

    fn check_record(
        cited: &BTreeMap<u64, Stored>,
        seq: u64,
        what: &'static str,
        is_it: impl Fn(&Stored) -> bool,
    ) -> Result<(), Error> {
        if cited.get(&seq).is_some_and(is_it) { Ok(()) } else { Err(Error::Record { seq, what }) }
    }

    /// The files that are not of the log.
    fn texts(
        &self,
        folder: &mut NewFolder,
        id: [u8; 16],
        key: PublicKey,
        (erasures, gone): (Counted, Pruned),
    ) -> Result<(), Error> {
        folder.write(bundle::RESULTS, &self.run.to_json())?;
        folder.write(bundle::CONTROLS, &canonical(&describe::controls()))?;
        for verdict in self.run.verdicts() {
            if let Some(reading) = verdict.reading() {
                let id = verdict.control().id;
                folder.write(&bundle::probe(id), &canonical(&reading_to_json(reading)))?;
            }
        }
        for (path, value) in oscal::files(self, id) {
            folder.write(path, &canonical(&value))?;
        }
        folder.write("gdpr/articles.json", &canonical(&describe::articles()))?;
        for (path, bytes) in papers::files(self) {
            folder.write(&path, &bytes)?;
        }
        if let Some(rehearsal) = self.rehearsal {
            folder.write(rehearsal::FILE, &canonical(&rehearsal.to_json()))?;
        }
        if !self.failures.is_empty() {
            folder.write(bundle::FINDINGS, &canonical(&findings(self.failures)))?;
        }
        folder.write(bundle::POLICY, self.policy.as_bytes())?;
        if let Some(sbom) = self.sbom {
            let sbom = crate::json::read(sbom).ok_or(Error::Sbom)?;
            folder.write(bundle::SBOM, &canonical(&sbom))?;
        }
        folder.write("posture.json", &canonical(self.posture))?;
        folder.write(bundle::KEY, pem(key).as_bytes())?;
        folder.write("VERIFY.md", with_log(VERIFY).as_bytes())?;
        folder.write("README.html", readme::page(self, erasures, gone).as_bytes())
    }
}

/// Gives the bundle in `dir` its signature: from here on it is one. Call it when the bundle is on record.
///
/// # Errors
/// [`Error::Io`].
pub fn finish(dir: &Path) -> Result<(), Error> {
    folder::rename(dir, bundle::UNSIGNED, bundle::ENVELOPE)
}

/// Whether a bundle or a certificate lies there that somebody signed.
pub fn is_signed(dir: &Path) -> bool {
    dir.join(bundle::ENVELOPE).symlink_metadata().is_ok() || crate::is_certificate(dir)
}

/// Whether what lies there was ended before it was signed, by a signal or a power cut: the files of a bundle or a certificate, which no
/// check takes for one.
pub fn is_unfinished(dir: &Path) -> bool {
    // A log has no file of this name.
    dir.join(bundle::HAND_OVERS).symlink_metadata().is_ok() && !is_signed(dir)
}

/// What the check of the bundle found when it was made the first time.
fn findings(failures: &[Finding]) -> Value {
    let failures = failures.iter().map(|finding| json!({ "file": finding.file, "text": finding.text }));
    json!({ "schema": "lightproof/bundle-findings/v1", "findings": failures.collect::<Vec<_>>() })
}

/// The instructions with the part that is about the log.
pub(crate) fn with_log(text: &str) -> String {
    text.replacen("@LOG@\n", VERIFY_LOG, 1)
}

/// What leads from the first key of the log to its newest checkpoint.
pub(crate) fn signatures(folder: &mut NewFolder, proofs: &Proofs) -> Result<(), Error> {
    let keys: String = proofs.keys().iter().map(|key| format!("{key}\n")).collect();
    folder.write(bundle::ORIGIN, format!("{}\n", proofs.checkpoint().origin).as_bytes())?;
    folder.write(bundle::CHECKPOINT, &proofs.note())?;
    folder.write(bundle::VKEYS, keys.as_bytes())?;
    hand_overs(folder, proofs)
}

/// A record with its proof.
pub(crate) fn cite(folder: &mut NewFolder, proofs: &Proofs, record: &Stored) -> Result<(), Error> {
    let seq = record.seq;
    let proof = proofs.of(seq).ok_or(Error::Record { seq, what: "no checkpoint covers it yet" })?;
    folder.write(&bundle::cited(seq), record.json().as_bytes())?;
    folder.write(&bundle::proof(seq), proof.text().as_bytes())
}

fn hand_overs(folder: &mut NewFolder, proofs: &Proofs) -> Result<(), Error> {
    let mut file = folder.begin(bundle::HAND_OVERS)?;
    for hand_over in proofs.hand_overs()? {
        let value = json!({ "record": hand_over.record, "proof": hand_over.proof.text() });
        file.write(&canonical(&value))?;
        file.write(b"\n")?;
    }
    folder.end(file)
}
