//! One run over all controls, and the file that keeps it.

use crate::catalogue::{control, controls};
use crate::control::{Control, Reason, Trial};
use crate::describe;
use crate::error::Error;
use crate::fact::{Attempt, Fact};
use crate::json::{canonical, has_only, number, parse, text, unhex};
use crate::verdict::{Outcome, Reading, Verdict};
use audit::Digest;
use serde_json::{Map, Value, json};

const SCHEMA: &str = "lightproof/evidence-run/v1";
const FACT_NAME_CHARS_MAX: usize = 40;

/// What was found of every control, at one time, by one program under one policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// When it began, in milliseconds since 1970.
    pub started_ms: u64,
    /// How long it took.
    pub took_ms: u64,
    /// SHA-256 of the program that tried.
    pub binary: Digest,
    /// SHA-256 of the policy in force, as a bundle has it in words.
    pub policy: Digest,
    verdicts: Vec<Verdict>,
}

impl Run {
    /// A run with what was found. A control that nobody speaks of is not measured, and of two verdicts on one control the
    /// first counts.
    pub fn new(started_ms: u64, took_ms: u64, binary: Digest, policy: Digest, found: Vec<Verdict>) -> Self {
        let verdict = |control: &'static Control| {
            let known = found.iter().find(|verdict| verdict.control() == control).cloned();
            let reason = match control.trial {
                Trial::None(reason) => reason,
                Trial::Facts(_) => Reason::NoProbeYet,
            };
            known.unwrap_or_else(|| Verdict::not_measured(control, reason))
        };
        Self { started_ms, took_ms, binary, policy, verdicts: controls().map(verdict).collect() }
    }

    /// One verdict on each control, in the order of the catalogue.
    pub fn verdicts(&self) -> &[Verdict] {
        &self.verdicts
    }

    /// How many controls ended so.
    pub fn count(&self, outcome: Outcome) -> u64 {
        self.verdicts.iter().filter(|verdict| verdict.outcome() == outcome).count() as u64
    }

    /// The file: one canonical JSON object.
    pub fn to_json(&self) -> Vec<u8> {
        let results: Vec<Value> = self.verdicts.iter().map(verdict_to_json).collect();
        canonical(&json!({
            "schema": SCHEMA, "catalogue": catalogue().to_string(),
            "started": audit::timestamp(self.started_ms), "started_ms": self.started_ms, "took_ms": self.took_ms,
            "binary": self.binary.to_string(), "policy": self.policy.to_string(), "results": results,
        }))
    }

    /// SHA-256 of the file: what the record `evidence.tried` carries.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_json())
    }

    /// Reads the file, and judges every reading anew.
    ///
    /// # Errors
    /// [`Error::Run`]: it is not in its one form, a control is missing, or an outcome does not follow from its facts.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let wrong = |what: &str| Error::Run { what: what.to_owned() };
        let value = parse(bytes).ok_or_else(|| wrong("it is not canonical JSON"))?;
        let head = |key| number(&value, key).ok_or_else(|| wrong("a number is missing"));
        let digest =
            |key| text(&value, key).and_then(unhex).map(Digest).ok_or_else(|| wrong("a digest is missing"));
        let results =
            value.get("results").and_then(Value::as_array).ok_or_else(|| wrong("results are missing"))?;
        if digest("catalogue")? != catalogue() {
            return Err(wrong("another version tried, which judged by other conditions"));
        }
        let verdicts = results.iter().map(verdict_from_json).collect::<Result<Vec<_>, _>>()?;
        if let Some(twice) = verdicts.windows(2).find(|two| two[0].control() == two[1].control()) {
            return Err(wrong(&format!("control {} is there twice", twice[0].control().id)));
        }
        let run =
            Self::new(head("started_ms")?, head("took_ms")?, digest("binary")?, digest("policy")?, verdicts);
        // Whatever was not understood, or stands in another order, is not written again.
        if run.to_json() == bytes {
            Ok(run)
        } else {
            Err(wrong("it is not what a run of this version writes"))
        }
    }
}

