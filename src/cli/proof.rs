//! Verbs about what can be proved: the log and the evidence.

use super::keys::Keys;
use clap::{Args, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Verbs of `audit`.
#[derive(Subcommand)]
pub enum Audit {
    /// Print the newest records
    Tail {
        /// How many
        #[arg(short = 'n', value_name = "N", default_value_t = 10)]
        count: u64,
        /// Go on with each new record, once it is signed, until ^C; with --json each stands on a line of its own
        #[arg(long, short)]
        follow: bool,
    },
    /// Print one record, or those that match, oldest first
    Show(Show),
    /// Say in words what a record means, and each of its fields
    Explain {
        /// Its number
        #[arg(value_name = "N")]
        record: u64,
    },
    /// Give all records to another program, one a line: to standard output, or as files in a folder that it empties
    Export {
        /// The form of each line: json, as it is stored, or ocsf, version 1.8.0 of that schema
        #[arg(long, value_name = "FORM", default_value = "json")]
        format: LogForm,
        /// Leave out the first N records: the number that the last export said
        #[arg(long, value_name = "N")]
        after: Option<u64>,
        /// Folder that gets what is new as its next file; it begins with --after N, and knows afterwards where it stands
        #[arg(long, value_name = "DIR")]
        spool: Option<PathBuf>,
    },
    /// Have an authority outside say when the log was as it is
    #[command(subcommand)]
    Stamp(Stamp),
    /// Give out the newest checkpoint, to be kept elsewhere: a log that is cut back does not go on from it
    Checkpoint {
        /// File that is to be made, with the text of the checkpoint whatever its name is; standard output without it
        #[arg(short, value_name = "FILE")]
        output: Option<PathBuf>,
        /// As a QR code: in characters, to be read from the screen or printed, and with -o as a picture to print (SVG), which says below what
        /// it is of; `audit verify --expect` takes the text that either holds, and not the picture
        #[arg(long)]
        qr: bool,
    },
    /// Take away the content of records that are past the period of the policy (`log_days_max`); their hashes stay, and the log verifies
    Prune {
        /// Say what is due, and do nothing
        #[arg(long, conflicts_with = "yes")]
        dry_run: bool,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        /// Vault and pictures.
        #[command(flatten)]
        keys: Keys,
    },
    /// Check every record, signature and tile
    Verify {
        /// A checkpoint that was kept elsewhere, or `-` for standard input; finds a log cut back to an older state. Without it the copy is
        /// taken that the policy has made (`checkpoint_copy`), if it has
        #[arg(long, value_name = "FILE")]
        expect: Option<PathBuf>,
    },
}

/// The form of the lines of `audit export`.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogForm {
    /// As they are stored.
    Json,
    /// As events of OCSF.
    Ocsf,
}

/// Verbs of `audit stamp`.
#[derive(Subcommand)]
pub enum Stamp {
    /// Make a request for a time stamp (RFC 3161) over the newest checkpoint, to be carried to an authority
    Request {
        /// File that is to be made
        #[arg(short, value_name = "FILE")]
        output: PathBuf,
    },
    /// Check the answer of an authority against its request, and put it on record
    Import {
        /// The answer
        #[arg(value_name = "ANSWER")]
        answer: PathBuf,
        /// The request that it answers
        #[arg(long, value_name = "FILE")]
        request: PathBuf,
    },
    /// List the stamps on record, each held against what is kept of it
    List,
}

/// Arguments of `audit show`: what a record must be to be shown.
#[derive(Args)]
pub struct Show {
    /// Its number
    #[arg(value_name = "N", conflicts_with_all = ["object", "job", "name", "outcome", "since", "until"])]
    pub record: Option<u64>,
    /// The picture that it concerns, as the log calls it: `history show` says how
    #[arg(long, value_name = "O")]
    pub object: Option<String>,
    /// The request that it belongs to
    #[arg(long, value_name = "J")]
    pub job: Option<String>,
    /// Its type, such as object.exported, or the first word of several types, such as vault
    #[arg(long = "type", value_name = "T")]
    pub name: Option<String>,
    /// How the act ended: ok, denied or failed
    #[arg(long, value_name = "WORD")]
    pub outcome: Option<String>,
    /// The first moment in UTC, such as 2026-01-31 or 2026-01-31T07:08
    #[arg(long, value_name = "T")]
    pub since: Option<String>,
    /// The last moment in UTC; a day or a minute counts to its end
    #[arg(long, value_name = "T")]
    pub until: Option<String>,
}

