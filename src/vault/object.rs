//! Object files: `header 64 ‖ sealed preview ‖ sealed content`, named `<name>.sealed`, without any key.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::{fmt, io};

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::cobblestone::{self, Broken, Key, SALT_BYTES, Source, sealed_bytes};
use crate::disk::{Folder, Replace};
use crate::format::{HEADER_BYTES, ObjectHeader, ObjectId, VaultId};
use crate::item::{self, CONTENT_BYTES_MAX, METADATA_BYTES_MAX, ObjectInfo, PREVIEW_BYTES_MAX};
use crate::random::{self, Random};
use crate::{Damage, Error};

/// Ending of an object file's name.
pub const SUFFIX: &str = ".sealed";
/// Ending of a file that is still being written.
pub(crate) const PART_SUFFIX: &str = ".part";

/// What to seal.
pub struct NewObject<'a> {
    /// A new id, drawn by the caller so that it can be recorded ahead; see [`ObjectId::random`].
    pub id: ObjectId,
    /// Drawn at random by the caller, so that a digest made with it may stand inside the content. Destroyed with the
    /// object's key.
    pub salt: [u8; 16],
    /// One plain file name without the ending: 1 to 200 of `A-Z a-z 0-9 . _ -`, not starting with a dot.
    pub name: &'a str,
    /// Milliseconds since 1970.
    pub created_ms: u64,
    /// At most 64 KiB, kept in the sealed log and in memory while the vault is open.
    pub metadata: &'a [u8],
    /// At most 4 MiB; may be empty.
    pub preview: &'a [u8],
    /// At most 256 MiB.
    pub content: &'a [u8],
}

/// An object whose file is durable and whose key exists in memory only. Dropped without a commit, the file is noise.
#[must_use = "the object exists once it is committed"]
pub struct Staged {
    /// The folder that its file lies in, whatever has its name by now.
    pub(crate) outputs: Folder,
    pub(crate) entry: ObjectInfo,
    pub(crate) key: Key,
    sha256: [u8; 32],
    bytes: u64,
}

impl fmt::Debug for Staged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Staged").field("id", &self.entry.id).finish_non_exhaustive()
    }
}

impl Staged {
    /// The object's id.
    pub fn id(&self) -> ObjectId {
        self.entry.id
    }

    /// The random salt that its digests are made with.
    pub fn salt(&self) -> [u8; 16] {
        self.entry.salt
    }

    /// SHA-256 of the whole object file.
    pub fn ciphertext_sha256(&self) -> [u8; 32] {
        self.sha256
    }

    /// Bytes of the whole object file.
    pub fn ciphertext_bytes(&self) -> u64 {
        self.bytes
    }

    /// Gives it up: removes its file, drops its key.
    pub fn discard(self) -> Result<(), Error> {
        self.outputs.remove(&file_name(&self.entry)).map_err(Error::io("removing a sealed file"))
    }
}

/// Which section of an object file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Preview = 1,
    Content = 2,
}

/// Seals one object into its file, beside the open vault: it has the object's key and none of the vault's.
pub struct Sealer {
    outputs: Folder,
    vault_id: VaultId,
    key: Key,
    /// Of preview and content.
    salts: [[u8; SALT_BYTES]; 2],
}

impl Sealer {
    pub(crate) fn new(outputs: Folder, vault_id: VaultId, random: &mut dyn Random) -> Result<Self, Error> {
        let salts = [random::salt(random)?, random::salt(random)?];
        Ok(Self { outputs, vault_id, key: random::key(random)?, salts })
    }

