//! Tabs that agree, deleting many, and saving many.

use crate::browser::driver::{Browser, SOON};
use crate::browser::studio::Studio;
use crate::harness::Home;
use crate::served::Served;
use std::collections::BTreeSet;

#[test]
fn tabs_agree_and_many_pictures_go_at_once() {
    let studio = Studio::ready("history");
    let browser = &studio.browser;
    let first = browser.tab();
    let second = browser.new_tab();
    studio.enter();
    studio.make_small(6);
    browser.script("document.querySelector('#history .open').click()", &[]);
    let open = studio.finished();
    browser.switch(&first);
    studio.shows(6);
    browser.until("show thumbnails", SOON, || {
        (1..=6).all(|n| studio.has_area(&format!("#history li:nth-child({n}) img"))).then_some(())
    });
    // What is deleted in one tab leaves the other, its stage too.
    browser
        .script("document.querySelector(`#history li[data-id=\"${arguments[0]}\"] .open`).click()", &[&open]);
    studio.finished();
    browser.click("#delete");
    browser.click("#dialog-yes");
    studio.shows(5);
    browser.switch(&second);
    studio.shows(5);
    browser.see_no("#preview");

    // A selection.
    browser.click("#history li:nth-child(1) input.select");
    browser.click("#history li:nth-child(3) input.select");
    browser.click("#selected-download");
    assert_eq!(studio.archive().len(), 2);
    let selected = |n: usize| browser.attribute(&format!("#history li:nth-child({n})"), "data-id");
    let chosen = [selected(1), selected(3)];
    browser.click("#selected-delete");
    browser.see("#dialog");
    for wrong in ["", "1", "3"] {
        browser.fill("#dialog-count", wrong);
        assert_eq!(browser.property("#dialog-yes", "disabled"), true, "{wrong:?} is not 2");
    }
    browser.click("#dialog-no");
    browser.see_no("#dialog");
    assert_eq!(studio.total(), 5, "cancelled is cancelled");
    browser.click("#selected-delete");
    browser.fill("#dialog-count", "2");
    browser.click("#dialog-yes");
    studio.shows(3);
    let left: Vec<_> = (1..=3).map(selected).collect();
    assert!(chosen.iter().all(|gone| !left.contains(gone)), "{chosen:?} of {left:?}");

    // All of them.
    browser.click("#all-delete");
    browser.fill("#dialog-count", "3");
    browser.click("#dialog-no");
    browser.see_no("#dialog");
    assert_eq!(studio.total(), 3);
    browser.click("#all-delete");
    browser.fill("#dialog-count", "3");
    browser.click("#dialog-yes");
    studio.shows(0);
    assert_eq!(studio.total(), 0);
    browser.see_no("#all-delete");
    let home = studio.close();
    assert_eq!(home.count_records(&["object.erased ok"]), 6);
    assert_eq!(home.count_records(&["object.exported ok"]), 2);
    home.is_whole(0);
}

#[test]
fn as_many_pictures_arrive_as_page_and_log_say() {
    const PICTURES: usize = 25;
    let studio = Studio::ready("save-many");
    let browser = &studio.browser;
    studio.make_small(16);
    studio.make_small(PICTURES - 16);
    let select = "for (const box of document.querySelectorAll('#history input.select')) box.click();
                  return document.querySelectorAll('#history input.select:checked').length;";
    assert_eq!(browser.script(select, &[]), PICTURES);
    browser.click("#selected-download");
    let names: BTreeSet<String> = studio.archive().into_iter().collect();
    assert_eq!(names.len(), PICTURES, "{names:?}");
    let said = browser.text("#notice");
    assert!(said.contains(&PICTURES.to_string()), "{said}");
    let listed = studio.api(crate::http::Request::get("/api/v1/images?limit=200"));
    let listed = listed["images"].as_array().expect("a list").iter();
    // Times are local, and beside them stands the one that the name has.
    browser.devtools("Emulation.setTimezoneOverride", &serde_json::json!({"timezoneId": "Asia/Shanghai"}));
    browser.script("document.querySelector('#history .open').click()", &[]);
    let named = browser.text(".about .name");
    let clock = format!("{}:{}:{} UTC", &named[9..11], &named[11..13], &named[13..15]);
    let made = browser.text(".about .facts");
    assert!(made.contains(&clock), "{made} of {named}");
    browser.devtools("Emulation.setTimezoneOverride", &serde_json::json!({"timezoneId": "UTC"}));
    assert_eq!(names, listed.filter_map(|image| image["name"].as_str().map(str::to_owned)).collect());
    let home = studio.close();
    assert_eq!(home.count_records(&["object.exported ok"]), PICTURES);
    assert_eq!(home.count_records(&["object.export_digest ok"]), PICTURES);
    home.is_whole(PICTURES as u64);
}

#[test]
fn where_the_policy_forbids_deleting_the_page_offers_none_and_says_why() {
    let home = Home::furnished("erase-never");
    home.policy(b"schema = 1\nerase = \"never\"\n");
    let served = Served::start(&home);
    let studio = Studio { browser: Browser::open(&home), served, home };
    let browser = &studio.browser;
    studio.set_up();
    studio.make_small(2);
    browser.script("document.querySelector('#history .open').click()", &[]);
    studio.finished();
    browser.click("#history input.select");
    for view in ["#to-gallery", "#to-studio"] {
        browser.see("#download");
        browser.see("#selected-download");
        browser.see("#erase-never");
        for button in ["#delete", "#selected-delete", "#all-delete"] {
            assert!(!browser.is_displayed(button), "{button} is offered before {view}");
        }
        browser.click(view);
    }
    browser.click("#select-none");
    assert!(!browser.is_displayed("#all-delete"));
    let can = studio.api(crate::http::Request::get("/api/v1/capabilities"));
    assert_eq!(can["erase"], false);
    studio.close().is_whole(2);
}
