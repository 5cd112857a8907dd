//! The name of who was removed, disturbed while it is forgotten: it is there or gone, and whoever is told that nothing remains finds no
//! file that shows a guess of it to be right.

use super::{Act, EDQUOT, EFBIG, EIO, ENOSPC, MARK, PASSPHRASE, Place, Scene, act_ops, check_faults};
use crate::disk::faults::{self, Fault, Op};
use crate::format::{HEADER_BYTES, SLOT_BYTES};
use crate::people::Forgotten;
use crate::{Error, KdfParams, OsRandom, PersonName, Role, Secret, SlotId, Vault};
use std::fs;

const GONE: SlotId = SlotId(3);
const DAMAGED: &str = "vault.damaged";

/// Somebody comes and is removed. What a damage may have left of the vault file from between lies there.
pub(super) fn come_and_gone(place: &Place, vault: &mut Vault) {
    let [first, second] = ["First", "Second"].map(|text| PersonName::new(text).expect("a name"));
    let secret = |text| Secret::passphrase(text).expect("text");
    let floor = KdfParams::FLOOR;
    vault.name_slot(&secret(PASSPHRASE), &first, Role::Admin, floor, &mut OsRandom).expect("named");
    let theirs = secret("the words of another").of(Some(second));
    let added = vault.add_slot(Role::Operator, &theirs, floor, &mut OsRandom).expect("added");
    assert_eq!(added.slot, GONE);
    let state = place.paths().state;
    fs::copy(state.join("vault"), state.join(DAMAGED)).expect("copied");
    vault.remove_slot(GONE, &mut OsRandom).expect("removed");
}

pub(super) fn forget(vault: &mut Vault) -> Result<Forgotten, Error> {
    vault.remember(MARK, b"remembered")?;
    vault.forget_names(&[GONE], &mut OsRandom)
}

pub(super) fn is_known(vault: &Vault) -> bool {
    vault.people().iter().any(|person| person.slot == GONE)
}

impl Scene {
    /// The files in which lies what a guess of the name is tested with: its slot's salt, in the head, for everybody to read.
    fn tested_in(&self, place: &Place) -> Vec<String> {
        let old = &self.files[&std::path::PathBuf::from("state").join(DAMAGED)];
        let salt = &old[HEADER_BYTES + 2 * SLOT_BYTES + 16..][..32];
        let has = |bytes: &[u8]| bytes.windows(salt.len()).any(|window| window == salt);
        let files = place.files().into_iter().filter(|(_, bytes)| has(bytes));
        files.map(|(path, _)| path.display().to_string()).collect()
    }
}

#[test]
fn a_killed_forgetting_is_before_or_after() {
    check_faults(Act::ForgetName, Fault::Kill);
    check_faults(Act::ForgetName, Fault::Torn);
}

#[test]
fn a_forgetting_on_a_full_or_failing_disk_is_before_or_after() {
    for error in [EIO, ENOSPC, EDQUOT, EFBIG] {
        check_faults(Act::ForgetName, Fault::Errno(error));
    }
}

/// What failed is done by the next try; and what was done but for its rest says so, and is done by the next look.
#[test]
fn a_forgetting_that_failed_anywhere_is_done_by_the_next_try() {
    let scene = Scene::new(Act::ForgetName);
    let before = Place::with(&scene.files);
    assert_eq!(scene.tested_in(&before), [format!("state/{DAMAGED}")], "the test sees it");
    let (mut refused, mut unfinished, mut rest, mut fired) = (0, 0, 0, true);
    for (at, error) in (1..).flat_map(|at| [EIO, ENOSPC].map(|error| (at, error))) {
        if !fired {
            break;
        }
        let place = Place::with(&scene.files);
        let mut vault = place.unlock().expect("opens");
        faults::arm(Some((at, Fault::Errno(error))));
        let done = forget(&mut vault);
        (fired, _) = faults::disarm();
        let (mut vault, _) = place.unlock_either(vault.lock()).expect("opens again");
        match &done {
            Err(_) if is_known(&vault) => {
                refused += 1;
                assert!(!forget(&mut vault).expect("with nothing in its way").cleanup_pending);
            }
            // Its old key, or what tells whether the new file is the file, was missing: the opening has settled it.
            Err(_) => {
                unfinished += 1;
                vault.drop_old_heads().expect("with nothing in its way");
            }
            Ok(forgotten) if forgotten.cleanup_pending => {
                rest += 1;
                vault.drop_old_heads().expect("with nothing in its way");
                vault.sweep().expect("swept");
            }
            Ok(_) => {}
        }
        assert!(!is_known(&vault), "at {at}: {done:?}");
        assert_eq!(scene.tested_in(&place), Vec::<String>::new(), "at {at}: {done:?}");
    }
    assert!(refused >= 4 && unfinished >= 2 && rest >= 4, "{refused} {unfinished} {rest}");
}

/// A full disk is no reason to keep a name: no step of the new file makes it fail, for its blocks are the reserve's.
#[test]
fn a_forgetting_spends_the_reserve_when_the_disk_is_full() {
    let scene = Scene::new(Act::ForgetName);
    for (at, error) in
        [ENOSPC, EDQUOT, EFBIG].into_iter().flat_map(|error| (1..=3).map(move |at| (at, error)))
    {
        let place = Place::with(&scene.files);
        let mut vault = place.unlock().expect("opens");
        faults::arm(Some((at, Fault::Errno(error))));
        let forgotten = forget(&mut vault);
        assert!(faults::disarm().0, "effect {at} was reached");
        assert!(!forgotten.unwrap_or_else(|error| panic!("effect {at}: {error}")).cleanup_pending);
        assert_eq!(scene.tested_in(&place), Vec::<String>::new(), "effect {at}");
        drop(vault);
        scene.judge(&place, true).unwrap_or_else(|why| panic!("effect {at}: {why}"));
    }
}

/// The old heads go behind the wipe: as long as an older vault file may still be the vault, nothing of it is removed.
#[test]
fn nothing_is_removed_before_the_roll_is_done() {
    let ops = act_ops(&Scene::new(Act::ForgetName));
    let wipe = ops.iter().rposition(|op| matches!(op, Op::Write { path, .. } if path.ends_with("anchor")));
    let removed = |op: &Op| matches!(op, Op::Remove(path) if path.to_string_lossy().ends_with("damaged"));
    let first = ops.iter().position(removed).expect("a damaged copy is removed");
    assert!(wipe.is_some_and(|wipe| wipe < first), "{ops:#?}");
    assert!(matches!(ops.last(), Some(Op::SyncFolder(_))), "durably: {ops:#?}");
}
