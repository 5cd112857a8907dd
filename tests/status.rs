//! `status`: what the files say of the appliance, beside a running server and after its end.

use crate::harness::{Home, PASSPHRASE};
use crate::http::Request;
use crate::served::Served;
use serde_json::{Value, json};

#[track_caller]
fn status(home: &Home, code: i32) -> Value {
    home.ask(&["status", "--json"]).ends(code, &[]).data()
}

#[test]
fn the_status_is_what_happens() {
    let home = Home::furnished("status");
    let none = status(&home, 0);
    assert_eq!(
        (&none["server"], &none["vault"], &none["records"]),
        (&json!("not running"), &json!("none"), &json!(0))
    );
    assert!(!home.path().join("state").join("audit").exists(), "a verb that looks makes nothing");
    // A server that waits for its setup has no vault whose lock would tell of it: nothing is said to be wrong.
    let served = Served::start(&home);
    let waits = status(&home, 0);
    assert!(waits["server"].as_str().is_some_and(|server| server.starts_with("unknown")), "{waits}");
    drop(served);
    home.generate(&["a red apple"]).ends(0, &[]);
    let made = status(&home, 0);
    assert_eq!((&made["vault"], &made["posture"]), (&json!("locked"), &json!("none")), "{made}");
    let served = Served::start(&home);
    let running = status(&home, 0);
    assert_eq!((&running["server"], &running["vault"]), (&json!("running"), &json!("locked")), "{running}");
    assert!(running["posture"] == "green" || running["posture"] == "amber", "{running}");
    assert_eq!(running["address"], served.origin());
    let unlock = |passphrase: &str| Request::post("/api/v1/session", &json!({ "passphrase": passphrase }));
    served.ask(&unlock("not what opens it")).is(401);
    assert_eq!(status(&home, 0)["wrong_guesses"], 1);
    served.ask(&unlock(PASSPHRASE)).is(201);
    let open = status(&home, 0);
    assert_eq!((&open["vault"], &open["wrong_guesses"]), (&json!("unlocked"), &json!(0)), "{open}");
    assert!(home.ask(&["status"]).ends(0, &[]).stdout.contains("running, process"));

    // A kill leaves no word, and that needs a person.
    served.kill();
    drop(served);
    let killed = status(&home, 4);
    assert_eq!(
        (&killed["server"], &killed["vault"]),
        (&json!("ended without a word"), &json!("locked")),
        "{killed}"
    );
    home.ask(&["status"]).ends(4, &["ended without a word"]);
    home.ask(&["evidence", "run"]);
    let tried = home.ask(&["status", "--json"]).data();
    assert!(tried["evidence_ms"].is_u64() && tried["server"] == "not running", "{tried}");

    // A policy that makes no sense is one thing that does, and not the only thing that is told.
    home.policy(b"nonsense = 1\n");
    let refused = status(&home, 4);
    assert_eq!(refused["records"], status(&home, 4)["records"], "{refused}");
    assert!(
        refused["vault"] == "locked" && refused["needs"].to_string().contains("policy.toml"),
        "{refused}"
    );
    home.ask(&["status"]).ends(4, &["policy.toml", "nonsense"]);
    std::fs::remove_file(home.path().join("state/config/policy.toml")).expect("it was just written");

    // What is gone needs a person.
    let (audit, vault) = (home.path().join("state/audit"), home.path().join("state/vault"));
    for (folder, says) in [(&audit, "the log that belongs"), (&vault, "the vault that the log tells of")] {
        let aside = home.path().join("aside");
        std::fs::rename(folder, &aside).expect("moved away");
        home.ask(&["status"]).ends(4, &[says]);
        std::fs::rename(&aside, folder).expect("moved back");
    }
}
