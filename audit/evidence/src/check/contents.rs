//! What the other files say, held against the log and against each other.

use super::judged::{Judged, judge};
use super::log::Trusted;
use super::reading::Reading;
use super::rehearsal;
use crate::bundle;
use crate::clocks::pinned;
use crate::dsse::{Envelope, key_on_record};
use crate::json;
use crate::oscal;
use crate::papers::PAPERS;
use crate::rehearsal::FILE;
use crate::report::Checked;
use crate::run;
use crate::verdict::Outcome;
use audit::{Digest, Stored};
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub(super) fn check(
    reading: &Reading<'_>,
    trusted: &Trusted,
    envelope: Option<&Envelope>,
    checked: &mut Checked,
) {
    let Some(bytes) = reading.read(bundle::RESULTS, checked) else { return };
    let digest = Digest::of(&bytes);
    let names_it = |record: &&Stored| record.name == "evidence.tried" && record.digest("run") == Some(digest);
    let run_record = trusted.records.values().find(names_it).map(|record| record.seq);
    if run_record.is_none() {
        checked.find(bundle::RESULTS, "is not the run that a proved record of the log names");
    }
    if let Some(envelope) = envelope {
        predicate(reading, trusted, envelope, digest, run_record, checked);
    }
    let catalogue = catalogue(reading, checked);
    if let (Some(results), Some((of_bundle, catalogue))) =
        (parsed(reading, bundle::RESULTS, checked), catalogue)
    {
        // The record names the run, and the run its catalogue: the conditions cannot be changed afterwards either.
        if json::text(&results, "catalogue") != Some(of_bundle.to_string().as_str()) {
            checked.find(bundle::CONTROLS, "is not the catalogue that the results were judged by");
        }
        let policy = reading.read(bundle::POLICY, checked).map(|text| Digest::of(&text).to_string());
        if policy.is_some_and(|digest| json::text(&results, "policy") != Some(digest.as_str())) {
            checked.find(bundle::POLICY, "is not the policy that the controls were tried under");
        }
        match judge(&results, &catalogue) {
            Ok(all) => {
                of_run(reading, trusted, &all, checked);
                oscal_results(reading, &all, checked);
                papers(reading, &all, checked);
                of_rehearsal(reading, &all, checked);
                let count = |of| all.iter().filter(|judged| judged.outcome == of).count() as u64;
                checked.outcomes = Some(Outcome::ALL.map(|of| (of, count(of))));
            }
            Err(what) => checked.find(bundle::RESULTS, what),
        }
    }
    references(reading, checked);
    incident(reading, trusted, checked);
    failures(reading, checked);
    // An older program carried none, and so may one that somebody compiled for themselves.
    if reading.lists(bundle::SBOM)
        && let Some(sbom) = parsed(reading, bundle::SBOM, checked)
        && json::text(&sbom, "bomFormat") != Some("CycloneDX")
    {
        checked.find(bundle::SBOM, "is no list of parts in the form of CycloneDX");
    }
}

/// The signature names the log, its size and root, and the records that vouch for key and run.
fn predicate(
    reading: &Reading<'_>,
    trusted: &Trusted,
    envelope: &Envelope,
    run: Digest,
    run_record: Option<u64>,
    checked: &mut Checked,
) {
    let Some(head) = &trusted.head else { return };
    let key_record = json::number(&envelope.predicate, "key_record");
    let named = key_record.and_then(|seq| trusted.records.get(&seq)).and_then(key_on_record);
    let wanted = json!({
        "id": base16ct::lower::encode_string(&reading.manifest.id), "origin": head.origin, "size": head.size,
        "root": head.root.to_string(), "first_key": checked.first_key,
        "key_record": key_record, "run_record": run_record, "run": run.to_string(),
    });
    if envelope.predicate != wanted || named != trusted.export_key {
        checked.find(bundle::ENVELOPE, "was signed for another state of the log, or for another run");
    }
}

/// Each reading lies in its own file, and rests on records that are proved.
fn of_run(reading: &Reading<'_>, trusted: &Trusted, all: &[Judged], checked: &mut Checked) {
    let mut known = BTreeSet::new();
    for Judged { id, reading: of_control, .. } in all {
        let Some((value, of_control)) = of_control else { continue };
        let path = bundle::probe(id);
        if !reading.lists(&path) {
            checked.find(&path, "is missing, though the results hold this reading");
        } else if reading.read(&path, checked).is_some_and(|bytes| bytes != json::canonical(value)) {
            checked.find(&path, "is not the reading that the results hold");
        }
        for seq in of_control.records().iter().filter(|seq| !trusted.records.contains_key(seq)) {
            checked.find(&bundle::cited(*seq), format_args!("is missing, though {id} rests on it"));
        }
        known.insert(path);
    }
    for file in reading.manifest.files.iter().filter(|file| file.path.starts_with("probes/")) {
        if !known.contains(&file.path) {
            checked.find(&file.path, "is a reading that the results do not hold");
        }
    }
}

/// The catalogue of the bundle, with its digest. That it is another version's is said, and is no finding.
fn catalogue(reading: &Reading<'_>, checked: &mut Checked) -> Option<(Digest, Value)> {
    let value = parsed(reading, bundle::CONTROLS, checked)?;
    let digest = Digest::of(&json::canonical(&value));
    checked.other_catalogue = Some(digest).filter(|digest| *digest != run::catalogue());
    Some((digest, value))
}

