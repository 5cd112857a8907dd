//! Time from outside: a time stamp (RFC 3161) by an authority over a checkpoint of this log.
//!
//! What is checked here is that the stamp is about this checkpoint (its imprint) and was made for this request (its nonce). Who
//! signed it, and whether that is to be believed, is for `openssl ts -verify` and the authority's certificates: this program has
//! none, and says so.

use crate::clock::parse_timestamp;
use crate::der::{BOOLEAN, Elements, INTEGER, NULL, OCTETS, OID, SEQUENCE, SET, TIME, element, only, own};
use crate::error::{Error, io_error};
use crate::journal::Notes;
use crate::note::Note;
use crate::paths::{Paths, read_limited};
use crate::tail::newest_note;
use crate::token::Digest;
use std::fmt;
use std::io;
use std::path::Path;

/// The longest answer of an authority that is read: one with its certificates has some 6 KB.
pub const STAMP_BYTES_MAX: u64 = 64 << 10;

/// SHA-256, 2.16.840.1.101.3.4.2.1.
const SHA_256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
/// `id-signedData` (RFC 5652), 1.2.840.113549.1.7.2.
const SIGNED_DATA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x02];
/// `id-ct-TSTInfo` (RFC 3161), 1.2.840.113549.1.9.16.1.4.
const STAMP_INFO: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x10, 0x01, 0x04];
const NONCE_BYTES: usize = 16;

/// What is asked of an authority, a `TimeStampReq`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StampRequest {
    /// SHA-256 of what is to be stamped.
    pub imprint: Digest,
    /// The number that the answer must repeat, as DER has it.
    nonce: Vec<u8>,
}

/// What an authority answered, a `TimeStampResp` that grants.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stamp {
    /// SHA-256 of what was stamped.
    pub imprint: Digest,
    /// When, by the authority's clock, in milliseconds since 1970.
    pub time_ms: u64,
    nonce: Option<Vec<u8>>,
}

/// What is wrong with an answer, or a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StampFlaw {
    /// No request of this kind.
    NoRequest,
    /// No answer of this kind.
    NoStamp,
    /// The authority refused.
    Refused,
    /// It is about something else.
    OtherImprint,
    /// It answers another request.
    OtherNonce,
}

impl fmt::Display for StampFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoRequest => "this is no request as `audit stamp request` writes it",
            Self::NoStamp => "this is no answer to a request for a time stamp (RFC 3161, in DER)",
            Self::Refused => {
                "the authority did not grant the stamp; ask `openssl ts -reply -in FILE -text` for its reason"
            }
            Self::OtherImprint => "the stamp is about something else than the request",
            Self::OtherNonce => "the stamp answers another request: its nonce is another one",
        })
    }
}

impl StampRequest {
    /// A request for a stamp over these bytes, with a nonce from the kernel.
    ///
    /// # Errors
    /// The kernel gives no randomness.
    pub fn new(stamped: &[u8]) -> io::Result<Self> {
        let mut nonce = vec![0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(io::Error::other)?;
        // Positive, and in the shortest form, whatever was drawn.
        nonce[0] = nonce[0] & 0x3F | 0x40;
        Ok(Self { imprint: Digest::of(stamped), nonce })
    }

    /// The request as it stands in a file: version 1, SHA-256, the nonce, and a wish for the certificate.
    pub fn to_der(&self) -> Vec<u8> {
        let algorithm = element(SEQUENCE, &[element(OID, SHA_256), element(NULL, &[])].concat());
        let imprint = element(SEQUENCE, &[algorithm, element(OCTETS, &self.imprint.0)].concat());
        let parts =
            [element(INTEGER, &[1]), imprint, element(INTEGER, &self.nonce), element(BOOLEAN, &[0xFF])];
        element(SEQUENCE, &parts.concat())
    }

    /// Reads what [`StampRequest::to_der`] writes, and nothing else.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut parts = Elements(only(bytes, SEQUENCE)?);
        (parts.next(INTEGER)? == [1]).then_some(())?;
        let imprint = imprint(parts.next(SEQUENCE)?)?;
        let nonce = parts.next(INTEGER)?.to_vec();
        let request = Self { imprint, nonce };
        (request.to_der() == bytes).then_some(request)
    }

    /// Whether the stamp answers this request.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, stamp: &Stamp) -> Result<(), StampFlaw> {
        if stamp.imprint != self.imprint {
            return Err(StampFlaw::OtherImprint);
        }
        if stamp.nonce.as_ref() != Some(&self.nonce) {
            return Err(StampFlaw::OtherNonce);
        }
        Ok(())
    }
}

impl Stamp {
    /// Reads an answer. Its signature is not looked at.
    ///
    /// # Errors
    /// [`StampFlaw::NoStamp`], [`StampFlaw::Refused`].
    pub fn parse(bytes: &[u8]) -> Result<Self, StampFlaw> {
        let (is_granted, token) = answer(bytes).ok_or(StampFlaw::NoStamp)?;
        if !is_granted {
            return Err(StampFlaw::Refused);
        }
        token.and_then(content).and_then(info).ok_or(StampFlaw::NoStamp)
    }
}

