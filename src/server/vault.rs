//! Setting up, unlocking, locking, and what the page must know to begin.

use crate::House;
use crate::body::Body;
use crate::connection::Connection;
use crate::problem::Problem;
use crate::session::Name;
use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use base16ct::lower::encode_string as hex;
use darkroom::{
    Clock as _, Darkroom, Defaults, Device, Door, GUIDANCE_MAX, Grade, PersonName, SEED_MAX, Secret, Who,
};
use policy::KeepPrompts;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use zeroize::Zeroizing;

/// What anybody may know.
pub async fn status(
    State(house): State<Arc<House>>,
    Extension(connection): Extension<Arc<Connection>>,
) -> Result<Json<Value>, Problem> {
    let user = house.peers.user(connection.peer()).await;
    let known = |darkroom: &mut Darkroom| {
        let (named, takes_two) = (darkroom.public().is_ok_and(|public| public.named), darkroom.takes_two());
        Ok((darkroom.has_vault(), darkroom.is_open(), named, takes_two))
    };
    let (has_vault, is_open, named, takes_two) = house.act(move |queue| queue.with(known)).await?;
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
        "posture": house.posture(), "summary": house.fences.summary(),
        "unattended": house.queue.is_unattended(), "names": named, "joint": takes_two,
        "retry_after_s": house.sessions.wait_s(user),
    })))
}

/// Whether requests can be done now.
pub async fn ready(State(house): State<Arc<House>>) -> Result<Json<Value>, Problem> {
    if house.stopping.load(Ordering::Relaxed) {
        return Err(darkroom::Error::Stopping.into());
    }
    // A log that failed once stays closed, whoever met it first.
    if house.log_failed.load(Ordering::Relaxed) || house.queue.has_log_failed() {
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
    /// Who says that it is theirs.
    operator: Option<Text>,
    passphrase: Text,
    /// Who opens the vault with them, where two people do.
    second: Option<Second>,
}

/// The second of two people who open the vault together.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Second {
    operator: Text,
    passphrase: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    passphrase: Text,
}

/// A text that is wiped.
#[derive(Deserialize)]
#[serde(from = "String")]
pub struct Text(pub Zeroizing<String>);

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
    // Nobody guesses 128 random bits: a wrong code costs nothing, and who has the right one waits for nobody.
    house.sessions.check_setup(&ask.code.0, house.now_ms())?;
    let answer = house.beside(move |house| {
        let secret = Secret::passphrase(&ask.passphrase.0).map_err(darkroom::Error::from)?;
        let made = house.queue.with(|darkroom| darkroom.create_vault(&secret, Door::Page));
        let (who, code) = made.map_err(Problem::from)?;
        house.sessions.end_setup();
        let token = begin(house, who)?;
        Ok(json!({ "token": *token, "idle_s": house.idle_s, "recovery_code": *code.text() }))
    });
    Ok((StatusCode::CREATED, Json(answer.await?)))
}

/// Opens the vault, or proves a right to the open one.
pub async fn unlock(
    State(house): State<Arc<House>>,
    Extension(connection): Extension<Arc<Connection>>,
    Body(ask): Body<Unlock>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let operator = ask.operator.map(|name| PersonName::new(&name.0)).transpose();
    let operator = operator.map_err(darkroom::Error::from)?;
    let second_of = ask.second.map(|of| PersonName::new(&of.operator.0).map(|name| (name, of.passphrase)));
    let second_of = second_of.transpose().map_err(darkroom::Error::from)?;
    let user = house.peers.user(connection.peer()).await;
    let (one, other) = (operator.clone(), second_of.as_ref().map(|(name, _)| name.clone()));
    let name = move |darkroom: &mut Darkroom| Ok(Name::of_opening(darkroom, one.as_ref(), other.as_ref()));
    let name = house.act(|queue| queue.with(name)).await?;
    let guess = house.sessions.guess(user, name).map_err(Problem::locked_out)?;
    let _stay = connection.stay();
    let guess = guess.turn().await;
    let answer = house.beside(move |house| {
        // None is so long or so short.
        let secret = Secret::passphrase(&ask.passphrase.0).map_err(|_| Problem::PASSPHRASE)?.of(operator);
        let second = |(name, typed): (PersonName, Text)| {
            Secret::passphrase(&typed.0).map(|typed| typed.of(Some(name)))
        };
        let second = second_of.map(second).transpose().map_err(|_| Problem::PASSPHRASE)?;
        let secret = secret.together(second);
        let unlocked = house.queue.unlock(&secret, Door::Page);
        guess.of(&unlocked);
        let who = unlocked.map_err(|error| match error {
            // Somebody else has to have the vault open.
            darkroom::Error::AuditorOnly => Problem::AUDITOR,
            error => error.into(),
        })?;
        let token = begin(house, who)?;
        Ok(json!({ "token": *token, "idle_s": house.idle_s }))
    });
    Ok((StatusCode::CREATED, Json(answer.await?)))
}

