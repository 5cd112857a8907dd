//! Verbs about updates.

use clap::Subcommand;
use std::path::PathBuf;

/// Verbs of `upgrade`.
#[derive(Subcommand)]
pub enum Upgrade {
    /// Check an update that was carried here: who signed it, that it is for this machine and no older than this program, and each file
    /// beside it. Nothing is installed, and nothing is written
    Verify {
        /// The file `lightproof.update`, in the folder with the packages
        file: PathBuf,
        /// The public key of whoever signs them, got by another way, as `openssl pkey -pubout` writes it; only for a build that pins
        /// none of its own
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
    },
}
