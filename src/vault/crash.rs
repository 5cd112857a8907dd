//! Crashes between any two effects of put and roll: kill, full disk, I/O error, power cut.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process};

use crate::anchor::Anchor;
use crate::disk::Folder;
use crate::disk::faults::{self, Fault, Op};
use crate::{
    Error, KdfParams, Locked, NewObject, ObjectId, OsRandom, Paths, Role, Secret, SlotId, Unlocked, Vault,
};

mod afterwards;
mod destroyed;
mod forgotten;
mod power;
mod restored;

const PASSPHRASE: &str = "a test passphrase";
const CHANGED: &str = "a changed passphrase";

/// What is done while the fault happens. The vault holds two objects, `doomed` and `kept`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Put,
    /// Together with a pending mark.
    PutWithMark,
    Erase,
    AddSlot,
    ChangeSecret,
    RemoveSlot,
    /// Of superseded marks; together with a pending one.
    Compact,
    /// The vault file has lost its end; the mirror has it.
    PutAfterCut,
    /// Both copies end in a part of a frame.
    PutAfterTorn,
    /// The vault file is damaged; the mirror is whole.
    EraseAfterDamage,
    /// The name of who was removed; together with a pending mark.
    ForgetName,
}

/// Files by their path below the test's folder.
type Files = BTreeMap<PathBuf, Vec<u8>>;

struct Scene {
    act: Act,
    files: Files,
    ids: [ObjectId; 3],
    /// The vault's epoch before.
    epoch: u64,
}

impl Scene {
    fn new(act: Act) -> Self {
        let place = Place::empty();
        let mut random = OsRandom;
        let secret = Secret::passphrase(PASSPHRASE).expect("text");
        let (mut vault, _) =
            Vault::create(place.paths(), &secret, Role::Admin, KdfParams::FLOOR, &mut random)
                .expect("a new vault");
        let ids = [(); 3].map(|()| ObjectId::random(&mut random).expect("random"));
        put(&mut vault, ids[0], "doomed").expect("put");
        put(&mut vault, ids[1], "kept").expect("put");
        for value in [&b"first"[..], b"second", LAST].into_iter().filter(|_| act == Act::Compact) {
            vault.set_mark(OTHER_MARK, value, &mut random).expect("set");
        }
        if act == Act::ForgetName {
            forgotten::come_and_gone(&place, &mut vault);
        }
        let epoch = vault.state().epoch;
        drop(vault);
        let mut files = place.files();
        for (name, bytes) in &mut files {
            match act {
                Act::PutAfterCut if name.ends_with("vault") => bytes.truncate(bytes.len() - 5),
                Act::EraseAfterDamage if name.ends_with("vault") => bytes[90] ^= 1,
                Act::PutAfterTorn if name.to_string_lossy().starts_with("state/vault") => {
                    bytes.extend_from_within(bytes.len() - 7..)
                }
                _ => {}
            }
        }
        Self { act, files, ids, epoch }
    }

    fn run(&self, vault: &mut Vault) -> Result<(), Error> {
        match self.act {
            Act::Put | Act::PutAfterCut | Act::PutAfterTorn => put(vault, self.ids[2], "new"),
            Act::PutWithMark => {
                vault.remember(MARK, b"remembered")?;
                put(vault, self.ids[2], "new")
            }
            Act::Erase | Act::EraseAfterDamage => {
                vault.remember(MARK, b"remembered")?;
                vault.erase(&self.ids[..1], 1, 1, &mut OsRandom).map(drop)
            }
            Act::AddSlot => {
                let secret = Secret::passphrase("another passphrase").expect("text");
                vault.add_slot(Role::Operator, &secret, KdfParams::FLOOR, &mut OsRandom).map(drop)
            }
            Act::ChangeSecret => {
                let [old, new] = [PASSPHRASE, CHANGED].map(|text| Secret::passphrase(text).expect("text"));
                vault.change_secret(&old, &new, KdfParams::FLOOR, &mut OsRandom).map(drop)
            }
            Act::RemoveSlot => vault.remove_slot(SlotId(2), &mut OsRandom).map(drop),
            Act::Compact => {
                vault.remember(MARK, b"remembered")?;
                vault.compact(1, &mut OsRandom).map(drop)
            }
            Act::ForgetName => forgotten::forget(vault).map(drop),
        }
    }

    fn is_roll(&self) -> bool {
        !matches!(self.act, Act::Put | Act::PutWithMark | Act::PutAfterCut | Act::PutAfterTorn)
    }

    /// Objects before and after.
    fn expected(&self) -> [Vec<ObjectId>; 2] {
        let after = match self.act {
            Act::Put | Act::PutWithMark | Act::PutAfterCut | Act::PutAfterTorn => self.ids.to_vec(),
            Act::Erase | Act::EraseAfterDamage => vec![self.ids[1]],
            Act::AddSlot | Act::ChangeSecret | Act::RemoveSlot | Act::Compact | Act::ForgetName => {
                self.ids[..2].to_vec()
            }
        };
        [self.ids[..2].to_vec(), after]
    }

