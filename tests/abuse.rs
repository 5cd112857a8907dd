//! The server asked by somebody who means no good, over its port and byte by byte.
//!
//! - `guards`: other names, other sites, other methods, other types, no token
//! - `paths`: addresses that are no addresses
//! - `fields`: every field of every body with what does not belong there
//! - `malformed`: what is no HTTP, or two requests in one
//! - `limits`: too large, too slow, too many, and gone in the middle
//! - `queue`: more requests than there is room for, and cancelling
//! - `guesses`: passphrases and setup codes, tried one after another and side by side

mod fields;
pub mod guards;
mod guesses;
mod limits;
mod malformed;
mod paths;
mod queue;

use crate::harness::{Home, PASSPHRASE};
use crate::http::{Answer, Request, connect};
use crate::served::Served;
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Stands in what is sent and must not be said: no answer repeats a text that was sent.
pub const CANARY: &str = "quokka";
/// No limit, length or time is this number.
pub const NUMBER: i64 = 7_318_263_915;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

const FIXED: [(&str, &str); 9] = [
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-embedder-policy", "require-corp"),
    ("cross-origin-resource-policy", "same-origin"),
    ("origin-agent-cluster", "?1"),
    ("cache-control", "no-store"),
];

/// All that API.md names.
const CODES: [&str; 47] = [
    "method",
    "host",
    "origin",
    "cross_site",
    "upgrade",
    "content_type",
    "token",
    "not_found",
    "body",
    "too_large",
    "too_slow",
    "prompt",
    "size",
    "steps",
    "seed",
    "parameter",
    "policy",
    "queue_full",
    "passphrase",
    "weak_passphrase",
    "locked_out",
    "setup_code",
    "setup_done",
    "locked",
    "no_vault",
    "confirm",
    "state",
    "key_reused",
    "space",
    "damaged",
    "log",
    "engine",
    "posture",
    "stopping",
    "internal",
    "outputs",
    "unrecorded",
    "unfinished",
    "old_key_remains",
    "uncertain",
    "memory",
    "role",
    "trying",
    "reading",
    "evidence",
    "bundle_large",
    "controller_file",
];

/// A server whose vault was set up, and a session in it. The server ends before its home is removed.
pub struct Opened {
    pub served: Served,
    pub home: Home,
    pub token: String,
}

impl Opened {
    pub fn new(test: &str) -> Opened {
        let home = Home::furnished(test);
        let served = Served::start(&home);
        Opened::set_up(home, served)
    }

    /// In a home and a server that are there already.
    #[track_caller]
    pub fn set_up(home: Home, served: Served) -> Opened {
        let wish = json!({"code": served.setup_code(), "passphrase": PASSPHRASE});
        let token = token_of(&check(&served, &Request::post("/api/v1/setup", &wish)).is(201));
        Opened { served, home, token }
    }

    /// Begins one more session, as after a restart.
    #[track_caller]
    pub fn unlock(served: &Served) -> String {
        let wish = json!({"passphrase": PASSPHRASE});
        token_of(&check(served, &Request::post("/api/v1/session", &wish)).is(201))
    }

    /// Asks with the token.
    #[track_caller]
    pub fn ask(&self, request: Request) -> Answer {
        check(&self.served, &request.token(&self.token))
    }

    #[track_caller]
    pub fn submit(&self, wish: Value) -> String {
        let job = self.ask(Request::post("/api/v1/jobs", &wish)).is(202).json();
        job["id"].as_str().unwrap_or_else(|| panic!("{job}")).to_owned()
    }

    #[track_caller]
    pub fn job(&self, id: &str) -> Value {
        self.ask(Request::get(&format!("/api/v1/jobs/{id}"))).is(200).json()
    }

