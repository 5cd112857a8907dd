//! The log in the studio: its records in words and in both languages, what filters take, a check of all of it, and a slice.

use crate::browser::driver::{SOON, keys};
use crate::browser::studio::Studio;
use crate::pruned::pruned;
use serde_json::json;
use std::process::Command;

/// Sentences of the dialog without a Chinese character. Values, types and ids are none, and what fields mean is marked as English.
const FOREIGN: &str = "return [...document.querySelectorAll('#log-dialog :is(p, h2, dt, strong, span:not([lang]), button, option, label)')]
    .flatMap((element) => [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE))
    .map((node) => node.data.trim())
    .filter((text) => / [a-z]{3,} /i.test(text) && !/[\\u4e00-\\u9fff]/.test(text));";

/// Fields for a day that are narrower than a day is long.
const CUT: &str = "return [...document.querySelectorAll('#log-dialog input[type=date]')].filter((input) => {
    const whole = input.cloneNode();
    Object.assign(whole.style, { width: 'max-content', position: 'absolute' });
    input.after(whole);
    const is_cut = input.offsetWidth < whole.offsetWidth;
    whole.remove();
    return is_cut;
}).map((input) => input.id);";

fn says(studio: &Studio, words: &str) {
    studio.browser.until(&format!("say {words:?}"), SOON, || {
        studio.browser.text("#log-message").contains(words).then_some(())
    });
}

#[test]
fn the_log_is_read_filtered_verified_and_taken_out() {
    let studio = Studio::ready("log");
    let browser = &studio.browser;
    studio.make_small(1);
    studio.shows(1);
    browser.click("#log");
    browser.see("#records details");
    says(&studio, "records of");
    browser.see("[data-type='vault.created']");
    // By the keyboard: a record opens, and says what each of its fields means.
    browser.script("document.querySelector(\"[data-type='object.sealed'] > summary\").focus()", &[]);
    browser.press("", keys::ENTER);
    browser.see("[data-type='object.sealed'] dl");
    let text = browser.text("[data-type='object.sealed']");
    for words in ["A picture was sealed and is durable", "Picture", "o:", "Request", "Width in pixels."] {
        assert!(text.contains(words), "no {words:?}: {text}");
    }
    // By a filter.
    browser.choose("#log-type", "vault");
    browser.until("show the vault's records alone", SOON, || {
        let all = browser.count("#records details");
        (all > 0 && all == browser.count("#records [data-type^='vault.']")).then_some(())
    });
    browser.choose("#log-outcome", "denied");
    says(&studio, "0 records of");
    browser.choose("#log-type", "all");
    browser.choose("#log-outcome", "all");
    browser.see("[data-type='audit.read']");
    browser.click("#log-verify");
    says(&studio, "Verified: all");
    browser.click("#log-export");
    let slice = studio.saved(1, "zip").remove(0);
    let listed = Command::new("python3").args(["-m", "zipfile", "-l"]).arg(&slice).output().expect("python3");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    for name in ["VERIFY.md", "audit/records.jsonl", "audit/checkpoint"] {
        assert!(listed.contains(&format!("lightproof-log/{name} ")), "{listed}");
    }
    // What somebody changes meanwhile is found.
    let segment = studio.home.path().join("state/audit/seg/00000000.jsonl");
    let whole = std::fs::read_to_string(&segment).expect("it is text");
    std::fs::write(&segment, whole.replacen("\"boot.ready\"", "\"boot.reddy\"", 1))
        .expect("it can be written");
    browser.click("#log-verify");
    says(&studio, "NOT verified");
    let now = std::fs::read_to_string(&segment).expect("it is text");
    std::fs::write(&segment, now.replacen("\"boot.reddy\"", "\"boot.ready\"", 1)).expect("it can be written");
    browser.press("", keys::ESCAPE);
    browser.see_no("#log-dialog");

    studio.speak_chinese();
    browser.click("#log");
    browser.see("#records details");
    browser
        .script("document.querySelectorAll('#records details').forEach((one) => { one.open = true; })", &[]);
    assert_eq!(browser.script(FOREIGN, &[]), json!([]));
    // What each field means, too.
    assert!(browser.text("[data-type='object.sealed']").contains("宽度，单位像素。"));
    assert_eq!(browser.count("#records [lang='en']"), 0);
    browser.size(390, 844);
    assert_eq!(browser.script(CUT, &[]), json!([]));
    browser.press("", keys::ESCAPE);
    let home = studio.close();
    assert_eq!(home.count_records(&["audit.read ok", "how=verify"]), 2);
    assert_eq!(home.count_records(&["audit.read ok", "how=export"]), 1);
    home.is_whole(1);
}

#[test]
fn the_log_says_between_which_records_some_were_pruned() {
    let studio = Studio::of(pruned("log-pruned"));
    let browser = &studio.browser;
    studio.enter();
    browser.click("#log");
    browser.see("#records details");
    let says = |words: &str| {
        browser.until(&format!("say {words:?}"), SOON, || {
            (browser.count("#records > p") > 0 && browser.text("#records").contains(words)).then_some(())
        });
    };
    browser.choose("#log-type", "log");
    says("8,189 of the records 1 to 8190 were pruned");
    browser.press("", keys::ESCAPE);
    browser.see_no("#log-dialog");
    studio.speak_chinese();
    browser.click("#log");
    browser.see("#records details");
    browser.choose("#log-type", "log");
    says("第 1 至 8190 条记录中有 8,189 条已被删减");
    browser.press("", keys::ESCAPE);
    studio.close().is_whole(1);
}
