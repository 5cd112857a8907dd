//! The papers that the GDPR asks a controller for, as drafts: each field was filled by the program, from what the policy says and
//! from the run, or is for the controller, whose own words stand in it if they gave any. No paper is ever satisfied: a document
//! that is complete is not a control that holds.

mod impact;
mod paper;
mod record;
mod staff;

use crate::control::{Framework, Language, Text};
use crate::export::Export;
use crate::html::{STYLE, both as says, escape, outcome, tag};
use crate::json::canonical;
use audit::timestamp;
use paper::{Author, Field, Paper};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// The papers for programs.
pub(crate) const PAPERS: &str = "gdpr/papers.json";
const SCHEMA: &str = "lightproof/papers/v1";

/// The papers, in their order.
pub(crate) const ALL: [&Paper; 5] =
    [&record::RECORD, &record::INTERESTS, &impact::IMPACT, &staff::NOTICE, &staff::PROCESSORS];

/// The keys that the controller answers under, as the papers ask for them: once each, in that order.
pub fn controller_keys() -> Vec<&'static str> {
    let mut keys = Vec::new();
    for field in ALL.iter().flat_map(|paper| paper.fields) {
        if let Author::Controller(key, _) = field.author
            && !keys.contains(&key)
        {
            keys.push(key);
        }
    }
    keys
}

/// Where the page of a paper lies.
pub(crate) fn page_of(paper: &Paper) -> String {
    format!("gdpr/{}.html", paper.id)
}

