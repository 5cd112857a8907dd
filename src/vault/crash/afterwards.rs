//! What a fault leaves to what comes after it: the rest of the opening, and the next one.

use super::{Act, EDQUOT, EFBIG, EIO, ENOSPC, MARK, Place, Scene, act_ops, put, unlock_ops};
use crate::disk::faults::{self, Fault, Op};
use crate::{Error, Locked, Notice, ObjectId, OsRandom, RemainingKey};

/// After a failed sync the kernel may have dropped the pages: nothing more is written in this opening, and what an opening
/// finds it writes anew before anything relies on it.
#[test]
fn a_failed_sync_poisons_the_vault_until_it_is_unlocked_again() {
    let scene = Scene::new(Act::Put);
    let place = Place::with(&scene.files);
    let mut vault = place.unlock().expect("opens");
    faults::arm(None);
    put(&mut vault, scene.ids[2], "new").expect("put");
    let sync =
        faults::disarm().1.iter().rposition(|op| matches!(op, faults::Op::Sync(p) if p.ends_with("vault")));
    let next = ObjectId::random(&mut OsRandom).expect("random");
    faults::arm(Some((sync.expect("a put syncs the vault file") + 1, Fault::Errno(EIO))));
    assert!(matches!(put(&mut vault, next, "next"), Err(Error::Io { .. })));
    faults::disarm();
    let refused = vault.set_mark(1, b"", &mut OsRandom);
    assert!(matches!(refused, Err(Error::Poisoned)), "{refused:?}");
    assert!(matches!(vault.erase(&scene.ids[..1], 1, 1, &mut OsRandom), Err(Error::Poisoned)));
    assert!(matches!(vault.wipe_old_key(), Err(Error::Poisoned)));
    faults::arm(None);
    let (mut vault, _) = place.unlock_either(vault.lock()).expect("unlocked again");
    let written = |op: &Op| matches!(op, Op::Write { path, .. } if path.ends_with("vault.new"));
    assert!(faults::disarm().1.iter().any(written), "what was found was written anew");
    assert_eq!(vault.get(next).expect("it is there after all").name, "next");
    vault.set_mark(1, b"", &mut OsRandom).expect("goes on");
}

/// A disk on which nothing can be written anew: the vault opens, says so, lets nothing rely on it, and erases.
#[test]
fn an_opening_that_cannot_write_anew_says_so_and_allows_an_erasure() {
    for (error, full) in [(ENOSPC, true), (EDQUOT, true), (EFBIG, true), (EIO, false)] {
        let scene = Scene::new(Act::Erase);
        let place = Place::with(&scene.files);
        let locked = Locked::open(place.paths()).expect("there");
        let ops = unlock_ops(&scene);
        let create = ops.iter().position(|op| matches!(op, Op::Create(p) if p.ends_with("vault.new")));
        faults::arm(Some((create.expect("written anew") + 1, Fault::Errno(error))));
        let (mut vault, _) = place.unlock_either(locked).expect("opens");
        assert!(faults::disarm().0);
        assert_eq!(vault.notices(), [Notice::Unproven]);
        faults::arm(Some((1, Fault::Errno(error))));
        let refused = vault.set_mark(1, b"", &mut OsRandom);
        assert!(matches!(&refused, Err(Error::DiskFull)) == full && refused.is_err(), "{refused:?}");
        faults::disarm();
        scene.run(&mut vault).expect("an erasure writes everything anew");
        assert_eq!(vault.notices(), []);
        drop(vault);
        scene.judge(&place, true).expect("sound");
    }
}

/// A roll that ended between any two of its effects, and then an opening that does.
#[test]
fn a_killed_opening_is_before_or_after() {
    let scene = Scene::new(Act::Erase);
    let is_rename = |op: &Op| matches!(op, Op::Rename { to, .. } if to.ends_with("vault"));
    let is_wipe = |op: &Op| matches!(op, Op::Write { path, .. } if path.ends_with("anchor"));
    let ops = act_ops(&scene);
    for end in [ops.iter().position(is_rename), ops.iter().rposition(is_wipe)] {
        let place = Place::with(&scene.files);
        let mut vault = place.unlock().expect("opens");
        faults::arm(Some((end.expect("a roll has it") + 1, Fault::Kill)));
        scene.run(&mut vault).expect_err("killed");
        faults::disarm();
        drop(vault);
        let rest = place.files();
        for fault in [Fault::Kill, Fault::Torn, Fault::Errno(EIO), Fault::Errno(EDQUOT)] {
            let mut fired = true;
            for at in 1.. {
                if !fired {
                    assert!(at > 8, "only {at} effects");
                    break;
                }
                let place = Place::with(&rest);
                let locked = Locked::open(place.paths()).expect("there");
                faults::arm(Some((at, fault)));
                place.unlock_either(locked).expect("opens");
                (fired, _) = faults::disarm();
                scene.judge(&place, false).unwrap_or_else(|why| panic!("{fault:?} at {at}: {why}"));
            }
        }
    }
}

