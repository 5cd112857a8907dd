//! Verbs about backups.

use super::keys::Keys;
use clap::Subcommand;
use std::path::PathBuf;

/// `backup` and its verbs.
#[derive(Subcommand)]
pub enum Backup {
    /// Write everything into one sealed file: vault, pictures, log and policy
    Create {
        /// The file, which is made; `-` is standard output
        #[arg(short, value_name = "FILE")]
        output: PathBuf,
        /// Vault and pictures.
        #[command(flatten)]
        keys: Keys,
    },
    /// Read a backup to its end and open every picture in it; nothing is written
    Verify {
        /// The backup
        file: PathBuf,
        /// Vault and pictures.
        #[command(flatten)]
        keys: Keys,
    },
    /// Make vault, pictures and log from a backup, where there is no vault; what the log that is there says was erased since
    /// stays erased
    Restore {
        /// The backup
        file: PathBuf,
        /// Go on although no log has survived: nobody knows then what was erased since, and it comes back
        #[arg(long)]
        without_log: bool,
        /// No log has survived, but its records have, as `audit export` wrote them: what they say was erased stays erased
        #[arg(long, value_name = "FILE", conflicts_with = "without_log")]
        records: Option<PathBuf>,
        /// The folder of pictures is the one of the vault that is lost: go on with the sealed files that are left in it. For a drill
        /// beside the vault that lives, name another folder with --outputs
        #[arg(long)]
        same_pictures: bool,
        /// Vault and pictures.
        #[command(flatten)]
        keys: Keys,
    },
    /// Print the policy that was in force when a backup was made
    Policy {
        /// The backup
        file: PathBuf,
        /// Vault and pictures.
        #[command(flatten)]
        keys: Keys,
    },
    /// List the backups that may exist, by the log; each may still hold what was erased after it
    List,
    /// Say that every copy of a backup is destroyed; that you said so goes on record
    Destroyed {
        /// `j:` and 22 characters, as `backup list` and the records have it
        id: String,
        /// Vault and pictures.
        #[command(flatten)]
        keys: Keys,
    },
}
