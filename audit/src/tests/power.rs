//! Power cuts. A run is recorded; then, for every prefix of it, what was not synced is lost, or all of it got through.
//!
//! The model promises little: a sync of a file makes its content durable, a sync of a folder its names. A sync that fails
//! loses what was pending for good, although readers go on seeing it until the power is cut. A drive that lies about
//! flushes is not modelled.

use super::*;
use crate::faults::Op;
use crate::{Actor, LOG_DAYS_MIN, Mark};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn a_lost_sync_of_an_append() {
    check(
        small_at,
        |run| {
            let Some(log) = run.start() else { return };
            (11..13).for_each(|number| run.append(&log, number));
        },
        |_| true,
        &[1, 2],
    );
}

#[test]
fn a_lost_sync_of_a_hand_over() {
    check(
        small_at,
        |run| {
            let Some(log) = run.start() else { return };
            run.begin_epoch(&log);
            run.append(&log, 11);
        },
        |_| true,
        &[1, 2],
    );
}

#[test]
fn a_lost_sync_of_a_new_file_of_checkpoints() {
    let nearly_full = |dir: &Path| {
        let log = create_at(dir, &Faults::default()).unwrap();
        for _ in 0..16 {
            log.append(&[event(0)]).unwrap();
        }
    };
    let ops = check(
        nearly_full,
        |run| {
            let Some(log) = run.start() else { return };
            run.append(&log, 11);
            run.begin_epoch(&log);
        },
        |_| true,
        &[1],
    );
    assert!(ops.iter().any(|op| matches!(op, Op::New(path, _) if path.ends_with("checkpoints.1.log"))));
}

#[test]
fn a_lost_sync_of_a_new_segment() {
    let nearly_full = |dir: &Path| {
        let log = create_at(dir, &Faults::default()).unwrap();
        for count in [1000, 1000, 1000, 1000, 93] {
            log.append(&vec![event(0); count]).unwrap();
        }
    };
    let ops = check(
        nearly_full,
        |run| {
            let Some(log) = run.start() else { return };
            run.append(&log, 11);
            run.append(&log, 12);
        },
        |op| matches!(op, Op::Sync(path) | Op::SyncFolder(path) if path.to_string_lossy().contains("/seg")),
        &[],
    );
    assert!(ops.iter().any(|op| matches!(op, Op::New(path, _) if path.ends_with("00000001.jsonl"))));
}

#[test]
fn a_lost_sync_of_a_creation() {
    check(|_| {}, |run| drop(run.start()), |_| true, &[1, 2]);
}

#[test]
fn a_lost_sync_of_a_start_that_recovers() {
    let torn = |dir: &Path| {
        small_at(dir);
        for name in ["seg/00000000.jsonl", "checkpoints.log"] {
            let bytes = std::fs::read(dir.join(name)).unwrap();
            std::fs::write(dir.join(name), [&bytes[..], b"{\"actor\":\"a:sys"].concat()).unwrap();
        }
    };
    check(torn, |run| drop(run.start()), |_| true, &[1, 2]);
}

#[test]
fn a_lost_sync_of_a_pruning() {
    let old = |dir: &Path| {
        let log = create_at(dir, &Faults::default()).unwrap();
        let old = |number| [Event::TokenUsed { token: number, slot: 1 }.by_system(), event(number)];
        let entries: Vec<Entry> = (0..2050).flat_map(old).collect();
        for part in entries.chunks(1000) {
            log.append(part).unwrap();
        }
    };
    let ops = check(
        old,
        |run| {
            let Some(log) = run.start() else { return };
            run.prune(&log);
        },
        |op| matches!(op, Op::Sync(path) | Op::SyncFolder(path) if path.to_string_lossy().contains("/seg")),
        &[],
    );
    assert!(ops.iter().any(|op| matches!(op, Op::Rename(_, path) if path.ends_with("00000000.jsonl"))));
}

