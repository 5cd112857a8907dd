//! Updates as they are, and as somebody would like to have them taken.

use super::*;
use crate::ExportKey;
use crate::dsse::pem;
use crate::tests::Dir;
use serde_json::{Value, json};
use std::fs;

const RUNNING: Installed<'_> = Installed {
    version: "0.2.0",
    commit: Some("5f0c1f3d"),
    committed_s: Some(1000),
    system: "linux",
    architecture: "x86_64",
};

fn predicate(version: &str, committed_s: u64) -> Value {
    json!({
        "product": "lightproof", "version": version, "commit": "5f0c1f3d", "committed_s": committed_s,
        "system": "linux", "architecture": "x86_64",
    })
}

const FILES: [(&str, &str); 2] =
    [("lightproof_0.3.0-1_amd64.deb", "program"), ("lightproof-audit_0.3.0-1_amd64.deb", "auditor")];

/// A folder with an update that says this, and the key that signed it.
fn update(predicate: &Value) -> (Dir, UpdateKey) {
    let (dir, key) = (Dir::new(), ExportKey::draw().unwrap());
    let public = UpdateKey(key.public());
    let files = FILES.map(|(name, content)| {
        fs::write(dir.0.join(name), content).unwrap();
        (name, Digest::of(content.as_bytes()))
    });
    fs::write(dir.0.join(UPDATE), key.sign(PREDICATE, &files, predicate)).unwrap();
    (dir, public)
}

fn checked(dir: &Dir, key: UpdateKey) -> Result<CheckedUpdate, UpdateError> {
    check_update(&dir.0.join(UPDATE), key, &RUNNING)
}

#[track_caller]
fn refused(predicate: &Value, words: &[&str]) {
    let (dir, key) = update(predicate);
    let said = checked(&dir, key).unwrap_err().to_string();
    assert!(words.iter().all(|word| said.contains(word)), "{predicate}: {said}");
}

#[test]
fn an_update_that_is_whole_newer_and_for_this_machine_is_taken() {
    for (version, committed_s, step) in [
        ("0.2.1", 1, Step::Newer),
        ("0.10.0", 1, Step::Newer),
        ("1.0.0", 1, Step::Newer),
        ("0.2.0", 1001, Step::Newer),
        ("0.2.0", 1000, Step::Same),
    ] {
        let (dir, key) = update(&predicate(version, committed_s));
        let found = checked(&dir, key).unwrap();
        assert!(found.is_ok() && found.step == step, "{version}: {found}");
        assert_eq!(found.names(FileState::Whole).collect::<Vec<_>>(), FILES.map(|(name, _)| name));
    }
    // What was not carried is said; what is there is judged.
    let (dir, key) = update(&predicate("0.3.0", 1));
    fs::remove_file(dir.0.join(FILES[1].0)).unwrap();
    let found = checked(&dir, key).unwrap();
    assert!(found.is_ok() && found.to_string().contains(&format!("absent   {}", FILES[1].0)), "{found}");
    fs::remove_file(dir.0.join(FILES[0].0)).unwrap();
    assert!(!checked(&dir, key).unwrap().is_ok(), "an update of which nothing is there");
}

#[test]
fn a_step_back_another_machine_and_what_cannot_be_told_are_refused_in_words() {
    refused(&predicate("0.1.9", 5000), &["version 0.1.9", "version 0.2.0", "older"]);
    refused(&predicate("0.2.0", 999), &["an earlier commit", "older"]);
    for version in ["0.3", "0.3.0.1", "0.3.0-rc.1", "next", "+0.3.0", "0.99999999999.0", "0..1"] {
        let (dir, key) = update(&predicate(version, 5000));
        assert!(checked(&dir, key).is_err(), "{version}");
    }
    refused(&predicate("0.3.0-rc.1", 5000), &["cannot be told"]);
    for (member, value, words) in [
        ("architecture", json!("aarch64"), ["on aarch64", "on x86_64"]),
        ("system", json!("windows"), ["for windows", "for linux"]),
        ("product", json!("darkproof"), ["darkproof for", "lightproof for"]),
    ] {
        let mut other = predicate("0.3.0", 5000);
        other[member] = value;
        refused(&other, &words);
    }
    // Two commits of the same second.
    let mut other = predicate("0.2.0", 1000);
    other["commit"] = json!("6a");
    refused(&other, &["cannot be told"]);
    // Of the same version nobody knows where a program of unknown commit stands; of another one it does not matter.
    let (dir, key) = update(&predicate("0.2.0", 5000));
    let unknown = Installed { committed_s: None, ..RUNNING };
    let said = check_update(&dir.0.join(UPDATE), key, &unknown).unwrap_err().to_string();
    assert!(said.contains("cannot be told"), "{said}");
    let (dir, key) = update(&predicate("0.3.0", 5000));
    assert!(check_update(&dir.0.join(UPDATE), key, &unknown).unwrap().is_ok());
}

