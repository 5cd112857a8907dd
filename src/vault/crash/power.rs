//! Power cuts. One run is recorded; then, for every prefix of it, what was not synced is lost in part.
//!
//! The model promises little, as in "All File Systems Are Not Created Equal" (OSDI 2014): a sync of a file makes its
//! content durable, a sync of a folder its names; anything else may or may not have reached the disk, in any order, and
//! a write may have reached it in part. A sync that fails loses what was pending for good, although readers go on seeing it
//! until the power is cut. A drive that lies about flushes is not modelled.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Act, Files, LATER, Place, Scene, act_ops, put};
use crate::disk::faults::{self, Fault, Op};
use crate::{Locked, Notice, ObjectId, OsRandom};

#[test]
fn a_power_cut_during_a_put_is_before_or_after() {
    check_act(Act::Put, 16);
    check_act(Act::PutWithMark, 16);
}

#[test]
fn a_power_cut_during_an_erasure_is_before_or_after() {
    check_act(Act::Erase, 25);
}

#[test]
fn a_power_cut_during_a_compaction_is_before_or_after() {
    check_act(Act::Compact, 25);
}

#[test]
fn a_power_cut_while_a_name_is_forgotten_is_before_or_after() {
    check_act(Act::ForgetName, 25);
}

#[test]
fn a_power_cut_during_a_slot_change_is_before_or_after() {
    check_act(Act::AddSlot, 25);
}

#[test]
fn a_power_cut_during_a_repair_is_before_or_after() {
    check_act(Act::PutAfterCut, 25);
    check_act(Act::PutAfterTorn, 25);
    check_act(Act::EraseAfterDamage, 25);
}

fn check_act(act: Act, states_min: usize) {
    let scene = Scene::new(act);
    let ops = act_ops(&scene);
    let (states, wrong) = check_cuts(&scene, &ops, usize::MAX);
    assert_eq!(wrong, Vec::<String>::new());
    assert!(states >= states_min, "{act:?}: only {states} states");
}

/// The harness has teeth: without any one of the syncs that the promise rests on, it finds a broken state.
#[test]
fn each_sync_is_needed() {
    for (act, needed) in [(Act::Put, PUT_SYNCS), (Act::Erase, ERASE_SYNCS)] {
        let scene = Scene::new(act);
        let ops = act_ops(&scene);
        let is_sync = |op: &Op| matches!(op, Op::Sync(_) | Op::SyncFolder(_));
        let syncs: Vec<usize> = (0..ops.len()).filter(|at| is_sync(&ops[*at])).collect();
        for at in &syncs[..needed] {
            let mut mutant = ops.clone();
            let removed = mutant.remove(*at);
            let (_, wrong) = check_cuts(&scene, &mutant, 1);
            assert_ne!(wrong, Vec::<String>::new(), "{act:?} without {removed:?}");
        }
    }
}

/// Object file, its folder, vault file.
const PUT_SYNCS: usize = 3;
/// New file, anchor, folder, wiped anchor.
const ERASE_SYNCS: usize = 4;

/// Where the sync is that fails.
#[derive(Debug, Clone, Copy, PartialEq)]
enum During {
    Opening,
    Act,
}

#[test]
fn a_lost_sync_of_an_object_file() {
    check_lost(Act::Put, During::Act, ".part", 0);
}

#[test]
fn a_lost_sync_of_the_outputs_folder() {
    check_lost(Act::Put, During::Act, "outputs", 0);
    check_lost(Act::Erase, During::Act, "outputs", 0);
}

#[test]
fn a_lost_sync_of_the_vault_file() {
    check_lost(Act::Put, During::Act, "state/vault", 0);
}

#[test]
fn a_lost_sync_of_a_new_vault_file() {
    check_lost(Act::Erase, During::Act, "vault.new", 0);
    check_lost(Act::ChangeSecret, During::Act, "vault.new", 0);
}

#[test]
fn a_lost_sync_of_the_state_folder() {
    check_lost(Act::Erase, During::Act, "state", 0);
    check_lost(Act::ChangeSecret, During::Act, "state", 0);
}

#[test]
fn a_lost_sync_of_the_new_key() {
    check_lost(Act::Erase, During::Act, "anchor", 0);
}

#[test]
fn a_lost_sync_of_a_wipe() {
    check_lost(Act::Erase, During::Act, "anchor", 1);
    check_lost(Act::AddSlot, During::Act, "anchor", 1);
}

#[test]
fn a_lost_sync_of_mirror_or_reserve() {
    check_lost(Act::Erase, During::Act, "vault.mirror.new", 0);
    check_lost(Act::Erase, During::Act, "state", 1);
}