/// The model has teeth: without the sync of the records, or of the checkpoint, of a batch it finds the loss.
#[test]
fn each_sync_of_an_append_is_needed() {
    for name in ["seg/00000000.jsonl", "checkpoints.log"] {
        let run = Run::new(small_at);
        let before = Medium::read(&run.dir.0);
        run.faults.record(&[]);
        let log = run.start().unwrap();
        let started = run.faults.ops().len();
        run.append(&log, 11);
        let mut ops = run.faults.ops();
        let is_it = |op: &Op| matches!(op, Op::Sync(path) if path.ends_with(name));
        let at = started + ops[started..].iter().position(is_it).unwrap();
        ops.remove(at);
        run.known.borrow_mut().iter_mut().for_each(|(count, _)| *count = (*count).min(ops.len()));
        assert!(run.judge_cuts(&before, &ops).is_err(), "{name}");
    }
}

fn small_at(dir: &Path) {
    let log = create_at(dir, &Faults::default()).unwrap();
    log.append(&job(1)).unwrap();
    log.begin_epoch(EpochReason::Unlock).unwrap();
    log.append(&job(2)).unwrap();
}

/// Does `act` and then two starts, each with an append; once undisturbed, then with each sync that `concerns` the test lost,
/// alone and `together` with each of these that follow it. The power is cut after every effect. Then the log opens and goes on, both verifiers accept
/// it, and what an append or a start had answered is there. The effects of the undisturbed run.
fn check(prepare: fn(&Path), act: impl Fn(&Run), concerns: fn(&Op) -> bool, together: &[usize]) -> Vec<Op> {
    let mut ends = Vec::new();
    let ops = check_run(prepare, &act, &[], &mut ends);
    let syncs: Vec<&Op> = ops.iter().filter(|op| op.is_sync()).collect();
    assert!(syncs.len() > 10, "{ops:?}");
    let lost: Vec<usize> = (0..syncs.len()).filter(|at| concerns(syncs[*at])).collect();
    assert!(!lost.is_empty(), "{ops:?}");
    for first in lost {
        check_run(prepare, &act, &[first], &mut ends);
        for then in together {
            check_run(prepare, &act, &[first, first + then], &mut ends);
        }
    }
    assert_eq!(reader::python_each(&ends), vec![true; ends.len()]);
    ops
}

fn check_run(prepare: fn(&Path), act: impl Fn(&Run), lost: &[usize], ends: &mut Vec<Dir>) -> Vec<Op> {
    let run = Run::new(prepare);
    let before = Medium::read(&run.dir.0);
    run.faults.record(lost);
    act(&run);
    for number in 900..902 {
        if let Some(log) = run.start() {
            run.append(&log, number);
        }
    }
    let ops = run.faults.ops();
    ends.extend(run.judge_cuts(&before, &ops).unwrap_or_else(|why| panic!("lost {lost:?}: {why}\n{ops:#?}")));
    ops
}

/// A folder with a log, on a disk that records.
struct Run {
    dir: Dir,
    faults: Faults,
    /// From which effect on the log must be known to have come so far.
    known: RefCell<Vec<(usize, Mark)>>,
    /// From which effect on what was pruned is gone for good.
    gone: Cell<Option<usize>>,
}

impl Run {
    fn new(prepare: fn(&Path)) -> Self {
        let dir = Dir::new();
        std::fs::create_dir(&dir.0).unwrap();
        prepare(&dir.0.join("log"));
        Self { dir, faults: Faults::default(), known: RefCell::default(), gone: Cell::default() }
    }

    /// As the program starts: opens the log, or creates it.
    fn start(&self) -> Option<Log> {
        let log = start(&self.dir, &self.faults).ok()?;
        self.know(&log);
        Some(log)
    }

    fn append(&self, log: &Log, number: u64) {
        if log.append(&[event(number)]).is_ok() {
            self.know(log);
        }
    }

    fn begin_epoch(&self, log: &Log) {
        if log.begin_epoch(EpochReason::Unlock).is_ok() {
            self.know(log);
        }
    }

    /// What is older than the shortest period, which is all but the last segment.
    fn prune(&self, log: &Log) {
        let pruned = log.due(LOG_DAYS_MIN).and_then(|due| log.prune(Actor::System, due));
        if pruned.is_ok() {
            self.know(log);
            self.gone.set(Some(self.faults.ops().len()));
        }
    }

    fn know(&self, log: &Log) {
        self.known.borrow_mut().push((self.faults.ops().len(), log.mark()));
    }

