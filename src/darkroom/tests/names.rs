//! The names of people who were removed, and the salts of their pseudonyms: kept for a period, and then nobody's.

use super::backup::{backed_up, is_sound, restore, with_log_of};
use super::exported::{exported, restore_with};
use super::people::{first, name, of, one_of, signed_in, with_second};
use super::second::{House, Waits};
use super::*;
use crate::behind::Behind;
use crate::{HoldReason, Kind, Pictures, ResolveReason, Role};
use audit::Actor;
use audit::words::{Found, IntentKind};
use policy::TwoPerson;
use std::path::Path;
use vault::SlotId;

/// The slot of the second person.
const SECOND: u16 = 3;

/// Where the second person was in and has gone, and the pseudonym and salt that were theirs.
fn without_second(home: &Home) -> (Room, Actor, [u8; 32]) {
    gone(both_in(home))
}

/// Where the second person was in, and the first one is.
fn both_in(home: &Home) -> Room {
    let mut room = with_second(home, Role::Operator);
    signed_in(&mut room, &of("second"));
    room.who = signed_in(&mut room, &first());
    room
}

fn gone(mut room: Room) -> (Room, Actor, [u8; 32]) {
    let admin = room.who;
    let salt = Behind::of(vault_of(&room), SECOND).unwrap().salt().unwrap();
    room.remove_person(&admin, &first(), &name("second"), None).unwrap();
    (room, audit::actor(&salt, &SECOND.to_be_bytes()), salt)
}

fn vault_of(room: &Room) -> &vault::Vault {
    &room.open_vault().unwrap().vault
}

/// Whether nobody can tell who was behind it, and whoever asks is told why.
fn is_nobodys(room: &mut Room, pseudonym: Actor) -> bool {
    let who = room.who;
    let told = room.resolve(&who, pseudonym, ResolveReason::Audit).err().unwrap();
    assert!(told.to_string().contains("destroyed"), "{told}");
    assert_eq!(told.kind(), Kind::NotFound);
    let held = room.held_about(&who, pseudonym).err().unwrap();
    let known = vault_of(room).people().iter().any(|person| person.slot.0 == SECOND);
    matches!((told, held), (Error::NameDestroyed { .. }, Error::NameDestroyed { .. })) && !known
}

/// The files of the vault's folder in which these bytes lie.
fn holding(home: &Home, bytes: &[u8]) -> Vec<String> {
    let files = std::fs::read_dir(home.0.join("vault")).unwrap().map(|entry| entry.unwrap().path());
    let has = |path: &Path| std::fs::read(path).unwrap().windows(bytes.len()).any(|window| window == bytes);
    files.filter(|path| has(path)).map(|path| path.file_name().unwrap().to_string_lossy().into()).collect()
}

