//! Tokens of programs: what each opens, and what ends it.

use super::people::{first, name, of, signed_in};
use super::*;
use crate::{Act, Kind, PersonName, Pictures, RIGHTS, Role, Scope, Scopes, TOKEN_DAYS};
use audit::Digest;

const DAY_MS: u64 = 24 * 3600 * 1000;

/// "first", an admin, signed in, and "second" of this role.
fn two(home: &Home, role: Role) -> (Room, Who, Who) {
    let mut room = super::people::with_second(home, role);
    let (admin, second) = (signed_in(&mut room, &first()), signed_in(&mut room, &of("second")));
    (room, admin, second)
}

fn scopes(words: &str) -> Scopes {
    Scopes::parse(words.split(',')).unwrap()
}

/// A token of `who`: its number, and what the darkroom is asked by.
fn made(room: &mut Room, who: &Who, words: &str) -> (u64, [u8; 32]) {
    let (token, text) = room.make_token(who, scopes(words), TOKEN_DAYS, Some(name("a wall"))).unwrap();
    assert!(text.starts_with("lpt_") && text.len() == 68, "{}", text.len());
    (token.number, Digest::of(text.as_bytes()).0)
}

fn is_shut(room: &mut Room, sha256: &[u8; 32]) {
    assert!(matches!(room.enter_by_token(sha256), Err(Error::UnknownToken)));
}

#[test]
fn a_token_does_what_its_person_may_of_its_scope_and_nothing_else() {
    for role in [Role::Operator, Role::Admin] {
        let home = Home::in_memory();
        let (mut room, _, second) = two(&home, role);
        for scope in Scope::ALL {
            if scope == Scope::Audit && role == Role::Operator {
                let refused = room.make_token(&second, scopes("audit"), 1, None).unwrap_err();
                assert!(matches!(refused, Error::NotPermitted(Act::ReadLog)), "{refused}");
                continue;
            }
            let (_, sha256) = made(&mut room, &second, scope.word());
            let who = room.enter_by_token(&sha256).unwrap();
            assert_eq!((who.slot, who.actor, who.role()), (second.slot, second.actor, role));
            for (act, words, _) in RIGHTS {
                let before = home.count("request.refused");
                let opens = room.vault_of(&who, act).map(drop);
                assert_eq!(opens.is_ok(), act.is_open_to(role) && act.scope() == Some(scope), "{words}");
                if let Err(refused) = opens {
                    assert_eq!(refused.kind(), Kind::NotPermitted, "{refused}");
                    assert_eq!(home.count("request.refused"), before + 1, "{words}");
                }
            }
            // What changes anything of people, keys or pictures takes somebody.
            assert!(matches!(room.make_token(&who, scopes("read"), 1, None), Err(Error::OutOfScope(_))));
            assert!(matches!(room.erase(&who, &[]), Err(Error::OutOfScope(Act::EraseOwn))));
            assert!(matches!(room.tokens(&who), Err(Error::OutOfScope(_))));
        }
        home.log_verifies();
    }
}

/// Where nobody has a name the one person may do everything, and a token of theirs no more than its scopes.
#[test]
fn where_nobody_has_a_name_a_token_is_for_its_scopes_all_the_same() {
    let home = Home::in_memory();
    let mut room = home.unlocked();
    let who = room.who;
    let (_, sha256) = made(&mut room, &who, "generate,audit");
    let by_token = room.enter_by_token(&sha256).unwrap();
    assert!(room.reads_log(&by_token).is_ok());
    assert!(matches!(room.list(&by_token), Err(Error::OutOfScope(Act::OwnPictures))));
    assert!(matches!(room.replace_recovery(&by_token), Err(Error::OutOfScope(_))));
    assert_eq!(room.tokens(&who).unwrap().len(), 1);
}

