//! Several people in the studio: the first one adds a second, who signs in with a name and sees their own pictures.

use crate::abuse::token_of;
use crate::browser::driver::Browser;
use crate::browser::driver::SOON;
use crate::browser::studio::Studio;
use crate::harness::{Home, PASSPHRASE};
use crate::http::Request;
use crate::served::Served;
use serde_json::json;

const SECOND: &str = "the words of the second one";

/// Leaves, and comes in as somebody.
fn sign_in_as(browser: &Browser, name: &str, passphrase: &str) {
    browser.click("#lock");
    browser.see("#operator");
    browser.fill("#operator", name);
    browser.fill("#passphrase", passphrase);
    browser.click("#unlock");
    browser.see("#prompt");
}

#[test]
fn a_second_person_is_added_and_removed_in_the_studio() {
    let studio = Studio::ready("people");
    let browser = &studio.browser;
    studio.make_small(2);
    studio.shows(2);
    let says = |words: &str| {
        browser.until(&format!("say {words:?}"), SOON, || {
            browser.text("#people-message").contains(words).then_some(())
        });
    };
    browser.click("#people");
    browser.see("#people-list li");
    browser.fill("#own-name", "First");
    browser.fill("#person-name", "Second");
    browser.fill("#person-passphrase", SECOND);
    browser.click("#add-person");
    says("Type your own passphrase first");
    browser.fill("#proof", "not what opens it");
    browser.click("#add-person");
    says("does not open");
    browser.fill("#proof", PASSPHRASE);
    browser.click("#add-person");
    says("They can sign in");
    assert_eq!(browser.count("#people-list li"), 2);
    let typed = "return [...document.querySelectorAll('#people-dialog input:not([type=checkbox])')].map((input) => input.value).join('')";
    assert_eq!(browser.script(typed, &[]), "First", "no passphrase stays in a field");
    browser.press("", crate::browser::driver::keys::ESCAPE);
    browser.see_no("#people-dialog");

    // The second one sees nothing of the first, and manages nobody.
    sign_in_as(browser, "second", SECOND);
    studio.shows(0);
    assert_eq!((browser.count("#recovery-new"), browser.count("#compliance")), (0, 0));
    studio.describe("a yellow star", (128, 128), 2, 1);
    browser.click("#generate");
    studio.finished();
    studio.shows(1);
    browser.click("#people");
    browser.see("#renew");
    assert_eq!(browser.count("#people-list"), 0);
    browser.press("", crate::browser::driver::keys::ESCAPE);

    // The first one removes them; nobody loses a picture by not saying what becomes of it.
    sign_in_as(browser, "FIRST", PASSPHRASE);
    studio.shows(2);
    browser.click("#people");
    let row = "#people-list li[data-slot='3']";
    browser.see(&format!("{row} select"));
    assert_eq!(browser.property(&format!("{row} .remove"), "disabled"), true);
    browser.choose(&format!("{row} select"), "hand_over:First");
    browser.fill("#proof", PASSPHRASE);
    browser.click(&format!("{row} .remove"));
    browser.see("#dialog-yes");
    browser.click("#dialog-yes");
    says("opens nothing any more");
    browser.press("", crate::browser::driver::keys::ESCAPE);
    studio.shows(3);
    assert_eq!(studio.served.ask(&Request::get("/api/v1/status")).json()["names"], true);
    studio.close();
}

/// What one admin asks for waits in the dialog of the other, who confirms it there.
#[test]
fn a_second_admin_confirms_in_the_studio() {
    let home = Home::furnished("pending");
    home.policy(b"schema = 1\ntwo_person = [\"admin\"]\n");
    let served = Served::start(&home);
    let studio = Studio { browser: Browser::open(&home), served, home };
    studio.set_up();
    let browser = &studio.browser;
    let wish = json!({ "passphrase": PASSPHRASE });
    let token = token_of(&studio.served.ask(&Request::post("/api/v1/session", &wish)).is(201));
    for (name, role) in [("Second", "admin"), ("Third", "operator")] {
        let newcomer = json!({
            "name": name, "role": role, "new_passphrase": SECOND, "passphrase": PASSPHRASE, "own_name": "First",
        });
        studio.served.ask(&Request::post("/api/v1/people", &newcomer).token(&token)).is(201);
    }
    let says = |words: &str| {
        browser.until(&format!("say {words:?}"), SOON, || {
            browser.text("#people-message").contains(words).then_some(())
        });
    };
    browser.click("#people");
    let row = "#people-list li[data-slot='4']";
    browser.see(&format!("{row} .role"));
    browser.fill("#proof", PASSPHRASE);
    browser.click(&format!("{row} .role"));
    says("asks for a second admin");
    browser.see("#pending-list li");
    let waits = browser.text("#pending-list li");
    assert!(waits.contains("Make Third an admin") && waits.contains("asked for by First"), "{waits}");
    assert_eq!(browser.count("#pending-list .confirm"), 0, "one's own is taken back, not confirmed");
    browser.press("", crate::browser::driver::keys::ESCAPE);

    sign_in_as(browser, "second", SECOND);
    browser.click("#people");
    browser.see("#pending-list .confirm");
    browser.fill("#proof", SECOND);
    browser.click("#pending-list .confirm");
    browser.see("#dialog-yes");
    browser.click("#dialog-yes");
    says("Done.");
    assert_eq!((browser.count("#pending-list li"), browser.text(row).contains("Admin")), (0, true));
    studio.close();
}
