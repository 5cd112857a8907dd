//! What the checks are given.

use crate::bundle::Manifest;
use crate::folder::{self, Listed};
use crate::report::Checked;
use audit::{Digest, Stored};
use std::io;
use std::path::Path;

/// Longest list of files, and longest file that is read as a whole.
pub(super) const FILE_BYTES_MAX: u64 = 64 << 20;

/// Most bytes of a line of `hand-overs.jsonl`, and of a record.
pub(super) const LINE_BYTES_MAX: u64 = 64 << 10;

/// A bundle as it is being checked.
pub(super) struct Reading<'a> {
    pub dir: &'a Path,
    pub manifest: &'a Manifest,
    /// Of the manifest itself.
    pub digest: Digest,
}

impl Reading<'_> {
    /// The content of a file; a finding if it cannot be read, or is not the one that was listed. What was wrong with it when
    /// all files were measured has been found already.
    pub fn read(&self, path: &str, checked: &mut Checked) -> Option<Vec<u8>> {
        let read = folder::read(&self.dir.join(path), FILE_BYTES_MAX);
        let is_known = checked.findings.iter().any(|finding| finding.file == path);
        match &read {
            _ if is_known => {}
            Err(e) => checked.find(path, format_args!("cannot be read: {e}")),
            Ok(bytes) if self.listed(path).is_some_and(|listed| listed.sha256 != Digest::of(bytes)) => {
                checked.find(path, "was changed while it was checked");
            }
            Ok(_) => {}
        }
        read.ok()
    }

    /// Hands over the records of a file one by one, or of those whose line has one of these parts: most of a log is about other
    /// things, and need not be read twice. None, where the file is not listed.
    ///
    /// # Errors
    /// A line is no record, or the file cannot be read to its end.
    pub fn records(&self, path: &str, parts: &[&[u8]], mut see: impl FnMut(&Stored)) -> io::Result<()> {
        if !self.lists(path) {
            return Ok(());
        }
        let has = |line: &[u8], part: &[u8]| line.windows(part.len()).any(|window| window == part);
        let mut is_whole = true;
        folder::lines(&self.dir.join(path), LINE_BYTES_MAX, |line| {
            if parts.is_empty() || parts.iter().any(|part| has(line, part)) {
                match Stored::read(line) {
                    Ok(record) => see(&record),
                    Err(_) => is_whole = false,
                }
            }
        })?;
        if is_whole { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
    }

    fn listed(&self, path: &str) -> Option<&Listed> {
        let at = self.manifest.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok()?;
        self.manifest.files.get(at)
    }

    /// Whether the manifest lists that file.
    pub fn lists(&self, path: &str) -> bool {
        self.listed(path).is_some()
    }
}
