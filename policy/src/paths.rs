//! Rights on paths, and the places that placeholders stand for.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use crate::Error;

/// What may be done beneath a path. There is no right to make links, sockets or devices.
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
    /// Run files as programs: the keeper's alone, for this program's own file.
    Execute,
    /// Ask a device for what only it understands (`ioctl`): for the nodes of a card. Kernels before 6.10 do not keep it apart.
    Ioctl,
}

impl Right {
    /// The word used in the profile.
    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Create => "create",
            Self::Remove => "remove",
            Self::Execute => "execute",
            Self::Ioctl => "ioctl",
        }
    }

    pub(crate) fn changes_files(self) -> bool {
        !matches!(self, Self::Read | Self::Execute | Self::Ioctl)
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

/// The folders of one run. Give real paths (absolute, links resolved): this crate looks at no disk. The default has none, and no plan
/// is made of it: `config`, `vault`, `audit` and `outputs` are to be named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folders {
    /// Folder of the overlay. No grant names it, and no grant may make it writable.
    pub config: PathBuf,
    /// Key file, anchor, lock.
    pub vault: PathBuf,
    /// The log.
    pub audit: PathBuf,
    /// What the last trials of the controls found; `None` for a run that neither tries nor shows any.
    pub evidence: Option<PathBuf>,
    /// The folder of a bundle of evidence that is made or checked, if a person named one.
    pub bundle: Option<PathBuf>,
    /// Whether that folder is only checked: then nothing in it is written, whatever the profile says.
    pub bundle_is_read: bool,
    /// Sealed pictures.
    pub outputs: PathBuf,
    /// The model folder; `None` for the model inside the program, which needs no file.
    pub model: Option<PathBuf>,
    /// The folder of the models that were brought in: what brings them in writes there, and nothing else does. `None` for a run
    /// that has nothing to do with models.
    pub models: Option<PathBuf>,
    /// The folder that a model is copied from, if a person named one.
    pub source: Option<PathBuf>,
    /// The folder (or one existing file) that a plain copy goes to, if a person asked for one.
    pub export: Option<PathBuf>,
    /// The folder that gets a copy of the newest checkpoint, if the overlay names one and it is there.
    pub checkpoint_copy: Option<PathBuf>,
    /// The folder with the golden values of a self-test, if one was named. No grant may make it writable.
    pub reference: Option<PathBuf>,
    /// This program's own file and those that it was loaded from, for the process that starts it again.
    pub program: Vec<PathBuf>,
    /// The card that was asked for; `None` for a run on the processor.
    pub card: Option<Card>,
}

/// What the host has of a card of NVIDIA's, and of its driver.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Card {
    /// Device nodes: those of the card, and of the driver's control and memory.
    pub nodes: Vec<PathBuf>,
    /// Folders of the driver's libraries.
    pub driver: Vec<PathBuf>,
    /// What the kernel says of the driver and of the card.
    pub facts: Vec<PathBuf>,
}

impl Folders {
    /// The paths that `at` stands for; none if this run has no such place.
    pub(crate) fn resolve(&self, at: &str) -> Result<Vec<PathBuf>, Error> {
        let places = match at {
            "${vault}" => vec![&self.vault],
            "${audit}" => vec![&self.audit],
            "${evidence}" => self.evidence.iter().collect(),
            "${bundle}" => self.bundle.iter().collect(),
            "${outputs}" => vec![&self.outputs],
            "${model}" => self.model.iter().collect(),
            "${models}" => self.models.iter().collect(),
            "${source}" => self.source.iter().collect(),
            "${export}" => self.export.iter().collect(),
            "${checkpoint-copy}" => self.checkpoint_copy.iter().collect(),
            "${reference}" => self.reference.iter().collect(),
            "${program}" => self.program.iter().collect(),
            "${card}" => self.card.iter().flat_map(|card| &card.nodes).collect(),
            "${driver}" => self.card.iter().flat_map(|card| &card.driver).collect(),
            "${card-facts}" => self.card.iter().flat_map(|card| &card.facts).collect(),
            _ if at.starts_with('/') => return plain(Path::new(at)).map(|path| vec![path]),
            _ => return Err(Error::UnknownPlace { at: at.to_owned() }),
        };
        places.into_iter().map(|path| plain(path)).collect()
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
