//! Sessions, guesses and the setup code, with a clock of the test's own.

use super::*;
use darkroom::PersonName;

const IDLE_MS: u64 = 900_000;

fn sessions() -> Sessions {
    Sessions::new(IDLE_MS, None, Held::Not, &SystemClock::new())
}

/// Nothing was guessed.
fn nothing() -> Result<(), darkroom::Error> {
    Err(darkroom::Error::Locked)
}

#[test]
fn a_token_opens_until_it_is_idle_and_no_longer_than_a_day_of_work() {
    let sessions = sessions();
    let token = sessions.begin(Who::NOBODY, 0).unwrap();
    assert_eq!((token.len(), sessions.enter("00", true, 0).is_some()), (64, false));
    assert!(sessions.enter(&token, true, IDLE_MS - 1).is_some());
    assert!(sessions.enter(&token, true, 2 * IDLE_MS - 2).is_some(), "its use prolongs it");
    assert!(sessions.enter(&token, true, 3 * IDLE_MS - 2).is_none());
    let token = sessions.begin(Who::NOBODY, 0).unwrap();
    let mut now_ms = 0;
    while sessions.enter(&token, true, now_ms).is_some() {
        now_ms += IDLE_MS / 2;
    }
    assert!((SESSION_MS_MAX..SESSION_MS_MAX + IDLE_MS).contains(&now_ms), "{now_ms}");
}

#[test]
fn a_verb_at_work_is_somebody_there_and_one_that_waits_for_an_answer_is_not() {
    let sessions = sessions();
    let key = Key::of(&sessions.begin(Who::NOBODY, 0).unwrap());
    sessions.works(key, true, 1);
    assert!(sessions.lives(key, SESSION_MS_MAX * 2), "however long it takes");
    assert_eq!(sessions.sweep(SESSION_MS_MAX * 2).unwrap(), Some(u64::MAX));
    sessions.works(key, false, SESSION_MS_MAX * 2);
    assert!(sessions.lives(key, SESSION_MS_MAX * 2 + IDLE_MS - 1));
    assert!(!sessions.lives(key, SESSION_MS_MAX * 2 + IDLE_MS));
    // Its end is its own.
    let other = Key::of(&sessions.begin(Who::NOBODY, 0).unwrap());
    let end = |key| sessions.end(key, SESSION_MS_MAX * 2);
    assert_eq!((end(other), end(other), end(key)), (Some(true), None, Some(false)));
}

#[test]
fn a_verb_leaves_a_vault_that_was_open_without_a_session_as_it_was() {
    let clock = SystemClock::new();
    let sessions = Sessions::new(IDLE_MS, None, Held::ForAWhile, &clock);
    let now_ms = clock.mono_ms();
    let key = Key::of(&sessions.begin_work(Who::NOBODY, now_ms).unwrap());
    sessions.works(key, true, now_ms);
    assert_eq!(sessions.sweep(now_ms + 2 * IDLE_MS).unwrap(), Some(u64::MAX));
    assert_eq!(sessions.end(key, now_ms + 2 * IDLE_MS), Some(true));
    assert_eq!(sessions.sweep(now_ms + 2 * IDLE_MS).unwrap(), Some(now_ms + 3 * IDLE_MS));
    sessions.sweep(now_ms + 3 * IDLE_MS).unwrap_err();
    // Somebody at the page takes it over, and locks it.
    let sessions = Sessions::new(IDLE_MS, None, Held::ForAWhile, &clock);
    let page = Key::of(&sessions.begin(Who::NOBODY, now_ms).unwrap());
    assert_eq!(sessions.end(page, now_ms), Some(false));
}

#[test]
fn watching_events_is_no_use() {
    let sessions = sessions();
    let token = sessions.begin(Who::NOBODY, 0).unwrap();
    let (key, _) = sessions.enter(&token, false, IDLE_MS - 1).unwrap();
    assert!(sessions.lives(key, IDLE_MS - 1));
    assert!(!sessions.lives(key, IDLE_MS));
}

#[test]
fn the_end_of_the_last_session_is_told_once() {
    let sessions = sessions();
    assert_eq!(sessions.sweep(0).unwrap(), None);
    let first = sessions.begin(Who::NOBODY, 0).unwrap();
    sessions.begin(Who::NOBODY, 100).unwrap();
    assert_eq!(sessions.sweep(100).unwrap(), Some(IDLE_MS));
    assert_eq!(sessions.sweep(IDLE_MS).unwrap(), Some(IDLE_MS + 100));
    assert!(sessions.enter(&first, true, IDLE_MS).is_none());
    sessions.sweep(IDLE_MS + 100).unwrap_err();
    assert_eq!(sessions.sweep(IDLE_MS + 100).unwrap(), None);
}

