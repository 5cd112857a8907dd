//! The Python reader, which shares no code with us, agrees with us.

use std::path::Path;
use std::process::{Command, Output};
use std::{env, fs};

use sha2::{Digest, Sha256};
use vault::{KdfParams, OsRandom, Role, Vault};

use super::{PASSPHRASE, Place, content_of, preview_of, put, secret};

/// Runs the reader with a secret and whose it is; says what to install when it cannot run at all.
pub(crate) fn read(place: &Place, (typed, operator): (&str, Option<&str>), extract: Option<&Path>) -> Output {
    let mut command = reader(place, typed);
    command.args([place.paths().state, place.paths().outputs]);
    operator.map(|name| command.arg("--operator").arg(name));
    extract.map(|folder| command.arg("--extract").arg(folder));
    command.output().expect("the reader runs")
}

/// The same with a secret that is no text.
pub(crate) fn read_bytes(place: &Place, secret: &[u8]) -> Output {
    let mut command = reader(place, secret);
    command.args([place.paths().state, place.paths().outputs]).output().expect("the reader runs")
}

/// The same with a passphrase, and the machine secret that it goes with.
pub(crate) fn read_halves(place: &Place, typed: &str, half: Option<&[u8]>) -> Output {
    let mut command = reader(place, typed);
    if let Some(bytes) = half {
        let file = place.0.join("half");
        fs::write(&file, bytes).expect("written");
        command.arg("--machine-secret-file").arg(file);
    }
    command.args([place.paths().state, place.paths().outputs]).output().expect("the reader runs")
}

/// The same with the passphrases of two people.
pub(crate) fn read_both(place: &Place, one: (&str, &str), other: (&str, &str)) -> Output {
    let mut command = reader(place, one.0);
    let file = place.0.join("second");
    fs::write(&file, other.0).expect("written");
    command.arg("--operator").arg(one.1).arg("--second-operator").arg(other.1);
    command.arg("--second-secret-file").arg(file);
    command.args([place.paths().state, place.paths().outputs]).output().expect("the reader runs")
}

/// The reader with a secret.
fn reader(place: &Place, typed: impl AsRef<[u8]>) -> Command {
    let python = env::var("LIGHTPROOF_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let probe = Command::new(&python)
        .args(["-c", "from cryptography.hazmat.primitives.kdf.argon2 import Argon2id"])
        .output();
    assert!(
        probe.is_ok_and(|output| output.status.success()),
        "the independent reader needs Python with the package `cryptography`, 44 or later: \
         python3 -m venv VENV && VENV/bin/pip install 'cryptography>=44', \
         then set LIGHTPROOF_TEST_PYTHON=VENV/bin/python (tried {python})"
    );
    let secret_file = place.0.join("typed");
    fs::write(&secret_file, typed).expect("written");
    let mut command = Command::new(&python);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/reference_reader.py"));
    command.arg("--secret-file").arg(&secret_file);
    command
}

/// Takes a backup apart without any of our code; the parts are a vault that both open.
#[test]
fn python_unpacks_a_backup_and_refuses_a_changed_one() {
    let place = Place::new();
    let (mut vault, code) = place.create();
    let sizes = [0, 700_000];
    let ids: Vec<_> = sizes.iter().map(|bytes| put(&mut vault, &format!("o{bytes}"), *bytes)).collect();
    let mut bytes = Vec::new();
    let other = vault::Kept {
        place: vault::Place::First,
        name: "seg/0".into(),
        bytes: zeroize::Zeroizing::new(b"a log".to_vec()),
    };
    let snapshot = vault.snapshot([5; 16], 7).expect("taken");
    snapshot.write([Ok(other)].into_iter(), &mut bytes, &mut OsRandom).expect("written");
    let file = place.0.join("backup");
    let unpack = |bytes: &[u8], typed: &str, folder: &Path| {
        fs::write(&file, bytes).expect("written");
        reader(&place, typed).arg("--unpack").arg(&file).arg(folder).output().expect("the reader runs")
    };
    let elsewhere = Place::new();
    let output = unpack(&bytes, &code.text(), &elsewhere.0);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains(&hex(&[5; 16])) && text.contains("\"made_ms\": 7, \"files\": 5"), "{text}");
    assert_eq!(fs::read(elsewhere.0.join("first/seg/0")).expect("unpacked"), b"a log");
    check_reader(&elsewhere, &vault, PASSPHRASE);
    drop(vault);
    let unpacked = elsewhere.unlock().expect("opens");
    for (id, bytes) in ids.iter().zip(sizes) {
        super::check_object(&unpacked, *id, bytes);
    }
    for at in [20, 50, 100, bytes.len() / 2, bytes.len() - 1] {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(!unpack(&changed, PASSPHRASE, &elsewhere.0).status.success(), "byte {at}");
    }
    assert!(!unpack(&bytes[..bytes.len() - 90], PASSPHRASE, &elsewhere.0).status.success());
    assert_eq!(unpack(&bytes, "some other words", &elsewhere.0).status.code(), Some(2));
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    format!("{:x}", base16ct::HexDisplay(bytes))
}

