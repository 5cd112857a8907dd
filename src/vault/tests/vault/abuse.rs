//! Changed, cut, swapped and replayed files: refused, or visible in the state, never other content.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use sha2::Digest;
use vault::{Damage, Error, Locked, Notice, ObjectId, Vault};

use super::{Place, check_object, content_of, preview_of, put};

/// Every byte of a vault file with one bit flipped, without a mirror: an error or another state.
#[test]
fn no_flipped_byte_of_the_vault_file_goes_unseen() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    let id = put(&mut vault, "a", 10);
    put(&mut vault, "b", 10);
    let state = vault.state();
    drop(vault);
    let good = fs::read(place.state("vault")).expect("read");
    let (mut refused, mut visible) = (0, 0);
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        fs::write(place.state("vault"), &bad).expect("written");
        fs::remove_file(place.state("vault.mirror")).ok();
        match place.unlock() {
            Err(_) => refused += 1,
            // The recovery slot is not tried with a passphrase, but the header's seal covers it.
            Ok(vault) => {
                assert_ne!(vault.state(), state, "byte {at}");
                assert!(matches!(vault.notices()[..], [Notice::TornTail { .. }, ..]), "byte {at}");
                check_object(&vault, id, 10);
                visible += 1;
            }
        }
    }
    assert!(refused > 900 && visible > 100, "{refused} refused, {visible} visible");
}

#[test]
fn the_mirror_heals_what_it_can() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    let a = put(&mut vault, "a", 10);
    let boundary = fs::metadata(place.state("vault")).expect("there").len() as usize;
    let ids = [a, put(&mut vault, "b", 10)];
    let state = vault.state();
    assert_eq!(vault.healed(), None);
    drop(vault);
    let good = fs::read(place.state("vault")).expect("read");
    // magic, slot, seal, first record, last record, cut within a record and at its boundary
    for at in [0, 90, 100, 600, 760, good.len() - 1, good.len(), good.len() + 1] {
        let mut bad = good.clone();
        match bad.get_mut(at) {
            Some(byte) => *byte ^= 1,
            None if at == good.len() => bad.truncate(at - 5),
            None => bad.truncate(boundary),
        }
        fs::write(place.state("vault"), &bad).expect("written");
        let mut vault = place.unlock().unwrap_or_else(|error| panic!("byte {at}: {error}"));
        assert_eq!((vault.state(), vault.notices()[0]), (state, Notice::UsedMirror), "byte {at}");
        let healed = vault.healed().expect("said");
        assert_eq!(healed.found_sha256, Some(sha2::Sha256::digest(&bad).into()));
        assert_eq!(healed.found_bytes, bad.len() as u64);
        ids.iter().for_each(|id| check_object(&vault, *id, 10));
        vault.sweep().expect("a write heals");
        assert_eq!((vault.notices(), fs::read(place.state("vault")).expect("read") == good), (vec![], true));
        assert!(
            fs::read(place.state("vault.damaged")).expect("kept") == bad && vault.healed() == Some(healed)
        );
        assert!(vault.verify().expect("verifies").mirror_agrees);
    }
    fs::write(place.state("vault.mirror"), &good[..good.len() - 9]).expect("written");
    let mut vault = place.unlock().expect("the mirror is not needed");
    assert_eq!((vault.state(), vault.notices()), (state, vec![Notice::MirrorStale]));
    assert_eq!(vault.damaged_mirror(), None, "a crash may leave it so");
    vault.sweep().expect("a write heals");
    assert!(fs::read(place.state("vault.mirror")).expect("read") == good);
}

