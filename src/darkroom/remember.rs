//! The vault remembers the log: how far it had come, and which one it was. So what is cut off a log behind the vault's
//! back, and a log that is another one, are found at the next unlock.
//!
//! The mark is set at every unlock, goes with the vault's own record of a new picture and of an erasure, and is set before
//! a plain copy or a picture to look at leaves, and before a secret that was given while the vault is open is answered, right
//! or wrong. What the log says while the vault is locked is not covered.
//!
//! It vouches, too, for what a start need not read again of the log (`audit::Log::open_remembered`): with a key, of which the log
//! keeps nothing once the vault is locked. A log that does not hold what this key sealed is refused like one that does not hold
//! the mark.
//!
//! Each mark that is set for itself is a record of the vault, and only the last one counts. An unlock that finds many drops
//! them.

use crate::reconcile::roll_record;
use crate::room::{Darkroom, Open};
use crate::step::{After, reach};
use crate::{Error, who};
use audit::words::RollReason;
use audit::{Digest, Entry, Log, Mark, MemoryKey};
use vault::{Random, Vault};
use zeroize::Zeroizing;

/// The vault's mark that remembers how far the log had come.
pub(crate) const MARK_LOG: u8 = 1;
/// The vault's mark with the key that seals what a start need not read again.
pub(crate) const MARK_MEMORY: u8 = 0;
/// How many records of superseded marks an unlock leaves: each has 146 bytes in the vault file, as many in its mirror, and
/// takes a later unlock about ten microseconds. A roll costs some syncs, and ends what older copies of the vault file open.
pub(crate) const SUPERSEDED_MAX: usize = 4000;

impl Open {
    /// Sets the mark, durably: from here on these records cannot be cut off unnoticed.
    pub(crate) fn cover(&mut self, log: &Log, random: &mut dyn Random) -> Result<(), Error> {
        self.vault.set_mark(MARK_LOG, &encode(&log.mark()), random)?;
        Ok(())
    }

    /// The same, with the vault's next record.
    pub(crate) fn cover_with_next(&mut self, log: &Log) -> Result<(), Error> {
        self.vault.remember(MARK_LOG, &encode(&log.mark()))?;
        Ok(())
    }

    /// Draws the key that vouches for what a start need not read again. On a full disk it stays as it is: a later unlock draws one.
    pub(crate) fn draw_memory_key(&mut self, log: &Log, random: &mut dyn Random) -> Result<(), Error> {
        let mut key = Zeroizing::new(MemoryKey::default());
        random.fill(&mut *key).map_err(vault::Error::Random)?;
        match self.vault.set_mark(MARK_MEMORY, &*key, random) {
            Err(vault::Error::DiskFull) => Ok(()),
            set => set.map(drop).map_err(Error::from).and_then(|()| Ok(log.prove(&key)?)),
        }
    }

    /// Sets a mark, the change of which is on record already. If that fails, the log says so at once by `back`: a vault that is put
    /// back from a backup does what the log says.
    pub(crate) fn set_recorded(
        &mut self,
        log: &Log,
        random: &mut dyn Random,
        (tag, value): (u8, &[u8]),
        back: Entry,
    ) -> Result<(), Error> {
        let covered = self.cover_with_next(log);
        let Err(failed) = covered.and_then(|()| Ok(self.vault.set_mark(tag, value, random).map(drop)?))
        else {
            return Ok(());
        };
        Err(match log.append(&[back]) {
            Ok(_) => failed,
            Err(log) => Error::Misrecorded { failed: Box::new(failed), log },
        })
    }
}

impl Darkroom {
    /// The vault must hold every state that the log names, and the log every record that the vault remembers.
    ///
    /// # Errors
    /// [`Error::RolledBack`], [`Error::NoMark`], or [`audit::Error::Lost`] and [`audit::Error::Diverged`].
    pub(crate) fn compare(&self, vault: &Vault) -> Result<(), Error> {
        match memory_key(vault) {
            Some(key) => self.log.prove(&key)?,
            None => self.log.prove_anew()?,
        }
        self.compare_mark(vault, Log::check_mark)?;
        self.compare_state(vault.state().epoch, |seq| vault.root_at(seq))
    }

    /// The log must hold every record that the vault remembers, as `check` finds out.
    ///
    /// # Errors
    /// [`Error::NoMark`], [`audit::Error::Lost`], [`audit::Error::Diverged`]; the log cannot be read.
    pub(crate) fn compare_mark(
        &self,
        vault: &Vault,
        check: impl FnOnce(&Log, &Mark) -> Result<(), audit::Error>,
    ) -> Result<(), Error> {
        match vault.mark(MARK_LOG).map(|bytes| decode(bytes, self.log.mark().origin)) {
            Some(Some(mark)) => Ok(check(&self.log, &mark)?),
            Some(None) => Err(Error::NoMark),
            None if who::was_opened(vault) => Err(Error::NoMark),
            None => Ok(()),
        }
    }

