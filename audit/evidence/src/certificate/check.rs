//! The check of a certificate. It reads, never writes, and trusts nothing but the first key of the log.
//!
//! The way of trust: first key, hand-overs, newest key, checkpoint, the records in the statement, the one of them that names the
//! key, the signature, the digests of the other files. Then every fact is read from the records anew. That no export of a picture
//! was left out can be told from the log alone.

use super::facts::{Facts, Picture};
use super::page;
use super::statement::{PAGE, PREDICATE, STATEMENT, Stated, Statement, VERIFY, key_drawn};
use crate::dsse::Envelope;
use crate::error::{Error, io_error};
use crate::folder;
use crate::report::{Expected, Finding};
use audit::words::Grade;
use audit::{Digest, HandOver, Head, Object, Order, Proof, Stored, VerifyKey};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::ErrorKind;
use std::path::Path;

/// Longest file of a certificate.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// What a finding about the log is about.
const LOG: &str = "--log";

/// What the check found.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct CheckedCertificate {
    /// What is wrong; nothing, if the certificate is what was handed out.
    pub findings: Vec<Finding>,
    /// Name of the log.
    pub origin: Option<String>,
    /// How many records the log had.
    pub size: u64,
    /// The first key, root of trust: to be compared with the one that was noted.
    pub first_key: Option<String>,
    /// When the certificate was made, in milliseconds since 1970, by the clock of the machine that made it.
    pub made_ms: Option<u64>,
    /// What it is about, as its records have it.
    pub pictures: Vec<ErasedPicture>,
    /// Whether it was held against the log itself.
    pub is_held_against_log: bool,
}

/// A picture whose key was destroyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErasedPicture {
    /// Its pseudonym.
    pub object: Object,
    /// Number of the record of its end.
    pub record: u64,
    /// Time of that, in milliseconds since 1970.
    pub ts_ms: u64,
    /// How well the storage forgets.
    pub grade: Grade,
    /// Plain copies that left, or may have left.
    pub exports: usize,
    /// Backups that were made while it was there.
    pub backups: usize,
}

/// Whether a folder holds a certificate, and no bundle.
pub fn is_certificate(dir: &Path) -> bool {
    dir.join(STATEMENT).symlink_metadata().is_ok()
}

/// Checks the certificate in `dir`, and holds it against the log in `log`.
///
/// # Errors
/// [`Error::NoCertificate`]; [`Error::Log`] and [`Error::Io`]: a folder cannot be read.
pub fn check(dir: &Path, expected: &Expected, log: Option<&Path>) -> Result<CheckedCertificate, Error> {
    let mut checked = CheckedCertificate::default();
    let path = dir.join(STATEMENT);
    let bytes = match folder::read(&path, FILE_BYTES_MAX) {
        Err(e) if [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&e.kind()) => {
            return Err(Error::NoCertificate { dir: dir.to_owned() });
        }
        other => other.map_err(io_error("read", &path))?,
    };
    for name in folder::names(dir).map_err(io_error("read", dir))? {
        if ![STATEMENT, PAGE, VERIFY].contains(&name.as_str()) {
            checked.find(&name, "does not belong to a certificate");
        }
    }
    let Some(envelope) = Envelope::parse(&bytes, PREDICATE) else {
        checked.find(STATEMENT, "is no signed statement in the form of this version");
        return Ok(checked);
    };
    files(dir, &envelope, &mut checked);
    let statement = match statement(&envelope, expected, &mut checked) {
        Ok(statement) => statement,
        Err(what) => {
            checked.find(STATEMENT, what);
            return Ok(checked);
        }
    };
    page_says_the_same(dir, &statement, &mut checked);
    checked.pictures = statement.pictures.iter().map(erased).collect();
    expect(&statement, expected, log.is_some(), &mut checked);
    if let Some(log) = log {
        hold_against(log, &statement, Digest::of(&bytes), expected, &mut checked)?;
    }
    Ok(checked)
}

