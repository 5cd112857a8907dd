//! Paths that a person names: what they become before the fences, while there still is a working folder.

use crate::door::line::Line;
use crate::exit::{Code, Failure};
use crate::output::Output;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use sandbox::Clean;
use std::ffi::OsString;
use std::fs::File;
use std::io::{Error, ErrorKind};
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Endings of pictures of other kinds: what is written is PNG.
const OTHER_FORMATS: [&str; 14] =
    ["jpg", "jpeg", "jpe", "jxl", "webp", "gif", "bmp", "tif", "tiff", "avif", "heic", "heif", "svg", "ppm"];

/// An existing path of the person's, links resolved.
pub fn real(path: &Path) -> Result<PathBuf, Failure> {
    path.canonicalize().map_err(|e| {
        Failure::new(Code::NotFound, format!("{} cannot be used: {}", path.display(), with_remedy(&e)))
    })
}

/// What the system says of a file or a folder that a person named, with what to do.
pub fn with_remedy(error: &Error) -> String {
    // What this program says itself says it already.
    let Some(number) = error.raw_os_error() else { return error.to_string() };
    let remedy = match error.kind() {
        ErrorKind::NotFound => "see that the name is right, and that its disk is there",
        ErrorKind::NotADirectory => "see that the name is right: a part of it is a file, and no folder",
        ErrorKind::IsADirectory => "name a file",
        ErrorKind::PermissionDenied => "let this user reach it, or run this as the user whose it is",
        ErrorKind::ReadOnlyFilesystem => "make its disk writable, or name another place",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room there, or name another place",
        ErrorKind::InvalidFilename => "give it a shorter name",
        _ if [Errno::MFILE, Errno::NFILE].iter().any(|errno| errno.raw_os_error() == number) => {
            "raise the limit of open files (ulimit -n), or end other programs"
        }
        _ => "see what ails its disk, or name another one",
    };
    format!("{error}; {remedy}")
}

/// Opens a file to read; a pipe, which could keep the start waiting for ever, is an error.
pub fn open_regular(path: &Path, flags: OFlags) -> std::io::Result<File> {
    let file = open(path, flags)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(std::io::Error::other("it is no regular file")),
    }
}

/// Opens a file of ours to read and to go on with, or makes it, for its owner alone; anything else than a file is an error.
pub fn open_kept(path: &Path) -> std::io::Result<File> {
    let flags =
        OFlags::RDWR | OFlags::CREATE | OFlags::APPEND | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::from(rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?);
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(std::io::Error::other("it is no regular file")),
    }
}

/// Makes a file that must not be there, for its owner alone.
pub fn make_new(path: &Path) -> std::io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    Ok(File::from(rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?))
}

/// Opens a file that is there, to write bytes in the middle of it; anything else than a file is an error.
pub fn open_to_change(path: &Path) -> std::io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(std::io::Error::other("it is no regular file")),
    }
}

/// Opens a folder, to make a name in it durable.
pub fn open_folder(path: &Path) -> std::io::Result<File> {
    open(path, OFlags::DIRECTORY)
}

/// Opens a file to write that is there, this user's own, and empty.
pub fn open_empty(path: &Path) -> Option<File> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty()).ok()?);
    let found = file.metadata().ok()?;
    let is_own = found.uid() == rustix::process::geteuid().as_raw() && found.mode() & 0o077 == 0;
    (found.is_file() && found.len() == 0 && is_own).then_some(file)
}

/// Opens a file or a pipe to read: by its name, or as a descriptor that this process was started with (`/dev/stdin`, a
/// shell's `<(...)`). Whoever reads it waits no longer than they mean to.
pub fn open_file_or_pipe(path: &Path, clean: &mut Clean) -> std::io::Result<File> {
    let file = match handed_over(path, clean) {
        Some(file) => file?,
        None => open(path, OFlags::empty())?,
    };
    let kind = file.metadata()?.file_type();
    if rustix::termios::isatty(&file) {
        return Err(std::io::Error::other(
            "it is a terminal, which would show what is typed; leave the flag out",
        ));
    }
    match kind.is_file() || kind.is_fifo() || kind.is_socket() {
        true => Ok(file),
        false => Err(std::io::Error::other("it is no regular file and no pipe")),
    }
}

/// What this process was started with under that name, if it is one of a descriptor.
pub fn handed_over(path: &Path, clean: &mut Clean) -> Option<std::io::Result<File>> {
    // Opened by its name it would be another one, which a socket is not, and another user's pipe refuses.
    Some(match descriptor(path)? {
        0 => std::io::stdin().as_fd().try_clone_to_owned().map(File::from),
        number => match clean.take_descriptor(number) {
            Some(handed) => Ok(File::from(handed)),
            None => Err(std::io::Error::other("no such descriptor was handed over")),
        },
    })
}

/// The numbers of the descriptors that arguments name as files.
pub fn descriptors(arguments: impl Iterator<Item = OsString>) -> Vec<i32> {
    let value = |argument: &OsString| -> Option<i32> {
        let text = argument.to_str()?;
        descriptor(Path::new(text.split_once('=').map_or(text, |(_, value)| value)))
    };
    arguments.filter_map(|argument| value(&argument)).collect()
}

