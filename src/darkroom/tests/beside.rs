//! What takes long holds nobody up, and gives nothing to whoever is out by then.

use super::*;
use crate::hold::BESIDE;
use crate::view;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;
use vault::ObjectId;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Two pictures behind a queue.
fn queue(home: &Home) -> (Queue, Who, Vec<ObjectId>) {
    let mut room = home.unlocked();
    let ids = generate(&mut room, 2, Mood::Works).unwrap().iter().map(|picture| picture.id).collect();
    let engine = Box::new(TestEngine::new(Mood::Works));
    let queue = Queue::start(room.darkroom.take().unwrap(), engine, rules(), || ()).unwrap();
    (queue, room.who, ids)
}

/// Begins `act`, does `meanwhile` once it computes beside the darkroom, and lets it go on: what it came to, and how often it
/// computed in all.
fn in_the_middle<T: Send>(act: impl FnOnce() -> T + Send, meanwhile: impl FnOnce() + Send) -> (T, usize) {
    let (begun, has_begun) = channel();
    let (go_on, goes_on) = channel::<()>();
    thread::scope(|scope| {
        let acting = scope.spawn(move || {
            BESIDE.set(Box::new(move || {
                begun.send(()).unwrap();
                let _ = goes_on.recv();
            }));
            act()
        });
        has_begun.recv_timeout(PATIENCE).expect("nothing is computed beside the darkroom");
        let (done, is_done) = channel();
        let other = scope.spawn(move || {
            meanwhile();
            done.send(()).unwrap();
        });
        let waited = is_done.recv_timeout(PATIENCE).is_err();
        drop(go_on);
        other.join().unwrap();
        let came_to = acting.join().unwrap();
        assert!(!waited, "others waited for it");
        (came_to, 1 + has_begun.iter().count())
    })
}

fn failures(home: &Home) -> usize {
    home.count("object.export_failed")
}

/// An act that hands something over, or not.
type Act<'a> = Box<dyn Fn(&Queue, &Who) -> Result<(), Error> + Sync + 'a>;

/// Everything that opens a picture and hands it over.
fn acts<'a>(home: &'a Home, id: ObjectId) -> [(&'static str, Act<'a>); 4] {
    let path = home.0.join("plain/a.png");
    [
        ("look", Box::new(move |queue, who| queue.view(who, id).map(drop))),
        ("previews", Box::new(move |queue, who| queue.view_previews(who, &[id]).map(drop))),
        ("copy", Box::new(move |queue, who| queue.export_content(who, id).map(drop))),
        ("file", Box::new(move |queue, who| queue.export(who, id, &path).map(drop))),
    ]
}

#[test]
fn whoever_lists_waits_for_no_picture_that_is_opened_and_for_no_guess() {
    let home = Home::new();
    let (queue, who, ids) = queue(&home);
    let list = || assert_eq!(queue.with(|darkroom| darkroom.list(&who)).unwrap().len(), 2);
    for (name, act) in acts(&home, ids[0]) {
        let (done, computed) = in_the_middle(|| act(&queue, &who), list);
        done.unwrap();
        assert_eq!(computed, 1, "{name}");
    }
    let (report, computed) = in_the_middle(|| view::verify(&mut &queue, &who).unwrap(), list);
    assert!(report.is_sound());
    assert_eq!(computed, 2, "one picture after the other");
    let (second, _) = in_the_middle(|| queue.unlock(&secret(), Door::Page).unwrap(), list);
    assert_ne!(second, who);
    let wrong = Secret::passphrase("not the passphrase").unwrap();
    let (refused, _) = in_the_middle(|| queue.unlock(&wrong, Door::Page), list);
    assert!(matches!(refused, Err(Error::Vault(vault::Error::WrongSecret))));
    assert_eq!(home.count("vault.unlock_failed"), 1);
    queue.close(StopReason::Done).unwrap();
    home.log_verifies();
}

/// Somebody may unlock the vault again at once: that is another opening.
#[test]
fn whoever_is_out_by_the_time_a_picture_is_open_gets_nothing() {
    let home = Home::new();
    let (queue, mut who, ids) = queue(&home);
    for (name, act) in acts(&home, ids[0]) {
        let again = Mutex::new(who);
        let (refused, _) = in_the_middle(
            || act(&queue, &who),
            || {
                queue.lock(&who).unwrap();
                *again.lock().unwrap() = queue.unlock(&secret(), Door::Page).unwrap();
            },
        );
        assert!(matches!(refused, Err(Error::Locked)), "{name}: {refused:?}");
        who = again.into_inner().unwrap();
    }
    assert!(!home.0.join("plain/a.png").exists(), "a copy stays that is on record as none");
    assert_eq!((home.count("object.viewed"), home.count("object.exported"), failures(&home)), (0, 0, 2));
    assert_eq!(home.count("recovery.reconciled"), 0, "an unlock looked into what was in work");
    queue.close(StopReason::Done).unwrap();
    drop(home.unlocked());
    assert_eq!(home.count("recovery.reconciled"), 0);
    home.log_verifies();
}

