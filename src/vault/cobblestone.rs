//! Cobblestone-256: <https://c2sp.org/chunked-encryption> with SHA-512 and AES-256-GCM.
//!
//! `salt 24 ‖ commitment 32 ‖ chunks`, each chunk up to 16 KiB of plaintext and a 16-byte tag. The last chunk is
//! always shorter than 16 KiB (empty if need be), so the length is authenticated and no final flag exists.
//! Key, base nonce and commitment come from HKDF-Expand over the salt and a *context*, so no key ever meets two
//! nonce sequences and a ciphertext opens under one key and one context only.
//!
//! This file holds every use of a cipher in the crate.

use std::io;

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{AeadInOut, KeyInit};
use ctutils::CtEq;
use hmac::{Hmac, Mac};
use sha2::Sha512;
use zeroize::{Zeroize, Zeroizing};

/// A 32-byte key that is wiped when dropped.
pub(crate) type Key = Zeroizing<[u8; 32]>;

/// Plaintext bytes of a full chunk.
pub(crate) const CHUNK_BYTES: u64 = 16 * 1024;
/// Bytes of the salt at the start of a message.
pub(crate) const SALT_BYTES: usize = 24;
/// Bytes of a chunk's tag.
const TAG_BYTES: usize = 16;
/// Salt and commitment.
const HEAD_BYTES: usize = 56;
/// Ciphertext bytes of a full chunk.
const STRIDE: u64 = CHUNK_BYTES + TAG_BYTES as u64;
/// The suite's name in the key derivation, with its terminator.
const LABEL: &[u8] = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0";

/// Why a message did not open.
#[derive(Debug)]
pub(crate) enum Broken {
    /// No message has this length, or the range lies outside it.
    Length,
    /// Another key, another context, or a damaged head.
    Commitment,
    /// This chunk is damaged.
    Chunk(u64),
    /// The bytes could not be read.
    Io(io::Error),
}

/// Where ciphertext comes from: memory, or a section of a file.
pub(crate) trait Source {
    /// Bytes of the whole message.
    fn size(&self) -> u64;
    /// Fills `out` from `at`, or fails.
    fn read_at(&self, at: u64, out: &mut [u8]) -> io::Result<()>;
}

