//! The results of a bundle, judged anew by the conditions of its own catalogue: bundles are kept for longer than versions.

use crate::control::{Condition, Must};
use crate::json::{has_only, number, text};
use crate::run::{reading_from_json, reading_to_json};
use crate::verdict::{Outcome, Reading, judged};
use serde_json::Value;

/// What a bundle says of one control.
pub(super) struct Judged {
    pub id: String,
    pub outcome: Outcome,
    /// As it stands in the results.
    pub reading: Option<(Value, Reading)>,
}

/// Judges all of them: each control of the catalogue has one result, in its order, which follows from its facts.
///
/// # Errors
/// What is wrong, as a part of a sentence.
pub(super) fn judge(results: &Value, catalogue: &Value) -> Result<Vec<Judged>, String> {
    let list = |value: &Value, key: &str| {
        value.get(key).and_then(Value::as_array).cloned().ok_or_else(|| format!("has no {key}"))
    };
    let (results, controls) = (list(results, "results")?, list(catalogue, "controls")?);
    if results.len() != controls.len() {
        return Err(format!("has {} results for {} controls", results.len(), controls.len()));
    }
    results.iter().zip(&controls).map(|(result, control)| one(result, control, catalogue)).collect()
}

fn one(result: &Value, control: &Value, catalogue: &Value) -> Result<Judged, String> {
    let id = text(control, "id").unwrap_or_default();
    let wrong = |what: &str| format!("control {}: {what}", id.escape_default());
    if text(result, "control") != Some(id) || !has_only(result, &["control", "outcome", "reason", "reading"])
    {
        return Err(wrong("it is not where the catalogue has it"));
    }
    let outcome =
        text(result, "outcome").and_then(Outcome::parse).ok_or_else(|| wrong("it has no known outcome"))?;
    let reading = match result.get("reading") {
        None => None,
        Some(value) => {
            let reading = reading_from_json(value).filter(|reading| reading_to_json(reading) == *value);
            Some((value.clone(), reading.ok_or_else(|| wrong("its reading cannot be read"))?))
        }
    };
    let follows = match (&reading, control.get("conditions").and_then(Value::as_array)) {
        (Some((_, reading)), Some(conditions)) => {
            let conditions: Option<Vec<Condition<'_>>> = conditions.iter().map(condition).collect();
            judged(&conditions.ok_or_else(|| wrong("this version does not know its conditions"))?, reading)
                == outcome
        }
        (Some(_), None) => outcome == Outcome::NotMeasured,
        (None, _) => matches!(outcome, Outcome::NotMeasured | Outcome::NotApplicable),
    };
    if !follows {
        return Err(wrong("its outcome does not follow from its facts"));
    }
    let reason = result.get("reason").map(|reason| reason.as_str().unwrap_or_default());
    let is_known = |reason: &str| catalogue["reasons"].get(reason).is_some();
    let needs_reason = matches!(outcome, Outcome::NotMeasured | Outcome::NotApplicable);
    match reason {
        Some(reason) if needs_reason && is_known(reason) => {}
        None if !needs_reason => {}
        _ => return Err(wrong("its reason is missing, not known, or does not belong there")),
    }
    Ok(Judged { id: id.to_owned(), outcome, reading })
}

/// A condition as `controls.json` names it.
fn condition(value: &Value) -> Option<Condition<'_>> {
    let bound = value.get("bound")?;
    let must = match text(value, "must")? {
        "be" => Must::Be(bound.as_bool()?),
        "at_most" => Must::AtMost(number(value, "bound")?),
        "at_least" => Must::AtLeast(number(value, "bound")?),
        "at_least_fact" => Must::AtLeastFact(bound.as_str()?),
        "same_as" => Must::SameAs(bound.as_str()?),
        _ => return None,
    };
    Some(Condition { fact: text(value, "fact")?, must })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::controls;
    use crate::describe;
    use crate::tests::{run_of, satisfied};
    use serde_json::json;

    fn both() -> (Value, Value) {
        let run = run_of(controls().filter_map(satisfied).collect());
        (serde_json::from_slice(&run.to_json()).unwrap(), describe::controls())
    }

    fn at<'a>(value: &'a mut Value, list: &str, id: &str) -> &'a mut Value {
        let is_it = |item: &&mut Value| item.get("id").or(item.get("control")).unwrap() == id;
        value[list].as_array_mut().unwrap().iter_mut().find(is_it).unwrap()
    }

    #[test]
    fn a_later_or_an_earlier_catalogue_is_judged_by_its_own_conditions() {
        let (mut results, mut catalogue) = both();
        assert_eq!(judge(&results, &catalogue).unwrap().len(), 64);
        // A control that this version does not know.
        let new =
            json!({ "id": "NEW-01", "conditions": [{ "fact": "doors", "must": "at_most", "bound": 2 }] });
        catalogue["controls"].as_array_mut().unwrap().push(new);
        assert!(judge(&results, &catalogue).is_err(), "it has no result");
        let reading = json!({ "started": "1970-01-01T00:00:00.000Z", "started_ms": 0, "took_ms": 0,
            "facts": { "doors": 2 }, "attempts": [], "records": [] });
        let result = json!({ "control": "NEW-01", "outcome": "satisfied", "reading": reading });
        results["results"].as_array_mut().unwrap().push(result);
        assert_eq!(judge(&results, &catalogue).unwrap().len(), 65);
        at(&mut catalogue, "controls", "NEW-01")["conditions"][0]["bound"] = 1.into();
        assert!(judge(&results, &catalogue).is_err(), "it does not hold under that bound");
        at(&mut catalogue, "controls", "NEW-01")["conditions"][0]["must"] = "rhyme".into();
        assert!(judge(&results, &catalogue).is_err(), "nobody knows that condition");
    }

    #[test]
    fn an_outcome_that_does_not_follow_is_refused() {
        type Change = fn(&mut Value, &mut Value);
        let changes: [(&str, Change); 8] = [
            ("another outcome", |r, _| at(r, "results", "CRY-01")["outcome"] = "not_satisfied".into()),
            ("another fact", |r, _| at(r, "results", "CRY-01")["reading"]["facts"]["plain_files"] = 1.into()),
            ("a text for a fact", |r, _| {
                at(r, "results", "CRY-01")["reading"]["facts"]["reader"] = "two words".into();
            }),
            ("no conditions", |_, c| at(c, "controls", "CRY-01")["conditions"] = json!([])),
            ("no reading", |r, _| {
                drop(at(r, "results", "CRY-01").as_object_mut().unwrap().remove("reading"))
            }),
            ("satisfied without a trial", |r, _| at(r, "results", "ACC-01")["outcome"] = "satisfied".into()),
            ("no reason", |r, _| drop(at(r, "results", "ACC-01").as_object_mut().unwrap().remove("reason"))),
            ("a reason of its own", |r, _| at(r, "results", "ACC-01")["reason"] = "because".into()),
        ];
        for (what, change) in changes {
            let (mut results, mut catalogue) = both();
            change(&mut results, &mut catalogue);
            assert!(judge(&results, &catalogue).is_err(), "{what}");
        }
        let (mut results, catalogue) = both();
        results["results"].as_array_mut().unwrap().swap(3, 4);
        assert!(judge(&results, &catalogue).is_err(), "in another order");
    }
}
