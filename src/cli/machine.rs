//! Flags of `vault machine`.

use super::keys::Keys;
use clap::Subcommand;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Verbs of `vault machine`.
#[derive(Clone, Subcommand, Serialize, Deserialize)]
pub enum Machine {
    /// Add the machine secret, of which there is one at most
    Add {
        /// Read it from this file or pipe: 32 to 4096 bytes, each of which counts, a line end too
        #[arg(long, value_name = "FILE", required_unless_present = "new_secret_file")]
        #[serde(skip)]
        secret_file: Option<PathBuf>,
        /// Draw one, and write it to this file, which is made
        #[arg(long, value_name = "FILE", conflicts_with = "secret_file")]
        #[serde(skip)]
        new_secret_file: Option<PathBuf>,
        /// It opens nothing by itself: from here on your passphrase opens the vault together with it alone, and so does every one that
        /// is set later. The recovery code opens it without both
        #[arg(long)]
        with_passphrases: bool,
        /// Vault and pictures.
        #[command(flatten)]
        #[serde(skip)]
        keys: Keys,
    },
    /// Remove it: it opens nothing afterwards, nor an older copy of the vault's file
    Remove(#[serde(skip)] Keys),
}
