//! Acts that take a proof: in the darkroom of this process, or for somebody who came in to a running server.

use crate::exit::{Code, Failure};
use crate::input::SecretLine;
use crate::terminal::Terminal;
use darkroom::{
    Confirmed, Darkroom, Error, Hold, MachineUse, PersonName, Pictures, Removed, Role, Secret, Who,
};
use server::{Outside, Visit};
use std::path::Path;

/// Where they are done, and with what somebody proves who they are.
pub enum Proven<'a> {
    /// Here.
    Alone(&'a mut Darkroom, &'a Secret),
    /// In a server, which counts its guesses and ends what somebody is signed in for who is not what they were any more.
    Through(&'a Visit, &'a Secret),
}

impl Proven<'_> {
    /// As [`Darkroom::add_person_named`].
    ///
    /// # Errors
    /// As there.
    pub fn add_person(
        &mut self,
        who: &Who,
        own_name: Option<&PersonName>,
        secret: &Secret,
        role: Role,
    ) -> Result<u16, Failure> {
        match self {
            Self::Alone(darkroom, proof) => {
                Ok(darkroom.add_person_named(who, proof, own_name, secret, role)?)
            }
            Self::Through(visit, proof) => {
                visit.add_person(proof, own_name, secret, role).map_err(refused_outside)
            }
        }
    }

    /// As [`Darkroom::remove_person`].
    ///
    /// # Errors
    /// As there.
    pub fn remove_person(
        &mut self,
        who: &Who,
        name: &PersonName,
        pictures: Option<&Pictures>,
    ) -> Result<Removed, Failure> {
        match self {
            Self::Alone(darkroom, proof) => Ok(darkroom.remove_person(who, proof, name, pictures)?),
            Self::Through(visit, proof) => {
                visit.remove_person(proof, name, pictures).map_err(refused_outside)
            }
        }
    }

    /// As [`Darkroom::set_role`].
    ///
    /// # Errors
    /// As there.
    pub fn set_role(&mut self, who: &Who, name: &PersonName, role: Role) -> Result<u16, Failure> {
        match self {
            Self::Alone(darkroom, proof) => Ok(darkroom.set_role(who, proof, name, role)?),
            Self::Through(visit, proof) => visit.set_role(proof, name, role).map_err(refused_outside),
        }
    }

    /// Refuses what cannot be confirmed here, before anybody is asked whether it is meant.
    ///
    /// # Errors
    /// As [`darkroom::Queue::check_confirm`].
    pub fn check_confirm(&mut self, who: &Who, number: u64) -> Result<(), Failure> {
        match self {
            Self::Alone(..) => Ok(()),
            Self::Through(visit, _) => Ok(visit.queue().check_confirm(who, number)?),
        }
    }

    /// As [`Darkroom::confirm`].
    ///
    /// # Errors
    /// As there.
    pub fn confirm(&mut self, who: &Who, number: u64) -> Result<Confirmed, Failure> {
        match self {
            Self::Alone(darkroom, proof) => Ok(darkroom.confirm(who, proof, number)?),
            Self::Through(visit, proof) => visit.confirm(proof, number).map_err(refused_outside),
        }
    }

    /// As [`Darkroom::add_machine_secret`].
    ///
    /// # Errors
    /// As there.
    pub fn add_machine_secret(&mut self, who: &Who, secret: (&Secret, MachineUse)) -> Result<u16, Failure> {
        match self {
            Self::Alone(darkroom, proof) => Ok(darkroom.add_machine_secret(who, proof, secret)?),
            Self::Through(visit, proof) => visit.add_machine_secret(proof, secret).map_err(refused_outside),
        }
    }

    /// As [`Darkroom::remove_machine_secret`].
    ///
    /// # Errors
    /// As there.
    pub fn remove_machine_secret(&mut self, who: &Who) -> Result<u16, Failure> {
        match self {
            Self::Alone(darkroom, proof) => Ok(darkroom.remove_machine_secret(who, proof)?),
            Self::Through(visit, proof) => visit.remove_machine_secret(proof).map_err(refused_outside),
        }
    }

    /// As [`Darkroom::change_secret`].
    ///
    /// # Errors
    /// As there.
    pub fn change_secret(&mut self, who: &Who, new: &Secret) -> Result<(), Failure> {
        match self {
            Self::Alone(darkroom, proof) => Ok(darkroom.change_secret(who, proof, new)?),
            Self::Through(visit, proof) => visit.change_secret(proof, new).map_err(refused_outside),
        }
    }
}

impl Hold for Proven<'_> {
    fn with<T>(&mut self, act: impl FnOnce(&mut Darkroom) -> Result<T, Error>) -> Result<T, Error> {
        match self {
            Self::Alone(darkroom, _) => act(darkroom),
            Self::Through(visit, _) => visit.queue().with(act),
        }
    }

    fn pictures_changed(&self, slot: Option<u16>) {
        if let Self::Through(visit, _) = self {
            (&**visit.queue()).pictures_changed(slot);
        }
    }
}

/// Whom a verb asks, and where things lie that it speaks of.
pub struct At<'a> {
    /// The terminal, of this process or at the other end of a connection.
    pub terminal: &'a mut Terminal,
    /// The passphrase that is to be set, where this process has it from a file.
    pub new: Option<&'a SecretLine>,
    /// Folder of the vault.
    pub vault: &'a Path,
    /// Where sealed pictures lie.
    pub outputs: &'a Path,
}

/// Why nobody came in to a running server, or why a proof was not looked at.
pub fn refused_outside(outside: Outside) -> Failure {
    match outside {
        Outside::Refused(error) => error.into(),
        Outside::Wait { seconds } => {
            Failure::new(Code::Locked, format!("too many wrong guesses; try again in {seconds} s"))
        }
        Outside::Crowded => Failure::new(Code::Busy, "too many others of this user sign in; try again"),
        Outside::NoRandomness(error) => Failure::new(Code::Unexpected, error),
    }
}