/// The other files are those that the statement names.
fn files(dir: &Path, envelope: &Envelope, checked: &mut CheckedCertificate) {
    let named: Vec<&str> = envelope.subjects.iter().map(|(name, _)| name.as_str()).collect();
    if named != [PAGE, VERIFY] {
        checked.find(STATEMENT, "is not about the files of a certificate");
        return;
    }
    for (name, sha256) in &envelope.subjects {
        match folder::measure(&dir.join(name), FILE_BYTES_MAX) {
            Ok((_, found)) if found == *sha256 => {}
            Ok(_) => checked.find(name, "is not the file that was signed: its content was changed"),
            Err(e) if e.kind() == ErrorKind::NotFound => checked.find(name, "is missing"),
            Err(e) => checked.find(name, format_args!("cannot be read: {e}")),
        }
    }
}

/// The statement, if it is signed as the log has it, and says nothing but what its records say.
fn statement(
    envelope: &Envelope,
    expected: &Expected,
    checked: &mut CheckedCertificate,
) -> Result<Statement, String> {
    let predicate = &envelope.predicate;
    let stated = Stated::read(predicate).ok_or("is no statement in the form of this version")?;
    checked.made_ms = Some(stated.made_ms);
    let keys = keys(&stated, expected, checked)?;
    let head = Head::parse(stated.checkpoint.as_bytes()).ok_or("has no checkpoint of this kind of log")?;
    if !keys.last().is_some_and(|newest| head.is_signed_by(newest)) {
        return Err("has a checkpoint that the newest key did not sign".into());
    }
    let checkpoint = head.checkpoint();
    checked.origin = Some(checkpoint.origin.clone());
    checked.size = checkpoint.size;
    let records = records(&stated, &head)?;
    let of_key = records.iter().find(|record| record.seq == stated.key_record);
    match of_key.and_then(key_drawn) {
        Some(key) if envelope.is_signed_by(key) => {}
        Some(_) => return Err("is not signed by the key that the log names".into()),
        None => return Err("is signed by a key that no proved record of the log names".into()),
    }
    let objects = stated.objects.iter().map(|text| Object::parse(text)).collect::<Option<Vec<_>>>();
    let mut facts = Facts::about(objects.ok_or("names what is no pseudonym of a picture")?);
    records.iter().for_each(|record| facts.see(record));
    let unproved = |object| format!("has no record of the end of {object}");
    let pictures = facts.pictures().map_err(unproved)?;
    let needed: BTreeSet<u64> =
        pictures.iter().flat_map(Picture::records).chain([stated.key_record]).collect();
    if !records.iter().map(|record| record.seq).eq(needed) {
        return Err("brings other records than it rests on".into());
    }
    let pair = |(one, other): &(&str, &str)| ((*one).to_owned(), (*other).to_owned());
    let statement = Statement {
        made_ms: stated.made_ms,
        version: stated.version.to_owned(),
        pictures,
        key_record: stated.key_record,
        checkpoint: stated.checkpoint.to_owned(),
        origin: checkpoint.origin.clone(),
        size: checkpoint.size,
        root: checkpoint.root.to_string(),
        vkeys: stated.vkeys.iter().map(|key| (*key).to_owned()).collect(),
        hand_overs: stated.hand_overs.iter().map(pair).collect(),
        records: stated.records.iter().map(pair).collect(),
        ids: stated.ids,
    };
    agree(predicate, &statement)?;
    Ok(statement)
}

/// Follows the hand-overs from the first key to the newest.
fn keys(
    stated: &Stated<'_>,
    expected: &Expected,
    checked: &mut CheckedCertificate,
) -> Result<Vec<VerifyKey>, String> {
    let listed: Option<Vec<VerifyKey>> = stated.vkeys.iter().map(|key| VerifyKey::parse(key)).collect();
    let listed = listed.ok_or("lists what is no key")?;
    let first = listed.first().ok_or("lists no key")?;
    checked.first_key = Some(first.to_string());
    if expected.first_key.as_ref().is_some_and(|wanted| wanted != first) {
        return Err("does not begin with the expected first key: it is of another log".into());
    }
    if listed.len() != stated.hand_overs.len() + 1 {
        return Err("lists other keys than were handed over to".into());
    }
    for ((epoch, two), (record, proof)) in (1u32..).zip(listed.windows(2)).zip(&stated.hand_overs) {
        let proof = Proof::parse(proof.as_bytes());
        let hand_over = proof.map(|proof| HandOver { record: (*record).to_owned(), proof });
        if hand_over.and_then(|of| of.next_key(&two[0], epoch)).as_ref() != Some(&two[1]) {
            return Err(format!("does not hand over to the key of epoch {epoch}"));
        }
    }
    Ok(listed)
}

