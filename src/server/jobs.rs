//! Requests for pictures.

use crate::House;
use crate::body::{Body, Id};
use crate::images::png_answer;
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use darkroom::{Ask, Job, JobId, JobState, hex};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use zeroize::Zeroizing;

const KEY_CHARS_MAX: usize = 64;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    prompt: String,
    negative_prompt: Option<String>,
    width: Option<i64>,
    height: Option<i64>,
    steps: Option<i64>,
    guidance: Option<f64>,
    seed: Option<i64>,
    count: Option<i64>,
    #[serde(default)]
    remember_prompt: bool,
}

impl Wish {
    fn ask(self) -> Result<Ask, Problem> {
        let bytes = |text: String| Zeroizing::new(text.into_bytes());
        let (prompt, negative_prompt) = (bytes(self.prompt), self.negative_prompt.map(bytes));
        let size = match (self.width, self.height) {
            (Some(width), Some(height)) => Some((width, height)),
            (None, None) => None,
            _ => return Err(Problem::new(422, "size", "give both width and height, or neither")),
        };
        Ok(Ask {
            prompt,
            negative_prompt,
            size,
            steps: self.steps,
            guidance: self.guidance,
            seed: self.seed,
            count: self.count,
            remember_prompt: self.remember_prompt,
        })
    }
}

/// Accepts a request.
pub async fn submit(
    State(house): State<Arc<House>>,
    headers: HeaderMap,
    Body(wish): Body<Wish>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let key = key(&headers)?;
    let ask = wish.ask()?;
    if house.fences.are_open() {
        return Err(Problem::POSTURE);
    }
    let job = house.act(move |queue| queue.submit(ask, key)).await?;
    Ok((StatusCode::ACCEPTED, Json(describe(&job))))
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let text = value.to_str().ok().filter(|text| (1..=KEY_CHARS_MAX).contains(&text.len()));
    let what = "an Idempotency-Key has 1 to 64 printable characters";
    text.map(|text| Some(text.to_owned())).ok_or(Problem::new(422, "parameter", what))
}

/// All that are known.
pub async fn list(State(house): State<Arc<House>>) -> Json<Value> {
    let jobs: Vec<Value> = house.queue.jobs().iter().map(describe).collect();
    Json(json!({ "jobs": jobs }))
}

/// One of them.
pub async fn show(State(house): State<Arc<House>>, Id(id): Id) -> Result<Json<Value>, Problem> {
    Ok(Json(describe(&house.queue.job(JobId(id))?)))
}

/// Cancels one.
pub async fn cancel(
    State(house): State<Arc<House>>,
    Id(id): Id,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let job = house.act(move |queue| queue.cancel(JobId(id))).await?;
    Ok((StatusCode::ACCEPTED, Json(describe(&job))))
}

/// Its newest preview.
pub async fn preview(State(house): State<Arc<House>>, Id(id): Id) -> Result<Response, Problem> {
    Ok(png_answer(house.queue.preview(JobId(id))?))
}

/// A request as it is answered.
pub fn describe(job: &Job) -> Value {
    let status = match job.state {
        JobState::Waiting => "waiting",
        JobState::Running => "running",
        JobState::Done => "done",
        JobState::Failed => "failed",
        JobState::Cancelled => "cancelled",
    };
    let error = job.error.as_ref().map(|error| {
        let problem = Problem::from(&**error);
        let (code, detail) = problem.parts();
        json!({ "code": code, "detail": detail })
    });
    json!({
        "id": hex(&job.id.0), "status": status, "ahead": job.ahead,
        "created_ms": job.created_ms, "elapsed_ms": job.elapsed.as_millis() as u64,
        "width": job.width, "height": job.height, "steps": job.steps,
        "guidance": f64::from(job.guidance_milli) / 1000.0, "seed": job.seed, "count": job.count,
        "picture": job.picture, "step": job.step, "preview": job.preview,
        "images": job.images.iter().map(|id| id.to_string()).collect::<Vec<_>>(), "error": error,
    })
}