#[test]
fn the_name_of_who_was_removed_goes_behind_its_period_and_nobody_elses() {
    let home = Home::in_memory();
    let (mut room, pseudonym, salt) = without_second(&home);
    let who = room.who;
    assert!(room.names_due(&who).unwrap().is_none() && room.retain_names(&who).unwrap().is_none());
    room.names_days_max = Some(1);
    assert_eq!(room.names_due(&who).unwrap().map(|due| (due.slots.len(), due.kept.len())), Some((0, 0)));
    assert!(room.retain_names_by_itself().unwrap().is_none(), "a day is not over");
    let found = room.resolve(&who, pseudonym, ResolveReason::Audit).unwrap();
    assert_eq!(found.name, Some(name("second")), "and they are told until then");
    room.names_days_max = Some(0);
    room.retain_by_itself().unwrap();
    let done = room.retain_names_by_itself().unwrap().unwrap();
    assert_eq!((done.slots, done.cleanup_pending), (vec![SECOND], false));
    assert!(is_nobodys(&mut room, pseudonym));
    assert!(room.retain_names_by_itself().unwrap().is_none(), "once");
    let records = home.records();
    let line = |name: &str| records.iter().find(|(kind, _)| kind == name).unwrap().1.clone();
    assert!(line("slot.name_due").contains("days=0 slot=3"), "{}", line("slot.name_due"));
    assert!(
        line("slot.name_destroyed").contains("slot=3") && line("slot.name_destroyed").contains("a:system")
    );
    assert!(
        records.iter().any(|(kind, line)| kind == "slot.resolved" && line.ends_with("slot=3")),
        "{records:?}"
    );
    // Who is there keeps name and pseudonym, the admin and whoever comes: by the same name, too, as somebody else.
    assert_eq!(signed_in(&mut room, &first()).actor, who.actor);
    assert_eq!(room.resolve(&who, who.actor, ResolveReason::Audit).unwrap().name, Some(name("first")));
    assert_eq!(room.add_person(&who, &first(), &of("second"), Role::Operator).unwrap(), SECOND + 1);
    let again = signed_in(&mut room, &of("second"));
    assert_ne!(again.actor, pseudonym);
    assert_eq!(room.resolve(&who, again.actor, ResolveReason::Audit).unwrap().slot, SECOND + 1);
    assert!(is_nobodys(&mut room, pseudonym));
    assert_eq!(room.names_due(&again).unwrap_err().kind(), Kind::NotPermitted);
    assert_eq!(room.retain_names(&again).map(drop).unwrap_err().kind(), Kind::NotPermitted);
    // In the same process once more, and from one opening to the next.
    room.remove_person(&who, &first(), &name("second"), None).unwrap();
    assert_eq!(room.retain_names(&who).unwrap().unwrap().slots, [SECOND + 1]);
    room.leave(StopReason::Done).unwrap();
    let mut room = home.unlocked();
    assert!(is_nobodys(&mut room, pseudonym) && is_nobodys_slot(&room, &salt));
    assert_eq!(vault_of(&room).free_slot().unwrap(), SlotId(SECOND + 2), "a number is given out once");
    home.log_verifies();
}

fn is_nobodys_slot(room: &Room, salt: &[u8; 32]) -> bool {
    let marks = (0..=u8::MAX).filter_map(|tag| vault_of(room).mark(tag));
    !marks.into_iter().any(|mark| mark.windows(salt.len()).any(|window| window == salt))
}

/// With the whole folder in hand, a key that opens it, and what was kept of it: no file has the name, what would show a guess of it to
/// be right, or the salt.
#[test]
fn whoever_has_disk_and_recovery_code_can_neither_read_nor_guess_the_name() {
    let home = Home::in_memory();
    let mut darkroom = home.open().unwrap();
    let (who, code) = darkroom.create_vault(&secret(), Door::Terminal).unwrap();
    let mut room = Room { darkroom: Some(darkroom), who };
    room.add_person_named(&who, &secret(), Some(&name("first")), &of("second"), Role::Operator).unwrap();
    signed_in(&mut room, &of("second"));
    let old = std::fs::read(home.0.join("vault/vault")).unwrap();
    // What a guess is tested with: the salt of the third slot, in the head of the vault file, for everybody to read.
    let tested = old[64 + 2 * 256 + 16..][..32].to_vec();
    assert_eq!(holding(&home, &tested).len(), 2, "the vault file and its mirror");
    let (mut room, pseudonym, salt) = gone(room);
    // What a crash and a damage may have left of the file from before.
    for left in ["vault.damaged", "vault.mirror.damaged"] {
        std::fs::write(home.0.join("vault").join(left), &old).unwrap();
    }
    let reserve = std::fs::OpenOptions::new().write(true).open(home.0.join("vault/reserve")).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&reserve, &old, 0).unwrap();
    assert_eq!(holding(&home, &tested).len(), 3);
    room.names_days_max = Some(0);
    assert!(!room.retain_names_by_itself().unwrap().unwrap().cleanup_pending);
    assert_eq!(holding(&home, &tested), Vec::<String>::new());
    assert!(is_nobodys(&mut room, pseudonym) && is_nobodys_slot(&room, &salt));
    room.leave(StopReason::Done).unwrap();
    for bytes in [&salt[..], b"second"] {
        assert_eq!(holding(&home, bytes), Vec::<String>::new());
    }
    // An older vault file opens for nobody beside the anchor of now.
    let now = std::fs::read(home.0.join("vault/vault")).unwrap();
    for file in ["vault", "vault.mirror"] {
        std::fs::write(home.0.join("vault").join(file), &old).unwrap();
    }
    let opened =
        home.open().and_then(|mut darkroom| darkroom.unlock(&secret().of(Some(name("second"))), Door::Page));
    assert!(opened.is_err());
    for file in ["vault", "vault.mirror"] {
        std::fs::write(home.0.join("vault").join(file), &now).unwrap();
    }
    let mut darkroom = home.open().unwrap();
    darkroom.unlock(&code.secret(), Door::Terminal).unwrap();
    let names: Vec<_> = darkroom.open_vault().unwrap().vault.people().into_iter().map(|p| p.name).collect();
    assert_eq!(names, [Some(name("first"))]);
}