#[test]
fn a_token_is_shown_once_and_kept_hashed_and_told_by_the_day() {
    let home = Home::in_memory();
    let (mut room, admin, second) = two(&home, Role::Operator);
    let (token, text) = room.make_token(&second, scopes("read"), TOKEN_DAYS, None).unwrap();
    let sha256 = Digest::of(text.as_bytes()).0;
    assert_eq!(token.used_day(), None);
    for _ in 0..3 {
        room.enter_by_token(&sha256).unwrap();
    }
    assert_eq!((home.count("token.made"), home.count("token.used")), (1, 1), "one record for a day");
    let told = room.tokens(&admin).unwrap().remove(0);
    assert_eq!((told.number, told.slot, told.is_own), (token.number, second.slot, false));
    let today = audit::timestamp(room.now_ms());
    assert!(told.used_day().is_some_and(|day| today.starts_with(&day) && day.len() == 10));
    assert_eq!(told.facts()["used_day"], told.used_day().unwrap());
    // Nobody finds it in what is written, sealed or not.
    for (kind, record) in home.records() {
        assert!(!record.contains(&text[4..]), "{kind}");
    }
    let vault = &room.open_vault().unwrap().vault;
    let mark = vault.mark(vault::MARK_LONG).unwrap();
    assert!(mark.windows(32).any(|bytes| bytes == sha256));
    let digits: Vec<u8> = text[4..]
        .as_bytes()
        .chunks(2)
        .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
        .collect();
    assert!(!mark.windows(32).any(|bytes| bytes == digits), "the token itself is kept");
    assert!(!mark.windows(16).any(|bytes| *bytes == text.as_bytes()[4..20]));
    // Another one, one bit apart, and none.
    let mut near = sha256;
    near[31] ^= 1;
    is_shut(&mut room, &near);
    is_shut(&mut room, &[0; 32]);
}

#[test]
fn a_locked_vault_opens_to_no_token_and_the_next_opening_to_the_same() {
    let home = Home::in_memory();
    let (mut room, _, second) = two(&home, Role::Operator);
    let (number, sha256) = made(&mut room, &second, "read");
    let by_token = room.enter_by_token(&sha256).unwrap();
    assert!(room.list(&by_token).is_ok());
    room.lock(None).unwrap();
    assert!(matches!(room.enter_by_token(&sha256), Err(Error::Locked)));
    assert!(matches!(room.list(&by_token), Err(Error::Locked)));
    let admin = signed_in(&mut room, &first());
    assert!(
        matches!(room.list(&by_token), Err(Error::Locked)),
        "who came in before came in to another opening"
    );
    let again = room.enter_by_token(&sha256).unwrap();
    assert!(room.list(&again).is_ok());
    room.revoke_token(&admin, number).unwrap();
    assert!(matches!(room.list(&again), Err(Error::UnknownToken)), "in the middle of a request, too");
    is_shut(&mut room, &sha256);
    assert!(matches!(room.revoke_token(&admin, number), Err(Error::NoToken { .. })));
}

#[test]
fn a_token_ends_by_its_time_and_with_its_person() {
    let home = Home::in_memory();
    let (mut room, admin, second) = two(&home, Role::Operator);
    let ended = |reason: &str| {
        let is_it = |(name, line): &&(String, String)| {
            name == "token.ended" && line.contains(&format!("reason={reason}"))
        };
        home.records().iter().filter(is_it).count()
    };
    // By its time: the vault remembers one that is over.
    let (_, sha256) = made(&mut room, &second, "read");
    let mut kept = room.open_vault().unwrap().vault.mark(vault::MARK_LONG).unwrap().to_vec();
    let past = (room.now_ms() - DAY_MS).to_be_bytes();
    kept[12..20].copy_from_slice(&past);
    let (open, random, _) = room.open_parts().unwrap();
    open.vault.set_mark(vault::MARK_LONG, &kept, random).unwrap();
    assert!(room.tokens(&admin).unwrap().is_empty());
    assert_eq!(ended("expired"), 0);
    is_shut(&mut room, &sha256);
    assert_eq!(ended("expired"), 1);
    // By another role, which does not bring it back.
    let (_, sha256) = made(&mut room, &second, "read");
    room.set_role(&admin, &first(), &name("second"), Role::Admin).unwrap();
    assert_eq!(ended("person"), 1);
    is_shut(&mut room, &sha256);
    room.set_role(&admin, &first(), &name("second"), Role::Operator).unwrap();
    is_shut(&mut room, &sha256);
    // By its person's removal.
    let second = signed_in(&mut room, &of("second"));
    let (_, sha256) = made(&mut room, &second, "generate");
    let (_, of_admin) = made(&mut room, &admin, "read");
    room.remove_person(&admin, &first(), &name("second"), Some(&Pictures::Keep)).unwrap();
    assert_eq!(ended("person"), 2);
    is_shut(&mut room, &sha256);
    assert!(room.enter_by_token(&of_admin).is_ok(), "and with nobody else's");
    home.log_verifies();
}

