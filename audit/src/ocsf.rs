//! A record as an event of the Open Cybersecurity Schema Framework (OCSF), version 1.8.0: for whoever collects the logs of many
//! programs in one place. Pseudonyms stay pseudonyms.

use crate::event::schema;
use crate::json;
use crate::stored::{Stored, Value};
use crate::token::Actor;
use crate::words::Outcome;
use Class::{Api, Compliance, Config, Entity, Fault, Files, Finding, Life, Logs, SignIn};

/// The version of the schema.
const VERSION: &str = "1.8.0";
/// Product, vendor, and the name under which all others know the program.
const PRODUCT: &str = "Lightproof";

/// The classes of the schema that our types fall into, by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Base = 0,
    Files = 1001,
    Logs = 1008,
    Compliance = 2003,
    Finding = 2006,
    SignIn = 3002,
    Entity = 3004,
    Config = 5019,
    Life = 6002,
    Api = 6003,
    Fault = 6008,
}

/// The activity of each class that has no name of its own there; ours stands in `activity_name`.
const OTHER: u32 = 99;

/// Every type of record with its class and its activity, in the order of the schema.
#[rustfmt::skip]
const MAPPED: &[(&str, Class, u32)] = &[
    ("log.created", Logs, 6), ("boot.started", Life, 3), ("boot.refused", Fault, 1), ("posture.recorded", Config, 1),
    ("posture.process", Config, 1), ("fence.found_open", Finding, 1), ("model.may_change", Finding, 1),
    ("model.imported", Life, 1), ("model.used", Life, 6), ("model.embedded_used", Life, 6), ("model.removed", Life, 2),
    ("boot.ready", Life, OTHER), ("boot.stopped", Life, 4),
    ("vault.created", Entity, 1), ("vault.unlocked", SignIn, 1), ("session.opened", SignIn, 1), ("session.closed", SignIn, 2),
    ("vault.unlocked_with", SignIn, 1), ("vault.unlock_failed", SignIn, 1), ("vault.locked", Entity, 11), ("vault.rolled_back", Finding, 1),
    ("log.mark_missed", Finding, 1), ("vault.damaged", Finding, 1), ("vault.healed", Finding, 1),
    ("vault.mirror_damaged", Finding, 1), ("vault.key_remains", Finding, 1), ("vault.key_unused", Entity, OTHER),
    ("vault.key_wiped", Entity, 4), ("vault.key_gone", Finding, 1), ("outputs.accepted", Entity, 3),
    ("vault.secret_requested", Entity, OTHER), ("vault.secret_named", Entity, OTHER), ("vault.secret_failed", Entity, 3),
    ("vault.secret_changed", Entity, 3), ("slot.add_named", Entity, OTHER), ("slot.remove_named", Entity, OTHER),
    ("slot.machine_half", Entity, OTHER), ("slot.joint", Entity, OTHER),
    ("slot.pictures", Entity, OTHER), ("slot.name_due", Entity, OTHER), ("slot.name_destroyed", Entity, 4),
    ("slot.name_kept", Entity, 4), ("slot.resolved", Entity, 2), ("hold.set", Entity, 8), ("hold.ended", Entity, 9),
    ("slot.role_changed", Entity, 3), ("token.made", Entity, 1), ("token.used", SignIn, 1), ("token.ended", Entity, 9),
    ("token.end_failed", Entity, 9), ("act.asked", Entity, 1), ("act.confirmed", Entity, 10), ("act.refused", Entity, 11),
    ("act.lapsed", Entity, 11), ("slot.added", Entity, 1), ("slot.removed", Entity, 4), ("vault.rolled", Entity, 3),
    ("vault.destroy_requested", Entity, OTHER), ("vault.destroyed", Entity, 4), ("vault.destroy_failed", Entity, 4),
    ("vault.verified", Compliance, 1),
    ("generate.requested", Api, OTHER), ("object.created", Files, 1), ("object.sealed", Files, 10), ("generate.finished", Api, 1),
    ("generate.failed", Api, 1), ("object.viewed", Files, 11), ("objects.viewed", Files, 11),
    ("object.export_requested", Files, OTHER), ("object.exported", Files, 2), ("object.export_digest", Files, OTHER),
    ("object.export_failed", Files, 2), ("retention.begun", Files, OTHER), ("object.erase_requested", Files, OTHER),
    ("object.erase_named", Files, OTHER), ("object.erased", Files, 4), ("object.erase_failed", Files, 4),
    ("object.missing", Finding, 1), ("request.refused", Api, OTHER),
    ("recovery.reconciled", Fault, 1), ("recovery.truncated", Logs, OTHER), ("key.epoch_rotated", Logs, 5),
    ("key.destroyed", Entity, 4), ("backup.begun", Entity, OTHER), ("backup.written", Entity, 1), ("backup.failed", Entity, 1),
    ("backup.destroyed", Entity, 4), ("backup.restore_begun", Entity, OTHER), ("backup.restored", Entity, OTHER),
    ("evidence.tried", Compliance, 1), ("evidence.key_drawn", Entity, 1), ("evidence.exported", Logs, 3),
    ("evidence.exported_failing", Logs, 3), ("evidence.frozen", Logs, 4), ("evidence.settled", Logs, OTHER),
    ("evidence.subject", Logs, 3), ("audit.read", Logs, OTHER), ("log.stamped", Logs, OTHER), ("log.pruned", Logs, 2),
    ("support.bundled", Logs, 3),
    ("certificate.key_drawn", Entity, 1), ("certificate.issued", Entity, 1), ("clock.anomaly", Fault, 1),
    ("disk.reserve_low", Fault, 1),
];

