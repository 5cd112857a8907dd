//! Signals, a port that is taken, and a vault that is in use.

use crate::abuse::{Opened, check, small};
use crate::harness::{Home, Ran};
use crate::http::Request;
use crate::served::Served;
use rustix::process::Signal;

#[test]
fn a_signal_ends_it_in_order() {
    let mut opened = Opened::new("signals");
    for (signal, busy) in
        [(Signal::TERM, false), (Signal::INT, true), (Signal::TERM, true), (Signal::HUP, false)]
    {
        let jobs = busy.then(|| (opened.busy(), opened.submit(small())));
        let stream = Request::get("/api/v1/events").token(&opened.token).start(opened.served.port);
        let mut stream = stream.unwrap_or_else(|error| panic!("{error}"));
        let ready = format!("Running on local URL: {}\n", opened.served.origin());
        opened.served.signal(signal);
        let ran = opened.served.wait();
        let what = format!("{signal:?}, {jobs:?}: {ran:#?}");
        assert_eq!(ran.code, Some(0), "{what}");
        assert_eq!(ran.stdout, ready, "{what}");
        assert!(!ran.stderr.contains("panicked") && !ran.stderr.contains("error"), "{what}");
        let mut events = String::new();
        while let Ok(chunk) = stream.chunk() {
            if chunk.is_empty() {
                break;
            }
            events.push_str(&String::from_utf8_lossy(&chunk));
        }
        assert!(events.ends_with("event: locked\ndata: {}\n\n"), "{what}: {events}");
        let records = opened.home.records();
        let last = &records[records.len() - 2..];
        assert!(last[0].contains(" vault.locked ok "), "{what}: {last:?}");
        assert!(
            last[1].contains(" boot.stopped ok ") && last[1].contains("reason=signal"),
            "{what}: {last:?}"
        );
        let served = Served::start(&opened.home);
        let token = Opened::unlock(&served);
        opened = Opened { served, token, ..opened };
    }
    let pictures = opened.total();
    let home = opened.end(pictures);
    // Two in work and two that waited.
    assert_eq!(home.count_records(&["generate.requested"]), 4);
    assert_eq!(home.count_records(&["generate.failed", "reason=shutdown"]), 4);
    assert_eq!(home.count_records(&["recovery.reconciled"]), 0);
    home.ask(&["audit", "verify"]).ends(0, &[]);
}

/// A server that was never opened ends as well, and so does one whose vault does not exist yet.
#[test]
fn it_ends_in_order_before_anybody_came() {
    let home = Home::furnished("early");
    for _ in 0..2 {
        let served = Served::start(&home);
        served.setup_code();
        let ran = served.stop().ends(0, &[]);
        assert_eq!(ran.stdout.lines().count(), 1, "{ran:#?}");
        let last = home.records().pop().unwrap_or_default();
        assert!(last.contains("boot.stopped ok") && last.contains("reason=signal"), "{last}");
    }
    home.ask(&["vault", "init"]).ends(0, &[]);
    let served = Served::start(&home);
    let ran = served.stop().ends(0, &[]);
    assert!(!ran.stderr.contains("#setup="), "{ran:#?}");
    home.is_whole(0);
}

#[test]
fn there_is_one_server_and_one_user_of_a_vault() {
    let opened = Opened::new("second");
    let (port, address) = (opened.served.port.to_string(), opened.served.origin());
    let id = opened.submit(small());
    opened.until(&id, &["done"]);
    let serve = |home: &Home, port: &str| {
        let state = home.at("state");
        Ran::of(&mut home.program(&["serve", "--home", &state, "--port", port]))
    };
    // Another vault on the same port, the same vault on another port, and both the same.
    let other = Home::furnished("second-other");
    let ran = serve(&other, &port).ends(9, &["--port", &port]);
    assert_eq!(ran.stdout, "", "{ran:#?}");
    let ran = serve(&opened.home, "0").ends(9, &[&address]);
    assert_eq!(ran.stdout, "", "{ran:#?}");
    let ran = serve(&opened.home, &port).ends(9, &[]);
    assert_eq!(ran.stdout, "", "{ran:#?}");
    let verbs: [&[&str]; 2] = [&["vault", "init"], &["vault", "destroy", "--yes"]];
    for verb in verbs {
        let ran = opened.home.ask(verb).ends(9, &[&address]);
        assert_eq!(ran.stdout, "", "{verb:?}");
    }
    // The log can be read beside it.
    opened.home.ask(&["audit", "verify"]).ends(0, &[]);
    // None of them disturbed it.
    assert_eq!(opened.total(), 1);
    for wrong in ["65536", "-1", "abc", "", "7860x", "0x10", "1.5", "127.0.0.1:7860", "99999999999"] {
        let ran = serve(&other, wrong).ends(2, &[]);
        assert_eq!(ran.stdout, "", "{wrong}: {ran:#?}");
    }
    // A port that a child chose itself and gave back is free again at once.
    let home = opened.end(1);
    let state = home.at("state");
    let served = Served::run(&mut home.program(&["serve", "--home", &state, "--port", &port]));
    assert_eq!(served.port.to_string(), port);
    check(&served, &Request::get("/readyz")).is(200);
    served.stop().ends(0, &[]);
}
