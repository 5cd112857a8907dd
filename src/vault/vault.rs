//! An unlocked vault: put, list, open.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::cobblestone::Key;
use crate::format::{Header, ObjectId, SlotInfo, VaultId};
use crate::home::{Home, MIRROR, RESERVE};
use crate::item::{ITEM_BYTES_MAX, Item, ObjectInfo, Tombstone, key_of};
use crate::lock::Announced;
use crate::log::{Chain, Index, Log, Public, State};
use crate::object::{self, NewObject, Opener, Part, Sealer, Staged};
use crate::random::Random;
use crate::{Error, Secret, Slots, disk};

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
    /// The key of an epoch that a roll ended could not be wiped from the anchor, or it is not known that it was: what was
    /// erased may still be opened from old copies. [`Vault::wipe_old_key`] tries again and says why not.
    OldKeyRemains,
    /// The key that an interrupted roll made could not be wiped; nothing was erased with it, and it opens nothing that is
    /// not there. [`Vault::wipe_old_key`] tries again; the next roll overwrites it.
    UnusedKeyRemains,
    /// The vault file could not be written anew at opening (a full or read-only disk): whether what was read outlives a
    /// power cut is not known. An erasure makes it so; nothing else is written before it is.
    Unproven,
    /// No reserve for erasing on a full disk could be set aside.
    NoReserve,
}

/// Whose key the anchor holds beside that of the vault's epoch, or may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemainingKey {
    /// That of an epoch that a roll ended.
    Ended {
        /// Number of that epoch.
        epoch: u64,
    },
    /// One that was made for a next epoch, which never began.
    Unused {
        /// Number that the epoch would have had.
        epoch: u64,
    },
}

/// A damaged copy that was found at opening; the other one, whole, stands in for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DamagedCopy {
    /// SHA-256 of the copy as it was found; `None` if there was none to read.
    pub found_sha256: Option<[u8; 32]>,
    /// Bytes of that file.
    pub found_bytes: u64,
}

/// An open vault. In memory: the log key, the entries (no data key), the marks.
pub struct Vault {
    pub(crate) home: Home,
    pub(crate) header: Header,
    pub(crate) key: Key,
    pub(crate) chain: Chain,
    pub(crate) index: Index,
    /// The slot of who opened it together with somebody else.
    pub(crate) second: Option<SlotInfo>,
    pub(crate) healed: Option<DamagedCopy>,
    pub(crate) damaged_mirror: Option<DamagedCopy>,
    /// What lies in the mirror's place is to be kept when a new one is made.
    pub(crate) keep_mirror: bool,
    /// Marks that go with the next record.
    pub(crate) pending: BTreeMap<u8, Zeroizing<Vec<u8>>>,
    /// The copy in use, opened for reading and writing.
    pub(crate) file: Option<File>,
    /// [`MAIN`], or [`MIRROR`] until the first write.
    pub(crate) name: &'static str,
    pub(crate) mirror: Option<File>,
    /// A sync failed: what is on disk is not known, for the rest of this opening.
    pub(crate) poisoned: bool,
    /// What was read at opening was not written anew.
    pub(crate) unproven: bool,
    pub(crate) remaining_key: Option<RemainingKey>,
    pub(crate) reserve_bytes: u64,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("state", &self.state()).finish_non_exhaustive()
    }
}

impl Vault {
    /// A vault whose files are as they should be but not open yet.
    pub(crate) fn new(home: Home, log: Log) -> Self {
        let Log { header, key, chain, index, name } = log;
        let reserve_bytes = home.state.bytes(RESERVE);
        Self {
            home,
            header,
            key,
            chain,
            index,
            second: None,
            healed: None,
            damaged_mirror: None,
            keep_mirror: false,
            pending: BTreeMap::new(),
            file: None,
            name,
            mirror: None,
            poisoned: false,
            unproven: false,
            remaining_key: None,
            reserve_bytes,
        }
    }

