//! The log: a page of its records, a check of all of it, and a slice to take away. Each is on record before it is answered.
//!
//! All three read the files that the log's writer makes durable, and hold nobody up who writes.

use crate::House;
use crate::body::Body;
use crate::images::Nothing;
use crate::problem::Problem;
use crate::session::Key;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use darkroom::{Kind, Reading, Selection, Typed, Who};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};

const ROWS_DEFAULT: usize = 50;
const ROWS_MAX: usize = 200;
/// Whoever reads on by the same filters within this time is on record already.
const READING_MS: u64 = 10 * 60 * 1000;
/// Readings that are remembered; more are on record once more.
const READINGS_MAX: usize = 4096;

/// Which filters somebody reads by, in a session.
type Filters = (Key, [bool; 5]);

/// Who reads the log, by what, and since when: so that turning a page is no record.
#[derive(Default)]
pub struct Readings {
    /// When each was put on record, in milliseconds of the clock that runs on.
    on_record: Mutex<HashMap<Filters, u64>>,
    /// Held while the log is verified or taken out, which reads all of it.
    whole: Mutex<()>,
}

/// What is asked for, as it is typed: the filters are those of `audit show`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    #[serde(rename = "type")]
    name: Option<String>,
    outcome: Option<String>,
    object: Option<String>,
    job: Option<String>,
    since: Option<String>,
    until: Option<String>,
    before: Option<u64>,
    limit: Option<usize>,
}

/// A page of records, newest first, each in words.
pub async fn show(
    State(house): State<Arc<House>>,
    Extension(who): Extension<Who>,
    Extension(key): Extension<Key>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(asked) = asked.map_err(|_| wrong())?;
    let (selection, limit) = (selection(&asked)?, asked.limit.unwrap_or(ROWS_DEFAULT));
    if !(1..=ROWS_MAX).contains(&limit) {
        return Err(wrong());
    }
    let before = asked.before;
    let shown = house.beside(move |house| {
        let dir = house.queue.with(|darkroom| darkroom.reads_log(&who))?;
        let page = darkroom::log_page(&dir, &selection, before, limit).map_err(unread)?;
        let rows: Vec<Value> = page
            .records
            .iter()
            .map(|record| match record {
                Ok(record) => parsed(&record.explain().to_json()),
                Err(seq) => json!({ "damaged": seq }),
            })
            .collect();
        house.on_record((key, kinds(&selection)), || {
            house.record(&who, Reading::Rows, &selection, rows.len() as u64)
        })?;
        let pruned = page.gone.map(|gone| parsed(&gone.to_json()));
        Ok(json!({ "rows": rows, "next": page.next, "records": page.signed, "pruned": pruned }))
    });
    Ok(Json(shown.await?))
}

/// Verifies the log in use, as `audit verify` does.
pub async fn verify(
    State(house): State<Arc<House>>,
    Extension(who): Extension<Who>,
    Body(Nothing {}): Body<Nothing>,
) -> Result<Json<Value>, Problem> {
    let verified = house.beside(move |house| {
        let dir = house.queue.with(|darkroom| darkroom.reads_log(&who))?;
        house.whole_log(|| {
            let report = darkroom::verify_log(&dir, None).map_err(unread)?;
            house.record(&who, Reading::Verify, &Selection::default(), report.complete)?;
            let mut told = parsed(&report.to_json());
            let mut answer = told["data"].take();
            answer["ok"] = report.is_ok().into();
            Ok(answer)
        })
    });
    Ok(Json(verified.await?))
}

/// Hands out the records of a period.
pub async fn export(
    State(house): State<Arc<House>>,
    Extension(who): Extension<Who>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(asked) = asked.map_err(|_| wrong())?;
    let selection = selection(&asked)?;
    // Each record holds the hash of the one before: a slice with gaps would show nothing of what is left out.
    let period =
        Selection { since_ms: selection.since_ms, until_ms: selection.until_ms, ..Selection::default() };
    if period != selection || asked.before.is_some() || asked.limit.is_some() {
        return Err(Problem::new(
            422,
            "parameter",
            "a slice is all that was written in a period: since and until",
        ));
    }
    let archive = house.beside(move |house| {
        house.queue.with(|darkroom| darkroom.reads_log(&who))?;
        house.whole_log(|| {
            let made = house.controls.slice((period.since_ms, period.until_ms));
            let (archive, count) = made.map_err(|untold| match untold {
                crate::Untold::TooLarge => Problem::SLICE_TOO_LARGE,
                crate::Untold::Darkroom(error) if error.kind() == Kind::Log => unread(error),
                other => other.into(),
            })?;
            house.record(&who, Reading::Export, &period, count)?;
            Ok(archive)
        })
    });
    let headers = [
        (header::CONTENT_TYPE, "application/zip"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"lightproof-log.zip\""),
    ];
    Ok((headers, archive.await?).into_response())
}

impl House {
    /// Puts a reading on record, unless it is; with what is not, nothing is answered.
    fn on_record(
        &self,
        filters: Filters,
        record: impl FnOnce() -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let now_ms = self.now_ms();
        // Held while it is recorded, so that two requests at once are one reading.
        let mut known = self.readings.on_record.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, since_ms| now_ms < *since_ms + READING_MS);
        if known.contains_key(&filters) {
            return Ok(());
        }
        record()?;
        if known.len() < READINGS_MAX {
            known.insert(filters, now_ms);
        }
        Ok(())
    }

    fn record(&self, who: &Who, how: Reading, asked: &Selection, records: u64) -> Result<(), Problem> {
        Ok(self.queue.with(|darkroom| darkroom.record_reading(who, how, asked, records)).map(drop)?)
    }

    /// What reads all of the log is done once at a time: it takes a processor and memory for each record.
    fn whole_log<T>(&self, work: impl FnOnce() -> Result<T, Problem>) -> Result<T, Problem> {
        let _turn = match self.readings.whole.try_lock() {
            Ok(turn) => turn,
            Err(TryLockError::WouldBlock) => return Err(Problem::READING),
            Err(TryLockError::Poisoned(turn)) => turn.into_inner(), // it holds nothing
        };
        work()
    }
}

fn selection(asked: &Asked) -> Result<Selection, Problem> {
    let typed = Typed {
        object: asked.object.as_deref(),
        job: asked.job.as_deref(),
        name: asked.name.as_deref(),
        outcome: asked.outcome.as_deref(),
        since: asked.since.as_deref(),
        until: asked.until.as_deref(),
    };
    Selection::parse(&typed).map_err(|senseless| Problem::new(422, "parameter", senseless.to_string()))
}

/// Which filters there are, whatever they select.
fn kinds(selection: &Selection) -> [bool; 5] {
    [
        selection.since_ms.is_some() || selection.until_ms.is_some(),
        selection.name.is_some(),
        selection.outcome.is_some(),
        selection.object.is_some(),
        selection.job.is_some(),
    ]
}

/// Of the log that is read: whether it can be written nobody knows by that.
fn unread<E>(_: E) -> Problem {
    Problem::LOG_UNREAD
}

fn wrong() -> Problem {
    let what = "limit is a number from 1 to 200, before a number of a record; the filters are type, outcome, object, job, since \
                and until";
    Problem::new(422, "parameter", what)
}

/// Our own JSON, as a value.
fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}
