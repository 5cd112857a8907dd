//! From a typed secret to a key: argon2id (RFC 9106).

use std::io;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use zeroize::{Zeroize, Zeroizing};

use crate::Error;
use crate::cobblestone::Key;

/// Cost of one guess. Only values inside the accepted limits exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KdfParams {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl KdfParams {
    /// What the product writes: 256 MiB, 3 passes, 4 lanes; four times RFC 9106's second recommended choice.
    pub const DEFAULT: Self = Self { memory_kib: 256 * 1024, passes: 3, lanes: 4 };

    /// The least that reading accepts: 19 MiB, 1 pass, 1 lane. For tests; too weak for a person's passphrase.
    pub const FLOOR: Self = Self { memory_kib: MEMORY_KIB_MIN, passes: 1, lanes: 1 };

    /// Parameters from numbers that somebody else wrote. A file can ask for anything: a value outside
    /// 19 MiB..4 GiB, 1..64 passes, 1..16 lanes is [`Error::KdfOutOfRange`], before any memory is taken.
    pub fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, Error> {
        let inside = (MEMORY_KIB_MIN..=MEMORY_KIB_MAX).contains(&memory_kib)
            && (1..=PASSES_MAX).contains(&passes)
            && (1..=LANES_MAX).contains(&lanes);
        if inside { Ok(Self { memory_kib, passes, lanes }) } else { Err(Error::KdfOutOfRange) }
    }

    /// KiB of memory, passes, lanes.
    pub fn numbers(self) -> [u32; 3] {
        [self.memory_kib, self.passes, self.lanes]
    }

    /// argon2id of `secret`, with `half` as its secret value (K of RFC 9106) if there is one; [`Error::Io`] of the kind `OutOfMemory` where there is not enough memory for it. The working memory is ours, so that it can be wiped: its last block is as good as the
    /// key.
    pub(crate) fn derive(self, secret: &[u8], half: Option<&[u8]>, salt: &[u8; 32]) -> Result<Key, Error> {
        #[cfg(test)]
        DERIVED.set(DERIVED.get() + 1);
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(32))
            .map_err(|_| Error::KdfOutOfRange)?;
        let mut memory = Wiped::new(params.block_count())?;
        let mut key = Zeroizing::new([0; 32]);
        // Without one it is empty, which is the same.
        Argon2::new_with_secret(half.unwrap_or_default(), Algorithm::Argon2id, Version::V0x13, params)
            .map_err(|_| Error::KdfOutOfRange)?
            .hash_password_into_with_memory(secret, salt, &mut key[..], &mut memory.0)
            .map_err(|_| Error::KdfOutOfRange)?;
        Ok(key)
    }
}

#[cfg(test)]
thread_local! {
    /// How often this thread has derived a key.
    pub(crate) static DERIVED: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

const MEMORY_KIB_MIN: u32 = 19 * 1024; // OWASP's floor
const MEMORY_KIB_MAX: u32 = 4 * 1024 * 1024;
const PASSES_MAX: u32 = 64;
const LANES_MAX: u32 = 16;

struct Wiped(Vec<Block>);

impl Wiped {
    /// A machine or a limit may not leave as much: that ends one act, not the process.
    fn new(count: usize) -> Result<Self, Error> {
        let mut blocks = Vec::new();
        let no_memory =
            |_| Error::io("taking memory to check the passphrase")(io::ErrorKind::OutOfMemory.into());
        blocks.try_reserve_exact(count).map_err(no_memory)?;
        blocks.resize(count, Block::default());
        Ok(Self(blocks))
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(Zeroize::zeroize);
    }
}
