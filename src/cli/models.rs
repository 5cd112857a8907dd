//! Verbs about the models that were brought in.

use super::keys::Keys;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Verbs of `model`.
#[derive(Subcommand)]
pub enum Model {
    /// Copy a model from a folder, such as one on a stick or in a cache of downloads, pin its files, and put that on record
    Import {
        /// The folder as it was released, with model_index.json in it; or one of a Hugging Face cache, models--NAME
        #[arg(value_name = "PATH")]
        path: PathBuf,
        /// Its name from here on: small letters, digits, dots and hyphens; from the folder's without it
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// Vault and pictures.
        #[command(flatten)]
        keys: Keys,
    },
    /// List the models
    List,
    /// Show the files of a model
    Info {
        /// Its name
        name: String,
    },
    /// Read every file, and hold it against what was imported: of one model, or of all
    Verify {
        /// Its name
        name: Option<String>,
    },
    /// Check a model, and take it from now on where --model names no other; `demo` is the one inside the program
    Use {
        /// Its name
        name: String,
        /// Vault and pictures.
        #[command(flatten)]
        keys: Keys,
    },
    /// Remove a model
    Rm {
        /// Its name
        name: String,
        /// Vault and pictures.
        #[command(flatten)]
        keys: Keys,
    },
}

/// Arguments of the process that looks after the models.
#[derive(Args)]
pub struct ModelsProcess {
    /// What it is to do: import, look, verify, use or remove.
    pub act: String,
    /// The model.
    #[arg(long)]
    pub name: Option<String>,
    /// The folder that is copied from.
    #[arg(long)]
    pub source: Option<PathBuf>,
}
