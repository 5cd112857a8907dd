//! Addresses that are no addresses: they end in 400 or 404, never in a file or a picture.

use super::{CANARY, Opened, check, raw};
use crate::http::Request;
use std::time::Duration;

#[test]
fn an_address_is_never_a_path() {
    let opened = Opened::new("paths");
    let id = opened.submit(super::small());
    let job = opened.until(&id, &["done"]);
    let picture = job["images"][0].as_str().expect("a picture").to_owned();
    let tricks = [
        "..",
        ".",
        "%2e%2e",
        "..%2f..%2f..%2fetc%2fpasswd",
        "%2fetc%2fpasswd",
        "..%5c..",
        "%00",
        "%ff%fe",
        "%",
        "%zz",
        "%c0%ae%c0%ae",
        "\u{202e}",
        "*",
        ";",
        "a;b=c",
        &picture.to_uppercase(),
        &format!("{picture}0"),
        &format!("{picture}%00"),
        &format!("%20{picture}"),
        &format!("{picture}.png"),
        &picture[..31],
        &format!("+{}", &picture[..31]),
        &"0".repeat(4096),
        CANARY,
    ]
    .map(str::to_owned);
    let mut targets = Vec::new();
    for trick in &tricks {
        for place in ["/{}", "/api/v1/jobs/{}", "/api/v1/jobs/{}/preview", "/api/v1/jobs/{}/events"] {
            targets.push(("GET", place.replace("{}", trick)));
        }
        for place in ["/api/v1/images/{}", "/api/v1/images/{}/content", "/api/v1/images/{}/thumbnail"] {
            targets.push(("GET", place.replace("{}", trick)));
        }
        targets.push(("DELETE", format!("/api/v1/images/{trick}")));
        targets.push(("DELETE", format!("/api/v1/jobs/{trick}")));
        targets.push(("POST", format!("/api/v1/images/{trick}/export")));
    }
    for place in [
        "/../etc/passwd",
        "/./main.js",
        "/pages/main.js",
        "/main.js/",
        "/main.js%00",
        "/main%2ejs",
        "/MAIN.JS",
        "/.",
        "/proc/self/environ",
        "/api/v1/images/",
        "/api/v1/images//content",
        "/api/v1/jobs/../images",
        "/api/v1//jobs",
        "/favicon.ico",
        "/robots.txt",
    ] {
        targets.push(("GET", place.to_owned()));
    }
    for (method, target) in &targets {
        let request = match *method {
            "POST" => Request::post(target, &serde_json::json!({})),
            _ => Request::new(method, target),
        };
        let bare = opened.served.ask(&request.clone().token(&opened.token));
        if bare.status == 400 && bare.body.is_empty() {
            continue; // no HTTP: it reached no route
        }
        let answer = opened.ask(request);
        assert!([400, 404].contains(&answer.status), "{method} {target}: {answer:?}");
    }
    // Nor does another spelling of a closed address get round the token.
    for target in [
        "/%61pi/v1/images",
        "//api/v1/images",
        "/x/../api/v1/images",
        "/api%2fv1/images",
        "/API/v1/images",
        "/api/V1/images",
        "/api/v1/status/../images",
        "/api/v1/status?/../images",
    ] {
        let answer = check(&opened.served, &Request::get(target));
        let text = String::from_utf8_lossy(&answer.body);
        assert!(!text.contains(&picture) && !text.contains("\"images\""), "{target}: {text}");
    }
    for target in ["main.js", "", "api/v1/jobs", "file:///etc/passwd", "/a b", "/a\tb", "/\u{0}", "/#x y"] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", opened.served.port);
        let said = raw(opened.served.port, request.as_bytes(), Duration::from_secs(2));
        let refused = said.is_empty() || said.starts_with("HTTP/1.1 4");
        assert!(refused && !said.contains("root:"), "{target:?}: {said}");
    }
    assert_eq!(opened.total(), 1);
    opened.end(1);
}
