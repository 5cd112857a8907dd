//! Acts that take two admins: each of them, by one, by two, by one twice, too late, and cut short.

use super::people::{first, name, of, one_of, signed_in};
use super::*;
use crate::{Confirmed, HoldReason, Kind, Pictures, ResolveReason, Role};
use policy::TwoPerson;

/// Every act that can wait.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Waits {
    Resolve,
    Erase,
    RemoveErase,
    RemoveHandOver,
    RemoveAdmin,
    EndHold,
    Destroy,
    MakeAdmin,
    UnmakeAdmin,
}

use Waits::{
    Destroy, EndHold, Erase, MakeAdmin, RemoveAdmin, RemoveErase, RemoveHandOver, Resolve, UnmakeAdmin,
};

const ALL: [Waits; 9] =
    [Resolve, Erase, RemoveErase, RemoveHandOver, RemoveAdmin, EndHold, Destroy, MakeAdmin, UnmakeAdmin];

const EVERYTHING: [TwoPerson; 5] =
    [TwoPerson::Resolve, TwoPerson::Pictures, TwoPerson::Hold, TwoPerson::Destroy, TwoPerson::Admin];

/// Who is there: "first", an admin, and "third", an operator with a picture; "second" and "fourth", admins, where there are more.
pub(super) struct House {
    pub home: Home,
    pub room: Room,
    pub first: Who,
    pub second: Who,
    pub third: Who,
    fourth: Who,
}

impl House {
    pub fn new(admins: usize) -> Self {
        let home = Home::in_memory();
        let mut room = home.unlocked();
        let who = room.who;
        room.add_person_named(&who, &secret(), Some(&name("first")), &of("third"), Role::Operator).unwrap();
        let admin = signed_in(&mut room, &first());
        for more in ["second", "fourth"].iter().take(admins - 1) {
            room.add_person(&admin, &first(), &of(more), Role::Admin).unwrap();
        }
        let mut come = |person: &str, there: bool| match there {
            true => signed_in(&mut room, &of(person)),
            false => Who::NOBODY,
        };
        let (second, third, fourth) =
            (come("second", admins > 1), come("third", true), come("fourth", admins > 2));
        one_of(&mut room, third);
        room.who = admin;
        let mut house = Self { home, room, first: admin, second, third, fourth };
        house.in_force();
        house
    }

    /// With a hold, if one is to be ended.
    pub fn for_act(act: Waits, admins: usize) -> Self {
        let mut house = Self::new(admins);
        if act == EndHold {
            house.room.hold(&house.first, Some(&name("third")), HoldReason::Order).unwrap();
        }
        house
    }

    fn in_force(&mut self) {
        self.room.two_person = TwoPersons::of(&EVERYTHING);
    }

    /// The first one asks.
    pub fn ask(&mut self, act: Waits) -> Result<(), Error> {
        let (room, who, proof) = (&mut self.room, self.first, first());
        let mut remove =
            |pictures| room.remove_person(&who, &proof, &name("third"), Some(&pictures)).map(drop);
        match act {
            RemoveErase => remove(Pictures::Erase),
            RemoveHandOver => remove(Pictures::HandOver(name("first"))),
            RemoveAdmin => self.room.remove_person(&who, &proof, &name("second"), None).map(drop),
            Erase => self.room.erase_of(&who, &name("third")).map(drop),
            EndHold => self.room.end_hold(&who, Some(&name("third"))),
            Destroy => self.room.destroy_vault(&who).map(drop),
            MakeAdmin => self.room.set_role(&who, &proof, &name("third"), Role::Admin).map(drop),
            UnmakeAdmin => self.room.set_role(&who, &proof, &name("second"), Role::Operator).map(drop),
            Resolve => self.room.resolve(&who, self.third.actor, ResolveReason::Audit).map(drop),
        }
    }

    /// The number under which it waits then.
    pub fn waits(&mut self, act: Waits) -> u64 {
        match self.ask(act) {
            Err(Error::Waits { number, hours: 72 }) => number,
            other => panic!("{act:?}: {other:?}"),
        }
    }

