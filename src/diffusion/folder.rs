//! A checkpoint as a folder in the Hugging Face layout, on disk or compiled into the program.

use crate::file::OpenFile;
use crate::{Error, json};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};

/// Longest `config.json` of a part, in bytes: a published one has 1 KB.
pub(crate) const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// Where a checkpoint's files come from.
#[derive(Clone, Debug)]
pub enum ModelFolder {
    /// A folder on disk, by its canonical path.
    Disk(PathBuf),
    /// A folder on disk whose files may be links that lead elsewhere in a second one around it, as in a cache of downloads;
    /// both by their canonical paths.
    Within(PathBuf, PathBuf),
    /// Files compiled into the program: path inside the folder, and content aligned for any element type.
    Embedded(&'static [(&'static str, &'static [u8])]),
}

/// The files of a checkpoint, by their names in its folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFiles {
    /// Those that make the model, in the order of its digest, see [`crate::ModelDigest`].
    pub made_of: Vec<String>,
    /// Those that say which these are.
    pub indexes: Vec<String>,
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

    /// A folder on disk, whose links may lead to files of the folder `around` it.
    ///
    /// # Errors
    /// As [`ModelFolder::open`].
    pub fn open_within(dir: &Path, around: &Path) -> Result<Self, Error> {
        let Self::Disk(root) = Self::open(dir)? else { return Self::open(dir) };
        let around =
            around.canonicalize().map_err(|source| Error::ReadFile { file: around.into(), source })?;
        Ok(Self::Within(root, around))
    }

    /// Whether the folder holds a file of this name (`/` between parts).
    pub fn holds(&self, name: &str) -> bool {
        match self {
            // A dangling or foreign link counts, so that reading it gives the right error.
            Self::Disk(root) | Self::Within(root, _) => root.join(name).symlink_metadata().is_ok(),
            Self::Embedded(files) => files.iter().any(|(n, _)| *n == name),
        }
    }

    /// Opens a file, and reads nothing of it yet.
    ///
    /// # Errors
    /// [`Error::ReadFile`], or [`Error::LinkLeavesFolder`] for a link whose target lies elsewhere.
    pub(crate) fn file(&self, name: &str) -> Result<ModelFile, Error> {
        let source = match self {
            Self::Disk(root) => Source::Disk(open_below(root, root, name)?),
            Self::Within(root, around) => Source::Disk(open_below(root, around, name)?),
            Self::Embedded(files) => match files.iter().find(|(n, _)| *n == name) {
                Some((_, content)) => Source::Embedded(content),
                None => {
                    let source = std::io::ErrorKind::NotFound.into();
                    return Err(Error::ReadFile { file: name.into(), source });
                }
            },
        };
        Ok(ModelFile { name: name.into(), source })
    }

    /// Reads a JSON file of at most `bytes_max` bytes, once: what is parsed is the content that comes with it.
    ///
    /// # Errors
    /// Those of opening and reading, and [`Error::ParseConfig`].
    pub(crate) fn json<T: DeserializeOwned>(
        &self,
        name: &str,
        bytes_max: u64,
    ) -> Result<(T, ReadFile), Error> {
        let file = self.file(name)?;
        let parse = |reason: String| Error::ParseConfig { file: name.into(), reason };
        if file.bytes() > bytes_max {
            return Err(parse(format!("{} bytes long, at most {bytes_max} are read", file.bytes())));
        }
        let content = file.read()?;
        let value = json::parse(&content).map_err(|e| parse(e.to_string()))?;
        Ok((value, ReadFile { file, content }))
    }
}

/// A file of the model folder, opened once.
pub(crate) struct ModelFile {
    name: String,
    source: Source,
}

enum Source {
    Disk(OpenFile),
    Embedded(&'static [u8]),
}

/// A file whose whole content is in memory.
pub(crate) struct ReadFile {
    pub file: ModelFile,
    pub content: Bytes,
}

/// A file whose bytes are taken piece by piece.
pub(crate) enum Begun {
    /// Each piece is a copy, which nobody can change.
    Copied(OpenFile),
    /// All of it, in the program itself or mapped from a file.
    Shared(Bytes, Option<OpenFile>),
}

impl ModelFile {
    /// Its path inside the folder.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its length in bytes.
    pub fn bytes(&self) -> u64 {
        match &self.source {
            Source::Disk(file) => file.bytes(),
            Source::Embedded(content) => content.len() as u64,
        }
    }

    /// Its content, copied into memory if it lies on disk.
    ///
    /// # Errors
    /// [`Error::ReadFile`] or [`Error::Memory`].
    pub fn read(&self) -> Result<Bytes, Error> {
        self.read_start(self.bytes())
    }

    /// Its first `count` bytes.
    ///
    /// # Errors
    /// [`Error::ReadFile`], also if it is shorter; [`Error::Memory`].
    pub fn read_start(&self, count: u64) -> Result<Bytes, Error> {
        match &self.source {
            Source::Disk(file) => file.read(0, count),
            Source::Embedded(content) => {
                let end = usize::try_from(count).ok().and_then(|end| content.get(..end));
                end.map(Bytes::from_static).ok_or_else(|| Error::ReadFile {
                    file: self.name.clone().into(),
                    source: std::io::ErrorKind::UnexpectedEof.into(),
                })
            }
        }
    }

    /// Begins to take its bytes: copies if it lies on disk and `copies` says so, else where they are.
    ///
    /// # Errors
    /// [`Error::ReadFile`].
    pub fn begin(self, copies: bool) -> Result<Begun, Error> {
        Ok(match self.source {
            Source::Disk(file) if copies => Begun::Copied(file),
            Source::Disk(file) => Begun::Shared(file.map()?, Some(file)),
            Source::Embedded(content) => Begun::Shared(Bytes::from_static(content), None),
        })
    }

    /// The open file, if it lies on disk.
    pub fn into_disk(self) -> Option<OpenFile> {
        match self.source {
            Source::Disk(file) => Some(file),
            Source::Embedded(_) => None,
        }
    }
}

/// `around` is what a link must not leave.
fn open_below(root: &Path, around: &Path, name: &str) -> Result<OpenFile, Error> {
    let file = root.join(name);
    let found = file.canonicalize();
    let leaves = match &found {
        Ok(target) => !target.starts_with(around),
        // The sandbox hides what a foreign link points at, so the link itself tells.
        Err(_) => file.symlink_metadata().is_ok_and(|m| m.is_symlink()),
    };
    if leaves {
        return Err(Error::LinkLeavesFolder { file, folder: root.into() });
    }
    OpenFile::open(&found.map_err(|source| Error::ReadFile { file, source })?)
}
