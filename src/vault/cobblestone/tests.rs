//! The container against vectors and rules that nobody here wrote.

use std::io::Read;

use aes_gcm::aead::{Aead, Payload};
use serde_json::Value;
use sha2::Digest;

use super::*;

const COBBLESTONE: &str =
    include_str!("../testdata/wycheproof/c2sp_chunked_encryption_aes_256_gcm_test.json");
const AES_GCM: &str = include_str!("../testdata/wycheproof/aes_gcm_test.json");

/// The test groups of one of Wycheproof's files.
fn groups(file: &str) -> Vec<Value> {
    let mut file: Value = serde_json::from_str(file).expect("the vectors are JSON");
    match file["testGroups"].take() {
        Value::Array(groups) => groups,
        other => panic!("{other}"),
    }
}

fn tests(group: &Value) -> &[Value] {
    group["tests"].as_array().expect("a group has tests")
}

fn hex(test: &Value, field: &str) -> Vec<u8> {
    let text = test[field].as_str().unwrap_or_else(|| panic!("no {field} in {test}"));
    let mut bytes = vec![0; text.len() / 2];
    base16ct::lower::decode(text, &mut bytes).unwrap_or_else(|error| panic!("{error} in {test}"));
    bytes
}

/// Opens the valid ones, seals them again to the same bytes, reads ranges of them; refuses all others.
#[test]
fn cobblestone_256_passes_every_wycheproof_vector() {
    let (mut valid, mut invalid) = (0, 0);
    for test in groups(COBBLESTONE).iter().flat_map(tests) {
        let (name, context) = (&test["tcId"], hex(test, "ctx"));
        let mut sealed = Vec::new();
        flate2::read::ZlibDecoder::new(&hex(test, "ct")[..]).read_to_end(&mut sealed).expect("zlib");
        let key: Option<Key> = hex(test, "key").try_into().ok().map(Zeroizing::new);
        let opened = key.as_ref().map(|key| open(key, &[&context], &sealed[..]));
        if test["result"] == "valid" {
            let (key, plain) = (key.expect("a key"), opened.expect("a key").expect("a valid vector opens"));
            assert_eq!(Sha512::digest(&plain)[..], hex(test, "msgSha512"), "tc {name}");
            let mut again = Vec::new();
            let salt = sealed[..SALT_BYTES].try_into().expect("a salt");
            seal(&key, &[&context], &salt, &plain, &mut again);
            assert!(again == sealed, "tc {name}: sealing again gives other bytes");
            check_ranges(&key, &context, &sealed, &plain);
            valid += 1;
        } else {
            assert_eq!(test["result"], "invalid", "tc {name}");
            assert!(!matches!(opened, Some(Ok(_))), "tc {name} {} opened", test["flags"]);
            invalid += 1;
        }
    }
    assert_eq!((valid, invalid), (10, 25), "vectors are missing");
}

fn check_ranges(key: &Key, context: &[u8], sealed: &[u8], plain: &[u8]) {
    let total = plain.len() as u64;
    let edges =
        [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, total / 2, total.saturating_sub(1), total];
    for from in edges {
        for bytes in edges {
            let got = open_range(key, &[context], sealed, from, bytes);
            if from + bytes <= total {
                let want = &plain[from as usize..(from + bytes) as usize];
                assert_eq!(&got.expect("inside the message")[..], want, "{from}+{bytes} of {total}");
            } else {
                assert!(got.is_err(), "{from}+{bytes} of {total}");
            }
        }
    }
}

#[test]
fn aes_256_gcm_passes_every_wycheproof_vector() {
    let ours = |group: &&Value| {
        ["keySize", "ivSize", "tagSize"].map(|size| group[size].as_u64()) == [256, 96, 128].map(Some)
    };
    let (mut valid, mut invalid) = (0, 0);
    for test in groups(AES_GCM).iter().filter(ours).flat_map(tests) {
        let (name, aad, plain) = (&test["tcId"], hex(test, "aad"), hex(test, "msg"));
        let aead = Aes256Gcm::new_from_slice(&hex(test, "key")).expect("a 256-bit key");
        let nonce: [u8; 12] = hex(test, "iv").try_into().expect("a 96-bit nonce");
        let sealed = [hex(test, "ct"), hex(test, "tag")].concat();
        let opened = aead.decrypt(&nonce.into(), Payload { msg: &sealed, aad: &aad });
        if test["result"] == "valid" {
            assert_eq!(opened.expect("a valid vector opens"), plain, "tc {name}");
            let again = aead.encrypt(&nonce.into(), Payload { msg: &plain, aad: &aad });
            assert_eq!(again.expect("seals"), sealed, "tc {name}");
            valid += 1;
        } else {
            assert_eq!(test["result"], "invalid", "tc {name}");
            assert!(opened.is_err(), "tc {name} opened");
            invalid += 1;
        }
    }
    assert_eq!((valid, invalid), (39, 27), "vectors are missing");
}

#[test]
fn lengths_are_exact_and_invertible() {
    for plain in
        (0..5).chain(CHUNK_BYTES - 2..CHUNK_BYTES + 3).chain(3 * CHUNK_BYTES - 2..3 * CHUNK_BYTES + 3)
    {
        let mut sealed = Vec::new();
        seal(&Key::default(), &[], &[7; SALT_BYTES], &vec![1; plain as usize], &mut sealed);
        assert_eq!(sealed.len() as u64, sealed_bytes(plain));
        assert_eq!(plain_bytes(sealed_bytes(plain)), Some(plain));
        for cut in 1..=TAG_BYTES as u64 {
            if let Some(shorter) = plain_bytes(sealed_bytes(plain) - cut) {
                assert_ne!(shorter, plain);
            }
        }
    }
}

#[test]
fn another_key_or_context_stops_at_the_commitment() {
    let mut sealed = Vec::new();
    let key = Zeroizing::new([1; 32]);
    seal(&key, &[b"context"], &[7; SALT_BYTES], b"message", &mut sealed);
    assert_eq!(&open(&key, &[b"con", b"text"], &sealed[..]).expect("opens")[..], b"message");
    assert!(matches!(open(&key, &[b"context2"], &sealed[..]), Err(Broken::Commitment)));
    for bit in 0..256 {
        let mut other = key.clone();
        other[bit / 8] ^= 1 << (bit % 8);
        assert!(matches!(open(&other, &[b"context"], &sealed[..]), Err(Broken::Commitment)));
    }
}
