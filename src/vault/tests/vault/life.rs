//! What a vault is for.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};
use vault::{
    Announced, Error, KdfParams, Locked, NewObject, Notice, ObjectId, OsRandom, Paths, Role, Unlocked, Vault,
};

use super::{PASSPHRASE, Place, check_object, content_of, preview_of, put, secret};

const SIZES: [usize; 7] = [0, 1, 16_383, 16_384, 16_385, 32_768, 100_000];

#[test]
fn objects_of_every_size_survive_a_restart() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    let ids: Vec<_> =
        SIZES.iter().map(|bytes| (put(&mut vault, &format!("object_{bytes}.png"), *bytes), *bytes)).collect();
    let before = vault.state();
    assert_eq!(before.seq, 1 + SIZES.len() as u64);
    drop(vault);
    let vault = place.unlock().expect("opens");
    assert_eq!((vault.state(), vault.notices()), (before, vec![]));
    ids.iter().for_each(|(id, bytes)| check_object(&vault, *id, *bytes));
    assert!(vault.list().map(|entry| entry.id).eq(ids.iter().map(|(id, _)| *id)));
    assert!(vault.list().rev().map(|entry| entry.id).eq(ids.iter().rev().map(|(id, _)| *id)));
    let report = vault.verify().expect("verifies");
    assert!(report.is_sound() && report.mirror_agrees && report.orphans.is_empty());
    assert_eq!(report.sound, SIZES.len() as u64);
}

#[test]
fn ranges_are_parts_of_the_content() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    let id = put(&mut vault, "long.png", 50_000);
    let content = content_of("long.png", 50_000);
    for (from, bytes) in
        [(0, 0), (0, 1), (16_383, 2), (49_999, 1), (50_000, 0), (10_000, 30_000), (0, 50_000)]
    {
        let got = vault.open_range(id, from, bytes).expect("inside");
        assert_eq!(&got[..], &content[from as usize..(from + bytes) as usize]);
    }
    for (from, bytes) in [(0, 50_001), (50_001, 0), (u64::MAX, 1), (1, u64::MAX)] {
        assert!(matches!(vault.open_range(id, from, bytes), Err(Error::Range { content_bytes: 50_000 })));
    }
}

#[test]
fn a_receipt_names_the_file_on_disk() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    let id = ObjectId::random(&mut OsRandom).expect("random");
    let new = NewObject {
        id,
        salt: [7; 16],
        name: "a.png",
        created_ms: 5,
        metadata: b"m",
        preview: b"p",
        content: b"c",
    };
    let staged = vault.stage(&new, &mut OsRandom).expect("staged");
    let (sha256, salt) = (staged.ciphertext_sha256(), staged.salt());
    let file = fs::read(place.sealed("a.png")).expect("the file is there before the commit");
    assert!(vault.list().next().is_none(), "the object is not there before the commit");
    let receipt = vault.commit(staged, &mut OsRandom).expect("committed");
    assert_eq!(receipt.ciphertext_sha256, sha256);
    assert_eq!(receipt.ciphertext_sha256[..], Sha256::digest(&file)[..]);
    assert_eq!(receipt.ciphertext_bytes, file.len() as u64);
    let entry = vault.get(id).expect("listed");
    assert_eq!((entry.salt, entry.created_ms, entry.preview_bytes, entry.content_bytes), (salt, 5, 1, 1));
}

#[test]
fn a_staged_object_that_is_dropped_or_discarded_never_was() {
    let place = Place::new();
    let (vault, _) = place.create();
    let id = ObjectId::random(&mut OsRandom).expect("random");
    let new = |name| NewObject {
        id,
        salt: [7; 16],
        name,
        created_ms: 5,
        metadata: b"",
        preview: b"",
        content: b"c",
    };
    drop(vault.stage(&new("dropped"), &mut OsRandom).expect("staged"));
    let staged = vault.stage(&new("discarded"), &mut OsRandom).expect("staged");
    staged.discard().expect("discarded");
    assert!(!place.sealed("discarded").exists());
    drop(vault);
    let vault = place.unlock().expect("opens");
    assert!(vault.list().next().is_none());
    assert_eq!(vault.verify().expect("verifies").orphans, ["dropped.sealed"]);
}

