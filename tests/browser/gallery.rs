//! Many pictures under one's hands, one large, and those of one request side by side.

use crate::browser::driver::{Browser, SOON, keys};
use crate::browser::studio::{PICTURE, Studio};
use serde_json::{Value, json};

/// The place in the list, counted from 1, of the picture that has the focus.
fn focused(browser: &Browser) -> Value {
    let script = "const cell = document.activeElement.closest('#history li');
                  return cell && [...cell.parentNode.children].indexOf(cell) + 1;";
    browser.script(script, &[])
}

/// The places in the list of what is selected.
fn selected(browser: &Browser) -> Value {
    let script = "return [...document.querySelectorAll('#history li')]
                  .map((cell, index) => cell.querySelector('input').checked && index + 1).filter((at) => at);";
    browser.script(script, &[])
}

#[track_caller]
fn is_in_the_window(browser: &Browser, css: &str) {
    let script =
        "const { top, bottom, height } = document.querySelector(arguments[0]).getBoundingClientRect();
                  return height > 0 && top >= 0 && bottom <= innerHeight;";
    assert_eq!(browser.script(script, &[css]), true, "{css} is out of sight");
}

#[track_caller]
fn has_a_focus(browser: &Browser) {
    let script = "return document.activeElement !== document.body";
    browser.until("keep the focus", SOON, || (browser.script(script, &[]) == true).then_some(()));
}

#[test]
fn a_selection_far_down_stays_in_hand() {
    let studio = Studio::ready("gallery");
    let browser = &studio.browser;
    for count in [16, 16, 8] {
        studio.make_small(count);
    }
    // Opened where the page stands, and kept: the stage follows nothing any more.
    browser.script("document.querySelector('#history .open').click()", &[]);
    let on_stage = studio.finished();
    // One stop of the tab key, and arrows from there.
    let stops = "return [...document.querySelectorAll('#history :is(button, input)')].filter((element) => element.tabIndex === 0).length";
    assert_eq!(browser.script(stops, &[]), 1);
    browser.script("document.querySelector('#history .open').focus()", &[]);
    assert_eq!(focused(browser), 1);
    let columns = browser.script(
        "return getComputedStyle(document.querySelector('#history')).gridTemplateColumns.split(' ').length",
        &[],
    );
    let columns = columns.as_u64().expect("a number");
    for (key, place) in [
        (keys::RIGHT, 2),
        (keys::DOWN, 2 + columns),
        (keys::LEFT, 1 + columns),
        (keys::UP, 1),
        (keys::UP, 1),
        (keys::END, 40),
        (keys::RIGHT, 40),
        (keys::HOME, 1),
    ] {
        browser.press("", key);
        assert_eq!(focused(browser), place, "{key:?}");
    }
    assert_eq!(browser.script(stops, &[]), 1);

    // The space bar selects and opens nothing; with Shift it selects up to here, as a click does.
    browser.press("", " ");
    browser.press("", keys::RIGHT);
    browser.press("", keys::RIGHT);
    browser.press(keys::SHIFT, " ");
    assert_eq!(selected(browser), json!([1, 2, 3]));
    browser.see_no("#viewer");
    assert_eq!(browser.attribute("#preview", "data-id").as_ref(), Some(&on_stage));
    browser.script(
        "document.querySelector('#history li:nth-child(6) input').dispatchEvent(
                    new MouseEvent('click', { bubbles: true, shiftKey: true }))",
        &[],
    );
    assert_eq!(selected(browser), json!([1, 2, 3, 4, 5, 6]));

    // Far down, what can be done with it is in sight, and a picture opens without the page moving.
    browser.press("", keys::END);
    browser.script("scrollTo(0, document.documentElement.scrollHeight - innerHeight - 100)", &[]);
    for button in ["#selected-download", "#selected-delete", "#select-all", "#select-none"] {
        is_in_the_window(browser, button);
    }
    // Where the picture is in the window: what is above it may become longer or shorter.
    let top = || {
        let script = "return document.activeElement.closest('#history li').getBoundingClientRect().top";
        browser.script(script, &[]).as_f64().expect("a number")
    };
    let before = top();
    browser.press("", keys::ENTER);
    browser.see("#viewer");
    // Going on from there, it stays in front of the page and keeps the keyboard.
    let opened = browser.text("#viewer .name");
    browser.press("", keys::LEFT);
    browser.until("show another", SOON, || (browser.text("#viewer .name") != opened).then_some(()));
    let is_modal = "return document.querySelector('#viewer').matches(':modal')";
    assert_eq!(browser.script(is_modal, &[]), true);
    browser.press("", keys::ESCAPE);
    browser.see_no("#viewer");
    assert_eq!(focused(browser), 40);
    let after = top();
    assert!((after - before).abs() < 2.0, "the page moved from {before} to {after}");

    // Nothing that goes takes the focus with it.
    browser.click("#select-none");
    assert_eq!(selected(browser), json!([]));
    has_a_focus(browser);
    browser.script("document.querySelector('#history li:nth-child(2) .open').focus()", &[]);
    browser.press("", " ");
    browser.click("#selected-delete");
    browser.click("#dialog-yes");
    studio.shows(39);
    has_a_focus(browser);
    browser.click("#select-all");
    browser.click("#selected-delete");
    // The number as other keyboards write it.
    browser.fill("#dialog-count", "３９");
    browser.click("#dialog-yes");
    studio.shows(0);
    has_a_focus(browser);
    studio.close().is_whole(0);
}

