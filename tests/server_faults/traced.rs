//! The sockets of a whole session, by hand and in a browser, as strace sees them.

use crate::abuse::{Opened, small};
use crate::browser::driver::Browser;
use crate::browser::studio::Studio;
use crate::harness::{Home, behind};
use crate::http::Request;
use crate::served::Served;
use crate::silence::whole_lines;
use rustix::process::Signal;
use serde_json::json;

/// Calls that make, name or use a socket.
const CALLS: &str = "trace=socket,socketpair,connect,bind,listen,accept,accept4,sendto,sendmsg,sendmmsg,io_uring_setup,execve";

#[test]
fn a_whole_session_listens_and_never_connects() {
    let home = Home::furnished("traced");
    let program = home.program(&["serve", "--port", "0", "--home", &home.at("state")]);
    let trace = home.at("tmp/network");
    let strace = ["strace", "-f", "-qq", "-e", CALLS, "-e", "signal=none", "-o", &trace];
    let served = Served::run(&mut behind(&strace, &program));
    let port = served.port;
    let opened = Opened::set_up(home, served);
    // All that can be asked for.
    let id = opened.submit(json!({"prompt": "x", "width": 64, "height": 64, "steps": 4, "count": 2}));
    let stream = Request::get(&format!("/api/v1/jobs/{id}/events")).token(&opened.token).send(port);
    stream.unwrap_or_else(|error| panic!("{error}")).is(200);
    let picture = opened.until(&id, &["done"])["images"][0].as_str().expect("a picture").to_owned();
    let of = |rest: &str| format!("/api/v1/images/{picture}{rest}");
    for target in [
        "/",
        "/main.js",
        "/api/v1/capabilities",
        "/api/v1/images",
        "/readyz",
        &of("/content"),
        &of("/thumbnail"),
    ] {
        opened.ask(Request::get(target)).is(200);
    }
    opened.ask(Request::post(&of("/export"), &json!({}))).is(200);
    let posture = opened.ask(Request::get("/api/v1/posture")).is(200).json();
    assert!(["green", "amber"].iter().any(|state| posture["state"] == *state), "{posture}");
    opened.ask(Request::new("DELETE", &of(""))).is(200);
    let id = opened.submit(small());
    opened.until(&id, &["done"]);
    opened.ask(Request::new("DELETE", "/api/v1/session")).is(204);

    // And by a person in a browser.
    let Opened { served, home, .. } = opened;
    let studio = Studio { browser: Browser::open(&home), served, home };
    studio.enter();
    studio.describe("a red apple", (64, 64), 4, 1);
    studio.browser.click("#generate");
    studio.finished();
    studio.browser.click("#download");
    studio.downloads(1);
    studio.browser.click("#badge");
    studio.browser.see("dialog#posture");
    let Studio { browser, served, home } = studio;
    drop(browser);

    // strace keeps signals for itself: the server is its child.
    let children = format!("/proc/{0}/task/{0}/children", served.pid());
    let child = std::fs::read_to_string(&children).unwrap_or_else(|error| panic!("{children}: {error}"));
    let child = child.trim().parse().ok().and_then(rustix::process::Pid::from_raw);
    let child = child.unwrap_or_else(|| panic!("strace has no child"));
    rustix::process::kill_process(child, Signal::TERM).unwrap_or_else(|error| panic!("{error}"));
    served.wait().ends(0, &[]);
    let calls = std::fs::read_to_string(&trace).unwrap_or_else(|error| panic!("{trace}: {error}"));
    let calls = whole_lines(&calls);
    assert!(calls.lines().any(|line| line.contains("accept4(")), "nothing was traced: {calls}");
    let mut wrong = Vec::new();
    let (mut bound, mut doors) = (0, 0);
    for line in calls.lines().filter(|line| line.contains('(')) {
        let failed = line.contains("= -1 E") || line.contains("= ?");
        let call = line.split_whitespace().nth(1).and_then(|rest| rest.split('(').next()).unwrap_or_default();
        let own =
            line.contains(&format!("sin_port=htons({port})")) && line.contains("inet_addr(\"127.0.0.1\")");
        let reserved = line.contains("inet_pton(AF_INET6, \"::1\"");
        let allowed = match call {
            "accept" | "accept4" | "listen" => true,
            // The event loop wakes itself through a pair that has no name, and others lie between the processes.
            "socketpair" => line.contains("AF_UNIX"),
            // A signal wakes its thread through another. Without an address nothing is sent to anybody new.
            "sendto" => line.contains(", NULL, 0)"),
            // The keeper hands the sockets of an engine over.
            "sendmsg" => line.contains("msg_name=NULL") && line.contains("SCM_RIGHTS"),
            "bind" => {
                let any = line.contains("sin_port=htons(0)") && line.contains("inet_addr(\"127.0.0.1\")");
                // A second try finds that the port is in the network that the process sees.
                bound += u32::from((own || any) && !failed);
                let door = line.contains("AF_UNIX") && line.contains("/door\"}");
                doors += u32::from(door && !failed);
                own || any || reserved || door
            }
            "socket" => {
                line.contains("SOCK_STREAM")
                    && ["AF_INET,", "AF_INET6,", "AF_UNIX,"].iter().any(|family| line.contains(family))
            }
            // The program itself: its processes, and the start with a clean environment.
            "execve" => line.contains("lightproof") || line.contains("\"/proc/self/exe\""),
            _ => false,
        };
        if !failed && !allowed {
            wrong.push(line.to_owned());
        }
    }
    assert_eq!(wrong, [""; 0]);
    assert_eq!((bound, doors), (1, 1), "{calls}");
    assert_eq!(
        calls.lines().filter(|line| line.contains(" listen(") && line.ends_with("= 0")).count(),
        2,
        "{calls}"
    );
    home.is_whole(3);
}
