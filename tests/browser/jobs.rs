//! A request is cancelled, or outlives its page.

use crate::browser::driver::SOON;
use crate::browser::studio::Studio;
use crate::http::Request;
use serde_json::json;

#[test]
fn a_request_is_cancelled_or_outlives_its_page() {
    let studio = Studio::ready("jobs");
    let browser = &studio.browser;
    studio.begin("a boat", 100);
    assert!(browser.property("#progress", "max").as_f64() == Some(101.0), "the decoding counts as a step");
    // Another one waits, and is told by its first words.
    browser.fill("#prompt", "a lighthouse   in the fog");
    browser.fill("#steps", "1");
    browser.click("#generate");
    browser.see("#queue li");
    let waiting = browser.text("#queue li");
    assert!(waiting.contains("a lighthouse in the fog"), "{waiting}");
    browser.click("#queue li button:last-child");
    browser.see_no("#queue li");
    browser.click("#cancel");
    browser.see_no("#progress");
    browser.until("say so", SOON, || (!browser.text("#status").is_empty()).then_some(()));
    browser.see_no("#preview");
    let jobs = studio.api(Request::get("/api/v1/jobs"));
    assert_eq!(jobs["jobs"][0]["status"], "cancelled", "{jobs}");
    assert_eq!(studio.total(), 0);

    // A reload in the middle finds it again.
    studio.begin("a boat", 32);
    browser.reload();
    browser.see("#progress");
    browser.until("show a preview again", SOON, || browser.attribute("#preview", "data-preview"));
    studio.finished();
    studio.shows(1);

    // Two requests at once: both are to be seen, and a tab that is closed takes none of them with it.
    studio.begin("a boat", 100);
    let small = json!({"prompt": "x", "width": 16, "height": 16, "steps": 1});
    let small = studio.api(Request::post("/api/v1/jobs", &small))["id"].clone();
    browser.see("#queue li");
    let old = browser.tab();
    let new = browser.new_tab();
    browser.switch(&old);
    browser.close_tab();
    browser.switch(&new);
    studio.enter();
    browser.see("#progress");
    browser.see("#queue li");
    browser.click("#cancel");
    let picture = studio.finished();
    studio.shows(2);
    let id = small.as_str().expect("a job has an id");
    let job = studio.api(Request::get(&format!("/api/v1/jobs/{id}")));
    assert_eq!(job["images"], json!([picture]), "{job}");
    let home = studio.close();
    assert_eq!(home.count_records(&["object.sealed ok"]), 2);
    home.is_whole(2);
}
