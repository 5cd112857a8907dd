//! Which copies left, for somebody who holds one and the vault.

use crate::metadata::{content_mac, pseudonym};
use crate::room::Darkroom;
use crate::{Act, Error, Who, whose};
use audit::{Actor, Digest, Object, Order};
use std::collections::HashMap;
use vault::{ObjectId, ObjectInfo};

/// A plain copy that left, as the log has it.
#[derive(Debug, PartialEq, Eq)]
pub struct Departure {
    /// The picture.
    pub id: ObjectId,
    /// Its name.
    pub name: String,
    /// Its pseudonym in the log.
    pub object: Object,
    /// The record `object.exported`.
    pub record: u64,
    /// Its time, in milliseconds since 1970.
    pub ts_ms: u64,
    /// Who took the copy.
    pub actor: Actor,
}

impl Darkroom {
    /// The exports on record whose copy had this SHA-256, oldest first. A picture that is copied twice leaves twice the same.
    /// Of whoever may ask who is behind a pseudonym, any picture's; of others, their own ones'.
    /// What was erased since is not among them: its salt is gone, and nobody can tell any more.
    ///
    /// # Errors
    /// [`Error::Locked`]; what the log says.
    pub fn departures(&self, who: &Who, sha256: &Digest) -> Result<Vec<Departure>, Error> {
        let vault = self.vault_of(who, Act::OwnPictures)?;
        let pictures = match who.permitted(Act::Resolve, vault) {
            Ok(()) => vault.list().collect(),
            Err(_) => whose::pictures(vault, who),
        };
        let sought: HashMap<Object, (&ObjectInfo, Digest)> = pictures
            .into_iter()
            .map(|entry| (pseudonym(entry.id, entry.salt), (entry, content_mac(entry.salt, sha256))))
            .collect();
        let (mut found, mut exported) = (Vec::new(), None);
        for record in audit::records(&self.folders.audit, Order::OldestFirst)? {
            let record = record?;
            match &*record.name {
                "object.exported" => exported = Some((record.job, record.seq)),
                "object.export_digest" => {
                    let left = record.object.and_then(|object| Some((object, sought.get(&object)?)));
                    let of_job = exported.filter(|(job, _)| *job == record.job);
                    if let (Some((object, (entry, mac))), Some((_, seq))) = (left, of_job)
                        && record.digest("content_mac").as_ref() == Some(mac)
                    {
                        let (ts_ms, actor) = (record.ts_ms, record.actor);
                        let (id, name) = (entry.id, entry.name.clone());
                        found.push(Departure { id, name, object, record: seq, ts_ms, actor });
                    }
                }
                _ => {}
            }
        }
        Ok(found)
    }
}