    /// The second one confirms.
    fn confirm(&mut self, number: u64) -> Result<Confirmed, Error> {
        self.room.confirm(&self.second, &of("second"), number)
    }

    /// How often the log says that it is done.
    pub fn done(&self, act: Waits) -> usize {
        self.home.count(match act {
            Resolve => "slot.resolved",
            Erase | RemoveErase => "object.erased",
            RemoveHandOver | RemoveAdmin => "slot.removed",
            EndHold => "hold.ended",
            Destroy => "vault.destroyed",
            MakeAdmin | UnmakeAdmin => "slot.role_changed",
        })
    }

    fn waiting(&self) -> Vec<u64> {
        self.room.pending(&self.first).unwrap().iter().map(|waiting| waiting.number).collect()
    }

    /// Everything is opened anew, as after an end of the program.
    fn reopen(self) -> Self {
        let Self { home, room, .. } = self;
        drop(room);
        let mut darkroom = home.open().unwrap();
        let first = darkroom.unlock(&first(), Door::Terminal).unwrap();
        let mut come = |person: &str| darkroom.unlock(&of(person), Door::Page).unwrap_or(Who::NOBODY);
        let (second, third, fourth) = (come("second"), come("third"), come("fourth"));
        let room = Room { darkroom: Some(darkroom), who: first };
        let mut house = Self { home, room, first, second, third, fourth };
        house.in_force();
        house
    }
}

/// The pseudonym that a record is by.
fn actor(line: &str) -> String {
    line.split(' ').find(|word| word.starts_with("a:")).unwrap().to_owned()
}

#[test]
fn where_the_policy_asks_for_nobody_one_admin_does_it() {
    for act in ALL {
        let mut house = House::for_act(act, 2);
        house.room.two_person = TwoPersons::default();
        house.ask(act).unwrap_or_else(|error| panic!("{act:?}: {error}"));
        assert_eq!((house.done(act), house.home.count("act.asked")), (1, 0), "{act:?}");
    }
}

/// A policy that asks for two is no way to destroy what one person keeps, nor to lock that person out.
#[test]
fn one_admin_alone_is_refused_in_words_and_makes_a_second_one() {
    for act in ALL.into_iter().filter(|act| ![MakeAdmin, RemoveAdmin, UnmakeAdmin].contains(act)) {
        let mut house = House::for_act(act, 1);
        let refused = house.ask(act).err().unwrap();
        assert_eq!(refused.kind(), Kind::SecondAdmin, "{act:?}: {refused}");
        assert!(refused.to_string().contains("make somebody else an admin first"), "{refused}");
        assert_eq!((house.done(act), house.home.count("act.asked")), (0, 0), "{act:?}");
        assert_eq!(house.home.count("request.refused"), 1, "{act:?}");
        assert_eq!(house.room.list(&house.third).unwrap().len(), 1, "{act:?}");
        house.ask(MakeAdmin).unwrap();
        house.waits(act);
        house.home.log_verifies();
    }
    let mut house = House::new(1);
    house.room.add_person(&house.first, &first(), &of("second"), Role::Admin).unwrap();
    let more = house.room.add_person(&house.first, &first(), &of("fourth"), Role::Admin).err().unwrap();
    assert!(more.to_string().contains("add them as an operator"), "{more}");
    // Nor does a vault in which nobody has a name.
    let home = Home::in_memory();
    let mut room = home.unlocked();
    room.two_person = TwoPersons::of(&EVERYTHING);
    let who = room.who;
    assert_eq!(room.destroy_vault(&who).err().unwrap().kind(), Kind::SecondAdmin);
    assert_eq!(home.count("vault.destroy_requested"), 0);
}

