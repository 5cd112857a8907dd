//! Requests for pictures.

use crate::House;
use crate::body::{Body, Id};
use crate::images::png_answer;
use crate::problem::Problem;
use crate::prompts::Typed;
use crate::session::Key;
use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use base16ct::lower::encode_string as hex;
use darkroom::{Ask, Job, JobId, JobState, Name, PromptLength, Queue, Who};
use policy::KeepPrompts;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::io::Write;
use std::sync::Arc;
use zeroize::Zeroizing;

const KEY_CHARS_MAX: usize = 64;

#[derive(Deserialize, Serialize)]
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
    fn texts(&self) -> (Zeroizing<String>, Option<Zeroizing<String>>) {
        let text = |text: &String| Zeroizing::new(text.clone());
        (text(&self.prompt), self.negative_prompt.as_ref().map(text))
    }

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
    Extension(key): Extension<Key>,
    Extension(who): Extension<Who>,
    headers: HeaderMap,
    Body(wish): Body<Wish>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let name = name_of(&headers)?.map(|text| Name { text, asked: house.asked.digest(&wish) });
    // Where the policy keeps no prompts, none is kept for a session either.
    let keeps = house.queue.rules().keep_prompts == KeepPrompts::Allow;
    let typed = keeps.then(|| wish.texts());
    let ask = wish.ask()?;
    if house.fences.are_open() {
        return Err(Problem::POSTURE);
    }
    let submit = move |queue: &Queue| queue.submit(&who, queue.check(Some(&who), ask)?, name);
    let job = house.act(submit).await?;
    if let Some((prompt, negative_prompt)) = typed {
        house.sessions.remember(key, Typed { job: job.id, prompt, negative_prompt });
    }
    Ok((StatusCode::ACCEPTED, Json(describe(&job))))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    text: String,
}

/// Counts the tokens of a text. Whoever types is there: it keeps the session.
pub async fn measure(
    State(house): State<Arc<House>>,
    Extension(who): Extension<Who>,
    Body(Measured { text }): Body<Measured>,
) -> Result<Json<Value>, Problem> {
    let text = Zeroizing::new(text.into_bytes());
    let PromptLength { tokens, tokens_max } = house.act(move |queue| queue.measure(&who, text)).await?;
    Ok(Json(json!({ "tokens": tokens, "tokens_max": tokens_max })))
}

/// Makes digests of what is asked for, which tell a repetition from another request of the same name.
pub struct Asked {
    /// Goes into the digests: without it they say nothing about a prompt.
    salt: [u8; 32],
}

impl Asked {
    /// With a salt of its own.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn new() -> std::io::Result<Self> {
        let mut salt = [0; 32];
        getrandom::fill(&mut salt).map_err(std::io::Error::other)?;
        Ok(Self { salt })
    }

    /// Stands for what a body asks for, however that was written.
    fn digest(&self, wish: &Wish) -> [u8; 32] {
        let mut digest = Sha256::new_with_prefix(self.salt);
        // Neither the hash nor the numbers and texts of a wish can fail, and no copy of the prompt is made.
        let _ = serde_json::to_writer(Hashing(&mut digest), wish);
        digest.finalize().into()
    }
}

/// Hashes what is written to it.
struct Hashing<'a>(&'a mut Sha256);

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn name_of(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let text = value.to_str().ok().filter(|text| (1..=KEY_CHARS_MAX).contains(&text.len()));
    let what = "an Idempotency-Key has 1 to 64 printable characters";
    text.map(|text| Some(text.to_owned())).ok_or(Problem::new(422, "parameter", what))
}

/// All that are known.
pub async fn list(
    State(house): State<Arc<House>>,
    Extension(who): Extension<Who>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(json!({ "jobs": all(&house, &who)? })))
}

/// The same, as a part of an answer.
pub fn all(house: &House, who: &Who) -> Result<Vec<Value>, Problem> {
    Ok(house.queue.jobs(who)?.iter().map(describe).collect())
}

/// One of them.
pub async fn show(
    State(house): State<Arc<House>>,
    Extension(who): Extension<Who>,
    Id(id): Id,
) -> Result<Json<Value>, Problem> {
    Ok(Json(describe(&house.queue.job(&who, JobId(id))?)))
}

/// Cancels one.
pub async fn cancel(
    State(house): State<Arc<House>>,
    Extension(who): Extension<Who>,
    Id(id): Id,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let job = house.act(move |queue| queue.cancel(&who, JobId(id))).await?;
    Ok((StatusCode::ACCEPTED, Json(describe(&job))))
}

/// Its newest preview.
pub async fn preview(
    State(house): State<Arc<House>>,
    Extension(who): Extension<Who>,
    Id(id): Id,
) -> Result<Response, Problem> {
    Ok(png_answer(house.queue.preview(&who, JobId(id))?))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_stands_for_what_is_asked_and_not_for_how_it_is_written() {
        let asked = Asked::new().unwrap();
        let of = |asked: &Asked, body: &str| asked.digest(&serde_json::from_str(body).unwrap());
        let first = of(&asked, r#"{"prompt": "a red apple", "steps": 4}"#);
        assert_eq!(of(&asked, r#"{"steps":4,"prompt":"a r\u0065d apple","seed":null}"#), first);
        for other in [
            r#"{"prompt": "a red apple"}"#,
            r#"{"prompt": "a red apple", "steps": 5}"#,
            r#"{"prompt": "a red apples", "steps": 4}"#,
            r#"{"prompt": "a red apple", "steps": 4, "negative_prompt": ""}"#,
            r#"{"prompt": "a red apple", "steps": 4, "guidance": 1.0}"#,
            r#"{"prompt": "a red apple", "steps": 4, "remember_prompt": true}"#,
        ] {
            assert_ne!(of(&asked, other), first, "{other}");
        }
        assert_ne!(of(&Asked::new().unwrap(), r#"{"prompt": "a red apple", "steps": 4}"#), first);
    }
}
