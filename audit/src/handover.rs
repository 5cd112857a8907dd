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
use crate::note::{Note, VerifyKey, parse_secret, secret_line};
use crate::paths::{Paths, SMALL_BYTES_MAX, read_limited};
use crate::token::PublicKey;
use ed25519_dalek::SigningKey;
use std::io;
use std::path::Path;
use zeroize::Zeroizing;

/// Step 1.
pub(crate) fn prepare(disk: &Disk, paths: &Paths, origin: &str, next: &SigningKey) -> io::Result<()> {
    wipe_next(disk, paths)?;
    store(disk, &paths.key_next(), origin, next)
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
    disk.overwrite(&paths.key(), &secret_line(origin, key))?;
    wipe_next(disk, paths)
}

/// Overwrites and removes `epoch.key.next`, if it is there.
pub(crate) fn wipe_next(disk: &Disk, paths: &Paths) -> io::Result<()> {
    let path = paths.key_next();
    let Ok(meta) = path.symlink_metadata() else { return Ok(()) };
    if meta.is_file() {
        let zeros = vec![b'0'; usize::try_from(meta.len().min(SMALL_BYTES_MAX)).unwrap_or(0)];
        disk.overwrite(&path, &zeros)?;
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