#[test]
fn two_admins_do_it_once_and_both_are_on_record() {
    for act in ALL {
        let mut house = House::for_act(act, 2);
        let number = house.waits(act);
        assert_eq!((house.done(act), house.waiting()), (0, vec![number]), "{act:?}");
        assert_eq!(house.room.list(&house.third).unwrap().len(), 1, "{act:?}: nothing is done");
        let told = house.room.pending(&house.second).unwrap().remove(0);
        assert_eq!((told.is_own, told.by.is_some()), (false, true));
        let done = house.confirm(number).unwrap_or_else(|error| panic!("{act:?}: {error}"));
        match (act, done) {
            (Resolve, Confirmed::Resolved(person)) => assert_eq!(person.slot, house.third.slot),
            (Erase, Confirmed::Erased(erased, names)) => {
                assert_eq!((erased.erasure.erased, names.len()), (1, 1));
            }
            (RemoveErase, Confirmed::Removed(removed)) => {
                let (erased, names) = removed.erased.expect("what was erased");
                assert_eq!((removed.slot, erased.records.len(), names.len()), (house.third.slot, 1, 1));
            }
            (RemoveHandOver, Confirmed::Removed(removed)) => {
                assert_eq!((removed.slot, removed.erased.is_some()), (house.third.slot, false));
            }
            (RemoveAdmin, Confirmed::Removed(removed)) => assert_eq!(removed.slot, house.second.slot),
            (EndHold, Confirmed::HoldEnded) => assert!(house.room.holds(&house.first).unwrap().is_empty()),
            (Destroy, Confirmed::Destroyed(gone)) => assert_eq!(gone.pictures, 1),
            (MakeAdmin, Confirmed::RoleChanged(slot)) => assert_eq!(slot, house.third.slot),
            (UnmakeAdmin, Confirmed::RoleChanged(slot)) => assert_eq!(slot, house.second.slot),
            (act, _) => panic!("{act:?} ended as another act"),
        }
        assert_eq!(house.done(act), 1, "{act:?}");
        // Both pseudonyms, and the second record names the first.
        let records = house.home.records();
        let line = |kind: &str| records.iter().find(|(n, _)| n == kind).unwrap().1.clone();
        let (asked, confirmed) = (line("act.asked"), line("act.confirmed"));
        assert_ne!(actor(&asked), actor(&confirmed), "{act:?}");
        assert!(confirmed.contains(&format!("asked={number}")), "{confirmed}");
        if act != Destroy {
            assert!(house.waiting().is_empty(), "{act:?}");
            let who = if [RemoveAdmin, UnmakeAdmin].contains(&act) { house.first } else { house.second };
            let proof = if who == house.first { first() } else { of("second") };
            let again = house.room.confirm(&who, &proof, number);
            assert!(matches!(again, Err(Error::NoPending { .. })), "{act:?}");
            assert_eq!((house.done(act), house.home.count("act.confirmed")), (1, 1), "{act:?}");
        }
        house.home.log_verifies();
    }
}

#[test]
fn nobody_is_the_second_one_of_what_they_asked_for() {
    for act in ALL {
        let mut house = House::for_act(act, 2);
        let number = house.waits(act);
        assert_eq!(house.waits(act), number, "{act:?}: asked for twice it waits once");
        let own = house.room.confirm(&house.first, &first(), number);
        assert!(matches!(own, Err(Error::OwnWord)), "{act:?}");
        let wrong = house.room.confirm(&house.second, &of("another"), number);
        assert!(matches!(wrong, Err(Error::Vault(vault::Error::WrongSecret))), "{act:?}");
        let of_operator = house.room.confirm(&house.third, &of("third"), number);
        assert!(matches!(of_operator, Err(Error::NotPermitted(_))), "{act:?}");
        assert!(
            house.room.pending(&house.third).is_err()
                && house.room.refuse_pending(&house.third, number).is_err()
        );
        assert_eq!((house.done(act), house.home.count("act.confirmed")), (0, 0), "{act:?}");
        assert_eq!(house.home.count("act.asked"), 1, "{act:?}");
        // Refused, or taken back, it is over.
        let who = if act == Erase { house.first } else { house.second };
        house.room.refuse_pending(&who, number).unwrap();
        assert!(matches!(house.confirm(number), Err(Error::NoPending { .. })), "{act:?}");
        assert_eq!((house.done(act), house.home.count("act.refused")), (0, 1), "{act:?}");
        assert_ne!(house.waits(act), number, "{act:?}: a number is never another's");
        house.home.log_verifies();
    }
}

