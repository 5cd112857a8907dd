//! The machine secret that a program is started with: where nobody types anything, or beside what somebody types.

use super::Booted;
use super::overlay::refused_unattended;
use super::passphrase::{warn, warn_of_readers};
use crate::exit::{Code, Failure};
use crate::input::SecretBytes;
use crate::output::Output;
use darkroom::{Darkroom, StartRefusal};
use policy::Unattended;
use vault::{Secret, SlotKind};
use zeroize::Zeroizing;

/// A machine secret of these bytes, or what is wrong with them and in which file.
///
/// # Errors
/// They are too few or too many, or no secret.
fn secret(file: SecretBytes, out: &Output) -> Result<Secret, Failure> {
    let bytes = checked(file, out)?;
    Secret::machine(bytes).map_err(|error| Failure::new(Code::Usage, error))
}

/// The bytes of a machine secret, or what is wrong with them and in which file.
///
/// # Errors
/// As there.
pub fn checked(file: SecretBytes, out: &Output) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let SecretBytes { path, others_may_read, bytes } = file;
    warn_of_readers(&path, others_may_read, out);
    let found = Secret::machine(bytes.clone());
    found.map(|_| bytes).map_err(|error| {
        let why = match error {
            vault::Error::WeakSecret(why) => {
                format!("this machine secret cannot be used: {why}; name another file")
            }
            error => error.to_string(),
        };
        Failure::new(Code::Usage, format!("{}: {why}", path.display()))
    })
}

impl Booted {
    /// The machine secret, for passphrases that go with it, if one was named or handed over.
    ///
    /// # Errors
    /// It can be none.
    pub fn half(&self, out: &Output) -> Result<Option<Secret>, Failure> {
        self.machine_secret.clone().map(|file| secret(file, out)).transpose()
    }

    /// Refuses, on record, a start that would open the vault with the machine secret although the policy does not let it.
    ///
    /// # Errors
    /// That one; what the log says.
    pub fn refuse_unattended(&self, darkroom: &Darkroom) -> Result<(), Failure> {
        let opens = || {
            darkroom.public().is_ok_and(|found| found.slots.iter().any(|slot| slot.kind == SlotKind::Machine))
        };
        let is_refused = self.plan.unattended == Unattended::Refuse;
        if is_refused && self.passphrase.is_none() && self.machine_secret.is_some() && opens() {
            darkroom.record_refusal(StartRefusal::Policy)?;
            return Err(refused_unattended());
        }
        Ok(())
    }

    /// Opens the vault with the machine secret, if there are both, or keeps it for passphrases that go with it. Nobody is signed in.
    ///
    /// # Errors
    /// It opens nothing; what vault and log say.
    pub fn unlock_unattended(&mut self, darkroom: &mut Darkroom, out: &Output) -> Result<(), Failure> {
        let asks_half = darkroom.halves().0 > 0;
        let Some(file) = self.machine_secret.take() else {
            if asks_half {
                out.warn(
                    "passphrases open this vault only together with its machine secret, and none was named: start it with \
                     --machine-secret-file, or only the recovery code opens it",
                );
            }
            return Ok(());
        };
        let (path, secret) = (file.path.clone(), secret(file, out)?);
        if asks_half || self.plan.unattended == Unattended::Refuse {
            darkroom.give_half(&secret);
            let path = path.display();
            match asks_half {
                // Only together with a right passphrase it can be tried.
                true => out.say(&format!(
                    "passphrases are tried together with the machine secret in {path}. Whether that is the vault's shows with the first: \
                     where a right one is refused, it is another one; name the right file, or only the recovery code opens the vault"
                )),
                false => out.warn(&format!(
                    "the machine secret in {path} does not open this vault, which has none; the vault waits for a passphrase. Start \
                     without it, or add it with: lightproof vault machine add"
                )),
            }
            return Ok(());
        }
        match darkroom.unlock_unattended(&secret) {
            Err(darkroom::Error::Vault(vault::Error::WrongSecret)) => {
                let what = format!(
                    "the machine secret in {} does not open this vault: it is another one, or was removed; name the right file, or \
                     start without it",
                    path.display()
                );
                Err(Failure::new(Code::Locked, what))
            }
            opened => {
                opened?;
                warn(darkroom, out);
                Ok(())
            }
        }
    }
}
