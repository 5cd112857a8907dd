//! Roles that change.

use super::people::{first, name, of, signed_in};
use super::second::{House, Waits};
use super::*;
use crate::{Kind, Role};

#[test]
fn a_role_changes_at_once_and_what_they_are_signed_in_for_ends() {
    let mut house = House::new(1);
    let (admin, third) = (house.first, house.third);
    let refused = |error: Error| assert_eq!(error.kind(), Kind::Parameter, "{error}");
    assert!(matches!(
        house.room.set_role(&admin, &first(), &name("first"), Role::Operator),
        Err(Error::LastAdmin)
    ));
    refused(house.room.set_role(&admin, &first(), &name("third"), Role::Operator).err().unwrap());
    refused(house.room.set_role(&admin, &first(), &name("third"), Role::Auditor).err().unwrap());
    house.room.add_person(&admin, &first(), &of("fifth"), Role::Auditor).unwrap();
    refused(house.room.set_role(&admin, &first(), &name("fifth"), Role::Admin).err().unwrap());
    assert!(house.room.set_role(&third, &of("third"), &name("third"), Role::Admin).is_err());
    assert_eq!(house.done(Waits::MakeAdmin), 0);

    house.room.set_role(&admin, &first(), &name("Third"), Role::Admin).unwrap();
    assert!(matches!(house.room.list(&third), Err(Error::Locked)), "a session of another role is none");
    let third = signed_in(&mut house.room, &of("third"));
    assert_eq!((third.role(), third.slot), (Role::Admin, house.third.slot));
    assert_eq!(third.actor, house.third.actor, "they are who they were");
    assert_eq!(house.room.list(&third).unwrap().len(), 1, "and have what was theirs");
    // It outlives the opening, a roll, and who gave it; and can be taken away again.
    house.room.two_person = TwoPersons::default();
    house.room.remove_person(&third, &of("third"), &name("first"), None).unwrap();
    house.room.replace_recovery(&third).unwrap();
    let Err(Error::LastAdmin) = house.room.set_role(&third, &of("third"), &name("third"), Role::Operator)
    else {
        panic!("nobody would manage people");
    };
    drop(house.room);
    let mut darkroom = house.home.open().unwrap();
    let third = darkroom.unlock(&of("third"), Door::Terminal).unwrap();
    assert_eq!(third.role(), Role::Admin);
    assert_eq!(darkroom.people(&third).unwrap().iter().filter(|p| p.role == Some(Role::Admin)).count(), 1);
    darkroom.add_person(&third, &of("third"), &of("sixth"), Role::Admin).unwrap();
    let sixth = darkroom.unlock(&of("sixth"), Door::Page).unwrap();
    darkroom.set_role(&sixth, &of("sixth"), &name("third"), Role::Operator).unwrap();
    assert!(matches!(darkroom.people(&third), Err(Error::Locked)));
    let third = darkroom.unlock(&of("third"), Door::Page).unwrap();
    assert!(matches!(darkroom.people(&third), Err(Error::NotPermitted(_))));
    house.home.log_verifies();
}

/// Roles that were changed after a backup are what they were changed to, and what waited when it was made waits no longer.
#[test]
fn a_backup_brings_back_no_role_and_nothing_that_waited() {
    let mut house = House::new(2);
    let number = house.waits(Waits::Erase);
    let (first_one, mut bytes) = (house.first, Vec::new());
    crate::back_up(&mut *house.room, &first_one, None, &mut bytes, || Ok(()), || true).unwrap();
    house.room.refuse_pending(&house.second, number).unwrap();
    house.room.two_person = TwoPersons::default();
    house.ask(Waits::UnmakeAdmin).unwrap();
    for without_log in [false, true] {
        let home = Home::in_memory();
        if !without_log {
            backup::copy(&house.home.0.join("audit"), &home.0.join("audit"));
        }
        backup::restore(&home, &bytes, &first(), without_log).unwrap();
        let mut darkroom = home.open().unwrap();
        let admin = darkroom.unlock(&first(), Door::Terminal).unwrap();
        assert!(darkroom.pending(&admin).unwrap().is_empty());
        let again = darkroom.unlock(&of("second"), Door::Page).unwrap();
        assert_eq!(again.role(), if without_log { Role::Admin } else { Role::Operator });
    }
}

