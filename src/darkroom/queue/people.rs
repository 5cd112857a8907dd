//! Who comes and goes while requests wait.

use super::table::Cancel;
use super::{Queue, fail_all};
use crate::outside::CopyState;
use crate::room::Darkroom;
use crate::unlock::with_secret;
use crate::{Act, Confirmed, Error, MachineUse, Pictures, Removed, Role, Scopes, Token, Who};
use audit::words::GenerateFailure;
use std::sync::atomic::Ordering;
use vault::{PersonName, Secret};
use zeroize::Zeroizing;

impl Queue {
    /// How the copy of the newest checkpoint is. It waits for nobody.
    pub fn copy_state(&self) -> &CopyState {
        &self.shared.copy
    }

    /// Whether the vault is open, and the machine secret opened it at the start. It waits for nobody.
    pub fn is_unattended(&self) -> bool {
        let unattended = self.shared.unattended;
        unattended > 0 && self.shared.opening.load(Ordering::Relaxed) == unattended
    }

    /// Ends the requests of `who`, who leaves while others stay.
    ///
    /// # Errors
    /// What vault and log say. [`Error::Locked`] if the vault was locked.
    pub fn leave(&self, who: &Who) -> Result<(), Error> {
        let left = self.with(|darkroom| {
            darkroom.vault_of(who, Act::Leave)?;
            self.end_requests(darkroom, who.slot, who)?;
            darkroom.record_closed(who)
        });
        (self.shared.notify)();
        left
    }

    /// One of several sessions of `who` has ended: their requests go on.
    ///
    /// # Errors
    /// As [`Queue::leave`].
    pub fn sign_out(&self, who: &Who) -> Result<(), Error> {
        self.with(|darkroom| darkroom.record_closed(who))
    }

    /// Removes somebody, as [`Darkroom::remove_person`], and ends their requests. While the keys of `proof` are derived, others
    /// have the darkroom.
    ///
    /// # Errors
    /// As there.
    pub fn remove_person(
        &self,
        who: &Who,
        proof: &Secret,
        name: &PersonName,
        pictures: Option<&Pictures>,
    ) -> Result<Removed, Error> {
        self.with(|darkroom| darkroom.vault_of(who, Act::ManagePeople).map(drop))?;
        let removed = with_secret(&mut &*self, proof, |darkroom| {
            let removed = darkroom.remove_person(who, proof, name, pictures);
            let ended = self.end_requests_of_nobody(darkroom, who);
            removed.and_then(|removed| ended.map(|()| removed))
        });
        self.shared.table().pictures_changed(None);
        (self.shared.notify)();
        removed
    }

    /// Adds somebody, as [`Darkroom::add_person`], after giving who asks a name if they have none. While the keys of `proof`
    /// are derived, others have the darkroom.
    ///
    /// # Errors
    /// As [`Darkroom::add_person_named`].
    pub fn add_person(
        &self,
        who: &Who,
        proof: &Secret,
        own_name: Option<&PersonName>,
        secret: &Secret,
        role: Role,
    ) -> Result<u16, Error> {
        self.with(|darkroom| darkroom.vault_of(who, Act::ManagePeople).map(drop))?;
        with_secret(&mut &*self, proof, |darkroom| {
            darkroom.add_person_named(who, proof, own_name, secret, role)
        })
    }

    /// Gives somebody another role, as [`Darkroom::set_role`], and ends their requests. While the keys of `proof` are derived,
    /// others have the darkroom.
    ///
    /// # Errors
    /// As there.
    pub fn set_role(&self, who: &Who, proof: &Secret, name: &PersonName, role: Role) -> Result<u16, Error> {
        self.with(|darkroom| darkroom.vault_of(who, Act::ManagePeople).map(drop))?;
        let changed = with_secret(&mut &*self, proof, |darkroom| {
            let slot = darkroom.set_role(who, proof, name, role)?;
            self.end_requests(darkroom, slot, who).map(|()| slot)
        });
        (self.shared.notify)();
        changed
    }

    /// As [`Darkroom::count_waiting`]; `None` while an act goes on: whoever asks again and again waits for nobody.
    pub fn count_waiting(&self, who: &Who) -> Option<usize> {
        let held = self.shared.darkroom.try_lock().ok()?;
        held.as_ref()?.count_waiting(who).ok()
    }