/// One bit of each byte of the mirror: said, kept, and made anew.
#[test]
fn no_flipped_byte_of_the_mirror_goes_unseen() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    let id = put(&mut vault, "a", 10);
    let state = vault.state();
    drop(vault);
    let good = fs::read(place.state("vault")).expect("read");
    let mirror = place.state("vault.mirror");
    let said = |what: &str, bad: Option<&[u8]>| {
        let mut vault = place.unlock().unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!((vault.state(), vault.notices()), (state, vec![Notice::MirrorStale]), "{what}");
        let found = vault.damaged_mirror().unwrap_or_else(|| panic!("{what}: not said"));
        assert_eq!(found.found_sha256, bad.map(|bad| sha2::Sha256::digest(bad).into()), "{what}");
        assert_eq!(found.found_bytes, bad.map_or(0, |bad| bad.len() as u64), "{what}");
        vault.sweep().expect("a write makes it anew");
        assert_eq!((vault.notices(), vault.damaged_mirror()), (vec![], Some(found)), "{what}");
        check_object(&vault, id, 10);
        drop(vault);
        assert!(fs::read(&mirror).expect("read") == good, "{what}");
        let kept = place.state("vault.mirror.damaged");
        match bad {
            Some(bad) => assert!(fs::read(&kept).expect("kept") == bad, "{what}"),
            None => assert!(!fs::symlink_metadata(&kept).expect("kept").is_file(), "{what}"),
        }
        fs::remove_file(&kept).or_else(|_| fs::remove_dir(&kept)).expect("ours");
    };
    for at in (0..good.len()).step_by(7) {
        let mut bad = good.clone();
        // To zero a whole byte at the end of a sector looks like a write that was cut short there.
        bad[at] ^= if bad[at].count_ones() == 1 { 0xFF } else { 1 << (at % 8) };
        fs::write(&mirror, &bad).expect("written");
        said(&format!("byte {at}"), Some(&bad));
    }
    for bad in [&b""[..], b"nothing", &good[..100], &[&good[..], b"something else"].concat()] {
        fs::write(&mirror, bad).expect("written");
        said(&format!("{} bytes", bad.len()), Some(bad));
    }
    // Neither is opened, and neither keeps anybody waiting.
    let pipe =
        || assert!(std::process::Command::new("mkfifo").arg(&mirror).status().expect("coreutils").success());
    let things: [(&str, &dyn Fn()); 3] = [
        ("a pipe", &pipe),
        ("a link", &|| symlink(place.state("vault"), &mirror).expect("made")),
        ("a folder", &|| fs::create_dir(&mirror).expect("made")),
    ];
    for (what, make) in things {
        fs::remove_file(&mirror).expect("ours");
        make();
        said(what, None);
    }
}

/// What a crash or a full disk leaves of a mirror is none that somebody changed.
#[test]
fn a_mirror_that_is_behind_is_not_called_damaged() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    let id = put(&mut vault, "a", 10);
    let older = fs::read(place.state("vault")).expect("read");
    for index in 0..9 {
        put(&mut vault, &format!("b{index}"), 10);
    }
    vault.erase(&[id], 1, 1, &mut vault::OsRandom).expect("erased");
    let rolled = fs::read(place.state("vault")).expect("read");
    for index in 0..9 {
        put(&mut vault, &format!("c{index}"), 10);
    }
    drop(vault);
    let good = fs::read(place.state("vault")).expect("read");
    let sector = rolled.len().next_multiple_of(512);
    assert!(good.len() > sector + 600);
    let mut late = good.clone(); // the second sector of an append was written, the first was not
    late[rolled.len()..sector].fill(0);
    let mut zeros = good.clone();
    zeros[rolled.len() + 3..].fill(0);
    for (what, mirror) in [
        ("earlier epoch", &older[..]),
        ("earlier epoch, cut", &older[..older.len() - 9]),
        ("rolled", &rolled),
        ("cut", &good[..good.len() - 700]),
        ("out of order", &late),
        ("zeros", &zeros),
        ("torn tail", &[&good[..], &[1, 2, 3]].concat()),
    ] {
        fs::write(place.state("vault.mirror"), mirror).expect("written");
        let vault = place.unlock().expect("the mirror is not needed");
        assert_eq!((vault.notices(), vault.damaged_mirror()), (vec![Notice::MirrorStale], None), "{what}");
    }
    fs::remove_file(place.state("vault.mirror")).expect("there");
    assert_eq!(place.unlock().expect("the mirror is not needed").damaged_mirror(), None);
}

