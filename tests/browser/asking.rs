//! What the form says before anything is sent: tokens, texts that are not used, sizes that the model was not made for.

use crate::browser::driver::{Browser, SOON};
use crate::browser::network::urls;
use crate::browser::studio::{PICTURE, Studio};
use crate::harness::Home;
use crate::http::Request;
use crate::served::Served;
use serde_json::json;

#[test]
fn tokens_are_counted_while_one_types_and_a_text_that_is_too_long_is_not_sent() {
    let studio = Studio::ready("tokens");
    let browser = &studio.browser;
    let counted = |what: &str| {
        let words = || Some(browser.text("#prompt-tokens")).filter(|words| words.contains(" of 512"));
        let words = browser.until(what, SOON, words);
        words.split(' ').next().and_then(|count| count.parse::<u32>().ok()).expect("a count")
    };
    browser.fill("#prompt", "a red apple");
    let few = counted("count the tokens");
    assert!((5..40).contains(&few), "{few}");
    // While the engine computes.
    studio.begin("a boat", 100);
    browser.fill("#prompt", "a red apple on a dark blue background");
    let more = counted("count the tokens while it computes");
    assert!(more > few, "{more} of {few}");
    browser.see("#cancel");
    browser.click("#cancel");
    browser.see_no("#progress");

    let long = "nightingale ".repeat(300);
    browser.script(
        "const prompt = document.querySelector('#prompt');
         prompt.value = arguments[0];
         prompt.dispatchEvent(new Event('input', { bubbles: true }));",
        &[&long],
    );
    browser.click("#generate");
    browser.until("refuse it", SOON, || (!browser.text("#message").is_empty()).then_some(()));
    let said = browser.text("#message");
    let count = browser.text("#prompt-tokens").replace(',', "");
    let count = count.split(' ').next().expect("a count").to_owned();
    assert!(count.parse::<u32>().is_ok_and(|count| count > 512), "{count}");
    assert!(said.replace(',', "").contains(&count) && said.contains("512"), "{said}");
    let jobs = studio.api(Request::get("/api/v1/jobs"));
    assert_eq!(jobs["jobs"].as_array().map(Vec::len), Some(1), "{jobs}");
    // A negative prompt that is too long does not keep a picture back that does not use it.
    browser.fill("#negative", "fog");
    assert!(browser.text("#negative-hint").contains("no effect"), "{}", browser.text("#negative-hint"));
    let set = "const negative = document.querySelector('#negative');
               negative.value = arguments[0];
               negative.dispatchEvent(new Event('input', { bubbles: true }));";
    browser.script(set, &[&long]);
    studio.describe("a red apple", (128, 128), 8, 1);
    browser.click("#generate");
    studio.finished();
    browser.fill("#guidance", "2");
    browser.click("#generate");
    browser.until("refuse it now", SOON, || browser.text("#message").contains("512").then_some(()));

    let asked = browser.performance();
    assert!(urls(&asked).any(|url| url.ends_with("/api/v1/tokens")));
    assert!(urls(&asked).all(|url| !url.contains("apple") && !url.contains("nightingale")));
    let home = studio.close();
    assert_eq!(home.count_records(&["generate.requested"]), 2, "what is counted is on no record");
    assert_eq!(home.count_records(&["request.refused"]), 0);
    home.is_whole(1);
}

#[test]
fn the_page_says_what_the_demo_model_draws_and_at_which_size() {
    let studio = Studio::ready("demo");
    let browser = &studio.browser;
    assert!(browser.text("#demo summary").contains("128"));
    assert_eq!(browser.count("#demo .examples button"), 10);
    assert_eq!(browser.count(".stage .examples button"), 10);
    browser.see_no("#demo-size");
    browser.choose("#size", "256x256");
    browser.see("#demo-size");
    browser.choose("#size", "128x128");
    browser.see_no("#demo-size");
    studio.speak_chinese();
    browser.click("#demo summary");
    browser.click("#demo .examples button:first-child");
    assert_eq!(browser.property("#prompt", "value"), json!("一个红苹果"));
    assert!(browser.text("#demo code").contains("model import"));
    browser.click("#generate");
    browser.until("draw it", PICTURE, || studio.has_area("#preview").then_some(()));
    studio.finished();
    browser.see_no(".stage .examples");
    studio.close().is_whole(1);
}