#[test]
fn what_waited_too_long_is_over() {
    for act in ALL {
        let mut house = House::for_act(act, 2);
        let number = house.waits(act);
        house.room.two_person_hours_max = 0;
        assert!(house.waiting().is_empty(), "{act:?}");
        assert!(matches!(house.confirm(number), Err(Error::NoPending { .. })), "{act:?}");
        house.room.two_person_hours_max = 72;
        assert!(matches!(house.confirm(number), Err(Error::NoPending { .. })), "{act:?}: for good");
        assert_eq!((house.done(act), house.home.count("act.lapsed")), (0, 1), "{act:?}");
        house.home.log_verifies();
    }
}

/// Removed, or no admin any more.
#[test]
fn what_somebody_asked_for_goes_with_them() {
    for act in ALL.into_iter().filter(|act| ![RemoveAdmin, UnmakeAdmin].contains(act)) {
        for is_removed in [true, false] {
            let mut house = House::for_act(act, 3);
            let number = house.waits(act);
            let (second, fourth) = (house.second, house.fourth);
            let room = &mut house.room;
            let asked = match is_removed {
                true => room.remove_person(&second, &of("second"), &name("first"), None).map(drop),
                false => room.set_role(&second, &of("second"), &name("first"), Role::Operator).map(drop),
            };
            let Err(Error::Waits { number: of_removal, .. }) = asked else { panic!("{act:?}: {asked:?}") };
            room.confirm(&fourth, &of("fourth"), of_removal).unwrap();
            assert!(room.pending(&second).unwrap().is_empty(), "{act:?}");
            let late = room.confirm(&fourth, &of("fourth"), number);
            assert!(matches!(late, Err(Error::NoPending { .. })), "{act:?}");
            assert!(matches!(room.people(&house.first), Err(Error::Locked)), "{act:?}: they are out");
            let lapsed =
                house.home.records().iter().filter(|(n, l)| n == "act.lapsed" && l.contains("asker")).count();
            assert_eq!(lapsed, 1, "{act:?}");
            house.home.log_verifies();
        }
    }
}

#[test]
fn what_has_changed_since_is_not_done() {
    for act in [Erase, RemoveErase, RemoveHandOver, EndHold, MakeAdmin] {
        let mut house = House::for_act(act, 2);
        let number = house.waits(act);
        let (first, second, third) = (house.first, house.second, house.third);
        house.room.two_person = TwoPersons::default();
        match act {
            EndHold => {
                house.room.end_hold(&second, Some(&name("third"))).unwrap();
                std::thread::sleep(std::time::Duration::from_millis(2));
                house.room.hold(&second, Some(&name("third")), HoldReason::Order).unwrap();
            }
            MakeAdmin => {
                house.room.set_role(&second, &of("second"), &name("third"), Role::Admin).unwrap();
            }
            _ => drop(one_of(&mut house.room, third)),
        }
        house.in_force();
        let before = house.done(act);
        assert!(house.room.pending(&first).unwrap().is_empty(), "nobody is told that it waits: {act:?}");
        assert_eq!(house.room.count_waiting(&second).unwrap(), 0, "{act:?}");
        assert!(matches!(house.confirm(number), Err(Error::TargetChanged)), "{act:?}");
        assert_eq!(house.done(act), before, "{act:?}");
        assert!(house.room.pending(&first).unwrap().is_empty(), "{act:?}");
        assert_eq!((house.home.count("act.lapsed"), house.home.count("act.confirmed")), (1, 0), "{act:?}");
    }
    // Who was to have the pictures is gone.
    let mut house = House::new(3);
    let to = Pictures::HandOver(name("fourth"));
    let asked = house.room.remove_person(&house.first, &first(), &name("third"), Some(&to));
    let Err(Error::Waits { number, .. }) = asked else { panic!("{asked:?}") };
    house.room.two_person = TwoPersons::default();
    house.room.remove_person(&house.first, &first(), &name("fourth"), None).unwrap();
    house.in_force();
    assert!(matches!(house.confirm(number), Err(Error::TargetChanged)));
    assert_eq!(house.room.list(&house.third).unwrap().len(), 1);
}

