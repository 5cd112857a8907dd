//! The bytes on disk, in the order of FORMAT.md: magic, vault file header, slots, object header.
//!
//! All integers are big-endian. Unknown format, suite, flag, kind or role is refused, never guessed.

use std::fmt;

use crate::Error;
use crate::kdf::KdfParams;

/// The first format: the only one of objects and folders, and that of a vault file in which nobody has a name.
pub(crate) const FORMAT: u16 = 1;
/// The format of a vault file in which everybody with a passphrase has a name.
pub(crate) const FORMAT_NAMED: u16 = 2;
/// Cobblestone-256, HKDF-SHA-512, SHA-256 roots, argon2id.
const SUITE: u16 = 1;
/// `8A L P type CR LF ^Z LF`: as in PNG, shows text-mode damage at once.
const fn magic(letter: u8) -> [u8; 8] {
    [0x8A, b'L', b'P', letter, 0x0D, 0x0A, 0x1A, 0x0A]
}

/// Bytes of a vault file's or an object file's fixed header.
pub(crate) const HEADER_BYTES: usize = 64;
/// Bytes of one slot.
pub(crate) const SLOT_BYTES: usize = 256;
/// The part of a slot that both of its seals are bound to.
pub(crate) const SLOT_HEAD_BYTES: usize = 48;
/// A sealed 32-byte key.
pub(crate) const SEALED_KEY_BYTES: usize = 104;
/// A sealed empty message.
pub(crate) const SEALED_EMPTY_BYTES: usize = 72;
/// The master's and the auditors' seals behind the slots.
pub(crate) const HEADER_SEALS_BYTES: usize = 2 * SEALED_EMPTY_BYTES;
/// Slots that a vault file holds at most.
pub(crate) const SLOTS_MAX: usize = 16;
/// Bytes of a head at most: header, slots, seals.
pub(crate) const HEAD_BYTES_MAX: usize = HEADER_BYTES + SLOTS_MAX * SLOT_BYTES + HEADER_SEALS_BYTES;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub [u8; 16]);

        impl $name {
            /// Draws a new one.
            pub fn random(random: &mut dyn crate::Random) -> Result<Self, Error> {
                crate::random::bytes(random).map(Self)
            }

            /// Reads 32 hexadecimal digits.
            pub fn parse(text: &str) -> Option<Self> {
                let mut id = [0; 16];
                (base16ct::mixed::decode(text, &mut id).ok()?.len() == 16).then_some(Self(id))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:x}", base16ct::HexDisplay(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

id! {
    /// Names an object for ever; random.
    ObjectId
}
id! {
    /// Names a vault; random, never changes.
    VaultId
}

/// Names a key slot; counted up, an id in use is never given to another slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SlotId(pub u16);

impl SlotId {
    /// The number of the slot that these two open together: theirs, a byte each, the lower one first.
    pub(crate) fn joint(self, other: Self) -> Option<Self> {
        let [low, high] = [self.0.min(other.0), self.0.max(other.0)].map(u8::try_from);
        match (low, high) {
            (Ok(low @ 1..), Ok(high)) if low < high => Some(Self(u16::from_be_bytes([low, high]))),
            _ => None,
        }
    }

    /// The same two again.
    pub(crate) fn parts(self) -> [Self; 2] {
        self.0.to_be_bytes().map(|number| Self(number.into()))
    }
}

impl fmt::Display for SlotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What kind of secret opens a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlotKind {
    /// A person's passphrase.
    Passphrase = 1,
    /// The recovery code.
    Recovery = 2,
    /// A secret that a machine keeps: nobody types it, and it is nobody's.
    Machine = 3,
    /// What two people's passphrases lead to together: nobody types it, and it is nobody's.
    Joint = 4,
    /// A person's passphrase, together with the machine secret.
    PassphraseAndMachine = 5,
}

impl SlotKind {
    /// Whether a person's passphrase opens it, alone or together with the machine secret.
    pub fn is_persons(self) -> bool {
        matches!(self, Self::Passphrase | Self::PassphraseAndMachine)
    }

    /// Whether what is typed opens it, as far as its kind tells.
    pub(crate) fn takes(self, typed: Self) -> bool {
        self == typed || typed == Self::Passphrase && self.is_persons()
    }
}

/// What a slot gives to whoever opens it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// The master key.
    Operator = 1,
    /// Proof that the public part is genuine; no key of any picture.
    Auditor = 2,
    /// The master key; manages slots.
    Admin = 3,
}

