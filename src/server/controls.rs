//! The controls: tried now by an admin, and shown with what was found of them before.
//!
//! What they are, how they are tried and what they are judged by is the program's, and no matter of the server.

use crate::House;
use crate::body::Body;
use crate::images::Nothing;
use crate::problem::Problem;
use axum::Json;
use axum::extract::{Extension, State};
use darkroom::{Queue, Who};
use sandbox::ProbeReport;
use serde_json::Value;
use std::sync::{Arc, TryLockError};

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

    /// Each control, with what the runs found that are on record, as a JSON object. Nothing is tried.
    ///
    /// # Errors
    /// [`Untold`].
    fn told(&self) -> Result<Value, Untold>;
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
}

impl From<Untold> for Problem {
    fn from(untold: Untold) -> Self {
        match untold {
            Untold::Darkroom(error) => error.into(),
            Untold::Full => Self::DISK,
            Untold::Folder => Self::EVIDENCE,
        }
    }
}

/// Tries them. One run at a time: a second one would find the same, and keep the disk from others.
pub async fn run(
    State(house): State<Arc<House>>,
    Extension(who): Extension<Who>,
    Body(Nothing {}): Body<Nothing>,
) -> Result<Json<Value>, Problem> {
    let tried = house.beside(move |house| {
        house.queue.with(|darkroom| darkroom.may_try_controls(&who))?;
        let _turn = match house.trying.try_lock() {
            Ok(turn) => turn,
            Err(TryLockError::WouldBlock) => return Err(Problem::TRYING),
            Err(TryLockError::Poisoned(turn)) => turn.into_inner(), // it holds nothing
        };
        Ok(house.controls.try_now(&house.queue, &who, &|| house.try_fences())?)
    });
    Ok(Json(tried.await?))
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
