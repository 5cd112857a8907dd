//! More windows than a browser has connections, and a badge that never says more than was answered just now.

use crate::browser::driver::{Browser, SOON};
use crate::browser::studio::Studio;
use crate::served::{Processes, Served};
use rustix::process::Signal;

/// A browser has six connections to one program, over all its windows.
const WINDOWS: usize = 12;

/// Keeps every state that the badge had.
const WATCH_BADGE: &str = "window.badges = [];
    const badge = document.querySelector('#badge');
    const note = () => window.badges.push(badge.hidden ? 'hidden' : badge.dataset.state);
    note();
    new MutationObserver(note).observe(badge, { attributes: true });";

#[test]
fn twelve_windows_work_side_by_side() {
    let studio = Studio::ready("windows");
    let browser = &studio.browser;
    let mut windows = vec![browser.tab()];
    for _ in 1..WINDOWS {
        windows.push(browser.new_window());
        studio.enter();
    }
    let mut visible = 0;
    for window in &windows {
        browser.switch(window);
        browser.script(WATCH_BADGE, &[]);
        visible += usize::from(browser.script("return document.hidden", &[]) == false);
    }
    assert_eq!(visible, WINDOWS, "a window that is hidden proves nothing");
    for (index, window) in windows.iter().enumerate() {
        browser.switch(window);
        studio.describe("a boat", (16, 16), 1, index as u32);
        browser.click("#generate");
        studio.finished();
        studio.shows(index + 1);
    }
    for window in &windows {
        browser.switch(window);
        studio.shows(WINDOWS);
        let badges = browser.script("return window.badges", &[]);
        let states: Vec<&str> = badges.as_array().into_iter().flatten().filter_map(|s| s.as_str()).collect();
        assert!(!states.is_empty() && states.iter().all(|state| *state == states[0]), "{states:?}");
        assert!(["green", "amber"].contains(&states[0]), "{states:?}");
    }
    studio.close().is_whole(WINDOWS as u64);
}

fn badge(browser: &Browser) -> String {
    browser.attribute("#badge", "data-state").unwrap_or_default()
}

/// Waits until the badge says that nobody answers, in a time that is a few seconds.
#[track_caller]
fn falls_silent(browser: &Browser) {
    browser.until("say that nobody answers", SOON / 2, || (badge(browser) == "silent").then_some(()));
    assert!(browser.is_displayed("#badge") && browser.text("#badge").contains("No answer"));
}

#[test]
fn the_badge_falls_silent_with_the_program_before_and_after_the_unlock() {
    let studio = Studio::ready("silent");
    let browser = &studio.browser;
    let inside = browser.tab();
    let gate = browser.new_window();
    browser.goto(&studio.served.origin());
    browser.see("#unlock");
    let windows = [&inside, &gate];
    let state =
        browser.until("show the badge", SOON, || Some(badge(browser)).filter(|state| !state.is_empty()));
    assert!(["green", "amber"].contains(&&*state), "{state}");

    // It hangs: nothing is refused, and nothing is answered.
    let server = studio.served.processes().server;
    Processes::signal(server, Signal::STOP);
    for window in windows {
        browser.switch(window);
        falls_silent(browser);
    }
    Processes::signal(server, Signal::CONT);
    for window in windows {
        browser.switch(window);
        browser.until("hear it again", SOON, || (badge(browser) == state).then_some(()));
        browser.see_no("#notice");
    }
    browser.switch(&inside);
    studio.describe("a boat", (16, 16), 1, 1);
    browser.click("#generate");
    studio.finished();

    // It is gone.
    studio.served.kill();
    for window in windows {
        browser.switch(window);
        falls_silent(browser);
    }
    let Studio { browser, served, home } = studio;
    browser.quit();
    served.wait();
    home.is_whole(1);
}

#[test]
fn the_badge_never_says_more_than_was_answered_just_now_and_every_screen_goes_on_after_an_end() {
    let mut studio = Studio::ready("ends");
    let inside = studio.browser.tab();
    let gate = studio.browser.new_window();
    studio.browser.goto(&studio.served.origin());
    studio.browser.see("#unlock");
    let windows = [inside.clone(), gate];
    let known = |browser: &Browser| ["green", "amber"].contains(&&*badge(browser)).then_some(());
    studio.browser.until("show the badge", SOON, || known(&studio.browser));

    // A look that neither fails nor ends keeps nothing green.
    studio.browser.script("window.fetch = () => new Promise(() => {})", &[]);
    falls_silent(&studio.browser);
    studio.browser.reload();
    studio.browser.until("show the badge again", SOON, || known(&studio.browser));

    let port = studio.served.port.to_string();
    for kills in [false, true] {
        match kills {
            false => studio.served.signal(Signal::TERM),
            true => studio.served.kill(),
        }
        for window in &windows {
            studio.browser.switch(window);
            falls_silent(&studio.browser);
        }
        let Studio { browser, served, home } = studio;
        served.wait();
        let served = Served::run(&mut home.program(&["serve", "--port", &port, "--home", &home.at("state")]));
        studio = Studio { browser, served, home };
        for window in &windows {
            studio.browser.switch(window);
            studio.browser.until("hear it again", SOON, || known(&studio.browser));
            studio.browser.see("#unlock");
        }
        studio.browser.switch(&inside);
        studio.unlock();
    }
    studio.close().is_whole(0);
}

#[test]
fn a_page_asks_more_seldom_while_nobody_answers_and_as_before_when_somebody_does() {
    let studio = Studio::ready("seldom");
    let browser = &studio.browser;
    // Its pauses are written down instead of waited for.
    browser.script(
        "window.pauses = []; window.answer = window.fetch; window.wait = window.setTimeout;
         window.setTimeout = (act, ms) => { window.pauses.push(ms); return window.wait(act, 5); };
         window.fetch = () => Promise.reject(new TypeError('nobody'));",
        &[],
    );
    let pauses =
        || browser.script("return window.pauses.join()", &[]).as_str().unwrap_or_default().to_owned();
    browser
        .until("ask more and more seldom", SOON, || pauses().contains("3000,6000,6000,6000").then_some(()));
    browser.script("window.fetch = window.answer; window.setTimeout = window.wait; window.pauses = [];", &[]);
    browser.until("hear it again", SOON, || (badge(browser) != "silent").then_some(()));
    browser.script(
        "window.setTimeout = (act, ms) => { window.pauses.push(ms); return window.wait(act, ms); };",
        &[],
    );
    browser.until("ask as before", SOON, || pauses().contains("1500").then_some(()));
    studio.close().is_whole(0);
}
