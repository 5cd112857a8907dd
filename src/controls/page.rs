//! What the page of a running server hears of the controls.

use super::bundle::{Chosen, hand_over};
use super::kept::{Error, Tried, on_record, try_now};
use super::site::{Room, Site};
use audit::Clock as _;
use darkroom::{Queue, Who};
use evidence::{Outcome, Run, Trial};
use sandbox::ProbeReport;
use serde_json::{Map, Value, json};
use server::{Untold, Wanted};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

/// Where a bundle is made, in the folder of what was found. One at a time.
const BUNDLE: &str = "bundle";
/// The folder that all files of an archive lie in.
const ARCHIVED: &str = "lightproof-evidence";
/// The same of a slice of the log.
const SLICE: &str = "slice";
const SLICE_ARCHIVED: &str = "lightproof-log";
/// An archive is put together in memory: that of 100,000 records has some 60 MiB.
const ARCHIVE_BYTES_MAX: u32 = 256 << 20;

/// The controls of a running server.
pub struct Page(pub Arc<Site>);

impl server::Controls for Page {
    fn try_now(
        &self,
        queue: &Queue,
        who: &Who,
        fences: &dyn Fn() -> Result<ProbeReport, sandbox::Error>,
    ) -> Result<Value, Untold> {
        let tried = try_now(&self.0, &mut Room::Shared(queue), Some(who), fences)?;
        let mut told = of_run(&tried);
        told["results"] = results(&tried.run);
        Ok(told)
    }

    fn hand_over(
        &self,
        queue: &Queue,
        who: &Who,
        fences: &dyn Fn() -> Result<ProbeReport, sandbox::Error>,
        Wanted { since, until, framework, lang }: &Wanted,
    ) -> Result<Vec<u8>, Untold> {
        let words = [since, until, framework, lang].map(Option::as_deref);
        let chosen = Chosen::parse(words, "").map_err(Untold::Senseless)?;
        let dir = self.0.evidence.join(BUNDLE);
        // What a crash left of an earlier one.
        evidence::take_back(&dir);
        let pack = |dir: &Path| Ok(evidence::archive(dir, ARCHIVED, ARCHIVE_BYTES_MAX)?);
        let chosen = (&chosen, &*dir);
        let handed = hand_over(&self.0, &mut Room::Shared(queue), Some(who), fences, chosen, pack);
        evidence::take_back(&dir);
        Ok(handed?.made)
    }

    fn slice(&self, (since_ms, until_ms): (Option<u64>, Option<u64>)) -> Result<(Vec<u8>, u64), Untold> {
        let dir = self.0.evidence.join(SLICE);
        evidence::take_back(&dir);
        let made = evidence::slice(&self.0.audit, &dir, (since_ms, until_ms))
            .and_then(|count| Ok((evidence::archive(&dir, SLICE_ARCHIVED, ARCHIVE_BYTES_MAX)?, count)));
        evidence::take_back(&dir);
        made.map_err(|error| match error {
            evidence::Error::Record { .. } => Untold::NotWhole,
            other => Error::from(other).into(),
        })
    }

    fn told(&self) -> Result<Value, Untold> {
        let runs = on_record(&self.0.audit, &self.0.evidence)?;
        let read: Vec<Value> = runs.iter().map(|tried| results(&tried.run)).collect();
        let controls: Vec<_> = evidence::controls().collect();
        let mut catalogue = evidence::describe_controls();
        for (at, control) in catalogue["controls"].as_array_mut().into_iter().flatten().enumerate() {
            // Each run has one result for each control, in the order of the catalogue.
            if let Trial::Facts(conditions) = controls[at].trial {
                control["judged"] = conditions.iter().map(ToString::to_string).collect();
            }
            control["now"] = read.first().map_or(Value::Null, |newest| newest[at].clone());
            let before = runs.iter().zip(&read).map(|(tried, results)| {
                json!({ "record": tried.record, "started_ms": tried.run.started_ms,
                    "outcome": results[at]["outcome"], "reason": results[at]["reason"],
                    "facts": results[at]["reading"]["facts"] })
            });
            control["results"] = before.collect();
        }
        let now_ms = self.0.clock.wall_ms();
        let age = |tried: &Tried| now_ms.saturating_sub(tried.run.started_ms) / 1000;
        Ok(json!({
            "tried": runs.first().map(of_run), "age_seconds": runs.first().map(age),
            "age_seconds_max": self.0.run_age_seconds_max,
            "incidents": evidence::Incidents::of(&self.0.audit).map_err(Error::from)?.incidents.iter()
                .map(|incident| evidence::describe_incident(incident, now_ms)).collect::<Vec<_>>(),
            "controls": catalogue["controls"], "reasons": catalogue["reasons"],
        }))
    }
}

/// A run, without its results.
fn of_run(Tried { run, record }: &Tried) -> Value {
    let counts = Outcome::ALL.map(|outcome| (outcome.word().to_owned(), run.count(outcome).into()));
    json!({ "run": run.digest().to_string(), "record": record, "started_ms": run.started_ms,
        "took_ms": run.took_ms, "counts": Map::from_iter(counts) })
}

fn results(run: &Run) -> Value {
    let mut file = serde_json::from_slice::<Value>(&run.to_json()).unwrap_or_default();
    file["results"].take()
}

impl From<Error> for Untold {
    fn from(error: Error) -> Self {
        match error {
            Error::Darkroom(error) => Self::Darkroom(error),
            Error::Evidence(evidence::Error::Log(error)) => Self::Darkroom(error.into()),
            Error::Evidence(evidence::Error::Io { source, .. })
                if matches!(source.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) =>
            {
                Self::Full
            }
            Error::Evidence(evidence::Error::Io { source, .. })
                if source.kind() == ErrorKind::FileTooLarge =>
            {
                Self::TooLarge
            }
            Error::NotWhole(_) => Self::NotWhole,
            Error::Controller(_) => Self::Controller,
            Error::Evidence(_) => Self::Folder,
        }
    }
}
