//! What has changed since a moment that a vault remembers, told by a log that goes on behind it: for a vault that comes from
//! a backup.

use crate::Error;
use crate::behind::{Behind, tag};
use crate::holds::Holds;
use crate::metadata::pseudonym;
use crate::pending;
use crate::roles::Roles;
use crate::whose::HandedOver;
use audit::words::{HoldReason, IntentKind, Left, Role};
use audit::{Digest, Log, Stored, Unfinished};
use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead;
use std::path::Path;
use vault::{Backup, Changes, SlotId};

/// Reason code in tombstones: erased on record, and again when a backup was put back.
const REASON_RECORD: u16 = 2;

/// What the records behind a moment say.
#[derive(Default)]
pub(crate) struct Since {
    /// Pseudonyms of pictures that were erased, or are to be by a request that has no outcome.
    erased: BTreeSet<[u8; 16]>,
    /// Pseudonyms of pictures that were made.
    made: BTreeSet<[u8; 16]>,
    /// Slots that were removed, or are to be, and when, in milliseconds since 1970.
    pub removed: BTreeMap<u16, u64>,
    /// Slots of who was removed, whose names were destroyed, or are to be, and when.
    nameless: BTreeMap<u16, u64>,
    /// Slots that were added.
    pub added: BTreeSet<u16>,
    /// Those of them that are a machine's.
    pub machines: BTreeSet<u16>,
    /// Slots that have a new secret.
    pub changed: BTreeSet<u16>,
    /// Slots of which it was changed, or asked for, whether they open the vault together with others alone.
    pub joint: BTreeSet<u16>,
    /// Holds that were set, with their reason and since when, and `None` for those that ended.
    holds: Vec<(u16, Option<(HoldReason, u64)>)>,
    /// Slots that have another role.
    roles: Vec<(u16, Role)>,
    /// Whose pictures were given to whom.
    handed_over: Vec<(u16, u16)>,
    /// Whether the vault was used since: otherwise the log is perhaps the backup's own, from an attempt that failed.
    pub goes_on: bool,
    /// The highest epoch of the vault.
    epoch_highest: u64,
}

impl Since {
    /// Reads the records from number `first` on, before the log is opened: those at its end that nobody has signed count, too,
    /// since opening it sets them aside.
    ///
    /// # Errors
    /// What the log says.
    pub fn read(dir: &Path, first: u64) -> Result<Self, Error> {
        let mut since = Self::default();
        // What is no record is for the opening to judge.
        for stored in audit::records_from(dir, first)?.flatten() {
            since.record(&stored);
        }
        Ok(since)
    }

    /// Reads records of a lost log that had been exported, behind the record `known` of the backup's own. Nobody vouches for them,
    /// so they only take away: what gives somebody more than the backup does counts for nothing. Beside it the last of them.
    ///
    /// # Errors
    /// They do not go on from there.
    pub fn exported(input: impl BufRead, known: (u64, Digest)) -> Result<(Self, Stored), Error> {
        let mut since = Self::default();
        let audit::Exported { last, unfinished, .. } =
            audit::read_exported(input, known, |stored| since.record(stored))?;
        since.add(&unfinished);
        since.holds.retain(|(_, hold)| hold.is_some());
        since.roles.retain(|(_, role)| *role != Role::Admin);
        since.handed_over.clear();
        Ok((since, last))
    }

    /// What others say besides.
    pub fn merge(&mut self, other: Self) {
        self.erased.extend(other.erased);
        self.made.extend(other.made);
        self.removed.extend(other.removed);
        self.nameless.extend(other.nameless);
        self.added.extend(other.added);
        self.machines.extend(other.machines);
        self.changed.extend(other.changed);
        self.joint.extend(other.joint);
        self.holds.extend(other.holds);
        self.roles.extend(other.roles);
        self.epoch_highest = self.epoch_highest.max(other.epoch_highest);
    }

    /// What the log leaves open, once it is open.
    ///
    /// # Errors
    /// What the log says.
    pub fn add_unfinished(&mut self, log: &Log) -> Result<(), Error> {
        self.add(&log.unfinished()?);
        Ok(())
    }

    fn add(&mut self, unfinished: &Unfinished) {
        self.epoch_highest = unfinished.vault.map_or(0, |state| state.epoch);
        for intent in &unfinished.open_intents {
            match intent.kind {
                IntentKind::Erase => self.erased.extend(intent.objects_named.iter().map(|object| object.0)),
                IntentKind::Secret if intent.removes => {
                    self.removed.extend(intent.slot.and_then(number).map(|slot| (slot, intent.ts_ms)));
                }
                IntentKind::Name => {
                    self.nameless.extend(intent.slot.and_then(number).map(|slot| (slot, intent.ts_ms)));
                }
                _ => {}
            }
        }
    }

