//! Tokens of programs: made, used over the port, and ended; and every route, asked with each of them.

use crate::abuse::guards::contract;
use crate::abuse::token_of;
use crate::harness::{Home, PASSPHRASE, Ran, SMALL};
use crate::http::{Answer, Request};
use crate::people::{FIRST, OTHER, SECOND, Studio, as_who, two};
use crate::served::Served;
use serde_json::{Value, json};
use std::fs::File;
use std::process::Stdio;

/// Makes one at the command line: its number, and its text.
fn made(home: &Home, who: (&str, &str), scopes: &str) -> (u64, String) {
    let words = ["token", "create", "--scope", scopes, "--label", "gallery wall", "--json"];
    let told = as_who(home, who, &words).ends(0, &[]).data();
    let text = told["token"].as_str().expect("its text").to_owned();
    assert!(text.len() == 68 && text.starts_with("lpt_"), "{told}");
    (told["number"].as_u64().expect("a number"), text)
}

fn code(answer: Answer, status: u16) -> String {
    answer.is(status).json()["code"].as_str().expect("a code").to_owned()
}

#[test]
fn a_token_is_made_used_listed_and_revoked() {
    let home = two("tokens");
    let create = |words: &[&str]| as_who(&home, OTHER, &[&["token", "create"], words].concat());
    create(&["--scope", "everything"]).ends(2, &["generate, read, audit"]);
    create(&["--scope", "read", "--days", "0"]).ends(2, &["1 to 366 days"]);
    create(&["--scope", "read", "--label", "\u{202e}"]).ends(2, &["cannot be seen"]);
    create(&["--scope", "audit"]).ends(6, &["your role does not let you", "read the log"]);
    as_who(&home, OTHER, &["token", "list"]).ends(0, &["there is no token"]);
    // Alone, and through a running server.
    let alone = create(&["--scope", "generate,read"]).ends(0, &["the one time that it is shown"]).stdout;
    let alone = alone.trim().to_owned();
    assert!(alone.starts_with("lpt_") && alone.len() == 68, "{alone}");
    let studio = Studio { served: Served::start(&home) };
    let asks = |token: &str, path: &str| studio.ask(token, Request::get(path));
    // It never outlives the lock.
    assert_eq!(code(asks(&alone, "/api/v1/images"), 423), "locked");
    let session = token_of(&studio.sign_in(Some("second"), SECOND).is(201));
    let (number, wall) = made(&home, OTHER, "read");
    assert_eq!(asks(&wall, "/api/v1/images").is(200).json()["total"], 0, "their own pictures");
    let wish = json!({ "prompt": "a yellow star", "width": 16, "height": 16, "steps": 1 });
    assert_eq!(code(studio.ask(&wall, Request::post("/api/v1/jobs", &wish)), 403), "scope");
    let job = studio.ask(&alone, Request::post("/api/v1/jobs", &wish)).is(202).json();
    let path = format!("/api/v1/jobs/{}", job["id"].as_str().expect("an id"));
    let image = loop {
        let job = asks(&alone, &path).is(200).json();
        match job["status"].as_str() {
            Some("done") => break job["images"][0].as_str().expect("a picture").to_owned(),
            Some("waiting" | "running") => std::thread::sleep(std::time::Duration::from_millis(20)),
            other => panic!("{other:?}: {job}"),
        }
    };
    let content = asks(&wall, &format!("/api/v1/images/{image}/content")).is(200);
    assert!(content.body.starts_with(b"\x89PNG"));
    assert_eq!(studio.total(&session), json!(1), "it is on their account");
    let gone = Request::new("DELETE", &format!("/api/v1/images/{image}"));
    assert_eq!(code(studio.ask(&alone, gone), 403), "scope");

    let listed = as_who(&home, OTHER, &["token", "list"]).ends(0, &[]).stdout;
    assert_eq!(listed.lines().count(), 2, "{listed}");
    let line = listed.lines().find(|line| line.starts_with(&number.to_string())).expect("its line");
    for words in ["read", "last used 2", ", of Second", ": gallery wall"] {
        assert!(line.contains(words), "{words}: {line}");
    }
    assert!(!line.split("last used ").nth(1).expect("a day").contains('T'), "the day, not the time: {line}");
    let all = as_who(&home, FIRST, &["token", "list", "--json"]).ends(0, &[]).data();
    assert_eq!(all["tokens"].as_array().map(Vec::len), Some(2), "an admin sees everybody's");
    as_who(&home, OTHER, &["token", "revoke", "1"]).ends(5, &["lightproof token list"]);
    as_who(&home, OTHER, &["token", "revoke", &number.to_string()]).ends(0, &["opens nothing any more"]);
    assert_eq!(code(asks(&wall, "/api/v1/images"), 401), "token");
    assert!(asks(&alone, "/api/v1/images").status == 200, "the other one is another one");
    // Its use keeps nobody signed in, and the last who leaves locks it out.
    studio.ask(&session, Request::new("DELETE", "/api/v1/session")).is(204);
    assert_eq!(code(asks(&alone, "/api/v1/images"), 423), "locked");
    for (kind, count) in [("token.made", 2), ("token.used", 2), ("token.ended", 1)] {
        assert_eq!(home.count_records(&[&format!(" {kind} ")]), count, "{kind}");
    }
    drop(studio);
    for token in [&alone, &wall] {
        assert_eq!(home.files_with(token.as_bytes()), Vec::<std::path::PathBuf>::new());
        assert_eq!(home.files_with(&token.as_bytes()[4..]), Vec::<std::path::PathBuf>::new());
    }
    home.ask(&["audit", "verify"]).ends(0, &[]);
}

