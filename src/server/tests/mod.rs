//! What can be seen without a darkroom: the page's files, and the words in them. The rest is tested on the program.

mod fuzz;

use crate::api::table;
use crate::guard::Access;
use crate::pages::FILES;
use darkroom::Scope;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::path::Path;

fn text(name: &str) -> &'static str {
    let (_, content) = FILES.iter().find(|(known, _)| *known == name).unwrap();
    std::str::from_utf8(content).unwrap()
}

fn words(name: &str) -> Map<String, Value> {
    serde_json::from_str(text(name)).unwrap()
}

/// `{name}` in a sentence.
fn placeholders(sentence: &str) -> BTreeSet<&str> {
    sentence.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect()
}

#[test]
fn every_file_of_the_page_is_served_and_nothing_else() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("pages");
    let there: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let served: BTreeSet<String> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(there, served);
}

#[test]
fn both_languages_say_the_same() {
    let keys = |words: &Map<String, Value>| words.keys().cloned().collect::<BTreeSet<_>>();
    let (mut english, mut chinese) = (words("en.json"), words("zh-CN.json"));
    let (late, late_chinese) = (words("late.en.json"), words("late.zh-CN.json"));
    assert_eq!((keys(&english), keys(&late)), (keys(&chinese), keys(&late_chinese)));
    assert!(late.keys().all(|key| !english.contains_key(key)), "a text is in both files");
    english.extend(late);
    chinese.extend(late_chinese);
    for (key, sentence) in &english {
        let (one, other) = (sentence.as_str().unwrap(), chinese[key].as_str().unwrap());
        // Chinese sentences follow each other without a gap.
        assert!(!one.is_empty() && (!other.is_empty() || key == "gap"), "{key}");
        assert_eq!(placeholders(one), placeholders(other), "{key}");
    }
}

/// A key that stands in no file of texts would stand on the page itself.
#[test]
fn every_text_that_a_script_names_is_there() {
    let mut known = words("en.json");
    known.extend(words("late.en.json"));
    // One that goes by a number has a form for each kind of number.
    let is_known = |key: &str| known.contains_key(key) || known.contains_key(&format!("{key}.other"));
    let mut named = 0;
    for (name, _) in FILES.iter().filter(|(name, _)| name.ends_with(".js")) {
        let script = text(name);
        for (at, _) in script.match_indices("t(\"") {
            let is_a_name =
                script[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || "_.$".contains(c));
            let key = script[at + 3..].split('"').next().unwrap_or_default();
            assert!(is_a_name || is_known(key), "{name} names {key}");
            named += usize::from(!is_a_name);
        }
    }
    assert!(named > 100, "{named}");
    for warning in darkroom::Warning::ALL {
        assert!(is_known(&format!("warning.{}", warning.word())), "{warning:?}");
    }
}

/// The policy of the headers forbids most of this; here it is not even written.
#[test]
fn the_page_keeps_and_reads_nothing_that_it_should_not() {
    let never = [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        "localStorage",
        "indexedDB",
        "caches.",
        "document.cookie",
        "serviceWorker",
        "clipboard",
        "userAgent",
        "WebSocket",
        "sendBeacon",
        "console.",
        "http://",
        "https://",
    ];
    for (name, content) in FILES.iter().filter(|(name, _)| !name.ends_with(".svg")) {
        let content = std::str::from_utf8(content).unwrap();
        for word in never {
            // Which language and which theme: tests/browser/traces.rs looks at what lies there.
            let kept = (*name, word) == ("store.js", "localStorage");
            assert!(!content.contains(word) || kept, "{name} has {word}");
        }
        assert!(!content.contains(" style=") && !content.contains("<style"), "{name} has a style in place");
    }
    let page = text("index.html");
    assert_eq!(page.matches("<script").count(), page.matches("<script type=\"module\" src=").count());
}

/// The contract and the table name the same routes, and ask for a token at the same ones.
#[test]
fn every_route_declares_what_the_contract_says() {
    let contract = include_str!("../API.md");
    let mut promised = BTreeSet::new();
    for row in contract.lines().filter(|line| line.starts_with("| `") && line.contains(" /")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let (request, token) = (cells[1].split('`').nth(1).unwrap(), cells[2]);
        let (method, target) = request.split_once(' ').unwrap();
        let path = target.split('?').next().unwrap();
        promised.insert((method.to_owned(), path.to_owned(), token.to_owned()));
    }
    // The row of the page stands for its files.
    promised.extend(FILES.iter().map(|(name, _)| ("GET".to_owned(), format!("/{name}"), "no".to_owned())));
    let word = |access: Access| match access {
        Access::Open => "no",
        Access::Session | Access::Watch => "yes",
        Access::Anyone | Access::Look => "yes, auditors too",
        Access::By([scope]) => scope.word(),
        Access::By(any) => ["any", "no word"][usize::from(any != Scope::ALL)],
    };
    let declared: BTreeSet<_> = table()
        .into_iter()
        .map(|route| (route.method.to_owned(), route.path, word(route.access).to_owned()))
        .collect();
    assert_eq!(declared, promised);
    let open: Vec<_> =
        declared.iter().filter(|(_, path, token)| path.starts_with("/api/") && token == "no").collect();
    assert_eq!(open.len(), 3, "the state, and the two ways to a token: {open:?}");
}

/// Modules that a script names, behind `from "./` or `import("./`.
fn modules<'a>(script: &'a str, before: &str) -> Vec<&'a str> {
    script.split(before).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// What the first visit costs, before compression, of which there is none; and all that there is to review.
#[test]
fn the_page_stays_small() {
    let bytes = |wanted: &dyn Fn(&str) -> bool| -> usize {
        FILES.iter().filter(|(name, _)| wanted(name)).map(|(_, content)| content.len()).sum()
    };
    let (mut first, mut later) = (BTreeSet::new(), BTreeSet::new());
    let mut found = vec!["main.js"];
    while let Some(name) = found.pop() {
        if first.insert(name) {
            found.extend(modules(text(name), "from \"./"));
            later.extend(modules(text(name), "import(\"./"));
        }
    }
    let scripts = bytes(&|name| name.ends_with(".js"));
    let at_first = bytes(&|name| first.contains(name));
    assert!(at_first < 100 * 1024, "{at_first} bytes of script at the first visit");
    // Most of what came last, the dialogs, is fetched only when somebody opens them, and then one at a time.
    assert!(scripts < 146 * 1024, "{scripts} bytes of script");
    let style = bytes(&|name| name.ends_with(".css"));
    assert!(style < 30 * 1024, "{style} bytes of style");
    // What several late ones are made of.
    for name in later.clone() {
        later.extend(modules(text(name), "from \"./").into_iter().filter(|part| !first.contains(part)));
    }
    // Each script is one or the other, so that none is left out of the count.
    let all: BTreeSet<_> = FILES.iter().map(|(name, _)| *name).filter(|name| name.ends_with(".js")).collect();
    assert_eq!(first.intersection(&later).collect::<Vec<_>>(), [&""; 0]);
    assert_eq!(first.union(&later).copied().collect::<BTreeSet<_>>(), all);
}