#[test]
fn the_pictures_of_a_request_stand_side_by_side_and_one_is_as_large_as_the_window() {
    let studio = Studio::ready("strip");
    let browser = &studio.browser;
    studio.describe("a boat", (256, 256), 24, 7);
    browser.fill("#count", "3");
    browser.click("#generate");
    // The first of them can be looked at while the rest is in work.
    let first = "#batch li:nth-child(1)";
    browser.until("show the first of three", PICTURE, || {
        (browser.count(first) == 1 && studio.has_area(&format!("{first} img"))).then_some(())
    });
    browser.see("#cancel");
    browser.click(&format!("{first} button"));
    let opened = studio.finished();
    assert_eq!(browser.attribute(first, "data-id").as_deref(), Some(&*opened));
    assert!(browser.attribute(first, "data-current").is_some());
    browser.until("make all three", PICTURE, || (browser.count("#batch li") == 3).then_some(()));
    studio.shows(3);
    assert_eq!(browser.attribute("#preview", "data-id"), Some(opened), "what was opened stays");

    // The newest comes first in the list; the arrows go through it.
    browser.click("#enlarge");
    browser.see("#viewer img");
    let name = || browser.text("#viewer .name");
    let oldest = name();
    browser.press("", keys::LEFT);
    browser.until("show another", SOON, || (name() != oldest).then_some(()));
    let middle = name();
    browser.press("", keys::RIGHT);
    browser.until("come back", SOON, || (name() == oldest && studio.has_area("#viewer img")).then_some(()));
    assert_eq!(browser.attribute("#viewer-next", "aria-disabled").as_deref(), Some("true"));
    browser.press("", keys::RIGHT);
    assert_ne!(name(), middle, "there is none behind the oldest");
    let width =
        || browser.script("return document.querySelector('#viewer img').getBoundingClientRect().width", &[]);
    browser.press("", "1");
    assert_eq!(width(), 256);
    browser.press("", "+");
    assert_eq!(width(), 320);
    browser.press("", "0");
    assert!(width().as_f64().is_some_and(|px| px > 600.0), "{}", width());
    browser.press("", keys::ESCAPE);
    browser.see_no("#viewer");
    assert_eq!(browser.script("return document.activeElement.id", &[]), "enlarge");
    studio.close().is_whole(3);
}
