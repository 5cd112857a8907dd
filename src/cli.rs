//! Every verb and flag.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// A sealed darkroom for AI images.
#[derive(Parser)]
#[command(name = "lightproof", version, disable_help_subcommand = true, subcommand_required = true)]
#[command(arg_required_else_help = true)]
pub struct Cli {
    /// What holds for every verb.
    #[command(flatten)]
    pub global: Global,
    /// The verb.
    #[command(subcommand)]
    pub verb: Verb,
}

/// Flags of every verb.
#[derive(Args)]
pub struct Global {
    /// Keep configuration, vault and log below this folder instead of the XDG folders
    #[arg(long, global = true, value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// Folder of the sealed pictures
    #[arg(long, global = true, value_name = "DIR")]
    pub outputs: Option<PathBuf>,
    /// Read the passphrase from the first line of this file instead of the terminal
    #[arg(long, global = true, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// Print one JSON object on stdout
    #[arg(long, global = true)]
    pub json: bool,
    /// Print nothing on stderr but errors
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Use no colours
    #[arg(long, global = true)]
    pub no_color: bool,
}

/// The verbs.
#[derive(Subcommand)]
pub enum Verb {
    /// Serve the studio on 127.0.0.1
    Serve(Serve),
    /// Make pictures from a prompt, seal them, and record it
    Generate(Generate),
    /// Look at, export, erase or check sealed pictures
    #[command(subcommand)]
    History(History),
    /// Make, look at and check the vault, or change its passphrase
    #[command(subcommand)]
    Vault(Vault),
    /// Read or verify the log
    #[command(subcommand)]
    Audit(Audit),
    /// Try the fences and the demo model, or compare the engine with reference values
    Selftest(Selftest),
}

/// Arguments of `serve`.
#[derive(Args)]
pub struct Serve {
    /// Port on 127.0.0.1, 0 for any free one; the policy's, which is 7860 unless it says otherwise, without it
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Checkpoint folder; the embedded demo model without it
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
    /// Where to compute: cpu or cuda:0
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub device: String,
}

/// Arguments of `generate`.
#[derive(Args)]
pub struct Generate {
    /// What the picture shows; `-` reads it from stdin, which keeps it out of process lists and shell history
    #[arg(
        required_unless_present = "prompt_file",
        conflicts_with = "prompt_file",
        allow_hyphen_values = false
    )]
    pub prompt: Option<std::ffi::OsString>,
    /// Read the prompt from this file
    #[arg(long, value_name = "FILE")]
    pub prompt_file: Option<PathBuf>,
    /// What guidance leads away from
    #[arg(long, value_name = "TEXT")]
    pub negative: Option<std::ffi::OsString>,
    /// Guidance scale, 0 to 100 with at most three decimals; 0 is off, as Turbo models want it
    #[arg(long, value_name = "G", allow_negative_numbers = true)]
    pub guidance: Option<f64>,
    /// Width and height in pixels, multiples of 16 from 16 to 2048 at most; the model may have a smaller bound
    #[arg(long, value_name = "WxH", value_parser = size, allow_hyphen_values = true)]
    pub size: Option<(i64, i64)>,
    /// Transformer evaluations per picture, 1 to 100
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub steps: Option<i64>,
    /// Seed of the first picture, 0 to 4294967295; drawn at random without it
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub seed: Option<i64>,
    /// Number of pictures, 1 to 16; picture i has seed + i
    #[arg(short = 'n', value_name = "N", allow_negative_numbers = true)]
    pub count: Option<i64>,
    /// Checkpoint folder; the embedded demo model without it
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
    /// Where to compute: cpu or cuda:0
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub device: String,
    /// Also write the plain picture there, as a second, recorded act
    #[arg(long, value_name = "PATH")]
    pub export: Option<PathBuf>,
    /// Keep the prompt in the sealed metadata
    #[arg(long)]
    pub remember_prompt: bool,
}

/// Verbs of `history`.
#[derive(Subcommand)]
pub enum History {
    /// List the sealed pictures, newest first
    List,
    /// Show what is known of one picture
    Show {
        /// Identifier or name of a picture
        id: String,
    },
    /// Write plain copies; each is a record
    Export {
        /// Identifiers or names of pictures
        #[arg(required = true)]
        ids: Vec<String>,
        /// File, or folder for several
        #[arg(short, value_name = "PATH")]
        output: PathBuf,
    },
    /// Destroy pictures for good: their keys are erased
    Rm {
        /// Identifiers or names of pictures
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        ids: Vec<String>,
        /// Every picture
        #[arg(long)]
        all: bool,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Open every sealed picture and check all of it
    Verify,
    /// List the pictures whose sealed files are gone
    Missing {
        /// Take the folder of sealed pictures as it is: what is not in it is lost for good, and this goes on record
        #[arg(long)]
        accept: bool,
    },
}

/// Verbs of `vault`.
#[derive(Subcommand)]
pub enum Vault {
    /// Make the vault; shows the recovery code once, at a terminal
    Init,
    /// What can be known of the vault without a passphrase
    Status,
    /// Check vault and sealed pictures
    Verify,
    /// Set a new passphrase, with the old one or the recovery code
    Passwd {
        /// Read the new passphrase from the first line of this file
        #[arg(long, value_name = "FILE")]
        new_passphrase_file: Option<PathBuf>,
    },
    /// Draw a new recovery code; the old one opens nothing afterwards
    Recovery,
}

/// Verbs of `audit`.
#[derive(Subcommand)]
pub enum Audit {
    /// Print the newest records
    Tail {
        /// How many
        #[arg(short = 'n', default_value_t = 10)]
        count: usize,
    },
    /// Check every record, signature and tile
    Verify {
        /// A checkpoint that was kept elsewhere; finds a log cut back to an older state
        #[arg(long, value_name = "FILE")]
        expect: Option<PathBuf>,
    },
}

/// Arguments of `selftest`.
#[derive(Args)]
pub struct Selftest {
    /// Folder with cases.json, golden tensors and possibly model/; without it the fences and the demo model are tried
    #[arg(long, value_name = "DIR")]
    pub reference: Option<PathBuf>,
    /// Checkpoint folder, if the reference folder has no model/
    #[arg(long, value_name = "DIR", requires = "reference")]
    pub model: Option<PathBuf>,
}

/// `1280x720`, numbers unchecked: the limits belong to the darkroom.
fn size(text: &str) -> Result<(i64, i64), String> {
    let number = |part: &str| part.trim().parse().ok();
    let (width, height) =
        text.split_once(['x', 'X', '×']).ok_or("write it as WIDTHxHEIGHT, such as 128x128")?;
    number(width).zip(number(height)).ok_or_else(|| "width and height must be whole numbers".into())
}
