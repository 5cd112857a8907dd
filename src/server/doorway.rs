//! The door for verbs at the command line of the same user: no HTTP, but the same sessions, guesses, idle lock and queue.

use crate::House;
use crate::session::{Guess, Key, Name};
use darkroom::{Confirmed, Door, Error, MachineUse, PersonName, Pictures, Queue, Removed, Role, Secret, Who};
use sandbox::ProbeReport;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How long a verb waits for the guesses of others of its user.
const TURN_TIME_MAX: Duration = Duration::from_secs(30);
/// They are looked for this often.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// The way in.
#[derive(Clone)]
pub struct Doorway {
    house: Arc<House>,
    /// Whoever comes by this door is the user that the server runs as.
    user: u32,
}

/// Somebody who came in. The session ends with this.
pub struct Visit {
    house: Arc<House>,
    key: Key,
    who: Who,
    /// Whose guesses the proofs of this visit are counted with.
    user: u32,
    name: Name,
    is_over: bool,
}

/// Why nobody came in.
#[derive(Debug)]
pub enum Outside {
    /// Earlier wrong guesses are paid for.
    Wait {
        /// Until the next one is looked at.
        seconds: u64,
    },
    /// The guesses of others of this user took too long.
    Crowded,
    /// The darkroom says so.
    Refused(Error),
    /// The system gives no randomness.
    NoRandomness(std::io::Error),
}

impl From<Error> for Outside {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl Doorway {
    pub(crate) fn new(house: Arc<House>, user: u32) -> Self {
        Self { house, user }
    }

    /// The darkroom behind it.
    pub fn queue(&self) -> &Arc<Queue> {
        &self.house.queue
    }

    /// Where sealed pictures lie.
    pub fn outputs(&self) -> &Path {
        &self.house.outputs
    }

    /// How long somebody may say nothing.
    pub fn idle(&self) -> Duration {
        Duration::from_secs(self.house.idle_s)
    }

    /// Tries the controls beside what is in work, with what tries the fences of this process; `None` while somebody else does.
    pub fn try_controls<T>(
        &self,
        work: impl FnOnce(&dyn Fn() -> Result<ProbeReport, sandbox::Error>) -> T,
    ) -> Option<T> {
        let _turn = self.house.turn()?;
        Some(work(&|| self.house.try_fences()))
    }

    /// Whether the server ends.
    pub fn is_closing(&self) -> bool {
        self.house.stopping.load(Ordering::Relaxed)
    }

    /// Unlocks the vault, or signs in to the open one, with the secret of who goes by that name. It is a guess like one at the page,
    /// and waits for its turn.
    ///
    /// # Errors
    /// Too many guesses; a wrong passphrase; what vault and log say.
    pub fn sign_in(&self, operator: Option<&PersonName>, secret: &Secret) -> Result<Visit, Outside> {
        let house = &self.house;
        // The session is one person's; the guess may be of two together.
        let second = secret.second().and_then(Secret::person);
        let [name, guessed] = house
            .queue
            .with(|darkroom| Ok([None, second].map(|second| Name::of_opening(darkroom, operator, second))))?;
        let guess = guess(house, self.user, guessed)?.turn_here();
        let unlocked = house.queue.unlock(secret, Door::Terminal);
        guess.of(&unlocked);
        let who = unlocked?;
        let token = house.sessions.begin_work(who, house.now_ms()).map_err(Outside::NoRandomness)?;
        house.changed(); // the idle lock has a new end to wait for
        let (house, key) = (Arc::clone(house), Key::of(&token));
        Ok(Visit { house, key, who, user: self.user, name, is_over: false })
    }
}

/// Verbs of one user come one after the other, as scripts start them; none is refused because of the one before it.
fn guess(house: &House, user: u32, name: Name) -> Result<Guess, Outside> {
    let begun = Instant::now();
    loop {
        match house.sessions.guess(Some(user), name) {
            Ok(guess) => return Ok(guess),
            Err(0) if begun.elapsed() < TURN_TIME_MAX => std::thread::sleep(LOOK_INTERVAL),
            Err(0) => return Err(Outside::Crowded),
            Err(seconds) => return Err(Outside::Wait { seconds }),
        }
    }
}

/// Acts for which who came in shows once more what they came in with: a guess like one at the page.
impl Visit {
    /// As [`Queue::add_person`].
    ///
    /// # Errors
    /// Too many guesses; as there.
    pub fn add_person(
        &self,
        proof: &Secret,
        own_name: Option<&PersonName>,
        secret: &Secret,
        role: Role,
    ) -> Result<u16, Outside> {
        self.prove(|house| house.queue.add_person(&self.who, proof, own_name, secret, role))
    }

