//! Every verb and flag.

mod backup;
mod joint;
mod keys;
mod machine;
mod manual;
mod models;
mod people;
mod proof;
mod settings;
mod support;
mod upgrade;

use crate::examples;
use crate::exit::Code;
use clap::{Args, Command, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

pub use backup::Backup;
pub use joint::Joint;
pub use keys::{Keys, Outputs};
pub use machine::Machine;
pub use manual::{Completions, Man, Shell};
pub use models::{Model, ModelsProcess};
pub use people::{Hold, HoldVerb, Operator, OperatorVerb, Token, TokenVerb};
pub use proof::{Audit, Bundle, BundleOf, Certificate, Evidence, Export, Freeze, LogForm, Show, Stamp};
pub use settings::{Format, Settings};
pub use support::{Support, SupportBundle};
pub use upgrade::Upgrade;

/// Heading of the flags that every verb takes.
const EVERY: &str = "Flags of every verb";
/// A sealed darkroom for AI images.
#[derive(Parser)]
#[command(name = "lightproof", version, subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = examples::ALL)]
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
    /// Keep configuration, vault, log and evidence below this folder instead of the XDG folders
    #[arg(long, global = true, value_name = "DIR", help_heading = EVERY)]
    pub home: Option<PathBuf>,
    /// Print one JSON object on stdout
    #[arg(long, global = true, help_heading = EVERY)]
    pub json: bool,
    /// Print nothing on stderr but errors and warnings
    #[arg(long, short, global = true, help_heading = EVERY)]
    pub quiet: bool,
    /// Use no colours
    #[arg(long, global = true, help_heading = EVERY)]
    pub no_color: bool,
}

/// The verbs.
#[derive(Subcommand)]
pub enum Verb {
    /// Serve the studio on 127.0.0.1
    #[command(after_help = examples::SERVE)]
    Serve(Serve),
    /// Make pictures from a prompt, seal them, and record it
    #[command(after_help = examples::GENERATE)]
    Generate(Generate),
    /// Make the pictures of a file, line by line, and go on where it was interrupted
    #[command(after_help = examples::BATCH)]
    Batch(Batch),
    /// Look at, export, erase or check sealed pictures
    #[command(after_help = examples::HISTORY)]
    History(History),
    /// Make, look at and check the vault, or change its passphrase
    #[command(subcommand, after_help = examples::VAULT)]
    Vault(Vault),
    /// List, add or remove the people who use the vault
    #[command(after_help = examples::OPERATOR)]
    Operator(Operator),
    /// Make, list or revoke the tokens with which programs ask the server
    #[command(after_help = examples::TOKEN)]
    Token(Token),
    /// Bring models in without a network, look at them, check, choose and remove them
    #[command(subcommand, after_help = examples::MODEL)]
    Model(Model),
    /// Set, list or end legal holds, which keep pictures from every erasure
    #[command(after_help = examples::HOLD)]
    Hold(Hold),
    /// Make, check, list or put back backups of everything
    #[command(subcommand, after_help = examples::BACKUP)]
    Backup(Backup),
    /// Read, explain or verify the log
    #[command(subcommand, after_help = examples::AUDIT)]
    Audit(Audit),
    /// Say on one screen how the appliance is, without a passphrase
    #[command(after_help = examples::STATUS)]
    Status(Status),
    /// Say whether this machine is fit, and what to change where it is not, without a passphrase
    #[command(after_help = examples::DOCTOR)]
    Doctor(Doctor),
    /// Make what whoever is asked for help may see, without names and without content
    #[command(subcommand, after_help = examples::SUPPORT)]
    Support(Support),
    /// Check an update before it is installed
    #[command(subcommand, after_help = examples::UPGRADE)]
    Upgrade(Upgrade),
    /// Try the controls, and hand over what was found
    #[command(subcommand, after_help = examples::EVIDENCE)]
    Evidence(Evidence),
    /// Show the settings in force, or check a policy file
    #[command(subcommand, after_help = examples::CONFIG)]
    Config(Config),
    /// Try the fences and the demo model, or compare the engine with reference values
    #[command(after_help = examples::SELFTEST)]
    Selftest(Selftest),
    /// Print the script with which a shell completes verbs and flags
    #[command(after_help = examples::COMPLETIONS)]
    Completions(Completions),
    /// Print a manual page, or write those of all verbs
    #[command(after_help = examples::MAN)]
    Man(Man),
    /// A part of the program that it starts itself
    #[command(hide = true)]
    Engine(EngineProcess),
    /// A part of the program that it starts itself
    #[command(hide = true)]
    ModelsProcess(ModelsProcess),
}

