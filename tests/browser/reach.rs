//! Narrow windows, the keyboard alone, and a name for everything.

use crate::browser::axe;
use crate::browser::driver::{Browser, SOON, keys};
use crate::browser::studio::Studio;
use crate::harness::{Home, PASSPHRASE};
use std::collections::BTreeSet;
use std::path::Path;

/// A large window, a tablet, a small telephone.
const SIZES: [(u32, u32); 3] = [(1440, 900), (768, 1024), (320, 640)];

/// What is wider than the window, or an image without area; empty if all is well.
const MISFITS: &str = "const width = document.documentElement.clientWidth;
    const misfits = document.documentElement.scrollWidth > width ? ['the page scrolls sideways'] : [];
    for (const element of document.querySelectorAll('button, input, select, textarea, img, p, dialog')) {
        if (!element.checkVisibility({ visibilityProperty: true })) continue;
        const box = element.getBoundingClientRect();
        if (box.right > width + 1 || box.left < -1) misfits.push(element.outerHTML.slice(0, 120));
        if (element.tagName === 'IMG' && (box.width < 1 || box.height < 1)) misfits.push('no area: ' + element.id);
    }
    return misfits;";

/// Is what has the focus to be told from what has not?
const FOCUS: &str = "const element = document.activeElement;
    const style = getComputedStyle(element);
    const outline = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
    // After the last element the focus is on the browser's own controls.
    const seen = outline || style.boxShadow !== 'none' || element === document.body;
    return [element.id || element.className || element.tagName, seen];";

/// On this screen, at every size: nothing hangs over, and everything in `scope` has a name. For a person to look at,
/// there are pictures of it in the folder `screens` below cargo's folder for temporary files.
#[track_caller]
fn fits(browser: &Browser, screen: &str, scope: &str) {
    let screens = Path::new(env!("CARGO_TARGET_TMPDIR")).join("screens");
    std::fs::create_dir_all(&screens).unwrap_or_else(|error| panic!("{}: {error}", screens.display()));
    for (width, height) in SIZES {
        browser.size(width, height);
        let misfits = browser.script(MISFITS, &[]);
        assert_eq!(misfits, serde_json::json!([]), "{screen} at {width} pixels");
        let picture = screens.join(format!("{}-{width}.png", screen.replace(' ', "-")));
        browser.screenshot(&picture).unwrap_or_else(|error| panic!("{}: {error}", picture.display()));
        axe::finds_nothing(browser, &format!("{screen} at {width} pixels"));
    }
    browser.size(SIZES[0].0, SIZES[0].1);
    let controls = ":is(button, input, select, textarea, summary, progress)";
    let named = browser.names(&format!("{scope}:is(dialog), {scope} {controls}"));
    assert!(named.len() >= 2, "{screen}: {named:?}");
    let nameless: Vec<&String> =
        named.iter().filter(|(name, _)| name.is_empty()).map(|(_, html)| html).collect();
    assert_eq!(nameless, [""; 0], "{screen}");
    let lang = browser.attribute("html", "lang");
    assert!(lang.as_deref().is_some_and(|lang| ["en", "zh-CN"].contains(&lang)), "{screen}: {lang:?}");
}

/// Presses Tab until `id` has the focus; every stop on the way is to be seen.
#[track_caller]
fn tab_to(browser: &Browser, id: &str) {
    let mut stops = Vec::new();
    while stops.last().is_none_or(|last| last != id) {
        assert!(stops.len() < 80, "Tab never comes to {id}: {stops:?}");
        browser.press("", keys::TAB);
        let stop = browser.script(FOCUS, &[]);
        assert_eq!(stop[1], true, "the focus on {} cannot be seen", stop[0]);
        stops.push(stop[0].as_str().unwrap_or_default().to_owned());
    }
}

