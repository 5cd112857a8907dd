//! The handle that the rest of the program holds, and the thread behind it.

use crate::clock::Clock;
use crate::durable::Disk;
use crate::entry::Entry;
use crate::error::{Error, Undone, io_error};
use crate::event::Event;
use crate::intent::Unfinished;
use crate::merkle::Hash;
use crate::open::{self, Recovery};
use crate::paths::Paths;
use crate::prune::Due;
use crate::remembered::MemoryKey;
use crate::replay::{begins_with, root_at};
use crate::token::{Actor, Digest};
use crate::words::EpochReason;
use crate::writer::{Mark, Receipt, Writer};
use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use zeroize::Zeroizing;

/// Most entries of one call.
pub const ENTRIES_MAX: u64 = 1024;
/// Calls are grouped into one batch up to about this many records.
const GROUP_RECORDS: usize = 128;
/// Calls that may wait; further callers block.
const QUEUE_MAX: usize = 256;

/// An open log. Appending is synchronous and may be done from any thread; one thread of its own does the writing.
/// Dropping it waits for that thread and frees the lock.
#[derive(Debug)]
pub struct Log {
    paths: Paths,
    origin: String,
    mark: Arc<Mutex<Mark>>,
    /// `None` only while dropping.
    queue: Option<SyncSender<Command>>,
    thread: Option<JoinHandle<()>>,
}

/// What one caller wants written, and where the answer goes.
type Call = (Vec<Entry>, Sender<Result<Receipt, Error>>);

enum Command {
    Append(Vec<Entry>, Sender<Result<Receipt, Error>>),
    BeginEpoch(EpochReason, Sender<Result<u32, Error>>),
    Unfinished(Sender<Result<Unfinished, Error>>),
    /// By the holder of this key, or by reading all records.
    Prove(Option<Zeroizing<MemoryKey>>, Sender<Result<(), Error>>),
    Remember,
    ForgetKey,
    Due(u32, Sender<Result<Due, Error>>),
    Prune(Actor, Due, Sender<Result<Receipt, Error>>),
    Unpruned(Sender<Result<Option<Undone>, Error>>),
}

impl Log {
    /// Creates a log in a missing or empty folder. Only paths below `dir` are touched (and `dir` itself, if missing).
    ///
    /// # Errors
    /// `Exists` when anything was ever signed there; `DiskFull`, `Io`, `Randomness`.
    pub fn create(dir: &Path, clock: impl Clock + 'static) -> Result<Self, Error> {
        Self::create_on(dir, None, Disk::default(), Box::new(clock))
    }

    /// The same; from here on the file `memory`, which lies elsewhere, may have what the log is remembered by.
    ///
    /// # Errors
    /// As there.
    pub fn create_remembered(dir: &Path, memory: &Path, clock: impl Clock + 'static) -> Result<Self, Error> {
        Self::create_on(dir, Some(memory), Disk::default(), Box::new(clock))
    }

    /// Opens a log, and recovers it: unacknowledged bytes go to `quarantine/`, an interrupted hand-over is completed,
    /// both on record. Only paths below `dir` are touched.
    ///
    /// # Errors
    /// `Absent`, `Busy`, `Lost`, `Broken`, `Key`, `Io`; and those of [`Log::append`].
    pub fn open(dir: &Path, clock: impl Clock + 'static) -> Result<(Self, Recovery), Error> {
        Self::open_on(dir, None, Disk::default(), Box::new(clock))
    }

    /// The same, and records that are remembered in the file `memory` are not read again: a changed one is found by
    /// [`crate::verify`]. That file is believed as far as signed checkpoint, lengths of files and names of tiles bear it out,
    /// until [`Log::prove`] or [`Log::prove_anew`]; if it is missing or does not fit, all records are read.
    ///
    /// # Errors
    /// As there.
    pub fn open_remembered(
        dir: &Path,
        memory: &Path,
        clock: impl Clock + 'static,
    ) -> Result<(Self, Recovery), Error> {
        Self::open_on(dir, Some(memory), Disk::default(), Box::new(clock))
    }

    pub(crate) fn create_on(
        dir: &Path,
        memory: Option<&Path>,
        disk: Disk,
        clock: Box<dyn Clock>,
    ) -> Result<Self, Error> {
        Self::start(open::create(dir, memory, disk, clock)?)
    }

    pub(crate) fn open_on(
        dir: &Path,
        memory: Option<&Path>,
        disk: Disk,
        clock: Box<dyn Clock>,
    ) -> Result<(Self, Recovery), Error> {
        let (writer, recovery) = open::open(dir, memory, disk, clock)?;
        Ok((Self::start(writer)?, recovery))
    }

    fn start(writer: Writer) -> Result<Self, Error> {
        let paths = writer.paths.clone();
        let origin = writer.origin.clone();
        let mark = Arc::new(Mutex::new(writer.mark()));
        let (queue, commands) = sync_channel(QUEUE_MAX);
        let shared = Arc::clone(&mark);
        let thread = std::thread::Builder::new()
            .name("audit".into())
            .spawn(move || run(writer, &commands, &shared))
            .map_err(io_error("start the thread of", &paths.0))?;
        Ok(Self { paths, origin, mark, queue: Some(queue), thread: Some(thread) })
    }