#[test]
fn what_is_changed_cut_or_put_beside_it_is_named() {
    let whole = || update(&predicate("0.3.0", 5000));
    let name = FILES[0].0;
    for spoilt in ["Program", "progra", "program ", ""] {
        let (dir, key) = whole();
        fs::write(dir.0.join(name), spoilt).unwrap();
        let found = checked(&dir, key).unwrap();
        assert!(!found.is_ok(), "{spoilt:?}");
        assert_eq!(found.names(FileState::Changed).collect::<Vec<_>>(), [name]);
    }
    // A link to the very file, and a folder.
    let (dir, key) = whole();
    fs::rename(dir.0.join(name), dir.0.join("elsewhere")).unwrap();
    std::os::unix::fs::symlink("elsewhere", dir.0.join(name)).unwrap();
    assert_eq!(checked(&dir, key).unwrap().names(FileState::Changed).collect::<Vec<_>>(), [name]);
    fs::remove_file(dir.0.join(name)).unwrap();
    fs::create_dir(dir.0.join(name)).unwrap();
    assert_eq!(checked(&dir, key).unwrap().names(FileState::Changed).collect::<Vec<_>>(), [name]);

    // `dpkg -i lightproof_*.deb` would take it; a backup on the same stick nobody installs.
    let (dir, key) = whole();
    fs::write(dir.0.join("lightproof-1.backup"), "").unwrap();
    assert!(checked(&dir, key).unwrap().is_ok());
    for stranger in ["lightproof_9.0.0-1_amd64.deb", "lightproof-9.0.0-linux-x86_64.tar.gz"] {
        let (dir, key) = whole();
        std::os::unix::fs::symlink("nowhere", dir.0.join(stranger)).unwrap();
        let found = checked(&dir, key).unwrap();
        assert!(!found.is_ok() && found.to_string().contains(&format!("foreign  {stranger}")), "{found}");
    }
}

#[test]
fn no_statement_is_taken_that_the_key_has_not_signed_byte_for_byte() {
    let (dir, key) = update(&predicate("0.3.0", 5000));
    let at = dir.0.join(UPDATE);
    let whole = fs::read(&at).unwrap();
    for place in 0..whole.len() {
        let mut changed = whole.clone();
        changed[place] ^= 1;
        fs::write(&at, changed).unwrap();
        assert!(checked(&dir, key).is_err(), "byte {place}");
    }
    for length in [0, 1, whole.len() / 2, whole.len() - 1] {
        fs::write(&at, &whole[..length]).unwrap();
        assert!(matches!(checked(&dir, key), Err(UpdateError::Form { .. })), "{length} bytes");
    }
    fs::write(&at, vec![b' '; 2 << 20]).unwrap();
    assert!(matches!(checked(&dir, key), Err(UpdateError::Form { .. })), "too long");
    fs::remove_file(&at).unwrap();
    assert!(matches!(checked(&dir, key), Err(UpdateError::Unread { .. })), "not there");

    fs::write(&at, &whole).unwrap();
    let another = UpdateKey(ExportKey::draw().unwrap().public());
    let said = checked(&dir, another).unwrap_err().to_string();
    assert!(said.contains(&another.id()) && said.contains(&key.id()), "{said}");
    assert!(checked(&dir, key).unwrap().is_ok(), "as it was");
}

/// The key may sign a statement that makes no sense here, by a mistake or in a later form.
#[test]
fn a_signed_statement_of_another_form_is_none() {
    let key = ExportKey::draw().unwrap();
    let public = UpdateKey(key.public());
    let dir = Dir::new();
    let at = dir.0.join(UPDATE);
    let digest = Digest([7; 32]);
    let said = |kind: &str, files: &[(&str, Digest)], predicate: &Value| {
        fs::write(&at, key.copy().sign(kind, files, predicate)).unwrap();
        check_update(&at, public, &RUNNING)
    };
    let good = predicate("0.3.0", 5000);
    assert!(said(PREDICATE, &[("a.deb", digest)], &good).is_ok());
    for names in
        [&[][..], &["a.deb", "a.deb"], &["../a.deb"], &["/etc/passwd"], &[".a"], &["a/b"], &["a\nb"], &[""]]
    {
        let files: Vec<(&str, Digest)> = names.iter().map(|name| (*name, digest)).collect();
        assert!(matches!(said(PREDICATE, &files, &good), Err(UpdateError::Form { .. })), "{names:?}");
    }
    assert!(said("urn:lightproof:erasure:v1", &[("a.deb", digest)], &good).is_err());
    for member in ["architecture", "commit", "committed_s", "product", "system", "version"] {
        let mut without = good.clone();
        without.as_object_mut().unwrap().remove(member);
        assert!(said(PREDICATE, &[("a.deb", digest)], &without).is_err(), "{member}");
    }
    let mut more = good.clone();
    more["threshold"] = json!(2);
    assert!(said(PREDICATE, &[("a.deb", digest)], &more).is_err(), "what this version does not know");
}

#[test]
fn a_key_is_read_as_openssl_writes_it_and_in_no_other_form() {
    let key = ExportKey::draw().unwrap().public();
    let text = pem(key);
    let line = text.lines().nth(1).unwrap();
    for good in [text.as_str(), text.trim(), line, &format!("{line}\n")] {
        assert_eq!(UpdateKey::parse(good), Some(UpdateKey(key)), "{good:?}");
    }
    let private = text.replace("PUBLIC", "PRIVATE");
    for bad in ["", "AAAA", &line[1..], &line.replace("MCowBQYDK2Vw", "MCowBQYDK2Vu"), &private] {
        assert_eq!(UpdateKey::parse(bad), None, "{bad:?}");
    }
}
