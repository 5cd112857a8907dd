//! A crash between any two effects leaves a request that is either done or not done, and the next unlock says on
//! record which.

use super::*;
use audit::words::{Found, IntentKind};

/// Opens the darkroom after a crash; the log must verify, and every sealed picture must open.
fn reopened(home: &Home) -> Room {
    let mut darkroom = home.unlocked();
    let who = darkroom.who;
    home.log_verifies();
    assert!(darkroom.verify(&who).unwrap().is_sound());
    darkroom
}

fn reconciled(home: &Home, kind: IntentKind, found: Found) -> bool {
    home.records().iter().any(|(name, line)| {
        name == "recovery.reconciled"
            && line.contains(&format!("kind={}", kind.word()))
            && line.contains(&format!("found={}", found.word()))
    })
}

/// Crashes in the middle of a request for two pictures, and tells how many there are afterwards.
fn pictures_after_crash(after: After, passing: u32, found: Found) -> usize {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    crash_at(after, passing);
    let error = generate(&mut darkroom, 2, Mood::Works).err().expect("the crash was not reached");
    assert!(matches!(error, Error::Crash), "{error}");
    drop(darkroom);
    let mut darkroom = reopened(&home);
    assert!(reconciled(&home, IntentKind::Generate, found), "{:?}", home.records());
    let pictures = darkroom.pictures();
    // What exists is on record, once.
    assert_eq!(home.count("object.sealed"), pictures.len());
    for picture in &pictures {
        let pseudonym = picture.pseudonym.to_string();
        assert!(home.records().iter().any(|(n, l)| n == "object.sealed" && l.contains(&pseudonym)));
    }
    // Work goes on, and a further start finds nothing open.
    generate(&mut darkroom, 1, Mood::Works).unwrap();
    drop(darkroom);
    let before = home.count("recovery.reconciled");
    drop(reopened(&home));
    assert_eq!(home.count("recovery.reconciled"), before);
    pictures.len()
}

#[test]
fn a_crash_after_the_intent_made_nothing() {
    assert_eq!(pictures_after_crash(After::Intent, 1, Found::Nothing), 0);
}

#[test]
fn a_crash_before_sealing_made_nothing() {
    assert_eq!(pictures_after_crash(After::Picture, 1, Found::Nothing), 0);
}

#[test]
fn a_crash_before_the_vaults_record_left_noise_only() {
    assert_eq!(pictures_after_crash(After::Sealed, 1, Found::Nothing), 0);
}

#[test]
fn a_crash_before_the_logs_record_is_recorded_late() {
    assert_eq!(pictures_after_crash(After::Committed, 1, Found::Partial), 1);
}

#[test]
fn a_crash_after_the_first_picture_keeps_it() {
    assert_eq!(pictures_after_crash(After::Recorded, 1, Found::Partial), 1);
}

#[test]
fn a_crash_after_the_last_picture_keeps_all() {
    assert_eq!(pictures_after_crash(After::Committed, 2, Found::Done), 2);
    assert_eq!(pictures_after_crash(After::Recorded, 2, Found::Done), 2);
}

#[test]
fn a_crash_during_an_export_is_on_record_as_unknown() {
    for after in [After::Intent, After::Copied] {
        let home = Home::new();
        let mut darkroom = home.unlocked();
        let who = darkroom.who;
        let id = generate(&mut darkroom, 1, Mood::Works).unwrap()[0].id;
        crash_at(after, 1);
        darkroom.export(&who, id, &home.0.join("plain/a.png")).err().unwrap();
        drop(darkroom);
        drop(reopened(&home));
        assert!(reconciled(&home, IntentKind::Export, Found::Unknown));
    }
}

#[test]
fn a_crash_during_an_erasure_is_before_or_after() {
    for (after, left, found) in [(After::Intent, 2, Found::Nothing), (After::Erased, 0, Found::Done)] {
        let home = Home::new();
        let mut darkroom = home.unlocked();
        let who = darkroom.who;
        let ids: Vec<_> = generate(&mut darkroom, 2, Mood::Works).unwrap().iter().map(|p| p.id).collect();
        crash_at(after, 1);
        darkroom.erase(&who, &ids).err().unwrap();
        drop(darkroom);
        let darkroom = reopened(&home);
        assert_eq!(darkroom.pictures().len(), left);
        assert!(reconciled(&home, IntentKind::Erase, found), "{:?}", home.records());
        assert_eq!(home.count("vault.rolled"), usize::from(after == After::Erased));
        // Which pictures they were is on record, too.
        assert_eq!(home.count("object.erased"), if after == After::Erased { 2 } else { 0 });
    }
}