/// They are ended by that name, and what is kept could be asked for by it.
#[test]
fn a_hold_and_pictures_that_are_kept_keep_the_name() {
    let home = Home::in_memory();
    let mut room = with_second(&home, Role::Operator);
    let second = signed_in(&mut room, &of("second"));
    let admin = signed_in(&mut room, &first());
    one_of(&mut room, second);
    room.remove_person(&admin, &first(), &name("second"), Some(&Pictures::Keep)).unwrap();
    room.names_days_max = Some(0);
    let due =
        |room: &Room| room.names_due(&admin).unwrap().map(|due| (due.slots.len(), due.kept.len())).unwrap();
    assert_eq!((due(&room), room.retain_names(&admin).unwrap().is_none()), ((0, 1), true));
    room.erase_of(&admin, &name("second")).unwrap();
    assert_eq!(due(&room), (1, 0));
    for of in [Some(name("second")), None] {
        room.hold(&admin, of.as_ref(), HoldReason::Order).unwrap();
        assert_eq!((due(&room), room.retain_names(&admin).unwrap().is_none()), ((0, 1), true));
        room.end_hold(&admin, of.as_ref()).unwrap();
    }
    assert_eq!(home.count("slot.name_due"), 0);
    assert_eq!(room.retain_names(&admin).unwrap().unwrap().slots, [SECOND]);
}

/// What waits is confirmed by that name. Who asks about one that went is told at once, by one admin.
#[test]
fn an_act_that_waits_for_a_second_admin_keeps_the_name() {
    let mut house = House::new(2);
    let admin = house.first;
    house.room.two_person = TwoPersons::default();
    house.room.remove_person(&admin, &first(), &name("third"), Some(&Pictures::Erase)).unwrap();
    house.room.two_person = TwoPersons::of(&[TwoPerson::Resolve]);
    house.room.names_days_max = Some(0);
    let number = house.waits(Waits::Resolve);
    let due = house.room.names_due(&admin).unwrap().unwrap();
    assert_eq!((due.slots, due.kept), (vec![], vec![house.third.slot]));
    assert!(house.room.retain_names_by_itself().unwrap().is_none());
    house.room.confirm(&house.second, &of("second"), number).unwrap();
    assert_eq!(house.done(Waits::Resolve), 1);
    assert_eq!(house.room.retain_names_by_itself().unwrap().unwrap().slots, [house.third.slot]);
    assert!(matches!(house.ask(Waits::Resolve), Err(Error::NameDestroyed { .. })));
}

/// Before the roll nothing is done, and the next time does it; behind it it is done, and the next unlock says so.
#[test]
fn a_crash_at_any_step_is_before_or_after() {
    for (after, found, destroyed) in [(After::Intent, Found::Nothing, 0), (After::Rolled, Found::Done, 1)] {
        let home = Home::in_memory();
        let (mut room, pseudonym, _) = without_second(&home);
        room.names_days_max = Some(0);
        crash_at(after, 1);
        assert!(matches!(room.retain_names_by_itself(), Err(Error::Crash)));
        drop(room);
        let mut room = home.unlocked_as_first();
        let kind = format!("found={} kind={}", found.word(), IntentKind::Name.word());
        assert!(
            home.records().iter().any(|(n, l)| n == "recovery.reconciled" && l.contains(&kind)),
            "{after:?}"
        );
        assert_eq!(home.count("slot.name_destroyed"), destroyed);
        room.names_days_max = Some(0);
        assert_eq!(room.retain_names_by_itself().unwrap().is_none(), destroyed == 1);
        assert_eq!(home.count("slot.name_destroyed"), 1);
        assert!(is_nobodys(&mut room, pseudonym));
        home.log_verifies();
    }
}

