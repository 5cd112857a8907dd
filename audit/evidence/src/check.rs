//! The check of a bundle. It reads, never writes, and trusts nothing but the first key of the log; every file may have been
//! made by an attacker, and the worst that a file can do is to become a finding.
//!
//! The way of trust: first key, hand-overs, newest key, checkpoint, the record that names the export key, the signature over
//! the manifest, the digest of every file. What the files say is then held against each other.

mod contents;
mod erasures;
mod judged;
mod log;
mod models;
mod reading;
mod rehearsal;
mod stamps;

use crate::bundle::{self, Manifest};
use crate::dsse::Envelope;
use crate::error::{Error, io_error};
use crate::folder;
use crate::report::{Checked, Expected};
use audit::Digest;
use reading::{FILE_BYTES_MAX, Reading};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

/// Checks the bundle in `dir`.
///
/// # Errors
/// [`Error::Absent`] when there is no `manifest.json`; [`Error::Io`] when a folder cannot be read.
pub fn check(dir: &Path, expected: &Expected) -> Result<Checked, Error> {
    check_signed_by(dir, bundle::ENVELOPE, expected)
}

/// Checks a bundle that was made and has not been given its signature: by whoever made it.
///
/// # Errors
/// As [`check`].
pub fn check_made(dir: &Path) -> Result<Checked, Error> {
    check_signed_by(dir, bundle::UNSIGNED, &Expected::default())
}

fn check_signed_by(dir: &Path, envelope_name: &str, expected: &Expected) -> Result<Checked, Error> {
    let mut checked = Checked::default();
    let bytes = match folder::read(&dir.join(bundle::MANIFEST), FILE_BYTES_MAX) {
        Err(e) if [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&e.kind()) => {
            return Err(Error::Absent { dir: dir.to_owned() });
        }
        other => other.map_err(io_error("read", &dir.join(bundle::MANIFEST)))?,
    };
    let Some(manifest) = Manifest::parse(&bytes) else {
        checked.find(bundle::MANIFEST, "is no list of files in the form of this version");
        return Ok(checked);
    };
    checked.made_ms = Some(manifest.made_ms);
    files(dir, &manifest, envelope_name, &mut checked)?;
    let reading = Reading { dir, manifest: &manifest, digest: Digest::of(&bytes) };
    let envelope = envelope(&reading, envelope_name, &mut checked);
    let trusted = log::check(&reading, expected, &mut checked);
    if let Some(envelope) = &envelope {
        signature(&reading, envelope, &trusted, &mut checked);
    }
    stamps::check(&reading, &trusted, &mut checked);
    erasures::check(&reading, &trusted, &mut checked);
    models::check(&reading, &trusted, &mut checked);
    contents::check(&reading, &trusted, envelope.as_ref(), &mut checked);
    Ok(checked)
}

/// Every file is the one that the manifest lists, and there is no other.
fn files(dir: &Path, manifest: &Manifest, envelope_name: &str, checked: &mut Checked) -> Result<(), Error> {
    let found = folder::names(dir).map_err(io_error("read", dir))?;
    let listed: BTreeMap<&str, _> = manifest.files.iter().map(|file| (file.path.as_str(), file)).collect();
    let own = [bundle::MANIFEST, envelope_name];
    for name in
        found.iter().filter(|name| !listed.contains_key(name.as_str()) && !own.contains(&name.as_str()))
    {
        checked.find(name, "is not on the list of files");
    }
    for (path, file) in listed {
        match folder::measure(&dir.join(path), file.bytes) {
            Ok((bytes, sha256)) if (bytes, sha256) == (file.bytes, file.sha256) => {}
            Ok(_) => checked.find(path, "is not the file that was listed: its content was changed"),
            Err(e) if e.kind() == ErrorKind::NotFound => checked.find(path, "is missing"),
            Err(e) => checked.find(path, format_args!("cannot be read: {e}")),
        }
    }
    Ok(())
}

fn envelope(reading: &Reading<'_>, name: &str, checked: &mut Checked) -> Option<Envelope> {
    let path = reading.dir.join(name);
    let envelope = match folder::read(&path, FILE_BYTES_MAX) {
        Ok(bytes) => Envelope::parse(&bytes, bundle::PREDICATE),
        Err(e) if e.kind() == ErrorKind::NotFound => {
            checked.find(bundle::ENVELOPE, "is missing: nobody signed this bundle");
            return None;
        }
        Err(_) => None,
    };
    if envelope.is_none() {
        checked.find(bundle::ENVELOPE, "is no signature in the form of this version");
    }
    envelope
}

/// The signature is over this manifest, and by the key that the log names.
fn signature(reading: &Reading<'_>, envelope: &Envelope, trusted: &log::Trusted, checked: &mut Checked) {
    if envelope.subjects != [(bundle::MANIFEST.to_owned(), reading.digest)] {
        checked.find(bundle::MANIFEST, "is not the list of files that was signed");
    }
    let what = match trusted.export_key {
        Some(key) if envelope.is_signed_by(key) => return,
        Some(_) => "is not signed by the key that the log names",
        None => "is signed by a key that no proved record of the log names",
    };
    checked.find(bundle::ENVELOPE, what);
}
