//! Setting up, unlocking, locking, and what the page must know to begin.

use crate::House;
use crate::body::Body;
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use darkroom::{Clock as _, GUIDANCE_MAX, Grade, SEED_MAX, Secret, hex};
use policy::KeepPrompts;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use zeroize::Zeroizing;

/// What anybody may know.
pub async fn status(State(house): State<Arc<House>>) -> Result<Json<Value>, Problem> {
    let (has_vault, is_open) =
        house.act(|queue| queue.with(|darkroom| Ok((darkroom.has_vault(), darkroom.is_open())))).await?;
    let now_ms = house.now_ms();
    let vault = match (has_vault, is_open) {
        (false, _) => "none",
        (true, false) => "locked",
        (true, true) => "unlocked",
    };
    let setup = (!has_vault).then(|| match house.sessions.setup_is_open(now_ms) {
        Some(true) => "open",
        _ => "expired",
    });
    Ok(Json(json!({
        "version": env!("CARGO_PKG_VERSION"), "vault": vault, "setup": setup,
        "posture": house.fences.state(), "retry_after_s": house.sessions.wait_s(now_ms),
    })))
}

/// Whether requests can be done now.
pub async fn ready(State(house): State<Arc<House>>) -> Result<Json<Value>, Problem> {
    if house.stopping.load(Ordering::Relaxed) {
        return Err(darkroom::Error::Stopping.into());
    }
    // A log that failed once stays closed, whoever met it first.
    let of_jobs =
        || house.queue.jobs().iter().any(|job| job.error.as_ref().is_some_and(|e| e.code() == "log"));
    if house.log_failed.load(Ordering::Relaxed) || of_jobs() {
        return Err(Problem::LOG);
    }
    Ok(Json(json!({ "status": "ready" })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetUp {
    code: Text,
    passphrase: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unlock {
    passphrase: Text,
}

/// A text that is wiped.
#[derive(Deserialize)]
#[serde(from = "String")]
struct Text(Zeroizing<String>);

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

/// Makes the vault, once.
pub async fn set_up(
    State(house): State<Arc<House>>,
    Body(ask): Body<SetUp>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let answer = house.beside(move |house| {
        match house.sessions.setup_is_open(house.now_ms()) {
            None => return Err(Problem::SETUP_DONE),
            Some(false) => return Err(Problem::SETUP_EXPIRED),
            Some(true) => {}
        }
        let guess = house.sessions.guess(house.now_ms())?;
        house.sessions.check_setup(&ask.code.0, house.now_ms())?;
        guess.none();
        let secret = Secret::passphrase(&ask.passphrase.0).map_err(darkroom::Error::from)?;
        let code = house.queue.with(|darkroom| darkroom.create_vault(&secret)).map_err(Problem::from)?;
        house.sessions.end_setup();
        let token = begin(house)?;
        Ok(json!({ "token": *token, "idle_s": house.idle_s, "recovery_code": *code.text() }))
    });
    Ok((StatusCode::CREATED, Json(answer.await?)))
}

/// Opens the vault, or proves a right to the open one.
pub async fn unlock(
    State(house): State<Arc<House>>,
    Body(ask): Body<Unlock>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let answer = house.beside(move |house| {
        let guess = house.sessions.guess(house.now_ms())?;
        // None is so long or so short.
        let secret = Secret::passphrase(&ask.passphrase.0).map_err(|_| Problem::PASSPHRASE)?;
        match house.queue.unlock(&secret) {
            Ok(_) => guess.right(),
            Err(error) => {
                if ["no_vault", "stopping"].contains(&error.code()) {
                    guess.none();
                }
                return Err(error.into());
            }
        }
        let token = begin(house)?;
        Ok(json!({ "token": *token, "idle_s": house.idle_s }))
    });
    Ok((StatusCode::CREATED, Json(answer.await?)))
}

fn begin(house: &House) -> Result<Zeroizing<String>, Problem> {
    let token = house.sessions.begin(house.now_ms()).map_err(|_| Problem::INTERNAL)?;
    house.changed(); // the idle lock has a new end to wait for
    Ok(token)
}

/// Ends every session, cancels every request, locks the vault.
pub async fn lock(State(house): State<Arc<House>>) -> Result<StatusCode, Problem> {
    house.sessions.end_all();
    house.changed();
    house.act(|queue| queue.lock()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Model, defaults and limits.
pub async fn capabilities(State(house): State<Arc<House>>) -> Result<Json<Value>, Problem> {
    let grade = house.act(|queue| queue.with(|darkroom| darkroom.grade())).await?;
    let erasure = match grade {
        Grade::InPlace => "in_place",
        Grade::Volatile => "volatile",
        _ => "conditional",
    };
    let (model, rules) = (house.queue.model(), house.queue.rules());
    let limits = &rules.limits;
    let side_px_max = model.side_px_max.min(limits.side_pixels_max);
    Ok(Json(json!({
        "model": { "name": model.name, "digest": hex(&model.digest), "device": model.device.word() },
        "defaults": {
            "width": model.side_px_default.min(side_px_max),
            "height": model.side_px_default.min(side_px_max),
            "steps": model.steps_default.min(limits.steps_max), "guidance": 0.0, "count": 1,
        },
        "limits": {
            "side_px_max": side_px_max, "side_px_step": 16, "steps_max": limits.steps_max,
            "images_max": limits.images_max, "prompt_bytes_max": limits.prompt_bytes_max,
            "seed_max": SEED_MAX, "guidance_max": GUIDANCE_MAX, "jobs_max": rules.waiting_max,
        },
        "keep_prompts": rules.keep_prompts == KeepPrompts::Allow,
        "erasure": erasure,
        "outputs": house.outputs.display().to_string(),
        "now_ms": house.clock.wall_ms(),
    })))
}
