//! The host's end of a connection: what is printed, asked and written at the other end.

use super::wire::{self, Heard, Said, Unwritten};
use crate::boot::opens::NewOf;
use crate::exit::{Code, Failure};
use std::io;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use zeroize::Zeroizing;

/// How long a word may take to leave: whoever reads nothing for so long is given up.
const SEND_TIME_MAX: Duration = Duration::from_secs(30);

/// How long the other end may take for what no person is asked: a plain copy to a slow disk, say.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(120);

/// How long a backup may take to be durable: on a slow stick, say.
const SETTLE_TIME_MAX: Duration = Duration::from_secs(3600);

/// Most bytes of a file that cross at once.
pub const PIECE_BYTES_MAX: usize = 8 << 20;

/// A word, and the bytes beside it.
type Word = (Heard, Zeroizing<Vec<u8>>);

/// Who is at the other end.
struct Person {
    is_signed_in: Box<dyn Fn() -> bool + Send + Sync>,
    /// Hears whether the verb works, or waits for them.
    works: Box<dyn Fn(bool) + Send + Sync>,
}

/// A connection to a client.
pub struct Line {
    stream: Mutex<UnixStream>,
    heard: Mutex<Receiver<Word>>,
    /// The person wants the job to end, or nobody is at the other end any more.
    interrupted: Arc<AtomicBool>,
    /// How long a person is waited for.
    idle: Duration,
    has_terminal: AtomicBool,
    /// An answer did not come in time: whatever comes now may be the one to another question.
    has_waited: AtomicBool,
    /// Who signed in.
    person: OnceLock<Person>,
}

impl Line {
    /// Of a connection, whose words are read by a thread of their own until its end.
    ///
    /// # Errors
    /// What the system says.
    pub fn new(stream: UnixStream, idle: Duration) -> io::Result<Arc<Self>> {
        stream.set_write_timeout(Some(SEND_TIME_MAX))?;
        let mut reading = stream.try_clone()?;
        let (tell, heard) = sync_channel(4);
        let interrupted = Arc::<AtomicBool>::default();
        let flag = Arc::clone(&interrupted);
        let read = move || {
            while let Ok((word, bytes)) = wire::receive::<Heard>(&mut reading) {
                match word {
                    Heard::Interrupt => flag.store(true, Ordering::Relaxed),
                    word => match tell.send((word, bytes)) {
                        Ok(()) => {}
                        Err(_) => break, // nobody listens here any more
                    },
                }
            }
            flag.store(true, Ordering::Relaxed);
        };
        std::thread::Builder::new().name("line".into()).spawn(read)?;
        Ok(Arc::new(Self {
            stream: Mutex::new(stream),
            heard: Mutex::new(heard),
            interrupted,
            idle,
            has_terminal: AtomicBool::new(false),
            has_waited: AtomicBool::new(false),
            person: OnceLock::new(),
        }))
    }

    /// Says something. That nobody is there to hear it shows when an answer is wanted.
    pub fn tell(&self, word: &Said) {
        self.tell_with(word, &[]);
    }

    /// The same, with bytes beside it.
    pub fn tell_with(&self, word: &Said, bytes: &[u8]) {
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        if wire::send(&mut *stream, word, bytes).is_err() {
            self.interrupted.store(true, Ordering::Relaxed);
            // Half a word may have left: no other one makes sense behind it.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// What a person, or a verb that asks one, says next.
    ///
    /// # Errors
    /// [`Code::Interrupted`] if nobody is there any more, [`Code::Locked`] if nothing was said for too long, or the person is
    /// not signed in any more.
    pub fn hear(&self) -> Result<Word, Failure> {
        let works = |works| self.person.get().map_or((), |person| (person.works)(works));
        works(false);
        let word = self.next(self.idle);
        works(true);
        let word = word?;
        self.check()?;
        Ok(word)
    }

    fn next(&self, time_max: Duration) -> Result<Word, Failure> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let too_late = || Failure::new(Code::Locked, "nobody answered in time; nothing more was done");
        if self.has_waited.load(Ordering::Relaxed) {
            return Err(too_late());
        }
        heard.recv_timeout(time_max).map_err(|error| match error {
            RecvTimeoutError::Timeout => {
                self.has_waited.store(true, Ordering::Relaxed);
                too_late()
            }
            RecvTimeoutError::Disconnected => Failure::new(Code::Interrupted, "interrupted"),
        })
    }

    /// Says something that the other end answers by itself.
    ///
    /// # Errors
    /// As [`Line::hear`].
    fn ask(&self, word: &Said, bytes: &[u8]) -> Result<Heard, Failure> {
        self.check()?;
        self.tell_with(word, bytes);
        self.next(ANSWER_TIME_MAX).map(|(word, _)| word)
    }

    /// From here on somebody is signed in, as long as `is_signed_in` says so, and `works` hears whether they are waited for.
    pub fn of_person(
        &self,
        has_terminal: bool,
        is_signed_in: impl Fn() -> bool + Send + Sync + 'static,
        works: impl Fn(bool) + Send + Sync + 'static,
    ) {
        self.has_terminal.store(has_terminal, Ordering::Relaxed);
        let _ = self.person.set(Person { is_signed_in: Box::new(is_signed_in), works: Box::new(works) });
    }

    /// Whether somebody can be asked.
    pub fn has_terminal(&self) -> bool {
        self.has_terminal.load(Ordering::Relaxed)
    }

    /// What is set when the job is to end.
    pub fn interrupted(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.interrupted)
    }

