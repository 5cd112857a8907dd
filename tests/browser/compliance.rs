//! The controls in the studio: nothing is tried before somebody asks, what is broken comes first, and both languages say all of it.

use crate::browser::driver::{Browser, SOON, keys};
use crate::browser::studio::Studio;
use crate::harness::Home;
use crate::served::Served;
use serde_json::{Value, json};
use std::process::Command;

/// Sentences of the dialog without a Chinese character. Facts, conditions, clauses, ids and numbers are none.
const FOREIGN: &str = "return [...document.querySelectorAll('#compliance-dialog :is(p, h2, h3, dt, dd, th, td, span, summary, button, option, label)')]
    .flatMap((element) => [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE))
    .map((node) => node.data.trim())
    .filter((text) => / [a-z]{3,} /i.test(text) && !/[\\u4e00-\\u9fff]/.test(text) && !/[=≤≥]/.test(text));";

/// Keys in the place of texts.
const KEYS: &str = "return [...document.querySelectorAll('#compliance-dialog *')]
    .flatMap((element) => [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE))
    .map((node) => node.data.trim())
    .filter((text) => /^(compliance|controls|framework|outcome|log)(\\.[a-z_A-Z-]+)+$/.test(text));";

/// The outcomes in the order in which they are shown.
fn outcomes(studio: &Studio) -> Vec<String> {
    let shown = "return [...document.querySelectorAll('#controls > section > details')].map((one) => one.dataset.outcome)";
    let shown = studio.browser.script(shown, &[]);
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    shown.as_array().into_iter().flatten().map(word).collect()
}

fn says(studio: &Studio, words: &str) {
    studio.browser.until(&format!("say {words:?}"), SOON, || {
        studio.browser.text("#compliance-age").contains(words).then_some(())
    });
}

fn run(studio: &Studio, runs: usize) {
    studio.browser.click("#run-controls");
    let rows = "[data-control='CRY-01'] > table tbody tr";
    studio.browser.until("show the run", SOON, || (studio.browser.count(rows) == runs).then_some(()));
}

#[test]
fn the_controls_are_tried_when_somebody_asks_and_what_is_broken_comes_first() {
    let studio = Studio::ready("compliance");
    let browser = &studio.browser;
    studio.make_small(1);
    studio.shows(1);
    browser.click("#compliance");
    browser.see("#controls details");
    says(&studio, "No control was tried yet");
    assert_eq!(outcomes(&studio), vec!["never"; 64]);
    run(&studio, 1);
    says(&studio, "Last full run");
    let shown = outcomes(&studio);
    assert_eq!(shown.len(), 64);
    assert!(!shown.iter().any(|outcome| ["never", "not_satisfied"].contains(&outcome.as_str())), "{shown:?}");
    assert!(shown.iter().filter(|outcome| *outcome == "satisfied").count() >= 12, "{shown:?}");
    // By the keyboard: a control opens, and says how it was measured and what was read.
    browser.script("document.querySelector(\"[data-control='INT-02'] > summary\").focus()", &[]);
    browser.press("", keys::ENTER);
    browser.see("[data-control='INT-02'] dl");
    let text = browser.text("[data-control='INT-02']");
    for words in [
        "How it was measured",
        "attempts_that_worked = 0",
        "attempts_that_worked <= 0",
        "were tried",
        "Record",
    ] {
        assert!(text.contains(words), "no {words:?}: {text}");
    }
    // By framework.
    browser.choose("#framework", "ai-act");
    let few = outcomes(&studio).len();
    assert!((1..64).contains(&few), "{few}");
    browser.choose("#framework", "all");
    assert_eq!(outcomes(&studio).len(), 64);
    // What somebody breaks meanwhile comes first.
    let plain = studio.home.path().join("workspace/output_image/apple.png");
    std::fs::write(&plain, b"\x89PNG\r\n\x1a\n").expect("it can be written");
    run(&studio, 2);
    assert_eq!(outcomes(&studio)[0], "not_satisfied");
    assert_eq!(browser.attribute("#controls details", "data-control").as_deref(), Some("CRY-01"));
    std::fs::remove_file(plain).expect("it is ours");
    run(&studio, 3);
    // And what was found leaves as one file, with a run of its own; meanwhile the page says what goes on.
    browser.script(
        "window.said = [];
         new MutationObserver(() => said.push(document.querySelector('#compliance-age').textContent))
             .observe(document.querySelector('#compliance-progress'), { attributes: true });",
        &[],
    );
    browser.click("#export-evidence");
    let bundle = studio.saved(1, "zip").remove(0);
    let listed =
        Command::new("python3").args(["-m", "zipfile", "-l"]).arg(&bundle).output().expect("python3");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    for name in ["README.html", "manifest.dsse.json", "audit/records.jsonl"] {
        assert!(listed.contains(&format!("lightproof-evidence/{name} ")), "{listed}");
    }
    says(&studio, "handed to the browser as lightproof-evidence.zip");
    let said = browser.script("return said", &[]);
    assert!(said[0].as_str().is_some_and(|said| said.contains("then the bundle is made")), "{said}");
    assert!(!browser.is_displayed("#compliance-progress"));
    browser.until("show its run", SOON, || {
        (browser.count("[data-control='CRY-01'] > table tbody tr") == 4).then_some(())
    });
    browser.press("", keys::ESCAPE);
    browser.see_no("#compliance-dialog");

    studio.speak_chinese();
    browser.click("#compliance");
    browser.see("#controls details");
    browser
        .script("document.querySelectorAll('#controls details').forEach((one) => { one.open = true; })", &[]);
    assert_eq!(browser.script(FOREIGN, &[]), json!([]));
    browser.press("", keys::ESCAPE);
    let home = studio.close();
    assert_eq!(home.count_records(&["evidence.tried"]), 4);
    assert_eq!(home.count_records(&["evidence.exported ok"]), 1);
    home.is_whole(1);
}

