//! The machine secret that a server is started with: where nobody types anything.

use super::Booted;
use super::passphrase::{warn, warn_of_readers};
use crate::exit::{Code, Failure};
use crate::input::SecretBytes;
use crate::output::Output;
use darkroom::Darkroom;
use std::path::{Path, PathBuf};
use vault::Secret;
use zeroize::Zeroizing;

/// Name of the credential of a service manager that holds one.
pub const CREDENTIAL: &str = "unlock";

/// The file with the machine secret: the one that was named, or the one that a service manager has put beside the program.
pub fn file(named: Option<&Path>) -> Option<PathBuf> {
    let handed = || {
        let folder = std::env::var_os("CREDENTIALS_DIRECTORY").filter(|folder| !folder.is_empty())?;
        Some(Path::new(&folder).join(CREDENTIAL)).filter(|file| file.exists())
    };
    named.map(Path::to_path_buf).or_else(handed)
}

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
    /// Opens the vault with the machine secret, if there are both. Nobody is signed in.
    ///
    /// # Errors
    /// It opens nothing; what vault and log say.
    pub fn unlock_unattended(&mut self, darkroom: &mut Darkroom, out: &Output) -> Result<(), Failure> {
        let Some(file) = self.machine_secret.take().filter(|_| darkroom.has_vault()) else { return Ok(()) };
        let path = file.path.clone();
        match darkroom.unlock_unattended(&secret(file, out)?) {
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