    /// Whether the act is seen to be done.
    fn is_after(&self, vault: &Vault, changed: bool) -> bool {
        let slots = vault.public().slots.len();
        match self.act {
            Act::AddSlot => slots == 3,
            Act::RemoveSlot => slots == 1,
            Act::ChangeSecret => changed,
            Act::Compact => vault.state().epoch == 2,
            Act::ForgetName => !forgotten::is_known(vault),
            _ => self.found(vault) == self.expected()[1],
        }
    }

    /// All objects but [`LATER`].
    fn found(&self, vault: &Vault) -> Vec<ObjectId> {
        vault.list().filter(|entry| entry.name != LATER).map(|entry| entry.id).collect()
    }

    /// Before or after, never between; what was acknowledged is there; everything goes on working.
    fn judge(&self, place: &Place, acknowledged: bool) -> Result<(), String> {
        if acknowledged && self.is_roll() && place.has_epoch_key(self.epoch) {
            return Err("acknowledged, and the old epoch key is still in the anchor".into());
        }
        let opened = place.unlock_either(Locked::open(place.paths()).map_err(|error| error.to_string())?);
        let (mut vault, changed) = opened.map_err(|error| format!("does not open: {error}"))?;
        let (found, [before, after]) = (self.found(&vault), self.expected());
        if found != after && found != before || acknowledged && !self.is_after(&vault, changed) {
            let slots = vault.public().slots.len();
            return Err(format!("acknowledged: {acknowledged}, but {found:?}, {slots} slots"));
        }
        let marks = matches!(
            self.act,
            Act::PutWithMark | Act::Erase | Act::EraseAfterDamage | Act::Compact | Act::ForgetName
        );
        if marks && vault.mark(MARK).is_some() != self.is_after(&vault, changed) {
            return Err("one without the other: record and mark".into());
        }
        if let Some(found) = vault.damaged_mirror() {
            return Err(format!("what a crash leaves of a mirror was taken for a changed one: {found:?}"));
        }
        if self.act == Act::Compact && vault.mark(OTHER_MARK) != Some(LAST) {
            return Err(format!("the mark is {:?}", vault.mark(OTHER_MARK)));
        }
        let epoch = vault.state().epoch;
        if vault.remaining_key().is_some() || place.has_epoch_key(epoch - 1) || place.has_epoch_key(epoch + 1)
        {
            return Err("opening left the key of another epoch".into());
        }
        for id in vault.list().map(|entry| entry.id).collect::<Vec<_>>() {
            let content = vault.open_content(id).map_err(|error| format!("{id}: {error}"))?;
            let name = &vault.get(id).map_err(|error| error.to_string())?.name;
            if content[..] != *content_of(name) {
                return Err(format!("{id} has other content"));
            }
        }
        vault.sweep().map_err(|error| format!("sweep: {error}"))?;
        let next = ObjectId::random(&mut OsRandom).expect("random");
        put(&mut vault, next, "next").map_err(|error| format!("put: {error}"))?;
        let report = vault.verify().map_err(|error| format!("verify: {error}"))?;
        if !report.is_sound()
            || !report.mirror_agrees
            || !report.dead.is_empty()
            || !vault.notices().is_empty()
        {
            return Err(format!("{report:?}"));
        }
        Ok(())
    }
}

fn put(vault: &mut Vault, id: ObjectId, name: &str) -> Result<(), Error> {
    let content = content_of(name);
    let new = NewObject {
        id,
        salt: [7; 16],
        name,
        created_ms: 1,
        metadata: b"m",
        preview: b"p",
        content: &content,
    };
    vault.put(&new, &mut OsRandom).map(drop)
}

fn content_of(name: &str) -> Vec<u8> {
    name.repeat(3000).into_bytes()
}

/// What an undisturbed act does, with paths below the test's folder.
fn act_ops(scene: &Scene) -> Vec<Op> {
    let place = Place::with(&scene.files);
    let mut vault = place.unlock().expect("opens");
    faults::arm(None);
    scene.run(&mut vault).expect("succeeds");
    faults::disarm().1.into_iter().map(|op| place.below(op)).collect()
}

/// What an undisturbed opening does.
fn unlock_ops(scene: &Scene) -> Vec<Op> {
    let place = Place::with(&scene.files);
    let locked = Locked::open(place.paths()).expect("there");
    faults::arm(None);
    place.unlock_either(locked).expect("opens");
    faults::disarm().1
}

