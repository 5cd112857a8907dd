//! What waits for a second admin, and what that admin says.

use crate::House;
use crate::body::Body;
use crate::connection::Connection;
use crate::images::answer;
use crate::people::describe;
use crate::problem::Problem;
use crate::vault::{Text, with_proof};
use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use darkroom::{Confirmed, Removed, Waiting, Who};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Word {
    number: u64,
    passphrase: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct No {
    number: u64,
}

/// All that waits.
pub async fn list(
    State(house): State<Arc<House>>,
    Extension(who): Extension<Who>,
) -> Result<Json<Value>, Problem> {
    let all = house.act(move |queue| queue.with(|darkroom| darkroom.pending(&who))).await?;
    Ok(Json(json!({ "pending": all.iter().map(Waiting::facts).collect::<Vec<_>>() })))
}

/// Exactly that is done.
pub async fn confirm(
    State(house): State<Arc<House>>,
    Extension(connection): Extension<Arc<Connection>>,
    Extension(who): Extension<Who>,
    Body(Word { number, passphrase }): Body<Word>,
) -> Result<Json<Value>, Problem> {
    let done = with_proof(house, connection, who, passphrase, move |house, proof| {
        house.confirm(&who, proof, number)
    });
    Ok(Json(match done.await? {
        Confirmed::Resolved(person) => json!({ "person": describe(&person) }),
        Confirmed::Erased(erased, _) | Confirmed::Removed(Removed { erased: Some((erased, _)), .. }) => {
            answer(&erased.erasure, erased.backups.len())
        }
        _ => json!({}),
    }))
}

/// Nothing of it is done.
pub async fn refuse(
    State(house): State<Arc<House>>,
    Extension(who): Extension<Who>,
    Body(No { number }): Body<No>,
) -> Result<StatusCode, Problem> {
    let refused = move |darkroom: &mut darkroom::Darkroom| darkroom.refuse_pending(&who, number);
    house.act(move |queue| queue.with(refused)).await?;
    Ok(StatusCode::NO_CONTENT)
}
