//! Tabs that agree, and deleting many.

use crate::browser::driver::SOON;
use crate::browser::studio::Studio;

#[test]
fn tabs_agree_and_many_pictures_go_at_once() {
    let studio = Studio::ready("history");
    let browser = &studio.browser;
    let first = browser.tab();
    let second = browser.new_tab();
    studio.enter();
    studio.make_small(6);
    browser.click("#history li button.open");
    let open = studio.finished();
    browser.switch(&first);
    studio.shows(6);
    browser.until("show thumbnails", SOON, || {
        (1..=6).all(|n| studio.has_area(&format!("#history li:nth-child({n}) img"))).then_some(())
    });
    // What is deleted in one tab leaves the other, its stage too.
    browser.click(&format!("#history li[data-id=\"{open}\"] button.open"));
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
    studio.downloads(2);
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
    assert_eq!(browser.property("#all-delete", "disabled"), true);
    let home = studio.close();
    assert_eq!(home.count_records(&["object.erased ok"]), 6);
    assert_eq!(home.count_records(&["object.exported ok"]), 2);
    home.is_whole(0);
}