/// What OSCAL says of each control is what the results say.
fn oscal_results(reading: &Reading<'_>, all: &[Judged], checked: &mut Checked) {
    let Some(value) = parsed(reading, oscal::RESULTS, checked) else { return };
    let results = value["assessment-results"]["results"].as_array().map_or(&[][..], Vec::as_slice);
    for finding in results.iter().flat_map(|result| result["findings"].as_array().into_iter().flatten()) {
        let title = json::text(finding, "title").unwrap_or_default();
        let state = finding["target"]["status"]["state"].as_str();
        let judged = all.iter().find(|judged| judged.id == title);
        let wanted = judged.map(|judged| match judged.outcome {
            Outcome::Satisfied => "satisfied",
            _ => "not-satisfied",
        });
        if wanted.is_none() || state != wanted {
            checked.find(
                oscal::RESULTS,
                format_args!("says of {} what the results do not", title.escape_default()),
            );
        }
    }
}

/// What the papers say was found is what the results say. Bundles of older versions have none, and so have those about another
/// framework.
fn papers(reading: &Reading<'_>, all: &[Judged], checked: &mut Checked) {
    if !reading.lists(PAPERS) {
        return;
    }
    let Some(value) = parsed(reading, PAPERS, checked) else { return };
    let papers = value["papers"].as_array().map_or(&[][..], Vec::as_slice);
    let fields = papers.iter().flat_map(|paper| paper["fields"].as_array().into_iter().flatten());
    for found in fields.flat_map(|field| field["found"].as_array().into_iter().flatten()) {
        let id = json::text(found, "control").unwrap_or_default();
        let judged = all.iter().find(|judged| judged.id == id).map(|judged| judged.outcome.word());
        if judged.is_none() || json::text(found, "outcome") != judged {
            checked.find(PAPERS, format_args!("says of {} what the results do not", id.escape_default()));
        }
    }
    if papers.iter().any(|paper| json::text(paper, "state") != Some("controllers_part")) {
        checked.find(PAPERS, "takes a paper for a control: each is the controller's part");
    }
}

/// What it says of the rehearsal that it is of.
fn of_rehearsal(reading: &Reading<'_>, all: &[Judged], checked: &mut Checked) {
    if reading.lists(FILE)
        && let Some(value) = parsed(reading, FILE, checked)
    {
        rehearsal::check(&value, all, checked);
    }
}

/// The incident is the one that a proved record pins.
fn incident(reading: &Reading<'_>, trusted: &Trusted, checked: &mut Checked) {
    if !reading.lists(bundle::INCIDENT) {
        return;
    }
    let Some(value) = parsed(reading, bundle::INCIDENT, checked) else { return };
    let record = json::number(&value, "record").and_then(|seq| trusted.records.get(&seq));
    if record.and_then(pinned).as_ref() != Some(&value) {
        checked.find(bundle::INCIDENT, "is not the state that a proved record of the log pins");
    }
}

/// What its own check found, where it was handed out all the same.
fn failures(reading: &Reading<'_>, checked: &mut Checked) {
    if !reading.lists(bundle::FINDINGS) {
        return;
    }
    let Some(value) = parsed(reading, bundle::FINDINGS, checked) else { return };
    match value["findings"].as_array().map_or(0, Vec::len) {
        0 => checked.find(bundle::FINDINGS, "is no list of what was found"),
        count => checked.failures = count as u64,
    }
}

/// No reference of an OSCAL file leads nowhere, or out of the bundle.
fn references(reading: &Reading<'_>, checked: &mut Checked) {
    for path in [oscal::CATALOG, oscal::COMPONENT, oscal::PLAN, oscal::RESULTS] {
        let Some(value) = parsed(reading, path, checked) else { continue };
        let mut found = Found::default();
        found.walk(&value);
        for href in &found.hrefs {
            let leads = match (href.strip_prefix('#'), href.strip_prefix("../")) {
                (Some(uuid), _) => found.uuids.contains(uuid),
                (None, Some(above)) => reading.lists(above),
                (None, None) => reading.lists(&format!("oscal/{href}")),
            };
            if !leads {
                checked.find(path, format_args!("refers to {}, which is not there", href.escape_default()));
            }
        }
        for uuid in found.observed.iter().filter(|uuid| !found.uuids.contains(uuid.as_str())) {
            checked.find(
                path,
                format_args!("refers to observation {}, which is not there", uuid.escape_default()),
            );
        }
        if found.twice {
            checked.find(path, "gives one id to two things");
        }
    }
}

fn parsed(reading: &Reading<'_>, path: &str, checked: &mut Checked) -> Option<Value> {
    let value = json::parse(&reading.read(path, checked)?);
    if value.is_none() {
        checked.find(path, "is not canonical JSON");
    }
    value
}

/// What an OSCAL file names and what it refers to.
#[derive(Default)]
struct Found {
    uuids: BTreeSet<String>,
    twice: bool,
    hrefs: BTreeSet<String>,
    observed: BTreeSet<String>,
}

impl Found {
    fn walk(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.walk(item)),
            Value::Object(members) => {
                for (key, value) in members {
                    match (key.as_str(), value.as_str()) {
                        ("uuid", Some(uuid)) => self.twice |= !self.uuids.insert(uuid.to_owned()),
                        ("href" | "source", Some(href)) => self.hrefs.extend([href.to_owned()]),
                        ("observation-uuid", Some(uuid)) => self.observed.extend([uuid.to_owned()]),
                        _ => self.walk(value),
                    }
                }
            }
            _ => {}
        }
    }
}
