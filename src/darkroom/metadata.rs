//! What is known of a picture besides its pixels. It lies in the sealed log, never beside the file.

use crate::checked::Checked;
use audit::Digest;
use engine::Settings;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use vault::{ObjectId, ObjectInfo};
use zeroize::{Zeroize, Zeroizing};

/// The sealed metadata of a picture, version 1. JSON; unknown keys are kept out, missing ones are an error.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// Version of this form.
    pub v: u32,
    /// The job that made it, as in the log.
    pub job: String,
    /// The slot of the person who asked.
    pub slot: u16,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Transformer evaluations.
    pub steps: u32,
    /// Guidance in thousandths.
    pub guidance_milli: u32,
    /// Seed.
    pub seed: u32,
    /// SHA-256 of the model, in hex.
    pub model: String,
    /// The prompt, if its keeping was asked for and allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// The negative prompt, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub negative_prompt: Option<String>,
}

impl Metadata {
    /// Metadata of the picture `index` of a request.
    pub(crate) fn new(
        checked: &Checked,
        index: usize,
        job: audit::JobId,
        slot: u16,
        model: &[u8; 32],
    ) -> Self {
        let Settings { width, height, steps, guidance_milli, seeds } = &checked.prepared.settings;
        let kept = |text: &Option<Zeroizing<String>>| text.as_ref().map(|text| text.to_string());
        Self {
            v: 1,
            job: job.to_string(),
            slot,
            width: *width,
            height: *height,
            steps: *steps,
            guidance_milli: *guidance_milli,
            seed: seeds.get(index).copied().unwrap_or_default(),
            model: base16ct::lower::encode_string(model),
            prompt: kept(&checked.prompt),
            negative_prompt: kept(&checked.negative_prompt),
        }
    }

    /// The bytes that are sealed.
    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(serde_json::to_vec(self).expect("strings and integers always make JSON"))
    }

    /// Metadata of an entry; `None` if a later version wrote a form that this one does not know.
    pub(crate) fn of(entry: &ObjectInfo) -> Option<Self> {
        serde_json::from_slice(&entry.metadata).ok()
    }
}

impl Drop for Metadata {
    fn drop(&mut self) {
        self.prompt.zeroize();
        self.negative_prompt.zeroize();
    }
}

/// A picture as lists show it.
pub struct Summary {
    /// The object's id.
    pub id: ObjectId,
    /// Its logical name, such as `20240115_142345_abc789.png`.
    pub name: String,
    /// Milliseconds since 1970.
    pub created_ms: u64,
    /// Size of the PNG in bytes.
    pub content_bytes: u64,
    /// Its pseudonym in the log.
    pub pseudonym: audit::Object,
    /// What is known of it; `None` if a later version wrote it.
    pub metadata: Option<Metadata>,
    /// Its sealed file is gone; the key still exists.
    pub missing: bool,
    /// When it is erased by itself, in milliseconds since 1970, if ever and no hold keeps it.
    pub expires_ms: Option<u64>,
}

/// An entry's pseudonym in the log. The salt lies beside the object's key and goes with it.
pub(crate) fn pseudonym(id: ObjectId, salt: [u8; 16]) -> audit::Object {
    let mut padded = [0; 32]; // HMAC pads a short key with zeros anyway
    padded[..16].copy_from_slice(&salt);
    audit::object(&padded, &id.0)
}

/// What stands in the log for a sealed file with this SHA-256: whoever lacks the salt cannot tie the file to it.
pub(crate) fn ciphertext_mac(salt: [u8; 16], sha256: [u8; 32]) -> Digest {
    salted(&salt, b"sealed/v1\0", &sha256)
}

/// What stands in the log for a plain copy with this SHA-256, likewise.
pub(crate) fn content_mac(salt: [u8; 16], sha256: &Digest) -> Digest {
    salted(&salt, b"exported/v1\0", &sha256.0)
}

/// HMAC-SHA-256 of a digest under a salt, for one use of it.
pub(crate) fn salted(salt: &[u8], domain: &[u8], sha256: &[u8; 32]) -> Digest {
    let mut mac = Hmac::<Sha256>::new_from_slice(salt).expect("HMAC takes a key of any length");
    mac.update(domain);
    mac.update(sha256);
    Digest(mac.finalize().into_bytes().into())
}
