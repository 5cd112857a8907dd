//! What a bundle says of the rehearsal that it is of.

use super::judged::Judged;
use crate::rehearsal::{BROKEN, FILE, SOUND};
use crate::report::Checked;
use crate::verdict::Outcome;
use serde_json::Value;

/// The results are those of a rehearsal: what was broken is not satisfied on the broken appliance, and satisfied on the sound one.
pub(super) fn check(value: &Value, all: &[Judged], checked: &mut Checked) {
    let wanted = match value["appliance"].as_str() {
        Some(BROKEN) => Outcome::NotSatisfied,
        Some(SOUND) => Outcome::Satisfied,
        _ => return checked.find(FILE, "says neither of a sound nor of a broken appliance"),
    };
    let injuries = value["injuries"].as_array().map_or(&[][..], Vec::as_slice);
    for id in injuries.iter().map(|injury| injury["control"].as_str().unwrap_or_default()) {
        if !all.iter().any(|judged| judged.id == id && judged.outcome == wanted) {
            checked.find(FILE, format_args!("says of {} what the results do not", id.escape_default()));
        }
    }
    if injuries.is_empty() {
        checked.find(FILE, "names no control that was broken");
    }
    checked.is_rehearsal = true;
}
