//! The end of the vault, and new keys for it.

use crate::holds::Holds;
use crate::pending::Meant;
use crate::request::Refusal;
use crate::rights::Act;
use crate::room::{Darkroom, Room, grade};
use crate::step::{After, reach};
use crate::{Erased, Error, Who};
use audit::words::{RequestRefusal, RollReason};
use audit::{Digest, Event, JobId, Receipt};
use vault::{Grade, ObjectId, State};

/// A vault that is no more.
pub struct Destroyed {
    /// Pictures that were destroyed with it, each on record.
    pub pictures: u64,
    /// What overwriting its keys is worth.
    pub grade: Grade,
    /// A file could not be removed; it opens for nobody.
    pub cleanup_pending: bool,
    /// Backups that may exist, each of which still opens.
    pub backups: usize,
    /// The record `vault.destroyed`, and the checkpoint that signs it.
    pub receipt: Receipt,
}

impl Darkroom {
    /// How many pictures there are, whosever they are.
    ///
    /// # Errors
    /// [`Error::NotPermitted`]; [`Error::Locked`].
    pub fn count(&self, who: &Who) -> Result<u64, Error> {
        Ok(self.vault_of(who, Act::DestroyVault)?.list().len() as u64)
    }

    /// Destroys every picture, each on record, whosever it is: what a vault begins to end with.
    ///
    /// # Errors
    /// As [`Darkroom::destroy_vault`].
    pub fn empty_vault(&mut self, who: &Who) -> Result<Option<Erased>, Error> {
        self.ask_second(who, Act::DestroyVault, Meant::Destroy)?;
        self.empty(who)
    }

    fn empty(&mut self, who: &Who) -> Result<Option<Erased>, Error> {
        self.vault_of(who, Act::DestroyVault)?;
        self.check_policy(who)?;
        let vault = self.vault_of(who, Act::DestroyVault)?;
        if Holds::of(vault).stand() {
            let reason = RequestRefusal::Hold;
            self.refuse(Some(who), reason)?;
            return Err(Refusal::new(reason, "a legal hold stands; nothing was done").into());
        }
        let ids: Vec<ObjectId> = vault.list().map(|entry| entry.id).collect();
        match ids.is_empty() {
            true => Ok(None),
            false => self.erase_as(who, Act::DestroyVault, &ids).map(Some),
        }
    }

    /// Destroys every picture, each on record, and then the vault with all of its keys. The log stays, and a new vault can be made
    /// beside it.
    ///
    /// # Errors
    /// [`Error::NotPermitted`]; [`Error::Waits`]; a hold or the policy keeps pictures: refused, on record; what vault and log say.
    /// [`vault::Error::Unfinished`]: whether the keys are gone is not known, and the next start looks.
    pub fn destroy_vault(&mut self, who: &Who) -> Result<Destroyed, Error> {
        self.ask_second(who, Act::DestroyVault, Meant::Destroy)?;
        self.destroy_all(who)
    }

    /// The same, once nobody else is needed for it.
    pub(crate) fn destroy_all(&mut self, who: &Who) -> Result<Destroyed, Error> {
        let emptied = self.empty(who)?.map(|erased| erased.erasure);
        let (pictures, files_left) =
            emptied.map_or((0, false), |erasure| (erasure.erased, erasure.cleanup_pending));
        self.end_old_key()?;
        let (job, backups) = (JobId::random()?, self.log.unfinished()?.backups.len());
        // Nothing is written beside a vault that goes.
        self.log.forget_key();
        self.log.append(&[Event::VaultDestroyRequested {}.by(who.actor).job(job)])?;
        reach(After::Intent)?;
        let Room::Open(open) = std::mem::replace(&mut self.room, Room::NoVault) else {
            return Err(Error::Locked);
        };
        self.opening.store(0, std::sync::atomic::Ordering::Relaxed);
        let vault::Destroyed { grade: worth, cleanup_pending, .. } = open.vault.destroy(&mut *self.random)?;
        reach(After::Destroyed)?;
        let event = Event::VaultDestroyed { grade: grade(worth), cleanup_pending };
        let unrecorded = |source| Error::Unrecorded { done: "the vault is destroyed".into(), source };
        let receipt = self.log.append(&[event.by(who.actor).job(job)]).map_err(unrecorded)?;
        let cleanup_pending = cleanup_pending || files_left;
        Ok(Destroyed { pictures, grade: worth, cleanup_pending, backups, receipt })
    }

    /// New master key and epoch key; the passphrases stay, and what older copies of the vault file say opens no more.
    ///
    /// # Errors
    /// [`Error::NotPermitted`]; what vault and log say.
    pub fn rotate(&mut self, who: &Who) -> Result<Receipt, Error> {
        self.vault_of(who, Act::Rotate)?;
        self.end_old_key()?;
        let (open, random, log) = self.parts(who, Act::Rotate)?;
        // Whoever had the vault open before may have read that one, too.
        open.draw_memory_key(log, random)?;
        open.cover_with_next(log)?;
        let rolled = open.vault.rotate(random);
        let State { epoch, seq, root } = open.rolled(rolled, log)??;
        reach(After::Rolled)?;
        let (reason, vault_root) = (RollReason::Rotate, Digest(root));
        let event = Event::VaultRolled { reason, vault_epoch: epoch, vault_seq: seq, vault_root };
        match log.append(&[event.by(who.actor)]) {
            Ok(receipt) => Ok(receipt),
            Err(source) => {
                open.unsettled = true;
                Err(Error::Unrecorded { done: "the keys are new".into(), source })
            }
        }
    }
}
