//! What was found of one control. Nothing is satisfied without a reading, and no probe can say that something is.

use crate::control::{Condition, Control, Reason, Trial};
use crate::fact::{Attempt, Fact};

/// What a trial says of a control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was tried, and holds.
    Satisfied,
    /// It was tried, and does not hold.
    NotSatisfied,
    /// There is nothing here that it could be about.
    NotApplicable,
    /// It was not tried, or not to the end. Never to be taken for satisfied.
    NotMeasured,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Satisfied, Self::NotSatisfied, Self::NotApplicable, Self::NotMeasured];

    /// Its name in files.
    pub fn word(self) -> &'static str {
        match self {
            Self::Satisfied => "satisfied",
            Self::NotSatisfied => "not_satisfied",
            Self::NotApplicable => "not_applicable",
            Self::NotMeasured => "not_measured",
        }
    }

    /// What a name stands for.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.word() == word)
    }
}

/// What a probe brought home.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// When it began, in milliseconds since 1970.
    pub started_ms: u64,
    /// How long it took.
    pub took_ms: u64,
    facts: Vec<(String, Fact)>,
    attempts: Vec<Attempt>,
    records: Vec<u64>,
}

impl Reading {
    /// A reading that begins at that time, without facts.
    pub fn begun_at(started_ms: u64) -> Self {
        Self { started_ms, ..Self::default() }
    }

    /// Adds a fact. The last one of a name counts.
    pub fn fact(&mut self, name: &'static str, fact: impl Into<Fact>) {
        self.put(name, fact.into());
    }

    /// Adds a fact that a file names.
    pub(crate) fn put(&mut self, name: &str, fact: Fact) {
        self.facts.retain(|(known, _)| known != name);
        self.facts.push((name.to_owned(), fact));
        self.facts.sort_by(|(one, _), (other, _)| one.cmp(other));
    }

    /// Adds what was tried.
    pub fn attempt(&mut self, attempt: Attempt) {
        self.attempts.push(attempt);
    }

    /// Adds the number of a record of the log that it rests on.
    pub fn record(&mut self, seq: u64) {
        self.records.push(seq);
        self.records.sort_unstable();
        self.records.dedup();
    }

    /// The facts, sorted by name.
    pub fn facts(&self) -> &[(String, Fact)] {
        &self.facts
    }

    /// What was tried, in order.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// Numbers of the records of the log that it rests on, rising.
    pub fn records(&self) -> &[u64] {
        &self.records
    }

    /// The fact with that name.
    pub fn get(&self, name: &str) -> Option<&Fact> {
        self.facts.iter().find(|(known, _)| known == name).map(|(_, fact)| fact)
    }
}

/// What was found of one control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    control: &'static Control,
    outcome: Outcome,
    reason: Option<Reason>,
    reading: Option<Reading>,
}

impl Verdict {
    /// Judges a reading by the control's conditions. A fact that is missing makes it not measured.
    pub fn of(control: &'static Control, reading: Reading) -> Self {
        let (outcome, reason) = judge(control, &reading);
        Self { control, outcome, reason, reading: Some(reading) }
    }

    /// Nothing was measured.
    pub fn not_measured(control: &'static Control, reason: Reason) -> Self {
        Self { control, outcome: Outcome::NotMeasured, reason: Some(reason), reading: None }
    }

    /// There is nothing here that the control could be about.
    pub fn not_applicable(control: &'static Control, reason: Reason) -> Self {
        Self { control, outcome: Outcome::NotApplicable, reason: Some(reason), reading: None }
    }

    /// Of which control.
    pub fn control(&self) -> &'static Control {
        self.control
    }

    /// What was found.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Why it is neither satisfied nor not satisfied.
    pub fn reason(&self) -> Option<Reason> {
        self.reason
    }

    /// What it rests on.
    pub fn reading(&self) -> Option<&Reading> {
        self.reading.as_ref()
    }

    /// The conditions that do not hold.
    pub fn failing(&self) -> impl Iterator<Item = &'static Condition<'static>> {
        let conditions = match self.control.trial {
            Trial::Facts(conditions) => conditions,
            Trial::None(_) => &[],
        };
        let of_reading = self.reading.iter().flat_map(|reading| conditions.iter().map(move |c| (reading, c)));
        of_reading.filter(|(reading, c)| c.holds(|name| reading.get(name)) == Some(false)).map(|(_, c)| c)
    }
}

fn judge(control: &Control, reading: &Reading) -> (Outcome, Option<Reason>) {
    let outcome = match control.trial {
        Trial::Facts(conditions) => judged(conditions, reading),
        Trial::None(reason) => return (Outcome::NotMeasured, Some(reason)),
    };
    (outcome, (outcome == Outcome::NotMeasured).then_some(Reason::FactMissing))
}

/// What follows from a reading: nothing, if a fact is missing or of another kind, or if there is no condition.
pub(crate) fn judged(conditions: &[Condition<'_>], reading: &Reading) -> Outcome {
    let all: Option<Vec<bool>> = conditions.iter().map(|c| c.holds(|name| reading.get(name))).collect();
    match all.filter(|all| !all.is_empty()) {
        Some(all) if all.iter().all(|holds| *holds) => Outcome::Satisfied,
        Some(_) => Outcome::NotSatisfied,
        None => Outcome::NotMeasured,
    }
}