/// What the act itself refuses is not used up: the second one confirms again once it can be done.
#[test]
fn an_act_that_is_refused_when_it_is_confirmed_waits_still() {
    for act in [Erase, RemoveErase, Destroy] {
        let mut house = House::new(2);
        let number = house.waits(act);
        house.room.hold(&house.second, None, HoldReason::Order).unwrap();
        assert_eq!(house.confirm(number).err().unwrap().kind(), Kind::Held, "{act:?}");
        assert_eq!((house.done(act), house.waiting()), (0, vec![number]), "{act:?}");
        let mut house = house.reopen();
        house.room.two_person = TwoPersons::default();
        house.room.end_hold(&house.second, None).unwrap();
        house.in_force();
        house.confirm(number).unwrap_or_else(|error| panic!("{act:?}: {error}"));
        assert_eq!(house.done(act), 1, "{act:?}");
        house.home.log_verifies();
    }
}

#[test]
fn a_crash_leaves_it_waiting_or_done_or_never_asked_for() {
    for act in ALL {
        // On record, and the vault does not know of it.
        let mut house = House::for_act(act, 2);
        crash_at(After::Asked, 1);
        assert!(matches!(house.ask(act), Err(Error::Crash)), "{act:?}");
        let mut house = house.reopen();
        assert!(house.waiting().is_empty(), "{act:?}");
        // It outlives the end of the program; confirmed, and nothing done, it waits still.
        let number = house.waits(act);
        let mut house = house.reopen();
        assert_eq!(house.waiting(), [number], "{act:?}");
        crash_at(After::Confirmed, 1);
        assert!(matches!(house.confirm(number), Err(Error::Crash)), "{act:?}");
        let mut house = house.reopen();
        assert_eq!((house.done(act), house.waiting()), (0, vec![number]), "{act:?}");
        house.confirm(number).unwrap_or_else(|error| panic!("{act:?}: {error}"));
        assert_eq!((house.done(act), house.home.count("act.confirmed")), (1, 2), "{act:?}");
        house.home.log_verifies();
    }
    for (act, after) in [
        (Erase, After::Erased),
        (RemoveErase, After::Erased),
        (RemoveHandOver, After::Rolled),
        (RemoveAdmin, After::Rolled),
    ] {
        let mut house = House::for_act(act, 2);
        let number = house.waits(act);
        crash_at(after, 1);
        assert!(matches!(house.confirm(number), Err(Error::Crash)), "{act:?}");
        let house = house.reopen();
        assert_eq!((house.done(act), house.waiting()), (1, vec![]), "{act:?}: done once");
        house.home.log_verifies();
    }
}

/// Whoever has the recovery code sets a passphrase of the second admin, and is two people by it: for as long as an act waits, that
/// is none.
#[test]
fn the_recovery_code_makes_nobody_a_second_person() {
    let mut house = House::new(2);
    let code = house.room.replace_recovery(&house.first).unwrap();
    let number = house.waits(Resolve);
    let typed = || code.secret().of(Some(name("second")));
    let by_code = signed_in(&mut house.room, &typed());
    assert!(house.room.confirm(&by_code, &typed(), number).is_err());
    house.room.change_secret(&by_code, &typed(), &Secret::passphrase("the words of one").unwrap()).unwrap();
    let made = || Secret::passphrase("the words of one").unwrap().of(Some(name("second")));
    let second = signed_in(&mut house.room, &made());
    for own in [false, true] {
        if own {
            // Nor does setting another one as themselves help.
            let again = Secret::passphrase("the words of second").unwrap();
            house.room.change_secret(&second, &made(), &again).unwrap();
        }
        let proof = if own { of("second") } else { made() };
        let said = house.room.confirm(&second, &proof, number).err().unwrap();
        assert!(matches!(said, Error::NoWord { .. }), "{said}");
        let asked = house.room.destroy_vault(&second).err().unwrap();
        assert!(matches!(asked, Error::NoWord { .. }), "{asked}");
    }
    assert_eq!((house.done(Resolve), house.waiting()), (0, vec![number]));
    // It holds from one opening to the next, and not for ever.
    let mut house = house.reopen();
    assert!(matches!(house.confirm(number), Err(Error::NoWord { .. })));
    house.room.refuse_pending(&house.second, number).unwrap();
    let mark = [&house.second.slot.to_be_bytes()[..], &1000u64.to_be_bytes()].concat();
    let (open, random, _) = house.room.darkroom.as_mut().unwrap().open_parts().unwrap();
    open.vault.set_mark(crate::pending::MARK_RESETS, &mark, random).unwrap();
    let number = house.waits(Resolve);
    house.confirm(number).unwrap();
}

