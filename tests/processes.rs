//! Three processes: what each has, and what becomes of the others when one ends, lies or hangs.

use crate::abuse::{Opened, check, refused, small};
use crate::harness::{Home, Ran, behind, is_root_for};
use crate::http::Request;
use crate::served::{Processes, Served};
use crate::silence::whole_lines;
use rustix::process::{Pid, Signal, kill_process};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Waits until it holds.
#[track_caller]
fn until(what: &str, holds: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < until, "not for a minute: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn is_there(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    !status.is_empty() && !status.contains("State:\tZ")
}

/// What the descriptors of a process lead to.
fn descriptors(pid: u32) -> Vec<String> {
    let folder = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("root may look");
    let target = |entry: std::fs::DirEntry| std::fs::read_link(entry.path()).ok();
    folder.flatten().filter_map(target).map(|path| path.display().to_string()).collect()
}

#[test]
fn each_process_is_fenced_and_has_what_it_needs() {
    if !is_root_for("looking into other processes") {
        return;
    }
    let opened = Opened::new("family");
    let id = opened.submit(small());
    opened.until(&id, &["done"]);
    let Processes { keeper, server, engine } = opened.served.processes();
    for (pid, threads_max) in [(keeper, 1), (server, 64), (engine, 64)] {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("it is there").flatten();
        let mut count = 0;
        for task in tasks {
            let status = std::fs::read_to_string(task.path().join("status")).expect("it is there");
            for flag in
                ["Seccomp:\t2", "NoNewPrivs:\t1", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000"]
            {
                assert!(status.contains(flag), "{pid}: {status}");
            }
            count += 1;
        }
        assert!(count <= threads_max, "{pid}: {count} threads");
    }
    // Each is on record, and named to whoever asks.
    let posture = opened.ask(Request::get("/api/v1/posture")).is(200).json();
    for (at, process) in ["keeper", "server", "engine"].into_iter().enumerate() {
        assert_eq!(posture["processes"][at]["process"], process, "{posture}");
        let word = format!("process={process}");
        assert_eq!(opened.home.count_records(&["posture.process ok", &word]), 1, "{process}");
    }
    let home = opened.home.at("state");
    let pictures = opened.home.at("workspace");
    let is_ours = |target: &&String| target.starts_with(&home) || target.starts_with(&pictures);
    // The server has vault and log open; the others have nothing there, and no socket that listens.
    assert!(descriptors(server).iter().any(|target| target.starts_with(&home)));
    for pid in [keeper, engine] {
        assert_eq!(descriptors(pid).iter().filter(is_ours).collect::<Vec<_>>(), [""; 0], "{pid}");
    }
    let listeners = std::fs::read_to_string(format!("/proc/{keeper}/net/tcp")).expect("root may look");
    assert_eq!(listeners.lines().count(), 1, "{listeners}");
    let network = |pid: u32| std::fs::read_link(format!("/proc/{pid}/ns/net")).expect("root may look");
    assert_eq!(network(keeper), network(engine));
    assert_ne!(network(keeper), network(server));
    assert_ne!(network(keeper), network(std::process::id()));
    opened.end(1);
}

#[test]
fn an_engine_that_is_killed_costs_one_request() {
    let opened = Opened::new("killed-engine");
    let before = opened.served.processes();
    let (long, waiting) = (opened.busy(), opened.submit(small()));
    Processes::kill(before.engine);
    let job = opened.until(&long, &["failed"]);
    assert_eq!(job["error"]["code"], "engine", "{job}");
    opened.until(&waiting, &["done"]);
    let after = opened.served.processes();
    assert_eq!((after.keeper, after.server), (before.keeper, before.server));
    assert_ne!(after.engine, before.engine);
    // One that ends while nobody asks costs none.
    Processes::kill(after.engine);
    until("a new engine", || opened.served.try_processes().is_some_and(|now| now.engine != after.engine));
    let id = opened.submit(small());
    opened.until(&id, &["done"]);
    let home = opened.end(2);
    assert_eq!(home.count_records(&["generate.failed", "reason=engine_panic"]), 1);
    assert_eq!(home.count_records(&["generate.finished ok"]), 2);
}

#[test]
fn after_five_deaths_no_engine_is_started_and_the_rest_goes_on() {
    let opened = Opened::new("five-deaths");
    let id = opened.submit(small());
    let picture = opened.until(&id, &["done"])["images"][0].as_str().expect("a picture").to_owned();
    let mut last = 0;
    for _ in 0..5 {
        until("a new engine", || opened.served.try_processes().is_some_and(|now| now.engine != last));
        last = opened.served.processes().engine;
        Processes::kill(last);
        until("its end", || !is_there(last));
    }
    let answer = opened.ask(Request::post("/api/v1/jobs", &small()));
    refused(&answer, 500, "engine", "no engine");
    assert!(opened.served.try_processes().is_none());
    opened.ask(Request::get(&format!("/api/v1/images/{picture}/content"))).is(200);
    check(&opened.served, &Request::get("/readyz")).is(200);
    opened.end(1);
}

#[test]
fn a_server_that_dies_takes_the_engine_along() {
    let opened = Opened::new("dead-server");
    let processes = opened.served.processes();
    opened.busy();
    Processes::kill(processes.server);
    let Opened { served, home, .. } = opened;
    let ran = served.wait();
    assert_eq!(ran.code, None, "it ended as the server did, by a signal: {ran:#?}");
    until("the engine's end", || !is_there(processes.engine));
    let served = Served::start(&home);
    Opened::unlock(&served);
    served.stop().ends(0, &[]);
    assert_eq!(home.count_records(&["recovery.reconciled"]), 1);
    home.is_whole(0);
}

#[test]
fn a_keeper_that_dies_takes_both_along_and_the_server_ends_in_order() {
    let opened = Opened::new("dead-keeper");
    let processes = opened.served.processes();
    opened.busy();
    Processes::kill(processes.keeper);
    until("the server's end", || !is_there(processes.server));
    until("the engine's end", || !is_there(processes.engine));
    let Opened { served, home, .. } = opened;
    served.wait();
    let last = home.records().pop().unwrap_or_default();
    assert!(last.contains("boot.stopped ok") && last.contains("reason=signal"), "{last}");
    // The engine's end and the word for the server's race.
    assert_eq!(home.count_records(&["generate.failed"]), 1);
    home.is_whole(0);
}

/// A signal to the one process that a person knows of ends all of them, and a ^C reaches every one.
#[test]
fn each_way_to_ask_for_the_end_is_one() {
    for to_all in [false, true] {
        let home = Home::furnished("asked-to-end");
        let served = Served::start(&home);
        let processes = served.processes();
        if to_all {
            for pid in [processes.engine, processes.server] {
                Processes::signal(pid, Signal::INT);
            }
        }
        served.signal(Signal::INT);
        served.wait().ends(0, &[]);
        assert!(!is_there(processes.server) && !is_there(processes.engine));
        let last = home.records().pop().unwrap_or_default();
        assert!(last.contains("boot.stopped ok") && last.contains("reason=signal"), "{last}");
    }
}

/// As `timeout` and some supervisors ask: the program, and each process of its group, and so each of them more than once.
#[test]
fn a_group_that_is_asked_more_than_once_ends_in_order() {
    let home = Home::furnished("asked-again");
    let served = Served::start(&home);
    let processes = served.processes();
    for _ in 0..3 {
        for pid in [processes.engine, processes.server, processes.keeper] {
            // Who has ended already hears it no more.
            let _ = kill_process(Pid::from_raw(pid as i32).expect("a process"), Signal::TERM);
        }
    }
    served.wait().ends(0, &[]);
    let last = home.records().pop().unwrap_or_default();
    assert!(last.contains("boot.stopped ok") && last.contains("reason=signal"), "{last}");
}

/// The engine's process, as a hand could start it.
const ENGINE: [&str; 5] = ["engine", "--device", "cpu", "--home", "state"];

#[test]
fn the_engine_is_no_verb_for_people() {
    let home = Home::furnished("by-hand");
    Ran::of(&mut home.program(&ENGINE)).ends(2, &["a part of the program that it starts itself"]);
    let help = Ran::of(&mut home.program(&["--help"])).ends(0, &[]).stdout;
    assert!(!help.lines().any(|line| line.trim_start().starts_with("engine")), "{help}");
}

/// Started by hand beside a vault, it cannot read it: strace puts the path of the vault's file, and of one that it may
/// read, in the place of what the engine opens when it tries its own fences.
#[test]
fn an_engine_started_by_hand_reads_no_vault() {
    if !is_root_for("strace of a process that is not dumpable") {
        return;
    }
    let home = Home::with_picture("beside-a-vault");
    let vault = std::fs::read_dir(home.at("state/vault")).expect("a vault").flatten();
    let secret = vault.map(|entry| entry.path()).find(|path| path.is_file()).expect("its file");
    let sealed = std::fs::read_dir(home.at("workspace/output_image")).expect("a folder").flatten();
    let sealed = sealed.map(|entry| entry.path()).find(|path| path.is_file()).expect("a picture");
    let log = std::fs::read_dir(home.at("state/audit")).expect("a log").flatten();
    let log = log.map(|entry| entry.path()).find(|path| path.is_file()).expect("its file");
    for path in [&secret, &sealed, &log] {
        let said = opened_instead(&home, path);
        assert!(said.contains("= -1 EACCES"), "{}: {said}", path.display());
        std::fs::read(path).expect("whoever has no fences can read it");
    }
    let readable = Path::new("/proc/meminfo");
    let said = opened_instead(&home, readable);
    assert!(!said.contains("EACCES"), "nothing was put in the place of anything: {said}");
}

/// What the engine got when it opened `path` in the place of the list of users.
fn opened_instead(home: &Home, path: &Path) -> String {
    let text = path.to_str().expect("a readable path");
    assert!(text.len() < 380, "longer than where it is put: {text}");
    let hex: String = text.bytes().chain([0]).map(|byte| format!("{byte:02x}")).collect();
    let trace = home.at("tmp/instead");
    let _ = std::fs::remove_file(&trace); // of the path before
    let poke = format!("inject=openat:poke_enter=@arg2={hex}");
    let strace =
        ["strace", "-f", "-qq", "-P", "/etc/passwd", "-e", "trace=openat", "-e", &poke, "-o", &trace];
    let mut command = behind(&strace, &home.program(&ENGINE));
    let ((work, _far_work), (checks, _far_checks)) =
        (UnixStream::pair().expect("a pair"), UnixStream::pair().expect("a pair"));
    command.stdin(OwnedFd::from(work)).stdout(OwnedFd::from(checks)).stderr(std::process::Stdio::null());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("strace: {error}; apt-get install strace"));
    let text = || whole_lines(&std::fs::read_to_string(&trace).unwrap_or_default());
    let opens = || text().lines().any(|line| line.contains("openat(") && line.contains(") = "));
    until("it opens it", || opens() || child_ended(&trace));
    let _ = child.kill();
    let _ = child.wait();
    text()
}

