//! Marks: small sealed values of the caller's, set at once or together with the next record.

use zeroize::Zeroizing;

use crate::format::{Header, SlotKind};
use crate::item::{Item, MARK_BYTES_MAX, MARK_LONG, MARK_LONG_BYTES_MAX};
use crate::log::Index;
use crate::random::Random;
use crate::vault::Vault;
use crate::{Error, State};

/// The vault's own mark: the highest number that a slot ever had, 2 bytes. A number is never given out again, because what
/// belongs to it (the salt of a pseudonym) outlives the slot.
pub(crate) const SLOT_HIGHEST: u8 = 2;
/// The vault's own mark: what tells the machine secret that every passphrase goes with that is set from here on, 32 bytes; none, or
/// no bytes, where they open it alone.
pub(crate) const MACHINE_HALF: u8 = 16;
/// Marks from here on belong to slots: this plus the slot's number.
const SLOT_MARKS: u8 = 16;
/// The highest number that has a mark.
pub(crate) const SLOT_NUMBER_MAX: u16 = (u8::MAX - SLOT_MARKS) as u16;

impl Vault {
    /// The highest number that any slot is known to have had. Vaults that were made before it was remembered know it by the
    /// slots there are and by the marks of those that were.
    pub(crate) fn highest_slot(&self) -> u16 {
        highest_slot(&self.header, &self.index)
    }

    /// A small sealed value of the caller's as it is durable, if it was set.
    pub fn mark(&self, tag: u8) -> Option<&[u8]> {
        self.index.marks.get(&tag).map(|value| &value[..])
    }

    /// Sets a mark, durably, with every mark that is pending. Tags 2 and 16 are the vault's own, and tags above 16 are those of slots:
    /// 16 plus the slot's number. At most 256 bytes, of tag 15 at most 4096; the last value wins, older ones end with the next roll.
    pub fn set_mark(&mut self, tag: u8, value: &[u8], random: &mut dyn Random) -> Result<State, Error> {
        check(tag, value)?;
        self.append(vec![Item::Mark { tag, value: Zeroizing::new(value.to_vec()) }], random)?;
        Ok(self.state())
    }

    /// Sets a mark with the next record, so that it costs no sync of its own: both are there or neither is. The next
    /// [`Vault::commit`], [`Vault::set_mark`] or roll writes it; one that fails leaves it pending. At most 256 bytes, and
    /// one pending value per tag: the last. [`Vault::mark`] answers the value once it is durable; [`Vault::lock`] drops
    /// what is pending.
    pub fn remember(&mut self, tag: u8, value: &[u8]) -> Result<(), Error> {
        check(tag, value)?;
        if self.mark(tag) == Some(value) {
            self.pending.remove(&tag);
        } else {
            self.pending.insert(tag, Zeroizing::new(value.to_vec()));
        }
        Ok(())
    }

    /// A roll that drops superseded marks, if more than `superseded_max` records hold nothing else; the state after it.
    /// `None`: there are no more, or it is not the time for it, since an old key remains or what was read at opening is not
    /// proven. Errors are those of every roll; see [`Vault::erase`].
    pub fn compact(
        &mut self,
        superseded_max: usize,
        random: &mut dyn Random,
    ) -> Result<Option<State>, Error> {
        if self.remaining_key.is_some() || self.unproven || self.index.superseded() <= superseded_max {
            return Ok(None);
        }
        let slots = self.open_slots()?;
        self.roll(slots, self.index.names.clone(), &[], random)?;
        Ok(Some(self.state()))
    }

    /// The pending marks, for a record with `items`, which win over them.
    pub(crate) fn pending_with(&self, items: &[Item]) -> Vec<Item> {
        let set =
            |tag: u8| items.iter().any(|item| matches!(item, Item::Mark { tag: other, .. } if *other == tag));
        let pending = self.pending.iter().filter(|(tag, _)| !set(**tag));
        pending.map(|(tag, value)| Item::Mark { tag: *tag, value: value.clone() }).collect()
    }
}

/// See [`Vault::highest_slot`].
pub(crate) fn highest_slot(header: &Header, index: &Index) -> u16 {
    let remembered = index.marks.get(&SLOT_HIGHEST).and_then(|value| value[..].try_into().ok());
    let remembered = remembered.map_or(0, u16::from_be_bytes);
    let marked = index.marks.keys().filter_map(|tag| tag.checked_sub(SLOT_MARKS)).max().unwrap_or(0);
    // The number of a joint slot says whose two it is of, and is no number of anybody.
    let slots = header.slots.iter().filter(|slot| slot.info.kind != SlotKind::Joint);
    let slots = slots.map(|slot| slot.info.id.0);
    slots.chain([remembered, marked.into()]).max().unwrap_or(0)
}

fn check(tag: u8, value: &[u8]) -> Result<(), Error> {
    if [SLOT_HIGHEST, MACHINE_HALF].contains(&tag) {
        return Err(Error::Limit("marks 2 and 16 are the vault's own"));
    }
    let bytes_max = if tag == MARK_LONG { MARK_LONG_BYTES_MAX } else { MARK_BYTES_MAX };
    match value.len() <= bytes_max {
        true => Ok(()),
        false => Err(Error::Limit("a mark has at most 256 bytes, and that of tag 15 has 4096")),
    }
}
