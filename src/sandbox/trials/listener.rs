//! The one socket.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::process::Stdio;

use super::{Home, Trial, users};
use crate::{Error, LoopbackListener};
use policy::LoopbackAddr;

fn any_port() -> LoopbackAddr {
    LoopbackAddr::parse("127.0.0.1:0").unwrap()
}

fn refused(socket: impl Into<OwnedFd>, why: &str) {
    let error = LoopbackListener::inherit(socket.into()).unwrap_err().to_string();
    assert!(error.contains(why), "{error}");
    assert!(error.contains("ListenStream=127.0.0.1"), "no remedy: {error}");
}

/// A listener at an address that this machine need not have: one where other machines would reach it.
fn listen_on_lan() -> OwnedFd {
    use rustix::net::{AddressFamily, SocketType, bind, listen, socket, sockopt};
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    sockopt::set_ip_freebind(&socket, true).unwrap();
    bind(&socket, &std::net::SocketAddr::from(([192, 168, 1, 20], 0))).unwrap();
    listen(&socket, 1).unwrap();
    socket
}

#[test]
fn inherited_sockets_are_refused_unless_they_listen_on_loopback() {
    refused(TcpListener::bind("0.0.0.0:0").unwrap(), "every network card");
    refused(UdpSocket::bind("127.0.0.1:0").unwrap(), "not a TCP socket");
    refused(listen_on_lan(), "other machines");
    let home = Home::new(false);
    refused(UnixListener::bind(home.path("socket")).unwrap(), "not a TCP socket");
    refused(TcpListener::bind("127.0.0.2:0").unwrap(), "not the one address");
    if let Ok(ipv6) = TcpListener::bind("[::1]:0") {
        refused(ipv6, "family AF_INET");
    }
    if let Ok(mapped) = TcpListener::bind("[::ffff:127.0.0.1]:0") {
        refused(mapped, "family AF_INET");
    }
    if let Ok(ipv6) = TcpListener::bind("[::]:0") {
        refused(ipv6, "family AF_INET");
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    refused(TcpStream::connect(listener.local_addr().unwrap()).unwrap(), "does not listen");
    refused(std::fs::File::open("/dev/null").unwrap(), "cannot be used");
}

#[test]
fn a_loopback_listener_is_inherited() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    assert_eq!(LoopbackListener::inherit(socket.into()).unwrap().addr().port(), port);
}

#[test]
fn an_inherited_listener_holds_ipv6_loopback_too() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let listener = LoopbackListener::inherit(socket.into()).unwrap();
    assert!(!listener.leaves_ipv6_open());
    assert!(TcpListener::bind(("::1", port)).is_err(), "somebody else can answer for localhost");
    let report = Trial::new(false).set("SANDBOX_TRIAL_HANDED", "127.0.0.1:0").run();
    let line = format!("holds_ipv6_loopback {}", listener.holds_ipv6());
    assert!(report.is_up().contains(&line), "{}", report.is_up());

    // Somebody else has it: no start, as with a listener of our own.
    let Ok(thief) = TcpListener::bind("[::1]:0") else { return };
    let taken = ("127.0.0.1", thief.local_addr().unwrap().port());
    let Ok(socket) = TcpListener::bind(taken) else { return }; // another test has the port on 127.0.0.1
    let error = LoopbackListener::inherit(socket.into()).unwrap_err();
    assert!(matches!(error, Error::Reserve { .. }), "{error}");
}

#[test]
fn a_listener_from_another_network_is_amber() {
    if crate::raw::user_id() != 0 {
        return; // only root can go to another network with one thread of many
    }
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let elsewhere = std::thread::spawn(move || {
        crate::raw::unshare(libc::CLONE_NEWNET).unwrap();
        LoopbackListener::inherit(socket.into()).unwrap()
    });
    let listener = elsewhere.join().unwrap();
    assert!(!listener.holds_ipv6() && listener.leaves_ipv6_open());
}

#[test]
fn a_handed_over_socket_that_is_not_loopback_stops_the_start() {
    Trial::new(false).set("SANDBOX_TRIAL_HANDED", "0.0.0.0:0").run().is_refused("every network card");
    Trial::new(false).set("SANDBOX_TRIAL_HANDED", "udp:127.0.0.1:0").run().is_refused("not a TCP socket");
    let answer = Trial::new(false).set("SANDBOX_TRIAL_HANDED", "127.0.0.1:0").run();
    assert!(answer.is_up().contains("listen 127.0.0.1:"));
}

#[test]
fn a_taken_port_is_an_error_and_no_other_is_tried() {
    let first = LoopbackListener::bind(any_port()).unwrap();
    let error = LoopbackListener::bind(first.addr()).unwrap_err();
    assert!(matches!(error, Error::Bind { .. }), "{error}");
}

#[test]
fn the_same_port_of_ipv6_loopback_is_held_and_answers_nobody() {
    let listener = LoopbackListener::bind(any_port()).unwrap();
    let port = listener.addr().port();
    if !listener.holds_ipv6() {
        assert!(TcpListener::bind("[::1]:0").is_err(), "IPv6 is here, and was not reserved");
        return;
    }
    assert!(TcpListener::bind(("::1", port)).is_err());
    assert!(TcpListener::bind(("::", port)).is_err());
    assert!(TcpStream::connect(("::1", port)).is_err());
    assert!(TcpStream::connect(("localhost", port)).is_ok());
}

#[test]
fn somebody_on_ipv6_loopback_stops_the_start() {
    let Ok(thief) = TcpListener::bind("[::1]:0") else { return };
    let port = thief.local_addr().unwrap().port();
    let addr = LoopbackAddr::parse(&format!("127.0.0.1:{port}")).unwrap();
    match LoopbackListener::bind(addr) {
        Err(error @ Error::Reserve { .. }) => assert!(error.to_string().contains("localhost"), "{error}"),
        Err(Error::Bind { .. }) => {} // another test has the port on 127.0.0.1
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_listener_answers_after_the_fences_are_up() {
    for user in users() {
        let overlay = "schema = 1\nlisten = \"127.0.0.1:0\"";
        let trial = Trial::new(user).set("SANDBOX_TRIAL_ACT", "serve").set("SANDBOX_TRIAL_OVERLAY", overlay);
        let mut child = trial.command().stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let serving =
            lines.find_map(|line| line.strip_prefix("serving ").map(str::to_owned)).expect("it never served");
        let mut stream = TcpStream::connect(serving).unwrap();
        stream.write_all(b"x").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert_eq!(answer, b"x");
        assert_eq!(child.wait().unwrap().code(), Some(super::child::UP));
    }
}