fn child_ended(trace: &str) -> bool {
    std::fs::read_to_string(trace).is_ok_and(|text| text.contains("+++ exited"))
}

/// The keeper is stopped before it starts an engine, as if a large model took its time.
#[test]
fn a_server_that_is_ended_before_it_is_ready_ends_in_order() {
    let home = Home::with_picture("ended-early");
    let starts = home.count_records(&["boot.started"]);
    // It may be faster than the hand that stops it: then once more.
    for _ in 0..20 {
        let started = home.count_records(&["boot.started"]);
        let arguments = ["serve", "--port", "0", "--home", &home.at("state")];
        let mut keeper =
            home.program(&arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
        let pid = keeper.id();
        let children =
            || std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        while children().is_empty() {
            std::hint::spin_loop();
        }
        Processes::signal(pid, Signal::STOP);
        until("it is stopped", || {
            std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") T "))
        });
        let all: Vec<u32> = children().split_whitespace().filter_map(|pid| pid.parse().ok()).collect();
        if let [server] = all[..] {
            until("the start is on record", || home.count_records(&["boot.started"]) > started);
            Processes::signal(server, Signal::TERM);
            until("the server has ended", || !is_there(server));
            Processes::signal(pid, Signal::CONT);
            Ran::from(keeper.wait_with_output().expect("its end")).ends(0, &["the end is on record"]);
            let records = home.records();
            let last = records.last().cloned().unwrap_or_default();
            assert!(last.contains("boot.stopped ok") && last.contains("reason=signal"), "{last}");
            let since = records.iter().rposition(|record| record.contains("boot.started")).expect("a start");
            assert!(!records[since..].iter().any(|record| record.contains("boot.ready")), "{records:#?}");
            return home.is_whole(1);
        }
        Processes::signal(pid, Signal::CONT);
        Processes::signal(pid, Signal::TERM);
        keeper.wait().expect("its end");
    }
    panic!("{starts} starts, and each had an engine at once");
}
