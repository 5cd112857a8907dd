//! Looking, exporting, erasing, checking.

use crate::Error;
use crate::metadata::{Metadata, Summary, pseudonym};
use crate::room::{Darkroom, grade};
use crate::step::{After, reach};
use audit::words::{ObjectFailure, View};
use audit::{Digest, Entry, Event, Job, Object};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use vault::{Erasure, ObjectId, State, VerifyReport};
use zeroize::Zeroizing;

/// Reason code in tombstones: a person asked for the erasure.
const REASON_REQUEST: u16 = 1;

/// A plain copy that left.
pub struct Export {
    /// The picture.
    pub id: ObjectId,
    /// Where the copy lies.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
}

/// Some of the pictures, newest first.
pub struct Page {
    /// They.
    pub pictures: Vec<Summary>,
    /// The last of them, if more follow.
    pub next: Option<ObjectId>,
    /// How many there are in all.
    pub total: usize,
}

impl Darkroom {
    /// All pictures, newest first.
    ///
    /// # Errors
    /// [`Error::Locked`] or [`Error::NoVault`].
    pub fn list(&self) -> Result<Vec<Summary>, Error> {
        self.page(None, usize::MAX).map(|page| page.pictures)
    }

    /// Up to `count` pictures, newest first, from the one behind `after` on.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no picture `after`; [`Error::Locked`] or [`Error::NoVault`].
    pub fn page(&self, after: Option<ObjectId>, count: usize) -> Result<Page, Error> {
        let vault = &self.open_vault()?.vault;
        let mut entries = vault.list().rev();
        let total = entries.len();
        if let Some(after) = after
            && entries.by_ref().all(|entry| entry.id != after)
        {
            return Err(Error::NotFound { id: after.to_string() });
        }
        let pictures: Vec<Summary> =
            entries.by_ref().take(count).map(|entry| summary(entry, vault.is_missing(entry))).collect();
        let more = entries.len() > 0;
        let next = pictures.last().filter(|_| more).map(|last| last.id);
        Ok(Page { pictures, next, total })
    }

    /// What is known of one picture.
    ///
    /// # Errors
    /// [`Error::Locked`], or [`vault::Error::UnknownObject`] and [`vault::Error::Erased`].
    pub fn picture(&self, id: ObjectId) -> Result<Summary, Error> {
        let vault = &self.open_vault()?.vault;
        let entry = vault.get(id)?;
        Ok(summary(entry, vault.is_missing(entry)))
    }

    /// The picture that a person means by `text`: an identifier, its first characters (8 or more), or a name.
    ///
    /// # Errors
    /// [`Error::NotFound`], also if several begin like that.
    pub fn find(&self, text: &str) -> Result<ObjectId, Error> {
        let lower = text.to_ascii_lowercase();
        let means = |entry: &&vault::Entry| {
            entry.name == text || (text.len() >= 8 && entry.id.to_string().starts_with(&lower))
        };
        let mut found = self.open_vault()?.vault.list().filter(means).map(|entry| entry.id);
        match (found.next(), found.next()) {
            (Some(id), None) => Ok(id),
            _ => Err(Error::NotFound { id: text.chars().take(64).collect() }),
        }
    }

