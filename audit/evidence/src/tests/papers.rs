//! The papers of the controller: who filled what, and that none of them is a control.

use super::*;
use crate::export::Answers;
use crate::tests::{Dir, Tried, blamed, checked};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Words of a controller, which are markup to whoever does not escape them.
const WORDS: &str = "Example <b>GmbH</b> & \"Co\"\n1 Example Street";

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn every_field_has_an_author_and_both_languages() {
    let ids: BTreeSet<&str> = ALL.iter().map(|paper| paper.id).collect();
    assert_eq!(ids.len(), ALL.len());
    let articles: Vec<&str> = ALL.iter().map(|paper| paper.article).collect();
    assert_eq!(articles, ["30(1)", "6(1)(f)", "35(7)", "13", "28"]);
    let known = |controls: &[&str]| controls.iter().all(|id| crate::control(id).is_some());
    let whole = |Text { en, zh }: Text| {
        assert!(en.ends_with('.') && zh.ends_with('。'), "{en}");
    };
    for paper in ALL {
        whole(paper.about);
        assert!(matches!(paper.fields[0].author, Author::Controller("controller", _)), "{}", paper.id);
        for field in paper.fields {
            match field.author {
                Author::Program(text, controls) => {
                    whole(text);
                    assert!(known(controls), "{}", field.label.en);
                }
                Author::Policy(says, controls) => {
                    assert!(known(controls), "{}", field.label.en);
                    for bits in 0..64 {
                        let answers = Answers {
                            keeps_prompts: bits & 1 != 0,
                            erases: bits & 2 != 0,
                            picture_days_max: (bits & 4 != 0).then_some(30),
                            asks_a_second_admin: bits & 8 != 0,
                            names_days_max: (bits & 16 != 0).then_some(60),
                            log_days_max: (bits & 32 != 0).then_some(365),
                        };
                        assert!(says(&answers, Language::En).ends_with('.'));
                        assert!(says(&answers, Language::Zh).ends_with('。'));
                    }
                }
                Author::Controller(_, asks) => whole(asks),
            }
        }
    }
}

#[test]
fn what_the_controller_wrote_stands_in_the_papers_and_nowhere_else() {
    let tried = Tried::new("CRY-01");
    let written: BTreeMap<&'static str, String> =
        controller_keys().into_iter().map(|key| (key, format!("{key}: {WORDS}"))).collect();
    let (dir, ..) = tried.export("written", |export| export.controller = Box::leak(Box::new(written)));
    assert_eq!(blamed(&dir), [] as [String; 0]);
    for name in Dir::files(&dir) {
        let is_paper = name.starts_with("gdpr/") && name != "gdpr/articles.json";
        assert_eq!(text(&dir.join(&name)).contains("Example Street"), is_paper, "{name}");
    }
    let papers: Value = serde_json::from_str(&text(&dir.join(PAPERS))).unwrap();
    for paper in papers["papers"].as_array().unwrap() {
        assert_eq!((&paper["state"], &paper["open"]), (&"controllers_part".into(), &0.into()), "{paper}");
        let page = text(&dir.join(format!("gdpr/{}.html", paper["id"].as_str().unwrap())));
        assert!(
            page.contains("Example &lt;b&gt;GmbH&lt;/b&gt; &amp; &quot;Co&quot;") && !page.contains("<b>")
        );
        for forbidden in ["<script", "http", "src=", "href", "url(", "@import", "onload"] {
            assert!(!page.to_lowercase().contains(forbidden), "{forbidden}");
        }
        assert!(page.contains("lang=\"en\"") && page.contains("lang=\"zh-CN\""));
    }
}

#[test]
fn what_nobody_wrote_is_open_and_what_was_found_is_told_as_it_was_found() {
    let tried = Tried::new("CRY-01");
    let (dir, ..) = tried.export("open", |export| export.answers.picture_days_max = Some(41));
    let page = text(&dir.join("gdpr/record.html"));
    assert!(page.contains("<code>purposes</code>") && page.contains("<code>CRY-01</code> not satisfied"));
    assert!(!page.contains("41 days"), "nothing may be erased");
    assert!(
        page.contains("names no period for it") && page.contains("策略未为其规定期限"),
        "nor goes a name"
    );
    let (dir, ..) = tried.export("days", |export| {
        let (names_days_max, log_days_max) = (Some(43), Some(365));
        let answers = Answers { erases: true, picture_days_max: Some(41), ..Answers::default() };
        export.answers = Answers { names_days_max, log_days_max, ..answers };
    });
    let page = text(&dir.join("gdpr/record.html"));
    assert!(page.contains("41 days") && page.contains("41 天"));
    assert!(page.contains("43 days after somebody was removed") && page.contains("人员被移除 43 天后"));
    assert!(page.contains("may take away 365 days after") && page.contains("写入 365 天后删减"));
    let readme = text(&dir.join("README.html"));
    for paper in ALL {
        assert!(readme.contains(&format!("<a href=\"gdpr/{}.html\">", paper.id)), "{}", paper.id);
    }
    let value: Value = serde_json::from_str(&text(&dir.join(PAPERS))).unwrap();
    let open = value["papers"][0]["open"].as_u64().unwrap();
    assert_eq!(open, 10, "{value}");
    // Another framework has none, and a page in one language has one.
    let (other, ..) = tried.export("other", |export| export.framework = Some(Framework::Nist));
    assert!(!other.join(PAPERS).exists() && !text(&other.join("README.html")).contains("gdpr/"));
    assert!(checked(&other).is_ok());
    let (chinese, ..) = tried.export("chinese", |export| export.language = Some(Language::Zh));
    let page = text(&chinese.join("gdpr/notice.html"));
    assert!(page.contains("致使用者的告知") && !page.contains("lang=\"en\""));
}
