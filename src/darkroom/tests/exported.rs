//! A backup that comes back where the log is lost, and records of it had been exported.

use super::backup::{backed_up, is_sound, with_log_of};
use super::people::{first, name, of, one_of, signed_in, with_second};
use super::*;
use crate::{HoldReason, Kind, Restored, Role};
use std::io::Cursor;

/// With records of the lost log.
fn restore_by(home: &Home, bytes: &[u8], records: &str) -> Result<Restored, Error> {
    restore_with(home, bytes, records, &secret())
}

pub(super) fn restore_with(
    home: &Home,
    bytes: &[u8],
    records: &str,
    secret: &Secret,
) -> Result<Restored, Error> {
    let meant = crate::Meant { without_log: false, same_outputs: true };
    let (mut input, mut records) = (Cursor::new(bytes), records.as_bytes());
    let start = (SystemClock::new(), start());
    crate::restore(&home.places(), start, &mut input, secret, meant, Some(&mut records))
}

/// What `audit export` prints from record `first` on.
pub(super) fn exported(home: &Home, first: u64) -> String {
    let lines = audit::export(&home.0.join("audit"), first, audit::Form::Own).unwrap();
    lines.map(|line| line.unwrap() + "\n").collect()
}

#[test]
fn exported_records_say_what_was_erased_where_the_log_is_lost() {
    let home = Home::in_memory();
    let mut room = home.unlocked();
    let who = room.who;
    let [kept, doomed, asked] = [(); 3].map(|()| generate(&mut room, 1, Mood::Works).unwrap().remove(0));
    let bytes = backed_up(&mut room);
    room.erase(&who, &[doomed.id]).unwrap();
    drop(generate(&mut room, 1, Mood::Works).unwrap());
    crash_at(After::Intent, 1);
    assert!(matches!(room.erase(&who, &[asked.id]), Err(Error::Crash)));
    drop(room);
    let all = exported(&home, 0);
    let begun = all.lines().position(|line| line.contains("\"backup.begun\"")).unwrap();
    let behind = |first: usize| all.lines().skip(first).map(|line| format!("{line}\n")).collect::<String>();
    // All of them, or those that the backup has not.
    for records in [all.clone(), behind(begun), behind(begun + 1)] {
        let other = Home::in_memory();
        let restored = restore_by(&other, &bytes, &records).unwrap();
        assert_eq!((restored.objects, restored.erased, restored.log_survived), (1, 2, false));
        assert_eq!(restored.lost, 1);
        assert!(restored.exported_until_ms.is_some());
        let room = is_sound(&other);
        let ids: Vec<_> = room.pictures().iter().map(|picture| picture.id).collect();
        assert!(ids.contains(&kept.id) && !ids.contains(&doomed.id) && !ids.contains(&asked.id), "{ids:?}");
        // It is on record, and the log is the backup's own.
        assert_eq!((other.count("backup.restore_begun"), other.count("object.erased")), (1, 0));
    }
    // A gap, another order, a change, another log, another form, nothing new: each is told, and nothing is made.
    let line = |at: usize| all.lines().nth(at).unwrap();
    let other_log = {
        let home = Home::in_memory();
        let mut room = home.unlocked();
        (0..begun).for_each(|_| drop(generate(&mut room, 1, Mood::Works).unwrap()));
        drop(room);
        exported(&home, 0)
    };
    for (records, words) in [
        (behind(begun + 2), "some are missing"),
        (all.replacen(line(begun + 2), "", 1), "none as `audit export` writes it"),
        (all.replacen(&format!("{}\n", line(begun + 2)), "", 1), "some are missing"),
        (
            all.replacen(
                &format!("{}\n{}\n", line(begun + 1), line(begun + 2)),
                &format!("{}\n{}\n", line(begun + 2), line(begun + 1)),
                1,
            ),
            "another order",
        ),
        (behind(begun + 1).replacen("\"out\":\"ok\"", "\"out\":\"denied\"", 1), "were changed"),
        (other_log, "another log"),
        ("{\"class_uid\":3002}\n".into(), "without --format"),
        ("x".repeat(1 << 20), "none as"),
        (all.lines().take(begun + 1).map(|line| format!("{line}\n")).collect(), "end at or before"),
        (String::new(), "end at or before"),
    ] {
        let other = Home::in_memory();
        let refused = restore_by(&other, &bytes, &records).unwrap_err();
        assert!(matches!(refused, Error::Exported(_)), "{refused}");
        assert!(refused.to_string().contains(words), "{words}: {refused}");
        assert_eq!(std::fs::read_dir(other.0.join("audit")).unwrap().count(), 0, "nothing was written");
        assert!(!other.places().of_vault().vault_exists());
    }
    // A log that goes on says more than they do.
    let other = with_log_of(&home);
    let restored = restore_by(&other, &bytes, &all).unwrap();
    assert_eq!((restored.erased, restored.log_survived, restored.exported_until_ms), (2, true, None));
}

