//! Destroying the keys of pictures for good.

use crate::error::vault_failure;
use crate::metadata::pseudonym;
use crate::request::Refusal;
use crate::rights::Act;
use crate::room::{Darkroom, grade};
use crate::step::{After, reach};
use crate::{Error, Who, holds, whose};
use audit::words::{ObjectFailure, RequestRefusal};
use audit::{Actor, Digest, Entry, Event, JobId, KnownBackup, Object, Order, Receipt};
use policy::Erase;
use std::collections::HashSet;
use std::path::Path;
use vault::{Erasure, ObjectId, State};

/// Reason code in tombstones: a person asked for the erasure.
const REASON_REQUEST: u16 = 1;
/// So many of the newest records are looked through for the sealing of what is erased: an erasure waits for no more.
const SOUGHT_MAX: usize = 20_000;

/// An erasure that is done.
#[derive(Debug)]
pub struct Erased {
    /// What the vault says of it.
    pub erasure: Erasure,
    /// The pseudonym of each picture, and the number of its record `object.erased`.
    pub records: Vec<(Object, u64)>,
    /// Backups that may exist, each of which may still hold one of them.
    pub backups: Vec<KnownBackup>,
    /// The last of these records, and the checkpoint that signs all of them; `None` if nothing was to be erased.
    pub receipt: Option<Receipt>,
}

impl Darkroom {
    /// Destroys the keys of these pictures for good, in one roll, and removes their files.
    ///
    /// # Errors
    /// [`Error::NotFound`] before anything is done; or what vault and log say. All but a failing log are on record.
    /// [`vault::Error::Unfinished`]: the request stays without an outcome, and the next unlock finishes it.
    /// [`Error::Unrecorded`]: the pictures are gone, and the next unlock records it.
    pub fn erase(&mut self, who: &Who, ids: &[ObjectId]) -> Result<Erased, Error> {
        let vault = self.vault_of(who, Act::EraseOwn)?;
        for id in ids {
            whose::picture(vault, who, *id)?;
        }
        self.erase_as(who, Act::EraseOwn, ids)
    }

    /// The same as a part of another act, whosever they are.
    pub(crate) fn erase_as(&mut self, who: &Who, act: Act, ids: &[ObjectId]) -> Result<Erased, Error> {
        self.vault_of(who, act)?;
        self.check_policy(who)?;
        let vault = self.vault_of(who, act)?;
        if let Err(held) = holds::check(vault, ids.iter().filter_map(|id| vault.get(*id).ok())) {
            self.refuse(Some(who), held.reason)?;
            return Err(held.into());
        }
        self.end_old_key()?;
        self.parts(who, act)?;
        self.destroy(who.actor, ids, REASON_REQUEST, None)
    }

    /// Refuses, on record, what the policy does not let anybody destroy.
    pub(crate) fn check_policy(&mut self, who: &Who) -> Result<(), Error> {
        if self.erase == Erase::Allow {
            return Ok(());
        }
        let reason = RequestRefusal::Policy;
        self.refuse(Some(who), reason)?;
        let text = "the policy of this machine forbids erasing pictures; nothing was done";
        Err(Refusal::new(reason, text).into())
    }

