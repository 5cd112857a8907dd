//! Every setting with its value, and who says so.

use crate::document::{self, Deny, Overlay};
use crate::{Error, Policy, compose, laws};

/// Who says what a setting is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The built-in profile.
    BuiltIn,
    /// The overlay.
    Overlay,
}

/// One setting of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its key in an overlay; each `[[deny]]` is a setting of the key `deny`.
    pub key: String,
    /// Its value, as the overlay would have it, without quotes.
    pub value: String,
    /// Who says so.
    pub origin: Origin,
}

impl Policy {
    /// The settings of the built-in profile, tightened by the text of an overlay if there is one, in the order of the profile.
    /// A folder for pictures, and one for a copy of the newest checkpoint, is among them if the overlay names one.
    ///
    /// # Errors
    /// As [`Policy::read`].
    pub fn settings(overlay: Option<&str>) -> Result<Vec<Setting>, Error> {
        let base = Self::read(None)?;
        let Some(text) = overlay else { return Ok(list(&base, &[], &[])) };
        let overlay = document::overlay(text)?;
        let (keys, denied) = (keys(&overlay), overlay.deny.iter().map(denied).collect::<Vec<_>>());
        Ok(list(&compose::tighten(base, overlay)?, &keys, &denied))
    }
}

fn list(policy: &Policy, keys: &[String], denied: &[String]) -> Vec<Setting> {
    let limits = policy.limits.entries();
    let outputs = policy.outputs.as_ref().map(|outputs| ("outputs".into(), outputs.display().to_string()));
    let copy = policy.checkpoint_copy.as_ref();
    let copy = copy.map(|folder| ("checkpoint_copy".into(), folder.display().to_string()));
    let days = [
        ("picture_days_max", policy.picture_days_max),
        ("log_days_max", policy.log_days_max),
        ("names_days_max", policy.names_days_max),
    ];
    let days = days.into_iter().filter_map(|(key, days)| Some((key.to_owned(), days?.to_string())));
    let two_person = Some(policy.two_person.words()).filter(|words| !words.is_empty());
    let two_person = two_person.map(|words| ("two_person".into(), words));
    let laws = Some(laws::words(&policy.incident_laws)).filter(|words| !words.is_empty());
    let laws = laws.map(|words| ("incident_laws".into(), words));
    let periods = policy.periods.entries().into_iter();
    let periods = periods.filter_map(|(key, days)| Some((key.to_owned(), days?.to_string())));
    let settings = [("listen".to_owned(), policy.listen.to_string())]
        .into_iter()
        .chain(outputs)
        .chain(copy)
        .chain([
            ("keep_prompts".into(), policy.keep_prompts.word().into()),
            ("erase".into(), policy.erase.word().into()),
        ])
        .chain(days)
        .chain(two_person)
        .chain(laws)
        .chain(periods)
        .chain([
            ("unattended".into(), policy.unattended.word().into()),
            ("missing_network_namespace".into(), policy.network_namespace.word().into()),
        ])
        .chain(limits.map(|(key, value)| (format!("limits.{key}"), value.to_string())));
    let origin = |key: &String| if keys.contains(key) { Origin::Overlay } else { Origin::BuiltIn };
    let settings = settings.map(|(key, value)| Setting { origin: origin(&key), key, value });
    let denied = denied.iter().map(|value| {
        let value = value.clone();
        Setting { key: "deny".into(), value, origin: Origin::Overlay }
    });
    settings.chain(denied).collect()
}

/// The keys that an overlay has, but for `deny`.
fn keys(overlay: &Overlay) -> Vec<String> {
    let there = [
        ("listen", overlay.listen.is_some()),
        ("outputs", overlay.outputs.is_some()),
        ("checkpoint_copy", overlay.checkpoint_copy.is_some()),
        ("keep_prompts", overlay.keep_prompts.is_some()),
        ("erase", overlay.erase.is_some()),
        ("picture_days_max", overlay.picture_days_max.is_some()),
        ("log_days_max", overlay.log_days_max.is_some()),
        ("names_days_max", overlay.names_days_max.is_some()),
        ("two_person", overlay.two_person.is_some()),
        ("incident_laws", overlay.incident_laws.is_some()),
        ("key_days_max", overlay.key_days_max.is_some()),
        ("drill_days_max", overlay.drill_days_max.is_some()),
        ("backup_days_max", overlay.backup_days_max.is_some()),
        ("stamp_days_max", overlay.stamp_days_max.is_some()),
        ("run_days_max", overlay.run_days_max.is_some()),
        ("unattended", overlay.unattended.is_some()),
        ("missing_network_namespace", overlay.missing_network_namespace.is_some()),
    ];
    let there = there.into_iter().filter(|(_, is_there)| *is_there).map(|(key, _)| key.to_owned());
    there.chain(overlay.limits.keys().into_iter().map(|key| format!("limits.{key}"))).collect()
}

/// What a `[[deny]]` takes away.
fn denied(deny: &Deny) -> String {
    match (&deny.path, &deny.rights, &deny.call) {
        (Some(path), Some(rights), _) => {
            let rights: Vec<&str> = rights.iter().map(|right| right.word()).collect();
            format!("{} on {path}", rights.join(", "))
        }
        (Some(path), None, _) => format!("everything on {path}"),
        (None, _, call) => format!("the system call {}", call.as_deref().unwrap_or_default()),
    }
}
