//! A backup: the whole of a vault in one sealed file, as it was at one moment.
//!
//! It begins with the head of the vault file, so that every secret that opened the vault then opens it, and whoever has none
//! learns what the vault file shows. The rest are records like those of the sealed log, under a key of the backup's own: the
//! vault file, the epoch key, the sealed files of the objects, and whatever else the caller wants kept beside them. The last
//! one says that it is the last, so that a backup that was cut off is none.
//!
//! It keeps the keys of objects that are erased later. Whoever puts it back names those: see `restore.rs`.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::cobblestone::{Key, hmac};
use crate::disk::Folder;
use crate::format::{BACKUP_HEAD_BYTES, BackupHead, Header, VaultId};
use crate::home::{FILE_BYTES_MAX, MAIN};
use crate::item::{CONTENT_BYTES_MAX, Item, ObjectInfo, PREVIEW_BYTES_MAX, key_of};
use crate::log::{self, Chain, Index, Log};
use crate::random::Random;
use crate::vault::Vault;
use crate::{Error, PersonName, Secret, SlotId, SlotInfo, State, keys, object, slot};

/// Bytes of a file that go into one record.
const PIECE_BYTES: usize = 512 << 10;
/// Bytes of the largest file but the vault's: an object's, and what its sealing adds.
const OTHER_BYTES_MAX: u64 = (CONTENT_BYTES_MAX + PREVIEW_BYTES_MAX + (16 << 20)) as u64;
/// The vault file has no name of its own in a backup, nor has the epoch key.
const NO_NAME: &str = "";

/// What the plain bytes of a record begin with.
const FILE: u8 = 1;
const BYTES: u8 = 2;
const END: u8 = 3;

/// What a file in a backup is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The vault file.
    Vault = 1,
    /// The epoch key that it needs: 32 bytes.
    EpochKey = 2,
    /// The sealed file of an object.
    Object = 3,
    /// Something of the caller's, of the first kind.
    First = 4,
    /// Something of the caller's, of the second kind.
    Second = 5,
}

impl Place {
    fn of(byte: u8) -> Option<Self> {
        [Self::Vault, Self::EpochKey, Self::Object, Self::First, Self::Second]
            .into_iter()
            .find(|place| *place as u8 == byte)
    }

    fn bytes_max(self) -> u64 {
        if self == Self::Vault { FILE_BYTES_MAX } else { OTHER_BYTES_MAX }
    }
}

/// A file of a backup, whole.
pub struct Kept {
    /// What it is.
    pub place: Place,
    /// What it is called: an object's name in the outputs folder, or what the caller called it.
    pub name: String,
    /// What is in it.
    pub bytes: Zeroizing<Vec<u8>>,
}

/// What a backup came to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Written {
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of all of it.
    pub sha256: [u8; 32],
    /// Objects whose sealed files are in it.
    pub objects: u64,
    /// Names of objects whose sealed files are missing from the outputs folder, or are not what they should be.
    pub lacking: Vec<String>,
}

/// A vault as it is at one moment, for a backup: with the keys of everything in it.
pub struct Snapshot {
    head: Vec<u8>,
    key: Key,
    chain: Chain,
    file: Vec<u8>,
    epoch_key: Key,
    vault_id: VaultId,
    outputs: Folder,
    entries: Vec<ObjectInfo>,
    /// Of the sealed log, with its records: a picture that does not open is none to keep.
    log_key: Key,
    log: Chain,
}

impl Vault {
    /// Takes what a backup of this moment needs. `id` is the backup's own, drawn by the caller so that it can be recorded
    /// ahead.
    ///
    /// # Errors
    /// Those of [`Vault::outputs`], since a folder that is absent would leave every object out; [`Error::Poisoned`]; or the
    /// vault file cannot be read as it was written.
    pub fn snapshot(&self, id: [u8; 16], made_ms: u64) -> Result<Snapshot, Error> {
        if self.poisoned {
            return Err(Error::Poisoned);
        }
        let outputs = self.outputs_folder()?;
        let mut file = self.home.read(self.name)?;
        file.truncate(self.chain.end as usize);
        if Chain::walk(&self.header, &file)?.state() != self.state() {
            return Err(Error::LogDamaged { record: self.state().seq });
        }
        let is_joint = self.header.is_joint();
        let opens = self.open_slots()?.into_iter().find(|slot| slot.raw.info.has_master(is_joint));
        let opens = opens.ok_or(Error::LogDamaged { record: 0 })?;
        let master = opens.raw.key((self.vault_id(), is_joint), &opens.secret)?;
        let epoch_key = self.anchor().key(self.header.epoch)?;
        let vault_head = &file[..self.header.size()];
        let fixed =
            BackupHead { vault_id: self.vault_id(), id, made_ms, head_bytes: vault_head.len() as u32 };
        let head = [&fixed.encode()[..], vault_head].concat();
        Ok(Snapshot {
            key: backup_key(&master, &fixed),
            chain: Chain::new(&self.header, &head),
            head,
            file,
            epoch_key,
            vault_id: self.vault_id(),
            outputs,
            entries: self.list().cloned().collect(),
            log_key: self.key.clone(),
            log: self.chain.clone(),
        })
    }
}