    /// Judges what power cuts leave; the folders of those at the very end.
    fn judge_cuts(&self, before: &Medium, ops: &[Op]) -> Result<Vec<Dir>, String> {
        let (mut seen, mut ends) = (BTreeSet::new(), Vec::new());
        let mut medium = before.clone();
        let is_lost = |op: &Op| matches!(op, Op::LostSync(_) | Op::LostSyncFolder(_));
        // What the disk was like before anything was lost, is judged in the undisturbed run.
        let from = ops.iter().position(is_lost).unwrap_or(0);
        for cut in 0..=ops.len() {
            if let Some(op) = cut.checked_sub(1).map(|last| &ops[last]) {
                medium.apply(op);
            }
            if cut < from {
                continue;
            }
            let known = self.known.borrow().iter().rfind(|(count, _)| *count <= cut).map(|(_, mark)| *mark);
            let is_gone = self.gone.get().is_some_and(|count| count <= cut);
            for (what, state) in medium.states() {
                if seen.insert((known.map(|mark| mark.size), is_gone, state.clone())) {
                    let dir = self.judge(&state, known, is_gone);
                    let dir = dir.map_err(|why| format!("{what} after {cut} of {}: {why}", ops.len()))?;
                    ends.extend((cut == ops.len()).then_some(dir));
                }
            }
        }
        Ok(ends)
    }

    fn judge(&self, state: &Files, known: Option<Mark>, is_gone: bool) -> Result<Dir, String> {
        let dir = Dir::new();
        std::fs::create_dir(&dir.0).unwrap();
        for (path, content) in state {
            let path = dir.0.join(path.strip_prefix(&self.dir.0).unwrap());
            match content {
                Some(bytes) => std::fs::write(path, bytes).unwrap(),
                None => std::fs::create_dir(path).unwrap(),
            }
        }
        // Before a start makes an end of it.
        if is_gone && verify_still(&dir.0.join("log"), None).unwrap().pruned == 0 {
            return Err("what was pruned is there again".to_owned());
        }
        let log = start(&dir, &Faults::default()).map_err(|e| e.to_string())?;
        if let Some(mark) = known {
            log.check_mark(&mark).map_err(|e| e.to_string())?;
        }
        log.append(&[event(999)]).map_err(|e| e.to_string())?;
        drop(log);
        std::fs::rename(dir.0.join("log"), dir.0.with_extension("log")).unwrap();
        let log = Dir(dir.0.with_extension("log"));
        let report = log.verify();
        let is_done = report.types.contains_key("log.pruned") == (report.pruned > 0);
        if report.is_ok() && is_done { Ok(log) } else { Err(report.to_string()) }
    }
}

/// Long after everything that a test prepares.
fn start(dir: &Dir, faults: &Faults) -> Result<Log, Error> {
    let (dir, clock) = (dir.0.join("log"), TestClock::new());
    clock.pass(200 * 86_400_000);
    match open_when(&dir, faults, &clock) {
        Err(Error::Absent { .. }) => create_at(&dir, faults),
        opened => opened,
    }
}

/// Files with their content, and folders with none.
type Files = BTreeMap<PathBuf, Option<Vec<u8>>>;

/// A disk with a cache. Files and folders are numbered; names point to numbers.
#[derive(Clone)]
struct Medium {
    root: PathBuf,
    content: BTreeMap<usize, Option<Vec<u8>>>,
    names: BTreeMap<PathBuf, usize>,
    /// Names as the running program sees them.
    seen: BTreeMap<PathBuf, usize>,
    pending: Vec<Pending>,
}

#[derive(Clone)]
enum Pending {
    Data {
        file: usize,
        at: usize,
        bytes: Vec<u8>,
    },
    Cut {
        file: usize,
        len: usize,
    },
    Name {
        path: PathBuf,
        file: Option<usize>,
    },
    /// Both names change together: a rename is atomic.
    Rename {
        from: PathBuf,
        to: PathBuf,
        file: usize,
    },
}

impl Pending {
    fn is_content_of(&self, wanted: usize) -> bool {
        matches!(self, Self::Data { file, .. } | Self::Cut { file, .. } if *file == wanted)
    }

