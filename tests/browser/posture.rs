//! The badge and what lies behind it, before the unlock and after it, in both languages.

use crate::browser::driver::{Browser, SOON};
use crate::browser::studio::Studio;
use crate::harness::Home;
use crate::served::Served;
use serde_json::json;

/// Sentences of the dialog without a Chinese character; answers of the kernel, addresses and names of its parts are none.
const FOREIGN: &str = "return [...document.querySelectorAll('#posture :is(p, h2, h3, td, th, dt, span, strong, summary, button)')]
    .flatMap((element) => [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE))
    .map((node) => node.data.trim())
    .filter((text) => /[a-z]{2,}/i.test(text) && !/[\\u4e00-\\u9fff]/.test(text) && !/^(E[A-Z]+|umask \\d+|Landlock ABI)$/.test(text));";

#[test]
fn what_needs_a_person_comes_first_and_every_sentence_is_in_both_languages() {
    let studio = Studio::ready("posture");
    let browser = &studio.browser;
    studio.speak_chinese();
    browser.click("#badge");
    browser.see("#posture .fences li");
    assert_eq!(browser.script(FOREIGN, &[]), json!([]));
    let states = "return [...document.querySelectorAll('#posture .fences .state')].map((state) => state.dataset.state)";
    let states = browser.script(states, &[]);
    let states: Vec<&str> =
        states.as_array().into_iter().flatten().filter_map(|state| state.as_str()).collect();
    assert_eq!(states.len(), 10);
    assert!(states.is_sorted_by_key(|state| *state == "green"), "{states:?}");
    // The verdict names each of them, and the remedy.
    let weak = states.iter().filter(|state| **state != "green").count();
    assert_eq!(browser.count("#posture .verdict p"), weak);
    browser.click("#posture .actions button:last-child");
    browser.click("#language");
    browser.until("speak English", SOON, || (browser.attribute("html", "lang")? == "en").then_some(()));
    browser.click("#badge");
    browser.see("#posture .fences li");
    let processes =
        "return [...document.querySelectorAll('#posture .facts dt')].map((term) => term.textContent)
                     .filter((text) => text.startsWith('Process '));";
    let named = ["Process that starts the others", "Process with the keys", "Process with the model"];
    assert_eq!(browser.script(processes, &[]), json!(named));
    // A set that is empty as it must be does not read as if it were set.
    let rows = "return [...document.querySelectorAll('#posture tr')].map((row) => row.textContent)
                .filter((text) => /Cap(Eff|Prm|Inh|Amb)/.test(text));";
    let rows = browser.script(rows, &[]);
    let rows: Vec<&str> = rows.as_array().into_iter().flatten().filter_map(|row| row.as_str()).collect();
    assert_eq!(rows.len(), 8, "{rows:?}");
    assert!(rows.iter().all(|row| row.contains("is empty") && !row.ends_with("set")), "{rows:?}");
    studio.close().is_whole(0);
}

#[test]
fn before_the_unlock_the_badge_shows_what_was_found_and_tries_nothing() {
    let studio = Studio::new("posture-before");
    let browser = &studio.browser;
    browser.goto(&studio.served.origin());
    browser.see("#setup-code");
    browser.click("#badge");
    browser.see("#posture .fences li");
    assert_eq!(browser.count("#posture .fences li"), 10);
    assert_eq!(browser.count("#posture table"), 0);
    browser.see_no("#posture button.primary");
    let asked = browser.performance();
    let asked: Vec<&str> = crate::browser::network::urls(&asked).collect();
    assert!(asked.iter().any(|url| url.ends_with("/api/v1/status")), "{asked:?}");
    assert!(!asked.iter().any(|url| url.ends_with("/api/v1/posture")), "{asked:?}");
    studio.set_up();
    studio.close().is_whole(0);
}

#[test]
fn how_far_the_copy_of_the_checkpoint_goes_is_said_and_what_keeps_it() {
    let home = Home::furnished("posture-copy");
    std::fs::create_dir(home.path().join("stick")).expect("a home can be written");
    home.policy(format!("schema = 1\ncheckpoint_copy = \"{}\"\n", home.at("stick")).as_bytes());
    let studio = Studio { served: Served::start(&home), browser: Browser::open(&home), home };
    studio.set_up();
    let browser = &studio.browser;
    let facts = "return [...document.querySelectorAll('#posture .facts div, #posture .facts')].map((of) => of.textContent).join()";
    let says = |words: &str| browser.script(facts, &[]).as_str().is_some_and(|text| text.contains(words));
    browser.click("#badge");
    browser.until("say how far it goes", SOON, || says("Checkpoint kept elsewhereCovers").then_some(()));
    assert_eq!(browser.count("#posture .verdict code"), 0);
    std::fs::rename(studio.home.path().join("stick"), studio.home.path().join("out")).expect("it is ours");
    browser.until("say what keeps it", SOON, || {
        std::thread::sleep(std::time::Duration::from_secs(1));
        browser.click("#posture button.primary");
        browser.see("#posture .verdict");
        (browser.count("#posture .verdict code") == 1).then_some(())
    });
    assert!(browser.text("#posture .verdict").contains("could not be copied"));
    assert_eq!(browser.attribute("#posture .verdict", "data-state").as_deref(), Some("amber"));
    studio.close();
}
