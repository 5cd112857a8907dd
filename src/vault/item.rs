//! What the sealed log says: entries, packed into records.

use std::fmt;

use zeroize::Zeroizing;

use crate::Error;
use crate::cobblestone::Key;
use crate::format::{Cursor, ObjectId, SlotId};
use crate::name::PersonName;

/// Bytes of metadata that an object carries at most.
pub const METADATA_BYTES_MAX: usize = 64 * 1024;
/// Bytes of an object's name at most; `.sealed` still fits a file name.
pub const NAME_BYTES_MAX: usize = 200;
/// Plaintext bytes of a preview at most.
pub const PREVIEW_BYTES_MAX: usize = 4 << 20;
/// Plaintext bytes of a content at most.
pub const CONTENT_BYTES_MAX: usize = 256 << 20;
/// Bytes of a mark at most.
pub const MARK_BYTES_MAX: usize = 256;
/// The tag of the one mark that may be longer.
pub const MARK_LONG: u8 = 15;
/// Bytes of that one at most.
pub const MARK_LONG_BYTES_MAX: usize = 4096;
/// Bytes of an encoded entry at most: a put with the longest name and metadata, rounded up.
pub(crate) const ITEM_BYTES_MAX: usize = METADATA_BYTES_MAX + 1024;

const PUT: u8 = 1;
const TOMBSTONE: u8 = 2;
const SLOT: u8 = 4;
const MARK: u8 = 6;
const NAME: u8 = 7;

/// An object as the list shows it. Holds no key.
#[derive(Clone)]
#[non_exhaustive]
pub struct ObjectInfo {
    /// Its id.
    pub id: ObjectId,
    /// Its name; the file is `<name>.sealed`.
    pub name: String,
    /// When it was made, in milliseconds since 1970 as the caller said.
    pub created_ms: u64,
    /// Sixteen random bytes that make digests about this object unguessable.
    pub salt: [u8; 16],
    /// Plaintext bytes of the preview.
    pub preview_bytes: u64,
    /// Plaintext bytes of the content.
    pub content_bytes: u64,
    /// Whatever the caller wanted kept; opaque here. Wiped when dropped.
    pub metadata: Zeroizing<Vec<u8>>,
    /// The record that holds its data key.
    pub(crate) page: usize,
}

/// Without the metadata, which may hold what somebody typed.
impl fmt::Debug for ObjectInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectInfo").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

/// What is left of an erased object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tombstone {
    /// The erased object.
    pub id: ObjectId,
    /// When, in milliseconds since 1970 as the caller said.
    pub erased_ms: u64,
    /// Why; the numbers are the caller's.
    pub reason: u16,
    /// The epoch whose beginning destroyed the key.
    pub epoch: u64,
}

/// One entry of the log.
pub(crate) enum Item {
    Put { entry: ObjectInfo, key: Key },
    Tombstone(Tombstone),
    Slot { id: SlotId, secret: Key },
    Mark { tag: u8, value: Zeroizing<Vec<u8>> },
    Name { slot: SlotId, name: PersonName },
}

