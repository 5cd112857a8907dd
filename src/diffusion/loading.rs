//! The bytes of a checkpoint on their way into use: what is handed out is what is hashed.

use crate::Error;
use crate::file::OpenFile;
use crate::folder::{Begun, ModelFile, ReadFile};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::collections::VecDeque;
use std::ops::{Deref, Range};
use std::sync::atomic::{AtomicBool, Ordering};

/// Bytes that are hashed between two words about it.
const TOLD_BYTES: u64 = 64 << 20;
/// Bytes that are hashed between two looks at what else is to be done.
const CHUNK_BYTES: usize = 128 << 10;
/// Most bytes of copies that wait to be hashed while others are laid out. The weights of a transformer are hashed more slowly than
/// they are laid out, those of a decoder faster.
pub(crate) const WAITING_BYTES_MAX: usize = 128 << 20;
/// Most bytes of memory that is kept for the next copy: what one large tensor takes is not held until the last one is loaded.
pub(crate) const SPARE_BYTES_MAX: usize = 32 << 20;

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
    waiting: Waiting<'a>,
    /// The last name; the parts are loaded in the order of their names.
    last: String,
    files: Vec<OpenFile>,
    mapped: Vec<OpenFile>,
}

/// What was handed out and is not hashed yet.
struct Waiting<'a> {
    hash: ModelDigest,
    /// In the order of the digest.
    left: VecDeque<Left>,
    /// Bytes of the first piece that are hashed.
    hashed: usize,
    /// Bytes of memory that all of them hold.
    held: usize,
    /// Memory of pieces that are hashed, for those that come next.
    spare: Vec<Vec<u8>>,
    progress: LoadProgress,
    /// Bytes done when it was told last.
    told: u64,
    tell: &'a mut (dyn FnMut(LoadProgress) + Send),
}

enum Left {
    /// Its name and length in bytes.
    File(String, u64),
    Piece(Piece),
}

/// Bytes of a file.
pub(crate) enum Piece {
    /// In memory, where nobody can change them.
    Copied(Vec<u8>),
    /// In a mapped file, or in the program itself.
    Shared(Bytes),
}