/// Runs an act with a fault at every one of its effects in turn, reopens, judges.
fn check_faults(act: Act, fault: Fault) {
    let scene = Scene::new(act);
    let (mut failed, mut done) = (0, 0);
    for at in 1.. {
        let place = Place::with(&scene.files);
        let mut vault = place.unlock().expect("opens");
        faults::arm(Some((at, fault)));
        let result = scene.run(&mut vault);
        let (fired, _) = faults::disarm();
        if let (Err(_), Fault::Errno(_)) = (&result, fault) {
            // The same process goes on: at most it has to unlock again.
            let again = place.unlock_either(vault.lock());
            again.map(drop).unwrap_or_else(|error| panic!("{act:?} {fault:?} at {at}: {error}"));
        } else {
            drop(vault);
        }
        scene.judge(&place, result.is_ok()).unwrap_or_else(|why| panic!("{act:?} {fault:?} at {at}: {why}"));
        if !fired {
            result.expect("without a fault it succeeds");
            break;
        }
        if result.is_ok() { done += 1 } else { failed += 1 }
    }
    assert!(failed >= 4, "{act:?} {fault:?}: only {failed} failures, {done} successes");
}

const EIO: i32 = 5;
const EFBIG: i32 = 27;
const ENOSPC: i32 = 28;
const EDQUOT: i32 = 122;
const MARK: u8 = 1;
/// The mark that is superseded, and its last value.
const OTHER_MARK: u8 = 5;
const LAST: &[u8] = b"last";
/// An object that is put after everything else.
const LATER: &str = "later";

#[test]
fn a_killed_put_is_before_or_after() {
    check_faults(Act::Put, Fault::Kill);
    check_faults(Act::Put, Fault::Torn);
    check_faults(Act::PutWithMark, Fault::Kill);
    check_faults(Act::PutWithMark, Fault::Torn);
    check_faults(Act::PutAfterCut, Fault::Kill);
    check_faults(Act::PutAfterTorn, Fault::Kill);
}

#[test]
fn a_killed_erasure_is_before_or_after() {
    check_faults(Act::Erase, Fault::Kill);
    check_faults(Act::Erase, Fault::Torn);
    check_faults(Act::EraseAfterDamage, Fault::Kill);
}

#[test]
fn a_killed_slot_change_is_before_or_after() {
    for act in [Act::AddSlot, Act::ChangeSecret, Act::RemoveSlot] {
        check_faults(act, Fault::Kill);
        check_faults(act, Fault::Torn);
    }
}

#[test]
fn a_disturbed_compaction_is_before_or_after() {
    for fault in [Fault::Kill, Fault::Torn, Fault::Errno(EIO), Fault::Errno(ENOSPC)] {
        check_faults(Act::Compact, fault);
    }
}

#[test]
fn a_put_on_a_full_disk_loses_nothing() {
    check_faults(Act::Put, Fault::Errno(ENOSPC));
    check_faults(Act::PutAfterCut, Fault::Errno(ENOSPC));
    check_faults(Act::PutAfterTorn, Fault::Errno(ENOSPC));
}

#[test]
fn an_input_output_error_loses_nothing() {
    for act in [Act::Put, Act::PutAfterCut, Act::PutAfterTorn, Act::Erase] {
        check_faults(act, Fault::Errno(EIO));
    }
}

#[test]
fn an_input_output_error_during_a_slot_change_is_before_or_after() {
    for act in [Act::AddSlot, Act::ChangeSecret, Act::RemoveSlot] {
        check_faults(act, Fault::Errno(EIO));
    }
}

#[test]
fn an_erasure_or_slot_change_on_a_full_disk_or_over_quota_is_before_or_after() {
    for act in [Act::Erase, Act::AddSlot, Act::ChangeSecret, Act::RemoveSlot] {
        check_faults(act, Fault::Errno(ENOSPC));
    }
    check_faults(Act::Erase, Fault::Errno(EDQUOT));
    check_faults(Act::Erase, Fault::Errno(EFBIG));
    check_faults(Act::Put, Fault::Errno(EDQUOT));
}

/// One refused block is answered with the reserve: no step of the new file makes an erasure fail.
#[test]
fn an_erasure_spends_the_reserve_when_the_disk_is_full() {
    let scene = Scene::new(Act::Erase);
    for (at, error) in
        [ENOSPC, EDQUOT, EFBIG].into_iter().flat_map(|error| (1..=3).map(move |at| (at, error)))
    {
        let place = Place::with(&scene.files);
        let mut vault = place.unlock().expect("opens");
        faults::arm(Some((at, Fault::Errno(error))));
        let result = scene.run(&mut vault);
        assert!(faults::disarm().0, "effect {at} was reached");
        result.unwrap_or_else(|error| panic!("effect {at}: {error}"));
        drop(vault);
        scene.judge(&place, true).unwrap_or_else(|why| panic!("effect {at}: {why}"));
    }
}