/// A record of the log with that name, as one line of JSON without its newline. A type that this program does not know becomes a
/// base event.
pub fn ocsf(record: &Stored, origin: &str) -> String {
    let known = MAPPED.iter().find(|(name, ..)| *name == record.name);
    let (class, activity) = known.map_or((Class::Base, OTHER), |(_, class, activity)| (*class, *activity));
    let uid = format!("{origin}/{}", record.seq);
    let (is_ok, name) = (record.outcome == Outcome::Ok, quoted(&record.name));
    let message = schema(&record.name).map_or(&*record.name, |kind| kind.about.trim());
    let mut event = head(class, activity, record.ts_ms);
    event.extend([
        ("severity_id", severity(class, is_ok).to_string()),
        ("status_id", if is_ok { "1" } else { "2" }.to_owned()),
        ("status_detail", quoted(record.outcome.word())),
        ("message", quoted(message)),
        ("actor", actor(record.actor)),
        ("unmapped", unmapped(record)),
    ]);
    if activity == OTHER {
        event.push(("activity_name", name.clone()));
    }
    let mut metadata = metadata(&uid, record.seq);
    metadata.push(("event_code", name.clone()));
    metadata.extend(record.job.map(|job| ("correlation_uid", quoted(&job.to_string()))));
    match class {
        Class::Base | Fault => metadata.push(host()),
        Files => {
            let (file, kind) =
                record.object.map_or_else(|| ("pictures".into(), 2), |object| (object.to_string(), 1));
            event.push(("file", object([("name", quoted(&file)), ("type_id", kind.to_string())])));
            event.push(("device", device(origin)));
        }
        Logs => event.push(("log_name", quoted(origin))),
        Compliance => {
            let failing =
                ["not_satisfied", "damaged", "missing"].iter().filter_map(|field| record.int(field));
            let status = if failing.sum::<i64>() == 0 { "1" } else { "3" };
            let control = if record.name == "evidence.tried" { "all controls" } else { "sealed pictures" };
            event.push(("compliance", object([("control", quoted(control)), ("status_id", status.into())])));
            event.push(("finding_info", finding(&uid, message)));
            metadata.push(host());
        }
        Finding => event.push(("finding_info", finding(&uid, message))),
        SignIn => {
            event.push(("user", user(record.actor)));
            event.push(("service", object([("name", quoted(PRODUCT))])));
        }
        Entity => event.push(("entity", entity(record))),
        Config => event.push(("device", device(origin))),
        Life => {
            event.push(("app", app(record)));
            metadata.push(host());
        }
        Api => {
            let mut api = vec![("operation", name)];
            api.extend(record.job.map(|job| ("request", object([("uid", quoted(&job.to_string()))]))));
            event.push(("api", json::object(api)));
            event.push(("src_endpoint", object([("svc_name", quoted(PRODUCT))])));
            if let Some(model) = record.word("model") {
                let digest = quoted(&format!("sha256:{model}"));
                event.push(("ai_model", object([("ai_provider", quoted(PRODUCT)), ("name", digest)])));
                metadata.push(("profiles", "[\"ai_operation\"]".into()));
            }
        }
    }
    event.push(("metadata", json::object(metadata)));
    json::object(event)
}

