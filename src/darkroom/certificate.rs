//! Which erasures somebody may have a certificate of, and that one is handed out. What stands in it is no matter of the
//! darkroom.
//!
//! A tombstone has the id of the erased picture, and the log its pseudonym; the salt that tied the two is destroyed with the key.
//! What is left to tell them by is the roll: the vault's epoch stands in both.

use crate::metadata::pseudonym;
use crate::{Act, Darkroom, Error, Who, whose};
use audit::{Actor, Digest, Event, JobId, Object, Order, PublicKey, Receipt};
use std::collections::{BTreeMap, HashMap, HashSet};
use vault::{ObjectId, ObjectInfo, Vault};

/// Fewest characters of an id that stand for all of it.
const ID_CHARS_MIN: usize = 8;

/// Erasures that a certificate is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// Pseudonyms in the log, or ids or first characters of ids, which stand for all that was destroyed with them in one roll;
    /// none for every erasure.
    pub names: &'a [String],
    /// Whether every erasure is everybody's.
    pub of_everybody: bool,
    /// Not before this moment, in milliseconds since 1970.
    pub since_ms: Option<u64>,
    /// Not after this one.
    pub until_ms: Option<u64>,
}

/// Erased pictures.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Erasures {
    /// Their pseudonyms in the log, in the order of their records.
    pub objects: Vec<Object>,
    /// By the vault's epoch that began with their end: the ids of those that went in one roll, as far as all of them are here.
    /// Which of several ids is which pseudonym nobody can tell any more.
    pub ids: Vec<(u64, Vec<ObjectId>)>,
}

/// An erasure as the log has it.
struct Erasure {
    object: Object,
    by: Actor,
    maker: Option<Actor>,
    ts_ms: u64,
    epoch: u64,
}

impl Darkroom {
    /// The erasures that are asked for, of those that `who` may have a certificate of: what they erased or made, and any for
    /// an admin.
    ///
    /// # Errors
    /// [`Error::NotErased`]: the key still exists. [`Error::NoErasure`]: no such erasure is on record, or it is somebody
    /// else's. [`Error::NotPermitted`], on record; [`Error::Locked`]; what the log says.
    pub fn erasures(&self, who: &Who, asked: &Asked<'_>) -> Result<Erasures, Error> {
        let act = if asked.of_everybody { Act::AnyCertificate } else { Act::OwnCertificates };
        let vault = self.vault_of(who, act)?;
        let is_any = who.permitted(Act::AnyCertificate, vault).is_ok();
        let is_own = |erasure: &Erasure| erasure.by == who.actor || erasure.maker == Some(who.actor);
        // Where nobody has a name all pictures are one person's, whatever pseudonym they had.
        let is_everybodys = asked.of_everybody || (is_any && !asked.names.is_empty()) || !vault.has_names();
        let mut all = self.erasures_on_record()?;
        let destroyed = count_by_epoch(&all);
        all.retain(|erasure| is_everybodys || is_own(erasure));
        if !asked.names.is_empty() {
            let mut named = HashSet::new();
            for text in asked.names {
                named.extend(named_by(vault, (who, is_any), &all, text)?);
            }
            all.retain(|erasure| named.contains(&erasure.object));
        }
        let period = asked.since_ms.unwrap_or(0)..=asked.until_ms.unwrap_or(u64::MAX);
        all.retain(|erasure| period.contains(&erasure.ts_ms));
        let mut ids: BTreeMap<u64, Vec<ObjectId>> = BTreeMap::new();
        for tombstone in vault.tombstones() {
            ids.entry(tombstone.epoch).or_default().push(tombstone.id);
        }
        let chosen = count_by_epoch(&all);
        ids.retain(|epoch, ids| {
            let count = Some(&ids.len());
            chosen.get(epoch) == count && destroyed.get(epoch) == count
        });
        Ok(Erasures {
            objects: all.into_iter().map(|erasure| erasure.object).collect(),
            ids: ids.into_iter().collect(),
        })
    }

    /// Puts the key of a certificate on record, before it signs anything. The certificate goes by the request that is handed
    /// back.
    ///
    /// # Errors
    /// What the log says; [`Error::Locked`] if the vault was locked since `who` came in.
    pub fn record_certificate_key(&self, who: &Who, key: PublicKey) -> Result<(JobId, Receipt), Error> {
        self.vault_of(who, Act::OwnCertificates)?;
        let job = JobId::random()?;
        Ok((job, self.log.append(&[Event::CertificateKeyDrawn { key }.by(who.actor).job(job)])?))
    }

    /// Puts on record that a certificate is handed out, before it is.
    ///
    /// # Errors
    /// As [`Darkroom::record_certificate_key`].
    pub fn record_certificate(
        &self,
        who: &Who,
        job: JobId,
        statement: Digest,
        objects: u32,
    ) -> Result<Receipt, Error> {
        self.vault_of(who, Act::OwnCertificates)?;
        let issued = Event::CertificateIssued { statement, objects };
        Ok(self.log.append(&[issued.by(who.actor).job(job)])?)
    }

    /// Every erasure that the log has, oldest first. Reads all of it.
    fn erasures_on_record(&self) -> Result<Vec<Erasure>, Error> {
        let (mut makers, mut seen, mut found) = (HashMap::new(), HashSet::new(), Vec::new());
        for record in audit::records(&self.folders.audit, Order::OldestFirst)? {
            let record = record?;
            let Some(object) = record.object else { continue };
            match &*record.name {
                "object.sealed" | "object.created" => {
                    makers.insert(object, record.actor);
                }
                "object.erased" if seen.insert(object) => {
                    let (by, ts_ms, maker) = (record.actor, record.ts_ms, makers.remove(&object));
                    let epoch = record.int("vault_epoch").unwrap_or_default().unsigned_abs();
                    found.push(Erasure { object, by, maker, ts_ms, epoch });
                }
                _ => {}
            }
        }
        Ok(found)
    }
}

/// The pictures that somebody means by `text`: one by its pseudonym, or all that went in one roll with the id.
fn named_by(
    vault: &Vault,
    (who, is_any): (&Who, bool),
    erasures: &[Erasure],
    text: &str,
) -> Result<Vec<Object>, Error> {
    let lower = text.to_ascii_lowercase();
    let begins = |id: &ObjectId| text.len() >= ID_CHARS_MIN && id.to_string().starts_with(&lower);
    let means = |entry: &&ObjectInfo| {
        entry.name == text || begins(&entry.id) || pseudonym(entry.id, entry.salt).to_string() == text
    };
    let held = if is_any { vault.list().collect() } else { whose::pictures(vault, who) };
    let id = || text.chars().take(64).collect();
    if let Some(entry) = held.into_iter().find(means) {
        let missing = vault.is_missing(entry).unwrap_or(false);
        return Err(Error::NotErased { id: id(), missing });
    }
    let mut rolls = vault.tombstones().filter(|left| begins(&left.id)).map(|left| left.epoch);
    let roll = rolls.next().filter(|_| rolls.next().is_none());
    let is_meant = |erasure: &&Erasure| erasure.object.to_string() == text || Some(erasure.epoch) == roll;
    let found: Vec<Object> = erasures.iter().filter(is_meant).map(|erasure| erasure.object).collect();
    if found.is_empty() { Err(Error::NoErasure { id: id() }) } else { Ok(found) }
}

fn count_by_epoch(erasures: &[Erasure]) -> BTreeMap<u64, usize> {
    let mut counts = BTreeMap::new();
    for erasure in erasures {
        *counts.entry(erasure.epoch).or_default() += 1;
    }
    counts
}
