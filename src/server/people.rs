//! The people who use the vault: who they are, who comes and who goes, which takes the passphrase of who asks once more; who is
//! behind a pseudonym; and legal holds.

use crate::House;
use crate::body::Body;
use crate::connection::Connection;
use crate::problem::Problem;
use crate::vault::{Text, with_proof};
use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use darkroom::{
    Actor, Confirmed, Error, Held, HoldReason, Person, PersonName, Pictures, Removed, ResolveReason, Role,
    Secret, Who,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Newcomer {
    name: Text,
    role: String,
    new_passphrase: Text,
    passphrase: Text,
    /// What who asks is called, the first time that anybody needs a name.
    own_name: Option<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaver {
    name: Text,
    passphrase: Text,
    pictures: Option<Left>,
    hand_over_to: Option<Text>,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Left {
    Keep,
    HandOver,
    Erase,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewPassphrase {
    passphrase: Text,
    new_passphrase: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewRole {
    name: Text,
    role: String,
    passphrase: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    pseudonym: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewHold {
    of: Option<Text>,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OldHold {
    of: Option<Text>,
}

/// The legal holds that stand.
pub async fn holds(
    State(house): State<Arc<House>>,
    Extension(who): Extension<Who>,
) -> Result<Json<Value>, Problem> {
    let holds = house.act(move |queue| queue.with(|darkroom| darkroom.holds(&who))).await?;
    let describe = |held: &Held| {
        json!({
            "of": held.name.as_ref().map(PersonName::as_str), "slot": held.slot, "reason": held.reason.word(),
            "since_ms": held.since_ms, "pictures": held.pictures,
        })
    };
    Ok(Json(json!({ "holds": holds.iter().map(describe).collect::<Vec<_>>() })))
}

/// Sets one.
pub async fn hold(
    State(house): State<Arc<House>>,
    Extension(who): Extension<Who>,
    Body(ask): Body<NewHold>,
) -> Result<StatusCode, Problem> {
    let reason = HoldReason::parse(&ask.reason).ok_or_else(|| {
        Problem::new(422, "parameter", "a reason is one of: litigation, investigation, order, audit")
    })?;
    let of = ask.of.as_ref().map(name_of).transpose()?;
    let set = move |darkroom: &mut darkroom::Darkroom| darkroom.hold(&who, of.as_ref(), reason);
    house.act(move |queue| queue.with(set)).await?;
    Ok(StatusCode::CREATED)
}

/// Ends one.
pub async fn end_hold(
    State(house): State<Arc<House>>,
    Extension(who): Extension<Who>,
    Body(ask): Body<OldHold>,
) -> Result<StatusCode, Problem> {
    let of = ask.of.as_ref().map(name_of).transpose()?;
    let end = move |darkroom: &mut darkroom::Darkroom| darkroom.end_hold(&who, of.as_ref());
    house.act(move |queue| queue.with(end)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Everybody.
pub async fn list(
    State(house): State<Arc<House>>,
    Extension(who): Extension<Who>,
) -> Result<Json<Value>, Problem> {
    let people = house.act(move |queue| queue.with(|darkroom| darkroom.people(&who))).await?;
    Ok(Json(json!({ "people": people.iter().map(describe).collect::<Vec<_>>() })))
}

/// Somebody comes.
pub async fn add(
    State(house): State<Arc<House>>,
    Extension(connection): Extension<Arc<Connection>>,
    Extension(who): Extension<Who>,
    Body(ask): Body<Newcomer>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let Newcomer { name, role, new_passphrase, passphrase, own_name } = ask;
    let role = role_of(&role)?;
    let name = name_of(&name)?;
    let own_name = own_name.as_ref().map(name_of).transpose()?;
    let new = Secret::passphrase(&new_passphrase.0).map_err(Error::from)?.of(Some(name));
    let added = with_proof(house, connection, who, passphrase, move |house, proof| {
        house.queue.add_person(&who, proof, own_name.as_ref(), &new, role)
    });
    Ok((StatusCode::CREATED, Json(json!({ "slot": added.await? }))))
}

/// Somebody goes, with their sessions and requests.
pub async fn remove(
    State(house): State<Arc<House>>,
    Extension(connection): Extension<Arc<Connection>>,
    Extension(who): Extension<Who>,
    Body(ask): Body<Leaver>,
) -> Result<StatusCode, Problem> {
    let Leaver { name, passphrase, pictures, hand_over_to } = ask;
    let name = name_of(&name)?;
    let pictures = match (pictures, hand_over_to) {
        (None, None) => None,
        (Some(Left::Keep), None) => Some(Pictures::Keep),
        (Some(Left::Erase), None) => Some(Pictures::Erase),
        (Some(Left::HandOver), Some(to)) => Some(Pictures::HandOver(name_of(&to)?)),
        _ => {
            let what = "`pictures` is keep, erase, or hand_over together with `hand_over_to`";
            return Err(Problem::new(422, "parameter", what));
        }
    };
    with_proof(house, connection, who, passphrase, move |house, proof| {
        house.remove_person(&who, proof, &name, pictures.as_ref()).map(drop)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Somebody may do something else from here on, and what they are signed in for ends.
pub async fn set_role(
    State(house): State<Arc<House>>,
    Extension(connection): Extension<Arc<Connection>>,
    Extension(who): Extension<Who>,
    Body(ask): Body<NewRole>,
) -> Result<StatusCode, Problem> {
    let role = role_of(&ask.role)?;
    let name = name_of(&ask.name)?;
    with_proof(house, connection, who, ask.passphrase, move |house, proof| {
        house.set_role(&who, proof, &name, role).map(drop)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What is done to people by whichever door: whatever became of it, who is not what they came in as has no session afterwards.
impl House {
    /// As [`darkroom::Queue::remove_person`].
    ///
    /// # Errors
    /// As there.
    pub(crate) fn remove_person(
        &self,
        who: &Who,
        proof: &Secret,
        name: &PersonName,
        pictures: Option<&Pictures>,
    ) -> Result<Removed, Error> {
        let removed = self.queue.remove_person(who, proof, name, pictures);
        self.end_stale_sessions();
        removed
    }

    /// As [`darkroom::Queue::set_role`].
    ///
    /// # Errors
    /// As there.
    pub(crate) fn set_role(
        &self,
        who: &Who,
        proof: &Secret,
        name: &PersonName,
        role: Role,
    ) -> Result<u16, Error> {
        let changed = self.queue.set_role(who, proof, name, role);
        self.end_stale_sessions();
        changed
    }

    /// As [`darkroom::Queue::confirm`].
    ///
    /// # Errors
    /// As there.
    pub(crate) fn confirm(&self, who: &Who, proof: &Secret, number: u64) -> Result<Confirmed, Error> {
        let done = self.queue.confirm(who, proof, number);
        self.end_stale_sessions();
        done
    }

    /// Their event streams end, too.
    fn end_stale_sessions(&self) {
        self.sessions.end_unless(|who| self.queue.with(|darkroom| Ok(darkroom.knows(who))).unwrap_or(true));
        self.changed();
    }
}

/// A new passphrase of who asks.
pub async fn set_passphrase(
    State(house): State<Arc<House>>,
    Extension(connection): Extension<Arc<Connection>>,
    Extension(who): Extension<Who>,
    Body(ask): Body<NewPassphrase>,
) -> Result<StatusCode, Problem> {
    let new = Secret::passphrase(&ask.new_passphrase.0).map_err(Error::from)?;
    with_proof(house, connection, who, ask.passphrase, move |house, proof| {
        house.queue.change_secret(&who, proof, &new)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who is behind a pseudonym of the log.
pub async fn resolve(
    State(house): State<Arc<House>>,
    Extension(who): Extension<Who>,
    Body(ask): Body<Question>,
) -> Result<Json<Value>, Problem> {
    let reason = ResolveReason::parse(&ask.reason).ok_or_else(|| {
        Problem::new(422, "parameter", "a reason is one of: incident, order, access, audit")
    })?;
    let pseudonym = Actor::parse(&ask.pseudonym)
        .ok_or_else(|| Problem::new(422, "parameter", "a pseudonym is `a:` and 22 characters"))?;
    let resolved = move |darkroom: &mut darkroom::Darkroom| darkroom.resolve(&who, pseudonym, reason);
    let person = house.act(move |queue| queue.with(resolved)).await?;
    Ok(Json(describe(&person)))
}

fn role_of(text: &str) -> Result<Role, Problem> {
    let role = Role::parse(text).filter(|role| *role != Role::Recovery);
    role.ok_or_else(|| Problem::new(422, "parameter", "a role is one of: operator, admin, auditor"))
}

/// A name as it was typed.
pub fn name_of(text: &Text) -> Result<PersonName, Problem> {
    Ok(PersonName::new(&text.0).map_err(Error::from)?)
}

/// A person, as they are answered.
pub fn describe(person: &Person) -> Value {
    json!({
        "slot": person.slot, "name": person.name.as_ref().map(PersonName::as_str),
        "role": person.role.map(Role::word), "pictures": person.pictures, "you": person.is_self,
    })
}
