//! What a request holds: bodies, read whole within a size and a time and then as JSON, and the ids in addresses.

use crate::House;
use crate::problem::Problem;
use crate::session::Key;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use bytes::Bytes;
use darkroom::Who;
use http_body::Body as _;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use std::sync::Arc;
use std::time::Duration;

const BYTES_MAX: usize = 256 * 1024;
const TIME_MAX: Duration = Duration::from_secs(10);

/// The JSON of a request.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<House>> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, house: &Arc<House>) -> Result<Self, Problem> {
        // That of a program is asked for again by the act itself.
        let is_program = request.extensions().get::<Who>().is_some_and(|who| who.scopes().is_some());
        let session = request.extensions().get::<Key>().copied().filter(|_| !is_program);
        let bytes = read(request).await?;
        // A session that ended while the body was on its way does nothing any more.
        if session.is_some_and(|key| !house.sessions.lives(key, house.now_ms())) {
            return Err(Problem::TOKEN);
        }
        parse(&bytes).map(Self)
    }
}

/// The fields of a JSON object.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // serde would take the fields from an array, too.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Problem::new(400, "body", "this is no JSON object"));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        // serde's own words repeat what was sent.
        let what = match error.classify() {
            Category::Data => "a field is unknown, missing, or of the wrong type",
            _ => "this is no JSON",
        };
        Problem::new(400, "body", format!("{what}, at line {} column {}", error.line(), error.column()))
    })
}

/// The 16 bytes of an id in the address, from their 32 hexadecimal digits.
pub struct Id(pub [u8; 16]);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        path.ok().and_then(|Path(text)| unhex(&text)).map(Self).ok_or(Problem::NOT_FOUND)
    }
}

/// 16 bytes from 32 lower-case hexadecimal digits.
pub fn unhex(text: &str) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    (base16ct::lower::decode(text, &mut bytes).ok()?.len() == 16).then_some(bytes)
}

async fn read(request: Request) -> Result<Bytes, Problem> {
    // Who says beforehand how much it will be is spared the sending.
    if request.body().size_hint().lower() > BYTES_MAX as u64 {
        return Err(Problem::TOO_LARGE);
    }
    let whole = Limited::new(request.into_body(), BYTES_MAX).collect();
    match tokio::time::timeout(TIME_MAX, whole).await {
        Err(_) => Err(Problem::TOO_SLOW),
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Problem::TOO_LARGE),
        Ok(Err(_)) => Err(Problem::INTERRUPTED),
    }
}
