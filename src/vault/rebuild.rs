//! Writing a whole vault file anew, for a roll and for a backup that is put back.

use std::collections::{BTreeMap, BTreeSet};

use zeroize::{Zeroize, Zeroizing};

use crate::cobblestone::Key;
use crate::format::{FORMAT, FORMAT_NAMED, Header, ObjectId, SlotId, SlotKind, VaultId};
use crate::home::MAIN;
use crate::item::{ITEM_BYTES_MAX, Item, Tombstone};
use crate::log::{self, Chain, Index, Log};
use crate::marks::SLOT_HIGHEST;
use crate::name::PersonName;
use crate::random::{self, Random};
use crate::slot::OpenSlot;
use crate::{Error, keys};

/// What a vault file is written anew from.
pub(crate) struct Old<'a, I> {
    pub(crate) vault_id: VaultId,
    pub(crate) index: &'a Index,
    /// All entries of its log, keys included.
    pub(crate) items: I,
    /// The slots that it is to have.
    pub(crate) slots: Vec<OpenSlot>,
    /// The highest number that a slot ever had.
    pub(crate) highest_slot: u16,
    pub(crate) marks: BTreeMap<u8, Zeroizing<Vec<u8>>>,
    pub(crate) names: BTreeMap<SlotId, PersonName>,
}

impl<I: Iterator<Item = Result<Item, Error>>> Old<'_, I> {
    /// The file of `epoch`, without the objects of `dead`, read back with its new keys.
    pub(crate) fn rebuilt(
        self,
        epoch: u64,
        dead: &[Tombstone],
        random: &mut dyn Random,
    ) -> Result<Built, Error> {
        let Self { vault_id, index, items, slots, highest_slot, mut marks, names } = self;
        let gone: BTreeSet<ObjectId> = dead.iter().map(|tombstone| tombstone.id).collect();
        let is_lower =
            |slot: &OpenSlot| slot.raw.info.id.0 < highest_slot || slot.raw.info.kind == SlotKind::Joint;
        if slots.iter().all(is_lower) {
            marks.insert(SLOT_HIGHEST, Zeroizing::new(highest_slot.to_be_bytes().to_vec()));
        }
        let format = if names.is_empty() { FORMAT } else { FORMAT_NAMED };
        let name = |(slot, name): (&SlotId, &PersonName)| Ok(Item::Name { slot: *slot, name: name.clone() });
        let tombstones =
            index.tombstones.values().chain(dead).map(|tombstone| Ok(Item::Tombstone(*tombstone)));
        let kept = |item: &Result<Item, Error>| match item {
            Ok(Item::Put { entry, .. }) => !gone.contains(&entry.id),
            Ok(_) => false,
            Err(_) => true,
        };
        let mark =
            |(tag, value): (&u8, &Zeroizing<Vec<u8>>)| Ok(Item::Mark { tag: *tag, value: value.clone() });
        let all = marks.iter().map(mark).chain(names.iter().map(name));
        let all = all.chain(tombstones).chain(items.filter(kept));
        let built = build((vault_id, format), epoch, slots, all, random)?;
        let new = &built.log.index;
        let same = index
            .entries
            .iter()
            .map(|entry| entry.id)
            .filter(|id| !gone.contains(id))
            .eq(new.entries.iter().map(|entry| entry.id))
            && new.tombstones.len() == index.tombstones.len() + dead.len()
            && new.marks == marks
            && new.names == names;
        if same { Ok(built) } else { Err(Error::LogDamaged { record: 0 }) }
    }
}

/// A complete vault file and what its reader finds in it.
pub(crate) struct Built {
    pub(crate) file: Vec<u8>,
    pub(crate) epoch_key: Key,
    pub(crate) log: Log,
}

/// Entries are packed into records of about this many bytes: one key derivation for some hundred entries.
const RECORD_BYTES: usize = 64 * 1024;

/// These slots, with each joint one made anew from the two that it is of, which may have other secrets by now; without that of
/// somebody who is gone.
fn joined(vault_id: VaultId, slots: Vec<OpenSlot>, random: &mut dyn Random) -> Result<Vec<OpenSlot>, Error> {
    let (joint, mut slots): (Vec<_>, Vec<_>) =
        slots.into_iter().partition(|slot| slot.raw.info.kind == SlotKind::Joint);
    let mut made = Vec::with_capacity(joint.len());
    for id in joint.iter().map(|slot| slot.raw.info.id) {
        let [one, other] = id.parts().map(|part| slots.iter().find(|slot| slot.raw.info.id == part));
        if let (Some(one), Some(other)) = (one, other) {
            made.push(OpenSlot::joint(vault_id, (one, other), random)?);
        }
    }
    slots.append(&mut made);
    Ok(slots)
}

/// Writes a vault file of these slots and entries, under new keys.
pub(crate) fn build(
    (vault_id, format): (VaultId, u16),
    epoch: u64,
    slots: Vec<OpenSlot>,
    items: impl Iterator<Item = Result<Item, Error>>,
    random: &mut dyn Random,
) -> Result<Built, Error> {
    let (master, view, epoch_key) = (random::key(random)?, random::key(random)?, random::key(random)?);
    let mut slots = joined(vault_id, slots, random)?;
    let is_joint = slots.iter().any(|slot| slot.raw.info.kind == SlotKind::Joint);
    for slot in &mut slots {
        slot.wrap((vault_id, is_joint), (&master, &view), random)?;
    }
    let raw = slots.iter().map(|slot| slot.raw.clone()).collect();
    let header = Header { format, vault_id, epoch, file_id: random::bytes(random)?, slots: raw };
    let mut file = header.encode();
    keys::seal_head(&mut file, &master, &view, random)?;
    let key = keys::log_key(&master, &epoch_key, &header);
    let mut chain = Chain::new(&header, &file);
    let secrets = slots.into_iter().map(|slot| Ok(Item::Slot { id: slot.raw.info.id, secret: slot.secret }));
    let mut page = Zeroizing::new(Vec::with_capacity(RECORD_BYTES + ITEM_BYTES_MAX));
    for item in secrets.chain(items) {
        item?.encode(&mut page);
        if page.len() >= RECORD_BYTES {
            chain.append(&key, &page, &mut file, random)?;
            page.zeroize();
        }
    }
    if !page.is_empty() {
        chain.append(&key, &page, &mut file, random)?;
    }
    let (chain, index) = log::read(&header, &key, &file)?;
    Ok(Built { file, epoch_key, log: Log { header, key, chain, index, name: MAIN } })
}
