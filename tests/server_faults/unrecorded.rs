//! What is done, and cannot be put on record: no answer denies it, and the next unlock finds it.

use crate::abuse::{Opened, refused, small};
use crate::faults::with_a_fault;
use crate::harness::is_root_for;
use crate::http::Request;

#[test]
fn a_picture_is_not_denied_because_the_end_of_its_request_is_not_on_record() {
    if !is_root_for("a fault in a running server") {
        return;
    }
    let opened = Opened::new("unrecorded");
    let segment = opened.home.at("state/audit/seg/00000000.jsonl");
    // The log's own thread syncs: what is asked for, the picture, and the end of the request.
    let fault = ["-P", &segment, "-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO:when=3"];
    let job = with_a_fault(&opened.served, &fault, || {
        let id = opened.submit(small());
        opened.until(&id, &["failed", "done"])
    });
    assert_eq!((&job["status"], &job["error"]["code"]), (&"failed".into(), &"unrecorded".into()), "{job}");
    let detail = job["error"]["detail"].as_str().unwrap_or_default();
    assert!(detail.starts_with("it is done") && !detail.contains("nothing"), "{job}");
    assert_eq!(job["images"].as_array().map(Vec::len), Some(1), "{job}");
    refused(&opened.ask(Request::get("/readyz")), 503, "log", "a log that has failed");

    // The lock is done, too, and nobody says otherwise.
    refused(&opened.ask(Request::new("DELETE", "/api/v1/session")), 500, "unrecorded", "the lock");
    assert_eq!(opened.ask(Request::get("/api/v1/status")).is(200).json()["vault"], "locked");

    let Opened { served, home, .. } = opened;
    let ended = served.stop();
    assert_eq!(ended.code, Some(13), "{ended:#?}");
    home.ask(&["history", "list"]).ends(0, &[]);
    assert_eq!(home.count_records(&["recovery.reconciled", "kind=generate", "found=done"]), 1);
    home.is_whole(1);
}