#[test]
fn an_opener_needs_the_vault_no_more_and_outlives_no_erasure() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    let ids = ["a", "b"].map(|name| put(&mut vault, name, 100_000));
    let openers = ids.map(|id| vault.opener(id).expect("it is there"));
    vault.erase(&ids[1..], 1, 5, &mut OsRandom).expect("erased");
    assert!(matches!(vault.opener(ids[1]), Err(Error::Erased(_))));
    drop(vault.lock());
    assert_eq!(&openers[0].content().expect("content")[..], content_of("a", 100_000));
    assert_eq!(&openers[0].preview().expect("preview")[..], preview_of("a"));
    assert!(matches!(openers[1].content(), Err(Error::ObjectMissing(_))));
}

#[test]
fn a_check_goes_on_while_objects_come_and_go() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    let ids = ["a", "b", "c"].map(|name| put(&mut vault, name, 100));
    let mut check = vault.begin_verification().expect("begun");
    let first = vault.next_to_verify(&mut check).expect("a folder").expect("one");
    put(&mut vault, "d", 100);
    vault.erase(&ids[..2], 1, 5, &mut OsRandom).expect("erased");
    check.add(first.id(), first.check());
    let third = vault.next_to_verify(&mut check).expect("a folder").expect("one");
    assert_eq!(third.id(), ids[2]);
    check.add(third.id(), third.check());
    assert!(vault.next_to_verify(&mut check).expect("a folder").is_none());
    let report = vault.end_verification(check).expect("ended");
    assert!(report.is_sound() && report.orphans.is_empty(), "{report:?}");
    assert_eq!(report.sound, 1);
}

#[test]
fn marks_keep_their_last_value() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    assert_eq!(vault.mark(1), None);
    vault.set_mark(1, b"first", &mut OsRandom).expect("set");
    vault.set_mark(3, &[7; 256], &mut OsRandom).expect("set");
    let state = vault.set_mark(1, b"second", &mut OsRandom).expect("set");
    assert!(matches!(vault.set_mark(1, &[0; 257], &mut OsRandom), Err(Error::Limit(_))));
    drop(vault);
    let mut vault = place.unlock().expect("opens");
    assert_eq!(
        (vault.state(), vault.mark(1), vault.mark(3)),
        (state, Some(&b"second"[..]), Some(&[7; 256][..]))
    );
    let id = put(&mut vault, "a", 1);
    vault.erase(&[id], 1, 1, &mut OsRandom).expect("erased");
    assert_eq!(vault.mark(1), Some(&b"second"[..]), "a roll keeps marks");
}

#[test]
fn names_and_sizes_are_limited() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    let id = put(&mut vault, "taken", 1);
    let mut new = NewObject {
        salt: [7; 16],
        id: ObjectId::random(&mut OsRandom).expect("random"),
        name: "",
        created_ms: 0,
        metadata: b"",
        preview: b"",
        content: b"",
    };
    let long = "x".repeat(201);
    for name in ["", ".", "..", ".hidden", "a/b", "../a", "a b", "a\0", "ü", &long] {
        new.name = name;
        assert!(matches!(vault.stage(&new, &mut OsRandom), Err(Error::Limit(_))), "{name}");
    }
    new.name = "taken";
    assert!(matches!(vault.stage(&new, &mut OsRandom), Err(Error::NameTaken)));
    fs::write(place.sealed("foreign"), b"kept").expect("written");
    new.name = "foreign";
    assert!(matches!(vault.stage(&new, &mut OsRandom), Err(Error::NameTaken)));
    assert_eq!(fs::read(place.sealed("foreign")).expect("still there"), b"kept");
    new.name = "new";
    new.metadata = &[0; 64 * 1024 + 1];
    assert!(matches!(vault.stage(&new, &mut OsRandom), Err(Error::Limit(_))));
    new.metadata = &[0; 64 * 1024];
    vault.put(&new, &mut OsRandom).expect("the limit itself is allowed");
    (new.id, new.name) = (id, "other");
    assert!(matches!(vault.stage(&new, &mut OsRandom), Err(Error::IdTaken(_))));
    let parts = fs::read_dir(place.paths().outputs).expect("listed").count();
    assert_eq!(parts, 3 + 1, "a refused object leaves no file; one tells whose folder it is");
}

