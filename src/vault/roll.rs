//! The roll: the one structural change. Erasing is one; so is changing, adding or removing a secret, and dropping marks
//! that no longer count.
//!
//! The whole vault file is written again under a new master key and a new epoch key, without what is to be forgotten;
//! then the old epoch key is overwritten in the anchor. From that moment every older copy of the vault file, wherever it
//! lies, is noise. The order, each step durable before the next:
//!
//! 1. the new file as `vault.new` (on a full disk, in the blocks of `reserve`);
//! 2. the new epoch key in the anchor's spare cell;
//! 3. `vault.new` renamed to `vault`: the new state is the state;
//! 4. the old epoch key overwritten: the erasure is done;
//! 5. mirror, reserve, dead object files: may fail, are reported, and are done again by [`Vault::sweep`].
//!
//! Opening a vault after a crash undoes 2 or finishes 4.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use crate::anchor::Grade;
use crate::cobblestone::Key;
use crate::disk::{Folder, Replace};
use crate::format::{FORMAT, ObjectId, RawSlot, Role, SLOTS_MAX, SlotId, SlotInfo, SlotKind, VaultId};
use crate::home::{Home, MAIN, NEW, Paths, TORN};
use crate::item::{Item, ObjectInfo, Tombstone};
use crate::log::Log;
use crate::marks::SLOT_NUMBER_MAX;
use crate::name::PersonName;
use crate::object;
use crate::random::Random;
use crate::rebuild::{Built, Old, build};
use crate::secret::Half;
use crate::slot::{self, OpenSlot};
use crate::vault::{RemainingKey, Vault};
use crate::{Error, KdfParams, RecoveryCode, Secret, State};

/// What an erasure achieved. Everything in it is true already.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Erasure {
    /// The state after it. If nothing had to be erased, the state as it was.
    pub state: State,
    /// What overwriting the old epoch key is worth where the anchor lies.
    pub grade: Grade,
    /// Objects that existed before and do not now.
    pub erased: u64,
    /// A dead file could not be removed, or the mirror not renewed. No key is left; [`Vault::sweep`] tries again.
    pub cleanup_pending: bool,
}

/// What a roll for the key slots achieved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rolled {
    /// The state after it.
    pub state: State,
    /// What overwriting the old epoch key is worth where the anchor lies.
    pub grade: Grade,
    /// The slot that was added, changed or removed.
    pub slot: SlotId,
}

impl Vault {
    /// Makes a new vault with a first passphrase and a recovery code. The code is shown once and kept nowhere. The
    /// anchor comes first and the vault file last: an interrupted creation leaves no vault.
    pub fn create(
        paths: Paths,
        secret: &Secret,
        role: Role,
        kdf: KdfParams,
        random: &mut dyn Random,
    ) -> Result<(Self, RecoveryCode), Error> {
        secret.check_new()?;
        if !role.opens_objects() {
            return Err(Error::Limit("the first passphrase of a vault cannot be an auditor's"));
        }
        paths.prepare()?;
        let home = Home::take(paths)?;
        if home.paths.vault_exists() {
            return Err(Error::VaultExists(home.paths.state));
        }
        let (vault_id, epoch) = (VaultId::random(random)?, 1);
        let code = RecoveryCode::new(random)?;
        let slots = vec![
            OpenSlot::new(vault_id, (SlotId(1), role), None, (secret, None), kdf, random)?,
            OpenSlot::new(vault_id, (SlotId(2), Role::Admin), None, (&code.secret(), None), kdf, random)?,
        ];
        let built = build((vault_id, FORMAT), epoch, slots, std::iter::empty(), random)?;
        let vault = Self::begin_with(home, built, random)?;
        let _ = vault.adopt_outputs(); // what fails here is done at the first put
        Ok((vault, code))
    }

    /// Puts the first file of a vault in place, where there is none: the anchor before it. What is refused leaves no vault.
    pub(crate) fn begin_with(home: Home, built: Built, random: &mut dyn Random) -> Result<Self, Error> {
        home.anchor().create(built.log.header.epoch, &built.epoch_key, random)?;
        if let Err(error) = home.state.write(NEW, MAIN, &built.file) {
            // Nobody relies on it, nor has seen a recovery code: what was refused must not be there later.
            let _ = home.state.remove(NEW);
            let _ = home.state.remove(MAIN);
            return Err(Error::io("writing the vault file")(error));
        }
        let mut vault = Self::new(home, built.log);
        vault.open_files(false);
        vault.renew_mirror(&built.file);
        vault.fill_reserve();
        Ok(vault)
    }

