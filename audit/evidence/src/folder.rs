//! The folder of a bundle, and that of the last runs: the crate's one place that opens files, makes them, and makes them
//! durable.

use crate::error::{Error, io_error};
use audit::Digest;
use rustix::fs::OFlags;
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// One file of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Its path in the bundle, with `/`.
    pub path: String,
    pub bytes: u64,
    pub sha256: Digest,
}

/// A bundle that is being made.
#[derive(Debug)]
pub(crate) struct NewFolder {
    root: PathBuf,
    pub listed: Vec<Listed>,
    /// The files that it made, whole or not.
    made: Vec<PathBuf>,
}

impl NewFolder {
    /// Makes the folder, for its owner alone, or takes one that is there and empty.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::Io`].
    pub fn make(root: &Path) -> Result<Self, Error> {
        if !is_empty_folder(root) {
            DirBuilder::new().mode(0o700).create(root).map_err(|e| match e.kind() {
                io::ErrorKind::AlreadyExists => Error::Exists { dir: root.to_owned() },
                _ => io_error("make", root)(e),
            })?;
        }
        Ok(Self { root: root.to_owned(), listed: Vec::new(), made: Vec::new() })
    }

    /// Writes a file and lists it.
    pub fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), Error> {
        let mut file = self.begin(path)?;
        file.write(bytes)?;
        self.end(file)
    }

    /// Begins a file that is written piece by piece.
    ///
    /// # Errors
    /// [`Error::Exists`]: somebody else makes one there, and was quicker; [`Error::Io`].
    pub fn begin(&mut self, path: &str) -> Result<NewFile, Error> {
        let full = self.root.join(path);
        if let Some(above) = full.parent() {
            DirBuilder::new().mode(0o700).recursive(true).create(above).map_err(io_error("make", above))?;
        }
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&full);
        let file = opened.map_err(|e| match e.kind() {
            io::ErrorKind::AlreadyExists => Error::Exists { dir: self.root.clone() },
            _ => io_error("make", &full)(e),
        })?;
        self.made.push(full.clone());
        let file = io::BufWriter::new(file);
        Ok(NewFile { path: path.to_owned(), full, file, bytes: 0, hash: Sha256::new() })
    }

    /// Makes it durable and lists it.
    pub fn end(&mut self, file: NewFile) -> Result<(), Error> {
        let NewFile { path, full, file, bytes, hash } = file;
        let file = file.into_inner().map_err(|e| io_error("write", &full)(e.into_error()))?;
        file.sync_all().map_err(io_error("write", &full))?;
        self.listed.push(Listed { path, bytes, sha256: Digest(hash.finalize().into()) });
        Ok(())
    }

    /// Makes the names of its files durable, too.
    pub fn seal(&self) -> Result<(), Error> {
        let inner = self.listed.iter().filter_map(|file| Some(self.root.join(file.path.rsplit_once('/')?.0)));
        let folders: BTreeSet<PathBuf> = inner.chain([self.root.clone()]).collect();
        for folder in folders {
            File::open(&folder).and_then(|folder| folder.sync_all()).map_err(io_error("write", &folder))?;
        }
        Ok(())
    }

    /// Removes what was made, and nothing of anybody else's: a bundle that is not whole is not left behind.
    pub fn remove(self) {
        let Self { root, made, .. } = self;
        let mut folders: BTreeSet<&Path> = BTreeSet::from([&*root]);
        for file in &made {
            // What cannot be removed has no manifest, or one that it does not fit.
            let _ = std::fs::remove_file(file);
            folders.extend(file.ancestors().skip(1).take_while(|above| above.starts_with(&root)));
        }
        // The inner ones first; none that is not empty.
        for folder in folders.into_iter().rev() {
            let _ = std::fs::remove_dir(folder);
        }
    }
}

/// Gives a file in that folder another name, which no file has yet, and makes that durable.
pub(crate) fn rename(dir: &Path, from: &str, to: &str) -> Result<(), Error> {
    let renamed = std::fs::rename(dir.join(from), dir.join(to)).and_then(|()| File::open(dir)?.sync_all());
    renamed.map_err(io_error("write", &dir.join(to)))
}

/// Removes a bundle that was made and is not to be handed out. The folder itself stays, and empty, where this process may not
/// remove it.
pub fn take_back(dir: &Path) {
    // What cannot be removed has no manifest, or one that it does not fit.
    let _ = std::fs::remove_dir_all(dir);
}

