//! The signature of a bundle or of a certificate: a statement (in-toto.io/Statement/v1) in an envelope (DSSE, version 1), signed by a key that
//! is drawn for it, and gone afterwards. An update has the same form, signed elsewhere (`deploy/sign`) by the key of whoever stands behind
//! the program.

use crate::error::Error;
use crate::json::{canonical, has_only, parse, text, unhex};
use audit::{Digest, PublicKey, Stored};
use base64ct::{Base64, Encoding as _};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// What the payload is.
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
const STATEMENT: &str = "https://in-toto.io/Statement/v1";
/// An Ed25519 public key as SubjectPublicKeyInfo (RFC 8410), without the key itself.
pub(crate) const SPKI_HEAD: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// A key that signs one bundle, or one certificate. It has no other use, no file, and no copy.
#[derive(Debug)]
pub struct ExportKey(SigningKey);

impl ExportKey {
    /// A new random key.
    ///
    /// # Errors
    /// [`Error::Randomness`].
    pub fn draw() -> Result<Self, Error> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(&mut seed[..]).map_err(|_| Error::Randomness)?;
        Ok(Self(SigningKey::from_bytes(&seed)))
    }

    /// Its public half, which goes on record before anything is signed.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// A thief's copy.
    #[cfg(test)]
    pub(crate) fn copy(&self) -> Self {
        Self(self.0.clone())
    }

    /// The envelope over a statement on these files. The key ends here.
    pub(crate) fn sign(self, kind: &str, files: &[(&str, Digest)], predicate: &Value) -> Vec<u8> {
        let subject = |(name, sha256): &(&str, Digest)| json!({ "name": name, "digest": { "sha256": sha256.to_string() } });
        let subjects: Vec<Value> = files.iter().map(subject).collect();
        let statement = json!({
            "_type": STATEMENT, "subject": subjects, "predicateType": kind, "predicate": predicate,
        });
        let payload = canonical(&statement);
        let signature = self.0.sign(&signed_bytes(&payload)).to_bytes();
        canonical(&json!({
            "payload": Base64::encode_string(&payload), "payloadType": PAYLOAD_TYPE,
            "signatures": [{ "keyid": key_id(self.public()), "sig": Base64::encode_string(&signature) }],
        }))
    }
}

/// An envelope as it was read; its signature is not looked at until a key is known.
#[derive(Debug)]
pub(crate) struct Envelope {
    payload: Vec<u8>,
    key_id: String,
    signature: [u8; 64],
    /// The files that the statement is about, with their digests.
    pub subjects: Vec<(String, Digest)>,
    pub predicate: Value,
}

impl Envelope {
    /// Reads what [`ExportKey::sign`] writes about a predicate of this kind, and nothing else.
    pub fn parse(bytes: &[u8], kind: &str) -> Option<Self> {
        let envelope = parse(bytes).filter(|e| has_only(e, &["payload", "payloadType", "signatures"]))?;
        text(&envelope, "payloadType").filter(|kind| *kind == PAYLOAD_TYPE)?;
        let payload = unbase64(text(&envelope, "payload")?)?;
        let signatures = envelope.get("signatures")?.as_array()?;
        let [signature] = &signatures[..] else { return None };
        let signature = Some(signature).filter(|s| has_only(s, &["keyid", "sig"]))?;
        let statement =
            parse(&payload).filter(|s| has_only(s, &["_type", "subject", "predicateType", "predicate"]))?;
        text(&statement, "_type").filter(|kind| *kind == STATEMENT)?;
        text(&statement, "predicateType").filter(|found| *found == kind)?;
        let subject = |subject: &Value| {
            let digest = text(subject.get("digest")?, "sha256").and_then(unhex).map(Digest)?;
            Some((text(subject, "name")?.to_owned(), digest))
        };
        Some(Self {
            key_id: text(signature, "keyid")?.to_owned(),
            signature: unbase64(text(signature, "sig")?)?.try_into().ok()?,
            subjects: statement.get("subject")?.as_array()?.iter().map(subject).collect::<Option<_>>()?,
            predicate: statement.get("predicate")?.clone(),
            payload,
        })
    }

    /// Which key it says has signed it; nothing is trusted for that.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Whether `key` signed it.
    pub fn is_signed_by(&self, key: PublicKey) -> bool {
        let Ok(public) = VerifyingKey::from_bytes(&key.0) else { return false };
        let signature = Signature::from_bytes(&self.signature);
        self.key_id == key_id(key) && public.verify_strict(&signed_bytes(&self.payload), &signature).is_ok()
    }
}

/// What is signed: the pre-authentication encoding of DSSE.
fn signed_bytes(payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// SHA-256 of the key as SubjectPublicKeyInfo: which key of several it is. Nothing is trusted for it.
pub(crate) fn key_id(key: PublicKey) -> String {
    Digest::of(&[&SPKI_HEAD[..], &key.0].concat()).to_string()
}

/// The key as other people's programs read it.
pub(crate) fn pem(key: PublicKey) -> String {
    let encoded = Base64::encode_string(&[&SPKI_HEAD[..], &key.0].concat());
    format!("-----BEGIN PUBLIC KEY-----\n{encoded}\n-----END PUBLIC KEY-----\n")
}

/// The key that a record `evidence.key_drawn` or `certificate.key_drawn` names.
pub(crate) fn key_on_record(record: &Stored) -> Option<PublicKey> {
    let bytes = Base64::decode_vec(record.word("key")?).ok()?;
    bytes.try_into().ok().map(PublicKey)
}

/// One spelling, as [`crate::json::parse`] wants of JSON.
fn unbase64(text: &str) -> Option<Vec<u8>> {
    let bytes = Base64::decode_vec(text).ok()?;
    (Base64::encode_string(&bytes) == text).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_changed_byte_of_an_envelope_goes_unseen() {
        let key = ExportKey::draw().unwrap();
        let public = key.public();
        let bytes = key.sign("urn:x", &[("manifest.json", Digest([7; 32]))], &json!({ "size": 12 }));
        let whole = Envelope::parse(&bytes, "urn:x").unwrap();
        assert!(Envelope::parse(&bytes, "urn:y").is_none());
        assert!(whole.is_signed_by(public) && !whole.is_signed_by(ExportKey::draw().unwrap().public()));
        assert_eq!(
            (whole.subjects, whole.predicate),
            (vec![("manifest.json".into(), Digest([7; 32]))], json!({ "size": 12 }))
        );
        for at in 0..bytes.len() {
            for bit in [1, 4, 32] {
                let mut changed = bytes.clone();
                changed[at] ^= bit;
                let holds =
                    Envelope::parse(&changed, "urn:x").is_some_and(|envelope| envelope.is_signed_by(public));
                assert!(!holds, "byte {at} ^ {bit}");
            }
        }
    }

    /// The example of the specification (github.com/secure-systems-lab/dsse, protocol.md).
    #[test]
    fn what_is_signed_is_what_dsse_says() {
        let bytes = signed_bytes(b"hello world");
        assert_eq!(bytes, b"DSSEv1 28 application/vnd.in-toto+json 11 hello world");
    }
}