    fn is_name_in(&self, folder: &Path) -> bool {
        matches!(self, Self::Name { path, .. } | Self::Rename { to: path, .. } if path.parent() == Some(folder))
    }
}

impl Medium {
    /// All that is below a folder, durable.
    fn read(dir: &Path) -> Self {
        let (mut content, mut names, mut folders) = (BTreeMap::new(), BTreeMap::new(), vec![dir.to_owned()]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let bytes = path.is_file().then(|| std::fs::read(&path).unwrap());
                folders.extend(bytes.is_none().then(|| path.clone()));
                content.insert(names.len(), bytes);
                names.insert(path, names.len());
            }
        }
        Self { root: dir.to_owned(), content, seen: names.clone(), names, pending: Vec::new() }
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::Folder(path) => self.make(path, None),
            Op::New(path, bytes) => {
                self.make(path, Some(Vec::new()));
                self.pending.push(Pending::Data { file: self.seen[path], at: 0, bytes: bytes.clone() });
            }
            Op::Write(path, at, bytes) => {
                let (file, at) = (self.seen[path], usize::try_from(*at).unwrap());
                self.pending.push(Pending::Data { file, at, bytes: bytes.clone() });
            }
            Op::Cut(path, len) => {
                let (file, len) = (self.seen[path], usize::try_from(*len).unwrap());
                self.pending.push(Pending::Cut { file, len });
            }
            Op::Rename(from, to) => {
                let file = self.seen.remove(from).unwrap();
                self.seen.insert(to.clone(), file);
                self.pending.push(Pending::Rename { from: from.clone(), to: to.clone(), file });
            }
            Op::Remove(path) => {
                if self.seen.remove(path).is_some() {
                    self.pending.push(Pending::Name { path: path.clone(), file: None });
                }
            }
            Op::Sync(path) => {
                let file = self.seen[path];
                self.settle(|pending| pending.is_content_of(file));
            }
            Op::LostSync(path) => {
                let file = self.seen[path];
                self.pending.retain(|pending| !pending.is_content_of(file));
            }
            Op::SyncFolder(folder) => self.settle(|pending| pending.is_name_in(folder)),
            Op::LostSyncFolder(folder) => self.pending.retain(|pending| !pending.is_name_in(folder)),
        }
    }

    fn make(&mut self, path: &Path, content: Option<Vec<u8>>) {
        let file = self.content.len();
        self.content.insert(file, content);
        self.seen.insert(path.to_owned(), file);
        self.pending.push(Pending::Name { path: path.to_owned(), file: Some(file) });
    }

    /// Makes these durable, in their order.
    fn settle(&mut self, which: impl Fn(&Pending) -> bool) {
        let (durable, rest) = std::mem::take(&mut self.pending).into_iter().partition::<Vec<_>, _>(which);
        self.pending = rest;
        for pending in durable {
            match pending {
                Pending::Data { file, at, bytes } => {
                    let content = self.content.get_mut(&file).and_then(Option::as_mut).unwrap();
                    content.resize(content.len().max(at + bytes.len()), 0);
                    content[at..at + bytes.len()].copy_from_slice(&bytes);
                }
                Pending::Cut { file, len } => {
                    self.content.get_mut(&file).and_then(Option::as_mut).unwrap().truncate(len);
                }
                Pending::Name { path, file: Some(file) } => drop(self.names.insert(path, file)),
                Pending::Name { path, file: None } => drop(self.names.remove(&path)),
                Pending::Rename { from, to, file } => {
                    self.names.remove(&from);
                    self.names.insert(to, file);
                }
            }
        }
    }

    /// What a power cut may leave: nothing of what is pending, or everything.
    fn states(&self) -> [(&'static str, Files); 2] {
        let mut all = self.clone();
        all.settle(|_| true);
        [("a cut that loses all that is pending", self.files()), ("a cut that loses nothing", all.files())]
    }

    /// Whatever lies in a folder whose name is lost, is lost.
    fn files(&self) -> Files {
        let mut files = Files::new();
        for (path, file) in &self.names {
            let folder = path.parent().unwrap();
            if folder == self.root || files.contains_key(folder) {
                files.insert(path.clone(), self.content[file].clone());
            }
        }
        files
    }
}