#[test]
fn a_cut_vault_file_never_passes_for_the_whole_one() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    for n in 0..4 {
        put(&mut vault, &format!("n{n}"), 1);
    }
    let state = vault.state();
    drop(vault);
    let good = fs::read(place.state("vault")).expect("read");
    fs::remove_file(place.state("vault.mirror")).expect("removed");
    for cut in (0..good.len()).step_by(23) {
        fs::write(place.state("vault"), &good[..cut]).expect("written");
        if let Ok(vault) = place.unlock() {
            assert_ne!(vault.state(), state, "cut at {cut}");
        }
        assert_eq!(
            fs::read(place.state("vault")).expect("read").len(),
            cut,
            "opening must not cut anything off"
        );
    }
}

#[test]
fn a_damaged_length_is_damage_and_not_a_torn_tail() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    let at = fs::metadata(place.state("vault")).expect("there").len() as usize;
    for n in 0..3 {
        put(&mut vault, &format!("n{n}"), 1);
    }
    drop(vault);
    fs::remove_file(place.state("vault.mirror")).expect("removed");
    let good = fs::read(place.state("vault")).expect("read");
    for byte in at..at + 8 {
        let mut bad = good.clone();
        bad[byte] ^= 0x10;
        fs::write(place.state("vault"), &bad).expect("written");
        assert!(matches!(place.unlock(), Err(Error::LogDamaged { record: 1 })), "byte {byte}");
    }
}

#[test]
fn a_torn_tail_is_kept_aside_at_the_next_write() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    let a = put(&mut vault, "a", 10);
    let (state, whole) = (vault.state(), fs::read(place.state("vault")).expect("read"));
    drop(vault);
    let record: Vec<u8> = whole[whole.len() - 100..].to_vec();
    for tail in [&[0; 5][..], &[0; 4096], &record[..7]] {
        let torn = [&whole[..], tail].concat();
        fs::write(place.state("vault"), &torn).expect("written");
        fs::write(place.state("vault.mirror"), &torn).expect("written");
        let mut vault = place.unlock().expect("a crash is no damage");
        assert_eq!(
            (vault.state(), vault.notices()),
            (state, vec![Notice::TornTail { bytes: tail.len() as u64 }])
        );
        vault.sweep().expect("a write cuts it off");
        assert_eq!(fs::read(place.state("vault.torn")).expect("kept"), tail);
        drop(vault);
        let vault = place.unlock().expect("opens");
        assert_eq!((vault.state(), vault.notices()), (state, vec![]));
        check_object(&vault, a, 10);
    }
}

/// Every byte of an object file with one bit flipped: both sections never open to anything but their content.
#[test]
fn no_flipped_byte_of_an_object_goes_unseen() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    let id = put(&mut vault, "a", 17_000);
    let good = fs::read(place.sealed("a")).expect("read");
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        fs::write(place.sealed("a"), &bad).expect("written");
        let (preview, content) = (vault.open_preview(id), vault.open_content(id));
        assert!(preview.is_err() || content.is_err(), "byte {at}");
        assert!(preview.map_or(true, |bytes| bytes[..] == preview_of("a")), "byte {at}");
        assert!(content.map_or(true, |bytes| bytes[..] == content_of("a", 17_000)), "byte {at}");
    }
}

#[test]
fn cut_grown_and_swapped_objects_are_refused() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    let (a, b) = (put(&mut vault, "a", 100), put(&mut vault, "b", 100));
    let (of_a, of_b) =
        (fs::read(place.sealed("a")).expect("read"), fs::read(place.sealed("b")).expect("read"));
    for cut in [0, 1, 63, 64, 100, of_a.len() - 16, of_a.len() - 1] {
        check_damaged(&vault, &place.sealed("a"), a, &of_a[..cut], Damage::Length);
    }
    check_damaged(&vault, &place.sealed("a"), a, &[&of_a[..], &[0]].concat(), Damage::Length);
    check_damaged(&vault, &place.sealed("a"), a, &of_b, Damage::Header);
    check_damaged(&vault, &place.sealed("b"), b, &of_a, Damage::Header);
    // b's sections behind a's header: both have the same lengths.
    let spliced = [&of_a[..64], &of_b[64..]].concat();
    check_damaged(&vault, &place.sealed("a"), a, &spliced, Damage::Commitment { section: 1 });
    // Sections of one object exchanged: the header states their lengths, so make them equal.
    let c = put(&mut vault, "c", preview_of("c").len());
    let of_c = fs::read(place.sealed("c")).expect("read");
    let half = 64 + (of_c.len() - 64) / 2;
    let exchanged = [&of_c[..64], &of_c[half..], &of_c[64..half]].concat();
    check_damaged(&vault, &place.sealed("c"), c, &exchanged, Damage::Commitment { section: 1 });
}

