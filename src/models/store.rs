//! The folder of the models that were brought in.
//!
//! `NAME/` is a model, with the list of its files; `in-use` names the one in use; `.part-NAME` is one that is being brought in or
//! removed, which the next import clears away; `lock` is held by whoever changes something.

use super::manifest::{self, Line};
use super::name::is_name;
use crate::exit::{Code, Failure};
use crate::paths::{make_new, open_folder, open_kept, open_regular};
use rustix::fs::{FlockOperation, OFlags, flock};
use sha2::{Digest as _, Sha256};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file that names the model in use: `NAME DIGEST`.
pub const IN_USE: &str = "in-use";
const LOCK: &str = "lock";
const PART: &str = ".part-";
/// How often a lock that somebody holds is tried again, and after which pause.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(100);
/// Most differences that are told one by one.
const TOLD_MAX: usize = 20;

/// The folder of the models.
pub struct Store {
    dir: PathBuf,
    _lock: Option<File>,
}

/// A model that was brought in.
pub struct Model {
    /// Its name.
    pub name: String,
    /// Digest of the list of its files, in hexadecimal digits; none if there is no such list.
    pub manifest: Option<String>,
    /// Its files.
    pub files: Vec<Line>,
    /// Bytes of all of them.
    pub bytes: u64,
    /// When the list was written, in milliseconds since 1970: right before the import was on record.
    pub listed_ms: u64,
}

impl Store {
    /// To look at.
    pub fn look(dir: &Path) -> Self {
        Self { dir: dir.into(), _lock: None }
    }

