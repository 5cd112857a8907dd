//! An unlocked vault: put, list, open, marks.

use std::fmt;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::cobblestone::Key;
use crate::format::{Header, ObjectId, SlotInfo, VaultId};
use crate::item::{Entry, Item, MARK_BYTES_MAX, Tombstone};
use crate::log::{self, Chain, Index};
use crate::object::{self, NewObject, PART_SUFFIX, Part, Staged};
use crate::open::{self, Home, Locked, Log, MAIN, MIRROR};
use crate::random::Random;
use crate::{Error, Public, Secret, disk, slot};

/// Where the sealed log stands. Anybody can compute it from the vault file; the audit log binds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// Counts rolls, from 1.
    pub epoch: u64,
    /// Records in this epoch's log.
    pub seq: u64,
    /// Digest of the vault file up to its last record.
    pub root: [u8; 32],
}

/// What a committed object is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// The object.
    pub id: ObjectId,
    /// The state with it.
    pub state: State,
    /// SHA-256 of the whole object file.
    pub ciphertext_sha256: [u8; 32],
    /// Bytes of the whole object file.
    pub ciphertext_bytes: u64,
}

/// Something that was found at opening, or is not as it should be. Each can be reported; none stops the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// The log ends in bytes that are no record: an append was cut off, or its last record was damaged. The next write
    /// keeps them in `vault.torn`. Compare the state with the audit log first.
    TornTail {
        /// How many.
        bytes: u64,
    },
    /// The vault file was damaged; the mirror was used. The next write heals the vault file.
    UsedMirror,
    /// The mirror is not a copy of the vault file. The next write or roll renews it.
    MirrorStale,
    /// The key of another epoch could not be wiped from the anchor.
    OldKeyRemains,
    /// No reserve for erasing on a full disk could be set aside.
    NoReserve,
}

/// An open vault. In memory: the log key, the entries (no data key), the marks.
pub struct Vault {
    pub(crate) home: Home,
    pub(crate) header: Header,
    pub(crate) key: Key,
    pub(crate) chain: Chain,
    pub(crate) index: Index,
    /// The copy in use, opened for reading and writing.
    pub(crate) file: Option<File>,
    /// [`MAIN`], or [`MIRROR`] until the first write.
    pub(crate) name: &'static str,
    pub(crate) mirror: Option<File>,
    /// A write failed half-way: what is on disk is not known.
    pub(crate) poisoned: bool,
    pub(crate) old_key_remains: bool,
    pub(crate) reserve_bytes: u64,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("state", &self.state()).finish_non_exhaustive()
    }
}

/// File that holds blocks for a roll on a full disk.
pub(crate) const RESERVE: &str = "reserve";
const TORN: &str = "vault.torn";

impl Vault {
    pub(crate) fn new(home: Home, log: Log) -> Self {
        let Log { header, key, chain, index, name, copies_agree } = log;
        let reserve_bytes = fs::metadata(home.state().join(RESERVE)).map_or(0, |found| found.len());
        let mut vault = Self {
            home,
            header,
            key,
            chain,
            index,
            file: None,
            name,
            mirror: None,
            poisoned: false,
            old_key_remains: false,
            reserve_bytes,
        };
        vault.open_files(copies_agree);
        vault.finish_wipe();
        vault.remove_parts();
        vault
    }

    /// Forgets all keys and entries and keeps the lock. Reads nothing, so nothing keeps the keys.
    pub fn lock(self) -> Locked {
        let public = self.public();
        Locked::of(self.home, public)
    }

    /// Tells other processes where this one can be reached; see [`crate::Paths::holder`].
    pub fn announce(&self, address: &str) -> Result<(), Error> {
        self.home.lock.announce(address)
    }

    /// Where the log stands.
    pub fn state(&self) -> State {
        self.chain.state()
    }

    /// The root after record `seq` of this epoch, `None` if it is not there yet: whoever remembers an older state can
    /// check that this one continues it.
    pub fn root_at(&self, seq: u64) -> Option<[u8; 32]> {
        self.chain.root_at(seq)
    }

    /// Id, state and slots.
    pub fn public(&self) -> Public {
        let slots = self.header.slots.iter().map(|slot| slot.info).collect();
        Public { vault_id: self.vault_id(), state: self.state(), slots }
    }

    /// The vault's id.
    pub fn vault_id(&self) -> VaultId {
        self.header.vault_id
    }

