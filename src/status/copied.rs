//! The copy of the newest checkpoint that the policy asks for, as it is found: whoever has the log writes it, and anybody looks.

use crate::boot::outside::Copy;
use audit::{Coverage, Outside, OutsideError};
use darkroom::{CopyPlace, copy_trouble, unusable};
use rustix::fs::{Access, StatVfsMountFlags, access, statvfs};
use serde_json::{Value, json};
use std::path::Path;

/// A record that is not covered for so long needs a person: the copy is renewed every few seconds while the log has its owner.
const BEHIND_MS_MAX: u64 = 60_000;

/// What keeps a copy from being written, as far as whoever only looks can tell.
#[derive(Clone, Copy)]
enum Obstacle {
    ReadOnly,
    Full,
    Closed,
}

impl Obstacle {
    fn of(folder: &Path) -> Option<Self> {
        let disk = statvfs(folder).ok()?;
        // Some file systems have no number of files.
        let is_full = disk.f_bavail == 0 || disk.f_files > 0 && disk.f_favail == 0;
        if disk.f_flag.contains(StatVfsMountFlags::RDONLY) {
            return Some(Self::ReadOnly);
        }
        if is_full {
            return Some(Self::Full);
        }
        access(folder, Access::WRITE_OK | Access::EXEC_OK).is_err().then_some(Self::Closed)
    }

    /// For programs; what it is, and what to do.
    fn words(self) -> [&'static str; 3] {
        match self {
            Self::ReadOnly => ["read_only", "its disk is read-only", "make it writable"],
            Self::Full => ["full", "its disk is full", "make room there"],
            Self::Closed => ["closed", "this user may not write there", "let this user write there"],
        }
    }
}

/// The copy.
pub struct Copied {
    found: Result<Option<Coverage>, String>,
    /// Where it is not the newest checkpoint.
    obstacle: Option<Obstacle>,
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
        let lacks = match &found {
            Ok(Some(found)) => found.covers < found.records,
            found => found.is_ok(),
        };
        let obstacle = match &copy.place {
            CopyPlace::Folder(folder) if lacks => Obstacle::of(folder),
            _ => None,
        };
        Self { found, obstacle, is_beside_log: copy.is_beside_log, now_ms }
    }

    /// What needs a person, and what to do.
    pub fn need(&self) -> Option<String> {
        let behind = |found: &Coverage| {
            found
                .uncovered_since_ms
                .is_some_and(|since_ms| self.now_ms.saturating_sub(since_ms) > BEHIND_MS_MAX)
        };
        match (&self.found, self.obstacle.map(Obstacle::words)) {
            (Err(why), _) => Some(why.clone()),
            (Ok(_), Some([_, _, remedy])) => Some(format!(
                "the newest checkpoint is not copied to where the policy says: {}; {remedy}",
                self.line()
            )),
            (Ok(Some(found)), None) if behind(found) => Some(format!(
                "the copy of the newest checkpoint is behind: {}; see that this user can write to its disk and that it has room, and start \
                 the program again",
                self.line()
            )),
            (Ok(_), None) => None,
        }
    }

    /// How far it goes.
    pub fn line(&self) -> String {
        let obstacle = self.obstacle.map_or_else(String::new, |found| format!("; {}", found.words()[1]));
        let beside = if self.is_beside_log { "; it is on the log's own disk" } else { "" };
        let beside = format!("{beside}{obstacle}");
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
            "is_beside_log": self.is_beside_log, "obstacle": self.obstacle.map(|found| found.words()[0]),
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