#[test]
fn what_is_due_after_an_incident_stands_above_the_controls() {
    let home = Home::with_picture("compliance-clocks");
    let laws = ["--reason", "breach", "--law", "gdpr", "--law", "dora"];
    home.ask(&[&["evidence", "freeze", "-o", &home.at("bundle")], &laws[..]].concat()).ends(0, &[]);
    let served = Served::start(&home);
    let studio = Studio { browser: Browser::open(&home), served, home };
    studio.enter();
    let browser = &studio.browser;
    browser.click("#compliance");
    browser.see("#clocks");
    assert_eq!(browser.count("#clocks tbody tr"), 4);
    let text = browser.text("#clocks");
    for words in
        ["GDPR 33(1)", "Notice to the supervisory authority.", "in 71 hours", "DORA 19(4)(a)", "in 3 hours"]
    {
        assert!(text.contains(words), "no {words:?}: {text}");
    }
    let first = browser.script("return document.querySelector('#controls').firstElementChild.id", &[]);
    assert_eq!(first, json!("clocks"));
    // Chosen beneath the open dialog, where only a program presses: no key stands in the place of a text, there and back.
    for lang in ["zh-CN", "en"] {
        browser.script("document.querySelector('#language').click()", &[]);
        browser.until("speak the other language in the dialog", SOON, || {
            let is_spoken = browser.attribute("html", "lang")? == lang;
            (is_spoken && browser.script(KEYS, &[]) == json!([])).then_some(())
        });
        assert_eq!(browser.script(FOREIGN, &[]) == json!([]), lang == "zh-CN");
    }
    browser.press("", keys::ESCAPE);
    browser.see_no("#compliance-dialog");
    studio.speak_chinese();
    browser.click("#compliance");
    browser.see("#clocks");
    let text = browser.text("#clocks");
    for words in ["\u{5411}\u{76d1}\u{7ba1}\u{673a}\u{6784}\u{901a}\u{77e5}", "71"] {
        assert!(text.contains(words), "no {words:?}: {text}");
    }
    browser.press("", keys::ESCAPE);
    studio.close();
}