    /// Written and synced as `<id>.part`, renamed, folder synced. A crash now leaves noise, and so does who forgets it.
    pub fn stage(self, new: &NewObject<'_>) -> Result<Staged, Error> {
        let Self { outputs, vault_id, key, salts } = self;
        item::check_name(new.name)?;
        let limits = [
            (new.metadata.len() <= METADATA_BYTES_MAX, "metadata has at most 64 KiB"),
            (new.preview.len() <= PREVIEW_BYTES_MAX, "a preview has at most 4 MiB"),
            (new.content.len() <= CONTENT_BYTES_MAX, "a content has at most 256 MiB"),
        ];
        if let Some((_, what)) = limits.into_iter().find(|(kept, _)| !kept) {
            return Err(Error::Limit(what));
        }
        let entry = ObjectInfo {
            id: new.id,
            name: new.name.to_owned(),
            created_ms: new.created_ms,
            salt: new.salt,
            preview_bytes: new.preview.len() as u64,
            content_bytes: new.content.len() as u64,
            metadata: Zeroizing::new(new.metadata.to_vec()),
            page: 0,
        };
        let header = header_of(vault_id, &entry).encode();
        let total =
            HEADER_BYTES as u64 + sealed_bytes(entry.preview_bytes) + sealed_bytes(entry.content_bytes);
        let mut file = Vec::new();
        let no_memory = |_| Error::io("sealing an object")(io::ErrorKind::OutOfMemory.into());
        file.try_reserve_exact(total as usize).map_err(no_memory)?;
        file.extend_from_slice(&header);
        let parts = [(Part::Preview, new.preview), (Part::Content, new.content)];
        for ((part, plain), salt) in parts.into_iter().zip(&salts) {
            cobblestone::seal(&key, &[b"lp1/object", &header, &[part as u8]], salt, plain, &mut file);
        }
        let (temp, name) = (format!("{}{PART_SUFFIX}", entry.id), file_name(&entry));
        let written = outputs.prepare(&temp, &file).and_then(|()| outputs.publish(&temp, &name, Replace::No));
        if let Err(error) = written {
            // Noise under either name; the first is removed at the next opening if this fails, the second by a sweep.
            let _ = outputs.remove(&temp);
            if owner(&outputs, &name, vault_id) == Some(entry.id) {
                let _ = outputs.remove(&name);
            }
            return Err(match error.kind() {
                io::ErrorKind::AlreadyExists => Error::NameTaken,
                _ => Error::io("writing a sealed file")(error),
            });
        }
        Ok(Staged { outputs, entry, key, sha256: Sha256::digest(&file).into(), bytes: file.len() as u64 })
    }
}

/// Opens one object, beside the open vault: it has the object's key and none of the vault's. What it opens may have been
/// erased, and the vault locked, since it was made: whoever hands the bytes on asks the vault again.
pub struct Opener {
    outputs: Folder,
    vault_id: VaultId,
    entry: ObjectInfo,
    key: Key,
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener").field("id", &self.entry.id).finish_non_exhaustive()
    }
}

impl Opener {
    pub(crate) fn new(outputs: Folder, vault_id: VaultId, entry: ObjectInfo, key: Key) -> Self {
        Self { outputs, vault_id, entry, key }
    }

    /// The object's id.
    pub fn id(&self) -> ObjectId {
        self.entry.id
    }

    /// Opens the whole content.
    pub fn content(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.read(Part::Content, None)
    }

    /// Opens the preview; empty if the object was put without one.
    pub fn preview(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.read(Part::Preview, None)
    }

    /// Opens both and keeps neither: the plaintext bytes of both.
    pub fn check(&self) -> Result<u64, Error> {
        drop(self.preview()?);
        drop(self.content()?);
        Ok(self.entry.preview_bytes + self.entry.content_bytes)
    }

    /// Opens `bytes` bytes from `from` of a section, or all of it.
    pub(crate) fn read(&self, part: Part, range: Option<(u64, u64)>) -> Result<Zeroizing<Vec<u8>>, Error> {
        let (file, size) = open(&self.outputs, &self.entry)?;
        open_part(&Whole { file, size }, (self.vault_id, &self.entry, &self.key), part, range)
    }
}

/// Whether these bytes are the whole sealed file of an object, and open to its end.
pub(crate) fn check(bytes: &[u8], vault_id: VaultId, entry: &ObjectInfo, key: &Key) -> Result<(), Error> {
    for part in [Part::Preview, Part::Content] {
        open_part(bytes, (vault_id, entry, key), part, None)?;
    }
    Ok(())
}

/// The sealed file of an object, all of it, if by header and length it is that.
pub(crate) fn whole(outputs: &Folder, vault_id: VaultId, entry: &ObjectInfo) -> Result<Vec<u8>, Error> {
    let (mut file, size) = open(outputs, entry)?;
    check_head(
        &Whole { file: file.try_clone().map_err(Error::io("opening a sealed file"))?, size },
        vault_id,
        entry,
    )?;
    let mut bytes = Vec::new();
    let no_memory = |_| Error::io("reading a sealed file")(io::ErrorKind::OutOfMemory.into());
    bytes.try_reserve_exact(size as usize).map_err(no_memory)?;
    io::Read::read_to_end(&mut file, &mut bytes).map_err(Error::io("reading a sealed file"))?;
    Ok(bytes)
}