    /// To change something, alone.
    ///
    /// # Errors
    /// Somebody else does, or the folder cannot be written.
    pub fn lock(dir: &Path) -> Result<Self, Failure> {
        let lock = open_kept(&dir.join(LOCK)).map_err(|e| unwritten(dir, &e))?;
        let take = || flock(&lock, FlockOperation::NonBlockingLockExclusive);
        // One that has just been answered for may still be about to end.
        let is_held = |taken: &rustix::io::Result<()>| *taken == Err(rustix::io::Errno::WOULDBLOCK);
        let mut taken = take();
        for _ in 0..LOCK_TRIES {
            if is_held(&taken) {
                std::thread::sleep(LOCK_PAUSE);
                taken = take();
            }
        }
        match taken {
            Ok(()) => Ok(Self { dir: dir.into(), _lock: Some(lock) }),
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let what =
                    "another import, or a change of the models, is at work; wait for its end, and try again";
                Err(Failure::new(Code::Busy, what))
            }
            Err(error) => Err(unwritten(dir, &error.into())),
        }
    }

    /// The folder of a model.
    pub fn folder(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The folder of a model that is being brought in.
    pub fn part(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{PART}{name}"))
    }

    /// The models, by name, and what interruptions have left.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn names(&self) -> Result<(Vec<String>, Vec<String>), Failure> {
        let failed = |e| Failure::new(Code::Refused, format!("cannot read {}: {e}", self.dir.display()));
        let (mut models, mut left) = (Vec::new(), Vec::new());
        let entries = match self.dir.read_dir() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok((models, left)),
            entries => entries.map_err(failed)?,
        };
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                true if name.starts_with(PART) => left.push(name),
                true if is_name(&name) => models.push(name),
                _ => {}
            }
        }
        models.sort();
        Ok((models, left))
    }

    /// Refuses a name that is taken.
    ///
    /// # Errors
    /// There is something of that name.
    pub fn refuse_taken(&self, name: &str) -> Result<(), Failure> {
        match self.folder(name).symlink_metadata() {
            Err(_) => Ok(()),
            Ok(_) => {
                let what = format!(
                    "a model named {name} is there already; give this one another name (--name), or remove that one: lightproof \
                     model rm {name}"
                );
                Err(Failure::new(Code::Refused, what))
            }
        }
    }

    /// Refuses a name that no model has.
    ///
    /// # Errors
    /// There is none.
    pub fn refuse_absent(&self, name: &str) -> Result<(), Failure> {
        if is_name(name) && self.folder(name).is_dir() {
            return Ok(());
        }
        let what = format!("there is no model {name}; see: lightproof model list");
        Err(Failure::new(Code::NotFound, what))
    }

    /// A model, by its list; it is not held against its files.
    ///
    /// # Errors
    /// There is none of that name, or its list cannot be read.
    pub fn model(&self, name: &str) -> Result<Model, Failure> {
        self.refuse_absent(name)?;
        let folder = self.folder(name);
        let mut text = String::new();
        let opened = open_regular(&folder.join(manifest::FILE), OFlags::NOFOLLOW);
        let read = opened.and_then(|file| file.take(manifest::BYTES_MAX).read_to_string(&mut text));
        let lines = read.ok().and_then(|_| manifest::parse(&text));
        let bytes = |line: &Line| folder.join(&line.name).symlink_metadata().map_or(0, |found| found.len());
        let files = lines.clone().unwrap_or_default();
        let listed = folder.join(manifest::FILE).symlink_metadata();
        let listed_ms = listed.map_or(0, |found| {
            let (seconds, nanoseconds) = (found.mtime().max(0) as u64, found.mtime_nsec().max(0) as u64);
            seconds.saturating_mul(1000).saturating_add(nanoseconds / 1_000_000)
        });
        Ok(Model {
            listed_ms,
            name: name.into(),
            manifest: lines.map(|_| manifest::digest(&text)),
            bytes: files.iter().map(bytes).sum(),
            files,
        })
    }

    /// Reads every file of a model and holds it against the list: what differs, in sentences.
    ///
    /// # Errors
    /// As [`Store::model`].
    pub fn verify(
        &self,
        model: &Model,
        tell: &mut dyn FnMut(u64) -> io::Result<()>,
    ) -> Result<Vec<String>, Failure> {
        let folder = self.folder(&model.name);
        let mut differs = Vec::new();
        if model.manifest.is_none() {
            differs.push(format!("{} is missing or was changed", manifest::FILE));
        }
        let mut done = 0;
        for Line { sha256, name } in &model.files {
            match sum(&folder, name, &mut done, tell) {
                Ok(found) if found == *sha256 => {}
                Ok(_) => differs.push(format!("{name} is not what was imported: its SHA-256 differs")),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    differs.push(format!("{name} is missing"))
                }
                Err(error) => differs.push(format!("{name} cannot be read: {error}")),
            }
        }
        let mut known: Vec<&str> = model.files.iter().map(|line| line.name.as_str()).collect();
        known.push(manifest::FILE);
        strangers(&folder, "", &known, &mut differs);
        let more = differs.len().saturating_sub(TOLD_MAX);
        if more > 0 {
            differs.truncate(TOLD_MAX);
            differs.push(format!("and {more} more"));
        }
        Ok(differs)
    }

    /// Name and pinned digest of the model in use; none for the one inside the program, or where the file makes no sense.
    pub fn in_use(&self) -> Option<(String, String)> {
        let mut text = String::new();
        let file = open_regular(&self.dir.join(IN_USE), OFlags::NOFOLLOW).ok()?;
        file.take(256).read_to_string(&mut text).ok()?;
        let (name, digest) = text.strip_suffix('\n')?.split_once(' ')?;
        let is_digest = digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit());
        (is_name(name) && is_digest).then(|| (name.to_owned(), digest.to_owned()))
    }

    /// What names the model in use is there, and makes no sense.
    pub fn is_senseless(&self) -> bool {
        self.in_use().is_none() && self.dir.join(IN_USE).symlink_metadata().is_ok()
    }

    /// From here on a start takes this model, or the one inside the program.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn set_in_use(&self, model: Option<(&str, &str)>) -> Result<(), Failure> {
        let (file, new) = (self.dir.join(IN_USE), self.dir.join(".in-use"));
        let gone = |done: io::Result<()>| match done {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            done => done,
        };
        let set = || -> io::Result<()> {
            gone(fs::remove_file(&new))?;
            match model {
                None => gone(fs::remove_file(&file))?,
                Some((name, digest)) => {
                    let mut written = make_new(&new)?;
                    written.write_all(format!("{name} {digest}\n").as_bytes())?;
                    written.sync_all()?;
                    fs::rename(&new, &file)?;
                }
            }
            open_folder(&self.dir)?.sync_all()
        };
        set().map_err(|e| unwritten(&self.dir, &e))
    }

    /// Removes a model: first its name, durably, then its files.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn remove(&self, name: &str) -> Result<(), Failure> {
        let part = self.part(name);
        let remove = || -> io::Result<()> {
            if part.exists() {
                fs::remove_dir_all(&part)?;
            }
            fs::rename(self.folder(name), &part)?;
            open_folder(&self.dir)?.sync_all()?;
            fs::remove_dir_all(&part)
        };
        remove().map_err(|e| unwritten(&self.dir, &e))
    }

    /// A model that was copied whole gets its name, durably.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn publish(&self, name: &str) -> Result<(), Failure> {
        let publish = || -> io::Result<()> {
            fs::rename(self.part(name), self.folder(name))?;
            open_folder(&self.dir)?.sync_all().inspect_err(|_| {
                // Of a name that may not last nobody is told.
                let _ = fs::rename(self.folder(name), self.part(name));
            })
        };
        publish().map_err(|e| unwritten(&self.dir, &e))
    }

    /// Clears away what interruptions have left.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn clear(&self) -> Result<(), Failure> {
        let (_, left) = self.names()?;
        left.iter().try_for_each(|name| {
            fs::remove_dir_all(self.dir.join(name)).map_err(|e| unwritten(&self.dir.join(name), &e))
        })
    }
}

