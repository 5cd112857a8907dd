//! The end of a vault, and new keys for one.

use std::fs;

use vault::{Error, OsRandom, finish_destruction};

use super::{PASSPHRASE, Place, check_object, put, secret};

#[test]
fn nothing_opens_a_destroyed_vault_not_even_with_its_old_file() {
    let place = Place::new();
    let (mut vault, code) = place.create();
    put(&mut vault, "a", 9);
    let [file, sealed] = [place.state("vault"), place.sealed("a")].map(|path| fs::read(path).expect("read"));
    fs::write(place.paths().outputs.join("other.txt"), b"somebody's").expect("written");
    let done = vault.destroy(&mut OsRandom).expect("destroyed");
    assert!(!done.cleanup_pending);
    assert!(!place.paths().vault_exists());
    let left: Vec<_> =
        fs::read_dir(place.paths().outputs).expect("listed").flatten().map(|e| e.file_name()).collect();
    assert_eq!(left, ["other.txt"], "only its own files go");
    let left: Vec<_> =
        fs::read_dir(place.paths().state).expect("listed").flatten().map(|e| e.file_name()).collect();
    assert!(left.iter().all(|name| name == "anchor" || name == "lock"), "{left:?}");
    fs::write(place.state("vault"), &file).expect("put back");
    fs::write(place.sealed("a"), &sealed).expect("put back");
    for typed in [secret(PASSPHRASE), code.secret()] {
        assert!(matches!(place.unlock_with(&typed), Err(Error::EpochKeyGone { epoch: 1 })));
    }
    // And what was put back is told from a vault that lives.
    assert!(finish_destruction(place.paths()).expect("looked").is_some());
    assert!(!place.paths().vault_exists());
    // A new one can be made in its place.
    let (mut new, _) = place.create();
    let id = put(&mut new, "b", 9);
    check_object(&new, id, 9);
    drop(new);
    assert!(finish_destruction(place.paths()).expect("looked").is_none());
    check_object(&place.unlock().expect("opens"), id, 9);
}

#[test]
fn an_absent_anchor_shows_nothing() {
    let place = Place::new();
    drop(place.create());
    let anchor = place.state("anchor");
    let bytes = fs::read(&anchor).expect("read");
    fs::remove_file(&anchor).expect("taken away");
    assert!(finish_destruction(place.paths()).expect("looked").is_none());
    fs::write(&anchor, bytes).expect("brought back");
    place.unlock().expect("opens");
}

#[test]
fn new_keys_end_what_older_copies_say() {
    let place = Place::new();
    let (mut vault, code) = place.create();
    let id = put(&mut vault, "a", 9);
    let old = fs::read(place.state("vault")).expect("read");
    let before = vault.state();
    let after = vault.rotate(&mut OsRandom).expect("rotated");
    assert_eq!(after.epoch, before.epoch + 1);
    check_object(&vault, id, 9);
    drop(vault);
    for typed in [secret(PASSPHRASE), code.secret()] {
        check_object(&place.unlock_with(&typed).expect("opens"), id, 9);
    }
    fs::write(place.state("vault"), &old).expect("put back");
    fs::write(place.state("vault.mirror"), &old).expect("put back");
    assert!(matches!(place.unlock(), Err(Error::EpochKeyGone { epoch: 1 })));
}