#[test]
fn the_page_makes_and_revokes_them_and_nobody_elses_names_and_sites_get_further_with_one() {
    let home = two("tokens-served");
    let studio = Studio { served: Served::start(&home) };
    let first = token_of(&studio.sign_in(Some("first"), PASSPHRASE).is(201));
    let second = token_of(&studio.sign_in(Some("second"), SECOND).is(201));
    let make = |token: &str, body: Value| studio.ask(token, Request::post("/api/v1/api-tokens", &body));
    assert_eq!(
        code(make(&second, json!({ "scopes": ["read"], "passphrase": PASSPHRASE })), 401),
        "passphrase"
    );
    let wish = |scopes: &[&str], more: Value| {
        let mut wish = json!({ "scopes": scopes, "passphrase": SECOND });
        wish.as_object_mut().expect("one").extend(more.as_object().expect("one").clone());
        wish
    };
    for (scopes, more, refused) in [
        (&["read", "write"][..], json!({}), "parameter"),
        (&[], json!({}), "parameter"),
        (&["read"], json!({ "days": 367 }), "parameter"),
        (&["read"], json!({ "label": " " }), "parameter"),
        (&["read"], json!({ "for": "x" }), "body"),
    ] {
        let answer = make(&second, wish(scopes, more));
        assert_eq!(answer.json()["code"], refused, "{scopes:?}");
    }
    assert_eq!(code(make(&second, wish(&["audit"], json!({}))), 403), "role");
    let told = make(&second, wish(&["read"], json!({ "label": "wall", "days": 1 }))).is(201).json();
    let token = told["token"].as_str().expect("its text").to_owned();
    assert_eq!(
        (&told["label"], &told["scopes"], &told["you"]),
        (&json!("wall"), &json!(["read"]), &json!(true))
    );
    let listed = studio.ask(&first, Request::get("/api/v1/api-tokens")).is(200).json();
    let one = listed["tokens"][0].clone();
    assert!(one["of"] == "Second" && one["used_day"].is_null() && one.get("token").is_none(), "{listed}");

    let images = || Request::get("/api/v1/images").token(&token);
    let asked = |request: Request| studio.served.ask(&request);
    assert_eq!(code(asked(images().field("Host", "evil.test")), 421), "host");
    assert_eq!(code(asked(images().field("Origin", "http://evil.test")), 403), "origin");
    assert_eq!(code(asked(images().field("Sec-Fetch-Site", "cross-site")), 403), "cross_site");
    assert_eq!(code(asked(images().token(&token)), 401), "token");
    assert_eq!(asked(Request::new("HEAD", "/api/v1/images").token(&token)).status, 405);
    for near in [token.replace("lpt_", ""), format!("{}0", &token[..67]), token.to_uppercase()] {
        if near != token {
            assert_eq!(code(asked(Request::get("/api/v1/images").token(&near)), 401), "token");
        }
    }
    asked(images()).is(200);
    let revoke = |who: &str, number: &Value| {
        studio.ask(who, Request::post("/api/v1/api-tokens:revoke", &json!({ "token": number })))
    };
    let own = make(&first, json!({ "scopes": ["audit"], "passphrase": PASSPHRASE })).is(201).json();
    assert_eq!(code(revoke(&second, &own["number"]), 404), "not_found");
    revoke(&first, &told["number"]).is(204);
    assert_eq!(code(asked(images()), 401), "token");
    assert_eq!(code(revoke(&first, &told["number"]), 404), "not_found");
    // Who is removed takes theirs along.
    let last = make(&second, wish(&["read"], json!({}))).is(201).json();
    let remove = json!({ "name": "second", "passphrase": PASSPHRASE });
    studio.ask(&first, Request::post("/api/v1/people:remove", &remove)).is(204);
    let last = last["token"].as_str().expect("its text");
    assert_eq!(code(asked(Request::get("/api/v1/images").token(last)), 401), "token");
    assert_eq!(home.count_records(&["token.ended", "reason=person"]), 1);
}

