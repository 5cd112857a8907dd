//! Where a prompt and a passphrase must not be found after a picture was made, and a picture neither.

use crate::browser::driver::{Browser, SOON};
use crate::browser::network::{headers, urls};
use crate::browser::studio::Studio;
use crate::harness::{Home, PASSPHRASE, is_root_for};
use crate::http::Request;
use crate::secrecy::found_in_memory;
use crate::served::Served;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const PROMPT: &str = "zymurgical quokka nightingale";
const NEGATIVE: &str = "vermilion ptarmigan";
const WORDS: [&str; 5] = ["zymurgical", "quokka", "nightingale", "vermilion", "ptarmigan"];

/// All that a page can keep in the browser beyond its own end.
const KEPT: &str =
    "const kept = [document.title, document.cookie, window.name, JSON.stringify(history.state),
                        JSON.stringify({ ...localStorage }), JSON.stringify({ ...sessionStorage })];
                    for (const { name } of await indexedDB.databases()) kept.push('database ' + name);
                    for (const name of await caches.keys()) kept.push('cache ' + name);
                    const workers = await navigator.serviceWorker.getRegistrations();
                    kept.push('workers ' + workers.length);
                    return kept.join('\\n');";

#[test]
fn a_prompt_leaves_no_trace_in_files_addresses_logs_or_memory() {
    if !is_root_for("reading the program's memory") {
        return;
    }
    let home = Home::furnished("traces");
    let mut program = home.program(&["serve", "--port", "0", "--home", &home.at("state")]);
    let served = Served::run(program.env("LIGHTPROOF_LOG", "trace").env("RUST_BACKTRACE", "full"));
    let studio = Studio { browser: Browser::open(&home), served, home };
    let browser = &studio.browser;
    studio.set_up();
    studio.describe(PROMPT, (256, 256), 8, 1);
    browser.fill("#negative", NEGATIVE);
    browser.click("#generate");
    let id = studio.finished();
    studio.shows(1);
    studio.has_area("#history li img");
    // Looked for: in this page and nowhere else.
    browser.click("#to-gallery");
    browser.fill("#search", PROMPT);
    browser.until("find it", SOON, || browser.text(".bar [role=status]").starts_with("1 of").then_some(()));
    browser.click("#to-studio");
    // Words where a number belongs, and one is refused, and one is cancelled.
    browser.fill("#seed", PROMPT);
    browser.click("#generate");
    browser.fill("#seed", "1");
    browser.fill("#steps", "0");
    browser.click("#generate");
    studio.begin(PROMPT, 100);
    browser.click("#cancel");
    browser.see_no("#progress");

    // The page is still open, and so is the session: it keeps what was typed in it, and nothing else.
    let pid = studio.served.pid();
    let typed = studio.api(Request::post("/api/v1/prompts", &serde_json::json!({})));
    assert_eq!(typed["prompts"].as_array().map(Vec::len), Some(2), "{typed}");
    assert_eq!(typed["prompts"][1]["prompt"], PROMPT);
    assert_ne!(found_in_memory(pid, studio.home.at("state").as_bytes()), [""; 0], "the scan finds nothing");
    vanish(pid, &[NEGATIVE, PASSPHRASE]);

    let token = browser.script("return sessionStorage.getItem('token')", &[]);
    let token = token.as_str().expect("there is a session");
    let read = |what: &str| {
        let request = Request::get(&format!("/api/v1/images/{id}/{what}")).token(token);
        studio.served.ask(&request).is(200).body
    };
    let pictures = [read("content"), read("thumbnail")];
    let kept = browser.script_async(KEPT, &[]).to_string();
    assert!(kept.contains(token) && kept.contains("workers 0"), "{kept}");
    // The browser remembers what stood in a form when it goes on to another page.
    browser.goto(&format!("{}/healthz", studio.served.origin()));
    studio.served.ask(&Request::new("DELETE", "/api/v1/session").token(token)).is(204);
    vanish(pid, &[PROMPT, NEGATIVE, PASSPHRASE]);
    let performance = browser.performance();
    let addresses: Vec<&str> = urls(&performance).collect();
    assert!(addresses.iter().any(|url| url.ends_with("/preview")), "{addresses:?}");
    let headers = headers(&performance);
    assert!(headers.contains(token), "no token in {headers}");
    let console = format!("{:?}", browser.console());
    let said = [kept, addresses.join("\n"), headers, console, studio.served.stdout(), studio.served.stderr()];
    for word in WORDS {
        let found = said.iter().find(|said| said.contains(word) || said.contains(&word.replace(' ', "%20")));
        assert_eq!(found, None, "{word}");
    }

    let origin = studio.served.origin();
    let home = studio.close();
    let profile = home.path().join("profile");
    let control = home.files_with(origin.as_bytes());
    assert!(
        control.iter().any(|path| path.starts_with(&profile)),
        "the profile holds no address: {control:?}"
    );
    for word in WORDS {
        assert_eq!(found_in_files(&home, word), [""; 0].map(PathBuf::from), "{word}");
    }
    assert_eq!(found_in_files(&home, PASSPHRASE), [home.path().join("pass")]);
    for picture in &pictures {
        for run in picture.chunks_exact(64).step_by(16) {
            assert_eq!(home.files_with(run), [""; 0].map(PathBuf::from), "a plain picture");
        }
    }
    home.is_whole(1);
}

/// Waits until the memory of a process holds none of them.
#[track_caller]
fn vanish(pid: u32, secrets: &[&str]) {
    let until = Instant::now() + Duration::from_secs(5);
    loop {
        let found: Vec<_> =
            secrets.iter().map(|secret| (secret, found_in_memory(pid, secret.as_bytes()))).collect();
        if found.iter().all(|(_, found)| found.is_empty()) {
            break;
        }
        assert!(Instant::now() < until, "{found:#?}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// In UTF-8, and in UTF-16 as browsers write it.
fn found_in_files(home: &Home, text: &str) -> Vec<PathBuf> {
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    [home.files_with(text.as_bytes()), home.files_with(&wide)].concat()
}
