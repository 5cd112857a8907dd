//! What the vault remembers of the log with every look, and the end of what it remembered before.

use super::*;
use crate::Warning;
use crate::remember::{MARK_LOG, SUPERSEDED_MAX};
use std::io;
use vault::{Locked, OsRandom, Random, Unlocked};

/// Bytes of a record that holds a superseded mark, at least.
const RECORD_BYTES: u64 = 100;

impl Home {
    /// Another one with the same files.
    fn copy(&self) -> Self {
        let copy = Self::in_memory();
        super::rollback::copy(&self.0, &copy.0);
        copy
    }

    /// The length of the vault file.
    fn vault_bytes(&self) -> u64 {
        std::fs::metadata(self.0.join("vault/vault")).unwrap().len()
    }

    /// What is found by whoever opens the vault beside the darkroom.
    fn beside(&self) -> vault::Vault {
        let locked = Locked::open(self.places().of_vault()).unwrap();
        match locked.unlock(&secret(), |_| true) {
            Ok(Unlocked::Vault(vault, _)) => *vault,
            _ => panic!("not opened"),
        }
    }

    /// Why the vault was rolled, as often as it was.
    fn rolls(&self) -> Vec<String> {
        let reason =
            |line: &str| line.split(' ').find_map(|word| word.strip_prefix("reason=")).unwrap().to_owned();
        self.records()
            .iter()
            .filter(|(name, _)| name == "vault.rolled")
            .map(|(_, line)| reason(line))
            .collect()
    }
}

/// A home with two pictures, locked, whose vault has been looked at one time too many; and how long its file was before.
fn looked_at_often() -> (Home, u64) {
    let home = Home::in_memory();
    let mut room = home.unlocked();
    generate(&mut room, 2, Mood::Works).unwrap();
    room.leave(StopReason::Done).unwrap();
    let before = home.vault_bytes();
    let mut vault = home.beside();
    let mark = vault.mark(MARK_LOG).unwrap().to_vec();
    for _ in 0..=SUPERSEDED_MAX {
        vault.set_mark(MARK_LOG, &mark, &mut OsRandom).unwrap();
    }
    drop(vault);
    assert!(home.vault_bytes() > before + SUPERSEDED_MAX as u64 * RECORD_BYTES);
    (home, before)
}

/// Everything is as it was but for the length of the vault file, and nothing is left to do.
fn assert_small(home: &Home, before: u64) {
    let room = home.unlocked();
    assert!(home.vault_bytes() < before + 20 * 2 * RECORD_BYTES, "{} bytes", home.vault_bytes());
    assert_eq!((room.pictures().len(), room.warnings()), (2, vec![]));
    drop(room);
    home.log_verifies();
    let vault = home.beside();
    assert_eq!(vault.state().epoch, 2, "rolled once");
    assert!(vault.verify().unwrap().is_sound());
}

#[test]
fn what_many_looks_leave_in_the_vault_is_dropped_at_the_next_unlock() {
    let home = Home::in_memory();
    let mut room = home.unlocked();
    let pictures = generate(&mut room, 2, Mood::Works).unwrap();
    let (who, before) = (room.who, home.vault_bytes());
    for _ in 0..=SUPERSEDED_MAX {
        room.view(&who, pictures[0].id).unwrap();
    }
    assert!(home.vault_bytes() > before + SUPERSEDED_MAX as u64 * RECORD_BYTES);
    room.leave(StopReason::Done).unwrap();
    assert_eq!(home.rolls(), Vec::<String>::new());
    let mut room = home.unlocked();
    assert_eq!(home.rolls(), ["routine"]);
    assert_eq!(room.who.actor, who.actor, "the same person");
    let found: Vec<_> = room.pictures().iter().map(|picture| (picture.id, picture.pseudonym)).collect();
    assert_eq!(found, pictures.iter().rev().map(|made| (made.id, made.pseudonym)).collect::<Vec<_>>());
    let who = room.who;
    room.view(&who, pictures[1].id).unwrap();
    room.leave(StopReason::Done).unwrap();
    assert_small(&home, before);
    assert_eq!(home.rolls(), ["routine"]);
}

#[test]
fn a_crash_before_the_record_of_it_is_found_by_the_next_unlock() {
    let (home, before) = looked_at_often();
    let mut darkroom = home.open().unwrap();
    crash_at(After::Compacted, 1);
    assert!(matches!(darkroom.unlock(&secret(), Door::Terminal), Err(Error::Crash)));
    drop(darkroom);
    assert_small(&home, before);
    assert_eq!(home.rolls(), ["recovery"]);
}

/// Whatever else the vault was given to do at its unlock, it is open: the next unlock tries again.
#[test]
fn what_fails_in_it_keeps_nobody_out() {
    let (kept, before) = looked_at_often();
    let draws = unlock_drawing(&kept.copy(), 0).expect("nothing fails");
    assert!(draws > 8, "only {draws}");
    let (mut later, mut at_once) = (0, 0);
    // The first draw and the last are those of the marks before and after it.
    for failing in 2..draws {
        let home = kept.copy();
        unlock_drawing(&home, failing).unwrap_or_else(|error| panic!("draw {failing}: {error}"));
        match &home.rolls()[..] {
            [] => later += 1,
            [one] if one == "routine" => at_once += 1,
            other => panic!("draw {failing}: {other:?}"),
        }
        assert_small(&home, before);
        assert_eq!(home.rolls(), ["routine"]);
        assert_eq!(home.count("recovery.reconciled"), 0);
    }
    // The last draw of a roll is for the wipe, when it is in place already.
    assert!(later > 6 && at_once == 1, "{later} times later, {at_once} times at once");
}

/// Unlocks with randomness that fails at one draw; how often it was drawn from.
fn unlock_drawing(home: &Home, failing: u32) -> Result<u32, Error> {
    let mut darkroom = home.open().unwrap();
    let drawn = Arc::new(AtomicU32::new(0));
    darkroom.random = Box::new(Failing { at: failing, drawn: Arc::clone(&drawn) });
    let who = darkroom.unlock(&secret(), Door::Terminal)?;
    assert_eq!(darkroom.list(&who)?.len(), 2);
    assert!(!darkroom.warnings().contains(&Warning::OldKeyRemains));
    Ok(drawn.load(Ordering::Relaxed))
}

/// The system's randomness, but for one draw.
struct Failing {
    at: u32,
    drawn: Arc<AtomicU32>,
}

impl Random for Failing {
    fn fill(&mut self, out: &mut [u8]) -> io::Result<()> {
        match self.drawn.fetch_add(1, Ordering::Relaxed) + 1 == self.at {
            true => Err(io::Error::other("a test's fault")),
            false => OsRandom.fill(out),
        }
    }
}