#[test]
fn files_removed_by_hand_are_missing_and_nothing_else_suffers() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    let (gone, kept) = (put(&mut vault, "gone", 10), put(&mut vault, "kept", 10));
    fs::remove_file(place.sealed("gone")).expect("removed");
    assert_eq!(vault.missing().expect("looked"), [gone]);
    assert_eq!(vault.list().count(), 2);
    assert!(matches!(vault.open_content(gone), Err(Error::ObjectMissing(id)) if id == gone));
    check_object(&vault, kept, 10);
    let report = vault.verify().expect("verifies");
    assert_eq!((report.missing, report.sound), (vec![gone], 1));
    let erasure = vault.erase(&[gone], 9, 1, &mut OsRandom).expect("the key can still be destroyed");
    assert_eq!(
        (erasure.erased, erasure.cleanup_pending, vault.missing().expect("looked")),
        (1, false, vec![])
    );
}

#[test]
fn what_is_printed_for_debugging_holds_no_secret() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    let id = put(&mut vault, "named", 10);
    let entry = vault.get(id).expect("listed");
    assert_eq!(format!("{entry:?}"), format!("ObjectInfo {{ id: {id}, name: \"named\", .. }}"));
    let state = vault.state();
    assert_eq!(format!("{vault:?}"), format!("Vault {{ state: {state:?}, .. }}"));
}

#[test]
fn one_process_at_a_time_and_it_says_who() {
    let place = Place::new();
    let (vault, _) = place.create();
    let address = "http://127.0.0.1:7860".to_owned();
    let policy = "07".repeat(32);
    vault.announce(&Announced { address, policy: policy.clone() }).expect("announced");
    let Err(Error::Busy(holder)) = Locked::open(place.paths()) else { panic!("two holders") };
    assert_eq!((holder.pid, holder.address.as_deref()), (std::process::id(), Some("http://127.0.0.1:7860")));
    assert_eq!(holder.policy, Some(policy));
    assert_eq!(place.paths().holder().expect("readable"), Some(holder.clone()));
    assert_eq!(holder.to_string(), format!("process {} at http://127.0.0.1:7860", std::process::id()));
    let locked = vault.lock();
    assert!(place.paths().holder().expect("readable").is_some(), "locking the vault keeps it");
    drop(locked);
    assert_eq!(place.paths().holder().expect("readable"), None);
    fs::write(place.state("lock"), "pid 1\n").expect("a stale lock file");
    drop(place.unlock().expect("a stale lock file means nothing"));
}

/// The test starts itself a second time: that process holds the vault until its input ends.
#[test]
fn a_second_process_is_told_the_pid_of_the_first() {
    const HOLD: &str = "VAULT_TEST_HOLD";
    if let Some(folder) = std::env::var_os(HOLD) {
        let folder = std::path::PathBuf::from(folder);
        let paths = Paths { state: folder.join("state"), outputs: folder.join("outputs") };
        let _locked = Locked::open(paths).expect("nobody else has it");
        fs::write(folder.join("held"), "").expect("written");
        std::io::stdin().read_to_end(&mut Vec::new()).expect("the first process ends it");
        return;
    }
    let place = Place::new();
    drop(place.create());
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "life::a_second_process_is_told_the_pid_of_the_first"])
        .env(HOLD, &place.0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("started");
    while !place.0.join("held").exists() {
        assert!(child.try_wait().expect("asked").is_none(), "the other process could not open the vault");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let Err(Error::Busy(holder)) = Locked::open(place.paths()) else { panic!("two processes") };
    assert_eq!(holder.pid, child.id());
    let again =
        Vault::create(place.paths(), &secret(PASSPHRASE), Role::Admin, KdfParams::FLOOR, &mut OsRandom);
    assert!(matches!(again, Err(Error::Busy(holder)) if holder.pid == child.id()));
    // Killed, so that the lock has to end by itself.
    child.kill().and_then(|()| child.wait()).expect("ended");
    drop(place.unlock().expect("a dead process holds nothing"));
}

#[test]
fn the_root_of_an_earlier_state_is_known_within_an_epoch() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    let mut states = vec![vault.state()];
    for n in 0..3 {
        put(&mut vault, &format!("n{n}"), 1);
        states.push(vault.state());
    }
    for reopened in [false, true] {
        if reopened {
            drop(vault);
            vault = place.unlock().expect("opens");
        }
        for state in &states {
            assert_eq!(vault.root_at(state.seq), Some(state.root));
        }
        let seq = vault.state().seq;
        assert_eq!([seq + 1, u64::MAX].map(|seq| vault.root_at(seq)), [None, None]);
    }
    let old = vault.state();
    let id = vault.list().next().expect("one").id;
    vault.erase(&[id], 1, 1, &mut OsRandom).expect("erased");
    assert_ne!(vault.root_at(1), Some(states[0].root), "another epoch has other roots");
    assert_eq!(vault.root_at(old.seq), None, "the new epoch is shorter");
}