    /// Destroys keys, once it is known that they may be. `why` goes on record before the request; `reason` into the tombstones.
    pub(crate) fn destroy(
        &mut self,
        actor: Actor,
        ids: &[ObjectId],
        reason: u16,
        why: Option<Event>,
    ) -> Result<Erased, Error> {
        let (now_ms, dir) = (self.now_ms(), self.folders.audit.clone());
        let (open, random, log) = self.open_parts()?;
        let mut objects: Vec<Object> = Vec::new();
        let mut made_ms_min = u64::MAX;
        for id in ids {
            let entry = open.vault.get(*id)?;
            made_ms_min = made_ms_min.min(entry.created_ms);
            objects.push(pseudonym(*id, entry.salt));
        }
        let job = JobId::random()?;
        let entry = |event: Event, object: &Object| event.by(actor).object(*object).job(job);
        let requested = Event::ObjectEraseRequested { count: ids.len() as u64 };
        let mut intent: Vec<Entry> =
            why.into_iter().chain([requested]).map(|event| event.by(actor).job(job)).collect();
        intent.extend(objects.iter().map(|object| entry(Event::ObjectEraseNamed {}, object)));
        append_all(log, &intent)?;
        reach(After::Intent)?;
        open.cover_with_next(log)?;
        let erased = open.vault.erase(ids, reason, now_ms, random);
        let erased = open.rolled(erased, log)?;
        reach(After::Erased)?;
        let failed = |reason: ObjectFailure| {
            let event = Event::ObjectEraseFailed { reason };
            objects.iter().map(|object| entry(event, object).failed()).collect::<Vec<_>>()
        };
        let erasure = match erased {
            Ok(erasure) => erasure,
            Err(error) => {
                append_all(log, &failed(vault_failure(&error)))?;
                return Err(error.into());
            }
        };
        let State { epoch, seq, root } = erasure.state;
        let event = Event::ObjectErased {
            grade: grade(erasure.grade),
            vault_epoch: epoch,
            vault_seq: seq,
            vault_root: Digest(root),
            cleanup_pending: erasure.cleanup_pending,
        };
        let entries: Vec<Entry> = objects.iter().map(|object| entry(event, object)).collect();
        match append_all(log, &entries) {
            Ok(receipts) => {
                let chunks = objects.chunks(audit::ENTRIES_MAX as usize).zip(&receipts);
                let numbered = |(objects, receipt): (&[Object], &Receipt)| {
                    objects.iter().copied().zip(receipt.seq_first..).collect::<Vec<_>>()
                };
                let records = chunks.flat_map(numbered).collect();
                let backups = may_hold(&dir, (&objects, made_ms_min), log.unfinished()?.backups);
                Ok(Erased { erasure, records, backups, receipt: receipts.last().copied() })
            }
            Err(Error::Log(source)) => {
                open.unsettled = true;
                let done = match erasure.erased {
                    1 => "the key of 1 picture is destroyed for good".to_owned(),
                    several => format!("the keys of {several} pictures are destroyed for good"),
                };
                Err(Error::Unrecorded { done, source })
            }
            Err(other) => Err(other),
        }
    }
}

/// Those of these backups in which one of these pictures may be: none is in a backup that was begun before it was sealed, by the
/// order of the records. A time alone rules no backup out, since a clock can be set back; by it, it is told whether reading is worth it.
/// Nor does the order alone: where the log was full when a picture was sealed, a later unlock records it.
pub(crate) fn may_hold(
    dir: &Path,
    (objects, made_ms_min): (&[Object], u64),
    mut backups: Vec<KnownBackup>,
) -> Vec<KnownBackup> {
    let Some(oldest) = backups.first().filter(|oldest| oldest.ts_ms < made_ms_min) else { return backups };
    let Ok(records) = audit::records(dir, Order::NewestFirst) else { return backups };
    let mut sought: HashSet<Object> = objects.iter().copied().collect();
    let mut first_sealed = u64::MAX;
    for record in records.take(SOUGHT_MAX).map_while(Result::ok) {
        if sought.is_empty() || record.seq < oldest.seq {
            break;
        }
        if record.name == "object.sealed" && record.object.is_some_and(|object| sought.remove(&object)) {
            first_sealed = record.seq;
        }
    }
    // One that is not found was sealed before the oldest, or too long ago to look for it.
    if sought.is_empty() {
        backups.retain(|backup| backup.seq > first_sealed || backup.ts_ms >= made_ms_min);
    }
    backups
}

/// Puts on record what may be more than one append takes: a receipt for each append.
pub(crate) fn append_all(log: &audit::Log, entries: &[Entry]) -> Result<Vec<Receipt>, Error> {
    entries.chunks(audit::ENTRIES_MAX as usize).map(|some| Ok(log.append(some)?)).collect()
}