/// Why something could not be written.
pub fn unwritten(path: &Path, error: &io::Error) -> Failure {
    let (code, hint) = match error.kind() {
        ErrorKind::StorageFull => (Code::Space, "the disk is full: free some space, and try again"),
        ErrorKind::QuotaExceeded => {
            (Code::Space, "the quota of this user is used up: free some space, and try again")
        }
        ErrorKind::FileTooLarge => (
            Code::Space,
            "this process may write no file of that size; raise the limit (ulimit -f, LimitFSIZE=)",
        ),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            (Code::Refused, "make it writable for this user, or choose another home with --home")
        }
        _ => (Code::Unexpected, "what was not finished is cleared away by the next import"),
    };
    Failure::new(code, format!("cannot write {}: {error}; {hint}", path.display()))
}

/// SHA-256 of a file, in hexadecimal digits; no part of its name below the folder may be a link.
fn sum(
    folder: &Path,
    name: &str,
    done: &mut u64,
    tell: &mut dyn FnMut(u64) -> io::Result<()>,
) -> io::Result<String> {
    let path = folder.join(name);
    if path.canonicalize()? != path {
        return Err(io::Error::other("it is a link"));
    }
    let mut file = open_regular(&path, OFlags::NOFOLLOW)?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(manifest::hex(&hash.finalize()));
        }
        hash.update(&buffer[..count]);
        *done += count as u64;
        tell(*done)?;
    }
}

/// What lies there and is not in the list.
fn strangers(folder: &Path, below: &str, known: &[&str], differs: &mut Vec<String>) {
    let Ok(entries) = folder.join(below).read_dir() else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let name = if below.is_empty() { name } else { format!("{below}/{name}") };
        let leads = |known: &&&str| known.strip_prefix(&name).is_some_and(|rest| rest.starts_with('/'));
        match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            true if known.iter().any(|known| leads(&known)) => strangers(folder, &name, known, differs),
            _ if known.contains(&name.as_str()) => {}
            _ => differs.push(format!("{name} was not imported, and lies there")),
        }
    }
}