impl Role {
    /// Whether a slot of this role wraps the master key.
    pub fn opens_objects(self) -> bool {
        self != Self::Auditor
    }
}

/// What anybody can read about a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlotInfo {
    /// Its id.
    pub id: SlotId,
    /// What opens it.
    pub kind: SlotKind,
    /// What it gives.
    pub role: Role,
}

impl SlotInfo {
    /// Whether it leads to the master key; otherwise to the view key. Where a vault has a joint slot, no passphrase does alone.
    pub(crate) fn has_master(self, is_joint: bool) -> bool {
        self.role.opens_objects() && !(is_joint && self.kind.is_persons())
    }
}

/// One slot as stored.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RawSlot {
    pub(crate) info: SlotInfo,
    pub(crate) kdf: KdfParams,
    pub(crate) salt: [u8; 32],
    /// The slot secret under the typed secret's key.
    pub(crate) sealed_secret: [u8; SEALED_KEY_BYTES],
    /// The master key (or the view key) under the slot secret.
    pub(crate) sealed_key: [u8; SEALED_KEY_BYTES],
}

impl RawSlot {
    /// The 48 bytes that both seals are bound to.
    pub(crate) fn head(&self) -> [u8; SLOT_HEAD_BYTES] {
        let mut head = [0; SLOT_HEAD_BYTES];
        head[0] = self.info.kind as u8;
        head[1] = self.info.role as u8;
        head[2..4].copy_from_slice(&self.info.id.0.to_be_bytes());
        for (bytes, number) in head[4..16].chunks_exact_mut(4).zip(self.kdf.numbers()) {
            bytes.copy_from_slice(&number.to_be_bytes());
        }
        head[16..].copy_from_slice(&self.salt);
        head
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head());
        out.extend_from_slice(&self.sealed_secret);
        out.extend_from_slice(&self.sealed_key);
    }

    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, Error> {
        let (kind, role) = (cursor.u8()?, cursor.u8()?);
        let id = SlotId(cursor.u16()?);
        let kind = match kind {
            1 => SlotKind::Passphrase,
            2 => SlotKind::Recovery,
            3 => SlotKind::Machine,
            4 => SlotKind::Joint,
            5 => SlotKind::PassphraseAndMachine,
            _ => return Err(Error::Unsupported { what: "a key slot", format: kind.into() }),
        };
        let role = match role {
            1 => Role::Operator,
            2 => Role::Auditor,
            3 => Role::Admin,
            _ => return Err(Error::Unsupported { what: "a key slot's role", format: role.into() }),
        };
        let kdf = KdfParams::new(cursor.u32()?, cursor.u32()?, cursor.u32()?)?;
        let (salt, sealed_secret, sealed_key) = (cursor.array()?, cursor.array()?, cursor.array()?);
        Ok(Self { info: SlotInfo { id, kind, role }, kdf, salt, sealed_secret, sealed_key })
    }
}

/// The public part of a vault file.
#[derive(Clone)]
pub(crate) struct Header {
    /// [`FORMAT`] or [`FORMAT_NAMED`].
    pub(crate) format: u16,
    pub(crate) vault_id: VaultId,
    pub(crate) epoch: u64,
    pub(crate) file_id: [u8; 16],
    pub(crate) slots: Vec<RawSlot>,
}

impl Header {
    /// Whether two people open it together, and none of them alone.
    pub(crate) fn is_joint(&self) -> bool {
        self.slots.iter().any(|slot| slot.info.kind == SlotKind::Joint)
    }

    /// The slot of this number.
    pub(crate) fn slot(&self, id: SlotId) -> Option<&RawSlot> {
        self.slots.iter().find(|slot| slot.info.id == id)
    }

