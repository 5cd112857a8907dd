//! Other names, other sites, other methods, other types, no token: none of it reaches a route.

use super::{Opened, check, raw, refused, serves};
use crate::http::Request;
use serde_json::json;
use std::time::Duration;

/// An id that no job and no picture has.
const NOBODY: &str = "00112233445566778899aabbccddeeff";

/// A row of the contract's table: method, target with an id that nobody has, and which token is asked for.
pub struct Row {
    pub method: &'static str,
    pub target: String,
    /// `no` for none.
    pub token: &'static str,
}

impl Row {
    fn closed(&self) -> bool {
        self.token != "no"
    }

    /// With a body that no route takes.
    pub fn senseless(&self) -> Request {
        match self.method {
            "POST" => Request::post(&self.target, &json!({ "a field": "that nobody reads" })),
            _ => self.request(),
        }
    }

    fn request(&self) -> Request {
        match self.method {
            "POST" => Request::post(&self.target, &json!({})),
            _ => Request::new(self.method, &self.target),
        }
    }
}

/// Every route that API.md names.
pub fn contract() -> Vec<Row> {
    let rows = include_str!("../../src/server/API.md").lines().filter(|line| line.starts_with("| `"));
    let row = |line: &'static str| {
        let mut cells = line.split('|').map(str::trim).skip(1);
        let (method, target) = cells.next()?.split('`').nth(1)?.split_once(" /")?;
        let target = format!("/{}", target.split('?').next()?.replace("{id}", NOBODY));
        Some(Row { method, target, token: cells.next()? })
    };
    let rows: Vec<Row> = rows.filter_map(row).collect();
    assert!(rows.len() > 20 && rows.iter().any(|row| !row.closed()), "{} rows are read", rows.len());
    rows
}

/// Routes of every kind: without a token, with one, reading, writing, none at all.
const KINDS: [(&str, &str); 7] = [
    ("GET", "/"),
    ("HEAD", "/main.js"),
    ("GET", "/healthz"),
    ("GET", "/api/v1/status"),
    ("GET", "/api/v1/images"),
    ("DELETE", "/api/v1/jobs/00112233445566778899aabbccddeeff"),
    ("GET", "/no/such/page"),
];

/// The routes that ask for a token.
fn routes() -> impl Iterator<Item = (Request, String)> {
    contract()
        .into_iter()
        .filter(|row| row.closed())
        .map(|row| (row.request(), format!("{} {}", row.method, row.target)))
}