fn check_damaged(vault: &Vault, path: &Path, id: ObjectId, bytes: &[u8], want: Damage) {
    fs::write(path, bytes).expect("written");
    let refused = vault.open_preview(id);
    assert!(
        matches!(&refused, Err(Error::ObjectDamaged { why, .. }) if *why == want),
        "{refused:?}, not {want:?}"
    );
    let report = vault.verify().expect("verifies");
    assert!(report.damaged.iter().any(|(damaged, _)| *damaged == id) && !report.is_sound());
}

#[test]
fn an_object_that_is_no_plain_file_is_refused() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    let id = put(&mut vault, "a", 100);
    let (path, aside) = (place.sealed("a"), place.0.join("aside"));
    fs::rename(&path, &aside).expect("moved");
    let check = || {
        let got = vault.open_content(id);
        assert!(matches!(got, Err(Error::ObjectDamaged { why: Damage::NotAFile, .. })), "{got:?}");
    };
    symlink(&aside, &path).expect("linked");
    check();
    fs::remove_file(&path).expect("removed");
    fs::create_dir(&path).expect("made");
    check();
    fs::remove_dir(&path).expect("removed");
    let made =
        std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo (coreutils) is needed");
    assert!(made.success());
    check();
    fs::remove_file(&path).expect("removed");
    fs::File::create(&path).and_then(|file| file.set_len(1 << 40)).expect("a sparse terabyte");
    assert!(matches!(vault.open_content(id), Err(Error::ObjectDamaged { why: Damage::Header, .. })));
}

#[test]
fn foreign_and_unknown_vault_files_are_refused() {
    let (place, other) = (Place::new(), Place::new());
    drop(place.create());
    drop(other.create());
    let good = fs::read(place.state("vault")).expect("read");
    fs::remove_file(place.state("vault.mirror")).expect("removed");
    let check = |bytes: &[u8], want: fn(&Error) -> bool| {
        fs::write(place.state("vault"), bytes).expect("written");
        let refused = place.unlock().expect_err("refused");
        assert!(want(&refused), "{refused:?}");
    };
    let foreign = fs::read(other.state("vault")).expect("read");
    check(&foreign, |error| matches!(error, Error::HeaderTampered | Error::LogDamaged { .. }));
    let changed = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        bytes
    };
    check(&changed(9, 3), |error| matches!(error, Error::Unsupported { format: 3, .. }));
    check(&changed(9, 2), |error| matches!(error, Error::HeaderTampered));
    check(&changed(11, 2), |error| matches!(error, Error::Unsupported { .. }));
    check(&changed(64, 6), |error| matches!(error, Error::Unsupported { .. }));
    check(&changed(64, 4), |error| matches!(error, Error::HeaderTampered));
    for count in [0, 17, 255] {
        check(&changed(57, count), |error| matches!(error, Error::HeaderTampered));
    }
    for cut in [0, 8, 63, 64, 64 + 512] {
        check(&good[..cut], |error| matches!(error, Error::HeaderTampered));
    }
}

#[test]
fn a_lost_anchor_is_said_so() {
    let place = Place::new();
    drop(place.create());
    let good = fs::read(place.state("anchor")).expect("read");
    for bad in [
        None,
        Some(vec![0; 4096]),
        Some(good[..2050].to_vec()),
        Some([&good[2048..], &good[..2048]].concat()),
    ] {
        match bad {
            None => fs::remove_file(place.state("anchor")),
            Some(bytes) => fs::write(place.state("anchor"), bytes),
        }
        .expect("changed");
        assert!(Locked::open(place.paths()).is_ok(), "the public part needs no anchor");
        assert!(matches!(place.unlock(), Err(Error::EpochKeyGone { epoch: 1 })));
    }
    fs::write(place.state("anchor"), good).expect("restored");
    drop(place.unlock().expect("opens"));
}
