//! Who may ask: session tokens, wrong guesses, the setup code, and the lock of a vault that nobody asks for any more.
//!
//! All of it lies in memory and ends with the process. Times are milliseconds of a clock that runs on while the machine
//! sleeps and that nobody can set.

use crate::House;
use crate::problem::Problem;
use crate::prompts::{Prompts, Typed};
use darkroom::{Clock as _, Darkroom, Kind, PersonName, Role, SystemClock, Who};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;
use zeroize::Zeroizing;

/// A session ends this long after its begin, however much is asked.
const SESSION_MS_MAX: u64 = 8 * 60 * 60 * 1000;
/// Sessions of one person at a time; their one that was used least recently makes room.
const SESSIONS_MAX: usize = 32;
/// Wrong guesses that cost no waiting.
const GUESSES_FREE: u32 = 3;
/// The longest wait: short enough for somebody who mistypes, long enough that guessing leads nowhere.
const WAIT_MS_MAX: u64 = 30_000;
/// Timers stand still while the machine sleeps, the clock does not: it is looked at this often while there is a session.
const LOOK_INTERVAL: Duration = Duration::from_secs(30);
/// A setup code can be used this long.
const SETUP_MS_MAX: u64 = 10 * 60 * 1000;

/// What the server knows of a token: its SHA-256, so that a look-up tells nothing about the token by its time.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key([u8; 32]);

impl Key {
    pub(crate) fn of(token: &str) -> Self {
        Self(Sha256::digest(token.to_ascii_lowercase()).into())
    }

    /// The digest.
    pub(crate) fn sha256(self) -> [u8; 32] {
        self.0
    }
}

/// The code that makes the vault on a first start, as the server keeps it.
pub struct SetupCode {
    key: Key,
    until_ms: u64,
}

impl SetupCode {
    /// A new code, and its text for the one who started the program.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn new(clock: &SystemClock) -> std::io::Result<(Self, Zeroizing<String>)> {
        let text = random_hex::<16>()?;
        Ok((Self { key: Key::of(&text), until_ms: clock.mono_ms() + SETUP_MS_MAX }, text))
    }
}

/// Sessions, guesses and the setup code.
pub struct Sessions {
    idle_ms: u64,
    clock: SystemClock,
    state: Mutex<State>,
    /// One guess is checked at a time; who waits for it comes in the order of the waiting.
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// A user of this machine by number; `None` is whoever the kernel does not tell us.
pub type User = Option<u32>;

/// For how long a vault that no session has opened stays open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// It is locked.
    Not,
    /// Until nobody has come for a while.
    ForAWhile,
    /// Until the server ends.
    ToTheEnd,
}

struct State {
    sessions: HashMap<Key, Session>,
    /// Each user pays for their own mistakes, and a right guess at one name forgives none at another.
    guesses: HashMap<(User, Name), Guesses>,
    /// Those of whom a guess waits for its turn, or is checked.
    pending: HashSet<User>,
    setup: Option<SetupCode>,
    /// The vault was opened by no session: until then it waits for one.
    open_until_ms: Option<u64>,
    /// It stays open without any session.
    stays_open: bool,
}

impl State {
    /// Whether the vault is open for somebody, or for good.
    fn is_held(&self) -> bool {
        self.stays_open || self.sessions.values().any(Session::holds_vault)
    }
}

struct Session {
    who: Who,
    prompts: Prompts,
    begun_ms: u64,
    used_ms: u64,
    /// A verb is at work in it.
    works: bool,
}

impl Session {
    /// Whether the vault is open for it: not for an auditor's, who has no key of it.
    fn holds_vault(&self) -> bool {
        self.who.role() != Role::Auditor
    }

    fn ends_ms(&self, idle_ms: u64) -> u64 {
        match self.works {
            true => u64::MAX,
            false => (self.used_ms + idle_ms).min(self.begun_ms + SESSION_MS_MAX),
        }
    }
}

/// Whose passphrase is guessed: two bytes of a digest, so that names without end take no memory without end.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name([u8; 2]);

impl Name {
    /// Of somebody by name, or of the one person who needs none.
    pub fn of(name: Option<&PersonName>) -> Self {
        Self::of_folded(&name.map_or_else(String::new, PersonName::folded))
    }

