//! Several people: what each may do, whose pictures are whose, and who comes and goes.

use super::*;
use crate::{Act, HoldReason, Kind, PersonName, Pictures, ResolveReason, Role};
use audit::words::{Found, IntentKind};

pub(super) fn name(text: &str) -> PersonName {
    PersonName::new(text).unwrap()
}

pub(super) fn of(person: &str) -> Secret {
    Secret::passphrase(&format!("the words of {person}")).unwrap().of(Some(name(person)))
}

pub(super) fn first() -> Secret {
    secret().of(Some(name("first")))
}

/// A darkroom with a named admin and one more person of this role, signed in as the admin.
pub(super) fn with_second(home: &Home, role: Role) -> Room {
    let mut room = home.unlocked();
    let who = room.who;
    room.add_person_named(&who, &secret(), Some(&name("first")), &of("second"), role).unwrap();
    room
}

pub(super) fn signed_in(room: &mut Room, secret: &Secret) -> Who {
    room.unlock(secret, Door::Page).unwrap()
}

/// One picture of this person.
pub(super) fn one_of(room: &mut Room, who: Who) -> Summary {
    let before = std::mem::replace(&mut room.who, who);
    let made = generate(room, 1, Mood::Works).unwrap().remove(0);
    room.who = before;
    made
}

/// An auditor comes in by the page alone, once somebody has the vault open, and to no picture; that they came is on record.
#[test]
fn an_auditor_opens_no_picture() {
    let home = Home::new();
    let mut room = with_second(&home, Role::Auditor);
    let admin = signed_in(&mut room, &first());
    let picture = one_of(&mut room, admin);
    assert!(matches!(room.unlock(&of("second"), Door::Terminal), Err(Error::AuditorOnly)));
    let auditor = room.unlock(&of("second"), Door::Page).unwrap();
    assert_eq!(auditor.role(), Role::Auditor);
    let refused = |error: Error| assert_eq!(error.kind(), Kind::NotPermitted, "{error}");
    refused(room.view(&auditor, picture.id).err().unwrap());
    refused(room.view_previews(&auditor, &[picture.id]).err().unwrap());
    refused(room.export(&auditor, picture.id, &home.0.join("plain/a.png")).err().unwrap());
    refused(room.picture(&auditor, picture.id).err().unwrap());
    refused(room.erase(&auditor, &[picture.id]).err().unwrap());
    assert!(room.reads_log(&auditor).is_ok() && room.may_try_controls(&auditor).is_ok());
    drop(room);
    let mut darkroom = home.open().unwrap();
    assert!(matches!(darkroom.unlock(&of("second"), Door::Page), Err(Error::AuditorOnly)));
    assert!(!darkroom.is_open());
    assert!(darkroom.reads_log(&auditor).is_err(), "who came in before did so at another opening");
    let of_auditor =
        home.records().iter().filter(|(n, l)| n == "vault.unlocked" && l.contains("role=auditor")).count();
    assert_eq!((of_auditor, home.count("session.opened")), (3, 3), "one session of the auditor's");
}

#[test]
fn everybody_sees_what_they_made_and_nothing_else() {
    let home = Home::new();
    let mut room = home.unlocked();
    let alone = generate(&mut room, 1, Mood::Works).unwrap().remove(0);
    drop(room);
    let mut room = with_second(&home, Role::Operator);
    let (admin, second) = (signed_in(&mut room, &first()), signed_in(&mut room, &of("second")));
    let theirs = one_of(&mut room, second);
    let ids = |room: &Room, who: &Who| room.list(who).unwrap().iter().map(|p| p.id).collect::<Vec<_>>();
    assert_eq!(ids(&room, &admin), [alone.id], "what was made before there were two stays theirs");
    assert_eq!(ids(&room, &second), [theirs.id]);
    assert_eq!(room.page(&admin, None, 10).unwrap().total, 1);
    // By no way.
    let gone = |error: Error| assert_eq!(error.kind(), Kind::NotFound, "{error}");
    gone(room.picture(&admin, theirs.id).err().unwrap());
    gone(room.find(&admin, &theirs.name).err().unwrap());
    gone(room.view(&admin, theirs.id).err().unwrap());
    gone(room.view_previews(&admin, &[theirs.id]).err().unwrap());
    gone(room.export(&admin, theirs.id, &home.0.join("plain/a.png")).err().unwrap());
    gone(room.erase(&admin, &[alone.id, theirs.id]).err().unwrap());
    assert_eq!(ids(&room, &second), [theirs.id], "nothing was erased");
    assert_eq!(room.view_previews(&admin, &[theirs.id, alone.id]).unwrap().len(), 1);
    assert_eq!((home.count("object.erase_requested"), home.count("object.exported")), (0, 0));
    // The admin counts.
    let people = room.people(&admin).unwrap();
    assert_eq!(
        people.iter().map(|p| (p.slot, p.pictures, p.is_self)).collect::<Vec<_>>(),
        [(1, 1, true), (3, 1, false)]
    );
    home.log_verifies();
}