/// A mark stays pending until a record with it is durable.
#[test]
fn a_failed_record_leaves_its_marks_pending() {
    let scene = Scene::new(Act::Put);
    let place = Place::with(&scene.files);
    let mut vault = place.unlock().expect("opens");
    vault.remember(MARK, b"remembered").expect("pending");
    let ids = &scene.ids[..1];
    for at in [1, 4] {
        faults::arm(Some((at, Fault::Errno(EIO))));
        vault.erase(ids, 1, 1, &mut OsRandom).expect_err("before the rename");
        faults::disarm();
    }
    faults::arm(Some((1, Fault::Errno(ENOSPC))));
    assert!(matches!(vault.set_mark(5, b"", &mut OsRandom), Err(Error::DiskFull)));
    faults::disarm();
    assert_eq!(vault.mark(MARK), None);
    put(&mut vault, scene.ids[2], "new").expect("put");
    assert_eq!(vault.mark(MARK), Some(&b"remembered"[..]));
}

/// What this user may not look at is neither missing nor damaged.
#[test]
fn forbidden_is_neither_missing_nor_damaged() {
    let scene = Scene::new(Act::Put);
    let place = Place::with(&scene.files);
    let vault = place.unlock().expect("opens");
    let (outputs, id) = (place.paths().outputs, scene.ids[0]);
    faults::forbid(outputs.join("doomed.sealed"));
    assert!(matches!(vault.open_content(id), Err(Error::ObjectForbidden(found)) if found == id));
    assert_eq!(vault.missing().expect("it is there"), []);
    let report = vault.verify().expect("the others are read");
    assert!(report.forbidden == [id] && report.damaged.is_empty() && !report.is_sound(), "{report:?}");
    faults::forbid(outputs);
    assert!(matches!(vault.missing(), Err(Error::OutputsForbidden(_))));
    assert!(matches!(vault.open_content(id), Err(Error::OutputsForbidden(_))));
    assert!(matches!(vault.verify(), Err(Error::OutputsForbidden(_))));
    faults::disarm();
}

/// Whatever happens to the wipe, the key is reported until it is gone, and no roll passes over it.
#[test]
fn a_failed_wipe_is_never_swallowed() {
    let scene = Scene::new(Act::Erase);
    let is_wipe = |op: &Op| matches!(op, Op::Write { path, .. } if path.ends_with("anchor"));
    let wipe = act_ops(&scene).iter().rposition(is_wipe).expect("an erasure wipes") + 1;
    for at in [wipe, wipe + 1] {
        let place = Place::with(&scene.files);
        let mut vault = place.unlock().expect("opens");
        faults::arm(Some((at, Fault::Errno(EIO))));
        let unfinished = scene.run(&mut vault);
        faults::disarm();
        assert!(matches!(unfinished, Err(Error::Unfinished(_))), "{unfinished:?}");
        assert_eq!((vault.state().epoch, vault.list().count()), (2, 1), "in memory it is the new epoch");
        assert!(vault.notices().contains(&Notice::OldKeyRemains));
        put(&mut vault, scene.ids[2], "new").expect("work goes on");
        let ids = [scene.ids[2]];
        for doomed in [&ids[..], &scene.ids[..1]] {
            faults::arm(Some((1, Fault::Errno(EIO))));
            let refused = vault.erase(doomed, 1, 1, &mut OsRandom);
            faults::disarm();
            assert!(matches!(refused, Err(Error::OldKeyRemains(_))), "no grade is claimed: {refused:?}");
        }
        faults::arm(Some((1, Fault::Errno(EIO))));
        assert!(matches!(vault.wipe_old_key(), Err(Error::OldKeyRemains(_))));
        faults::disarm();
        assert_eq!(vault.list().count(), 2, "nothing else was done");
        assert!(vault.wipe_old_key().expect("wiped"));
        assert!(!vault.wipe_old_key().expect("nothing remained"));
        assert!(!place.has_epoch_key(1) && !vault.notices().contains(&Notice::OldKeyRemains));
        assert_eq!(vault.erase(&ids, 1, 1, &mut OsRandom).expect("erased").erased, 1);
    }
}