#[test]
fn a_name_that_could_not_be_destroyed_is_there_and_that_is_on_record() {
    let home = Home::in_memory();
    let (mut room, pseudonym, salt) = without_second(&home);
    let who = room.who;
    room.names_days_max = Some(0);
    room.random = Box::new(super::remember::Failing { at: 1, drawn: Arc::default() });
    assert!(room.retain_names(&who).is_err());
    room.random = Box::new(vault::OsRandom);
    assert_eq!((home.count("slot.name_kept"), home.count("slot.name_destroyed")), (1, 0));
    // What failed does not come with the vault's next record.
    room.hold(&who, Some(&name("first")), HoldReason::Order).unwrap();
    assert_eq!(room.resolve(&who, pseudonym, ResolveReason::Audit).unwrap().name, Some(name("second")));
    assert!(!is_nobodys_slot(&room, &salt));
    assert_eq!(room.retain_names(&who).unwrap().unwrap().slots, [SECOND]);
    assert!(is_nobodys(&mut room, pseudonym));
}

/// What the disk refuses: a roll that cannot begin leaves the name and says so, and one that lacks its wipe alone is finished by the
/// next act, with what a damage had left of the vault file from before.
#[test]
fn a_disk_that_refuses_leaves_the_name_or_the_rest_of_the_roll_to_the_next_act() {
    let home = Home::in_memory();
    let (mut room, pseudonym, salt) = without_second(&home);
    let who = room.who;
    room.names_days_max = Some(0);
    let in_the_way = home.0.join("vault/vault.new/anything");
    std::fs::create_dir_all(&in_the_way).unwrap();
    let refused = room.retain_names(&who).map(drop).unwrap_err();
    assert!(matches!(refused, Error::Vault(vault::Error::Io { .. })), "{refused}");
    let kept = |home: &Home| home.count("slot.name_kept");
    assert_eq!((kept(&home), home.count("slot.name_destroyed")), (1, 0));
    assert_eq!(room.resolve(&who, pseudonym, ResolveReason::Audit).unwrap().name, Some(name("second")));
    std::fs::remove_dir_all(home.0.join("vault/vault.new")).unwrap();
    std::fs::write(home.0.join("vault/vault.damaged"), b"of a damage before").unwrap();
    // The last of a roll's draws is the wipe's.
    let unfinished = (1..100).find(|at| {
        room.random = Box::new(super::remember::Failing { at: *at, drawn: Arc::default() });
        let failed = room.retain_names(&who).map(drop).unwrap_err();
        matches!(failed, Error::Vault(vault::Error::Unfinished(_)))
    });
    let draws = unfinished.unwrap() as usize;
    assert_eq!(
        (kept(&home), home.count("slot.name_destroyed")),
        (draws, 0),
        "what is not yet true is not on record"
    );
    room.random = Box::new(vault::OsRandom);
    assert!(room.retain_names(&who).unwrap().is_none(), "nothing more is due");
    generate(&mut room, 1, Mood::Works).unwrap();
    assert_eq!((kept(&home), home.count("slot.name_destroyed")), (draws, 1));
    assert!(!home.0.join("vault/vault.damaged").exists());
    assert!(is_nobodys(&mut room, pseudonym) && is_nobodys_slot(&room, &salt));
    home.log_verifies();
}

/// Who could not be removed stays as they were, and their period has not begun.
#[test]
fn a_removal_that_fails_begins_no_period() {
    let home = Home::in_memory();
    let mut room = with_second(&home, Role::Operator);
    let before = signed_in(&mut room, &of("second"));
    let admin = signed_in(&mut room, &first());
    room.random = Box::new(super::remember::Failing { at: 1, drawn: Arc::default() });
    assert!(room.remove_person(&admin, &first(), &name("second"), None).is_err());
    room.random = Box::new(vault::OsRandom);
    room.hold(&admin, Some(&name("first")), HoldReason::Order).unwrap();
    assert!(matches!(Behind::of(vault_of(&room), SECOND), Some(Behind::Salt(_))));
    assert_eq!(signed_in(&mut room, &of("second")).actor, before.actor);
    room.names_days_max = Some(0);
    assert!(room.retain_names(&admin).unwrap().is_none());
}

