//! What a verb needs of a start.

use super::backup::BackupFile;
use super::folders::{Bundle, FolderUse, OfModels};
use crate::cli::Keys;
use diffusion::DeviceName;
use policy::Process;
use std::path::{Path, PathBuf};

/// Name of the credential of a service manager that holds one.
pub const CREDENTIAL: &str = "unlock";

/// The file with the machine secret: the one that was named, or the one that a service manager has put beside the program.
fn machine_secret(named: Option<&Path>) -> Option<PathBuf> {
    let handed = || {
        let folder = std::env::var_os("CREDENTIALS_DIRECTORY").filter(|folder| !folder.is_empty())?;
        Some(Path::new(&folder).join(CREDENTIAL)).filter(|file| file.exists())
    };
    named.map(Path::to_path_buf).or_else(handed)
}

/// What a process may touch besides the state: read before the fences, and granted by them.
pub struct Wants<'a> {
    /// Which one it is.
    pub process: Process,
    /// What becomes of the folders of vault and log.
    pub folder_use: FolderUse,
    /// Folder of the sealed pictures, if a flag names one.
    pub outputs: Option<&'a Path>,
    /// File or pipe with the passphrase.
    pub passphrase_file: Option<&'a Path>,
    /// File or pipe with the machine secret.
    pub machine_secret: Option<PathBuf>,
    /// Whether somebody signs in.
    pub signs_in: bool,
    /// Who it is, if a flag says so.
    pub operator: Option<&'a str>,
    /// The same of the second of two people who open the vault together.
    pub second_operator: Option<&'a str>,
    /// File or pipe with the passphrase of that one.
    pub second_passphrase_file: Option<&'a Path>,
    /// Folder of a checkpoint.
    pub model: Option<&'a Path>,
    /// Where an engine computes.
    pub device: DeviceName,
    /// Whether a plain copy is to leave, to a file or to standard output.
    pub plain_copy: bool,
    /// File or folder that plain copies go to.
    pub export: Option<&'a Path>,
    /// Folder of reference values.
    pub reference: Option<&'a Path>,
    /// Whether controls are tried or shown: the folder of what was found.
    pub evidence: bool,
    /// Folder of a bundle of evidence.
    pub bundle: Option<Bundle<'a>>,
    /// File of a backup.
    pub backup: Option<BackupFile<'a>>,
    /// The folder of the models, for the process that looks after them.
    pub models: OfModels<'a>,
    /// To listen, at the policy's port or at this one.
    pub listen: Option<Option<u16>>,
}

impl Default for Wants<'_> {
    fn default() -> Self {
        Self {
            process: Process::Server,
            folder_use: FolderUse::default(),
            outputs: None,
            passphrase_file: None,
            machine_secret: None,
            signs_in: false,
            operator: None,
            second_operator: None,
            second_passphrase_file: None,
            model: None,
            device: DeviceName::Cpu,
            plain_copy: false,
            export: None,
            reference: None,
            evidence: false,
            bundle: None,
            backup: None,
            models: OfModels::default(),
            listen: None,
        }
    }
}

impl<'a> Wants<'a> {
    /// Of a verb that opens the vault.
    pub fn with(keys: &'a Keys) -> Self {
        Self {
            outputs: keys.pictures.outputs.as_deref(),
            passphrase_file: keys.passphrase_file.as_deref(),
            machine_secret: machine_secret(keys.machine_secret_file.as_deref()),
            signs_in: true,
            operator: keys.operator.as_deref(),
            second_operator: keys.second_operator.as_deref(),
            second_passphrase_file: keys.second_passphrase_file.as_deref(),
            ..Self::default()
        }
    }
}