#[test]
fn a_vault_whose_last_one_is_not_who_they_were_locks() {
    let sessions = sessions();
    sessions.begin(Who::NOBODY, 0).unwrap();
    sessions.end_unless(|_| true);
    assert_eq!(sessions.sweep(0).unwrap(), Some(IDLE_MS));
    sessions.end_unless(|_| false);
    sessions.sweep(0).unwrap_err();
    assert_eq!(sessions.sweep(0).unwrap(), None);
}

#[test]
fn an_open_vault_waits_for_its_first_session_and_no_longer() {
    let clock = SystemClock::new();
    let sessions = Sessions::new(IDLE_MS, None, Held::ForAWhile, &clock);
    let until_ms = sessions.sweep(clock.mono_ms()).unwrap().unwrap();
    sessions.sweep(until_ms).unwrap_err();
    assert_eq!(sessions.sweep(until_ms).unwrap(), None);
}

#[test]
fn a_vault_that_stays_open_outlives_its_sessions_and_not_the_server() {
    let clock = SystemClock::new();
    let sessions = Sessions::new(IDLE_MS, None, Held::ToTheEnd, &clock);
    assert_eq!(sessions.sweep(u64::MAX / 2).unwrap(), None, "nobody came, and it waits for nobody");
    let token = sessions.begin(Who::NOBODY, 0).unwrap();
    assert_eq!(sessions.sweep(0).unwrap(), Some(IDLE_MS));
    assert_eq!(sessions.sweep(IDLE_MS).unwrap(), None);
    assert!(sessions.enter(&token, true, IDLE_MS).is_none(), "a session ends as any other");
    sessions.begin(Who::NOBODY, 0).unwrap();
    assert!(sessions.end_of(&Who::NOBODY), "who leaves locks nothing");
    sessions.begin(Who::NOBODY, 0).unwrap();
    sessions.end_unless(|_| false);
    assert_eq!(sessions.sweep(0).unwrap(), None);
    sessions.end_all();
    sessions.begin(Who::NOBODY, 0).unwrap();
    assert!(!sessions.end_of(&Who::NOBODY));
}

#[test]
fn there_is_an_end_of_sessions() {
    let sessions = sessions();
    let first = sessions.begin(Who::NOBODY, 0).unwrap();
    let tokens: Vec<_> =
        (1..=SESSIONS_MAX as u64).map(|now_ms| sessions.begin(Who::NOBODY, now_ms).unwrap()).collect();
    assert!(sessions.enter(&first, true, 50).is_none(), "the oldest made room");
    assert!(tokens.iter().all(|token| sessions.enter(token, true, 50).is_some()));
    sessions.end_all();
    assert!(tokens.iter().all(|token| sessions.enter(token, true, 50).is_none()));
}

#[test]
fn three_guesses_are_free_and_a_wait_is_never_long() {
    let mut guesses = Guesses::default();
    let (mut now_ms, mut waits) = (5, Vec::new());
    for _ in 0..20 {
        guesses.was_wrong(now_ms);
        waits.push(guesses.wait_ms(now_ms) / 1000);
        now_ms += guesses.wait_ms(now_ms);
        assert_eq!(guesses.wait_ms(now_ms), 0);
    }
    assert_eq!(waits[..9], [0, 0, 1, 2, 4, 8, 16, 30, 30]);
    assert_eq!(waits[19], 30);
}

/// Where nobody needs a name.
fn alone() -> Name {
    Name::of(None)
}

const OWNER: User = Some(1000);
const OTHER: User = Some(1001);

#[test]
fn each_user_pays_for_their_own_guesses() {
    let sessions = Arc::new(sessions());
    for _ in 0..GUESSES_FREE {
        drop(sessions.guess(OTHER, alone()).unwrap());
    }
    for user in [None, OWNER] {
        assert_eq!((sessions.wait_s(OTHER), sessions.wait_s(user)), (1, 0));
        assert!(sessions.guess(OTHER, alone()).is_err());
        sessions.guess(user, alone()).unwrap().of(&Ok(()));
    }
    assert!(sessions.guess(OTHER, alone()).is_err(), "who else is right forgives them nothing");
    for _ in 1..GUESSES_FREE {
        drop(sessions.guess(OWNER, alone()).unwrap());
    }
    sessions.guess(OWNER, alone()).unwrap().of(&Ok(()));
    drop(sessions.guess(OWNER, alone()).unwrap());
    assert_eq!(sessions.wait_s(OWNER), 0, "who knows the passphrase begins anew");
}