    /// Waits until the job has one of these states.
    #[track_caller]
    pub fn until(&self, id: &str, states: &[&str]) -> Value {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let job = self.job(id);
            if states.iter().any(|state| job["status"] == *state) {
                return job;
            }
            assert!(Instant::now() < until, "not {states:?} for a minute: {job}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A request that keeps the engine busy until it is cancelled, in work when this returns.
    #[track_caller]
    pub fn busy(&self) -> String {
        let id = self.submit(long());
        self.until(&id, &["running"]);
        id
    }

    #[track_caller]
    pub fn total(&self) -> u64 {
        let page = self.ask(Request::get("/api/v1/images?limit=1")).is(200).json();
        page["total"].as_u64().unwrap_or_else(|| panic!("{page}"))
    }

    #[track_caller]
    pub fn status(&self) -> Value {
        check(&self.served, &Request::get("/api/v1/status")).is(200).json()
    }

    /// Ends the server in order, and shows that nothing was lost.
    #[track_caller]
    pub fn end(self, pictures: u64) -> Home {
        self.end_after(0, pictures)
    }

    /// The same after so many kills while it made pictures.
    #[track_caller]
    pub fn end_after(self, kills: usize, pictures: u64) -> Home {
        let ran = self.served.stop().ends(0, &[]);
        assert!(!ran.stderr.contains("panicked"), "{ran:#?}");
        self.home.is_whole_after(kills, pictures);
        self.home
    }
}

/// A picture that costs next to nothing.
pub fn small() -> Value {
    json!({"prompt": "a red apple", "width": 16, "height": 16, "steps": 1})
}

/// One that takes minutes.
pub fn long() -> Value {
    json!({"prompt": "a long way", "width": 256, "height": 256, "steps": 100, "count": 16})
}

#[track_caller]
pub fn token_of(answer: &Answer) -> String {
    let answer = answer.json();
    let token = answer["token"].as_str().unwrap_or_else(|| panic!("{answer}"));
    assert!(token.len() == 64 && token.bytes().all(|b| b.is_ascii_hexdigit()), "{token}");
    token.to_owned()
}

/// Asks, and holds the answer against what must be true of every one.
#[track_caller]
pub fn check(served: &Served, request: &Request) -> Answer {
    let answer = served.ask(request);
    if let Err(what) = sound(&answer, format!("{request:?}").contains("method: \"POST\"")) {
        panic!("{what}: {answer:?} to {request:?}");
    }
    answer
}

/// What must be true of every answer.
fn sound(answer: &Answer, posted: bool) -> Result<(), String> {
    for (name, value) in FIXED {
        let all: Vec<_> = answer.fields.iter().filter(|(known, _)| known == name).collect();
        if all.len() != 1 || all[0].1 != value {
            return Err(format!("{name} is {all:?}, not {value}"));
        }
    }
    let features = answer.field("permissions-policy").unwrap_or_default();
    for feature in ["clipboard-read=()", "clipboard-write=()", "camera=()", "microphone=()", "geolocation=()"]
    {
        if !features.split(", ").any(|known| known == feature) {
            return Err(format!("permissions-policy has no {feature}"));
        }
    }
    if let Some((name, _)) = answer
        .fields
        .iter()
        .find(|(name, _)| name.starts_with("access-control-") || name == "set-cookie" || name == "server")
    {
        return Err(format!("{name} is sent"));
    }
    if posted && answer.field("connection") != Some("close") {
        return Err("the connection goes on after a POST".to_owned());
    }
    let text = String::from_utf8_lossy(&answer.body);
    if text.contains(CANARY) {
        return Err("it repeats what was sent".to_owned());
    }
    // A HEAD has no document to look at.
    if answer.status < 400 || answer.body.is_empty() && answer.field("content-length") != Some("0") {
        return Ok(());
    }
    if answer.field("content-type") != Some("application/problem+json") {
        return Err(format!("content-type is {:?}", answer.field("content-type")));
    }
    let problem: Value = serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
    let known = problem["code"].as_str().is_some_and(|code| CODES.contains(&code));
    let whole =
        problem["type"] == "about:blank" && problem["title"].is_string() && problem["detail"].is_string();
    let after = answer.field("retry-after").and_then(|text| text.parse::<u64>().ok());
    if problem["status"] != answer.status || !known || !whole || problem["retry_after_s"].as_u64() != after {
        return Err("not the problem document of the contract".to_owned());
    }
    Ok(())
}

/// It must be this problem.
#[track_caller]
pub fn refused(answer: &Answer, status: u16, code: &str, what: &str) {
    let said = String::from_utf8_lossy(&answer.body);
    let known = serde_json::from_slice::<Value>(&answer.body).map(|problem| problem["code"] == code);
    assert!(
        answer.status == status && known.unwrap_or(false),
        "{what}: {} {said}, not {code}",
        answer.status
    );
}

/// Sends bytes that need be no HTTP, and reads until the server closes or `wait` is over without a byte.
pub fn raw(port: u16, bytes: &[u8], wait: Duration) -> String {
    let mut stream = connect(port);
    stream.set_read_timeout(Some(wait)).expect("a time can be set");
    // Who refuses may close before the end.
    let _ = stream.write_all(bytes);
    read_all(&mut stream)
}

/// Everything until the end, a reset, or the read timeout.
pub fn read_all(stream: &mut TcpStream) -> String {
    let (mut all, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = stream.read(&mut piece) {
        all.extend_from_slice(&piece[..count]);
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// The server still answers, and at once.
#[track_caller]
pub fn serves(served: &Served, what: &str) {
    let begun = Instant::now();
    check(served, &Request::get("/healthz").wait(Duration::from_secs(10))).is(200);
    assert!(begun.elapsed() < Duration::from_secs(5), "{what}: it took {:?}", begun.elapsed());
}
