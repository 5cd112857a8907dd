//! The only values that may stand in a record: whole numbers, yes or no, closed lists of words, and byte strings
//! of a fixed length. There is no implementation of [`Field`] for text, so free text in an event does not compile.

/// Lower-case hexadecimal.
pub(crate) use base16ct::lower::encode_string as hex;

use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use hmac::{Hmac, KeyInit as _, Mac};
use sha2::{Digest as _, Sha256};

/// Largest whole number that every JSON reader keeps exact (RFC 8785, appendix D): 2^53 - 1.
pub const INT_MAX: i64 = (1 << 53) - 1;

/// What one field of a record may hold. The schema is made of these and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number within the bounds, both included.
    Int {
        /// Smallest value.
        min: i64,
        /// Largest value.
        max: i64,
    },
    /// `true` or `false`.
    Bool,
    /// One word of a closed list, each with its meaning.
    Token(&'static [(&'static str, &'static str)]),
    /// Exactly this many bytes as lower-case hexadecimal.
    Hex {
        /// Number of bytes.
        bytes: u8,
    },
    /// Exactly this many bytes as padded base64 (RFC 4648, section 4).
    Base64 {
        /// Number of bytes.
        bytes: u8,
    },
}

/// A value that may stand in an event. Sealed by being private to this crate: the list of types is closed.
pub(crate) trait Field {
    const KIND: Kind;
    /// Appends the value as canonical JSON.
    fn put(&self, out: &mut String);
}

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

/// An Ed25519 public key (RFC 8032).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey(pub [u8; 32]);

/// Who acted: the program itself, or the pseudonym of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// The program.
    System,
    /// A person, see [`actor`].
    Person([u8; 16]),
}

impl Actor {
    /// A person's pseudonym as the records have it, `a:` and 22 characters; `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        id_bytes(text.strip_prefix("a:")?).map(Self::Person)
    }
}

/// The pseudonym of a stored object, see [`object`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Object(pub [u8; 16]);

impl Object {
    /// An object's pseudonym as the records have it, `o:` and 22 characters; `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        id_bytes(text.strip_prefix("o:")?).map(Self)
    }
}

/// Ties a request to its outcome. Random, and without any meaning outside the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct JobId(pub [u8; 16]);

impl JobId {
    /// A new random id.
    ///
    /// # Errors
    /// When the kernel gives no randomness.
    pub fn random() -> Result<Self, crate::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|_| crate::Error::Randomness)?;
        Ok(Self(bytes))
    }

    /// As the records have it, `j:` and 22 characters; `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        id_bytes(text.strip_prefix("j:")?).map(Self)
    }
}

/// The pseudonym of a person: HMAC-SHA256 (RFC 2104) under the person's salt over `"actor/v1"`, a zero byte and the
/// person's id, cut to 16 bytes. Destroying the salt cuts the link to the person for ever.
pub fn actor(salt: &[u8; 32], id: &[u8]) -> Actor {
    Actor::Person(pseudonym(salt, b"actor/v1", id))
}

/// The pseudonym of an object, made like [`actor`] with `"object/v1"`. The salt lies beside the object's key, so that
/// erasing the object erases the link too.
pub fn object(salt: &[u8; 32], id: &[u8]) -> Object {
    Object(pseudonym(salt, b"object/v1", id))
}

fn pseudonym(salt: &[u8; 32], domain: &[u8], id: &[u8]) -> [u8; 16] {
    let mut mac = Hmac::<Sha256>::new_from_slice(salt).expect("HMAC takes a key of any length");
    mac.update(domain);
    mac.update(&[0]);
    mac.update(id);
    let full: [u8; 32] = mac.finalize().into_bytes().into();
    let mut cut = [0; 16];
    cut.copy_from_slice(&full[..16]);
    cut
}

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::System => f.write_str("a:system"),
            Self::Person(bytes) => write!(f, "a:{}", Base64UrlUnpadded::encode_string(bytes)),
        }
    }
}

impl std::fmt::Display for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "o:{}", Base64UrlUnpadded::encode_string(&self.0))
    }
}

