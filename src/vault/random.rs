//! Where random bytes come from.

use std::io;

use zeroize::Zeroizing;

use crate::Error;
use crate::cobblestone::{Key, SALT_BYTES};

/// A source of random bytes. Everything secret rests on it: outside tests it is [`OsRandom`].
pub trait Random {
    /// Fills `out`, or fails without having promised anything about its content.
    fn fill(&mut self, out: &mut [u8]) -> io::Result<()>;
}

/// The operating system's generator, `getrandom(2)`.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsRandom;

impl Random for OsRandom {
    fn fill(&mut self, out: &mut [u8]) -> io::Result<()> {
        getrandom::fill(out).map_err(io::Error::from)
    }
}

/// `N` random bytes that are no secret.
pub(crate) fn bytes<const N: usize>(random: &mut dyn Random) -> Result<[u8; N], Error> {
    let mut out = [0; N];
    random.fill(&mut out).map_err(Error::Random)?;
    Ok(out)
}

/// The salt of one message.
pub(crate) fn salt(random: &mut dyn Random) -> Result<[u8; SALT_BYTES], Error> {
    bytes(random)
}

/// A fresh key.
pub(crate) fn key(random: &mut dyn Random) -> Result<Key, Error> {
    let mut out = Zeroizing::new([0; 32]);
    random.fill(&mut out[..]).map_err(Error::Random)?;
    Ok(out)
}