#[test]
fn only_our_own_names_and_pages_get_past_the_guard() {
    let opened = Opened::new("guards");
    let port = opened.served.port;
    let own = format!("127.0.0.1:{port}");
    let other = [
        "evil.test",
        "127.0.0.1",
        "localhost",
        "127.0.0.1:80",
        "",
        "127.1:{}",
        "0.0.0.0:{}",
        "[::1]:{}",
        "localhost.:{}",
        "LOCALHOST:{}",
        "evil.test:{}",
        "127.0.0.1:{}0",
        "127.0.0.1:{}.evil.test",
        "127.0.0.1:{},127.0.0.1:{}",
        "user@127.0.0.1:{}",
    ];
    let other: Vec<String> = other.iter().map(|name| name.replace("{}", &port.to_string())).collect();
    // (field, value, status, code)
    let mut cases: Vec<(&str, String, u16, &str)> = Vec::new();
    for name in &other {
        cases.push(("Host", name.clone(), 421, "host"));
        if name != "localhost" {
            cases.push(("Origin", format!("http://{name}"), 403, "origin"));
        }
    }
    for origin in [
        "null",
        "",
        "file://",
        &format!("https://{own}"),
        &format!("HTTP://{own}"),
        &format!("http://{own}/"),
    ] {
        cases.push(("Origin", origin.to_owned(), 403, "origin"));
    }
    // Each of our names is a site of its own.
    cases.push(("Origin", format!("http://localhost:{port}"), 403, "origin"));
    for site in ["cross-site", "same-site", "CROSS-SITE", "Same-Origin", "", "none, none"] {
        cases.push(("Sec-Fetch-Site", site.to_owned(), 403, "cross_site"));
    }
    for upgrade in ["websocket", "h2c", ""] {
        cases.push(("Upgrade", upgrade.to_owned(), 403, "upgrade"));
    }
    for (method, target) in KINDS {
        for (name, value, status, code) in &cases {
            let request = Request::new(method, target).field(name, value);
            let answer = opened.ask(request);
            let what = format!("{method} {target} with {name}: {value}");
            match method {
                "HEAD" => assert_eq!(answer.status, *status, "{what}"),
                _ => refused(&answer, *status, code, &what),
            }
        }
        let doubled =
            |name: &str, value: &str| Request::new(method, target).field(name, value).field(name, value);
        assert_eq!(opened.ask(doubled("Host", &own)).status, 421);
        assert_eq!(opened.ask(doubled("Origin", &format!("http://{own}"))).status, 403);
        assert_eq!(opened.ask(doubled("Sec-Fetch-Site", "same-origin")).status, 403);
        let headless = raw(
            port,
            format!("{method} {target} HTTP/1.1\r\nConnection: close\r\n\r\n").as_bytes(),
            Duration::from_secs(1),
        );
        assert!(headless.starts_with("HTTP/1.1 421 "), "{headless}");
    }
    // A person with a forwarded port reads which address to use; the page is still a refusal, and repeats nothing.
    let browser =
        Request::get("/").field("Accept", "text/html,application/xhtml+xml").field("Host", "evil.test:8000");
    let page = opened.served.ask(&browser).is(421);
    assert_eq!(page.field("content-type"), Some("text/html; charset=utf-8"));
    assert!(
        page.field("content-security-policy").is_some_and(|policy| policy.contains("default-src 'none'"))
    );
    let page = String::from_utf8_lossy(&page.body).into_owned();
    let forward = format!("ssh -L {port}:127.0.0.1:{port} ");
    assert!(
        page.contains(&forward) && page.contains(&format!("http://{own}/")) && !page.contains("evil"),
        "{page}"
    );
    // What a browser sends from our own page, from the address bar, and under our other name.
    let page = |request: Request| opened.ask(request.field("Origin", &format!("http://{own}")));
    page(Request::get("/api/v1/jobs").field("Sec-Fetch-Site", "same-origin")).is(200);
    opened.ask(Request::get("/").field("Sec-Fetch-Site", "none")).is(200);
    let localhost = format!("localhost:{port}");
    let named = Request::get("/api/v1/jobs").field("Host", &localhost);
    opened.ask(named.field("Origin", &format!("http://{localhost}"))).is(200);
    // The address bar sends no POST and no DELETE.
    let posted = Request::post("/api/v1/jobs", &super::small()).field("Sec-Fetch-Site", "none");
    refused(&opened.ask(posted), 403, "cross_site", "a POST from nowhere");
    // Who asks changes nothing.
    for agent in ["", "curl/8.0", "Mozilla/5.0 (X11; Linux x86_64) Chrome/156.0"] {
        let request = Request::get("/api/v1/jobs").field("User-Agent", agent).field("Host", "evil.test");
        refused(&opened.ask(request), 421, "host", agent);
    }
    opened.end(0);
}

#[test]
fn no_other_method_and_no_form_gets_through() {
    let opened = Opened::new("methods");
    for method in ["PUT", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "BREW", "get", "Post"] {
        for target in ["/", "/api/v1/jobs", "/api/v1/session", "/no/such/page"] {
            let preflight = Request::new(method, target).field("Access-Control-Request-Method", "POST");
            refused(&opened.ask(preflight), 405, "method", &format!("{method} {target}"));
        }
    }
    // A known method at an address that does not know it.
    for (method, target) in
        [("DELETE", "/healthz"), ("DELETE", "/api/v1/jobs"), ("GET", "/api/v1/images:delete")]
    {
        refused(&opened.ask(Request::new(method, target)), 405, "method", &format!("{method} {target}"));
    }
    refused(&opened.ask(Request::post("/api/v1/status", &json!({}))), 405, "method", "POST of the status");
    // Nobody believes a header about the method.
    for name in ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"] {
        opened.ask(Request::get("/api/v1/session").field(name, "DELETE")).is(405);
    }
    assert_eq!(opened.status()["vault"], "unlocked");
    let kinds = [
        "text/plain",
        "text/plain; application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=latin1",
        "application/json, text/plain",
        "application/jsonp",
        "application/ld+json",
        "",
    ];
    let body = super::small().to_string();
    let post = |target: &str| Request::new("POST", target).body(body.as_bytes());
    for target in
        ["/api/v1/jobs", "/api/v1/session", "/api/v1/setup", "/api/v1/images:delete", "/no/such/page"]
    {
        for kind in kinds {
            let answer = opened.ask(post(target).field("Content-Type", kind));
            refused(&answer, 415, "content_type", &format!("{target} as {kind}"));
        }
        refused(&opened.ask(post(target)), 415, "content_type", target);
        let json = "application/json";
        let twice = post(target).field("Content-Type", json).field("Content-Type", json);
        refused(&opened.ask(twice), 415, "content_type", target);
    }
    opened.ask(post("/api/v1/jobs").field("Content-Type", "application/json; charset=utf-8")).is(202);
    let jobs = opened.ask(Request::get("/api/v1/jobs")).is(200).json();
    assert_eq!(jobs["jobs"].as_array().map(Vec::len), Some(1), "{jobs}");
    let id = jobs["jobs"][0]["id"].as_str().expect("a job has an id").to_owned();
    opened.until(&id, &["done"]);
    opened.end(1);
}