/// Whether it is a folder, and no link to one, without anything in it.
fn is_empty_folder(path: &Path) -> bool {
    let is_folder = path.symlink_metadata().is_ok_and(|found| found.is_dir());
    is_folder && std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}

/// A file that is being written.
#[derive(Debug)]
pub(crate) struct NewFile {
    path: String,
    full: PathBuf,
    file: io::BufWriter<File>,
    bytes: u64,
    hash: Sha256,
}

impl NewFile {
    /// Adds to it.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all(bytes).map_err(io_error("write", &self.full))?;
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }
}

/// Writes a file under that name, whatever had it before, and makes both durable.
pub(crate) fn write_durable(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), Error> {
    let (path, new) = (dir.join(name), dir.join(format!("{name}.new")));
    let failed = io_error("write", &path);
    // What a crash left of an earlier try; whatever it is, it is not opened.
    let _ = std::fs::remove_file(&new);
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&new, &path)?;
        File::open(dir)?.sync_all()
    };
    write().map_err(|e| {
        let _ = std::fs::remove_file(&new);
        failed(e)
    })
}

/// A folder in one that is there, made for its owner alone if it is missing.
pub(crate) fn within(dir: &Path, name: &str) -> Result<PathBuf, Error> {
    let inner = dir.join(name);
    match DirBuilder::new().mode(0o700).create(&inner) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        made => made.and_then(|()| File::open(dir)?.sync_all()).map_err(io_error("make", &inner))?,
    }
    Ok(inner)
}

/// Removes a file.
pub(crate) fn remove(dir: &Path, name: &str) -> Result<(), Error> {
    let path = dir.join(name);
    std::fs::remove_file(&path).map_err(io_error("remove", &path))
}

/// Opens a regular file, and nothing else: a link leads out of the folder, and opening a pipe waits for ever for its other
/// end. Anything else is an error of the kind `InvalidInput`.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    let irregular = || io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file");
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(|e| {
        let kinds = [Errno::LOOP, Errno::NXIO, Errno::ISDIR].map(|errno| Some(errno.raw_os_error()));
        if kinds.contains(&e.raw_os_error()) { irregular() } else { e }
    })?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(irregular()) }
}

/// Reads a whole file unless it is larger than a limit, which is an error of the kind `FileTooLarge`.
pub(crate) fn read(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path)?.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

/// The files of a folder that was made, by their paths in it.
///
/// # Errors
/// [`Error::Io`]: one cannot be read, or, of the kind `FileTooLarge`, has more than `bytes_max` bytes.
pub fn files(dir: &Path, bytes_max: u64) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let read = |path: String| read(&dir.join(&path), bytes_max).map(|bytes| (path, bytes));
    names(dir).and_then(|names| names.into_iter().map(read).collect()).map_err(io_error("read", dir))
}

/// Length and digest of a file; of one that is longer than a limit, those of its first bytes up to one more than the limit.
pub(crate) fn measure(path: &Path, bytes_max: u64) -> io::Result<(u64, Digest)> {
    let (mut file, mut hash, mut bytes) =
        (open_regular(path)?.take(bytes_max.saturating_add(1)), Sha256::new(), 0);
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((bytes, Digest(hash.finalize().into()))),
            n => {
                hash.update(&buffer[..n]);
                bytes += n as u64;
            }
        }
    }
}

/// Hands the lines of a file over, one by one and without their newlines. A line longer than the limit, or a last one
/// without a newline, is an error of the kind `InvalidData`.
pub(crate) fn lines(path: &Path, bytes_max: u64, mut each: impl FnMut(&[u8])) -> io::Result<()> {
    let mut file = BufReader::with_capacity(1 << 16, open_regular(path)?);
    let mut line = Vec::new();
    loop {
        line.clear();
        if (&mut file).take(bytes_max).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let whole = line.strip_suffix(b"\n").ok_or(io::ErrorKind::InvalidData)?;
        each(whole);
    }
}

/// Paths of all files below a folder, with `/`, sorted. Links are listed and not followed.
pub(crate) fn names(root: &Path) -> io::Result<Vec<String>> {
    let (mut names, mut folders) = (Vec::new(), vec![String::new()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            // A name that is no text cannot be listed, so it shows up as one that is not.
            let name = format!("{folder}{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() { folders.push(name + "/") } else { names.push(name) }
        }
    }
    names.sort();
    Ok(names)
}
