//! The one way out for a plain copy.

use crate::error::is_full;
use crate::metadata::pseudonym;
use crate::room::Darkroom;
use crate::step::{After, reach};
use crate::{Error, Who};
use audit::words::ObjectFailure;
use audit::{Event, Job};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use vault::ObjectId;
use zeroize::Zeroizing;

/// A plain copy that left.
pub struct Export {
    /// The picture.
    pub id: ObjectId,
    /// Where the copy lies.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
}

impl Darkroom {
    /// Writes a plain copy to a file that does not exist yet. If it cannot be written whole, what was written is removed; if
    /// that fails, too, the error says so.
    ///
    /// # Errors
    /// [`Error::ExportFile`], or what vault and log say. All but a failing log are on record.
    pub fn export(&mut self, who: &Who, id: ObjectId, path: &Path) -> Result<Export, Error> {
        let write = |content: Zeroizing<Vec<u8>>| {
            write_new(path, &content).map_err(|(source, remains)| Error::ExportFile {
                path: path.into(),
                source,
                remains,
            })?;
            Ok(content.len() as u64)
        };
        // An answer without a record does not leave, and neither does a copy.
        let take_back = || drop(std::fs::remove_file(path));
        let bytes = self.leave_plain(who, id, write, |bytes| *bytes, take_back)?;
        Ok(Export { id, path: path.into(), bytes })
    }

    /// The whole picture as PNG, for somebody who keeps a plain copy. On record as one before the bytes are handed
    /// over.
    ///
    /// # Errors
    /// What vault and log say. All but a failing log are on record.
    pub fn export_content(&mut self, who: &Who, id: ObjectId) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.leave_plain(who, id, Ok, |content| content.len() as u64, || ())
    }

    /// Intent, plain bytes to `copy`, outcome.
    fn leave_plain<T>(
        &mut self,
        who: &Who,
        id: ObjectId,
        copy: impl FnOnce(Zeroizing<Vec<u8>>) -> Result<T, Error>,
        size: impl FnOnce(&T) -> u64,
        take_back: impl FnOnce(),
    ) -> Result<T, Error> {
        let (open, random, log) = self.parts(who)?;
        let object = pseudonym(id, open.vault.get(id)?.salt);
        let job = Job::random()?;
        let entry = |event: Event| event.by(who.actor).object(object).job(job);
        log.append(&[entry(Event::ObjectExportRequested {})])?;
        reach(After::Intent)?;
        // From here on nobody can cut the request off the log unnoticed, whatever happens to the outcome.
        let covered = open.cover(log, random);
        let copied = covered.and_then(|()| Ok(open.vault.open_content(id)?)).and_then(copy);
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
}

/// Writes a file that must not exist yet:
///
/// ```text
/// openat(path, O_WRONLY|O_CREAT|O_EXCL, 0600)
/// write, fsync
/// openat(folder), fsync
/// ```
///
/// The error says, too, whether something of it remains.
fn write_new(path: &Path, content: &[u8]) -> Result<(), (std::io::Error, bool)> {
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
        Error::ExportFile { source, .. } if is_full(source) => ObjectFailure::DiskFull,
        Error::ExportFile { source, .. } => match source.kind() {
            ErrorKind::AlreadyExists => ObjectFailure::Exists,
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => ObjectFailure::Permission,
            _ => ObjectFailure::Io,
        },
        _ => ObjectFailure::Io,
    }
}

/// The log's word for what the vault says about an object.
pub(crate) fn vault_failure(error: &vault::Error) -> ObjectFailure {
    match error {
        vault::Error::DiskFull => ObjectFailure::DiskFull,
        vault::Error::ObjectMissing(_) => ObjectFailure::Missing,
        vault::Error::ObjectDamaged { .. } => ObjectFailure::Damaged,
        _ => ObjectFailure::Vault,
    }
}