/// The papers that belong to a bundle: none where it is about another framework.
pub(crate) fn of(export: &Export<'_>) -> &'static [&'static Paper] {
    if export.framework.is_none_or(|framework| framework == Framework::Gdpr) { &ALL } else { &[] }
}

/// The files, with their paths.
pub(crate) fn files(export: &Export<'_>) -> Vec<(String, Vec<u8>)> {
    let papers = of(export);
    if papers.is_empty() {
        return Vec::new();
    }
    let mut files = vec![(PAPERS.to_owned(), canonical(&to_json(export)))];
    files.extend(papers.iter().map(|paper| (page_of(paper), page(export, paper).into_bytes())));
    files
}

/// How many fields of it wait for the controller.
pub(crate) fn open(export: &Export<'_>, paper: &Paper) -> usize {
    let is_open = |field: &&Field| matches!(field.author, Author::Controller(key, _) if !export.controller.contains_key(key));
    paper.fields.iter().filter(is_open).count()
}

fn to_json(export: &Export<'_>) -> Value {
    let field = |field: &Field| {
        let mut value = json!({ "label": both(|language| field.label.in_language(language).to_owned()) });
        match field.author {
            Author::Program(text, controls) => {
                value["author"] = "program".into();
                value["says"] = both(|language| text.in_language(language).to_owned());
                value["found"] = found_json(export, controls);
            }
            Author::Policy(says, controls) => {
                value["author"] = "program".into();
                value["says"] = both(|language| says(&export.answers, language));
                value["found"] = found_json(export, controls);
            }
            Author::Controller(key, asks) => {
                value["author"] = "controller".into();
                value["key"] = key.into();
                value["asks"] = both(|language| asks.in_language(language).to_owned());
                value["answer"] = export.controller.get(key).map(String::as_str).into();
            }
        }
        value
    };
    let paper = |paper: &&Paper| {
        json!({ "id": paper.id, "article": paper.article, "state": "controllers_part", "open": open(export, paper),
            "title": both(|language| paper.title.in_language(language).to_owned()),
            "about": both(|language| paper.about.in_language(language).to_owned()),
            "fields": paper.fields.iter().map(field).collect::<Vec<_>>() })
    };
    json!({ "schema": SCHEMA, "papers": of(export).iter().map(paper).collect::<Vec<_>>() })
}

fn both(text: impl Fn(Language) -> String) -> Value {
    json!({ "en": text(Language::En), "zh": text(Language::Zh) })
}

fn found_json(export: &Export<'_>, controls: &[&str]) -> Value {
    let verdicts = export.run.verdicts().iter().filter(|verdict| controls.contains(&verdict.control().id));
    let found = verdicts.map(|v| json!({ "control": v.control().id, "outcome": v.outcome().word() }));
    found.collect()
}

const DRAFT: Text = says(
    "A draft. The controller completes it, judges whether it is right, and answers for it; nothing in it says that a processing \
     is lawful.",
    "草稿。由控制者补充、判断其是否正确并对其负责；其中没有任何内容表明处理活动合法。",
);
const OPEN: Text = says("Fields that wait for the controller", "待控制者填写的项目");
const COLUMNS: [Text; 3] = [says("Field", "项目"), says("Filled by", "填写者"), says("Content", "内容")];
const PROGRAM: Text = says("program", "程序");
const CONTROLLER: Text = says("controller\u{2019}s part", "控制者");
const WRITE: Text = says(
    "To be written. In controller.toml beside the policy it goes under",
    "待填写。写入策略文件旁的 controller.toml，对应的键为",
);

/// The page of a paper, to be printed.
fn page(export: &Export<'_>, paper: &Paper) -> String {
    let languages = export.languages();
    let mut html = format!(
        "<!doctype html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width\">\n<title>{}: Lightproof</title>\n<style>{STYLE}td.open{{background:#fff3cd}}\
         td.answer{{white-space:pre-line}}</style>\n</head>\n<body>\n<main>\n",
        tag(languages[0]),
        paper.title.in_language(languages[0])
    );
    for language in languages {
        html += &part(export, paper, language);
    }
    html + "</main>\n</body>\n</html>\n"
}

/// Which article it is for, when and by which version it was made, and how much of it waits.
fn head(export: &Export<'_>, paper: &Paper, language: Language) -> String {
    let (article, made, version) = (paper.article, timestamp(export.made_ms), escape(export.version));
    let (waits, open) = (OPEN.in_language(language), open(export, paper));
    match language {
        Language::En => format!("GDPR {article}. {made} {version}. {waits}: {open}."),
        Language::Zh => format!("GDPR 第 {article} 条。{made}，版本 {version}。{waits}：{open}。"),
    }
}

fn part(export: &Export<'_>, paper: &Paper, language: Language) -> String {
    let say = |text: Text| text.in_language(language);
    let mut html = format!(
        "<article lang=\"{}\">\n<h1>{}</h1>\n<p>{}</p>\n<p>{}</p>\n<p>{}</p>\n<table>\n<thead><tr>",
        tag(language),
        say(paper.title),
        say(paper.about),
        say(DRAFT),
        head(export, paper, language)
    );
    for column in COLUMNS {
        let _ = write!(html, "<th scope=\"col\">{}</th>", say(column));
    }
    html += "</tr></thead>\n<tbody>\n";
    for field in paper.fields {
        let (author, class, content) = match field.author {
            Author::Program(text, controls) => {
                (PROGRAM, "program", escape(say(text)) + &found(export, controls, language))
            }
            Author::Policy(says, controls) => {
                let text = says(&export.answers, language);
                (PROGRAM, "program", escape(&text) + &found(export, controls, language))
            }
            Author::Controller(key, asks) => match export.controller.get(key) {
                Some(answer) => (CONTROLLER, "answer", escape(answer)),
                None => {
                    let end = if language == Language::En { "." } else { "。" };
                    let content = format!("{}<br>{} <code>{key}</code>{end}", escape(say(asks)), say(WRITE));
                    (CONTROLLER, "open", content)
                }
            },
        };
        let (label, author) = (say(field.label), say(author));
        let _ = writeln!(
            html,
            "<tr><th scope=\"row\">{label}</th><td>{author}</td><td class=\"{class}\">{content}</td></tr>"
        );
    }
    html + "</tbody>\n</table>\n</article>\n"
}

/// What the run found of these controls.
fn found(export: &Export<'_>, controls: &[&str], language: Language) -> String {
    let verdicts = export.run.verdicts().iter().filter(|verdict| controls.contains(&verdict.control().id));
    let found = verdicts.map(|v| {
        format!("<br><code>{}</code> {}", v.control().id, outcome(v.outcome()).in_language(language))
    });
    found.collect()
}

#[cfg(test)]
#[path = "tests/papers.rs"]
mod tests;
