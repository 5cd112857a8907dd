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
