//! The files beside the records, as they are before the checkpoints are read.
//!
//! The writer makes the checkpoint first and these files afterwards. So what is taken here follows from the checkpoints
//! that are read later, whether somebody writes to the log meanwhile or not; and what was taken is what is judged, by its
//! content and not by its times.

use crate::error::{Error, io_error};
use crate::journal;
use crate::paths::{Paths, SMALL_BYTES_MAX, files_below, read_limited};
use crate::token::Digest;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// What a name stood for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Missing,
    /// A link, a pipe, a folder, a device.
    Irregular,
    TooLarge,
    /// A regular file with this digest.
    Bytes(Digest),
}

#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Every file of the folder. Those that are not read here, segments and checkpoints, are `Missing`.
    files: BTreeMap<PathBuf, Content>,
    /// The content of those whose text tells what is wrong with them.
    texts: BTreeMap<PathBuf, Zeroizing<Vec<u8>>>,
    /// How far the checkpoints went: number of the newest file, and its length.
    pub journal: (u64, u64),
}

impl Taken {
    pub fn read(paths: &Paths) -> Result<Self, Error> {
        let newest = journal::newest(paths).unwrap_or(0);
        let bytes = paths.journal(newest).symlink_metadata().map_or(0, |meta| meta.len());
        let mut taken = Self { journal: (newest, bytes), ..Self::default() };
        let journals: BTreeSet<PathBuf> = (0..=newest).map(|number| paths.journal(number)).collect();
        let kept = [paths.origin(), paths.vkeys(), paths.checkpoint(), paths.key()];
        let listed = files_below(&paths.0).map_err(io_error("read", &paths.0))?;
        // A folder in place of a file is not listed, and is looked at all the same.
        for path in listed.into_iter().chain(kept.clone()) {
            if taken.files.contains_key(&path) {
                continue;
            }
            let unread =
                path == paths.reserve() || journals.contains(&path) || path.starts_with(paths.segments());
            let content = if unread {
                Content::Missing
            } else {
                let (content, bytes) = read(&path, path == paths.key())?;
                if kept.contains(&path) && matches!(content, Content::Bytes(_)) {
                    taken.texts.insert(path.clone(), bytes);
                }
                content
            };
            taken.files.insert(path, content);
        }
        Ok(taken)
    }

    pub fn content(&self, path: &Path) -> Content {
        // Of what is not listed there may still be a folder with that name.
        let absent = || if path.is_dir() { Content::Irregular } else { Content::Missing };
        self.files.get(path).copied().filter(|c| *c != Content::Missing).unwrap_or_else(absent)
    }

    /// The digest of the judged content.
    pub fn digest(&self, path: &Path) -> Option<Digest> {
        match self.files.get(path)? {
            Content::Bytes(digest) => Some(*digest),
            _ => None,
        }
    }

    pub fn text(&self, path: &Path) -> Option<&[u8]> {
        self.texts.get(path).map(|bytes| &bytes[..])
    }

    pub fn names(&self) -> impl Iterator<Item = &PathBuf> {
        self.files
            .iter()
            .filter(|(path, content)| **content != Content::Missing || is_there(path))
            .map(|(p, _)| p)
    }
}

fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|meta| !meta.is_dir())
}

/// The private key does not belong in an auditor's copy, and may be unreadable: then it counts as missing.
fn read(path: &Path, is_secret: bool) -> Result<(Content, Zeroizing<Vec<u8>>), Error> {
    let none = Zeroizing::new(Vec::new());
    let digest = |bytes: &[u8]| Content::Bytes(Digest::of(if is_secret { &[] } else { bytes }));
    match read_limited(path, SMALL_BYTES_MAX).map(Zeroizing::new) {
        Ok(bytes) => Ok((digest(&bytes), bytes)),
        Err(e) => match state(&e) {
            Some(content) => Ok((content, none)),
            None if is_secret && e.kind() == ErrorKind::PermissionDenied => Ok((Content::Missing, none)),
            None => Err(io_error("read", path)(e)),
        },
    }
}

/// What an error of reading says about the file itself; `None` when it could not be read for another reason.
fn state(error: &io::Error) -> Option<Content> {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => Some(Content::Missing),
        ErrorKind::InvalidInput | ErrorKind::IsADirectory => Some(Content::Irregular),
        ErrorKind::FileTooLarge => Some(Content::TooLarge),
        _ => None,
    }
}

/// What was read; `None` for what the report says of a file that holds nothing.
pub(super) fn present<T>(read: io::Result<T>, path: &Path) -> Result<Option<T>, Error> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(e) if state(&e).is_some() => Ok(None),
        Err(e) => Err(io_error("read", path)(e)),
    }
}
