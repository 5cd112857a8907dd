//! The files of a bundle that was made, for whoever carries them elsewhere.

use crate::error::{Error, io_error};
use crate::{bundle, folder};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// A file of a bundle that was made, which outlives its folder.
pub struct MadeFile {
    /// Its path in the bundle.
    pub path: String,
    content: Content,
}

/// Most are small, and there are hundreds; the records of a log that was used for years are as large as the log.
enum Content {
    Held(Vec<u8>),
    Open(File),
}

/// Larger files are not held in memory.
const HELD_BYTES_MAX: u64 = 1 << 20;

impl MadeFile {
    fn of(dir: &Path, path: String) -> io::Result<Self> {
        let content = match folder::read(&dir.join(&path), HELD_BYTES_MAX) {
            Ok(bytes) => Content::Held(bytes),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                Content::Open(folder::open_regular(&dir.join(&path))?)
            }
            Err(error) => return Err(error),
        };
        let path = if path == bundle::UNSIGNED { bundle::ENVELOPE.to_owned() } else { path };
        Ok(Self { path, content })
    }

    /// Hands its bytes over, at most `bytes_max` at a time; an empty file is one empty piece.
    ///
    /// # Errors
    /// [`Error::Io`]: it cannot be read. What `each` says.
    pub fn hand_over<E: From<Error>>(
        self,
        bytes_max: usize,
        mut each: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut file = match self.content {
            Content::Held(bytes) => return each(&bytes),
            Content::Open(file) => file,
        };
        let failed = io_error("read", Path::new(&self.path));
        let mut piece = Vec::new();
        loop {
            piece.clear();
            let read = file.by_ref().take(bytes_max as u64).read_to_end(&mut piece).map_err(&failed)?;
            if read == 0 {
                return Ok(());
            }
            each(&piece)?;
        }
    }
}

/// The files of a bundle that is not finished, by the paths that they have when it is; the signature comes last.
///
/// # Errors
/// [`Error::Io`]: one cannot be read.
pub fn made_files(dir: &Path) -> Result<Vec<MadeFile>, Error> {
    let mut paths = folder::names(dir).map_err(io_error("read", dir))?;
    paths.sort_by_key(|path| path == bundle::UNSIGNED);
    let files = paths.into_iter().map(|path| MadeFile::of(dir, path));
    files.collect::<io::Result<_>>().map_err(io_error("read", dir))
}
