//! What the process that starts the others needs to know: it looks at policy and folders as the server does, and makes nothing.

use super::folders::{self, FolderUse, Home};
use super::{Wants, card, folders_of, overlay};
use crate::cli::{EngineUse, Global};
use crate::exit::{Code, Failure};
use crate::paths::absolute;
use policy::{Plan, Process};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What the keeper needs to know.
pub struct Kept {
    /// What it may do.
    pub plan: Plan,
    /// Text of the policy file.
    pub overlay: Option<String>,
    /// The arguments of an engine's process, which stands in another working folder.
    pub arguments: Vec<OsString>,
}

/// Looks at policy and folders as the server does, and makes nothing.
///
/// # Errors
/// What the server refuses, too.
pub fn of_keeper(global: &Global, engine: &EngineUse<'_>) -> Result<Kept, Failure> {
    let home = Home::new(global)?;
    let file = home.config.join("policy.toml");
    let overlay = overlay::read(&file)?;
    let policy = overlay::policy(&file, overlay.as_deref())?;
    let EngineUse { model, device, outputs, .. } = *engine;
    let wants = Wants { folder_use: FolderUse::Read, model, outputs, ..Wants::default() };
    let mut folders = folders_of(&home, &policy, &wants)?;
    folders.outputs = FolderUse::Used.pictures(&folders.outputs)?;
    folders.program = sandbox::program_files()?;
    // Why there is none the server says itself.
    folders.card = device.parse().ok().and_then(|device| card::wanted(device, &policy, false).ok()).flatten();
    let mut plan =
        policy.plan(Process::Keeper, &folders).map_err(|error| Failure::new(Code::Usage, error))?;
    folders::grant_what_exists(&mut plan, &folders);
    let mut arguments: Vec<OsString> = vec!["engine".into(), "--device".into(), device.into()];
    let home = global.home.clone().or_else(|| std::env::var_os("LIGHTPROOF_HOME").map(PathBuf::from));
    let outputs = outputs.map(Path::to_path_buf);
    for (flag, path) in [("--home", home), ("--outputs", outputs), ("--model", folders.model)] {
        if let Some(path) = path.filter(|path| !path.as_os_str().is_empty()) {
            arguments.extend([flag.into(), absolute(&path)?.into()]);
        }
    }
    Ok(Kept { plan, overlay, arguments })
}