/// The header of an object's file, which must be the one that follows from its entry, as must its length.
fn check_head<S: Source + ?Sized>(
    source: &S,
    vault_id: VaultId,
    entry: &ObjectInfo,
) -> Result<ObjectHeader, Error> {
    let damaged = |why| Error::ObjectDamaged { id: entry.id, why };
    let want = header_of(vault_id, entry);
    let mut header = [0; HEADER_BYTES];
    if source.size() < HEADER_BYTES as u64 {
        return Err(damaged(Damage::Length));
    }
    source.read_at(0, &mut header).map_err(Error::io("reading a sealed file"))?;
    if header != want.encode() {
        return Err(damaged(Damage::Header));
    }
    match source.size() == HEADER_BYTES as u64 + want.sections.iter().sum::<u64>() {
        true => Ok(want),
        false => Err(damaged(Damage::Length)),
    }
}

/// Opens a part of a section of an object's file, or all of it.
fn open_part<S: Source + ?Sized>(
    source: &S,
    (vault_id, entry, key): (VaultId, &ObjectInfo, &Key),
    part: Part,
    range: Option<(u64, u64)>,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let damaged = |why| Error::ObjectDamaged { id: entry.id, why };
    let want = check_head(source, vault_id, entry)?;
    let [preview, content] = want.sections;
    let (at, size, total) = match part {
        Part::Preview => (HEADER_BYTES as u64, preview, entry.preview_bytes),
        Part::Content => (HEADER_BYTES as u64 + preview, content, entry.content_bytes),
    };
    let (from, bytes) = range.unwrap_or((0, total));
    if from.checked_add(bytes).is_none_or(|until| until > total) {
        return Err(Error::Range { content_bytes: total });
    }
    let number = part as u8;
    let context: [&[u8]; 3] = [b"lp1/object", &want.encode(), &[number]];
    cobblestone::open_range(key, &context, &Section { source, at, size }, from, bytes).map_err(
        |why| match why {
            Broken::Length => damaged(Damage::Length),
            Broken::Commitment => damaged(Damage::Commitment { section: number }),
            Broken::Chunk(chunk) => damaged(Damage::Chunk { section: number, chunk }),
            Broken::Io(error) => Error::io("reading a sealed file")(error),
        },
    )
}

/// The object that a file's header names, if it is an object file of this vault.
pub(crate) fn owner(outputs: &Folder, name: &str, vault_id: VaultId) -> Option<ObjectId> {
    let mut header = [0; HEADER_BYTES];
    outputs.file(name, false).ok()?.read_exact_at(&mut header, 0).ok()?;
    ObjectHeader::parse(&header).filter(|found| found.vault_id == vault_id).map(|found| found.id)
}

/// What an entry's file is called.
pub(crate) fn file_name(entry: &ObjectInfo) -> String {
    format!("{}{SUFFIX}", entry.name)
}

/// SHA-256 of the whole file.
pub(crate) fn sha256(outputs: &Folder, entry: &ObjectInfo) -> Result<[u8; 32], Error> {
    let (mut file, _) = open(outputs, entry)?;
    let (mut digest, mut some) = (Sha256::new(), vec![0; 64 * 1024]);
    loop {
        match io::Read::read(&mut file, &mut some).map_err(Error::io("reading a sealed file"))? {
            0 => return Ok(digest.finalize().into()),
            count => digest.update(&some[..count]),
        }
    }
}

fn open(outputs: &Folder, entry: &ObjectInfo) -> Result<(File, u64), Error> {
    let name = file_name(entry);
    match outputs.is_file(&name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Error::ObjectMissing(entry.id)),
        Err(error) => return Err(Error::io("looking at a sealed file")(error)),
        Ok(false) => return Err(Error::ObjectDamaged { id: entry.id, why: Damage::NotAFile }),
        Ok(true) => {}
    }
    let file = outputs.file(&name, false).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => Error::ObjectForbidden(entry.id),
        _ => Error::io("opening a sealed file")(error),
    })?;
    let size = file.metadata().map_err(Error::io("looking at a sealed file"))?.len();
    Ok((file, size))
}

fn header_of(vault_id: VaultId, entry: &ObjectInfo) -> ObjectHeader {
    let sections = [sealed_bytes(entry.preview_bytes), sealed_bytes(entry.content_bytes)];
    ObjectHeader { vault_id, id: entry.id, sections }
}

/// A file of an object.
struct Whole {
    file: File,
    size: u64,
}

impl Source for Whole {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, at: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(out, at)
    }
}

/// A section of it.
struct Section<'a, S: ?Sized> {
    source: &'a S,
    at: u64,
    size: u64,
}

impl<S: Source + ?Sized> Source for Section<'_, S> {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, at: u64, out: &mut [u8]) -> io::Result<()> {
        self.source.read_at(self.at + at, out)
    }
}
