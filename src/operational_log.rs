//! The operational log: one JSON line per event on stderr, off unless `LIGHTPROOF_LOG` names a level.
//!
//! It is an allow-list. An event is printed only if it comes from a crate of ours, and of its fields only the
//! names below, and of their texts only short tokens. So no prompt can appear, at level trace either, whatever a
//! library writes.

use crate::exit::{Code, Failure};
use std::fmt::Debug;
use std::io::Write as _;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

/// Crates whose events are printed.
const TARGETS: [&str; 8] =
    ["lightproof", "server", "darkroom", "diffusion", "sandbox", "vault", "policy", "audit"];
/// Fields that are printed.
const FIELDS: [&str; 9] = ["event", "job", "code", "step", "count", "elapsed_ms", "pid", "fence", "state"];
/// Every event that there is, and who says it. A text that is none of ours says something of somebody else's.
const EVENTS: [(&str, &[&str]); 5] = [
    ("lightproof", &["ended"]),
    ("lightproof::boot", &["fenced"]),
    ("lightproof::making", &["step", "sealed"]),
    ("lightproof::processes::keeper", &["engine_ended", "engine_not_started", "engine_given_up"]),
    ("lightproof::verbs::serve", &["ready"]),
];
const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];
/// Of the fences.
const STATES: [&str; 2] = ["green", "amber"];
/// Longest text of a field.
const TEXT_BYTES_MAX: usize = 48;

/// Installs the log if `LIGHTPROOF_LOG` asks for one.
///
/// # Errors
/// It names no level: a log that somebody counts on would be silent.
pub fn install() -> Result<(), Failure> {
    let Some(name) = std::env::var_os("LIGHTPROOF_LOG").filter(|name| !name.is_empty() && name != "off")
    else {
        return Ok(());
    };
    let level = name.to_str().and_then(|name| name.parse::<Level>().ok()).ok_or_else(|| {
        let what =
            "LIGHTPROOF_LOG names no level; set it to error, warn, info, debug, trace or off, or unset it";
        Failure::new(Code::Usage, what)
    })?;
    let lines = Lines { level, print: |line: &str| drop(writeln!(std::io::stderr(), "{line}")) };
    // A second subscriber cannot exist: this is called once.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(lines));
    Ok(())
}

/// The line again, if this log can have printed it: each text is one that the program has, and the rest are numbers.
pub fn parse(line: &str) -> Option<serde_json::Value> {
    let value: serde_json::Value = serde_json::from_str(line).ok()?;
    let fields = value.as_object()?;
    let target = fields.get("target")?.as_str()?;
    let (_, events) = EVENTS.iter().find(|(of, _)| *of == target)?;
    let is_ours = |(name, value): (&String, &serde_json::Value)| {
        let one_of = |words: &[&str]| value.as_str().is_some_and(|text| words.contains(&text));
        match &**name {
            "target" => true,
            "level" => one_of(&LEVELS),
            "event" => one_of(events),
            "state" => one_of(&STATES),
            "code" | "step" | "count" | "elapsed_ms" | "pid" => {
                value.as_u64().is_some_and(|number| u32::try_from(number).is_ok())
            }
            _ => false,
        }
    };
    let is_whole = fields.contains_key("level") && fields.contains_key("event");
    (is_whole && fields.iter().all(is_ours)).then_some(value)
}

fn token(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"._:-".contains(&b)
}

struct Lines<P> {
    level: Level,
    print: P,
}

impl<S: Subscriber, P: Fn(&str) + 'static> Layer<S> for Lines<P> {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let of_ours = TARGETS.iter().any(|t| metadata.target().split("::").next() == Some(t));
        if of_ours && *metadata.level() <= self.level {
            let mut fields = Fields(serde_json::Map::new());
            fields.0.insert("level".into(), metadata.level().as_str().to_ascii_lowercase().into());
            fields.0.insert("target".into(), metadata.target().into());
            event.record(&mut fields);
            (self.print)(&serde_json::Value::Object(fields.0).to_string());
        }
    }
}

struct Fields(serde_json::Map<String, serde_json::Value>);

impl Fields {
    fn keep(&mut self, field: &Field, value: serde_json::Value) {
        if FIELDS.contains(&field.name()) {
            self.0.insert(field.name().into(), value);
        }
    }
}

impl Visit for Fields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.keep(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.keep(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.keep(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if value.len() <= TEXT_BYTES_MAX && value.bytes().all(token) {
            self.keep(field, value.into());
        }
    }

    /// Messages and everything that is only printable: never kept.
    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[test]
    fn no_prompt_is_logged_at_any_level() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&lines);
        let print = move |line: &str| sink.lock().unwrap().push(line.to_owned());
        let subscriber = tracing_subscriber::registry().with(Lines { level: Level::TRACE, print });
        let prompt = "a red apple";
        tracing::subscriber::with_default(subscriber, || {
            tracing::trace!(target: "lightproof::making", event = "sealed", count = 3_u64, prompt, "sealed {prompt}");
            tracing::trace!(target: "lightproof::making", event = "step", job = prompt, state = %prompt, fence = %prompt);
            tracing::error!(target: "tokenizers", event = "encode");
        });
        let lines = lines.lock().unwrap();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].contains(r#""event":"sealed""#) && lines[0].contains(r#""count":3"#), "{lines:?}");
        assert!(!lines.concat().contains("apple"), "{lines:?}");
        // What it printed is known again, and nothing else.
        assert!(lines.iter().all(|line| parse(line).is_some()), "{lines:?}");
        let good = r#"{"level":"info","target":"lightproof::making","event":"sealed","count":3}"#;
        assert!(parse(good).is_some());
        for (from, to) in [
            ("lightproof::making", "somebody"),
            ("lightproof::making", "lightproof::boot"),
            ("info", "anna.smith"),
            (r#""event":"sealed","#, ""),
            (":3", ":493012345678"),
            (":3", r#":3,"state":"anna.smith""#),
            (":3", r#":3,"job":"Anna-Smith""#),
            (r#""event":"sealed""#, r#""event":"a red apple""#),
            (r#""event":"sealed""#, r#""event":["sealed"]"#),
            (r#""event":"sealed""#, r#""prompt":"apple""#),
            (r#""level":"info","#, ""),
            ("{", "x{"),
        ] {
            assert!(parse(&good.replace(from, to)).is_none(), "{to}");
        }
    }

    #[test]
    fn every_event_of_the_program_is_known() {
        for (target, source) in [
            ("lightproof", include_str!("main.rs")),
            ("lightproof::boot", include_str!("boot.rs")),
            ("lightproof::making", include_str!("making.rs")),
            ("lightproof::processes::keeper", include_str!("processes/keeper.rs")),
            ("lightproof::verbs::serve", include_str!("verbs/serve.rs")),
        ] {
            let said = source.split("(event = \"").skip(1).filter_map(|rest| rest.split('"').next());
            let known = EVENTS.iter().find(|(of, _)| *of == target).map(|(_, events)| events.to_vec());
            assert_eq!(Some(said.collect::<Vec<_>>()), known, "{target}");
        }
    }
}