impl Verb {
    /// What it computes with, if it makes pictures.
    pub fn computing(&mut self) -> Option<&mut Computing> {
        match self {
            Self::Serve(Serve { computing, .. })
            | Self::Generate(Generate { computing, .. })
            | Self::Batch(Batch { computing, .. }) => Some(computing),
            _ => None,
        }
    }

    /// What it needs an engine with, if it makes pictures.
    pub fn engine(&self) -> Option<EngineUse<'_>> {
        if let Self::Evidence(Evidence::Rehearse { pictures, .. }) = self {
            let (model, outputs) = (None, pictures.as_deref());
            return Some(EngineUse { model, device: Computing::DEVICE, outputs, serves: false });
        }
        let (Computing { model, device }, keys) = match self {
            Self::Serve(Serve { computing, keys, .. })
            | Self::Generate(Generate { computing, keys, .. })
            | Self::Batch(Batch { computing, keys, .. }) => (computing, keys),
            _ => return None,
        };
        let serves = matches!(self, Self::Serve(_));
        Some(EngineUse { model: model.as_deref(), device, outputs: keys.pictures.outputs.as_deref(), serves })
    }
}

/// What a verb needs an engine with.
#[derive(Clone, Copy)]
pub struct EngineUse<'a> {
    /// Folder of the checkpoint; none for the embedded model.
    pub model: Option<&'a Path>,
    /// Where to compute.
    pub device: &'a str,
    /// Folder of the sealed pictures, if a flag names one: what an engine must not read.
    pub outputs: Option<&'a Path>,
    /// Whether it is a service, which a service manager may want to hear of.
    pub serves: bool,
}

/// Arguments of the process with the model.
#[derive(Args)]
pub struct EngineProcess {
    /// Checkpoint folder; the embedded demo model without it
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
    /// Where to compute: cpu, or cuda:N for the card of that number
    #[arg(long, value_name = "DEVICE")]
    pub device: String,
    /// Where the pictures are, which it must not read.
    #[command(flatten)]
    pub pictures: Outputs,
}

impl Computing {
    /// Where it is computed if nobody says.
    pub const DEVICE: &str = "cpu";
}

/// Flags of the verbs that make pictures.
#[derive(Args)]
pub struct Computing {
    /// Checkpoint folder; without it the model in use (`model use`), which is the embedded demo model at first
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
    /// Where to compute: cpu, or cuda:N for the card of that number
    #[arg(long, value_name = "DEVICE", default_value = Self::DEVICE)]
    pub device: String,
}

/// Arguments of `serve`.
#[derive(Args)]
pub struct Serve {
    /// Port on 127.0.0.1, 0 for any free one; the policy's, which is 7860 unless it says otherwise, without it
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// What computes.
    #[command(flatten)]
    pub computing: Computing,
    /// Vault and pictures.
    #[command(flatten)]
    pub keys: Keys,
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
    pub prompt: Option<OsString>,
    /// Read the prompt from this file
    #[arg(long, value_name = "FILE")]
    pub prompt_file: Option<PathBuf>,
    /// How it is made.
    #[command(flatten)]
    pub settings: Settings,
    /// What computes.
    #[command(flatten)]
    pub computing: Computing,
    /// Also write the plain picture there, a PNG file or a folder, as a second, recorded act; `-` is standard output
    #[arg(long, value_name = "PATH")]
    pub export: Option<PathBuf>,
    /// Vault and pictures.
    #[command(flatten)]
    pub keys: Keys,
}

