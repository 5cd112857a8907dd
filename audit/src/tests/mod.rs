//! Tests that need to reach inside: a log on a disk that fails, and a verifier that is lied to.

mod altered;
mod append;
mod copy;
mod crash;
mod disturbed;
mod every;
mod export;
mod fixture;
mod folder;
mod forge;
mod fuzz;
mod journal;
mod keys;
mod outside;
mod page;
mod power;
mod proofs;
mod prune;
mod prune_early;
mod prune_random;
mod reader;
mod remembered;
mod robust;
mod spool;
mod stored;
mod tail;
mod tamper;
mod times;

use self::folder::copy_folder;
use crate::durable::Disk;
use crate::faults::Faults;
use crate::journal::Notes;
use crate::note::Note;
use crate::verify::verify_still;
use crate::words::{Device, EpochReason, StopReason};
use crate::{Clock, Digest, Entry, Error, Event, JobId, Log, Object, Report, verify};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// A folder that goes away with the test.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("audit-{}-{number}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }

    /// A copy of the whole folder.
    fn copy(&self) -> Self {
        let copy = Self::new();
        copy_folder(&self.0, &copy.0);
        copy
    }

    fn verify(&self) -> Report {
        verify_still(&self.0, None).unwrap()
    }

    /// The files with their content, but the disk reserve, which is noise.
    fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let files = crate::paths::files_below(&self.0).unwrap();
        files
            .into_iter()
            .filter(|path| !path.ends_with("reserve"))
            .map(|p| (p.clone(), std::fs::read(p).unwrap()))
            .collect()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A clock that a test sets.
#[derive(Clone, Default)]
struct TestClock {
    wall_ms: Arc<AtomicU64>,
    mono_ms: Arc<AtomicU64>,
}

impl TestClock {
    fn new() -> Self {
        let clock = Self::default();
        clock.pass(1_705_328_625_000);
        clock
    }

    fn pass(&self, ms: u64) {
        self.wall_ms.fetch_add(ms, Ordering::Relaxed);
        self.mono_ms.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn wall_ms(&self) -> u64 {
        self.wall_ms.load(Ordering::Relaxed)
    }
    fn mono_ms(&self) -> u64 {
        self.mono_ms.load(Ordering::Relaxed)
    }
    fn boot_id(&self) -> [u8; 16] {
        [7; 16]
    }
}

/// A disk whose faults the test orders.
fn disk(faults: &Faults) -> Disk {
    Disk { faults: faults.clone() }
}

fn create(dir: &Dir, faults: &Faults) -> Result<Log, Error> {
    create_at(&dir.0, faults)
}

fn create_at(dir: &Path, faults: &Faults) -> Result<Log, Error> {
    Log::create_on(dir, None, disk(faults), Box::new(TestClock::new()))
}

fn open(dir: &Dir, faults: &Faults) -> Result<Log, Error> {
    open_at(&dir.0, faults)
}

/// A neighbouring test that starts a process holds a copy of every lock until that process runs; `Busy` is believed
/// only when it lasts.
fn open_at(dir: &Path, faults: &Faults) -> Result<Log, Error> {
    open_when(dir, faults, &TestClock::new())
}

fn open_when(dir: &Path, faults: &Faults, clock: &TestClock) -> Result<Log, Error> {
    let open = || Log::open_on(dir, None, disk(faults), Box::new(clock.clone())).map(|(log, _)| log);
    let is_busy = |opened: &Result<Log, Error>| matches!(opened, Err(Error::Busy { .. }));
    (0..50)
        .map(|_| open())
        .find(|opened| {
            let busy = is_busy(opened);
            if busy {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            !busy
        })
        .unwrap_or_else(open)
}

/// The checkpoints of a file, and how many bytes they fill.
fn parse_journal(path: &Path) -> (Vec<Note>, u64) {
    let mut notes = Notes::open(path, 0).unwrap();
    let read = notes.by_ref().collect::<Result<_, _>>().unwrap();
    (read, notes.end)
}

/// An event that tells one record from another.
fn event(number: u64) -> Entry {
    Event::ObjectEraseRequested { count: number }.by_system().job(JobId([1; 16]))
}

/// A job's records: request, one picture, end.
fn job(id: u8) -> [Entry; 3] {
    let job = JobId([id; 16]);
    let digest = Digest([id; 32]);
    let requested = Event::GenerateRequested {
        width: 128,
        height: 64,
        steps: 8,
        images: 1,
        guidance_milli: 0,
        model: digest,
        device: Device::Cpu,
        remembers_prompt: false,
    };
    let created = Event::ObjectCreated {
        width: 128,
        height: 64,
        ciphertext_sha256: digest,
        ciphertext_bytes: 1000,
        vault_epoch: 1,
        vault_seq: id.into(),
        vault_root: digest,
    };
    let finished = Event::GenerateFinished { images: 1, elapsed_ms: 250 };
    [
        requested.by_system().job(job),
        created.by_system().object(Object([id; 16])).job(job),
        finished.by_system().job(job),
    ]
}

/// A small log of two epochs, closed.
fn small(dir: &Dir) {
    let log = Log::create(&dir.0, TestClock::new()).unwrap();
    log.append(&job(1)).unwrap();
    log.begin_epoch(EpochReason::Unlock).unwrap();
    log.append(&job(2)[..2]).unwrap();
    log.append(&[Event::BootStopped { reason: StopReason::Done }.by_system()]).unwrap();
}

/// A log with everything that a log can have: every type of record, three epochs, a torn end in quarantine, a clock that
/// jumped, a disk that was full.
fn rich(dir: &Dir) {
    small(dir);
    let segment = dir.0.join("seg/00000000.jsonl");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes.extend_from_slice(b"{\"actor\":\"a:sys");
    std::fs::write(&segment, bytes).unwrap();
    let clock = TestClock::new();
    clock.pass(86_400_000);
    let faults = Faults::default();
    let (log, recovery) = Log::open_on(&dir.0, None, disk(&faults), Box::new(clock.clone())).unwrap();
    assert_eq!(recovery.truncated.len(), 1);
    log.append(&every::every_event()).unwrap();
    clock.wall_ms.fetch_sub(3_600_000, Ordering::Relaxed);
    log.append(&[event(0)]).unwrap();
    log.begin_epoch(EpochReason::Unlock).unwrap();
    faults.plan(0, crate::faults::Fault::Full);
    log.append(&[Event::BootStopped { reason: StopReason::Error }.by_system()]).unwrap();
}