    /// Records what happened. When this returns, the records and a signed checkpoint over them are durable.
    ///
    /// # Errors
    /// `Incomplete` and `Refused` are the caller's mistakes. After `DiskFull` and `Randomness` nothing was written, and
    /// it may be tried again. After `Unavailable` every further call answers the same.
    pub fn append(&self, entries: &[Entry]) -> Result<Receipt, Error> {
        if entries.is_empty() || entries.len() as u64 > ENTRIES_MAX {
            return Err(Error::Refused { what: "the log takes 1 to 1024 entries at once" });
        }
        for entry in entries {
            if !entry.is_complete() {
                return Err(Error::Incomplete { event: entry.event.name() });
            }
            if is_own(&entry.event) {
                return Err(Error::Refused { what: "this event is written by the log alone" });
            }
        }
        self.ask(|reply| Command::Append(entries.to_vec(), reply))
    }

    /// Hands over to a new signing key and overwrites the old one: to be called at every unlock. Returns the number of
    /// the new epoch.
    ///
    /// # Errors
    /// As for [`Log::append`].
    pub fn begin_epoch(&self, reason: EpochReason) -> Result<u32, Error> {
        self.ask(|reply| Command::BeginEpoch(reason, reply))
    }

    /// What the records leave open now.
    ///
    /// # Errors
    /// `Unavailable` when the log's thread has ended.
    pub fn unfinished(&self) -> Result<Unfinished, Error> {
        self.ask(Command::Unfinished)
    }

    /// Proves what this opening went on from, with the key that only the vault has: what another key sealed counts for nothing, and
    /// all records are read instead. From here on this key seals what is remembered, every 4,096 records and by
    /// [`Log::remember`], until [`Log::forget_key`].
    ///
    /// # Errors
    /// `Lost` when the log is shorter than what this key sealed, `Diverged` when it is another one; `Broken` when the records are
    /// not those of the signed checkpoint; `Io`, `Unavailable`.
    pub fn prove(&self, key: &MemoryKey) -> Result<(), Error> {
        self.ask(|reply| Command::Prove(Some(Zeroizing::new(*key)), reply))
    }

    /// The same without a key: reads all records, unless this opening has, or somebody has proven what it went on from.
    ///
    /// # Errors
    /// As there.
    pub fn prove_anew(&self) -> Result<(), Error> {
        self.ask(|reply| Command::Prove(None, reply))
    }

    /// Has the log remembered as it is now, if there is a key for it. Nobody waits for it and nothing hangs on it: where it fails,
    /// the next start reads more.
    pub fn remember(&self) {
        self.queue.iter().for_each(|queue| drop(queue.send(Command::Remember)));
    }

    /// From here on nothing is remembered.
    pub fn forget_key(&self) {
        self.queue.iter().for_each(|queue| drop(queue.send(Command::ForgetKey)));
    }

    /// What could be pruned now of the records that are older than so many days. Nothing is changed.
    ///
    /// # Errors
    /// `Refused` for a period that is too short, and under a clock that was set; `Unpruned` while the pruning before is not finished;
    /// `Broken`, `Io`, `Unavailable`.
    pub fn due(&self, days: u32) -> Result<Due, Error> {
        self.ask(|reply| Command::Due(days, reply))
    }

    /// Prunes that, and nothing else: verifies the whole log, puts on record what goes, and replaces those records by their hashes.
    /// Interrupted behind the record, the next opening finishes it.
    ///
    /// # Errors
    /// `Broken` when the log does not verify, or its files change meanwhile: nothing was pruned. `Unpruned` when it is on record and
    /// a file could not be replaced; those of [`Log::append`].
    pub fn prune(&self, actor: Actor, due: Due) -> Result<Receipt, Error> {
        self.ask(|reply| Command::Prune(actor, due, reply))
    }

    /// Why the last pruning is not finished, if it is not.
    ///
    /// # Errors
    /// `Unavailable` when the log's thread has ended.
    pub fn unpruned(&self) -> Result<Option<Undone>, Error> {
        self.ask(Command::Unpruned)
    }

    /// The same mark as the log goes on, for a thread that outlives this handle.
    pub(crate) fn shared_mark(&self) -> Arc<Mutex<Mark>> {
        Arc::clone(&self.mark)
    }

    /// The log as it is now: what the vault is to remember.
    pub fn mark(&self) -> Mark {
        *held(&self.mark)
    }

    /// Compares the log with what the vault remembers. Reads the records since then again, and all if the tiles do not tell.
    ///
    /// # Errors
    /// `Lost` when the log is shorter, `Diverged` when its records or its name are others, `Io`.
    pub fn check_mark(&self, mark: &Mark) -> Result<(), Error> {
        self.compare(mark, begins_with)
    }

    /// The same, and reads all records again: whoever wants to know whether one was changed.
    ///
    /// # Errors
    /// As there.
    pub fn check_mark_anew(&self, mark: &Mark) -> Result<(), Error> {
        self.compare(mark, |_, _, _| Ok(false))
    }

