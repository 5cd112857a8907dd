//! The files of checkpoints: `checkpoints.log`, then `checkpoints.1.log`, and so on. All but the newest are closed.
//!
//! Each is read checkpoint by checkpoint, so no number of them is too large; a start reads the newest file alone.

use crate::durable::Disk;
use crate::error::{Error, io_error};
use crate::note::{NOTE_BYTES_MAX, Note};
use crate::paths::{Paths, open_regular};
use std::fs::OpenOptions;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// A file of checkpoints that has reached this length gets no more; the next checkpoint begins the next file. About
/// 1,000 checkpoints: a start reads them and writes them anew, on a full disk in half of the reserve.
pub(crate) const FILE_BYTES: u64 = if cfg!(test) { 4 << 10 } else { 256 << 10 };

/// Number of the newest file; `None` when there is none. A file behind a missing one does not count: it is lost.
pub(crate) fn newest(paths: &Paths) -> Option<u64> {
    let is_there = |number: &u64| paths.journal(*number).symlink_metadata().is_ok();
    (0..).take_while(is_there).last()
}

/// The checkpoints that a start reads: those of the newest file, and of the one before when a crash left that one empty.
#[derive(Debug)]
pub(crate) struct Journal {
    /// Number of the newest file.
    pub number: u64,
    /// The first checkpoint of the log.
    pub first: Note,
    /// The last one.
    pub last: Note,
    /// The hand-overs among those read.
    pub hand_overs: Vec<Note>,
    /// All checkpoints of the log were read.
    pub is_whole: bool,
    /// Bytes of the newest file that its checkpoints fill, and what a crash left behind them.
    pub end: u64,
    pub torn: Vec<u8>,
}

impl Journal {
    pub fn read(paths: &Paths) -> Result<Self, Error> {
        let nothing = || Error::Lost { found: 0, signed: 1 };
        let newest_number = newest(paths).ok_or_else(nothing)?;
        let (mut number, mut hand_overs, mut last) = (newest_number, Vec::new(), None);
        let mut torn_end = None;
        loop {
            let path = paths.journal(number);
            let failed = io_error("read", &path);
            let mut notes = Notes::open(&path, 0).map_err(&failed)?;
            let mut found = Vec::new();
            for note in &mut notes {
                let note = note.map_err(&failed)?;
                if note.signatures.len() == 2 {
                    found.push(note.clone());
                }
                last = Some(note);
            }
            let torn = rest(&path, notes.end, NOTE_BYTES_MAX).map_err(&failed)?;
            if torn.len() as u64 > NOTE_BYTES_MAX || (number < newest_number && !torn.is_empty()) {
                let what = "a file of checkpoints holds something else than checkpoints";
                return Err(Error::Broken { what, at: notes.end });
            }
            torn_end.get_or_insert((notes.end, torn));
            found.append(&mut hand_overs);
            hand_overs = found;
            if last.is_some() || number == 0 {
                break;
            }
            number -= 1;
        }
        let path = paths.journal(0);
        let first = Notes::open(&path, 0).map_err(io_error("read", &path))?.next();
        let first = first.transpose().map_err(io_error("read", &path))?.ok_or_else(nothing)?;
        let (end, torn) = torn_end.unwrap_or_default();
        let last = last.ok_or_else(nothing)?;
        Ok(Self { number: newest_number, first, last, hand_overs, is_whole: number == 0, end, torn })
    }
}

/// Makes what a start has accepted durable. It may lie in the kernel's memory only: a sync that failed earlier has left it
/// there, and neither reading it nor syncing it again can tell or help.
///
/// That concerns the newest file of checkpoints alone. Records are durable before a checkpoint is written over them, and a
/// checkpoint before anything follows from it; whatever else a failed sync leaves (a key, a copy of a checkpoint, a cut) is
/// made again by the next start.
impl Journal {
    /// Writes the newest file anew as it was accepted.
    pub fn renew(&self, disk: &Disk, paths: &Paths) -> io::Result<()> {
        disk.renew(&paths.journal(self.number), self.end)
    }

    /// The best that a full disk allows: writes the last checkpoint once more where it lies. Not every file system takes
    /// that for more than it took the failed write for, so nothing is to be finished on top.
    pub fn rewrite_last(&self, disk: &Disk, paths: &Paths) -> io::Result<()> {
        let bytes = [&self.last.bytes()[..], b"\n"].concat();
        match self.end.checked_sub(bytes.len() as u64) {
            Some(at) => disk.overwrite(&paths.journal(self.number), at, &bytes),
            // The newest file is empty; the one before was durable when it was made.
            None => Ok(()),
        }
    }
}

/// The checkpoints of one file, in order. Ends before whatever is no checkpoint.
#[derive(Debug)]
pub(crate) struct Notes {
    input: BufReader<io::Take<std::fs::File>>,
    /// How many bytes the checkpoints read so far fill.
    pub end: u64,
}

impl Notes {
    /// Reads from a byte on at which a checkpoint begins.
    pub fn open(path: &Path, from: u64) -> io::Result<Self> {
        let mut file = open_regular(path, OpenOptions::new().read(true))?;
        file.seek(SeekFrom::Start(from))?;
        Ok(Self { input: BufReader::new(file.take(u64::MAX)), end: from })
    }

    /// The same, ending at a byte.
    pub fn up_to(mut self, until: u64) -> Self {
        self.input.get_mut().set_limit(until.saturating_sub(self.end));
        self
    }
}

impl Iterator for Notes {
    type Item = io::Result<Note>;

    fn next(&mut self) -> Option<Self::Item> {
        let (mut bytes, mut blank_lines) = (Vec::new(), 0);
        // A checkpoint holds one empty line itself, so the second one ends it.
        while blank_lines < 2 {
            let before = bytes.len();
            let mut line = self.input.by_ref().take(NOTE_BYTES_MAX);
            if let Err(e) = line.read_until(b'\n', &mut bytes) {
                return Some(Err(e));
            }
            let line_len = bytes.len() - before;
            if line_len == 0 || !bytes.ends_with(b"\n") || bytes.len() as u64 > NOTE_BYTES_MAX {
                return None;
            }
            blank_lines += u32::from(line_len == 1);
        }
        let note = Note::parse(&bytes[..bytes.len() - 1])?;
        self.end += bytes.len() as u64;
        Some(Ok(note))
    }
}

/// What follows the checkpoints of a file: at most so many bytes of it, and one more if there are more.
pub(crate) fn rest(path: &Path, end: u64, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut file = open_regular(path, OpenOptions::new().read(true))?;
    file.seek(SeekFrom::Start(end))?;
    let mut bytes = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
