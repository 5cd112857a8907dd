//! A person who has never seen it: from the link on the terminal to a picture and its end.

use crate::browser::driver::SOON;
use crate::browser::studio::{PICTURE, Studio};
use crate::harness::{Home, PASSPHRASE};
use crate::life::pixels;
use std::collections::BTreeSet;

#[test]
fn a_browser_that_is_too_old_gets_a_sentence_and_an_ordinary_one_never_sees_it() {
    let studio = Studio::ready("old");
    let browser = &studio.browser;
    assert_eq!(browser.count("#old"), 0);
    let old = serde_json::json!({"source": "delete AbortSignal.any;"});
    browser.devtools("Page.addScriptToEvaluateOnNewDocument", &old);
    browser.goto(&studio.served.origin());
    let shown = "return getComputedStyle(document.querySelector('#old')).visibility";
    browser.until("say so", SOON, || (browser.script(shown, &[]) == "visible").then_some(()));
    assert!(browser.text("#old").contains("too old"));
    studio.close().is_whole(0);
}

const PROMPT: &str = "a red apple";

#[test]
fn from_the_link_on_the_terminal_to_a_picture_and_its_end() {
    let studio = Studio::new("newcomer");
    let browser = &studio.browser;
    // The form says what is wrong, and lets one try again.
    browser.goto(&studio.served.setup_link());
    let mut said = String::new();
    for (first, second) in [("short", "short"), (PASSPHRASE, "seven grey herons at dusk")] {
        browser.fill("#passphrase", first);
        browser.fill("#passphrase-again", second);
        browser.click("#set-up");
        let wrong = || Some(browser.text("#message")).filter(|new| !new.is_empty() && *new != said);
        said = browser.until("say what is wrong", SOON, wrong);
    }
    assert!(!browser.url().contains("setup"), "{}", browser.url());
    browser.goto("about:blank");

    let recovery = studio.set_up();
    assert!(
        recovery.split('-').count() >= 4 && recovery.len() >= 24,
        "a code of {} characters",
        recovery.len()
    );
    assert_eq!(
        browser.url(),
        format!("{}/", studio.served.origin()),
        "the setup code stays in the address bar"
    );
    browser.reload();
    browser.see("#prompt");
    assert_eq!(browser.count("#recovery-code"), 0, "it is shown once");
    let page = browser.script("return document.documentElement.outerHTML", &[]).to_string();
    assert!(!page.contains(&recovery));

    studio.describe(PROMPT, (320, 256), 24, 42);
    browser.click("#generate");
    let mut previews = BTreeSet::new();
    browser.until("show two previews", PICTURE, || {
        previews.extend(browser.attribute("#preview", "data-preview"));
        (previews.len() >= 2 && studio.has_area("#preview")).then_some(())
    });
    let id = studio.finished();
    studio.shows(1);
    assert_eq!(browser.attribute("#history li", "data-id"), Some(id));
    browser.until("show its thumbnail", PICTURE, || studio.has_area("#history li img").then_some(()));
    browser.click("#download");
    let downloaded = studio.downloads(1).remove(0);
    let downloaded = pixels(&std::fs::read(downloaded).expect("it was downloaded"));

    browser.click("#delete");
    browser.see("#dialog");
    assert!(!browser.text("#dialog-text").is_empty());
    browser.click("#dialog-yes");
    studio.shows(0);
    browser.see_no("#preview");
    assert_eq!(studio.total(), 0);
    let home = studio.close();
    for act in ["generate.requested", "object.sealed ok", "object.exported ok", "object.erased ok"] {
        assert_eq!(home.count_records(&[act]), 1, "{act}: {:#?}", home.records());
    }
    home.is_whole(0);

    // The same picture as at the command line, in a home that knows nothing of this one.
    let other = Home::furnished("newcomer-reference");
    let exported = other.at("out/apple.png");
    let arguments =
        ["generate", PROMPT, "--seed", "42", "--size", "320x256", "--steps", "24", "--export", &exported];
    other.ask(&arguments).ends(0, &[]);
    let reference = pixels(&std::fs::read(&exported).expect("it was exported"));
    assert_eq!((downloaded.0, downloaded.1), (320, 256));
    assert!(downloaded == reference, "the page and the command line make different pictures");
}
