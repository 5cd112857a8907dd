//! What opens a vault: what a person types, a passphrase or the recovery code, and what a machine keeps.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;
use zeroize::{Zeroize, Zeroizing};

use crate::cobblestone::Key;
use crate::format::{SlotKind, VaultId};
use crate::name::PersonName;
use crate::random::{self, Random};
use crate::{Error, KdfParams};

/// Characters that a new passphrase has at least.
pub const PASSPHRASE_CHARS_MIN: usize = 12;
/// Bytes that a machine secret has at least.
pub const MACHINE_BYTES_MIN: usize = 32;
/// Bytes that a machine secret has at most.
pub const MACHINE_BYTES_MAX: usize = 4096;
/// Different bytes that a machine secret has at least: 32 random ones have more, as good as always, and a file of zeros has one.
const MACHINE_BYTES_DIFFERENT_MIN: usize = 8;
/// Bytes that any passphrase has at most.
const PASSPHRASE_BYTES_MAX: usize = 1024;
/// Refused even though they are long enough. Compared without case, spaces, hyphens and underscores.
const OBVIOUS: [&str; 16] = [
    "passwordpassword",
    "password1234",
    "password12345",
    "password123456",
    "passphrase1234",
    "123456789012",
    "1234567890123",
    "12345678901234",
    "123456789012345",
    "1234567890123456",
    "qwertyuiopasdfghjkl",
    "qwertyuiop12",
    "correcthorsebatterystaple",
    "letmeinletmein",
    "administrator",
    "lightprooflightproof",
];

/// A secret as it was typed or read. Wiped when dropped, never printed.
pub struct Secret {
    pub(crate) kind: SlotKind,
    /// Who says that it is theirs.
    pub(crate) person: Option<PersonName>,
    /// The machine secret that it comes with, where it opens what knows of none.
    pub(crate) half: Option<Half>,
    /// That of a second person, where two open the vault together.
    pub(crate) second: Option<Box<Self>>,
    bytes: Zeroizing<Vec<u8>>,
    /// What was derived from it already, wiped with it: deriving takes long on purpose, so it is done once, and before
    /// something is held that others wait for.
    keys: Mutex<Vec<Derived>>,
}

struct Derived {
    kdf: KdfParams,
    salt: [u8; 32],
    half: Option<Half>,
    key: Arc<Key>,
}

/// The machine secret as what passphrases go with. Two are the same if they are one in memory.
#[derive(Clone)]
pub(crate) struct Half(Arc<Secret>);

impl PartialEq for Half {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Half {}

impl Half {
    /// `None` for what is no machine secret.
    pub(crate) fn of(machine: &Secret) -> Option<Self> {
        let copy = || Secret::new(SlotKind::Machine, machine.bytes.clone());
        machine.is_machine().then(|| Self(Arc::new(copy())))
    }

    /// What tells whether another one is the same, for who has a vault open already.
    pub(crate) fn check(&self, vault_id: VaultId) -> [u8; 32] {
        Sha256::new_with_prefix(b"lp1/machine/half")
            .chain_update(vault_id.0)
            .chain_update(&self.0.bytes[..])
            .finalize()
            .into()
    }
}

impl Secret {
    /// A passphrase as it was typed or read: one final line end is dropped, the rest is normalized (Unicode NFC) and
    /// otherwise kept, spaces included. [`Error::WeakSecret`] when it is empty or longer than 1024 bytes.
    pub fn passphrase(text: &str) -> Result<Self, Error> {
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.is_empty() || text.len() > PASSPHRASE_BYTES_MAX {
            return Err(Error::WeakSecret("it is empty or longer than 1024 bytes"));
        }
        // NFC at most triples UTF-8; with that room the vector never moves, so no copy is left behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(3 * text.len()));
        let mut utf8 = [0; 4];
        text.nfc().for_each(|c| bytes.extend_from_slice(c.encode_utf8(&mut utf8).as_bytes()));
        utf8.zeroize();
        Ok(Self::new(SlotKind::Passphrase, bytes))
    }

    /// A machine secret: bytes, each of which counts, a line end too.
    ///
    /// # Errors
    /// [`Error::WeakSecret`]: they are too few or too many, or too much alike to be random.
    pub fn machine(bytes: Zeroizing<Vec<u8>>) -> Result<Self, Error> {
        if bytes.len() < MACHINE_BYTES_MIN {
            return Err(Error::WeakSecret("it has fewer than 32 bytes"));
        }
        if bytes.len() > MACHINE_BYTES_MAX {
            return Err(Error::WeakSecret("it has more than 4096 bytes"));
        }
        let mut seen = Zeroizing::new([false; 256]);
        bytes.iter().for_each(|byte| seen[usize::from(*byte)] = true);
        if seen.iter().filter(|seen| **seen).count() < MACHINE_BYTES_DIFFERENT_MIN {
            return Err(Error::WeakSecret("it repeats the same few bytes"));
        }
        Ok(Self::new(SlotKind::Machine, bytes))
    }