/// Verbs of `evidence`.
#[derive(Subcommand)]
pub enum Evidence {
    /// Try every control that can be tried now, and keep what was found; what needs the vault open is tried with
    /// --passphrase-file
    Run(Keys),
    /// List the controls, each with what was found last
    List,
    /// Show one control: what is claimed, how it is measured, and what the last runs found
    Show {
        /// Its id, such as NET-02
        id: String,
    },
    /// Try the controls, and make a folder for an auditor, signed, that others' programs can check
    Export(Export),
    /// Pin the state at an incident, start the clocks of the laws that ask for reports, and make a bundle of it
    Freeze(Freeze),
    /// Show that the probes can fail: make a throw-away appliance, break one control after the other on it, and hand over what was found,
    /// signed, beside what was found of the same one when it was sound
    Rehearse {
        /// Folder that is to be made: the appliance and both bundles lie in it, and nothing anywhere else
        #[arg(short, value_name = "DIR")]
        output: PathBuf,
        /// Where the pictures of the appliance lie, which no flag says.
        #[arg(skip)]
        pictures: Option<PathBuf>,
    },
    /// Say which incidents have clocks that run, and what is due when
    Clocks,
    /// Say on record that what an incident asked for is done: its clocks stop
    Settled {
        /// Its name, `j:` and 22 characters, as `evidence clocks` says it
        incident: String,
        /// Vault and pictures.
        #[command(flatten)]
        keys: Keys,
    },
    /// Make a folder for a person who asks what is held about them: what log and vault have of it, to read and for programs
    Subject {
        /// The name of the person, or `a:` and 22 characters, as the records have it; your own without it
        #[arg(value_name = "WHO")]
        pseudonym: Option<String>,
        /// Folder that is to be made
        #[arg(short, value_name = "DIR")]
        output: PathBuf,
        /// Vault and pictures.
        #[command(flatten)]
        keys: Keys,
    },
    /// Check such a folder, or a certificate of erasure: every file, signature, proof and outcome
    Verify {
        /// The folder
        dir: PathBuf,
        /// A checkpoint that was kept elsewhere, or `-` for standard input; the log of the bundle must go on from it, and a certificate
        /// rest on it
        #[arg(long, value_name = "FILE")]
        expect: Option<PathBuf>,
        /// The first key of the log, as it was noted when the log was made
        #[arg(long, value_name = "KEY")]
        first_key: Option<String>,
    },
}

/// Arguments of `history certificate`.
#[derive(Args, Clone, Serialize, Deserialize)]
pub struct Certificate {
    /// Pseudonyms of erased pictures, as `history rm` answered them (o: and 22 characters); or the id that one had, which stands
    /// for all that was erased with it at once
    #[arg(required_unless_present_any = ["all", "of_everybody", "since", "until"], conflicts_with_all = ["all", "of_everybody"])]
    pub objects: Vec<String>,
    /// Every picture that you erased, or made and somebody erased
    #[arg(long)]
    pub all: bool,
    /// Every erasure, whoever asked for it; for an admin
    #[arg(long, conflicts_with = "all")]
    pub of_everybody: bool,
    /// Those from this moment in UTC on, such as 2026-01-31 or 2026-01-31T07:08
    #[arg(long, value_name = "T")]
    pub since: Option<String>,
    /// Those up to this moment in UTC; a day or a minute counts to its end
    #[arg(long, value_name = "T")]
    pub until: Option<String>,
    /// Folder that is to be made
    #[arg(short, value_name = "DIR")]
    #[serde(skip)]
    pub output: PathBuf,
}

/// Arguments of `evidence freeze`.
#[derive(Args)]
pub struct Freeze {
    /// breach (of personal data), incident (of the systems), vulnerability (that somebody uses), order (of a court or an authority)
    /// or exercise
    #[arg(long, value_name = "WHY")]
    pub reason: String,
    /// Start the clocks of this law, besides those that the policy names: gdpr, dora or cra; may be given several times, and is gdpr
    /// where neither names one
    #[arg(long, value_name = "LAW")]
    pub law: Vec<String>,
    /// What the bundle is to be.
    #[command(flatten)]
    pub bundle: Bundle,
}

/// Arguments of `evidence export`.
#[derive(Args)]
pub struct Export {
    /// Hand it over for this incident, `j:` and 22 characters, as `evidence clocks` says it
    #[arg(long, value_name = "J")]
    pub incident: Option<String>,
    /// What the bundle is to be.
    #[command(flatten)]
    pub bundle: Bundle,
}

/// What a bundle of evidence is to be.
#[derive(Args)]
pub struct Bundle {
    /// Folder that is to be made
    #[arg(short, value_name = "DIR")]
    pub output: PathBuf,
    /// What it is to be about.
    #[command(flatten)]
    pub of: BundleOf,
    /// Vault and pictures.
    #[command(flatten)]
    pub keys: Keys,
}

/// What a bundle of evidence is to be about.
#[derive(Args, Clone, Serialize, Deserialize)]
pub struct BundleOf {
    /// Hand over the records from this moment in UTC on, such as 2026-01-31 or 2026-01-31T07:08; from the first one without it
    #[arg(long, value_name = "T")]
    pub since: Option<String>,
    /// Hand over the records up to this moment in UTC; a day or a minute counts to its end
    #[arg(long, value_name = "T")]
    pub until: Option<String>,
    /// Write the files for people and for OSCAL about the controls of one framework: gdpr, iso27001, nist, ai-act or cn
    #[arg(long, value_name = "F")]
    pub framework: Option<String>,
    /// Write what people read in one language, en or zh; in both without it
    #[arg(long, value_name = "L")]
    pub lang: Option<String>,
    /// Hand it out although it does not pass its own check; it says so, and so does the log
    #[arg(long)]
    pub include_failures: bool,
}
