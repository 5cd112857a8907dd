//! The model in use: what a start takes that names no other. Its name is read before the fences, which are made for its folder:
//! one short line, held against the letters of a name.

use super::folders::Home;
use crate::cli::Cli;
use crate::exit::{Code, Failure};
use crate::models::store::{IN_USE, Store};
use std::path::{Path, PathBuf};

/// The model in use.
pub struct InUse {
    /// Its name.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
}

/// Where a verb makes pictures and no flag names a model, it is the one in use.
///
/// # Errors
/// As [`in_use`].
pub fn choose(cli: &mut Cli) -> Result<(), Failure> {
    let Cli { global, verb } = cli;
    if let Some(computing) = verb.computing().filter(|computing| computing.model.is_none()) {
        computing.model = in_use(&Home::new(global)?)?.map(|in_use| in_use.folder);
    }
    Ok(())
}

/// The model in use; none for the one inside the program.
///
/// # Errors
/// What names it makes no sense, or it is not there.
pub fn in_use(home: &Home) -> Result<Option<InUse>, Failure> {
    let store = Store::look(&home.models);
    let Some((name, _)) = store.in_use() else {
        return match home.models.join(IN_USE).symlink_metadata() {
            Err(_) => Ok(None),
            Ok(_) => {
                let what = format!(
                    "{} makes no sense; choose a model anew with: lightproof model use NAME",
                    home.models.join(IN_USE).display()
                );
                Err(Failure::new(Code::Integrity, what))
            }
        };
    };
    let folder = store.folder(&name);
    match folder.is_dir() {
        true => Ok(Some(InUse { name, folder })),
        false => {
            let what = format!(
                "the model in use, {name}, is not in {}; import it again, choose another with: lightproof model use NAME, where \
                 NAME may be demo, or name a folder with --model",
                home.models.display()
            );
            Err(Failure::new(Code::NotFound, what))
        }
    }
}

/// The digest that a model must have when it is loaded, if it is the one in use.
pub fn pinned(home: &Home, model: Option<&Path>) -> Option<String> {
    let store = Store::look(&home.models);
    let (name, digest) = store.in_use()?;
    (model? == store.folder(&name)).then_some(digest)
}

/// Why a start is refused whose model is not the one that was checked.
pub fn swapped() -> Failure {
    let what = "the model in use is not the one that was imported: a file of it was changed; lightproof model verify says which. \
                Remove it, import it again, or choose another with: lightproof model use NAME";
    Failure::new(Code::Integrity, what)
}
