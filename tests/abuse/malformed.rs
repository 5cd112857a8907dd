//! What is no HTTP, or two requests in one: refused or cut off, and the server goes on.

use super::{Opened, raw, serves};
use std::time::Duration;

/// What a server says of itself to whoever got a second request through.
const SECOND: &str = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n";

/// Requests that must be refused or cut off, `PORT` for the port. None of them may be answered twice.
fn senseless() -> Vec<String> {
    let post = "POST /api/v1/session HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nContent-Type: application/json\r\n";
    let get = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n";
    let mut all = Vec::new();
    let mut add = |text: String| all.push(text);
    // Two ideas of where the body ends.
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "Content-Length: 0\r\nContent-Length: 44\r\n\r\n",
        "Content-Length: 0, 44\r\n\r\n",
        "Content-Length: +0\r\n\r\n",
        "Content-Length: -1\r\n\r\n",
        "Content-Length: 0x10\r\n\r\n",
        "Content-Length: 18446744073709551616\r\n\r\n",
        "Content-Length: \r\n\r\n",
        "Transfer-Encoding: identity\r\n\r\n",
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nx\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        "Transfer-Encoding: chunked\r\n\r\n1\r\n{}}\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n2\r\n{}0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 9\r\n",
    ] {
        add(format!("{post}{fields}{SECOND}"));
    }
    // Heads that are none.
    for fields in [
        "X-A: a\r\n folded\r\n\r\n",
        "X-A: a\r\n\tfolded\r\n\r\n",
        "no colon\r\n\r\n",
        ": no name\r\n\r\n",
        "X A: a\r\n\r\n",
        "X-A : a\r\n\r\n",
        "X-A: a\0b\r\n\r\n",
        "X\0A: a\r\n\r\n",
        "X-A: a\rb: c\r\n\r\n",
        "X-\u{e4}: a\r\n\r\n",
    ] {
        add(format!("{get}{fields}"));
    }
    for line in [
        "GET /healthz\r\n\r\n",
        "GET /healthz HTTP/0.9\r\nHost: 127.0.0.1:PORT\r\n\r\n",
        "GET /healthz HTTP/2.0\r\nHost: 127.0.0.1:PORT\r\n\r\n",
        "GET /healthz HTTP/1.10\r\nHost: 127.0.0.1:PORT\r\n\r\n",
        "GET /healthz HTTP/1.1 x\r\nHost: 127.0.0.1:PORT\r\n\r\n",
        "GET  /healthz HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n",
        "GET /healthz HTTP/1.0\r\n\r\n",
        "GET /healthz HTTP/1.1\r\n\r\n",
        "GET http://evil.test/healthz HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n",
        "GET http://127.0.0.1:PORT@evil.test/healthz HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n",
        "GET http://127.0.0.1:PORT/healthz HTTP/1.1\r\nHost: evil.test\r\n\r\n",
        "GET evil.test:80 HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n",
        "CONNECT 127.0.0.1:PORT HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n",
        "CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test:443\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n",
        "G\u{1}T /healthz HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}",
        "\0\0\0\0\0\0\0\0\r\n\r\n",
        "\r\n\r\n\r\n\r\n",
        "helo evil.test\r\nmail from:<a>\r\n",
        "EHLO\n\n",
    ] {
        add(line.to_owned());
    }
    all
}

#[test]
fn what_is_no_http_is_refused_and_nothing_is_smuggled() {
    let opened = Opened::new("malformed");
    let port = opened.served.port;
    // Side by side, since some of them are only cut off by the clock.
    let threads: Vec<_> = senseless()
        .into_iter()
        .map(|text| {
            let text = text.replace("PORT", &port.to_string());
            std::thread::spawn(move || {
                let said = raw(port, text.as_bytes(), Duration::from_secs(2));
                let answers = said.matches("HTTP/1.").count();
                let refused =
                    said.is_empty() || said.starts_with("HTTP/1.1 4") || said.starts_with("HTTP/1.0 4");
                (!refused || answers > 1 || said.contains("\"ok\"")).then(|| format!("{text:?}: {said:?}"))
            })
        })
        .collect();
    let found: Vec<String> =
        threads.into_iter().filter_map(|thread| thread.join().expect("it connects")).collect();
    assert_eq!(found, [""; 0], "{} of them", found.len());
    serves(&opened.served, "after everything malformed");
    assert_eq!(opened.status()["vault"], "unlocked");
    let home = opened.end(0);
    assert_eq!(home.count_records(&["vault.unlock_failed"]), 0);
}

/// Several requests in one packet are several requests, and each of them meets the guard.
#[test]
fn requests_in_a_row_are_answered_one_by_one() {
    let opened = Opened::new("pipelined");
    let (port, token) = (opened.served.port, &opened.token);
    let get =
        |target: &str, more: &str| format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{more}\r\n");
    let row = [
        get("/healthz", ""),
        get("/api/v1/jobs", &format!("Authorization: Bearer {token}\r\n")),
        get("/api/v1/jobs", ""),
        get("/healthz", "Origin: null\r\n"),
        get("/readyz", "Connection: close\r\n"),
        get("/healthz", ""),
    ];
    let said = raw(port, row.concat().as_bytes(), Duration::from_secs(5));
    let answers: Vec<&str> =
        said.split("HTTP/1.1 ").skip(1).map(|answer| answer.get(..3).unwrap_or_default()).collect();
    assert_eq!(answers, ["200", "200", "401", "403", "200"], "{said}");
    // Behind a POST nothing is read any more.
    let post = format!(
        "POST /api/v1/jobs HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n\
         Authorization: Bearer {token}\r\nContent-Length: 2\r\n\r\n{{}}"
    );
    let said = raw(port, [post, get("/healthz", "")].concat().as_bytes(), Duration::from_secs(5));
    assert_eq!(said.matches("HTTP/1.1 ").count(), 1, "{said}");
    assert!(said.starts_with("HTTP/1.1 400 "), "{said}");
    // An old client that names the host is answered and let go.
    let old = format!("GET /healthz HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n");
    let said = raw(port, old.as_bytes(), Duration::from_secs(5));
    assert!(said.contains(" 200 OK\r\n"), "{said}");
    opened.end(0);
}