    /// The same as far as it shows without the keys of the pictures: the vault must hold every state that the log names.
    /// `root_at` is the root after so many records of `epoch`.
    ///
    /// # Errors
    /// [`Error::RolledBack`].
    pub(crate) fn compare_state(
        &self,
        epoch: u64,
        root_at: impl Fn(u64) -> Option<[u8; 32]>,
    ) -> Result<(), Error> {
        let unfinished = self.log.unfinished()?;
        // The key of an epoch remains only where the next one had begun.
        if let Some(key_epoch) = unfinished.key_remains
            && epoch <= key_epoch
        {
            return Err(Error::RolledBack { epoch: key_epoch + 1, seq: 0 });
        }
        let Some(known) = unfinished.vault else { return Ok(()) };
        let holds = match epoch.cmp(&known.epoch) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => root_at(known.seq) == Some(known.root.0),
            // A roll that a crash kept off the record: only somebody with the keys could have made it.
            std::cmp::Ordering::Greater => true,
        };
        match holds {
            true => Ok(()),
            false => Err(Error::RolledBack { epoch: known.epoch, seq: known.seq }),
        }
    }

    /// From here on the next start need not read again what is on record: the vault vouches for it with a key, which it draws once.
    ///
    /// # Errors
    /// What the log says; the system gives no randomness.
    pub(crate) fn trust_log(&mut self) -> Result<(), Error> {
        let (open, random, log) = self.open_parts()?;
        match memory_key(&open.vault) {
            Some(key) => Ok(log.prove(&key)?),
            None => open.draw_memory_key(log, random),
        }
    }

    /// Drops what the vault no longer needs to remember, if that is much: a roll of its own, on record. It keeps nobody out,
    /// on a full disk neither: what fails is tried at the next unlock.
    ///
    /// # Errors
    /// What the log says; [`vault::Error::Unsettled`], after which only the next unlock can tell what is on the disk.
    pub(crate) fn drop_superseded(&mut self) -> Result<(), Error> {
        let (open, random, log) = self.open_parts()?;
        open.cover_with_next(log)?;
        let state = match open.vault.compact(SUPERSEDED_MAX, random) {
            Ok(None) => return Ok(()),
            Ok(Some(state)) => Some(state),
            // In place, but for the end of the old key.
            Err(vault::Error::Unfinished(_)) => Some(open.vault.state()),
            Err(error) if open.vault.is_poisoned() => return Err(error.into()),
            Err(_) => None,
        };
        if let Some(state) = state {
            reach(After::Compacted)?;
            log.append(&[roll_record(RollReason::Routine, state)])?;
        }
        self.report_old_key()
    }

    /// What the vault remembers of the log, for the record of a log that does not hold it.
    pub(crate) fn remembered(&self, vault: &Vault) -> Mark {
        let origin = self.log.mark().origin;
        let none = Mark { size: 0, root: Digest([0; 32]), epoch: 0, origin };
        vault.mark(MARK_LOG).and_then(|bytes| decode(bytes, origin)).unwrap_or(none)
    }
}

fn memory_key(vault: &Vault) -> Option<Zeroizing<MemoryKey>> {
    vault.mark(MARK_MEMORY)?.try_into().ok().map(Zeroizing::new)
}

/// Size 8, root 32, epoch 4, big-endian, origin 16.
fn encode(mark: &Mark) -> [u8; 60] {
    let mut bytes = [0; 60];
    bytes[..8].copy_from_slice(&mark.size.to_be_bytes());
    bytes[8..40].copy_from_slice(&mark.root.0);
    bytes[40..44].copy_from_slice(&mark.epoch.to_be_bytes());
    bytes[44..].copy_from_slice(&mark.origin);
    bytes
}

/// A mark of the first form has no origin; its log is taken to be the one that is there.
pub(crate) fn decode(bytes: &[u8], origin: [u8; 16]) -> Option<Mark> {
    let (size, rest) = bytes.split_first_chunk()?;
    let (root, rest) = rest.split_first_chunk()?;
    let (epoch, rest) = rest.split_first_chunk()?;
    let origin = if rest.is_empty() { origin } else { rest.try_into().ok()? };
    let (size, epoch) = (u64::from_be_bytes(*size), u32::from_be_bytes(*epoch));
    Some(Mark { size, root: Digest(*root), epoch, origin })
}
