//! What lies in a folder of sealed files, told without any key: by names, lengths and first bytes.

use crate::Error;
use crate::cobblestone::SALT_BYTES;
use crate::disk::Folder;
use crate::format::{FOLDER_BYTES, HEADER_BYTES, Header, ObjectHeader, VaultId, folder_owner};
use crate::home::{MAIN, MIRROR, Paths};
use crate::object::{PART_SUFFIX, SUFFIX};
use crate::outputs;
use std::collections::HashSet;
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

/// What is read of a vault file to see which vault it is: more than its slots take.
const HEAD_BYTES_MAX: u64 = 1 << 20;

/// What [`survey`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Survey {
    /// The vaults whose folder it says it is.
    pub vaults: Vec<VaultId>,
    /// Logical names of the files that are whole objects by their header and length, in order.
    pub sealed: Vec<String>,
    /// Files named like objects that are none: another header, or another length than it says.
    pub damaged: u64,
    /// Objects that are still being written, or were when the power was cut.
    pub unfinished: u64,
    /// Everything else that is no folder, but for the small files that say whose folder it is.
    pub plain: u64,
    /// Sections that carry the salt of another one: two that share a key would share a key stream.
    pub repeated: u64,
    /// Objects that have a second name somewhere, under which their sealed file outlives an erasure.
    pub linked: u64,
}

/// Looks through `outputs`. Nothing is opened as what it claims to be, and no name is followed elsewhere.
///
/// # Errors
/// [`Error::Io`]: the folder cannot be read. A file that cannot be read counts as damaged, or as plain.
pub fn survey(outputs: &Path) -> Result<Survey, Error> {
    let failed = Error::io("listing the outputs folder");
    let folder = Folder::open(outputs).map_err(Error::io("opening the outputs folder"))?;
    let (mut found, mut salts) = (Survey::default(), HashSet::new());
    for name in folder.names().map_err(failed)? {
        if let Some(logical) = name.strip_suffix(SUFFIX) {
            match salts_of(&folder, &name) {
                Ok((both, names)) => {
                    found.linked += u64::from(names > 1);
                    found.sealed.push(logical.to_owned());
                    found.repeated += both.into_iter().filter(|salt| !salts.insert(*salt)).count() as u64;
                }
                // Beside a running program an erasure may take it away between the list and this look.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(_) => found.damaged += 1,
            }
        } else if name.ends_with(PART_SUFFIX) {
            found.unfinished += 1;
        } else if let Some(owner) = owner(&folder, &name) {
            found.vaults.push(owner);
        } else if !folder.is_folder(&name) && folder.has(&name).unwrap_or(true) {
            found.plain += 1;
        }
    }
    found.sealed.sort();
    Ok(found)
}

impl Paths {
    /// Whether the outputs folder can be this vault's, as far as that is told without a key: it is a folder that can be looked into, and
    /// does not carry the file of another vault alone. Whether it carries this one's, which each opening sees to.
    ///
    /// # Errors
    /// As [`crate::Vault::outputs`].
    pub fn check_outputs(&self) -> Result<bool, Error> {
        let unusable = |error| outputs::unusable(self.outputs.clone(), error);
        let folder = Folder::open(&self.outputs).map_err(unusable)?;
        let header = |name: &&str| {
            let mut head = Vec::new();
            let file = Folder::open(&self.state).and_then(|state| state.file(name, false)).ok()?;
            file.take(HEAD_BYTES_MAX).read_to_end(&mut head).ok()?;
            Header::parse(&head).ok()
        };
        // Which vault it is shows when it is opened, where neither file has a head.
        let Some(header) = [MAIN, MIRROR].iter().find_map(header) else { return Ok(true) };
        let is_ours = outputs::is_marked(&folder, header.vault_id).map_err(unusable)?;
        match !is_ours && outputs::is_of_another(&folder, header.vault_id).map_err(unusable)? {
            true => Err(Error::OutputsNotOurs(self.outputs.clone())),
            false => Ok(is_ours),
        }
    }
}

/// The salts of both sections of an object that is whole, and how many names it has.
fn salts_of(folder: &Folder, name: &str) -> io::Result<([[u8; SALT_BYTES]; 2], u64)> {
    let broken = || io::Error::from(io::ErrorKind::InvalidData);
    let file = folder.file(name, false)?;
    let mut header = [0; HEADER_BYTES];
    file.read_exact_at(&mut header, 0)?;
    let [preview, content] = ObjectHeader::parse(&header).ok_or_else(broken)?.sections;
    let second = (HEADER_BYTES as u64).checked_add(preview).ok_or_else(broken)?;
    let meta = file.metadata()?;
    if second.checked_add(content) != Some(meta.len()) {
        return Err(broken());
    }
    let mut salts = [[0; SALT_BYTES]; 2];
    file.read_exact_at(&mut salts[0], HEADER_BYTES as u64)?;
    file.read_exact_at(&mut salts[1], second)?;
    Ok((salts, meta.nlink()))
}

/// Whether a folder says that it is of some vault's pictures. One that cannot be read says nothing.
pub fn is_of_pictures(folder: &Path) -> bool {
    let Ok(folder) = Folder::open(folder) else { return false };
    folder.names().is_ok_and(|names| names.iter().any(|name| owner(&folder, name).is_some()))
}

/// Whose folder this is, if it is one of the files that say so.
fn owner(folder: &Folder, name: &str) -> Option<VaultId> {
    let mut bytes = [0; FOLDER_BYTES];
    if !name.starts_with(".lightproof") || folder.bytes(name) != FOLDER_BYTES as u64 {
        return None;
    }
    folder.file(name, false).and_then(|file| file.read_exact_at(&mut bytes, 0)).ok()?;
    folder_owner(&bytes)
}