    /// Destroys the keys of objects for good, in one roll. Ids that were erased before are passed over; one that never
    /// existed is [`Error::UnknownObject`] and nothing is erased. `reason` and `now_ms` (since 1970) go into the
    /// tombstones.
    ///
    /// While the key of an older epoch lies in the anchor it is wiped first, even if nothing is left to erase.
    ///
    /// # Errors
    /// [`Error::OldKeyRemains`]: that could not be done, and nothing else was. [`Error::Unfinished`]: erased for everybody
    /// who uses this program, but the old key is still in the anchor. [`Error::Unsettled`]: neither erased nor not; lock
    /// and unlock. Anything else: nothing was erased.
    pub fn erase(
        &mut self,
        ids: &[ObjectId],
        reason: u16,
        now_ms: u64,
        random: &mut dyn Random,
    ) -> Result<Erasure, Error> {
        let unknown = |id: &&ObjectId| self.index.get(**id).is_none() && self.tombstone(**id).is_none();
        if let Some(id) = ids.iter().find(unknown) {
            return Err(Error::UnknownObject(*id));
        }
        self.make_way()?;
        let doomed: BTreeSet<ObjectId> =
            ids.iter().copied().filter(|id| self.index.get(*id).is_some()).collect();
        let entries: Vec<_> = self.list().filter(|entry| doomed.contains(&entry.id)).cloned().collect();
        let mut cleanup_pending = false;
        if !doomed.is_empty() {
            let epoch = self.header.epoch + 1;
            let tombstone = |id: &ObjectId| Tombstone { id: *id, erased_ms: now_ms, reason, epoch };
            let tombstones: Vec<_> = doomed.iter().map(tombstone).collect();
            let slots = self.open_slots()?;
            cleanup_pending |= !self.roll(slots, self.index.names.clone(), &tombstones, random)?;
            cleanup_pending |= self.remove_dead(&entries).is_err();
        }
        Ok(Erasure { state: self.state(), grade: self.grade(), erased: doomed.len() as u64, cleanup_pending })
    }

    /// Removes files of erased objects that an interrupted erasure left, and renews mirror and reserve if they are not
    /// as they should be. Other files are never touched. Like a write, it drops a torn tail: compare the state with the
    /// audit log first. Returns how many files were removed.
    pub fn sweep(&mut self) -> Result<u64, Error> {
        // Where the folder is absent or not ours, nothing can be dead; the next sweep looks again.
        let removed = match self.outputs_folder() {
            Ok(outputs) => self.remove_all_dead(&outputs).map_err(Error::io("removing dead files"))?,
            Err(_) => 0,
        };
        // A disk too full to write anew what was read is reported already.
        if let Err(error) = self.repair()
            && !self.unproven
        {
            return Err(error);
        }
        if self.reserve_bytes < self.chain.end {
            self.fill_reserve();
        }
        Ok(removed)
    }

    /// Replaces a passphrase. `proof` is the old passphrase, whose slot gets the new one; or the recovery code of the person
    /// who is to get it, and where nobody has a name the first passphrase slot that opens objects does. The old one opens
    /// nothing afterwards, not even old copies of the vault file. [`Vault::will_ask_half`] says whether the new one opens alone.
    pub fn change_secret(
        &mut self,
        proof: &Secret,
        new: &Secret,
        kdf: KdfParams,
        random: &mut dyn Random,
    ) -> Result<Rolled, Error> {
        new.check_new()?;
        let (proven, _) = self.find_slot(proof)?;
        let target = self.slot_to_change(proven.info, proof)?;
        let half = self.half_for(proven.info.kind)?;
        self.check_unique(new, Some(target.id))?;
        let (vault_id, name) = (self.vault_id(), self.index.names.get(&target.id));
        // Whoever changes it is told that the old one opens nothing any more. With the machine secret that it went without it is another.
        let goes_alike = half.is_some() == (target.kind == SlotKind::PassphraseAndMachine);
        if goes_alike && self.is_set(target.id, (proof, new), half.as_ref())? {
            return Err(Error::WeakSecret("it is the one that is to be replaced"));
        }
        let new = (new, half.as_ref());
        let replacement = OpenSlot::new(vault_id, (target.id, target.role), name, new, kdf, random)?;
        self.roll_slots(target.id, Some(replacement), None, random)
    }