/// As after `chmod 400 anchor`, which root does not feel: said at every opening, and wiped at the first that can.
#[test]
fn an_anchor_that_cannot_be_written_is_said_and_one_that_cannot_be_read_refuses() {
    let scene = Scene::new(Act::Erase);
    let is_wipe = |op: &Op| matches!(op, Op::Write { path, .. } if path.ends_with("anchor"));
    let wipe = act_ops(&scene).iter().rposition(is_wipe).expect("an erasure wipes");
    let place = Place::with(&scene.files);
    let mut vault = place.unlock().expect("opens");
    faults::arm(Some((wipe + 1, Fault::Kill)));
    scene.run(&mut vault).expect_err("killed");
    faults::disarm();
    drop(vault);
    let rest = place.files();
    let locked = Locked::open(place.paths()).expect("there");
    faults::arm(None);
    drop(place.unlock_either(locked).expect("opens"));
    let settle = faults::disarm().1.iter().position(is_wipe).expect("an opening wipes");
    let place = Place::with(&rest);
    let locked = Locked::open(place.paths()).expect("there");
    faults::arm(Some((settle + 1, Fault::Errno(13))));
    let (mut vault, _) = place.unlock_either(locked).expect("opens");
    faults::disarm();
    assert_eq!(vault.notices(), [Notice::MirrorStale, Notice::OldKeyRemains]);
    assert!(place.has_epoch_key(1));
    assert!(vault.wipe_old_key().expect("it can be written now") && !place.has_epoch_key(1));
    drop(vault);
    faults::forbid(place.paths().state.join("anchor"));
    let refused = place.unlock().expect_err("no key, no vault");
    faults::disarm();
    assert!(refused.to_string().starts_with("reading the anchor failed: permission denied"), "{refused}");
    // Nor does the mirror stand in for a vault file that may not be read: nothing says that it is damaged.
    faults::forbid(place.paths().state.join("vault"));
    let locked = Locked::open(place.paths()).expect("the public part is in the mirror");
    let refused = place.unlock_either(locked).expect_err("refused");
    faults::disarm();
    assert!(refused.to_string().starts_with("reading the vault file failed: permission denied"), "{refused}");
}

/// A roll that ended between the new key and the new file: nothing was erased, and what lies there is no old key.
#[test]
fn an_unused_key_is_told_from_an_old_one() {
    let scene = Scene::new(Act::Erase);
    let is_put = |op: &Op| matches!(op, Op::Write { path, .. } if path.ends_with("anchor"));
    let ops = act_ops(&scene);
    let (put, rename) = (
        ops.iter().position(is_put).expect("a roll writes its key"),
        ops.iter()
            .position(|op| matches!(op, Op::Rename { to, .. } if to.ends_with("vault")))
            .expect("renamed"),
    );
    assert!(put < rename);
    let place = Place::with(&scene.files);
    let mut vault = place.unlock().expect("opens");
    faults::arm(Some((rename + 1, Fault::Kill)));
    scene.run(&mut vault).expect_err("killed");
    faults::disarm();
    drop(vault);
    assert!(place.has_epoch_key(1) && place.has_epoch_key(2));
    let rest = place.files();
    let opened = |files| {
        let place = Place::with(files);
        let locked = Locked::open(place.paths()).expect("there");
        faults::arm(None);
        drop(place.unlock_either(locked).expect("opens"));
        let settle = faults::disarm().1.iter().position(is_put).expect("an opening settles");
        let place = Place::with(files);
        let locked = Locked::open(place.paths()).expect("there");
        faults::arm(Some((settle + 1, Fault::Errno(EIO))));
        let (vault, _) = place.unlock_either(locked).expect("opens");
        assert!(faults::disarm().0);
        (place, vault)
    };
    // Where no roll ever began there is nothing that could remain.
    let (_place, vault) = opened(&scene.files);
    assert_eq!((vault.remaining_key(), vault.notices()), (None, vec![]));

    for wiped_by_an_act in [true, false] {
        let (place, mut vault) = opened(&rest);
        assert_eq!(vault.remaining_key(), Some(RemainingKey::Unused { epoch: 2 }));
        assert_eq!(vault.notices(), [Notice::UnusedKeyRemains]);
        assert_eq!(vault.list().count(), 2);
        if wiped_by_an_act {
            assert!(vault.wipe_old_key().expect("wiped") && !place.has_epoch_key(2));
        }
        // It is in nobody's way.
        scene.run(&mut vault).expect("erased");
        assert_eq!(vault.remaining_key(), None);
        drop(vault);
        scene.judge(&place, true).expect("sound");
    }
    // A roll that could not write its key, and could not take it back either.
    let place = Place::with(&scene.files);
    let mut vault = place.unlock().expect("opens");
    faults::arm(Some((put + 1, Fault::Kill))); // from there on, every effect fails
    scene.run(&mut vault).expect_err("refused");
    faults::disarm();
    assert_eq!(vault.remaining_key(), Some(RemainingKey::Unused { epoch: 2 }));
}