/// Eight wait at a time, and each says what to do.
#[test]
fn as_many_wait_as_can() {
    let mut house = House::new(2);
    for id in 0..8 {
        let asked = house.room.resolve(&house.first, audit::Actor::Person([id; 16]), ResolveReason::Audit);
        assert!(matches!(asked, Err(Error::Waits { .. })));
    }
    assert_eq!(house.ask(Destroy).err().unwrap().kind(), Kind::Parameter);
    let oldest = house.waiting()[0];
    assert!(matches!(house.confirm(oldest), Err(Error::UnknownPseudonym)), "which is an answer");
    assert_eq!((house.waiting().len(), house.done(Resolve)), (7, 1));
    house.waits(Destroy);
}

/// What is held about somebody has their name.
#[test]
fn what_is_held_about_somebody_says_alone_nothing_that_takes_two() {
    let mut house = House::new(2);
    let refused = house.room.held_about(&house.first, house.third.actor).err().unwrap();
    assert_eq!(refused.kind(), Kind::Policy, "{refused}");
    assert!(refused.to_string().contains("operator resolve"), "{refused}");
    assert_eq!(house.home.count("request.refused"), 1);
    let nobody = house.room.held_about(&house.first, audit::Actor::Person([0; 16])).err().unwrap();
    assert_eq!(nobody.kind(), Kind::Policy, "nor whether there is anybody: {nobody}");
    for called in ["third", "nobody"] {
        let refused = house.room.pseudonym_for(&house.first, &name(called)).err().unwrap();
        assert_eq!(refused.kind(), Kind::Policy, "nor by a name: {refused}");
    }
    let own = house.room.pseudonym_for(&house.third, &name("third")).unwrap();
    assert_eq!(own, house.third.actor);
    for own in [house.first, house.third] {
        assert_eq!(house.room.held_about(&own, own.actor).unwrap().slot, own.slot);
    }
    house.room.two_person = TwoPersons::of(&[TwoPerson::Pictures]);
    assert!(house.room.held_about(&house.first, house.third.actor).is_ok());
    assert_eq!(house.room.pseudonym_for(&house.first, &name("third")).unwrap(), house.third.actor);
    let refused = house.room.pseudonym_for(&house.third, &name("first")).err().unwrap();
    assert_eq!(refused.kind(), Kind::NotPermitted, "{refused}");
}

/// A second admin who asks for the same is told that they are the second one; whoever counts what waits counts it for them alone.
#[test]
fn a_second_admin_who_asks_for_the_same_is_told_that_they_can_confirm_it() {
    let mut house = House::new(2);
    let number = house.waits(Erase);
    assert_eq!(house.waits(Erase), number);
    let asked = house.room.erase_of(&house.second, &name("third")).err().unwrap();
    assert!(matches!(asked, Error::WaitsForYou { number: named } if named == number), "{asked}");
    assert_eq!((asked.kind(), house.home.count("act.asked")), (Kind::Waits, 1));
    let before = house.home.count("request.refused");
    let counted = [house.first, house.second, house.third].map(|who| house.room.count_waiting(&who).unwrap());
    assert_eq!((counted, house.home.count("request.refused")), ([0, 1, 0], before), "and is on no record");
    house.confirm(number).unwrap();
    assert_eq!(house.room.count_waiting(&house.second).unwrap(), 0);
}
