//! Two people who open the vault together, and nobody alone.

use super::people::{first, name, of, one_of, signed_in};
use super::second::{House, Waits};
use super::*;
use crate::{Kind, MachineUse, Pictures, Role, Warning};
use vault::{PersonName, RecoveryCode};

fn both() -> Secret {
    first().together(Some(of("second")))
}

/// How many records of this type say this.
fn said(home: &Home, kind: &str, text: &str) -> usize {
    home.records().iter().filter(|(name, line)| name == kind && line.contains(text)).count()
}

/// A darkroom of two admins and an operator with a picture, signed in as the first one.
fn of_three(home: &Home) -> (Room, Who) {
    let mut room = home.unlocked();
    let who = room.who;
    room.add_person_named(&who, &secret(), Some(&name("first")), &of("second"), Role::Admin).unwrap();
    let admin = signed_in(&mut room, &first());
    room.add_person(&admin, &first(), &of("third"), Role::Operator).unwrap();
    let third = signed_in(&mut room, &of("third"));
    one_of(&mut room, third);
    (room, admin)
}

fn named() -> [PersonName; 2] {
    [name("first"), name("second")]
}

/// Who asks has `proof`, and each of the others types theirs.
fn set(
    room: &mut Room,
    who: &Who,
    proof: &Secret,
    names: &[PersonName],
) -> Result<Option<RecoveryCode>, Error> {
    let asked = room.still_to_prove(who, proof, names)?;
    let theirs = |name: &PersonName| if name.as_str() == "first" { first() } else { of(name.as_str()) };
    room.set_holders(who, proof, names, &asked.iter().map(theirs).collect::<Vec<_>>())
}

#[test]
fn one_alone_opens_nothing_and_both_are_on_record_each_as_themselves() {
    let home = Home::in_memory();
    let (mut room, admin) = of_three(&home);
    assert!(!room.is_joint());
    set(&mut room, &admin, &first(), &named()).unwrap();
    assert!(room.is_joint());
    let set = |needed: &str| said(&home, "slot.joint", needed);
    assert_eq!((set("needed=true slot=1"), set("needed=true slot=3"), home.count("slot.joint")), (1, 1, 2));
    // Whoever is in stays, and everybody comes in by themselves while it is open.
    room.list(&admin).unwrap();
    let second = signed_in(&mut room, &of("second"));
    let third = signed_in(&mut room, &of("third"));
    assert_eq!(room.list(&third).unwrap().len(), 1);
    room.lock(Some(&admin)).unwrap();
    for (typed, is_of_two) in [
        (first(), true),
        (of("second"), true),
        (of("third"), true),
        (first().together(Some(of("third"))), true),
        (first().together(Some(first())), true),
        (of("nobody"), false),
        (first().together(Some(of("nobody"))), false),
        (first().together(Some(of("third").of(Some(name("second"))))), false),
    ] {
        let failed = home.count("vault.unlock_failed");
        let error = room.unlock(&typed, Door::Terminal).unwrap_err();
        assert_eq!((error.kind(), error.is_of_two()), (Kind::WrongSecret, is_of_two));
        assert!(!room.is_open());
        assert_eq!(home.count("vault.unlock_failed"), failed + 1, "it is on record");
    }
    let who = room.unlock(&both(), Door::Page).unwrap();
    assert_eq!((who.slot(), who.actor()), (1, admin.actor()));
    assert_eq!(
        said(&home, "vault.unlocked_with", &format!("{} ", second.actor())),
        1,
        "the second one's own record"
    );
    assert_eq!(said(&home, "vault.unlocked_with", "slot=3"), 1);
    home.log_verifies();
}