    /// The whole picture as PNG. The look is on record before the bytes are handed over.
    ///
    /// # Errors
    /// What vault and log say.
    pub fn view(&mut self, id: ObjectId) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.look(id, View::Content)
    }

    /// The preview as PNG, likewise.
    ///
    /// # Errors
    /// What vault and log say.
    pub fn view_preview(&mut self, id: ObjectId) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.look(id, View::Preview)
    }

    fn look(&mut self, id: ObjectId, kind: View) -> Result<Zeroizing<Vec<u8>>, Error> {
        let (open, _, log) = self.parts()?;
        let object = pseudonym(id, open.vault.get(id)?.salt);
        let bytes = match kind {
            View::Preview => open.vault.open_preview(id)?,
            _ => open.vault.open_content(id)?,
        };
        log.append(&[Event::ObjectViewed { kind }.by(open.actor).object(object)])?;
        Ok(bytes)
    }

    /// Writes a plain copy to a file that does not exist yet. If it cannot be written whole, nothing is left of it.
    ///
    /// # Errors
    /// [`Error::ExportFile`], or what vault and log say. All but a failing log are on record.
    pub fn export(&mut self, id: ObjectId, path: &Path) -> Result<Export, Error> {
        let write = |content: Zeroizing<Vec<u8>>| {
            write_new(path, &content).map_err(|source| Error::ExportFile { path: path.into(), source })?;
            Ok(content.len() as u64)
        };
        // An answer without a record does not leave, and neither does a copy.
        let take_back = || drop(std::fs::remove_file(path));
        let bytes = self.leave_plain(id, write, |bytes| *bytes, take_back)?;
        Ok(Export { id, path: path.into(), bytes })
    }

    /// The whole picture as PNG, for somebody who keeps a plain copy. On record as one before the bytes are handed
    /// over.
    ///
    /// # Errors
    /// What vault and log say. All but a failing log are on record.
    pub fn export_content(&mut self, id: ObjectId) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.leave_plain(id, Ok, |content| content.len() as u64, || ())
    }

    /// The one way out: intent, plain bytes to `copy`, outcome.
    fn leave_plain<T>(
        &mut self,
        id: ObjectId,
        copy: impl FnOnce(Zeroizing<Vec<u8>>) -> Result<T, Error>,
        size: impl FnOnce(&T) -> u64,
        take_back: impl FnOnce(),
    ) -> Result<T, Error> {
        let (open, _, log) = self.parts()?;
        let object = pseudonym(id, open.vault.get(id)?.salt);
        let job = Job::random()?;
        let entry = |event: Event| event.by(open.actor).object(object).job(job);
        log.append(&[entry(Event::ObjectExportRequested {})])?;
        reach(After::Intent)?;
        let copied = open.vault.open_content(id).map_err(Error::from).and_then(copy);
        reach(After::Copied)?;
        match copied {
            Ok(copied) => {
                log.append(&[entry(Event::ObjectExported { bytes: size(&copied) })])
                    .inspect_err(|_| take_back())?;
                Ok(copied)
            }
            Err(error) => {
                log.append(&[entry(Event::ObjectExportFailed { reason: failure(&error) }).failed()])?;
                Err(error)
            }
        }
    }

    /// Destroys the keys of these pictures for good, in one roll, and removes their files.
    ///
    /// # Errors
    /// [`Error::NotFound`] before anything is done; or what vault and log say. All but a failing log are on record.
    pub fn erase(&mut self, ids: &[ObjectId]) -> Result<Erasure, Error> {
        let now_ms = self.now_ms();
        let (open, random, log) = self.parts()?;
        let mut objects: Vec<Object> = Vec::new();
        for id in ids {
            objects.push(pseudonym(*id, open.vault.get(*id)?.salt));
        }
        let job = Job::random()?;
        let actor = open.actor;
        let count = ids.len() as u64;
        log.append(&[Event::ObjectEraseRequested { count }.by(actor).job(job)])?;
        reach(After::Intent)?;
        let erased = open.vault.erase(ids, REASON_REQUEST, now_ms, random);
        if let Err(error @ vault::Error::Unfinished(_)) = erased {
            // Neither done nor not done yet: the intent stays open, and the next unlock finishes it and says so.
            open.unsettled = true;
            return Err(error.into());
        }
        reach(After::Erased)?;
        let entry = |event: Event, object: &Object| event.by(actor).object(*object).job(job);
        let entries: Vec<Entry> = match &erased {
            Ok(erasure) => {
                let State { epoch, seq, root } = erasure.state;
                let event = Event::ObjectErased {
                    grade: grade(erasure.grade),
                    vault_epoch: epoch,
                    vault_seq: seq,
                    vault_root: Digest(root),
                    cleanup_pending: erasure.cleanup_pending,
                };
                objects.iter().map(|object| entry(event, object)).collect()
            }
            Err(error) => {
                let event = Event::ObjectEraseFailed { reason: vault_failure(error) };
                objects.iter().map(|object| entry(event, object).failed()).collect()
            }
        };
        for some in entries.chunks(audit::ENTRIES_MAX as usize) {
            log.append(some)?;
        }
        Ok(erased?)
    }

    /// Opens every picture and checks all of it.
    ///
    /// # Errors
    /// What vault and log say about the whole; damage of single pictures is in the report.
    pub fn verify(&mut self) -> Result<VerifyReport, Error> {
        let (open, _, log) = self.parts()?;
        let report = open.vault.verify()?;
        let (damaged, missing) = (report.damaged.len() as u64, report.missing.len() as u64);
        let event = Event::VaultVerified { objects: report.sound + damaged + missing, damaged, missing };
        let entry = event.by(open.actor);
        log.append(&[if report.is_sound() { entry } else { entry.failed() }])?;
        Ok(report)
    }
}

fn summary(entry: &vault::Entry, missing: bool) -> Summary {
    Summary {
        id: entry.id,
        name: entry.name.clone(),
        created_ms: entry.created_ms,
        content_bytes: entry.content_bytes,
        pseudonym: pseudonym(entry.id, entry.salt),
        metadata: Metadata::of(entry),
        missing,
    }
}

/// Writes a file that must not exist yet:
///
/// ```text
/// openat(path, O_WRONLY|O_CREAT|O_EXCL, 0600)
/// write, fsync
/// openat(folder), fsync
/// ```
fn write_new(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // A folder that may be written and not read cannot be opened to be synced; the file itself is durable.
    let synced = written.and_then(|()| match File::open(folder) {
        Ok(folder) => folder.sync_all(),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
        Err(error) => Err(error),
    });
    if synced.is_err() {
        let _ = std::fs::remove_file(path);
    }
    synced
}

fn failure(error: &Error) -> ObjectFailure {
    match error {
        Error::Vault(error) => vault_failure(error),
        Error::ExportFile { source, .. } => match source.kind() {
            ErrorKind::AlreadyExists => ObjectFailure::Exists,
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => ObjectFailure::Permission,
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => ObjectFailure::DiskFull,
            _ => ObjectFailure::Io,
        },
        _ => ObjectFailure::Io,
    }
}

fn vault_failure(error: &vault::Error) -> ObjectFailure {
    match error {
        vault::Error::DiskFull => ObjectFailure::DiskFull,
        vault::Error::ObjectMissing(_) => ObjectFailure::Missing,
        vault::Error::ObjectDamaged { .. } => ObjectFailure::Damaged,
        _ => ObjectFailure::Vault,
    }
}
