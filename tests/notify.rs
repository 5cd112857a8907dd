//! A service manager: what it hears of a server, and who says it.

use crate::harness::{Home, Ran, SMALL, behind};
use crate::http::Request;
use crate::served::{Processes, Served};
use crate::silence::whole_lines;
use rustix::process::Signal;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::{Duration, Instant};

/// Longer than a beat takes to come, however busy this machine is.
const LONG: Duration = Duration::from_secs(60);
/// How long the manager of these tests waits for one, in microseconds.
const WATCHDOG_USEC: &str = "1000000";

/// The socket of a manager, in the folder of a home.
struct Manager(UnixDatagram);

impl Manager {
    fn of(home: &Home) -> Manager {
        let socket = UnixDatagram::bind(home.at("tmp/notify")).expect("a home can be written");
        Manager(socket)
    }

    /// What comes next, if it comes in time.
    fn hears(&self, wait: Duration) -> Option<String> {
        self.0.set_read_timeout(Some(wait)).expect("it is more than nothing");
        let mut bytes = [0; 256];
        let count = self.0.recv(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes[..count]).into_owned())
    }

    /// Waits until this is said.
    #[track_caller]
    fn until(&self, words: &str) {
        let end = Instant::now() + LONG;
        while self.hears(LONG).unwrap_or_else(|| panic!("nobody says {words}")) != words {
            assert!(Instant::now() < end, "nobody says {words}");
        }
    }

    /// Hears nothing for three times as long as a beat may take; what was on its way before is heard first.
    fn is_silent(&self) -> bool {
        let end = Instant::now() + LONG;
        while self.hears(Duration::from_secs(3)).is_some() {
            if Instant::now() > end {
                return false;
            }
        }
        true
    }
}

fn managed(home: &Home, name: &str) -> Command {
    let mut program = home.program(&["serve", "--port", "0", "--home", &home.at("state")]);
    program.env("NOTIFY_SOCKET", name).env("WATCHDOG_USEC", WATCHDOG_USEC);
    program
}

#[test]
fn a_manager_hears_of_a_server_that_answers_and_of_its_end() {
    let home = Home::furnished("managed");
    let manager = Manager::of(&home);
    let served = Served::run(&mut managed(&home, &home.at("tmp/notify")));
    // Nothing is said before it is ready.
    assert_eq!(manager.hears(LONG).as_deref(), Some("READY=1"));
    served.ask(&Request::get("/readyz")).is(200);
    manager.until("WATCHDOG=1");
    manager.until("WATCHDOG=1");

    // A server that hangs says nothing, and nobody says it in its place; nor does a keeper that hangs.
    let Processes { keeper, server, .. } = served.processes();
    for hanging in [server, keeper] {
        Processes::signal(hanging, Signal::STOP);
        assert!(manager.is_silent(), "somebody speaks for process {hanging}");
        Processes::signal(hanging, Signal::CONT);
        manager.until("WATCHDOG=1");
    }

    served.signal(Signal::TERM);
    manager.until("STOPPING=1");
    served.wait().ends(0, &[]);
    assert!(manager.is_silent());
}

#[test]
fn beats_for_another_process_are_not_sent() {
    let home = Home::furnished("watched");
    let manager = Manager::of(&home);
    let served = Served::run(managed(&home, &home.at("tmp/notify")).env("WATCHDOG_PID", "1"));
    assert_eq!(manager.hears(LONG).as_deref(), Some("READY=1"));
    assert!(manager.is_silent());
    served.stop().ends(0, &[]);
}

/// Whoever starts it from a shell of a service, say, gets what everybody gets.
#[test]
fn nobody_is_told_of_a_verb_that_is_no_service() {
    let home = Home::furnished("no-service");
    let manager = Manager::of(&home);
    let mut generate = home.furnished_program(&[&["generate", "x"], &SMALL[..]].concat());
    generate.env("NOTIFY_SOCKET", home.at("tmp/notify")).env("WATCHDOG_USEC", WATCHDOG_USEC);
    Ran::of(&mut generate).ends(0, &[]);
    assert!(manager.is_silent());
}

#[test]
fn a_socket_that_cannot_be_used_is_a_warning_and_no_failed_start() {
    let home = Home::furnished("unreachable");
    for name in ["notify", "@", "@nobody-listens-here", "/nowhere/notify", "vsock:2:1"] {
        let served = Served::run(&mut managed(&home, name));
        served.ask(&Request::get("/readyz")).is(200);
        served.stop().ends(0, &["the service manager is not told", "NOTIFY_SOCKET"]);
    }
}

/// One socket more than without a manager: connected once, before the fences of the process that has it, and written to
/// as a stream is, without an address.
#[test]
fn one_connection_leads_to_the_manager_and_it_is_made_before_the_fences() {
    let home = Home::furnished("one-notify");
    let manager = Manager::of(&home);
    let trace = home.at("tmp/network");
    let calls = "trace=socket,connect,write,sendto,sendmsg,sendmmsg";
    let strace = ["strace", "-f", "-qq", "-e", calls, "-e", "signal=none", "-o", &trace];
    let served = Served::run(&mut behind(&strace, &managed(&home, &home.at("tmp/notify"))));
    manager.until("READY=1");
    manager.until("WATCHDOG=1");
    let children = format!("/proc/{0}/task/{0}/children", served.pid());
    let keeper = std::fs::read_to_string(&children).expect("strace has a child");
    let keeper = keeper.trim().to_owned();
    Processes::signal(keeper.parse().expect("a number"), Signal::TERM);
    served.wait().ends(0, &[]);
    let calls = whole_lines(&std::fs::read_to_string(&trace).expect("a trace"));
    let of_keeper = |line: &&str| line.starts_with(&format!("{keeper} "));
    let done: Vec<&str> = calls.lines().filter(|line| !line.contains("= -1 E")).collect();
    let made: Vec<&&str> = done.iter().filter(|line| line.contains("SOCK_DGRAM")).collect();
    let connected: Vec<&&str> = done.iter().filter(|line| line.contains(" connect(")).collect();
    assert!(made.len() == 1 && connected.len() == 1, "{made:?} {connected:?}");
    assert!(of_keeper(made[0]) && of_keeper(connected[0]) && connected[0].contains("/tmp/notify"));
    let told: Vec<&&str> =
        done.iter().filter(|line| line.contains("READY=1") || line.contains("WATCHDOG=1")).collect();
    assert!(told.len() >= 2 && told.iter().all(|line| of_keeper(line) && line.contains(" write(")));
    let sent = done.iter().filter(|line| line.contains(" sendto(") || line.contains(" sendmsg("));
    assert!(sent.clone().all(|line| !line.contains("sun_path")), "{:?}", sent.collect::<Vec<_>>());
    // It tries its fences after it has connected, and before it says a word.
    let own: Vec<&str> = calls.lines().filter(of_keeper).collect();
    let at =
        |what: &str| own.iter().position(|line| line.contains(what)).unwrap_or_else(|| panic!("{calls}"));
    assert!(at(" connect(") < at("AF_INET6,") && at("AF_INET6,") < at("READY=1"), "{calls}");
}
