//! The model in use: what a start takes that names no other. Its name is read before the fences, which are made for its folder:
//! one short line, held against the letters of a name.

use super::folders::Home;
use crate::cli::Cli;
use crate::exit::{Code, Failure};
use crate::models::store::{IN_USE, Store};
use audit::words::Outcome;
use audit::{Digest, Order};
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
        return match store.is_senseless() {
            false => Ok(None),
            true => {
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

/// Why a start with the model inside the program is refused: the log says that another one was chosen, and nothing here names it.
/// The choice lies with the models, and goes with a disk that is not mounted or a folder that may not be read.
///
/// # Errors
/// What the log says.
pub fn lost_choice(log: &Path, embedded: &[u8; 32]) -> Result<Option<Failure>, Failure> {
    let records = audit::records(log, Order::NewestFirst).map_err(darkroom::Error::from)?;
    // Choices that failed: each is on record twice, as begun and as failed.
    let mut undone = 0;
    for record in records.flatten() {
        let is_choice = matches!(&*record.name, "model.used" | "model.embedded_used");
        match &*record.name {
            _ if is_choice && record.outcome != Outcome::Ok => undone += 1,
            _ if is_choice && undone > 0 => undone -= 1,
            "model.used" => {
                let what = "a model was chosen (lightproof model use), and the folder of the models does not name it: mount its disk, or \
                            make it readable, or choose anew: lightproof model use NAME, where NAME may be demo";
                return Ok(Some(Failure::new(Code::NotFound, what)));
            }
            // A start before took the one inside the program, with this same look behind it.
            "model.embedded_used" => return Ok(None),
            "boot.ready" if record.digest("model") == Some(Digest(*embedded)) => return Ok(None),
            _ => {}
        }
    }
    Ok(None)
}

/// Why a start is refused whose model is not the one that was checked.
pub fn swapped() -> Failure {
    let what = "the model in use is not the one that was imported: a file of it was changed; lightproof model verify says which. \
                Remove it, import it again, or choose another with: lightproof model use NAME";
    Failure::new(Code::Integrity, what)
}
