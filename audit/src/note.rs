//! Signed checkpoints and their keys: c2sp.org/signed-note and c2sp.org/tlog-checkpoint, both at v1.0.0.

use crate::token::{Digest, PublicKey, base64, hex, unhex};
use base64ct::{Base64, Encoding};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// The head of the tree at one size.
///
/// ```text
/// lightproof/0f1e2d3c4b5a69788796a5b4c3d2e1f0
/// 923748
/// nND/nri/U0xuHUrYSy0HtMeal2vzD9V4k/BO79C+QeI=
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Name of the log.
    pub origin: String,
    /// Number of records.
    pub size: u64,
    /// Root of the Merkle tree over them.
    pub root: Digest,
}

impl Checkpoint {
    pub(crate) fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, Base64::encode_string(&self.root.0))
    }
}

/// A checkpoint with its signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub checkpoint: Checkpoint,
    /// The signed bytes.
    text: String,
    pub signatures: Vec<(KeyId, [u8; 64])>,
}

/// First four bytes of a key's hash, which a signature line carries.
pub(crate) type KeyId = [u8; 4];

/// Most bytes that one of our own checkpoints can have: three short lines and two signatures.
pub(crate) const NOTE_BYTES_MAX: u64 = 1024;

/// The dash (U+2014) and space that start a signature line.
const DASH: &str = "\u{2014} ";
/// Ed25519 in the signed-note format.
const ALGORITHM: u8 = 1;

impl Note {
    /// Signs a checkpoint with one key, or at a hand-over with the old and the new one.
    pub fn sign(checkpoint: Checkpoint, keys: &[&SigningKey]) -> Self {
        let text = checkpoint.text();
        let sign = |key: &&SigningKey| {
            let id = VerifyKey::new(&checkpoint.origin, PublicKey(key.verifying_key().to_bytes())).id;
            (id, key.sign(text.as_bytes()).to_bytes())
        };
        let signatures = keys.iter().map(sign).collect();
        Self { checkpoint, text, signatures }
    }

    /// The note as it stands in a file.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = format!("{}\n", self.text);
        for (id, signature) in &self.signatures {
            let payload = [&id[..], &signature[..]].concat();
            out += &format!("{DASH}{} {}\n", self.checkpoint.origin, Base64::encode_string(&payload));
        }
        out.into_bytes()
    }

    /// Whether `key` signed it.
    pub fn is_signed_by(&self, key: &VerifyKey) -> bool {
        self.signatures.iter().any(|(id, bytes)| {
            let signature = Signature::from_bytes(bytes);
            let verify =
                |public: &VerifyingKey| public.verify_strict(self.text.as_bytes(), &signature).is_ok();
            *id == key.id && key.public.as_ref().is_some_and(verify)
        })
    }

    /// Reads one of our own notes: three lines, an empty one, then one or two signatures by `origin`.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let note = Self::parse_foreign(bytes)?;
        (note.bytes() == bytes && matches!(note.signatures.len(), 1 | 2)).then_some(note)
    }

    /// Reads a note that others may have added to: lines after the root, and signatures by other names, which are
    /// left out. Only notes whose text is exactly a checkpoint's can be verified afterwards.
    pub fn parse_foreign(bytes: &[u8]) -> Option<Self> {
        let whole = std::str::from_utf8(bytes).ok()?;
        let (text, tail) = whole.split_once("\n\n")?;
        let mut lines = text.split('\n');
        let origin = lines.next().filter(|o| is_origin(o))?;
        let size = lines.next()?;
        let size = size.parse::<u64>().ok().filter(|n| n.to_string() == size)?;
        let root = Digest(base64(lines.next()?)?);
        let checkpoint = Checkpoint { origin: origin.to_owned(), size, root };
        let mut signatures = Vec::new();
        for line in tail.strip_suffix('\n')?.split('\n') {
            let (name, payload) = line.strip_prefix(DASH)?.split_once(' ')?;
            if name == origin {
                let payload: [u8; 68] = base64(payload)?;
                let (id, signature) = payload.split_first_chunk().expect("68 bytes are more than four");
                signatures.push((*id, signature.try_into().expect("68 less 4 is 64")));
            }
        }
        Some(Self { checkpoint, text: format!("{text}\n"), signatures })
    }
}

/// A checkpoint as it was, of a text that holds one: what came back from paper, a mail or an editor may have another dash before a
/// signature, or lost its line breaks, none of which is signed as it stands. `None` where there is none.
pub fn given_back(bytes: &[u8]) -> Option<Vec<u8>> {
    if Note::parse_foreign(bytes).is_some() {
        return Some(bytes.to_vec());
    }
    let text = String::from_utf8_lossy(bytes);
    let mut words = text.get(text.find(ORIGIN_PREFIX)?..)?.split_whitespace();
    let (origin, size, root) = (words.next()?, words.next()?, words.next()?);
    let mut note = format!("{origin}\n{size}\n{root}\n\n");
    while let Some(word) = words.next() {
        // A reader that guesses at the bytes of the dash may take the space behind it for one of them.
        if word.ends_with(origin) {
            note += &format!("{DASH}{origin} {}\n", words.next()?);
        }
    }
    Note::parse_foreign(note.as_bytes()).map(|_| note.into_bytes())
}