/// The same for a line of the log that is no record, with the time of the record before it.
pub(crate) fn damaged(seq: u64, ts_ms: u64, origin: &str) -> String {
    let uid = format!("{origin}/{seq}");
    let message = "A line of the log is no record: it was damaged or changed.";
    let mut event = head(Finding, 1, ts_ms);
    event.extend([
        ("severity_id", severity(Finding, true).to_string()),
        ("message", quoted(message)),
        ("finding_info", finding(&uid, message)),
        ("metadata", json::object(metadata(&uid, seq))),
    ]);
    json::object(event)
}

type Members = Vec<(&'static str, String)>;

fn head(class: Class, activity: u32, ts_ms: u64) -> Members {
    let class = class as u32;
    vec![
        ("class_uid", class.to_string()),
        ("category_uid", (class / 1000).to_string()),
        ("activity_id", activity.to_string()),
        ("type_uid", (class * 100 + activity).to_string()),
        ("time", ts_ms.to_string()),
    ]
}

/// High for a finding, medium for what was refused or failed, and information otherwise.
fn severity(class: Class, is_ok: bool) -> u32 {
    match (class, is_ok) {
        (Finding, _) => 4,
        (_, false) => 3,
        (_, true) => 1,
    }
}

fn metadata(uid: &str, seq: u64) -> Members {
    let product = object([("name", quoted(PRODUCT)), ("vendor_name", quoted(PRODUCT))]);
    vec![
        ("version", quoted(VERSION)),
        ("product", product),
        ("uid", quoted(uid)),
        ("sequence", seq.to_string()),
    ]
}

/// What has no place in the schema: the fields, and the leaf hash. From those of all records the root of any checkpoint can be
/// computed. The nonce is left out: without it nobody tries what a record that is gone may have said.
fn unmapped(record: &Stored) -> String {
    let fields = record.fields.iter().map(|(name, value)| {
        let value = match value {
            Value::Word(word) => quoted(word),
            other => other.to_string(),
        };
        format!("{}:{value}", quoted(name))
    });
    let fields = format!("{{{}}}", fields.collect::<Vec<_>>().join(","));
    let leaf = quoted(&record.leaf().to_string());
    let ours = object([("d", fields), ("epoch", record.epoch.to_string()), ("leaf", leaf)]);
    object([("lightproof", ours)])
}

/// The profile without which some classes have no actor.
fn host() -> (&'static str, String) {
    ("profiles", "[\"host\"]".to_owned())
}

fn actor(actor: Actor) -> String {
    match actor {
        Actor::System => object([("app_name", quoted(PRODUCT))]),
        Actor::Person(_) => object([("user", user(actor))]),
    }
}

fn user(actor: Actor) -> String {
    match actor {
        // Nobody had proved who they are.
        Actor::System => object([("uid", quoted("unknown")), ("type_id", "0".into())]),
        Actor::Person(_) => object([("uid", quoted(&actor.to_string()))]),
    }
}

fn device(origin: &str) -> String {
    object([("name", quoted(PRODUCT)), ("uid", quoted(origin)), ("type_id", "0".into())])
}

fn finding(uid: &str, title: &str) -> String {
    object([("uid", quoted(uid)), ("title", quoted(title))])
}

/// `slot/3`, `token/41`, `backup/j:...`, or what there is one of.
fn entity(record: &Stored) -> String {
    let kind = record.name.split('.').next().unwrap_or_default();
    let number = match kind {
        // A token and an act go by the number of the record that began them.
        "token" | "act" => {
            let begun = if kind == "token" { "token" } else { "asked" };
            Some(record.int(begun).unwrap_or_else(|| i64::try_from(record.seq).unwrap_or(i64::MAX)))
        }
        _ => ["slot", "key_epoch", "destroyed"].iter().find_map(|field| record.int(field)),
    };
    let uid = match (number, record.job) {
        (Some(number), _) => format!("{kind}/{number}"),
        (None, Some(job)) => format!("{kind}/{job}"),
        (None, None) => kind.to_owned(),
    };
    object([("name", quoted(&uid)), ("uid", quoted(&uid)), ("type", quoted(kind))])
}

fn app(record: &Stored) -> String {
    let model = record.word("model").or_else(|| record.word("manifest"));
    match (record.name.starts_with("model."), model) {
        (true, Some(digest)) => object([("name", quoted("model")), ("uid", quoted(digest))]),
        (true, None) => object([("name", quoted("model"))]),
        (false, _) => object([("name", quoted(PRODUCT))]),
    }
}

fn object<const N: usize>(members: [(&'static str, String); N]) -> String {
    json::object(members.into())
}

/// A string of JSON. Records hold printable ASCII, and our own sentences no control characters.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
#[path = "tests/ocsf.rs"]
mod tests;