    /// Bytes of header, slots and seals: where the first record starts.
    pub(crate) fn size(&self) -> usize {
        self.sealed_size() + HEADER_SEALS_BYTES
    }

    /// Bytes of header and slots, which the seals protect.
    pub(crate) fn sealed_size(&self) -> usize {
        HEADER_BYTES + SLOT_BYTES * self.slots.len()
    }

    /// The first 64 bytes.
    pub(crate) fn fixed(&self) -> [u8; HEADER_BYTES] {
        let slots = u16::try_from(self.slots.len()).expect("a header has at most 16 slots");
        let mut out = [0; HEADER_BYTES];
        out[..16].copy_from_slice(&preamble(b'V', self.format));
        out[16..32].copy_from_slice(&self.vault_id.0);
        out[32..40].copy_from_slice(&self.epoch.to_be_bytes());
        out[40..56].copy_from_slice(&self.file_id);
        out[56..58].copy_from_slice(&slots.to_be_bytes());
        out
    }

    /// Header and slots; the caller appends the seals.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = self.fixed().to_vec();
        self.slots.iter().for_each(|slot| slot.encode(&mut out));
        out
    }

    /// Reads header and slots from the start of a vault file. Nothing is authenticated yet.
    pub(crate) fn parse(file: &[u8]) -> Result<Self, Error> {
        let mut cursor = Cursor(file);
        let format = check_preamble(&mut cursor, b'V', FORMAT_NAMED, "the vault file")?;
        let vault_id = VaultId(cursor.array()?);
        let (epoch, file_id, count) = (cursor.u64()?, cursor.array()?, usize::from(cursor.u16()?));
        let zero: [u8; 6] = cursor.array()?;
        if zero != [0; 6] || !(1..=SLOTS_MAX).contains(&count) {
            return Err(Error::HeaderTampered);
        }
        let slots = (0..count).map(|_| RawSlot::parse(&mut cursor)).collect::<Result<Vec<_>, _>>()?;
        let mut ids: Vec<SlotId> = slots.iter().map(|slot| slot.info.id).collect();
        ids.sort();
        ids.dedup();
        let header = Self { format, vault_id, epoch, file_id, slots };
        let is_persons = |id| header.slot(id).is_some_and(|slot| slot.info.kind.is_persons());
        let is_sound = |slot: &RawSlot| {
            let ([one, other], id) = (slot.info.id.parts(), slot.info.id);
            slot.info.kind != SlotKind::Joint
                || one.joint(other) == Some(id) && is_persons(one) && is_persons(other)
        };
        if ids.len() != count || file.len() < header.size() || !header.slots.iter().all(is_sound) {
            return Err(Error::HeaderTampered);
        }
        Ok(header)
    }
}

/// The public part of an object file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ObjectHeader {
    pub(crate) vault_id: VaultId,
    pub(crate) id: ObjectId,
    /// Sealed bytes of the preview and of the content.
    pub(crate) sections: [u64; 2],
}

impl ObjectHeader {
    pub(crate) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        out[..16].copy_from_slice(&preamble(b'O', FORMAT));
        out[16..32].copy_from_slice(&self.vault_id.0);
        out[32..48].copy_from_slice(&self.id.0);
        out[48..56].copy_from_slice(&self.sections[0].to_be_bytes());
        out[56..].copy_from_slice(&self.sections[1].to_be_bytes());
        out
    }

    /// `None` when these bytes are no object header of this format.
    pub(crate) fn parse(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        let mut cursor = Cursor(bytes);
        check_preamble(&mut cursor, b'O', FORMAT, "").ok()?;
        let (vault_id, id) = (VaultId(cursor.array().ok()?), ObjectId(cursor.array().ok()?));
        Some(Self { vault_id, id, sections: [cursor.u64().ok()?, cursor.u64().ok()?] })
    }
}

/// What a backup begins with, before the head of the vault file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BackupHead {
    pub(crate) vault_id: VaultId,
    /// Of the backup.
    pub(crate) id: [u8; 16],
    /// When it was made, in milliseconds since 1970.
    pub(crate) made_ms: u64,
    /// Bytes of the head of the vault file that follows.
    pub(crate) head_bytes: u32,
}

