//! The folder for a copy of the newest checkpoint, which the policy names: what a start makes of it, before the fences.

use super::folders::{Home, KERNEL, not_foreign};
use super::same::lies_in;
use crate::exit::{Code, Failure};
use darkroom::CopyPlace;
use policy::{Folders, Plan, Right};
use rustix::fs::{Access, access};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// What the fences of this run grant of it.
#[derive(Clone)]
pub struct Copy {
    /// Where it is.
    pub place: CopyPlace,
    /// It lies in the file system of the log: whoever puts back that one puts back both.
    pub is_beside_log: bool,
}

/// Looks at the folder, and puts it among those of the run if it can be used. One that is not there keeps nobody from starting: a
/// stick is not always in, and who steals one is to stop nothing.
///
/// # Errors
/// It is in a folder of the program's own or of the kernel's, or around one.
pub fn look(named: &Path, folders: &mut Folders, home: &Home, writes: bool) -> Result<Copy, Failure> {
    let unusable = |why: String| {
        let place = CopyPlace::Unusable { folder: named.to_owned(), why };
        Ok(Copy { place, is_beside_log: false })
    };
    let folder = match named.canonicalize() {
        Ok(folder) => folder,
        Err(error) => {
            refuse_near(named, folders, home)?;
            return unusable(match error.kind() {
                ErrorKind::NotFound => {
                    "it was not there when this program started; see that its disk is there, and start again"
                        .into()
                }
                _ => format!("it cannot be reached: {error}; see to that, and start again"),
            });
        }
    };
    refuse_near(&folder, folders, home)?;
    let found = match folder.metadata() {
        Ok(found) if found.is_dir() => found,
        Ok(_) => return unusable("it is no folder; name one, and start again".into()),
        Err(error) => {
            return unusable(format!("it cannot be reached: {error}; see to that, and start again"));
        }
    };
    if let Err(error) = access(&folder, Access::READ_OK | Access::EXEC_OK) {
        return unusable(format!(
            "it cannot be read: {error}; let this user read and write it, and start again"
        ));
    }
    if writes && let Err(failure) = not_foreign(folder.clone()) {
        return unusable(failure.what);
    }
    let is_beside_log = folders.audit.metadata().is_ok_and(|log| log.dev() == found.dev());
    folders.checkpoint_copy = Some(folder.clone());
    Ok(Copy { place: CopyPlace::Folder(folder), is_beside_log })
}

/// Takes all rights on it but that to read from a verb that only looks.
pub fn narrow(plan: &mut Plan, folders: &Folders) {
    let others = [&folders.vault, &folders.audit, &folders.outputs];
    let own = |path: &PathBuf| !others.contains(&path);
    if let Some(grant) =
        folders.checkpoint_copy.as_ref().filter(|path| own(path)).and_then(|path| plan.paths.get_mut(path))
    {
        grant.rights.retain(|right| *right == Right::Read);
    }
}

/// Whoever may write around this program's own file could put another one in its place.
fn refuse_near(folder: &Path, folders: &Folders, home: &Home) -> Result<(), Failure> {
    let kernel = KERNEL.map(PathBuf::from);
    let program = std::env::current_exe().ok();
    let own = home.own(&folders.outputs);
    let mut own = own.iter().chain(&folders.model).chain(&program).chain(&kernel);
    match own.find(|own| lies_in(folder, own) || lies_in(own, folder)) {
        None => Ok(()),
        Some(own) => {
            let what = format!(
                "the policy names {} for a copy of the newest checkpoint, which {} {}; name a folder of its own, on another disk",
                folder.display(),
                if lies_in(folder, own) { "lies in" } else { "contains" },
                own.display()
            );
            Err(Failure::new(Code::Refused, what))
        }
    }
}
