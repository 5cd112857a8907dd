//! Flags of `vault joint`.

use super::keys::Keys;
use clap::Subcommand;
use serde::{Deserialize, Serialize};

/// Verbs of `vault joint`.
#[derive(Clone, Subcommand, Serialize, Deserialize)]
pub enum Joint {
    /// From here on any two of these people open the vault together, and nobody opens it alone, but with the recovery code, which is a
    /// new one; each of them types their passphrase
    Set {
        /// Who they are, one of them an admin: two for `2 of 2`, three for `2 of 3`, five at most
        #[arg(value_name = "NAME", required = true, num_args = 2..=5)]
        names: Vec<String>,
        /// Vault and pictures.
        #[command(flatten)]
        #[serde(skip)]
        keys: Keys,
    },
    /// From here on each passphrase opens the vault alone again
    End(#[serde(skip)] Keys),
}