#[test]
fn a_locked_vault_shows_its_public_part_only() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    put(&mut vault, "a", 1);
    let public = vault.public();
    let locked = vault.lock();
    assert_eq!((locked.public(), locked.public().slots.len()), (&public, 2));
    let Err((locked, Error::WrongSecret)) = locked.unlock(&secret("not the passphrase"), |_| true) else {
        panic!("opened")
    };
    assert!(locked.unlock(&secret(PASSPHRASE), |_| true).is_ok(), "a wrong secret costs nothing but time");
}

#[test]
fn a_vault_is_never_made_over_another() {
    let place = Place::new();
    assert!(matches!(Locked::open(place.paths()), Err(Error::NoVault(_))));
    drop(place.create());
    let again =
        || Vault::create(place.paths(), &secret(PASSPHRASE), Role::Admin, KdfParams::FLOOR, &mut OsRandom);
    assert!(matches!(again(), Err(Error::VaultExists(_))));
    fs::remove_file(place.state("vault")).expect("removed");
    assert!(matches!(again(), Err(Error::VaultExists(_))), "the mirror alone can be opened");
    assert_eq!(place.unlock().expect("from the mirror").notices(), [Notice::UsedMirror, Notice::MirrorStale]);
}

#[test]
fn folders_are_private_and_must_stay_so() {
    let place = Place::new();
    drop(place.create());
    let mode = |path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(place.paths().state), 0o700);
    for name in ["vault", "vault.mirror", "anchor", "lock", "reserve"] {
        assert_eq!(mode(place.state(name)), 0o600, "{name}");
    }
    fs::set_permissions(place.paths().state, fs::Permissions::from_mode(0o777)).expect("changed");
    assert!(matches!(place.unlock(), Err(Error::Unsafe { .. })));
    fs::set_permissions(place.paths().state, fs::Permissions::from_mode(0o700)).expect("changed");
    fs::rename(place.paths().state, place.0.join("elsewhere")).expect("moved");
    std::os::unix::fs::symlink(place.0.join("elsewhere"), place.paths().state).expect("linked");
    assert!(matches!(place.unlock(), Err(Error::Unsafe { .. })));
}

#[test]
fn an_opening_that_is_not_accepted_changes_nothing() {
    let place = Place::new();
    drop(place.create());
    let leftover = place.paths().state.join("vault.new");
    fs::write(&leftover, b"half a roll").expect("written");
    let opened = Locked::open(place.paths()).expect("there").unlock(&secret(PASSPHRASE), |vault| {
        assert_eq!(vault.state().epoch, 1);
        false
    });
    let Ok(Unlocked::Vault(vault, _)) = opened else { panic!("it opens") };
    drop(vault.lock());
    assert!(leftover.exists(), "it was tidied up before it was accepted");
    drop(place.unlock().expect("opens"));
    assert!(!leftover.exists());
}
