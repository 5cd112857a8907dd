//! Key slots: `typed secret → argon2id → slot secret → master key`.
//!
//! The slot secret is random and also kept in the sealed log, so a roll can wrap a new master key for every remaining
//! slot without asking anybody. A slot of the auditor role wraps the *view key* in the master key's place: it only
//! proves that the public part was written by somebody who had the vault open.

use crate::cobblestone::{self, Broken, Key};
use crate::format::{Header, RawSlot, Role, SEALED_KEY_BYTES, SlotId, SlotInfo, VaultId};
use crate::random::{self, Random};
use crate::{Error, KdfParams, Secret};

/// A slot together with its slot secret: what a roll needs to write it.
pub(crate) struct OpenSlot {
    pub(crate) raw: RawSlot,
    pub(crate) secret: Key,
}

impl OpenSlot {
    /// Makes a slot for a typed secret. It wraps nothing until [`OpenSlot::wrap`].
    pub(crate) fn new(
        vault_id: VaultId,
        (id, role): (SlotId, Role),
        typed: &Secret,
        kdf: KdfParams,
        random: &mut dyn Random,
    ) -> Result<Self, Error> {
        let info = SlotInfo { id, kind: typed.kind, role };
        let salt = random::bytes(random)?;
        let (sealed_secret, sealed_key) = ([0; SEALED_KEY_BYTES], [0; SEALED_KEY_BYTES]);
        let mut slot = Self {
            raw: RawSlot { info, kdf, salt, sealed_secret, sealed_key },
            secret: random::key(random)?,
        };
        let typed_key = typed.key(kdf, &salt)?;
        let context: [&[u8]; 3] = [b"lp1/slot/secret", &vault_id.0, &slot.raw.head()];
        slot.raw.sealed_secret = seal_key(&typed_key, &context, &slot.secret, random)?;
        Ok(slot)
    }

    /// Wraps the master key, or for an auditor the view key.
    pub(crate) fn wrap(
        &mut self,
        vault_id: VaultId,
        (master, view): (&Key, &Key),
        random: &mut dyn Random,
    ) -> Result<(), Error> {
        let role = self.raw.info.role;
        let context: [&[u8]; 3] = [key_context(role), &vault_id.0, &self.raw.head()];
        let wrapped = if role.opens_objects() { master } else { view };
        self.raw.sealed_key = seal_key(&self.secret, &context, wrapped, random)?;
        Ok(())
    }
}

impl RawSlot {
    /// The slot secret, or `None` when the typed secret is another one.
    pub(crate) fn secret(&self, vault_id: VaultId, typed: &Secret) -> Result<Option<Key>, Error> {
        if typed.kind != self.info.kind {
            return Ok(None);
        }
        let typed_key = typed.key(self.kdf, &self.salt)?;
        let context: [&[u8]; 3] = [b"lp1/slot/secret", &vault_id.0, &self.head()];
        match open_key(&typed_key, &context, &self.sealed_secret) {
            Ok(secret) => Ok(Some(secret)),
            Err(Broken::Commitment) => Ok(None),
            Err(_) => Err(Error::HeaderTampered),
        }
    }

    /// The master key, or for an auditor's slot the view key.
    pub(crate) fn key(&self, vault_id: VaultId, secret: &Key) -> Result<Key, Error> {
        let context: [&[u8]; 3] = [key_context(self.info.role), &vault_id.0, &self.head()];
        open_key(secret, &context, &self.sealed_key).map_err(|_| Error::HeaderTampered)
    }
}

/// What anybody can read of the slots of a vault. A secret can be made ready for them beside the vault, since that takes
/// long.
#[derive(Clone, PartialEq, Eq)]
pub struct Slots {
    vault_id: VaultId,
    slots: Vec<RawSlot>,
}

impl Slots {
    pub(crate) fn of(header: &Header) -> Self {
        Self { vault_id: header.vault_id, slots: header.slots.clone() }
    }

    /// Derives the keys that show whether `typed` opens one of these slots. [`crate::Locked::unlock`] and
    /// [`crate::Vault::authenticate`] use them; what they say stays theirs to say.
    ///
    /// # Errors
    /// [`Error::Io`] of the kind `OutOfMemory` where there is not enough memory for it.
    pub fn derive(&self, typed: &Secret) -> Result<(), Error> {
        match find(&self.slots, self.vault_id, typed) {
            Err(error @ Error::Io { .. }) => Err(error),
            _ => Ok(()),
        }
    }
}

/// The first slot that a typed secret opens, with its slot secret. A wrong secret has been tried on every slot of its
/// kind when [`Error::WrongSecret`] comes back.
pub(crate) fn find<'a>(
    slots: &'a [RawSlot],
    vault_id: VaultId,
    typed: &Secret,
) -> Result<(&'a RawSlot, Key), Error> {
    for slot in slots {
        if let Some(secret) = slot.secret(vault_id, typed)? {
            return Ok((slot, secret));
        }
    }
    Err(Error::WrongSecret)
}

fn key_context(role: Role) -> &'static [u8] {
    if role.opens_objects() { b"lp1/slot/master" } else { b"lp1/slot/view" }
}

fn seal_key(
    key: &Key,
    context: &[&[u8]],
    wrapped: &Key,
    random: &mut dyn Random,
) -> Result<[u8; SEALED_KEY_BYTES], Error> {
    let mut out = Vec::new();
    cobblestone::seal(key, context, &random::salt(random)?, &wrapped[..], &mut out);
    Ok(out.try_into().expect("a sealed 32-byte key has 104 bytes"))
}

fn open_key(key: &Key, context: &[&[u8]], sealed: &[u8; SEALED_KEY_BYTES]) -> Result<Key, Broken> {
    let plain = cobblestone::open(key, context, &sealed[..])?;
    let mut out = Key::default();
    out.copy_from_slice(plain.get(..32).ok_or(Broken::Length)?);
    Ok(out)
}
