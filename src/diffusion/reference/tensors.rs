//! A safetensors file of golden values.

use crate::Error;
use crate::file::OpenFile;
use crate::header::{self, Claim};
use bytes::Bytes;
use safetensors::Dtype;
use std::collections::BTreeMap;
use std::path::Path;

/// Longest file of golden values in bytes.
const FILE_BYTES_MAX: u64 = 1 << 30;
/// Most tensors in one.
const TENSORS_MAX: usize = 10_000;

/// Golden tensors by name.
pub struct Tensors {
    file: String,
    tensors: BTreeMap<String, (Dtype, Vec<usize>, Bytes)>,
}

impl Tensors {
    /// Reads a whole file.
    ///
    /// # Errors
    /// [`Error::ReadFile`], [`Error::Memory`] or [`Error::ParseWeights`].
    pub fn read(path: &Path) -> Result<Self, Error> {
        let file = path.display().to_string();
        let content = read(path, FILE_BYTES_MAX)?;
        let (_, claims) =
            header::claims(&file, content.len() as u64, header::bytes_max(TENSORS_MAX), |count| {
                Ok(content.slice(..count as usize))
            })?;
        let entry = |claim: Claim| (claim.key, (claim.dtype, claim.shape, content.slice(claim.range)));
        Ok(Self { file, tensors: claims.into_iter().map(entry).collect() })
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

/// Reads a regular file of at most `bytes_max` bytes.
///
/// # Errors
/// [`Error::ReadFile`] or [`Error::Memory`].
pub(super) fn read(path: &Path, bytes_max: u64) -> Result<Bytes, Error> {
    let failed = |source| Error::ReadFile { file: path.into(), source };
    let file = OpenFile::open(&path.canonicalize().map_err(failed)?)?;
    match file.bytes() > bytes_max {
        true => Err(failed(std::io::Error::other(format!("it has more than {bytes_max} bytes")))),
        false => file.read(0, file.bytes()),
    }
}