#[test]
fn a_second_crash_while_unlocking_does_not_hide_the_first() {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    let who = darkroom.who;
    let ids: Vec<_> = generate(&mut darkroom, 2, Mood::Works).unwrap().iter().map(|p| p.id).collect();
    crash_at(After::Erased, 1);
    darkroom.erase(&who, &ids).err().unwrap();
    drop(darkroom);
    let mut darkroom = home.open().unwrap();
    crash_at(After::Reconciled, 1);
    assert!(matches!(darkroom.unlock(&secret(), Door::Terminal), Err(Error::Crash)));
    drop(darkroom);
    let darkroom = reopened(&home);
    assert!(darkroom.pictures().is_empty());
    assert!(reconciled(&home, IntentKind::Erase, Found::Done), "{:?}", home.records());
    assert!(!reconciled(&home, IntentKind::Erase, Found::Nothing), "{:?}", home.records());
}

/// The same process may fail in the middle, lock, and unlock again: what is open is judged by the vault's state at its own
/// record, whatever other records have named since.
#[test]
fn an_erasure_without_its_record_is_found_by_the_next_unlock_of_the_same_process() {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    let who = darkroom.who;
    let ids: Vec<_> = generate(&mut darkroom, 2, Mood::Works).unwrap().iter().map(|p| p.id).collect();
    crash_at(After::Erased, 1);
    darkroom.erase(&who, &ids[..1]).err().unwrap();
    darkroom.lock(None).unwrap();
    darkroom.unlock_as(&secret()).unwrap();
    assert!(reconciled(&home, IntentKind::Erase, Found::Done), "{:?}", home.records());
    assert_eq!(home.count("object.erased"), 1);
    drop(darkroom);
    drop(reopened(&home));
    assert_eq!(home.count("recovery.reconciled"), 1);
}

#[test]
fn what_is_in_work_is_not_looked_into_by_an_unlock_meanwhile() {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    let (step, steps) = std::sync::mpsc::channel();
    let engine = TestEngine { steps: Some(Mutex::new(steps)), ..TestEngine::new(Mood::Works) };
    let queue = Queue::start(darkroom.darkroom.take().unwrap(), Box::new(engine), rules(), || ()).unwrap();
    let id = queue.submit(&darkroom.who, queue.check(None, ask(1)).unwrap(), None).unwrap().id;
    queue.lock(&darkroom.who).unwrap();
    darkroom.who = queue.unlock(&secret(), Door::Page).unwrap();
    assert_eq!(home.count("recovery.reconciled"), 0);
    drop(step);
    while !queue.job(&darkroom.who, id).unwrap().state.is_over() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    darkroom.darkroom = Some(queue.into_darkroom());
    drop(darkroom);
    drop(reopened(&home));
    assert_eq!((home.count("recovery.reconciled"), home.count("generate.failed")), (0, 1));
}

#[test]
fn a_crash_after_a_new_passphrase_keeps_the_new_one() {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    let who = darkroom.who;
    generate(&mut darkroom, 1, Mood::Works).unwrap();
    let new = Secret::passphrase("another horse battery").unwrap();
    crash_at(After::Rolled, 1);
    darkroom.change_secret(&who, &secret(), &new).err().unwrap();
    drop(darkroom);
    let mut darkroom = home.open().unwrap();
    assert!(matches!(
        darkroom.unlock(&secret(), Door::Terminal),
        Err(Error::Vault(vault::Error::WrongSecret))
    ));
    let who = darkroom.unlock(&new, Door::Terminal).unwrap();
    assert_eq!(darkroom.list(&who).unwrap().len(), 1);
    assert_eq!(home.count("vault.rolled"), 1);
    assert!(reconciled(&home, IntentKind::Secret, Found::Done), "{:?}", home.records());
    // Whose secret it was, and what proved the right to it, is on record as if nothing had happened.
    let changed = home.records().into_iter().find(|(name, _)| name == "vault.secret_changed").unwrap().1;
    for part in [&who.actor.to_string(), "slot=1", "by=passphrase", "vault_epoch=2"] {
        assert!(changed.contains(part), "{changed}");
    }
    home.log_verifies();
}

#[test]
fn a_crash_after_a_new_recovery_code_names_its_slot() {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    let who = darkroom.who;
    crash_at(After::Rolled, 1);
    darkroom.replace_recovery(&who).err().unwrap();
    drop(darkroom);
    drop(reopened(&home));
    drop(reopened(&home));
    let changed: Vec<_> =
        home.records().into_iter().filter(|(name, _)| name == "vault.secret_changed").collect();
    assert!(changed.len() == 1 && changed[0].1.contains("slot=2"), "{changed:?}");
}