#[test]
fn every_screen_fits_and_has_names() {
    let studio = Studio::new("fits");
    let browser = &studio.browser;
    browser.goto(&studio.served.origin());
    browser.see("#setup-code");
    fits(browser, "setup without a link", "body");
    browser.fill("#setup-code", &studio.served.setup_code());
    browser.fill("#passphrase", PASSPHRASE);
    browser.fill("#passphrase-again", PASSPHRASE);
    browser.click("#set-up");
    browser.see("#recovery-code");
    fits(browser, "recovery code", "body");
    browser.click("#recovery-noted");
    browser.click("#continue");
    browser.see("#prompt");
    fits(browser, "empty studio", "body");

    // A size that no screen has, a long prompt, and a history of several rows.
    studio.make_small(7);
    studio.describe(&"a very long prompt without an end ".repeat(20), (512, 128), 8, 1);
    browser.click("#remember");
    browser.click("#generate");
    let id = studio.finished();
    studio.shows(8);
    let thumbnail = format!("#history li[data-id=\"{id}\"] img");
    browser.until("show its thumbnail", SOON, || studio.has_area(&thumbnail).then_some(()));
    fits(browser, "studio", "body");
    browser.click("#enlarge");
    browser.see("#viewer img");
    fits(browser, "viewer", "#viewer");
    browser.press("", keys::ESCAPE);
    browser.see_no("#viewer");
    browser.click("#people");
    browser.see("#people-list li");
    fits(browser, "people", "#people-dialog");
    browser.press("", keys::ESCAPE);
    browser.see_no("#people-dialog");
    browser.click("#compliance");
    browser.see("#controls details");
    browser.click("#run-controls");
    browser.see("[data-control='CRY-01'][data-outcome='satisfied'] > summary");
    tab_to(browser, "run-controls");
    fits(browser, "compliance", "#compliance-dialog");
    browser
        .script("document.querySelectorAll('#controls details').forEach((one) => { one.open = true; })", &[]);
    fits(browser, "compliance open", "#compliance-dialog");
    browser.press("", keys::ESCAPE);
    browser.see_no("#compliance-dialog");
    browser.click("#log");
    browser.see("#records details");
    fits(browser, "log", "#log-dialog");
    browser
        .script("document.querySelectorAll('#records details').forEach((one) => { one.open = true; })", &[]);
    fits(browser, "log open", "#log-dialog");
    browser.press("", keys::ESCAPE);
    browser.see_no("#log-dialog");
    studio.speak_chinese();
    fits(browser, "studio in Chinese", "body");
    browser.choose("#theme", "dark");
    fits(browser, "dark studio", "body");
    browser.click("#to-gallery");
    browser.see("#search");
    fits(browser, "dark gallery in Chinese", "body");
    browser.choose("#theme", "light");
    browser.click("#language");
    browser.until("speak English", SOON, || (browser.attribute("html", "lang")? == "en").then_some(()));
    fits(browser, "gallery", "body");
    browser.click("#to-studio");
    browser.click("#all-delete");
    browser.see("#dialog");
    fits(browser, "question", "#dialog");
    browser.click("#dialog-no");
    browser.click("#badge");
    browser.see("#posture [data-state]");
    fits(browser, "posture", "#posture");
    let state = browser.attribute("#badge", "data-state");
    assert!(state.as_deref().is_some_and(|state| ["green", "amber"].contains(&state)), "{state:?}");
    browser.press("", keys::ESCAPE);
    browser.see_no("#posture");
    browser.click("#lock");
    browser.see("#unlock");
    fits(browser, "locked studio", "body");
    studio.enter();
    studio.close().is_whole(8);
}

/// Controls that a finger misses: less than 24 pixels one way. A box with its words around it is as large as they are.
const TINY: &str = "return [...document.querySelectorAll('button, input, select, textarea, summary')]
    .filter((element) => element.checkVisibility({ visibilityProperty: true }) && element.id !== 'skip')
    .map((element) => [element, (element.closest('label') ?? element).getBoundingClientRect()])
    .filter(([, box]) => box.width < 24 || box.height < 24)
    .map(([element]) => element.outerHTML.slice(0, 120));";

