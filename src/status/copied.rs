//! The copy of the newest checkpoint that the policy asks for, as it is found: whoever has the log writes it, and anybody looks.

use crate::boot::outside::Copy;
use audit::{Coverage, Outside, OutsideError};
use darkroom::{CopyPlace, copy_trouble, unusable};
use serde_json::{Value, json};
use std::path::Path;

/// A record that is not covered for so long needs a person: the copy is renewed every few seconds while the log has its owner.
const BEHIND_MS_MAX: u64 = 60_000;

/// The copy.
pub struct Copied {
    found: Result<Option<Coverage>, String>,
    is_beside_log: bool,
    now_ms: u64,
}

impl Copied {
    /// As it is now, for the log in `log`.
    pub fn of(copy: &Copy, log: &Path, now_ms: u64) -> Self {
        let found = match &copy.place {
            CopyPlace::Folder(folder) => coverage(folder, log).map_err(|error| copy_trouble(folder, &error)),
            CopyPlace::Unusable { folder, why } => Err(unusable(folder, why)),
        };
        Self { found, is_beside_log: copy.is_beside_log, now_ms }
    }

    /// What needs a person, and what to do.
    pub fn need(&self) -> Option<String> {
        let behind = |found: &Coverage| {
            found
                .uncovered_since_ms
                .is_some_and(|since_ms| self.now_ms.saturating_sub(since_ms) > BEHIND_MS_MAX)
        };
        match &self.found {
            Err(why) => Some(why.clone()),
            Ok(Some(found)) if behind(found) => Some(format!(
                "the copy of the newest checkpoint is behind: {}; see that this user can write to its disk and that it has room, and start \
                 the program again",
                self.line()
            )),
            Ok(_) => None,
        }
    }

    /// How far it goes.
    pub fn line(&self) -> String {
        let beside = if self.is_beside_log { "; it is on the log's own disk" } else { "" };
        match &self.found {
            Err(_) => "none".to_owned(),
            Ok(None) => format!("none yet{beside}"),
            Ok(Some(Coverage { covers, records, uncovered_since_ms })) => match uncovered_since_ms {
                None => format!("covers all {records} records{beside}"),
                Some(since_ms) => format!(
                    "covers {covers} of {records} records, the first uncovered one is from {}{beside}",
                    ago(self.now_ms, *since_ms)
                ),
            },
        }
    }

    /// The same for programs.
    pub fn describe(&self) -> Value {
        let found = self.found.as_ref().ok().and_then(Option::as_ref);
        json!({
            "covers": found.map(|found| found.covers), "records": found.map(|found| found.records),
            "uncovered_since_ms": found.and_then(|found| found.uncovered_since_ms), "trouble": self.found.as_ref().err(),
            "is_beside_log": self.is_beside_log,
        })
    }

    /// Records that it does not cover, if there is one.
    pub fn uncovered(&self) -> Option<u64> {
        let found = self.found.as_ref().ok().and_then(Option::as_ref)?;
        Some(found.records.saturating_sub(found.covers))
    }
}

fn coverage(folder: &Path, log: &Path) -> Result<Option<Coverage>, OutsideError> {
    let read = |source| OutsideError::Io { during: "read", source };
    let Some(copy) = Outside::read(folder).map_err(read)? else { return Ok(None) };
    let covers = copy.check(log).map_err(OutsideError::Log)?.map_err(OutsideError::Flawed)?;
    Coverage::of(log, covers).map(Some).map_err(OutsideError::Log)
}

/// `3 h ago`.
pub fn ago(now_ms: u64, then_ms: u64) -> String {
    let seconds = now_ms.saturating_sub(then_ms) / 1000;
    let (count, unit) = match seconds {
        0..60 => (seconds, "s"),
        60..3600 => (seconds / 60, "min"),
        3600..172_800 => (seconds / 3600, "h"),
        _ => (seconds / 86_400, "days"),
    };
    format!("{count} {unit} ago")
}
