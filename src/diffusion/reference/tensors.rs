//! A safetensors file of golden values.

use crate::{Error, mmap};
use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;
use std::path::Path;

/// Golden tensors by name.
pub struct Tensors {
    file: String,
    tensors: BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>,
}

impl Tensors {
    /// Reads a whole file.
    ///
    /// # Errors
    /// [`Error::ReadFile`] or [`Error::ParseWeights`].
    pub fn read(path: &Path) -> Result<Self, Error> {
        let read = |source| Error::ReadFile { file: path.into(), source };
        let file = path.display().to_string();
        let content = std::fs::File::open(path).and_then(|f| mmap::map(&f)).map_err(read)?;
        let parsed = SafeTensors::deserialize(&content)
            .map_err(|e| Error::ParseWeights { file: file.clone(), reason: e.to_string() })?;
        let entry = |(name, view): (String, safetensors::tensor::TensorView<'_>)| {
            (name, (view.dtype(), view.shape().to_vec(), view.data().to_vec()))
        };
        Ok(Self { file, tensors: parsed.tensors().into_iter().map(entry).collect() })
    }

    /// Names in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Whether there is a tensor of this name.
    pub fn holds(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Values of an f32 tensor.
    ///
    /// # Errors
    /// [`Error::MissingTensor`] or [`Error::TensorType`].
    pub fn f32(&self, name: &str) -> Result<Vec<f32>, Error> {
        let (_, content) = self.take(name, Dtype::F32)?;
        Ok(content.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect())
    }

    /// Values of an i64 tensor.
    ///
    /// # Errors
    /// [`Error::MissingTensor`] or [`Error::TensorType`].
    pub fn i64(&self, name: &str) -> Result<Vec<i64>, Error> {
        let (_, content) = self.take(name, Dtype::I64)?;
        Ok(content.as_chunks::<8>().0.iter().map(|b| i64::from_le_bytes(*b)).collect())
    }

    /// Values of a u8 tensor.
    ///
    /// # Errors
    /// [`Error::MissingTensor`] or [`Error::TensorType`].
    pub fn u8(&self, name: &str) -> Result<Vec<u8>, Error> {
        self.take(name, Dtype::U8).map(|(_, content)| content.to_vec())
    }

    /// Shape of a tensor; empty if there is none.
    pub fn shape(&self, name: &str) -> &[usize] {
        self.tensors.get(name).map_or(&[], |(_, shape, _)| shape)
    }

    fn take(&self, name: &str, wanted: Dtype) -> Result<(&[usize], &[u8]), Error> {
        let (file, key) = (self.file.clone(), name.to_owned());
        match self.tensors.get(name) {
            None => Err(Error::MissingTensor { file, key, wanted: Vec::new() }),
            Some((dtype, shape, content)) if *dtype == wanted => Ok((shape, content)),
            Some((dtype, ..)) => Err(Error::TensorType { file, key, found: format!("{dtype:?}") }),
        }
    }
}