#[test]
fn without_the_token_nothing_is_answered() {
    let opened = Opened::new("token");
    let (served, token) = (&opened.served, &opened.token);
    let swapped: String = token.chars().rev().collect();
    for (request, what) in routes() {
        let query = format!("?token={token}&access_token={token}&authorization=Bearer%20{token}");
        let method = what.split(' ').next().expect("a method").to_owned();
        let target = format!("{}{query}", what.split(' ').nth(1).expect("a target"));
        let in_query = match method.as_str() {
            "POST" => Request::post(&target, &json!({"token": token})),
            _ => Request::new(&method, &target),
        };
        let bearer = |value: &str| request.clone().field("Authorization", value);
        let tries = [
            request.clone(),
            in_query,
            request
                .clone()
                .field("Cookie", &format!("token={token}; session={token}; Authorization=Bearer {token}")),
            request.clone().field("X-Token", token).field("Proxy-Authorization", &format!("Bearer {token}")),
            request.clone().token(&swapped),
            request.clone().token(&token[..63]),
            request.clone().token(&format!("{token}0")),
            request.clone().token(""),
            bearer(token),
            bearer(&format!("bearer {token}")),
            bearer(&format!("Bearer  {token}")),
            bearer(&format!("Basic {token}")),
            bearer(&format!("Bearer {token}, Bearer {token}")),
            request.clone().token(token).token(token),
            request.clone().token(token).token(&swapped),
        ];
        for (index, tried) in tries.iter().enumerate() {
            refused(&check(served, tried), 401, "token", &format!("try {index} of {what}"));
        }
    }
    // Addresses below /api/ that do not exist tell nothing about themselves.
    for target in
        ["/api", "/api/", "/api/v1", "/api/v1/", "/api/v2/jobs", "/api/v1/status/", "/api/v1/nothing"]
    {
        let status = check(served, &Request::get(target)).status;
        assert!([401, 404].contains(&status), "{target}: {status}");
    }
    assert_eq!(opened.status()["vault"], "unlocked");
    // None of it did anything, and the token still works, once.
    assert_eq!(opened.ask(Request::get("/api/v1/jobs")).is(200).json(), json!({"jobs": []}));
    opened.ask(Request::new("DELETE", "/api/v1/session")).is(204);
    for (request, what) in routes() {
        refused(&opened.ask(request), 401, "token", &format!("after the lock: {what}"));
    }
    assert_eq!(opened.status()["vault"], "locked");
    serves(served, "locked");
    opened.end(0);
}

#[test]
fn each_route_admits_whom_it_declares_and_what_is_not_declared_admits_nobody() {
    let opened = Opened::new("declared");
    let port = opened.served.port;
    let wrong: String = opened.token.chars().rev().collect();
    let status = |request: &Request, token: Option<&str>| {
        let request = token.into_iter().fold(request.clone(), |request, token| request.token(token));
        // Event streams have no end: the head says enough.
        request.start(port).unwrap_or_else(|error| panic!("{error}")).status
    };
    let mut rows = contract();
    // The one that ends the session comes last.
    rows.sort_by_key(|row| row.method == "DELETE" && row.target.ends_with("/session"));
    for row in &rows {
        let what = format!("{} {}", row.method, row.target);
        for token in [None, Some(&*wrong)] {
            assert_eq!(status(&row.request(), token) == 401, row.closed(), "{what} with {token:?}");
        }
        if row.method == "GET" {
            let head = status(&Request::new("HEAD", &row.target), Some(&opened.token));
            assert_eq!(head == 405, row.closed(), "HEAD {}", row.target);
        }
        assert_ne!(status(&row.request(), Some(&opened.token)), 401, "{what}");
    }
    let again = Opened::unlock(&opened.served);
    for target in
        ["/no/such/page", "/metrics", "/api", "/api/v1", "/api/v1/nothing", "/api/v2/jobs", "/v1/jobs"]
    {
        for (method, token) in [("GET", None), ("GET", Some(&wrong)), ("DELETE", None), ("GET", Some(&again))]
        {
            let request = Request::new(method, target);
            let request = token.into_iter().fold(request, |request, token| request.token(token));
            refused(&check(&opened.served, &request), 404, "not_found", &format!("{method} {target}"));
        }
    }
    opened.end(0);
}
