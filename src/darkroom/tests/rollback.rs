//! Vault and log watch each other: neither can be put back alone.

use super::*;
use crate::Kind;
use std::path::Path;

pub(super) fn copy(from: &Path, to: &Path) {
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
    darkroom.leave(StopReason::Done).unwrap();
    copy(&home.0.join(part), &home.0.join("kept"));
    let mut darkroom = home.unlocked();
    generate(&mut darkroom, 1, Mood::Works).unwrap();
    darkroom.leave(StopReason::Done).unwrap();
    copy(&home.0.join("kept"), &home.0.join(part));
    let mut darkroom = home.open()?;
    darkroom.unlock(&secret(), Door::Terminal).map(|_| darkroom)
}

#[test]
fn an_old_vault_under_a_newer_log_is_noticed() {
    let error = put_back("vault").err().unwrap();
    assert!(matches!(error, Error::RolledBack { .. }), "{error}");
    assert_eq!(error.kind(), Kind::Damaged);
}

#[test]
fn an_old_log_under_a_newer_vault_is_noticed() {
    let error = put_back("audit").err().unwrap();
    assert_eq!(error.kind(), Kind::Damaged, "{error}");
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
    assert_eq!(error.kind(), Kind::Busy);
    assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
}

/// The log as it was when `kept` was copied is put back, its key and all, after what `act` does.
fn cut_back(act: impl FnOnce(&Home, &mut Room), kept_locked: bool) -> Error {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    generate(&mut darkroom, 1, Mood::Works).unwrap();
    if kept_locked {
        darkroom.lock(None).unwrap();
    }
    copy(&home.0.join("audit"), &home.0.join("kept"));
    if kept_locked {
        darkroom.unlock_as(&secret()).unwrap();
    }
    act(&home, &mut darkroom);
    drop(darkroom); // killed: nothing is said to anybody
    copy(&home.0.join("kept"), &home.0.join("audit"));
    let mut darkroom = home.open().unwrap();
    let error = darkroom.unlock(&secret(), Door::Terminal).expect_err("the cut was not noticed");
    assert_eq!(home.count("log.mark_missed"), 1, "{error}");
    home.log_verifies();
    error
}

/// The mark of the vault counts at an unlock only; what it has remembered since counts as much, sealed with its key.
#[test]
fn a_log_that_is_shorter_than_what_is_remembered_beside_an_older_mark_is_noticed() {
    let home = Home::new();
    home.unlocked().leave(StopReason::Done).unwrap();
    copy(&home.0, &home.0.with_extension("kept"));
    let kept = Home(home.0.with_extension("kept"));
    home.unlocked().leave(StopReason::Done).unwrap();
    // Vault and log of one moment, put back together: only what is remembered is newer.
    let memory = home.0.join("vault").join(vault::LOG_MEMORY);
    std::fs::copy(&memory, kept.0.join("vault").join(vault::LOG_MEMORY)).unwrap();
    let error = kept.open().unwrap().unlock(&secret(), Door::Terminal).err().unwrap();
    assert!(matches!(error, Error::Log(audit::Error::Lost { .. })), "{error}");
    assert_eq!((error.kind(), kept.count("log.mark_missed")), (Kind::Damaged, 1));
    kept.log_verifies();
    // So it is at every unlock, as long as nobody takes that file away.
    let error = kept.open().unwrap().unlock(&secret(), Door::Terminal).err().unwrap();
    assert!(
        matches!(error, Error::Log(audit::Error::Lost { .. } | audit::Error::Diverged { .. })),
        "{error}"
    );
    // All of one moment: nothing on this disk tells.
    std::fs::remove_file(kept.0.join("vault").join(vault::LOG_MEMORY)).unwrap();
    drop(kept.unlocked());
    kept.log_verifies();
}

/// A new key vouches from the rotation on; what the one before sealed counts for nothing.
#[test]
fn what_a_key_of_before_a_rotation_sealed_counts_for_nothing() {
    let home = Home::new();
    home.unlocked().leave(StopReason::Done).unwrap();
    let memory = home.0.join("vault").join(vault::LOG_MEMORY);
    let before = std::fs::read(&memory).unwrap();
    let mut room = home.unlocked();
    let who = room.who;
    room.rotate(&who).unwrap();
    room.leave(StopReason::Done).unwrap();
    let key = |home: &Home| home.beside().mark(crate::remember::MARK_MEMORY).unwrap().to_vec();
    let drawn = key(&home);
    assert_ne!(std::fs::read(&memory).unwrap(), before);
    std::fs::write(&memory, before).unwrap();
    home.unlocked().leave(StopReason::Done).unwrap();
    assert_eq!(key(&home), drawn, "drawn once");
    home.log_verifies();
}

fn wrong() -> Secret {
    Secret::passphrase("incorrect horse battery").unwrap()
}