    /// What should be reported.
    pub fn notices(&self) -> Vec<Notice> {
        let torn = Notice::TornTail { bytes: self.chain.tail_bytes };
        [
            (self.chain.tail_bytes > 0, torn),
            (self.name == MIRROR, Notice::UsedMirror),
            (self.mirror.is_none(), Notice::MirrorStale),
            (self.old_key_remains, Notice::OldKeyRemains),
            (self.reserve_bytes < self.chain.end, Notice::NoReserve),
        ]
        .into_iter()
        .filter_map(|(holds, notice)| holds.then_some(notice))
        .collect()
    }

    /// Which slot a secret opens, for somebody who signs in while the vault is open. [`Error::WrongSecret`] if none.
    pub fn authenticate(&self, typed: &Secret) -> Result<SlotInfo, Error> {
        slot::find(&self.header.slots, self.vault_id(), typed).map(|(slot, _)| slot.info)
    }

    /// [`Vault::stage`] and [`Vault::commit`] in one.
    pub fn put(&mut self, new: &NewObject<'_>, random: &mut dyn Random) -> Result<Receipt, Error> {
        let staged = self.stage(new, random)?;
        self.commit(staged, random)
    }

    /// Seals an object into its file, durably. The vault does not know it yet: a crash now leaves noise.
    pub fn stage(&self, new: &NewObject<'_>, random: &mut dyn Random) -> Result<Staged, Error> {
        if self.index.get(new.id).is_some() || self.index.tombstones.contains_key(&new.id) {
            return Err(Error::IdTaken(new.id));
        }
        if self.index.has_name(new.name) {
            return Err(Error::NameTaken);
        }
        object::stage(&self.home.paths.outputs, self.vault_id(), new, random)
    }

    /// Appends the record with the object's key, durably: from here on the object exists.
    pub fn commit(&mut self, staged: Staged, random: &mut dyn Random) -> Result<Receipt, Error> {
        let (ciphertext_sha256, ciphertext_bytes) = (staged.ciphertext_sha256(), staged.ciphertext_bytes());
        let Staged { entry, key, .. } = staged;
        if self.index.get(entry.id).is_some() || self.index.tombstones.contains_key(&entry.id) {
            return Err(Error::IdTaken(entry.id));
        }
        let (id, path) = (entry.id, object::path(&self.home.paths.outputs, &entry));
        match self.append(vec![Item::Put { entry, key }], random) {
            Ok(()) => Ok(Receipt { id, state: self.state(), ciphertext_sha256, ciphertext_bytes }),
            Err(error) => {
                if !self.poisoned {
                    let _ = disk::remove(&path); // noise; `sweep` gets it if this fails
                }
                Err(error)
            }
        }
    }

    /// Gives up a staged object: removes its file, drops its key.
    pub fn discard(&self, staged: Staged) -> Result<(), Error> {
        disk::remove(&object::path(&self.home.paths.outputs, &staged.entry))
            .map_err(Error::io("removing a sealed file"))
    }

    /// All objects, oldest first; `.rev()` for newest first.
    pub fn list(&self) -> impl DoubleEndedIterator<Item = &Entry> + ExactSizeIterator {
        self.index.entries.iter()
    }

    /// One object. [`Error::Erased`] or [`Error::UnknownObject`] if there is none.
    pub fn get(&self, id: ObjectId) -> Result<&Entry, Error> {
        let absent = || match self.index.tombstones.contains_key(&id) {
            true => Error::Erased(id),
            false => Error::UnknownObject(id),
        };
        self.index.get(id).ok_or_else(absent)
    }

    /// What is left of an erased object.
    pub fn tombstone(&self, id: ObjectId) -> Option<&Tombstone> {
        self.index.tombstones.get(&id)
    }

