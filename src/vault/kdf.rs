//! From a typed secret to a key: argon2id (RFC 9106).

use std::io;
use std::num::NonZero;
use std::thread::available_parallelism;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use rayon::ThreadPoolBuilder;
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
        let argon2 =
            Argon2::new_with_secret(half.unwrap_or_default(), Algorithm::Argon2id, Version::V0x13, params)
                .map_err(|_| Error::KdfOutOfRange)?;
        let derive = || argon2.hash_password_into_with_memory(secret, salt, &mut key[..], &mut memory.0);
        let processors = available_parallelism().map_or(1, NonZero::get);
        on_threads(processors.min(self.lanes as usize), derive).map_err(|_| Error::KdfOutOfRange)?;
        Ok(key)
    }
}

/// Runs `derive`, whose lanes go side by side on so many threads, which end with it: what is on their stacks goes, too. Where a limit
/// allows no thread, on this one.
fn on_threads<T: Send>(count: usize, derive: impl FnOnce() -> T + Send) -> T {
    match ThreadPoolBuilder::new().num_threads(count).build() {
        Ok(threads) => threads.install(derive),
        // Outside of a pool rayon starts one that nobody ends, and panics where it cannot.
        Err(_) => on_this_thread(derive),
    }
}

fn on_this_thread<T>(derive: impl FnOnce() -> T) -> T {
    // Once a thread is a pool of its own it stays that, and the second time is an error.
    let _itself = ThreadPoolBuilder::new().num_threads(1).use_current_thread().build();
    derive()
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes out depends on no thread: RFC 9106's own parameters but for the memory, on one, on several, on more than there are
    /// lanes, and where none can be made, twice.
    #[test]
    fn the_key_is_the_same_on_however_many_threads() {
        let kdf = KdfParams { memory_kib: MEMORY_KIB_MIN, passes: 2, lanes: 4 };
        let key = *kdf.derive(b"seven grey herons", Some(b"half"), &[7; 32]).expect("derived");
        let argon2 = || {
            let params = Params::new(MEMORY_KIB_MIN, 2, 4, Some(32)).expect("in range");
            let argon2 = Argon2::new_with_secret(b"half", Algorithm::Argon2id, Version::V0x13, params);
            let mut key = [0; 32];
            let done = argon2.expect("in range").hash_password_into(b"seven grey herons", &[7; 32], &mut key);
            done.expect("derived");
            key
        };
        for count in [1, 2, 3, 8] {
            assert_eq!(on_threads(count, argon2), key, "{count}");
        }
        let alone = move || [on_this_thread(argon2), on_this_thread(argon2)];
        assert_eq!(std::thread::spawn(alone).join().expect("no panic"), [key; 2]);
    }
}
