//! What is signed, as JSON: a form that is written by whoever makes a certificate, and written again, from the records in it, by
//! whoever checks one.

use super::facts::{Cited, Picture};
use crate::dsse::key_on_record;
use crate::json::{number, text};
use audit::words::Grade;
use audit::{PublicKey, Stored};
use serde_json::{Value, json};

/// What the signed statement says: what was destroyed, and what was not.
pub(crate) const PREDICATE: &str = "urn:lightproof:erasure:v1";
/// The files of a certificate, in the order in which the statement names the first two.
pub(crate) const STATEMENT: &str = "certificate.json";
pub(crate) const PAGE: &str = "certificate.html";
pub(crate) const VERIFY: &str = "VERIFY.md";

/// How a key is destroyed: the vault file is written anew under a new master key and a new epoch key, without the key of
/// the picture, and the old epoch key is overwritten in the anchor.
pub(crate) const METHOD: &str = "key_destroyed_by_roll";
/// What nobody here can know of.
pub(crate) const NOT_KNOWN: [&str; 3] =
    ["plain_copies_elsewhere", "what_screens_showed", "older_images_of_the_disk"];

/// A statement.
#[derive(Debug)]
pub(crate) struct Statement {
    /// When it was made, in milliseconds since 1970.
    pub made_ms: u64,
    /// Version of the program.
    pub version: String,
    pub pictures: Vec<Picture>,
    /// By epoch of the vault: the ids of the pictures that went in that roll, as the vault has them. The log does not.
    pub ids: Vec<(u64, Vec<String>)>,
    /// Number of the record that names the key.
    pub key_record: u64,
    /// The newest checkpoint of the log.
    pub checkpoint: String,
    /// Its name, its number of records and its root, as the checkpoint has them.
    pub origin: String,
    pub size: u64,
    pub root: String,
    /// The keys of all epochs, the root of trust first.
    pub vkeys: Vec<String>,
    /// How each key handed over to the next: record and proof.
    pub hand_overs: Vec<(String, String)>,
    /// Every record that this rests on, in the order of the log, with its proof.
    pub records: Vec<(String, String)>,
}

impl Statement {
    /// The predicate.
    pub fn to_json(&self) -> Value {
        let ids: Vec<Value> =
            self.ids.iter().map(|(epoch, ids)| json!({ "vault_epoch": epoch, "ids": ids })).collect();
        json!({
            "made": audit::timestamp(self.made_ms), "made_ms": self.made_ms, "version": self.version,
            "method": METHOD, "pictures": self.pictures.iter().map(picture).collect::<Vec<_>>(), "ids": ids,
            "not_known": NOT_KNOWN, "key_record": self.key_record,
            "log": {
                "origin": self.origin, "size": self.size, "root": self.root, "checkpoint": self.checkpoint,
                "vkeys": self.vkeys, "hand_overs": proved(&self.hand_overs),
            },
            "records": proved(&self.records),
        })
    }
}

/// What a predicate has that does not follow from its records, and the pseudonyms of the pictures that it is about.
#[derive(Debug)]
pub(crate) struct Stated<'a> {
    pub made_ms: u64,
    pub version: &'a str,
    pub objects: Vec<&'a str>,
    pub ids: Vec<(u64, Vec<String>)>,
    pub key_record: u64,
    pub checkpoint: &'a str,
    pub vkeys: Vec<&'a str>,
    pub hand_overs: Vec<(&'a str, &'a str)>,
    pub records: Vec<(&'a str, &'a str)>,
}

impl<'a> Stated<'a> {
    /// Reads a predicate; whether it has other members is told by writing it again.
    pub fn read(predicate: &'a Value) -> Option<Self> {
        let log = predicate.get("log")?;
        let list = |of: &'a Value, key| of.get(key).and_then(Value::as_array);
        let pair = |item: &'a Value| Some((text(item, "record")?, text(item, "proof")?));
        let ids = |roll: &'a Value| {
            let ids = list(roll, "ids")?.iter().map(|id| id.as_str().map(str::to_owned));
            Some((number(roll, "vault_epoch")?, ids.collect::<Option<_>>()?))
        };
        Some(Self {
            made_ms: number(predicate, "made_ms")?,
            version: text(predicate, "version")?,
            objects: list(predicate, "pictures")?.iter().map(|p| text(p, "object")).collect::<Option<_>>()?,
            ids: list(predicate, "ids")?.iter().map(ids).collect::<Option<_>>()?,
            key_record: number(predicate, "key_record")?,
            checkpoint: text(log, "checkpoint")?,
            vkeys: list(log, "vkeys")?.iter().map(Value::as_str).collect::<Option<_>>()?,
            hand_overs: list(log, "hand_overs")?.iter().map(pair).collect::<Option<_>>()?,
            records: list(predicate, "records")?.iter().map(pair).collect::<Option<_>>()?,
        })
    }
}

/// The key that a record of its drawing names.
pub(crate) fn key_drawn(record: &Stored) -> Option<PublicKey> {
    if record.name == "certificate.key_drawn" { key_on_record(record) } else { None }
}

/// What a grade leaves open.
pub(crate) fn not_covered(grade: Grade) -> &'static [&'static str] {
    match grade {
        Grade::A => &["older_images_of_the_disk"],
        Grade::V => &["older_images_of_memory", "older_images_of_the_disk"],
        Grade::C => &["snapshots_and_older_blocks", "spare_blocks_of_the_drive", "older_images_of_the_disk"],
        // What a later version knows is at least as open as what this one does.
        _ => &["spare_blocks_of_the_drive", "older_images_of_the_disk"],
    }
}

/// What is stated of one picture.
pub(crate) fn picture(picture: &Picture) -> Value {
    let end = &picture.destroyed;
    let mut destroyed = cited(&end.cited);
    let facts = json!({
        "job": end.job.to_string(), "grade": end.grade.word(), "not_covered": not_covered(end.grade),
        "vault_epoch": end.vault_epoch, "vault_seq": end.vault_seq, "vault_root": end.vault_root.to_string(),
        "sealed_file_left": end.file_left,
    });
    if let (Value::Object(destroyed), Value::Object(facts)) = (&mut destroyed, facts) {
        destroyed.extend(facts);
    }
    let export = |(of, bytes): &(Cited, u64)| {
        let mut export = cited(of);
        export["bytes"] = (*bytes).into();
        export
    };
    json!({
        "object": picture.object.to_string(),
        "made": picture.made.as_ref().map(cited), "removed_by_hand": picture.lost.as_ref().map(cited),
        "asked": picture.asked.as_ref().map(cited), "destroyed": destroyed,
        "not_destroyed": {
            "exports": picture.exports.iter().map(export).collect::<Vec<_>>(),
            "exports_that_may_have_left": picture.exports_unknown.iter().map(cited).collect::<Vec<_>>(),
            "backups": picture.backups.iter().map(backup).collect::<Vec<_>>(),
        },
    })
}

/// It is no proof that one is gone that somebody said so: it stays among what was not destroyed.
pub(crate) fn backup((made, said): &(Cited, Option<Cited>)) -> Value {
    let mut backup = cited(made);
    if let Some(said) = said {
        backup["said_destroyed"] = cited(said);
    }
    backup
}

fn cited(cited: &Cited) -> Value {
    json!({ "record": cited.record, "time": audit::timestamp(cited.ts_ms), "by": cited.by.to_string() })
}

fn proved(all: &[(String, String)]) -> Value {
    all.iter().map(|(record, proof)| json!({ "record": record, "proof": proof })).collect()
}
