//! Sealed pictures: listing, looking, keeping a plain copy, destroying.

use crate::House;
use crate::body::{Body, Id, unhex};
use crate::problem::Problem;
use axum::Json;
use axum::extract::{Extension, Query, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use base64ct::{Base64, Encoding as _};
use bytes::Bytes;
use darkroom::{Erasure, Grade, ObjectId, Summary, Who};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use zeroize::Zeroizing;

const PAGE_DEFAULT: usize = 60;
const PAGE_MAX: usize = 200;
const THUMBNAILS_MAX: usize = 60;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paging {
    cursor: Option<String>,
    limit: Option<usize>,
}

/// A page of them.
pub async fn list(
    State(house): State<Arc<House>>,
    Extension(who): Extension<Who>,
    paging: Result<Query<Paging>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let wrong =
        || Problem::new(422, "parameter", "limit is a number from 1 to 200, cursor comes from a page before");
    let Query(Paging { cursor, limit }) = paging.map_err(|_| wrong())?;
    let after = cursor.map(|id| parse(&id)).transpose()?;
    let limit = limit.unwrap_or(PAGE_DEFAULT);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(wrong());
    }
    let page = house.act(move |queue| queue.with(|darkroom| darkroom.page(&who, after, limit))).await?;
    Ok(Json(json!({
        "images": page.pictures.iter().map(describe).collect::<Vec<_>>(),
        "next": page.next.map(|id| id.to_string()), "total": page.total,
    })))
}

/// What is known of one.
pub async fn show(
    State(house): State<Arc<House>>,
    Extension(who): Extension<Who>,
    Id(id): Id,
) -> Result<Json<Value>, Problem> {
    let id = ObjectId(id);
    let picture = house.act(move |queue| queue.with(|darkroom| darkroom.picture(&who, id))).await?;
    Ok(Json(describe(&picture)))
}

/// The whole picture, to look at.
pub async fn content(
    State(house): State<Arc<House>>,
    Extension(who): Extension<Who>,
    Id(id): Id,
) -> Result<Response, Problem> {
    let id = ObjectId(id);
    let png = house.act(move |queue| queue.view(&who, id)).await?;
    Ok(png_answer(png))
}

