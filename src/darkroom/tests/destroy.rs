//! The end of the vault, on record, and after a crash.

use super::people::{first, name, of, with_second};
use super::*;
use crate::{HoldReason, Kind, Role};

#[test]
fn a_vault_ends_with_its_pictures_and_the_log_stays() {
    let home = Home::in_memory();
    let mut room = home.unlocked();
    let who = room.who;
    generate(&mut room, 2, Mood::Works).unwrap();
    crate::back_up(&mut *room, &who, None, &mut Vec::new(), || Ok(()), || true).unwrap();
    let done = room.destroy_vault(&who).unwrap();
    assert_eq!((done.pictures, done.backups, done.cleanup_pending), (2, 1, false));
    assert!(!room.has_vault() && room.list(&who).is_err());
    room.leave(StopReason::Done).unwrap();
    assert_eq!((home.count("object.erased"), home.count("vault.destroyed")), (2, 1));
    home.log_verifies();
    // A new one begins beside the same log.
    let mut room = home.unlocked();
    generate(&mut room, 1, Mood::Works).unwrap();
    room.leave(StopReason::Done).unwrap();
    drop(home.unlocked());
    assert_eq!(home.count("vault.created"), 2);
    home.log_verifies();
}

#[test]
fn a_hold_the_policy_and_a_role_keep_the_vault() {
    let home = Home::in_memory();
    let mut room = with_second(&home, Role::Operator);
    let who = room.who;
    let second = room.unlock(&of("second"), Door::Page).unwrap();
    assert_eq!(room.destroy_vault(&second).map(drop).unwrap_err().kind(), Kind::NotPermitted);
    room.hold(&who, Some(&name("second")), HoldReason::Order).unwrap();
    assert_eq!(room.destroy_vault(&who).map(drop).unwrap_err().kind(), Kind::Held, "it keeps no picture yet");
    room.end_hold(&who, Some(&name("second"))).unwrap();
    room.leave(StopReason::Done).unwrap();
    let mut strict = home.open_with(Erase::Never).unwrap();
    let who = strict.unlock(&first(), Door::Terminal).unwrap();
    assert_eq!(strict.destroy_vault(&who).map(drop).unwrap_err().kind(), Kind::Policy);
    drop(strict);
    assert_eq!(home.count("vault.destroy_requested"), 0);
    let mut room = home.open().unwrap();
    room.unlock(&first(), Door::Terminal).unwrap();
}

#[test]
fn a_crash_leaves_the_vault_or_its_end() {
    for (after, ended) in [(After::Intent, false), (After::Destroyed, true)] {
        let home = Home::in_memory();
        let mut room = home.unlocked();
        let who = room.who;
        crash_at(after, 1);
        assert!(matches!(room.destroy_vault(&who), Err(Error::Crash)));
        drop(room);
        let room = home.open().unwrap();
        assert_eq!(room.has_vault(), !ended, "{after:?}");
        let counts = (home.count("vault.destroyed"), home.count("vault.destroy_failed"));
        assert_eq!(counts, if ended { (1, 0) } else { (0, 1) }, "{after:?}");
        drop(room);
        drop(home.unlocked());
        home.log_verifies();
    }
}

/// An absent folder is no destroyed vault.
#[test]
fn a_vault_that_is_moved_away_in_the_middle_is_missing() {
    let home = Home::in_memory();
    let mut room = home.unlocked();
    let who = room.who;
    crash_at(After::Intent, 1);
    assert!(matches!(room.destroy_vault(&who), Err(Error::Crash)));
    drop(room);
    let (vault, away) = (home.0.join("vault"), home.0.join("away"));
    std::fs::rename(&vault, &away).unwrap();
    std::fs::create_dir(&vault).unwrap();
    assert!(matches!(home.open(), Err(Error::VaultMissing { .. })));
    std::fs::remove_dir_all(&vault).unwrap();
    std::fs::rename(&away, &vault).unwrap();
    drop(home.unlocked());
    home.log_verifies();
}

#[test]
fn new_keys_are_on_record_and_after_a_crash_too() {
    let home = Home::in_memory();
    let mut room = home.unlocked();
    let who = room.who;
    generate(&mut room, 1, Mood::Works).unwrap();
    room.rotate(&who).unwrap();
    crash_at(After::Rolled, 1);
    assert!(matches!(room.rotate(&who), Err(Error::Crash)));
    drop(room);
    let mut room = home.unlocked();
    assert_eq!(home.count("vault.rolled"), 2);
    let who = room.who;
    assert!(room.verify(&who).unwrap().is_sound());
    home.log_verifies();
}
