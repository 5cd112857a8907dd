//! The file of a backup: opened before the fences, which grant nothing around it.

use crate::exit::{Code, Failure};
use crate::paths::{absolute, make_new, open_empty, open_folder, open_regular};
use policy::Folders;
use rustix::fs::{FlockOperation, OFlags, flock};
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What becomes of it.
#[derive(Clone, Copy)]
pub enum BackupFile<'a> {
    /// It is made; `-` is standard output.
    Made(&'a Path),
    /// The same, for a running server that has the vault.
    Handed(&'a Path),
    /// It is no backup, but what whoever is asked for help may see.
    Shown(&'a Path),
    /// It is there, and is read.
    Read(&'a Path),
}

impl BackupFile<'_> {
    /// Opens it; `None` is standard output. One that is there and empty is what a try that failed has left.
    ///
    /// # Errors
    /// It is there already, lies among what it is a backup of, cannot be made, or is not there.
    pub fn open(self, folders: &Folders) -> Result<Option<Opened>, Failure> {
        match self {
            Self::Made(path) | Self::Handed(path) if path.as_os_str() == "-" => Ok(None),
            Self::Made(path) => {
                refuse_in_use(folders)?;
                make(path, folders).map(Some)
            }
            Self::Handed(path) | Self::Shown(path) => make(path, folders).map(Some),
            Self::Read(path) => {
                let failed =
                    |e| Failure::new(Code::NotFound, format!("{} cannot be read: {e}", path.display()));
                let file = open_regular(path, OFlags::empty()).map_err(failed)?;
                Ok(Some(Opened { file, folder: None }))
            }
        }
    }
}

/// The file of a backup.
pub struct Opened {
    /// It.
    pub file: File,
    /// The folder of a new one, to make its name durable.
    pub folder: Option<File>,
}

/// Where another program has the vault, nothing is made that would look like a backup.
fn refuse_in_use(folders: &Folders) -> Result<(), Failure> {
    let paths = vault::Paths { state: folders.vault.clone(), outputs: folders.outputs.clone() };
    match paths.holder().ok().flatten() {
        None => Ok(()),
        Some(holder) => {
            let what =
                format!("the vault is in use by {holder}; stop that program, and make the backup then");
            Err(Failure::new(Code::Busy, what))
        }
    }
}

fn make(path: &Path, folders: &Folders) -> Result<Opened, Failure> {
    let place = place_of(path)?;
    let own = [&folders.vault, &folders.audit, &folders.outputs].into_iter().chain(&folders.evidence);
    if let Some(own) = own.into_iter().find(|own| place.starts_with(own)) {
        let what = format!(
            "{} lies in {}, which is the program's own and which it is a backup of, or about; name a file elsewhere",
            path.display(),
            own.display()
        );
        return Err(Failure::new(Code::Refused, what));
    }
    match make_new(&place) {
        Ok(file) => {
            is_ours(&file); // nobody else has this name yet
            Ok(Opened { file, folder: place.parent().and_then(|folder| open_folder(folder).ok()) })
        }
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            if let Some(file) = open_empty(&place).filter(is_ours) {
                return Ok(Opened { file, folder: None });
            }
            let what = format!("{} is there already; choose another name", path.display());
            Err(Failure::new(Code::Refused, what))
        }
        Err(e) => {
            let code = if e.kind() == ErrorKind::StorageFull { Code::Space } else { Code::Refused };
            Err(Failure::new(code, format!("cannot make {}: {e}", path.display())))
        }
    }
}

/// Takes an empty file as long as this process is there, unless another one has it, or has written to it meanwhile: what a failed
/// try has left looks as what another verb has just made.
fn is_ours(file: &File) -> bool {
    let locked = flock(file, FlockOperation::NonBlockingLockExclusive).is_ok();
    locked && file.metadata().is_ok_and(|found| found.len() == 0)
}

/// Where the file is to lie, without links.
fn place_of(path: &Path) -> Result<PathBuf, Failure> {
    let path = absolute(path)?;
    match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) => match folder.canonicalize() {
            Ok(folder) => Ok(folder.join(name)),
            Err(e) => Err(Failure::new(Code::NotFound, format!("cannot make {}: {e}", path.display()))),
        },
        _ => Err(Failure::new(Code::Usage, format!("{} is no name of a file", path.display()))),
    }
}
