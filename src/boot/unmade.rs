//! Folders that a start makes, taken away again where it comes to nothing.

use crate::exit::Failure;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Folders that were not there before the start, the deepest first.
pub struct Unmade(Vec<PathBuf>);

impl Unmade {
    /// Those of these folders, and of those above them, that are not there yet.
    pub fn of(folders: &[&Path]) -> Self {
        let is_missing =
            |path: &&Path| path.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound);
        let above = folders.iter().flat_map(|folder| folder.ancestors());
        let mut missing: Vec<PathBuf> = above.filter(is_missing).map(Path::to_path_buf).collect();
        missing.sort();
        missing.dedup();
        missing.reverse();
        Self(missing)
    }

    /// The same failure. What is there by now and empty is removed; behind the fences it cannot be, and is named.
    pub fn take_back(&self, mut failure: Failure) -> Failure {
        let is_empty = |path: &Path| path.read_dir().is_ok_and(|mut entries| entries.next().is_none());
        let stays = |path: &&PathBuf| std::fs::remove_dir(path).is_err() && is_empty(path);
        let left: Vec<String> = self.0.iter().filter(stays).map(|path| path.display().to_string()).collect();
        match &left[..] {
            [] => {}
            [one] => failure.what += &format!("; the folder {one} is left empty"),
            several => failure.what += &format!("; these folders are left empty: {}", several.join(", ")),
        }
        failure
    }
}