/// Draws a new recovery code for somebody who types the passphrase once more.
pub async fn replace_recovery(
    State(house): State<Arc<House>>,
    Extension(connection): Extension<Arc<Connection>>,
    Extension(who): Extension<Who>,
    Body(ask): Body<Proof>,
) -> Result<Json<Value>, Problem> {
    let code = with_proof(house, connection, who, ask.passphrase, move |house, proof| {
        house.queue.replace_recovery(&who, proof)
    });
    Ok(Json(json!({ "recovery_code": *code.await?.text() })))
}

/// An act for which somebody types their passphrase once more. It is a guess like that of an unlock.
pub async fn with_proof<T: Send + 'static>(
    house: Arc<House>,
    connection: Arc<Connection>,
    who: Who,
    typed: Text,
    act: impl FnOnce(&House, &Secret) -> Result<T, darkroom::Error> + Send + 'static,
) -> Result<T, Problem> {
    let name = house.act(move |queue| queue.with(|darkroom| darkroom.name_of(&who))).await?;
    let user = house.peers.user(connection.peer()).await;
    let guess = house.sessions.guess(user, Name::of(name.as_ref())).map_err(Problem::locked_out)?;
    let _stay = connection.stay();
    let guess = guess.turn().await;
    let answer = house.beside(move |house| {
        let secret = Secret::passphrase(&typed.0).map_err(|_| Problem::PASSPHRASE)?;
        let done = act(house, &secret.of(name));
        guess.of(&done);
        Ok(done?)
    });
    answer.await
}

fn begin(house: &House, who: Who) -> Result<Zeroizing<String>, Problem> {
    let token = house.sessions.begin(who, house.now_ms()).map_err(|_| Problem::INTERNAL)?;
    house.changed(); // the idle lock has a new end to wait for
    Ok(token)
}

/// Ends the sessions and requests of who leaves; the last one to leave locks the vault.
pub async fn leave(
    State(house): State<Arc<House>>,
    Extension(who): Extension<Who>,
) -> Result<StatusCode, Problem> {
    let others_stay = house.sessions.end_of(&who);
    house.changed();
    house.act(move |queue| if others_stay { queue.leave(&who) } else { queue.lock(&who) }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Model, defaults and limits.
pub async fn capabilities(
    State(house): State<Arc<House>>,
    Extension(who): Extension<Who>,
) -> Result<Json<Value>, Problem> {
    let known =
        move |darkroom: &mut Darkroom| Ok((darkroom.grade()?, darkroom.may_erase(), darkroom.name_of(&who)?));
    let (grade, may_erase, name) = house.act(move |queue| queue.with(known)).await?;
    let erasure = match grade {
        Grade::InPlace => "in_place",
        Grade::Volatile => "volatile",
        _ => "conditional",
    };
    let (model, rules) = (house.queue.model(), house.queue.rules());
    let device = match model.device {
        Device::Cpu => "cpu",
        Device::Cuda => "cuda",
    };
    let limits = &rules.limits;
    let side_px_max = model.side_px_max.min(limits.side_pixels_max);
    let defaults = Defaults::of(model, limits);
    Ok(Json(json!({
        "model": { "name": model.name, "digest": hex(&model.digest), "device": device },
        "defaults": {
            "width": defaults.side_px, "height": defaults.side_px,
            "steps": defaults.steps, "guidance": 0.0, "count": 1,
        },
        "limits": {
            "side_px_max": side_px_max, "side_px_step": 16, "steps_max": limits.steps_max,
            "images_max": limits.images_max, "prompt_bytes_max": limits.prompt_bytes_max,
            "seed_max": SEED_MAX, "guidance_max": GUIDANCE_MAX, "jobs_max": rules.waiting_max,
        },
        "keep_prompts": rules.keep_prompts == KeepPrompts::Allow,
        "erase": may_erase, "erasure": erasure,
        "outputs": house.outputs.display().to_string(),
        "now_ms": house.clock.wall_ms(), "you": you(&who, name.as_ref()),
    })))
}

/// The name of who asks, and what they may do.
fn you(who: &Who, name: Option<&PersonName>) -> Value {
    json!({ "name": name.map(PersonName::as_str), "role": who.role().word() })
}