#[test]
fn prompts_of_a_session_come_back_after_a_reload_and_end_with_it() {
    let studio = Studio::ready("prompts");
    let browser = &studio.browser;
    browser.see_no("#prompts");
    browser.fill("#prompt", "a red apple");
    browser.click("#draft");
    let draft = studio.finished();
    assert!(browser.text(".stage .facts").contains("Steps\n4"), "{}", browser.text(".stage .facts"));
    // The same seed with all steps, by one click; and a row of the seeds from there on.
    let seed = || studio.api(Request::get("/api/v1/images?limit=1"))["images"][0].clone();
    let first = seed();
    browser.click("#finish");
    browser.until("draw it anew", PICTURE, || (studio.finished() != draft).then_some(()));
    let last = seed();
    assert_eq!((&last["seed"], &last["steps"]), (&first["seed"], &json!(8)));
    browser.see_no("#finish");
    browser.click("#vary");
    studio.shows(6);
    let images = studio.api(Request::get("/api/v1/images?limit=4"));
    let seeds: Vec<_> =
        images["images"].as_array().into_iter().flatten().map(|image| image["seed"].as_u64()).collect();
    let start = first["seed"].as_u64().expect("a seed");
    assert_eq!(seeds, [3, 2, 1, 0].map(|more| Some(start + more)));

    browser.reload();
    browser.see("#prompts summary");
    assert_eq!(browser.property("#prompt", "value"), "");
    browser.script("document.querySelector('#history .open').click()", &[]);
    studio.finished();
    browser.click("#use");
    assert_eq!(browser.property("#prompt", "value"), "a red apple", "the program remembers for who typed it");
    browser.clear("#prompt");
    browser.click("#prompts summary");
    browser.click("#prompts li button");
    assert_eq!(browser.property("#prompt", "value"), "a red apple");
    // Somebody else's session does not see them, and a lock is their end.
    let first = browser.tab();
    browser.new_window();
    studio.enter();
    browser.see_no("#prompts");
    browser.click("#lock");
    browser.see("#unlock");
    browser.close_tab();
    browser.switch(&first);
    browser.see("#unlock");
    let left = "return document.documentElement.outerHTML + JSON.stringify({ ...sessionStorage });";
    assert!(!browser.script(left, &[]).to_string().contains("a red apple"));
    studio.unlock();
    browser.see_no("#prompts");
    studio.close().is_whole(6);
}

#[test]
fn who_types_stays_and_who_is_signed_out_gets_the_unsent_prompt_back() {
    let home = Home::furnished("idle-page");
    home.policy(b"schema = 1\n\n[limits]\nidle_seconds_max = 12\n");
    let served = Served::start(&home);
    let studio = Studio { browser: Browser::open(&home), served, home };
    let browser = &studio.browser;
    studio.set_up();
    // Twice as long as a session lasts without use.
    for _ in 0..12 {
        browser.type_keys("#prompt", "owl ");
        std::thread::sleep(std::time::Duration::from_secs(2));
        assert_eq!(browser.count("#unlock"), 0, "it ends while somebody types");
    }
    let typed = browser.property("#prompt", "value");
    browser.until("announce the end", SOON, || browser.text("#notice").contains("ends in").then_some(()));
    browser.until("end the session", 2 * SOON, || browser.is_displayed("#unlock").then_some(()));
    let left = "return document.documentElement.outerHTML + JSON.stringify([{ ...sessionStorage }, { ...localStorage }]);";
    assert!(!browser.script(left, &[]).to_string().contains("owl"));
    studio.unlock();
    browser.until("give it back", SOON, || (browser.property("#prompt", "value") == typed).then_some(()));
    browser.click("#lock");
    browser.see("#unlock");
    studio.unlock();
    assert_eq!(browser.property("#prompt", "value"), "", "who locks by hand leaves nothing behind");
    studio.close().is_whole(0);
}

#[test]
fn settings_get_a_name_and_come_back_and_what_was_there_is_not_lost() {
    let studio = Studio::ready("presets");
    let browser = &studio.browser;
    let value = |id: &str| browser.property(&format!("#{id}"), "value");
    let values = || {
        ["prompt", "width", "height", "seed", "steps"]
            .map(|id| value(id).as_str().unwrap_or_default().to_owned())
    };
    let undo = || browser.click("#notice button:not(.plain)");
    studio.describe("a red fox", (32, 16), 3, 77);
    browser.click("#presets summary");
    browser.see("#preset-name");
    assert_eq!(browser.property("#preset-save", "disabled"), true, "a preset has a name");
    // Enter saves, and does not send the form.
    browser.type_keys("#preset-name", &format!("wide{}", crate::browser::driver::keys::ENTER));
    browser.see("#presets li button");
    assert_eq!(studio.api(Request::get("/api/v1/jobs"))["jobs"], json!([]));
    let kept = browser.script("return localStorage.getItem('presets')", &[]);
    let kept = kept.as_str().expect("there are presets");
    assert!(kept.contains("wide") && !kept.contains("fox") && !kept.contains("77"), "{kept}");

    // On another day, with another prompt. What was there before is one click away.
    browser.reload();
    browser.see("#prompt");
    studio.describe("an owl", (64, 64), 2, 5);
    browser.click("#presets summary");
    browser.click("#presets li button");
    assert_eq!(values(), ["an owl", "32", "16", "5", "3"]);
    undo();
    assert_eq!(values(), ["an owl", "64", "64", "5", "2"]);

    // The same for the parts of a picture.
    browser.click("#generate");
    studio.finished();
    studio.describe("a pear", (16, 32), 4, 6);
    browser.click("#use-parts summary");
    for (part, expected) in [
        ("prompt", ["an owl", "16", "32", "6", "4"]),
        ("size", ["a pear", "64", "64", "6", "4"]),
        ("seed", ["a pear", "16", "32", "5", "4"]),
        ("steps", ["a pear", "16", "32", "6", "2"]),
    ] {
        browser.click(&format!("#use-parts [data-part={part}]"));
        assert_eq!(values(), expected, "{part}");
        undo();
        assert_eq!(values(), ["a pear", "16", "32", "6", "4"], "{part}");
    }
    browser.click("#use");
    assert_eq!(values(), ["a pear", "64", "64", "5", "2"]);
    undo();

    browser.click("#presets li button.plain");
    assert_eq!((browser.count("#presets li"), value("preset-name").as_str()), (0, Some("")));
    assert_eq!(browser.script("return document.activeElement.id", &[]), "preset-name");
    assert_eq!(browser.script("return localStorage.getItem('presets')", &[]), "[]");
    studio.close().is_whole(1);
}
