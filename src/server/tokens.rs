//! Tokens of programs: made by somebody who types their passphrase once more, listed, and revoked.

use crate::House;
use crate::body::Body;
use crate::connection::Connection;
use crate::problem::Problem;
use crate::vault::{Text, with_proof};
use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use darkroom::{PersonName, Scopes, TOKEN_DAYS, Token, Who};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    scopes: Vec<String>,
    days: Option<u32>,
    /// What it is for.
    label: Option<Text>,
    passphrase: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OldToken {
    token: u64,
}

/// Those that who asks may revoke.
pub async fn list(
    State(house): State<Arc<House>>,
    Extension(who): Extension<Who>,
) -> Result<Json<Value>, Problem> {
    let tokens = house.act(move |queue| queue.with(|darkroom| darkroom.tokens(&who))).await?;
    Ok(Json(json!({ "tokens": tokens.iter().map(Token::facts).collect::<Vec<_>>() })))
}

/// Makes one. Its text is in this answer and nowhere else.
pub async fn make(
    State(house): State<Arc<House>>,
    Extension(connection): Extension<Arc<Connection>>,
    Extension(who): Extension<Who>,
    Body(ask): Body<NewToken>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let NewToken { scopes, days, label, passphrase } = ask;
    let scopes = Scopes::parse(scopes.iter().map(String::as_str)).ok_or_else(|| {
        Problem::new(422, "parameter", "the scopes of a token are one or more of: generate, read, audit")
    })?;
    let label =
        label.as_ref().map(|text| PersonName::new(&text.0)).transpose().map_err(|_| Problem::LABEL)?;
    let days = days.unwrap_or(TOKEN_DAYS);
    let made = with_proof(house, connection, who, passphrase, move |house, proof| {
        house.queue.make_token(&who, proof, (scopes, days), label.as_ref())
    });
    let (token, text) = made.await?;
    let mut answer = token.facts();
    answer["token"] = text.as_str().into();
    Ok((StatusCode::CREATED, Json(answer)))
}

/// Revokes one.
pub async fn revoke(
    State(house): State<Arc<House>>,
    Extension(who): Extension<Who>,
    Body(OldToken { token }): Body<OldToken>,
) -> Result<StatusCode, Problem> {
    house.act(move |queue| queue.with(|darkroom| darkroom.revoke_token(&who, token))).await?;
    Ok(StatusCode::NO_CONTENT)
}
