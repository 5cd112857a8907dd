//! People who open the vault together: any two of those who hold it, and nobody alone.
//!
//! Their passphrases stay what they are, and so do their slots, which lead to the view key from then on: that one proves who somebody
//! is, and opens nothing. Each two of them have a joint slot, whose secret follows from theirs, and it leads to the master key.

use std::collections::BTreeSet;

use crate::format::{Role, SLOTS_MAX, SlotId, SlotInfo, SlotKind};
use crate::log::Public;
use crate::slot::OpenSlot;
use crate::{Error, KdfParams, Random, RecoveryCode, Rolled, Secret, Vault};

impl Public {
    /// As [`Vault::holders`]; not authenticated where the vault is locked.
    pub fn holders(&self) -> BTreeSet<SlotId> {
        holders(self.slots.iter().copied())
    }
}

fn holders(slots: impl Iterator<Item = SlotInfo>) -> BTreeSet<SlotId> {
    slots.filter(|slot| slot.kind == SlotKind::Joint).flat_map(|slot| slot.id.parts()).collect()
}

impl Vault {
    /// The slots of those of whom any two open the vault together; empty where each passphrase opens it alone.
    pub fn holders(&self) -> BTreeSet<SlotId> {
        holders(self.slot_infos())
    }

    /// From here on any two of those whose passphrases these are open the vault together, and nobody alone; with none of them each
    /// passphrase opens it alone again. The recovery code is another one then, and [`Rolled::slot`] is its slot: it opens the vault alone,
    /// as before. With none of them that is `by`, who asks. Whatever a passphrase opened alone until now, a backup say, tells the slot secrets of everybody, so that those of the
    /// holders and of the recovery code are drawn anew. That takes what is typed.
    ///
    /// # Errors
    /// [`Error::JointLast`]: one alone; [`Error::WrongSecret`]; [`Error::WeakSecret`]: two of them are the same; [`Error::Limit`]: one of
    /// them has no name, opens no pictures or is there twice, or they are too many; [`Error::MachineSecretThere`]: it would open the vault alone; [`Error::NotJoint`]; those of every roll.
    pub fn set_holders(
        &mut self,
        by: SlotId,
        holders: &[&Secret],
        kdf: KdfParams,
        random: &mut dyn Random,
    ) -> Result<(Rolled, Option<RecoveryCode>), Error> {
        if holders.is_empty() && !self.header.is_joint() {
            return Err(Error::NotJoint);
        }
        if holders.len() == 1 {
            return Err(Error::JointLast);
        }
        let mut slots = self.open_slots()?;
        slots.retain(|slot| slot.raw.info.kind != SlotKind::Joint);
        let (mut code, mut slot) = (None, by);
        if !holders.is_empty() {
            if let Some(machine) = self.machine_slot() {
                return Err(Error::MachineSecretThere(machine.id));
            }
            if !self.has_names() {
                return Err(Error::Limit("nobody in this vault has a name yet; the first one comes first"));
            }
            let drawn = RecoveryCode::new(random)?;
            let (vault_id, id) = (self.vault_id(), self.recovery_slot()?);
            let of_code =
                OpenSlot::new(vault_id, (id, Role::Admin), None, (&drawn.secret(), None), kdf, random)?;
            slots.retain(|slot| slot.raw.info.id != id);
            slots.push(of_code);
            let held = self.drawn_anew(holders, kdf, random)?;
            for (place, one) in held.iter().enumerate() {
                for other in &held[place + 1..] {
                    slots.push(OpenSlot::joint(vault_id, (one, other), random)?);
                }
            }
            slots.retain(|slot| held.iter().all(|held| held.raw.info.id != slot.raw.info.id));
            slots.extend(held);
            (code, slot) = (Some(drawn), id);
        }
        if slots.len() > SLOTS_MAX {
            let full = "each two people who hold the vault take one of its 16 key slots, and these are too many; name fewer";
            return Err(Error::Limit(full));
        }
        slots.sort_by_key(|slot| slot.raw.info.id);
        self.roll(slots, self.index.names.clone(), &[], random)?;
        Ok((Rolled { state: self.state(), grade: self.grade(), slot }, code))
    }

