//! What the pages of a bundle share.

use crate::control::{Language, Text};
use crate::verdict::Outcome;

/// How every page of a bundle looks.
pub(crate) const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;\
background:#fff;overflow-wrap:break-word}table{border-collapse:collapse;width:100%;margin:1rem 0}th,td{border:1px solid #bbb;padding:.35rem .5rem;\
text-align:left;vertical-align:top}th{background:#f0f0f0}code{font:13px/1.4 ui-monospace,monospace;overflow-wrap:anywhere}\
td.satisfied{background:#e3f4e5}td.not_satisfied{background:#fbdcdc;font-weight:600}tr{break-inside:avoid}\
@media(max-width:40rem){th,td{overflow-wrap:anywhere}}\
@media print{body{margin:0;max-width:none;font-size:11px}a{color:inherit}}";

/// A sentence in both languages.
pub(crate) const fn both(en: &'static str, zh: &'static str) -> Text {
    Text { en, zh }
}

/// An outcome in words.
pub(crate) fn outcome(outcome: Outcome) -> Text {
    match outcome {
        Outcome::Satisfied => both("satisfied", "满足"),
        Outcome::NotSatisfied => both("not satisfied", "不满足"),
        Outcome::NotApplicable => both("not applicable", "不适用"),
        Outcome::NotMeasured => both("not measured", "未检验"),
    }
}

/// The language as HTML names it.
pub(crate) fn tag(language: Language) -> &'static str {
    match language {
        Language::En => "en",
        Language::Zh => "zh-CN",
    }
}

/// Text that holds no markup.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