    /// Whether `new` is what opens this slot already. A passphrase that has proved it tells that by itself; where the recovery code has,
    /// `new` is derived.
    fn is_set(
        &self,
        id: SlotId,
        (proof, new): (&Secret, &Secret),
        half: Option<&Half>,
    ) -> Result<bool, Error> {
        if proof.kind != SlotKind::Recovery {
            return Ok(new.is_same(proof));
        }
        match self.header.slots.iter().find(|slot| slot.info.id == id) {
            Some(slot) => Ok(slot.secret(self.vault_id(), new, half)?.is_some()),
            None => Ok(false),
        }
    }

    /// The slot to which [`Vault::change_secret`] gives the new passphrase if `proof` opens `proven`.
    ///
    /// # Errors
    /// The recovery code is the proof, and no passphrase opens objects ([`Error::LastSlot`]), nobody has the name
    /// ([`Error::UnknownName`]), or none of several is named ([`Error::NameNeeded`]).
    pub fn slot_to_change(&self, proven: SlotInfo, proof: &Secret) -> Result<SlotInfo, Error> {
        let is_persons = |info: &SlotInfo| info.kind.is_persons();
        let opens = |info: &SlotInfo| is_persons(info) && info.role.opens_objects();
        match (proven.kind, &proof.person) {
            (SlotKind::Passphrase | SlotKind::PassphraseAndMachine, _) => Ok(proven),
            (SlotKind::Recovery, Some(name)) if self.has_names() => self.slot_of(name),
            (SlotKind::Recovery, _)
                if self.has_names() && self.slot_infos().filter(is_persons).count() > 1 =>
            {
                Err(Error::NameNeeded)
            }
            (SlotKind::Recovery, _) => self.slot_infos().find(opens).ok_or(Error::LastSlot),
            // What a machine keeps proves nothing of a person, and nobody types what two open together.
            (SlotKind::Machine | SlotKind::Joint, _) => Err(Error::WrongSecret),
        }
    }

    /// The slot to which [`Vault::replace_recovery`] gives the new code: that of the old one, or a free one if there is none.
    ///
    /// # Errors
    /// [`Error::SlotsFull`] or [`Error::SlotNumbersSpent`].
    pub fn recovery_slot(&self) -> Result<SlotId, Error> {
        let old = self.slot_infos().find(|info| info.kind == SlotKind::Recovery);
        old.map_or_else(|| self.free_slot(), |info| Ok(info.id))
    }

    /// Draws a new recovery code; the old one opens nothing afterwards.
    pub fn replace_recovery(
        &mut self,
        kdf: KdfParams,
        random: &mut dyn Random,
    ) -> Result<(Rolled, RecoveryCode), Error> {
        let id = self.recovery_slot()?;
        let code = RecoveryCode::new(random)?;
        let slot =
            OpenSlot::new(self.vault_id(), (id, Role::Admin), None, (&code.secret(), None), kdf, random)?;
        Ok((self.roll_slots(id, Some(slot), None, random)?, code))
    }

    /// Adds a passphrase, of the person that it says it is of. An auditor's wraps no master key. The slot's number is one that
    /// no slot ever had.
    ///
    /// # Errors
    /// [`Error::NameNeeded`], [`Error::NameOfAnother`]: the first one where everybody has a name, and [`Error::Limit`] where
    /// nobody has; [`Error::SlotsFull`]; [`Error::SlotNumbersSpent`]; a weak passphrase; those of every roll.
    pub fn add_slot(
        &mut self,
        role: Role,
        secret: &Secret,
        kdf: KdfParams,
        random: &mut dyn Random,
    ) -> Result<Rolled, Error> {
        secret.check_new()?;
        let name = secret.person.as_ref();
        match name {
            Some(name) if self.has_names() => self.check_name(name)?,
            None if self.has_names() => return Err(Error::NameNeeded),
            Some(_) => {
                return Err(Error::Limit("nobody in this vault has a name yet; the first one comes first"));
            }
            None => {}
        }
        let id = self.free_slot()?;
        self.check_unique(secret, None)?;
        let half = self.half_for(SlotKind::Passphrase)?;
        let slot = OpenSlot::new(self.vault_id(), (id, role), name, (secret, half.as_ref()), kdf, random)?;
        self.roll_slots(id, Some(slot), name, random)
    }