#[test]
fn records_cut_off_behind_a_killed_session_are_noticed() {
    let id = |room: &Room| room.pictures()[0].id;
    type Act = fn(&Home, &mut Room, Who, vault::ObjectId);
    let acts: [(&str, Act); 6] = [
        ("nothing", |_, _, _, _| ()),
        ("export", |home, room, who, id| {
            room.export(&who, id, &home.0.join("plain/a.png")).unwrap();
        }),
        ("look", |_, room, who, id| drop(room.view(&who, id).unwrap())),
        ("guess", |_, room, _, _| drop(room.unlock(&wrong(), Door::Page).unwrap_err())),
        ("guessed proof", |_, room, who, _| drop(room.change_secret(&who, &wrong(), &secret()).unwrap_err())),
        ("picture", |_, room, _, _| drop(generate(room, 1, Mood::Works).unwrap())),
    ];
    for (name, act) in acts {
        for kept_locked in [true, false] {
            // An open session's log that nothing came to is no older one.
            if name != "nothing" || kept_locked {
                let error = cut_back(|home, room| act(home, room, room.who, id(room)), kept_locked);
                assert_eq!(error.kind(), Kind::Damaged, "{name}");
            }
        }
    }
}

#[test]
fn an_erasure_cut_off_the_log_is_noticed() {
    let erase = |_: &Home, room: &mut Room| {
        let (who, id) = (room.who, room.pictures()[0].id);
        room.erase(&who, &[id]).unwrap();
    };
    for kept_locked in [true, false] {
        cut_back(erase, kept_locked);
    }
}

#[test]
fn the_log_of_another_home_is_noticed_even_if_no_session_ever_ended_in_order() {
    let (home, other) = (Home::new(), Home::new());
    drop(home.unlocked());
    for _ in 0..3 {
        drop(other.unlocked());
    }
    copy(&other.0.join("audit"), &home.0.join("audit"));
    let error = home.open().unwrap().unlock(&secret(), Door::Terminal).err().unwrap();
    assert!(matches!(error, Error::Log(audit::Error::Diverged { .. })), "{error}");
}

/// What is written over it would take the evidence away.
#[test]
fn a_changed_mirror_is_said_and_on_record() {
    let home = Home::new();
    home.unlocked().leave(StopReason::Done).unwrap();
    let mirror = home.0.join("vault/vault.mirror");
    let mut bytes = std::fs::read(&mirror).unwrap();
    bytes[90] ^= 1;
    std::fs::write(&mirror, &bytes).unwrap();
    let darkroom = home.unlocked();
    assert_eq!(darkroom.warnings(), [crate::Warning::Healed]);
    darkroom.leave(StopReason::Done).unwrap();
    let found = home.records().into_iter().find(|(name, _)| name == "vault.mirror_damaged").unwrap().1;
    assert!(found.contains(&audit::Digest::of(&bytes).to_string()), "{found}");
    assert_eq!(std::fs::read(home.0.join("vault/vault.mirror.damaged")).unwrap(), bytes);
    assert_eq!(home.unlocked().warnings(), [], "it is whole again");
    assert_eq!((home.count("vault.mirror_damaged"), home.count("vault.healed")), (1, 0));
    home.log_verifies();
}

#[test]
fn what_is_found_is_a_record() {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    generate(&mut darkroom, 1, Mood::Works).unwrap();
    darkroom.leave(StopReason::Done).unwrap();
    copy(&home.0.join("vault"), &home.0.join("kept"));
    let mut darkroom = home.unlocked();
    let who = darkroom.who;
    let id = darkroom.pictures()[0].id;
    darkroom.erase(&who, &[id]).unwrap();
    darkroom.leave(StopReason::Done).unwrap();
    // The vault file of before, without the key that it needs.
    for name in ["vault", "vault.mirror"] {
        std::fs::copy(home.0.join("kept").join(name), home.0.join("vault").join(name)).unwrap();
    }
    home.open().unwrap().unlock(&secret(), Door::Terminal).err().unwrap();
    assert_eq!(home.count("vault.key_gone"), 1);
    // All of the vault of before.
    copy(&home.0.join("kept"), &home.0.join("vault"));
    home.open().unwrap().unlock(&secret(), Door::Terminal).err().unwrap();
    assert_eq!(home.count("vault.rolled_back"), 1);
    // Neither copy readable.
    for name in ["vault", "vault.mirror"] {
        std::fs::write(home.0.join("vault").join(name), b"nothing").unwrap();
    }
    home.open().err().unwrap();
    let ends_with = |wanted: &[&str]| {
        let names: Vec<_> = home.records().into_iter().map(|(name, _)| name).collect();
        assert!(
            names.ends_with(&wanted.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()),
            "{names:?}"
        );
    };
    ends_with(&["boot.started", "vault.damaged", "boot.refused", "boot.stopped"]);
    // What keeps this process from it is no damage.
    let mode = |mode| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(home.0.join("vault"), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(0o777);
    assert!(matches!(home.open(), Err(Error::Vault(vault::Error::Unsafe { .. }))));
    ends_with(&["boot.started", "boot.refused", "boot.stopped"]);
    mode(0o700);
    // None at all, though the log tells of one.
    for name in ["vault", "vault.mirror"] {
        std::fs::remove_file(home.0.join("vault").join(name)).unwrap();
    }
    assert!(matches!(home.open(), Err(Error::VaultMissing { .. })));
    ends_with(&["boot.started", "boot.refused", "boot.stopped"]);
    home.log_verifies();
}