#[test]
fn a_picture_that_was_erased_by_the_time_it_is_open_is_not_handed_over() {
    for name in ["look", "previews", "copy", "file"] {
        let home = Home::new();
        let (queue, who, ids) = queue(&home);
        let (_, act) = acts(&home, ids[0]).into_iter().find(|(this, _)| *this == name).unwrap();
        let erase = || assert_eq!(queue.erase(&who, &ids[..1]).unwrap().0.erased, 1);
        let (refused, _) = in_the_middle(|| act(&queue, &who), erase);
        assert!(matches!(refused, Err(Error::Vault(vault::Error::Erased(_)))), "{name}: {refused:?}");
        assert!(!home.0.join("plain/a.png").exists());
        assert_eq!((home.count("object.viewed"), home.count("object.exported")), (0, 0));
        queue.close(StopReason::Done).unwrap();
        home.log_verifies();
    }
}

#[test]
fn a_check_forgives_what_was_erased_by_then() {
    let home = Home::new();
    let (queue, who, ids) = queue(&home);
    let erase = || assert!(queue.erase(&who, &ids).is_ok());
    let (report, _) = in_the_middle(|| view::verify(&mut &queue, &who).unwrap(), erase);
    assert!(report.is_sound(), "{report:?}");
    queue.close(StopReason::Done).unwrap();
}

#[test]
fn a_secret_that_was_changed_meanwhile_is_derived_anew_and_again_beside_the_darkroom() {
    let home = Home::new();
    let (queue, who, _) = queue(&home);
    let new = Secret::passphrase("another horse battery").unwrap();
    let change = |from: &Secret, to: &Secret| {
        queue.with(|darkroom| darkroom.change_secret(&who, from, to)).unwrap();
    };
    let (opened, computed) = in_the_middle(|| queue.unlock(&new, Door::Page), || change(&secret(), &new));
    assert!(opened.is_ok());
    assert_eq!((computed, home.count("vault.unlock_failed")), (2, 0));
    let (refused, computed) = in_the_middle(|| queue.unlock(&new, Door::Page), || change(&new, &secret()));
    assert!(matches!(refused, Err(Error::Vault(vault::Error::WrongSecret))));
    assert_eq!((computed, home.count("vault.unlock_failed")), (2, 1));
    queue.close(StopReason::Done).unwrap();
    home.log_verifies();
}

#[test]
fn what_is_done_while_a_backup_is_written_is_not_undone_by_it() {
    let home = Home::new();
    let (queue, who, ids) = queue(&home);
    let mut bytes = Vec::new();
    let back_up = || crate::back_up(&mut &queue, &who, None, &mut bytes, || Ok(()), || true).unwrap();
    let (done, _) = in_the_middle(back_up, || {
        let id = queue.with(|darkroom| darkroom.backups()).unwrap()[0].job;
        let destroyed = queue.with(|darkroom| darkroom.backup_destroyed(&who, id));
        assert!(matches!(destroyed, Err(Error::BackupInWork)), "{destroyed:?}");
        assert_eq!(queue.erase(&who, &ids[..1]).unwrap().0.erased, 1);
        queue.submit(&who, queue.check(Some(&who), ask(1)).unwrap(), None).unwrap();
    });
    assert_eq!((done.written.objects, done.written.lacking.len()), (1, 0));
    assert_eq!(queue.with(|darkroom| darkroom.backups()).unwrap().len(), 1);
    queue.close(StopReason::Done).unwrap();
    home.log_verifies();
    // Alone it is a vault of its moment; with the log that has survived nothing comes back that was erased since.
    let alone = Home::in_memory();
    let restored = backup::restore(&alone, &bytes, &secret(), true).unwrap();
    assert_eq!((restored.objects, restored.log_survived), (1, false));
    alone.log_verifies();
    let other = backup::with_log_of(&home);
    let restored = backup::restore(&other, &bytes, &secret(), false).unwrap();
    assert_eq!((restored.objects, restored.erased), (1, 1));
    other.log_verifies();
}

#[test]
fn who_is_out_before_a_backup_is_whole_gets_none() {
    let home = Home::new();
    let (queue, who, _) = queue(&home);
    let back_up = || crate::back_up(&mut &queue, &who, None, &mut Vec::new(), || Ok(()), || true).map(drop);
    let (refused, _) = in_the_middle(back_up, || queue.lock(&who).unwrap());
    assert!(matches!(refused, Err(Error::Locked)), "{refused:?}");
    assert_eq!(
        (home.count("backup.begun"), home.count("backup.failed"), home.count("backup.written")),
        (1, 1, 0)
    );
    queue.close(StopReason::Done).unwrap();
    home.log_verifies();
}
