//! `listen` has no value that is not 127.0.0.1.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests, which clippy takes for production code

use policy::{LoopbackAddr, Policy};

/// Refused as an address and as a line of an overlay, with a sentence that contains `why`.
fn refused(text: &str, why: &str) {
    let error = LoopbackAddr::parse(text).expect_err(text).to_string();
    assert!(error.contains(why), "{text}: {error}");
    assert!(error.contains("127.0.0.1:7860"), "{text}: no remedy in {error}");
    let line = format!("schema = 1\nlisten = {text:?}");
    let error = Policy::read(Some(&line)).expect_err(text).to_string();
    assert!(error.contains(why), "{text} in an overlay: {error}");
}

#[test]
fn refuses_every_address() {
    refused("0.0.0.0:7860", "every network card");
    refused("[::]:7860", "every network card");
    refused("::", "every network card");
    refused("0.0.0.0", "every network card");
}

#[test]
fn refuses_a_mapped_address() {
    refused("[::ffff:127.0.0.1]:7860", "inside an IPv6");
    refused("[::ffff:127.0.0.1]", "inside an IPv6");
    refused("::ffff:7f00:1", "inside an IPv6");
}

#[test]
fn refuses_other_loopback_addresses() {
    refused("[::1]:7860", "not the one address");
    refused("127.0.0.2:7860", "not the one address");
    refused("127.255.255.254:7860", "not the one address");
}

#[test]
fn refuses_addresses_that_others_can_reach() {
    refused("192.168.1.20:7860", "other machines");
    refused("10.0.0.1:7860", "other machines");
    refused("169.254.1.1:7860", "other machines");
    refused("224.0.0.1:7860", "other machines");
    refused("[fe80::1]:7860", "other machines");
    refused("[2001:db8::1]:7860", "other machines");
    refused("[::127.0.0.1]:7860", "other machines");
}

#[test]
fn refuses_names() {
    refused("localhost:7860", "a name");
    refused("studio.example:7860", "a name");
    refused("localhost", "a name");
}

#[test]
fn refuses_what_is_no_address() {
    refused("", "not an address");
    refused(":7860", "not an address");
    refused("127.0.0.1", "no valid port");
    refused("127.0.0.1:", "no valid port");
    refused("127.0.0.1:65536", "no valid port");
    refused("127.0.0.1:-1", "no valid port");
    refused("127.1:7860", "not an address");
    refused("2130706433:7860", "not an address");
    refused("0177.0.0.1:7860", "not an address");
    refused(" 127.0.0.1:7860", "not an address");
    refused("127.0.0.1:7860\n", "no valid port");
    refused("/run/socket", "a name");
}

#[test]
fn accepts_the_one_address_with_any_port() {
    for port in [0, 1, 7860, u16::MAX] {
        let addr = LoopbackAddr::parse(&format!("127.0.0.1:{port}")).unwrap();
        assert_eq!(addr.port(), port);
        assert!(addr.socket_addr().ip().is_loopback());
        assert_eq!(LoopbackAddr::parse(&addr.to_string()), Ok(addr));
    }
}