#[test]
fn what_becomes_of_the_pictures_of_who_goes_is_said_and_on_record() {
    for (pictures, of_admin, left) in
        [(Pictures::Keep, 0, 1), (Pictures::HandOver(name("FIRST")), 1, 1), (Pictures::Erase, 0, 0)]
    {
        let home = Home::new();
        let mut room = with_second(&home, Role::Operator);
        let (admin, second) = (signed_in(&mut room, &first()), signed_in(&mut room, &of("second")));
        let theirs = one_of(&mut room, second);
        let undecided = room.remove_person(&admin, &first(), &name("second"), None);
        assert!(matches!(undecided, Err(Error::PicturesUndecided { count: 1 })));
        assert_eq!(room.list(&second).unwrap().len(), 1, "nothing was done");
        let slot = room.remove_person(&admin, &first(), &name("second"), Some(&pictures)).unwrap().slot;
        assert_eq!(slot, 3);
        assert!(matches!(room.list(&second), Err(Error::Locked)), "who is removed is out at once");
        assert!(matches!(room.unlock(&of("second"), Door::Page), Err(Error::Vault(_))));
        assert_eq!(room.list(&admin).unwrap().len(), of_admin);
        assert_eq!(home.count("slot.pictures"), 1);
        assert_eq!(home.count("slot.removed"), 1);
        assert_eq!(home.count("object.erased"), 1 - left);
        // It holds from one opening to the next, and through a roll.
        room.replace_recovery(&admin).unwrap();
        drop(room);
        let mut darkroom = home.open().unwrap();
        let admin = darkroom.unlock(&first(), Door::Terminal).unwrap();
        assert_eq!(darkroom.list(&admin).unwrap().len(), of_admin);
        assert_eq!(darkroom.people(&admin).unwrap()[1].pictures, left - of_admin);
        if of_admin == 1 {
            assert_eq!(darkroom.view(&admin, theirs.id).unwrap()[1..4], *b"PNG");
        }
        home.log_verifies();
    }
}

#[test]
fn the_last_admin_stays_and_a_proof_is_ones_own() {
    let home = Home::new();
    let mut room = with_second(&home, Role::Operator);
    let admin = signed_in(&mut room, &first());
    let gone = room.remove_person(&admin, &first(), &name("first"), Some(&Pictures::Keep));
    assert!(matches!(gone, Err(Error::LastAdmin)));
    let before = home.count("vault.unlock_failed");
    for wrong in [of("first"), of("second")] {
        let added = room.add_person(&admin, &wrong, &of("third"), Role::Admin);
        assert!(matches!(added, Err(Error::Vault(vault::Error::WrongSecret))));
    }
    assert!(home.count("vault.unlock_failed") > before);
    room.add_person(&admin, &first(), &of("third"), Role::Admin).unwrap();
    let third = signed_in(&mut room, &of("third"));
    room.remove_person(&third, &of("third"), &name("first"), None).unwrap();
    assert!(matches!(room.people(&admin), Err(Error::Locked)));
    assert_eq!(room.people(&third).unwrap().iter().filter(|p| p.role.is_some()).count(), 2);
}