    /// Opens the whole content.
    pub fn open_content(&self, id: ObjectId) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.read(id, Part::Content, None)
    }

    /// Opens the preview; empty if the object was put without one.
    pub fn open_preview(&self, id: ObjectId) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.read(id, Part::Preview, None)
    }

    /// Opens `bytes` bytes of the content from `from`, reading only the chunks that hold them.
    pub fn open_range(&self, id: ObjectId, from: u64, bytes: u64) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.read(id, Part::Content, Some((from, bytes)))
    }

    /// Objects whose sealed file is gone. Their keys still exist until they are erased.
    pub fn missing(&self) -> Vec<ObjectId> {
        self.list().filter(|entry| self.is_missing(entry)).map(|entry| entry.id).collect()
    }

    /// Whether this object's sealed file is gone.
    pub fn is_missing(&self, entry: &Entry) -> bool {
        fs::symlink_metadata(object::path(&self.home.paths.outputs, entry)).is_err()
    }

    /// A small sealed value of the caller's, if it was set.
    pub fn mark(&self, tag: u8) -> Option<&[u8]> {
        self.index.marks.get(&tag).map(|value| &value[..])
    }

    /// Sets a mark, durably. At most 256 bytes; the last value wins, older ones end with the next roll.
    pub fn set_mark(&mut self, tag: u8, value: &[u8], random: &mut dyn Random) -> Result<State, Error> {
        if value.len() > MARK_BYTES_MAX {
            return Err(Error::Limit("a mark has at most 256 bytes"));
        }
        self.append(vec![Item::Mark { tag, value: Zeroizing::new(value.to_vec()) }], random)?;
        Ok(self.state())
    }

    /// Reads the vault file again after [`Error::Poisoned`] or [`Error::Unfinished`]. A write that failed may turn out
    /// to be there: compare the state with the audit log, as at opening. [`Error::EpochKeyGone`]: the new file of an
    /// interrupted roll is in place, whose keys only a secret can open: [`Vault::lock`] and unlock.
    pub fn reload(&mut self) -> Result<State, Error> {
        let main = open::read_file(self.home.state(), MAIN)?;
        let mirror = open::read_file(self.home.state(), MIRROR).unwrap_or_default();
        if main.get(..self.header.sealed_size()) != Some(&self.header.encode()[..]) {
            return Err(Error::EpochKeyGone { epoch: self.header.epoch });
        }
        let (chain, index) = log::read(&self.header, &self.key, &main)?;
        let (header, key) = (self.header.clone(), self.key.clone());
        let log = open::better_of(
            Log { header, key, chain, index, name: MAIN, copies_agree: false },
            &main,
            &mirror,
        );
        (self.chain, self.index, self.name) = (log.chain, log.index, log.name);
        self.open_files(log.copies_agree);
        self.finish_wipe();
        self.poisoned = false;
        Ok(self.state())
    }

    /// The items of one record, keys included.
    pub(crate) fn items(&self, number: usize) -> Result<Vec<Item>, Error> {
        let damaged = Error::LogDamaged { record: number as u64 };
        let (Some(page), Some(file)) = (self.chain.pages.get(number), &self.file) else {
            return Err(damaged);
        };
        let mut sealed = vec![0; page.bytes as usize];
        file.read_exact_at(&mut sealed, page.at).map_err(Error::io("reading the vault file"))?;
        let record = self.chain.open(&self.key, number, &sealed)?;
        Item::parse_all(&record, number)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.home.state().join(self.name)
    }

    /// Opens the copy in use and, if it is one, the mirror.
    pub(crate) fn open_files(&mut self, copies_agree: bool) {
        // On a read-only disk the file opens for reading, and the first write says what is wrong.
        self.file = disk::open(&self.path(), true).or_else(|_| disk::open(&self.path(), false)).ok();
        self.mirror =
            if copies_agree { disk::open(&self.home.state().join(MIRROR), true).ok() } else { None };
    }

    /// Every key but this epoch's has to be gone from the anchor: ends a roll that was interrupted, in either direction.
    fn finish_wipe(&mut self) {
        let (anchor, other) = (self.home.anchor(), self.header.epoch + 1);
        let wiped = anchor.is_wiped(other).unwrap_or(false);
        self.old_key_remains = !wiped && anchor.wipe(other, &mut crate::OsRandom).is_err();
    }

    fn read(&self, id: ObjectId, part: Part, range: Option<(u64, u64)>) -> Result<Zeroizing<Vec<u8>>, Error> {
        let entry = self.get(id)?;
        let key = self.data_key(entry)?;
        object::read(&self.home.paths.outputs, self.vault_id(), entry, &key, part, range)
    }

    pub(crate) fn data_key(&self, wanted: &Entry) -> Result<Key, Error> {
        let found = self.items(wanted.page)?.into_iter().find_map(|item| match item {
            Item::Put { entry, key } if entry.id == wanted.id => Some(key),
            _ => None,
        });
        found.ok_or(Error::LogDamaged { record: wanted.page as u64 })
    }

    /// Seals items as one record and appends it: `pwrite64 fdatasync`, then the mirror without a sync.
    fn append(&mut self, mut items: Vec<Item>, random: &mut dyn Random) -> Result<(), Error> {
        self.repair()?;
        let number = self.chain.pages.len();
        let mut plain = Zeroizing::new(Vec::with_capacity(items.len() * crate::item::ITEM_BYTES_MAX));
        for item in &mut items {
            if let Item::Put { entry, .. } = item {
                entry.page = number;
            }
            item.encode(&mut plain);
        }
        let (mut record, at, path) = (Vec::new(), self.chain.end, self.path());
        let Some(file) = &self.file else { return Err(Error::Poisoned) };
        self.chain.append(&self.key, &plain, &mut record, random)?;
        let doing = Error::io("appending to the vault file");
        if let Err(error) = disk::write_at(file, &path, at, &record) {
            // Nothing was promised yet. If the file can be cut back, everything is as before.
            self.poisoned = disk::truncate(file, &path, at).is_err();
            self.chain.pop();
            self.chain.tail_bytes = 0;
            return Err(doing(error));
        }
        if let Err(error) = disk::sync_data(file, &path) {
            self.poisoned = true;
            self.chain.pop();
            return Err(doing(error));
        }
        self.index.add(items, number);
        let mirror = self.home.state().join(MIRROR);
        self.mirror = self.mirror.take().filter(|file| disk::write_at(file, &mirror, at, &record).is_ok());
        if self.reserve_bytes < self.chain.end {
            self.fill_reserve();
        }
        Ok(())
    }

    /// Brings both copies into order before the first append: heals the vault file from the mirror, keeps and cuts off a
    /// torn tail, renews the mirror, removes files that a crash left half-written.
    pub(crate) fn repair(&mut self) -> Result<(), Error> {
        if self.poisoned {
            return Err(Error::Poisoned);
        }
        let clean = self.name == MAIN && self.chain.tail_bytes == 0;
        if clean && self.mirror.is_some() {
            return Ok(());
        }
        let state = self.home.state().to_owned();
        let doing = Error::io("repairing the vault file");
        let mut bytes = open::read_file(&state, self.name)?;
        let tail = bytes.split_off((self.chain.end as usize).min(bytes.len()));
        if self.name == MIRROR {
            disk::write(&state, "vault.new", MAIN, &bytes).map_err(doing)?;
            self.name = MAIN;
            self.open_files(false);
        } else if !tail.is_empty() {
            let _ = disk::write(&state, "vault.torn.new", TORN, &tail); // evidence; a full disk must not stop the work
            let Some(file) = &self.file else { return Err(Error::Poisoned) };
            if let Err(error) = disk::truncate(file, &self.path(), self.chain.end) {
                self.poisoned = true;
                return Err(doing(error));
            }
        }
        self.chain.tail_bytes = 0;
        self.renew_mirror(&bytes);
        Ok(())
    }

    /// Best effort: a vault works without a mirror, and says so.
    pub(crate) fn renew_mirror(&mut self, bytes: &[u8]) {
        let written = disk::write(self.home.state(), "vault.mirror.new", MIRROR, bytes);
        self.mirror = written.and_then(|()| disk::open(&self.home.state().join(MIRROR), true)).ok();
    }

    /// Best effort: half again of what a roll needs now, unless what is set aside is enough.
    pub(crate) fn fill_reserve(&mut self) {
        if self.reserve_bytes >= self.chain.end + (64 << 10) {
            return;
        }
        let bytes = self.chain.end + self.chain.end / 2 + (256 << 10);
        self.reserve_bytes = match disk::reserve(self.home.state(), RESERVE, bytes) {
            Ok(()) => bytes,
            Err(_) => 0,
        };
    }

    /// Best effort: what a crash left half-written is noise.
    fn remove_parts(&self) {
        for name in ["vault.new", "vault.mirror.new", "vault.torn.new"] {
            let path = self.home.state().join(name);
            if fs::symlink_metadata(&path).is_ok() {
                let _ = disk::remove(&path);
            }
        }
        let names =
            fs::read_dir(&self.home.paths.outputs).into_iter().flatten().flatten().map(|found| found.path());
        for path in names {
            let stem = path.file_name().and_then(|name| name.to_str()?.strip_suffix(PART_SUFFIX));
            if stem.and_then(ObjectId::parse).is_some() {
                let _ = disk::remove(&path);
            }
        }
    }
}
