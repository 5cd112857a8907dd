//! The page's files: compiled in, so what is served is what was reviewed.

use axum::http::header;
use axum::response::{IntoResponse as _, Response};

macro_rules! files {
    ($($name:literal)*) => {
        /// Name and content of every file, the page itself first.
        pub(crate) const FILES: &[(&str, &[u8])] = &[$(($name, include_bytes!(concat!("pages/", $name)))),*];
    };
}

files! {
    "index.html" "studio.css" "icon.svg" "en.json" "zh-CN.json"
    "main.js" "api.js" "store.js" "view.js" "words.js" "dialog.js" "unlock.js" "studio.js" "form.js" "stage.js" "history.js"
    "thumbnails.js" "download.js" "viewer.js" "posture.js" "zip.js" "manifest.js" "gate.js" "recovery.js" "tokens.js" "demo.js"
    "prompts.js" "badge.js" "catalogue.js" "rows.js" "erase.js" "gallery.js" "people.js" "presets.js" "gallery.css" "people.css"
    "compliance.js" "compliance.css" "setup.js" "log.js" "log.css" "late.js" "late.en.json" "late.zh-CN.json"
    "records.zh-CN.json"
}

/// One of the files.
pub fn answer((name, content): &(&str, &'static [u8])) -> Response {
    ([(header::CONTENT_TYPE, kind(name))], *content).into_response()
}

fn kind(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}