    /// As [`Queue::remove_person`]; their sessions end, too.
    ///
    /// # Errors
    /// As [`Visit::add_person`].
    pub fn remove_person(
        &self,
        proof: &Secret,
        name: &PersonName,
        pictures: Option<&Pictures>,
    ) -> Result<Removed, Outside> {
        self.prove(|house| house.remove_person(&self.who, proof, name, pictures))
    }

    /// As [`Queue::set_role`]; what they are signed in for ends.
    ///
    /// # Errors
    /// As [`Visit::add_person`].
    pub fn set_role(&self, proof: &Secret, name: &PersonName, role: Role) -> Result<u16, Outside> {
        self.prove(|house| house.set_role(&self.who, proof, name, role))
    }

    /// As [`Queue::confirm`]; the sessions end of who is not what they were any more.
    ///
    /// # Errors
    /// As [`Visit::add_person`].
    pub fn confirm(&self, proof: &Secret, number: u64) -> Result<Confirmed, Outside> {
        self.prove(|house| house.confirm(&self.who, proof, number))
    }

    /// As [`Queue::change_secret`].
    ///
    /// # Errors
    /// As [`Visit::add_person`].
    pub fn change_secret(&self, proof: &Secret, new: &Secret) -> Result<(), Outside> {
        self.prove(|house| house.queue.change_secret(&self.who, proof, new))
    }

    /// As [`Queue::add_machine_secret`].
    ///
    /// # Errors
    /// As [`Visit::add_person`].
    pub fn add_machine_secret(&self, proof: &Secret, secret: (&Secret, MachineUse)) -> Result<u16, Outside> {
        self.prove(|house| house.queue.add_machine_secret(&self.who, proof, secret))
    }

    /// As [`Queue::remove_machine_secret`].
    ///
    /// # Errors
    /// As [`Visit::add_person`].
    pub fn remove_machine_secret(&self, proof: &Secret) -> Result<u16, Outside> {
        self.prove(|house| house.queue.remove_machine_secret(&self.who, proof))
    }

    fn prove<T>(&self, act: impl FnOnce(&House) -> Result<T, Error>) -> Result<T, Outside> {
        let house = &self.house;
        let guess = guess(house, self.user, self.name)?.turn_here();
        // Whoever was signed out while this waited is not asked for a proof any more.
        let done = match house.sessions.lives(self.key, house.now_ms()) {
            true => act(house),
            false => Err(Error::Locked),
        };
        guess.of(&done);
        Ok(done?)
    }
}

impl Visit {
    /// The darkroom behind the door that they came by.
    pub fn queue(&self) -> &Arc<Queue> {
        &self.house.queue
    }

    /// Who it is.
    pub fn who(&self) -> &Who {
        &self.who
    }

    /// What tells whether the session goes on.
    pub fn goes_on(&self) -> impl Fn() -> bool + Send + Sync + 'static {
        let (house, key) = (Arc::clone(&self.house), self.key);
        move || house.sessions.lives(key, house.now_ms())
    }

    /// What is told whether the verb works, or waits for the person.
    pub fn works(&self) -> impl Fn(bool) + Send + Sync + 'static {
        let (house, key) = (Arc::clone(&self.house), self.key);
        move |works| {
            house.sessions.works(key, works, house.now_ms());
            house.changed(); // the idle lock has another end to wait for
        }
    }

    /// Ends the session, on record; the last one that ends locks the vault when no request is left.
    ///
    /// # Errors
    /// What the log says.
    pub fn end(mut self) -> Result<(), Error> {
        self.leave()
    }

    fn leave(&mut self) -> Result<(), Error> {
        if std::mem::replace(&mut self.is_over, true) {
            return Ok(());
        }
        let left = match self.house.sessions.end(self.key, self.house.now_ms()) {
            // Somebody else has ended it, and that is on record.
            None => Ok(()),
            Some(true) => self.house.queue.sign_out(&self.who), // the vault stays open
            Some(false) => {
                self.house.queue.lock_when_empty();
                Ok(())
            }
        };
        self.house.changed();
        left
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        // Whoever is gone hears of no failure; the next act says what is wrong with the log.
        let _ = self.leave();
    }
}
