//! Putting a backup back: a vault where there is none, without what was destroyed since.
//!
//! The keys of objects that were erased after the backup was made exist in it and in memory, and reach no disk: the vault
//! file is written anew under new keys, without them, before there is any. The order, each step durable before the next:
//! sealed files, the file that tells whose folder it is, the anchor, the vault file: *now it exists*. What an interruption
//! leaves before that is no vault, and the same backup can be put back once more.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use crate::backup::{Backup, Kept};
use crate::disk::{Folder, Replace};
use crate::format::{HEADER_BYTES, ObjectHeader, ObjectId, SlotId, VaultId};
use crate::home::{Home, Paths};
use crate::item::{Item, Tombstone, check_name};
use crate::marks::highest_slot;
use crate::object::{self, PART_SUFFIX, SUFFIX};
use crate::outputs;
use crate::random::Random;
use crate::rebuild::Old;
use crate::slot::OpenSlot;
use crate::vault::Vault;
use crate::{Error, disk};

/// What has changed since the backup was made, and is to hold again.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Objects that were erased: they are left out, and have a tombstone.
    pub erased: Vec<ObjectId>,
    /// Why, for the tombstones; the numbers are the caller's.
    pub reason: u16,
    /// Now, in milliseconds since 1970, for the tombstones.
    pub now_ms: u64,
    /// Slots that were removed.
    pub removed: Vec<SlotId>,
    /// The highest number that a slot was given, as far as is known.
    pub slot_highest: u16,
    /// The highest epoch that the vault is known to have had: the next one is newer.
    pub epoch_highest: u64,
    /// Slots of people who are gone, and whose names were destroyed.
    pub nameless: Vec<SlotId>,
    /// Marks with the values that they have now.
    pub marks: BTreeMap<u8, Vec<u8>>,
}

/// Two folders that take a vault from a backup, and the lock on them.
pub struct Restoring {
    home: Home,
    outputs: Folder,
    vault_id: VaultId,
}

impl Restoring {
    /// Takes the folders, and makes them if they are not there. That the outputs folder is this vault's already must be meant: if
    /// that vault lives on elsewhere, two would share its files, and the erasures of one would take them from the other.
    ///
    /// # Errors
    /// [`Error::VaultExists`]; [`Error::OutputsNotOurs`] for the folder of another vault, [`Error::OutputsInUse`] for one that is this
    /// vault's and is not meant; [`Error::Busy`].
    pub fn begin(paths: Paths, vault_id: VaultId, same_outputs: bool) -> Result<Self, Error> {
        paths.prepare()?;
        let home = Home::take(paths)?;
        if home.paths.vault_exists() {
            return Err(Error::VaultExists(home.paths.state));
        }
        let path = &home.paths.outputs;
        let unusable = |error| outputs::unusable(path.clone(), error);
        let outputs = Folder::open(path).map_err(unusable)?;
        let is_foreign =
            |name: &String| name.ends_with(SUFFIX) && object::owner(&outputs, name, vault_id).is_none();
        if outputs::is_of_another(&outputs, vault_id).map_err(unusable)?
            || outputs.names().map_err(unusable)?.iter().any(is_foreign)
        {
            return Err(Error::OutputsNotOurs(path.clone()));
        }
        if !same_outputs && outputs::is_marked(&outputs, vault_id).map_err(unusable)? {
            return Err(Error::OutputsInUse(path.clone()));
        }
        Ok(Self { home, outputs, vault_id })
    }

