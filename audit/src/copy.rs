//! A log as files that are carried elsewhere and put down again: for backups.

use crate::durable::Disk;
use crate::error::{Error, io_error};
use crate::note::SECRET_PREFIX;
use crate::paths::{Paths, SEGMENT_BYTES_MAX, files_below, read_limited};
use std::io;
use std::path::Path;

/// A file of a log as it was at one moment.
#[derive(Debug)]
pub struct CopiedFile {
    /// Its name below the folder of the log.
    pub name: String,
    part: Part,
}

#[derive(Debug)]
enum Part {
    /// All of it, for another file may take its place.
    Whole(Vec<u8>),
    /// So many bytes, behind which the log may write more.
    First(u64),
}

impl CopiedFile {
    fn of(dir: &Path, name: String) -> Result<Self, Error> {
        let paths = Paths(dir.to_owned());
        let path = dir.join(&name);
        let grows = path.starts_with(paths.segments()) || name.starts_with("checkpoints.");
        let part = match grows {
            true => Part::First(path.symlink_metadata().map_err(io_error("read", &path))?.len()),
            false => Part::Whole(read_file(dir, &name)?),
        };
        Ok(Self { name, part })
    }

    /// What was in it.
    ///
    /// # Errors
    /// `Io`; it has less than it had.
    pub fn read(&self, dir: &Path) -> Result<Vec<u8>, Error> {
        match &self.part {
            Part::Whole(bytes) => Ok(bytes.clone()),
            Part::First(length) => {
                let mut bytes = read_file(dir, &self.name)?;
                let length = usize::try_from(*length).unwrap_or(usize::MAX);
                if bytes.len() < length {
                    let cut = io::ErrorKind::UnexpectedEof.into();
                    return Err(io_error("read", &dir.join(&self.name))(cut));
                }
                bytes.truncate(length);
                Ok(bytes)
            }
        }
    }
}

/// The files of the log in `dir` that a copy of it needs to be gone on with, as they are now, the private key of the current epoch
/// among them. What is derived, and what is noise, is left out. `origin` is the last one: without it there is no log. Nothing is
/// appended meanwhile; what is afterwards is in none of them.
///
/// # Errors
/// `Absent`; `Io`.
pub fn copied_files(dir: &Path) -> Result<Vec<CopiedFile>, Error> {
    if !is_there(dir) {
        return Err(Error::Absent { dir: dir.to_owned() });
    }
    let mut names = files_there(dir)?;
    names.push("origin".to_owned());
    names.into_iter().map(|name| CopiedFile::of(dir, name)).collect()
}

/// The same, without `origin`, of what may be a part of a log.
///
/// # Errors
/// `Io`.
pub fn files_there(dir: &Path) -> Result<Vec<String>, Error> {
    let paths = Paths(dir.to_owned());
    let mut names = Vec::new();
    for file in files_below(dir).map_err(io_error("read", dir))? {
        let is_left_out =
            file.starts_with(paths.tiles()) || file == paths.reserve() || file == paths.origin();
        if let Some(name) = file.strip_prefix(dir).ok().and_then(Path::to_str).filter(|name| is_name(name))
            && !is_left_out
        {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// What of a log can be looked at by whoever wants to know what happened to it.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct FoundFiles {
    /// The files below its folder that have the name of one of a log, sorted. None has the name of a private key
    /// or of what is derived; for copies under another name there is [`holds_private_key`].
    pub names: Vec<String>,
    /// Folders, by their names in that of the log (which is `.`), that cannot be listed, what has a name that no log has, and why.
    pub unlisted: Vec<(String, io::Error)>,
}

/// The files of the log in `dir`, however damaged it is: what cannot be listed is named, and the rest goes on.
pub fn found_files(dir: &Path) -> FoundFiles {
    let paths = Paths(dir.to_owned());
    let mut found = FoundFiles::default();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let listed = dir.join(&folder).read_dir().and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let entries = match listed {
            Ok(entries) => entries,
            Err(error) => {
                let name = if folder.is_empty() { ".".to_owned() } else { folder };
                found.unlisted.push((name, error));
                continue;
            }
        };
        for entry in entries {
            let path = entry.path();
            if [paths.key(), paths.key_next(), paths.reserve(), paths.tiles()].contains(&path) {
                continue;
            }
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            // Below the log's own folder, whatever bytes it has.
            let below = Path::new(&folder).join(entry.file_name());
            match below.to_str().filter(|name| is_name(name)) {
                Some(name) if is_folder && folder.is_empty() => folders.push(name.to_owned()),
                Some(name) if !is_folder => found.names.push(name.to_owned()),
                _ => {
                    let what = match is_folder {
                        true => "a folder that no log has; what lies in it was not looked at",
                        false => "a name that no file of a log has; it was not looked at",
                    };
                    let name = below.to_string_lossy().escape_debug().to_string();
                    found.unlisted.push((name, io::Error::other(what)));
                }
            }
        }
    }
    found.names.sort();
    found
}

/// Whether the key that signs a log, or another one of its form, lies in these bytes: a file of any name may be a copy of it.
pub fn holds_private_key(bytes: &[u8]) -> bool {
    bytes.windows(SECRET_PREFIX.len()).any(|part| part == SECRET_PREFIX.as_bytes())
}

/// One of these files, whole.
///
/// # Errors
/// `Io`.
pub fn read_file(dir: &Path, name: &str) -> Result<Vec<u8>, Error> {
    let path = dir.join(name);
    read_limited(&path, SEGMENT_BYTES_MAX).map_err(io_error("read", &path))
}

/// Puts one of them into `dir`, durably.
///
/// # Errors
/// `Io`, `DiskFull`; a name that none of them has.
pub fn put_file(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), Error> {
    let (path, disk) = (dir.join(name), Disk::default());
    let write = || {
        if !is_name(name) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file of a log"));
        }
        // The log's own folder is there, and what lies above it is not for this program to touch.
        if let Some(folder) = path.parent().filter(|folder| *folder != dir) {
            disk.folder(folder)?;
        }
        disk.replace(&path, bytes)
    };
    write().map_err(io_error("write", &path))
}

/// Whether there is a log in `dir`: one with its name.
pub fn is_there(dir: &Path) -> bool {
    Paths(dir.to_owned()).origin().symlink_metadata().is_ok()
}

/// A file of a log, or one in a folder of it; nothing above, nothing hidden, nothing half-written.
fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    let part = |part: &str| !part.is_empty() && !part.starts_with('.') && part.bytes().all(plain);
    name.split('/').count() <= 2 && name.split('/').all(part) && !name.ends_with(".new")
}
