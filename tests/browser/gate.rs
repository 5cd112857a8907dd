//! Locking and unlocking, two languages, and the two names of the host.

use crate::browser::driver::SOON;
use crate::browser::network::strangers;
use crate::browser::studio::Studio;

fn is_chinese(text: &str) -> bool {
    text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
}

#[test]
fn a_lock_takes_the_pictures_away_and_both_languages_are_spoken() {
    let studio = Studio::ready("gate");
    let browser = &studio.browser;
    let lang = || browser.attribute("html", "lang").unwrap_or_default();
    assert_eq!(lang(), "en");
    studio.describe("a yellow star", (128, 128), 8, 1);
    browser.click("#generate");
    let star = studio.finished();
    assert!(!is_chinese(&browser.text("#generate")) && !is_chinese(&browser.text("#status")));

    browser.click("#language");
    browser.until("speak Chinese", SOON, || is_chinese(&browser.text("#generate")).then_some(()));
    assert_eq!(lang(), "zh-CN");
    assert!(is_chinese(&browser.text("#status")) && is_chinese(&browser.text("#download")));
    browser.fill("#prompt", "一只猫");
    browser.click("#remember");
    browser.click("#generate");
    studio.shows(2);
    browser.until("show the second picture", SOON, || (studio.finished() != star).then_some(()));
    assert_eq!(browser.attribute("#preview", "alt").as_deref(), Some("一只猫"), "it was to be remembered");
    browser.reload();
    browser.see("#prompt");
    assert_eq!(lang(), "zh-CN", "a reload keeps the language");
    studio.shows(2);
    // A real click could scroll the stage out of sight, and then the picture comes over the page.
    browser.script("document.querySelector('#history .open').click()", &[]);
    studio.finished();

    let blobs =
        "return [...document.images].map((image) => image.src).filter((src) => src.startsWith('blob:'))";
    let held = browser.script(blobs, &[]);
    assert!(held.as_array().is_some_and(|held| !held.is_empty()), "{held}");
    browser.fill("#prompt", "一只鸟");
    browser.click("#lock");
    browser.see("#unlock");
    assert!(is_chinese(&browser.text("#unlock")));
    let left = "return document.documentElement.outerHTML
                + [...document.querySelectorAll('input, textarea')].map((input) => input.value).join();";
    let left = browser.script(left, &[]).to_string();
    for gone in ["blob:", "data-id", "一只猫", "一只鸟"] {
        assert!(!left.contains(gone), "{gone} is still in the page: {left}");
    }
    let load = "const image = new Image();
                image.src = arguments[0];
                return image.decode().then(() => 'opens', () => 'gone');";
    for url in held.as_array().into_iter().flatten() {
        assert_eq!(browser.script_async(load, &[url.as_str().unwrap_or_default()]), "gone", "{url}");
    }
    assert_eq!(browser.script("return sessionStorage.getItem('token')", &[]), serde_json::Value::Null);

    browser.click("#language");
    browser.until("speak English", SOON, || (!is_chinese(&browser.text("#unlock"))).then_some(()));
    browser.fill("#passphrase", "seven grey herons at dusk");
    browser.click("#unlock");
    browser.until("refuse it", SOON, || (!browser.text("#message").is_empty()).then_some(()));
    assert_eq!(browser.property("#passphrase", "value"), "");
    assert_eq!(browser.count("#prompt"), 0);
    studio.unlock();
    studio.shows(2);
    let home = studio.close();
    assert_eq!(home.count_records(&["vault.unlock_failed denied"]), 1);
    home.is_whole(2);
}

#[test]
fn each_name_of_the_host_has_a_session_of_its_own_and_one_lock() {
    let studio = Studio::ready("names");
    let browser = &studio.browser;
    let first = browser.tab();
    studio.make_small(1);
    browser.new_tab();
    let localhost = format!("http://localhost:{}", studio.served.port);
    browser.goto(&localhost);
    browser.see("#unlock");
    studio.unlock();
    studio.shows(1);
    studio.make_small(1);
    browser.switch(&first);
    studio.shows(2);
    // A lock means everybody.
    browser.click("#lock");
    browser.see("#unlock");
    let second = browser.tabs().into_iter().find(|tab| *tab != first).expect("two tabs are open");
    browser.switch(&second);
    browser.see("#unlock");
    assert_eq!(browser.url(), format!("{localhost}/"));
    assert_eq!(browser.count("#history"), 0);

    let strange = strangers(&browser.performance(), &studio.served.origin());
    let own = format!("{localhost}/");
    studio
        .close_after(&strange.into_iter().filter(|url| !url.starts_with(&own)).collect::<Vec<_>>())
        .is_whole(2);
}