#[test]
fn a_lost_sync_of_a_repair() {
    check_lost(Act::PutAfterCut, During::Act, "vault.new", 0);
    check_lost(Act::PutAfterCut, During::Act, "state", 0);
    check_lost(Act::PutAfterTorn, During::Act, "vault.torn.new", 0);
    check_lost(Act::PutAfterTorn, During::Act, "state/vault", 0);
}

#[test]
fn a_lost_sync_of_an_opening() {
    for place in ["vault.new", "state", "anchor"] {
        check_lost(Act::Put, During::Opening, place, 0);
        check_lost(Act::Erase, During::Opening, place, 0);
    }
}

/// Runs opening, act, another opening and a put with one lost sync, the `nth` of the file or folder that ends in `place`;
/// then cuts the power at every effect from there on. What was acknowledged is there, what an opening was content with
/// too, and the vault always opens.
fn check_lost(act: Act, during: During, place: &str, nth: usize) {
    let scene = Scene::new(act);
    let (ops, opened, _) = run_losing(&scene, None);
    let is_sync = |op: &Op| matches!(op, Op::Sync(path) | Op::SyncFolder(path) if path.to_string_lossy().ends_with(place));
    let phase = if during == During::Act { opened..ops.len() } else { 0..opened };
    let lost = phase.filter(|at| is_sync(&ops[*at])).nth(nth).expect("there is such a sync");
    let (ops, _, known) = run_losing(&scene, Some(lost + 1));
    assert!(matches!(&ops[lost], Op::LostSync(_) | Op::LostSyncFolder(_)), "{:?}", ops[lost]);
    let mut seen = std::collections::BTreeSet::new();
    for cut in lost + 1..=ops.len() {
        let mut disk = Disk::new(&scene.files);
        ops[..cut].iter().for_each(|op| disk.apply(op));
        let acknowledged = known.iter().any(|(from, after)| cut >= *from && *after);
        let last = cut == ops.len();
        for (variant, files) in disk.states().into_iter().take(2) {
            if !seen.insert((acknowledged, last, files.clone())) {
                continue;
            }
            let place = Place::with(&files);
            let judged = scene.judge(&place, acknowledged);
            judged
                .unwrap_or_else(|why| panic!("cut after {cut} of {}, {variant}: {why}\n{ops:#?}", ops.len()));
            let found = place.unlock().is_ok_and(|vault| vault.list().any(|entry| entry.name == LATER));
            assert!(found || !last, "the last put is lost");
        }
    }
}

/// The effects; how many of them the first opening has; and from which on it is known whether the act was done.
fn run_losing(scene: &Scene, lost: Option<usize>) -> (Vec<Op>, usize, Vec<(usize, bool)>) {
    let place = Place::with(&scene.files);
    let locked = Locked::open(place.paths()).expect("there");
    faults::arm(lost.map(|at| (at, Fault::LostSync)));
    let (mut vault, _) = place.unlock_either(locked).expect("opens");
    let opened = faults::count();
    let acknowledged = scene.run(&mut vault).is_ok();
    let acted = faults::count();
    let (mut vault, changed) = place.unlock_either(vault.lock()).expect("opens again");
    let content = !vault.notices().contains(&Notice::Unproven);
    let known = vec![(acted, acknowledged), (faults::count(), content && scene.is_after(&vault, changed))];
    let id = ObjectId::random(&mut OsRandom).expect("random");
    put(&mut vault, id, LATER).expect("goes on");
    let (_, ops) = faults::disarm();
    (ops.into_iter().map(|op| place.below(op)).collect(), opened, known)
}

/// Judges every state that a power cut may leave; returns how many, and what is wrong
/// (at most `most` findings).
fn check_cuts(scene: &Scene, ops: &[Op], most: usize) -> (usize, Vec<String>) {
    let mut wrong = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for cut in 0..=ops.len() {
        let mut disk = Disk::new(&scene.files);
        ops[..cut].iter().for_each(|op| disk.apply(op));
        for (variant, files) in disk.states() {
            let acknowledged = cut == ops.len();
            if !seen.insert((acknowledged, files.clone())) {
                continue;
            }
            if let Err(why) = scene.judge(&Place::with(&files), acknowledged) {
                wrong.push(format!("after {cut} of {} effects, {variant}: {why}", ops.len()));
                if wrong.len() >= most {
                    return (seen.len(), wrong);
                }
            }
        }
    }
    (seen.len(), wrong)
}

/// A disk with a cache. Files are numbered; names point to numbers.
struct Disk {
    content: BTreeMap<usize, Vec<u8>>,
    names: BTreeMap<PathBuf, usize>,
    /// Names as the running program sees them.
    seen: BTreeMap<PathBuf, usize>,
    pending: Vec<Pending>,
}

