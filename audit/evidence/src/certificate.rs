//! A certificate of erasure: something to hand to the person who asked for it.
//!
//! ```text
//! certificate.json   what the log has of the end of each picture, and of what was not destroyed, with the records and
//!                    their proofs; signed by a key that is drawn for it, and gone afterwards
//! certificate.html   the same for people, to print
//! VERIFY.md          how to check it with others' programs
//! ```

mod check;
pub(crate) mod facts;
mod page;
pub(crate) mod statement;

use crate::dsse::ExportKey;
use crate::error::Error;
use crate::folder::NewFolder;
use audit::{Digest, Object, Order, Proofs, PublicKey, Stored};
use facts::Facts;
use statement::{PAGE, PREDICATE, STATEMENT, Statement, VERIFY};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

pub(crate) use page::grade;

pub use check::{CheckedCertificate, ErasedPicture, check as check_certificate, is_certificate};

/// Most pictures that one certificate is about: each brings two records or more with their proofs, some 3,000 bytes.
pub const CERTIFIED_MAX: usize = 1000;

/// How to check a certificate without any program of ours.
const VERIFY_TEXT: &str = include_str!("certificate/VERIFY.md");

/// What a certificate is made of.
#[derive(Debug)]
pub struct Certificate<'a> {
    /// The folder of the log.
    pub log: &'a Path,
    /// The erased pictures.
    pub objects: &'a [Object],
    /// By the vault's epoch that began with their end: the ids of all that went in one roll, as 32 hexadecimal digits.
    pub ids: &'a [(u64, Vec<String>)],
    /// Number of the record `certificate.key_drawn` that names the key.
    pub key_record: u64,
    /// Version of the program.
    pub version: &'a str,
    /// When it is made, in milliseconds since 1970.
    pub made_ms: u64,
}

/// A certificate that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Certified {
    /// SHA-256 of the signed statement: what the record `certificate.issued` carries.
    pub statement: Digest,
    /// How many pictures it is about.
    pub pictures: usize,
    /// How many plain copies of them are on record.
    pub exports: usize,
}

impl Certificate<'_> {
    /// Makes the certificate in `dir`, which is made, too. The key signs it, and is gone. Where it ends with an error nothing
    /// is left behind.
    ///
    /// # Errors
    /// [`Error::Exists`]; [`Error::TooMany`]; [`Error::Record`] when the log does not name this key, or has no end of one of
    /// the pictures; what log and disk say.
    pub fn make(&self, dir: &Path, key: ExportKey) -> Result<Certified, Error> {
        let statement = self.statement(key.public())?;
        let mut folder = NewFolder::make(dir)?;
        let written = write(&mut folder, &statement, key);
        match written {
            Ok(digest) => Ok(Certified {
                statement: digest,
                pictures: statement.pictures.len(),
                exports: statement.pictures.iter().map(|picture| picture.exports.len()).sum(),
            }),
            Err(error) => {
                folder.remove();
                Err(error)
            }
        }
    }

    fn statement(&self, key: PublicKey) -> Result<Statement, Error> {
        let (count, count_max) = (self.objects.len(), CERTIFIED_MAX);
        if count > count_max {
            return Err(Error::TooMany { count, count_max });
        }
        let proofs = Proofs::read(self.log)?;
        let head = proofs.checkpoint();
        let mut facts = Facts::about(self.objects.iter().copied());
        each(self.log, head.size, |record| facts.see(record))?;
        let at =
            |_| Error::Record { seq: head.size, what: "no erasure of one of these pictures comes before it" };
        let pictures = facts.pictures().map_err(at)?;
        let wanted: BTreeSet<u64> =
            pictures.iter().flat_map(|p| p.records()).chain([self.key_record]).collect();
        let mut cited: BTreeMap<u64, Stored> = BTreeMap::new();
        each(self.log, head.size, |record| {
            if wanted.contains(&record.seq) {
                cited.insert(record.seq, record.clone());
            }
        })?;
        if cited.get(&self.key_record).and_then(statement::key_drawn) != Some(key) {
            return Err(Error::Record { seq: self.key_record, what: "it does not name this key" });
        }
        let proved = |(seq, record): (&u64, &Stored)| {
            let proof = proofs.of(*seq);
            let proof = proof.ok_or(Error::Record { seq: *seq, what: "no checkpoint covers it yet" })?;
            Ok((record.json().to_owned(), proof.text()))
        };
        let (hand_overs, mut ids) = (proofs.hand_overs()?, self.ids.to_vec());
        ids.sort_unstable();
        Ok(Statement {
            made_ms: self.made_ms,
            version: self.version.to_owned(),
            pictures,
            ids,
            key_record: self.key_record,
            checkpoint: String::from_utf8_lossy(&proofs.note()).into_owned(),
            origin: head.origin.clone(),
            size: head.size,
            root: head.root.to_string(),
            vkeys: proofs.keys().iter().map(ToString::to_string).collect(),
            hand_overs: hand_overs.into_iter().map(|of| (of.record, of.proof.text())).collect(),
            records: cited.iter().map(proved).collect::<Result<_, Error>>()?,
        })
    }
}

/// Of which of these erased pictures there could be a certificate now: somebody's request, the end of the key and everything else
/// that it would rest on are in the log, each proved under its newest checkpoint. Answers the record of each end.
pub(crate) fn certifiable(log: &Path, objects: impl Iterator<Item = Object>) -> Result<Vec<u64>, Error> {
    let proofs = Proofs::read(log)?;
    let size = proofs.checkpoint().size;
    let mut facts = Facts::about(objects);
    each(log, size, |record| facts.see(record))?;
    let Ok(pictures) = facts.pictures() else { return Ok(Vec::new()) };
    let is_proved = |seq| -> Result<bool, Error> {
        let record = audit::record(log, seq)?;
        let proof = proofs.of(seq);
        Ok(record.zip(proof).is_some_and(|(record, proof)| proof.holds_for(record.json().as_bytes())))
    };
    let mut whole = Vec::with_capacity(pictures.len());
    for picture in pictures.iter().filter(|picture| picture.asked.is_some()) {
        if picture
            .records()
            .map(is_proved)
            .collect::<Result<Vec<bool>, _>>()?
            .into_iter()
            .all(|proved| proved)
        {
            whole.push(picture.destroyed.cited.record);
        }
    }
    Ok(whole)
}

/// Each record that a checkpoint of that size covers.
fn each(log: &Path, size: u64, mut see: impl FnMut(&Stored)) -> Result<(), Error> {
    for record in audit::records(log, Order::OldestFirst)? {
        let record = record?;
        if record.seq >= size {
            break;
        }
        see(&record);
    }
    Ok(())
}

fn write(folder: &mut NewFolder, statement: &Statement, key: ExportKey) -> Result<Digest, Error> {
    let page = page::page(statement);
    folder.write(PAGE, page.as_bytes())?;
    folder.write(VERIFY, VERIFY_TEXT.as_bytes())?;
    let files = [(PAGE, Digest::of(page.as_bytes())), (VERIFY, Digest::of(VERIFY_TEXT.as_bytes()))];
    let envelope = key.sign(PREDICATE, &files, &statement.to_json());
    folder.write(STATEMENT, &envelope)?;
    folder.seal()?;
    Ok(Digest::of(&envelope))
}

#[cfg(test)]
#[path = "tests/certificate.rs"]
mod tests;
