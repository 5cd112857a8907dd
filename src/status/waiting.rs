//! Acts that wait for a second admin, by the log alone: what they are about is sealed.

use audit::{Stored, timestamp};
use serde_json::{Value, json};
use std::collections::HashSet;

/// Those that wait.
#[derive(Default)]
pub struct Waiting {
    /// Number of the record, what, and until when, in milliseconds since 1970.
    acts: Vec<(u64, String, u64)>,
    /// Records that a newer one answers.
    answered: HashSet<i64>,
    /// From here on back nothing waits: the vault ended, or was put back.
    is_past: bool,
}

impl Waiting {
    /// Takes in a record, the newest one first. An act waits for `second_ms`. One that was confirmed and then failed is not counted,
    /// although it waits still: whoever confirmed it knows.
    pub fn take(&mut self, record: &Stored, second_ms: u64) {
        match &*record.name {
            "act.confirmed" | "act.refused" | "act.lapsed" => self.answered.extend(record.int("asked")),
            "vault.destroyed" | "backup.restored" => self.is_past = true,
            "act.asked" if !self.is_past => {
                let is_answered = i64::try_from(record.seq).is_ok_and(|seq| self.answered.contains(&seq));
                let until_ms = record.ts_ms.saturating_add(second_ms);
                let act = record.word("act").unwrap_or_default().to_owned();
                self.acts.extend((!is_answered).then_some((record.seq, act, until_ms)));
            }
            _ => {}
        }
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.acts.len() as u64
    }

    /// What a person has to do about them, if there are any.
    pub fn need(&self) -> Option<String> {
        let (_, _, until_ms) = self.acts.iter().min_by_key(|(.., until_ms)| *until_ms)?;
        let wait =
            if self.acts.len() == 1 { "1 act waits" } else { &format!("{} acts wait", self.acts.len()) };
        let until = timestamp(*until_ms);
        Some(format!("{wait} for a second admin, the first until {until}; see: lightproof operator pending"))
    }

    /// The same on a line.
    pub fn line(&self) -> String {
        let one = |(number, act, until_ms): &(u64, String, u64)| {
            format!("number {number} ({act}) until {}", timestamp(*until_ms))
        };
        match &self.acts[..] {
            [] => "nothing waits for a second admin".to_owned(),
            acts => acts.iter().map(one).collect::<Vec<_>>().join(", "),
        }
    }

    /// The same for programs.
    pub fn describe(&self) -> Value {
        let one = |(number, act, until_ms): &(u64, String, u64)| json!({ "number": number, "act": act, "until_ms": until_ms });
        self.acts.iter().map(one).collect()
    }
}
