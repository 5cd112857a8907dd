//! What a shell and `man` are given.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Shells that complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// GNU Bash.
    Bash,
    /// The Z shell.
    Zsh,
    /// fish.
    Fish,
}

/// Arguments of `completions`.
#[derive(Args)]
pub struct Completions {
    /// Which shell
    pub shell: Shell,
}

/// Arguments of `man`.
#[derive(Args)]
pub struct Man {
    /// The verb that the page is about, such as `history export`; the whole program without it
    #[arg(value_name = "VERB")]
    pub verb: Vec<String>,
    /// Write the pages of all verbs to this folder, which is there
    #[arg(short, value_name = "DIR", conflicts_with = "verb")]
    pub output: Option<PathBuf>,
}