#[test]
fn on_a_telephone_the_header_is_one_row_and_every_target_is_large_enough() {
    let studio = Studio::new("telephone");
    let browser = &studio.browser;
    browser.size(390, 844);
    browser.goto(&studio.served.setup_link());
    browser.see("#passphrase");
    assert_eq!(browser.script(TINY, &[]), serde_json::json!([]));
    // How strong a passphrase is, is said while one types.
    let strength = || browser.property("#strength", "value").as_f64().expect("a number");
    for (typed, expected) in
        [("short", 0.0), ("aaaaaaaaaaaaaa", 1.0), ("correct horse", 2.0), (PASSPHRASE, 3.0)]
    {
        browser.fill("#passphrase", typed);
        assert_eq!(strength(), expected, "{typed}");
    }
    browser.fill("#passphrase-again", PASSPHRASE);
    browser.click("#set-up");
    browser.click("#recovery-noted");
    browser.click("#continue");
    browser.see("#prompt");
    studio.make_small(2);
    let rows = "const tops = [...document.querySelectorAll('header button, header select, header h1')]
                    .filter((element) => element.checkVisibility() && element.id !== 'skip')
                    .map((element) => element.getBoundingClientRect()).map((box) => (box.top + box.bottom) / 2);
                return Math.max(...tops) - Math.min(...tops) < 8 && document.documentElement.scrollWidth <= innerWidth;";
    for language in ["en", "zh-CN"] {
        if language != "en" {
            studio.speak_chinese();
        }
        assert_eq!(browser.script(rows, &[]), true, "the header takes two rows in {language}");
        assert_eq!(browser.script(TINY, &[]), serde_json::json!([]));
    }
    // What is selected and what is open differ where the colours are the system's.
    let features = serde_json::json!({"features": [{"name": "forced-colors", "value": "active"}]});
    browser.devtools("Emulation.setEmulatedMedia", &features);
    // The page may show it over everything; the grid behind it is what counts.
    browser.script("document.querySelector('#history .open').click()", &[]);
    studio.finished();
    browser.script("document.querySelector('#viewer')?.close()", &[]);
    browser.click("#history li:nth-child(2) input.select");
    let looks = "return [...document.querySelectorAll('#history li')].map((cell) =>
                     [cell, cell.querySelector('.open')].map((part) => getComputedStyle(part).outlineStyle).join());";
    assert_eq!(browser.script(looks, &[]), serde_json::json!(["none,double", "dashed,none"]));
    studio.close().is_whole(2);
}

#[test]
fn the_keyboard_is_enough() {
    let studio = Studio::ready("keyboard");
    let browser = &studio.browser;
    tab_to(browser, "lock");
    browser.press("", keys::ENTER);
    browser.see("#unlock");
    // The focus is where one types.
    browser.press("", &format!("{PASSPHRASE}{}", keys::ENTER));
    browser.see("#prompt");
    browser.press("", "a red apple");
    browser.press(keys::CONTROL, keys::ENTER);
    studio.finished();
    studio.shows(1);
    tab_to(browser, "delete");
    browser.press("", keys::ENTER);
    browser.see("#dialog");
    // Enter alone destroys nothing.
    browser.press("", keys::ENTER);
    browser.see_no("#dialog");
    assert_eq!(studio.total(), 1);
    let back = browser.script("return document.activeElement.id", &[]);
    assert_eq!(back, "delete", "the focus went elsewhere");
    browser.press("", keys::ENTER);
    browser.see("#dialog");
    tab_to(browser, "dialog-yes");
    browser.press("", keys::ENTER);
    studio.shows(0);
    let mut stops = BTreeSet::new();
    while stops.len() < 80 {
        browser.press("", keys::TAB);
        let stop = browser.script(FOCUS, &[])[0].as_str().unwrap_or_default().to_owned();
        if !stops.insert(stop) {
            break;
        }
    }
    for control in ["prompt", "size", "count", "seed", "generate", "language", "theme", "lock", "badge"] {
        assert!(stops.contains(control), "{control} is not among {stops:?}");
    }
    studio.close().is_whole(0);
}

/// What is handed to a person is opened wherever they read their mail.
#[test]
fn what_is_handed_out_fits_a_telephone() {
    let home = Home::with_picture("handed-narrow");
    home.ask(&["history", "rm", "--all", "--yes"]).ends(0, &[]);
    home.generate(&["a red apple"]).ends(0, &[]);
    home.ask(&["evidence", "subject", "-o", &home.at("about")]).ends(0, &[]);
    home.ask(&["evidence", "export", "-o", &home.at("bundle"), "--include-failures"]);
    let browser = Browser::open(&home);
    for page in ["about/subject.html", "bundle/erasures/erasures.html", "bundle/README.html"] {
        assert!(home.path().join(page).is_file(), "{page}");
        // A window has a smallest width of its own.
        let size = serde_json::json!({"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": true});
        browser.devtools("Emulation.setDeviceMetricsOverride", &size);
        browser.goto(&format!("file://{}", home.at(page)));
        let wide = "const { scrollWidth, clientWidth } = document.documentElement;
            return [scrollWidth, clientWidth]";
        let wide = browser.script(wide, &[]);
        assert_eq!(wide, serde_json::json!([390, 390]), "{page}");
    }
    browser.quit();
}
