//! Bodies: read whole, within a size and a time, and then as JSON.

use crate::problem::Problem;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use std::time::Duration;

const BYTES_MAX: usize = 256 * 1024;
const TIME_MAX: Duration = Duration::from_secs(10);

/// The JSON of a request.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let bytes = read(request).await?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            // serde's own words repeat what was sent.
            let what = match error.classify() {
                Category::Data => "a field is unknown, missing, or of the wrong type",
                _ => "this is no JSON",
            };
            Problem::new(400, "body", format!("{what}, at line {} column {}", error.line(), error.column()))
        })
    }
}

async fn read(request: Request) -> Result<Bytes, Problem> {
    let whole = Limited::new(request.into_body(), BYTES_MAX).collect();
    match tokio::time::timeout(TIME_MAX, whole).await {
        Err(_) => Err(Problem::TOO_SLOW),
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Problem::TOO_LARGE),
        Ok(Err(_)) => Err(Problem::INTERRUPTED),
    }
}
