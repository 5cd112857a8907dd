//! Having the darkroom for a moment, and computing beside it.

use crate::Error;
use crate::room::Darkroom;

/// Whoever can have the darkroom, moment by moment: its owner, or the queue behind its lock. So an act of several moments is
/// written once, and what takes long lies between them.
pub trait Hold {
    /// Has the darkroom for one moment.
    ///
    /// # Errors
    /// What is done in it says; that it cannot be had any more.
    fn with<T>(&mut self, act: impl FnOnce(&mut Darkroom) -> Result<T, Error>) -> Result<T, Error>;

    /// Tells whoever looks on that pictures came or went: of the person with this slot, or of anybody.
    fn pictures_changed(&self, _slot: Option<u16>) {}
}

impl Hold for Darkroom {
    fn with<T>(&mut self, act: impl FnOnce(&mut Darkroom) -> Result<T, Error>) -> Result<T, Error> {
        act(self)
    }
}

/// Does what takes long, between two moments, while others may have the darkroom.
pub(crate) fn beside<T>(work: impl FnOnce() -> T) -> T {
    #[cfg(test)]
    BESIDE.with_borrow(|meanwhile| meanwhile());
    work()
}

#[cfg(test)]
thread_local! {
    /// What happens before this thread computes.
    pub(crate) static BESIDE: std::cell::RefCell<Box<dyn Fn()>> = std::cell::RefCell::new(Box::new(|| ()));
}
