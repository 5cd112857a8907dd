//! Whom a browser spoke to, as its own logs tell.

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// The addresses of requests and sockets that left `origin`; `blob:` and `data:` go nowhere.
pub fn strangers(performance: &[Value], origin: &str) -> Vec<String> {
    let own = [format!("{origin}/"), format!("{}/", origin.replace("http:", "ws:"))];
    let goes_out =
        |url: &&str| ["http:", "https:", "ws:", "wss:", "ftp:"].iter().any(|scheme| url.starts_with(scheme));
    let strange = |url: &&str| own.iter().all(|own| !url.starts_with(own.as_str()));
    urls(performance).filter(goes_out).filter(strange).map(str::to_owned).collect()
}

/// The address of every request and socket.
pub fn urls(performance: &[Value]) -> impl Iterator<Item = &str> {
    performance.iter().filter_map(|event| match event["method"].as_str()? {
        "Network.requestWillBeSent" => event["params"]["request"]["url"].as_str(),
        "Network.webSocketCreated" | "Network.webTransportCreated" => event["params"]["url"].as_str(),
        _ => None,
    })
}

/// The headers of every request and answer, as JSON.
pub fn headers(performance: &[Value]) -> String {
    let parts = performance.iter().flat_map(|event| {
        let params = &event["params"];
        [&params["headers"], &params["request"]["headers"], &params["response"]["headers"]]
    });
    parts.filter(|headers| !headers.is_null()).map(Value::to_string).collect()
}

/// Every address that Chromium connected to, tried to, or sent something, from its net log, which is whole when it has
/// ended. (To see which way there is, it also names addresses to the kernel without sending anything.)
#[track_caller]
pub fn contacts(net_log: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(net_log);
    let text = text.unwrap_or_else(|error| panic!("{}: {error}", net_log.display()));
    let log: Value =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", net_log.display()));
    let types = log["constants"]["logEventTypes"].as_object().expect("the log names its events");
    let events = log["events"].as_array().expect("the log has events");
    let of = |name: &str| {
        let number = types.get(name).unwrap_or_else(|| panic!("{name} is no event of this Chromium"));
        events.iter().filter(|event| event["type"] == *number).collect::<Vec<_>>()
    };
    let sent = of("UDP_BYTES_SENT");
    let mut contacts = of("UDP_CONNECT");
    contacts.retain(|named| sent.iter().any(|sent| sent["source"]["id"] == named["source"]["id"]));
    contacts.extend(of("TCP_CONNECT_ATTEMPT"));
    contacts.iter().filter_map(|event| event["params"]["address"].as_str().map(str::to_owned)).collect()
}

#[test]
fn a_request_to_somebody_else_is_found() {
    let sent = |url: &str| serde_json::json!({"method": "Network.requestWillBeSent", "params": {"request": {"url": url}}});
    let own = ["http://127.0.0.1:7860/", "blob:http://127.0.0.1:7860/1", "data:,x"].map(sent);
    assert_eq!(strangers(&own, "http://127.0.0.1:7860"), [""; 0]);
    let strange = ["http://127.0.0.1:78601/", "https://fonts.example/a.woff2", "http://localhost:7860/"];
    assert_eq!(strangers(&strange.map(sent), "http://127.0.0.1:7860"), strange);
    let socket =
        serde_json::json!({"method": "Network.webSocketCreated", "params": {"url": "wss://a.example/"}});
    assert_eq!(strangers(&[socket], "http://127.0.0.1:7860"), ["wss://a.example/"]);
}