    /// `tells`: whether the tiles show the mark's tree as the beginning of the newer one.
    fn compare(
        &self,
        mark: &Mark,
        tells: impl FnOnce(&Paths, (u64, &Hash), (u64, &Hash)) -> io::Result<bool>,
    ) -> Result<(), Error> {
        let now = self.mark();
        let Mark { size: found, origin, .. } = now;
        if origin != mark.origin {
            return Err(Error::Diverged { size: mark.size, root: mark.root });
        }
        if found < mark.size {
            return Err(Error::Lost { found, signed: mark.size });
        }
        let segments = self.paths.segments();
        let failed = io_error("read", &segments);
        let (of_mark, of_now) = ((mark.size, &mark.root.0), (found, &now.root.0));
        if now.epoch >= mark.epoch && tells(&self.paths, of_mark, of_now).map_err(&failed)? {
            return Ok(());
        }
        match root_at(&self.paths, mark.size).map_err(failed)? {
            None => Err(Error::Lost { found, signed: mark.size }),
            Some(root) if root == mark.root.0 && self.mark().epoch >= mark.epoch => Ok(()),
            Some(_) => Err(Error::Diverged { size: mark.size, root: Digest(mark.root.0) }),
        }
    }

    /// Name of the log: the first line of its checkpoints.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    fn ask<T>(&self, command: impl FnOnce(Sender<Result<T, Error>>) -> Command) -> Result<T, Error> {
        let gone = || Error::Unavailable {
            during: "reaching the log's thread",
            cause: io::ErrorKind::BrokenPipe.into(),
        };
        let (reply, answer) = channel();
        let queue = self.queue.as_ref().ok_or_else(gone)?;
        queue.send(command(reply)).map_err(|_| gone())?;
        answer.recv().map_err(|_| gone())?
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been answered to its callers as `Unavailable`.
            let _ = thread.join();
        }
    }
}

/// Events by which the log speaks of itself.
fn is_own(event: &Event) -> bool {
    let name = event.name();
    name.starts_with("key.")
        || matches!(
            name,
            "log.created" | "log.pruned" | "recovery.truncated" | "clock.anomaly" | "disk.reserve_low"
        )
}

fn run(mut writer: Writer, commands: &Receiver<Command>, mark: &Mutex<Mark>) {
    let mut waiting = None;
    while let Some(command) = waiting.take().or_else(|| commands.recv().ok()) {
        match command {
            Command::BeginEpoch(reason, reply) => {
                let answer = writer.begin_epoch(reason);
                *held(mark) = writer.mark();
                // A caller that is gone needs no answer; the record stands.
                let _ = reply.send(answer);
            }
            Command::Unfinished(reply) => {
                let _ = reply.send(Ok(writer.told.intents.unfinished()));
            }
            Command::Prove(key, reply) => {
                let proven = match key {
                    Some(key) => writer.trust(&key),
                    None => writer.read_all(),
                };
                let _ = reply.send(proven);
            }
            Command::Due(days, reply) => drop(reply.send(writer.due(days))),
            Command::Unpruned(reply) => drop(reply.send(Ok(writer.unpruned))),
            Command::Prune(actor, due, reply) => {
                let answer = writer.prune(actor, due);
                *held(mark) = writer.mark();
                let _ = reply.send(answer);
            }
            Command::Remember => writer.remember(),
            Command::ForgetKey => writer.memory.forget_key(),
            Command::Append(entries, reply) => {
                let mut group = vec![(entries, reply)];
                let mut records = group[0].0.len();
                while records < GROUP_RECORDS && waiting.is_none() {
                    match commands.try_recv() {
                        Ok(Command::Append(entries, reply)) => {
                            records += entries.len();
                            group.push((entries, reply));
                        }
                        Ok(other) => waiting = Some(other),
                        Err(_) => break,
                    }
                }
                append_group(&mut writer, group, mark);
                writer.remember_when_due();
            }
        }
    }
}

/// Appends several calls as one batch. If the disk is too full for all of them, each is tried by itself, so that an
/// ending is not refused because of its neighbour.
fn append_group(writer: &mut Writer, group: Vec<Call>, mark: &Mutex<Mark>) {
    if group.len() > 1 {
        let all: Vec<Entry> = group.iter().flat_map(|(entries, _)| entries.iter().copied()).collect();
        if let Ok(receipt) = writer.append(&all) {
            *held(mark) = writer.mark();
            let mut seq_first = receipt.seq_first;
            for (entries, reply) in group {
                let _ = reply.send(Ok(Receipt { seq_first, ..receipt }));
                seq_first += entries.len() as u64;
            }
            return;
        }
    }
    for (entries, reply) in group {
        let answer = writer.append(&entries);
        *held(mark) = writer.mark();
        let _ = reply.send(answer);
    }
}

/// The mark is plain data, whole at any time: a panic elsewhere cannot have torn it.
fn held(mark: &Mutex<Mark>) -> MutexGuard<'_, Mark> {
    mark.lock().unwrap_or_else(PoisonError::into_inner)
}
