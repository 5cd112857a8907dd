//! Hundreds of pictures and more: found, sorted, and in the page only where one looks.

use crate::browser::driver::{Browser, SOON, keys};
use crate::browser::network::urls;
use crate::browser::studio::{PICTURE, Studio};
use crate::http::Request;
use serde_json::{Value, json};

/// The most cells that may be in the page at once: three blocks of the grid.
const CELLS_MAX: u64 = 180;

/// Ten thousand pictures that the program does not have, and what the page asked for meanwhile. Each has three words, a seed
/// and one of two sizes.
const PRETENDED: &str = r#"
    window.asked = { lists: 0, looks: [], twice: 0 };
    const seen = new Set();
    const [real, count] = [window.fetch, 10000];
    const id = (n) => n.toString(16).padStart(32, "0");
    const image = (n) => ({
        id: id(n), name: `20260101_000000_${n}.png`, created_ms: 1767225600000 - n * 1000, bytes: 9000, missing: false,
        width: n % 7 ? 128 : 256, height: 128, steps: 8, guidance: 0, seed: 2 * n, model: "ab".repeat(32),
        prompt: `a ${["red", "green", "blue"][n % 3]} thing`, negative_prompt: null,
    });
    const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGNoUFAAAAHkAMHqWxkXAAAAAElFTkSuQmCC";
    const answer = (body) => new Response(JSON.stringify(body));
    window.fetch = async (path, options) => {
        const { pathname, searchParams } = new URL(path, location);
        if (pathname === "/api/v1/images") {
            window.asked.lists += 1;
            const cursor = searchParams.get("cursor");
            const from = cursor ? parseInt(cursor, 16) + 1 : 0;
            const end = Math.min(count, from + Number(searchParams.get("limit")));
            const images = Array.from({ length: end - from }, (_, index) => image(from + index));
            return answer({ images, next: end < count ? id(end - 1) : null, total: count });
        }
        if (pathname === "/api/v1/thumbnails") {
            const { ids } = JSON.parse(options.body);
            window.asked.looks.push(ids.length);
            window.asked.twice += ids.filter((id) => seen.size === seen.add(id).size).length;
            return answer({ thumbnails: ids.map((id) => ({ id, png })) });
        }
        return real(path, options);
    };"#;

/// Scrolls through the page, a quarter of the window with every frame, `arguments[0]` windows far; the most cells that were
/// in the page at once.
const SCROLL: &str = "let most = 0;
    for (let step = 0; step < 4 * Number(arguments[0]); step += 1) {
        scrollBy(0, innerHeight / 4);
        await new Promise(requestAnimationFrame);
        await new Promise((go) => setTimeout(go, 20));
        most = Math.max(most, document.querySelectorAll('#history li').length);
    }
    await new Promise((go) => setTimeout(go, 500));
    return most;";

#[track_caller]
fn says(browser: &Browser, sentence: &str) {
    let said = || browser.text(".bar [role=status]");
    browser.until(&format!("say {sentence:?}"), PICTURE, || (said() == sentence).then_some(()));
}

/// Searches, and waits for what is said of it.
#[track_caller]
fn search(browser: &Browser, words: &str, sentence: &str) {
    browser.fill("#search", words);
    says(browser, sentence);
}

/// What a screen reader says of the place of the cell with the focus, and whether all of the cell is in the window.
fn focused(browser: &Browser) -> Value {
    let script = "const cell = document.activeElement.closest('#history li');
                  const box = cell?.getBoundingClientRect();
                  return cell && [cell.ariaPosInSet, cell.ariaSetSize, box.top >= 0 && box.bottom <= innerHeight];";
    browser.script(script, &[])
}

/// What the first cell shows.
fn first(browser: &Browser) -> String {
    browser.attribute("#history li", "data-id").unwrap_or_default()
}

/// How many requests had this in their address.
fn asked(browser: &Browser, part: &str) -> usize {
    urls(&browser.performance()).filter(|url| url.contains(part)).count()
}

/// Empties the search.
fn search_nothing(browser: &Browser) {
    browser.script(
        "const search = document.querySelector('#search');
         search.value = '';
         search.dispatchEvent(new Event('input'));",
        &[],
    );
}

