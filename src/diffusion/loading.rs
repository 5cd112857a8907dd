//! The bytes of a checkpoint on their way into use: what is handed out is what is hashed.

use crate::Error;
use crate::file::OpenFile;
use crate::folder::{Begun, ModelFile, ReadFile};
use crate::room::room;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::collections::VecDeque;
use std::ops::{Deref, Range};
use std::sync::atomic::{AtomicBool, Ordering};

/// Bytes that are hashed between two words about it.
const TOLD_BYTES: u64 = 64 << 20;
/// Bytes that are hashed between two looks at what else is to be done.
const CHUNK_BYTES: usize = 128 << 10;
/// Bytes that are copied at a time, or one tensor that is larger. So large a piece of memory the allocator maps by itself: smaller ones
/// would leave holes between what stays, where the next ones do not fit.
pub(crate) const RUN_BYTES: usize = 32 << 20;
/// Most bytes of copies that wait to be hashed while others are laid out. The weights of a transformer are hashed more slowly than
/// they are laid out, those of a decoder faster.
const WAITING_BYTES_MAX: usize = 96 << 20;
/// Most bytes that copies take at one time, unless a tensor is larger than [`RUN_BYTES`]: those that wait, and two more.
pub(crate) const COPIES_BYTES_MAX: usize = WAITING_BYTES_MAX + 2 * RUN_BYTES;

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
    /// Bytes of the first run that are hashed.
    hashed: usize,
    /// Bytes of memory that all of them hold.
    held: usize,
    /// Memory of runs that are hashed, for those that come next.
    spare: Vec<Vec<u8>>,
    progress: LoadProgress,
    /// Bytes done when it was told last.
    told: u64,
    tell: &'a mut (dyn FnMut(LoadProgress) + Send),
}

enum Left {
    /// Its name and length in bytes.
    File(String, u64),
    Run(Run),
}

/// Bytes of a file, of one tensor or several.
pub(crate) enum Run {
    /// In memory, where nobody can change them.
    Copied(Vec<u8>),
    /// In a mapped file, or in the program itself.
    Shared(Bytes),
}

/// Those of one tensor.
pub(crate) enum Piece<'a> {
    /// In a [`Run::Copied`].
    Copied(&'a [u8]),
    /// In a [`Run::Shared`], which it keeps.
    Shared(Bytes),
}

impl Run {
    /// The bytes of `range`, counted from its first one.
    pub fn piece(&self, range: Range<usize>) -> Piece<'_> {
        match self {
            Self::Copied(bytes) => Piece::Copied(&bytes[range]),
            Self::Shared(bytes) => Piece::Shared(bytes.slice(range)),
        }
    }

    /// Bytes of memory that it holds.
    fn held(&self) -> usize {
        match self {
            Self::Copied(bytes) => bytes.capacity(),
            Self::Shared(_) => 0,
        }
    }
}

impl Deref for Run {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Copied(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

impl Deref for Piece<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Copied(bytes) => bytes,
            Self::Shared(bytes) => bytes,
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
        self.waiting.push(Run::Shared(read.content));
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
        self.waiting.push(Run::Shared(header));
        Ok(begun)
    }

    /// The next bytes of the file.
    ///
    /// # Errors
    /// [`Error::ReadFile`] or [`Error::Memory`].
    pub fn read(&mut self, begun: &Begun, range: Range<usize>) -> Result<Run, Error> {
        let file = match begun {
            Begun::Copied(file) => file,
            Begun::Shared(whole, _) => return Ok(Run::Shared(whole.slice(range))),
        };
        let memory = self.waiting.memory(range.len(), file.bytes())?;
        self.beside(|| Ok(Run::Copied(file.read_into(memory, range.start as u64, range.len())?)))
    }

    /// What was read is laid out, and is to be hashed.
    pub fn push(&mut self, run: Run) {
        self.waiting.push(run);
    }

    /// Runs `act`, and hashes beside it what came before, where there are threads for both.
    pub fn beside<T: Send>(&mut self, act: impl FnOnce() -> T + Send) -> T {
        let waiting = &mut self.waiting;
        match rayon::current_thread_index() {
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
                rayon::join(act, hash).0
            }
            // Outside of a pool rayon would start one that nobody ends. Nothing is won by waiting, and a card's memory takes long
            // enough that whoever waits for this wants to hear of it.
            None => {
                waiting.hash_while(|_| true);
                act()
            }
        }
    }

    /// Ends a file, all of whose bytes were read.
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
    fn push(&mut self, run: Run) {
        self.held += run.held();
        self.left.push_back(Left::Run(run));
    }

    /// Hashes until nothing is left, or what is left holds so many bytes that `goes_on` says no.
    fn hash_while(&mut self, goes_on: impl Fn(usize) -> bool) {
        while goes_on(self.held) {
            match self.left.pop_front() {
                None => return,
                Some(Left::File(name, bytes)) => self.hash.file(&name, bytes),
                Some(Left::Run(run)) => self.hash_chunk(run),
            }
            self.tell();
        }
    }

    fn hash_chunk(&mut self, run: Run) {
        let chunk = &run[self.hashed..run.len().min(self.hashed + CHUNK_BYTES)];
        self.hash.content(chunk);
        self.hashed += chunk.len();
        self.progress.bytes_done += chunk.len() as u64;
        if self.hashed < run.len() {
            self.left.push_front(Left::Run(run));
            return;
        }
        self.hashed = 0;
        self.held -= run.held();
        if let Run::Copied(memory) = run
            && memory.capacity() <= RUN_BYTES
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

    /// Memory for `length` bytes of a file of `file_bytes`: for any run of it, if the next ones may have it again.
    ///
    /// # Errors
    /// [`Error::Memory`].
    fn memory(&mut self, length: usize, file_bytes: u64) -> Result<Vec<u8>, Error> {
        match self.spare.pop() {
            Some(memory) if memory.capacity() >= length => Ok(memory),
            // Of a smaller file, or too small for this one tensor: it goes before the other one comes.
            _ => room(length.max(RUN_BYTES.min(usize::try_from(file_bytes).unwrap_or(usize::MAX)))),
        }
    }
}
