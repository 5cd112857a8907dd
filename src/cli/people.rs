//! Verbs about the people who use the vault, and about what of theirs is kept.

use super::keys::Keys;
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `operator` and its verbs.
#[derive(Args)]
pub struct Operator {
    /// Vault and pictures.
    #[command(flatten)]
    pub keys: Keys,
    /// The verb.
    #[command(subcommand)]
    pub verb: OperatorVerb,
}

/// Verbs of `operator`.
#[derive(Clone, Subcommand, Serialize, Deserialize)]
pub enum OperatorVerb {
    /// Add somebody with a passphrase of their own; your own name goes with --operator, the first time, too
    Add {
        /// Their name, for signing in; it is kept sealed, and no log has it
        name: String,
        /// operator makes pictures and sees those; admin manages people, too, and sees no others' pictures; auditor sees
        /// log and controls in the page, and none
        #[arg(long, value_name = "ROLE", default_value = "operator")]
        role: String,
        /// Read their passphrase from the first line of this file or pipe
        #[arg(long, value_name = "FILE")]
        #[serde(skip)]
        new_passphrase_file: Option<PathBuf>,
    },
    /// List everybody, with what they may do and how many pictures are theirs
    List,
    /// Remove somebody: their passphrase opens nothing afterwards
    Remove {
        /// Their name
        name: String,
        /// Keep their pictures sealed, where nobody sees them
        #[arg(long, group = "pictures")]
        keep_pictures: bool,
        /// Give their pictures to somebody
        #[arg(long, value_name = "NAME", group = "pictures")]
        hand_over_to: Option<String>,
        /// Destroy their pictures for good
        #[arg(long, group = "pictures")]
        erase_pictures: bool,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Change what somebody may do; what they are signed in for ends
    Role {
        /// Their name
        name: String,
        /// operator or admin; an auditor stays one
        role: String,
        /// Do not ask an admin who takes their own rights away
        #[arg(long)]
        yes: bool,
    },
    /// List what waits for a second admin, where the policy asks for one (`two_person`)
    Pending,
    /// Confirm what another admin has asked for: exactly that is done
    Confirm {
        /// Its number in `operator pending`
        number: u64,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Refuse what another admin has asked for, or take back what you have asked for yourself
    Refuse {
        /// Its number in `operator pending`
        number: u64,
    },
    /// Set a new passphrase of your own, or with the recovery code that of somebody who has lost theirs
    Passwd {
        /// Whose; your own without it
        name: Option<String>,
        /// Read the new passphrase from the first line of this file or pipe
        #[arg(long, value_name = "FILE")]
        #[serde(skip)]
        new_passphrase_file: Option<PathBuf>,
    },
    /// Say who is behind a pseudonym of the log; that you asked goes on record
    Resolve {
        /// `a:` and 22 characters, as the records have it
        pseudonym: String,
        /// incident, order (of a court or an authority), access (the person asks for it) or audit
        #[arg(long, value_name = "WHY")]
        reason: String,
    },
}

/// `hold` and its verbs.
#[derive(Args)]
pub struct Hold {
    /// Vault and pictures.
    #[command(flatten)]
    pub keys: Keys,
    /// The verb.
    #[command(subcommand)]
    pub verb: HoldVerb,
}

/// Verbs of `hold`.
#[derive(Clone, Subcommand, Serialize, Deserialize)]
pub enum HoldVerb {
    /// From here on none of these pictures can be erased, those that are made later among them
    Set {
        /// Whose; everybody's without it
        #[arg(long, value_name = "NAME")]
        of: Option<String>,
        /// litigation, investigation, order (of a court or an authority) or audit
        #[arg(long, value_name = "WHY")]
        reason: String,
    },
    /// List the holds that stand
    List,
    /// End a hold
    End {
        /// Whose; everybody's without it
        #[arg(long, value_name = "NAME")]
        of: Option<String>,
    },
}

/// `token` and its verbs.
#[derive(Args)]
pub struct Token {
    /// Vault and pictures.
    #[command(flatten)]
    pub keys: Keys,
    /// The verb.
    #[command(subcommand)]
    pub verb: TokenVerb,
}

/// Verbs of `token`.
#[derive(Clone, Subcommand, Serialize, Deserialize)]
pub enum TokenVerb {
    /// Make a token for a program of yours, which is shown once; it opens nothing while the vault is locked
    Create {
        /// generate (ask for pictures), read (look at yours, and take plain copies) or audit (read the log, try the controls);
        /// several with commas
        #[arg(long = "scope", value_name = "SCOPE", required = true, value_delimiter = ',')]
        scopes: Vec<String>,
        /// Days after which it opens nothing any more, 1 to 366
        #[arg(long, value_name = "N", default_value_t = darkroom::TOKEN_DAYS)]
        days: u32,
        /// What it is for, up to 64 bytes; kept sealed
        #[arg(long, value_name = "TEXT")]
        label: Option<String>,
    },
    /// List your tokens, with the day of their last use; an admin sees everybody's
    List,
    /// End a token: from here on it opens nothing
    Revoke {
        /// Its number in `token list`
        number: u64,
    },
}
