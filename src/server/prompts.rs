//! The prompts of a session: what was typed in it, for whoever typed it, and no longer than the session lives.

use crate::House;
use crate::body::Body;
use crate::images::Nothing;
use crate::problem::Problem;
use crate::session::Key;
use axum::Json;
use axum::extract::{Extension, State};
use base16ct::lower::encode_string as hex;
use darkroom::JobId;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The oldest make room.
const PROMPTS_MAX: usize = 50;
/// The same, by bytes of text.
const BYTES_MAX: usize = 256 * 1024;

/// The texts of one request.
pub struct Typed {
    /// The request.
    pub job: JobId,
    /// What the picture shows.
    pub prompt: Zeroizing<String>,
    /// What guidance leads away from.
    pub negative_prompt: Option<Zeroizing<String>>,
}

impl Typed {
    fn bytes(&self) -> usize {
        self.prompt.len() + self.negative_prompt.as_ref().map_or(0, |text| text.len())
    }
}

/// The newest of a session, oldest first. They go with it.
#[derive(Default)]
pub struct Prompts(VecDeque<Typed>);

impl Prompts {
    /// One more. The same request, asked for again, is the same one.
    pub fn push(&mut self, typed: Typed) {
        self.0.retain(|known| known.job != typed.job);
        self.0.push_back(typed);
        while self.0.len() > PROMPTS_MAX || self.0.iter().map(Typed::bytes).sum::<usize>() > BYTES_MAX {
            self.0.pop_front();
        }
    }

    /// As they are answered, newest first.
    pub fn describe(&self) -> Vec<Value> {
        let one = |typed: &Typed| {
            json!({ "job": hex(&typed.job.0), "prompt": *typed.prompt,
                    "negative_prompt": typed.negative_prompt.as_ref().map(|text| text.as_str()) })
        };
        self.0.iter().rev().map(one).collect()
    }
}

/// Those of the session that asks. Asked for with a `POST`, after which no buffer keeps what was answered.
pub async fn list(
    State(house): State<Arc<House>>,
    Extension(key): Extension<Key>,
    Body(Nothing {}): Body<Nothing>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(json!({ "prompts": house.sessions.prompts(key) })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(job: u8, bytes: usize) -> Typed {
        let prompt = Zeroizing::new("x".repeat(bytes));
        Typed { job: JobId([job; 16]), prompt, negative_prompt: None }
    }

    #[test]
    fn the_newest_stay_within_number_and_bytes() {
        let mut prompts = Prompts::default();
        (0..60).for_each(|job| prompts.push(typed(job, 1)));
        assert_eq!(prompts.describe().len(), PROMPTS_MAX);
        assert_eq!(prompts.describe()[0]["job"], hex(&[59; 16]));
        prompts.push(typed(59, 2));
        assert_eq!((prompts.describe().len(), &prompts.describe()[0]["prompt"]), (PROMPTS_MAX, &json!("xx")));
        prompts.push(typed(61, BYTES_MAX));
        assert_eq!(prompts.describe().len(), 1);
        prompts.push(typed(62, BYTES_MAX + 1));
        assert_eq!(prompts.describe(), [Value::Null; 0]);
    }
}
