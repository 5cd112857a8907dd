//! The recovery code: shown once, never lost without a word, and drawn anew while the studio runs.

use crate::browser::driver::SOON;
use crate::browser::studio::Studio;
use crate::harness::PASSPHRASE;

#[test]
fn a_recovery_code_is_not_lost_without_a_word_and_a_new_one_is_drawn_in_the_studio() {
    let studio = Studio::new("recovery");
    let browser = &studio.browser;
    let page = || browser.script("return document.documentElement.outerHTML", &[]).to_string();
    let kept = "return JSON.stringify([{ ...sessionStorage }, { ...localStorage }, location.href])";
    browser.goto(&studio.served.setup_link());
    browser.fill("#passphrase", PASSPHRASE);
    browser.fill("#passphrase-again", PASSPHRASE);
    browser.click("#set-up");
    browser.see("#recovery-code");
    let first = browser.text("#recovery-code");
    // The page is gone before anything was written down.
    browser.reload();
    browser.see("#recovery-draw");
    assert_eq!(browser.count("#prompt"), 0, "it goes on as if nothing had happened");
    assert!(!page().contains(&first) && !browser.script(kept, &[]).to_string().contains(&first));
    browser.fill("#passphrase", "seven grey herons at dusk");
    browser.click("#recovery-draw");
    browser.until("refuse it", SOON, || (!browser.text("#message").is_empty()).then_some(()));
    browser.fill("#passphrase", PASSPHRASE);
    browser.click("#recovery-draw");
    browser.see("#recovery-code");
    let second = browser.text("#recovery-code");
    assert_ne!(second, first);
    assert_eq!(browser.property("#continue", "disabled"), true, "it is to be confirmed first");
    browser.click("#recovery-noted");
    browser.click("#continue");
    browser.see("#prompt");
    browser.reload();
    browser.see("#prompt");

    // Drawn in the running studio, which stays as it was.
    browser.fill("#prompt", "an unfinished thought");
    browser.click("#recovery-new");
    browser.click("#recovery-leave");
    browser.see("#prompt");
    assert_eq!(browser.property("#prompt", "value"), "an unfinished thought");
    browser.click("#recovery-new");
    browser.fill("#passphrase", PASSPHRASE);
    browser.click("#recovery-draw");
    browser.see("#recovery-code");
    let third = browser.text("#recovery-code");
    // A lock ends everything that was shown.
    let shown = browser.tab();
    browser.new_window();
    studio.enter();
    browser.click("#lock");
    browser.see("#unlock");
    browser.close_tab();
    browser.switch(&shown);
    browser.see("#unlock");
    assert!(!page().contains(&third));
    studio.unlock();

    let home = studio.close();
    assert_eq!(home.count_records(&["vault.secret_changed ok"]), 2, "{:#?}", home.records());
    assert_eq!(home.count_records(&["vault.unlock_failed denied"]), 1);
    // Only the last of them sets a new passphrase.
    home.write("new", b"nine white egrets at noon\n");
    for (code, ends) in [(first, 7), (second, 7), (third, 0)] {
        home.write("pass", format!("{code}\n").as_bytes());
        home.ask(&["vault", "passwd", "--new-passphrase-file", &home.at("new")]).ends(ends, &[]);
    }
}