#[test]
fn a_log_that_was_cut_back_says_less_than_what_was_exported_of_it() {
    let home = Home::in_memory();
    let mut room = home.unlocked();
    let who = room.who;
    let [kept, doomed] = [(); 2].map(|()| generate(&mut room, 1, Mood::Works).unwrap().remove(0));
    let bytes = backed_up(&mut room);
    // It goes on, so that it is no log that ends where the backup was made.
    generate(&mut room, 1, Mood::Works).unwrap();
    let older = with_log_of(&home);
    room.erase(&who, &[doomed.id]).unwrap();
    drop(room);
    let restored = restore_by(&older, &bytes, &exported(&home, 0)).unwrap();
    assert_eq!((restored.objects, restored.erased, restored.log_survived), (1, 1, true));
    assert!(restored.exported_until_ms.is_some(), "it is told that the log was cut back");
    let room = is_sound(&older);
    let ids: Vec<_> = room.pictures().iter().map(|picture| picture.id).collect();
    assert!(ids.contains(&kept.id) && !ids.contains(&doomed.id), "{ids:?}");
}

/// Nobody has signed them: whoever writes some could otherwise make themselves an admin, or end a hold.
#[test]
fn exported_records_give_nobody_more_than_the_backup() {
    let home = Home::in_memory();
    let mut room = with_second(&home, Role::Operator);
    let who = room.who;
    let second = signed_in(&mut room, &of("second"));
    let (own, theirs) = (one_of(&mut room, who), one_of(&mut room, second));
    room.add_person(&who, &first(), &of("third"), Role::Admin).unwrap();
    room.hold(&who, Some(&name("second")), HoldReason::Order).unwrap();
    let bytes = backed_up(&mut room);
    room.set_role(&who, &first(), &name("second"), Role::Admin).unwrap();
    room.set_role(&who, &first(), &name("third"), Role::Operator).unwrap();
    room.end_hold(&who, Some(&name("second"))).unwrap();
    room.hold(&who, Some(&name("first")), HoldReason::Order).unwrap();
    room.leave(StopReason::Done).unwrap();
    let records = exported(&home, 0);
    let other = Home::in_memory();
    restore_with(&other, &bytes, &records, &first()).unwrap();
    let mut room = other.open().unwrap();
    let who = room.unlock(&first(), Door::Terminal).unwrap();
    let role = |room: &Darkroom, of: &str| {
        let people = room.people(&who).unwrap();
        people.into_iter().find(|person| person.name == Some(name(of))).unwrap().role
    };
    assert_eq!((role(&room, "second"), role(&room, "third")), (Some(Role::Operator), Some(Role::Operator)));
    assert_eq!(room.holds(&who).unwrap().len(), 2, "one that ended stands again, one that began does, too");
    assert_eq!(room.erase(&who, &[own.id]).map(drop).unwrap_err().kind(), Kind::Held);
    let second = room.unlock(&of("second"), Door::Terminal).unwrap();
    assert_eq!(room.erase(&second, &[theirs.id]).map(drop).unwrap_err().kind(), Kind::Held);
    other.log_verifies();
}