/// A removal that fails, at whichever draw of its roll, leaves the person their pictures; one that a crash keeps off the record
/// has handed them over.
#[test]
fn pictures_are_handed_over_with_the_removal_or_not_at_all() {
    let to_first = Pictures::HandOver(name("first"));
    let mut failures = 0;
    for at in 1.. {
        let home = Home::in_memory();
        let mut room = with_second(&home, Role::Operator);
        let (admin, second) = (signed_in(&mut room, &first()), signed_in(&mut room, &of("second")));
        let theirs = one_of(&mut room, second);
        room.random = Box::new(super::remember::Failing { at, drawn: Arc::default() });
        let removed = room.remove_person(&admin, &first(), &name("second"), Some(&to_first));
        room.random = Box::new(vault::OsRandom);
        let is_gone = !room.has_slot(second.slot);
        let own = room.list(&admin).unwrap().iter().any(|picture| picture.id == theirs.id);
        assert_eq!(own, is_gone, "draw {at}: {removed:?}");
        if removed.is_ok() {
            break;
        }
        failures += 1;
        if !is_gone {
            assert_eq!(room.list(&second).unwrap().len(), 1, "draw {at}");
            let made = one_of(&mut room, second);
            assert_eq!(room.list(&second).unwrap()[0].id, made.id, "draw {at}");
        }
        home.log_verifies();
    }
    assert!(failures >= 8, "the roll draws more often than {failures} times");

    let home = Home::in_memory();
    let mut room = with_second(&home, Role::Operator);
    let (admin, second) = (signed_in(&mut room, &first()), signed_in(&mut room, &of("second")));
    one_of(&mut room, second);
    crash_at(After::Rolled, 1);
    room.remove_person(&admin, &first(), &name("second"), Some(&to_first)).err().unwrap();
    drop(room);
    let mut darkroom = home.open().unwrap();
    let admin = darkroom.unlock(&first(), Door::Terminal).unwrap();
    assert_eq!(darkroom.list(&admin).unwrap().len(), 1);
    assert_eq!((home.count("slot.pictures"), home.count("slot.removed")), (1, 1));
}

/// What an auditor opens is held against the log, and never becomes what the log goes on from.
#[test]
fn an_auditor_makes_no_older_vault_pass() {
    let home = Home::new();
    let mut room = with_second(&home, Role::Auditor);
    let admin = signed_in(&mut room, &first());
    one_of(&mut room, admin);
    drop(room);
    let old: Vec<_> = ["vault", "vault.mirror", "anchor"]
        .map(|file| home.0.join("vault").join(file))
        .into_iter()
        .map(|file| (file.clone(), std::fs::read(file).unwrap()))
        .collect();
    let mut darkroom = home.open().unwrap();
    let admin = darkroom.unlock(&first(), Door::Terminal).unwrap();
    let id = darkroom.list(&admin).unwrap()[0].id;
    darkroom.erase(&admin, &[id]).unwrap();
    drop(darkroom);
    for (file, bytes) in &old {
        std::fs::write(file, bytes).unwrap();
    }
    for typed in [first(), of("second"), first()] {
        let mut darkroom = home.open().unwrap();
        let refused = darkroom.unlock(&typed, Door::Terminal).err().unwrap();
        assert!(matches!(refused, Error::RolledBack { .. }), "{refused}");
    }
    assert_eq!(home.count("vault.rolled_back"), 3);
}

#[test]
fn what_was_kept_can_be_handed_over_later() {
    let home = Home::new();
    let mut room = with_second(&home, Role::Operator);
    let (admin, second) = (signed_in(&mut room, &first()), signed_in(&mut room, &of("second")));
    one_of(&mut room, second);
    room.remove_person(&admin, &first(), &name("second"), Some(&Pictures::Keep)).unwrap();
    assert_eq!(room.list(&admin).unwrap().len(), 0);
    let to_first = Pictures::HandOver(name("first"));
    room.remove_person(&admin, &first(), &name("second"), Some(&to_first)).unwrap();
    assert_eq!(room.list(&admin).unwrap().len(), 1);
    assert_eq!((home.count("slot.removed"), home.count("slot.pictures")), (1, 2));
    // There is nothing left to say anything about, and whom it would go to is looked at all the same.
    room.remove_person(&admin, &first(), &name("second"), None).unwrap();
    let nobody = Pictures::HandOver(name("nobody"));
    assert!(room.remove_person(&admin, &first(), &name("second"), Some(&nobody)).is_err());
}

