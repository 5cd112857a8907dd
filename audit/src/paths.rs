//! The files of a log.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Records in one segment: 16 tiles of the lowest level, an aligned subtree.
pub(crate) const SEGMENT_RECORDS: u64 = 4096;

/// The folder of a log.
#[derive(Clone, Debug)]
pub(crate) struct Paths(pub PathBuf);

impl Paths {
    pub fn origin(&self) -> PathBuf {
        self.0.join("origin")
    }
    pub fn vkeys(&self) -> PathBuf {
        self.0.join("vkeys")
    }
    pub fn key(&self) -> PathBuf {
        self.0.join("epoch.key")
    }
    pub fn key_next(&self) -> PathBuf {
        self.0.join("epoch.key.next")
    }
    pub fn checkpoint(&self) -> PathBuf {
        self.0.join("checkpoint")
    }
    pub fn journal(&self) -> PathBuf {
        self.0.join("checkpoints.log")
    }
    pub fn reserve(&self) -> PathBuf {
        self.0.join("reserve")
    }
    pub fn tiles(&self) -> PathBuf {
        self.0.join("tile")
    }
    pub fn quarantine(&self) -> PathBuf {
        self.0.join("quarantine")
    }
    pub fn epochs(&self) -> PathBuf {
        self.0.join("epochs")
    }
    pub fn epoch_note(&self, epoch: u32) -> PathBuf {
        self.epochs().join(format!("{epoch}.note"))
    }
    pub fn segments(&self) -> PathBuf {
        self.0.join("seg")
    }
    pub fn segment(&self, index: u64) -> PathBuf {
        self.segments().join(format!("{index:08}.jsonl"))
    }
}

/// All files below a folder, sorted; none if it is missing. Links are listed and not followed.
pub(crate) fn files_below(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_dir() { folders.push(entry.path()) } else { files.push(entry.path()) }
        }
    }
    files.sort();
    Ok(files)
}

/// Reads a whole file unless it is larger than a limit, which is an error of the kind `FileTooLarge`. Links and pipes
/// are not opened: a pipe would block, and a link leads out of the folder.
pub(crate) fn read_limited(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    use io::Read;
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let file = fs::File::open(path)?;
    let mut bytes = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

/// A full segment of the longest lines.
pub(crate) const SEGMENT_BYTES_MAX: u64 = SEGMENT_RECORDS * crate::record::LINE_BYTES_MAX;
/// A million checkpoints.
pub(crate) const JOURNAL_BYTES_MAX: u64 = 1 << 30;
/// Every other file: about 100,000 keys.
pub(crate) const SMALL_BYTES_MAX: u64 = 16 << 20;