impl std::fmt::Display for JobId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "j:{}", Base64UrlUnpadded::encode_string(&self.0))
    }
}

/// Reads the 22 characters after `a:`, `o:` or `j:`; `None` unless they are exactly what [`Display`] writes.
///
/// [`Display`]: std::fmt::Display
pub(crate) fn id_bytes(text: &str) -> Option<[u8; 16]> {
    let mut buffer = [0; 16];
    let bytes = Base64UrlUnpadded::decode(text, &mut buffer).ok()?;
    let bytes: [u8; 16] = bytes.try_into().ok()?;
    (Base64UrlUnpadded::encode_string(&bytes) == text).then_some(bytes)
}

/// Reads padded base64 of exactly `N` bytes; `None` for any other spelling.
pub(crate) fn base64<const N: usize>(text: &str) -> Option<[u8; N]> {
    let bytes: [u8; N] = Base64::decode_vec(text).ok()?.try_into().ok()?;
    (Base64::encode_string(&bytes) == text).then_some(bytes)
}

/// Reads lower-case hexadecimal of exactly `N` bytes.
pub(crate) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    (base16ct::lower::decode(text, &mut bytes).ok()?.len() == N).then_some(bytes)
}

impl Field for bool {
    const KIND: Kind = Kind::Bool;
    fn put(&self, out: &mut String) {
        out.push_str(if *self { "true" } else { "false" });
    }
}

impl Field for u32 {
    const KIND: Kind = Kind::Int { min: 0, max: u32::MAX as i64 };
    fn put(&self, out: &mut String) {
        out.push_str(&self.to_string());
    }
}

/// Numbers beyond 2^53 - 1 are written as 2^53 - 1: no real count reaches it, and a record must not fail over it.
impl Field for u64 {
    const KIND: Kind = Kind::Int { min: 0, max: INT_MAX };
    fn put(&self, out: &mut String) {
        out.push_str(&(*self).min(INT_MAX as u64).to_string());
    }
}

/// As for `u64`, on both sides.
impl Field for i64 {
    const KIND: Kind = Kind::Int { min: -INT_MAX, max: INT_MAX };
    fn put(&self, out: &mut String) {
        out.push_str(&(*self).clamp(-INT_MAX, INT_MAX).to_string());
    }
}

impl Field for Digest {
    const KIND: Kind = Kind::Hex { bytes: 32 };
    fn put(&self, out: &mut String) {
        out.push('"');
        out.push_str(&hex(&self.0));
        out.push('"');
    }
}

impl Field for PublicKey {
    const KIND: Kind = Kind::Base64 { bytes: 32 };
    fn put(&self, out: &mut String) {
        out.push('"');
        out.push_str(&Base64::encode_string(&self.0));
        out.push('"');
    }
}

/// Declares closed lists of words.
macro_rules! tokens {
    ($( $(#[$doc:meta])* $name:ident {
        $( $(#[doc = $vdoc:literal])* $variant:ident = $text:literal ),* $(,)?
    } )*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name { $( $(#[doc = $vdoc])* $variant ),* }

        impl $name {
            /// Every word of the list, in the order of the schema.
            pub const WORDS: &'static [&'static str] = &[$($text),*];

            /// Every word with its meaning.
            pub const MEANINGS: &'static [(&'static str, &'static str)] = &[$(($text, concat!($($vdoc),*))),*];

            /// What a word stands for.
            pub fn parse(word: &str) -> Option<Self> {
                [$(Self::$variant),*].into_iter().find(|known| known.word() == word)
            }

            /// The word that stands in the record.
            pub const fn word(self) -> &'static str {
                match self { $( Self::$variant => $text ),* }
            }
        }

        impl $crate::token::Field for $name {
            const KIND: $crate::token::Kind = $crate::token::Kind::Token(Self::MEANINGS);
            fn put(&self, out: &mut String) {
                out.push('"');
                out.push_str(self.word());
                out.push('"');
            }
        }
    )* };
}
pub(crate) use tokens;
