//! Whether the outputs folder is there, and is this vault's.
//!
//! The folder carries a small file that names the vault. A folder that is absent (a disk that is not mounted), another
//! one (a forgotten `--outputs`) or a forbidden one says nothing about any object: absent is not deleted. So each question
//! opens the folder anew, looks for that file, and asks on by the same handle: what takes the folder's name meanwhile is
//! not touched, and a folder that comes back is used again.

use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use rustix::io::Errno;

use crate::Error;
use crate::disk::{Folder, create_private};
use crate::format::{FOLDER_BYTES, VaultId, folder_bytes};
use crate::object;
use crate::vault::Vault;

/// Under which the file is written.
const NEW: &str = ".lightproof.part";
/// What the name of the file begins with; the vault's id follows.
const MARK_PREFIX: &str = ".lightproof-";

impl Vault {
    /// Whether sealed files can be put, read and looked for now. A few system calls, each time it is asked.
    ///
    /// # Errors
    /// [`Error::OutputsAbsent`], [`Error::OutputsNotOurs`], [`Error::OutputsForbidden`], [`Error::OutputsUnreadable`].
    pub fn outputs(&self) -> Result<(), Error> {
        self.outputs_folder().map(drop)
    }

    /// Takes the outputs folder for this vault's as it is, and makes it if there is none: objects whose files are not in
    /// it are missing from here on. For somebody who says that the former folder is lost for good.
    pub fn adopt_outputs(&self) -> Result<(), Error> {
        create_private(&self.home.paths.outputs).map_err(|error| match self.home.paths.outputs.exists() {
            true => self.outputs_error(error),
            false => Error::OutputsAbsent(self.home.paths.outputs.clone()),
        })?;
        let folder = Folder::open(&self.home.paths.outputs).map_err(|error| self.outputs_error(error))?;
        mark(&folder, self.vault_id()).map_err(Error::io("marking the outputs folder as this vault's"))
    }

    /// The outputs folder, held open, if it is this vault's. One without the file is taken for it, and given one, if an
    /// object's file lies in it, or if there is no object to lose.
    pub(crate) fn outputs_folder(&self) -> Result<Folder, Error> {
        let folder = Folder::open(&self.home.paths.outputs).map_err(|error| self.outputs_error(error))?;
        if is_marked(&folder, self.vault_id()).map_err(|error| self.outputs_error(error))? {
            return Ok(folder);
        }
        let ours = |entry: &crate::ObjectInfo| {
            object::owner(&folder, &object::file_name(entry), self.vault_id()) == Some(entry.id)
        };
        if self.list().len() > 0 && !self.list().any(ours) {
            return Err(Error::OutputsNotOurs(self.home.paths.outputs.clone()));
        }
        let _ = mark(&folder, self.vault_id()); // on a full disk at the next question
        Ok(folder)
    }

    /// What an error of the outputs folder, or of a single name in it, means for the folder.
    pub(crate) fn outputs_error(&self, error: io::Error) -> Error {
        unusable(self.home.paths.outputs.clone(), error)
    }
}

/// Writes the vault's file into a folder, durably.
pub(crate) fn mark(folder: &Folder, vault_id: VaultId) -> io::Result<()> {
    folder.write(NEW, &mark_name(vault_id), &folder_bytes(vault_id))
}

/// Takes the vault's file out of a folder.
pub(crate) fn unmark(folder: &Folder, vault_id: VaultId) -> io::Result<()> {
    folder.remove(&mark_name(vault_id))
}

/// Whether a folder carries the file of another vault.
pub(crate) fn is_of_another(folder: &Folder, vault_id: VaultId) -> io::Result<bool> {
    let ours = mark_name(vault_id);
    Ok(folder.names()?.iter().any(|name| name.starts_with(MARK_PREFIX) && *name != ours))
}

/// Whether a folder carries the file of this vault.
pub(crate) fn is_marked(folder: &Folder, vault_id: VaultId) -> io::Result<bool> {
    let mut found = [0; FOLDER_BYTES];
    match folder.file(&mark_name(vault_id), false).and_then(|file| file.read_exact_at(&mut found, 0)) {
        Ok(()) => Ok(found == folder_bytes(vault_id)),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
        Err(_) => Ok(false),
    }
}

fn mark_name(vault_id: VaultId) -> String {
    format!("{MARK_PREFIX}{vault_id}")
}

pub(crate) fn unusable(path: PathBuf, source: io::Error) -> Error {
    match source.kind() {
        io::ErrorKind::NotFound => Error::OutputsAbsent(path),
        io::ErrorKind::PermissionDenied => Error::OutputsForbidden(path),
        // A link or a file in its place.
        io::ErrorKind::NotADirectory => Error::OutputsNotOurs(path),
        _ if Errno::from_io_error(&source) == Some(Errno::LOOP) => Error::OutputsNotOurs(path),
        _ => Error::OutputsUnreadable { path, source },
    }
}