impl Deref for Piece {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Copied(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

impl Piece {
    /// Bytes of memory that it holds.
    fn held(&self) -> usize {
        match self {
            Self::Copied(bytes) => bytes.capacity(),
            Self::Shared(_) => 0,
        }
    }
}

impl<'a> Loading<'a> {
    pub fn new(bytes_total: u64, tell: &'a mut (dyn FnMut(LoadProgress) + Send)) -> Self {
        let waiting = Waiting {
            hash: ModelDigest::default(),
            left: VecDeque::new(),
            hashed: 0,
            held: 0,
            spare: Vec::new(),
            progress: LoadProgress { bytes_done: 0, bytes_total },
            told: 0,
            tell,
        };
        Self { waiting, last: String::new(), files: Vec::new(), mapped: Vec::new() }
    }

    /// Takes in a file that was read before.
    pub fn add(&mut self, read: ReadFile) {
        self.name(&read.file);
        self.waiting.push(Piece::Shared(read.content));
        self.files.extend(read.file.into_disk());
    }

    /// Begins a file that starts with `header`: its pieces are copied if it lies on disk and `copies` says so, else they are
    /// handed out where they are.
    ///
    /// # Errors
    /// [`Error::ReadFile`], or [`Error::FileChanged`] if what is mapped starts otherwise by now, or is of another length. A copied
    /// file is looked at by [`Loading::finish`].
    pub fn begin(&mut self, file: ModelFile, header: Bytes, copies: bool) -> Result<Begun, Error> {
        self.name(&file);
        let (name, bytes) = (file.name().to_owned(), file.bytes());
        let begun = file.begin(copies)?;
        if let Begun::Shared(whole, _) = &begun
            && (!whole.starts_with(&header) || whole.len() as u64 != bytes)
        {
            return Err(Error::FileChanged { file: name.into() });
        }
        self.waiting.push(Piece::Shared(header));
        Ok(begun)
    }

    /// The next bytes of the file for `act`, beside which those that came before are hashed, where there are threads for both.
    ///
    /// # Errors
    /// [`Error::ReadFile`], [`Error::Memory`], and those of `act`.
    pub fn piece<T: Send>(
        &mut self,
        begun: &Begun,
        range: Range<usize>,
        act: impl FnOnce(&Piece) -> Result<T, Error> + Send,
    ) -> Result<T, Error> {
        let memory = match begun {
            Begun::Copied(_) => self.waiting.memory(range.len()),
            Begun::Shared(..) => Vec::new(),
        };
        let act = || {
            let piece = match begun {
                Begun::Copied(file) => {
                    Piece::Copied(file.read_into(memory, range.start as u64, range.len())?)
                }
                Begun::Shared(whole, _) => Piece::Shared(whole.slice(range)),
            };
            Ok((act(&piece)?, piece))
        };
        let waiting = &mut self.waiting;
        let (done, piece) = match rayon::current_thread_index() {
            Some(_) => {
                let is_done = AtomicBool::new(false);
                let act = || {
                    let done = act();
                    is_done.store(true, Ordering::Relaxed);
                    done
                };
                let hash = || {
                    waiting.hash_while(|held| !is_done.load(Ordering::Relaxed) || held > WAITING_BYTES_MAX);
                };
                rayon::join(act, hash).0?
            }
            // Outside of a pool rayon would start one that nobody ends. Nothing is won by waiting, and a card's memory takes long
            // enough that whoever waits for this wants to hear of it.
            None => {
                waiting.hash_while(|_| true);
                act()?
            }
        };
        self.waiting.push(piece);
        Ok(done)
    }

    /// Ends a file, all of whose pieces were taken.
    pub fn end(&mut self, begun: Begun) {
        match begun {
            Begun::Copied(file) => self.files.push(file),
            Begun::Shared(_, file) => self.mapped.extend(file),
        }
    }

    /// The digest, and the files that stay mapped.
    ///
    /// # Errors
    /// [`Error::FileChanged`] if one of the files was written to since it was opened.
    pub fn finish(mut self) -> Result<([u8; 32], Vec<OpenFile>), Error> {
        self.waiting.hash_while(|_| true);
        self.files.iter().chain(&self.mapped).try_for_each(OpenFile::check_unchanged)?;
        Ok((self.waiting.hash.finish(), self.mapped))
    }

    fn name(&mut self, file: &ModelFile) {
        let name = file.name();
        debug_assert!(*self.last < *name, "{name} is hashed after {}", self.last);
        name.clone_into(&mut self.last);
        self.waiting.left.push_back(Left::File(name.into(), file.bytes()));
    }
}

impl Waiting<'_> {
    fn push(&mut self, piece: Piece) {
        self.held += piece.held();
        self.left.push_back(Left::Piece(piece));
    }

    /// Hashes until nothing is left, or what is left holds so many bytes that `goes_on` says no.
    fn hash_while(&mut self, goes_on: impl Fn(usize) -> bool) {
        while goes_on(self.held) {
            match self.left.pop_front() {
                None => return,
                Some(Left::File(name, bytes)) => self.hash.file(&name, bytes),
                Some(Left::Piece(piece)) => self.hash_chunk(piece),
            }
            self.tell();
        }
    }

    fn hash_chunk(&mut self, piece: Piece) {
        let chunk = &piece[self.hashed..piece.len().min(self.hashed + CHUNK_BYTES)];
        self.hash.content(chunk);
        self.hashed += chunk.len();
        self.progress.bytes_done += chunk.len() as u64;
        if self.hashed < piece.len() {
            self.left.push_front(Left::Piece(piece));
            return;
        }
        self.hashed = 0;
        self.held -= piece.held();
        if let Piece::Copied(memory) = piece
            && memory.capacity() <= SPARE_BYTES_MAX
        {
            self.spare.push(memory);
        }
    }

    fn tell(&mut self) {
        let LoadProgress { bytes_done, bytes_total } = self.progress;
        if bytes_done - self.told >= TOLD_BYTES || bytes_done == bytes_total {
            self.told = bytes_done;
            (self.tell)(self.progress);
        }
    }

    /// Spare memory of `len` bytes or more; else none, and what was spare is given back.
    fn memory(&mut self, len: usize) -> Vec<u8> {
        let fitting = self.spare.iter().enumerate().filter(|(_, memory)| memory.capacity() >= len);
        match fitting.min_by_key(|(_, memory)| memory.capacity()) {
            Some((at, _)) => self.spare.swap_remove(at),
            None => {
                self.spare.clear();
                Vec::new()
            }
        }
    }
}