    /// Whether it is the same secret, whoever says that it is theirs.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.kind == other.kind && self.bytes == other.bytes
    }

    /// Whether it is the same text, but for a line end.
    pub fn repeats(&self, other: &Self) -> bool {
        let text = |secret: &Self| secret.bytes.trim_ascii_end().to_vec();
        *Zeroizing::new(text(self)) == *Zeroizing::new(text(other))
    }

    /// Whether it is a passphrase.
    pub fn is_persons(&self) -> bool {
        self.kind == SlotKind::Passphrase
    }

    /// Whether no second one goes with it.
    pub fn is_alone(&self) -> bool {
        self.second.is_none()
    }

    /// That of the second one, if one goes with it.
    pub fn second(&self) -> Option<&Self> {
        self.second.as_deref()
    }

    /// Who says that it is theirs.
    pub fn person(&self) -> Option<&PersonName> {
        self.person.as_ref()
    }

    /// Whether it is a machine secret.
    pub fn is_machine(&self) -> bool {
        self.kind == SlotKind::Machine
    }

    /// Draws the bytes of a machine secret.
    ///
    /// # Errors
    /// [`Error::Random`].
    pub fn draw_machine(random: &mut dyn Random) -> Result<Zeroizing<Vec<u8>>, Error> {
        Ok(Zeroizing::new(random::key(random)?.to_vec()))
    }

    fn new(kind: SlotKind, bytes: Zeroizing<Vec<u8>>) -> Self {
        Self { kind, person: None, half: None, second: None, bytes, keys: Mutex::default() }
    }

    /// Whether `own` can be somebody's name, and whoever this secret is said to be of can be named beside them.
    ///
    /// # Errors
    /// [`Error::BadName`], [`Error::NameOfAnother`], [`Error::NameAlike`].
    pub fn check_names(&self, own: &PersonName) -> Result<(), Error> {
        own.check_new(std::iter::empty())?;
        self.person.as_ref().map_or(Ok(()), |person| person.check_new(std::iter::once(own)))
    }

    /// The same secret as that of a person: it is tried on their slot and no other, and a slot that is made with it is
    /// theirs. With the recovery code: whose passphrase it is to set. In a vault in which nobody has a name it is not looked
    /// at.
    #[must_use]
    pub fn of(mut self, person: Option<PersonName>) -> Self {
        self.person = person;
        self
    }

    /// The same passphrase together with a machine secret, for a backup, which knows of none.
    #[must_use]
    pub fn beside(mut self, machine: Option<&Self>) -> Self {
        self.half = machine.and_then(Half::of);
        self
    }

    /// The same passphrase with that of a second person. Where each opens the vault alone, and where somebody signs in to an open one,
    /// the second is not looked at.
    #[must_use]
    pub fn together(mut self, second: Option<Self>) -> Self {
        self.second = second.map(Box::new);
        self
    }

    /// argon2id of it, together with `half` if there is one, at once if it was derived before.
    pub(crate) fn key(
        &self,
        half: Option<&Half>,
        kdf: KdfParams,
        salt: &[u8; 32],
    ) -> Result<Arc<Key>, Error> {
        let is_it =
            |derived: &&Derived| (derived.kdf, &derived.salt, derived.half.as_ref()) == (kdf, salt, half);
        let known = self.keys().iter().find(is_it).map(|derived| Arc::clone(&derived.key));
        if let Some(key) = known {
            return Ok(key);
        }
        let key = Arc::new(kdf.derive(&self.bytes, half.map(|half| &half.0.bytes[..]), salt)?);
        self.keys().push(Derived { kdf, salt: *salt, half: half.cloned(), key: Arc::clone(&key) });
        Ok(key)
    }

    fn keys(&self) -> MutexGuard<'_, Vec<Derived>> {
        // They are only added: the list makes sense at any moment.
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A recovery code as it was typed: case, spaces and hyphens do not matter, `O` is `0`, `I` and `L` are `1`.
    /// [`Error::RecoveryCodeMistyped`] when a character or the check is wrong.
    pub fn recovery(text: &str) -> Result<Self, Error> {
        RecoveryCode::parse(text).map(|code| code.secret())
    }