/// Arguments of `batch`.
#[derive(Args)]
pub struct Batch {
    /// One request a line: a prompt in .txt, where a line that begins with # is none; an object in .jsonl; in .csv a row below
    /// one that names the columns. An object and a row have prompt and, each optional, negative_prompt, width, height, steps,
    /// guidance, seed, count, remember_prompt. `-` is standard input, and cannot be gone on with
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// What FILE holds, where its name does not say
    #[arg(long, value_name = "F")]
    pub format: Option<Format>,
    /// Where it is kept how far the work has come, by numbers of lines alone; FILE.progress without it. Who starts the same
    /// batch again goes on there, and what had failed is tried again
    #[arg(long, value_name = "FILE")]
    pub progress: Option<PathBuf>,
    /// What holds where a line says nothing else.
    #[command(flatten)]
    pub settings: Settings,
    /// What computes.
    #[command(flatten)]
    pub computing: Computing,
    /// Also write each plain picture to this folder, as a second, recorded act
    #[arg(long, value_name = "DIR")]
    pub export: Option<PathBuf>,
    /// Vault and pictures.
    #[command(flatten)]
    pub keys: Keys,
}

/// `history` and its verbs.
#[derive(Args)]
pub struct History {
    /// Vault and pictures.
    #[command(flatten)]
    pub keys: Keys,
    /// The verb.
    #[command(subcommand)]
    pub verb: HistoryVerb,
}