/// Bytes of that.
pub(crate) const BACKUP_HEAD_BYTES: usize = HEADER_BYTES;
/// Bytes of the head of a vault file with all of its slots.
const VAULT_HEAD_BYTES_MAX: u32 = (HEADER_BYTES + SLOT_BYTES * SLOTS_MAX + HEADER_SEALS_BYTES) as u32;

impl BackupHead {
    pub(crate) fn encode(&self) -> [u8; BACKUP_HEAD_BYTES] {
        let mut out = [0; BACKUP_HEAD_BYTES];
        out[..16].copy_from_slice(&preamble(b'B', FORMAT));
        out[16..32].copy_from_slice(&self.vault_id.0);
        out[32..48].copy_from_slice(&self.id);
        out[48..56].copy_from_slice(&self.made_ms.to_be_bytes());
        out[56..60].copy_from_slice(&self.head_bytes.to_be_bytes());
        out
    }

    /// [`Error::NotABackup`], or [`Error::Unsupported`] for one of a later format.
    pub(crate) fn parse(bytes: &[u8; BACKUP_HEAD_BYTES]) -> Result<Self, Error> {
        let mut cursor = Cursor(bytes);
        let mut parse = || {
            check_preamble(&mut cursor, b'B', FORMAT, "the backup")?;
            let (vault_id, id) = (VaultId(cursor.array()?), cursor.array()?);
            let head = Self { vault_id, id, made_ms: cursor.u64()?, head_bytes: cursor.u32()? };
            let is_known = head.encode() == *bytes && head.head_bytes <= VAULT_HEAD_BYTES_MAX;
            if is_known { Ok(head) } else { Err(Error::HeaderTampered) }
        };
        parse().map_err(|error| match error {
            Error::HeaderTampered => Error::NotABackup,
            other => other,
        })
    }
}

/// Whose an outputs folder is by the bytes of the file that tells; `None` if they do not.
pub(crate) fn folder_owner(bytes: &[u8; FOLDER_BYTES]) -> Option<VaultId> {
    let (head, id) = bytes.split_first_chunk::<16>()?;
    (*head == preamble(b'F', FORMAT)).then_some(VaultId(id.try_into().ok()?))
}

/// Bytes of the file that tells whose an outputs folder is.
pub(crate) const FOLDER_BYTES: usize = 32;

/// That file.
pub(crate) fn folder_bytes(vault_id: VaultId) -> [u8; FOLDER_BYTES] {
    let mut out = [0; FOLDER_BYTES];
    out[..16].copy_from_slice(&preamble(b'F', FORMAT));
    out[16..].copy_from_slice(&vault_id.0);
    out
}

/// Magic, format, suite and flags.
fn preamble(letter: u8, format: u16) -> [u8; 16] {
    let mut out = [0; 16];
    out[..8].copy_from_slice(&magic(letter));
    out[8..10].copy_from_slice(&format.to_be_bytes());
    out[10..12].copy_from_slice(&SUITE.to_be_bytes());
    out
}

/// The format that is found there, which is one up to `newest`.
fn check_preamble(
    cursor: &mut Cursor<'_>,
    letter: u8,
    newest: u16,
    what: &'static str,
) -> Result<u16, Error> {
    let found: [u8; 16] = cursor.array()?;
    let format = u16::from_be_bytes([found[8], found[9]]);
    let is_known = (FORMAT..=newest).contains(&format);
    if is_known && found == preamble(letter, format) {
        Ok(format)
    } else if found[..8] != magic(letter) || is_known && found[10..12] == SUITE.to_be_bytes() {
        Err(Error::HeaderTampered) // the only flag in sight of these formats is none
    } else {
        Err(Error::Unsupported { what, format })
    }
}

/// Reads fixed-width fields; running out is [`Error::HeaderTampered`], which callers may rename.
pub(crate) struct Cursor<'a>(pub(crate) &'a [u8]);

impl<'a> Cursor<'a> {
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Error::HeaderTampered)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Error::HeaderTampered)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Error> {
        self.array().map(u8::from_be_bytes)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Error> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Error> {
        self.array().map(u64::from_be_bytes)
    }
}
