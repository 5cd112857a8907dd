//! The files of a log.

use rustix::fs::OFlags;
use rustix::io::Errno;
use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Records in one segment: 16 tiles of the lowest level, an aligned subtree.
pub(crate) const SEGMENT_RECORDS: u64 = 4096;

/// When a file was changed last, as the file system keeps it: nobody sets it but by the machine's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Changed(i64, i64);

impl Changed {
    pub fn of(found: &std::fs::Metadata) -> Self {
        Self(found.ctime(), found.ctime_nsec())
    }
}

/// The folder of a log.
#[derive(Clone, Debug)]
pub(crate) struct Paths(pub PathBuf);

impl Paths {
    pub fn origin(&self) -> PathBuf {
        self.0.join("origin")
    }
    pub fn vkeys(&self) -> PathBuf {
        self.0.join("vkeys")
    }
    pub fn key(&self) -> PathBuf {
        self.0.join("epoch.key")
    }
    pub fn key_next(&self) -> PathBuf {
        self.0.join("epoch.key.next")
    }
    pub fn checkpoint(&self) -> PathBuf {
        self.0.join("checkpoint")
    }
    /// A file of checkpoints. The first one has no number: for a long time there was no other.
    pub fn journal(&self, number: u64) -> PathBuf {
        match number {
            0 => self.0.join("checkpoints.log"),
            number => self.0.join(format!("checkpoints.{number}.log")),
        }
    }
    pub fn reserve(&self) -> PathBuf {
        self.0.join("reserve")
    }
    pub fn tiles(&self) -> PathBuf {
        self.0.join("tile")
    }
    pub fn quarantine(&self) -> PathBuf {
        self.0.join("quarantine")
    }
    pub fn epochs(&self) -> PathBuf {
        self.0.join("epochs")
    }
    pub fn epoch_note(&self, epoch: u32) -> PathBuf {
        self.epochs().join(format!("{epoch}.note"))
    }
    pub fn segments(&self) -> PathBuf {
        self.0.join("seg")
    }
    pub fn segment(&self, index: u64) -> PathBuf {
        self.segments().join(format!("{index:08}.jsonl"))
    }
}

/// All files below a folder, sorted; none if it is missing. Links are listed and not followed.
pub(crate) fn files_below(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_dir() { folders.push(entry.path()) } else { files.push(entry.path()) }
        }
    }
    files.sort();
    Ok(files)
}

/// Reads a whole file unless it is larger than a limit, which is an error of the kind `FileTooLarge`.
pub(crate) fn read_limited(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    limited(open_regular(path, OpenOptions::new().read(true))?, bytes_max)
}

fn limited(from: impl Read, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

/// Reads a checkpoint that was kept elsewhere, which is a regular file of at most 64 KiB, however it is reached, or standard input:
/// `-`, or `/dev/stdin`. See [`checkpoint_lines`].
///
/// # Errors
/// What the system says; `InvalidInput` for a named pipe, which would be waited for, and for a folder.
pub fn read_checkpoint(path: &Path) -> io::Result<Vec<u8>> {
    let is_stdin = ["-", "/dev/stdin"].iter().any(|name| path.as_os_str() == *name);
    let bytes = match is_stdin {
        true => limited(io::stdin().lock(), CHECKPOINT_BYTES_MAX)?,
        // Whoever names a link means what it leads to.
        false => read_limited(&path.canonicalize()?, CHECKPOINT_BYTES_MAX)?,
    };
    Ok(checkpoint_lines(bytes))
}

/// The ends of its lines made those of a checkpoint again: a mail, an editor and whoever read it from a QR code have others.
pub fn checkpoint_lines(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.retain(|byte| *byte != b'\r');
    if let Some(last) = bytes.iter().rposition(|byte| *byte != b'\n') {
        bytes.truncate(last + 1);
        bytes.push(b'\n');
    }
    bytes
}

/// Opens a regular file, and nothing else: a link leads out of the folder, and opening a pipe waits for ever for its
/// other end. Anything else is an error of the kind `InvalidInput`. What was opened is what is judged, so nobody can put
/// a pipe in its place in between.
pub(crate) fn open_regular(path: &Path, options: &mut OpenOptions) -> io::Result<fs::File> {
    let irregular = || io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file");
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = options.custom_flags(flags.bits().cast_signed()).open(path).map_err(|e| {
        // What opening a link, a pipe that nobody reads or a socket, or a folder for writing answers.
        let kinds = [Errno::LOOP, Errno::NXIO, Errno::ISDIR].map(|errno| Some(errno.raw_os_error()));
        if kinds.contains(&e.raw_os_error()) { irregular() } else { e }
    })?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(irregular()) }
}

/// Bytes of a full segment of the longest lines.
pub const SEGMENT_BYTES_MAX: u64 = SEGMENT_RECORDS * crate::record::LINE_BYTES_MAX;
/// A checkpoint with its signatures has a few hundred bytes.
pub const CHECKPOINT_BYTES_MAX: u64 = 64 << 10;
/// Every other file: about 100,000 keys.
pub(crate) const SMALL_BYTES_MAX: u64 = 16 << 20;
