//! The end of a vault, and new keys for one.
//!
//! The commit is the overwriting of both cells of the anchor: from then on no passphrase, no recovery code and no copy of the
//! vault file opens anything, but for a copy of the anchor from before. Files are removed afterwards; what stays is noise. The
//! anchor stays, overwritten, to show that: an absent one shows nothing.

use crate::disk::Folder;
use crate::home::{
    DAMAGED, Home, LOG_MEMORY, LOG_MEMORY_NEW, MAIN, MIRROR, MIRROR_DAMAGED, MIRROR_NEW, NEW, Paths, RESERVE,
    TORN, TORN_NEW,
};
use crate::object::{self, SUFFIX};
use crate::random::Random;
use crate::vault::Vault;
use crate::{Error, Grade, State, VaultId, outputs};

/// What the end of a vault came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Destroyed {
    /// What overwriting the keys is worth where the anchor lay.
    pub grade: Grade,
    /// A file could not be removed. It opens for nobody; remove it by hand.
    pub cleanup_pending: bool,
}

impl Vault {
    /// New master key and new epoch key; what older copies of the vault file say opens no more. The keys of the objects stay what
    /// they are, sealed anew.
    ///
    /// # Errors
    /// Those of every roll; see [`Vault::erase`].
    pub fn rotate(&mut self, random: &mut dyn Random) -> Result<State, Error> {
        let slots = self.open_slots()?;
        self.roll(slots, self.index.names.clone(), &[], random)?;
        Ok(self.state())
    }

    /// Ends the vault for good, with whatever is in it.
    ///
    /// # Errors
    /// The keys could not be overwritten: [`Error::Unfinished`], and whether they are gone is not known. Nothing was removed.
    pub fn destroy(self, random: &mut dyn Random) -> Result<Destroyed, Error> {
        let (grade, vault_id, epoch) = (self.grade(), self.vault_id(), self.header.epoch);
        self.anchor().destroy(epoch, random).map_err(Error::Unfinished)?;
        Ok(Destroyed { grade, cleanup_pending: !remove_files(&self.home, vault_id) })
    }
}

/// Goes on with a destruction that was interrupted: removes the files if the anchor shows that the keys are gone. `None`: it does
/// not, and nothing was done.
///
/// # Errors
/// [`Error::Busy`], or the anchor cannot be read.
pub fn finish_destruction(paths: Paths) -> Result<Option<Destroyed>, Error> {
    let home = Home::take(paths)?;
    // A folder that is empty may be another one, or that of a disk that is absent.
    if !home.anchor().is_there() || home.anchor().newest()?.is_some() {
        return Ok(None);
    }
    let grade = home.anchor().grade();
    let file = home.read(MAIN).or_else(|_| home.read(MIRROR));
    let vault_id = file.and_then(|file| crate::format::Header::parse(&file)).map(|header| header.vault_id);
    let cleanup_pending = match vault_id {
        Ok(vault_id) => !remove_files(&home, vault_id),
        Err(_) => !remove_state(&home),
    };
    Ok(Some(Destroyed { grade, cleanup_pending }))
}

/// Whether all of it is gone.
fn remove_files(home: &Home, vault_id: VaultId) -> bool {
    let outputs = Folder::open(&home.paths.outputs).and_then(|outputs| {
        for name in outputs.names()?.iter().filter(|name| name.ends_with(SUFFIX)) {
            if object::owner(&outputs, name, vault_id).is_some() {
                outputs.remove(name)?;
            }
        }
        outputs::unmark(&outputs, vault_id)?;
        outputs.sync()
    });
    remove_state(home) && outputs.is_ok()
}

fn remove_state(home: &Home) -> bool {
    let names = [
        LOG_MEMORY,
        LOG_MEMORY_NEW,
        NEW,
        MIRROR_NEW,
        TORN,
        TORN_NEW,
        DAMAGED,
        MIRROR_DAMAGED,
        RESERVE,
        MIRROR,
        MAIN,
    ];
    let removed = names.iter().try_for_each(|name| home.state.remove(name));
    removed.and_then(|()| home.state.sync()).is_ok()
}