    fn record(&mut self, stored: &Stored) {
        let slot = |field| stored.int(field).and_then(number);
        let name = stored.name.as_str();
        let is_of_backup = matches!(name, "backup.written" | "backup.failed" | "backup.restored");
        self.goes_on |= is_of_backup || name.starts_with("vault.") || name.starts_with("object.");
        match name {
            "object.sealed" | "object.created" => self.made.extend(stored.object.map(|object| object.0)),
            "object.erased" => self.erased.extend(stored.object.map(|object| object.0)),
            "slot.removed" => self.removed.extend(slot("slot").map(|slot| (slot, stored.ts_ms))),
            "slot.name_destroyed" => self.nameless.extend(slot("slot").map(|slot| (slot, stored.ts_ms))),
            "slot.added" | "slot.add_named" => {
                self.added.extend(slot("slot"));
                let is_machines = stored.word("role").and_then(Role::parse) == Some(Role::Machine);
                self.machines.extend(slot("slot").filter(|_| is_machines));
            }
            "slot.joint" => self.joint.extend(slot("slot")),
            "vault.secret_changed" => self.changed.extend(slot("slot")),
            "hold.set" => {
                let reason = stored.word("reason").and_then(HoldReason::parse);
                let set = slot("slot").zip(reason);
                self.holds.extend(set.map(|(slot, reason)| (slot, Some((reason, stored.ts_ms)))));
            }
            "hold.ended" => self.holds.extend(slot("slot").map(|slot| (slot, None))),
            "slot.role_changed" => {
                self.roles.extend(slot("slot").zip(stored.word("role").and_then(Role::parse)));
            }
            "slot.pictures" if stored.word("left").and_then(Left::parse) == Some(Left::HandedOver) => {
                self.handed_over.extend(slot("slot").zip(slot("to")));
            }
            _ => {}
        }
    }

    /// The role that this slot was given last, if any.
    pub fn role(&self, slot: u16) -> Option<Role> {
        self.roles.iter().rfind(|(known, _)| *known == slot).map(|(_, role)| *role)
    }

    /// How many pictures were made and not erased: none of them is in what was made before.
    pub fn made_and_lost(&self) -> u64 {
        self.made.difference(&self.erased).count() as u64
    }

    /// Slots of who was removed, by this backup or since, whose names are destroyed, and when.
    pub fn nameless_in<R>(&self, backup: &Backup<R>) -> BTreeMap<u16, u64> {
        let is_there =
            |slot: u16| !self.removed.contains_key(&slot) && backup.slots().any(|info| info.id.0 == slot);
        let nameless = self.nameless.iter().filter(|(slot, _)| !is_there(**slot));
        nameless.map(|(slot, ms)| (*slot, *ms)).collect()
    }

    /// What is to hold again in the vault of this backup.
    ///
    /// # Errors
    /// More is on record than a vault can remember.
    pub fn changes<R>(&self, backup: &Backup<R>, now_ms: u64) -> Result<Changes, Error> {
        let erased = backup.list().filter(|entry| self.erased.contains(&pseudonym(entry.id, entry.salt).0));
        let mut holds = Holds::parse(backup.mark(Holds::MARK));
        self.holds.iter().for_each(|(slot, hold)| holds.replay(*slot, *hold));
        let mut handed_over = HandedOver::parse(backup.mark(HandedOver::MARK));
        for (from, to) in &self.handed_over {
            handed_over.add(*from, *to)?;
        }
        let mut marks = BTreeMap::new();
        if !self.holds.is_empty() {
            marks.insert(Holds::MARK, holds.encode());
        }
        if !self.roles.is_empty() {
            let mut roles = Roles::parse(backup.mark(Roles::MARK));
            self.roles.iter().for_each(|(slot, role)| roles.give(*slot, *role, |_| true));
            marks.insert(Roles::MARK, roles.encode());
        }
        // Nobody whose name went comes back with it, and the period of who went since has begun.
        let nameless = self.nameless_in(backup);
        let of_slot = |slot: u16| tag(slot).map(|tag| (tag, backup.mark(tag).and_then(Behind::parse)));
        for (slot, ms) in self.removed.iter().filter(|(slot, _)| !self.nameless.contains_key(slot)) {
            let behind = of_slot(*slot).map(|(tag, before)| (tag, Behind::removed(before, *ms).encode()));
            marks.extend(behind);
        }
        for (slot, ms) in &nameless {
            let behind =
                of_slot(*slot).map(|(tag, before)| (tag, Behind::destroyed(before, *slot, *ms).encode()));
            marks.extend(behind);
        }
        // What waited for a second person then was confirmed or refused since, or nobody knows.
        let waited = pending::MARKS.filter(|tag| backup.mark(*tag).is_some_and(|mark| !mark.is_empty()));
        marks.extend(waited.map(|tag| (tag, Vec::new())));
        // Whoever holds a backup would otherwise bring back a token that was revoked.
        marks.extend(backup.mark(vault::MARK_LONG).map(|_| (vault::MARK_LONG, Vec::new())));
        if !self.handed_over.is_empty() {
            marks.insert(HandedOver::MARK, handed_over.encode());
        }
        Ok(Changes {
            erased: erased.map(|entry| entry.id).collect(),
            reason: REASON_RECORD,
            now_ms,
            removed: self.removed.keys().map(|slot| SlotId(*slot)).collect(),
            nameless: nameless.keys().map(|slot| SlotId(*slot)).collect(),
            slot_highest: self.added.iter().chain(self.removed.keys()).copied().max().unwrap_or(0),
            epoch_highest: self.epoch_highest,
            marks,
        })
    }
}

fn number(slot: impl TryInto<u16>) -> Option<u16> {
    slot.try_into().ok()
}