impl Item {
    /// Appends `kind 1 ‖ length 4 ‖ body`.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len() + 5;
        out.extend_from_slice(&[0; 5]);
        let kind = match self {
            Self::Put { entry, key } => {
                let name_bytes = u16::try_from(entry.name.len()).expect("names are limited to 200 bytes");
                let metadata_bytes =
                    u32::try_from(entry.metadata.len()).expect("metadata is limited to 64 KiB");
                out.extend_from_slice(&entry.id.0);
                out.extend_from_slice(&key[..]);
                out.extend_from_slice(&entry.salt);
                for number in [entry.created_ms, entry.preview_bytes, entry.content_bytes] {
                    out.extend_from_slice(&number.to_be_bytes());
                }
                out.extend_from_slice(&name_bytes.to_be_bytes());
                out.extend_from_slice(entry.name.as_bytes());
                out.extend_from_slice(&metadata_bytes.to_be_bytes());
                out.extend_from_slice(&entry.metadata);
                PUT
            }
            Self::Tombstone(tombstone) => {
                out.extend_from_slice(&tombstone.id.0);
                out.extend_from_slice(&tombstone.erased_ms.to_be_bytes());
                out.extend_from_slice(&tombstone.reason.to_be_bytes());
                out.extend_from_slice(&tombstone.epoch.to_be_bytes());
                TOMBSTONE
            }
            Self::Slot { id, secret } => {
                out.extend_from_slice(&id.0.to_be_bytes());
                out.extend_from_slice(&secret[..]);
                SLOT
            }
            Self::Mark { tag, value } => {
                out.push(*tag);
                out.extend_from_slice(value);
                MARK
            }
            Self::Name { slot, name } => {
                out.extend_from_slice(&slot.0.to_be_bytes());
                out.extend_from_slice(name.as_str().as_bytes());
                NAME
            }
        };
        let bytes = u32::try_from(out.len() - start).expect("every entry is far below 4 GiB");
        out[start - 5] = kind;
        out[start - 4..start].copy_from_slice(&bytes.to_be_bytes());
    }

    /// Reads all entries of one opened record. `page` is the record's number.
    pub(crate) fn parse_all(record: &[u8], page: usize) -> Result<Vec<Self>, Error> {
        let mut cursor = Cursor(record);
        let mut items = Vec::new();
        while !cursor.0.is_empty() {
            let kind = cursor.u8()?;
            let bytes = cursor.u32()? as usize;
            let mut body = Cursor(cursor.take(bytes)?);
            let item = match kind {
                PUT => Self::parse_put(&mut body, page)?,
                TOMBSTONE => Self::Tombstone(Tombstone {
                    id: ObjectId(body.array()?),
                    erased_ms: body.u64()?,
                    reason: body.u16()?,
                    epoch: body.u64()?,
                }),
                SLOT => Self::Slot { id: SlotId(body.u16()?), secret: Zeroizing::new(body.array()?) },
                MARK => {
                    Self::Mark { tag: body.u8()?, value: Zeroizing::new(body.take(body.0.len())?.to_vec()) }
                }
                NAME => {
                    let slot = SlotId(body.u16()?);
                    let text = std::str::from_utf8(body.take(body.0.len())?);
                    let name = text.ok().and_then(PersonName::stored).ok_or(Error::HeaderTampered)?;
                    Self::Name { slot, name }
                }
                _ => {
                    return Err(Error::Unsupported {
                        what: "an entry of the vault file",
                        format: kind.into(),
                    });
                }
            };
            if !body.0.is_empty() {
                return Err(Error::HeaderTampered);
            }
            items.push(item);
        }
        Ok(items)
    }

    fn parse_put(body: &mut Cursor<'_>, page: usize) -> Result<Self, Error> {
        let id = ObjectId(body.array()?);
        let key = Zeroizing::new(body.array()?);
        let salt = body.array()?;
        let (created_ms, preview_bytes, content_bytes) = (body.u64()?, body.u64()?, body.u64()?);
        if preview_bytes > PREVIEW_BYTES_MAX as u64 || content_bytes > CONTENT_BYTES_MAX as u64 {
            return Err(Error::HeaderTampered);
        }
        let name_bytes = body.u16()?.into();
        let name = std::str::from_utf8(body.take(name_bytes)?).map_err(|_| Error::HeaderTampered)?;
        check_name(name)?;
        let name = name.to_owned();
        let metadata_bytes = body.u32()? as usize;
        let metadata = Zeroizing::new(body.take(metadata_bytes)?.to_vec());
        let entry = ObjectInfo { id, name, created_ms, salt, preview_bytes, content_bytes, metadata, page };
        Ok(Self::Put { entry, key })
    }
}

/// The key of an object, out of the items of its record.
pub(crate) fn key_of(items: Vec<Item>, wanted: &ObjectInfo) -> Result<Key, Error> {
    let key = items.into_iter().find_map(|item| match item {
        Item::Put { entry, key } if entry.id == wanted.id => Some(key),
        _ => None,
    });
    key.ok_or(Error::LogDamaged { record: wanted.page as u64 })
}

/// A name is one plain file name: letters, digits, `.`, `_`, `-`; it does not start with a dot.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b".-_".contains(&b);
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.starts_with('.') || !name.bytes().all(plain) {
        return Err(Error::Limit("a name has 1 to 200 letters, digits, dots, hyphens or underscores"));
    }
    Ok(())
}
