//! Destroying for good.

use std::fs;

use vault::{Error, ObjectId, OsRandom};

use super::{Place, check_object, put};

#[test]
fn an_erased_object_is_gone_with_its_file_and_the_others_stay() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    let ids: Vec<_> = (0..6).map(|n| put(&mut vault, &format!("n{n}"), 1000)).collect();
    let before = vault.state();
    let erasure = vault.erase(&[ids[1], ids[4]], 7, 123, &mut OsRandom).expect("erased");
    assert_eq!((erasure.erased, erasure.cleanup_pending, erasure.state.epoch), (2, false, before.epoch + 1));
    assert_eq!(erasure.state, vault.state());
    assert!("BVC".contains(erasure.grade.letter()));
    for reopened in [false, true] {
        if reopened {
            drop(vault);
            vault = place.unlock().expect("opens");
            assert_eq!((vault.state(), vault.notices()), (erasure.state, vec![]));
        }
        for n in [0, 2, 3, 5] {
            check_object(&vault, ids[n], 1000);
        }
        for n in [1, 4] {
            assert!(matches!(vault.open_content(ids[n]), Err(Error::Erased(id)) if id == ids[n]));
            assert!(!place.sealed(&format!("n{n}")).exists());
            let tombstone = vault.tombstone(ids[n]).expect("kept");
            assert_eq!((tombstone.reason, tombstone.erased_ms, tombstone.epoch), (7, 123, before.epoch + 1));
        }
    }
    let report = vault.verify().expect("verifies");
    assert!(report.is_sound() && report.mirror_agrees && report.dead.is_empty() && report.orphans.is_empty());
}

#[test]
fn erasing_is_idempotent_and_all_or_nothing() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    let (a, b) = (put(&mut vault, "a", 1), put(&mut vault, "b", 1));
    let unknown = ObjectId::random(&mut OsRandom).expect("random");
    assert!(
        matches!(vault.erase(&[a, unknown], 1, 1, &mut OsRandom), Err(Error::UnknownObject(id)) if id == unknown)
    );
    check_object(&vault, a, 1);
    assert_eq!(vault.erase(&[a, a], 1, 1, &mut OsRandom).expect("erased").erased, 1);
    let state = vault.state();
    assert_eq!(vault.erase(&[a], 1, 1, &mut OsRandom).expect("nothing to do").erased, 0);
    assert_eq!(vault.erase(&[], 1, 1, &mut OsRandom).expect("nothing to do").erased, 0);
    assert_eq!(vault.state(), state, "no roll without need");
    check_object(&vault, b, 1);
}

#[test]
fn hundreds_of_objects_are_one_roll() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    let ids: Vec<_> = (0..300).map(|n| put(&mut vault, &format!("n{n}"), 10)).collect();
    let erasure = vault.erase(&ids[..299], 1, 1, &mut OsRandom).expect("erased");
    assert_eq!((erasure.erased, erasure.state.epoch, vault.list().count()), (299, 2, 1));
    assert!(erasure.state.seq < 5, "entries are packed");
    check_object(&vault, ids[299], 10);
}

/// The whole promise: with the right passphrase, the old vault file and the old object file.
#[test]
fn old_copies_of_everything_but_the_anchor_open_nothing() {
    let place = Place::new();
    let (mut vault, code) = place.create();
    let id = put(&mut vault, "a", 100);
    let copies: Vec<_> =
        ["vault", "vault.mirror"].map(|name| fs::read(place.state(name)).expect("a copy")).into();
    let object = fs::read(place.sealed("a")).expect("a copy");
    let anchor = fs::read(place.state("anchor")).expect("a copy");
    vault.erase(&[id], 1, 1, &mut OsRandom).expect("erased");
    drop(vault);
    let now = fs::read(place.state("anchor")).expect("read");
    let old_cell = &anchor[2048..2112];
    assert!(
        !now.windows(32).any(|window| window == &old_cell[8..40]),
        "the old epoch key is still in the anchor"
    );
    fs::write(place.state("vault"), &copies[0]).expect("replayed");
    fs::write(place.state("vault.mirror"), &copies[1]).expect("replayed");
    fs::write(place.sealed("a"), object).expect("replayed");
    assert!(matches!(place.unlock(), Err(Error::EpochKeyGone { epoch: 1 })));
    assert!(matches!(place.unlock_with(&code.secret()), Err(Error::EpochKeyGone { epoch: 1 })));
    // The honest limit: a copy of the anchor from the same time brings it back.
    fs::write(place.state("anchor"), anchor).expect("replayed");
    check_object(&place.unlock().expect("opens"), id, 100);
}

#[test]
fn dead_files_are_swept_and_foreign_ones_are_not() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    let (a, b) = (put(&mut vault, "a", 10), put(&mut vault, "b", 10));
    let dead = fs::read(place.sealed("a")).expect("a copy");
    // Somebody put the file of `b` under the name of `a`: erasing `a` must not destroy `b`.
    fs::rename(place.sealed("b"), place.sealed("a")).expect("swapped");
    let erasure = vault.erase(&[a], 1, 1, &mut OsRandom).expect("erased");
    assert!(erasure.cleanup_pending && place.sealed("a").exists());
    fs::rename(place.sealed("a"), place.sealed("b")).expect("put right");
    check_object(&vault, b, 10);
    fs::write(place.sealed("restored"), dead).expect("a backup came back");
    fs::write(place.sealed("foreign"), b"not ours").expect("written");
    let report = vault.verify().expect("verifies");
    assert_eq!(
        (report.dead, report.orphans),
        (vec!["restored.sealed".into()], vec!["foreign.sealed".to_owned()])
    );
    assert_eq!(vault.sweep().expect("swept"), 1);
    assert!(place.sealed("foreign").exists() && !place.sealed("restored").exists());
}