    /// Of who opens the vault, with a second one or alone. Where nobody has a name, a guess with one is a guess like any other, and
    /// so it is with a second one whom nobody asks for.
    pub fn of_opening(darkroom: &Darkroom, one: Option<&PersonName>, other: Option<&PersonName>) -> Self {
        match (one, other) {
            (Some(one), Some(other)) if darkroom.takes_two() => Self::of_two(one, other),
            _ => Self::of(one.filter(|_| darkroom.public().is_ok_and(|public| public.named))),
        }
    }

    /// Of two who open the vault together: what one of them guesses of the other is forgiven by both alone.
    pub(crate) fn of_two(one: &PersonName, other: &PersonName) -> Self {
        let mut both = [one, other].map(PersonName::folded);
        both.sort();
        Self::of_folded(&both.join("\n"))
    }

    fn of_folded(folded: &str) -> Self {
        let digest: [u8; 32] = Sha256::digest(folded).into();
        Self([digest[0], digest[1]])
    }
}

/// What one user has guessed of one name.
#[derive(Default)]
struct Guesses {
    wrong: u32,
    not_before_ms: u64,
}

impl Guesses {
    fn wait_ms(&self, now_ms: u64) -> u64 {
        self.not_before_ms.saturating_sub(now_ms)
    }

    /// From the third wrong one on the next one has to wait, twice as long each time.
    fn was_wrong(&mut self, now_ms: u64) {
        self.wrong = self.wrong.saturating_add(1);
        if let Some(doublings) = self.wrong.checked_sub(GUESSES_FREE) {
            let wait_ms = 1000_u64.checked_shl(doublings).map_or(WAIT_MS_MAX, |ms| ms.min(WAIT_MS_MAX));
            self.not_before_ms = now_ms + wait_ms;
        }
    }
}

/// Leave to check one guess. It counts as wrong unless something else is said of it.
pub struct Guess {
    sessions: Arc<Sessions>,
    user: User,
    name: Name,
    verdict: Verdict,
    turn: Option<OwnedMutexGuard<()>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Wrong,
    Right,
    /// Nothing was guessed.
    None,
}

impl Sessions {
    /// `held`: whether the vault is open although there is no session yet.
    pub fn new(idle_ms: u64, setup: Option<SetupCode>, held: Held, clock: &SystemClock) -> Self {
        let open_until_ms = (held == Held::ForAWhile).then(|| clock.mono_ms() + idle_ms);
        let stays_open = held == Held::ToTheEnd;
        let (sessions, guesses, pending) = (HashMap::new(), HashMap::new(), HashSet::new());
        let state = State { sessions, guesses, pending, setup, open_until_ms, stays_open };
        Self { idle_ms, clock: *clock, state: Mutex::new(state), turn: Arc::default() }
    }

