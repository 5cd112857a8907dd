//! What the controls need to know from before the fences, which hide it: the policy's file, what the controller says of themselves
//! beside it, the files of the model, the program's own, and what the host says of its audit, its firewall and its swap spaces.

use super::overlay;
use crate::doctor::host::Host;
use crate::doctor::memory::{Swaps, may_be_swapped, swaps};
use crate::doctor::network::{FIREWALL, Rules};
use crate::exit::Failure;
use crate::host_audit::{self, watched};
use crate::paths::open_regular;
use audit::Digest;
use policy::{Controller, Folders};
use rustix::fs::OFlags;
use std::fs::{File, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// Most files of a model, and folders within folders, that are looked at.
const FILES_MAX: usize = 4096;
const DEPTH_MAX: usize = 8;

/// What was seen.
pub struct Seen {
    /// The policy.
    pub policy: PolicyFile,
    /// What the controller says of themselves, or why nobody can tell.
    pub controller: Result<Controller, Failure>,
    /// The file that it stands in, or that there was none.
    pub controller_file: Named,
    /// The files of the model, if a folder of one is used.
    pub model: Option<Vec<Known>>,
    /// Which of the folders of vault, log and pictures the host's audit watches.
    pub watched: Watched,
    /// The file of the program, as it was before it was digested; `None` if it was gone by then.
    pub program: Option<Known>,
    /// The rules of its firewall.
    pub firewall: Firewall,
    /// How many swap spaces there are, and how many of them lie readable on a disk, if all of that is known.
    pub swaps: Option<(u64, u64)>,
    /// Whether memory of this process may come to lie there.
    pub may_be_swapped: bool,
}

/// The rules that come with this program, where the host has them.
pub enum Firewall {
    /// What they are about.
    Rules(Rules),
    /// There are none.
    None,
    /// Only root may read them.
    Closed,
}

/// The file of the policy, which is held open: behind the fences it could not be opened again.
pub struct PolicyFile {
    path: PathBuf,
    held: Option<File>,
    /// SHA-256 of its text; of nothing if it was not there.
    pub at_start: Digest,
}

/// What the policy's file is now.
pub struct PolicyNow {
    /// There is another file in its place, or none, or one where there was none.
    pub replaced: bool,
    /// SHA-256 of the text of the file that was read at the start.
    pub digest: Digest,
}

/// The file of a name, or that there is none.
pub struct Named {
    path: PathBuf,
    is: Option<Identity>,
}

/// A file, by what the kernel says of it. Nobody changes it and leaves that as it was, but by setting the clock back.
pub struct Known {
    path: PathBuf,
    is: Identity,
}

#[derive(PartialEq, Eq)]
struct Identity {
    device: u64,
    number: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// What the host's audit watches.
#[derive(Clone, Copy)]
pub enum Watched {
    /// So many of so many folders.
    Folders(u64, u64),
    /// The host has none.
    NoAudit,
    /// Only root may read its rules, and no service manager has handed them over.
    Closed,
}

impl Seen {
    /// Looks: `text` is the policy's, as it was read, and `program` was looked at before its digest was taken.
    pub fn now(policy: &Path, text: Option<&str>, folders: &Folders, program: Option<Known>) -> Self {
        let host = Host::this();
        let counted = |Swaps { used, open, untold }| {
            let counted = (used.len() as u64, open.len() as u64);
            // One that is open is enough to know.
            (untold.is_empty() || counted.1 > 0).then_some(counted)
        };
        // First: who changes it while it is read is found out.
        let controller_file = Named::now(folders.config.join(overlay::CONTROLLER));
        Self {
            controller_file,
            policy: PolicyFile {
                path: policy.to_owned(),
                held: text.and_then(|_| open_regular(policy, OFlags::NOFOLLOW).ok()),
                at_start: Digest::of(text.unwrap_or_default().as_bytes()),
            },
            controller: overlay::controller(&folders.config),
            model: folders.model.as_deref().map(|model| {
                let mut files = Vec::new();
                add_files(model, DEPTH_MAX, &mut files);
                files
            }),
            watched: watched_of(&[&folders.vault, &folders.audit, &folders.outputs]),
            program,
            firewall: Firewall::of(&host),
            swaps: swaps(&host).ok().and_then(counted),
            may_be_swapped: may_be_swapped(&host),
        }
    }
}

impl PolicyFile {
    /// Reads it anew.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn now(&self) -> std::io::Result<PolicyNow> {
        let there = match self.path.symlink_metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            there => Some(there?),
        };
        let Some(held) = &self.held else {
            return Ok(PolicyNow { replaced: there.is_some(), digest: self.at_start });
        };
        let ours = held.metadata()?;
        let same = |there: &Metadata| (there.dev(), there.ino()) == (ours.dev(), ours.ino());
        let mut bytes = vec![0; policy::OVERLAY_BYTES_MAX + 1];
        let mut filled = 0;
        loop {
            match held.read_at(&mut bytes[filled..], filled as u64)? {
                0 => break,
                read => filled += read,
            }
        }
        Ok(PolicyNow { replaced: !there.as_ref().is_some_and(same), digest: Digest::of(&bytes[..filled]) })
    }
}

impl Named {
    fn now(path: PathBuf) -> Self {
        Self { is: path.symlink_metadata().ok().map(|found| Identity::of(&found)), path }
    }

    /// Whether it is as it was: changed, made or taken away it is not.
    pub fn is_as_it_was(&self) -> bool {
        Self::now(self.path.clone()).is == self.is
    }

    /// Where it is, or would be.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Firewall {
    fn of(host: &Host) -> Self {
        match FIREWALL.map(|path| host.text(path)) {
            [Ok(None), _] => Self::None,
            [Ok(Some(rules)), Ok(start)] => Self::Rules(Rules::of(&rules, &start.unwrap_or_default())),
            _ => Self::Closed,
        }
    }
}

impl Known {
    /// The file of this program.
    pub fn program() -> Option<Self> {
        let path = std::env::current_exe().ok()?;
        let is = Identity::of(&path.metadata().ok()?);
        Some(Self { path, is })
    }

    /// Whether it is as it was.
    pub fn is_as_it_was(&self) -> bool {
        self.path.metadata().is_ok_and(|now| Identity::of(&now) == self.is)
    }
}

impl Identity {
    fn of(meta: &Metadata) -> Self {
        Self {
            device: meta.dev(),
            number: meta.ino(),
            bytes: meta.len(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }
}

/// Every file below a folder, links followed, since those of a cache lead to the files.
fn add_files(folder: &Path, depth: usize, files: &mut Vec<Known>) {
    let Ok(entries) = folder.read_dir() else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if files.len() >= FILES_MAX {
            return;
        }
        match path.metadata() {
            Ok(meta) if meta.is_file() => files.push(Known { is: Identity::of(&meta), path }),
            Ok(meta) if meta.is_dir() && depth > 0 => add_files(&path, depth - 1, files),
            _ => {}
        }
    }
}

/// How many of these folders the rules watch that auditd loads.
fn watched_of(folders: &[&PathBuf]) -> Watched {
    let text = match host_audit::rules() {
        Ok(Some(text)) => text,
        Ok(None) => return Watched::NoAudit,
        Err(_) => return Watched::Closed,
    };
    let rules: Vec<&str> = text.lines().filter_map(watched).collect();
    let is_watched = |folder: &&&PathBuf| rules.iter().any(|rule| folder.starts_with(rule));
    Watched::Folders(folders.iter().filter(is_watched).count() as u64, folders.len() as u64)
}
