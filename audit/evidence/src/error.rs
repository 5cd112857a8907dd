//! What can go wrong with evidence, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

/// An error of evidence.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file of a run does not say what a run says.
    #[error("the results cannot be used: {what}; try the controls anew")]
    Run {
        /// What is wrong.
        what: String,
    },
    /// A bundle is to be made where something is already.
    #[error("{dir} is there already, and is no empty folder; name one that is to be made")]
    Exists {
        /// The folder.
        dir: PathBuf,
    },
    /// There is no bundle.
    #[error("there is no bundle in {dir}; name the folder that holds manifest.json")]
    Absent {
        /// The folder.
        dir: PathBuf,
    },
    /// There is no certificate.
    #[error("there is no certificate in {dir}; name the folder that holds certificate.json")]
    NoCertificate {
        /// The folder.
        dir: PathBuf,
    },
    /// What is to be verified is a part of a log: that of a slice or of a bundle.
    #[error(
        "{dir} is a part of a log, as a slice or a bundle holds it, and no log: a slice is checked as its VERIFY.md says, a bundle with: \
         lightproof-audit bundle verify"
    )]
    PartOfLog {
        /// The folder.
        dir: PathBuf,
    },
    /// More pictures than one certificate is about.
    #[error(
        "{count} erasures are too many for one certificate, which takes {count_max}; name a period with --since and --until"
    )]
    TooMany {
        /// How many.
        count: usize,
        /// How many may be.
        count_max: usize,
    },
    /// A record that the evidence rests on is not in the log.
    #[error("record {seq} is not what the evidence rests on: {what}; verify the log")]
    Record {
        /// Its number.
        seq: u64,
        /// What is wrong with it.
        what: &'static str,
    },
    /// What the log says.
    #[error(transparent)]
    Log(#[from] audit::Error),
    /// A file could not be read or written.
    #[error("cannot {during} {path}: {source}")]
    Io {
        /// What was being done.
        during: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The list of the program's parts is none.
    #[error(
        "the list of parts that was compiled into this program makes no sense; build it anew with the list of deploy/sbom"
    )]
    Sbom,
    /// The kernel gave no randomness.
    #[error("the kernel gave no randomness; try again")]
    Randomness,
}

/// Says what was being done, and with which file.
pub(crate) fn io_error(during: &'static str, path: &Path) -> impl Fn(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { during, path: path.clone(), source }
}