/// Each record is in the log under that checkpoint.
fn records(stated: &Stated<'_>, head: &Head) -> Result<Vec<Stored>, String> {
    let mut all: Vec<Stored> = Vec::with_capacity(stated.records.len());
    for (line, proof) in &stated.records {
        let record = Stored::read(line.as_bytes()).map_err(|what| format!("brings a record with {what}"))?;
        let seq = record.seq;
        let proof = Proof::parse(proof.as_bytes()).ok_or(format!("has no proof of record {seq}"))?;
        if proof.note() != head.note() || proof.index() != seq || !proof.holds_for(line.as_bytes()) {
            return Err(format!("has another record {seq} than the log"));
        }
        if all.last().is_some_and(|before| before.seq >= seq) {
            return Err("has its records out of order".into());
        }
        all.push(record);
    }
    Ok(all)
}

/// What is stated is what its records say.
fn agree(predicate: &Value, statement: &Statement) -> Result<(), String> {
    let mut went: BTreeMap<u64, usize> = BTreeMap::new();
    for picture in &statement.pictures {
        *went.entry(picture.destroyed.vault_epoch).or_default() += 1;
    }
    let is_id = |id: &String| id.len() == 32 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let fits =
        |(epoch, ids): &(u64, Vec<String>)| went.get(epoch) == Some(&ids.len()) && ids.iter().all(is_id);
    if !statement.ids.iter().all(fits) || !statement.ids.windows(2).all(|two| two[0].0 < two[1].0) {
        return Err("names other ids than went in one roll of the vault".into());
    }
    let written = statement.to_json();
    if written == *predicate {
        return Ok(());
    }
    let listed = |of: &Value| of.get("pictures").and_then(Value::as_array).cloned().unwrap_or_default();
    let differs = listed(&written).into_iter().zip(listed(predicate)).find(|(one, other)| one != other);
    let object = differs.and_then(|(one, _)| one.get("object")?.as_str().map(str::to_owned));
    Err(object.map_or_else(
        || "says what does not follow from its records".to_owned(),
        |object| format!("says of {object} what its records do not say"),
    ))
}

/// The page is the one that this version makes of the statement. Another version may have other words for the same.
fn page_says_the_same(dir: &Path, statement: &Statement, checked: &mut CheckedCertificate) {
    let is_blamed = checked.findings.iter().any(|finding| finding.file == PAGE);
    if is_blamed || statement.version != env!("CARGO_PKG_VERSION") {
        return;
    }
    let found = folder::read(&dir.join(PAGE), FILE_BYTES_MAX).unwrap_or_default();
    if found != page::page(statement).as_bytes() {
        checked.find(PAGE, "does not say what certificate.json says");
    }
}

/// The checkpoint of the certificate is the one that was kept. Whether it goes on from another one is told by the log.
fn expect(statement: &Statement, expected: &Expected, has_log: bool, checked: &mut CheckedCertificate) {
    let Some(kept) = &expected.checkpoint else { return };
    let what = match Head::parse(kept) {
        None => "is held against what is no checkpoint of this kind of log",
        Some(kept) => {
            let kept = kept.checkpoint();
            match kept.origin == statement.origin {
                false => "is of another log than the expected checkpoint",
                true if has_log => return,
                true if kept.size == statement.size && kept.root.to_string() == statement.root => return,
                true => {
                    "rests on another checkpoint than the expected one; whether the two go together is told by the log: \
                     lightproof-audit certificate verify DIR --log DIR"
                }
            }
        }
    };
    checked.find(STATEMENT, what);
}

