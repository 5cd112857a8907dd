//! No network: what strace sees of whole runs.

use crate::harness::{Home, SMALL, behind};
use crate::served::Served;
use std::process::Command;

/// Calls that make, name or use a socket.
const CALLS: &str =
    "trace=socket,socketpair,connect,bind,listen,accept,accept4,sendto,sendmsg,sendmmsg,io_uring_setup";

/// The calls of a run, one a line.
fn traced(home: &Home, arguments: &[&str]) -> String {
    let trace = home.at("tmp/network");
    let strace = ["strace", "-f", "-qq", "-e", CALLS, "-e", "signal=none", "-o", &trace];
    let mut strace = behind(&strace, &home.furnished_program(arguments));
    let output = strace.output().unwrap_or_else(|error| panic!("strace: {error}; apt-get install strace"));
    assert!(output.status.success(), "{output:?}");
    whole_lines(&std::fs::read_to_string(&trace).unwrap_or_else(|error| panic!("{trace}: {error}")))
}

#[test]
fn no_socket_exists_in_a_whole_run() {
    let home = Home::furnished("silence");
    let out = home.at("out");
    let generate = [&["generate", "x", "-n", "2", "--export", &out], &SMALL[..]].concat();
    let runs: [&[&str]; 4] =
        [&generate, &["history", "rm", "--all", "--yes"], &["audit", "verify"], &["selftest"]];
    for arguments in runs {
        let calls = traced(&home, arguments);
        let makes_pictures = arguments[0] == "generate";
        let lines: Vec<&str> =
            calls.lines().filter(|line| line.contains('(') && !line.contains("+++")).collect();
        // The program itself tries, at every start, and takes success for a broken fence: so the trace is not empty.
        if arguments[0] != "audit" {
            for family in ["AF_INET,", "AF_INET6,"] {
                assert!(
                    lines.iter().any(|line| line.contains(family)),
                    "{arguments:?} tried no {family}\n{calls}"
                );
            }
        }
        for line in lines {
            let denied = line.contains("= -1 EPERM") || line.contains("= ?");
            assert!(denied || (makes_pictures && is_between_processes(line)), "{arguments:?}: {line}");
        }
    }
}

/// What the program's processes say to each other: on pairs that have no name, without an address. The keeper alone makes pairs
/// and hands them over: a pair that keeps messages apart, and streams.
fn is_between_processes(line: &str) -> bool {
    let call = line.split_whitespace().nth(1).and_then(|rest| rest.split('(').next()).unwrap_or_default();
    match call {
        "socketpair" => line.contains("AF_UNIX, SOCK_SEQPACKET") || line.contains("AF_UNIX, SOCK_STREAM"),
        "sendto" => line.contains(", NULL, 0"),
        "sendmsg" => line.contains("msg_name=NULL") && line.contains("SCM_RIGHTS"),
        _ => false,
    }
}

/// The trace would show a socket.
#[test]
fn the_trace_sees_a_socket() {
    let home = Home::new("socket");
    let trace = home.at("tmp/network");
    let script = "import socket; socket.socket().close()";
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-e", CALLS, "-o", &trace, "python3", "-c", script]);
    assert!(strace.status().unwrap_or_else(|error| panic!("strace: {error}")).success());
    let calls = std::fs::read_to_string(&trace).unwrap_or_else(|error| panic!("{trace}: {error}"));
    assert!(calls.lines().any(|line| line.contains("AF_INET,") && !line.contains("= -1")), "{calls}");
}

/// strace's lines, with the end of a call beside its beginning, where another thread's came between.
pub fn whole_lines(trace: &str) -> String {
    let mut begun = std::collections::HashMap::new();
    let mut lines = Vec::new();
    for line in trace.lines() {
        let (thread, call) = line.split_once(' ').unwrap_or((line, ""));
        // Of a thread that was killed before strace could read which call it was about to make.
        if call.trim_start().starts_with("???(") {
            continue;
        }
        if let Some((beginning, _)) = call.split_once(" <unfinished ...>") {
            begun.insert(thread, beginning);
        } else if let Some((_, end)) = call.split_once(" resumed>") {
            let beginning = begun.remove(thread).unwrap_or_else(|| panic!("no beginning: {line}"));
            lines.push(format!("{thread} {}{end}", beginning.trim_start()));
        } else {
            lines.push(format!("{thread} {}", call.trim_start()));
        }
    }
    lines.extend(begun.into_iter().map(|(thread, beginning)| format!("{thread} {beginning}")));
    lines.join("\n")
}

/// A verb that works through a server makes one socket, and connects it to the server's, before its fences.
#[test]
fn a_verb_through_a_server_makes_one_connection_and_no_other() {
    let home = Home::with_picture("one-connection");
    let served = Served::start(&home);
    let calls = traced(&home, &["history", "list"]);
    served.stop().ends(0, &[]);
    let done = calls.lines().filter(|line| line.contains('(') && !line.contains("+++"));
    let done: Vec<&str> = done.filter(|line| !line.contains("= -1 EPERM") && !line.contains("= ?")).collect();
    let (made, rest): (Vec<&str>, Vec<&str>) = done.into_iter().partition(|line| line.contains(" socket("));
    let (connected, rest): (Vec<&str>, Vec<&str>) =
        rest.into_iter().partition(|line| line.contains(" connect("));
    assert!(made.len() == 1 && made[0].contains("AF_UNIX, SOCK_STREAM"), "{made:?}");
    assert!(connected.len() == 1 && connected[0].contains("/door\""), "{connected:?}");
    assert!(rest.iter().all(|line| line.contains("sendto(") && line.contains(", NULL, 0")), "{rest:?}");
    // It is behind its fences when it says the first word.
    let first_word = calls.find("sendto(").expect("it speaks");
    assert!(calls.find("AF_INET6,").is_some_and(|tried| tried < first_word), "{calls}");
}