    /// Removes a slot: its secret opens neither this vault file nor an older copy. The last passphrase that opens objects
    /// stays. Somebody who had the vault open may have read the other slots' secrets; those need new passphrases too.
    pub fn remove_slot(&mut self, id: SlotId, random: &mut dyn Random) -> Result<Rolled, Error> {
        self.slot_infos().find(|info| info.id == id).ok_or(Error::UnknownSlot(id))?;
        let opens = |info: &SlotInfo| info.kind.is_persons() && info.role.opens_objects();
        if !self.slot_infos().any(|info| info.id != id && opens(&info)) {
            return Err(Error::LastSlot);
        }
        self.check_not_second_last(id)?;
        self.roll_slots(id, None, None, random)
    }

    /// What overwriting the anchor is worth now.
    pub fn grade(&self) -> Grade {
        self.anchor().grade()
    }

    /// What anybody can read of its slots.
    pub fn slot_infos(&self) -> impl Iterator<Item = SlotInfo> {
        self.header.slots.iter().map(|slot| slot.info)
    }

    /// The number of the next slot.
    ///
    /// # Errors
    /// [`Error::SlotsFull`]; [`Error::SlotNumbersSpent`].
    pub fn free_slot(&self) -> Result<SlotId, Error> {
        match self.highest_slot() {
            _ if self.header.slots.len() >= SLOTS_MAX => Err(Error::SlotsFull),
            // Without a mark of its own nobody behind it could be told from others.
            SLOT_NUMBER_MAX.. => Err(Error::SlotNumbersSpent),
            highest => Ok(SlotId(highest + 1)),
        }
    }

    /// Signing in is opening one's slot: without names two people with one passphrase would be one.
    fn check_unique(&self, secret: &Secret, but: Option<SlotId>) -> Result<(), Error> {
        if self.has_names() {
            return Ok(());
        }
        match self.find_slot(secret) {
            Err(Error::WrongSecret | Error::HalfNeeded) => Ok(()),
            Ok((slot, _)) if Some(slot.info.id) == but => Ok(()),
            Ok(_) => Err(Error::WeakSecret("it cannot be told apart from another one in this vault")),
            Err(other) => Err(other),
        }
    }

    /// The slot that a typed secret opens.
    pub(crate) fn find_slot(&self, typed: &Secret) -> Result<(&RawSlot, Key), Error> {
        let ids = (self.vault_id(), self.header.format);
        slot::find(&self.header.slots, ids, typed, self.home.half.as_ref())
    }

    /// A roll with another slot of this number, or without one; `name`: its person gets it.
    pub(crate) fn roll_slots(
        &mut self,
        id: SlotId,
        replacement: Option<OpenSlot>,
        name: Option<&PersonName>,
        random: &mut dyn Random,
    ) -> Result<Rolled, Error> {
        let mut slots = self.open_slots()?;
        let place = slots.iter().position(|slot| slot.raw.info.id == id).unwrap_or(slots.len());
        let after = place.saturating_add(1).min(slots.len());
        slots.splice(place..after, replacement);
        let mut names = self.index.names.clone();
        names.extend(name.map(|name| (id, name.clone())));
        self.roll(slots, names, &[], random)?;
        Ok(Rolled { state: self.state(), grade: self.grade(), slot: id })
    }

    /// All slots with their secrets, read from the log.
    pub(crate) fn open_slots(&self) -> Result<Vec<OpenSlot>, Error> {
        let mut secrets = BTreeMap::new();
        for page in self.index.slots.values().copied().collect::<BTreeSet<_>>() {
            for item in self.items(page)? {
                if let Item::Slot { id, secret } = item {
                    secrets.insert(id, secret);
                }
            }
        }
        let open = |raw: &RawSlot| {
            let secret = secrets.get(&raw.info.id).cloned().ok_or(Error::LogDamaged { record: 0 })?;
            Ok(OpenSlot { raw: raw.clone(), secret })
        };
        self.header.slots.iter().map(open).collect()
    }