impl Snapshot {
    /// Writes the backup, and `others` beside what is the vault's. It is whole once this returns and `out` is durable.
    ///
    /// # Errors
    /// What `others` and `out` say, [`Error::DiskFull`] among it; a sealed file cannot be read.
    pub fn write(
        self,
        others: impl Iterator<Item = Result<Kept, Error>>,
        out: &mut dyn Write,
        random: &mut dyn Random,
    ) -> Result<Written, Error> {
        let Self { head, key, chain, file, epoch_key, vault_id, outputs, entries, log_key, log } = self;
        let opens = |entry: &ObjectInfo, sealed: &[u8]| {
            let items = log::page_items(&log, &log_key, &file, entry.page)?;
            object::check(sealed, vault_id, entry, &key_of(items, entry)?)
        };
        let mut writer =
            Writer { out, key, chain, hash: Sha256::new(), bytes: 0, files: 0, record: Vec::new() };
        writer.put(&head)?;
        writer.file(Place::Vault, NO_NAME, &file, random)?;
        writer.file(Place::EpochKey, NO_NAME, &epoch_key[..], random)?;
        let (mut objects, mut lacking) = (0, Vec::new());
        for entry in &entries {
            let sealed = object::whole(&outputs, vault_id, entry);
            match sealed.and_then(|sealed| opens(entry, &sealed).map(|()| sealed)) {
                Ok(sealed) => {
                    writer.file(Place::Object, &object::file_name(entry), &sealed, random)?;
                    objects += 1;
                }
                Err(Error::ObjectMissing(_) | Error::ObjectDamaged { .. }) => {
                    lacking.push(entry.name.clone())
                }
                Err(error) => return Err(error),
            }
        }
        for other in others {
            let Kept { place, name, bytes } = other?;
            writer.file(place, &name, &bytes, random)?;
        }
        let end = [&[END][..], &writer.files.to_be_bytes()].concat();
        writer.record(&end, random)?;
        writer.out.flush().map_err(failed_write())?;
        Ok(Written { bytes: writer.bytes, sha256: writer.hash.finalize().into(), objects, lacking })
    }
}

struct Writer<'a> {
    out: &'a mut dyn Write,
    key: Key,
    chain: Chain,
    hash: Sha256,
    bytes: u64,
    files: u64,
    /// Where a record is put together.
    record: Vec<u8>,
}

impl Writer<'_> {
    fn file(&mut self, place: Place, name: &str, bytes: &[u8], random: &mut dyn Random) -> Result<(), Error> {
        let size = (bytes.len() as u64).to_be_bytes();
        let start = Zeroizing::new([&[FILE, place as u8][..], &size, name.as_bytes()].concat());
        self.record(&start, random)?;
        for piece in bytes.chunks(PIECE_BYTES) {
            let mut plain = Zeroizing::new(Vec::with_capacity(piece.len() + 1));
            plain.push(BYTES);
            plain.extend_from_slice(piece);
            self.record(&plain, random)?;
        }
        self.files += 1;
        Ok(())
    }

    fn record(&mut self, plain: &[u8], random: &mut dyn Random) -> Result<(), Error> {
        let mut record = std::mem::take(&mut self.record);
        record.clear();
        self.chain.append(&self.key, plain, &mut record, random)?;
        self.put(&record)?;
        self.record = record;
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.out.write_all(bytes).map_err(failed_write())?;
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }
}

fn failed_write() -> impl FnOnce(io::Error) -> Error {
    Error::io("writing the backup")
}

/// A backup that a secret has opened, and the vault in it. What follows is read file by file.
pub struct Backup<R> {
    reading: Reading<R>,
    head: BackupHead,
    slot: SlotInfo,
    second: Option<SlotInfo>,
    is_read: bool,
    pub(crate) vault: Stored,
}

/// The vault in a backup, opened in memory alone.
pub(crate) struct Stored {
    pub(crate) log: Log,
    file: Vec<u8>,
}

