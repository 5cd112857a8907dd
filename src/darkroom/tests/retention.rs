//! Pictures that go by themselves.

use super::people::{first, name, of, one_of, signed_in, with_second};
use super::*;
use crate::{HoldReason, Kind, Role};

const DAY_MS: u64 = 24 * 3600 * 1000;

#[test]
fn what_is_past_its_period_goes_and_is_on_record() {
    let home = Home::in_memory();
    let mut room = home.unlocked();
    let who = room.who;
    let made = generate(&mut room, 2, Mood::Works).unwrap();
    assert!(made.iter().all(|picture| picture.expires_ms.is_none()));
    assert!(room.due(&who).unwrap().is_none() && room.retain(&who).unwrap().is_none());
    room.picture_days_max = Some(30);
    let picture = room.pictures().remove(0);
    assert_eq!(picture.expires_ms, Some(picture.created_ms + 30 * DAY_MS), "told from the first day on");
    assert_eq!(room.due(&who).unwrap().map(|due| (due.pictures, due.held)), Some((0, 0)));
    assert!(room.retain_by_itself().unwrap().is_none());
    assert_eq!(home.count("retention.begun"), 0);
    room.picture_days_max = Some(0);
    assert_eq!(room.due(&who).unwrap().map(|due| due.pictures), Some(2));
    let erased = room.retain_by_itself().unwrap().unwrap();
    assert_eq!((erased.erasure.erased, erased.records.len()), (2, 2));
    assert!(room.pictures().is_empty());
    let tombstone = room.open_vault().unwrap().vault.tombstone(made[0].id).copied().unwrap();
    assert_eq!(tombstone.reason, 3);
    let records = home.records();
    let begun = records.iter().find(|(kind, _)| kind == "retention.begun").unwrap();
    let job = begun.1.split(' ').find(|word| word.starts_with("j:")).unwrap();
    assert!(begun.1.contains("count=2") && begun.1.contains("a:system"), "{}", begun.1);
    let of_job = records.iter().filter(|(_, line)| line.contains(job)).count();
    assert_eq!(of_job, 6, "why, request, two names, two erasures");
    assert!(room.retain_by_itself().unwrap().is_none(), "and once");
    // While the vault is shut nothing can go.
    generate(&mut room, 1, Mood::Works).unwrap();
    room.lock(None).unwrap();
    assert!(room.retain_by_itself().unwrap().is_none());
    home.log_verifies();
}

#[test]
fn what_a_hold_keeps_stays_and_the_rest_goes() {
    let home = Home::in_memory();
    let mut room = with_second(&home, Role::Operator);
    let who = room.who;
    let second = signed_in(&mut room, &of("second"));
    let kept = one_of(&mut room, second);
    let admin = signed_in(&mut room, &first());
    one_of(&mut room, admin);
    room.hold(&who, Some(&name("second")), HoldReason::Order).unwrap();
    room.picture_days_max = Some(0);
    assert_eq!(room.picture(&second, kept.id).unwrap().expires_ms, None);
    let due = room.due(&who).unwrap().unwrap();
    assert_eq!((due.pictures, due.held), (1, 1));
    assert_eq!(room.due(&second).unwrap_err().kind(), Kind::NotPermitted);
    assert_eq!(room.retain(&second).map(drop).unwrap_err().kind(), Kind::NotPermitted);
    assert_eq!(room.retain(&who).unwrap().unwrap().erasure.erased, 1);
    assert_eq!(room.due(&who).unwrap().map(|due| (due.pictures, due.held)), Some((0, 1)));
    room.end_hold(&who, Some(&name("second"))).unwrap();
    assert_eq!(room.retain_by_itself().unwrap().unwrap().erasure.erased, 1);
    home.log_verifies();
}

/// A clock that jumps ahead would erase everything.
#[test]
fn a_clock_that_was_set_erases_nothing() {
    let home = Home::in_memory();
    let mut room = home.unlocked();
    let who = room.who;
    generate(&mut room, 1, Mood::Works).unwrap();
    room.picture_days_max = Some(0);
    let right = room.began;
    for (ahead, behind) in [(3 * DAY_MS, 0), (0, 3 * DAY_MS)] {
        room.began.wall_ms = right.wall_ms + ahead - behind.min(right.wall_ms);
        assert!(matches!(room.retain_by_itself(), Err(Error::ClockMoved)));
        assert!(matches!(room.retain(&who), Err(Error::ClockMoved)));
        assert!(room.warnings().contains(&crate::Warning::ClockMoved));
        assert_eq!((room.pictures().len(), home.count("retention.begun")), (1, 0));
    }
    room.began = right;
    assert!(room.retain(&who).unwrap().is_some());
}

#[test]
fn a_crash_in_the_middle_is_looked_into_like_any_erasure() {
    let home = Home::in_memory();
    let mut room = home.unlocked();
    generate(&mut room, 1, Mood::Works).unwrap();
    room.picture_days_max = Some(0);
    crash_at(After::Erased, 1);
    assert!(matches!(room.retain_by_itself(), Err(Error::Crash)));
    drop(room);
    let room = home.unlocked();
    assert!(room.pictures().is_empty());
    assert_eq!((home.count("object.erased"), home.count("recovery.reconciled")), (1, 1));
    home.log_verifies();
}