/// A vault exists when its creation is acknowledged, and one that was not can be made again.
#[test]
fn an_interrupted_creation_leaves_no_vault_or_a_whole_one() {
    let secret = Secret::passphrase(PASSPHRASE).expect("text");
    let create = |place: &Place| {
        Vault::create(place.paths(), &secret, Role::Admin, KdfParams::FLOOR, &mut OsRandom).map(drop)
    };
    check_making(create, [2, 8], |_| true);
}

/// Disturbs what makes a vault where there is none, at every effect: there is none afterwards, which can be made again, or a whole
/// one, which `is_sound`. At least so many tries are refused: with a torn write, and with any other fault.
fn check_making(
    make: impl Fn(&Place) -> Result<(), Error>,
    refused_min: [u32; 2],
    is_sound: impl Fn(&Vault) -> bool,
) {
    for fault in [Fault::Kill, Fault::Torn, Fault::Errno(ENOSPC), Fault::Errno(EIO)] {
        let (mut refused, mut fired) = (0, true);
        for at in 1.. {
            if !fired {
                break;
            }
            let place = Place::empty();
            faults::arm(Some((at, fault)));
            let made = make(&place);
            (fired, _) = faults::disarm();
            if made.is_err() {
                refused += 1;
                let whole = place.paths().vault_exists();
                assert!(!(whole && matches!(fault, Fault::Errno(_))), "{fault:?} at {at}: refused, but made");
                if !whole {
                    make(&place).unwrap_or_else(|error| panic!("{fault:?} at {at}, again: {error}"));
                }
            }
            let vault = place.unlock().unwrap_or_else(|error| panic!("{fault:?} at {at}, {made:?}: {error}"));
            assert!(is_sound(&vault), "{fault:?} at {at}");
        }
        let steps = refused_min[usize::from(fault != Fault::Torn)];
        assert!(refused >= steps, "{fault:?}: only {refused} refused");
    }
}

pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn empty() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("vault-crash-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a temporary folder");
        Self(path)
    }

    fn with(files: &Files) -> Self {
        let place = Self::empty();
        place.paths().prepare().expect("folders");
        files.iter().for_each(|(path, bytes)| fs::write(place.0.join(path), bytes).expect("written"));
        place
    }

    pub(crate) fn paths(&self) -> Paths {
        Paths { state: self.0.join("state"), outputs: self.0.join("outputs") }
    }

    fn files(&self) -> Files {
        let list = |folder: &str| {
            fs::read_dir(self.0.join(folder)).expect("a folder").map(|found| found.expect("name").path())
        };
        let relative = |path: &Path| path.strip_prefix(&self.0).expect("below").to_owned();
        list("state")
            .chain(list("outputs"))
            .map(|path| (relative(&path), fs::read(&path).expect("read")))
            .collect()
    }

    fn unlock(&self) -> Result<Vault, Error> {
        self.unlock_either(Locked::open(self.paths())?).map(|(vault, _)| vault)
    }

    /// With the passphrase, or the changed one (`true`).
    fn unlock_either(&self, locked: Locked) -> Result<(Vault, bool), Error> {
        let secret = Secret::passphrase(PASSPHRASE)?;
        let (opened, changed) = match locked.unlock(&secret, |_| true) {
            Err((locked, Error::WrongSecret)) => {
                (locked.unlock(&Secret::passphrase(CHANGED)?, |_| true).map_err(|(_, error)| error)?, true)
            }
            opened => (opened.map_err(|(_, error)| error)?, false),
        };
        match opened {
            Unlocked::Vault(vault, _) => Ok((*vault, changed)),
            Unlocked::Auditor(_) => panic!("an auditor's slot"),
        }
    }

    /// The same effect with paths below the test's folder.
    fn below(&self, op: Op) -> Op {
        let below = |path: PathBuf| path.strip_prefix(&self.0).expect("below").to_owned();
        match op {
            Op::Create(path) => Op::Create(below(path)),
            Op::Write { path, at, bytes } => Op::Write { path: below(path), at, bytes },
            Op::Sync(path) => Op::Sync(below(path)),
            Op::LostSync(path) => Op::LostSync(below(path)),
            Op::LostSyncFolder(path) => Op::LostSyncFolder(below(path)),
            Op::Allocate(path) => Op::Allocate(below(path)),
            Op::Rename { from, to } => Op::Rename { from: below(from), to: below(to) },
            Op::SyncFolder(path) => Op::SyncFolder(below(path)),
            Op::Truncate { path, bytes } => Op::Truncate { path: below(path), bytes },
            Op::Remove(path) => Op::Remove(below(path)),
        }
    }

    fn has_epoch_key(&self, epoch: u64) -> bool {
        let state = Folder::open(&self.paths().state).expect("opened");
        Anchor::of(&state).key(epoch).is_ok()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
