//! A vault that was frozen when each format was: every later version reads them.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};
use vault::{
    KdfParams, Locked, NewObject, Notice, ObjectId, OsRandom, Paths, PersonName, Role, Secret, Unlocked,
    Vault,
};

use super::reader::{hex, read};
use super::{Place, secret};

/// Each format's folder, and what its people are called.
const FROZEN: [(&str, Option<[&str; 2]>); 2] = [
    (concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/v1"), None),
    (concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/v2"), Some(["Caf\u{e9}", "\u{5ba1}\u{8ba1}"])),
];
const PASSPHRASE: &str = "frozen with format one";
const AUDITOR: &str = "an auditor of the frozen";

/// The frozen vault, copied, because opening one takes its lock.
fn thawed(frozen: &str) -> Place {
    let place = Place::new();
    for folder in ["state", "outputs"] {
        fs::create_dir(place.0.join(folder)).expect("made");
        for found in fs::read_dir(Path::new(frozen).join(folder)).expect("it is there") {
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
    for (frozen, names) in FROZEN {
        opens_with_each_of_its_secrets(frozen, names);
    }
}

fn opens_with_each_of_its_secrets(frozen: &str, names: Option<[&str; 2]>) {
    let expected = fs::read_to_string(Path::new(frozen).join("expected")).expect("there");
    let code = fs::read_to_string(Path::new(frozen).join("recovery-code")).expect("there");
    let [first, auditor] = [0, 1].map(|at| names.map(|names| name(names[at])));
    for typed in [secret(PASSPHRASE).of(first.clone()), Secret::recovery(&code).expect("well-formed")] {
        let place = thawed(frozen);
        let vault = place.unlock_with(&typed).expect("opens");
        assert_eq!(described(&vault), expected);
        // The reserve holds nothing but blocks and was not frozen.
        assert_eq!((vault.mark(1), vault.notices()), (Some(&b"frozen"[..]), vec![Notice::NoReserve]));
        assert!(vault.verify().expect("verifies").is_sound());
        assert!(
            vault.tombstone(ObjectId([3; 16])).is_some_and(
                |t| (t.reason, t.erased_ms, t.epoch) == (2, 3, if names.is_some() { 4 } else { 3 })
            )
        );
    }
    let place = thawed(frozen);
    let typed = secret(AUDITOR).of(auditor);
    let opened = Locked::open(place.paths()).expect("there").unlock(&typed, |_| true);
    assert!(matches!(opened, Ok(Unlocked::Auditor(_))));
}

#[test]
fn the_frozen_vault_can_be_written_to() {
    for (frozen, names) in FROZEN {
        let place = thawed(frozen);
        let typed = secret(PASSPHRASE).of(names.map(|names| name(names[0])));
        let mut vault = place.unlock_with(&typed).expect("opens");
        let id = super::put(&mut vault, "later", 10);
        vault.erase(&[ObjectId([1; 16])], 1, 1, &mut OsRandom).expect("erased");
        super::check_object(&vault, id, 10);
    }
}

#[test]
fn python_reads_the_frozen_vault() {
    for (frozen, names) in FROZEN {
        let output = read(&thawed(frozen), (PASSPHRASE, names.map(|names| names[0])), None);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let expected = fs::read_to_string(Path::new(frozen).join("expected")).expect("there");
        let root = expected.lines().next().and_then(|line| line.split(' ').nth(3)).expect("a root");
        assert!(String::from_utf8_lossy(&output.stdout).contains(root));
    }
}

/// What this version writes reads as the frozen vaults do, but for the random root.
///
/// A new format is frozen by the same steps, into a folder that must not exist yet:
/// `VAULT_FREEZE_INTO=src/vault/testdata/v3 cargo test --release -p vault --test vault frozen_today`
/// (the path from the root of the repository). The frozen vault of a format never changes.
#[test]
fn what_would_be_frozen_today_reads_the_same() {
    for (frozen, names) in FROZEN {
        let place = Place::new();
        let described = freeze(&place.0, names);
        let expected = fs::read_to_string(Path::new(frozen).join("expected")).expect("there");
        let rootless = |text: &str| {
            let (state, objects) = text.split_once('\n').expect("lines");
            (state.rsplit_once(' ').expect("a root").0.to_owned(), objects.to_owned())
        };
        assert_eq!(rootless(&described), rootless(&expected));
    }
}

/// Freezes the newest format: see above.
#[test]
fn the_newest_format_can_be_frozen_today() {
    let (_, names) = FROZEN[1];
    let place = Place::new();
    freeze(&place.0, names);
    if let Some(folder) = std::env::var_os("VAULT_FREEZE_INTO") {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
        fs::create_dir(&folder).expect("a folder that does not exist yet");
        freeze(&folder, names);
    }
}

fn name(text: &str) -> PersonName {
    PersonName::new(text).expect("a name")
}

/// Makes a vault, and says what is in it.
fn freeze(folder: &Path, names: Option<[&str; 2]>) -> String {
    let paths = Paths { state: folder.join("state"), outputs: folder.join("outputs") };
    let (mut vault, code) =
        Vault::create(paths.clone(), &secret(PASSPHRASE), Role::Admin, KdfParams::FLOOR, &mut OsRandom)
            .expect("made");
    if let Some([first, _]) = names {
        let proof = secret(PASSPHRASE);
        vault.name_slot(&proof, &name(first), Role::Admin, KdfParams::FLOOR, &mut OsRandom).expect("named");
    }
    let auditor = secret(AUDITOR).of(names.map(|[_, auditor]| name(auditor)));
    vault.add_slot(Role::Auditor, &auditor, KdfParams::FLOOR, &mut OsRandom).expect("added");
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
