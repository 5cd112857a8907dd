//! The one way out for a plain copy. It is opened and written beside the darkroom.

use crate::error::{is_full, vault_failure};
use crate::hold::{Hold, beside};
use crate::metadata::{content_mac, pseudonym};
use crate::room::Darkroom;
use crate::step::{After, reach};
use crate::{Act, Error, Queue, Who, whose};
use audit::words::ObjectFailure;
use audit::{Digest, Entry, Event, JobId, Object, Receipt};
use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use vault::{ObjectId, Opener};
use zeroize::Zeroizing;

/// A plain copy that left.
pub struct Export {
    /// The picture.
    pub id: ObjectId,
    /// Its pseudonym in the log.
    pub object: Object,
    /// Its size in bytes.
    pub bytes: u64,
    /// The record `object.exported`, and the checkpoint that signs it.
    pub receipt: Receipt,
}

impl Darkroom {
    /// Writes a plain copy to a file that does not exist yet. If it cannot be written whole, what was written is removed; if
    /// that fails, too, the error says so.
    ///
    /// # Errors
    /// [`Error::ExportFile`], or what vault and log say. All but a failing log are on record.
    pub fn export(&mut self, who: &Who, id: ObjectId, path: &Path) -> Result<Export, Error> {
        export_to(self, who, id, path)
    }

    /// The whole picture as PNG, for somebody who keeps a plain copy. On record as one before the bytes are handed
    /// over.
    ///
    /// # Errors
    /// What vault and log say. All but a failing log are on record.
    pub fn export_content(&mut self, who: &Who, id: ObjectId) -> Result<Zeroizing<Vec<u8>>, Error> {
        hand_over(self, who, id).map(|(_, content)| content)
    }

    /// As [`Darkroom::export_content`], with what is on record about it.
    ///
    /// # Errors
    /// As there.
    pub fn hand_over(&mut self, who: &Who, id: ObjectId) -> Result<(Export, Zeroizing<Vec<u8>>), Error> {
        hand_over(self, who, id)
    }

    /// The intent, and with it the key of the picture, or why there is none. An unlock meanwhile leaves it alone.
    fn intend_export(&mut self, who: &Who, id: ObjectId) -> Result<(Leaving, Result<Opener, Error>), Error> {
        let (open, random, log) = self.parts(who, Act::OwnPictures)?;
        let object = pseudonym(id, whose::picture(&open.vault, who, id)?.salt);
        let leaving = Leaving { job: JobId::random()?, who: *who, id, object };
        log.append(&[leaving.entry(Event::ObjectExportRequested {})])?;
        reach(After::Intent)?;
        // From here on nobody can cut the request off the log unnoticed, whatever happens to the outcome.
        let opener = open.cover(log, random).and_then(|()| Ok(open.vault.opener(id)?));
        self.in_work.insert(leaving.job);
        Ok((leaving, opener))
    }

    /// The outcome.
    fn end_export<T>(
        &mut self,
        leaving: &Leaving,
        copied: Result<(T, Left), Error>,
    ) -> Result<(Export, T), Error> {
        self.in_work.remove(&leaving.job);
        // Whoever asked may be out by now, and the picture gone: then the copy goes, too.
        let held = self.vault_of(&leaving.who, Act::OwnPictures);
        let held = held.and_then(|vault| Ok(whose::picture(vault, &leaving.who, leaving.id)?.salt));
        let copied = match (held, copied) {
            (Err(gone), Ok(_) | Err(Error::Vault(_))) => Err(gone),
            (Ok(salt), Ok(copied)) => Ok((copied, salt)),
            (_, Err(error)) => Err(error),
        };
        match copied {
            Ok(((copied, Left { bytes, sha256 }), salt)) => {
                let (id, object) = (leaving.id, leaving.object);
                let exported = Event::ObjectExported { bytes };
                let digest = Event::ObjectExportDigest { content_mac: content_mac(salt, &sha256) };
                let receipt = self.log.append(&[exported, digest].map(|event| leaving.entry(event)))?;
                Ok((Export { id, object, bytes, receipt }, copied))
            }
            Err(error) => {
                let event = Event::ObjectExportFailed { reason: failure(&error) };
                self.log.append(&[leaving.entry(event).failed()])?;
                Err(error)
            }
        }
    }
}

impl Queue {
    /// As [`Darkroom::export`]; while the picture is opened and the copy written, others have the darkroom.
    ///
    /// # Errors
    /// As there; [`Error::Locked`] if the vault was locked meanwhile, after which no copy stays; [`Error::ExportFile`] says if one does.
    pub fn export(&self, who: &Who, id: ObjectId, path: &Path) -> Result<Export, Error> {
        export_to(&mut &*self, who, id, path)
    }

