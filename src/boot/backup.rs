//! The file of a backup: opened before the fences, which grant nothing around it.

use super::folders::{Home, not_foreign};
use super::same::lies_in;
use crate::exit::{Code, Failure};
use crate::paths::{absolute, make_new, open_empty, open_folder, open_regular, with_remedy};
use policy::Folders;
use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// What becomes of it.
#[derive(Clone, Copy)]
pub enum BackupFile<'a> {
    /// It is made; `-` is standard output.
    Made(&'a Path),
    /// The same, for a running server that has the vault.
    Handed(&'a Path),
    /// It is no backup, but a small file that is handed out: what whoever is asked for help may see, a checkpoint.
    Shown(&'a Path),
    /// Nor is it this, but a machine secret that is drawn.
    Secret(&'a Path),
    /// The same, for a running server that has the vault.
    HandedSecret(&'a Path),
    /// It is there, and is read.
    Read(&'a Path),
}

impl BackupFile<'_> {
    /// Opens it; `None` is standard output. One that is there and empty is what a try that failed has left. `home` has the
    /// folders that this verb may have no part in.
    ///
    /// # Errors
    /// It is there already, lies among what it is a backup of, cannot be made, is not there, or root would make it in another
    /// user's folder.
    pub fn open(self, folders: &Folders, home: &Home) -> Result<Option<Opened>, Failure> {
        let make = |path| make(path, folders, home).map(Some);
        match self {
            Self::Secret(path) | Self::HandedSecret(path) if path.as_os_str() == "-" => {
                let what =
                    "a machine secret that is drawn goes to a new file, and `-` names none; nothing was done";
                Err(Failure::new(Code::Usage, what))
            }
            Self::Made(path) | Self::Handed(path) | Self::Shown(path) if path.as_os_str() == "-" => Ok(None),
            Self::Made(path) | Self::Secret(path) => {
                refuse_in_use(folders)?;
                make(path)
            }
            Self::Handed(path) | Self::HandedSecret(path) | Self::Shown(path) => make(path),
            Self::Read(path) => Ok(Some(Opened { file: open(path)?, folder: None })),
        }
    }
}

/// A file that is there, to be read.
///
/// # Errors
/// It cannot be, or is a pipe.
pub fn open(path: &Path) -> Result<File, Failure> {
    let failed =
        |e| Failure::new(Code::NotFound, format!("{} cannot be read: {}", path.display(), with_remedy(&e)));
    open_regular(path, OFlags::empty()).map_err(failed)
}

/// The file of a backup.
pub struct Opened {
    /// It.
    pub file: File,
    /// The folder of a new one, to make its name durable.
    folder: Option<File>,
}

impl Opened {
    /// Makes what was written durable.
    ///
    /// # Errors
    /// What the system says; somebody has removed the file meanwhile.
    pub fn settle(&self) -> io::Result<()> {
        self.file.sync_all()?;
        self.folder.as_ref().map_or(Ok(()), File::sync_all)?;
        match self.file.metadata()?.nlink() {
            0 => Err(io::Error::other("the file was removed while it was written")),
            _ => Ok(()),
        }
    }

    /// Takes an empty file as long as this process is there, unless another one has it, or has written to it meanwhile: what a
    /// failed try has left looks as what another verb has just made, and a new name is somebody's who looks at that moment.
    fn is_ours(&self, is_new: bool) -> bool {
        match flock(&self.file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => self.file.metadata().is_ok_and(|found| found.len() == 0),
            Err(Errno::WOULDBLOCK) => false,
            // A file system without locks: what is new is taken all the same.
            Err(_) => is_new,
        }
    }
}

/// Where another program has the vault, nothing is made that would look like a backup.
fn refuse_in_use(folders: &Folders) -> Result<(), Failure> {
    let paths = vault::Paths { state: folders.vault.clone(), outputs: folders.outputs.clone() };
    match paths.holder().ok().flatten() {
        None => Ok(()),
        Some(holder) => {
            let what = format!("the vault is in use by {holder}; stop that program, and try again");
            Err(Failure::new(Code::Busy, what))
        }
    }
}

fn make(path: &Path, folders: &Folders, home: &Home) -> Result<Opened, Failure> {
    let place = not_foreign(place_of(path)?)?;
    if let Some(own) = home.own(&folders.outputs).iter().find(|own| lies_in(&place, own)) {
        let what = format!(
            "{} lies in {}, which is the program's own; name a file elsewhere",
            path.display(),
            own.display()
        );
        return Err(Failure::new(Code::Refused, what));
    }
    let opened = match make_new(&place) {
        Ok(file) => {
            let folder = place.parent().and_then(|folder| open_folder(folder).ok());
            Some(Opened { file, folder }).filter(|opened| opened.is_ours(true))
        }
        Err(e) if e.kind() == ErrorKind::AlreadyExists => open_empty(&place)
            .map(|file| Opened { file, folder: None })
            .filter(|opened| opened.is_ours(false)),
        Err(e) => {
            let code = if e.kind() == ErrorKind::StorageFull { Code::Space } else { Code::Refused };
            return Err(Failure::new(code, format!("cannot make {}: {}", path.display(), with_remedy(&e))));
        }
    };
    opened.ok_or_else(|| {
        let what = format!("{} is there already; choose another name", path.display());
        Failure::new(Code::Refused, what)
    })
}

/// Where the file is to lie, without links.
fn place_of(path: &Path) -> Result<PathBuf, Failure> {
    let is_folder = path.as_os_str().as_bytes().ends_with(b"/");
    let path = absolute(path)?;
    match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) if !is_folder => match folder.canonicalize() {
            Ok(folder) => Ok(folder.join(name)),
            Err(e) => {
                let what = format!("cannot make {}: {}", path.display(), with_remedy(&e));
                Err(Failure::new(Code::NotFound, what))
            }
        },
        _ => Err(Failure::new(Code::Usage, format!("{} is no name of a file", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_ones_own_as_long_as_nobody_else_has_it_or_wrote_to_it() {
        let folder = std::env::temp_dir().join(format!("lightproof-backup-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let place = folder.join("new");
        // Somebody looks at the new name before its maker has it.
        let made = Opened { file: make_new(&place).expect("made"), folder: None };
        let other = Opened { file: open_empty(&place).expect("it is empty"), folder: None };
        assert!(other.is_ours(false) && !made.is_ours(true));
        drop(other);
        assert!(made.is_ours(true));
        std::fs::write(&place, "theirs").expect("it is ours");
        assert!(!made.is_ours(true));
        std::fs::remove_file(&place).expect("it is there");
        assert!(made.settle().is_err(), "no name leads to it any more");
        std::fs::remove_dir_all(&folder).expect("it is ours");
    }
}