/// A clock that jumps ahead would end what somebody has to be able to ask for.
#[test]
fn a_clock_that_was_set_destroys_no_name() {
    let home = Home::in_memory();
    let (mut room, ..) = without_second(&home);
    room.names_days_max = Some(0);
    let right = room.began;
    room.began.wall_ms += 3 * 24 * 3600 * 1000;
    assert!(matches!(room.retain_names_by_itself(), Err(Error::ClockMoved)));
    assert!(room.warnings().contains(&crate::Warning::ClockMoved));
    room.began = right;
    assert!(room.retain_names_by_itself().unwrap().is_some());
}

/// Earlier versions did not note when somebody was removed: the log tells it, once.
#[test]
fn the_period_of_who_was_removed_by_an_earlier_version_begins_where_the_log_says() {
    let home = Home::in_memory();
    let (mut room, pseudonym, salt) = without_second(&home);
    let who = room.who;
    let open = room.darkroom.as_mut().unwrap().open_parts().unwrap().0;
    open.vault.set_mark(16 + SECOND as u8, &salt, &mut vault::OsRandom).unwrap();
    room.names_days_max = Some(1);
    assert!(room.retain_names(&who).unwrap().is_none());
    let removed = audit::records(&home.0.join("audit"), audit::Order::NewestFirst).unwrap();
    let removed = removed.flatten().find(|record| record.name == "slot.removed").unwrap();
    assert_eq!(Behind::of(vault_of(&room), SECOND), Some(Behind::Gone(removed.ts_ms, Some(salt))));
    assert_eq!(room.resolve(&who, pseudonym, ResolveReason::Audit).unwrap().name, Some(name("second")));
    room.names_days_max = Some(0);
    assert_eq!(room.retain_names(&who).unwrap().unwrap().slots, [SECOND]);
    assert!(is_nobodys(&mut room, pseudonym));
}

/// By the log alone, an intent without an outcome included: before there is a vault that could open it.
#[test]
fn a_backup_from_before_brings_no_name_back() {
    for crash in [None, Some(After::Intent), Some(After::Rolled)] {
        let home = Home::in_memory();
        let mut room = both_in(&home);
        let there = backed_up(&mut room);
        let (mut room, pseudonym, salt) = gone(room);
        let removed = backed_up(&mut room);
        room.names_days_max = Some(0);
        if let Some(after) = crash {
            crash_at(after, 1);
        }
        let done = room.retain_names_by_itself();
        match crash {
            Some(_) => assert!(matches!(done, Err(Error::Crash))),
            None => assert_eq!(done.unwrap().unwrap().backups.len(), 2, "who asked is told of both"),
        }
        drop(room);
        let gone = ["key slot 3, whose name was destroyed".to_owned()];
        for (bytes, told) in [(&there, &gone[..]), (&removed, &gone[..0])] {
            let other = with_log_of(&home);
            let restored = restore(&other, bytes, &first(), false).unwrap();
            assert_eq!((restored.nameless, &restored.removed[..]), (1, told), "nobody is told of whom");
            assert_eq!(holding(&other, b"second"), Vec::<String>::new());
            let mut room = is_sound_as_first(&other);
            assert!(is_nobodys(&mut room, pseudonym) && is_nobodys_slot(&room, &salt), "{crash:?}");
            assert_eq!(vault_of(&room).free_slot().unwrap(), SlotId(SECOND + 1));
            other.log_verifies();
        }
    }
}