    /// Refuses somebody who was signed in and is not any more, and ends their job.
    ///
    /// # Errors
    /// [`Code::Locked`].
    pub fn check(&self) -> Result<(), Failure> {
        if self.person.get().is_some_and(|person| !(person.is_signed_in)()) {
            self.interrupted.store(true, Ordering::Relaxed);
            return Err(Failure::new(Code::Locked, "signed out meanwhile; nothing more was done"));
        }
        Ok(())
    }

    /// Whether what was said before is shown.
    ///
    /// # Errors
    /// As [`Line::hear`].
    pub fn has_shown(&self) -> Result<bool, Failure> {
        match self.ask(&Said::Shown, &[])? {
            Heard::Shown(has_shown) => Ok(has_shown),
            _ => Err(no_answer()),
        }
    }

    /// Whether so many plain copies may be written.
    ///
    /// # Errors
    /// Why not; as [`Line::hear`].
    pub fn check_copies(&self, count: usize) -> Result<(), Failure> {
        match self.ask(&Said::Check(count), &[])? {
            Heard::Checked(checked) => Ok(checked?),
            _ => Err(no_answer()),
        }
    }

    /// Where the plain copy `index` of `count` goes; `None` is standard output.
    ///
    /// # Errors
    /// As [`Line::hear`].
    pub fn place(&self, index: usize, count: usize, name: &str) -> Result<Option<PathBuf>, Failure> {
        match self.ask(&Said::Path(index, count, name.to_owned()), &[])? {
            Heard::Path(path) => Ok(path.map(PathBuf::from)),
            _ => Err(no_answer()),
        }
    }

    /// Has the plain copy written there.
    ///
    /// # Errors
    /// It was not; or nobody says that it was.
    pub fn write(&self, path: &Path, content: &[u8]) -> Result<(), Failure> {
        self.hand_over(&Said::Write, content)?.map_err(|why| {
            let remains = why.remains;
            darkroom::Error::ExportFile { path: path.into(), source: why.error(), remains }.into()
        })
    }

    /// Has a file written of the folder `dir` that is made.
    ///
    /// # Errors
    /// As [`Line::write`].
    pub fn write_file(&self, dir: &Path, name: &str, content: &[u8]) -> Result<(), Failure> {
        let (first, more) = content.split_at(content.len().min(PIECE_BYTES_MAX));
        self.begin_file(dir, name, first)?;
        more.chunks(PIECE_BYTES_MAX).try_for_each(|piece| self.go_on(dir, name, piece))
    }

    /// The same of a file that comes piece by piece, each of at most [`PIECE_BYTES_MAX`]: the first one,
    ///
    /// # Errors
    /// As [`Line::write`].
    pub fn begin_file(&self, dir: &Path, name: &str, piece: &[u8]) -> Result<(), Failure> {
        self.piece_of(&Said::File(name.to_owned()), (dir, name), piece)
    }

    /// and each other one.
    ///
    /// # Errors
    /// As [`Line::write`].
    pub fn go_on(&self, dir: &Path, name: &str, piece: &[u8]) -> Result<(), Failure> {
        self.piece_of(&Said::More, (dir, name), piece)
    }

    fn piece_of(&self, word: &Said, (dir, name): (&Path, &str), piece: &[u8]) -> Result<(), Failure> {
        self.hand_over(word, piece)?.map_err(|why| {
            let unwritten =
                evidence::Error::Io { during: "write", path: dir.join(name), source: why.error() };
            let mut failure = Failure::from(unwritten);
            failure.what += "; that it was handed out is on record all the same";
            failure
        })
    }

