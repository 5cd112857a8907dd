//! Paths that a person names: what they become before the fences, while there still is a working folder.

use crate::exit::{Code, Failure};
use rustix::fs::{Mode, OFlags};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// An existing path of the person's, links resolved.
pub fn real(path: &Path) -> Result<PathBuf, Failure> {
    path.canonicalize()
        .map_err(|e| Failure::new(Code::NotFound, format!("{} cannot be used: {e}", path.display())))
}

/// Opens a file to read; a pipe, which could keep the start waiting for ever, is an error.
pub fn open_regular(path: &Path, flags: OFlags) -> std::io::Result<std::fs::File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | flags;
    let file = std::fs::File::from(rustix::fs::open(path, flags, Mode::empty())?);
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(std::io::Error::other("it is no regular file")),
    }
}

/// The working folder is gone behind the fences.
pub fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path)
        .map_err(|e| Failure::new(Code::Usage, format!("{} is not a path: {e}", path.display())))
}

/// Where plain copies go.
pub struct Targets {
    /// The folder that is granted.
    pub folder: PathBuf,
    /// The file for one picture; several get numbers. `None`: each keeps its name.
    file: Option<PathBuf>,
}

impl Targets {
    /// `path` is a folder, or a file in one.
    ///
    /// # Errors
    /// The folder is not there.
    pub fn new(path: &Path) -> Result<Self, Failure> {
        if path.is_dir() {
            return Ok(Self { folder: real(path)?, file: None });
        }
        if path.as_os_str().as_bytes().ends_with(b"/") {
            let what = format!("the folder {} is not there; make it first", path.display());
            return Err(Failure::new(Code::NotFound, what));
        }
        let path = absolute(path)?;
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(Failure::new(Code::Usage, format!("{} is not a file name", path.display())));
        };
        let folder = real(folder)?;
        Ok(Self { file: Some(folder.join(name)), folder })
    }

    /// The file for picture `index` of `count`.
    pub fn path(&self, index: usize, count: usize, name: &str) -> PathBuf {
        match &self.file {
            None => self.folder.join(name),
            Some(file) if count == 1 => file.clone(),
            Some(file) => {
                let stem = file.file_stem().unwrap_or_default().to_string_lossy();
                let extension =
                    file.extension().map_or_else(String::new, |e| format!(".{}", e.to_string_lossy()));
                file.with_file_name(format!("{stem}-{}{extension}", index + 1))
            }
        }
    }

    /// Refuses before any work what would be refused after it.
    ///
    /// # Errors
    /// A file is there already.
    pub fn check(&self, count: usize) -> Result<(), Failure> {
        if self.file.is_none() {
            return Ok(());
        }
        match (0..count).map(|i| self.path(i, count, "")).find(|path| path.symlink_metadata().is_ok()) {
            None => Ok(()),
            Some(path) => {
                let what = format!("{} is there already; choose another name for the export", path.display());
                Err(Failure::new(Code::Refused, what))
            }
        }
    }
}