/// The log goes on from the checkpoint of the certificate, and has no more of these pictures than the certificate says.
fn hold_against(
    log: &Path,
    statement: &Statement,
    sha256: Digest,
    expected: &Expected,
    checked: &mut CheckedCertificate,
) -> Result<(), Error> {
    for checkpoint in [Some(statement.checkpoint.as_bytes()), expected.checkpoint.as_deref()] {
        let Some(checkpoint) = checkpoint else { continue };
        let report = audit::verify(log, Some(checkpoint))?;
        if let Some(finding) = report.findings.first() {
            checked.find(LOG, format_args!("{}: {}", finding.subject, finding.text));
            return Ok(());
        }
    }
    let mut facts = Facts::about(statement.pictures.iter().map(|picture| picture.object));
    let (mut is_issued, mut goes_on) = (false, false);
    for record in audit::records(log, Order::OldestFirst)? {
        let record = record?;
        if record.seq < statement.size {
            facts.see(&record);
            continue;
        }
        goes_on = true;
        is_issued |= record.name == "certificate.issued" && record.digest("statement") == Some(sha256);
    }
    let differs = |(one, other): &(&Picture, &Picture)| one != other;
    match facts.pictures() {
        Ok(all) => {
            if let Some((picture, _)) = statement.pictures.iter().zip(&all).find(differs) {
                let what = format_args!("leaves out what the log has of {}", picture.object);
                checked.find(STATEMENT, what);
            }
        }
        Err(object) => checked.find(LOG, format_args!("it has no end of {object}")),
    }
    if goes_on && !is_issued {
        checked.find(STATEMENT, "was never handed out, as the log has it");
    }
    checked.is_held_against_log = true;
    Ok(())
}

fn erased(picture: &Picture) -> ErasedPicture {
    let end = &picture.destroyed;
    ErasedPicture {
        object: picture.object,
        record: end.cited.record,
        ts_ms: end.cited.ts_ms,
        grade: end.grade,
        exports: picture.exports.len() + picture.exports_unknown.len(),
        backups: picture.backups.len(),
    }
}

impl CheckedCertificate {
    /// Whether nothing is wrong.
    pub fn is_ok(&self) -> bool {
        self.findings.is_empty()
    }

    /// One JSON object.
    pub fn to_json(&self) -> String {
        let findings: Vec<Value> =
            self.findings.iter().map(|f| json!({ "file": f.file, "text": f.text })).collect();
        let picture = |p: &ErasedPicture| {
            json!({ "object": p.object.to_string(), "record": p.record, "ts": audit::timestamp(p.ts_ms),
                "grade": p.grade.word(), "exports": p.exports, "backups": p.backups })
        };
        let data = json!({
            "origin": self.origin, "size": self.size, "first_key": self.first_key, "made_ms": self.made_ms,
            "pictures": self.pictures.iter().map(picture).collect::<Vec<_>>(),
            "held_against_log": self.is_held_against_log, "findings": findings,
        });
        json!({ "schema": "lightproof/certificate-verify/v1", "ok": self.is_ok(), "data": data }).to_string()
    }

    fn find(&mut self, file: &str, text: impl fmt::Display) {
        self.findings.push(Finding::new(file, text));
    }
}

/// For people: the findings, then what the certificate is about.
impl fmt::Display for CheckedCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{}: {}", finding.file, finding.text)?;
        }
        for picture in &self.pictures {
            let ErasedPicture { object, record, ts_ms, grade, exports, backups } = picture;
            let (time, grade) = (audit::timestamp(*ts_ms), grade.word().to_uppercase());
            write!(f, "{object}  key destroyed {time}, grade {grade}, record {record}")?;
            writeln!(f, "; exports on record: {exports}, backups: {backups}")?;
        }
        if let Some(key) = &self.first_key {
            writeln!(f, "first key {key}")?;
        }
        if let Some(made_ms) = self.made_ms {
            writeln!(f, "made      {}", audit::timestamp(made_ms))?;
        }
        match self.findings.len() {
            0 if self.is_held_against_log => f.write_str("verified, with the log: it has nothing else of these pictures"),
            0 => f.write_str(
                "verified: compare the first key with the one that was noted; that no export was left out is told by the log \
                 alone: lightproof-audit certificate verify DIR --log DIR",
            ),
            1 => f.write_str("NOT verified: 1 finding"),
            n => write!(f, "NOT verified: {n} findings"),
        }
    }
}