#[derive(Debug, Clone)]
enum Pending {
    Data {
        file: usize,
        at: usize,
        bytes: Vec<u8>,
    },
    Cut {
        file: usize,
        bytes: usize,
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

impl Disk {
    fn new(files: &Files) -> Self {
        let names: BTreeMap<_, _> = files.keys().cloned().zip(0..).collect();
        let content = files.values().cloned().enumerate().collect();
        Self { content, seen: names.clone(), names, pending: Vec::new() }
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::Create(path) => {
                let file = self.content.len();
                self.content.insert(file, Vec::new());
                self.seen.insert(path.clone(), file);
                self.pending.push(Pending::Name { path: path.clone(), file: Some(file) });
            }
            Op::Write { path, at, bytes } => {
                self.pending.push(Pending::Data { file: self.seen[path], at: *at, bytes: bytes.clone() });
            }
            Op::Truncate { path, bytes } => {
                self.pending.push(Pending::Cut { file: self.seen[path], bytes: *bytes })
            }
            Op::Rename { from, to } => {
                let file = self.seen.remove(from).expect("what is renamed exists");
                self.seen.insert(to.clone(), file);
                self.pending.push(Pending::Rename { from: from.clone(), to: to.clone(), file });
            }
            Op::Remove(path) => {
                if self.seen.remove(path).is_some() {
                    self.pending.push(Pending::Name { path: path.clone(), file: None });
                }
            }
            Op::Sync(path) => {
                let synced = self.seen[path];
                self.flush(|pending| pending.is_content_of(synced));
            }
            Op::LostSync(path) => {
                let lost = self.seen[path];
                self.pending.retain(|pending| !pending.is_content_of(lost));
            }
            Op::SyncFolder(folder) => self.flush(|pending| pending.is_name_in(folder)),
            Op::LostSyncFolder(folder) => self.pending.retain(|pending| !pending.is_name_in(folder)),
            Op::Allocate(_) => {}
        }
    }

    fn flush(&mut self, which: impl Fn(&Pending) -> bool) {
        let (durable, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.pending).into_iter().partition(which);
        self.pending = rest;
        durable.iter().for_each(|pending| settle(&mut self.content, &mut self.names, pending));
    }

    /// None, all, each alone, all but each, each write torn in three ways with and without the rest.
    fn states(&self) -> Vec<(String, Files)> {
        let count = self.pending.len();
        let all: Vec<Pending> = self.pending.clone();
        let mut choices = vec![("nothing more".to_owned(), vec![]), ("everything".to_owned(), all.clone())];
        for index in 0..count {
            let but: Vec<_> =
                all.iter().enumerate().filter(|(at, _)| *at != index).map(|(_, p)| p.clone()).collect();
            choices.push((format!("only {index}"), vec![all[index].clone()]));
            choices.push((format!("all but {index}"), but));
            if let Pending::Data { file, at, bytes } = &all[index] {
                for part in [1, bytes.len() / 2, bytes.len() - 1] {
                    let torn = Pending::Data { file: *file, at: *at, bytes: bytes[..part].to_vec() };
                    let mut with = all.clone();
                    with[index] = torn.clone();
                    choices.push((format!("{part} bytes of {index}"), vec![torn]));
                    choices.push((format!("all, but {part} bytes of {index}"), with));
                }
            }
        }
        choices.into_iter().map(|(name, chosen)| (name, self.files_with(&chosen))).collect()
    }

    fn files_with(&self, chosen: &[Pending]) -> Files {
        let (mut content, mut names) = (self.content.clone(), self.names.clone());
        chosen.iter().for_each(|pending| settle(&mut content, &mut names, pending));
        names.into_iter().map(|(path, file)| (path, content[&file].clone())).collect()
    }
}

fn settle(content: &mut BTreeMap<usize, Vec<u8>>, names: &mut BTreeMap<PathBuf, usize>, pending: &Pending) {
    match pending {
        Pending::Data { file, at, bytes } => {
            let content = content.entry(*file).or_default();
            content.resize(content.len().max(at + bytes.len()), 0);
            content[*at..at + bytes.len()].copy_from_slice(bytes);
        }
        Pending::Cut { file, bytes } => content.entry(*file).or_default().truncate(*bytes),
        Pending::Name { path, file: Some(file) } => drop(names.insert(path.clone(), *file)),
        Pending::Name { path, file: None } => drop(names.remove(path)),
        Pending::Rename { from, to, file } => {
            names.remove(from);
            names.insert(to.clone(), *file);
        }
    }
}