/// It is shown once: where nobody could see it there is none, or it is revoked again.
#[test]
fn a_token_that_nobody_could_see_opens_nothing() {
    let home = Home::with_picture("token-unseen");
    let create = |out: Stdio, more: &[&str]| {
        let words = [&["token", "create", "--scope", "read"], more].concat();
        Ran::of(home.furnished_program(&words).stdout(out))
    };
    let full = || Stdio::from(File::options().write(true).open("/dev/full").expect("Linux has it"));
    let left = || Stdio::from(std::io::pipe().expect("there are pipes").1);
    let (mut made, ended) = (0, |reason: &str| home.count_records(&[" token.ended ", reason]));
    let mut all = || {
        for (out, more) in [(full(), &[][..]), (full(), &["--json"]), (left(), &[]), (left(), &["--json"])] {
            create(out, more).ends(1, &["could not be shown", "revoked again"]);
            made += 1;
            assert_eq!(home.count_records(&[" token.made "]), made);
            assert_eq!(ended("reason=revoked"), made);
        }
        create(Stdio::null(), &[]).ends(6, &["/dev/null", "no token was made"]);
        assert_eq!(home.count_records(&[" token.made "]), made);
        home.ask(&["token", "list"]).ends(0, &["there is no token"]);
    };
    all();
    let served = Served::start(&home);
    all();
    served.stop().ends(0, &[]);
    home.ask(&["token", "create", "--scope", "read", "--days", "x"]).ends(2, &["a whole number is wanted"]);
}

#[test]
fn every_role_and_scope_is_walked_through_every_route() {
    let home = two("token-routes");
    let studio = Studio { served: Served::start(&home) };
    token_of(&studio.sign_in(Some("first"), PASSPHRASE).is(201));
    token_of(&studio.sign_in(Some("second"), SECOND).is(201));
    for (who, scopes) in [(FIRST, &["generate", "read", "audit"][..]), (OTHER, &["generate", "read"])] {
        for scope in scopes {
            let (_, token) = made(&home, who, scope);
            for row in contract().into_iter().filter(|row| row.token != "no") {
                let (method, path) = (row.method, &row.target);
                let answer = studio.ask(&token, row.senseless());
                let lets = row.token == *scope || row.token == "any";
                let refused = answer.status == 403 && answer.json()["code"] == "scope";
                assert_eq!(refused, !lets, "{who:?} {scope} {method} {path}: {}", answer.status);
                // What is let in is answered for what it is, and never for who asks.
                assert!(
                    refused || ![401, 403, 423].contains(&answer.status),
                    "{method} {path}: {}",
                    answer.status
                );
            }
        }
    }
    // Nothing of what was refused was done.
    assert_eq!(home.count_records(&[" token.made "]), 5);
    assert_eq!(home.count_records(&[" slot.added "]), 1);
    assert_eq!(
        home.count_records(&[" vault.locked "]) + home.count_records(&[" vault.secret_changed "]),
        before(&home)
    );
}

/// How often the vault was locked, and a secret set, before the server started.
fn before(home: &Home) -> usize {
    let records = home.records();
    let ready = records.iter().rposition(|record| record.contains(" boot.ready ")).expect("a start");
    let counted =
        |record: &&String| record.contains(" vault.locked ") || record.contains(" vault.secret_changed ");
    records[..ready].iter().filter(counted).count()
}

#[test]
fn a_vault_without_names_has_tokens_too() {
    let home = Home::with_picture("token-alone");
    let told = home.ask(&["token", "create", "--scope", "read", "--days", "2", "--json"]).ends(0, &[]).data();
    assert!(told["of"].is_null() && told["label"].is_null(), "{told}");
    let token = told["token"].as_str().expect("its text").to_owned();
    let served = Served::start(&home);
    let ask = |token: &str| served.ask(&Request::get("/api/v1/images").token(token));
    assert_eq!(ask(&token).status, 423);
    let wish = json!({ "passphrase": PASSPHRASE });
    token_of(&served.ask(&Request::post("/api/v1/session", &wish)).is(201));
    assert_eq!(ask(&token).is(200).json()["total"], 1);
    let job = json!({ "prompt": "a yellow star" });
    assert_eq!(served.ask(&Request::post("/api/v1/jobs", &job).token(&token)).status, 403);
    served.stop().ends(0, &[]);
    Ran::of(&mut home.furnished_program(&[&["generate", "a red apple"], &SMALL[..]].concat())).ends(0, &[]);
    home.ask(&["token", "list"]).ends(0, &[]);
}