impl Source for [u8] {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&self, at: u64, out: &mut [u8]) -> io::Result<()> {
        let from = usize::try_from(at).ok().and_then(|from| self.get(from..)?.get(..out.len()));
        out.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// Ciphertext bytes for so many plaintext bytes.
pub(crate) const fn sealed_bytes(plain: u64) -> u64 {
    HEAD_BYTES as u64 + plain + (plain / CHUNK_BYTES + 1) * TAG_BYTES as u64
}

/// Plaintext bytes of a message of this size, or `None` if no message has it.
pub(crate) fn plain_bytes(sealed: u64) -> Option<u64> {
    let body = sealed.checked_sub(HEAD_BYTES as u64)?;
    let last = (body % STRIDE).checked_sub(TAG_BYTES as u64)?;
    Some(body / STRIDE * CHUNK_BYTES + last)
}

/// Appends the sealed form of `plain` to `out`. `salt` must be fresh for every message.
pub(crate) fn seal(key: &Key, context: &[&[u8]], salt: &[u8; SALT_BYTES], plain: &[u8], out: &mut Vec<u8>) {
    let derived = Derived::new(key, context, salt);
    out.reserve(sealed_bytes(plain.len() as u64) as usize);
    out.extend_from_slice(salt);
    out.extend_from_slice(&derived.commitment);
    let chunks = plain.len() as u64 / CHUNK_BYTES + 1;
    let mut rest = plain;
    for index in 0..chunks {
        let (chunk, after) = rest.split_at(rest.len().min(CHUNK_BYTES as usize));
        let start = out.len();
        out.extend_from_slice(chunk);
        let tag = derived.seal_chunk(index, &mut out[start..]);
        out.extend_from_slice(&tag);
        rest = after;
    }
}

/// Opens a whole message.
pub(crate) fn open<S: Source + ?Sized>(
    key: &Key,
    context: &[&[u8]],
    source: &S,
) -> Result<Zeroizing<Vec<u8>>, Broken> {
    let bytes = plain_bytes(source.size()).ok_or(Broken::Length)?;
    open_range(key, context, source, 0, bytes)
}

/// Opens `bytes` bytes from `from`. Reads and authenticates the head, the last chunk (it proves the length) and
/// the chunks that the range touches, nothing else.
pub(crate) fn open_range<S: Source + ?Sized>(
    key: &Key,
    context: &[&[u8]],
    source: &S,
    from: u64,
    bytes: u64,
) -> Result<Zeroizing<Vec<u8>>, Broken> {
    let total = plain_bytes(source.size()).ok_or(Broken::Length)?;
    let until = from.checked_add(bytes).filter(|until| *until <= total).ok_or(Broken::Length)?;
    let mut head = [0; HEAD_BYTES];
    source.read_at(0, &mut head).map_err(Broken::Io)?;
    let derived = Derived::new(key, context, &head[..SALT_BYTES]);
    if !bool::from(derived.commitment.as_slice().ct_eq(&head[SALT_BYTES..])) {
        return Err(Broken::Commitment);
    }
    let last = total / CHUNK_BYTES;
    let (first, final_) = (from / CHUNK_BYTES, until.saturating_sub(1).max(from) / CHUNK_BYTES);
    let mut out = Zeroizing::new(Vec::new());
    out.try_reserve_exact(bytes as usize).map_err(|_| Broken::Io(io::ErrorKind::OutOfMemory.into()))?;
    let mut chunk = Zeroizing::new(Vec::with_capacity(STRIDE as usize));
    if final_ != last {
        derived.read_chunk(source, last, &mut chunk)?;
    }
    for index in first..=final_ {
        derived.read_chunk(source, index, &mut chunk)?;
        let start = index * CHUNK_BYTES;
        let low = from.max(start) - start;
        let high = until.min(start + chunk.len() as u64).saturating_sub(start).max(low);
        out.extend_from_slice(chunk.get(low as usize..high as usize).ok_or(Broken::Length)?);
    }
    Ok(out)
}

/// HMAC-SHA-512 of the parts under `key`. The result is wiped when dropped.
pub(crate) fn hmac(key: &[u8], parts: &[&[u8]]) -> Zeroizing<[u8; 64]> {
    let mut mac = Hmac::<Sha512>::new_from_slice(key).expect("HMAC takes a key of any length");
    parts.iter().for_each(|part| mac.update(part));
    let mut tag = mac.finalize().into_bytes();
    let out = Zeroizing::new(tag.into());
    tag.as_mut_slice().zeroize();
    out
}

/// What one message's key, salt and context expand to.
struct Derived {
    aead: Aes256Gcm,
    base_nonce: [u8; 12],
    commitment: [u8; 32],
}

impl Derived {
    /// HKDF-Expand-SHA-512 to 76 bytes (two blocks): AES key 32, base nonce 12, commitment 32.
    fn new(key: &Key, context: &[&[u8]], salt: &[u8]) -> Self {
        let info: Vec<&[u8]> = [LABEL, salt].into_iter().chain(context.iter().copied()).collect();
        let block = |previous: &[u8], counter: u8| {
            let parts: Vec<&[u8]> = [previous]
                .into_iter()
                .chain(info.iter().copied())
                .chain([std::slice::from_ref(&counter)])
                .collect();
            hmac(&key[..], &parts)
        };
        let first = block(&[], 1);
        let second = block(&first[..], 2);
        let mut aes_key = Zeroizing::new([0; 32]);
        let (mut base_nonce, mut commitment) = ([0; 12], [0; 32]);
        aes_key.copy_from_slice(&first[..32]);
        base_nonce.copy_from_slice(&first[32..44]);
        commitment[..20].copy_from_slice(&first[44..]);
        commitment[20..].copy_from_slice(&second[..12]);
        Self { aead: Aes256Gcm::new((&*aes_key).into()), base_nonce, commitment }
    }

    /// The base nonce with the chunk's index xored into its last eight bytes, as in TLS 1.3.
    fn nonce(&self, index: u64) -> [u8; 12] {
        let mut nonce = self.base_nonce;
        nonce[4..].iter_mut().zip(index.to_be_bytes()).for_each(|(byte, count)| *byte ^= count);
        nonce
    }

    fn seal_chunk(&self, index: u64, chunk: &mut [u8]) -> [u8; TAG_BYTES] {
        self.aead
            .encrypt_inout_detached(&self.nonce(index).into(), b"", chunk.into())
            .expect("a chunk is far below the cipher's limit of 64 GiB")
            .into()
    }

    /// Leaves the plaintext of one chunk in `chunk`.
    fn read_chunk<S: Source + ?Sized>(
        &self,
        source: &S,
        index: u64,
        chunk: &mut Vec<u8>,
    ) -> Result<(), Broken> {
        let at = HEAD_BYTES as u64 + index * STRIDE;
        let size = source.size().saturating_sub(at).min(STRIDE) as usize;
        chunk.zeroize();
        chunk.resize(size, 0);
        source.read_at(at, chunk).map_err(Broken::Io)?;
        let (body, tag) = chunk.split_last_chunk_mut::<TAG_BYTES>().ok_or(Broken::Length)?;
        self.aead
            .decrypt_inout_detached(&self.nonce(index).into(), b"", body.into(), &(*tag).into())
            .map_err(|_| Broken::Chunk(index))?;
        chunk.truncate(size - TAG_BYTES);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