/// Several people at one desk are one user of the machine: a right passphrase of one's own buys no guess at another's.
#[test]
fn who_is_right_about_one_name_is_forgiven_nothing_at_another() {
    let sessions = Arc::new(sessions());
    let [own, others] = ["second", "first"].map(|name| Name::of(Some(&PersonName::new(name).unwrap())));
    for _ in 0..GUESSES_FREE {
        drop(sessions.guess(OWNER, others).unwrap());
        sessions.guess(OWNER, own).unwrap().of(&Ok(()));
    }
    assert!(sessions.guess(OWNER, others).is_err());
    sessions.guess(OWNER, own).unwrap().of(&Ok(()));
    let folded = Name::of(Some(&PersonName::new(" FIRST").unwrap()));
    assert!(sessions.guess(OWNER, folded).is_err(), "another spelling is the same name");
}

/// Where two open the vault together, one of them guesses the other's words beside their own right ones: those forgive nothing.
#[test]
fn what_one_of_two_guesses_of_the_other_only_both_are_forgiven() {
    let sessions = Arc::new(sessions());
    let [one, other, third] = ["first", "second", "third"].map(|name| PersonName::new(name).unwrap());
    for _ in 0..GUESSES_FREE {
        drop(sessions.guess(OWNER, Name::of_two(&one, &other)).unwrap());
        sessions.guess(OWNER, Name::of(Some(&one))).unwrap().of(&Ok(()));
        sessions.guess(OWNER, Name::of_two(&one, &third)).unwrap().of(&Ok(()));
    }
    assert!(sessions.guess(OWNER, Name::of_two(&other, &one)).is_err(), "whoever is named first");
    sessions.guess(OWNER, Name::of(Some(&other))).unwrap().of(&nothing());
}

#[test]
fn guesses_do_not_run_side_by_side() {
    let sessions = Arc::new(sessions());
    let guess = sessions.guess(OWNER, alone()).unwrap();
    assert!(sessions.guess(OWNER, alone()).is_err());
    guess.of(&nothing());
    (0..10).for_each(|_| sessions.guess(OWNER, alone()).unwrap().of(&nothing()));
    assert!(sessions.guess(OWNER, alone()).is_ok(), "what was no guess costs nothing");
}

/// Fifty others guess without end; the owner comes last, and waits for one turn of each.
#[tokio::test]
async fn users_take_turns_and_nobody_waits_for_two_of_another() {
    let sessions = Arc::new(sessions());
    let checked = Arc::new(Mutex::new(Vec::new()));
    let first = sessions.guess(Some(1), alone()).unwrap().turn().await;
    let mut waiting = Vec::new();
    for user in (2..=50).map(Some).chain([OWNER]) {
        let guess = sessions.guess(user, alone()).unwrap();
        assert!(sessions.guess(user, alone()).is_err(), "one of each waits");
        let (sessions, checked) = (Arc::clone(&sessions), Arc::clone(&checked));
        waiting.push(tokio::spawn(async move {
            let guess = guess.turn().await;
            assert!(sessions.turn.try_lock().is_err(), "checked side by side");
            checked.lock().unwrap().push(user);
            // Whoever had a turn wants the next one at once.
            guess.of(&nothing());
            let again = sessions.guess(user, alone()).unwrap().turn().await;
            checked.lock().unwrap().push(user);
            again.of(&nothing());
        }));
        tokio::task::yield_now().await;
    }
    first.of(&nothing());
    for waits in waiting {
        waits.await.unwrap();
    }
    let at = checked.lock().unwrap().iter().position(|user| *user == OWNER);
    assert_eq!(at, Some(49), "49 others were before the owner");
}

#[test]
fn a_setup_code_works_for_ten_minutes_and_until_it_was_used() {
    let clock = SystemClock::new();
    let (setup, code) = SetupCode::new(&clock).unwrap();
    let (now_ms, until_ms) = (clock.mono_ms(), setup.until_ms);
    let sessions = Sessions::new(IDLE_MS, Some(setup), Held::Not, &clock);
    assert!(sessions.check_setup(&code, now_ms).is_ok());
    assert!(sessions.check_setup(&format!(" {} ", code.to_uppercase()), now_ms).is_ok());
    let code_of = |problem: Problem| problem.parts().0;
    assert_eq!(sessions.check_setup("", now_ms).map_err(code_of), Err("setup_code"));
    assert_eq!(sessions.check_setup(&code[1..], now_ms).map_err(code_of), Err("setup_code"));
    assert_eq!((sessions.setup_is_open(now_ms), sessions.setup_is_open(until_ms)), (Some(true), Some(false)));
    assert_eq!(sessions.check_setup(&code, until_ms).map_err(code_of), Err("setup_code"));
    sessions.end_setup();
    assert_eq!(sessions.check_setup(&code, now_ms).map_err(code_of), Err("setup_done"));
    assert_eq!(sessions.setup_is_open(now_ms), None);
}
