//! Who is at work through a server: so many side by side, and whoever says nothing keeps nobody out.

use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Verbs that may be at work side by side.
const GUESTS_MAX: usize = 16;
/// Whoever has said nothing for so long gives its place to somebody who comes when all are taken. A verb speaks once its person has
/// typed a passphrase, so without need nobody is hurried.
const SILENCE_MAX: Duration = Duration::from_secs(3);
/// How long an ending server waits for them to hear its last word.
const FAREWELL_TIME_MAX: Duration = Duration::from_secs(2);

/// Those that are at work.
#[derive(Clone, Default)]
pub struct Guests(Arc<Mutex<Places>>);

#[derive(Default)]
struct Places {
    taken: Vec<Place>,
    /// Of the last one that came.
    number: u64,
}

struct Place {
    number: u64,
    /// The connection, as long as nothing was said on it.
    silent: Option<UnixStream>,
    /// Since when it is its turn to say something.
    since: Option<Instant>,
}

/// One of them. Its place goes with it.
pub struct Guest {
    guests: Guests,
    number: u64,
}

impl Guests {
    /// Takes in whoever is behind this connection, if need be in the place of one that says nothing.
    pub fn come(&self, stream: &UnixStream) -> Option<Guest> {
        let silent = stream.try_clone().ok();
        let mut places = self.places();
        if places.taken.len() >= GUESTS_MAX {
            let is_silent = |place: &Place| {
                place.silent.is_some() && place.since.is_some_and(|since| since.elapsed() >= SILENCE_MAX)
            };
            // They stand in the order in which they came.
            let oldest = places.taken.iter().position(is_silent)?;
            let left = places.taken.remove(oldest);
            // Nothing is heard of it any more, and it can still be told why.
            let _ = left.silent.map(|stream| stream.shutdown(Shutdown::Read));
        }
        places.number += 1;
        let number = places.number;
        places.taken.push(Place { number, silent, since: None });
        Some(Guest { guests: self.clone(), number })
    }

    /// Waits until the last one has left, or for so long as an ending server waits.
    pub fn see_off(&self) {
        let begun = Instant::now();
        while !self.places().taken.is_empty() && begun.elapsed() < FAREWELL_TIME_MAX {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guest {
    /// It was greeted, and is to say what it comes for.
    pub fn is_greeted(&self) {
        self.of_place(|place| place.since = Some(Instant::now()));
    }

    /// It has said something: its place is its own from here on.
    pub fn speaks(&self) {
        self.of_place(|place| place.silent = None);
    }

    fn of_place(&self, change: impl FnOnce(&mut Place)) {
        let mut places = self.guests.places();
        if let Some(own) = places.taken.iter_mut().find(|place| place.number == self.number) {
            change(own);
        }
    }

    /// Whether somebody else has its place.
    pub fn gave_way(&self) -> bool {
        !self.guests.places().taken.iter().any(|place| place.number == self.number)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.guests.places().taken.retain(|place| place.number != self.number);
    }
}