/// A small one.
pub async fn thumbnail(
    State(house): State<Arc<House>>,
    Extension(who): Extension<Who>,
    Id(id): Id,
) -> Result<Response, Problem> {
    let id = ObjectId(id);
    let seen = house.act(move |queue| queue.view_previews(&who, &[id])).await?;
    seen.into_iter().next().map(|(_, png)| png_answer(png)).ok_or(Problem::NOT_FOUND)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Look {
    ids: Vec<String>,
}

/// The small ones of a page, together: one record for all of them. One that cannot be opened is left out;
/// if none can be, the first one says why.
pub async fn thumbnails(
    State(house): State<Arc<House>>,
    Extension(who): Extension<Who>,
    Body(Look { ids }): Body<Look>,
) -> Result<Json<Value>, Problem> {
    if !(1..=THUMBNAILS_MAX).contains(&ids.len()) {
        return Err(Problem::new(422, "parameter", "ask for 1 to 60 thumbnails at a time"));
    }
    let ids = parse_all(&ids)?;
    let seen = house.act(move |queue| queue.view_previews(&who, &ids)).await?;
    let thumbnails =
        seen.iter().map(|(id, png)| json!({ "id": id.to_string(), "png": Base64::encode_string(png) }));
    Ok(Json(json!({ "thumbnails": thumbnails.collect::<Vec<_>>() })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// The whole picture, to keep.
pub async fn export(
    State(house): State<Arc<House>>,
    Extension(who): Extension<Who>,
    Id(id): Id,
    Body(Nothing {}): Body<Nothing>,
) -> Result<Response, Problem> {
    let id = ObjectId(id);
    let copy = house.act(move |queue| {
        let name = queue.with(|darkroom| Ok(darkroom.picture(&who, id)?.name))?;
        Ok((name, queue.export_content(&who, id)?))
    });
    let (name, png) = copy.await?;
    // Names are of our own making: letters, digits, `_` and `.`.
    let disposition = format!("attachment; filename=\"{name}\"");
    Ok(([(header::CONTENT_DISPOSITION, disposition)], png_answer(png)).into_response())
}

/// Destroys the key of one.
pub async fn delete(
    State(house): State<Arc<House>>,
    Extension(who): Extension<Who>,
    Id(id): Id,
) -> Result<Json<Value>, Problem> {
    let id = ObjectId(id);
    let (erasure, backups) = house.act(move |queue| queue.erase(&who, &[id])).await?;
    Ok(Json(answer(&erasure, backups)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delete {
    ids: Option<Vec<String>>,
    #[serde(default)]
    all: bool,
    confirm: usize,
}

/// Destroys the keys of several, in one act. The number says that the asker knows how many that are.
pub async fn delete_many(
    State(house): State<Arc<House>>,
    Extension(who): Extension<Who>,
    Body(ask): Body<Delete>,
) -> Result<Json<Value>, Problem> {
    let ids = match (ask.ids, ask.all) {
        (Some(ids), false) if !ids.is_empty() => {
            let mut ids = parse_all(&ids)?;
            ids.sort();
            ids.dedup();
            ids
        }
        (None, true) => house
            .act(move |queue| queue.with(|darkroom| darkroom.list(&who)))
            .await?
            .iter()
            .map(|picture| picture.id)
            .collect(),
        _ => return Err(Problem::new(422, "parameter", "give either ids or all")),
    };
    if ask.confirm != ids.len() {
        let detail = format!(
            "another number of pictures was confirmed than there are ({}); nothing was done",
            ids.len()
        );
        return Err(Problem::new(409, "confirm", detail));
    }
    if ids.is_empty() {
        return Ok(Json(json!({ "erased": 0, "grade": null, "cleanup_pending": false, "backups": 0 })));
    }
    let (erasure, backups) = house.act(move |queue| queue.erase(&who, &ids)).await?;
    Ok(Json(answer(&erasure, backups)))
}

/// What is said of an erasure, whatever it was a part of.
pub fn answer(erasure: &Erasure, backups: usize) -> Value {
    let grade = match erasure.grade {
        Grade::InPlace => "b",
        Grade::Volatile => "v",
        _ => "c",
    };
    json!({ "erased": erasure.erased, "grade": grade, "cleanup_pending": erasure.cleanup_pending, "backups": backups })
}

fn parse(id: &str) -> Result<ObjectId, Problem> {
    unhex(id).map(ObjectId).ok_or(Problem::NOT_FOUND)
}

fn parse_all(ids: &[String]) -> Result<Vec<ObjectId>, Problem> {
    ids.iter().map(|id| parse(id)).collect()
}

/// A picture that is not copied on its way, and wiped once it is sent.
pub fn png_answer(png: Zeroizing<Vec<u8>>) -> Response {
    ([(header::CONTENT_TYPE, "image/png")], Bytes::from_owner(png)).into_response()
}

fn describe(picture: &Summary) -> Value {
    let known = picture.metadata.as_ref();
    json!({
        "id": picture.id.to_string(), "name": picture.name, "created_ms": picture.created_ms,
        "bytes": picture.content_bytes, "missing": picture.missing, "expires_ms": picture.expires_ms,
        "width": known.map(|m| m.width), "height": known.map(|m| m.height), "steps": known.map(|m| m.steps),
        "guidance": known.map(|m| f64::from(m.guidance_milli) / 1000.0), "seed": known.map(|m| m.seed),
        "model": known.map(|m| m.model.as_str()),
        "prompt": known.and_then(|m| m.prompt.as_deref()),
        "negative_prompt": known.and_then(|m| m.negative_prompt.as_deref()),
    })
}
