//! What the verbs of the log say of it.

use crate::exit::{Code, Failure};
use audit::Error;
use serde_json::Value;

/// Why the log cannot be read, and what to do.
pub fn failed(error: Error) -> Failure {
    match error {
        Error::Absent { dir } => {
            let hint = "a first start makes it; if it lies elsewhere, say where with --home";
            Failure::new(Code::NotFound, format!("there is no log in {}; {hint}", dir.display()))
        }
        error => Failure::from(darkroom::Error::from(error)),
    }
}

/// Our own JSON, as a value.
pub fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}
