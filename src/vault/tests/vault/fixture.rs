//! A vault that was frozen when format 1 was: every later version reads it.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};
use vault::{KdfParams, Locked, NewObject, Notice, ObjectId, OsRandom, Paths, Role, Secret, Unlocked, Vault};

use super::reader::{hex, read};
use super::{Place, secret};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/v1");
const PASSPHRASE: &str = "frozen with format one";
const AUDITOR: &str = "an auditor of the frozen";

/// The frozen vault, copied, because opening one takes its lock.
fn thawed() -> Place {
    let place = Place::new();
    for folder in ["state", "outputs"] {
        fs::create_dir(place.0.join(folder)).expect("made");
        for found in fs::read_dir(Path::new(FOLDER).join(folder)).expect("testdata/v1 is there") {
            let from = found.expect("listed").path();
            fs::copy(&from, place.0.join(folder).join(from.file_name().expect("a name"))).expect("copied");
        }
    }
    // Git keeps no modes: a checkout under umask 002 would be refused.
    fs::set_permissions(place.paths().state, std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .expect("private");
    place
}

/// What testdata/v1/expected says: a line `state EPOCH SEQ ROOT`, then `ID NAME CREATED_MS METADATA PREVIEW CONTENT` with
/// SHA-256 of the last three.
fn described(vault: &Vault) -> String {
    let state = vault.state();
    let mut text = format!("state {} {} {}\n", state.epoch, state.seq, hex(&state.root));
    for entry in vault.list() {
        let preview = vault.open_preview(entry.id).expect("opens");
        let content = vault.open_content(entry.id).expect("opens");
        let [metadata, preview, content] =
            [&entry.metadata, &preview, &content].map(|bytes| hex(&Sha256::digest(&bytes[..])));
        text += &format!("{} {} {} {metadata} {preview} {content}\n", entry.id, entry.name, entry.created_ms);
    }
    text
}

#[test]
fn the_frozen_vault_opens_with_each_of_its_secrets() {
    let expected = fs::read_to_string(Path::new(FOLDER).join("expected")).expect("there");
    let code = fs::read_to_string(Path::new(FOLDER).join("recovery-code")).expect("there");
    for typed in [secret(PASSPHRASE), Secret::recovery(&code).expect("well-formed")] {
        let place = thawed();
        let vault = place.unlock_with(&typed).expect("opens");
        assert_eq!(described(&vault), expected);
        // The reserve holds nothing but blocks and was not frozen.
        assert_eq!((vault.mark(1), vault.notices()), (Some(&b"frozen"[..]), vec![Notice::NoReserve]));
        assert!(vault.verify().expect("verifies").is_sound());
        assert!(
            vault.tombstone(ObjectId([3; 16])).is_some_and(|t| (t.reason, t.erased_ms, t.epoch) == (2, 3, 3))
        );
    }
    let place = thawed();
    let opened = Locked::open(place.paths()).expect("there").unlock(&secret(AUDITOR), |_| true);
    assert!(matches!(opened, Ok(Unlocked::Auditor(_))));
}

#[test]
fn the_frozen_vault_can_be_written_to() {
    let place = thawed();
    let mut vault = place.unlock_with(&secret(PASSPHRASE)).expect("opens");
    let id = super::put(&mut vault, "later", 10);
    vault.erase(&[ObjectId([1; 16])], 1, 1, &mut OsRandom).expect("erased");
    super::check_object(&vault, id, 10);
}

#[test]
fn python_reads_the_frozen_vault() {
    let output = read(&thawed(), PASSPHRASE, None);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let expected = fs::read_to_string(Path::new(FOLDER).join("expected")).expect("there");
    let root = expected.lines().next().and_then(|line| line.split(' ').nth(3)).expect("a root");
    assert!(String::from_utf8_lossy(&output.stdout).contains(root));
}

/// What this version writes reads as the frozen vault does, but for the random root.
///
/// A new format is frozen by the same steps, into a folder that must not exist yet:
/// `VAULT_FREEZE_INTO=src/vault/testdata/v2 cargo test --release -p vault --test vault frozen_today`
/// (the path from the root of the repository). The frozen vault of a format never changes.
#[test]
fn what_would_be_frozen_today_reads_the_same() {
    let place = Place::new();
    let described = freeze(&place.0);
    let expected = fs::read_to_string(Path::new(FOLDER).join("expected")).expect("there");
    let rootless = |text: &str| {
        let (state, objects) = text.split_once('\n').expect("lines");
        (state.rsplit_once(' ').expect("a root").0.to_owned(), objects.to_owned())
    };
    assert_eq!(rootless(&described), rootless(&expected));
    if let Some(folder) = std::env::var_os("VAULT_FREEZE_INTO") {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
        fs::create_dir(&folder).expect("a folder that does not exist yet");
        freeze(&folder);
    }
}

/// Makes a vault, and says what is in it.
fn freeze(folder: &Path) -> String {
    let paths = Paths { state: folder.join("state"), outputs: folder.join("outputs") };
    let (mut vault, code) =
        Vault::create(paths.clone(), &secret(PASSPHRASE), Role::Admin, KdfParams::FLOOR, &mut OsRandom)
            .expect("made");
    vault.add_slot(Role::Auditor, &secret(AUDITOR), KdfParams::FLOOR, &mut OsRandom).expect("added");
    let long = vec![0x5A; 17_000];
    for (number, name, content) in
        [(3, "doomed.png", &b"doomed"[..]), (1, "20240115_142345_abc789.png", &long), (2, "empty.png", b"")]
    {
        let id = ObjectId([number; 16]);
        let new = NewObject {
            id,
            salt: [7; 16],
            name,
            created_ms: 1_705_328_625_000,
            metadata: b"{}",
            preview: b"preview",
            content,
        };
        vault.put(&new, &mut OsRandom).expect("put");
        if number == 3 {
            // Keep the epoch low and the log in two parts: packed by the roll, and appended.
            vault.erase(&[id], 2, 3, &mut OsRandom).expect("erased");
        }
    }
    vault.set_mark(1, b"frozen", &mut OsRandom).expect("set");
    let described = described(&vault);
    fs::write(folder.join("expected"), &described).expect("written");
    fs::write(folder.join("recovery-code"), format!("{}\n", &*code.text())).expect("written");
    drop(vault);
    for name in ["lock", "reserve"] {
        fs::remove_file(paths.state.join(name)).expect("removed");
    }
    described
}
