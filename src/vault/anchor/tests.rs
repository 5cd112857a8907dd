use std::env;
use std::path::PathBuf;

use super::*;
use crate::{OsRandom, random};

struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("vault-anchor-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a temporary folder");
        Self(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn no_flipped_byte_gives_another_key() {
    let place = Place::new("flip");
    let state = Folder::open(&place.0).expect("opened");
    let (anchor, path, key) =
        (Anchor::of(&state), state.path(NAME), random::key(&mut OsRandom).expect("random"));
    anchor.create(7, &key, &mut OsRandom).expect("created");
    let good = fs::read(&path).expect("read");
    assert_eq!(good.len(), FILE_BYTES);
    let mut gone = 0;
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        fs::write(&path, bad).expect("written");
        match anchor.key(7) {
            Ok(found) => assert_eq!(found, key),
            Err(error) => {
                assert!(matches!(error, Error::EpochKeyGone { epoch: 7 }));
                gone += 1;
            }
        }
    }
    assert_eq!(gone, CELL_BYTES, "exactly the bytes of the live cell matter");
}

#[test]
fn a_key_that_was_put_back_anywhere_is_found_and_so_is_a_file_of_another_length() {
    let place = Place::new("other");
    let state = Folder::open(&place.0).expect("opened");
    let (anchor, path) = (Anchor::of(&state), state.path(NAME));
    let [old, new] = [(); 2].map(|()| random::key(&mut OsRandom).expect("random"));
    anchor.create(1, &old, &mut OsRandom).expect("created");
    let cell = fs::read(&path).expect("read")[offset(1) as usize..][..CELL_BYTES].to_vec();
    anchor.put(2, &new).expect("put");
    assert!(anchor.has_other(2).expect("read"));
    anchor.wipe(1, &mut OsRandom).expect("wiped");
    assert!(!anchor.has_other(2).expect("read"));
    let good = fs::read(&path).expect("read");
    for at in [64, 1000, 1024, offset(1) as usize, FILE_BYTES - CELL_BYTES] {
        let mut bad = good.clone();
        bad[at..][..CELL_BYTES].copy_from_slice(&cell);
        fs::write(&path, bad).expect("written");
        assert!(anchor.has_other(2).expect("read"), "at {at}");
    }
    fs::write(&path, [&good[..], &[0]].concat()).expect("written");
    assert!(anchor.has_other(2).expect("read"), "a byte more");
    fs::write(&path, &good[1..]).expect("written");
    assert!(anchor.has_other(2).expect("read"), "a byte less");
    fs::remove_file(&path).expect("removed");
    assert!(anchor.has_other(2).is_err());
}

#[test]
fn a_wipe_leaves_nothing_of_the_key_and_the_other_cell_alone() {
    let place = Place::new("wipe");
    let state = Folder::open(&place.0).expect("opened");
    let (anchor, path) = (Anchor::of(&state), state.path(NAME));
    let [old, new] = [(); 2].map(|()| random::key(&mut OsRandom).expect("random"));
    anchor.create(1, &old, &mut OsRandom).expect("created");
    assert!(anchor.is_wiped(2).expect("read") && !anchor.is_wiped(1).expect("read"));
    anchor.put(2, &new).expect("put");
    assert_eq!((anchor.key(1).expect("old"), anchor.key(2).expect("new")), (old.clone(), new.clone()));
    assert_eq!(anchor.newest().expect("read"), Some(2));
    anchor.wipe(1, &mut OsRandom).expect("wiped");
    let bytes = fs::read(&path).expect("read");
    assert!(!bytes.windows(8).any(|window| old.windows(8).any(|part| part == window)));
    assert!(anchor.is_wiped(1).expect("read") && anchor.key(1).is_err());
    assert_eq!(anchor.key(2).expect("new"), new);
    // A wipe that was cut short anywhere is seen.
    for cut in 0..CELL_BYTES {
        let torn = [&bytes[2048..2048 + cut], &[0xEE; CELL_BYTES][cut..]].concat();
        fs::write(&path, [&bytes[..2048], &torn, &bytes[2048 + CELL_BYTES..]].concat()).expect("written");
        assert!(!anchor.is_wiped(1).expect("read"), "cut at {cut}");
    }
}

#[test]
fn grades_are_never_better_than_what_was_examined() {
    assert!(matches!(grade(Path::new("/proc")).expect("graded"), Grade::KeepsHistory(_)));
    assert_eq!(grade(Path::new("/dev/shm")).expect("a tmpfs on Linux"), Grade::Volatile);
    let letters = [Grade::InPlace, Grade::Volatile, Grade::KeepsHistory("btrfs")].map(Grade::letter);
    assert_eq!(letters, ['B', 'V', 'C']);
}
