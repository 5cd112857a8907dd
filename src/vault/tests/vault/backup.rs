//! Backups: written, read, attacked, put back; and that nothing comes back with them.

use std::fs;

use vault::{
    Backup, Changes, Error, KdfParams, Kept, ObjectId, OsRandom, Place as Kind, Restoring, Role, Secret,
    SlotId, Vault, Written,
};
use zeroize::Zeroizing;

use super::{PASSPHRASE, Place, check_object, put, secret};

const ID: [u8; 16] = [9; 16];
const MADE_MS: u64 = 1_700_000_000_000;

fn written(vault: &Vault) -> (Vec<u8>, Written) {
    written_as(vault, ID)
}

fn written_as(vault: &Vault, id: [u8; 16]) -> (Vec<u8>, Written) {
    let mut out = Vec::new();
    let other = |place, name: &str, bytes: &[u8]| {
        Ok(Kept { place, name: name.into(), bytes: Zeroizing::new(bytes.to_vec()) })
    };
    let others = [other(Kind::First, "seg/00000000.jsonl", b"a log"), other(Kind::Second, "policy", b"")];
    let snapshot = vault.snapshot(id, MADE_MS).expect("taken");
    let written = snapshot.write(others.into_iter(), &mut out, &mut OsRandom).expect("written");
    assert_eq!(written.bytes, out.len() as u64);
    (out, written)
}

fn open<'a>(bytes: &'a [u8], typed: &Secret) -> Result<Backup<&'a [u8]>, Error> {
    Backup::open(bytes, typed)
}

/// Reads all of it, and opens every object.
fn check(bytes: &[u8], typed: &Secret) -> Result<Vec<Kept>, Error> {
    let mut backup = open(bytes, typed)?;
    let mut files = Vec::new();
    while let Some(file) = backup.next_file()? {
        if file.place == Kind::Object {
            backup.check_object(&file)?;
        }
        files.push(file);
    }
    Ok(files)
}

fn restore(place: &Place, bytes: &[u8], typed: &Secret, changes: &Changes) -> Result<Vault, Error> {
    let mut backup = open(bytes, typed)?;
    let restoring = Restoring::begin(place.paths(), backup.vault_id(), true)?;
    let erased: Vec<String> = backup
        .list()
        .filter(|entry| changes.erased.contains(&entry.id))
        .map(|entry| format!("{}.sealed", entry.name))
        .collect();
    while let Some(file) = backup.next_file()? {
        if file.place == Kind::Object && !erased.contains(&file.name) {
            restoring.put(&file)?;
        }
    }
    restoring.commit(&backup, changes, &mut OsRandom)
}

#[test]
fn what_was_there_comes_back_with_every_secret_and_nothing_else() {
    let place = Place::new();
    let (mut vault, code) = place.create();
    let sizes = [0, 1, 16_384, 700_000];
    let ids: Vec<_> = sizes.iter().map(|bytes| put(&mut vault, &format!("o{bytes}"), *bytes)).collect();
    let doomed = put(&mut vault, "doomed", 10);
    vault.erase(&[doomed], 4, 5, &mut OsRandom).expect("erased");
    vault.set_mark(3, b"mark", &mut OsRandom).expect("set");
    let (bytes, written) = written(&vault);
    assert_eq!((written.objects, written.lacking.len()), (4, 0));
    let files = check(&bytes, &secret(PASSPHRASE)).expect("whole");
    let others: Vec<_> = files.iter().filter(|file| file.place != Kind::Object).collect();
    assert_eq!(others.len(), 2);
    assert_eq!((&others[0].name[..], &others[0].bytes[..]), ("seg/00000000.jsonl", &b"a log"[..]));
    let (old, vault_id) = (vault.state(), vault.vault_id());
    for typed in [secret(PASSPHRASE), code.secret()] {
        let other = Place::new();
        drop(restore(&other, &bytes, &typed, &Changes::default()).expect("restored"));
        let mut vault = other.unlock().expect("opens");
        assert!(vault.notices().is_empty(), "{:?}", vault.notices());
        assert_eq!(vault.state().epoch, old.epoch + 1);
        assert_eq!((vault.vault_id(), vault.mark(3)), (vault_id, Some(&b"mark"[..])));
        ids.iter().zip(sizes).for_each(|(id, bytes)| check_object(&vault, *id, bytes));
        assert_eq!(vault.tombstone(doomed).expect("known").reason, 4);
        let new = put(&mut vault, "new", 5);
        check_object(&vault, new, 5);
        drop(vault);
        assert!(other.unlock_with(&code.secret()).is_ok());
    }
}