/// `lightproof/` and 32 hexadecimal digits.
pub(crate) fn is_origin(text: &str) -> bool {
    text.strip_prefix(ORIGIN_PREFIX).is_some_and(|id| unhex::<16>(id).is_some())
}

/// What the name of every log starts with; a random id follows.
pub(crate) const ORIGIN_PREFIX: &str = "lightproof/";

/// A public key in the form that signed notes use: `name+keyid+base64(1 || key)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyKey {
    name: String,
    id: KeyId,
    key: PublicKey,
    /// `None` when the bytes are no point of the curve, one of small order, for which anybody can make signatures, or
    /// another spelling of a point: such a key verifies nothing.
    public: Option<VerifyingKey>,
}

impl VerifyKey {
    pub(crate) fn new(name: &str, key: PublicKey) -> Self {
        let hash =
            Sha256::new().chain_update(name).chain_update([b'\n', ALGORITHM]).chain_update(key.0).finalize();
        let public = VerifyingKey::from_bytes(&key.0).ok().filter(|k| !k.is_weak() && is_canonical(&key.0));
        Self { name: name.to_owned(), id: [hash[0], hash[1], hash[2], hash[3]], key, public }
    }

    /// The name of the log that it signs for.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The public key itself.
    pub fn key(&self) -> PublicKey {
        self.key
    }

    /// Reads one line of `vkeys`, without its newline; `None` if it is none.
    pub fn parse(line: &str) -> Option<Self> {
        let mut parts = line.splitn(3, '+');
        let (name, id, payload) = (parts.next()?, parts.next()?, parts.next()?);
        let payload: [u8; 33] = base64(payload)?;
        let key: [u8; 32] = payload[1..].try_into().ok()?;
        let parsed = Self::new(name, PublicKey(key));
        (is_origin(name) && payload[0] == ALGORITHM && hex(&parsed.id) == id).then_some(parsed)
    }
}

/// Whether the y of an encoded point is below 2^255 - 19 (RFC 8032, section 5.1.3).
fn is_canonical(point: &[u8; 32]) -> bool {
    point[0] < 0xed || point[1..31].iter().any(|b| *b != 0xff) || point[31] & 0x7f != 0x7f
}

impl std::fmt::Display for VerifyKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let payload = [&[ALGORITHM], &self.key.0[..]].concat();
        write!(f, "{}+{}+{}", self.name, hex(&self.id), Base64::encode_string(&payload))
    }
}

pub(crate) const SECRET_PREFIX: &str = "PRIVATE+KEY+";

/// A private key as a line, in the form that signed-note tools use: `PRIVATE+KEY+name+keyid+base64(1 || seed)`.
pub(crate) fn secret_line(name: &str, key: &SigningKey) -> Zeroizing<Vec<u8>> {
    let id = VerifyKey::new(name, PublicKey(key.verifying_key().to_bytes())).id;
    let mut payload = Zeroizing::new([ALGORITHM; 33]);
    payload[1..].copy_from_slice(key.as_bytes());
    let encoded = Zeroizing::new(Base64::encode_string(&payload[..]));
    let mut line = Zeroizing::new(Vec::with_capacity(256));
    for part in [SECRET_PREFIX, name, "+", &hex(&id), "+", &encoded, "\n"] {
        line.extend_from_slice(part.as_bytes());
    }
    line
}

/// Reads what [`secret_line`] writes.
pub(crate) fn parse_secret(line: &[u8], name: &str) -> Option<SigningKey> {
    let text = std::str::from_utf8(line).ok()?;
    // The payload has a fixed length, and may hold the separator itself.
    let encoded = text.strip_suffix('\n')?;
    let mut payload = Zeroizing::new([0; 33]);
    Base64::decode(encoded.get(encoded.len().checked_sub(44)?..)?, &mut payload[..]).ok()?;
    let mut seed = Zeroizing::new([0; 32]);
    seed.copy_from_slice(&payload[1..]);
    let key = SigningKey::from_bytes(&seed);
    (secret_line(name, &key)[..] == *line).then_some(key)
}

/// A new random key.
pub(crate) fn new_secret() -> Result<SigningKey, crate::Error> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut seed[..]).map_err(|_| crate::Error::Randomness)?;
    Ok(SigningKey::from_bytes(&seed))
}
