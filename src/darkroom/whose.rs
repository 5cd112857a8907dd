//! Whose pictures are whose. Where nobody has a name there is one person, and all are theirs.
//!
//! A picture belongs to the slot that its sealed metadata names, or to the one that somebody's pictures were handed over to.

use crate::{Error, Who};
use serde::Deserialize;
use std::collections::BTreeMap;
use vault::{ObjectId, ObjectInfo, PersonName, Random, Vault};

/// Slots whose pictures can be handed over, in one mark.
const HANDED_OVER_MAX: usize = vault::MARK_BYTES_MAX / 4;

/// Slots whose pictures are another's.
#[derive(Default)]
pub(crate) struct HandedOver(BTreeMap<u16, u16>);

impl HandedOver {
    /// The vault's mark with them: pairs of slot numbers, 2 bytes each.
    pub const MARK: u8 = 3;

    pub fn of(vault: &Vault) -> Self {
        Self::parse(vault.mark(Self::MARK))
    }

    /// Those of a mark.
    pub fn parse(mark: Option<&[u8]>) -> Self {
        let pairs = mark.unwrap_or_default().chunks_exact(4);
        let number = |high, low| u16::from_be_bytes([high, low]);
        Self(pairs.map(|pair| (number(pair[0], pair[1]), number(pair[2], pair[3]))).collect())
    }

    /// From here on what is `from`'s is `to`'s, also what others had handed over to them before.
    pub fn add(&mut self, from: u16, to: u16) -> Result<(), Error> {
        self.0.values_mut().filter(|owner| **owner == from).for_each(|owner| *owner = to);
        self.0.insert(from, to);
        match self.0.len() > HANDED_OVER_MAX {
            true => {
                Err(vault::Error::Limit("the pictures of 64 people were handed over; no more can be").into())
            }
            false => Ok(()),
        }
    }

    /// With the vault's next record.
    pub fn remember(&self, vault: &mut Vault) -> Result<(), Error> {
        Ok(vault.remember(Self::MARK, &self.encode())?)
    }

    /// Now, durably, or not at all.
    pub fn set(&self, vault: &mut Vault, random: &mut dyn Random) -> Result<(), Error> {
        Ok(vault.set_mark(Self::MARK, &self.encode(), random).map(drop)?)
    }

    /// The bytes of the mark.
    pub fn encode(&self) -> Vec<u8> {
        let bytes = |(from, to): (&u16, &u16)| [from.to_be_bytes(), to.to_be_bytes()].concat();
        self.0.iter().flat_map(bytes).collect()
    }

    /// Whose a picture is: the number of their slot, which may be no more; `None` if a later version wrote it.
    pub fn owner(&self, entry: &ObjectInfo) -> Option<u16> {
        let slot = maker(entry)?;
        Some(self.0.get(&slot).copied().unwrap_or(slot))
    }
}

/// Who made a picture, whosever it is now; `None` if a later version wrote it.
pub(crate) fn maker(entry: &ObjectInfo) -> Option<u16> {
    serde_json::from_slice(&entry.metadata).ok().map(|Maker { slot }| slot)
}

/// The one thing of a picture's metadata that is needed to tell whose it is.
#[derive(Deserialize)]
struct Maker {
    slot: u16,
}

/// The pictures that are theirs, oldest first.
pub(crate) fn pictures<'a>(vault: &'a Vault, who: &Who) -> Vec<&'a ObjectInfo> {
    if !vault.has_names() {
        return vault.list().collect();
    }
    of_slot(vault, who.slot)
}

/// The pictures of the person with this slot, oldest first, whoever else may see them.
pub(crate) fn of_slot(vault: &Vault, slot: u16) -> Vec<&ObjectInfo> {
    let handed_over = HandedOver::of(vault);
    vault.list().filter(|entry| handed_over.owner(entry) == Some(slot)).collect()
}

/// How many pictures each slot has.
pub(crate) fn counts(vault: &Vault) -> BTreeMap<u16, usize> {
    let handed_over = HandedOver::of(vault);
    let mut counts = BTreeMap::new();
    for owner in vault.list().filter_map(|entry| handed_over.owner(entry)) {
        *counts.entry(owner).or_default() += 1;
    }
    counts
}

/// A picture, if it is theirs: that there is another's is not told.
pub(crate) fn picture<'a>(vault: &'a Vault, who: &Who, id: ObjectId) -> Result<&'a ObjectInfo, Error> {
    let entry = vault.get(id)?;
    match !vault.has_names() || HandedOver::of(vault).owner(entry) == Some(who.slot) {
        true => Ok(entry),
        false => Err(vault::Error::UnknownObject(id).into()),
    }
}

/// Somebody of this name, who may be gone.
pub(crate) fn person_of(vault: &Vault, name: &PersonName) -> Result<vault::Person, Error> {
    let is_theirs = |person: &vault::Person| person.name.as_ref().is_some_and(|known| known.is(name));
    Ok(vault.people().into_iter().find(is_theirs).ok_or(vault::Error::UnknownName)?)
}