    /// The recovery code if the text is a valid one, else a passphrase: for a prompt that accepts both.
    pub fn any(text: &str) -> Result<Self, Error> {
        Self::recovery(text).or_else(|_| Self::passphrase(text))
    }

    /// Refuses a new passphrase of fewer than 12 characters, of one or two different characters, or from a short list.
    pub fn check_new(&self) -> Result<(), Error> {
        if self.kind != SlotKind::Passphrase {
            return Err(Error::WeakSecret("a recovery code cannot serve as a passphrase"));
        }
        let text = std::str::from_utf8(&self.bytes).map_err(|_| Error::WeakSecret("it is not text"))?;
        if text.chars().count() < PASSPHRASE_CHARS_MIN {
            return Err(Error::WeakSecret("it has fewer than 12 characters"));
        }
        let plain = Zeroizing::new(
            text.chars().filter(|c| !" -_".contains(*c)).map(|c| c.to_ascii_lowercase()).collect::<String>(),
        );
        let mut first_two = plain.chars().take(1).chain(plain.chars().find(|c| !plain.starts_with(*c)));
        let pair = (first_two.next(), first_two.next());
        if plain.chars().all(|c| Some(c) == pair.0 || Some(c) == pair.1) {
            return Err(Error::WeakSecret("it repeats the same characters"));
        }
        if OBVIOUS.contains(&plain.as_str()) {
            return Err(Error::WeakSecret("it is one of the first that an attacker tries"));
        }
        Ok(())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// 160 random bits that open the vault when every passphrase is lost. Shown once, when the vault is made.
pub struct RecoveryCode(Zeroizing<[u8; CODE_BYTES]>);

/// Random bytes of a code.
const CODE_BYTES: usize = 20;
/// Base32 digits that hold them.
const CODE_DIGITS: usize = 32;
/// Further digits that catch typing errors.
const CHECK_DIGITS: usize = 4;
/// Crockford's base32: no I, L, O, U.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

impl RecoveryCode {
    pub(crate) fn new(random: &mut dyn Random) -> Result<Self, Error> {
        random::bytes(random).map(|bytes| Self(Zeroizing::new(bytes)))
    }

    /// Nine groups of four, for paper.
    pub fn text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(CODE_DIGITS + CHECK_DIGITS + 8));
        for (index, digit) in self.digits().iter().enumerate() {
            if index > 0 && index % 4 == 0 {
                text.push('-');
            }
            text.push(char::from(DIGITS[usize::from(*digit) % DIGITS.len()]));
        }
        text
    }

    /// The secret that opens the recovery slot.
    pub fn secret(&self) -> Secret {
        Secret::new(SlotKind::Recovery, Zeroizing::new(self.0.to_vec()))
    }

    fn parse(text: &str) -> Result<Self, Error> {
        let mut digits = Zeroizing::new(Vec::with_capacity(CODE_DIGITS + CHECK_DIGITS));
        for c in text.trim().chars().filter(|c| !matches!(c, ' ' | '-')) {
            let c = match c.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            };
            let value = DIGITS.iter().position(|digit| char::from(*digit) == c);
            if value.is_none() || digits.len() == CODE_DIGITS + CHECK_DIGITS {
                return Err(Error::RecoveryCodeMistyped);
            }
            digits.extend(value.and_then(|value| u8::try_from(value).ok()));
        }
        let mut code = Self(Zeroizing::new([0; CODE_BYTES]));
        for (index, bit) in
            digits.iter().take(CODE_DIGITS).flat_map(|d| (0..5).rev().map(move |b| d >> b & 1)).enumerate()
        {
            code.0[index / 8] |= bit << (7 - index % 8);
        }
        if code.digits()[..] == digits[..] { Ok(code) } else { Err(Error::RecoveryCodeMistyped) }
    }

    /// 32 digits of the code and 4 of the check: the first 20 bits of SHA-256("lp1/recovery" ‖ code).
    fn digits(&self) -> Zeroizing<[u8; CODE_DIGITS + CHECK_DIGITS]> {
        let check = Sha256::new().chain_update(b"lp1/recovery").chain_update(&self.0[..]).finalize();
        let mut digits = Zeroizing::new([0; CODE_DIGITS + CHECK_DIGITS]);
        let bits = self.0.iter().chain(&check).flat_map(|byte| (0..8).rev().map(move |b| byte >> b & 1));
        for (index, bit) in bits.take(5 * (CODE_DIGITS + CHECK_DIGITS)).enumerate() {
            digits[index / 5] |= bit << (4 - index % 5);
        }
        digits
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(..)")
    }
}

#[cfg(test)]
mod tests;
