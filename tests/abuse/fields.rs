//! Every field of every body with what does not belong there.

use super::{CANARY, NUMBER, Opened, check, refused};
use crate::harness::{Home, PASSPHRASE};
use crate::http::Request;
use crate::served::Served;
use serde_json::{Value, json};

/// A body as it is sent, and the problem that it must be.
type Case = (Vec<u8>, u16, &'static str);

fn case(body: Value, status: u16, code: &'static str) -> Case {
    (body.to_string().into_bytes(), status, code)
}

fn text(body: impl AsRef<[u8]>, status: u16, code: &'static str) -> Case {
    (body.as_ref().to_vec(), status, code)
}

/// What is no body of any route.
fn never() -> Vec<Case> {
    let deep = |open: &str, close: &str| [open.repeat(30_000), close.repeat(30_000)].concat();
    let mut cases: Vec<Case> = [
        "",
        " ",
        "\u{feff}{}",
        "null",
        "true",
        "7318263915",
        "\"quokka\"",
        "{",
        "{\"quokka\"",
        "{\"quokka\":}",
        "{'quokka':1}",
        "{} {}",
        "{}\0",
        "{\"quokka\":1e999999}",
        "{\"quokka\":NaN}",
        "{\"quokka\":1}",
        "{\"\":1}",
        "prompt=quokka",
        "<quokka/>",
        "\u{1f}\u{8b}\u{8}",
    ]
    .iter()
    .map(|body| text(body, 400, "body"))
    .collect();
    cases.push(text(b"{\"prompt\":\"quokka\xff\"}", 400, "body"));
    cases.push(text(b"\xff\xfe{\0}\0", 400, "body"));
    cases.push(text(br#"{"prompt":"\ud800"}"#, 400, "body"));
    cases.push(text(deep("[", "]"), 400, "body"));
    cases.push(text(deep("{\"a\":", "}").replace(":}", ":1}"), 400, "body"));
    cases.push(text(format!("{{\"{}\":1}}", CANARY.repeat(10_000)), 400, "body"));
    cases
}

fn jobs() -> Vec<Case> {
    let with = |name: &str, value: Value| {
        let mut wish = super::small();
        wish[name] = value;
        wish
    };
    let mut cases = vec![
        case(json!({"prompt": ""}), 422, "prompt"),
        case(json!({"prompt": " \n\t "}), 422, "prompt"),
        case(json!({"prompt": "quokka\u{0}"}), 422, "prompt"),
        case(json!({"prompt": "quokka ".repeat(10_000)}), 422, "prompt"),
        case(json!({"prompt": "x", "guidance": 1, "negative_prompt": "quokka\u{0}"}), 422, "prompt"),
        case(
            json!({"prompt": "x", "guidance": 1, "negative_prompt": "quokka ".repeat(10_000)}),
            422,
            "prompt",
        ),
        case(json!({"prompt": "x", "width": 16}), 422, "size"),
        case(json!({"prompt": "x", "height": 16}), 422, "size"),
        case(json!({"negative_prompt": "quokka"}), 400, "body"),
        text(r#"{"prompt":"a","prompt":"quokka"}"#, 400, "body"),
        text(r#"{"prompt":"a","steps":1,"steps":2}"#, 400, "body"),
        text(r#"{"prompt":"x","guidance":1e400}"#, 400, "body"),
        text(r#"{"prompt":"x","seed":73182639157318263915}"#, 400, "body"),
        // A list of the values without their names is no request.
        text(r#"["quokka",null,16,16,1,null,null,null,false]"#, 400, "body"),
    ];
    let strings = ["prompt", "negative_prompt"];
    for name in strings {
        for value in [json!(NUMBER), json!([CANARY]), json!({CANARY: 1}), json!(true)] {
            cases.push(case(with(name, value), 400, "body"));
        }
    }
    for name in ["width", "height", "steps", "seed", "count"] {
        for value in
            [json!("quokka"), json!("16"), json!(16.5), json!([16]), json!({}), json!(true), json!(1e30)]
        {
            cases.push(case(with(name, value), 400, "body"));
        }
    }
    for value in [json!("quokka"), json!([1]), json!({}), json!(true)] {
        cases.push(case(with("guidance", value), 400, "body"));
    }
    for value in [json!("quokka"), json!(1), json!("true"), json!([])] {
        cases.push(case(with("remember_prompt", value), 400, "body"));
    }
    for name in ["width", "height"] {
        for side in [0, 1, 15, 17, -16, 2064, NUMBER, i64::MAX, i64::MIN] {
            cases.push(case(with(name, json!(side)), 422, "size"));
        }
    }
    for steps in [0, -1, 101, NUMBER, i64::MAX, i64::MIN] {
        cases.push(case(with("steps", json!(steps)), 422, "steps"));
    }
    for guidance in [json!(-0.001), json!(1.23456), json!(100.001), json!(NUMBER), json!(1e300)] {
        cases.push(case(with("guidance", guidance), 422, "parameter"));
    }
    for count in [0, -1, 17, NUMBER, i64::MAX, i64::MIN] {
        cases.push(case(with("count", json!(count)), 422, "parameter"));
    }
    for seed in [-1, NUMBER, i64::MAX, i64::MIN] {
        cases.push(case(with("seed", json!(seed)), 422, "seed"));
    }
    let mut last = with("seed", json!(4_294_967_295_i64));
    last["count"] = json!(2);
    cases.push(case(last, 422, "seed"));
    cases
}

fn deletions() -> Vec<Case> {
    let nobody = "00112233445566778899aabbccddeeff";
    vec![
        case(json!({"ids": [nobody]}), 400, "body"),
        case(json!({"all": true}), 400, "body"),
        case(json!({"confirm": 0}), 422, "parameter"),
        case(json!({"ids": [], "confirm": 0}), 422, "parameter"),
        case(json!({"all": false, "confirm": 0}), 422, "parameter"),
        case(json!({"ids": [nobody], "all": true, "confirm": 1}), 422, "parameter"),
        case(json!({"ids": [CANARY], "confirm": 1}), 404, "not_found"),
        case(json!({"ids": ["../../etc/quokka"], "confirm": 1}), 404, "not_found"),
        case(json!({"ids": [nobody.to_uppercase()], "confirm": 1}), 404, "not_found"),
        case(json!({"ids": [nobody], "confirm": 1}), 404, "not_found"),
        case(json!({"ids": [nobody, nobody], "confirm": 2}), 409, "confirm"),
        case(json!({"all": true, "confirm": 0}), 409, "confirm"),
        case(json!({"all": true, "confirm": NUMBER}), 409, "confirm"),
        case(json!({"all": true, "confirm": -1}), 400, "body"),
        case(json!({"all": true, "confirm": 1.5}), 400, "body"),
        case(json!({"all": true, "confirm": "1"}), 400, "body"),
        case(json!({"all": true, "confirm": true}), 400, "body"),
        case(json!({"all": "quokka", "confirm": 1}), 400, "body"),
        case(json!({"all": 1, "confirm": 1}), 400, "body"),
        case(json!({"ids": nobody, "confirm": 1}), 400, "body"),
        case(json!({"ids": [NUMBER], "confirm": 1}), 400, "body"),
        case(json!({"ids": {CANARY: 1}, "confirm": 1}), 400, "body"),
        text(r#"{"all":true,"confirm":73182639157318263915}"#, 400, "body"),
        text(r#"{"all":true,"all":true,"confirm":1}"#, 400, "body"),
        text(r#"[null,true,1]"#, 400, "body"),
    ]
}

fn post(target: &str, body: &[u8]) -> Request {
    Request::new("POST", target).field("Content-Type", "application/json").body(body)
}

/// All that is wrong, so that one run shows it.
fn wrong(cases: Vec<Case>, ask: impl Fn(&[u8]) -> crate::http::Answer) -> Vec<String> {
    let mut wrong = Vec::new();
    for (body, status, code) in cases {
        let answer = ask(&body);
        let problem: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if answer.status != status || problem["code"] != code {
            let body = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
            wrong.push(format!("{body}: {} {problem}, not {status} {code}", answer.status));
        } else if let Err(what) = super::sound(&answer, true) {
            let body = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
            wrong.push(format!("{body}: {what}: {problem}"));
        }
    }
    wrong
}

#[test]
fn no_field_takes_what_does_not_belong_there() {
    let opened = Opened::new("fields");
    let id = opened.submit(super::small());
    let job = opened.until(&id, &["done"]);
    let picture = job["images"][0].as_str().expect("a picture").to_owned();
    let ask = |target: &str, body: &[u8]| opened.served.ask(&post(target, body).token(&opened.token));
    let mut found = Vec::new();
    let export = format!("/api/v1/images/{picture}/export");
    for target in ["/api/v1/jobs", "/api/v1/session", "/api/v1/setup", "/api/v1/images:delete", &export] {
        let wrong = wrong(never(), |body| ask(target, body));
        found.extend(wrong.into_iter().map(|what| format!("{target}: {what}")));
    }
    found.extend(wrong(jobs(), |body| ask("/api/v1/jobs", body)));
    found.extend(wrong(deletions(), |body| ask("/api/v1/images:delete", body)));
    found.extend(wrong(vec![text("[]", 400, "body")], |body| ask(&export, body)));
    assert_eq!(found, [""; 0], "{} of them", found.len());
    // A good id beside a bad one: neither is erased.
    let body = json!({"ids": [picture, "00112233445566778899aabbccddeeff"], "confirm": 2});
    refused(
        &opened.ask(Request::post("/api/v1/images:delete", &body)),
        404,
        "not_found",
        "a good and a bad id",
    );
    assert_eq!(opened.total(), 1);
    let jobs = opened.ask(Request::get("/api/v1/jobs")).is(200).json();
    assert_eq!(jobs["jobs"].as_array().map(Vec::len), Some(1), "{jobs}");
    let home = opened.end(1);
    assert_eq!(home.count_records(&["generate.requested"]), 1);
}

/// What the server says is possible is possible: it does not accept what its model cannot do.
#[test]
fn the_limits_that_are_told_are_the_limits() {
    let opened = Opened::new("told");
    let told = opened.ask(Request::get("/api/v1/capabilities")).is(200).json()["limits"].clone();
    let most = |name: &str| {
        told[name].as_f64().map(|most| most as i64).unwrap_or_else(|| panic!("no {name} in {told}"))
    };
    let step = most("side_px_step");
    let wish = |side: i64, steps: i64, count: i64, guidance: i64, seed: i64| {
        json!({"prompt": "x", "width": side, "height": side, "steps": steps, "count": count, "guidance": guidance,
               "seed": seed})
    };
    let (side, steps, count) = (most("side_px_max"), most("steps_max"), most("images_max"));
    let (guidance, seed) = (most("guidance_max"), most("seed_max"));
    for (above, code) in [
        (wish(side + step, 1, 1, 0, 0), "size"),
        (wish(16, steps + 1, 1, 0, 0), "steps"),
        (wish(16, 1, count + 1, 0, 0), "parameter"),
        (wish(16, 1, 1, guidance + 1, 0), "parameter"),
        (wish(16, 1, 1, 0, seed + 1), "seed"),
    ] {
        refused(&opened.ask(Request::post("/api/v1/jobs", &above)), 422, code, &above.to_string());
    }
    let id = opened.submit(wish(side, steps, count, guidance, seed - (count - 1)));
    let job = opened.until(&id, &["running", "failed", "done"]);
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert_eq!(opened.job(&id)["status"], "running", "{job}");
    opened.ask(Request::new("DELETE", &format!("/api/v1/jobs/{id}"))).is(202);
    opened.until(&id, &["cancelled"]);
    opened.end(0);
}

#[test]
fn no_query_and_no_key_takes_what_does_not_belong_there() {
    let opened = Opened::new("query");
    for query in [
        "limit=0",
        "limit=-1",
        "limit=201",
        "limit=quokka",
        "limit=1.5",
        "limit=",
        "limit=%00",
        "limit=1%20",
        "limit=0x10",
        "limit=7318263915",
        "limit=73182639157318263915",
        "limit=1&limit=2",
        "quokka=1",
        "limit=1&quokka",
        "Limit=1",
        "cursor=00112233445566778899aabbccddeeff&cursor=00112233445566778899aabbccddeeff",
    ] {
        let answer = opened.ask(Request::get(&format!("/api/v1/images?{query}")));
        refused(&answer, 422, "parameter", query);
    }
    for cursor in
        ["", "quokka", "..%2f", "%00", "00112233445566778899aabbccddeeff", "00112233445566778899AABBCCDDEEFF"]
    {
        let answer = opened.ask(Request::get(&format!("/api/v1/images?cursor={cursor}")));
        assert!([404, 422].contains(&answer.status), "{cursor}: {answer:?}");
    }
    for query in ["", "limit=1", "limit=200", "&", "limit=%31"] {
        opened.ask(Request::get(&format!("/api/v1/images?{query}"))).is(200);
    }
    for key in ["", &CANARY.repeat(11), "quokka\u{7f}", "qu\u{f6}kka"] {
        let request = Request::post("/api/v1/jobs", &super::small()).field("Idempotency-Key", key);
        // Some of these are no header at all, and reach nobody who would make a problem of them.
        let answer = opened.served.ask(&request.token(&opened.token));
        assert!([400, 422].contains(&answer.status), "{key:?}: {answer:?}");
    }
    let jobs = opened.ask(Request::get("/api/v1/jobs")).is(200).json();
    assert_eq!(jobs["jobs"], json!([]), "{jobs}");
    opened.end(0);
}

#[test]
fn no_secret_takes_what_does_not_belong_there() {
    let home = Home::furnished("secrets");
    let served = Served::start(&home);
    let code = served.setup_code();
    let ask = |target: &str, body: &[u8]| served.ask(&post(target, body));
    let long = "quokka".repeat(10_000);
    let setup = vec![
        case(json!({"passphrase": PASSPHRASE}), 400, "body"),
        case(json!({"code": code}), 400, "body"),
        case(json!({"code": code, "passphrase": NUMBER}), 400, "body"),
        case(json!({"code": code, "passphrase": [CANARY]}), 400, "body"),
        case(json!({"code": code, "passphrase": null}), 400, "body"),
        case(json!({"code": NUMBER, "passphrase": PASSPHRASE}), 400, "body"),
        case(json!({"code": code, "passphrase": PASSPHRASE, CANARY: 1}), 400, "body"),
        text(format!(r#"["{code}","{PASSPHRASE}"]"#), 400, "body"),
        case(json!({"code": code, "passphrase": ""}), 422, "weak_passphrase"),
        case(json!({"code": code, "passphrase": "quokka"}), 422, "weak_passphrase"),
        case(json!({"code": code, "passphrase": " ".repeat(20)}), 422, "weak_passphrase"),
        case(json!({"code": code, "passphrase": long}), 422, "weak_passphrase"),
    ];
    let mut found = wrong(setup, |body| ask("/api/v1/setup", body));
    // Without a vault there is nothing to unlock.
    let unlock = vec![case(json!({"passphrase": PASSPHRASE}), 409, "no_vault")];
    found.extend(wrong(unlock, |body| ask("/api/v1/session", body)));
    assert_eq!(check(&served, &Request::get("/api/v1/status")).is(200).json()["setup"], "open");
    let opened = Opened::set_up(home, served);
    let ask = |target: &str, body: &[u8]| opened.served.ask(&post(target, body));
    let session = vec![
        case(json!({"passphrase": NUMBER}), 400, "body"),
        case(json!({"passphrase": [PASSPHRASE]}), 400, "body"),
        case(json!({"passphrase": null}), 400, "body"),
        case(json!({"passphrase": PASSPHRASE, CANARY: 1}), 400, "body"),
        text(format!(r#"["{PASSPHRASE}"]"#), 400, "body"),
        text(format!(r#"{{"passphrase":"quokka","passphrase":"{PASSPHRASE}"}}"#), 400, "body"),
        case(json!({"passphrase": ""}), 401, "passphrase"),
        case(json!({"passphrase": long}), 401, "passphrase"),
    ];
    found.extend(wrong(session, |body| ask("/api/v1/session", body)));
    let again = vec![case(json!({"code": code, "passphrase": PASSPHRASE}), 409, "setup_done")];
    found.extend(wrong(again, |body| ask("/api/v1/setup", body)));
    assert_eq!(found, [""; 0], "{} of them", found.len());
    opened.end(0);
}
