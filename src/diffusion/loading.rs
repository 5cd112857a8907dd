//! The bytes of a checkpoint on their way into use: what is handed out is what is hashed.

use crate::Error;
use crate::file::OpenFile;
use crate::folder::{ModelFile, ReadFile};
use bytes::Bytes;
use sha2::{Digest, Sha256};

/// Bytes that are hashed between two words about it.
const CHUNK_BYTES: usize = 64 << 20;

/// How far the loading of a checkpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadProgress {
    /// Bytes of the model's files that were read and hashed.
    pub bytes_done: u64,
    /// Bytes of all of them.
    pub bytes_total: u64,
}

/// One loading. Its digest is SHA-256 over the files that make the model: for each, in the order of their names,
/// its name, a zero byte, its length (8 bytes, big-endian) and its content.
pub(crate) struct Loading<'a> {
    hash: Sha256,
    progress: LoadProgress,
    tell: &'a mut (dyn FnMut(LoadProgress) + Send),
    /// The last name hashed; the parts are loaded in the order of their names.
    last: String,
    files: Vec<OpenFile>,
    mapped: Vec<OpenFile>,
}

impl<'a> Loading<'a> {
    pub fn new(bytes_total: u64, tell: &'a mut (dyn FnMut(LoadProgress) + Send)) -> Self {
        let progress = LoadProgress { bytes_done: 0, bytes_total };
        let (files, mapped) = (Vec::new(), Vec::new());
        Self { hash: Sha256::new(), progress, tell, last: String::new(), files, mapped }
    }

    /// Hashes a file that was read before.
    pub fn add(&mut self, read: ReadFile) {
        self.hash(read.file.name(), &read.content);
        self.files.extend(read.file.into_disk());
    }

    /// The content of a file, copied into memory.
    ///
    /// # Errors
    /// [`Error::ReadFile`] or [`Error::Memory`].
    pub fn read(&mut self, file: ModelFile) -> Result<Bytes, Error> {
        let content = file.read()?;
        self.hash(file.name(), &content);
        self.files.extend(file.into_disk());
        Ok(content)
    }

    /// The content of a file, mapped.
    ///
    /// # Errors
    /// [`Error::ReadFile`].
    pub fn map(&mut self, file: ModelFile) -> Result<Bytes, Error> {
        let content = file.map()?;
        self.hash(file.name(), &content);
        self.mapped.extend(file.into_disk());
        Ok(content)
    }

    /// The digest, and the files that stay mapped.
    ///
    /// # Errors
    /// [`Error::FileChanged`] if one of the files was written to since it was opened.
    pub fn finish(self) -> Result<([u8; 32], Vec<OpenFile>), Error> {
        self.files.iter().chain(&self.mapped).try_for_each(OpenFile::check_unchanged)?;
        Ok((self.hash.finalize().into(), self.mapped))
    }

    fn hash(&mut self, name: &str, content: &[u8]) {
        debug_assert!(*self.last < *name, "{name} is hashed after {}", self.last);
        name.clone_into(&mut self.last);
        self.hash.update(name);
        self.hash.update([0]);
        self.hash.update((content.len() as u64).to_be_bytes());
        for chunk in content.chunks(CHUNK_BYTES) {
            self.hash.update(chunk);
            self.progress.bytes_done += chunk.len() as u64;
            (self.tell)(self.progress);
        }
    }
}
