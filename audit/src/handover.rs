//! The change from one signing key to the next. The order, and what a crash after each step leaves:
//!
//! 1. the next key is stored in `epoch.key.next`: not signed for, removed at the next start;
//! 2. the record `key.epoch_rotated` and its checkpoint, signed by both keys, are durable: from here on the hand-over
//!    has happened, and the next start completes it;
//! 3. `epochs/N.note` and `vkeys` get the new key;
//! 4. `epoch.key` is overwritten in place: the old key is gone;
//! 5. `epoch.key.next` is overwritten and removed;
//! 6. the record `key.destroyed`, the first of the new epoch.

use crate::durable::{AppendError, Disk};
use crate::error::{Error, io_error};
use crate::journal::Journal;
use crate::note::{Note, VerifyKey, parse_secret, secret_line};
use crate::paths::{Paths, SMALL_BYTES_MAX, read_limited};
use crate::token::PublicKey;
use ed25519_dalek::SigningKey;
use std::io;
use std::path::Path;
use zeroize::Zeroizing;

/// Step 1. Tries, too, whether there is room for the names of step 3: behind step 2 there is no way back.
pub(crate) fn prepare(
    disk: &Disk,
    paths: &Paths,
    origin: &str,
    epoch: u32,
    next: &SigningKey,
) -> io::Result<()> {
    wipe_next(disk, paths)?;
    store(disk, &paths.key_next(), origin, next)?;
    disk.try_names(&[paths.epoch_note(epoch), paths.vkeys()])
}

/// Steps 3 to 5. May be repeated.
pub(crate) fn finish(
    disk: &Disk,
    paths: &Paths,
    origin: &str,
    key: &SigningKey,
    keys: &[PublicKey],
    note: &Note,
) -> io::Result<()> {
    let epoch = u32::try_from(keys.len() - 1).map_err(io::Error::other)?;
    disk.replace(&paths.epoch_note(epoch), &note.bytes())?;
    disk.replace(&paths.vkeys(), vkeys(origin, keys).as_bytes())?;
    disk.overwrite(&paths.key(), 0, &secret_line(origin, key))?;
    wipe_next(disk, paths)
}

/// Hand-overs whose signatures an opening checks, the newest ones. Each costs two; the verifier checks all.
const CHECKED_MAX: usize = 64;

/// What an opening checks of the signatures, besides the last one: the first checkpoint, the newest hand-overs, and that
/// the copies in `epochs/` are those of the checkpoints that it reads, from the epoch `first` on. A copy that is missing is left
/// to the verifier.
pub(crate) fn check(
    paths: &Paths,
    origin: &str,
    keys: &[PublicKey],
    journal: &Journal,
    first: u32,
) -> Result<(), Error> {
    let is_signed = |note: &Note, epoch: usize| {
        keys.get(epoch).is_some_and(|key| note.is_signed_by(&VerifyKey::new(origin, *key)))
    };
    let broken = |what, note: &Note| Err(Error::Broken { what, at: note.checkpoint.size });
    if !is_signed(&journal.first, 0) {
        return broken("the first checkpoint is not signed by the first key", &journal.first);
    }
    let last = keys.len().saturating_sub(1);
    let read = journal.hand_overs.len();
    if read > last || (journal.is_whole && read < last) {
        return Err(Error::Broken { what: "a hand-over to a new key is not signed", at: 0 });
    }
    for epoch in usize::try_from(first).unwrap_or(usize::MAX)..=last {
        let path = paths.epoch_note(u32::try_from(epoch).unwrap_or(u32::MAX));
        let copy = match read_limited(&path, SMALL_BYTES_MAX) {
            Ok(bytes) => Some(bytes),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(io_error("read", &path)(e)),
        };
        // The last ones are in the checkpoints that were read; of earlier ones there is only the copy.
        let own = (epoch + read).checked_sub(last + 1).and_then(|at| journal.hand_overs.get(at)).cloned();
        let Some(note) = own.or_else(|| copy.as_deref().and_then(Note::parse)) else {
            let what = "a file in epochs is no checkpoint";
            if copy.is_some() {
                return Err(Error::Broken { what, at: epoch as u64 });
            }
            continue;
        };
        if copy.is_some_and(|copy| copy != note.bytes()) {
            return broken("a file in epochs is not the checkpoint of its hand-over", &note);
        }
        if epoch + CHECKED_MAX > last && !(is_signed(&note, epoch - 1) && is_signed(&note, epoch)) {
            return broken("a hand-over is not signed by both of its keys", &note);
        }
    }
    Ok(())
}

/// Overwrites and removes `epoch.key.next`, if it is there.
pub(crate) fn wipe_next(disk: &Disk, paths: &Paths) -> io::Result<()> {
    let path = paths.key_next();
    let meta = match path.symlink_metadata() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    if meta.is_file() {
        let zeros = vec![b'0'; usize::try_from(meta.len().min(SMALL_BYTES_MAX)).unwrap_or(0)];
        disk.overwrite(&path, 0, &zeros)?;
    }
    disk.remove(&path)
}

/// Stores a key in a new file.
pub(crate) fn store(disk: &Disk, path: &Path, origin: &str, key: &SigningKey) -> io::Result<()> {
    let file = disk.create(path)?;
    disk.append(&file, &secret_line(origin, key)).map_err(|e| match e {
        AppendError::Write(e) | AppendError::Sync(e) => e,
    })
}

/// Reads a key file; `None` if it is missing or torn.
pub(crate) fn load(path: &Path, origin: &str) -> io::Result<Option<SigningKey>> {
    match read_limited(path, 4096) {
        Ok(bytes) => Ok(parse_secret(&Zeroizing::new(bytes), origin)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// The file `vkeys`: one line for each epoch.
pub(crate) fn vkeys(origin: &str, keys: &[PublicKey]) -> String {
    keys.iter().map(|key| format!("{}\n", VerifyKey::new(origin, *key))).collect()
}
