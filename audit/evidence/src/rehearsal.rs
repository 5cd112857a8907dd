//! A rehearsal: a throw-away appliance on which one control after the other was broken, to show on site that the probes can fail.
//! Each of its two bundles says that it is one, so that neither is taken for evidence of an appliance in use.

use crate::control::{Language, Text};
use crate::html::{both as says, escape};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// The file in a bundle.
pub(crate) const FILE: &str = "rehearsal.json";
const SCHEMA: &str = "lightproof/rehearsal/v1";
pub(crate) const SOUND: &str = "sound";
pub(crate) const BROKEN: &str = "broken";

/// What one of the two bundles of a rehearsal says of it.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    /// Whether its results are those of the broken appliance; otherwise of the same one while nothing of it was broken.
    pub broken: bool,
    /// Each control that was broken, by its id, and how.
    pub injuries: Vec<(&'static str, Text)>,
    /// Each other control that has a probe, and why it was not broken.
    pub left_out: Vec<(&'static str, Text)>,
}

impl Rehearsal {
    pub(crate) fn to_json(&self) -> Value {
        let rows = |rows: &[(&'static str, Text)]| -> Vec<Value> {
            rows.iter()
                .map(|(id, Text { en, zh })| json!({ "control": id, "says": { "en": en, "zh": zh } }))
                .collect()
        };
        json!({ "schema": SCHEMA, "appliance": if self.broken { BROKEN } else { SOUND },
            "injuries": rows(&self.injuries), "left_out": rows(&self.left_out) })
    }

    /// What the page says first.
    pub(crate) fn part(&self, language: Language) -> String {
        let mut html = format!("<p><strong>{}</strong></p>\n<ul>\n", ABOUT.in_language(language));
        if !self.broken {
            html = format!("<p><strong>{}</strong></p>\n<ul>\n", ABOUT_SOUND.in_language(language));
        }
        let mut rows = |title: Text, rows: &[(&'static str, Text)]| {
            for (id, says) in rows {
                let (title, says) = (title.in_language(language), escape(says.in_language(language)));
                let _ = writeln!(html, "<li><code>{id}</code> {title}: {says}</li>");
            }
        };
        rows(INJURED, &self.injuries);
        rows(LEFT_OUT, &self.left_out);
        html + "</ul>\n"
    }
}

const ABOUT: Text = says(
    "This is a rehearsal, and no evidence of an appliance in use: a throw-away appliance was made, and one control after the other \
     was broken on it. Each result below is that of its own injury.",
    "这是演练，不是在用设备的证据：生成了一台一次性设备，并逐一破坏其控制。以下每个结果均对应各自的破坏。",
);
const ABOUT_SOUND: Text = says(
    "This is a rehearsal, and no evidence of an appliance in use: these are the results of a throw-away appliance while nothing of \
     this was broken on it: not yet, or not any more.",
    "这是演练，不是在用设备的证据：这些是一次性设备在以下各项尚未破坏或已经修复时的结果。",
);
const INJURED: Text = says("broken", "已破坏");
const LEFT_OUT: Text = says("not broken", "未破坏");
