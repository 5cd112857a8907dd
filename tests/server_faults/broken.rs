//! A fence that is found open while the program serves.

use crate::abuse::{Opened, refused, small};
use crate::faults::with_a_fault;
use crate::harness::is_root_for;
use crate::http::Request;
use serde_json::Value;

#[test]
fn a_fence_that_is_found_open_once_stays_red_and_is_on_record() {
    if !is_root_for("a fault in a running server") {
        return;
    }
    let opened = Opened::new("broken");
    let posture = || opened.ask(Request::get("/api/v1/posture")).is(200).json();
    let records = || opened.home.count_records(&["fence.found_open failed"]);
    assert_ne!(posture()["state"], "red");
    assert_eq!(records(), 0);

    // The call is never made: strace says that it has worked.
    let works = ["-e", "trace=chroot", "-e", "inject=chroot:retval=0"];
    with_a_fault(&opened.served, &works, || {
        for _ in 0..2 {
            let posture = posture();
            let broken = posture["broken"].as_str().unwrap_or_default();
            assert!(posture["state"] == "red" && broken.contains("change the root folder"), "{posture}");
        }
    });
    assert_eq!(records(), 1);

    // What came through may have stayed.
    let after = posture();
    assert_eq!((&after["state"], &after["broken"]), (&"red".into(), &Value::Null), "{after}");
    refused(&opened.ask(Request::post("/api/v1/jobs", &small())), 503, "posture", "a job");
    let home = opened.end(0);
    assert_eq!(home.count_records(&["fence.found_open failed"]), 1);
}
