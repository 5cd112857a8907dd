//! The keys of one epoch and what they seal in the vault file's head.

use zeroize::Zeroizing;

use crate::Error;
use crate::cobblestone::{self, Key, hmac};
use crate::format::{Header, Role, SEALED_EMPTY_BYTES};
use crate::random::{self, Random};

/// HKDF-SHA-512(salt = epoch key, ikm = master key, info = "lp1/log" ‖ header 64), 32 bytes. Whoever has the
/// passphrase but not the epoch key has nothing.
pub(crate) fn log_key(master: &Key, epoch_key: &Key, header: &Header) -> Key {
    let extracted = hmac(&epoch_key[..], &[&master[..]]);
    let expanded = hmac(&extracted[..], &[b"lp1/log", &header.fixed(), &[1]]);
    let mut key = Zeroizing::new([0; 32]);
    key.copy_from_slice(&expanded[..32]);
    key
}

/// Appends the two seals of the head to `head`, which holds header and slots: one for whoever has the master key, one
/// for auditors.
pub(crate) fn seal_head(
    head: &mut Vec<u8>,
    master: &Key,
    view: &Key,
    random: &mut dyn Random,
) -> Result<(), Error> {
    let sealed = head.clone();
    cobblestone::seal(master, &[b"lp1/header", &sealed], &random::salt(random)?, b"", head);
    cobblestone::seal(view, &[b"lp1/view", &sealed], &random::salt(random)?, b"", head);
    Ok(())
}

/// Checks the seal that `key`, out of a slot of this role, is for.
pub(crate) fn check_head(file: &[u8], header: &Header, role: Role, key: &Key) -> Result<(), Error> {
    let (head, rest) = file.split_at_checked(header.sealed_size()).ok_or(Error::HeaderTampered)?;
    let (context, skip): (&[u8], _) =
        if role.opens_objects() { (b"lp1/header", 0) } else { (b"lp1/view", SEALED_EMPTY_BYTES) };
    let seal = rest.get(skip..skip + SEALED_EMPTY_BYTES).ok_or(Error::HeaderTampered)?;
    cobblestone::open(key, &[context, head], seal).map(drop).map_err(|_| Error::HeaderTampered)
}
