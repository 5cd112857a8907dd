//! Keys for which anybody can sign.

use crate::note::{Note, VerifyKey};
use crate::{Digest, PublicKey};
use base64ct::{Base64, Encoding};
use ed25519_dalek::{Signature, Verifier as _, VerifyingKey};

const ORIGIN: &str = "lightproof/000102030405060708090a0b0c0d0e0f";

/// Points of order 1, 2, 4 and 8, and 1 with a y beyond the field.
const KEYS: [&str; 5] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

/// R is the neutral point and S zero: under such a key this signs one text in eight at least.
#[test]
fn a_key_of_small_order_verifies_nothing() {
    let mut signature = [0; 64];
    signature[0] = 1;
    for key in KEYS {
        let key = crate::token::unhex(key).unwrap();
        let (loose, strict) =
            (VerifyingKey::from_bytes(&key).unwrap(), VerifyKey::new(ORIGIN, PublicKey(key)));
        let line = strict.to_string();
        let id: [u8; 4] = crate::token::unhex(line.split('+').nth(1).unwrap()).unwrap();
        let mut forged = 0;
        for size in 0..200 {
            let text = format!("{ORIGIN}\n{size}\n{}\n", Base64::encode_string(&Digest::of(b"").0));
            let payload = Base64::encode_string(&[&id[..], &signature[..]].concat());
            let note = Note::parse(format!("{text}\n\u{2014} {ORIGIN} {payload}\n").as_bytes()).unwrap();
            forged += u32::from(loose.verify(text.as_bytes(), &Signature::from_bytes(&signature)).is_ok());
            assert!(!note.is_signed_by(&strict), "{line} {size}");
        }
        assert!(forged > 0, "{line}: nothing was forged, so nothing was tried");
    }
}