fn verdict_to_json(verdict: &Verdict) -> Value {
    let mut value = json!({ "control": verdict.control().id, "outcome": verdict.outcome().word() });
    if let Some(reason) = verdict.reason() {
        value["reason"] = reason.word().into();
    }
    if let Some(reading) = verdict.reading() {
        value["reading"] = reading_to_json(reading);
    }
    value
}

/// SHA-256 of the catalogue that the controls were judged by: the file `controls.json` of a bundle.
pub(crate) fn catalogue() -> Digest {
    Digest::of(&canonical(&describe::controls()))
}

/// A reading as it stands in a run and in a file of its own.
pub(crate) fn reading_to_json(reading: &Reading) -> Value {
    let facts: Map<String, Value> =
        reading.facts().iter().map(|(name, fact)| (name.clone(), fact.to_json())).collect();
    let attempts: Vec<Value> = reading
        .attempts()
        .iter()
        .map(|attempt| json!({ "operation": attempt.operation(), "answer": attempt.answer() }))
        .collect();
    json!({
        "started": audit::timestamp(reading.started_ms), "started_ms": reading.started_ms,
        "took_ms": reading.took_ms, "facts": facts, "attempts": attempts, "records": reading.records(),
    })
}

fn verdict_from_json(value: &Value) -> Result<Verdict, Error> {
    let id = text(value, "control").unwrap_or_default();
    let wrong = |what: &str| Error::Run { what: format!("control {}: {what}", id.escape_default()) };
    let control = control(id).ok_or_else(|| wrong("this program does not know it"))?;
    let word = text(value, "outcome").unwrap_or_default();
    let outcome = Outcome::parse(word).ok_or_else(|| wrong("no outcome is known by that name"))?;
    let reason = match value.get("reason") {
        Some(word) => {
            Some(word.as_str().and_then(Reason::parse).ok_or_else(|| wrong("its reason is not known"))?)
        }
        None => None,
    };
    let verdict = match (value.get("reading"), outcome, reason) {
        (Some(reading), ..) => Verdict::of(
            control,
            reading_from_json(reading).ok_or_else(|| wrong("its reading cannot be read"))?,
        ),
        (None, Outcome::NotMeasured, Some(reason)) => Verdict::not_measured(control, reason),
        (None, Outcome::NotApplicable, Some(reason)) => Verdict::not_applicable(control, reason),
        (None, Outcome::Satisfied | Outcome::NotSatisfied, _) => {
            return Err(wrong("an outcome without a reading"));
        }
        (None, ..) => return Err(wrong("it gives no reason")),
    };
    match verdict.outcome() == outcome && verdict.reason() == reason {
        true => Ok(verdict),
        false => Err(wrong("its outcome does not follow from its facts")),
    }
}

pub(crate) fn reading_from_json(value: &Value) -> Option<Reading> {
    let known = ["started", "started_ms", "took_ms", "facts", "attempts", "records"];
    if !has_only(value, &known) {
        return None;
    }
    let mut reading = Reading::begun_at(number(value, "started_ms")?);
    reading.took_ms = number(value, "took_ms")?;
    for (name, fact) in value.get("facts")?.as_object()? {
        reading.put(Some(name).filter(|name| is_name(name))?, Fact::from_json(fact)?);
    }
    for attempt in value.get("attempts")?.as_array()? {
        reading.attempt(Attempt::parse(text(attempt, "operation")?, text(attempt, "answer")?)?);
    }
    for record in value.get("records")?.as_array()? {
        reading.record(record.as_u64()?);
    }
    Some(reading)
}

/// `free_bytes_min`: no name of a fact holds a sentence.
fn is_name(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    (1..=FACT_NAME_CHARS_MAX).contains(&text.len()) && text.bytes().all(fits)
}

#[cfg(test)]
#[path = "tests/run.rs"]
mod tests;
