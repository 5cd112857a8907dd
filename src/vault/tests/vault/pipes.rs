//! A pipe, a link or a folder in place of one of our files is refused by name or replaced. It is never waited for.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use vault::{Notice, OsRandom, grade};

use super::{Place, check_object, put};

fn pipe(at: &Path) {
    let _ = fs::remove_file(at);
    assert!(Command::new("mkfifo").arg(at).status().expect("mkfifo (coreutils) is needed").success());
}

#[test]
fn pipes_and_links_under_names_that_are_written_are_replaced() {
    let kinds: [fn(&Path); 2] = [pipe, |at| symlink(at.with_file_name("nowhere"), at).expect("linked")];
    for name in ["reserve", "vault.new", "vault.mirror", "vault.mirror.new", "vault.torn", "vault.torn.new"] {
        for make in kinds {
            let place = Place::new();
            let (mut vault, _) = place.create();
            let ids = [put(&mut vault, "a", 10), put(&mut vault, "b", 10)];
            drop(vault);
            let _ = fs::remove_file(place.state(name));
            make(&place.state(name));
            let mut vault = place.unlock().unwrap_or_else(|error| panic!("{name}: {error}"));
            put(&mut vault, "c", 10);
            vault.erase(&ids[..1], 1, 1, &mut OsRandom).unwrap_or_else(|error| panic!("{name}: {error}"));
            check_object(&vault, ids[1], 10);
            assert_eq!(vault.notices(), [], "{name}");
            assert!(!place.state("nowhere").exists(), "{name}: nothing is written through a link");
        }
    }
}

#[test]
fn a_folder_in_place_of_the_reserve_is_said() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    let id = put(&mut vault, "a", 10);
    drop(vault);
    fs::remove_file(place.state("reserve")).expect("removed");
    fs::create_dir(place.state("reserve")).expect("made");
    let mut vault = place.unlock().expect("opens");
    assert_eq!(vault.notices(), [Notice::NoReserve]);
    vault.erase(&[id], 1, 1, &mut OsRandom).expect("there is room without it");
}

#[test]
fn pipes_under_names_that_are_read_are_refused_by_name() {
    let place = Place::new();
    drop(place.create());
    fs::remove_file(place.state("vault.mirror")).expect("removed");
    for (name, says) in [("vault", "vault file"), ("anchor", "anchor"), ("lock", "lock")] {
        let aside = place.0.join("aside");
        fs::rename(place.state(name), &aside).expect("moved");
        pipe(&place.state(name));
        let refused = place.unlock().expect_err("refused").to_string();
        assert!(refused.contains(says) && refused.contains("not a regular file"), "{name}: {refused}");
        assert!(grade(&place.state(name)).is_err(), "{name}");
        fs::remove_file(place.state(name))
            .and_then(|()| fs::rename(&aside, place.state(name)))
            .expect("put back");
    }
    drop(place.unlock().expect("opens"));
}
