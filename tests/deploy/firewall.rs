//! Packets through the rules of nftables, between two networks that the test makes.

use crate::deploy::{alone, run, said, shipped};
use crate::harness::Home;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PORT: u16 = 7860;
/// Another service of this machine, which the rules leave alone.
const OTHER_PORT: u16 = 7861;
/// Addresses of documentation (RFC 5737): this machine and the other one.
const HERE: &str = "192.0.2.1";
const THERE: &str = "192.0.2.2";
const UID: &str = "64860";

/// Another machine: a network of its own, at the other end of a wire.
struct Other(Child);

impl Other {
    fn wired() -> Other {
        let own = std::fs::read_link("/proc/self/ns/net").expect("proc is mounted");
        let mut command = Command::new("unshare");
        let other = Other(command.args(["--net", "sleep", "infinity"]).spawn().expect("util-linux is there"));
        let pid = other.0.id().to_string();
        until("it has a network of its own", || {
            std::fs::read_link(format!("/proc/{pid}/ns/net")).is_ok_and(|net| net != own)
        });
        let ip = |words: &str| run(Command::new("ip").args(words.split(' ')));
        ip(&format!("link add wire type veth peer name wire netns {pid}"));
        ip(&format!("address add {HERE}/24 dev wire"));
        ip("link set wire up");
        other.run(&format!("ip address add {THERE}/24 dev wire; ip link set wire up"));
        other
    }

    fn command(&self, script: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--net", "--target", &self.0.id().to_string(), "bash", "-ec", script]);
        command
    }

    fn run(&self, script: &str) {
        run(&mut self.command(script));
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits for what needs no longer than a moment.
#[track_caller]
fn until(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < end, "not within a minute: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// How many packets a counter of the rules, or of the test, has seen.
#[track_caller]
fn packets(table: &str, counter: &str) -> u64 {
    let listed = run(Command::new("nft").args(["list", "counter", "inet", table, counter]));
    let number = listed.split_once("packets ").and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
    number.unwrap_or_else(|| panic!("{listed}"))
}

fn accepted(listener: &TcpListener) -> bool {
    listener.set_nonblocking(true).expect("it is a socket");
    match listener.accept() {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
            false
        }
    }
}

/// The rules name the user, who is none of this host's.
fn make_user(home: &Home) {
    let users = std::fs::read_to_string("/etc/passwd").expect("there are users");
    let others: String = users
        .lines()
        .filter(|line| !line.starts_with("lightproof:"))
        .map(|line| format!("{line}\n"))
        .collect();
    home.write("passwd", format!("{others}lightproof:x:{UID}:{UID}::/nonexistent:/bin/false\n").as_bytes());
    run(Command::new("chmod").args(["644", &home.at("passwd")]));
    run(Command::new("mount").args(["--bind", &home.at("passwd"), "/etc/passwd"]));
}

/// Sends one packet as a user.
fn send_as(uid: &str, to: &str) -> (bool, String) {
    let script = format!("echo x >/dev/udp/{to}/9");
    let mut command = Command::new("setpriv");
    command.args(["--reuid", uid, "--regid", uid, "--clear-groups", "bash", "-c", &script]);
    let output = command.stdin(Stdio::null()).output().expect("util-linux is there");
    (output.status.success(), said(&output))
}

#[test]
fn what_passes_the_firewall_and_what_does_not() {
    if !alone(
        concat!(module_path!(), "::what_passes_the_firewall_and_what_does_not"),
        "loading firewall rules",
    ) {
        return;
    }
    let home = Home::new("firewall");
    make_user(&home);
    let other = Other::wired();
    // Programs that listen wherever they can, as ours never does.
    let bind = |port| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).expect("every port is free");
    let (careless, service) = (bind(PORT), bind(OTHER_PORT));
    let thief = TcpListener::bind((Ipv6Addr::LOCALHOST, PORT)).expect("every port is free");
    let reach = |port| format!("exec 3<>/dev/tcp/{HERE}/{port}");

    // Without the rules all of it is reached.
    other.run(&reach(PORT));
    other.run(&reach(OTHER_PORT));
    TcpStream::connect((Ipv6Addr::LOCALHOST, PORT)).expect("nobody forbids it yet");
    assert!(accepted(&careless) && accepted(&service) && accepted(&thief));
    home.write(
        "watch.nft",
        b"table inet watch {\n counter left { }\n chain out {\n type filter hook postrouting priority 300;\n \
          oifname \"wire\" udp dport 9 counter name left\n }\n}\n",
    );
    run(Command::new("nft").args(["-f", &home.at("watch.nft")]));
    assert!(send_as(UID, THERE).0);
    assert_eq!(packets("watch", "left"), 1);

    let rules = shipped("nftables/lightproof.nft");
    for _ in 0..2 {
        run(Command::new("nft").arg("-f").arg(&rules));
    }

    // In: another port and this machine's own 127.0.0.1 pass.
    other.run(&reach(OTHER_PORT));
    assert!(accepted(&service));
    TcpStream::connect((Ipv4Addr::LOCALHOST, PORT)).expect("a browser of this machine is let through");
    assert!(accepted(&careless));
    assert_eq!(packets("lightproof", "refused_in"), 0);
    // The other machine, this machine by its other address, and [::1] do not.
    let mut trying = other.command(&reach(PORT)).spawn().expect("util-linux is there");
    until("a packet was dropped", || packets("lightproof", "refused_in") > 0);
    trying.kill().and_then(|()| trying.wait()).expect("it is our child");
    for by in [format!("{HERE}:{PORT}"), format!("[::1]:{PORT}")] {
        let error = TcpStream::connect(&by).expect_err(&by);
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{by}: {error}");
    }
    assert!(!accepted(&careless) && !accepted(&thief));

    // Out: the service's user sends nothing to others, and still answers on this machine.
    let (sent, why) = send_as(UID, THERE);
    assert!(!sent && why.contains("not permitted"), "{why}");
    assert_eq!((packets("lightproof", "refused_out"), packets("watch", "left")), (1, 1));
    assert!(send_as("65534", THERE).0, "others are left alone");
    assert_eq!((packets("lightproof", "refused_out"), packets("watch", "left")), (1, 2));
    assert!(send_as(UID, "127.0.0.1").0);
    assert_eq!(packets("lightproof", "refused_out"), 1);
}
