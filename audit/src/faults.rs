//! Faults for tests: the disk fails once, or the machine stops, before the n-th effect. And a record of all effects, with
//! which a test cuts the power (`tests/power.rs`).

use crate::durable::Effect;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The power goes: this effect and all later ones do not happen.
    Stop,
    /// As `Stop`, but half of the bytes of an append or overwrite get through.
    Torn,
    /// This one effect fails with the error; later ones work.
    Error(io::ErrorKind),
    /// Every write fails with `StorageFull` from here on, until a file is removed.
    Full,
}

/// An effect, as recorded.
#[derive(Clone, Debug)]
pub enum Op {
    Folder(PathBuf),
    New(PathBuf, Vec<u8>),
    Write(PathBuf, u64, Vec<u8>),
    Cut(PathBuf, u64),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    Sync(PathBuf),
    SyncFolder(PathBuf),
    /// A sync that failed with EIO and dropped what was pending: readers go on seeing it until the power is cut, and no
    /// later sync writes it.
    LostSync(PathBuf),
    LostSyncFolder(PathBuf),
}

impl Op {
    pub fn is_sync(&self) -> bool {
        matches!(self, Self::Sync(_) | Self::SyncFolder(_) | Self::LostSync(_) | Self::LostSyncFolder(_))
    }
}

/// The effects so far, and which of their syncs get lost.
#[derive(Debug, Default)]
struct Recording {
    ops: Vec<Op>,
    lost: Vec<usize>,
}

#[derive(Debug, Default)]
struct State {
    recording: Option<Recording>,
    steps: Vec<&'static str>,
    plan: Option<(usize, Fault)>,
    stopped: bool,
    torn: bool,
    full: bool,
    names: Option<&'static str>,
    moves: Option<(&'static str, Vec<(PathBuf, PathBuf)>)>,
}

#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<State>>);

impl Faults {
    /// Does `fault` at step `at`, counted from now.
    pub fn plan(&self, at: usize, fault: Fault) {
        *self.0.lock().unwrap() = State { plan: Some((at, fault)), ..State::default() };
    }

    /// Fails the first step of that name, from now on.
    pub fn fail_named(&self, name: &'static str, fault: Fault) {
        *self.0.lock().unwrap() = State { plan: Some((0, fault)), names: Some(name), ..State::default() };
    }

    /// Somebody gives these paths other names right before the first step of that name.
    pub fn move_before(&self, name: &'static str, moves: Vec<(PathBuf, PathBuf)>) {
        *self.0.lock().unwrap() = State { moves: Some((name, moves)), ..State::default() };
    }

    /// Records every effect from now on. The syncs with these numbers, counted from now, get lost.
    pub fn record(&self, lost: &[usize]) {
        let recording = Recording { lost: lost.to_vec(), ..Recording::default() };
        *self.0.lock().unwrap() = State { recording: Some(recording), ..State::default() };
    }

    /// What was recorded so far.
    pub fn ops(&self) -> Vec<Op> {
        self.0.lock().unwrap().recording.as_ref().map(|recording| recording.ops.clone()).unwrap_or_default()
    }

    /// Steps taken since the plan was made.
    pub fn steps(&self) -> Vec<&'static str> {
        self.0.lock().unwrap().steps.clone()
    }

    pub fn is_torn(&self) -> bool {
        self.0.lock().unwrap().torn
    }

    pub fn stop(&self) {
        self.0.lock().unwrap().stopped = true;
    }

    pub fn step(&self, name: &'static str, effect: Effect<'_>) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        if let Some((_, moves)) = state.moves.take_if(|(before, _)| *before == name) {
            moves.iter().for_each(|(from, to)| std::fs::rename(from, to).unwrap());
        }
        if let (Some(recording), Some(op)) = (&mut state.recording, op(effect)) {
            return recording.add(op);
        }
        let dead = || io::Error::other("the machine has stopped");
        if state.stopped {
            return Err(dead());
        }
        if state.names.is_none_or(|wanted| wanted == name) {
            state.steps.push(name);
        } else if !state.full {
            return Ok(());
        }
        let due = state.plan.is_some_and(|(at, _)| state.steps.len() == at + 1);
        match state.plan {
            Some((_, Fault::Stop)) if due => {
                state.stopped = true;
                return Err(dead());
            }
            Some((_, Fault::Torn)) if due => {
                if name != "append" && name != "overwrite" {
                    state.stopped = true;
                    return Err(dead());
                }
                state.torn = true;
            }
            Some((_, Fault::Error(kind))) if due => return Err(kind.into()),
            Some((_, Fault::Full)) if due => state.full = true,
            _ => {}
        }
        if state.full {
            match name {
                "remove" => state.full = false,
                "append" | "create" | "replace: write" | "replace: bytes" | "derive: write" => {
                    return Err(io::ErrorKind::StorageFull.into());
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Recording {
    fn add(&mut self, op: Op) -> io::Result<()> {
        let syncs = self.ops.iter().filter(|op| op.is_sync()).count();
        let op = match op {
            Op::Sync(path) if self.lost.contains(&syncs) => Op::LostSync(path),
            Op::SyncFolder(path) if self.lost.contains(&syncs) => Op::LostSyncFolder(path),
            op => op,
        };
        let is_lost = matches!(op, Op::LostSync(_) | Op::LostSyncFolder(_));
        self.ops.push(op);
        if is_lost { Err(io::Error::from_raw_os_error(5)) } else { Ok(()) }
    }
}

fn op(effect: Effect<'_>) -> Option<Op> {
    Some(match effect {
        Effect::None => return None,
        Effect::Folder(path) => Op::Folder(path.to_owned()),
        Effect::New(path, bytes) => Op::New(path.to_owned(), bytes.to_vec()),
        Effect::Append(file, bytes) => {
            Op::Write(path_of(file), file.metadata().unwrap().len(), bytes.to_vec())
        }
        Effect::Write(file, at, bytes) => Op::Write(path_of(file), at, bytes.to_vec()),
        Effect::Cut(file, len) => Op::Cut(path_of(file), len),
        Effect::Rename(from, to) => Op::Rename(from.to_owned(), to.to_owned()),
        Effect::Remove(path) => Op::Remove(path.to_owned()),
        Effect::Sync(file) => Op::Sync(path_of(file)),
        Effect::SyncFolder(path) => Op::SyncFolder(path.to_owned()),
    })
}

/// The name that an open file has now.
fn path_of(file: &File) -> PathBuf {
    std::fs::read_link(Path::new("/proc/self/fd").join(file.as_raw_fd().to_string())).unwrap()
}
