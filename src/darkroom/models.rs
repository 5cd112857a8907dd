//! Models on record: which were brought in, which is in use, which went. Their files are no matter of the darkroom.

use crate::{Act, Darkroom, Error, Who};
use audit::{Digest, Event, Receipt};

/// What goes on record of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelRecord {
    /// It was brought in; its folder is about to get its name.
    Imported {
        /// SHA-256 of the list of its files.
        manifest: Digest,
        /// The digest by which it goes once it is loaded.
        model: Digest,
        /// How many files.
        files: u32,
        /// Bytes of all of them.
        bytes: u64,
        /// They are those that were released.
        official: bool,
    },
    /// A start that names no model is about to take it from here on.
    Used {
        /// SHA-256 of the list of its files.
        manifest: Digest,
        /// The digest by which it goes once it is loaded.
        model: Digest,
    },
    /// The same of the model inside the program.
    EmbeddedUsed,
    /// It is about to be removed.
    Removed {
        /// SHA-256 of the list of its files.
        manifest: Digest,
    },
}

impl Darkroom {
    /// Whether they may bring models in, choose the one in use, and remove them.
    ///
    /// # Errors
    /// [`Error::NotPermitted`], on record; [`Error::Locked`] if the vault was locked since `who` came in.
    pub fn may_manage_models(&self, who: &Who) -> Result<(), Error> {
        self.vault_of(who, Act::Models).map(drop)
    }

    /// Puts on record what is about to become of a model, before it does.
    ///
    /// # Errors
    /// As [`Darkroom::may_manage_models`]; what the log says.
    pub fn record_model(&self, who: &Who, record: ModelRecord) -> Result<Receipt, Error> {
        self.may_manage_models(who)?;
        Ok(self.log.append(&[record.event().by(who.actor)])?)
    }

    /// Puts on record that it did not.
    ///
    /// # Errors
    /// What the log says.
    pub fn record_model_failed(&self, who: &Who, record: ModelRecord) -> Result<(), Error> {
        self.log.append(&[record.event().by(who.actor).failed()])?;
        Ok(())
    }
}

impl ModelRecord {
    fn event(self) -> Event {
        match self {
            Self::Imported { manifest, model, files, bytes, official } => {
                Event::ModelImported { manifest, model, files, bytes, official }
            }
            Self::Used { manifest, model } => Event::ModelUsed { manifest, model },
            Self::EmbeddedUsed => Event::ModelEmbeddedUsed {},
            Self::Removed { manifest } => Event::ModelRemoved { manifest },
        }
    }
}