impl Studio {
    /// Makes small pictures whose prompt is kept, with the seeds from `seed` on.
    #[track_caller]
    fn keep(&self, prompt: &str, width: u32, seed: u32, count: u32) {
        for start in (seed..seed + count).step_by(16) {
            let count = (seed + count - start).min(16);
            let job = json!({"prompt": prompt, "width": width, "height": 16, "steps": 1, "seed": start, "count": count,
                             "remember_prompt": true});
            let made = self.api(Request::post("/api/v1/jobs", &job));
            let path = format!("/api/v1/jobs/{}", made["id"].as_str().expect("a job has an id"));
            self.browser.until("make pictures", PICTURE, || {
                (self.api(Request::get(&path))["status"] == "done").then_some(())
            });
        }
    }
}

#[test]
fn one_of_hundreds_is_found_and_nothing_is_looked_at_that_is_far_away() {
    const PICTURES: u32 = 208;
    let studio = Studio::ready("many");
    let browser = &studio.browser;
    studio.keep("a grey heron", 16, 1000, 160);
    studio.keep("a Red apple", 32, 5, 16);
    studio.keep("一只橘猫", 16, 300, 32);
    // The studio has the newest; what is older is one click away.
    browser.reload();
    says(browser, "208 pictures, sealed");
    assert_eq!(browser.attribute("#history li", "aria-setsize").as_deref(), Some("60"));
    browser.click("#to-gallery");
    browser.see("#search");
    says(browser, "208 pictures, sealed");
    assert!(browser.url().ends_with("/#gallery"), "{}", browser.url());
    browser.see_no("#prompt");

    // Words, in any script and case, a size, a seed, a day, a name: each picture that holds all of them.
    let day = browser.script("return new Date().toISOString().slice(0, 7)", &[]);
    let day = day.as_str().expect("a month");
    let named = studio.api(Request::get("/api/v1/images?limit=1"))["images"][0].clone();
    let name = named["name"].as_str().expect("a name");
    for (words, found) in [
        ("apple", 16),
        ("ＡＰＰＬＥ", 16),
        ("apple red", 16),
        ("橘猫", 32),
        ("apple 橘猫", 0),
        ("32x16", 16),
        ("32×16 apple", 16),
        ("1000", 1),
        ("lightproof-demo", PICTURES),
        (day, PICTURES),
        (name, 1),
    ] {
        search(browser, words, &format!("{found} of 208 pictures"));
        assert_eq!(browser.is_displayed("#history-empty"), found == 0, "{words}");
    }
    let digest = studio.api(Request::get("/api/v1/capabilities"))["model"]["digest"].clone();
    assert_eq!(named["model"], digest);
    search(browser, &digest.as_str().expect("a digest")[..12], "208 of 208 pictures");

    // What is selected is what one sees, and nothing beyond it can be deleted.
    search(browser, "apple", "16 of 208 pictures");
    browser.see_no("#all-delete");
    browser.click("#select-all");
    says(browser, "16 of 16 selected");
    search(browser, "apple 5", "1 of 1 selected");
    search(browser, "橘猫", "32 of 208 pictures");
    search_nothing(browser);
    says(browser, "208 pictures, sealed");
    assert_eq!(browser.count("#history [data-selected]"), 0);
    browser.see("#all-delete");

    // Orders.
    let mut listed: Vec<Value> = Vec::new();
    for _ in 0..2 {
        let cursor = listed.last().map(|last| format!("&cursor={}", last["id"].as_str().expect("an id")));
        let path = format!("/api/v1/images?limit=200{}", cursor.unwrap_or_default());
        listed.extend(studio.api(Request::get(&path))["images"].as_array().expect("a list").iter().cloned());
    }
    let id = |image: Option<&Value>| image.and_then(|image| image["id"].as_str()).expect("an id").to_owned();
    let seed = |image: &&Value| image["seed"].as_u64();
    let wide = |image: &&Value| image["width"] == 32;
    for (order, expected) in [
        ("oldest", id(listed.last())),
        ("largest", id(listed.iter().find(wide))),
        ("seed", id(listed.iter().min_by_key(seed))),
        ("newest", id(listed.first())),
    ] {
        browser.choose("#sort", order);
        assert_eq!(first(browser), expected, "{order}");
    }

    // By the keyboard to the end, and back where the list was scrolled away from under it.
    browser.script("document.querySelector('#history .open').focus()", &[]);
    browser.press("", keys::END);
    assert_eq!(focused(browser), json!(["208", "208", true]));
    browser.script("scrollTo(0, 0)", &[]);
    let is_on_the_list = "return document.activeElement.id";
    browser
        .until("keep the focus", SOON, || (browser.script(is_on_the_list, &[]) == "history").then_some(()));
    browser.press("", keys::LEFT);
    assert_eq!(focused(browser), json!(["207", "208", true]));
    browser.press("", "/");
    assert_eq!(browser.script(is_on_the_list, &[]), "search");

    // What is new is all that is read of the list; what went elsewhere goes here.
    let before = asked(browser, "cursor=");
    studio.keep("a grey heron", 16, 7, 1);
    says(browser, "209 pictures, sealed");
    assert_eq!(asked(browser, "cursor="), before);
    let oldest = id(listed.last());
    studio.api(Request::new("DELETE", &format!("/api/v1/images/{oldest}")));
    says(browser, "208 pictures, sealed");
    browser.script("scrollTo(0, 0)", &[]);
    browser.choose("#sort", "oldest");
    assert_ne!(first(browser), oldest);

    // A picture is opened beside the list, and what it was made of goes to the form in the studio.
    search(browser, "apple 5", "1 of 208 pictures");
    browser.click("#history .open");
    studio.finished();
    browser.click("#use");
    browser.see("#prompt");
    assert_eq!(browser.property("#prompt", "value"), "a Red apple");
    assert_eq!(browser.url().trim_end_matches('#'), format!("{}/", studio.served.origin()));
    browser.see_no("#search");
    let performance = browser.performance();
    let told = urls(&performance).find(|url| url.contains("apple") || url.contains("heron"));
    assert_eq!(told, None, "what was searched for is in an address");
    // Every look is one record: with the number of its pictures, or with the picture if it was one.
    let is_look = |record: &&String| record.contains(".viewed ok") && record.contains("kind=preview");
    browser.until("have each look on record once", SOON, || {
        let looks = asked(browser, "/api/v1/thumbnails");
        (looks > 0 && studio.home.records().iter().filter(is_look).count() == looks).then_some(())
    });
    let home = studio.close();
    home.is_whole(u64::from(PICTURES));
}

