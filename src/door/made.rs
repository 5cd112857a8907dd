//! A folder that a server has made here, file by file.

use super::wire::Unwritten;
use crate::paths::open_to_change;
use std::fs::DirBuilder;
use std::io::{self, ErrorKind, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Component, Path, PathBuf};

/// The folder, by what of it was written last: its own path, and the file.
#[derive(Default)]
pub struct MadeFolder {
    last: Option<(PathBuf, PathBuf)>,
}

impl MadeFolder {
    /// Writes a file in `dir`. One that cannot be written takes those before it back.
    ///
    /// # Errors
    /// Why not, and whether something of the folder remains.
    pub fn write(&mut self, dir: Option<&Path>, name: &str, content: &[u8]) -> Result<(), Unwritten> {
        self.last = None;
        let dir = dir.ok_or_else(nowhere)?;
        // Plain names, in folders of plain names: nothing leads out of the one that was asked for.
        let is_plain = |part| matches!(part, Component::Normal(_));
        let path = Path::new(name);
        if name.is_empty() || name.ends_with('/') || !path.components().all(is_plain) {
            return Err(nowhere());
        }
        let path = dir.join(path);
        let above = path.parent().unwrap_or(dir);
        let make = |above| DirBuilder::new().mode(0o700).recursive(true).create(above);
        let made = if above == dir { Ok(()) } else { make(above) };
        let written = made.and_then(|()| darkroom::write_new(&path, content).map_err(|(error, _)| error));
        written.map_err(|error| taken_back(dir, &error))?;
        self.last = Some((dir.to_owned(), path));
        Ok(())
    }

    /// Writes the next bytes of the file that was written last.
    ///
    /// # Errors
    /// As [`MadeFolder::write`].
    pub fn go_on(&mut self, content: &[u8]) -> Result<(), Unwritten> {
        let (dir, path) = self.last.take().ok_or_else(nowhere)?;
        let written = open_to_change(&path).and_then(|mut file| {
            file.seek(SeekFrom::End(0))?;
            file.write_all(content)?;
            file.sync_all()
        });
        written.map_err(|error| taken_back(&dir, &error))?;
        self.last = Some((dir, path));
        Ok(())
    }
}

fn nowhere() -> Unwritten {
    Unwritten::new(&io::Error::from(ErrorKind::NotFound), false)
}

fn taken_back(dir: &Path, error: &io::Error) -> Unwritten {
    evidence::take_back(dir);
    Unwritten::new(error, dir.read_dir().is_ok_and(|mut entries| entries.next().is_some()))
}