    /// Writes the sealed file of an object, durably. One that is there already, byte for byte, stays.
    ///
    /// # Errors
    /// [`Error::NameTaken`]: another file has its name; what the disk says.
    pub fn put(&self, file: &Kept) -> Result<(), Error> {
        let damaged = || Error::BackupDamaged { record: 0 };
        let head =
            file.bytes.first_chunk::<HEADER_BYTES>().and_then(ObjectHeader::parse).ok_or_else(damaged)?;
        check_name(file.name.strip_suffix(SUFFIX).ok_or_else(damaged)?)?;
        let doing = || Error::io("writing a sealed file");
        if self.outputs.has(&file.name).map_err(doing())? {
            return if self.is_there(file) { Ok(()) } else { Err(Error::NameTaken) };
        }
        let temp = format!("{}{PART_SUFFIX}", head.id);
        let written = self.outputs.prepare(&temp, &file.bytes);
        let written = written.and_then(|()| self.outputs.publish(&temp, &file.name, Replace::No));
        written.inspect_err(|_| drop(self.outputs.remove(&temp))).map_err(doing())
    }

    fn is_there(&self, file: &Kept) -> bool {
        let mut found = Vec::new();
        let read = self.outputs.file(&file.name, false).and_then(|mut there| {
            // One that is there already may not be durable.
            disk::sync(&there, &self.outputs.path(&file.name))?;
            std::io::Read::read_to_end(&mut there, &mut found)
        });
        read.is_ok() && found == file.bytes[..]
    }

    /// Makes the vault of the backup, with these changes, under new keys.
    ///
    /// # Errors
    /// [`Error::SlotRemoved`]: the secret that opened the backup is one of a slot that was removed; [`Error::LastSlot`]: no
    /// passphrase that opens objects would be left; what the disk says. There is no vault then.
    pub fn commit<R>(
        self,
        backup: &Backup<R>,
        changes: &Changes,
        random: &mut dyn Random,
    ) -> Result<Vault, Error> {
        let log = &backup.vault.log;
        let slots = slots_of(backup, changes)?;
        let epoch = changes.epoch_highest.max(log.header.epoch) + 1;
        let (erased_ms, reason) = (changes.now_ms, changes.reason);
        let there = changes.erased.iter().filter(|id| log.index.get(**id).is_some());
        let dead: Vec<_> = there.map(|id| Tombstone { id: *id, erased_ms, reason, epoch }).collect();
        let mut marks = log.index.marks.clone();
        marks.extend(changes.marks.iter().map(|(tag, value)| (*tag, Zeroizing::new(value.clone()))));
        let old = Old {
            vault_id: self.vault_id,
            index: &log.index,
            items: backup.vault.items(),
            slots,
            highest_slot: highest_slot(&log.header, &log.index).max(changes.slot_highest),
            marks,
            names: {
                let kept = log.index.names.iter().filter(|(slot, _)| !changes.nameless.contains(slot));
                kept.map(|(slot, name)| (*slot, name.clone())).collect()
            },
        };
        let built = old.rebuilt(epoch, &dead, random)?;
        outputs::mark(&self.outputs, self.vault_id).map_err(Error::io("marking the outputs folder"))?;
        let mut vault = Vault::begin_with(self.home, built, random)?;
        let _ = vault.sweep(); // what cannot be removed now opens for nobody
        Ok(vault)
    }
}

/// The slots of the backup but for those that were removed since, with their secrets.
fn slots_of<R>(backup: &Backup<R>, changes: &Changes) -> Result<Vec<OpenSlot>, Error> {
    let mut secrets = BTreeMap::new();
    for item in backup.vault.items() {
        if let Item::Slot { id, secret } = item? {
            secrets.insert(id, secret);
        }
    }
    let mut slots = Vec::new();
    for raw in &backup.vault.log.header.slots {
        let id = raw.info.id;
        if !changes.removed.contains(&id) {
            let secret = secrets.remove(&id).ok_or(Error::LogDamaged { record: 0 })?;
            slots.push(OpenSlot { raw: raw.clone(), secret });
        } else if backup.is_opened_by(id) {
            return Err(Error::SlotRemoved);
        }
    }
    let opens = |slot: &OpenSlot| slot.raw.info.kind.is_persons() && slot.raw.info.role.opens_objects();
    if slots.iter().any(opens) { Ok(slots) } else { Err(Error::LastSlot) }
}
