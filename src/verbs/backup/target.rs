//! Where a backup goes: to a file, to standard output, or to the other end of a connection.

use crate::boot::backup::Opened;
use crate::door::line::Line;
use crate::exit::{Code, Failure};
use crate::output::Output;
use rustix::fs::FileType;
use std::cell::Cell;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;

/// What is handed a backup piece by piece. It is whole once it is settled.
pub enum Target {
    /// A file that was made for it, and its folder.
    File(Opened),
    /// Standard output, and how many bytes went there: nobody takes them back.
    Stdout(Cell<u64>),
    /// Whoever is at the other end has one of the two.
    Far(Arc<Line>),
}

impl Target {
    /// That of the file, or standard output where there is none.
    pub fn of(file: Option<Opened>) -> Self {
        file.map_or_else(|| Self::Stdout(Cell::new(0)), Self::File)
    }

    /// Makes what was written durable.
    ///
    /// # Errors
    /// What the system says.
    pub fn settle(&self) -> io::Result<()> {
        match self {
            Self::File(opened) => opened.settle(),
            Self::Stdout(_) => Ok(()),
            Self::Far(line) => line.settle(),
        }
    }

    /// Takes back what was written; `true` if nothing of it is left.
    pub fn undo(&self) -> bool {
        match self {
            Self::File(Opened { file, .. }) => file.set_len(0).and_then(|()| file.sync_all()).is_ok(),
            Self::Stdout(given) => given.get() == 0,
            Self::Far(line) => line.undo(),
        }
    }
}

impl Write for &Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Target::File(Opened { file, .. }) => (&*file).write(bytes),
            Target::Stdout(given) => {
                let written = io::stdout().write(bytes)?;
                given.set(given.get() + written as u64);
                Ok(written)
            }
            Target::Far(line) => line.write_piece(bytes).map(|()| bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Target::Stdout(_) => io::stdout().flush(),
            Target::File(_) | Target::Far(_) => Ok(()),
        }
    }
}

/// Refuses a place that would lose the backup, before there is one: `-` is standard output.
///
/// # Errors
/// It is closed, a terminal, or leads nowhere.
pub fn check(path: &Path, out: &Output) -> Result<(), Failure> {
    if path.as_os_str() != "-" {
        return Ok(());
    }
    out.reserve_for_picture()?;
    match leads_nowhere(&io::stdout()) {
        false => Ok(()),
        true => {
            let what = "standard output is closed or leads nowhere, and so would the backup; send it to a file or a program";
            Err(Failure::new(Code::Refused, what))
        }
    }
}

/// What is said of a part of a backup that nobody could take back.
pub fn what_is_left(path: &Path) -> String {
    let it = match path.as_os_str() == "-" {
        true => "what went to standard output".to_owned(),
        false => path.display().to_string(),
    };
    format!(
        "; {it} could not be taken back, and whoever has it and a passphrase may read what is in it: destroy it"
    )
}

/// Whether it is the null device, which also stands for one that was closed.
fn leads_nowhere(stream: &impl AsFd) -> bool {
    let null = rustix::fs::makedev(1, 3);
    rustix::fs::fstat(stream).is_ok_and(|found| {
        FileType::from_raw_mode(found.st_mode) == FileType::CharacterDevice && found.st_rdev == null
    })
}
