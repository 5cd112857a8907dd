//! The controls: tried now by an admin, and shown with what was found of them before.
//!
//! What they are, how they are tried and what they are judged by is the program's, and no matter of the server.

use crate::House;
use crate::body::Body;
use crate::images::Nothing;
use crate::problem::Problem;
use axum::Json;
use axum::extract::{Extension, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use darkroom::{Queue, Who};
use sandbox::ProbeReport;
use serde::Deserialize;
use serde_json::Value;
use std::sync::{Arc, MutexGuard, TryLockError};

/// What tries the controls of this appliance, and tells of them. Both wait for the disk.
pub trait Controls: Send + Sync {
    /// Tries all of them as `who`, beside what is in work, keeps what was found and puts it on record. `fences` tries what they
    /// forbid. The answer is what the run found, as a JSON object.
    ///
    /// # Errors
    /// [`Untold`]; nothing is on record then.
    fn try_now(
        &self,
        queue: &Queue,
        who: &Who,
        fences: &dyn Fn() -> Result<ProbeReport, sandbox::Error>,
    ) -> Result<Value, Untold>;

    /// Tries them as above and makes a bundle of evidence, which passes its own check and is on record before it is handed out:
    /// an archive of its files.
    ///
    /// # Errors
    /// [`Untold`]; no bundle is on record as handed out then.
    fn hand_over(
        &self,
        queue: &Queue,
        who: &Who,
        fences: &dyn Fn() -> Result<ProbeReport, sandbox::Error>,
        wanted: &Wanted,
    ) -> Result<Vec<u8>, Untold>;

    /// An archive of the records of a period, in milliseconds since 1970, with what leads from the first key of the log to them,
    /// and how many they are. Nothing is put on record.
    ///
    /// # Errors
    /// [`Untold`].
    fn slice(&self, period: (Option<u64>, Option<u64>)) -> Result<(Vec<u8>, u64), Untold>;

    /// Each control, with what the runs found that are on record, as a JSON object. Nothing is tried.
    ///
    /// # Errors
    /// [`Untold`].
    fn told(&self) -> Result<Value, Untold>;
}

/// What a bundle is to be about, as it is typed: all of it without a word.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// The first moment of the period whose records it holds.
    pub since: Option<String>,
    /// The last one.
    pub until: Option<String>,
    /// The law or standard.
    pub framework: Option<String>,
    /// The language of what people read.
    pub lang: Option<String>,
}

/// Why nothing can be told of the controls.
#[derive(Debug)]
pub enum Untold {
    /// Vault and log.
    Darkroom(darkroom::Error),
    /// The disk is full.
    Full,
    /// The folder of what was found cannot be used.
    Folder,
    /// What a bundle is to be about makes no sense, in words.
    Senseless(String),
    /// A bundle does not pass its own check.
    NotWhole,
    /// What the controller says of themselves makes no sense.
    Controller,
    /// A bundle is too large to be put together in memory.
    TooLarge,
}

impl From<Untold> for Problem {
    fn from(untold: Untold) -> Self {
        match untold {
            Untold::Darkroom(error) => error.into(),
            Untold::Full => Self::DISK,
            Untold::Folder => Self::EVIDENCE,
            Untold::Senseless(what) => Self::new(422, "parameter", what),
            Untold::NotWhole => Self::NOT_WHOLE,
            Untold::Controller => Self::CONTROLLER,
            Untold::TooLarge => Self::BUNDLE_TOO_LARGE,
        }
    }
}

/// Tries them.
pub async fn run(
    State(house): State<Arc<House>>,
    Extension(who): Extension<Who>,
    Body(Nothing {}): Body<Nothing>,
) -> Result<Json<Value>, Problem> {
    let tried =
        in_turn(house, who, |house, who| house.controls.try_now(&house.queue, who, &|| house.try_fences()));
    Ok(Json(tried.await?))
}

/// Tries them, and hands over a bundle.
pub async fn export(
    State(house): State<Arc<House>>,
    Extension(who): Extension<Who>,
    Body(wanted): Body<Wanted>,
) -> Result<Response, Problem> {
    let bundle = in_turn(house, who, move |house, who| {
        house.controls.hand_over(&house.queue, who, &|| house.try_fences(), &wanted)
    });
    let headers = [
        (header::CONTENT_TYPE, "application/zip"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"lightproof-evidence.zip\""),
    ];
    Ok((headers, bundle.await?).into_response())
}

impl House {
    /// The turn of whoever tries the controls, unless somebody else has it: one run at a time, since a second one would find the
    /// same, and keep the disk from others.
    pub(crate) fn turn(&self) -> Option<MutexGuard<'_, ()>> {
        match self.trying.try_lock() {
            Ok(turn) => Some(turn),
            Err(TryLockError::WouldBlock) => None,
            Err(TryLockError::Poisoned(turn)) => Some(turn.into_inner()), // it holds nothing
        }
    }
}

/// In the turn of whoever asks.
async fn in_turn<T: Send + 'static>(
    house: Arc<House>,
    who: Who,
    work: impl FnOnce(&House, &Who) -> Result<T, Untold> + Send + 'static,
) -> Result<T, Problem> {
    let done = house.beside(move |house| {
        house.queue.with(|darkroom| darkroom.may_try_controls(&who))?;
        let _turn = house.turn().ok_or(Problem::TRYING)?;
        Ok(work(house, &who)?)
    });
    done.await
}

/// Shows them.
pub async fn show(
    State(house): State<Arc<House>>,
    Extension(who): Extension<Who>,
) -> Result<Json<Value>, Problem> {
    let told = house.beside(move |house| {
        house.queue.with(|darkroom| darkroom.may_try_controls(&who))?;
        Ok(house.controls.told()?)
    });
    Ok(Json(told.await?))
}
