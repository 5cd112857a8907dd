//! Which records somebody wants to see.

use crate::clock::parse_timestamp;
use crate::event::SCHEMA;
use crate::stored::Stored;
use crate::token::{JobId, Object, id_bytes};
use crate::words::Outcome;
use std::fmt;

/// What a record must be to be shown; what is `None` holds for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// It concerns this object.
    pub object: Option<Object>,
    /// It belongs to this request.
    pub job: Option<JobId>,
    /// Its type, or the first word of several types.
    pub name: Option<String>,
    /// How the act ended.
    pub outcome: Option<Outcome>,
    /// It was not written before this moment, in milliseconds since 1970.
    pub since_ms: Option<u64>,
    /// It was not written after this moment, in milliseconds since 1970.
    pub until_ms: Option<u64>,
}

/// A selection as it is typed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Typed<'a> {
    /// `o:` and 22 characters.
    pub object: Option<&'a str>,
    /// `j:` and 22 characters.
    pub job: Option<&'a str>,
    /// `object.exported`, or `object`.
    pub name: Option<&'a str>,
    /// `ok`, `denied` or `failed`.
    pub outcome: Option<&'a str>,
    /// `2026-01-31`, or down to the millisecond as in a record.
    pub since: Option<&'a str>,
    /// The same; a day counts to its end.
    pub until: Option<&'a str>,
}

/// What of a selection makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Senseless {
    /// No pseudonym of an object.
    Object,
    /// No request's id.
    Job,
    /// No type that this program knows, and no first word of one.
    Name,
    /// No outcome.
    Outcome,
    /// No time.
    Time,
    /// A period that ends before it begins.
    Period,
}

impl fmt::Display for Senseless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Object => {
                "an object goes by its pseudonym, `o:` and 22 characters; `lightproof history show` says which"
            }
            Self::Job => "a request goes by its id, `j:` and 22 characters, as its records have it",
            Self::Name => {
                "there is no such type of record; a type is one like object.exported, or its first word, such as vault"
            }
            Self::Outcome => "an outcome is ok, denied or failed",
            Self::Time => "a time is one like 2026-01-31, 2026-01-31T07:08 or 2026-01-31T07:08:09.010Z, in UTC",
            Self::Period => "the period ends before it begins: `until` is a time after `since`",
        })
    }
}

impl Selection {
    /// Reads what was typed.
    ///
    /// # Errors
    /// The first part that makes no sense.
    pub fn parse(typed: &Typed<'_>) -> Result<Self, Senseless> {
        let id = |text: &str, prefix| id_bytes(text.strip_prefix(prefix)?);
        let known = |name: &str| SCHEMA.iter().any(|kind| is_of(kind.name, name)).then(|| name.to_owned());
        let (object, job) = (typed.object.map(|text| id(text, "o:")), typed.job.map(|text| id(text, "j:")));
        let (since, until) = (typed.since.map(span), typed.until.map(span));
        let since_ms = read(since, Senseless::Time)?.map(|(first, _)| first);
        let until_ms = read(until, Senseless::Time)?.map(|(_, last)| last);
        if since_ms.zip(until_ms).is_some_and(|(since_ms, until_ms)| since_ms > until_ms) {
            return Err(Senseless::Period);
        }
        Ok(Self {
            object: read(object, Senseless::Object)?.map(Object),
            job: read(job, Senseless::Job)?.map(JobId),
            name: read(typed.name.map(known), Senseless::Name)?,
            outcome: read(typed.outcome.map(Outcome::parse), Senseless::Outcome)?,
            since_ms,
            until_ms,
        })
    }

    /// Whether the record is one of them.
    pub fn takes(&self, record: &Stored) -> bool {
        self.object.is_none_or(|object| record.object == Some(object))
            && self.job.is_none_or(|job| record.job == Some(job))
            && self.name.as_ref().is_none_or(|name| is_of(&record.name, name))
            && self.outcome.is_none_or(|outcome| record.outcome == outcome)
            && self.since_ms.is_none_or(|since| record.ts_ms >= since)
            && self.until_ms.is_none_or(|until| record.ts_ms <= until)
    }
}

/// Whether a type of record is `name`, or begins with it as its first word.
fn is_of(kind: &str, name: &str) -> bool {
    kind == name || kind.split('.').next() == Some(name)
}

fn read<T>(part: Option<Option<T>>, otherwise: Senseless) -> Result<Option<T>, Senseless> {
    part.map(|read| read.ok_or(otherwise)).transpose()
}

/// The first and the last millisecond of what is named: a day, a minute, a second or a millisecond.
fn span(text: &str) -> Option<(u64, u64)> {
    let text = text.strip_suffix('Z').unwrap_or(text).replacen(' ', "T", 1);
    let length_ms = [(10, 86_400_000), (16, 60_000), (19, 1000), (23, 1)];
    let (_, length_ms) = length_ms.into_iter().find(|(len, _)| text.len() == *len)?;
    let rest = "0000-00-00T00:00:00.000Z".get(text.len()..)?;
    let first = parse_timestamp(&(text + rest))?;
    Some((first, first + (length_ms - 1)))
}

#[cfg(test)]
#[path = "tests/selection.rs"]
mod tests;