/// A vault with names is of another format: a first addition that cannot be leaves it as it was.
#[test]
fn a_first_addition_is_refused_before_anybody_has_a_name() {
    let home = Home::new();
    let mut room = home.unlocked();
    let who = room.who;
    let code = room.replace_recovery(&who).unwrap();
    let by_code = signed_in(&mut room, &code.secret());
    let weak = Secret::passphrase("short").unwrap().of(Some(name("second")));
    for (who, proof, new) in
        [(&who, secret(), of("FIRST")), (&who, secret(), weak), (&by_code, code.secret(), of("second"))]
    {
        room.add_person_named(who, &proof, Some(&name("first")), &new, Role::Operator).err().unwrap();
        assert!(!room.public().unwrap().named);
    }
}

/// An admin who holds a file learns who took it out; an operator learns it of their own pictures.
#[test]
fn who_took_a_copy_is_told_to_an_admin() {
    let home = Home::new();
    let mut room = with_second(&home, Role::Operator);
    let (admin, second) = (signed_in(&mut room, &first()), signed_in(&mut room, &of("second")));
    let (own, theirs) = (one_of(&mut room, admin), one_of(&mut room, second));
    let mut copy = |who: &Who, id, name: &str| {
        let path = home.0.join("plain").join(name);
        room.export(who, id, &path).unwrap();
        audit::Digest::of(&std::fs::read(path).unwrap())
    };
    let (of_own, of_theirs) = (copy(&admin, own.id, "a.png"), copy(&second, theirs.id, "b.png"));
    let found =
        |who: &Who, digest| room.departures(who, digest).unwrap().iter().map(|d| d.actor).collect::<Vec<_>>();
    assert_eq!((found(&admin, &of_own), found(&admin, &of_theirs)), (vec![admin.actor], vec![second.actor]));
    assert_eq!((found(&second, &of_own), found(&second, &of_theirs)), (vec![], vec![second.actor]));
}

/// What was kept of somebody who is gone can be destroyed later, unseen.
#[test]
fn an_admin_erases_all_of_somebody_without_seeing_any() {
    let home = Home::new();
    let mut room = with_second(&home, Role::Operator);
    let (admin, second) = (signed_in(&mut room, &first()), signed_in(&mut room, &of("second")));
    let (own, theirs) = (one_of(&mut room, admin), one_of(&mut room, second));
    assert!(matches!(room.erase_of(&second, &name("first")), Err(Error::NotPermitted(Act::ErasePictures))));
    room.remove_person(&admin, &first(), &name("second"), Some(&Pictures::Keep)).unwrap();
    assert_eq!(room.names_of(&admin, &name("Second")).unwrap().join(" "), theirs.name);
    assert_eq!(room.erase_of(&admin, &name("Second")).unwrap().erasure.erased, 1);
    assert_eq!(room.list(&admin).unwrap().iter().map(|p| p.id).collect::<Vec<_>>(), [own.id]);
    assert!(matches!(room.erase_of(&admin, &name("third")), Err(Error::Vault(vault::Error::UnknownName))));
    assert_eq!((home.count("slot.pictures"), home.count("object.erased")), (2, 1));
    home.log_verifies();
}