    /// Begins a session of `who` and gives its token: 256 random bits in hex.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn begin(&self, who: Who, now_ms: u64) -> std::io::Result<Zeroizing<String>> {
        let token = self.begin_work(who, now_ms)?;
        // An auditor takes an open vault over from nobody.
        if who.role() != Role::Auditor {
            self.state().open_until_ms = None;
        }
        Ok(token)
    }

    /// The same for a verb, which leaves a vault that was open without any session as it found it.
    ///
    /// # Errors
    /// As there.
    pub fn begin_work(&self, who: Who, now_ms: u64) -> std::io::Result<Zeroizing<String>> {
        let token = random_hex::<32>()?;
        let mut state = self.state();
        let own = || state.sessions.iter().filter(|(_, session)| session.who.slot() == who.slot());
        if own().count() >= SESSIONS_MAX {
            let oldest =
                own().min_by_key(|(_, session)| (session.works, session.used_ms)).map(|(key, _)| *key);
            oldest.and_then(|key| state.sessions.remove(&key));
        }
        state.sessions.insert(
            Key::of(&token),
            Session { who, prompts: Prompts::default(), begun_ms: now_ms, used_ms: now_ms, works: false },
        );
        Ok(token)
    }

    /// Whose request one with this token is, if it may go on. `counts`: it shows that somebody is there.
    pub fn enter(&self, token: &str, counts: bool, now_ms: u64) -> Option<(Key, Who)> {
        let key = Key::of(token);
        let mut state = self.state();
        let session =
            state.sessions.get_mut(&key).filter(|session| now_ms < session.ends_ms(self.idle_ms))?;
        if counts {
            session.used_ms = now_ms;
        }
        Some((key, session.who))
    }

    /// Whose session it is.
    pub fn who(&self, key: Key) -> Option<Who> {
        self.state().sessions.get(&key).map(|session| session.who)
    }

    /// Keeps what was typed in a session for as long as it lives.
    pub fn remember(&self, key: Key, typed: Typed) {
        if let Some(session) = self.state().sessions.get_mut(&key) {
            session.prompts.push(typed);
        }
    }

    /// What was typed in a session, newest first.
    pub fn prompts(&self, key: Key) -> Vec<Value> {
        self.state().sessions.get(&key).map(|session| session.prompts.describe()).unwrap_or_default()
    }

    /// Whether the session goes on.
    pub fn lives(&self, key: Key, now_ms: u64) -> bool {
        self.state().sessions.get(&key).is_some_and(|session| now_ms < session.ends_ms(self.idle_ms))
    }

    /// A verb works in this session, however long it takes; or it waits for the person, as long as a page would.
    pub fn works(&self, key: Key, works: bool, now_ms: u64) {
        if let Some(session) = self.state().sessions.get_mut(&key) {
            (session.works, session.begun_ms, session.used_ms) = (works, now_ms, now_ms);
        }
    }

    /// Ends the session of a verb; whether the vault stays open, for others or as it was before, or `None` if it had ended.
    pub fn end(&self, key: Key, now_ms: u64) -> Option<bool> {
        let mut state = self.state();
        state.sessions.remove(&key)?;
        // Somebody was there: it waits anew.
        let idle_ms = self.idle_ms;
        let waits = state.open_until_ms.as_mut().map(|until_ms| *until_ms = now_ms + idle_ms).is_some();
        Some(waits || state.is_held())
    }

    /// Ends the sessions of somebody who leaves. Whether the vault stays open: for others, or because they were an auditor, whom it
    /// was not open for.
    pub fn end_of(&self, who: &Who) -> bool {
        let mut state = self.state();
        state.sessions.retain(|_, session| session.who.slot() != who.slot());
        let stays = who.role() == Role::Auditor || state.is_held();
        if !stays {
            state.sessions.clear();
        }
        stays
    }

    /// Ends the sessions of those who are not what they came in as any more.
    pub fn end_unless(&self, admitted: impl Fn(&Who) -> bool) {
        let all: Vec<Who> = self.state().sessions.values().map(|session| session.who).collect();
        let gone: Vec<Who> = all.into_iter().filter(|who| !admitted(who)).collect();
        let mut state = self.state();
        let was_held = state.is_held();
        state.sessions.retain(|_, session| !gone.contains(&session.who));
        if was_held && !state.is_held() {
            state.open_until_ms = Some(0); // nobody is left whom the vault could wait for
        }
    }

    /// Ends every session.
    pub fn end_all(&self) {
        let mut state = self.state();
        state.sessions.clear();
        state.open_until_ms = None;
        state.stays_open = false;
    }

    /// Forgets the sessions that have ended. `Some` is when the next one ends; `Err` says that the last one just did.
    fn sweep(&self, now_ms: u64) -> Result<Option<u64>, LastEnded> {
        let mut state = self.state();
        let was_held = state.is_held();
        state.sessions.retain(|_, session| now_ms < session.ends_ms(self.idle_ms));
        // While there are sessions the vault waits for nobody.
        let is_held = state.is_held();
        let waited = !is_held && state.open_until_ms.is_some_and(|until_ms| now_ms >= until_ms);
        if waited {
            state.open_until_ms = None;
        }
        if !is_held && (was_held || waited) {
            // Those of auditors end with the vault.
            state.sessions.clear();
            return Err(LastEnded);
        }
        let ends = state.sessions.values().map(|session| session.ends_ms(self.idle_ms));
        let waits = state.open_until_ms.filter(|_| !is_held);
        Ok(ends.chain(waits).min())
    }

    /// Leave for one guess at the passphrase of somebody, once its [`Guess::turn`] has come.
    ///
    /// # Errors
    /// The seconds to wait while their wrong guesses at this name are paid for; 0 while another one of this user waits or is
    /// checked. What other users guess costs this one no more than a turn each.
    pub fn guess(self: &Arc<Self>, user: User, name: Name) -> Result<Guess, u64> {
        let mut state = self.state();
        let wait_ms = state.guesses.get(&(user, name)).map_or(0, |known| known.wait_ms(self.clock.mono_ms()));
        if wait_ms > 0 || !state.pending.insert(user) {
            return Err(wait_ms.div_ceil(1000));
        }
        drop(state);
        Ok(Guess { sessions: Arc::clone(self), user, name, verdict: Verdict::Wrong, turn: None })
    }

    /// Seconds until the next guess of this user is looked at, where nobody needs a name.
    pub fn wait_s(&self, user: User) -> u64 {
        let now_ms = self.clock.mono_ms();
        let known = self.state();
        known.guesses.get(&(user, Name::of(None))).map_or(0, |known| known.wait_ms(now_ms).div_ceil(1000))
    }

    /// Whether a setup code can be used: `None` if there is none, or no more.
    pub fn setup_is_open(&self, now_ms: u64) -> Option<bool> {
        self.state().setup.as_ref().map(|setup| now_ms < setup.until_ms)
    }

    /// Whether this is the setup code.
    ///
    /// # Errors
    /// It is not, or it has expired, or it was used.
    pub fn check_setup(&self, code: &str, now_ms: u64) -> Result<(), Problem> {
        let state = self.state();
        let setup = state.setup.as_ref().ok_or(Problem::SETUP_DONE)?;
        match (now_ms < setup.until_ms, setup.key == Key::of(code.trim())) {
            (false, _) => Err(Problem::SETUP_EXPIRED),
            (true, false) => Err(Problem::SETUP_CODE),
            (true, true) => Ok(()),
        }
    }

    /// The setup code has made a vault, and no other.
    pub fn end_setup(&self) {
        self.state().setup = None;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is one assignment after another: it makes sense at any moment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The last session has ended: nobody needs the open vault.
#[derive(Debug)]
struct LastEnded;

impl Guess {
    /// Waits until it may be checked. No user has more than one that waits, so nobody waits for more than one check of
    /// each other user.
    pub async fn turn(mut self) -> Self {
        self.turn = Some(Arc::clone(&self.sessions.turn).lock_owned().await);
        self
    }

    /// The same, for a thread that may wait.
    pub fn turn_here(mut self) -> Self {
        self.turn = Some(Arc::clone(&self.sessions.turn).blocking_lock_owned());
        self
    }

    /// What it proved a right to has ended so. A right one forgives this user's earlier mistakes. One that was right and of which
    /// the record could not be written opens nothing, and costs nothing; a wrong one costs the same whether it is on record or not.
    pub fn of<T>(mut self, done: &Result<T, darkroom::Error>) {
        self.verdict = match done {
            // An auditor's is right, and opens nothing by itself.
            Ok(_) => Verdict::Right,
            Err(error) if error.kind() == Kind::AuditorOnly => Verdict::Right,
            Err(error) if error.is_wrong_guess() => Verdict::Wrong,
            Err(_) => Verdict::None,
        };
    }
}

impl Drop for Guess {
    fn drop(&mut self) {
        let now_ms = self.sessions.clock.mono_ms();
        let mut state = self.sessions.state();
        state.pending.remove(&self.user);
        let key = (self.user, self.name);
        match self.verdict {
            Verdict::None => {}
            // Who has made no mistake is not remembered.
            Verdict::Right => drop(state.guesses.remove(&key)),
            Verdict::Wrong => state.guesses.entry(key).or_default().was_wrong(now_ms),
        }
        drop(state);
        // It is entered: now the next one may be checked.
        drop(self.turn.take());
    }
}

/// Locks the vault when the last session has ended. While there is none it sleeps for good.
pub async fn watch_idle(house: Arc<House>) {
    let mut changes = house.changes.subscribe();
    loop {
        let now_ms = house.now_ms();
        match house.sessions.sweep(now_ms) {
            Err(LastEnded) => {
                house.queue.lock_when_empty();
                house.changed(); // event streams end
            }
            Ok(None) => drop(changes.changed().await),
            Ok(Some(next_ms)) => {
                let next = Duration::from_millis(next_ms.saturating_sub(now_ms).saturating_add(1));
                tokio::select! {
                    () = tokio::time::sleep(next.min(LOOK_INTERVAL)) => {}
                    _ = changes.changed() => {}
                }
            }
        }
    }
}

fn random_hex<const BYTES: usize>() -> std::io::Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new([0; BYTES]);
    getrandom::fill(&mut *bytes).map_err(std::io::Error::other)?;
    Ok(Zeroizing::new(base16ct::lower::encode_string(&*bytes)))
}

#[cfg(test)]
#[path = "tests/session.rs"]
mod tests;