/// By the log that has survived: demoted, or removed, since the backup was made.
#[test]
fn who_is_no_admin_any_more_puts_no_backup_back() {
    for act in [Waits::UnmakeAdmin, Waits::RemoveAdmin] {
        let mut house = House::new(2);
        let (first_one, mut bytes) = (house.first, Vec::new());
        crate::back_up(&mut *house.room, &first_one, None, &mut bytes, || Ok(()), || true).unwrap();
        let before = backup::with_log_of(&house.home);
        backup::restore(&before, &bytes, &of("second"), true).unwrap();
        house.room.two_person = TwoPersons::default();
        house.ask(act).unwrap();
        let since = backup::with_log_of(&house.home);
        let refused = backup::restore(&since, &bytes, &of("second"), false).unwrap_err();
        assert_eq!(refused.kind(), Kind::NotPermitted, "{act:?}: {refused}");
        assert_eq!(since.count("backup.restore_begun"), 0, "{act:?}");
        backup::restore(&since, &bytes, &first(), false).unwrap();
        since.log_verifies();
    }
}

/// A full disk, after the record: the log says at once that nothing has changed, and so does a vault that is put back by it.
#[test]
fn a_change_that_the_vault_does_not_take_stands_on_no_record() {
    for (act, done, back) in [
        (Waits::UnmakeAdmin, "slot.role_changed", "slot.role_changed"),
        (Waits::EndHold, "hold.ended", "hold.set"),
    ] {
        let mut house = House::for_act(act, 2);
        house.room.two_person = TwoPersons::default();
        let (first_one, mut bytes) = (house.first, Vec::new());
        crate::back_up(&mut *house.room, &first_one, None, &mut bytes, || Ok(()), || true).unwrap();
        let was = house.home.count(back);
        house.room.random = Box::new(super::remember::Failing { at: 1, drawn: Arc::default() });
        assert!(house.ask(act).is_err(), "{act:?}");
        let records = house.home.records();
        let [changed, unchanged] = &records[records.len() - 2..] else { panic!("{records:?}") };
        assert_eq!((&*changed.0, &*unchanged.0), (done, back), "{records:?}");
        assert_eq!(house.home.count(back), was + if done == back { 2 } else { 1 }, "{act:?}");
        let other = backup::with_log_of(&house.home);
        backup::restore(&other, &bytes, &first(), false).unwrap();
        let mut darkroom = other.open().unwrap();
        let admin = darkroom.unlock(&first(), Door::Terminal).unwrap();
        assert_eq!(darkroom.unlock(&of("second"), Door::Page).unwrap().role(), Role::Admin, "{act:?}");
        let holds = usize::from(act == Waits::EndHold);
        assert_eq!(darkroom.holds(&admin).unwrap().len(), holds, "{act:?}");
        // It can be asked for again.
        house.ask(act).unwrap();
        house.home.log_verifies();
    }
}

/// The role is taken away, and the program ends before what its person had asked for is dropped.
#[test]
fn what_went_with_its_asker_does_not_come_back_with_their_role() {
    let mut house = House::new(2);
    house.waits(Waits::Erase);
    let second = house.second;
    house.room.two_person = TwoPersons::default();
    house.room.random = Box::new(super::remember::Failing { at: 2, drawn: Arc::default() });
    house.room.set_role(&second, &of("second"), &name("first"), Role::Operator).unwrap();
    let left = crate::pending::Pending::all(&house.room.open_vault().unwrap().vault).len();
    assert_eq!(left, 1, "it was not dropped");
    house.room.set_role(&second, &of("second"), &name("first"), Role::Admin).unwrap();
    assert!(house.room.pending(&second).unwrap().is_empty());
    assert_eq!(house.done(Waits::Erase), 0);
    house.home.log_verifies();
}