#[test]
fn a_hold_keeps_pictures_from_every_erasure() {
    let home = Home::new();
    let mut room = with_second(&home, Role::Operator);
    let (admin, second) = (signed_in(&mut room, &first()), signed_in(&mut room, &of("second")));
    let (own, theirs) = (one_of(&mut room, admin), one_of(&mut room, second));
    room.hold(&admin, Some(&name("Second")), HoldReason::Order).unwrap();
    assert!(matches!(room.hold(&admin, Some(&name("second")), HoldReason::Audit), Err(Error::HoldStands)));
    let held = |error: Error| assert_eq!(error.kind(), Kind::Held, "{error}");
    held(room.erase(&second, &[theirs.id]).err().unwrap());
    held(room.erase_of(&admin, &name("second")).err().unwrap());
    held(room.remove_person(&admin, &first(), &name("second"), Some(&Pictures::Erase)).err().unwrap());
    assert_eq!(room.list(&second).unwrap().len(), 1, "who could not be removed so is there");
    // Whosever they are then: the hold is about who made them, too; and it outlives the vault's opening and a roll.
    let to = Pictures::HandOver(name("first"));
    room.remove_person(&admin, &first(), &name("second"), Some(&to)).unwrap();
    drop(room);
    let mut darkroom = home.open().unwrap();
    let admin = darkroom.unlock(&first(), Door::Terminal).unwrap();
    held(darkroom.erase(&admin, &[own.id, theirs.id]).err().unwrap());
    assert_eq!(darkroom.erase(&admin, &[own.id]).unwrap().erasure.erased, 1, "that one is under no hold");
    let stands = darkroom.holds(&admin).unwrap();
    assert_eq!((stands.len(), stands[0].pictures, stands[0].slot), (1, 1, 3));
    darkroom.hold(&admin, None, HoldReason::Litigation).unwrap();
    darkroom.end_hold(&admin, Some(&name("second"))).unwrap();
    held(darkroom.erase(&admin, &[theirs.id]).err().unwrap());
    darkroom.end_hold(&admin, None).unwrap();
    assert!(matches!(darkroom.end_hold(&admin, None), Err(Error::NoHold)));
    assert_eq!(darkroom.erase(&admin, &[theirs.id]).unwrap().erasure.erased, 1);
    let refusals =
        home.records().iter().filter(|(n, l)| n == "request.refused" && l.contains("reason=hold")).count();
    assert_eq!((refusals, home.count("hold.set"), home.count("hold.ended")), (5, 2, 2));
    home.log_verifies();
}

/// What failed does not come with the vault's next record, which another act writes.
#[test]
fn a_hold_that_could_not_be_set_or_ended_is_as_it_was() {
    let home = Home::new();
    let mut room = home.unlocked();
    let who = room.who;
    let id = generate(&mut room, 1, Mood::Works).unwrap()[0].id;
    let fails = |room: &mut Room, act: fn(&mut Darkroom, &Who) -> Result<(), Error>| {
        room.random = Box::new(super::remember::Failing { at: 1, drawn: Arc::default() });
        act(room.darkroom.as_mut().unwrap(), &who).expect_err("it could not be written");
        room.random = Box::new(vault::OsRandom);
        room.view(&who, id).unwrap();
        room.holds(&who).unwrap().len()
    };
    assert_eq!(fails(&mut room, |darkroom, who| darkroom.hold(who, None, HoldReason::Order)), 0);
    room.hold(&who, None, HoldReason::Order).unwrap();
    assert_eq!(fails(&mut room, |darkroom, who| darkroom.end_hold(who, None)), 1);
}

#[test]
fn a_pseudonym_is_resolved_on_record() {
    let home = Home::new();
    let mut room = with_second(&home, Role::Operator);
    let (admin, second) = (signed_in(&mut room, &first()), signed_in(&mut room, &of("second")));
    let found = room.resolve(&admin, second.actor, ResolveReason::Incident).unwrap();
    assert_eq!(found.name.as_ref().map(PersonName::as_str), Some("second"));
    assert!(home.records().iter().any(|(n, l)| n == "slot.resolved" && l.contains("reason=incident slot=3")));
    let nobody = room.resolve(&admin, audit::Actor::Person([7; 16]), ResolveReason::Audit).err().unwrap();
    assert!(matches!(nobody, Error::UnknownPseudonym));
    assert!(home.records().iter().any(|(n, l)| n == "slot.resolved" && l.contains("reason=audit slot=0")));
    // Who is gone is still known.
    room.remove_person(&admin, &first(), &name("second"), None).unwrap();
    let found = room.resolve(&admin, second.actor, ResolveReason::Order).unwrap();
    assert_eq!((found.name.as_ref().map(PersonName::as_str), found.role), (Some("second"), None));
    // No name is in the log.
    for (_, line) in home.records() {
        assert!(!line.contains("second") && !line.contains("first"), "{line}");
    }
}