#[test]
fn ten_thousand_pictures_are_a_few_cells_and_one_look_for_a_screenful() {
    let studio = Studio::ready("ten-thousand");
    let browser = &studio.browser;
    browser.devtools("Page.addScriptToEvaluateOnNewDocument", &json!({"source": format!("{{{PRETENDED}}}")}));
    browser.goto(&format!("{}/#gallery", studio.served.origin()));
    browser.reload();
    browser.see("#search");
    says(browser, "10,000 pictures, sealed");
    let told = |what: &str| browser.script(&format!("return window.asked.{what}"), &[]);
    // Pages of 200, and what the studio reads before.
    assert!(told("lists").as_u64().is_some_and(|lists| lists <= 60), "{}", told("lists"));

    let begun = told("looks").as_array().map_or(0, Vec::len);
    let most = browser.script_async(SCROLL, &["20"]);
    assert!(most.as_u64().is_some_and(|cells| cells <= CELLS_MAX), "{most} cells");
    let looks = told("looks").as_array().map_or(0, Vec::len) - begun;
    assert!((5..=20).contains(&looks), "{looks} looks for 20 screenfuls");
    assert_eq!(told("twice"), 0, "what was looked at is looked at again");
    // All that is in the window has its picture.
    let blank = "return [...document.querySelectorAll('#history li')].filter((cell) => {
                     const { top, bottom } = cell.getBoundingClientRect();
                     return bottom > 0 && top < innerHeight && !cell.querySelector('img').naturalWidth;
                 }).length";
    browser.until("show what is in the window", SOON, || (browser.script(blank, &[]) == 0).then_some(()));

    // What is not in the page is there all the same.
    search(browser, "green", "3,333 of 10,000 pictures");
    search(browser, "256x128 red 42", "1 of 10,000 pictures");
    search_nothing(browser);
    browser.choose("#sort", "seed");
    browser.click("#select-all");
    says(browser, "10,000 of 10,000 selected");
    browser.script("document.querySelector('#history .open').focus()", &[]);
    browser.press("", keys::END);
    assert_eq!(focused(browser), json!(["10000", "10000", true]));
    assert_eq!(browser.script("return document.activeElement.tabIndex", &[]), 0, "the tab key stops there");
    assert!(browser.count("#history li") as u64 <= CELLS_MAX);
    browser.press("", keys::UP);
    assert_eq!(focused(browser)[2], true);
    browser.press("", keys::HOME);
    assert_eq!(focused(browser), json!(["1", "10000", true]));
    // The way back is the browser's own.
    browser.script("history.back()", &[]);
    browser.see("#prompt");
    browser.see_no("#search");
    studio.close().is_whole(0);
}
