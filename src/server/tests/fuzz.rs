//! What comes over the wire, with changed inputs: nothing panics, nothing takes memory that the input does not pay for,
//! nothing is answered with its own words, and the guard lets through what it should.

use crate::body::{parse, unhex};
use crate::guard::Guard;
use crate::images::{Delete, Look, Nothing, Paging};
use crate::jobs::{Measured, Wish};
use crate::pending::{No, Word};
use crate::people::{Leaver, NewHold, NewPassphrase, NewRole, Newcomer, Question};
use crate::tokens::{NewToken, OldToken};
use crate::vault::{SetUp, Unlock};
use axum::body::Body;
use axum::extract::{Query, Request};
use axum::http::Method;
use base16ct::lower::encode_string as hex;
use fuzz::Target;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Whether a route that takes a `T` with these fields takes this body.
fn takes<T: DeserializeOwned>(body: &[u8], fields: &[&str]) -> bool {
    let Err(problem) = parse::<T>(body) else {
        let object: Map<String, Value> =
            serde_json::from_slice(body).expect("what is taken is a JSON object");
        assert!(object.keys().all(|key| fields.contains(&key.as_str())), "a field that nobody reads");
        return true;
    };
    let (code, detail) = problem.parts();
    let (what, place) = detail.split_once(", at line ").unwrap_or((detail, "1 column 1"));
    let known =
        ["this is no JSON object", "this is no JSON", "a field is unknown, missing, or of the wrong type"];
    assert!(code == "body" && known.contains(&what), "{detail}");
    assert!(place.replace(" column ", "").bytes().all(|byte| byte.is_ascii_digit()), "{detail}");
    false
}

#[test]
fn bodies() {
    let wish = [
        "prompt",
        "negative_prompt",
        "width",
        "height",
        "steps",
        "guidance",
        "seed",
        "count",
        "remember_prompt",
    ];
    let words = [
        "\"prompt\":",
        "\"text\":",
        "\"passphrase\":",
        "\"name\":",
        "\"reason\":",
        "\"code\":",
        "\"ids\":[",
        "\"all\":",
        "\"number\":",
        "\"role\":",
        "\"confirm\":",
        "\"scopes\":[",
        "\"token\":",
        "{}",
        ",",
    ];
    Target::new("body").words(&words).run(|body| {
        let taken = [
            takes::<Wish>(body, &wish),
            takes::<SetUp>(body, &["code", "passphrase"]),
            takes::<Unlock>(body, &["passphrase", "operator"]),
            takes::<Delete>(body, &["ids", "all", "confirm"]),
            takes::<Look>(body, &["ids"]),
            takes::<Nothing>(body, &[]),
            takes::<Measured>(body, &["text"]),
            takes::<crate::Wanted>(body, &["since", "until", "framework", "lang"]),
            takes::<Newcomer>(body, &["name", "role", "new_passphrase", "passphrase", "own_name"]),
            takes::<Leaver>(body, &["name", "passphrase", "pictures", "hand_over_to"]),
            takes::<NewPassphrase>(body, &["passphrase", "new_passphrase"]),
            takes::<NewRole>(body, &["name", "role", "passphrase"]),
            takes::<Word>(body, &["number", "passphrase"]),
            takes::<No>(body, &["number"]),
            takes::<Question>(body, &["pseudonym", "reason"]),
            takes::<NewHold>(body, &["of", "reason"]),
            takes::<NewToken>(body, &["scopes", "days", "label", "passphrase"]),
            takes::<OldToken>(body, &["token"]),
        ];
        // A bundle of everything is asked for with nothing.
        let nothing = [5, 7].iter().filter(|route| taken[**route]).count() == 2;
        let routes = taken.into_iter().filter(|taken| *taken).count() - usize::from(nothing);
        assert!(routes <= 1, "a body for two routes: {taken:?}");
        routes == 1
    });
}

/// `METHOD TARGET`, then a line per header.
fn request(text: &str) -> Option<Request> {
    let mut lines = text.split('\n');
    let (method, target) = lines.next()?.split_once(' ')?;
    let mut request = Request::builder().method(method).uri(target);
    for line in lines.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ")?;
        request = request.header(name, value);
    }
    request.body(Body::empty()).ok()
}

#[test]
fn heads_of_requests() {
    let guard = Guard::new(7860);
    let names = ["127.0.0.1:7860", "localhost:7860"];
    let words = [
        "GET /",
        "POST /",
        "host: ",
        "origin: http://",
        "sec-fetch-site: ",
        "upgrade: ",
        "content-type: ",
        "localhost",
        "127.0.0.1",
        ":7860",
        "user@",
        ".",
        "\n",
        "%00",
        "?limit=",
        "&cursor=",
    ];
    Target::new("request").words(&words).run(|input| {
        let Some(request) = std::str::from_utf8(input).ok().and_then(request) else { return false };
        drop(Query::<Paging>::try_from_uri(request.uri()));
        if guard.check(&request).is_err() {
            return false;
        }
        let all = |name: &str| -> Vec<_> {
            let values = request.headers().get_all(name).iter();
            values.map(|value| value.to_str().expect("what passes is ASCII").to_owned()).collect()
        };
        let (host, origin) = (all("host"), all("origin"));
        assert!(host.len() == 1 && names.contains(&host[0].as_str()), "{host:?}");
        assert!(origin.iter().all(|origin| *origin == format!("http://{}", host[0])), "{origin:?}");
        assert!(request.uri().authority().is_none_or(|authority| authority.as_str() == host[0]));
        assert!(all("sec-fetch-site").iter().all(|site| ["same-origin", "none"].contains(&site.as_str())));
        assert!(all("upgrade").is_empty());
        if request.method() == Method::POST {
            let kind = all("content-type");
            assert!(
                kind.len() == 1 && kind[0].trim().to_lowercase().starts_with("application/json"),
                "{kind:?}"
            );
        }
        true
    });
}

#[test]
fn ids() {
    Target::new("id").run(|input| {
        let Ok(text) = std::str::from_utf8(input) else { return false };
        let Some(id) = unhex(text) else { return false };
        assert_eq!(hex(&id), text);
        true
    });
}
