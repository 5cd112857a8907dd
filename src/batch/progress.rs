//! How far a batch has come. The file holds numbers of lines, one for each picture that is sealed, below a digest that tells
//! nobody anything who lacks the vault. It holds no word of a prompt and no name of a picture.

use crate::door::line::Line;
use crate::exit::{Code, Failure};
use audit::Digest;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// How such a file begins. The digest follows.
const FIRST_WORD: &str = "lightproof/batch/v1 ";
/// Most bytes of one.
const BYTES_MAX: u64 = 64 << 20;

/// Where it is kept.
enum Kept {
    /// In a file.
    File(File),
    /// At the other end of a connection.
    Far(Arc<Line>),
}

/// How far a batch has come.
pub struct Progress {
    kept: Kept,
    path: PathBuf,
    /// Pictures that are sealed, by line.
    made: HashMap<u64, u64>,
}

impl Progress {
    /// Opens the file, or makes it; nothing is parsed. Behind the fences it could not be opened.
    ///
    /// # Errors
    /// [`Code::Refused`].
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let file = crate::paths::open_kept(path).map_err(|error| {
            let what = "how far the batch has come cannot be kept there";
            Failure::new(
                Code::Refused,
                format!("{}: {what}: {error}; name another file with --progress", path.display()),
            )
        })?;
        Ok(Self { kept: Kept::File(file), path: path.into(), made: HashMap::new() })
    }

    /// Kept at the other end of a connection, in the file with this path there.
    pub fn far(line: Arc<Line>, path: PathBuf) -> Self {
        Self { kept: Kept::Far(line), path, made: HashMap::new() }
    }

    /// Reads what was done before. `batch` stands for the batch and for whoever does it.
    ///
    /// # Errors
    /// [`Code::Refused`] if the file is about another batch, or is something else, which is left as it is.
    pub fn resume(&mut self, batch: &Digest) -> Result<(), Failure> {
        let file = match &self.kept {
            Kept::File(file) => file,
            Kept::Far(line) => {
                self.made = line.resume(batch.0)?.into_iter().collect();
                return Ok(());
            }
        };
        let mut bytes = Zeroizing::new(Vec::new());
        let read = file.take(BYTES_MAX).read_to_end(&mut bytes);
        read.map_err(|error| self.unkept(&error))?;
        let first = format!("{FIRST_WORD}{batch}\n");
        // What an interruption tore off counts for nothing.
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let text = std::str::from_utf8(&bytes[..whole]).map_err(|_| self.foreign())?;
        match text.split_once('\n') {
            None if !first.as_bytes().starts_with(&bytes) => return Err(self.foreign()),
            None => {
                file.set_len(0).map_err(|error| self.unkept(&error))?;
                return self.write(file, &first);
            }
            Some((line, _)) if !line.starts_with(FIRST_WORD) => return Err(self.foreign()),
            Some((line, numbers)) => {
                if line != first.trim_end() {
                    let what = "is about another batch: the file was changed since, or somebody else began it. Name another file \
                                with --progress, or remove this one, to begin anew";
                    return Err(Failure::new(Code::Refused, format!("{} {what}", self.path.display())));
                }
                for number in numbers.lines() {
                    let number = number.parse().map_err(|_| self.foreign())?;
                    *self.made.entry(number).or_default() += 1;
                }
            }
        }
        file.set_len(whole as u64).map_err(|error| self.unkept(&error))
    }

    /// The lines of which pictures are sealed, and how many.
    pub fn all(&self) -> Vec<(u64, u64)> {
        self.made.iter().map(|(line, count)| (*line, *count)).collect()
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many pictures of this line are sealed.
    pub fn made(&self, line: u64) -> u64 {
        self.made.get(&line).copied().unwrap_or_default()
    }

    /// One more picture of this line is sealed. Durable when this returns.
    ///
    /// # Errors
    /// [`Code::Space`] on a full disk, or what the system says.
    pub fn add(&mut self, line: u64) -> Result<(), Failure> {
        match &self.kept {
            Kept::File(file) => self.write(file, &format!("{line}\n"))?,
            Kept::Far(far) => far.made(line)?,
        }
        *self.made.entry(line).or_default() += 1;
        Ok(())
    }

    fn write(&self, mut file: &File, text: &str) -> Result<(), Failure> {
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_data());
        written.map_err(|error| self.unkept(&error))
    }

    fn unkept(&self, error: &io::Error) -> Failure {
        let code = match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => Code::Space,
            _ => Code::Unexpected,
        };
        let what = "how far the batch has come could not be kept";
        Failure::new(code, format!("{}: {what}: {error}", self.path.display()))
    }

    fn foreign(&self) -> Failure {
        let what = "is there already and says nothing about a batch; name another file with --progress";
        Failure::new(Code::Refused, format!("{} {what}", self.path.display()))
    }
}