/// Verbs of `history`.
#[derive(Clone, Subcommand, Serialize, Deserialize)]
pub enum HistoryVerb {
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
        /// PNG file, or folder for several; `-` is standard output
        #[arg(short, value_name = "PATH")]
        #[serde(skip)]
        output: PathBuf,
    },
    /// Say which exports on record a plain copy is, byte for byte; once its picture is erased nobody can
    Prove {
        /// The plain copy
        #[serde(skip)]
        file: PathBuf,
    },
    /// Destroy pictures for good: their keys are erased
    Rm {
        /// Identifiers or names of pictures
        #[arg(required_unless_present_any = ["all", "of"], conflicts_with_all = ["all", "of"])]
        ids: Vec<String>,
        /// Every picture of yours
        #[arg(long)]
        all: bool,
        /// Every picture of somebody, also of one who was removed; for an admin
        #[arg(long, value_name = "NAME", conflicts_with = "all")]
        of: Option<String>,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Make a signed folder for the person who asked for an erasure: what was destroyed, how well, and what was not
    Certificate(Certificate),
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
#[derive(Clone, Subcommand, Serialize, Deserialize)]
pub enum Vault {
    /// Make the vault; shows the recovery code once, at a terminal
    Init(#[serde(skip)] Keys),
    /// What can be known of the vault without a passphrase
    Status(#[serde(skip)] Outputs),
    /// Check vault and sealed pictures
    Verify(#[serde(skip)] Keys),
    /// Set a new passphrase, with the old one or the recovery code
    Passwd {
        /// Read the new passphrase from the first line of this file or pipe
        #[arg(long, value_name = "FILE")]
        #[serde(skip)]
        new_passphrase_file: Option<PathBuf>,
        /// Vault and pictures.
        #[command(flatten)]
        #[serde(skip)]
        keys: Keys,
    },
    /// Draw a new recovery code; the old one opens nothing afterwards
    Recovery(#[serde(skip)] Keys),
    /// Add or remove the machine secret, with which a server opens the vault without a person, where the policy lets it, or which
    /// passphrases go with
    #[command(subcommand)]
    Machine(Machine),
    /// Have two people open the vault together, any two of those who are named, and nobody alone
    #[command(subcommand)]
    Joint(Joint),
    /// Erase the pictures that are past the period of the policy (`picture_days_max`), and destroy the names of who was removed that
    /// are past theirs (`names_days_max`), as the server does by itself
    Retain {
        /// Say what is due, and do nothing
        #[arg(long, conflicts_with = "yes")]
        dry_run: bool,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        /// Vault and pictures.
        #[command(flatten)]
        #[serde(skip)]
        keys: Keys,
    },
    /// Draw new keys for the vault: what older copies of its file say opens no more; passphrases and pictures stay
    Rotate(#[serde(skip)] Keys),
    /// Destroy every picture, and the vault with all of its keys; the log stays
    Destroy {
        /// Make a certificate of the end of these pictures in this folder, which is made
        #[arg(long, value_name = "DIR")]
        #[serde(skip)]
        certificate: Option<PathBuf>,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        /// Vault and pictures.
        #[command(flatten)]
        #[serde(skip)]
        keys: Keys,
    },
    /// Try whether the recovery code in the safe still opens the vault; nothing changes, and that it was tried goes on record
    Drill(#[serde(skip)] Keys),
}

/// Verbs of `config`.
#[derive(Subcommand)]
pub enum Config {
    /// Print every setting and folder in force
    Show {
        /// Say where each comes from: built in, the policy file, a variable or a flag
        #[arg(long)]
        origin: bool,
        /// Where the pictures are.
        #[command(flatten)]
        pictures: Outputs,
    },
    /// Say whether a file would be taken as the policy, and what it would change
    Check {
        /// The file
        file: PathBuf,
    },
}

/// Arguments of `status`.
#[derive(Args)]
pub struct Status {
    /// Print it as numbers in the text form of Prometheus, without names, for the textfile collector of a monitor
    #[arg(long, conflicts_with = "json")]
    pub metrics: bool,
    /// Where the pictures are.
    #[command(flatten)]
    pub pictures: Outputs,
}

/// Arguments of `doctor`: those with which `serve` is to be started.
#[derive(Args)]
pub struct Doctor {
    /// Port to look at; the policy's, which is 7860 unless it says otherwise, without it
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// What is to compute.
    #[command(flatten)]
    pub computing: Computing,
    /// Where the pictures are.
    #[command(flatten)]
    pub pictures: Outputs,
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

impl Cli {
    /// Every verb and flag, with what the help says.
    pub fn definitions() -> Command {
        with_ends(Self::command(), "lightproof", "")
    }

    /// The arguments of this process.
    ///
    /// # Errors
    /// What is wrong with them, or that help or version is asked for.
    pub fn of_process() -> Result<Self, clap::Error> {
        Self::parse_words(std::env::args_os())
    }

    /// The same from a list, the program's name first.
    pub fn parse_words(
        words: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    ) -> Result<Self, clap::Error> {
        let mut command = Self::definitions();
        let mut matches = command.try_get_matches_from_mut(words)?;
        Self::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
    }
}

/// The help of each verb ends with examples, its own or those among the examples of the verb above it that are of it; and the long one with
/// what its exit code says.
fn with_ends(command: Command, words: &str, above: &str) -> Command {
    let own = command.get_after_help().map(ToString::to_string);
    let examples = own.clone().unwrap_or_else(|| examples::of(words, above));
    let rows = Code::TABLE.iter().map(|(code, means)| format!("  {:>3}  {means}", *code as u8));
    let codes = rows.fold("Exit codes:".to_owned(), |text, row| text + "\n" + &row);
    let command = match (own, examples.is_empty()) {
        (None, false) => command.after_help(examples.clone()),
        _ => command,
    };
    let text = if examples.is_empty() { codes } else { format!("{examples}\n\n{codes}") };
    command.after_long_help(text).mut_subcommands(|verb| {
        let words = format!("{words} {}", verb.get_name());
        with_ends(verb, &words, &examples)
    })
}