    /// Tells other processes where this one can be reached, and under which policy it runs; see [`crate::Paths::holder`].
    pub fn announce(&self, announced: &Announced) -> Result<(), Error> {
        self.home.lock.announce(announced)
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
        Public::of(&self.header, &self.chain)
    }

    /// The vault's id.
    pub fn vault_id(&self) -> VaultId {
        self.header.vault_id
    }

    /// Whether the anchor, as it lies on the disk now, holds anything beside the key in use: the key of an epoch that has ended
    /// or never began, or what is left of one.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::EpochKeyGone`]: there is no anchor.
    pub fn has_other_key(&self) -> Result<bool, Error> {
        self.home.anchor().has_other(self.header.epoch)
    }

    /// The slot of the second of two people who opened it together; that of the first is [`crate::Unlocked::slot`].
    pub fn second(&self) -> Option<SlotInfo> {
        self.second
    }

    /// Whether there is a slot of this number.
    pub fn has_slot(&self, id: crate::SlotId) -> bool {
        self.slot_infos().any(|slot| slot.id == id)
    }

    /// What should be reported.
    pub fn notices(&self) -> Vec<Notice> {
        let torn = Notice::TornTail { bytes: self.chain.tail_bytes };
        [
            (self.chain.tail_bytes > 0, torn),
            (self.name == MIRROR, Notice::UsedMirror),
            (self.mirror.is_none(), Notice::MirrorStale),
            (matches!(self.remaining_key, Some(RemainingKey::Ended { .. })), Notice::OldKeyRemains),
            (matches!(self.remaining_key, Some(RemainingKey::Unused { .. })), Notice::UnusedKeyRemains),
            (self.unproven, Notice::Unproven),
            (self.reserve_bytes < self.chain.end, Notice::NoReserve),
        ]
        .into_iter()
        .filter_map(|(holds, notice)| holds.then_some(notice))
        .collect()
    }

    /// The key that [`Vault::wipe_old_key`] would wipe, if there is one.
    pub fn remaining_key(&self) -> Option<RemainingKey> {
        self.remaining_key
    }

    /// The vault file that was damaged at opening. The next write puts a copy of the mirror in its place and keeps it as
    /// `vault.damaged`; it is told also after that write.
    pub fn healed(&self) -> Option<DamagedCopy> {
        self.healed
    }

    /// A mirror that was changed, beside a sound vault file: it is none that a crash or a full disk leaves. The next write
    /// makes a new one and keeps it as `vault.mirror.damaged`; it is told also after that write.
    pub fn damaged_mirror(&self) -> Option<DamagedCopy> {
        self.damaged_mirror
    }

    /// Which slot a secret opens, for somebody who signs in while the vault is open. [`Error::WrongSecret`] if none.
    pub fn authenticate(&self, typed: &Secret) -> Result<SlotInfo, Error> {
        self.find_slot(typed).map(|(slot, _)| slot.info)
    }

    /// What a secret can be made ready for before [`Vault::authenticate`].
    pub fn slots(&self) -> Slots {
        Slots::of(&self.header, self.home.half.clone())
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
        self.sealer(random)?.stage(new)
    }

    /// Draws the key of one object. What is sealed with it needs the vault no more until it is committed.
    pub fn sealer(&self, random: &mut dyn Random) -> Result<Sealer, Error> {
        Sealer::new(self.outputs_folder()?, self.vault_id(), random)
    }

    /// Appends the record with the object's key, durably: from here on the object exists.
    pub fn commit(&mut self, staged: Staged, random: &mut dyn Random) -> Result<Receipt, Error> {
        let (ciphertext_sha256, ciphertext_bytes) = (staged.ciphertext_sha256(), staged.ciphertext_bytes());
        let Staged { outputs, entry, key, .. } = staged;
        if self.index.get(entry.id).is_some() || self.index.tombstones.contains_key(&entry.id) {
            return Err(Error::IdTaken(entry.id));
        }
        let (id, name) = (entry.id, object::file_name(&entry));
        match self.append(vec![Item::Put { entry, key }], random) {
            Ok(()) => Ok(Receipt { id, state: self.state(), ciphertext_sha256, ciphertext_bytes }),
            Err(error) => {
                if !self.poisoned {
                    let _ = outputs.remove(&name); // noise if this fails
                }
                Err(error)
            }
        }
    }

