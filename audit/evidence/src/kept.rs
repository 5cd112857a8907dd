//! The last runs, kept beside the log: one file each, named by its SHA-256, which the record `evidence.tried` carries. So the
//! signature of the log is theirs, too, and nobody needs a key to read them.

use crate::error::{Error, io_error};
use crate::folder;
use crate::run::Run;
use audit::Digest;
use std::path::Path;

/// Runs that are kept; older ones go.
pub const RUNS_KEPT_MAX: usize = 10;
/// Bytes of a run: 64 controls with a few facts each take some 30,000.
const RUN_BYTES_MAX: u64 = 4 << 20;

/// What is kept.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Kept {
    /// The newest first.
    pub runs: Vec<Run>,
    /// Files that are no run of this version: another version wrote them, or a crash cut them short.
    pub others: u64,
}

/// Keeps a run in `dir`, which must be there. When this returns its file is durable, and its digest may go on record.
///
/// # Errors
/// [`Error::Io`].
pub fn keep(dir: &Path, run: &Run) -> Result<Digest, Error> {
    let bytes = run.to_json();
    let digest = Digest::of(&bytes);
    folder::write_durable(dir, &format!("{digest}.json"), &bytes)?;
    for (_, name) in files(dir)?.0.into_iter().skip(RUNS_KEPT_MAX) {
        folder::remove(dir, &name)?;
    }
    Ok(digest)
}

/// The runs that are kept in `dir`; none, if it is not there.
///
/// # Errors
/// [`Error::Io`].
pub fn kept(dir: &Path) -> Result<Kept, Error> {
    let (runs, others) = files(dir)?;
    Ok(Kept { runs: runs.into_iter().map(|(run, _)| run).collect(), others })
}

/// The runs with the names of their files, the newest first, and how many other files there are.
fn files(dir: &Path) -> Result<(Vec<(Run, String)>, u64), Error> {
    let names = match folder::names(dir) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok((Vec::new(), 0)),
        other => other.map_err(io_error("read", dir))?,
    };
    let (mut runs, mut others) = (Vec::new(), 0);
    for name in names {
        // What lies deeper is a bundle that is being made, or that a crash left.
        if name.contains('/') {
            continue;
        }
        let path = dir.join(&name);
        let bytes = folder::read(&path, RUN_BYTES_MAX).unwrap_or_default();
        match Run::parse(&bytes) {
            Ok(run) if name == format!("{}.json", Digest::of(&bytes)) => runs.push((run, name)),
            _ => others += 1,
        }
    }
    runs.sort_by_key(|(run, _)| std::cmp::Reverse(run.started_ms));
    Ok((runs, others))
}

#[cfg(test)]
#[path = "tests/kept.rs"]
mod tests;