#[test]
fn what_would_let_one_of_them_open_it_alone_takes_both() {
    let home = Home::in_memory();
    let (mut room, admin) = of_three(&home);
    set(&mut room, &admin, &first(), &named()).unwrap();
    // Whoever was in before, and whoever came in by the page, is one.
    room.lock(Some(&admin)).unwrap();
    let at_page = room.unlock(&both(), Door::Page).unwrap();
    let alone = room.unlock(&first(), Door::Terminal).unwrap();
    for (count, who) in [at_page, alone].into_iter().enumerate() {
        let refused = |error: Error| assert_eq!(error.kind(), Kind::Policy, "{error}");
        refused(room.replace_recovery(&who).err().unwrap());
        refused(set(&mut room, &who, &first(), &[]).unwrap_err());
        refused(set(&mut room, &who, &first(), &[name("first"), name("third")]).unwrap_err());
        assert_eq!(said(&home, "request.refused", "reason=policy"), 3 * (count + 1));
    }
    let machine = super::machine::machine();
    let added = room.add_machine_secret(&at_page, &first(), (&machine, MachineUse::Alone));
    assert_eq!(added.unwrap_err().kind(), Kind::Conflict);
    // Nobody is left alone with it, and no picture of theirs goes before that is said.
    let second = signed_in(&mut room, &of("second"));
    one_of(&mut room, second);
    let removed = room.remove_person(&at_page, &first(), &name("second"), Some(&Pictures::Erase));
    assert_eq!(removed.unwrap_err().kind(), Kind::Conflict);
    assert_eq!((room.list(&second).unwrap().len(), home.count("object.erase_requested")), (1, 0));
    // A wrong proof, and a role that may not.
    assert_eq!(set(&mut room, &at_page, &of("second"), &[]).unwrap_err().kind(), Kind::WrongSecret);
    let third = signed_in(&mut room, &of("third"));
    assert_eq!(set(&mut room, &third, &of("third"), &[]).unwrap_err().kind(), Kind::NotPermitted);
    room.lock(Some(&at_page)).unwrap();
    // Both at a terminal.
    let who = room.unlock(&both(), Door::Terminal).unwrap();
    let drawn = room.replace_recovery(&who).unwrap();
    let three = [name("first"), name("third"), name("second")];
    // Who opened it with them has typed theirs already.
    assert_eq!(room.still_to_prove(&who, &both(), &three).unwrap(), [name("third")]);
    let code = set(&mut room, &who, &both(), &three).unwrap().expect("another one");
    assert_eq!(room.unlock(&drawn.secret(), Door::Page).unwrap_err().kind(), Kind::WrongSecret);
    assert_eq!((said(&home, "slot.joint", "needed=true slot=4"), home.count("slot.joint")), (1, 2 + 3));
    // Each of both has another recovery code, and so has who draws one: that is the slot on record.
    assert_eq!(said(&home, "vault.secret_changed", "slot=2"), 3);
    room.remove_person(&who, &first(), &name("second"), Some(&Pictures::Keep)).unwrap();
    room.lock(Some(&who)).unwrap();
    let who = room.unlock(&of("third").together(Some(first())), Door::Terminal).unwrap();
    assert_eq!(set(&mut room, &who, &of("third"), &[]).unwrap_err().kind(), Kind::NotPermitted);
    room.lock(Some(&who)).unwrap();
    // Both have lost theirs: the code sets one after the other.
    let who = room.unlock(&code.secret(), Door::Terminal).unwrap();
    let found = || Secret::passphrase("found words of the first").unwrap().of(Some(name("first")));
    room.change_secret(&who, &code.secret().of(Some(name("first"))), &found()).unwrap();
    room.lock(Some(&who)).unwrap();
    assert!(room.unlock(&found(), Door::Terminal).unwrap_err().is_of_two(), "two are needed all the same");
    let who = room.unlock(&found().together(Some(of("third"))), Door::Terminal).unwrap();
    set(&mut room, &who, &found(), &[]).unwrap();
    assert_eq!((said(&home, "slot.joint", "needed=false"), room.is_joint()), (2, false));
    assert_eq!(set(&mut room, &who, &found(), &[]).unwrap_err().kind(), Kind::NotFound);
    room.lock(Some(&who)).unwrap();
    room.unlock(&of("third"), Door::Terminal).unwrap();
    home.log_verifies();
}

#[test]
fn who_holds_it_is_there_once_and_may_open_pictures() {
    let home = Home::in_memory();
    let (mut room, admin) = of_three(&home);
    room.add_person(&admin, &first(), &of("auditor"), Role::Auditor).unwrap();
    let rolls = home.count("vault.secret_changed");
    for (names, kind) in [
        (vec![name("first"), name("nobody")], Kind::NotFound),
        (vec![name("first"), name("First")], Kind::Parameter),
        (vec![name("first")], Kind::Conflict),
        (vec![name("first"), name("auditor")], Kind::Parameter),
        (vec![], Kind::NotFound),
    ] {
        assert_eq!(set(&mut room, &admin, &first(), &names).unwrap_err().kind(), kind, "{names:?}");
    }
    assert_eq!((home.count("vault.secret_changed"), room.is_joint()), (rolls, false));
    assert_eq!(home.count("vault.secret_failed"), 3, "what the vault refuses is on record");
    home.log_verifies();
}

/// Whoever is to hold it says so with their passphrase: from that a slot secret is drawn that no copy from before tells.
#[test]
fn each_of_those_who_are_to_hold_it_types_their_passphrase() {
    let home = Home::in_memory();
    let (mut room, admin) = of_three(&home);
    let names = [name("first"), name("second"), name("third")];
    assert_eq!(room.still_to_prove(&admin, &first(), &names).unwrap(), names[1..]);
    let failed = home.count("vault.unlock_failed");
    let other = || of("second").of(Some(name("third")));
    for (typed, guesses) in [(vec![], 0), (vec![of("third")], 0), (vec![of("second"), other()], 1)] {
        let before = home.count("vault.unlock_failed");
        let refused = room.set_holders(&admin, &first(), &names, &typed).unwrap_err();
        assert_eq!(refused.kind(), Kind::WrongSecret);
        assert_eq!(home.count("vault.unlock_failed"), before + guesses, "a guess is on record");
    }
    assert_eq!((home.count("vault.unlock_failed"), room.is_joint()), (failed + 1, false));
    assert_eq!(home.count("slot.joint"), 0);
    // A third one may ask it of two.
    set(&mut room, &admin, &first(), &names[1..]).unwrap();
    room.lock(Some(&admin)).unwrap();
    room.unlock(&of("second").together(Some(of("third"))), Door::Page).unwrap();
    home.log_verifies();
}