impl Stored {
    /// All entries of the sealed log, keys included.
    pub(crate) fn items(&self) -> impl Iterator<Item = Result<Item, Error>> + '_ {
        (0..self.log.chain.pages.len()).flat_map(|number| match self.page(number) {
            Ok(items) => items.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        })
    }

    fn page(&self, number: usize) -> Result<Vec<Item>, Error> {
        log::page_items(&self.log.chain, &self.log.key, &self.file, number)
    }
}

impl<R: Read> Backup<R> {
    /// Opens a backup with a secret that opened the vault when it was made.
    ///
    /// # Errors
    /// [`Error::NotABackup`]; [`Error::WrongSecret`], [`Error::NameNeeded`] and [`Error::JointNeeded`]; [`Error::AuditorsSlot`]: the secret opens no
    /// object; [`Error::BackupDamaged`]; what `input` says.
    pub fn open(mut input: R, typed: &Secret) -> Result<Self, Error> {
        let mut fixed = [0; BACKUP_HEAD_BYTES];
        read_exact(&mut input, &mut fixed).map_err(|error| match error {
            Error::BackupDamaged { .. } => Error::NotABackup,
            other => other,
        })?;
        let head = BackupHead::parse(&fixed)?;
        let mut vault_head = vec![0; head.head_bytes as usize];
        read_exact(&mut input, &mut vault_head)?;
        let header = Header::parse(&vault_head).map_err(damaged_at(0))?;
        if header.vault_id != head.vault_id || header.size() != vault_head.len() {
            return Err(Error::BackupDamaged { record: 0 });
        }
        let slot::Opens { slot, second, key: master } =
            slot::open(&header, typed, None).map_err(|error| match error {
                Error::HeaderTampered => damaged_at(0)(error),
                error => error,
            })?;
        if !slot.role.opens_objects() {
            return Err(Error::AuditorsSlot);
        }
        keys::check_head(&vault_head, &header, slot.role, &master).map_err(damaged_at(0))?;
        let key = backup_key(&master, &head);
        let chain = Chain::new(&header, &[&fixed[..], &vault_head].concat());
        let mut reading = Reading { input, key, chain, files: 0 };
        let file = reading.expect(Place::Vault)?;
        let epoch_key = reading.expect(Place::EpochKey)?;
        let epoch_key: [u8; 32] = epoch_key[..].try_into().map_err(|_| reading.damaged())?;
        if file.get(..vault_head.len()) != Some(&vault_head[..]) {
            return Err(Error::BackupDamaged { record: 0 });
        }
        let log_key = keys::log_key(&master, &Zeroizing::new(epoch_key), &header);
        let (log_chain, index) = log::read(&header, &log_key, &file).map_err(damaged_at(0))?;
        let log = Log { header, key: log_key, chain: log_chain, index, name: MAIN };
        let vault = Stored { log, file: file.to_vec() };
        Ok(Self { reading, head, slot, second, is_read: false, vault })
    }

    /// The next file; `None` behind the last one, which is the end of a whole backup.
    ///
    /// # Errors
    /// [`Error::BackupDamaged`]: it was changed or cut off; what the input says.
    pub fn next_file(&mut self) -> Result<Option<Kept>, Error> {
        if self.is_read {
            return Ok(None);
        }
        let next = self.reading.next()?;
        self.is_read = next.is_none();
        Ok(next)
    }

    /// Whether the sealed file of an object is what its entry says and opens to its end.
    ///
    /// # Errors
    /// [`Error::BackupDamaged`]: no object has such a file; [`Error::ObjectDamaged`].
    pub fn check_object(&self, file: &Kept) -> Result<&ObjectInfo, Error> {
        let unknown = || self.reading.damaged();
        let is_its = |entry: &&ObjectInfo| object::file_name(entry) == file.name;
        let entry = self.list().find(is_its).ok_or_else(unknown)?;
        let key = key_of(self.vault.page(entry.page)?, entry)?;
        object::check(&file.bytes, self.head.vault_id, entry, &key)?;
        Ok(entry)
    }
}

impl<R> Backup<R> {
    /// Its own id.
    pub fn id(&self) -> [u8; 16] {
        self.head.id
    }

    /// When it was made, in milliseconds since 1970.
    pub fn made_ms(&self) -> u64 {
        self.head.made_ms
    }

    /// The vault that it is of.
    pub fn vault_id(&self) -> VaultId {
        self.head.vault_id
    }

    /// The slot that the secret opened.
    pub fn slot(&self) -> SlotInfo {
        self.slot
    }

    /// Whether one of these slots is that of who has opened it, or of who has opened it with them.
    pub(crate) fn is_opened_by(&self, slot: SlotId) -> bool {
        self.slot.id == slot || self.second.is_some_and(|second| second.id == slot)
    }

    /// Where the vault stood.
    pub fn state(&self) -> State {
        self.vault.log.chain.state()
    }