    /// Confirms what another admin asked for, as [`Darkroom::confirm`], and ends the requests of who is not what they were any more.
    /// The end of the vault is none of a running program's acts.
    ///
    /// # Errors
    /// As there.
    pub fn confirm(&self, who: &Who, proof: &Secret, number: u64) -> Result<Confirmed, Error> {
        self.check_confirm(who, number)?;
        let done = with_secret(&mut &*self, proof, |darkroom| {
            let done = darkroom.confirm(who, proof, number);
            let ended = match done {
                Ok(Confirmed::RoleChanged(slot)) => self.end_requests(darkroom, slot, who),
                _ => self.end_requests_of_nobody(darkroom, who),
            };
            done.and_then(|done| ended.map(|()| done))
        });
        self.shared.table().pictures_changed(None);
        (self.shared.notify)();
        done
    }

    /// Refuses what cannot be confirmed while this program runs, before anybody is asked whether it is meant.
    ///
    /// # Errors
    /// [`Error::NotPermitted`], on record; [`Error::Locked`]; it is the end of the vault.
    pub fn check_confirm(&self, who: &Who, number: u64) -> Result<(), Error> {
        self.with(|darkroom| darkroom.check_confirmed_running(who, number))
    }

    /// Sets a new passphrase, as [`Darkroom::change_secret`]. While the keys of `proof` are derived, others have the darkroom.
    ///
    /// # Errors
    /// As there.
    pub fn change_secret(&self, who: &Who, proof: &Secret, new: &Secret) -> Result<(), Error> {
        with_secret(&mut &*self, proof, |darkroom| darkroom.change_secret(who, proof, new))
    }

    /// Adds the machine secret, as [`Darkroom::add_machine_secret`]. While the keys of `proof` are derived, others have the darkroom.
    ///
    /// # Errors
    /// As there.
    pub fn add_machine_secret(
        &self,
        who: &Who,
        proof: &Secret,
        secret: (&Secret, MachineUse),
    ) -> Result<u16, Error> {
        self.with(|darkroom| darkroom.vault_of(who, Act::MachineSecret).map(drop))?;
        with_secret(&mut &*self, proof, |darkroom| darkroom.add_machine_secret(who, proof, secret))
    }

    /// Removes it, as [`Darkroom::remove_machine_secret`], in the same way.
    ///
    /// # Errors
    /// As there.
    pub fn remove_machine_secret(&self, who: &Who, proof: &Secret) -> Result<u16, Error> {
        self.with(|darkroom| darkroom.vault_of(who, Act::MachineSecret).map(drop))?;
        with_secret(&mut &*self, proof, |darkroom| darkroom.remove_machine_secret(who, proof))
    }

    /// Makes a token, as [`Darkroom::make_token`], for somebody who proves once more who they are. While the keys of `proof` are
    /// derived, others have the darkroom.
    ///
    /// # Errors
    /// A wrong proof, on record; as there.
    pub fn make_token(
        &self,
        who: &Who,
        proof: &Secret,
        (scopes, days): (Scopes, u32),
        name: Option<&PersonName>,
    ) -> Result<(Token, Zeroizing<String>), Error> {
        self.with(|darkroom| darkroom.vault_of(who, Act::OwnTokens).map(drop))?;
        with_secret(&mut &*self, proof, |darkroom| {
            darkroom.prove(who, proof, Act::OwnTokens)?;
            darkroom.make_token(who, scopes, days, name.cloned())
        })
    }

    /// Who has no slot has no requests, whatever else became of what was asked for.
    fn end_requests_of_nobody(&self, darkroom: &mut Darkroom, by: &Who) -> Result<(), Error> {
        let gone: Vec<u16> = self.shared.table().slots().filter(|slot| !darkroom.has_slot(*slot)).collect();
        let ended = gone.into_iter().map(|slot| self.end_requests(darkroom, slot, by));
        ended.fold(Ok(()), Result::and)
    }

    fn end_requests(&self, darkroom: &mut Darkroom, slot: u16, by: &Who) -> Result<(), Error> {
        let cancel = Cancel { reason: GenerateFailure::Cancelled, by: Some(by.actor) };
        let waited = self.shared.cancel_all(Some(slot), cancel);
        fail_all(darkroom, &waited, cancel)
    }
}