/// Where the log is lost, too: the exported records name nobody, and say whose name went. Those that end before say less, and what they
/// say is kept: when the removal was.
#[test]
fn exported_records_bring_no_name_back() {
    let home = Home::in_memory();
    let mut room = both_in(&home);
    let there = backed_up(&mut room);
    let (mut room, pseudonym, salt) = gone(room);
    let removed = backed_up(&mut room);
    let until_removed = exported(&home, 0);
    room.names_days_max = Some(0);
    crash_at(After::Intent, 1);
    assert!(matches!(room.retain_names_by_itself(), Err(Error::Crash)));
    drop(room);
    let until_asked = exported(&home, 0);
    let mut room = home.unlocked_as_first();
    room.names_days_max = Some(0);
    assert_eq!(room.retain_names_by_itself().unwrap().unwrap().slots, [SECOND]);
    room.leave(StopReason::Done).unwrap();
    let all = exported(&home, 0);
    assert!(!all.contains("second"));
    for (bytes, records, is_destroyed) in [
        (&there, &all, true),
        (&removed, &all, true),
        (&there, &until_asked, true),
        (&removed, &until_asked, true),
        (&there, &until_removed, false),
    ] {
        let other = Home::in_memory();
        restore_with(&other, bytes, records, &first()).unwrap();
        let mut room = is_sound_as_first(&other);
        let who = room.who;
        if is_destroyed {
            assert!(is_nobodys(&mut room, pseudonym) && is_nobodys_slot(&room, &salt));
        } else {
            let found = room.resolve(&who, pseudonym, ResolveReason::Audit).unwrap();
            assert_eq!(found.name, Some(name("second")));
            assert!(matches!(Behind::of(vault_of(&room), SECOND), Some(Behind::Gone(_, Some(_)))));
            room.names_days_max = Some(0);
            assert_eq!(room.retain_names(&who).unwrap().unwrap().slots, [SECOND]);
        }
        assert_eq!(vault_of(&room).free_slot().unwrap(), SlotId(SECOND + 1), "nobody gets the number");
        other.log_verifies();
    }
}

/// Nobody vouches for exported records: who is there, and was not removed, keeps their name whatever they say.
#[test]
fn exported_records_take_no_name_from_who_is_there() {
    let home = Home::in_memory();
    let mut room = with_second(&home, Role::Operator);
    let second = signed_in(&mut room, &of("second"));
    room.who = signed_in(&mut room, &first());
    let bytes = backed_up(&mut room);
    let log = &room.darkroom.as_ref().unwrap().log;
    log.append(&[audit::Event::SlotNameDue { slot: SECOND.into(), days: 1 }
        .by_system()
        .job(crate::JobId([7; 16]))])
        .unwrap();
    drop(room);
    let records = exported(&home, 0);
    assert!(records.contains("slot.name_due"), "{records}");
    let other = Home::in_memory();
    restore_with(&other, &bytes, &records, &first()).unwrap();
    let mut room = other.unlocked_as_first();
    let who = room.who;
    assert_eq!(room.resolve(&who, second.actor, ResolveReason::Audit).unwrap().name, Some(name("second")));
    assert_eq!(signed_in(&mut room, &of("second")).actor, second.actor);
}

/// The period of who was removed since a backup was made begins where the log says, not when it is put back.
#[test]
fn a_backup_from_before_a_removal_begins_no_period_anew() {
    let home = Home::in_memory();
    let mut room = both_in(&home);
    let there = backed_up(&mut room);
    let (room, pseudonym, salt) = gone(room);
    drop(room);
    let removed = audit::records(&home.0.join("audit"), audit::Order::NewestFirst).unwrap();
    let removed_ms = removed.flatten().find(|record| record.name == "slot.removed").unwrap().ts_ms;
    let other = with_log_of(&home);
    restore(&other, &there, &first(), false).unwrap();
    let mut room = is_sound_as_first(&other);
    assert_eq!(Behind::of(vault_of(&room), SECOND), Some(Behind::Gone(removed_ms, Some(salt))));
    let who = room.who;
    assert_eq!(room.resolve(&who, pseudonym, ResolveReason::Audit).unwrap().name, Some(name("second")));
}

fn is_sound_as_first(home: &Home) -> Room {
    let room = is_sound(home);
    assert_eq!(room.who.role(), Role::Admin);
    room
}

impl Home {
    fn unlocked_as_first(&self) -> Room {
        let mut darkroom = self.open().unwrap();
        let who = darkroom.unlock(&first(), Door::Terminal).unwrap();
        Room { darkroom: Some(darkroom), who }
    }
}