    /// All objects, oldest first; `.rev()` for newest first.
    pub fn list(&self) -> impl DoubleEndedIterator<Item = &ObjectInfo> + ExactSizeIterator {
        self.index.entries.iter()
    }

    /// One object. [`Error::Erased`] or [`Error::UnknownObject`] if there is none.
    pub fn get(&self, id: ObjectId) -> Result<&ObjectInfo, Error> {
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

    /// What is left of all erased objects, by id.
    pub fn tombstones(&self) -> impl Iterator<Item = &Tombstone> {
        self.index.tombstones.values()
    }

    /// Whether a write failed in this opening so that only the next one can tell what is on the disk.
    pub fn is_poisoned(&self) -> bool {
        self.poisoned
    }

    /// SHA-256 of an object's whole file, as it lies there.
    pub fn ciphertext_sha256(&self, id: ObjectId) -> Result<[u8; 32], Error> {
        object::sha256(&self.outputs_folder()?, self.get(id)?)
    }

    /// Opens the whole content.
    pub fn open_content(&self, id: ObjectId) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.opener(id)?.content()
    }

    /// Opens the preview; empty if the object was put without one.
    pub fn open_preview(&self, id: ObjectId) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.opener(id)?.preview()
    }

    /// Opens `bytes` bytes of the content from `from`, reading only the chunks that hold them.
    pub fn open_range(&self, id: ObjectId, from: u64, bytes: u64) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.opener(id)?.read(Part::Content, Some((from, bytes)))
    }

    /// Takes the key of one object. What is opened with it needs the vault no more.
    pub fn opener(&self, id: ObjectId) -> Result<Opener, Error> {
        let entry = self.get(id)?;
        let key = self.data_key(entry)?;
        Ok(Opener::new(self.outputs_folder()?, self.vault_id(), entry.clone(), key))
    }

    /// Objects whose sealed file is gone from the outputs folder. Their keys still exist until they are erased.
    ///
    /// # Errors
    /// Those of [`Vault::outputs`]: a folder that is not there says nothing about its files.
    pub fn missing(&self) -> Result<Vec<ObjectId>, Error> {
        let outputs = self.outputs_folder()?;
        let mut missing = Vec::new();
        for entry in self.list() {
            if !outputs.has(&object::file_name(entry)).map_err(|error| self.outputs_error(error))? {
                missing.push(entry.id);
            }
        }
        Ok(missing)
    }

    /// Whether this object's sealed file is gone from the outputs folder; see [`Vault::missing`].
    pub fn is_missing(&self, entry: &ObjectInfo) -> Result<bool, Error> {
        let found = self.outputs_folder()?.has(&object::file_name(entry));
        found.map(|found| !found).map_err(|error| self.outputs_error(error))
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
        self.home.state.path(self.name)
    }

    fn data_key(&self, wanted: &ObjectInfo) -> Result<Key, Error> {
        key_of(self.items(wanted.page)?, wanted)
    }

    /// Seals items and pending marks as one record and appends it: `pwrite64 fdatasync`, then the mirror without a sync.
    pub(crate) fn append(&mut self, mut items: Vec<Item>, random: &mut dyn Random) -> Result<(), Error> {
        self.repair()?;
        items.extend(self.pending_with(&items));
        let number = self.chain.pages.len();
        let mut plain = Zeroizing::new(Vec::with_capacity(items.len() * ITEM_BYTES_MAX));
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
            // Nothing was promised yet. If the file can be cut back, durably, everything is as before.
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
        self.pending.clear();
        let mirror = self.home.state.path(MIRROR);
        self.mirror = self.mirror.take().filter(|file| disk::write_at(file, &mirror, at, &record).is_ok());
        if self.reserve_bytes < self.chain.end {
            self.fill_reserve();
        }
        Ok(())
    }
}
