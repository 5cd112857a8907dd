//! A part of a checkpoint: its configuration, and the weights that this asks for.

use crate::asked::Asked;
use crate::claims::Claims;
use crate::device::Precision;
use crate::folder::{ModelFiles, ModelFolder, ReadFile};
use crate::loading::Loading;
use crate::weights::Weights;
use crate::{Error, folder};
use burn_tensor::Device;
use serde::de::DeserializeOwned;

/// What a `config.json` says, and what follows from it.
pub(crate) trait Configuration: DeserializeOwned {
    /// Folder of the part.
    const FOLDER: &'static str;
    /// Its `config.json`.
    const FILE: &'static str;
    /// Name of its weights, without the ending.
    const STEM: &'static str;
    /// What may stand before the names of its tensors.
    const PREFIX: &'static str = "";

    /// What is wrong with the numbers, if something is.
    fn check(&self) -> Result<(), &'static str>;

    /// The tensors that belong to it.
    fn asked(&self) -> Asked;

    /// Parameters in large matrices, which decide where the weights fit.
    fn parameters(&self) -> u64;
}

/// A part that was checked as far as its files' headers go, and is not loaded yet.
pub(crate) struct Part<C> {
    pub config: C,
    file: ReadFile,
    claims: Claims,
    precision: Precision,
}

/// A part on its way into its layers.
pub(crate) struct Loaded<C> {
    pub config: C,
    pub weights: Weights,
    pub precision: Precision,
    pub device: Device,
}

impl<C: Configuration> Part<C> {
    /// Reads the configuration and compares what the weights claim with what it asks for.
    ///
    /// # Errors
    /// Any that says what is wrong with the part.
    pub fn open(folder: &ModelFolder, choose: impl Fn(u64) -> Precision) -> Result<Self, Error> {
        let (config, file): (C, _) = folder.json(C::FILE, folder::CONFIG_BYTES_MAX)?;
        let wrong = |reason: &str| Error::ParseConfig { file: C::FILE.into(), reason: reason.into() };
        config.check().map_err(wrong)?;
        let claims = Claims::open(folder, C::FOLDER, C::STEM, C::PREFIX, config.asked())?;
        let precision = choose(config.parameters());
        Ok(Self { config, file, claims, precision })
    }

    /// Adds its files.
    pub fn name_files(&self, files: &mut ModelFiles) {
        files.made_of.push(self.file.file.name().to_owned());
        self.claims.name_files(files);
    }

    /// Bytes of its files.
    pub fn bytes(&self) -> u64 {
        self.file.content.len() as u64 + self.claims.bytes()
    }

    /// Bytes of memory that stay taken after [`Part::load`], and how many more it takes at most at one time, beside copies of
    /// what is not hashed yet.
    pub fn bytes_to_load(&self) -> (u64, u64) {
        self.claims.bytes_to_load(self.precision)
    }

    /// Reads the weights, and lays them out.
    ///
    /// # Errors
    /// Those of [`Claims::load`].
    pub fn load(self, loading: &mut Loading<'_>, device: &Device) -> Result<Loaded<C>, Error> {
        loading.add(self.file);
        let weights = self.claims.load(loading, device, self.precision)?;
        Ok(Loaded { config: self.config, weights, precision: self.precision, device: device.clone() })
    }
}
