//! Rights on paths, and the places that placeholders stand for.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use crate::Error;

/// What may be done beneath a path. There is no right to execute, to make links, sockets or devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Right {
    /// Read files, list folders.
    Read,
    /// Write and truncate existing files.
    Write,
    /// Make files and folders, and move them between folders that both have this right.
    Create,
    /// Remove files and folders.
    Remove,
}

impl Right {
    /// The word used in the profile.
    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Create => "create",
            Self::Remove => "remove",
        }
    }

    pub(crate) fn changes_files(self) -> bool {
        self != Self::Read
    }
}

/// The rights on one path, and the reason for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathGrant {
    /// At least one right.
    pub rights: BTreeSet<Right>,
    /// Why the appliance needs them.
    pub why: String,
}

impl PathGrant {
    pub(crate) fn changes_files(&self) -> bool {
        self.rights.iter().any(|right| right.changes_files())
    }
}

/// The folders of one run. Give real paths (absolute, links resolved): this crate looks at no disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folders {
    /// Folder of the overlay. No grant names it, and no grant may make it writable.
    pub config: PathBuf,
    /// Key file, anchor, lock.
    pub vault: PathBuf,
    /// The log.
    pub audit: PathBuf,
    /// Sealed pictures.
    pub outputs: PathBuf,
    /// The model folder; `None` for the model inside the program, which needs no file.
    pub model: Option<PathBuf>,
    /// The folder (or one existing file) that a plain copy goes to, if a person asked for one.
    pub export: Option<PathBuf>,
    /// The folder with the golden values of a self-test, if one was named. No grant may make it writable.
    pub reference: Option<PathBuf>,
}

impl Folders {
    /// The path that `at` stands for. `Ok(None)`: this run has no such place.
    pub(crate) fn resolve(&self, at: &str) -> Result<Option<PathBuf>, Error> {
        let place = match at {
            "${vault}" => Some(&self.vault),
            "${audit}" => Some(&self.audit),
            "${outputs}" => Some(&self.outputs),
            "${model}" => self.model.as_ref(),
            "${export}" => self.export.as_ref(),
            "${reference}" => self.reference.as_ref(),
            _ if at.starts_with('/') => return plain(Path::new(at)).map(Some),
            _ => return Err(Error::UnknownPlace { at: at.to_owned() }),
        };
        place.map(|path| plain(path)).transpose()
    }
}

/// An absolute path without `.` and `..` that is not the root itself.
pub(crate) fn plain(path: &Path) -> Result<PathBuf, Error> {
    let mut parts = path.components();
    let absolute = parts.next() == Some(Component::RootDir);
    let rest: Vec<_> = parts.collect();
    if absolute && !rest.is_empty() && rest.iter().all(|part| matches!(part, Component::Normal(_))) {
        Ok(path.components().collect())
    } else {
        Err(Error::PlaceNotPlain { path: path.to_owned() })
    }
}