    /// Has the next bytes of a backup written.
    ///
    /// # Errors
    /// They were not; nobody says that they were; the person is not signed in any more.
    pub fn write_piece(&self, bytes: &[u8]) -> io::Result<()> {
        self.check().map_err(|failure| io::Error::other(failure.what))?;
        answered(self.hand_over(&Said::Piece, bytes))
    }

    /// Has the backup made durable.
    ///
    /// # Errors
    /// As [`Line::write_piece`].
    pub fn settle(&self) -> io::Result<()> {
        self.tell(&Said::Settle);
        answered(self.written(SETTLE_TIME_MAX))
    }

    /// Has what was written of the backup taken back; `true` if nothing of it is left.
    pub fn undo(&self) -> bool {
        answered(self.hand_over(&Said::Undo, &[])).is_ok()
    }

    /// Also for somebody who was signed out meanwhile: what has left has left.
    fn hand_over(&self, word: &Said, content: &[u8]) -> Result<Result<(), Unwritten>, Failure> {
        self.tell_with(word, content);
        self.written(ANSWER_TIME_MAX)
    }

    fn written(&self, time_max: Duration) -> Result<Result<(), Unwritten>, Failure> {
        match self.next(time_max)?.0 {
            Heard::Written(written) => Ok(written),
            _ => Err(no_answer()),
        }
    }

    /// How many pictures of which lines of this batch are sealed.
    ///
    /// # Errors
    /// Why that cannot be told; as [`Line::hear`].
    pub fn resume(&self, batch: [u8; 32]) -> Result<Vec<(u64, u64)>, Failure> {
        match self.ask(&Said::Resume(batch), &[])? {
            Heard::Resumed(made) => Ok(made?),
            _ => Err(no_answer()),
        }
    }

    /// Notes that one more picture of this line is sealed.
    ///
    /// # Errors
    /// It could not be kept; as [`Line::hear`].
    pub fn made(&self, line: u64) -> Result<(), Failure> {
        match self.ask(&Said::Made(line), &[])? {
            Heard::Kept(kept) => Ok(kept?),
            _ => Err(no_answer()),
        }
    }

    /// A visible line that the person typed.
    ///
    /// # Errors
    /// Why there is none; as [`Line::hear`].
    pub fn question(&self, question: &str) -> Result<Zeroizing<String>, Failure> {
        self.tell(&Said::Ask(question.to_owned()));
        match self.hear()?.0 {
            Heard::Line(line) => Ok(Zeroizing::new(line?)),
            _ => Err(no_answer()),
        }
    }

    /// A new passphrase that the person typed or has in a file.
    ///
    /// # Errors
    /// Why there is none; as [`Line::hear`].
    pub fn new_passphrase(&self, of: NewOf) -> Result<Zeroizing<String>, Failure> {
        self.tell(&Said::NewPassphrase(of));
        match self.hear()? {
            (Heard::Passphrase(chosen), bytes) => {
                chosen?;
                std::str::from_utf8(&bytes)
                    .map(|text| Zeroizing::new(text.to_owned()))
                    .map_err(|_| no_answer())
            }
            _ => Err(no_answer()),
        }
    }

    /// Has a text shown on the terminal itself.
    ///
    /// # Errors
    /// It was not, or nobody says that it was.
    pub fn show(&self, text: &str) -> Result<(), Failure> {
        self.tell_with(&Said::Show, text.as_bytes());
        match self.next(ANSWER_TIME_MAX)?.0 {
            Heard::Seen(seen) => Ok(seen?),
            _ => Err(no_answer()),
        }
    }

    /// Nothing more is said; the thread that reads ends.
    pub fn close(&self) {
        let _ = self.stream.lock().unwrap_or_else(PoisonError::into_inner).shutdown(Shutdown::Both);
    }
}

fn answered(written: Result<Result<(), Unwritten>, Failure>) -> io::Result<()> {
    written.map_err(|failure| io::Error::other(failure.what))?.map_err(Unwritten::error)
}

fn no_answer() -> Failure {
    Failure::new(Code::Unexpected, "the other end said what makes no sense here")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_answer_is_none_to_a_later_question() {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair");
        let line = Line::new(ours, Duration::from_secs(1)).expect("a line");
        line.tell(&Said::Piece);
        assert!(line.written(Duration::from_millis(10)).is_err());
        // It was the answer to the piece.
        wire::send(&mut theirs, &Heard::Written(Ok(())), &[]).expect("it is heard");
        assert!(!line.undo(), "what was written is called taken back");
        assert!(line.settle().is_err());
        line.close();
    }
}