    /// The slots of these people with other slot secrets; their passphrases, and whether the machine secret goes with them, stay.
    fn drawn_anew(
        &self,
        holders: &[&Secret],
        kdf: KdfParams,
        random: &mut dyn Random,
    ) -> Result<Vec<OpenSlot>, Error> {
        let mut drawn: Vec<OpenSlot> = Vec::with_capacity(holders.len());
        for typed in holders {
            let SlotInfo { id, kind, role } = self.find_slot(typed)?.0.info;
            if !kind.is_persons() || !role.opens_objects() {
                return Err(Error::Limit(
                    "who holds the vault has a passphrase that pictures are opened with",
                ));
            }
            if drawn.iter().any(|slot| slot.raw.info.id == id) {
                return Err(Error::Limit("one of them is named twice; name each once"));
            }
            if holders[..drawn.len()].iter().any(|other| other.is_same(typed)) {
                return Err(Error::WeakSecret(
                    "two of those who are to hold the vault have the same one, which would open it alone",
                ));
            }
            let half = self.home.half.as_ref().filter(|_| kind == SlotKind::PassphraseAndMachine);
            let name = self.index.names.get(&id);
            drawn.push(OpenSlot::new(self.vault_id(), (id, role), name, (typed, half), kdf, random)?);
        }
        Ok(drawn)
    }

    /// That two would be left who open the vault together, if this slot went.
    ///
    /// # Errors
    /// [`Error::JointLast`].
    pub fn check_not_second_last(&self, id: SlotId) -> Result<(), Error> {
        let holders = self.holders();
        match holders.contains(&id) && holders.len() < 3 {
            true => Err(Error::JointLast),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crash::Place;
    use crate::{OsRandom, PersonName};

    fn of(name: &str) -> Secret {
        let secret = Secret::passphrase(&format!("the words of {name}")).expect("text");
        secret.of(Some(PersonName::new(name).expect("a name")))
    }

    /// What a passphrase opened alone has the slot secrets of everybody, for ever: a backup, say. With those of before nobody opens what
    /// two open together now, neither by a pair nor by the slot of the recovery code.
    #[test]
    fn no_slot_secret_of_before_leads_to_the_key() {
        let (place, kdf) = (Place::empty(), KdfParams::FLOOR);
        let first = Secret::passphrase("the words of first").expect("text");
        let (mut vault, _) =
            Vault::create(place.paths(), &first, Role::Admin, kdf, &mut OsRandom).expect("made");
        let name = PersonName::new("first").expect("a name");
        vault.name_slot(&first, &name, Role::Admin, kdf, &mut OsRandom).expect("named");
        for name in ["second", "third"] {
            vault.add_slot(Role::Operator, &of(name), kdf, &mut OsRandom).expect("added");
        }
        let leads = |vault: &Vault, known: &[OpenSlot]| {
            let by = (vault.vault_id(), true);
            let mut ways = 0;
            for raw in vault.header.slots.iter().filter(|raw| raw.info.has_master(true)) {
                ways += known.iter().filter(|slot| raw.key(by, &slot.secret).is_ok()).count();
                for low in known {
                    let pair = |high: &&OpenSlot| raw.joint_secret(by.0, [&low.secret, &high.secret]).is_ok();
                    ways += known.iter().filter(pair).count();
                }
            }
            ways
        };
        let before = vault.open_slots().expect("open");
        for (holders, joint) in [(&["first", "second"][..], 1), (&["third", "second", "first"], 3)] {
            let typed: Vec<Secret> = holders.iter().map(|name| of(name)).collect();
            let typed: Vec<&Secret> = typed.iter().collect();
            vault.set_holders(SlotId(1), &typed, kdf, &mut OsRandom).expect("set");
            assert_eq!(leads(&vault, &before), 0, "{holders:?}");
            let now = vault.open_slots().expect("open");
            // The code's own, each joint slot's own, and each by the two that it is of.
            assert_eq!(leads(&vault, &now), 1 + 2 * joint, "{holders:?}");
        }
        vault.rotate(&mut OsRandom).expect("rolled");
        assert_eq!(leads(&vault, &before), 0);
    }
}