/// The descriptor that a path stands for.
fn descriptor(path: &Path) -> Option<i32> {
    let text = path.to_str()?;
    if text == "/dev/stdin" {
        return Some(0);
    }
    let number = text.strip_prefix("/dev/fd/").or_else(|| text.strip_prefix("/proc/self/fd/"))?;
    number.parse().ok().filter(|number| *number >= 0)
}

fn open(path: &Path, flags: OFlags) -> std::io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY | flags;
    Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?))
}

/// The working folder is gone behind the fences.
pub fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path)
        .map_err(|e| Failure::new(Code::Usage, format!("{} is not a path: {e}", path.display())))
}

/// Where plain copies go.
pub enum Exporting {
    /// To files.
    Files(Targets),
    /// One of them to standard output.
    Stdout,
    /// To where the other end of a connection says.
    Far(Arc<Line>),
}

impl Exporting {
    /// `-` is standard output, anything else a folder or a file in one.
    ///
    /// # Errors
    /// The folder is not there, the file would be of another kind, or standard output takes no picture.
    pub fn new(path: &Path, out: &Output) -> Result<Self, Failure> {
        if path.as_os_str() == "-" {
            out.reserve_for_picture()?;
            return Ok(Self::Stdout);
        }
        Targets::new(path).map(Self::Files)
    }

    /// The folder that is granted.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::Files(targets) => Some(&targets.folder),
            Self::Stdout | Self::Far(_) => None,
        }
    }

    /// The file for picture `index` of `count`; `None` is standard output.
    pub fn path(&self, index: usize, count: usize, name: &str) -> Option<PathBuf> {
        match self {
            Self::Files(targets) => Some(targets.path(index, count, name)),
            Self::Stdout | Self::Far(_) => None,
        }
    }

    /// Refuses before any work what would be refused after it.
    ///
    /// # Errors
    /// A file is there already, or standard output would have to take several pictures.
    pub fn check(&self, count: usize) -> Result<(), Failure> {
        self.check_count(count)?;
        match self {
            Self::Files(targets) => targets.check(count),
            Self::Stdout => Ok(()),
            Self::Far(line) => line.check_copies(count),
        }
    }

    /// The part of [`Exporting::check`] that looks at no folder.
    ///
    /// # Errors
    /// As there; several go to a name that is none of a file's, and of no folder that is there.
    pub fn check_count(&self, count: usize) -> Result<(), Failure> {
        match self {
            Self::Stdout if count > 1 => {
                let what = "standard output takes one picture; name a folder for several";
                Err(Failure::new(Code::Usage, what))
            }
            Self::Files(Targets { file: Some(file), .. }) if count > 1 && file.extension().is_none() => {
                let what = format!(
                    "the folder {0} is not there; make it first, or name a file such as {0}.png, and the copies get numbers",
                    file.display()
                );
                Err(Failure::new(Code::NotFound, what))
            }
            _ => Ok(()),
        }
    }
}

/// Files for plain copies.
pub struct Targets {
    folder: PathBuf,
    /// The file for one picture; several get numbers. `None`: each keeps its name.
    file: Option<PathBuf>,
}

impl Targets {
    /// `path` is a folder, or a file in one.
    ///
    /// # Errors
    /// The folder is not there.
    fn new(path: &Path) -> Result<Self, Failure> {
        if path.is_dir() {
            return Ok(Self { folder: real(path)?, file: None });
        }
        if path.as_os_str().as_bytes().ends_with(b"/") {
            let what = format!("the folder {} is not there; make it first", path.display());
            return Err(Failure::new(Code::NotFound, what));
        }
        let path = absolute(path)?;
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(Failure::new(Code::Usage, format!("{} is not a file name", path.display())));
        };
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
        if let Some(ending) = ending.filter(|ending| OTHER_FORMATS.contains(&ending.as_str())) {
            let what = format!(
                "a plain copy is a PNG file, and {} ends with .{ending}; name it .png",
                path.display()
            );
            return Err(Failure::new(Code::Usage, what));
        }
        let folder = real(folder)?;
        Ok(Self { file: Some(folder.join(name)), folder })
    }

    /// The file for picture `index` of `count`.
    pub fn path(&self, index: usize, count: usize, name: &str) -> PathBuf {
        match &self.file {
            None => self.folder.join(name),
            Some(file) if count == 1 => file.clone(),
            Some(file) => {
                let mut name = file.file_stem().unwrap_or_default().to_owned();
                name.push(format!("-{}", index + 1));
                if let Some(extension) = file.extension() {
                    name.push(".");
                    name.push(extension);
                }
                file.with_file_name(name)
            }
        }
    }

    /// Refuses before any work what would be refused after it.
    ///
    /// # Errors
    /// A file is there already.
    fn check(&self, count: usize) -> Result<(), Failure> {
        if self.file.is_none() {
            return Ok(());
        }
        match (0..count).map(|i| self.path(i, count, "")).find(|path| path.symlink_metadata().is_ok()) {
            None => Ok(()),
            Some(path) => {
                let what = format!("{} is there already; choose another name for the export", path.display());
                Err(Failure::new(Code::Refused, what))
            }
        }
    }
}