    /// Rolls. The objects of `dead` are left out, pending marks are in, and who has a name has one of `names`. `false`: done, but
    /// something of step 5 is missing.
    pub(crate) fn roll(
        &mut self,
        slots: Vec<OpenSlot>,
        names: BTreeMap<SlotId, PersonName>,
        dead: &[Tombstone],
        random: &mut dyn Random,
    ) -> Result<bool, Error> {
        self.make_way()?; // also refuses if poisoned
        self.heal_for_roll()?;
        let built = self.rebuild(slots, names, dead, random)?;
        let old = self.header.epoch;
        self.prepare_new(&built.file).map_err(Error::io("writing the new vault file"))?; // 1
        if let Err(error) = self.anchor().put(old + 1, &built.epoch_key) {
            let _ = self.home.drop_new();
            let settled = self.anchor().settle(old, random);
            self.remaining_key = settled.err().map(|_| RemainingKey::Unused { epoch: old + 1 });
            return Err(Error::io("writing the anchor")(error));
        } // 2
        if let Err(error) = self.home.state.publish(NEW, MAIN, Replace::Yes) {
            self.poisoned = true; // 3 may or may not have happened
            return Err(Error::Unsettled(error));
        }
        let Log { header, key, chain, index, .. } = built.log;
        (self.header, self.key, self.chain, self.index, self.name) = (header, key, chain, index, MAIN);
        self.pending.clear();
        (self.unproven, self.remaining_key) = (false, None);
        self.open_files(false);
        if let Err(error) = self.anchor().wipe(old, random) {
            self.remaining_key = Some(RemainingKey::Ended { epoch: old }); // 4 may or may not have happened
            return Err(Error::Unfinished(error));
        }
        self.renew_mirror(&built.file); // 5
        self.fill_reserve();
        let torn = self.home.state.remove(TORN);
        Ok(self.mirror.is_some() && torn.is_ok())
    }

    /// The next epoch's file, read back with its new keys before anything is replaced.
    fn rebuild(
        &self,
        slots: Vec<OpenSlot>,
        names: BTreeMap<SlotId, PersonName>,
        dead: &[Tombstone],
        random: &mut dyn Random,
    ) -> Result<Built, Error> {
        let items = (0..self.chain.pages.len()).flat_map(|page| match self.items(page) {
            Ok(items) => items.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        });
        let mut marks = self.index.marks.clone();
        marks.extend(self.pending.clone());
        let old = Old {
            vault_id: self.vault_id(),
            index: &self.index,
            items,
            slots,
            highest_slot: self.highest_slot(),
            marks,
            names,
        };
        old.rebuilt(self.header.epoch + 1, dead, random)
    }

    /// Unlinks every file that a header of an erased object names.
    fn remove_all_dead(&self, outputs: &Folder) -> io::Result<u64> {
        let mut removed = 0;
        for name in outputs.names()?.iter().filter(|name| name.ends_with(object::SUFFIX)) {
            let owner = object::owner(outputs, name, self.vault_id());
            if owner.is_some_and(|id| self.tombstone(id).is_some()) {
                outputs.remove(name)?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Unlinks the files of erased objects, but no other that lies under one of their names. All are tried.
    fn remove_dead(&self, entries: &[ObjectInfo]) -> Result<(), Error> {
        let outputs = self.outputs_folder()?;
        let mut result = Ok(());
        for entry in entries {
            let name = object::file_name(entry);
            let removed = match object::owner(&outputs, &name, self.vault_id()) {
                Some(owner) if owner != entry.id => Err(io::ErrorKind::AlreadyExists.into()),
                None if outputs.has(&name).unwrap_or(true) => Err(io::ErrorKind::AlreadyExists.into()),
                _ => outputs.remove(&name),
            };
            result = result.and(removed);
        }
        result.and(outputs.sync()).map_err(Error::io("removing dead files"))
    }
}
