//! Key slots: `typed secret → argon2id → slot secret → master key`.
//!
//! The slot secret is random and also kept in the sealed log, so a roll can wrap a new master key for every remaining
//! slot without asking anybody. A slot of the auditor role wraps the *view key* in the master key's place: it only
//! proves that the public part was written by somebody who had the vault open.

use crate::cobblestone::{self, Broken, Key};
use crate::format::{
    FORMAT_NAMED, Header, RawSlot, Role, SEALED_KEY_BYTES, SlotId, SlotInfo, SlotKind, VaultId,
};
use crate::name::PersonName;
use crate::random::{self, Random};
use crate::secret::Half;
use crate::{Error, KdfParams, Secret};

/// A slot together with its slot secret: what a roll needs to write it.
pub(crate) struct OpenSlot {
    pub(crate) raw: RawSlot,
    pub(crate) secret: Key,
}

impl OpenSlot {
    /// Makes a slot for a typed secret, a passphrase perhaps together with a machine secret, with the name of its person. It wraps nothing until [`OpenSlot::wrap`].
    pub(crate) fn new(
        vault_id: VaultId,
        (id, role): (SlotId, Role),
        name: Option<&PersonName>,
        (typed, half): (&Secret, Option<&Half>),
        kdf: KdfParams,
        random: &mut dyn Random,
    ) -> Result<Self, Error> {
        let half = half.filter(|_| typed.kind == SlotKind::Passphrase);
        let kind = half.map_or(typed.kind, |_| SlotKind::PassphraseAndMachine);
        let info = SlotInfo { id, kind, role };
        let mut salt = random::bytes(random)?;
        if let Some(name) = name {
            name.sign_salt(vault_id, id, &mut salt);
        }
        let (sealed_secret, sealed_key) = ([0; SEALED_KEY_BYTES], [0; SEALED_KEY_BYTES]);
        let mut slot = Self {
            raw: RawSlot { info, kdf, salt, sealed_secret, sealed_key },
            secret: random::key(random)?,
        };
        let typed_key = typed.key(half, kdf, &salt)?;
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
    /// Whether this is the slot of the person of this name.
    pub(crate) fn is_of(&self, vault_id: VaultId, name: &PersonName) -> bool {
        let mut salt = self.salt;
        name.sign_salt(vault_id, self.info.id, &mut salt);
        salt == self.salt
    }

    /// The slot secret, or `None` when the typed secret, or the machine secret that goes with it, is another one.
    pub(crate) fn secret(
        &self,
        vault_id: VaultId,
        typed: &Secret,
        half: Option<&Half>,
    ) -> Result<Option<Key>, Error> {
        let half = half.filter(|_| self.info.kind == SlotKind::PassphraseAndMachine);
        let typed_key = typed.key(half, self.kdf, &self.salt)?;
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
    format: u16,
    slots: Vec<RawSlot>,
    /// What passphrases go with where they go with something.
    pub(crate) half: Option<Half>,
}

impl Slots {
    pub(crate) fn of(header: &Header, half: Option<Half>) -> Self {
        Self { vault_id: header.vault_id, format: header.format, slots: header.slots.clone(), half }
    }

    /// Derives the keys that show whether `typed` opens one of these slots. [`crate::Locked::unlock`] and
    /// [`crate::Vault::authenticate`] use them; what they say stays theirs to say.
    ///
    /// # Errors
    /// [`Error::Io`] of the kind `OutOfMemory` where there is not enough memory for it.
    pub fn derive(&self, typed: &Secret) -> Result<(), Error> {
        match find(&self.slots, (self.vault_id, self.format), typed, self.half.as_ref()) {
            Err(error @ Error::Io { .. }) => Err(error),
            _ => Ok(()),
        }
    }
}

/// The first slot that a typed secret opens, with its slot secret. A wrong secret has been tried on every slot that it may
/// belong to when [`Error::WrongSecret`] comes back: on that of its name, or where nobody has a name on all of its kind. `half` is
/// the machine secret that passphrases may go with; without one that a slot asks for it is [`Error::HalfNeeded`], whoever was named.
pub(crate) fn find<'a>(
    slots: &'a [RawSlot],
    (vault_id, format): (VaultId, u16),
    typed: &Secret,
    half: Option<&Half>,
) -> Result<(&'a RawSlot, Key), Error> {
    let half = typed.half.as_ref().or(half);
    let lacks_half = |slot: &RawSlot| slot.info.kind == SlotKind::PassphraseAndMachine && half.is_none();
    let of_kind = || slots.iter().filter(|slot| slot.info.kind.takes(typed.kind));
    let has_names = format >= FORMAT_NAMED && typed.kind == SlotKind::Passphrase;
    let mut tried = 0;
    for slot in of_kind() {
        match &typed.person {
            Some(name) if has_names && !slot.is_of(vault_id, name) => continue,
            None if has_names && of_kind().count() > 1 => return Err(Error::NameNeeded),
            _ if lacks_half(slot) => continue,
            _ => tried += 1,
        }
        if let Some(secret) = slot.secret(vault_id, typed, half)? {
            return Ok((slot, secret));
        }
    }
    if let (0, Some(name), Some(slot)) = (tried, &typed.person, of_kind().next()) {
        // Nobody has this name, or their half is not there. How long the answer takes does not tell that.
        let mut salt = slot.salt;
        name.sign_salt(vault_id, slot.info.id, &mut salt);
        typed.key(half, slot.kdf, &salt)?;
    }
    Err(if of_kind().any(lacks_half) { Error::HalfNeeded } else { Error::WrongSecret })
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
