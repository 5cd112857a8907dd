//! Flags of the verbs that open the vault.

use clap::Args;
use std::path::PathBuf;

/// Heading of the flags of those that have to do with the vault.
const VAULT: &str = "Vault and pictures";

/// The flag of the verbs that have to do with pictures.
#[derive(Args, Clone, Default)]
pub struct Outputs {
    /// Folder of the sealed pictures
    #[arg(long, global = true, value_name = "DIR", help_heading = VAULT)]
    pub outputs: Option<PathBuf>,
}

/// Flags of the verbs that open the vault.
#[derive(Args, Clone, Default)]
pub struct Keys {
    /// Where the pictures are.
    #[command(flatten)]
    pub pictures: Outputs,
    /// Read the passphrase from the first line of this file or pipe instead of the terminal
    #[arg(long, global = true, value_name = "FILE", help_heading = VAULT)]
    pub passphrase_file: Option<PathBuf>,
    /// The machine secret, in this file or pipe: what a passphrase goes with, where the vault asks for both, or what `serve` opens the
    /// vault with, where the policy says `unattended`; without this flag the service manager's credential `unlock`, if there is one
    #[arg(long, global = true, value_name = "FILE", help_heading = VAULT)]
    pub machine_secret_file: Option<PathBuf>,
    /// Who you are, where several people use the vault; asked for at the terminal without it
    #[arg(long, global = true, value_name = "NAME", help_heading = VAULT)]
    pub operator: Option<String>,
    /// Who the second one is, where two people open the vault together; asked for at the terminal without it
    #[arg(long, global = true, value_name = "NAME", help_heading = VAULT)]
    pub second_operator: Option<String>,
    /// Read the second one's passphrase from the first line of this file or pipe
    #[arg(long, global = true, value_name = "FILE", requires = "second_operator", help_heading = VAULT)]
    pub second_passphrase_file: Option<PathBuf>,
}