#[test]
fn python_opens_a_vault_of_ours_byte_for_byte() {
    let place = Place::new();
    let (mut vault, code) = place.create();
    let doomed = put(&mut vault, "doomed", 10);
    let sizes = [0, 1, 16_383, 16_384, 16_385, 32_768, 100_000];
    let ids: Vec<_> = sizes.iter().map(|bytes| put(&mut vault, &format!("o{bytes}"), *bytes)).collect();
    vault.set_mark(3, b"mark", &mut OsRandom).expect("set");
    check_reader(&place, &vault, PASSPHRASE);
    vault.erase(&[doomed], 4, 5, &mut OsRandom).expect("erased");
    vault
        .add_slot(Role::Operator, &secret("caf\u{e9} of an operator"), KdfParams::FLOOR, &mut OsRandom)
        .expect("added");
    for typed in [PASSPHRASE, "cafe\u{301} of an operator\n", &code.text().to_lowercase()] {
        let text = check_reader(&place, &vault, typed);
        assert_eq!(text.lines().count(), 1 + ids.len());
        assert!(text.contains(&format!("\"marks\": {{\"3\": \"{}\"}}", hex(b"mark"))), "{text}");
        assert!(
            text.contains(&format!("\"id\": \"{doomed}\", \"erased_ms\": 5, \"reason\": 4, \"epoch\": 2")),
            "{text}"
        );
    }
    let folder = place.0.join("extracted");
    fs::create_dir(&folder).expect("made");
    assert!(read(&place, (PASSPHRASE, None), Some(&folder)).status.success());
    for bytes in sizes {
        let name = format!("o{bytes}");
        assert_eq!(fs::read(folder.join(&name)).expect("extracted"), content_of(&name, bytes));
        assert_eq!(fs::read(folder.join(format!("{name}.preview"))).expect("extracted"), preview_of(&name));
    }
    assert_eq!(read(&place, ("another passphrase", None), None).status.code(), Some(2));
}

/// The reader finds the same state, objects and contents.
fn check_reader(place: &Place, vault: &Vault, typed: &str) -> String {
    let output = read(place, (typed, None), None);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let state = vault.state();
    let public =
        format!("\"epoch\": {}, \"seq\": {}, \"root\": \"{}\"", state.epoch, state.seq, hex(&state.root));
    assert!(text.contains(&public), "{text}");
    for entry in vault.list() {
        let digest = |bytes: &[u8]| hex(&Sha256::digest(bytes));
        let preview = digest(&vault.open_preview(entry.id).expect("opens"));
        let content = digest(&vault.open_content(entry.id).expect("opens"));
        let line = format!(
            "{{\"id\": \"{}\", \"name\": \"{}\", \"created_ms\": {}, \"salt\": \"{}\", \"metadata\": \"{}\", \
             \"sha256\": [\"{preview}\", \"{content}\"]}}",
            entry.id,
            entry.name,
            entry.created_ms,
            hex(&entry.salt),
            hex(&entry.metadata),
        );
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    text
}

#[test]
fn python_opens_nothing_with_an_auditors_passphrase() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    put(&mut vault, "a", 10);
    let typed = "an auditor's words";
    vault.add_slot(Role::Auditor, &secret(typed), KdfParams::FLOOR, &mut OsRandom).expect("added");
    let folder = place.0.join("extracted");
    fs::create_dir(&folder).expect("made");
    let output = read(&place, (typed, None), Some(&folder));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(3), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains(&hex(&vault.state().root)) && text.contains("\"role\": \"auditor\""), "{text}");
    assert_eq!((text.lines().count(), fs::read_dir(folder).expect("listed").count()), (1, 0));
}
