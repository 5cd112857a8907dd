//! The copy of the newest checkpoint in the folder that the policy names. A thread of its own writes it, so that no act and no end
//! waits for a disk that hangs.

use audit::{Coverage, OUTSIDE_NAME, OutsideError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How often it is looked whether there is a newer checkpoint.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
/// A disk that does not answer for so long is said to hang.
const ANSWER_TIME_MAX: Duration = Duration::from_millis(if cfg!(test) { 50 } else { 30_000 });
/// How long an end waits for the last copy: the next start makes it where it did not come about.
pub(crate) const END_TIME_MAX: Duration = Duration::from_secs(5);

/// Where the copy goes, as a start found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CopyPlace {
    /// In this folder.
    Folder(PathBuf),
    /// Nowhere until the next start.
    Unusable {
        /// The folder that the policy names.
        folder: PathBuf,
        /// Why not, and what to do.
        why: String,
    },
}

/// How the copy is, for whoever looks: it waits for nobody.
#[derive(Clone, Debug, Default)]
pub struct CopyState(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    is_wanted: bool,
    /// Folder of the log.
    log: PathBuf,
    covers: Option<u64>,
    trouble: Option<String>,
    /// The folder, and when the disk was asked, while it has not answered.
    asked: Option<(PathBuf, Instant)>,
}

impl CopyState {
    /// Whether the policy asks for one.
    pub fn is_wanted(&self) -> bool {
        self.known().is_wanted
    }

    /// How far the last one goes that this process has written; none where there is none, or where the log cannot be read.
    pub fn coverage(&self) -> Option<Coverage> {
        let (log, covers) = {
            let known = self.known();
            (known.log.clone(), known.covers?)
        };
        Coverage::of(&log, covers).ok()
    }

    /// Why the newest checkpoint is not there, and what to do.
    pub fn trouble(&self) -> Option<String> {
        let known = self.known();
        let hangs = known.asked.as_ref().filter(|(_, since)| since.elapsed() > ANSWER_TIME_MAX);
        let hangs = hangs.map(|(folder, _)| unusable(folder, "its disk does not answer; see what ails it"));
        hangs.or_else(|| known.trouble.clone())
    }

    fn renew(&self, folder: &Path, renew: &mut impl FnMut() -> Result<u64, OutsideError>) {
        self.known().asked = Some((folder.to_owned(), Instant::now()));
        let renewed = renew();
        let mut known = self.known();
        known.asked = None;
        match renewed {
            Ok(covers) => (known.covers, known.trouble) = (Some(covers), None),
            Err(error) => known.trouble = Some(copy_trouble(folder, &error)),
        }
    }

    /// From here on the policy asks for one, which is not made for this reason, if there is one.
    pub(crate) fn want(&self, log: &Path, trouble: Option<String>) {
        *self.known() = Known { is_wanted: true, log: log.to_owned(), trouble, ..Known::default() };
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Each change leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread that writes it. Left alone it ends without a last copy.
pub(crate) struct Copying {
    ask: Sender<()>,
    ended: Receiver<()>,
}

impl Copying {
    /// Has it renewed again and again by `renew`, which says how many records it covers then.
    pub(crate) fn start(
        folder: PathBuf,
        state: CopyState,
        mut renew: impl FnMut() -> Result<u64, OutsideError> + Send + 'static,
    ) -> std::io::Result<Self> {
        let (ask, asked) = channel();
        let (end, ended) = channel();
        let life = move || {
            loop {
                state.renew(&folder, &mut renew);
                match asked.recv_timeout(LOOK_INTERVAL) {
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                    Ok(()) => {
                        state.renew(&folder, &mut renew);
                        // Whoever does not wait any more need not know.
                        let _ = end.send(());
                        return;
                    }
                }
            }
        };
        thread::Builder::new().name("checkpoint".into()).spawn(life)?;
        Ok(Self { ask, ended })
    }

    /// Asks for the last copy, and waits so long for it.
    pub(crate) fn end(self, time_max: Duration) {
        if self.ask.send(()).is_ok() {
            let _ = self.ended.recv_timeout(time_max);
        }
    }
}

/// Why no copy is made or read in that folder, in a sentence.
pub fn unusable(folder: &Path, why: &str) -> String {
    format!("the newest checkpoint is not copied to {}: {why}", folder.display())
}

/// Why the copy in that folder is not the newest checkpoint, and what to do.
pub fn copy_trouble(folder: &Path, error: &OutsideError) -> String {
    let path = folder.join(OUTSIDE_NAME);
    let path = path.display();
    match error {
        OutsideError::Flawed(flaw) => format!(
            "the copy of a checkpoint {path} {flaw}; nothing is written over it. Look at the log with lightproof audit verify; where the \
             log is right, since it is another one or came from a backup, move the copy away"
        ),
        OutsideError::Io { during, source } => {
            let hint = match source.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room on its disk",
                ErrorKind::ReadOnlyFilesystem => "make its disk writable",
                ErrorKind::InvalidInput => "move away what has that name",
                ErrorKind::FileTooLarge if *during == "read" => "move away what has that name",
                ErrorKind::NotADirectory => {
                    "see that its disk is there, and that it is the folder that the policy means; it is reached again after the next start"
                }
                _ => {
                    "see that its disk is there and that this user may write to it; one that was taken out is reached again after the \
                     next start"
                }
            };
            format!("cannot {during} the copy of the newest checkpoint, {path}: {source}; {hint}")
        }
        OutsideError::Log(error) => format!("the log cannot be read for the copy {path}: {error}"),
        error => format!("the copy {path} could not be made: {error:?}"),
    }
}