#[test]
fn a_crash_in_the_middle_of_a_coming_or_going_is_told_at_the_next_unlock() {
    {
        let (after, found) = (After::Rolled, Found::Done);
        let home = Home::new();
        let mut room = with_second(&home, Role::Operator);
        let admin = signed_in(&mut room, &first());
        crash_at(after, 1);
        room.add_person(&admin, &first(), &of("third"), Role::Auditor).err().unwrap();
        drop(room);
        let mut darkroom = home.open().unwrap();
        let admin = darkroom.unlock(&first(), Door::Terminal).unwrap();
        let word = |name: &str, text: &str| {
            home.records().iter().filter(|(n, l)| n == name && l.contains(text)).count()
        };
        assert_eq!(word("slot.added", "role=auditor slot=4"), 1);
        crash_at(after, 1);
        darkroom.remove_person(&admin, &first(), &name("second"), None).err().unwrap();
        drop(darkroom);
        let mut darkroom = home.open().unwrap();
        darkroom.unlock(&first(), Door::Terminal).unwrap();
        assert_eq!(word("slot.removed", "role=operator slot=3"), 1);
        let kind = format!("found={} kind={}", found.word(), IntentKind::Secret.word());
        assert_eq!(word("recovery.reconciled", &kind), 2, "{:?}", home.records());
        home.log_verifies();
    }
}

/// Who asks for much lets others wait for one of their requests, not for all.
#[test]
fn requests_are_served_by_turns() {
    let home = Home::new();
    let mut room = with_second(&home, Role::Operator);
    let (admin, second) = (signed_in(&mut room, &first()), signed_in(&mut room, &of("second")));
    let (go, steps) = std::sync::mpsc::channel();
    let engine = TestEngine { steps: Some(Mutex::new(steps)), ..TestEngine::new(Mood::Works) };
    let rules = Rules { waiting_max: 4, ..rules() };
    let queue = Queue::start(room.darkroom.take().unwrap(), Box::new(engine), rules, || ()).unwrap();
    let submit = |who: &Who| queue.submit(who, queue.check(Some(who), ask(1)).unwrap(), None).unwrap();
    let running = submit(&admin);
    while queue.job(&admin, running.id).unwrap().state != crate::JobState::Running {
        std::thread::yield_now();
    }
    let of_admin: Vec<_> = (0..3).map(|_| submit(&admin)).collect();
    let of_second: Vec<_> = (0..2).map(|_| submit(&second)).collect();
    let ahead = |who: &Who, job: &crate::Job| queue.job(who, job.id).unwrap().ahead;
    assert_eq!(of_second.iter().map(|job| ahead(&second, job)).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(of_admin.iter().map(|job| ahead(&admin, job)).collect::<Vec<_>>(), [2, 4, 5]);
    // Nobody sees, or ends, what another one asked for.
    assert_eq!((queue.jobs(&admin).unwrap().len(), queue.jobs(&second).unwrap().len()), (4, 2));
    assert!(matches!(queue.cancel(&second, of_admin[0].id), Err(Error::NoJob)));
    assert!(matches!(queue.job(&admin, of_second[0].id), Err(Error::NoJob)));
    // Who leaves takes their own requests along.
    queue.leave(&second).unwrap();
    assert!(queue.jobs(&second).unwrap().iter().all(|job| job.state == crate::JobState::Cancelled));
    assert!(queue.jobs(&admin).unwrap().iter().all(|job| !job.state.is_over()));
    assert_eq!(home.count("session.closed"), 1);
    drop(go);
    drop(queue.into_darkroom());
}
