use super::*;
use crate::clock::timestamp;

/// An answer as an authority gives it, without certificates and signatures, which are not looked at.
fn answer_to(status: u8, imprint: Digest, nonce: Option<&[u8]>, time: &str) -> Vec<u8> {
    let algorithm = element(SEQUENCE, &element(OID, SHA_256));
    let imprint = element(SEQUENCE, &[algorithm, element(OCTETS, &imprint.0)].concat());
    let mut parts = vec![element(INTEGER, &[1]), element(OID, &[0x2A, 3]), imprint, element(INTEGER, &[9])];
    parts.push(element(TIME, time.as_bytes()));
    parts.push(element(SEQUENCE, &element(INTEGER, &[1])));
    parts.extend(nonce.map(|nonce| element(INTEGER, nonce)));
    let content = element(own(0), &element(OCTETS, &element(SEQUENCE, &parts.concat())));
    let content = element(SEQUENCE, &[element(OID, STAMP_INFO), content].concat());
    let signed = [element(INTEGER, &[3]), element(SET, &[]), content, element(SET, &[])].concat();
    let token = [element(OID, SIGNED_DATA), element(own(0), &element(SEQUENCE, &signed))].concat();
    let status = element(SEQUENCE, &element(INTEGER, &[status]));
    element(SEQUENCE, &[status, element(SEQUENCE, &token)].concat())
}

#[test]
fn a_request_is_read_back_and_an_answer_is_held_against_it() {
    let request = StampRequest::new(b"checkpoint").unwrap();
    assert_eq!(StampRequest::parse(&request.to_der()), Some(request.clone()));
    let answer = answer_to(0, request.imprint, Some(&request.nonce), "20260131070809.01Z");
    let stamp = Stamp::parse(&answer).unwrap();
    assert_eq!(request.check(&stamp), Ok(()));
    assert_eq!(timestamp(stamp.time_ms), "2026-01-31T07:08:09.010Z");
    let other = StampRequest::new(b"checkpoint").unwrap();
    assert_eq!(other.check(&stamp), Err(StampFlaw::OtherNonce));
    let mut other = request.clone();
    other.imprint.0[31] ^= 1;
    assert_eq!(other.check(&stamp), Err(StampFlaw::OtherImprint));
    let without = Stamp::parse(&answer_to(1, request.imprint, None, "20260131070809Z")).unwrap();
    assert_eq!(request.check(&without), Err(StampFlaw::OtherNonce));
    let refused = answer_to(2, request.imprint, Some(&request.nonce), "20260131070809Z");
    assert_eq!(Stamp::parse(&refused), Err(StampFlaw::Refused));
    for wrong in [
        "",
        "Z",
        "20260131070809",
        "20261331070809Z",
        "2026013107080Z",
        "20260131070809.Z",
        "2026013107080-Z",
    ] {
        let answer = answer_to(0, request.imprint, Some(&request.nonce), wrong);
        assert_eq!(Stamp::parse(&answer), Err(StampFlaw::NoStamp), "{wrong:?}");
    }
}

/// Whatever is cut off, changed or put in, the reading ends, and what still answers the request has its imprint and nonce.
#[test]
fn no_changed_answer_is_taken_for_one_about_something_else() {
    let request = StampRequest::new(b"checkpoint").unwrap();
    let answer = answer_to(0, request.imprint, Some(&request.nonce), "20260131070809Z");
    for length in 0..answer.len() {
        assert!(Stamp::parse(&answer[..length]).is_err(), "{length}");
    }
    for at in 0..answer.len() {
        for change in [1, 0x20, 0x80, 0xFF] {
            let mut changed = answer.clone();
            changed[at] ^= change;
            if let Ok(stamp) = Stamp::parse(&changed)
                && request.check(&stamp).is_ok()
            {
                assert_eq!((stamp.imprint, stamp.nonce.as_ref()), (request.imprint, Some(&request.nonce)));
            }
            let mut longer = answer.clone();
            longer.insert(at, change);
            let _ = Stamp::parse(&longer);
        }
    }
    let request = request.to_der();
    for at in 0..request.len() {
        let mut changed = request.clone();
        changed[at] ^= 0x80;
        assert!(StampRequest::parse(&changed).is_none_or(|read| read.to_der() == changed), "{at}");
    }
}
