//! What axe-core, the engine that accessibility auditors use, finds on a screen.

use crate::browser::driver::Browser;
use crate::harness::Home;
use crate::looks::beneath;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

/// Its text, from the Python package that brings it.
static ENGINE: LazyLock<String> = LazyLock::new(|| {
    let python = std::env::var("LIGHTPROOF_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let find = "import axe_playwright_python as package; print(package.__path__[0], end='')";
    let found = Command::new(&python).args(["-c", find]).output();
    let found = found.unwrap_or_else(|error| panic!("{python}: {error}"));
    let folder = String::from_utf8(found.stdout).expect("a path");
    let path = Path::new(&folder).join("axe.min.js");
    std::fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!("{}: {error}; tests/run installs axe-core for {python}", path.display())
    })
});

/// Every rule that it has for WCAG 2.2 at A and AA, and its best practices; what it found, one line for each element.
const RUN: &str = "const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
    const { violations, passes } = await axe.run(document, { runOnly: { type: 'tag', values: tags } });
    return [passes.length, violations.flatMap(({ id, nodes }) =>
        nodes.map(({ target, failureSummary }) => `${id}: ${target.join(' ')}: ${failureSummary}`))];";

/// On this screen, as it is: nothing is found, by an engine that looked.
#[track_caller]
pub fn finds_nothing(browser: &Browser, screen: &str) {
    if browser.script("return typeof axe", &[]) != "object" {
        browser.script(&ENGINE, &[]);
    }
    let found = browser.script_async(RUN, &[]);
    assert!(
        found[0].as_u64().is_some_and(|passed| passed >= 5),
        "{screen}: axe-core looked at nothing: {found}"
    );
    assert_eq!(found[1], serde_json::json!([]), "{screen}");
}

/// Everything that is a page of HTML beneath a folder.
fn pages(folder: &Path) -> Vec<String> {
    let mut found: Vec<String> =
        beneath(folder).into_keys().filter_map(|path| path.to_str().map(str::to_owned)).collect();
    found.retain(|path| path.ends_with(".html"));
    found
}

#[test]
fn what_is_handed_over_on_paper_is_for_everybody() {
    let home = Home::furnished("axe-papers");
    home.generate(&["an apple"]).ends(0, &[]);
    home.ask(&["history", "rm", "--all", "--yes"]).ends(0, &[]);
    home.ask(&["history", "certificate", "-o", &home.at("out/certificate"), "--all"]).ends(0, &[]);
    home.ask(&["evidence", "export", "-o", &home.at("out/bundle")]).ends(0, &[]);
    home.ask(&["evidence", "rehearse", "-o", &home.at("out/rehearsal")]).ends(0, &[]);
    home.ask(&["evidence", "freeze", "--reason", "breach", "--law", "gdpr", "-o", &home.at("out/frozen")])
        .ends(0, &[]);
    let pages = pages(&home.path().join("out"));
    assert!(pages.len() >= 5, "{pages:?}");
    let browser = Browser::open(&home);
    for page in pages {
        browser.goto(&format!("file://{page}"));
        for width in [1440, 320] {
            browser.size(width, 900);
            finds_nothing(&browser, &format!("{page} at {width} pixels"));
        }
    }
}

#[test]
fn the_engine_finds_what_is_wrong() {
    let home = Home::new("axe-finds");
    home.write(
        "wrong.html",
        b"<!doctype html><html><title>x</title><h1>x</h1>
        <button></button><img src=x><p style='color:#ddd;background:#fff'>pale<input>",
    );
    let browser = Browser::open(&home);
    browser.goto(&format!("file://{}", home.at("wrong.html")));
    let found = browser.script_async(&format!("{}; {RUN}", *ENGINE), &[]);
    for rule in ["html-has-lang", "button-name", "image-alt", "color-contrast", "label"] {
        assert!(
            found[1].as_array().is_some_and(|found| found
                .iter()
                .any(|line| line.as_str().is_some_and(|line| line.starts_with(rule)))),
            "{rule}: {found}"
        );
    }
}