/// Whether a `TimeStampResp` grants, and its token.
fn answer(bytes: &[u8]) -> Option<(bool, Option<&[u8]>)> {
    let mut parts = Elements(only(bytes, SEQUENCE)?);
    let status = Elements(parts.next(SEQUENCE)?).next(INTEGER)?;
    let token = parts.may_be(SEQUENCE)?;
    parts.end()?;
    // Granted, or granted with modifications.
    Some((status == [0] || status == [1], token))
}

/// The `TSTInfo` in a token, a `ContentInfo` with `SignedData`.
fn content(token: &[u8]) -> Option<&[u8]> {
    let mut parts = Elements(token);
    (parts.next(OID)? == SIGNED_DATA).then_some(())?;
    let signed = only(parts.next(own(0))?, SEQUENCE)?;
    parts.end()?;
    let mut parts = Elements(signed);
    parts.next(INTEGER)?;
    parts.next(SET)?;
    let mut parts = Elements(parts.next(SEQUENCE)?);
    (parts.next(OID)? == STAMP_INFO).then_some(())?;
    let content = only(parts.next(own(0))?, OCTETS)?;
    parts.end()?;
    Some(content)
}

fn info(bytes: &[u8]) -> Option<Stamp> {
    let mut parts = Elements(only(bytes, SEQUENCE)?);
    (parts.next(INTEGER)? == [1]).then_some(())?;
    parts.next(OID)?;
    let imprint = imprint(parts.next(SEQUENCE)?)?;
    parts.next(INTEGER)?;
    let time_ms = time(parts.next(TIME)?)?;
    parts.may_be(SEQUENCE)?;
    parts.may_be(BOOLEAN)?;
    let nonce = parts.may_be(INTEGER)?.map(<[u8]>::to_vec);
    parts.may_be(own(0))?;
    parts.may_be(own(1))?;
    parts.end()?;
    Some(Stamp { imprint, time_ms, nonce })
}

/// A `MessageImprint` by SHA-256.
fn imprint(bytes: &[u8]) -> Option<Digest> {
    let mut parts = Elements(bytes);
    let mut algorithm = Elements(parts.next(SEQUENCE)?);
    (algorithm.next(OID)? == SHA_256).then_some(())?;
    algorithm.may_be(NULL)?;
    algorithm.end()?;
    let digest = parts.next(OCTETS)?.try_into().ok()?;
    parts.end()?;
    Some(Digest(digest))
}

/// `20260131070809Z`, or with a fraction of a second, of which milliseconds are kept.
fn time(bytes: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(bytes).ok()?.strip_suffix('Z')?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_plain = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() != 14 || !is_plain(whole) || !is_plain(fraction) {
        return None;
    }
    let part = |from: usize, to: usize| whole.get(from..to);
    let (date, clock) =
        ([part(0, 4)?, part(4, 6)?, part(6, 8)?], [part(8, 10)?, part(10, 12)?, part(12, 14)?]);
    let ms: String = fraction.chars().chain("00".chars()).take(3).collect();
    parse_timestamp(&format!("{}T{}.{ms}Z", date.join("-"), clock.join(":")))
}

/// Reads a request or an answer, which is a regular file of at most [`STAMP_BYTES_MAX`], however it is reached.
///
/// # Errors
/// What the system says; `InvalidInput` for a named pipe, which would be waited for, and for a folder.
pub fn read_stamp(path: &Path) -> io::Result<Vec<u8>> {
    read_limited(&path.canonicalize()?, STAMP_BYTES_MAX)
}

/// The newest checkpoint of the log in `dir`, as it stands in a file: what a stamp is asked for, and what is kept elsewhere. It is
/// the copy that is written once the checkpoint is durable, so that no log falls behind it in a power cut.
///
/// # Errors
/// `Absent`, `Io`, `Broken`.
pub fn newest_checkpoint(dir: &Path) -> Result<Vec<u8>, Error> {
    newest_note(dir).map(|note| note.bytes())
}

/// The checkpoint with that digest among all that the log in `dir` has: how many records it covers, and its bytes; `None` if
/// there is none.
///
/// # Errors
/// `Io`.
pub fn checkpoint_of(dir: &Path, digest: Digest) -> Result<Option<(u64, Vec<u8>)>, Error> {
    let paths = Paths(dir.to_owned());
    let is_it = |note: &Note| Digest::of(&note.bytes()) == digest;
    for number in 0.. {
        let path = paths.journal(number);
        let mut notes = match Notes::open(&path, 0) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => break,
            other => other.map_err(io_error("read", &path))?,
        };
        let found = notes.find(|note| note.as_ref().map_or(true, is_it)).transpose();
        if let Some(note) = found.map_err(io_error("read", &path))? {
            return Ok(Some((note.checkpoint.size, note.bytes())));
        }
    }
    Ok(None)
}

#[cfg(test)]
#[path = "tests/stamp.rs"]
mod tests;
