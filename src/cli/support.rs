//! Verbs for whoever is asked for help.

use super::keys::Outputs;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `support` and its verbs.
#[derive(Subcommand)]
pub enum Support {
    /// Make one file for whoever is asked for help: versions, fences, checks, numbers and lines of the program's log, without names
    /// and without content. It is shown whole before it is written, and on record where there is a log
    Bundle(SupportBundle),
}

/// Arguments of `support bundle`.
#[derive(Args)]
pub struct SupportBundle {
    /// The file, which is made
    #[arg(short, value_name = "FILE")]
    pub output: PathBuf,
    /// Lines that the program wrote under LIGHTPROOF_LOG, such as `journalctl -o cat` prints them; `-` is standard input. What such
    /// a line cannot hold is left out
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// Where the pictures are.
    #[command(flatten)]
    pub pictures: Outputs,
}
