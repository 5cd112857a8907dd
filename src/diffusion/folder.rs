//! A checkpoint as a folder in the Hugging Face layout, on disk or compiled into the program.

use crate::{Error, mmap};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Largest JSON file that is read: the released tokenizer has 11 MB.
const JSON_BYTES_MAX: u64 = 64 << 20;

/// Where a checkpoint's files come from.
#[derive(Clone, Debug)]
pub enum ModelFolder {
    /// A folder on disk, by its canonical path.
    Disk(PathBuf),
    /// Files compiled into the program: path inside the folder, and content aligned for any element type.
    Embedded(&'static [(&'static str, &'static [u8])]),
}

impl ModelFolder {
    /// A folder on disk.
    ///
    /// # Errors
    /// [`Error::ReadFile`] if it is not a folder that can be entered.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let read = |source| Error::ReadFile { file: dir.into(), source };
        let root = dir.canonicalize().map_err(read)?;
        std::fs::read_dir(&root).map_err(read)?;
        Ok(Self::Disk(root))
    }

    /// Whether the folder holds a file of this name (`/` between parts).
    pub fn holds(&self, name: &str) -> bool {
        match self {
            // A dangling or foreign link counts, so that reading it gives the right error.
            Self::Disk(root) => root.join(name).symlink_metadata().is_ok(),
            Self::Embedded(files) => files.iter().any(|(n, _)| *n == name),
        }
    }

    /// The content of a file, mapped rather than copied.
    ///
    /// # Errors
    /// [`Error::ReadFile`], or [`Error::LinkLeavesFolder`] for a link whose target lies elsewhere.
    pub fn read(&self, name: &str) -> Result<Bytes, Error> {
        match self {
            Self::Disk(root) => read_below(root, name),
            Self::Embedded(files) => match files.iter().find(|(n, _)| *n == name) {
                Some((_, content)) => Ok(Bytes::from_static(content)),
                None => {
                    Err(Error::ReadFile { file: name.into(), source: std::io::ErrorKind::NotFound.into() })
                }
            },
        }
    }

    /// A JSON file, parsed.
    ///
    /// # Errors
    /// Those of [`ModelFolder::read`], and [`Error::ParseConfig`].
    pub fn json<T: DeserializeOwned>(&self, name: &str) -> Result<T, Error> {
        let content = self.read(name)?;
        let parse = |reason: String| Error::ParseConfig { file: name.into(), reason };
        if content.len() as u64 > JSON_BYTES_MAX {
            return Err(parse(format!("{} bytes long, at most {JSON_BYTES_MAX} are read", content.len())));
        }
        serde_json::from_slice(&content).map_err(|e| parse(e.to_string()))
    }

    /// SHA-256 over the files that make the model: for each, in the order given, its name, a zero byte, its
    /// length (8 bytes, big-endian) and its content.
    ///
    /// # Errors
    /// Those of [`ModelFolder::read`].
    pub fn digest(&self, names: &[String]) -> Result<[u8; 32], Error> {
        let mut hash = Sha256::new();
        for name in names {
            let content = self.read(name)?;
            hash.update(name.as_bytes());
            hash.update([0]);
            hash.update((content.len() as u64).to_be_bytes());
            hash.update(&content);
        }
        Ok(hash.finalize().into())
    }
}

fn read_below(root: &Path, name: &str) -> Result<Bytes, Error> {
    let file = root.join(name);
    let read = |source| Error::ReadFile { file: file.clone(), source };
    let found = file.canonicalize();
    let leaves = match &found {
        Ok(target) => !target.starts_with(root),
        // The sandbox hides what a foreign link points at, so the link itself tells.
        Err(_) => file.symlink_metadata().is_ok_and(|m| m.is_symlink()),
    };
    if leaves {
        return Err(Error::LinkLeavesFolder { file: file.clone(), folder: root.into() });
    }
    let file = std::fs::File::open(found.map_err(read)?).map_err(read)?;
    mmap::map(&file).map_err(read)
}