    /// As [`Darkroom::export_content`]; while the picture is opened, others have the darkroom.
    ///
    /// # Errors
    /// As there; [`Error::Locked`] if the vault was locked meanwhile, after which nothing is handed over.
    pub fn export_content(&self, who: &Who, id: ObjectId) -> Result<Zeroizing<Vec<u8>>, Error> {
        hand_over(&mut &*self, who, id).map(|(_, content)| content)
    }

    /// As [`Queue::export_content`], with what is on record about it.
    ///
    /// # Errors
    /// As there.
    pub fn hand_over(&self, who: &Who, id: ObjectId) -> Result<(Export, Zeroizing<Vec<u8>>), Error> {
        hand_over(&mut &*self, who, id)
    }
}

/// [`Darkroom::export`], for whoever has the darkroom moment by moment.
///
/// # Errors
/// As there.
pub fn export_to(held: &mut impl Hold, who: &Who, id: ObjectId, path: &Path) -> Result<Export, Error> {
    let stays = Cell::new(None);
    let write = |content: Zeroizing<Vec<u8>>| match write_new(path, &content) {
        Ok(()) => Ok(Written { path, is_recorded: false, stays: &stays }),
        Err((source, remains)) => Err(Error::ExportFile { path: path.into(), source, remains }),
    };
    let (export, mut written) = leave_plain(held, who, id, write).map_err(|error| match stays.take() {
        Some(source) => Error::ExportFile { path: path.into(), source, remains: true },
        None => error,
    })?;
    written.is_recorded = true;
    Ok(export)
}

/// [`Darkroom::hand_over`], for whoever has the darkroom moment by moment.
///
/// # Errors
/// As there.
pub fn hand_over(
    held: &mut impl Hold,
    who: &Who,
    id: ObjectId,
) -> Result<(Export, Zeroizing<Vec<u8>>), Error> {
    leave_plain(held, who, id, Ok)
}

/// Intent, plain bytes to `copy`, outcome.
fn leave_plain<T>(
    held: &mut impl Hold,
    who: &Who,
    id: ObjectId,
    copy: impl FnOnce(Zeroizing<Vec<u8>>) -> Result<T, Error>,
) -> Result<(Export, T), Error> {
    let (leaving, opener) = held.with(|darkroom| darkroom.intend_export(who, id))?;
    let copied = opener.and_then(|opener| {
        beside(move || {
            let content = opener.content()?;
            let left = Left { bytes: content.len() as u64, sha256: Digest::of(&content) };
            Ok((copy(content)?, left))
        })
    });
    reach(After::Copied)?;
    held.with(|darkroom| darkroom.end_export(&leaving, copied))
}

/// What a plain copy was.
struct Left {
    bytes: u64,
    sha256: Digest,
}

/// A request for a plain copy that is on record.
struct Leaving {
    job: JobId,
    who: Who,
    id: ObjectId,
    object: Object,
}

impl Leaving {
    fn entry(&self, event: Event) -> Entry {
        event.by(self.who.actor).object(self.object).job(self.job)
    }
}

/// A plain copy that is written. An answer without a record does not leave, and neither does a copy: it is taken back.
struct Written<'a> {
    path: &'a Path,
    is_recorded: bool,
    /// Why it could not be taken back.
    stays: &'a Cell<Option<std::io::Error>>,
}

impl Drop for Written<'_> {
    fn drop(&mut self) {
        if !self.is_recorded {
            self.stays.set(std::fs::remove_file(self.path).err());
        }
    }
}

/// Writes a file that must not exist yet:
///
/// ```text
/// openat(path, O_WRONLY|O_CREAT|O_EXCL, 0600)
/// write, fsync
/// openat(folder), fsync
/// ```
///
/// # Errors
/// Why not, and whether something of it remains.
pub fn write_new(path: &Path, content: &[u8]) -> Result<(), (std::io::Error, bool)> {
    let options = OpenOptions::new().write(true).create_new(true).mode(0o600).to_owned();
    let mut file = options.open(path).map_err(|error| (error, false))?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // A folder that may be written and not read cannot be opened to be synced; the file itself is durable.
    let synced = written.and_then(|()| match File::open(folder) {
        Ok(folder) => folder.sync_all(),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
        Err(error) => Err(error),
    });
    synced.map_err(|error| (error, std::fs::remove_file(path).is_err()))
}

fn failure(error: &Error) -> ObjectFailure {
    match error {
        Error::Vault(error) => vault_failure(error),
        Error::Locked => ObjectFailure::Vault,
        Error::ExportFile { source, .. } if is_full(source) => ObjectFailure::DiskFull,
        Error::ExportFile { source, .. } => match source.kind() {
            ErrorKind::AlreadyExists => ObjectFailure::Exists,
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => ObjectFailure::Permission,
            _ => ObjectFailure::Io,
        },
        _ => ObjectFailure::Io,
    }
}
