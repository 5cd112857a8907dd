//! The erasures of the period: each certificate is what the records say, none is missing, and none is about anything else. Bundles
//! of older versions have none.

use super::log::Trusted;
use super::reading::{FILE_BYTES_MAX, Reading};
use crate::bundle::{CERTIFICATES, ERASURES, ERASURES_PAGE, OTHER_RECORDS, RECORDS};
use crate::certificate::facts::{Ends, Facts};
use crate::erasures::{certificate, of_all, others};
use crate::folder;
use crate::json::{canonical, parse, text, unhex};
use crate::report::Checked;
use audit::{Digest, Object, Stored};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};

pub(super) fn check(reading: &Reading<'_>, trusted: &Trusted, checked: &mut Checked) {
    if !reading.lists(ERASURES) {
        let parts = [CERTIFICATES, OTHER_RECORDS, ERASURES_PAGE].into_iter();
        parts
            .filter(|path| reading.lists(path))
            .for_each(|path| checked.find(path, "belongs to erasures.json, which is missing"));
        return;
    }
    // What is wrong with the records is found already, and nothing can be told from them.
    let Some(head) = &trusted.head else { return };
    let is_blamed = checked.findings.iter().any(|finding| finding.file == RECORDS);
    let period = checked.records.map(|(first, last)| first..=last);
    let Some(said) = reading.read(ERASURES, checked).filter(|_| !is_blamed) else { return };
    let Some(said) = parse(&said) else {
        checked.find(ERASURES, "is not in canonical form");
        return;
    };
    let mut leaves: Vec<(u64, Digest)> = Vec::new();
    let read = reading.records(OTHER_RECORDS, &[], |record| leaves.push((record.seq, record.leaf())));
    let hashes = hashes(&said);
    let root = hashes.as_ref().and_then(|hashes| audit::root_around(head.size, &leaves, hashes));
    if read.is_err() || root != Some(head.root) {
        let path = if leaves.is_empty() { ERASURES } else { OTHER_RECORDS };
        checked.find(path, "does not lead to the checkpoint: these are not the records that the log holds");
        return;
    }
    let ends = ends(reading, period.as_ref().map_or(0, |period| *period.start()));
    if !leaves.iter().map(|(seq, _)| *seq).eq(others(&ends, period.as_ref())) {
        checked.find(OTHER_RECORDS, "has other records than the certificates rest on");
    }
    certificates(reading, &ends, checked);
    if said != of_all(&ends, &hashes.unwrap_or_default()) {
        checked.find(ERASURES, "says of all erasures what their records do not say");
    }
    checked.erasures = Some(ends.pictures.len() as u64);
}

fn hashes(said: &Value) -> Option<Vec<Digest>> {
    let hashes = said.get("hashes")?.as_array()?.iter();
    hashes.map(|hash| hash.as_str().and_then(unhex).map(Digest)).collect()
}

/// What the records say: those of other times stand before and after those of the period.
fn ends(reading: &Reading<'_>, first: u64) -> Ends {
    let mut objects: BTreeSet<Object> = BTreeSet::new();
    let see = |record: &Stored| objects.extend(record.object.filter(|_| record.name == "object.erased"));
    let _ = reading.records(RECORDS, MATTERS, see);
    let mut facts = Facts::about(objects.iter().copied());
    if !objects.is_empty() {
        let mut after = Vec::new();
        let _ = reading.records(OTHER_RECORDS, &[], |record| {
            if record.seq < first { facts.see(record) } else { after.push(record.clone()) }
        });
        let _ = reading.records(RECORDS, MATTERS, |record| facts.see(record));
        after.iter().for_each(|record| facts.see(record));
    }
    facts.ends()
}

/// How the types of such records begin.
const MATTERS: &[&[u8]] = &[b"\"object.", b"\"backup."];

/// One line for each of them, and no other.
fn certificates(reading: &Reading<'_>, ends: &Ends, checked: &mut Checked) {
    let mut left: HashMap<String, usize> =
        ends.pictures.iter().enumerate().map(|(at, picture)| (picture.object.to_string(), at)).collect();
    let (mut differing, mut surplus, mut before) = (Named::default(), Named::default(), None);
    let mut is_in_order = true;
    if reading.lists(CERTIFICATES) {
        let read = folder::lines(&reading.dir.join(CERTIFICATES), FILE_BYTES_MAX, |line| {
            let stated = parse(line);
            let object = stated.as_ref().and_then(|stated| text(stated, "object")).unwrap_or_default();
            let Some(at) = left.remove(object) else { return surplus.add(object) };
            if canonical(&certificate(&ends.pictures[at], &ends.backups)) != line {
                differing.add(object);
            }
            is_in_order &= before.is_none_or(|before| before < at);
            before = Some(at);
        });
        if read.is_err() {
            checked.find(CERTIFICATES, "cannot be read to its end");
        }
    }
    if let Some(which) = differing.words() {
        checked.find(CERTIFICATES, format_args!("says of {which} what its records do not say"));
    }
    if let Some(which) = surplus.words() {
        checked.find(
            CERTIFICATES,
            format_args!("has a certificate of {which}, whose end is not among the records, or one too many"),
        );
    }
    let mut missing = Named::default();
    ends.pictures
        .iter()
        .map(|picture| picture.object.to_string())
        .filter(|object| left.contains_key(object))
        .for_each(|object| missing.add(&object));
    if let Some(which) = missing.words() {
        checked.find(
            CERTIFICATES,
            format_args!("has no certificate of {which}, whose key was destroyed in this period"),
        );
    }
    if !is_in_order {
        checked.find(CERTIFICATES, "does not have them in the order of their end");
    }
}

/// The first of several pictures, and how many there are.
#[derive(Default)]
struct Named {
    first: Option<String>,
    count: u64,
}

impl Named {
    fn add(&mut self, object: &str) {
        self.first.get_or_insert_with(|| object.escape_default().to_string());
        self.count += 1;
    }

    fn words(&self) -> Option<String> {
        let first = self.first.as_ref()?;
        Some(if self.count > 1 { format!("{first} and {} more", self.count - 1) } else { first.clone() })
    }
}
