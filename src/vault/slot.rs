//! Key slots: `typed secret → argon2id → slot secret → master key`.
//!
//! The slot secret is random and also kept in the sealed log, so a roll can wrap a new master key for every remaining
//! slot without asking anybody. A slot of the auditor role wraps the *view key* in the master key's place: it only
//! proves that the public part was written by somebody who had the vault open.

use crate::cobblestone::{self, Broken, Key, hmac};
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

    /// Makes the slot that the people of two others open together: the secrets of both lead to its own, in the order of their
    /// numbers. So it can be made, as any slot can be wrapped anew, without asking anybody.
    pub(crate) fn joint(
        vault_id: VaultId,
        (one, other): (&Self, &Self),
        random: &mut dyn Random,
    ) -> Result<Self, Error> {
        let no_pair = Error::Limit("two people open a vault together, each with a passphrase of their own");
        let id = one.raw.info.id.joint(other.raw.info.id).ok_or(no_pair)?;
        let info = SlotInfo { id, kind: SlotKind::Joint, role: Role::Operator };
        // Nothing is derived of anything typed.
        let (kdf, salt) = (one.raw.kdf, random::bytes(random)?);
        let (sealed_secret, sealed_key) = ([0; SEALED_KEY_BYTES], [0; SEALED_KEY_BYTES]);
        let mut slot = Self {
            raw: RawSlot { info, kdf, salt, sealed_secret, sealed_key },
            secret: random::key(random)?,
        };
        let [low, high] = in_order((one.raw.info.id, &one.secret), (other.raw.info.id, &other.secret));
        let context: [&[u8]; 3] = [b"lp1/slot/secret", &vault_id.0, &slot.raw.head()];
        slot.raw.sealed_secret = seal_key(&joint_key(low, high), &context, &slot.secret, random)?;
        Ok(slot)
    }

    /// Wraps the master key, or the view key: for an auditor, and for everybody where people open the vault together.
    pub(crate) fn wrap(
        &mut self,
        (vault_id, is_joint): (VaultId, bool),
        (master, view): (&Key, &Key),
        random: &mut dyn Random,
    ) -> Result<(), Error> {
        let has_master = self.raw.info.has_master(is_joint);
        let context: [&[u8]; 3] = [key_context(has_master), &vault_id.0, &self.raw.head()];
        let wrapped = if has_master { master } else { view };
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

    /// The secret of a joint slot, by those of the two slots that it is of.
    pub(crate) fn joint_secret(&self, vault_id: VaultId, [low, high]: [&Key; 2]) -> Result<Key, Error> {
        let context: [&[u8]; 3] = [b"lp1/slot/secret", &vault_id.0, &self.head()];
        open_key(&joint_key(low, high), &context, &self.sealed_secret).map_err(|_| Error::HeaderTampered)
    }

    /// The master key, or the view key, as [`SlotInfo::has_master`] says.
    pub(crate) fn key(&self, (vault_id, is_joint): (VaultId, bool), secret: &Key) -> Result<Key, Error> {
        let has_master = self.info.has_master(is_joint);
        let context: [&[u8]; 3] = [key_context(has_master), &vault_id.0, &self.head()];
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

    /// Whether whoever says that this is their name opens the vault with a second one alone. An auditor, who opens no picture, needs nobody.
    pub fn takes_second(&self, name: Option<&PersonName>) -> bool {
        let is_auditors = |slot: &RawSlot| {
            !slot.info.role.opens_objects() && name.is_some_and(|name| slot.is_of(self.vault_id, name))
        };
        self.slots.iter().any(|slot| slot.info.kind == SlotKind::Joint) && !self.slots.iter().any(is_auditors)
    }

    /// Derives the keys that show whether `typed` opens one of these slots. [`crate::Locked::unlock`] and
    /// [`crate::Vault::authenticate`] use them; what they say stays theirs to say.
    ///
    /// # Errors
    /// [`Error::Io`] of the kind `OutOfMemory` where there is not enough memory for it.
    pub fn derive(&self, typed: &Secret) -> Result<(), Error> {
        let second = typed
            .second
            .as_deref()
            .filter(|_| self.slots.iter().any(|slot| slot.info.kind == SlotKind::Joint));
        let tried = [Some(typed), second];
        tried.into_iter().flatten().try_for_each(|typed| {
            match find(&self.slots, (self.vault_id, self.format), typed, self.half.as_ref()) {
                Err(error @ Error::Io { .. }) => Err(error),
                _ => Ok(()),
            }
        })
    }
}

/// What was typed has opened something.
pub(crate) struct Opens {
    /// Whose slot it is.
    pub(crate) slot: SlotInfo,
    /// That of who has opened it with them, where people open the vault together.
    pub(crate) second: Option<SlotInfo>,
    /// The master key, or for an auditor the view key.
    pub(crate) key: Key,
}

/// What is typed opens in a vault file with this head. Where people open it together a passphrase alone is [`Error::JointNeeded`],
/// and so are those of two who do not. Which of two passphrases is wrong nobody is told.
pub(crate) fn open(header: &Header, typed: &Secret, half: Option<&Half>) -> Result<Opens, Error> {
    let (id, is_joint) = (header.vault_id, header.is_joint());
    let half = typed.half.as_ref().or(half);
    let found = |typed| find(&header.slots, (id, header.format), typed, half);
    // Whatever the first one is: how long the answer takes does not tell that.
    let takes_second = is_joint && typed.kind == SlotKind::Passphrase;
    let second = typed.second.as_deref().filter(|_| takes_second).map(found);
    let (own, secret) = found(typed)?;
    let slot = own.info;
    if slot.has_master(is_joint) || !slot.role.opens_objects() {
        return Ok(Opens { slot, second: None, key: own.key((id, is_joint), &secret)? });
    }
    let (other, other_secret) = second.ok_or(Error::JointNeeded)??;
    let number = slot.id.joint(other.info.id);
    let joint =
        number.and_then(|number| header.slot(number)).filter(|slot| slot.info.kind == SlotKind::Joint);
    let joint = joint.ok_or(Error::JointNeeded)?;
    let secrets = in_order((slot.id, &secret), (other.info.id, &other_secret));
    let key = joint.key((id, is_joint), &joint.joint_secret(id, secrets)?)?;
    Ok(Opens { slot, second: Some(other.info), key })
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

fn key_context(has_master: bool) -> &'static [u8] {
    if has_master { b"lp1/slot/master" } else { b"lp1/slot/view" }
}

/// The secrets of two slots, that of the lower number first.
fn in_order<'a>(one: (SlotId, &'a Key), other: (SlotId, &'a Key)) -> [&'a Key; 2] {
    if one.0 < other.0 { [one.1, other.1] } else { [other.1, one.1] }
}

/// What two slot secrets lead to together. Each is 32 random bytes.
fn joint_key(low: &Key, high: &Key) -> Key {
    let mut key = Key::default();
    key.copy_from_slice(&hmac(&low[..], &[b"lp1/slot/joint", &high[..]])[..32]);
    key
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
