//! Absent is not deleted, another folder is not this one, and forbidden is not damaged.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use vault::{Error, NewObject, ObjectId, OsRandom, Vault};

use super::{Place, check_object, put};

fn mark_of(vault: &Vault, folder: &Path) -> std::path::PathBuf {
    folder.join(format!(".lightproof-{}", vault.vault_id()))
}

/// Every question about single objects answers `want` and nothing about any object; keys can be destroyed all the same.
fn check_refused(vault: &mut Vault, id: ObjectId, want: fn(&Error) -> bool) {
    let entry = vault.get(id).expect("listed").clone();
    let new = NewObject {
        salt: [7; 16],
        id: ObjectId::random(&mut OsRandom).expect("random"),
        name: "new",
        created_ms: 1,
        metadata: b"",
        preview: b"",
        content: b"",
    };
    let answers = [
        ("outputs", vault.outputs().err()),
        ("missing", vault.missing().err()),
        ("is_missing", vault.is_missing(&entry).err()),
        ("read", vault.open_content(id).err()),
        ("verify", vault.verify().err()),
        ("stage", vault.stage(&new, &mut OsRandom).err()),
    ];
    for (question, answer) in answers {
        assert!(answer.as_ref().is_some_and(want), "{question}: {answer:?}");
    }
    assert_eq!(vault.sweep().expect("nothing can be dead"), 0);
}

#[test]
fn an_absent_folder_is_said_and_never_made_and_may_come_back() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    let ids = [put(&mut vault, "a", 10), put(&mut vault, "b", 10)];
    let (folder, elsewhere) = (place.paths().outputs, place.0.join("unmounted"));
    fs::rename(&folder, &elsewhere).expect("unmounted");
    for reopened in [false, true] {
        if reopened {
            drop(vault);
            vault = place.unlock().expect("opens without its folder");
        }
        check_refused(&mut vault, ids[0], |error| matches!(error, Error::OutputsAbsent(_)));
        assert!(!folder.exists(), "nothing was made");
    }
    let erasure = vault.erase(&ids[..1], 1, 1, &mut OsRandom).expect("the key can be destroyed");
    assert!((erasure.erased, erasure.cleanup_pending) == (1, true));
    fs::rename(&elsewhere, &folder).expect("mounted");
    assert_eq!(vault.missing().expect("it is back"), []);
    check_object(&vault, ids[1], 10);
    assert_eq!(vault.sweep().expect("swept"), 1);
    assert!(!place.sealed("a").exists());
}

#[test]
fn another_or_an_empty_folder_is_not_ours_until_somebody_says_so() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    let id = put(&mut vault, "a", 10);
    let (folder, elsewhere) = (place.paths().outputs, place.0.join("aside"));
    fs::rename(&folder, &elsewhere).expect("moved");
    let other = Place::new();
    drop(other.create());
    let kinds: [fn(&Path, &Path) -> std::io::Result<()>; 2] =
        [|_, folder| fs::create_dir(folder), |other, folder| symlink(other, folder)];
    for make in kinds {
        make(&other.paths().outputs, &folder).expect("something else lies there");
        check_refused(&mut vault, id, |error| matches!(error, Error::OutputsNotOurs(_)));
        fs::remove_dir(&folder).or_else(|_| fs::remove_file(&folder)).expect("nothing was written into it");
    }
    fs::write(&folder, "").expect("a file lies there");
    check_refused(&mut vault, id, |error| matches!(error, Error::OutputsNotOurs(_)));
    fs::remove_file(&folder).expect("removed");
    // A link to the right folder is one all the same: what it leads to may change under us.
    symlink(&elsewhere, &folder).expect("linked");
    check_refused(&mut vault, id, |error| matches!(error, Error::OutputsNotOurs(_)));
    fs::remove_file(&folder).expect("removed");
    vault.adopt_outputs().expect("somebody says that the files are lost");
    assert_eq!(vault.missing().expect("looked"), [id]);
    assert!(matches!(vault.open_content(id), Err(Error::ObjectMissing(_))));
    let new = put(&mut vault, "new", 10);
    check_object(&vault, new, 10);
}

#[test]
fn a_folder_of_an_older_vault_is_adopted_by_its_objects() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    let folder = place.paths().outputs;
    let mark = mark_of(&vault, &folder);
    let bytes = fs::read(&mark).expect("a new vault makes it");
    assert_eq!((bytes.len(), &bytes[..4], &bytes[16..]), (32, &b"\x8aLPF"[..], &vault.vault_id().0[..]));
    fs::remove_file(&mark).expect("removed");
    vault.outputs().expect("there is no object to lose");
    let ids = [put(&mut vault, "a", 10), put(&mut vault, "b", 10)];
    fs::remove_file(place.sealed("a")).expect("removed by hand");
    for damaged in [None, Some(&b"something"[..]), Some(&[0; 32][..])] {
        match damaged {
            None => fs::remove_file(&mark).expect("removed"),
            Some(bytes) => fs::write(&mark, bytes).expect("written"),
        }
        drop(vault);
        vault = place.unlock().expect("opens");
        assert_eq!(vault.missing().expect("ours"), ids[..1]);
        assert_eq!(fs::read(&mark).expect("made again"), bytes);
    }
    fs::remove_file(&mark).expect("removed");
    fs::remove_file(place.sealed("b")).expect("removed");
    assert!(matches!(vault.missing(), Err(Error::OutputsNotOurs(_))), "an empty folder proves nothing");
}

#[test]
fn everything_removed_by_hand_is_missing_because_the_folder_is_still_ours() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    let ids = [put(&mut vault, "a", 10), put(&mut vault, "b", 10)];
    for name in ["a", "b"] {
        fs::remove_file(place.sealed(name)).expect("as rm * does it");
    }
    assert_eq!(vault.missing().expect("looked"), ids);
}
