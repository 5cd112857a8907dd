//! Digests outside the vault that tell nothing to whoever lacks it.

use crate::metadata::salted;
use crate::room::Darkroom;
use crate::{Act, Error, Who};
use audit::Digest;

impl Darkroom {
    /// What may stand in a plain file for the bytes with this SHA-256: always the same one for the same person and bytes, and
    /// under the person's salt, so that nobody without the vault can try which bytes it is.
    ///
    /// # Errors
    /// [`Error::Locked`]; [`vault::Error::DiskFull`] if the salt could not be kept yet.
    pub fn keyed_digest(&self, who: &Who, sha256: &Digest) -> Result<Digest, Error> {
        let salt = who.salt(self.vault_of(who, Act::MakePictures)?).ok_or(vault::Error::DiskFull)?;
        Ok(salted(&salt, b"file/v1\0", &sha256.0))
    }
}
