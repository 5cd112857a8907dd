//! An engine that drives a card: what a driver's library is known to do must work, and the rest must fail as without one.
//!
//! No machine of ours has a card. /dev/zero plays its node.

use policy::Process;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;

use super::{Trial, child, users};
use crate::raw::trial;

/// Before the card has computed: everything that went the wrong way.
pub fn before() -> Vec<String> {
    let mut broken = always();
    broken.extend(works("a socket of this machine", bound()));
    broken.extend(works("a pair of them", UnixStream::pair().map(drop)));
    broken
}

/// Afterwards.
pub fn after() -> Vec<String> {
    let mut broken = always();
    broken.extend(fails("a socket of this machine", bound()));
    broken.extend(fails("a pair of them", UnixStream::pair().map(drop)));
    let fresh = thread::spawn(|| [fails("a socket from a fresh thread", bound()), always()].concat());
    broken.extend(fresh.join().unwrap_or_else(|_| vec!["the fresh thread panicked".to_owned()]));
    broken
}

fn always() -> Vec<String> {
    let write = |path: &str| OpenOptions::new().write(true).open(path);
    let name = |path: &str| write(path).and_then(|mut file| file.write_all(b"driver"));
    [
        works("the node", OpenOptions::new().read(true).write(true).open("/dev/zero").map(drop)),
        works("a question to the device", asked("/dev/zero")),
        works("a library, executable", library().and_then(|path| trial::map_executable(&File::open(path)?))),
        works("a name of a thread", name("/proc/thread-self/comm")),
        works("its own memory map", fs::read("/proc/self/maps").map(drop)),
        works("the processor", fs::read("/proc/cpuinfo").map(drop)),
        works("a file in memory", trial::file_in_memory()),
        fails("another device", File::open("/dev/null").map(drop)),
        fails("another device, to write", write("/dev/full").map(drop)),
        fails("the kernel's settings", write("/proc/sys/kernel/core_pattern").map(drop)),
        fails("a socket of the network", TcpListener::bind("127.0.0.1:0").map(drop)),
        fails("a connection to a socket with a name", connected(|path| UnixStream::connect(path).map(drop))),
        fails(
            "a packet to a socket with a name",
            connected(|path| UnixDatagram::unbound()?.send_to(b"x", path).map(drop)),
        ),
        fails("a file", File::create("/dev/shm/card").map(drop)),
    ]
    .concat()
}

fn works(what: &str, result: io::Result<()>) -> Vec<String> {
    result.err().map(|error| format!("{what}: {error}")).into_iter().collect()
}

fn fails(what: &str, result: io::Result<()>) -> Vec<String> {
    let denials = [libc::EPERM, libc::EACCES];
    match result.as_ref().map_err(io::Error::raw_os_error) {
        Err(Some(number)) if denials.contains(&number) => Vec::new(),
        _ => vec![format!("{what}: {result:?}")],
    }
}

/// As the driver does when it starts: a socket with a name that is no file's.
fn bound() -> io::Result<()> {
    let name = format!("card-{}-{:?}", std::process::id(), thread::current().id());
    UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?).map(drop)
}

/// Of the host's sockets whichever is there; were there none, the call is refused all the same.
fn connected(connect: impl Fn(&Path) -> io::Result<()>) -> io::Result<()> {
    connect(Path::new("/run/systemd/journal/socket"))
}

/// A request that no device knows: the device itself refuses it.
fn asked(path: &str) -> io::Result<()> {
    match trial::unknown_request(&File::open(path)?).map_err(|error| error.raw_os_error()) {
        Err(Some(libc::ENOTTY | libc::EINVAL)) => Ok(()),
        other => Err(io::Error::other(format!("{other:?}"))),
    }
}

/// The C library, which each host has.
fn library() -> io::Result<PathBuf> {
    let maps = fs::read_to_string("/proc/self/maps")?;
    let path =
        maps.lines().filter_map(|line| line.split_whitespace().nth(5)).find(|path| path.contains("/libc"));
    path.map(PathBuf::from).ok_or_else(|| io::Error::other("no C library"))
}

#[test]
fn an_engine_with_a_card_can_do_what_a_driver_does_and_no_more() {
    for user in users() {
        let engine = Trial::of(Process::Engine, user).set(child::CARD, 1).set("SANDBOX_TRIAL_ACT", "card");
        assert!(engine.run().is_up().contains("others allowed to the driver of a card"));
        // Inside its keeper's fences as well, of which each call must pass, too.
        let keeper = Trial::of(Process::Keeper, user).set(child::CARD, 1).set("SANDBOX_TRIAL_ACT", "start");
        keeper.set(child::NEXT, "card").run().is_up();
    }
}

#[test]
fn without_a_card_none_of_that_is_possible() {
    for user in users() {
        let answer = Trial::of(Process::Engine, user).set("SANDBOX_TRIAL_ACT", "card").run();
        assert_eq!(answer.code, Some(child::BROKEN), "{}", answer.said);
        for what in [
            "the node",
            "a library, executable",
            "a name of a thread",
            "a file in memory",
            "a socket of this machine",
        ] {
            assert!(answer.said.contains(&format!("BROKEN {what}: ")), "{what}: {}", answer.said);
        }
    }
}
