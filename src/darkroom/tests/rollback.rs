//! Vault and log watch each other: neither can be put back alone.

use super::*;
use crate::Trouble;
use std::path::Path;

fn copy(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// Two generations with a copy of `part` in between, which is put back at the end.
fn put_back(part: &str) -> Result<Darkroom, Error> {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    generate(&mut darkroom, 1, Mood::Works).unwrap();
    darkroom.leave(audit::words::StopReason::Done).unwrap();
    copy(&home.0.join(part), &home.0.join("kept"));
    let mut darkroom = home.unlocked();
    generate(&mut darkroom, 1, Mood::Works).unwrap();
    darkroom.leave(audit::words::StopReason::Done).unwrap();
    copy(&home.0.join("kept"), &home.0.join(part));
    let mut darkroom = home.open()?;
    darkroom.unlock(&secret()).map(|_| darkroom)
}

#[test]
fn an_old_vault_under_a_newer_log_is_noticed() {
    let error = put_back("vault").err().unwrap();
    assert!(matches!(error, Error::VaultRolledBack { .. }), "{error}");
    assert_eq!(error.trouble(), Trouble::Integrity);
}

#[test]
fn an_old_log_under_a_newer_vault_is_noticed() {
    let error = put_back("audit").err().unwrap();
    assert_eq!(error.trouble(), Trouble::Integrity, "{error}");
}

#[test]
fn a_vault_without_its_log_is_noticed() {
    let home = Home::new();
    drop(home.unlocked());
    copy(&home.0.join("plain"), &home.0.join("audit"));
    let error = home.open().err().unwrap();
    assert!(matches!(error, Error::LogMissing { .. }), "{error}");
}

#[test]
fn a_second_process_is_told_who_has_the_vault() {
    let home = Home::new();
    let _held = home.unlocked();
    let error = home.open().err().unwrap();
    assert_eq!(error.trouble(), Trouble::Busy);
    assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
}