/// In every order of backup and erasure, and with what was named: gone is gone, and its key reaches no file.
#[test]
fn what_was_erased_since_does_not_come_back() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    let (kept, first, second) =
        (put(&mut vault, "kept", 9), put(&mut vault, "first", 9), put(&mut vault, "second", 9));
    vault.erase(&[first], 1, 1, &mut OsRandom).expect("erased");
    let (bytes, _) = written(&vault);
    let sealed = fs::read(place.sealed("second")).expect("there");
    let epoch_highest = vault.erase(&[second], 1, 1, &mut OsRandom).expect("erased").state.epoch;
    // What never was there is passed over.
    let unknown = ObjectId([3; 16]);
    let changes =
        Changes { erased: vec![second, unknown], reason: 7, now_ms: 8, epoch_highest, ..Changes::default() };
    let other = Place::new();
    let vault = restore(&other, &bytes, &secret(PASSPHRASE), &changes).expect("restored");
    assert!(vault.state().epoch > epoch_highest);
    drop(vault);
    // Its ciphertext comes from a copy; its key comes from nowhere.
    fs::write(other.sealed("second"), &sealed).expect("put back");
    let mut vault = other.unlock().expect("opens");
    check_object(&vault, kept, 9);
    for gone in [first, second] {
        assert!(matches!(vault.open_content(gone), Err(Error::Erased(_))), "{gone}");
    }
    assert_eq!(
        vault.tombstone(second).map(|tombstone| (tombstone.reason, tombstone.erased_ms)),
        Some((7, 8))
    );
    assert!(matches!(put_again(&mut vault, second), Err(Error::IdTaken(_))));
}

fn put_again(vault: &mut Vault, id: ObjectId) -> Result<vault::Receipt, Error> {
    let new = vault::NewObject {
        id,
        salt: [1; 16],
        name: "again",
        created_ms: 1,
        metadata: b"",
        preview: b"",
        content: b"x",
    };
    vault.put(&new, &mut OsRandom)
}

#[test]
fn who_was_removed_since_stays_out_and_no_number_is_given_twice() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    let second = secret("the second one's words");
    vault.add_slot(Role::Operator, &second, KdfParams::FLOOR, &mut OsRandom).expect("added");
    put(&mut vault, "a", 9);
    let (bytes, _) = written(&vault);
    let other = Place::new();
    let changes = Changes { removed: vec![SlotId(3)], slot_highest: 7, ..Changes::default() };
    assert!(matches!(restore(&other, &bytes, &second, &changes), Err(Error::SlotRemoved)));
    assert!(!other.paths().vault_exists(), "nothing was made of it");
    let all = Changes { removed: vec![SlotId(1), SlotId(3)], ..Changes::default() };
    assert!(restore(&other, &bytes, &secret(PASSPHRASE), &all).is_err(), "nobody would be left");
    drop(restore(&other, &bytes, &secret(PASSPHRASE), &changes).expect("restored"));
    assert!(matches!(other.unlock_with(&second), Err(Error::WrongSecret)));
    assert_eq!(other.unlock().expect("opens").free_slot().expect("free"), SlotId(8));
}

#[test]
fn a_wrong_secret_an_auditors_and_a_file_that_is_no_backup_are_told_apart() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    let auditors = secret("an auditor's words");
    vault.add_slot(Role::Auditor, &auditors, KdfParams::FLOOR, &mut OsRandom).expect("added");
    put(&mut vault, "a", 9);
    let (bytes, _) = written(&vault);
    assert!(matches!(open(&bytes, &secret("some other words")), Err(Error::WrongSecret)));
    assert!(matches!(open(&bytes, &auditors), Err(Error::AuditorsSlot)));
    let mut newer = bytes.clone();
    newer[9] = 2;
    assert!(matches!(
        open(&newer, &secret(PASSPHRASE)),
        Err(Error::Unsupported { what: "the backup", format: 2 })
    ));
    let mut claims = bytes.clone();
    claims[56..60].fill(0xff);
    for other in [&b""[..], &bytes[..63], b"hello", &fs::read(place.state("vault")).expect("read"), &claims] {
        assert!(matches!(open(other, &secret(PASSPHRASE)), Err(Error::NotABackup)));
    }
    // The passphrase of its time opens it, and one that came later does not.
    let later = secret("a later passphrase");
    vault.change_secret(&secret(PASSPHRASE), &later, KdfParams::FLOOR, &mut OsRandom).expect("changed");
    assert!(open(&bytes, &secret(PASSPHRASE)).is_ok());
    assert!(matches!(open(&bytes, &later), Err(Error::WrongSecret)));
}

