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

/// The digest of a model: SHA-256 over the files that make it, for each, in the order of their names, its name, a zero
/// byte, its length (8 bytes, big-endian) and its content.
#[derive(Default)]
pub struct ModelDigest(Sha256);

impl ModelDigest {
    /// The next file, of so many bytes, which follow.
    pub fn file(&mut self, name: &str, bytes: u64) {
        self.0.update(name);
        self.0.update([0]);
        self.0.update(bytes.to_be_bytes());
    }

    /// The next bytes of its content.
    pub fn content(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest.
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

/// One loading, with its [`ModelDigest`].
pub(crate) struct Loading<'a> {
    hash: ModelDigest,
    progress: LoadProgress,
    tell: &'a mut (dyn FnMut(LoadProgress) + Send),
    /// The last name; the parts are loaded in the order of their names.
    last: String,
    /// What was handed out and is not hashed yet.
    left: Vec<(String, Bytes)>,
    files: Vec<OpenFile>,
    mapped: Vec<OpenFile>,
}

impl<'a> Loading<'a> {
    pub fn new(bytes_total: u64, tell: &'a mut (dyn FnMut(LoadProgress) + Send)) -> Self {
        let progress = LoadProgress { bytes_done: 0, bytes_total };
        let (files, mapped, left) = (Vec::new(), Vec::new(), Vec::new());
        Self { hash: ModelDigest::default(), progress, tell, last: String::new(), left, files, mapped }
    }

    /// Takes in a file that was read before.
    pub fn add(&mut self, read: ReadFile) {
        self.will_hash(read.file.name(), &read.content);
        self.files.extend(read.file.into_disk());
    }

    /// The content of a file, copied into memory.
    ///
    /// # Errors
    /// [`Error::ReadFile`] or [`Error::Memory`].
    pub fn read(&mut self, file: ModelFile) -> Result<Bytes, Error> {
        let content = file.read()?;
        self.will_hash(file.name(), &content);
        self.files.extend(file.into_disk());
        Ok(content)
    }

    /// The content of a file, mapped.
    ///
    /// # Errors
    /// [`Error::ReadFile`].
    pub fn map(&mut self, file: ModelFile) -> Result<Bytes, Error> {
        let content = file.map()?;
        self.will_hash(file.name(), &content);
        self.mapped.extend(file.into_disk());
        Ok(content)
    }

    /// Hashes what was handed out, and does `act` beside it where there are threads for both.
    pub fn hash_beside<T: Send>(&mut self, act: impl FnOnce() -> T + Send) -> T {
        // Outside of a pool rayon would start one that nobody ends.
        match rayon::current_thread_index() {
            Some(_) => rayon::join(act, || self.hash_all()).0,
            None => {
                self.hash_all();
                act()
            }
        }
    }

    /// The digest, and the files that stay mapped.
    ///
    /// # Errors
    /// [`Error::FileChanged`] if one of the files was written to since it was opened.
    pub fn finish(mut self) -> Result<([u8; 32], Vec<OpenFile>), Error> {
        self.hash_all();
        self.files.iter().chain(&self.mapped).try_for_each(OpenFile::check_unchanged)?;
        Ok((self.hash.finish(), self.mapped))
    }

    fn will_hash(&mut self, name: &str, content: &Bytes) {
        debug_assert!(*self.last < *name, "{name} is hashed after {}", self.last);
        name.clone_into(&mut self.last);
        self.left.push((name.to_owned(), content.clone()));
    }

    fn hash_all(&mut self) {
        for (name, content) in self.left.drain(..) {
            self.hash.file(&name, content.len() as u64);
            for chunk in content.chunks(CHUNK_BYTES) {
                self.hash.content(chunk);
                self.progress.bytes_done += chunk.len() as u64;
                (self.tell)(self.progress);
            }
        }
    }
}
