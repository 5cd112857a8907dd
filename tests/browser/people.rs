//! Several people in the studio: the first one adds a second, who signs in with a name and sees their own pictures.

use crate::abuse::token_of;
use crate::browser::driver::Browser;
use crate::browser::driver::SOON;
use crate::browser::studio::Studio;
use crate::harness::{Home, PASSPHRASE};
use crate::http::Request;
use crate::joint::joint;
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

/// A token is made in the dialog, shown until the next act, used by a program, and revoked.
#[test]
fn a_token_is_made_and_revoked_in_the_studio() {
    let studio = Studio::ready("page-tokens");
    let browser = &studio.browser;
    let says = |words: &str| {
        browser.until(&format!("say {words:?}"), SOON, || {
            browser.text("#people-message").contains(words).then_some(())
        });
    };
    browser.click("#people");
    browser.see("#make-token");
    browser.choose("#token-scopes", "read");
    browser.fill("#token-label", "gallery wall");
    browser.click("#make-token");
    says("Type your own passphrase first");
    browser.fill("#proof", PASSPHRASE);
    browser.click("#make-token");
    says("it is not shown again");
    let token = browser.text("#token");
    assert!(token.starts_with("lpt_") && token.len() == 68, "{token}");
    let row = browser.text("#token-list li");
    for words in ["gallery wall", "look at pictures", "never used"] {
        assert!(row.contains(words), "{words}: {row}");
    }
    let images = || studio.served.ask(&Request::get("/api/v1/images").token(&token)).status;
    assert_eq!(images(), 200);
    browser.fill("#proof", PASSPHRASE);
    browser.click("#token-list .revoke");
    says("opens nothing any more");
    assert_eq!((browser.count("#token-list li"), browser.text("#token").as_str()), (0, ""));
    assert_eq!(images(), 401);
    // What has succeeded does not look as what has not; and one too many is told what to do.
    let looks = || browser.attribute("#people-message", "data-state").unwrap_or_default();
    assert_eq!(looks(), "green");
    let session = json!({ "passphrase": PASSPHRASE });
    let session = token_of(&studio.served.ask(&Request::post("/api/v1/session", &session)).is(201));
    for _ in 0..8 {
        let wish = json!({ "scopes": ["read"], "passphrase": PASSPHRASE });
        studio.served.ask(&Request::post("/api/v1/api-tokens", &wish).token(&session)).is(201);
    }
    browser.fill("#proof", PASSPHRASE);
    browser.click("#make-token");
    says("8 tokens of yours");
    assert_eq!(looks(), "");
    browser.press("", crate::browser::driver::keys::ESCAPE);
    browser.see_no("#people-dialog");
    studio.close();
}

/// An auditor sees two buttons beside their own passphrase, and behind them the controls and the log, in both languages.
#[test]
fn an_auditor_has_log_and_controls_and_no_studio() {
    let studio = Studio::ready("page-auditor");
    let browser = &studio.browser;
    studio.make_small(1);
    let wish = json!({ "passphrase": PASSPHRASE });
    let token = token_of(&studio.served.ask(&Request::post("/api/v1/session", &wish)).is(201));
    let newcomer = json!({
        "name": "Revision", "role": "auditor", "new_passphrase": SECOND, "passphrase": PASSPHRASE, "own_name": "First",
    });
    studio.served.ask(&Request::post("/api/v1/people", &newcomer).token(&token)).is(201);
    let come = |passphrase: &str| {
        browser.see("#operator");
        browser.fill("#operator", "revision");
        browser.fill("#passphrase", passphrase);
        browser.click("#unlock");
    };
    // The first one leaves: the vault locks, and an auditor opens none.
    browser.click("#lock");
    come(SECOND);
    browser.until("say so", SOON, || browser.text("#message").contains("it opens no vault").then_some(()));
    let first = json!({ "operator": "first", "passphrase": PASSPHRASE });
    let token = token_of(&studio.served.ask(&Request::post("/api/v1/session", &first)).is(201));
    come(SECOND);
    browser.see("#compliance");
    assert_eq!(browser.text("#lock"), "Sign out", "the vault stays open behind an auditor");
    for absent in ["#prompt", "#recovery-new", ".studio"] {
        assert_eq!(browser.count(absent), 0, "{absent}");
    }
    browser.click("#compliance");
    browser.see("#controls details");
    browser.click("#run-controls");
    browser.see("[data-control='CRY-06'][data-outcome='satisfied']");
    browser.press("", crate::browser::driver::keys::ESCAPE);
    browser.click("#log");
    browser.see("#records details");
    browser.press("", crate::browser::driver::keys::ESCAPE);
    browser.click("#people");
    browser.see("#token-scopes");
    let scopes =
        "return [...document.querySelectorAll('#token-scopes option')].map((one) => one.value).join()";
    assert_eq!(browser.script(scopes, &[]), "audit");
    browser.press("", crate::browser::driver::keys::ESCAPE);
    browser.click("#language");
    browser.until("be Chinese", SOON, || browser.text("main").contains("审计员").then_some(()));
    browser.see("#badge");
    // Whom the vault is open for leaves, and so do they.
    studio.served.ask(&Request::new("DELETE", "/api/v1/session").token(&token)).is(204);
    browser.see("#operator");
    studio.close();
}

/// Where two people open the vault together the page asks for both, and nobody types into a field that is not there.
#[test]
fn two_people_open_the_vault_in_the_studio() {
    let home = joint("joint-studio");
    let served = Served::start(&home);
    let studio = Studio { browser: Browser::open(&home), served, home };
    let browser = &studio.browser;
    browser.goto(&studio.served.origin());
    browser.see("#second-passphrase");
    browser.fill("#operator", "first");
    browser.fill("#passphrase", PASSPHRASE);
    browser.click("#unlock");
    let says = |words: &str| {
        browser.until(&format!("say {words:?}"), SOON, || {
            browser.text("#message").contains(words).then_some(())
        });
    };
    says("both type their passphrases");
    assert_eq!(browser.script("return document.querySelector('#passphrase').value", &[]), PASSPHRASE);
    browser.fill("#second-operator", "second");
    browser.fill("#second-passphrase", "seven grey herons at dusk");
    browser.click("#unlock");
    says("does not open");
    let left =
        "return [...document.querySelectorAll('input[type=password]')].map((input) => input.value).join('')";
    assert_eq!(browser.script(left, &[]), "", "no passphrase stays in a field");
    browser.fill("#passphrase", PASSPHRASE);
    browser.fill("#second-passphrase", SECOND);
    browser.click("#unlock");
    browser.see("#prompt");
    studio.shows(1);
    let home = studio.close();
    assert_eq!(home.count_records(&["vault.unlock_failed denied"]), 1 + 2);
    assert_eq!(home.count_records(&["vault.unlocked_with", "slot=3"]), 1);
}