    /// The objects that the vault had, oldest first.
    pub fn list(&self) -> impl Iterator<Item = &ObjectInfo> {
        self.index().entries.iter()
    }

    /// A mark as it was.
    pub fn mark(&self, tag: u8) -> Option<&[u8]> {
        self.index().marks.get(&tag).map(|value| &value[..])
    }

    /// The names of people by their slots, of those who had been removed too.
    pub fn names(&self) -> &BTreeMap<SlotId, PersonName> {
        &self.index().names
    }

    /// The slots that there were.
    pub fn slots(&self) -> impl Iterator<Item = SlotInfo> + '_ {
        self.vault.log.header.slots.iter().map(|slot| slot.info)
    }

    fn index(&self) -> &Index {
        &self.vault.log.index
    }
}

/// The records behind the head.
struct Reading<R> {
    input: R,
    key: Key,
    chain: Chain,
    files: u64,
}

impl<R> Reading<R> {
    fn damaged(&self) -> Error {
        Error::BackupDamaged { record: self.chain.state().seq }
    }
}

impl<R: Read> Reading<R> {
    fn expect(&mut self, place: Place) -> Result<Zeroizing<Vec<u8>>, Error> {
        match self.next()? {
            Some(kept) if kept.place == place => Ok(kept.bytes),
            _ => Err(self.damaged()),
        }
    }

    fn next(&mut self) -> Result<Option<Kept>, Error> {
        let start = self.record()?;
        let (place, size, name) = match start.split_first() {
            Some((&END, files)) => {
                let is_end = files == self.files.to_be_bytes() && self.input_ends()?;
                return if is_end { Ok(None) } else { Err(self.damaged()) };
            }
            Some((&FILE, [place, rest @ ..])) => {
                let (size, name) = rest.split_first_chunk().ok_or_else(|| self.damaged())?;
                (Place::of(*place), u64::from_be_bytes(*size), String::from_utf8(name.to_vec()).ok())
            }
            _ => return Err(self.damaged()),
        };
        let (Some(place), Some(name)) = (place, name) else { return Err(self.damaged()) };
        if size > place.bytes_max() {
            return Err(self.damaged());
        }
        let mut bytes = Zeroizing::new(Vec::new());
        while (bytes.len() as u64) < size {
            let piece = self.record()?;
            match piece.split_first() {
                Some((&BYTES, piece)) if !piece.is_empty() && (bytes.len() + piece.len()) as u64 <= size => {
                    let no_memory = |_| Error::io("reading the backup")(io::ErrorKind::OutOfMemory.into());
                    bytes.try_reserve(piece.len()).map_err(no_memory)?;
                    bytes.extend_from_slice(piece);
                }
                _ => return Err(self.damaged()),
            }
        }
        self.files += 1;
        Ok(Some(Kept { place, name, bytes }))
    }

    fn record(&mut self) -> Result<Zeroizing<Vec<u8>>, Error> {
        let record = self.chain.state().seq;
        let mut frame = [0; log::FRAME_BYTES];
        read_exact(&mut self.input, &mut frame).map_err(damaged_at(record))?;
        let bytes = self.chain.record_bytes(&frame).ok_or(Error::BackupDamaged { record })?;
        let mut sealed = vec![0; bytes as usize];
        read_exact(&mut self.input, &mut sealed).map_err(damaged_at(record))?;
        self.chain.open_next(&self.key, &frame, &sealed).map_err(damaged_at(record))
    }

    fn input_ends(&mut self) -> Result<bool, Error> {
        let more = self.input.read(&mut [0]).map_err(Error::io("reading the backup"))?;
        Ok(more == 0)
    }
}

/// What does not hold there is damage of the backup at `record`; what the system says stays what it is.
fn damaged_at(record: u64) -> impl FnOnce(Error) -> Error {
    move |error| match error {
        error @ (Error::Io { .. } | Error::Unsupported { .. }) => error,
        _ => Error::BackupDamaged { record },
    }
}

fn read_exact(input: &mut impl Read, out: &mut [u8]) -> Result<(), Error> {
    input.read_exact(out).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Error::BackupDamaged { record: 0 },
        _ => Error::io("reading the backup")(error),
    })
}

/// HKDF-SHA-512(salt = bytes 0..64 of the backup, input = MK, info = "lp1/backup"), 32 bytes.
fn backup_key(master: &Key, head: &BackupHead) -> Key {
    let extracted = hmac(&head.encode(), &[&master[..]]);
    let expanded = hmac(&extracted[..], &[b"lp1/backup", &[1]]);
    let mut key = Zeroizing::new([0; 32]);
    key.copy_from_slice(&expanded[..32]);
    key
}