/// Each of two who are to go could go alone. What is erased with one of them stays, since nothing of the second is done.
#[test]
fn two_acts_that_wait_leave_nobody_alone_with_it() {
    let mut house = House::new(3);
    let names = [name("first"), name("second"), name("third")];
    set(&mut house.room, &house.first, &first(), &names).unwrap();
    let (one, other) = (house.waits(Waits::RemoveAdmin), house.waits(Waits::RemoveErase));
    let fourth = signed_in(&mut house.room, &of("fourth"));
    house.room.confirm(&fourth, &of("fourth"), one).unwrap();
    let refused = house.room.confirm(&fourth, &of("fourth"), other).err().unwrap();
    assert_eq!(refused.kind(), Kind::Conflict, "{refused}");
    let left = house.room.list(&house.third).unwrap().len();
    assert_eq!((left, house.room.holders().len(), house.home.count("slot.removed")), (1, 2, 1));
    house.home.log_verifies();
}

#[test]
fn a_crash_in_the_middle_leaves_it_done_or_not_done_and_told() {
    let home = Home::new();
    let (mut room, admin) = of_three(&home);
    let changed = home.count("vault.secret_changed");
    crash_at(After::Rolled, 1);
    set(&mut room, &admin, &first(), &named()).unwrap_err();
    drop(room);
    let mut darkroom = home.open().unwrap();
    assert_eq!(darkroom.warnings(), [Warning::Interrupted]);
    assert!(darkroom.unlock(&first(), Door::Terminal).unwrap_err().is_of_two());
    let who = darkroom.unlock(&both(), Door::Terminal).unwrap();
    // The code from before opens nothing, and nobody has seen the new one.
    assert_eq!(darkroom.warnings(), [Warning::CodeUnseen]);
    assert_eq!(said(&home, "vault.secret_changed", "slot=2"), 1);
    assert_eq!((home.count("slot.joint"), home.count("vault.secret_changed")), (2, changed + 1));
    crash_at(After::Rolled, 1);
    darkroom.set_holders(&who, &first(), &[], &[]).unwrap_err();
    drop(darkroom);
    let mut darkroom = home.open().unwrap();
    let who = darkroom.unlock(&first(), Door::Terminal).unwrap();
    assert_eq!(darkroom.warnings(), []);
    assert_eq!(
        (said(&home, "slot.joint", "needed=false"), home.count("vault.secret_changed")),
        (2, changed + 2)
    );
    // So it is where a recovery code alone was drawn, until one is that somebody sees.
    crash_at(After::Rolled, 1);
    darkroom.replace_recovery(&who).map(drop).unwrap_err();
    drop(darkroom);
    let mut darkroom = home.open().unwrap();
    let who = darkroom.unlock(&first(), Door::Terminal).unwrap();
    assert_eq!(darkroom.warnings(), [Warning::CodeUnseen]);
    darkroom.replace_recovery(&who).unwrap();
    assert_eq!(darkroom.warnings(), []);
    home.log_verifies();
}

/// Operators could open it together and end that never.
#[test]
fn one_of_those_who_hold_it_is_an_admin() {
    let home = Home::in_memory();
    let (mut room, admin) = of_three(&home);
    room.add_person(&admin, &first(), &of("fourth"), Role::Operator).unwrap();
    let conflict = |error: Error| assert_eq!(error.kind(), Kind::Conflict, "{error}");
    conflict(set(&mut room, &admin, &first(), &[name("third"), name("fourth")]).unwrap_err());
    assert!(!room.is_joint());
    set(&mut room, &admin, &first(), &[name("second"), name("third"), name("fourth")]).unwrap();
    conflict(room.set_role(&admin, &first(), &name("second"), Role::Operator).unwrap_err());
    conflict(room.remove_person(&admin, &first(), &name("second"), None).unwrap_err());
    // One who does not hold it may go, and so may an admin beside whom another one does.
    room.set_role(&admin, &first(), &name("third"), Role::Admin).unwrap();
    room.set_role(&admin, &first(), &name("second"), Role::Operator).unwrap();
    home.log_verifies();
}

/// An auditor opens no picture, so nobody is asked for beside them.
#[test]
fn an_auditor_needs_nobody_beside_them() {
    let home = Home::in_memory();
    let (mut room, admin) = of_three(&home);
    room.add_person(&admin, &first(), &of("auditor"), Role::Auditor).unwrap();
    assert!(!room.takes_second(Some(&name("first"))), "each opens it alone");
    set(&mut room, &admin, &first(), &named()).unwrap();
    assert!(!room.takes_second(Some(&name("first"))), "it is open");
    room.lock(Some(&admin)).unwrap();
    for (who, takes) in [("first", true), ("third", true), ("nobody", true), ("auditor", false)] {
        assert_eq!(room.takes_second(Some(&name(who))), takes, "{who}");
    }
    assert!(room.takes_second(None));
    assert_eq!(room.unlock(&of("auditor"), Door::Page).unwrap_err().kind(), Kind::AuditorOnly);
    home.log_verifies();
}
