//! What a look at the folder tells without a key, and what somebody else put there.

use std::fs;

use vault::survey;

use super::{Place, put};

#[test]
fn a_folder_of_sealed_files_holds_nothing_else() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    put(&mut vault, "b", 1000);
    put(&mut vault, "a", 0);
    let found = survey(&place.paths().outputs).expect("a folder");
    assert_eq!(found.sealed, ["a", "b"]);
    assert_eq!(found.vaults, [vault.public().vault_id]);
    assert_eq!((found.damaged, found.unfinished, found.plain, found.repeated), (0, 0, 0, 0));
}

#[test]
fn what_somebody_puts_there_is_counted_as_what_it_is() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    put(&mut vault, "a", 1000);
    let outputs = place.paths().outputs;
    let sealed = fs::read(place.sealed("a")).expect("sealed");
    let count = || {
        let found = survey(&outputs).expect("a folder");
        [found.sealed.len() as u64, found.damaged, found.unfinished, found.plain, found.repeated]
    };
    let put_there = |name: &str, bytes: &[u8], wanted: [u64; 5]| {
        fs::write(outputs.join(name), bytes).expect("the folder can be written");
        assert_eq!(count(), wanted, "{name}");
        fs::remove_file(outputs.join(name)).expect("it is there");
    };
    put_there("apple.png", b"\x89PNG\r\n\x1a\n", [1, 0, 0, 1, 0]);
    put_there("b.sealed", b"\x89PNG\r\n\x1a\n", [1, 1, 0, 0, 0]);
    put_there("b.sealed", &sealed[..sealed.len() - 1], [1, 1, 0, 0, 0]);
    put_there("b.sealed", &[&sealed[..], b"x"].concat(), [1, 1, 0, 0, 0]);
    // A copy shares both salts with what it is a copy of.
    put_there("b.sealed", &sealed, [2, 0, 0, 0, 2]);
    put_there("b.sealed.part", b"", [1, 0, 1, 0, 0]);
    put_there(".lightproof-notes", b"a note of somebody", [1, 0, 0, 1, 0]);
    std::os::unix::fs::symlink("/", outputs.join("c.sealed")).expect("a link");
    assert_eq!(count(), [1, 1, 0, 0, 0]);
    fs::create_dir(outputs.join("folder")).expect("a folder");
    assert_eq!(count(), [1, 1, 0, 0, 0], "a folder is no file");
    assert!(survey(&outputs.join("nowhere")).is_err());
}