/// The role changes, and the vault does not take the end of the token any more: it is shut by what it says of its person, and the
/// way back to that role ends it first.
#[test]
fn a_token_whose_end_was_cut_short_does_not_come_back() {
    let home = Home::in_memory();
    let (mut room, admin, second) = two(&home, Role::Operator);
    let (_, sha256) = made(&mut room, &second, "read");
    room.random = Box::new(super::remember::Failing { at: 2, drawn: Arc::default() });
    room.set_role(&admin, &first(), &name("second"), Role::Admin).unwrap();
    assert_eq!(
        (home.count("token.ended"), home.count("token.end_failed")),
        (1, 1),
        "on record that it was not"
    );
    room.random = Box::new(vault::OsRandom);
    is_shut(&mut room, &sha256);
    room.set_role(&admin, &first(), &name("second"), Role::Operator).unwrap();
    is_shut(&mut room, &sha256);
    home.log_verifies();
}

/// What the vault does not take is no token, and the log says so.
#[test]
fn a_token_that_the_vault_does_not_take_is_none() {
    let home = Home::in_memory();
    let (mut room, _, second) = two(&home, Role::Operator);
    room.random = Box::new(super::remember::Failing { at: 2, drawn: Arc::default() });
    assert!(room.make_token(&second, scopes("read"), 1, None).is_err());
    assert_eq!((home.count("token.made"), home.count("token.ended")), (1, 1));
    room.random = Box::new(vault::OsRandom);
    assert!(room.tokens(&second).unwrap().is_empty());
}

#[test]
fn there_is_an_end_of_tokens_and_each_sees_and_ends_their_own() {
    let home = Home::in_memory();
    let (mut room, admin, second) = two(&home, Role::Operator);
    for words in [0, 367] {
        assert!(room.make_token(&second, scopes("read"), words, None).is_err());
    }
    assert!(room.make_token(&second, Scopes::default(), 1, None).is_err());
    let long = PersonName::new(&"x".repeat(64)).unwrap();
    let tokens: Vec<u64> = (0..8)
        .map(|_| room.make_token(&second, scopes("read"), 366, Some(long.clone())).unwrap().0.number)
        .collect();
    let full = room.make_token(&second, scopes("read"), 1, None).unwrap_err();
    assert!(full.to_string().contains("revoke one"), "{full}");
    let (of_admin, _) = made(&mut room, &admin, "read");
    assert_eq!((room.tokens(&second).unwrap().len(), room.tokens(&admin).unwrap().len()), (8, 9));
    let hidden = room.revoke_token(&second, of_admin).unwrap_err();
    assert_eq!(hidden.kind(), Kind::NotFound, "{hidden}");
    room.revoke_token(&second, tokens[3]).unwrap();
    room.revoke_token(&admin, tokens[4]).unwrap();
    let left: Vec<u64> = room.tokens(&second).unwrap().iter().map(|token| token.number).collect();
    assert_eq!(left, [&tokens[..3], &tokens[5..]].concat());
}

/// A token that was revoked since, and one that was not: neither opens the vault that was made of the backup.
#[test]
fn a_backup_brings_back_no_token() {
    let home = Home::in_memory();
    let (mut room, admin, second) = two(&home, Role::Operator);
    let (revoked, first_one) = made(&mut room, &second, "read");
    let (_, second_one) = made(&mut room, &second, "read");
    let mut bytes = Vec::new();
    crate::back_up(&mut *room, &admin, None, &mut bytes, || Ok(()), || true).unwrap();
    room.revoke_token(&second, revoked).unwrap();
    for without_log in [false, true] {
        let other = if without_log { Home::in_memory() } else { backup::with_log_of(&home) };
        backup::restore(&other, &bytes, &first(), without_log).unwrap();
        let mut darkroom = other.open().unwrap();
        let admin = darkroom.unlock(&first(), Door::Terminal).unwrap();
        assert!(darkroom.tokens(&admin).unwrap().is_empty());
        for sha256 in [first_one, second_one] {
            assert!(matches!(darkroom.enter_by_token(&sha256), Err(Error::UnknownToken)));
        }
    }
}

/// A program that asks again and again while the vault takes no record fills no log.
#[test]
fn a_day_that_the_vault_does_not_take_is_on_record_once() {
    let home = Home::in_memory();
    let (mut room, _, second) = two(&home, Role::Operator);
    let (_, sha256) = made(&mut room, &second, "read");
    for _ in 0..3 {
        room.random = Box::new(super::remember::Failing { at: 1, drawn: Arc::default() });
        assert!(room.enter_by_token(&sha256).is_err());
    }
    assert_eq!(home.count("token.used"), 1);
    room.random = Box::new(vault::OsRandom);
    room.enter_by_token(&sha256).unwrap();
    assert!(room.tokens(&second).unwrap()[0].used_day().is_some());
    assert_eq!(home.count("token.used"), 1);
}
