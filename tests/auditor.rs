//! An auditor at the page: log and controls, while somebody has the vault open, and nothing else.

use crate::abuse::guards::contract;
use crate::abuse::token_of;
use crate::harness::{Home, PASSPHRASE};
use crate::http::{Answer, Request};
use crate::people::{SECOND, Studio, THIRD, add, two};
use crate::served::Served;
use serde_json::json;

fn code(answer: Answer, status: u16) -> String {
    answer.is(status).json()["code"].as_str().expect("a code").to_owned()
}

/// "First", an admin with a picture, "Second", an operator, and "Revision", an auditor.
fn audited(test: &str) -> (Home, Studio) {
    let home = two(test);
    add(&home, &["add", "Revision", "--role", "auditor"], "third").ends(0, &[]);
    let studio = Studio { served: Served::start(&home) };
    (home, studio)
}

#[test]
fn an_auditor_reads_the_log_and_tries_the_controls_and_gets_nothing_else() {
    let (home, studio) = audited("auditor");
    assert_eq!(code(studio.sign_in(Some("revision"), THIRD), 423), "auditor_alone");
    assert_eq!(code(studio.sign_in(Some("revision"), SECOND), 401), "passphrase");
    let first = token_of(&studio.sign_in(Some("first"), PASSPHRASE).is(201));
    let auditor = token_of(&studio.sign_in(Some("revision"), THIRD).is(201));
    let asks = |request: Request| studio.ask(&auditor, request);
    let you = asks(Request::get("/api/v1/capabilities")).is(200).json()["you"].clone();
    assert_eq!(you, json!({ "name": "Revision", "role": "auditor" }));
    let refusals = || home.count_records(&["request.refused", "permission"]);
    for row in contract().into_iter().filter(|row| row.token != "no") {
        let (method, path) = (row.method, &row.target);
        // Those that end what the walk needs come below.
        if method == "DELETE" && path == "/api/v1/session" {
            continue;
        }
        let answer = asks(row.senseless());
        let lets = ["audit", "any", "yes, auditors too"].contains(&row.token);
        let refused = answer.status == 403 && answer.json()["code"] == "role";
        assert_eq!(refused, !lets, "{method} {path}: {}", answer.status);
        assert!(refused || ![401, 403, 423].contains(&answer.status), "{method} {path}: {}", answer.status);
    }
    let rows = asks(Request::get("/api/v1/audit?type=vault")).is(200).json();
    assert!(rows["rows"].as_array().is_some_and(|rows| !rows.is_empty()), "{rows}");
    assert_eq!(asks(Request::post("/api/v1/audit/verify", &json!({}))).is(200).json()["ok"], true);
    let before = refusals();
    let run = asks(Request::post("/api/v1/evidence/run", &json!({}))).is(200).json();
    let results = run["results"].as_array().expect("a list");
    // What takes an open vault is tried for them, too: every picture is opened in memory, and none handed over.
    for id in ["CRY-06", "LOG-05", "AIT-02"] {
        let found = results.iter().find(|result| result["control"] == id);
        assert!(found.is_some_and(|result| result["outcome"] != "not_measured"), "{id}: {run}");
    }
    let bundle = asks(Request::post("/api/v1/evidence/export", &json!({}))).is(200);
    assert!(bundle.body.starts_with(b"PK"));
    assert_eq!(refusals(), before, "nothing of it was refused");
    assert_eq!(home.count_records(&["audit.read"]), 4, "rows by two kinds of filters, a check, and a slice");
    // A token of theirs reads the log, and no scope of it does more.
    let mint = |scope: &str| {
        asks(Request::post("/api/v1/api-tokens", &json!({ "scopes": [scope], "passphrase": THIRD })))
    };
    assert_eq!((code(mint("read"), 403), code(mint("generate"), 403)), ("role".into(), "role".into()));
    let token = mint("audit").is(201).json()["token"].as_str().expect("its text").to_owned();
    studio.ask(&token, Request::get("/api/v1/audit")).is(200);
    assert_eq!(code(studio.ask(&token, Request::get("/api/v1/images")), 403), "scope");
    // Their passphrase is theirs.
    let renew = json!({ "passphrase": THIRD, "new_passphrase": "other words of the third one" });
    asks(Request::post("/api/v1/passphrase", &renew)).is(204);
    assert_eq!(code(studio.sign_in(Some("revision"), THIRD), 401), "passphrase");
    let again = token_of(&studio.sign_in(Some("revision"), "other words of the third one").is(201));

    // They leave, and the vault stays open; whom it is open for leaves, and it locks, whoever looks on.
    studio.ask(&again, Request::new("DELETE", "/api/v1/session")).is(204);
    assert_eq!(code(asks(Request::get("/api/v1/audit")), 401), "token");
    assert_eq!(studio.total(&first), json!(1));
    let auditor = token_of(&studio.sign_in(Some("revision"), "other words of the third one").is(201));
    let locked = home.count_records(&[" vault.locked "]);
    studio.ask(&first, Request::new("DELETE", "/api/v1/session")).is(204);
    assert_eq!(home.count_records(&[" vault.locked "]), locked + 1);
    assert_eq!(code(studio.ask(&auditor, Request::get("/api/v1/audit")), 401), "token");
    assert_eq!(code(studio.ask(&token, Request::get("/api/v1/audit")), 423), "locked");
    home.ask(&["audit", "verify"]).ends(0, &[]);
}

/// The vault waits for whoever may open it, and an auditor is not one.
#[test]
fn an_auditor_holds_no_vault_open() {
    let home = two("auditor-idle");
    add(&home, &["add", "Revision", "--role", "auditor"], "third").ends(0, &[]);
    home.policy(b"schema = 1\n[limits]\nidle_seconds_max = 10\n");
    let studio = Studio { served: Served::start(&home) };
    let first = token_of(&studio.sign_in(Some("first"), PASSPHRASE).is(201));
    let auditor = token_of(&studio.sign_in(Some("revision"), THIRD).is(201));
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        let answer = studio.ask(&auditor, Request::get("/api/v1/audit?limit=1"));
        if answer.status != 200 {
            assert!([401, 423].contains(&answer.status), "{}", answer.status);
            break;
        }
        assert!(std::time::Instant::now() < until, "an auditor who reads keeps the vault open");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!(studio.ask(&first, Request::get("/api/v1/images")).status, 401);
    let status = studio.served.ask(&Request::get("/api/v1/status")).is(200).json();
    assert_eq!(status["vault"], "locked", "{status}");
}