#[test]
fn one_changed_byte_anywhere_and_every_cut_is_found() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    put(&mut vault, "a", 40_000);
    put(&mut vault, "b", 100);
    let (bytes, _) = written(&vault);
    let typed = secret(PASSPHRASE); // it keeps what it was made into, which takes long
    check(&bytes, &typed).expect("whole");
    let head = 64 + 256 * 2 + 144;
    for at in (0..head).step_by(61).chain((head..bytes.len()).step_by(97)) {
        let mut changed = bytes.clone();
        changed[at] ^= 0x40;
        assert!(check(&changed, &typed).is_err(), "byte {at}");
    }
    for cut in (0..head).step_by(200).chain((head..bytes.len()).step_by(1009)).chain([bytes.len() - 1]) {
        assert!(check(&bytes[..cut], &typed).is_err(), "cut at {cut}");
    }
    let longer = [&bytes[..], b"\0"].concat();
    assert!(matches!(check(&longer, &typed), Err(Error::BackupDamaged { .. })));
    // Records of another backup of the same vault do not fit.
    let (other, _) = written_as(&vault, [8; 16]);
    assert!(check(&[&bytes[..bytes.len() / 2], &other[bytes.len() / 2..]].concat(), &typed).is_err());
    assert!(check(&[&other[..head], &bytes[head..]].concat(), &typed).is_err());
}

#[test]
fn a_missing_file_is_told_and_an_absent_folder_makes_no_backup() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    let kept = put(&mut vault, "kept", 9);
    put(&mut vault, "gone", 9);
    put(&mut vault, "short", 9);
    put(&mut vault, "spoilt", 40_000);
    let mut spoilt = fs::read(place.sealed("spoilt")).expect("there");
    spoilt[20_000] ^= 1;
    fs::write(place.sealed("spoilt"), spoilt).expect("changed");
    fs::remove_file(place.sealed("gone")).expect("removed");
    fs::write(place.sealed("short"), b"x").expect("cut");
    let (bytes, whole) = written(&vault);
    assert_eq!(
        (whole.objects, &whole.lacking[..]),
        (1, &["gone".to_owned(), "short".to_owned(), "spoilt".to_owned()][..])
    );
    let other = Place::new();
    let vault_of_other = restore(&other, &bytes, &secret(PASSPHRASE), &Changes::default()).expect("restored");
    check_object(&vault_of_other, kept, 9);
    assert_eq!(vault_of_other.missing().expect("asked").len(), 3);
    fs::rename(place.paths().outputs, place.0.join("elsewhere")).expect("taken away");
    assert!(matches!(vault.snapshot(ID, MADE_MS), Err(Error::OutputsAbsent(_))));
}

#[test]
fn nothing_that_is_there_is_overwritten() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    put(&mut vault, "a", 9);
    let (bytes, _) = written(&vault);
    drop(vault);
    let changes = Changes::default();
    let exists = restore(&place, &bytes, &secret(PASSPHRASE), &changes);
    assert!(matches!(exists, Err(Error::VaultExists(_))));
    // The sealed files have survived, the vault has not.
    fs::remove_dir_all(place.paths().state).expect("lost");
    let id = open(&bytes, &secret(PASSPHRASE)).expect("opens").vault_id();
    assert!(matches!(Restoring::begin(place.paths(), id, false).map(drop), Err(Error::OutputsInUse(_))));
    drop(restore(&place, &bytes, &secret(PASSPHRASE), &changes).expect("restored beside its files"));
    fs::remove_dir_all(place.paths().state).expect("lost");
    let file = place.sealed("a");
    let mut other = fs::read(&file).expect("read");
    other[70] ^= 1;
    fs::write(&file, &other).expect("changed");
    assert!(matches!(restore(&place, &bytes, &secret(PASSPHRASE), &changes), Err(Error::NameTaken)));
    assert_eq!(fs::read(&file).expect("read"), other);
    assert!(!place.paths().vault_exists());
    // The folder of another vault, by its mark and by its files.
    let foreign = Place::new();
    put(&mut foreign.create().0, "b", 9);
    fs::remove_dir_all(foreign.paths().state).expect("removed");
    let refused = restore(&foreign, &bytes, &secret(PASSPHRASE), &changes);
    assert!(matches!(refused, Err(Error::OutputsNotOurs(_))));
    for found in fs::read_dir(foreign.paths().outputs).expect("listed").flatten() {
        if found.file_name().to_string_lossy().starts_with(".lightproof-") {
            fs::remove_file(found.path()).expect("removed");
        }
    }
    let refused = restore(&foreign, &bytes, &secret(PASSPHRASE), &changes);
    assert!(matches!(refused, Err(Error::OutputsNotOurs(_))));
}

/// A backup has no plain byte of what it holds, and none of the vault's keys.
#[test]
fn a_backup_shows_the_head_of_the_vault_file_and_noise() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    put(&mut vault, "speaking-name", 4000);
    let (bytes, _) = written(&vault);
    let anchor = fs::read(place.state("anchor")).expect("read");
    let has = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    let at = 2048 * (vault.state().epoch as usize % 2) + 8;
    for secret in [&anchor[at..at + 32], b"speaking-name", b"preview of", b"a log", b"seg/0000"] {
        assert!(!has(secret));
    }
    let head = &fs::read(place.state("vault")).expect("read")[..64];
    assert!(has(head), "and what anybody may know of the vault is there");
}
